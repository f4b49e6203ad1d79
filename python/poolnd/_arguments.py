"""Reading arguments in Python, where something is worked out before the core is called."""

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from poolnd._core import PoolError
from poolnd._typing import Array


def as_array(op: str, name: str, value: Any) -> Array:
    """View or read `value` as an array of any dtype, without a copy where there is one."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{op}(): argument {name!r} must be a plain array, not a masked array: its mask would"
            " be lost (use .filled() first)"
        )
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    try:
        array: Array = np.asarray(value)
    except ValueError as error:  # a ragged list
        raise PoolError(f"{op}: argument {name!r} cannot be read as an array: {error}") from None
    return array


def shape_of(op: str, name: str, value: Any) -> tuple[int, ...]:
    """Shape of an array, or of anything that has one: its elements are not looked at."""
    return tuple(value.shape) if hasattr(value, "shape") else as_array(op, name, value).shape


def is_half(dtype: np.dtype[Any]) -> bool:
    """Whether it is float16 or bfloat16, of any byte order."""
    # bfloat16 is known by name: it belongs to ml_dtypes, which is optional.
    return (dtype.kind == "f" and dtype.itemsize == 2) or dtype.name == "bfloat16"


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether it is a floating point dtype that pooling has gradients for, of any byte order."""
    return is_half(dtype) or (dtype.kind == "f" and dtype.itemsize in (4, 8))


def sizes(op: str, ndim: int, name: str, value: object) -> tuple[int, ...]:
    """One integer for each of `ndim` axes, from one for all of them or a sequence."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if len(value) not in (1, ndim):
            raise PoolError(
                f"{op}: {name} must either be a single int, or a tuple of {ndim} ints, but got size"
                f" {len(value)}: {name}={value}"
            )
        numbers = tuple(integer(op, name, number) for number in value)
        return numbers if len(numbers) == ndim else numbers * ndim
    return (integer(op, name, value),) * ndim


def truth(op: str, name: str, value: object) -> bool:
    """Read anything that is true or false."""
    try:
        return bool(value)
    except ValueError:  # an array of several elements is neither
        raise TypeError(
            f"{op}(): argument {name!r} must be true or false, not {type(value).__name__}"
        ) from None


def number(op: str, name: str, value: Any) -> float:
    """Read a real number."""
    if not isinstance(value, str | bytes | bytearray | np.flexible) and hasattr(value, "__float__"):
        try:
            return float(value)
        except (TypeError, ValueError):  # an array of several elements, or a complex one
            pass
        except OverflowError as error:
            raise PoolError(f"{op}: {name}={value} is out of range: {error}") from None
    raise TypeError(f"{op}(): argument {name!r} must be a number, not {type(value).__name__}")


def integer(op: str, name: str, value: Any) -> int:
    """Read a Python or NumPy integer."""
    # index() takes a bool for 0 or 1; as a size it is a slip, and PyTorch refuses it.
    if not isinstance(value, bool | np.bool_):
        try:
            return index(value)
        except TypeError:
            pass
    raise TypeError(f"{op}: argument {name!r} must be made of integers, not {type(value).__name__}")
