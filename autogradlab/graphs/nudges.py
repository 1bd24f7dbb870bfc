"""Difference quotients beside the gradient that autograd gives: what a nudge of x does to f(x).

f is a function of one tensor with one element, or an expression as one types it, "x**3 - sin(x)",
which is read with `ast` and never evaluated as Python.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .protocol import dtype_of, engine_of
from .typed import parsed

Function = Callable[[Any], Any]
KINDS = ("forward", "backward", "central")
SMALLEST = {"float32": 8, "float64": 16}  # last h is 1e−…

LARGEST = 1e6  # of its numbers
STEEPEST = 100  # of its exponents
FUNCTIONS = ("abs", "cos", "exp", "log", "relu", "sigmoid", "sin", "sqrt", "tan", "tanh")
OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.UAdd: operator.pos, ast.USub: operator.neg,
}  # fmt: skip


def typed(text: str) -> Function:
    """The function of x that an expression names: numbers, x, + − * / **, and a few functions.

    Raises:
        ValueError: it is too long, or holds anything else.

    >>> import autogradlab
    >>> typed("x**2 + relu(x)")(autogradlab.tensor(3.0)).item()
    12.0
    >>> typed("x.__class__")
    Traceback (most recent call last):
        ...
    ValueError: 'x.__class__' is not understood; write numbers, x, + - * / ** and abs, cos, exp, \
log, relu, sigmoid, sin, sqrt, tan or tanh
    """
    tree = parsed(text)
    _check(tree, text)
    return lambda x: _value(tree, x)


def _check(node: ast.expr, text: str) -> None:
    """Return if all of the tree is on the list of what is allowed."""
    match node:
        case ast.Constant(value=int() | float() as c) if not isinstance(c, bool):
            if not abs(c) <= LARGEST:
                raise ValueError(f"a number is larger than {LARGEST:,.0f}")
        case ast.Name(id="x"):
            pass
        case ast.UnaryOp(op=op, operand=inner) if type(op) in OPERATORS:
            _check(inner, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            _check(left, text)
            _check(right, text)
            if isinstance(op, ast.Pow) and abs(_constant(right) or 0) > STEEPEST:
                raise ValueError(f"an exponent is larger than {STEEPEST}")
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in FUNCTIONS:
            _check(inner, text)
        case _:
            part = (ast.get_source_segment(text.strip(), node) or text)[:40]
            allowed = f"{', '.join(FUNCTIONS[:-1])} or {FUNCTIONS[-1]}"
            power = "; a power is written **" if "^" in part else ""
            raise ValueError(
                f"{part!r} is not understood; write numbers, x, + - * / ** and {allowed}{power}"
            )


def _constant(node: ast.expr) -> float | None:
    """A number, with a sign or without; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        return OPERATORS[type(node.op)](node.operand.value)
    return node.value if isinstance(node, ast.Constant) else None


def _value(node: ast.expr, x: Any) -> Any:
    match node:
        case ast.Constant(value=c):
            return x.new_tensor(float(c))  # so that 1/0 is inf, as in the engine
        case ast.UnaryOp(op=op, operand=inner):
            return OPERATORS[type(op)](_value(inner, x))
        case ast.BinOp(left=left, op=op, right=right):
            exponent = _constant(right) if isinstance(op, ast.Pow) else None
            second = _value(right, x) if exponent is None else exponent
            return OPERATORS[type(op)](_value(left, x), second)
        case ast.Call(func=ast.Name(id=name), args=[inner]):
            return getattr(_value(inner, x), name)()
    return x


# ------------------------------------------------------------------------------------ quotients


@dataclass(frozen=True)
class Nudge:
    """One difference quotient: f at two places, how far they are apart, and the slope."""

    h: float
    places: tuple[float, float]  # from, to
    values: tuple[float, float]
    width: float  # what the rise is divided by: h, or 2h
    quotient: float
    lost: bool  # whether both places are the same number


def sizes(dtype: str) -> tuple[float, ...]:
    """The h that are tried, from 1 down in steps 1, 0.5, 0.2, 0.1, …, further for finer numbers.

    >>> sizes("float32")[:5], sizes("float32")[-1]
    ((1.0, 0.5, 0.2, 0.1, 0.05), 1e-08)
    """
    last = SMALLEST[dtype]
    steps = [float(f"{m}e-{power}") for power in range(1, last + 1) for m in (5, 2, 1)]
    return (1.0, *steps)


def scalar(x: Any) -> Any:
    """A tensor's one element by itself, without its graph.

    Raises:
        TypeError: it is no tensor, or neither float32 nor float64.
        ValueError: it has more than one element.
    """
    engine_of(x)
    if dtype_of(x) not in SMALLEST:
        raise TypeError(f"x is a float32 or float64, not {dtype_of(x)}")
    if x.numel() != 1:
        raise ValueError(f"x is one number; this tensor has {x.numel()}")
    return x.detach().reshape(())


def slope(f: Function, x: Any) -> float:
    """The gradient of f at x by autograd; 0 where f does not use x. No `.grad` is changed."""
    engine = engine_of(x)
    with engine.enable_grad():
        leaf = scalar(x).clone().requires_grad_()
        y = _one(f(leaf))
        if not getattr(y, "requires_grad", False):
            return 0.0
        (g,) = engine.autograd.grad(y, [leaf], allow_unused=True)
    return 0.0 if g is None else g.item()


def value(f: Function, x: Any) -> float:
    """f(x) as a number."""
    with engine_of(x).no_grad():
        return _one(f(x)).item()


def nudge(f: Function, x: Any, h: float, kind: str = "forward") -> Nudge:
    """The difference quotient of f at x, computed in the type of x.

    >>> import autogradlab
    >>> nudge(lambda x: x**2, autogradlab.tensor(1.0), 0.5).quotient
    2.5
    >>> nudge(lambda x: x**2, autogradlab.tensor(1.0), 1e-8).lost
    True
    """
    with engine_of(x).no_grad():
        start = x if kind == "forward" else x - h
        end = x if kind == "backward" else x + h
        width = 2 * h if kind == "central" else h
        low, high = _one(f(start)), _one(f(end))
        quotient = ((high - low) / width).item()
    places = (start.item(), end.item())
    same = places[0] == places[1]
    return Nudge(h, places, (low.item(), high.item()), width, quotient, same)


def _one(y: Any) -> Any:
    if not hasattr(y, "numel"):
        raise TypeError(f"f returns a tensor with one number, not {type(y).__name__}")
    if y.numel() != 1:
        raise ValueError(f"f returns one number; this one returned {y.numel()}")
    return y.reshape(())


def gap(quotient: float, gradient: float) -> float:
    """How far a quotient is from the gradient; inf where either is not finite."""
    far = abs(quotient - gradient)
    return far if math.isfinite(far) else math.inf
