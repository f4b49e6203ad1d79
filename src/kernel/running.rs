//! Averages of long windows in exact sums: the rows of a window are those of its neighbour with what
//! enters and without what leaves it.

use std::ops::Range;

use super::grid::{Grid, Part};
use super::planes::offsets;
use super::scales::RowScales;
use super::tile::{VECTOR_BYTES, fold_neighbours, load_partials, onto, with_lanes, write_tile};
use crate::element::{Element, Mean};
use crate::reduce::{Average, Divisor};
use crate::simd::{Work, dispatch, load_tile, prefetch_next, store_tile, turn_by_turn};
use crate::sums::Accumulator;
use crate::view::Shared;
use crate::{Execution, Geometry, View, ViewMut};

/// Columns from which on a window is long.
const LONG: usize = 8;

/// Vectors that a row fills at least: shorter rows are summed faster together, or listed.
const VECTORS: usize = 3;

/// Outputs of a strip: their line stays in a first-level cache.
const STRIP: usize = 4096;

/// A problem of such windows over two axes.
struct Running {
    grid: Grid,
    /// Columns that are summed for all windows that have them.
    side: usize,
    /// How often a window has as many.
    several: usize,
    /// Whether sums of so many columns are narrow.
    is_narrow: bool,
    divisor: Divisor,
    /// What it counts along rows and columns of outputs.
    counts: [Vec<i64>; 2],
}

/// Averages the windows of `input` into `output` in this way, if they have the form and gain by it;
/// gives whether it did.
pub(crate) fn pool<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    divisor: Divisor,
    input: &View<'_, T>,
    output: &mut ViewMut<'_, T>,
) -> bool {
    if const { T::RUNNING_TAPS == 0 } {
        return false;
    }
    if geometry.max_window() > T::RUNNING_TAPS || !execution.chosen_level().is_for_all() {
        return false;
    }
    let strides = [input.strides(), output.strides()];
    let problem = Running::new::<T, T::Running>(geometry, divisor, strides);
    match &problem {
        Some(problem) if problem.is_narrow => {
            problem.pool::<T, T::Narrow, T::Running>(execution, input, output.shared());
        }
        Some(problem) => {
            problem.pool::<T, T::Running, T::Running>(execution, input, output.shared())
        }
        None => {}
    }
    problem.is_some()
}

impl Running {
    fn new<T: Mean, A: Accumulator<T>>(
        geometry: &Geometry,
        divisor: Divisor,
        strides: [&[isize]; 2],
    ) -> Option<Self> {
        let grid = Grid::new(geometry, strides)?;
        let Grid { rows, columns, .. } = &grid;
        let overlap = rows.kernel >= 2 * rows.stride && columns.stride == 1;
        let is_long = rows.kernel.min(columns.kernel) >= LONG;
        let is_full = columns.outputs * size_of::<A>() >= VECTORS * VECTOR_BYTES;
        if !overlap || !is_long || !is_full {
            return None;
        }
        let [(_, row_axis), (_, column_axis)] = geometry.pooled() else { return None };
        let counts = [row_axis.counts(divisor), column_axis.counts(divisor)];
        let rest = |side: &usize| columns.kernel / side + columns.kernel % side;
        // Twice as many narrow sums are in a vector, until windows are summed.
        let most = usize::try_from(T::NARROW_TAPS).unwrap_or(usize::MAX) / rows.kernel;
        let narrow = (2..=columns.kernel.min(most)).min_by_key(|side| side + 2 * rest(side));
        let narrow = narrow.filter(|_| size_of::<T::Narrow>() < size_of::<A>());
        let wide = || (1..=columns.kernel).min_by_key(|side| side + rest(side));
        let side = narrow.or_else(wide)?;
        let several = columns.kernel / side;
        Some(Self { grid, side, several, is_narrow: narrow.is_some(), divisor, counts })
    }

    fn pool<T: Element, C: Accumulator<T>, A: Accumulator<T> + From<C>>(
        &self,
        execution: &Execution<'_>,
        input: &View<'_, T>,
        out: Shared<T>,
    ) {
        let (columns, total) = (&self.grid.columns, self.grid.output_rows());
        let tasks = self.grid.tasks(execution, size_of::<T>(), total);
        execution.run(tasks, |task| {
            let rows = task * total / tasks..(task + 1) * total / tasks;
            let room = columns.kernel + 6 * VECTOR_BYTES / size_of::<A>();
            let level = columns.outputs.min(STRIP) + room;
            let line = &mut vec![C::ZERO; 2 * level];
            let scales = RowScales::new(self.divisor);
            let run = Run::<T, C, A> { problem: self, rows, input, out, line, level, scales };
            dispatch(execution.chosen_level(), run);
        });
    }
}

/// Output rows, counted through all planes.
struct Run<'a, 'v, T, C, A: Accumulator<T>> {
    problem: &'a Running,
    rows: Range<usize>,
    input: &'a View<'v, T>,
    out: Shared<T>,
    /// The sums of the columns, from the first window's on.
    line: &'a mut [C],
    /// Where it has room for those of several neighbours.
    level: usize,
    scales: RowScales<A::Scale>,
}

impl<T: Element, C: Accumulator<T>, A: Accumulator<T> + From<C>> Work for Run<'_, '_, T, C, A> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let outputs = self.problem.grid.columns.outputs;
        for first in (0..outputs).step_by(STRIP) {
            let columns = first..outputs.min(first + STRIP);
            for part in self.problem.grid.parts(self.rows.clone(), &columns, false) {
                with_lanes!(size_of::<A>(), |L| self.part::<{ 2 * L }>(part));
            }
        }
    }
}

impl<T: Element, C: Accumulator<T>, A: Accumulator<T> + From<C>> Run<'_, '_, T, C, A> {
    /// Outputs of a plane.
    #[inline(always)]
    fn part<const L: usize>(&mut self, part: Part) {
        let (problem, Part { plane, rows, columns, .. }) = (self.problem, part);
        let inside = problem.grid.columns.clipped(&columns);
        let (to, width) = (problem.grid.columns.padding(columns.start), inside.len());
        let [offset, out] = offsets(&problem.grid.planes, plane);
        let first = self.input.origin().wrapping_add_signed(offset) + inside.start;
        let at = |row: usize| first.wrapping_add_signed(row as isize * problem.grid.rows.input);
        let window = |row: usize| problem.grid.rows.clipped(&(row..row + 1));
        self.line[..self.level].fill(C::ZERO);
        let start = window(rows.start).start;
        let mut summed = start..start;
        for row in rows {
            let Range { start, end } = window(row);
            while summed.start < start && summed.end < end {
                self.turn::<L, true, true>(at(summed.end), at(summed.start), to, width);
                summed = summed.start + 1..summed.end + 1;
            }
            for enters in summed.end..end {
                self.turn::<L, true, false>(at(enters), at(enters), to, width);
            }
            for leaves in summed.start..start {
                self.turn::<L, false, true>(at(leaves), at(leaves), to, width);
            }
            summed = start..end;
            self.slide::<L>(
                row,
                &columns,
                out + row as isize * problem.grid.rows.output + columns.start as isize,
            );
        }
    }

    /// Lets a row of `width` elements enter the sums from element `to` of the line on, and another
    /// one leave them.
    #[inline(always)]
    fn turn<const L: usize, const ENTERS: bool, const LEAVES: bool>(
        &mut self,
        enters: usize,
        leaves: usize,
        to: usize,
        width: usize,
    ) {
        let src = self.input.data();
        let reach = width.next_multiple_of(L);
        assert!(to + reach <= self.level, "the line holds a row");
        if src.len().saturating_sub(enters.max(leaves)) < reach {
            let line = &mut self.line[to..to + width];
            let rows = src[enters..enters + width].iter().zip(&src[leaves..leaves + width]);
            for (sum, (&enters, &leaves)) in line.iter_mut().zip(rows) {
                if ENTERS {
                    *sum = sum.plus(C::load(enters));
                }
                if LEAVES {
                    *sum = sum.minus(C::load(leaves));
                }
            }
            return;
        }
        for column in (0..width).step_by(L) {
            turn_by_turn();
            // SAFETY: looked at above.
            let mut sums: [C; L] = unsafe { load_tile(self.line, to + column) };
            if ENTERS {
                prefetch_next(
                    src,
                    (enters + column).wrapping_add_signed(self.problem.grid.rows.input),
                );
                // SAFETY: as above.
                let row =
                    unsafe { load_partials::<T, _, L>(Average::<C>::NEW, src, enters + column) };
                for l in 0..L {
                    sums[l] = sums[l].plus(row[l]);
                }
            }
            if LEAVES {
                // SAFETY: as above.
                let row =
                    unsafe { load_partials::<T, _, L>(Average::<C>::NEW, src, leaves + column) };
                for l in 0..L {
                    sums[l] = sums[l].minus(row[l]);
                }
            }
            // SAFETY: as above.
            unsafe { store_tile(self.line, to + column, sums) };
        }
        // Vectors have brought what follows the row.
        self.line[to + width..to + reach].fill(C::ZERO);
    }

    /// Slides along the sums of the columns to the outputs of a row, which lie from `out` on.
    #[inline(always)]
    fn slide<const L: usize>(&mut self, row: usize, columns: &Range<usize>, out: isize) {
        let Self { problem, ref mut line, level, ref mut scales, out: results, .. } = *self;
        let n = columns.len();
        let kernel = problem.grid.columns.kernel;
        assert!(n.next_multiple_of(L) + kernel + L <= level, "the line holds a row");
        let (line, level) = line.split_at_mut(level);
        let [rows_counted, columns_counted] = &problem.counts;
        let scales = scales.of::<T, _>(Average::<A>::NEW, columns_counted, 1, rows_counted[row]);
        let scales = &scales[columns.start..];
        assert!(scales.len() >= n.next_multiple_of(L), "there are scales for all vectors");
        let reach = n + kernel - problem.side;
        fold_neighbours::<T, _, L, false>(Average::<C>::NEW, line, level, [problem.side, 1], reach);
        let lines = [&*line, &*level];
        let whole = n - n % L;
        for column in (0..whole).step_by(L) {
            turn_by_turn();
            // SAFETY: looked at above.
            let tile = unsafe { Self::results::<L>(problem, lines, column, scales) };
            // SAFETY: every task has rows of its own.
            write_tile(unsafe { results.run(out + column as isize, L) }, tile);
        }
        if whole < n {
            // SAFETY: as above.
            let tile = unsafe { Self::results::<L>(problem, lines, whole, scales) };
            // SAFETY: as above.
            let dst = unsafe { results.run(out + whole as isize, n - whole) };
            for (dst, result) in dst.iter_mut().zip(tile) {
                dst.write(result);
            }
        }
    }

    /// The results of `L` windows from column `from` on.
    ///
    /// # Safety
    /// These windows do not reach beyond the lines, nor they beyond the scales.
    #[inline(always)]
    unsafe fn results<const L: usize>(
        problem: &Running,
        [line, level]: [&[C]; 2],
        from: usize,
        scales: &[A::Scale],
    ) -> [T; L] {
        let &Running { side, several, ref grid, .. } = problem;
        // SAFETY: the caller's promise.
        let scale: [A::Scale; L] = unsafe { load_tile(scales, from) };
        // SAFETY: as above.
        let first: [C; L] = unsafe { load_tile(level, from) };
        let mut sums = widened::<C, A, L>(first);
        for i in 1..several {
            turn_by_turn();
            // SAFETY: as above.
            let tap: [C; L] = unsafe { load_tile(level, from + i * side) };
            onto::<T, _, L, false>(Average::<A>::NEW, &mut sums, &widened::<C, A, L>(tap));
        }
        for tap in several * side..grid.columns.kernel {
            turn_by_turn();
            // SAFETY: as above.
            let tap: [C; L] = unsafe { load_tile(line, from + tap) };
            onto::<T, _, L, false>(Average::<A>::NEW, &mut sums, &widened::<C, A, L>(tap));
        }
        let mut results = [T::default(); L];
        for l in 0..L {
            results[l] = sums[l].finish(scale[l]);
        }
        results
    }
}

/// The same sums in a wider type.
#[inline(always)]
fn widened<C: Copy, A: Copy + From<C>, const L: usize>(sums: [C; L]) -> [A; L] {
    let mut wide = [A::from(sums[0]); L];
    for l in 0..L {
        wide[l] = sums[l].into();
    }
    wide
}
