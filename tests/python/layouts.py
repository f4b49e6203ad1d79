# ruff: noqa: ARG001 - every layout has the same signature
"""Memory layouts: the same values, or where the layout demands it others, laid out in every way.

Each function takes a C-contiguous array of shape (N, C, spatial...) or (C, spatial...)
and the number of pooled axes. Its result is what poolnd is given, and
`np.array(result)` what the reference is given.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def contiguous(x: Array, ndim: int) -> Array:
    return x


def fortran(x: Array, ndim: int) -> Array:
    return np.asfortranarray(x)


def channels_last(x: Array, ndim: int) -> Array:
    """Channels adjacent in memory, as in an image file."""
    channel = x.ndim - ndim - 1
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, channel, -1)), -1, channel)


def transposed(x: Array, ndim: int) -> Array:
    """The last two axes swapped in memory."""
    return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)


def sliced(x: Array, ndim: int) -> Array:
    """Every second or third element of a larger array, along every axis."""
    steps = [2 + axis % 2 for axis in range(x.ndim)]
    parent = np.zeros([n * step for n, step in zip(x.shape, steps, strict=True)], x.dtype)
    view = parent[tuple(slice(1, None, step) for step in steps)]
    view[...] = x
    return view


def reversed_axes(x: Array, ndim: int) -> Array:
    """Negative strides along the pooled axes."""
    flip: Any = (..., *(slice(None, None, -1),) * ndim)
    view: Array = x[flip].copy()[flip]
    return view


def broadcast(x: Array, ndim: int) -> Array:
    """Zero stride along the last axis: its first element, repeated."""
    return np.broadcast_to(x[..., :1], x.shape)


def broadcast_outer(x: Array, ndim: int) -> Array:
    """Zero stride along the first axis."""
    return np.broadcast_to(x[:1], x.shape)


def unaligned(x: Array, ndim: int) -> Array:
    """Elements at odd addresses."""
    memory = np.zeros(x.nbytes + 1, np.uint8)[1:]
    view = memory.view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def byteswapped(x: Array, ndim: int) -> Array:
    """The other byte order, where the dtype has one."""
    return x.astype(x.dtype.newbyteorder())


def read_only(x: Array, ndim: int) -> Array:
    view = x.copy()
    view.flags.writeable = False
    return view


LAYOUTS: dict[str, Callable[[Array, int], Array]] = {
    function.__name__: function
    for function in (
        contiguous,
        fortran,
        channels_last,
        transposed,
        sliced,
        reversed_axes,
        broadcast,
        broadcast_outer,
        unaligned,
        byteswapped,
        read_only,
    )
}


def is_channels_last(x: Array, ndim: int) -> bool:
    """Whether the memory order of `x` is (..., spatial..., C) without gaps."""
    return bool(np.moveaxis(x, x.ndim - ndim - 1, -1).flags.c_contiguous)
