//! Maxima and their positions.

use poolnd::{max_into, max_with_indices_into};

use super::case::{Case, Source};
use crate::dtype::Dtype;
use crate::executions::executions;
use super::number::for_dtype;
use crate::reference;

pub fn check(bytes: &[u8]) {
    let Some(case) = Case::any(&mut Source::new(bytes)) else { return };
    for_dtype!(check_dtype[bool], case);
}

/// Every instruction set gives the reference's maxima and positions.
pub fn check_dtype<T: Dtype>(case: &Case) {
    let (geometry, input) = (case.problem.geometry(), case.input::<T>());
    assert_eq!(geometry.output_shape(), case.problem.output_shape());
    let expected: Vec<_> =
        reference::windows(&case.problem, &input.elements()).iter().map(reference::max).collect();
    for execution in executions() {
        let alone = case.pooled(|output| {
            max_into(&execution, &geometry, &input.view(), output).unwrap();
        });
        let mut positions = Vec::new();
        let maxima = case.pooled(|values| {
            positions = case.pooled(|positions| {
                let input = input.view();
                max_with_indices_into(&execution, &geometry, &input, values, positions).unwrap();
            });
        });
        for (o, &(value, position)) in expected.iter().enumerate() {
            let (one, two) = (alone[o], maxima[o]);
            assert!(one.same(value), "output {o}: {one:?}, should be {value:?}: {case:?}");
            assert!(two.same(value), "output {o}: {two:?}, should be {value:?}: {case:?}");
            assert_eq!(positions[o], position, "position of output {o}: {case:?}");
        }
    }
}
