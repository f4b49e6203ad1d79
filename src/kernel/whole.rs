//! Gradients of averages of whole planes: every element gets the same.

use super::planes::{Axes, merged, offsets, volume};
use super::streamed::{Run, Streamed, pieces};
use super::tile::in_tiles;
use crate::element::Mean;
use crate::simd::{Work, dispatch};
use crate::sums::Accumulator;
use crate::view::Shared;
use crate::{Execution, Geometry, View, ViewMut};

/// Fills planes of `len` neighbours with an element of `small` each, over `divisor`.
pub(super) fn fill<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    len: usize,
    divisor: i64,
    small: &View<'_, T>,
    mut large: ViewMut<'_, T>,
) where
    f64: Accumulator<T>,
{
    let strides = [small.strides(), large.strides()];
    let planes = merged(small.shape(), strides, |axis| !geometry.is_pooled(axis));
    let count = volume(&planes);
    let bytes = count.saturating_mul((len + 1) * size_of::<T>());
    let tasks = execution.tasks(bytes).min(count);
    let follow = matches!(&planes[..], [(_, [_, step])] if *step == len as isize);
    let (out, level) = (large.shared(), execution.chosen_level());
    let streams = follow && execution.streams(bytes);
    execution.run(tasks, |task| {
        let range = task * count / tasks..(task + 1) * count / tasks;
        let planes = &planes;
        let mut streamed = Streamed::new(level, streams);
        for range in pieces(streams, range, len * size_of::<T>()) {
            let run = Run { at: (range.start * len) as isize, len: range.len() * len };
            let fill = |out| dispatch(level, Fill { planes, range, small, len, divisor, out });
            // SAFETY: planes of this task's own, all of which is written.
            unsafe { streamed.fill(out, Some(run), fill) };
        }
    });
}

struct Fill<'a, 'v, T> {
    planes: &'a Axes<2>,
    range: std::ops::Range<usize>,
    small: &'a View<'v, T>,
    len: usize,
    divisor: i64,
    out: Shared<T>,
}

impl<T: Mean> Work for Fill<'_, '_, T>
where
    f64: Accumulator<T>,
{
    #[inline(always)]
    fn run<const V: usize>(self) {
        let Self { planes, range, small, len, divisor, out } = self;
        let scale = <f64 as Accumulator<T>>::scale(divisor);
        for plane in range {
            let [from, to] = offsets(planes, plane);
            let element = small.data()[small.origin().wrapping_add_signed(from)];
            let sum = <f64 as Accumulator<T>>::load(element);
            let share = <f64 as Accumulator<T>>::finish(sum, scale);
            // SAFETY: a plane of this task's own.
            let plane = unsafe { out.run(to, len) };
            in_tiles!(one, size_of::<T>(), len, len, true, |at, L| {
                for element in &mut plane[at..at + L] {
                    element.write(share);
                }
            });
        }
    }
}
