"""The table that ends lesson 08: operations on both engines, and the worst error of each.

Value, gradient, and the gradient of the gradient are compared with PyTorch's on random numbers in
float64; `gradcheck` compares with differences besides, and does not ask PyTorch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

import autogradlab

from ..graphs.numbers import number
from .exercise import _told

Function = Callable[..., Any]  # of the engine and its tensors

# What is computed, and the shapes of its inputs. Many broadcast, or reduce along an axis.
OPERATIONS: dict[str, tuple[Function, tuple[tuple[int, ...], ...]]] = {
    "a + b": (lambda t, a, b: a + b, ((2, 3), (3,))),
    "a - b": (lambda t, a, b: a - b, ((2, 1), (3,))),
    "a * b": (lambda t, a, b: a * b, ((2, 3), (3,))),
    "a / b": (lambda t, a, b: a / b, ((2, 3), (2, 1))),
    "a ** b": (lambda t, a, b: a**b, ((2, 3), ())),
    "maximum(a, b)": (lambda t, a, b: t.maximum(a, b), ((2, 3), (3,))),
    "where(a > 1, a, b)": (lambda t, a, b: t.where(a > 1, a, b), ((2, 3), (3,))),
    "A @ B": (lambda t, a, b: a @ b, ((2, 3), (3, 4))),
    "A @ v": (lambda t, a, b: a @ b, ((2, 3), (3,))),
    "batch of A @ B": (lambda t, a, b: a @ b, ((2, 2, 3), (3, 2))),
    "sum(0)": (lambda t, a: a.sum(0), ((2, 3),)),
    "mean(1)": (lambda t, a: a.mean(1), ((2, 3),)),
    "amax(1)": (lambda t, a: a.amax(1), ((2, 3),)),
    "prod(1)": (lambda t, a: a.prod(1), ((2, 3),)),
    "var(0)": (lambda t, a: a.var(0), ((3, 2),)),
    "cumsum(1)": (lambda t, a: a.cumsum(1), ((2, 3),)),
    "logsumexp(1)": (lambda t, a: a.logsumexp(1), ((2, 3),)),
    "exp": (lambda t, a: a.exp(), ((2, 3),)),
    "log": (lambda t, a: a.log(), ((2, 3),)),
    "sqrt": (lambda t, a: a.sqrt(), ((2, 3),)),
    "sin": (lambda t, a: a.sin(), ((2, 3),)),
    "tanh": (lambda t, a: a.tanh(), ((2, 3),)),
    "sigmoid": (lambda t, a: a.sigmoid(), ((2, 3),)),
    "relu(a - 1)": (lambda t, a: (a - 1).relu(), ((2, 3),)),
    "reshape(3, 2)": (lambda t, a: a.reshape(3, 2), ((2, 3),)),
    "transpose(0, 1)": (lambda t, a: a.transpose(0, 1), ((2, 3),)),
    "a[:, 1:]": (lambda t, a: a[:, 1:], ((2, 3),)),
    "cat(a, b)": (lambda t, a, b: t.cat([a, b]), ((2, 3), (1, 3))),
    "softmax(1)": (lambda t, a: a.softmax(1), ((2, 3),)),
    "cross_entropy": (
        lambda t, a: t.nn.functional.cross_entropy(a, t.tensor([2, 0])), ((2, 3),)
    ),
}  # fmt: skip
STEPS = (1e-12, 1e-6, 1e-3)  # errors are told to the next of these: digits below are the machine's
ALONE = "PyTorch is not installed, so nothing was compared with it"
COLUMNS = ("value", "gradient", "second order", "gradcheck")


@dataclass(frozen=True)
class Line:
    """One operation: the worst errors of its value, gradient and second order, relative to the
    largest number compared; and what `gradcheck` says. `trouble` is an error that stopped it."""

    name: str
    errors: tuple[float, ...]
    passed: bool
    trouble: str = ""

    @property
    def right(self) -> bool:
        return self.passed and max(self.errors, default=1.0) <= STEPS[0]

    def __str__(self) -> str:
        told = [within(error) for error in self.errors] + ["", "", ""]
        cells = "".join(f"{cell:<14}" for cell in (*told[:3], "passes" if self.passed else "fails"))
        return f"{self.name:<20}{cells}{self.trouble}".rstrip()


@dataclass(frozen=True)
class Table:
    """All lines; it shows itself as text."""

    lines: tuple[Line, ...]

    def __repr__(self) -> str:
        head = f"{'operation':<20}" + "".join(f"{name:<14}" for name in COLUMNS)
        right = sum(line.right for line in self.lines)
        if find_spec("torch") is None:
            right = sum(line.passed for line in self.lines)
            last = f"{right} of {len(self.lines)} pass gradcheck; {ALONE}"
            return "\n".join([head.rstrip(), *map(str, self.lines), last])
        last = f"{right} of {len(self.lines)} operations agree with PyTorch to {within(STEPS[0])}"
        return "\n".join([head.rstrip(), *map(str, self.lines), last])


def op_table(**yours: tuple[Function, Function]) -> Table:
    """Compare thirty operations with PyTorch, here and now; and yours, if you give some.

    Args:
        yours: operations of one input by name, each with the same function made of what both
            engines know, `cube=(cube, lambda x: x**3)`.

    Where PyTorch is not installed, `gradcheck` alone is asked, and the table says so.

    >>> print(op_table().lines[0])
    a + b               ≤ 1e-12       ≤ 1e-12       ≤ 1e-12       passes
    """
    lines = [line(name, f, f, shapes) for name, (f, shapes) in OPERATIONS.items()]
    lines += [op_line(name, *pair) for name, pair in yours.items()]
    return Table(tuple(lines))


def op_tests(**yours: tuple[Function, Function]) -> Table:
    """Your own lines of the table only; see `op_table`."""
    return Table(tuple(op_line(name, *pair) for name, pair in yours.items()))


def op_line(name: str, function: Function, reference: Function) -> Line:
    """The line of an operation of your own."""
    return line(name, lambda t, x: function(x), lambda t, x: reference(x), ((2, 3),))


def line(name: str, ours: Function, theirs: Function, shapes: Any) -> Line:
    """Run an operation on both engines and compare."""
    torch = importlib.import_module("torch") if find_spec("torch") else None
    random = np.random.default_rng(8)
    inputs = [random.uniform(0.5, 2.0, shape) for shape in shapes]
    known = derivatives(torch, theirs, inputs) if torch else []
    leaves = [leaf(autogradlab, x) for x in inputs]
    call = lambda *xs: ours(autogradlab, *xs)  # noqa: E731
    check = autogradlab.autograd
    try:
        found = derivatives(autogradlab, ours, inputs)
        passed = check.gradcheck(call, leaves, raise_exception=False)
        passed = passed and check.gradgradcheck(call, leaves, raise_exception=False)
    except Exception as error:  # a learner's formula may do anything
        return Line(name, (), False, _told(error)[:60])
    pairs = zip(found, known, strict=bool(torch))
    return Line(name, tuple(worst(mine, right) for mine, right in pairs), bool(passed))


def leaf(engine: Any, x: np.ndarray) -> Any:
    return engine.tensor(x.tolist(), dtype=engine.float64, requires_grad=True)


def derivatives(engine: Any, function: Function, inputs: list[np.ndarray]) -> list[list[Any]]:
    """Arrays: the value; the gradients; the gradients of their weighted sum."""
    leaves = [leaf(engine, x) for x in inputs]
    value = function(engine, *leaves)
    first = engine.autograd.grad(value, leaves, weights(engine, value), create_graph=True)
    live = [g for g in first if g.requires_grad]
    second = [None] * len(leaves)
    if live:
        total = sum((weights(engine, g) * g).sum() for g in live)
        second = engine.autograd.grad(total, leaves, allow_unused=True)
    zeros = [np.zeros(x.shape) for x in inputs]
    array = lambda x, zero: zero if x is None else x.detach().numpy()  # noqa: E731
    return [
        [value.detach().numpy()],
        [g.detach().numpy() for g in first],
        [array(g, zero) for g, zero in zip(second, zeros, strict=True)],
    ]


def weights(engine: Any, like: Any) -> Any:
    """Numbers to add up with: the same for both engines, no two alike."""
    count = int(np.prod(tuple(like.shape), dtype=int))
    numbers = 1 + np.sin(np.arange(count, dtype=float)) / 2
    return engine.tensor(numbers.reshape(tuple(like.shape)).tolist(), dtype=engine.float64)


def worst(mine: list[Any], right: list[Any]) -> float:
    """The largest difference of the arrays, relative to the largest number in them."""
    errors = []
    for a, b in zip(mine, right, strict=True):
        if np.shape(a) != np.shape(b):
            return np.inf
        errors.append(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
    return float(max(errors))


def within(error: float) -> str:
    """An error, told to the next step; above the last with two digits.

    >>> within(3e-16), within(2e-7), within(0.25)
    ('≤ 1e-12', '≤ 1e-6', '0.25')
    """
    for step, words in zip(STEPS, ("≤ 1e-12", "≤ 1e-6", "≤ 1e-3"), strict=True):
        if error <= step:
            return words
    return number(error, 2)
