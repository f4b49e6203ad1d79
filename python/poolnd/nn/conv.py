"""Two-dimensional convolution, as a matrix product over sliding windows.

Pooling is what this package is for; convolution is here because average pooling is convolution
with a mean filter, and because networks with pooling layers need one. Every window becomes a
column of a matrix, the filters are the rows of another, and NumPy's matrix product (BLAS for
floats) does the work, a block of outputs at a time so that the columns stay in bounds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from operator import index
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from poolnd._core import PoolError
from poolnd._typing import Array, Size

BLOCK_BYTES = 1 << 25
"""Columns built at a time: enough to feed the matrix product, small beside main memory."""

Pair: TypeAlias = tuple[int, int]
"""Of height and width."""

Padding: TypeAlias = tuple[Pair, Pair]
"""(top, bottom) and (left, right)."""


@dataclass(frozen=True)
class Geometry:
    """Where the windows of a convolution lie."""

    kernel_size: Pair
    stride: Pair
    padding: Padding
    dilation: Pair
    groups: int

    @property
    def extent(self) -> Pair:
        """Elements from the first tap of a window to its last, both counted."""
        (kh, kw), (dh, dw) = self.kernel_size, self.dilation
        return dh * (kh - 1) + 1, dw * (kw - 1) + 1

    def padded_size(self, height: int, width: int) -> Pair:
        """Size of the padded input."""
        (top, bottom), (left, right) = self.padding
        return top + height + bottom, left + width + right

    def output_size(self, height: int, width: int) -> Pair:
        """Size of the output for an input of this size; PoolError if no window fits."""
        padded, extent, stride = self.padded_size(height, width), self.extent, self.stride
        if padded[0] < extent[0] or padded[1] < extent[1]:
            raise PoolError(
                f"conv2d: Kernel size can't be greater than actual input size, but the kernel spans"
                f" {extent[0]} x {extent[1]} (kernel_size={self.kernel_size}, dilation="
                f"{self.dilation}) and the padded input is {padded[0]} x {padded[1]}"
            )
        return (padded[0] - extent[0]) // stride[0] + 1, (padded[1] - extent[1]) // stride[1] + 1


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
    images, filters = _as_array("input", input), _as_array("weight", weight)
    offsets = None if bias is None else _as_array("bias", bias)
    geometry = _parse_geometry(filters.shape, stride, padding, dilation, groups)
    _check_shapes(images.shape, filters.shape, offsets, geometry.groups)
    _check_same_dtype(images, filters, offsets)
    batch = images if images.ndim == 4 else images[np.newaxis]
    # Infinities, NaN and overflow follow IEEE arithmetic in silence, as in every pooling function.
    with np.errstate(over="ignore", invalid="ignore"):
        output = _convolve(batch, filters, offsets, geometry)
    return output if images.ndim == 4 else output.squeeze(0)


def _convolve(images: Array, filters: Array, offsets: Array | None, geometry: Geometry) -> Array:
    dtype = images.dtype.newbyteorder("=")
    accumulator = np.dtype(np.float32) if _is_half(dtype) else dtype
    groups, (channels_out, channels, kh, kw) = geometry.groups, filters.shape
    out_h, out_w = geometry.output_size(*images.shape[2:])
    output = _allocate((len(images), channels_out, out_h, out_w), dtype)
    windows = window_view(_pad(images, geometry, accumulator), geometry)
    rows = filters.astype(accumulator, copy=False).reshape(
        groups, channels_out // groups, channels * kh * kw
    )
    shift = None if offsets is None else offsets.astype(accumulator).reshape(-1, 1, 1)
    for block in _blocks(windows):
        part = windows[block]
        sums = (rows @ _columns(part, groups)).reshape(len(part), channels_out, *part.shape[2:4])
        output[block] = sums if shift is None else sums + shift
    return output


def window_view(padded: Array, geometry: Geometry) -> Array:
    """View ``(N, C, H_out, W_out, kernel height, kernel width)`` of a padded input."""
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    windows = sliding_window_view(padded, geometry.extent, axis=(2, 3))
    return windows[:, :, ::sh, ::sw, ::dh, ::dw]


def _columns(windows: Array, groups: int) -> Array:
    """Copy windows into ``(N, groups, C // groups * kernel elements, H_out * W_out)``."""
    n, channels, out_h, out_w, kh, kw = windows.shape
    taps = channels // groups * kh * kw
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, groups, taps, out_h * out_w)


def _blocks(windows: Array) -> Iterator[tuple[slice, slice, slice, slice]]:
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


def _pad(images: Array, geometry: Geometry, dtype: np.dtype[Any]) -> Array:
    (top, bottom), (left, right) = geometry.padding
    if top == bottom == left == right == 0:
        return images.astype(dtype, copy=False)
    n, channels, height, width = images.shape
    padded = _allocate((n, channels, *geometry.padded_size(height, width)), dtype)
    padded[...] = 0
    padded[:, :, top : top + height, left : left + width] = images
    return padded


def _allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    try:
        return np.empty(shape, dtype)
    except ValueError as error:  # NumPy's answer to a shape that no address space can hold
        raise MemoryError(f"conv2d: cannot allocate an array of shape {shape}: {error}") from None


def _parse_geometry(
    weight_shape: tuple[int, ...], stride: object, padding: object, dilation: object, groups: object
) -> Geometry:
    if len(weight_shape) != 4:
        raise PoolError(
            "conv2d: weight must have 4 dimensions (C_out, C // groups, kernel height, kernel"
            f" width), but got shape {list(weight_shape)}"
        )
    kernel_size = (weight_shape[2], weight_shape[3])
    if 0 in kernel_size:
        raise PoolError(f"conv2d: kernel size should be greater than zero, but got {kernel_size}")
    steps, gaps = _pair("stride", stride), _pair("dilation", dilation)
    if min(steps) <= 0:
        raise PoolError(f"conv2d: non-positive stride is not supported, but got stride={stride}")
    if min(gaps) <= 0:
        raise PoolError(
            f"conv2d: dilation should be greater than zero, but got dilation={dilation}"
        )
    parts = _integer("groups", groups)
    if parts <= 0:
        raise PoolError(f"conv2d: non-positive groups is not supported, but got groups={groups}")
    pads = _parse_padding(padding, kernel_size, steps, gaps)
    return Geometry(kernel_size, steps, pads, gaps, parts)


def _parse_padding(padding: object, kernel_size: Pair, stride: Pair, dilation: Pair) -> Padding:
    if isinstance(padding, str):
        return _parse_padding_word(padding, kernel_size, stride, dilation)
    top, left = _pair("padding", padding)
    if min(top, left) < 0:
        raise PoolError(f"conv2d: negative padding is not supported, but got padding={padding}")
    return (top, top), (left, left)


def _parse_padding_word(padding: str, kernel_size: Pair, stride: Pair, dilation: Pair) -> Padding:
    if padding not in ("valid", "same"):
        raise PoolError(
            f"conv2d: Invalid padding string: padding={padding!r}, should be one of 'valid', 'same'"
        )
    if padding == "valid":
        return (0, 0), (0, 0)
    if stride != (1, 1):
        raise PoolError(
            "conv2d: padding='same' is not supported for strided convolutions,"
            f" but got stride={stride}"
        )
    height, width = (d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True))
    return (height // 2, height - height // 2), (width // 2, width - width // 2)


def _pair(name: str, value: object) -> Pair:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if len(value) not in (1, 2):
            raise PoolError(
                f"conv2d: expected {name} to be a single integer value or a list of 2 values,"
                f" but got {name}={value}"
            )
        return _integer(name, value[0]), _integer(name, value[-1])
    number = _integer(name, value)
    return number, number


def _integer(name: str, value: Any) -> int:
    # index() takes a bool for 0 or 1; as a size it is a slip, and PyTorch refuses it.
    if not isinstance(value, bool | np.bool_):
        try:
            return index(value)
        except TypeError:
            pass
    raise TypeError(
        f"conv2d: argument {name!r} must be made of integers, not {type(value).__name__}"
    )


def _check_shapes(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    bias: Array | None,
    groups: int,
) -> None:
    size = list(weight_shape)
    if len(input_shape) not in (3, 4):
        raise PoolError(
            "conv2d: Expected 3D (unbatched) or 4D (batched) input, but got input of size:"
            f" {list(input_shape)}"
        )
    if 0 in input_shape[-2:]:
        raise PoolError(
            "conv2d: Only zero batch or zero channel inputs are supported, but got input of size:"
            f" {list(input_shape)}"
        )
    if weight_shape[0] < groups:
        raise PoolError(
            f"conv2d: Given groups={groups}, expected weight to be at least {groups} at dimension"
            f" 0, but got weight of size {size}"
        )
    if weight_shape[0] % groups:
        raise PoolError(
            f"conv2d: Given groups={groups}, expected weight to be divisible by {groups} at"
            f" dimension 0, but got weight of size {size}"
        )
    channels, expected = input_shape[-3], weight_shape[1] * groups
    if channels != expected:
        raise PoolError(
            f"conv2d: Given groups={groups}, weight of size {size}, expected input to have"
            f" {expected} channels, but got {channels} channels (input of size"
            f" {list(input_shape)})"
        )
    if bias is not None and bias.shape != weight_shape[:1]:
        raise PoolError(
            f"conv2d: Given weight of size {size}, expected bias to be 1-dimensional with"
            f" {weight_shape[0]} elements, but got bias of size {list(bias.shape)}"
        )


def _check_same_dtype(images: Array, filters: Array, offsets: Array | None) -> None:
    expected = images.dtype.newbyteorder("=")
    for name, array in (("weight", filters), ("bias", offsets)):
        if array is not None and array.dtype.newbyteorder("=") != expected:
            raise PoolError(
                f"conv2d: input and {name} should be the same dtype, but got input of"
                f" {images.dtype} and {name} of {array.dtype}"
            )


def _as_array(name: str, value: Any) -> Array:
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    try:
        array: Array = np.asarray(value)
    except ValueError as error:  # a ragged list
        raise PoolError(f"conv2d: argument {name!r} cannot be read as an array: {error}") from None
    if array.dtype.kind not in "iufc" and not _is_half(array.dtype):
        raise TypeError(
            f"conv2d: argument {name!r} must hold integers, floats or complex numbers,"
            f" not {array.dtype}; convert it with astype() first"
        )
    return array


def _is_half(dtype: np.dtype[Any]) -> bool:
    # bfloat16 is known by name: it belongs to ml_dtypes, which is optional.
    return dtype == np.float16 or dtype.name == "bfloat16"
