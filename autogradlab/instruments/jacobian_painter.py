"""JacobianPainter: the Jacobian of a function as an empty table, which passes fill: one backward a
row, one jvp a column. What a pass costs is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any

from ..graphs.draw import Box, Pen, corner_marks, path, rectangle, svg, text, tick
from ..graphs.numbers import number
from ..graphs.protocol import engine_of
from ..graphs.style import attributes, css_class, one_line, text_width
from .backward_debugger import listed
from .instrument import Instrument, chosen, texts
from .svg_view import SvgView
from .twin_graph import plural

LARGEST = 8  # inputs, and outputs
NARROW = 18.0  # px; of a cell without numbers
CELL, HIGH = 72.0, 36.0  # px; of a cell of the table
LEFT, TOP = 136.0, 76.0  # px; where its first cell begins
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class JacobianPainter(Instrument):
    """Fill the table of all derivatives, row by row or column by column.

    Args:
        function: takes one tensor, gives one tensor; at most 8 elements each.
        x: a tensor of autogradlab or PyTorch, where to take the derivatives. It is not changed.
        inputs, outputs: what to call the elements; by default x₀, x₁, … and y₀, y₁, …
        controls: of "rows", "columns" and "reset" those that can be clicked; None for all.

    The function is called once, and once more for every column.

    Raises:
        TypeError: `x` or what the function gives is not a tensor; ValueError: one of them has no
        elements or more than 8, or another number of names; what the function raises.

    >>> from autogradlab import stack, tensor
    >>> f = lambda x: stack([x[0] * x[1], x[1] ** 2, 3 * x[0]])
    >>> painter = JacobianPainter(f, tensor([2.0, 5.0]))
    >>> painter.row(0)
    'One backward pass filled the row of y₀: [5, 2]. 2 of 6 cells with 1 pass.'
    >>> painter.column(1)
    'One jvp filled the column of x₁: [2, 10, 0]. 4 of 6 cells with 2 passes; 1 was filled twice.'
    >>> painter.column(0)  # doctest: +ELLIPSIS
    'The table is full: 6 of 6 cells with 3 passes. Rows ... forward mode is cheaper.'
    """

    CONTROLS = ("rows", "columns", "reset")
    STATE = MappingProxyType({"passes": texts})

    def __init__(
        self, function: Callable[[Any], Any], x: Any, *, inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None, controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self._shown = chosen(controls, type(self))
        self._engine = engine_of(x)
        self._function, self._x = function, x.detach().clone()
        y, self._pull = self._engine.func.vjp(function, self._x)
        engine_of(y)  # TypeError where it is no tensor
        self._y = y.detach()
        self.inputs = names_of("x", "inputs", self._x, inputs)
        self.outputs = names_of("y", "outputs", self._y, outputs)
        self.passes: list[str] = []  # "r0" for the backward of row 0, "c1" for the jvp of column 1
        self._filled: dict[str, list[float]] = {}  # what each of them brought
        self.title = f"{len(self.outputs)} × {len(self.inputs)} Jacobian"
        tag = "PyTorch" if self._engine.__name__ == "torch" else "autogradlab"
        self.view = SvgView(title="Jacobian Painter", look="below tree", tag=tag)
        self.view.on_msg(lambda view, content, buffers: self._on_message(content))
        self._draw()

    # ------------------------------------------------------------------------------ the passes

    def row(self, i: int) -> str:
        """Run one backward pass, from output `i` alone; returns what it brought, in words."""
        return self._run("r", i, self.outputs)

    def column(self, j: int) -> str:
        """Run one jvp, a nudge of input `j` alone; returns what it brought, in words."""
        return self._run("c", j, self.inputs)

    def reset(self) -> str:
        """Empty the table and the counter; returns the sentence."""
        self.passes, self._filled = [], {}
        self._draw()
        return self.sentence

    @property
    def table(self) -> list[list[float | None]]:
        """The numbers filled so far, row by row; None where the table is empty."""
        return [[self._at(i, j) for j in range(len(self.inputs))] for i in range(len(self.outputs))]

    @property
    def filled(self) -> int:
        """How many cells hold a number."""
        return sum(x is not None for row in self.table for x in row)

    @property
    def backwards(self) -> int:
        """How many backward passes have run."""
        return sum(key[0] == "r" for key in self.passes)

    @property
    def jvps(self) -> int:
        """How many jvps have run."""
        return len(self.passes) - self.backwards

    @property
    def sentence(self) -> str:
        """What was filled last and what it all cost, in words."""
        m, n = len(self.outputs), len(self.inputs)
        if not self.passes:
            return f"Nothing is filled: 0 of {plural(m * n, 'cell')}. No pass has run."
        filled = self.filled
        cost = f"{filled} of {plural(m * n, 'cell')} with {_passes(len(self.passes))}"
        if filled == m * n:
            rows, columns = f"rows alone take {_passes(m, 'backward ')}", plural(n, "jvp")
            verdict = "both modes cost the same"
            if m != n:
                verdict = f"{'forward' if n < m else 'reverse'} mode is cheaper"
            return f"The table is full: {cost}. R{rows[1:]}, columns alone {columns}: {verdict}."
        last = self.passes[-1]
        index, numbers = int(last[1:]), ", ".join(map(number, self._filled[last]))
        what = f"One backward pass filled the row of {self.outputs[index]}"
        if last[0] == "c":
            what = f"One jvp filled the column of {self.inputs[index]}"
        twice = self.backwards * self.jvps
        again = f"; {twice} {'was' if twice == 1 else 'were'} filled twice" if twice else ""
        return f"{what}: [{numbers}]. {cost}{again}."

    summary = sentence

    def _run(self, letter: str, index: int, names: Sequence[str]) -> str:
        if not 0 <= index < len(names):
            what = "row" if letter == "r" else "column"
            raise ValueError(f"there is no {what} {index}: there are 0 to {len(names) - 1}")
        key = f"{letter}{index}"
        if key not in self._filled:
            like = self._y if letter == "r" else self._x
            seed = self._engine.zeros_like(like)
            seed.reshape(-1)[index] = 1
            if letter == "r":
                made = self._pull(seed)[0]
            else:
                made = self._engine.func.jvp(self._function, (self._x,), (seed,))[1]
            self._filled[key] = made.detach().reshape(-1).tolist()
            self.passes.append(key)
            self._draw()
        return self.sentence

    def _at(self, i: int, j: int) -> float | None:
        """The number in a cell; a row and a column that cross there brought the same one."""
        if f"r{i}" in self._filled:
            return self._filled[f"r{i}"][j]
        return self._filled[f"c{j}"][i] if f"c{j}" in self._filled else None

    # ---------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        return list(self.passes)

    def _set(self, name: str, value: Any) -> None:
        known = {f"r{i}" for i in range(len(self.outputs))}
        known |= {f"c{j}" for j in range(len(self.inputs))}
        for key in value:
            if key not in known:
                raise ValueError(f"this state does not fit: there is no {key[:40]!r}")
        self.reset()
        for key in value:
            (self.row if key[0] == "r" else self.column)(int(key[1:]))

    # -------------------------------------------------------------------------------- picture

    @property
    def _size(self) -> tuple[float, float]:
        width = max(LEFT + CELL * len(self.inputs) + 16, 400.0)  # room for the counter
        return width, TOP + HIGH * len(self.outputs) + 48

    def svg(self) -> str:
        """The table as it is filled now, as a still picture."""
        parts = [self._backdrop(attributes)]
        for letter, names in (("r", self.outputs), ("c", self.inputs)):
            for index in range(len(names)):
                x, y = self._place(letter, index)
                head = self._head(attributes, letter, index)
                parts.append(f'<g transform="translate({x:g} {y:g})">{head}</g>')
        return svg(*self._size, self.title, self.sentence, "".join(parts))

    def _place(self, letter: str, index: int) -> tuple[float, float]:
        """The middle of the head of a row or column."""
        if letter == "r":
            return LEFT - 44, TOP + HIGH * (index + 0.5)
        return LEFT + CELL * (index + 0.5), TOP - 24

    def _head(self, pen: Pen, letter: str, index: int) -> str:
        """The head of a row, round as a gradient, or of a column, square as a value."""
        done, now = f"{letter}{index}" in self._filled, self.passes[-1:] == [f"{letter}{index}"]
        name = (self.outputs if letter == "r" else self.inputs)[index]
        shown = name if text_width(name, 13) <= 44 else name[:4] + "…"
        style = "running" if now else "done" if done else "ready"
        box, radius = (-32, -14, 32, 14), 14 if letter == "r" else 2
        halo = rectangle(pen, "halo small", box, radius) if now else ""
        words = text(pen, "expression", -8 if done else 0, 0, shown)
        mark = tick(pen, 20, 0, 0.9) if done else ""
        return halo + rectangle(pen, style, box, radius) + words + mark

    def _backdrop(self, pen: Pen) -> str:
        """The cells, with what they hold, and the counter below."""
        numbers = self.table
        largest = max((abs(x) for row in numbers for x in row if x is not None), default=0.0)
        parts = [
            text(pen, "note", LEFT, 20, "↓ a jvp fills a column"),
            text(pen, "note", 16, TOP - 24, "→ a backward"),
            text(pen, "note", 16, TOP - 8, "   fills a row"),
        ]
        for i, row in enumerate(numbers):
            for j, x in enumerate(row):
                left, top = LEFT + CELL * j + 2, TOP + HIGH * i + 2
                box = (left, top, left + CELL - 4, top + HIGH - 4)
                parts.append(draw_cell(pen, box, x, largest))
        y = TOP + HIGH * len(self.outputs) + 26
        total = f"{self.backwards} backward + {self.jvps} jvp = {_passes(len(self.passes))}"
        cells = f"{self.filled} / {len(self.outputs) * len(self.inputs)} cells"
        parts.append(text(pen, "row label strong", 16, y, f"{total} · {cells}"))
        return "".join(parts)

    # --------------------------------------------------------------------------------- widget

    def _on_message(self, content: Any) -> None:
        """A head or a button was pressed; what fits none is passed over."""
        content = content if isinstance(content, dict) else {}
        if content.get("button") == "reset":
            self.reset()
        elif content.get("fold") in self.view.overlays:
            (self.row if content["fold"][0] == "r" else self.column)(int(content["fold"][1:]))

    def _draw(self) -> None:
        """Give the widget all that it shows now."""
        parts, order, targets = [self._backdrop(css_class)], [["", None, None]], []
        sides = (("r", "rows", self.outputs), ("c", "columns", self.inputs))
        for letter, control, names in sides:
            for index in range(len(names)):
                key, head = f"{letter}{index}", self._head(css_class, letter, index)
                x, y = self._place(letter, index)
                live = control in self._shown
                parts.append(f'<g data-fold="{key}">{head}</g>' if live else head)
                order.append([key if live else "", x, y])
                if live:
                    about, near = self._about(letter, index), self._near(letter, index)
                    targets.append([key, about, x, y, *near])
        marks = _marks()
        with self.view.hold_sync():
            view = self.view
            view.view = list(self._size)
            view.targets, view.order = targets, order
            view.overlays = {target[0]: marks for target in targets}
            view.set_frames([parts])
            view.expression = self.title
            view.sentences = [self.sentence]
            keys = "data-lm-suppress-shortcuts='true'"
            form = f"<form><button name='reset' {keys}>Empty the table</button></form>"
            view.panels = [form if "reset" in self._shown else ""]
            view.steps_keys = [""]
            view.revision += 1

    def _about(self, letter: str, index: int) -> str:
        """A head in one line."""
        if letter == "r":
            return f"row of {self.outputs[index]}: Enter runs one backward pass from it"
        return f"column of {self.inputs[index]}: Enter runs one jvp, a nudge of it alone"

    def _near(self, letter: str, index: int) -> tuple[list[str], list[str]]:
        """The heads above and below, for the arrow keys: columns stand above all rows."""
        rows = [f"r{i}" for i in range(len(self.outputs)) if "rows" in self._shown]
        columns = [f"c{j}" for j in range(len(self.inputs)) if "columns" in self._shown]
        if letter == "c":
            return [], rows[:1]
        return (rows[index - 1 : index] if index else columns[:1]), rows[index + 1 : index + 2]


def draw_cell(pen: Pen, box: Box, x: float | None, most: float, kind: str = "") -> str:
    """One number: tinted by its size, with a bar for it, hatched at the left if it is negative. The
    kind is that of a gradient, or "value". Where there is no room for a number, none is written."""
    left, top, right, bottom = box
    middle = (left + right) / 2, (top + bottom) / 2
    if x is None:
        return rectangle(pen, "pill", box, 2)
    if x != x or abs(x) == float("inf"):
        words = fitting(x, right - left - 2, 11)
        return rectangle(pen, "infinite", box, 2) + text(pen, "infinite words", *middle, words)
    share = abs(x) / most if most and most != float("inf") else 0.0
    size = "0" if not x else "1" if share < 1 / 3 else "2" if share < 2 / 3 else "3"
    tone = f" {kind}" if kind else ""
    parts = [rectangle(pen, f"painter cell{tone} {size}", box, 2)]
    if x:
        wide = max(2.0, share * (right - left - 2))
        bar = (left + 1, bottom - 4, left + 1 + wide, bottom - 1)
        parts.append(rectangle(pen, "dual cap" if kind else "cap", bar))
    if x < 0:
        times = min(4, int((bottom - top - 4) // 6))
        lines = "".join(f"M{left + 1:g} {top + 8 + 6 * k:g}l6-6" for k in range(times))
        parts.append(path(pen, f"painter hatch{tone}", lines))
    aside = 8 if x < 0 else 0  # a long number stays clear of the hatch
    for style, points, least in (("number", 12, 3), ("tracer number", 11, 1)):
        if words := fitting(x, right - left - aside - 2, points, least):
            style = style if x else "number none"
            parts.append(text(pen, style, middle[0] + aside / 2, middle[1] - 1, words))
            break
    return "".join(parts)


def fitting(x: float, room: float, size: float, least: int = 1) -> str:
    """A number with as many digits, at most three, as there is room for; nothing if for none, or in
    a cell so narrow that a few numbers would stand among blanks."""
    if room < NARROW:
        return ""
    for digits in range(3, least - 1, -1):
        if text_width(words := number(x, digits), size) <= room:
            return words
    return ""


def _marks() -> str:
    """Selection and focus round a head."""
    corners = path(css_class, "corners", corner_marks(38, 20))
    ring = rectangle(css_class, "focus", (-36, -18, 36, 18), 4)
    return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'


def _passes(count: int, kind: str = "") -> str:
    """
    >>> _passes(1), _passes(2, "backward ")
    ('1 pass', '2 backward passes')
    """
    return f"{count} {kind}pass{'' if count == 1 else 'es'}"


def names_of(letter: str, what: str, tensor: Any, given: Sequence[str] | None) -> list[str]:
    """What to call the elements of a tensor."""
    count = tensor.numel()
    if not 0 < count <= LARGEST:
        raise ValueError(f"the table holds 1 to {LARGEST} {what}; there are {count}")
    if given is None:
        return [f"{letter}{str(i).translate(SUBSCRIPTS)}" for i in range(count)]
    if len(given) != count:
        raise ValueError(f"there are {count} {what}, but {len(given)} names: {listed([*given])}")
    return [one_line(str(name)) for name in given]
