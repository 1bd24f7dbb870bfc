"""Arithmetic, functions of one number, comparison: element by element."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors, straight
from ..inplace import fill_, zero_  # noqa: F401 (offered below)
from ..primitive import parameters
from ..tensor import Tensor, wrap
from .arguments import Number, needs_floats, needs_tensor, operand, to_dtype
from .indexing import places
from .out import into

# What torch and Tensor offer under the same name, and with a trailing _ in place.
ONE_NUMBER = {
    "acos": "The angle from 0 to π whose cosine is `input`.",
    "acosh": "The inverse of cosh.",
    "asin": "The angle from -π/2 to π/2 whose sine is `input`.",
    "asinh": "The inverse of sinh.",
    "atan": "The angle from -π/2 to π/2 whose tangent is `input`.",
    "atanh": "The inverse of tanh.",
    "ceil": "The smallest whole number that is not below `input`.",
    "cos": "The cosine.",
    "cosh": "The hyperbolic cosine.",
    "erf": "The error function, 2/√π times the integral of exp(-t²) from 0 to `input`.",
    "erfc": "1 - erf(input), exact where it is small.",
    "exp": "e to the power of `input`.",
    "exp2": "2 to the power of `input`.",
    "expm1": "exp(input) - 1, exact near 0.",
    "floor": "The largest whole number that is not above `input`.",
    "log": "The natural logarithm.",
    "log10": "The logarithm to base 10.",
    "log1p": "log(1 + input), exact near 0.",
    "log2": "The logarithm to base 2.",
    "reciprocal": "1 / input.",
    "rsqrt": "1 / √input.",
    "sigmoid": "1 / (1 + exp(-input)).",
    "sign": "-1, 0 or 1.",
    "sin": "The sine.",
    "sinh": "The hyperbolic sine.",
    "sqrt": "The square root.",
    "tan": "The tangent.",
    "tanh": "The hyperbolic tangent.",
    "trunc": "`input` without its fraction.",
}
NOT_IN_PLACE = {"acosh", "asinh", "atanh"}  # torch has these, but without a derivative
WRITABLE = f"""
{" ".join(ONE_NUMBER)} abs add addcdiv addcmul atan2 clamp clamp_max clamp_min div floor_divide fmod
hypot lerp logit masked_fill mul nan_to_num neg pow relu remainder round square sub xlogy
bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
"""
BOTH = f"""
{WRITABLE} allclose clone eq equal fill_ ge gt isclose isfinite isinf isnan le logaddexp logical_and
logical_not logical_or lt maximum minimum ne positive zero_
"""
FUNCTIONS = f"{BOTH} fill rsub where"
METHODS = BOTH
IN_PLACE = " ".join({*WRITABLE.split()} - NOT_IN_PLACE)


def unary(name: str, primitive: d.Primitive, words: str) -> Callable[..., Tensor]:
    def function(*args: Any, input: Any = None, out: Tensor | None = None) -> Tensor:
        if out is not None:
            return into(out, function, args, {} if input is None else {"input": input})
        if not args and input is None:
            raise TypeError(f'{name}() missing 1 required positional arguments: "input"')
        return primitive(needs_tensor(function, args[0] if args else input))

    function.__name__, function.__doc__ = name, words
    return function


globals().update({
    name: straight.unary(getattr(d, name), unary(name, getattr(d, name), words))
    for name, words in ONE_NUMBER.items()
})  # fmt: skip


def binary(name: str, primitive: d.Primitive, words: str) -> Callable[..., Tensor]:
    """A function of two tensors or numbers."""

    def function(input: Any, other: Any, **options: Any) -> Tensor:
        a, b = operand(name, input, 1), operand(name, other, 2)
        if not isinstance(a, Tensor) and not isinstance(b, Tensor):
            a = wrap(np.asarray(a, dtypes.number_type(a))[()])
        if options.get("alpha", 0) == 1:
            options = {}
        return primitive(a, b, **options)

    function.__name__, function.__doc__ = name, words
    return function


def binary_of_tensors(
    name: str, primitive: d.Primitive, words: str, integers: builtins.bool = True
) -> Callable[..., Tensor]:
    """A function of two tensors, that may have no version for integers."""

    def function(input: Tensor, other: Tensor) -> Tensor:
        for position, (which, x) in enumerate((("input", input), ("other", other)), 1):
            if not isinstance(x, Tensor):
                raise TypeError(errors.not_a_tensor(name, which, position, x))
        if not integers and "f" not in (input.array.dtype.kind, other.array.dtype.kind):
            needs_floats(f"{name}_cpu", input)
        return primitive(input, other)

    function.__name__, function.__doc__ = name, words
    return function


def with_number(
    name: str, by_tensor: d.Primitive, by_number: d.Primitive, constant: str, words: str
) -> Callable[..., Tensor]:
    """A function of a tensor and of a tensor or number, which torch tells apart."""
    constant = parameters(by_number.forward)[1]

    def function(input: Tensor, other: Any) -> Tensor:
        needs_tensor(function, input)
        if isinstance(operand(name, other, 2), Tensor):
            return by_tensor(input, other)
        return by_number(promoted(input, other), **{constant: other})

    function.__name__, function.__doc__ = name, words
    return function


def promoted(input: Tensor, *numbers: Number | None) -> Tensor:
    """The tensor in the type it has together with numbers."""
    return to_dtype(input, dtypes.result_type(input.array, *(n for n in numbers if n is not None)))


add = binary("add", d.add, "`input + alpha * other`.")
mul = binary("mul", d.mul, "`input * other`.")
maximum = binary_of_tensors("maximum", d.maximum, "The larger of two, nan if one is.")
minimum = binary_of_tensors("minimum", d.minimum, "The smaller of two, nan if one is.")
atan2 = binary_of_tensors("atan2", d.atan2, "The angle of the point (other, input).")
hypot = binary_of_tensors("hypot", d.hypot, "√(input² + other²), without overflow.", False)
logaddexp = binary_of_tensors(
    "logaddexp", d.logaddexp, "log(exp(input) + exp(other)), without overflow.", False
)
xlogy = binary_of_tensors("xlogy", d.xlogy, "`input * log(other)`, and 0 where `input` is 0.")
fmod = with_number(
    "fmod", d.fmod, d.fmod_number, "other", "The remainder, with the sign of `input`."
)
_remainder = with_number("remainder", d.remainder, d.remainder_number, "other", "")
_floor_divide = with_number(
    "floor_divide", d.floor_divide, d.floor_divide_number, "other", ""
)
clamp_min = with_number(
    "clamp_min", d.clamp_min, d.clamp_min_number, "min", "`input`, but at least `min`."
)
clamp_max = with_number(
    "clamp_max", d.clamp_max, d.clamp_max_number, "max", "`input`, but at most `max`."
)
_sub, _div = binary("sub", d.sub, ""), binary("div", d.div, "")
_div_whole = binary("div", d.div_whole, "")


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """`input - alpha * other`."""
    if is_bool(input) and is_bool(other):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    if is_bool(input) or is_bool(other):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
            "trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return _sub(input, other, alpha=alpha)


def remainder(input: Any, other: Any) -> Tensor:
    """`input % other`, with the sign of `other`."""
    if isinstance(input, Number) and isinstance(other, Tensor):
        return of_number(d.number_remainder, input, other)
    return _remainder(input, other)


def floor_divide(input: Any, other: Any) -> Tensor:
    """`input // other`, without a derivative."""
    if isinstance(input, Number) and isinstance(other, Tensor):
        return of_number(d.number_floor_divide, input, other)
    if isinstance(input, Number) and isinstance(other, Number):
        input = wrap(np.asarray(input, dtypes.number_type(input))[()])
    return _floor_divide(input, other)


def of_number(primitive: d.Primitive, number: Number, other: Tensor) -> Tensor:
    """A number divided by a tensor, in the type they have together."""
    other = promoted(other, number)
    return primitive(other, number=other.array.dtype.type(number))


def is_bool(x: Any) -> builtins.bool:
    return isinstance(x, builtins.bool) or (isinstance(x, Tensor) and x.array.dtype.kind == "b")


def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """`other - alpha * input`."""
    if is_bool(needs_tensor(rsub, input)) or is_bool(other):
        sub(input, other)
    if isinstance(operand("rsub", other, 2), Tensor):
        return d.rsub_tensor(input, other, alpha=alpha)
    return d.rsub_number(input, other=other, alpha=alpha)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """`input / other`, rounded towards 0 ("trunc") or down ("floor") if that is asked for."""
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    return _div_whole(input, other, rounding_mode=rounding_mode)


def rdiv(input: Tensor, other: Any) -> Tensor:
    return mul(d.reciprocal(input), operand("div", other, 2))


def pow(input: Any, exponent: Any) -> Tensor:
    """`input ** exponent`, where either may be a number."""
    exponent = exponent.item() if isinstance(exponent, np.generic) else exponent
    if isinstance(exponent, Number):
        return d.pow_number(needs_tensor(pow, input), exponent=exponent)
    if not isinstance(exponent, Tensor):
        raise TypeError(errors.not_a_tensor("pow", "exponent", 2, exponent))
    if isinstance(input, Number):
        return d.rpow_number(exponent, self=input)
    return d.pow_tensor(input, exponent)


def neg(input: Tensor) -> Tensor:
    """`-input`."""
    if is_bool(input):
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying "
            "to invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return d.neg(needs_tensor(neg, input))


def positive(input: Tensor) -> Tensor:
    """`+input`: the tensor itself."""
    if is_bool(needs_tensor(positive, input)):
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


def relu(input: Tensor) -> Tensor:
    """`input` where it is positive, else 0."""
    if is_bool(needs_tensor(relu, input)):
        raise RuntimeError("Boolean inputs not supported for relu")
    return d.relu(input)


relu = straight.unary(d.relu, relu)


def abs(input: Tensor) -> Tensor:
    """`input` without its sign."""
    if is_bool(needs_tensor(abs, input)):
        raise NotImplementedError("\"abs_cpu\" not implemented for 'Bool'")
    return d.abs_(input)


def square(input: Tensor) -> Tensor:
    """`input ** 2`."""
    return pow(input, 2)


def round(input: Tensor, *, decimals: int | None = None) -> Tensor:
    """The nearest whole number, the even one of two, or the nearest with so many decimals."""
    needs_tensor(round, input)
    if decimals is None:
        return d.round_(input)
    return d.round_decimals(needs_floats("round_cpu", input), decimals=decimals)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(input / (1 - input)), of the input clamped to [eps, 1 - eps]."""
    return d.logit(needs_tensor(logit, input), eps=eps)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """`input`, but at least `min` and at most `max`: two numbers or two tensors, one may lack."""
    bounds = [b for b in (min, max) if b is not None]
    if not bounds:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if builtins.all(isinstance(b, Number) for b in bounds):
        return d.clamp_numbers(promoted(input, *bounds), min=min, max=max)
    if not builtins.all(isinstance(b, Tensor) for b in bounds):
        kinds = ", ".join(type(b).__name__ for b in bounds)
        raise TypeError(f"clamp() received an invalid combination of arguments - got ({kinds})")
    return d.clamp(input, min, max)


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """`input + weight * (end - input)`, all of one dtype."""
    for name, x in (("end", end), ("weight", weight)):
        number = name == "weight" and (not isinstance(x, Tensor) or not x.ndim)
        if not number and x.array.dtype != input.array.dtype:
            kinds = (dtypes.cpp_name(y.array.dtype) for y in (input, x))
            raise RuntimeError(
                "expected dtype {} for `{n}` but got dtype {}".format(*kinds, n=name)
            )
    parts = [x.array for x in (input, end, weight) if isinstance(x, Tensor)]
    d.elementwise.broadcastable(parts)
    needs_floats(f"lerp_kernel_{'tensor' if isinstance(weight, Tensor) else 'scalar'}", input)
    if isinstance(weight, Tensor):
        return d.lerp(input, end, weight)
    return d.lerp_number(input, end, weight=weight)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """`input + value * tensor1 * tensor2`."""
    return d.addcmul(input, tensor1, tensor2, value=value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """`input + value * tensor1 / tensor2`, of floating-point tensors."""
    if tensor1.array.dtype.kind != "f" and tensor2.array.dtype.kind != "f":
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
            "behavior can be implemented as (input + value * torch.trunc(tensor1 / "
            "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter "
            "implementation: (input + value * tensor1 / tensor2), for all dtypes."
        )
    return d.addcdiv(input, tensor1, tensor2, value=value)


def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """`input` with nan replaced (by 0), and infinities (by the largest numbers of its type)."""
    return d.nan_to_num(input, nan=nan or 0.0, posinf=posinf, neginf=neginf)


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input` that holds one value everywhere, a number or a 0-d tensor."""
    if not isinstance(value, Tensor):
        return FILL_NUMBER(input, value=value)
    if value.ndim:
        raise RuntimeError(errors.fill_value(value.ndim))
    return FILL_TENSOR(input, value)


FILL_NUMBER, FILL_TENSOR = (
    d.fill_number.named("FillBackward0"),
    d.fill_tensor.named("FillBackward1"),
)


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`input` with a number or a 0-d tensor wherever the mask, which may broadcast, is true."""
    if mask.array.dtype.kind != "b":
        raise RuntimeError(
            "masked_fill_ only supports boolean masks, but got mask with dtype "
            f"{dtypes.cpp_name(mask.array.dtype)}"
        )
    d.elementwise.broadcastable([mask.array, input.array])
    if not isinstance(value, Tensor):
        return d.masked_fill_number(input, mask=mask, value=value)
    if value.ndim:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    return d.masked_fill(input, value, mask=mask)


def clone(input: Tensor) -> Tensor:
    """A copy in memory of its own, through which gradients flow."""
    return d.clone(input)


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """Elements of `input` where the condition holds, of `other` elsewhere; without these two, the
    indices where it holds, a tensor for each dimension."""
    if not isinstance(condition, Tensor):
        raise TypeError(errors.not_a_tensor("where", "condition", 1, condition))
    if input is None and other is None:
        return places(condition, "where")
    if condition.array.dtype.kind != "b":
        kind = dtypes.scalar_name(condition.array.dtype)
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {kind}"
        )
    a, b = operand("where", input, 1), operand("where", other, 2)
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a, b = (wrap(np.asarray(x, dtypes.number_type(x))[()]) for x in (a, b))
    d.elementwise.broadcastable([x.array for x in (condition, a, b) if isinstance(x, Tensor)])
    return d.where(a, b, condition=condition)


# ------------------------------------------------------------------------- comparison, no gradient


def comparison(name: str, words: str) -> Callable[[Any, Any], Tensor]:
    primitive = getattr(d, name)

    def function(input: Any, other: Any) -> Tensor:
        if isinstance(input, Number) and isinstance(other, Tensor) and name.startswith("bitwise"):
            input = wrap(np.asarray(input, dtypes.number_type(input))[()])
        return primitive(needs_tensor(function, input), operand(name, other, 2))

    function.__name__, function.__doc__ = name, words
    return function


COMPARISONS = {
    "eq": "input == other.",
    "ne": "input != other.",
    "lt": "input < other.",
    "le": "input <= other.",
    "gt": "input > other.",
    "ge": "input >= other.",
    "logical_and": "Whether both are not 0.",
    "logical_or": "Whether one is not 0.",
    "bitwise_and": "`input & other`, of integers and bools.",
    "bitwise_or": "`input | other`, of integers and bools.",
    "bitwise_xor": "`input ^ other`, of integers and bools.",
    "bitwise_left_shift": "`input << other`, of integers.",
    "bitwise_right_shift": "`input >> other`, of integers.",
}
globals().update({name: comparison(name, words) for name, words in COMPARISONS.items()})
TESTS = {
    "logical_not": "True where an element is zero.",
    "bitwise_not": "`~input`, of integers and bools.",
    "isnan": "True where an element is not a number.",
    "isfinite": "True where an element is neither infinite nor nan.",
    "isinf": "True where an element is infinite.",
}
globals().update({name: unary(name, getattr(d, name), words) for name, words in TESTS.items()})


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Where |input - other| ≤ atol + rtol·|other|."""
    for position, (name, x) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(x, Tensor):
            raise TypeError(errors.not_a_tensor("isclose", name, position, x))
    if input.dtype is not other.dtype:
        names = (dtypes.scalar_name(x.array.dtype) for x in (input, other))
        raise RuntimeError("{} did not match {}".format(*names))
    for name, least in (("rtol", rtol), ("atol", atol)):
        if least < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {least:g}")
    return d.isclose(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    return input.shape == other.shape and builtins.bool(np.all(input.array == other.array))


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether |input - other| ≤ atol + rtol·|other| for every element."""
    if input.dtype is not other.dtype:
        names = (dtypes.scalar_name(x.array.dtype) for x in (input, other))
        raise RuntimeError("{} did not match {}".format(*names))
    d.elementwise.broadcastable([input.array, other.array])
    return builtins.bool(np.allclose(input.array, other.array, rtol, atol, equal_nan))
