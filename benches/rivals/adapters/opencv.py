"""OpenCV: dilate and blur for a window at every pixel, resize by area for blocks; by planes."""

import cv2
import numpy as np

from adapters import require

VERSION = cv2.__version__
PLANES = 4


def one_plane(row):
    """The function of OpenCV that does what the row asks, on one plane."""
    (kernel, *_), stride, (padding, *_) = row.window()
    require(len({*row.window()[0]}) == 1, "square windows only")
    if row.operator == "avg_pool" and stride[0] == kernel and not padding:
        height, width = row.output_size()
        return lambda plane: cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    require(
        stride == (1, 1) and 2 * padding == kernel - 1, "blocks or a window at every pixel only"
    )
    if row.operator == "max_pool":
        element = np.ones((kernel, kernel), np.uint8)
        return lambda plane: cv2.dilate(plane, element)
    return lambda plane: cv2.blur(plane, (kernel, kernel), borderType=cv2.BORDER_CONSTANT)


def build(problem):
    """Call OpenCV for each plane."""
    row = problem.row
    require(
        row.operator in ("max_pool", "avg_pool") and row.ndim == 2, "2-D maximum and average only"
    )
    require(not (row.backward or row.arguments.get("return_indices")), "values only")
    require("16" not in row.dtype, "no half types")
    planes = problem.input.reshape(-1, *row.shape[2:])
    require(row.layout == "NCHW" and len(planes) <= PLANES, "images, not batches")
    function = one_plane(row)
    return lambda: [function(plane) for plane in planes]


def answer(problem, result):
    """The planes put together."""
    return [np.stack(result).reshape(*problem.row.shape[:2], *problem.row.output_size())]
