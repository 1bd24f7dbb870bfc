"""Arithmetic and functions element by element. The engine sums away what broadcasting added."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log as ln
from math import pi
from typing import Any

import numpy as np

from .. import dtypes, errors
from ..primitive import Primitive
from .error_function import erf as erf_value
from .error_function import erfc as erfc_value

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def arithmetic(operands: list[Any]) -> list[Any]:
    """The operands in the type torch computes in, not always NumPy's choice."""
    if len(operands) == 2:
        a, b = operands
        kind = getattr(a, "dtype", None)
        if type(b) is float and kind in FLOATS:
            return operands
        if kind is getattr(b, "dtype", 0):
            return operands if tuple.__eq__(a.shape, b.shape) else broadcastable(operands)
    to = dtypes.result_type(*operands)
    return broadcastable(
        [
            x
            if getattr(x, "dtype", None) is to
            else (x if hasattr(x, "dtype") else np.asarray(x)).astype(to)[()]
            for x in operands
        ]
    )


def clamping(operands: list[Any]) -> list[Any]:
    """As `arithmetic`, for operands of which some may be None."""
    given = iter(arithmetic([x for x in operands if x is not None]))
    return [None if x is None else next(given) for x in operands]


def floating(operands: list[Any]) -> list[Any]:
    """As `arithmetic`, and integers become the default floating-point type."""
    operands = arithmetic(operands)
    return [
        x.astype(dtypes.default) if getattr(x, "dtype", dtypes.default).kind in "biu" else x
        for x in operands
    ]


def broadcastable(operands: list[Any]) -> list[Any]:
    """The operands, or torch's error if their shapes do not broadcast."""
    whole, *shapes = [np.shape(x) for x in operands]
    for shape in shapes:
        if shape != whole and shape:
            try:
                whole = np.broadcast_shapes(whole, shape)
            except ValueError:
                raise RuntimeError(errors.broadcast(whole, shape)) from None
    return operands


def scaled(g: Any, alpha: float) -> Any:
    return g if alpha == 1 else g * alpha


WORDS = {4: np.int32, 8: np.int64}  # integers of a float's size


def chosen(self: Any, other: Any, *, condition: Any) -> Any:
    """`np.where`; a float array and the number 0.0 go through `kept`."""
    if other.__class__ is float and can_mask(self, other, condition):
        return kept(self, condition)
    if self.__class__ is float and can_mask(other, self, condition):
        return kept(other, np.logical_not(condition))
    return np.where(condition, self, other)[()]


def can_mask(x: Any, zero: float, condition: Any) -> bool:
    if not (x.__class__ is condition.__class__ is np.ndarray and x.ndim and x.dtype in FLOATS):
        return False
    return x.shape == condition.shape and str(zero) == "0.0"  # not -0.0


def kept(x: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """`x` where the condition holds, 0 elsewhere, by masking bits: `np.where` branches, and takes
    twenty times as long where nobody can predict which way, as behind a relu; a product with the
    condition would make nan of inf."""
    word = WORDS[x.itemsize]
    bits = np.negative(keep.view(np.int8)).astype(word)  # all bits set where it holds
    return np.bitwise_and(bits, x.view(word), out=bits).view(x.dtype)


def masked(g: Any, keep: Any) -> Any:
    """The gradient where the condition holds, 0 elsewhere."""
    return where(g, 0.0, condition=keep)


def shared(g: Any, loses: Any, ties: Any) -> Any:
    """The gradient of the larger (or smaller) of two: half where they are equal."""
    return where(g / 2, where(0.0, g, condition=loses), condition=ties)


def pow_value(base: Any, exponent: float) -> Any:
    to = dtypes.result_type(base, exponent)
    if to.kind in "iu" and exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return np.power(base.astype(to, copy=False), exponent).astype(to, copy=False)[()]


def clamped(x: Any, low: Any, high: Any) -> Any:
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def inside(x: Any, low: Any, high: Any) -> Any:
    """Where clamping changes nothing, the bounds included."""
    if low is None or high is None:
        return x <= high if low is None else x >= low
    return (x >= low) & (x <= high)


def whole(rounding: Any) -> Any:
    """A rounding that leaves integers as they are."""
    return lambda self: rounding(self) if self.dtype.kind == "f" else self.copy()


def divided(a: Any, b: Any, rounding_mode: str) -> Any:
    if rounding_mode == "floor":
        return np.floor_divide(nonzero(a, b), b)
    return np.trunc(a / b).astype(a.dtype)[()]


def nonzero(a: Any, b: Any) -> Any:
    """`a`, to be divided by `b`: integers have no infinity."""
    if a.dtype.kind in "biu" and not np.all(b):
        raise RuntimeError("ZeroDivisionError")
    return a


def logit_value(x: Any, eps: float | None) -> Any:
    x = x if eps is None else np.clip(x, eps, 1 - eps)
    return np.log(x / (1 - x))


def logit_slope(g: Any, x: Any, eps: float | None) -> Any:
    """0 where clamping to [eps, 1 - eps] has cut the input off, nan outside [0, 1]."""
    low, high, outside = (0.0, 1.0, np.nan) if eps is None else (eps, 1 - eps, 0.0)
    return where(g / (x * (1 - x)), outside, condition=inside(x, low, high))


def between(start: Any, end: Any, weight: Any) -> Any:
    """`start + weight * (end - start)`, counted from the nearer end, so that weight 1 is exact."""
    near = start + weight * (end - start)
    return np.where(np.abs(weight) < 0.5, near, end - (end - start) * (1 - weight))[()]


def inverse_square(x: Any, y: Any) -> Any:
    """1 / (x² + y²), and 0 at the origin."""
    square = x * x + y * y
    return masked(1 / square, square != 0)


def xlogy_value(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0, x * np.log(y))[()]


def unknown(name: str) -> Any:
    raise RuntimeError(f"derivative for aten::{name} is not implemented")


def unknown_forward(name: str) -> Any:
    raise NotImplementedError(
        f"Trying to use forward AD with aten::{name} that does not support it."
    )


# Three kinds of declaration: of any types, of arithmetic on two, of functions that give floats.
pointwise = partial(Primitive, jvp="elementwise", batch="elementwise")
binary = partial(pointwise, promote=arithmetic)
smooth = partial(pointwise, promote=floating)

# No gradient, also none of a higher order.
zeros = Primitive("Zeros", lambda self: np.zeros_like(self)[()], batch="elementwise")

# ------------------------------------------------------------------------------------ arithmetic

add = binary(
    "AddBackward0",
    lambda self, other, *, alpha=1: np.add(self, scaled(other, alpha)),
    jvp="linear",
    self=lambda g: g,
    other=lambda g, alpha: scaled(g, alpha),
)
sub = binary(
    "SubBackward0",
    lambda self, other, *, alpha=1: np.subtract(self, scaled(other, alpha)),
    jvp="linear",
    self=lambda g: g,
    other=lambda g, alpha: -scaled(g, alpha),
)
rsub_number = pointwise(
    "RsubBackward1",
    lambda self, *, other, alpha=1: sub.forward(*arithmetic([other, self]), alpha=alpha),
    self=lambda g, alpha: -scaled(g, alpha),
)
rsub_tensor = binary(
    "RsubBackward0",
    lambda self, other, *, alpha=1: np.subtract(other, scaled(self, alpha)),
    jvp="linear",
    self=lambda g, alpha: -scaled(g, alpha),
    other=lambda g: g,
)
mul = binary(
    "MulBackward0",
    np.multiply,
    jvp="bilinear",
    self=lambda g, other: g * other,
    other=lambda g, self: g * self,
)
div = smooth(
    "DivBackward0",
    np.divide,
    self=lambda g, other: g / other,
    other=lambda g, self, other: -g * (self / other / other),
)
div_whole = binary(
    "DivBackward2",
    lambda self, other, *, rounding_mode: divided(self, other, rounding_mode),
    self=lambda g, other: zeros(g / other),  # the values do not matter: torch saves them too
    other=lambda g, self, other: zeros(g * self / other),
)
floor_divide = binary(
    "torch::autograd::NotImplemented",
    lambda self, other: divided(self, other, "floor"),
    jvp=lambda: unknown_forward("floor_divide"),
    self=lambda g: unknown("floor_divide"),
    other=lambda g: unknown("floor_divide"),
)
floor_divide_number = pointwise(
    "torch::autograd::NotImplemented",
    lambda self, *, other: divided(self, other, "floor"),
    jvp=lambda: unknown_forward("floor_divide"),
    self=lambda g: unknown("floor_divide"),
)
fmod_number = pointwise(
    "FmodBackward0", lambda self, *, other: np.fmod(nonzero(self, other), other), self=lambda g: g
)
fmod = binary(
    "FmodBackward1",
    lambda self, other: np.fmod(nonzero(self, other), other),
    self=lambda g: g,
    other=lambda g, self, other: -g * div_whole(self, other, rounding_mode="trunc"),
)
remainder_number = pointwise(
    "RemainderBackward0",
    lambda self, *, other: np.remainder(nonzero(self, other), other),
    self=lambda g: g,
)
remainder = binary(
    "RemainderBackward1",
    lambda self, other: np.remainder(nonzero(self, other), other),
    self=lambda g: g,
    other=lambda g, self, other: -g * div_whole(self, other, rounding_mode="floor"),
)
number_remainder = pointwise(  # of a number by a tensor: torch knows no derivative
    "torch::autograd::NotImplemented",
    lambda self, *, number: np.remainder(nonzero(number, self), self),
    jvp=lambda: unknown_forward("remainder"),
    self=lambda g: unknown("remainder"),
)
number_floor_divide = pointwise(
    "torch::autograd::NotImplemented",
    lambda self, *, number: divided(number, self, "floor"),
    jvp=lambda: unknown_forward("floor_divide"),
    self=lambda g: unknown("floor_divide"),
)
neg = pointwise("NegBackward0", np.negative, jvp="linear", self=lambda g: -g)
reciprocal = smooth(
    "ReciprocalBackward0", lambda self: 1 / self, self=lambda g, result: -g * (result * result)
)
pow_number = pointwise(
    "PowBackward0",
    lambda self, *, exponent: pow_value(self, exponent),
    self=lambda g, self, exponent: (
        g * (exponent * self ** (exponent - 1)) if exponent else zeros(g)
    ),
)
pow_tensor = binary(
    "PowBackward1",
    np.power,
    self=lambda g, self, exponent: masked(g * (exponent * self ** (exponent - 1)), exponent != 0),
    exponent=lambda g, self, result, exponent: (
        g * result * masked(log(self), (self != 0) | (exponent < 0))
    ),
)
rpow_number = pointwise(
    "PowBackward2",
    lambda exponent, *, self: np.power(*arithmetic([np.asarray(self)[()], exponent])),
    exponent=lambda g, self, result, exponent: (
        g * masked(result * float(np.log(np.float64(self))), exponent < 0)
        if self == 0
        else g * result * float(np.log(np.float64(self)))
    ),
)
lerp_number = pointwise(
    "LerpBackward0",
    lambda self, end, *, weight: between(self, end, weight),
    jvp="linear",
    self=lambda g, weight: g * (1 - weight),
    end=lambda g, weight: g * weight,
)
lerp = pointwise(
    "LerpBackward1",
    lambda self, end, weight: between(self, end, weight),
    self=lambda g, weight: g * (1 - weight),
    end=lambda g, weight: g * weight,
    weight=lambda g, self, end: g * (end - self),
)
addcmul = binary(
    "AddcmulBackward0",
    lambda self, tensor1, tensor2, *, value=1: self + scaled(tensor1 * tensor2, value),
    self=lambda g: g,
    tensor1=lambda g, tensor2, value: g * scaled(tensor2, value),
    tensor2=lambda g, tensor1, value: g * scaled(tensor1, value),
)
addcdiv = binary(
    "AddcdivBackward0",
    lambda self, tensor1, tensor2, *, value=1: self + scaled(tensor1 / tensor2, value),
    self=lambda g: g,
    tensor1=lambda g, tensor2, value: g * (value / tensor2),
    tensor2=lambda g, tensor1, tensor2, value: -g * (value * tensor1 / (tensor2 * tensor2)),
)

# --------------------------------------------------------------------- functions of one number

exp = smooth("ExpBackward0", np.exp, self=lambda g, result: g * result)
exp2 = smooth("Exp2Backward0", np.exp2, self=lambda g, result: g * result * ln(2))
expm1 = smooth("Expm1Backward0", np.expm1, self=lambda g, result: g * (result + 1))
log = smooth("LogBackward0", np.log, self=lambda g, self: g / self)
log2 = smooth("Log2Backward0", np.log2, self=lambda g, self: g / (self * ln(2)))
log10 = smooth("Log10Backward0", np.log10, self=lambda g, self: g / (self * ln(10)))
log1p = smooth("Log1PBackward0", np.log1p, self=lambda g, self: g / (self + 1))
sqrt = smooth("SqrtBackward0", np.sqrt, self=lambda g, result: g / (2 * result))
rsqrt = smooth(
    "RsqrtBackward0", lambda self: 1 / np.sqrt(self), self=lambda g, result: -0.5 * g * result**3
)
sin = smooth("SinBackward0", np.sin, self=lambda g, self: g * cos(self))
cos = smooth("CosBackward0", np.cos, self=lambda g, self: -g * sin(self))
tan = smooth("TanBackward0", np.tan, self=lambda g, result: g * (1 + result * result))
asin = smooth("AsinBackward0", np.arcsin, self=lambda g, self: g * rsqrt(1 - self * self))
acos = smooth("AcosBackward0", np.arccos, self=lambda g, self: -g * rsqrt(1 - self * self))
atan = smooth("AtanBackward0", np.arctan, self=lambda g, self: g / (self * self + 1))
sinh = smooth("SinhBackward0", np.sinh, self=lambda g, self: g * cosh(self))
cosh = smooth("CoshBackward0", np.cosh, self=lambda g, self: g * sinh(self))
tanh = smooth("TanhBackward0", np.tanh, self=lambda g, result: g * (1 - result * result))
asinh = smooth("AsinhBackward0", np.arcsinh, self=lambda g, self: g * rsqrt(self * self + 1))
acosh = smooth("AcoshBackward0", np.arccosh, self=lambda g, self: g * rsqrt(self * self - 1))
atanh = smooth("AtanhBackward0", np.arctanh, self=lambda g, self: g / (1 - self * self))
sigmoid = smooth(
    "SigmoidBackward0",
    lambda self: 1 / (1 + np.exp(-self)),
    self=lambda g, result: g * ((1 - result) * result),
)
logit = smooth(
    "LogitBackward0",
    lambda self, *, eps=None: logit_value(self, eps),
    self=lambda g, self, eps: logit_slope(g, self, eps),
)
erf = smooth(
    "ErfBackward0", erf_value, self=lambda g, self: g * (2 / pi**0.5 * exp(-(self * self)))
)
erfc = smooth(
    "ErfcBackward0", erfc_value, self=lambda g, self: g * (-2 / pi**0.5 * exp(-(self * self)))
)
relu = pointwise(
    "ReluBackward0",
    lambda self: np.maximum(self, 0),
    self=lambda g, result: where(0.0, g, condition=result <= 0),
)
abs_ = pointwise("AbsBackward0", np.absolute, self=lambda g, self: g * sign(self))
nan_to_num = pointwise(
    "NanToNumBackward0",
    lambda self, *, nan, posinf, neginf: np.nan_to_num(self, nan=nan, posinf=posinf, neginf=neginf),
    self=lambda g, self: g * (abs_(self) < np.inf),
)

# ----------------------------------------------------------------------- functions that are steps

sign = pointwise(
    "SignBackward0",
    # of nan it is 0, as in PyTorch, and so is the slope of its absolute value
    lambda self: (
        np.subtract(self > 0, self < 0, dtype=self.dtype) if self.dtype.kind != "b" else self.copy()
    ),
    self=lambda g: zeros(g),
)
floor = pointwise("FloorBackward0", whole(np.floor), self=lambda g: zeros(g))
ceil = pointwise("CeilBackward0", whole(np.ceil), self=lambda g: zeros(g))
trunc = pointwise("TruncBackward0", whole(np.trunc), self=lambda g: zeros(g))
round_ = pointwise("RoundBackward0", whole(np.rint), self=lambda g: zeros(g))
round_decimals = pointwise(
    "RoundBackward1", lambda self, *, decimals: np.round(self, decimals), self=lambda g: zeros(g)
)

# ------------------------------------------------------------------------ functions of two numbers

atan2 = smooth(
    "Atan2Backward0",
    np.arctan2,
    self=lambda g, self, other: g * other * inverse_square(self, other),
    other=lambda g, self, other: -g * self * inverse_square(self, other),
)
hypot = binary(
    "HypotBackward0",
    np.hypot,
    self=lambda g, self, result: g * (self / result),
    other=lambda g, other, result: g * (other / result),
)
logaddexp = binary(
    "LogaddexpBackward0",
    np.logaddexp,
    self=lambda g, self, other: g / (1 + exp(other - self)),
    other=lambda g, self, other: g / (1 + exp(self - other)),
)
xlogy = smooth(
    "XlogyBackward0",
    lambda self, other: xlogy_value(self, other),
    self=lambda g, self, other: where(0.0, xlogy(g, other), condition=(self == 0) & (other <= 0)),
    other=lambda g, self, other: g * self / other,
)
maximum = binary(
    "MaximumBackward0",
    np.maximum,
    self=lambda g, self, other: shared(g, self < other, self == other),
    other=lambda g, self, other: shared(g, other < self, self == other),
)
minimum = binary(
    "MinimumBackward0",
    np.minimum,
    self=lambda g, self, other: shared(g, self > other, self == other),
    other=lambda g, self, other: shared(g, other > self, self == other),
)

# ------------------------------------------------------------------------------ choice and copies

where = binary(
    "WhereBackward0",
    chosen,
    jvp="linear",
    arrays=("condition",),
    self=lambda g, condition: masked(g, condition),
    other=lambda g, condition: where(0.0, g, condition=condition),
)
clamp_numbers = pointwise(
    "ClampBackward1",
    lambda self, *, min, max: clamped(self, min, max),
    self=lambda g, self, min, max: masked(g, inside(self, min, max)),
)
clamp_min_number = pointwise(
    "ClampMinBackward0",
    lambda self, *, min: np.maximum(self, min),
    self=lambda g, self, min: masked(g, self >= min),
)
clamp_max_number = pointwise(
    "ClampMaxBackward0",
    lambda self, *, max: np.minimum(self, max),
    self=lambda g, self, max: masked(g, self <= max),
)
clamp = pointwise(
    "ClampBackward0",
    clamped,
    promote=clamping,
    self=lambda g, self, min, max: masked(g, inside(self, min, max)),
    min=lambda g, self, min, max: masked(
        g, self < min if max is None else (self < min) & (min < max)
    ),
    max=lambda g, self, min, max: masked(
        g, self > max if min is None else (self > max) | (max < min)
    ),
)
clamp_min = binary(
    "ClampMinBackward1",
    np.maximum,
    self=lambda g, self, min: masked(g, self >= min),
    min=lambda g, self, min: masked(g, self < min),
)
clamp_max = binary(
    "ClampMaxBackward1",
    np.minimum,
    self=lambda g, self, max: masked(g, self <= max),
    max=lambda g, self, max: masked(g, self > max),
)
masked_fill_number = pointwise(
    "MaskedFillBackward0",
    lambda self, *, mask, value: np.where(mask, self.dtype.type(value), self)[()],
    arrays=("mask",),
    self=lambda g, mask: where(0.0, g, condition=mask),
)
masked_fill = pointwise(
    "MaskedFillBackward1",
    lambda self, value, *, mask: np.where(mask, value.astype(self.dtype), self)[()],
    jvp="linear",
    arrays=("mask",),
    self=lambda g, mask: where(0.0, g, condition=mask),
    value=lambda g, mask: masked(g, mask),
)
clone = pointwise(
    "CloneBackward0",
    lambda self: self.copy("C" if 0 in self.strides else "K"),
    jvp="linear",
    self=lambda g: g,
)
copy_to = pointwise(
    "ToCopyBackward0",
    lambda self, *, dtype: self.astype(dtype),
    jvp="linear",
    self=lambda g: g,
)

# ---------------------------------------------- with a number, as torch's own composites have them

add_number = pointwise("AddBackward1", lambda self, *, other: self + other, self=lambda g: g)
sub_number = pointwise("SubBackward1", lambda self, *, other: self - other, self=lambda g: g)
mul_number = pointwise(
    "MulBackward1", lambda self, *, other: self * other, self=lambda g, other: g * other
)
div_number = pointwise(
    "DivBackward1", lambda self, *, other: self / other, self=lambda g, other: g / other
)

# ------------------------------------------------------------- comparison, which has no derivative



def whole(name: str, compute: Callable[..., Any], bools: bool = True) -> Callable[..., Any]:
    """A function of integers, and of bools if it has a meaning for them."""

    def forward(self: Any, other: Any) -> Any:
        kind = np.result_type(self, other)
        if kind.kind not in ("biu" if bools else "iu"):
            text = f"\"{name}_cpu\" not implemented for '{dtypes.scalar_name(kind)}'"
            raise NotImplementedError(text)
        return compute(self, other)

    return forward


def left_shift(self: Any, other: Any) -> Any:
    """`self << other`; beyond the last bit, or backwards, nothing is left."""
    fits = (other >= 0) & (other < bits(self))
    return np.where(fits, np.left_shift(self, np.where(fits, other, 0)), 0).astype(self.dtype)[()]


def right_shift(self: Any, other: Any) -> Any:
    """`self >> other`; beyond the last bit, or backwards, the sign is left."""
    last = bits(self) - (self.dtype.kind == "i")
    fits = (other >= 0) & (other < last)
    places = np.where(fits, other, last).astype(self.dtype)
    return np.right_shift(self, places)


def bits(x: Any) -> int:
    return 8 * x.dtype.itemsize


compare = partial(Primitive, promote=arithmetic, batch="elementwise")
eq, ne = compare("Eq", np.equal), compare("Ne", np.not_equal)
lt, le = compare("Lt", np.less), compare("Le", np.less_equal)
gt, ge = compare("Gt", np.greater), compare("Ge", np.greater_equal)
logical_and = compare("LogicalAnd", np.logical_and)
logical_or = compare("LogicalOr", np.logical_or)
logical_not = compare("LogicalNot", np.logical_not)
bitwise_and = compare("BitwiseAnd", whole("bitwise_and", np.bitwise_and))
bitwise_or = compare("BitwiseOr", whole("bitwise_or", np.bitwise_or))
bitwise_xor = compare("BitwiseXor", whole("bitwise_xor", np.bitwise_xor))
bitwise_left_shift = compare("BitwiseLeftShift", whole("lshift", left_shift, bools=False))
bitwise_right_shift = compare("BitwiseRightShift", whole("rshift", right_shift, bools=False))
bitwise_not = compare("BitwiseNot", np.invert)
isclose = compare(
    "Isclose",
    lambda self, other, *, rtol, atol, equal_nan: np.isclose(self, other, rtol, atol, equal_nan),
)
isnan, isfinite = compare("Isnan", np.isnan), compare("Isfinite", np.isfinite)
isinf = compare("Isinf", np.isinf)

__all__ = [name for name, x in globals().items() if isinstance(x, Primitive)]
