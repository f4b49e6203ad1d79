//! Arrays that are split over threads: the same bits on one thread and several, for every
//! instruction set, in NCHW and NHWC memory.

use poolnd::{
    Divisor, Execution, Geometry, Level, Window, average_into, max_into, max_with_indices_into,
};

use crate::dtype::{Dtype, Kind, Number, numbers, random, test_each};
use crate::layout::{Array, Layout};

/// Bytes that are more than enough to be worth several threads.
const BYTES: usize = 1 << 20;

/// (N, C, H, W) of at least [`BYTES`] in all.
fn shape<T>() -> [usize; 4] {
    [2, 1 + BYTES / (2 * 59 * 83 * size_of::<T>()), 59, 83]
}

/// One window rule for each way through the kernels.
fn geometries(shape: &[usize]) -> Vec<Geometry> {
    let same = |window: Window| vec![(2, window.clone()), (3, window)];
    let windows = [
        same(Window::sliding(3).stride(1).padding(1).into()),
        same(Window::sliding(3).stride(2).padding(1).ceil_mode(true).into()),
        same(Window::sliding(2).into()),
        same(Window::sliding(3).stride(4).dilation(2).padding(1).into()),
        vec![(2, Window::sliding(5).into()), (3, Window::sliding(70).stride(13).into())],
        same(Window::adaptive(7)),
        same(Window::adaptive(1)),
        vec![(1, Window::sliding(2).into()), (3, Window::sliding(4).into())],
    ];
    windows.iter().map(|windows| Geometry::new(shape, windows).unwrap()).collect()
}

/// Pools an input into an output of a layout.
type Pool<'a, T, U> = &'a dyn Fn(&Execution<'_>, &Geometry, &Array<T>, &Layout) -> Array<U>;

/// Checks that `pool` gives the same elements for every layout,
/// instruction set and number of threads.
fn assert_same<T: Dtype, U: Dtype>(kind: Kind, pool: Pool<'_, T, U>) {
    let shape = shape::<T>();
    let layouts = [Layout::contiguous(4), Layout::channels_last(4)];
    let elements: Vec<T> =
        (0..shape.iter().product()).map(|at| T::sample(kind, random(5, at))).collect();
    let inputs = layouts.map(|layout| (Array::of(&shape, &layout, &elements), layout));
    for geometry in geometries(&shape) {
        let single = Execution::single_threaded();
        let expected = pool(&single, &geometry, &inputs[0].0, &inputs[0].1).elements();
        for (input, layout) in &inputs {
            each_execution(&|execution| {
                let result = pool(execution, &geometry, input, layout).elements();
                let differ = result.iter().zip(&expected).position(|(a, b)| a.bits() != b.bits());
                assert_eq!(differ, None, "{execution:?}, {layout:?}, {geometry:?}");
            });
        }
    }
}

fn each_execution(check: &dyn Fn(&Execution<'_>)) {
    for level in Level::available() {
        check(&Execution::single_threaded().level(level));
    }
    check(&Execution::default());
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
