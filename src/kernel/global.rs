//! One window over each of many small planes: folded to a row per plane, several of which are then
//! turned, so that single elements need not be picked.

use std::ops::Range;

use super::ahead::AHEAD;
use super::aligned::Aligned;
use super::apart::{SIDE, fold_squares};
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

/// Planes whose rows are folded before they are turned, in squares: their line stays in a first-level
/// cache.
const BLOCK: usize = 16;

/// Rows of a plane that are folded together.
const TOGETHER: usize = 8;

/// Planes that are read so many rows after so many: what is asked for ahead lies in the order of memory.
const LARGE_BYTES: usize = 1 << 10;

/// Lanes of the tile that short rows are folded in: no fewer elements than the smallest vector has.
const fn narrow<T>() -> usize {
    if size_of::<T>() == 1 { 16 } else { 8 }
}

/// Planes that are turned together: as many as such a vector has of partial results of so many bytes, or four.
const fn side(bytes: usize) -> usize {
    if bytes < 4 { 16 / bytes } else { SIDE }
}

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
        if !is_whole || columns >= LONG || strides[0][last] != 1 {
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
            // Rows start where cache lines do: vectors that lie across two take twice as long.
            let tile = match self.columns <= narrow::<T>() {
                true => narrow::<T>(),
                false => VECTOR_BYTES / size_of::<R::Partial>(),
            };
            let pitch = self.columns.next_multiple_of(tile);
            let line = &mut Aligned::new(reduce.identity(), BLOCK * pitch);
            dispatch(fold.level, FoldGlobal { reduce, problem, planes, pitch, input, out, line });
        });
    }
}

struct FoldGlobal<'a, 'v, T, R: Reduce<T>> {
    reduce: R,
    problem: &'a Global<R::Scale>,
    planes: Range<usize>,
    /// Elements of the line for each plane: vectors that hold its columns.
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
        let mut starts = [0; BLOCK];
        for first in (start..end).step_by(BLOCK) {
            let planes = first..end.min(first + BLOCK);
            let in_vectors = self.find(&planes, &mut starts);
            for plane in in_vectors..planes.len() {
                self.fold_one_by_one(starts[plane], plane * self.pitch);
            }
            let starts = &starts[..in_vectors];
            with_lanes!(size_of::<R::Partial>(), |L| {
                const TURNED: usize = side(VECTOR_BYTES / L);
                const SQUARES: usize = BLOCK / TURNED;
                match const { narrow::<T>() } {
                    16 if L > 16 && self.problem.columns <= 16 => self.fold_rows::<16>(starts),
                    8 if L > 8 && self.problem.columns <= 8 => self.fold_rows::<8>(starts),
                    _ => self.fold_rows::<L>(starts),
                }
                self.turn::<TURNED, SQUARES>(planes);
            });
        }
    }
}

impl<T: Copy + Default, R: Reduce<T>> FoldGlobal<'_, '_, T, R> {
    /// Finds where planes of a block start, and how many of them, from the first on, may be read in vectors.
    fn find(&self, planes: &Range<usize>, starts: &mut [usize; BLOCK]) -> usize {
        let Self { problem, input, pitch, .. } = *self;
        let start_of = |plane| input.origin().wrapping_add_signed(problem.place(plane)[0]);
        let down = (problem.rows as isize - 1) * problem.step;
        let has_room = |&start: &usize| {
            let last = start.wrapping_add_signed(down);
            input.data().len().saturating_sub(start.max(last)) >= pitch
        };
        if let Some([step, _]) = problem.steps {
            let mut next = start_of(planes.start);
            for start in starts.iter_mut() {
                *start = next;
                next = next.wrapping_add_signed(step);
            }
            // Between two that have room all others have.
            if has_room(&starts[0]) && has_room(&starts[planes.len() - 1]) {
                return planes.len();
            }
        } else {
            for (start, plane) in starts.iter_mut().zip(planes.clone()) {
                *start = start_of(plane);
            }
        }
        starts[..planes.len()].iter().take_while(|start| has_room(start)).count()
    }

    /// Folds the rows of planes into rows of the line, the first eight of each together.
    #[inline(always)]
    fn fold_rows<const L: usize>(&mut self, starts: &[usize]) {
        match self.problem.rows {
            1 => self.fold::<L, 1>(starts),
            2 => self.fold::<L, 2>(starts),
            3 => self.fold::<L, 3>(starts),
            4 => self.fold::<L, 4>(starts),
            5 => self.fold::<L, 5>(starts),
            6 => self.fold::<L, 6>(starts),
            7 => self.fold::<L, 7>(starts),
            _ => self.fold::<L, TOGETHER>(starts),
        }
    }

    /// The same for at least `N` rows, the first `N` together.
    #[inline(always)]
    fn fold<const L: usize, const N: usize>(&mut self, starts: &[usize]) {
        let Self { reduce, problem, pitch, .. } = *self;
        let (src, line) = (self.input.data(), &mut self.line[..]);
        let &Global { rows, step, columns, .. } = problem;
        let fits = starts.len() * pitch <= line.len() && columns.next_multiple_of(L) <= pitch;
        assert!(fits, "the line holds planes");
        for (i, &first) in starts.iter().enumerate() {
            let to = i * pitch;
            if N < TOGETHER || rows * columns * size_of::<T>() < LARGE_BYTES {
                // SAFETY: vectors of rows of the plane, which have room in the array, and of the line.
                unsafe {
                    onto_line::<T, R, L, N, false>(
                        reduce,
                        src,
                        first,
                        step,
                        [rows, columns],
                        line,
                        to,
                    )
                };
                continue;
            }
            // So many of a large plane after so many: it is read from end to end.
            let mut done = 0;
            while done < rows {
                let first = first.wrapping_add_signed(done as isize * step);
                // The last take those along that are too few.
                let count = if rows - done < 2 * N { rows - done } else { N };
                let size = [count, columns];
                // SAFETY: as above.
                unsafe {
                    match done {
                        0 => {
                            onto_line::<T, R, L, N, false>(reduce, src, first, step, size, line, to)
                        }
                        _ => {
                            onto_line::<T, R, L, N, true>(reduce, src, first, step, size, line, to)
                        }
                    }
                }
                done += count;
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

    /// Reduces the rows of the line to the results of planes.
    #[inline(always)]
    fn turn<const TURNED: usize, const SQUARES: usize>(&mut self, planes: Range<usize>) {
        let Self { reduce, problem, pitch, out, .. } = *self;
        let &Global { steps, columns, scale, .. } = problem;
        let are_neighbours = matches!(steps, Some([_, 1]));
        let squares =
            fold_squares::<T, R, Folded, TURNED, SQUARES>(reduce, self.line, 0, pitch, columns);
        let mut partials = [reduce.identity(); BLOCK];
        for i in 0..BLOCK {
            partials[i] = squares[i / TURNED][i % TURNED];
        }
        let results = reduce.finish_tile(partials, [scale; BLOCK]);
        if are_neighbours && planes.len() == BLOCK {
            // SAFETY: every plane is one task's.
            write_tile(unsafe { out.run(planes.start as isize, BLOCK) }, results);
            return;
        }
        for (plane, result) in planes.zip(results) {
            let [_, to] = problem.place(plane);
            // SAFETY: as above.
            let dst = unsafe { out.run(to, 1) };
            dst[0].write(result);
        }
    }
}

/// Folds at least `N` rows, `step` apart from `first` on, into the row of the line at `to`, `ONTO` what is
/// there.
///
/// # Safety
/// Vectors of all rows lie in the array, and in the line.
#[inline(always)]
unsafe fn onto_line<T: Copy, R: Reduce<T>, const L: usize, const N: usize, const ONTO: bool>(
    reduce: R,
    src: &[T],
    first: usize,
    step: isize,
    [rows, columns]: [usize; 2],
    line: &mut [R::Partial],
    to: usize,
) {
    for column in (0..columns).step_by(L) {
        turn_by_turn();
        let (mut at, to) = (first + column, to + column);
        // SAFETY: the caller's promise.
        unsafe {
            let mut acc = load_partials::<T, R, L>(reduce, src, at);
            if ONTO {
                let mut before: [R::Partial; L] = load_tile(line, to);
                onto::<T, R, L, false>(reduce, &mut before, &acc);
                acc = before;
            }
            for _ in 1..N {
                prefetch(src, at.wrapping_add(AHEAD / size_of::<T>()));
                at = at.wrapping_add_signed(step);
                let row = load_partials::<T, R, L>(reduce, src, at);
                onto::<T, R, L, false>(reduce, &mut acc, &row);
            }
            store_tile(line, to, acc);
            for _ in N..rows {
                turn_by_turn();
                at = at.wrapping_add_signed(step);
                let row = load_partials::<T, R, L>(reduce, src, at);
                let mut acc: [R::Partial; L] = load_tile(line, to);
                onto::<T, R, L, false>(reduce, &mut acc, &row);
                store_tile(line, to, acc);
            }
        }
    }
}
