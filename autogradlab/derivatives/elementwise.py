"""Arithmetic and functions element by element. The engine sums away what broadcasting added."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes, errors
from ..primitive import Primitive

__all__ = [
    "abs_",
    "add",
    "clone",
    "copy_to",
    "cos",
    "div",
    "exp",
    "log",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "pow_number",
    "pow_tensor",
    "reciprocal",
    "relu",
    "rpow_number",
    "rsub_number",
    "rsub_tensor",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "sub",
    "tanh",
    "where",
]


def arithmetic(operands: list[Any]) -> list[Any]:
    """The operands in the type torch computes in, not always NumPy's choice."""
    if len(operands) == 2:
        a, b = operands
        if type(b) is float and getattr(a, "dtype", None) in (np.float32, np.float64):
            return operands
        if getattr(a, "dtype", None) is getattr(b, "dtype", 0):
            return broadcastable(operands)
    to = dtypes.result_type(*operands)
    return broadcastable(
        [x if getattr(x, "dtype", None) is to else np.asarray(x).astype(to)[()] for x in operands]
    )


def floating(operands: list[Any]) -> list[Any]:
    """As `arithmetic`, and integers become the default floating-point type."""
    operands = arithmetic(operands)
    return [
        x.astype(dtypes.default) if getattr(x, "dtype", dtypes.default).kind in "biu" else x
        for x in operands
    ]


def broadcastable(operands: list[Any]) -> list[Any]:
    """The operands, or torch's error if their shapes do not broadcast."""
    shapes = [np.shape(x) for x in operands]
    for shape in shapes[1:]:
        if shape != shapes[0] and shape and shapes[0]:
            try:
                np.broadcast_shapes(shapes[0], shape)
            except ValueError:
                raise RuntimeError(errors.broadcast(shapes[0], shape)) from None
    return operands


def scaled(g: Any, alpha: float) -> Any:
    return g if alpha == 1 else g * alpha


def safe_log(x: Any, where_finite: Any) -> Any:
    """log(x) where the condition holds, 0 elsewhere."""
    return where(log(x), 0.0, condition=where_finite)


def pow_value(base: Any, exponent: float) -> Any:
    to = dtypes.result_type(base, exponent)
    if to.kind in "iu" and exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return np.power(base.astype(to, copy=False), exponent).astype(to, copy=False)[()]


# ------------------------------------------------------------------------------------ arithmetic

add = Primitive(
    "AddBackward0",
    lambda self, other, *, alpha=1: np.add(self, scaled(other, alpha)),
    promote=arithmetic,
    self=lambda g: g,
    other=lambda g, alpha: scaled(g, alpha),
)
sub = Primitive(
    "SubBackward0",
    lambda self, other, *, alpha=1: np.subtract(self, scaled(other, alpha)),
    promote=arithmetic,
    self=lambda g: g,
    other=lambda g, alpha: -scaled(g, alpha),
)
rsub_number = Primitive(
    "RsubBackward1",
    lambda self, *, other, alpha=1: sub(*arithmetic([other, self]), alpha=alpha),
    self=lambda g, alpha: -scaled(g, alpha),
)
rsub_tensor = Primitive(
    "RsubBackward0",
    lambda self, other, *, alpha=1: np.subtract(other, scaled(self, alpha)),
    promote=arithmetic,
    self=lambda g, alpha: -scaled(g, alpha),
    other=lambda g: g,
)
mul = Primitive(
    "MulBackward0",
    np.multiply,
    promote=arithmetic,
    self=lambda g, other: g * other,
    other=lambda g, self: g * self,
)
div = Primitive(
    "DivBackward0",
    np.divide,
    promote=floating,
    self=lambda g, other: g / other,
    other=lambda g, self, other: -g * (self / other / other),
)
neg = Primitive("NegBackward0", np.negative, self=lambda g: -g)
reciprocal = Primitive(
    "ReciprocalBackward0",
    lambda self: 1 / self,
    promote=floating,
    self=lambda g, result: -g * (result * result),
)
pow_number = Primitive(
    "PowBackward0",
    lambda self, *, exponent: pow_value(self, exponent),
    self=lambda g, self, exponent: g * (exponent * self ** (exponent - 1)) if exponent else g * 0.0,
)
pow_tensor = Primitive(
    "PowBackward1",
    np.power,
    promote=arithmetic,
    self=lambda g, self, exponent: (
        g * where(exponent * self ** (exponent - 1), 0.0, condition=exponent != 0)
    ),
    exponent=lambda g, self, result, exponent: (
        g * result * safe_log(self, (self != 0) | (exponent < 0))
    ),
)
rpow_number = Primitive(
    "PowBackward2",
    lambda exponent, *, self: np.power(*arithmetic([np.asarray(self)[()], exponent])),
    exponent=lambda g, self, result, exponent: (
        g * where(result * float(np.log(np.float64(self))), 0.0, condition=exponent < 0)
        if self == 0
        else g * result * float(np.log(np.float64(self)))
    ),
)

# --------------------------------------------------------------------- functions of one number

exp = Primitive("ExpBackward0", np.exp, promote=floating, self=lambda g, result: g * result)
log = Primitive("LogBackward0", np.log, promote=floating, self=lambda g, self: g / self)
sin = Primitive("SinBackward0", np.sin, promote=floating, self=lambda g, self: g * cos(self))
cos = Primitive("CosBackward0", np.cos, promote=floating, self=lambda g, self: -g * sin(self))
tanh = Primitive(
    "TanhBackward0", np.tanh, promote=floating, self=lambda g, result: g * (1 - result * result)
)
sigmoid = Primitive(
    "SigmoidBackward0",
    lambda self: 1 / (1 + np.exp(-self)),
    promote=floating,
    self=lambda g, result: g * ((1 - result) * result),
)
sqrt = Primitive(
    "SqrtBackward0", np.sqrt, promote=floating, self=lambda g, result: g / (2 * result)
)
relu = Primitive(
    "ReluBackward0",
    lambda self: np.where(self <= 0, self.dtype.type(0), self),
    self=lambda g, result: where(0.0, g, condition=result <= 0),
)
abs_ = Primitive("AbsBackward0", np.absolute, self=lambda g, self: g * sign(self))
sign = Primitive("SignBackward0", np.sign, self=lambda g: g * 0.0)

# ------------------------------------------------------------------------------ choice and copies

where = Primitive(
    "WhereBackward0",
    lambda self, other, *, condition: np.where(condition, self, other),
    promote=arithmetic,
    arrays=("condition",),
    self=lambda g, condition: where(g, 0.0, condition=condition),
    other=lambda g, condition: where(0.0, g, condition=condition),
)
maximum = Primitive(
    "MaximumBackward0",
    np.maximum,
    promote=arithmetic,
    self=lambda g, self, other: where(
        g / 2, where(g, 0.0, condition=self > other), condition=self == other
    ),
    other=lambda g, self, other: where(
        g / 2, where(g, 0.0, condition=other > self), condition=self == other
    ),
)
minimum = Primitive(
    "MinimumBackward0",
    np.minimum,
    promote=arithmetic,
    self=lambda g, self, other: where(
        g / 2, where(g, 0.0, condition=self < other), condition=self == other
    ),
    other=lambda g, self, other: where(
        g / 2, where(g, 0.0, condition=other < self), condition=self == other
    ),
)
clone = Primitive("CloneBackward0", lambda self: self.copy(), self=lambda g: g)
copy_to = Primitive("ToCopyBackward0", lambda self, *, dtype: self.astype(dtype), self=lambda g: g)
