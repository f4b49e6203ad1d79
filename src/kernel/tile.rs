//! Fixed tiles of lanes that stay in registers while the taps of a window go by.
//!
//! A tile is `L` neighbouring results. Its loops over `0..L` have a constant length and no branch,
//! so they compile to whole vectors under any instruction set, and the loop over the taps, whose
//! number is known only at run time, carries nothing but registers.

use std::hint::black_box;
use std::mem::MaybeUninit;

use crate::reduce::{Reduce, combine};
use crate::simd::{load_and_store, load_tile, store_tile, turn_by_turn};

/// Runs `$body` for tiles that cover `0..$n`, each with a constant width `$L` and its position `$at`.
///
/// Widths are whole 64-byte vectors of lanes of `$bytes` bytes: `eight`, `two` and then one, from the
/// one that is named on. The last tile may reach past `$n`, up to `$room`, which saves a tail of single lanes:
/// short rows are mostly tail. Where there is no such room, it may with `$overlap` repeat results of
/// the one before, for results that do not depend on what is there already; otherwise single lanes
/// follow, but for `full`: two and then one, which there must be results enough for.
macro_rules! in_tiles {
    ($widths:ident, $bytes:expr, $n:expr, $room:expr, $overlap:expr,
     |$at:ident, $L:ident| $body:expr) => {{
        let (n, room): (usize, usize) = ($n, $room);
        match const { $bytes } {
            1 => in_tiles!(@$widths n, room, $overlap, |$at, $L| $body, 128, 64),
            2 => in_tiles!(@$widths n, room, $overlap, |$at, $L| $body, 64, 32),
            4 => in_tiles!(@$widths n, room, $overlap, |$at, $L| $body, 32, 16),
            _ => in_tiles!(@$widths n, room, $overlap, |$at, $L| $body, 16, 8),
        }
    }};
    (@eight $n:ident, $room:ident, $overlap:expr, |$at:ident, $L:ident| $body:expr,
     $two:expr, $one:expr) => {{
        let mut at = 0;
        in_tiles!(@whole $n, $room, at, |$at, $L| $body, 4 * $two);
        in_tiles!(@whole $n, $room, at, |$at, $L| $body, $two);
        in_tiles!(@rest $n, $room, $overlap, at, |$at, $L| $body, $one)
    }};
    (@full $n:ident, $room:ident, $overlap:expr, |$at:ident, $L:ident| $body:expr,
     $two:expr, $one:expr) => {{
        let mut at = 0;
        in_tiles!(@whole $n, $room, at, |$at, $L| $body, $two);
        in_tiles!(@vectors $n, $room, $overlap, at, |$at, $L| $body, $one);
    }};
    (@two $n:ident, $room:ident, $overlap:expr, |$at:ident, $L:ident| $body:expr,
     $two:expr, $one:expr) => {{
        let mut at = 0;
        in_tiles!(@whole $n, $room, at, |$at, $L| $body, $two);
        in_tiles!(@rest $n, $room, $overlap, at, |$at, $L| $body, $one)
    }};
    (@whole $n:ident, $room:ident, $position:ident, |$at:ident, $L:ident| $body:expr,
     $width:expr) => {{
        const $L: usize = $width;
        let end = $n.min($room);
        while $position + $L <= end {
            let $at = $position;
            $body;
            $position += $L;
        }
    }};
    (@one $n:ident, $room:ident, $overlap:expr, |$at:ident, $L:ident| $body:expr,
     $two:expr, $one:expr) => {{
        let mut at = 0;
        in_tiles!(@rest $n, $room, $overlap, at, |$at, $L| $body, $one)
    }};
    (@vectors $n:ident, $room:ident, $overlap:expr, $position:ident,
     |$at:ident, $L:ident| $body:expr, $width:expr) => {
        {
            const $L: usize = $width;
            let whole = $n.div_ceil($L) * $L;
            let end = if whole <= $room { whole } else { $n.min($room) };
            loop {
                if $position + $L > end {
                    if !$overlap || $position >= $n || $n < $L || $n > $room {
                        break;
                    }
                    $position = $n - $L;
                }
                let $at = $position;
                $body;
                $position += $L;
            }
        }
    };
    (@rest $n:ident, $room:ident, $overlap:expr, $position:ident,
     |$at:ident, $L:ident| $body:expr, $width:expr) => {{
        in_tiles!(@vectors $n, $room, $overlap, $position, |$at, $L| $body, $width);
        const $L: usize = 1;
        while $position < $n {
            let $at = $position;
            $body;
            $position += 1;
        }
    }};
}

/// Evaluates `$body` with `$L` set to the lanes of `$bytes` bytes that one 64-byte vector holds.
macro_rules! with_lanes {
    ($bytes:expr, |$L:ident| $body:expr) => {
        match const { $bytes } {
            1 => with_lanes!(@lanes $L, 64, $body),
            2 => with_lanes!(@lanes $L, 32, $body),
            4 => with_lanes!(@lanes $L, 16, $body),
            _ => with_lanes!(@lanes $L, 8, $body),
        }
    };
    (@lanes $L:ident, $lanes:expr, $body:expr) => {{
        const $L: usize = $lanes;
        $body
    }};
}

/// `n` tiles that follow one another from element `at` on; checked here, so that a loop over them
/// need not.
#[inline(always)]
pub(crate) fn tiles<T, const L: usize>(elements: &[T], at: usize, n: usize) -> &[[T; L]] {
    &elements[at..].as_chunks::<L>().0[..n]
}

/// `L` neighbouring elements from element `at` on, as partial results.
///
/// # Safety
/// They are elements of the slice.
#[inline(always)]
pub(crate) unsafe fn load_partials<T: Copy, R: Reduce<T>, const L: usize>(
    reduce: R,
    slice: &[T],
    at: usize,
) -> [R::Partial; L] {
    // SAFETY: the caller's promise.
    let elements: [T; L] = unsafe { load_tile(slice, at) };
    reduce.load_tile(elements)
}

/// [`load_tile`] of what is stored again.
///
/// # Safety
/// They are elements of the line.
#[inline(always)]
pub(crate) unsafe fn loaded<const V: usize, P: Copy, const L: usize>(
    line: &[P],
    at: usize,
) -> [P; L] {
    // SAFETY: the caller's promise.
    let tile = unsafe { load_tile(line, at) };
    if const { V < VECTOR_BYTES } {
        // The compiler would store under a mask what is larger, which takes some processors long.
        load_and_store();
    }
    tile
}

/// [`load_partials`], looked at: for rows whose taps a table names.
#[inline(always)]
pub(crate) fn load_checked<T: Copy, R: Reduce<T>, const L: usize>(
    reduce: R,
    slice: &[T],
    at: usize,
) -> [R::Partial; L] {
    let row = &slice[at..][..L];
    // SAFETY: they are elements of the row.
    unsafe { load_partials::<T, R, L>(reduce, row, 0) }
}

/// [`load_partials`], leaving a trace of what was met if that is to be looked at.
///
/// # Safety
/// They are elements of the slice.
#[inline(always)]
pub(crate) unsafe fn load_traced<T: Copy, R: Reduce<T>, const L: usize, const NUMBERS: bool>(
    reduce: R,
    slice: &[T],
    at: usize,
    trace: &mut [R::Partial; L],
) -> [R::Partial; L] {
    // SAFETY: the caller's promise.
    let loaded = unsafe { load_partials::<T, R, L>(reduce, slice, at) };
    *trace = traced::<T, R, L, NUMBERS>(reduce, *trace, &loaded);
    loaded
}

/// `trace`, and what is met in `tile`, if that is to be looked at.
#[inline(always)]
pub(crate) fn traced<T, R: Reduce<T>, const L: usize, const NUMBERS: bool>(
    reduce: R,
    mut trace: [R::Partial; L],
    tile: &[R::Partial; L],
) -> [R::Partial; L] {
    if NUMBERS {
        for l in 0..L {
            trace[l] = reduce.traced(trace[l], tile[l]);
        }
    }
    trace
}

/// Makes the first elements of `dst` those of a tile.
#[inline(always)]
pub(crate) fn write_tile<T: Copy, const L: usize>(dst: &mut [MaybeUninit<T>], tile: [T; L]) {
    let dst = &mut dst[..L];
    for l in 0..L {
        dst[l].write(tile[l]);
    }
}

/// Combines `later` onto `earlier`, lane by lane.
#[inline(always)]
pub(crate) fn onto<T, R: Reduce<T>, const L: usize, const NUMBERS: bool>(
    reduce: R,
    earlier: &mut [R::Partial; L],
    later: &[R::Partial; L],
) {
    for l in 0..L {
        earlier[l] = combine::<T, R, NUMBERS>(reduce, earlier[l], later[l]);
    }
}

/// Both, lane by lane.
#[inline(always)]
pub(crate) fn combined<T, R: Reduce<T>, const L: usize, const NUMBERS: bool>(
    reduce: R,
    mut earlier: [R::Partial; L],
    later: [R::Partial; L],
) -> [R::Partial; L] {
    onto::<T, R, L, NUMBERS>(reduce, &mut earlier, &later);
    earlier
}

/// Whether all elements that left these traces are numbers.
#[inline(always)]
pub(crate) fn are_numbers<T, R: Reduce<T>, const L: usize>(
    reduce: R,
    met: &[R::Partial; L],
) -> bool {
    // Copied, and not known to be what it was: the compiler would keep the traces of the loop before
    // in halves of vectors, or single lanes.
    let met = *met;
    let mut numbers = true;
    for &trace in black_box(&met) {
        numbers &= reduce.are_numbers(trace);
    }
    numbers
}

/// Folds each of `len` elements of a line, and as many more as fill a vector, with those after it
/// that lie `step` apart: `taps` with it.
#[inline(always)]
pub(crate) fn fold_neighbours<T, R: Reduce<T>, const L: usize, const NUMBERS: bool>(
    reduce: R,
    line: &[R::Partial],
    level: &mut [R::Partial],
    [taps, step]: [usize; 2],
    len: usize,
) {
    let reach = len.next_multiple_of(L);
    assert!(reach + (taps - 1) * step <= line.len() && reach <= level.len(), "lines have room");
    for at in (0..len).step_by(L) {
        turn_by_turn();
        // SAFETY: looked at above.
        let mut acc: [R::Partial; L] = unsafe { load_tile(line, at) };
        let mut tap = at;
        for _ in 1..taps {
            turn_by_turn();
            tap += step;
            // SAFETY: as above.
            let tap = unsafe { load_tile(line, tap) };
            onto::<T, R, L, NUMBERS>(reduce, &mut acc, &tap);
        }
        // SAFETY: as above.
        unsafe { store_tile(level, at, acc) };
    }
}

/// Bytes of one vector in [`in_tiles`].
pub(crate) const VECTOR_BYTES: usize = 64;

/// Whole vectors. They are kept in memory, as the compiler would take tiles apart that a loop carries.
#[repr(align(64))]
pub(super) struct Vectors<A>(pub(super) A);

pub(crate) use {in_tiles, with_lanes};
