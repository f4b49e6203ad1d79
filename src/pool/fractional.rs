//! Fractional max pooling: windows at random places, other ones for every plane.

use std::ops::Range;

use super::{check_planes, check_shape};
use crate::element::Element;
use crate::geometry::{Dims, count};
use crate::kernel::picked::{self, Picked};
use crate::kernel::planes::{Axes, Block, Planes, offsets, volume};
use crate::pool::max::{max_into, max_with_indices_into};
use crate::simd::dispatch;
use crate::view::{Shared, contiguous_strides};
use crate::{Execution, Geometry, Level, PoolError, Taps, View, ViewMut, Window};

/// Where the random windows of fractional max pooling start on an axis of `len` elements:
/// `output_size` windows of `kernel_size` neighbours, the last one at the end.
///
/// Window `i` starts at `int((i + sample) * alpha) - int(sample * alpha)` with
/// `alpha = (len - kernel_size) / (output_size - 1)` (Graham, Fractional Max-Pooling, 2014),
/// every step rounded by `round` as arithmetic in the input's dtype would be. Samples outside
/// `[0, 1)` are used as they are, but windows are kept inside the axis.
#[must_use]
pub fn fractional_starts(
    len: usize,
    kernel_size: usize,
    output_size: usize,
    sample: f64,
    round: impl Fn(f64) -> f64,
) -> Vec<usize> {
    let last = len.saturating_sub(kernel_size);
    let alpha = round(round(last as f64) / round(output_size.saturating_sub(1) as f64));
    // Not trunc(), which is a call where the processor may be any.
    let scaled = |i: usize| round(round(round(i as f64) + sample) * alpha) as i64;
    let origin = round(sample * alpha) as i64;
    let start = |i: usize| match i + 1 == output_size {
        true => last,
        false => usize::try_from(scaled(i).saturating_sub(origin)).map_or(0, |at| at.min(last)),
    };
    (0..output_size).map(start).collect()
}

/// The maxima of windows that start at places of their own in every plane, with their positions
/// where `indices` are given: `starts(plane, i)` are those along the `i`-th pooled axis, where
/// windows have `kernel_size[i]` elements, or all if there are fewer.
///
/// Planes are counted in C order of the free axes. Ties and NaN are as in
/// [`max_with_indices_into`].
///
/// # Errors
/// Shapes that do not match, or windows that reach outside their axis.
pub fn fractional_max_into<T: Element>(
    execution: &Execution<'_>,
    axes: &[usize],
    kernel_size: &[usize],
    starts: impl Fn(usize, usize) -> Vec<usize> + Sync,
    input: &View<'_, T>,
    mut values: ViewMut<'_, T>,
    mut indices: Option<ViewMut<'_, i64>>,
) -> Result<(), PoolError> {
    check_planes(axes, input.shape(), values.shape())?;
    check_shape("kernel_size", &[kernel_size.len()], &[axes.len()])?;
    if let Some(indices) = &indices {
        check_shape("indices", indices.shape(), values.shape())?;
    }
    let (out, positions) = (values.shared(), indices.as_mut().map(ViewMut::shared));
    let index_strides = indices.as_ref().map_or(values.strides(), ViewMut::strides);
    let numbers = plane_numbers(axes, input.shape());
    let arrays = [input.strides(), values.strides(), index_strides, &numbers];
    let lengths = pick(axes, input.shape());
    let kernel = kernel_size.iter().zip(&lengths).map(|(kernel, len)| *kernel.min(len)).collect();
    let fractional = Fractional {
        input,
        strides: pick(axes, input.strides()),
        outputs: pick(axes, values.shape()),
        placed: pick(axes, values.strides()),
        indices_placed: pick(axes, index_strides),
        kernel,
        lengths,
    };
    let plane = fractional.lengths.iter().product::<usize>();
    let element = size_of::<T>() + positions.map_or(0, |_| size_of::<i64>());
    let planes = Planes::new(axes, input.shape(), arrays, plane.saturating_mul(element));
    let bytes = (count(input.shape())? + count(values.shape())?) * element;
    let (single, level) = (execution.one_thread(), execution.chosen_level());
    let picks = level.is_for_all() && fractional.picks();
    let scratch = || Scratch { values: Vec::new(), indices: Vec::new(), lines: Default::default() };
    planes.each(execution, bytes, scratch, |scratch, block| {
        let number = |lane: usize| (block.at[3] + lane as isize) as usize;
        let chosen = |lane: usize| fractional.choose(|i| starts(number(lane), i));
        // A plane of its own has windows of its own; those of several differ in the copy alone.
        let copy = |part: &Fractional<'_, T>, chosen: &Chosen, scratch: &Scratch<T>, lane, at| {
            let Block { at: [_, to, index_to, _], lanes } = at;
            let lanes = (lanes, lane);
            part.copy(chosen, lanes, &scratch.values, out, to, &part.placed);
            if let Some(out) = positions {
                part.copy(chosen, lanes, &scratch.indices, out, index_to, &part.indices_placed);
            }
        };
        if block.lanes == 1 {
            let own = chosen(0)?;
            if picks && positions.is_none() {
                fractional.pick(level, block, &own, out, &mut scratch.lines);
                return Ok(());
            }
            let (outputs, step) = (fractional.first_outputs(), fractional.rows_at_once(element));
            for first in (0..outputs).step_by(step) {
                let together = first..outputs.min(first.saturating_add(step));
                let (part, own, skipped) = fractional.part(&own, together);
                part.slide(&single, block, Some(&own), scratch, positions.is_some())?;
                let at = std::array::from_fn(|i| block.at[i] + skipped[i]);
                copy(&part, &part.taken(own), scratch, 0, Block { at, ..block });
            }
            return Ok(());
        }
        fractional.slide(&single, block, None, scratch, positions.is_some())?;
        for lane in 0..block.lanes {
            let at = block.at.map(|at| at + lane as isize);
            copy(&fractional, &chosen(lane)?, scratch, lane, Block { at, ..block });
        }
        Ok(())
    })
}

/// Maxima of a part of a plane: well inside a second-level cache.
const SCRATCH_BYTES: usize = 256 << 10;

/// Strides that count planes in C order of the free axes.
fn plane_numbers(axes: &[usize], shape: &[usize]) -> Dims<isize> {
    let mut free = Dims::from_slice(shape);
    axes.iter().for_each(|&axis| free[axis] = 1);
    contiguous_strides(&free)
}

fn pick<T: Copy>(axes: &[usize], of: &[T]) -> Dims<T> {
    axes.iter().map(|&axis| of[axis]).collect()
}

/// What all planes share; one entry per pooled axis.
#[derive(Clone)]
struct Fractional<'a, T> {
    input: &'a View<'a, T>,
    lengths: Dims<usize>,
    strides: Dims<isize>,
    kernel: Dims<usize>,
    outputs: Dims<usize>,
    placed: Dims<isize>,
    indices_placed: Dims<isize>,
}

/// Which of the maxima in scratch are results.
#[derive(Clone)]
struct Chosen {
    /// Along every axis.
    starts: Dims<Vec<usize>>,
    /// Maxima there are along every axis.
    places: Dims<usize>,
}

/// Maxima of a block of planes: of the windows at every place of the columns, and of the rows that
/// are needed or all.
struct Scratch<T: Element> {
    values: Vec<T>,
    indices: Vec<i64>,
    lines: [Vec<T::Ordered>; 2],
}

impl<T: Element> Fractional<'_, T> {
    /// Places of a window along an axis.
    fn places(&self, axis: usize) -> usize {
        self.lengths[axis] + 1 - self.kernel[axis]
    }

    /// Outputs along the first axis, whose rows are chosen before their maxima are taken.
    fn first_outputs(&self) -> usize {
        if self.kernel.len() > 1 { self.outputs[0] } else { 1 }
    }

    /// Outputs along the first axis whose maxima, of `element` bytes, are taken together.
    fn rows_at_once(&self, element: usize) -> usize {
        let others = (1..self.kernel.len()).map(|axis| match axis + 1 == self.kernel.len() {
            true => self.places(axis),
            false => self.outputs[axis],
        });
        let bytes = others.fold(element, usize::saturating_mul);
        (SCRATCH_BYTES / bytes.max(1)).max(1)
    }

    /// The same for outputs along the first axis that are taken `together`, what is chosen of the
    /// `own` windows there, and how far the arrays are further on.
    fn part(&self, own: &Chosen, together: Range<usize>) -> (Self, Chosen, [isize; 4]) {
        let (mut part, mut chosen) = (self.clone(), own.clone());
        if self.kernel.len() < 2 {
            return (part, chosen, [0; 4]);
        }
        part.outputs[0] = together.len();
        let first = together.start as isize;
        let skipped = [&self.placed, &self.indices_placed].map(|step| step[0] * first);
        chosen.starts[0] = own.starts[0][together].to_vec();
        (part, chosen, [0, skipped[0], skipped[1], 0])
    }

    /// Takes the maxima at every place of the columns: few are not needed, as random windows are one
    /// or two elements apart mostly. Rows are those of the `own` windows of a single plane.
    fn slide(
        &self,
        execution: &Execution<'_>,
        block: Block<4>,
        own: Option<&Chosen>,
        scratch: &mut Scratch<T>,
        positions: bool,
    ) -> Result<(), PoolError> {
        let lanes = [block.lanes];
        let shape: Dims<usize> = self.lengths.iter().chain(&lanes).copied().collect();
        let strides: Dims<isize> = self.strides.iter().chain(&[1]).copied().collect();
        let window = |(i, &count): (usize, &usize)| match own {
            Some(own) if i + 1 < self.kernel.len() => {
                let taps = own.starts[i].iter().map(|&first| Taps { first, count, step: 1 });
                (i, Window::Listed(taps.collect()))
            }
            _ => (i, Window::sliding(count as i64).stride(1).into()),
        };
        let windows: Vec<_> = self.kernel.iter().enumerate().map(window).collect();
        let geometry = Geometry::new(&shape, &windows)?;
        let origin = self.input.origin().wrapping_add_signed(block.at[0]);
        let view = View::with_strides(self.input.data(), origin, &shape, &strides)?;
        let values = view_of(&mut scratch.values, geometry.output_shape())?;
        if !positions {
            return max_into(execution, &geometry, &view, values);
        }
        let indices = view_of(&mut scratch.indices, geometry.output_shape())?;
        max_with_indices_into(execution, &geometry, &view, values, indices)
    }

    /// Whether [`pick`](Self::pick) is for these planes, if they are taken one by one.
    fn picks(&self) -> bool {
        let neighbours = |strides: &[isize]| strides.last() == Some(&1);
        !self.kernel.contains(&0)
            && neighbours(&self.strides)
            && neighbours(&self.placed)
            && self.lengths.last().is_some_and(|&columns| picked::suits::<T>(columns))
    }

    /// Takes the maxima of a plane's `own` windows.
    fn pick(
        &self,
        level: Level,
        block: Block<4>,
        own: &Chosen,
        out: Shared<T>,
        lines: &mut [Vec<T::Ordered>; 2],
    ) {
        let Self { lengths, strides, kernel, placed, .. } = self;
        let at = self.input.origin().wrapping_add_signed(block.at[0]);
        let (src, out_at, starts) = (self.input.data(), block.at[1], &own.starts);
        dispatch(
            level,
            Picked { src, at, out_at, lengths, strides, kernel, placed, starts, out, lines, level },
        );
    }

    /// Checks the starts along every axis.
    fn choose(&self, starts: impl Fn(usize) -> Vec<usize>) -> Result<Chosen, PoolError> {
        let axis = |i: usize| {
            let (starts, places) = (starts(i), self.places(i));
            check_shape("starts", &[starts.len()], &[self.outputs[i]])?;
            match starts.iter().find(|&&start| start >= places) {
                Some(&first) => {
                    let taps = Taps { first, count: self.kernel[i], step: 1 };
                    Err(PoolError::TapsOutside { len: self.lengths[i], taps })
                }
                None => Ok(starts),
            }
        };
        let axes = 0..self.kernel.len();
        let starts = axes.clone().map(axis).collect::<Result<_, _>>()?;
        Ok(Chosen { starts, places: axes.map(|i| self.places(i)).collect() })
    }

    /// What is chosen where the rows are chosen already.
    fn taken(&self, own: Chosen) -> Chosen {
        let Chosen { mut starts, mut places } = own;
        for axis in 0..self.kernel.len().saturating_sub(1) {
            starts[axis] = (0..self.outputs[axis]).collect();
            places[axis] = self.outputs[axis];
        }
        Chosen { starts, places }
    }

    /// Copies what the windows that start at `chosen` gave in one lane.
    fn copy<U: Copy>(
        &self,
        chosen: &Chosen,
        (lanes, lane): (usize, usize),
        results: &[U],
        out: Shared<U>,
        to: isize,
        strides: &[isize],
    ) {
        let Some((columns, outer)) = chosen.starts.split_last() else {
            // SAFETY: the block's element, which belongs to this task.
            unsafe { out.run(to, 1)[0].write(results[lane]) };
            return;
        };
        let step = strides[outer.len()];
        let placed = self.outputs.iter().zip(strides).map(|(&len, &stride)| (len, [stride]));
        let placed: Axes<1> = placed.take(outer.len()).collect();
        for row in 0..volume(&placed) {
            let mut rest = row;
            let (mut first, mut distance) = (0, chosen.places[outer.len()]);
            for (axis, starts) in outer.iter().enumerate().rev() {
                first += starts[rest % starts.len()] * distance;
                rest /= starts.len();
                distance *= chosen.places[axis];
            }
            let at = to + offsets(&placed, row)[0];
            let results = &results[first * lanes + lane..];
            if step == 1 && lanes == 1 {
                // SAFETY: as above.
                let row = unsafe { out.run(at, columns.len()) };
                row.iter_mut().zip(columns).for_each(|(to, &start)| {
                    to.write(results[start]);
                });
                continue;
            }
            for (o, &start) in columns.iter().enumerate() {
                // SAFETY: as above.
                unsafe { out.run(at + o as isize * step, 1)[0].write(results[start * lanes]) };
            }
        }
    }
}

/// Scratch of a shape, grown to it, as an output.
fn view_of<'a, T: Copy + Default>(
    scratch: &'a mut Vec<T>,
    shape: &[usize],
) -> Result<ViewMut<'a, T>, PoolError> {
    scratch.resize(count(shape)?, T::default());
    // SAFETY: the scratch is borrowed for as long as the view, and has the shape's elements.
    unsafe { ViewMut::from_raw_parts(scratch.as_mut_ptr(), shape, &contiguous_strides(shape)) }
}
