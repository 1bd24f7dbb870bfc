"""A graph as it is recorded: the drawing of each moment, the order of the operations, and whether
two runs of a program have recorded the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .data import Graph, GraphNode
from .draw import (
    Drawing,
    Look,
    Pen,
    _shape,
    _sheet,
    plain_look,
    rectangle,
    text,
    value_chip_width,
)
from .style import attributes, text_width

TALL = 70  # px; an operation with a chip for what it has saved
CHIP = 24  # px in the chip for its sheet
ROW, TOP = 720, 44  # px: graphs of several runs that stand in one row, and their captions


def operations(graph: Graph) -> list[str]:
    """Keys of the operations, in the order they were recorded."""
    return [key for key, node in graph.nodes.items() if node.kind == "op"]


def saves(node: GraphNode) -> list[str]:
    """What a node has saved, each once, in words: "a", or "its result".

    >>> from autogradlab import tensor
    >>> from autogradlab.graphs import read_graph
    >>> a = tensor(2.0, requires_grad=True)
    >>> [saves(n) for n in read_graph((a * a).exp(), {"a": a}).nodes.values() if n.kind == "op"]
    [['a'], ['its result']]
    """
    own = {node.expression: "its result"}
    inputs_first = sorted(node.saved, key=lambda piece: piece[0] != "self")
    return list(dict.fromkeys(own.get(whose, whose) for _, whose, _ in inputs_first))


def signature(graph: Graph | None) -> tuple[object, ...]:
    """What two graphs have in common when a program has taken the same way: node names and edges,
    but no values."""
    if graph is None:
        return ()
    names = tuple((key, node.name, node.kind) for key, node in graph.nodes.items())
    return names, tuple((e.source, e.target, e.slot, e.port) for e in graph.edges)


class Growth(Drawing):
    """A graph of which a part has been recorded: its leaves, and operations as far as they have
    run, each with its number in the order and with what it has saved."""

    def __init__(self, graph: Graph, pen: Pen = attributes):
        self.number = {key: i for i, key in enumerate(operations(graph), 1)}
        super().__init__(graph, None, pen, cups=False)
        self.plain = plain_look(graph)

    def _size(self, node: GraphNode) -> tuple[float, float]:
        wide, high = super()._size(node)
        if node.kind != "op" or not node.saved:
            return wide, high
        chip = value_chip_width(self._kept(node)) + CHIP
        return max(wide - 52 + 24, chip + 24), TALL

    @staticmethod
    def _kept(node: GraphNode) -> str:
        words = ", ".join(saves(node))
        return words if len(words) <= 18 else f"{len(saves(node))} values"

    def node(self, key: str, look: Look | None = None, now: bool = False) -> str:
        """A node, drawn round (0, 0), in the spotlight if it has just been recorded."""
        node, (w, h), pen = self.graph.nodes[key], self.sizes[key], self.pen
        if node.kind != "op":
            return super().node(key, self.plain)
        parts = [_shape(pen, "halo", "op", w, h), _shape(pen, "running", "op", w, h)]
        parts = parts if now else [_shape(pen, "plain", "op", w, h)]
        up = 13 if node.saved else 0
        parts.append(text(pen, "expression", 0, -8 - up, node.label))
        parts.append(text(pen, "torch name", 0, 10 - up, node.name))
        if node.saved:
            words = self._kept(node)
            half = (value_chip_width(words) + CHIP) / 2
            parts.append(rectangle(pen, "value chip", (-half, 9, half, 29), 2))
            # The sheet stands in the chip, before what it holds.
            parts.append(f'<g transform="translate({-half + 12:.1f} 19)">{_sheet(pen, "held", 28)}')
            parts.append(f"</g>{text(pen, 'number', CHIP / 2, 19, words)}")
        words = str(self.number[key])
        half = max(9.0, text_width(words, 11) / 2 + 5)
        box = (w / 2 - 1 - half, -h / 2 - 8, w / 2 - 1 + half, 10 - h / 2)
        mark = rectangle(pen, "badge", box, 9)
        parts.append(mark + text(pen, "recorder number", w / 2 - 1, 1 - h / 2, words))
        return "".join(parts)

    def parts(self, upto: int, now: bool = True) -> list[str]:
        """Markup of edges, nodes and value chips when the first `upto` operations are recorded;
        what is not there yet is empty."""
        order = operations(self.graph)
        there = {k for k, n in self.graph.nodes.items() if n.kind in ("leaf", "parameter")}
        there |= set(order[:upto])
        if upto >= len(order):
            there.add(self.graph.root)
        latest = order[upto - 1] if now and 0 < upto <= len(order) else ""
        edges = self.graph.edges
        return [
            *(self.edge(i, self.plain) if e.target in there else "" for i, e in enumerate(edges)),
            *(self.node(k, now=k == latest) if k in there else "" for k in self.graph.nodes),
            *(self.value(i) if e.target in there else "" for i, e in enumerate(edges)),
        ]

    def still(self, upto: int | None = None) -> str:
        """All of it as one piece of markup; without a number, when all is recorded."""
        whole = upto is None
        parts = self.parts(len(operations(self.graph)) if whole else upto, now=not whole)
        places = [None for _ in self.graph.edges]
        places = [*places, *self.centres.values(), *places]
        return "".join(
            f'<g transform="translate({p[0]:.1f} {p[1]:.1f})">{m}</g>' if p else m
            for p, m in zip(places, parts, strict=True)
        )


@dataclass(frozen=True)
class Run:
    """One run of a program: what it was called with, and what it recorded, if anything."""

    inputs: str  # "x = 2"
    graph: Graph | None
    result: str


class Sheet:
    """The graphs of several runs in rows, each under its caption."""

    def __init__(self, runs: Sequence[Run], pen: Pen = attributes) -> None:
        self.runs, self.pen = runs, pen
        self.drawings = [Growth(run.graph, pen) if run.graph else None for run in runs]
        self.boxes: list[tuple[float, float, float, float]] = []
        x = y = deep = 0.0
        for run, drawing in zip(runs, self.drawings, strict=True):
            words = text_width(run.inputs, 13) + 32
            wide = max(words, drawing.width if drawing else 140.0)
            high = drawing.height if drawing else 60.0
            if x and x + wide > ROW:
                x, y, deep = 0.0, y + deep + 16, 0.0
            self.boxes.append((x, y, wide, high))
            x, deep = x + wide + 16, max(deep, TOP + high)
        self.width = max(x + wide for x, _, wide, _ in self.boxes)
        self.height = max(y + TOP + high for _, y, _, high in self.boxes)

    def origin(self, i: int) -> tuple[float, float]:
        """Where the drawing of a run begins."""
        x, y, wide, _ = self.boxes[i]
        drawing = self.drawings[i]
        return x + (wide - drawing.width) / 2 if drawing else x, y + TOP

    def caption(self, i: int, now: bool = False) -> str:
        """What a run was called with, above its graph."""
        x, y, wide, _ = self.boxes[i]
        style = "recorder caption now" if now else "recorder caption"
        box = rectangle(self.pen, style, (x + 4, y + 4, x + wide - 4, y + 32), 4)
        return box + text(self.pen, "recorder words", x + wide / 2, y + 18, self.runs[i].inputs)

    def nothing(self, i: int) -> str:
        """In the place of a graph."""
        x, y, wide, _ = self.boxes[i]
        return text(self.pen, "recorder note", x + wide / 2, y + TOP + 20, "nothing is recorded")

    def still(self, i: int) -> str:
        """The whole graph of a run, in its place."""
        drawing, (x, y) = self.drawings[i], self.origin(i)
        if drawing is None:
            return self.nothing(i)
        return f'<g transform="translate({x:.1f} {y:.1f})">{drawing.still()}</g>'
