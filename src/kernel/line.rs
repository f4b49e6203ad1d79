//! Sliding along one folded row: which stretch of the row each output reduces.

use std::ops::Range;

use crate::window::{Axis, Rule};

/// The rows of a window that one call folds: `count` rows, `step` elements apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowTaps {
    pub(crate) step: usize,
    pub(crate) count: usize,
    /// Distance in the plane from the unclipped window's first row to the first of these.
    pub(crate) distance: usize,
    /// Distance in the plane between two of these rows.
    pub(crate) distance_step: usize,
}

/// Windows of this many neighbouring columns that share no work are reduced in parts.
const LONG: usize = 64;

/// Where a result goes and which column of the plane its first tap has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    /// Offset of the first output lane.
    pub(crate) at: isize,
    /// Flat position in the plane of the (unclipped) window's first element.
    pub(crate) index: i64,
}

/// One stretch of outputs along a folded row that share a divisor.
///
/// The row holds `lanes` interleaved lanes per column; its element 0 is lane 0 of `first_column`.
pub(crate) struct Line<'a> {
    pub(crate) axis: &'a Axis,
    pub(crate) lanes: usize,
    pub(crate) first_column: isize,
    /// Whether columns outside the axis are there, holding the identity.
    pub(crate) padded: bool,
    pub(crate) outputs: Range<usize>,
    pub(crate) divisor: i64,
    /// Flat position in the plane of column 0 of the window's first row.
    pub(crate) index: i64,
    pub(crate) out_at: isize,
    pub(crate) out_stride: isize,
    /// Set if some windows of the problem have no element.
    pub(crate) empty: Option<Empty>,
}

/// What a row of outputs has to know about windows without elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Empty {
    /// Whether all windows of this row are.
    pub(crate) rows: bool,
    /// Position in the plane of the first row after the padding.
    pub(crate) first: usize,
    /// Elements of the plane.
    pub(crate) volume: usize,
}

/// Windows along a row: run `r < runs` has outputs `i < n`, whose window starts at
/// `start + r*run_step + i*S` and has `taps >= 1` taps, `step` apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    pub(crate) start: usize,
    pub(crate) step: usize,
    pub(crate) taps: usize,
    pub(crate) n: usize,
    pub(crate) runs: usize,
    pub(crate) run_step: usize,
    /// Where run 0 goes.
    pub(crate) to: Placed,
    /// Output elements between runs.
    pub(crate) out_step: isize,
    /// Columns between runs.
    pub(crate) columns: i64,
}

impl Runs {
    /// One run.
    pub(crate) fn single(start: usize, step: usize, taps: usize, n: usize, to: Placed) -> Self {
        Self { start, step, taps, n, runs: 1, run_step: 0, to, out_step: 0, columns: 0 }
    }

    /// Start in the row and place of every run.
    #[inline(always)]
    pub(crate) fn each(self) -> impl Iterator<Item = (usize, Placed)> {
        (0..self.runs).map(move |r| {
            let at = self.to.at + r as isize * self.out_step;
            let index = self.to.index + r as i64 * self.columns;
            (self.start + r * self.run_step, Placed { at, index })
        })
    }
}

/// Reduces stretches of a row that the caller keeps.
pub(crate) trait LineReducer {
    /// Whether neighbouring columns can be reduced as one run of lanes.
    const FLAT_LANES: bool;

    /// Reduces runs whose outputs are `S` elements of the row apart.
    fn reduce<const S: usize>(&mut self, runs: Runs);

    /// One output of `n` lanes: the window of `taps` neighbouring columns at `start`, so many
    /// that they are worth reducing in parts.
    fn reduce_long(&mut self, start: usize, taps: usize, n: usize, to: Placed);

    /// `n` outputs whose windows have no element.
    fn empty(&mut self, n: usize, to: Placed);
}

impl Line<'_> {
    /// Cuts the stretch into runs that `reducer` can take, as wide as the strides allow.
    ///
    /// In which order a window's elements are combined depends on the window alone, never on the
    /// lanes or on how the outputs are cut, so that every memory layout gives the same bits.
    pub(crate) fn reduce(&self, reducer: &mut impl LineReducer) {
        let Rule::Sliding { kernel, stride, dilation, .. } = self.axis.rule else {
            return self.reduce_each(reducer);
        };
        let long = kernel >= LONG && dilation == 1 && (stride > 4 || self.axis.outputs() == 1);
        if !self.padded || long {
            return self.reduce_each(reducer);
        }
        let (lanes, from, n) = (self.lanes, self.outputs.start, self.outputs.len());
        let column = self.axis.start(from);
        let start = (column - self.first_column).unsigned_abs();
        let to = self.placed(from, column);
        let contiguous = self.out_stride == lanes as isize;
        let single = Runs::single(start * lanes, dilation * lanes, kernel, 0, to);
        match stride {
            1 if contiguous && self.flattens(reducer) => {
                reducer.reduce::<1>(Runs { n: n * lanes, ..single });
            }
            2 if contiguous && lanes == 1 => reducer.reduce::<2>(Runs { n, ..single }),
            4 if contiguous && lanes == 1 => reducer.reduce::<4>(Runs { n, ..single }),
            _ => reducer.reduce::<1>(Runs {
                n: lanes,
                runs: n,
                run_step: stride * lanes,
                out_step: self.out_stride,
                columns: stride as i64,
                ..single
            }),
        }
    }

    /// One output at a time, with its clipped taps.
    fn reduce_each(&self, reducer: &mut impl LineReducer) {
        let lanes = self.lanes;
        for o in self.outputs.clone() {
            let taps = self.axis.taps(o);
            let column = taps.first as isize;
            let to = self.placed(o, column);
            let start = (column - self.first_column).unsigned_abs() * lanes;
            if taps.count == 0 {
                reducer.empty(lanes, to);
            } else if taps.count >= LONG && taps.step == 1 {
                reducer.reduce_long(start, taps.count, lanes, to);
            } else {
                // A single tap may name any step: none is taken.
                let step = taps.step.wrapping_mul(lanes);
                reducer.reduce::<1>(Runs::single(start, step, taps.count, lanes, to));
            }
        }
    }

    fn flattens<R: LineReducer>(&self, _reducer: &R) -> bool {
        R::FLAT_LANES || self.lanes == 1
    }

    fn placed(&self, o: usize, column: isize) -> Placed {
        Placed { at: self.out_at + o as isize * self.out_stride, index: self.index + column as i64 }
    }
}
