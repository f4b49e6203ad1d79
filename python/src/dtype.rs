//! The binding's one list of dtypes, and the match that makes them types.

use half::{bf16, f16};
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::prelude::*;
use pyo3::types::PyStringMethods;

/// Defines [`Dtype`] and [`with_dtype`] from one list: a name and a Rust type per dtype. NumPy's
/// bool is pooled as the byte it is stored in.
macro_rules! dtypes {
    ($($name:ident: $type:ty;)*) => {
        /// A dtype that poolnd pools.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Dtype {
            $($name,)*
        }

        /// Calls a generic visitor with the dtype as a type.
        pub(crate) fn with_dtype<V: Visitor>(dtype: Dtype, visitor: V) -> V::Output {
            match dtype {
                $(Dtype::$name => visitor.visit::<$type>(),)*
            }
        }
    };
}

dtypes! {
    Bool: u8;
    U8: u8;
    U16: u16;
    U32: u32;
    U64: u64;
    I8: i8;
    I16: i16;
    I32: i32;
    I64: i64;
    F16: f16;
    Bf16: bf16;
    F32: f32;
    F64: f64;
}

/// Something to do with a dtype known as a type.
pub(crate) trait Visitor {
    /// What it gives.
    type Output;
    /// Does it.
    fn visit<T: poolnd::Mean>(self) -> Self::Output;
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

    /// Whether values can be NaN.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }
}

fn is_bfloat16(descr: &Bound<'_, PyArrayDescr>) -> bool {
    let name = descr.typeobj().name().map(|name| name.to_string_lossy() == "bfloat16");
    name.unwrap_or(false)
}
