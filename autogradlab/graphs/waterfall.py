"""The waterfall: for every layer of a model the sizes of its weights' gradients, as ridges over one
logarithmic axis, beside them its activations. Forward runs down, so a gradient that vanishes on its
way back drifts to the left as it climbs.

Everything is drawn from `FlowStep`s, plain data; `verdict` says in words what one of them shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .draw import Pen, _f, circle, framed, none_pill, path, rectangle, text
from .flow import PARTS, FlowStep, LayerFlow, Spread
from .numbers import number
from .style import attributes, text_width

WIDTH = 616.0  # px
DRAWN = 100  # layers; of more, some are left out
ROOMY, PITCH, TIGHT = 24, 22.0, 16.0  # layers up to which rows are PITCH high, else TIGHT
RIDGE = 1.6  # height of the highest ridge, in rows
BINS = 44, 60  # of an activation, and of a gradient, across the whole axis
TOP = 52.0  # of the first row; above it the names of the columns and what lies outside
EQUAL = 30.0  # ratio of ranges up to which activations share a linear axis
LONGEST = 18  # characters of a name
EDGE = 10.0  # px left and right, for the marks of a selected row


@dataclass(frozen=True)
class Limits:
    """From where on gradients count as vanishing, and as exploding."""

    vanishing: float = 1e-8
    exploding: float = 1e3

    def of(self, layer: LayerFlow) -> str:
        """What is wrong with the gradient of a layer: "nan", "zero", "vanishing", "exploding",
        "none", or "" if nothing is. The bulk decides: the median of the weights whose gradient is
        not 0."""
        g = layer.gradient
        if g is None:
            return "none"
        if g.nonfinite:
            return "nan"
        if g.zeros == g.size:
            return "zero"
        if g.median < self.vanishing:
            return "vanishing"
        return "exploding" if g.median > self.exploding else ""


# --------------------------------------------------------------------------------------- words


def verdict(step: FlowStep, limits: Limits = Limits()) -> str:
    """What one training step shows: the verdict first, then the numbers."""
    troubles = [limits.of(layer) for layer in step.layers]
    start = f"Backward stopped with {step.error}. " if step.error else ""
    with_gradient = [x for x in step.layers if x.gradient]
    if not with_gradient:
        return f"{start}No gradient. None has come to any of {count(len(step.layers))}."
    words = _finite(step, troubles)
    for trouble in ("exploding", "vanishing", "zero"):
        if not words and trouble in troubles:
            words = _too_much(step, troubles, trouble, limits)
    if not words:
        words = f"The gradient flows. {_range(with_gradient)}"
    dead = [x for x in step.layers if x.dead]
    if dead:
        worst = max(dead, key=lambda x: x.dead / x.units)
        more = f", the most of {len(dead)} layers" if len(dead) > 1 else ""
        words += f" {worst.dead} of {worst.units} units of {named(worst)} are dead{more}."
    return start + words


def named(layer: LayerFlow) -> str:
    """A layer in a sentence.

    >>> named(LayerFlow("3", "Linear")), named(LayerFlow("fc", "Linear"))
    ('layer 3', 'fc')
    """
    return f"layer {layer.name}" if layer.name.isdigit() else layer.title


def _finite(step: FlowStep, troubles: list[str]) -> str:
    """Where numbers stopped being finite; "" if all are."""
    for layer in step.layers:
        if layer.activation and layer.activation.nonfinite:
            return (
                "The activations are not finite. Going forward, the first are those of "
                f"{named(layer)}: {_of(layer.activation)}."
            )
    for layer, trouble in zip(reversed(step.layers), reversed(troubles), strict=True):
        if trouble == "nan":
            return (
                "The gradient is not finite. Going back, the first is that of "
                f"{named(layer)}: {_of(layer.gradient)}."
            )
    return ""


def _of(spread: Spread) -> str:
    verb = "is" if spread.nonfinite == 1 else "are"
    return f"{spread.nonfinite:,} of {spread.size:,} elements {verb} {unreal(spread)}"


def unreal(spread: Spread) -> str:
    """What its elements that are not finite are."""
    if 0 < spread.nans < spread.nonfinite:
        return "inf or nan"
    return "nan" if spread.nans else "inf"


def _too_much(step: FlowStep, troubles: list[str], trouble: str, limits: Limits) -> str:
    """The sentence of a gradient that explodes, vanishes or is 0."""
    where = places(step.layers, [t == trouble for t in troubles])
    if trouble == "zero":
        return f"The gradient dies. {where} it is exactly 0."
    verb, what = {
        "vanishing": ("vanishes", f"less than {number(limits.vanishing)}"),
        "exploding": ("explodes", f"more than {number(limits.exploding)}"),
    }[trouble]
    factor, does = step_back(step), ""
    if factor and trouble == "vanishing" and factor > 1.05:
        does = f"Each layer back divides it by about {number(factor, 2)}. "
    elif factor and trouble == "exploding" and factor < 1 / 1.05:
        does = f"Each layer back multiplies it by about {number(1 / factor, 2)}. "
    return f"The gradient {verb}. {does}{where} most weights get {what}."


def step_back(step: FlowStep) -> float:
    """By what the norm of the gradient is divided from layer to layer on its way back, on average;
    0.0 if there are not two to compare."""
    norms = [(i, x.gradient.norm) for i, x in enumerate(step.layers) if x.gradient]
    norms = [(i, n) for i, n in norms if n > 0]
    if len(norms) < 2:
        return 0.0
    (first, low), (last, high) = norms[0], norms[-1]
    return 10 ** ((math.log10(high) - math.log10(low)) / (last - first))


def places(layers: Sequence[LayerFlow], on: list[bool]) -> str:
    """Where something holds, to begin a sentence with.

    >>> layers = [LayerFlow(str(i), "Linear") for i in range(1, 5)]
    >>> places(layers, [True, True, True, False]), places(layers, [True, False, False, True])
    ('In layers 1 to 3', 'In 2 of 4 layers, 1 to 4,')
    """
    which = [i for i, each in enumerate(on) if each]
    first, last = layers[which[0]].title, layers[which[-1]].title
    numbered = all(each.title.isdigit() for each in layers)
    if len(which) == 1:
        return f"In {named(layers[which[0]])}"
    if len(which) == len(layers):
        return f"In all {len(layers)} layers"
    if which[-1] - which[0] >= len(which):
        return f"In {len(which)} of {count(len(layers))}, {first} to {last},"
    return f"In layers {first} to {last}" if numbered else f"From {first} to {last}"


def count(n: int) -> str:
    return f"{n:,} layer{'' if n == 1 else 's'}"


def _range(layers: list[LayerFlow]) -> str:
    """The norms at both ends."""
    first, last = layers[0], layers[-1]
    if first is last:
        return f"Its norm in {named(first)} is {number(first.gradient.norm)}."
    return (
        f"Going back, its norm is {number(last.gradient.norm)} in {named(last)} and "
        f"{number(first.gradient.norm)} in {named(first)}."
    )


# ---------------------------------------------------------------------------------------- axes


@dataclass(frozen=True)
class Axis:
    """A stretch of px for a range of numbers; `bend` > 0 makes it logarithmic on both sides of 0,
    linear within ± bend."""

    left: float
    right: float
    low: float
    high: float
    bend: float = 0.0

    def bent(self, x: np.ndarray) -> np.ndarray:
        return np.sign(x) * np.log10(1 + np.abs(x) / self.bend) if self.bend else np.asarray(x)

    def __call__(self, x: float | np.ndarray) -> np.ndarray:
        """Where numbers stand, in px; beyond the ends for those out of range."""
        low, high = self.bent(np.array([self.low, self.high]))
        share = (self.bent(np.asarray(x, float)) - low) / (high - low)
        return self.left + share * (self.right - self.left)


def bars(places: np.ndarray, axis: Axis, bins: int) -> np.ndarray:
    """What share of the elements falls into each bin of an axis, from the places of quantiles: each
    piece between two of them is spread evenly over the bins it covers."""
    edges = np.linspace(axis.left, axis.right, bins + 1)
    # What lies on the right end, a unit at its limit, belongs to the last bin.
    places = np.where(np.abs(places - axis.right) < 0.01, axis.right - 0.01, places)
    wide = np.maximum(np.diff(places), 1e-6)
    low = places[:-1]
    until = np.clip((edges[:, None] - low) / wide, 0, 1).sum(axis=1) / PARTS
    return np.diff(until)


def decades(low: float, high: float, most: int) -> list[int]:
    """Powers of ten to be written at an axis, at most `most` of them.

    >>> decades(-17.2, 0.4, 6)
    [-16, -12, -8, -4, 0]
    """
    first, last = math.ceil(low), math.floor(high)
    steps = (1, 2, 4, 5, 10, 20, 50, 100, 200, 500)
    step = next(s for s in steps if (last - first) / s < most)
    return [e for e in range(first, last + 1) if e % step == 0]


def power(exponent: int) -> str:
    return number(10.0**exponent)


def activation_axis(steps: Sequence[FlowStep], left: float, right: float) -> Axis:
    """An axis for all activations of all steps: linear, unless their ranges are very unequal."""
    spreads = [x.activation for step in steps for x in step.layers if x.activation]
    spreads = [s for s in spreads if s.quantiles]
    ends = [(s.quantiles[1], s.quantiles[-2]) for s in spreads] or [(0.0, 1.0)]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    spans = [span for e in ends if (span := max(map(abs, e))) > 0]
    bend = min(spans) / 10 if spans and max(spans) > EQUAL * min(spans) else 0.0
    bend = max(bend, 1e-12 * max(spans, default=1.0)) if bend else 0.0
    if bend:
        outer = lambda x: math.copysign(10 ** math.ceil(math.log10(abs(x))), x)  # noqa: E731
        low, high = min(0.0, low and outer(low)), max(0.0, high and outer(high))
        return Axis(left, right, low, high, bend)
    if low == high:
        low, high = low - 0.5, high + 0.5
    step = 10 ** math.floor(math.log10(max(abs(low), abs(high))))
    step = next(s for s in (step / 10, step / 4, step / 2, step, 2 * step) if high - low <= 12 * s)
    return Axis(left, right, step * math.floor(low / step), step * math.ceil(high / step))


# ------------------------------------------------------------------------------------- drawing


class Waterfall:
    """The drawing of training steps, all on the same axes, so that steps can be compared.

    Args:
        steps: one or more, all of the same layers.
        limits: from where on gradients vanish and explode.
        pen: how a style is written.
    """

    def __init__(
        self, steps: Sequence[FlowStep], limits: Limits = Limits(), pen: Pen = attributes
    ) -> None:
        self.steps, self.limits, self.pen = steps, limits, pen
        total = len(steps[0].layers)
        every = max(1, -(-total // DRAWN))
        self.rows = [i for i in range(total) if i % every == 0 or i == total - 1]
        self.left_out = total - len(self.rows)
        self.pitch = PITCH if len(self.rows) <= ROOMY else TIGHT
        self.top = TOP if self.pitch == PITCH else TOP + 16  # long: the axis is written twice
        self.width, self.height = WIDTH, self.top + self.pitch * len(self.rows) + 40
        self.right = WIDTH - EDGE
        layers = [step.layers[i] for step in steps for i in self.rows]
        self.names = [shortened(steps[0].layers[i].title) for i in self.rows]
        self.small = self.pitch != PITCH or max(map(len, self.names)) > 12
        size = 11 if self.small else 12
        self.names_end = EDGE + max(34.0, *(text_width(n, size) for n in self.names))
        self.watched = any(x.activation for x in layers)
        self.dead = any(x.dead for x in layers)
        x = self.names_end + 12
        self.activations = activation_axis(steps, x, x + 104) if self.watched else None
        x += 104 + 20 if self.watched else 0
        self.dead_at = x
        x += 80 if self.dead else 0
        self.marks_at = self.right - 62 - 44
        self.gradients = self._gradient_axis(layers, x, self.marks_at - 12)

    def _gradient_axis(self, layers: list[LayerFlow], left: float, right: float) -> Axis:
        """log₁₀ of the sizes; what vanishes and what explodes has its place if any is near."""
        spreads = [x.gradient for x in layers if x.gradient and x.gradient.quantiles]
        ends = [(s.quantiles[1], s.quantiles[-1]) for s in spreads] or [(1e-4, 1.0)]
        low = math.log10(min(e[0] for e in ends)) - 0.3
        high = math.log10(max(e[1] for e in ends)) + 0.3
        vanish, explode = math.log10(self.limits.vanishing), math.log10(self.limits.exploding)
        if low - 6 < vanish:
            low = min(low, vanish - 1.5)
        if high > explode - 1:
            high = max(high, explode + 1.5)
        low = min(low, high - 3)
        return Axis(left, right, low, high)

    def y(self, i: int) -> float:
        """The baseline of row `i`."""
        return self.top + self.pitch * (i + 1)

    # what never changes ------------------------------------------------------------------------

    def backdrop(self) -> str:
        """Names of the columns, axes, and the ground of what vanishes and explodes."""
        pen, axis, foot = self.pen, self.gradients, self.y(len(self.rows) - 1) + 6
        parts = [text(pen, "column end", self.names_end, 8, "layer")]
        parts.append(text(pen, "column end", self.names_end, self.top - 18, "input"))
        parts.append(text(pen, "column end", self.names_end, foot + 14, "loss"))
        if self.activations:
            words = "activation, log" if self.activations.bend else "activation"
            parts.append(text(pen, "column", self.activations.left, 8, words))
            parts.append(self._activation_ticks(foot))
        if self.dead:
            parts.append(text(pen, "column", self.dead_at, 8, "dead units"))
        parts.append(text(pen, "column", axis.left, 8, "|weight gradient|, log scale"))
        parts.append(text(pen, "column end", self.right, 8, "‖gradient‖"))
        grounds, words = self._outside(foot)
        ticks = decades(axis.low, axis.high, max(2, int((axis.right - axis.left) / 48)))
        lines = "".join(f"M{_f(float(axis(e)))} {_f(self.top - 32)}V{_f(foot)}" for e in ticks)
        parts += [*grounds, path(pen, "divider", lines), *words]
        parts.append(self._labels(axis, [(float(axis(e)), power(e)) for e in ticks], foot))
        return "".join(parts)

    def _labels(self, axis: Axis, ticks: list[tuple[float, str]], foot: float) -> str:
        """The numbers at an axis, none beyond its ends, none on another."""
        found, end = [], -math.inf
        for at, words in ticks:
            half = text_width(words, 11) / 2
            x = min(axis.right - half, max(axis.left + half - 3, at))
            if x - half > end + 6:
                heights = [foot + 14] + [26] * (self.top > TOP)
                found += [text(self.pen, "small", x, y, words) for y in heights]
                end = x + half
        return "".join(found)

    def _outside(self, foot: float) -> tuple[list[str], list[str]]:
        """The ground beyond each limit; and its line and words."""
        pen, axis, limits = self.pen, self.gradients, self.limits
        grounds, words, y = [], [], self.top - 32
        for side, limit, name in (
            (-1, limits.vanishing, f"vanishing: below {number(limits.vanishing)}"),
            (1, limits.exploding, f"exploding: above {number(limits.exploding)}"),
        ):
            at = float(axis(math.log10(limit)))
            if not axis.left < at < axis.right:
                continue
            box = (axis.left, y, at, foot) if side < 0 else (at, y, axis.right, foot)
            grounds.append(rectangle(pen, "outside", box))
            words.append(path(pen, "threshold", f"M{_f(at)} {_f(y)}V{_f(foot)}"))
            half = text_width(name, 11, mono=False) / 2 + 4  # it is bold
            middle = at + side * (half + 4)
            if not axis.left < middle - half < middle + half < axis.right:
                middle = at - side * (half + 4)  # no room on its own side
            words.append(text(pen, "threshold words", middle, y + 10, name))
            y += 16  # the second line and its words begin below the first
        return grounds, words

    def _activation_ticks(self, foot: float) -> str:
        pen, axis = self.pen, self.activations
        middle = 0.0 if axis.low < 0 < axis.high else (axis.low + axis.high) / 2
        ticks = [axis.low, middle, axis.high]
        if axis.bend:
            ticks = [axis.low, 0.0, axis.high]
        ticks = sorted(set(ticks))
        xs = [float(axis(t)) for t in ticks]
        lines = "".join(f"M{_f(x)} {_f(self.top - 32)}V{_f(foot)}" for x in xs)
        words = [number(t, 3) for t in ticks]
        labels = self._labels(axis, list(zip(xs, words, strict=True)), foot)
        return path(pen, "divider", lines) + labels

    # what changes from step to step ------------------------------------------------------------

    def row(self, step: int, i: int) -> str:
        """One layer at one step, drawn from its baseline, y = 0, upward."""
        pen, layer = self.pen, self.steps[step].layers[self.rows[i]]
        up = 2 - self.pitch / 2 + 2
        small = " small" if self.small else ""
        parts = [text(pen, f"layer name{small}", self.names_end, up, self.names[i])]
        if self.activations and layer.activation:
            parts.append(self._activation(layer.activation))
        if layer.dead:
            words = f"{layer.dead} of {layer.units}"
            if text_width(words, 12) > 60:
                words = f"{layer.dead}/{layer.units}"
            parts.append(text(pen, "mark words", self.dead_at, up, words))
        trouble = self.limits.of(layer)
        if layer.gradient and layer.gradient.quantiles:
            parts.append(self._ridge(layer.gradient, trouble in ("vanishing", "exploding")))
        parts.append(self._mark(layer, trouble, up))
        if layer.gradient:
            g = layer.gradient
            words = unreal(g) if g.nonfinite else number(g.norm, 3)
            parts.append(text(pen, "number end", self.right, up, words.partition(" ")[0]))
        return "".join(parts)

    def _mark(self, layer: LayerFlow, trouble: str, up: float) -> str:
        """The sign for what is wrong."""
        pen, x = self.pen, self.marks_at
        if trouble == "none":
            return none_pill(pen, x + 18, up)
        if trouble == "nan":
            return self._not_finite(x + 14, up, layer.gradient)
        words = {"zero": "= 0", "vanishing": "→ 0", "exploding": "→ ∞"}.get(trouble)
        return text(pen, "mark words", x, up, words) if words else ""

    def _not_finite(self, x: float, up: float, spread: Spread) -> str:
        pen, half = self.pen, min(8.0, self.pitch / 2 - 1)
        box = rectangle(pen, "infinite", (x - 16, up - half, x + 16, up + half), 3)
        return box + text(pen, "infinite words", x, up, "nan" if spread.nans else "inf")

    def _activation(self, spread: Spread) -> str:
        axis, parts = self.activations, []
        if spread.quantiles:
            shares = bars(axis(np.array(spread.quantiles)), axis, BINS[0])
            _, d = self._steps(shares, axis, whole=True)
            parts.append(path(self.pen, "activation", d))
        if spread.nonfinite:
            parts.append(self._not_finite(axis.right - 18, 4 - self.pitch / 2, spread))
        return "".join(parts)

    def _ridge(self, spread: Spread, outside: bool) -> str:
        """The histogram of a layer's gradient; hatched if its bulk lies outside the limits."""
        axis = self.gradients
        shares = bars(axis(np.log10(spread.quantiles)), axis, BINS[1])
        heights, d = self._steps(shares, axis, whole=False)
        if not d:
            return ""
        if not outside:
            return path(self.pen, "ridge", d)
        hatch = path(self.pen, "ridge hatch", hatching(heights, axis.left, axis.right))
        line = d.replace("z", "")
        return path(self.pen, "ridge outside", d) + hatch + path(self.pen, "ridge outline", line)

    def _steps(self, shares: np.ndarray, axis: Axis, whole: bool) -> tuple[list[float], str]:
        """Heights of the bins in px, and the outline over them: over the whole axis, or from the
        first to the last that holds an element."""
        most = float(shares.max(initial=0.0))
        if most <= 0:
            return [], ""
        heights = [round(RIDGE * self.pitch * float(s) / most, 1) for s in shares]
        on = [i for i, s in enumerate(shares) if s > 1e-9]
        first, last = (0, len(heights) - 1) if whole else (on[0], on[-1])
        wide = (axis.right - axis.left) / len(heights)
        x = lambda i: _f(axis.left + i * wide)  # noqa: E731
        d, before = f"M{x(first)} 0", 0.0
        for i in range(first, last + 1):
            if heights[i] != before:
                d += f"H{x(i)}V{_f(-heights[i])}"
                before = heights[i]
        return heights, d + f"H{x(last + 1)}V0z"

    def medians(self, step: int) -> str:
        """The medians, joined from layer to layer."""
        points: list[tuple[float, float] | None] = []
        for i, row in enumerate(self.rows):
            g = self.steps[step].layers[row].gradient
            at = float(self.gradients(math.log10(g.median))) if g and g.median > 0 else None
            points.append(None if at is None else (at, self.y(i)))
        d, joined = "", False
        for point in points:
            if point:
                d += f"{'L' if joined else 'M'}{_f(point[0])} {_f(point[1])}"
            joined = bool(point)
        known = [p for p in points if p]
        radius = 3.5 if self.pitch == PITCH else 2.75
        dots = "".join(circle(self.pen, "median", x, y, radius) for x, y in known)
        return (path(self.pen, "median line", d) if d else "") + dots + self._pointer(known)

    def _pointer(self, points: list[tuple[float, float]]) -> str:
        """What the dots are, said once, where there is room beside one of them."""
        wide, axis = text_width("median", 11, mono=False), self.gradients
        limits = (self.limits.vanishing, self.limits.exploding)
        lines = [float(axis(math.log10(limit))) for limit in limits]
        for x, y in points[len(points) // 2 :]:
            crossed = any(x + 7 < line < x + wide + 66 for line in lines)
            if axis.right - x > wide + 66 and not crossed:
                line = f"M{_f(x + 7)} {_f(y - 2)}L{_f(x + 58)} {_f(y - 14)}"
                words = text(self.pen, "note middle", x + 62 + wide / 2, y - 16, "median")
                return path(self.pen, "bracket", line) + words
        return ""

    def body(self, step: int) -> str:
        """Everything at one step."""
        rows = "".join(
            f'<g transform="translate(0 {_f(self.y(i))})">{self.row(step, i)}</g>'
            for i in range(len(self.rows))
        )
        return self.backdrop() + rows + self.medians(step)

    def svg(self, title: str, sentence: str, step: int = -1) -> str:
        """One step as a standing picture, the last if no other is asked for."""
        return framed(self.width, self.height, title, sentence, self.body(step))


def hatching(heights: Sequence[float], left: float, right: float, gap: float = 6.0) -> str:
    """Diagonals inside a histogram that stands on y = 0, as a path; those of neighbouring bins are
    joined."""
    wide = (right - left) / len(heights)
    # A diagonal is x − up = c, where `up` is the height above the base.
    last = max((i for i, h in enumerate(heights) if h > 0), default=-1)
    found = []
    for k in range(math.floor(-max(heights, default=0) / gap), math.ceil((last + 1) * wide / gap)):
        start = end = None
        for i, h in enumerate(heights):
            low, high = max(k * gap, i * wide), min(k * gap + h, (i + 1) * wide)
            if high > low:
                if start is not None and abs(low - end) < 1e-6:
                    end = high
                    continue
                found += [(k, start, end)] if start is not None else []
                start, end = low, high
        found += [(k, start, end)] if start is not None else []
    return "".join(
        f"M{_f(left + a)} {_f(k * gap - a)}L{_f(left + b)} {_f(k * gap - b)}" for k, a, b in found
    )


def shortened(name: str, most: int = LONGEST) -> str:
    """A name cut at the front: the end tells layers apart.

    >>> shortened("encoder.layers.11.self_attn")
    '…ers.11.self_attn'
    """
    return name if len(name) < most else f"…{name[2 - most :]}"
