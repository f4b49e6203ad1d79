"""What a bug report needs to know about an installation."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

from poolnd._core import build_info


def show_config() -> None:
    """Print what a bug report needs: the build, the processor, threads, and the versions around.

    Examples
    --------
    >>> import poolnd
    >>> poolnd.show_config()  # doctest: +ELLIPSIS
    poolnd            ...
    """
    rows = _rows()
    width = max(map(len, rows)) + 3
    print("\n".join(f"{name:{width}}{value}" for name, value in rows.items()))


def _rows() -> dict[str, str]:
    build = build_info()
    found = ", ".join(build["instruction_sets"])
    return {
        "poolnd": build["version"],
        "build": f"{build['profile']}, {build['target']}",
        "processor": f"{_processor()} ({os.cpu_count()} cores, {build['cores']} to use)",
        "instruction set": f"{build['instruction_set']} (found: {found})",
        "threads": f"{build['threads']} ({build['threads_from']})",
        "kept memory": f"up to {build['kept_mib']} MiB of large results",
        "environment": _environment(),
        "Python": f"{platform.python_version()} ({_interpreter()})",
        "NumPy": np.__version__,
        "ml_dtypes": _installed_version("ml_dtypes"),
        "platform": platform.platform(),
    }


def _processor() -> str:
    """The processor's name where the system tells it, else what kind it is."""
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        info = ""
    lines = (line.partition(":") for line in info.splitlines())
    names = (value.strip() for name, _, value in lines if name.strip() == "model name")
    return next(names, "") or platform.processor() or platform.machine() or "unknown"


def _environment() -> str:
    """The variables that poolnd reads, as they are now."""
    names = ("POOLND_INSTRUCTION_SET", "POOLND_KEPT_MIB", "POOLND_NUM_THREADS")
    found = [f"{name}={os.environ[name]!r}" for name in names if name in os.environ]
    return ", ".join(found) or f"none of {', '.join(names)}"


def _interpreter() -> str:
    name = platform.python_implementation()
    with_gil = getattr(sys, "_is_gil_enabled", None)
    return name if with_gil is None or with_gil() else f"{name}, without the GIL"


def _installed_version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
