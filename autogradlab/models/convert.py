"""From a network of this engine to the same network of PyTorch, and back.

A layer that both have is made anew with its own arguments. A class of the user's is made anew with
the same code, in which every name of one engine means the other's. Weights, buffers, modes and
flags are copied; nothing is shared.
"""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

import numpy as np

import autogradlab

from ..nn import Module
from ..tensor import Tensor


def to_torch(model: Module) -> Any:
    """The same network as a `torch.nn.Module`, with copies of the weights.

    Raises:
        ImportError: PyTorch is not installed.
        TypeError: a part that has no counterpart there.
    """
    import torch

    return Converter(autogradlab, torch)(model)


def from_torch(model: Any) -> Module:
    """The same network on this engine, with copies of the weights of a `torch.nn.Module`."""
    import torch

    return Converter(torch, autogradlab)(model)


class Converter:
    """Makes the counterparts of one engine's objects, each once: shared weights stay shared."""

    def __init__(self, source: Any, target: Any) -> None:
        self.source, self.target = source, target
        self.done: dict[int, tuple[Any, Any]] = {}  # keeps the original alive: ids stay unique

    def __call__(self, x: Any) -> Any:
        if id(x) not in self.done:
            made = self.make(x)
            self.done.setdefault(id(x), (x, made))
        return self.done[id(x)][1]

    def make(self, x: Any) -> Any:
        if isinstance(x, self.source.nn.Module):
            return self.module(x)
        if self.source.is_tensor(x):
            return self.tensor(x)
        if isinstance(x, self.source.dtype):
            return getattr(self.target, str(x).removeprefix("torch."))
        if type(x) in (list, tuple, set):
            return type(x)(map(self, x))
        if type(x) is dict:
            return {self(key): self(value) for key, value in x.items()}
        if isinstance(x, types.FunctionType | type | types.ModuleType | types.BuiltinFunctionType):
            return self.code(x)
        return x

    def tensor(self, x: Any) -> Any:
        data = np.array(x.detach().numpy())
        out = self.target.from_numpy(data)
        if isinstance(x, self.source.nn.Parameter):
            return self.target.nn.Parameter(out, requires_grad=x.requires_grad)
        return out.requires_grad_() if x.requires_grad else out

    # ------------------------------------------------------------------------------------ modules

    def module(self, x: Any) -> Any:
        kind = self.code(type(x))
        library = self.is_part(type(x))
        nn = self.source.nn
        containers = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
        if library and not isinstance(x, containers):
            made = kind(**arguments(x, kind))
        else:
            made = object.__new__(kind)
            self.target.nn.Module.__init__(made)
        self.done[id(x)] = x, made
        for name, child in x._modules.items():
            made._modules[name] = None if child is None else self(child)
        for name, parameter in x._parameters.items():
            made._parameters[name] = None if parameter is None else self(parameter)
        for name, buffer in x._buffers.items():
            made._buffers[name] = None if buffer is None else self(buffer)
        made._non_persistent_buffers_set = set(x._non_persistent_buffers_set)
        for name, value in vars(x).items():
            if not (library or name.startswith("_")):
                made.__dict__[name] = self(value)
        made.training = x.training
        return made

    # --------------------------------------------------------------------------------------- code

    def is_part(self, x: Any) -> bool:
        """Whether a class or function is part of the engine, not written with it, as models are."""
        place = getattr(x, "__module__", None) or ""
        return place.partition(".")[0] == self.source.__name__ and ".models." not in place

    def code(self, x: Any) -> Any:
        """The counterpart of a module, class or function: of the same name in the other engine, or
        made anew from its code."""
        if isinstance(x, types.ModuleType):
            return self.namespace(x)
        if self.is_part(x):
            for place in (self.target, self.target.nn, self.target.nn.functional):
                if hasattr(place, x.__name__):
                    return getattr(place, x.__name__)
            raise TypeError(f"{x.__name__} has no counterpart in {self.target.__name__}")
        if isinstance(x, type):
            return self.klass(x) if issubclass(x, self.source.nn.Module) else x
        return self.function(x) if isinstance(x, types.FunctionType) else x

    def namespace(self, x: types.ModuleType) -> types.ModuleType:
        first, dot, rest = x.__name__.partition(".")
        if first != self.source.__name__:
            return x
        name = self.target.__name__ + dot + rest
        return sys.modules.get(name, x)

    def klass(self, kind: type) -> type:
        """A class of the same name whose bases and methods are those of the other engine."""
        body = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
        made = type(kind.__name__, tuple(self.code(base) for base in kind.__bases__), body)
        self.done[id(kind)] = kind, made
        for name, value in vars(kind).items():
            if isinstance(value, types.FunctionType):
                setattr(made, name, self.function(value))
            elif not name.startswith("__"):
                setattr(made, name, value)
        return made

    def function(self, f: types.FunctionType) -> types.FunctionType:
        """The same code, whose global names mean the other engine."""
        names = {**f.__globals__}
        for name in names_of(f.__code__) & names.keys():
            value = names[name]
            if isinstance(value, types.ModuleType | type | types.FunctionType):
                names[name] = self(value) if value is not f else value
        cells = tuple(types.CellType() for _ in f.__closure__ or ())
        made = types.FunctionType(f.__code__, names, f.__name__, f.__defaults__, cells)
        made.__kwdefaults__ = f.__kwdefaults__
        for cell, own in zip(cells, f.__closure__ or (), strict=True):
            held = own.cell_contents
            cell.cell_contents = self(held) if isinstance(held, type) else held
        return made


def names_of(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*(names_of(c) for c in inner))


def arguments(layer: Any, kind: type) -> dict[str, Any]:
    """What to call the constructor with, read from the attributes of the same names."""
    given = {}
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name in ("self", "device", "dtype") or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if name == "bias":
            given[name] = getattr(layer, "bias", None) is not None
        elif hasattr(layer, name) and not isinstance(getattr(layer, name), Tensor):
            given[name] = getattr(layer, name)
    return given
