"""The exercises of lesson 08: un-broadcast, the gradients of a matrix product, of softmax with
cross-entropy, and an operation of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import autogradlab

from ..instruments.shape_tracer import shown, summed
from ..primitive import Primitive
from .exercise import (
    Exercise,
    Mistake,
    _Diagnosis,
    _has_ellipsis,
    _kind,
    _NotTried,
    _read,
    _same,
    _told,
    show,
)

Array = np.ndarray


def _on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """A wrong answer computed from a case's lists; where its shapes do not fit, nobody gave it."""

    def gives(**case: Any) -> Any:
        try:
            return function(*map(np.array, case.values()))
        except ValueError:
            return np.nan

    return gives


class Shaped(Exercise):
    """An exercise where also an axis of size 1 counts."""

    def _diagnose(self, you: Array, case: dict[str, Any]) -> str:
        right = np.shape(self.right(**case))
        if you.shape != right and np.squeeze(you).shape == np.squeeze(np.empty(right)).shape:
            repair = (
                "an axis of size 1 must stay" if you.ndim < len(right) else "take the axis away"
            )
            return (
                f"The shape is not that of x. The answer has shape {shown(you.shape)}, x has "
                f"{shown(right)}; {repair}."
            )
        return super()._diagnose(you, case)


_G = [[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]]

unbroadcast = Shaped(
    "1 · un-broadcast",
    right=_on_arrays(lambda g, x: summed(g, x.shape)),
    why="Each element of x receives the sum of what comes back from all of its copies.",
    cases=(
        {"g": _G, "x": [10.0, 20.0, 30.0]},
        {"g": _G, "x": [[10.0], [20.0]]},
        {"g": [_G, [[0.0, 1.0, 0.0], [2.0, 0.0, 1.0]]], "x": [[10.0, 20.0, 30.0]]},
        {"g": _G, "x": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]},
    ),
    mistakes=(
        Mistake(
            _on_arrays(lambda g, x: g if g.shape != x.shape else np.nan),
            "Nothing is summed. That is the gradient of the copies; x has fewer elements, and each"
            " of its copies sends something back.",
        ),
        Mistake(
            _on_arrays(lambda g, x: g.sum()),
            "Everything is summed. {you} is one number; sum only over the axes along which x was"
            " copied.",
        ),
        Mistake(
            _on_arrays(lambda g, x: summed(g, x.shape) * x.size / g.size),
            "That is the mean. Copies do not share a gradient out: where paths meet, gradients"
            " add.",
        ),
        Mistake(
            _on_arrays(lambda g, x: g[0]),
            "Only the first copy is kept. The others send something back, too.",
        ),
        Mistake(
            _on_arrays(lambda g, x: g.sum(0)),
            "An axis is wrong. {you} is the sum over axis 0; compare the shapes from the right,"
            " and look where they differ.",
        ),
        Mistake(
            _on_arrays(lambda g, x: g.sum(-1)),
            "The axis is wrong. {you} is the sum over the last axis, along which x was not copied.",
        ),
    ),
)

_PRODUCTS = (
    # Square first: there every product fits, so that a wrong one is told from its numbers.
    {"g": [[1.0, 2.0], [0.0, 1.0]], "A": [[1.0, 2.0], [3.0, 5.0]], "B": [[2.0, 0.0], [1.0, 4.0]]},
    {
        "g": [[1.0, 0.0], [2.0, 1.0]],
        "A": [[1.0, 2.0, 0.0], [3.0, 1.0, 1.0]],
        "B": [[1.0, 1.0], [0.0, 2.0], [3.0, 0.0]],
    },
)
_FITS_BY_CHANCE = " These matrices are square, so it fits by chance; with A (2, 3) it would not."

left = Exercise(
    "2a · the gradient of A",
    right=_on_arrays(lambda g, A, B: g @ B.T),
    why="Only g and B turned over give the shape of A.",
    cases=_PRODUCTS,
    mistakes=(
        Mistake(_on_arrays(lambda g, A, B: g @ B), "B is not turned over." + _FITS_BY_CHANCE),
        Mistake(_on_arrays(lambda g, A, B: B.T @ g), "The order is wrong." + _FITS_BY_CHANCE),
        Mistake(_on_arrays(lambda g, A, B: B @ g), "The order is wrong." + _FITS_BY_CHANCE),
        Mistake(_on_arrays(lambda g, A, B: A.T @ g), "That is the gradient of B."),
        Mistake(_on_arrays(lambda g, A, B: B @ g.T), "{you} has the shape of A turned over."),
        Mistake(
            _on_arrays(lambda g, A, B: g * B),
            "That multiplies element by element. An element of A meets a whole row of B.",
        ),
        Mistake(
            _on_arrays(lambda g, A, B: np.ones_like(g) @ B.T),
            "The incoming gradient is missing. {you} is what ones would send.",
        ),
    ),
)

right = Exercise(
    "2b · the gradient of B",
    right=_on_arrays(lambda g, A, B: A.T @ g),
    why="Only A turned over and g, in this order, give the shape of B.",
    cases=_PRODUCTS,
    mistakes=(
        Mistake(_on_arrays(lambda g, A, B: A @ g), "A is not turned over." + _FITS_BY_CHANCE),
        Mistake(_on_arrays(lambda g, A, B: g @ A.T), "The order is wrong." + _FITS_BY_CHANCE),
        Mistake(_on_arrays(lambda g, A, B: g @ A), "The order is wrong." + _FITS_BY_CHANCE),
        Mistake(_on_arrays(lambda g, A, B: g @ B.T), "That is the gradient of A."),
        Mistake(_on_arrays(lambda g, A, B: g.T @ A), "{you} has the shape of B turned over."),
        Mistake(
            _on_arrays(lambda g, A, B: A.T @ np.ones_like(g)),
            "The incoming gradient is missing. {you} is what ones would send.",
        ),
    ),
)


def _softmax(z: Array, axis: int = -1) -> Array:
    powers = np.exp(z - z.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


one_example = Exercise(
    "3a · one example",
    right=_on_arrays(lambda z, y: _softmax(z) - y),
    why="Each score is pushed by how far its probability is from what it should be.",
    cases=(
        {"z": [2.0, 1.0, 0.0], "y": [0.0, 1.0, 0.0]},
        {"z": [0.5, -1.0, 3.0], "y": [0.0, 0.0, 1.0]},
    ),
    mistakes=(
        Mistake(
            _on_arrays(lambda z, y: _softmax(z)),
            "The label is missing. {you} are the probabilities; at the right class the loss falls"
            " when its score grows.",
        ),
        Mistake(
            _on_arrays(lambda z, y: y - _softmax(z)),
            "The sign is turned round. {you} is the direction in which the loss falls; the gradient"
            " points to where it grows.",
        ),
        Mistake(
            _on_arrays(lambda z, y: -y / _softmax(z)),
            "You stopped halfway. {you} is the gradient of the probabilities; softmax comes next.",
        ),
        Mistake(
            _on_arrays(lambda z, y: _softmax(z) * (1 - _softmax(z))),
            "That is only how each probability grows with its own score. The loss is missing.",
        ),
        Mistake(
            _on_arrays(lambda z, y: np.exp(z) - y),
            "The exponentials do not add up to 1. Divide them by their sum.",
        ),
        Mistake(
            _on_arrays(lambda z, y: 1 / (1 + np.exp(-z)) - y),
            "Each score went through a sigmoid of its own. Probabilities of classes add up to 1.",
        ),
        Mistake(
            _on_arrays(lambda z, y: z - y),
            "Those are scores. Turn them into probabilities first.",
        ),
        Mistake(
            _on_arrays(lambda z, y: _softmax(z) - 1),
            "1 is taken from every probability. What should the other classes' be?",
        ),
    ),
)

batch = Exercise(
    "3b · the mean over a batch",
    right=_on_arrays(lambda z, y: (_softmax(z) - y) / len(z)),
    why="The mean sends each of the n examples one nth of the gradient.",
    cases=(
        {"z": [[2.0, 1.0, 0.0], [0.5, -1.0, 3.0]], "y": [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]},
        {"z": [[1.0, 0.0], [0.0, 0.0], [2.0, 3.0]], "y": [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]},
    ),
    mistakes=(
        Mistake(
            _on_arrays(lambda z, y: _softmax(z) - y),
            "The mean is missing. That is the gradient of the sum over the examples.",
        ),
        Mistake(
            _on_arrays(lambda z, y: (_softmax(z) - y) / z.size),
            "Divided by too much. The mean runs over the examples, not over all the scores.",
        ),
        Mistake(
            _on_arrays(lambda z, y: (_softmax(z) - y) / z.shape[1]),
            "Divided by the number of classes. The mean runs over the examples.",
        ),
        Mistake(
            _on_arrays(lambda z, y: (_softmax(z, 0) - y) / len(z)),
            "softmax runs along the wrong axis. The probabilities of one example stand in a row.",
        ),
        Mistake(
            _on_arrays(lambda z, y: (_softmax(z) - y).mean(0)),
            "The examples are averaged. Each score of each example has a gradient of its own.",
        ),
        Mistake(
            _on_arrays(lambda z, y: (y - _softmax(z)) / len(z)),
            "The sign is turned round. The gradient points to where the loss grows.",
        ),
    ),
)


@dataclass(eq=False)
class Declared(Exercise):
    """An exercise whose answer is a `Primitive`: its value, its gradient, and the gradient of its
    gradient are compared with those of `right`, which is made of known operations."""

    def _examine(self, answer: Any) -> None:
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not isinstance(answer, Primitive):
            raise _Diagnosis(f"Hand over a Primitive; this is {_kind(answer)}.")
        if len(answer.formulas) != 1:
            raise _Diagnosis("One input needs one formula, named after it.")
        x, g = [-1.5, 0.5, 2.0], [3.0, -1.0, 2.0]
        try:
            value, first = _first_order(answer, x, g)
        except KeyError as error:
            raise _Diagnosis(
                f"The formula asks for {error}, and nothing is called so. Its parameters are g,"
                " then the input or result."
            ) from None
        except Exception as error:
            if "appears to not have been used" in str(error):
                raise _Diagnosis("The formula sends nothing back: it returned None.") from None
            raise _Diagnosis(f"When it ran, it raised {_told(error)}") from None
        right_value, right_first = _first_order(self.right, x, g)
        where = f"For x = {show(np.array(x))} "
        if not _same(value, right_value):
            raise _Diagnosis(f"{where}the value is not right: it is {show(value)}.")
        if not _same(first, right_first):
            where += f"and g = {show(np.array(g))}: "
            for mistake in self.mistakes:
                if _same(first, np.asarray(mistake.gives(np.array(x), np.array(g)))):
                    raise _Diagnosis(where + mistake.says.format(you=show(first)))
            raise _Diagnosis(f"{where}the value is right, the gradient {show(first)} is not.")
        try:
            trouble = not _same(_second_order(answer, x, g), _second_order(self.right, x, g))
        except Exception:
            trouble = True
        if trouble:
            raise _Diagnosis(
                "Value and gradient are right, the gradient of the gradient is not. Write the "
                "formula with operators only: on tensors it is recorded and differentiated again."
            )


def _leaves(x: list[float], g: list[float]) -> tuple[Any, Any]:
    made = autogradlab.tensor([x, g], dtype=autogradlab.float64)
    return made[0].clone().requires_grad_(), made[1]


def _first_order(function: Callable[..., Any], x: list[float], g: list[float]) -> list[Array]:
    """The value, and the gradient for the incoming g."""
    leaf, came = _leaves(x, g)
    value = function(leaf)
    return [_read(value), _read(autogradlab.autograd.grad(value, leaf, came)[0])]


def _second_order(function: Callable[..., Any], x: list[float], g: list[float]) -> Array:
    """The gradient of the sum of that gradient."""
    leaf, came = _leaves(x, g)
    (first,) = autogradlab.autograd.grad(function(leaf), leaf, came, create_graph=True)
    return _read(autogradlab.autograd.grad(first.sum(), leaf)[0])


def _result(x: Array) -> Array:
    return 1 / (1 + x * x)


bell = Declared(
    "4 · an operation of your own",
    right=lambda x: 1 / (1 + x * x),
    why="Value, gradient and the gradient of the gradient are right; see it in the table, too.",
    mistakes=(
        Mistake(
            lambda x, g: -2 * x * _result(x) ** 2,
            "The incoming gradient is missing. {you} is the local derivative; g comes into a"
            " formula as its first argument.",
        ),
        Mistake(
            lambda x, g: 2 * g * x * _result(x) ** 2,
            "A sign is lost. The curve falls where x is positive and grows.",
        ),
        Mistake(
            lambda x, g: -g * _result(x) ** 2,
            "The inner derivative is missing. 1 + x² changes with x, too.",
        ),
        Mistake(
            lambda x, g: -g * x * _result(x) ** 2,
            "The 2 is missing: x² = x · x reads x twice.",
        ),
        Mistake(
            lambda x, g: -2 * g * _result(x) ** 2,
            "The x is missing. 1 + x² grows faster where x is larger.",
        ),
        Mistake(
            lambda x, g: -2 * g * x * _result(x),
            "A factor is missing. The derivative of 1/u is −1/u².",
        ),
        Mistake(
            lambda x, g: g * _result(x),
            "That is the value times g. The formula multiplies g by the local derivative.",
        ),
    ),
)
