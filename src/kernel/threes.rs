//! Windows of three by three, two apart: four windows below one another are folded in vectors of
//! columns, as rows are read, and those along the row in registers, by vectors that are slid along one
//! another. Nothing is folded into a line, and short rows are one vector.

use std::hint::black_box;
use std::ops::Range;

use super::ahead::ask_ahead;
use super::grid::{Grid, Part, Side};
use super::planes::offsets;
use super::rows::ROWS;
use super::tile::{Vectors, are_numbers, combined, write_tile};
use super::tiled::Tiled;
use crate::View;
use crate::reduce::Reduce;
use crate::simd::{
    Lanes, Work, every_other, kept, load_and_store, load_tile, slid, slid_by, store_tile,
    turn_by_turn,
};
use crate::view::Shared;

/// Rows of a window, and columns.
const TAPS: usize = 3;

/// Rows between windows, and columns.
const STRIDE: usize = 2;

/// Rows that they reach.
const REACH: usize = (ROWS - 1) * STRIDE + TAPS;

/// Most results of a vector.
const MOST: usize = 16;

/// Whether partial results are of as many bytes as there are instructions for.
pub(super) const fn are_for<P>() -> bool {
    size_of::<P>() == 4
}

/// Whether there are enough of them in a plane, no more than one row or column of which is outside.
pub(super) fn are_in(grid: &Grid) -> bool {
    let fits = |side: &Side| {
        let end = (side.outputs - 1) * STRIDE + TAPS;
        side.before <= 1 && end <= side.before + side.len + 1
    };
    fits(&grid.rows) && fits(&grid.columns) && grid.rows.outputs >= ROWS
}

/// For every output of a row, and those that a vector writes too much, all bits if its last column is
/// inside.
pub(super) fn inside(columns: &Side) -> Vec<u32> {
    let is_inside = |o: usize| o * STRIDE + TAPS <= columns.before + columns.len;
    let outputs = 0..columns.outputs + MOST;
    outputs.map(|o| if is_inside(o) { u32::MAX } else { 0 }).collect()
}

/// Room to stage a group in, and a row of zeros, for a kernel over rows of `len` elements.
pub(super) fn room(len: usize) -> usize {
    (REACH + 1) * (len + 2 * MOST)
}

/// Reduces such windows.
pub(super) struct Threes<'a, 'v, T, R: Reduce<T>> {
    pub(super) reduce: R,
    pub(super) problem: &'a Tiled<R::Scale>,
    pub(super) bands: Range<usize>,
    pub(super) input: &'a View<'v, T>,
    pub(super) out: Shared<T>,
    /// What [`inside`] gives.
    pub(super) inside: &'a [u32],
    /// A row of zeros for those outside, and rows whose last vector would not lie in the array.
    pub(super) staged: &'a mut Vec<T>,
}

/// Where a plane lies.
struct Plane {
    /// Its first element, and its first output.
    at: usize,
    out: isize,
    /// Elements of a row that vectors read, and the last place where so many can be read.
    reach: usize,
    last: Option<usize>,
}

/// Windows below one another.
struct Group<T> {
    /// Where their first row is, the second, and how far the next ones are; and their last one.
    first: *const T,
    second: *const T,
    step: isize,
    last: *const T,
    /// Which of them to write: not those of the group before, nor others' of another band.
    wanted: Range<usize>,
    /// Number of the first one's first output in its plane, and where it lies.
    o: usize,
    out: isize,
    /// Results from there on that may be written in the order of the rows.
    room: usize,
}

/// The rows of a group, folded in some columns.
type Units<P, const N: usize> = Vectors<[[P; N]; ROWS]>;

/// Where a band's groups are reduced.
struct Scratch<P, const N: usize> {
    units: [Units<P, N>; 3],
    /// Identities.
    nothing: Units<P, N>,
    /// Which elements of the last two vectors are the last of a row.
    rest: Lanes,
    /// The last whole vector of each row.
    ends: Units<P, MOST>,
    met: Vectors<[P; N]>,
}

impl<T: Copy + Default, R: Reduce<T>> Work for Threes<'_, '_, T, R> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        if self.problem.grid.columns.before > 0 {
            self.bands::<V, true>();
        } else {
            self.bands::<V, false>();
        }
    }
}

impl<T: Copy + Default, R: Reduce<T>> Threes<'_, '_, T, R> {
    /// Reduces the windows, the first of a row being `PADDED`.
    #[inline(always)]
    fn bands<const V: usize, const PADDED: bool>(&mut self) {
        let outputs = self.problem.grid.columns.outputs;
        for band in self.bands.clone() {
            if outputs <= MOST / 2 {
                self.band::<V, PADDED, MOST, { MOST / 2 }>(band);
            } else {
                self.band::<V, PADDED, { 2 * MOST }, MOST>(band);
            }
        }
    }

    /// Reduces the windows of a band, `L` of them from `N` columns at a time; first as if all elements
    /// were numbers, if that takes less time.
    #[inline(always)]
    fn band<const V: usize, const PADDED: bool, const N: usize, const L: usize>(
        &mut self,
        band: usize,
    ) {
        if !R::PREFERS_NUMBERS || !self.parts::<V, PADDED, N, L, true>(band) {
            self.parts::<V, PADDED, N, L, false>(band);
        }
    }

    /// Reduces the windows of a band; gives whether that was right: not if `NUMBERS` was said of
    /// others.
    #[inline(always)]
    fn parts<
        const V: usize,
        const PADDED: bool,
        const N: usize,
        const L: usize,
        const NUMBERS: bool,
    >(
        &mut self,
        band: usize,
    ) -> bool {
        let (reduce, columns) = (self.reduce, &self.problem.grid.columns);
        let nothing = || Vectors([[reduce.identity(); N]; ROWS]);
        let mut scratch = Scratch {
            units: [nothing(), nothing(), nothing()],
            nothing: nothing(),
            rest: Lanes::new(columns.outputs % L, 1),
            ends: Vectors([[reduce.identity(); MOST]; ROWS]),
            met: Vectors([reduce.identity(); N]),
        };
        let scratch = black_box(&mut scratch);
        for part in self.problem.parts(band, &(0..columns.outputs)) {
            let plane = self.plane::<N>(&part);
            let mut o = part.rows.start;
            while o < part.rows.end {
                // The last group has some rows of the one before, but where a part has no others.
                let first = o.min(part.rows.end.max(ROWS) - ROWS);
                let end = part.rows.end.min(first + ROWS);
                let group = self.group((&plane, &part), first, o - first..end - first);
                // SAFETY: the vectors of these rows can be read; every task has planes, or parts of
                // them, of its own, whose rows it writes in order.
                unsafe { self.reduce_group::<V, PADDED, N, L, NUMBERS>(&group, scratch) };
                o = end;
            }
        }
        !NUMBERS || are_numbers(reduce, &scratch.met.0)
    }

    /// The plane of a part.
    #[inline(always)]
    fn plane<const N: usize>(&self, part: &Part) -> Plane {
        let Grid { planes, columns, .. } = &self.problem.grid;
        let [offset, out] = offsets(planes, part.plane);
        let reach = columns.len.next_multiple_of(N);
        Plane {
            at: self.input.origin().wrapping_add_signed(offset),
            out,
            reach,
            last: self.input.data().len().checked_sub(reach),
        }
    }

    /// The windows of a part of a plane from output row `first` on.
    #[inline(always)]
    fn group(
        &mut self,
        (plane, part): (&Plane, &Part),
        first: usize,
        wanted: Range<usize>,
    ) -> Group<T> {
        let Grid { rows, columns, .. } = &self.problem.grid;
        let data = self.input.data();
        let last = first * STRIDE + (ROWS - 1) * STRIDE + TAPS - 1 - rows.before;
        let row = |row: usize| plane.at.wrapping_add_signed(row as isize * rows.input);
        // A row outside: the one next to it, met twice, changes nothing, or zeros do not.
        let above = first * STRIDE < rows.before;
        let below = last >= rows.len;
        let top = if above { 0 } else { first * STRIDE - rows.before };
        let bottom = if below { rows.len - 1 } else { last };
        let (mut base, mut step) = (data.as_ptr().wrapping_add(row(top)), rows.input);
        if plane.last.is_none_or(|last| row(top).max(row(bottom)) > last) {
            let reach = plane.reach;
            let staged = &mut self.staged[reach..];
            for (i, row) in (top..=bottom).map(row).enumerate() {
                staged[i * reach..][..columns.len].copy_from_slice(&data[row..][..columns.len]);
            }
            (base, step) = (staged.as_ptr(), reach as isize);
        }
        let end = base.wrapping_offset((bottom - top) as isize * step);
        let outside = |other: *const T| match R::IDEMPOTENT {
            true => other,
            false => self.staged.as_ptr(),
        };
        Group {
            first: if above { outside(base) } else { base },
            second: if above { base } else { base.wrapping_offset(step) },
            step,
            wanted,
            last: if below { outside(end) } else { end },
            o: first * columns.outputs,
            out: plane.out + first as isize * rows.output,
            room: part.room_from(first),
        }
    }

    /// Reduces the windows of a group.
    ///
    /// # Safety
    /// Its rows can be read as far as vectors reach, and its results may be written.
    #[inline(always)]
    unsafe fn reduce_group<
        const V: usize,
        const PADDED: bool,
        const N: usize,
        const L: usize,
        const NUMBERS: bool,
    >(
        &self,
        group: &Group<T>,
        Scratch { units, nothing, rest: lanes, ends, met }: &mut Scratch<R::Partial, N>,
    ) {
        let (len, n) = (self.problem.grid.columns.len, self.problem.grid.columns.outputs);
        let [before, here, next] = units;
        let (mut before, mut here, mut next) = (before, here, next);
        let ends = &mut ends.0;
        // SAFETY: the caller's promise.
        here.0 = unsafe { self.folded::<N, NUMBERS>(group, 0, &mut met.0) };
        let mut column = 0;
        loop {
            turn_by_turn();
            let from = (column + L) * STRIDE;
            if from < len {
                // SAFETY: as above.
                next.0 = unsafe { self.folded::<N, NUMBERS>(group, from, &mut met.0) };
            }
            load_and_store();
            let rest = n - column;
            let earlier = if column == 0 { &*nothing } else { &*before };
            macro_rules! row {
                ($i:literal) => {
                    if group.wanted.contains(&$i) {
                        let units = [&earlier.0[$i], &here.0[$i], &next.0[$i]];
                        let folded = self.along::<V, PADDED, N, L, NUMBERS>(units, column);
                        // SAFETY: the caller's promise; there is room for a vector of each row.
                        unsafe {
                            if rest >= L || column == 0 {
                                if L < rest && rest < 2 * L {
                                    store_tile(&mut ends[$i], 0, folded);
                                }
                                self.write::<L>(group, $i, column, folded);
                            } else {
                                // A row's last vector ends where the row does.
                                let end = leading(&ends[$i]);
                                let folded = slid_by::<V, _, L>(end, &folded, lanes, rest);
                                self.write::<L>(group, $i, n - L, folded);
                            }
                        }
                    }
                };
            }
            row!(0);
            row!(1);
            row!(2);
            row!(3);
            (before, here, next) = (here, next, before);
            column += L;
            if column >= n {
                return;
            }
        }
    }

    /// The rows of a group, folded in `N` columns from `at` on.
    ///
    /// # Safety
    /// They can be read.
    #[inline(always)]
    unsafe fn folded<const N: usize, const NUMBERS: bool>(
        &self,
        group: &Group<T>,
        at: usize,
        met: &mut [R::Partial; N],
    ) -> [[R::Partial; N]; ROWS] {
        let (reduce, step) = (self.reduce, group.step);
        macro_rules! load {
            ($row:expr) => {{
                // SAFETY: the caller's promise.
                let row = unsafe { std::slice::from_raw_parts($row, at + N) };
                // SAFETY: as above.
                reduce.load_tile::<N>(unsafe { load_tile(row, at) })
            }};
        }
        // The first row was the last of the group before, and asked for there.
        macro_rules! other {
            ($row:expr) => {{
                let row = $row;
                // SAFETY: as above.
                ask_ahead::<T, N>(unsafe { std::slice::from_raw_parts(row, at + N) }, at);
                load!(row)
            }};
        }
        macro_rules! inner {
            ($i:literal) => {
                other!(group.second.wrapping_offset($i * step))
            };
        }
        macro_rules! traced {
            ($trace:expr, $row:expr) => {{
                let (mut trace, row) = ($trace, $row);
                if NUMBERS {
                    for l in 0..N {
                        trace[l] = reduce.traced(trace[l], row[l]);
                    }
                }
                trace
            }};
        }
        macro_rules! fold {
            ($first:expr, $second:expr) => {
                combined::<T, R, N, NUMBERS>(reduce, $first, $second)
            };
        }
        let (r0, r1, r2, r3, r4) = (load!(group.first), inner!(0), inner!(1), inner!(2), inner!(3));
        let (left, right) = (traced!(r0, r1), traced!(r2, r3));
        let (r5, r6, r7, r8) = (inner!(4), inner!(5), inner!(6), other!(group.last));
        let more = traced!(traced!(r4, r5), traced!(r6, r7));
        let trace = traced!(traced!(traced!(left, right), more), r8);
        *met = traced!(*met, trace);
        let [a, b] = [fold!(fold!(r0, r1), r2), fold!(fold!(r2, r3), r4)];
        [a, b, fold!(fold!(r4, r5), r6), fold!(fold!(r6, r7), r8)]
    }

    /// The folds of `L` windows from `column` on along the columns of units that follow one another.
    #[inline(always)]
    fn along<
        const V: usize,
        const PADDED: bool,
        const N: usize,
        const L: usize,
        const NUMBERS: bool,
    >(
        &self,
        [before, here, next]: [&[R::Partial; N]; 3],
        column: usize,
    ) -> [R::Partial; L] {
        let reduce = self.reduce;
        macro_rules! fold {
            ($first:expr, $second:expr, $third:expr) => {{
                let third = kept($third, reduce.identity(), self.inside, column);
                let acc = combined::<T, R, L, NUMBERS>(reduce, $first, $second);
                combined::<T, R, L, NUMBERS>(reduce, acc, third)
            }};
        }
        // SAFETY: the level is that of this work.
        unsafe {
            let (even, odd) = every_other::<V, _, N, L>(here);
            match PADDED {
                true => {
                    let before = &*before.as_ptr().add(N - L).cast();
                    fold!(slid::<V, _, L>(before, &odd, L - 1), even, odd)
                }
                false => fold!(even, odd, slid::<V, _, L>(&even, leading(next), 1)),
            }
        }
    }

    /// Writes results of row `row` of a group from column `column` on.
    ///
    /// # Safety
    /// They are results of the group.
    #[inline(always)]
    unsafe fn write<const L: usize>(
        &self,
        group: &Group<T>,
        row: usize,
        column: usize,
        folded: [R::Partial; L],
    ) {
        let Grid { rows, columns, .. } = &self.problem.grid;
        let n = columns.outputs;
        let (scales, at) = self.problem.scales.at(group.o + row * n + column);
        // SAFETY: there are scales for all outputs, and for a vector more.
        let scale: [R::Scale; L] = unsafe { load_tile(scales, at) };
        let results = self.reduce.finish_tile(folded, scale);
        let out = group.out + row as isize * rows.output + column as isize;
        if n >= L || group.room >= row * n + L {
            // SAFETY: the caller's promise.
            let dst = unsafe { self.out.run(out, L) };
            write_tile(dst, results);
        } else {
            // SAFETY: as above.
            let dst = unsafe { self.out.run(out, n) };
            // Moved: what memory keeps is not what is written as a vector.
            for (dst, result) in dst.iter_mut().zip(black_box(results)) {
                dst.write(result);
            }
        }
    }
}

/// The first elements of a tile.
#[inline(always)]
fn leading<P, const N: usize, const L: usize>(tile: &[P; N]) -> &[P; L] {
    const { assert!(L <= N, "no longer than the tile") };
    // SAFETY: the first of its elements.
    unsafe { &*tile.as_ptr().cast() }
}
