//! The rows of windows of any size that share most of them, folded in a vector of columns.

use std::hint::black_box;
use std::ops::Range;

use super::grid::Side;
use super::tile::{combined, load_traced, onto};
use crate::reduce::Reduce;
use crate::simd::{load_tile, prefetch, store_tile, turn_by_turn};

/// Windows that are folded together, with the rows they share.
pub(super) const ROWS: usize = 4;

/// The same for windows of more rows than a group of these has.
pub(super) const MANY: usize = 8;

/// Where the folded rows of a vector of columns are kept.
pub(super) struct Folded<'l, P> {
    pub(super) line: &'l mut [P],
    /// Where that of output row `first` is, and how far the next one is.
    pub(super) to: usize,
    pub(super) first: usize,
    pub(super) pitch: usize,
}

impl<P: Copy> Folded<'_, P> {
    /// Stores those of output row `o`.
    ///
    /// # Safety
    /// The line has room for a vector there.
    #[inline(always)]
    pub(super) unsafe fn store<const L: usize>(&mut self, o: usize, folded: [P; L]) {
        let to = self.to + (o - self.first) * self.pitch;
        // SAFETY: the caller's promise.
        unsafe { store_tile(self.line, to, folded) };
    }

    /// Stores identities behind the last of `width` columns of a short row.
    ///
    /// # Safety
    /// The line has room for two vectors there.
    #[inline(always)]
    pub(super) unsafe fn end<const L: usize>(&mut self, o: usize, width: usize, identity: P) {
        let to = self.to + (o - self.first) * self.pitch;
        // SAFETY: the caller's promise.
        unsafe { store_tile(self.line, to + width, [identity; L]) };
    }
}

/// A function that folds the rows of `$count` whole windows, those that all of them have once: the
/// last window's are first given those of the windows before, from the last to the first, and then
/// all windows those that follow. Tiles are named, because indices would keep them from registers.
macro_rules! sharing {
    ($name:ident, $count:literal, $last:ident, ($($earlier:ident $before:literal),*),
     ($second:ident, $($later:ident $after:literal),*), $all:expr) => {
        /// The rows of as many whole windows as it says.
        ///
        /// # Safety
        /// All of them lie in `src`, and windows have no fewer rows than there are windows.
        #[inline(always)]
        pub(super) unsafe fn $name<const L: usize>(
            self,
            at: usize,
            trace: &mut [R::Partial; L],
        ) -> [[R::Partial; L]; $count] {
            let (reduce, n) = (self.reduce, self.taps);
            // SAFETY: the caller's promise.
            unsafe {
                let start = at.wrapping_add_signed(($count - 1) * self.step);
                // The compiler takes tiles that a loop carries apart, unless that ends in memory.
                let shared: [R::Partial; L] = self.one(start, n - ($count - 1), trace);
                let $last = load_tile(black_box(&shared[..]), 0);
                let acc = $last;
                $(
                    let acc =
                        combined::<T, R, L, NUMBERS>(reduce, self.load(at, $before, trace), acc);
                    let $earlier = acc;
                )*
                let acc = self.load(at, n, trace);
                let $second = combined::<T, R, L, NUMBERS>(reduce, $second, acc);
                $(
                    let acc =
                        combined::<T, R, L, NUMBERS>(reduce, acc, self.load(at, n + $after, trace));
                    let $later = combined::<T, R, L, NUMBERS>(reduce, $later, acc);
                )*
                $all
            }
        }
    };
}

/// Rows to fold, `step` elements apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'s, T, R, const NUMBERS: bool> {
    pub(super) reduce: R,
    pub(super) src: &'s [T],
    pub(super) step: isize,
    /// Rows of a window.
    pub(super) taps: usize,
}

impl<T: Copy, R: Reduce<T>, const NUMBERS: bool> Rows<'_, T, R, NUMBERS> {
    /// Asks for what is `ahead` of the last rows of some `windows`.
    #[inline(always)]
    pub(super) fn prefetch(self, windows: usize, at: usize, ahead: isize) {
        for i in self.taps - 1..self.taps + windows - 1 {
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
    pub(super) unsafe fn one<const L: usize>(
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

    sharing!(four, 4, d, (c 2, b 1, a 0), (b, c 1, d 2), [a, b, c, d]);
    sharing!(
        eight,
        8,
        h,
        (g 6, f 5, e 4, d 3, c 2, b 1, a 0),
        (b, c 1, d 2, e 3, f 4, g 5, h 6),
        [a, b, c, d, e, f, g, h]
    );

    /// Stores what clipped windows have, `backward` of those from the last on that end where the
    /// rows do: every one has what the one before has, and more. Row 0 is at `at`.
    ///
    /// # Safety
    /// Vectors of all rows lie in `src`, and the outputs in what is `folded`.
    #[inline(always)]
    pub(super) unsafe fn clipped<const L: usize>(
        self,
        (side, outputs, backward): (&Side, Range<usize>, bool),
        at: usize,
        folded: &mut Folded<'_, R::Partial>,
        trace: &mut [R::Partial; L],
    ) {
        let reduce = self.reduce;
        let (mut acc, mut done) = ([reduce.identity(); L], 0..0);
        for i in 0..outputs.len() {
            turn_by_turn();
            let o = if backward { outputs.end - 1 - i } else { outputs.start + i };
            let taps = side.clipped(&(o..o + 1));
            let more = match (done.is_empty(), backward) {
                (true, _) => taps.clone(),
                (false, true) => taps.start..done.start,
                (false, false) => done.end..taps.end,
            };
            // SAFETY: the caller's promise.
            unsafe {
                for j in 0..more.len() {
                    let row = if backward { more.end - 1 - j } else { more.start + j };
                    let mut row = self.load(at, row, trace);
                    if backward {
                        onto::<T, R, L, NUMBERS>(reduce, &mut row, &acc);
                        acc = row;
                    } else {
                        onto::<T, R, L, NUMBERS>(reduce, &mut acc, &row);
                    }
                }
                folded.store(o, acc);
            }
            done = taps;
        }
    }
}
