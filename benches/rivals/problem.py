"""The arrays of a row, the same in every process because they come from one seed."""

from dataclasses import dataclass
from math import prod

import ml_dtypes
import numpy as np

from rows import Row

DTYPES = {"bfloat16": ml_dtypes.bfloat16}
SEED = 20


@dataclass(frozen=True)
class Problem:
    """A row with its input, and what else its function is given."""

    row: Row
    input: np.ndarray
    indices: np.ndarray | None = None  # of max_unpool
    samples: np.ndarray | None = None  # of fractional_max_pool
    grad_output: np.ndarray | None = None

    @property
    def bytes_moved(self) -> int:
        """Bytes that must be read and written: input, output, and positions where there are any."""
        row = self.row
        bytes_moved = row.numbers_moved() * self.input.itemsize
        if row.arguments.get("return_indices") or (row.backward and "max" in row.operator):
            bytes_moved += 8 * prod(row.shape[:2]) * prod(row.output_size())
        if self.indices is not None:
            bytes_moved += self.indices.nbytes
        return bytes_moved


def make(row: Row) -> Problem:
    """Make the arrays of `row`."""
    random = np.random.default_rng(SEED)
    outputs = (*row.shape[:2], *row.output_size())
    extra: dict[str, np.ndarray] = {}
    if row.operator == "max_unpool":
        extra["indices"] = positions(row, random)
    if row.operator == "fractional_max_pool":
        extra["samples"] = random.random((*row.shape[:2], row.ndim), dtype=np.float32)
    if row.backward:
        extra["grad_output"] = numbers(random, outputs, row)
    return Problem(row, numbers(random, row.shape, row), **extra)


def numbers(random: np.random.Generator, shape: tuple[int, ...], row: Row) -> np.ndarray:
    """Random numbers of the row's dtype, in the row's memory order."""
    dtype = np.dtype(DTYPES.get(row.dtype, row.dtype))
    if dtype.kind in "iu":
        values = random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    else:
        values = random.standard_normal(shape, np.float32).astype(dtype)
    return in_order(values, row)


def in_order(values: np.ndarray, row: Row) -> np.ndarray:
    """The values in the row's memory order."""
    if row.layout == "NHWC":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 1, -1)), -1, 1)
    return values


def positions(row: Row, random: np.random.Generator) -> np.ndarray:
    """Positions as a max pooling reports them: one inside each of the disjoint windows."""
    kernel, stride, _ = row.window()
    position = np.zeros(row.shape, np.int64)
    for axis, (length, k, s, size) in enumerate(
        zip(row.shape[2:], kernel, stride, row.output_size(), strict=True), start=2
    ):
        start = np.arange(length).reshape([-1 if i == axis else 1 for i in range(len(row.shape))])
        position = position * size + start * s + random.integers(0, k, row.shape)
    return in_order(position, row)
