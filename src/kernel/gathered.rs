//! Blocks of small planes, copied so that the planes are the lanes.

use super::Target;
use super::lanes;
use super::plan::{Plan, Pooled};

impl Plan<'_> {
    /// The pooled axes, columns last.
    pub(crate) fn pooled(&self) -> impl DoubleEndedIterator<Item = &Pooled<'_>> {
        self.rows.iter().chain([&self.columns])
    }

    /// Copies the planes of a block, the first of which is at `at`, into scratch, lanes innermost.
    pub(crate) fn gather<T: Copy + Default>(
        &self,
        src: &[T],
        at: usize,
        lanes: usize,
        planes: &mut Vec<T>,
    ) {
        let volume: usize = self.pooled().map(|axis| axis.axis.len()).product();
        planes.resize(volume * lanes, T::default());
        let shape = || self.pooled().map(|axis| (axis.axis.len(), axis.input));
        let run = contiguous_run(shape());
        for (i, planes) in planes.chunks_exact_mut(run.len.max(1) * lanes).enumerate() {
            let at = at.wrapping_add_signed(offset(i * run.len, shape()));
            let strides = [run.stride, self.lanes.input];
            lanes::gather(src, at, strides, [run.len, lanes], planes);
        }
    }

    /// Copies the results of a block from scratch to the output.
    ///
    /// # Safety
    /// The block's planes are the caller's own, and all `outputs` of each are in `results`.
    pub(crate) unsafe fn scatter<O: Target>(
        &self,
        results: &O::Store,
        out: O,
        at: isize,
        lanes: usize,
        outputs: usize,
    ) {
        let shape = || self.pooled().map(|axis| (axis.axis.outputs(), axis.output));
        let run = contiguous_run(shape());
        let strides = [run.stride, self.lanes.output];
        for first in (0..outputs).step_by(run.len) {
            let at = at + offset(first, shape());
            // SAFETY: the caller's promise.
            unsafe { out.scatter(results, first * lanes, at, strides, [run.len, lanes]) };
        }
    }
}

/// The innermost axes of `(len, stride)` that step like one.
struct ContiguousRun {
    len: usize,
    stride: isize,
}

fn contiguous_run(axes: impl DoubleEndedIterator<Item = (usize, isize)>) -> ContiguousRun {
    let mut run = ContiguousRun { len: 1, stride: 0 };
    for (len, stride) in axes.rev() {
        if run.len == 1 {
            run = ContiguousRun { len, stride };
        } else if len != 1 {
            if stride != run.stride * run.len as isize {
                break;
            }
            run.len *= len;
        }
    }
    run
}

/// Offset of the element at a flat position of the axes `(len, stride)`.
fn offset(position: usize, axes: impl DoubleEndedIterator<Item = (usize, isize)>) -> isize {
    let mut rest = position;
    axes.rev().fold(0, |at, (len, stride)| {
        let index = (rest % len) as isize;
        rest /= len;
        at + index * stride
    })
}
