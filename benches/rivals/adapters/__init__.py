"""One module per library, named like its package.

Each has ``VERSION``; ``build(problem)``, which returns a call without arguments that pools the
problem's array once; and ``answer(problem, result)``, which turns what that call returned into a
list of NumPy arrays laid out (N, C, *spatial). Conversions into the library's own arrays belong
into ``build``: only pooling is timed. Every library keeps its default of one thread per core.
"""


class Unsupported(Exception):
    """The library has no way to pose this problem; the message says what it lacks."""


def require(condition: bool, lack: str) -> None:
    """Raise Unsupported unless `condition` holds."""
    if not condition:
        raise Unsupported(lack)
