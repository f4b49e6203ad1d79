//! Windows of two by two, two apart: pairs of rows are reduced as they are read, and pairs of
//! columns in registers. Nothing is folded into a line.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::ahead::ask_ahead;
use super::grid::{Grid, Part};
use super::planes::offsets;
use super::tile::{are_numbers, combined, load_traced, traced, with_lanes, write_tile};
use super::tiled::Tiled;
use crate::View;
use crate::reduce::{Reduce, combine};
use crate::simd::{Work, load_tile, turn_by_turn};
use crate::view::{Shared, even_and_odd};

/// Reduces such windows.
pub(super) struct Pairs<'a, 'v, T, R: Reduce<T>> {
    pub(super) reduce: R,
    pub(super) problem: &'a Tiled<R::Scale>,
    pub(super) bands: Range<usize>,
    pub(super) input: &'a View<'v, T>,
    pub(super) out: Shared<T>,
}

impl<T: Copy + Default, R: Reduce<T>> Work for Pairs<'_, '_, T, R> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let grid = &self.problem.grid;
        let columns = 0..grid.columns.outputs;
        with_lanes!(size_of::<R::Partial>(), |L| {
            for band in self.bands.clone() {
                if grid.columns.whole.len() <= L / 2 {
                    self.band::<L, { L / 2 }>(band, &columns);
                } else {
                    self.band::<{ 2 * L }, L>(band, &columns);
                }
            }
        });
    }
}

impl<T: Copy + Default, R: Reduce<T>> Pairs<'_, '_, T, R> {
    /// Reduces the windows of a band, `L` of them from `N` columns at a time; first as if all elements
    /// were numbers, if that takes less time.
    #[inline(always)]
    fn band<const N: usize, const L: usize>(&self, band: usize, columns: &Range<usize>) {
        let mut numbers = R::PREFERS_NUMBERS;
        if R::PREFERS_NUMBERS {
            for part in self.problem.parts(band, columns) {
                numbers &= self.part::<N, L, true>(&part);
            }
        }
        if !numbers {
            for part in self.problem.parts(band, columns) {
                self.part::<N, L, false>(&part);
            }
        }
    }

    /// Reduces the windows of a part; gives whether that was right: not if `NUMBERS` was said of
    /// others.
    #[inline(always)]
    fn part<const N: usize, const L: usize, const NUMBERS: bool>(&self, part: &Part) -> bool {
        let (reduce, Grid { planes, rows, columns, .. }) = (self.reduce, &self.problem.grid);
        let [offset, plane] = offsets(planes, part.plane);
        let at = self.input.origin().wrapping_add_signed(offset);
        let (n, whole) = (columns.whole.len(), columns.whole.start);
        // Where the windows that are not clipped start along a row, and what vectors reach.
        let skipped = (2 * whole).saturating_sub(columns.before);
        let reach = skipped + 2 * if n < L { L } else { n };
        let last = self.input.data().len().checked_sub(reach);
        // Where the two rows of an output row start: one that stands for one outside is met twice.
        let pair = |o: usize| {
            let taken = rows.clipped(&(o..o + 1));
            let row = |row: usize| at.wrapping_add_signed(row as isize * rows.input);
            ([row(taken.start), row(taken.end - 1)], taken.len() == 2)
        };
        let whole_rows = |o: usize| n > 0 && (R::IDEMPOTENT || pair(o).1);
        let fits = |o: usize| {
            let ([above, below], _) = pair(o);
            whole_rows(o)
                && n.max(part.room_from(o) - whole) >= L
                && last.is_some_and(|last| above.max(below) <= last)
        };
        let place = |o: usize| {
            let out = plane + o as isize * rows.output + whole as isize;
            (pair(o).0.map(|at| at + skipped), o * columns.outputs + whole, out)
        };
        let mut met = [reduce.identity(); N];
        // Whole rows, as far as they fit: those between two that fit do. The others are runs of one.
        let mut plain = rows.whole.start.max(part.rows.start)..rows.whole.end.min(part.rows.end);
        while !(plain.is_empty() || fits(plain.start) && fits(plain.end - 1)) {
            plain.end -= 1;
        }
        let mut o = part.rows.start;
        while o < part.rows.end {
            let run = if o == plain.start && !plain.is_empty() { plain.clone() } else { o..o + 1 };
            let in_vectors = run.len() > 1 || fits(o);
            let is_short = !in_vectors && n < L && whole_rows(o);
            if is_short {
                let (rows, scale, dst) = place(o);
                // SAFETY: every task has bands of its own.
                let dst = unsafe { self.out.run(dst, n) };
                self.short::<N, L, NUMBERS>(rows, scale, dst, &mut met);
            }
            if in_vectors {
                let ([mut above, mut below], mut scale, mut dst) = place(o);
                for _ in run.clone() {
                    // SAFETY: looked at just now.
                    unsafe {
                        self.vectors::<N, L, NUMBERS>([above, below], n, scale, dst, &mut met);
                    }
                    above = above.wrapping_add_signed(2 * rows.input);
                    below = below.wrapping_add_signed(2 * rows.input);
                    (scale, dst) = (scale + columns.outputs, dst + rows.output);
                }
            }
            let in_one = in_vectors || is_short;
            if !in_one || n < columns.outputs {
                let done = if in_one { columns.whole.clone() } else { 0..0 };
                for o in run.clone() {
                    let out = plane + o as isize * rows.output;
                    self.row::<NUMBERS>([at, o], out, done.clone(), &mut met[0]);
                }
            }
            o = run.end;
        }
        !NUMBERS || are_numbers(reduce, &met)
    }

    /// The results of `n` windows of a row, from output number `o` of the plane on, which lie at `out`:
    /// the first of them starts at `above` and `below`.
    ///
    /// # Safety
    /// There is at least one, and what vectors of `N` columns reach lies in the array.
    #[inline(always)]
    unsafe fn vectors<const N: usize, const L: usize, const NUMBERS: bool>(
        &self,
        [above, below]: [usize; 2],
        n: usize,
        o: usize,
        out: isize,
        met: &mut [R::Partial; N],
    ) {
        let (reduce, src) = (self.reduce, self.input.data());
        let mut column = 0;
        loop {
            turn_by_turn();
            let (upper, lower) = (above + 2 * column, below + 2 * column);
            ask_ahead::<T, N>(src, upper);
            ask_ahead::<T, N>(src, lower);
            // SAFETY: the caller's promise.
            let (upper, lower) = unsafe {
                (
                    load_traced::<T, R, N, NUMBERS>(reduce, src, upper, met),
                    load_traced::<T, R, N, NUMBERS>(reduce, src, lower, met),
                )
            };
            let results = self.results::<N, L, NUMBERS>(upper, lower, o + column);
            // SAFETY: every task has bands of its own, whose rows it writes in order.
            let dst = unsafe { self.out.run(out + column as isize, L) };
            write_tile(dst, results);
            if column + L >= n {
                return;
            }
            column = (column + L).min(n - L);
        }
    }

    /// The results of fewer windows than a vector of them, from copies of their rows: what vectors of
    /// `N` columns reach need not lie in the array.
    #[inline(always)]
    fn short<const N: usize, const L: usize, const NUMBERS: bool>(
        &self,
        rows: [usize; 2],
        o: usize,
        dst: &mut [MaybeUninit<T>],
        met: &mut [R::Partial; N],
    ) {
        let reduce = self.reduce;
        let mut copies = [[T::default(); N]; 2];
        for (copy, at) in copies.iter_mut().zip(rows) {
            copy[..2 * dst.len()].copy_from_slice(&self.input.data()[at..][..2 * dst.len()]);
        }
        let [upper, lower] = copies.map(|copy| reduce.load_tile(copy));
        for row in [&upper, &lower] {
            *met = traced::<T, R, N, NUMBERS>(reduce, *met, row);
        }
        let results = self.results::<N, L, NUMBERS>(upper, lower, o);
        for (dst, result) in dst.iter_mut().zip(results) {
            dst.write(result);
        }
    }

    /// The results of `L` windows of two rows, from output number `o` of the plane on.
    #[inline(always)]
    fn results<const N: usize, const L: usize, const NUMBERS: bool>(
        &self,
        upper: [R::Partial; N],
        lower: [R::Partial; N],
        o: usize,
    ) -> [T; L] {
        let reduce = self.reduce;
        let folded = combined::<T, R, N, NUMBERS>(reduce, upper, lower);
        let (even, odd) = even_and_odd::<_, N, L>(&folded);
        let results = combined::<T, R, L, NUMBERS>(reduce, even, odd);
        let (scales, at) = self.problem.scales.at(o);
        // SAFETY: there are scales for all outputs, and for a vector more.
        let scale: [R::Scale; L] = unsafe { load_tile(scales, at) };
        reduce.finish_tile(results, scale)
    }

    /// The results of output row `o` of the plane at `at` but for those that are done, one by one.
    fn row<const NUMBERS: bool>(
        &self,
        [at, o]: [usize; 2],
        out: isize,
        done: Range<usize>,
        met: &mut R::Partial,
    ) {
        let (reduce, src, Grid { rows, columns, .. }) =
            (self.reduce, self.input.data(), &self.problem.grid);
        let taken = rows.clipped(&(o..o + 1));
        for column in (0..columns.outputs).filter(|column| !done.contains(column)) {
            let mut sum = reduce.identity();
            for tap in columns.clipped(&(column..column + 1)) {
                let mut of_column = reduce.identity();
                for row in taken.clone() {
                    let at = at.wrapping_add_signed(row as isize * rows.input) + tap;
                    let element = reduce.load(src[at]);
                    if NUMBERS {
                        *met = reduce.traced(*met, element);
                    }
                    of_column = combine::<T, R, NUMBERS>(reduce, of_column, element);
                }
                sum = combine::<T, R, NUMBERS>(reduce, sum, of_column);
            }
            let (scales, scale) = self.problem.scales.at(o * columns.outputs + column);
            // SAFETY: as above.
            let dst = unsafe { self.out.run(out + column as isize, 1) };
            dst[0].write(reduce.finish(sum, scales[scale]));
        }
    }
}
