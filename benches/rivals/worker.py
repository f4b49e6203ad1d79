"""A library in a process of its own: one JSON request a line in, one JSON reply a line out.

``{"prepare": row}`` makes the arrays of a row and pools once; ``{"answer": path}`` saves what came
out; ``{"time": seconds}`` replies with the seconds of one call, from calls that take about that
long together.
"""

import gc
import importlib
import json
import os
import sys
import time
import timeit
from pathlib import Path
from typing import Any

import numpy as np

import problem
from adapters import Unsupported
from rows import Row

# Threads that a library keeps spinning after a call help it in its turn, so no environment variable
# (OMP_WAIT_POLICY, KMP_BLOCKTIME, ...) forbids it; but they must not take the cores from the next
# library. A turn therefore ends when this process has come to rest: less than a hundredth of a core
# over one look.
LOOK = 0.01
REST = 0.0001
PATIENCE = 2.0


def come_to_rest() -> None:
    """Return when no thread of this process is running any more."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        before = time.process_time()
        time.sleep(LOOK)
        if time.process_time() - before < REST:
            return


class Library:
    """One adapter, and the problem that it is working on."""

    def __init__(self, name: str) -> None:
        self.adapter = importlib.import_module(f"adapters.{name}")

    def prepare(self, row: dict[str, Any]) -> dict[str, object]:
        """Make the arrays of a row and pool it once."""
        self.problem = self.call = self.result = None
        gc.collect()
        self.problem = problem.make(Row.from_json(row))
        try:
            self.call = self.adapter.build(self.problem)
            self.result = self.call()
        except Unsupported as error:
            return {"unsupported": str(error)}
        except Exception as error:  # whatever a library raises, the others go on
            first, *_ = f"{type(error).__name__}: {error}".splitlines()
            return {"failed": first[:80]}
        return {}

    def answer(self, path: str) -> dict[str, object]:
        """Save the arrays of the first call; bfloat16 as f32, which NumPy can load."""
        arrays = [np.asarray(array) for array in self.adapter.answer(self.problem, self.result)]
        np.savez(path, *(a.astype(np.float32) if a.dtype.kind == "V" else a for a in arrays))
        self.result = None
        return {}

    def time(self, seconds: float) -> dict[str, object]:
        """Time one call: the median of five batches, or of fewer where a call takes long."""
        timer = timeit.Timer(self.call)
        once = timer.timeit(1)  # also brings arrays and threads back after the others' turns
        if once < seconds:
            once = timer.timeit(1)
        calls = max(int(seconds / 5 / once), 1)
        batches = min(max(int(seconds / once), 1), 5)
        return {"seconds": float(np.median(timer.repeat(batches, calls))) / calls}


def main(name: str) -> None:
    """Serve requests until the input ends."""
    # Replies go to the real standard output; what libraries print goes to standard error.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(content: dict[str, object]) -> None:
        print(json.dumps(content), file=replies, flush=True)

    try:
        library = Library(name)
    except Exception as error:  # a broken installation raises anything
        reply({"missing": f"{type(error).__name__}: {error}".splitlines()[0]})
        return
    reply({"version": library.adapter.VERSION})
    for line in sys.stdin:
        ((verb, argument),) = json.loads(line).items()
        content = getattr(library, verb)(argument)
        come_to_rest()
        reply(content)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(sys.argv[1])
