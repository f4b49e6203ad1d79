"""PyTorch, eager. Gradients by autograd, whose graph is kept: only the backward kernel runs."""

import numpy as np
import torch
import torch.nn.functional as F

VERSION = torch.__version__


def tensor(array):
    """A tensor over the array's memory, in its strides; NumPy's bfloat16 goes over as its bits."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def build(problem, convert=lambda tensor: tensor):
    """Call the function of the row; `convert` changes every tensor beforehand."""
    row = problem.row
    function = getattr(F, row.function)
    arguments, keywords = [convert(tensor(problem.input))], dict(row.arguments)
    if problem.indices is not None:
        arguments.append(torch.from_numpy(problem.indices))
    if problem.samples is not None:
        keywords["_random_samples"] = torch.from_numpy(problem.samples)
    if not row.backward:
        torch.set_grad_enabled(False)
        return lambda: function(*arguments, **keywords)
    torch.set_grad_enabled(True)
    x = arguments[0].requires_grad_()
    y = function(*arguments, **keywords)
    grad = convert(tensor(problem.grad_output))
    return lambda: torch.autograd.grad(y, x, grad, retain_graph=True)[0]


def answer(_problem, result):
    """Values, and positions where there are any; half types widened for NumPy."""
    tensors = result if isinstance(result, tuple) else (result,)
    dense = [t.to_dense() if t.is_mkldnn else t for t in tensors]
    return [(t.float() if t.dtype == torch.bfloat16 else t).numpy() for t in dense]
