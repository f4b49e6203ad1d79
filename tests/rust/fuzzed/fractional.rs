//! Fractional maxima: windows of their own in every plane.

use poolnd::{Divisor, Taps, Window, fractional_max_into, fractional_starts};
use proptest::prelude::*;

use super::case::{Source, written};
use crate::dtype::{Dtype, random};
use crate::executions::executions;
use crate::layout::Array;
use super::number::for_dtype;
use super::planes::{Planes, planes, split};
use crate::problem::Problem;
use crate::reference;

#[derive(Debug)]
struct Fractional {
    planes: Planes,
    dtype: usize,
    kernel: Vec<usize>,
    /// Whether some windows start where they do not fit.
    outside: bool,
}

pub fn check(bytes: &[u8]) {
    let kernel = prop::collection::vec(1usize..=12, 3);
    let odd = (any::<u16>(), any::<u16>(), any::<u16>(), any::<f64>());
    let mut source = Source::new(bytes);
    let Some(odd) = source.draw(&odd) else { return };
    let Some((mut kernel, outside)) = source.draw(&(kernel, prop::bool::weighted(0.1))) else {
        return;
    };
    let Some(planes) = source.draw(&planes()) else { return };
    check_starts(odd);
    kernel.truncate(planes.axes.len());
    // Without elements there is nothing to take a maximum of; a window has to fit.
    if planes.shape.contains(&0) {
        return;
    }
    let case = Fractional { dtype: planes.dtype, planes, kernel, outside };
    for_dtype!(check_dtype[bool], case);
}

/// Windows stay inside the axis whatever the sizes, and the last one is at its end.
fn check_starts((len, kernel, outputs, sample): (u16, u16, u16, f64)) {
    let (len, kernel, outputs) = (len.into(), kernel.into(), usize::from(outputs % 256));
    let starts = fractional_starts(len, kernel, outputs, sample, |x| x);
    let last = len.saturating_sub(kernel);
    assert_eq!(starts.len(), outputs);
    assert!(starts.iter().all(|&start| start <= last), "{starts:?}: {len} {kernel} {sample}");
    assert!(starts.last().is_none_or(|&start| start == last));
    if (0.0..1.0).contains(&sample) {
        assert!(starts.is_sorted(), "{starts:?}: {len} {kernel} {sample}");
    }
}

fn check_dtype<T: Dtype>(case: &Fractional) {
    let Planes { axes, shape, other, layouts, kind, seed, .. } = &case.planes;
    let input = Array::new(shape, &layouts[0], |at| T::sample(*kind, random(*seed, at)));
    let starts = |plane: usize, i: usize| -> Vec<usize> {
        let len = shape[axes[i]];
        let places = len + 1 - case.kernel[i].min(len) + usize::from(case.outside);
        let at = |o| random(!seed, (plane * 3 + i) * 64 + o) as usize % places;
        (0..other[axes[i]]).map(at).collect()
    };
    let planes = split(axes, shape, &input.elements());
    for execution in executions() {
        let mut results = [Ok(()), Ok(())];
        let alone = written(other, &layouts[1].without_repeats(), |values| {
            let input = input.view();
            results[0] =
                fractional_max_into(&execution, axes, &case.kernel, starts, &input, values, None);
        });
        let mut positions = Vec::new();
        let maxima = written(other, &layouts[1].without_repeats(), |values| {
            positions = written(
                other,
                &layouts[2].without_repeats(),
                |positions: poolnd::ViewMut<'_, i64>| {
                    let (input, positions) = (input.view(), Some(positions));
                    results[1] = fractional_max_into(
                        &execution,
                        axes,
                        &case.kernel,
                        starts,
                        &input,
                        values,
                        positions,
                    );
                },
            );
        });
        if case.outside {
            // Only that it ends, and in an error where it cannot be done.
            assert_eq!(results[0], results[1]);
            continue;
        }
        results.into_iter().for_each(Result::unwrap);
        let maxima = split(axes, other, &maxima);
        let (alone, positions) = (split(axes, other, &alone), split(axes, other, &positions));
        for (plane, elements) in planes.iter().enumerate() {
            let problem = problem(case, |i| starts(plane, i));
            let windows = reference::windows(&problem, elements);
            for (o, expected) in windows.iter().map(reference::max).enumerate() {
                let (one, two) = (alone[plane][o], maxima[plane][o]);
                assert!(one.same(expected.0), "{plane}, {o}: {one:?}, not {expected:?}: {case:?}");
                assert!(two.same(expected.0), "{plane}, {o}: {two:?}, not {expected:?}: {case:?}");
                assert_eq!(positions[plane][o], expected.1, "{plane}, {o}: {case:?}");
            }
        }
    }
}

/// One plane with its windows listed.
fn problem(case: &Fractional, starts: impl Fn(usize) -> Vec<usize>) -> Problem {
    let Planes { axes, shape, .. } = &case.planes;
    let windows = axes.iter().enumerate().map(|(i, &axis)| {
        let count = case.kernel[i].min(shape[axis]);
        let taps = starts(i).into_iter().map(|first| Taps { first, count, step: 1 });
        (i, Window::Listed(taps.collect()))
    });
    Problem {
        windows: windows.collect(),
        shape: axes.iter().map(|&axis| shape[axis]).collect(),
        divisor: Divisor::Window,
    }
}
