"""conv2d against plain loops, and average pooling as a convolution with a mean filter."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolnd.nn.functional as F
from poolnd import PoolError

from . import reference
from .closeness import BFLOAT16, assert_equal, spacing
from .layouts import LAYOUTS

Array = np.ndarray[Any, np.dtype[Any]]

DTYPES = [
    np.dtype(np.float32),
    np.dtype(np.float64),
    np.dtype(np.float16),
    BFLOAT16,
    np.dtype(np.int64),
    np.dtype(np.int8),
]


def convolve(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Array:
    """Sum of products over every window and the channels of its group, as Python numbers."""
    batch, channels, height, width = x.shape
    outputs, group, kernel_height, kernel_width = weight.shape
    axes = [
        reference.output_size(length, *rule)
        for length, *rule in zip(
            (height, width), (kernel_height, kernel_width), stride, padding, dilation, strict=True
        )
    ]
    y = np.zeros((batch, outputs, *axes), object)
    data, filters = reference.numbers(x), reference.numbers(weight)
    offsets = [0] * outputs if bias is None else list(reference.numbers(bias))
    for n, o, i, j in np.ndindex(y.shape):
        first = o // (outputs // groups) * (channels // groups)
        y[n, o, i, j] = offsets[o]
        for c, a, b in np.ndindex(group, kernel_height, kernel_width):
            row = i * stride[0] - padding[0] + a * dilation[0]
            column = j * stride[1] - padding[1] + b * dilation[1]
            if 0 <= row < height and 0 <= column < width:
                y[n, o, i, j] += data[n, first + c, row, column] * filters[o, c, a, b]
    return y


def assert_convolution(got: Array, exact: Array, magnitude: Array, terms: int) -> None:
    """Within the rounding errors of `terms` products, added in any order; integers exactly."""
    dtype = got.dtype
    if dtype.kind in "iu":
        with np.errstate(over="ignore"):
            assert_equal(got, (exact % 2 ** (8 * dtype.itemsize)).astype(np.uint64).astype(dtype))
        return
    assert got.shape == exact.shape
    want = exact.astype(np.float64)
    roundoff = 2.0**-53 if dtype == np.float64 else 2.0**-24
    allowed = spacing(want, dtype) + (terms + 1) * roundoff * magnitude.astype(np.float64)
    assert (np.abs(got.astype(np.float64) - want) <= allowed).all()


def check(x: Array, weight: Array, bias: Array | None, **options: Any) -> None:
    rule: dict[str, Any] = {
        "stride": (1, 1),
        "padding": (0, 0),
        "dilation": (1, 1),
        "groups": 1,
        **{k: (v, v) if isinstance(v, int) and k != "groups" else v for k, v in options.items()},
    }
    before = [x.tobytes(), weight.tobytes()]
    got = F.conv2d(x, weight, bias, **options)
    assert [x.tobytes(), weight.tobytes()] == before
    assert got.dtype == x.dtype
    values = np.array(x, order="C")
    exact = convolve(values, weight, bias, **rule)
    absolute = [None if part is None else np.abs(part) for part in (values, weight, bias)]
    magnitude = convolve(*absolute, **rule)  # type: ignore[arg-type]
    assert_convolution(got, exact, magnitude, weight[0].size)


def numbers(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    return (generator.integers(-9, 10, shape) / (1 if dtype.kind == "i" else 8)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(data=st.data())
def test_against_loops(dtype: np.dtype[Any], data: st.DataObject) -> None:
    draw = data.draw
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 3)))
    sizes = [
        draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), 8))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    x = numbers(generator, (draw(st.integers(0, 2)), groups * per_group, *sizes), dtype)
    weight = numbers(generator, (groups * draw(st.integers(1, 2)), per_group, *kernel), dtype)
    bias = numbers(generator, weight.shape[:1], dtype) if draw(st.booleans()) else None
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    check(
        np.asarray(LAYOUTS[layout](x, 2), x.dtype),
        weight,
        bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


def test_forms_of_sizes() -> None:
    x = np.random.default_rng(1).normal(size=(2, 4, 9, 8))
    weight = np.random.default_rng(2).normal(size=(6, 4, 3, 2))
    for size in (2, [2], (2,), (2, 2), [2, 2], np.int64(2), (np.int32(2), 2)):
        want = F.conv2d(x, weight, None, (2, 2), (2, 2), (2, 2))
        assert_equal(F.conv2d(x, weight, None, size, size, size), want)


@pytest.mark.parametrize("kernel", list(itertools.product([1, 2, 3, 4], [1, 2, 5])))
@pytest.mark.parametrize("dilation", [1, 2, (1, 3)])
def test_same_and_valid(kernel: tuple[int, int], dilation: Any) -> None:
    generator = np.random.default_rng(3)
    x, weight = generator.normal(size=(2, 2, 13, 14)), generator.normal(size=(3, 2, *kernel))
    same = F.conv2d(x, weight, padding="same", dilation=dilation)
    assert same.shape == (2, 3, 13, 14)
    # The output is as large as the input; an odd number of zeros has the one more at the end.
    both = (dilation, dilation) if isinstance(dilation, int) else dilation
    total = [d * (k - 1) for k, d in zip(kernel, both, strict=True)]
    margins = [(0, 0), (0, 0), *((n // 2, n - n // 2) for n in total)]
    padded = np.pad(x, margins)
    np.testing.assert_allclose(same, F.conv2d(padded, weight, dilation=dilation), rtol=1e-12)
    valid = F.conv2d(padded, weight, padding="valid", dilation=dilation)
    assert_equal(valid, F.conv2d(padded, weight, dilation=dilation))


def test_unbatched() -> None:
    generator = np.random.default_rng(4)
    x, weight = generator.normal(size=(2, 7, 6)), generator.normal(size=(3, 2, 3, 3))
    np.testing.assert_allclose(F.conv2d(x, weight), F.conv2d(x[None], weight)[0], rtol=1e-12)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_average_pooling_is_convolution_with_a_mean_filter(
    kernel: int, stride: int, padded: bool
) -> None:
    channels, padding = 3, kernel // 2 if padded else 0
    x = np.random.default_rng(5).normal(size=(2, channels, 14, 11))
    mean = np.full((channels, 1, kernel, kernel), 1 / kernel**2)
    convolved = F.conv2d(x, mean, stride=stride, padding=padding, groups=channels)
    pooled = F.avg_pool2d(x, kernel, stride, padding)
    np.testing.assert_allclose(convolved, pooled, rtol=0, atol=1e-14)


def test_mean_filter_example() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    want = np.array([[[[2.5, 4.5], [10.5, 12.5]]]])
    assert_equal(F.conv2d(x, np.full((1, 1, 2, 2), 0.25), stride=2), want)
    assert_equal(F.avg_pool2d(x, 2), want)


def test_larger_image() -> None:
    """Large enough to be worked on in parts."""
    generator = np.random.default_rng(6)
    x, weight = generator.normal(size=(3, 8, 120, 130)), generator.normal(size=(16, 8, 5, 5))
    y = F.conv2d(x, weight, padding=2)
    assert y.shape == (3, 16, 120, 130)
    for n, i, j in [(0, 0, 0), (1, 60, 65), (2, 119, 129), (2, 3, 127)]:
        window = np.pad(x[n], [(0, 0), (2, 2), (2, 2)])[:, i : i + 5, j : j + 5]
        np.testing.assert_allclose(y[n, :, i, j], (weight * window).sum(axis=(1, 2, 3)), atol=1e-12)


X = np.ones((1, 2, 6, 6), np.float32)
WEIGHT = np.ones((2, 2, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        ({"stride": 0}, "non-positive stride"),
        ({"stride": -1}, "non-positive stride"),
        ({"padding": -1}, "negative padding"),
        ({"padding": "full"}, "padding"),
        ({"padding": "same", "stride": 2}, "strided"),
        ({"dilation": 0}, "dilation should be greater than zero"),
        ({"dilation": 3}, "[Kk]ernel size can't be greater than actual input size"),
        ({"dilation": 2**62}, "[Kk]ernel size can't be greater than actual input size"),
        ({"groups": 0}, "non-positive groups"),
        ({"groups": 3}, "expected weight to be at least 3 at dimension 0"),
        ({"stride": (1, 1, 1)}, "stride"),
        ({"weight": np.ones((2, 3, 3, 3), np.float32)}, "expected input.* to have 3 channels"),
        ({"weight": np.ones((2, 2, 3), np.float32)}, "weight"),
        ({"weight": np.ones((2, 2, 3, 3))}, "dtype|type"),
        ({"bias": np.ones(3, np.float32)}, "expected bias to be 1-dimensional with 2 elements"),
        ({"bias": np.ones(2)}, "bias"),
        ({"input": np.ones((6, 6), np.float32)}, "3D .*4D"),
        ({"input": np.ones((1, 2, 0, 6), np.float32)}, r"\[1, 2, 0, 6\]"),
    ],
)
def test_refusals(arguments: dict[str, Any], phrase: str) -> None:
    with pytest.raises(PoolError, match=phrase):
        F.conv2d(**{"input": X, "weight": WEIGHT, **arguments})


@pytest.mark.parametrize(
    "arguments",
    [{name: value} for name in ("stride", "padding", "dilation", "groups") for value in (1.5, None)]
    + [{"input": X.astype(object)}, {"stride": "2"}, {"groups": True}],
)
def test_wrong_types(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        F.conv2d(**{"input": X, "weight": WEIGHT, **arguments})
