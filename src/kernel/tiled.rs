//! Small square windows: the problem, cut into bands of rows and strips of columns that
//! [`walk`](super::walk) folds and slides along with nothing listed and nothing looked up per row.

use std::ops::Range;

use super::doubled;
use super::fold::Fold;
use super::grid::{Grid, Part};
use super::pairs::Pairs;
use super::rows::{MANY, ROWS};
use super::scales::Scales;
use super::streamed::{Run, Streamed, pieces};
use super::threes::{self, Threes};
use super::tile::VECTOR_BYTES;
use super::walk::Walk;
use crate::reduce::{Divisor, Reduce};
use crate::simd::dispatch;
use crate::view::Shared;
use crate::{Execution, Geometry, View};

/// Folded rows of a band: with the rows they are folded from, well inside a first-level cache.
const LINE_BYTES: usize = 8 << 10;

/// Folded columns of a strip: eight rows of them are a band.
const STRIP_BYTES: usize = LINE_BYTES / 8;

/// The same where columns have lanes, and strips so much in common with the next that they are wider:
/// [`ROWS`] of them stay well inside a second-level cache, and few are wider than that.
const WIDE_STRIP_BYTES: usize = 40 << 10;
const MOST_LINE_BYTES: usize = 256 << 10;

/// How many times what a strip has in common with the next it should have, and at least has.
const SHARED: [usize; 2] = [16, 2];

/// Vectors between such rows.
const PADDING: usize = 5;

/// Windows up to which folding all their rows takes less time than two scans.
const LONG: usize = 16;

/// The same for short rows.
const LONGEST: usize = 40;

/// Bytes of such rows: few enough for the rows of a long window to stay in a first-level cache.
const SHORT_ROW_BYTES: usize = 2 << 10;

/// The longest windows whose rows are added one by one here, and so by every kernel.
pub(super) const MOST_ADDED: usize = 7;

/// Windows that [`walk`](super::walk) is compiled for, and pairs; not short rows of those whose
/// partial results are the longest.
pub(super) fn is_walked<T, R: Reduce<T>>(
    [kernel, stride, lanes]: [usize; 3],
    row_bytes: usize,
) -> bool {
    let fill = fill_vectors::<R::Partial>(lanes);
    match (kernel, stride) {
        // Sums of bytes take as long with lanes as one by one.
        _ if lanes > 1 && const { size_of::<T>() == 1 && size_of::<R::Partial>() > 1 } => false,
        // Where lanes fill vectors, sums of three columns go through no line, and scans take less time.
        (3, 1) if fill && !R::IDEMPOTENT => false,
        (_, 1) if fill && kernel > MOST_ADDED => false,
        (2, 2) => {
            let is_short = row_bytes < 12 * size_of::<T>();
            !(is_short && size_of::<R::Partial>() == 8)
        }
        (3, 1 | 2) | (5 | MOST_ADDED, 1) => true,
        (4..=LONG, 1) => R::IDEMPOTENT,
        (4..=LONGEST, 1) => R::IDEMPOTENT && row_bytes <= SHORT_ROW_BYTES,
        _ => false,
    }
}

/// Whether rows leave no more of their vectors empty than is worth it: as much as half, and with
/// bytes, of which other ways take as long, two thirds, or where these are widened a quarter.
fn is_full<T, P>(kernel: usize, columns: usize) -> bool {
    let lanes = const { VECTOR_BYTES / size_of::<P>() };
    let room = columns.next_multiple_of(lanes);
    match const { (size_of::<T>(), size_of::<P>()) } {
        (1, 1) => 3 * columns > room,
        (1, _) if kernel > 2 && columns < lanes => 4 * columns > 3 * room,
        _ => 2 * columns > room,
    }
}

/// Whether lanes of such partial results fill a vector.
fn fill_vectors<P>(lanes: usize) -> bool {
    lanes * size_of::<P>() >= VECTOR_BYTES
}

/// Whether no kernel is compiled for windows of this size alone.
fn is_long(kernel: usize) -> bool {
    !matches!(kernel, 2 | 3 | 5 | 7)
}

/// Bytes of the folded columns of a strip, which has so many in common with the next one.
fn strip_bytes(common: usize, has_lanes: bool) -> usize {
    let [usual, least] = SHARED.map(|times| times * common);
    match has_lanes {
        true => usual.min(WIDE_STRIP_BYTES).max(least).max(STRIP_BYTES),
        false => STRIP_BYTES,
    }
}

/// Where a task folds.
struct Scratch<T, P> {
    /// Folded rows, and from where on those of a level are.
    line: Vec<P>,
    level: usize,
    /// Rows of the input whose vectors would not lie in the array.
    staged: Vec<T>,
    /// A row of zeros.
    zeros: Vec<T>,
}

/// Where the taps of a window are along a line, from the first on.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineTaps {
    /// Elements between them: the lanes. The compiler is not to know where that is 1, as it would load
    /// what two taps share once and put vectors together from that.
    pub(super) step: usize,
    /// Taps that an element of a level is folded from.
    pub(super) side: usize,
    /// How many of the level, one after the other, are in a window, and how far they lie apart; one
    /// more ends with it, so far from the first.
    pub(super) several: usize,
    pub(super) apart: usize,
    pub(super) last: usize,
}

impl LineTaps {
    /// Those of a window, which may be of no more than so many by doublings.
    fn new(kernel: usize, step: usize, most_doubled: Option<usize>) -> Self {
        let root = kernel.isqrt().max(2);
        let side = match most_doubled.filter(|_| step == 1) {
            Some(most) => doubled::taps(kernel, most),
            None if root * root < kernel => root + 1,
            None => root,
        };
        let (several, last) = ((kernel - 1) / side, (kernel - side) * step);
        Self { step, side, several, apart: side * step, last }
    }
}

/// A problem of small square windows.
pub(crate) struct Tiled<S> {
    pub(super) grid: Grid,
    /// Outputs of a strip along the columns, but for the last.
    pub(super) strip: usize,
    /// Elements of the line between folded rows, and rows that are folded together.
    pub(super) pitch: usize,
    pub(super) band: usize,
    /// How far the elements of the next strip or band lie from those of this one.
    pub(super) ahead: isize,
    /// Whether these rows are folded in two vectors at a time, under such windows.
    pub(super) is_wide: bool,
    pub(super) taps: LineTaps,
    pub(super) scales: Scales<S>,
}

impl<S: Copy> Tiled<S> {
    /// The problem in this form, if it has it and gains by it; `known` says for which windows there
    /// are kernels: their size, their stride, their lanes, and bytes of a row of the input.
    pub(crate) fn new<T, R: Reduce<T, Scale = S>>(
        Fold { reduce, level }: Fold<R>,
        geometry: &Geometry,
        divisor: Divisor,
        strides: [&[isize]; 2],
        known: impl Fn([usize; 3], usize) -> bool,
    ) -> Option<Self> {
        let grid = Grid::interleaved(geometry, strides)?;
        let Grid { planes, rows, columns, lanes: step, .. } = &grid;
        let (kernel, step) = (rows.kernel, *step);
        let size = const { size_of::<R::Partial>() };
        let lanes = const { VECTOR_BYTES / size_of::<R::Partial>() };
        let known = known([kernel, rows.stride, step], columns.len * size_of::<T>())
            && (columns.kernel, columns.stride) == ((kernel - 1) * step + 1, rows.stride);
        let full = is_full::<T, R::Partial>(kernel, columns.len);
        if !known || !full {
            return None;
        }
        let strip_bytes = strip_bytes((columns.kernel - 1) * size, step > 1);
        let strips = (columns.len * size).div_ceil(strip_bytes);
        let strip = columns.outputs.div_ceil(strips).next_multiple_of(lanes);
        let strip = if strips == 1 { columns.outputs } else { strip };
        let reach = (strip - 1) * columns.stride + columns.kernel;
        let pitch = reach.max(columns.before + columns.len.min(strip * columns.stride));
        // Rows of long windows are not folded in order: a vector more does not reach the next.
        let is_wide = is_long(rows.kernel) && strip >= 2 * lanes;
        let vector = if is_wide { 2 * lanes } else { lanes };
        let widened = is_long(rows.kernel) && columns.len < vector;
        let pitch = if widened { pitch.max(columns.len + vector) } else { pitch };
        // Rows of lanes are often whole pages, all of which would lie in the same sets of a cache.
        let pitch = if step > 1 { pitch + PADDING * lanes } else { pitch };
        // Whole planes, if they are small; otherwise groups of rows that are folded together.
        let group = if is_long(rows.kernel) { MANY } else { ROWS };
        let band = (LINE_BYTES / (pitch * size)).max(if step > 1 { group } else { 1 });
        let unit = [rows.outputs, group, ROWS].into_iter().find(|&unit| unit <= band);
        let band = band - band % unit.unwrap_or(1);
        let mut scales = Scales::new(reduce, geometry.pooled(), divisor)?;
        let short = pitch * group * size <= MOST_LINE_BYTES;
        if step > 1 && !(short && scales.are_same()) {
            return None;
        }
        scales.repeat(rows.outputs * columns.outputs + 2 * lanes);
        let band = band.min(grid.output_rows()).max(1);
        let ahead = match planes.last() {
            _ if strips > 1 => (strip * columns.stride) as isize,
            Some((_, steps)) if band >= rows.outputs => (band / rows.outputs) as isize * steps[0],
            _ => (band * rows.stride) as isize * rows.input,
        };
        let taps = LineTaps::new(kernel, step, doubled::most::<R::Partial>(level));
        Some(Self { grid, strip, pitch, band, ahead, is_wide, taps, scales })
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
        let (bands, size) = (self.bands(), size_of::<T>());
        let tasks = self.grid.tasks(execution, size, bands);
        let streams = self.grid.streams(execution, [size; 2]);
        let inside = match self.are_threes::<R::Partial>() {
            true => threes::inside(&self.grid.columns),
            false => Vec::new(),
        };
        execution.run(tasks, |task| {
            let bands = task * bands / tasks..(task + 1) * bands / tasks;
            let mut scratch = self.scratch::<T, R>(fold.reduce);
            let mut streamed = Streamed::new(fold.level, streams);
            for bands in pieces(streams, bands, self.band * self.grid.columns.outputs * size) {
                let run = self.run(&bands);
                let pool = |out| self.pool_bands(fold, bands, input, out, &inside, &mut scratch);
                // SAFETY: every task has bands of its own, of which all results are written.
                unsafe { streamed.fill(out, Some(run), pool) };
            }
        });
    }

    /// What a task keeps between its bands.
    fn scratch<T: Copy + Default, R: Reduce<T, Scale = S>>(
        &self,
        reduce: R,
    ) -> Scratch<T, R::Partial> {
        let kernel = self.grid.rows.kernel;
        let vectors = 8 * VECTOR_BYTES / size_of::<R::Partial>();
        let line = self.pitch * self.band + vectors + self.grid.columns.kernel;
        let walks = kernel != 2 && !self.are_threes::<R::Partial>();
        let (line, level) = match () {
            _ if !walks => (0, 0),
            _ if is_long(kernel) => (2 * line, line),
            _ => (line, 0),
        };
        let staged = match self.are_threes::<R::Partial>() {
            true => threes::room(self.grid.columns.len),
            false => 0,
        };
        let adds = walks && !R::IDEMPOTENT;
        let zeros = if adds { self.grid.columns.len + VECTOR_BYTES } else { 0 };
        let (line, staged) = (vec![reduce.identity(); line], vec![T::default(); staged]);
        Scratch { line, level, staged, zeros: vec![T::default(); zeros] }
    }

    /// Pools some bands, by the kernel for their windows.
    fn pool_bands<T: Copy + Default, R: Reduce<T, Scale = S>>(
        &self,
        Fold { reduce, level: set }: Fold<R>,
        bands: Range<usize>,
        input: &View<'_, T>,
        out: Shared<T>,
        inside: &[u32],
        Scratch { line, level, staged, zeros }: &mut Scratch<T, R::Partial>,
    ) {
        let (problem, level) = (self, *level);
        if self.grid.rows.kernel == 2 {
            return dispatch(set, Pairs { reduce, problem, bands, input, out });
        }
        if self.are_threes::<R::Partial>() {
            let work = Threes { reduce, problem, bands, input, out, inside, staged };
            return match const { threes::are_for::<R::Partial>() } {
                true => dispatch(set, work),
                false => unreachable!("walked"),
            };
        }
        macro_rules! walk {
            ($K:expr, $S:expr) => {{
                let walk = Walk { reduce, problem, bands, input, out, line, level, staged, zeros };
                dispatch::<Walk<'_, '_, T, R, $K, $S>>(set, walk);
            }};
        }
        match (self.grid.rows.kernel, self.grid.rows.stride) {
            (3, 1) => walk!(3, 1),
            (3, 2) if const { !threes::are_for::<R::Partial>() } => walk!(3, 2),
            (5, 1) => walk!(5, 1),
            (7, 1) => walk!(7, 1),
            (4.., 1) if R::IDEMPOTENT => walk!(0, 1),
            _ => unreachable!("not walked"),
        }
    }
}

impl<S: Copy> Tiled<S> {
    /// Whether there is a kernel for these windows of elements of `T`, and not only for others of their
    /// size.
    pub(super) fn has_kernel<T, P>(&self, execution: &Execution<'_>) -> bool {
        // Rows of many lanes are long, and results of a band would be too many to collect.
        let collects =
            fill_vectors::<P>(self.taps.step) && self.grid.streams(execution, [size_of::<T>(); 2]);
        match (self.grid.rows.kernel, self.grid.rows.stride) {
            (3, 1) => !collects,
            _ => !self.are_threes::<P>() || threes::are_in(&self.grid),
        }
    }

    /// Whether windows of this size, whose partial results are a `P`, are left to [`threes`].
    fn are_threes<P>(&self) -> bool {
        (self.grid.rows.kernel, self.grid.rows.stride) == (3, 2) && threes::are_for::<P>()
    }

    /// How many bands there are.
    pub(super) fn bands(&self) -> usize {
        self.grid.output_rows().div_ceil(self.band)
    }

    /// Whether the line holds columns of one strip only, so that its padding stays as it was made.
    pub(super) fn is_one_strip(&self) -> bool {
        self.strip == self.grid.columns.outputs
    }

    /// The strips of all bands, one after the other, from the first column to the last.
    pub(super) fn strips(&self) -> impl Iterator<Item = Range<usize>> {
        let (strip, outputs) = (self.strip, self.grid.columns.outputs);
        (0..outputs).step_by(strip).map(move |first| first..(first + strip).min(outputs))
    }

    /// The parts of a band in a strip; a band may lie in several planes.
    #[inline(always)]
    pub(super) fn parts(&self, band: usize, columns: &Range<usize>) -> impl Iterator<Item = Part> {
        self.grid.parts(self.rows(band), columns, false)
    }

    /// Its outputs: one part, if they follow one another and it does not matter in which plane they are.
    #[inline(always)]
    pub(super) fn outputs(
        &self,
        band: usize,
        columns: &Range<usize>,
    ) -> impl Iterator<Item = Part> {
        self.grid.parts(self.rows(band), columns, self.scales.are_same())
    }

    /// The results of some bands, if they follow one another.
    pub(super) fn run(&self, bands: &Range<usize>) -> Run {
        self.grid.run(&(self.rows(bands.start).start..self.rows(bands.end - 1).end))
    }

    /// The output rows of a band, counted through all planes.
    #[inline(always)]
    fn rows(&self, band: usize) -> Range<usize> {
        let first = band * self.band;
        first..self.grid.output_rows().min(first + self.band)
    }
}
