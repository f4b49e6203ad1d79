//! Maxima with positions under small square windows: every row of the input is reduced along its
//! windows once, then the rows of a window, so that elements are met in the order of their
//! positions.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::Target;
use super::ahead::AHEAD;
use super::argcolumns;
use super::fold::Fold;
use super::grid::Part;
use super::planes::offsets;
use super::streamed::pieces;
use super::tile::{VECTOR_BYTES, with_lanes};
use super::tiled::Tiled;
use crate::element::{Element, Ordered, Position};
use crate::reduce::{Divisor, Maximum};
use crate::simd::{Work, dispatch, load_tile, prefetch, store_tile, turn_by_turn};
use crate::view::{Shared, even_and_odd};
use crate::{Execution, Geometry, View, ViewMut};

/// Maxima, and their positions.
type Out<T> = (Shared<T>, Shared<i64>);

/// Pools `input` into `maxima` and their positions, with distances in windows kept in lanes of `P`,
/// if there is a kernel for these windows; gives whether there is.
pub(crate) fn pool<T: Element, P: Position>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    input: &View<'_, T>,
    maxima: &ViewMut<'_, T>,
    out: Out<T>,
) -> bool {
    let level = execution.chosen_level();
    let known = |window: [usize; 3], _| matches!(window, [2, 2, 1] | [3, 1 | 2, 1]);
    let strides = [input.strides(), maxima.strides()];
    let problem = match T::FREQUENT && level.is_for_all() {
        true => Tiled::new::<T, _>(
            Fold { reduce: Maximum, level },
            geometry,
            Divisor::Fixed(1),
            strides,
            known,
        ),
        false => None,
    };
    let fits = |problem: &Tiled<()>| {
        P::fits(problem.grid.rows.kernel * problem.grid.columns.len + 2 * VECTOR_BYTES)
    };
    let Some(mut problem) = problem.filter(fits) else { return false };
    let volume: usize = geometry.pooled().iter().map(|(_, axis)| axis.len()).product();
    let many =
        volume.saturating_mul(VECTOR_BYTES / size_of::<T>()) <= input.shape().iter().product();
    let columns = geometry.pooled().last().map(|(_, axis)| axis);
    if many && columns.is_some_and(|axis| argcolumns::gathers(axis, volume, size_of::<T>())) {
        return false;
    }
    problem.band = band::<T::Ordered, P>(&problem);
    let problem = &problem;
    let bands = problem.bands();
    let tasks = problem.grid.tasks(execution, size_of::<T>(), bands);
    let written = size_of::<T>() + size_of::<i64>();
    let streams = problem.grid.streams(execution, [size_of::<T>(), written]);
    execution.run(tasks, |task| {
        let bands = task * bands / tasks..(task + 1) * bands / tasks;
        let mut streamed = Out::<T>::streamed(level, streams);
        let lanes = VECTOR_BYTES / size_of::<P>();
        let (kernel, stride) = (problem.grid.rows.kernel, problem.grid.rows.stride);
        let pitch = problem.strip.next_multiple_of(lanes);
        let height = (problem.band - 1) * stride + kernel;
        let row_pitch = pitch * stride + 4 * lanes;
        let copies = &mut vec![T::Ordered::LOWEST; row_pitch * height][..];
        let values = &mut vec![T::Ordered::LOWEST; pitch * height][..];
        let positions = &mut vec![P::NONE; pitch * height][..];
        let spare = &mut (vec![MaybeUninit::uninit(); lanes], vec![MaybeUninit::uninit(); lanes]);
        for bands in pieces(streams, bands, problem.band * problem.grid.columns.outputs * written) {
            let run = problem.run(&bands);
            let pool = |out| {
                macro_rules! walk {
                    ($K:expr, $S:expr) => {
                        dispatch(
                            level,
                            ArgWalk::<T, P, $K, $S> {
                                problem,
                                bands,
                                input,
                                out,
                                pitch,
                                row_pitch,
                                copies,
                                values,
                                positions,
                                spare,
                            },
                        )
                    };
                }
                match (kernel, stride) {
                    (2, _) => walk!(2, 2),
                    (_, 1) => walk!(3, 1),
                    _ => walk!(3, 2),
                }
            };
            // SAFETY: every task has bands of its own, of which all results are written.
            unsafe { out.fill(&mut streamed, Some(run), pool) };
        }
    });
    true
}

/// Rows of outputs in a band, of which copies, lines and positions fit a core's first cache: then
/// the input is asked for while outputs are computed, not before. Bands of few rows would reduce
/// too many rows of the input twice.
fn band<T, P>(problem: &Tiled<()>) -> usize {
    const BYTES: usize = 12 << 10;
    const LEAST: usize = 4;
    let (outputs, stride) = (problem.grid.rows.outputs, problem.grid.rows.stride);
    let row = problem.strip * (stride * size_of::<T>() + size_of::<T>() + size_of::<P>());
    let band = (BYTES / (stride * row)).max(LEAST);
    if band < problem.band.min(outputs) {
        outputs.div_ceil(outputs.div_ceil(band))
    } else {
        problem.band
    }
}

/// Finds the maxima of windows of `K` by `K` elements, `S` apart.
struct ArgWalk<'a, 'v, T: Element, P, const K: usize, const S: usize> {
    problem: &'a Tiled<()>,
    bands: Range<usize>,
    input: &'a View<'v, T>,
    out: Out<T>,
    /// The rows of a part, `row_pitch` elements each: all of them are copied before the first is
    /// read, because a load that two stores have just written waits for both.
    row_pitch: usize,
    copies: &'a mut [T::Ordered],
    /// What its windows' maxima are and which columns they are in, `pitch` elements for each of the
    /// rows of a part.
    pitch: usize,
    values: &'a mut [T::Ordered],
    positions: &'a mut [P],
    /// A vector of results where the outputs have no room for one.
    spare: &'a mut (Vec<MaybeUninit<T>>, Vec<MaybeUninit<i64>>),
}

impl<T: Element, P: Position, const K: usize, const S: usize> Work for ArgWalk<'_, '_, T, P, K, S> {
    const FOR_ALL: bool = false;

    #[inline(always)]
    fn run<const V: usize>(mut self) {
        with_lanes!(size_of::<P>(), |L| {
            for band in self.bands.clone() {
                for columns in self.problem.strips() {
                    for part in self.problem.parts(band, &columns) {
                        self.part::<L, { 2 * L }>(&part);
                    }
                }
            }
        });
    }
}

impl<T: Element, P: Position, const K: usize, const S: usize> ArgWalk<'_, '_, T, P, K, S> {
    /// The outputs of a part, in vectors of `L`; vectors of stride 2 come of `TWICE` as many.
    #[inline(always)]
    fn part<const L: usize, const TWICE: usize>(&mut self, part: &Part) {
        let rows = self.problem.grid.rows.clipped(&part.rows);
        let needed = part.columns.len().next_multiple_of(L);
        assert!(needed <= self.pitch && rows.len() * self.pitch <= self.values.len());
        assert!(self.values.len() == self.positions.len());
        assert!(needed * S + TWICE + K <= self.row_pitch, "vectors along a row lie in its copy");
        assert!(rows.len() * self.row_pitch <= self.copies.len());
        let mut met = [T::default().to_ordered(); L];
        for (i, row) in rows.clone().enumerate() {
            self.copy::<L>(part, row, i * self.row_pitch, &mut met);
        }
        // A copy, so that the trace itself stays in registers.
        let met = met;
        if const { T::Ordered::HAS_NAN } && !black_box(&met).iter().any(|trace| trace.is_nan()) {
            self.rows::<L, TWICE, true>(part, &rows);
        } else {
            self.rows::<L, TWICE, false>(part, &rows);
        }
    }

    /// The outputs of a part whose rows of the input are copied; `NUMBERS` if these hold no NaN.
    #[inline(always)]
    fn rows<const L: usize, const TWICE: usize, const NUMBERS: bool>(
        &mut self,
        part: &Part,
        rows: &Range<usize>,
    ) {
        for i in 0..rows.len() {
            self.along::<L, TWICE, NUMBERS>(part, i * self.row_pitch, i * self.pitch);
        }
        for o in part.rows.clone() {
            self.down::<L, NUMBERS>(part, o, rows);
        }
    }

    /// Copies the columns of a row of the input. The padding becomes what is next to it: as a
    /// maximum, that is the one inside.
    #[inline(always)]
    fn copy<const L: usize>(
        &mut self,
        part: &Part,
        row: usize,
        to: usize,
        met: &mut [T::Ordered; L],
    ) {
        let problem = self.problem;
        let inside = problem.grid.columns.clipped(&part.columns);
        let before = problem.grid.columns.padding(part.columns.start);
        let [plane, _] = offsets(&problem.grid.planes, part.plane);
        let at = plane + row as isize * problem.grid.rows.input;
        let at = self.input.origin().wrapping_add_signed(at) + inside.start;
        let (src, width) = (self.input.data(), inside.len());
        let copy = &mut self.copies[to..to + self.row_pitch];
        if src.len().saturating_sub(at) >= width.next_multiple_of(L) {
            assert!(before + width.next_multiple_of(L) <= copy.len());
            for column in (0..width).step_by(L) {
                turn_by_turn();
                prefetch(src, at + column + AHEAD / size_of::<T>());
                // SAFETY: looked at above.
                let elements: [T; L] = unsafe { load_tile(src, at + column) };
                let mut values = [T::Ordered::LOWEST; L];
                for l in 0..L {
                    values[l] = elements[l].to_ordered();
                }
                for l in 0..L {
                    met[l] = met[l].traced(values[l]);
                }
                // SAFETY: looked at above.
                unsafe { store_tile(copy, before + column, values) };
            }
        } else {
            for (value, element) in copy[before..].iter_mut().zip(&src[at..at + width]) {
                *value = element.to_ordered();
                met[0] = met[0].traced(*value);
            }
        }
        let (first, last) = (copy[before], copy[before + width - 1]);
        copy[..before].fill(first);
        copy[before + width..][..K].fill(last);
    }

    /// Reduces the copy of a row at `row` along its windows, into the lines from element `to` on.
    #[inline(always)]
    fn along<const L: usize, const TWICE: usize, const NUMBERS: bool>(
        &mut self,
        part: &Part,
        row: usize,
        to: usize,
    ) {
        let step = self.problem.taps.step;
        for column in (0..part.columns.len()).step_by(L) {
            turn_by_turn();
            let at = row + column * S;
            // SAFETY: looked at when the part began.
            let taps: [[T::Ordered; L]; 3] = unsafe {
                if const { S == 1 } {
                    [
                        load_tile(self.copies, at),
                        load_tile(self.copies, at + step),
                        load_tile(self.copies, at + 2 * step),
                    ]
                } else {
                    let pairs: [T::Ordered; TWICE] = load_tile(self.copies, at);
                    let (first, second) = even_and_odd(&pairs);
                    if const { K == 2 } {
                        [first, second, second]
                    } else {
                        let pairs: [T::Ordered; TWICE] = load_tile(self.copies, at + 2 * step);
                        [first, second, even_and_odd(&pairs).0]
                    }
                }
            };
            let (mut best, mut from) = (taps[0], [P::from_distance(0); L]);
            for k in 1..K {
                let distance = P::from_distance(k);
                meet::<_, P, L, NUMBERS>((&mut best, &mut from), (&taps[k], &[distance; L]));
            }
            // SAFETY: as above.
            unsafe {
                store_tile(self.values, to + column, best);
                store_tile(self.positions, to + column, from);
            }
        }
        // Where windows are clipped, padding has stood for the element next to it.
        let columns = &self.problem.grid.columns;
        let Range { start, end } = part.columns;
        let [left, right] = [columns.whole.start, columns.whole.end].map(|o| o.clamp(start, end));
        for o in (start..left).chain(right.max(left)..end) {
            let clipped = columns.clipped(&(o..o + 1));
            let start = (o * S) as isize - columns.before as isize;
            let [first, last] = [clipped.start, clipped.end - 1]
                .map(|column| P::from_distance((column as isize - start).unsigned_abs()));
            let position = &mut self.positions[to + o - part.columns.start];
            *position = if *position < first { first } else { *position };
            *position = if last < *position { last } else { *position };
        }
    }

    /// Reduces the rows of output row `o`, those of the lines being `rows`, to outputs.
    #[inline(always)]
    fn down<const L: usize, const NUMBERS: bool>(
        &mut self,
        part: &Part,
        o: usize,
        rows: &Range<usize>,
    ) {
        let (problem, n) = (self.problem, part.columns.len());
        let start = (o * S) as isize - problem.grid.rows.before as isize;
        let clipped = problem.grid.rows.clipped(&(o..o + 1));
        let (mut at, mut distances) = ([0; K], [P::from_distance(0); K]);
        for k in 0..K {
            // A row that is met twice is at the same position both times.
            let row = (start + k as isize).max(clipped.start as isize).unsigned_abs();
            let row = row.min(clipped.end - 1);
            at[k] = (row - rows.start) * self.pitch;
            let down = (row as isize - start).unsigned_abs();
            distances[k] = P::from_distance(down * problem.grid.columns.len);
        }
        let first = part.columns.start;
        let column = (first * S) as i64 - problem.grid.columns.before as i64;
        let index = start as i64 * problem.grid.columns.len as i64 + column;
        let [_, plane] = offsets(&problem.grid.planes, part.plane);
        let out = plane + o as isize * problem.grid.rows.output + first as isize;
        let room = part.room - (o - part.rows.start) * if part.room > n { n } else { 0 };
        for column in (0..n).step_by(L) {
            turn_by_turn();
            let column = if n < L { column } else { column.min(n - L) };
            // SAFETY: looked at when the part began.
            let (mut best, mut from): ([T::Ordered; L], [P; L]) = unsafe {
                (load_tile(self.values, at[0] + column), load_tile(self.positions, at[0] + column))
            };
            for l in 0..L {
                from[l] = from[l].plus(distances[0]);
            }
            for k in 1..K {
                // SAFETY: as above.
                let (value, mut position): ([T::Ordered; L], [P; L]) = unsafe {
                    (
                        load_tile(self.values, at[k] + column),
                        load_tile(self.positions, at[k] + column),
                    )
                };
                for l in 0..L {
                    position[l] = position[l].plus(distances[k]);
                }
                meet::<_, P, L, NUMBERS>((&mut best, &mut from), (&value, &position));
            }
            let count = if n < L && room < L { n } else { L };
            let out = out + column as isize;
            let first = index + (column * S) as i64;
            let (maxima, indices) = if count < L {
                (&mut self.spare.0[..L], &mut self.spare.1[..L])
            } else {
                // SAFETY: every task has bands of its own, whose rows it writes in order.
                unsafe { (self.out.0.run(out, L), self.out.1.run(out, L)) }
            };
            for l in 0..L {
                maxima[l].write(T::from_ordered(best[l]));
            }
            for l in 0..L {
                let distance = from[l].plus(P::from_distance(l * S));
                indices[l].write(first + distance.to_index());
            }
            if count < L {
                // SAFETY: as above.
                let to = unsafe { (self.out.0.run(out, n), self.out.1.run(out, n)) };
                to.0.copy_from_slice(&self.spare.0[..n]);
                to.1.copy_from_slice(&self.spare.1[..n]);
            }
        }
    }
}

/// Takes each `later` element, and its position, that wins against the best of those before; none
/// of them is NaN if `NUMBERS`.
#[inline(always)]
fn meet<T: Ordered, P: Position, const L: usize, const NUMBERS: bool>(
    (best, from): (&mut [T; L], &mut [P; L]),
    (later, position): (&[T; L], &[P; L]),
) {
    for l in 0..L {
        let wins = later[l].exceeds(best[l]) | (!NUMBERS && later[l].is_nan());
        from[l] = from[l].or_if(wins, position[l]);
    }
    for l in 0..L {
        best[l] = if NUMBERS { best[l].larger_number(later[l]) } else { best[l].larger(later[l]) };
    }
}
