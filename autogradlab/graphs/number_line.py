"""The number line: a guess, the number it should have been, the gap between them, and below the
line the places of the usual wrong guesses, each under its name. Which those are is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .draw import Pen, circle, path, rectangle, text
from .numbers import number
from .style import text_width

WIDTH, EDGE, AXIS = 440.0, 34.0, 84.0  # px; left and right of the line; its height


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
    # A guess far off would press all else into one point: it stands at the end, after a dotted bit.
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
    if far:
        parts.append(path(pen, "tie", f"M{EDGE:g} {AXIS:g}H{WIDTH - EDGE:g}"))
    labels, below = _labels(pen, marks, said, x)
    parts += labels
    if not found:
        parts.append(_gap(pen, said, right.value, x))
    parts.append(_heads(pen, said, right.value, x, found))
    return WIDTH, below, "".join(parts)


def _heads(pen: Pen, said: float, right: float, x, found: bool) -> str:
    """The two marks on the line, and above them whose they are."""
    here, there = x(said), x(right)
    diamond = path(pen, "yours", f"M{here:.1f} {AXIS - 9:g}l9 9-9 9-9-9z")
    nabla = path(pen, "nabla", f"M{there - 4.5:.1f} {AXIS - 3.5:g}h9l-4.5 8z")
    disc = circle(pen, "cap", there, AXIS, 10) + nabla
    if found:
        heads = [(there, "you said the gradient", number(right))]
        return disc + _head(pen, *heads[0])
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


def _gap(pen: Pen, said: float, right: float, x) -> str:
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


def _labels(pen: Pen, marks: Sequence[Mark], said: float, x) -> tuple[list[str], float]:
    """The names below the line, in as many rows as keep them apart; and where they end."""
    rows: list[float] = []  # for each row, where its last label ends
    parts, right = [], marks[-1]
    for mark in sorted([*marks, Mark(0.0, "0", "")], key=lambda m: (m.value, m.name == "")):
        if mark.value == 0 and not mark.name and any(m.value == 0 for m in marks):
            continue
        strong = mark is right or math.isclose(mark.value, said, rel_tol=1e-3, abs_tol=1e-9)
        words, name = mark.formula, mark.name
        half = max(text_width(words, 12), text_width(name, 11, mono=False)) / 2 + 5
        at = min(WIDTH - half, max(half, x(mark.value)))
        row = next((i for i, end in enumerate(rows) if end <= at - half), len(rows))
        rows[row : row + 1] = [at + half]
        y = AXIS + 26 + 40 * row
        if row:
            parts.append((row, path(pen, "tie", f"M{x(mark.value):.1f} {AXIS + 8:g}V{y - 10:g}")))
        parts.append((-1, path(pen, "value edge", f"M{x(mark.value):.1f} {AXIS - 4:g}v8")))
        tone = "number strong" if strong else "small"
        behind = (at - half + 3, y - 9, at + half - 3, y + (24 if name else 9))
        parts.append((98, rectangle(pen, "backing", behind)))  # a line down does not cross it
        parts.append((99, text(pen, tone, at, y, words)))
        tone = "note strong" if strong else "note middle"
        parts.append((99, text(pen, tone, at, y + 16, name)))
    return [part for _, part in sorted(parts, key=lambda p: p[0])], AXIS + 24 + 40 * len(rows)
