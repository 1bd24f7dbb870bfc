"""Two graphs side by side, a node and its counterpart on one height with a rung between them.

A short pair of graphs is drawn as graphs, a long one as a list with a row for each pair. Both know
the same parts: halves to select, and rungs that end in a tick, or in a diamond where something
differs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .data import Edge, Graph, GraphNode, Recording
from .draw import (
    Drawing,
    Pen,
    Point,
    _f,
    _inside,
    _s_curve,
    _samples,
    circle,
    framed,
    path,
    plain_look,
    rectangle,
    text,
    tick,
)
from .match import Pair
from .style import attributes, text_width

SHORT = 12  # pairs; more of them are a list
PITCH, CLEAR, GAP, TOP = 56, 28, 96, 40  # px; CLEAR lies between a node and the one it feeds
ROW, LIST_WIDTH = 24, 700


@dataclass(frozen=True)
class Side:
    """One of the two: what it is called, and what was recorded."""

    name: str
    recording: Recording

    @property
    def graph(self) -> Graph:
        return self.recording.graph


class Half(Drawing):
    """One graph of two: its nodes stand in the rows both share, in boxes both share. Of the edges
    it has those of both, so that rows agree, and draws its own."""

    def __init__(
        self, graph: Graph, pen: Pen, own: set[tuple[str, str, int]],
        sizes: dict[str, tuple[float, float]] | None = None,
    ):  # fmt: skip
        self.shared = sizes
        self.own = [i for i, e in enumerate(graph.edges) if (e.source, e.target, e.slot) in own]
        super().__init__(graph, None, pen, cups=False)

    def edges(self) -> str:
        look = plain_look(self.graph)
        return "".join(self.edge(i, look) for i in self.own)

    def _size(self, node: GraphNode) -> tuple[float, float]:
        return self.shared[node.key] if self.shared else super()._size(node)

    def _value_chips(self) -> dict[int, str]:
        return {}

    def _arrange(self, gap: float) -> float:
        super()._arrange(gap)
        turn = {key: i for i, key in enumerate(self.graph.nodes)}
        rows = sorted(self.centres, key=lambda key: (round(self.centres[key][1]), turn[key]))
        feeds = {(e.source, e.target) for e in self.graph.edges}
        y = TOP + self.sizes[rows[0]][1] / 2
        heights = {rows[0]: y}
        for above, below in pairwise(rows):
            near = (self.sizes[above][1] + self.sizes[below][1]) / 2 + CLEAR
            y += near if (above, below) in feeds else PITCH
            heights[below] = y
        self.centres = {key: (self.centres[key][0], heights[key]) for key in rows}
        boxes = {key: self._box(key, 6) for key in self.graph.nodes}
        self.curves = [self._route(i, boxes) for i in range(len(self.graph.edges))]
        self.points = [_samples(curve) for curve in self.curves]
        return 0.0

    def _fit(self) -> None:
        """To the left edge; the rows stand where they are."""
        boxes = [self._box(key, 20) for key in self.graph.nodes]
        xs = [x for curve in self.points for x, _ in curve]
        left = min([box[0] for box in boxes] + [x - 6 for x in xs])
        self.width = math.ceil(max([box[2] for box in boxes] + [x + 6 for x in xs]) - left)
        self.height = math.ceil(max(box[3] for box in boxes))
        shift = lambda p: (p[0] - left, p[1])  # noqa: E731
        self.centres = {key: shift(p) for key, p in self.centres.items()}
        self.curves = [tuple(map(shift, curve)) for curve in self.curves]
        self.points = [list(map(shift, line)) for line in self.points]

    def _drawn(self) -> list[int]:
        return self.own

    def _route(self, index: int, boxes: dict[str, tuple[float, ...]]) -> tuple[Point, ...]:
        """One S, or a way beside the nodes that stand between."""
        edge = self.graph.edges[index]
        start, end = (self._port(edge, index, bottom=bottom) for bottom in (True, False))
        curve = _s_curve(start, end)
        ends = (edge.source, edge.target)
        hit = [
            box
            for key, box in boxes.items()
            if key not in ends and any(_inside(p, box) for p in _samples(curve))
        ]
        if not hit:
            return curve
        lanes = min(box[0] for box in hit) - 12, max(box[2] for box in hit) + 12
        middle = (start[0] + end[0]) / 2
        lane = min(lanes, key=lambda x: (abs(x - middle), x))
        high = (lane, max(start[1] + 16, min(box[1] for box in hit)))
        low = (lane, min(end[1] - 16, max(box[3] for box in hit)))
        return (*_s_curve(start, high), high, low, *_s_curve(low, end))


class Ladder:
    """The picture of two recordings and the pairs of their nodes.

    Raises `RendererMissing` when no renderer for positions is installed and there are few enough
    pairs to draw graphs.
    """

    def __init__(self, sides: tuple[Side, Side], pairs: Sequence[Pair], pen: Pen = attributes):
        self.sides, self.pairs, self.pen = sides, pairs, pen
        self.listed = len(pairs) > SHORT
        if self.listed:
            self.width, self.height = LIST_WIDTH, TOP + ROW * len(pairs) + 12
            return
        rows = [f"p{i}" for i in range(len(pairs))]
        known = [
            {getattr(pair, side): row for row, pair in zip(rows, pairs, strict=True)}
            for side in ("left", "right")
        ]
        graphs = [self._common(side, known) for side in (0, 1)]
        own = [
            {(names[e.source], names[e.target], e.slot) for e in each.graph.edges}
            for names, each in zip(known, sides, strict=True)
        ]
        plain = [Half(graph, pen, set()).sizes for graph in graphs]
        sizes = {
            row: (max(a[row][0] for a in plain), max(a[row][1] for a in plain)) for row in rows
        }
        self.halves = [Half(graphs[i], pen, own[i], sizes) for i in (0, 1)]
        self.offset = self.halves[0].width + GAP
        self.width = 2 * self.halves[0].width + GAP
        self.height = self.halves[0].height

    def _common(self, side: int, known: list[dict[str | None, str]]) -> Graph:
        """The nodes and edges of both graphs as one, the nodes as this side has them."""
        nodes, edges = {}, {}
        for i, pair in enumerate(self.pairs):
            sources = [(self.sides[0], pair.left), (self.sides[1], pair.right)]
            graph, key = next((s.graph, k) for s, k in (sources[side], sources[1 - side]) if k)
            nodes[f"p{i}"] = replace(graph.nodes[key], key=f"p{i}")
        for names, each in zip(known, self.sides, strict=True):
            for edge in each.graph.edges:
                ends = names[edge.source], names[edge.target], edge.slot
                edges.setdefault(ends, Edge(*ends, ends[0]))
        graph = self.sides[side].graph
        root = known[side][graph.root]
        return replace(graph, nodes=nodes, edges=tuple(edges.values()), root=root)

    def spot(self, i: int, side: int) -> tuple[Point, tuple[float, float]]:
        """Middle and size of the half of a pair."""
        if self.listed:
            half = (LIST_WIDTH - 60) / 2
            x = half / 2 + side * (half + 60)
            return (x, TOP + ROW * (i + 0.5)), (half - 8, ROW - 4)
        drawing = self.halves[side]
        (x, y), size = drawing.centres[f"p{i}"], drawing.sizes[f"p{i}"]
        return (x + side * self.offset, y), size

    # markup ------------------------------------------------------------------------------------

    def backdrop(self) -> str:
        """What never changes: names of the sides and edges."""
        parts = []
        for side, each in enumerate(self.sides):
            middle = self.spot(0, side)[0][0] if self.listed else (
                self.halves[side].width / 2 + side * self.offset
            )
            parts.append(text(self.pen, "side name", middle, 20, each.name))
            if not self.listed:
                edges = self.halves[side].edges()
                parts.append(f'<g transform="translate({_f(side * self.offset)} 0)">{edges}</g>')
        return "".join(parts)

    def rung(self, i: int, on: bool = False) -> str:
        """The line between the halves of a pair, and its verdict."""
        pair, pen, x = self.pairs[i], self.pen, self.width / 2
        ends = []
        for side, key in enumerate((pair.left, pair.right)):
            (middle, y), (wide, _) = self.spot(i, side)
            ends.append(middle + (1 - 2 * side) * (wide / 2 + 6) if key else x)
        line = path(pen, "rung on" if on else "rung", f"M{_f(ends[0])} {_f(y)}H{_f(ends[1])}")
        size = 0.8 if self.listed else 1
        if pair.same:
            mark = circle(pen, "rung same on" if on else "badge", x, y, (14 if on else 11) * size)
            return line + mark + tick(pen, x - 0.5, y, (1.2 if on else 1) * size)
        return line + diamond(pen, x, y, (15 if on else 12) * size)

    def node(self, i: int, side: int) -> str:
        """One half of a pair, drawn round its middle; "" where there is none."""
        pair = self.pairs[i]
        key = (pair.left, pair.right)[side]
        if key is None:
            return ""
        node = self.sides[side].graph.nodes[key]
        (_, _), (w, h) = self.spot(i, side)
        if self.listed:
            return self._row(node, w, pair)
        half, box = self.halves[side], (-w / 2 - 5, -h / 2 - 5, w / 2 + 5, h / 2 + 5)
        outline = "" if pair.same else rectangle(self.pen, "differs", box, 8)
        return outline + half.node(f"p{i}", plain_look(half.graph))

    def _row(self, node: GraphNode, w: float, pair: Pair) -> str:
        pen = self.pen
        back = rectangle(pen, "row hit", (-w / 2, -ROW / 2 + 1, w / 2, ROW / 2 - 1), 3)
        name = node.name.rpartition("::")[2]
        room = (w - 24 - text_width(name, 11, mono=False)) / (0.61 * 12)
        label = node.expression if len(node.expression) <= room else node.label
        label = label if len(label) <= room else label[: max(1, int(room) - 1)] + "…"
        style = "row label" if pair.same else "row label differs"
        return (
            back
            + text(pen, style, 8 - w / 2, 0, label)
            + text(pen, "row name", w / 2 - 8, 0, name)
        )

    def svg(self, title: str, sentence: str, on: int | None) -> str:
        """The standing picture; of a long list what differs, and its beginning."""
        body = self.backdrop()
        body += "".join(self.rung(i, i == on) for i in range(len(self.pairs)))
        for i in range(len(self.pairs)):
            for side in (0, 1):
                (x, y), _ = self.spot(i, side)
                body += f'<g transform="translate({_f(x)} {_f(y)})">{self.node(i, side)}</g>'
        return framed(self.width, self.height, title, sentence, body)


def diamond(pen: Pen, x: float, y: float, size: float) -> str:
    """The sign for differs."""
    corners = ((x, y - size), (x + size, y), (x, y + size), (x - size, y))
    outline = "M" + "L".join(f"{_f(u)} {_f(v)}" for u, v in corners) + "z"
    a = size * 0.3
    cross = "".join(f"M{_f(x - a)} {_f(y - b)}L{_f(x + a)} {_f(y + b)}" for b in (a, -a))
    return path(pen, "diamond", outline) + path(pen, "cross", cross)
