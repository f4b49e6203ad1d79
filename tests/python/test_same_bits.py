"""The same numbers give the same bits: for every thread count, memory layout, rank, processor.

The order in which an average adds its terms is a matter of the shape alone, so
nothing that changes how the work is done may change the last bit.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import poolnd
import poolnd.nn.functional as F
from poolnd._core import build_info

from .closeness import FLOATS, assert_same_bits
from .layouts import LAYOUTS
from .operators import FAMILIES, operator

Array = np.ndarray[Any, np.dtype[Any]]

LARGE = (4, 17, 101, 103)
"""700,000 elements, more than one thread's work, and no power of two among the lengths."""

RULES: dict[str, list[dict[str, Any]]] = {
    "max_pool": [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 9, "stride": 1, "padding": 4, "return_indices": True},
    ],
    "avg_pool": [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 1, "padding": 1},
        {"kernel_size": (31, 17), "stride": (2, 3), "padding": (15, 8), "ceil_mode": True},
    ],
    "adaptive_max_pool": [{"output_size": 1}, {"output_size": (7, 9), "return_indices": True}],
    "adaptive_avg_pool": [{"output_size": 1}, {"output_size": (7, 9)}],
}
CASES = [(family, arguments) for family in FAMILIES for arguments in RULES[family]]

each_case = pytest.mark.parametrize(("family", "arguments"), CASES, ids=str)
each_float = pytest.mark.parametrize("dtype", FLOATS, ids=str)


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    before = poolnd.get_num_threads()
    yield
    poolnd.set_num_threads(before)


def noise(family: str, dtype: np.dtype[Any], shape: tuple[int, ...] = LARGE) -> Array:
    """Normal numbers; for maxima zeros of both signs and a few NaN too, rare enough to matter."""
    generator = np.random.default_rng(12345)
    x = generator.normal(size=shape)
    if "max" in family:
        x = np.minimum(x, 0.0)
        x[generator.random(shape) < 0.05] = -0.0
        x[generator.random(shape) < 0.0005] = np.nan
    return x.astype(dtype)


def outputs(answer: Any) -> tuple[Array, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def assert_same_answers(got: Any, want: Any) -> None:
    for one, other in zip(outputs(got), outputs(want), strict=True):
        assert_same_bits(one, other)


@each_case
@each_float
def test_threads(family: str, arguments: dict[str, Any], dtype: np.dtype[Any]) -> None:
    x, function = noise(family, dtype), operator(family, 2)
    poolnd.set_num_threads(1)
    assert poolnd.get_num_threads() == 1
    alone = function(x, **arguments)
    for threads in (2, 3):
        poolnd.set_num_threads(threads)
        assert poolnd.get_num_threads() == threads
        assert_same_answers(function(x, **arguments), alone)


@each_case
@each_float
@pytest.mark.parametrize("layout", ["channels_last", "transposed", "sliced", "reversed_axes"])
def test_layouts(layout: str, family: str, arguments: dict[str, Any], dtype: np.dtype[Any]) -> None:
    x, function = noise(family, dtype, (2, 17, 101, 103)), operator(family, 2)
    view = LAYOUTS[layout](x, 2)
    assert_same_answers(function(view, **arguments), function(x, **arguments))


@each_case
@each_float
def test_batching(family: str, arguments: dict[str, Any], dtype: np.dtype[Any]) -> None:
    """One plane at a time gives what all of them give at once."""
    x, function = noise(family, dtype, (3, 2, 61, 67)), operator(family, 2)
    together = outputs(function(x, **arguments))
    for n, c in np.ndindex(3, 2):
        alone = outputs(function(x[n, c : c + 1], **arguments))
        for one, other in zip(alone, together, strict=True):
            assert_same_bits(one, other[n, c : c + 1])


@pytest.mark.parametrize("family", ["max_pool", "avg_pool"])
@each_float
def test_ranks(family: str, dtype: np.dtype[Any]) -> None:
    """A 1-D pooling is a 2-D one of height 1, and a 2-D one a 3-D one of depth 1."""
    x = noise(family, dtype, (2, 3, 40, 130))
    flat = operator(family, 1)(x.reshape(2, 120, 130), 5, 2, 1)
    assert_same_bits(operator(family, 2)(x, (1, 5), (1, 2), (0, 1)).reshape(flat.shape), flat)
    plane = operator(family, 2)(x, (3, 5), (1, 2), 1)
    volume = operator(family, 3)(x[:, :, None], (1, 3, 5), (1, 1, 2), (0, 1, 1))
    assert_same_bits(volume[:, :, 0], plane)


@pytest.mark.parametrize("family", ["max_pool", "avg_pool"])
@each_float
def test_adaptive_of_a_divisor_is_regular(family: str, dtype: np.dtype[Any]) -> None:
    """Bins of equal length are the windows of a regular pooling."""
    x = noise(family, dtype, (2, 3, 36, 60))
    regular = operator(family, 2)(x, (6, 5))
    assert_same_bits(operator(f"adaptive_{family}", 2)(x, (6, 12)), regular)


def every_other(x: Array, arranged: Callable[[Array], Array]) -> dict[str, list[Array]]:
    """Power averages, fractional windows, unpooling, and gradients, of arrays so `arranged`."""
    generator = np.random.default_rng(67)
    samples = generator.random((*x.shape[:2], 2))
    pooled: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
        ("max", F.max_pool2d, {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("max of pairs", F.max_pool2d, {"kernel_size": 2}),
        ("avg", F.avg_pool2d, {"kernel_size": 3, "stride": 1, "padding": 1}),
        (
            "avg without padding",
            F.avg_pool2d,
            {"kernel_size": 5, "stride": 2, "padding": 2, "count_include_pad": False},
        ),
        ("adaptive max", F.adaptive_max_pool2d, {"output_size": (5, 7)}),
        ("adaptive avg", F.adaptive_avg_pool2d, {"output_size": (5, 7)}),
        ("global avg", F.adaptive_avg_pool2d, {"output_size": 1}),
        ("lp", F.lp_pool2d, {"norm_type": 2, "kernel_size": 3, "stride": 2}),
        ("lp 3", F.lp_pool2d, {"norm_type": 3, "kernel_size": 2}),
        (
            "fractional",
            F.fractional_max_pool2d,
            {"kernel_size": 3, "output_ratio": 0.6, "_random_samples": samples.astype(x.dtype)},
        ),
    ]
    answers = {}
    for name, function, arguments in pooled:
        y, pullback = poolnd.vjp(function, arranged(x), **arguments)
        grad = generator.normal(size=y.shape).astype(x.dtype)
        answers[name] = [function(arranged(x), **arguments), y, pullback(arranged(grad))]
    values, indices = F.max_pool2d(x, 2, return_indices=True)
    unpool = (F.max_unpool2d, arranged(values), arranged(indices))
    y, pullback = poolnd.vjp(*unpool, kernel_size=2, output_size=x.shape[2:])
    answers["unpool"] = [y, pullback(arranged(x))]
    return answers


@each_float
def test_every_other_operator(dtype: np.dtype[Any]) -> None:
    x = noise("all others", dtype)
    poolnd.set_num_threads(1)
    want = every_other(x, np.ascontiguousarray)
    for threads, layout in [(1, "channels_last"), (2, "contiguous"), (3, "channels_last")]:
        poolnd.set_num_threads(threads)
        got = every_other(x, lambda array, layout=layout: LAYOUTS[layout](array, 2))
        for name, answers in got.items():
            assert len(answers) == len(want[name])
            for one, other in zip(answers, want[name], strict=True):
                assert_same_bits(one, other)


def digests_of_a_process(**environment: str) -> dict[str, str]:
    script = Path(__file__).with_name("digests.py")
    child = subprocess.run(
        [sys.executable, script],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, str] = json.loads(child.stdout)
    return answer


def test_instruction_sets() -> None:
    """The processor's instruction sets, each in a process of its own, agree in every bit."""
    sets = build_info()["instruction_sets"]
    assert build_info()["instruction_set"] in sets
    baseline, *others = [digests_of_a_process(POOLND_INSTRUCTION_SET=name) for name in sets]
    assert len(baseline) > 100
    for other in others:
        assert other == baseline
