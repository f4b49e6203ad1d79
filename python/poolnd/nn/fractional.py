"""Fractional max pooling: windows at random distances, as many as the output is to have."""

import math
from collections.abc import Sequence
from typing import Any, SupportsFloat

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from poolnd import _core
from poolnd._arguments import as_array, is_float, is_half
from poolnd._core import PoolError
from poolnd._typing import Array, Indices, Ndim, Ratio, Size, fractional_max_pool_overloads


@fractional_max_pool_overloads
def fractional_max_pool2d(
    input: ArrayLike,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: ArrayLike | None = None,
    *,
    generator: Generator | None = None,
) -> Array | tuple[Array, Indices]:
    """Maximum over windows at random places: ``(N, C, H, W)`` to ``(N, C, H_out, W_out)``.

    Parameters
    ----------
    input : array_like
        Shape ``(N, C, H, W)`` or ``(C, H, W)``, of the dtypes that `max_pool2d` takes.
    kernel_size : int or tuple of int
        Window elements along each axis.
    output_size : int or tuple of int, optional
        ``(H_out, W_out)``, with ``H_out + kernel_size - 1 <= H`` and the same for W.
    output_ratio : float or tuple of float, optional
        Share of the input's size, rounded down; used when there is no `output_size`.
    return_indices : bool, default False
        Also return where each maximum was found.
    _random_samples : array_like, optional
        Numbers from 0 to 1 that place the windows of each plane: shape ``(N, C, 2)``, first for W,
        then for H, of the input's dtype (float64 for bool and integers).
    generator : numpy.random.Generator, optional
        Draws the numbers when there are no `_random_samples`; ``default_rng()`` when omitted.

    Returns
    -------
    ndarray or tuple of ndarray
        The maxima, and with `return_indices` their int64 positions in the plane. Along an axis of
        length L, with a sample u and n outputs, ``a = (L - kernel_size) / (n - 1)``: window i < n-1
        starts at ``int((i + u) * a) - int(u * a)``, the last one at ``L - kernel_size``.

    Raises
    ------
    PoolError
        Neither size nor ratio, one that does not fit the input, samples of another shape or dtype,
        or a wrong number of dimensions.
    TypeError
        A size that is not an integer, a ratio that is not a number, a `generator` that is not a
        Generator, or a dtype without order.

    Notes
    -----
    The method is that of B. Graham, "Fractional Max-Pooling" (2014), arXiv 1412.6071; the rules
    are those of ``torch.nn.functional.fractional_max_pool2d``, PyTorch 2.13.

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> x = np.arange(36.0).reshape(1, 6, 6)
    >>> F.fractional_max_pool2d(x, 2, 3, generator=np.random.default_rng(0)).shape
    (1, 3, 3)
    """
    op = "fractional_max_pool2d"
    sizes = (kernel_size, output_size, output_ratio)
    return _fractional(op, 2, input, *sizes, return_indices, _random_samples, generator)


@fractional_max_pool_overloads
def fractional_max_pool3d(
    input: ArrayLike,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: ArrayLike | None = None,
    *,
    generator: Generator | None = None,
) -> Array | tuple[Array, Indices]:
    """Maximum over windows at random places along three axes.

    Input is ``(N, C, D, H, W)`` or ``(C, D, H, W)``; the samples are ``(N, C, 3)``, for D, H and W
    in this order. As in PyTorch, ``D_out + kernel_size - 1`` must be less than D, not equal to it,
    and so for H and W. Otherwise as `fractional_max_pool2d`.
    """
    op = "fractional_max_pool3d"
    sizes = (kernel_size, output_size, output_ratio)
    return _fractional(op, 3, input, *sizes, return_indices, _random_samples, generator)


def fractional_max_pool2d_with_indices(
    input: ArrayLike,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,  # noqa: ARG001 - PyTorch's signature has it, and ignores it
    _random_samples: ArrayLike | None = None,
    *,
    generator: Generator | None = None,
) -> tuple[Array, Indices]:
    """Return `fractional_max_pool2d` with ``return_indices=True``, whatever is given for it."""
    op = "fractional_max_pool2d_with_indices"
    sizes = (kernel_size, output_size, output_ratio)
    values, indices = _fractional(op, 2, input, *sizes, True, _random_samples, generator)
    return values, indices


def fractional_max_pool3d_with_indices(
    input: ArrayLike,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,  # noqa: ARG001 - PyTorch's signature has it, and ignores it
    _random_samples: ArrayLike | None = None,
    *,
    generator: Generator | None = None,
) -> tuple[Array, Indices]:
    """Return `fractional_max_pool3d` with ``return_indices=True``, whatever is given for it."""
    op = "fractional_max_pool3d_with_indices"
    sizes = (kernel_size, output_size, output_ratio)
    values, indices = _fractional(op, 3, input, *sizes, True, _random_samples, generator)
    return values, indices


def _fractional(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    kernel_size: Size,
    output_size: Size | None,
    output_ratio: Ratio | None,
    return_indices: bool,
    samples: ArrayLike | None,
    generator: Generator | None,
) -> Array | tuple[Array, Indices]:
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(
            f"{op}(): argument 'generator' must be a numpy.random.Generator, not"
            f" {type(generator).__name__}"
        )
    x = as_array(op, "input", input)
    if x.ndim not in (ndim + 1, ndim + 2):
        raise PoolError(
            f"{op}: Expected {ndim + 1}D or {ndim + 2}D tensor, but got: {list(x.shape)}"
        )
    size: object = output_size
    if output_size is None:
        if output_ratio is None:
            raise PoolError(f"{op} requires specifying either an output_size or an output_ratio")
        size = _scaled(op, output_ratio, x.shape[-ndim:])
    dtype = x.dtype.newbyteorder("=") if is_float(x.dtype) else np.dtype(np.float64)
    if samples is None:
        batch = 1 if x.ndim == ndim + 1 else x.shape[0]
        shape = (batch, x.shape[-ndim - 1], ndim)
        samples = _draw(np.random.default_rng() if generator is None else generator, shape, dtype)
    elif not hasattr(samples, "dtype"):
        samples = _converted(op, as_array(op, "_random_samples", samples), dtype)
    return _core.fractional_max_pool(op, ndim, x, kernel_size, size, samples, return_indices)


def _scaled(op: str, output_ratio: Ratio, lengths: tuple[int, ...]) -> tuple[int, ...]:
    if not isinstance(output_ratio, Sequence):
        ratios = (output_ratio,) * len(lengths)
    elif len(output_ratio) == len(lengths):
        ratios = tuple(output_ratio)
    else:
        raise PoolError(
            f"{op} requires output_ratio to either be a single number or a tuple of {len(lengths)},"
            f" but got output_ratio={output_ratio}"
        )
    return tuple(_share(op, ratio, length) for ratio, length in zip(ratios, lengths, strict=True))


def _share(op: str, ratio: SupportsFloat, length: int) -> int:
    if isinstance(ratio, str) or not hasattr(ratio, "__float__"):
        raise TypeError(
            f"{op}(): argument 'output_ratio' must be made of numbers, not {type(ratio).__name__}"
        )
    share = length * float(ratio)
    if not math.isfinite(share):
        raise PoolError(f"{op}: output_ratio must be between 0 and 1 (got {ratio})")
    return int(share)


def _converted(op: str, samples: Array, dtype: np.dtype[Any]) -> Array:
    try:
        return samples.astype(dtype)
    except (ValueError, OverflowError, TypeError) as error:
        raise TypeError(
            f"{op}(): argument '_random_samples' must be made of numbers: {error}"
        ) from None


def _draw(generator: Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Draw samples from [0, 1), all of them numbers of the dtype."""
    if is_half(dtype):
        # Rounding a random number to so few digits would give 1 now and then.
        steps = 2**11 if dtype == np.float16 else 2**8
        return (generator.integers(steps, size=shape) / steps).astype(dtype)
    return generator.random(shape, dtype.type)
