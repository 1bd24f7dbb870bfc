"""The exercises of lesson 11: a backward of one's own, straight through a step, what gradcheck says
of four checks, an input that catches a wrong backward, and the mending of another."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

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


@dataclass(eq=False)
class OwnFunction(Exercise):
    """An exercise whose answer is an `autograd.Function`. It is applied to the inputs of each case
    in float64, and the gradients that its backward sends for the incoming `g`, end to end, are
    what is compared.

    >>> from autogradlab.autograd import Function
    >>> class Double(Function):
    ...     forward = staticmethod(lambda ctx, x: 2 * x)
    ...     backward = staticmethod(lambda ctx, g: 2 * g)
    >>> twice = OwnFunction("Double x", right=lambda x, g: 2 * np.array(g), why="2 g.", mistakes=(),
    ...     cases=({"x": (1.0, 5.0), "g": (1.0, 3.0)},), forward=lambda x: 2 * np.array(x))
    >>> twice.check(Double)
    ✓ Right. 2 g.
    """

    forward: Callable[..., Any] | None = None  # what the given forward computes

    def _examine(self, answer: Any) -> None:
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        engine = engine_of_function(answer)
        for case in self.cases:
            you = self._gradients(engine, answer, case)
            if diagnosis := self._diagnose(you, case):
                names = [f"{name} = {show(_read(value))}" for name, value in case.items()]
                raise _Diagnosis(f"For {', '.join(names)}: {diagnosis}")

    def _diagnose(self, you: np.ndarray, case: dict[str, Any]) -> str:
        said = super()._diagnose(you, case)
        names = [name for name in case if name != "g"]
        if len(names) == 1 or not said.endswith("is not it. Open hint 1."):
            return said
        ends = np.cumsum([np.size(case[name]) for name in names])[:-1]
        sent, right = np.split(you, ends), np.split(_read(self.right(**case)), ends)
        i = next(i for i in range(len(names)) if not _same(sent[i], right[i]))
        return f"{names[i]} receives {show(sent[i])}, which is not it. Open hint 1."

    def _gradients(self, engine: Any, answer: Any, case: dict[str, Any]) -> np.ndarray:
        untouched, nothing = [], []

        def backward(ctx: Any, *gradients: Any) -> Any:
            out = answer.backward(ctx, *gradients)
            if _has_ellipsis(out):
                untouched.append(out)
                raise _NotTried
            nothing.append(out is None)
            return out

        # Errors name the node after the class: it keeps the learner's name.
        methods = {"backward": staticmethod(backward)}
        watched = type(answer)(answer.__name__, (answer,), methods)
        given = {name: value for name, value in case.items() if name != "g"}
        leaves = {
            name: engine.tensor(value, dtype=engine.float64, requires_grad=True)
            for name, value in given.items()
        }
        try:
            y = watched.apply(*leaves.values())
            if not engine.is_tensor(y):
                raise _Diagnosis(f"forward returns one tensor; this is {_kind(y)}.")
            made = _read(y)
            if not _same(made, _read(self.forward(**given))):
                raise _Diagnosis("forward gives other numbers than before. Leave it as it was.")
            g = engine.tensor(case["g"], dtype=engine.float64)
            sent = engine.autograd.grad(y, list(leaves.values()), g, allow_unused=True)
        except (_NotTried, _Diagnosis):
            raise
        except Exception as error:
            if untouched:
                raise _NotTried from None
            raise _Diagnosis(f"It raised {_told(error)}") from None
        for name, each in zip(leaves, sent, strict=True):
            if each is None:
                raise _Diagnosis(
                    "backward returned None. End it with return."
                    if any(nothing)
                    else f"backward sends None to {name}, which wants a gradient."
                )
        return np.concatenate([np.ravel(_read(each)) for each in sent])


def engine_of_function(answer: Any) -> Any:
    """The engine whose `Function` this is a class of."""
    for name in ("autogradlab", "torch"):
        engine = sys.modules.get(name)
        if engine and isinstance(answer, type) and issubclass(answer, engine.autograd.Function):
            return engine
    raise _Diagnosis(f"Hand over the class by its name; this is {_kind(answer)}.")


def numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a case's values as arrays; the results end to end."""

    def with_arrays(**case: Any) -> np.ndarray:
        made = function(**{name: np.array(value, float) for name, value in case.items()})
        parts = made if isinstance(made, tuple) else (made,)
        return np.concatenate([np.ravel(part) for part in parts])

    return with_arrays


P4 = {"x": (0.5, -1.0, 2.0), "g": (1.0, 3.0, -2.0)}

legendre = OwnFunction(
    "1 · the backward of P₄",
    right=numbers(lambda x, g: g * (35 * x**3 - 15 * x) / 2),
    why="The local derivative (140x³ − 60x) / 8, times the gradient that comes in.",
    cases=(P4,),
    forward=lambda x: (35 * np.array(x) ** 4 - 30 * np.array(x) ** 2 + 3) / 8,
    mistakes=(
        Mistake(
            numbers(lambda x, g: (35 * x**3 - 15 * x) / 2 + 0 * g),
            "The incoming gradient is missing. You return the local derivative; it is multiplied"
            " by g.",
        ),
        Mistake(
            numbers(lambda x, g: g + (35 * x**3 - 15 * x) / 2),
            "The incoming gradient is added. The chain rule multiplies.",
        ),
        Mistake(
            numbers(lambda x, g: g * (140 * x**3 - 60 * x)),
            "The division by 8 is missing. It stands in forward, so it stays in the derivative.",
        ),
        Mistake(
            numbers(lambda x, g: g * (140 * x**3 - 60 * x + 3) / 8),
            "The 3 is still there. A constant does not change when x does.",
        ),
        Mistake(
            numbers(lambda x, g: g * (35 * x**3 - 30 * x) / 8),
            "The exponents came down by one, but not in front: d(xⁿ)/dx = n · xⁿ⁻¹.",
        ),
        Mistake(
            numbers(lambda x, g: g * (35 * x**4 - 30 * x**2 + 3) / 8),
            "That is g times the value. Put the derivative of P₄ in its place.",
        ),
        Mistake(
            numbers(lambda x, g: g * 140 * x**3 / 8),
            "Only the term with x⁴ is there. The term with x² changes, too.",
        ),
        Mistake(
            numbers(lambda x, g: g * (140 * x**4 - 60 * x**2) / 8),
            "The exponents are in front, but did not come down: d(xⁿ)/dx = n · xⁿ⁻¹.",
        ),
    ),
)

straight_through = OwnFunction(
    "2 · straight through a step",
    right=numbers(lambda x, g: g),
    why="What comes in goes out, as if forward had handed x through.",
    cases=({"x": (0.4, 1.7, -2.2), "g": (5.0, -3.0, 0.5)},),
    forward=lambda x: np.round(x),
    mistakes=(
        Mistake(
            numbers(lambda x, g: 0 * x),
            "That is the true derivative of a step, zero, and nothing learns from it. Act as if"
            " forward had returned x.",
        ),
        Mistake(
            numbers(lambda x, g: 1 + 0 * x),
            "1 is the local derivative of x ↦ x. The incoming gradient is missing.",
        ),
        Mistake(
            numbers(lambda x, g: x + 0 * g),
            "x itself is sent. What is sent is the incoming gradient times a local derivative.",
        ),
        Mistake(
            numbers(lambda x, g: np.round(g)),
            "The gradient is rounded. Only the value is, in forward.",
        ),
        Mistake(
            numbers(lambda x, g: g * x),
            "The incoming gradient is multiplied by x. What is the derivative of x ↦ x?",
        ),
        Mistake(
            numbers(lambda x, g: g * np.round(x)),
            "The incoming gradient is multiplied by the value. What is the derivative of x ↦ x?",
        ),
    ),
)


def _count(you: np.ndarray) -> str:
    if not np.isin(you, (0, 1)).all():
        return "Write a 1 for passes and a 0 for fails."
    right = int((you == verdicts.right).sum())
    are = "is" if right == 1 else "are"
    return f"{right} of 4 {are} right. Compare backward with (f(x + h) − f(x − h)) / 2h for each."


verdicts = Exercise(
    "3 · what gradcheck says",
    right=(1, 0, 1, 0),
    why="Two of the passes are luck: x = 2, and a kink that lies in the middle.",
    otherwise=_count,
    mistakes=(
        Mistake(
            (0, 1, 1, 1),
            "You say which backward is right. gradcheck says whether two numbers agree at one"
            " point, computed in one type.",
        ),
        Mistake(
            (0, 1, 0, 1),
            "You have all four the wrong way round. A 1 stands for passes.",
        ),
        Mistake(
            (0, 0, 1, 0),
            "The first: g · x² is wrong, but put x = 2 in it and in the right one.",
        ),
        Mistake(
            (1, 1, 1, 0),
            "The second: a nudge of 1e−6 goes from 1e−7 to the other side of the kink.",
        ),
        Mistake(
            (1, 0, 0, 0),
            "The third: f(h) and f(−h) are equal there. Which slope do the nudges see?",
        ),
        Mistake(
            (1, 0, 1, 1),
            "The fourth: float32 has seven digits. What is left of a nudge of 1e−6?",
        ),
    ),
)


def ramp(engine: Any) -> type:
    """The wrong backward of exercise 4, on one engine."""

    class Ramp(engine.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x.relu()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 2 * x

    return Ramp


def noticed(you: np.ndarray) -> bool:
    """Whether gradcheck fails with the wrong backward at this number, and passes without it."""
    import autogradlab as engine

    def passes(function: Callable[[Any], Any]) -> bool:
        x = engine.tensor(float(np.squeeze(you)), dtype=engine.float64, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return engine.autograd.gradcheck(function, x, raise_exception=False)

    return passes(lambda x: x * x.relu()) and not passes(ramp(engine).apply)


def _unnoticed(you: np.ndarray) -> str:
    x = float(np.squeeze(you))
    if not x:
        return (
            "gradcheck passes at 0: 2 · 0 = 0, and the nudges see no slope either. A zero hides"
            " many mistakes."
        )
    if x > 1e7:
        return f"At {show(you)} a nudge of 1e−6 is lost in rounding: a right backward fails, too."
    if x > 0:
        return (
            f"gradcheck passes at {show(you)}: there y is x², and 2x is its derivative. Where is y"
            " something else?"
        )
    return (
        f"gradcheck passes at {show(you)}: the two differ by {show(np.abs(2 * you))} at most, and"
        " 1e−5 is allowed."
    )


caught = Exercise(
    "4 · catch a wrong backward",
    right=-1.0,
    why="Left of zero y stands still, and the backward says 2x. torch.rand never goes there.",
    accepts=noticed,
    otherwise=_unnoticed,
    mistakes=(),
)

BATCH = {
    "x": ((1.0, 2.0), (3.0, -1.0), (0.5, 4.0)),
    "w": (10.0, -2.0),
    "g": ((1.0, -2.0), (2.0, -1.0), (-3.0, 0.5)),
}
WIDER = {  # another number of rows, and of columns
    "x": ((2.0, -1.0, 0.5), (1.0, 3.0, -2.0)),
    "w": (1.0, -3.0, 0.5),
    "g": ((1.0, 2.0, -1.0), (-2.0, 0.5, 4.0)),
}

mended = OwnFunction(
    "5 · mend a backward",
    right=numbers(lambda x, w, g: (g * w, (g * x).sum(0))),
    why="w was used by every row, so what the rows send is added up.",
    cases=(BATCH, WIDER),
    forward=lambda x, w: np.array(x) * np.array(w),
    mistakes=(
        Mistake(
            numbers(lambda x, w, g: (g * w, (g * x).mean(0))),
            "w still receives the mean over the rows. Where a value was copied, gradients add"
            " (lesson 08).",
        ),
        Mistake(
            numbers(lambda x, w, g: (g * w, (g * x)[0])),
            "w receives what the first row sends. The other rows used it, too.",
        ),
        Mistake(
            numbers(lambda x, w, g: (g * w, g.sum(0) * x.sum(0))),
            "w receives the sum of x times the sum of g. Each row sends its own product.",
        ),
        Mistake(
            numbers(lambda x, w, g: (g * w, g.sum(0))),
            "w receives the sum of the incoming gradients. The local derivative x is missing.",
        ),
        Mistake(
            numbers(lambda x, w, g: (g * w, x.sum(0))),
            "w receives the sum of the local derivatives. The incoming gradient is missing.",
        ),
        Mistake(
            numbers(lambda x, w, g: (g, (g * x).sum(0))),
            "w is right. x receives g as it came; the local derivative w is missing.",
        ),
        Mistake(
            numbers(lambda x, w, g: (0 * x + w, (g * x).sum(0))),
            "w is right. x receives the local derivative; the incoming gradient is missing.",
        ),
        Mistake(
            numbers(lambda x, w, g: (g * x, (g * w).sum(0))),
            "The local derivatives are swapped: of x · w by x it is the other factor.",
        ),
    ),
)
