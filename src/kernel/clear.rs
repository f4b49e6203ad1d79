//! Memory made zero before elements are put there.

use std::cmp::Reverse;
use std::mem::MaybeUninit;

use super::planes::{Axes, offsets, volume};
use crate::geometry::Dims;
use crate::{Execution, ViewMut};

/// Bytes of the smallest pages that memory is mapped in.
const PAGE_BYTES: usize = 4096;

/// Elements of a contiguous array that a task clears at once.
const PIECE: usize = 16 << 10;

/// Clears neighbours.
#[inline(always)]
pub(super) fn clear<T: Copy + Default>(elements: &mut [MaybeUninit<T>]) {
    elements.fill(MaybeUninit::new(T::default()));
}

/// Writes to the pages of neighbours that are zeros already: a page that is read before it is written is
/// mapped twice.
pub(super) fn touch<T: Copy + Default>(elements: &mut [MaybeUninit<T>]) {
    let zero = MaybeUninit::new(T::default());
    elements.iter_mut().step_by(PAGE_BYTES / size_of::<T>()).for_each(|e| *e = zero);
}

/// Clears an array, in the order in which its elements lie in memory.
pub(super) fn clear_all<T: Copy + Default + Send + Sync>(
    execution: &Execution<'_>,
    target: &mut ViewMut<'_, T>,
) {
    let axes = target.shape().iter().zip(target.strides());
    let mut ordered: Dims<_> = axes.filter(|&(&len, _)| len != 1).collect();
    ordered.sort_by_key(|&(_, stride)| Reverse(stride.unsigned_abs()));
    let mut axes = Axes::<1>::new();
    for (&len, &stride) in ordered {
        match axes.last_mut() {
            Some((outer, [step])) if *step == stride * len as isize => {
                (*outer, *step) = (*outer * len, stride);
            }
            _ => axes.push((len, [stride])),
        }
    }
    let (len, [step]) = axes.pop().unwrap_or((1, [1]));
    let piece = if step == 1 { PIECE } else { 1 };
    let pieces = len.div_ceil(piece);
    let count = volume(&axes) * pieces;
    let tasks = execution.tasks(volume(&axes) * len * size_of::<T>()).min(count);
    let out = target.shared();
    execution.run(tasks, |task| {
        for run in task * count / tasks..(task + 1) * count / tasks {
            let first = run % pieces * piece;
            let at = offsets(&axes, run / pieces)[0] + first as isize * step;
            // SAFETY: elements of the target, each in one run.
            clear(unsafe { out.run(at, piece.min(len - first)) });
        }
    });
}
