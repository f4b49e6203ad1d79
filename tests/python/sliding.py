"""The reference again, by NumPy over whole arrays, for shapes where plain loops take too long.

test_reference.py holds it against reference.py. The input is padded with cells
marked as outside, all windows are viewed at once, and each is reduced along
its taps.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import reference

Array = np.ndarray[Any, np.dtype[Any]]


def max_pool(
    ndim: int,
    x: Array,
    kernel_size: reference.Size,
    stride: reference.Size | None = None,
    padding: reference.Size = 0,
    dilation: reference.Size = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """As reference.max_pool."""
    rule = [
        reference.per_axis(part, ndim)
        for part in (kernel_size, stride or kernel_size, padding, dilation)
    ]
    # bfloat16 has no window operations of its own; float32 holds it exactly.
    data = x if x.dtype.kind in "biu" else x.astype(np.promote_types(np.float32, native(x)))
    sizes = x.shape[-ndim:]
    cells = np.arange(int(np.prod(sizes))).reshape(sizes)
    taps = all_taps(data, rule, ceil_mode, reference.identity(x.dtype))
    positions = all_taps(cells, rule, ceil_mode, -1)
    inside = positions >= 0
    best = taps.max(axis=-1)
    wins = inside & ((taps == best[..., None]) | np.isnan(taps))
    first = wins.argmax(axis=-1)
    last = wins.shape[-1] - 1 - wins[..., ::-1].argmax(axis=-1)
    chosen = np.where(np.isnan(best), last, first)
    flat = np.broadcast_to(positions, taps.shape)
    indices = np.take_along_axis(flat, chosen[..., None], axis=-1)[..., 0]
    each = reference.axis_rules(ndim, x, *rule)
    places = reference.places_without_elements(each, ceil_mode=ceil_mode)
    indices = np.where(inside.any(axis=-1), indices, places)
    return best.astype(x.dtype), indices.astype(np.int64)


def avg_pool(
    ndim: int,
    x: Array,
    kernel_size: reference.Size,
    stride: reference.Size | None = None,
    padding: reference.Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """As reference.avg_pool, but floats are summed in float64 in whatever order NumPy does."""
    rule = [
        reference.per_axis(part, ndim) for part in (kernel_size, stride or kernel_size, padding, 1)
    ]
    wide = x.astype({"i": np.int64, "u": np.uint64}.get(x.dtype.kind, np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        totals = all_taps(wide, rule, ceil_mode, 0).sum(axis=-1)
    sizes = x.shape[-ndim:]
    counted = np.ones(sizes, np.int64)
    if count_include_pad:
        # The padding is counted where it was asked for, not where ceil mode overhangs.
        counted = np.ones([n + 2 * p for n, p in zip(sizes, rule[2], strict=True)], np.int64)
        rule = [*rule[:2], (0,) * ndim, rule[3]]
    counts = all_taps(counted, rule, ceil_mode, 0, totals.shape[-ndim:]).sum(axis=-1)
    divisors = counts if divisor_override is None else np.full_like(counts, divisor_override)
    if x.dtype.kind in "iu":
        means = [
            reference.integer_mean(int(total), int(divisor), x.dtype)
            for total, divisor in np.broadcast(totals, divisors)
        ]
        return np.array(means, x.dtype).reshape(totals.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        quotients: Array = totals / divisors
        return quotients.astype(x.dtype)


def all_taps(
    x: Array,
    rule: Sequence[Sequence[int]],
    ceil_mode: bool,
    outside: Any,
    counts: Sequence[int] | None = None,
) -> Array:
    """Every window's elements along a last axis, `outside` where a tap is not in the input."""
    kernel, stride, padding, dilation = rule
    ndim = len(kernel)
    each = list(zip(x.shape[-ndim:], kernel, stride, padding, dilation, strict=True))
    if counts is None:
        counts = [reference.output_size(*axis, ceil_mode=ceil_mode) for axis in each]
    margins = [(0, 0)] * (x.ndim - ndim)
    spans = []
    for (n, k, s, p, d), count in zip(each, counts, strict=True):
        span = d * (k - 1) + 1
        margins.append((p, max(0, (count - 1) * s + span - p - n)))
        spans.append(span)
    padded = np.pad(x, margins, constant_values=outside)
    axes = tuple(range(x.ndim - ndim, x.ndim))
    views = sliding_window_view(padded, spans, axis=axes)
    pick_outputs: Any = tuple(
        slice(0, (count - 1) * s + 1, s) for count, s in zip(counts, stride, strict=True)
    )
    pick_taps: Any = tuple(slice(None, None, d) for d in dilation)
    views = views[(..., *pick_outputs, *(slice(None),) * ndim)][(..., *pick_taps)]
    return views.reshape(*views.shape[:-ndim], math.prod(kernel))


def native(x: Array) -> np.dtype[Any]:
    """The dtype of `x` if NumPy has it itself, else the float32 that stands in for it."""
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
