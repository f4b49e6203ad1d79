"""Pooling functions with the parameters, order and defaults of ``torch.nn.functional``.

Here are max, average and adaptive pooling; the other families are in files beside this one. Each
function hands its arguments to the compiled core as they are: parsing, checking and the
work happen there. The 2-D functions describe the parameters; 1-D and 3-D ones differ only in
the number of pooled axes.

Common to all of them:

- Input is an array, or anything NumPy can read as one, shaped ``(N, C, *spatial)`` or unbatched
  ``(C, *spatial)``. It may have any strides and is never changed; a batch of 0 is fine.
- A size is an integer for all pooled axes, or a sequence with one integer for each.
- Wrong values raise `poolnd.PoolError` (a ValueError and a RuntimeError), wrong types TypeError.
- The result is a new array of the input's dtype. Indices are int64, flat positions inside one
  plane (``h * W + w``): of equal maxima the first, of several NaN the last.

Source: PyTorch 2.13, ``torch.nn.functional``.
"""

from numpy.typing import ArrayLike

from poolnd import _core
from poolnd._typing import (
    Array,
    Indices,
    OutputSize,
    Size,
    adaptive_max_pool_overloads,
    max_pool_overloads,
)
from poolnd.nn.conv import conv2d
from poolnd.nn.fractional import (
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)
from poolnd.nn.lp import lp_pool1d, lp_pool2d, lp_pool3d
from poolnd.nn.unpool import max_unpool1d, max_unpool2d, max_unpool3d

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "conv2d",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


@max_pool_overloads
def max_pool1d(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Indices]:
    """Maximum over windows along one axis: ``(N, C, L)`` to ``(N, C, L_out)``.

    Parameters, result and errors are those of `max_pool2d`.
    """
    return _core.max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


@max_pool_overloads
def max_pool2d(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Indices]:
    """Maximum over windows along two axes: ``(N, C, H, W)`` to ``(N, C, H_out, W_out)``.

    Parameters
    ----------
    input : array_like
        Shape ``(N, C, H, W)`` or ``(C, H, W)``; bool, any integer or float, bfloat16 too.
    kernel_size : int or tuple of int
        Window elements along each axis.
    stride : int or tuple of int, optional
        Step from one window to the next; `kernel_size` when omitted.
    padding : int or tuple of int, default 0
        Elements added on both sides, at most half of `kernel_size`. They never win.
    dilation : int or tuple of int, default 1
        Distance between neighbouring elements of one window.
    ceil_mode : bool, default False
        Keep a last window that only partly fits, if it starts inside the input or the
        padding before it.
    return_indices : bool, default False
        Also return where each maximum was found.

    Returns
    -------
    ndarray or tuple of ndarray
        The maxima, and with `return_indices` their int64 positions in the plane. Along an axis
        of length L the result has ``floor((L + 2*padding - dilation*(kernel_size - 1) - 1) /
        stride) + 1`` elements, rounded up with `ceil_mode`. A NaN in a window makes it NaN.

    Raises
    ------
    PoolError
        A size that is out of range, a wrong number of dimensions, or no room for a window.
    TypeError
        A size that is not an integer, a `ceil_mode` that is not a bool, or a dtype without order.

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> x = np.arange(16.0).reshape(1, 4, 4)
    >>> F.max_pool2d(x, 2)
    array([[[ 5.,  7.],
            [13., 15.]]])
    """
    return _core.max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


@max_pool_overloads
def max_pool3d(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Indices]:
    """Maximum over windows along three axes.

    Input is ``(N, C, D, H, W)`` or ``(C, D, H, W)``. Parameters, result and errors are those of
    `max_pool2d`.
    """
    return _core.max_pool(
        "max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool1d_with_indices(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,  # noqa: ARG001 - PyTorch's signature has it, and ignores it
) -> tuple[Array, Indices]:
    """Return what `max_pool1d` returns with ``return_indices=True``, whatever is given for it."""
    op = "max_pool1d_with_indices"
    return _core.max_pool(op, 1, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,  # noqa: ARG001 - PyTorch's signature has it, and ignores it
) -> tuple[Array, Indices]:
    """Return what `max_pool2d` returns with ``return_indices=True``, whatever is given for it."""
    op = "max_pool2d_with_indices"
    return _core.max_pool(op, 2, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,  # noqa: ARG001 - PyTorch's signature has it, and ignores it
) -> tuple[Array, Indices]:
    """Return what `max_pool3d` returns with ``return_indices=True``, whatever is given for it."""
    op = "max_pool3d_with_indices"
    return _core.max_pool(op, 3, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def avg_pool1d(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Average over windows along one axis: ``(N, C, L)`` to ``(N, C, L_out)``.

    Parameters, result and errors are those of `avg_pool2d`, without `divisor_override`.
    """
    return _core.avg_pool(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


def avg_pool2d(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Average over windows along two axes: ``(N, C, H, W)`` to ``(N, C, H_out, W_out)``.

    Parameters
    ----------
    input : array_like
        Shape ``(N, C, H, W)`` or ``(C, H, W)``; any integer or float dtype, bfloat16 too.
    kernel_size : int or tuple of int
        Window elements along each axis.
    stride : int or tuple of int, optional
        Step from one window to the next; `kernel_size` when omitted.
    padding : int or tuple of int, default 0
        Zeros added on both sides, at most half of `kernel_size`.
    ceil_mode : bool, default False
        Keep a last window that only partly fits, if it starts inside the input or the
        padding before it.
    count_include_pad : bool, default True
        Count the padding among the elements that a sum is divided by. What a last window of
        `ceil_mode` covers beyond the padding is never counted.
    divisor_override : int, optional
        Divide every sum by this number, which may be negative but not 0.

    Returns
    -------
    ndarray
        The averages, in the input's dtype. Half precision is summed in float32 and rounded once;
        integers are divided towards zero. Its shape follows the formula of `max_pool2d`.

    Raises
    ------
    PoolError
        A size that is out of range, a wrong number of dimensions, no room for a window, or a
        divisor of 0.
    TypeError
        A size or divisor that is not an integer, a flag that is not a bool, or a dtype without
        averages (bool, complex, objects).

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> x = np.arange(16.0).reshape(1, 4, 4)
    >>> F.avg_pool2d(x, 2)
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    return _core.avg_pool(
        "avg_pool2d",
        2,
        input,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
    )


def avg_pool3d(
    input: ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Average over windows along three axes.

    Input is ``(N, C, D, H, W)`` or ``(C, D, H, W)``. Parameters, result and errors are those of
    `avg_pool2d`, but here, as in PyTorch, a kernel must fit into the input without its padding.
    """
    return _core.avg_pool(
        "avg_pool3d",
        3,
        input,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
    )


@adaptive_max_pool_overloads
def adaptive_max_pool1d(
    input: ArrayLike, output_size: OutputSize, return_indices: bool = False
) -> Array | tuple[Array, Indices]:
    """Maximum over as many bins as `output_size` asks for: ``(N, C, L)`` to ``(N, C, L_out)``.

    `output_size` is an integer or a sequence of one, not None. Otherwise as `adaptive_max_pool2d`.
    """
    return _core.adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


@adaptive_max_pool_overloads
def adaptive_max_pool2d(
    input: ArrayLike, output_size: OutputSize, return_indices: bool = False
) -> Array | tuple[Array, Indices]:
    """Maximum over as many bins as `output_size` asks for, whatever the size of the input.

    Parameters
    ----------
    input : array_like
        Shape ``(N, C, H, W)`` or ``(C, H, W)``, of the dtypes that `max_pool2d` takes.
    output_size : int or tuple of int or None
        ``(H_out, W_out)``, or one number for both; None keeps the input's size along that axis.
    return_indices : bool, default False
        Also return where each maximum was found.

    Returns
    -------
    ndarray or tuple of ndarray
        The maxima, shaped ``(N, C, H_out, W_out)``, and with `return_indices` their int64
        positions in the plane. Output ``i`` of ``n`` along an axis of length L covers
        ``floor(i * L / n)`` up to but not including ``ceil((i + 1) * L / n)``.

    Raises
    ------
    PoolError
        A negative or ill-shaped `output_size`, a wrong number of dimensions, or an empty plane.
    TypeError
        An `output_size` that is not made of integers, or a dtype without order.

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> F.adaptive_max_pool2d(np.arange(16.0).reshape(1, 4, 4), (2, None))
    array([[[ 4.,  5.,  6.,  7.],
            [12., 13., 14., 15.]]])
    """
    return _core.adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


@adaptive_max_pool_overloads
def adaptive_max_pool3d(
    input: ArrayLike, output_size: OutputSize, return_indices: bool = False
) -> Array | tuple[Array, Indices]:
    """Maximum over as many bins as `output_size` asks for, along three axes.

    Input is ``(N, C, D, H, W)`` or ``(C, D, H, W)``. Otherwise as `adaptive_max_pool2d`.
    """
    return _core.adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(
    input: ArrayLike,
    output_size: OutputSize,
    return_indices: bool = False,  # noqa: ARG001 - PyTorch's signature has it, and ignores it
) -> tuple[Array, Indices]:
    """Return `adaptive_max_pool1d` with ``return_indices=True``, whatever is given for it."""
    return _core.adaptive_max_pool("adaptive_max_pool1d_with_indices", 1, input, output_size, True)


def adaptive_max_pool2d_with_indices(
    input: ArrayLike,
    output_size: OutputSize,
    return_indices: bool = False,  # noqa: ARG001 - PyTorch's signature has it, and ignores it
) -> tuple[Array, Indices]:
    """Return `adaptive_max_pool2d` with ``return_indices=True``, whatever is given for it."""
    return _core.adaptive_max_pool("adaptive_max_pool2d_with_indices", 2, input, output_size, True)


def adaptive_max_pool3d_with_indices(
    input: ArrayLike,
    output_size: OutputSize,
    return_indices: bool = False,  # noqa: ARG001 - PyTorch's signature has it, and ignores it
) -> tuple[Array, Indices]:
    """Return `adaptive_max_pool3d` with ``return_indices=True``, whatever is given for it."""
    return _core.adaptive_max_pool("adaptive_max_pool3d_with_indices", 3, input, output_size, True)


def adaptive_avg_pool1d(input: ArrayLike, output_size: OutputSize) -> Array:
    """Average over as many bins as `output_size` asks for: ``(N, C, L)`` to ``(N, C, L_out)``.

    `output_size` is an integer or a sequence of one, not None. Otherwise as `adaptive_avg_pool2d`.
    """
    return _core.adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: ArrayLike, output_size: OutputSize) -> Array:
    """Average over as many bins as `output_size` asks for, whatever the size of the input.

    Parameters
    ----------
    input : array_like
        Shape ``(N, C, H, W)`` or ``(C, H, W)``, of the dtypes that `avg_pool2d` takes.
    output_size : int or tuple of int or None
        ``(H_out, W_out)``, or one number for both; None keeps the input's size along that axis.

    Returns
    -------
    ndarray
        The averages, shaped ``(N, C, H_out, W_out)``, in the input's dtype. The bins are those
        of `adaptive_max_pool2d`.

    Raises
    ------
    PoolError
        A negative or ill-shaped `output_size`, a wrong number of dimensions, or an empty plane.
    TypeError
        An `output_size` that is not made of integers, or a dtype without averages.

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> F.adaptive_avg_pool2d(np.arange(16.0).reshape(1, 4, 4), 3)
    array([[[ 2.5,  3.5,  4.5],
            [ 6.5,  7.5,  8.5],
            [10.5, 11.5, 12.5]]])
    """
    return _core.adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: ArrayLike, output_size: OutputSize) -> Array:
    """Average over as many bins as `output_size` asks for, along three axes.

    Input is ``(N, C, D, H, W)`` or ``(C, D, H, W)``. Otherwise as `adaptive_avg_pool2d`.
    """
    return _core.adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)
