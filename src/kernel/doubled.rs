//! Reductions of as many neighbours of a line as a power of two: each is that of two of half as many,
//! the second of which a vector and the next one hold. No vector is loaded from between two of them.

use super::tile::{VECTOR_BYTES, combined, fold_neighbours, with_lanes};
use crate::Level;
use crate::reduce::Reduce;
use crate::simd::{in_one, load_tile, moved, moves_lanes, store_tile, turn_by_turn};

/// Doublings for which there is a kernel.
const DOUBLINGS: u32 = 5;

/// The most neighbours that are reduced so, if the level has the instructions: what a vector has.
pub(super) fn most<P>(level: Level) -> Option<usize> {
    let lanes = const { VECTOR_BYTES / size_of::<P>() };
    moves_lanes(level).then_some(lanes.min(1 << DOUBLINGS))
}

/// The neighbours that windows of `kernel` of them are put together from, of no more than [`most`].
pub(super) fn taps(kernel: usize, most: usize) -> usize {
    1 << kernel.min(most).ilog2()
}

/// [`fold_neighbours`], in vectors of `V` bytes, by doublings where that takes less time.
#[inline(always)]
pub(super) fn fold_level<const V: usize, T, R: Reduce<T>, const L: usize, const NUMBERS: bool>(
    reduce: R,
    line: &[R::Partial],
    level: &mut [R::Partial],
    [taps, step]: [usize; 2],
    len: usize,
) {
    if const { R::IDEMPOTENT && V >= VECTOR_BYTES } && step == 1 {
        macro_rules! double {
            ($DOUBLINGS:literal) => {
                with_lanes!(size_of::<R::Partial>(), |L| {
                    fold_doubled::<T, R, L, NUMBERS, $DOUBLINGS>(reduce, line, level, len)
                })
            };
        }
        match taps {
            4 => return double!(2),
            8 => return double!(3),
            16 => return double!(4),
            32 => return double!(5),
            _ => {}
        }
    }
    fold_neighbours::<T, R, L, NUMBERS>(reduce, line, level, [taps, step], len);
}

/// Folds each of `len` elements of a line, and as many more as fill a vector, with those after it, two
/// to the power of `DOUBLINGS` of them. Vectors have `L` elements, and as many bytes as the processor's.
#[inline(always)]
fn fold_doubled<T, R: Reduce<T>, const L: usize, const NUMBERS: bool, const DOUBLINGS: u32>(
    reduce: R,
    line: &[R::Partial],
    level: &mut [R::Partial],
    len: usize,
) {
    let reach = len.next_multiple_of(L);
    assert!(reach + L <= line.len() && reach <= level.len(), "lines have room");
    // SAFETY: looked at just now.
    let mut zero: [R::Partial; L] = unsafe { load_tile(line, 0) };
    // What follows a tile is there one turn later for every doubling. Tiles are named, because indices
    // would keep them from registers.
    let (mut one, mut two, mut three, mut four) = (zero, zero, zero, zero);
    let late = (DOUBLINGS as usize - 1) * L;
    for at in (0..reach + late).step_by(L) {
        turn_by_turn();
        // SAFETY: looked at above. Behind the last element nothing is asked for.
        let mut tile: [R::Partial; L] = unsafe { load_tile(line, (at + L).min(reach)) };
        macro_rules! double {
            ($kept:ident, $number:literal) => {
                if const { DOUBLINGS > $number } {
                    let next = tile;
                    // SAFETY: the level's vectors have as many bytes as a tile.
                    tile = unsafe {
                        let later = moved::<VECTOR_BYTES, _, L>(&$kept, &next, 1 << $number);
                        in_one::<VECTOR_BYTES, _, L>(combined::<T, R, L, NUMBERS>(
                            reduce, $kept, later,
                        ))
                    };
                    $kept = next;
                }
            };
        }
        double!(zero, 0);
        double!(one, 1);
        double!(two, 2);
        double!(three, 3);
        double!(four, 4);
        if at >= late {
            // SAFETY: looked at above.
            unsafe { store_tile(level, at - late, tile) };
        }
    }
}
