"""Rows drawn at random, beside the table's: ``make bench ARGS="--draw 400 --libraries torch"``."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from rows import Row

Random = np.random.Generator
DTYPES = ["float32", "float32", "float32", "float64", "float16", "bfloat16"]
FORWARD = ["max", "max", "avg", "avg", "lp", "adaptive_avg", "adaptive_max", "max_unpool"]
BACKWARD = ["max", "avg", "adaptive_avg", "adaptive_max"]
FEWEST, MOST = 2**8, 2**22
"""Bounds of the number of elements of an input."""


def rows(count: int, seed: int) -> list[Row]:
    """Rows of all operators; the same ones for the same seed."""
    random = np.random.default_rng(seed)
    return [row(random, number) for number in range(count)]


def row(random: Random, number: int) -> Row:
    """One row, whose windows fit into its planes."""
    backward = random.random() < 0.4
    kind = choice(random, BACKWARD if backward else FORWARD)
    ndim = choice(random, [1, 2, 2, 2, 3])
    shape = shape_of(random, ndim)
    arguments = window(random, kind, shape[2:])
    name_of = kind if kind == "max_unpool" else f"{kind}_pool"
    if kind == "max" and not backward and random.random() < 0.3:
        arguments["return_indices"] = True
    layout = choice(random, ["NCHW", "NCHW", "NHWC"])
    dtype = choice(random, DTYPES)
    sizes = (f"{name} {value}" for name, value in arguments.items())
    name = ", ".join([str(number), *sizes])
    return Row(name, f"{name_of}{ndim}d", shape, arguments, dtype, layout, backward)


def shape_of(random: Random, ndim: int) -> tuple[int, ...]:
    """Sizes that differ by orders of magnitude, within the bounds together."""
    while True:
        batch, channels = magnitude(random, 1, 32), magnitude(random, 1, 1024)
        spatial = [magnitude(random, 4, 2 ** (20 // ndim)) for _ in range(ndim)]
        if FEWEST <= batch * channels * prod(spatial) <= MOST:
            return (batch, channels, *spatial)


def choice(random: Random, options: Sequence[Any]) -> Any:
    """One of the options; NumPy's own choice makes arrays of them."""
    return options[random.integers(len(options))]


def magnitude(random: Random, low: int, high: int) -> int:
    """A number whose logarithm is uniform."""
    return round(low * (high / low) ** random.random())


def window(random: Random, kind: str, spatial: tuple[int, ...]) -> dict[str, Any]:
    """The arguments that say where windows lie."""
    if kind.startswith("adaptive"):
        return {"output_size": tuple(magnitude(random, 1, n) for n in spatial)}
    kernel = tuple(choice(random, [2, 3, 3, 4, 5, 7, 9, 13]) for _ in spatial)
    if random.random() < 0.7:
        kernel = kernel[:1] * len(spatial)
    kernel = tuple(min(k, n) for k, n in zip(kernel, spatial, strict=True))
    if kind == "max_unpool":
        return {"kernel_size": kernel}
    stride = tuple(choice(random, [1, min(k, 2), k]) for k in kernel)
    arguments: dict[str, Any] = {"kernel_size": kernel, "stride": stride}
    if kind == "lp":
        if len(spatial) == 1:  # PyTorch takes no tuples there
            arguments = {name: value[0] for name, value in arguments.items()}
        return {"norm_type": 2.0, **arguments}
    if random.random() < 0.5:
        arguments["padding"] = tuple(k // 2 for k in kernel)
    return arguments
