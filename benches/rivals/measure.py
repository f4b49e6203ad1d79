"""Rounds over the libraries, each in its own process: compared first, then timed in turn."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

import problem
import reference
from rows import Row


class Worker:
    """The process of one library."""

    def __init__(self, name: str) -> None:
        self.name = name
        script = str(Path(__file__).with_name("worker.py"))
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", script, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.greeting: dict[str, str] = {}

    def greet(self) -> None:
        """Wait until the library is imported, or could not be."""
        self.greeting = self.reply()

    def ask(self, verb: str, argument: object) -> dict:
        """Send one request and wait for its reply."""
        with suppress(BrokenPipeError):  # the reply will say that it ended
            print(json.dumps({verb: argument}), file=self.process.stdin, flush=True)
        return self.reply()

    def reply(self) -> dict:
        """Return the next reply; a library that crashes has none."""
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"failed": f"ended with status {self.process.wait()}"}

    def close(self) -> None:
        """End the process by ending its input."""
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Result:
    """What one row gave: the seconds of every round, and why a library has none."""

    row: Row
    seconds: dict[str, list[float]] = field(default_factory=dict)
    lacks: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    def milliseconds(self, library: str) -> float:
        """The median time of one call."""
        return median(self.seconds[library]) * 1e3

    def ratio(self, library: str, base: str) -> float | None:
        """How many times as long as `base` it takes: the median of the ratios of each round."""
        if library not in self.seconds or base not in self.seconds:
            return None
        pairs = zip(self.seconds[library], self.seconds[base], strict=True)
        return median(time / other for time, other in pairs)


class Bench:
    """The workers of all libraries that could be started."""

    def __init__(self, libraries: Iterable[str]) -> None:
        workers = [Worker(name) for name in libraries]
        for worker in workers:
            worker.greet()
        self.workers = {w.name: w for w in workers if "version" in w.greeting}
        self.versions = {name: w.greeting["version"] for name, w in self.workers.items()}
        self.missing = {
            w.name: w.greeting.get("missing") or w.greeting["failed"]
            for w in workers
            if w.name not in self.workers
        }

    def measure(self, row: Row, rounds: int, seconds: float, tick: Callable[[str], None]) -> Result:
        """Compare the libraries on `row`, then time them in alternating rounds."""
        result = Result(row)
        base, *others = self.workers.values()
        if not self.prepare(base, result):
            return result  # without it there are no ratios
        ready = [base, *(w for w in others if self.prepare(w, result))]
        self.compare(ready, result)
        turns = [w for w in ready if w.name not in result.wrong]
        result.seconds = {w.name: [] for w in turns}
        for step in range(rounds):
            # Every other round goes backwards, so that no library always follows the same one.
            for worker in turns if step % 2 == 0 else reversed(turns):
                tick(worker.name)
                self.turn(worker, seconds, result)
        return result

    def turn(self, worker: Worker, seconds: float, result: Result) -> None:
        """Time a library once; one that crashes here loses its figures for this row."""
        if worker.name in result.lacks:
            return
        reply = worker.ask("time", seconds)
        if "seconds" in reply:
            result.seconds[worker.name].append(reply["seconds"])
        else:
            result.lacks[worker.name] = reply["failed"]
            del result.seconds[worker.name]

    def prepare(self, worker: Worker, result: Result) -> bool:
        """Pose the row to a library; a process that died is started again for the next row."""
        reply = worker.ask("prepare", asdict(result.row))
        if reply:
            result.lacks[worker.name] = reply.get("unsupported") or reply["failed"]
        if worker.process.poll() is not None:
            self.workers[worker.name] = Worker(worker.name)
            self.workers[worker.name].greet()
        return not reply

    def compare(self, workers: list[Worker], result: Result) -> None:
        """Note who is wrong: everyone against the reference, and the others against the first."""
        posed = problem.make(result.row)
        truth = reference.Reference(posed)
        agreed: list[np.ndarray] | None = None
        for worker in workers:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "answer.npz"
                worker.ask("answer", str(path))
                with np.load(path) as arrays:
                    answers = list(arrays.values())
            if not answers:
                continue
            difference = truth.difference(answers)
            if difference is None and agreed is not None:
                difference = reference.compare(posed, answers, agreed)
            if difference:
                result.wrong[worker.name] = difference
            elif agreed is None:
                agreed = answers

    def close(self) -> None:
        """End every process."""
        for worker in self.workers.values():
            worker.close()
