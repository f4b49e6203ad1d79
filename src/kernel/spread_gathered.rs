//! Spreading small planes: copied so that the planes are the lanes, and back.

use std::mem::MaybeUninit;

use super::lanes;
use super::planes::{merged, offsets, volume};
use super::spread::{self, Plan, Reached};
use super::spread_lanes::{Lines, Source, SpreadLanes};
use super::tile::VECTOR_BYTES;
use crate::element::Mean;
use crate::simd::dispatch;
use crate::sums::Accumulator;
use crate::view::Shared;
use crate::{Execution, Geometry, PoolError, View, ViewMut};

/// Elements of the largest planes, bytes of the longest rows, and how many planes are needed.
const LARGEST: usize = 8192;
const LONG_ROW_BYTES: usize = 96;
const FEW: usize = 16;

/// Whether there are enough planes, small and of neighbours in both arrays.
pub(super) fn is_for<T>(geometry: &Geometry, small: &View<'_, T>, large: &ViewMut<'_, T>) -> bool {
    let in_order = |shape: &[usize], strides: &[isize]| {
        let axes = merged(shape, [strides], |axis| geometry.is_pooled(axis));
        matches!(&axes[..], [] | [(1.., [1])])
    };
    let volume: usize = geometry.pooled().iter().map(|(_, axis)| axis.len()).product();
    let all: usize = large.shape().iter().product();
    let row = geometry.pooled().last().map_or(0, |(_, axis)| axis.len());
    let few = volume <= LARGEST && all >= FEW.saturating_mul(volume);
    let short = row * size_of::<T>() < LONG_ROW_BYTES;
    few && short
        && in_order(small.shape(), small.strides())
        && in_order(large.shape(), large.strides())
}

/// Spreads the planes of `small`.
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
    let bytes = spread::bytes(small, &large)?;
    let strides = [large.strides(), small.strides()];
    let mut free = merged(large.shape(), strides, |axis| !geometry.is_pooled(axis));
    let (all, steps) = free.pop().unwrap_or((1, [0, 0]));
    let len = plan.rows.places.len() * plan.columns.places.len();
    let outputs: usize = geometry.pooled().iter().map(|(_, axis)| axis.outputs()).product();
    let rows: Vec<isize> = (0..outputs).step_by(plan.outputs).map(|row| row as isize).collect();
    let most = VECTOR_BYTES / size_of::<T>();
    // The last block has what is left over beside its own: a few lanes take as long as many.
    let cuts = (all / most).max(1);
    let blocks = volume(&free) * cuts;
    let tasks = execution.tasks(bytes).min(blocks);
    let (out, level) = (large.shared(), execution.chosen_level());
    execution.run(tasks, |task| {
        let lines = &mut Lines::default();
        let gathered = &mut vec![T::default(); outputs * 2 * most][..];
        let results = &mut vec![MaybeUninit::uninit(); len * 2 * most][..];
        for block in task * blocks / tasks..(task + 1) * blocks / tasks {
            let cut = block % cuts;
            let first = cut * most;
            let lanes = if cut + 1 == cuts { all - first } else { most };
            let mut at = offsets(&free, block / cuts);
            for i in 0..at.len() {
                at[i] += first as isize * steps[i];
            }
            let from = small.origin().wrapping_add_signed(at[1]);
            lanes::gather(small.data(), from, [1, steps[1]], [outputs, lanes], gathered);
            lines.fit(plan, lanes);
            let source = Source { data: gathered, from: 0, rows: &rows, step: 1 };
            let scratch = Shared::over(results);
            dispatch(
                level,
                SpreadLanes { plan, source, lanes, apart: lanes, to: 0, out: scratch, lines },
            );
            // SAFETY: planes of this task's own, all of whose elements are in scratch.
            unsafe { lanes::scatter(results, out, at[0], [1, steps[0]], [len, lanes]) };
        }
    });
    Ok(())
}
