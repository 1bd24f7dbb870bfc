"""The number line: a guess, the number it should have been, the gap between them, and below the
line the places of the usual wrong guesses, each under its name. Which those are is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .draw import Pen, circle, path, rectangle, text
from .numbers import number
from .style import text_width

WIDTH, EDGE, AXIS = 400.0, 40.0, 84.0  # px; left and right of the line; its height
Place = Callable[[float], float]  # where a number stands, in px


@dataclass(frozen=True)
class Mark:
    """A number on the line: how it comes about, "6 · b = 24", and what it is called, "both"."""

    value: float
    formula: str
    name: str


def number_line(
    pen: Pen, said: float, right: Mark, usual: Sequence[Mark]
) -> tuple[float, float, str]:
    """Width, height and markup of the line for a guess; all numbers are finite."""
    found = math.isclose(said, right.value, rel_tol=1e-3, abs_tol=1e-9)
    marks = [right] if found else [*usual, right]
    known = [0.0, *(mark.value for mark in marks)]
    span = max(known) - min(known) or 1.0
    # A guess far off would press all else into one point: it stands at the end, after a break.
    far = not min(known) - span <= said <= max(known) + span
    known += [] if far else [said]
    low, high = min(known), max(known)
    span = high - low or 1.0
    left_end = EDGE + (40 if far and said < low else 0)
    right_end = WIDTH - EDGE - (40 if far and said > high else 0)

    def x(value: float) -> float:
        share = min(1.5, max(-0.5, (value - low) / span))
        at = left_end + share * (right_end - left_end)
        return min(WIDTH - EDGE, max(EDGE, at))

    parts = [path(pen, "value edge", f"M{left_end:.1f} {AXIS:g}H{right_end:.1f}")]
    outside = [Mark(said, "not to scale", "")] if far else []
    labels, below = _labels(pen, [*outside, *marks], said, x)
    parts += labels
    if not found:
        parts.append(_gap(pen, said, right.value, x))
    if far:
        middle = EDGE + 20 if said < low else WIDTH - EDGE - 20
        parts.append(path(pen, "break", f"M{middle - 1:.1f} {AXIS + 8:g}l5-16"))
        parts.append(path(pen, "bracket", f"M{middle - 4:.1f} {AXIS + 8:g}l5-16m6 0l-5 16"))
    parts.append(_heads(pen, said, right.value, x, found))
    return WIDTH, below, "".join(parts)


def _heads(pen: Pen, said: float, right: float, x: Place, found: bool) -> str:
    """The two marks on the line, and above them whose they are."""
    here, there = x(said), x(right)
    diamond = path(pen, "yours", f"M{here:.1f} {AXIS - 9:g}l9 9-9 9-9-9z")
    nabla = path(pen, "nabla", f"M{there - 4.5:.1f} {AXIS - 3.5:g}h9l-4.5 8z")
    disc = circle(pen, "cap", there, AXIS, 10) + nabla
    if found:
        stem = path(pen, "bracket", f"M{there:.1f} 38V{AXIS - 10:g}")
        return stem + disc + _head(pen, there, "your answer", number(right))
    # Side by side also where the two are close.
    width = max(text_width("gradient", 11), text_width(number(said), 13), 30)
    width = max(width, text_width(number(right), 13)) + 8
    apart = max(0.0, width - abs(there - here)) / 2
    sign = 1 if there >= here else -1
    places = [here - sign * apart, there + sign * apart]
    shift = max(0.0, width / 2 - min(places)) - max(0.0, max(places) + width / 2 - WIDTH)
    heads = zip(places, ("you said", "gradient"), (said, right), strict=True)
    return disc + diamond + "".join(_head(pen, p + shift, w, number(v)) for p, w, v in heads)


def _head(pen: Pen, x: float, whose: str, words: str) -> str:
    half = max(text_width(whose, 11), text_width(words, 13)) / 2
    x = min(WIDTH - half, max(half, x))
    return text(pen, "note middle", x, 8, whose) + text(pen, "number strong", x, 26, words)


def _gap(pen: Pen, said: float, right: float, x: Place) -> str:
    """The gap: a bar on the line, and a bracket above it with its size."""
    here, there = sorted((x(said), x(right)))
    words = f"gap {number(abs(right - said))}"
    ratio = right / said if said else 0.0
    if math.isclose(ratio, round(ratio), rel_tol=1e-3) and (abs(ratio) > 1.5 or ratio < 0):
        words += f", or × {number(round(ratio))}"
    wide, y = text_width(words, 13, mono=False) + 16, 48.0
    bar = path(pen, "gap", f"M{here:.1f} {AXIS:g}H{there:.1f}")
    ends = f"M{here:.1f} {y - 5:g}v10M{there:.1f} {y - 5:g}v10"
    ends += f"M{here:.1f} {y + 10:g}V{AXIS - 10:g}M{there:.1f} {y + 10:g}V{AXIS - 10:g}"
    middle = (here + there) / 2
    if there - here > wide + 16:
        ends += f"M{here:.1f} {y:g}H{middle - wide / 2:.1f}"
        ends += f"M{middle + wide / 2:.1f} {y:g}H{there:.1f}"
    else:
        ends += f"M{here:.1f} {y:g}H{there:.1f}"
        middle = there + wide / 2 if there + wide <= WIDTH else here - wide / 2
    return bar + path(pen, "bracket", ends) + text(pen, "gap words", middle, y, words)


def _labels(pen: Pen, marks: Sequence[Mark], said: float, x: Place) -> tuple[list[str], float]:
    """The names below the line, in as many rows as keep them apart; and where they end."""
    zero = [] if any(mark.value == 0 for mark in marks) else [Mark(0.0, "0", "")]
    mine = {m for m in marks if m.name and math.isclose(m.value, said, rel_tol=1e-3)}
    strong = {*mine, marks[-1]}
    order = sorted([*marks, *zero], key=lambda m: (m not in strong, m not in zero, m.value))
    rows: list[list[tuple[float, float]]] = []  # for each row, what its labels cover
    ties, labels = [], []
    for mark in order:
        tone = " strong" if mark in strong else ""
        half = max(text_width(mark.formula, 12), text_width(mark.name, 11, mono=False)) / 2 + 4
        at = min(WIDTH - half, max(half, x(mark.value)))
        free = (i for i, row in enumerate(rows) if all(abs(at - c) >= half + h for c, h in row))
        row = next(free, len(rows))
        rows[row : row + 1] = [[*(rows[row] if row < len(rows) else []), (at, half)]]
        y = AXIS + 26 + 40 * row
        if row:
            ties.append(path(pen, "tie", f"M{x(mark.value):.1f} {AXIS + 8:g}V{y - 10:g}"))
        ties.append(path(pen, "value edge", f"M{x(mark.value):.1f} {AXIS - 4:g}v8"))
        behind = (at - half + 2, y - 9, at + half - 2, y + (24 if mark.name else 9))
        labels.append(rectangle(pen, "backing", behind))  # no line down to a lower row crosses it
        labels.append(text(pen, f"number{tone}" if tone else "small", at, y, mark.formula))
        if mark.name:
            labels.append(text(pen, f"note{tone or ' middle'}", at, y + 16, mark.name))
    return ties + labels, AXIS + 24 + 40 * len(rows)
