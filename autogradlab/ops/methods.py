"""The functions become methods and operators of `Tensor`."""

from __future__ import annotations

import functools
import operator as operators
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import derivatives, dtypes, inplace, straight
from ..tensor import Tensor
from . import einsum, elementwise, indexing, linalg, norms, products, reductions, shapes
from .arguments import Number


def operator(
    symbol: str, function: Callable[..., Tensor], flip: bool = False
) -> Callable[..., Any]:
    """A function as a Python operator: it steps aside for operands that are no tensors or "
    "numbers."""

    def method(self: Tensor, other: Any) -> Any:
        if not isinstance(other, Tensor | Number | np.generic):
            return NotImplemented
        return function(other, self) if flip else function(self, other)

    method.__name__ = symbol
    return method


def contains(self: Tensor, element: Any) -> bool:
    """`element in tensor`: whether a number, or any of a tensor's that broadcasts, is in it."""
    if not isinstance(element, Tensor | Number):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )
    return (element == self).any().item()


FAMILIES = (elementwise, reductions, shapes, indexing, products, einsum, linalg, norms)
OPERATORS = """
add:add sub:sub mul:mul truediv:div pow:pow matmul:matmul radd:add rmul:mul rsub:rsub rtruediv:rdiv
mod:remainder floordiv:floor_divide rdiv:rdiv
eq:eq ne:ne lt:lt le:le gt:gt ge:ge and:bitwise_and or:bitwise_or xor:bitwise_xor
lshift:bitwise_left_shift rshift:bitwise_right_shift
rand:bitwise_and ror:bitwise_or rxor:bitwise_xor
"""
FLIPPED = """
rmatmul:matmul rpow:pow rfloordiv:floor_divide rmod:remainder
rlshift:bitwise_left_shift rrshift:bitwise_right_shift
"""
STRAIGHT = (
    ("__add__", "add", operators.add),
    ("__sub__", "sub", operators.sub),
    ("__mul__", "mul", operators.mul),
    ("__truediv__", "div", operators.truediv),
)
IN_PLACE_OPERATORS = """
add:add_ sub:sub_ mul:mul_ truediv:div_ pow:pow_ floordiv:floor_divide_ mod:remainder_
and:bitwise_and_ or:bitwise_or_ xor:bitwise_xor_
lshift:bitwise_left_shift_ rshift:bitwise_right_shift_
"""
OTHER_NAMES = """
subtract:sub multiply:mul divide:div true_divide:div absolute:abs negative:neg clip:clamp fix:trunc
arccos:acos arccosh:acosh arcsin:asin arcsinh:asinh arctan:atan arctan2:atan2 arctanh:atanh
"""
ALIASES = dict(pair.split(":") for pair in OTHER_NAMES.split())


def attach() -> None:
    """Give `Tensor` its methods and operators."""
    found: dict[str, Callable[..., Any]] = {}
    for family in FAMILIES:
        found |= vars(family)
        for name in family.METHODS.split():
            setattr(Tensor, name, found[name])
        for name in family.IN_PLACE.split():
            setattr(Tensor, f"{name}_", inplace.in_place(found[name]))
    for pair in OPERATORS.split():
        symbol, _, name = pair.partition(":")
        setattr(Tensor, f"__{symbol}__", operator(symbol, found[name]))
    for symbol, name, compute in STRAIGHT:
        usual = getattr(Tensor, symbol)
        setattr(Tensor, symbol, straight.binary(getattr(derivatives, name), compute, usual))
    for pair in IN_PLACE_OPERATORS.split():
        symbol, _, name = pair.partition(":")
        setattr(Tensor, f"__i{symbol}__", operator(symbol, getattr(Tensor, name)))
    for name, of in ALIASES.items():
        setattr(Tensor, name, found[of])
        if hasattr(Tensor, f"{of}_"):
            setattr(Tensor, f"{name}_", getattr(Tensor, f"{of}_"))
    for pair in FLIPPED.split():
        symbol, _, name = pair.partition(":")
        setattr(Tensor, f"__{symbol}__", operator(symbol, found[name], flip=True))
    Tensor.__neg__, Tensor.__abs__, Tensor.__pos__ = found["neg"], found["abs"], found["positive"]
    Tensor.__invert__ = found["bitwise_not"]
    Tensor.__getitem__, Tensor.__setitem__ = indexing.getitem, inplace.setitem
    Tensor.__iter__, Tensor.__contains__ = indexing.iterate, contains
    Tensor.__reversed__ = lambda self: self.flip(0) if self.ndim else self
    Tensor.T, Tensor.mT = property(shapes.reversed_dims), property(shapes.matrix_transpose)
    Tensor.type = shapes.type_
    Tensor.where = lambda self, condition, other: elementwise.where(condition, self, other)
    Tensor.copy_ = inplace.copy_
    for kind in ("half", "float", "double", "short", "int", "long", "bool"):
        setattr(Tensor, kind, functools.partialmethod(shapes.to, getattr(dtypes, kind)))


attach()
