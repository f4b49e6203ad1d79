"""Gradients of conv2d: against plain loops, central differences, and the explicit functions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poolnd
import poolnd.nn.functional as F
from poolnd import PoolError
from poolnd.nn import grad as G

from . import gradients
from .closeness import BFLOAT16, FLOATS, assert_equal, assert_same_bits, spacing
from .layouts import LAYOUTS

Array = np.ndarray[Any, np.dtype[Any]]
Problem = tuple[Array, Array, dict[str, Any]]


@st.composite
def problems(draw: st.DrawFn, dtype: np.dtype[Any]) -> Problem:
    """Input, filters and options; eighths, so that sums are exact in float32."""
    groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 3)))
    sizes = [
        draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), 8))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(0, 2)), groups * per_group, *sizes)
    filters = (groups * draw(st.integers(1, 2)), per_group, *kernel)
    x, weight = (eighths(generator, each, dtype) for each in (shape, filters))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return x, weight, options


def eighths(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    return (generator.integers(-9, 10, shape) / 8).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@given(data=st.data())
def test_against_loops(dtype: np.dtype[Any], data: st.DataObject) -> None:
    """Exact sums, so what is left is the one rounding at the end."""
    x, weight, options = data.draw(problems(dtype))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    layouts = st.sampled_from(sorted(LAYOUTS))
    x = np.asarray(LAYOUTS[data.draw(layouts)](x, 2), dtype)
    y, pullback = poolnd.vjp(F.conv2d, x, weight, **options)
    assert_same_bits(y, F.conv2d(x, weight, **options))
    grad = LAYOUTS[data.draw(layouts)](eighths(generator, y.shape, dtype), 2)
    of_x, of_weight = gradients.conv2d(np.array(x), weight, np.array(grad), **options)
    assert_equal(pullback(grad), of_x.astype(dtype))
    assert_equal(G.conv2d_input(x.shape, weight, grad, **options), of_x.astype(dtype))
    assert_equal(G.conv2d_weight(x, weight.shape, grad, **options), of_weight.astype(dtype))


@settings(max_examples=25)
@given(data=st.data())
def test_against_central_differences(data: st.DataObject) -> None:
    x, weight, options = data.draw(problems(np.dtype(np.float64)))
    y, pullback = poolnd.vjp(F.conv2d, x, weight, **options)
    grad = np.random.default_rng(33).normal(size=y.shape)
    differences = gradients.central_differences(
        lambda x: F.conv2d(x, weight, **options), x, grad, 1e-4
    )
    np.testing.assert_allclose(pullback(grad), differences, rtol=1e-7, atol=1e-7)
    differences = gradients.central_differences(
        lambda weight: F.conv2d(x, weight, **options), weight, grad, 1e-4
    )
    of_weight = G.conv2d_weight(x, weight.shape, grad, **options)
    np.testing.assert_allclose(of_weight, differences, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (4, 5)])
def test_padding_by_name(padding: str, kernel: tuple[int, int]) -> None:
    """Of an even kernel's padding the larger part comes last."""
    generator = np.random.default_rng(34)
    x, weight = generator.normal(size=(2, 2, 7, 6)), generator.normal(size=(3, 2, *kernel))
    y, pullback = poolnd.vjp(F.conv2d, x, weight, generator.normal(size=3), padding=padding)
    grad = generator.normal(size=y.shape)
    differences = gradients.central_differences(
        lambda x: F.conv2d(x, weight, padding=padding), x, grad, 1e-4
    )
    np.testing.assert_allclose(pullback(grad), differences, rtol=1e-7, atol=1e-7)
    assert_same_bits(G.conv2d_input(x.shape, weight, grad, padding=padding), pullback(grad))
    assert G.conv2d_weight(x, weight.shape, grad, padding=padding).shape == weight.shape


def test_unbatched() -> None:
    generator = np.random.default_rng(35)
    x, weight = generator.normal(size=(2, 7, 6)), generator.normal(size=(3, 2, 3, 3))
    y, pullback = poolnd.vjp(F.conv2d, x, weight)
    grad = generator.normal(size=y.shape)
    _, of_batch = poolnd.vjp(F.conv2d, x[None], weight)
    assert_equal(pullback(grad), of_batch(grad[None])[0])
    assert_equal(
        G.conv2d_weight(x, weight.shape, grad), G.conv2d_weight(x[None], weight.shape, grad[None])
    )


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)
def test_half_types_are_summed_in_float32(dtype: np.dtype[Any]) -> None:
    """4096 ones: into one element of the input, and into one of a filter."""
    ones = np.ones((1, 4096, 1, 1), dtype)
    weight = np.ones((4096, 1, 1, 1), dtype)
    assert_equal(G.conv2d_input((1, 1, 1, 1), weight, ones), np.full((1, 1, 1, 1), 4096, dtype))
    image = np.ones((1, 1, 64, 64), dtype)
    assert_equal(G.conv2d_weight(image, (1, 1, 1, 1), image), np.full((1, 1, 1, 1), 4096, dtype))
    generator = np.random.default_rng(36)
    x, weight = (generator.normal(size=s).astype(dtype) for s in [(2, 4, 9, 9), (8, 4, 3, 3)])
    y, pullback = poolnd.vjp(F.conv2d, x, weight)
    grad = generator.normal(size=y.shape).astype(dtype)
    rule: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    of_x, of_weight = gradients.conv2d(x, weight, grad, **rule)
    of_filters = G.conv2d_weight(x, weight.shape, grad)
    for got, want in [(pullback(grad), of_x), (of_filters, of_weight)]:
        # Sums of some hundred terms near 1 in float32; the rounding to the half type is larger.
        allowed = spacing(want, dtype) + 100 * 2.0**-24
        assert (np.abs(got.astype(np.float64) - want) <= allowed).all()


X, WEIGHT = np.ones((1, 2, 6, 6)), np.ones((4, 2, 3, 3))
GRAD = np.ones((1, 4, 4, 4))


def test_refused_gradients() -> None:
    _, pullback = poolnd.vjp(F.conv2d, X, WEIGHT)
    for shape in [(), (4, 4, 4), (1, 4, 4, 5), (2, 4, 4, 4), (1, 2, 6, 6)]:
        for function in (
            pullback,
            lambda g: G.conv2d_input(X.shape, WEIGHT, g),
            lambda g: G.conv2d_weight(X, WEIGHT.shape, g),
        ):
            with pytest.raises(PoolError, match="shape"):
                function(np.ones(shape))
    for integers in (GRAD.astype(int), GRAD.astype(np.uint8)):
        with pytest.raises(TypeError, match="floating point"):
            G.conv2d_input(X.shape, WEIGHT.astype(integers.dtype), integers)
    for dtype in (np.float32, np.float16):
        with pytest.raises(PoolError, match="dtype"):
            G.conv2d_input(X.shape, WEIGHT, GRAD.astype(dtype))
        with pytest.raises(PoolError, match="dtype"):
            G.conv2d_weight(X, WEIGHT.shape, GRAD.astype(dtype))
    with pytest.raises(TypeError, match="floating point"):
        poolnd.vjp(F.conv2d, X.astype(int), WEIGHT.astype(int))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"stride": 0}, PoolError),
        ({"stride": 2}, PoolError),
        ({"padding": -1}, PoolError),
        ({"padding": "full"}, PoolError),
        ({"dilation": 0}, PoolError),
        ({"groups": 2}, PoolError),
        ({"groups": 0}, PoolError),
        ({"stride": 1.5}, TypeError),
        ({"groups": True}, TypeError),
    ],
    ids=str,
)
def test_refused_options(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        G.conv2d_input(X.shape, WEIGHT, GRAD, **options)
    with pytest.raises(error):
        G.conv2d_weight(X, WEIGHT.shape, GRAD, **options)


def test_refused_sizes() -> None:
    inputs = [(1, 3, 6, 6), (6, 6), (1, 2, 7, 6), (1, 2, -6, 6), (2**40, 2, 6, 6), ()]
    for size in inputs:
        with pytest.raises(PoolError):
            G.conv2d_input(size, WEIGHT, GRAD)
    filters = [(4, 3, 3, 3), (4, 2, 3), (4, 2, 3, 4), (4, 2, -3, 3), (4, 2, 0, 3), (5, 2, 3, 3)]
    for size in filters:
        with pytest.raises(PoolError):
            G.conv2d_weight(X, size, GRAD)
    mistyped: list[Any] = [(1, 2, 6.0, 6), (1, 2, "6", 6), (True, 2, 6, 6)]
    for wrong in mistyped:
        with pytest.raises(TypeError):
            G.conv2d_input(wrong, WEIGHT, GRAD)
