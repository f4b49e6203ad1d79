"""``show_config`` prints what a bug report needs, as it is and not as it was asked for."""

import os
import platform
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import poolnd
from poolnd import _config
from poolnd._core import build_info

LABELS = [
    "poolnd",
    "build",
    "processor",
    "instruction set",
    "threads",
    "kept memory",
    "environment",
    "Python",
    "NumPy",
    "ml_dtypes",
    "platform",
]


def rows(printed: str) -> dict[str, str]:
    width = printed.index(poolnd.__version__)
    lines = printed.splitlines()
    return {line[:width].strip(): line[width:] for line in lines}


def rows_of_a_process(before: str = "pass", **environment: str) -> dict[str, str]:
    """What a process of its own prints, with only these of poolnd's variables set."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("POOLND_")}
    child = subprocess.run(
        [sys.executable, "-c", f"import poolnd; {before}; poolnd.show_config()"],
        env={**others, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return rows(child.stdout)


def test_every_row_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert poolnd.show_config() is None
    found = rows(capsys.readouterr().out)
    assert list(found) == LABELS
    assert all(value.strip() for value in found.values())


def test_versions_are_those_of_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    poolnd.show_config()
    found = rows(capsys.readouterr().out)
    assert found["poolnd"] == poolnd.__version__
    assert found["NumPy"] == np.__version__
    assert found["ml_dtypes"] == ml_dtypes.__version__
    assert found["Python"].startswith(f"{platform.python_version()} (CPython")
    assert found["platform"] == platform.platform()


def test_the_build_says_how_and_for_what() -> None:
    found = rows_of_a_process()["build"]
    profile, target = found.split(", ")
    assert profile in {"release", "debug"}
    assert target.split("-")[0] in {"x86_64", "aarch64"}


def test_threads_say_where_they_come_from() -> None:
    cores = build_info()["cores"]
    assert rows_of_a_process()["threads"] == f"{cores} (one per core)"
    assert rows_of_a_process(POOLND_NUM_THREADS="3")["threads"] == "3 (POOLND_NUM_THREADS)"
    asked = rows_of_a_process("poolnd.set_num_threads(5)", POOLND_NUM_THREADS="3")
    assert asked["threads"] == "5 (set_num_threads)"


@pytest.mark.parametrize("value", ["0", "-2", "many", "1.5", ""])
def test_an_odd_number_of_threads_is_seen_but_not_used(value: str) -> None:
    found = rows_of_a_process(POOLND_NUM_THREADS=value)
    assert found["threads"].endswith("(one per core)")
    assert found["environment"] == f"POOLND_NUM_THREADS={value!r}"


def test_instruction_sets_found_and_used() -> None:
    sets = build_info()["instruction_sets"]
    free = rows_of_a_process()
    assert free["instruction set"] == f"{sets[-1]} (found: {', '.join(sets)})"
    assert free["environment"] == (
        "none of POOLND_INSTRUCTION_SET, POOLND_KEPT_MIB, POOLND_NUM_THREADS"
    )
    for name in sets:
        forced = rows_of_a_process(POOLND_INSTRUCTION_SET=name)
        assert forced["instruction set"] == f"{name} (found: {', '.join(sets)})"
        assert forced["environment"] == f"POOLND_INSTRUCTION_SET={name!r}"


def test_an_unknown_instruction_set_is_seen_but_not_used() -> None:
    found = rows_of_a_process(POOLND_INSTRUCTION_SET="mmx")
    assert found["instruction set"] == rows_of_a_process()["instruction set"]
    assert found["environment"] == "POOLND_INSTRUCTION_SET='mmx'"


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _config._installed_version("no-such-distribution") == "not installed"
    monkeypatch.setattr(_config.Path, "read_text", lambda *_, **__: "no colon\nmodel name\t: Six\n")
    assert _config._processor() == "Six"
    monkeypatch.setattr(_config.Path, "read_text", lambda *_, **__: "")
    assert _config._processor() in {platform.processor(), platform.machine()}
