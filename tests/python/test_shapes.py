"""Shapes beyond the reach of plain loops: long rows, many planes, wide strides, long windows.

A fast implementation takes other paths there than on small arrays, so each test walks
through the sizes around vector widths. What is expected comes from sliding.py.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from . import reference, sliding
from .closeness import DTYPES, assert_close, assert_equal, magnitudes
from .layouts import LAYOUTS
from .operators import call, operator
from .strategies import fill

Array = np.ndarray[Any, np.dtype[Any]]
Rule = dict[str, Any]

ROWS = [1, 2, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130, 300]
STRIDES = [1, 2, 3, 4, 5, 8]
WINDOWS = [1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 64, 70]
SMALL_PLANES = [(7, 7), (14, 14), (20, 20), (1, 40), (40, 1), (5, 3)]
CHANNELS = [1, 2, 3, 8, 16, 17, 40]

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


class Values:
    """Arrays of each kind of values in turn, so that one walk over shapes meets them all."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        kinds = ["wide", "ties", "extreme", "nan", "rare"]
        self.kinds = itertools.cycle(kinds if dtype.kind not in "biu" else kinds[:3])
        self.seeds = itertools.count()

    def maxima(self, *shape: int) -> Array:
        return fill(next(self.kinds), shape, self.dtype, next(self.seeds))

    def averages(self, *shape: int) -> Array:
        return fill("wide", shape, self.dtype, next(self.seeds))


def check(ndim: int, values: Values, shape: tuple[int, ...], rule: Rule, layout: str) -> None:
    """Maximum with and without indices, and average if the rule is one for averages."""
    try:
        check_maximum(ndim, LAYOUTS[layout](values.maxima(*shape), ndim), rule)
        if values.dtype.kind != "b" and rule.get("dilation", 1) == 1:
            check_average(ndim, LAYOUTS[layout](values.averages(*shape), ndim), rule)
    except BaseException as error:
        error.add_note(f"{ndim}-D, {values.dtype}{shape} {layout}, {rule}")
        raise


def check_maximum(ndim: int, x: Array, rule: Rule) -> None:
    want, want_indices = sliding.max_pool(ndim, np.ascontiguousarray(x), **rule)
    function = operator("max_pool", ndim)
    assert_equal(call(function, x, ndim, **rule), want)
    got, got_indices = call(function, x, ndim, **rule, return_indices=True)
    assert_equal(got, want)
    assert_equal(got_indices, want_indices)


def check_average(ndim: int, x: Array, rule: Rule) -> None:
    rule = {name: value for name, value in rule.items() if name != "dilation"}
    terms = reference.kernel_volume(ndim, rule["kernel_size"])
    for include in (True, False):
        options = {**rule, "count_include_pad": include}
        want = sliding.avg_pool(ndim, np.ascontiguousarray(x), **options)
        magnitude = sliding.avg_pool(ndim, magnitudes(x), **options)
        assert_close(call(operator("avg_pool", ndim), x, ndim, **options), want, terms, magnitude)


def fits(length: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> bool:
    return kernel <= length and (
        reference.output_size(length, kernel, stride, padding, dilation) >= 1
    )


def row_rules() -> Iterator[tuple[int, Rule]]:
    """Every row length with every stride and window, padded and not, in turn rounded up."""
    for turn, (length, stride, kernel) in enumerate(itertools.product(ROWS, STRIDES, WINDOWS)):
        padding = (0, kernel // 2, kernel // 4)[turn % 3]
        dilation = 2 if turn % 5 == 0 and kernel > 1 else 1
        if fits(length, kernel, stride, padding, dilation):
            rule: Rule = {"kernel_size": kernel, "stride": stride, "padding": padding}
            yield length, {**rule, "dilation": dilation, "ceil_mode": turn % 2 == 1}


@each_dtype
def test_rows(dtype: np.dtype[Any]) -> None:
    values = Values(dtype)
    for length, rule in row_rules():
        check(1, values, (2, length), rule, "contiguous")


@each_dtype
def test_rows_of_planes(dtype: np.dtype[Any]) -> None:
    """Rows again, now folded over several rows and with more than one plane."""
    values = Values(dtype)
    shapes = itertools.product(ROWS, [(3, 1, 1), (2, 2, 0), (3, 2, 1), (3, 3, 1), (5, 1, 2)])
    for length, (kernel, stride, padding) in shapes:
        if fits(length, kernel, stride, padding):
            rule = {"kernel_size": kernel, "stride": stride, "padding": padding}
            check(2, values, (2, 3, 9, length), rule, "contiguous")


@each_dtype
def test_small_planes(dtype: np.dtype[Any]) -> None:
    values = Values(dtype)
    for (height, width), kernel, stride in itertools.product(
        SMALL_PLANES, [1, 2, 3, 5, 7, 13], [1, 2]
    ):
        across, down = min(kernel, width), min(kernel, height)
        rule = {
            "kernel_size": (down, across),
            "stride": stride,
            "padding": (down // 2, across // 2),
        }
        check(2, values, (40, height, width), rule, "contiguous")


@each_dtype
def test_channels_last(dtype: np.dtype[Any]) -> None:
    values = Values(dtype)
    rules = [(2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1), (5, 1, 2, 2), (7, 3, 3, 1)]
    for channels, (kernel, stride, padding, dilation) in itertools.product(CHANNELS, rules):
        rule = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
        check(2, values, (2, channels, 14, 11), rule, "channels_last")
        check(1, values, (1, channels, 33), rule, "channels_last")


@each_dtype
def test_long_windows(dtype: np.dtype[Any]) -> None:
    values = Values(dtype)
    for kernel, stride, padding in [
        (31, 1, 15),
        (31, 2, 0),
        ((40, 70), 1, 0),
        ((40, 70), 5, (20, 35)),
        ((1, 70), 1, (0, 35)),
        ((40, 1), (1, 2), (20, 0)),
        ((33, 3), (3, 1), (16, 1)),
    ]:
        rule = {"kernel_size": kernel, "stride": stride, "padding": padding}
        check(2, values, (2, 40, 70), rule, "contiguous")


@each_dtype
def test_window_as_large_as_the_image(dtype: np.dtype[Any]) -> None:
    values = Values(dtype)
    for ndim, sizes in [(1, (300,)), (2, (37, 65)), (2, (130, 3)), (3, (7, 9, 33))]:
        for layout in ("contiguous", "channels_last", "reversed_axes"):
            check(ndim, values, (2, 3, *sizes), {"kernel_size": sizes}, layout)


@each_dtype
def test_volumes(dtype: np.dtype[Any]) -> None:
    values = Values(dtype)
    for kernel, stride, padding in [
        (2, 2, 0),
        (3, 1, 1),
        (3, 2, 1),
        ((1, 3, 5), (1, 2, 3), (0, 1, 2)),
        ((5, 1, 2), 1, (2, 0, 1)),
    ]:
        for layout in ("contiguous", "channels_last", "sliced"):
            rule = {"kernel_size": kernel, "stride": stride, "padding": padding}
            check(3, values, (2, 5, 6, 9, 33), rule, layout)


@each_dtype
def test_adaptive_on_large_planes(dtype: np.dtype[Any]) -> None:
    values = Values(dtype)
    cases: list[tuple[tuple[int, int], Any]] = [
        ((50, 50), 7),
        ((65, 130), (5, 33)),
        ((56, 33), 1),
        ((7, 7), 3),
    ]
    for size, output_size in cases:
        for layout in ("contiguous", "channels_last"):
            x = LAYOUTS[layout](values.maxima(1, 3, *size), 2)
            want, want_indices = reference.adaptive_max_pool(
                2, np.ascontiguousarray(x), output_size
            )
            function = operator("adaptive_max_pool", 2)
            assert_equal(call(function, x, 2, output_size=output_size), want)
            got = call(function, x, 2, output_size=output_size, return_indices=True)
            assert_equal(got[0], want)
            assert_equal(got[1], want_indices)
            if dtype.kind == "b":
                continue
            x = LAYOUTS[layout](values.averages(1, 3, *size), 2)
            want = reference.adaptive_avg_pool(2, np.ascontiguousarray(x), output_size)
            magnitude = reference.adaptive_avg_pool(2, magnitudes(x), output_size)
            got = call(operator("adaptive_avg_pool", 2), x, 2, output_size=output_size)
            assert_close(got, want, size[0] * size[1], magnitude)
