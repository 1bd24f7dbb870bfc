"""What a node is called in a picture, `a³`, `3a³ − b²`, and how its value can be recomputed.

One table, `WORDS`, by torch's node names: how to write the operation on its inputs' names, how to
compute it again with NumPy (a graph keeps only what backward needs, the picture shows every value),
and the derivative rule in the words of the derivative table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SUM, PRODUCT, ATOM = 0, 1, 2
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True)
class Term:
    """An expression: its text alone, its text inside another, and how tightly it binds."""

    text: str
    inner: str
    rank: int = ATOM

    def within(self, rank: int) -> str:
        return self.inner if self.rank >= rank else f"({self.inner})"


def atom(text: str) -> Term:
    return Term(text, text)


def number_text(x: float) -> str:
    return f"{x:g}".replace("-", "−")


def total(sign: str) -> Callable[..., Term]:
    def write(saved: Any, a: Term, b: Term) -> Term:
        alpha = saved("alpha") or 1
        second = b.within(SUM if sign == "+" else PRODUCT)
        text = (
            f"{a.within(SUM)} {sign} {second if alpha == 1 else number_text(alpha) + '·' + second}"
        )
        return Term(text, text, SUM)

    return write


def product(saved: Any, a: Term, b: Term) -> Term:
    if re.fullmatch(r"[\d.]+", b.text) and not re.fullmatch(r"[\d.]+", a.text):
        a, b = b, a
    left, right = a.within(PRODUCT), b.within(PRODUCT)
    joined = re.fullmatch(r"[\d.]+", left) and re.match(r"[^\W\d]", right)
    joined = joined or (len(left) == len(right) == 1 and left.isalpha() and right.isalpha())
    return Term(f"{left}·{right}", left + right if joined else f"{left}·{right}", PRODUCT)


def quotient(saved: Any, a: Term, b: Term) -> Term:
    text = f"{a.within(PRODUCT)} / {b.within(ATOM)}"
    return Term(text, text, PRODUCT)


def power(saved: Any, a: Term) -> Term:
    return atom(a.within(ATOM) + exponent_text(saved("exponent")))


def exponent_text(n: Any) -> str:
    return str(int(n)).translate(SUPERSCRIPTS) if float(n).is_integer() else f"**{number_text(n)}"


def minus(saved: Any, a: Term) -> Term:
    return Term(f"−{a.within(PRODUCT)}", f"−{a.within(PRODUCT)}", PRODUCT)


def call(name: str) -> Callable[..., Term]:
    return lambda saved, *args: atom(f"{name}({', '.join(a.text for a in args)})")


def infix(sign: str) -> Callable[..., Term]:
    def write(saved: Any, a: Term, b: Term) -> Term:
        text = f"{a.within(ATOM)} {sign} {b.within(ATOM)}"
        return Term(text, text, PRODUCT)

    return write


def after(suffix: str) -> Callable[..., Term]:
    return lambda saved, a: atom(a.within(ATOM) + suffix)


@dataclass(frozen=True)
class Word:
    """How to write an operation, how to recompute it (None: cannot be), and its rules."""

    write: Callable[..., Term]
    replay: Callable[..., Any] | None = None
    rule: str = ""


def _axes(saved: Any) -> dict[str, Any]:
    dim = saved("dim")
    axes = tuple(dim) if isinstance(dim, list | tuple) else dim
    return {"axis": signed(axes), "keepdims": bool(saved("keepdim"))}


def signed(dim: Any) -> Any:
    """torch keeps negative dimensions as unsigned numbers."""
    if isinstance(dim, tuple):
        return tuple(signed(d) for d in dim)
    return dim - 2**64 if isinstance(dim, int) and dim >= 2**63 else dim


def _slice(saved: Any, x: Any) -> Any:
    start, end = signed(saved("start") or 0), min(signed(saved("end")), 2**31)
    return x[(slice(None),) * signed(saved("dim")) + (slice(start, end, saved("step") or 1),)]


WORDS = {
    "AddBackward0": Word(
        total("+"), lambda s, a, b: a + (s("alpha") or 1) * b, "self = g\nother = g"
    ),
    "SubBackward0": Word(
        total("−"), lambda s, a, b: a - (s("alpha") or 1) * b, "self = g\nother = -g"
    ),
    "MulBackward0": Word(product, lambda s, a, b: a * b, "self = g * other\nother = g * self"),
    "DivBackward0": Word(
        quotient, lambda s, a, b: a / b, "self = g / other\nother = -g * (self / other / other)"
    ),
    "NegBackward0": Word(minus, lambda s, a: -a, "self = -g"),
    "RsubBackward1": Word(
        lambda s, a: Term(f"… − {a.within(PRODUCT)}", f"… − {a.within(PRODUCT)}", SUM),
        None,
        "self = -g",
    ),
    "PowBackward0": Word(
        power, lambda s, a: a ** s("exponent"), "self = g * (exponent * self ** (exponent - 1))"
    ),
    "PowBackward1": Word(infix("**"), lambda s, a, b: a**b),
    "ReciprocalBackward0": Word(
        lambda s, a: Term(f"1 / {a.within(ATOM)}", f"1 / {a.within(ATOM)}", PRODUCT),
        lambda s, a: 1 / a,
        "self = -g * (result * result)",
    ),
    "ExpBackward0": Word(call("exp"), lambda s, a: np.exp(a), "self = g * result"),
    "LogBackward0": Word(call("log"), lambda s, a: np.log(a), "self = g / self"),
    "SinBackward0": Word(call("sin"), lambda s, a: np.sin(a), "self = g * cos(self)"),
    "CosBackward0": Word(call("cos"), lambda s, a: np.cos(a), "self = -g * sin(self)"),
    "TanhBackward0": Word(
        call("tanh"), lambda s, a: np.tanh(a), "self = g * (1 - result * result)"
    ),
    "SigmoidBackward0": Word(
        call("σ"), lambda s, a: 1 / (1 + np.exp(-a)), "self = g * ((1 - result) * result)"
    ),
    "ReluBackward0": Word(
        call("relu"), lambda s, a: np.maximum(a, 0), "self = where(0.0, g, condition=result <= 0)"
    ),
    "AbsBackward0": Word(
        lambda s, a: atom(f"|{a.text}|"), lambda s, a: np.abs(a), "self = g * sign(self)"
    ),
    "SqrtBackward0": Word(call("√"), lambda s, a: np.sqrt(a), "self = g / (2 * result)"),
    "MaximumBackward0": Word(call("max"), lambda s, a, b: np.maximum(a, b)),
    "MinimumBackward0": Word(call("min"), lambda s, a, b: np.minimum(a, b)),
    "SumBackward0": Word(call("sum"), lambda s, a: np.sum(a), "self = expand(g, shape=self_shape)"),
    "SumBackward1": Word(call("sum"), lambda s, a: np.sum(a, **_axes(s))),
    "MeanBackward0": Word(call("mean"), lambda s, a: np.mean(a)),
    "MeanBackward1": Word(call("mean"), lambda s, a: np.mean(a, **_axes(s))),
    "MaxBackward1": Word(call("max"), lambda s, a: np.max(a)),
    "MinBackward1": Word(call("min"), lambda s, a: np.min(a)),
    "MmBackward0": Word(
        infix("@"), lambda s, a, b: a @ b, "self = mm(g, mat2.mT)\nmat2 = mm(self.mT, g)"
    ),
    "MvBackward0": Word(infix("@"), lambda s, a, b: a @ b),
    "DotBackward0": Word(infix("@"), lambda s, a, b: a @ b, "self = g * tensor\ntensor = g * self"),
    "BmmBackward0": Word(infix("@"), lambda s, a, b: a @ b),
    "TBackward0": Word(after("ᵀ"), lambda s, a: a.T, "self = t(g)"),
    "TransposeBackward0": Word(
        after("ᵀ"), lambda s, a: np.swapaxes(a, signed(s("dim0")), signed(s("dim1")))
    ),
    "CloneBackward0": Word(call("clone"), lambda s, a: a, "self = g"),
    "SliceBackward0": Word(after("[:]"), _slice),
    "SelectBackward0": Word(
        lambda s, a: atom(
            f"{a.within(ATOM)}[{', '.join([':'] * signed(s('dim')) + [str(s('index'))])}]"
        ),
        lambda s, a: np.take(a, signed(s("index")), signed(s("dim"))),
    ),
}


def unknown(name: str) -> Word:
    """An operation the table does not have: its name in lower case, its value unknown."""
    return Word(call(re.sub(r"Backward\d*$", "", name).rpartition("::")[2].lower()))


def local_text(name: str, slot: int, saved: Any, terms: list[Term], own: Term) -> str:
    """The local derivative for one input, "d(a³)/da = 3a²"; "" if there is no short one."""
    me = terms[slot].inner
    other = terms[1 - slot].inner if len(terms) == 2 else ""
    n = saved("exponent") if name == "PowBackward0" else 0
    right = {
        "AddBackward0": "1",
        "SubBackward0": "1" if slot == 0 else "−1",
        "MulBackward0": other,
        "DivBackward0": f"1 / {other}" if slot == 0 else f"−{other} / {me}²",
        "NegBackward0": "−1",
        "PowBackward0": slope_text(n, terms[slot].within(ATOM)),
        "ExpBackward0": own.inner,
        "LogBackward0": f"1 / {terms[slot].within(ATOM)}",
        "SinBackward0": f"cos({me})",
        "CosBackward0": f"−sin({me})",
        "TanhBackward0": f"1 − {own.inner}²",
        "SigmoidBackward0": f"{own.inner}·(1 − {own.inner})",
        "ReluBackward0": "1 or 0",
    }.get(name, "")
    below = me if len(me) == 1 else f"({me})"
    return f"d({own.text})/d{below} = {right}" if right else ""


def slope_text(n: float, base: str) -> str:
    if n == 1:
        return "1"
    return number_text(n) + base + ("" if n == 2 else exponent_text(n - 1))


def substituted(name: str, saved: Any, values: Any) -> tuple[str, ...] | None:
    """The derivative of a power with the live numbers put in, per element: ("3·2²", "3·3²")."""
    if name != "PowBackward0" or values is None or np.size(values) > 4:
        return None
    n = saved("exponent")
    bases = [number_text(x) if x >= 0 else f"({number_text(x)})" for x in np.ravel(values).tolist()]
    tail = "" if n == 2 else exponent_text(n - 1)
    return tuple(f"{number_text(n)}·{base}{tail}" for base in bases)
