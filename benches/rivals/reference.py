"""What a row must give: one slice of one plane for each output, reduced by NumPy in float64.

Planes are independent of each other in every operator, so the first plane is enough; where it has
very many outputs, the corners and a random choice of them are.
"""

from itertools import product

import numpy as np

from problem import SEED, Problem
from rows import Row

OUTPUTS = 20_000


def windows(problem: Problem) -> list[list[slice]]:
    """Each pooled axis's windows, clipped to the plane, output by output."""
    row = problem.row
    lengths, sizes = row.shape[2:], row.output_size()
    if row.operator.startswith("adaptive"):
        return [
            [slice(i * length // n, -(-(i + 1) * length // n)) for i in range(n)]
            for length, n in zip(lengths, sizes, strict=True)
        ]
    if row.operator == "fractional_max_pool":
        # The samples are (width, height), and the arithmetic is that of the input's dtype.
        (kernel, *_), samples = row.window()[0], problem.samples[0, 0, ::-1]
        return [fractions(*axis, kernel) for axis in zip(lengths, sizes, samples, strict=True)]
    return [
        [slice(max(i * s - p, 0), min(i * s - p + k, length)) for i in range(n)]
        for length, n, k, s, p in zip(lengths, sizes, *row.window(), strict=True)
    ]


def fractions(length: int, outputs: int, sample: np.float32, kernel: int) -> list[slice]:
    """Windows of fractional pooling (PyTorch's rule, torch.nn.functional.fractional_max_pool2d)."""
    alpha = np.float32(length - kernel) / np.float32(outputs - 1)
    starts = [int((i + sample) * alpha) - int(sample * alpha) for i in range(outputs - 1)]
    return [slice(start, start + kernel) for start in [*starts, length - kernel]]


def reduce(row: Row, window: np.ndarray) -> float | int:
    """One output."""
    if "max" in row.operator:
        return window.max()
    area = window.size if row.operator == "adaptive_avg_pool" else np.prod(row.window()[0])
    if row.operator == "lp_pool":
        power = row.arguments["norm_type"]
        return np.sum(window**power) ** (1 / power)
    return window.sum() // area if window.dtype.kind in "iu" else window.sum() / area


def expected(problem: Problem) -> tuple[tuple[np.ndarray, ...], list[np.ndarray]]:
    """Places in the first plane, and what is there: values, and positions if the row asks."""
    row, plane = problem.row, problem.input[0, 0]
    if plane.dtype.kind not in "iu":
        plane = plane.astype(np.float64)
    if row.operator == "max_unpool":
        answer = np.zeros(row.output_size())
        answer.reshape(-1)[problem.indices[0, 0]] = plane
        return (...,), [answer]
    axes = windows(problem)
    if row.backward:
        return (...,), [gradient(problem, plane, axes)]
    values, positions = [], []
    places = choose(row.output_size())
    flat = np.arange(plane.size).reshape(plane.shape)
    for place in places:
        cut = tuple(axis[i] for axis, i in zip(axes, place, strict=True))
        values.append(reduce(row, plane[cut]))
        positions.append(flat[cut].reshape(-1)[plane[cut].argmax()])
    answers = [values, positions] if row.arguments.get("return_indices") else [values]
    return tuple(np.array(places).T), [np.array(answer) for answer in answers]


def gradient(problem: Problem, plane: np.ndarray, axes: list[list[slice]]) -> np.ndarray:
    """The gradient of the plane: each output's goes to its maximum, or evenly over its window."""
    row, result = problem.row, np.zeros(plane.shape)
    for place, grad in np.ndenumerate(problem.grad_output[0, 0].astype(np.float64)):
        cut = tuple(axis[i] for axis, i in zip(axes, place, strict=True))
        if "max" in row.operator:
            window = result[cut]
            window[np.unravel_index(plane[cut].argmax(), window.shape)] += grad
        elif row.operator == "adaptive_avg_pool":
            result[cut] += grad / plane[cut].size
        else:
            result[cut] += grad / np.prod(row.window()[0])
    return result


def choose(sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Every output of a plane, or the corners and some thousands at random."""
    if np.prod(sizes) <= OUTPUTS:
        return list(product(*map(range, sizes)))
    random = np.random.default_rng(SEED)
    inner = zip(*(random.integers(0, n, OUTPUTS // 4) for n in sizes), strict=True)
    return [*product(*((0, n - 1) for n in sizes)), *inner]


def tolerance(problem: Problem) -> tuple[float, float]:
    """The relative and absolute difference that an answer may have; half types round at the end."""
    row = problem.row
    if row.dtype == "uint8":
        # An average may be truncated or rounded, once or axis by axis.
        return 0, 0 if "max" in row.operator else 2
    if "max" in row.operator and not row.backward:
        return 0, 0
    return {
        "float64": (1e-12, 1e-13),
        "float32": (1e-5, 1e-6),
        "float16": (2e-3, 2e-3),
        "bfloat16": (1.6e-2, 1.6e-2),
    }[row.dtype]


def compare(problem: Problem, answers: list[np.ndarray], wanted: list[np.ndarray]) -> str | None:
    """The first difference between answers and what they must be, or None."""
    relative, absolute = tolerance(problem)
    if len(answers) != len(wanted):
        return f"{len(answers)} arrays in the answer, {len(wanted)} wanted"
    for answer, want in zip(answers, wanted, strict=True):
        if answer.shape != want.shape:
            return f"shape {answer.shape}, wanted {want.shape}"
        if np.array_equal(answer, want):
            continue
        gap = np.abs(answer.astype(np.float64) - want.astype(np.float64))
        wrong = gap > absolute + relative * np.abs(want.astype(np.float64))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            return f"{answer[at]} at {at}, wanted {want[at]} ({wrong.mean():.2%} of all differ)"
    return None


class Reference:
    """The reference of one problem, computed once and asked for every library."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.places, self.wanted = expected(problem)

    def difference(self, answers: list[np.ndarray]) -> str | None:
        """The first difference between answers and the reference, or None."""
        found = [answer[0, 0][self.places] for answer in answers]
        return compare(self.problem, found, self.wanted)
