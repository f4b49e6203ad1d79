"""The references themselves: PyTorch's worked examples, and each against the other.

test_conformance.py holds poolnd, and so the reference that agrees with it,
against recorded answers; here nothing of poolnd is called.
"""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import reference, sliding
from .closeness import DTYPES, assert_close, assert_equal, magnitudes
from .strategies import Problem, avg_problems, max_problems

AVERAGED = [dtype for dtype in DTYPES if dtype.kind != "b"]


def average(values: list[Any], *rule: Any, **options: Any) -> list[Any]:
    x = np.array([[values]], np.float64 if isinstance(values[0], float) else np.int64)
    return list(reference.avg_pool(1, x, *rule, **options)[0, 0])


def test_average_examples() -> None:
    to_five = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert average(to_five, 2, 2, 0, True) == [1.5, 3.5, 5.0]
    assert average([*to_five, 6.0], 3, 2, 1, True) == [1, 3, 5, 3]
    assert average([*to_five, 6.0], 3, 2, 1, True, False) == [1.5, 3, 5, 6]
    assert average([6.0] * 5, 4, 3, 2, True) == [3, 6, 2]
    assert average([-1, -2, -2, -2], 4) == [-1]
    assert math.isnan(average([math.inf, -math.inf], 2)[0])


def test_maximum_examples() -> None:
    values, indices = reference.max_pool(1, np.array([[math.nan, 5, math.nan, 1]]), 4)
    assert np.isnan(values[0, 0])
    assert indices[0, 0] == 2
    _, indices = reference.max_pool(1, np.array([[-0.0, 0.0, 0.0]]), 3)
    assert indices[0, 0] == 0
    values, indices = reference.max_pool(1, np.full((1, 4), -np.inf), 3, 1, 1)
    assert list(indices[0]) == [0, 0, 1, 2]
    # Length 1, kernel 2, dilation 2, padding 1: both taps lie in the padding.
    values, indices = reference.max_pool(1, np.ones((1, 1), np.int8), 2, 1, 1, 2)
    assert list(values[0]) == [-128]
    assert list(indices[0]) == [-1]


def test_adaptive_examples() -> None:
    assert reference.bins(5, 3) == [[0, 1], [1, 2, 3], [3, 4]]
    assert reference.bins(2, 5) == [[0], [0], [0, 1], [1], [1]]


@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
def test_maxima_agree(ndim: int, data: st.DataObject) -> None:
    problem: Problem = data.draw(max_problems(ndim, data.draw(st.sampled_from(DTYPES))))
    values, indices = reference.max_pool(ndim, problem.values, **problem.arguments)
    fast_values, fast_indices = sliding.max_pool(ndim, problem.values, **problem.arguments)
    assert_equal(fast_values, values)
    assert_equal(fast_indices, indices)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
def test_averages_agree(ndim: int, data: st.DataObject) -> None:
    problem: Problem = data.draw(avg_problems(ndim, data.draw(st.sampled_from(AVERAGED))))
    want = reference.avg_pool(ndim, problem.values, **problem.arguments)
    got = sliding.avg_pool(ndim, problem.values, **problem.arguments)
    of_magnitudes = sliding.avg_pool(ndim, magnitudes(problem.values), **problem.arguments)
    terms = reference.kernel_volume(ndim, problem.arguments["kernel_size"])
    assert_close(got, want, terms, of_magnitudes)
