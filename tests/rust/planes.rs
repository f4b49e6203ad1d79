//! Many small planes are lanes of one another, a single one is not: both must give the same bits.

use std::mem::MaybeUninit;

use half::{bf16, f16};
use poolnd::{
    Accumulator, Divisor, Geometry, PoolError, View, ViewMut, Window, average_backward_into,
    average_into, max_into, max_with_indices_into,
};

use crate::dtype::{Dtype, Kind, Number, random};
use crate::executions::executions;

/// Enough for lanes, and not a whole number of vectors.
const PLANES: usize = 37;

fn geometry(planes: usize, plane: [usize; 2], window: &Window) -> Geometry {
    let shape = [planes, plane[0], plane[1]];
    Geometry::new(&shape, &[(1, window.clone()), (2, window.clone())]).unwrap()
}

/// Small planes, and windows that share columns, skip some, lie in bins or past an edge.
fn each_problem(mut check: impl FnMut([usize; 2], &Window)) {
    let windows: [Window; 8] = [
        Window::sliding(3).stride(2).padding(1).into(),
        Window::sliding(3).stride(3).padding(1).ceil_mode(true).into(),
        Window::sliding(5).stride(3).padding(2).into(),
        Window::sliding(4).stride(4).into(),
        Window::sliding(2).stride(3).dilation(2).padding(1).into(),
        Window::sliding(7).stride(5).into(),
        Window::adaptive(3),
        Window::adaptive(5),
    ];
    for plane in [[7, 7], [8, 17], [14, 14], [20, 9], [33, 31]] {
        for window in &windows {
            check(plane, window);
        }
    }
}

/// What `pool` makes of planes of `shapes[0]` elements, given all at once or one by one, which
/// become planes of `shapes[1]`.
fn pooled<T: Dtype, U: Dtype>(
    planes: usize,
    shapes: [[usize; 2]; 2],
    elements: &[T],
    pool: impl Fn(&View<'_, T>, ViewMut<'_, U>) -> Result<(), PoolError>,
) -> Vec<u64> {
    let [volume, outputs] = shapes.map(|[rows, columns]| planes * rows * columns);
    let [from, to] = shapes.map(|[rows, columns]| [planes, rows, columns]);
    let turns = elements.chunks(volume);
    let mut results = vec![MaybeUninit::new(U::default()); turns.len() * outputs];
    for (elements, results) in turns.zip(results.chunks_mut(outputs)) {
        pool(&View::new(elements, &from).unwrap(), ViewMut::new(results, &to).unwrap()).unwrap();
    }
    // SAFETY: they were initialised from the start.
    results.iter().map(|result| unsafe { result.assume_init() }.bits()).collect()
}

/// Checks every operator of a dtype.
fn check<T: Number>()
where
    f64: Accumulator<T>,
{
    each_problem(|plane, window| {
        let [many, one] = [PLANES, 1].map(|planes| geometry(planes, plane, window));
        let [_, rows, columns] = many.output_shape() else { panic!("three axes") };
        let (shapes, outputs) = ([plane, [*rows, *columns]], [[*rows, *columns], plane]);
        let element = |at| T::sample(Kind::Rough, random(7, at));
        let elements: Vec<T> = (0..PLANES * plane[0] * plane[1]).map(element).collect();
        let grads = &elements[..PLANES * rows * columns];
        for execution in &executions().collect::<Vec<_>>() {
            let [all, each] = [(PLANES, &many), (1, &one)].map(|(planes, geometry)| {
                let counted = Divisor::Window;
                let maxima = pooled::<T, T>(planes, shapes, &elements, |input, out| {
                    max_into(execution, geometry, input, out)
                });
                let averages = pooled::<T, T>(planes, shapes, &elements, |input, out| {
                    average_into(execution, geometry, counted, input, out)
                });
                let positions = pooled::<T, i64>(planes, shapes, &elements, |input, out| {
                    let mut maxima = vec![MaybeUninit::new(T::default()); planes * rows * columns];
                    let shape = [planes, *rows, *columns];
                    let maxima = ViewMut::new(&mut maxima, &shape)?;
                    max_with_indices_into(execution, geometry, input, maxima, out)
                });
                let gradients = [Divisor::Window, Divisor::Fixed(3)].map(|divisor| {
                    pooled::<T, T>(planes, outputs, grads, |grads, out| {
                        average_backward_into(execution, geometry, divisor, grads, out)
                    })
                });
                (maxima, averages, positions, gradients)
            });
            assert_eq!(all, each, "{execution:?}, {plane:?}, {window:?}");
        }
    });
}

#[test]
fn as_one_by_one() {
    check::<f16>();
    check::<bf16>();
    check::<f32>();
    check::<f64>();
}
