from typing import Literal, TypedDict, overload, type_check_only

from numpy.typing import ArrayLike

from poolnd._typing import Array, Indices, Ndim

__all__ = [
    "PoolError",
    "adaptive_avg_backward",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "avg_backward",
    "avg_pool",
    "build_info",
    "fractional_max_pool",
    "get_num_threads",
    "lp_pool",
    "max_backward",
    "max_pool",
    "max_unpool",
    "max_unpool_backward",
    "set_num_threads",
]

# Sizes are `object`: the binding takes them as the user gave them and does all the checking.

@type_check_only
class _BuildInfo(TypedDict):
    version: str
    instruction_sets: list[str]
    instruction_set: str
    threads: int
    threads_from: str
    kept_mib: int
    cores: int
    target: str
    profile: str

class PoolError(ValueError, RuntimeError): ...

@overload
def max_pool(
    op: str,
    ndim: Ndim,
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
    ndim: Ndim,
    input: ArrayLike,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: object,
    return_indices: Literal[False],
) -> Array: ...
@overload
def max_pool(
    op: str,
    ndim: Ndim,
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
    ndim: Ndim,
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
    ndim: Ndim,
    input: ArrayLike,
    output_size: object,
    return_indices: Literal[True],
) -> tuple[Array, Indices]: ...
@overload
def adaptive_max_pool(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    output_size: object,
    return_indices: Literal[False],
) -> Array: ...
@overload
def adaptive_max_pool(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    output_size: object,
    return_indices: object,
) -> Array | tuple[Array, Indices]: ...
def adaptive_avg_pool(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    output_size: object,
) -> Array: ...
def lp_pool(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    norm_type: float,
    kernel_size: object,
    stride: object,
    ceil_mode: object,
) -> Array: ...
def fractional_max_pool(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    kernel_size: object,
    output_size: object,
    samples: ArrayLike,
    return_indices: object,
) -> Array | tuple[Array, Indices]: ...
def max_unpool(
    op: str,
    ndim: Ndim,
    input: ArrayLike,
    indices: ArrayLike,
    output_size: tuple[int, ...],
) -> Array: ...
def max_unpool_backward(
    op: str,
    ndim: Ndim,
    grad_output: ArrayLike,
    indices: ArrayLike,
) -> Array: ...
def max_backward(
    op: str,
    ndim: Ndim,
    grad_output: ArrayLike,
    indices: ArrayLike,
    input_shape: tuple[int, ...],
) -> Array: ...
def avg_backward(
    op: str,
    ndim: Ndim,
    grad_output: ArrayLike,
    input_shape: tuple[int, ...],
    kernel_size: object,
    stride: object,
    padding: object,
    ceil_mode: object,
    count_include_pad: object,
    divisor_override: object,
) -> Array: ...
def adaptive_avg_backward(
    op: str,
    ndim: Ndim,
    grad_output: ArrayLike,
    input_shape: tuple[int, ...],
) -> Array: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def build_info() -> _BuildInfo: ...
