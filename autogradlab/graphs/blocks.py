"""Tensors as blocks of cells, joined to equations: what `ShapeTracer` draws.

A value is square and blue, a gradient round and orange; cells that broadcasting copied are hatched.
An axis of more than six cells is a block with a bracket and the number.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from .draw import Pen, _chevrons, _f, path, rectangle, text
from .numbers import number
from .style import text_width

CELL, HIGH, LONG = 40, 22, 6  # px, px, cells
SHORT = 4  # cells that stand for a long axis
TITLE, ARROW, ROOM, SIGN, LAYER = 36, 40, 16, 40, 7  # px
TOP, BETWEEN = 12, 20
LINE = 24
COLUMNS = 16, 200, 300


@dataclass
class Block:
    """A tensor with two lines above it. `copies` are (axis, times); `under` is the block that this
    one is joined to, from above, by an arrow with a note; below, the note only keeps its room."""

    name: str
    words: str
    array: np.ndarray | None  # None: there is no gradient
    kind: str = "value"
    copies: Any = ()
    shape: tuple[int, ...] | None = None  # where there is no array
    under: Block | None = None
    note: str = ""

    @property
    def dims(self) -> tuple[int, int, int]:
        """Layers, rows and columns."""
        shape = (self.shape or ()) if self.array is None else self.array.shape
        return (1, 1, 1, *shape)[-3:]

    @property
    def long(self) -> bool:
        return max(self.dims[1:]) > LONG

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the front layer in px."""
        _, rows, columns = self.dims
        return CELL * cells(columns), HIGH * cells(rows)

    @property
    def behind(self) -> int:
        """Layers drawn behind the front one."""
        return min(self.dims[0], 4) - 1

    @property
    def height(self) -> float:
        bracket = ROOM if self.dims[2] > LONG else 0
        return TITLE + bracket + self.behind * LAYER + self.size[1]

    @property
    def width(self) -> float:
        left = 2 * 26 if self.dims[1] > LONG else 0
        layers = 2 * (self.behind * LAYER + (22 if self.behind else 0))
        titles = max(text_width(self.name, 12), text_width(self.words, 11)) + 8
        note = 24 + text_width(self.note, 12, mono=False) if self.note else 0
        return max(self.size[0] + left + layers, titles, note)


@dataclass
class Sign:
    """What stands between two blocks, and a word above it."""

    sign: str
    word: str = ""

    @property
    def width(self) -> float:
        return max(SIGN, text_width(self.word, 12) + 16)


EQUALS = Sign("=")
Row = list[Block | Sign]


def cells(n: int) -> int:
    """How many cells long an axis is drawn."""
    return n if n <= LONG else SHORT


class Blocks:
    """The frames of all steps, one under the table of the operations."""

    WIDTH, CAPTION = 700, 52

    def __init__(self, steps: list[list[Row]], operations: int) -> None:
        self.steps, self.operations = steps, operations
        self.tallest = max(map(self.height, range(len(steps))))
        self.table_height = LINE * (operations + 1) + 16
        self.total = self.tallest + self.table_height

    def height(self, step: int) -> float:
        """The height of a frame in px."""
        height = TOP
        for row in self.steps[step]:
            height += self._row_height(row) + (ARROW if _above(row) else BETWEEN)
        return height

    def _row_height(self, row: Row) -> float:
        return max(block.height for block in row if isinstance(block, Block))

    def frame(self, pen: Pen, step: int) -> str:
        """One step."""
        rows, parts, y = self.steps[step], [], float(TOP)
        middles: dict[int, float] = {}  # of each block in an equation
        for row in rows:
            if not _above(row):
                for item, x in self._places(row):
                    middles[id(item)] = x
        for row in rows:
            bottom = y + self._row_height(row)
            if _above(row):
                for block in row:
                    x = middles[id(block.under)]
                    parts.append(drawn(pen, block, x, bottom))
                    parts.append(arrow(pen, block, x, bottom + 4, bottom + ARROW - 4))
                y = bottom + ARROW
                continue
            middle = bottom - max(b.size[1] for b in row if isinstance(b, Block)) / 2
            for item, x in self._places(row):
                if isinstance(item, Sign):
                    parts.append(text(pen, "tracer sign", x, middle, item.sign))
                    parts.append(text(pen, "tracer word", x, middle - 18, item.word))
                else:
                    parts.append(drawn(pen, item, x, middle + item.size[1] / 2))
            y = bottom + BETWEEN
        scale = min(1.0, (self.WIDTH - 24) / max(map(_wide, rows)))
        if scale == 1:
            return "".join(parts)
        shift = self.WIDTH / 2 * (1 - scale)
        return f'<g transform="translate({shift:.1f} 0) scale({scale:.3f})">{"".join(parts)}</g>'

    def _places(self, row: Row) -> list[tuple[Block | Sign, float]]:
        """Each item with its middle."""
        x, places = (self.WIDTH - _wide(row)) / 2, []
        for item in row:
            places.append((item, x + item.width / 2))
            x += item.width + (0 if len(row) > 1 and _signed(row) else BETWEEN)
        return places

    def caption(self, pen: Pen, start: str, rest: str, y: float) -> str:
        """A step's sentence under its frame, on at most two lines, and a line to part it off."""
        lines = textwrap.wrap(f"{start}. {rest}", 100)[:2]
        words = [text(pen, "note", 16, y + 6 + 16 * i, line) for i, line in enumerate(lines)]
        return "".join(words) + path(pen, "divider", f"M16 {_f(y + 40)}H{self.WIDTH - 16}")

    # ------------------------------------------------------------------------------- the table

    def table(self, pen: Pen, lines: list[tuple[str, str, str, str]], top: float) -> str:
        """The operations in forward order, with what they keep, from `top` on."""
        heads = zip(COLUMNS, ("operation", "shape", "keeps for backward"), strict=True)
        y = top + LINE / 2
        parts = [text(pen, "column", x, y, words) for x, words in heads]
        for i, (label, shape, keeps, state) in enumerate(lines):
            y = top + LINE * (i + 1.5)
            if "now" in state:
                box = (9, y - LINE / 2 + 1, self.WIDTH - 9, y + LINE / 2 - 1)
                parts.append(rectangle(pen, "row now", box, 4))
            quiet = "row quiet" if state in ("ahead", "freed") else "row label"
            parts.append(text(pen, quiet, COLUMNS[0], y, label))
            parts.append(text(pen, quiet, COLUMNS[1], y, "?" if state == "ahead" else shape))
            if state == "ahead":
                continue
            freed = "freed" in state and keeps != "nothing"
            x = COLUMNS[2]
            if keeps != "nothing":
                box = (x, y - 6, x + 12, y + 6)
                parts.append(rectangle(pen, "sheet freed" if freed else "sheet", box, 1))
                x += 20
            words = textwrap.shorten(keeps, 46, placeholder="…")
            quiet = "row quiet" if freed or keeps == "nothing" else "row label"
            parts.append(text(pen, quiet, x, y, words))
            if freed:
                parts.append(text(pen, "freed", self.WIDTH - 16, y, "freed"))
        return "".join(parts)

    def row_spot(self, i: int) -> tuple[float, float]:
        """The middle of a row of the table under the tallest frame."""
        return self.WIDTH / 2, self.tallest + LINE * (i + 1.5)

    def hit(self, pen: Pen) -> str:
        """What a pointer can hit of a row."""
        box = (9 - self.WIDTH / 2, -LINE / 2, self.WIDTH / 2 - 9, LINE / 2)
        return rectangle(pen, "tracer hit", box)

    def marks(self, pen: Pen) -> str:
        """Focus round a row; that it is selected its spotlight says."""
        x, y = self.WIDTH / 2 - 6, LINE / 2
        ring = rectangle(pen, "focus", (-x, -y, x, y), 4)
        return f'<g class="agl-mark-focus">{ring}</g>'


def _above(row: Row) -> bool:
    return isinstance(row[0], Block) and row[0].under is not None


def _signed(row: Row) -> bool:
    return any(isinstance(item, Sign) for item in row)


def _wide(row: Row) -> float:
    gaps = 0 if _signed(row) else BETWEEN * (len(row) - 1)
    return sum(item.width for item in row) + gaps


# --------------------------------------------------------------------------------------- one block


def drawn(pen: Pen, block: Block, x: float, bottom: float) -> str:
    """A block whose front layer stands round `x` and ends at `bottom`."""
    (w, h), gradient = block.size, block.kind == "gradient"
    left, top = x - w / 2, bottom - h
    tone = " gradient" if gradient else ""
    bracket = ROOM if block.dims[2] > LONG else 0
    head = top - block.behind * LAYER - bracket
    parts = [text(pen, "tracer name", x, head - 26, block.name),
             text(pen, "small", x, head - 10, block.words)]  # fmt: skip
    if block.array is None:
        box = (left, top, left + w, bottom)
        return "".join(parts) + rectangle(pen, "cup empty", box, 8) + text(
            pen, "number none", x, (top + bottom) / 2, "None"
        )
    radius = 8 if gradient else 2
    copied = {axis + 3 - block.array.ndim for axis, times in block.copies if times > 1}
    for i in range(block.behind, 0, -1):
        box = (left + i * LAYER, top - i * LAYER, left + w + i * LAYER, bottom - i * LAYER)
        style = f"tracer copy{tone}" if 0 in copied else f"tracer block{tone}"
        parts.append(rectangle(pen, style, box, radius))
    parts.append(rectangle(pen, f"tracer block{tone}", (left, top, left + w, bottom), radius))
    parts.append(path(pen, f"tracer grid{tone}", grid(block, left, top)))
    parts.append(path(pen, f"tracer hatch{tone}", hatched(block, copied, left, top)))
    parts.append(elements(pen, block, copied, left, top, tone))
    parts.append(brackets(pen, block, left, top))
    return "".join(part for part in parts if 'd=""' not in part)


def grid(block: Block, left: float, top: float) -> str:
    """The lines between cells, of the axes that are drawn whole."""
    (w, h), (_, rows, columns) = block.size, block.dims
    across = [f"M{_f(left)} {_f(top + HIGH * i)}h{_f(w)}" for i in range(1, rows)]
    down = [f"M{_f(left + CELL * i)} {_f(top)}v{_f(h)}" for i in range(1, columns)]
    return "".join(across * (rows <= LONG) + down * (columns <= LONG))


def hatched(block: Block, copied: set[int], left: float, top: float) -> str:
    """Diagonals through each cell that is a copy."""
    _, rows, columns = block.dims
    strokes = []
    for i in range(cells(rows)):
        for j in range(cells(columns)):
            if (1 in copied and i) or (2 in copied and j):
                x, y = left + CELL * j, top + HIGH * i
                strokes.append(f"M{_f(x + 2)} {_f(y + 8)}l6 -6m9 0l-15 15m4 3l18 -18m9 0l-18 18")
                strokes.append("m9 0l14 -14m0 9l-5 5")
    return "".join(strokes)


def elements(
    pen: Pen, block: Block, copied: set[int], left: float, top: float, tone: str
) -> str:
    """The numbers of the front layer, if all fit their cells."""
    if block.long or block.array is None:
        return ""
    front = block.array.reshape(block.dims)[0]
    for digits in (3, 2):
        words = [[number(x, digits) for x in row] for row in front]
        if all(len(each) <= 5 for row in words for each in row):
            break
    else:
        return ""
    parts = []
    for i, row in enumerate(words):
        for j, word in enumerate(row):
            x, y = left + CELL * (j + 0.5), top + HIGH * (i + 0.5)
            if (1 in copied and i) or (2 in copied and j):
                half = text_width(word, 11) / 2 + 2
                box = (x - half, y - 7, x + half, y + 7)
                parts.append(rectangle(pen, f"tracer back{tone}", box, 2))
            parts.append(text(pen, "tracer number", x, y, word))
    return "".join(parts)


def brackets(pen: Pen, block: Block, left: float, top: float) -> str:
    """The length of each axis that is not drawn whole, and the number of layers."""
    (w, h), (layers, rows, columns) = block.size, block.dims
    parts = []
    if columns > LONG:
        y = top - block.behind * LAYER - 4
        parts.append(path(pen, "bracket", f"M{_f(left)} {_f(y)}v-4h{_f(w)}v4"))
        half = text_width(str(columns), 11) / 2 + 3
        box = (left + w / 2 - half, y - 10, left + w / 2 + half, y + 2)
        parts.append(rectangle(pen, "backing", box))
        parts.append(text(pen, "small", left + w / 2, y - 4, str(columns)))
    if rows > LONG:
        parts.append(path(pen, "bracket", f"M{_f(left - 4)} {_f(top)}h-4v{_f(h)}h4"))
        parts.append(text(pen, "small end", left - 12, top + h / 2, str(rows)))
    if layers > 1:
        x, y = left + w + block.behind * LAYER + 4, top - block.behind * LAYER + 8
        parts.append(text(pen, "small start", x, y, f"×{layers}"))
    return "".join(parts)


def arrow(pen: Pen, block: Block, x: float, top: float, bottom: float) -> str:
    """From a block to the one under it, or for a gradient up again, with the note beside it."""
    if block.kind == "gradient":
        d = f"M{_f(x)} {_f(bottom)}V{_f(top)}"
        points = [(x, bottom + (top - bottom) * i / 8) for i in range(9)]
        mark = path(pen, "ribbon", d, ' stroke-width="10"')
        mark += path(pen, "chevrons", _chevrons(points, 10))
    else:
        head = f"m-4 -6L{_f(x)} {_f(bottom)}l4 -6"
        mark = path(pen, "value edge", f"M{_f(x)} {_f(top)}V{_f(bottom)}{head}")
    return mark + text(pen, "note", x + 14, (top + bottom) / 2, block.note)
