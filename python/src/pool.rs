//! Max, average and adaptive pooling as Python calls them.

use poolnd::{Divisor, Geometry};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::args::Op;
use crate::array::{Input, indices_like, output_like};
use crate::dtype::{run_element, run_float, run_number};
use crate::run::{Call, ElementJob, FloatJob, NumberJob};
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
    windows.resolve(py, op, input.shape(), |geometry| {
        maximum(py, op, &input, geometry, op.truth("return_indices", return_indices)?)
    })
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
    let windows = Windows::undilated(op, kernel_size, stride, padding, ceil_mode)?;
    let divisor = op.divisor(count_include_pad, divisor_override)?;
    let input = Input::new(op, input)?;
    windows
        .resolve_average(py, op, input.shape(), |geometry| mean(py, op, &input, geometry, divisor))
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
    torch::check_adaptive_input(py, op, input.shape(), false)?;
    torch::resolve_adaptive(py, op, input.shape(), output_size, |geometry| {
        maximum(py, op, &input, geometry, op.truth("return_indices", return_indices)?)
    })
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
    // PyTorch takes an empty channel dimension here in 1-D and 2-D; and it gives the mean of
    // nothing, NaN, for an output size of 1.
    let global = output_size[..ndim].iter().all(|&size| size == Some(1));
    if global && input.dtype.is_float() {
        torch::check_rank(py, op, input.shape())?;
    } else {
        torch::check_adaptive_input(py, op, input.shape(), ndim < 3)?;
    }
    torch::resolve_adaptive(py, op, input.shape(), output_size, |geometry| {
        mean(py, op, &input, geometry, Divisor::Window)
    })
}

/// lp_pool{1,2,3}d of PyTorch for floating-point dtypes and a finite `norm_type`.
#[pyfunction]
pub(crate) fn lp_pool<'py>(
    op: &str,
    ndim: usize,
    input: &Bound<'py, PyAny>,
    norm_type: f64,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    ceil_mode: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (input.py(), Op { name: op, ndim });
    let kernel_size = op.sizes("kernel_size", kernel_size)?;
    let windows = Windows {
        kernel_size,
        stride: op.sizes_or("stride", stride, kernel_size)?,
        padding: [0; 3],
        dilation: [1; 3],
        ceil_mode: op.flag("ceil_mode", ceil_mode)?,
    };
    let input = Input::new(op, input)?;
    let kernel_volume = kernel_size[..ndim].iter().map(|&k| k as f64).product();
    windows.resolve_average(py, op, input.shape(), |geometry| {
        let mut output = output_like(op, &input, geometry.output_shape())?;
        let call = Call { py, op, input: &input, output: &mut output };
        run_float(call, FloatJob::PowerAverage(geometry, norm_type, kernel_volume))?;
        Ok(output.into_array())
    })
}

fn maximum<'py>(
    py: Python<'py>,
    op: Op<'_>,
    input: &Input<'py>,
    geometry: &Geometry,
    return_indices: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let mut values = output_like(op, input, geometry.output_shape())?;
    let call = Call { py, op, input, output: &mut values };
    if !return_indices {
        run_element(call, ElementJob::Max(geometry))?;
        return Ok(values.into_array());
    }
    let mut indices = indices_like(py, op, input, geometry.output_shape())?;
    run_element(call, ElementJob::MaxWithIndices(geometry, &mut indices))?;
    Ok(PyTuple::new(py, [values.into_array(), indices.into_array()])?.into_any())
}

fn mean<'py>(
    py: Python<'py>,
    op: Op<'_>,
    input: &Input<'py>,
    geometry: &Geometry,
    divisor: Divisor,
) -> PyResult<Bound<'py, PyAny>> {
    let mut output = output_like(op, input, geometry.output_shape())?;
    let call = Call { py, op, input, output: &mut output };
    run_number(call, NumberJob::Average(geometry, divisor))?;
    Ok(output.into_array())
}
