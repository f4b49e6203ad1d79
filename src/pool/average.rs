//! Average pooling.

use super::{Tensor, check_shape, check_shapes};
use crate::element::Mean;
use crate::kernel::spread::{self, Divisors};
use crate::kernel::way;
use crate::kernel::{fold, running};
use crate::reduce::Average;
pub use crate::reduce::Divisor;
use crate::sums::Accumulator;
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
    mut output: ViewMut<'_, T>,
) -> Result<(), PoolError> {
    check_shapes(geometry, input, &output)?;
    if divisor == Divisor::Fixed(0) {
        return Err(PoolError::ZeroDivisor);
    }
    let geometry = &geometry.simplified();
    if !running::pool(execution, geometry, divisor, input, &mut output) {
        summed(execution, geometry, divisor, input, output);
    }
    Ok(())
}

/// The gradient of [`average`]: every output's gradient over its divisor, added to all elements of
/// its window.
///
/// That is a sum over windows again: those of the outputs that read an element. Sums are kept in a
/// wider type and rounded once.
///
/// # Errors
/// When an array does not have the geometry's shape, or the divisor is zero.
pub fn average_backward_into<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    divisor: Divisor,
    grad_output: &View<'_, T>,
    grad_input: ViewMut<'_, T>,
) -> Result<(), PoolError>
where
    f64: Accumulator<T>,
{
    check_shape("input", grad_output.shape(), geometry.output_shape())?;
    check_shape("output", grad_input.shape(), geometry.input_shape())?;
    if divisor == Divisor::Fixed(0) {
        return Err(PoolError::ZeroDivisor);
    }
    let divisors = match common_divisor(geometry, divisor) {
        Some(divisor) if !way::is_spread(geometry, grad_output, &grad_input) => {
            let (transposed, divisor) = (geometry.transposed(), Divisor::Fixed(divisor));
            // Elsewhere other strides are spread, in f64.
            if way::are_side_by_side(geometry) {
                summed(execution, &transposed, divisor, grad_output, grad_input);
            } else {
                summed_in::<T, f64>(execution, &transposed, divisor, grad_output, grad_input);
            }
            return Ok(());
        }
        Some(divisor) => Divisors::Same(divisor),
        None => {
            let counts = geometry.pooled().iter().map(|(_, axis)| axis.counts(divisor));
            Divisors::Along(counts.collect())
        }
    };
    spread::spread(execution, geometry, &divisors, grad_output, grad_input)
}

/// The divisor of all outputs, if they have the same one.
fn common_divisor(geometry: &Geometry, divisor: Divisor) -> Option<i64> {
    if let Divisor::Fixed(divisor) = divisor {
        return Some(divisor);
    }
    geometry.pooled().iter().try_fold(1i64, |product, (_, axis)| {
        let counts = axis.counts(divisor);
        let first = counts.first().copied().unwrap_or(1).max(1);
        counts.iter().all(|&count| count == first).then(|| product.saturating_mul(first))
    })
}

/// Sums in the type that is for as many elements.
fn summed<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    divisor: Divisor,
    input: &View<'_, T>,
    output: ViewMut<'_, T>,
) {
    let taps = geometry.max_window();
    // Sums that are not for every level are narrow ones.
    let narrow = T::Narrow::FOR_ALL || execution.chosen_level().is_for_all();
    if narrow && taps <= T::NARROW_TAPS {
        summed_in::<T, T::Narrow>(execution, geometry, divisor, input, output);
    } else if taps <= T::MIDDLE_TAPS {
        summed_in::<T, T::Middle>(execution, geometry, divisor, input, output);
    } else {
        summed_in::<T, T::Wide>(execution, geometry, divisor, input, output);
    }
}

fn summed_in<T: Mean, A: Accumulator<T>>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    divisor: Divisor,
    input: &View<'_, T>,
    output: ViewMut<'_, T>,
) {
    fold::pool(execution, Average::<A>::NEW, geometry, divisor, input, output);
}
