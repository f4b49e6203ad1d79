//! Arrays that are split over threads: the same bits on one thread and several, for every
//! instruction set, in NCHW and NHWC memory.

use poolnd::{
    Divisor, Execution, Geometry, Team, Window, average_into, max_into, max_with_indices_into,
};

use crate::dtype::{Dtype, Kind, Number, numbers, random, test_each};
use crate::executions::executions;
use crate::layout::{Array, Layout};

/// Bytes that are enough to be worth several threads.
const BYTES: usize = Execution::MIN_PARALLEL_BYTES;

/// (N, C, H, W) of at least [`BYTES`]: many planes, many small ones, a wide one, a tall one.
fn shapes<T>() -> [[usize; 4]; 4] {
    let fill = |elements: usize| 1 + BYTES / (elements * size_of::<T>());
    [
        [2, fill(2 * 59 * 83), 59, 83],
        [3, fill(3 * 81), 9, 9],
        [1, 1, 9, fill(9)],
        [1, 1, fill(9), 9],
    ]
}

/// One window rule for each way through the kernels.
fn geometries(shape: [usize; 4]) -> impl Iterator<Item = Geometry> {
    let [_, channels, height, width] = shape.map(|len| len as i64);
    let same = |window: Window| vec![(2, window.clone()), (3, window)];
    let long = Window::sliding(width.min(70)).stride(13);
    let windows = [
        same(Window::sliding(3).stride(1).padding(1).into()),
        same(Window::sliding(3).stride(2).padding(1).ceil_mode(true).into()),
        same(Window::sliding(3).stride(4).dilation(2).padding(1).into()),
        vec![(2, Window::sliding(5).into()), (3, long.into())],
        same(Window::sliding(2).into()),
        same(Window::sliding(7).stride(1).padding(3).into()),
        same(Window::sliding(9).stride(1).padding(4).into()),
        // One window in the smallest of the planes.
        same(Window::sliding(9).stride(1).into()),
        vec![(2, Window::sliding(9).stride(2).into()), (3, Window::sliding(9).padding(4).into())],
        vec![(3, Window::sliding(3).stride(5).into())],
        vec![(3, Window::adaptive(1))],
        same(Window::adaptive(7)),
        same(Window::adaptive(1)),
        vec![(1, Window::sliding(channels.min(2)).into()), (3, Window::sliding(4).into())],
    ];
    let square = same(Window::sliding(31).stride(1).padding(15).into());
    let square = (height.min(width) > 31).then_some(square);
    windows.into_iter().chain(square).map(move |windows| Geometry::new(&shape, &windows).unwrap())
}

/// Pools an input into an output of a layout.
type Pool<'a, T, U> = &'a dyn Fn(&Execution<'_>, &Geometry, &Array<T>, &Layout) -> Array<U>;

/// Checks that `pool` gives the same elements for every layout, instruction set and number of
/// threads.
fn assert_same<T: Dtype, U: Dtype>(kind: Kind, pool: Pool<'_, T, U>) {
    let single = Execution::single_threaded();
    for shape in shapes::<T>() {
        let element = |at| T::sample(kind, random(5, at));
        let elements: Vec<T> = (0..shape.iter().product()).map(element).collect();
        let (plain, last) = (Layout::contiguous(4), Layout::channels_last(4));
        let inputs = [(&plain, &plain), (&last, &last), (&plain, &last), (&last, &plain)]
            .map(|(input, output)| (Array::of(&shape, input, &elements), output));
        for geometry in geometries(shape) {
            let expected = pool(&single, &geometry, &inputs[0].0, inputs[0].1).elements();
            for (input, layout) in &inputs {
                each_execution(&|execution| {
                    let result = pool(execution, &geometry, input, layout).elements();
                    let mut pairs = result.iter().zip(&expected);
                    let differ = pairs.position(|(a, b)| a.bits() != b.bits());
                    assert_eq!(differ, None, "{execution:?}, {layout:?}, {geometry:?}");
                });
            }
        }
    }
}

fn each_execution(check: &dyn Fn(&Execution<'_>)) {
    executions().for_each(|execution| check(&execution));
    check(&Execution::default());
    check(&Execution::default().streamed_from(0));
    check(&Execution::with(&Team::new(2)));
    #[cfg(feature = "rayon")]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        check(&Execution::on(&pool));
    }
}

fn output<T: Dtype>(geometry: &Geometry, layout: &Layout) -> Array<T> {
    Array::new(geometry.output_shape(), layout, |_| T::default())
}

fn maxima<T: Dtype>() {
    assert_same::<T, T>(Kind::Specials, &|execution, geometry, input, layout| {
        let mut maxima = output(geometry, layout);
        max_into(execution, geometry, &input.view(), maxima.view_mut()).unwrap();
        maxima
    });
}

fn indices<T: Dtype>() {
    assert_same::<T, i64>(Kind::Specials, &|execution, geometry, input, layout| {
        let (mut maxima, mut indices) = (output(geometry, layout), output(geometry, layout));
        let (values, positions) = (maxima.view_mut(), indices.view_mut());
        max_with_indices_into(execution, geometry, &input.view(), values, positions).unwrap();
        indices
    });
}

fn averages<T: Number>() {
    assert_same::<T, T>(Kind::Rough, &|execution, geometry, input, layout| {
        let (mut averages, divisor) = (output(geometry, layout), Divisor::Window);
        average_into(execution, geometry, divisor, &input.view(), averages.view_mut()).unwrap();
        averages
    });
}

numbers!(test_each maxima [bool]);
numbers!(test_each indices [bool]);
numbers!(test_each averages []);
