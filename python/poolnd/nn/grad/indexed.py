"""Gradients that follow indices: max pooling, fractional max pooling and unpooling.

The gradient of a maximum goes to the element that it was found at; the gradient of an unpooled
element comes from where it was put.
"""

from typing import Any

from numpy.typing import ArrayLike

from poolnd import _core
from poolnd._arguments import as_array, sizes
from poolnd._core import PoolError
from poolnd._typing import Array, Ndim, Size
from poolnd.nn.grad.check import check_shape, pooled_shape, read


def max_pool1d_with_indices_backward(
    grad_output: ArrayLike,
    input: Any,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    indices: ArrayLike,
) -> Array:
    """Gradient of `max_pool1d`; see `max_pool2d_with_indices_backward`."""
    windows = (kernel_size, stride, padding, dilation, ceil_mode)
    op = "max_pool1d_with_indices_backward"
    return _max_pool_backward(op, 1, grad_output, input, *windows, indices)


def max_pool2d_with_indices_backward(
    grad_output: ArrayLike,
    input: Any,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    indices: ArrayLike,
) -> Array:
    """Gradient of `max_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like
        Gradient of the maxima, shape ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``.
    input : array_like
        What was pooled; only its shape and dtype matter.
    kernel_size, stride, padding, dilation, ceil_mode
        What `max_pool2d` was called with; a stride of None or () stands for `kernel_size`.
    indices : array_like
        Where the maxima were found, as `max_pool2d` returned it: int64, of `grad_output`'s shape.

    Returns
    -------
    ndarray
        Shape of the input, dtype of `grad_output`: the gradients of all maxima that an element
        is, added up; 0 for an element that is none.

    Raises
    ------
    PoolError
        A shape, dtype, size or index that does not fit the others.
    TypeError
        Not floating point, or a size that is not an integer.

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd.nn.functional as F
    >>> from poolnd.nn import grad
    >>> x = np.array([[[1.0, 5.0, 2.0], [0.0, 3.0, 4.0]]])
    >>> _, indices = F.max_pool2d(x, (1, 2), 1, return_indices=True)
    >>> g = np.ones((1, 2, 2))
    >>> grad.max_pool2d_with_indices_backward(g, x, (1, 2), 1, 0, 1, False, indices)
    array([[[0., 2., 0.],
            [0., 1., 1.]]])
    """
    windows = (kernel_size, stride, padding, dilation, ceil_mode)
    op = "max_pool2d_with_indices_backward"
    return _max_pool_backward(op, 2, grad_output, input, *windows, indices)


def max_pool3d_with_indices_backward(
    grad_output: ArrayLike,
    input: Any,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    indices: ArrayLike,
) -> Array:
    """Gradient of `max_pool3d`; see `max_pool2d_with_indices_backward`."""
    windows = (kernel_size, stride, padding, dilation, ceil_mode)
    op = "max_pool3d_with_indices_backward"
    return _max_pool_backward(op, 3, grad_output, input, *windows, indices)


def _max_pool_backward(
    op: str,
    ndim: Ndim,
    grad_output: ArrayLike,
    input: Any,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    indices: ArrayLike,
) -> Array:
    grad, shape = read(op, grad_output, input)
    windows = (kernel_size, stride, padding, dilation, ceil_mode)
    check_shape(op, grad.shape, pooled_shape(op, ndim, shape, *windows))
    return _core.max_backward(op, ndim, grad, indices, shape)


def fractional_max_pool2d_backward(
    grad_output: ArrayLike, input: Any, kernel_size: Size, output_size: Size, indices: ArrayLike
) -> Array:
    """Gradient of `fractional_max_pool2d` with respect to its input.

    Like `max_pool2d_with_indices_backward`; `grad_output` is ``(N, C, *output_size)``.
    """
    op = "fractional_max_pool2d_backward"
    return _fractional_backward(op, 2, grad_output, input, kernel_size, output_size, indices)


def fractional_max_pool3d_backward(
    grad_output: ArrayLike, input: Any, kernel_size: Size, output_size: Size, indices: ArrayLike
) -> Array:
    """Gradient of `fractional_max_pool3d`; see `fractional_max_pool2d_backward`."""
    op = "fractional_max_pool3d_backward"
    return _fractional_backward(op, 3, grad_output, input, kernel_size, output_size, indices)


def _fractional_backward(
    op: str,
    ndim: Ndim,
    grad_output: ArrayLike,
    input: Any,
    kernel_size: Size,
    output_size: Size,
    indices: ArrayLike,
) -> Array:
    sizes(op, ndim, "kernel_size", kernel_size)  # the indices already say what it was used for
    grad, shape = read(op, grad_output, input)
    check_shape(op, grad.shape, shape[:-ndim] + sizes(op, ndim, "output_size", output_size))
    return _core.max_backward(op, ndim, grad, indices, shape)


def max_unpool1d_backward(
    grad_output: ArrayLike, input: Any, indices: ArrayLike, output_size: Size
) -> Array:
    """Gradient of `max_unpool1d`; see `max_unpool2d_backward`."""
    return _max_unpool_backward(
        "max_unpool1d_backward", 1, grad_output, input, indices, output_size
    )


def max_unpool2d_backward(
    grad_output: ArrayLike, input: Any, indices: ArrayLike, output_size: Size
) -> Array:
    """Gradient of `max_unpool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like
        Gradient of the unpooled array, shape ``(N, C, H, W)`` or ``(C, H, W)``.
    input : array_like
        What was unpooled; only its shape and dtype matter.
    indices : array_like
        Where its elements were put: int64, of the input's shape.
    output_size : int or tuple of int
        ``(H, W)``.

    Returns
    -------
    ndarray
        Shape of the input, dtype of `grad_output`: for every element the gradient at its index.
        Of several elements with the same index only the last one was kept; as in PyTorch all of
        them get the gradient.

    Raises
    ------
    PoolError
        A shape, dtype, size or index that does not fit the others.
    TypeError
        Not floating point, or a size that is not an integer.
    """
    return _max_unpool_backward(
        "max_unpool2d_backward", 2, grad_output, input, indices, output_size
    )


def max_unpool3d_backward(
    grad_output: ArrayLike, input: Any, indices: ArrayLike, output_size: Size
) -> Array:
    """Gradient of `max_unpool3d`; see `max_unpool2d_backward`."""
    return _max_unpool_backward(
        "max_unpool3d_backward", 3, grad_output, input, indices, output_size
    )


def _max_unpool_backward(
    op: str,
    ndim: Ndim,
    grad_output: ArrayLike,
    input: Any,
    indices: ArrayLike,
    output_size: Size,
) -> Array:
    grad, shape = read(op, grad_output, input)
    check_shape(op, grad.shape, shape[:-ndim] + sizes(op, ndim, "output_size", output_size))
    positions = as_array(op, "indices", indices)
    if positions.shape != shape:
        raise PoolError(
            f"{op}: Expected shape of indices to be same as that of the input ({shape}) but got"
            f" indices with shape: {positions.shape}"
        )
    return _core.max_unpool_backward(op, ndim, grad, positions)
