"""Gradients of averages and power averages over regular windows."""

import math
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from poolnd import _core
from poolnd._arguments import as_array, is_half, sizes
from poolnd._core import PoolError
from poolnd._typing import Array, Ndim, Size
from poolnd.nn.grad.check import check_shape, read
from poolnd.nn.lp import exponent, toward_maximum


def avg_pool1d_backward(
    grad_output: ArrayLike,
    input: Any,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Array:
    """Gradient of `avg_pool1d`; see `avg_pool2d_backward`."""
    options = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _avg_backward("avg_pool1d_backward", 1, grad_output, input, *options)


def avg_pool2d_backward(
    grad_output: ArrayLike,
    input: Any,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Array:
    """Gradient of `avg_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like
        Gradient of the averages, shape ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``.
    input : array_like
        What was pooled; only its shape and dtype matter.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        What `avg_pool2d` was called with; a stride of None or () stands for `kernel_size`.

    Returns
    -------
    ndarray
        Shape of the input, dtype of `grad_output`: every element gets the gradient of each window
        that it lies in, divided by what the sum of that window was divided by.

    Raises
    ------
    PoolError
        A shape, dtype or size that does not fit the others.
    TypeError
        Not floating point, or a size that is not an integer.

    Examples
    --------
    >>> import numpy as np
    >>> from poolnd.nn import grad
    >>> grad.avg_pool2d_backward(np.ones((1, 1, 2)), np.empty((1, 2, 3)), 2, 1, 0, False, True)
    array([[[0.25, 0.5 , 0.25],
            [0.25, 0.5 , 0.25]]])
    """
    options = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _avg_backward("avg_pool2d_backward", 2, grad_output, input, *options)


def avg_pool3d_backward(
    grad_output: ArrayLike,
    input: Any,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Array:
    """Gradient of `avg_pool3d`; see `avg_pool2d_backward`."""
    options = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _avg_backward("avg_pool3d_backward", 3, grad_output, input, *options)


def _avg_backward(op: str, ndim: Ndim, grad_output: ArrayLike, input: Any, *options: Any) -> Array:
    grad, shape = read(op, grad_output, input)
    return _core.avg_backward(op, ndim, grad, shape, *options)


def lp_pool1d_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    norm_type: SupportsFloat,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Gradient of `lp_pool1d`; see `lp_pool2d_backward`."""
    options = (norm_type, kernel_size, stride, ceil_mode)
    return _lp_backward("lp_pool1d_backward", 1, grad_output, input, *options)


def lp_pool2d_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    norm_type: SupportsFloat,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Gradient of `lp_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like
        Gradient of the power averages, shape ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``.
    input : array_like
        What was pooled.
    norm_type, kernel_size, stride, ceil_mode
        What `lp_pool2d` was called with.

    Returns
    -------
    ndarray
        Shape of the input, dtype of `grad_output`. A window whose powers add up to 0 has the
        gradient 0, but NaN at its zeros if `norm_type` is below 1.

    Raises
    ------
    PoolError
        A shape, dtype, size or `norm_type` that does not fit the others.
    TypeError
        Not floating point, a `norm_type` that is not a number, or a size that is not an integer.

    Notes
    -----
    The steps are those that autograd takes through ``torch.nn.functional.lp_pool2d``, PyTorch
    2.13, so that infinities and NaN are met where PyTorch meets them.

    Examples
    --------
    >>> import numpy as np
    >>> from poolnd.nn import grad
    >>> x = np.array([[[3.0, 0.0], [0.0, 4.0]]])
    >>> grad.lp_pool2d_backward(np.ones((1, 1, 1)), x, 2, 2)
    array([[[0.6, 0. ],
            [0. , 0.8]]])
    """
    options = (norm_type, kernel_size, stride, ceil_mode)
    return _lp_backward("lp_pool2d_backward", 2, grad_output, input, *options)


def lp_pool3d_backward(
    grad_output: ArrayLike,
    input: ArrayLike,
    norm_type: SupportsFloat,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Gradient of `lp_pool3d`; see `lp_pool2d_backward`."""
    options = (norm_type, kernel_size, stride, ceil_mode)
    return _lp_backward("lp_pool3d_backward", 3, grad_output, input, *options)


def _lp_backward(
    op: str,
    ndim: Ndim,
    grad_output: ArrayLike,
    input: ArrayLike,
    norm_type: SupportsFloat,
    kernel_size: Size,
    stride: Size | None,
    ceil_mode: bool,
) -> Array:
    x = as_array(op, "input", input)
    grad, _ = read(op, grad_output, x)
    p = exponent(op, norm_type)
    if p == 0:
        raise PoolError(f"{op}: norm_type should not be zero: division by zero in 1 / norm_type")
    dtype = grad.dtype
    if is_half(dtype):
        grad, x = grad.astype(np.float64), x.astype(np.float64)
    through = _extremum_backward if math.isinf(p) else _power_backward
    with np.errstate(all="ignore"):  # infinities and NaN follow IEEE arithmetic in silence
        result = through(op, ndim, grad, x, p, kernel_size, stride, ceil_mode)
        return result.astype(dtype, copy=False)


def _extremum_backward(
    op: str,
    ndim: Ndim,
    grad: Array,
    x: Array,
    p: float,
    kernel_size: Size,
    stride: Size | None,
    ceil_mode: bool,
) -> Array:
    """Gradient through the maximum or minimum of ``|x|``."""
    windows = (kernel_size, stride, 0, 1, ceil_mode)
    _, indices = _core.max_pool(op, ndim, toward_maximum(x, p), *windows, True)
    check_shape(op, grad.shape, indices.shape)
    result = _core.max_backward(op, ndim, grad, indices, x.shape)
    result *= _sign(x)
    return result


def _power_backward(
    op: str,
    ndim: Ndim,
    grad: Array,
    x: Array,
    p: float,
    kernel_size: Size,
    stride: Size | None,
    ceil_mode: bool,
) -> Array:
    """Gradient through x ** p, the mean, its sign and magnitude, and the root of their multiple."""
    windows = (kernel_size, stride, 0, ceil_mode, True, None)
    volume = math.prod(sizes(op, ndim, "kernel_size", kernel_size))
    means = _core.avg_pool(op, ndim, x**p, *windows)
    check_shape(op, grad.shape, means.shape)
    root = 1 / p
    # In the memory order of grad, which the core hands on.
    grad_means = np.multiply(grad, root * (means * volume) ** (root - 1), out=np.empty_like(grad))
    grad_means *= volume * _sign(means) ** 2
    # A mean of 0 stops the gradient, even an infinite one: relu comes before the root.
    grad_means[means == 0] = 0
    result = _core.avg_backward(op, ndim, grad_means, x.shape, *windows)
    result *= p * x ** (p - 1)
    return result


def _sign(x: Array) -> Array:
    """Sign as PyTorch has it: 0 for NaN."""
    signs: Array = np.sign(x)
    signs[np.isnan(x)] = 0
    return signs
