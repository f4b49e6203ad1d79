"""Layers: what PyTorch prints for them, what they keep, and that they are their functions."""

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import poolnd
from poolnd import nn

from .closeness import assert_equal
from .operators import NDIMS, operator

Array = np.ndarray[Any, np.dtype[Any]]

MAX = ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"]
AVG = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]
ORDER = {
    "MaxPool": MAX,
    "AvgPool": AVG,
    "AdaptiveMaxPool": ["output_size", "return_indices"],
    "AdaptiveAvgPool": ["output_size"],
}
FUNCTIONS = {
    "MaxPool": "max_pool",
    "AvgPool": "avg_pool",
    "AdaptiveMaxPool": "adaptive_max_pool",
    "AdaptiveAvgPool": "adaptive_avg_pool",
}

REPRS = [
    (nn.MaxPool2d(2), "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"),
    (
        nn.MaxPool1d(3, 2, 1, 1, True, True),
        "MaxPool1d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=True)",
    ),
    (
        nn.MaxPool3d((1, 2, 3), stride=(3, 2, 1)),
        "MaxPool3d(kernel_size=(1, 2, 3), stride=(3, 2, 1), padding=0, dilation=1,"
        " ceil_mode=False)",
    ),
    (nn.AvgPool1d(3), "AvgPool1d(kernel_size=(3,), stride=(3,), padding=(0,))"),
    (nn.AvgPool1d((3,), 2, 1), "AvgPool1d(kernel_size=(3,), stride=(2,), padding=(1,))"),
    (nn.AvgPool2d(3, stride=2, padding=1), "AvgPool2d(kernel_size=3, stride=2, padding=1)"),
    (nn.AvgPool2d((3, 2)), "AvgPool2d(kernel_size=(3, 2), stride=(3, 2), padding=0)"),
    (nn.AvgPool3d(2, divisor_override=3), "AvgPool3d(kernel_size=2, stride=2, padding=0)"),
    (nn.AdaptiveMaxPool1d(5), "AdaptiveMaxPool1d(output_size=5)"),
    (nn.AdaptiveMaxPool2d(7), "AdaptiveMaxPool2d(output_size=7)"),
    (nn.AdaptiveMaxPool3d((1, None, 2)), "AdaptiveMaxPool3d(output_size=(1, None, 2))"),
    (nn.AdaptiveAvgPool1d(1), "AdaptiveAvgPool1d(output_size=1)"),
    (nn.AdaptiveAvgPool2d((None, 2)), "AdaptiveAvgPool2d(output_size=(None, 2))"),
    (nn.AdaptiveAvgPool3d(4), "AdaptiveAvgPool3d(output_size=4)"),
]
LAYERS = [layer for layer, _ in REPRS]

each_ndim = pytest.mark.parametrize("ndim", NDIMS)
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=repr)


def image(layer: nn.Module) -> Array:
    ndim = int(type(layer).__name__[-2])
    sizes = (9, 8, 7)[:ndim]
    return np.random.default_rng(0).normal(size=(2, 3, *sizes))


def assert_same_answer(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    pairs = zip(got, want, strict=True) if isinstance(got, tuple) else [(got, want)]
    for one, other in pairs:
        assert_equal(one, other)


@pytest.mark.parametrize(("layer", "text"), REPRS, ids=repr)
def test_repr(layer: nn.Module, text: str) -> None:
    assert repr(layer) == text
    assert f"{type(layer).__name__}({layer.extra_repr()})" == text


@each_ndim
@pytest.mark.parametrize("family", ORDER)
def test_constructor(family: str, ndim: int) -> None:
    """PyTorch's order of parameters, in which the layers differ from the functions."""
    names = list(inspect.signature(getattr(nn, f"{family}{ndim}d")).parameters)
    divisor = ["divisor_override"] if family == "AvgPool" and ndim > 1 else []
    assert names == ORDER[family] + divisor


@each_ndim
def test_max_layer_is_its_function(ndim: int) -> None:
    layer = getattr(nn, f"MaxPool{ndim}d")
    function = operator("max_pool", ndim)
    options: list[dict[str, Any]] = [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": (2,) * ndim, "dilation": 2, "return_indices": True},
        {"kernel_size": [3] * ndim, "stride": [1] * ndim, "return_indices": True},
    ]
    for option in options:
        x = image(layer(**option))
        assert_same_answer(layer(**option)(x), function(x, **option))
    x = image(layer(2))
    by_position = layer(3, 2, 1, 1, True, False)(x)
    assert_same_answer(by_position, function(x, 3, 2, 1, 1, False, True))


@each_ndim
def test_average_layer_is_its_function(ndim: int) -> None:
    layer = getattr(nn, f"AvgPool{ndim}d")
    function = operator("avg_pool", ndim)
    options: list[dict[str, Any]] = [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": (3,) * ndim, "padding": (1,) * ndim, "count_include_pad": False},
    ]
    if ndim > 1:
        options.append({"kernel_size": 2, "divisor_override": 3})
    for option in options:
        x = image(layer(**option))
        assert_same_answer(layer(**option)(x), function(x, **option))


@each_ndim
@pytest.mark.parametrize("family", ["AdaptiveMaxPool", "AdaptiveAvgPool"])
def test_adaptive_layer_is_its_function(family: str, ndim: int) -> None:
    layer = getattr(nn, f"{family}{ndim}d")
    function = operator(FUNCTIONS[family], ndim)
    sizes: list[Any] = [1, 3, (2,) * ndim]
    if ndim > 1:
        sizes.append((None,) + (2,) * (ndim - 1))
    for size in sizes:
        x = image(layer(size))
        assert_same_answer(layer(size)(x), function(x, size))
    if family == "AdaptiveMaxPool":
        x = image(layer(2))
        assert_same_answer(layer(2, True)(x), function(x, 2, True))


@each_ndim
def test_attributes(ndim: int) -> None:
    layer = getattr(nn, f"MaxPool{ndim}d")(3, None, 1)
    assert (layer.kernel_size, layer.stride, layer.padding, layer.dilation) == (3, 3, 1, 1)
    assert layer.return_indices is False
    assert layer.ceil_mode is False
    average = getattr(nn, f"AvgPool{ndim}d")(3)
    assert average.stride == average.kernel_size == ((3,) if ndim == 1 else 3)
    assert average.ceil_mode is False
    assert average.count_include_pad is True
    if ndim > 1:
        assert average.divisor_override is None
    assert getattr(nn, f"AdaptiveMaxPool{ndim}d")(3).output_size == 3
    assert getattr(nn, f"AdaptiveMaxPool{ndim}d")(3).return_indices is False


def test_attributes_are_read_at_the_call() -> None:
    layer = nn.MaxPool2d(2)
    layer.kernel_size = 3
    x = image(layer)
    assert_equal(layer(x), operator("max_pool", 2)(x, 3, 2))
    assert repr(layer).startswith("MaxPool2d(kernel_size=3, stride=2")


def test_a_stride_of_zero_is_refused_by_the_call() -> None:
    layer = nn.MaxPool2d(2, stride=0)
    assert layer.stride == 0
    with pytest.raises(poolnd.PoolError, match="stride"):
        layer(image(layer))


@each_layer
def test_nothing_to_train(layer: nn.Module) -> None:
    assert list(layer.parameters()) == []
    assert dict(layer.state_dict()) == {}
    layer.load_state_dict({})
    assert isinstance(layer, nn.Module)


@each_layer
def test_train_and_eval(layer: nn.Module) -> None:
    x = image(layer)
    before = layer(x)
    assert layer.training is True
    assert layer.eval() is layer
    assert layer.training is False
    assert_same_answer(layer(x), before)
    assert layer.train() is layer
    assert layer.training is True
    assert layer.train(False).training is False
    layer.train()


@each_layer
def test_copies(layer: nn.Module) -> None:
    x = image(layer)
    for twin in (pickle.loads(pickle.dumps(layer)), copy.copy(layer), copy.deepcopy(layer)):  # noqa: S301
        assert type(twin) is type(layer)
        assert repr(twin) == repr(layer)
        assert_same_answer(twin(x), layer(x))


@each_layer
def test_call_is_forward(layer: nn.Module) -> None:
    x = image(layer)
    assert_same_answer(layer(x), layer.forward(x))


def test_sequential() -> None:
    chain = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d((5, 5)))
    x = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    shapes = [(1, 3, 112, 112), (1, 3, 56, 56), (1, 3, 5, 5)]
    step = x
    for layer, shape in zip(chain, shapes, strict=True):
        step = layer(step)
        assert step.shape == shape
    assert_equal(chain(x), step)
    assert len(chain) == 3
    assert repr(chain[1]) == repr(nn.MaxPool2d(2))
    assert repr(chain[-1]) == "AdaptiveAvgPool2d(output_size=(5, 5))"
    assert_equal(chain[:2](x), chain[1](chain[0](x)))
    assert list(chain.parameters()) == []
    assert dict(chain.state_dict()) == {}
    assert repr(chain) == (
        "Sequential(\n"
        "  (0): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)\n"
        "  (1): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)\n"
        "  (2): AdaptiveAvgPool2d(output_size=(5, 5))\n"
        ")"
    )


def test_sequential_of_sequentials() -> None:
    inner = nn.Sequential(nn.MaxPool1d(2))
    chain = nn.Sequential(inner, nn.AvgPool1d(2))
    x = np.arange(8.0).reshape(1, 1, 8)
    assert_equal(chain(x), np.array([[[2.0, 6.0]]]))
    chain.eval()
    assert inner.training is False
    assert inner[0].training is False
    assert repr(chain).splitlines()[1:4] == [
        "  (0): Sequential(",
        "    (0): MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
        "  )",
    ]
    assert_equal(pickle.loads(pickle.dumps(chain))(x), chain(x))  # noqa: S301


def test_sequential_by_name_and_by_pieces() -> None:
    chain = nn.Sequential({"half": nn.MaxPool1d(2)})
    assert repr(chain).splitlines()[1].startswith("  (half): MaxPool1d")
    grown = nn.Sequential()
    x = np.arange(8.0).reshape(1, 1, 8)
    assert_equal(grown(x), x)
    assert repr(grown) == "Sequential()"
    grown.append(nn.MaxPool1d(2))
    assert_equal(grown(x), chain(x))
    with pytest.raises(TypeError):
        nn.Sequential(3)  # type: ignore[call-overload]


def test_a_layer_of_ones_own() -> None:
    class Contrast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.highest = nn.MaxPool1d(2)
            self.mean = nn.AvgPool1d(2)

        def forward(self, x: Array) -> Any:
            return self.highest(x) - self.mean(x)

    layer = Contrast()
    assert_equal(layer(np.arange(4.0).reshape(1, 1, 4)), np.array([[[0.5, 0.5]]]))
    assert repr(layer).splitlines() == [
        "Contrast(",
        "  (highest): MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
        "  (mean): AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))",
        ")",
    ]
    assert [type(child) for child in layer.children()] == [nn.MaxPool1d, nn.AvgPool1d]


def test_a_layer_without_forward() -> None:
    with pytest.raises(NotImplementedError):
        nn.Module()(1)


def test_a_call_passes_all_its_arguments() -> None:
    class Echo(nn.Module):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return args, kwargs

    echo = Echo()
    assert echo() == ((), {})
    assert echo(None) == ((None,), {})
    assert echo(1, 2) == ((1, 2), {})
    assert echo(1, input=2) == ((1,), {"input": 2})
    assert echo(input=1) == ((), {"input": 1})
    x = np.arange(8.0).reshape(1, 1, 8)
    assert_equal(nn.MaxPool1d(2)(input=x), nn.MaxPool1d(2)(x))
    echo.forward = lambda x: x  # type: ignore[method-assign]
    assert echo(3) == 3
