"""What an operation is called in a picture: `a³`, `3a³ − b²`, and its derivative, `3a²`.

`WORDS` is the one table: by torch's node name, how the operation is written on its inputs and how
its local derivative is. The same functions write an expression from names and, for the derivative
with live numbers in it, from numbers: `3·2²`. Values and graphs are not known here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .numbers import number

LABEL, EXPRESSION = 14, 80  # characters
SUM, QUOTIENT, PRODUCT, POWER, ATOM = range(5)
SUPERSCRIPTS = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True)
class Phrase:
    """A piece of an expression: its text, how tightly it binds, and how it joins a product.

    `joins` is "number" (3, −3), "letter" (a, b³, ab) or "both" (3a) where no dot is needed: 3ab³.
    """

    text: str
    level: int = ATOM
    joins: str = ""
    inner: str = ""  # its text within another expression, where that is shorter: 3a³ for 3·a³

    def within(self, level: int) -> str:
        """The text where something that binds at `level` is needed."""
        text = self.inner or self.text
        return text if self.level >= level else f"({text})"


DOTS = Phrase("…")


class Call(Protocol):
    """What writing an operation may ask for besides its inputs."""

    name: str
    shape: tuple[int, ...]  # of the result
    dtype: str

    def saved(self, name: str) -> Any:
        """The constant the operation was called with; None if it is not kept."""


def named(name: str) -> Phrase:
    """A tensor by its name."""
    return Phrase(name, joins="letter" if len(name) == 1 and name.isalpha() else "")


def literal(x: float) -> Phrase:
    """A number, short enough for a label; noise in the last digits is not shown."""
    x = float(f"{x:.12g}") if isinstance(x, float) else x
    text = repr(x).removesuffix(".0").replace("-", "−")
    text = number(x) if len(text) > 7 or "e" in text else text
    joins = "number" if text[-1].isdigit() else ""  # not for inf, nan, True
    return Phrase(text, SUM if text.startswith("−") else ATOM, joins)


def array(a: np.ndarray) -> Phrase:
    """A constant tensor: its numbers if they are few."""
    if a.ndim == 0:
        return literal(a.item())
    if a.ndim > 1 or a.size > 3:
        return DOTS
    return Phrase("[" + ", ".join(literal(x).text for x in a.tolist()) + "]")


# ------------------------------------------------------------------------------------- grammar


def plus(a: Phrase, b: Phrase) -> Phrase:
    return Phrase(f"{a.within(SUM)} + {b.within(QUOTIENT)}", SUM)


def minus(a: Phrase, b: Phrase) -> Phrase:
    return Phrase(f"{a.within(SUM)} − {b.within(QUOTIENT)}", SUM)


def negative(a: Phrase) -> Phrase:
    return Phrase(f"−{a.within(QUOTIENT)}", SUM)


def times(a: Phrase, b: Phrase) -> Phrase:
    if b.joins == "number" and a.joins != "number":
        a, b = b, a
    if a.joins == "number" and b.level == QUOTIENT and b.text.startswith("1/"):
        level = SUM if a.text.startswith("−") else QUOTIENT
        return Phrase(a.text + b.text[1:], level)  # torch records 2/b as 2·(1/b)
    left = a.within(SUM if a.joins in ("number", "both") else PRODUCT)  # −3·a, −3ab, (−a)·b
    right = b.within(PRODUCT if a.joins == "number" else POWER)
    level = SUM if left.startswith("−") else PRODUCT
    dotted = f"{left}·{right}"
    power_of_ten = a.joins == "number" and "e" in a.text
    if a.joins and not power_of_ten and b.joins == "letter" and right == (b.inner or b.text):
        joins = "letter" if a.joins == "letter" else "both"
        return Phrase(dotted, level, joins, left + right)
    joined = left + right if a.joins == "number" and right.startswith("(") else ""
    return Phrase(dotted, level, inner=joined)


def over(a: Phrase, b: Phrase) -> Phrase:
    text = f"{a.within(PRODUCT)}/{b.within(POWER)}"
    return Phrase(text, QUOTIENT)


def power(a: Phrase, n: Phrase) -> Phrase:
    base, whole = a.within(ATOM), re.fullmatch(r"−?\d+", n.text)
    if whole:
        joins = "letter" if a.joins == "letter" and a.level == ATOM else ""
        return Phrase(base + n.text.translate(SUPERSCRIPTS), POWER, joins)
    return Phrase(f"{base}**{n.within(ATOM)}", POWER)


def matrix(a: Phrase, b: Phrase) -> Phrase:
    return Phrase(f"{a.within(POWER)} @ {b.within(POWER)}", QUOTIENT)


def function(name: str, *inputs: Phrase, more: Sequence[str] = ()) -> Phrase:
    return Phrase(f"{name}({', '.join([*(x.text for x in inputs), *more])})")


def after(a: Phrase, suffix: str) -> Phrase:
    return Phrase(a.within(ATOM) + suffix)


ONE, MINUS_ONE, TWO = literal(1), literal(-1), literal(2)


def scaled(call: Call, a: Phrase) -> Phrase:
    """The second operand of a sum, which torch may multiply by `alpha` on the way."""
    alpha = call.saved("alpha")
    return a if alpha in (None, 1) else times(literal(alpha), a)


def slope_of_power(call: Call, a: Phrase) -> Phrase:
    n = call.saved("exponent")
    if n in (0, 1):
        return literal(n)
    return times(literal(n), a if n == 2 else power(a, literal(n - 1)))


def condition(a: Phrase, sign: str, b: Phrase) -> Phrase:
    return Phrase(f"1 if {a.text} {sign} {b.text} else 0", SUM)


def choice(a: Phrase, sign: str, b: Phrase) -> Phrase:
    """Of two inputs one is taken; equal ones share the gradient."""
    return Phrase(f"1 if {a.text} {sign} {b.text}, ½ if equal, else 0", SUM)


# ------------------------------------------------------------------------- shapes and reductions


def reduced(name: str) -> Callable[..., Phrase]:
    def write(call: Call, a: Phrase) -> Phrase:
        dim, keepdim = call.saved("dim"), call.saved("keepdim")
        if isinstance(dim, tuple) and len(dim) == 1:
            dim = dim[0]
        more = [] if dim is None or dim == () else [str(dim)]
        return function(name, a, more=[*more, *(["keepdim=True"] if keepdim else [])])

    return write


def method(name: str, *constants: str) -> Callable[..., Phrase]:
    """a.name(…), with the result's shape or constants of the call as arguments."""

    def write(call: Call, a: Phrase) -> Phrase:
        values: list[Any] = []
        for each in constants:
            value = call.shape if each == "shape" else call.saved(each)
            values += value if isinstance(value, tuple) else [value]
        return after(a, f".{name}({', '.join(map(str, values))})")

    return write


def joined(name: str) -> Callable[..., Phrase]:
    def write(call: Call, *inputs: Phrase) -> Phrase:
        pieces = Phrase("[" + ", ".join(x.text for x in inputs) + "]")
        dim = call.saved("dim")
        return function(name, pieces, more=[str(dim)] if dim else [])

    return write


def swapped(call: Call, a: Phrase) -> Phrase:
    if len(call.shape) == 2:
        return after(a, "ᵀ")
    return method("transpose", "dim0", "dim1")(call, a)


def permuted(call: Call, a: Phrase) -> Phrase:
    return after(a, "ᵀ") if call.saved("dims") == (1, 0) else method("permute", "dims")(call, a)


def at(call: Call, a: Phrase, where: str) -> Phrase:
    return after(a, f"[{':, ' * call.saved('dim')}{where}]")


def sliced(call: Call, a: Phrase) -> Phrase:
    start, end, step = (call.saved(name) for name in ("start", "end", "step"))
    size = call.saved("self_sym_sizes")[call.saved("dim")]
    text = f"{start or ''}:{end if end < size else ''}" + (f":{step}" if step != 1 else "")
    return at(call, a, text)


def indexed(call: Call, a: Phrase) -> Phrase:
    indices = call.saved("indices")
    few = indices is not None and len(indices) == 1 and indices[0].dtype.kind == "i"
    return after(a, f"[{array(indices[0]).text if few else '…'}]")


def copied(call: Call, a: Phrase) -> Phrase:
    short = {"float64": "double", "float32": "float", "float16": "half"}.get(call.dtype)
    return after(a, f".{short}()" if short else f".to({call.dtype})")


# ------------------------------------------------------------------------------------- the table


@dataclass(frozen=True)
class Words:
    """How an operation is written, and for each input its local derivative.

    There is no derivative, (), where a node does more than multiply element by element.
    """

    write: Callable[..., Phrase]
    slopes: tuple[Callable[..., Phrase], ...] = ()


def unary(name: str, slope: Callable[..., Phrase]) -> Words:
    return Words(lambda c, a: function(name, a), (slope,))


WORDS: dict[str, Words] = {
    "AddBackward0": Words(
        lambda c, a, b: plus(a, scaled(c, b)),
        (lambda c, a, b: ONE, lambda c, a, b: scaled(c, ONE)),
    ),
    "SubBackward0": Words(
        lambda c, a, b: minus(a, scaled(c, b)),
        (lambda c, a, b: ONE, lambda c, a, b: negative(scaled(c, ONE))),
    ),
    "RsubBackward0": Words(
        lambda c, a, b: minus(b, scaled(c, a)),
        (lambda c, a, b: negative(scaled(c, ONE)), lambda c, a, b: ONE),
    ),
    "RsubBackward1": Words(
        lambda c, a, b=DOTS: minus(b, scaled(c, a)),
        (lambda c, a, *rest: negative(scaled(c, ONE)),),
    ),
    "MulBackward0": Words(lambda c, a, b: times(a, b), (lambda c, a, b: b, lambda c, a, b: a)),
    # torch's name where a number multiplies within a backward pass
    "MulBackward1": Words(
        lambda c, a: times(literal(c.saved("other")), a), (lambda c, a: literal(c.saved("other")),)
    ),
    "DivBackward0": Words(
        lambda c, a, b: over(a, b),
        (lambda c, a, b: over(ONE, b), lambda c, a, b: negative(over(a, power(b, TWO)))),
    ),
    "NegBackward0": Words(lambda c, a: negative(a), (lambda c, a: MINUS_ONE,)),
    "PowBackward0": Words(
        lambda c, a: power(a, literal(c.saved("exponent"))),
        (lambda c, a: slope_of_power(c, a),),
    ),
    "PowBackward1": Words(
        lambda c, a, b: power(a, b),
        (
            lambda c, a, b: times(b, power(a, minus(b, ONE))),
            lambda c, a, b: times(power(a, b), function("log", a)),
        ),
    ),
    "PowBackward2": Words(
        lambda c, a: power(literal(c.saved("self")), a),
        (
            lambda c, a: times(
                power(literal(c.saved("self")), a), function("log", literal(c.saved("self")))
            ),
        ),
    ),
    "ReciprocalBackward0": Words(
        lambda c, a: over(ONE, a), (lambda c, a: negative(over(ONE, power(a, TWO))),)
    ),
    "ExpBackward0": unary("exp", lambda c, a: function("exp", a)),
    "LogBackward0": unary("log", lambda c, a: over(ONE, a)),
    "SinBackward0": unary("sin", lambda c, a: function("cos", a)),
    "CosBackward0": unary("cos", lambda c, a: negative(function("sin", a))),
    "TanhBackward0": unary("tanh", lambda c, a: minus(ONE, power(function("tanh", a), TWO))),
    "SigmoidBackward0": unary(
        "σ", lambda c, a: times(function("σ", a), minus(ONE, function("σ", a)))
    ),
    "ReluBackward0": unary("relu", lambda c, a: condition(a, ">", literal(0))),
    "AbsBackward0": unary("abs", lambda c, a: function("sign", a)),
    "SqrtBackward0": unary(
        "sqrt", lambda c, a: over(ONE, Phrase(times(TWO, function("sqrt", a)).text, SUM))
    ),
    "MaximumBackward0": Words(
        lambda c, a, b: function("maximum", a, b),
        (lambda c, a, b: choice(a, ">", b), lambda c, a, b: choice(b, ">", a)),
    ),
    "MinimumBackward0": Words(
        lambda c, a, b: function("minimum", a, b),
        (lambda c, a, b: choice(a, "<", b), lambda c, a, b: choice(b, "<", a)),
    ),
    "WhereBackward0": Words(lambda c, a, b: function("where", DOTS, a, b)),
    "CloneBackward0": Words(method("clone"), (lambda c, a: ONE,)),
    "ToCopyBackward0": Words(copied, (lambda c, a: ONE,)),
    "SumBackward0": Words(reduced("sum")),
    "SumBackward1": Words(reduced("sum")),
    "MeanBackward0": Words(reduced("mean")),
    "MeanBackward1": Words(reduced("mean")),
    "MaxBackward0": Words(reduced("max")),
    "MaxBackward1": Words(reduced("max")),
    "MinBackward0": Words(reduced("min")),
    "MinBackward1": Words(reduced("min")),
    "MmBackward0": Words(lambda c, a, b: matrix(a, b)),
    "MvBackward0": Words(lambda c, a, b: matrix(a, b)),
    "DotBackward0": Words(lambda c, a, b: matrix(a, b)),
    "BmmBackward0": Words(lambda c, a, b: matrix(a, b)),
    "TBackward0": Words(lambda c, a: after(a, "ᵀ")),
    "TransposeBackward0": Words(swapped),
    "PermuteBackward0": Words(permuted),
    "ViewBackward0": Words(method("view", "shape")),
    "UnsafeViewBackward0": Words(method("view", "shape")),
    "ExpandBackward0": Words(method("expand", "shape")),
    "SqueezeBackward0": Words(method("squeeze")),
    "SqueezeBackward1": Words(method("squeeze", "dim")),
    "SqueezeBackward2": Words(method("squeeze", "dim")),
    "SqueezeBackward4": Words(method("squeeze", "dim")),
    "UnsqueezeBackward0": Words(method("unsqueeze", "dim")),
    "SliceBackward0": Words(sliced),
    "SelectBackward0": Words(lambda c, a: at(c, a, str(c.saved("index")))),
    "IndexBackward0": Words(indexed),
    "AliasBackward0": Words(lambda c, a: after(a, "[:]")),
    "CatBackward0": Words(joined("cat")),
    "StackBackward0": Words(joined("stack")),
}


def short_name(name: str) -> str:
    """A node's name without torch's ending: "softmax".

    >>> short_name("SoftmaxBackward0"), short_name("torch::autograd::CopySlices")
    ('softmax', 'copyslices')
    """
    return re.sub(r"^Unsafe|Backward\d*$", "", name.rpartition(":")[2]).lower()


def write(call: Call, inputs: Sequence[Phrase], limit: int = EXPRESSION) -> Phrase:
    """The operation on these inputs; where that is too long, the longest inputs become "…"."""
    name, inputs = short_name(call.name), list(inputs)
    words = WORDS.get(call.name)
    phrase = words.write(call, *inputs) if words else function(name, *inputs)
    for i in sorted(range(len(inputs)), key=lambda i: -len(inputs[i].text)):
        if len(phrase.text) <= limit:
            return phrase
        inputs[i] = DOTS
        phrase = words.write(call, *inputs) if words else function(name, *inputs)
    return phrase if len(phrase.text) <= limit else Phrase(f"{name}(…)")


def derivative(call: Call, slot: int, inputs: Sequence[Phrase]) -> str:
    """ "d(a³)/da = 3a²"; "" if the table has none."""
    words = WORDS.get(call.name)
    if words is None or slot >= len(words.slopes):
        return ""
    slope = words.slopes[slot](call, *inputs)
    below = inputs[slot].text
    below = below if re.fullmatch(r"\w+", below) else f"({below})"
    return f"d({words.write(call, *inputs).text})/d{below} = {slope.inner or slope.text}"


def substituted(call: Call, slot: int, inputs: Sequence[float]) -> str:
    """The derivative with numbers in place of the inputs: "3·2²"."""
    return WORDS[call.name].slopes[slot](call, *map(literal, inputs)).text
