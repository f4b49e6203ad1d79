//! The binding's one list of dtypes, and the match that makes them types.

use half::{bf16, f16};
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use poolnd::Truth;
use pyo3::prelude::*;
use pyo3::types::PyStringMethods;

use crate::run::{self, Call, ElementJob, FloatJob, NumberJob};

/// Defines [`Dtype`] and the functions that turn it into a type from one list: a name and a Rust
/// type per dtype, by what can be done with it.
macro_rules! dtypes {
    (
        truth { $($truth:ident: $truth_type:ty;)* }
        integers { $($integer:ident: $integer_type:ty;)* }
        floats { $($float:ident: $float_type:ty;)* }
    ) => {
        /// A dtype that poolnd pools.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Dtype {
            $($truth,)*
            $($integer,)*
            $($float,)*
        }

        impl Dtype {
            /// Bytes of an element, a power of two.
            pub(crate) fn size(self) -> usize {
                match self {
                    $(Self::$truth => size_of::<$truth_type>(),)*
                    $(Self::$integer => size_of::<$integer_type>(),)*
                    $(Self::$float => size_of::<$float_type>(),)*
                }
            }
        }

        /// Runs a job that any dtype can do.
        pub(crate) fn run_element(call: Call<'_, '_>, job: ElementJob<'_, '_>) -> PyResult<()> {
            match call.input.dtype {
                $(Dtype::$truth => run::element::<$truth_type>(call, job),)*
                $(Dtype::$integer => run::element::<$integer_type>(call, job),)*
                $(Dtype::$float => run::element::<$float_type>(call, job),)*
            }
        }

        /// Runs a job that needs averages.
        pub(crate) fn run_number(call: Call<'_, '_>, job: NumberJob<'_>) -> PyResult<()> {
            match call.input.dtype {
                $(Dtype::$integer => run::number::<$integer_type>(call, job),)*
                $(Dtype::$float => run::number::<$float_type>(call, job),)*
                Dtype::Bool => Err(call.op.unsupported(
                    "bool",
                    "convert to a float for the share of true elements, or take a maximum for \
                     whether any is true",
                )),
            }
        }

        /// Runs a job that needs fractions.
        pub(crate) fn run_float(call: Call<'_, '_>, job: FloatJob<'_, '_>) -> PyResult<()> {
            match call.input.dtype {
                $(Dtype::$float => run::float::<$float_type>(call, job),)*
                dtype => {
                    let advice = "only floating-point dtypes: convert with .astype()";
                    Err(call.op.unsupported(&format!("{dtype:?}"), advice))
                }
            }
        }
    };
}

dtypes! {
    truth {
        Bool: Truth;
    }
    integers {
        U8: u8;
        U16: u16;
        U32: u32;
        U64: u64;
        I8: i8;
        I16: i16;
        I32: i32;
        I64: i64;
    }
    floats {
        F16: f16;
        Bf16: bf16;
        F32: f32;
        F64: f64;
    }
}

impl Dtype {
    /// The dtype of an array, if poolnd pools it.
    pub(crate) fn of(descr: &Bound<'_, PyArrayDescr>) -> Option<Self> {
        Some(match (descr.kind(), descr.itemsize()) {
            (b'b', 1) => Self::Bool,
            (b'u', 1) => Self::U8,
            (b'u', 2) => Self::U16,
            (b'u', 4) => Self::U32,
            (b'u', 8) => Self::U64,
            (b'i', 1) => Self::I8,
            (b'i', 2) => Self::I16,
            (b'i', 4) => Self::I32,
            (b'i', 8) => Self::I64,
            (b'f', 2) => Self::F16,
            (b'f', 4) => Self::F32,
            (b'f', 8) => Self::F64,
            // The scalar type that ml_dtypes registers with NumPy.
            (_, 2) if !descr.has_fields() && is_bfloat16(descr) => Self::Bf16,
            _ => return None,
        })
    }

    /// Rounds a number to a floating-point dtype.
    pub(crate) fn round(self, x: f64) -> f64 {
        match self {
            Self::F16 => f16::from_f64(x).to_f64(),
            Self::Bf16 => bf16::from_f64(x).to_f64(),
            Self::F32 => f64::from(x as f32),
            _ => x,
        }
    }

    /// Whether values can be NaN.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }
}

fn is_bfloat16(descr: &Bound<'_, PyArrayDescr>) -> bool {
    let name = descr.typeobj().name().map(|name| name.to_string_lossy() == "bfloat16");
    name.unwrap_or(false)
}
