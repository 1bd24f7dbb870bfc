"""Arithmetic, functions of one number, comparison: element by element."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..tensor import Tensor, wrap
from .arguments import Number, needs_tensor, operand

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
abs add bitwise_and bitwise_or bitwise_xor clone cos div eq exp ge gt isfinite isnan le log
logical_and logical_not logical_or lt maximum minimum mul ne neg pow reciprocal relu rsub sigmoid
sign sin sqrt square sub tanh where allclose equal
"""
METHODS = """
abs add allclose clone cos div eq equal exp ge gt isfinite isnan le log logical_and logical_not
logical_or lt maximum minimum mul ne neg pow reciprocal relu sigmoid sign sin sqrt square sub tanh
"""
IN_PLACE = """
add div exp mul neg pow relu sigmoid sqrt sub tanh
"""


def binary(name: str, primitive: d.Primitive) -> Callable[..., Tensor]:
    def function(input: Any, other: Any, **options: Any) -> Tensor:
        a, b = operand(name, input, 1), operand(name, other, 2)
        if not isinstance(a, Tensor) and not isinstance(b, Tensor):
            a = wrap(np.asarray(a, dtypes.number_type(a))[()])
        if options.get("alpha", 0) == 1:
            options = {}
        return primitive(a, b, **options)

    function.__name__ = name
    return function


add = binary("add", d.add)
mul = binary("mul", d.mul)
div = binary("div", d.div)
maximum = binary("maximum", d.maximum)
minimum = binary("minimum", d.minimum)
_sub = binary("sub", d.sub)


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
            "trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return _sub(input, other, alpha=alpha)


def is_bool(x: Any) -> bool:
    return isinstance(x, builtins.bool) or (isinstance(x, Tensor) and x.array.dtype.kind == "b")


def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """`other - alpha * input`."""
    if is_bool(input) or is_bool(other):
        sub(input, other)
    if isinstance(operand("rsub", other, 2), Tensor):
        return d.rsub_tensor(input, other, alpha=alpha)
    return d.rsub_number(input, other=other, alpha=alpha)


def rdiv(input: Tensor, other: Any) -> Tensor:
    return mul(reciprocal(input), operand("div", other, 2))


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
            "to invert "
            "a mask, use the `~` or `logical_not()` operator instead."
        )
    return d.neg(needs_tensor(neg, input))


def unary(name: str, primitive: d.Primitive) -> Callable[[Tensor], Tensor]:
    def function(*args: Any, input: Any = None) -> Tensor:
        if not args and input is None:
            raise TypeError(f'{name}() missing 1 required positional arguments: "input"')
        return primitive(needs_tensor(function, args[0] if args else input))

    function.__name__ = name
    return function


exp, log, sin, cos = (
    unary("exp", d.exp),
    unary("log", d.log),
    unary("sin", d.sin),
    unary("cos", d.cos),
)
tanh, sigmoid, sqrt = unary("tanh", d.tanh), unary("sigmoid", d.sigmoid), unary("sqrt", d.sqrt)
sign = unary("sign", d.sign)
reciprocal = unary("reciprocal", d.reciprocal)


def relu(input: Tensor) -> Tensor:
    """`input` where it is positive, else 0."""
    if is_bool(needs_tensor(relu, input)):
        raise RuntimeError("Boolean inputs not supported for relu")
    return d.relu(input)


def abs(input: Tensor) -> Tensor:
    """`input` without its sign."""
    if is_bool(needs_tensor(abs, input)):
        raise NotImplementedError("\"abs_cpu\" not implemented for 'Bool'")
    return d.abs_(input)


def square(input: Tensor) -> Tensor:
    """`input ** 2`."""
    return pow(input, 2)


def clone(input: Tensor) -> Tensor:
    """A copy in memory of its own, through which gradients flow."""
    return d.clone(input)


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """Elements of `input` where the condition holds, of `other` elsewhere."""
    if input is None and other is None:
        return tuple(wrap(i) for i in np.nonzero(condition.array))
    if condition.array.dtype.kind != "b":
        kind = dtypes.scalar_name(condition.array.dtype)
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {kind}"
        )
    a, b = operand("where", input, 1), operand("where", other, 2)
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a, b = (wrap(np.asarray(x, dtypes.number_type(x))[()]) for x in (a, b))
    for x in (a, b):
        if isinstance(x, Tensor):
            d.elementwise.broadcastable([condition.array, x.array])
    return d.where(a, b, condition=condition)


# ------------------------------------------------------------------------- comparison, no gradient


def comparison(name: str, ufunc: np.ufunc) -> Callable[[Any, Any], Tensor]:
    def function(input: Tensor, other: Any) -> Tensor:
        b = operand(name, other, 2)
        arrays = d.elementwise.arithmetic([input.array, b.array if isinstance(b, Tensor) else b])
        return wrap(ufunc(*arrays))

    function.__name__ = name
    return function


eq, ne = comparison("eq", np.equal), comparison("ne", np.not_equal)
lt, le = comparison("lt", np.less), comparison("le", np.less_equal)
gt, ge = comparison("gt", np.greater), comparison("ge", np.greater_equal)
logical_and, logical_or = (
    comparison("logical_and", np.logical_and),
    comparison("logical_or", np.logical_or),
)
bitwise_and, bitwise_or = (
    comparison("bitwise_and", np.bitwise_and),
    comparison("bitwise_or", np.bitwise_or),
)
bitwise_xor = comparison("bitwise_xor", np.bitwise_xor)


def logical_not(input: Tensor) -> Tensor:
    """True where an element is zero."""
    return wrap(np.logical_not(input.array))


def isnan(input: Tensor) -> Tensor:
    """True where an element is not a number."""
    return wrap(np.isnan(input.array))


def isfinite(input: Tensor) -> Tensor:
    """True where an element is neither infinite nor nan."""
    return wrap(np.isfinite(input.array))


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
    return builtins.bool(np.allclose(input.array, other.array, rtol, atol, equal_nan))
