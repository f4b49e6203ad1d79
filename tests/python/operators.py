"""The operators of poolnd by family and number of pooled axes, and what every call must do."""

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import poolnd.nn.functional as F

from .layouts import is_channels_last

Array = np.ndarray[Any, np.dtype[Any]]
NDIMS = (1, 2, 3)
FAMILIES = ("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool")

SECONDS = 1.0
"""No refusal takes longer, whatever the sizes."""


def name_of(value: object) -> str:
    """The name of a parameter in that of its test: without addresses, which differ by process."""
    return re.sub(r"( at)? 0x[0-9a-fA-F]+", "", repr(value))


def operator(family: str, ndim: int, suffix: str = "") -> Callable[..., Any]:
    """A function of poolnd.nn.functional, e.g. operator("max_pool", 2) is F.max_pool2d."""
    function: Callable[..., Any] = getattr(F, f"{family}{ndim}d{suffix}")
    return function


def call(function: Callable[..., Any], x: Array, ndim: int, **arguments: Any) -> Any:
    """Call an operator, and check what holds for every operator and argument.

    The input keeps its bytes; every result is a new, writeable array without gaps
    in memory, in C order, or in channels-last order if the input is in that.
    """
    before = x.tobytes()
    answer = function(x, **arguments)
    assert x.tobytes() == before, "the call changed its input"
    for output in answer if isinstance(answer, tuple) else (answer,):
        assert type(output) is np.ndarray
        assert output.flags.writeable
        assert output.dtype.isnative
        assert not np.shares_memory(output, x)
        if x.flags.c_contiguous or not is_channels_last(x, ndim):
            expected_order = output.flags.c_contiguous
        else:
            expected_order = is_channels_last(output, ndim)
        assert expected_order, f"strides {output.strides} for input strides {x.strides}"
    return answer


def refuses(
    error: type[Exception], phrase: str, function: Callable[..., Any], *args: Any, **kwargs: Any
) -> None:
    """The call raises exactly this class (PoolError or TypeError), and says the phrase."""
    start = time.monotonic()
    with pytest.raises(error, match=phrase) as caught:
        function(*args, **kwargs)
    assert time.monotonic() - start < SECONDS
    assert caught.type is error
