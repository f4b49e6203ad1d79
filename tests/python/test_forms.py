"""Forms of arguments that every operator takes: lists, NumPy integers, None, empty batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import poolnd

from . import reference
from .closeness import DTYPES, FLOATS, assert_equal
from .operators import NDIMS, operator

Array = np.ndarray[Any, np.dtype[Any]]

SIZES = (5, 6, 7)

each_ndim = pytest.mark.parametrize("ndim", NDIMS)


def image(ndim: int, batch: int = 2, dtype: Any = np.float64) -> Array:
    x = np.random.default_rng(37).integers(1, 50, (batch, 3, *SIZES[:ndim]))
    return x.astype(dtype)


def calls(ndim: int) -> dict[str, Callable[[Any], Any]]:
    """Every operator as a function of its input alone."""

    def unpool(x: Any) -> Any:
        indices = np.zeros(np.shape(x), np.int64)
        return operator("max_unpool", ndim)(x, indices, 2)

    functions: dict[str, Callable[[Any], Any]] = {
        "max_pool": lambda x: operator("max_pool", ndim)(x, 2, return_indices=True),
        "avg_pool": lambda x: operator("avg_pool", ndim)(x, 2),
        "lp_pool": lambda x: operator("lp_pool", ndim)(x, 2.0, 2),
        "adaptive_max_pool": lambda x: operator("adaptive_max_pool", ndim)(x, 3, True),
        "adaptive_avg_pool": lambda x: operator("adaptive_avg_pool", ndim)(x, 3),
        "max_unpool": unpool,
    }
    if ndim > 1:
        samples = np.random.default_rng(38).random((2, 3, ndim))
        functions["fractional_max_pool"] = lambda x: operator("fractional_max_pool", ndim)(
            x, 2, 3, None, True, samples
        )
    return functions


def parts(answer: Any) -> tuple[Array, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def assert_same(got: Any, want: Any) -> None:
    for one, other in zip(parts(got), parts(want), strict=True):
        assert_equal(one, other)


@each_ndim
def test_lists(ndim: int) -> None:
    for function in calls(ndim).values():
        x = image(ndim)
        assert_same(function(x.tolist()), function(x))
        assert_same(function([list(image) for image in x]), function(x))


@each_ndim
def test_lists_of_integers(ndim: int) -> None:
    x = image(ndim, dtype=np.int64)
    for name, function in calls(ndim).items():
        (got, *_), (want, *_) = parts(function(x.tolist())), parts(function(x))
        assert_equal(got, want)
        assert got.dtype == (np.float32 if name == "lp_pool" else np.int64)


@each_ndim
def test_unbatched(ndim: int) -> None:
    """As an image of a batch, with the samples of the first one."""
    for function in calls(ndim).values():
        x = image(ndim)
        assert_same(function(x[0]), tuple(part[0] for part in parts(function(x[:1]))))


@each_ndim
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_empty_batch(ndim: int, dtype: np.dtype[Any]) -> None:
    empty = image(ndim, batch=0, dtype=dtype)
    for name, function in calls(ndim).items():
        if dtype.kind == "b" and "avg" in name:
            continue
        if dtype != np.float64 and name == "fractional_max_pool" and dtype.kind not in "biu":
            continue  # the samples here are float64
        got, want = parts(function(empty)), parts(function(image(ndim, dtype=dtype)))
        for one, other in zip(got, want, strict=True):
            assert one.shape == (0, *other.shape[1:])
            assert one.dtype == other.dtype


@each_ndim
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_gradient_of_an_empty_batch(ndim: int, dtype: np.dtype[Any]) -> None:
    x = image(ndim, batch=0, dtype=dtype)
    cases: list[tuple[str, tuple[Any, ...]]] = [
        ("max_pool", (2,)),
        ("avg_pool", (2,)),
        ("avg_pool", (2, 2, 1, True, False)),
        ("lp_pool", (2, 2)),
        ("lp_pool", (float("inf"), 2)),
        ("adaptive_max_pool", (3,)),
        ("adaptive_avg_pool", (3,)),
        ("max_unpool", (np.zeros(x.shape, np.int64), 2)),
        *([("fractional_max_pool", (2, 3))] if ndim > 1 else []),
    ]
    for family, arguments in cases:
        y, pullback = poolnd.vjp(operator(family, ndim), x, *arguments)
        gradient = pullback(y)
        assert gradient.shape == x.shape
        assert gradient.dtype == dtype


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("family", ["adaptive_max_pool", "adaptive_avg_pool"])
def test_none_keeps_a_length(family: str, ndim: int) -> None:
    x = image(ndim)
    function, loops = operator(family, ndim), getattr(reference, family)
    for mask in range(1, 2**ndim):
        size = [None if mask >> axis & 1 else 2 for axis in range(ndim)]
        want = loops(ndim, x, size)
        want = want[0] if isinstance(want, tuple) else want
        for form in (tuple(size), size):
            np.testing.assert_allclose(function(x, form), want, rtol=1e-15)
        y, pullback = poolnd.vjp(function, x, tuple(size))
        _, full = poolnd.vjp(function, x, y.shape[2:])
        assert_equal(pullback(y), full(y))
    unchanged = function(x, (None,) * ndim)
    assert_equal(unchanged, x)


@pytest.mark.parametrize("family", ["adaptive_max_pool", "adaptive_avg_pool"])
def test_none_is_for_tuples_of_two_or_three(family: str) -> None:
    for ndim in (1, 2, 3):
        with pytest.raises((TypeError, poolnd.PoolError), match="output_size"):
            operator(family, ndim)(image(ndim), None)
    with pytest.raises((TypeError, poolnd.PoolError), match="output_size"):
        operator(family, 1)(image(1), (None,))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("divisor", [-1, -3, 7, 2**40, -(2**40)])
def test_divisors(ndim: int, divisor: int) -> None:
    """Any that is not zero; a negative one turns the sign, and integers truncate toward zero."""
    function, x = operator("avg_pool", ndim), image(ndim)
    volume = 2**ndim
    want = function(x, 2) * volume / divisor
    np.testing.assert_allclose(function(x, 2, divisor_override=divisor), want, rtol=1e-15)
    y, pullback = poolnd.vjp(function, x, 2, divisor_override=divisor)
    _, plain = poolnd.vjp(function, x, 2)
    expected = plain(y) * volume / divisor
    np.testing.assert_allclose(pullback(y), expected, rtol=1e-15)
    integers = image(ndim, dtype=np.int64)
    sums = function(integers, 2, divisor_override=1)
    truncated = np.sign(sums) * np.sign(divisor) * (np.abs(sums) // abs(divisor))
    assert_equal(function(integers, 2, divisor_override=divisor), truncated)


@each_ndim
@pytest.mark.parametrize(
    "number", [np.int64, np.int32, np.uint8, np.int16], ids=lambda n: n.__name__
)
def test_numpy_integers_for_sizes(ndim: int, number: Any) -> None:
    """Everywhere but where PyTorch refuses them: what decides the size of an unpooled array."""
    x, two = image(ndim), number(2)
    pairs: list[tuple[Any, Any]] = [(two, 2), ((two,) * ndim, 2), ([two] * ndim, 2)]
    for size, plain in pairs:
        for family in ("max_pool", "avg_pool"):
            function = operator(family, ndim)
            assert_same(function(x, size, size, number(1)), function(x, plain, plain, 1))
        for family in ("adaptive_max_pool", "adaptive_avg_pool"):
            assert_same(operator(family, ndim)(x, size), operator(family, ndim)(x, plain))
        power = operator("lp_pool", ndim)
        if ndim > 1 or size is two:
            assert_same(power(x, number(2), size, size), power(x, 2, plain, plain))
        if ndim > 1:
            function = operator("fractional_max_pool", ndim)
            samples = np.random.default_rng(39).random((2, 3, ndim))
            want = function(x, 2, 3, None, True, samples)
            sizes = (number(3),) * ndim
            assert_same(function(x, size, sizes, None, True, samples), want)
    unpool, indices = operator("max_unpool", ndim), np.zeros(x.shape, np.int64)
    shape = tuple(2 * n for n in x.shape[2:])
    assert_same(unpool(x, indices, two, two, number(0), shape), unpool(x, indices, 2))
    with pytest.raises(TypeError, match="kernel_size"):
        unpool(x, indices, two)
