//! Views of ndarray's arrays against the same windows taken with ndarray itself.

use ndarray::{
    Array, Array2, Array4, ArrayD, ArrayView, ArrayViewD, ArrayViewMut2, Axis, Dimension, IxDyn,
    arr0, s,
};
use poolnd::{
    Divisor, Execution, Geometry, PoolError, View, ViewMut, Window, average, max, max_into,
};

fn counted<D: Dimension>(shape: D) -> Array<i32, D> {
    // Odd steps through a prime, so that neighbours are neither sorted nor equal.
    let elements = (0..shape.size() as i32).map(|i| i * 37 % 1009).collect();
    Array::from_shape_vec(shape, elements).unwrap()
}

/// Maxima of windows of two along the last axis (one where it is shorter), by ndarray's own means.
fn pairs(array: &ArrayViewD<'_, i32>) -> ArrayD<i32> {
    let Some(last) = array.ndim().checked_sub(1) else { return array.to_owned() };
    let (axis, width) = (Axis(last), array.len_of(Axis(last)).min(2));
    let outputs = array.len_of(axis) / width;
    let mut shape = array.shape().to_vec();
    shape[last] = outputs;
    let mut result = ArrayD::zeros(IxDyn(&shape));
    for o in 0..outputs {
        let window = array.slice_axis(axis, (o * width..(o + 1) * width).into());
        let largest = window.map_axis(axis, |taps| taps.iter().copied().max().unwrap());
        result.index_axis_mut(axis, o).assign(&largest);
    }
    result
}

fn assert_pooled_as_by_ndarray(array: ArrayViewD<'_, i32>, view: &View<'_, i32>) {
    assert_eq!(view.shape(), array.shape());
    let last = array.ndim().checked_sub(1);
    let width = |axis| array.len_of(Axis(axis)).min(2) as i64;
    let windows: Vec<_> =
        last.map(|axis| (axis, Window::sliding(width(axis)).into())).into_iter().collect();
    let geometry = Geometry::new(view.shape(), &windows).unwrap();
    assert_eq!(
        max(view, &geometry).unwrap().into_ndarray(),
        pairs(&array),
        "{:?}",
        array.strides()
    );
}

fn assert_taken<D: Dimension>(array: ArrayView<'_, i32, D>) {
    let view = View::try_from(array.clone()).unwrap();
    assert_pooled_as_by_ndarray(array.into_dyn(), &view);
}

#[test]
fn arrays_without_gaps_are_taken_as_they_are() {
    let x = counted(ndarray::Dim([3, 4, 5, 6]));
    assert_taken(x.view());
    assert_taken(x.view().reversed_axes());
    assert_taken(x.view().permuted_axes([2, 0, 3, 1]));
    assert_taken(x.slice(s![1..2, .., .., ..]));
    assert_taken(x.slice(s![.., ..;-1, .., ..;-1]));
    assert_taken(x.slice(s![..;-1, ..;-1, ..;-1, ..;-1]).permuted_axes([3, 1, 0, 2]));
    assert_taken(x.view().into_dyn());
    assert_taken(counted(ndarray::Dim([7])).view());
    assert_taken(arr0(5).view());
    assert_taken(counted(IxDyn(&[2, 1, 3, 1, 2, 2, 4])).view());
    let row = counted(ndarray::Dim([6]));
    assert_taken(row.broadcast((4, 6)).unwrap());
    assert_taken(row.slice(s![..;-1]).broadcast((2, 3, 6)).unwrap().reversed_axes());
}

#[test]
fn owned_arrays_are_taken_in_any_order() {
    let x = counted(ndarray::Dim([5, 6]));
    let reversed: Array2<i32> = x.clone().reversed_axes();
    let view = View::try_from(&reversed).unwrap();
    assert_eq!(view.strides(), [1, 6]);
    assert_pooled_as_by_ndarray(reversed.view().into_dyn(), &view);
}

#[test]
fn parts_are_read_in_place() {
    let x = counted(ndarray::Dim([4, 5, 6, 7]));
    let parts = [
        x.slice(s![1..3, .., 2..5, ..]).into_dyn(),
        x.slice(s![.., ..;2, ..;-1, 1..;3]).into_dyn(),
        x.slice(s![2, .., 1, ..]).into_dyn(),
        x.slice(s![.., 3.., ..;-2, ..;-3]).permuted_axes([1, 3, 0, 2]).into_dyn(),
        x.slice(s![..0, .., .., ..]).reversed_axes().into_dyn(),
    ];
    for part in &parts {
        let view = View::of_part(x.view(), part).unwrap();
        assert!(part.is_empty() || view.data()[view.origin()..].as_ptr() == part.as_ptr());
        if !part.is_empty() {
            assert_pooled_as_by_ndarray(part.clone(), &view);
        }
    }
    let transposed = x.view().reversed_axes();
    let part = transposed.slice(s![1.., ..;-1, .., ..2]);
    let view = View::of_part(transposed, &part).unwrap();
    assert_pooled_as_by_ndarray(part.into_dyn(), &view);
}

#[test]
fn a_view_with_gaps_is_refused() {
    let x = counted(ndarray::Dim([4, 6]));
    for part in [x.slice(s![.., 1..5]), x.slice(s![..;2, ..]), x.slice(s![.., ..;-2])] {
        let error = View::try_from(part).unwrap_err();
        let (shape, strides) = (part.shape().to_vec(), part.strides().to_vec());
        assert_eq!(error, PoolError::Gaps { shape, strides });
    }
    let error = View::try_from(x.slice(s![.., 1..5])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an array view of shape [4, 4] with strides [6, 1] leaves elements out that something \
         else may write; give View::of_part the array that it is a part of"
    );
    assert!(matches!(View::of_part(x.slice(s![..;2, ..]), &x.view()), Err(PoolError::Gaps { .. })));
}

#[test]
fn a_part_of_something_else_is_refused() {
    let x = counted(ndarray::Dim([4, 6]));
    let (upper, lower) = x.view().split_at(Axis(0), 2);
    let other = counted(ndarray::Dim([4, 6]));
    let odd = ArrayView::from_shape((3,), &[1u16, 2, 3, 4][..3]).unwrap();
    for (whole, part) in [
        (upper, lower),
        (lower, upper),
        (upper, x.view()),
        (x.view(), other.view()),
        (other.view(), x.view()),
    ] {
        let error = View::of_part(whole, &part).unwrap_err();
        assert!(matches!(error, PoolError::OutOfBounds { .. }), "{error:?}");
    }
    assert!(View::of_part(odd, &odd.slice(s![1..])).is_ok());
    // Elements without a size lie nowhere.
    let units = Array::from_elem((2, 3), ());
    assert!(View::of_part(units.view(), &units.view()).is_err());
}

#[test]
fn empty_arrays_are_taken() {
    let x = Array4::<f32>::zeros((2, 0, 3, 4));
    let part = counted(ndarray::Dim([4, 6]));
    assert_eq!(View::try_from(&x).unwrap().shape(), [2, 0, 3, 4]);
    assert_eq!(View::try_from(part.slice(s![2..2, ..;2])).unwrap().shape(), [0, 3]);
    let geometry = Geometry::new(x.shape(), &[(3, Window::sliding(2).into())]).unwrap();
    let mean = average(&View::try_from(&x).unwrap(), &geometry, Divisor::Window).unwrap();
    assert_eq!(mean.into_ndarray(), ArrayD::zeros(IxDyn(&[2, 0, 3, 2])));
}

#[test]
fn outputs_are_written_where_they_lie() {
    let x = counted(ndarray::Dim([4, 6]));
    let geometry = Geometry::new(x.shape(), &[(1, Window::sliding(2).into())]).unwrap();
    let expected = pairs(&x.view().into_dyn());
    let input = View::try_from(&x).unwrap();
    // Four rows of three: a block, steps, reversed axes, columns for rows.
    let parts: [fn(ArrayViewMut2<'_, i32>) -> ArrayViewMut2<'_, i32>; 4] = [
        |page| page.slice_move(s![1..5, 2..5]),
        |page| page.slice_move(s![..8;2, ..;3]),
        |page| page.slice_move(s![1..8;-2, 1..7;-2]),
        |page| page.slice_move(s![2..5, 3..7]).reversed_axes(),
    ];
    for (at, part) in parts.into_iter().enumerate() {
        let mut page = Array2::from_elem((9, 8), -1);
        let output = ViewMut::try_from(part(page.view_mut())).unwrap();
        max_into(&Execution::default(), &geometry, &input, output).unwrap();
        assert_eq!(part(page.view_mut()).to_owned().into_dyn(), expected, "part {at}");
        assert_eq!(page.iter().filter(|&&element| element >= 0).count(), 12, "part {at}");
    }
}

#[test]
fn a_result_becomes_an_array_without_a_copy() {
    let x = counted(ndarray::Dim([4, 6]));
    let geometry = Geometry::new(x.shape(), &[(0, Window::sliding(2).into())]).unwrap();
    let result = max(&View::try_from(&x).unwrap(), &geometry).unwrap();
    let (memory, shape) = (result.data().as_ptr(), result.shape().to_vec());
    let array = ArrayD::from(result);
    assert_eq!((array.as_ptr(), array.shape()), (memory, &shape[..]));
}
