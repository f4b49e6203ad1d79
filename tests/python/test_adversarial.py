"""Every public function with everything that it should not be given: see adversary.py.

The calls are made in a process per part of the public surface, so that a crash is a failure with
the name of the call, and not the end of the run. The counts are in the summary of the run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import HOSTILE
from .public_calls import SURFACES

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 10

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="/proc and RLIMIT_AS, which bound the memory, are Linux's"
)


@linux_only
@pytest.mark.parametrize("surface", SURFACES)
def test_hostile_calls(surface: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Each ends within a second in a result, PoolError, TypeError or MemoryError."""
    notes = tmp_path / "notes"
    command = [sys.executable, "-m", "tests.python.adversary", surface, str(notes)]
    process = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "RUST_BACKTRACE": "0"}, timeout=MINUTES * 60,
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    last = notes.read_text().splitlines()[:1] if notes.exists() else ["none"]
    died = f"exit status {process.returncode}; last call: {last}\n{process.stderr[-4000:]}"
    assert process.returncode == 0, died
    report = json.loads(process.stdout.splitlines()[-1])
    outcomes, (seconds, slowest) = report["outcomes"], report["slowest"]
    lines = pytestconfig.stash.setdefault(HOSTILE, [])
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    lines.append(
        f"hostile calls of {surface}: {sum(outcomes.values())} tried: {counts};"
        f" slowest {seconds:.2f} s: {slowest[:100]}"
    )
    assert report["failures"] == []
    assert set(outcomes) == {"result", "PoolError", "TypeError", "MemoryError"}
