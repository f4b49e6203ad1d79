"""Bad input: a PoolError or TypeError with PyTorch's key phrase, soon, and never a panic.

The rows are the calls that PyTorch 2.13 refuses; what a message must contain is
what people search for. Where PyTorch words a 1-D maximum in its own way, either
wording will do.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import poolnd
from poolnd import PoolError

from . import reference
from .closeness import assert_equal
from .operators import FAMILIES, NDIMS, SECONDS, name_of, operator, refuses

Array = np.ndarray[Any, np.dtype[Any]]

each_ndim = pytest.mark.parametrize("ndim", NDIMS)
each_family = pytest.mark.parametrize("family", FAMILIES)
each_sliding_family = pytest.mark.parametrize("family", ["max_pool", "avg_pool"])
each_adaptive_family = pytest.mark.parametrize("family", ["adaptive_max_pool", "adaptive_avg_pool"])


def image(ndim: int, length: int = 8) -> Array:
    return np.ones((1, 2) + (length,) * ndim, np.float32)


def pool(family: str, ndim: int, *args: Any, **kwargs: Any) -> Callable[[], Any]:
    """An operator on a small image, ready to be called."""
    return lambda: operator(family, ndim)(image(ndim), *args, **kwargs)


def test_pool_error_is_both() -> None:
    assert issubclass(PoolError, ValueError)
    assert issubclass(PoolError, RuntimeError)
    assert poolnd.PoolError is PoolError


@each_ndim
@each_sliding_family
@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        ((0,), "stride should not be zero|kernel_size must be greater than zero"),
        ((0, 1), r"kernel.size (should|must) be greater than zero.*\b0\b"),
        ((-1, 1), r"kernel.size (should|must) be greater than zero.*-1"),
        ((2, 0), "stride should not be zero|stride must be greater than zero.*0"),
        ((2, -1), "stride (should|must) be greater than zero.*-1"),
        ((2, None, -1), r"pad(ding)? must be non-negative.*-1"),
        ((2, 2, 2), "pad(ding)? should be at most half of (effective )?kernel size.*2.*2"),
        ((9,), "[Oo]utput size( is too small|: 0)|smaller than kernel size"),
        ((9, 1, 0), "[Oo]utput size( is too small|: 0)|smaller than kernel size"),
    ],
)
def test_windows(family: str, ndim: int, arguments: tuple[Any, ...], phrase: str) -> None:
    refuses(PoolError, phrase, pool(family, ndim, *arguments))


@each_ndim
def test_padding_is_held_against_the_kernel_not_its_extent(ndim: int) -> None:
    phrase = r"pad(ding)? should be .*half of (effective )?kernel size.*\b2\b.*\b3\b|.*\b3\b.*\b2\b"
    refuses(PoolError, phrase, pool("max_pool", ndim, 3, 1, 2, 2))


@each_ndim
@pytest.mark.parametrize("dilation", [0, -1])
def test_dilation(ndim: int, dilation: int) -> None:
    phrase = f"dilation (should|must) be greater than zero.*{dilation}"
    refuses(PoolError, phrase, pool("max_pool", ndim, 2, None, 0, dilation))


def test_average_in_3d_needs_the_kernel_within_the_bare_input() -> None:
    phrase = "input image .* smaller than kernel size"
    refuses(PoolError, phrase, lambda: operator("avg_pool", 3)(image(3, 4), 5, 1, 2))
    assert operator("avg_pool", 2)(image(2, 4), 5, 1, 2).shape == (1, 2, 4, 4)
    assert operator("max_pool", 3)(image(3, 4), 5, 1, 2).shape == (1, 2, 4, 4, 4)


@each_ndim
@each_sliding_family
@pytest.mark.parametrize("name", ["kernel_size", "stride", "padding"])
@pytest.mark.parametrize("size", [(2, 2, 2, 2), [1, 1, 1, 1, 1]])
def test_wrong_number_of_sizes(family: str, ndim: int, name: str, size: Any) -> None:
    arguments = {"kernel_size": 2, name: size}
    refuses(PoolError, f"{name}.*{ndim_in_words(ndim)}", pool(family, ndim, **arguments))


@each_ndim
def test_wrong_number_of_dilations(ndim: int) -> None:
    phrase = f"dilation.*{ndim_in_words(ndim)}"
    refuses(PoolError, phrase, pool("max_pool", ndim, 2, dilation=(1, 1, 1, 1)))


def ndim_in_words(ndim: int) -> str:
    return {1: r"(one int|of size 1|a single int)", 2: "two ints", 3: "three ints"}[ndim]


@each_ndim
@each_sliding_family
def test_no_kernel_size(family: str, ndim: int) -> None:
    refuses(PoolError, "kernel_size", pool(family, ndim, ()))
    refuses(PoolError, "kernel_size", pool(family, ndim, []))


@each_ndim
@each_sliding_family
@pytest.mark.parametrize("name", ["kernel_size", "stride", "padding"])
@pytest.mark.parametrize(
    "size",
    [2.0, "2", "same", True, np.True_, np.float64(2), float("nan"), 2j, {2}, {2: 2}, object(),
     (2.0,), ("2",), (True,), (None,), [[2]], np.array([1.5]), b"2", slice(2), Ellipsis],
    ids=name_of,
)  # fmt: skip
def test_sizes_that_are_no_integers(family: str, ndim: int, name: str, size: Any) -> None:
    arguments = {"kernel_size": 2, name: size}
    refuses(TypeError, name, pool(family, ndim, **arguments))


@each_ndim
@each_sliding_family
def test_none_is_a_stride_only(family: str, ndim: int) -> None:
    refuses(TypeError, "kernel_size", pool(family, ndim, None))
    refuses(TypeError, "padding", pool(family, ndim, 2, 2, None))
    assert_equal(pool(family, ndim, 2, None)(), pool(family, ndim, 2)())
    assert_equal(pool(family, ndim, 2, ())(), pool(family, ndim, 2)())
    assert_equal(pool(family, ndim, 2, [])(), pool(family, ndim, 2)())


@each_ndim
@each_sliding_family
@pytest.mark.parametrize("ceil_mode", [1, 0, None, "True", 1.0])
def test_ceil_mode_is_a_bool(family: str, ndim: int, ceil_mode: Any) -> None:
    refuses(TypeError, "ceil_mode", pool(family, ndim, 2, ceil_mode=ceil_mode))


@each_ndim
def test_return_indices_is_any_truth_value(ndim: int) -> None:
    for truth in (1, "yes", [0], np.True_):
        assert len(pool("max_pool", ndim, 2, return_indices=truth)()) == 2
    for falsehood in (0, "", None, np.False_):
        assert isinstance(pool("max_pool", ndim, 2, return_indices=falsehood)(), np.ndarray)


@pytest.mark.parametrize("ndim", [2, 3])
def test_divisors(ndim: int) -> None:
    refuses(PoolError, "divisor must be not zero", pool("avg_pool", ndim, 2, divisor_override=0))
    for divisor in (2.5, "2", True, (2,)):
        call = pool("avg_pool", ndim, 2, divisor_override=divisor)
        refuses(TypeError, "divisor_override", call)
    for divisor in (2**63, -(2**63) - 1, 10**30):
        with pytest.raises((PoolError, TypeError), match="divisor_override"):
            pool("avg_pool", ndim, 2, divisor_override=divisor)()


RANKS = {
    1: r"2D or 3D|2 to 3 dimensions",
    2: r"3D or 4D",
    3: r"4D or 5D",
}


@each_ndim
@each_family
def test_rank(family: str, ndim: int) -> None:
    for rank in {0, 1, ndim, ndim + 3, 9}:
        x = np.ones((2,) * rank, np.float32)
        refuses(PoolError, RANKS[ndim], operator(family, ndim), x, 1)


@each_ndim
@each_family
def test_zero_spatial_size(family: str, ndim: int) -> None:
    phrase = f"{RANKS[ndim]}|positive length|non-zero size"
    for axis in range(ndim):
        shape = [1, 2] + [4] * ndim
        shape[2 + axis] = 0
        refuses(PoolError, phrase, operator(family, ndim), np.ones(shape, np.float32), 2)


@each_ndim
@pytest.mark.parametrize("family", ["max_pool", "avg_pool", "adaptive_max_pool"])
def test_zero_channels(family: str, ndim: int) -> None:
    phrase = f"{RANKS[ndim]}|positive length|non-zero size"
    x = np.ones((2, 0) + (4,) * ndim, np.float32)
    refuses(PoolError, phrase, operator(family, ndim), x, 2)


def test_zero_channels_of_adaptive_averages() -> None:
    """PyTorch refuses them in 3-D only."""
    for ndim in (1, 2):
        answer = operator("adaptive_avg_pool", ndim)(np.ones((2, 0) + (4,) * ndim), 2)
        assert answer.shape == (2, 0) + (2,) * ndim


@each_ndim
@each_family
def test_zero_batch_is_no_error(family: str, ndim: int) -> None:
    answer = operator(family, ndim)(np.ones((0, 2) + (4,) * ndim, np.float32), 2)
    assert answer.shape == (0, 2) + (2,) * ndim


@each_ndim
@each_adaptive_family
def test_adaptive_sizes(family: str, ndim: int) -> None:
    phrase = "greater than or equal to 0|negative dimension"
    refuses(PoolError, f"(?=.*-1)({phrase})", pool(family, ndim, -1))
    refuses(PoolError, f"(?=.*-2)({phrase})", pool(family, ndim, (2,) * (ndim - 1) + (-2,)))
    refuses(PoolError, "output_size", pool(family, ndim, (2,) * (ndim + 1)))
    refuses(PoolError, "output_size", pool(family, ndim, ()))
    for size in (2.5, "3", True, object(), (2.5,) * ndim, ("3",) * ndim, (True,) * ndim):
        refuses(TypeError, "output_size", pool(family, ndim, size))
    assert pool(family, ndim, 0)().shape == (1, 2) + (0,) * ndim


@each_ndim
@each_family
def test_arguments_missing_or_unknown(family: str, ndim: int) -> None:
    refuses(TypeError, "argument", pool(family, ndim))
    refuses(TypeError, "argument", pool(family, ndim, 2, unknown=1))


HUGE = [2**31 - 1, 2**31, 2**32, 2**40, 2**61, 2**62, 2**63 - 1, 2**63, 2**64, 2**65 + 2, 10**30]
HUGE += [-number for number in HUGE]


@each_ndim
@each_sliding_family
@pytest.mark.parametrize("size", HUGE)
def test_huge_kernel_size(family: str, ndim: int, size: int) -> None:
    for stride in (None, 1, size):
        for padding in (0, 1):
            refused(pool(family, ndim, size, stride, padding))
    refused(pool(family, ndim, size, 1, size))


def refused(function: Callable[[], Any]) -> None:
    start = time.monotonic()
    with pytest.raises((PoolError, TypeError)) as caught:
        function()
    assert time.monotonic() - start < SECONDS
    assert caught.type in (PoolError, TypeError)


@each_ndim
@each_sliding_family
@pytest.mark.parametrize("size", HUGE)
def test_huge_stride(family: str, ndim: int, size: int) -> None:
    """A stride beyond the input leaves one window, or is refused."""
    for ceil_mode in (False, True):
        answer_or_refusal(
            pool(family, ndim, 2, size, 0, ceil_mode=ceil_mode), pool(family, ndim, 2, 8)
        )


def answer_or_refusal(function: Callable[[], Any], expected: Callable[[], Array]) -> None:
    """The right answer or a PoolError or TypeError, within the time for a refusal."""
    start = time.monotonic()
    try:
        answer = function()
    except (PoolError, TypeError):
        answer = None
    assert time.monotonic() - start < SECONDS
    if answer is not None:
        assert_equal(answer, expected())


@each_ndim
@pytest.mark.parametrize("size", HUGE)
def test_huge_dilation(ndim: int, size: int) -> None:
    for kernel in (2, 3, 8):
        refused(pool("max_pool", ndim, kernel, 1, 0, size))
        refused(pool("max_pool", ndim, kernel, 1, 1, size, True))
    answer_or_refusal(pool("max_pool", ndim, 1, 1, 0, size), lambda: image(ndim))


@each_ndim
@each_sliding_family
@pytest.mark.parametrize("size", HUGE)
def test_huge_padding(family: str, ndim: int, size: int) -> None:
    refused(pool(family, ndim, 2, 1, size))


@each_ndim
@pytest.mark.parametrize("kernel", [2**31, 2**40, 2**61, 2**62, 2**63 - 2])
def test_huge_kernel_with_padding_that_makes_it_fit(ndim: int, kernel: int) -> None:
    """Every window covers the whole input; anything but ones or a refusal has wrapped around."""
    function = pool("max_pool", ndim, kernel, kernel, kernel // 2)
    expected = np.ones((1, 2) + (1,) * ndim, np.float32)
    answer_or_refusal(function, lambda: expected)


@each_ndim
@each_adaptive_family
@pytest.mark.parametrize("size", [2**50, 2**61, 2**62, 2**63 - 1, 2**63, 2**64, 10**30])
def test_huge_output(family: str, ndim: int, size: int) -> None:
    """An output that no memory holds: MemoryError, or a PoolError that says so."""
    start = time.monotonic()
    with pytest.raises((PoolError, TypeError, MemoryError)):
        pool(family, ndim, size)()
    assert time.monotonic() - start < SECONDS


@each_adaptive_family
def test_output_whose_element_count_overflows(family: str) -> None:
    for sizes in [(2**31, 2**31), (2**32, 2**32), (2**33, 2**31)]:
        with pytest.raises((PoolError, MemoryError)):
            pool(family, 2, sizes)()


@each_ndim
def test_output_of_nothing_may_be_as_long_as_it_likes(ndim: int) -> None:
    """A batch of 0 needs no memory, and still no arithmetic may overflow."""
    x = np.ones((0, 2) + (4,) * ndim, np.float32)
    try:
        answer = operator("adaptive_max_pool", ndim)(x, 2**20)
    except (PoolError, MemoryError):
        return
    assert answer.shape == (0, 2) + (2**20,) * ndim


@pytest.mark.parametrize("function", [operator(f, n) for f in FAMILIES for n in NDIMS])
@pytest.mark.parametrize(
    "dtype",
    [object, np.complex64, np.complex128, "U3", "S3", "M8[s]", "m8[s]", "V4", [("a", "f4")]],
    ids=str,
)
def test_dtypes_without_pooling(function: Callable[..., Any], dtype: Any) -> None:
    ndim = int(function.__name__[-2])
    refuses(TypeError, "dtype|complex|object", function, np.zeros((1, 2) + (4,) * ndim, dtype), 2)


@each_family
@pytest.mark.parametrize(
    "x", [None, "image", b"image", object(), {1: 2}, {1, 2}, (c for c in "ab"), [["a", "b"]]]
)
def test_inputs_that_are_no_arrays(family: str, x: Any) -> None:
    with pytest.raises((PoolError, TypeError)):
        operator(family, 1)(x, 1)


def test_ragged_lists() -> None:
    with pytest.raises((ValueError, TypeError)):
        operator("max_pool", 1)([[1.0, 2.0], [3.0]], 1)


def test_errors_of_the_array_itself_pass_through() -> None:
    class Broken:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            raise KeyError(f"no such image (dtype {dtype}, copy {copy})")

    with pytest.raises(KeyError, match="no such image"):
        operator("max_pool", 2)(Broken(), 2)


def test_errors_of_a_size_itself_pass_through() -> None:
    class Broken:
        def __index__(self) -> int:
            raise KeyError("no such size")

    with pytest.raises((KeyError, TypeError)):
        operator("max_pool", 2)(image(2), Broken())


@each_family
def test_message_names_the_operator(family: str) -> None:
    with pytest.raises((PoolError, TypeError), match=f"{family}2d"):
        operator(family, 2)(image(2), -1)


def test_refusals_leave_the_library_usable() -> None:
    x = np.arange(64.0).reshape(1, 1, 8, 8)
    for size in (-1, 0, 9, 2**62, "2"):
        with pytest.raises((PoolError, TypeError)):
            operator("max_pool", 2)(x, size)
    assert_equal(operator("max_pool", 2)(x, 2), reference.max_pool(2, x, 2)[0])
