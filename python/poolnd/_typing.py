"""Shared type aliases, and the overloads of functions that may return indices."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, SupportsFloat, SupportsIndex, TypeAlias, overload

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[Any]
Indices: TypeAlias = NDArray[np.int64]

Ndim: TypeAlias = Literal[1, 2, 3]
"""How many axes are pooled."""

Size: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
"""One number for every pooled axis, or one number for each."""

OutputSize: TypeAlias = SupportsIndex | Sequence[SupportsIndex | None]
"""Like `Size`; a None entry keeps the input's size along that axis."""


Ratio: TypeAlias = SupportsFloat | Sequence[SupportsFloat]
"""One share for every pooled axis, or one for each."""

Pullback: TypeAlias = Callable[[ArrayLike], Array]
"""Takes the gradient of a result, returns the gradient of what it was computed from."""


class MaxPoolFunction(Protocol):
    """Max pooling: `return_indices` decides what is returned."""

    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
        return_indices: Literal[False] = False,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
        *,
        return_indices: Literal[True],
    ) -> tuple[Array, Indices]: ...
    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Array | tuple[Array, Indices]: ...


class AdaptiveMaxPoolFunction(Protocol):
    """Adaptive max pooling: `return_indices` decides what is returned."""

    @overload
    def __call__(
        self, input: ArrayLike, output_size: OutputSize, return_indices: Literal[False] = False
    ) -> Array: ...
    @overload
    def __call__(
        self, input: ArrayLike, output_size: OutputSize, return_indices: Literal[True]
    ) -> tuple[Array, Indices]: ...
    @overload
    def __call__(
        self, input: ArrayLike, output_size: OutputSize, return_indices: bool = False
    ) -> Array | tuple[Array, Indices]: ...


class FractionalMaxPoolFunction(Protocol):
    """Fractional max pooling: `return_indices` decides what is returned."""

    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: Ratio | None = None,
        return_indices: Literal[False] = False,
        _random_samples: ArrayLike | None = None,
        *,
        generator: Generator | None = None,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: Ratio | None = None,
        *,
        return_indices: Literal[True],
        _random_samples: ArrayLike | None = None,
        generator: Generator | None = None,
    ) -> tuple[Array, Indices]: ...
    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: Ratio | None = None,
        return_indices: bool = False,
        _random_samples: ArrayLike | None = None,
        *,
        generator: Generator | None = None,
    ) -> Array | tuple[Array, Indices]: ...


def max_pool_overloads(function: Callable[..., Any]) -> MaxPoolFunction:
    """Give a function the type above; at run time it stays the function that it is."""
    return function


def adaptive_max_pool_overloads(function: Callable[..., Any]) -> AdaptiveMaxPoolFunction:
    """Give a function the type above; at run time it stays the function that it is."""
    return function


def fractional_max_pool_overloads(function: Callable[..., Any]) -> FractionalMaxPoolFunction:
    """Give a function the type above; at run time it stays the function that it is."""
    return function
