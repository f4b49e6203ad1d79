//! Windows of few taps along folded rows: what most networks pool by, with nothing left to be looked
//! up per row; and those of pictures whose channels are last and few.

use std::mem::MaybeUninit;

use super::line::{Apart, Stretch};
use super::slide::Along;
use super::tile::{onto, tiles, with_lanes, write_tile};
use crate::reduce::Reduce;
use crate::simd::{Work, load_tile, turn_by_turn};
use crate::view::even_and_odd;

/// Reduces windows of `K` taps, `S` (one or two) elements apart, along rows of partial results.
pub(crate) struct FoldFew<'a, T, R: Reduce<T>, const S: usize, const K: usize> {
    pub(crate) along: Along<'a, T, R>,
    pub(crate) stretch: &'a Stretch,
    pub(crate) apart: Apart,
}

impl<T: Copy, R: Reduce<T>, const S: usize, const K: usize> Work for FoldFew<'_, T, R, S, K> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        with_lanes!(size_of::<R::Partial>(), |L| {
            let n = self.along.slide.runs(self.stretch, self.apart).n;
            match S {
                1 => self.rows::<L, L>(),
                _ if n <= L / 2 => self.rows::<L, { L / 2 }>(),
                _ => self.rows::<{ 2 * L }, L>(),
            }
        });
    }
}

impl<T: Copy, R: Reduce<T>, const S: usize, const K: usize> FoldFew<'_, T, R, S, K> {
    /// Reduces tiles of `N` neighbouring windows, of which `L` are kept.
    #[inline(always)]
    fn rows<const N: usize, const L: usize>(self) {
        let Self { along: Along { reduce, line, rows, bases, slide, out }, stretch, apart } = self;
        let (runs, step) = (slide.runs(stretch, apart), stretch.step * slide.lanes);
        let (n, reach) = (runs.n, runs.start + (K - 1) * step);
        let whole = n.div_ceil(L) * L;
        let mut scale = reduce.scale(slide.divisor(stretch.count, &rows[0]));
        let mut count = rows[0].count;
        for row in rows {
            if row.count != count {
                (scale, count) = (reduce.scale(slide.divisor(stretch.count, row)), row.count);
            }
            let combine = |earlier, later| reduce.combine(earlier, later);
            let finish = |acc: [R::Partial; N], dst: &mut [MaybeUninit<T>; L]| {
                let mut kept = [acc[0]; L];
                match S {
                    1 => kept.copy_from_slice(&acc[..L]),
                    _ => kept = even_and_odd(&acc).0,
                }
                for l in 0..L {
                    dst[l].write(reduce.finish(kept[l], scale));
                }
            };
            let at = row.line.wrapping_add_signed(bases.line);
            let readable = line.len().saturating_sub(at.wrapping_add(reach)) / S;
            let room = slide.room(row, runs.out).max(n);
            // SAFETY: the sweep hands every output position to one task only, which writes all of
            // the room in the order of the rows.
            let dst = unsafe { out.run(bases.out + row.out + runs.out, room) };
            let line = &line[at + runs.start..];
            let room = room.min(readable);
            let (mut from, mut done) = (0, if whole <= room { whole } else { n.min(room) / L * L });
            loop {
                let tiles = dst[from..done].as_chunks_mut::<L>().0;
                few_taps::<_, K, N, L, _>(&line[from * S..], step, tiles, combine, finish);
                if done >= n || n < L || n > room {
                    break;
                }
                // The last tile repeats results of the one before.
                (from, done) = (n - L, n);
            }
            for l in done..n {
                let taps = (1..K).map(|k| line[l * S + k * step]);
                dst[l].write(reduce.finish(taps.fold(line[l * S], combine), scale));
            }
        }
    }
}

/// Tiles of `L` results, finished from tiles of `N` neighbouring windows of `K` taps each.
#[inline(always)]
fn few_taps<P: Copy, const K: usize, const N: usize, const L: usize, D>(
    line: &[P],
    step: usize,
    dst: &mut [[D; L]],
    combine: impl Fn(P, P) -> P,
    finish: impl Fn([P; N], &mut [D; L]),
) {
    let n = dst.len();
    let mut taps = [tiles::<P, N>(line, 0, n); K];
    for k in 1..K {
        taps[k] = tiles(line, k * step, n);
    }
    for i in 0..n {
        turn_by_turn();
        let mut acc = taps[0][i];
        for k in 1..K {
            for l in 0..N {
                acc[l] = combine(acc[l], taps[k][i][l]);
            }
        }
        finish(acc, &mut dst[i]);
    }
}

/// Reduces windows of `K` taps of no more than `L` lanes each, all of them at once: what is written
/// too much is written again by the window after it.
pub(crate) struct FoldThin<'a, T, R: Reduce<T>, const L: usize, const K: usize> {
    pub(crate) along: Along<'a, T, R>,
    pub(crate) stretch: &'a Stretch,
}

impl<T: Copy + Default, R: Reduce<T>, const L: usize, const K: usize> Work
    for FoldThin<'_, T, R, L, K>
{
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { along: Along { reduce, line, rows, bases, slide, out }, stretch } = self;
        let (lanes, outputs) = (slide.lanes, stretch.outputs);
        let (stride, step) = (slide.stride * lanes, stretch.step * lanes);
        let first = stretch.output as isize * slide.out_stride;
        for row in rows {
            let scale = reduce.scale(slide.divisor(stretch.count, row));
            let room = slide.room(row, first).max(outputs * lanes);
            // SAFETY: the sweep hands every output position to one task only, which writes all of
            // the room in the order of the rows.
            let dst = unsafe { out.run(bases.out + row.out + first, room) };
            let line = &line[row.line.wrapping_add_signed(bases.line) + stretch.start * lanes..];
            let fitting = |len: usize, reach: usize, step: usize| {
                len.checked_sub(reach).map_or(0, |rest| rest / step + 1)
            };
            let whole = fitting(line.len(), (K - 1) * step + L, stride);
            let whole = outputs.min(whole).min(fitting(room, L, lanes));
            for o in 0..whole {
                turn_by_turn();
                // SAFETY: that many windows have `L` lanes of every tap in the line.
                let mut acc: [R::Partial; L] = unsafe { load_tile(line, o * stride) };
                for k in 1..K {
                    // SAFETY: as above.
                    let tap = unsafe { load_tile(line, o * stride + k * step) };
                    onto::<T, R, L, false>(reduce, &mut acc, &tap);
                }
                let results = reduce.finish_tile(acc, [scale; L]);
                write_tile(&mut dst[o * lanes..], results);
            }
            for o in whole..outputs {
                for l in 0..lanes {
                    let tap = |k: usize| line[o * stride + k * step + l];
                    let acc = (1..K).fold(tap(0), |acc, k| reduce.combine(acc, tap(k)));
                    dst[o * lanes + l].write(reduce.finish(acc, scale));
                }
            }
        }
    }
}
