//! Sums of long windows along folded rows, in the order of [`Levels`](super::line::Levels): of pairs of
//! neighbours, pairs of those, and so on.
//!
//! A vector of sums of two, four, ... neighbours is made of one of half as many and of the next one, moved.
//! Sums of as many as a vector has are kept in the line; what a window has beyond those comes of the others
//! while they are in registers.

use std::mem::MaybeUninit;

use super::band::{Band, OutputRow};
use super::fold::Fold;
use super::line::{Apart, Levels, Runs, Slide, Stretch};
use super::scales::{RowScales, StretchScales};
use super::slide::Along;
use super::tile::{VECTOR_BYTES, combined, in_tiles, onto, with_lanes, write_tile};
use crate::Level;
use crate::reduce::Reduce;
use crate::simd::{
    Work, dispatch, in_one, load_tile, moved, moves_halves, moves_lanes, store_tile, turn_by_turn,
};
use crate::view::Shared;

/// The most neighbours that every sum is doubled to: those that fill a vector, or, of sums of bytes, half
/// of one.
pub(super) const fn most<P>() -> usize {
    let lanes = VECTOR_BYTES / size_of::<P>();
    if lanes < 16 { lanes } else { 16 }
}

/// Whether there is a kernel for such sums: instructions that move elements of their size.
const fn is_known<T, R: Reduce<T>>() -> bool {
    R::COMMON && !R::IDEMPOTENT && matches!(size_of::<R::Partial>(), 4 | 8)
}

/// Whether windows along rows are summed here: neighbours whose sums stay in registers.
pub(super) fn is_for<T, R: Reduce<T>>(level: Level, slide: &Slide<'_>) -> bool {
    let known = const { is_known::<T, R>() };
    let most = const { most::<R::Partial>() };
    // Halves of vectors take twice as many registers: of sixteen elements more than there are.
    let enough = if most == 8 { moves_halves(level) } else { moves_lanes(level) };
    let Levels { count, kernel, step, .. } = slide.levels;
    let neighbours = slide.apart(true, false) == Apart::One && step * slide.lanes == 1;
    known && enough && neighbours && count == kernel.min(most).ilog2()
}

/// Slides along folded rows whose results are neighbours, with what is behind them in the line as scratch.
pub(super) fn slide<T: Copy + Default + Send + Sync, R: Reduce<T>>(
    Fold { reduce, level }: Fold<R>,
    line: &mut [R::Partial],
    band: &Band,
    slide: &Slide<'_>,
    out: Shared<T>,
) {
    let (along, levels) = Along::in_line(reduce, line, band, slide, out);
    match const { is_known::<T, R>() } {
        true => dispatch(level, FoldPairwise { along, levels }),
        false => unreachable!("not planned"),
    }
}

/// Sums windows of neighbouring elements along rows of partial results to elements.
struct FoldPairwise<'a, T, R: Reduce<T>> {
    along: Along<'a, T, R>,
    /// Room for levels of a row.
    levels: &'a mut [R::Partial],
}

impl<T: Copy + Default, R: Reduce<T>> Work for FoldPairwise<'_, T, R> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let Along { reduce, rows, slide, .. } = self.along;
        let mut scales = RowScales::new(slide.divisor);
        for row in rows {
            let table = scales.of(reduce, slide.counts, 1, row.count);
            for stretch in slide.alike {
                let scale = reduce.scale(slide.divisor(stretch.count, row));
                self.stretch::<V>(row, stretch, StretchScales::new(scale, table, stretch.outputs));
            }
        }
    }
}

impl<T: Copy + Default, R: Reduce<T>> FoldPairwise<'_, T, R> {
    #[inline(always)]
    fn stretch<const V: usize>(
        &mut self,
        row: &OutputRow,
        stretch: &Stretch,
        scales: StretchScales<'_, R::Scale>,
    ) {
        let Along { line, slide, bases, out, .. } = self.along;
        let Runs { start, n, out: first, .. } = slide.runs(stretch, Apart::One);
        let room = slide.room(row, first).max(n);
        // SAFETY: the sweep hands every output position to one task only, which writes all of the room in
        // the order of the rows.
        let dst = unsafe { out.run(bases.out + row.out + first, room) };
        let line = &line[row.line.wrapping_add_signed(bases.line) + start..];
        with_lanes!(size_of::<R::Partial>(), |L| self.row::<V, L>(line, n, scales, dst));
    }

    /// The `n` results of a row, if vectors have `L` elements.
    #[inline(always)]
    fn row<const V: usize, const L: usize>(
        &mut self,
        line: &[R::Partial],
        n: usize,
        scales: StretchScales<'_, R::Scale>,
        dst: &mut [MaybeUninit<T>],
    ) {
        let Along { reduce, slide, .. } = self.along;
        // Sums of whole vectors that a window has, and what it has of the next one.
        let kernel = slide.levels.kernel;
        let (whole, rest) = (kernel / L, kernel % L);
        let (wide, late) = const { (L == 16, L.ilog2() as usize) };
        let vectors = n.div_ceil(L) + whole;
        let last = line.len() - L;
        assert!(n + kernel + L <= line.len() + 1 && n <= dst.len(), "the line has room");
        assert!((vectors + 1) * L <= self.levels.len(), "levels have room");
        let zero = [reduce.identity(); L];
        // SAFETY: looked at above.
        let mut one: [R::Partial; L] = unsafe { load_tile(line, 0) };
        // The sums of so many, as many vectors behind the one that is being made.
        let (mut two_1, mut two_2, mut two_3) = (zero, zero, zero);
        let (mut four_1, mut four_2, mut eight_1) = (zero, zero, zero);
        macro_rules! double {
            ($here:ident, $next:ident, $by:literal) => {
                // SAFETY: the level's vectors have as many bytes as a tile.
                unsafe {
                    let later =
                        if $by == L { $next } else { moved::<V, _, L>(&$here, &$next, $by) };
                    in_one::<V, _, L>(combined::<T, R, L, false>(reduce, $here, later))
                }
            };
        }
        for i in 1..vectors + late {
            turn_by_turn();
            // SAFETY: looked at above. Nothing is asked of what is behind the last element.
            let next: [R::Partial; L] = unsafe { load_tile(line, (i * L).min(last)) };
            let next_two = double!(one, next, 1);
            let next_four = double!(two_1, next_two, 2);
            let mut sums = double!(four_1, next_four, 4);
            let next_eight = sums;
            if wide {
                sums = double!(eight_1, next_eight, 8);
            }
            if let Some(at) = i.checked_sub(late) {
                // What is whole was made for windows before; what they have of this vector comes of those
                // that it was made of.
                if let Some(o) = at.checked_sub(whole) {
                    let mut acc = zero;
                    for part in o..at {
                        turn_by_turn();
                        // SAFETY: looked at above.
                        let part = unsafe { load_tile(self.levels, part * L) };
                        onto::<T, R, L, false>(reduce, &mut acc, &part);
                    }
                    // SAFETY: the level's vectors have as many bytes as a tile.
                    unsafe {
                        if wide && rest & 8 > 0 {
                            onto::<T, R, L, false>(reduce, &mut acc, &eight_1);
                        }
                        if rest & 4 > 0 {
                            let part = match rest & 8 {
                                0 if wide => four_2,
                                _ if wide => moved::<V, _, L>(&four_2, &four_1, 8),
                                _ => four_1,
                            };
                            onto::<T, R, L, false>(reduce, &mut acc, &part);
                        }
                        if rest & 2 > 0 {
                            let [here, next] =
                                if wide { [&two_3, &two_2] } else { [&two_2, &two_1] };
                            let part = match rest & 12 {
                                0 => *here,
                                4 => moved::<V, _, L>(here, next, 4),
                                8 if wide => moved::<V, _, L>(here, next, 8),
                                _ if wide => moved::<V, _, L>(here, next, 12),
                                _ => unreachable!("less than a vector"),
                            };
                            onto::<T, R, L, false>(reduce, &mut acc, &part);
                        }
                        if rest & 1 > 0 {
                            // SAFETY: windows end in the line.
                            let part = load_tile(line, (at * L + rest - 1).min(last));
                            onto::<T, R, L, false>(reduce, &mut acc, &part);
                        }
                    }
                    // They take the place of sums that no other window asks for.
                    // SAFETY: as above.
                    unsafe { store_tile(self.levels, o * L, acc) };
                }
                if whole > 0 {
                    // SAFETY: as above.
                    unsafe { store_tile(self.levels, at * L, sums) };
                }
            }
            (two_3, two_2, two_1) = (two_2, two_1, next_two);
            (four_2, four_1, eight_1, one) = (four_1, next_four, next_eight, next);
        }
        in_tiles!(two, size_of::<R::Partial>(), n, dst.len(), true, |at, L| {
            // SAFETY: looked at above.
            let sums: [R::Partial; L] = unsafe { load_tile(self.levels, at) };
            write_tile(&mut dst[at..], reduce.finish_tile(sums, scales.tile(at)));
        });
    }
}
