"""What the gradients have in common: reading `grad_output` and comparing it with the input."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from poolnd._arguments import as_array, is_float, shape_of, sizes, truth
from poolnd._core import PoolError
from poolnd._typing import Array, Ndim, Size


def read(op: str, grad_output: ArrayLike, input: Any) -> tuple[Array, tuple[int, ...]]:
    """Return the gradient as an array, and the shape of the input it belongs to."""
    grad = as_array(op, "grad_output", grad_output)
    if not is_float(grad.dtype):
        raise TypeError(
            f"{op}: only floating point arrays have gradients, but grad_output is of {grad.dtype}:"
            " convert it with .astype() to float16, bfloat16, float32 or float64"
        )
    dtype = getattr(input, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.newbyteorder("=") != grad.dtype.newbyteorder("="):
        raise PoolError(
            f"{op}: expected grad_output of the input's dtype, {dtype}, but got {grad.dtype}"
        )
    return grad, shape_of(op, "input", input)


def check_shape(op: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Refuse a gradient that has not the shape of the result."""
    if shape != expected:
        raise PoolError(
            f"{op}: expected grad_output of the output's shape, {expected}, but got {shape}"
        )


def pooled_shape(
    op: str,
    ndim: Ndim,
    shape: tuple[int, ...],
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
) -> tuple[int, ...]:
    """Shape of the result of regular windows over an input of `shape`."""
    kernel = sizes(op, ndim, "kernel_size", kernel_size)
    omitted = stride is None or (isinstance(stride, Sequence) and not stride)
    steps = kernel if omitted else sizes(op, ndim, "stride", stride)
    pads, gaps = sizes(op, ndim, "padding", padding), sizes(op, ndim, "dilation", dilation)
    if min(kernel + steps + gaps) <= 0 or min(pads) < 0:
        raise PoolError(
            f"{op}: kernel_size, stride and dilation should be greater than zero and padding not"
            f" negative, but got {kernel}, {steps}, {gaps} and {pads}"
        )
    if len(shape) not in (ndim + 1, ndim + 2):
        raise PoolError(
            f"{op}: expected an input of {ndim + 1} or {ndim + 2} dimensions, but got shape {shape}"
        )
    rounded_up = truth(op, "ceil_mode", ceil_mode)
    axes = zip(shape[-ndim:], kernel, steps, pads, gaps, strict=True)
    return shape[:-ndim] + tuple(_windows(*axis, rounded_up) for axis in axes)


def _windows(length: int, kernel: int, step: int, pad: int, gap: int, ceil_mode: bool) -> int:
    room = length + 2 * pad - gap * (kernel - 1) - 1
    count = (room + step - 1 if ceil_mode else room) // step + 1
    # The last window must start inside the input or the padding before it.
    return count - 1 if ceil_mode and (count - 1) * step >= length + pad else count
