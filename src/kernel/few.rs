//! Windows of few taps along folded rows: what most networks pool by, with nothing left to be looked
//! up per row.

use std::mem::MaybeUninit;

use super::band::{Bases, OutputRow};
use super::line::{Apart, Slide, Stretch};
use super::tile::{tiles, with_lanes};
use crate::reduce::Reduce;
use crate::simd::{Work, turn_by_turn};
use crate::view::{Shared, even_and_odd};

/// Reduces windows of `K` taps, `S` (one or two) elements apart, along rows of partial results.
pub(crate) struct FoldFew<'a, T, R: Reduce<T>, const S: usize, const K: usize> {
    pub(crate) reduce: R,
    pub(crate) line: &'a [R::Partial],
    pub(crate) rows: &'a [OutputRow],
    pub(crate) bases: Bases,
    pub(crate) slide: &'a Slide<'a>,
    pub(crate) stretch: &'a Stretch,
    pub(crate) apart: Apart,
    pub(crate) out: Shared<T>,
}

impl<T: Copy, R: Reduce<T>, const S: usize, const K: usize> Work for FoldFew<'_, T, R, S, K> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, line, rows, bases, slide, stretch, apart, out } = self;
        let (runs, step) = (slide.runs(stretch, apart), stretch.step * slide.lanes);
        let (n, reach) = (runs.n, runs.start + (K - 1) * step);
        let mut scale = reduce.scale(slide.divisor(stretch, &rows[0]));
        let mut count = rows[0].count;
        for row in rows {
            if row.count != count {
                (scale, count) = (reduce.scale(slide.divisor(stretch, row)), row.count);
            }
            let at = row.line.wrapping_add_signed(bases.line);
            let readable = line.len().saturating_sub(at.wrapping_add(reach)) / S;
            let room = slide.room(row, runs.out).max(n);
            // SAFETY: the sweep hands every output position to one task only, which writes all of
            // the room in the order of the rows.
            let dst = unsafe { out.run(bases.out + row.out + runs.out, room) };
            let room = room.min(readable);
            let start = at + runs.start;
            let combine = |earlier, later| reduce.combine(earlier, later);
            with_lanes!(size_of::<R::Partial>(), |L| {
                let finish = |acc: [R::Partial; L], dst: &mut [MaybeUninit<T>; L]| {
                    for l in 0..L {
                        dst[l].write(reduce.finish(acc[l], scale));
                    }
                };
                let finish_even = |acc: [R::Partial; 2 * L], dst: &mut [MaybeUninit<T>; L]| {
                    finish(even_and_odd::<_, { 2 * L }, L>(&acc).0, dst);
                };
                let whole = n.div_ceil(L) * L;
                let tiled = if whole <= room { whole } else { n.min(room) / L * L };
                // The last tile repeats results of the one before.
                let again = (tiled < n && n <= room && n >= L).then(|| n - L);
                for (from, n) in [(0, tiled / L), (again.unwrap_or(0), again.map_or(0, |_| 1))] {
                    let line = &line[start + from * S..];
                    let dst = dst[from..from + n * L].as_chunks_mut::<L>().0;
                    if S == 1 {
                        few_taps::<_, K, L, L, _>(line, step, dst, combine, finish);
                    } else {
                        few_taps::<_, K, { 2 * L }, L, _>(line, step, dst, combine, finish_even);
                    }
                }
                let rest = if again.is_some() { n } else { tiled };
                for l in rest..n {
                    let at = start + l * S;
                    let taps = (1..K).map(|k| line[at + k * step]);
                    dst[l].write(reduce.finish(taps.fold(line[at], combine), scale));
                }
            });
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
