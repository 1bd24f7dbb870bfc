"""A graph and the graph of its gradient as one picture, in the form of a hairpin: the forward pass
runs down the left band, the backward pass that was recorded climbs the right one, and beside each
operation stands what its backward recorded.

The second order has outlines of two lines, a band of its own and a heading, so that it can be told
without colour."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .data import Summary
from .draw import (
    Box,
    Pen,
    Point,
    _chevrons,
    _curve_path,
    _samples,
    _shape,
    circle,
    corner_marks,
    gradient_chip,
    gradient_chip_width,
    gradient_words,
    path,
    rectangle,
    text,
    tick,
    value_chip,
    value_chip_width,
    value_words,
)
from .second_order import Layered, Twofold
from .style import attributes, text_width

ROW, END = 72, 64  # px from one operation to the next, with room for chips; of a leaf or y
FRAME = 30  # px more for the frame round what one node recorded, with its caption
TOP, SIDE, GAP = 40, 16, 72  # px above both bands, inside each, and between the two


@dataclass(frozen=True)
class Moment:
    """What has happened: who is there, what state it is in, what it has received."""

    there: frozenset[str]  # keys that are drawn
    phases: Mapping[str, str] = field(default_factory=dict)  # "plain" where nothing is said
    now: str = ""  # the key in the spotlight
    came: Mapping[str, Summary] = field(default_factory=dict)  # gradients, by key
    ribbons: Mapping[tuple[str, str], str] = field(default_factory=dict)  # "now" or "passed"
    tied: str = ""  # key of a first-order node, tied to the frame of what it records
    seed: bool = False  # whether the backward pass has begun


class Hairpin:
    """Places for all parts of a `Twofold`, and their markup at any moment."""

    def __init__(self, both: Twofold, pen: Pen = attributes) -> None:
        self.both, self.pen = both, pen
        self.sizes = {key: _size(each) for key, each in both.nodes.items()}
        self.groups = {ran.key: ran.recorded for ran in both.first if ran.recorded}
        self.times = Counter(both.edges)
        self.edges = list(self.times)
        self._place()
        self.curves = [self._curve(*edge) for edge in self.edges]

    # ------------------------------------------------------------------------------- places

    def _place(self) -> None:
        """Rows from the top: leaves, operations, y; beside each operation what it recorded."""
        one = [k for k, n in self.both.nodes.items() if n.order == 1]
        two = [k for k, n in self.both.nodes.items() if n.order == 2]
        chips = {k: value_chip_width(self._value(k)) + 12 for k in self.both.nodes}
        half = {k: max(self.sizes[k][0] / 2, chips[k]) for k in self.both.nodes}
        wide = [max((half[k] for k in keys), default=60.0) for keys in (one, two)]
        captions = [text_width(self.caption(k), 11, mono=False) + 20 for k in self.groups]
        wide[1] = max([wide[1], 84.0, *captions])
        lanes = [44 if self._skips(order) else 0 for order in (1, 2)]
        heads = [text_width(words, 12, mono=False) * 1.1 + 24 for words in self.heads]
        bands = [max(2 * w + 2 * SIDE + lane, head) for w, lane, head in
                 zip(wide, lanes, heads, strict=True)]  # fmt: skip
        bands[1] += 16  # the frames
        self.bands = ((8.0, 8 + bands[0]), (8 + bands[0] + GAP, 8 + bands[0] + GAP + bands[1]))
        self.middles = {
            1: self.bands[0][1] - SIDE - wide[0], 2: self.bands[1][0] + SIDE + 8 + wide[1]
        }  # fmt: skip
        self.centres: dict[str, Point] = {}
        self.frames: dict[str, Box] = {}
        y = float(TOP)
        for key in one:
            high = ROW if self.both.nodes[key].node.kind == "op" else END
            if key in self.groups:
                high = ROW * len(self.groups[key]) + FRAME + 12
            self.centres[key] = self.middles[1], y + high / 2
            if key in self.groups:
                left, right = self.bands[1]
                self.frames[key] = left + SIDE - 8, y + 6, right - SIDE + 8, y + high - 6
                for i, each in enumerate(self.groups[key]):
                    self.centres[each] = self.middles[2], y + high - 34 - 20 - ROW * i
            y += high
        self.centres["g"] = self.middles[2], self.centres[self.both.x][1]
        self.width, self.height = self.bands[1][1] + 8, y + 12

    def _skips(self, order: int) -> bool:
        """Whether an edge of this order goes round a node."""
        return any(self._kind(*edge) == "round" for edge in self.edges
                   if self.both.nodes[edge[0]].order == order)  # fmt: skip

    def _kind(self, source: str, target: str) -> str:
        nodes = self.both.nodes
        if nodes[source].order != nodes[target].order:
            return "across"
        column = [k for k, n in nodes.items() if n.order == nodes[source].order]
        if nodes[source].order == 2:
            column = [*(k for ran in self.both.first for k in ran.recorded), "g"]
        return "straight" if column.index(target) - column.index(source) == 1 else "round"

    def _curve(self, source: str, target: str) -> tuple[Point, ...]:
        """The way of a value, as a chain of cubic pieces."""
        (x0, y0), (x1, y1) = self.centres[source], self.centres[target]
        (w0, h0), (w1, h1) = self.sizes[source], self.sizes[target]
        kind, order = self._kind(source, target), self.both.nodes[source].order
        if kind == "across":
            start, end = (x0 + w0 / 2, y0), (x1 - w1 / 2, y1)
            middle = (self.bands[0][1] + self.bands[1][0]) / 2
            return start, (middle, y0), (middle, y1), end
        if kind == "straight":
            down = 1 if order == 1 else -1
            start, end = (x0, y0 + down * h0 / 2), (x1, y1 - down * h1 / 2)
            return start, (x0, (start[1] + end[1]) / 2), (x0, (start[1] + end[1]) / 2), end
        side = -1 if order == 1 else 1
        start, end = (x0 + side * w0 / 2, y0), (x1 + side * w1 / 2, y1)
        edge = self.bands[0][0] + 14 if order == 1 else self.bands[1][1] - 26
        out = (edge - (start[0] + end[0]) / 8) / 0.75  # a cubic comes three quarters of the way
        return start, (out, y0), (out, y1), end

    # ------------------------------------------------------------------------------- markup

    @property
    def heads(self) -> tuple[str, str]:
        """The headings of both bands."""
        return f"first order: {self.both.title}", f"second order: {self.both.label('g')}"

    def caption(self, key: str) -> str:
        """What stands in the frame of what one node has recorded."""
        return f"{self.both.nodes[key].node.name} ran"

    def _value(self, key: str) -> str:
        node = self.both.nodes[key].node
        # The ends have the value of the operation before them.
        return value_words(node.value) if node.value and node.kind != "output" else ""

    def backdrop(self) -> str:
        """Both bands with their headings."""
        parts = []
        for (left, right), words, style in zip(
            self.bands, self.heads, ("frame", "module frame inner"), strict=True
        ):
            parts.append(rectangle(self.pen, style, (left, 32, right, self.height - 8), 8))
            parts.append(text(self.pen, "row label strong", left, 16, words))
        return "".join(parts)

    def frame(self, key: str, moment: Moment) -> str:
        """The frame of what one node has recorded, and who that is."""
        if not any(each in moment.there for each in self.groups[key]):
            return ""
        left, _, _, bottom = box = self.frames[key]
        parts = [rectangle(self.pen, "plain", box, 6)]
        parts.append(text(self.pen, "row note", left + 8, bottom - 14, self.caption(key)))
        if moment.tied == key:
            (x, y), (w, _) = self.centres[key], self.sizes[key]
            parts.append(path(self.pen, "bracket", f"M{x + w / 2:.1f} {y:.1f}H{left:.1f}",
                              ' stroke-dasharray="4 3"'))  # fmt: skip
        return "".join(parts)

    def edge(self, i: int, moment: Moment) -> str:
        """An edge: a line the way its value goes, or a ribbon the way a gradient comes back."""
        edge, curve, pen = self.edges[i], self.curves[i], self.pen
        if not set(edge) <= moment.there:
            return ""
        phase = moment.ribbons.get(edge, "")
        if not phase:
            faint = "pruned" in (moment.phases.get(edge[0]), moment.phases.get(edge[1]))
            style = "cut edge" if faint else "value edge"
            twice = _head(curve, 8) if self.times[edge] > 1 else ""
            return path(pen, style, _curve_path(curve) + _head(curve) + twice)
        d, signs = _curve_path(reversed(curve)), _chevrons(_samples(curve)[::-1], 8)
        if phase == "now":
            return path(pen, "ribbon", d, ' stroke-width="8"') + path(pen, "chevrons", signs)
        return (
            path(pen, "ribbon", d, ' stroke-width="8"')
            + path(pen, "ribbon passed", d, ' stroke-width="6"')
            + path(pen, "chevrons passed", signs)
        )

    def node(self, key: str, moment: Moment) -> str:
        """A node round (0, 0): one outline for the first order, two for the second."""
        if key not in moment.there:
            return ""
        each, (w, h), pen = self.both.nodes[key], self.sizes[key], self.pen
        phase = moment.phases.get(key, "plain")
        kind = each.node.kind
        styles = [("halo", 0), (phase, 0)] if key == moment.now else [(phase, 0)]
        styles += [("second order", 7)] if each.order == 2 else []
        shapes = "".join(_shape(pen, style, kind, w - less, h - less) for style, less in styles)
        parts = [f'<g transform="scale(1 -1)">{shapes}</g>' if key == "g" else shapes]
        tone = " waiting" if phase == "pruned" else ""
        if kind == "op":
            parts.append(text(pen, "expression" + tone, 0, -7, each.node.label))
            parts.append(text(pen, "torch name", 0, 9, each.node.name))
        else:
            up = {"g": 4, "y": -4}.get(key, 0)  # both point the way that values go
            parts.append(text(pen, "expression" + tone, 0, up, each.node.label))
        if phase == "done":
            x, y = w / 2 - 3, (1 - h / 2) * (-1 if key == "g" else 1)
            parts.append(circle(pen, "badge", x, y, 8) + tick(pen, x, y))
        elif phase == "running":
            x, y = -w / 2 + 1, -h / 2 + 1
            sign = path(pen, "badge sign", f"M{x - 4.5:.1f} {y + 3.5:.1f}l4.5-8 4.5 8z")
            parts.append(circle(pen, "badge now", x, y, 9) + sign)
        return "".join(parts)

    def chips(self, key: str, moment: Moment) -> str:
        """The value of a node left of its way out, and right of it the gradient that came."""
        if key not in moment.there:
            return ""
        (x, y), (_, h) = self.centres[key], self.sizes[key]
        y += (h / 2 + 16) * (1 if self.both.nodes[key].order == 1 else -1)
        parts = []
        if words := self._value(key):
            parts.append(value_chip(self.pen, x - value_chip_width(words) - 12, y, words))
        if key in moment.came:
            now = moment.phases.get(key) == "running"
            parts.append(gradient_chip(self.pen, x + 12, y, gradient_words(moment.came[key]), now))
        return "".join(parts)

    def seed(self, moment: Moment) -> str:
        """The gradient 1 that the first backward pass starts from, on its way up; and, while the
        second band is empty, that it is."""
        words = ""
        if not any(n.order == 2 and n.node.kind == "op" and key in moment.there
                   for key, n in self.both.nodes.items()):  # fmt: skip
            words = "nothing is recorded" if moment.seed else "nothing is recorded yet"
            words = text(self.pen, "note middle", self.middles[2], self.height / 2, words)
        if not moment.seed:
            return words
        (x, y), (w, _), to = self.centres["y"], self.sizes["y"], self.middles[2]
        wide = gradient_chip_width("1")
        tie = f"M{x + w / 2:.1f} {y:.1f}H{to - wide / 2:.1f}"
        if drawn := [self.frames[k][3] for k in self.groups if self.groups[k][0] in moment.there]:
            tie += f"M{to:.1f} {y - 10:.1f}V{max(drawn):.1f}"
        return words + path(self.pen, "tie", tie) + gradient_chip(self.pen, to - wide / 2, y, "1")

    def parts(self, moment: Moment) -> list[str]:
        """All of it, back to front, in the order of `places`."""
        return [
            self.backdrop(),
            *(self.frame(key, moment) for key in self.groups),
            self.seed(moment),
            *(self.edge(i, moment) for i in range(len(self.edges))),
            *(self.node(key, moment) for key in self.both.nodes),
            *(self.chips(key, moment) for key in self.both.nodes),
        ]

    def places(self) -> list[tuple[str, float | None, float | None]]:
        """The key and the place of each part; the key is empty for what is no node."""
        still = ("", None, None)
        nodes = [(k, *(round(c, 1) for c in self.centres[k])) for k in self.both.nodes]
        before = [still] * (2 + len(self.groups) + len(self.edges))
        return [*before, *nodes, *([still] * len(nodes))]

    def body(self, moment: Moment) -> str:
        """All of it as one piece of markup."""
        return "".join(
            markup if x is None else f'<g transform="translate({x:g} {y:g})">{markup}</g>'
            for (_, x, y), markup in zip(self.places(), self.parts(moment), strict=True)
        )

    def overlay(self, key: str) -> str:
        """The marks of a reader: selection and focus."""
        w, h = self.sizes[key]
        x, y = w / 2, h / 2
        corners = path(self.pen, "corners", corner_marks(x + 8, y + 8))
        ring = rectangle(self.pen, "focus", (-x - 5, -y - 5, x + 5, y + 5), 7)
        return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'


def _size(each: Layered) -> tuple[float, float]:
    label = text_width(each.node.label, 13)
    if each.node.kind == "op":
        return max(label, text_width(each.node.name, 11, mono=False)) + 26, 40
    if each.node.kind == "output":
        return max(72.0, label + 28), 40
    return max(48.0, label + (36 if each.node.kind == "parameter" else 24)), 32


def _head(curve: Iterable[Point], back: float = 0) -> str:
    """An arrowhead at the end of a curve, or, for an edge that is there twice, one behind it."""
    (px, py), (x, y) = list(curve)[-2:]
    long = math.dist((px, py), (x, y)) or 1.0
    u, v = (x - px) / long, (y - py) / long
    x, y = x - back * u, y - back * v
    left, right = (x - 6 * u + 4 * v, y - 6 * v - 4 * u), (x - 6 * u - 4 * v, y - 6 * v + 4 * u)
    return "M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}".format(*left, x - u, y - v, *right)
