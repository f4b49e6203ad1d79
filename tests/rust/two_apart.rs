//! Windows of two by two and of three by three, two apart: rows of every length around those of vectors,
//! clipped at any edge.

use poolnd::{Divisor, Execution, Window, average_into, max_into};

use crate::dtype::{Dtype, Kind, Number, numbers, random, test_each};
use crate::executions::executions;
use crate::layout::{Array, Layout};
use crate::problem::Problem;
use crate::reference;

const PLANES: usize = 3;

/// Planes of a few rows, whose last windows end before, with and after them.
fn problems() -> impl Iterator<Item = Problem> {
    let lengths = (2..=40).chain([55, 63, 64, 65, 66, 71, 126, 127, 128, 129, 200, 257, 515]);
    lengths.enumerate().flat_map(|(i, columns)| {
        [2, 3].into_iter().filter(move |&kernel| columns >= kernel as usize).flat_map(
            move |kernel| {
                // Rows of outputs fill groups of four, or do not, or are fewer.
                let rows = if kernel == 2 { 2 + i % 4 } else { 5 + i % 9 };
                // Bands of long ones end within planes.
                let rows = if columns > 200 { rows + 20 } else { rows };
                [[0, 0], [1, 0], [0, 1], [1, 1]].map(|padding| {
                    let mut window = Window::sliding(kernel).stride(2).ceil_mode(columns % 3 == 0);
                    window.padding = padding;
                    let windows = vec![(1, window.into()), (2, window.into())];
                    let divisor =
                        if rows % 3 == 0 { Divisor::Window } else { Divisor::PaddedWindow };
                    Problem { shape: vec![PLANES, rows, columns], windows, divisor }
                })
            },
        )
    })
}

/// Planes, rows of planes or nothing of which follow one another in memory.
fn outputs() -> [Layout; 3] {
    [[1, 1, 1], [2, 1, 1], [1, 3, 1]].map(Layout::with_gaps)
}

/// Checks `pool` on every problem, at every level, for every layout of outputs.
fn each<T: Dtype>(
    problems: impl Iterator<Item = Problem>,
    layout: &Layout,
    outputs: impl Fn() -> [Layout; 3],
    pool: impl Fn(&Execution<'_>, &Problem, &Array<T>, &mut Array<T>),
    check: impl Fn(&reference::Seen<T>, &Problem, T) -> bool,
) {
    let old = |at| T::sample(Kind::Ties, random(0, at));
    for (seed, problem) in (0..).zip(problems) {
        let kind = if seed % 3 == 0 { Kind::Specials } else { Kind::Fractions };
        let element = |at| T::sample(kind, random(seed, at));
        let input = Array::<T>::new(&problem.shape, layout, element);
        let windows = reference::windows(&problem, &input.elements());
        for (execution, layout) in executions().flat_map(|e| outputs().map(move |o| (e, o))) {
            let mut output = Array::new(&problem.output_shape(), &layout, old);
            pool(&execution, &problem, &input, &mut output);
            output.assert_gaps(old);
            for (o, (value, seen)) in output.elements().into_iter().zip(&windows).enumerate() {
                assert!(check(seen, &problem, value), "{execution:?} {problem:?} {o}: {value:?}");
            }
        }
    }
}

/// Checks maxima so.
pub fn maxima_of<T: Dtype>(
    problems: impl Iterator<Item = Problem>,
    layout: &Layout,
    outputs: impl Fn() -> [Layout; 3],
) {
    each::<T>(
        problems,
        layout,
        outputs,
        |execution, problem, input, output| {
            let (input, output) = (input.view(), output.view_mut());
            max_into(execution, &problem.geometry(), &input, output).unwrap();
        },
        |seen, _, value| value.same(reference::max(seen).0),
    );
}

/// Checks averages so.
pub fn averages_of<T: Number>(
    problems: impl Iterator<Item = Problem>,
    layout: &Layout,
    outputs: impl Fn() -> [Layout; 3],
) {
    each::<T>(
        problems,
        layout,
        outputs,
        |execution, problem, input, output| {
            let (geometry, output) = (problem.geometry(), output.view_mut());
            average_into(execution, &geometry, problem.divisor, &input.view(), output).unwrap();
        },
        |seen, problem, value| value.is_close(reference::average(seen, problem.divisor)),
    );
}

fn maxima<T: Dtype>() {
    maxima_of::<T>(problems(), &Layout::contiguous(3), outputs);
}

fn averages<T: Number>() {
    averages_of::<T>(problems(), &Layout::contiguous(3), outputs);
}

numbers!(test_each maxima [bool]);
numbers!(test_each averages []);
