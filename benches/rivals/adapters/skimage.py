"""scikit-image: block_reduce, for windows that tile the array."""

import numpy as np
import skimage
from skimage.measure import block_reduce

from adapters import require

VERSION = skimage.__version__
REDUCERS = {"max_pool": np.max, "avg_pool": np.mean}


def build(problem):
    """Reduce the blocks of the whole array in one call."""
    row = problem.row
    require(row.operator in REDUCERS, "maximum and average only")
    require(not (row.backward or row.arguments.get("return_indices")), "values only")
    kernel, stride, _ = row.window()
    require(kernel == stride, "blocks only")
    require(not any(n % k for n, k in zip(row.shape[2:], kernel, strict=True)), "whole blocks only")
    reducer = REDUCERS[row.operator]
    return lambda: block_reduce(problem.input, (1, 1, *kernel), reducer)


def answer(_problem, result):
    """The values."""
    return [result]
