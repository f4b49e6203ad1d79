"""Gradients of the two-dimensional convolution, as matrix products over the same windows."""

from collections.abc import Sequence
from itertools import product
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from poolnd._arguments import sizes
from poolnd._core import PoolError
from poolnd._typing import Array, Size
from poolnd.nn.conv import accumulator_of, allocate, blocks, pad, window_view
from poolnd.nn.conv_geometry import (
    Geometry,
    as_numbers,
    check_same_dtype,
    check_shapes,
    parse_geometry,
)


def conv2d_input(
    input_size: Sequence[SupportsIndex],
    weight: ArrayLike,
    grad_output: ArrayLike,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Array:
    """Gradient of `poolnd.nn.functional.conv2d` with respect to its input.

    Parameters
    ----------
    input_size : sequence of int
        Shape of the input, ``(N, C, H, W)`` or ``(C, H, W)``.
    weight : array_like
        The filters, shape ``(C_out, C // groups, kernel height, kernel width)``.
    grad_output : array_like
        Gradient of the result, shape ``(N, C_out, H_out, W_out)``, of the weight's dtype.
    stride, padding, dilation, groups
        What `conv2d` was called with.

    Returns
    -------
    ndarray
        Shape `input_size`, dtype of `grad_output`. Half precision is summed in float32 and
        rounded once.

    Raises
    ------
    PoolError
        Shapes, dtypes or sizes that do not fit each other.
    TypeError
        A size that is not an integer, or not floating point.

    Notes
    -----
    The semantics are those of ``torch.nn.grad.conv2d_input``, PyTorch 2.13.

    Examples
    --------
    >>> import numpy as np
    >>> from poolnd.nn import grad
    >>> grad.conv2d_input((1, 1, 1, 3), np.full((1, 1, 1, 2), 0.5), np.ones((1, 1, 1, 2)))
    array([[[[0.5, 1. , 0.5]]]])
    """
    filters, grad = as_numbers("weight", weight), as_numbers("grad_output", grad_output)
    shape = _shape("input_size", input_size)
    geometry = parse_geometry(filters.shape, stride, padding, dilation, groups)
    _check(shape, filters.shape, grad, geometry)
    check_same_dtype(grad.dtype, weight=filters)
    return input_gradient(shape, filters, grad, geometry)


def conv2d_weight(
    input: ArrayLike,
    weight_size: Sequence[SupportsIndex],
    grad_output: ArrayLike,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Array:
    """Gradient of `poolnd.nn.functional.conv2d` with respect to its filters.

    Parameters
    ----------
    input : array_like
        Shape ``(N, C, H, W)`` or ``(C, H, W)``.
    weight_size : sequence of int
        Shape of the filters, ``(C_out, C // groups, kernel height, kernel width)``.
    grad_output : array_like
        Gradient of the result, shape ``(N, C_out, H_out, W_out)``, of the input's dtype.
    stride, padding, dilation, groups
        What `conv2d` was called with.

    Returns
    -------
    ndarray
        Shape `weight_size`, dtype of `grad_output`. Half precision is summed in float32 and
        rounded once.

    Raises
    ------
    PoolError
        Shapes, dtypes or sizes that do not fit each other.
    TypeError
        A size that is not an integer, or not floating point.

    Notes
    -----
    The semantics are those of ``torch.nn.grad.conv2d_weight``, PyTorch 2.13.

    Examples
    --------
    >>> import numpy as np
    >>> from poolnd.nn import grad
    >>> x = np.array([[[[1.0, 2.0, 4.0]]]])
    >>> grad.conv2d_weight(x, (1, 1, 1, 2), np.ones((1, 1, 1, 2)))
    array([[[[3., 6.]]]])
    """
    images, grad = as_numbers("input", input), as_numbers("grad_output", grad_output)
    shape = _shape("weight_size", weight_size)
    geometry = parse_geometry(shape, stride, padding, dilation, groups)
    _check(images.shape, shape, grad, geometry)
    check_same_dtype(images.dtype, grad_output=grad)
    return _weight_gradient(images, shape, grad, geometry)


def input_gradient(
    shape: tuple[int, ...], filters: Array, grad: Array, geometry: Geometry
) -> Array:
    """Spread every gradient over the window that it belongs to, weighted by the filters."""
    groups, (channels_out, channels, kh, kw) = geometry.groups, filters.shape
    accumulator, grads = accumulator_of(grad.dtype), _batched(grad)
    height, width = shape[-2:]
    padded_size = geometry.padded_size(height, width)
    padded = allocate((len(grads), groups * channels, *padded_size), accumulator)
    padded[...] = 0
    windows = window_view(padded, geometry)
    rows = filters.astype(accumulator, copy=False).conj()
    rows = rows.reshape(groups, channels_out // groups, channels * kh * kw).swapaxes(1, 2)
    with np.errstate(over="ignore", invalid="ignore"):
        for block in blocks(windows):
            part, of_part = windows[block], grads[block].astype(accumulator, copy=False)
            n, (out_h, out_w) = len(part), part.shape[2:4]
            spread = rows @ of_part.reshape(n, groups, channels_out // groups, out_h * out_w)
            taps = spread.reshape(n, groups * channels, kh, kw, out_h, out_w)
            for i, j in product(range(kh), range(kw)):  # within one tap no element comes twice
                part[..., i, j] += taps[:, :, i, j]
        (top, _), (left, _) = geometry.padding
        inner = padded[:, :, top : top + height, left : left + width]
        return inner.astype(grad.dtype.newbyteorder("=")).reshape(shape)


def _weight_gradient(
    images: Array, shape: tuple[int, ...], grad: Array, geometry: Geometry
) -> Array:
    """Multiply every gradient with the window that it belongs to, and add up."""
    groups, (channels_out, channels, kh, kw) = geometry.groups, shape
    accumulator, grads = accumulator_of(grad.dtype), _batched(grad)
    windows = window_view(pad(_batched(images), geometry, accumulator), geometry)
    filters, taps = channels_out // groups, channels * kh * kw
    sums = np.zeros((groups, filters, taps), accumulator)
    with np.errstate(over="ignore", invalid="ignore"):
        for block in blocks(windows):
            part, of_part = windows[block].conj(), grads[block].astype(accumulator, copy=False)
            places = len(part) * part.shape[2] * part.shape[3]
            columns = part.transpose(1, 4, 5, 0, 2, 3).reshape(groups, taps, places)
            rows = of_part.swapaxes(0, 1).reshape(groups, filters, places)
            sums += rows @ columns.swapaxes(1, 2)
        return sums.astype(grad.dtype.newbyteorder("=")).reshape(shape)


def _batched(array: Array) -> Array:
    return array if array.ndim == 4 else array[np.newaxis]


def _shape(name: str, value: Sequence[SupportsIndex]) -> tuple[int, ...]:
    shape = sizes("conv2d", len(value), name, value)
    if min(shape, default=0) < 0:
        raise PoolError(f"conv2d: {name} must not be negative, but got {name}={value}")
    return shape


def _check(
    input_shape: tuple[int, ...], weight_shape: tuple[int, ...], grad: Array, geometry: Geometry
) -> None:
    if grad.dtype.kind in "iu":
        raise TypeError(
            f"conv2d: only floating point and complex arrays have gradients, but grad_output is of"
            f" {grad.dtype}; convert it with astype() first"
        )
    check_shapes(input_shape, weight_shape, None, geometry.groups)
    spatial = geometry.output_size(*input_shape[-2:])
    expected = (*input_shape[:-3], weight_shape[0], *spatial)
    if grad.shape != expected:
        raise PoolError(
            f"conv2d: expected grad_output of the output's shape, {expected}, but got {grad.shape}"
        )
