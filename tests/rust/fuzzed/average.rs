//! Averages.

use poolnd::average_into;

use super::case::{Case, Source};
use crate::dtype::{Kind, Number};
use crate::executions::executions;
use crate::layout::{Array, Layout};
use super::number::for_dtype;
use crate::reference;

pub fn check(bytes: &[u8]) {
    let Some(case) = Case::any(&mut Source::new(bytes)) else { return };
    for_dtype!(check_dtype [], case);
}

/// Every instruction set gives the reference's averages, and where sums are not exact, the bits
/// that an array without gaps has.
pub fn check_dtype<T: Number>(case: &Case) {
    let (problem, input) = (&case.problem, case.input::<T>());
    let (geometry, elements) = (problem.geometry(), input.elements());
    for execution in executions() {
        let averages = case.pooled(|output| {
            average_into(&execution, &geometry, problem.divisor, &input.view(), output).unwrap();
        });
        for (o, window) in reference::windows(problem, &elements).iter().enumerate() {
            let (value, expected) = (averages[o], reference::average(window, problem.divisor));
            let close = value.is_close(expected);
            assert!(close, "output {o}: {value:?}, should be {expected:?}: {case:?}");
        }
    }
    let rough = Case { kind: Kind::Rough, ..case.clone() };
    let strided = rough.input::<T>();
    let layout = Layout::contiguous(problem.shape.len());
    let plain = Array::of(&problem.shape, &layout, &strided.elements());
    let mut all = executions()
        .flat_map(|execution| [&strided, &plain].map(|i| (execution, i)))
        .map(|(execution, input)| -> Vec<u64> {
            let averages = case.pooled(|output| {
                average_into(&execution, &geometry, problem.divisor, &input.view(), output)
                    .unwrap();
            });
            averages.into_iter().map(T::bits).collect()
        });
    let first = all.next();
    assert!(all.all(|other| Some(other) == first), "not the same bits: {case:?}");
}
