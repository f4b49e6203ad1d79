"""Memory: a call needs its input, its output and little more; a refusal is an error, not an end."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from .memory_use import BYTES

ROOT = Path(__file__).resolve().parents[2]
PER_THREAD = 1 << 20
"""What docs/robustness.md promises: scratch of one thread, whatever the array."""
ALLOCATOR = 1 << 20
"""Pages that the allocator and the interpreter take meanwhile."""

LARGER = {
    # Sums that meet in an element are kept in f32 for a whole plane.
    "gradient of maxima: halves": 2 * BYTES + BYTES // 2,
    # Samples as f64: two for every 49 elements.
    "fractional: small planes": BYTES // 8,
}
"""Operators whose scratch grows with a plane or a row, by the names of memory_use.calls()."""

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="peaks and limits of memory are read from Linux's /proc"
)


@linux_only
@pytest.mark.parametrize("threads", [1, 4])
def test_peak_of_a_call(threads: int) -> None:
    """Input, output, and no more than the documented bound of scratch."""
    command = [sys.executable, "-m", "tests.python.memory_use", str(threads)]
    process = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    peaks = json.loads(process.stdout)
    assert len(peaks) > 80
    bound = ALLOCATOR + threads * PER_THREAD
    too_high = {
        name: f"{peak / 2**20:.1f} MiB"
        for name, peak in peaks.items()
        if peak > bound + LARGER.get(name, LARGER.get(name.split(":")[0], 0))
    }
    assert too_high == {}


BEGIN = """
import resource
import numpy as np
import poolnd
import poolnd.nn.functional as F
from poolnd.nn import grad as G

def allow(more):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))

def refused(call, error=MemoryError):
    try:
        call()
    except error:
        return
    raise SystemExit(f"no {error}")

def survives(call):
    try:
        call()
    except MemoryError:
        pass

x = np.ones((1, 1, 2048, 2048), np.float32)
want = F.max_pool2d(x, 2)
"""


def succeeds(script: str, threads: int) -> None:
    """Run a script that begins with BEGIN in a process of its own."""
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(script)]
    environment = {**os.environ, "POOLND_NUM_THREADS": str(threads), "RUST_BACKTRACE": "0"}
    process = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, f"{process.returncode}: {process.stderr}"


@linux_only
@pytest.mark.parametrize("threads", [1, 3])
def test_output_that_is_refused(threads: int) -> None:
    """MemoryError from every family; before, between and after, calls that fit work."""
    succeeds(
        """
        size = (2048, 2048)
        y, indices = F.max_pool2d(x, 2, return_indices=True)
        allow(4 << 20)
        for _ in range(3):
            refused(lambda: F.max_pool2d(x, 2, 1))
            refused(lambda: F.max_pool2d(x, 2, 1, return_indices=True))
            refused(lambda: F.avg_pool2d(x, 2, 1))
            refused(lambda: F.adaptive_avg_pool2d(x, 3000))
            refused(lambda: F.adaptive_max_pool2d(x, (2**40, 1)))
            refused(lambda: F.lp_pool2d(x, 2.0, 2, 1))
            refused(lambda: F.fractional_max_pool2d(x, 2, (2047, 2047)))
            refused(lambda: F.max_unpool2d(y, indices, 2))
            refused(lambda: G.avg_pool2d_backward(y, x, 2, 2, 0, False, True))
            refused(lambda: G.max_pool2d_with_indices_backward(y, x, 2, 2, 0, 1, False, indices))
            refused(lambda: G.adaptive_avg_pool2d_backward(y, x))
            assert (F.max_pool2d(x[..., :512, :512], 2) == 1).all()
        allow(1 << 30)
        assert np.array_equal(F.max_pool2d(x, 2), want)
        """,
        threads,
    )


@linux_only
def test_threads_that_are_refused() -> None:
    """Without room for the stacks of threads a call is done by its own, and by all later on."""
    succeeds(
        """
        import os
        poolnd.set_num_threads(64)
        allow(24 << 20)
        assert np.array_equal(F.max_pool2d(x, 2), want)
        allow(4 << 30)
        assert np.array_equal(F.max_pool2d(x, 2), want)
        assert len(os.listdir("/proc/self/task")) > 60
        """,
        2,
    )


@linux_only
@pytest.mark.parametrize(
    ("call", "output"),
    [
        ("G.max_pool2d_with_indices_backward(y, x, 3, 2, 1, 1, False, i)", 16),
        ("G.avg_pool2d_backward(y, x, 3, 2, 1, False, False)", 16),
        ("F.fractional_max_pool2d(x, 2, (1024, 1024))", 4),
        ("F.adaptive_avg_pool1d(row, 1)", 0),
        ("G.adaptive_avg_pool1d_backward(one, row)", 16),
    ],
)
def test_scratch_that_is_refused(call: str, output: int) -> None:
    """Room for the output, in MiB, and for little scratch: a result or MemoryError, no abort."""
    succeeds(
        f"""
        x = np.random.default_rng(2).normal(size=x.shape).astype(np.float32)
        want = F.max_pool2d(x, 2)
        y, i = F.max_pool2d(x, 3, 2, 1, return_indices=True)
        row, one = x.reshape(1, 1, -1), np.ones((1, 1, 1), np.float32)
        allow(({output} << 20) + (3 << 20))
        survives(lambda: {call})
        assert np.array_equal(F.max_pool2d(x[..., :64, :64], 2), want[..., :32, :32])
        """,
        1,
    )
