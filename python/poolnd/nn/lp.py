"""Power-average pooling: the p-th root of the sum of p-th powers over windows.

The core computes finite powers of floats. Here are the cases that are another operator in
PyTorch: infinite powers are a maximum or minimum, and integers keep to integer arithmetic.
"""

import math
from typing import SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from poolnd import _core
from poolnd._arguments import as_array, is_float, number, sizes
from poolnd._core import PoolError
from poolnd._typing import Array, Ndim, Size


def lp_pool1d(
    input: ArrayLike,
    norm_type: SupportsFloat,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Power average over windows along one axis: ``(N, C, L)`` to ``(N, C, L_out)``.

    `kernel_size` is an integer, as in PyTorch. Otherwise as `lp_pool2d`.
    """
    if isinstance(kernel_size, tuple | list) and not math.isinf(exponent("lp_pool1d", norm_type)):
        raise TypeError(
            f"lp_pool1d(): argument 'kernel_size' must be an int, not {type(kernel_size).__name__}"
        )
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: ArrayLike,
    norm_type: SupportsFloat,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Power average over windows along two axes: ``(N, C, H, W)`` to ``(N, C, H_out, W_out)``.

    Parameters
    ----------
    input : array_like
        Shape ``(N, C, H, W)`` or ``(C, H, W)``; any float dtype, bfloat16 too, bool or integers.
    norm_type : float
        The power p, not 0. Infinity gives the maximum of ``|x|``, minus infinity the minimum.
    kernel_size : int or tuple of int
        Window elements along each axis.
    stride : int or tuple of int, optional
        Step from one window to the next; `kernel_size` when omitted.
    ceil_mode : bool, default False
        Keep a last window that only partly fits. Its mean of powers counts for the whole window.

    Returns
    -------
    ndarray
        ``(K * mean(x ** p)) ** (1 / p)`` with K the product of `kernel_size`, in the input's
        dtype. Powers keep their sign, so an odd p makes NaN of a window with a negative sum, and a
        p that is no integer of one with a negative element. Bool and integers give float32, and
        their powers and means are integers if `norm_type` is one; with an infinite `norm_type`
        they keep their dtype. Its shape follows the formula of `max_pool2d`.

    Raises
    ------
    PoolError
        A `norm_type` of 0, a negative integer with integer input, a size that is out of range, a
        wrong number of dimensions, or no room for a window.
    TypeError
        A `norm_type` that is not a number, a size that is not an integer, a `ceil_mode` that is
        not a bool, or a dtype without powers.

    Notes
    -----
    The formula is that of ``torch.nn.functional.lp_pool2d``, PyTorch 2.13.

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> F.lp_pool2d(np.array([[[3.0, 0.0], [0.0, 4.0]]]), 2, 2)
    array([[[5.]]])
    """
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: ArrayLike,
    norm_type: SupportsFloat,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Power average over windows along three axes.

    Input is ``(N, C, D, H, W)`` or ``(C, D, H, W)``. Parameters, result and errors are those of
    `lp_pool2d`, but here, as in PyTorch, a kernel must fit into the input.
    """
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    norm_type: SupportsFloat,
    kernel_size: Size,
    stride: Size | None,
    ceil_mode: bool,
) -> Array:
    p = exponent(op, norm_type)
    x = as_array(op, "input", input)
    if math.isinf(p):
        magnitudes = toward_maximum(x, p)
        maxima = _core.max_pool(op, ndim, magnitudes, kernel_size, stride, 0, 1, ceil_mode, False)
        return maxima if p > 0 else _reverse(maxima)
    if p == 0:
        raise PoolError(f"{op}: norm_type should not be zero: division by zero in 1 / norm_type")
    if x.dtype.kind in "biu":
        if isinstance(norm_type, int | np.integer):
            return _lp_pool_integers(op, ndim, x, int(norm_type), kernel_size, stride, ceil_mode)
        x = x.astype(np.float32)
    return _core.lp_pool(op, ndim, x, p, kernel_size, stride, ceil_mode)


def _lp_pool_integers(
    op: str,
    ndim: Ndim,
    x: Array,
    power: int,
    kernel_size: Size,
    stride: Size | None,
    ceil_mode: bool,
) -> Array:
    if power < 0:
        raise PoolError(
            f"{op}: Integers to negative integer powers are not allowed, but got"
            f" norm_type={power} (use a float)"
        )
    if power > np.iinfo(np.int64).max:
        raise PoolError(f"{op}: norm_type={power} is out of range: int too large for int64")
    volume = math.prod(sizes(op, ndim, "kernel_size", kernel_size))
    powers = x.astype(np.int64) ** power
    means = _core.avg_pool(op, ndim, powers, kernel_size, stride, 0, ceil_mode, True, None)
    with np.errstate(invalid="ignore"):
        return np.power((means * volume).astype(np.float32), np.float32(1 / power))


def exponent(op: str, norm_type: SupportsFloat) -> float:
    """Read the power: a number, or an array of no dimensions."""
    if getattr(norm_type, "shape", ()) != ():
        raise TypeError(
            f"{op}(): argument 'norm_type' must be a number, not {type(norm_type).__name__}"
        )
    return number(op, "norm_type", norm_type)


def toward_maximum(x: Array, p: float) -> Array:
    """Return ``|x|``, for a p of minus infinity in reverse order, so that a maximum finds it."""
    if x.dtype.kind not in "biu" and not is_float(x.dtype):
        return x  # for the core to refuse
    magnitudes = np.abs(x)
    return magnitudes if p > 0 else _reverse(magnitudes)


def _reverse(x: Array) -> Array:
    # Unlike the negative, the complement of an integer never wraps around.
    return np.invert(x) if x.dtype.kind in "biu" else np.negative(x)
