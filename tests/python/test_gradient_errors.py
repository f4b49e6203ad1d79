"""Gradients that cannot be: refused with a message, and no access outside an array."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import poolnd
import poolnd.nn.functional as F
from poolnd import PoolError, nn
from poolnd.nn import grad as G

from .closeness import INTEGERS
from .operators import NDIMS, operator, refuses

Array = np.ndarray[Any, np.dtype[Any]]

each_ndim = pytest.mark.parametrize("ndim", NDIMS)

INT64 = np.iinfo(np.int64)
OUTSIDE = [-2, -(2**31), -(2**32), INT64.min, INT64.max, 2**31, 2**32, 2**62]
"""No plane has such an index; -1 is one for windows without elements."""


def image(ndim: int, dtype: Any = np.float64, length: int = 4) -> Array:
    return np.arange(2 * length**ndim, dtype=dtype).reshape((1, 2) + (length,) * ndim)


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "max_pool": (2,),
    "avg_pool": (2,),
    "adaptive_max_pool": (2,),
    "adaptive_avg_pool": (2,),
    "lp_pool": (2, 2),
    "fractional_max_pool": (2, 2),
}
CASES = [
    (family, ndim)
    for family in ARGUMENTS
    for ndim in NDIMS
    if (family, ndim) != ("fractional_max_pool", 1)
]
each_case = pytest.mark.parametrize(("family", "ndim"), CASES)


@each_case
def test_shapes_of_gradients(family: str, ndim: int) -> None:
    y, pullback = poolnd.vjp(operator(family, ndim), image(ndim), *ARGUMENTS[family])
    for shape in [(), (2,), y.shape[1:], (*y.shape, 1), (1, 1, *y.shape[2:]), (1, 2) + (4,) * ndim,
                  (0, *y.shape[1:]), (*y.shape[:-1], 1), (*y.shape[:-1], 3)]:  # fmt: skip
        refuses(PoolError, "(?s)gradient.*shape", pullback, np.ones(shape))
    refuses(PoolError, "gradient", pullback, 1.0)


@each_case
def test_dtypes_of_gradients(family: str, ndim: int) -> None:
    """Real numbers of any dtype are converted, anything else is not a gradient."""
    y, pullback = poolnd.vjp(operator(family, ndim), image(ndim), *ARGUMENTS[family])
    for dtype in (bool, np.complex128, object, "U3", "M8[s]"):
        refuses(TypeError, "dtype", pullback, np.zeros(y.shape, dtype))
    masked = np.ma.masked_array(np.ones(y.shape), np.ones(y.shape, bool))
    refuses(TypeError, "mask", pullback, masked)


@each_case
@pytest.mark.parametrize("dtype", [np.dtype(bool), *INTEGERS, np.dtype(np.complex64)], ids=str)
def test_inputs_without_gradient(family: str, ndim: int, dtype: np.dtype[Any]) -> None:
    x = np.zeros((1, 2) + (4,) * ndim, dtype)
    refuses(
        TypeError,
        "(?s)only floating point.*astype",
        poolnd.vjp,
        operator(family, ndim),
        x,
        *ARGUMENTS[family],
    )


def test_functions_without_gradient() -> None:
    x = image(1)
    for function in (np.sum, len, lambda x: x, nn.MaxPool1d, "max_pool1d", None, 3):
        with pytest.raises(TypeError, match="vjp"):
            poolnd.vjp(function, x)  # type: ignore[arg-type]

    class Shift(nn.Module):
        def forward(self, x: Array) -> Array:
            return x + 1

    refuses(TypeError, "Shift has no gradient", Shift().vjp, x)
    refuses(TypeError, "Shift has no gradient", poolnd.vjp, Shift(), x)
    refuses(TypeError, "Shift", nn.Sequential(nn.MaxPool1d(2), Shift()).vjp, x)


def test_errors_of_the_call_itself() -> None:
    refuses(PoolError, "max_pool1d", poolnd.vjp, F.max_pool1d, image(1), 5)
    refuses(TypeError, "kernel_size", poolnd.vjp, F.max_pool1d, image(1))
    refuses(TypeError, "unknown", poolnd.vjp, F.max_pool1d, image(1), 2, unknown=1)
    refuses(TypeError, "kernel_size", poolnd.vjp, F.max_pool1d, image(1), "2")


def by_indices(ndim: int) -> dict[str, Callable[[Array, Array], Array]]:
    """Every function that takes indices, as one of gradient and indices; 4 pooled by 2."""
    x = image(ndim)

    def function(name: str) -> Callable[..., Array]:
        found: Callable[..., Array] = getattr(G, f"{name.format(ndim)}_backward")
        return found

    of_max, of_adaptive = function("max_pool{}d_with_indices"), function("adaptive_max_pool{}d")
    functions = {
        "max": lambda g, indices: of_max(g, x, 2, None, 0, 1, False, indices),
        "adaptive": lambda g, indices: of_adaptive(g, x, indices),
    }
    if ndim > 1:
        of_fractional = function("fractional_max_pool{}d")
        functions["fractional"] = lambda g, indices: of_fractional(g, x, 2, 2, indices)
    return functions


def unpools(ndim: int) -> dict[str, Callable[[Array, Array], Array]]:
    """The same for unpooling, 2 to 4, and back."""
    unpool, back = operator("max_unpool", ndim), getattr(G, f"max_unpool{ndim}d_backward")

    def pullback(x: Array, indices: Array) -> Array:
        y, of_y = poolnd.vjp(unpool, x, indices, 2)
        return of_y(y)

    return {
        "unpool": lambda x, indices: unpool(x, indices, 2),
        "backward": lambda x, indices: back(image(ndim), x, indices, (4,) * ndim),
        "vjp": pullback,
    }


def all_by_indices(ndim: int) -> dict[str, Callable[[Array, Array], Array]]:
    return {**by_indices(ndim), **unpools(ndim)}


@each_ndim
def test_indices_outside_the_plane(ndim: int) -> None:
    """The first one, the last one and one amid thousands; in every plane."""
    g = np.ones((1, 2) + (2,) * ndim)
    volume = 4**ndim
    for name, function in all_by_indices(ndim).items():
        for index in [volume, volume + 1, *OUTSIDE] + ([] if name in by_indices(ndim) else [-1]):
            for at in (0, 1, g.size // 2, g.size - 1):
                indices = np.zeros(g.shape, np.int64)
                indices.flat[at] = index
                refuses(PoolError, f"(?i)index.*{index}", function, g, indices)
        function(g, np.full(g.shape, volume - 1))


@each_ndim
def test_minus_one_is_a_window_without_elements(ndim: int) -> None:
    g = np.ones((1, 2) + (2,) * ndim)
    for function in by_indices(ndim).values():
        assert not function(g, np.full(g.shape, -1)).any()


@each_ndim
def test_dtypes_of_indices(ndim: int) -> None:
    g = np.ones((1, 2) + (2,) * ndim)
    for function in all_by_indices(ndim).values():
        for dtype in (np.int32, np.uint64, np.uint8, np.float64, bool, object, np.complex64):
            indices = np.zeros(g.shape, dtype)
            with pytest.raises((PoolError, TypeError), match="int64"):
                function(g, indices)


@each_ndim
def test_shapes_of_indices(ndim: int) -> None:
    g = np.ones((1, 2) + (2,) * ndim)
    for function in all_by_indices(ndim).values():
        for shape in [(), (1,), g.shape[1:], (1, *g.shape), (1, 1, *g.shape[2:]), (0, *g.shape[1:]),
                      (*g.shape[:-1], 1), (*g.shape[:-1], 3), (2, 1, *g.shape[2:])]:  # fmt: skip
            indices = np.zeros(shape, np.int64)
            refuses(PoolError, "(?i)shape", function, g, indices)


@each_ndim
def test_indices_of_any_strides(ndim: int) -> None:
    """What decides is the values in C order; PyTorch goes wrong here."""
    generator = np.random.default_rng(12)
    g = generator.normal(size=(1, 2) + (2,) * ndim)
    indices = generator.integers(0, 4**ndim, g.shape)
    padded = np.full((1, 4) + (4,) * ndim, INT64.max)
    view = padded[(slice(None), slice(None, None, 2)) + (slice(1, 3),) * ndim]
    view[...] = indices
    laid = [np.asfortranarray(indices), indices[..., ::-1].copy()[..., ::-1], view,
            indices.astype(">i8"), indices.tolist()]  # fmt: skip
    for function in all_by_indices(ndim).values():
        for other in laid:
            np.testing.assert_array_equal(function(g, other), function(g, indices))
        same = np.broadcast_to(np.int64(3), g.shape)
        np.testing.assert_array_equal(function(g, same), function(g, np.full(g.shape, 3)))
        negative = np.broadcast_to(np.int64(-5), g.shape)
        refuses(PoolError, "(?i)index.*-5", function, g, negative)


@each_ndim
def test_explicit_functions_check_shapes_and_dtypes(ndim: int) -> None:
    x, g = image(ndim), np.ones((1, 2) + (2,) * ndim)
    indices = np.zeros(g.shape, np.int64)
    calls: dict[str, Callable[[Array], Array]] = {
        "max_pool{}d_with_indices": lambda g: of(g, x, 2, None, 0, 1, False, indices),
        "adaptive_max_pool{}d": lambda g: of(g, x, indices),
        "avg_pool{}d": lambda g: of(g, x, 2, None, 0, False, True),
        "lp_pool{}d": lambda g: of(g, x, 2, 2),
    }
    for name, call in calls.items():
        of = getattr(G, f"{name.format(ndim)}_backward")
        call(g)
        for shape in [(), g.shape[1:], (*g.shape[:-1], 3), (2, *g.shape[1:])]:
            refuses(PoolError, "shape|dimension", call, np.ones(shape))
        refuses(PoolError, "dtype", call, g.astype(np.float32))
        for dtype in (np.int64, bool, np.complex128, object):
            refuses(TypeError, "floating point", call, g.astype(dtype))
    of = getattr(G, f"adaptive_avg_pool{ndim}d_backward")
    refuses(PoolError, "shape|dimension", of, np.ones((1, 3) + (2,) * ndim), x)
    refuses(PoolError, "dtype", of, g.astype(np.float16), x)
    refuses(TypeError, "floating point", of, g.astype(int), x)


def test_refusals_leave_the_library_usable() -> None:
    y, pullback = poolnd.vjp(F.max_pool1d, image(1), 2)
    wrongs: list[Any] = [np.ones(3), "text", None, [[1.0], [1.0, 2.0]]]
    for wrong in wrongs:
        with pytest.raises((PoolError, TypeError)):
            pullback(wrong)
    np.testing.assert_array_equal(pullback(np.ones(y.shape)), [[[0, 1, 0, 1], [0, 1, 0, 1]]])
