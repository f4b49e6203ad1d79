//! Maximum pooling: values, and values with the positions they come from.

use std::marker::PhantomData;

use super::{Tensor, check_planes, check_shape, check_shapes};
use crate::element::{Element, Mean, Ordered, Position};
use crate::kernel::argmax::ArgMax;
use crate::kernel::argwalk;
use crate::kernel::scatter::{Meet, scatter};
use crate::kernel::{fold, pool};
use crate::reduce::{Divisor, Maximum};
use crate::sums::Accumulator;
use crate::view::Shared;
use crate::{Execution, Geometry, PoolError, View, ViewMut};

/// The largest element of every window; NaN if the window has one.
///
/// A window without elements gives minus infinity, or the smallest integer.
///
/// ```
/// use poolnd::{Geometry, View, Window, max};
///
/// let x: Vec<f32> = (0..16).map(|i| i as f32).collect();
/// let windows = [(0, Window::sliding(2).into()), (1, Window::sliding(2).into())];
/// let y = max(&View::new(&x, &[4, 4])?, &Geometry::new(&[4, 4], &windows)?)?;
/// assert_eq!((y.shape(), y.data()), (&[2, 2][..], &[5.0, 7.0, 13.0, 15.0][..]));
/// # Ok::<(), poolnd::PoolError>(())
/// ```
///
/// # Errors
/// When the input does not have the geometry's shape, or the result cannot be allocated.
pub fn max<T: Element>(input: &View<'_, T>, geometry: &Geometry) -> Result<Tensor<T>, PoolError> {
    let fill = |out: ViewMut<'_, T>| max_into(&Execution::default(), geometry, input, out);
    // SAFETY: max_into writes every element.
    unsafe { Tensor::written(geometry.output_shape(), fill) }
}

/// [`max`] into memory of the caller's, which may be uninitialised and have any strides.
///
/// # Errors
/// When an array does not have the geometry's shape.
pub fn max_into<T: Element>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    input: &View<'_, T>,
    output: ViewMut<'_, T>,
) -> Result<(), PoolError> {
    check_shapes(geometry, input, &output)?;
    let geometry = &geometry.simplified();
    fold::pool(execution, Maximum, geometry, Divisor::Fixed(1), input, output);
    Ok(())
}

/// [`max`] and, for every output, the flat position of its element among the pooled axes.
///
/// Of equal maxima the first in row-major order is named, of several NaN the last; a window
/// without elements gets the position after its padding, or -1 where the plane ends before it.
///
/// # Errors
/// As [`max`].
pub fn max_with_indices<T: Element>(
    input: &View<'_, T>,
    geometry: &Geometry,
) -> Result<(Tensor<T>, Tensor<i64>), PoolError> {
    let shape = geometry.output_shape();
    let mut indices = None;
    let fill = |values: ViewMut<'_, T>| {
        let fill = |positions: ViewMut<'_, i64>| {
            max_with_indices_into(&Execution::default(), geometry, input, values, positions)
        };
        // SAFETY: max_with_indices_into writes every element of both outputs.
        indices = Some(unsafe { Tensor::written(shape, fill) }?);
        Ok(())
    };
    // SAFETY: as above.
    let values = unsafe { Tensor::written(shape, fill) }?;
    let too_large = || PoolError::TooLarge { shape: shape.to_vec() };
    Ok((values, indices.ok_or_else(too_large)?))
}

/// [`max_with_indices`] into memory of the caller's; both outputs have the same strides.
///
/// # Errors
/// When an array does not have the geometry's shape, or the outputs differ in strides.
pub fn max_with_indices_into<T: Element>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    input: &View<'_, T>,
    mut values: ViewMut<'_, T>,
    mut indices: ViewMut<'_, i64>,
) -> Result<(), PoolError> {
    check_shapes(geometry, input, &values)?;
    check_shape("indices", indices.shape(), geometry.output_shape())?;
    if values.strides() != indices.strides() {
        let (shape, strides) = (indices.shape().to_vec(), indices.strides().to_vec());
        return Err(PoolError::Overlap { shape, strides });
    }
    let out = (values.shared(), indices.shared());
    let output = values.strides();
    if <T::Position as Position>::fits(reach(geometry)) {
        if argwalk::pool::<T, T::Position>(execution, geometry, input, &values, out) {
            return Ok(());
        }
        with_positions::<T, T::Position>(execution, geometry, input, out, output);
    } else {
        with_positions::<T, u64>(execution, geometry, input, out, output);
    }
    Ok(())
}

/// The gradient of a maximum: every output's gradient is added where its maximum was.
///
/// `axes` are the pooled axes and `indices` what [`max_with_indices`] gave; -1 is skipped.
/// Gradients that meet are summed in output order: halves in a wider type, rounded once.
///
/// # Errors
/// Shapes that do not match, or a position outside the plane.
pub fn max_backward_into<T: Mean>(
    execution: &Execution<'_>,
    axes: &[usize],
    grad_output: &View<'_, T>,
    indices: &View<'_, i64>,
    grad_input: ViewMut<'_, T>,
) -> Result<(), PoolError> {
    check_shape("indices", indices.shape(), grad_output.shape())?;
    check_planes(axes, grad_output.shape(), grad_input.shape())?;
    let sum = Added(PhantomData::<T::Met>);
    scatter(execution, axes, grad_output, indices, grad_input, true, sum)
}

/// Gradients that meet are summed in `A`.
#[derive(Debug, Clone, Copy)]
struct Added<A>(PhantomData<A>);

impl<T: Element, A: Accumulator<T>> Meet<T> for Added<A> {
    type Sum = A;
    const NONE: A = A::ZERO;
    const ROUNDS: bool = size_of::<T>() < 4;

    #[inline(always)]
    fn join(self, sum: A, element: T) -> A {
        sum.plus(A::load(element))
    }

    #[inline(always)]
    fn finish(self, sum: A) -> T {
        sum.finish(A::scale(1))
    }

    /// Halves would be rounded once for each gradient.
    #[inline(always)]
    fn onto(self, there: T, element: T) -> Option<T> {
        let exact = !Self::ROUNDS || there == T::default();
        // What is neither a zero nor NaN stays as it is.
        if Self::ROUNDS && exact && (element != T::default()) & !element.to_ordered().is_nan() {
            return Some(element);
        }
        exact.then(|| self.finish(self.join(A::load(there), element)))
    }

    #[inline(always)]
    fn joined(self, earlier: A, later: A) -> A {
        earlier.plus(later)
    }

    #[inline(always)]
    unsafe fn load_tile<const L: usize>(self, elements: [T; L]) -> [A; L] {
        // SAFETY: the caller's promise.
        let mut sums: [A; L] = unsafe { A::load_tile(elements) };
        for l in 0..L {
            sums[l] = A::ZERO.plus(sums[l]);
        }
        sums
    }

    #[inline(always)]
    unsafe fn finish_tile<const L: usize>(self, sums: [A; L]) -> [T; L] {
        // SAFETY: the caller's promise.
        unsafe { A::finish_tile(sums, [A::scale(1); L]) }
    }
}

fn with_positions<T: Element, P: Position>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    input: &View<'_, T>,
    out: (Shared<T>, Shared<i64>),
    output: &[isize],
) {
    let kernel = ArgMax::<P> { positions: PhantomData, level: execution.chosen_level() };
    pool(execution, kernel, geometry, Divisor::Fixed(1), input, out, output);
}

/// The largest distance in the plane from a window's first element to its last.
fn reach(geometry: &Geometry) -> usize {
    let (mut plane, mut reach) = (1usize, 0usize);
    for (_, axis) in geometry.pooled().iter().rev() {
        reach = reach.saturating_add(axis.max_reach().saturating_mul(plane));
        plane = plane.saturating_mul(axis.len());
    }
    reach
}
