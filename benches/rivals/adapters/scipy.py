"""SciPy: the filters of ndimage, for windows at every element."""

import numpy as np
import scipy
from scipy import ndimage

from adapters import require

VERSION = scipy.__version__


def build(problem):
    """Filter the whole array in one call."""
    row = problem.row
    require(row.operator in ("max_pool", "avg_pool"), "maximum and average only")
    require(not (row.backward or row.arguments.get("return_indices")), "values only")
    require("16" not in row.dtype, "no half types")
    kernel, stride, padding = row.window()
    same = tuple(2 * p + 1 for p in padding)
    require(set(stride) == {1} and kernel == same, "a window at every element only")
    size = (1, 1, *kernel)
    if row.operator == "avg_pool":
        return lambda: ndimage.uniform_filter(problem.input, size, mode="constant")
    outside = 0 if problem.input.dtype.kind == "u" else -np.inf
    return lambda: ndimage.maximum_filter(problem.input, size, mode="constant", cval=outside)


def answer(_problem, result):
    """The values."""
    return [result]
