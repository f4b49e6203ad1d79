"""The reference for the other poolings: power averages, fractional windows and unpooling.

As in reference.py, by plain loops, with the number of pooled axes first, and with the
rules of PyTorch 2.13.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import reference

Array = np.ndarray[Any, np.dtype[Any]]


def lp_pool(
    ndim: int,
    x: Array,
    norm_type: float,
    kernel_size: reference.Size,
    stride: reference.Size | None = None,
    ceil_mode: bool = False,
) -> Array:
    """The result of torch.nn.functional.lp_pool{1,2,3}d: of floats in float64, rounded once."""
    rule = (kernel_size, stride, 0)
    if math.isinf(norm_type):
        sign = math.copysign(1, norm_type)
        extremes, _ = reference.max_pool(ndim, sign * magnitudes(x), *rule, ceil_mode=ceil_mode)
        return reference.narrow(reference.numbers(sign * extremes), x.dtype)
    volume = reference.kernel_volume(ndim, kernel_size)
    if x.dtype.kind in "biu" and isinstance(norm_type, int):
        # PyTorch's integers: powers and means are integers, only the root is not.
        powers = x.astype(np.int64) ** norm_type
        means = reference.avg_pool(ndim, powers, *rule, ceil_mode)
        with np.errstate(invalid="ignore"):
            return (means * volume).astype(np.float32) ** np.float32(1 / norm_type)
    dtype = x.dtype if x.dtype.kind not in "biu" else np.dtype(np.float32)
    with np.errstate(all="ignore"):
        means = reference.avg_pool(ndim, x.astype(np.float64) ** norm_type, *rule, ceil_mode)
        return reference.narrow((means * volume) ** (1 / norm_type), dtype)


def magnitudes(x: Array) -> Array:
    """|x|: of floats in float64, of integers in their own dtype, as far as that goes."""
    return np.abs(x) if x.dtype.kind in "iu" else np.abs(x.astype(np.float64))


def fractional_starts(length: int, kernel: int, count: int, sample: Any) -> list[int]:
    """Where the windows start, worked out in the dtype of the sample."""
    number = type(sample)
    if count < 2:
        return [length - kernel] * count
    step = number(length - kernel) / number(count - 1)
    first = int(sample * step)
    starts = [int((number(i) + sample) * step) - first for i in range(count - 1)]
    return [*starts, length - kernel]


def fractional_max_pool(
    ndim: int,
    x: Array,
    kernel_size: reference.Size,
    output_size: reference.Size,
    samples: Array,
) -> tuple[Array, Array]:
    """Values and indices of torch.nn.functional.fractional_max_pool{2,3}d."""
    lengths = x.shape[-ndim:]
    kernels = reference.per_axis(kernel_size, ndim)
    counts = reference.per_axis(output_size, ndim)
    outer = x.shape[:-ndim]
    values = np.zeros((*outer, *counts), x.dtype)
    indices = np.zeros((*outer, *counts), np.int64)
    for at in np.ndindex(outer):
        of_plane = samples[at if len(outer) == 2 else (0, *at)]
        # Samples are for W and H in 2-D, but for D, H and W in 3-D.
        in_order = of_plane[::-1] if ndim == 2 else of_plane
        axes = [
            [list(range(start, start + kernel)) for start in fractional_starts(n, kernel, o, u)]
            for n, kernel, o, u in zip(lengths, kernels, counts, in_order, strict=True)
        ]
        values[at], indices[at] = reference.max_over(x[at], axes)
    return values, indices


def unpooled_size(length: int, kernel: int, stride: int, padding: int) -> int:
    """The length that an axis had before it was pooled, where no remainder was left out."""
    return (length - 1) * stride - 2 * padding + kernel


def max_unpool(
    ndim: int,
    x: Array,
    indices: Array,
    kernel_size: reference.Size,
    stride: reference.Size | None = None,
    padding: reference.Size = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """The result of torch.nn.functional.max_unpool{1,2,3}d: of equal indices the last one wins."""
    each = reference.axis_rules(ndim, x, kernel_size, stride or kernel_size, padding)
    default = [unpooled_size(*axis) for axis in each]
    sizes = default if output_size is None else [int(n) for n in output_size[-ndim:]]
    outer = x.shape[:-ndim]
    result = np.zeros((*outer, *sizes), x.dtype)
    for at in np.ndindex(outer):
        for out in np.ndindex(x.shape[-ndim:]):
            result[at].flat[indices[at + out]] = x[at + out]
    return result
