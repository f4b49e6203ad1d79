//! Small square windows: vectors of columns walk down the rows of a band, folding them into a
//! padded line, and then along that. All positions of a part are checked before it is walked.

use std::ops::Range;

use super::planes::offsets;
use super::tile::{load_traced, onto, with_lanes};
use super::tiled::{Part, Tiled};
use crate::View;
use crate::reduce::Reduce;
use crate::simd::{Work, load_tile, prefetch, store_tile, turn_by_turn};
use crate::view::{Shared, even_and_odd};

/// Windows that are folded together, with the rows they share.
const ROWS: usize = 4;

/// Reduces windows of `K` by `K` elements, `S` apart.
pub(super) struct Walk<'a, 'v, T, R: Reduce<T>, const K: usize, const S: usize> {
    pub(super) reduce: R,
    pub(super) problem: &'a Tiled<R::Scale>,
    pub(super) bands: Range<usize>,
    pub(super) input: &'a View<'v, T>,
    pub(super) out: Shared<T>,
    /// All identities.
    pub(super) line: &'a mut [R::Partial],
    /// For a plane that ends where the array does.
    pub(super) staged: &'a mut Vec<T>,
}

impl<T: Copy + Default, R: Reduce<T>, const K: usize, const S: usize> Work
    for Walk<'_, '_, T, R, K, S>
{
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run(mut self) {
        with_lanes!(size_of::<R::Partial>(), |L| {
            for band in self.bands.clone() {
                for columns in self.problem.strips() {
                    if R::PREFERS_NUMBERS
                        && self.band::<L, { 2 * L }, { L / 2 }, true>(band, &columns)
                    {
                        continue;
                    }
                    self.band::<L, { 2 * L }, { L / 2 }, false>(band, &columns);
                }
            }
        });
    }
}

impl<T: Copy + Default, R: Reduce<T>, const K: usize, const S: usize> Walk<'_, '_, T, R, K, S> {
    /// Reduces the windows of a band in a strip in vectors of `L` elements, of `TWICE` and `HALF` as
    /// many for single steps; gives whether that was right: not if `NUMBERS` was said of others.
    #[inline(always)]
    fn band<const L: usize, const TWICE: usize, const HALF: usize, const NUMBERS: bool>(
        &mut self,
        band: usize,
        columns: &Range<usize>,
    ) -> bool {
        let mut numbers = true;
        for part in self.problem.parts(band, columns) {
            numbers &= self.fold::<L, NUMBERS>(&part);
        }
        if numbers {
            for part in self.problem.parts(band, columns) {
                match S {
                    1 => self.slide::<L, L, NUMBERS>(&part),
                    _ if columns.len() <= L / 2 => self.slide::<L, HALF, NUMBERS>(&part),
                    _ => self.slide::<TWICE, L, NUMBERS>(&part),
                }
            }
        }
        numbers
    }

    /// Folds the rows of a part into the line; gives whether that was right: not if `NUMBERS` was
    /// said of others.
    #[inline(always)]
    fn fold<const L: usize, const NUMBERS: bool>(&mut self, part: &Part) -> bool {
        let problem = self.problem;
        let inside = problem.columns.clipped(&part.columns);
        let before = problem.columns.padding(part.columns.start);
        let to = part.done * problem.pitch;
        let rows = part.rows.len();
        assert!(to + rows * problem.pitch + 2 * L <= self.line.len(), "the line holds a band");
        if !problem.is_one_strip() {
            // Another strip has been where the padding is.
            for row in self.line[to..].chunks_mut(problem.pitch).take(rows) {
                row[..before].fill(self.reduce.identity());
                row[before + inside.len()..].fill(self.reduce.identity());
            }
        }
        let place = self.place::<L>(part.plane, &inside);
        self.columns::<L, NUMBERS>(part, place, to + before, inside.len())
    }

    /// Where columns of a plane lie: position 0 is their first element in row 0. All vectors of
    /// them can be read.
    #[inline(always)]
    fn place<const L: usize>(&mut self, plane: usize, columns: &Range<usize>) -> Place {
        let (rows, width) = (&self.problem.rows, columns.len());
        let [offset, _] = offsets(&self.problem.planes, plane);
        let at = self.input.origin().wrapping_add_signed(offset) + columns.start;
        let last = at.wrapping_add_signed((rows.len as isize - 1) * rows.input);
        let data = self.input.data();
        let room = data.len().saturating_sub(at.max(last));
        assert!(room >= width, "planes lie in the array");
        if room >= L {
            return Place { staged: false, at, step: rows.input };
        }
        // Vectors would read past the end of the array.
        self.staged.clear();
        self.staged.resize(rows.len * L, T::default());
        for (i, row) in self.staged.chunks_exact_mut(L).enumerate() {
            let at = at.wrapping_add_signed(i as isize * rows.input);
            row[..width].copy_from_slice(&data[at..at + width]);
        }
        Place { staged: true, at: 0, step: L as isize }
    }

    /// Folds the rows of `width` columns into the line, from element `to` on.
    #[inline(always)]
    fn columns<const L: usize, const NUMBERS: bool>(
        &mut self,
        part: &Part,
        place: Place,
        to: usize,
        width: usize,
    ) -> bool {
        let (reduce, rows, pitch) = (self.reduce, &self.problem.rows, self.problem.pitch);
        let src = if place.staged { &self.staged[..] } else { self.input.data() };
        // Outputs whose windows are not clipped.
        let whole = rows.whole.start.max(part.rows.start)..rows.whole.end.min(part.rows.end);
        let (mut column, mut numbers) = (0, true);
        let walk = Rows::<T, R, K, S, NUMBERS> { reduce, src, step: place.step };
        loop {
            let mut met = [reduce.identity(); L];
            let (at, to) = (place.at + column, to + column);
            let mut o = part.rows.start;
            while o < part.rows.end {
                turn_by_turn();
                if o < whole.start || o >= whole.end || whole.len() < ROWS {
                    let taps = rows.clipped(&(o..o + 1));
                    let at = at.wrapping_add_signed(taps.start as isize * place.step);
                    // SAFETY: vectors of rows of the plane.
                    let folded: [R::Partial; L] = unsafe { walk.one(at, taps.len(), &mut met) };
                    let to = to + (o - part.rows.start) * pitch;
                    // SAFETY: a vector of a row of the line.
                    unsafe { store(reduce, self.line, folded, to, width) };
                    o += 1;
                    continue;
                }
                // The last repeat some of the ones before.
                let first = o.min(whole.end - ROWS);
                let start = (first * S - rows.before) as isize;
                let at = at.wrapping_add_signed(start * place.step);
                walk.prefetch(at, self.problem.ahead);
                // SAFETY: vectors of rows of the plane.
                let [a, b, c, d] = unsafe { walk.several::<L>(at, &mut met) };
                let to = to + (first - part.rows.start) * pitch;
                // Named, because indices would keep them from registers.
                // SAFETY: vectors of rows of the line.
                unsafe {
                    store(reduce, self.line, a, to, width);
                    store(reduce, self.line, b, to + pitch, width);
                    store(reduce, self.line, c, to + 2 * pitch, width);
                    store(reduce, self.line, d, to + 3 * pitch, width);
                }
                o = first + ROWS;
            }
            if NUMBERS {
                for l in 0..L {
                    numbers &= reduce.are_numbers(met[l]);
                }
            }
            if column + L >= width {
                return numbers;
            }
            column = (column + L).min(width - L);
        }
    }

    /// Slides along folded rows to the outputs of a part.
    #[inline(always)]
    fn slide<const N: usize, const L: usize, const NUMBERS: bool>(&mut self, part: &Part) {
        let (problem, pitch) = (self.problem, self.problem.pitch);
        let (n, count, first) = (part.columns.len(), part.rows.len(), part.columns.start);
        let [_, plane] = offsets(&problem.planes, part.plane);
        let out = plane + part.rows.start as isize * problem.rows.output + first as isize;
        let from = part.done * pitch;
        let reach = n.next_multiple_of(L) * S + N + (K - 1) * problem.step;
        assert!(from + (count - 1) * pitch + reach <= self.line.len(), "the line holds a band");
        let mut column = 0;
        loop {
            // A vector may write over rows that follow.
            let whole = match n < L {
                true if part.room >= L => ((part.room - L) / n + 1).min(count),
                true => 0,
                false => count,
            };
            let from = from + column * S;
            let o = part.rows.start * problem.columns.outputs + first + column;
            let out = out + column as isize;
            for i in 0..whole {
                turn_by_turn();
                let (from, o) = (from + i * pitch, o + i * problem.columns.outputs);
                // SAFETY: looked at above.
                let results: [T; L] = unsafe { self.results::<N, L, NUMBERS>(from, o) };
                // SAFETY: every task has bands of its own, whose rows it writes in order.
                let dst = unsafe { self.out.run(out + i as isize * problem.rows.output, L) };
                for l in 0..L {
                    dst[l].write(results[l]);
                }
            }
            for i in whole..count {
                let (from, o) = (from + i * pitch, o + i * problem.columns.outputs);
                // SAFETY: as above.
                let results: [T; L] = unsafe { self.results::<N, L, NUMBERS>(from, o) };
                // SAFETY: as above.
                let dst = unsafe { self.out.run(out + i as isize * problem.rows.output, n) };
                for (dst, result) in dst.iter_mut().zip(results) {
                    dst.write(result);
                }
            }
            if column + L >= n {
                break;
            }
            column = (column + L).min(n - L);
        }
    }

    /// The results of `L` windows from output `o` on, whose folded rows start at `from`.
    ///
    /// # Safety
    /// These windows do not reach beyond the line.
    #[inline(always)]
    unsafe fn results<const N: usize, const L: usize, const NUMBERS: bool>(
        &self,
        from: usize,
        o: usize,
    ) -> [T; L] {
        let (scales, o) = self.problem.scales.at(o);
        // SAFETY: there are scales for all outputs, and for a vector more.
        let scale: [R::Scale; L] = unsafe { load_tile(scales, o) };
        // SAFETY: the caller's promise.
        let mut acc: [R::Partial; N] = unsafe { load_tile(self.line, from) };
        for k in 1..K {
            // SAFETY: as above.
            let tap = unsafe { load_tile(self.line, from + k * self.problem.step) };
            onto::<T, R, N, NUMBERS>(self.reduce, &mut acc, &tap);
        }
        let mut kept = [acc[0]; L];
        match S {
            1 => kept.copy_from_slice(&acc[..L]),
            _ => kept = even_and_odd(&acc).0,
        }
        let mut results = [T::default(); L];
        for l in 0..L {
            results[l] = self.reduce.finish(kept[l], scale[l]);
        }
        results
    }
}

/// Where columns of a plane lie in the array, or in the staged copy of them.
#[derive(Debug, Clone, Copy)]
struct Place {
    staged: bool,
    at: usize,
    step: isize,
}

/// Stores a vector of a row of `width` columns at `to`, and identities behind those; columns of
/// the next row are not there yet.
///
/// # Safety
/// The line has room for two vectors there.
#[inline(always)]
unsafe fn store<T, R: Reduce<T>, const L: usize>(
    reduce: R,
    line: &mut [R::Partial],
    folded: [R::Partial; L],
    to: usize,
    width: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { store_tile(line, to, folded) };
    if width < L {
        // SAFETY: the caller's promise.
        unsafe { store_tile(line, to + width, [reduce.identity(); L]) };
    }
}

/// Rows to fold, `step` elements apart.
#[derive(Clone, Copy)]
struct Rows<'s, T, R, const K: usize, const S: usize, const NUMBERS: bool> {
    reduce: R,
    src: &'s [T],
    step: isize,
}

impl<T: Copy, R: Reduce<T>, const K: usize, const S: usize, const NUMBERS: bool>
    Rows<'_, T, R, K, S, NUMBERS>
{
    /// Asks for what is `ahead` of the last rows of [`ROWS`] windows.
    #[inline(always)]
    fn prefetch(self, at: usize, ahead: isize) {
        for i in K - S..K + (ROWS - 1) * S {
            let at = at.wrapping_add_signed(i as isize * self.step);
            prefetch(self.src, at.wrapping_add_signed(ahead));
        }
    }

    /// `L` elements of row `i`, counted from the one at `at`.
    ///
    /// # Safety
    /// They are elements of `src`.
    #[inline(always)]
    unsafe fn load<const L: usize>(
        self,
        at: usize,
        i: usize,
        trace: &mut [R::Partial; L],
    ) -> [R::Partial; L] {
        let at = at.wrapping_add_signed(i as isize * self.step);
        // SAFETY: the caller's promise.
        unsafe { load_traced::<T, R, L, NUMBERS>(self.reduce, self.src, at, trace) }
    }

    /// One window's rows, `taps` of them.
    ///
    /// # Safety
    /// All of them lie in `src`.
    #[inline(always)]
    unsafe fn one<const L: usize>(
        self,
        at: usize,
        taps: usize,
        trace: &mut [R::Partial; L],
    ) -> [R::Partial; L] {
        // SAFETY: the caller's promise.
        let mut folded = unsafe { self.load(at, 0, trace) };
        for k in 1..taps {
            // SAFETY: as above.
            let row = unsafe { self.load(at, k, trace) };
            onto::<T, R, L, NUMBERS>(self.reduce, &mut folded, &row);
        }
        folded
    }

    /// The rows of [`ROWS`] whole windows, each loaded once.
    ///
    /// # Safety
    /// All of them lie in `src`.
    #[inline(always)]
    unsafe fn several<const L: usize>(
        self,
        at: usize,
        trace: &mut [R::Partial; L],
    ) -> [[R::Partial; L]; ROWS] {
        let mut folded = [[self.reduce.identity(); L]; ROWS];
        macro_rules! fold {
            ($row:ident, $i:expr, $($o:expr)*) => {$(
                if $i == $o * S {
                    folded[$o] = $row;
                } else if ($o * S + 1..$o * S + K).contains(&$i) {
                    onto::<T, R, L, NUMBERS>(self.reduce, &mut folded[$o], &$row);
                }
            )*};
        }
        macro_rules! rows {
            ($($i:literal)*) => {$(
                if $i < K + (ROWS - 1) * S {
                    // SAFETY: the caller's promise.
                    let row = unsafe { self.load(at, $i, trace) };
                    fold!(row, $i, 0 1 2 3);
                }
            )*};
        }
        // The compiler unrolls short tiles first, and long ones last: a loop over rows keeps the
        // former whole, and the latter in memory.
        if const { L <= 16 } {
            for i in 0..K + (ROWS - 1) * S {
                // SAFETY: the caller's promise.
                let row = unsafe { self.load(at, i, trace) };
                for o in 0..ROWS {
                    fold!(row, i, o);
                }
            }
        } else {
            rows!(0 1 2 3 4 5 6 7 8 9);
        }
        folded
    }
}
