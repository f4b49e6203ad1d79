//! One call: borrow, allocate, let go of the interpreter, run.

use poolnd::{Execution, Geometry, PoolError};
use pyo3::prelude::*;

use crate::args::Op;
use crate::array::{Input, Output};
use crate::threads::with_execution;

/// Below this many bytes letting go of the interpreter costs more than it gives others.
const HOLD_BYTES: usize = 32 << 10;

/// The memory order of a result: that of its input.
pub(crate) fn channel_axis(op: Op<'_>, input: &Input<'_>) -> Option<usize> {
    input.is_channels_last(op.ndim).then(|| input.shape().len() - op.ndim - 1)
}

/// A new array like the input, with the geometry's output shape.
pub(crate) fn output_like<'py>(
    op: Op<'_>,
    input: &Input<'py>,
    geometry: &Geometry,
) -> PyResult<Output<'py>> {
    Output::new(input.descr(), geometry.output_shape(), channel_axis(op, input))
}

/// Runs `work`, without the interpreter if that takes a while.
pub(crate) fn run(
    py: Python<'_>,
    op: Op<'_>,
    bytes: usize,
    work: impl Send + FnOnce(&Execution<'_>) -> Result<(), PoolError>,
) -> PyResult<()> {
    let result = if bytes < HOLD_BYTES {
        with_execution(bytes, work)
    } else {
        py.detach(|| with_execution(bytes, work))
    };
    result.map_err(|error| op.refuse(py, error))
}
