"""Forks, worker processes, Python threads, signals, and the number of threads.

Whatever could hang runs in a process of its own, which is given a time.
"""

import hashlib
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

import poolnd
import poolnd.nn.functional as F

Array = np.ndarray[Any, np.dtype[Any]]
SECONDS = 60
"""Far more than any of these takes; a hang would last for ever."""

ROUNDS = 12

START_METHODS = multiprocessing.get_all_start_methods()
forks = pytest.mark.skipif("fork" not in START_METHODS, reason="this system cannot fork")

LARGE = """
import math, os, signal, sys, threading, time
import numpy as np
import poolnd
import poolnd.nn.functional as F

x = np.random.default_rng(3).normal(size=(1, 1, 700, 700))  # large enough for all threads

def check(want=x[..., :699, :699].reshape(1, 1, 233, 3, 233, 3).max((3, 5))):
    assert np.array_equal(F.max_pool2d(x, 3), want)

def ends_well(child):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert status == 0, f"the child ended with {status}"
            return
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    raise SystemExit("the child hung")
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script that begins with LARGE."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", LARGE + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "POOLND_NUM_THREADS": "4", "RUST_BACKTRACE": "0", **environment},
    )


def succeeds(script: str, **environment: str) -> None:
    done = run(script, **environment)
    assert done.returncode == 0, done.stderr


@forks
def test_fork_with_live_worker_threads() -> None:
    """A child, its child, and the parent pool on, each with threads of its own."""
    succeeds(
        """
        check()
        assert len(os.listdir("/proc/self/task")) > 4 if os.path.exists("/proc") else True
        child = os.fork()
        if child == 0:
            check()
            grandchild = os.fork()
            if grandchild == 0:
                check()
                sys.exit()
            ends_well(grandchild)
            poolnd.set_num_threads(2)
            check()
            sys.exit()
        ends_well(child)
        check()
        """
    )


@forks
def test_fork_while_other_threads_pool() -> None:
    """Whatever lock a thread holds at the moment of a fork, the child does not wait for it."""
    succeeds(
        """
        done = threading.Event()

        def pool_on(numbers=(2, 3)):
            while not done.is_set():
                for number in numbers:
                    poolnd.set_num_threads(number)  # starts threads anew each time
                    check()

        threads = [threading.Thread(target=pool_on, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            child = os.fork()
            if child == 0:
                check()
                os._exit(0)
            ends_well(child)
        done.set()
        """
    )


@pytest.mark.parametrize("method", START_METHODS)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_worker_processes(method: str) -> None:
    x = np.random.default_rng(5).normal(size=(1, 1, 700, 700))
    want = F.max_pool2d(x, 3)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        for answer in executor.map(F.max_pool2d, [x] * 4, [3] * 4, timeout=SECONDS):
            np.testing.assert_array_equal(answer, want)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = poolnd.get_num_threads()
    poolnd.set_num_threads(1)
    yield
    poolnd.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_python_goes_on_during_a_call() -> None:
    """The interpreter is not held: another thread runs between the start and the end of a call."""
    x = np.random.default_rng(6).normal(size=(4, 16, 256, 256)).astype(np.float32)
    span: list[float] = []

    def work() -> None:
        span.append(time.perf_counter())
        F.lp_pool2d(x, 3.5, 5, 1)
        span.append(time.perf_counter())

    thread = threading.Thread(target=work)
    thread.start()
    ticks = []
    while thread.is_alive():
        ticks.append(time.perf_counter())
    start, end = span
    middle = [tick for tick in ticks if start + 0.2 * (end - start) < tick < end]
    assert len(middle) > 100, f"{len(middle)} of {len(ticks)} in a call of {end - start:.3f} s"


def slowdown(work: Callable[[], object]) -> float:
    """How much longer two Python threads take to do some work each than one."""

    def seconds(at_once: int) -> float:
        threads = [threading.Thread(target=work) for _ in range(at_once)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    return seconds(2) / seconds(1)


@pytest.mark.skipif(cores() < 2, reason="one core: two threads take turns there")
@pytest.mark.usefixtures("one_thread")
def test_python_threads_pool_at_the_same_time() -> None:
    """With one thread each, two take about as long as one.

    Other processes may use the second core meanwhile: what two threads of the standard library,
    which let go of the interpreter, do in alternation says how much of it is free.
    """
    x = np.random.default_rng(6).normal(size=(4, 16, 128, 128)).astype(np.float32)
    memory = x.tobytes()
    pooled, hashed = [], []
    for _ in range(ROUNDS):
        pooled.append(slowdown(lambda: [F.lp_pool2d(x, 3.0, 3) for _ in range(5)]))
        hashed.append(slowdown(lambda: [hashlib.sha256(memory) for _ in range(10)]))
        if min(pooled) < 1.6:
            return
    assert min(pooled) < 1.2 * min(hashed), (pooled, hashed)


@pytest.mark.parametrize(("value", "threads"), [("1", 1), ("3", 3), (" 7 ", 7), ("1024", 1024)])
def test_number_of_threads_in_the_environment(value: str, threads: int) -> None:
    succeeds(f"assert poolnd.get_num_threads() == {threads}", POOLND_NUM_THREADS=value)


@pytest.mark.parametrize("value", ["0", "-1", "1025", "two", "2.0", "1e3", "9" * 40, "\u0662", " "])
def test_no_number_of_threads_in_the_environment(value: str) -> None:
    """Named in a warning, and one thread per core is used."""
    done = run(
        "check(); print(poolnd.get_num_threads())",
        POOLND_NUM_THREADS=value,
        PYTHONWARNINGS="default",
    )
    assert done.returncode == 0, done.stderr
    assert "RuntimeWarning: POOLND_NUM_THREADS must be an integer from 1 to 1024" in done.stderr
    assert int(done.stdout) == cores()


def test_an_empty_number_of_threads_is_none() -> None:
    done = run("print(poolnd.get_num_threads())", POOLND_NUM_THREADS="")
    assert (done.returncode, done.stderr, int(done.stdout)) == (0, "", cores())


def test_interrupt_during_a_long_call() -> None:
    """Ctrl-C during a call raises KeyboardInterrupt when the call is done."""
    done = run(
        """
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        y = np.ones((1, 2, 500, 500), np.float16)
        whole = math.inf
        for _ in range(3):
            start = time.perf_counter()
            F.lp_pool2d(y, 2.5, 31, 1)
            whole = min(whole, time.perf_counter() - start)
        for _ in range(3):
            # Half-way through, from a thread of the system's, not of Python's.
            signal.setitimer(signal.ITIMER_REAL, whole / 2)
            try:
                F.lp_pool2d(y, 2.5, 31, 1)
                for _ in range(1000):
                    pass
            except KeyboardInterrupt:
                continue
            raise SystemExit("the interrupt was lost")
        print("interrupted")
        """
    )
    assert done.stdout == "interrupted\n", done.stderr


def test_no_threads_before_they_are_needed() -> None:
    """Neither importing poolnd nor a small call starts any."""
    succeeds(
        """
        named = lambda: [t for t in os.listdir("/proc/self/task")
                         if open(f"/proc/self/task/{t}/comm").read().startswith("poolnd")]
        F.max_pool2d(x[..., :32, :32], 2)
        assert not named() if os.path.exists("/proc/self/task") else True
        """
    )
