//! Windows far apart along folded rows: squares of outputs and taps are turned, so that single
//! elements need not be picked.

use super::ahead::{AHEAD, ask_for_row};
use super::line::{Apart, Stretch};
use super::slide::{Along, Source};
use super::tile::write_tile;
use crate::reduce::Reduce;
use crate::simd::{Work, load_tile, prefetch, transposed, turn_by_turn};

/// Outputs, and taps, of a square.
pub(crate) const SIDE: usize = 4;

/// Reduces windows of neighbouring columns, any number of columns apart.
pub(crate) struct FoldApart<'a, T, R: Reduce<T>, S: Source<T, R>> {
    pub(crate) along: Along<'a, T, R, S>,
    pub(crate) stretch: &'a Stretch,
}

/// Whether the compiler makes vectors of squares of such partial results.
pub(crate) const fn turns<P>() -> bool {
    matches!(size_of::<P>(), 4 | 8)
}

impl<T: Copy + Default, R: Reduce<T>, S: Source<T, R>> Work for FoldApart<'_, T, R, S> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { along: Along { reduce, line, rows, bases, slide, out }, stretch } = self;
        let runs = slide.runs(stretch, Apart::Any);
        let (n, stride, taps) = (runs.n, slide.stride, stretch.taps);
        // What a square reads from where its first window starts.
        let reach = (SIDE - 1) * stride + taps.next_multiple_of(SIDE);
        for row in rows {
            let scale = reduce.scale(slide.divisor(stretch.count, row));
            let line = &line[row.line.wrapping_add_signed(bases.line) + runs.start..];
            // SAFETY: the sweep hands every output position to one task only.
            let dst = unsafe { out.run(bases.out + row.out + runs.out, n) };
            let readable = line.len().checked_sub(reach).map_or(0, |rest| rest / stride + 1);
            let mut o = 0;
            if stride == SIDE && taps == SIDE {
                let squares = line.as_chunks::<{ SIDE * SIDE }>().0;
                let done = dst.as_chunks_mut::<SIDE>().0;
                o = squares.len().min(done.len()) * SIDE;
                for (square, dst) in squares.iter().zip(done) {
                    turn_by_turn();
                    if S::IN_PLACE || slide.in_place {
                        prefetch(square, AHEAD / size_of::<T>());
                    }
                    let acc = fold_whole_square::<T, R, S>(reduce, square);
                    let results = reduce.finish_tile(acc, [scale; SIDE]);
                    write_tile(dst, results);
                }
            }
            while o < n {
                // The last square repeats results of the one before.
                let at = if n >= SIDE { o.min(n - SIDE) } else { o };
                if at < readable && at + SIDE <= n {
                    if S::IN_PLACE {
                        ask_for_row(line, at * stride, SIDE * stride);
                    }
                    let [acc] =
                        fold_squares::<T, R, S, SIDE, 1>(reduce, line, at * stride, stride, taps);
                    let results = reduce.finish_tile(acc, [scale; SIDE]);
                    write_tile(&mut dst[at..], results);
                    o = at + SIDE;
                } else {
                    let window = &line[o * stride..][..taps];
                    let mut acc = S::partial(reduce, window[0]);
                    for &tap in &window[1..] {
                        acc = reduce.combine(acc, S::partial(reduce, tap));
                    }
                    dst[o].write(reduce.finish(acc, scale));
                    o += 1;
                }
            }
        }
    }
}

/// `N` times `SIDE` windows of `taps` neighbours, `stride` apart, the first at `at`: the sums of several
/// squares need not wait for one another.
#[inline(always)]
pub(crate) fn fold_squares<
    T: Copy,
    R: Reduce<T>,
    S: Source<T, R>,
    const SIDE: usize,
    const N: usize,
>(
    reduce: R,
    line: &[S::Item],
    at: usize,
    stride: usize,
    taps: usize,
) -> [[R::Partial; SIDE]; N] {
    let windows = &line[at..][..(N * SIDE - 1) * stride + taps.next_multiple_of(SIDE)];
    let square = |n: usize, tap: usize| {
        // SAFETY: they end where the last window does, with its last square.
        let window = |o| unsafe { load_tile(windows, (n * SIDE + o) * stride + tap) };
        let mut rows = [window(0); SIDE];
        for o in 1..SIDE {
            rows[o] = window(o);
        }
        transposed(rows)
    };
    let mut acc = [[reduce.identity(); SIDE]; N];
    let whole = taps - taps % SIDE;
    for tap in (0..whole).step_by(SIDE) {
        turn_by_turn();
        for n in 0..N {
            let turned = square(n, tap);
            for j in 0..SIDE {
                acc[n] = onto::<T, R, S, SIDE>(reduce, acc[n], turned[j], tap + j == 0);
            }
        }
    }
    if whole < taps {
        for n in 0..N {
            let turned = square(n, whole);
            for j in 0..SIDE {
                if j < taps - whole {
                    acc[n] = onto::<T, R, S, SIDE>(reduce, acc[n], turned[j], whole + j == 0);
                }
            }
        }
    }
    acc
}

/// Four windows of four neighbours each, side by side.
#[inline(always)]
fn fold_whole_square<T: Copy, R: Reduce<T>, S: Source<T, R>>(
    reduce: R,
    square: &[S::Item; SIDE * SIDE],
) -> [R::Partial; SIDE] {
    let mut windows = [[square[0]; SIDE]; SIDE];
    for o in 0..SIDE {
        windows[o].copy_from_slice(&square[o * SIDE..][..SIDE]);
    }
    let taps = transposed(windows);
    let mut acc = [reduce.identity(); SIDE];
    for j in 0..SIDE {
        acc = onto::<T, R, S, SIDE>(reduce, acc, taps[j], j == 0);
    }
    acc
}

/// The `taps` of windows on what came before them, if that is anything.
#[inline(always)]
fn onto<T: Copy, R: Reduce<T>, S: Source<T, R>, const SIDE: usize>(
    reduce: R,
    acc: [R::Partial; SIDE],
    taps: [S::Item; SIDE],
    first: bool,
) -> [R::Partial; SIDE] {
    let mut partials = [reduce.identity(); SIDE];
    for l in 0..SIDE {
        partials[l] = S::partial(reduce, taps[l]);
    }
    if first {
        return partials;
    }
    for l in 0..SIDE {
        partials[l] = reduce.combine(acc[l], partials[l]);
    }
    partials
}
