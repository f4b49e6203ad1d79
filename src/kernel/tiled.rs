//! Small square windows: the problem, cut into bands of rows and strips of columns that
//! [`walk`](super::walk) folds and slides along with nothing listed and nothing looked up per row.

use std::ops::Range;

use super::fold::Fold;
use super::plan::LONG_PAIRS_BYTES;
use super::planes::{Axes, merged, volume};
use super::scales::Scales;
use super::tile::VECTOR_BYTES;
use super::walk::Walk;
use crate::reduce::{Divisor, Reduce};
use crate::simd::dispatch;
use crate::view::Shared;
use crate::window::{Axis, Rule};
use crate::{Execution, Geometry, View};

/// Folded rows of a band: with the rows they are folded from, well inside a first-level cache.
const LINE_BYTES: usize = 8 << 10;

/// Folded columns of a strip: eight rows of them are a band.
const STRIP_BYTES: usize = LINE_BYTES / 8;

/// Lanes of a vector up to which two are taken at a time under windows of a size known at run time:
/// rows shorter than longer vectors would pay for the second.
pub(super) const NARROW: usize = 16;

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

/// The pooled axes, if there are two, windows of neighbours along both.
pub(super) fn sides(geometry: &Geometry, strides: [&[isize]; 2]) -> Option<[Side; 2]> {
    let [(row_axis, rows), (column_axis, columns)] = geometry.pooled() else { return None };
    let side = |axis: usize, windows| Side::new(windows, strides.map(|strides| strides[axis]));
    Some([side(*row_axis, rows)?, side(*column_axis, columns)?])
}

/// Windows up to which folding all their rows takes less time than two scans.
const LONG: usize = 16;

/// The same for short rows.
const LONGEST: usize = 40;

/// Bytes of such rows: few enough for the rows of a long window to stay in a first-level cache.
const SHORT_ROW_BYTES: usize = 2 << 10;

/// Windows that [`walk`](super::walk) is compiled for. Long rows of pairs need no line.
pub(super) fn is_walked<T, R: Reduce<T>>(kernel: usize, stride: usize, row_bytes: usize) -> bool {
    match (kernel, stride) {
        (2, 2) => row_bytes < LONG_PAIRS_BYTES,
        (3, 1 | 2) | (5 | 7, 1) => true,
        (4..=LONG, 1) => R::IDEMPOTENT,
        (4..=LONGEST, 1) => R::IDEMPOTENT && row_bytes <= SHORT_ROW_BYTES,
        _ => false,
    }
}

/// Whether no kernel is compiled for windows of this size alone.
fn is_long(kernel: usize) -> bool {
    !matches!(kernel, 2 | 3 | 5 | 7)
}

/// A problem of small square windows.
pub(crate) struct Tiled<S> {
    /// The places of planes.
    pub(super) planes: Axes<2>,
    pub(super) rows: Side,
    pub(super) columns: Side,
    /// Outputs of a strip along the columns, but for the last.
    pub(super) strip: usize,
    /// Elements of the line between folded rows, and rows that are folded together.
    pub(super) pitch: usize,
    pub(super) band: usize,
    /// How far the elements of the next strip or band lie from those of this one.
    pub(super) ahead: isize,
    /// Elements of the line between the taps of a window: 1, which the compiler is not to know, as
    /// it would load what two taps share once and put vectors together from that.
    pub(super) step: usize,
    /// Whether these rows are folded in two vectors at a time, under such windows.
    pub(super) is_wide: bool,
    /// Elements of the line that those of a level are folded from.
    pub(super) side: usize,
    /// How many of the level, one after the other, are in a window; its last may lie across two.
    pub(super) several: usize,
    /// Whether output rows follow one another through all planes.
    runs_on: bool,
    pub(super) scales: Scales<S>,
}

/// Some outputs of a plane, all in one strip.
pub(super) struct Part {
    pub(super) plane: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    /// Rows of the band before these.
    pub(super) done: usize,
    /// Results of each row that may be written in the order of the rows.
    pub(super) room: usize,
}

impl<S: Copy> Tiled<S> {
    /// The problem in this form, if it has it and gains by it; `known` says for which windows there
    /// are kernels: their size, their stride, and bytes of a row of the input.
    pub(crate) fn new<T, R: Reduce<T, Scale = S>>(
        reduce: R,
        geometry: &Geometry,
        divisor: Divisor,
        strides: [&[isize]; 2],
        known: impl Fn(usize, usize, usize) -> bool,
    ) -> Option<Self> {
        let [rows, columns] = sides(geometry, strides)?;
        let size = const { size_of::<R::Partial>() };
        let lanes = const { VECTOR_BYTES / size_of::<R::Partial>() };
        let known = known(columns.kernel, columns.stride, columns.len * size_of::<T>())
            && (rows.kernel, rows.stride) == (columns.kernel, columns.stride);
        // Half empty vectors are not worth it.
        let full = 2 * columns.len > columns.len.next_multiple_of(lanes);
        if !known || !full || [columns.input, columns.output] != [1, 1] {
            return None;
        }
        let planes = merged(geometry.input_shape(), strides, |axis| !geometry.is_pooled(axis));
        let total = volume(&planes) * rows.outputs;
        let strips = (columns.len * size).div_ceil(STRIP_BYTES);
        let strip = columns.outputs.div_ceil(strips).next_multiple_of(lanes);
        let strip = if strips == 1 { columns.outputs } else { strip };
        let reach = (strip - 1) * columns.stride + columns.kernel;
        let pitch = reach.max(columns.before + columns.len.min(strip * columns.stride));
        // Rows of long windows are not folded in order: a vector more does not reach the next.
        let is_wide = is_long(rows.kernel) && (lanes <= NARROW || strip > lanes);
        let vector = if is_wide { 2 * lanes } else { lanes };
        let apart = is_long(rows.kernel) && columns.len < vector;
        let pitch = if apart { pitch.max(columns.len + vector) } else { pitch };
        let band = (LINE_BYTES / (pitch * size)).max(1);
        // Whole planes, if they are small.
        let band = if band < rows.outputs { band } else { band - band % rows.outputs };
        let plane = (rows.outputs * columns.outputs) as isize;
        let follows = match &planes[..] {
            [] => true,
            [(_, steps)] => steps[1] == plane,
            _ => false,
        };
        let runs_on = follows && (rows.output == columns.outputs as isize || rows.outputs == 1);
        let mut scales = Scales::new(reduce, geometry.pooled(), divisor)?;
        scales.repeat(rows.outputs * columns.outputs + 2 * lanes);
        let band = band.min(total).max(1);
        let ahead = match planes.last() {
            _ if strips > 1 => (strip * columns.stride) as isize,
            Some((_, steps)) if band >= rows.outputs => (band / rows.outputs) as isize * steps[0],
            _ => (band * rows.stride) as isize * rows.input,
        };
        let side = columns.kernel.isqrt().max(2);
        let side = if side * side < columns.kernel { side + 1 } else { side };
        let several = columns.kernel / side;
        let step = 1;
        Some(Self {
            planes,
            rows,
            columns,
            strip,
            pitch,
            band,
            ahead,
            step,
            is_wide,
            side,
            several,
            runs_on,
            scales,
        })
    }

    /// Pools `input` into `out`.
    pub(crate) fn pool<T: Copy + Default + Send + Sync, R: Reduce<T, Scale = S>>(
        &self,
        execution: &Execution<'_>,
        fold: Fold<R>,
        input: &View<'_, T>,
        out: Shared<T>,
    ) where
        S: Send + Sync,
    {
        let (bands, tasks) = self.tasks(execution, size_of::<T>());
        let reduce = fold.reduce;
        execution.run(tasks, |task| {
            let bands = task * bands / tasks..(task + 1) * bands / tasks;
            let len = self.pitch * self.band + 8 * VECTOR_BYTES / size_of::<R::Partial>();
            let (level, len) = if is_long(self.rows.kernel) { (len, 2 * len) } else { (0, len) };
            let (mut line, mut staged) = (vec![reduce.identity(); len], Vec::new());
            let (line, staged) = (&mut line[..], &mut staged);
            macro_rules! walk {
                ($K:expr, $S:expr) => {{
                    let problem = self;
                    let walk = Walk { reduce, problem, bands, input, out, line, level, staged };
                    dispatch::<Walk<'_, '_, T, R, $K, $S>>(fold.level, walk);
                }};
            }
            match (self.rows.kernel, self.rows.stride) {
                (2, 2) => walk!(2, 2),
                (3, 1) => walk!(3, 1),
                (3, 2) => walk!(3, 2),
                (5, 1) => walk!(5, 1),
                (7, 1) => walk!(7, 1),
                (4.., 1) if R::IDEMPOTENT => walk!(0, 1),
                _ => unreachable!("not walked"),
            }
        });
    }
}

impl<S> Tiled<S> {
    /// How many bands there are, and tasks to share them, for elements of `size` bytes.
    pub(super) fn tasks(&self, execution: &Execution<'_>, size: usize) -> (usize, usize) {
        let planes = volume(&self.planes);
        let bands = (planes * self.rows.outputs).div_ceil(self.band);
        let written = self.rows.outputs * self.columns.outputs;
        let bytes = planes * (self.rows.len * self.columns.len + written) * size;
        (bands, execution.tasks(bytes).min(bands))
    }

    /// Whether the line holds columns of one strip only, so that its padding stays as it was made.
    pub(super) fn is_one_strip(&self) -> bool {
        self.strip == self.columns.outputs
    }

    /// The strips of all bands, one after the other, from the first column to the last.
    pub(super) fn strips(&self) -> impl Iterator<Item = Range<usize>> {
        let (strip, outputs) = (self.strip, self.columns.outputs);
        (0..outputs).step_by(strip).map(move |first| first..(first + strip).min(outputs))
    }

    /// The parts of a band in a strip; a band may lie in several planes.
    #[inline(always)]
    pub(super) fn parts(&self, band: usize, columns: &Range<usize>) -> impl Iterator<Item = Part> {
        let n = self.rows.outputs;
        let (first, total) = (band * self.band, volume(&self.planes) * n);
        let rows = total.min(first + self.band) - first;
        let (mut plane, mut first, mut done) = (first / n, first % n, 0);
        let (columns, runs_on) = (columns.clone(), self.runs_on && self.is_one_strip());
        std::iter::from_fn(move || {
            let count = (rows - done).min(n - first);
            let room = if runs_on { (rows - done) * columns.len() } else { columns.len() };
            let columns = columns.clone();
            let part = Part { plane, rows: first..first + count, columns, done, room };
            (plane, first, done) = (plane + 1, 0, done + count);
            (count > 0).then_some(part)
        })
    }
}
