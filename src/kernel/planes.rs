//! Plane by plane: operators that follow positions or rows instead of windows.
//!
//! A plane is all pooled axes of an array at one place of the free axes. Arrays that agree in
//! their free axes are walked together. Where a free axis has neighbours in memory in all of them
//! (channels-last), a block of neighbouring planes, its *lanes*, is walked at once, so that whole
//! cache lines are used.

use std::sync::{Mutex, PoisonError};

use crate::geometry::Dims;
use crate::{Execution, PoolError};

/// Axes of `N` arrays: length and strides, outermost first.
pub(crate) type Axes<const N: usize> = Dims<(usize, [isize; N])>;

/// Those axes of `shape` that are `picked`, merged where they step like one in every array.
pub(crate) fn merged<const N: usize>(
    shape: &[usize],
    strides: [&[isize]; N],
    picked: impl Fn(usize) -> bool,
) -> Axes<N> {
    let mut axes = Axes::<N>::new();
    for (axis, &len) in shape.iter().enumerate().filter(|&(axis, &len)| len != 1 && picked(axis)) {
        let strides = strides.map(|strides| strides[axis]);
        match axes.last_mut() {
            Some((outer, steps)) if *steps == strides.map(|stride| stride * len as isize) => {
                (*outer, *steps) = (*outer * len, strides);
            }
            _ => axes.push((len, strides)),
        }
    }
    axes
}

/// Number of positions.
pub(crate) fn volume<const N: usize>(axes: &[(usize, [isize; N])]) -> usize {
    axes.iter().map(|(len, _)| len).product()
}

/// Offsets of a flat position from the first element.
#[inline(always)]
pub(crate) fn offsets<const N: usize>(axes: &[(usize, [isize; N])], flat: usize) -> [isize; N] {
    let (mut rest, mut at) = (flat, [0; N]);
    let Some(((_, outermost), inner)) = axes.split_first() else { return at };
    for &(len, strides) in inner.iter().rev() {
        let index = (rest % len) as isize;
        rest /= len;
        at = std::array::from_fn(|i| at[i] + index * strides[i]);
    }
    std::array::from_fn(|i| at[i] + rest as isize * outermost[i])
}

/// Offsets, length and strides of every row, the innermost of `axes`; none without elements.
#[inline(always)]
pub(crate) fn rows<const N: usize>(
    axes: &[(usize, [isize; N])],
    at: [isize; N],
) -> impl Iterator<Item = ([isize; N], usize, [isize; N])> {
    let (inner, outer) = match axes.split_last() {
        Some((inner, outer)) => (*inner, outer),
        None => ((1, [1; N]), axes),
    };
    let count = if inner.0 == 0 { 0 } else { volume(outer) };
    (0..count).map(move |row| {
        let inside = offsets(outer, row);
        (std::array::from_fn(|i| at[i] + inside[i]), inner.0, inner.1)
    })
}

/// The axis that has neighbouring planes of all arrays next to one another in memory.
pub(crate) fn lane_axis<const N: usize>(
    axes: &[usize],
    shape: &[usize],
    strides: [&[isize]; N],
) -> Option<usize> {
    (0..shape.len()).find(|&axis| {
        shape[axis] > 1 && !axes.contains(&axis) && strides.iter().all(|strides| strides[axis] == 1)
    })
}

/// Fewer lanes would leave cache lines half used, and runs of neighbours too short.
const MIN_LANES: usize = 32;

/// Some neighbouring planes of `N` arrays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<const N: usize> {
    /// Offset of the first plane's first element in every array.
    pub(crate) at: [isize; N],
    /// Planes of the block; those of one place are neighbours in memory.
    pub(crate) lanes: usize,
}

/// The planes of `N` arrays, in blocks.
#[derive(Debug)]
pub(crate) struct Planes<const N: usize> {
    /// The free axes but for the lanes.
    free: Axes<N>,
    lanes: usize,
    /// Lanes of a block.
    block: usize,
}

impl<const N: usize> Planes<N> {
    /// `axes` are the pooled ones of `shape`, `bytes` those of a plane and what is kept beside it.
    pub(crate) fn new(
        axes: &[usize],
        shape: &[usize],
        strides: [&[isize]; N],
        bytes: usize,
    ) -> Self {
        /// Half of a usual second-level cache.
        const BLOCK_BYTES: usize = 1 << 20;
        let lane_axis = lane_axis(axes, shape, strides);
        let lanes = lane_axis.map_or(1, |axis| shape[axis]);
        let free = merged(shape, strides, |axis| !axes.contains(&axis) && Some(axis) != lane_axis);
        Self { free, lanes, block: lanes.min((BLOCK_BYTES / bytes.max(1)).max(MIN_LANES)) }
    }

    /// Whether planes of a place are in several blocks.
    pub(crate) fn are_cut(&self) -> bool {
        self.block < self.lanes
    }

    /// In smaller blocks if threads would have none otherwise.
    pub(crate) fn cut_for(mut self, execution: &Execution<'_>, bytes: usize) -> Self {
        let blocks = execution.threads_for(bytes).div_ceil(volume(&self.free).max(1));
        let block = self.lanes.div_ceil(blocks).next_multiple_of(MIN_LANES);
        self.block = self.block.min(block);
        self
    }

    /// Calls `work` for every block, with something that `start` makes for each task. The first
    /// error is returned. `bytes` are those of all arrays.
    pub(crate) fn each<S>(
        &self,
        execution: &Execution<'_>,
        bytes: usize,
        start: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, Block<N>) -> Result<(), PoolError> + Sync,
    ) -> Result<(), PoolError> {
        let cuts = self.lanes.div_ceil(self.block.max(1));
        let blocks = volume(&self.free) * cuts;
        let tasks = execution.tasks(bytes).min(blocks);
        let failed = Mutex::new(None);
        execution.run(tasks, |task| {
            let mut state = start();
            let mut range = task * blocks / tasks..(task + 1) * blocks / tasks;
            let done = range.try_for_each(|block| {
                // Divisions take as long as small planes.
                let [place, cut] =
                    if cuts == 1 { [block, 0] } else { [block / cuts, block % cuts] };
                let lane = cut * self.block;
                let at = offsets(&self.free, place).map(|at| at + lane as isize);
                work(&mut state, Block { at, lanes: self.block.min(self.lanes - lane) })
            });
            if let Err(error) = done {
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}
