"""Dual numbers: a value and its tangent, the array kind of forward mode.

An operation on duals computes on the values and sends the tangents through its `jvp` rule. The
boundary is three primitives, `make_dual`, `primal_of` and `tangent_of`, recorded like any other, so
that reverse mode goes through forward mode: the gradient of a dual `p + t·ε` is a dual `g` such
that the coefficient of ε in `g·(p + t·ε)` is what changes the loss.

Source: Griewank & Walther, Evaluating Derivatives, chapters 2 and 13.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import errors
from ..modes import modes
from ..primitive import Boundary, Primitive
from ..tensor import Tensor, wrap
from . import Lifted, Shape, layer_of, levels_of, without_tangents


class Dual(Lifted):
    """`primal + tangent·ε` at a level; both have the same shape and dtype."""

    __slots__ = ("given", "primal", "tangent")

    def __init__(self, primal: Any, tangent: Any, level: int, adjoint: bool = False) -> None:
        self.primal, self.tangent, self.level, self.dtype = primal, tangent, level, primal.dtype
        self.adjoint = adjoint
        self.given: Tensor | None = None  # the tangent as the tensor it was made with
        levels = levels_of(primal.shape) | levels_of(tangent.shape) | {level}
        self.shape = Shape(primal.shape, levels)

    def without_tangents(self) -> Any:
        return without_tangents(self.primal)

    def parts(self) -> tuple[Any, Any]:
        return self.primal, self.tangent

    def item(self) -> Any:
        return self.primal.item()

    def describe(self) -> str:
        """How a tensor that holds this is printed."""
        value, tangent = repr(wrap(self.primal)), repr(wrap(self.tangent))
        return f"{value[:-1]}, tangent={tangent})"

    def tolist(self) -> Any:
        return self.primal.tolist()

    def lift(self, primitive: Primitive, arrays: list[Any], constants: dict[str, Any]) -> Any:
        """The operation on duals of this level."""
        level = self.level
        parts = [split(x, level) for x in arrays]
        primals, tangents = [p for p, _ in parts], [t for _, t in parts]
        adjoint = any([t is not None and x.adjoint for x, t in zip(arrays, tangents, strict=True)])
        constants = {name: split(x, level)[0] for name, x in constants.items()}
        result = primitive.compute(primals, constants)
        if primitive.jvp is None or all([t is None for t in tangents]):
            return result
        with quiet():
            made = push(primitive, primals, tangents, constants, result)
        if not primitive.multiple:
            return joined(result, made, level, adjoint)
        return tuple(joined(x, t, level, adjoint) for x, t in zip(result, made, strict=True))


def split(x: Any, level: int) -> tuple[Any, Any]:
    """Value and tangent at a level; None for the tangent of anything else."""
    return (x.primal, x.tangent) if x.__class__ is Dual and x.level == level else (x, None)


def joined(result: Any, tangent: Any, level: int, adjoint: bool) -> Any:
    """A result with its tangent, of the same shape and dtype; a result that can have none alone."""
    if result.dtype.kind != "f":
        return result
    t = tangent.array if isinstance(tangent, Tensor) else tangent
    if not hasattr(t, "dtype"):  # None, or a number
        t = zeros_like(result) if t is None else np.asarray(t)
    if not tuple.__eq__(t.shape, result.shape):
        from ..derivatives import expand

        t = expand.compute([t], {"shape": tuple(result.shape)})
    return Dual(result, t if t.dtype is result.dtype else t.astype(result.dtype), level, adjoint)


def push(
    primitive: Primitive,
    primals: list[Any],
    tangents: list[Any],
    constants: dict[str, Any],
    result: Any,
) -> Any:
    """The tangent of the result, by the primitive's `jvp` rule: an array, or a tensor."""
    rule = primitive.jvp
    if rule == "linear":
        return primitive.compute(list(map(or_zero, tangents, primals)), constants)
    if rule == "bilinear":
        return total([
            primitive.compute([*primals[:i], t, *primals[i + 1 :]], constants)
            for i, t in enumerate(tangents)
            if t is not None
        ])  # fmt: skip
    values, moves = list(map(tensor_of, primals)), list(map(tensor_of, tangents))
    known = {**primitive.defaults, **constants}
    for name, value in zip(primitive.formulas, values, strict=False):
        known[name], known[f"{name}_shape"] = value, getattr(value, "shape", ())
    known["result"] = tuple(map(wrap, result)) if primitive.multiple else wrap(result)
    if rule == "elementwise":  # the Jacobian is diagonal, so the reverse rule is also the forward
        return total([
            formula(t, *(known[need] for need in primitive.needs[name]))
            for (name, formula), t in zip(primitive.formulas.items(), moves, strict=True)
            if t is not None
        ])  # fmt: skip
    moves = list(map(tensor_of, map(or_zero, tangents, primals)))
    for name, t in zip(primitive.formulas, moves, strict=False):
        known[f"{name}_t"] = t
    if primitive.variadic:
        name = next(iter(primitive.formulas))
        known[name], known[f"{name}_t"] = values, moves
    return rule(**{need: known[need] for need in primitive.jvp_needs})


def total(terms: list[Any]) -> Any:
    out = terms[0]
    for term in terms[1:]:
        out = out + term
    return out


def or_zero(tangent: Any, value: Any) -> Any:
    """The tangent, or zeros like the value (0 for a Python number, None for no input)."""
    if tangent is not None or value is None:
        return tangent
    return zeros_like(value) if hasattr(value, "dtype") else type(value)(0)


def tensor_of(x: Any) -> Any:
    """An array as a tensor, for a formula; a number or None is handed through."""
    return wrap(x) if hasattr(x, "dtype") else x


def zeros_like(array: Any) -> np.ndarray:
    return np.zeros(tuple(array.shape), array.dtype)


class quiet:
    """Inside, nothing is recorded: the tape has recorded the operation on duals as a whole."""

    def __enter__(self) -> None:
        self.before, modes.grad_enabled = modes.grad_enabled, False

    def __exit__(self, *exception: object) -> None:
        modes.grad_enabled = self.before


# ------------------------------------------------------------------------------------- boundary


def _part(name: str) -> Callable[..., Any]:
    def take(self: Any, *, level: int) -> Any:
        if isinstance(self, Dual) and self.level == level:
            return getattr(self, name)
        return self if name == "primal" else zeros_like(self)

    return take


def adjoint(g: Any, level: int) -> bool | None:
    """Whether a gradient has come into the level from outside; False: it is a dual by itself, as
    where reverse mode runs inside forward mode, and is handed on whole. None: it is no dual."""
    layer = layer_of(getattr(g, "array", g), level)
    return None if layer is None else layer.adjoint


def leave(g: Any, level: int, part: str) -> Any:
    """The gradient of one part of a dual, given that of the dual."""
    if adjoint(g, level):
        return tangent_of(g, level=level) if part == "primal" else primal_of(g, level=level)
    if part == "primal":
        return g
    value = primal_of(g, level=level)
    return make_dual(value * 0.0, value, level=level)


def enter(g: Any, level: int, part: str) -> Any:
    """The gradient of a dual, given that of one of its parts."""
    if adjoint(g, level) is False:
        return g if part == "primal" else g * 0.0
    parts = (g * 0.0, g) if part == "primal" else (g, g * 0.0)
    return make_dual(*parts, level=level, adjoint=True)


make_dual = Boundary(
    "MakeDualBackward0",
    lambda self, tangent, *, level, adjoint=False: Dual(self, tangent, level, adjoint),
    self=lambda g, level: leave(g, level, "primal"),
    tangent=lambda g, level: leave(g, level, "tangent"),
    jvp="linear",
    batch="elementwise",
)
primal_of = Boundary(
    "UnpackDualBackward0",
    _part("primal"),
    self=lambda g, level: enter(g, level, "primal"),
    jvp="linear",
    batch="elementwise",
)
tangent_of = Boundary(
    "UnpackDualBackward0",
    _part("tangent"),
    self=lambda g, level: enter(g, level, "tangent"),
    jvp="linear",
    batch="elementwise",
)


def paired(x: Tensor, tangent: Tensor, level: int) -> Tensor:
    """A tensor with a tangent of its shape, cast to its dtype."""
    for name, given in (("primal", x), ("tangent", tangent)):
        if not given.is_floating_point():
            raise ValueError(errors.not_floating(name, given.dtype))
    if tuple(x.shape) != tuple(tangent.shape):
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(x.shape)} while the given "
            f"forward gradient is of size {list(tangent.shape)}."
        )
    return make_dual(x, tangent.to(x.dtype), level=level)
