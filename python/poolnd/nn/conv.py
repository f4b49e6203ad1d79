"""Two-dimensional convolution, as a matrix product over sliding windows.

Pooling is what this package is for; convolution is here because average pooling is convolution
with a mean filter, and because networks with pooling layers need one. Every window becomes a
column of a matrix, the filters are the rows of another, and NumPy's matrix product (BLAS for
floats) does the work, a block of outputs at a time so that the columns stay in bounds.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from poolnd._arguments import is_half
from poolnd._typing import Array, Size
from poolnd.nn.conv_geometry import (
    Geometry,
    as_numbers,
    check_same_dtype,
    check_shapes,
    parse_geometry,
)

BLOCK_BYTES = 1 << 25
"""Columns built at a time: enough to feed the matrix product, small beside main memory."""


def conv2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Array:
    """Cross-correlate images with filters: ``(N, C, H, W)`` to ``(N, C_out, H_out, W_out)``.

    Parameters
    ----------
    input : array_like
        Shape ``(N, C, H, W)`` or ``(C, H, W)``; any integer, float or complex dtype, and bfloat16.
    weight : array_like
        Filters, shape ``(C_out, C // groups, kernel height, kernel width)``, of the input's dtype.
    bias : array_like, optional
        Shape ``(C_out,)``, of the input's dtype: added to every output of its channel.
    stride : int or tuple of int, default 1
        Step from one window to the next.
    padding : int, tuple of int, 'valid' or 'same', default 0
        Zeros added on both sides. 'valid' adds none; 'same' adds what makes the output as large
        as the input (an odd one at the bottom or right) and needs a stride of 1.
    dilation : int or tuple of int, default 1
        Distance between neighbouring elements of one window.
    groups : int, default 1
        Parts that the input channels and the filters are split into; each part of the filters
        sees its part of the channels.

    Returns
    -------
    ndarray
        In the input's dtype. Half precision is summed in float32 and rounded once; integers wrap
        around as NumPy's do.

    Raises
    ------
    PoolError
        Shapes, dtypes or sizes that do not fit each other, or no room for a window.
    TypeError
        A size that is not an integer, or a dtype that is not a number's.

    Notes
    -----
    The semantics are those of ``torch.nn.functional.conv2d``, PyTorch 2.13.

    Examples
    --------
    Average pooling is convolution with a mean filter:

    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> mean = np.full((1, 1, 2, 2), 0.25)
    >>> np.array_equal(F.conv2d(x, mean, stride=2), F.avg_pool2d(x, 2))
    True
    """
    images, filters = as_numbers("input", input), as_numbers("weight", weight)
    offsets = None if bias is None else as_numbers("bias", bias)
    geometry = parse_geometry(filters.shape, stride, padding, dilation, groups)
    check_shapes(images.shape, filters.shape, offsets, geometry.groups)
    check_same_dtype(images.dtype, weight=filters, bias=offsets)
    batch = images if images.ndim == 4 else images[np.newaxis]
    # Infinities, NaN and overflow follow IEEE arithmetic in silence, as in every pooling function.
    with np.errstate(over="ignore", invalid="ignore"):
        output = _convolve(batch, filters, offsets, geometry)
    return output if images.ndim == 4 else output.squeeze(0)


def _convolve(images: Array, filters: Array, offsets: Array | None, geometry: Geometry) -> Array:
    accumulator = accumulator_of(images.dtype)
    groups, (channels_out, channels, kh, kw) = geometry.groups, filters.shape
    out_h, out_w = geometry.output_size(*images.shape[2:])
    output = allocate((len(images), channels_out, out_h, out_w), images.dtype.newbyteorder("="))
    windows = window_view(pad(images, geometry, accumulator), geometry)
    rows = filters.astype(accumulator, copy=False).reshape(
        groups, channels_out // groups, channels * kh * kw
    )
    shift = None if offsets is None else offsets.astype(accumulator).reshape(-1, 1, 1)
    for block in blocks(windows):
        part = windows[block]
        sums = (rows @ _columns(part, groups)).reshape(len(part), channels_out, *part.shape[2:4])
        output[block] = sums if shift is None else sums + shift
    return output


def accumulator_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that sums are kept in, of native byte order."""
    return np.dtype(np.float32) if is_half(dtype) else dtype.newbyteorder("=")


def window_view(padded: Array, geometry: Geometry) -> Array:
    """View ``(N, C, H_out, W_out, kernel height, kernel width)`` of a padded input.

    It can be written to; windows overlap, but each element has one place for each tap.
    """
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    windows = sliding_window_view(padded, geometry.extent, axis=(2, 3), writeable=True)
    return windows[:, :, ::sh, ::sw, ::dh, ::dw]


def _columns(windows: Array, groups: int) -> Array:
    """Copy windows into ``(N, groups, C // groups * kernel elements, H_out * W_out)``."""
    n, channels, out_h, out_w, kh, kw = windows.shape
    taps = channels // groups * kh * kw
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, groups, taps, out_h * out_w)


def blocks(windows: Array) -> Iterator[tuple[slice, slice, slice, slice]]:
    """Split a window view along batch, output rows and output columns into small parts."""
    n, channels, out_h, out_w, kh, kw = windows.shape
    positions = max(1, BLOCK_BYTES // max(1, channels * kh * kw * windows.itemsize))
    rows = max(1, positions // out_w)
    images = max(1, rows // out_h)
    starts = product(range(0, n, images), range(0, out_h, rows), range(0, out_w, positions))
    for image, row, column in starts:
        yield (
            slice(image, image + images),
            slice(None),
            slice(row, row + rows),
            slice(column, column + positions),
        )


def pad(images: Array, geometry: Geometry, dtype: np.dtype[Any]) -> Array:
    """Surround images with the zeros of the padding; a view if there are none."""
    (top, bottom), (left, right) = geometry.padding
    if top == bottom == left == right == 0:
        return images.astype(dtype, copy=False)
    n, channels, height, width = images.shape
    padded = allocate((n, channels, *geometry.padded_size(height, width)), dtype)
    padded[...] = 0
    padded[:, :, top : top + height, left : left + width] = images
    return padded


def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an array of undefined elements; MemoryError if there cannot be one."""
    try:
        return np.empty(shape, dtype)
    except ValueError as error:  # NumPy's answer to a shape that no address space can hold
        raise MemoryError(f"conv2d: cannot allocate an array of shape {shape}: {error}") from None
