//! Small arrays beside a large one that has another memory order: copied to that order first, as whoever
//! walks planes of both would take a cache line for every element.

use std::sync::{Mutex, PoisonError};

use super::lanes;
use super::planes::{Axes, lane_axis, merged, offsets};
use crate::geometry::{Dims, count};
use crate::view::contiguous_strides;
use crate::{Execution, PoolError, View};

/// Bytes that are copied at a time, and a number of rows that squares fill.
const PIECE_BYTES: usize = 64 << 10;
const ROWS: usize = 16;

/// A copy in `store`, planes of neighbours or lanes as in the array with the `strides` beside it; none if
/// the view is so already, neither has lanes, or there is no memory for it.
pub(super) fn reordered<'s, T: Copy + Default + Send + Sync>(
    execution: &Execution<'_>,
    axes: &[usize],
    view: &View<'_, T>,
    strides: &[isize],
    store: &'s mut Vec<T>,
) -> Result<Option<View<'s, T>>, PoolError> {
    let shape = view.shape();
    let wanted = lane_axis(axes, shape, [strides]);
    if wanted == lane_axis(axes, shape, [view.strides()]) || shape.contains(&0) {
        return Ok(None);
    }
    let outer = (0..shape.len()).filter(|&axis| Some(axis) != wanted);
    let order: Dims<usize> = outer.chain(wanted).collect();
    let pick = |of: &[isize]| order.iter().map(|&axis| of[axis]).collect::<Dims<_>>();
    let lengths: Dims<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let steps = merged(&lengths, [&pick(view.strides())], |_| true);
    if let [] | [(_, [1])] = steps[..] {
        return Ok(None);
    }
    let elements = count(shape)?;
    if store.try_reserve_exact(elements).is_err() {
        return Ok(None);
    }
    store.resize(elements, T::default());
    copy(execution, view, steps, store);
    let mut dense = Dims::from_elem(0, shape.len());
    for (&axis, stride) in order.iter().zip(contiguous_strides(&lengths)) {
        dense[axis] = stride;
    }
    View::with_strides(store, 0, shape, &dense).map(Some)
}

/// Copies the elements of a view, in the order of the `steps`.
fn copy<T: Copy + Send + Sync>(
    execution: &Execution<'_>,
    view: &View<'_, T>,
    mut steps: Axes<1>,
    to: &mut [T],
) {
    let (lanes, [beside]) = steps.pop().unwrap_or((1, [1]));
    let (rows, [below]) = steps.pop().unwrap_or((1, [0]));
    let piece = (PIECE_BYTES / (lanes * size_of::<T>())).next_multiple_of(ROWS).max(ROWS);
    let bytes = size_of_val(to);
    let places = to.chunks_mut(rows * lanes).map(|place| place.chunks_mut(piece * lanes));
    let pieces: Vec<_> = places.flatten().map(Mutex::new).collect();
    let cuts = rows.div_ceil(piece);
    let tasks = execution.tasks(bytes).min(pieces.len());
    execution.run(tasks, |task| {
        for number in task * pieces.len() / tasks..(task + 1) * pieces.len() / tasks {
            let mut to = pieces[number].lock().unwrap_or_else(PoisonError::into_inner);
            let [at] = offsets(&steps, number / cuts);
            let at = at + (number % cuts * piece) as isize * below;
            let shape = [to.len() / lanes, lanes];
            let from = view.origin().wrapping_add_signed(at);
            lanes::gather(view.data(), from, [below, beside], shape, &mut to);
        }
    });
}
