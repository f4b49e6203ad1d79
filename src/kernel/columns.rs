//! Windows whose lanes fill vectors: reduced straight from the input, all lanes of a column together.
//!
//! A column of a window is reduced over the rows first. Neighbouring windows of three columns have
//! columns in common, which are kept until the next window takes them: no line of folded rows is
//! written and read again.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::band::{Band, RowTap};
use super::line::Slide;
use super::tile::{
    VECTOR_BYTES, Vectors, are_numbers, combined, in_tiles, load_traced, loaded, onto, write_tile,
};
use crate::reduce::Reduce;
use crate::simd::{
    CACHE_LINE_BYTES, Work, first_level_is_large, load_tile, prefetch, prefetch_next, store_tile,
    turn_by_turn,
};
use crate::view::Shared;
use crate::window::{Axis, Rule};

/// Columns, and rows, of the largest windows that overlap and are reduced so.
pub(super) const SIDE: usize = 3;

/// Bytes that reading runs ahead: rows are long, so that the processor follows them into its second-level
/// cache by itself. Into the first-level cache, if that is large.
const AHEAD: usize = 6 << 10;

/// Elements of a window above which a first-level cache may not hold a line of each, if they lie at least so
/// many bytes apart: multiples of that have few places there.
const WAYS: usize = 16;
const FAR_BYTES: usize = 1 << 10;

/// Lanes of the largest tile whose trace is looked at.
const LARGEST: usize = 2 * VECTOR_BYTES / size_of::<f32>();

/// Columns of the windows along an axis, and between them, if squares of those have a kernel of their
/// own.
pub(super) fn square(axis: &Axis) -> Option<[usize; 2]> {
    match axis.rule {
        Rule::Sliding { kernel, stride, dilation: 1, .. } => Some([kernel, stride]),
        _ => None,
    }
    .filter(|window| matches!(window, [2, 2] | [SIDE, 1 | 2]))
}

/// Whether windows of that many rows overlap along an axis, and are reduced so.
pub(super) fn overlap(axis: &Axis, rows: usize) -> bool {
    rows == SIDE && square(axis).is_some_and(|[side, _]| side == SIDE)
}

/// Reduces windows of `K` rows and columns, `S` columns apart, of which none is clipped; or those
/// that no such kernel has reduced, if `K` is 0.
pub(crate) struct FoldColumns<'a, T, R: Reduce<T>, const K: usize, const S: usize> {
    pub(crate) reduce: R,
    pub(crate) src: &'a [T],
    pub(crate) band: &'a Band,
    pub(crate) slide: &'a Slide<'a>,
    /// The side of windows that have a kernel of their own; 0 if none have.
    pub(crate) side: usize,
    /// Columns that the next window takes: `K - S`, of all lanes.
    pub(crate) kept: &'a mut [R::Partial],
    pub(crate) out: Shared<T>,
}

/// A row of windows: the rows that they cover, where its first column and its first output are, and
/// how results become elements.
struct Row<'a, S> {
    taps: &'a [RowTap],
    at: usize,
    out: isize,
    scale: S,
    /// Whether reading runs ahead into the first-level cache.
    into_first: bool,
}

impl<T: Copy + Default, R: Reduce<T>, const K: usize, const S: usize> Work
    for FoldColumns<'_, T, R, K, S>
{
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let Self { reduce, band, slide, .. } = self;
        assert!(slide.lanes * size_of::<R::Partial>() >= VECTOR_BYTES, "lanes fill a vector");
        let whole = slide.axis.whole_windows();
        let into_first = first_level_is_large();
        for (fold, output) in band.folds.iter().zip(&band.rows) {
            let taps = &band.taps[fold.first..fold.end];
            let at = fold.src.wrapping_add_signed(band.src_base);
            look(self.src, slide, at, taps);
            let squares = if taps.len() == self.side { whole.clone() } else { 0..0 };
            for stretch in slide.stretches {
                let scale = reduce.scale(slide.divisor(stretch.count, output));
                let row = Row { taps, at, out: band.out_base + output.out, scale, into_first };
                if K == 0 {
                    for o in stretch.range() {
                        if !squares.contains(&o) {
                            self.window::<V>(&row, o);
                        }
                    }
                } else if !squares.is_empty() && stretch.range().contains(&squares.start) {
                    let numbers = R::PREFERS_NUMBERS && self.squares::<true>(&row, &squares);
                    if !numbers {
                        self.squares::<false>(&row, &squares);
                    }
                }
            }
        }
    }
}

/// Checks that all lanes of all columns of the rows lie in the array.
pub(super) fn look<T>(src: &[T], slide: &Slide<'_>, start: usize, taps: &[RowTap]) {
    let columns = slide.chunk.inside.len().saturating_sub(1) as isize;
    let columns = columns * slide.in_stride;
    let offsets = || taps.iter().map(|tap| tap.offset);
    let (Some(least), Some(most)) = (offsets().min(), offsets().max()) else { return };
    let first = start.checked_add_signed(least + columns.min(0));
    let last = start.checked_add_signed(most + columns.max(0));
    let fits = last.is_some_and(|last| src.len().saturating_sub(last) >= slide.lanes);
    assert!(first.is_some() && fits, "windows lie in the array");
}

/// Asks for what is read after the `L` elements at `at`, into the first-level cache or the second.
#[inline(always)]
pub(super) fn ask_for_column<T, const L: usize>(src: &[T], at: usize, into_first: bool) {
    for line in (AHEAD..AHEAD + L * size_of::<T>()).step_by(CACHE_LINE_BYTES) {
        let line = at.wrapping_add(line / size_of::<T>());
        if into_first { prefetch_next(src, line) } else { prefetch(src, line) }
    }
}

/// Where a column is of a row that starts at `start`.
#[inline(always)]
pub(super) fn column(slide: &Slide<'_>, start: usize, column: isize) -> usize {
    let column = column - slide.chunk.inside.start as isize;
    start.wrapping_add_signed(column * slide.in_stride)
}

impl<T: Copy + Default, R: Reduce<T>, const K: usize, const S: usize> FoldColumns<'_, T, R, K, S> {
    /// The results of one window, whatever it has of columns.
    #[inline(always)]
    fn window<const V: usize>(&mut self, row: &Row<'_, R::Scale>, o: usize) {
        let Self { reduce, slide, out, .. } = *self;
        let (columns, lanes) = (slide.axis.taps(o), slide.lanes);
        let first = column(slide, row.at, columns.first as isize);
        // SAFETY: the sweep hands every output position to one task only.
        let dst = unsafe { out.run(row.out + o as isize * slide.out_stride, lanes) };
        if columns.count * row.taps.len() > WAYS && lanes * size_of::<T>() >= FAR_BYTES {
            return self.large_window::<V>(row, first, columns.count, dst);
        }
        in_tiles!(full, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
            let mut trace = [reduce.identity(); L];
            let mut acc = self.folded::<L, false>(first + at, row, &mut trace);
            for j in 1..columns.count {
                let column = first.wrapping_add_signed(j as isize * slide.in_stride) + at;
                let column = self.folded::<L, false>(column, row, &mut trace);
                onto::<T, R, L, false>(reduce, &mut acc, &column);
            }
            let results = reduce.finish_tile(acc, [row.scale; L]);
            write_tile(&mut dst[at..], results);
        });
    }

    /// The same, for all lanes of a column before the next: so many rows are read from end to end.
    #[inline(always)]
    fn large_window<const V: usize>(
        &mut self,
        row: &Row<'_, R::Scale>,
        first: usize,
        columns: usize,
        dst: &mut [MaybeUninit<T>],
    ) {
        let Self { reduce, slide, .. } = *self;
        let lanes = slide.lanes;
        let pitch = self.kept.len() / (SIDE - 1);
        self.kept[..pitch].fill(reduce.identity());
        for j in 0..columns {
            let column = first.wrapping_add_signed(j as isize * slide.in_stride);
            in_tiles!(full, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
                turn_by_turn();
                let mut trace = [reduce.identity(); L];
                let folded = self.folded::<L, false>(column + at, row, &mut trace);
                let kept = self.kept_of::<L>(0, at);
                // SAFETY: as many are kept.
                unsafe {
                    let acc = loaded::<V, _, L>(kept, 0);
                    let acc = combined::<T, R, L, false>(reduce, acc, folded);
                    store_tile(kept, 0, acc);
                }
            });
        }
        in_tiles!(full, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
            // SAFETY: as many are kept.
            let acc: [R::Partial; L] = unsafe { load_tile(self.kept_of::<L>(0, at), 0) };
            write_tile(&mut dst[at..], reduce.finish_tile(acc, [row.scale; L]));
        });
    }

    /// The results of windows of `K` columns, `S` apart; gives whether that was right: not if `NUMBERS`
    /// was said of others.
    #[inline(always)]
    fn squares<const NUMBERS: bool>(
        &mut self,
        row: &Row<'_, R::Scale>,
        outputs: &Range<usize>,
    ) -> bool {
        let Self { reduce, slide, out, .. } = *self;
        let lanes = slide.lanes;
        assert!(row.taps.len() == K, "windows are squares");
        let mut met = Vectors([reduce.identity(); LARGEST]);
        // In memory, as the loop would carry single lanes of it.
        let met = black_box(&mut met);
        let mut first = column(slide, row.at, slide.axis.start(outputs.start));
        for j in 0..K - S {
            let column = first.wrapping_add_signed(j as isize * slide.in_stride);
            in_tiles!(full, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
                let mut trace = [reduce.identity(); L];
                let folded = self.folded::<L, NUMBERS>(column + at, row, &mut trace);
                self.kept_of::<L>(j, at).copy_from_slice(&folded);
                note::<T, R, L, NUMBERS>(reduce, &mut met.0, &trace);
            });
        }
        for o in outputs.clone() {
            // SAFETY: the sweep hands every output position to one task only.
            let dst = unsafe { out.run(row.out + o as isize * slide.out_stride, lanes) };
            in_tiles!(full, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
                let mut trace = [reduce.identity(); L];
                let mut acc = trace;
                for j in 0..K {
                    let mut column = acc;
                    if j < K - S {
                        column.copy_from_slice(self.kept_of::<L>(j, at));
                    } else {
                        let next = first.wrapping_add_signed(j as isize * slide.in_stride) + at;
                        column = self.folded::<L, NUMBERS>(next, row, &mut trace);
                    }
                    if j >= S {
                        self.kept_of::<L>(j - S, at).copy_from_slice(&column);
                    }
                    if j == 0 {
                        acc = column;
                    } else {
                        onto::<T, R, L, NUMBERS>(reduce, &mut acc, &column);
                    }
                }
                let results = reduce.finish_tile(acc, [row.scale; L]);
                write_tile(&mut dst[at..], results);
                note::<T, R, L, NUMBERS>(reduce, &mut met.0, &trace);
            });
            first = first.wrapping_add_signed(S as isize * slide.in_stride);
        }
        !NUMBERS || are_numbers(reduce, &met.0)
    }

    /// What is kept of a column for `L` lanes from `at` on. A last tile, which has lanes of the one
    /// before too, has a place of its own.
    #[inline(always)]
    fn kept_of<const L: usize>(&mut self, column: usize, at: usize) -> &mut [R::Partial] {
        let pitch = self.kept.len() / (SIDE - 1);
        &mut self.kept[column * pitch + at.next_multiple_of(L)..][..L]
    }

    /// `L` lanes of a column, reduced over the rows, adding to the trace of what was met.
    #[inline(always)]
    fn folded<const L: usize, const NUMBERS: bool>(
        &self,
        at: usize,
        &Row { taps, into_first, .. }: &Row<'_, R::Scale>,
        trace: &mut [R::Partial; L],
    ) -> [R::Partial; L] {
        let Self { reduce, src, .. } = *self;
        let rows = if K > 0 { K } else { taps.len() };
        // The windows above have read the other rows.
        for tap in &taps[K.saturating_sub(S)..rows] {
            ask_for_column::<T, L>(src, at.wrapping_add_signed(tap.offset), into_first);
        }
        let mut acc = [reduce.identity(); L];
        for k in 0..rows {
            let at = at.wrapping_add_signed(taps[k].offset);
            // SAFETY: looked at before.
            let tap = unsafe { load_traced::<T, R, L, NUMBERS>(reduce, src, at, trace) };
            if k == 0 {
                acc = tap;
            } else {
                onto::<T, R, L, NUMBERS>(reduce, &mut acc, &tap);
            }
        }
        acc
    }
}

/// Adds a tile's trace to that of all tiles: one step that waits for the tile before.
#[inline(always)]
fn note<T, R: Reduce<T>, const L: usize, const NUMBERS: bool>(
    reduce: R,
    met: &mut [R::Partial; LARGEST],
    trace: &[R::Partial; L],
) {
    if NUMBERS {
        for l in 0..L {
            met[l] = reduce.traced(met[l], trace[l]);
        }
    }
}
