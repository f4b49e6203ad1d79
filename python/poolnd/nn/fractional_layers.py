"""Layers of fractional max pooling."""

from typing import Any

from numpy.random import Generator
from numpy.typing import ArrayLike

from poolnd._arguments import integer, number
from poolnd._core import PoolError
from poolnd._typing import Pullback, Ratio, Size
from poolnd._vjp import vjp
from poolnd.nn import functional as F
from poolnd.nn.pooling import Pool, per_axis


class _FractionalMaxPool(Pool):
    _ndim: int

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: Ratio | None = None,
        return_indices: bool = False,
        _random_samples: ArrayLike | None = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        name = type(self).__name__
        self.kernel_size = per_axis(kernel_size, self._ndim)
        if not all(integer(name, "kernel_size", size) > 0 for size in self.kernel_size):
            raise PoolError(f"{name}: kernel_size must be greater than 0, but got {kernel_size}")
        self.return_indices = return_indices
        self._random_samples = _random_samples
        self.generator = generator
        if output_size is None and output_ratio is None:
            raise PoolError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise PoolError(f"{name}: only one of output_size and output_ratio may be specified")
        self.output_size = None if output_size is None else per_axis(output_size, self._ndim)
        self.output_ratio = None if output_ratio is None else per_axis(output_ratio, self._ndim)
        if not all(
            0 < number(name, "output_ratio", ratio) < 1 for ratio in self.output_ratio or ()
        ):
            raise PoolError(f"{name}: output_ratio must be between 0 and 1 (got {output_ratio})")

    def _options(self) -> tuple[Any, ...]:
        return (
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )

    def forward(self, input: ArrayLike) -> Any:
        """Pool `input`."""
        return self._function(input, *self._options(), generator=self.generator)

    def vjp(self, input: ArrayLike) -> tuple[Any, Pullback]:
        """Pool `input`; return the result and its pullback, as `poolnd.vjp` does."""
        return vjp(self._function, input, *self._options(), generator=self.generator)


class FractionalMaxPool2d(_FractionalMaxPool):
    """Maximum over windows at random places; see `poolnd.nn.functional.fractional_max_pool2d`.

    Exactly one of `output_size` and `output_ratio` is given, and ratios are between 0 and 1; the
    constructor refuses other values.
    """

    _function = staticmethod(F.fractional_max_pool2d)
    _ndim = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """Maximum over windows at random places; see `poolnd.nn.functional.fractional_max_pool3d`.

    Exactly one of `output_size` and `output_ratio` is given, and ratios are between 0 and 1; the
    constructor refuses other values.
    """

    _function = staticmethod(F.fractional_max_pool3d)
    _ndim = 3
