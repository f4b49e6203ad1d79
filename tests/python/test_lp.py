"""Power averages: PyTorch's formula with its quirks, every dtype and layout, layers and errors."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolnd.nn.functional as F
from poolnd import PoolError, nn

from . import irregular
from .closeness import BFLOAT16, FLOATS, INTEGERS, assert_close, assert_equal, spacing
from .operators import NDIMS, call, operator, refuses
from .strategies import Problem, lp_problems

Array = np.ndarray[Any, np.dtype[Any]]

INF = math.inf

each_ndim = pytest.mark.parametrize("ndim", NDIMS)
each_dtype = pytest.mark.parametrize("dtype", FLOATS, ids=str)
each_integer = pytest.mark.parametrize("dtype", [np.dtype(bool), *INTEGERS], ids=str)


@each_ndim
@each_dtype
@given(data=st.data())
def test_against_reference(ndim: int, dtype: np.dtype[Any], data: st.DataObject) -> None:
    """The powers add up without cancelling, so an error is small beside the result."""
    problem: Problem = data.draw(lp_problems(ndim, dtype))
    want = irregular.lp_pool(ndim, problem.values, **problem.arguments)
    got = call(operator("lp_pool", ndim), problem.x, ndim, **problem.arguments)
    assert_close(got, want, 32, want.astype(np.float64))


def lp1(values: list[float], *rule: Any) -> list[float]:
    answer: list[float] = F.lp_pool1d(np.array([[values]]), *rule)[0, 0].tolist()
    return answer


def test_worked_examples() -> None:
    assert lp1([3.0, -4.0], 1, 2) == [-1.0]
    assert lp1([3.0, -4.0], 2, 2) == [5.0]
    assert lp1([3.0, -4.0], INF, 2) == [4.0]
    assert lp1([3.0, -4.0], -INF, 2) == [3.0]
    assert math.isnan(lp1([1.0, -2.0], 3, 2)[0])
    assert lp1([2.0, -1.0], 3, 2) == [pytest.approx(7 ** (1 / 3))]
    assert math.isnan(lp1([4.0, -1.0], 0.5, 2)[0])
    assert lp1([4.0, 9.0], 0.5, 2) == [pytest.approx(25.0)]
    assert lp1([2.0, 2.0], -1, 2) == [pytest.approx(1.0)]
    assert lp1([0.0, 2.0], -1, 2) == [0.0]
    assert lp1([0.0, 0.0], 2, 2) == [0.0]
    assert lp1([3.0, 4.0], np.array(2), 2) == [5.0]
    assert lp1([3.0, 4.0], np.float32(2), 2) == [5.0]
    assert all(map(math.isnan, lp1([3.0, 4.0], math.nan, 2)))


def test_infinities_and_nan() -> None:
    assert lp1([INF, 1.0], 2, 2) == [INF]
    assert lp1([-INF, 1.0], 2, 2) == [INF]
    assert lp1([-INF, 1.0], INF, 2) == [INF]
    assert lp1([-INF, 1.0], -INF, 2) == [1.0]
    assert lp1([INF, 1.0], -1, 2) == [1.0]
    for norm_type in (2, 3, 0.5, -1, INF, -INF):
        assert math.isnan(lp1([math.nan, 1.0], norm_type, 2)[0])


@each_ndim
def test_ceil_mode_scales_what_a_short_window_has(ndim: int) -> None:
    """The mean of a window's own elements counts for all of the kernel: 5 alone is 7.07 of 2."""
    line = np.array([[[3.0, 4.0, 5.0]]])
    assert_equal(F.lp_pool1d(line, 2, 2), np.array([[[5.0]]]))
    np.testing.assert_allclose(F.lp_pool1d(line, 2, 2, None, True), [[[5.0, 5 * math.sqrt(2)]]])
    x = np.full((1, 1) + (3,) * ndim, 5.0)
    answer = operator("lp_pool", ndim)(x, 2, 2, ceil_mode=True)
    np.testing.assert_allclose(answer, np.full((1, 1) + (2,) * ndim, 5 * 2 ** (ndim / 2)))
    extreme = operator("lp_pool", ndim)(x, INF, 2, ceil_mode=True)
    assert_equal(extreme, np.full((1, 1) + (2,) * ndim, 5.0))


@each_ndim
def test_towards_an_infinite_power(ndim: int) -> None:
    x = np.random.default_rng(28).random((2, 3) + (6,) * ndim) + 0.5
    function = operator("lp_pool", ndim)
    np.testing.assert_allclose(function(x, 600.0, 3, 1), function(x, INF, 3, 1), rtol=0.01)
    np.testing.assert_allclose(function(x, -600.0, 3, 1), function(x, -INF, 3, 1), rtol=0.01)
    assert_equal(function(x, INF, 3, 1), operator("max_pool", ndim)(x, 3, 1))


@each_dtype
def test_powers_beyond_the_range_of_the_dtype(dtype: np.dtype[Any]) -> None:
    """Computed in float64: squares may leave the range of narrower types, the root comes back."""
    if dtype == np.float64:
        return
    large = float(np.ldexp(1.0, {2: 14, 4: 120}[dtype.itemsize]))
    x = np.array([[[3 * large / 8, 4 * large / 8]]]).astype(dtype)
    assert_equal(F.lp_pool1d(x, 2, 2), np.array([[[5 * large / 8]]]).astype(dtype))


@each_integer
@pytest.mark.parametrize("ndim", NDIMS)
def test_integers_with_a_float_power_are_float32(ndim: int, dtype: np.dtype[Any]) -> None:
    x = (np.random.default_rng(29).integers(0, 9, (2, 3) + (5,) * ndim)).astype(dtype)
    for norm_type in (1.0, 2.0, 0.5, 3.0):
        got = operator("lp_pool", ndim)(x, norm_type, 2, 1)
        want = operator("lp_pool", ndim)(x.astype(np.float32), norm_type, 2, 1)
        assert_equal(got, want)
        assert got.dtype == np.float32


@each_integer
def test_integers_with_an_integer_power_are_truncated(dtype: np.dtype[Any]) -> None:
    """PyTorch's arithmetic: the mean of 1, 2 and 2 is 1, and the result 3 of them."""
    x = np.array([[[1, 2, 2, 1]]]).astype(dtype)
    got = F.lp_pool1d(x, 1, 3, 1)
    assert_equal(got, irregular.lp_pool(1, x, 1, 3, 1))
    assert got.dtype == np.float32
    assert got.tolist() == [[[3.0, 3.0]]]
    y = np.random.default_rng(30).integers(0, 11, (2, 3, 6, 7)).astype(dtype)
    for norm_type in (1, 2, 3, np.int64(2)):
        rules: list[Any] = [(2, None, False), ((2, 3), 1, True)]
        for rule in rules:
            want = irregular.lp_pool(2, y, int(norm_type), *rule)
            got = F.lp_pool2d(y, norm_type, *rule)
            np.testing.assert_allclose(got, want, rtol=1e-6)


@each_integer
def test_infinite_powers_keep_the_dtype_of_integers(dtype: np.dtype[Any]) -> None:
    x = np.array([[[1, 0, 7, 5]]]).astype(dtype)
    assert_equal(F.lp_pool1d(x, INF, 2), np.array([[[1, 7]]]).astype(dtype))
    assert_equal(F.lp_pool1d(x, -INF, 2), np.array([[[0, 5]]]).astype(dtype))
    if dtype.kind == "i":
        assert_equal(F.lp_pool1d(-x, INF, 2), np.array([[[1, 7]]]).astype(dtype))
        assert_equal(F.lp_pool1d(-x, -INF, 2), np.array([[[0, 5]]]).astype(dtype))


def test_half_types_are_rounded_once() -> None:
    """From float64, so within half an ulp, but for the last bits of the powers."""
    generator = np.random.default_rng(31)
    for dtype in (np.dtype(np.float16), BFLOAT16):
        x = generator.random((1, 1, 200)).astype(dtype)
        for norm_type in (1.0, 2.0, 3.5, 0.5, -2.0):
            exact = irregular.lp_pool(1, x.astype(np.float64), norm_type, 5, 1)
            error = np.abs(F.lp_pool1d(x, norm_type, 5, 1).astype(np.float64) - exact)
            assert (error <= 0.5001 * spacing(exact, dtype)).all()


@each_ndim
@pytest.mark.parametrize(
    ("arguments", "error", "phrase"),
    [
        ((0, 2), PoolError, "norm_type.*zero"),
        ((0.0, 2), PoolError, "norm_type.*zero"),
        (("2", 2), TypeError, "norm_type"),
        ((None, 2), TypeError, "norm_type"),
        (([2], 2), TypeError, "norm_type"),
        ((np.array([2.0]), 2), TypeError, "norm_type"),
        ((2j, 2), TypeError, "norm_type"),
        ((10**400, 2), PoolError, "norm_type"),
        ((2, 0, 1), PoolError, "kernel.size (should|must) be greater than zero"),
        ((2, -1, 1), PoolError, "kernel.size (should|must) be greater than zero.*-1"),
        ((2, 2, 0), PoolError, "stride should not be zero"),
        ((2, 2, -1), PoolError, "stride (should|must) be greater than zero.*-1"),
        ((2, 9), PoolError, "[Oo]utput size is too small|smaller than kernel size"),
        ((2, 2.5), TypeError, "kernel_size"),
        ((2, "2"), TypeError, "kernel_size"),
        ((2, None), TypeError, "kernel_size"),
        ((2, True), TypeError, "kernel_size"),
        ((2, 2, "2"), TypeError, "stride"),
        ((2, 2, 1, 1), TypeError, "ceil_mode"),
        ((2, 2, (1,) * 4), PoolError, "stride"),
        ((2, 2**62), (PoolError, TypeError), "size"),
        ((INF, 0, 1), PoolError, "kernel.size (should|must) be greater than zero"),
        ((INF, 9), PoolError, "[Oo]utput size is too small|smaller than kernel size"),
        ((INF, 2, 1, 1), TypeError, "ceil_mode"),
    ],
    ids=str,
)
def test_refusals(ndim: int, arguments: tuple[Any, ...], error: Any, phrase: str) -> None:
    x = np.ones((1, 2) + (6,) * ndim)
    with pytest.raises(error, match=phrase):
        operator("lp_pool", ndim)(x, *arguments)


def test_kernel_of_one_axis_is_an_integer() -> None:
    for kernel_size in ((2,), [2], (2, 2)):
        refuses(TypeError, "kernel_size", F.lp_pool1d, np.ones((1, 4)), 2, kernel_size)
    assert_equal(F.lp_pool1d(np.ones((1, 4)), 2, np.int64(1)), np.ones((1, 4)))


@each_ndim
def test_refused_inputs(ndim: int) -> None:
    function = operator("lp_pool", ndim)
    for norm_type in (2, INF):
        for rank in {0, 1, ndim, ndim + 3}:
            with pytest.raises(PoolError, match="D or"):
                function(np.ones((2,) * rank), norm_type, 1)
        for dtype in (object, np.complex64, "U3", "M8[s]"):
            x = np.zeros((1, 2) + (4,) * ndim, dtype)
            refuses(TypeError, "dtype|complex", function, x, norm_type, 2)
        for shape in [(2, 0) + (4,) * ndim, (2, 2, 0) + (4,) * (ndim - 1)]:
            x = np.ones(shape)
            refuses(PoolError, "non-zero|positive", function, x, norm_type, 1)
        assert function(np.ones((0, 2) + (4,) * ndim), norm_type, 2).shape == (0, 2) + (2,) * ndim
    refuses(PoolError, "negative", function, np.ones((1, 1) + (4,) * ndim, int), -2, 2)


@each_ndim
def test_layers(ndim: int) -> None:
    layer = getattr(nn, f"LPPool{ndim}d")
    name = f"LPPool{ndim}d"
    text = f"{name}(norm_type=2, kernel_size=3, stride=None, ceil_mode=False)"
    assert repr(layer(2, 3)) == text
    text = f"{name}(norm_type=1.5, kernel_size=2, stride=1, ceil_mode=True)"
    assert repr(layer(1.5, 2, 1, True)) == text
    x = np.random.default_rng(32).random((2, 3) + (7,) * ndim)
    function = operator("lp_pool", ndim)
    for rule in [(2, 3), (1.5, 2, 1, True), (INF, 2, 3), (3, 3, None, True)]:
        assert_equal(layer(*rule)(x), function(x, *rule))
    # A layer's power is a float even if it is written as an integer.
    ones = np.full((1, 1) + (4,) * ndim, 3)
    assert_equal(layer(2, 2)(ones), function(ones, 2.0, 2))
    assert list(layer(2, 2).parameters()) == []
