"""Measure calls in a process of their own: ``python -m tests.python.memory_use THREADS``.

Prints one JSON object: for every call, how far its peak lies above the arrays that it is given and
returns, in bytes, and the bytes of the largest of those.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import poolnd
import poolnd.nn.functional as F
from poolnd.nn import grad as G

Array = np.ndarray[Any, np.dtype[Any]]
BYTES = 48 << 20
"""So large that no scratch in proportion to an array passes for a constant."""


def status(field: str) -> int:
    """Bytes of a field of this process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) << 10
    raise KeyError(field)


def filled(shape: tuple[int, ...], dtype: str = "f4") -> Array:
    """An array whose pages are all there."""
    array = np.zeros(shape, dtype)
    array.reshape(-1)[::97] = 1
    return array


def images() -> Iterator[tuple[str, Array]]:
    """One large plane, many planes, small ones, channels last, other dtypes and strides."""
    side = int((BYTES / 4) ** 0.5)
    yield "plane", filled((1, 1, side, side))
    yield "planes", filled((1, BYTES // 4 // 112**2, 112, 112))
    yield "small planes", filled((1, BYTES // 4 // 49, 7, 7))
    yield "channels last", np.moveaxis(filled((1, 112, 112, BYTES // 4 // 112**2)), -1, 1)
    yield "reversed", filled((1, 1, side, side))[..., ::-1, ::-1]
    yield "transposed", filled((1, 1, side, side)).swapaxes(-1, -2)
    side = int((BYTES / 2) ** 0.5)
    yield "halves", filled((1, 1, side, side), "f2")
    side = int(BYTES**0.5)
    yield "bytes", filled((1, 1, side, side), "u1")


def calls() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every operator on every kind of image; each is measured before the next is made."""
    for name, x in images():
        yield f"max: {name}", lambda x=x: F.max_pool2d(x, 3, 2, 1)
        yield f"max, stride 1: {name}", lambda x=x: F.max_pool2d(x, 5, 1, 2)
        yield f"positions: {name}", lambda x=x: F.max_pool2d(x, 3, 2, 1, return_indices=True)
        yield f"average: {name}", lambda x=x: F.avg_pool2d(x, 3, 2, 1)
        yield (
            f"average, divisors differ: {name}",
            lambda x=x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
        )
        yield f"adaptive: {name}", lambda x=x: F.adaptive_avg_pool2d(x, 5)
        yield f"global: {name}", lambda x=x: F.adaptive_max_pool2d(x, 1)
        if x.dtype.kind == "f":
            yield from float_calls(name, x)
            yield from apart_calls(name, x)
    yield from row_calls()


def float_calls(name: str, x: Array) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Powers and gradients."""
    y, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    yield f"powers: {name}", lambda: F.lp_pool2d(x, 2.0, 3)
    yield (
        f"gradient of maxima: {name}",
        lambda: G.max_pool2d_with_indices_backward(y, x, 3, 2, 1, 1, False, indices),
    )
    yield (
        f"gradient of averages: {name}",
        lambda: G.avg_pool2d_backward(y, x, 3, 2, 1, False, True),
    )
    yield (
        f"gradient of averages, divisors differ: {name}",
        lambda: G.avg_pool2d_backward(y, x, 3, 2, 1, False, False),
    )


def apart_calls(name: str, x: Array) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Windows that do not overlap."""
    apart, places = F.max_pool2d(x, 2, return_indices=True)
    yield (
        f"gradient of maxima apart: {name}",
        lambda: G.max_pool2d_with_indices_backward(apart, x, 2, 2, 0, 1, False, places),
    )
    size = x.shape[-2:]
    yield f"unpooling: {name}", lambda: F.max_unpool2d(apart, places, 2, output_size=size)
    samples = np.full((1, x.shape[1], 2), 0.5, x.dtype)
    half = (size[0] // 2, size[1] // 2)
    yield (
        f"fractional: {name}",
        lambda: F.fractional_max_pool2d(x, 2, half, _random_samples=samples),
    )


def row_calls() -> Iterator[tuple[str, Callable[[], Any]]]:
    """A single row."""
    row = filled((1, 1, BYTES // 4))
    yield "max: row", lambda: F.max_pool1d(row, 3)
    yield "long windows: row", lambda: F.avg_pool1d(row, 1000, 1)
    yield "one maximum: row", lambda: F.adaptive_max_pool1d(row, 1)
    yield "one average: row", lambda: F.adaptive_avg_pool1d(row, 1)
    mean = np.ones((1, 1, 1), np.float32)
    yield "gradient of one average: row", lambda: G.adaptive_avg_pool1d_backward(mean, row)


def above(call: Callable[[], Any]) -> tuple[int, int]:
    """How far the peak of a call lies above what was there before and its result."""
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    result = call()
    parts = result if isinstance(result, tuple) else (result,)
    return status("VmHWM") - before - sum(part.nbytes for part in parts), parts[0].nbytes


def main() -> None:
    poolnd.set_num_threads(int(sys.argv[1]))
    # Starts the threads, and has the allocator take what it keeps.
    F.avg_pool2d(filled((1, 1, 800, 800)), 3, 2)
    print(json.dumps({name: above(call)[0] for name, call in calls()}))


if __name__ == "__main__":
    main()
