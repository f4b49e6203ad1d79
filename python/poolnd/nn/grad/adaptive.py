"""Gradients of adaptive pooling."""

from typing import Any

from numpy.typing import ArrayLike

from poolnd import _core
from poolnd._typing import Array, Ndim
from poolnd.nn.grad.check import read


def adaptive_max_pool1d_backward(grad_output: ArrayLike, input: Any, indices: ArrayLike) -> Array:
    """Gradient of `adaptive_max_pool1d`; see `adaptive_max_pool2d_backward`."""
    return _adaptive_max_backward("adaptive_max_pool1d_backward", 1, grad_output, input, indices)


def adaptive_max_pool2d_backward(grad_output: ArrayLike, input: Any, indices: ArrayLike) -> Array:
    """Gradient of `adaptive_max_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like
        Gradient of the maxima, shape ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``.
    input : array_like
        What was pooled; only its shape and dtype matter.
    indices : array_like
        Where the maxima were found, as `adaptive_max_pool2d` returned it: int64, of
        `grad_output`'s shape.

    Returns
    -------
    ndarray
        Shape of the input, dtype of `grad_output`: the gradients of all maxima that an element
        is, added up; 0 for an element that is none.

    Raises
    ------
    PoolError
        A shape, dtype or index that does not fit the others.
    TypeError
        Not floating point.
    """
    return _adaptive_max_backward("adaptive_max_pool2d_backward", 2, grad_output, input, indices)


def adaptive_max_pool3d_backward(grad_output: ArrayLike, input: Any, indices: ArrayLike) -> Array:
    """Gradient of `adaptive_max_pool3d`; see `adaptive_max_pool2d_backward`."""
    return _adaptive_max_backward("adaptive_max_pool3d_backward", 3, grad_output, input, indices)


def _adaptive_max_backward(
    op: str, ndim: Ndim, grad_output: ArrayLike, input: Any, indices: ArrayLike
) -> Array:
    grad, shape = read(op, grad_output, input)
    return _core.max_backward(op, ndim, grad, indices, shape)


def adaptive_avg_pool1d_backward(grad_output: ArrayLike, input: Any) -> Array:
    """Gradient of `adaptive_avg_pool1d`; see `adaptive_avg_pool2d_backward`."""
    return _adaptive_avg_backward("adaptive_avg_pool1d_backward", 1, grad_output, input)


def adaptive_avg_pool2d_backward(grad_output: ArrayLike, input: Any) -> Array:
    """Gradient of `adaptive_avg_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like
        Gradient of the averages, shape ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``.
    input : array_like
        What was pooled; only its shape and dtype matter.

    Returns
    -------
    ndarray
        Shape of the input, dtype of `grad_output`: every element gets the gradient of each bin
        that it lies in, divided by the number of elements there.

    Raises
    ------
    PoolError
        A shape or dtype that does not fit the other.
    TypeError
        Not floating point.

    Examples
    --------
    >>> import numpy as np
    >>> from poolnd.nn import grad
    >>> grad.adaptive_avg_pool1d_backward(np.ones((1, 2)), np.empty((1, 3)))
    array([[0.5, 1. , 0.5]])
    """
    return _adaptive_avg_backward("adaptive_avg_pool2d_backward", 2, grad_output, input)


def adaptive_avg_pool3d_backward(grad_output: ArrayLike, input: Any) -> Array:
    """Gradient of `adaptive_avg_pool3d`; see `adaptive_avg_pool2d_backward`."""
    return _adaptive_avg_backward("adaptive_avg_pool3d_backward", 3, grad_output, input)


def _adaptive_avg_backward(op: str, ndim: Ndim, grad_output: ArrayLike, input: Any) -> Array:
    grad, shape = read(op, grad_output, input)
    return _core.adaptive_avg_backward(op, ndim, grad, shape)
