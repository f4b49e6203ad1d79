"""Pooling layers: options that are set once, and the function that is called with them.

Constructors have PyTorch's order of parameters, in which `return_indices` comes before
`ceil_mode` (in the functions it is the other way round). Options are checked by the first call.
Parameters, results and errors are those of the functions in `poolnd.nn.functional`.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, SupportsFloat

from numpy.typing import ArrayLike

from poolnd._arguments import number
from poolnd._typing import OutputSize, Pullback, Size
from poolnd._vjp import vjp
from poolnd.nn import functional as F
from poolnd.nn.modules import Module


class Pool(Module):
    """A layer that is one function of its input, with the layer's options.

    Families that are called often name their options once more in `forward`: for a small array,
    putting them into a tuple and taking them out again is a good part of a call.
    """

    _function: ClassVar[Callable[..., Any]]

    def _options(self) -> tuple[Any, ...]:
        """Return what the function is given after the input, in its order."""
        raise NotImplementedError

    def forward(self, input: ArrayLike) -> Any:
        """Pool `input`."""
        return self._function(input, *self._options())

    def vjp(self, input: ArrayLike) -> tuple[Any, Pullback]:
        """Pool `input`; return the result and its pullback, as `poolnd.vjp` does."""
        return vjp(self._function, input, *self._options())


class _MaxPool(Pool):
    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: ArrayLike) -> Any:
        return self._function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def _options(self) -> tuple[Any, ...]:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding},"
            f" dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """Maximum over windows along one axis; see `poolnd.nn.functional.max_pool1d`."""

    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """Maximum over windows along two axes; see `poolnd.nn.functional.max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from poolnd import nn
    >>> pool = nn.MaxPool2d(2)
    >>> pool
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    >>> pool(np.zeros((1, 3, 224, 224))).shape
    (1, 3, 112, 112)
    """

    _function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """Maximum over windows along three axes; see `poolnd.nn.functional.max_pool3d`."""

    _function = staticmethod(F.max_pool3d)


class _AvgPool(Pool):
    kernel_size: Size
    stride: Size
    padding: Size
    ceil_mode: bool
    count_include_pad: bool

    def forward(self, input: ArrayLike) -> Any:
        return self._function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def _options(self) -> tuple[Any, ...]:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """Average over windows along one axis; see `poolnd.nn.functional.avg_pool1d`.

    Like PyTorch's, it keeps its sizes as tuples of one.
    """

    _function = staticmethod(F.avg_pool1d)

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = per_axis(kernel_size, 1)
        self.stride = per_axis(kernel_size if stride is None else stride, 1)
        self.padding = per_axis(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad


class _AvgPoolWithDivisor(_AvgPool):
    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: ArrayLike) -> Any:
        return self._function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def _options(self) -> tuple[Any, ...]:
        return (*super()._options(), self.divisor_override)


class AvgPool2d(_AvgPoolWithDivisor):
    """Average over windows along two axes; see `poolnd.nn.functional.avg_pool2d`."""

    _function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPoolWithDivisor):
    """Average over windows along three axes; see `poolnd.nn.functional.avg_pool3d`."""

    _function = staticmethod(F.avg_pool3d)


class _AdaptivePool(Pool):
    output_size: OutputSize

    def forward(self, input: ArrayLike) -> Any:
        return self._function(input, self.output_size)

    def _options(self) -> tuple[Any, ...]:
        return (self.output_size,)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(_AdaptivePool):
    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: ArrayLike) -> Any:
        return self._function(input, self.output_size, self.return_indices)

    def _options(self) -> tuple[Any, ...]:
        return self.output_size, self.return_indices


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Maximum over a given number of bins; see `poolnd.nn.functional.adaptive_max_pool1d`."""

    _function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Maximum over a given number of bins; see `poolnd.nn.functional.adaptive_max_pool2d`."""

    _function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Maximum over a given number of bins; see `poolnd.nn.functional.adaptive_max_pool3d`."""

    _function = staticmethod(F.adaptive_max_pool3d)


class _AdaptiveAvgPool(_AdaptivePool):
    def __init__(self, output_size: OutputSize) -> None:
        self.output_size = output_size


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Average over a given number of bins; see `poolnd.nn.functional.adaptive_avg_pool1d`."""

    _function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Average over a given number of bins; see `poolnd.nn.functional.adaptive_avg_pool2d`."""

    _function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Average over a given number of bins; see `poolnd.nn.functional.adaptive_avg_pool3d`."""

    _function = staticmethod(F.adaptive_avg_pool3d)


class _LPPool(Pool):
    def __init__(
        self,
        norm_type: SupportsFloat,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
    ) -> None:
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def _options(self) -> tuple[Any, ...]:
        # A layer always works with floats: an integer power of integers is for the functions.
        norm_type = number(type(self).__name__, "norm_type", self.norm_type)
        return norm_type, self.kernel_size, self.stride, self.ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride},"
            f" ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """Power average over windows along one axis; see `poolnd.nn.functional.lp_pool1d`."""

    _function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """Power average over windows along two axes; see `poolnd.nn.functional.lp_pool2d`."""

    _function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """Power average over windows along three axes; see `poolnd.nn.functional.lp_pool3d`."""

    _function = staticmethod(F.lp_pool3d)


def per_axis(value: Any, ndim: int) -> tuple[Any, ...]:
    """Return what is given for each axis as a tuple, as PyTorch's layers keep it."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * ndim
