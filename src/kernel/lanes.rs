//! Between memory where lanes lie apart and rows where they are interleaved.

use std::mem::MaybeUninit;

use crate::simd::turn;
use crate::view::Shared;

/// Runs `$body` with `$N` set to the side of the squares of `$T` that are turned at a time, both
/// ways: what the smallest vectors hold, or two of them, or less where there are fewer lanes.
macro_rules! with_side {
    ($T:ty, $lanes:expr, |$N:ident| $body:expr) => {
        match const { size_of::<$T>() } {
            1 if $lanes >= 16 => with_side!(@side $N, 16, $body),
            2 if $lanes >= 8 => with_side!(@side $N, 8, $body),
            _ => with_side!(@side $N, 4, $body),
        }
    };
    (@side $N:ident, $side:expr, $body:expr) => {{
        const $N: usize = $side;
        $body
    }};
}

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
    with_side!(T, lanes, |N| for l in (0..lanes).step_by(N) {
        // The last planes are done with some before them where squares are whole.
        let l = if lanes < N { l } else { l.min(lanes - N) };
        let (first, last) = (start(l), start((l + N).min(lanes) - 1));
        let readable = src.len().saturating_sub(first.max(last)) >= n.max(N);
        if strides[0] == 1 && lanes >= N && readable {
            // SAFETY: just looked at: `N` planes, each with a square's side at least behind it.
            unsafe { gather_squares::<T, N>(src, first, strides[1], shape, &mut dst[l..]) };
        } else {
            for l in l..lanes.min(l + N) {
                for i in 0..n {
                    dst[i * lanes + l] = src[start(l).wrapping_add_signed(i as isize * strides[0])];
                }
            }
        }
    });
}

/// The same for the first `N` lanes of planes whose elements are neighbours.
///
/// # Safety
/// From where each plane starts, `src` has `n` elements and `N`, whatever is more.
#[inline(always)]
unsafe fn gather_squares<T: Copy, const N: usize>(
    src: &[T],
    at: usize,
    apart: isize,
    [n, lanes]: [usize; 2],
    dst: &mut [T],
) {
    assert!(n.saturating_sub(1) * lanes + N <= dst.len(), "all rows have their lanes");
    let from = src.as_ptr().wrapping_add(at);
    if n >= N {
        for i in (0..n).step_by(N) {
            let i = i.min(n - N);
            // SAFETY: the caller's promise; rows `i` to `i + N` are some of `n`.
            unsafe {
                let rows = dst.as_mut_ptr().add(i * lanes);
                turn::<T, N>((from.wrapping_add(i), rows), [apart, lanes as isize]);
            }
        }
    } else {
        let mut square = [[src[at]; N]; N];
        // SAFETY: the caller's promise.
        unsafe { turn::<T, N>((from, square.as_mut_ptr().cast()), [apart, N as isize]) };
        for (row, dst) in square[..n].iter().zip(dst.chunks_mut(lanes)) {
            dst[..N].copy_from_slice(row);
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
    with_side!(T, lanes, |N| for l in (0..lanes).step_by(N) {
        let l = if lanes < N { l } else { l.min(lanes - N) };
        if strides[0] == 1 && lanes >= N {
            // SAFETY: the caller's promise; different lanes are different planes.
            unsafe { scatter_squares::<T, N>(&src[l..], out, start(l), strides[1], shape) };
        } else {
            for l in l..lanes.min(l + N) {
                for i in 0..n {
                    // SAFETY: as above.
                    let dst = unsafe { out.run(start(l) + i as isize * strides[0], 1) };
                    dst[0] = src[i * lanes + l];
                }
            }
        }
    });
}

/// The same for the first `N` lanes to planes whose elements are neighbours.
///
/// # Safety
/// The first `N` planes are the caller's own.
#[inline(always)]
unsafe fn scatter_squares<T: Copy, const N: usize>(
    src: &[MaybeUninit<T>],
    out: Shared<T>,
    at: isize,
    apart: isize,
    [n, lanes]: [usize; 2],
) {
    assert!(n.saturating_sub(1) * lanes + N <= src.len(), "all rows have their lanes");
    if n >= N {
        for i in (0..n).step_by(N) {
            let i = i.min(n - N);
            // SAFETY: rows `i` to `i + N` are some of `n`, and the planes have as many elements.
            unsafe {
                let rows = src.as_ptr().add(i * lanes);
                turn::<_, N>((rows, out.pointer(at + i as isize)), [lanes as isize, apart]);
            }
        }
    } else {
        let mut square = [[MaybeUninit::uninit(); N]; N];
        for i in 0..n {
            square[i].copy_from_slice(&src[i * lanes..][..N]);
        }
        for l in 0..N {
            // SAFETY: the caller's promise; one plane at a time.
            let plane = unsafe { out.run(at + l as isize * apart, n) };
            for (i, element) in plane.iter_mut().enumerate() {
                *element = square[i][l];
            }
        }
    }
}
