//! Folding: `dst[i]` is the reduction of `src[i*S + j*step]` over the taps `j`.
//!
//! With `S = 1` and the distance of two rows as `step` this folds the rows of a window into one
//! row; with the distance of two columns it slides a window of stride 1 along a row; with `S = 2`
//! or more it slides with that stride. One loop shape serves all of them.

use std::mem::MaybeUninit;

use super::line::{Line, LineReducer, Placed, RowTaps, Runs};
use super::tile::in_tiles;
use super::{Kernel, Target};
use crate::Level;
use crate::reduce::Reduce;
use crate::simd::{Work, dispatch};
use crate::view::Shared;

/// Taps of a long window are first reduced into this many interleaved partial results.
const INTERLEAVED: usize = 16;

/// Reduces windows with `R`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold<R> {
    pub(crate) reduce: R,
    pub(crate) level: Level,
}

/// One folded row and the space to combine long windows in.
pub(crate) struct FoldLine<P> {
    row: Vec<P>,
    partials: Vec<P>,
}

impl<T: Copy + Send + Sync, R: Reduce<T>> Kernel<T> for Fold<R> {
    type Line = FoldLine<R::Partial>;
    type Out = Shared<T>;
    const ROW_BYTES: usize = size_of::<R::Partial>();

    fn line(&self, len: usize) -> Self::Line {
        FoldLine { row: vec![self.reduce.identity(); len], partials: Vec::new() }
    }

    fn clear(&self, line: &mut Self::Line, at: usize, len: usize) {
        line.row[at..at + len].fill(self.reduce.identity());
    }

    fn fold_rows(
        &self,
        line: &mut Self::Line,
        at: usize,
        src: &[T],
        taps: RowTaps,
        len: usize,
        onto: bool,
    ) {
        let (reduce, row) = (self.reduce, &mut line.row[at..at + len]);
        dispatch(self.level, FoldRows { reduce, src, taps, row, onto });
    }

    fn slide(&self, line: &mut Self::Line, job: &Line<'_>, out: Self::Out) {
        let scale = self.reduce.scale(job.divisor);
        job.reduce(&mut Slide { fold: *self, scale, line, out });
    }
}

impl<T: Copy + Send + Sync> Target for Shared<T> {
    type Store = Vec<MaybeUninit<T>>;

    fn over(store: &mut Self::Store, len: usize) -> Self {
        if store.len() < len {
            store.resize_with(len, MaybeUninit::uninit);
        }
        Self::over(store)
    }

    unsafe fn scatter(
        self,
        store: &Self::Store,
        first: usize,
        at: isize,
        strides: [isize; 2],
        shape: [usize; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe { super::lanes::scatter(&store[first..], self, at, strides, shape) }
    }
}

/// Folds rows of elements into a row of partial results.
struct FoldRows<'a, T, R: Reduce<T>> {
    reduce: R,
    src: &'a [T],
    taps: RowTaps,
    row: &'a mut [R::Partial],
    onto: bool,
}

impl<T: Copy, R: Reduce<T>> Work for FoldRows<'_, T, R> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, src, taps: RowTaps { step, count, .. }, row, onto } = self;
        in_tiles!(size_of::<R::Partial>(), row.len(), !onto, |at, L| {
            let (src, row) = (&src[at..], &mut row[at..at + L]);
            let mut acc: [R::Partial; L] = std::array::from_fn(|l| row[l]);
            if !onto {
                acc = std::array::from_fn(|l| reduce.load(src[l]));
            }
            for j in usize::from(!onto)..count {
                let tap = &src[j * step..j * step + L];
                for l in 0..L {
                    acc[l] = reduce.combine(acc[l], reduce.load(tap[l]));
                }
            }
            row.copy_from_slice(&acc);
        });
    }
}

/// A folded row with the operation that slides along it.
struct Slide<'l, T, R: Reduce<T>> {
    fold: Fold<R>,
    scale: R::Scale,
    line: &'l mut FoldLine<R::Partial>,
    out: Shared<T>,
}

impl<T: Copy + Send + Sync, R: Reduce<T>> LineReducer for Slide<'_, T, R> {
    const FLAT_LANES: bool = true;

    fn reduce<const S: usize>(&mut self, runs: Runs) {
        let Fold { reduce, level } = self.fold;
        let row = &self.line.row[..];
        dispatch(
            level,
            FoldRuns::<T, R, S> { reduce, scale: self.scale, row, runs, out: self.out },
        );
    }

    /// Independent partial results keep the adders busy and errors small.
    fn reduce_long(&mut self, start: usize, taps: usize, n: usize, to: Placed) {
        let reduce = self.fold.reduce;
        let combine = |sum: &mut [R::Partial], row: &[R::Partial]| {
            for (sum, &partial) in sum.iter_mut().zip(row) {
                *sum = reduce.combine(*sum, partial);
            }
        };
        let window = &self.line.row[start..start + taps * n];
        let rounds = window.chunks_exact(n * INTERLEAVED);
        let rest = rounds.remainder();
        self.line.partials.clear();
        self.line.partials.resize(n * (INTERLEAVED + 1), reduce.identity());
        let (total, partials) = self.line.partials.split_at_mut(n);
        rounds.for_each(|row| combine(partials, row));
        partials.chunks_exact(n).chain(rest.chunks_exact(n)).for_each(|row| combine(total, row));
        // SAFETY: the sweep hands every output position to one call only.
        let dst = unsafe { self.out.run(to.at, n) };
        for (element, &partial) in dst.iter_mut().zip(&*total) {
            element.write(reduce.finish(partial, self.scale));
        }
    }

    fn empty(&mut self, n: usize, to: Placed) {
        let reduce = self.fold.reduce;
        let nothing = reduce.finish(reduce.identity(), self.scale);
        // SAFETY: as above.
        let dst = unsafe { self.out.run(to.at, n) };
        dst.fill_with(|| MaybeUninit::new(nothing));
    }
}

/// Reduces runs along a row of partial results to elements.
struct FoldRuns<'a, T, R: Reduce<T>, const S: usize> {
    reduce: R,
    scale: R::Scale,
    row: &'a [R::Partial],
    runs: Runs,
    out: Shared<T>,
}

impl<T: Copy, R: Reduce<T>, const S: usize> Work for FoldRuns<'_, T, R, S> {
    #[inline(always)]
    fn run(self) {
        let Self { reduce, scale, row, runs, out } = self;
        let Runs { step, taps, n, .. } = runs;
        for (start, to) in runs.each() {
            let src = &row[start..];
            // SAFETY: the sweep hands every output position to one call only.
            let dst = unsafe { out.run(to.at, n) };
            in_tiles!(size_of::<R::Partial>(), n, true, |at, L| {
                let (src, dst) = (&src[at * S..], &mut dst[at..at + L]);
                let first = &src[..(L - 1) * S + 1];
                let mut acc: [R::Partial; L] = std::array::from_fn(|l| first[l * S]);
                for j in 1..taps {
                    let tap = &src[j * step..j * step + (L - 1) * S + 1];
                    for l in 0..L {
                        acc[l] = reduce.combine(acc[l], tap[l * S]);
                    }
                }
                for l in 0..L {
                    dst[l].write(reduce.finish(acc[l], scale));
                }
            });
        }
    }
}
