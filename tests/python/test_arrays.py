"""What poolnd takes for an array or a size, and who owns what it returns."""

import array
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import poolnd
import poolnd.nn.functional as F

from . import reference
from .closeness import DTYPES, assert_equal, assert_same_bits
from .operators import FAMILIES, NDIMS, name_of, operator

Array = np.ndarray[Any, np.dtype[Any]]

SIGNAL = np.array([[1.0, 5.0, 2.0, 0.0]])
HIGHEST = np.array([[5.0, 2.0]])


class ByArray:
    """Known to NumPy by __array__ alone."""

    def __init__(self, x: Array) -> None:
        self.x = x

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.x, dtype=dtype, copy=copy)


class ByInterface:
    """Known to NumPy by __array_interface__ alone."""

    def __init__(self, x: Array) -> None:
        self.x = x
        self.__array_interface__ = x.__array_interface__


class ByDlpack:
    """Known by __dlpack__ alone, like a tensor of another library."""

    def __init__(self, x: Array) -> None:
        self.x = x

    def __dlpack__(self, **options: Any) -> Any:
        return self.x.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.x.__dlpack_device__()


class Named(np.ndarray[Any, np.dtype[Any]]):
    """A subclass of ndarray."""


class Length:
    """An integer by __index__ alone."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.tolist(),
        lambda x: tuple(map(tuple, x.tolist())),
        lambda x: [list(row) for row in x],
        list,
        lambda x: [array.array("d", row) for row in x],
        memoryview,
        ByArray,
        ByInterface,
        ByDlpack,
        lambda x: x.view(Named),
    ],
)
def test_array_likes(convert: Callable[[Array], Any]) -> None:
    answer = F.max_pool1d(convert(SIGNAL), 2)
    assert type(answer) is np.ndarray
    assert_equal(answer, HIGHEST)


def test_array_interface_of_strided_memory() -> None:
    x = np.arange(24.0).reshape(1, 4, 6)[:, ::2, ::-1]
    converters: list[Callable[[Any], Any]] = [ByArray, ByInterface, ByDlpack, memoryview]
    for convert in converters:
        assert_equal(F.max_pool1d(convert(x), 2), F.max_pool1d(x, 2))


def test_nested_lists_of_integers_and_bools() -> None:
    assert_equal(F.max_pool1d([[1, 5, 2, 0]], 2), np.array([[5, 2]]))
    assert_equal(F.avg_pool1d([[1, 5, 2, 0]], 2), np.array([[3, 1]]))
    assert_equal(F.max_pool1d([[True, False, False, False]], 2), np.array([[True, False]]))
    assert_equal(F.max_pool2d([[[1, 2], [3, 4]]], 2), np.array([[[4]]]))
    assert_equal(F.adaptive_avg_pool1d([[1.0, 2.0, 3.0]], 1), np.array([[2.0]]))


def test_masked_arrays_are_refused() -> None:
    """Their mask would be lost."""
    with pytest.raises(TypeError, match="mask"):
        F.max_pool1d(np.ma.masked_array(SIGNAL, SIGNAL > 2), 2)


def test_bools_of_any_byte() -> None:
    """NumPy takes every byte but 0 for True, and a True is no larger than another."""
    x = np.array([[1, 2, 0, 255]], np.uint8).view(bool)
    values, indices = F.max_pool1d(x, 2, return_indices=True)
    assert values.tolist() == [[True, True]]
    assert indices.tolist() == [[0, 3]]


def test_scalars_have_no_axis_to_pool() -> None:
    for scalar in (1.0, 1, True, np.float32(1), np.array(1.0)):
        with pytest.raises(poolnd.PoolError):
            F.max_pool1d(scalar, 1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtype_is_kept(dtype: np.dtype[Any]) -> None:
    for ndim in NDIMS:
        x = np.ones((1, 1) + (4,) * ndim, dtype)
        for family in FAMILIES:
            if dtype.kind == "b" and "avg" in family:
                continue
            answer = operator(family, ndim)(x, 2)
            assert answer.dtype == dtype
            assert (answer == np.ones((), dtype)).all()


def test_bfloat16_in_and_out() -> None:
    x = np.array([[1.0, 1.0078125, 3.0, -2.0]], ml_dtypes.bfloat16)
    highest, indices = F.max_pool1d(x, 2, return_indices=True)
    assert highest.dtype == ml_dtypes.bfloat16
    assert highest.tolist() == [[1.0078125, 3.0]]
    assert indices.tolist() == [[1, 2]]
    mean = F.avg_pool1d(x, 2)
    assert mean.dtype == ml_dtypes.bfloat16
    # 1.00390625 lies between two bfloat16 numbers and goes to the even one.
    assert mean.tolist() == [[1.0, 0.5]]


@pytest.mark.parametrize(
    "two",
    [2, np.int8(2), np.uint8(2), np.int64(2), np.uint64(2), np.intp(2), np.array(2), Length(2)],
    ids=name_of,
)
def test_integers_for_sizes(two: Any) -> None:
    x = np.arange(96.0).reshape(1, 1, 8, 12)
    assert_equal(F.max_pool2d(x, two, two, 1, two), F.max_pool2d(x, 2, 2, 1, 2))
    assert_equal(F.max_pool2d(x, (two, 3), [two, 1]), F.max_pool2d(x, (2, 3), (2, 1)))
    assert_equal(F.avg_pool2d(x, (two,), [two]), F.avg_pool2d(x, 2, 2))
    assert_equal(F.avg_pool2d(x, 3, divisor_override=two), F.avg_pool2d(x, 3, divisor_override=2))
    assert_equal(F.adaptive_max_pool2d(x, two), F.adaptive_max_pool2d(x, 2))
    assert_equal(F.adaptive_avg_pool2d(x, (None, two)), F.adaptive_avg_pool2d(x, (8, 2)))


def test_arrays_for_sizes() -> None:
    x = np.arange(96.0).reshape(1, 1, 8, 12)
    assert_equal(F.max_pool2d(x, np.array([2, 3]).tolist()), F.max_pool2d(x, (2, 3)))


@pytest.mark.parametrize("family", FAMILIES)
def test_results_are_new_and_independent(family: str) -> None:
    function = operator(family, 2)
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    first, second = function(x, 4), function(x, 4)
    assert not np.shares_memory(first, second)
    first[...] = -1
    assert_equal(function(x, 4), second)
    identity = function(x, 1) if "adaptive" not in family else function(x, 4)
    assert_equal(identity, x)
    identity += 1
    assert_equal(x, np.arange(16.0).reshape(1, 1, 4, 4))


def test_results_outlive_the_input() -> None:
    x = np.arange(4096.0).reshape(1, 1, 64, 64).swapaxes(-1, -2)
    want = reference.max_pool(2, x, 8)
    values, indices = F.max_pool2d(x, 8, return_indices=True)
    del x
    gc.collect()
    assert_equal(values, want[0])
    assert_equal(indices, want[1])


def test_nothing_is_kept_alive() -> None:
    class Watched(np.ndarray[Any, np.dtype[Any]]):
        pass

    x = np.ones((1, 1, 8, 8)).view(Watched)
    seen = weakref.ref(x)
    answer = F.max_pool2d(x, 2)
    with pytest.raises(poolnd.PoolError):
        F.max_pool2d(x, 9)
    del x
    gc.collect()
    assert seen() is None
    assert answer.shape == (1, 1, 4, 4)


@pytest.mark.parametrize("family", FAMILIES)
def test_several_python_threads_at_once(family: str) -> None:
    """Small and large calls together, each thread with an array of its own and one of all."""
    generator = np.random.default_rng(7)
    function = operator(family, 2)
    shared = generator.normal(size=(4, 16, 96, 96)).astype(np.float32)
    own = [generator.normal(size=(2, 3, 20 + i, 30)) for i in range(6)]
    want = [function(x, 5) for x in [shared, *own]]
    failures: list[BaseException] = []

    def work(turn: int) -> None:
        try:
            for _ in range(10):
                assert_same_bits(function(own[turn], 5), want[1 + turn])
                assert_same_bits(function(shared, 5), want[0])
                with pytest.raises(poolnd.PoolError):
                    function(own[turn], -1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(len(own))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_number_of_threads() -> None:
    before = poolnd.get_num_threads()
    assert before >= 1
    try:
        poolnd.set_num_threads(1)
        assert poolnd.get_num_threads() == 1
        poolnd.set_num_threads(4)
        assert poolnd.get_num_threads() == 4
    finally:
        poolnd.set_num_threads(before)
    refused: list[tuple[Any, type[Exception]]] = [
        (0, poolnd.PoolError),
        (-1, poolnd.PoolError),
        (1.5, TypeError),
        ("2", TypeError),
        (None, TypeError),
    ]
    for number, error in refused:
        with pytest.raises(error):
            poolnd.set_num_threads(number)
    assert poolnd.get_num_threads() == before
