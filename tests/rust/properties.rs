//! Every operator, dtype, window rule, layout and instruction set against the reference.

use half::{bf16, f16};
use poolnd::{Execution, Level, average_into, max_into, max_with_indices_into};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::dtype::{Dtype, Kind, Number, numbers};
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
    fn input<T: Dtype>(&self) -> Array<T> {
        let element = |at| T::sample(self.kind, random(self.seed, at));
        Array::new(&self.problem.shape, &self.input, element)
    }

    fn output<T: Dtype>(&self) -> Array<T> {
        Array::new(&self.problem.output_shape(), &self.output, old)
    }

    /// Calls `pool` for every instruction set with an output, and gives the elements it has then.
    fn pooled<T: Dtype>(&self, pool: impl Fn(&Execution<'_>, &mut Array<T>)) -> Vec<Vec<T>> {
        let run = |level| {
            let mut output = self.output();
            pool(&Execution::single_threaded().level(level), &mut output);
            output.assert_gaps(old);
            output.elements()
        };
        Level::available().into_iter().map(run).collect()
    }
}

/// What output memory holds before a call.
fn old<T: Dtype>(at: usize) -> T {
    T::sample(Kind::Ties, random(0, at))
}

/// Random bits for a place in memory (the finaliser of SplitMix64).
pub fn random(seed: u64, at: usize) -> u64 {
    let mut x = seed.wrapping_add((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// Tries `test` on cases until one fails; `PROPTEST_CASES` sets how many.
fn for_all(test: &dyn Fn(&Case)) {
    let config = Config { failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&cases(), |case| {
        test(&case);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn maxima<T: Dtype>(case: &Case) {
    let (geometry, input) = (case.problem.geometry(), case.input::<T>());
    let windows = reference::windows(&case.problem, &input.elements());
    let expected: Vec<_> = windows.iter().map(reference::max).collect();
    assert_eq!(geometry.output_shape(), case.problem.output_shape());

    let results = case.pooled(|execution, output| {
        max_into(execution, &geometry, &input.view(), output.view_mut()).unwrap();
    });
    for result in results {
        let pairs = result.iter().zip(&expected).enumerate();
        for (o, (value, (best, _))) in pairs {
            assert!(value.same(*best), "output {o}: {value:?}, should be {best:?}");
        }
    }

    for level in Level::available() {
        let execution = Execution::single_threaded().level(level);
        let (mut values, mut indices) = (case.output::<T>(), case.output::<i64>());
        let (values_out, indices_out) = (values.view_mut(), indices.view_mut());
        max_with_indices_into(&execution, &geometry, &input.view(), values_out, indices_out)
            .unwrap();
        values.assert_gaps(old);
        indices.assert_gaps(old);
        let pairs = values.elements().into_iter().zip(indices.elements());
        for (o, ((value, index), (best, from))) in pairs.zip(&expected).enumerate() {
            assert!(
                value.same(*best) && index == *from,
                "{level:?}, output {o}: {value:?} at {index}, should be {best:?} at {from}"
            );
        }
    }
}

fn averages<T: Number>(case: &Case) {
    let (geometry, input) = (case.problem.geometry(), case.input::<T>());
    let windows = reference::windows(&case.problem, &input.elements());
    let divisor = case.problem.divisor;
    let results = case.pooled(|execution, output| {
        average_into(execution, &geometry, divisor, &input.view(), output.view_mut()).unwrap();
    });
    for result in &results {
        for (o, (value, window)) in result.iter().zip(&windows).enumerate() {
            let expected = reference::average(window, divisor);
            assert!(value.is_close(expected), "output {o}: {value:?}, should be {expected:?}");
        }
    }
}

/// Floats whose sums depend on the order: every level and layout has to keep to one order.
fn same_sums<T: Number>(case: &Case) {
    let rough = Case { kind: Kind::Rough, ..case.clone() };
    let (geometry, input) = (rough.problem.geometry(), rough.input::<T>());
    let ndim = rough.problem.shape.len();
    let elements = input.elements();
    let contiguous =
        Array::new(&rough.problem.shape, &Layout::contiguous(ndim), |at| {
            match elements.get(at.wrapping_sub(1)) {
                Some(&element) => element,
                None => T::default(),
            }
        });
    let divisor = rough.problem.divisor;
    let average = |input: &Array<T>| {
        rough.pooled(|execution, output| {
            average_into(execution, &geometry, divisor, &input.view(), output.view_mut()).unwrap();
        })
    };
    let bits = |result: &Vec<T>| result.iter().map(|value| value.bits()).collect::<Vec<_>>();
    let results = [average(&input), average(&contiguous)].concat();
    for result in &results {
        assert_eq!(bits(result), bits(&results[0]));
    }
}

macro_rules! properties {
    (
        integers { $($integer:ident in $wide:ident,)* }
        floats { $($float:ident within $ulps:literal,)* }
    ) => {
        mod maxima {
            use super::*;
            properties!(maxima: bool $($integer)* $($float)*);
        }

        mod averages {
            use super::*;
            properties!(averages: $($integer)* $($float)*);
        }

        mod same_sums {
            use super::*;
            properties!(same_sums: $($float)*);
        }
    };

    ($property:ident: $($dtype:ident)*) => {
        $(#[test]
        fn $dtype() {
            for_all(&super::$property::<$dtype>);
        })*
    };
}

numbers!(properties);
