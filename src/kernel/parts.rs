//! Long windows along folded rows, reduced in [`PARTS`] that do not wait for one another.

use std::hint::black_box;
use std::mem::MaybeUninit;

use super::band::OutputRow;
use super::line::{PARTS, Stretch};
use super::slide::{Along, Source};
use super::tile::{Vectors, combined, in_tiles, loaded, with_lanes, write_tile};
use crate::reduce::Reduce;
use crate::simd::{Work, load_tile, store_tile, turn_by_turn};

/// Reduces windows of neighbouring columns so long that independent partial results pay: they keep
/// the adders busy, and errors small.
pub(crate) struct FoldInParts<'a, T, R: Reduce<T>, S: Source<T, R>>(pub(crate) Along<'a, T, R, S>);

impl<T: Copy + Default, R: Reduce<T>, S: Source<T, R>> Work for FoldInParts<'_, T, R, S> {
    #[inline(always)]
    fn run<const V: usize>(self) {
        let Along { reduce, rows, bases, slide, .. } = self.0;
        for row in rows {
            let row = &bases.shift(row);
            for stretch in slide.stretches.iter().filter(|stretch| stretch.in_parts) {
                let scale = reduce.scale(slide.divisor(stretch.count, row));
                self.window::<V>(row, stretch, scale);
            }
        }
    }
}

impl<T: Copy + Default, R: Reduce<T>, S: Source<T, R>> FoldInParts<'_, T, R, S> {
    #[inline(always)]
    fn window<const V: usize>(&self, row: &OutputRow, stretch: &Stretch, scale: R::Scale) {
        let Along { reduce, line, slide, out, .. } = self.0;
        let lanes = slide.lanes;
        let window = &line[row.line + stretch.start * lanes..][..stretch.taps * lanes];
        let at = row.out + stretch.output as isize * slide.out_stride;
        // SAFETY: the sweep hands every output position to one task only.
        let dst = unsafe { out.run(at, lanes) };
        if lanes == 1 {
            let (rounds, rest) = window.as_chunks::<PARTS>();
            let mut parts = [reduce.identity(); PARTS];
            for round in rounds {
                turn_by_turn();
                for l in 0..PARTS {
                    parts[l] = reduce.combine(parts[l], S::partial(reduce, round[l]));
                }
            }
            let mut total = reduce.identity();
            for part in parts {
                total = reduce.combine(total, part);
            }
            for &item in rest {
                total = reduce.combine(total, S::partial(reduce, item));
            }
            dst[0].write(reduce.finish(total, scale));
            return;
        }
        with_lanes!(size_of::<R::Partial>(), |L| if lanes < L {
            return self.few_lanes::<V, L>(window, scale, dst);
        });
        let rounds = window.chunks_exact(PARTS * lanes);
        let rest = rounds.remainder();
        in_tiles!(one, size_of::<R::Partial>(), lanes, lanes, true, |at, L| {
            let mut total = [reduce.identity(); L];
            for part in 0..PARTS {
                let mut sum = [reduce.identity(); L];
                for round in rounds.clone() {
                    turn_by_turn();
                    let round = &round[part * lanes + at..][..L];
                    for l in 0..L {
                        sum[l] = reduce.combine(sum[l], S::partial(reduce, round[l]));
                    }
                }
                for l in 0..L {
                    total[l] = reduce.combine(total[l], sum[l]);
                }
            }
            for column in rest.chunks_exact(lanes) {
                let column = &column[at..at + L];
                for l in 0..L {
                    total[l] = reduce.combine(total[l], S::partial(reduce, column[l]));
                }
            }
            let results = reduce.finish_tile(total, [scale; L]);
            write_tile(&mut dst[at..], results);
        });
    }

    /// The same for fewer lanes than `L`: the parts of all are neighbours, which whole vectors are of.
    #[inline(always)]
    fn few_lanes<const V: usize, const L: usize>(
        &self,
        window: &[S::Item],
        scale: R::Scale,
        dst: &mut [MaybeUninit<T>],
    ) {
        let (reduce, lanes) = (self.0.reduce, dst.len());
        let rounds = window.chunks_exact(PARTS * lanes);
        let rest = rounds.remainder();
        // Of each part, and room for a vector from the last one on.
        let mut parts = Vectors([[reduce.identity(); L]; PARTS + 1]);
        let parts = parts.0.as_flattened_mut();
        for round in rounds {
            for at in (0..round.len()).step_by(PARTS) {
                turn_by_turn();
                // SAFETY: a round has as many elements as there are in parts of fewer lanes than have room.
                unsafe {
                    let items: [S::Item; PARTS] = load_tile(round, at);
                    let mut partials = [reduce.identity(); PARTS];
                    for l in 0..PARTS {
                        partials[l] = S::partial(reduce, items[l]);
                    }
                    let part = loaded::<V, _, PARTS>(parts, at);
                    store_tile(parts, at, combined::<T, R, PARTS, false>(reduce, part, partials));
                }
            }
        }
        let mut total = [reduce.identity(); L];
        let mut add = |parts: &[R::Partial], count: usize| {
            for column in 0..count {
                turn_by_turn();
                // SAFETY: there is room for a vector from the last one on.
                let part = unsafe { load_tile(parts, column * lanes) };
                total = combined::<T, R, L, false>(reduce, total, part);
            }
        };
        add(parts, PARTS);
        for (part, &item) in parts.iter_mut().zip(rest) {
            *part = S::partial(reduce, item);
        }
        add(parts, rest.len() / lanes);
        // Moved: what memory keeps is not what is written as a vector.
        let results = black_box(reduce.finish_tile(total, [scale; L]));
        for (dst, result) in dst.iter_mut().zip(results) {
            dst.write(result);
        }
    }
}
