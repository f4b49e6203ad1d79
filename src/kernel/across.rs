//! Long windows along folded rows whose columns have lanes, from column to column: maxima in two scans, what
//! [`Scan`](super::plan::Scan) is for rows, and sums by doublings, in the order of [`Levels`].

use std::ops::RangeInclusive;

use smallvec::SmallVec;

use super::band::Band;
use super::fold::Fold;
use super::line::{Levels, Slide};
use super::scales::{RowScales, StretchScales};
use super::slide::Along;
use super::tile::{combined, in_tiles, onto, write_tile};
use crate::reduce::Reduce;
use crate::simd::{Work, dispatch, load_tile, store_tile, turn_by_turn};
use crate::view::Shared;

/// Doublings that there is a kernel for: a window of eight columns, the shortest with levels, has three, and
/// few have windows that are worth five.
pub(super) const DOUBLINGS: RangeInclusive<u32> = 3..=4;

/// Slides across folded rows of lanes, with what is behind them in the line as scratch.
pub(super) fn slide<T: Copy + Default + Send + Sync, R: Reduce<T>>(
    Fold { reduce, level }: Fold<R>,
    line: &mut [R::Partial],
    band: &Band,
    slide: &Slide<'_>,
    out: Shared<T>,
) {
    let (along, kept) = Along::in_line(reduce, line, band, slide, out);
    match const { (R::FREQUENT, R::IDEMPOTENT, R::PREFERS_NUMBERS) } {
        (true, true, true) if slide.numbers => {
            dispatch(level, Across::<T, R, 0, true> { along, kept });
        }
        (true, true, _) => dispatch(level, Across::<T, R, 0, false> { along, kept }),
        (true, false, _) => match slide.levels.count {
            3 => dispatch(level, Across::<T, R, 3, false> { along, kept }),
            4 => dispatch(level, Across::<T, R, 4, false> { along, kept }),
            _ => unreachable!("no others are planned"),
        },
        (false, ..) => unreachable!("not planned"),
    }
}

/// Reduces windows one column apart along rows of partial results to elements: by so many doublings, or by
/// two scans if there are none, of a reduction that may meet an element twice.
struct Across<'a, T, R: Reduce<T>, const DOUBLINGS: usize, const NUMBERS: bool> {
    along: Along<'a, T, R>,
    /// Room for [`Levels::room_across`] tiles.
    kept: &'a mut [R::Partial],
}

/// Windows of `taps` columns, one apart: where the first one starts in the line, where its result goes, and
/// how results become elements.
#[derive(Clone, Copy)]
struct Windows<'a, S> {
    count: usize,
    taps: usize,
    start: usize,
    out: isize,
    scales: StretchScales<'a, S>,
}

/// What a window is put together from: columns that a level has made one, which one that is, and how many
/// columns before the last of the window it ends.
type Parts = SmallVec<[[usize; 2]; 8]>;

impl<T: Copy + Default, R: Reduce<T>, const DOUBLINGS: usize, const NUMBERS: bool> Work
    for Across<'_, T, R, DOUBLINGS, NUMBERS>
{
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let Along { reduce, line, rows, bases, slide, .. } = self.along;
        let lanes = slide.lanes;
        let parts = if DOUBLINGS == 0 { Parts::new() } else { parts(&slide.levels) };
        let mut scales = RowScales::new(slide.divisor);
        for row in rows {
            let table = scales.of(reduce, slide.counts, 1, row.count);
            for stretch in slide.alike {
                let (count, taps) = (stretch.outputs, stretch.taps);
                let start = row.line.wrapping_add_signed(bases.line) + stretch.start * lanes;
                assert!(start + (count + taps - 1) * lanes <= line.len(), "the line holds windows");
                let out = bases.out + row.out + stretch.output as isize * slide.out_stride;
                let scale = reduce.scale(slide.divisor(stretch.count, row));
                let scales = StretchScales::new(scale, table, count);
                let windows = Windows { count, taps, start, out, scales };
                in_tiles!(two, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
                    match const { DOUBLINGS } {
                        0 => self.scanned::<L>(&windows, at),
                        _ => self.doubled::<L>(&windows, &parts, at),
                    }
                });
            }
        }
    }
}

impl<T: Copy + Default, R: Reduce<T>, const DOUBLINGS: usize, const NUMBERS: bool>
    Across<'_, T, R, DOUBLINGS, NUMBERS>
{
    /// The results of `L` lanes from lane `at` on.
    #[inline(always)]
    fn scanned<const L: usize>(&mut self, windows: &Windows<'_, R::Scale>, at: usize) {
        let Along { reduce, line, slide, .. } = self.along;
        let &Windows { count, taps, start, out, scales } = windows;
        let scale = scales.same();
        assert!(taps * L <= self.kept.len(), "room for a window");
        for first in (0..count).step_by(taps) {
            let block = start + first * slide.lanes + at;
            let mut acc = [reduce.identity(); L];
            let (mut from, mut to) = (block + taps * slide.lanes, taps * L);
            for _ in 0..taps {
                turn_by_turn();
                (from, to) = (from - slide.lanes, to - L);
                // SAFETY: looked at before.
                unsafe {
                    acc = combined::<T, R, L, NUMBERS>(reduce, load_tile(line, from), acc);
                    store_tile(self.kept, to, acc);
                }
            }
            let mut to = out + first as isize * slide.out_stride + at as isize;
            self.write::<L>(to, acc, scale);
            let mut from = block + taps * slide.lanes;
            let mut acc = [reduce.identity(); L];
            for tap in 1..taps.min(count - first) {
                turn_by_turn();
                to += slide.out_stride;
                // SAFETY: looked at before.
                let whole = unsafe {
                    acc = combined::<T, R, L, NUMBERS>(reduce, acc, load_tile(line, from));
                    combined::<T, R, L, NUMBERS>(reduce, load_tile(self.kept, tap * L), acc)
                };
                self.write::<L>(to, whole, scale);
                from += slide.lanes;
            }
        }
    }

    /// The same by doublings: what ends with a column is kept for as long as windows may ask for it.
    #[inline(always)]
    fn doubled<const L: usize>(
        &mut self,
        windows: &Windows<'_, R::Scale>,
        parts: &Parts,
        at: usize,
    ) {
        let Along { reduce, line, slide, .. } = self.along;
        let &Windows { count, taps, start, out, scales } = windows;
        // Columns of a level are kept in turn, as many as a power of two.
        let room = taps.next_power_of_two();
        assert!(DOUBLINGS * room * L <= self.kept.len(), "room for all levels");
        // Where levels are, and parts of a window, and how far before its last column those are kept.
        let level = |doublings: usize| (doublings - 1) * room * L;
        let place = |column: usize, before: usize| column.wrapping_sub(before) & (room * L - 1);
        let single = parts.last() == Some(&[0, 0]);
        let kept = parts[..parts.len() - usize::from(single)].iter();
        let kept: Parts = kept.map(|&[level_of, until]| [level(level_of), until * L]).collect();
        let [first, others @ ..] = &kept[..] else { return };
        assert!(kept.iter().all(|&[level_of, _]| level_of <= level(DOUBLINGS)), "all are kept");
        let (mut from, mut before) = (start + at, start + at);
        let mut to = out + at as isize;
        for column in 0..count + taps - 1 {
            turn_by_turn();
            // SAFETY: looked at before.
            let last: [R::Partial; L] = unsafe { load_tile(line, from) };
            // SAFETY: as above.
            let mut earlier: [R::Partial; L] = unsafe { load_tile(line, before) };
            (before, from) = (from, from + slide.lanes);
            let (o, column) = ((column + 1).checked_sub(taps), column * L);
            let mut sum = last;
            for doublings in 1..=DOUBLINGS {
                onto::<T, R, L, NUMBERS>(reduce, &mut earlier, &sum);
                sum = earlier;
                // SAFETY: looked at above. What no column was before is not asked for.
                unsafe {
                    store_tile(self.kept, level(doublings) + place(column, 0), sum);
                    if doublings < DOUBLINGS {
                        let at = level(doublings) + place(column, L << doublings);
                        earlier = load_tile(self.kept, at);
                    }
                }
            }
            let Some(o) = o else { continue };
            let kept = |[level, until]: [usize; 2]| level + place(column, until);
            // SAFETY: looked at above.
            let mut whole: [R::Partial; L] = unsafe { load_tile(self.kept, kept(*first)) };
            for &part in others {
                turn_by_turn();
                // SAFETY: as above.
                let part = unsafe { load_tile(self.kept, kept(part)) };
                onto::<T, R, L, NUMBERS>(reduce, &mut whole, &part);
            }
            if single {
                onto::<T, R, L, NUMBERS>(reduce, &mut whole, &last);
            }
            let [scale] = scales.tile(o);
            self.write::<L>(to, whole, scale);
            to += slide.out_stride;
        }
    }

    /// Writes the results of `L` lanes of a column.
    #[inline(always)]
    fn write<const L: usize>(&self, to: isize, partials: [R::Partial; L], scale: R::Scale) {
        let results = self.along.reduce.finish_tile(partials, [scale; L]);
        // SAFETY: the sweep hands every output position to one task only.
        write_tile(unsafe { self.along.out.run(to, L) }, results);
    }
}

/// The parts of a window, from its first column on.
fn parts(levels: &Levels) -> Parts {
    let mut parts = Parts::new();
    for group in levels.groups() {
        let (level, long) = (group.level as usize, levels.radix.pow(group.level));
        let after = levels.kernel - group.tap;
        parts.extend((1..=group.count).map(|i| [level, after - i * long]));
    }
    parts
}
