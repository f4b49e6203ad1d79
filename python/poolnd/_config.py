"""What a bug report needs to know about an installation."""

import os
import platform
from importlib import metadata

import numpy as np

from poolnd._core import build_info


def show_config() -> None:
    """Print version, build, instruction sets, threads, and the versions around poolnd.

    Examples
    --------
    >>> import poolnd
    >>> poolnd.show_config()  # doctest: +ELLIPSIS
    poolnd            ...
    """
    build = build_info()
    rows = {
        "poolnd": build["version"],
        "build": f"{build['profile']}, {build['target']}",
        "instruction set": (
            f"{build['instruction_set']} (found: {', '.join(build['instruction_sets'])})"
        ),
        "threads": f"{build['threads']} (machine: {os.cpu_count()})",
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "NumPy": np.__version__,
        "ml_dtypes": _installed_version("ml_dtypes"),
        "platform": platform.platform(),
    }
    width = max(map(len, rows)) + 3
    print("\n".join(f"{name:{width}}{value}" for name, value in rows.items()))


def _installed_version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
