//! PyTorch's rules beyond those of pooling itself: ranks, empty dimensions, window limits.

use poolnd::{Geometry, PoolError, Sliding, Window};
use pyo3::prelude::*;

use crate::args::{Op, Sizes};

/// The sizes of sliding windows, one per dimension.
pub(crate) struct Windows {
    pub(crate) kernel_size: Sizes,
    pub(crate) stride: Sizes,
    pub(crate) padding: Sizes,
    pub(crate) dilation: Sizes,
    pub(crate) ceil_mode: bool,
}

impl Windows {
    /// Checks the sizes as PyTorch does and lays the windows along the last dimensions.
    pub(crate) fn resolve(
        &self,
        py: Python<'_>,
        op: Op<'_>,
        shape: &[usize],
    ) -> PyResult<Geometry> {
        check_rank(py, op, shape)?;
        let windows: Vec<Sliding> = (0..op.ndim)
            .map(|i| {
                Window::sliding(self.kernel_size[i])
                    .stride(self.stride[i])
                    .padding(self.padding[i])
                    .dilation(self.dilation[i])
                    .ceil_mode(self.ceil_mode)
            })
            .collect();
        windows.iter().try_for_each(Sliding::check_pytorch).map_err(|e| op.refuse(py, e))?;
        check_not_empty(py, op, shape)?;
        geometry(py, op, shape, windows.into_iter().map(Window::from))
    }

    /// avg_pool3d alone wants a window to fit before padding.
    pub(crate) fn check_avg_pool3d(
        &self,
        py: Python<'_>,
        op: Op<'_>,
        shape: &[usize],
    ) -> PyResult<()> {
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

/// Lays one adaptive window per output size along the last dimensions.
pub(crate) fn resolve_adaptive(
    py: Python<'_>,
    op: Op<'_>,
    shape: &[usize],
    output_size: [Option<i64>; 3],
) -> PyResult<Geometry> {
    let spatial = shape.len() - op.ndim;
    let mut windows = Vec::new();
    for (i, size) in output_size.into_iter().enumerate().take(op.ndim) {
        let size = size.unwrap_or(shape[spatial + i] as i64);
        let Ok(size) = usize::try_from(size) else {
            let rule = format_args!(
                "elements of output_size must be greater than or equal to 0, but received {size} \
                 (negative dimension)"
            );
            return Err(op.refuse(py, rule));
        };
        windows.push(Window::adaptive(size));
    }
    geometry(py, op, shape, windows)
}

fn geometry(
    py: Python<'_>,
    op: Op<'_>,
    shape: &[usize],
    windows: impl IntoIterator<Item = Window>,
) -> PyResult<Geometry> {
    let spatial = shape.len() - op.ndim;
    let windows: Vec<_> = windows.into_iter().enumerate().map(|(i, w)| (spatial + i, w)).collect();
    Geometry::new(shape, &windows).map_err(|error| match error {
        PoolError::OutputTooSmall { .. } => {
            let rule = format_args!("Given input size: {shape:?}. {error}");
            op.refuse(py, rule)
        }
        error => op.refuse(py, error),
    })
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

/// No spatial dimension may be empty.
pub(crate) fn check_spatial_not_empty(py: Python<'_>, op: Op<'_>, shape: &[usize]) -> PyResult<()> {
    check_dimensions_not_empty(py, op, shape, shape.len() - op.ndim)
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
