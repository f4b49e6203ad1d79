"""poolnd, by its public names."""

import poolnd
import poolnd.nn.functional as F
from adapters import require

VERSION = poolnd.__version__


def build(problem):
    """Call the function, or the pullback that vjp returned."""
    row = problem.row
    function = getattr(F, row.function, None)
    require(function is not None, "not in poolnd yet")
    arguments, keywords = [problem.input], dict(row.arguments)
    if problem.indices is not None:
        arguments.append(problem.indices)
    if problem.samples is not None:
        keywords["_random_samples"] = problem.samples
    if not row.backward:
        return lambda: function(*arguments, **keywords)
    require(hasattr(poolnd, "vjp"), "not in poolnd yet")
    _, pullback = poolnd.vjp(function, *arguments, **keywords)
    return lambda: pullback(problem.grad_output)


def answer(_problem, result):
    """Values, and positions where there are any."""
    return list(result) if isinstance(result, tuple) else [result]
