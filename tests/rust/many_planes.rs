//! Gradients, and elements put at positions, of as many planes as are taken together, more and fewer, where
//! planes are neighbours in memory and where they are not.

use half::{bf16, f16};
use poolnd::{
    Accumulator, Divisor, Execution, Geometry, Mean, PoolError, Sliding, Team, View, ViewMut,
    Window, average_backward_into, max_backward_into, unpool_into,
};

use crate::dtype::{Dtype, random};
use crate::executions::executions;
use crate::layout::{Array, Layout};

/// A batch of planes: as many as fill vectors, and some more; so many that threads share them.
const SHAPES: [[usize; 4]; 7] = [
    [1, 16, 7, 4],
    [2, 21, 9, 11],
    [1, 70, 8, 8],
    [3, 40, 5, 23],
    [2, 7, 6, 6],
    [1, 96, 40, 30],
    [2, 33, 1, 50],
];

fn windows() -> Vec<[Window; 2]> {
    let square = |window: Sliding| [window.into(), window.into()];
    let mut one_side = Window::sliding(3).stride(2).ceil_mode(true);
    one_side.padding = [0, 1];
    vec![
        square(Window::sliding(3)),
        square(Window::sliding(2).ceil_mode(true)),
        square(Window::sliding(3).stride(2).padding(1)),
        square(Window::sliding(4).stride(3).padding(2)),
        square(Window::sliding(2).stride(3)),
        square(one_side),
        [Window::adaptive(3), Window::adaptive(7)],
        [Window::adaptive(10), Window::adaptive(1)],
        [Window::adaptive(1), Window::sliding(2).into()],
    ]
}

fn problems() -> impl Iterator<Item = ([usize; 4], Geometry)> {
    SHAPES.into_iter().flat_map(|shape| {
        let geometry = move |[rows, columns]: [Window; 2]| {
            Geometry::new(&shape, &[(2, rows), (3, columns)]).ok()
        };
        windows().into_iter().filter_map(geometry).map(move |geometry| (shape, geometry))
    })
}

/// Channels first, channels last, and with gaps between the planes.
fn layouts() -> [Layout; 3] {
    [Layout::contiguous(4), Layout::channels_last(4), Layout::with_gaps([1, 2, 1, 1])]
}

/// What every element of the windows gets, added up by the book.
fn by_the_book(shape: [usize; 4], geometry: &Geometry, grad: &[f32]) -> Vec<f32> {
    let [(_, rows), (_, columns)] = geometry.pooled() else { panic!("two axes") };
    let [_, _, height, width] = shape;
    let outputs = rows.outputs() * columns.outputs();
    let mut sums = vec![0.0; shape.iter().product()];
    for (o, gradient) in grad.iter().enumerate() {
        let (plane, o) = (o / outputs * height * width, o % outputs);
        let (row, column) = (rows.taps(o / columns.outputs()), columns.taps(o % columns.outputs()));
        for i in row.first..row.end() {
            for j in column.first..column.end() {
                sums[plane + i * width + j] += gradient;
            }
        }
    }
    sums
}

/// Calls `check` with every execution, and with threads that share a call.
fn each_execution(check: impl Fn(&Execution<'_>)) {
    executions().for_each(|execution| check(&execution));
    check(&Execution::with(&Team::new(2)));
}

/// Gradients of averages: exact ones by the book, others the same in every layout.
fn averages<T: Dtype + Mean>(from: impl Fn(f32) -> T)
where
    f64: Accumulator<T>,
{
    for (shape, geometry) in problems() {
        let outputs = geometry.output_shape();
        let grad = whole_numbers(outputs.iter().product());
        let exact: Vec<T> = by_the_book(shape, &geometry, &grad).into_iter().map(&from).collect();
        let grad: Vec<T> = grad.into_iter().map(&from).collect();
        let mut rounded: Option<Vec<T>> = None;
        for (layout, of_grad) in pairs_of_layouts() {
            let grad = Array::of(outputs, &of_grad, &grad);
            let result_of = |execution: &Execution<'_>, divisor| {
                let mut result = Array::<T>::new(&shape, &layout, |_| from(-1.0));
                let (grad, to) = (grad.view(), result.view_mut());
                average_backward_into(execution, &geometry, divisor, &grad, to).unwrap();
                result.assert_gaps(|_| from(-1.0));
                result.elements()
            };
            let known = rounded
                .get_or_insert_with(|| result_of(&Execution::single_threaded(), Divisor::Window));
            each_execution(|execution| {
                let context =
                    format!("{execution:?} {layout:?} {of_grad:?} {shape:?} {geometry:?}");
                assert!(result_of(execution, Divisor::Fixed(1)) == exact, "{context}");
                assert!(result_of(execution, Divisor::Window) == *known, "{context}");
            });
        }
    }
}

/// Puts elements at positions.
type Put<T> =
    fn(&Execution<'_>, &View<'_, T>, &View<'_, i64>, ViewMut<'_, T>) -> Result<(), PoolError>;

/// Elements at any positions of their planes, by the book what `joined` makes of those that meet.
fn scattered<T: Dtype>(from: impl Fn(f32) -> T, put: Put<T>, joined: fn(f32, f32) -> f32) {
    for (i, shape) in SHAPES.into_iter().enumerate() {
        let [batch, channels, height, width] = shape;
        let outputs = [batch, channels, 1 + i % 3, 1 + width / 3];
        let [volume, each] = [height * width, outputs[2] * outputs[3]];
        let elements = whole_numbers(batch * channels * each);
        let positions: Vec<i64> =
            (0..elements.len()).map(|at| (random(2, at) % volume as u64) as i64).collect();
        let mut exact = vec![0.0; batch * channels * volume];
        for (o, (element, position)) in elements.iter().zip(&positions).enumerate() {
            let to = &mut exact[o / each * volume + *position as usize];
            *to = joined(*to, *element);
        }
        let exact: Vec<T> = exact.into_iter().map(&from).collect();
        let elements: Vec<T> = elements.into_iter().map(&from).collect();
        for (layout, of_elements) in pairs_of_layouts() {
            let elements = Array::of(&outputs, &of_elements, &elements);
            let positions = Array::of(&outputs, &of_elements, &positions);
            each_execution(|execution| {
                let mut result = Array::<T>::new(&shape, &layout, |_| from(-1.0));
                put(execution, &elements.view(), &positions.view(), result.view_mut()).unwrap();
                result.assert_gaps(|_| from(-1.0));
                let same = result.elements() == exact;
                assert!(same, "{execution:?} {layout:?} {of_elements:?} {shape:?}");
            });
        }
    }
}

fn whole_numbers(len: usize) -> Vec<f32> {
    (0..len).map(|at| (random(1, at) % 17) as f32).collect()
}

fn pairs_of_layouts() -> impl Iterator<Item = (Layout, Layout)> {
    layouts().into_iter().flat_map(|large| layouts().map(|small| (large.clone(), small)))
}

fn unpool<T: Dtype>(from: impl Fn(f32) -> T) {
    scattered(from, |e, x, at, to| unpool_into(e, &[2, 3], x, at, to), |_, last| last);
}

fn maxima<T: Dtype + Mean>(from: impl Fn(f32) -> T) {
    scattered(from, |e, x, at, to| max_backward_into(e, &[2, 3], x, at, to), |a, b| a + b);
}

/// One test for each dtype that has gradients.
macro_rules! of_floats {
    ($($test:ident),*) => {$(
        mod $test {
            #[test]
            fn f32() {
                super::$test(|value| value);
            }

            #[test]
            fn f64() {
                super::$test(f64::from);
            }

            #[test]
            fn f16() {
                super::$test(super::f16::from_f32);
            }

            #[test]
            fn bf16() {
                super::$test(super::bf16::from_f32);
            }
        }
    )*};
}

of_floats!(averages, unpool, maxima);
