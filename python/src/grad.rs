//! Gradients, unpooling and fractional pooling as Python calls them.

use poolnd::{Divisor, Geometry, fractional_starts};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::args::Op;
use crate::array::{Input, indices_like, output_like, sparse_output_like};
use crate::dtype::{Dtype, run_element, run_float};
use crate::run::{Call, ElementJob, FloatJob};
use crate::torch::{self, Windows};

/// fractional_max_pool{2,3}d of PyTorch, with its samples drawn.
#[pyfunction]
pub(crate) fn fractional_max_pool<'py>(
    op: &str,
    ndim: usize,
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    output_size: &Bound<'py, PyAny>,
    samples: &Bound<'py, PyAny>,
    return_indices: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (input.py(), Op { name: op, ndim });
    let kernel_size = op.sizes("kernel_size", kernel_size)?;
    let output_size = op.sizes("output_size", output_size)?;
    let input = Input::new(op, input)?;
    torch::check_fractional(py, op, input.shape(), kernel_size, output_size)?;
    let samples = Samples::new(op, &input, samples)?;
    let rank = input.shape().len();
    let axes = op.axes(rank);
    let mut shape = input.shape().to_vec();
    for (i, &axis) in axes.iter().enumerate() {
        shape[axis] = output_size[i] as usize;
    }
    let lengths: Vec<usize> = axes.iter().map(|&axis| input.shape()[axis]).collect();
    let kernel: Vec<usize> = (0..ndim).map(|i| kernel_size[i] as usize).collect();
    let starts = |plane: usize, i: usize| {
        let (sample, outputs) = (samples.of(plane, i), output_size[i] as usize);
        let (len, kernel, dtype) = (lengths[i], kernel[i], samples.dtype);
        match dtype {
            // Most often, and one instruction: others may be calls.
            Dtype::F32 => fractional_starts(len, kernel, outputs, sample, |x| f64::from(x as f32)),
            _ => fractional_starts(len, kernel, outputs, sample, |x| dtype.round(x)),
        }
    };
    let mut values = output_like(op, &input, &shape)?;
    let call = Call { py, op, input: &input, output: &mut values };
    if !op.truth("return_indices", return_indices)? {
        run_element(call, ElementJob::FractionalMax(&axes, &kernel, &starts, None))?;
        return Ok(values.into_array());
    }
    let mut indices = indices_like(py, op, &input, &shape)?;
    run_element(call, ElementJob::FractionalMax(&axes, &kernel, &starts, Some(&mut indices)))?;
    Ok(PyTuple::new(py, [values.into_array(), indices.into_array()])?.into_any())
}

/// The random samples of fractional pooling, as f64.
struct Samples {
    values: Vec<f64>,
    /// The dtype that PyTorch computes window starts in.
    dtype: Dtype,
    ndim: usize,
}

impl Samples {
    /// Reads samples of shape (N, C, ndim), whose N may be larger than the input's.
    fn new(op: Op<'_>, input: &Input<'_>, samples: &Bound<'_, PyAny>) -> PyResult<Self> {
        let samples = Input::new(op, samples)?;
        let dtype = if input.dtype.is_float() { input.dtype } else { Dtype::F64 };
        torch::check_samples(samples.descr().py(), op, input, &samples, dtype)?;
        Ok(Self { values: samples.to_f64()?, dtype, ndim: op.ndim })
    }

    /// The sample of a plane's pooled axis. In 2-D PyTorch gives the last axis the first sample.
    fn of(&self, plane: usize, axis: usize) -> f64 {
        let axis = if self.ndim == 2 { 1 - axis } else { axis };
        self.values[plane * self.ndim + axis]
    }
}

/// max_unpool{1,2,3}d of PyTorch, with its output size worked out.
#[pyfunction]
pub(crate) fn max_unpool<'py>(
    op: &str,
    ndim: usize,
    input: &Bound<'py, PyAny>,
    indices: &Bound<'py, PyAny>,
    output_size: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (input.py(), Op { name: op, ndim });
    let input = Input::new(op, input)?;
    torch::check_rank(py, op, input.shape())?;
    torch::check_not_empty(py, op, input.shape())?;
    let indices = Input::indices(op, indices, input.shape())?;
    let axes = op.axes(input.shape().len());
    let mut shape = input.shape().to_vec();
    for (&axis, size) in axes.iter().zip(op.shape("output_size", output_size)?) {
        shape[axis] = size;
    }
    torch::check_size(py, op, &shape)?;
    let mut output = sparse_output_like(op, &input, &shape)?;
    let call = Call { py, op, input: &input, output: &mut output };
    run_element(call, ElementJob::Unpool(&axes, &indices))?;
    Ok(output.into_array())
}

/// The gradient of max_unpool{1,2,3}d.
#[pyfunction]
pub(crate) fn max_unpool_backward<'py>(
    op: &str,
    ndim: usize,
    grad_output: &Bound<'py, PyAny>,
    indices: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (grad_output.py(), Op { name: op, ndim });
    let grad_output = Input::new(op, grad_output)?;
    torch::check_rank(py, op, grad_output.shape())?;
    let indices = Input::any_indices(op, indices)?;
    let shape = indices.shape().to_vec();
    let spatial = shape.len().saturating_sub(ndim);
    if grad_output.shape().get(..spatial) != shape.get(..spatial) {
        return Err(op.shapes(py, "grad_output", grad_output.shape(), "indices", &shape));
    }
    let mut output = output_like(op, &grad_output, &shape)?;
    let call = Call { py, op, input: &grad_output, output: &mut output };
    run_element(call, ElementJob::UnpoolBackward(&op.axes(shape.len()), &indices))?;
    Ok(output.into_array())
}

/// The gradient of every operator that takes a maximum, from its indices.
#[pyfunction]
pub(crate) fn max_backward<'py>(
    op: &str,
    ndim: usize,
    grad_output: &Bound<'py, PyAny>,
    indices: &Bound<'py, PyAny>,
    input_shape: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (grad_output.py(), Op { name: op, ndim });
    let grad_output = Input::new(op, grad_output)?;
    let indices = Input::indices(op, indices, grad_output.shape())?;
    let shape = op.shape("input_shape", input_shape)?;
    torch::check_rank(py, op, &shape)?;
    torch::check_size(py, op, &shape)?;
    let mut output = sparse_output_like(op, &grad_output, &shape)?;
    let call = Call { py, op, input: &grad_output, output: &mut output };
    run_float(call, FloatJob::MaxBackward(&op.axes(shape.len()), &indices))?;
    Ok(output.into_array())
}

/// The gradient of avg_pool{1,2,3}d.
#[pyfunction]
pub(crate) fn avg_backward<'py>(
    op: &str,
    ndim: usize,
    grad_output: &Bound<'py, PyAny>,
    input_shape: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    ceil_mode: &Bound<'py, PyAny>,
    count_include_pad: &Bound<'py, PyAny>,
    divisor_override: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (grad_output.py(), Op { name: op, ndim });
    let windows = Windows::undilated(op, kernel_size, stride, padding, ceil_mode)?;
    let divisor = op.divisor(count_include_pad, divisor_override)?;
    let shape = op.shape("input_shape", input_shape)?;
    windows.resolve_average(py, op, &shape, |geometry| {
        let grad_output = Input::new(op, grad_output)?;
        average_backward(py, op, &grad_output, &shape, geometry, divisor)
    })
}

/// The gradient of adaptive_avg_pool{1,2,3}d.
#[pyfunction]
pub(crate) fn adaptive_avg_backward<'py>(
    op: &str,
    ndim: usize,
    grad_output: &Bound<'py, PyAny>,
    input_shape: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, op) = (grad_output.py(), Op { name: op, ndim });
    let grad_output = Input::new(op, grad_output)?;
    let shape = op.shape("input_shape", input_shape)?;
    torch::check_rank(py, op, &shape)?;
    torch::check_rank(py, op, grad_output.shape())?;
    let mut output_size = [None; 3];
    for (to, &axis) in output_size.iter_mut().zip(&op.axes(grad_output.shape().len())) {
        *to = Some(grad_output.shape()[axis] as i64);
    }
    torch::resolve_adaptive(py, op, &shape, output_size, |geometry| {
        average_backward(py, op, &grad_output, &shape, geometry, Divisor::Window)
    })
}

fn average_backward<'py>(
    py: Python<'py>,
    op: Op<'_>,
    grad_output: &Input<'py>,
    input_shape: &[usize],
    geometry: &Geometry,
    divisor: Divisor,
) -> PyResult<Bound<'py, PyAny>> {
    if grad_output.shape() != geometry.output_shape() {
        let expected = geometry.output_shape();
        return Err(op.shapes(py, "grad_output", grad_output.shape(), "the output", expected));
    }
    let mut output = output_like(op, grad_output, input_shape)?;
    let call = Call { py, op, input: grad_output, output: &mut output };
    run_float(call, FloatJob::AverageBackward(geometry, divisor))?;
    Ok(output.into_array())
}
