"""Every operator, rank, dtype, window rule, layout and kind of values against the reference."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import reference
from .closeness import DTYPES, assert_close, assert_equal, magnitudes
from .operators import NDIMS, call, operator
from .strategies import Problem, adaptive_problems, avg_problems, max_problems

AVERAGED = [dtype for dtype in DTYPES if dtype.kind != "b"]

each_ndim = pytest.mark.parametrize("ndim", NDIMS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
each_averaged_dtype = pytest.mark.parametrize("dtype", AVERAGED, ids=str)


@each_ndim
@each_dtype
@given(data=st.data())
def test_max_pool(ndim: int, dtype: np.dtype[Any], data: st.DataObject) -> None:
    problem: Problem = data.draw(max_problems(ndim, dtype))
    check_maxima("max_pool", ndim, problem)


@each_ndim
@each_dtype
@given(data=st.data())
def test_adaptive_max_pool(ndim: int, dtype: np.dtype[Any], data: st.DataObject) -> None:
    problem: Problem = data.draw(adaptive_problems(ndim, dtype))
    check_maxima("adaptive_max_pool", ndim, problem)


def check_maxima(family: str, ndim: int, problem: Problem) -> None:
    """Values without indices, and with them by either of the two names."""
    values, indices = getattr(reference, family)(ndim, problem.values, **problem.arguments)
    function = operator(family, ndim)
    assert_equal(call(function, problem.x, ndim, **problem.arguments), values)
    with_indices = operator(family, ndim, "_with_indices")
    for answer in (
        call(function, problem.x, ndim, **problem.arguments, return_indices=True),
        call(with_indices, problem.x, ndim, **problem.arguments),
    ):
        assert isinstance(answer, tuple)
        assert_equal(answer[0], values)
        assert_equal(answer[1], indices)
        assert answer[1].strides == tuple(
            stride // values.itemsize * indices.itemsize for stride in answer[0].strides
        )


@each_ndim
@each_averaged_dtype
@given(data=st.data())
def test_avg_pool(ndim: int, dtype: np.dtype[Any], data: st.DataObject) -> None:
    problem: Problem = data.draw(avg_problems(ndim, dtype))
    check_averages("avg_pool", ndim, problem)


@each_ndim
@each_averaged_dtype
@given(data=st.data())
def test_adaptive_avg_pool(ndim: int, dtype: np.dtype[Any], data: st.DataObject) -> None:
    problem: Problem = data.draw(adaptive_problems(ndim, dtype))
    check_averages("adaptive_avg_pool", ndim, problem)


def check_averages(family: str, ndim: int, problem: Problem) -> None:
    x, arguments = problem.values, problem.arguments
    average = getattr(reference, family)
    got = call(operator(family, ndim), problem.x, ndim, **arguments)
    terms = int(np.prod(x.shape[-ndim:]))
    if "kernel_size" in arguments:
        terms = min(terms, reference.kernel_volume(ndim, arguments["kernel_size"]))
    assert_close(
        got,
        average(ndim, x, **arguments),
        terms,
        average(ndim, magnitudes(x), **arguments),
    )


@each_ndim
@pytest.mark.parametrize("family", ["avg_pool", "adaptive_avg_pool"])
def test_averages_of_bool_are_refused(family: str, ndim: int) -> None:
    with pytest.raises(TypeError, match="bool"):
        operator(family, ndim)(np.ones((1, 1) + (4,) * ndim, bool), 2)


@each_ndim
@each_dtype
def test_window_without_elements(ndim: int, dtype: np.dtype[Any]) -> None:
    """Length 1, kernel 2, dilation 2, padding 1: every tap lies outside, -1 before and 1 after."""
    x = np.ones((2, 3) + (1,) * ndim, dtype)
    values, indices = operator("max_pool", ndim)(x, 2, 1, 1, 2, return_indices=True)
    assert (values == np.array(reference.identity(dtype)).astype(dtype)).all()
    assert (indices == -1).all()
    assert_equal(operator("max_pool", ndim)(x, 2, 1, 1, 2), values)
