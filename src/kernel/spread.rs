//! Spreading: what every element of a plane adds to its window of a larger plane.
//!
//! A row of the larger plane is made of the rows whose windows reach it. They are summed into one
//! *line* first, and the line is spread along the row. Rows that are reached by the same windows are
//! the same row. Columns that are neighbours are taken together ([`spread_rows`]), or the lanes of a
//! column where those are ([`spread_lanes`]).

use std::ops::Range;

use super::planes::{Axes, offsets, volume};
use super::way::{are_lanes, long_axes};
use super::{spread_gathered, spread_lanes, spread_rows, whole};
use crate::element::Mean;
use crate::geometry::{Dims, count};
use crate::sums::Accumulator;
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
    pub(super) fn of(&self, row: usize, n: usize) -> &[f64] {
        let line = self.of_row.get(row).map_or(0, |line| line * n);
        &self.lines[line..line + n]
    }
}

/// How planes are spread, whose columns are `C`.
pub(super) struct Plan<C> {
    /// The rows of the larger plane.
    pub(super) rows: Reached,
    pub(super) columns: C,
    /// Columns of the smaller plane.
    pub(super) outputs: usize,
    factors: Factors,
    /// What sums are divided by.
    pub(super) divisor: i64,
}

/// Places of the larger plane along some of its axes.
pub(super) struct Reached {
    pub(super) places: Vec<Place>,
    /// Numbers of places of the smaller plane, which `places` point into.
    readers: Vec<usize>,
}

/// A place, and what it is made of.
pub(super) struct Place {
    pub(super) at: isize,
    pub(super) readers: Range<usize>,
    /// Those before it that differ in what they are made of, and so from one another.
    pub(super) different: usize,
}

/// The columns of a row of the larger plane.
pub(super) struct Columns {
    pub(super) len: usize,
    pub(super) step: isize,
    pub(super) windows: Windows,
}

/// Which windows along a line reach a column.
pub(super) enum Windows {
    /// Column `i` is one of the first `wide` of its group `(i + before) / stride`, which the `taps`
    /// windows that end with window `i / stride` reach, or one of the others, which one less does.
    Groups { stride: usize, before: usize, wide: usize, taps: usize },
    /// Those of the bins that it lies in.
    Bins(Vec<Piece>),
    /// Those that read it.
    Listed(Readers),
}

/// Columns up to `end`, from where others end, that lie in the same bins.
pub(super) struct Piece {
    pub(super) end: usize,
    pub(super) bins: Range<usize>,
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
pub(super) enum Readers {
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
    pub(super) fn each(&self, position: usize, mut visit: impl FnMut(usize)) {
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
    large: ViewMut<'_, T>,
) -> Result<(), PoolError>
where
    f64: Accumulator<T>,
{
    if large.shape().contains(&0) {
        return Ok(());
    }
    if are_lanes(geometry, small, &large) {
        let plan = Plan::of_lanes(geometry, divisors, large.strides());
        return spread_lanes::spread(execution, geometry, &plan, small, large);
    }
    let plan = Plan::of_neighbours(geometry, divisors, large.strides());
    // One of several windows need not be the first: others may lie in the padding.
    let one_output = geometry.pooled().iter().all(|(_, axis)| axis.outputs() == 1);
    if one_output && plan.has_one_window() {
        whole::fill(execution, geometry, plan.columns.len, plan.divisor, small, large);
        return Ok(());
    }
    if spread_gathered::is_for(geometry, small, &large) {
        let plan = Plan::of_lanes(geometry, divisors, large.strides());
        return spread_gathered::spread(execution, geometry, &plan, small, large);
    }
    spread_rows::spread(execution, geometry, &plan, small, large)
}

/// Bytes that could be moved while the smaller planes are read and the larger ones summed.
pub(super) fn bytes<T>(small: &View<'_, T>, large: &ViewMut<'_, T>) -> Result<usize, PoolError> {
    /// As many as while one element of the larger plane is summed.
    const ELEMENT_BYTES: usize = 16;
    Ok(count(small.shape())? * size_of::<T>() + count(large.shape())? * ELEMENT_BYTES)
}

impl<C> Plan<C> {
    fn new(
        geometry: &Geometry,
        divisors: &Divisors,
        rows: Reached,
        columns: C,
        outputs: usize,
    ) -> Self {
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
        Self { rows, columns, outputs, factors, divisor }
    }

    /// What the elements of a row of the smaller plane are multiplied with.
    #[inline(always)]
    pub(super) fn factors(&self, row: usize) -> &[f64] {
        self.factors.of(row, self.outputs)
    }
}

/// The axes of a plane with their strides, the columns' apart.
fn axes<'a>(
    geometry: &'a Geometry,
    strides: &[isize],
) -> (Dims<(&'a Axis, isize)>, (&'a Axis, isize)) {
    let mut axes: Dims<_> = long_axes(geometry).map(|(at, axis)| (axis, strides[*at])).collect();
    let last = axes.pop().unwrap_or((Axis::single(), 1));
    (axes, last)
}

impl Plan<Reached> {
    /// For planes whose lanes are taken together.
    fn of_lanes(geometry: &Geometry, divisors: &Divisors, strides: &[isize]) -> Self {
        let (axes, last) = axes(geometry, strides);
        let columns = Reached::new(&[last]);
        Self::new(geometry, divisors, Reached::new(&axes), columns, last.0.outputs())
    }
}

impl Plan<Columns> {
    /// For planes whose columns are neighbours.
    fn of_neighbours(geometry: &Geometry, divisors: &Divisors, strides: &[isize]) -> Self {
        let (mut axes, (last, step)) = axes(geometry, strides);
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
        Self::new(geometry, divisors, Reached::new(&axes), columns, last.outputs())
    }

    /// Whether the elements of a plane are neighbours that all belong to the same window.
    fn has_one_window(&self) -> bool {
        let Columns { len, step, windows } = &self.columns;
        let all = matches!(windows, Windows::Groups { before: 0, wide, .. } if wide == len);
        let one_row = matches!(&self.rows.places[..], [row] if row.readers.len() == 1);
        (self.outputs, *step) == (1, 1) && all && one_row && self.factors.of_row.is_empty()
    }
}

impl Reached {
    /// The places along some axes, and the numbers of those that reach them.
    fn new(axes: &[(&Axis, isize)]) -> Self {
        let lengths: Axes<1> = axes.iter().map(|(axis, stride)| (axis.len(), [*stride])).collect();
        let by_axis: Vec<Readers> = axes.iter().map(|(axis, _)| Readers::new(axis)).collect();
        let mut readers: Vec<usize> = Vec::new();
        let (mut last, mut different) = (0..0, 0);
        let place = |place: usize| {
            let (mut rest, mut inner) = (place, volume(&lengths));
            let reached = by_axis.iter().zip(axes).fold(vec![0], |outer, (readers, (axis, _))| {
                inner /= axis.len();
                let position = rest / inner;
                rest %= inner;
                let mut numbers = Vec::new();
                for place in outer {
                    readers.each(position, |o| numbers.push(place * axis.outputs() + o));
                }
                numbers
            });
            if readers[last.clone()] != reached || place == 0 {
                different += usize::from(place > 0);
                last = readers.len()..readers.len() + reached.len();
                readers.extend(reached);
            }
            Place { at: offsets(&lengths, place)[0], readers: last.clone(), different }
        };
        let places = (0..volume(&lengths)).map(place).collect();
        Self { places, readers }
    }

    /// The numbers of what a place is made of.
    #[inline(always)]
    pub(super) fn readers(&self, place: &Place) -> &[usize] {
        &self.readers[place.readers.clone()]
    }
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
