"""Where the windows of a convolution lie, and what its arguments must fulfil."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from poolnd._arguments import as_array, integer, is_half, sizes
from poolnd._core import PoolError
from poolnd._typing import Array

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


def parse_geometry(
    weight_shape: tuple[int, ...], stride: object, padding: object, dilation: object, groups: object
) -> Geometry:
    """Read and check the options of a convolution."""
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
    parts = integer("conv2d", "groups", groups)
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
    height, width = sizes("conv2d", 2, name, value)
    return height, width


def check_shapes(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    bias: Array | None,
    groups: int,
) -> None:
    """Refuse shapes that do not fit each other."""
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


def check_same_dtype(expected: np.dtype[Any], **arrays: Array | None) -> None:
    """Refuse arrays of another dtype; byte order does not matter."""
    for name, array in arrays.items():
        if array is not None and array.dtype.newbyteorder("=") != expected.newbyteorder("="):
            raise PoolError(
                f"conv2d: input and {name} should be the same dtype, but got input of"
                f" {expected} and {name} of {array.dtype}"
            )


def as_numbers(name: str, value: ArrayLike) -> Array:
    """Read an array of a dtype that can be added and multiplied."""
    array = as_array("conv2d", name, value)
    if array.dtype.kind not in "iufc" and not is_half(array.dtype):
        raise TypeError(
            f"conv2d: argument {name!r} must hold integers, floats or complex numbers,"
            f" not {array.dtype}; convert it with astype() first"
        )
    return array
