//! A case: a problem, the memory of its arrays, and their elements.

use poolnd::ViewMut;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::dtype::{Dtype, Kind, random};
use crate::layout::{Array, Layout, layouts};
use crate::problem::{Problem, problems};

/// Bytes that decide one draw.
const SEED: usize = 32;

/// A fuzzer's bytes, as the seeds of one draw after the other: what changes in one of them leaves the
/// other draws as they were.
pub struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What a strategy makes of the next seed; None if it gives up on it.
    pub fn draw<S: Strategy>(&mut self, strategy: &S) -> Option<S::Value> {
        let (now, later) = self.0.split_at(self.0.len().min(SEED));
        self.0 = later;
        let mut seed = [0; SEED];
        seed[..now.len()].copy_from_slice(now);
        let config = Config { failure_persistence: None, ..Config::default() };
        let source = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, source);
        strategy.new_tree(&mut runner).ok().map(|tree| tree.current())
    }
}

/// A problem with the layouts of its input and output; elements are random in `seed`.
#[derive(Debug, Clone)]
pub struct Case {
    pub problem: Problem,
    pub input: Layout,
    pub output: Layout,
    pub kind: Kind,
    pub seed: u64,
    /// Which of the dtypes under test.
    pub dtype: usize,
}

impl Case {
    /// A case of the problems that the property tests make up.
    pub fn any(source: &mut Source<'_>) -> Option<Self> {
        Self::of(source, &problems())
    }

    /// A case of given problems.
    pub fn of(source: &mut Source<'_>, problems: &impl Strategy<Value = Problem>) -> Option<Self> {
        let problem = source.draw(problems)?;
        let layouts = layouts(problem.shape.len());
        let kinds = select(vec![Kind::Ties, Kind::Specials, Kind::Fractions]);
        let (dtype, kind, seed) = source.draw(&(0usize..64, kinds, any::<u64>()))?;
        let input = source.draw(&layouts)?;
        let output = source.draw(&layouts)?.without_repeats();
        Some(Self { problem, input, output, kind, seed, dtype })
    }

    pub fn input<T: Dtype>(&self) -> Array<T> {
        let element = |at| T::sample(self.kind, random(self.seed, at));
        Array::new(&self.problem.shape, &self.input, element)
    }

    /// What `pool` writes to an output of the problem's output shape.
    pub fn pooled<T: Dtype>(&self, pool: impl FnOnce(ViewMut<'_, T>)) -> Vec<T> {
        written(&self.problem.output_shape(), &self.output, pool)
    }
}

/// The elements that `write` writes to an array; nothing outside of it may change.
pub fn written<T: Dtype>(
    shape: &[usize],
    layout: &Layout,
    write: impl FnOnce(ViewMut<'_, T>),
) -> Vec<T> {
    let old = |at| T::sample(Kind::Ties, random(0, at));
    let mut array = Array::new(shape, layout, old);
    write(array.view_mut());
    array.assert_gaps(old);
    array.elements()
}
