//! One window over each of many small planes: folded to a row per plane, four of which are then
//! turned, so that single elements need not be picked.

use std::ops::Range;

use super::ahead::AHEAD;
use super::apart::{SIDE, fold_square, turns};
use super::fold::Fold;
use super::line::LONG;
use super::planes::{Axes, merged, offsets, volume};
use super::scales::Scales;
use super::slide::Folded;
use super::tile::{VECTOR_BYTES, load_partials, onto, with_lanes, write_tile};
use crate::reduce::{Divisor, Reduce};
use crate::simd::{Work, dispatch, load_tile, prefetch, store_tile, turn_by_turn};
use crate::view::Shared;
use crate::window::Axis;
use crate::{Execution, Geometry, View};

/// Planes whose rows are folded before the first four are turned: their line stays in a first-level
/// cache.
const BLOCK: usize = 16;

/// A problem of such windows.
pub(crate) struct Global<S> {
    planes: Axes<2>,
    /// From one plane to the next, if that is as far everywhere.
    steps: Option<[isize; 2]>,
    /// Rows of a plane, and elements between them.
    rows: usize,
    step: isize,
    columns: usize,
    scale: S,
}

impl<S: Copy + Send + Sync> Global<S> {
    /// The problem in this form, if it has it and gains by it.
    pub(crate) fn new<T, R: Reduce<T, Scale = S>>(
        reduce: R,
        geometry: &Geometry,
        divisor: Divisor,
        strides: [&[isize]; 2],
    ) -> Option<Self> {
        let pooled = geometry.pooled();
        let (last, columns) = pooled.last().map(|(axis, windows)| (*axis, windows.len()))?;
        let whole = |axis: &Axis| axis.taps(0).count == axis.len() && axis.taps(0).step == 1;
        let is_whole = pooled.iter().all(|(_, axis)| axis.outputs() == 1 && whole(axis));
        if !turns::<R::Partial>() || !is_whole || columns >= LONG || strides[0][last] != 1 {
            return None;
        }
        let is_row = |axis| geometry.is_pooled(axis) && axis != last;
        let rows = merged(geometry.input_shape(), [strides[0]], is_row);
        let (rows, [step]) = match rows[..] {
            [] => (1, [0]),
            [rows] => rows,
            _ => return None,
        };
        let planes = merged(geometry.input_shape(), strides, |axis| !geometry.is_pooled(axis));
        let scale = Scales::new(reduce, pooled, divisor)?.first()?;
        let is_worth_it = volume(&planes) >= SIDE && columns > 1 && rows > 0;
        let steps = match planes[..] {
            [(_, steps)] => Some(steps),
            _ => None,
        };
        is_worth_it.then_some(Self { planes, steps, rows, step, columns, scale })
    }

    /// Where a plane lies, and its result.
    #[inline(always)]
    fn place(&self, plane: usize) -> [isize; 2] {
        match self.steps {
            Some([input, output]) => [input * plane as isize, output * plane as isize],
            None => offsets(&self.planes, plane),
        }
    }

    /// Pools `input` into `out`.
    pub(crate) fn pool<T: Copy + Default + Send + Sync, R: Reduce<T, Scale = S>>(
        &self,
        execution: &Execution<'_>,
        fold: Fold<R>,
        input: &View<'_, T>,
        out: Shared<T>,
    ) {
        let planes = volume(&self.planes);
        let blocks = planes.div_ceil(BLOCK);
        let bytes = planes * (self.rows * self.columns + 1) * size_of::<T>();
        let tasks = execution.tasks(bytes).min(blocks);
        let (problem, reduce) = (self, fold.reduce);
        execution.run(tasks, |task| {
            let blocks = task * blocks / tasks..(task + 1) * blocks / tasks;
            let planes = blocks.start * BLOCK..planes.min(blocks.end * BLOCK);
            let pitch = self.columns + VECTOR_BYTES / size_of::<R::Partial>();
            let line = &mut vec![reduce.identity(); BLOCK * pitch];
            dispatch(fold.level, FoldGlobal { reduce, problem, planes, pitch, input, out, line });
        });
    }
}

struct FoldGlobal<'a, 'v, T, R: Reduce<T>> {
    reduce: R,
    problem: &'a Global<R::Scale>,
    planes: Range<usize>,
    /// Elements of the line for each plane: its columns, and a vector more.
    pitch: usize,
    input: &'a View<'v, T>,
    out: Shared<T>,
    line: &'a mut [R::Partial],
}

impl<T: Copy + Default, R: Reduce<T>> Work for FoldGlobal<'_, '_, T, R> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let Range { start, end } = self.planes;
        for first in (start..end).step_by(BLOCK) {
            let planes = first..end.min(first + BLOCK);
            with_lanes!(size_of::<R::Partial>(), |L| match self.problem.rows {
                1 => self.fold::<L, 1>(planes.clone()),
                2 => self.fold::<L, 2>(planes.clone()),
                3 => self.fold::<L, 3>(planes.clone()),
                4 => self.fold::<L, 4>(planes.clone()),
                5 => self.fold::<L, 5>(planes.clone()),
                6 => self.fold::<L, 6>(planes.clone()),
                7 => self.fold::<L, 7>(planes.clone()),
                _ => self.fold::<L, 8>(planes.clone()),
            });
            for plane in planes.clone().step_by(SIDE) {
                self.turn(plane, plane - first, SIDE.min(planes.end - plane));
            }
        }
    }
}

impl<T: Copy + Default, R: Reduce<T>> FoldGlobal<'_, '_, T, R> {
    /// Folds the rows of planes into rows of the line, the first `N` of each together.
    #[inline(always)]
    fn fold<const L: usize, const N: usize>(&mut self, planes: Range<usize>) {
        let reduce = self.reduce;
        let (rows, step, columns) = (self.problem.rows, self.problem.step, self.problem.columns);
        let (src, pitch, reach) = (self.input.data(), self.pitch, columns.next_multiple_of(L));
        assert!(planes.len() * pitch <= self.line.len() && reach <= pitch, "the line holds planes");
        for (i, plane) in planes.enumerate() {
            let [offset, _] = self.problem.place(plane);
            let first = self.input.origin().wrapping_add_signed(offset);
            let last = first.wrapping_add_signed((rows as isize - 1) * step);
            if src.len().saturating_sub(first.max(last)) < reach {
                self.fold_one_by_one(first, i * pitch);
                continue;
            }
            for column in (0..columns).step_by(L) {
                turn_by_turn();
                let mut at = first + column;
                // SAFETY: vectors of rows of the plane, which end in the array, and of the line.
                unsafe {
                    let mut acc = load_partials::<T, R, L>(reduce, src, at);
                    for _ in 1..N {
                        prefetch(src, at.wrapping_add(AHEAD / size_of::<T>()));
                        at = at.wrapping_add_signed(step);
                        let row = load_partials::<T, R, L>(reduce, src, at);
                        onto::<T, R, L, false>(reduce, &mut acc, &row);
                    }
                    store_tile(self.line, i * pitch + column, acc);
                    for _ in N..rows {
                        turn_by_turn();
                        at = at.wrapping_add_signed(step);
                        let row = load_partials::<T, R, L>(reduce, src, at);
                        let mut acc: [R::Partial; L] = load_tile(self.line, i * pitch + column);
                        onto::<T, R, L, false>(reduce, &mut acc, &row);
                        store_tile(self.line, i * pitch + column, acc);
                    }
                }
            }
        }
    }

    /// The same for a plane so near the end of the array that vectors would read past it.
    fn fold_one_by_one(&mut self, first: usize, to: usize) {
        let (src, reduce) = (self.input.data(), self.reduce);
        for column in 0..self.problem.columns {
            let at =
                |row: usize| (first + column).wrapping_add_signed(row as isize * self.problem.step);
            let mut acc = reduce.load(src[at(0)]);
            for row in 1..self.problem.rows {
                acc = reduce.combine(acc, reduce.load(src[at(row)]));
            }
            self.line[to + column] = acc;
        }
    }

    /// Reduces rows of the line, `count` of them, to the results of as many planes.
    #[inline(always)]
    fn turn(&mut self, plane: usize, at: usize, count: usize) {
        let &Global { steps, columns, scale, .. } = self.problem;
        let first = at.min(BLOCK - SIDE);
        let from = first * self.pitch;
        let sums = fold_square::<T, R, Folded>(self.reduce, self.line, from, self.pitch, columns);
        if count == SIDE && matches!(steps, Some([_, 1])) {
            let results = self.reduce.finish_tile(sums, [scale; SIDE]);
            // SAFETY: every plane is one task's.
            let dst = unsafe { self.out.run(plane as isize, SIDE) };
            write_tile(dst, results);
            return;
        }
        for l in 0..count {
            let [_, to] = self.problem.place(plane + l);
            // SAFETY: as above.
            let dst = unsafe { self.out.run(to, 1) };
            dst[0].write(self.reduce.finish(sums[at - first + l], scale));
        }
    }
}
