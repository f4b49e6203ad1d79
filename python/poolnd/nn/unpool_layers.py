"""Layers that put maxima back where they were found."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, SupportsIndex

from numpy.typing import ArrayLike

from poolnd._typing import Array, Pullback, Size
from poolnd._vjp import vjp
from poolnd.nn import functional as F
from poolnd.nn.modules import Module
from poolnd.nn.pooling import per_axis


class _MaxUnpool(Module):
    _function: ClassVar[Callable[..., Array]]
    _ndim: int

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        self.kernel_size = per_axis(kernel_size, self._ndim)
        self.stride = per_axis(kernel_size if stride is None else stride, self._ndim)
        self.padding = per_axis(padding, self._ndim)

    def _options(self) -> tuple[Any, ...]:
        return self.kernel_size, self.stride, self.padding

    def forward(
        self,
        input: ArrayLike,
        indices: ArrayLike,
        output_size: Sequence[SupportsIndex] | None = None,
    ) -> Array:
        """Put `input` back at `indices`."""
        return self._function(input, indices, *self._options(), output_size)

    def vjp(
        self,
        input: ArrayLike,
        indices: ArrayLike,
        output_size: Sequence[SupportsIndex] | None = None,
    ) -> tuple[Array, Pullback]:
        """Put `input` back; return the result and its pullback, as `poolnd.vjp` does."""
        return vjp(self._function, input, indices, *self._options(), output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Partial inverse of `MaxPool1d`; see `poolnd.nn.functional.max_unpool1d`."""

    _function = staticmethod(F.max_unpool1d)
    _ndim = 1


class MaxUnpool2d(_MaxUnpool):
    """Partial inverse of `MaxPool2d`; see `poolnd.nn.functional.max_unpool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from poolnd import nn
    >>> pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    >>> unpool
    MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))
    >>> x = np.ones((1, 3, 9, 9))
    >>> unpool(*pool(x), output_size=x.shape).shape
    (1, 3, 9, 9)
    """

    _function = staticmethod(F.max_unpool2d)
    _ndim = 2


class MaxUnpool3d(_MaxUnpool):
    """Partial inverse of `MaxPool3d`; see `poolnd.nn.functional.max_unpool3d`."""

    _function = staticmethod(F.max_unpool3d)
    _ndim = 3
