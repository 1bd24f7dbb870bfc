"""The exercises of lesson 14: learning rates that diverge, conditioning, critical damping, the
first step of three optimizers, and Adam, run for 100 steps beside PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..graphs import phase
from ..graphs.numbers import number
from ..twin import torch_or_none
from .exercise import Exercise, Mistake, Verdict, _Diagnosis, _has_ellipsis, _NotTried, _read

diverges = Exercise(
    "1 · the learning rate that diverges",
    right=(1 / 6, 1 / 3),
    accepts=lambda you: np.allclose(you.ravel(), (1 / 6, 1 / 3), rtol=0.025),  # 0.17 and 0.33
    why="The gradient of 3w² is 6w, so λ = 6: 1/λ lands, and from 2/λ on it does not come closer.",
    mistakes=(
        Mistake(
            (1 / 3, 2 / 3),
            "You took 3 for the curvature. It is what the gradient multiplies w by: differentiate"
            " 3w² first.",
        ),
        Mistake(
            (2 / 3, 4 / 3),
            "You halved the 3. It is λ/2 that stands before w²: λ is twice as large as it.",
        ),
        Mistake((1 / 3, 1 / 6), "The two are swapped. The smaller one lands."),
        Mistake((6, 12), "{you} are λ and 2λ. A learning rate is as small as λ is large."),
        Mistake((1 / 6, 2), "The limit is not 2 but 2/λ."),
        Mistake((1 / 6, 1), "At which learning rate is 1 − lr · λ equal to −1?"),
        Mistake(
            (1 / 6, 1 / 6),
            "Beyond 1/λ it jumps to the other side of 0 and still comes closer. It ceases to where"
            " 1 − lr · λ is −1.",
        ),
        Mistake(
            (1 / 12, 1 / 6),
            "You took 12 for the curvature. It is what the gradient of 3w² multiplies w by.",
        ),
        Mistake((1 / 3, 1 / 3), "At the second of the two w is as far from 0 as before."),
    ),
)

conditioning = Exercise(
    "2 · two directions, one learning rate",
    right=(0.2, 0.8),
    why="1 − 0.2 · 1 = 0.8 and 1 − 0.2 · 9 = −0.8: both directions are equally slow.",
    mistakes=(
        Mistake(
            (1 / 9, 8 / 9),
            "That lands the steep direction in one step, and the flat one is left with 8/9. A"
            " larger lr costs the steep one some and wins the flat one more.",
        ),
        Mistake(
            (2 / 9, 1), "That is the limit: in the steep direction it goes to and fro for ever."
        ),
        Mistake(
            (2 / 9, 7 / 9),
            "The flat direction is left with 7/9, but the steep one with all: 1 − 2/9 · 9 is −1.",
        ),
        Mistake((1, 0), "That lands the flat direction, and in the steep one 1 − 1 · 9 is −8."),
        Mistake((1, 8), "At lr 1 the steep direction is multiplied by −8. It diverges."),
        Mistake((0.2, -0.8), "The learning rate is right. How much is left has no sign."),
        Mistake(
            (0.2, 0.2), "The learning rate is right. A step leaves 1 − lr · λ in each direction."
        ),
        Mistake((0.1, 0.9), "Take a lr at which both directions leave the same, one with a minus."),
    ),
)


def _of_the_roots(you: np.ndarray) -> str:
    momentum = float(you)
    if not 0 <= momentum <= 1:
        return f"A momentum is between 0 and 1, not {number(momentum)}."
    kind = phase.kind(0.1, momentum, 1.6)
    what = {
        "oscillating": "the roots are complex: w swings. Less momentum",
        "monotone": "the roots are real and different: w creeps. More momentum",
    }.get(kind, "w does not come to rest. Less momentum")
    return f"At {number(momentum)} {what}."


damping = Exercise(
    "3 · critical damping",
    right=0.36,
    why="√(lr · λ) = √0.16 = 0.4, and (1 − 0.4)² = 0.36; each step then leaves √0.36 = 0.6.",
    otherwise=_of_the_roots,
    mistakes=(
        Mistake(0.6, "{you} is 1 − √(lr · λ). Square it."),
        Mistake(0.84, "{you} is 1 − lr · λ, left by a step without momentum. Take a root first."),
        Mistake(0.7056, "{you} is (1 − lr · λ)². The root of lr · λ is missing."),
        Mistake(0.16, "{you} is lr · λ. The momentum is (1 − √(lr · λ))²."),
        Mistake(0.4, "{you} is √(lr · λ). The momentum is (1 − √(lr · λ))²."),
        Mistake(1.96, "{you} is (1 + √(lr · λ))², the other solution. A momentum is below 1."),
        Mistake((1 - math.sqrt(0.1)) ** 2, "{you} leaves out λ: lr · λ is 0.1 · 1.6."),
        Mistake((1 - math.sqrt(1.6)) ** 2, "{you} leaves out lr: lr · λ is 0.1 · 1.6."),
    ),
)

first_step = Exercise(
    "4 · the first step",
    right=(50, 1, 0.1),
    why="SGD: 0.1 · 500. RMSprop: √v is 0.1 · 500, so lr / 0.1. Adam: lr, whatever the gradient.",
    mistakes=(
        Mistake(
            (50, 0.1, 0.1),
            "RMSprop has no bias correction: its v is 0.01 · g² at first, and √v is 0.1 · g.",
        ),
        Mistake(
            (50, 10, 0.1),
            "For RMSprop either lr is missing, or the root: of v = 0.01 · g² it is 0.1 · g.",
        ),
        Mistake(
            (50, 1, 1),
            "Adam corrects both averages: after the first step they are g and g², not parts of"
            " them.",
        ),
        Mistake(
            (50, 1, 0.1 * 0.1 / math.sqrt(0.001)),
            "For Adam you left out the bias correction: m and v are too small at first.",
        ),
        Mistake((50, 50, 50), "The last two divide by how large the gradient has been."),
        Mistake((50, 0.02, 0.1), "For RMSprop you divided by v. It is the root of v, 0.1 · g."),
        Mistake((500, 1, 0.1), "SGD multiplies the gradient by the learning rate."),
        Mistake((-50, -1, -0.1), "w goes down by so much; asked is how far it moves."),
    ),
)

# ---------------------------------------------------------------------------------- write Adam

LR, BETA1, BETA2, EPS = 0.1, 0.9, 0.999, 1e-8
STEPS = 100
Step = Callable[..., Any]


def _adam(
    w: Any, g: Any, m: Any, v: Any, t: int, *, lr: float = LR, eps: float = EPS,
    betas: tuple[float, float] = (BETA1, BETA2), fix: tuple[bool, bool] = (True, True),
    inside: bool = False, later: int = 0, root: float = 0.5, up: float = -1.0, kept: bool = False,
    times: bool = False, once: bool = False, sums: bool = False, mean: bool = True,
    square: bool = True,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """One step of Adam, or of one of its usual misreadings."""
    b1, b2 = betas
    shares = (1, 1) if sums else (1 - b1, 1 - b2)
    m = b1 * m + shares[0] * g if mean else g
    v = b2 * v + shares[1] * (g * g if square else g)
    power = 1 if once else t + later
    c1, c2 = (1 - b**power if f else 1.0 for b, f in zip((b1, b2), fix, strict=True))
    mh, vh = (m * c1, v * c2) if times else (m / c1, v / c2)
    below = (vh + eps) ** root if inside else vh**root + eps
    w = w + up * lr * mh / below
    return (w, mh, vh) if kept else (w, m, v)


def _walk(step: Step, start: Any, curvature: Any) -> list[Any]:
    """Where a step function takes w in 100 steps on curvature/2 · w²."""
    start = start.double() if hasattr(start, "double") else np.asarray(start, dtype=float)
    w, m, v, path = start * 1.0, start * 0.0, start * 0.0, []
    for t in range(1, STEPS + 1):
        made = step(w, curvature * w, m, v, t)
        if made is None:
            raise _Diagnosis("The function returned None. End it with return w, m, v.")
        if _has_ellipsis(made):
            raise _NotTried
        if not isinstance(made, tuple | list) or len(made) != 3:
            raise _Diagnosis("Return three things: the new w, m and v.")
        before, (w, m, v) = w, made
        if not np.isfinite(_read(w)).all():
            raise _Diagnosis(_not_finite(t, _read(before)))
        path.append(w * 1.0)  # a copy: the next step may write into w
    return path


def _not_finite(t: int, before: np.ndarray) -> str:
    if t == 1 and before.all():
        return (
            "w is not finite after the first step. t counts from 1, so 1 − β**t is not 0: do you"
            " divide by it?"
        )
    if not before.all():
        return (
            "w is not finite where the gradient is 0: there v is 0 too, and 0 is divided by 0."
            " eps belongs below, outside the root."
        )
    return (
        f"w is not finite after step {t}. v averages the squares, g², so it is never negative; does"
        " a root see something else, or do m and v come back in each other's place?"
    )


@cache
def _by_optim(start: tuple[float, ...], curvature: float) -> list[list[float]]:
    """The same walk by the Adam of PyTorch, or of this package where there is none."""
    engine = _engine()
    w = engine.tensor(start, dtype=engine.float64, requires_grad=True)
    optimizer, path = engine.optim.Adam([w], lr=LR, betas=(BETA1, BETA2), eps=EPS), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        (curvature / 2 * w**2).sum().backward()
        optimizer.step()
        path.append(w.tolist())
    return path


def _engine() -> Any:
    torch = torch_or_none()
    if torch is not None:
        return torch
    import autogradlab

    return autogradlab


class Walk(Exercise):
    """An exercise whose answer is the step of an optimizer: it is taken 100 times."""

    def check(self, answer: Any) -> Verdict:
        for case in self.cases:
            _by_optim(**case)  # PyTorch's first step may take longer than an answer may run
        return super().check(answer)

    def _examine(self, answer: Any) -> None:
        told: list[Exception] = []

        def path(start: Any, curvature: Any) -> list[Any]:
            try:
                return _walk(answer, start, curvature)
            except (_Diagnosis, _NotTried) as diagnosis:
                told.append(diagnosis)
                raise

        try:
            super()._examine(path if callable(answer) else answer)
        except _Diagnosis:
            if told:
                raise told[0] from None
            raise


def _slip(says: str, **misread: Any) -> Mistake:
    """A wrong step, and what to tell about it."""
    step: Step = lambda *inputs: _adam(*inputs, **misread)  # noqa: E731

    def gives(start: tuple[float, ...], curvature: float) -> Any:
        try:
            return _walk(step, start, curvature)
        except _Diagnosis:  # not finite: that has a diagnosis of its own
            return ()

    return Mistake(gives, says)


adam = Walk(
    "5 · write Adam",
    right=_by_optim,
    why="100 steps on three quadratics, and w is where PyTorch's Adam takes it.",
    cases=(
        {"start": (2.0, 1.0), "curvature": 3.0},
        {"start": (0.0, 2.0), "curvature": 1.0},  # a gradient that is 0
        {"start": (2.0, 1.0), "curvature": 1e-4},  # gradients so small that eps counts
    ),
    otherwise=lambda you: (
        "From some step on w is elsewhere than PyTorch's. After the first step the corrected"
        " averages are g and g²: print them. Open hint 1."
    ),
    mistakes=(
        _slip(
            "The bias correction is missing. m and v start at 0, so at first they are too small:"
            " divide each by 1 − β**t.",
            fix=(False, False),
        ),
        _slip("Only m is corrected; v starts at 0 too.", fix=(True, False)),
        _slip("Only v is corrected; m starts at 0 too.", fix=(False, True)),
        _slip(
            "eps is inside the root. With gradients this small it counts: add it after the root.",
            inside=True,
        ),
        _slip("v averages g. It is the average of the squares, g².", square=False),
        _slip("The two betas are swapped: the squares have the longer memory.",
              betas=(BETA2, BETA1)),
        _slip("The root is missing: divide by √v, or the units do not fit.", root=1.0),
        _slip("w climbs: the step has the wrong sign.", up=1.0),
        _slip(
            "The steps are ten times as long: is lr missing, or 1 − β₁ before the new part of m?",
            lr=1.0,
        ),
        _slip(
            "You return the corrected averages, and correct them again at the next step. Correct a"
            " copy, and return m and v as they are.",
            kept=True,
        ),
        _slip("You multiply by the correction. It makes the averages larger: divide.", times=True),
        _slip("The correction is that of the first step each time. It fades: 1 − β**t.", once=True),
        _slip("t counts from 1 already; you add 1 to it.", later=1),
        _slip("m and v are sums, not averages: the new part is weighted by 1 − β.", sums=True),
        _slip(
            "m is the gradient itself, not its average: that is RMSprop, corrected.", mean=False,
            fix=(False, True),
        ),
    ),
)  # fmt: skip
