"""Values that nobody means: for sizes, for arrays, for anything."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np

from .layouts import LAYOUTS

Array = np.ndarray[Any, np.dtype[Any]]

INTEGERS: list[int] = [
    0, 1, 3, 5, -1, -2, 40, 65537, 2**31 - 1, 2**31, 2**32 + 1, 2**53 + 1, 2**61, 2**62 - 1, 2**62,
    2**63 - 2, 2**63 - 1, 2**63, 2**64, 10**30, -(2**31), -(2**62), -(2**63), -(2**63) - 1,
]  # fmt: skip
"""No result between megabytes, which are quick, and more than the memory limit allows."""

FLOATS: list[float] = [
    0.5, 2.0, -0.0, -1.5, 1e-310, 1e308, float("inf"), float("-inf"), float("nan"),
]  # fmt: skip


class Index:
    """A size by __index__ alone."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __index__(self) -> Any:
        return self.value


class Sizes(tuple[int, ...]):
    """A tuple that lies about its length."""

    __slots__ = ()

    def __len__(self) -> int:
        return 2**40


class Interface:
    """An array by an interface that says what cannot be."""

    def __init__(self, **changed: Any) -> None:
        interface = np.ones((1, 2, 4, 4)).__array_interface__
        self.__array_interface__ = {**interface, **changed}


class Bare:
    """A shape and a dtype, and no elements."""

    def __init__(self, shape: Any, dtype: Any = np.float64) -> None:
        self.shape = shape
        self.dtype = dtype


class Subclass(np.ndarray[Any, np.dtype[Any]]):
    """An array that changes what is asked of it."""

    @property
    def shape(self) -> Any:
        return (2**40,)

    def __getitem__(self, key: Any) -> Any:
        raise TypeError(f"no element {key}")

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        return np.zeros(3) if args or kwargs else None


def integers_in(ndim: int) -> Iterator[Any]:
    """Hostile sizes, alone, as indices, and in tuples of the right and of other lengths."""
    yield from INTEGERS
    for number in INTEGERS:
        yield (number,) * ndim
        yield [*(1,) * (ndim - 1), number]
    yield from (np.int8(-1), np.uint64(2**64 - 1), np.int64(2), np.array(2), np.array([2]))
    yield from (Index(2**63), Index(-1), Index("2"), Index(None), Sizes((2, 2)), Sizes(()))
    yield from ((), [], (2,) * 4, [2] * 100_000, ((2,),), (None,), (2, None), [[2]], (2, "2"))


def objects() -> Iterator[Any]:
    """What is neither a size nor an array."""
    endless: list[Any] = []
    endless.append(endless)
    nested: Any = 1.0
    for _ in range(70):
        nested = [nested]
    yield from (None, True, False, np.True_, Ellipsis, NotImplemented, object(), type, len)
    yield from (slice(2), range(2), {}, {1: 2}, {1, 2}, frozenset(), iter(()), (c for c in "ab"))
    yield from ("", "2", "same", "valid", "\0", "\ud800", "x" * 100_000, b"", b"2", bytearray(2))
    yield from (memoryview(b"ab"), 2j, Decimal(2), Fraction(1, 2), Decimal("NaN"), np.dtype("f4"))
    yield from (endless, nested, [1.0, [2.0]], [[], [1.0]], [None], [["a"]], [10**400], 10**400)
    yield from FLOATS
    yield from ((number,) for number in FLOATS)


def arrays_like(x: Array, ndim: int) -> Iterator[Any]:
    """The array in other memory, of other dtypes, of other shapes, and things that pass for it."""
    yield from laid_out(x, ndim)
    yield from of_dtypes(x)
    yield from of_shapes(x)
    yield from disguised(x)


def laid_out(x: Array, ndim: int) -> Iterator[Any]:
    """Hostile strides."""
    if x.ndim > ndim:
        yield from (layout(x, ndim) for layout in LAYOUTS.values())
    strided, step = np.lib.stride_tricks.as_strided, x.itemsize
    memory = np.arange(2.0 * x.size + 8).astype(x.dtype)
    yield strided(memory, x.shape, (step,) * x.ndim)
    yield strided(memory[x.size :], x.shape, (-step,) + (step,) * (x.ndim - 1))
    yield strided(memory, x.shape, (0,) * x.ndim)
    # Strides that are no multiple of the element's size: a field of records of odd size.
    records = np.zeros(x.shape, [("before", "u1"), ("value", x.dtype), ("after", "V2")])
    records["value"] = x
    yield records["value"]
    # More elements than memory has bytes, at one place.
    yield np.broadcast_to(x[:1], (2**40, *x.shape[1:]))


def of_dtypes(x: Array) -> Iterator[Any]:
    """Every kind of dtype, pooled or not."""
    for code in "?bBhHiIlLqQefdgFDGOSUVMm":
        dtype = {"S": "S3", "U": "U3", "V": "V5", "M": "M8[s]", "m": "m8[ns]"}.get(code, code)
        yield np.zeros(x.shape, dtype)
    for name in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4):
        yield np.ones(x.shape, name)
    yield np.zeros(x.shape, [("a", "f4"), ("b", "O")])
    yield np.zeros(x.shape, np.dtype((np.void, 0)))
    yield np.zeros(x.shape, ">f8")
    yield np.full(x.shape, np.nan)
    yield np.full(x.shape, -np.inf)
    for index in (-(2**63), -2, -1, 2**31, 2**32, 2**62, 2**63 - 1):
        yield np.full(x.shape, index)


def of_shapes(x: Array) -> Iterator[Any]:
    """0-d, empty, of more and fewer dimensions, up to NumPy's most."""
    for ndim in (0, 1, 2, 3, 4, 5, 6, 7, 32, 33, 64):
        if ndim <= MOST_DIMENSIONS:
            yield np.ones((1,) * ndim, x.dtype)
            yield np.ones((0,) * ndim, x.dtype)
    for axis in range(x.ndim):
        yield np.ones([0 if i == axis else n for i, n in enumerate(x.shape)], x.dtype)
        yield np.ones([1 if i == axis else n for i, n in enumerate(x.shape)], x.dtype)
        yield np.ones([n + 1 if i == axis else n for i, n in enumerate(x.shape)], x.dtype)
    # No elements, and as many along the other axes as fit.
    yield np.ones((0, 2**20, *x.shape[2:]), x.dtype)
    yield np.ones((2**31, 0, *x.shape[2:]), x.dtype)
    if x.ndim:
        yield np.ones((*x.shape[:-1], 0), x.dtype)
        yield x[0]
        yield x[np.newaxis]


def disguised(x: Array) -> Iterator[Any]:
    """Subclasses, masks, scalars, lists, and liars."""
    yield from (np.ma.masked_array(x, x > 1), np.ma.masked, np.matrix([[1.0, 2.0]]))
    yield from (x.view(np.recarray), x.view(Subclass), x.astype(">f8").view(Subclass))
    yield from (np.float64(1), np.int64(1), np.datetime64("now"), np.void(b"ab"), np.str_("a"))
    yield from (x.tolist(), memoryview(np.ascontiguousarray(x)), x.tobytes())
    yield from (Interface(data=None), Interface(shape=None), Interface(shape=(-1,)))
    yield from (Interface(typestr="<f3"), Interface(strides=(1,)), Interface(version=9))
    yield from (Bare(x.shape), Bare(()), Bare((2**62,) * 4), Bare(x.shape, "f8"), Bare(None))
    yield Bare((-1,) * x.ndim)
    yield Bare((1.5,) * x.ndim)
    yield Bare((1, 2) + (2**31,) * (x.ndim - 2))


MOST_DIMENSIONS = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32
