"""What PyTorch answered, recorded: poolnd must answer the same.

Cases come from the directory that POOLND_CONFORMANCE names, else from a recording
beside the checkout, else from the sample in tests/data.
"""

import importlib.util
import os
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import poolnd

from .conftest import NOT_RUN

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data" / "conformance"

NOT_YET: set[str] = set()
"""Recorded, but not yet in poolnd. A name leaves this list with the change that adds it."""


def directory() -> Path:
    named = os.environ.get("POOLND_CONFORMANCE")
    beside = ROOT.parent / "shared" / "conformance"
    if named:
        return Path(named)
    return beside if beside.is_dir() else SAMPLE


def load_runner(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("conformance", path / "conformance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DIRECTORY = directory()
conformance = load_runner(DIRECTORY)


def needs(case: Any) -> set[str]:
    """Names that a case looks up in the package."""
    return {case.function, "vjp"} if case.kind == "grad" else {case.function}


def group_cases(path: Path) -> dict[str, list[Any]]:
    """Cases by set and function, because thousands of single tests take longer than the cases."""
    groups = defaultdict(list)
    for name in conformance.set_names(path):
        for case in conformance.read_set(name, path):
            groups[f"{name}-{case.function.rpartition('.')[-1]}"].append(case)
    return groups


def runnable(groups: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        name: cases for name, cases in groups.items() if not any(needs(c) & NOT_YET for c in cases)
    }


GROUPS = group_cases(DIRECTORY)
RUNNABLE = runnable(GROUPS)


@pytest.mark.parametrize("name", RUNNABLE)
def test_recorded(name: str) -> None:
    check_all(RUNNABLE[name])


def test_sample() -> None:
    """The sample passes also where the full recording is at hand."""
    check_all([case for cases in runnable(group_cases(SAMPLE)).values() for case in cases])


def check_all(cases: list[Any]) -> None:
    failures = [line for case in cases if (line := failure(case))]
    if failures:
        summary = f"{len(failures)} of {len(cases)} failed"
        pytest.fail("\n".join([summary, *failures]), pytrace=False)


def failure(case: Any) -> str | None:
    """How a case failed, in a line; None if it passed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            conformance.check(case, poolnd)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return f"{case}: {case.describe()}\n    {type(error).__name__}: {error}"
    return None


def exists(name: str) -> bool:
    try:
        conformance.lookup(poolnd, name)
    except conformance.Missing:
        return False
    return True


def test_missing_functions_are_those_named(pytestconfig: pytest.Config) -> None:
    recorded = {name for cases in GROUPS.values() for case in cases for name in needs(case)}
    missing = {name for name in recorded if not exists(name)}
    assert missing - NOT_YET == set(), "gone, or never written: neither in poolnd nor in NOT_YET"
    assert NOT_YET & recorded - missing == set(), "written: take it out of NOT_YET"
    not_run = Counter(
        name for cases in GROUPS.values() for case in cases for name in needs(case) & NOT_YET
    )
    lines = [f"  {name}: {count}" for name, count in sorted(not_run.items())]
    if lines:
        pytestconfig.stash[NOT_RUN] = ["recorded cases of what poolnd does not have yet:", *lines]
