"""A program that prints digests of many results, to compare processes that compute differently."""

import hashlib
import json
from typing import Any

import ml_dtypes
import numpy as np

import poolnd.nn.functional as F

DTYPES = ["bool", "u1", "i1", "u2", "i2", "i4", "i8", "f2", ml_dtypes.bfloat16, "f4", "f8"]
SHAPES = [(2, 3, 1, 300), (2, 16, 9, 33), (1, 40, 7, 7), (1, 3, 64, 65)]
RULES: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": (1, 5), "stride": 1, "padding": (0, 2)},
    {"kernel_size": (1, 7), "stride": 3},
]


def digests() -> dict[str, str]:
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
                bits = b"".join(answer.tobytes() for answer in answers)
                name = f"{dtype} {shape} {rule}"
                found[name] = hashlib.sha256(bits).hexdigest()
    return found


if __name__ == "__main__":
    print(json.dumps(digests()))
