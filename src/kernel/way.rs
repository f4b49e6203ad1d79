//! Which way gradients of averages are summed: spread plane by plane, or swept as windows of what
//! reads an element.

use super::line::LONG;
use super::planes::lane_axis;
use crate::geometry::Dims;
use crate::window::{Axis, Rule};
use crate::{Geometry, View, ViewMut};

/// Elements of a plane up to which planes are swept together, more where spreading rounds sums one by
/// one, and how many planes are needed.
const SMALL: usize = 400;
const SMALL_ROUNDED: usize = 4096;
const LANES: usize = 16;

/// Lanes that are worth a kernel of their own, and where most elements are reached by one window, so that
/// they are copied more than they are summed.
const FEW_LANES: [usize; 2] = [8, 3];

/// Whether [`spread`](super::spread::spread) is the fast way, or the only one: the columns are
/// neighbours, windows are more than one element apart, planes are not many and small, and no column
/// is reached by so many windows that a sweep sums them in parts; or windows are listed, and so need
/// not reach an element at equal distances.
pub(crate) fn is_spread<T, U>(
    geometry: &Geometry,
    small: &View<'_, T>,
    large: &ViewMut<'_, U>,
) -> bool {
    if geometry.pooled().iter().any(|(_, axis)| matches!(axis.rule, Rule::Listed(_))) {
        return true;
    }
    let Some((at, axis)) = long_axes(geometry).last() else { return true };
    if are_side_by_side(geometry) {
        return false;
    }
    if are_lanes(geometry, small, large) {
        return true;
    }
    if are_small_planes::<T>(geometry) {
        return false;
    }
    let neighbours = |len: usize, stride: isize| len <= 1 || stride == 1;
    neighbours(axis.outputs(), small.strides()[*at])
        && neighbours(axis.len(), large.strides()[*at])
        && match axis.rule {
            Rule::Sliding { kernel, stride, .. } => kernel.div_ceil(stride) < LONG,
            Rule::Adaptive => axis.outputs().div_ceil(axis.len().max(1)) + 1 < LONG,
            Rule::Listed(_) => true,
        }
}

/// Whether so many neighbouring planes are neighbours in memory that they are spread together.
pub(super) fn are_lanes<T, U>(
    geometry: &Geometry,
    small: &View<'_, T>,
    large: &ViewMut<'_, U>,
) -> bool {
    let axes: Dims<usize> = geometry.pooled().iter().map(|(axis, _)| *axis).collect();
    let axis = lane_axis(&axes, small.shape(), [small.strides(), large.strides()]);
    let overlap = long_axes(geometry).any(|(_, axis)| do_overlap(axis));
    axis.is_some_and(|axis| small.shape()[axis] >= FEW_LANES[usize::from(!overlap)])
}

/// Whether windows begin before the one before them ends, all along an axis.
fn do_overlap(axis: &Axis) -> bool {
    match axis.rule {
        Rule::Sliding { kernel, stride, .. } => kernel > stride && axis.outputs() > 1,
        Rule::Adaptive => 2 * axis.outputs() > axis.len(),
        Rule::Listed(_) => true,
    }
}

/// Whether windows begin at every element of every axis: then a sweep is the fast way, whatever the
/// strides.
pub(crate) fn are_side_by_side(geometry: &Geometry) -> bool {
    let side_by_side = |axis: &Axis| matches!(axis.rule, Rule::Sliding { stride: 1, .. });
    long_axes(geometry).all(|(_, axis)| side_by_side(axis) && axis.outputs() > 1)
}

/// Whether there are many small planes of windows that overlap: a sweep takes them as lanes.
fn are_small_planes<T>(geometry: &Geometry) -> bool {
    let overlap = |axis: &Axis| matches!(axis.rule, Rule::Sliding { .. }) && do_overlap(axis);
    let volume: usize = geometry.pooled().iter().map(|(_, axis)| axis.len()).product();
    let all: usize = geometry.input_shape().iter().product();
    let most = if const { size_of::<T>() < 4 } { SMALL_ROUNDED } else { SMALL };
    long_axes(geometry).all(|(_, axis)| overlap(axis)) && volume <= most && all >= LANES * volume
}

/// The pooled axes that are more than one element that is its own window.
pub(super) fn long_axes(geometry: &Geometry) -> impl DoubleEndedIterator<Item = &(usize, Axis)> {
    let single = |axis: &Axis| (axis.len(), axis.outputs(), axis.max_count()) == (1, 1, 1);
    geometry.pooled().iter().filter(move |(_, axis)| !single(axis) || axis.taps(0).count != 1)
}
