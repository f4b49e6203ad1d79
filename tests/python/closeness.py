"""How far an average may be from the exact one, and assertions that say where it is further."""

from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
INTEGERS = [np.dtype(f"{sign}{size}") for sign in "ui" for size in (1, 2, 4, 8)]
FLOATS = [np.dtype(np.float16), BFLOAT16, np.dtype(np.float32), np.dtype(np.float64)]
DTYPES = [np.dtype(bool), *INTEGERS, *FLOATS]

# Fraction bits, and exponent of the smallest subnormal.
FORMATS = {
    np.dtype(np.float16): (10, -24),
    BFLOAT16: (7, -133),
    np.dtype(np.float32): (23, -149),
    np.dtype(np.float64): (52, -1074),
}


def spacing(values: Array, dtype: np.dtype[Any]) -> Array:
    """Distance between neighbouring numbers of `dtype` around `values` (float64)."""
    bits, smallest = FORMATS[dtype]
    _, exponent = np.frexp(np.abs(values))
    return np.ldexp(1.0, np.maximum(np.where(values == 0, smallest, exponent - 1 - bits), smallest))


def magnitudes(x: Array) -> Array:
    """|x| in float64: their average is what the rounding errors of an average scale with."""
    return np.abs(x.astype(np.float64))


def allowed_error(exact: Array, dtype: np.dtype[Any], terms: int, mean_magnitude: Array) -> Array:
    """Largest error of an average of `terms` elements, elementwise.

    One ulp covers the last rounding (half an ulp) and the division before it. What
    the sum itself loses does not depend on the result but on the magnitude of the
    terms, because terms may cancel: each of the roundings that a term passes
    through costs one unit roundoff of the accumulator (Higham, Accuracy and
    Stability of Numerical Algorithms, 2002, section 4.2). Half types accumulate
    in float32, float32 as if in float64. Sums over long windows go by blocks and
    pairs, so a term passes through few roundings however many terms there are.
    """
    roundoff = 2.0**-24 if dtype.itemsize == 2 else 2.0**-53
    roundings = min(terms, 32)
    return spacing(exact, dtype) + roundings * roundoff * mean_magnitude


def assert_equal(got: Array, want: Array) -> None:
    """Same dtype, shape and values; NaN equals NaN and the sign of zero is not looked at."""
    assert isinstance(got, np.ndarray)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    if not same.all():
        raise AssertionError(difference(got, want, ~same))


def assert_close(got: Array, want: Array, terms: int, mean_magnitude: Array) -> None:
    """An average against the reference's; `mean_magnitude` is the average of magnitudes(input)."""
    if want.dtype.kind in "iu":
        assert_equal(got, want)
        return
    assert isinstance(got, np.ndarray)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    wide_got, wide_want = got.astype(np.float64), want.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.abs(wide_got - wide_want)
        allowed = allowed_error(wide_want, want.dtype, terms, np.abs(mean_magnitude))
        near = np.isfinite(wide_want) & (error <= allowed)
    same = (wide_got == wide_want) | (np.isnan(wide_got) & np.isnan(wide_want))
    if not (same | near).all():
        raise AssertionError(difference(got, want, ~(same | near)))


def assert_same_bits(got: Array, want: Array) -> None:
    """Same dtype, shape and bits in C order: signed zeros and NaN payloads included."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    unsigned = np.dtype(f"u{got.itemsize}")
    got_bits, want_bits = (np.ascontiguousarray(a).view(unsigned) for a in (got, want))
    wrong = got_bits.reshape(got.shape) != want_bits.reshape(want.shape)
    if wrong.any():
        raise AssertionError(difference(got, want, wrong))


def difference(got: Array, want: Array, wrong: Array) -> str:
    """How many values differ, and the first of them."""
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{int(wrong.sum())} of {wrong.size} values differ, first at {first}: "
        f"got {got[first]!r}, expected {want[first]!r}"
    )
