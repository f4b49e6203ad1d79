//! Maxima with their positions.
//!
//! A result is a pair: the value, and how far in the plane its element lies from the first
//! element of the unclipped window. Folding rows meets elements in order, so a later one wins
//! only if it is larger or NaN. Sliding along a row meets them out of order (a left column's
//! lower row comes before a right column's upper row), so there the smaller position wins a tie,
//! and of several NaN the larger one: in the end the first maximum in row-major order, or the
//! last NaN, which is PyTorch's rule.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::line::{Empty, Line, LineReducer, Placed, RowTaps, Runs};
use super::tile::in_tiles;
use super::{Kernel, Target};
use crate::Level;
use crate::element::{Element, Ordered, Position};
use crate::simd::{Work, dispatch};
use crate::view::Shared;

/// Maxima with positions kept in lanes of `P`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArgMax<P> {
    pub(crate) positions: PhantomData<P>,
    pub(crate) level: Level,
}

/// A folded row: values, and positions beside them.
pub(crate) struct PairLine<V, P> {
    values: Vec<V>,
    positions: Vec<P>,
}

impl<T: Element, P: Position> Kernel<T> for ArgMax<P> {
    type Line = PairLine<T::Ordered, P>;
    type Out = (Shared<T>, Shared<i64>);
    const ROW_BYTES: usize = size_of::<T>() + size_of::<P>();

    fn line(&self, len: usize) -> Self::Line {
        PairLine { values: vec![T::Ordered::LOWEST; len], positions: vec![P::NONE; len] }
    }

    fn clear(&self, line: &mut Self::Line, at: usize, len: usize) {
        line.values[at..at + len].fill(T::Ordered::LOWEST);
        line.positions[at..at + len].fill(P::NONE);
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
        let values = &mut line.values[at..at + len];
        let positions = &mut line.positions[at..at + len];
        dispatch(self.level, FoldRows { src, taps, values, positions, onto });
    }

    fn slide(&self, line: &mut Self::Line, job: &Line<'_>, out: Self::Out) {
        job.reduce(&mut Slide { line, out, lanes: job.lanes, level: self.level });
        if let Some(empty) = job.empty {
            place_empty(job, empty, out.1);
        }
    }
}

impl<T: Copy + Send + Sync> Target for (Shared<T>, Shared<i64>) {
    type Store = (Vec<MaybeUninit<T>>, Vec<MaybeUninit<i64>>);

    fn over(store: &mut Self::Store, len: usize) -> Self {
        (Target::over(&mut store.0, len), Target::over(&mut store.1, len))
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
        unsafe {
            self.0.scatter(&store.0, first, at, strides, shape);
            self.1.scatter(&store.1, first, at, strides, shape);
        }
    }
}

/// Windows without elements get the position that PyTorch gives them, the first tap after the left
/// padding of every axis, if the plane has it, else -1.
fn place_empty(job: &Line<'_>, empty: Empty, indices: Shared<i64>) {
    for o in job.outputs.clone() {
        if empty.rows || job.axis.taps(o).count == 0 {
            let first = empty.first.saturating_add(job.axis.first_after_padding(o));
            let index = if first < empty.volume { first as i64 } else { -1 };
            let at = job.out_at + o as isize * job.out_stride;
            // SAFETY: the sweep hands every output position to one call only.
            unsafe { indices.run(at, job.lanes) }.fill(MaybeUninit::new(index));
        }
    }
}

/// Folds rows of elements, which come in the order of their positions.
struct FoldRows<'a, T: Element, P> {
    src: &'a [T],
    taps: RowTaps,
    values: &'a mut [T::Ordered],
    positions: &'a mut [P],
    onto: bool,
}

impl<T: Element, P: Position> Work for FoldRows<'_, T, P> {
    #[inline(always)]
    fn run(self) {
        let Self { src, taps, values, positions, onto } = self;
        in_tiles!(size_of::<P>(), values.len(), !onto, |at, L| {
            let src = &src[at..];
            let (values, positions) = (&mut values[at..at + L], &mut positions[at..at + L]);
            let mut best: [T::Ordered; L] = std::array::from_fn(|l| values[l]);
            let mut from: [P; L] = std::array::from_fn(|l| positions[l]);
            if !onto {
                best = std::array::from_fn(|l| src[l].to_ordered());
                from = [P::from_distance(taps.distance); L];
            }
            for j in usize::from(!onto)..taps.count {
                let tap = &src[j * taps.step..j * taps.step + L];
                let distance = P::from_distance(taps.distance + j * taps.distance_step);
                for l in 0..L {
                    let value = tap[l].to_ordered();
                    let wins = value.exceeds(best[l]) | value.is_nan();
                    best[l] = if wins { value } else { best[l] };
                    from[l] = if wins { distance } else { from[l] };
                }
            }
            values.copy_from_slice(&best);
            positions.copy_from_slice(&from);
        });
    }
}

struct Slide<'l, T: Element, P> {
    line: &'l mut PairLine<T::Ordered, P>,
    out: (Shared<T>, Shared<i64>),
    lanes: usize,
    level: Level,
}

impl<T: Element, P: Position> LineReducer for Slide<'_, T, P> {
    const FLAT_LANES: bool = false;

    fn reduce<const S: usize>(&mut self, runs: Runs) {
        let (values, positions) = (&self.line.values[..], &self.line.positions[..]);
        let (lanes, out) = (self.lanes, self.out);
        dispatch(self.level, BestOfRuns::<T, P, S> { values, positions, lanes, runs, out });
    }

    fn reduce_long(&mut self, start: usize, taps: usize, n: usize, to: Placed) {
        self.reduce::<1>(Runs::single(start, n, taps, n, to));
    }

    fn empty(&mut self, n: usize, to: Placed) {
        // SAFETY: the sweep hands every output position to one call only.
        let (maxima, indices) = unsafe { (self.out.0.run(to.at, n), self.out.1.run(to.at, n)) };
        maxima.fill_with(|| MaybeUninit::new(T::from_ordered(T::Ordered::LOWEST)));
        indices.fill_with(|| MaybeUninit::new(-1));
    }
}

/// Finds the best of every window along a row.
struct BestOfRuns<'a, T: Element, P, const S: usize> {
    values: &'a [T::Ordered],
    positions: &'a [P],
    lanes: usize,
    runs: Runs,
    out: (Shared<T>, Shared<i64>),
}

impl<T: Element, P: Position, const S: usize> Work for BestOfRuns<'_, T, P, S> {
    #[inline(always)]
    fn run(self) {
        let Self { values, positions, lanes, runs, out } = self;
        let Runs { step, taps, n, .. } = runs;
        // A run has several columns of one lane, or the lanes of one column.
        let advance = if lanes == 1 { S as i64 } else { 0 };
        for (start, to) in runs.each() {
            let (values, positions) = (&values[start..], &positions[start..]);
            // SAFETY: the sweep hands every output position to one call only.
            let (maxima, indices) = unsafe { (out.0.run(to.at, n), out.1.run(to.at, n)) };
            in_tiles!(size_of::<P>(), n, true, |at, L| {
                let (values, positions) = (&values[at * S..], &positions[at * S..]);
                let mut best: [T::Ordered; L] = std::array::from_fn(|l| values[l * S]);
                let mut from: [P; L] = std::array::from_fn(|l| positions[l * S]);
                for j in 1..taps {
                    let tap = j * step..j * step + (L - 1) * S + 1;
                    let (value, position) = (&values[tap.clone()], &positions[tap]);
                    let distance = P::from_distance(j * step / lanes);
                    for l in 0..L {
                        let (v, p) = (value[l * S], position[l * S].plus(distance));
                        let wins = later_wins(best[l], from[l], v, p);
                        best[l] = if wins { v } else { best[l] };
                        from[l] = if wins { p } else { from[l] };
                    }
                }
                let first = to.index + at as i64 * advance;
                let (maxima, indices) = (&mut maxima[at..at + L], &mut indices[at..at + L]);
                for l in 0..L {
                    maxima[l].write(T::from_ordered(best[l]));
                    let distance = from[l].to_index();
                    // Where no element was found, the distance may be the smallest integer.
                    let found = (first + l as i64 * advance).wrapping_add(distance);
                    indices[l].write(if distance < 0 { -1 } else { found });
                }
            });
        }
    }
}

/// Whether an element of a later column replaces the best so far.
#[inline(always)]
fn later_wins<V: Ordered, P: Position>(best: V, from: P, value: V, position: P) -> bool {
    let earlier_tie = value.equals(best) & (position < from);
    let last_nan = value.is_nan() & !(best.is_nan() & (position < from));
    value.exceeds(best) | earlier_tie | last_nan
}
