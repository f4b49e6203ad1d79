//! Folding: a result is the reduction of elements at fixed distances, its neighbours of the
//! neighbours of these.
//!
//! The rows of a window are folded into one row of a line, with the distance of two rows between
//! the taps; a window slides along that row with the distance of two columns between them, and
//! results that are `S` columns apart. [`fold_tile`] is the loop of both.

use std::hint::black_box;
use std::mem::MaybeUninit;

use super::band::{Band, Bases, OutputRow, RowTap};
use super::line::{Apart, Levels, PARTS, Slide, Stretch};
use super::plan::Traits;
use super::scan::ScanFold;
use super::tile::{VECTOR_BYTES, in_tiles};
use super::{Kernel, Rows, ScanRows, Target};
use crate::Level;
use crate::reduce::Reduce;
use crate::simd::{Work, dispatch, prefetch};
use crate::view::{Shared, even_and_odd, same_type};

/// Bytes that reading runs ahead of folding.
const AHEAD: usize = 3072;

/// Reduces windows with `R`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold<R> {
    pub(crate) reduce: R,
    pub(crate) level: Level,
}

impl<T: Copy + Send + Sync + 'static, R: Reduce<T>> Kernel<T> for Fold<R> {
    type Line = Vec<R::Partial>;
    type Out = Shared<T>;

    fn traits(&self) -> Traits {
        Traits {
            element: size_of::<T>(),
            line_element: size_of::<R::Partial>(),
            vector: 2 * VECTOR_BYTES / size_of::<R::Partial>(),
            in_place: same_type::<T, R::Partial>(&[]).is_some(),
            overlap: R::IDEMPOTENT,
            scans: true,
            in_pairs: true,
        }
    }

    fn line(&self, len: usize) -> Self::Line {
        vec![self.reduce.identity(); len]
    }

    fn clear(&self, line: &mut Self::Line) {
        line.fill(self.reduce.identity());
    }

    fn fold(&self, line: &mut Self::Line, src: &[T], band: &Band, len: usize, after: usize) {
        dispatch(self.level, FoldRows { reduce: self.reduce, src, band, line, len, after });
    }

    fn scan(&self, line: &mut Self::Line, src: &[T], scan: &ScanRows) {
        dispatch(self.level, ScanFold { reduce: self.reduce, src, scan, line });
    }

    fn slide(&self, from: Rows<'_, T, Self::Line>, band: &Band, slide: &Slide<'_>, out: Self::Out) {
        let line = match from {
            Rows::Line(line) => {
                if slide.levels.count > 0 {
                    return self.slide_levels(line, band, slide, out);
                }
                &line[..]
            }
            Rows::Input(src) => same_type(src).unwrap_or_default(),
        };
        self.slide_along(line, band, &band.rows, slide, out);
    }

    fn pairs(&self, src: &[T], band: &Band, slide: &Slide<'_>, out: Self::Out) {
        dispatch(self.level, FoldPairs { reduce: self.reduce, src, band, slide, out });
    }
}

impl<R> Fold<R> {
    /// Slides along rows of partial results, as wide as the strides allow.
    fn slide_along<T: Copy + Send + Sync>(
        &self,
        line: &[R::Partial],
        band: &Band,
        rows: &[OutputRow],
        slide: &Slide<'_>,
        out: Shared<T>,
    ) where
        R: Reduce<T>,
    {
        let &Self { reduce, level } = self;
        let apart = slide.apart(true, size_of::<T>() < 4);
        let bases = band.bases(slide.in_place);
        if !slide.stretches.iter().all(|stretch| stretch.in_parts) {
            match apart {
                Apart::One | Apart::Lanes => {
                    let runs = FoldRuns::<T, R, 1> { reduce, line, rows, bases, slide, apart, out };
                    dispatch(level, runs);
                }
                Apart::Two => {
                    let runs = FoldRuns::<T, R, 2> { reduce, line, rows, bases, slide, apart, out };
                    dispatch(level, runs);
                }
                Apart::Four => {
                    let runs = FoldRuns::<T, R, 4> { reduce, line, rows, bases, slide, apart, out };
                    dispatch(level, runs);
                }
                Apart::Any => {
                    let runs = FoldRuns::<T, R, 0> { reduce, line, rows, bases, slide, apart, out };
                    dispatch(level, runs);
                }
            }
        }
        // Last, because vectors of the others may have written over these results.
        if slide.stretches.iter().any(|stretch| stretch.in_parts) {
            dispatch(level, FoldInParts { reduce, line, rows, bases, slide, out });
        }
    }

    /// Slides along rows one by one, each with its levels, which take each other's place.
    fn slide_levels<T: Copy + Send + Sync>(
        &self,
        line: &mut [R::Partial],
        band: &Band,
        slide: &Slide<'_>,
        out: Shared<T>,
    ) where
        R: Reduce<T>,
    {
        for row in &band.rows {
            let (folded, levels) = line.split_at_mut(slide.levels_at);
            let folded = &folded[row.line..row.line + slide.pitch];
            dispatch(self.level, FoldLevels { reduce: self.reduce, folded, levels, slide });
            self.slide_along(line, band, std::slice::from_ref(row), slide, out);
        }
    }
}

impl<T: Copy + Send + Sync> Target for Shared<T> {
    type Store = Vec<MaybeUninit<T>>;

    fn over(store: &mut Self::Store, len: usize) -> Self {
        if store.len() < len {
            store.resize_with(len, MaybeUninit::uninit);
        }
        Self::over(store)
    }

    unsafe fn scatter(
        self,
        store: &Self::Store,
        first: usize,
        at: isize,
        strides: [isize; 2],
        shape: [usize; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe { super::lanes::scatter(&store[first..], self, at, strides, shape) }
    }
}

/// `count` taps, `step` elements apart, the first at `start` from where a window starts.
#[derive(Debug, Clone, Copy)]
struct Taps {
    start: usize,
    step: usize,
    count: usize,
}

impl Taps {
    const NONE: Self = Self { start: 0, step: 0, count: 0 };

    /// The last tap.
    #[inline(always)]
    fn last(self) -> usize {
        self.start.wrapping_add(self.count.saturating_sub(1).wrapping_mul(self.step))
    }
}

/// Parts that a window is put together from.
type Parts = [Taps; 4];

/// `L` results `stride` elements apart, each of the taps in their order; the first one's window
/// starts at `at`.
#[inline(always)]
fn fold_tile<P: Copy, const L: usize>(
    line: &[P],
    at: usize,
    stride: usize,
    parts: &[Taps],
    combine: impl Fn(P, P) -> P,
) -> [P; L] {
    // Whole vectors of strided elements, but for single results at the end of the line.
    let reach = if L == 1 { 1 } else { L * stride };
    let tile = |start: usize| &line[at.wrapping_add(start)..][..reach];
    let first = tile(parts[0].start);
    let mut acc = [first[0]; L];
    if stride == 1 {
        acc.copy_from_slice(first);
    } else {
        for l in 0..L {
            acc[l] = first[l * stride];
        }
    }
    let mut done = 1;
    for taps in parts {
        let mut start = taps.start.wrapping_add(done * taps.step);
        for _ in done..taps.count {
            let tap = tile(start);
            for l in 0..L {
                acc[l] = combine(acc[l], tap[l * stride]);
            }
            start = start.wrapping_add(taps.step);
        }
        done = 0;
    }
    acc
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
    for line in (0..N * size_of::<T>()).step_by(64) {
        let ahead = (line + AHEAD) / size_of::<T>();
        prefetch(src, at.wrapping_add_signed(reach).wrapping_add(ahead));
    }
    for tap in taps {
        let tap = &src[at.wrapping_add_signed(tap.offset)..][..N];
        for l in 0..N {
            acc[l] = reduce.combine(acc[l], reduce.load(tap[l]));
        }
    }
    acc
}

/// The same from the first row on.
#[inline(always)]
fn first_rows<T: Copy, R: Reduce<T>, const N: usize>(
    reduce: R,
    src: &[T],
    at: usize,
    taps: &[RowTap],
    reach: isize,
) -> [R::Partial; N] {
    let first = &src[at.wrapping_add_signed(taps[0].offset)..][..N];
    let mut acc = [reduce.load(first[0]); N];
    for l in 0..N {
        acc[l] = reduce.load(first[l]);
    }
    fold_rows(reduce, acc, src, at, &taps[1..], reach)
}

/// Folds rows of elements into rows of partial results.
struct FoldRows<'a, T, R: Reduce<T>> {
    reduce: R,
    src: &'a [T],
    band: &'a Band,
    line: &'a mut [R::Partial],
    len: usize,
    after: usize,
}

impl<T: Copy, R: Reduce<T>> Work for FoldRows<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, src, band, line, len, after } = self;
        for fold in &band.folds {
            let taps = &band.taps[fold.first..fold.end];
            let row = &mut line[fold.line..];
            let src_at = fold.src.wrapping_add_signed(band.src_base);
            let last = src_at.wrapping_add_signed(fold.reach);
            let room = src.len().saturating_sub(last).min(row.len());
            if taps.is_empty() {
                row[..len].fill(reduce.identity());
                continue;
            }
            in_tiles!(two, size_of::<R::Partial>(), len, room, !fold.onto, |at, L| {
                let row = &mut row[at..at + L];
                let mut acc = [reduce.identity(); L];
                if fold.onto {
                    acc.copy_from_slice(row);
                }
                row.copy_from_slice(&fold_rows(reduce, acc, src, src_at + at, taps, fold.reach));
            });
            // Vectors may have written over the padding.
            row[len..len + after].fill(reduce.identity());
        }
    }
}

/// Reduces windows of every length that is a level's, at every column of a folded row.
struct FoldLevels<'a, T, R: Reduce<T>> {
    reduce: R,
    folded: &'a [R::Partial],
    levels: &'a mut [R::Partial],
    slide: &'a Slide<'a>,
}

impl<T: Copy, R: Reduce<T>> Work for FoldLevels<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, folded, levels, slide } = self;
        let mut source = folded;
        let (mut step, mut rest) = (slide.levels.step * slide.lanes, levels);
        // The pitch has room for a vector behind the columns: that much less is read.
        let mut columns = folded.len();
        for _ in 0..slide.levels.count {
            let (level, others) = rest.split_at_mut(slide.pitch);
            let taps = [Taps { start: 0, step, count: Levels::RADIX }];
            columns = columns.saturating_sub(taps[0].last());
            in_tiles!(pairs, size_of::<R::Partial>(), columns, columns, true, |at, L| {
                let combine = |earlier, later| reduce.combine(earlier, later);
                level[at..at + L]
                    .copy_from_slice(&fold_tile::<_, L>(source, at, 1, &taps, combine));
            });
            (source, rest) = (level, others);
            step *= Levels::RADIX;
        }
    }
}

/// Reduces windows along rows of partial results to elements.
struct FoldRuns<'a, T, R: Reduce<T>, const S: usize> {
    reduce: R,
    line: &'a [R::Partial],
    rows: &'a [OutputRow],
    bases: Bases,
    slide: &'a Slide<'a>,
    apart: Apart,
    out: Shared<T>,
}

impl<T: Copy, R: Reduce<T>, const S: usize> Work for FoldRuns<'_, T, R, S> {
    #[inline(always)]
    fn run(self) {
        let (mut parts, used) = self.parts();
        for row in self.rows {
            let row = &self.bases.shift(row);
            for stretch in self.slide.stretches.iter().filter(|stretch| !stretch.in_parts) {
                let scale = self.reduce.scale(self.slide.divisor(stretch, row));
                if used == 1 {
                    parts[0].count = stretch.taps;
                    parts[0].step = stretch.step.wrapping_mul(self.slide.lanes);
                }
                if stretch.taps == 0 {
                    self.nothing(row, stretch, scale);
                } else {
                    self.stretch(row, stretch, &parts[..used], scale);
                }
            }
        }
    }
}

impl<T: Copy, R: Reduce<T>, const S: usize> FoldRuns<'_, T, R, S> {
    #[inline(always)]
    fn stretch(&self, row: &OutputRow, stretch: &Stretch, parts: &[Taps], scale: R::Scale) {
        let Self { reduce, line, slide, .. } = *self;
        let stride = if S == 0 { slide.stride } else { S };
        let runs = slide.runs(stretch, self.apart);
        let mut start = row.line + runs.start;
        let last = parts.iter().map(|taps| start.wrapping_add(taps.last())).max().unwrap_or(0);
        let mut readable = line.len().saturating_sub(last) / stride;
        for r in 0..runs.runs {
            let out = runs.out + r as isize * runs.out_step;
            let room = slide.room(row, out).max(runs.n);
            // SAFETY: the sweep hands every output position to one task only, which writes all of
            // the room in the order of the rows.
            let dst = unsafe { self.out.run(row.out + out, room) };
            let room = room.min(readable);
            let combine = |earlier, later| reduce.combine(earlier, later);
            if const { S == 1 } {
                in_tiles!(two, size_of::<R::Partial>(), runs.n, room, true, |at, L| {
                    let acc = fold_tile::<_, L>(line, start + at, 1, parts, combine);
                    let dst = &mut dst[at..at + L];
                    for l in 0..L {
                        dst[l].write(reduce.finish(acc[l], scale));
                    }
                });
            } else if const { S == 0 } {
                in_tiles!(one, size_of::<R::Partial>(), runs.n, room, true, |at, L| {
                    let acc = fold_tile::<_, L>(line, start + at * stride, stride, parts, combine);
                    let dst = &mut dst[at..at + L];
                    for l in 0..L {
                        dst[l].write(reduce.finish(acc[l], scale));
                    }
                });
            } else {
                // All results of stride 1 are cheaper than strided loads of every tap.
                in_tiles!(one, size_of::<R::Partial>(), runs.n, room, true, |at, L| {
                    let start = start + at * S;
                    let dst = &mut dst[at..at + L];
                    if L == 1 {
                        let acc = fold_tile::<_, 1>(line, start, 1, parts, combine);
                        dst[0].write(reduce.finish(acc[0], scale));
                    } else if S == 2 {
                        let acc = fold_tile::<_, { 2 * L }>(line, start, 1, parts, combine);
                        let mut all = [reduce.finish(acc[0], scale); 2 * L];
                        for l in 1..2 * L {
                            all[l] = reduce.finish(acc[l], scale);
                        }
                        let kept = even_and_odd::<_, { 2 * L }, L>(&all).0;
                        for l in 0..L {
                            dst[l].write(kept[l]);
                        }
                    } else {
                        let acc = fold_tile::<_, { 4 * L }>(line, start, 1, parts, combine);
                        let mut all = [reduce.finish(acc[0], scale); 4 * L];
                        for l in 1..4 * L {
                            all[l] = reduce.finish(acc[l], scale);
                        }
                        // Through memory: the compiler would take twice split vectors to pieces.
                        let half = black_box(even_and_odd::<_, { 4 * L }, { 2 * L }>(&all).0);
                        let kept = even_and_odd::<_, { 2 * L }, L>(&half).0;
                        for l in 0..L {
                            dst[l].write(kept[l]);
                        }
                    }
                });
            }
            start += runs.run_step;
            readable = readable.saturating_sub(runs.run_step / stride);
        }
    }

    /// What windows are put together from, and how many parts are used. Levels are computed for
    /// one row at a time.
    #[inline(always)]
    fn parts(&self) -> (Parts, usize) {
        let slide = self.slide;
        let mut parts = [Taps::NONE; 4];
        if slide.levels.count == 0 {
            return (parts, 1);
        }
        let step = slide.levels.step * slide.lanes;
        let groups = slide.levels.groups();
        for (part, group) in parts.iter_mut().zip(&groups) {
            let base = match group.level {
                0 => 0,
                level => slide.levels_at + (level as usize - 1) * slide.pitch - self.rows[0].line,
            };
            *part = Taps {
                start: base + group.tap * step,
                step: step * Levels::RADIX.pow(group.level),
                count: group.count,
            };
        }
        (parts, groups.len())
    }

    /// Windows without elements.
    #[inline(always)]
    fn nothing(&self, row: &OutputRow, stretch: &Stretch, scale: R::Scale) {
        let runs = self.slide.runs(stretch, self.apart);
        let nothing = self.reduce.finish(self.reduce.identity(), scale);
        for r in 0..runs.runs {
            let at = row.out + runs.out + r as isize * runs.out_step;
            // SAFETY: the sweep hands every output position to one task only.
            unsafe { self.out.run(at, runs.n) }.fill(MaybeUninit::new(nothing));
        }
    }
}

/// Reduces windows of two columns that follow one another without overlap or gap, straight from the
/// input: nothing is used twice, so nothing is kept in a line.
struct FoldPairs<'a, T, R: Reduce<T>> {
    reduce: R,
    src: &'a [T],
    band: &'a Band,
    slide: &'a Slide<'a>,
    out: Shared<T>,
}

impl<T: Copy, R: Reduce<T>> Work for FoldPairs<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, src, band, slide, out } = self;
        let stretch = &slide.stretches[0];
        let n = stretch.outputs;
        for (fold, row) in band.folds.iter().zip(&band.rows) {
            let scale = reduce.scale(slide.divisor(stretch, row));
            let taps = &band.taps[fold.first..fold.end];
            let start = fold.src.wrapping_add_signed(band.src_base);
            let readable = src.len().saturating_sub(start.wrapping_add_signed(fold.reach)) / 2;
            let at = band.out_base + row.out + stretch.output as isize;
            let room = slide.room(row, stretch.output as isize).max(n);
            // SAFETY: the sweep hands every output position to one task only, which writes all of
            // the room in the order of the rows.
            let dst = unsafe { out.run(at, room) };
            in_tiles!(one, size_of::<R::Partial>(), n, room.min(readable), true, |at, L| {
                let first = start.wrapping_add(2 * at);
                let dst = &mut dst[at..at + L];
                let columns = first_rows(reduce, src, first, taps, fold.reach);
                let (even, odd) = even_and_odd::<_, { 2 * L }, L>(&columns);
                for l in 0..L {
                    dst[l].write(reduce.finish(reduce.combine(even[l], odd[l]), scale));
                }
            });
        }
    }
}

/// Reduces windows of neighbouring columns so long that independent partial results pay: they keep
/// the adders busy, and errors small.
struct FoldInParts<'a, T, R: Reduce<T>> {
    reduce: R,
    line: &'a [R::Partial],
    rows: &'a [OutputRow],
    bases: Bases,
    slide: &'a Slide<'a>,
    out: Shared<T>,
}

impl<T: Copy, R: Reduce<T>> Work for FoldInParts<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        for row in self.rows {
            let row = &self.bases.shift(row);
            for stretch in self.slide.stretches.iter().filter(|stretch| stretch.in_parts) {
                let scale = self.reduce.scale(self.slide.divisor(stretch, row));
                self.window(row, stretch, scale);
            }
        }
    }
}

impl<T: Copy, R: Reduce<T>> FoldInParts<'_, T, R> {
    #[inline(always)]
    fn window(&self, row: &OutputRow, stretch: &Stretch, scale: R::Scale) {
        let (reduce, lanes) = (self.reduce, self.slide.lanes);
        let window = &self.line[row.line + stretch.start * lanes..][..stretch.taps * lanes];
        let at = row.out + stretch.output as isize * self.slide.out_stride;
        // SAFETY: the sweep hands every output position to one task only.
        let dst = unsafe { self.out.run(at, lanes) };
        if lanes == 1 {
            let (rounds, rest) = window.as_chunks::<PARTS>();
            let mut parts = [reduce.identity(); PARTS];
            for round in rounds {
                for l in 0..PARTS {
                    parts[l] = reduce.combine(parts[l], round[l]);
                }
            }
            let parts = parts.iter().chain(rest);
            let total = parts.fold(reduce.identity(), |total, &part| reduce.combine(total, part));
            dst[0].write(reduce.finish(total, scale));
            return;
        }
        let rounds = window.chunks_exact(PARTS * lanes);
        let rest = rounds.remainder();
        in_tiles!(one, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
            let mut total = [reduce.identity(); L];
            let mut add = |part: &[R::Partial]| {
                for l in 0..L {
                    total[l] = reduce.combine(total[l], part[l]);
                }
            };
            for part in 0..PARTS {
                let mut sum = [reduce.identity(); L];
                for round in rounds.clone() {
                    let round = &round[part * lanes + at..][..L];
                    for l in 0..L {
                        sum[l] = reduce.combine(sum[l], round[l]);
                    }
                }
                add(&sum);
            }
            rest.chunks_exact(lanes).for_each(|column| add(&column[at..at + L]));
            let dst = &mut dst[at..at + L];
            for l in 0..L {
                dst[l].write(reduce.finish(total[l], scale));
            }
        });
    }
}
