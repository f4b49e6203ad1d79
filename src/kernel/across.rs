//! Long windows along folded rows whose columns have lanes, in two scans across the columns: what
//! [`Scan`](super::plan::Scan) is for rows.

use super::band::Band;
use super::fold::Fold;
use super::line::Slide;
use super::slide::Along;
use super::tile::{combined, in_tiles, write_tile};
use crate::reduce::Reduce;
use crate::simd::{Work, dispatch, load_tile, store_tile, turn_by_turn};
use crate::view::Shared;

/// Slides along folded rows of lanes in two scans, with what is behind them in the line as scratch.
pub(super) fn slide<T: Copy + Default + Send + Sync, R: Reduce<T>>(
    Fold { reduce, level }: Fold<R>,
    line: &mut [R::Partial],
    band: &Band,
    slide: &Slide<'_>,
    out: Shared<T>,
) {
    let (line, scanned) = line.split_at_mut(slide.levels_at);
    let (rows, bases) = (&band.rows[..], band.bases(slide.in_place));
    let along = Along { reduce, line, rows, bases, slide, out };
    match const { (R::FREQUENT && R::IDEMPOTENT, R::PREFERS_NUMBERS) } {
        (true, true) if slide.numbers => {
            dispatch(level, ScanAcross::<T, R, true> { along, scanned });
        }
        (true, _) => dispatch(level, ScanAcross::<T, R, false> { along, scanned }),
        (false, _) => unreachable!("not planned"),
    }
}

/// Reduces windows one column apart along rows of partial results to elements, by a reduction that may
/// meet an element twice.
struct ScanAcross<'a, T, R: Reduce<T>, const NUMBERS: bool> {
    along: Along<'a, T, R>,
    /// Room for what the scan from a block's end has: a tile for each column of a window.
    scanned: &'a mut [R::Partial],
}

/// Windows of `taps` columns, one apart: where the first one starts in the line, where its result goes,
/// and how results become elements.
#[derive(Clone, Copy)]
struct Windows<S> {
    count: usize,
    taps: usize,
    start: usize,
    out: isize,
    scale: S,
}

impl<T: Copy + Default, R: Reduce<T>, const NUMBERS: bool> Work for ScanAcross<'_, T, R, NUMBERS> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let Along { reduce, line, rows, bases, slide, .. } = self.along;
        let lanes = slide.lanes;
        for row in rows {
            for stretch in slide.stretches {
                let (count, taps) = (stretch.outputs, stretch.taps);
                let start = row.line.wrapping_add_signed(bases.line) + stretch.start * lanes;
                assert!(start + (count + taps - 1) * lanes <= line.len(), "the line holds windows");
                let out = bases.out + row.out + stretch.output as isize * slide.out_stride;
                let scale = reduce.scale(slide.divisor(stretch.count, row));
                let windows = Windows { count, taps, start, out, scale };
                in_tiles!(two, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
                    self.windows::<L>(&windows, at);
                });
            }
        }
    }
}

impl<T: Copy + Default, R: Reduce<T>, const NUMBERS: bool> ScanAcross<'_, T, R, NUMBERS> {
    /// The results of `L` lanes from lane `at` on.
    #[inline(always)]
    fn windows<const L: usize>(&mut self, windows: &Windows<R::Scale>, at: usize) {
        let Along { reduce, line, slide, .. } = self.along;
        let &Windows { count, taps, start, out, scale } = windows;
        assert!(taps * L <= self.scanned.len(), "room for a window");
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
                    store_tile(self.scanned, to, acc);
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
                    combined::<T, R, L, NUMBERS>(reduce, load_tile(self.scanned, tap * L), acc)
                };
                self.write::<L>(to, whole, scale);
                from += slide.lanes;
            }
        }
    }

    /// Writes the results of `L` lanes of a column.
    #[inline(always)]
    fn write<const L: usize>(&self, to: isize, partials: [R::Partial; L], scale: R::Scale) {
        let results = self.along.reduce.finish_tile(partials, [scale; L]);
        // SAFETY: the sweep hands every output position to one task only.
        let dst = unsafe { self.along.out.run(to, L) };
        write_tile(dst, results);
    }
}
