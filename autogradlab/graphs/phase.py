"""Gradient descent with momentum on λ/2 · w²: what each step leaves of the error.

One step is a matrix. With b for the momentum, lr α and momentum β,

    b ← β·b + λ·w,  w ← w − α·b        so        [w, b] ← [[1 − αλ, −αβ], [λ, β]] [w, b].

Its eigenvalues μ solve μ² − (1 + β − αλ)·μ + β = 0. The larger of them, in absolute value, is what
a step leaves of the error in the long run; whether they are complex, positive or negative says how
w gets there.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

KINDS = ("monotone", "oscillating", "alternating", "diverging")
EDGE = 1e-9  # a radius this close to 1 neither shrinks nor grows


def roots(lr: float, momentum: float, curvature: float) -> tuple[complex, complex]:
    """The two eigenvalues of a step, the larger first.

    >>> roots(0.1, 0.0, 1.0)
    ((0.9+0j), 0j)
    """
    total = 1 + momentum - lr * curvature
    half = cmath.sqrt(total * total - 4 * momentum) / 2
    first, second = total / 2 + half, total / 2 - half
    return (first, second) if abs(first) >= abs(second) else (second, first)


def radius(lr: float, momentum: float, *curvatures: float) -> float:
    """What a step leaves of the error in the direction where that is most.

    >>> radius(0.25, 0.25, 1.0), radius(0.1, 0.0, 1.0, 10.0)
    (0.5, 0.9)
    """
    return max(abs(roots(lr, momentum, curvature)[0]) for curvature in curvatures)


def kind(lr: float, momentum: float, curvature: float) -> str:
    """How w moves: monotone, to and fro (oscillating), from side to side with each step
    (alternating), or away (diverging).

    >>> [kind(lr, 0.25, 1.0) for lr in (0.2, 1.0, 2.3, 2.5)]
    ['monotone', 'oscillating', 'alternating', 'diverging']
    """
    first, second = roots(lr, momentum, curvature)
    if abs(first) >= 1 - EDGE:
        return "diverging"
    if abs(first.imag) > 1e-7:
        return "oscillating"
    return "monotone" if first.real >= 0 and second.real >= 0 else "alternating"


def critical(lr: float, curvature: float) -> float:
    """The momentum at which both eigenvalues are the same: below it w does not swing.

    >>> critical(0.25, 1.0)
    0.25
    """
    return (1 - math.sqrt(lr * curvature)) ** 2


def best(curvatures: Sequence[float]) -> tuple[float, float]:
    """Learning rate and momentum that bring all directions home soonest: critical damping of the
    flattest and the steepest at once. After Polyak, "Some methods of speeding up the convergence
    of iteration methods" (1964).

    >>> best([1.0, 9.0])
    (0.25, 0.25)
    """
    low, high = math.sqrt(min(curvatures)), math.sqrt(max(curvatures))
    return (2 / (low + high)) ** 2, ((high - low) / (high + low)) ** 2


def walk(lr: float, momentum: float, curvature: float, steps: int) -> list[float]:
    """The error after 0, 1, … steps, as a part of what it was.

    >>> walk(0.5, 0.5, 1.0, 3)
    [1.0, 0.5, 0.0, -0.25]
    """
    w, b, found = 1.0, 0.0, [1.0]
    for _ in range(steps):
        b = momentum * b + curvature * w
        w -= lr * b
        found.append(w)
    return found


def steps_to_a_tenth(rate: float) -> int | None:
    """After how many steps a tenth is left in the long run; None for a rate that does not shrink.

    >>> steps_to_a_tenth(0.9), steps_to_a_tenth(0.0), steps_to_a_tenth(1.0)
    (22, 1, None)
    """
    if rate >= 1 - EDGE:
        return None
    return max(1, math.ceil(math.log(0.1) / math.log(rate) - 1e-9)) if rate > 0 else 1
