//! A few windows of a few elements: done before anything could be planned.

use smallvec::SmallVec;

use crate::geometry::Dims;
use crate::reduce::{Divisor, Reduce};
use crate::view::Shared;
use crate::window::{Axis, Rule, Taps};
use crate::{Geometry, View};

/// Elements of all windows together that take less time than a plan.
const MOST_TAPS: usize = 128;

/// Whether a problem is that small, and its windows so short that all kernels reduce them tap by
/// tap: then the order of summation is the same here.
pub(crate) fn suits(geometry: &Geometry) -> bool {
    let short = |axis: &Axis| match axis.rule {
        Rule::Sliding { kernel, .. } => kernel <= super::flat::LONGEST_WINDOW,
        _ => axis.max_count() <= super::flat::LONGEST_WINDOW,
    };
    let mut taps = geometry.output_shape().iter().copied().fold(1, usize::saturating_mul);
    for (_, axis) in geometry.pooled() {
        taps = taps.saturating_mul(axis.max_count());
    }
    taps <= MOST_TAPS && geometry.pooled().iter().all(|(_, axis)| short(axis))
}

/// Pools `input` into `out`, whose elements have the strides `output`: each window's rows are folded
/// column by column, and the columns then.
pub(crate) fn pool<T: Copy, R: Reduce<T>>(
    reduce: R,
    geometry: &Geometry,
    divisor: Divisor,
    input: &View<'_, T>,
    out: Shared<T>,
    output: &[isize],
) {
    let (data, shape) = (input.data(), geometry.output_shape());
    let mut index: Dims<usize> = Dims::from_elem(0, shape.len());
    let outputs: usize = shape.iter().product();
    for _ in 0..outputs {
        let (mut at, mut to) = (input.origin(), 0);
        let mut counted = 1i64;
        let mut window: SmallVec<[(Taps, isize); 3]> = SmallVec::new();
        let mut pooled = geometry.pooled().iter().peekable();
        for (i, &o) in index.iter().enumerate() {
            let stride = input.strides()[i];
            to += o as isize * output[i];
            let first = match pooled.next_if(|(axis, _)| *axis == i) {
                Some((_, axis)) => {
                    let taps = axis.taps(o);
                    counted = counted.saturating_mul(axis.counted(o, divisor));
                    window.push((taps, (taps.step as isize).wrapping_mul(stride)));
                    taps.first
                }
                None => o,
            };
            at = at.wrapping_add_signed((first as isize).wrapping_mul(stride));
        }
        let scale = reduce.scale(divisor.of(counted));
        let result = reduce.finish(fold_window(reduce, data, at, &window), scale);
        // SAFETY: this is the only task, and every index is met once.
        let dst = unsafe { out.run(to, 1) };
        dst[0].write(result);
        for (o, &n) in index.iter_mut().zip(shape).rev() {
            *o += 1;
            if *o < n {
                break;
            }
            *o = 0;
        }
    }
}

/// The taps of the last axis, or a single one, and those of the others.
fn split_last(window: &[(Taps, isize)]) -> ((Taps, isize), &[(Taps, isize)]) {
    match window.split_last() {
        Some((&last, others)) => (last, others),
        None => ((Taps { first: 0, count: 1, step: 1 }, 0), window),
    }
}

/// Reduces the window whose first element is at `at`; taps and steps are per axis, columns last.
fn fold_window<T: Copy, R: Reduce<T>>(
    reduce: R,
    data: &[T],
    at: usize,
    window: &[(Taps, isize)],
) -> R::Partial {
    let mut total = reduce.identity();
    let (columns, rows) = split_last(window);
    let (inner, outer) = split_last(rows);
    let count: usize = outer.iter().map(|(taps, _)| taps.count).product();
    for column in 0..columns.0.count {
        let at = at.wrapping_add_signed(column as isize * columns.1);
        let mut acc = reduce.identity();
        for row in 0..count {
            let (mut at, mut rest) = (at, row);
            for (taps, step) in outer.iter().rev() {
                at = at.wrapping_add_signed((rest % taps.count) as isize * step);
                rest /= taps.count;
            }
            for _ in 0..inner.0.count {
                acc = reduce.combine(acc, reduce.load(data[at]));
                at = at.wrapping_add_signed(inner.1);
            }
        }
        total = reduce.combine(total, acc);
    }
    total
}
