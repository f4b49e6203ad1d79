//! Between memory where lanes lie apart and rows where they are interleaved.

use std::mem::MaybeUninit;

use crate::view::Shared;

/// `dst[i*lanes + l] = src[at + i*strides[0] + l*strides[1]]` for `shape = [n, lanes]`.
pub(crate) fn gather<T: Copy>(
    src: &[T],
    at: usize,
    strides: [isize; 2],
    shape: [usize; 2],
    dst: &mut [T],
) {
    let [n, lanes] = shape;
    let element = |i: usize, l: usize| {
        src[at.wrapping_add_signed(i as isize * strides[0] + l as isize * strides[1])]
    };
    let dst = &mut dst[..n * lanes];
    if lanes == 1 {
        for (i, dst) in dst.iter_mut().enumerate() {
            *dst = element(i, 0);
        }
        return;
    }
    for (i, dst) in dst.chunks_exact_mut(lanes).enumerate() {
        for (l, dst) in dst.iter_mut().enumerate() {
            *dst = element(i, l);
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
    for l in 0..lanes {
        let at = at + l as isize * strides[1];
        if strides[0] == 1 {
            // SAFETY: the caller's promise.
            let dst = unsafe { out.run(at, n) };
            for (i, dst) in dst.iter_mut().enumerate() {
                *dst = src[i * lanes + l];
            }
        } else {
            for i in 0..n {
                // SAFETY: the caller's promise.
                unsafe { out.run(at + i as isize * strides[0], 1)[0] = src[i * lanes + l] };
            }
        }
    }
}
