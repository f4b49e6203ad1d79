//! Folding: the rows of a window become one row of a line, which [`slide`](super::slide) reduces to
//! outputs.

use super::across;
use super::ahead::{AHEAD, LONG_ROW_BYTES, ask_ahead, ask_for_rows};
use super::aligned::Aligned;
use super::apart::{FoldApart, turns};
use super::band::{Band, OutputRow, RowFold, RowTap};
use super::columns::{FoldColumns, SIDE, square};
use super::direct::FoldPairs;
use super::few::{FoldFew, FoldThin};
use super::flat::{Flat, leaves_lanes};
use super::global::Global;
use super::line::{Apart, Slide};
use super::pairwise;
use super::parts::FoldInParts;
use super::plan::Traits;
use super::scales::RowScales;
use super::scan::ScanFold;
use super::slide::{
    Along, Elements, FoldLevels, FoldRuns, LookForNumbers, are_single, fold_singles, one_row,
};
use super::tile::{VECTOR_BYTES, in_tiles, load_checked, onto, tiles, with_lanes};
use super::tiled::{Tiled, is_walked};
use super::{Kernel, Rows, ScanRows, doubled, small, sweep};
use crate::reduce::{Divisor, Reduce};
use crate::simd::{Work, dispatch, prefetch, turn_by_turn};
use crate::view::{Shared, same_type};
use crate::{Execution, Geometry, Level, View, ViewMut};

/// Reduces every window of `input` with `reduce` into `output`.
pub(crate) fn pool<T: Copy + Default + Send + Sync + 'static, R: Reduce<T>>(
    execution: &Execution<'_>,
    reduce: R,
    geometry: &Geometry,
    divisor: Divisor,
    input: &View<'_, T>,
    mut output: ViewMut<'_, T>,
) {
    let fold = Fold { reduce, level: execution.chosen_level() };
    let out = output.shared();
    if small::suits(geometry) {
        return small::pool(reduce, geometry, divisor, input, out, output.strides());
    }
    let strides = [input.strides(), output.strides()];
    let all = fold.level.is_for_all();
    let flat = || all.then(|| Flat::new::<T, R>(reduce, geometry, divisor, strides)).flatten();
    if leaves_lanes::<T, R>(fold.level, geometry)
        && let Some(flat) = flat()
    {
        return flat.pool(execution, fold, input, out);
    }
    if R::FREQUENT && all {
        if let Some(global) = Global::new::<T, R>(reduce, geometry, divisor, strides) {
            return global.pool(execution, fold, input, out);
        }
        if let Some(tiled) = Tiled::new::<T, R>(fold, geometry, divisor, strides, is_walked::<T, R>)
            && tiled.has_kernel::<T, R::Partial>(execution)
        {
            return tiled.pool(execution, fold, input, out);
        }
    }
    if let Some(flat) = flat() {
        return flat.pool(execution, fold, input, out);
    }
    sweep::pool(execution, fold, geometry, divisor, input, out, output.strides());
}

/// Reduces windows with `R`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold<R> {
    pub(crate) reduce: R,
    pub(crate) level: Level,
}

impl<T: Copy + Default + Send + Sync + 'static, R: Reduce<T>> Kernel<T> for Fold<R> {
    type Line = Aligned<R::Partial>;
    type Out = Shared<T>;

    fn traits(&self) -> Traits {
        let common = R::COMMON && self.level.is_for_all();
        Traits {
            element: size_of::<T>(),
            line_element: size_of::<R::Partial>(),
            vector: 2 * VECTOR_BYTES / size_of::<R::Partial>(),
            in_place: R::LOADS_AS_IS && same_type::<T, R::Partial>(&[]).is_some(),
            overlap: R::IDEMPOTENT,
            doubled: match R::IDEMPOTENT {
                true => doubled::most::<R::Partial>(self.level),
                // The order of a sum is not to depend on instructions.
                false => Some(pairwise::most::<R::Partial>()),
            },
            scans: true,
            direct: common,
            windows: false,
            frequent: common && R::FREQUENT,
            turns: common && turns::<R::Partial>() && turns::<T>(),
            parts: true,
        }
    }

    fn line(&self, len: usize) -> Self::Line {
        Aligned::new(self.reduce.identity(), len)
    }

    fn clear(&self, line: &mut Self::Line) {
        line.fill(self.reduce.identity());
    }

    fn fold(&self, line: &mut Self::Line, src: &[T], band: &Band, len: usize) {
        dispatch(self.level, FoldRows { reduce: self.reduce, src, band, line, len });
    }

    fn scan(&self, line: &mut Self::Line, src: &[T], scan: &ScanRows) -> bool {
        let (&Self { reduce, level }, scan) = (self, *scan);
        let rows = line.len() - 2 * scan.pitch;
        let (line, prefix) = line.split_at_mut(rows);
        let mut met = [reduce.identity(); VECTOR_BYTES];
        let mut numbers = false;
        if R::PREFERS_NUMBERS && level.is_for_all() {
            let (line, prefix, met) = (&mut line[..], &mut prefix[..], &mut met[..]);
            dispatch(
                level,
                ScanFold::<T, R, true> { reduce, src, scan, line, prefix, now: 0, met },
            );
            numbers = met.iter().all(|&trace| reduce.are_numbers(trace));
        }
        if !numbers {
            let met = &mut met[..];
            dispatch(
                level,
                ScanFold::<T, R, false> { reduce, src, scan, line, prefix, now: 0, met },
            );
        }
        numbers
    }

    fn slide(&self, from: Rows<'_, T, Self::Line>, band: &Band, slide: &Slide<'_>, out: Self::Out) {
        let line = match from {
            Rows::Line(line) => {
                if slide.across {
                    return across::slide(*self, line, band, slide, out);
                }
                if slide.levels.count > 0 {
                    return self.slide_levels(line, band, slide, out);
                }
                &line[..]
            }
            Rows::Input(src) => match same_type(src).filter(|_| R::LOADS_AS_IS) {
                Some(line) => line,
                None => return self.slide_elements(src, band, slide, out),
            },
        };
        let scales = &mut RowScales::new(slide.divisor);
        match one_row(band, slide) {
            Some(outputs) => {
                let slide = Slide { stretches: &[outputs], alike: &[outputs], ..*slide };
                self.slide_along(line, band, &band.rows[..1], &slide, scales, out);
            }
            None => self.slide_along(line, band, &band.rows, slide, scales, out),
        }
    }

    fn direct(
        &self,
        src: &[T],
        band: &Band,
        slide: &Slide<'_>,
        kept: &mut Self::Line,
        out: Self::Out,
    ) {
        let &Self { reduce, level } = self;
        if !R::COMMON {
            return;
        }
        if slide.no_lanes {
            return dispatch(level, FoldPairs { reduce, src, band, slide, out });
        }
        let square = square(slide.axis).filter(|&[side, _]| side == 2 || R::FREQUENT);
        let (side, kept) = (square.map_or(0, |[side, _]| side), &mut kept[..]);
        macro_rules! columns {
            ($K:expr, $S:expr) => {{
                let columns = FoldColumns { reduce, src, band, slide, side, kept, out };
                dispatch::<FoldColumns<'_, T, R, $K, $S>>(level, columns);
            }};
        }
        match square {
            Some([2, 2]) => columns!(2, 2),
            Some([SIDE, 1]) if R::FREQUENT => columns!(SIDE, 1),
            Some([SIDE, 2]) if R::FREQUENT => columns!(SIDE, 2),
            _ => {}
        }
        columns!(0, 0);
    }
}

impl<R> Fold<R> {
    /// Slides along rows of partial results, as wide as the strides allow.
    fn slide_along<T: Copy + Default + Send + Sync>(
        &self,
        line: &[R::Partial],
        band: &Band,
        rows: &[OutputRow],
        slide: &Slide<'_>,
        scales: &mut RowScales<R::Scale>,
        out: Shared<T>,
    ) where
        R: Reduce<T>,
    {
        let &Self { reduce, level } = self;
        let bases = band.bases(slide.in_place);
        let along = Along { reduce, line, rows, bases, slide, out };
        if are_single(slide) {
            return fold_singles(&along);
        }
        let narrow = const { size_of::<T>() < 4 };
        let apart = slide.apart(true, narrow);
        let alike = match slide.stretches {
            [stretch] if slide.levels.count == 0 && !rows.is_empty() => Some(stretch),
            _ => None,
        };
        if R::COMMON
            && level.is_for_all()
            && let Some(stretch) = alike
        {
            let taps = if stretch.in_parts { 0 } else { stretch.taps };
            macro_rules! few {
                ($S:expr, $K:expr) => {
                    dispatch(level, FoldFew::<T, R, $S, $K> { along, stretch, apart })
                };
            }
            macro_rules! thin {
                ($L:expr) => {
                    match taps {
                        2 if slide.is_thin($L) => {
                            return dispatch(level, FoldThin::<T, R, $L, 2> { along, stretch });
                        }
                        3 if slide.is_thin($L) => {
                            return dispatch(level, FoldThin::<T, R, $L, 3> { along, stretch });
                        }
                        _ => {}
                    }
                };
            }
            if R::FREQUENT && apart == Apart::Lanes {
                match const { (size_of::<T>(), size_of::<R::Partial>()) } {
                    (1, 1) => thin!(16),
                    // Dividing sums of bytes takes longer than all else.
                    (1, _) => {}
                    (_, 2) => thin!(8),
                    _ => thin!(4),
                }
            }
            match (apart, taps) {
                (Apart::One, 2) => return few!(1, 2),
                (Apart::One, 3) => return few!(1, 3),
                (Apart::Two, 2) => return few!(2, 2),
                (Apart::Two, 3) => return few!(2, 3),
                (Apart::Any, 1..) if turns::<R::Partial>() && stretch.step == 1 => {
                    return dispatch(level, FoldApart { along, stretch });
                }
                _ => {}
            }
        }
        if !slide.stretches.iter().all(|stretch| stretch.in_parts) {
            match apart {
                Apart::One | Apart::Lanes if R::PREFERS_NUMBERS && slide.numbers => {
                    dispatch(level, FoldRuns::<T, R, 1, true> { along, apart, scales });
                }
                Apart::One | Apart::Lanes => {
                    dispatch(level, FoldRuns::<T, R, 1> { along, apart, scales });
                }
                Apart::Two if R::COMMON && level.is_for_all() => {
                    dispatch(level, FoldRuns::<T, R, 2> { along, apart, scales })
                }
                Apart::Four if R::COMMON && narrow && level.is_for_all() => {
                    dispatch(level, FoldRuns::<T, R, 4> { along, apart, scales })
                }
                _ => dispatch(level, FoldRuns::<T, R, 0> { along, apart, scales }),
            }
        }
        // Last, because vectors of the others may have written over these results.
        if slide.stretches.iter().any(|stretch| stretch.in_parts) {
            dispatch(level, FoldInParts(along));
        }
    }

    /// Slides along rows of the input that must be converted: the plan sees to it that windows lie
    /// apart, or are so long that they are reduced in parts.
    fn slide_elements<T: Copy + Default + Send + Sync>(
        &self,
        line: &[T],
        band: &Band,
        slide: &Slide<'_>,
        out: Shared<T>,
    ) where
        R: Reduce<T>,
    {
        let &Self { reduce, level } = self;
        let (rows, bases) = (&band.rows[..], band.bases(slide.in_place));
        let along = Along::<T, R, Elements> { reduce, line, rows, bases, slide, out };
        match &slide.stretches[0] {
            stretch if !stretch.in_parts => dispatch(level, FoldApart { along, stretch }),
            _ => dispatch(level, FoldInParts(along)),
        }
    }

    /// Slides along rows and their levels, of a few rows at a time.
    fn slide_levels<T: Copy + Default + Send + Sync>(
        &self,
        line: &mut [R::Partial],
        band: &Band,
        slide: &Slide<'_>,
        out: Shared<T>,
    ) where
        R: Reduce<T>,
    {
        let &Self { reduce, level } = self;
        if pairwise::is_for::<T, R>(level, slide) {
            return pairwise::slide(*self, line, band, slide, out);
        }
        let scales = &mut RowScales::new(slide.divisor);
        for rows in band.rows.chunks(slide.level_rows) {
            let columns = rows.len() * slide.pitch;
            let (folded, levels) = line.split_at_mut(slide.levels_at);
            let folded = &folded[rows[0].line..];
            let mut numbers = R::PREFERS_NUMBERS && slide.numbers;
            if R::PREFERS_NUMBERS && !numbers && level.is_for_all() {
                let numbers = &mut numbers;
                dispatch(level, LookForNumbers { reduce, row: &folded[..columns], numbers });
            }
            let slide = &Slide { numbers, ..*slide };
            if R::PREFERS_NUMBERS && numbers {
                dispatch(
                    level,
                    FoldLevels::<T, R, true> { reduce, folded, levels, columns, slide },
                );
            } else {
                dispatch(
                    level,
                    FoldLevels::<T, R, false> { reduce, folded, levels, columns, slide },
                );
            }
            self.slide_along(line, band, rows, slide, scales, out);
        }
    }
}

/// Folds `N` neighbours of every row onto `acc`, those of a row without offset being at `at`.
#[inline(always)]
fn fold_rows<T: Copy, R: Reduce<T>, const N: usize>(
    reduce: R,
    mut acc: [R::Partial; N],
    src: &[T],
    at: usize,
    taps: &[RowTap],
    reach: isize,
) -> [R::Partial; N] {
    ask_ahead::<T, N>(src, at.wrapping_add_signed(reach));
    for tap in taps {
        let row = load_checked::<T, R, N>(reduce, src, at.wrapping_add_signed(tap.offset));
        onto::<T, R, N, false>(reduce, &mut acc, &row);
    }
    acc
}

/// Whether most rows of a window are in no window before it.
fn share_few_rows(folds: &[RowFold], taps: &[RowTap]) -> bool {
    let ([one, next, ..], [first, second, ..]) = (folds, taps) else { return false };
    let row = first.offset.abs_diff(second.offset);
    2 * one.src.abs_diff(next.src) > taps.len() * row
}

/// Folds rows of the same `K` taps as long as whole tiles of them may be read and written; gives
/// how many.
#[inline(always)]
fn few_rows<T: Copy, R: Reduce<T>, const K: usize, const L: usize>(
    work: &mut FoldRows<'_, T, R>,
    folds: &[RowFold],
    taps: &[RowTap],
) -> usize {
    let (reduce, src, len) = (work.reduce, work.src, work.len);
    let n = len.div_ceil(L);
    // Positions from the first tap on, so that one look at the input does for all taps of a row.
    let first = taps.iter().map(|tap| tap.offset).min().unwrap_or(0);
    let mut from = [0; K];
    for k in 0..K {
        from[k] = (taps[k].offset - first).unsigned_abs();
    }
    let span = n * L + from.iter().max().unwrap_or(&0);
    let asks_for_all = len * size_of::<T>() < LONG_ROW_BYTES && share_few_rows(folds, taps);
    let asked = if asks_for_all { K - 1 } else { 0 };
    for (done, fold) in folds.iter().enumerate() {
        let at = fold.src.wrapping_add_signed(work.band.src_base + first);
        let room = (n * L).max(len + fold.after);
        let (Some(taps), Some(row)) =
            (src.get(at..at.wrapping_add(span)), work.line.get_mut(fold.line..fold.line + room))
        else {
            return done;
        };
        ask_for_rows(taps, &from[..asked], len);
        let folded = row.as_chunks_mut::<L>().0;
        let mut rows = [tiles::<T, L>(taps, 0, n); K];
        for k in 0..K {
            rows[k] = tiles(taps, from[k], n);
        }
        for i in 0..n {
            turn_by_turn();
            let first = &rows[0][i];
            prefetch(taps, span - (n - i) * L + AHEAD / size_of::<T>());
            let mut acc = reduce.load_tile(*first);
            for k in 1..K {
                onto::<T, R, L, false>(reduce, &mut acc, &reduce.load_tile(rows[k][i]));
            }
            folded[i] = acc;
        }
        for padding in &mut row[len..len + fold.after] {
            *padding = reduce.identity();
        }
    }
    folds.len()
}

/// Whether [`few_rows`] is compiled for vectors of `V` bytes: not for what few processors have.
const fn is_for_few<const V: usize>() -> bool {
    Level::Baseline.is_for_all() || V > 16
}

/// Folds rows of elements into rows of partial results.
struct FoldRows<'a, T, R: Reduce<T>> {
    reduce: R,
    src: &'a [T],
    band: &'a Band,
    line: &'a mut [R::Partial],
    len: usize,
}

impl<T: Copy, R: Reduce<T>> Work for FoldRows<'_, T, R> {
    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let band = self.band;
        for alike in band.folds.chunk_by(RowFold::is_like) {
            let taps = &band.taps[alike[0].first..alike[0].end];
            let mut rest = alike;
            while !rest.is_empty() {
                let done = with_lanes!(size_of::<R::Partial>(), |L| match taps.len() {
                    _ if alike[0].onto || !R::COMMON || !is_for_few::<V>() => 0,
                    1 => few_rows::<T, R, 1, L>(&mut self, rest, taps),
                    2 => few_rows::<T, R, 2, L>(&mut self, rest, taps),
                    3 => few_rows::<T, R, 3, L>(&mut self, rest, taps),
                    4 => few_rows::<T, R, 4, L>(&mut self, rest, taps),
                    5 => few_rows::<T, R, 5, L>(&mut self, rest, taps),
                    6 => few_rows::<T, R, 6, L>(&mut self, rest, taps),
                    7 => few_rows::<T, R, 7, L>(&mut self, rest, taps),
                    8 => few_rows::<T, R, 8, L>(&mut self, rest, taps),
                    _ => 0,
                });
                rest = &rest[done..];
                if let Some((fold, others)) = rest.split_first() {
                    self.row(fold, taps);
                    rest = others;
                }
            }
        }
    }
}

impl<T: Copy, R: Reduce<T>> FoldRows<'_, T, R> {
    /// Folds the rows of any number of taps into one, or onto it.
    #[inline(always)]
    fn row(&mut self, fold: &RowFold, taps: &[RowTap]) {
        let Self { reduce, src, band, ref mut line, len } = *self;
        let (row, after) = (&mut line[fold.line..], fold.after);
        let src_at = fold.src.wrapping_add_signed(band.src_base);
        let last = src_at.wrapping_add_signed(fold.reach);
        let room = src.len().saturating_sub(last).min(row.len());
        if taps.is_empty() {
            row[..len + after].fill(reduce.identity());
            return;
        }
        in_tiles!(two, size_of::<R::Partial>(), len, room, !fold.onto, |at, L| {
            let row = &mut row[at..at + L];
            let mut acc = [reduce.identity(); L];
            if fold.onto {
                acc.copy_from_slice(row);
            }
            let at = src_at + at;
            row.copy_from_slice(&fold_rows(reduce, acc, src, at, taps, fold.reach));
        });
        for padding in &mut row[len..len + after] {
            *padding = reduce.identity();
        }
    }
}
