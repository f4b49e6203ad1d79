//! What the results of a plane, or of a row, are divided by, for kernels that look at no window.

use std::iter::repeat_n;

use smallvec::SmallVec;

use super::tile::VECTOR_BYTES;
use crate::reduce::{Divisor, Reduce};
use crate::window::Axis;

/// The scales of all outputs of a plane, in their order, or one if they are the same.
#[derive(Debug)]
pub(crate) struct Scales<S> {
    all: Vec<S>,
    /// Distance of the scales of neighbouring outputs: 1, or 0 if they are the same.
    step: usize,
}

/// A longer table would leave the cache, and take longer to make than what it is for.
const LONGEST_TABLE: usize = 4096;

impl<S: Copy> Scales<S> {
    /// None if they differ in planes so large that kernels should look at the windows.
    pub(crate) fn new<T, R: Reduce<T, Scale = S>>(
        reduce: R,
        pooled: &[(usize, Axis)],
        divisor: Divisor,
    ) -> Option<Self> {
        // Nothing is counted for a fixed one, however many outputs there are.
        if let Divisor::Fixed(divisor) = divisor {
            return Some(Self { all: vec![reduce.scale(divisor)], step: 0 });
        }
        let counts = pooled.iter().map(|(_, axis)| axis.counts(divisor));
        let counts: SmallVec<[_; 3]> = counts.collect();
        let same = counts.iter().all(|counts| counts.iter().all(|&count| count == counts[0]));
        let outputs = counts.iter().map(Vec::len).fold(1, usize::saturating_mul);
        if !same && outputs > LONGEST_TABLE {
            return None;
        }
        let mut counted = vec![1i64];
        for mut counts in counts {
            counts.truncate(if same { 1 } else { counts.len() });
            let of_axis = |outer: i64| counts.iter().map(move |&n| outer.saturating_mul(n));
            counted = counted.into_iter().flat_map(of_axis).collect();
        }
        let all = counted.into_iter().map(|counted| reduce.scale(divisor.of(counted))).collect();
        Some(Self { all, step: usize::from(!same) })
    }

    /// With `len` scales, those of one plane after the other, or one scale as often as vectors need.
    pub(crate) fn repeat(&mut self, len: usize) {
        repeated(&mut self.all, if self.step == 0 { 4 * VECTOR_BYTES } else { len });
    }

    /// The scale of the first output, if there is one.
    pub(crate) fn first(&self) -> Option<S> {
        self.all.first().copied()
    }

    /// Whether all outputs have the same.
    #[inline(always)]
    pub(crate) fn are_same(&self) -> bool {
        self.step == 0
    }

    /// The table, and how far those of neighbouring outputs lie apart in it.
    #[inline(always)]
    pub(crate) fn table(&self) -> (&[S], usize) {
        (&self.all, self.step)
    }

    /// The table, and where output `o` is in it.
    #[inline(always)]
    pub(crate) fn at(&self, o: usize) -> (&[S], usize) {
        (&self.all, o * self.step)
    }
}

/// The scales of rows of outputs, made anew where a row counts another number of rows than the last.
#[derive(Debug)]
pub(super) struct RowScales<S> {
    divisor: Divisor,
    rows: Option<i64>,
    table: Vec<S>,
}

impl<S: Copy> RowScales<S> {
    pub(super) fn new(divisor: Divisor) -> Self {
        Self { divisor, rows: None, table: Vec::new() }
    }

    /// Those of outputs that count `rows` and so many `columns`, each for all of its `lanes`, and two
    /// vectors more; none if there are no columns.
    #[inline(always)]
    pub(super) fn of<T, R: Reduce<T, Scale = S>>(
        &mut self,
        reduce: R,
        columns: &[i64],
        lanes: usize,
        rows: i64,
    ) -> &[S] {
        if self.rows != Some(rows) && !columns.is_empty() {
            self.rows = Some(rows);
            self.table.clear();
            // Most columns count as many as the one before.
            let (mut count, mut scale) = (0, reduce.scale(self.divisor.of(0)));
            self.table.extend(columns.iter().flat_map(|&n| {
                if n != count {
                    (count, scale) = (n, reduce.scale(self.divisor.of(n.saturating_mul(rows))));
                }
                repeat_n(scale, lanes)
            }));
            repeated(&mut self.table, columns.len() * lanes + 2 * VECTOR_BYTES);
        }
        &self.table
    }
}

/// How the results of a stretch become elements: all in the same way, or as a table says.
#[derive(Debug, Clone, Copy)]
pub(super) struct StretchScales<'a, S> {
    same: S,
    table: &'a [S],
}

impl<'a, S: Copy> StretchScales<'a, S> {
    /// Those of `n` results. A table that is not empty has two vectors more.
    #[inline(always)]
    pub(super) fn new(same: S, table: &'a [S], n: usize) -> Self {
        assert!(table.is_empty() || table.len() >= n + 2 * VECTOR_BYTES, "all have one");
        Self { same, table }
    }

    /// The one that all have if there is no table.
    #[inline(always)]
    pub(super) fn same(&self) -> S {
        self.same
    }

    /// Those of `L` results from number `at` on, which is one of the `n`.
    #[inline(always)]
    pub(super) fn tile<const L: usize>(&self, at: usize) -> [S; L] {
        match self.table.get(at..).and_then(<[S]>::first_chunk) {
            Some(scales) => *scales,
            None => [self.same; L],
        }
    }
}

/// Goes on with a table from its start, until it has `len` entries.
pub(super) fn repeated<E: Copy>(table: &mut Vec<E>, len: usize) {
    table.reserve_exact(len.saturating_sub(table.len()));
    while table.len() < len {
        table.extend_from_within(..table.len().min(len - table.len()));
    }
}
