//! Asking for input before it is read.

use crate::simd::{CACHE_LINE_BYTES, prefetch};

/// Bytes of rows that the processor follows by itself, each of several.
pub(super) const LONG_ROW_BYTES: usize = 4 << 10;

/// Bytes that reading runs ahead of folding: further than a group of rows, of which all are folded
/// column by column, and no more than stays in a second-level cache.
pub(super) const AHEAD: usize = 12 << 10;

/// Asks for the cache lines [`AHEAD`] of the `len` elements from `at` on.
#[inline(always)]
pub(super) fn ask_for_row<T>(src: &[T], at: usize, len: usize) {
    for line in (0..len * size_of::<T>()).step_by(CACHE_LINE_BYTES) {
        prefetch(src, at.wrapping_add((line + AHEAD) / size_of::<T>()));
    }
}

/// [`ask_for_row`] for the elements of a tile.
#[inline(always)]
pub(super) fn ask_ahead<T, const N: usize>(src: &[T], at: usize) {
    ask_for_row(src, at, N);
}

/// [`ask_for_row`] for every position. Not inlined: the loop around it would become two.
#[inline(never)]
pub(super) fn ask_for_rows<T>(src: &[T], positions: &[usize], len: usize) {
    for &at in positions {
        ask_for_row(src, at, len);
    }
}
