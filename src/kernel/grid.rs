//! Windows of neighbours over two axes: their outputs, row by row through all planes.

use std::ops::Range;

use super::planes::{Axes, merged, volume};
use super::streamed::Run;
use crate::window::{Axis, Rule};
use crate::{Execution, Geometry};

/// A pooled axis with its strides in memory.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub(super) len: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) before: usize,
    /// Outputs whose windows are not clipped.
    pub(super) whole: Range<usize>,
    pub(super) input: isize,
    pub(super) output: isize,
}

impl Side {
    /// None for windows that are not of neighbours, or may have no element.
    fn new(axis: &Axis, [input, output]: [isize; 2]) -> Option<Self> {
        let Rule::Sliding { kernel, stride, before, after, dilation: 1 } = axis.rule else {
            return None;
        };
        let (len, outputs, whole) = (axis.len(), axis.outputs(), axis.whole_windows());
        let fits = before.max(after) < kernel && len.min(outputs) > 0;
        fits.then_some(Self { len, outputs, kernel, stride, before, whole, input, output })
    }

    /// Makes one axis of it and of `lanes` that lie between its elements, whose windows are one apart.
    fn interleave(&mut self, lanes: usize) {
        self.len *= lanes;
        self.outputs *= lanes;
        // Padding and windows may be longer than memory is.
        self.before = self.before.saturating_mul(lanes);
        self.kernel = (self.kernel - 1).saturating_mul(lanes).saturating_add(1);
        self.whole = self.whole.start * lanes..self.whole.end * lanes;
        (self.input, self.output) = (1, 1);
    }

    /// The elements that the windows of `outputs` reach, none of which is empty.
    #[inline(always)]
    pub(super) fn clipped(&self, outputs: &Range<usize>) -> Range<usize> {
        let end = (outputs.end - 1) * self.stride + self.kernel - self.before;
        (outputs.start * self.stride).saturating_sub(self.before)..end.min(self.len)
    }

    /// The `outputs` whose windows neither start with the first element, nor end with the last and
    /// are clipped there: those before and after them grow from one to the next.
    #[inline(always)]
    pub(super) fn inner(&self, outputs: &Range<usize>) -> Range<usize> {
        let start = if self.whole.is_empty() { self.before + 1 } else { self.whole.start };
        let end = if self.whole.is_empty() { start } else { self.whole.end };
        let inside = |o: usize| o.clamp(outputs.start, outputs.end);
        inside(start)..inside(end)
    }

    /// How many positions before its first element the windows from output `o` on start.
    #[inline(always)]
    pub(super) fn padding(&self, o: usize) -> usize {
        self.before.saturating_sub(o * self.stride)
    }
}

/// The windows, and where planes and outputs lie. Columns are neighbours in memory.
#[derive(Debug)]
pub(super) struct Grid {
    /// The places of planes.
    pub(super) planes: Axes<2>,
    pub(super) rows: Side,
    pub(super) columns: Side,
    /// Columns from one tap of a window to the next: the planes whose columns are interleaved.
    pub(super) lanes: usize,
    /// Whether output rows follow one another through all planes.
    runs_on: bool,
}

/// Some outputs of a plane, neighbours along both axes.
pub(super) struct Part {
    pub(super) plane: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    /// Rows of the same outputs in planes before this one.
    pub(super) done: usize,
    /// Results of each row that may be written in the order of the rows.
    pub(super) room: usize,
}

impl Part {
    /// Results of output row `row` and after it that may be written in the order of the rows.
    #[inline(always)]
    pub(super) fn room_from(&self, row: usize) -> usize {
        let n = self.columns.len();
        let next = if self.room > n { n } else { 0 };
        self.room + self.rows.start * next - row * next
    }
}

impl Grid {
    /// None unless there are two pooled axes of such windows, and neighbouring columns.
    pub(super) fn new(geometry: &Geometry, strides: [&[isize]; 2]) -> Option<Self> {
        Self::interleaved(geometry, strides).filter(|grid| grid.lanes == 1)
    }

    /// The same, or with the columns of all planes of a place in turn, as one plane has them: windows
    /// one column apart are then windows of dilated columns, one lane apart.
    pub(super) fn interleaved(geometry: &Geometry, strides: [&[isize]; 2]) -> Option<Self> {
        let [(row_axis, rows), (column_axis, columns)] = geometry.pooled() else { return None };
        let side = |axis: usize, windows| Side::new(windows, strides.map(|strides| strides[axis]));
        let (mut rows, mut columns) = (side(*row_axis, rows)?, side(*column_axis, columns)?);
        let mut planes = merged(geometry.input_shape(), strides, |axis| !geometry.is_pooled(axis));
        let lanes = match planes.last() {
            _ if [columns.input, columns.output] == [1, 1] => 1,
            Some(&(lanes, [1, 1])) if columns.stride == 1 => lanes,
            _ => return None,
        };
        if lanes > 1 {
            if [columns.input, columns.output] != [lanes as isize; 2] {
                return None;
            }
            planes.pop();
            columns.interleave(lanes);
        }
        let plane = (rows.outputs * columns.outputs) as isize;
        let follows = match &planes[..] {
            [] => true,
            [(_, steps)] => steps[1] == plane,
            _ => false,
        };
        if rows.outputs == 1 {
            // A single one has no next, whose distance could be anything.
            rows.output = plane;
        }
        let runs_on = follows && rows.output == columns.outputs as isize;
        Some(Self { planes, rows, columns, lanes, runs_on })
    }

    /// Output rows of all planes.
    pub(super) fn output_rows(&self) -> usize {
        volume(&self.planes) * self.rows.outputs
    }

    /// Tasks to share the work, of elements of `size` bytes, in that can be cut into `pieces`.
    pub(super) fn tasks(&self, execution: &Execution<'_>, size: usize, pieces: usize) -> usize {
        execution.tasks(self.bytes([size; 2])).min(pieces)
    }

    /// Whether results, of as many bytes as the `written` elements are of, are to be streamed, and can be.
    pub(super) fn streams(&self, execution: &Execution<'_>, [read, written]: [usize; 2]) -> bool {
        self.runs_on && execution.streams(self.bytes([read, written]))
    }

    /// Bytes of input and output, whose elements are of as many bytes each.
    fn bytes(&self, [read, written]: [usize; 2]) -> usize {
        let Self { planes, rows, columns, .. } = self;
        volume(planes) * (rows.len * columns.len * read + rows.outputs * columns.outputs * written)
    }

    /// The results of output rows that are counted through all planes, if they follow one another.
    pub(super) fn run(&self, rows: &Range<usize>) -> Run {
        let n = self.columns.outputs;
        Run { at: (rows.start * n) as isize, len: rows.len() * n }
    }

    /// The parts, one in each plane, of `columns` of output rows that are counted through all planes;
    /// one for all of them if they are to be `in_one` and follow one another in memory.
    #[inline(always)]
    pub(super) fn parts(
        &self,
        rows: Range<usize>,
        columns: &Range<usize>,
        in_one: bool,
    ) -> impl Iterator<Item = Part> {
        let (n, total) = (self.rows.outputs, rows.len());
        let (mut plane, mut first, mut done) = (rows.start / n, rows.start % n, 0);
        let runs_on = self.runs_on && columns.len() == self.columns.outputs;
        let in_one = in_one && runs_on;
        let columns = columns.clone();
        std::iter::from_fn(move || {
            let count = if in_one { total - done } else { (total - done).min(n - first) };
            let room = if runs_on { (total - done) * columns.len() } else { columns.len() };
            let columns = columns.clone();
            let part = Part { plane, rows: first..first + count, columns, done, room };
            (plane, first, done) = (plane + 1, 0, done + count);
            (count > 0).then_some(part)
        })
    }
}
