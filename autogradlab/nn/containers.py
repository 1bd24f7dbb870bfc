"""Modules that hold modules or parameters: by position, by name."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from ..tensor import Tensor
from .module import Module
from .parameter import Parameter


class Numbered(Module):
    """What the lists have in common: what they hold stands under "0", "1", … in a registry."""

    registry = "_modules"

    @property
    def _held(self) -> dict[str, Any]:
        return getattr(self, self.registry)

    def _number(self, held: Iterable[Any]) -> None:
        object.__setattr__(self, self.registry, {str(i): x for i, x in enumerate(held)})

    def _name(self, idx: int) -> str:
        """The name at a position, which may count from the end."""
        idx = operator.index(idx)
        if not -len(self) <= idx < len(self):
            raise IndexError(f"index {idx} is out of range")
        return list(self._held)[idx]

    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return type(self)(list(self._held.values())[idx])
        return self._held[self._name(idx)]

    def __setitem__(self, idx: int, value: Any) -> None:
        setattr(self, self._name(idx), value)

    def __delitem__(self, idx: int | slice) -> None:
        held = list(self._held.values())
        if not isinstance(idx, slice):
            self._name(idx)
        del held[idx]
        self._number(held)

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._held.values())

    def append(self, value: Any) -> Numbered:
        """Add one at the end; returns the list."""
        self.add_module(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Numbered:
        """Add several at the end; returns the list."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but got "
                + type(values).__name__
            )
        for value in values:
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Numbered:
        return self.extend(values)

    def insert(self, index: int, module: Module) -> Numbered:
        """Put one before the position; returns the list."""
        held = list(self)
        held.insert(index, module)
        self._number(held)
        return self

    def pop(self, key: int | slice) -> Any:
        """Take one out and return it."""
        value = self[key]
        del self[key]
        return value


class Sequential(Numbered):
    """Modules one after the other: the output of each is the input of the next.

    >>> from autogradlab import nn, ones
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    >>> net(ones(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        for name, module in args[0].items() if named else enumerate(args):
            self.add_module(name if named else str(name), module)

    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return type(self)(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(
                "add operator supports only objects of Sequential class, but "
                f"{type(other)!s} is given."
            )
        return Sequential(*self, *other)

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input


class ModuleList(Numbered):
    """A list of modules, whose parameters count as those of the module it is set on."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def _child_lines(self) -> list[str]:
        """Neighbours that print the same share a line."""
        runs: list[list[Any]] = []
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        return [
            f"({i}): {text}" if i == j else f"({i}-{j}): {j - i + 1} x {text}"
            for i, j, text in runs
        ]


class ParameterList(Numbered):
    """A list of parameters; a tensor that is put in becomes one."""

    registry = "_parameters"

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def _number(self, held: Iterable[Tensor]) -> None:
        super()._number(x if isinstance(x, Parameter) else Parameter(x) for x in held)

    def __setitem__(self, idx: int, value: Tensor) -> None:
        self._name(idx)
        held = list(self)
        held[idx] = value
        self._number(held)

    def append(self, value: Tensor) -> ParameterList:
        """Add one at the end; returns the list."""
        self._number([*self, value])
        return self

    def extra_repr(self) -> str:
        return "\n".join(
            f"  ({i}): Parameter containing: [{x.dtype} of size {'x'.join(map(str, x.shape))}]"
            for i, x in enumerate(self)
        )

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("ParameterList should not be called.")


class ModuleDict(Module):
    """A dict of modules, whose parameters count as those of the module it is set on."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def keys(self) -> KeysView[str]:
        return self._modules.keys()

    def items(self) -> ItemsView[str, Module]:
        return self._modules.items()

    def values(self) -> ValuesView[Module]:
        return self._modules.values()

    def clear(self) -> None:
        """Take all out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take one out and return it."""
        return self._modules.pop(key)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace several, given as a mapping or as pairs."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, but got "
                + type(modules).__name__
            )
        pairs = modules.items() if isinstance(modules, Mapping | ModuleDict) else modules
        for key, module in pairs:
            self[key] = module
