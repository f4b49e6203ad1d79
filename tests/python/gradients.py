"""Gradients by plain loops: what goes into a result gets its share of that result's gradient.

Each function is named for a family of operators, and takes the number of pooled axes, the input,
the gradient of the result (of its values, where there are indices) and the operator's other
arguments. Its result is float64, from float64 sums.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import irregular, reference

Array = np.ndarray[Any, np.dtype[Any]]


def to_indices(ndim: int, shape: tuple[int, ...], grad: Array, indices: Array) -> Array:
    """Add every gradient where its maximum was found; -1 is nowhere."""
    result = np.zeros(shape)
    for at in np.ndindex(shape[:-ndim]):
        plane = result[at].reshape(-1)
        for gradient, index in zip(grad[at].flat, indices[at].flat, strict=True):
            if index >= 0:
                plane[index] += gradient
    return result


def to_windows(
    shape: tuple[int, ...], grad: Array, axes: list[reference.Windows], divisors: Array
) -> Array:
    """Add every gradient, divided, to all elements of its window."""
    result = np.zeros(shape)
    for at in np.ndindex(shape[: -len(axes)]):
        for out in np.ndindex(divisors.shape):
            share = grad[at + out] / divisors[out]
            for tap in itertools.product(*(axis[i] for axis, i in zip(axes, out, strict=True))):
                result[at + tap] += share
    return result


def max_pool(ndim: int, x: Array, grad: Array, **arguments: Any) -> Array:
    _, indices = reference.max_pool(ndim, x, **arguments)
    return to_indices(ndim, x.shape, grad.astype(np.float64), indices)


def adaptive_max_pool(ndim: int, x: Array, grad: Array, **arguments: Any) -> Array:
    _, indices = reference.adaptive_max_pool(ndim, x, **arguments)
    return to_indices(ndim, x.shape, grad.astype(np.float64), indices)


def fractional_max_pool(
    ndim: int, x: Array, grad: Array, _random_samples: Array, **arguments: Any
) -> Array:
    _, indices = irregular.fractional_max_pool(ndim, x, samples=_random_samples, **arguments)
    return to_indices(ndim, x.shape, grad.astype(np.float64), indices)


def avg_pool(ndim: int, x: Array, grad: Array, **arguments: Any) -> Array:
    axes, divisors = reference.avg_windows(ndim, x, **arguments)
    return to_windows(x.shape, grad.astype(np.float64), axes, divisors.astype(np.float64))


def adaptive_avg_pool(ndim: int, x: Array, grad: Array, **arguments: Any) -> Array:
    axes = reference.adaptive_axes(ndim, x, **arguments)
    divisors = reference.outer_product(reference.window_lengths(axes)).astype(np.float64)
    return to_windows(x.shape, grad.astype(np.float64), axes, divisors)


def max_unpool(ndim: int, x: Array, grad: Array, indices: Array, **_arguments: Any) -> Array:
    """As PyTorch defines it: of elements with the same index, all get what lies there."""
    result = np.zeros(x.shape)
    for at in np.ndindex(x.shape[:-ndim]):
        plane = grad[at].astype(np.float64).reshape(-1)
        for out in np.ndindex(x.shape[-ndim:]):
            result[at + out] = plane[indices[at + out]]
    return result


def lp_pool(
    ndim: int,
    x: Array,
    grad: Array,
    norm_type: float,
    kernel_size: reference.Size,
    stride: reference.Size | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Through the root, the multiple of the mean, and the powers; infinite p as a maximum."""
    wide, wide_grad = x.astype(np.float64), grad.astype(np.float64)
    rule = {"kernel_size": kernel_size, "stride": stride, "ceil_mode": ceil_mode}
    if math.isinf(norm_type):
        signed = np.copysign(1, norm_type) * np.abs(wide)
        return max_pool(ndim, signed, wide_grad, **rule) * sign(wide)
    volume = reference.kernel_volume(ndim, kernel_size)
    with np.errstate(all="ignore"):
        means = reference.avg_pool(ndim, wide**norm_type, **rule)
        root = (means * volume) ** (1 / norm_type - 1) / norm_type
        # The root is taken of sign(mean) * relu(|mean|): a window of zeros passes nothing on,
        # whatever the slope of the root there.
        of_means = np.where(means == 0, 0.0, wide_grad * root * volume * sign(means) ** 2)
        powers = avg_pool(ndim, x, of_means, **rule)
        return powers * norm_type * wide ** (norm_type - 1)


def sign(x: Array) -> Array:
    """PyTorch's: 0 for NaN."""
    return np.where(np.isnan(x), 0.0, np.sign(x))


def conv2d(
    x: Array,
    weight: Array,
    grad: Array,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> tuple[Array, Array]:
    """Gradients of the input and of the filters: each product passes on to both its factors."""
    of_x, of_weight = np.zeros(x.shape), np.zeros(weight.shape)
    group, (_, channels, height, width) = weight.shape[0] // groups, weight.shape
    for n, o, i, j in np.ndindex(grad.shape):
        gradient = float(grad[n, o, i, j])
        for c, a, b in np.ndindex(channels, height, width):
            row = i * stride[0] - padding[0] + a * dilation[0]
            column = j * stride[1] - padding[1] + b * dilation[1]
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                at = (n, o // group * channels + c, row, column)
                of_x[at] += gradient * float(weight[o, c, a, b])
                of_weight[o, c, a, b] += gradient * float(x[at])
    return of_x, of_weight


def central_differences(
    function: Callable[[Array], Array], x: Array, grad: Array, step: float
) -> Array:
    """Gradient of the sum of grad * function(x), from the function's values alone."""
    result = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[at] += step
        below[at] -= step
        result[at] = np.sum(grad * (function(above) - function(below))) / (2 * step)
    return result
