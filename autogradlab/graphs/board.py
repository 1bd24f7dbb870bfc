"""The drawing of a graph of which a part is no longer recorded: as a graph, or above 14 nodes as a
list with a row of 24 px for each node, or module, and its edges on a rail beside it.

What is recorded is drawn as ever, with the gradients it passes; what is not is dotted, and two
slashes stand where it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .data import Edge, Graph, GraphNode, Recording, Summary
from .draw import (
    Drawing,
    EdgeLook,
    Look,
    NodeLook,
    Pen,
    _cup_mark,
    _curve_path,
    _f,
    _shape,
    _sheet,
    corner_marks,
    framed,
    look_after,
    none_pill,
    path,
    rectangle,
    text,
)
from .numbers import nbytes, number
from .style import attributes, text_width
from .tree import cut, slashes

ROW, TOP, WIDTH = 24, 36, 480  # px; the width without the rails
LANES = 6  # rails beside the main one
KEPT, BAR = 172, 72  # px: from the right to the end of the column of gradients; the longest bar


@dataclass(frozen=True)
class Left:
    """What is left of a graph: of each node that is recorded the bytes it has saved; words beside
    nodes, such as "frozen"; gradients kept in leaves, and norms of those kept in modules."""

    saved: dict[str, int]
    words: dict[str, str] = field(default_factory=dict)
    grads: dict[str, Summary | None] = field(default_factory=dict)
    norms: dict[str, float | None] = field(default_factory=dict)
    cuts: frozenset[int] = frozenset()  # edges that are cut at a detached module

    def edge(self, index: int, edge: Edge) -> bool:
        """Whether an edge is still recorded."""
        ends = edge.source in self.saved and edge.target in self.saved
        return ends and index not in self.cuts


class CutGraph(Drawing):
    """A graph of few nodes, with all that it ever holds in its place."""

    def __init__(self, graph: Graph, recording: Recording, pen: Pen = attributes):
        super().__init__(graph, recording, pen)
        self.after = look_after(recording, len(recording.events) + 1)

    def look(self, left: Left) -> Look:
        """The state of every part."""
        nodes = {}
        for key, node in self.graph.nodes.items():
            saved = "" if not node.saved else "held" if left.saved.get(key) else "freed"
            nodes[key] = NodeLook("plain", saved=saved, grad=left.grads.get(key))
        edges = []
        for i, (edge, after) in enumerate(zip(self.graph.edges, self.after.edges, strict=True)):
            passed = left.edge(i, edge) and after.gradient is not None
            edges.append(EdgeLook("passed", after.gradient) if passed else EdgeLook())
        return Look(nodes, tuple(edges))

    def parts(self, left: Left) -> list[str]:
        """The markup of edges, nodes and chips."""
        look, edges = self.look(left), range(len(self.graph.edges))
        lines = [self.way(i, left, look) for i in edges]
        nodes = [self.spot(key, left, look) for key in self.graph.nodes]
        return [*lines, *nodes, *(self.value(i) + self.gradient(i, look) for i in edges)]

    def spot(self, key: str, left: Left, look: Look) -> str:
        """A node, drawn round (0, 0)."""
        node, (w, h), pen = self.graph.nodes[key], self.sizes[key], self.pen
        if key in left.saved:
            made = self.node(key, look)
        else:
            state = NodeLook("waiting")
            made = _shape(pen, "pruned", node.kind, w, h) + self._label(node, state, w)
            if node.saved:
                made += _sheet(pen, "freed", w)
            if key in self.cups:
                made += _cup_mark(pen, node, state, w, h, self.cups[key])
        word = left.words.get(key)
        return made + (text(pen, "small", 0, -h / 2 - 9, word) if word else "")

    def way(self, index: int, left: Left, look: Look) -> str:
        """An edge."""
        edge, pen, curve = self.graph.edges[index], self.pen, self.curves[index]
        if left.edge(index, edge):
            return self.edge(index, look)
        made = path(pen, "cut edge", _curve_path(curve))
        if edge.target in left.saved or edge.source in left.words:
            x, y = self.points[index][len(self.points[index]) // 2]
            made += slashes(pen, x, y)
        return made

    def svg(self, title: str, sentence: str, left: Left) -> str:
        """The graph as a still picture."""
        edges, nodes = len(self.graph.edges), [*self.graph.nodes]
        parts = self.parts(left)
        for i, key in enumerate(nodes, edges):
            x, y = self.centres[key]
            parts[i] = f'<g transform="translate({_f(x)} {_f(y)})">{parts[i]}</g>'
        return framed(self.width, self.height, title, sentence, "".join(parts))

    def marks(self, key: str) -> str:
        """Selection and focus round a node."""
        return self.overlay(key, ("corners", "focus"))


class CutList:
    """A graph of many nodes, or of folded modules, as a list.

    Args:
        full: for each node the bytes it saves when nothing is frozen.
    """

    def __init__(self, graph: Graph, full: Mapping[str, int], pen: Pen = attributes):
        self.graph, self.full, self.pen = graph, full, pen
        self.keys = list(graph.nodes)
        self.row_of = {key: i for i, key in enumerate(self.keys)}
        self.lanes = self._lanes()
        self.rail = 20 + 14 * max(self.lanes.values(), default=0)
        self.most = max([1, *full.values()])
        self.width, self.height = WIDTH + self.rail, TOP + ROW * len(self.keys) + 8

    def _lanes(self) -> dict[int, int]:
        """For each edge that passes by other rows a rail beside the main one, 1 the nearest."""
        spans = {
            i: (self.row_of[e.source], self.row_of[e.target])
            for i, e in enumerate(self.graph.edges)
            if self.row_of[e.target] - self.row_of[e.source] > 1
        }
        free: list[int] = []  # by lane, the row from which on it is free
        lanes = {}
        for i in sorted(spans, key=lambda i: (spans[i], i)):
            start, end = spans[i]
            lane = next((k for k, row in enumerate(free) if row <= start), len(free))
            if lane == len(free):
                free.append(end)
            free[lane] = max(free[lane], end)
            lanes[i] = min(lane + 1, LANES)
        return lanes

    def middle(self, key: str) -> tuple[float, float]:
        """Where the mark of a row is."""
        return float(self.rail), TOP + ROW * (self.row_of[key] + 0.5)

    def parts(self, left: Left) -> list[str]:
        """The markup of the heads, edges and rows."""
        edges = [self._edge(i, edge, left) for i, edge in enumerate(self.graph.edges)]
        return [self._heads(), "".join(edges), *(self._row(key, left) for key in self.keys)]

    def _heads(self) -> str:
        pen, at = self.pen, self.rail + 22
        return (
            text(pen, "row note", at, 16, "node or module")
            + text(pen, "row name", self.width - KEPT, 16, "‖gradient kept‖")
            + text(pen, "row name", self.width - 12, 16, "saved for backward")
            + path(pen, "grid", f"M8 {TOP - 6}H{self.width - 8}")
        )

    def _edge(self, index: int, edge: Edge, left: Left) -> str:
        pen = self.pen
        (x, y0), (_, y1) = self.middle(edge.source), self.middle(edge.target)
        if index in self.lanes:
            u = x - 14 * self.lanes[index]
            d = (
                f"M{_f(x)} {_f(y0 + 4)}C{_f(x)} {_f(y0 + 16)} {_f(u)} {_f(y0 + 8)} {_f(u)} "
                f"{_f(y0 + 24)}V{_f(y1 - 24)}C{_f(u)} {_f(y1 - 8)} {_f(x)} {_f(y1 - 16)} "
                f"{_f(x)} {_f(y1 - 4)}"
            )
            at = (u, (y0 + y1) / 2)
        else:
            d, at = f"M{_f(x)} {_f(y1 - 5)}V{_f(y0 + 5)}", (x - 1, (y0 + y1) / 2)
        if left.edge(index, edge):
            return path(pen, "ribbon", d, ' stroke-width="6"') + path(
                pen, "ribbon passed", d, ' stroke-width="4"'
            )
        made = path(pen, "cut edge", d)
        boundary = edge.target in left.saved
        return made + (slashes(pen, *at) if boundary else "")

    def _row(self, key: str, left: Left) -> str:
        """One row, its mark at (0, 0)."""
        node, pen, alive = self.graph.nodes[key], self.pen, key in left.saved
        style = "plain" if alive else "pruned"
        shape = node.kind if node.kind in ("leaf", "parameter", "output") else "op"
        sheets = rectangle(pen, style, (-4, -8, 10, 2), 3) if node.kind == "module" else ""
        mark = sheets + _shape(pen, style, shape, 14, 10)
        end, count = self.width - self.rail - 12, self.width - self.rail - KEPT
        label = cut(label_of(node), count - 130, 12)
        made = [mark, text(pen, "row label" if alive else "row quiet", 22, 0, label)]
        at = 30 + text_width(label, 12)
        kind = "" if node.kind in ("output", "leaf", "parameter") else node.name
        note = " · ".join(filter(None, [left.words.get(key, ""), kind.rpartition("::")[2]]))
        note = cut(note, count - (52 if key in left.norms else 0) - at, 11, False)
        if len(note) > 5 or not note.endswith("…"):
            made.append(text(pen, "row note", at, 0, note))
        if key in left.norms:
            norm = left.norms[key]
            if norm is None:
                made.append(none_pill(pen, count - 44, 0))
            else:
                made.append(text(pen, "row number", count, 0, number(norm, 3)))
        if self.full.get(key):
            now = left.saved.get(key, 0)
            made.append(self._bar(now, self.full[key], end))
        return "".join(made)

    def _bar(self, now: int, full: int, end: float) -> str:
        """The bytes a node saves, out of those it saves when nothing is frozen."""
        pen, right = self.pen, end - 68
        wide, part = (max(3.0, BAR * size / self.most) if size else 0.0 for size in (full, now))
        made = rectangle(pen, "sheet freed", (right - wide, -5, right, 5)) if now < full else ""
        if part:
            made += rectangle(pen, "sheet", (right - part, -5, right, 5))
        style = "row number" if now else "row number quiet"
        return made + text(pen, style, end, 0, nbytes(now))

    def marks(self, key: str) -> str:
        """Selection and focus round a row."""
        left, right, half = 3 - self.rail, self.width - self.rail - 3, ROW / 2
        x, w = (left + right) / 2, (right - left) / 2
        corners = path(self.pen, "corners", corner_marks(w, half))
        ring = rectangle(self.pen, "focus", (-w, -half, w, half), 4)
        move = f'transform="translate({_f(x)} 0)"'
        return (
            f'<g class="agl-mark-corners"><g {move}>{corners}</g></g>'
            f'<g class="agl-mark-focus"><g {move}>{ring}</g></g>'
        )

    def svg(self, title: str, sentence: str, left: Left) -> str:
        """The list as a still picture."""
        heads, edges, *rows = self.parts(left)
        for i, key in enumerate(self.keys):
            x, y = self.middle(key)
            rows[i] = f'<g transform="translate({_f(x)} {_f(y)})">{rows[i]}</g>'
        return framed(self.width, self.height, title, sentence, heads + edges + "".join(rows))


def label_of(node: GraphNode) -> str:
    """The name of a node in a row, which has more room than a box."""
    return node.expression if len(node.expression) <= 28 else node.label


def saved_by(graph: Graph, keys: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The bytes saved by groups of nodes, what several have saved once for each group."""
    return {
        key: sum(size for _, size in {block for k in inside for block in graph.memory.get(k, ())})
        for key, inside in keys.items()
    }
