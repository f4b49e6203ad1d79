//! The core's functions, called with a dtype known as a type and without the interpreter.

use poolnd::{
    Accumulator, Divisor, Element, Execution, Geometry, Mean, PoolError, View, ViewMut,
    average_backward_into, average_into, fractional_max_into, max_backward_into, max_into,
    max_with_indices_into, power_average_into, unpool_backward_into, unpool_into,
};
use pyo3::prelude::*;

use crate::args::Op;
use crate::array::{Input, Output};
use crate::threads::with_execution;

/// Below this many bytes letting go of the interpreter costs more than it gives others.
const HOLD_BYTES: usize = 32 << 10;

/// Below this many bytes threads are not worth starting, even if every result is slow to come by.
const SHARED_BYTES: usize = Execution::MIN_PARALLEL_BYTES / 4;

/// What every job has: the array it reads and the one it writes.
pub(crate) struct Call<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) op: Op<'a>,
    pub(crate) input: &'a Input<'py>,
    pub(crate) output: &'a mut Output<'py>,
}

/// Jobs for any dtype. Axes are the pooled ones.
pub(crate) enum ElementJob<'a, 'py> {
    Max(&'a Geometry),
    MaxWithIndices(&'a Geometry, &'a mut Output<'py>),
    FractionalMax(
        &'a [usize],
        &'a [usize],
        &'a (dyn Fn(usize, usize) -> Vec<usize> + Sync),
        Option<&'a mut Output<'py>>,
    ),
    Unpool(&'a [usize], &'a Input<'py>),
    UnpoolBackward(&'a [usize], &'a Input<'py>),
}

/// Jobs for dtypes that have averages.
pub(crate) enum NumberJob<'a> {
    Average(&'a Geometry, Divisor),
}

/// Jobs for floating-point dtypes.
pub(crate) enum FloatJob<'a, 'py> {
    PowerAverage(&'a Geometry, f64, f64),
    AverageBackward(&'a Geometry, Divisor),
    MaxBackward(&'a [usize], &'a Input<'py>),
}

pub(crate) fn element<T: Element>(call: Call<'_, '_>, job: ElementJob<'_, '_>) -> PyResult<()> {
    let refuse = |error| call.op.refuse(call.py, error);
    match job {
        ElementJob::Max(geometry) => {
            call.run::<T>(|e, input, output| max_into(e, geometry, input, output))
        }
        ElementJob::MaxWithIndices(geometry, indices) => {
            let indices = indices.view::<i64>().map_err(refuse)?;
            call.run::<T>(|e, input, output| {
                max_with_indices_into(e, geometry, input, output, indices)
            })
        }
        ElementJob::FractionalMax(axes, kernel_size, starts, indices) => {
            let indices = indices.map(Output::view::<i64>).transpose().map_err(refuse)?;
            call.run::<T>(|e, input, output| {
                fractional_max_into(e, axes, kernel_size, starts, input, output, indices)
            })
        }
        ElementJob::Unpool(axes, indices) => {
            let indices = indices.view::<i64>().map_err(refuse)?;
            call.run::<T>(|e, input, output| unpool_into(e, axes, input, &indices, output))
        }
        ElementJob::UnpoolBackward(axes, indices) => {
            let indices = indices.view::<i64>().map_err(refuse)?;
            call.run::<T>(|e, input, output| unpool_backward_into(e, axes, input, &indices, output))
        }
    }
}

pub(crate) fn number<T: Mean>(call: Call<'_, '_>, job: NumberJob<'_>) -> PyResult<()> {
    let NumberJob::Average(geometry, divisor) = job;
    call.run::<T>(|e, input, output| average_into(e, geometry, divisor, input, output))
}

pub(crate) fn float<T: Mean>(call: Call<'_, '_>, job: FloatJob<'_, '_>) -> PyResult<()>
where
    f64: Accumulator<T>,
{
    match job {
        FloatJob::PowerAverage(geometry, norm_type, volume) => call.run::<T>(|e, input, output| {
            power_average_into(e, geometry, norm_type, volume, input, output)
        }),
        FloatJob::AverageBackward(geometry, divisor) => call.run::<T>(|e, input, output| {
            average_backward_into(e, geometry, divisor, input, output)
        }),
        FloatJob::MaxBackward(axes, indices) => {
            let indices = indices.view::<i64>().map_err(|error| call.op.refuse(call.py, error))?;
            call.run::<T>(|e, input, output| max_backward_into(e, axes, input, &indices, output))
        }
    }
}

impl Call<'_, '_> {
    /// Runs `work` on views of the arrays, without the interpreter if that takes a while.
    fn run<T: Element>(
        self,
        work: impl Send + FnOnce(&Execution<'_>, &View<'_, T>, ViewMut<'_, T>) -> Result<(), PoolError>,
    ) -> PyResult<()> {
        let Self { py, op, input, output } = self;
        let refuse = |error| op.refuse(py, error);
        let bytes = input.bytes().max(output.bytes());
        let input = input.view::<T>().map_err(refuse)?;
        let output = output.view::<T>().map_err(refuse)?;
        let work = |execution: &Execution<'_>| work(execution, &input, output);
        let result = if bytes < HOLD_BYTES {
            work(&Execution::single_threaded())
        } else if bytes < SHARED_BYTES {
            py.detach(|| work(&Execution::single_threaded()))
        } else {
            py.detach(|| with_execution(work))
        };
        result.map_err(refuse)
    }
}
