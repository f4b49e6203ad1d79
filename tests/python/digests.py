"""A program that prints digests of many results, to compare processes that compute differently."""

import hashlib
import json
from typing import Any

import ml_dtypes
import numpy as np

import poolnd
import poolnd.nn.functional as F

DTYPES = ["bool", "u1", "i1", "u2", "i2", "i4", "i8", "f2", ml_dtypes.bfloat16, "f4", "f8"]
SHAPES = [(2, 3, 1, 300), (2, 16, 9, 33), (1, 40, 7, 7), (1, 3, 64, 65)]
RULES: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": (1, 5), "stride": 1, "padding": (0, 2)},
    {"kernel_size": (1, 7), "stride": 3},
]


FLOATS = ["f2", ml_dtypes.bfloat16, "f4", "f8"]


def digest(*answers: Any) -> str:
    return hashlib.sha256(b"".join(np.asarray(answer).tobytes() for answer in answers)).hexdigest()


def digests() -> dict[str, str]:
    """Of maxima, their positions and averages in every dtype; of all else in the floating ones."""
    found = forward()
    for dtype in map(np.dtype, FLOATS):
        for name, answers in others(dtype).items():
            found[f"{dtype} {name}"] = digest(*answers)
    return found


def others(dtype: np.dtype[Any]) -> dict[str, list[Any]]:
    """Power averages, fractional windows, unpooling, gradients, and other numbers of axes."""
    generator = np.random.default_rng(23)
    x = generator.normal(size=(2, 5, 24, 33)).astype(np.float32).astype(dtype)
    samples = generator.random((2, 5, 2)).astype(dtype)
    values, indices = F.max_pool2d(x, 2, return_indices=True)
    answers: dict[str, list[Any]] = {
        # Powers other than 2 are the C library's, which chooses instructions by itself.
        "lp": [F.lp_pool2d(x, 2, 3), F.lp_pool2d(x, 2, 5, stride=1)],
        "fractional": [F.fractional_max_pool2d(x, 3, output_ratio=0.6, _random_samples=samples)],
        "unpool": [F.max_unpool2d(values, indices, 2, output_size=x.shape[2:])],
        "1-D": [F.max_pool1d(x[0], 3, 2, 1), F.avg_pool1d(x[0], 7, 1)],
        "3-D": [F.max_pool3d(x, 3, 2, 1), F.avg_pool3d(x, (2, 3, 5), 1)],
    }
    pooled: list[tuple[str, Any, dict[str, Any]]] = [
        ("max", F.max_pool2d, {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("avg", F.avg_pool2d, {"kernel_size": 3, "stride": 1, "padding": 1}),
        ("adaptive avg", F.adaptive_avg_pool2d, {"output_size": (5, 7)}),
    ]
    for name, function, arguments in pooled:
        y, pullback = poolnd.vjp(function, x, **arguments)
        grad = generator.normal(size=y.shape).astype(np.float32).astype(dtype)
        answers[f"gradient of {name}"] = [y, pullback(grad)]
    return answers


def forward() -> dict[str, str]:
    found = {}
    for dtype in map(np.dtype, DTYPES):
        for shape in SHAPES:
            generator = np.random.default_rng(17)
            x = (generator.normal(size=shape) * 50 + 100).astype(np.float32)
            if dtype.kind not in "biu":
                x[generator.random(shape) < 0.01] = np.nan
                x[generator.random(shape) < 0.01] = -0.0
            values = x.astype(dtype)
            for rule in RULES[1 if shape[2] == 1 else 0 :]:
                answers = list(F.max_pool2d(values, **rule, return_indices=True))
                answers.append(F.max_pool2d(values, **rule))
                if dtype.kind != "b":
                    answers += [F.avg_pool2d(values, **rule), F.adaptive_avg_pool2d(values, 1)]
                found[f"{dtype} {shape} {rule}"] = digest(*answers)
    return found


if __name__ == "__main__":
    print(json.dumps(digests()))
