"""Gradients of pooling calls: `vjp` runs a function and returns how to go back through it."""

from collections.abc import Callable, Mapping
from functools import cache
from inspect import Signature, signature
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from poolnd import _core
from poolnd._arguments import as_array, is_float, truth
from poolnd._core import PoolError
from poolnd._typing import Array, Ndim, Pullback
from poolnd.nn import functional as F
from poolnd.nn import grad
from poolnd.nn.conv_geometry import as_numbers, parse_geometry
from poolnd.nn.grad.conv import input_gradient
from poolnd.nn.modules import Module

Backward: TypeAlias = Callable[[Array], Array]
Arguments: TypeAlias = Mapping[str, Any]


class _Call(NamedTuple):
    """A call whose gradient is asked for; `arguments` has all parameters by name."""

    function: Callable[..., Any]
    op: str
    ndim: Ndim
    x: Array
    arguments: Arguments

    def forward(self, **changed: Any) -> Any:
        """Call the function, with some arguments changed."""
        return self.function(**{**self.arguments, **changed})

    def options(self, *names: str) -> tuple[Any, ...]:
        """Return some of the arguments."""
        return tuple(self.arguments[name] for name in names)


def vjp(
    function: Callable[..., Any], x: ArrayLike, *args: Any, **kwargs: Any
) -> tuple[Any, Pullback]:
    """Call a function, and return its result together with the way back.

    Parameters
    ----------
    function : callable
        Any function of `poolnd.nn.functional`, or a layer.
    x : array_like
        The function's first argument, of a floating point dtype (for `conv2d` also complex).
    *args, **kwargs
        Its other arguments.

    Returns
    -------
    y : ndarray or tuple of ndarray
        What ``function(x, *args, **kwargs)`` returns.
    pullback : callable
        Takes the gradient of y, or of the values if y is values and indices, and returns the
        gradient of x: the vector-Jacobian product. The gradient of y has the shape of y and any
        real dtype, and is converted to that of y. It may be called any number of times; arguments
        of the call must not be changed before.

    Raises
    ------
    PoolError
        What the function raises; from `pullback` a gradient of the wrong shape.
    TypeError
        A function or layer without gradient, an x that is not floating point, or what the function
        raises; from `pullback` a gradient that is not made of real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import poolnd
    >>> import poolnd.nn.functional as F
    >>> y, pullback = poolnd.vjp(F.max_pool1d, np.array([[1.0, 5.0, 2.0, 0.0]]), 2, stride=1)
    >>> y
    array([[5., 5., 2.]])
    >>> pullback([[1.0, 2.0, 3.0]])
    array([[0., 3., 3., 0.]])
    """
    if isinstance(function, Module):
        return function.vjp(x, *args, **kwargs)
    given: object = function  # what callers without types pass may not even have a hash
    if not callable(given) or given not in _RULES:
        raise TypeError(
            f"vjp(): {function!r} is not supported; it takes a layer of poolnd.nn, or of"
            f" poolnd.nn.functional one of {', '.join(sorted(f.__name__ for f in _RULES))}"
        )
    rule, ndim = _RULES[function]
    op = function.__name__
    array = as_array(op, "input", x)
    if not is_float(array.dtype) and not (rule is _convolution and array.dtype.kind == "c"):
        raise TypeError(
            f"vjp(): only floating point arrays have gradients, but the input of {op} is of"
            f" {array.dtype}: convert it with .astype() to float16, bfloat16, float32 or float64"
        )
    bound = _signature(function).bind(array, *args, **kwargs)
    bound.apply_defaults()
    y, backward = rule(_Call(function, op, ndim, array, bound.arguments))
    values = y[0] if isinstance(y, tuple) else y
    return y, _checked(op, values.shape, values.dtype, backward)


@cache
def _signature(function: Callable[..., Any]) -> Signature:
    return signature(function)


def _checked(op: str, shape: tuple[int, ...], dtype: np.dtype[Any], backward: Backward) -> Pullback:
    """Give `backward` gradients of the right shape and dtype only."""

    def pullback(grad_output: ArrayLike) -> Array:
        given = as_array(op, "grad_output", grad_output)
        if given.shape != shape:
            raise PoolError(
                f"pullback of {op}: expected a gradient of the result's shape, {shape}, but got"
                f" {given.shape}"
            )
        real = is_float(given.dtype) or given.dtype.kind in "iu"
        if not real and given.dtype.kind != dtype.kind:
            raise TypeError(
                f"pullback of {op}: expected a gradient that can be converted to the result's"
                f" dtype, {dtype}, but got {given.dtype}"
            )
        return backward(given.astype(dtype, copy=False))

    return pullback


def _maximum(call: _Call) -> tuple[Any, Backward]:
    values, indices = call.forward(return_indices=True)
    asked = truth(call.op, "return_indices", call.arguments["return_indices"])
    wanted = asked or call.op.endswith("_with_indices")
    op, ndim, shape = f"{call.op}_backward", call.ndim, call.x.shape

    def backward(grad_output: Array) -> Array:
        return _core.max_backward(op, ndim, grad_output, indices, shape)

    return (values, indices) if wanted else values, backward


def _average(call: _Call) -> tuple[Array, Backward]:
    op, ndim, shape = f"{call.op}_backward", call.ndim, call.x.shape
    kernel_size, stride, padding = call.options("kernel_size", "stride", "padding")
    ceil_mode, include = call.options("ceil_mode", "count_include_pad")
    divisor = call.arguments.get("divisor_override")

    def backward(grad_output: Array) -> Array:
        windows = (kernel_size, stride, padding, ceil_mode, include, divisor)
        return _core.avg_backward(op, ndim, grad_output, shape, *windows)

    return call.forward(), backward


def _adaptive_average(call: _Call) -> tuple[Array, Backward]:
    op, ndim, shape = f"{call.op}_backward", call.ndim, call.x.shape

    def backward(grad_output: Array) -> Array:
        return _core.adaptive_avg_backward(op, ndim, grad_output, shape)

    return call.forward(), backward


def _power_average(call: _Call) -> tuple[Array, Backward]:
    lp_backward = getattr(grad, f"{call.op}_backward")
    options = call.options("norm_type", "kernel_size", "stride", "ceil_mode")

    def backward(grad_output: Array) -> Array:
        gradient: Array = lp_backward(grad_output, call.x, *options)
        return gradient

    return call.forward(), backward


def _unpooling(call: _Call) -> tuple[Array, Backward]:
    op, ndim, indices = f"{call.op}_backward", call.ndim, call.arguments["indices"]

    def backward(grad_output: Array) -> Array:
        return _core.max_unpool_backward(op, ndim, grad_output, indices)

    return call.forward(), backward


def _convolution(call: _Call) -> tuple[Array, Backward]:
    shape, filters = call.x.shape, as_numbers("weight", call.arguments["weight"])
    options = call.options("stride", "padding", "dilation", "groups")

    def backward(grad_output: Array) -> Array:
        geometry = parse_geometry(filters.shape, *options)
        return input_gradient(shape, filters, grad_output, geometry)

    return call.forward(), backward


Rule: TypeAlias = Callable[[_Call], tuple[Any, Backward]]

_FAMILIES: dict[str, tuple[Rule, tuple[Ndim, ...]]] = {
    "max_pool{}d": (_maximum, (1, 2, 3)),
    "max_pool{}d_with_indices": (_maximum, (1, 2, 3)),
    "adaptive_max_pool{}d": (_maximum, (1, 2, 3)),
    "adaptive_max_pool{}d_with_indices": (_maximum, (1, 2, 3)),
    "fractional_max_pool{}d": (_maximum, (2, 3)),
    "fractional_max_pool{}d_with_indices": (_maximum, (2, 3)),
    "avg_pool{}d": (_average, (1, 2, 3)),
    "adaptive_avg_pool{}d": (_adaptive_average, (1, 2, 3)),
    "lp_pool{}d": (_power_average, (1, 2, 3)),
    "max_unpool{}d": (_unpooling, (1, 2, 3)),
    "conv{}d": (_convolution, (2,)),
}
"""Every function that has a gradient: its rule, and for how many axes there is one."""

_RULES: dict[Callable[..., Any], tuple[Rule, Ndim]] = {
    getattr(F, name.format(ndim)): (rule, ndim)
    for name, (rule, dimensions) in _FAMILIES.items()
    for ndim in dimensions
}
