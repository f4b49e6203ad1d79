//! Reading size arguments: an int, or a sequence of ints, one per pooled dimension.

use poolnd::Divisor;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString, PyTuple};
use smallvec::SmallVec;

use crate::error::refuse;

/// Up to three sizes, one per pooled dimension.
pub(crate) type Sizes = [i64; 3];

/// The items of a sequence of sizes.
type Items<'py> = SmallVec<[Bound<'py, PyAny>; 3]>;

/// The call that an argument belongs to, for messages.
#[derive(Clone, Copy)]
pub(crate) struct Op<'a> {
    pub(crate) name: &'a str,
    pub(crate) ndim: usize,
}

impl Op<'_> {
    /// A `PoolError` about this call.
    pub(crate) fn refuse(self, py: Python<'_>, rule: impl std::fmt::Display) -> PyErr {
        refuse(py, self.name, rule)
    }

    /// A `PoolError` about two shapes that do not go together.
    pub(crate) fn shapes(
        self,
        py: Python<'_>,
        what: &str,
        got: &[usize],
        other: &str,
        expected: &[usize],
    ) -> PyErr {
        self.refuse(
            py,
            format_args!("{what} has shape {got:?}, but {other} has shape {expected:?}"),
        )
    }

    /// A `TypeError` in PyTorch's words.
    pub(crate) fn wrong_type(self, argument: &str, wanted: &str, got: &Bound<'_, PyAny>) -> PyErr {
        let (name, got) = (self.name, type_name(got));
        PyTypeError::new_err(format!("{name}(): argument '{argument}' must be {wanted}, not {got}"))
    }

    /// A `TypeError` about a dtype.
    pub(crate) fn unsupported(self, dtype: &str, advice: &str) -> PyErr {
        let name = self.name;
        PyTypeError::new_err(format!("\"{name}\" not implemented for dtype {dtype}: {advice}"))
    }

    /// The pooled axes of an array of `rank` dimensions: the last ones.
    pub(crate) fn axes(self, rank: usize) -> Vec<usize> {
        (rank.saturating_sub(self.ndim)..rank).collect()
    }

    /// One size for all dimensions, or one each.
    pub(crate) fn sizes(self, argument: &str, value: &Bound<'_, PyAny>) -> PyResult<Sizes> {
        if let Some(size) = plain_int(value) {
            return Ok([size; 3]);
        }
        match items(value) {
            None => Ok([self.integer(argument, value, "tuple of ints")?; 3]),
            Some(items) => self.sizes_of(argument, value, &items?),
        }
    }

    /// As [`Self::sizes`]; `None` and an empty sequence stand for `default`.
    pub(crate) fn sizes_or(
        self,
        argument: &str,
        value: &Bound<'_, PyAny>,
        default: Sizes,
    ) -> PyResult<Sizes> {
        if value.is_none() {
            return Ok(default);
        }
        match items(value) {
            None => self.sizes(argument, value),
            Some(Ok(items)) if items.is_empty() => Ok(default),
            Some(items) => self.sizes_of(argument, value, &items?),
        }
    }

    /// One size for all dimensions, or one each, from the items of a sequence.
    fn sizes_of(
        self,
        argument: &str,
        value: &Bound<'_, PyAny>,
        items: &Items<'_>,
    ) -> PyResult<Sizes> {
        if items.len() != 1 && items.len() != self.ndim {
            return Err(self.wrong_length(value, argument, items.len()));
        }
        let mut sizes = [0; 3];
        for (i, size) in sizes.iter_mut().enumerate().take(self.ndim) {
            let item = &items[if items.len() == 1 { 0 } else { i }];
            *size = self.integer(argument, item, "tuple of ints")?;
        }
        Ok(sizes)
    }

    /// Output sizes of an adaptive operator; `None` entries keep the input's size.
    pub(crate) fn output_sizes(self, value: &Bound<'_, PyAny>) -> PyResult<[Option<i64>; 3]> {
        let size = |item: &Bound<'_, PyAny>| -> PyResult<Option<i64>> {
            if item.is_none() && self.ndim > 1 {
                return Ok(None);
            }
            self.integer("output_size", item, "int or tuple of ints").map(Some)
        };
        match items(value) {
            None if value.is_none() => {
                Err(self.wrong_type("output_size", "int or tuple of ints", value))
            }
            None => Ok([size(value)?; 3]),
            Some(items) => {
                let items = items?;
                if items.len() != self.ndim {
                    let (ndim, len) = (self.ndim, items.len());
                    let rule =
                        format_args!("output_size must be {ndim} ints, but got {len}: {value}");
                    return Err(self.refuse(value.py(), rule));
                }
                let mut sizes = [None; 3];
                for (to, item) in sizes.iter_mut().zip(&items) {
                    *to = size(item)?;
                }
                Ok(sizes)
            }
        }
    }

    /// What sums are divided by.
    pub(crate) fn divisor(
        self,
        count_include_pad: &Bound<'_, PyAny>,
        divisor_override: &Bound<'_, PyAny>,
    ) -> PyResult<Divisor> {
        if !divisor_override.is_none() {
            return Ok(Divisor::Fixed(self.integer(
                "divisor_override",
                divisor_override,
                "int",
            )?));
        }
        let padded = self.flag("count_include_pad", count_include_pad)?;
        Ok(if padded { Divisor::PaddedWindow } else { Divisor::Window })
    }

    /// The lengths of a shape.
    pub(crate) fn shape(self, argument: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
        let items =
            items(value).ok_or_else(|| self.wrong_type(argument, "tuple of ints", value))??;
        let length = |item: &Bound<'_, PyAny>| {
            let length = self.integer(argument, item, "tuple of ints")?;
            usize::try_from(length).map_err(|_| {
                let rule =
                    format_args!("{argument} must not be negative, but got {length} in {value}");
                self.refuse(value.py(), rule)
            })
        };
        items.iter().map(length).collect()
    }

    /// A Python or NumPy integer; no bool, float or string.
    pub(crate) fn integer(
        self,
        argument: &str,
        value: &Bound<'_, PyAny>,
        wanted: &str,
    ) -> PyResult<i64> {
        if let Some(integer) = plain_int(value) {
            return Ok(integer);
        }
        let exact = value.is_exact_instance_of::<PyInt>();
        if !exact && (is_bool(value) || !value.hasattr("__index__")?) {
            return Err(self.wrong_type(argument, wanted, value));
        }
        value.extract().map_err(|error: PyErr| {
            if error.is_instance_of::<PyOverflowError>(value.py()) {
                let rule = format_args!(
                    "{argument}={value}: value cannot be converted to type int without overflow"
                );
                return self.refuse(value.py(), rule);
            }
            self.wrong_type(argument, wanted, value)
        })
    }

    /// A real bool, as PyTorch demands for its flags.
    pub(crate) fn flag(self, argument: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Ok(flag) = value.cast_exact::<PyBool>() {
            return Ok(flag.is_true());
        }
        if is_bool(value) {
            return value.is_truthy();
        }
        Err(self.wrong_type(argument, "bool", value))
    }

    /// Anything that is true or false, as PyTorch takes `return_indices`.
    pub(crate) fn truth(self, argument: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        value.is_truthy().map_err(|error| {
            // An array of several elements is neither.
            let neither = error.is_instance_of::<PyValueError>(value.py());
            if neither { self.wrong_type(argument, "true or false", value) } else { error }
        })
    }

    fn wrong_length(self, value: &Bound<'_, PyAny>, argument: &str, len: usize) -> PyErr {
        let count = ["one int", "two ints", "three ints"][self.ndim - 1];
        let rule = format_args!(
            "{argument} must either be a single int, or a tuple of {count}, but got size {len}: {value}"
        );
        self.refuse(value.py(), rule)
    }
}

/// An int that is no subclass and fits: what nearly every size is.
#[inline]
fn plain_int(value: &Bound<'_, PyAny>) -> Option<i64> {
    value.cast_exact::<PyInt>().ok()?.extract().ok()
}

/// The items of a list or tuple; None for anything else.
fn items<'py>(value: &Bound<'py, PyAny>) -> Option<PyResult<Items<'py>>> {
    if value.is_exact_instance_of::<PyInt>() {
        return None;
    }
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        return Some(Ok(tuple.iter().collect()));
    }
    let sequence = value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>();
    sequence.then(|| value.try_iter()?.collect())
}

fn is_bool(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyBool>()
        || (!value.is_instance_of::<PyInt>()
            && !value.is_instance_of::<PyFloat>()
            && !value.is_instance_of::<PyString>()
            && matches!(type_name(value).as_str(), "bool" | "bool_" | "numpy.bool"))
}

pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}
