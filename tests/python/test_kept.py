"""The memory of large results, which is kept for the next one."""

import os
import subprocess
import sys
import textwrap

import pytest

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere NumPy's memory is used")

BEGIN = """
import os
import threading
import numpy as np
import poolnd
import poolnd.nn.functional as F

def name(array):
    try:
        from numpy._core.multiarray import get_handler_name
    except ImportError:
        from numpy.core.multiarray import get_handler_name
    return get_handler_name(array)

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

MIB = 1 << 20
x = np.random.default_rng(0).standard_normal((3, 2048, 2048), np.float32)
pairs, indices = F.max_pool2d(x, 2, return_indices=True)
"""


def succeeds(script: str, **environment: str) -> None:
    """Run a script that begins with BEGIN in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(script)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"


@linux_only
def test_the_next_large_result_has_the_memory_of_the_last() -> None:
    succeeds(
        """
        first = F.max_pool2d(x, 3, 1, 1)
        at, want = first.ctypes.data, first.copy()
        assert name(first) == "poolnd" and first.flags.owndata and first.flags.aligned
        del first
        again = F.max_pool2d(x, 3, 1, 1)
        assert again.ctypes.data == at and np.array_equal(again, want)
        other = F.max_pool2d(x, 3, 1, 1)
        assert other.ctypes.data != at and np.array_equal(other, want)
        again[:] = -1
        assert np.array_equal(other, want)
        assert name(pairs) == name(np.empty(9)) == "default_allocator"
        """
    )


@linux_only
def test_results_of_zeros_in_memory_that_was_written() -> None:
    succeeds(
        """
        want = np.zeros_like(x)
        np.put_along_axis(want.reshape(3, -1), indices.reshape(3, -1), pairs.reshape(3, -1), 1)
        for _ in range(4):
            result = F.max_unpool2d(pairs, indices, 2)
            assert name(result) == "poolnd" and np.array_equal(result, want)
            result[:] = 7
            del result
        """
    )


@linux_only
def test_what_is_kept_has_a_limit() -> None:
    script = """
        before = resident()
        results = [F.max_pool2d(x, 3, 1, 1) for _ in range(4)]
        assert resident() - before > 190 * MIB
        results.clear()
        kept = resident() - before
        assert {low} * MIB < kept < {high} * MIB, kept / MIB
    """
    succeeds(script.format(low=180, high=210))
    succeeds(script.format(low=90, high=110), POOLND_KEPT_MIB="100")
    succeeds(script.format(low=-9, high=9), POOLND_KEPT_MIB="0")
    succeeds("assert name(F.max_pool2d(x, 3, 1, 1)) == 'default_allocator'", POOLND_KEPT_MIB="0")


@linux_only
def test_what_is_kept_makes_room_for_a_larger_result() -> None:
    succeeds(
        """
        import resource
        large = x.astype("f8")
        want = F.max_pool2d(large, 3, 1, 1).sum()
        results = [F.max_pool2d(x, 3, 1, 1) for _ in range(4)]
        results.clear()
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 20 * MIB, resource.RLIM_INFINITY))
        assert F.max_pool2d(large, 3, 1, 1).sum() == want
        """
    )


@linux_only
def test_arrays_that_are_resized_and_that_outlive_their_names() -> None:
    succeeds(
        """
        result = F.max_pool2d(x, 3, 1, 1)
        want = result.ravel().copy()
        result.resize(want.size + 9_000_000, refcheck=False)
        assert np.array_equal(result[:want.size], want) and not result[want.size:].any()
        result.resize(5, refcheck=False)
        assert np.array_equal(result, want[:5])
        del result
        row = F.max_pool2d(x, 3, 1, 1)[1, 7]
        F.max_pool2d(-x, 3, 1, 1)
        assert np.array_equal(row, want.reshape(x.shape)[1, 7])
        """
    )


@linux_only
def test_threads_and_children_share_nothing() -> None:
    succeeds(
        """
        want = [F.max_pool2d(x * sign, 3, 1, 1).copy() for sign in (1, -1)]
        right = []
        def work(i):
            for _ in range(5):
                result = F.max_pool2d(x * (-1) ** i, 3, 1, 1)
                right.append(np.array_equal(result, want[i % 2]))
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert right == [True] * 20
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(F.max_pool2d(x, 3, 1, 1), want[0]) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert np.array_equal(F.max_pool2d(-x, 3, 1, 1), want[1])
        """
    )


@linux_only
@pytest.mark.parametrize("value", ["-1", "many", "1.5", "1048577"])
def test_no_number_in_the_environment(value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", "import poolnd; poolnd.show_config()"],
        env={**os.environ, "POOLND_KEPT_MIB": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "RuntimeWarning: POOLND_KEPT_MIB must be an integer from 0 to 1048576" in done.stderr
    assert "up to 256 MiB of large results" in done.stdout
