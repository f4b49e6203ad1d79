//! Between memory where lanes lie apart and rows where they are interleaved.

use std::mem::MaybeUninit;

use crate::simd::transposed;
use crate::view::Shared;

/// Elements that are transposed at a time, both ways: what the smallest vectors hold.
const TILE: usize = 4;

/// `dst[i*lanes + l] = src[at + i*strides[0] + l*strides[1]]` for `shape = [n, lanes]`.
pub(crate) fn gather<T: Copy>(
    src: &[T],
    at: usize,
    strides: [isize; 2],
    shape: [usize; 2],
    dst: &mut [T],
) {
    let [n, lanes] = shape;
    let dst = &mut dst[..n * lanes];
    let start = |l: usize| at.wrapping_add_signed(l as isize * strides[1]);
    let tiles = if strides[0] == 1 { lanes / TILE } else { 0 };
    for tile in 0..tiles {
        let l = tile * TILE;
        let plane = |i: usize| &src[start(l + i)..][..n];
        let planes = [plane(0), plane(1), plane(2), plane(3)];
        let whole = n / TILE * TILE;
        for i in (0..whole).step_by(TILE) {
            let rows = transposed([
                columns(planes[0], i),
                columns(planes[1], i),
                columns(planes[2], i),
                columns(planes[3], i),
            ]);
            for (j, row) in rows.iter().enumerate() {
                dst[(i + j) * lanes + l..][..TILE].copy_from_slice(row);
            }
        }
        for i in whole..n {
            for (j, plane) in planes.iter().enumerate() {
                dst[i * lanes + l + j] = plane[i];
            }
        }
    }
    for i in 0..n {
        for l in tiles * TILE..lanes {
            dst[i * lanes + l] = src[start(l).wrapping_add_signed(i as isize * strides[0])];
        }
    }
}

/// `out[at + i*strides[0] + l*strides[1]] = src[i*lanes + l]` for `shape = [n, lanes]`.
///
/// # Safety
/// These are elements of the memory behind `out` that nothing else holds, and the first
/// `n * lanes` elements of `src` are initialised.
pub(crate) unsafe fn scatter<T: Copy>(
    src: &[MaybeUninit<T>],
    out: Shared<T>,
    at: isize,
    strides: [isize; 2],
    shape: [usize; 2],
) {
    let [n, lanes] = shape;
    let src = &src[..n * lanes];
    let start = |l: usize| at + l as isize * strides[1];
    let tiles = if strides[0] == 1 { lanes / TILE } else { 0 };
    for tile in 0..tiles {
        let l = tile * TILE;
        // SAFETY: the caller's promise; different lanes are different planes.
        let plane = |i: usize| unsafe { out.run(start(l + i), n) };
        let mut planes = [plane(0), plane(1), plane(2), plane(3)];
        let whole = n / TILE * TILE;
        for i in (0..whole).step_by(TILE) {
            let row = |j: usize| columns(src, (i + j) * lanes + l);
            let rows = transposed([row(0), row(1), row(2), row(3)]);
            for (plane, row) in planes.iter_mut().zip(&rows) {
                plane[i..i + TILE].copy_from_slice(row);
            }
        }
        for i in whole..n {
            for (j, plane) in planes.iter_mut().enumerate() {
                plane[i] = src[i * lanes + l + j];
            }
        }
    }
    for l in tiles * TILE..lanes {
        for i in 0..n {
            // SAFETY: the caller's promise.
            let dst = unsafe { out.run(start(l) + i as isize * strides[0], 1) };
            dst[0] = src[i * lanes + l];
        }
    }
}

/// Neighbours from position `i` on.
#[inline(always)]
fn columns<T: Copy>(plane: &[T], i: usize) -> [T; TILE] {
    let mut columns = [plane[i]; TILE];
    columns.copy_from_slice(&plane[i..i + TILE]);
    columns
}
