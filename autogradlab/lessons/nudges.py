"""The exercises of lesson 02: a central difference, the best h, the kink of relu, the partial
derivatives of a · b + c, and the change that a gradient predicts."""

import numpy as np

from .exercise import Exercise, Mistake, show


def _cube(x: float) -> float:
    return x * x * x


central = Exercise(
    "1 · a central difference",
    right=lambda x, h: (_cube(x + h) - _cube(x - h)) / (2 * h),
    why="From x − h to x + h it is 2 · h, and the bends on both sides cancel in part.",
    cases=({"x": 1.0, "h": 0.5}, {"x": -2.0, "h": 0.25}),
    mistakes=(
        Mistake(
            lambda x, h: (_cube(x + h) - _cube(x)) / h,
            "That is the forward difference. {you} starts at x; a central one starts at x − h.",
        ),
        Mistake(
            lambda x, h: (_cube(x) - _cube(x - h)) / h,
            "That is the backward difference. {you} ends at x; a central one ends at x + h.",
        ),
        Mistake(
            lambda x, h: (_cube(x + h) - _cube(x - h)) / h,
            "The width is too small. {you} divides by h = {h}, but the two places are further"
            " apart.",
        ),
        Mistake(
            lambda x, h: _cube(x + h) - _cube(x - h),
            "The division is missing. {you} is the response alone; the quotient divides it by how"
            " far the two places are apart.",
        ),
        Mistake(
            lambda x, h: (_cube(x + h) - _cube(x - h)) / 2 * h,
            "Python divides by 2 and then multiplies by h. Put the whole width in parentheses.",
        ),
        Mistake(
            lambda x, h: _cube(x + h) - _cube(x - h) / (2 * h),
            "Only the second cube is divided. Put the whole response in parentheses.",
        ),
        Mistake(
            lambda x, h: (_cube(x + h / 2) - _cube(x - h / 2)) / h,
            "{you} goes half a nudge to each side. Here the places are x + h and x − h.",
        ),
        Mistake(
            lambda x, h: 3 * x * x,
            "That is the derivative. {you} does not use h; with a nudge this large the quotient is"
            " another number.",
        ),
        Mistake(
            lambda x, h: (_cube(x - h) - _cube(x + h)) / (2 * h),
            "The sign is turned round. Take the value on the left from the value on the right.",
        ),
    ),
)


def _off(you: np.ndarray) -> str:
    """What is wrong with an h; by size, since a checker takes all that is below 1e−6 as one."""
    h, shown = float(you.ravel()[0]), show(you)
    if h == 0:
        return "With h = 0 both places are the same, and the quotient is 0 / 0."
    if h <= -1:
        return f"{shown} may be the power of ten; the answer is h itself, and h is above 0."
    if h < 0:
        return f"{shown} is no size of a nudge; h is above 0."
    if h <= 1e-14:
        return f"Smaller is not better. With h = {shown} nearly all of the nudge is rounded away."
    if h <= 3e-8:
        far = "That is about the best h of forward differences. " if h > 3e-9 else ""
        return f"{far}{shown} is too small here: rounding rules, so go back up with h."
    if h < 1e-6:
        return f"{shown} is a little too small: there rounding rules already."
    reason = " It is about the best h in float32." if 1e-3 <= h <= 2e-2 else ""
    return f"{shown} is too large: there truncation still rules.{reason}"


best_h = Exercise(
    "2 · best h",
    right=1e-5,
    accepts=lambda you: bool(1e-6 <= float(you.ravel()[0]) <= 1e-4),
    why="Near it truncation, which is like h², and rounding, which is like 1e−16 / h, are equal.",
    mistakes=(),
    otherwise=_off,
)

kink = Exercise(
    "3 · the kink of relu",
    right=(0, 1, 0),
    why="Left of 0 relu is flat, right of it it has slope 1, and at 0 both engines choose 0.",
    mistakes=(
        Mistake(
            (1, 0, 0),
            "The sides are exchanged. In {you} the flat side is on the right; relu is flat where x"
            " is below 0.",
        ),
        Mistake(
            (0, 1, 0.5),
            "The last number is the central difference. Autograd does not look at both sides; run"
            " backward() at 0 and see what it chose.",
        ),
        Mistake(
            (0, 1, 1),
            "The last number is the slope on the right. Autograd chose another one; run backward()"
            " at 0.",
        ),
        Mistake(
            (-1, 1, 0),
            "Those are the slopes of |x|. relu(x) is max(x, 0): what is it where x is below 0?",
        ),
        Mistake(
            (0, 0.1, 0),
            "The division by h is missing. {you} has the response of relu to the nudge 0.1.",
        ),
        Mistake((0, 0, 0), "A nudge to the right does move relu. {you} has no response at all."),
    ),
)

partials = Exercise(
    "4 · partial derivatives",
    right=lambda a, b, c: (b, a, 1),
    why="a · b grows b times as fast as a, and a times as fast as b; c is added as it is.",
    cases=({"a": 2.0, "b": 4.0, "c": -5.0}, {"a": -1.5, "b": 0.5, "c": 3.0}),
    mistakes=(
        Mistake(
            lambda a, b, c: (a, b, 1),
            "The first two are exchanged. Nudge a alone by h: a · b grows by h times the other"
            " factor.",
        ),
        Mistake(
            lambda a, b, c: (b, a, 0),
            "The last number is 0 in {you}. But nudge c by h, and the result moves too.",
        ),
        Mistake(
            lambda a, b, c: (b, a, c),
            "The last number is c itself. How far does the result move when c moves by h?",
        ),
        Mistake(
            lambda a, b, c: (a * b, a * b, c),
            "Those are the parts of the result. {you} has the values a · b and c; how fast do they"
            " grow?",
        ),
        Mistake(
            lambda a, b, c: (1, 1, 1),
            "That is the rule for a + b + c. Here a is multiplied: its nudge is multiplied too.",
        ),
        Mistake(
            lambda a, b, c: b + a + 1,
            "The three are added up. Each input has a partial derivative of its own; return three"
            " numbers.",
        ),
    ),
)

change = Exercise(
    "5 · predict the change",
    right=0.5,
    why="4 · 0.1 − 2 · 0.1 + 1 · 0.3: each nudge times its partial derivative, added up.",
    mistakes=(
        Mistake(
            0.49,
            "That is the change itself. {you} is exact; gradient · nudge leaves out what two nudges"
            " do together, 0.1 · (−0.1).",
        ),
        Mistake(
            (0.4, -0.2, 0.3), "The sum is missing. {you} are the three parts; add them up."
        ),
        Mistake(0.9, "A sign is lost. b is nudged down, so its part is taken away; {you} adds it."),
        Mistake(
            0.3,
            "The gradient is missing. {you} is the sum of the nudges; multiply each by its partial"
            " derivative first.",
        ),
        Mistake(
            2.1,
            "{you} is the sum of the gradient, 7, times the sum of the nudges, 0.3. Multiply pair"
            " by pair, then add.",
        ),
        Mistake(
            0.1,
            "Two factors are exchanged. {you} multiplies the nudge of a by a = 2; a · b grows b"
            " times as fast as a.",
        ),
        Mistake(3.5, "That is the new value. {you} is L + the change; only the change is asked."),
    ),
)
