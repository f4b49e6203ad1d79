"""Ratios of poolnd's times with one another: `make ratios`.

How much a second thread gives, what small types gain where data fits the cache, what a large
window costs beside a small one, channels last beside channels first, and what a call costs. Both
sides of a ratio take turns; each figure is a median over the rounds.
"""

import statistics
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import poolnd
import poolnd.nn.functional as F

ROUNDS = 9
Call = Callable[[], Any]
Pool = Callable[..., Any]


def seconds(call: Call, total: float = 0.03) -> float:
    """The best time of a call in three runs that take `total` seconds each."""
    once = min(timeit.repeat(call, number=1, repeat=3))
    number = max(1, int(total / once))
    return min(timeit.repeat(call, number=number, repeat=3)) / number


def ratio(slow: Callable[[], float], fast: Callable[[], float]) -> str:
    """How many times as long the first takes, as a median over the rounds."""
    return f"{statistics.median(slow() / fast() for _ in range(ROUNDS)):.2f}"


def on_threads(count: int, call: Call) -> float:
    """The best time of a call with that many threads."""
    poolnd.set_num_threads(count)
    return seconds(call)


def images(*shape: int) -> tuple[Any, Any]:
    """The same picture in float32 and in uint8."""
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return values, (values * 40 + 128).clip(0, 255).astype(np.uint8)


def threads() -> None:
    """What a second thread gives."""
    print("times as fast with two threads as with one:", flush=True)
    picture, small = images(1, 1, 1080, 1920)
    planes, _ = images(4, 512, 20, 20)
    stem, _ = images(4, 64, 112, 112)
    calls: dict[str, Call] = {
        "max 31 x 31": partial(F.max_pool2d, picture, 31, 1, 15),
        "average 31 x 31": partial(F.avg_pool2d, picture, 31, 1, 15),
        "max 31 x 31, uint8": partial(F.max_pool2d, small, 31, 1, 15),
        "average 31 x 31, uint8": partial(F.avg_pool2d, small, 31, 1, 15),
        "average 7 x 7, uint8": partial(F.avg_pool2d, small, 7, 1, 3),
        "SPP 9 x 9": partial(F.max_pool2d, planes, 9, 1, 4),
        "SPP 13 x 13": partial(F.max_pool2d, planes, 13, 1, 6),
        "3 x 3 with indices": partial(F.max_pool2d, stem, 3, 2, 1, return_indices=True),
        "power average, 3": partial(F.lp_pool2d, stem, 3, 3, 2),
        "64 x 112 x 112": partial(F.max_pool2d, stem[0], 3, 2, 1),
    }
    for name, call in calls.items():
        figure = ratio(partial(on_threads, 1, call), partial(on_threads, 2, call))
        print(f"  {name:24} {figure}", flush=True)


def small_types() -> None:
    """What bytes gain."""
    print("times as fast in uint8 as in float32, one thread, in the cache:", flush=True)
    poolnd.set_num_threads(1)
    for shape in [(8, 56, 56), (64, 56, 56), (1, 128, 256)]:
        wide, narrow = images(*shape)
        for window in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (5, 1, 2), (9, 1, 4), (31, 1, 15)]:
            calls = [partial(seconds, partial(F.max_pool2d, x, *window)) for x in (wide, narrow)]
            print(f"  {shape!s:14} {window!s:12} {ratio(*calls)}", flush=True)


def windows() -> None:
    """What large windows cost."""
    print("times as long under 31 x 31 windows as under 5 x 5:", flush=True)
    poolnd.set_num_threads(2)
    for x in images(1, 1, 1080, 1920):
        for pool in (F.max_pool2d, F.avg_pool2d):
            large = partial(seconds, partial(pool, x, 31, 1, 15))
            small = partial(seconds, partial(pool, x, 5, 1, 2))
            print(f"  {pool.__name__:11} {x.dtype!s:8} {ratio(large, small)}", flush=True)


def layouts() -> None:
    """What channels last cost beside channels first."""
    print("times as long with the channels last as with them first:", flush=True)
    poolnd.set_num_threads(2)
    problems: list[tuple[Pool, tuple[int, ...], tuple[int, int, int]]] = [
        (F.max_pool2d, (4, 64, 112, 112), (3, 2, 1)),
        (F.avg_pool2d, (4, 256, 56, 56), (2, 2, 0)),
        (F.max_pool2d, (4, 64, 56, 56), (3, 1, 1)),
        (F.avg_pool2d, (4, 64, 56, 56), (3, 1, 1)),
        (F.max_pool2d, (4, 64, 56, 56), (5, 1, 2)),
        (F.max_pool2d, (4, 512, 20, 20), (9, 1, 4)),
        (F.max_pool2d, (4, 512, 20, 20), (13, 1, 6)),
        (F.avg_pool2d, (4, 512, 20, 20), (5, 1, 2)),
        (F.max_pool2d, (1, 64, 128, 128), (31, 1, 15)),
        (F.avg_pool2d, (1, 64, 128, 128), (31, 1, 15)),
        (F.max_pool2d, (1, 3, 1080, 1920), (7, 1, 3)),
        (F.max_pool2d, (1, 3, 1080, 1920), (31, 1, 15)),
    ]
    for pool, shape, window in problems:
        first, _ = images(*shape)
        last = np.ascontiguousarray(first.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        times = [partial(seconds, partial(pool, x, *window)) for x in (last, first)]
        kind = "max" if pool is F.max_pool2d else "average"
        print(f"  {kind:7} {shape!s:18} {window!s:12} {ratio(*times)}", flush=True)


def calls() -> None:
    """What a call costs that has next to nothing to do."""
    print("a call on 1 x 1 x 4 x 4, in microseconds:", flush=True)
    x, _ = images(1, 1, 4, 4)
    layer = poolnd.nn.MaxPool2d(2)
    for name, call in {"function": partial(F.max_pool2d, x, 2), "layer": partial(layer, x)}.items():
        figure = statistics.median(seconds(call) for _ in range(ROUNDS))
        print(f"  {name:9} {figure * 1e6:.2f}", flush=True)


if __name__ == "__main__":
    threads()
    small_types()
    windows()
    layouts()
    calls()
