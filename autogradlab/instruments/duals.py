"""Dual numbers that keep a list of what was done with them, and typed expressions in x.

A dual number a + a′·ε, with ε² = 0, carries a value and a tangent through every operation. Each
operation here writes down its rule for the tangent, in letters and in numbers.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..graphs.numbers import number
from ..graphs.typed import parsed

MOST = 24  # operations
LARGEST_POWER = 64
SUPERSCRIPTS = str.maketrans("0123456789−.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

# Name → the function, its derivative from value and result, the rule for the tangent in letters.
FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[float, float], float], str]] = {
    "sin": (math.sin, lambda a, y: math.cos(a), "cos({0})·{0}′"),
    "cos": (math.cos, lambda a, y: -math.sin(a), "−sin({0})·{0}′"),
    "exp": (math.exp, lambda a, y: y, "exp({0})·{0}′"),
    "log": (math.log, lambda a, y: 1 / a, "1/{0}·{0}′"),
    "sqrt": (math.sqrt, lambda a, y: 0.5 / y, "1/(2·sqrt({0}))·{0}′"),
    "tanh": (math.tanh, lambda a, y: 1 - y * y, "(1 − tanh({0})²)·{0}′"),
    "relu": (lambda a: max(a, 0.0), lambda a, y: float(a > 0), "(1 if {0} > 0 else 0)·{0}′"),
}


@dataclass(frozen=True)
class Step:
    """One operation on dual numbers, as a row shows it."""

    name: str  # "v₁"; the last is y
    made: str  # "x·sin(x)", in names of the steps before: "x·v₁"
    sign: str  # what the scrubber calls it: "·"
    value: float
    tangent: float
    rule: str  # "x′·v₁ + x·v₁′"
    numbers: str  # "1·0.1411 + 3·(−0.99)"


@dataclass(frozen=True)
class _Entry:
    """The same before names are given: `{0}` and `{1}` stand for the inputs."""

    inputs: tuple[Dual, ...]
    made: str
    sign: str
    rule: str
    numbers: str


class Dual:
    """A number with a tangent: `value + tangent·ε`.

    >>> x = Dual(3.0, 1.0)
    >>> x * x + 2
    11 + 6·ε
    """

    def __init__(self, value: float, tangent: float = 0.0, entry: _Entry | None = None) -> None:
        self.value, self.tangent, self.entry = float(value), float(tangent), entry

    def __repr__(self) -> str:
        sign, size = ("−", -self.tangent) if self.tangent < 0 else ("+", self.tangent)
        return f"{number(self.value)} {sign} {number(size)}·ε"

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, Dual):
            c = _constant(other)
            return _done(lambda: (self.value + c, self.tangent), (self,), f"{{0}} + {_p(c)}",
                         "+", "{0}′", _n(self.tangent))  # fmt: skip
        return _done(
            lambda: (self.value + other.value, self.tangent + other.tangent), (self, other),
            "{0} + {1}", "+", "{0}′ + {1}′", f"{_n(self.tangent)} + {_p(other.tangent)}",
        )  # fmt: skip

    def __sub__(self, other: Any) -> Any:
        if not isinstance(other, Dual):
            c = _constant(other)
            return _done(lambda: (self.value - c, self.tangent), (self,), f"{{0}} − {_p(c)}",
                         "−", "{0}′", _n(self.tangent))  # fmt: skip
        return _done(
            lambda: (self.value - other.value, self.tangent - other.tangent), (self, other),
            "{0} − {1}", "−", "{0}′ − {1}′", f"{_n(self.tangent)} − {_p(other.tangent)}",
        )  # fmt: skip

    def __mul__(self, other: Any) -> Any:
        a, s = self.value, self.tangent
        if not isinstance(other, Dual):
            c = _constant(other)
            return _done(lambda: (a * c, s * c), (self,), f"{_n(c)}·{{0}}", "·",
                         f"{_n(c)}·{{0}}′", f"{_n(c)}·{_p(s)}")  # fmt: skip
        b, t = other.value, other.tangent
        return _done(
            lambda: (a * b, s * b + a * t), (self, other), "{0}·{1}", "·",
            "{0}′·{1} + {0}·{1}′", f"{_n(s)}·{_p(b)} + {_p(a)}·{_p(t)}",
        )  # fmt: skip

    def __truediv__(self, other: Any) -> Any:
        a, s = self.value, self.tangent
        if not isinstance(other, Dual):
            c = _constant(other)
            return _done(lambda: (a / c, s / c), (self,), f"{{0}}/{_p(c)}", "/",
                         f"{{0}}′/{_p(c)}", f"{_n(s)}/{_p(c)}")  # fmt: skip
        b, t = other.value, other.tangent
        return _done(
            lambda: (a / b, (s * b - a * t) / (b * b)), (self, other), "{0}/{1}", "/",
            "({0}′·{1} − {0}·{1}′)/{1}²", f"({_n(s)}·{_p(b)} − {_p(a)}·{_p(t)})/{_p(b)}²",
        )  # fmt: skip

    def __pow__(self, power: Any) -> Any:
        n, a, s = _constant(power, "A power"), self.value, self.tangent
        if abs(n) > LARGEST_POWER:
            raise ValueError(f"A power is at most {LARGEST_POWER}.")
        lower = "" if n == 2 else _raised(n - 1)
        return _done(
            lambda: (math.pow(a, n), n * math.pow(a, n - 1) * s if n else 0.0), (self,),
            f"{{0}}{_raised(n)}", f"( ){_raised(n)}", f"{_n(n)}·{{0}}{lower}·{{0}}′",
            f"{_n(n)}·{_p(a)}{lower}·{_p(s)}",
        )  # fmt: skip

    def __rpow__(self, base: Any) -> Any:
        raise ValueError("A power is a plain number here; write exp(x) for a power of e.")

    def __neg__(self) -> Any:
        return _done(lambda: (-self.value, -self.tangent), (self,), "−{0}", "−", "−{0}′",
                     f"−{_p(self.tangent)}")  # fmt: skip

    def __pos__(self) -> Any:
        return self

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Any:
        c = _constant(other)
        return _done(lambda: (c - self.value, -self.tangent), (self,), f"{_n(c)} − {{0}}", "−",
                     "−{0}′", f"−{_p(self.tangent)}")  # fmt: skip

    def __rtruediv__(self, other: Any) -> Any:
        c, a, s = _constant(other), self.value, self.tangent
        return _done(lambda: (c / a, -c * s / (a * a)), (self,), f"{_n(c)}/{{0}}", "/",
                     f"−{_p(c)}·{{0}}′/{{0}}²", f"−{_p(c)}·{_p(s)}/{_p(a)}²")  # fmt: skip

    def __getattr__(self, name: str) -> Callable[[], Any]:
        if name not in FUNCTIONS:
            raise AttributeError(f"a dual number has no {name!r}; it has {', '.join(FUNCTIONS)}")
        return lambda: apply(name, self)


def apply(name: str, a: Dual) -> Dual:
    """One of FUNCTIONS of a dual number.

    >>> apply("exp", Dual(0.0, 2.0))
    1 + 2·ε
    """
    function, derivative, rule = FUNCTIONS[name]

    def both() -> tuple[float, float, float]:
        y = function(a.value)
        slope = derivative(a.value, y)
        return y, slope * a.tangent, slope

    slope = _finite(both, f"{name}({number(a.value)})")[2]
    return _done(lambda: both()[:2], (a,), f"{name}({{0}})", name, rule,
                 f"{_n(slope)}·{_p(a.tangent)}")  # fmt: skip


def steps_of(y: Any, x: Dual) -> list[Step]:
    """What led from x to y, in order: x first, y last.

    >>> x = Dual(3.0, 1.0)
    >>> [f"{step.name} = {step.made}" for step in steps_of(x * x.exp(), x)]
    ['x = 3', 'v₁ = exp(x)', 'y = x·v₁']
    """
    order: dict[Dual, None] = {}
    todo = [y] if isinstance(y, Dual) else []
    while todo:  # no recursion: a value comes after all it was made of
        missing = [a for a in (todo[-1].entry.inputs if todo[-1].entry else ()) if a not in order]
        if missing:
            todo.extend(reversed(missing))
        else:
            order.setdefault(todo.pop())
    if x not in order:
        raise ValueError("The result does not use x.")
    made = [each for each in order if each is not x]
    if len(made) > MOST:
        raise ValueError(f"At most {MOST} operations can be shown; these are {len(made)}.")
    names = {x: "x"} | {each: f"v{str(i).translate(SUBSCRIPTS)}" for i, each in enumerate(made, 1)}
    if made:
        names[made[-1]] = "y"
    seed = Step("x", number(x.value), "x", x.value, x.tangent, number(x.tangent), "")
    found = [seed]
    for each in made:
        e, called = each.entry, [names[a] for a in each.entry.inputs]
        found.append(Step(names[each], e.made.format(*called), e.sign, each.value, each.tangent,
                          e.rule.format(*called), e.numbers))  # fmt: skip
    return found


def evaluate(expression: str, x: Dual) -> Any:
    """The value of a typed expression in x; a Dual, or a float if it does not use x.

    Raises:
        ValueError: what cannot be read, in words for the reader.

    >>> evaluate("x**2 + 3*sin(x)", Dual(0.0, 1.0))
    0 + 3·ε
    """
    return _walk(parsed(expression), x)


OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip


def _walk(node: ast.AST, x: Dual) -> Any:
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.Name) and node.id == "x":
        return x
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        a, b = _walk(node.left, x), _walk(node.right, x)
        if isinstance(a, Dual) or isinstance(b, Dual):
            return OPERATORS[type(node.op)](a, b)
        way = math.pow if isinstance(node.op, ast.Pow) else OPERATORS[type(node.op)]
        return _finite(lambda: (way(a, b),), "A number in it")[0]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        a = _walk(node.operand, x)
        return -a if isinstance(node.op, ast.USub) else a
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FUNCTIONS
        and len(node.args) == 1
        and not node.keywords
    ):
        a, name = _walk(node.args[0], x), node.func.id
        if isinstance(a, Dual):
            return apply(name, a)
        return _finite(lambda: (FUNCTIONS[name][0](a),), f"{name}({number(a)})")[0]
    raise ValueError(f"Use x, numbers, + − * / ** and {', '.join(FUNCTIONS)}.")


def _done(
    compute: Callable[[], tuple[float, float]], inputs: tuple[Dual, ...], made: str, sign: str,
    rule: str, numbers: str,
) -> Dual:  # fmt: skip
    shown = made.format(*(number(a.value) for a in inputs))
    value, tangent = _finite(compute, shown)
    return Dual(value, tangent, _Entry(inputs, made, sign, rule, numbers))


def _finite(compute: Callable[[], tuple[float, ...]], what: str) -> tuple[float, ...]:
    try:
        found = compute()
        if all(math.isfinite(each) for each in found):
            return found
    except (ValueError, ArithmeticError):  # log(-1), 1/0, exp(1000)
        pass
    raise ValueError(f"{what} has no finite value and derivative.")


def _constant(c: Any, what: str = "A number") -> float:
    if isinstance(c, bool) or not isinstance(c, int | float) or not -1e15 < c < 1e15:
        raise ValueError(f"{what} is a plain number here, such as 3 or 0.5.")
    return float(c)


def _n(x: float) -> str:
    return number(x)


def _p(x: float) -> str:
    """A number behind a sign: (−2)."""
    return f"({number(x)})" if x < 0 else number(x)


def _raised(n: float) -> str:
    words = number(n)
    return f"^{words}" if "." in words or "e" in words else words.translate(SUPERSCRIPTS)
