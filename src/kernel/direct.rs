//! Windows that share nothing: reduced straight from the input, for nothing is used twice.

use super::band::{Band, RowTap};
use super::fold::{ask_ahead, fold_rows};
use super::line::Slide;
use super::tile::in_tiles;
use crate::reduce::Reduce;
use crate::simd::Work;
use crate::view::{Shared, even_and_odd};
use crate::window::Rule;

/// Folds `N` neighbours of every row, those of a row without offset being at `at`.
#[inline(always)]
fn first_rows<T: Copy, R: Reduce<T>, const N: usize>(
    reduce: R,
    src: &[T],
    at: usize,
    taps: &[RowTap],
    reach: isize,
) -> [R::Partial; N] {
    let at_first = at.wrapping_add_signed(taps[0].offset);
    ask_ahead::<T, N>(src, at_first);
    let first = &src[at_first..][..N];
    let mut acc = [reduce.load(first[0]); N];
    for l in 0..N {
        acc[l] = reduce.load(first[l]);
    }
    fold_rows(reduce, acc, src, at, &taps[1..], reach)
}

/// Reduces windows of two columns that follow one another without overlap or gap.
pub(crate) struct FoldPairs<'a, T, R: Reduce<T>> {
    pub(crate) reduce: R,
    pub(crate) src: &'a [T],
    pub(crate) band: &'a Band,
    pub(crate) slide: &'a Slide<'a>,
    pub(crate) out: Shared<T>,
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

/// Reduces windows of any columns, all lanes of a window together.
pub(crate) struct FoldLanes<'a, T, R: Reduce<T>> {
    pub(crate) reduce: R,
    pub(crate) src: &'a [T],
    pub(crate) band: &'a Band,
    pub(crate) slide: &'a Slide<'a>,
    pub(crate) out: Shared<T>,
}

impl<T: Copy, R: Reduce<T>> Work for FoldLanes<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, src, band, slide, out } = self;
        let Rule::Sliding { kernel, .. } = slide.axis.rule else { return };
        let stretch = &slide.stretches[0];
        for (fold, row) in band.folds.iter().zip(&band.rows) {
            let scale = reduce.scale(slide.divisor(stretch, row));
            let taps = &band.taps[fold.first..fold.end];
            let start = fold.src.wrapping_add_signed(band.src_base);
            for o in 0..stretch.outputs {
                let window =
                    start.wrapping_add_signed((o * slide.stride) as isize * slide.in_stride);
                let to = (stretch.output + o) as isize * slide.out_stride;
                // SAFETY: the sweep hands every output position to one task only.
                let dst = unsafe { out.run(band.out_base + row.out + to, slide.lanes) };
                let n = slide.lanes;
                in_tiles!(two, size_of::<R::Partial>(), n, n, true, |at, L| {
                    let column =
                        |j: usize| window.wrapping_add_signed(j as isize * slide.in_stride) + at;
                    let mut acc = first_rows::<_, _, L>(reduce, src, column(0), taps, fold.reach);
                    for j in 1..kernel {
                        let next = first_rows::<_, _, L>(reduce, src, column(j), taps, fold.reach);
                        for l in 0..L {
                            acc[l] = reduce.combine(acc[l], next[l]);
                        }
                    }
                    let dst = &mut dst[at..at + L];
                    for l in 0..L {
                        dst[l].write(reduce.finish(acc[l], scale));
                    }
                });
            }
        }
    }
}
