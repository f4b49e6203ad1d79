//! Spreading along rows whose columns are neighbours.
//!
//! Windows of `kernel` columns, `stride` apart, give every group of `stride` columns only two
//! different sums: the first columns are reached by one window more than the others. Both are
//! computed for all groups, then interleaved; bins give one sum for each of their pieces.

use super::planes::{self, Planes, merged};
use super::spread::{self, Columns, Piece, Plan, Windows};
use super::tile::in_tiles;
use crate::element::Mean;
use crate::geometry::Dims;
use crate::simd::{Work, dispatch};
use crate::sums::Accumulator;
use crate::view::Shared;
use crate::{Execution, Geometry, PoolError, View, ViewMut};

/// Spreads the planes of `small`, one by one.
pub(super) fn spread<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    plan: &Plan<Columns>,
    small: &View<'_, T>,
    mut large: ViewMut<'_, T>,
) -> Result<(), PoolError>
where
    f64: Accumulator<T>,
{
    let axes: Dims<usize> = geometry.pooled().iter().map(|(axis, _)| *axis).collect();
    let source = merged(small.shape(), [small.strides()], |axis| axes.contains(&axis));
    let bytes = spread::bytes(small, &large)?;
    let strides = [large.strides(), small.strides()];
    let volume = plan.rows.places.len().saturating_mul(plan.columns.len);
    let plane_bytes = volume.saturating_mul(size_of::<T>());
    let planes = Planes::new(&axes, large.shape(), strides, plane_bytes);
    let out = large.shared();
    let start = || Scratch::new(plan);
    planes.each(execution, bytes, start, |scratch, block| {
        for lane in 0..block.lanes as isize {
            let [to, from] = block.at.map(|at| at + lane);
            let elements = match source[..] {
                [] | [(1.., [1])] => None,
                _ => Some(scratch.read(small, &source, from)),
            };
            let at = small.origin().wrapping_add_signed(from);
            let plane = elements.as_deref().unwrap_or_else(|| &small.data()[at..]);
            let lines = &mut scratch.lines;
            dispatch(execution.chosen_level(), SpreadPlane { plan, plane, to, out, lines });
            scratch.plane = elements.unwrap_or_default();
        }
        Ok(())
    })
}

/// What a task keeps between planes.
struct Scratch<T> {
    /// A plane whose elements lie apart.
    plane: Vec<T>,
    lines: Lines<T>,
}

/// What is kept between rows.
struct Lines<T> {
    /// Summed rows, with zeros on both sides.
    line: Vec<f64>,
    /// Zeros before the line's first column.
    padding: usize,
    /// The sum of every piece of a row.
    pieces: Vec<f64>,
    /// The two sums of every group, as elements, or that of every piece.
    sums: [Vec<T>; 2],
    /// The row, from the first column of its first group on.
    row: Vec<T>,
}

impl<T: Copy + Default> Scratch<T> {
    fn new(plan: &Plan<Columns>) -> Self {
        let len = plan.columns.len;
        let (groups, stride, padding, pieces) = match &plan.columns.windows {
            &Windows::Groups { stride, before, taps, .. } => {
                ((len + before).div_ceil(stride), stride, taps - 1, 0)
            }
            Windows::Bins(pieces) => (len, 1, 0, pieces.len()),
            Windows::Listed(_) => (len, 1, 0, 0),
        };
        let lines = Lines {
            line: vec![0.0; padding + groups.max(plan.outputs)],
            padding,
            pieces: vec![0.0; pieces],
            sums: [(); 2].map(|()| vec![T::default(); groups]),
            row: vec![T::default(); groups * stride],
        };
        Self { plane: Vec::new(), lines }
    }

    /// The elements of a plane in C order.
    fn read(&mut self, view: &View<'_, T>, axes: &[(usize, [isize; 1])], at: isize) -> Vec<T> {
        let mut plane = std::mem::take(&mut self.plane);
        plane.clear();
        for ([at], len, [step]) in planes::rows(axes, [at]) {
            let at = |i| view.origin().wrapping_add_signed(at + i as isize * step);
            plane.extend((0..len).map(|i| view.data()[at(i)]));
        }
        plane
    }
}

/// Spreads one plane.
struct SpreadPlane<'a, T> {
    plan: &'a Plan<Columns>,
    plane: &'a [T],
    to: isize,
    out: Shared<T>,
    lines: &'a mut Lines<T>,
}

impl<T: Mean> Work for SpreadPlane<'_, T>
where
    f64: Accumulator<T>,
{
    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { plan, plane, to, out, lines } = self;
        let Columns { len, step, windows } = &plan.columns;
        let before = match windows {
            Windows::Groups { before, .. } => *before,
            Windows::Bins(_) | Windows::Listed(_) => 0,
        };
        let mut last = None;
        for row in &plan.rows.places {
            if last != Some(&row.readers) {
                lines.fold(plan, plane, plan.rows.readers(row));
                lines.slide(windows, plan.divisor);
                last = Some(&row.readers);
            }
            let elements = &lines.row[before..before + len];
            let at = to + row.at;
            if *step == 1 || *len == 1 {
                // SAFETY: a row of the block, whose task this is.
                let row = unsafe { out.run(at, *len) };
                row.iter_mut().zip(elements).for_each(|(to, element)| {
                    to.write(*element);
                });
            } else {
                for (i, element) in elements.iter().enumerate() {
                    // SAFETY: as above.
                    unsafe { out.run(at + i as isize * step, 1)[0].write(*element) };
                }
            }
        }
    }
}

impl<T: Mean> Lines<T>
where
    f64: Accumulator<T>,
{
    /// Sums rows into the line.
    #[inline(always)]
    fn fold(&mut self, plan: &Plan<Columns>, plane: &[T], rows: &[usize]) {
        let n = plan.outputs;
        let line = &mut self.line[self.padding..self.padding + n];
        in_tiles!(two, size_of::<f64>(), n, n, true, |at, L| {
            let mut sums = [0.0f64; L];
            for row in rows {
                let elements = &plane[row * n + at..row * n + at + L];
                let factors = &plan.factors(*row)[at..at + L];
                for l in 0..L {
                    sums[l] += <f64 as Accumulator<T>>::load(elements[l]) * factors[l];
                }
            }
            line[at..at + L].copy_from_slice(&sums);
        });
    }

    /// Spreads the line over the row.
    #[inline(always)]
    fn slide(&mut self, windows: &Windows, divisor: i64) {
        let Self { line, pieces: piece_sums, sums: [wide_sums, sums], row, .. } = self;
        let scale = <f64 as Accumulator<T>>::scale(divisor);
        match windows {
            Windows::Bins(pieces) => {
                for (sum, Piece { bins, .. }) in piece_sums.iter_mut().zip(pieces) {
                    *sum = line[bins.clone()].iter().sum();
                }
                // Together: halves are rounded by vectors.
                sum_groups(piece_sums, 1, scale, &mut wide_sums[..pieces.len()]);
                let mut start = 0;
                for (element, Piece { end, .. }) in wide_sums.iter().zip(pieces) {
                    row[start..*end].fill(*element);
                    start = *end;
                }
            }
            Windows::Listed(readers) => {
                for (column, element) in row.iter_mut().enumerate() {
                    let mut sum = 0.0;
                    readers.each(column, |o| sum += line[o]);
                    *element = <f64 as Accumulator<T>>::finish(sum, scale);
                }
            }
            &Windows::Groups { stride, wide, taps, .. } => {
                // The first columns of groups, and the others if there are any.
                for (first, taps) in [(0, taps), (1, taps - 1)] {
                    let groups = match first {
                        0 if stride == 1 => &mut *row,
                        0 => &mut *wide_sums,
                        _ if wide < stride => &mut *sums,
                        _ => break,
                    };
                    sum_groups(&line[first..], taps, scale, groups);
                }
                let column = |i: usize| if i < wide { &wide_sums[..] } else { &sums[..] };
                match stride {
                    1 => {}
                    2 => interleave([column(0), column(1)], row),
                    3 => interleave([column(0), column(1), column(2)], row),
                    4 => interleave([column(0), column(1), column(2), column(3)], row),
                    _ => {
                        let groups = row.chunks_exact_mut(stride);
                        for (group, (most, others)) in groups.zip(wide_sums.iter().zip(sums)) {
                            group[..wide].fill(*most);
                            group[wide..].fill(*others);
                        }
                    }
                }
            }
        }
    }
}

/// Sums `taps` neighbours of the line for every group.
#[inline(always)]
fn sum_groups<T: Mean>(
    line: &[f64],
    taps: usize,
    scale: <f64 as Accumulator<T>>::Scale,
    groups: &mut [T],
) where
    f64: Accumulator<T>,
{
    in_tiles!(two, size_of::<f64>(), groups.len(), groups.len(), true, |at, L| {
        let mut sums = [0.0f64; L];
        for j in 0..taps {
            let tap = &line[at + j..at + j + L];
            for l in 0..L {
                sums[l] += tap[l];
            }
        }
        let groups = &mut groups[at..at + L];
        for l in 0..L {
            groups[l] = <f64 as Accumulator<T>>::finish(sums[l], scale);
        }
    });
}

/// `row[i*S + r] = columns[r][i]`.
#[inline(always)]
fn interleave<T: Copy, const S: usize>(columns: [&[T]; S], row: &mut [T]) {
    let n = row.len() / S;
    in_tiles!(two, size_of::<T>(), n, n, true, |at, L| {
        let mut tiles = [columns[0]; S];
        for r in 0..S {
            tiles[r] = &columns[r][at..at + L];
        }
        let row = &mut row[at * S..(at + L) * S];
        for l in 0..L {
            for r in 0..S {
                row[l * S + r] = tiles[r][l];
            }
        }
    });
}
