//! The rows of square windows, folded in a vector of columns.

use std::hint::black_box;
use std::ops::Range;

use super::tile::{combined, load_traced, onto};
use super::tiled::Side;
use crate::reduce::Reduce;
use crate::simd::{load_tile, prefetch, store_tile, turn_by_turn};

/// Windows that are folded together, with the rows they share.
pub(super) const ROWS: usize = 4;

/// Where the folded rows of a vector of columns are kept.
pub(super) struct Folded<'l, P> {
    pub(super) line: &'l mut [P],
    /// Where that of output row `first` is, and how far the next one is.
    pub(super) to: usize,
    pub(super) first: usize,
    pub(super) pitch: usize,
    /// Columns of a row.
    pub(super) width: usize,
    /// Whether rows are stored from the first to the last.
    pub(super) in_order: bool,
}

impl<P: Copy> Folded<'_, P> {
    /// Stores those of output row `o`, and identities behind the last of short rows, if rows come in
    /// order: columns of the next row are not there yet.
    ///
    /// # Safety
    /// The line has room for two vectors there.
    #[inline(always)]
    pub(super) unsafe fn store<const L: usize>(&mut self, o: usize, folded: [P; L], identity: P) {
        let to = self.to + (o - self.first) * self.pitch;
        // SAFETY: the caller's promise.
        unsafe { store_tile(self.line, to, folded) };
        if self.in_order {
            // SAFETY: the caller's promise.
            unsafe { self.end::<L>(o, identity) };
        }
    }

    /// Stores identities behind the last column of a short row.
    ///
    /// # Safety
    /// As for [`store`](Self::store).
    #[inline(always)]
    pub(super) unsafe fn end<const L: usize>(&mut self, o: usize, identity: P) {
        if self.width < L {
            let to = self.to + (o - self.first) * self.pitch;
            // SAFETY: the caller's promise.
            unsafe { store_tile(self.line, to + self.width, [identity; L]) };
        }
    }
}

/// Rows to fold, `step` elements apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'s, T, R, const K: usize, const S: usize, const NUMBERS: bool> {
    pub(super) reduce: R,
    pub(super) src: &'s [T],
    pub(super) step: isize,
    /// Rows of a window.
    pub(super) taps: usize,
}

impl<T: Copy, R: Reduce<T>, const K: usize, const S: usize, const NUMBERS: bool>
    Rows<'_, T, R, K, S, NUMBERS>
{
    /// Asks for what is `ahead` of the last rows of [`ROWS`] windows.
    #[inline(always)]
    pub(super) fn prefetch(self, at: usize, ahead: isize) {
        for i in self.taps - S..self.taps + (ROWS - 1) * S {
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

    /// The rows of [`ROWS`] whole windows, each loaded once.
    ///
    /// # Safety
    /// All of them lie in `src`.
    #[inline(always)]
    pub(super) unsafe fn several<const L: usize>(
        self,
        at: usize,
        trace: &mut [R::Partial; L],
    ) -> [[R::Partial; L]; ROWS] {
        if const { K == 0 } {
            // SAFETY: the caller's promise.
            return unsafe { self.sharing(at, trace) };
        }
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

    /// The rows of [`ROWS`] whole windows, those that all of them have folded once.
    ///
    /// # Safety
    /// All of them lie in `src`.
    #[inline(always)]
    unsafe fn sharing<const L: usize>(
        self,
        at: usize,
        trace: &mut [R::Partial; L],
    ) -> [[R::Partial; L]; ROWS] {
        let (reduce, n) = (self.reduce, self.taps);
        // SAFETY: the caller's promise.
        unsafe {
            let fourth = at.wrapping_add_signed(3 * self.step);
            // The compiler takes tiles that a loop carries apart, unless that ends in memory.
            let shared: [R::Partial; L] = self.one(fourth, n - 3, trace);
            let d = load_tile(black_box(&shared[..]), 0);
            let c = combined::<T, R, L, NUMBERS>(reduce, self.load(at, 2, trace), d);
            let b = combined::<T, R, L, NUMBERS>(reduce, self.load(at, 1, trace), c);
            let a = combined::<T, R, L, NUMBERS>(reduce, self.load(at, 0, trace), b);
            let e = self.load(at, n, trace);
            let b = combined::<T, R, L, NUMBERS>(reduce, b, e);
            let e = combined::<T, R, L, NUMBERS>(reduce, e, self.load(at, n + 1, trace));
            let c = combined::<T, R, L, NUMBERS>(reduce, c, e);
            let e = combined::<T, R, L, NUMBERS>(reduce, e, self.load(at, n + 2, trace));
            let d = combined::<T, R, L, NUMBERS>(reduce, d, e);
            [a, b, c, d]
        }
    }

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
                folded.store(o, acc, reduce.identity());
            }
            done = taps;
        }
    }
}
