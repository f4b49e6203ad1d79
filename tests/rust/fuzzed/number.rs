//! The dtypes under test as tables of functions, and floats between bounds.

use half::{bf16, f16};

use crate::dtype::Number;

/// `for_dtype!(check [bool], case)` calls `check::<T>(&case)` with the case's dtype as `T`: one
/// integer of every width and all floats, and those named besides. The property tests have all
/// integers; in `fuzz/`, where every operator is compiled once more, that would take minutes.
macro_rules! for_dtype {
    ($check:ident [$($more:ident)*], $case:ident) => {{
        use half::{bf16, f16};
        let table = [
            $($check::<$more>,)* $check::<u8>, $check::<i16>, $check::<u32>, $check::<i64>,
            $check::<f16>, $check::<bf16>, $check::<f32>, $check::<f64>,
        ];
        table[$case.dtype % table.len()](&$case)
    }};
}

pub(crate) use for_dtype;

/// A float whose results are compared with bounds in f64.
pub trait Float: Number + Into<f64> {
    /// Relative error of one addition in the type that gradients of this one are summed in.
    const SUM_ERROR: f64;
    fn rounded(value: f64) -> Self;
}

macro_rules! floats {
    ($($float:ident $error:literal $rounded:expr;)*) => {
        $(impl Float for $float {
            const SUM_ERROR: f64 = $error;

            fn rounded(value: f64) -> Self {
                $rounded(value)
            }
        })*

        /// The functions `check::<T>` of the floats.
        macro_rules! for_float {
            ($check:ident, $case:ident) => {{
                use half::{bf16, f16};
                let table = [$($check::<$float>),*];
                table[$case.dtype % table.len()](&$case)
            }};
        }
    };
}

floats! {
    f16 6e-8 |value| f16::from_f32(to_odd(value));
    bf16 6e-8 |value| bf16::from_f32(to_odd(value));
    f32 5.97e-8 |value| value as f32;
    f64 2e-16 |value| value;
}

pub(crate) use for_float;

/// A float of 24 bits that rounds to halves as `value` does: `half` looks at the upper bits of an f64
/// alone.
fn to_odd(value: f64) -> f32 {
    let near = value as f32;
    if near.is_nan() || f64::from(near) == value {
        return near;
    }
    let beyond = f64::from(near).abs() > value.abs();
    f32::from_bits((near.to_bits() - u32::from(beyond)) | 1)
}

/// Whether `value` is some number from `low` to `high`, rounded once; NaN if they are.
pub fn is_between<T: Float>(value: T, low: f64, high: f64) -> bool {
    if low.is_nan() || high.is_nan() {
        return value.is_nan();
    }
    let value: f64 = value.into();
    T::rounded(low).into() <= value && value <= T::rounded(high).into()
}
