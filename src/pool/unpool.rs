//! Max unpooling: elements put back where a maximum came from.

use super::{check_planes, check_shape};
use crate::element::Element;
use crate::kernel::scatter::{Meet, gather, scatter};
use crate::{Execution, PoolError, View, ViewMut};

/// Writes every element at its position (flat among `axes`) of the output, zero elsewhere. Where
/// positions repeat, the last element in C order stays.
///
/// # Errors
/// Shapes that do not match, or a position outside the plane.
pub fn unpool_into<T: Element>(
    execution: &Execution<'_>,
    axes: &[usize],
    input: &View<'_, T>,
    indices: &View<'_, i64>,
    output: ViewMut<'_, T>,
) -> Result<(), PoolError> {
    check_shape("indices", indices.shape(), input.shape())?;
    check_planes(axes, input.shape(), output.shape())?;
    scatter(execution, axes, input, indices, output, false, Last)
}

/// Of elements that meet, the last one stays.
#[derive(Debug, Clone, Copy)]
struct Last;

impl<T: Element> Meet<T> for Last {
    type Sum = Option<T>;
    const NONE: Option<T> = None;
    const ROUNDS: bool = false;

    #[inline(always)]
    fn join(self, _earlier: Option<T>, element: T) -> Option<T> {
        Some(element)
    }

    #[inline(always)]
    fn finish(self, last: Option<T>) -> T {
        last.unwrap_or_default()
    }

    #[inline(always)]
    fn onto(self, _there: T, element: T) -> Option<T> {
        Some(element)
    }

    #[inline(always)]
    fn joined(self, _earlier: Option<T>, later: Option<T>) -> Option<T> {
        later
    }

    #[inline(always)]
    unsafe fn load_tile<const L: usize>(self, elements: [T; L]) -> [Option<T>; L] {
        let mut loaded = [None; L];
        for l in 0..L {
            loaded[l] = Some(elements[l]);
        }
        loaded
    }

    #[inline(always)]
    unsafe fn finish_tile<const L: usize>(self, sums: [Option<T>; L]) -> [T; L] {
        let mut finished = [T::default(); L];
        for l in 0..L {
            finished[l] = self.finish(sums[l]);
        }
        finished
    }
}

/// The gradient of [`unpool_into`] as PyTorch defines it: every element takes the gradient at its
/// position, also one that another element has overwritten.
///
/// # Errors
/// As [`unpool_into`].
pub fn unpool_backward_into<T: Element>(
    execution: &Execution<'_>,
    axes: &[usize],
    grad_output: &View<'_, T>,
    indices: &View<'_, i64>,
    grad_input: ViewMut<'_, T>,
) -> Result<(), PoolError> {
    check_shape("indices", indices.shape(), grad_input.shape())?;
    check_planes(axes, grad_input.shape(), grad_output.shape())?;
    gather(execution, axes, grad_output, indices, grad_input)
}
