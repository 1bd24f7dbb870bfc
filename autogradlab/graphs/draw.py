"""The drawing: a `Graph`, and what a backward pass has done to it so far, as SVG.

`looks` says what state every part is in after a step, `Drawing` turns parts and states into markup.
The widget, the stored picture and the film strip all use it; they differ only in the pen, which
writes a style as presentation attributes or as a class. Colours and styles are in style.py,
positions come from layout.py.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .data import Edge, Event, Graph, GraphNode, Recording, Summary
from .highlights import gradient_norms, path_to, saved_bytes
from .layout import layout
from .numbers import number, numbers
from .style import attributes, escape, text_width

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom
Pen = Callable[[str], str]


# ── what happened: a recording after some steps ─────────────────────────────────────────────


@dataclass(frozen=True)
class NodeLook:
    """The state of one node: `phase` is plain, waiting, ready, running or done."""

    phase: str = "plain"
    arrived: int = 0
    needed: int = 0
    saved: str = ""  # "", "held" or "freed"
    grad: Summary | None = None  # what is in a leaf's cup
    trouble: str = ""  # "inf" or "nan" once such a number has appeared here


@dataclass(frozen=True)
class EdgeLook:
    """The state of one edge: `phase` is value, now, passed or asked (its gradient is a riddle)."""

    phase: str = "value"
    gradient: Summary | None = None


@dataclass(frozen=True)
class Look:
    """The state of every part of a graph at one moment."""

    nodes: dict[str, NodeLook]
    edges: tuple[EdgeLook, ...]


def plain_look(graph: Graph) -> Look:
    """A graph as it was recorded, before any backward pass."""
    nodes = {k: NodeLook(saved="held" if n.saved else "") for k, n in graph.nodes.items()}
    return Look(nodes, tuple(EdgeLook() for _ in graph.edges))


def look_after(recording: Recording, step: int) -> Look:
    """The graph while event number `step` runs (1 is the first; at 0 only the root has one)."""
    graph, events = recording.graph, recording.events
    turn = {event.key: i for i, event in enumerate(events, 1)} | {graph.root: 0}
    senders: dict[str, list[float]] = {key: [] for key in graph.nodes}
    for edge in graph.edges:
        senders[edge.source].append(turn.get(edge.target, math.inf))
    nodes = {}
    for key, node in graph.nodes.items():
        arrived, mine = sum(t < step for t in senders[key]), turn.get(key, math.inf)
        ready = arrived == len(senders[key]) and step > 0
        event = events[int(mine) - 1] if 0 < mine < math.inf else None
        nodes[key] = NodeLook(
            _phase(mine - step, ready),
            arrived,
            len(senders[key]),
            ("held" if mine >= step else "freed") if node.saved else "",
            event.accumulated[step >= mine] if event and event.accumulated else None,
            _trouble(node, event if mine <= step else None),
        )
    return Look(nodes, tuple(_edge_look(recording, e, turn, step) for e in graph.edges))


def look_before(recording: Recording, key: str) -> Look:
    """The graph when all has run that can run before a gradient is sent to node `key`: that
    gradient is asked for."""
    graph, senders = recording.graph, {e.target for e in recording.graph.edges if e.source == key}
    targets: dict[str, set[str]] = {k: set() for k in graph.nodes}
    for edge in graph.edges:
        targets[edge.source].add(edge.target)
    sent, ran = {graph.root: None}, {graph.root}
    for event in recording.events:
        if event.key not in senders and targets[event.key] <= ran:
            ran.add(event.key)
            sent[event.key] = event.grads_out

    def phase(k: str) -> str:
        if k in ran:
            return "done"
        if graph.nodes[k].kind in ("leaf", "parameter"):
            return "plain"
        return "ready" if targets[k] <= ran else "waiting"

    def edge_look(edge: Edge) -> EdgeLook:
        if edge.source == key:
            return EdgeLook("asked")
        gradient = recording.gradient if edge.target == graph.root else None
        if edge.target in ran - {graph.root}:
            gradient = sent[edge.target].get(edge.port)
        return EdgeLook("passed", gradient) if gradient else EdgeLook()

    nodes = {k: NodeLook(phase(k), len(targets[k] & ran), len(targets[k])) for k in graph.nodes}
    return Look(nodes, tuple(edge_look(edge) for edge in graph.edges))


def look_at_arrival(recording: Recording, key: str) -> Look:
    """The same, a moment later: the gradient of node `key` arrives."""
    graph, before = recording.graph, look_before(recording, key)
    came = {e.key: e.grads_out for e in recording.events}
    edges, nodes = list(before.edges), dict(before.nodes)
    nodes[key] = NodeLook("done")
    for i, edge in enumerate(graph.edges):
        if edge.source == key:
            nodes[edge.target] = NodeLook("done")
            sent = came[edge.target][edge.port] if edge.target in came else recording.gradient
            edges[i] = EdgeLook("now", sent)
    return Look(nodes, tuple(edges))


def _phase(ahead: float, ready: bool) -> str:
    """How far a node's turn is away: done, running, or waiting for gradients or its turn."""
    if ahead <= 0:
        return "done" if ahead < 0 else "running"
    return "ready" if ready else "waiting"


def _edge_look(recording: Recording, edge: Edge, turn: dict[str, int], step: int) -> EdgeLook:
    at = turn.get(edge.target, math.inf)
    sent = recording.gradient if at == 0 else None
    if 0 < at <= step:
        sent = recording.events[at - 1].grads_out.get(edge.port)
    if at > step or sent is None:
        return EdgeLook()
    return EdgeLook("now" if at == step else "passed", sent)


def _trouble(node: GraphNode, event: Event | None) -> str:
    """ "nan" or "inf" if the node has made such a number, going forward or in its event."""
    made = [node.value]
    if event:
        made += [*event.grads_out.values(), *(event.accumulated or ())[1:]]
    texts = [str(s.values if s.values is not None else s.ends) for s in made if s and s.nonfinite]
    return "" if not texts else "nan" if any("nan" in t for t in texts) else "inf"


# ── small marks ─────────────────────────────────────────────────────────────────────────────


def _f(x: float) -> str:
    """A coordinate: one decimal is finer than a pixel and keeps the markup short."""
    return f"{round(x, 1):g}"


def text(pen: Pen, style: str, x: float, y: float, words: str) -> str:
    """One line of text whose middle (not baseline) is at height `y`."""
    from .style import STYLES

    baseline = y + 0.35 * int(STYLES[style]["font-size"])
    return f'<text x="{_f(x)}" y="{_f(baseline)}" {pen(style)}>{escape(words)}</text>'


def rectangle(pen: Pen, style: str, box: Box, radius: float = 0) -> str:
    """A rectangle given by its corners."""
    left, top, right, bottom = box
    rx = f' rx="{_f(radius)}"' if radius else ""
    return (
        f'<rect x="{_f(left)}" y="{_f(top)}" width="{_f(right - left)}" '
        f'height="{_f(bottom - top)}"{rx} {pen(style)}/>'
    )


def path(pen: Pen, style: str, d: str, extra: str = "") -> str:
    """A path in the given style."""
    return f'<path d="{d}" {pen(style)}{extra}/>'


def circle(pen: Pen, style: str, x: float, y: float, r: float) -> str:
    """A disc."""
    return f'<circle cx="{_f(x)}" cy="{_f(y)}" r="{_f(r)}" {pen(style)}/>'


LONGEST = 22  # characters in a chip: four short numbers


def value_words(value: Summary) -> str:
    """A value in its chip: the numbers, or the shape where they are too long.

    >>> import math
    >>> eye = ((1.0, 0.0), (0.0, 1.0))
    >>> value_words(Summary((2, 2), "float32", math.sqrt(2), 0.5, 0.0, 1.0, 2, 0, eye, 16))
    '[[1, 0], [0, 1]]'
    """
    words = numbers(value)
    return words if len(words) <= LONGEST else "×".join(map(str, value.shape))


def gradient_words(gradient: Summary) -> str:
    """A gradient in its chip: the numbers, or the norm between bars where they are too long.

    >>> gradient_words(Summary((9,), "float32", 28.44, 1.0, 0.123, 9.0, 0, 0, (0.1234,) * 9, 36))
    '‖28.44‖'
    """
    words = numbers(gradient)
    if len(words) <= LONGEST:
        return words
    return "nan or inf" if gradient.nonfinite else f"‖{number(gradient.norm)}‖"


def value_chip_width(words: str) -> float:
    """Width of a value chip that holds these words."""
    return text_width(words, 12) + 12


def gradient_chip_width(words: str) -> float:
    """Width of a gradient chip that holds these words."""
    return text_width(words, 12) + 34


def value_chip(pen: Pen, x: float, y: float, words: str) -> str:
    """A value: thin, square, an outline. `x` is the left side, `y` the middle."""
    width = value_chip_width(words)
    box = rectangle(pen, "value chip", (x, y - 10, x + width, y + 10), 2)
    return box + text(pen, "number", x + width / 2, y, words)


def gradient_chip(pen: Pen, x: float, y: float, words: str, now: bool = False) -> str:
    """A gradient: wide, round, with a solid cap and ∇. `x` is the left side, `y` the middle."""
    width = gradient_chip_width(words)
    style = "gradient chip now" if now else "gradient chip"
    return (
        rectangle(pen, style, (x, y - 10, x + width, y + 10), 10)
        + path(pen, "cap", f"M{_f(x + 20)} {_f(y - 10)}h-10a10 10 0 0 0 0 20h10z")
        + path(pen, "nabla", f"M{_f(x + 7.5)} {_f(y - 3.5)}h9l-4.5 8z")
        + text(pen, "number", x + 20 + (width - 22) / 2, y, words)
    )


def question_chip(pen: Pen, x: float, y: float) -> str:
    """A gradient that is asked for. `x` is the left side, `y` the middle."""
    box = rectangle(pen, "question", (x, y - 12, x + 42, y + 12), 12)
    return box + text(pen, "question text", x + 21, y, "?")


def none_pill(pen: Pen, x: float, y: float) -> str:
    """`.grad` is None: a dashed pill. `x` is the left side, `y` the middle."""
    return rectangle(pen, "pill", (x, y - 9, x + 44, y + 9), 9) + text(
        pen, "number none", x + 22, y, "None"
    )


def tick(pen: Pen, x: float, y: float, size: float = 1) -> str:
    """The sign for done and for agrees."""
    a, b = 3 * size, 6 * size
    d = f"M{_f(x - 3.5 * size)} {_f(y + 0.3)}l{_f(a)} {_f(a)}l{_f(b - 1)} -{_f(b)}"
    return path(pen, "tick", d)


# ── shapes ──────────────────────────────────────────────────────────────────────────────────


def _shape(pen: Pen, style: str, kind: str, w: float, h: float) -> str:
    x, y = w / 2, h / 2
    if kind == "leaf":
        return rectangle(pen, style, (-x, -y, x, y), y)
    if kind == "parameter":
        notch = h / 3
        top = f"M{_f(-x)} 0l{_f(notch)} {_f(-y)}H{_f(x - notch)}"
        d = f"{top}L{_f(x)} 0l{_f(-notch)} {_f(y)}H{_f(notch - x)}z"
    elif kind == "output":
        d = f"M{_f(-x)} {_f(-y)}H{_f(x)}V{_f(y * 0.3)}L0 {_f(y)}L{_f(-x)} {_f(y * 0.3)}z"
    else:
        return rectangle(pen, style, (-x, -y, x, y), 4)
    join = "" if "stroke-linejoin" in pen(style) else ' stroke-linejoin="round"'
    return path(pen, style, d, join)


def _hatch(pen: Pen, kind: str, w: float, h: float, words: str) -> str:
    """Diagonals left and right of the label, drawn one by one: a pattern would need an id."""
    inner, outer, y = text_width(words, 13) / 2 + 4, w / 2 - 3, h / 2 - 3
    low_end = h * 0.15 if kind == "output" else y
    strokes = []
    for side in (-1, 1):
        x = inner
        while x + 5 < outer:
            low, high = sorted((side * x, side * (x + 5)))
            strokes.append(f"M{_f(low)} {_f(low_end)}L{_f(high)} {_f(-y)}")
            x += 7
    return path(pen, "hatch", "".join(strokes)) if strokes else ""


def _badge(pen: Pen, look: NodeLook, kind: str, w: float, h: float) -> str:
    x, y = w / 2 - (6 if kind in ("leaf", "parameter") else 1), 1 - h / 2
    if look.phase == "done":
        return circle(pen, "badge", x, y, 8) + tick(pen, x, y)
    if look.phase == "ready":
        return circle(pen, "badge ready", x, y, 7.5) + circle(pen, "badge dot", x, y, 4)
    if look.phase == "running":
        sign = path(pen, "badge sign", f"M{_f(-x)} {_f(y - 4.5)}l4.5 8h-9z")
        return circle(pen, "badge now", -x, y, 9) + sign
    if look.phase == "waiting" and look.needed > 1:
        words = f"{look.arrived}/{look.needed}"
        half = text_width(words, 11) / 2 + 6
        pill = rectangle(pen, "pill", (x - half, y - 8, x + half, y + 8), 8)
        return pill + text(pen, "small", x, y, words)
    return ""


def _sheet(pen: Pen, saved: str, w: float) -> str:
    x = w / 2 - 20
    if saved == "freed":
        return rectangle(pen, "sheet freed", (x, -6, x + 12, 6), 1)
    lines = path(pen, "sheet lines", f"M{_f(x + 3)} -2h6m-6 4h6")
    return rectangle(pen, "sheet", (x, -6, x + 12, 6), 1) + lines


def _cup_mark(
    pen: Pen, node: GraphNode, look: NodeLook, w: float, h: float, inner: float, words: str = ""
) -> str:
    """The `.grad` cup beside a leaf: AccumulateGrad fills it. `words` stand over it instead."""
    left, top, bottom = w / 2 + 10, 4 - h / 2, h / 2 - 2
    right, middle = left + inner + 12, 8 - h / 2 + 6
    style = "cup empty" if look.grad is None else "cup"
    d = f"M{_f(left)} {_f(top)}V{_f(bottom - 4)}q0 4 4 4H{_f(right - 4)}q4 0 4 -4V{_f(top)}"
    if look.grad is None:
        content = none_pill(pen, left + 6, middle)
    else:
        content = gradient_chip(
            pen, left + 6, middle, gradient_words(look.grad), now=look.phase == "running"
        )
    words = words or f"{node.label}.grad"
    label = text(pen, "small", (left + right) / 2, -h / 2 - 9, words)
    return path(pen, style, d) + content + label


# ── curves ──────────────────────────────────────────────────────────────────────────────────


def _s_curve(start: Point, end: Point) -> tuple[Point, ...]:
    (x0, y0), (x1, y1) = start, end
    tall = y1 - y0  # upright for longer at the top, where the chips stand
    return (start, (x0, y0 + 0.65 * tall), (x1, y1 - 0.5 * tall), end)


def _samples(curve: tuple[Point, ...], per_segment: int = 24) -> list[Point]:
    """Points along a chain of cubic Bézier segments."""
    points = [curve[0]]
    for i in range(0, len(curve) - 3, 3):
        a, b, c, d = curve[i : i + 4]
        for k in range(1, per_segment + 1):
            t = k / per_segment
            s = 1 - t
            weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
            xs, ys = zip(a, b, c, d, strict=True)
            points.append(
                (sum(w * x for w, x in zip(weights, xs, strict=True)),
                 sum(w * y for w, y in zip(weights, ys, strict=True)))
            )  # fmt: skip
    return points


def _curve_path(curve: Iterable[Point]) -> str:
    (x, y), *rest = curve
    d = f"M{_f(x)} {_f(y)}C"
    return d + " ".join(f"{_f(x)} {_f(y)}" for x, y in rest)


def _chevrons(points: list[Point], width: float) -> str:
    """One chevron every 18 px of arc length, pointing along the points."""
    lengths = [math.dist(p, q) for p, q in itertools.pairwise(points)]
    total = sum(lengths)
    if total < 14:
        return ""
    count = max(1, round(total / 18))
    reach = max(2.0, min(4.5, width * 0.3))
    marks, walked, wanted = [], 0.0, total / count / 2
    for (x0, y0), (x1, y1), length in zip(points, points[1:], lengths, strict=False):
        while length and walked + length >= wanted and len(marks) < count:
            t = (wanted - walked) / length
            x, y = x0 + t * (x1 - x0), y0 + t * (y1 - y0)
            u, v = (x1 - x0) / length * reach, (y1 - y0) / length * reach
            tail = (x - u - v, y - v + u), (x, y), (x - u + v, y - v - u)
            marks.append("M" + "L".join(f"{_f(p)} {_f(q)}" for p, q in tail))
            wanted += total / count
        walked += length
    return "".join(marks)


# ── the drawing ─────────────────────────────────────────────────────────────────────────────


class Drawing:
    """A graph with a place for every node, edge and number; ask it for markup in any state.

    Places are chosen once, so that nothing moves between steps: each chip has room for the text it
    will hold. `small=True` leaves out all text, for a film strip; `cups=False` leaves out what
    leaves keep.

    Raises `RendererMissing` when no renderer for positions is installed.
    """

    def __init__(
        self, graph: Graph, recording: Recording | None = None, pen: Pen = attributes,
        small: bool = False, cups: bool = True,
    ):  # fmt: skip
        self.graph, self.pen, self.small = graph, pen, small
        last = look_after(recording, len(recording.events)) if recording else plain_look(graph)
        self.gradients = [gradient_words(e.gradient) if e.gradient else "" for e in last.edges]
        self.cups = self._cups(last) if recording and cups and not small else {}
        self.widths = _ribbon_widths(last, small)
        self.sizes = {k: self._size(n) for k, n in graph.nodes.items()}
        self.values = {} if small else self._value_chips()
        # Chips that find no free place get a wider graph; with many nodes one does not read them.
        for gap in (14,) if small else (56, 76, 100) if len(graph.nodes) <= 60 else (56,):
            if not self._arrange(gap):
                break
        self._fit()

    def _arrange(self, gap: float) -> float:
        """Give everything its place; returns how much chips overlap anything else."""
        rooms = {k: self._room(k) for k in self.graph.nodes}
        anchors = {k: (left - right) / 2 for k, (left, right) in rooms.items()}
        sizes = {k: (left + right, self.sizes[k][1]) for k, (left, right) in rooms.items()}
        node_gap, rank_gap = (gap, gap + 12) if self.small else (gap - 40, gap)
        self.place = layout(self.graph, sizes, anchors, node_gap, rank_gap)
        self.centres = {k: (x + anchors[k], y) for k, (x, y) in self.place.positions.items()}
        self._straighten_chains(rooms)
        boxes = {k: self._box(k, 6) for k in self.graph.nodes}
        self.curves = [self._route(i, boxes) for i in range(len(self.graph.edges))]
        self.points = [_samples(curve) for curve in self.curves]
        self.spots, overlap = ({}, 0.0) if self.small else self._spots()
        return overlap

    # sizes ---------------------------------------------------------------------------------

    def _cups(self, last: Look) -> dict[str, float]:
        """Who has a cup, and the width of what is in it at the end."""
        grads = {k: n.grad for k, n in last.nodes.items()}
        return {
            k: gradient_chip_width(gradient_words(grads[k])) if grads[k] else 44.0
            for k, n in self.graph.nodes.items()
            if n.kind in ("leaf", "parameter")
        }

    def _size(self, node: GraphNode) -> tuple[float, float]:
        if self.small:
            return {"op": (42.0, 18.0), "output": (28.0, 18.0)}.get(node.kind, (26.0, 18.0))
        label = text_width(node.label, 13)
        if node.kind == "op":
            name = text_width(node.name, 11, mono=False)
            return max(label, name) + (52 if node.saved else 24), 44
        if node.kind == "output":
            return max(72.0, label + 24), 40
        return max(48.0, label + (36 if node.kind == "parameter" else 24)), 32

    def _value_chips(self) -> dict[int, str]:
        """A value is shown once, on its first edge; one result of several with its name."""
        chips: dict[int, str] = {}
        seen = set()
        for i, edge in enumerate(self.graph.edges):
            made = self.graph.result(edge.port)
            words = [made.label] if edge.port != edge.source else []
            words += [value_words(made.value)] if made.value else []
            if words and edge.port not in seen:
                seen.add(edge.port)
                chips[i] = " = ".join(words)
        return chips

    def _room(self, key: str) -> tuple[float, float]:
        """What to reserve left and right of a node's centre: itself, its cup, and the chips on
        the edges below it."""
        half = self.sizes[key][0] / 2
        left, right = half, half + (22 + self.cups[key] if key in self.cups else 0)
        for i, edge in enumerate(self.graph.edges):
            if edge.source == key and not self.small:
                left = max(left, 16 + value_chip_width(self.values.get(i, "")))
                right = max(right, 16 + gradient_chip_width(self.gradients[i]))
        if self.graph.nodes[key].kind in ("leaf", "parameter"):
            return left, right
        return max(left, right), max(left, right)  # edges come to the middle of its top

    def _straighten_chains(self, rooms: dict[str, tuple[float, float]]) -> None:
        """Put a node straight below its only input if that feeds nothing else and there is room."""
        outs = Counter(e.source for e in self.graph.edges)
        ins = Counter(e.target for e in self.graph.edges)
        lines = [(e, _samples(c)) for e, c in zip(self.graph.edges, self.place.curves, strict=True)]
        lines = [(e, line, _bounds(line)) for e, line in lines]

        def room(key: str, x: float) -> Box:
            (left, right), (_, y), (_, h) = rooms[key], self.centres[key], self.sizes[key]
            return x - left, y - h / 2, x + right, y + h / 2

        boxes = {k: room(k, x) for k, (x, _) in self.centres.items()}
        for i, edge in enumerate(self.graph.edges):
            if outs[edge.source] != 1 or ins[edge.target] != 1:
                continue
            moved = room(edge.target, self.centres[edge.source][0])
            passing = (
                p
                for j, (e, line, bounds) in enumerate(lines)
                if j != i and e.source != edge.target and _touch(bounds, moved)
                for p in line
            )
            if not any(
                _touch(moved, box) for k, box in boxes.items() if k != edge.target
            ) and not any(_inside(p, moved) for p in passing):
                self.centres[edge.target] = (
                    self.centres[edge.source][0],
                    self.centres[edge.target][1],
                )
                boxes[edge.target] = moved

    # edges ---------------------------------------------------------------------------------

    def _route(self, index: int, boxes: dict[str, Box]) -> tuple[Point, ...]:
        """From the bottom of the source to the top of the target: one S, or the renderer's way
        round the nodes that stand between."""
        edge = self.graph.edges[index]
        start = self._port(edge, index, bottom=True)
        end = self._port(edge, index, bottom=False)
        curve = _s_curve(start, end)
        points, ends = _samples(curve), (edge.source, edge.target)
        near = _bounds(points)
        others = [box for k, box in boxes.items() if k not in ends and _touch(box, near)]
        if not any(_inside(p, box) for p in points for box in others):
            return curve
        spline = list(self.place.curves[index])
        return (start, *spline[1:-1], end)

    def _drawn(self) -> Sequence[int]:
        """The edges that are shown: all."""
        return range(len(self.graph.edges))

    def _port(self, edge: Edge, index: int, bottom: bool) -> Point:
        """Where an edge touches its node: several edges stand side by side, in the order of the
        nodes they go to."""
        key = edge.source if bottom else edge.target
        (x, y), (w, h) = self.centres[key], self.sizes[key]
        edges = [(i, self.graph.edges[i]) for i in sorted({*self._drawn(), index})]
        far = {
            i: self.centres[e.target if bottom else e.source][0]
            for i, e in edges
            if (e.source if bottom else e.target) == key
        }
        order = sorted(far, key=lambda i: (far[i], i))
        spread = min(20 if bottom else 100, (w - 28) / max(1, len(order) - 1))
        x += (order.index(index) - (len(order) - 1) / 2) * spread
        return x, y + (h / 2 if bottom else -h / 2)

    # chips ---------------------------------------------------------------------------------

    def _box(self, key: str, margin: float = 0) -> Box:
        (x, y), (w, h) = self.centres[key], self.sizes[key]
        right = w / 2 + (22 + self.cups[key] if key in self.cups else 0)
        top = h / 2 + (18 if key in self.cups else 0)
        return x - w / 2 - margin, y - top - margin, x + right + margin, y + h / 2 + margin

    def _spots(self) -> tuple[dict[tuple[str, int], Point], float]:
        """The place of each chip: value left of its edge, gradient right, the first spot along
        the edge where nothing else is; further out if there is none. And what still overlaps."""
        taken = [self._box(key, 9) for key in self.graph.nodes]
        bounds = [_bounds(line) for line in self.points]
        spots, overlap = {}, 0.0
        for side, chips in (("value", self.values), ("gradient", self._gradient_chips())):
            for i, words in chips.items():
                width = (value_chip_width if side == "value" else gradient_chip_width)(words)
                cost, box = self._free_box(i, width, side == "value", taken, bounds)
                overlap += cost
                spots[side, i] = box[0], (box[1] + box[3]) / 2
                taken.append((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3))
        return spots, overlap

    def _gradient_chips(self) -> dict[int, str]:
        """Two edges that bring the same value to a node share the chip: their gradients' sum."""
        chips: dict[int, str] = {}
        pairs = set()
        for i, edge in enumerate(self.graph.edges):
            if self.gradients[i] and (edge.port, edge.target) not in pairs:
                chips[i] = self.gradients[i]
            pairs.add((edge.port, edge.target))
        return chips

    def _free_box(
        self, index: int, width: float, left: bool, taken: list[Box], bounds: list[Box]
    ) -> tuple[float, Box]:
        own, half = self.points[index], self.widths[index] / 2 + 6
        reach = 130 + width  # nothing further away can be in the way
        near = (
            min(x for x, _ in own) - reach, own[0][1] - 12,
            max(x for x, _ in own) + reach, own[-1][1] + 12,
        )  # fmt: skip
        taken = [box for box in taken if _touch(box, near)]
        others = [
            p
            for i, line in enumerate(self.points)
            if i != index and _touch(bounds[i], near)
            for p in line
            if _inside(p, near)
        ]
        best: tuple[float, Box] | None = None
        for outward in range(0, 120, 12):
            for t in (0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74, 0.2, 0.8):
                y = own[round(t * (len(own) - 1))][1]
                beside = [x for x, v in own if abs(v - y) <= 12] or [own[len(own) // 2][0]]
                edge = min(beside) - half - outward - width
                edge = edge if left else max(beside) + half + outward
                box = (edge, y - 10, edge + width, y + 10)
                # From its own edge on, so that no other edge comes between them.
                span = (
                    min(edge - 8, max(beside)),
                    y - 12,
                    max(edge + width + 8, min(beside)),
                    y + 12,
                )
                cost = sum(_overlap(box, other) for other in taken)
                cost += sum(40 for p in others if _inside(p, span))
                if best is None or cost < best[0]:
                    best = (cost, box)
                if not cost:
                    return best
        return best

    def _fit(self) -> None:
        """Shift everything so that the drawing starts at (0, 0) with a margin for badges."""
        boxes = [self._box(key, 18 if not self.small else 8) for key in self.graph.nodes]
        for (side, i), (x, y) in self.spots.items():
            chips = self.values if side == "value" else self.gradients
            width = (value_chip_width if side == "value" else gradient_chip_width)(chips[i])
            boxes.append((x - 6, y - 16, x + width + 6, y + 16))
        boxes += [(x - 10, y, x + 10, y) for line in self.points for x, y in line]
        dx, dy = -min(b[0] for b in boxes), -min(b[1] for b in boxes)
        self.width = math.ceil(max(b[2] for b in boxes) + dx)
        self.height = math.ceil(max(b[3] for b in boxes) + dy)
        shift = lambda p: (p[0] + dx, p[1] + dy)  # noqa: E731
        self.centres = {k: shift(p) for k, p in self.centres.items()}
        self.curves = [tuple(map(shift, curve)) for curve in self.curves]
        self.points = [list(map(shift, line)) for line in self.points]
        self.spots = {k: shift(p) for k, p in self.spots.items()}

    # markup --------------------------------------------------------------------------------

    def node(self, key: str, look: Look) -> str:
        """A node in its state, drawn round (0, 0)."""
        node, state, (w, h), pen = self.graph.nodes[key], look.nodes[key], self.sizes[key], self.pen
        style = "infinite" if state.trouble else state.phase
        halo = "halo small" if self.small else "halo"
        parts = [_shape(pen, halo, node.kind, w, h)] if state.phase == "running" else []
        parts.append(_shape(pen, style, node.kind, w, h))
        if self.small:
            return "".join(parts) + (tick(pen, -0.5, 0, 0.9) if state.phase == "done" else "")
        if state.trouble:
            parts.append(_hatch(pen, node.kind, w, h, max(state.trouble, node.name, key=len)))
        parts.append(self._label(node, state, w))
        if state.saved:
            parts.append(_sheet(pen, state.saved, w))
        parts.append(_badge(pen, state, node.kind, w, h))
        if key in self.cups:
            parts.append(self._cup(node, state, w, h))
        return "".join(parts)

    def _cup(self, node: GraphNode, state: NodeLook, w: float, h: float) -> str:
        return _cup_mark(self.pen, node, state, w, h, self.cups[node.key])

    def _label(self, node: GraphNode, state: NodeLook, w: float) -> str:
        tone = " infinite" if state.trouble else " waiting" if state.phase == "waiting" else ""
        words, style = state.trouble or node.label, "expression" + tone
        if node.kind == "op":
            name = "torch name" + (tone if state.trouble else "")
            return text(self.pen, style, 0, -8, words) + text(self.pen, name, 0, 10, node.name)
        return text(self.pen, style, 0, -5 if node.kind == "output" else 0, words)

    def overlay(self, key: str, marks: Iterable[str] = ("octagon", "corners", "focus")) -> str:
        """The marks a reader puts on a node: breakpoint, selection, focus."""
        (w, h), pen = self.sizes[key], self.pen
        x, y = w / 2, h / 2
        made = {
            "octagon": path(pen, "octagon", f"M{_f(-x - 3.5)} {_f(-8.5)}h7l5 5v7l-5 5h-7l-5-5v-7z")
            + path(pen, "octagon bar", f"M{_f(-x - 4)} 0h8"),
            "corners": path(pen, "corners", corner_marks(x + 8, y + 8)),
            "focus": rectangle(pen, "focus", (-x - 5, -y - 5, x + 5, y + 5), 7),
        }
        return "".join(
            f'<g class="agl-mark-{m}">{made[m]}</g>' if pen is not attributes else made[m]
            for m in marks
        )

    def edge(self, index: int, look: Look) -> str:
        """An edge in its state: a thin line down, or a ribbon that climbs."""
        phase, pen, curve = look.edges[index].phase, self.pen, self.curves[index]
        if phase in ("value", "asked"):
            (x, y), width = curve[-1], self.widths[index]
            head = f"M{_f(x - 4)} {_f(y - 6)}L{_f(x)} {_f(y - 1)}L{_f(x + 4)} {_f(y - 6)}"
            return path(pen, "value edge", _curve_path(curve) + ("" if self.small else head))
        d, width = _curve_path(reversed(curve)), self.widths[index]
        chevrons = _chevrons(self.points[index][::-1], width)
        if phase == "now":
            return path(pen, "ribbon", d, f' stroke-width="{_f(width)}"') + path(
                pen, "chevrons", chevrons
            )
        return (
            path(pen, "ribbon", d, f' stroke-width="{_f(width)}"')
            + path(pen, "ribbon passed", d, f' stroke-width="{_f(width - 2)}"')
            + path(pen, "chevrons passed", chevrons)
        )

    def value(self, index: int) -> str:
        """The value chip of an edge."""
        if ("value", index) not in self.spots:
            return ""
        return value_chip(self.pen, *self.spots["value", index], self.values[index])

    def gradient(self, index: int, look: Look) -> str:
        """The gradient chip of an edge, once the gradient has come or while it is asked for."""
        state = look.edges[index]
        if ("gradient", index) not in self.spots:
            return ""
        spot = self.spots["gradient", index]
        if state.phase == "asked":
            return question_chip(self.pen, *spot)
        if state.gradient is None:
            return ""
        return gradient_chip(self.pen, *spot, gradient_words(state.gradient), state.phase == "now")

    def body(self, look: Look) -> str:
        """Everything in one state: ribbons, then nodes, then chips over both."""
        edges = range(len(self.graph.edges))
        nodes = "".join(
            f'<g transform="translate({_f(x)} {_f(y)})">{self.node(key, look)}</g>'
            for key, (x, y) in self.centres.items()
        )
        return (
            "".join(self.edge(i, look) for i in edges)
            + nodes
            + "".join(self.value(i) + self.gradient(i, look) for i in edges)
        )


def draw(
    graph: Graph, look: Look | None = None, recording: Recording | None = None,
    by: str = "", leaf: str = "",
) -> str:  # fmt: skip
    """The graph as one standing picture on light paper.

    Args:
        look: the state of its parts; by default what was recorded, before any backward pass, or
            with a recording the end of the pass, gradients climbing.
        by: "norm" or "saved": under each node a bar for the norm of the gradient that came to it
            (on a logarithmic scale, needs the recording) or for the bytes it has saved.
        leaf: the label of a leaf (or any node) whose paths to the output are drawn strong.

    Raises:
        ValueError: nothing is called `leaf`, or `by` cannot be shown.
    """
    drawing = Drawing(graph, recording)
    if look is None:
        look = look_after(recording, len(recording.events) + 1) if recording else plain_look(graph)
    path_keys = set(path_to(graph, leaf)) if leaf else set()
    told = [_describe(graph), *_highlighted(by, leaf)]
    strong = [
        path(attributes, "path to leaf", _curve_path(drawing.curves[i]))
        for i, edge in enumerate(graph.edges)
        if {edge.source, edge.target} <= path_keys
    ]
    shares = _shares(graph, recording, by)
    marks = []
    for key, (x, y) in drawing.centres.items():
        w, h = drawing.sizes[key]
        if key in path_keys:
            outline = _shape(attributes, "path node", graph.nodes[key].kind, w, h)
            strong.append(f'<g transform="translate({_f(x)} {_f(y)})">{outline}</g>')
        if key in shares:
            style = "norm bar now" if by == "norm" else "held bar"
            left, top = x - w / 2, y + h / 2 + 3
            box = (left, top, left + max(2.0, w * shares[key]), top + 5)
            marks.append(rectangle(attributes, style, box))
    body = "".join(strong) + drawing.body(look) + "".join(marks)
    return svg(drawing.width, drawing.height, f"Graph of {graph.title}", " ".join(told), body)


def _highlighted(by: str, leaf: str) -> list[str]:
    bars = {"norm": "the norm of its gradient", "saved": "the bytes it has saved"}
    found = [f"A bar under a node is {bars[by]}."] if by in bars else []
    return found + ([f"The paths to {leaf} are strong."] if leaf else [])


def _shares(graph: Graph, recording: Recording | None, by: str) -> dict[str, float]:
    """For each node the length of its bar, from 0 to 1."""
    if by == "":
        return {}
    if by == "saved":
        sizes = saved_bytes(graph)
        return {key: size / max(sizes.values()) for key, size in sizes.items()}
    if by != "norm":
        raise ValueError(f'by is "norm" or "saved", not {by!r}')
    if recording is None:
        raise ValueError("the norms of gradients are known from a recording: record_backward(…)")
    norms = {k: n for k, n in gradient_norms(recording).items() if 0 < n < math.inf}
    logs = {key: math.log10(n) for key, n in norms.items()}
    low, high = math.floor(min(logs.values(), default=0)) - 1, max(logs.values(), default=0)
    return {key: (x - low) / (high - low) for key, x in logs.items()}


def svg(width: float, height: float, title: str, description: str, body: str) -> str:
    """A picture that stands alone: opaque light paper, a title and a description."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_f(width)} {_f(height)}" '
        f'width="{_f(width)}" height="{_f(height)}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
        f"{rectangle(attributes, 'frame', (0.5, 0.5, width - 0.5, height - 0.5))}{body}</svg>"
    )


def framed(width: float, height: float, title: str, sentence: str, body: str) -> str:
    """A drawing as a standing picture, with its title over it and its sentence under it."""
    wide = max(width, 420.0, min(1.25 * text_width(title, 14, mono=False), 868.0)) + 32
    while 1.25 * text_width(title, 14, mono=False) > wide - 32:  # bold, so wider than measured
        title = title.rstrip("…")[:-1] + "…"
    lines = wrapped(sentence, wide - 32)
    made = [
        text(attributes, "title", 16, 24, title),
        f'<g transform="translate({_f((wide - width) / 2)} 40)">{body}</g>',
        path(attributes, "divider", f"M0 {_f(height + 48)}H{_f(wide)}"),
        *(text(attributes, "note", 16, height + 68 + 20 * i, each) for i, each in enumerate(lines)),
    ]
    return svg(wide, math.ceil(height + 68 + 20 * len(lines)), title, sentence, "".join(made))


def wrapped(words: str, room: float) -> list[str]:
    """A sentence as lines of 12 px that fit.

    >>> wrapped("one and two and three", 60)
    ['one and', 'two and', 'three']
    """
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, 12, mono=False) > room and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _describe(graph: Graph) -> str:
    ops = sum(n.kind == "op" for n in graph.nodes.values())
    leaves = [n.label for n in graph.nodes.values() if n.kind in ("leaf", "parameter")]
    return f"{ops} operations on {', '.join(leaves)}."


def _ribbon_widths(look: Look, small: bool) -> list[float]:
    """4 to 14 px on the logarithm of the norm, over all edges: 2.5 px for each power of ten, less
    where they span more than four."""
    if small:
        return [6.0] * len(look.edges)
    norms = [e.gradient.norm if e.gradient else 0.0 for e in look.edges]
    logs = [math.log10(n) if n > 0 else None for n in norms]
    known = [x for x in logs if x is not None]
    low, high = min(known, default=0), max(known, default=0)
    span = max(4.0, high - low)
    return [4.0 if x is None else 9 + 10 * (x - (low + high) / 2) / span for x in logs]


def corner_marks(x: float, y: float) -> str:
    """Four corners of a box round (0, 0), as a path."""
    return "".join(
        f"M{_f(sx * x)} {_f(sy * (y - 9))}V{_f(sy * y)}H{_f(sx * (x - 9))}"
        for sx in (-1, 1)
        for sy in (-1, 1)
    )


def _inside(point: Point, box: Box) -> bool:
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


def _bounds(points: list[Point]) -> Box:
    """The box of a line, wider than nothing also where it is straight."""
    xs, ys = zip(*points, strict=True)
    return min(xs) - 1, min(ys) - 1, max(xs) + 1, max(ys) + 1


def _touch(a: Box, b: Box) -> bool:
    return a[1] < b[3] and b[1] < a[3] and a[0] < b[2] and b[0] < a[2]


def _overlap(a: Box, b: Box) -> float:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
