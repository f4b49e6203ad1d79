//! The rows of small square windows, folded for several output rows at a time: every row is read once for
//! all windows of the group that it is in, along all its columns.

use super::rows::ROWS;
use super::tile::combined;
use crate::reduce::Reduce;

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

    /// Whether row `row` of some windows, `S` apart, is one of window `window`.
    const fn reads(window: usize, row: usize) -> bool {
        window * S <= row && row < window * S + K
    }

    /// `L` elements of row `i` from `column` on.
    ///
    /// # Safety
    /// The row has them.
    #[inline(always)]
    unsafe fn load<const L: usize>(
        &self,
        column: usize,
        i: usize,
        trace: &mut [R::Partial; L],
    ) -> [R::Partial; L] {
        let row = self.rows[i].wrapping_add(column);
        // SAFETY: the caller's promise.
        let loaded = self.reduce.load_tile(unsafe { row.cast::<[T; L]>().read_unaligned() });
        if NUMBERS {
            for l in 0..L {
                trace[l] = self.reduce.traced(trace[l], loaded[l]);
            }
        }
        loaded
    }

    /// The rows of the first window, folded in `L` columns.
    ///
    /// # Safety
    /// They have that many columns.
    #[inline(always)]
    pub(super) unsafe fn one<const L: usize>(
        &self,
        column: usize,
        trace: &mut [R::Partial; L],
    ) -> [R::Partial; L] {
        // SAFETY: the caller's promise.
        let mut folded = unsafe { self.load(column, 0, trace) };
        for i in 1..K {
            // SAFETY: as above.
            let row = unsafe { self.load(column, i, trace) };
            folded = combined::<T, R, L, NUMBERS>(self.reduce, folded, row);
        }
        folded
    }

    /// The rows of all windows, folded in `L` columns.
    ///
    /// # Safety
    /// They have that many columns.
    #[inline(always)]
    pub(super) unsafe fn all<const L: usize>(
        &self,
        column: usize,
        trace: &mut [R::Partial; L],
    ) -> [[R::Partial; L]; ROWS] {
        let nothing = [self.reduce.identity(); L];
        let (mut a, mut b, mut c, mut d) = (nothing, nothing, nothing, nothing);
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
                    let row = unsafe { self.load(column, $i, trace) };
                    fold!(row, $i, a 0, b 1, c 2, d 3);
                }
            )*};
        }
        // Literals and names, because the compiler does not unroll such a loop for every level.
        rows!(0 1 2 3 4 5 6 7 8 9);
        [a, b, c, d]
    }
}
