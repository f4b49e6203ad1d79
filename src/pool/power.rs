//! Power-average pooling, PyTorch's `lp_pool`.

use super::check_shapes;
use crate::element::Mean;
use crate::kernel::fold;
use crate::reduce::{Divisor, Power, Reduce, Square};
use crate::sums::Accumulator;
use crate::{Execution, Geometry, PoolError, View, ViewMut};

/// `(sum of x^p over the window / its elements * kernel_volume)^(1/p)`: the p-norm, where the
/// window is whole. No absolute value is taken, so that odd or broken powers of negative elements
/// can give NaN.
///
/// `kernel_volume` is the number of taps of a whole window. Computed in f64 and rounded once.
///
/// # Errors
/// An array that does not have the geometry's shape; a `norm_type` that is 0 or not finite.
pub fn power_average_into<T: Mean>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    norm_type: f64,
    kernel_volume: f64,
    input: &View<'_, T>,
    output: ViewMut<'_, T>,
) -> Result<(), PoolError>
where
    f64: Accumulator<T>,
{
    check_shapes(geometry, input, &output)?;
    if norm_type == 0.0 || norm_type.is_infinite() {
        return Err(PoolError::NormType { norm_type: norm_type.to_string() });
    }
    let geometry = &geometry.simplified();
    if norm_type == 2.0 {
        reduced_by(execution, geometry, Square { kernel_volume }, input, output);
    } else {
        reduced_by(execution, geometry, Power { norm_type, kernel_volume }, input, output);
    }
    Ok(())
}

fn reduced_by<T: Mean, R: Reduce<T>>(
    execution: &Execution<'_>,
    geometry: &Geometry,
    reduce: R,
    input: &View<'_, T>,
    output: ViewMut<'_, T>,
) {
    fold::pool(execution, reduce, geometry, Divisor::PaddedWindow, input, output);
}
