"""oneDNN, through PyTorch's mkldnn tensors in its own memory formats, converted beforehand."""

from adapters import require
from adapters import torch as eager

VERSION = eager.torch.__version__
answer = eager.answer


def build(problem):
    """Call the function of the row on mkldnn tensors."""
    row = problem.row
    require(row.dtype in ("float32", "bfloat16"), "mkldnn tensors are f32 or bf16")
    require(row.layout == "NCHW", "mkldnn tensors choose their own layout")
    require(row.ndim >= 2, "2-D and 3-D only")
    return eager.build(problem, lambda tensor: tensor.to_mkldnn())
