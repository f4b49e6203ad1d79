"""Every public function and layer with arguments that are right, to put wrong ones in."""

from collections.abc import Callable, Iterator
from inspect import Parameter, signature
from typing import Any, NamedTuple

import numpy as np

import poolnd
import poolnd.nn.functional as F
from poolnd import nn
from poolnd.nn import grad as G

Array = np.ndarray[Any, np.dtype[Any]]
ARRAYS = {"input", "x", "indices", "grad_output", "weight", "bias", "_random_samples"}


class Call(NamedTuple):
    """A callable, the number of axes it pools, and arguments by name."""

    name: str
    function: Callable[..., Any]
    ndim: int
    arguments: dict[str, Any]


def axes_of(name: str) -> int:
    """The 2 of max_pool2d; 0 if there is no such number."""
    return next((ndim for ndim in (1, 2, 3) if f"{ndim}d" in name), 0)


def right_arguments(name: str, ndim: int) -> dict[str, Any]:
    """What the parameters of a function may be, by their names."""
    x = np.arange(2.0 * 4**ndim).reshape((1, 2) + (4,) * ndim)
    pooled = np.ones((1, 2) + (2,) * ndim)
    indices = np.arange(2 * 2**ndim).reshape(pooled.shape) % 4**ndim
    values: dict[str, Any] = {
        "input": x,
        "grad_output": pooled,
        "indices": indices,
        "kernel_size": 2,
        "stride": 2,
        "padding": 0,
        "dilation": 1,
        "ceil_mode": False,
        "count_include_pad": True,
        "divisor_override": 3,
        "return_indices": True,
        "output_size": 2,
        "output_ratio": None,
        "norm_type": 2.0,
        "_random_samples": np.full((1, 2, ndim), 0.5),
        "generator": None,
        "weight": np.ones((3, 2, 2, 2)),
        "bias": np.ones(3),
        "groups": 1,
        "input_size": (1, 2, 4, 4),
        "weight_size": (3, 2, 2, 2),
    }
    if "unpool" in name:
        values["output_size"] = (4,) * ndim
        values["input"] = pooled
        values["grad_output"] = x
    if "conv2d" in name:
        values["grad_output"] = np.ones((1, 3, 2, 2))
    return values


def call_of(name: str, function: Callable[..., Any]) -> Call:
    """A function with right arguments for all of its parameters."""
    ndim = axes_of(name)
    right = right_arguments(name, ndim)
    arguments = {parameter: right[parameter] for parameter in signature(function).parameters}
    return Call(name, function, ndim, arguments)


def functions() -> Iterator[Call]:
    """Every function of `poolnd.nn.functional`."""
    for name in F.__all__:
        yield call_of(f"F.{name}", getattr(F, name))


def gradients() -> Iterator[Call]:
    """Every function of `poolnd.nn.grad`."""
    for name in G.__all__:
        yield call_of(f"grad.{name}", getattr(G, name))


def layers() -> Iterator[Call]:
    """Every layer: made, called, and called for its gradient."""
    for name in nn.__all__:
        layer = getattr(nn, name)
        if not isinstance(layer, type) or layer in (nn.Module, nn.Sequential):
            continue
        call = call_of(f"nn.{name}", layer)
        right = right_arguments(name.lower(), call.ndim)
        arguments = {**call.arguments, "input": right["input"]}
        if "Unpool" in name:
            arguments |= {"indices": right["indices"], "output_size": None}
        yield Call(call.name, _use(layer, set(call.arguments)), call.ndim, arguments)


def _use(layer: Callable[..., nn.Module], options: set[str]) -> Callable[..., Any]:
    def use(**arguments: Any) -> Any:
        made = layer(**{name: arguments.pop(name) for name in options})
        repr(made)
        return made(arguments.pop("input"), **arguments)

    return use


def pullbacks() -> Iterator[Call]:
    """`poolnd.vjp` of every function that has a gradient, and what its pullback is given."""
    for call in functions():
        if call.name == "F.conv2d":
            given = np.ones((1, 3, 2, 2))
        else:
            given = right_arguments(call.name, call.ndim)["grad_output"]
        yield Call(f"vjp({call.name})", _back(call), call.ndim, {**call.arguments, "grad": given})
    right = call_of("F.max_pool2d", F.max_pool2d).arguments
    x = right["input"]

    def of(function: Any, x: Any, kernel_size: Any) -> Any:
        return poolnd.vjp(function, x, kernel_size)[1](np.ones((1, 2, 2, 2)))

    arguments = {"function": F.max_pool2d, "x": x, "kernel_size": 2}
    yield Call("vjp", of, 2, arguments)
    yield Call("set_num_threads", set_and_restore, 0, {"n": 2})


def _back(call: Call) -> Callable[..., Any]:
    parameters = signature(call.function).parameters

    def back(**arguments: Any) -> Any:
        grad = arguments.pop("grad")
        positional = [
            arguments.pop(name)
            for name, parameter in parameters.items()
            if parameter.kind is not Parameter.KEYWORD_ONLY
        ]
        _, pullback = poolnd.vjp(call.function, *positional, **arguments)
        return pullback(grad)

    return back


def set_and_restore(n: Any) -> Any:
    """Set the number of threads, and back."""
    before = poolnd.get_num_threads()
    try:
        poolnd.set_num_threads(n)
    finally:
        poolnd.set_num_threads(before)
    return np.array(before)


SURFACES: dict[str, Callable[[], Iterator[Call]]] = {
    "functions": functions,
    "gradients": gradients,
    "layers": layers,
    "pullbacks": pullbacks,
}
