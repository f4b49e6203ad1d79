//! Spreading where neighbouring planes are neighbours in memory: all lanes of a column together.

use super::planes::{Planes, merged, offsets, volume};
use super::spread::{self, Place, Plan, Reached};
use super::tile::{in_tiles, write_tile};
use super::way::long_axes;
use crate::element::Mean;
use crate::geometry::Dims;
use crate::simd::{Work, dispatch, load_tile, store_tile};
use crate::sums::Accumulator;
use crate::view::Shared;
use crate::{Execution, Geometry, PoolError, View, ViewMut};

/// Spreads the planes of `small`, many at a time.
pub(super) fn spread<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    plan: &Plan<Reached>,
    small: &View<'_, T>,
    mut large: ViewMut<'_, T>,
) -> Result<(), PoolError>
where
    f64: Accumulator<T>,
{
    let axes: Dims<usize> = geometry.pooled().iter().map(|(axis, _)| *axis).collect();
    let last = long_axes(geometry).last().map(|(at, _)| *at);
    let is_row = |axis| axes.contains(&axis) && Some(axis) != last;
    let rows = merged(small.shape(), [small.strides()], is_row);
    let rows: Vec<isize> = (0..volume(&rows)).map(|row| offsets(&rows, row)[0]).collect();
    let step = last.map_or(0, |last| small.strides()[last]);
    let columns = plan.columns.places.len();
    let kept = plan.outputs * size_of::<f64>() + columns * size_of::<T>();
    let bytes = spread::bytes(small, &large)?;
    let strides = [large.strides(), small.strides()];
    let planes = Planes::new(&axes, large.shape(), strides, kept).cut_for(execution, bytes);
    let (out, level) = (large.shared(), execution.chosen_level());
    planes.each(execution, bytes, Lines::default, |lines, block| {
        let ([to, from], lanes) = (block.at, block.lanes);
        lines.fit(plan, lanes);
        let from = small.origin().wrapping_add_signed(from);
        let source = Source { data: small.data(), from, rows: &rows, step };
        dispatch(level, SpreadLanes { plan, source, lanes, apart: 1, to, out, lines });
        Ok(())
    })
}

/// The lanes of planes that are spread.
pub(super) struct Source<'a, T> {
    pub(super) data: &'a [T],
    pub(super) from: usize,
    /// Where rows start.
    pub(super) rows: &'a [isize],
    /// From one column to the next.
    pub(super) step: isize,
}

/// Spreads the lanes of a block.
pub(super) struct SpreadLanes<'a, T> {
    pub(super) plan: &'a Plan<Reached>,
    pub(super) source: Source<'a, T>,
    pub(super) lanes: usize,
    /// Elements between what are neighbours to the plan, and to the source.
    pub(super) apart: usize,
    pub(super) to: isize,
    pub(super) out: Shared<T>,
    pub(super) lines: &'a mut Lines<T>,
}

/// What is kept between rows.
#[derive(Default)]
pub(super) struct Lines<T> {
    /// Summed rows.
    line: Vec<f64>,
    /// The different columns of the row that they are spread to.
    row: Vec<T>,
}

impl<T: Copy + Default> Lines<T> {
    /// Makes room for so many lanes.
    pub(super) fn fit(&mut self, plan: &Plan<Reached>, lanes: usize) {
        self.line.resize(plan.outputs * lanes, 0.0);
        self.row.resize(plan.columns.places.len() * lanes, T::default());
    }
}

impl<T: Mean> Work for SpreadLanes<'_, T>
where
    f64: Accumulator<T>,
{
    #[inline(always)]
    fn run<const V: usize>(mut self) {
        let Self { plan, lanes, apart, to, out, .. } = self;
        let columns = &plan.columns.places;
        // Rows of one piece are copied where the same windows reach them.
        let mut in_order = columns.iter().zip((0..).step_by(lanes));
        let follow = in_order.all(|(column, at)| column.at * apart as isize == at);
        let mut last: Option<&Place> = None;
        for row in &plan.rows.places {
            let at = to + row.at * apart as isize;
            if let Some(last) = last.filter(|last| last.readers == row.readers) {
                if follow {
                    let above = to + last.at * apart as isize;
                    let len = columns.len() * lanes;
                    // SAFETY: rows of the block, whose task this is; the one above has been written.
                    unsafe { out.run(at, len).copy_from_slice(out.run(above, len)) };
                    continue;
                }
            } else {
                self.fold(plan.rows.readers(row));
                self.slide();
                last = Some(row);
            }
            for column in columns {
                let elements = &self.lines.row[column.different * lanes..][..lanes];
                // SAFETY: lanes of the block, whose task this is.
                let column = unsafe { out.run(at + column.at * apart as isize, lanes) };
                in_tiles!(two, size_of::<T>(), lanes, lanes, true, |at, L| {
                    // SAFETY: both have as many lanes.
                    let tile: [T; L] = unsafe { load_tile(elements, at) };
                    write_tile(&mut column[at..], tile);
                });
            }
        }
    }
}

impl<T: Mean> SpreadLanes<'_, T>
where
    f64: Accumulator<T>,
{
    /// Sums rows into the line.
    #[inline(always)]
    fn fold(&mut self, rows: &[usize]) {
        let Self { plan, source: Source { data, from, rows: starts, step }, lanes, apart, .. } =
            *self;
        for (o, line) in self.lines.line.chunks_exact_mut(lanes).enumerate() {
            in_tiles!(two, size_of::<f64>(), lanes, lanes, true, |at, L| {
                let mut sums = [0.0f64; L];
                for &row in rows {
                    let start = (starts[row] + o as isize * step) * apart as isize;
                    let start = from.wrapping_add_signed(start);
                    let (elements, factor) = (&data[start + at..][..L], plan.factors(row)[o]);
                    for l in 0..L {
                        sums[l] += <f64 as Accumulator<T>>::load(elements[l]) * factor;
                    }
                }
                // SAFETY: the line has as many lanes.
                unsafe { store_tile(line, at, sums) };
            });
        }
    }

    /// Spreads the line over different columns of the row.
    #[inline(always)]
    fn slide(&mut self) {
        let Self { plan, lanes, .. } = *self;
        let scale = <f64 as Accumulator<T>>::scale(plan.divisor);
        let columns = &plan.columns;
        let mut done = 0;
        for column in &columns.places {
            if column.different < done {
                continue;
            }
            done += 1;
            let row = &mut self.lines.row[column.different * lanes..][..lanes];
            in_tiles!(two, size_of::<f64>(), lanes, lanes, true, |at, L| {
                let mut sums = [0.0f64; L];
                for &o in columns.readers(column) {
                    let tap = &self.lines.line[o * lanes + at..][..L];
                    for l in 0..L {
                        sums[l] += tap[l];
                    }
                }
                // SAFETY: these sums are for every level, and the row has as many lanes.
                unsafe {
                    store_tile(row, at, <f64 as Accumulator<T>>::finish_tile(sums, [scale; L]));
                }
            });
        }
    }
}
