"""TapeMemory: what a graph holds in memory for its backward pass, who keeps which piece of it, and
how it is freed as the pass goes on. Several passes, one of them checkpointed perhaps, can be laid
over each other.

The numbers are those of a `Recording`, the drawing is in `graphs.tape`. Works on tensors of either
engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ..graphs import Recording, record_backward
from ..graphs.draw import corner_marks, path, rectangle
from ..graphs.modules import watch
from ..graphs.numbers import nbytes
from ..graphs.style import css_class, escape
from ..graphs.tape import ROW, WIDTH, Tape, TapeDrawing, TapeRow, at, compared, in_words, tape_of
from .backward_debugger import listed
from .instrument import Instrument, chosen
from .svg_view import SvgView

LIMIT = 20_000  # nodes of a graph
FRAMES = 400  # steps that the widget holds; of more, those that free something come first
PIECES = 6  # rows of the table of pieces


class TapeMemory(Instrument):
    """See the bytes that are saved for backward, step by step.

    Args:
        root: the tensor to go back from, of autogradlab or PyTorch, its graph not freed; one pass
            is run and leaves no trace. Or a `Recording` of one.
        model: the module that computed it, to name the rows; a guess, see `graphs.read_graph`.
        watched: what `with watch(model) as watched:` has seen; exact.
        names: what to call tensors, `{"a": a}`.
        gradient: what `backward(gradient=…)` would get; may be left out for one element.
        depth: to which depth modules are open, 0 for the model as one row. By default nodes have a
            row each if few of them save something, else each module that the model calls.
        compare: instead of `root` two or more of them by name, `{"plain": loss, "checkpointed":
            other}`. Counted is what the graphs hold. What a checkpoint computes again while the
            pass goes back, and its own inputs, the graph does not hold.
        controls: what to show of "transport"; by default all.

    Raises:
        what `root.backward(gradient)` raises; ValueError for none or too many of the above.

    >>> from autogradlab import ones
    >>> a = ones(4, requires_grad=True)
    >>> tape = TapeMemory((a.exp() * a).sum(), names={"a": a})
    >>> tape.sentence
    'At the start 32 B are saved for backward, 32 B of them by exp(a)·a.'
    >>> tape.jump(2).partition(". ")[2], tape.held
    ('After step 2 of 4, 16 B are held.', 16)
    >>> tape.keepers("exp(a)")
    'exp(a) keeps exp(a) (16 B, as exp(a)·a does).'
    """

    CONTROLS = ("transport",)
    STATE = MappingProxyType({name: Instrument.STATE[name] for name in ("step", "selected")})

    def __init__(
        self,
        root: Any = None,
        model: Any = None,
        watched: watch | None = None,
        *,
        names: Mapping[str, Any] | None = None,
        gradient: Any = None,
        depth: int | None = None,
        compare: Mapping[str, Any] | None = None,
        controls: Iterable[str] | None = None,
    ) -> None:
        if (root is None) == (compare is None):
            raise ValueError("give a tensor or recording, or several of them as compare={…}")
        if compare is not None and len(compare) < 2:
            raise ValueError(f"to compare takes two passes or more, not {len(compare)}")
        if compare is not None and (model is not None or watched is not None):
            raise ValueError(
                "a model or what was watched belongs to one pass: compare recordings made with "
                "`record_backward(loss, model=…)`"
            )
        self._chosen = chosen(controls, type(self))
        passes = {"": root} if compare is None else compare
        self.tapes: dict[str, Tape] = {}
        for name, each in passes.items():
            if not isinstance(each, Recording):
                each = record_backward(each, gradient, names, LIMIT, model, watched)
            self.tapes[str(name)] = tape_of(each, depth)
        self.compares = compare is not None
        first = next(iter(self.tapes.values()))
        self.title = " and ".join(self.tapes) if self.compares else first.title
        self._drawing = TapeDrawing(self.tapes, pen=css_class)
        self._step, self._selected = 0, ""
        self.drawn = self._some_steps()
        self.view = view_of(self)
        self.view.observe(lambda change: self._refill(), "selected")

    # ------------------------------------------------------------------------------ the pass

    @property
    def tape(self) -> Tape:
        """The pass; of several, the first."""
        return next(iter(self.tapes.values()))

    @property
    def position(self) -> int:
        """The step shown; 0 before the first node has run."""
        return self.drawn[self.view.step]

    @property
    def held(self) -> int:
        """The bytes held after the step that is shown."""
        return at(self.tape, self.position)

    @property
    def sentence(self) -> str:
        """The step shown, in words."""
        return self.sentence_of(self.position)

    @property
    def summary(self) -> str:
        """The picture in words: what is held at the start, and at the step that is shown."""
        return self.sentence

    def sentence_of(self, step: int) -> str:
        """One step in words."""
        return compared(self.tapes, step) if self.compares else in_words(self.tape, step)

    def jump(self, to: int | str) -> str:
        """Go to a step, by its number or by the name of the row whose node runs there first;
        returns its sentence. If there are too many to be drawn all, this is the one drawn at or
        before it."""
        step = to if isinstance(to, int) else next(iter(self._row(to).steps), 0)
        last = self._drawing.last
        if not 0 <= step <= last:
            raise ValueError(f"there is no step {step}: this pass has steps 0 to {last}")
        self.view.step = max(i for i, each in enumerate(self.drawn) if each <= step)
        return self.sentence

    def step(self, n: int = 1) -> str:
        """Go `n` drawn steps on, at most to the last; returns the sentence of the step."""
        return self.jump(self.drawn[max(0, min(len(self.drawn) - 1, self.view.step + n))])

    def back(self, n: int = 1) -> str:
        """Go `n` drawn steps back, at most to the start; returns the sentence of the step."""
        return self.step(-n)

    def select(self, row: str | None) -> str:
        """Mark a row, given by its name, and show who keeps its memory; None marks nothing. Returns
        that in words."""
        name = self._row(row).name if row is not None else None
        if name is not None and name not in self._drawing.names:
            raise ValueError(f"{name!r} has saved too little to be drawn")
        self.view.selected = "" if name is None else f"r{self._drawing.names.index(name)}"
        return self.sentence if row is None else self.keepers(row)

    def keepers(self, row: str) -> str:
        """Who keeps the memory that a row has saved, in words."""
        found, parts = self._row(row), []
        for piece in found.pieces:
            others = self._holders(piece.number, found)
            also = f", as {listed(others)} does" if len(others) == 1 else ""
            also = f", as {listed(others)} do" if len(others) > 1 else also
            value = piece.value or "a value"
            parts.append(f"{value} ({nbytes(piece.nbytes)}{also})")
        return f"{found.name} keeps {listed(parts)}."

    def svg(self) -> str:
        """The step that is shown, as a still picture."""
        title = f"Saved for the backward pass of {self.title}"
        if self.compares:
            title = f"Saved for backward: {self.title}"
        return TapeDrawing(self.tapes).svg(title, self.sentence, self.position)

    def _row(self, name: str) -> TapeRow:
        for tape in self.tapes.values():
            for row in tape.rows:
                if name in (row.name, row.key):
                    return row
        raise ValueError(f"nothing that saves for backward is called {name!r}")

    def _holders(self, number: int, but: TapeRow) -> list[str]:
        """The other rows that keep a piece of memory."""
        tape = next(tape for tape in self.tapes.values() if but in tape.rows)
        return [
            row.name
            for row in tape.rows
            if row is not but and any(piece.number == number for piece in row.pieces)
        ]

    def _some_steps(self) -> list[int]:
        """The steps that are drawn: all, or of many those that free something, evenly."""
        last = self._drawing.last
        if last <= FRAMES:
            return list(range(last + 1))
        held = [[at(tape, step) for tape in self.tapes.values()] for step in range(last + 1)]
        frees = [i for i in range(1, last) if held[i] != held[i - 1]]
        every = -(-len(frees) // (FRAMES - 1)) if frees else 1
        return [0, *frees[::every], last]

    def _refill(self) -> None:
        self.view.panels = panels(self)
        self.view.revision += 1


# ------------------------------------------------------------------------------------ the widget


def view_of(memory: TapeMemory) -> SvgView:
    """The widget: step 0 is the start."""
    drawing, tapes = memory._drawing, memory.tapes
    rows = range(len(drawing.names))
    keys = [f"r{i}" for i in rows]
    middle = WIDTH / 2
    left_out = len(memory.drawn) <= drawing.last
    some = f" · {len(memory.drawn) - 1} of {drawing.last:,} steps" if left_out else ""
    view = SvgView(
        title="Tape Memory",
        expression=memory.title + some,
        tag=" and ".join(dict.fromkeys(tape.engine for tape in tapes.values())),
        look="below chart",
        view=[float(drawing.width), float(drawing.height)],
        targets=[
            [key, about(memory, drawing.names[i]), middle, drawing.y(i), *near(keys, i)]
            for i, key in enumerate(keys)
        ],
        overlays=dict.fromkeys(keys, marks(middle, ROW / 2)),
        order=[*[["", None, None]] * 2, *([k, 0, drawing.y(i)] for i, k in enumerate(keys))],
        panels=[""] * len(memory.drawn),
        sentences=[memory.sentence_of(step) for step in memory.drawn],
        stops=[memory.tape.names[step] if step <= memory.tape.steps else str(step)
               for step in memory.drawn] if "transport" in memory._chosen else [],
        steps_keys=[running(memory, step) for step in memory.drawn],
    )  # fmt: skip
    backdrop = drawing.backdrop()
    view.set_frames(
        [backdrop, drawing.now(step), *(drawing.row(i, step) for i in rows)]
        for step in memory.drawn
    )
    return view


def near(keys: list[str], i: int) -> tuple[list[str], list[str]]:
    """The row above and the row below, for the arrow keys."""
    return keys[i - 1 : i] if i else [], keys[i + 1 : i + 2]


def running(memory: TapeMemory, step: int) -> str:
    """The key of the row whose node runs in a step."""
    row = memory.tape.row_at(step) if step else None
    names = memory._drawing.names
    return f"r{names.index(row.name)}" if row and row.name in names else ""


def about(memory: TapeMemory, name: str) -> str:
    """A row in one line."""
    row = memory._row(name)
    shape = "×".join(map(str, row.shape))
    parts = [row.name, row.kind, *([shape] if shape else []), f"saves {nbytes(row.nbytes)}"]
    freed = max(piece.freed for piece in row.pieces)
    last = next(tape.steps for tape in memory.tapes.values() if row in tape.rows)
    return " · ".join([*parts, f"freed by step {freed}" if freed <= last else "never freed"])


def marks(middle: float, half: float) -> str:
    """Selection and focus round a row, and a breakpoint at its left."""
    corners = path(css_class, "corners", corner_marks(middle - 1.5, half))
    ring = rectangle(css_class, "focus", (1 - middle, -half, middle - 1, half), 4)
    return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'


def panels(memory: TapeMemory) -> list[str]:
    """Who keeps the memory of the row that is marked, at each step; empty while none is."""
    key = memory.view.selected
    if not key:
        return [""] * len(memory.drawn)
    row = memory._row(memory._drawing.names[int(key[1:])])
    return [pieces_table(memory, row, step) for step in memory.drawn]


def pieces_table(memory: TapeMemory, row: TapeRow, step: int) -> str:
    """The pieces of memory of a row: what they hold, who else keeps them, when they are freed."""
    lines = []
    for piece in sorted(row.pieces, key=lambda piece: -piece.nbytes)[:PIECES]:
        others = memory._holders(piece.number, row)
        freed = f"by step {piece.freed}" if step < piece.freed else "freed"
        cells = [piece.value or "a value", nbytes(piece.nbytes), ", ".join(others) or "–", freed]
        lines.append("".join(f"<td><code>{escape(cell)}</code></td>" for cell in cells))
    more = len(row.pieces) - PIECES
    head = f"<th>{escape(row.name)} keeps</th><th>bytes</th><th>so do</th><th>freed</th>"
    if more > 0:
        lines.append(f"<td>and {more} more</td><td></td><td></td><td></td>")
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table class='agl-wide'><tr>{head}</tr>{body}</table>"
