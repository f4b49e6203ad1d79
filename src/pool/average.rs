//! Average pooling.

use super::{Tensor, check_shapes};
use crate::element::{Accumulator, Mean};
use crate::kernel::fold::Fold;
use crate::kernel::pool;
use crate::reduce::Average;
pub use crate::reduce::Divisor;
use crate::{Execution, Geometry, PoolError, View, ViewMut};

/// The sum of every window's elements over `divisor`.
///
/// Floats are summed in a wider type and rounded once; integers are summed exactly (64-bit sums
/// wrap around) and the quotient is truncated toward zero. Without elements: NaN, or 0.
///
/// ```
/// use poolnd::{Divisor, Geometry, View, Window, average};
///
/// let x = [1.0f32, 2.0, 3.0, 4.0, 5.0];
/// let windows = [(0, Window::sliding(2).ceil_mode(true).into())];
/// let geometry = Geometry::new(&[5], &windows)?;
/// let y = average(&View::new(&x, &[5])?, &geometry, Divisor::Window)?;
/// assert_eq!(y.data(), [1.5, 3.5, 5.0]);
/// # Ok::<(), poolnd::PoolError>(())
/// ```
///
/// # Errors
/// When the input does not have the geometry's shape, the divisor is zero, or the result cannot
/// be allocated.
pub fn average<T: Mean>(
    input: &View<'_, T>,
    geometry: &Geometry,
    divisor: Divisor,
) -> Result<Tensor<T>, PoolError> {
    let fill =
        |out: ViewMut<'_, T>| average_into(&Execution::default(), geometry, divisor, input, out);
    // SAFETY: average_into writes every element.
    unsafe { Tensor::written(geometry.output_shape(), fill) }
}

/// [`average`] into memory of the caller's, which may be uninitialised and have any strides.
///
/// # Errors
/// When an array does not have the geometry's shape, or the divisor is zero.
pub fn average_into<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    divisor: Divisor,
    input: &View<'_, T>,
    output: ViewMut<'_, T>,
) -> Result<(), PoolError> {
    check_shapes(geometry, input, &output)?;
    if divisor == Divisor::Fixed(0) {
        return Err(PoolError::ZeroDivisor);
    }
    let taps = geometry.max_window();
    if taps <= T::NARROW_TAPS {
        summed_in::<T, T::Narrow>(execution, geometry, divisor, input, output);
    } else if taps <= T::MIDDLE_TAPS {
        summed_in::<T, T::Middle>(execution, geometry, divisor, input, output);
    } else {
        summed_in::<T, T::Wide>(execution, geometry, divisor, input, output);
    }
    Ok(())
}

fn summed_in<T: Mean, A: Accumulator<T>>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    divisor: Divisor,
    input: &View<'_, T>,
    mut output: ViewMut<'_, T>,
) {
    let shared = output.shared();
    let kernel = Fold { reduce: Average::<A>::NEW, level: execution.chosen_level() };
    pool(execution, kernel, geometry, divisor, input, shared, output.strides());
}
