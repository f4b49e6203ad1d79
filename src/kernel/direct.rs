//! Pairs that share nothing: reduced straight from the input, for nothing is used twice.

use super::ahead::ask_ahead;
use super::band::{Band, RowTap};
use super::line::Slide;
use super::tile::{in_tiles, load_checked, onto, write_tile};
use crate::reduce::Reduce;
use crate::simd::Work;
use crate::view::{Shared, even_and_odd};

/// Folds `N` neighbours of every row, those of a row without offset being at `at`.
#[inline(always)]
fn folded_rows<T: Copy, R: Reduce<T>, const N: usize>(
    reduce: R,
    src: &[T],
    at: usize,
    taps: &[RowTap],
) -> [R::Partial; N] {
    let load = |tap: &RowTap| {
        let at = at.wrapping_add_signed(tap.offset);
        // No other window has asked for it.
        ask_ahead::<T, N>(src, at);
        load_checked::<T, R, N>(reduce, src, at)
    };
    let mut acc = load(&taps[0]);
    for tap in &taps[1..] {
        onto::<T, R, N, false>(reduce, &mut acc, &load(tap));
    }
    acc
}

/// Reduces windows of two columns that follow one another without overlap or gap.
pub(crate) struct FoldPairs<'a, T, R: Reduce<T>> {
    pub(crate) reduce: R,
    pub(crate) src: &'a [T],
    pub(crate) band: &'a Band,
    pub(crate) slide: &'a Slide<'a>,
    pub(crate) out: Shared<T>,
}

impl<T: Copy + Default, R: Reduce<T>> Work for FoldPairs<'_, T, R> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { reduce, src, band, slide, out } = self;
        let stretch = &slide.stretches[0];
        let n = stretch.outputs;
        for (fold, row) in band.folds.iter().zip(&band.rows) {
            let scale = reduce.scale(slide.divisor(stretch.count, row));
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
                let columns = folded_rows(reduce, src, first, taps);
                let (mut sums, odd) = even_and_odd::<_, { 2 * L }, L>(&columns);
                onto::<T, R, L, false>(reduce, &mut sums, &odd);
                let results = reduce.finish_tile(sums, [scale; L]);
                write_tile(&mut dst[at..], results);
            });
        }
    }
}
