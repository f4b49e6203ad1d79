//! The rows of small square windows, folded for several output rows at a time: every row is read once for
//! all windows of the group that it is in, along all its columns.

use super::rows::ROWS;
use super::tile::{combined, traced};
use crate::reduce::Reduce;
use crate::simd::prefetch_at;

/// Most rows that a group reaches: those of 7 x 7 windows.
pub(super) const MOST: usize = ROWS + 6;

/// Rows to fold for [`ROWS`] windows of `K` rows, `S` apart, the first `K` of them for the first one.
pub(super) struct Group<T, R, const K: usize, const S: usize, const NUMBERS: bool> {
    pub(super) reduce: R,
    pub(super) rows: [*const T; MOST],
}

impl<T: Copy, R: Reduce<T>, const K: usize, const S: usize, const NUMBERS: bool>
    Group<T, R, K, S, NUMBERS>
{
    /// Rows that a group reaches.
    pub(super) const REACH: usize = K + (ROWS - 1) * S;

    /// Asks for what is `ahead` of the rows that no group before has read.
    #[inline(always)]
    pub(super) fn ask(&self, column: usize, ahead: isize) {
        for row in &self.rows[K - S..K + (ROWS - 1) * S] {
            prefetch_at(row.wrapping_add(column).wrapping_offset(ahead));
        }
    }

    /// Whether row `row` of some windows, `S` apart, is one of window `window`.
    const fn reads(window: usize, row: usize) -> bool {
        window * S <= row && row < window * S + K
    }

    /// `L` elements of row `i` from `column` on.
    ///
    /// # Safety
    /// The row has them.
    #[inline(always)]
    unsafe fn load<const L: usize>(&self, column: usize, i: usize) -> [R::Partial; L] {
        let row = self.rows[i].wrapping_add(column);
        // SAFETY: the caller's promise.
        self.reduce.load_tile(unsafe { row.cast::<[T; L]>().read_unaligned() })
    }

    /// The rows of the first window, folded in `L` columns, and what was met there.
    ///
    /// # Safety
    /// They have that many columns.
    #[inline(always)]
    pub(super) unsafe fn one<const L: usize>(
        &self,
        column: usize,
        met: &mut [R::Partial; L],
    ) -> [R::Partial; L] {
        // SAFETY: the caller's promise.
        let mut folded = unsafe { self.load(column, 0) };
        let mut trace = folded;
        for i in 1..K {
            // SAFETY: as above.
            let row = unsafe { self.load(column, i) };
            trace = traced::<T, R, L, NUMBERS>(self.reduce, trace, &row);
            folded = combined::<T, R, L, NUMBERS>(self.reduce, folded, row);
        }
        *met = traced::<T, R, L, NUMBERS>(self.reduce, *met, &trace);
        folded
    }

    /// The rows of all windows, folded in `L` columns, and what was met there.
    ///
    /// # Safety
    /// They have that many columns.
    #[inline(always)]
    pub(super) unsafe fn all<const L: usize>(
        &self,
        column: usize,
        met: &mut [R::Partial; L],
    ) -> [[R::Partial; L]; ROWS] {
        // SAFETY: the caller's promise.
        let mut a: [R::Partial; L] = unsafe { self.load(column, 0) };
        // Begun anew, as the next one would have to wait for all of it.
        let (mut b, mut c, mut d, mut trace) = (a, a, a, a);
        macro_rules! fold {
            ($row:ident, $i:literal, $($window:ident $o:literal),*) => {$(
                if const { $i == $o * S } {
                    $window = $row;
                } else if const { Self::reads($o, $i) } {
                    $window = combined::<T, R, L, NUMBERS>(self.reduce, $window, $row);
                }
            )*};
        }
        macro_rules! rows {
            ($($i:literal)*) => {$(
                if const { $i < Self::REACH } {
                    // SAFETY: the caller's promise.
                    let row = unsafe { self.load(column, $i) };
                    trace = traced::<T, R, L, NUMBERS>(self.reduce, trace, &row);
                    fold!(row, $i, a 0, b 1, c 2, d 3);
                }
            )*};
        }
        // Literals and names, because the compiler does not unroll such a loop for every level.
        rows!(1 2 3 4 5 6 7 8 9);
        *met = traced::<T, R, L, NUMBERS>(self.reduce, *met, &trace);
        [a, b, c, d]
    }
}
