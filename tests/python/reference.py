"""Pooling by plain loops: what poolnd must return, written to be believed at sight.

Every function takes the number of pooled axes first; these are the trailing
axes, all axes before them are independent. A window is the list of positions it
reads along one axis, in increasing order, positions in the padding left out.
The rules are those of PyTorch 2.13 (torch.nn.functional).
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Windows = list[list[int]]
Size = int | Sequence[int]


def per_axis(value: Size, ndim: int) -> tuple[int, ...]:
    """One number for each pooled axis; a single number serves all of them."""
    numbers = list(value) if isinstance(value, Sequence) else [value]
    return tuple(int(n) for n in (numbers * ndim if len(numbers) == 1 else numbers))


def kernel_volume(ndim: int, kernel_size: Size) -> int:
    """Elements of a window that lies within the input."""
    return math.prod(per_axis(kernel_size, ndim))


def output_size(
    length: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int = 1,
    *,
    ceil_mode: bool = False,
) -> int:
    """How many windows fit along an axis of `length` elements."""
    room = length + 2 * padding - dilation * (kernel - 1) - 1
    count = -(-room // stride) + 1 if ceil_mode else room // stride + 1
    # In ceil mode the last window must start inside the input or the left padding.
    if ceil_mode and (count - 1) * stride >= length + padding:
        count -= 1
    return count


def windows(
    length: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int = 1,
    *,
    ceil_mode: bool = False,
) -> Windows:
    """The positions that each window of a regular pooling reads."""
    count = output_size(length, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    starts = [i * stride - padding for i in range(count)]
    taps = [[start + j * dilation for j in range(kernel)] for start in starts]
    return [[tap for tap in window if 0 <= tap < length] for window in taps]


def bins(length: int, count: int) -> Windows:
    """The positions that each bin of an adaptive pooling reads: start rounded down, end up."""
    edges = [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
    return [list(range(start, end)) for start, end in edges]


def identity(dtype: np.dtype[Any]) -> Any:
    """The maximum of no elements."""
    if dtype.kind == "b":
        return False
    return int(np.iinfo(dtype).min) if dtype.kind in "iu" else -math.inf


def numbers(x: Array) -> Any:
    """The same values as Python numbers: exact for every dtype poolnd knows."""
    return (x if x.dtype.kind in "biu" else x.astype(np.float64)).astype(object)


def split(x: Array, axes: Sequence[Windows]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape of the independent axes, and the shape of the pooled axes of the result."""
    return x.shape[: x.ndim - len(axes)], tuple(len(axis) for axis in axes)


def max_over(x: Array, axes: Sequence[Windows]) -> tuple[Array, Array]:
    """Maximum of every window, and its flat position within the pooled axes of the input.

    The first of equal elements wins, and every NaN wins over what was before it.
    A window without elements has the identity as its value and the index -1; `max_pool` knows
    where such windows are.
    """
    outer, pooled = split(x, axes)
    sizes = x.shape[len(outer) :]
    values = np.full(outer + pooled, identity(x.dtype), object)
    indices = np.full(outer + pooled, -1, np.int64)
    data = numbers(x)
    for at in np.ndindex(outer):
        for out in np.ndindex(pooled):
            for tap in itertools.product(*(axis[i] for axis, i in zip(axes, out, strict=True))):
                value, best = data[at + tap], values[at + out]
                if indices[at + out] < 0 or value > best or math.isnan(value):
                    values[at + out] = value
                    indices[at + out] = int(np.ravel_multi_index(tap, sizes))
    return narrow(values, x.dtype), indices


def mean_over(x: Array, axes: Sequence[Windows], divisors: Array) -> Array:
    """Sum of every window over its divisor: in float64 and rounded once, or as integers."""
    outer, pooled = split(x, axes)
    values = np.zeros(outer + pooled, object)
    data = numbers(x)
    for at in np.ndindex(outer):
        for out in np.ndindex(pooled):
            taps = itertools.product(*(axis[i] for axis, i in zip(axes, out, strict=True)))
            terms = [data[at + tap] for tap in taps]
            if x.dtype.kind in "iu":
                values[at + out] = integer_mean(sum(terms), int(divisors[out]), x.dtype)
            else:
                values[at + out] = float_sum(terms) / divisors[out]
    return narrow(values, x.dtype)


def float_sum(terms: list[float]) -> float:
    """Correctly rounded if all terms are finite; else infinity or NaN, as in any order."""
    return math.fsum(terms) if all(math.isfinite(term) for term in terms) else sum(terms)


def integer_mean(total: int, divisor: int, dtype: np.dtype[Any]) -> int:
    """Sums wrap around at 64 bits, quotients are truncated toward zero and clamped to the dtype."""
    total %= 2**64
    if dtype.kind == "i" and total >= 2**63:
        total -= 2**64
    quotient = abs(total) // abs(divisor)
    if (total < 0) != (divisor < 0):
        quotient = -quotient
    limits = np.iinfo(dtype)
    return min(max(quotient, int(limits.min)), int(limits.max))


def narrow(values: Array, dtype: np.dtype[Any]) -> Array:
    """Python numbers as an array of `dtype`; floats are rounded once."""
    wide = values if dtype.kind in "biu" else values.astype(np.float64)
    with np.errstate(over="ignore"):
        return wide.astype(dtype)


def max_pool(
    ndim: int,
    x: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """Values and indices of torch.nn.functional.max_pool{1,2,3}d."""
    each = axis_rules(ndim, x, kernel_size, stride or kernel_size, padding, dilation)
    values, indices = max_over(x, [windows(*axis, ceil_mode=ceil_mode) for axis in each])
    places = places_without_elements(each, ceil_mode=ceil_mode)
    return values, np.where(indices < 0, places, indices)


def places_without_elements(each: list[tuple[int, ...]], *, ceil_mode: bool) -> Array:
    """The index of every window if it has no elements.

    PyTorch names the first tap that is not in the padding before the input, wherever that is;
    poolnd does so too if the input has that many elements, and says -1 if not.
    """
    flat = np.zeros((), np.int64)
    for length, kernel, stride, padding, dilation in each:
        count = output_size(length, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
        starts = [i * stride - padding for i in range(count)]
        firsts = [start if start >= 0 else start % dilation for start in starts]
        flat = np.add.outer(flat * length, firsts)
    return np.where(flat < math.prod(length for length, *_ in each), flat, -1)


def avg_pool(ndim: int, x: Array, *arguments: Any, **options: Any) -> Array:
    """The result of torch.nn.functional.avg_pool{1,2,3}d."""
    return mean_over(x, *avg_windows(ndim, x, *arguments, **options))


def avg_windows(
    ndim: int,
    x: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> tuple[list[Windows], Array]:
    """The windows of an average, and what the sum of each is divided by."""
    each = axis_rules(ndim, x, kernel_size, stride or kernel_size, padding)
    axes = [windows(*axis, ceil_mode=ceil_mode) for axis in each]
    if divisor_override is not None:
        lengths = [[1] * len(axis) for axis in axes]
    elif count_include_pad:
        lengths = [padded_lengths(*axis, ceil_mode=ceil_mode) for axis in each]
    else:
        lengths = window_lengths(axes)
    return axes, outer_product(lengths) * (divisor_override or 1)


def window_lengths(axes: list[Windows]) -> list[list[int]]:
    """Elements of each window, along each axis."""
    return [[len(window) for window in axis] for axis in axes]


def axis_rules(ndim: int, x: Array, *rule: Size) -> list[tuple[int, ...]]:
    """Length, kernel, stride, ... of each pooled axis."""
    return list(zip(x.shape[-ndim:], *(per_axis(part, ndim) for part in rule), strict=True))


def padded_lengths(
    length: int, kernel: int, stride: int, padding: int, *, ceil_mode: bool
) -> list[int]:
    """Elements of each window that lie in the input or its padding, not beyond."""
    count = output_size(length, kernel, stride, padding, ceil_mode=ceil_mode)
    starts = [i * stride - padding for i in range(count)]
    return [min(start + kernel, length + padding) - start for start in starts]


def outer_product(lengths: Sequence[Sequence[int]]) -> Array:
    """Number of elements of every window, from its length along each axis (Python integers)."""
    result = np.ones((), object)
    for axis in lengths:
        result = np.multiply.outer(result, np.array(axis, object))
    return result


def adaptive_axes(ndim: int, x: Array, output_size: int | Sequence[int | None]) -> list[Windows]:
    """The bins along each pooled axis; None keeps the length of the input."""
    lengths = x.shape[-ndim:]
    counts = output_size if isinstance(output_size, Sequence) else [output_size] * ndim
    return [
        bins(length, length if count is None else int(count))
        for length, count in zip(lengths, counts, strict=True)
    ]


def adaptive_max_pool(
    ndim: int, x: Array, output_size: int | Sequence[int | None]
) -> tuple[Array, Array]:
    """Values and indices of torch.nn.functional.adaptive_max_pool{1,2,3}d."""
    return max_over(x, adaptive_axes(ndim, x, output_size))


def adaptive_avg_pool(ndim: int, x: Array, output_size: int | Sequence[int | None]) -> Array:
    """The result of torch.nn.functional.adaptive_avg_pool{1,2,3}d."""
    axes = adaptive_axes(ndim, x, output_size)
    return mean_over(x, axes, outer_product(window_lengths(axes)))
