"""TwinGraph: the graphs of two results side by side, and whether they are the same.

Usually ours beside PyTorch's for the same code. Nodes are matched from the outputs up
(`graphs.match`); selecting one selects its counterpart, and a table says what each has saved, when
it runs, and which gradients pass.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..graphs import GraphNode, Recording, Summary, record_backward
from ..graphs.draw import corner_marks, gradient_words, path, rectangle
from ..graphs.ladder import Ladder, Side
from ..graphs.layout import RendererMissing
from ..graphs.match import Pair, close, match, order
from ..graphs.numbers import nbytes
from ..graphs.style import css_class, escape
from .backward_debugger import caller_names, description, listed, neighbours
from .instrument import Instrument
from .svg_view import SvgView

NAMED = 3  # differences that the sentence tells
LIMIT = 2000  # nodes on each side
OPENING = "<p>Select a node to compare it with its counterpart.</p>"  # while nothing is marked


class TwinGraph(Instrument):
    """Compare the graphs of two results, of either engine.

    Args:
        left: a tensor, usually of autogradlab, its graph not freed.
        right: a tensor, usually of PyTorch, computed by the same code.
        names: what to call tensors of both sides, `{"a": a}`, or two such mappings, one for each;
            by default the caller's own variable names.
        gradient: what `backward(gradient=…)` would get on both sides; may be left out for one
            element.
        labels: what to call the sides; by default the names of their engines.

    Raises:
        what `backward(gradient)` raises; ValueError for a graph of more than 2,000 nodes.

    >>> import autogradlab, torch
    >>> def program(engine):
    ...     a = engine.tensor([2.0, 3.0], requires_grad=True)
    ...     return {"a": a, "Q": (3 * a**3).sum()}
    >>> ours, theirs = program(autogradlab), program(torch)
    >>> twins = TwinGraph(ours["Q"], theirs["Q"], (ours, theirs))
    >>> twins.same, twins.sentence
    (True, 'Same graph. 4 nodes, 3 edges: same names, same saved values, same order of running.')
    """

    STATE = MappingProxyType({"step": Instrument.STATE["step"]})

    def __init__(
        self,
        left: Any,
        right: Any,
        names: Mapping[str, Any] | tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
        gradient: Any = None,
        labels: tuple[str, str] | None = None,
    ) -> None:
        names = caller_names(sys._getframe(1)) if names is None else names
        pair = names if isinstance(names, tuple) else (names, names)
        recordings = [
            record_backward(root, gradient, each, LIMIT)
            for root, each in zip((left, right), pair, strict=True)
        ]
        self._make(recordings, labels)

    @classmethod
    def of(
        cls, left: Recording, right: Recording, labels: tuple[str, str] | None = None
    ) -> TwinGraph:
        """The twins of two passes that were recorded before. Without events the graphs alone are
        compared."""
        made = cls.__new__(cls)
        made._make([left, right], labels)
        return made

    def _make(self, recordings: list[Recording], labels: tuple[str, str] | None) -> None:
        engines = [recording.graph.engine for recording in recordings]
        if engines[0] == engines[1]:
            engines = ["left", "right"]
        self.sides = tuple(map(Side, labels or engines, recordings))
        self.pairs = match(*recordings)
        self._step = next((i for i, p in enumerate(self.pairs, 1) if not p.same), 0)
        self.title = recordings[0].graph.title
        try:
            self.view = view_of(self)
        except RendererMissing as error:
            self.trouble = str(error)

    @property
    def same(self) -> bool:
        """Whether the graphs are the same: nodes, edges, what is saved, order, gradients."""
        return all(pair.same for pair in self.pairs)

    @property
    def differences(self) -> list[str]:
        """Each pair that differs, in words."""
        return [self._words(pair) for pair in self.pairs if not pair.same]

    @property
    def sentence(self) -> str:
        """The verdict, in words."""
        count = len(self.sides[0].graph.nodes) - 1
        if self.same:
            edges = len(self.sides[0].graph.edges) - 1
            order = ", same order of running" if self._ran else ""
            return (
                f"Same graph. {plural(count, 'node')}, {plural(edges, 'edge')}: same names, same "
                f"saved values{order}."
            )
        told, total = self.differences, len(self.pairs) - 1
        more = f"; and {len(told) - NAMED} more" if len(told) > NAMED else ""
        verb = "differs" if len(told) == 1 else "differ"
        start = f"Not the same graph. {len(told)} of {plural(total, 'node')} {verb}: "
        gradients = f" {self._gradients()}" if self._ran else ""
        return f"{start}{'; '.join(told[:NAMED])}{more}.{gradients}"

    summary = sentence

    def select(self, node: str | None) -> str:
        """Mark a node and its counterpart, given by the label of either, and compare them; None
        marks nothing. Returns what is the same and what differs."""
        if node is None:
            self._go(0)
            return self.sentence
        for i, pair in enumerate(self.pairs, 1):
            for side, key in zip(self.sides, (pair.left, pair.right), strict=True):
                each = side.graph.nodes.get(key)
                if each and node in (key, each.label, each.expression):
                    self._go(i)
                    return self._words(pair) if pair.differences or not pair.same else "the same"
        raise ValueError(f"no node of these graphs is called {node!r}")

    @property
    def selected(self) -> Pair | None:
        """The pair that is marked."""
        step = self.view.step if self.view else self._step
        return self.pairs[step - 1] if step else None

    def svg(self) -> str:
        """Both graphs as one still picture, what is marked among them."""
        on = self.view.step if self.view else self._step
        words = f"Graphs of {self.title}"
        return Ladder(self.sides, self.pairs).svg(words, self.sentence, on - 1 if on else None)

    def nodes(self, pair: Pair) -> list[GraphNode | None]:
        """Both nodes of a pair."""
        keys = pair.left, pair.right
        return [s.graph.nodes.get(key) for s, key in zip(self.sides, keys, strict=True)]

    def _go(self, step: int) -> None:
        self._step = step
        if self.view:
            self.view.step = step

    def _words(self, pair: Pair) -> str:
        """What is different in one pair."""
        if pair.left is None or pair.right is None:
            side = self.sides[0 if pair.right is None else 1]
            node = side.graph.nodes[pair.left or pair.right]
            return f"only {side.name} has {node.label} ({short(node.name)})"
        nodes = self.nodes(pair)
        if "name" in pair.differences:
            kinds = [short(node.name) or node.kind for node in nodes]
            names = [f"{kind} in {s.name}" for kind, s in zip(kinds, self.sides, strict=True)]
            return f"{nodes[0].label} is {listed(names)}"
        told = {"step": "when it runs", "saved": "what it has saved"}
        parts = [told.get(name, name) for name in pair.differences]
        return f"{nodes[0].label} differs in {listed(parts)}"

    @property
    def _ran(self) -> bool:
        """Whether the passes were recorded, and not the graphs alone."""
        return any(side.recording.events for side in self.sides)

    def _gradients(self) -> str:
        """Whether the leaves get the same gradients all the same."""
        kept = [
            {e.key: e.accumulated[1] for e in side.recording.events if e.accumulated}
            for side in self.sides
        ]
        pairs = [(kept[0].get(p.left), kept[1].get(p.right)) for p in self.pairs]
        pairs = [(a, b) for a, b in pairs if a or b]
        agree = all(a and b and close(a, b) for a, b in pairs)
        return f"The gradients of the leaves {'agree' if agree else 'differ'}."


def short(name: str) -> str:
    return name.rpartition("::")[2]


def plural(n: int, word: str) -> str:
    """A number of things.

    >>> plural(1, "node"), plural(1200, "edge")
    ('1 node', '1,200 edges')
    """
    return f"{n:,} {word}{'' if n == 1 else 's'}"


# ------------------------------------------------------------------------------------ the widget


def view_of(twins: TwinGraph) -> SvgView:
    """The widget: step 0 marks nothing, step i the pair number i."""
    ladder = Ladder(twins.sides, twins.pairs, pen=css_class)
    rows, sides = range(len(twins.pairs)), twins.sides
    halves = [
        (i, side, f"{'lr'[side]}{key}")
        for i, pair in enumerate(twins.pairs)
        for side, key in enumerate((pair.left, pair.right))
        if key is not None
    ]
    targets, overlays, order_ = [], {}, []
    for i, side, key in halves:
        graph, (x, y), size = sides[side].graph, *ladder.spot(i, side)
        near = [["lr"[side] + k for k in each] for each in neighbours(graph, key[1:])]
        words = description(graph, key[1:])
        targets.append([key, words, round(x, 1), round(y, 1), *near])
        overlays[key] = marks(ladder, size)
        order_.append([key, round(x, 1), round(y, 1)])
    view = SvgView(
        title="Twin Graph",
        expression=twins.title,
        tag=listed([side.name for side in sides]),
        look=f"below {'same' if twins.same else 'differs'}",
        view=[float(ladder.width), float(ladder.height)],
        targets=targets,
        overlays=overlays,
        order=[["", None, None], *[["", None, None] for _ in rows], *order_],
        panels=[OPENING, *(comparison(twins, pair) for pair in twins.pairs)],
        sentences=[twins.sentence] * (len(twins.pairs) + 1),
        steps_keys=["", *((f"l{p.left}" if p.left else f"r{p.right}") for p in twins.pairs)],
        choices={key: i + 1 for i, _, key in halves},
        step=twins._step,
    )
    nodes = [ladder.node(i, side) for i, side, _ in halves]
    view.set_frames(
        [ladder.backdrop(), *(ladder.rung(i, i + 1 == step) for i in rows), *nodes]
        for step in range(len(twins.pairs) + 1)
    )
    return view


def marks(ladder: Ladder, size: tuple[float, float]) -> str:
    """Selection and focus round one half of a pair."""
    w, h = size[0] / 2, size[1] / 2
    gap = (3, 1) if ladder.listed else (11, 8)
    corners = path(css_class, "corners", corner_marks(w + gap[0], h + gap[0]))
    focus = (-w - gap[1], -h - gap[1], w + gap[1], h + gap[1])
    ring = rectangle(css_class, "focus", focus, 7)
    return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'


def comparison(twins: TwinGraph, pair: Pair) -> str:
    """The table of one pair."""
    nodes = twins.nodes(pair)
    both = [(s, node) for s, node in zip(twins.sides, nodes, strict=True) if node]
    rows = {
        "name": [f"<code>{escape(short(n.name) or n.kind)}</code>" for _, n in both],
        "inputs": [inputs_html(side, n) for side, n in both],
        "shape": [f"<code>{escape(list(n.shape))}</code>" for _, n in both],
        "dtype": [f"<code>{escape(n.dtype)}</code>" for _, n in both],
        "saved": [saved_html(n) for _, n in both],
        "step": [turn(side.recording, n.key) for side, n in both],
        "gradients": [flow(side.recording, n.key) for side, n in both],
    }
    words = {"step": "runs as step", "gradients": "grad in → grad out"}
    first = next(n for n in nodes if n)
    head = "".join(f"<th>{escape(side.name)}</th>" for side in twins.sides)
    table = [f"<tr><th>selected: {escape(first.label)}</th>{head}<th>same</th></tr>"]
    for name, cells in rows.items():
        differs = name in pair.differences
        if (name in ("inputs", "shape", "dtype") and not differs) or not any(cells):
            continue
        if None in (pair.left, pair.right):
            cells = [*cells, "–"] if pair.right is None else ["–", *cells]
            differs = True
        kind, word, mark = ("no", "differs", "✗") if differs else ("yes", "same", "✓")
        sign = f"<b class='agl-{kind}' title='{word}'>{mark}</b>"
        shown = "".join(f"<td>{cell}</td>" for cell in cells)
        table.append(f"<tr><td>{words.get(name, name)}</td>{shown}<td>{sign}</td></tr>")
    return f"<table class='agl-wide'>{''.join(table)}</table>"


def inputs_html(side: Side, node: GraphNode) -> str:
    edges = sorted((e for e in side.graph.edges if e.target == node.key), key=lambda e: e.slot)
    return f"<code>{escape(', '.join(side.graph.nodes[e.source].label for e in edges))}</code>"


def saved_html(node: GraphNode) -> str:
    return " ".join(
        f"<code>{escape(name)}</code> <span class='agl-v'>{escape(whose)}</span> "
        f"<small>{nbytes(size)}</small>"
        for name, whose, size in node.saved
    )


def turn(recording: Recording, key: str) -> str:
    turns = order(recording)
    return f"<code>{turns[key]} of {len(turns)}</code>" if key in turns else ""


def flow(recording: Recording, key: str) -> str:
    """The gradients that a node received and sent."""
    event = next((e for e in recording.events if e.key == key), None)
    if event is None:
        return ""
    sent = list(event.grads_out.values()) if not event.accumulated else [event.accumulated[1]]
    came = " ".join(map(gradient, event.grads_in))
    return f"{came} → {' '.join(map(gradient, sent))}" if sent else came


def gradient(g: Summary | None) -> str:
    if g is None:
        return "<span class='agl-none'>None</span>"
    return f"<span class='agl-g'>{escape(gradient_words(g))}</span>"
