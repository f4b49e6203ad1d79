//! Elements summed at positions in windows of three along two axes, two apart: every row of the
//! plane is written once, from the windows that share it.
//!
//! Along an axis the windows begin at `2 i - lead`. So an element at `2 m - lead` lies in window
//! `m - 1`, as its last one, and in window `m`, as its first; the next element is in the middle of
//! window `m` alone. Sums are in the windows' order, as those of a scatter are.

use std::hint::black_box;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::ahead::ask_ahead;
use super::scatter::Plane;
use super::tile::{VECTOR_BYTES, in_tiles};
use crate::simd::{Work, load_tile, store_tile, turn_by_turn};
use crate::sums::Accumulator;

/// Elements of a window along an axis.
const SIZE: usize = 3;

/// Where a window's element lies that is at no place of it.
const NOWHERE: i32 = -1;

/// A place that is none of its window, or not in the plane.
const WRONG: i32 = -2;

/// Runs `$body` for tiles that cover `0..$n`: of 32 and 16 lanes, or half of them where elements have
/// eight bytes. Halves are widened by instructions for longer tiles alone.
macro_rules! in_widths {
    ($n:expr, |$at:ident, $L:ident| $body:expr) => {
        if const { size_of::<T>() == 2 } {
            in_tiles!(one, size_of::<T>(), $n, $n, true, |$at, $L| $body)
        } else {
            in_tiles!(two, size_of::<T>(), $n, $n, true, |$at, $L| $body)
        }
    };
}

/// Windows, as lengths of the plane and of its outputs suggest them: positions tell whether they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overlapping {
    rows: usize,
    columns: usize,
    /// Outputs along both axes.
    outputs: [usize; 2],
    /// How far the first window begins before the plane, along both axes.
    lead: usize,
}

impl Overlapping {
    /// Windows for `outputs` that may be those of a `plane`, the likeliest first.
    pub(super) fn suggested(plane: &[usize], outputs: &[usize]) -> impl Iterator<Item = Self> {
        Self::most(plane, outputs)
            .into_iter()
            .flat_map(|most| (0..=most.lead).rev().map(move |lead| Self { lead, ..most }))
    }

    /// Whether rows of windows fill a vector of lanes of `bytes` bytes, and one window more.
    pub(crate) fn fills(&self, bytes: usize) -> bool {
        self.outputs[1] * bytes > VECTOR_BYTES
    }

    /// Those that begin before the plane, if there can be any.
    fn most(plane: &[usize], outputs: &[usize]) -> Option<Self> {
        let (&[rows, columns], &[high, wide]) = (plane, outputs) else { return None };
        let extra = |len: usize, outputs: usize| outputs.checked_sub(len.checked_sub(1)? / 2);
        // One window more than fit begins before the plane, or the last one ends after it.
        let (down, along) = (extra(rows, high)?, extra(columns, wide)?);
        // Distances in a window are kept in 32 bits, and lines take little memory.
        let fits = (SIZE..1 << 15).contains(&columns) && rows >= SIZE;
        let (outputs, lead) = ([high, wide], down & along);
        (fits && down < 2 && along < 2).then_some(Self { rows, columns, outputs, lead })
    }
}

/// A row of windows: what they add, and at which of their places, counted along their rows. Before
/// the first window and after the last one is another that adds nothing.
struct Line<A> {
    places: Vec<i32>,
    sums: Vec<A>,
}

/// Sums the elements of a plane, in C order, at their positions in another one.
pub(crate) struct Summed<'a, T, A> {
    pub(crate) windows: Overlapping,
    pub(crate) plane: Plane<'a, T>,
    pub(crate) sum: PhantomData<A>,
    /// Becomes false if a position does not lie in its window; what is written is wrong then.
    pub(crate) done: &'a mut bool,
}

impl<T: Copy + Default, A: Accumulator<T>> Work for Summed<'_, T, A> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Overlapping { rows, lead, outputs: [high, wide], .. } = self.windows;
        *self.done =
            self.plane.elements.len() == high * wide && self.plane.positions.len() == high * wide;
        let none = || Line { places: vec![NOWHERE; wide + 2], sums: vec![A::ZERO; wide + 2] };
        let (mut above, mut here) = (none(), none());
        // Two loads that the compiler knows to share elements become one, and shuffles.
        let after = black_box(1);
        for pair in 0..=(rows + lead - 1) / 2 {
            std::mem::swap(&mut above, &mut here);
            if pair < high {
                *self.done &= self.fill(&mut here, pair);
            } else {
                here.places.fill(NOWHERE);
            }
            if !*self.done {
                return;
            }
            if let Some(row) = (2 * pair).checked_sub(lead).filter(|&row| row < rows) {
                self.row::<false>([&above, &here], after, row);
            }
            let row = 2 * pair + 1 - lead;
            if row < rows {
                self.row::<true>([&above, &here], after, row);
            }
        }
    }
}

impl<T: Copy + Default, A: Accumulator<T>> Summed<'_, T, A> {
    /// Takes up a row of windows; gives whether their positions lie in them and in the plane.
    #[inline(always)]
    fn fill(&self, line: &mut Line<A>, row: usize) -> bool {
        let Overlapping { rows, columns, lead, outputs: [_, wide] } = self.windows;
        // The rows of these windows that the plane has.
        let first = lead.saturating_sub(2 * row) as i32;
        let last = SIZE.min(rows + lead - 2 * row) as i32;
        in_widths!(wide, |column, L| {
            turn_by_turn();
            // SAFETY: the row and the line have as many windows.
            unsafe { self.fill_tile::<L>(line, row, column, [first, last]) };
        });
        let along = |window: usize| line.places[window + 1].rem_euclid(SIZE as i32) as usize;
        // Without an end before the last place, so that vectors are compared.
        let wrong = line.places.iter().fold(false, |wrong, &place| wrong | (place == WRONG));
        !wrong && along(0) >= lead && 2 * (wide - 1) + along(wide - 1) < columns + lead
    }

    /// # Safety
    /// The row has `L` windows from `column` on, and the line room for all.
    #[inline(always)]
    unsafe fn fill_tile<const L: usize>(
        &self,
        line: &mut Line<A>,
        row: usize,
        column: usize,
        [first, last]: [i32; 2],
    ) {
        let Overlapping { columns, lead, outputs: [_, wide], .. } = self.windows;
        let Plane { elements, positions, .. } = self.plane;
        let from = row * wide + column;
        ask_ahead::<i64, L>(positions, from);
        ask_ahead::<T, L>(elements, from);
        // SAFETY: the caller's promise.
        let (positions, elements): ([i64; L], [T; L]) =
            unsafe { (load_tile(positions, from), load_tile(elements, from)) };
        // SAFETY: the level is one that all kernels are compiled for.
        let sums = unsafe { A::load_tile(elements) };
        let start = ((2 * row * columns + 2 * column) as i64) - (lead * columns + lead) as i64;
        let width = columns as i32;
        let mut places = [0i32; L];
        for l in 0..L {
            let distance = positions[l].wrapping_sub(start + 2 * l as i64);
            let inside = distance as i32;
            let [second, third] = [inside >= width, inside >= 2 * width].map(i32::from);
            let down = second + third;
            let along =
                inside - (if second > 0 { width } else { 0 }) - (if third > 0 { width } else { 0 });
            let is_far = (along as u32) >= SIZE as u32;
            let is_out = (down < first) | (down >= last);
            let is_wrong = (i64::from(inside) != distance) | is_far | is_out;
            places[l] = if is_wrong { WRONG } else { SIZE as i32 * down + along };
        }
        // SAFETY: the caller's promise.
        unsafe {
            store_tile(&mut line.places, column + 1, places);
            store_tile(&mut line.sums, column + 1, sums);
        }
    }

    /// Writes a row of the plane: the `MIDDLE` one of the second of two lines of windows, or the
    /// first one of those and the last one of the first. The next window of a line is `after` this.
    #[inline(always)]
    fn row<const MIDDLE: bool>(&self, lines: [&Line<A>; 2], after: usize, row: usize) {
        let Overlapping { columns, lead, .. } = self.windows;
        let at = self.plane.at + (row * columns) as isize;
        // SAFETY: the plane belongs to one task.
        let dst = unsafe { self.plane.out.run(at, columns) };
        // Pairs of elements whose both are columns.
        let (first, end) = (lead, (columns + lead) / 2);
        let count = end - first;
        in_widths!(count, |pair, L| {
            turn_by_turn();
            // SAFETY: pairs of columns, which lie in as many windows.
            unsafe { self.pairs::<L, { 2 * L }, MIDDLE>(lines, after, first + pair, dst) };
        });
        if lead > 0 {
            // SAFETY: the first pair, of which the second is a column.
            let [_, second] = unsafe { Self::sums::<1, MIDDLE>(lines, after, 0) };
            dst[0].write(second[0].finish(A::scale(1)));
        }
        if 2 * end < columns + lead {
            // SAFETY: the last pair, of which the first is a column.
            let [first, _] = unsafe { Self::sums::<1, MIDDLE>(lines, after, end) };
            dst[columns - 1].write(first[0].finish(A::scale(1)));
        }
    }

    /// Writes `L` pairs of neighbours.
    ///
    /// # Safety
    /// All are columns.
    #[inline(always)]
    unsafe fn pairs<const L: usize, const TWICE: usize, const MIDDLE: bool>(
        &self,
        lines: [&Line<A>; 2],
        after: usize,
        pair: usize,
        dst: &mut [MaybeUninit<T>],
    ) {
        // SAFETY: the caller's promise.
        let [first, second] = unsafe { Self::sums::<L, MIDDLE>(lines, after, pair) };
        let mut pairs = [A::ZERO; TWICE];
        for l in 0..L {
            pairs[2 * l] = first[l];
            pairs[2 * l + 1] = second[l];
        }
        // SAFETY: the level is one that all kernels are compiled for.
        let results: [T; TWICE] = unsafe { A::finish_tile(pairs, [A::scale(1); TWICE]) };
        let mut written = [MaybeUninit::uninit(); TWICE];
        for l in 0..TWICE {
            written[l].write(results[l]);
        }
        let at = 2 * pair - self.windows.lead;
        ask_ahead::<_, TWICE>(dst, at);
        // SAFETY: the caller's promise.
        unsafe { store_tile(dst, at, written) };
    }

    /// The sums of the first and of the second elements of `L` pairs.
    ///
    /// # Safety
    /// One of each pair is a column.
    #[inline(always)]
    unsafe fn sums<const L: usize, const MIDDLE: bool>(
        [above, here]: [&Line<A>; 2],
        after: usize,
        pair: usize,
    ) -> [[A; L]; 2] {
        let [mut first, mut second] = [[A::ZERO; L]; 2];
        let row = if MIDDLE { SIZE as i32 } else { 0 };
        // SAFETY: the caller's promise; lines are two windows longer than pairs are.
        unsafe {
            if !MIDDLE {
                Self::add(&mut first, above, pair, 8);
                Self::add(&mut first, above, pair + after, 6);
                Self::add(&mut second, above, pair + after, 7);
            }
            Self::add(&mut first, here, pair, row + 2);
            Self::add(&mut first, here, pair + after, row);
            Self::add(&mut second, here, pair + after, row + 1);
        }
        [first, second]
    }

    /// Adds what windows of a line have at one of their places.
    ///
    /// # Safety
    /// The line has them.
    #[inline(always)]
    unsafe fn add<const L: usize>(sums: &mut [A; L], line: &Line<A>, at: usize, place: i32) {
        // SAFETY: the caller's promise.
        let (places, others): ([i32; L], [A; L]) =
            unsafe { (load_tile(&line.places, at), load_tile(&line.sums, at)) };
        for l in 0..L {
            let sum = sums[l].plus(others[l]);
            sums[l] = if places[l] == place { sum } else { sums[l] };
        }
    }
}
