//! Max, average and adaptive pooling as Python calls them.

use poolnd::{Divisor, Geometry, Mean, average_into, max_into, max_with_indices_into};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::args::Op;
use crate::array::{Input, Output};
use crate::call::{channel_axis, output_like, run};
use crate::dtype::{Dtype, Visitor, with_dtype};
use crate::torch::{self, Windows};

/// max_pool{1,2,3}d of PyTorch; values, or values and indices.
#[pyfunction]
pub(crate) fn max_pool<'py>(
    op: &str,
    ndim: usize,
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    dilation: &Bound<'py, PyAny>,
    ceil_mode: &Bound<'py, PyAny>,
    return_indices: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (input.py(), Op { name: op, ndim });
    let kernel_size = op.sizes("kernel_size", kernel_size)?;
    let windows = Windows {
        kernel_size,
        stride: op.sizes_or("stride", stride, kernel_size)?,
        padding: op.sizes("padding", padding)?,
        dilation: op.sizes("dilation", dilation)?,
        ceil_mode: op.flag("ceil_mode", ceil_mode)?,
    };
    let input = Input::new(op, input)?;
    let geometry = windows.resolve(py, op, input.shape())?;
    maximum(py, op, &input, &geometry, return_indices.is_truthy()?)
}

/// avg_pool{1,2,3}d of PyTorch.
#[pyfunction]
pub(crate) fn avg_pool<'py>(
    op: &str,
    ndim: usize,
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    ceil_mode: &Bound<'py, PyAny>,
    count_include_pad: &Bound<'py, PyAny>,
    divisor_override: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (input.py(), Op { name: op, ndim });
    let kernel_size = op.sizes("kernel_size", kernel_size)?;
    let windows = Windows {
        kernel_size,
        stride: op.sizes_or("stride", stride, kernel_size)?,
        padding: op.sizes("padding", padding)?,
        dilation: [1; 3],
        ceil_mode: op.flag("ceil_mode", ceil_mode)?,
    };
    let divisor = if !divisor_override.is_none() {
        Divisor::Fixed(op.integer("divisor_override", divisor_override, "int")?)
    } else if op.flag("count_include_pad", count_include_pad)? {
        Divisor::PaddedWindow
    } else {
        Divisor::Window
    };
    let input = Input::new(op, input)?;
    let geometry = windows.resolve(py, op, input.shape())?;
    if ndim == 3 {
        windows.check_avg_pool3d(py, op, input.shape())?;
    }
    mean(py, op, &input, &geometry, divisor)
}

/// adaptive_max_pool{1,2,3}d of PyTorch; values, or values and indices.
#[pyfunction]
pub(crate) fn adaptive_max_pool<'py>(
    op: &str,
    ndim: usize,
    input: &Bound<'py, PyAny>,
    output_size: &Bound<'py, PyAny>,
    return_indices: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (input.py(), Op { name: op, ndim });
    let output_size = op.output_sizes(output_size)?;
    let input = Input::new(op, input)?;
    torch::check_rank(py, op, input.shape())?;
    torch::check_spatial_not_empty(py, op, input.shape())?;
    let geometry = torch::resolve_adaptive(py, op, input.shape(), output_size)?;
    maximum(py, op, &input, &geometry, return_indices.is_truthy()?)
}

/// adaptive_avg_pool{1,2,3}d of PyTorch.
#[pyfunction]
pub(crate) fn adaptive_avg_pool<'py>(
    op: &str,
    ndim: usize,
    input: &Bound<'py, PyAny>,
    output_size: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (input.py(), Op { name: op, ndim });
    let output_size = op.output_sizes(output_size)?;
    let input = Input::new(op, input)?;
    torch::check_rank(py, op, input.shape())?;
    let geometry = torch::resolve_adaptive(py, op, input.shape(), output_size)?;
    // The mean of nothing is NaN for floats, which PyTorch gives for an output size of 1.
    let global = output_size[..ndim].iter().all(|&size| size == Some(1));
    if !(global && input.dtype.is_float()) {
        torch::check_spatial_not_empty(py, op, input.shape())?;
    }
    mean(py, op, &input, &geometry, Divisor::Window)
}

fn maximum<'py>(
    py: Python<'py>,
    op: Op<'_>,
    input: &Input<'py>,
    geometry: &Geometry,
    return_indices: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let mut values = output_like(op, input, geometry)?;
    if !return_indices {
        let visitor = MaxInto { py, op, input, geometry, values: &mut values, indices: None };
        with_dtype(input.dtype, visitor)?;
        return Ok(values.into_array());
    }
    let shape = geometry.output_shape();
    let mut indices = Output::new(numpy::dtype::<i64>(py), shape, channel_axis(op, input))?;
    let (values_out, indices_out) = (&mut values, Some(&mut indices));
    let visitor = MaxInto { py, op, input, geometry, values: values_out, indices: indices_out };
    with_dtype(input.dtype, visitor)?;
    Ok(PyTuple::new(py, [values.into_array(), indices.into_array()])?.into_any())
}

struct MaxInto<'a, 'py> {
    py: Python<'py>,
    op: Op<'a>,
    input: &'a Input<'py>,
    geometry: &'a Geometry,
    values: &'a mut Output<'py>,
    indices: Option<&'a mut Output<'py>>,
}

impl Visitor for MaxInto<'_, '_> {
    type Output = PyResult<()>;

    fn visit<T: Mean>(self) -> PyResult<()> {
        let Self { py, op, input, geometry, .. } = self;
        let refuse = |error| op.refuse(py, error);
        let view = input.view::<T>().map_err(refuse)?;
        let values = self.values.view::<T>().map_err(refuse)?;
        let Some(indices) = self.indices else {
            return run(py, op, input.bytes(), |e| max_into(e, geometry, &view, values));
        };
        let indices = indices.view::<i64>().map_err(refuse)?;
        run(py, op, input.bytes(), |e| max_with_indices_into(e, geometry, &view, values, indices))
    }
}

fn mean<'py>(
    py: Python<'py>,
    op: Op<'_>,
    input: &Input<'py>,
    geometry: &Geometry,
    divisor: Divisor,
) -> PyResult<Bound<'py, PyAny>> {
    if input.dtype == Dtype::Bool {
        let name = op.name;
        let message = format!(
            "\"{name}\" not implemented for dtype bool: convert to a float for the share of true \
             elements, or take a maximum for whether any is true"
        );
        return Err(PyTypeError::new_err(message));
    }
    let mut values = output_like(op, input, geometry)?;
    with_dtype(input.dtype, MeanInto { py, op, input, geometry, divisor, values: &mut values })?;
    Ok(values.into_array())
}

struct MeanInto<'a, 'py> {
    py: Python<'py>,
    op: Op<'a>,
    input: &'a Input<'py>,
    geometry: &'a Geometry,
    divisor: Divisor,
    values: &'a mut Output<'py>,
}

impl Visitor for MeanInto<'_, '_> {
    type Output = PyResult<()>;

    fn visit<T: Mean>(self) -> PyResult<()> {
        let Self { py, op, input, geometry, divisor, .. } = self;
        let refuse = |error| op.refuse(py, error);
        let view = input.view::<T>().map_err(refuse)?;
        let values = self.values.view::<T>().map_err(refuse)?;
        run(py, op, input.bytes(), |e| average_into(e, geometry, divisor, &view, values))
    }
}
