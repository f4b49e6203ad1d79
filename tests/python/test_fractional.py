"""Fractional max pooling: windows against the reference, random numbers, layers and errors."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolnd.nn.functional as F
from poolnd import PoolError, nn

from . import irregular
from .closeness import BFLOAT16, DTYPES, FLOATS, assert_equal
from .operators import name_of, operator, refuses
from .strategies import Problem, fractional_problems

Array = np.ndarray[Any, np.dtype[Any]]

each_ndim = pytest.mark.parametrize("ndim", [2, 3])
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@each_ndim
@each_dtype
@given(data=st.data())
def test_against_reference(ndim: int, dtype: np.dtype[Any], data: st.DataObject) -> None:
    problem: Problem = data.draw(fractional_problems(ndim, dtype))
    options = {**problem.arguments}
    samples = options.pop("_random_samples")
    values, indices = irregular.fractional_max_pool(
        ndim, problem.values, samples=samples, **options
    )
    function = operator("fractional_max_pool", ndim)
    # PyTorch gives up channels-last order here; poolnd need not.
    assert_equal(function(problem.x, **problem.arguments), values)
    for answer in (
        function(problem.x, **problem.arguments, return_indices=True),
        operator("fractional_max_pool", ndim, "_with_indices")(problem.x, **problem.arguments),
    ):
        assert_equal(answer[0], values)
        assert_equal(answer[1], indices)


@each_ndim
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_starts_are_worked_out_in_the_dtype(ndim: int, dtype: np.dtype[Any]) -> None:
    """On long axes a half type's rounding moves windows, and must move the right ones."""
    generator = np.random.default_rng(13)
    lengths = (90, 70, 4)[-ndim:] if ndim == 3 else (90, 70)
    for count in (1, 2, 3, 23):
        counts = (count,) * 2 + (2,) * (ndim - 2)
        kernel = (3, 2, 1)[:ndim]
        x = generator.normal(size=(1, 4, *lengths)[: 2 + ndim]).astype(dtype)
        samples = (generator.integers(0, 128, (1, 4, ndim)) / 128).astype(dtype)
        want = irregular.fractional_max_pool(ndim, x, kernel, counts, samples)
        function = operator("fractional_max_pool", ndim)
        got = function(x, kernel, counts, return_indices=True, _random_samples=samples)
        assert_equal(got[0], want[0])
        assert_equal(got[1], want[1])


def test_axis_order_of_samples() -> None:
    """(W, H) in 2-D, but (T, H, W) in 3-D."""
    x = np.arange(25.0).reshape(1, 5, 5)
    # Starts of windows of 1 at 3 places of 5: with u = 0 at 0, 2, 4; with u = 0.75 at 0, 2, 4 too.
    samples = np.array([[[0.75, 0.0]]])
    rows = F.fractional_max_pool2d(x, (1, 5), (3, 1), _random_samples=samples)
    columns = F.fractional_max_pool2d(x, (5, 1), (1, 3), _random_samples=samples)
    assert rows.ravel().tolist() == [
        4 + 5 * i for i in irregular.fractional_starts(5, 1, 3, np.float64(0.0))
    ]
    assert columns.ravel().tolist() == [
        20 + i for i in irregular.fractional_starts(5, 1, 3, np.float64(0.75))
    ]
    lengths = (6, 7, 8)
    volume = np.arange(336.0).reshape(1, *lengths)
    samples = np.array([[[0.1, 0.5, 0.9]]])
    for axis, length in enumerate(lengths):
        kernel, count = [n - 1 for n in lengths], [1, 1, 1]
        kernel[axis], count[axis] = 2, 4
        _, found = F.fractional_max_pool3d(volume, kernel, count, None, True, samples)
        places = np.unravel_index(found.ravel(), lengths)[axis]
        sample = np.float64(samples[0, 0, axis])
        starts = irregular.fractional_starts(length, 2, 4, sample)
        assert places.tolist() == [start + 1 for start in starts]


@each_ndim
def test_samples_for_more_images_than_there_are(ndim: int) -> None:
    x = np.random.default_rng(14).normal(size=(2, 3) + (6,) * ndim)
    samples = np.random.default_rng(15).random((4, 3, ndim))
    function = operator("fractional_max_pool", ndim)
    assert_equal(
        function(x, 2, 3, _random_samples=samples), function(x, 2, 3, _random_samples=samples[:2])
    )
    assert_equal(
        function(x[0], 2, 3, _random_samples=samples),
        function(x[:1], 2, 3, _random_samples=samples)[0],
    )
    assert_equal(
        function(x, 2, 3, _random_samples=samples[::-1]),
        function(x, 2, 3, _random_samples=samples[::-1].copy()),
    )


@each_ndim
def test_samples_as_lists(ndim: int) -> None:
    x = np.random.default_rng(16).normal(size=(1,) + (6,) * ndim)
    samples = np.random.default_rng(17).random((1, 1, ndim))
    function = operator("fractional_max_pool", ndim)
    want = function(x, 2, 3, _random_samples=samples)
    assert_equal(function(x, 2, 3, _random_samples=samples.tolist()), want)
    assert_equal(function(x.tolist(), 2, 3, _random_samples=samples), want)


@each_ndim
@each_dtype
def test_generator(ndim: int, dtype: np.dtype[Any]) -> None:
    """The same seed gives the same windows; without one they differ from call to call."""
    x = np.arange(2 * 3 * 9**ndim).reshape((2, 3) + (9,) * ndim).astype(dtype)
    function = operator("fractional_max_pool", ndim)

    def seeded(seed: int) -> tuple[Array, Array]:
        answer: tuple[Array, Array] = function(
            x, 2, 4, return_indices=True, generator=np.random.default_rng(seed)
        )
        return answer

    for seed in range(3):
        assert_equal(seeded(seed)[0], seeded(seed)[0])
        assert_equal(seeded(seed)[1], seeded(seed)[1])
    assert len({seeded(seed)[1].tobytes() for seed in range(20)}) > 10
    assert len({function(x, 2, 4, return_indices=True)[1].tobytes() for _ in range(20)}) > 10
    generator = np.random.default_rng(0)
    assert (
        len({function(x, 2, 4, None, True, generator=generator)[1].tobytes() for _ in range(20)})
        > 10
    )


@each_ndim
@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16, np.float32], ids=str)
def test_random_windows_stay_inside(ndim: int, dtype: Any) -> None:
    """Samples are below 1 in every dtype: the last of half types' numbers would round up to it."""
    x = np.zeros((1, 3000) + (5,) * ndim, dtype)
    _, indices = operator("fractional_max_pool", ndim)(
        x, 1, 4, return_indices=True, generator=np.random.default_rng(18)
    )
    coordinates = np.unravel_index(indices, (5,) * ndim)
    for axis, places in enumerate(coordinates):
        first = np.moveaxis(places, 2 + axis, 2)[:, :, 0]
        last = np.moveaxis(places, 2 + axis, 2)[:, :, -1]
        assert (first == 0).all()
        assert (last == 4).all()
        assert (np.diff(places, axis=2 + axis) >= 1).all()


@each_ndim
def test_output_ratio(ndim: int) -> None:
    x = np.random.default_rng(19).normal(size=(2, 3, 9, 10, 11)[: 2 + ndim])
    samples = np.random.default_rng(20).random((2, 3, ndim))
    function = operator("fractional_max_pool", ndim)
    ratios: list[Any] = [0.5, 0.33, (0.5, 0.4, 0.3)[:ndim], [0.5] * ndim, np.float32(0.5)]
    for ratio in ratios:
        each = ratio if isinstance(ratio, tuple | list) else (ratio,) * ndim
        size = tuple(int(n * float(r)) for n, r in zip(x.shape[2:], each, strict=True))
        got = function(x, 2, output_ratio=ratio, _random_samples=samples)
        assert_equal(got, function(x, 2, size, _random_samples=samples))
    both = function(x, 2, 3, 0.9, _random_samples=samples)
    assert_equal(both, function(x, 2, 3, _random_samples=samples))
    assert function(x, 2, output_ratio=0.01).shape == (2, 3) + (0,) * ndim


def test_room() -> None:
    """The bound is exact in 2-D; in 3-D PyTorch wants an element to spare."""
    assert F.fractional_max_pool2d(np.ones((1, 3, 3)), 2, 2).shape == (1, 2, 2)
    assert F.fractional_max_pool3d(np.ones((1, 4, 4, 4)), 2, 2).shape == (1, 2, 2, 2)
    refuses(PoolError, "too large", F.fractional_max_pool2d, np.ones((1, 3, 3)), 2, 3)
    refuses(PoolError, "too large", F.fractional_max_pool3d, np.ones((1, 3, 3, 3)), 2, 2)
    assert F.fractional_max_pool2d(np.ones((1, 3, 3)), 2, (0, 2)).shape == (1, 0, 2)


def test_samples_beyond_one() -> None:
    """PyTorch takes them as they are; what matters is that no window leaves the input."""
    x = np.random.default_rng(21).normal(size=(1, 6, 6))
    for sample in (1.0, 1.5, -0.5, 1e6, -1e300, 1e300, math.inf, -math.inf, math.nan):
        samples = np.full((1, 1, 2), sample)
        try:
            values, indices = F.fractional_max_pool2d(x, 2, 3, None, True, samples)
        except PoolError:
            continue
        assert ((indices >= 0) & (indices < 36)).all()
        assert_equal(values, x.ravel()[indices.ravel()].reshape(values.shape))


@each_ndim
@pytest.mark.parametrize(
    ("options", "error", "phrase"),
    [
        ({}, PoolError, "requires specifying either an output_size or an output_ratio"),
        ({"output_size": 7}, PoolError, "too large relative to input"),
        ({"output_size": -1}, PoolError, "output_size.*-1"),
        ({"output_size": 2.0}, TypeError, "output_size"),
        ({"output_size": "2"}, TypeError, "output_size"),
        ({"output_size": True}, TypeError, "output_size"),
        ({"output_size": (2, None)}, (TypeError, PoolError), "output_size"),
        ({"output_size": (2,) * 4}, PoolError, "output_size"),
        ({"output_size": 2**62}, PoolError, "too large|output_size"),
        ({"output_ratio": (0.5,) * 4}, PoolError, "requires output_ratio to either be"),
        ({"output_ratio": "0.5"}, (TypeError, PoolError), "output_ratio"),
        ({"output_ratio": float("nan")}, PoolError, "output_ratio"),
        ({"output_ratio": float("inf")}, PoolError, "output_ratio"),
        ({"output_ratio": 2.0}, PoolError, "too large"),
        ({"output_ratio": -0.5}, PoolError, "output_(size|ratio)"),
        ({"output_size": 2, "kernel_size": 0}, PoolError, "kernel_size must be greater than"),
        ({"output_size": 2, "kernel_size": -1}, PoolError, "kernel_size must be greater than.*-1"),
        ({"output_size": 2, "kernel_size": 2.5}, TypeError, "kernel_size"),
        ({"output_size": 2, "kernel_size": 2**63}, (PoolError, TypeError), "kernel_size"),
        ({"output_size": 2, "generator": 3}, TypeError, "generator"),
        ({"output_size": 2, "generator": np.random.RandomState(0)}, TypeError, "generator"),
    ],
    ids=name_of,
)
def test_refusals(ndim: int, options: dict[str, Any], error: Any, phrase: str) -> None:
    x = np.ones((1, 2) + (7,) * ndim)
    with pytest.raises(error, match=phrase):
        operator("fractional_max_pool", ndim)(x, **{"kernel_size": 2, **options})


@each_ndim
def test_refused_samples(ndim: int) -> None:
    function = operator("fractional_max_pool", ndim)
    x = np.ones((2, 3) + (7,) * ndim)
    for shape in [(), (2, 3), (1, 3, ndim), (2, 2, ndim), (2, 4, ndim), (2, 3, ndim + 1),
                  (2, 3, ndim - 1), (2, 3, ndim, 1), (0, 3, ndim)]:  # fmt: skip
        samples = np.zeros(shape)
        refuses(PoolError, "_random_samples", function, x, 2, 2, _random_samples=samples)
    for dtype in (np.float32, np.float16, BFLOAT16, np.int64):
        samples = np.zeros((2, 3, ndim), dtype)
        phrase = "Expect _random_samples to have the same dtype as input"
        refuses(PoolError, phrase, function, x, 2, 2, _random_samples=samples)


@each_ndim
def test_refused_inputs(ndim: int) -> None:
    function = operator("fractional_max_pool", ndim)
    for rank in {0, 1, ndim, ndim + 3}:
        refuses(PoolError, f"{ndim + 1}D or", function, np.ones((2,) * rank), 1, 1)
    for shape in [(2, 0) + (4,) * ndim, (2, 2, 0) + (4,) * (ndim - 1)]:
        refuses(PoolError, "non-zero|positive", function, np.ones(shape), 1, 1)
    for dtype in (object, np.complex64, "U3"):
        x = np.zeros((1, 2) + (4,) * ndim, dtype)
        refuses(TypeError, "dtype", function, x, 1, 1)
    assert function(np.ones((0, 2) + (4,) * ndim), 1, 2).shape == (0, 2) + (2,) * ndim


@each_ndim
def test_layers(ndim: int) -> None:
    layer = getattr(nn, f"FractionalMaxPool{ndim}d")
    function = operator("fractional_max_pool", ndim)
    x = np.random.default_rng(22).normal(size=(2, 3) + (9,) * ndim)
    samples = np.random.default_rng(23).random((2, 3, ndim))
    assert repr(layer(2, 3)) == f"FractionalMaxPool{ndim}d()"
    by_size = layer((2,) * ndim, 3, return_indices=True, _random_samples=samples)
    want = function(x, 2, 3, return_indices=True, _random_samples=samples)
    for one, other in zip(by_size(x), want, strict=True):
        assert_equal(one, other)
    by_ratio = layer(2, output_ratio=0.5, _random_samples=samples)
    assert_equal(by_ratio(x), function(x, 2, 4, _random_samples=samples))
    assert by_ratio.output_size is None
    assert by_ratio.output_ratio == (0.5,) * ndim
    assert by_size.output_size == (3,) * ndim
    assert by_size.kernel_size == (2,) * ndim
    seeded = [layer(2, 3, generator=np.random.default_rng(7))(x) for _ in range(2)]
    assert_equal(*seeded)
    name = f"FractionalMaxPool{ndim}d"
    refuses(
        PoolError, f"{name} requires specifying either an output size, or a pooling ratio", layer, 2
    )
    refuses(PoolError, "only one of output_size and output_ratio", layer, 2, 3, 0.5)
    for ratio in (1.5, 1, 0, -0.1, (0.5,) * (ndim - 1) + (2,), math.nan):
        phrase = "output_ratio must be between 0 and 1"
        refuses(PoolError, phrase, layer, 2, output_ratio=ratio)
    refuses(PoolError, "kernel_size must be greater than 0, but got -1", layer, -1, 3)
