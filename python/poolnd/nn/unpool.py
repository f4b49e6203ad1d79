"""Max unpooling: maxima put back where their indices say, zeros elsewhere."""

from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from poolnd import _core
from poolnd._arguments import integer, shape_of, sizes
from poolnd._core import PoolError
from poolnd._typing import Array, Ndim, Size


def max_unpool1d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[SupportsIndex] | None = None,
) -> Array:
    """Put maxima back along one axis: ``(N, C, L_out)`` to ``(N, C, L)``.

    Parameters, result and errors are those of `max_unpool2d`.
    """
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[SupportsIndex] | None = None,
) -> Array:
    """Put maxima back along two axes: ``(N, C, H_out, W_out)`` to ``(N, C, H, W)``.

    Parameters
    ----------
    input : array_like
        The maxima, shape ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``, of the dtypes that
        `max_pool2d` takes.
    indices : array_like
        Where they were found, as `max_pool2d` returns it: int64, of the input's shape.
    kernel_size, stride, padding : int or tuple of int
        What `max_pool2d` was called with.
    output_size : sequence of int, optional
        ``(H, W)``, or the whole shape, of the array that was pooled. Several sizes are pooled to
        the same one; when omitted it is ``(H_out - 1) * stride - 2 * padding + kernel_size``.

    Returns
    -------
    ndarray
        Zeros, but the input's elements at their indices. Of elements with the same index the last
        one is kept.

    Raises
    ------
    PoolError
        An index outside the output, indices of another dtype or shape, an `output_size` that is
        a stride or more away from the default, or a size that is out of range.
    TypeError
        A size that is not an integer, a dtype without maxima, or NumPy integers in what decides
        the output size (`output_size`, or without it the other sizes).

    Notes
    -----
    The rules are those of ``torch.nn.functional.max_unpool2d``, PyTorch 2.13.

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> values, indices = F.max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2, return_indices=True)
    >>> F.max_unpool2d(values, indices, 2)
    array([[[ 0.,  0.,  0.,  0.],
            [ 0.,  5.,  0.,  7.],
            [ 0.,  0.,  0.,  0.],
            [ 0., 13.,  0., 15.]]])
    """
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[SupportsIndex] | None = None,
) -> Array:
    """Put maxima back along three axes.

    Input is ``(N, C, D_out, H_out, W_out)`` or ``(C, D_out, H_out, W_out)``. Parameters, result
    and errors are those of `max_unpool2d`.
    """
    return _max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    output_size: Sequence[SupportsIndex] | None,
) -> Array:
    kernel = sizes(op, ndim, "kernel_size", kernel_size)
    steps = kernel if stride is None else sizes(op, ndim, "stride", stride)
    pads = sizes(op, ndim, "padding", padding)
    if min(steps) <= 0:
        raise PoolError(f"{op}: strides should be greater than zero, but got stride={steps}")
    shape = shape_of(op, "input", input)
    if len(shape) not in (ndim + 1, ndim + 2):
        raise PoolError(
            f"{op}: Input to max_unpooling{ndim}d should be a {ndim + 1}d or {ndim + 2}d Tensor,"
            f" but got a tensor with {len(shape)} dimensions"
        )
    default = tuple(
        (length - 1) * step - 2 * pad + size
        for length, step, pad, size in zip(shape[-ndim:], steps, pads, kernel, strict=True)
    )
    if output_size is None:
        _check_plain(op, kernel_size=kernel_size, stride=stride, padding=padding)
        size = default
    else:
        _check_plain(op, output_size=output_size)
        size = _near(op, output_size, default, steps)
    for axis, length in enumerate(size):
        if length < 0:
            raise PoolError(
                f"{op}: max_unpooling: output_size must contain non-negative spatial dimensions,"
                f" but got output_size[{axis}]={length}"
            )
    return _core.max_unpool(op, ndim, input, indices, size)


def _check_plain(op: str, **arguments: object) -> None:
    """Refuse NumPy integers in what decides the output size, as PyTorch does here and only here."""
    for name, value in arguments.items():
        for number in value if isinstance(value, Sequence) else (value,):
            if isinstance(number, np.integer):
                raise TypeError(
                    f"{op}(): argument {name!r} must be made of Python integers, not"
                    f" {type(number).__name__}, where it decides the output size; convert it with"
                    " int()"
                )


def _near(
    op: str, output_size: Any, default: tuple[int, ...], steps: tuple[int, ...]
) -> tuple[int, ...]:
    """Read `output_size`, which must be less than a stride away from the default."""
    ndim = len(default)
    if not isinstance(output_size, Sequence) or isinstance(output_size, str | bytes):
        raise TypeError(
            f"{op}(): argument 'output_size' must be a sequence of ints, not"
            f" {type(output_size).__name__}"
        )
    if len(output_size) not in (ndim, ndim + 2):
        raise PoolError(
            f"{op}: output_size should be a sequence containing {ndim} or {ndim + 2} elements,"
            f" but it has a length of '{len(output_size)}'"
        )
    size = tuple(integer(op, "output_size", length) for length in output_size[-ndim:])
    for axis, (length, middle, step) in enumerate(zip(size, default, steps, strict=True)):
        if not middle - step < length < middle + step:
            raise PoolError(
                f'{op}: invalid output_size "{tuple(output_size)}" (dim {axis} must be between'
                f" {middle - step} and {middle + step}, both excluded)"
            )
    return size
