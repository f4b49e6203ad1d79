"""`Module`, what every layer is, and `Sequential`, a chain of layers.

Pooling has nothing to train, so a module here is a callable with a readable repr: it has
PyTorch's methods for parameters and state, and they find nothing.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from operator import index
from textwrap import indent
from typing import Any, NamedTuple, Self, overload

import numpy as np
from numpy.typing import ArrayLike

from poolnd._core import PoolError
from poolnd._typing import Array, Pullback

_NOT_GIVEN: Any = object()


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys{tuple(self)}"


class Module:
    """Base class of layers: define `forward`, then call the layer.

    Modules that are assigned as attributes are its children; they are found by `children`,
    `modules` and `train`, and shown by repr.

    Attributes
    ----------
    training : bool
        Set by `train` and `eval`, read by nothing here: pooling works the same in both.
    """

    training: bool = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result of a call; every layer defines its own."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, input: Any = _NOT_GIVEN, /, *args: Any, **kwargs: Any) -> Any:
        """Return what `forward` returns."""
        # Unpacking arguments takes as long as pooling a small array, so a lone one is passed on.
        if input is _NOT_GIVEN:
            return self.forward(*args, **kwargs)
        if args or kwargs:
            return self.forward(input, *args, **kwargs)
        return self.forward(input)

    def vjp(self, *_args: Any, **_kwargs: Any) -> tuple[Any, Pullback]:
        """Return the result of a call and its pullback, as `poolnd.vjp` does for a function."""
        name = type(self).__name__
        raise TypeError(
            f"vjp(): {name} has no gradient: a Module that is to have one defines vjp()"
        )

    def extra_repr(self) -> str:
        """Text between the parentheses of the repr: the layer's options."""
        return ""

    def __repr__(self) -> str:
        name, options = type(self).__name__, self.extra_repr()
        children = [f"({key}): {child!r}" for key, child in self._items()]
        if not children and "\n" not in options:
            return f"{name}({options})"
        lines = "\n".join([options, *children] if options else children)
        return f"{name}(\n{indent(lines, '  ')}\n)"

    def _items(self) -> list[tuple[str, "Module"]]:
        """Return names and children, one that has two names twice."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield names and direct children, each child once."""
        seen = set()
        for name, child in self._items():
            if child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator["Module"]:
        """Yield the direct children, each once."""
        for _, child in self.named_children():
            yield child

    def named_modules(
        self, memo: set["Module"] | None = None, prefix: str = ""
    ) -> Iterator[tuple[str, "Module"]]:
        """Yield dotted names and modules: this one, its children and theirs, each once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        memo.add(self)
        yield prefix, self
        for name, child in self._items():
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """Yield this module, its children and theirs, each once."""
        for _, module in self.named_modules():
            yield module

    def named_parameters(self) -> Iterator[tuple[str, Array]]:
        """Yield nothing: there is nothing to train."""
        return iter(())

    def parameters(self) -> Iterator[Array]:
        """Yield nothing: there is nothing to train."""
        return iter(())

    def state_dict(self) -> dict[str, Array]:
        """Return an empty dict: there is nothing to save."""
        return {}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Accept what `state_dict` returned.

        Parameters
        ----------
        state_dict : mapping
            Empty, or with `strict` False anything.
        strict : bool, default True
            Whether a key that has no place here is an error.

        Returns
        -------
        IncompatibleKeys
            The keys that were passed over.

        Raises
        ------
        PoolError
            A key in `state_dict`, when `strict`.
        TypeError
            A `state_dict` that is not a mapping.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict).__name__}")
        unexpected = list(state_dict)
        if strict and unexpected:
            raise PoolError(
                f"Error(s) in loading state_dict for {type(self).__name__}:"
                f" Unexpected key(s) in state_dict: {unexpected}; pooling has no state"
            )
        return IncompatibleKeys([], unexpected)

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and in all children; return self."""
        if not isinstance(mode, bool):
            raise PoolError(f"training mode is expected to be boolean, but got mode={mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set `training` to False here and in all children; return self."""
        return self.train(False)


class Sequential(Module):
    """Modules called one after the other, each on the result of the one before.

    Parameters
    ----------
    *modules : Module, or one dict of str to Module
        The chain, in order. A dict (an OrderedDict, say) gives the modules names, which the repr
        shows and which are attributes; otherwise they are named "0", "1", ...

    Examples
    --------
    >>> from poolnd import nn
    >>> chain = nn.Sequential(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d((5, 5)))
    >>> chain
    Sequential(
      (0): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
      (1): AdaptiveAvgPool2d(output_size=(5, 5))
    )
    >>> chain[-1]
    AdaptiveAvgPool2d(output_size=(5, 5))
    """

    @overload
    def __init__(self, *modules: Module) -> None: ...
    @overload
    def __init__(self, modules: Mapping[str, Module], /) -> None: ...
    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = dict(modules[0])
        else:
            named = {str(position): module for position, module in enumerate(modules)}
        for name, module in named.items():
            self._add(name, module)

    def _add(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"Sequential: {module!r} is not a Module")
        if not isinstance(name, str):
            raise TypeError(f"Sequential: module name should be a string, but got {name!r}")
        if not name or "." in name or hasattr(self, name):
            raise KeyError(
                f"Sequential: module name must be new, not empty and without a dot, got {name!r}"
            )
        setattr(self, name, module)

    def forward(self, input: Any) -> Any:
        """Pass `input` through all modules."""
        output = input
        for module in self:
            output = module(output)
        return output

    def vjp(self, input: Any) -> tuple[Any, Pullback]:
        """Return the result of a call, and the pullback through all modules."""
        output, pullbacks = input, []
        for module in self:
            output, pullback = module.vjp(output)
            pullbacks.append(pullback)

        def through_all(grad_output: ArrayLike) -> Array:
            gradient = grad_output
            for pullback in reversed(pullbacks):
                gradient = pullback(gradient)
            return np.asarray(gradient)

        return output, through_all

    def append(self, module: Module) -> Self:
        """Add a module at the end; return self."""
        # A slice keeps the names of its modules, so its length may be one of them.
        name = next(name for name in map(str, count(len(self))) if not hasattr(self, name))
        self._add(name, module)
        return self

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Module]:
        for _, module in self._items():
            yield module

    @overload
    def __getitem__(self, idx: slice) -> Self: ...
    @overload
    def __getitem__(self, idx: int) -> Module: ...
    def __getitem__(self, idx: int | slice) -> Module | Self:
        items = self._items()
        if isinstance(idx, slice):
            return type(self)(dict(items[idx]))
        position = index(idx)
        if not -len(items) <= position < len(items):
            raise IndexError(f"index {position} is out of range for {len(items)} modules")
        return items[position][1]
