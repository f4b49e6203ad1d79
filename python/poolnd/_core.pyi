from typing import Literal, TypedDict, overload, type_check_only

from numpy.typing import ArrayLike

from poolnd._typing import Array, Indices

__all__ = [
    "PoolError",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "avg_pool",
    "build_info",
    "get_num_threads",
    "max_pool",
    "set_num_threads",
]

# Sizes are `object`: the binding takes them as the user gave them and does all the checking.

@type_check_only
class _BuildInfo(TypedDict):
    version: str
    instruction_sets: list[str]
    instruction_set: str
    threads: int
    target: str
    profile: str

class PoolError(ValueError, RuntimeError): ...

@overload
def max_pool(
    op: str,
    ndim: Literal[1, 2, 3],
    input: ArrayLike,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: object,
    return_indices: Literal[True],
) -> tuple[Array, Indices]: ...
@overload
def max_pool(
    op: str,
    ndim: Literal[1, 2, 3],
    input: ArrayLike,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: object,
    return_indices: object,
) -> Array | tuple[Array, Indices]: ...
def avg_pool(
    op: str,
    ndim: Literal[1, 2, 3],
    input: ArrayLike,
    kernel_size: object,
    stride: object,
    padding: object,
    ceil_mode: object,
    count_include_pad: object,
    divisor_override: object,
) -> Array: ...
@overload
def adaptive_max_pool(
    op: str,
    ndim: Literal[1, 2, 3],
    input: ArrayLike,
    output_size: object,
    return_indices: Literal[True],
) -> tuple[Array, Indices]: ...
@overload
def adaptive_max_pool(
    op: str,
    ndim: Literal[1, 2, 3],
    input: ArrayLike,
    output_size: object,
    return_indices: object,
) -> Array | tuple[Array, Indices]: ...
def adaptive_avg_pool(
    op: str,
    ndim: Literal[1, 2, 3],
    input: ArrayLike,
    output_size: object,
) -> Array: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def build_info() -> _BuildInfo: ...
