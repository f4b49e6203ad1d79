"""JAX: lax.reduce_window, compiled; gradients by vjp, compiled too."""

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

from adapters import require  # noqa: E402

VERSION = jax.__version__


def pool(row):
    """The row as a function of the array, whose axes are in memory order."""

    def along(pooled, other):
        return (other, *pooled, other) if row.layout == "NHWC" else (other, other, *pooled)

    if row.operator == "adaptive_avg_pool":
        require(row.output_size() == (1,) * row.ndim, "adaptive only to one value")
        kernel, stride, padding = row.shape[2:], (1,) * row.ndim, (0,) * row.ndim
    else:
        require(row.operator in ("max_pool", "avg_pool"), f"no {row.operator}")
        kernel, stride, padding = row.window()
    window = (along(kernel, 1), along(stride, 1), along(((p, p) for p in padding), (0, 0)))
    if row.operator == "max_pool":
        lowest = 0 if row.dtype == "uint8" else -np.inf
        return lambda x: lax.reduce_window(x, x.dtype.type(lowest), lax.max, *window)

    def average(x):
        wide = x.astype(np.int32) if row.dtype == "uint8" else x
        total = lax.reduce_window(wide, wide.dtype.type(0), lax.add, *window)
        mean = total // np.prod(kernel) if row.dtype == "uint8" else total / np.prod(kernel)
        return mean.astype(x.dtype)

    return average


def build(problem):
    """Call the compiled function and wait for its result."""
    row = problem.row
    require(not row.arguments.get("return_indices"), "values only")

    def array(values):
        return jax.device_put(np.moveaxis(values, 1, -1) if row.layout == "NHWC" else values)

    x, function = array(problem.input), pool(row)
    if row.backward:
        grad = array(problem.grad_output)
        pullback = jax.jit(lambda x, grad: jax.vjp(function, x)[1](grad)[0])
        return lambda: pullback(x, grad).block_until_ready()
    compiled = jax.jit(function)
    return lambda: compiled(x).block_until_ready()


def answer(problem, result):
    """The values, channels moved back."""
    values = np.asarray(result)
    return [np.moveaxis(values, -1, 1) if problem.row.layout == "NHWC" else values]
