"""Gradients by their other names: poolnd.nn.grad, layers, chains; and their memory layouts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import poolnd
from poolnd import nn
from poolnd.nn import grad as G

from .closeness import FLOATS, assert_equal, assert_same_bits
from .layouts import LAYOUTS, is_channels_last
from .operators import NDIMS, operator

Array = np.ndarray[Any, np.dtype[Any]]

SIZES = (7, 6, 5)

each_ndim = pytest.mark.parametrize("ndim", NDIMS)
each_dtype = pytest.mark.parametrize("dtype", FLOATS, ids=str)
generator = np.random.default_rng(8)


def like(y: Array) -> Array:
    shape: tuple[int, ...] = y.shape
    return generator.normal(size=shape).astype(y.dtype)


def image(ndim: int, dtype: Any = np.float64) -> Array:
    x: Array = np.abs(like(np.empty((2, 3, *SIZES[:ndim]), dtype)))
    return x


def backward(name: str, ndim: int) -> Callable[..., Array]:
    function: Callable[..., Array] = getattr(G, name.format(ndim))
    return function


def test_every_function_is_here() -> None:
    """For each operator that vjp knows there is a function that goes back."""
    tested = {
        "max_pool{}d_with_indices_backward", "adaptive_max_pool{}d_backward",
        "avg_pool{}d_backward", "adaptive_avg_pool{}d_backward", "lp_pool{}d_backward",
        "max_unpool{}d_backward",
    }  # fmt: skip
    names = {name.format(ndim) for name in tested for ndim in NDIMS}
    names |= {f"fractional_max_pool{ndim}d_backward" for ndim in (2, 3)}
    assert set(G.__all__) == names | {"conv2d_input", "conv2d_weight"}


@each_ndim
@each_dtype
def test_max(ndim: int, dtype: np.dtype[Any]) -> None:
    x = image(ndim, dtype)
    for rule in [
        (2, None, 0, 1, False),
        (3, 1, 1, 2, False),
        ((2,) * ndim, (3,) * ndim, 1, 1, True),
    ]:
        (y, indices), pullback = poolnd.vjp(operator("max_pool", ndim), x, *rule, True)
        g = like(y)
        function = backward("max_pool{}d_with_indices_backward", ndim)
        assert_same_bits(function(g, x, *rule, indices), pullback(g))
        assert_same_bits(function(g, np.empty_like(x), *rule, indices), pullback(g))
        _, of_values = poolnd.vjp(operator("max_pool", ndim), x, *rule)
        _, of_both = poolnd.vjp(operator("max_pool", ndim, "_with_indices"), x, *rule)
        assert_same_bits(of_values(g), pullback(g))
        assert_same_bits(of_both(g), pullback(g))


@each_ndim
@each_dtype
def test_average(ndim: int, dtype: np.dtype[Any]) -> None:
    x = image(ndim, dtype)
    for rule in [
        (2, None, 0, False, True),
        (3, 2, 1, True, False),
        ((2,) * ndim, (), 1, True, True),
    ]:
        y, pullback = poolnd.vjp(operator("avg_pool", ndim), x, *rule)
        g = like(y)
        assert_same_bits(backward("avg_pool{}d_backward", ndim)(g, x, *rule), pullback(g))
    if ndim > 1:
        y, pullback = poolnd.vjp(operator("avg_pool", ndim), x, 2, divisor_override=-3)
        g = like(y)
        function = backward("avg_pool{}d_backward", ndim)
        assert_same_bits(function(g, x, 2, None, 0, False, True, -3), pullback(g))


@each_ndim
@each_dtype
def test_adaptive(ndim: int, dtype: np.dtype[Any]) -> None:
    x = image(ndim, dtype)
    for size in (1, 3, (9,) * ndim):
        (y, indices), pullback = poolnd.vjp(operator("adaptive_max_pool", ndim), x, size, True)
        g = like(y)
        assert_same_bits(
            backward("adaptive_max_pool{}d_backward", ndim)(g, x, indices), pullback(g)
        )
        y, pullback = poolnd.vjp(operator("adaptive_avg_pool", ndim), x, size)
        g = like(y)
        assert_same_bits(backward("adaptive_avg_pool{}d_backward", ndim)(g, x), pullback(g))


@pytest.mark.parametrize("ndim", [2, 3])
@each_dtype
def test_fractional(ndim: int, dtype: np.dtype[Any]) -> None:
    x = image(ndim, dtype)
    samples = (generator.integers(0, 128, (2, 3, ndim)) / 128).astype(dtype)
    options = {"output_size": 3, "return_indices": True, "_random_samples": samples}
    (y, indices), pullback = poolnd.vjp(operator("fractional_max_pool", ndim), x, 2, **options)
    g = like(y)
    function = backward("fractional_max_pool{}d_backward", ndim)
    assert_same_bits(function(g, x, 2, 3, indices), pullback(g))


@each_ndim
@each_dtype
def test_unpooling(ndim: int, dtype: np.dtype[Any]) -> None:
    pooled = image(ndim, dtype)
    x, indices = operator("max_pool", ndim)(pooled, 2, return_indices=True)
    options = {"output_size": pooled.shape}
    y, pullback = poolnd.vjp(operator("max_unpool", ndim), x, indices, 2, **options)
    assert y.shape == pooled.shape
    g = like(y)
    function = backward("max_unpool{}d_backward", ndim)
    assert_same_bits(function(g, x, indices, y.shape[2:]), pullback(g))


@each_ndim
@each_dtype
def test_power_average(ndim: int, dtype: np.dtype[Any]) -> None:
    x = image(ndim, dtype)
    for rule in [(2, 2, None, False), (3.0, 3, 2, True), (float("inf"), 2, 1, False)]:
        y, pullback = poolnd.vjp(operator("lp_pool", ndim), x, *rule)
        g = like(y)
        assert_same_bits(backward("lp_pool{}d_backward", ndim)(g, x, *rule), pullback(g))


@each_ndim
@pytest.mark.parametrize("family", ["max_pool", "avg_pool", "adaptive_avg_pool", "lp_pool"])
def test_layouts_change_no_bit(family: str, ndim: int) -> None:
    """Whatever the layout of input and gradient; and channels last stays channels last."""
    arguments = (2, 2) if family == "lp_pool" else (2,)
    x = image(ndim)
    y, pullback = poolnd.vjp(operator(family, ndim), x, *arguments)
    g = like(y)
    want = pullback(g)
    for layout in LAYOUTS.values():
        laid_x = layout(x, ndim)
        if not np.array_equal(laid_x, x):
            continue
        _, pullback = poolnd.vjp(operator(family, ndim), laid_x, *arguments)
        for of_gradient in LAYOUTS.values():
            laid_g = of_gradient(g, ndim)
            if np.array_equal(laid_g, g):
                assert_same_bits(pullback(laid_g), want)
    channels_last = LAYOUTS["channels_last"]
    _, pullback = poolnd.vjp(operator(family, ndim), channels_last(x, ndim), *arguments)
    assert is_channels_last(pullback(channels_last(g, ndim)), ndim)


LAYERS: list[tuple[nn.Module, int]] = [
    (nn.MaxPool1d(2, 1), 1),
    (nn.MaxPool2d(3, 2, 1, return_indices=True), 2),
    (nn.MaxPool3d(2, ceil_mode=True), 3),
    (nn.AvgPool1d(3, 2, 1), 1),
    (nn.AvgPool2d(2, divisor_override=3), 2),
    (nn.AvgPool3d(2, padding=1, count_include_pad=False), 3),
    (nn.AdaptiveMaxPool1d(3, return_indices=True), 1),
    (nn.AdaptiveMaxPool2d((None, 2)), 2),
    (nn.AdaptiveMaxPool3d(2), 3),
    (nn.AdaptiveAvgPool1d(3), 1),
    (nn.AdaptiveAvgPool2d((None, 4)), 2),
    (nn.AdaptiveAvgPool3d(1), 3),
    (nn.LPPool1d(2, 3), 1),
    (nn.LPPool2d(1.5, 2, 1), 2),
    (nn.LPPool3d(3, 2), 3),
]


@pytest.mark.parametrize(("layer", "ndim"), LAYERS, ids=str)
def test_layers(layer: nn.Module, ndim: int) -> None:
    x = image(ndim)
    y, pullback = layer.vjp(x)
    values = y[0] if isinstance(y, tuple) else y
    called = layer(x)
    assert isinstance(called, tuple) == isinstance(y, tuple)
    assert_same_bits(values, called[0] if isinstance(called, tuple) else called)
    _, by_function = poolnd.vjp(layer, x)
    g = like(values)
    assert_same_bits(by_function(g), pullback(g))
    step = 1e-6
    difference = [layer(x + sign * step * x) for sign in (1, -1)]
    above, below = (d[0] if isinstance(d, tuple) else d for d in difference)
    np.testing.assert_allclose(
        np.sum(pullback(g) * x), np.sum(g * (above - below)) / (2 * step), rtol=1e-6, atol=1e-8
    )


def test_a_layer_of_random_windows_goes_back_through_the_windows_it_used() -> None:
    layer = nn.FractionalMaxPool2d(2, 3, return_indices=True, generator=np.random.default_rng(1))
    x = image(2)
    (y, indices), pullback = layer.vjp(x)
    g = like(y)
    assert_equal(pullback(g), G.fractional_max_pool2d_backward(g, x, 2, 3, indices))


def test_unpooling_layer() -> None:
    """The gradient of each element is the one where it was put."""
    pooled = image(2)
    x, indices = operator("max_pool", 2)(pooled, 2, return_indices=True)
    layer = nn.MaxUnpool2d(2)
    y, pullback = layer.vjp(x, indices, output_size=pooled.shape)
    assert_same_bits(y, layer(x, indices, output_size=pooled.shape))
    g = like(y)
    found = np.take_along_axis(g.reshape(2, 3, -1), indices.reshape(2, 3, -1), axis=2)
    assert_equal(pullback(g), found.reshape(x.shape))
    _, by_function = poolnd.vjp(layer, x, indices, pooled.shape)
    assert_same_bits(by_function(g), pullback(g))


def test_sequential() -> None:
    layers = [nn.MaxPool2d(3, 1), nn.LPPool2d(2, 2, 1), nn.AvgPool2d(2, 1), nn.AdaptiveAvgPool2d(1)]
    x = image(2)
    y, pullback = nn.Sequential(*layers).vjp(x)
    pullbacks, step = [], x
    for layer in layers:
        step, back = layer.vjp(step)
        pullbacks.append(back)
    assert_same_bits(y, step)
    g = gradient = like(y)
    for back in reversed(pullbacks):
        gradient = back(gradient)
    assert_same_bits(pullback(g), gradient)
    _, nested = nn.Sequential(nn.Sequential(*layers[:2]), *layers[2:]).vjp(x)
    assert_same_bits(nested(g), gradient)
    y, through_nothing = nn.Sequential().vjp(x)
    assert_same_bits(through_nothing(y), x)


def test_pullbacks_are_independent() -> None:
    """Each remembers its own call, and may be called as often as one likes."""
    first, second = image(1), image(1)
    y, of_first = poolnd.vjp(operator("max_pool", 1), first, 3)
    _, of_second = poolnd.vjp(operator("max_pool", 1), second, 3)
    g = like(y)
    want = of_first(g)
    of_second(g)
    assert_same_bits(of_first(g), want)
    assert_same_bits(of_first(2 * g), 2 * want)
    assert_equal(want != 0, of_first(np.ones_like(y)) != 0)


def test_gradients_of_other_dtypes_are_converted() -> None:
    y, pullback = poolnd.vjp(operator("avg_pool", 1), np.ones((1, 1, 4), np.float32), 2)
    for g in (
        [[[1, 2]]],
        np.array([[[1, 2]]]),
        np.array([[[1.0, 2.0]]]),
        np.array([[[1, 2]]], np.float16),
    ):
        gradient = pullback(g)
        assert_equal(gradient, np.array([[[0.5, 0.5, 1.0, 1.0]]], np.float32))
    assert y.dtype == np.float32
