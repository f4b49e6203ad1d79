"""Averages over a million elements, by every route to one, within one ulp of the exact answer."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import poolnd
import poolnd.nn.functional as F

from .closeness import BFLOAT16, spacing
from .layouts import LAYOUTS

Array = np.ndarray[Any, np.dtype[Any]]

SIDE = 1024

NARROW = [np.dtype(np.float16), BFLOAT16, np.dtype(np.float32)]
"""The dtypes that have a wider one to be summed in."""

each_dtype = pytest.mark.parametrize("dtype", NARROW, ids=str)


def averages(x: Array) -> Iterator[tuple[str, Array]]:
    """The average of all of `x`, shape (1, 1, SIDE, SIDE), in every way to ask for it."""
    last = LAYOUTS["channels_last"]
    pair = np.concatenate([x, x], axis=1)
    line, volume = x.reshape(1, 1, -1), x.reshape(1, 1, 64, 128, 128)
    yield "avg_pool2d", F.avg_pool2d(x, SIDE)
    yield "avg_pool2d of channels last", F.avg_pool2d(last(pair, 2), SIDE)
    yield "avg_pool2d of columns", F.avg_pool2d(x.swapaxes(2, 3), SIDE)
    yield (
        "avg_pool2d with padding not counted",
        F.avg_pool2d(x, (SIDE + 1, SIDE), 1, (1, 0), count_include_pad=False)[:, :, :1],
    )
    yield "avg_pool2d with a divisor", F.avg_pool2d(x, SIDE, divisor_override=SIDE**2)
    yield "adaptive_avg_pool2d", F.adaptive_avg_pool2d(x, 1)
    yield "adaptive_avg_pool2d of channels last", F.adaptive_avg_pool2d(last(pair, 2), 1)
    yield "adaptive_avg_pool1d", F.adaptive_avg_pool1d(line, 1)
    yield "avg_pool1d", F.avg_pool1d(line, SIDE**2)
    yield "avg_pool1d, unbatched", F.avg_pool1d(line[0], SIDE**2)
    yield "avg_pool1d of channels last", F.avg_pool1d(last(pair.reshape(1, 2, -1), 1), SIDE**2)
    yield "avg_pool3d", F.avg_pool3d(volume, volume.shape[2:])
    yield "adaptive_avg_pool3d", F.adaptive_avg_pool3d(volume, 1)
    yield (
        "adaptive_avg_pool3d of channels last",
        F.adaptive_avg_pool3d(last(np.concatenate([volume, volume], axis=1), 3), 1),
    )


def check(x: Array, ulps: int = 1) -> None:
    exact = math.fsum(x.astype(np.float64).flat) / x.size
    ulp = ulps * spacing(np.array(exact), x.dtype)
    for route, answer in averages(x):
        assert answer.dtype == x.dtype, route
        error = np.abs(answer.astype(np.float64) - exact)
        assert (error <= ulp).all(), f"{route}: {answer.ravel()}, exact {exact}, ulp {ulp}"


@each_dtype
def test_equal_values(dtype: np.dtype[Any]) -> None:
    """A sequential sum of float32 is off by 1 % here, one of half types stops growing."""
    check(np.full((1, 1, SIDE, SIDE), 0.1).astype(dtype))


@each_dtype
def test_random_values(dtype: np.dtype[Any]) -> None:
    generator = np.random.default_rng(9)
    check(generator.random((1, 1, SIDE, SIDE)).astype(dtype))


def test_float64() -> None:
    """Summed in itself, so a term may cost a rounding for each one in its lane, of 16 at least."""
    generator = np.random.default_rng(11)
    check(np.full((1, 1, SIDE, SIDE), 0.1), ulps=SIDE**2 // 16)
    check(generator.random((1, 1, SIDE, SIDE)), ulps=SIDE**2 // 16)


def test_values_that_cancel() -> None:
    """Large ones of both signs hide what remains from any sum in float32."""
    generator = np.random.default_rng(10)
    x = np.empty((1, 1, SIDE, SIDE), np.float32)
    x[..., 0::2] = generator.integers(-(2**20), 2**20, x[..., 0::2].shape)
    x[..., 1::2] = 0.25 - x[..., 0::2]
    check(x)


@each_dtype
def test_windows_of_many_lengths(dtype: np.dtype[Any]) -> None:
    x = np.full((1, 1, 5000), 0.1).astype(dtype)
    tenth = x[0, 0, 0].astype(np.float64)
    ulp = spacing(tenth, dtype)
    for kernel in [2, 3, 7, 100, 255, 257, 1000, 2049, 4095, 4096, 4097, 5000]:
        for stride in (1, 3, kernel):
            answer = F.avg_pool1d(x, kernel, stride).astype(np.float64)
            assert (np.abs(answer - tenth) <= ulp).all(), (kernel, stride)


@each_dtype
def test_gradients_of_many_windows(dtype: np.dtype[Any]) -> None:
    """An element that 4,000 windows read gets the sum of 4,000 small gradients."""
    x = np.zeros((1, 1, 9000), dtype)
    y, pullback = poolnd.vjp(F.avg_pool1d, x, 4000, 1)
    gradient = pullback(np.full(y.shape, 0.1).astype(dtype)).astype(np.float64)
    tenth = np.array(0.1).astype(dtype).astype(np.float64)
    ulp = spacing(tenth, dtype)
    assert (np.abs(gradient[0, 0, 4000:5000] - tenth) <= ulp).all()
