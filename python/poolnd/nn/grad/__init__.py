"""Gradients of every operator, under the names and in the order of arguments of PyTorch's ATen.

Each function takes the gradient of a result and returns the gradient of the input. `poolnd.vjp`
calls them with what it remembers of a forward call. Common to all of them:

- `grad_output` is an array, or anything NumPy can read as one, of the result's shape, of any
  strides. The gradient has its dtype and memory order, and the input's shape.
- `input` is the input of the forward call. Where only its shape and dtype matter it may be
  anything that has a ``shape``, and a ``dtype`` that is compared with that of `grad_output`.
- Gradients exist for float16, bfloat16, float32 and float64; other dtypes are a TypeError. Half
  precision is accumulated in a wider dtype and rounded once.
- An index outside the input is an error, except -1, which stands for a window without elements.
- Wrong values and shapes raise `poolnd.PoolError`, wrong types TypeError.

Source: PyTorch 2.13, ``torch.ops.aten`` and ``torch.nn.grad``; the 1-D functions and those of
power averages and of unpooling are built like their neighbours.
"""

from poolnd.nn.grad.adaptive import (
    adaptive_avg_pool1d_backward,
    adaptive_avg_pool2d_backward,
    adaptive_avg_pool3d_backward,
    adaptive_max_pool1d_backward,
    adaptive_max_pool2d_backward,
    adaptive_max_pool3d_backward,
)
from poolnd.nn.grad.conv import conv2d_input, conv2d_weight
from poolnd.nn.grad.indexed import (
    fractional_max_pool2d_backward,
    fractional_max_pool3d_backward,
    max_pool1d_with_indices_backward,
    max_pool2d_with_indices_backward,
    max_pool3d_with_indices_backward,
    max_unpool1d_backward,
    max_unpool2d_backward,
    max_unpool3d_backward,
)
from poolnd.nn.grad.mean import (
    avg_pool1d_backward,
    avg_pool2d_backward,
    avg_pool3d_backward,
    lp_pool1d_backward,
    lp_pool2d_backward,
    lp_pool3d_backward,
)

__all__ = [
    "adaptive_avg_pool1d_backward",
    "adaptive_avg_pool2d_backward",
    "adaptive_avg_pool3d_backward",
    "adaptive_max_pool1d_backward",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d_backward",
    "avg_pool1d_backward",
    "avg_pool2d_backward",
    "avg_pool3d_backward",
    "conv2d_input",
    "conv2d_weight",
    "fractional_max_pool2d_backward",
    "fractional_max_pool3d_backward",
    "lp_pool1d_backward",
    "lp_pool2d_backward",
    "lp_pool3d_backward",
    "max_pool1d_with_indices_backward",
    "max_pool2d_with_indices_backward",
    "max_pool3d_with_indices_backward",
    "max_unpool1d_backward",
    "max_unpool2d_backward",
    "max_unpool3d_backward",
]
