//! Spreading: what every element of a plane adds to its window of a larger plane.
//!
//! A row of the larger plane is made of the rows whose windows reach it. They are summed into one
//! *line* first. Along the line windows of `kernel` columns, `stride` apart, give every group of
//! `stride` columns only two different sums: the first columns are reached by one window more than
//! the others. Both are computed for all groups, then interleaved; bins give one sum for each of
//! their pieces. Rows that are reached by the same windows are the same row.

use std::ops::Range;

use super::planes::{self, Axes, Planes, merged, offsets, volume};
use super::tile::in_tiles;
use super::way::long_axes;
use super::whole;
use crate::element::Mean;
use crate::geometry::{Dims, count};
use crate::simd::{Work, dispatch};
use crate::sums::Accumulator;
use crate::view::Shared;
use crate::window::{Axis, Rule};
use crate::{Execution, Geometry, PoolError, View, ViewMut};

/// What spread elements, or their sums, are divided by.
pub(crate) enum Divisors {
    /// The same for all elements.
    Same(i64),
    /// For every element the product of those along the pooled axes, one list each.
    Along(Vec<Vec<i64>>),
}

/// What rows of the smaller plane are multiplied with: few rows have factors of their own.
struct Factors {
    /// Different rows of factors.
    lines: Vec<f64>,
    /// Which of them a row has; none where all have the first.
    of_row: Vec<usize>,
}

impl Factors {
    /// `split` is the axis that the columns lie along.
    fn new(divisors: &[Vec<i64>], split: usize) -> Self {
        let over = |outer: &[f64], counts: &[i64]| -> Vec<f64> {
            outer.iter().flat_map(|scale| counts.iter().map(move |&n| scale / n as f64)).collect()
        };
        let product = |start: f64, axes: &[Vec<i64>]| {
            axes.iter().fold(vec![start], |outer, counts| over(&outer, counts))
        };
        let (mut different, mut lines) = (Vec::<f64>::new(), Vec::new());
        let of_row = |scale: f64| {
            let known = different.iter().position(|&other| other == scale);
            known.unwrap_or_else(|| {
                different.push(scale);
                lines.extend(product(scale, &divisors[split..]));
                different.len() - 1
            })
        };
        let of_row = product(1.0, &divisors[..split]).into_iter().map(of_row).collect();
        Self { lines, of_row }
    }

    #[inline(always)]
    fn of(&self, row: usize, n: usize) -> &[f64] {
        let line = self.of_row.get(row).map_or(0, |line| line * n);
        &self.lines[line..line + n]
    }
}

/// How planes are spread.
struct Plan {
    /// The rows of the larger plane.
    rows: Vec<Row>,
    /// Numbers of the rows that are summed, which `rows` point into.
    readers: Vec<usize>,
    columns: Columns,
    /// Columns of the smaller plane.
    outputs: usize,
    factors: Factors,
    /// What sums are divided by.
    divisor: i64,
}

/// A row of the larger plane.
struct Row {
    at: isize,
    readers: Range<usize>,
}

/// The columns of a row of the larger plane.
struct Columns {
    len: usize,
    step: isize,
    windows: Windows,
}

/// Which windows along a line reach a column.
enum Windows {
    /// Column `i` is one of the first `wide` of its group `(i + before) / stride`, which the `taps`
    /// windows that end with window `i / stride` reach, or one of the others, which one less does.
    Groups { stride: usize, before: usize, wide: usize, taps: usize },
    /// Those of the bins that it lies in.
    Bins(Vec<Piece>),
    /// Those that read it.
    Listed(Readers),
}

/// Columns up to `end`, from where others end, that lie in the same bins.
struct Piece {
    end: usize,
    bins: Range<usize>,
}

/// The pieces of an axis of adaptive bins, none of which begins or ends before the one before it.
fn pieces(axis: &Axis) -> Vec<Piece> {
    let (mut pieces, mut at, mut bins) = (Vec::new(), 0, 0..0);
    while at < axis.len() {
        while bins.end < axis.outputs() && axis.taps(bins.end).first <= at {
            bins.end += 1;
        }
        while bins.start < bins.end && axis.taps(bins.start).end() <= at {
            bins.start += 1;
        }
        let next = (bins.end < axis.outputs()).then(|| axis.taps(bins.end).first);
        let last = (!bins.is_empty()).then(|| axis.taps(bins.start).end());
        at = [next, last].into_iter().flatten().fold(axis.len(), usize::min);
        pieces.push(Piece { end: at, bins: bins.clone() });
    }
    pieces
}

/// For every position of an axis, the outputs that read it.
enum Readers {
    /// As many apart from each other as the windows of this axis say.
    Even(Axis),
    Listed(Vec<Vec<usize>>),
}

impl Readers {
    fn new(axis: &Axis) -> Self {
        if !matches!(axis.rule, Rule::Listed(_)) {
            return Self::Even(axis.transposed());
        }
        let mut readers = vec![Vec::new(); axis.len()];
        for o in 0..axis.outputs() {
            let taps = axis.taps(o);
            (0..taps.count).for_each(|j| readers[taps.first + j * taps.step].push(o));
        }
        Self::Listed(readers)
    }

    #[inline(always)]
    fn each(&self, position: usize, mut visit: impl FnMut(usize)) {
        match self {
            Self::Even(axis) => {
                let taps = axis.taps(position);
                (0..taps.count).for_each(|j| visit(taps.first + j * taps.step));
            }
            Self::Listed(readers) => readers[position].iter().for_each(|&o| visit(o)),
        }
    }
}

/// Adds every element of `small`, divided, to its window in `large`.
///
/// Sums are f64, of rows first and in their order, then of columns in theirs.
pub(crate) fn spread<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    divisors: &Divisors,
    small: &View<'_, T>,
    mut large: ViewMut<'_, T>,
) -> Result<(), PoolError>
where
    f64: Accumulator<T>,
{
    /// What could be moved while one element of the larger plane is summed.
    const ELEMENT_BYTES: usize = 16;
    if large.shape().contains(&0) {
        return Ok(());
    }
    let axes: Dims<usize> = geometry.pooled().iter().map(|(axis, _)| *axis).collect();
    let plan = Plan::new(geometry, divisors, large.strides());
    // One of several windows need not be the first: others may lie in the padding.
    let one_output = geometry.pooled().iter().all(|(_, axis)| axis.outputs() == 1);
    if one_output && plan.has_one_window() {
        whole::fill(execution, geometry, plan.columns.len, plan.divisor, small, large);
        return Ok(());
    }
    let source = merged(small.shape(), [small.strides()], |axis| axes.contains(&axis));
    let bytes = count(small.shape())? * size_of::<T>() + count(large.shape())? * ELEMENT_BYTES;
    let strides = [large.strides(), small.strides()];
    let volume = plan.rows.len().saturating_mul(plan.columns.len);
    let plane_bytes = volume.saturating_mul(size_of::<T>());
    let planes = Planes::new(&axes, large.shape(), strides, plane_bytes);
    let out = large.shared();
    let start = || Scratch::new(&plan);
    planes.each(execution, bytes, start, |scratch, block| {
        for lane in 0..block.lanes as isize {
            let [to, from] = block.at.map(|at| at + lane);
            let elements = match source[..] {
                [] | [(1.., [1])] => None,
                _ => Some(scratch.read(small, &source, from)),
            };
            let at = small.origin().wrapping_add_signed(from);
            let plane = elements.as_deref().unwrap_or_else(|| &small.data()[at..]);
            let (plan, lines) = (&plan, &mut scratch.lines);
            dispatch(execution.chosen_level(), SpreadPlane { plan, plane, to, out, lines });
            scratch.plane = elements.unwrap_or_default();
        }
        Ok(())
    })
}

impl Plan {
    fn new(geometry: &Geometry, divisors: &Divisors, strides: &[isize]) -> Self {
        let mut axes: Dims<_> =
            long_axes(geometry).map(|(at, axis)| (axis, strides[*at])).collect();
        let (last, step) = axes.pop().unwrap_or((Axis::single(), 1));
        let mut columns = Columns { len: last.len(), step, windows: windows(last) };
        // Planes of one window are one row.
        let mut whole = last.is_whole();
        while let Some(&(axis, stride)) = axes.last() {
            if !whole || !axis.is_whole() || stride != step * columns.len as isize {
                break;
            }
            columns.len *= axis.len();
            let stride = columns.len;
            columns.windows = Windows::Groups { stride, before: 0, wide: stride, taps: 1 };
            axes.pop();
            whole = true;
        }
        let (outputs, (rows, readers)) = (last.outputs(), rows(&axes));
        let (factors, divisor) = match divisors {
            &Divisors::Same(divisor) => {
                (Factors { lines: vec![1.0; outputs], of_row: Vec::new() }, divisor)
            }
            Divisors::Along(divisors) => {
                let last = long_axes(geometry).last().map(|(at, _)| *at);
                let split = geometry.pooled().iter().rposition(|(at, _)| Some(*at) == last);
                (Factors::new(divisors, split.unwrap_or(0)), 1)
            }
        };
        Self { rows, readers, columns, outputs, factors, divisor }
    }

    /// Whether the elements of a plane are neighbours that all belong to the same window.
    fn has_one_window(&self) -> bool {
        let Columns { len, step, windows } = &self.columns;
        let all = matches!(windows, Windows::Groups { before: 0, wide, .. } if wide == len);
        let one_row = matches!(&self.rows[..], [row] if row.readers.len() == 1);
        (self.outputs, *step) == (1, 1) && all && one_row && self.factors.of_row.is_empty()
    }
}

/// The rows of the larger plane, and the numbers of the rows that reach them.
fn rows(axes: &[(&Axis, isize)]) -> (Vec<Row>, Vec<usize>) {
    let lengths: Axes<1> = axes.iter().map(|(axis, stride)| (axis.len(), [*stride])).collect();
    let by_axis: Vec<Readers> = axes.iter().map(|(axis, _)| Readers::new(axis)).collect();
    let mut readers: Vec<usize> = Vec::new();
    let mut last = 0..0;
    let row = |row: usize| {
        let (mut rest, mut inner) = (row, volume(&lengths));
        let reached = by_axis.iter().zip(axes).fold(vec![0], |outer, (readers, (axis, _))| {
            inner /= axis.len();
            let position = rest / inner;
            rest %= inner;
            let mut numbers = Vec::new();
            for row in outer {
                readers.each(position, |o| numbers.push(row * axis.outputs() + o));
            }
            numbers
        });
        if readers[last.clone()] != reached || row == 0 {
            last = readers.len()..readers.len() + reached.len();
            readers.extend(reached);
        }
        Row { at: offsets(&lengths, row)[0], readers: last.clone() }
    };
    let rows = (0..volume(&lengths)).map(row).collect();
    (rows, readers)
}

fn windows(axis: &Axis) -> Windows {
    match axis.rule {
        // Groups wider than the row, or far outside of it, would only cost memory.
        Rule::Sliding { kernel, stride, before, dilation: 1, .. }
            if before <= 2 * axis.len() && stride <= before + axis.len() =>
        {
            let kernel = kernel.min(before + axis.len());
            let taps = kernel.div_ceil(stride);
            Windows::Groups { stride, before, wide: kernel - (taps - 1) * stride, taps }
        }
        Rule::Adaptive => Windows::Bins(pieces(axis)),
        _ => Windows::Listed(Readers::new(axis)),
    }
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
    /// The two sums of every group.
    sums: [Vec<T>; 2],
    /// The row, from the first column of its first group on.
    row: Vec<T>,
}

impl<T: Copy + Default> Scratch<T> {
    fn new(plan: &Plan) -> Self {
        let len = plan.columns.len;
        let (groups, stride, padding) = match plan.columns.windows {
            Windows::Groups { stride, before, taps, .. } => {
                ((len + before).div_ceil(stride), stride, taps - 1)
            }
            Windows::Bins(_) | Windows::Listed(_) => (len, 1, 0),
        };
        let lines = Lines {
            line: vec![0.0; padding + groups.max(plan.outputs)],
            padding,
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
    plan: &'a Plan,
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
        for row in &plan.rows {
            if last != Some(&row.readers) {
                lines.fold(plan, plane, &plan.readers[row.readers.clone()]);
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
    fn fold(&mut self, plan: &Plan, plane: &[T], rows: &[usize]) {
        let n = plan.outputs;
        let line = &mut self.line[self.padding..self.padding + n];
        in_tiles!(two, size_of::<f64>(), n, n, true, |at, L| {
            let mut sums = [0.0f64; L];
            for row in rows {
                let elements = &plane[row * n + at..row * n + at + L];
                let factors = &plan.factors.of(*row, n)[at..at + L];
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
        let Self { line, sums: [wide_sums, sums], row, .. } = self;
        let scale = <f64 as Accumulator<T>>::scale(divisor);
        match windows {
            Windows::Bins(pieces) => {
                let mut start = 0;
                for Piece { end, bins } in pieces {
                    let sum = line[bins.clone()].iter().sum();
                    row[start..*end].fill(<f64 as Accumulator<T>>::finish(sum, scale));
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
            Windows::Groups { stride: 1, taps, .. } => sum_groups(line, *taps, scale, row),
            &Windows::Groups { stride, wide, taps, .. } => {
                sum_groups(line, taps, scale, wide_sums);
                if wide < stride {
                    sum_groups(&line[1..], taps - 1, scale, sums);
                }
                let column = |i: usize| if i < wide { &wide_sums[..] } else { &sums[..] };
                match stride {
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
