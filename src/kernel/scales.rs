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
        let (mut divisors, mut same) = (vec![1], true);
        if let Divisor::Fixed(divisor) = divisor {
            divisors[0] = divisor;
        } else {
            let counts = pooled.iter().map(|(_, axis)| axis.counts(divisor));
            let counts: SmallVec<[_; 3]> = counts.collect();
            same = counts.iter().all(|counts| counts.iter().all(|&count| count == counts[0]));
            let outputs = counts.iter().map(Vec::len).fold(1, usize::saturating_mul);
            if !same && outputs > LONGEST_TABLE {
                return None;
            }
            for mut counts in counts {
                counts.truncate(if same { 1 } else { counts.len() });
                let of_axis = |outer: i64| counts.iter().map(move |&n| outer.saturating_mul(n));
                divisors = divisors.into_iter().flat_map(of_axis).collect();
            }
        }
        let all = divisors.into_iter().map(|divisor| reduce.scale(divisor)).collect();
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

/// The scales of a row of outputs, made anew where a row counts another number of rows than the last.
#[derive(Debug)]
pub(super) struct RowScales<S> {
    rows: Option<i64>,
    table: Vec<S>,
}

impl<S: Copy> RowScales<S> {
    pub(super) fn new() -> Self {
        Self { rows: None, table: Vec::new() }
    }

    /// Those of outputs whose divisors count `rows` and so many `columns`, each for all of its `lanes`, and
    /// two vectors more; none if there are no columns.
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
            let (mut count, mut scale) = (0, reduce.scale(0));
            self.table.extend(columns.iter().flat_map(|&n| {
                if n != count {
                    (count, scale) = (n, reduce.scale(n.saturating_mul(rows)));
                }
                repeat_n(scale, lanes)
            }));
            repeated(&mut self.table, columns.len() * lanes + 2 * VECTOR_BYTES);
        }
        &self.table
    }
}

/// Goes on with a table from its start, until it has `len` entries.
pub(super) fn repeated<E: Copy>(table: &mut Vec<E>, len: usize) {
    table.reserve_exact(len.saturating_sub(table.len()));
    while table.len() < len {
        table.extend_from_within(..table.len().min(len - table.len()));
    }
}
