//! Windows that share nothing: reduced straight from the input, for nothing is used twice.

use std::mem::MaybeUninit;

use super::band::{Band, RowTap};
use super::fold::ask_ahead;
use super::line::Slide;
use super::tile::{in_tiles, load_checked, load_partials, onto};
use crate::reduce::Reduce;
use crate::simd::Work;
use crate::view::{Shared, even_and_odd};
use crate::window::Rule;

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
                let columns = folded_rows(reduce, src, first, taps);
                let (mut sums, odd) = even_and_odd::<_, { 2 * L }, L>(&columns);
                onto::<T, R, L, false>(reduce, &mut sums, &odd);
                let results = reduce.finish_tile(sums, [scale; L]);
                for l in 0..L {
                    dst[l].write(results[l]);
                }
            });
        }
    }
}

/// Whether all windows are `n` by `n`.
pub(crate) fn are_squares(band: &Band, slide: &Slide<'_>, n: usize) -> bool {
    matches!(slide.axis.rule, Rule::Sliding { kernel, .. } if kernel == n)
        && band.folds.iter().all(|fold| fold.end - fold.first == n)
}

/// Reduces windows of any columns, all lanes of a window together; those of `K` rows and columns,
/// if that is not 0.
pub(crate) struct FoldLanes<'a, T, R: Reduce<T>, const K: usize> {
    pub(crate) reduce: R,
    pub(crate) src: &'a [T],
    pub(crate) band: &'a Band,
    pub(crate) slide: &'a Slide<'a>,
    pub(crate) out: Shared<T>,
}

impl<T: Copy, R: Reduce<T>, const K: usize> Work for FoldLanes<'_, T, R, K> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { reduce, band, slide, out, .. } = self;
        let Rule::Sliding { kernel, .. } = slide.axis.rule else { return };
        let kernel = if K > 0 { K } else { kernel };
        let (stretch, n) = (&slide.stretches[0], slide.lanes);
        for (fold, row) in band.folds.iter().zip(&band.rows) {
            let scale = reduce.scale(slide.divisor(stretch, row));
            let taps = &band.taps[fold.first..fold.end];
            let start = fold.src.wrapping_add_signed(band.src_base);
            self.look(start, taps, (stretch.outputs - 1) * slide.stride + kernel - 1);
            for o in 0..stretch.outputs {
                let window =
                    start.wrapping_add_signed((o * slide.stride) as isize * slide.in_stride);
                let to = (stretch.output + o) as isize * slide.out_stride;
                // SAFETY: the sweep hands every output position to one task only.
                let dst = unsafe { out.run(band.out_base + row.out + to, n) };
                // Lines next to one another are read together: the processor's own prefetching loses
                // its way where every other line is a kilobyte away.
                // Eight short vectors of words are more than there are registers for their sums.
                if const { V < 64 && size_of::<T>() >= 4 } {
                    in_tiles!(two, size_of::<R::Partial>(), n, n, true, |at, L| {
                        let dst = &mut dst[at..at + L];
                        self.tile::<L>(window + at, taps, kernel, scale, dst);
                    });
                } else {
                    in_tiles!(eight, size_of::<R::Partial>(), n, n, true, |at, L| {
                        let dst = &mut dst[at..at + L];
                        self.tile::<L>(window + at, taps, kernel, scale, dst);
                    });
                }
            }
        }
    }
}

impl<T: Copy, R: Reduce<T>, const K: usize> FoldLanes<'_, T, R, K> {
    /// Checks that all lanes of columns 0 to `last` of the rows lie in the array.
    fn look(&self, start: usize, taps: &[RowTap], last: usize) {
        let columns = last as isize * self.slide.in_stride;
        let offsets = || taps.iter().map(|tap| tap.offset);
        let (Some(least), Some(most)) = (offsets().min(), offsets().max()) else { return };
        let first = start.checked_add_signed(least + columns.min(0));
        let last = start.checked_add_signed(most + columns.max(0));
        let fits = last.is_some_and(|last| self.src.len().saturating_sub(last) >= self.slide.lanes);
        assert!(first.is_some() && fits, "windows lie in the array");
    }

    /// `L` results of a window of `kernel` columns, the first of which is at `window`.
    #[inline(always)]
    fn tile<const L: usize>(
        &self,
        window: usize,
        taps: &[RowTap],
        kernel: usize,
        scale: R::Scale,
        dst: &mut [MaybeUninit<T>],
    ) {
        let Self { reduce, slide, .. } = *self;
        let mut acc = self.column::<L>(window, taps);
        for j in 1..kernel {
            let column = window.wrapping_add_signed(j as isize * slide.in_stride);
            onto::<T, R, L, false>(reduce, &mut acc, &self.column(column, taps));
        }
        for l in 0..L {
            dst[l].write(reduce.finish(acc[l], scale));
        }
    }

    /// `L` lanes of a column, reduced over the rows.
    #[inline(always)]
    fn column<const L: usize>(&self, at: usize, taps: &[RowTap]) -> [R::Partial; L] {
        let mut acc = self.load::<L>(at, &taps[0]);
        for k in 1..if K > 0 { K } else { taps.len() } {
            onto::<T, R, L, false>(self.reduce, &mut acc, &self.load(at, &taps[k]));
        }
        acc
    }

    /// `L` lanes of a column in a row.
    #[inline(always)]
    fn load<const L: usize>(&self, column: usize, tap: &RowTap) -> [R::Partial; L] {
        let at = column.wrapping_add_signed(tap.offset);
        ask_ahead::<T, L>(self.src, at);
        // SAFETY: looked at before.
        unsafe { load_partials::<T, R, L>(self.reduce, self.src, at) }
    }
}
