//! PyTorch's rules beyond those of pooling itself: ranks, empty dimensions, window limits.

use poolnd::{Geometry, PoolError, Sliding, Window};
use pyo3::prelude::*;

use crate::args::{Op, Sizes};
use crate::array::Input;
use crate::dtype::Dtype;

/// The sizes of sliding windows, one per dimension.
pub(crate) struct Windows {
    pub(crate) kernel_size: Sizes,
    pub(crate) stride: Sizes,
    pub(crate) padding: Sizes,
    pub(crate) dilation: Sizes,
    pub(crate) ceil_mode: bool,
}

impl Windows {
    /// Reads the sizes of an operator without dilation.
    pub(crate) fn undilated(
        op: Op<'_>,
        kernel_size: &Bound<'_, PyAny>,
        stride: &Bound<'_, PyAny>,
        padding: &Bound<'_, PyAny>,
        ceil_mode: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let kernel_size = op.sizes("kernel_size", kernel_size)?;
        Ok(Self {
            kernel_size,
            stride: op.sizes_or("stride", stride, kernel_size)?,
            padding: op.sizes("padding", padding)?,
            dilation: [1; 3],
            ceil_mode: op.flag("ceil_mode", ceil_mode)?,
        })
    }

    /// [`Self::resolve`], and in 3-D PyTorch's rule that a window fits before padding.
    pub(crate) fn resolve_average<R>(
        &self,
        py: Python<'_>,
        op: Op<'_>,
        shape: &[usize],
        then: impl FnOnce(&Geometry) -> PyResult<R>,
    ) -> PyResult<R> {
        self.resolve(py, op, shape, |geometry| {
            if op.ndim == 3 {
                self.check_fits_unpadded(py, op, shape)?;
            }
            then(geometry)
        })
    }

    /// Checks the sizes as PyTorch does, lays the windows along the last dimensions and goes on
    /// with what comes out.
    pub(crate) fn resolve<R>(
        &self,
        py: Python<'_>,
        op: Op<'_>,
        shape: &[usize],
        then: impl FnOnce(&Geometry) -> PyResult<R>,
    ) -> PyResult<R> {
        check_rank(py, op, shape)?;
        (0..op.ndim)
            .try_for_each(|i| self.window(i).check_pytorch())
            .map_err(|error| op.refuse(py, error))?;
        check_not_empty(py, op, shape)?;
        with_geometry(py, op, shape, |i| self.window(i).into(), then)
    }

    fn window(&self, i: usize) -> Sliding {
        Window::sliding(self.kernel_size[i])
            .stride(self.stride[i])
            .padding(self.padding[i])
            .dilation(self.dilation[i])
            .ceil_mode(self.ceil_mode)
    }

    fn check_fits_unpadded(&self, py: Python<'_>, op: Op<'_>, shape: &[usize]) -> PyResult<()> {
        let spatial = &shape[shape.len() - op.ndim..];
        for (&len, &kernel_size) in spatial.iter().zip(&self.kernel_size) {
            if (len as i64) < kernel_size {
                let rule = format_args!(
                    "input image {spatial:?} smaller than kernel size: kernel_size={kernel_size} on \
                     an axis of length {len} (before padding)"
                );
                return Err(op.refuse(py, rule));
            }
        }
        Ok(())
    }
}

/// Lays one adaptive window per output size along the last dimensions and goes on with what comes
/// out.
pub(crate) fn resolve_adaptive<R>(
    py: Python<'_>,
    op: Op<'_>,
    shape: &[usize],
    output_size: [Option<i64>; 3],
    then: impl FnOnce(&Geometry) -> PyResult<R>,
) -> PyResult<R> {
    let spatial = shape.len() - op.ndim;
    let mut sizes = [0; 3];
    for i in 0..op.ndim {
        let size = output_size[i].unwrap_or(shape[spatial + i] as i64);
        sizes[i] = usize::try_from(size).map_err(|_| {
            let rule = format_args!(
                "elements of output_size must be greater than or equal to 0, but received {size} \
                 (negative dimension)"
            );
            op.refuse(py, rule)
        })?;
    }
    with_geometry(py, op, shape, |i| Window::adaptive(sizes[i]), then)
}

/// Lays one window along each of the last dimensions and goes on with what comes out: returning
/// it from function to function would copy hundreds of bytes each time.
fn with_geometry<R>(
    py: Python<'_>,
    op: Op<'_>,
    shape: &[usize],
    window: impl Fn(usize) -> Window,
    then: impl FnOnce(&Geometry) -> PyResult<R>,
) -> PyResult<R> {
    let spatial = shape.len() - op.ndim;
    let pair = |i: usize| (spatial + i, window(i));
    let resolved = match op.ndim {
        1 => Geometry::new(shape, &[pair(0)]),
        2 => Geometry::new(shape, &[pair(0), pair(1)]),
        _ => Geometry::new(shape, &[pair(0), pair(1), pair(2)]),
    };
    match &resolved {
        Ok(geometry) => then(geometry),
        Err(error @ PoolError::OutputTooSmall { .. }) => {
            Err(op.refuse(py, format_args!("Given input size: {shape:?}. {error}")))
        }
        Err(error) => Err(op.refuse(py, error)),
    }
}

/// (C, spatial...) or (N, C, spatial...).
pub(crate) fn check_rank(py: Python<'_>, op: Op<'_>, shape: &[usize]) -> PyResult<()> {
    let (low, high) = (op.ndim + 1, op.ndim + 2);
    if shape.len() == low || shape.len() == high {
        return Ok(());
    }
    let rule = format_args!(
        "Expected {low}D or {high}D (batch mode) input with optional 0 dim batch size, but got an \
         array of {} dimensions: shape {shape:?}",
        shape.len()
    );
    Err(op.refuse(py, rule))
}

/// No dimension but the batch may be empty.
pub(crate) fn check_not_empty(py: Python<'_>, op: Op<'_>, shape: &[usize]) -> PyResult<()> {
    let first = shape.len() - op.ndim - 1;
    check_dimensions_not_empty(py, op, shape, first)
}

/// Rank and empty dimensions of an adaptive operator's input. Channels may be missing where there
/// is no batch, and with one where PyTorch allows it.
pub(crate) fn check_adaptive_input(
    py: Python<'_>,
    op: Op<'_>,
    shape: &[usize],
    channels_may_be_empty: bool,
) -> PyResult<()> {
    check_rank(py, op, shape)?;
    let batched = shape.len() == op.ndim + 2;
    let checked = op.ndim + usize::from(batched && !channels_may_be_empty);
    check_dimensions_not_empty(py, op, shape, shape.len() - checked)
}

fn check_dimensions_not_empty(
    py: Python<'_>,
    op: Op<'_>,
    shape: &[usize],
    first: usize,
) -> PyResult<()> {
    let Some(empty) = (first..shape.len()).find(|&axis| shape[axis] == 0) else { return Ok(()) };
    let (low, high) = (op.ndim + 1, op.ndim + 2);
    let rule = format_args!(
        "Expected {low}D or {high}D (batch mode) input with optional 0 dim batch size: input's \
         non-batch dimensions must have non-zero (positive) length, but shape {shape:?} has \
         dimension {empty} being empty"
    );
    Err(op.refuse(py, rule))
}

/// Refuses a shape that no array can have.
pub(crate) fn check_size(py: Python<'_>, op: Op<'_>, shape: &[usize]) -> PyResult<()> {
    Geometry::new(shape, &[]).map(drop).map_err(|error| op.refuse(py, error))
}

/// Fractional windows must fit, in 3-D with an element to spare.
pub(crate) fn check_fractional(
    py: Python<'_>,
    op: Op<'_>,
    shape: &[usize],
    kernel_size: Sizes,
    output_size: Sizes,
) -> PyResult<()> {
    check_adaptive_input(py, op, shape, false)?;
    let (spatial, spare) = (shape.len() - op.ndim, i128::from(op.ndim == 3));
    for i in 0..op.ndim {
        let (len, kernel_size, size) = (shape[spatial + i], kernel_size[i], output_size[i]);
        if kernel_size <= 0 {
            let rule = format_args!("kernel_size must be greater than zero, but got {kernel_size}");
            return Err(op.refuse(py, rule));
        }
        if size < 0 {
            let rule = format_args!("output_size must not be negative, but got {size}");
            return Err(op.refuse(py, rule));
        }
        if i128::from(size) + i128::from(kernel_size) - 1 + spare > len as i128 {
            let rule = format_args!(
                "output_size={size} with kernel_size={kernel_size} is too large relative to input \
                 size {len} (rule: output_size + kernel_size - 1 {} input size)",
                if spare == 0 { "<=" } else { "<" }
            );
            return Err(op.refuse(py, rule));
        }
    }
    Ok(())
}

/// Samples have the shape (N, C, ndim), N at least the input's, and the input's dtype.
pub(crate) fn check_samples(
    py: Python<'_>,
    op: Op<'_>,
    input: &Input<'_>,
    samples: &Input<'_>,
    dtype: Dtype,
) -> PyResult<()> {
    let shape = input.shape();
    let (batch, channels) = match shape.len() - op.ndim {
        1 => (1, shape[0]),
        _ => (shape[0], shape[1]),
    };
    let got = samples.shape();
    let fits = matches!(*got, [n, c, d] if n >= batch && c == channels && d == op.ndim);
    if !fits {
        let rule = format_args!(
            "Expect _random_samples of shape (N, C, {}) with N no less than the input's batch size \
             {batch} and C equal to its channels {channels}, but got {got:?}",
            op.ndim
        );
        return Err(op.refuse(py, rule));
    }
    if samples.dtype != dtype {
        let rule = format_args!(
            "Expect _random_samples to have the same dtype as input ({dtype:?}), but got {:?}",
            samples.dtype
        );
        return Err(op.refuse(py, rule));
    }
    Ok(())
}
