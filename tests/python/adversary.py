"""Run hostile calls in a process of their own: ``python -m tests.python.adversary SURFACE NOTES``.

A crash of the interpreter must fail a test and not end the run, so this is started by
test_adversarial.py. The file NOTES always names the call that is being made. What
is printed at the end is a report in JSON: calls by outcome, the slowest, and those that ended
in anything but a result, PoolError, TypeError or MemoryError, or not in time.
"""

import faulthandler
import itertools
import json
import os
import resource
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from poolnd import PoolError

from .hostile_values import arrays_like, integers_in, objects
from .public_calls import ARRAYS, SURFACES, Call

SECONDS = 1.0
HUNG_AFTER = 60
MEMORY = 3 << 30
"""Address space for results: some hostile sizes ask for more than any machine has."""

RANDOM_EXAMPLES = int(os.environ.get("POOLND_HOSTILE_EXAMPLES", "1000"))


class Watch:
    """Makes calls, and remembers how they ended."""

    def __init__(self, notes: Path) -> None:
        self.notes = notes.open("w")
        self.outcomes: Counter[str] = Counter()
        self.slowest = (0.0, "")
        self.failures: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def call(self, call: Call, changed: dict[str, Any]) -> None:
        """Call with some arguments changed."""
        label = f"{call.name}({', '.join(f'{k}={brief(v)}' for k, v in changed.items())})"
        self.notes.seek(0)
        self.notes.write(f"{label}\n")
        self.notes.flush()
        outcome, seconds = timed(call, changed)
        if seconds > SECONDS:
            # Once more: this machine may have been busy.
            outcome, again = timed(call, changed)
            seconds = min(seconds, again)
        self.outcomes[outcome.split(":", 1)[0]] += 1
        self.slowest = max(self.slowest, (seconds, label))
        if ":" in outcome:
            self.failures[call.name, outcome].append(label)
        if seconds > SECONDS:
            self.failures[call.name, "slow"].append(f"{label}: {seconds:.1f} s, {outcome}")

    def report(self) -> str:
        failures = [
            f"{labels[0]}: {outcome}, and {len(labels) - 1} more like it"
            for (_, outcome), labels in self.failures.items()
        ]
        return json.dumps(
            {"outcomes": self.outcomes, "slowest": self.slowest, "failures": failures}
        )


def timed(call: Call, changed: dict[str, Any]) -> tuple[str, float]:
    """Return how a call ended, with a colon if it should not have, and how long it took."""
    start = time.perf_counter()
    try:
        result = call.function(**{**call.arguments, **changed})
    except BaseException as error:  # a panic is no Exception
        return ended_in(error), time.perf_counter() - start
    seconds = time.perf_counter() - start
    parts = result if isinstance(result, tuple) else (result,)
    return (
        (f"no array: {parts!r}", seconds) if not all(map(is_array, parts)) else ("result", seconds)
    )


def is_array(value: Any) -> bool:
    return type(value) is np.ndarray or isinstance(value, np.generic)


def ended_in(error: BaseException) -> str:
    for expected in (PoolError, TypeError, MemoryError):
        if isinstance(error, expected):
            return expected.__name__
    return f"{type(error).__name__}: {error}"[:300]


def brief(value: Any) -> str:
    """Describe an argument in a line, whatever it is."""
    if isinstance(value, np.ndarray):
        shape = np.ndarray.__getattribute__(value, "__array_interface__")["shape"]
        return f"{type(value).__name__}[{str(shape)[:60]} {value.dtype!s:.40}, {value.strides}]"
    if isinstance(value, int) and abs(value) > 10**60:
        return "a huge int"
    return ascii(value)[:80]


def hostile(call: Call, name: str) -> Iterator[Any]:
    """Everything to try for a parameter."""
    yield from integers_in(max(call.ndim, 1))
    yield from objects()
    right = call.arguments[name]
    if name in ARRAYS or isinstance(right, np.ndarray):
        yield from arrays_like(right, call.ndim)
    else:
        yield from arrays_like(np.array([2, 2]), 1)


def alone(watch: Watch, calls: list[Call]) -> None:
    """Every hostile value for every parameter, the others as they should be."""
    for call in calls:
        faulthandler.dump_traceback_later(HUNG_AFTER, exit=True)
        right = timed(call, {})[0]
        assert right == "result", f"{call.name} with right arguments: {right}"
        for name in call.arguments:
            for value in hostile(call, name):
                watch.call(call, {name: value})


def together(watch: Watch, calls: list[Call]) -> None:
    """Several at once, as hypothesis picks them."""
    pools = {
        (call.name, name): list(itertools.filterfalse(is_iterator, hostile(call, name)))
        for call in calls
        for name in call.arguments
    }

    @settings(max_examples=RANDOM_EXAMPLES, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def try_some(data: st.DataObject) -> None:
        call = calls[data.draw(st.integers(0, len(calls) - 1))]
        every = sorted(call.arguments)
        fewest, most = min(2, len(every)), min(4, len(every))
        some = st.sets(st.sampled_from(every), min_size=fewest, max_size=most)
        names = data.draw(some)
        changed = {}
        for name in sorted(names):
            pool = pools[call.name, name]
            changed[name] = pool[data.draw(st.integers(0, len(pool) - 1))]
        faulthandler.dump_traceback_later(HUNG_AFTER, exit=True)
        watch.call(call, changed)

    try_some()


def is_iterator(value: Any) -> bool:
    """Whether a value can be used up."""
    return isinstance(value, Iterator)


def limit_memory() -> None:
    """Let the process have so much memory more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    faulthandler.enable()
    warnings.simplefilter("ignore")
    surface, notes = sys.argv[1:]
    watch, calls = Watch(Path(notes)), list(SURFACES[surface]())
    limit_memory()
    each: list[Callable[[Watch, list[Call]], None]] = [alone, together]
    for run in each:
        run(watch, calls)
    faulthandler.cancel_dump_traceback_later()
    print(watch.report())


if __name__ == "__main__":
    main()
