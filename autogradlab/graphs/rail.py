"""The rail: a deep network as one row for each node or folded module, forward running down.

On the left a rail joins the rows, with what skips rows on side rails; right of it stand the name,
the shape, the norm of the gradient at the output on a logarithmic axis, and the bytes saved. Every
part says from which step on it takes which form, so a pass of hundreds of steps is drawn quickly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from .data import Graph, GraphNode, Recording
from .draw import (
    Pen,
    _chevrons,
    _curve_path,
    _f,
    _s_curve,
    _samples,
    _shape,
    corner_marks,
    framed,
    path,
    rectangle,
    text,
    tick,
)
from .numbers import nbytes, number
from .style import attributes, text_width

ROW, TOP = 24, 30  # px: height of a row; of the heads above them
WIDTH = 716
LANE, LANES = 20, 5  # px between side rails, and how many there are room for
SHAPE, NORM, BARS, SAVED = 336, 476, (484, 612), 716  # px: left, right, left and right, right
HELD = 44  # px of the longest bar of saved bytes
Forms = list[tuple[int, str]]  # the step from which on a part takes a form


@dataclass(frozen=True)
class Row:
    """One line: a node of the folded graph, or the head of an open module."""

    key: str  # of the node, or of the module's call
    depth: int  # how many open modules it lies in
    head: bool = False


def rows_of(graph: Graph) -> list[Row]:
    """The lines of a folded graph: a parameter above what it is used by, an open module's head
    above what it holds.

    >>> from autogradlab import nn, ones
    >>> from autogradlab.graphs import read_graph, watch
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    >>> with watch(model) as seen:
    ...     loss = model(ones(1, 2)).sum()
    >>> graph = read_graph(loss, watched=seen).fold(open=["0"])
    >>> [row.key if row.head else graph.nodes[row.key].label for row in rows_of(graph)]
    ['m1', '0.weight', '0.weightᵀ', '0.bias', 'addmm', '1', 'sum(…)', 'output']
    """
    users: dict[str, str] = {}
    for edge in graph.edges:
        users.setdefault(edge.source, edge.target)
    place = {key: i for i, key in enumerate(graph.nodes)}
    inputs: dict[str, list[str]] = {}
    for key, node in graph.nodes.items():
        if node.kind in ("leaf", "parameter"):
            inputs.setdefault(users.get(key, graph.root), []).append(key)
    order = []
    for key in sorted(graph.nodes, key=place.__getitem__):
        if graph.nodes[key].kind not in ("leaf", "parameter"):
            order += [(each, key) for each in inputs.get(key, ())] + [(key, key)]
    rows: list[Row] = []
    around: tuple[str, ...] = ()
    for key, like in order:
        calls = tuple(c for c in graph.modules_around(like) if graph.calls[c].path)
        same = next((i for i, (a, b) in enumerate(zip(around, calls, strict=False)) if a != b),
                    min(len(around), len(calls)))  # fmt: skip
        rows += [Row(call, i, head=True) for i, call in enumerate(calls) if i >= same]
        rows.append(Row(key, len(calls)))
        around = calls
    return rows


@dataclass(frozen=True)
class Rung:
    """All edges between two rows, as one line; `lane` is 0 on the rail itself."""

    source: int  # numbers of rows
    target: int
    lane: int
    turns: tuple[int, ...]  # the steps at which a gradient comes along it


class Rail:
    """A recording drawn on the nodes of a folded graph.

    Args:
        recording: the whole pass, not folded: its steps are the steps of the picture.
        graph: the same graph folded, `recording.graph.fold(…)`; the graph itself will do.
    """

    def __init__(self, recording: Recording, graph: Graph, pen: Pen = attributes):
        self.recording, self.graph, self.pen = recording, graph, pen
        self.rows = rows_of(graph)
        self.place = {row.key: i for i, row in enumerate(self.rows) if not row.head}
        self.super = {
            each: key
            for key, node in graph.nodes.items()
            for each in (node.inside.nodes if node.inside else (key,))
        }
        self.turn = {event.key: i for i, event in enumerate(recording.events, 1)}
        self.count = len(recording.events)
        self.inner: dict[str, list[str]] = {key: [] for key in graph.nodes}
        for key, row in self.super.items():
            self.inner[row].append(key)
        self.rungs = self._rungs()
        self.leaving: dict[int, list[Rung]] = {}  # by the number of the row they come from
        for rung in self.rungs:
            self.leaving.setdefault(rung.source, []).append(rung)
        lanes = max((rung.lane for rung in self.rungs), default=0)
        self.x = 40 + LANE * lanes
        self.names = self.x + 40
        self.width, self.height = WIDTH, TOP + ROW * len(self.rows) + 26

    # ------------------------------------------------------------------------------- geometry

    def y(self, i: int) -> float:
        """The middle of row number `i`."""
        return TOP + ROW * (i + 0.5)

    def _rungs(self) -> list[Rung]:
        """The edges between rows; those that skip rows get the innermost free lane."""
        turns: dict[tuple[int, int], list[int]] = {}
        edges = self.recording.graph.edges
        for edge in edges:
            ends = self.place[self.super[edge.source]], self.place[self.super[edge.target]]
            if ends[0] != ends[1]:
                at = 0 if edge.target == self.recording.graph.root else self.turn.get(edge.target)
                turns.setdefault(ends, []).extend([] if at is None else [at])
        taken: list[list[tuple[int, int]]] = [[] for _ in range(LANES)]
        rungs = []
        for (a, b), at in sorted(turns.items(), key=lambda item: (item[0][1] - item[0][0], item)):
            lane = 0
            if any(not self.rows[i].head for i in range(a + 1, b)):
                free = [k for k in range(LANES) if all(b <= c or d <= a for c, d in taken[k])]
                lane = (free or [LANES - 1])[0] + 1
                taken[lane - 1].append((a, b))
            rungs.append(Rung(a, b, lane, tuple(sorted(at))))
        return rungs

    def curve(self, rung: Rung) -> tuple[tuple[float, float], ...]:
        """The line of a rung, from its source down to its target."""
        a, b = self.y(rung.source), self.y(rung.target)
        if not rung.lane:
            return ((self.x, a), (self.x, a), (self.x, b), (self.x, b))
        side, bend = self.x - LANE * rung.lane - 4, min(ROW, (b - a) / 2)
        down, up = (side, a + bend), (side, b - bend)
        return (*_s_curve((self.x, a), down), down, up, *_s_curve(up, (self.x, b)))

    @cached_property
    def axis(self) -> tuple[int, int]:
        """The powers of ten the bars span: from 1 where no norm is smaller."""
        norms = [n for row in self.rows if not row.head and (n := self.norm(row.key))]
        finite = [math.log10(n) for n in norms if math.isfinite(n)]
        low = min(0, math.floor(min(finite, default=0)))
        return low, max(low + 1, math.ceil(max(finite, default=1)))

    # -------------------------------------------------------------------------------- numbers

    def steps(self, key: str) -> list[int]:
        """The steps at which a row's nodes run."""
        return sorted(self.turn[k] for k in self.inner[key] if k in self.turn)

    def own_steps(self, key: str) -> list[int]:
        """The same without the leaves in it, if anything else runs there: a leaf runs as soon as
        its gradient is in, long before or after its module."""
        nodes = self.recording.graph.nodes
        ops = [k for k in self.inner[key] if nodes[k].kind == "op" and k in self.turn]
        return sorted(self.turn[k] for k in ops) or self.steps(key)

    def norm(self, key: str) -> float | None:
        """The norm of the gradient at the output of a row; None where none arrives."""
        at = self.own_steps(key)
        if key == self.graph.root:
            return self.recording.gradient.norm if self.recording.gradient else None
        for step in at:
            came = self.recording.events[step - 1].grads_in
            if known := [g for g in came if g]:
                if any(g.nonfinite for g in known):
                    return math.nan
                return math.hypot(*(g.norm for g in known))
        return None

    def saved(self, key: str) -> int:
        """The bytes a row has saved for backward."""
        node = self.graph.nodes[key]
        return node.inside.saved_bytes if node.inside else sum(size for *_, size in node.saved)

    # ---------------------------------------------------------------------------------- words

    def name(self, row: Row) -> tuple[str, str]:
        """What a row is called, and a note beside it."""
        if row.head:
            call = self.graph.calls[row.key]
            short = call.path.rpartition(".")[2] + (f" (call {call.call})" if call.call > 1 else "")
            return short, self.kind(row.key)
        node = self.graph.nodes[row.key]
        if node.kind == "module":
            call = self.graph.calls[row.key.partition("p")[0]]
            short = call.path.rpartition(".")[2] or call.kind
            note = f"part {node.inside.part}" if node.inside.parts > 1 else ""
            note = note or (self.kind(call.key) if self.holds(row.key) else "")
            return short + (f" (call {call.call})" if call.call > 1 else ""), note
        if node.kind in ("leaf", "parameter"):
            return node.expression.rpartition(".")[2] if row.depth else node.expression, ""
        label = node.expression if len(node.expression) <= 18 else node.label
        return label, node.name.rpartition("::")[2].partition("Backward")[0]

    def holds(self, key: str) -> bool:
        """Whether a folded module holds other modules: then it is a stack that can be opened."""
        call = key.partition("p")[0]
        return any(each.parent == call for each in self.recording.graph.calls.values())

    def kind(self, call: str) -> str:
        """The class of a module, or what it is made of, if that is one kind: "2 × BasicBlock"."""
        calls = self.recording.graph.calls
        inner = [each.kind for each in calls.values() if each.parent == call]
        alike = len(inner) > 1 and len(set(inner)) == 1
        return f"{len(inner)} × {inner[0]}" if alike else calls[call].kind

    def full_name(self, key: str) -> str:
        """A row in a sentence: "conv2 of layer2.0"."""
        node = self.graph.nodes[key]
        if node.kind == "module":
            above, _, last = node.expression.rpartition(".")
            return f"{last} of {above}" if above and not last[:1].isdigit() else node.expression
        return node.expression if len(node.expression) <= 24 else node.label

    # --------------------------------------------------------------------------------- markup

    def columns(self) -> str:
        """What never changes: heads of columns, axis, shapes."""
        pen, low, high = self.pen, *self.axis
        bottom = TOP + ROW * len(self.rows)
        start = "from 1" if low == 0 else "log scale"
        words = f"‖gradient‖ at its output, {'log scale' if low == 0 else start}"
        parts = [
            text(pen, "note", self.names, 12, "module"),
            text(pen, "note", SHAPE, 12, "output shape"),
            text(pen, "note", NORM - 48, 12, words),
            text(pen, "note end", SAVED, 12, "saved"),
            path(pen, "divider", f"M0 {TOP - 4}H{WIDTH}"),
        ]
        span = high - low
        every = math.ceil(span / 4)
        for power in range(low, high + 1, every):
            x = BARS[0] + (BARS[1] - BARS[0]) * (power - low) / span
            parts.append(path(pen, "divider", f"M{_f(x)} {TOP - 4}V{bottom + 4}"))
            words = number(10.0**power) if -4 < power < 5 else f"1e{power}".replace("-", "−")
            parts.append(text(pen, "small", x, bottom + 14, words))
        for i, row in enumerate(self.rows):
            if not row.head and (shape := self._shape(row.key)):
                parts.append(text(pen, "row shape", SHAPE, self.y(i), shape))
        return "".join(parts)

    def _shape(self, key: str) -> str:
        node = self.graph.nodes[key]
        if node.kind == "output" or not node.shape:
            return ""
        shape = node.shape[1:] if len(node.shape) > 1 and node.shape[0] == 1 else node.shape
        words = "×".join(map(str, shape))
        return words if len(words) <= 14 else words[:13] + "…"

    def _frames(self) -> Iterable[str]:
        for i, row in enumerate(self.rows):
            if row.head:
                later = range(i + 1, len(self.rows))
                end = next((k for k in later if self.rows[k].depth <= row.depth), len(self.rows))
                inset = 6 * row.depth
                box = (2 + inset, TOP + ROW * i + 1, SHAPE - 12 - inset, TOP + ROW * end - 1)
                style = "module frame inner" if row.depth % 2 else "module frame"
                yield rectangle(self.pen, style, box, 4)

    def head(self, i: int) -> str:
        """The head of an open module, drawn round the middle of its row's rail."""
        row, pen = self.rows[i], self.pen
        name, kind = self.name(row)
        x = self.names - self.x + 12 * row.depth - 22
        box = rectangle(pen, "fold mark", (x, -8, x + 16, 8), 3)
        mark = f'<g data-fold="{row.key}">{box}{path(pen, "sign", f"M{_f(x + 4)} 0h8")}</g>'
        label = text(pen, "row label", x + 24, 0, name)
        room = text_width(name, 12)
        return mark + label + text(pen, "row kind", x + 32 + room, 0, kind)

    def glyph(self, i: int) -> Forms:
        """The mark on the rail and the name, in all the forms they take."""
        row = self.rows[i]
        node, at = self.graph.nodes[row.key], self.own_steps(row.key)
        if node.kind == "output":
            return [(0, self._mark(i, "running", "")), (1, self._mark(i, "done", ""))]
        forms = [(0, self._mark(i, "waiting", ""))]
        needed = self.leaving.get(i, [])
        came = sorted(rung.turns[-1] for rung in needed if rung.turns)
        if len(needed) > 1:
            forms += [
                (step + (step > 0), self._mark(i, "waiting", f"{k}/{len(needed)}"))
                for k, step in enumerate(came[:-1], 1)
            ]
        if at and came:
            forms.append((came[-1] + 1, self._mark(i, "ready", "")))
        for first, last in runs(at):
            forms += [(first, self._mark(i, "running", "")), (last + 1, self._mark(i, "ready", ""))]
        if at:
            forms.append((at[-1] + 1, self._mark(i, "done", "")))
        return tidy(forms)

    def _mark(self, i: int, phase: str, waits: str) -> str:
        row, pen = self.rows[i], self.pen
        node = self.graph.nodes[row.key]
        kind, (w, h) = self._kind(node), (22, 18)
        stack = self.holds(row.key) if node.kind == "module" else False
        parts = []
        if phase == "running":
            parts.append(_shape(pen, "halo small", kind, w, h))
        if stack:
            for back in (6, 3):
                box = (-w / 2 + back, -h / 2 - back / 1.5, w / 2 + back, h / 2 - back / 1.5)
                parts.append(rectangle(pen, "done" if phase == "done" else "plain", box, 4))
        parts.append(_shape(pen, phase, kind, w, h))
        if phase == "running":
            parts.append(path(pen, "sign up", "M-5 4L0 -4L5 4z"))
        elif phase == "done":
            parts.append(tick(pen, -0.5, 0, 0.9))
        elif stack:
            parts.append(path(pen, "sign", "M-4 0h8M0 -4v8"))
        if node.kind == "module":
            parts = [f'<g data-fold="{row.key}">{"".join(parts)}</g>']
        return "".join(parts) + self._label(row, phase, waits)

    def _label(self, row: Row, phase: str, waits: str) -> str:
        pen, (name, note) = self.pen, self.name(row)
        x = self.names - self.x + 12 * row.depth
        room = SHAPE - 22 - self.names - 12 * row.depth
        fits = int(room / (0.61 * 12))
        name = name if len(name) <= fits else name[: fits - 1] + "…"
        style = {"running": "row label strong", "waiting": "row label waiting"}.get(
            phase, "row label"
        )
        parts = [text(pen, style, x, 0, name)]
        x += text_width(name, 12) + 8
        if note and x + text_width(note, 11, mono=False) < SHAPE - 20 - self.x:
            parts.append(text(pen, "row kind", x, 0, note))
            x += text_width(note, 11, mono=False) + 8
        if waits:
            half = text_width(waits, 11) / 2 + 6
            parts.append(rectangle(pen, "pill", (x, -8, x + 2 * half, 8), 8))
            parts.append(text(pen, "small", x + half, 0, waits))
        return "".join(parts)

    def _kind(self, node: GraphNode) -> str:
        if node.kind == "module":
            own = node.inside.parameters and not self.holds(node.key)
            return "parameter" if own else "op"
        return node.kind

    def line(self, rung: Rung) -> Forms:
        """An edge: a thin line, then a ribbon that climbs."""
        pen, curve, last = self.pen, self.curve(rung), rung.turns[-1:] or (None,)
        forms = [(0, path(pen, "value edge", _curve_path(curve)))]
        if last[0] is not None:
            d = _curve_path(reversed(curve))
            now = path(pen, "ribbon", d, ' stroke-width="8"')
            passed = now + path(pen, "ribbon passed", d, ' stroke-width="6"')
            if rung.lane:
                signs = _chevrons(_samples(curve)[::-1], 8)
                now += path(pen, "chevrons", signs)
                passed += path(pen, "chevrons passed", signs)
            forms += [(last[0], now), (last[0] + 1, passed)]
        return tidy(forms)

    def flow(self, i: int) -> Forms:
        """The norm at the output, once the gradient is there."""
        key, pen = self.rows[i].key, self.pen
        norm, at = self.norm(key), self.own_steps(key)
        none = text(pen, "row number none", NORM - self.x, 0, "·")
        if norm is None:
            last = [text(pen, "row number none", NORM - self.x, 0, "None")] * bool(at)
            return [(0, none), *((at[-1], words) for words in last)]
        start = 0 if key == self.graph.root else at[0]
        now, after = (self._bar(norm, running) for running in (True, False))
        return tidy([(0, none), (start, now), (start + 1, after)])

    def _bar(self, norm: float, now: bool) -> str:
        pen, (low, high), (left, right) = self.pen, self.axis, BARS
        words = number(norm, 3) if math.isfinite(norm) else "nan or inf"
        label = text(pen, "row number", NORM - self.x, 0, words)
        share = 1.0
        if math.isfinite(norm):
            share = (math.log10(norm) - low) / (high - low) if norm > 0 else 0
        wide = max(1.5, (right - left) * min(1, share))
        style = "norm bar now" if now else "norm bar"
        style = style if math.isfinite(norm) else "norm bar broken"
        box = (left - self.x, -5, left - self.x + wide, 5)
        return label + rectangle(pen, style, box)

    @cached_property
    def most(self) -> int:
        """The most bytes that a row has saved."""
        return max([1, *(self.saved(row.key) for row in self.rows if not row.head)])

    def memory(self, i: int) -> Forms:
        """The bytes a row has saved, until they are freed."""
        key, pen = self.rows[i].key, self.pen
        size = self.saved(key)
        if not size:
            return [(0, "")]
        right = SAVED - self.x
        wide = max(2.0, HELD * size / self.most)
        room = 66
        box = (right - room - wide, -5, right - room, 5)
        held = rectangle(pen, "held bar", box) + text(pen, "row number", right, 0, nbytes(size))
        freed = rectangle(pen, "sheet freed", box) + text(pen, "row number none", right, 0, "freed")
        at = self.own_steps(key)
        return [(0, held), *[(at[-1] + 1, freed)] * bool(at)]

    def spotlight(self) -> Forms:
        """The band behind the row that runs."""
        forms = [(0, self._band(len(self.rows) - 1))]
        rows = [self.place[self.super[event.key]] for event in self.recording.events]
        forms += [(step, self._band(i)) for step, i in enumerate(rows, 1)]
        return tidy(forms)

    def _band(self, i: int) -> str:
        top = TOP + ROW * i
        return rectangle(self.pen, "spotlight", (1, top + 0.5, WIDTH - 1, top + ROW - 0.5), 4)

    def parts(self) -> list[tuple[str, float | None, float | None, Forms]]:
        """Every part, back to front: the key of the row it belongs to or "", where its middle is,
        and its forms."""
        made: list[tuple[str, float | None, float | None, Forms]] = [
            ("", None, None, [(0, "".join(self._frames()))]),
            ("", None, None, self.spotlight()),
            ("", None, None, [(0, self.columns())]),
        ]
        outer = sorted(self.rungs, key=lambda rung: -rung.lane)
        made += [("", None, None, self.line(rung)) for rung in outer]
        for i, row in enumerate(self.rows):
            x, y = round(self.x, 1), self.y(i)
            if row.head:
                made.append((row.key, x, y, [(0, self.head(i))]))
                continue
            made.append((row.key, x, y, self.glyph(i)))
            if self.graph.nodes[row.key].kind != "output":
                made.append(("", x, y, self.flow(i)))
                made.append(("", x, y, self.memory(i)))
        return made

    def overlay(self, i: int) -> str:
        """The marks a reader puts on a row: breakpoint, selection, focus."""
        pen, left, right = self.pen, 4 - self.x, WIDTH - 4 - self.x
        middle, half = (left + right) / 2, (right - left) / 2
        octagon = path(pen, "octagon", f"M{_f(left + 3)} -8.5h7l5 5v7l-5 5h-7l-5 -5v-7z")
        bar = path(pen, "octagon bar", f"M{_f(left + 2.5)} 0h8")
        corners = path(pen, "corners", corner_marks(half, 10))
        ring = rectangle(pen, "focus", (left, -11, right, 11), 4)
        marks = {
            "octagon": octagon + bar,
            "corners": f'<g transform="translate({_f(middle)} 0)">{corners}</g>',
            "focus": ring,
        }
        return "".join(f'<g class="agl-mark-{name}">{mark}</g>' for name, mark in marks.items())

    def svg(self, title: str, sentence: str, step: int | None = None) -> str:
        """The standing picture: by default the end of the pass, with what was saved at its
        beginning."""
        body = []
        for _, x, y, forms in self.parts():
            at = self.count + 1 if step is None else step
            shown = [markup for start, markup in forms if start <= at]
            move = "" if x is None else f' transform="translate({_f(x)} {_f(y)})"'
            body.append(f"<g{move}>{shown[-1]}</g>")
        return framed(WIDTH, self.height, title, sentence, "".join(body))


def runs(steps: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of numbers that follow each other.

    >>> runs([1, 2, 3, 7, 8])
    [(1, 3), (7, 8)]
    """
    found: list[tuple[int, int]] = []
    for step in steps:
        if found and found[-1][1] == step - 1:
            found[-1] = (found[-1][0], step)
        else:
            found.append((step, step))
    return found


def tidy(forms: Forms) -> Forms:
    """In order, the last of several forms for one step, and none that repeats the one before.

    >>> tidy([(0, "a"), (2, "b"), (2, "c"), (3, "c")])
    [(0, 'a'), (2, 'c')]
    """
    last = dict(sorted(forms, key=lambda form: form[0]))
    out: Forms = []
    for step, markup in last.items():
        if not out or out[-1][1] != markup:
            out.append((step, markup))
    return out
