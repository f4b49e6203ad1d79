//! Reducing windows along folded rows: the second half of [`fold`](super::fold).

use std::hint::black_box;
use std::mem::MaybeUninit;

use super::band::{Band, Bases, OutputRow};
use super::doubled::fold_level;
use super::line::{Apart, Runs, Slide, Stretch, single_taps};
use super::scales::{RowScales, StretchScales};
use super::tile::{VECTOR_BYTES, Vectors, are_numbers, in_tiles, with_lanes, write_tile};
use crate::reduce::{Reduce, combine};
use crate::simd::{Work, load_tile, turn_by_turn};
use crate::view::{Shared, even_and_odd};

/// `L` elements from `at` on, `stride` apart.
///
/// # Safety
/// If there are several, `L` times `stride` elements can be read from there on.
#[inline(always)]
unsafe fn load_strided<P: Copy, const L: usize>(line: &[P], at: usize, stride: usize) -> [P; L] {
    if L > 1 && stride == 1 {
        // SAFETY: the caller's promise.
        return unsafe { load_tile(line, at) };
    }
    // Whole vectors of strided elements.
    let elements = &line[at..][..if L == 1 { 1 } else { L * stride }];
    let mut tile = [elements[0]; L];
    for l in 0..L {
        tile[l] = elements[l * stride];
    }
    tile
}

/// `L` results `stride` elements apart, each of the taps in their order; the first one's window
/// starts at `at`.
///
/// # Safety
/// If there are several results, `L` times `stride` elements can be read of every tap.
#[inline(always)]
unsafe fn fold_tile<P: Copy, const L: usize>(
    line: &[P],
    at: usize,
    stride: usize,
    taps: &[usize],
    combine: impl Fn(P, P) -> P,
) -> [P; L] {
    // SAFETY: the caller's promise.
    let mut acc = unsafe { load_strided::<P, L>(line, at.wrapping_add(taps[0]), stride) };
    for &tap in &taps[1..] {
        turn_by_turn();
        // SAFETY: as above.
        let tile = unsafe { load_strided::<P, L>(line, at.wrapping_add(tap), stride) };
        for l in 0..L {
            acc[l] = combine(acc[l], tile[l]);
        }
    }
    acc
}

/// Reduces windows of every length that is a level's, at every column of rows that follow one
/// another; what comes of columns of two rows is not used.
pub(crate) struct FoldLevels<'a, T, R: Reduce<T>, const NUMBERS: bool> {
    pub(crate) reduce: R,
    /// The rows, and two vectors more.
    pub(crate) folded: &'a [R::Partial],
    pub(crate) levels: &'a mut [R::Partial],
    pub(crate) columns: usize,
    pub(crate) slide: &'a Slide<'a>,
}

impl<T: Copy, R: Reduce<T>, const NUMBERS: bool> Work for FoldLevels<'_, T, R, NUMBERS> {
    const FOR_ALL: bool = !NUMBERS;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { reduce, folded, levels, mut columns, slide } = self;
        let mut source = folded;
        let radix = slide.levels.radix;
        let (mut step, mut rest) = (slide.levels.step * slide.lanes, levels);
        for _ in 0..slide.levels.count {
            let (level, others) = rest.split_at_mut(slide.level_len);
            columns = columns.saturating_sub((radix - 1) * step);
            with_lanes!(size_of::<R::Partial>(), |L| {
                const TWO: usize = 2 * L;
                let taps = [radix, step];
                fold_level::<V, T, R, TWO, NUMBERS>(reduce, source, level, taps, columns);
            });
            (source, rest) = (level, others);
            step *= radix;
        }
    }
}

/// Looks whether all partial results of a row are surely numbers.
pub(crate) struct LookForNumbers<'a, T, R: Reduce<T>> {
    pub(crate) reduce: R,
    pub(crate) row: &'a [R::Partial],
    pub(crate) numbers: &'a mut bool,
}

impl<T, R: Reduce<T>> Work for LookForNumbers<'_, T, R> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { reduce, row, numbers } = self;
        let mut met = Vectors([reduce.identity(); VECTOR_BYTES]);
        // In memory, as the loop would carry single lanes of it.
        let met = black_box(&mut met);
        let (tiles, rest) = row.as_chunks::<VECTOR_BYTES>();
        for tile in tiles {
            turn_by_turn();
            for l in 0..VECTOR_BYTES {
                met.0[l] = reduce.traced(met.0[l], tile[l]);
            }
        }
        for (trace, &partial) in met.0.iter_mut().zip(rest) {
            *trace = reduce.traced(*trace, partial);
        }
        *numbers = are_numbers(reduce, &met.0);
    }
}

/// What windows are reduced from.
pub(crate) trait Source<T, R: Reduce<T>>: Copy {
    type Item: Copy;
    /// Whether items lie in the input.
    const IN_PLACE: bool;
    /// An item as a partial result.
    fn partial(reduce: R, item: Self::Item) -> R::Partial;
}

/// Rows of partial results.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folded;

impl<T, R: Reduce<T>> Source<T, R> for Folded {
    type Item = R::Partial;
    const IN_PLACE: bool = false;

    #[inline(always)]
    fn partial(_reduce: R, item: R::Partial) -> R::Partial {
        item
    }
}

/// Rows of the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elements;

impl<T: Copy, R: Reduce<T>> Source<T, R> for Elements {
    type Item = T;
    const IN_PLACE: bool = true;

    #[inline(always)]
    fn partial(reduce: R, item: T) -> R::Partial {
        reduce.load(item)
    }
}

/// Rows of partial results or elements, and the outputs that windows along them become.
#[derive(Clone, Copy)]
pub(crate) struct Along<'a, T, R: Reduce<T>, S: Source<T, R> = Folded> {
    pub(crate) reduce: R,
    pub(crate) line: &'a [S::Item],
    pub(crate) rows: &'a [OutputRow],
    pub(crate) bases: Bases,
    pub(crate) slide: &'a Slide<'a>,
    pub(crate) out: Shared<T>,
}

impl<'a, T, R: Reduce<T>> Along<'a, T, R> {
    /// Folded rows of a line, and what is behind them there.
    pub(super) fn in_line(
        reduce: R,
        line: &'a mut [R::Partial],
        band: &'a Band,
        slide: &'a Slide<'a>,
        out: Shared<T>,
    ) -> (Self, &'a mut [R::Partial]) {
        let (line, behind) = line.split_at_mut(slide.levels_at);
        let (rows, bases) = (&band.rows[..], band.bases(slide.in_place));
        (Self { reduce, line, rows, bases, slide, out }, behind)
    }
}

/// Reduces windows along rows of partial results to elements.
pub(crate) struct FoldRuns<'a, T, R: Reduce<T>, const S: usize, const NUMBERS: bool = false> {
    pub(crate) along: Along<'a, T, R>,
    pub(crate) apart: Apart,
    /// Kept from one call of a band to the next.
    pub(crate) scales: &'a mut RowScales<R::Scale>,
}

impl<T: Copy + Default, R: Reduce<T>, const S: usize, const NUMBERS: bool> Work
    for FoldRuns<'_, T, R, S, NUMBERS>
{
    const FOR_ALL: bool = S < 2 && !NUMBERS;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { along, apart, scales } = self;
        let Along { reduce, rows, slide, .. } = along;
        let (mut taps, mut step) = (slide.level_taps(rows), 0);
        let mut walked: Option<(&Stretch, Runs, usize)> = None;
        // Outputs that are divided by different numbers may be computed alike.
        let has_table = Self::HAS_TABLE && apart == Apart::One;
        let stretches = if has_table { slide.alike } else { slide.stretches };
        let several = stretches.len() > 1;
        for row in rows {
            let table = match has_table {
                true => scales.of(reduce, slide.counts, slide.lanes, row.count),
                false => &[],
            };
            for stretch in stretches.iter().filter(|stretch| !stretch.in_parts) {
                // Most rows have one stretch, whose walk is the same in all of them.
                if several || walked.is_none() {
                    if slide.levels.count == 0
                        && (step != stretch.step || taps.len() < stretch.taps)
                    {
                        step = stretch.step;
                        taps = single_taps(stretch.taps, step.wrapping_mul(slide.lanes));
                    }
                    let n = if slide.levels.count == 0 { stretch.taps } else { taps.len() };
                    let runs = slide.runs(stretch, apart);
                    walked = Some((stretch, runs, n));
                }
                let Some((stretch, runs, n)) = walked else { continue };
                let scale = reduce.scale(slide.divisor(stretch.count, row));
                let scales = StretchScales::new(scale, table, runs.n);
                if stretch.taps == 0 {
                    Self::nothing(&along, row, runs, scale);
                } else {
                    Self::stretch(&along, row, runs, &taps[..n], scales);
                }
            }
        }
    }
}

impl<T: Copy + Default, R: Reduce<T>, const S: usize, const NUMBERS: bool>
    FoldRuns<'_, T, R, S, NUMBERS>
{
    /// Whether scales may be in a table.
    const HAS_TABLE: bool = S == 1 && R::COMMON && !R::IDEMPOTENT;

    #[inline(always)]
    fn stretch(
        along: &Along<'_, T, R>,
        row: &OutputRow,
        runs: Runs,
        taps: &[usize],
        scales: StretchScales<'_, R::Scale>,
    ) {
        let scale = scales.same();
        let &Along { reduce, line, slide, bases, out: results, .. } = along;
        let stride = if S == 0 { slide.stride } else { S };
        let at = row.line.wrapping_add_signed(bases.line);
        let mut start = at + runs.start;
        let last = taps.iter().max().unwrap_or(&0);
        let mut readable = line.len().saturating_sub(start.wrapping_add(*last)) / stride;
        for r in 0..runs.runs {
            let out = runs.out + r as isize * runs.out_step;
            let room = slide.room(row, out).max(runs.n);
            // SAFETY: the sweep hands every output position to one task only, which writes all of
            // the room in the order of the rows.
            let dst = unsafe { results.run(bases.out + row.out + out, room) };
            let room = room.min(readable);
            let combine = |earlier, later| combine::<T, R, NUMBERS>(reduce, earlier, later);
            if const { S == 1 } {
                in_tiles!(two, size_of::<R::Partial>(), runs.n, room, true, |at, L| {
                    // SAFETY: that much is readable.
                    let acc = unsafe { fold_tile::<_, L>(line, start + at, 1, taps, combine) };
                    write_tile(&mut dst[at..], reduce.finish_tile(acc, scales.tile(at)));
                });
            } else if const { S == 0 } {
                // Single elements are picked here: results that nobody wants cost as much as others.
                let room = room.min(runs.n);
                in_tiles!(one, size_of::<R::Partial>(), runs.n, room, true, |at, L| {
                    // SAFETY: that much is readable.
                    let acc = unsafe {
                        fold_tile::<_, L>(line, start + at * stride, stride, taps, combine)
                    };
                    let results = reduce.finish_tile(acc, [scale; L]);
                    write_tile(&mut dst[at..], results);
                });
            } else {
                // All results of stride 1 are cheaper than strided loads of every tap.
                in_tiles!(one, size_of::<R::Partial>(), runs.n, room, true, |at, L| {
                    let start = start + at * S;
                    let dst = &mut dst[at..at + L];
                    if L == 1 {
                        // SAFETY: that much is readable.
                        let acc = unsafe { fold_tile::<_, 1>(line, start, 1, taps, combine) };
                        dst[0].write(reduce.finish(acc[0], scale));
                    } else if S == 2 {
                        // SAFETY: that much is readable.
                        let acc =
                            unsafe { fold_tile::<_, { 2 * L }>(line, start, 1, taps, combine) };
                        let mut all = [reduce.finish(acc[0], scale); 2 * L];
                        for l in 0..2 * L {
                            all[l] = reduce.finish(acc[l], scale);
                        }
                        let kept = even_and_odd::<_, { 2 * L }, L>(&all).0;
                        write_tile(dst, kept);
                    } else {
                        // SAFETY: that much is readable.
                        let acc =
                            unsafe { fold_tile::<_, { 4 * L }>(line, start, 1, taps, combine) };
                        let mut all = [reduce.finish(acc[0], scale); 4 * L];
                        for l in 0..4 * L {
                            all[l] = reduce.finish(acc[l], scale);
                        }
                        // Through memory: the compiler would take twice split vectors to pieces.
                        let half = black_box(even_and_odd::<_, { 4 * L }, { 2 * L }>(&all).0);
                        let kept = even_and_odd::<_, { 2 * L }, L>(&half).0;
                        write_tile(dst, kept);
                    }
                });
            }
            start += runs.run_step;
            readable = readable.saturating_sub(runs.run_step / stride);
        }
    }

    /// Windows without elements.
    #[inline(always)]
    fn nothing(along: &Along<'_, T, R>, row: &OutputRow, runs: Runs, scale: R::Scale) {
        let &Along { reduce, bases, out, .. } = along;
        let nothing = reduce.finish(reduce.identity(), scale);
        for r in 0..runs.runs {
            let at = bases.out + row.out + runs.out + r as isize * runs.out_step;
            // SAFETY: the sweep hands every output position to one task only.
            unsafe { out.run(at, runs.n) }.fill(MaybeUninit::new(nothing));
        }
    }
}

/// Whether no two windows of neighbouring outputs are alike, as those of adaptive pooling are not, and each
/// is one of neighbouring columns.
pub(super) fn are_single(slide: &Slide<'_>) -> bool {
    let is_single =
        |one: &Stretch| (one.outputs, one.step, one.in_parts) == (1, 1, false) && one.taps > 0;
    let one_by_one = slide.lanes == 1 && slide.levels.count == 0 && slide.stretches.len() > 1;
    one_by_one && slide.stretches.iter().all(is_single)
}

/// Windows that are reduced side by side: one alone waits for itself.
const TOGETHER: usize = 4;

/// Reduces such windows: each has so little to do that nothing else may be asked for it.
pub(super) fn fold_singles<T: Copy, R: Reduce<T>>(along: &Along<'_, T, R>) {
    for row in along.rows {
        let (groups, rest) = along.slide.stretches.as_chunks::<TOGETHER>();
        for group in groups {
            fold_group(along, row, group);
        }
        for one in rest {
            fold_group(along, row, std::array::from_ref(one));
        }
    }
}

/// Reduces `N` windows of a row.
#[inline(always)]
fn fold_group<T: Copy, R: Reduce<T>, const N: usize>(
    along: &Along<'_, T, R>,
    row: &OutputRow,
    group: &[Stretch; N],
) {
    let &Along { reduce, line, bases, slide, out, .. } = along;
    let row = bases.shift(row);
    let common = group.iter().map(|one| one.taps).min().unwrap_or(0);
    let window = |k: usize| &line[row.line + group[k].start..][..group[k].taps];
    let windows: [_; N] = std::array::from_fn(|k| window(k).split_at(common));
    let mut acc: [_; N] = std::array::from_fn(|k| windows[k].0[0]);
    for tap in 1..common {
        for k in 0..N {
            acc[k] = reduce.combine(acc[k], windows[k].0[tap]);
        }
    }
    for k in 0..N {
        for &tap in windows[k].1 {
            acc[k] = reduce.combine(acc[k], tap);
        }
        let scale = reduce.scale(slide.divisor(group[k].count, &row));
        let at = row.out + group[k].output as isize * slide.out_stride;
        // SAFETY: the sweep hands every output position to one task only.
        let dst = unsafe { out.run(at, 1) };
        dst[0].write(reduce.finish(acc[k], scale));
    }
}

/// The outputs of all rows, where they and what they are slid along follow one another.
pub(super) fn one_row(band: &Band, slide: &Slide<'_>) -> Option<Stretch> {
    let ([stretch], [first, .., last]) = (slide.stretches, &band.rows[..]) else { return None };
    let outputs = (band.rows.len() - 1) * stretch.outputs;
    let alike = slide.rows_in_one
        && !stretch.in_parts
        && first.room == outputs + stretch.outputs
        && last.out - first.out == outputs as isize
        && band.rows.iter().all(|row| row.count == first.count);
    alike.then_some(Stretch { outputs: outputs + stretch.outputs, ..*stretch })
}
