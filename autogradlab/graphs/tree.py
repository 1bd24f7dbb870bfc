"""The modules of a model as a tree: what is in it, what its parameters hold at several stops of a
training step, and the drawing, a row of 24 px for each module and parameter.

Nothing is changed: a stop reads `.grad` and the weights as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .data import Graph, Recording, Summary
from .draw import Pen, framed, none_pill, path, rectangle, text
from .fold import shape_and_type
from .modules import called
from .numbers import nbytes, number
from .protocol import array_of, dtype_of, summarize
from .style import attributes, text_width

ROW, TOP, INDENT = 24, 48, 12  # px
WIDTH, LEAST_BAR = 740, 90  # px; a bar gets what the other columns leave
MOST = 400  # rows that are drawn


# ── what is in the model ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Row:
    """A module, or a parameter of one."""

    key: str  # "r0", "r1", …: the same whatever is folded
    path: str  # "layer1.0.conv1.weight"; "" for the model itself
    name: str  # "weight"
    kind: str  # the class of a module; "" for a parameter
    around: tuple[str, ...]  # paths of the modules around it, the outermost first
    shape: tuple[int, ...] | None  # of a parameter
    dtype: str
    parameters: tuple[str, ...]  # its own and those inside, each by the path it is first found at
    numel: int
    nbytes: int
    twin: str = ""  # the path of what is shown here for the second time
    foldable: bool = False  # whether there is anything inside to be shown

    @property
    def label(self) -> str:
        """The path, the model itself as "model"."""
        return self.path or "model"


def read_tree(model: Any) -> tuple[Row, ...]:
    """The modules and parameters of a model, each module before what is in it.

    A module or parameter that is used twice is shown twice, and says so the second time.

    >>> from autogradlab import nn
    >>> [row.label for row in read_tree(nn.Sequential(nn.Linear(2, 3), nn.Tanh()))]
    ['model', '0', '0.weight', '0.bias', '1']
    """
    modules: dict[int, str] = {}
    owners: dict[int, str] = {}
    rows: list[Row] = []

    def walk(module: Any, where: str, name: str, around: tuple[str, ...]) -> dict[str, Any]:
        """Add the rows of a module; returns its parameters by the path they are first found at."""
        twin = modules.setdefault(id(module), where)
        twin = twin if twin != where else ""
        at, inner = len(rows), (*around, where)
        rows.append(module_row(where, name, module, around, twin))
        held: dict[str, Any] = {}
        for own, parameter in module.named_parameters(recurse=False):
            full = f"{where}.{own}" if where else own
            first = owners.setdefault(id(parameter), full)
            held[first] = parameter
            if not twin:
                rows.append(parameter_row(full, own, parameter, inner, first))
        for own, child in module._modules.items():
            if child is not None:
                start = len(rows)
                held |= walk(child, f"{where}.{own}" if where else own, own, inner)
                if twin:
                    del rows[start:]
        rows[at] = module_row(where, name, module, around, twin, held, len(rows) > at + 1)
        return held

    walk(model, "", "model", ())
    return tuple(keyed(rows))


def keyed(rows: Sequence[Row]) -> Iterator[Row]:
    for i, row in enumerate(rows):
        yield Row(**{**vars(row), "key": f"r{i}"})


def module_row(
    where: str, name: str, module: Any, around: tuple[str, ...], twin: str,
    held: Mapping[str, Any] | None = None, foldable: bool = False,
) -> Row:  # fmt: skip
    held = held or {}
    return Row(
        *("", where, name, type(module).__name__, around, None, "", tuple(held)),
        numel=sum(p.numel() for p in held.values()),
        nbytes=sum(p.nbytes for p in held.values()),
        twin=twin,
        foldable=foldable,
    )


def parameter_row(
    where: str, name: str, parameter: Any, around: tuple[str, ...], first: str
) -> Row:
    return Row(
        *("", where, name, "", around, tuple(parameter.shape), dtype_of(parameter), (first,)),
        *(parameter.numel(), parameter.nbytes, first if first != where else ""),
    )


def containers(model: Any, rows: Iterable[Row]) -> set[str]:
    """Paths of the model itself and of the modules that only hold others in a row: these are open
    at first."""
    modules = dict(model.named_modules(remove_duplicate=False))
    return {
        row.path
        for row in rows
        if row.foldable
        and (not row.path or row.kind == "Sequential" or not called(modules[row.path]))
    }


def output_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """By path the shape of what a module gave, where it is one: of the last of its calls."""
    leaving: dict[str, dict[str, tuple]] = {}
    around = {key: set(graph.modules_around(key)) for key in graph.nodes}
    for edge in graph.edges:
        for call in around[edge.source] - around[edge.target]:
            made = shape_and_type(graph.result(edge.port))[0]
            if graph.nodes[edge.source].kind not in ("leaf", "parameter"):
                leaving.setdefault(call, {})[edge.port] = made
    found = {}
    for key, call in graph.calls.items():
        shapes = set(leaving.get(key, {}).values())
        if len(shapes) == 1:
            found[call.path] = shapes.pop()
    return found


# ── what it holds at one moment ─────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Stop:
    """The parameters at one moment, each by its path."""

    name: str
    grads: dict[str, Summary | None]
    weights: dict[str, Summary]
    moved: dict[str, float]  # ‖weight − weight at the stop before‖; {} at the first
    frozen: frozenset[str]  # those with requires_grad=False

    def gradient(self, row: Row) -> float | None:
        """The norm of all gradients in a row; None where every `.grad` is None."""
        return joined(g.norm for p in row.parameters if (g := self.grads[p]))

    def change(self, row: Row) -> float | None:
        """How far all weights in a row have moved since the stop before."""
        return joined(self.moved[p] for p in row.parameters if p in self.moved)

    def trouble(self, row: Row) -> bool:
        """Whether a gradient in a row has elements that are not finite."""
        return any(g.nonfinite for p in row.parameters if (g := self.grads[p]))

    def without(self, row: Row) -> int:
        """How many parameters of a row that are not frozen have `.grad` None."""
        return sum(self.grads[p] is None and p not in self.frozen for p in row.parameters)

    def frozen_in(self, row: Row) -> int:
        """How many parameters of a row are frozen."""
        return sum(p in self.frozen for p in row.parameters)


def joined(norms: Iterable[float]) -> float | None:
    """The norm of several tensors together; None for none."""
    found = list(norms)
    return math.hypot(*found) if found else None


def stop_of(
    model: Any, name: str, before: Mapping[str, np.ndarray] | None = None,
    recording: Recording | None = None,
) -> Stop:  # fmt: skip
    """The model as it is now.

    Args:
        name: what to call the moment.
        before: the weights at the stop before, by path.
        recording: a backward pass, whose gradients are shown instead of those in `.grad`.
    """
    parameters = dict(model.named_parameters())
    grads = {p: summarize(dense(x.grad)) for p, x in parameters.items()}
    if recording is not None:
        for event in recording.events:
            node = recording.graph.nodes[event.key]
            if event.accumulated and node.expression in grads:
                grads[node.expression] = event.accumulated[1]
    moved = {}
    for p, old in (before or {}).items():
        now = array_of(parameters[p])
        moved[p] = 0.0 if np.array_equal(now, old) else summarize(now - old).norm
    return Stop(
        name,
        grads,
        {p: summarize(x) for p, x in parameters.items()},
        moved,
        frozenset(p for p, x in parameters.items() if not x.requires_grad),
    )


def dense(grad: Any) -> Any:
    """A gradient that torch keeps as few rows of many, in full."""
    return grad.to_dense() if getattr(grad, "is_sparse", False) else grad


# ── the drawing ─────────────────────────────────────────────────────────────────────────────


class Tree:
    """The rows of what is open, with columns that stay where they are whatever is folded.

    Args:
        opened: paths of the modules that are open.
        shapes: output shapes of modules by path; () for none.
    """

    def __init__(
        self, rows: Sequence[Row], stops: Sequence[Stop], opened: Iterable[str],
        shapes: Mapping[str, tuple[int, ...]], pen: Pen = attributes,
    ):  # fmt: skip
        self.rows, self.stops, self.shapes, self.pen = rows, stops, shapes, pen
        self.opened = set(opened)
        open_rows = [row for row in rows if self.opened.issuperset(row.around)]
        self.shown, self.left_out = open_rows[:MOST], len(open_rows[MOST:])
        self._columns()
        self._axis()
        self.height = TOP + ROW * (len(self.shown) + bool(self.left_out)) + 8

    def _columns(self) -> None:
        """The columns, each as wide as what it may ever hold, within bounds."""
        rows, moved = self.rows, any(any(stop.moved.values()) for stop in self.stops)
        kinds = [text_width(self._kind(row), *self._kind_font(row)) for row in rows]
        twins = [text_width(f"= {row.twin}", 11, False) + 14 if row.twin else 0 for row in rows]
        names = [self._indent(row) + text_width(row.name, 12) for row in rows]
        names = [name + twin for name, twin in zip(names, twins, strict=True)]
        shapes = [text_width(dims(each), 12) for each in self.shapes.values()]
        self.kind_at = min(max([150.0, *names]) + 12, 208 if shapes else 236)
        self.shape_at = self.kind_at + min(max([82.0, *kinds]) + 12, 128)
        wide = min(max([88.0, *shapes]) + 12, 108) if shapes else 0
        self.count_end = self.shape_at + wide + max(66, text_width(f"{rows[0].numel:,}", 12))
        self.norm_end = self.count_end + 66
        self.bar_left = self.norm_end + 8
        most = max([row.nbytes for row in rows])
        ends = 16 + max(44, text_width(nbytes(most), 12)) + (68 if moved else 0)
        self.width = max(WIDTH, self.bar_left + LEAST_BAR + ends + 14)
        self.bytes_end = self.width - 14
        self.moved_end = self.bytes_end - max(44, text_width(nbytes(most), 12)) - 16
        self.bar_right = self.moved_end - 64 if moved else self.moved_end
        self.moved = moved

    def _axis(self) -> None:
        """The powers of ten between which all norms lie, the same at every stop."""
        norms = [n for s in self.stops for row in self.rows if (n := s.gradient(row))]
        self.bars = bool(norms)
        high = math.ceil(math.log10(max(norms))) if norms else 0
        low = min(math.floor(math.log10(min(norms))) if norms else 0, high - 1)
        self.low, self.high = max(low, high - 16), high

    def _indent(self, row: Row) -> float:
        return 34.0 + INDENT * len(row.around)

    def _kind(self, row: Row) -> str:
        return dims(row.shape) if row.shape is not None else row.kind

    def _kind_font(self, row: Row) -> tuple[float, bool]:
        return (12, True) if row.shape is not None else (11, False)

    def y(self, i: int) -> float:
        """The middle of row number `i` of those shown."""
        return TOP + ROW * (i + 0.5)

    # markup ------------------------------------------------------------------------------------

    def backdrop(self) -> str:
        """Heads of the columns, and the axis of the bars."""
        pen, bottom = self.pen, TOP + ROW * len(self.shown)
        heads = [
            text(pen, "row note", 34, 12, "module"),
            text(pen, "row note", self.kind_at, 12, "class, or shape"),
            text(pen, "row name", self.count_end, 12, "parameters"),
            text(pen, "row note", self.norm_end - 54, 12, "‖gradient‖, log scale"),
            text(pen, "row name", self.bytes_end, 12, "bytes"),
            path(pen, "grid", f"M8 {TOP - 6}H{self.width - 8:.4g}"),
        ]
        if self.shapes:
            heads.append(text(pen, "row note", self.shape_at, 12, "output shape"))
        if self.moved:
            heads.append(text(pen, "row name", self.moved_end, 12, "‖change‖"))
        span, room = self.high - self.low, self.bar_right - self.bar_left
        each = math.ceil(span / max(1, int(room // 44)))
        for k in range(self.low, self.high + 1, each) if self.bars else ():
            x = self._x(k)
            heads.append(path(pen, "grid", f"M{x:.4g} {TOP - 6}V{bottom:g}"))
            heads.append(text(pen, "small", x, TOP - 16, number(10.0**k)))
        if self.left_out:
            words = f"… and {self.left_out:,} more rows: fold a module to see them"
            heads.append(text(pen, "row note", 34, bottom + ROW * 0.5, words))
        return "".join(heads)

    def _x(self, log: float) -> float:
        share = (log - self.low) / (self.high - self.low)
        return self.bar_left + share * (self.bar_right - self.bar_left)

    def row(self, row: Row, stop: Stop) -> str:
        """One row at one stop, its left end at (0, 0)."""
        pen, left = self.pen, self._indent(row)
        name = cut(row.name, self.kind_at - left - 6, 12)
        parts = [self._mark(row, stop, left - 17)]
        strong = "row label differs" if not row.path else "row label"
        parts.append(text(pen, strong, left, 0, name))
        end = left + text_width(name, 12) + 8
        for note in self._notes(row, stop):
            if end + text_width(note, 11, False) < self.kind_at - 6:
                parts.append(text(pen, "row note", end, 0, note))
                break
        size, mono = self._kind_font(row)
        kind = cut(self._kind(row), self.shape_at - self.kind_at - 8, size, mono)
        parts.append(text(pen, "row quiet" if mono else "row note", self.kind_at, 0, kind))
        if row.path in self.shapes and row.shape is None:
            room = self.count_end - self.shape_at - text_width(f"{row.numel:,}", 12) - 8
            words = cut(dims(self.shapes[row.path]), room, 12)
            parts.append(text(pen, "row quiet", self.shape_at, 0, words))
        if row.numel or row.parameters:
            parts.append(text(pen, "row number", self.count_end, 0, f"{row.numel:,}"))
            parts.append(text(pen, "row number quiet", self.bytes_end, 0, nbytes(row.nbytes)))
            parts.append(self._gradient(row, stop))
        if self.moved and (change := stop.change(row)) is not None:
            style = "row number" if change else "row number quiet"
            parts.append(text(pen, style, self.moved_end, 0, number(change, 3)))
        return "".join(parts)

    def _notes(self, row: Row, stop: Stop) -> list[str]:
        """What a bar does not tell, or whose twin this is; the first that fits is shown."""
        if row.twin:
            return [f"= {row.twin}", "shared"]
        counts = (stop.frozen_in(row), "frozen"), (stop.without(row), "None")
        words = [f"{n} {word}" for n, word in counts if 0 < n < len(row.parameters)]
        return [" · ".join(words), *words] if words else []

    def _gradient(self, row: Row, stop: Stop) -> str:
        pen, norm = self.pen, stop.gradient(row)
        frozen = stop.frozen_in(row) == len(row.parameters)
        if norm is None:
            made = none_pill(pen, self.norm_end - 44, 0)
        elif stop.trouble(row):
            box = (self.norm_end - 54, -9, self.norm_end, 9)
            words = text(pen, "expression infinite", self.norm_end - 27, 0, "nan/inf")
            return rectangle(pen, "bar infinite", box, 2) + words
        else:
            made = text(pen, "row number", self.norm_end, 0, number(norm, 3))
        if frozen:
            x = self.bar_left
            line = path(pen, "cut edge", f"M{x:.4g} 0h32") + slashes(pen, x + 16, 0)
            return made + line + text(pen, "row note", x + 40, 0, "frozen")
        if norm:
            right = max(self.bar_left + 2, self._x(math.log10(norm)))
            made += rectangle(pen, "bar", (self.bar_left, -6, right, 6))
        return made

    def _mark(self, row: Row, stop: Stop, x: float) -> str:
        """A hexagon for a parameter, a box with + or − for what folds, a small box for a layer
        without anything inside. The middle is at `x`."""
        pen = self.pen
        if row.shape is not None:
            style = "pruned" if row.parameters[0] in stop.frozen else "plain"
            return path(pen, style, f"M{x - 7:.4g} 0l3.5-5h7l3.5 5-3.5 5h-7z")
        if not row.foldable:
            return rectangle(pen, "plain", (x - 5, -4, x + 5, 4), 2)
        closed = row.path not in self.opened
        sheets = "".join(
            rectangle(pen, "plain", (x - 7 + d, -7 - d, x + 7 + d, 7 - d), 3)
            for d in ((3, 0) if closed else (0,))
        )
        sign = f"M{x - 3.5:.4g} 0h7" + (f"M{x:.4g}-3.5v7" if closed else "")
        made = sheets + path(pen, "fold sign", sign)
        if pen is attributes:
            return made
        room = rectangle(pen, "row hit", (x - 12, -12, x + 12, 12))  # as large as a finger needs
        return f'<g data-fold="{row.key}">{room}{made}</g>'

    def svg(self, title: str, sentence: str, stop: Stop) -> str:
        """The tree at one stop, as a still picture."""
        body = self.backdrop() + "".join(
            f'<g transform="translate(0 {self.y(i):g})">{self.row(row, stop)}</g>'
            for i, row in enumerate(self.shown)
        )
        return framed(self.width, self.height, title, sentence, body)


def slashes(pen: Pen, x: float, y: float) -> str:
    """Two slashes: what is cut here is not recorded. The middle is at (x, y)."""
    one = "M{:.4g} {:.4g}l6-8"
    return path(pen, "slashes", one.format(x - 5, y + 4) + one.format(x - 1, y + 4))


def dims(shape: Sequence[int]) -> str:
    """A shape in a column.

    >>> dims((64, 3, 7, 7)), dims(())
    ('64×3×7×7', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"


def cut(words: str, room: float, size: float, mono: bool = True) -> str:
    """The words, with "…" in place of what has no room.

    >>> cut("in_proj_weight", 60, 12)
    'in_proj…'
    """
    if text_width(words, size, mono) <= room:
        return words
    while len(words) > 1 and text_width(words + "…", size, mono) > room:
        words = words[:-1]
    return words + "…"
