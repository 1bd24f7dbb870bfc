"""The picture of a training run's evidence: the loss, what is known of the step, and a row for each
parameter with its gradient in every step. One column, the step that is shown, is marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .draw import Pen, circle, path, rectangle, text
from .evidence import Evidence
from .numbers import number
from .style import text_width
from .tree import cut, dims

WIDTH = 690.0  # px
TOP, ROW = 184.0, 32.0  # of the rows
FEW = 2  # a single row says too little of a model with many layers
LOSS = (52.0, 30.0, 316.0, 124.0)  # box of the loss curve
FACTS = 356.0  # where the facts begin
BARS = (150.0, 384.0)  # sides of the bars
ENDS = {"came in": 452.0, ".grad": 526.0, "is 0": 592.0, "moves": 678.0}  # right ends of columns
HIGH = 24.0  # of a bar


@dataclass(frozen=True)
class Row:
    """A parameter, or several that stand in one row."""

    name: str
    parameters: tuple[int, ...]


def rows_of(evidence: Evidence, most: int = 12) -> tuple[Row, ...]:
    """A row for each parameter; if that is too many, for each module, or each group of modules.

    >>> from autogradlab import nn
    >>> two = Evidence(nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1)))
    >>> [row.name for row in rows_of(two)], [row.name for row in rows_of(two, 2)]
    (['0.weight', '0.bias', '1.weight', '1.bias'], ['0', '1'])
    """
    depth = max(name.count(".") + 1 for name in evidence.names)
    finer: list[Row] = []
    for keep in range(depth, 0, -1):
        found: dict[str, list[int]] = {}
        for i, name in enumerate(evidence.names):
            parts = name.split(".")
            short = parts if keep == depth else parts[: min(keep, len(parts) - 1)] or parts
            found.setdefault(".".join(short), []).append(i)
        rows = [Row(name, tuple(which)) for name, which in found.items()]
        if len(rows) <= most:
            break
        finer = rows
    if len(rows) > most or (finer and len(rows) < min(FEW, most)):  # many layers side by side
        rows = finer
    return tuple(rows if len(rows) <= most else together(rows, most))


def together(rows: Sequence[Row], most: int) -> list[Row]:
    """Neighbours in one row, so that `most` rows are left at most.

    >>> [row.name for row in together([Row(f"l.{i}", (i,)) for i in range(5)], 3)]
    ['l.0–l.1', 'l.2–l.3', 'l.4']
    """
    each = -(-len(rows) // most)
    groups = [rows[i : i + each] for i in range(0, len(rows), each)]
    return [
        Row(
            group[0].name if len(group) == 1 else f"{group[0].name}–{group[-1].name}",
            tuple(i for row in group for i in row.parameters),
        )
        for group in groups
    ]


@dataclass(frozen=True)
class Cell:
    """A row in one step: the norms taken together."""

    came: float | None
    held: float | None
    zeros: float  # share
    moves: float | None
    missing: int  # parameters to which nothing came


def cell(evidence: Evidence, row: Row, step: int) -> Cell:
    """A row's numbers in one step."""
    seen = [evidence.steps[step].parameters[i] for i in row.parameters]
    got = [(x, evidence.sizes[i]) for x, i in zip(seen, row.parameters, strict=True)
           if x.came is not None]  # fmt: skip
    weight, moved = joined([x.weight for x in seen]), joined([x.moved for x in seen])
    return Cell(
        came=joined([x.came for x in seen]),
        held=joined([x.held for x in seen]),
        zeros=sum(x.zeros for x, _ in got) / max(1, sum(n for _, n in got)),
        moves=moved / weight if weight and moved is not None else None,
        missing=len(seen) - len(got),
    )


def joined(norms: Sequence[float | None]) -> float | None:
    """The norm of several tensors together; None if there is none.

    >>> joined([3.0, None, 4.0]), joined([None])
    (5.0, None)
    """
    known = [x for x in norms if x is not None]
    return math.hypot(*known) if known else None


class EvidenceChart:
    """The drawing: a column that marks the step, what stays, and the step's numbers."""

    def __init__(self, evidence: Evidence, pen: Pen) -> None:
        self.evidence, self.pen = evidence, pen
        self.rows = rows_of(evidence)
        self.cells = [
            [cell(evidence, row, k) for k in range(len(evidence.steps))] for row in self.rows
        ]
        self.height = TOP + ROW * len(self.rows) + 44
        norms = [
            x
            for each in self.cells
            for c in each
            for x in (c.came, c.held)
            if x and math.isfinite(x)
        ]
        self.low = math.floor(math.log10(min(norms, default=0.1)) - 0.3)
        self.high = max(self.low + 1, math.ceil(math.log10(max(norms, default=1.0))))
        count = max(1, len(evidence.steps))
        self.pitch = min(24.0, (BARS[1] - BARS[0]) / count)
        self._scale_loss()

    def y(self, i: int) -> float:
        """The middle of a row."""
        return TOP + ROW * (i + 0.5)

    def parts(self, step: int) -> list[str]:
        """All of the drawing at one step, back to front."""
        return [self._column(step), self._still(), self._numbers(step)]

    # ---------------------------------------------------------------------------------- loss

    def _scale_loss(self) -> None:
        real = [x for x in self.evidence.losses if x is not None and math.isfinite(x)]
        low, high = min(real, default=0.0), max(real, default=1.0)
        self.log_loss = low > 0 and high > 100 * low
        if self.log_loss:
            self.bottom, self.top = 10.0 ** math.floor(math.log10(low)), high
        else:
            self.bottom, self.top = min(0.0, low), high if high > min(0.0, low) else 1.0

    def _loss_x(self, step: int) -> float:
        left, _, right, _ = LOSS
        return left + 8 + (right - left - 16) * step / max(1, len(self.evidence.steps) - 1)

    def _loss_y(self, loss: float) -> float:
        _, top, _, bottom = LOSS
        f = math.log10 if self.log_loss else float
        share = (f(loss) - f(self.bottom)) / (f(self.top) - f(self.bottom))
        return bottom - 4 - (bottom - top - 8) * share

    def _loss(self) -> str:
        pen, (left, top, right, bottom) = self.pen, LOSS
        title = "loss, log scale" if self.log_loss else "loss"
        parts = [
            text(pen, "note", left, top - 14, title),
            rectangle(pen, "module frame", LOSS),
            text(pen, "small end", left - 6, self._loss_y(self.top), number(self.top, 3)),
            text(pen, "small end", left - 6, self._loss_y(self.bottom), number(self.bottom, 3)),
            text(pen, "small start", left, bottom + 12, "step 0"),
            text(pen, "small end", right, bottom + 12, str(len(self.evidence.steps) - 1)),
        ]
        d, before, lost = "", False, []
        for k, loss in enumerate(self.evidence.losses):
            real = loss is not None and math.isfinite(loss)
            if real:
                d += f"{'L' if before else 'M'}{self._loss_x(k):.1f} {self._loss_y(loss):.1f}"
            elif loss is not None:
                lost.append(k)
            before = real
        if d:
            parts.append(path(pen, "nudge curve", d))
        else:
            parts.append(text(pen, "note", left + 12, (top + bottom) / 2, "not known"))
        if lost:
            x = self._loss_x(lost[0])
            parts.append(path(pen, "now line", f"M{x:.1f} {top + 4:g}v10"))
            late = x > (left + right) / 2
            style, x = ("small end", x - 6) if late else ("small start", x + 6)
            parts.append(text(pen, style, x, top + 10, "nan or inf from here"))
        return "".join(parts)

    # --------------------------------------------------------------------------------- bars

    def _bar(self, c: Cell, x: float, y: float) -> str:
        """One gradient: a bar for .grad, a line where what came in differs from it."""
        pen, base, wide = self.pen, y + HIGH / 2, max(3.0, self.pitch - 4)
        box = (x - wide / 2, base - 6, x + wide / 2, base)
        if c.held is None:
            return rectangle(pen, "pill", box)
        if not math.isfinite(c.held):
            return rectangle(pen, "norm bar broken", (box[0], base - HIGH, box[2], base))
        if not c.held:
            return circle(pen, "badge ready", x, base - 4, 3)
        bar = rectangle(pen, "norm bar", (box[0], base - self._up(c.held), box[2], base))
        if c.came and abs(c.came - c.held) > 0.01 * c.held:
            line = f"M{box[0] - 1:.1f} {base - self._up(c.came):.1f}h{wide + 2:.1f}"
            bar += path(pen, "now line", line)
        return bar

    def _up(self, norm: float) -> float:
        if not math.isfinite(norm):
            return HIGH
        share = (math.log10(norm) - self.low) / (self.high - self.low)
        return max(2.0, HIGH * min(1.0, share))

    def _x(self, step: int) -> float:
        return BARS[0] + self.pitch * (step + 0.5)

    # -------------------------------------------------------------------------------- parts

    def _column(self, step: int) -> str:
        x, half = self._x(step), self.pitch / 2
        box = (x - half, TOP - 2, x + half, TOP + ROW * len(self.rows) + 2)
        return rectangle(self.pen, "row now", box)

    def _still(self) -> str:
        """What is the same at every step."""
        pen, last = self.pen, TOP + ROW * len(self.rows)
        parts = [self._loss(), text(pen, "note", 8, TOP - 14, "parameter")]
        scale = f"gradient, by step · {number(10.0**self.low)} to {number(10.0**self.high)}, log"
        parts.append(text(pen, "note", BARS[0], TOP - 14, scale))
        parts += [text(pen, "note end", x, TOP - 14, name) for name, x in ENDS.items()]
        parts.append(path(pen, "grid", f"M0 {TOP - 4:g}H{WIDTH:g}M0 {last + 4:g}H{WIDTH:g}"))
        for i, row in enumerate(self.rows):
            off = not any(self.evidence.wanted[j] for j in row.parameters)
            many = ".*" if len(row.parameters) > 1 else ""
            mark = "M8 0l3-5h6l3 5-3 5h-6z"
            drawn = path(pen, "pruned" if off else "plain", mark)
            parts.append(f'<g transform="translate(0 {self.y(i):g})">{drawn}</g>')
            parts.append(text(pen, "row label", 26, self.y(i), ending(row.name + many, 120)))
            parts += [self._bar(c, self._x(k), self.y(i)) for k, c in enumerate(self.cells[i])]
        return "".join(parts) + self._legend(last + 22)

    def _legend(self, y: float) -> str:
        pen, x, parts = self.pen, 8.0, []
        marks = {
            ".grad": lambda x: rectangle(pen, "norm bar", (x, y - 6, x + 10, y + 6)),
            "what came in, if not the same": lambda x: path(pen, "now line", f"M{x} {y}h12"),
            "0": lambda x: circle(pen, "badge ready", x + 5, y, 3),
            "None": lambda x: rectangle(pen, "pill", (x, y - 3, x + 12, y + 3)),
            "nan or inf": lambda x: rectangle(pen, "norm bar broken", (x, y - 6, x + 10, y + 6)),
            "requires_grad False": lambda x: (
                f'<g transform="translate({x - 8} {y})">'
                + path(pen, "pruned", "M8 0l3-5h6l3 5-3 5h-6z")
                + "</g>"
            ),
        }
        shown = {"nan or inf": self._broken(), "requires_grad False": not all(self.evidence.wanted)}
        for words, mark in marks.items():
            if shown.get(words, True):
                parts.append(mark(x) + text(pen, "row note", x + 20, y, words))
                x += 44 + text_width(words, 11, mono=False)
        return "".join(parts)

    def _broken(self) -> bool:
        held = (c.held for each in self.cells for c in each)
        return any(x is not None and not math.isfinite(x) for x in held)

    def _numbers(self, step: int) -> str:
        """What belongs to one step."""
        pen, parts = self.pen, []
        loss = self.evidence.losses[step]
        if loss is not None and math.isfinite(loss):
            x, y = self._loss_x(step), self._loss_y(loss)
            parts.append(circle(pen, "now dot", x, y, 5))
        for i, each in enumerate(self.cells):
            c, y = each[step], self.y(i)
            came = "None" if c.came is None else number(c.came, 3)
            held = "None" if c.held is None else number(c.held, 3)
            zeros = "–" if c.came is None else percent(c.zeros)
            moves = "–" if c.moves is None else percent(c.moves)
            told = (came, held, zeros, moves)
            for words, x in zip(told, ENDS.values(), strict=True):
                style = "row number none" if words in ("None", "–") else "row number"
                parts.append(text(pen, style, x, y, words))
        for i, (name, words) in enumerate(self.facts(step)):
            y = LOSS[1] - 14 + 20 * i
            parts.append(text(pen, "note", FACTS, y, name))
            room = 678 - FACTS - text_width(name, 12, mono=False) - 8
            parts.append(text(pen, "row number", 678, y, cut(words, room, 12)))
        return "".join(parts)

    def facts(self, step: int) -> list[tuple[str, str]]:
        """What is known of a step besides its parameters, in names and words."""
        seen = self.evidence.steps[step]
        came = sum(x.came is not None for x in seen.parameters)
        found = [("parameters with a gradient", f"{came} of {len(seen.parameters)}")]
        promised, measured = seen.promised, self.evidence.measured(step)
        if promised is not None:
            found.append(("loss should change by", number(promised, 3)))
        if measured is not None:
            same = "" if self.evidence.repeated else ", other inputs"
            found.append(("it changes by", number(measured, 3) + same))
        if seen.behind:
            found.append(("graph", f"{seen.behind.nodes} nodes, {seen.behind.depth} deep"))
            if seen.behind.largest is not None and seen.behind.output is not None:
                found.append(("model's output", dims(seen.behind.output)))
                found.append(("largest tensor behind it", dims(seen.behind.largest)))
        if seen.dead:
            dead, units = (sum(x) for x in list(zip(*seen.dead, strict=True))[1:])
            found.append(("relu units 0 for all inputs", f"{dead} of {units}"))
        if seen.warned:
            found.append(("it warns", seen.warned[0]))
        if seen.error:
            found.append(("it stops", seen.error))
        return found[:7]


def ending(name: str, room: float) -> str:
    """The end of a name, which tells it from its neighbours, with "…" for what has no room.

    >>> ending("layer.self_attn.out_proj.weight", 120)
    '…out_proj.weight'
    """
    while text_width(name, 12) > room:
        name = "…" + name.lstrip("…")[1:]
    return name


def percent(x: float) -> str:
    """A share in a column.

    >>> percent(0.0312), percent(0.0), percent(19.34), percent(0.00002)
    ('3.1 %', '0 %', '× 19', '0.002 %')
    """
    if not math.isfinite(x):
        return "nan" if x != x else "inf"
    return f"× {number(x, 2)}" if x >= 10 else f"{number(100 * x, 2)} %"


def about(evidence: Evidence, row: Row) -> str:
    """A row in one line, the same at every step."""
    if len(row.parameters) > 1:
        size = sum(evidence.sizes[i] for i in row.parameters)
        return f"{row.name} · {len(row.parameters)} parameters, {size:,} numbers"
    (i,) = row.parameters
    frozen = "" if evidence.wanted[i] else " · requires_grad is False"
    return f"{row.name} · parameter of shape {dims(evidence.shapes[i])}{frozen}"


