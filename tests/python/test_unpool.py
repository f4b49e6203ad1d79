"""Max unpooling: every dtype and layout, the sizes that may be asked for, layers and errors."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolnd.nn.functional as F
from poolnd import PoolError, nn, vjp

from . import irregular
from .closeness import DTYPES, assert_equal, assert_same_bits
from .operators import NDIMS, call, operator, refuses
from .strategies import Problem, unpool_problems

Array = np.ndarray[Any, np.dtype[Any]]

each_ndim = pytest.mark.parametrize("ndim", NDIMS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@each_ndim
@each_dtype
@given(data=st.data())
def test_against_reference(ndim: int, dtype: np.dtype[Any], data: st.DataObject) -> None:
    problem: Problem = data.draw(unpool_problems(ndim, dtype))
    options = {**problem.arguments}
    indices = np.array(options.pop("indices"), np.int64)
    want = irregular.max_unpool(ndim, problem.values, indices, **options)
    got = call(operator("max_unpool", ndim), problem.x, ndim, **problem.arguments)
    assert_same_bits(got, want)


@each_ndim
@each_dtype
def test_back_from_a_maximum(ndim: int, dtype: np.dtype[Any]) -> None:
    """Windows side by side: every maximum is where it was, and zero is everywhere else."""
    generator = np.random.default_rng(24)
    x = (generator.permutation(2 * 3 * 6**ndim) % 100 + 1).reshape((2, 3) + (6,) * ndim)
    x = x.astype(dtype)
    values, indices = operator("max_pool", ndim)(x, 2, return_indices=True)
    back = operator("max_unpool", ndim)(values, indices, 2)
    assert back.shape == x.shape
    assert ((back == x) | (back == np.zeros((), dtype))).all()
    assert np.count_nonzero(back) == values.size
    again, _ = operator("max_pool", ndim)(back, 2, return_indices=True)
    assert_equal(again, values)


def test_of_equal_indices_the_last_one_wins() -> None:
    x = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert_equal(F.max_unpool1d(x, [[5, 5, 0, 5]], 2), np.array([[3.0, 0, 0, 0, 0, 4.0, 0, 0]]))
    generator = np.random.default_rng(25)
    many = generator.normal(size=(2, 8, 64, 64)).astype(np.float32)
    indices = np.broadcast_to(np.int64(77), many.shape)
    answer = F.max_unpool2d(many, indices, 2)
    assert (answer.reshape(2, 8, -1)[..., 77] == many[..., -1, -1]).all()
    assert np.count_nonzero(answer) == 16


@each_ndim
@pytest.mark.parametrize("special", [np.nan, np.inf, -0.0, -np.inf])
def test_special_values_are_put_back_as_they_are(ndim: int, special: float) -> None:
    x = np.full((1, 1) + (2,) * ndim, special)
    answer = operator("max_unpool", ndim)(x, np.full(x.shape, 1), 2)
    want = np.zeros((1, 1) + (4,) * ndim)
    want.flat[1] = special
    assert_same_bits(answer, want)


@each_ndim
def test_sizes(ndim: int) -> None:
    """Any that is less than a stride away from the default, with batch and channels or without."""
    x = np.ones((2, 3) + (3,) * ndim)
    indices = np.zeros(x.shape, np.int64)
    function = operator("max_unpool", ndim)
    for kernel, stride, padding in [(2, None, 0), (3, 2, 1), (5, 3, 0), (1, 4, 0), (2, 1, 0)]:
        step = kernel if stride is None else stride
        default = 2 * step - 2 * padding + kernel
        assert function(x, indices, kernel, stride, padding).shape == (2, 3) + (default,) * ndim
        for size in range(default - step + 1, default + step):
            for full in (
                (size,) * ndim,
                [size] * ndim,
                (2, 3) + (size,) * ndim,
                (9, 9) + (size,) * ndim,
            ):
                answer = function(x, indices, kernel, stride, padding, full)
                assert answer.shape == (2, 3) + (size,) * ndim
        for size in (default - step, default + step, default + 100, 2**62):
            wrong = (default,) * (ndim - 1) + (size,)
            phrase = f"invalid output_size .*dim {ndim - 1} must be between {default - step} and"
            refuses(PoolError, phrase, function, x, indices, kernel, stride, padding, wrong)


@each_ndim
@pytest.mark.parametrize(
    ("options", "error", "phrase"),
    [
        ({"output_size": 4}, TypeError, "output_size"),
        ({"output_size": "44"}, TypeError, "output_size"),
        (
            {"output_size": (4,) * 6},
            PoolError,
            "should be a sequence containing . or . elements.*'6'",
        ),
        ({"output_size": ()}, PoolError, "should be a sequence containing . or . elements.*'0'"),
        ({"output_size": (4.0,) * 3}, (TypeError, PoolError), "output_size"),
        ({"output_size": [None] * 5}, (TypeError, PoolError), "output_size"),
        ({"kernel_size": 1, "padding": 4}, PoolError, "must contain non-negative spatial"),
        ({"stride": 0}, PoolError, "strides should be greater than zero.*0"),
        ({"stride": -1}, PoolError, "strides should be greater than zero.*-1"),
        ({"kernel_size": (2,) * 4}, PoolError, "kernel_size"),
        ({"kernel_size": 2.5}, TypeError, "kernel_size"),
        ({"kernel_size": None}, TypeError, "kernel_size"),
        ({"stride": "2"}, TypeError, "stride"),
        ({"padding": True}, TypeError, "padding"),
        ({"kernel_size": 2**62}, (PoolError, MemoryError), "max_unpool|memory|allocate"),
        ({"stride": 2**63}, (PoolError, MemoryError), "max_unpool|memory|allocate"),
        ({"kernel_size": -(2**63), "stride": 1}, PoolError, "output_size"),
    ],
    ids=str,
)
def test_refusals(ndim: int, options: dict[str, Any], error: Any, phrase: str) -> None:
    x = np.ones((1, 2) + (2,) * ndim)
    arguments = {"kernel_size": 2, **options}
    with pytest.raises(error, match=phrase):
        operator("max_unpool", ndim)(x, np.zeros(x.shape, np.int64), **arguments)


@each_ndim
def test_refused_inputs(ndim: int) -> None:
    function = operator("max_unpool", ndim)
    for rank in {0, 1, ndim, ndim + 3}:
        x = np.ones((2,) * rank)
        phrase = f"should be a {ndim + 1}d or {ndim + 2}d Tensor.*{rank} dimensions"
        refuses(PoolError, phrase, function, x, np.zeros(x.shape, np.int64), 2)
    for dtype in (object, np.complex64, "U3"):
        x = np.zeros((1, 2) + (2,) * ndim, dtype)
        refuses(TypeError, "dtype", function, x, np.zeros(x.shape, np.int64), 2)
    x = np.ones((2, 0) + (2,) * ndim)
    refuses(PoolError, "non-zero|positive", function, x, np.zeros(x.shape, np.int64), 2)
    x = np.ones((0, 2) + (2,) * ndim)
    assert function(x, np.zeros(x.shape, np.int64), 2).shape == (0, 2) + (4,) * ndim


def test_an_output_of_nothing_holds_no_index() -> None:
    x, zero = np.ones((1, 1, 2)), np.zeros((1, 1, 2), np.int64)
    refuses(PoolError, "(?i)index", F.max_unpool1d, x, zero, 1, 1, 1)


def test_large_results_are_those_of_their_planes() -> None:
    """More than 32 MiB are allocated in another way."""
    x = np.random.default_rng(5).standard_normal((3, 1800, 1800), np.float32)
    values, indices = F.max_pool2d(x, 3, 1, return_indices=True)
    sizes = {"kernel_size": 3, "stride": 1, "output_size": (1800, 1800)}
    both = F.max_unpool2d(values, indices, **sizes)
    assert both.nbytes > 32 << 20
    _, pullback = vjp(F.max_pool2d, x, 3, 1)
    gradient = pullback(values)
    for plane in range(len(x)):
        one = slice(plane, plane + 1)
        assert_same_bits(both[one], F.max_unpool2d(values[one], indices[one], **sizes))
        _, pullback = vjp(F.max_pool2d, x[one], 3, 1)
        assert_same_bits(gradient[one], pullback(values[one]))


@each_ndim
def test_unbatched(ndim: int) -> None:
    generator = np.random.default_rng(26)
    x = generator.normal(size=(2, 3) + (3,) * ndim)
    indices = generator.integers(0, 6**ndim, x.shape)
    function = operator("max_unpool", ndim)
    together = function(x, indices, 2)
    for n in range(2):
        assert_equal(function(x[n], indices[n], 2), together[n])
    assert_equal(function(x.tolist(), indices.tolist(), 2), together)


@each_ndim
def test_layers(ndim: int) -> None:
    layer = getattr(nn, f"MaxUnpool{ndim}d")
    two, three, zero = (2,) * ndim, (3,) * ndim, (0,) * ndim
    text = f"MaxUnpool{ndim}d(kernel_size={two}, stride={two}, padding={zero})"
    assert repr(layer(2)) == repr(layer(two)) == repr(layer(list(two))) == text
    text = f"MaxUnpool{ndim}d(kernel_size={three}, stride={two}, padding={(1,) * ndim})"
    assert repr(layer(3, 2, 1)) == repr(layer(3, stride=two, padding=1)) == text
    x = np.random.default_rng(27).normal(size=(1, 2) + (7,) * ndim)
    pool = getattr(nn, f"MaxPool{ndim}d")(3, 2, 1, return_indices=True)
    values, indices = pool(x)
    answer = layer(3, 2, 1)(values, indices)
    assert_equal(answer, operator("max_unpool", ndim)(values, indices, 3, 2, 1))
    larger = layer(3, 2, 1)(values, indices, output_size=(8,) * ndim)
    assert larger.shape == (1, 2) + (8,) * ndim
    assert_equal(layer(3, 2, 1)(values, indices, x.shape), answer)
    assert list(layer(2).parameters()) == []
