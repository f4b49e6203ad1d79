//! Small square windows: the rows of a band are folded into a padded line, [group](super::groups) by
//! group or, under windows of any size, in vectors of columns; vectors then walk down the rows of that.
//! All positions of a part are checked before it is walked.

use std::hint::black_box;
use std::ops::Range;

use super::doubled::fold_level;
use super::grid::Part;
use super::groups::{self, Group};
use super::planes::offsets;
use super::rows::{Folded, MANY, ROWS, Rows};
use super::tile::{Vectors, are_numbers, onto, with_lanes, write_tile};
use super::tiled::{LineTaps, Tiled};
use crate::View;
use crate::reduce::Reduce;
use crate::simd::{Work, load_tile, store_tile, turn_by_turn};
use crate::view::{Shared, even_and_odd};

/// Reduces windows of `K` by `K` elements, `S` apart; with a `K` of 0, of any size from [`ROWS`] on,
/// one apart, by a reduction that may meet an element twice.
pub(super) struct Walk<'a, 'v, T, R: Reduce<T>, const K: usize, const S: usize> {
    pub(super) reduce: R,
    pub(super) problem: &'a Tiled<R::Scale>,
    pub(super) bands: Range<usize>,
    pub(super) input: &'a View<'v, T>,
    pub(super) out: Shared<T>,
    /// All identities.
    pub(super) line: &'a mut [R::Partial],
    /// Where a `K` of 0 has room for another line, of what is folded of the first along it.
    pub(super) level: usize,
    /// For a plane that ends where the array does.
    pub(super) staged: &'a mut Vec<T>,
    /// A row of elements that change no sum, for rows outside a plane.
    pub(super) zeros: &'a [T],
}

impl<T: Copy + Default, R: Reduce<T>, const K: usize, const S: usize> Work
    for Walk<'_, '_, T, R, K, S>
{
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        with_lanes!(size_of::<R::Partial>(), |L| {
            for band in self.bands.clone() {
                for columns in self.problem.strips() {
                    if const { K == 0 } && self.problem.is_wide {
                        self.rows::<V, { 2 * L }, { 4 * L }, L>(band, &columns);
                    } else {
                        self.rows::<V, L, { 2 * L }, { L / 2 }>(band, &columns);
                    }
                }
            }
        });
    }
}

impl<T: Copy + Default, R: Reduce<T>, const K: usize, const S: usize> Walk<'_, '_, T, R, K, S> {
    /// Reduces the windows of a band in a strip, first as if all elements were numbers if that takes
    /// less time.
    #[inline(always)]
    fn rows<const V: usize, const L: usize, const TWICE: usize, const HALF: usize>(
        &mut self,
        band: usize,
        columns: &Range<usize>,
    ) {
        if !R::PREFERS_NUMBERS || !self.band::<V, L, TWICE, HALF, true>(band, columns) {
            self.band::<V, L, TWICE, HALF, false>(band, columns);
        }
    }

    /// Reduces the windows of a band in a strip in vectors of `L` elements, of `TWICE` and `HALF` as
    /// many for single steps; gives whether that was right: not if `NUMBERS` was said of others.
    #[inline(always)]
    fn band<
        const V: usize,
        const L: usize,
        const TWICE: usize,
        const HALF: usize,
        const NUMBERS: bool,
    >(
        &mut self,
        band: usize,
        columns: &Range<usize>,
    ) -> bool {
        let mut numbers = true;
        for part in self.problem.parts(band, columns) {
            numbers &= self.fold::<V, L, NUMBERS>(&part);
        }
        if numbers && const { K == 0 } {
            self.level::<V, L, NUMBERS>();
        }
        if numbers {
            for part in self.problem.outputs(band, columns) {
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
    fn fold<const V: usize, const L: usize, const NUMBERS: bool>(&mut self, part: &Part) -> bool {
        let problem = self.problem;
        let inside = problem.grid.columns.clipped(&part.columns);
        let before = problem.grid.columns.padding(part.columns.start);
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
        match const { K } {
            0 => self.columns::<V, L, NUMBERS>(part, place, to + before, inside.len()),
            _ => self.groups::<L, NUMBERS>(part, place, to + before, inside.len()),
        }
    }

    /// Folds the rows of `width` columns into the line, from element `to` on, group by group.
    #[inline(always)]
    fn groups<const L: usize, const NUMBERS: bool>(
        &mut self,
        part: &Part,
        place: Place,
        to: usize,
        width: usize,
    ) -> bool {
        let (reduce, problem) = (self.reduce, self.problem);
        let (rows, pitch) = (&problem.grid.rows, problem.pitch);
        let src = if place.staged { &self.staged[..] } else { self.input.data() };
        let zeros = self.zeros;
        let (first, end) = (part.rows.start, part.rows.end);
        // Few that are left over take longer as a group than alone.
        let rest = part.rows.len() % ROWS;
        let alone = part.rows.len() < ROWS || const { S > 1 } && rest <= 2;
        let grouped = if alone { end - rest } else { end };
        let base = src.as_ptr().wrapping_add(place.at);
        assert!(R::IDEMPOTENT || zeros.len() >= width.max(L), "rows are as long");
        let mut met = Vectors([reduce.identity(); L]);
        // In memory, as the loop would carry single lanes of it.
        let met = black_box(&mut met);
        let mut o = first;
        while o < end {
            // The last group repeats some windows of the one before.
            let all = o < grouped;
            let top = if all { o.min(end - ROWS) } else { o };
            let mut group = Group::<T, R, K, S, NUMBERS> { reduce, rows: [base; groups::MOST] };
            for i in 0..Group::<T, R, K, S, NUMBERS>::REACH {
                let row = (top * S + i) as isize - rows.before as isize;
                // A row outside: the one next to it, met twice, changes nothing, or zeros do not.
                let inside = row.clamp(0, rows.len as isize - 1);
                let at = base.wrapping_offset(inside * place.step);
                group.rows[i] = if R::IDEMPOTENT || inside == row { at } else { zeros.as_ptr() };
            }
            let line = &mut self.line[to + (top - first) * pitch..];
            macro_rules! store {
                ($row:literal, $column:expr, $tile:expr) => {
                    store_tile(line, $row * pitch + $column, $tile);
                    if width < L {
                        // Vectors write over what is behind short rows; the next row is not there yet.
                        store_tile(line, $row * pitch + width, [reduce.identity(); L]);
                    }
                };
            }
            let mut column = 0;
            loop {
                turn_by_turn();
                if all {
                    group.ask(column, problem.ahead);
                }
                // SAFETY: vectors of rows of the plane, or of zeros; the line holds a band, and vectors
                // behind it.
                unsafe {
                    if all {
                        let [a, b, c, d] = group.all::<L>(column, &mut met.0);
                        store!(0, column, a);
                        store!(1, column, b);
                        store!(2, column, c);
                        store!(3, column, d);
                    } else {
                        store!(0, column, group.one::<L>(column, &mut met.0));
                    }
                }
                if column + L >= width {
                    break;
                }
                column = (column + L).min(width - L);
            }
            o = if all { top + ROWS } else { o + 1 };
        }
        !NUMBERS || are_numbers(reduce, &met.0)
    }

    /// Where columns of a plane lie: position 0 is their first element in row 0. All vectors of
    /// them can be read.
    #[inline(always)]
    fn place<const L: usize>(&mut self, plane: usize, columns: &Range<usize>) -> Place {
        let (rows, width) = (&self.problem.grid.rows, columns.len());
        let [offset, _] = offsets(&self.problem.grid.planes, plane);
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

    /// Folds the rows of `width` columns into the line, from element `to` on, column by column.
    #[inline(always)]
    fn columns<const V: usize, const L: usize, const NUMBERS: bool>(
        &mut self,
        part: &Part,
        place: Place,
        to: usize,
        width: usize,
    ) -> bool {
        let (reduce, rows, pitch) = (self.reduce, &self.problem.grid.rows, self.problem.pitch);
        let src = if place.staged { &self.staged[..] } else { self.input.data() };
        // Outputs whose windows are not clipped.
        let whole = rows.whole.start.max(part.rows.start)..rows.whole.end.min(part.rows.end);
        // How many of them are folded in groups: a number, so that the loop has one branch to foresee.
        let grouped = if whole.len() < ROWS { 0 } else { whole.len() };
        let outputs = rows.inner(&part.rows);
        let (mut column, mut numbers, mut met) = (0, true, [reduce.identity(); L]);
        let taps = self.problem.grid.rows.kernel;
        let walk = Rows::<T, R, NUMBERS> { reduce, src, step: place.step, taps };
        loop {
            if const { V >= 64 } {
                // The compiler would halve such a vector to carry it from one turn to the next.
                met = [reduce.identity(); L];
            }
            let (at, to) = (place.at + column, to + column);
            let line = &mut self.line[..];
            let folded = &mut Folded { line, to, first: part.rows.start, pitch };
            let (before, after) = (part.rows.start..outputs.start, outputs.end..part.rows.end);
            // SAFETY: vectors of rows of the plane, and of the line.
            unsafe {
                walk.clipped((rows, before, false), at, folded, &mut met);
                walk.clipped((rows, after, true), at, folded, &mut met);
            }
            let (mut o, end) = (outputs.start, outputs.end);
            while o < end {
                turn_by_turn();
                if o.wrapping_sub(whole.start) >= grouped {
                    let taps = rows.clipped(&(o..o + 1));
                    let at = at.wrapping_add_signed(taps.start as isize * place.step);
                    // SAFETY: vectors of rows of the plane.
                    let row: [R::Partial; L] = unsafe { walk.one(at, taps.len(), &mut met) };
                    // SAFETY: a vector of a row of the line.
                    unsafe { folded.store(o, row) };
                    o += 1;
                    continue;
                }
                // Not where some are no numbers, which is rare.
                let many =
                    const { NUMBERS == R::PREFERS_NUMBERS } && o + MANY <= whole.end && taps > MANY;
                // The last repeat some of the ones before.
                let first = if many { o } else { o.min(whole.end - ROWS) };
                let start = (first - rows.before) as isize;
                let at = at.wrapping_add_signed(start * place.step);
                if many {
                    walk.prefetch(MANY, at, self.problem.ahead);
                    // SAFETY: vectors of rows of the plane.
                    let [a, b, c, d, e, f, g, h] = unsafe { walk.eight::<L>(at, &mut met) };
                    // SAFETY: vectors of rows of the line.
                    unsafe {
                        folded.store(o, a);
                        folded.store(o + 1, b);
                        folded.store(o + 2, c);
                        folded.store(o + 3, d);
                        folded.store(o + 4, e);
                        folded.store(o + 5, f);
                        folded.store(o + 6, g);
                        folded.store(o + 7, h);
                    }
                    o += MANY;
                    continue;
                }
                walk.prefetch(ROWS, at, self.problem.ahead);
                // SAFETY: vectors of rows of the plane.
                let [a, b, c, d] = unsafe { walk.four::<L>(at, &mut met) };
                // Named, because indices would keep them from registers.
                // SAFETY: vectors of rows of the line.
                unsafe {
                    folded.store(first, a);
                    folded.store(first + 1, b);
                    folded.store(first + 2, c);
                    folded.store(first + 3, d);
                }
                o = first + ROWS;
            }
            if width < L {
                for o in part.rows.clone() {
                    // SAFETY: as above.
                    unsafe { folded.end::<L>(o, width, reduce.identity()) };
                }
            }
            if NUMBERS && (const { V >= 64 } || column + L >= width) {
                numbers &= are_numbers(reduce, &met);
            }
            if column + L >= width {
                return numbers;
            }
            column = (column + L).min(width - L);
        }
    }

    /// Folds neighbours of the line into each element of the level.
    #[inline(always)]
    fn level<const V: usize, const L: usize, const NUMBERS: bool>(&mut self) {
        let LineTaps { side, step, .. } = self.problem.taps;
        let len = self.problem.band * self.problem.pitch;
        let (line, level) = self.line.split_at_mut(self.level);
        fold_level::<V, T, R, L, NUMBERS>(self.reduce, line, level, [side, step], len);
    }

    /// Slides along folded rows to the outputs of a part.
    #[inline(always)]
    fn slide<const N: usize, const L: usize, const NUMBERS: bool>(&mut self, part: &Part) {
        let (problem, pitch) = (self.problem, self.problem.pitch);
        let (n, count, first) = (part.columns.len(), part.rows.len(), part.columns.start);
        let [_, plane] = offsets(&problem.grid.planes, part.plane);
        let out = plane + part.rows.start as isize * problem.grid.rows.output + first as isize;
        let from = if const { K == 0 } { self.level } else { 0 } + part.done * pitch;
        let reach = n.next_multiple_of(L) * S + N + problem.grid.columns.kernel;
        assert!(from + (count - 1) * pitch + reach <= self.line.len(), "the line holds a band");
        // What the loops below need of the problem: from memory, it would be loaded for every vector.
        let (taps, scales) = (problem.taps, problem.scales.table());
        let outputs = problem.grid.columns.outputs;
        let o = part.rows.start * outputs + first;
        // A vector may write over rows that follow.
        let whole = match n < L {
            true if part.room >= L => ((part.room - L) / n + 1).min(count),
            true => 0,
            false => count,
        };
        // Windows of few rows wait for the memory of their results, which are written one after the
        // other as far as a vector of columns at a time, which takes fewer instructions, allows.
        let block = if const { K == 3 } && n > L { MANY } else { count };
        for top in (0..whole).step_by(block) {
            let mut column = 0;
            loop {
                for i in top..whole.min(top + block) {
                    turn_by_turn();
                    let (from, o) = (from + column * S + i * pitch, o + column + i * outputs);
                    // SAFETY: looked at above.
                    let results: [T; L] =
                        unsafe { self.results::<N, L, NUMBERS>(from, o, taps, scales) };
                    let to = out + column as isize + i as isize * problem.grid.rows.output;
                    // SAFETY: every task has bands of its own, whose rows it writes in order.
                    let dst = unsafe { self.out.run(to, L) };
                    write_tile(dst, results);
                }
                if column + L >= n {
                    break;
                }
                column = (column + L).min(n - L);
            }
        }
        for i in whole..count {
            // SAFETY: looked at above.
            let results: [T; L] = unsafe {
                self.results::<N, L, NUMBERS>(from + i * pitch, o + i * outputs, taps, scales)
            };
            // SAFETY: as above.
            let dst = unsafe { self.out.run(out + i as isize * problem.grid.rows.output, n) };
            for (dst, result) in dst.iter_mut().zip(results) {
                dst.write(result);
            }
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
        taps: LineTaps,
        (scales, apart): (&[R::Scale], usize),
    ) -> [T; L] {
        // SAFETY: there are scales for all outputs, and for a vector more.
        let scale: [R::Scale; L] = unsafe { load_tile(scales, o * apart) };
        // SAFETY: the caller's promise.
        let mut acc: [R::Partial; N] = unsafe { load_tile(self.line, from) };
        if const { K == 0 } {
            let mut at = from;
            for _ in 1..taps.several {
                turn_by_turn();
                at += taps.apart;
                // SAFETY: as above.
                let tap = unsafe { load_tile(self.line, at) };
                onto::<T, R, N, NUMBERS>(self.reduce, &mut acc, &tap);
            }
            // SAFETY: as above.
            let tap = unsafe { load_tile(self.line, from + taps.last) };
            onto::<T, R, N, NUMBERS>(self.reduce, &mut acc, &tap);
        }
        for k in 1..K {
            // SAFETY: as above.
            let tap = unsafe { load_tile(self.line, from + k * taps.step) };
            onto::<T, R, N, NUMBERS>(self.reduce, &mut acc, &tap);
        }
        let kept = if const { S == 1 } {
            let mut kept = [self.reduce.identity(); L];
            kept.copy_from_slice(&acc[..L]);
            kept
        } else {
            even_and_odd(&acc).0
        };
        self.reduce.finish_tile(kept, scale)
    }
}

/// Where columns of a plane lie in the array, or in the staged copy of them.
#[derive(Debug, Clone, Copy)]
struct Place {
    staged: bool,
    at: usize,
    step: isize,
}
