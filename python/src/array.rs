//! NumPy arrays as views, and new NumPy arrays for results.

use numpy::npyffi::{self, PY_ARRAY_API, npy_intp};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use poolnd::{PoolError, View, ViewMut};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::args::{Op, type_name};
use crate::dtype::Dtype;
use crate::kept;

/// A shape or strides; most arrays have at most six dimensions.
type Dims<T> = smallvec::SmallVec<[T; 6]>;

/// An array to read: aligned, of native byte order, of a dtype that poolnd pools.
pub(crate) struct Input<'py> {
    array: Bound<'py, PyUntypedArray>,
    pub(crate) dtype: Dtype,
    /// Strides in elements.
    strides: Dims<isize>,
}

impl<'py> Input<'py> {
    /// Borrows an array in place, whatever its strides; converts anything else to one.
    pub(crate) fn new(op: Op<'_>, value: &Bound<'py, PyAny>) -> PyResult<Self> {
        let mut array = match value.cast_exact::<PyUntypedArray>() {
            Ok(array) => array.clone(),
            Err(_) => inexact(op, value)?,
        };
        let descr = array.dtype();
        let dtype = pooled_dtype(op, &descr)?;
        let native = descr.is_native_byteorder() != Some(false);
        let bits = array.strides().iter().fold(0, |bits, stride| bits | stride);
        let whole = bits & (dtype.size() as isize - 1) == 0;
        if !whole || !native || !array.is_aligned() {
            array = native_copy(&array)?;
        }
        let strides = in_elements(array.strides(), dtype);
        Ok(Self { array, dtype, strides })
    }

    /// Borrows positions, which must be int64.
    pub(crate) fn any_indices(op: Op<'_>, value: &Bound<'py, PyAny>) -> PyResult<Self> {
        let wrong = |got: &dyn std::fmt::Display| {
            let rule = format_args!("elements in indices should be type int64 but got: {got}");
            op.refuse(value.py(), rule)
        };
        let indices = Self::new(op, value).map_err(|error| {
            let unreadable = error.is_instance_of::<PyTypeError>(value.py());
            if unreadable { wrong(&type_name(value)) } else { error }
        })?;
        match indices.dtype {
            Dtype::I64 => Ok(indices),
            _ => Err(wrong(&indices.descr())),
        }
    }

    /// [`Self::any_indices`] of a given shape.
    pub(crate) fn indices(
        op: Op<'_>,
        value: &Bound<'py, PyAny>,
        shape: &[usize],
    ) -> PyResult<Self> {
        let indices = Self::any_indices(op, value)?;
        if indices.shape() == shape {
            return Ok(indices);
        }
        let rule = format_args!(
            "Expected shape of indices to be same as that of the input tensor ({shape:?}) but got \
             indices tensor with shape: {:?}",
            indices.shape()
        );
        Err(op.refuse(value.py(), rule))
    }

    /// The elements as f64, in C order.
    pub(crate) fn to_f64(&self) -> PyResult<Vec<f64>> {
        let flat = self.array.call_method1("astype", ("float64",))?.call_method0("ravel")?;
        flat.call_method0("tolist")?.extract()
    }

    pub(crate) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    pub(crate) fn descr(&self) -> Bound<'py, PyArrayDescr> {
        self.array.dtype()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.array.len() * self.dtype.size()
    }

    /// The elements, as a `T` that has the layout of the array's dtype.
    pub(crate) fn view<T>(&self) -> Result<View<'_, T>, PoolError> {
        debug_assert_eq!(self.array.dtype().itemsize(), size_of::<T>());
        // SAFETY: NumPy's shape and strides describe memory that `array` keeps alive; `new` saw
        // to alignment, and every bit pattern is a value of the dtypes that are pooled.
        unsafe {
            let data = (*self.array.as_array_ptr()).fields.data.cast::<T>();
            View::from_raw_parts(data, self.array.shape(), &self.strides)
        }
    }

    /// Whether the channels of an (N, C, spatial...) or (C, spatial...) array are neighbours in
    /// memory, with `ndim` spatial dimensions outside of them in their order.
    pub(crate) fn is_channels_last(&self, ndim: usize) -> bool {
        let channel = self.shape().len() - ndim - 1;
        let (shape, strides) = (self.shape(), &self.strides);
        if shape[channel] < 2 || strides[channel] != 1 || self.array.is_c_contiguous() {
            return false;
        }
        let outward = (channel + 1..shape.len()).rev().chain((0..channel).rev());
        let mut covered = shape[channel] as isize;
        outward.filter(|&axis| shape[axis] > 1).all(|axis| {
            let steps_over = strides[axis] >= covered;
            covered = strides[axis].saturating_mul(shape[axis] as isize);
            steps_over
        })
    }
}

/// The memory order of a result: that of its input.
fn channel_axis(op: Op<'_>, input: &Input<'_>) -> Option<usize> {
    let channel = input.shape().len().checked_sub(op.ndim + 1)?;
    input.is_channels_last(op.ndim).then_some(channel)
}

/// A new array of the input's dtype and memory order.
pub(crate) fn output_like<'py>(
    op: Op<'_>,
    input: &Input<'py>,
    shape: &[usize],
) -> PyResult<Output<'py>> {
    Output::new(op, input.descr(), input.dtype, shape, channel_axis(op, input), false)
}

/// The same for results that are mostly zeros.
pub(crate) fn sparse_output_like<'py>(
    op: Op<'_>,
    input: &Input<'py>,
    shape: &[usize],
) -> PyResult<Output<'py>> {
    Output::new(op, input.descr(), input.dtype, shape, channel_axis(op, input), true)
}

/// A new array for positions, of the input's memory order.
pub(crate) fn indices_like<'py>(
    py: Python<'py>,
    op: Op<'_>,
    input: &Input<'py>,
    shape: &[usize],
) -> PyResult<Output<'py>> {
    Output::new(op, numpy::dtype::<i64>(py), Dtype::I64, shape, channel_axis(op, input), false)
}

/// The most that the C library keeps of what was freed. Memory of larger arrays is kept here, or
/// comes from the system, which has just cleared it.
const REUSED_BYTES: usize = 32 << 20;

/// A new array to write.
pub(crate) struct Output<'py> {
    array: Bound<'py, PyUntypedArray>,
    dtype: Dtype,
    /// Strides in elements.
    strides: Dims<isize>,
    is_zeroed: bool,
}

impl<'py> Output<'py> {
    /// An uninitialised array, in C order or with the axis `channel` innermost in memory. One that
    /// is mostly zeros is of zeros already, if it is `zeroed` memory that can be had for nothing.
    fn new(
        op: Op<'_>,
        descr: Bound<'py, PyArrayDescr>,
        dtype: Dtype,
        shape: &[usize],
        channel: Option<usize>,
        zeroed: bool,
    ) -> PyResult<Self> {
        let py = descr.py();
        let mut strides = channel.map(|channel| channel_strides(shape, channel, dtype));
        let bytes = shape.iter().fold(dtype.size(), |bytes, &len| bytes.saturating_mul(len));
        let is_large = bytes > REUSED_BYTES;
        let is_zeroed = zeroed && strides.is_none() && is_large && !kept::has(bytes);
        let (ndim, dims) = (shape.len() as i32, shape.as_ptr().cast::<npy_intp>().cast_mut());
        // SAFETY: shape and strides, which are only read, live through the call, which takes the
        // descriptor's reference and returns a new array or null with an error set.
        let new = || unsafe {
            let array = match is_zeroed {
                true => PY_ARRAY_API.PyArray_Zeros(py, ndim, dims, descr.into_dtype_ptr(), 0),
                false => PY_ARRAY_API.PyArray_NewFromDescr(
                    py,
                    npyffi::get_type_object(py, npyffi::NpyTypes::PyArray_Type),
                    descr.into_dtype_ptr(),
                    ndim,
                    dims,
                    strides.as_mut().map_or(std::ptr::null_mut(), |strides| strides.as_mut_ptr()),
                    std::ptr::null_mut(),
                    0,
                    std::ptr::null_mut(),
                ),
            };
            Bound::from_owned_ptr_or_err(py, array).map(|array| array.cast_into_unchecked())
        };
        let array = if is_large { kept::with_kept(py, new) } else { new() };
        let array = array.map_err(|error| {
            let too_big = error.is_instance_of::<PyValueError>(py);
            if too_big {
                op.refuse(py, format_args!("output of shape {shape:?}: {error}"))
            } else {
                error
            }
        })?;
        let array: Bound<'py, PyUntypedArray> = array;
        let strides = in_elements(array.strides(), dtype);
        Ok(Self { array, dtype, strides, is_zeroed })
    }

    pub(crate) fn view<T>(&mut self) -> Result<ViewMut<'_, T>, PoolError> {
        // SAFETY: the array is new, so nothing else reads or writes it, and its strides are those
        // of a permuted C order.
        let view = unsafe {
            let data = (*self.array.as_array_ptr()).fields.data.cast::<T>();
            ViewMut::from_raw_parts(data, self.array.shape(), &self.strides)?
        };
        Ok(match std::mem::take(&mut self.is_zeroed) {
            // SAFETY: it was made so, and has not been written since.
            true => unsafe { view.assume_zeroed() },
            false => view,
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.array.len() * self.dtype.size()
    }

    pub(crate) fn into_array(self) -> Bound<'py, PyAny> {
        self.array.into_any()
    }
}

/// Strides in bytes, which are multiples of the dtype's size, in elements.
fn in_elements(strides: &[isize], dtype: Dtype) -> Dims<isize> {
    let mut strides = Dims::from_slice(strides);
    let shift = dtype.size().trailing_zeros();
    strides.iter_mut().for_each(|stride| *stride >>= shift);
    strides
}

/// Strides in bytes of an array in C order but for the axis `channel`, which is innermost.
fn channel_strides(shape: &[usize], channel: usize, dtype: Dtype) -> Dims<npy_intp> {
    let mut strides = Dims::from_elem(0, shape.len());
    let mut step = dtype.size() as npy_intp;
    let outward = (0..shape.len()).rev().filter(|&axis| axis != channel);
    for axis in std::iter::once(channel).chain(outward) {
        strides[axis] = step;
        step *= shape[axis].max(1) as npy_intp;
    }
    strides
}

fn pooled_dtype(op: Op<'_>, descr: &Bound<'_, PyArrayDescr>) -> PyResult<Dtype> {
    Dtype::of(descr).ok_or_else(|| {
        let advice = match descr.kind() {
            b'c' => "complex numbers have no order: pool the real and imaginary parts",
            b'O' => "convert the objects to a numeric dtype with .astype()",
            b'f' => "convert to float64 with .astype()",
            _ => "use bool, an integer, float16, bfloat16, float32 or float64",
        };
        let name = op.name;
        PyTypeError::new_err(format!("\"{name}\" not implemented for dtype {descr}: {advice}"))
    })
}

/// What is not exactly an ndarray: a subclass, or something to read as an array.
#[cold]
fn inexact<'py>(op: Op<'_>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    let Ok(array) = value.cast::<PyUntypedArray>() else { return convert(op, value) };
    if is_masked(value) {
        let name = op.name;
        return Err(PyTypeError::new_err(format!(
            "{name}(): argument 'input' must be a plain array, not a masked array: \
             its mask would be lost (use .filled() first)"
        )));
    }
    // A subclass may answer in its own way whatever is asked of it; the array below does not.
    let plain = value.py().import("numpy")?.call_method1("asarray", (array,))?;
    Ok(plain.cast_into::<PyUntypedArray>()?)
}

/// Lists, buffers, and whatever else NumPy or DLPack can read.
fn convert<'py>(op: Op<'_>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = value.py();
    let wrong = |error: &dyn std::fmt::Display| {
        let (name, got) = (op.name, type_name(value));
        let message = format!(
            "{name}(): argument 'input' must be an array or nested lists, not {got}: {error}"
        );
        PyTypeError::new_err(message)
    };
    if value.is_none() || value.is_instance_of::<pyo3::types::PyString>() {
        return Err(wrong(&"it has no numbers"));
    }
    let numpy = py.import("numpy")?;
    let only_dlpack = value.hasattr("__dlpack__")? && !value.hasattr("__array__")?;
    let reader = if only_dlpack { "from_dlpack" } else { "asarray" };
    let array = numpy.call_method1(reader, (value,)).map_err(|error| {
        let unreadable =
            error.is_instance_of::<PyValueError>(py) || error.is_instance_of::<PyTypeError>(py);
        if unreadable { wrong(&error) } else { error }
    })?;
    Ok(array.cast_into::<PyUntypedArray>()?)
}

fn is_masked(value: &Bound<'_, PyAny>) -> bool {
    static MASKED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let masked =
        || value.py().import("numpy")?.getattr("ma")?.getattr("MaskedArray").map(Bound::unbind);
    MASKED
        .get_or_try_init(value.py(), masked)
        .and_then(|class| value.is_instance(class.bind(value.py())))
        .unwrap_or(false)
}

/// An aligned copy of native byte order, in the memory order of the array.
fn native_copy<'py>(array: &Bound<'py, PyUntypedArray>) -> PyResult<Bound<'py, PyUntypedArray>> {
    let native = array.dtype().call_method1("newbyteorder", ("=",))?;
    let copy = array.call_method1("astype", (native, "K", "unsafe", false, true))?;
    Ok(copy.cast_into::<PyUntypedArray>()?)
}
