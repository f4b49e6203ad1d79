//! Views: what they refuse, what they reach.

use std::mem::MaybeUninit;

use poolnd::{
    Execution, Geometry, PoolError, Taps, View, ViewMut, Window, contiguous_strides, max,
    max_backward_into, max_with_indices, unpool_into,
};

#[test]
fn strides_that_reach_outside_are_refused() {
    let data = [0u8; 12];
    for (origin, shape, strides) in [
        (0, &[3, 5][..], &[4, 1][..]),
        (0, &[3, 4], &[5, 1]),
        (1, &[3, 4], &[4, 1]),
        (0, &[2], &[-1]),
        (10, &[3, 2], &[-4, -3]),
        (12, &[1], &[1]),
        (usize::MAX, &[1], &[1]),
        (0, &[2], &[isize::MAX]),
        (0, &[2], &[isize::MIN]),
        (0, &[3, 3], &[isize::MAX, isize::MAX]),
        (0, &[2, 2], &[isize::MAX, -isize::MAX]),
        (0, &[3, 4], &[4]),
        (0, &[3], &[4, 1]),
    ] {
        let error = View::with_strides(&data, origin, shape, strides).unwrap_err();
        let known = matches!(error, PoolError::OutOfBounds { .. } | PoolError::TooLarge { .. });
        assert!(known, "origin {origin}, {shape:?}, {strides:?}: {error:?}");
    }
    let error = View::with_strides(&data, 0, &[3, 4], &[5, 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "strides [5, 1] with shape [3, 4] reach outside the 12 elements given"
    );
}

#[test]
fn strides_that_reach_every_element_are_taken() {
    let data = [0u8; 12];
    for (origin, shape, strides) in [
        (0, &[3, 4][..], &[4, 1][..]),
        (0, &[4, 3], &[1, 4]),
        (11, &[3, 4], &[-4, -1]),
        (8, &[3, 4], &[-4, 1]),
        (11, &[7, 9], &[0, 0]),
        (0, &[6], &[2]),
        (0, &[], &[]),
        (12, &[0], &[1]),
        (0, &[0, 9], &[100, 100]),
    ] {
        let view = View::with_strides(&data, origin, shape, strides).unwrap();
        assert_eq!((view.shape(), view.strides(), view.origin()), (shape, strides, origin));
    }
}

#[test]
fn a_slice_must_hold_the_shape() {
    assert!(View::new(&[0u8; 12], &[3, 4]).is_ok());
    assert!(matches!(View::new(&[0u8; 11], &[3, 4]), Err(PoolError::OutOfBounds { len: 11, .. })));
    let mut memory = [MaybeUninit::<u8>::uninit(); 12];
    assert!(ViewMut::new(&mut memory, &[3, 4]).is_ok());
    assert!(matches!(ViewMut::new(&mut memory, &[13]), Err(PoolError::OutOfBounds { .. })));
}

#[test]
fn shapes_beyond_memory_are_refused() {
    for shape in [&[usize::MAX][..], &[1 << 40, 1 << 40], &[0, 1 << 40, 1 << 40], &[1 << 62, 1]] {
        let error = View::new(&[0u8; 4], shape).unwrap_err();
        assert!(matches!(error, PoolError::TooLarge { .. }), "{shape:?}: {error:?}");
        assert!(error.to_string().contains(&format!("{shape:?}")), "{error}");
    }
}

#[test]
fn outputs_whose_elements_share_memory_are_refused() {
    let mut memory = [0u8; 100];
    let middle = memory.as_mut_ptr().wrapping_add(50);
    let output = |shape: &[usize], strides: &[isize]| {
        // SAFETY: every stride that is tried stays within 50 elements of the middle.
        let view = unsafe { ViewMut::from_raw_parts(middle, shape, strides) };
        view.map(|_| ())
    };
    for (shape, strides) in [
        (&[2][..], &[0][..]),
        (&[3, 4], &[3, 1]),
        (&[3, 4], &[1, 1]),
        (&[3, 4], &[-3, 1]),
        (&[2, 2, 2], &[4, 2, 3]),
    ] {
        let expected = PoolError::Overlap { shape: shape.to_vec(), strides: strides.to_vec() };
        assert_eq!(output(shape, strides), Err(expected));
    }
    for (shape, strides) in [
        (&[3, 4][..], &[4, 1][..]),
        (&[3, 4], &[-1, -3]),
        (&[3, 1], &[1, 0]),
        (&[0, 4], &[0, 0]),
        (&[], &[]),
    ] {
        assert_eq!(output(shape, strides), Ok(()), "{shape:?}, {strides:?}");
    }
    let error = output(&[2], &[0]).unwrap_err();
    assert_eq!(error.to_string(), "output strides [0] with shape [2] let elements share memory");
}

#[test]
fn contiguous_strides_are_those_of_c_order() {
    assert_eq!(contiguous_strides(&[2, 3, 4])[..], [12, 4, 1]);
    assert_eq!(contiguous_strides(&[2, 0, 4])[..], [4, 4, 1]);
    assert!(contiguous_strides(&[]).is_empty());
}

#[test]
fn a_raw_view_reads_where_it_points() {
    let data: Vec<i32> = (0..12).collect();
    let last = data.as_ptr().wrapping_add(11);
    // SAFETY: shape and strides are those of `data` with both axes reversed.
    let view = unsafe { View::from_raw_parts(last, &[3, 4], &[-4, -1]) }.unwrap();
    let windows = [(0, Window::sliding(3).into()), (1, Window::sliding(2).into())];
    let maxima = max(&view, &Geometry::new(&[3, 4], &windows).unwrap()).unwrap();
    assert_eq!(maxima.data(), [11, 9]);
}

#[test]
fn a_result_can_be_the_next_input() {
    let data: Vec<u16> = (0..16).collect();
    let windows = [(0, Window::sliding(2).into()), (1, Window::sliding(2).into())];
    let halved = Geometry::new(&[4, 4], &windows).unwrap();
    let once = max(&View::new(&data, &[4, 4]).unwrap(), &halved).unwrap();
    let halved = Geometry::new(once.shape(), &windows).unwrap();
    let twice = max(&once.view().unwrap(), &halved).unwrap();
    assert_eq!((twice.shape(), twice.data()), (&[1, 1][..], &[15][..]));
    assert_eq!(twice.into_data(), [15]);
}

#[test]
fn zeros_need_not_be_written() {
    // Two planes; in the second, elements meet.
    let (indices, values) = ([4, 1, -1, 3, 3, 0], [1.5f32, -2.0, 9.0, 3.0, 0.25, 4.0]);
    let shape = [2, 3];
    let indices = View::new(&indices, &shape).unwrap();
    let values = View::new(&values, &shape).unwrap();
    let execution = Execution::single_threaded();
    let mut sums = [0f32; 10];
    // SAFETY: ten zeros, borrowed for as long as the view.
    let out = unsafe {
        ViewMut::from_raw_parts(sums.as_mut_ptr(), &[2, 5], &[5, 1]).unwrap().assume_zeroed()
    };
    max_backward_into(&execution, &[1], &values, &indices, out).unwrap();
    assert_eq!(sums, [0.0, -2.0, 0.0, 0.0, 1.5, 4.0, 0.0, 0.0, 3.25, 0.0]);

    let indices = [4, 1, 0, 3, 3, 0];
    let indices = View::new(&indices, &shape).unwrap();
    let mut last = [0f32; 10];
    // SAFETY: as above.
    let out = unsafe {
        ViewMut::from_raw_parts(last.as_mut_ptr(), &[2, 5], &[5, 1]).unwrap().assume_zeroed()
    };
    unpool_into(&execution, &[1], &values, &indices, out).unwrap();
    assert_eq!(last, [9.0, -2.0, 0.0, 0.0, 1.5, 4.0, 0.0, 0.0, 0.25, 0.0]);
}

/// Rows that are one row of memory differ in nothing but their positions.
#[test]
fn positions_in_repeated_rows_are_those_of_the_windows_own_steps() {
    let data = [0.0f32, f32::NAN, 1.0];
    let repeated = View::with_strides(&data, 0, &[128, 3], &[0, 1]).unwrap();
    let apart = Taps { first: 81, count: 6, step: 2 };
    let near = Taps { first: 17, count: 6, step: 1 };
    let windows = [(0, Window::Listed(vec![apart, near])), (1, Window::sliding(1).into())];
    let geometry = Geometry::new(repeated.shape(), &windows).unwrap();
    let (_, indices) = max_with_indices(&repeated, &geometry).unwrap();
    // Of numbers the first of the largest, of NaNs the last.
    assert_eq!(indices.data(), [81 * 3, 91 * 3 + 1, 81 * 3 + 2, 17 * 3, 22 * 3 + 1, 17 * 3 + 2]);
}
