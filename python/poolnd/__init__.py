"""Pooling operators on NumPy arrays, with PyTorch's names and a Rust core.

``import poolnd.nn.functional as F`` has the functions (``F.max_pool2d``), ``from poolnd import
nn`` the layers (``nn.MaxPool2d``). Both take NumPy arrays, or anything NumPy can read as one,
and answer what PyTorch 2.13 answers. `poolnd.vjp` runs a function and returns the way back: the
gradient of its input for one of its output.
"""

from poolnd import nn
from poolnd._config import show_config
from poolnd._core import PoolError, build_info, get_num_threads, set_num_threads
from poolnd._vjp import vjp

__all__ = [
    "PoolError",
    "__version__",
    "get_num_threads",
    "nn",
    "set_num_threads",
    "show_config",
    "vjp",
]

__version__ = build_info()["version"]

del build_info
