"""Hypothesis profiles, and lines of the summary: what could not run, and what was tried."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Windows over arrays take long to generate at times; that says nothing about poolnd.
settings.register_profile(
    "dev", deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "ci", settings.get_profile("dev"), derandomize=True, database=None, print_blob=True
)
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

NOT_RUN = pytest.StashKey[list[str]]()
HOSTILE = pytest.StashKey[list[str]]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the functions whose recorded cases could not run, which have not passed; count calls."""
    for line in [*config.stash.get(NOT_RUN, []), *config.stash.get(HOSTILE, [])]:
        terminalreporter.write_line(line)
