//! Every operator, dtype, window rule, layout and instruction set against the reference.

use poolnd::{ViewMut, average, average_into, max_into, max_with_indices_into};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::dtype::{Dtype, Kind, Number, numbers, random, test_each};
use crate::executions::executions;
use crate::layout::{Array, Layout, layouts};
use crate::problem::{Problem, problems};
use crate::reference;

/// A problem, and the array it is about.
#[derive(Debug, Clone)]
struct Case {
    problem: Problem,
    input: Layout,
    output: Layout,
    kind: Kind,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    problems().prop_flat_map(|problem| {
        let layouts = || layouts(problem.shape.len());
        let kinds = vec![Kind::Ties, Kind::Specials, Kind::Fractions];
        (Just(problem.clone()), layouts(), layouts(), select(kinds), any::<u64>()).prop_map(
            |(problem, input, output, kind, seed)| Case {
                problem,
                input,
                output: output.without_repeats(),
                kind,
                seed,
            },
        )
    })
}

impl Case {
    fn input<T: Dtype>(&self, kind: Kind) -> Array<T> {
        let element = |at| T::sample(kind, random(self.seed, at));
        Array::new(&self.problem.shape, &self.input, element)
    }

    /// The elements that `pool` writes to an output, and checks that it writes nothing else.
    fn pooled<T: Dtype>(&self, pool: impl FnOnce(ViewMut<'_, T>)) -> Vec<T> {
        let old = |at| T::sample(Kind::Ties, random(0, at));
        let mut output = Array::new(&self.problem.output_shape(), &self.output, old);
        pool(output.view_mut());
        output.assert_gaps(old);
        output.elements()
    }
}

/// Tries `check` on cases until one fails; `PROPTEST_CASES` sets how many.
fn for_all(check: &dyn Fn(&Case)) {
    let config = Config { failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&cases(), |case| {
        check(&case);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn maxima<T: Dtype>() {
    for_all(&|case| {
        let (geometry, input) = (case.problem.geometry(), case.input::<T>(case.kind));
        assert_eq!(geometry.output_shape(), case.problem.output_shape());
        let windows = reference::windows(&case.problem, &input.elements());
        for execution in executions() {
            let maxima = case.pooled(|output| {
                max_into(&execution, &geometry, &input.view(), output).unwrap();
            });
            for (o, (value, window)) in maxima.into_iter().zip(&windows).enumerate() {
                let (expected, _) = reference::max(window);
                assert!(value.same(expected), "output {o}: {value:?}, should be {expected:?}");
            }
        }
    });
}

fn indices<T: Dtype>() {
    for_all(&|case| {
        let (geometry, input) = (case.problem.geometry(), case.input::<T>(case.kind));
        let windows = reference::windows(&case.problem, &input.elements());
        for execution in executions() {
            let mut indices = Vec::new();
            let maxima = case.pooled(|values| {
                indices = case.pooled(|indices| {
                    let input = input.view();
                    max_with_indices_into(&execution, &geometry, &input, values, indices).unwrap();
                });
            });
            for (o, (found, window)) in maxima.into_iter().zip(indices).zip(&windows).enumerate() {
                let expected = reference::max(window);
                assert!(
                    found.0.same(expected.0) && found.1 == expected.1,
                    "output {o}: {found:?}, should be {expected:?}"
                );
            }
        }
    });
}

fn averages<T: Number>() {
    for_all(&|case| {
        let (geometry, input) = (case.problem.geometry(), case.input::<T>(case.kind));
        let (divisor, elements) = (case.problem.divisor, input.elements());
        let windows = reference::windows(&case.problem, &elements);
        for execution in executions() {
            let averages = case.pooled(|output| {
                average_into(&execution, &geometry, divisor, &input.view(), output).unwrap();
            });
            for (o, (value, window)) in averages.into_iter().zip(&windows).enumerate() {
                let expected = reference::average(window, divisor);
                assert!(value.is_close(expected), "output {o}: {value:?}, should be {expected:?}");
            }
        }
    });
}

/// Elements whose sums depend on the order: every instruction set and layout keeps to one order.
fn same_sums<T: Number>() {
    for_all(&|case| {
        let (geometry, divisor) = (case.problem.geometry(), case.problem.divisor);
        let (shape, strided) = (&case.problem.shape, case.input::<T>(Kind::Rough));
        let plain = Array::of(shape, &Layout::contiguous(shape.len()), &strided.elements());
        let expected = average(&plain.view(), &geometry, divisor).unwrap();
        for (execution, input) in executions().flat_map(|e| [(e, &strided), (e, &plain)]) {
            let averages = case.pooled(|output| {
                average_into(&execution, &geometry, divisor, &input.view(), output).unwrap();
            });
            for (o, (value, expected)) in averages.iter().zip(expected.data()).enumerate() {
                assert_eq!(value.bits(), expected.bits(), "output {o}: {value:?}, {expected:?}");
            }
        }
    });
}

numbers!(test_each maxima [bool]);
numbers!(test_each indices [bool]);
numbers!(test_each averages []);
numbers!(test_each same_sums []);
