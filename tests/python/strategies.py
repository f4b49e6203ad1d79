"""Hypothesis strategies: arrays of every dtype and layout, and valid arguments for them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from . import irregular, reference
from .layouts import LAYOUTS

Array = np.ndarray[Any, np.dtype[Any]]
Draw = st.DrawFn

# The longest axis that plain loops get through quickly, by number of pooled axes.
LONGEST = {1: 40, 2: 9, 3: 5}


@dataclass(frozen=True)
class Problem:
    """An input and the arguments of one call; `values` are the input's in C order."""

    x: Array
    layout: str
    arguments: dict[str, Any]

    @property
    def values(self) -> Array:
        """The reference's input: same values, native byte order, fresh memory."""
        return np.array(self.x, dtype=self.x.dtype.newbyteorder("="), order="C")


def fill(kind: str, shape: tuple[int, ...], dtype: np.dtype[Any], seed: int) -> Array:
    """Random values of a kind: what matters to a maximum or an average differs between them."""
    generator = np.random.default_rng(seed)
    if dtype.kind == "b":
        chance = {"equal": 0.0, "extreme": 0.05}.get(kind, 0.5)
        return generator.random(shape) < chance
    if dtype.kind in "iu":
        return fill_integers(kind, shape, dtype, generator)
    special = {
        "wide": None,
        "ties": [-1.0, -0.0, 0.0, 1.0],
        "equal": [float(np.float16(generator.normal()))],
        "extreme": [-math.inf],
        "nan": [math.nan, -1.0, 0.0, 1.0, 2.0, 3.0],
        "infinite": [math.inf, -math.inf, 0.0, 1.0, -1.0, 2.0],
        "rare": [-math.inf] * 8 + [math.nan, math.inf, 0.0],
    }[kind]
    wide = generator.normal(size=shape) * 2.0 ** generator.integers(-6, 7, size=shape)
    return (wide if special is None else generator.choice(special, shape)).astype(dtype)


def fill_integers(
    kind: str, shape: tuple[int, ...], dtype: np.dtype[Any], generator: np.random.Generator
) -> Array:
    limits = np.iinfo(dtype)
    if kind == "equal":
        return np.full(shape, generator.integers(limits.min, limits.max, dtype=dtype), dtype)
    if kind == "extreme":
        return np.full(shape, limits.min, dtype)
    if kind == "ties":
        return generator.integers(0, 4, shape).astype(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


KINDS = ("wide", "ties", "equal", "extreme", "nan", "infinite", "rare")


@st.composite
def inputs(
    draw: Draw, ndim: int, dtype: np.dtype[Any], shortest: int = 1, positive: bool = False
) -> tuple[str, Array]:
    """A layout's name and an array in it, batched or not, of any sign or none."""
    batch = draw(st.sampled_from([(1,), (), (2,), (0,)]))
    channels = draw(st.integers(1, 3))
    spatial = [draw(st.integers(shortest, LONGEST[ndim])) for _ in range(ndim)]
    kind = draw(st.sampled_from(KINDS if dtype.kind not in "biu" else KINDS[:4]))
    x = fill(kind, (*batch, channels, *spatial), dtype, draw(st.integers(0, 2**32 - 1)))
    x = np.abs(x) if positive else x
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    return layout, LAYOUTS[layout](x, ndim)


def written(draw: Draw, numbers: list[int]) -> Any:
    """One of the ways to write sizes: a tuple, a list, or one number where all are equal."""
    ways: list[Any] = [tuple(numbers), list(numbers), tuple(np.int64(n) for n in numbers)]
    if len(set(numbers)) == 1:
        ways += [numbers[0], (numbers[0],), np.int32(numbers[0])]
    return draw(st.sampled_from(ways))


@st.composite
def window_rules(
    draw: Draw,
    lengths: tuple[int, ...],
    dilated: bool = False,
    whole: bool = False,
    padded: bool = True,
) -> dict[str, Any]:
    """Arguments that give at least one window per axis; `whole` kernels fit the bare input."""
    ceil_mode = draw(st.booleans())
    strided = draw(st.booleans())
    axes = []
    for length in lengths:
        dilation = draw(st.sampled_from([1, 1, 2, 3])) if dilated else 1
        stride = draw(st.integers(1, 6)) if strided else None
        longest = length if whole else length + 3
        fits = [
            (kernel, padding)
            for kernel in range(1, longest + 1)
            for padding in range(kernel // 2 + 1 if padded else 1)
            if reference.output_size(
                length, kernel, stride or kernel, padding, dilation, ceil_mode=ceil_mode
            )
            >= 1
        ]
        axes.append((*draw(st.sampled_from(fits)), stride, dilation))
    kernels, paddings, strides, dilations = (list(part) for part in zip(*axes, strict=True))
    rule = {
        "kernel_size": written(draw, kernels),
        "stride": written(draw, strides) if strided else None,
        "padding": written(draw, paddings),
        "ceil_mode": ceil_mode,
    }
    return {**rule, "dilation": written(draw, dilations)} if dilated else rule


@st.composite
def max_problems(draw: Draw, ndim: int, dtype: np.dtype[Any]) -> Problem:
    layout, x = draw(inputs(ndim, dtype))
    return Problem(x, layout, draw(window_rules(x.shape[-ndim:], dilated=True)))


@st.composite
def avg_problems(draw: Draw, ndim: int, dtype: np.dtype[Any]) -> Problem:
    layout, x = draw(inputs(ndim, dtype))
    # PyTorch's avg_pool3d, alone, refuses a kernel that only fits thanks to the padding.
    rule = draw(window_rules(x.shape[-ndim:], whole=ndim == 3))
    rule["count_include_pad"] = draw(st.booleans())
    if ndim > 1:
        rule["divisor_override"] = draw(st.sampled_from([None, None, 1, -3, 6, 2**40]))
    return Problem(x, layout, rule)


@st.composite
def adaptive_problems(draw: Draw, ndim: int, dtype: np.dtype[Any]) -> Problem:
    layout, x = draw(inputs(ndim, dtype))
    sizes = [draw(st.integers(1, length + 2)) for length in x.shape[-ndim:]]
    ways: list[Any] = [tuple(sizes), sizes, sizes[0]]
    if ndim > 1:
        ways.append((None, *sizes[1:]))
    return Problem(x, layout, {"output_size": draw(st.sampled_from(ways))})


@st.composite
def lp_problems(draw: Draw, ndim: int, dtype: np.dtype[Any]) -> Problem:
    """Negative elements only where their powers are positive: otherwise sums may cancel."""
    norm_type = draw(st.sampled_from([2.0, 1.0, 3.0, 4, 0.5, 1.5, -1.0, math.inf, -math.inf]))
    signed = norm_type in (2, 4, math.inf, -math.inf)
    layout, x = draw(inputs(ndim, dtype, positive=not signed))
    rule = draw(window_rules(x.shape[-ndim:], whole=ndim == 3, padded=False))
    del rule["padding"]
    if ndim == 1:  # PyTorch wants an integer here, not a tuple of one
        rule["kernel_size"] = reference.kernel_volume(1, rule["kernel_size"])
    return Problem(x, layout, {"norm_type": norm_type, **rule})


@st.composite
def fractional_problems(draw: Draw, ndim: int, dtype: np.dtype[Any]) -> Problem:
    spare = 1 if ndim == 3 else 0
    layout, x = draw(inputs(ndim, dtype, shortest=1 + spare))
    axes = []
    for length in x.shape[-ndim:]:
        kernel = draw(st.integers(1, length - spare))
        axes.append((kernel, draw(st.integers(1, length - spare - kernel + 1))))
    kernels, counts = (list(part) for part in zip(*axes, strict=True))
    batch = x.shape[0] + draw(st.integers(0, 1)) if x.ndim == ndim + 2 else 1
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # So many steps that every dtype has these numbers.
    samples = generator.integers(0, 128, (batch, x.shape[-ndim - 1], ndim)) / 128
    arguments = {
        "kernel_size": written(draw, kernels),
        "output_size": written(draw, counts),
        "_random_samples": samples.astype(np.float64 if dtype.kind in "biu" else dtype),
    }
    return Problem(x, layout, arguments)


@st.composite
def unpool_problems(draw: Draw, ndim: int, dtype: np.dtype[Any], repeated: bool = True) -> Problem:
    """Indices anywhere in the output, `repeated` or each at most once in a plane."""
    layout, x = draw(inputs(ndim, dtype))
    axes = []
    for length in x.shape[-ndim:]:
        kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        padding = draw(st.integers(0, kernel // 2))
        default = irregular.unpooled_size(length, kernel, stride, padding)
        shortest = max(1 if repeated else length, default - stride + 1)
        longest = default + stride - 1
        if longest < shortest:
            kernel, stride, padding = 2, 2, 0
            shortest = longest = 2 * length
        axes.append((kernel, stride, padding, draw(st.integers(shortest, longest))))
    kernels, strides, paddings, sizes = (list(part) for part in zip(*axes, strict=True))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = math.prod(x.shape[-ndim:])
    planes = [
        generator.choice(math.prod(sizes), count, replace=repeated)
        for _ in range(math.prod(x.shape[:-ndim]))
    ]
    indices = np.array(planes, np.int64).reshape(x.shape)
    orders = [name for name in sorted(LAYOUTS) if repeated or not name.startswith("broadcast")]
    arguments = {
        "indices": LAYOUTS[draw(st.sampled_from(orders))](indices, ndim),
        "kernel_size": written(draw, kernels),
        "stride": written(draw, strides),
        "padding": written(draw, paddings),
        "output_size": draw(st.sampled_from([tuple(sizes), sizes])),
    }
    return Problem(x, layout, arguments)
