//! Windows far apart along folded rows: squares of outputs and taps are turned, so that single
//! elements need not be picked.

use super::fold::AHEAD;
use super::line::{Apart, Stretch};
use super::slide::Along;
use super::tile::tiles;
use crate::reduce::Reduce;
use crate::simd::{Work, prefetch, transposed, turn_by_turn};

/// Outputs, and taps, of a square.
const SIDE: usize = 4;

/// Reduces windows of neighbouring columns, any number of columns apart.
pub(crate) struct FoldApart<'a, T, R: Reduce<T>> {
    pub(crate) along: Along<'a, T, R>,
    pub(crate) stretch: &'a Stretch,
}

impl<T: Copy, R: Reduce<T>> FoldApart<'_, T, R> {
    /// Whether the compiler makes vectors of squares of partial results.
    pub(crate) const TURNS: bool = R::COMMON && matches!(size_of::<R::Partial>(), 4 | 8);
}

impl<T: Copy, R: Reduce<T>> Work for FoldApart<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { along: Along { reduce, line, rows, bases, slide, out }, stretch } = self;
        let runs = slide.runs(stretch, Apart::Any);
        let (n, stride, taps) = (runs.n, slide.stride, stretch.taps);
        // What a square reads from where its first window starts.
        let reach = (SIDE - 1) * stride + taps.next_multiple_of(SIDE);
        for row in rows {
            let scale = reduce.scale(slide.divisor(stretch, row));
            let line = &line[row.line.wrapping_add_signed(bases.line) + runs.start..];
            // SAFETY: the sweep hands every output position to one task only.
            let dst = unsafe { out.run(bases.out + row.out + runs.out, n) };
            let readable = line.len().checked_sub(reach).map_or(0, |rest| rest / stride + 1);
            let combine = |earlier, later| reduce.combine(earlier, later);
            let mut o = 0;
            if stride == SIDE && taps == SIDE {
                let squares = line.as_chunks::<{ SIDE * SIDE }>().0;
                let done = dst.as_chunks_mut::<SIDE>().0;
                o = squares.len().min(done.len()) * SIDE;
                for (square, dst) in squares.iter().zip(done) {
                    turn_by_turn();
                    if slide.in_place {
                        prefetch(square, AHEAD / size_of::<T>());
                    }
                    let acc = fold_whole_square(square, combine);
                    for l in 0..SIDE {
                        dst[l].write(reduce.finish(acc[l], scale));
                    }
                }
            }
            while o < n {
                // The last square repeats results of the one before.
                let at = if n >= SIDE { o.min(n - SIDE) } else { o };
                if at < readable && at + SIDE <= n {
                    let acc = fold_square(line, at * stride, stride, taps, combine);
                    let dst = &mut dst[at..at + SIDE];
                    for l in 0..SIDE {
                        dst[l].write(reduce.finish(acc[l], scale));
                    }
                    o = at + SIDE;
                } else {
                    let window = &line[o * stride..][..taps];
                    let first = window[0];
                    let rest = window[1..].iter();
                    let acc = rest.fold(first, |acc, &tap| combine(acc, tap));
                    dst[o].write(reduce.finish(acc, scale));
                    o += 1;
                }
            }
        }
    }
}

/// Four windows of `taps` neighbours, `stride` apart, the first at `at`.
#[inline(always)]
fn fold_square<P: Copy>(
    line: &[P],
    at: usize,
    stride: usize,
    taps: usize,
    combine: impl Fn(P, P) -> P,
) -> [P; SIDE] {
    let squares = taps.div_ceil(SIDE);
    let window = |o: usize| tiles::<P, SIDE>(line, at + o * stride, squares);
    let windows = [window(0), window(1), window(2), window(3)];
    let mut acc = [windows[0][0][0]; SIDE];
    for i in 0..squares {
        turn_by_turn();
        let square = [windows[0][i], windows[1][i], windows[2][i], windows[3][i]];
        let turned = transposed(square);
        let left = taps - i * SIDE;
        if i == 0 {
            acc = turned[0];
        } else {
            acc = combined(acc, turned[0], &combine);
        }
        for j in 1..SIDE {
            if j < left {
                acc = combined(acc, turned[j], &combine);
            }
        }
    }
    acc
}

/// Four windows of four neighbours each, side by side.
#[inline(always)]
fn fold_whole_square<P: Copy>(square: &[P; SIDE * SIDE], combine: impl Fn(P, P) -> P) -> [P; SIDE] {
    let mut windows = [[square[0]; SIDE]; SIDE];
    for o in 0..SIDE {
        windows[o].copy_from_slice(&square[o * SIDE..][..SIDE]);
    }
    let taps = transposed(windows);
    let mut acc = taps[0];
    for j in 1..SIDE {
        acc = combined(acc, taps[j], &combine);
    }
    acc
}

#[inline(always)]
fn combined<P: Copy>(
    earlier: [P; SIDE],
    later: [P; SIDE],
    combine: &impl Fn(P, P) -> P,
) -> [P; SIDE] {
    let mut both = earlier;
    for l in 0..SIDE {
        both[l] = combine(earlier[l], later[l]);
    }
    both
}
