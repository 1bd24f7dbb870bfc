"""The tape as memory: what the nodes of a graph have saved for backward, who keeps which piece of
it, and how it is freed while the pass goes on. Plain data from a `Recording`, and its drawing.

Memory that several nodes have saved is one piece: it is freed when the last of them has run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .data import GraphNode, Recording
from .draw import Pen, _f, circle, framed, path, rectangle, text
from .film import step_name
from .numbers import nbytes
from .style import attributes, text_width
from .waterfall import shortened
from .words import short_name

WIDTH, EDGE = 616.0, 10.0  # px
ROW, ROWS = 24.0, 40  # height of a row, and how many there are at most
CHART, TOP = 132.0, 28.0  # height of the curve, and what is above it
LONGEST = 20  # characters of a name
AXIS = 64.0  # px left of the curve
FOLD = 24  # nodes that save something; of more, modules are folded
BANDS = 8  # rows that have a band of their own under the curve


@dataclass(frozen=True)
class Piece:
    """One piece of memory."""

    number: int
    nbytes: int
    value: str  # the value that it holds: "x", "tanh(…)"
    nodes: tuple[str, ...]  # keys of the nodes that have saved it
    freed: int  # the step after which no node needs it; one more than there are if none ran


@dataclass(frozen=True)
class TapeRow:
    """A node, or a folded module, that has saved something."""

    key: str
    name: str
    kind: str
    shape: tuple[int, ...]
    pieces: tuple[Piece, ...]
    turns: tuple[int, ...]  # for each piece the step in which the row's last use of it ends
    steps: tuple[int, ...]  # the steps in which its nodes run

    @property
    def nbytes(self) -> int:
        """What it has saved."""
        return sum(piece.nbytes for piece in self.pieces)

    def held(self, step: int) -> int:
        """The bytes that it still needs after a step."""
        pairs = zip(self.pieces, self.turns, strict=True)
        return sum(piece.nbytes for piece, turn in pairs if turn > step)

    def keeps(self, step: int) -> int:
        """The bytes after a step that nothing else will need longer: they are freed with it."""
        pairs = zip(self.pieces, self.turns, strict=True)
        return sum(p.nbytes for p, turn in pairs if step < turn == p.freed)


@dataclass(frozen=True)
class Tape:
    """What one backward pass holds in memory, step by step.

    >>> from autogradlab import ones
    >>> from autogradlab.graphs import record_backward
    >>> a = ones(4, requires_grad=True)
    >>> tape = tape_of(record_backward((a.exp() * a).sum(), names={"a": a}))
    >>> tape.held, [(row.name, row.nbytes) for row in tape.rows]
    ((32, 32, 16, 0, 0), [('exp(a)·a', 32), ('exp(a)', 16)])
    >>> [(piece.value, len(piece.nodes)) for piece in tape.rows[0].pieces]
    [('a', 1), ('exp(a)', 2)]
    """

    title: str
    engine: str
    held: tuple[int, ...]  # bytes: at the start, and after each step
    names: tuple[str, ...]  # "start", and what ran in each step
    rows: tuple[TapeRow, ...]  # the largest first

    @property
    def total(self) -> int:
        """Bytes held at the start."""
        return self.held[0]

    @property
    def steps(self) -> int:
        return len(self.held) - 1

    def row_at(self, step: int) -> TapeRow | None:
        """The row whose node runs in a step."""
        return next((row for row in self.rows if step in row.steps), None)

    def others(self, row: TapeRow) -> list[TapeRow]:
        """The rows that keep some of the same memory."""
        mine = {piece.number for piece in row.pieces}
        return [
            other
            for other in self.rows
            if other is not row and mine & {piece.number for piece in other.pieces}
        ]


def tape_of(recording: Recording, depth: int | None = None) -> Tape:
    """What a recorded pass holds in memory.

    Args:
        recording: of the whole graph, not folded.
        depth: to which depth modules are open, see `graphs.fold`; by default each node is a row of
            its own if few of them have saved something, else each module the model calls.

    Raises:
        ValueError: the recording is folded, or has no step.
    """
    graph, events = recording.graph, recording.events
    if any(node.kind == "module" for node in graph.nodes.values()):
        raise ValueError("this recording is folded already: give the one that was recorded")
    if not events:
        raise ValueError("no node has run in this recording")
    turn = {event.key: i for i, event in enumerate(events, 1)}
    never = len(events) + 1
    users: dict[int, list[str]] = {}
    sizes: dict[int, int] = {}
    values: dict[int, str] = {}
    for key, own in graph.memory.items():
        saved = graph.nodes[key].saved
        for i, (number, size) in enumerate(dict.fromkeys(own)):
            users.setdefault(number, []).append(key)
            sizes[number] = size
            if number not in values:
                same = [whose for _, whose, n in saved if n == size]
                values[number] = saved[i][1] if len(saved) == len(own) else (same or [""])[0]
    pieces = {
        number: Piece(
            number, sizes[number], values[number], tuple(keys),
            max(turn.get(key, never) for key in keys),
        )
        for number, keys in users.items()
    }  # fmt: skip
    folded, called = graph, Counter()
    if graph.calls and (depth is not None or len(graph.memory) > FOLD):
        folded = graph.fold(depth)
    rows = []
    for key, node in folded.nodes.items():
        nodes = node.inside.nodes if node.inside else (key,)
        last: dict[int, int] = {}
        for each in nodes:
            for number, _ in graph.memory.get(each, ()):
                last[number] = max(last.get(number, 0), turn.get(each, never))
        if last:
            name = row_name(node)
            called[name] += 1
            rows.append(
                TapeRow(
                    key=key,
                    name=name + (f" ({called[name]})" if called[name] > 1 else ""),
                    kind=node.name.rpartition("::")[2],
                    shape=node.shape,
                    pieces=tuple(pieces[number] for number in last),
                    turns=tuple(last.values()),
                    steps=tuple(sorted(turn[each] for each in nodes if each in turn)),
                )
            )
    rows.sort(key=lambda row: -row.nbytes)
    return Tape(
        # A formula of half a line says less than the name of the result.
        title=graph.title if len(graph.title) <= 48 else graph.nodes[graph.root].label,
        engine=graph.engine,
        held=(events[0].bytes_total, *(event.bytes_held for event in events)),
        names=("start", *(step_name(recording, i) for i in range(1, len(events) + 1))),
        rows=tuple(rows),
    )


def row_name(node: GraphNode) -> str:
    """What a row is called: the module, or the expression if it is short; one that is cut so far
    that no letter is left has the operation's name before it."""
    if node.inside or len(node.expression) <= LONGEST:
        return node.expression
    letters = any(c.isalpha() for c in node.label)
    return node.label if letters else f"{short_name(node.name)} {node.label}"


# --------------------------------------------------------------------------------------- words


def in_words(tape: Tape, step: int) -> str:
    """What is held after a step."""
    if not tape.total:
        return "Nothing is saved for backward."
    row = tape.rows[0]
    start = f"At the start {nbytes(tape.total)} are saved for backward"
    start += f", {nbytes(row.nbytes)} of them by {row.name}" if len(tape.rows) > 1 else ""
    if not step:
        return f"{start}."
    left = f"{nbytes(tape.held[step])} are" if tape.held[step] else "nothing is"
    return f"{start}. After step {step} of {tape.steps}, {left} held."


def compared(tapes: Mapping[str, Tape], step: int) -> str:
    """Two or more passes in words: the least first, and what of it the largest holds."""
    by_peak = sorted(tapes, key=lambda name: max(tapes[name].held))
    least, most = by_peak[0], by_peak[-1]
    peaks = [max(tapes[name].held) for name in (least, most)]
    if peaks[0] == peaks[1]:
        words = f"{least} and {most} hold the same. Both peak at {nbytes(peaks[0])}."
    else:
        ratio = f", {100 * peaks[0] / peaks[1]:.0f} % of" if peaks[0] else ", against"
        words = (
            f"{least} holds least. The graph of {least} peaks at {nbytes(peaks[0])}{ratio} the "
            f"{nbytes(peaks[1])} of {most}."
        )
    if any(packed(tape, other) for tape in tapes.values() for other in tapes.values()):
        words += " What is computed again on the way back is not counted."
    if step:
        now = [f"{nbytes(at(tape, step))} in {name}" for name, tape in tapes.items()]
        words += f" After step {step}: {', '.join(now)}."
    return words


def packed(tape: Tape, other: Tape) -> bool:
    """Whether a pass through the same nodes has saved less: checkpointed, or packed away."""
    return tape.names == other.names and tape.total < other.total


def at(tape: Tape, step: int) -> int:
    """Bytes held after a step; 0 after the last."""
    return tape.held[step] if step <= tape.steps else tape.held[-1]


# ------------------------------------------------------------------------------------- drawing


class TapeDrawing:
    """The curve of bytes held, and below it a row for each node or module.

    Args:
        tapes: one, or several by name to be compared.
    """

    def __init__(self, tapes: Mapping[str, Tape], pen: Pen = attributes) -> None:
        self.tapes, self.pen = dict(tapes), pen
        self.tape = next(iter(self.tapes.values()))
        self.last = max(tape.steps for tape in self.tapes.values())
        self.peak = max(max(tape.held) for tape in self.tapes.values()) or 1
        self.several = len(self.tapes) > 1
        self.top = TOP + 20 if self.several else TOP  # room for the names of the curves
        self.left, self.right = EDGE + AXIS, WIDTH - EDGE
        names: dict[str, int] = {}
        for tape in self.tapes.values():
            for row in tape.rows:
                names[row.name] = max(names.get(row.name, 0), row.nbytes)
        order = sorted(names, key=lambda name: -names[name]) if self.several else []
        self.names = order or [row.name for row in self.tape.rows]
        self.left_out = max(0, len(self.names) - ROWS)
        self.names = self.names[:ROWS]
        self.most = max([*names.values(), 1])
        self.others = {row.key: self.tape.others(row) for row in self.tape.rows[:ROWS]}
        self.table = self.top + CHART + 64
        self.width = WIDTH
        self.height = self.table + ROW * len(self.names) + (24 if self.left_out else 8)

    def x(self, step: int) -> float:
        return self.left + (self.right - self.left) * step / max(1, self.last)

    def level(self, size: int) -> float:
        return self.top + CHART * (1 - size / self.peak)

    def y(self, i: int) -> float:
        """The middle of a row."""
        return self.table + ROW * (i + 0.5)

    def outline(self, held: Sequence[int]) -> str:
        """The curve of bytes held after each step: it falls where a step frees something."""
        d = f"M{_f(self.x(0))} {_f(self.level(held[0]))}"
        for step in range(1, len(held)):
            if held[step] != held[step - 1]:
                d += f"H{_f(self.x(step))}V{_f(self.level(held[step]))}"
        return d + f"H{_f(self.x(len(held) - 1))}"

    def backdrop(self) -> str:
        """The curve, its axes, and the heads of the columns."""
        pen, ground = self.pen, self.top + CHART
        parts = [text(pen, "column", EDGE, 8, "held for backward")]
        lines = "".join(f"M{_f(self.left)} {_f(y)}H{_f(self.right)}" for y in (self.top, ground))
        parts.append(path(pen, "divider", lines))
        parts.append(text(pen, "small end", self.left - 8, self.top, nbytes(self.peak)))
        parts.append(text(pen, "small end", self.left - 8, ground, "0"))
        parts.append(text(pen, "small start", self.left, ground + 14, "0"))
        parts.append(text(pen, "column end", self.right - 34, ground + 14, "step"))
        parts.append(text(pen, "small end", self.right, ground + 14, str(self.last)))
        parts.append(self._curves() if self.several else self._bands())
        head = self.table - 14
        parts.append(text(pen, "column", EDGE, head, "node or module"))
        if self.several:
            for i, name in enumerate(self.tapes):
                parts.append(text(pen, "column end", self._column(i), head, shortened(name, 18)))
        else:
            parts.append(text(pen, "column", 160, head, "output shape"))
            parts.append(text(pen, "column", 262, head, "shares memory with"))
            parts.append(text(pen, "column end", self.right, head, "saved"))
        parts.append(path(pen, "divider", f"M{_f(EDGE)} {_f(self.table - 3)}H{_f(self.right)}"))
        if self.left_out:
            words = f"and {self.left_out:,} smaller ones"
            parts.append(text(pen, "note", EDGE, self.y(len(self.names)) - 2, words))
        return "".join(parts)

    def _column(self, i: int) -> float:
        return self.right - (len(self.tapes) - 1 - i) * 124

    def _bands(self) -> str:
        """The area under the curve, cut by who frees what: what stays longest lies lowest."""
        pen, tape, ground = self.pen, self.tape, self.top + CHART
        area = f"{self.outline(tape.held)}V{_f(ground)}H{_f(self.left)}z"
        parts = [path(pen, "held area", area)]
        rows = [row for row in tape.rows[:BANDS] if row.keeps(0)]
        rows.sort(key=lambda row: -max(row.turns))
        below, labels = [0] * (tape.steps + 1), []
        for row in rows:
            low = self.level(below[0])
            kept = [row.keeps(step) for step in range(tape.steps + 1)]
            below = [a + b for a, b in zip(below, kept, strict=True)]
            # Beyond the step in which it frees its last, the band is gone.
            parts.append(path(pen, "band", self.outline(below[: max(row.turns) + 1])))
            high, words = self.level(below[0]), shortened(row.name, 24)
            # The name stands in the middle, or low in a band whose top soon slopes away.
            for y in ((low + high) / 2, low - 8):
                above = (i for i, n in enumerate(below) if self.level(n) > y - 7)
                wide = self.x(next(above, tape.steps)) - self.left
                if low - high >= 15 and text_width(words, 11) < wide - 16:
                    labels.append(text(pen, "small start", self.left + 8, y, words))
                    break
        return "".join([*parts, path(pen, "held", self.outline(tape.held)), *labels])

    def _curves(self) -> str:
        """The curves over each other, each with its name and its peak."""
        pen, parts, x = self.pen, [], self.left
        styles = ("held", "held 2", "held 3")
        for i, (name, tape) in enumerate(self.tapes.items()):
            peak = max(tape.held)
            parts.append(path(pen, styles[i % 3], self.outline(tape.held)))
            words = f"{shortened(name, 16)}, peak {nbytes(peak)}"
            parts.append(path(pen, styles[i % 3], f"M{_f(x)} 27h22"))
            parts.append(text(pen, "small start", x + 28, 27, words))
            x += text_width(words, 11) + 44
        return "".join(parts)

    def now(self, step: int) -> str:
        """Where the pass is: a line, and on each curve what is held."""
        pen, x = self.pen, self.x(step)
        parts = [path(pen, "now line", f"M{_f(x)} {_f(self.top - 4)}V{_f(self.top + CHART)}")]
        for tape in self.tapes.values():
            if step <= tape.steps:
                parts.append(circle(pen, "now dot", x, self.level(tape.held[step]), 4))
        if not self.several and step:
            words = f"{nbytes(self.tape.held[step])} held"
            wide = text_width(words, 11) + 8
            left = x + 4 if x + wide + 8 < self.right else x - wide - 4
            y = max(self.top + 10, self.level(self.tape.held[step]) - 14)
            parts.append(rectangle(pen, "backing", (left, y - 8, left + wide, y + 8), 2))
            parts.append(text(pen, "small start", left + 4, y, words))
        return "".join(parts)

    def row(self, i: int, step: int) -> str:
        """One row after a step, drawn round its middle, y = 0."""
        return self._cells(i, step) if self.several else self._line(self.tape.rows[i], step)

    def _line(self, row: TapeRow, step: int) -> str:
        pen, half = self.pen, ROW / 2 - 1
        running = bool(step) and step in row.steps
        held, total = row.held(step), row.nbytes
        # Second ink has too little contrast on the spotlight.
        small, freed = ("small now", "number end") if running else ("small start", "freed")
        style = "row now" if running else "row hit"
        parts = [rectangle(pen, style, (3, -half, WIDTH - 3, half), 4)]
        parts.append(text(pen, "row label", EDGE, 0, shortened(row.name, LONGEST + 1)))
        shape = "×".join(map(str, row.shape))
        shape = shape if len(shape) < 15 else f"{shape[:13]}…"
        parts.append(text(pen, small, 160, 0, shape))
        others = self.others[row.key]
        if others:
            more = f" + {len(others) - 1}" if len(others) > 1 else ""
            parts.append(
                text(pen, small, 262, 0, shortened(others[0].name, 17 - len(more)) + more)
            )
        left, most = 390.0, 122.0
        wide, full = max(2.0, most * held / self.most), max(3.0, most * total / self.most)
        if held < total:
            parts.append(rectangle(pen, "sheet freed", (left, -5, left + full, 5)))
        if held:
            parts.append(rectangle(pen, "bytes", (left, -5, left + wide, 5)))
        words = nbytes(held) if held else "freed"
        parts.append(text(pen, "number end" if held else freed, self.right, 0, words))
        return "".join(parts)

    def _cells(self, i: int, step: int) -> str:
        """The same node or module in each of the passes."""
        pen, half, name = self.pen, ROW / 2 - 1, self.names[i]
        rows = [
            next((row for row in tape.rows if row.name == name), None)
            for tape in self.tapes.values()
        ]
        running = bool(step) and any(row and step in row.steps for row in rows)
        style = "row now" if running else "row hit"
        parts = [rectangle(pen, style, (3, -half, WIDTH - 3, half), 4)]
        parts.append(text(pen, "row label", EDGE, 0, shortened(name, LONGEST + 1)))
        for k, row in enumerate(rows):
            held = row.held(step) if row else 0
            words = nbytes(held) if held else "freed" if row else "not saved"
            quiet = not held and not running
            parts.append(text(pen, "freed" if quiet else "number end", self._column(k), 0, words))
        return "".join(parts)

    def body(self, step: int) -> str:
        rows = "".join(
            f'<g transform="translate(0 {_f(self.y(i))})">{self.row(i, step)}</g>'
            for i in range(len(self.names))
        )
        return self.backdrop() + self.now(step) + rows

    def svg(self, title: str, sentence: str, step: int) -> str:
        """One moment as a standing picture."""
        return framed(self.width, self.height, title, sentence, self.body(step))
