"""Gradients of every operator: against plain loops, central differences and one rounding."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poolnd

from . import gradients
from .closeness import BFLOAT16, FLOATS, assert_close, assert_equal, spacing
from .layouts import LAYOUTS, is_channels_last
from .operators import NDIMS, operator
from .strategies import (
    Problem,
    adaptive_problems,
    avg_problems,
    fractional_problems,
    lp_problems,
    max_problems,
    unpool_problems,
)

Array = np.ndarray[Any, np.dtype[Any]]
Problems = Callable[..., st.SearchStrategy[Problem]]

PROBLEMS: dict[str, Problems] = {
    "max_pool": max_problems,
    "adaptive_max_pool": adaptive_problems,
    "fractional_max_pool": fractional_problems,
    "avg_pool": avg_problems,
    "adaptive_avg_pool": adaptive_problems,
    "max_unpool": unpool_problems,
    "lp_pool": lp_problems,
}
CASES = [
    (family, ndim)
    for family in PROBLEMS
    for ndim in NDIMS
    if (family, ndim) != ("fractional_max_pool", 1)
]
HALVES = [np.dtype(np.float16), BFLOAT16]

each_case = pytest.mark.parametrize(("family", "ndim"), CASES)
each_case_but_powers = pytest.mark.parametrize(
    ("family", "ndim"), [case for case in CASES if case[0] != "lp_pool"]
)
each_layout = pytest.mark.parametrize("layout", ["contiguous", "channels_last", "transposed"])
each_half = pytest.mark.parametrize("dtype", HALVES, ids=str)

seeds = st.integers(0, 2**32 - 1)
layouts = st.sampled_from(sorted(LAYOUTS))


def values_of(result: Any) -> Array:
    values: Array = result[0] if isinstance(result, tuple) else result
    return values


def go_back(pullback: Callable[[Any], Array], grad: Array, x: Array, ndim: int) -> Array:
    """Call a pullback, and check what holds for every gradient."""
    before = grad.tobytes(), x.tobytes()
    gradient = pullback(grad)
    assert (grad.tobytes(), x.tobytes()) == before, "the call changed its input"
    assert type(gradient) is np.ndarray
    assert gradient.flags.writeable
    assert gradient.dtype.isnative
    assert gradient.shape == x.shape
    assert not np.shares_memory(gradient, grad)
    assert not np.shares_memory(gradient, x)
    if is_channels_last(grad, ndim) and not grad.flags.c_contiguous:
        assert is_channels_last(gradient, ndim), gradient.strides
    assert_equal(pullback(grad), gradient)
    return gradient


def check(family: str, ndim: int, problem: Problem, grad: Array) -> tuple[Array, Array]:
    """The gradient that poolnd gives, and the reference's in float64."""
    y, pullback = poolnd.vjp(operator(family, ndim), problem.x, **problem.arguments)
    assert values_of(y).shape == grad.shape
    got = go_back(pullback, grad, problem.x, ndim)
    loops = getattr(gradients, family)
    return got, loops(ndim, problem.values, grad, **problem.arguments)


def draw_problem(data: st.DataObject, family: str, ndim: int) -> tuple[Problem, Array]:
    """A call, and a gradient of its result in a layout of its own."""
    dtype = data.draw(st.sampled_from(FLOATS))
    problem = data.draw(PROBLEMS[family](ndim, dtype))
    y = values_of(operator(family, ndim)(problem.x, **problem.arguments))
    generator = np.random.default_rng(data.draw(seeds))
    grad = (generator.normal(size=y.shape) * 2.0 ** generator.integers(-4, 5, y.shape)).astype(
        dtype
    )
    return problem, LAYOUTS[data.draw(layouts)](grad, ndim)


@each_case_but_powers
@given(data=st.data())
def test_against_loops(family: str, ndim: int, data: st.DataObject) -> None:
    """Half types are summed in float32: that may differ from float64 by less than their ulp.

    Gradients of maxima that meet in an element are summed there, as in PyTorch: float32 in float32.
    """
    problem, grad = draw_problem(data, family, ndim)
    got, want = check(family, ndim, problem, grad)
    loops = getattr(gradients, family)
    magnitude = loops(ndim, problem.values, np.abs(grad.astype(np.float64)), **problem.arguments)
    windows = math.prod(grad.shape[-ndim:])
    if got.dtype == np.float32 and family.endswith("max_pool"):
        assert_sums_close(got, want, windows * magnitude)
    else:
        assert_close(got, narrow(want, got.dtype), windows, np.abs(magnitude))


def assert_sums_close(got: Array, want: Array, magnitude: Array) -> None:
    """Every addition may be off by half an ulp of what it adds up to, at most `magnitude`."""
    roundoff = 2.0**-24 if got.dtype == np.float32 else 2.0**-53
    exact, wide = narrow(want, got.dtype).astype(np.float64), got.astype(np.float64)
    with np.errstate(invalid="ignore"):
        allowed = spacing(exact, got.dtype) + roundoff * magnitude
        same = (wide == exact) | (np.isnan(wide) & np.isnan(exact))
        assert (same | (np.abs(wide - exact) <= allowed)).all(), (wide, exact)


@pytest.mark.parametrize("ndim", NDIMS)
@given(data=st.data())
def test_powers_against_loops(ndim: int, data: st.DataObject) -> None:
    """Autograd's steps: half types take them in float64, the others in their own dtype."""
    problem, grad = draw_problem(data, "lp_pool", ndim)
    got, want = check("lp_pool", ndim, problem, grad)
    with np.errstate(all="ignore"):
        positive = np.abs(grad.astype(np.float64))
        magnitude = np.abs(gradients.lp_pool(ndim, problem.values, positive, **problem.arguments))
    assert_sums_close(got, want, 100 * magnitude)


def narrow(gradient: Array, dtype: np.dtype[Any]) -> Array:
    """Rounded once."""
    with np.errstate(over="ignore"):
        return gradient.astype(dtype)


@each_case
@settings(max_examples=25)
@given(data=st.data())
def test_against_central_differences(family: str, ndim: int, data: st.DataObject) -> None:
    """Where no two elements are equal, every operator is smooth at the scale of the step."""
    options = {"repeated": False} if family == "max_unpool" else {}
    problem = data.draw(PROBLEMS[family](ndim, np.dtype(np.float64), **options))
    generator = np.random.default_rng(data.draw(seeds))
    size = problem.x.size
    x = (0.5 + generator.permutation(size) / max(size, 1)).reshape(problem.x.shape)

    def forward(x: Array) -> Array:
        return values_of(operator(family, ndim)(x, **problem.arguments))

    y, pullback = poolnd.vjp(operator(family, ndim), x, **problem.arguments)
    # A window without elements has no gradient.
    grad = np.where(np.isinf(values_of(y)), 0.0, generator.normal(size=values_of(y).shape))
    with np.errstate(invalid="ignore"):
        differences = gradients.central_differences(
            lambda x: np.nan_to_num(forward(x), posinf=0, neginf=0), x, grad, 1e-5
        )
    np.testing.assert_allclose(pullback(grad), differences, rtol=1e-6, atol=1e-6)


@each_half
@each_case_but_powers
@given(data=st.data())
def test_half_precision_is_rounded_once(
    dtype: np.dtype[Any], family: str, ndim: int, data: st.DataObject
) -> None:
    """Where the sums fit into float32, nothing but the last rounding is left.

    A quotient is rounded to float32 before, which may carry a tie of the half type to the wrong
    side: an ulp there. And quotients that cancel in float64 may leave an ulp of float32.
    """
    problem = data.draw(PROBLEMS[family](ndim, dtype))
    y = values_of(operator(family, ndim)(problem.x, **problem.arguments))
    generator = np.random.default_rng(data.draw(seeds))
    grad = (generator.integers(-100, 101, y.shape) / 8).astype(dtype)
    got, want = check(family, ndim, problem, grad)
    if "avg" not in family:
        assert_equal(got, narrow(want, dtype))
        return
    positive = np.abs(grad.astype(np.float64))
    magnitude = getattr(gradients, family)(ndim, problem.values, positive, **problem.arguments)
    allowed = spacing(want, dtype) + 2.0**-24 * np.abs(magnitude)
    assert (np.abs(got.astype(np.float64) - want) <= allowed).all()


@each_half
@each_layout
@pytest.mark.parametrize("ndim", NDIMS)
def test_many_gradients_into_one_element(ndim: int, layout: str, dtype: np.dtype[Any]) -> None:
    """4096 times 1: sums in these types themselves would stay at 2048 and 256."""
    side = {1: (4096,), 2: (64, 64), 3: (16, 16, 16)}[ndim]
    ones = LAYOUTS[layout](np.ones((1, 2, *side), dtype), ndim)
    want = np.full((1, 2) + (1,) * ndim, 4096, dtype)
    x = np.ones(want.shape, dtype)
    for function in (operator("adaptive_max_pool", ndim), operator("adaptive_avg_pool", ndim)):
        _, pullback = poolnd.vjp(function, x, side)
        assert_equal(pullback(ones), want)
    x = np.zeros((1, 2, *(2 * n - 1 for n in side)), dtype)
    middle: Any = (..., *(n - 1 for n in side))
    x[middle] = 1
    y, pullback = poolnd.vjp(operator("max_pool", ndim), x, side, 1)
    assert_equal(y, np.ones((1, 2, *side), dtype))
    assert_equal(pullback(ones), x * np.array(4096, dtype))


def test_worked_examples() -> None:
    x = np.array([[1.0, 5.0, 2.0, 0.0]])
    _, pullback = poolnd.vjp(operator("max_pool", 1), x, 2, 1)
    assert_equal(pullback([[1.0, 2.0, 3.0]]), np.array([[0.0, 3.0, 3.0, 0.0]]))
    _, pullback = poolnd.vjp(operator("adaptive_avg_pool", 1), np.zeros((1, 5)), 3)
    want = np.array([[0.5, 1 / 2 + 1 / 3, 1 / 3, 1 / 3 + 1 / 2, 0.5]])
    np.testing.assert_allclose(pullback(np.ones((1, 3))), want, rtol=1e-15)
    _, pullback = poolnd.vjp(operator("adaptive_max_pool", 1), np.array([[1.0, 2.0]]), 5)
    assert_equal(pullback(np.ones((1, 5))), np.array([[2.0, 3.0]]))


def test_elements_that_no_window_reads() -> None:
    """Their gradient is zero, also where they are all that an axis has at its end."""
    for ndim in NDIMS:
        x = np.arange(5.0**ndim).reshape((1, 1) + (5,) * ndim)
        inside = (slice(None), slice(None)) + (slice(0, 4),) * ndim
        for family, share in [("max_pool", None), ("avg_pool", 0.5**ndim)]:
            y, pullback = poolnd.vjp(operator(family, ndim), x, 2)
            gradient = pullback(np.ones(y.shape))
            assert gradient.sum() == gradient[inside].sum() == y.size
            if share is not None:
                assert (gradient[inside] == share).all()


@pytest.mark.parametrize("ndim", NDIMS)
def test_windows_without_elements_pass_nothing_on(ndim: int) -> None:
    """Length 1, kernel 2, dilation 2, padding 1: every tap lies outside, and so the index is -1."""
    x = np.ones((2, 3) + (1,) * ndim)
    y, pullback = poolnd.vjp(operator("max_pool", ndim), x, 2, 1, 1, 2)
    assert_equal(pullback(np.ones(y.shape)), np.zeros(x.shape))
