"""ModuleTree: the modules of a model as a tree, with what each has in weights and gradients, at as
many stops of a training step as one takes snapshots.

What a row says comes from `graphs.tree`; here are the stops, what is folded, and the widget.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from ..graphs import watch
from ..graphs.draw import corner_marks, path, rectangle
from ..graphs.modules import engine_of_module
from ..graphs.numbers import number
from ..graphs.protocol import array_of
from ..graphs.recording import record_backward
from ..graphs.style import css_class, escape, one_line
from ..graphs.tree import (
    ROW,
    Row,
    Stop,
    Tree,
    containers,
    joined,
    output_shapes,
    read_tree,
    stop_of,
)
from .backward_debugger import listed
from .instrument import Instrument, chosen, stop_number, texts
from .svg_view import SvgView
from .twin_graph import plural

LIMIT = 20_000  # nodes of the graph of a loss


class ModuleTree(Instrument):
    """The modules of a model with their parameters and the norms of their gradients.

    Args:
        model: a module of autogradlab or PyTorch with at least one parameter.
        loss: a tensor the model computed: the gradients shown are those its `backward()` would
            leave. It runs once and leaves no trace. Without it, `.grad` is shown as it is.
        gradient: what `loss.backward(gradient=…)` would get; may be left out for one element.
            With a loss, a column shows the shape of what each module gave.
        watched: what `with watch(model) as watched:` has seen of the forward pass: the shapes are
            then exact, and there for modules without parameters too.
        name: what to call this moment; see `snapshot`.
        controls: of "fold" (buttons that fold and unfold all) and "stops" (the table of the stops
            of a training step) those to be shown; None for both.

    To tell how far weights move, a copy of them is kept from stop to stop.

    Raises:
        TypeError: `model` is not a module; ValueError: it has no parameters; what
        `loss.backward(gradient)` raises.

    >>> from autogradlab import nn, ones
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    >>> tree = ModuleTree(model)
    >>> tree.sentence
    'No parameter has a gradient: .grad is None in all 4 tensors, 13 numbers.'
    >>> _ = model[2](ones(1, 3)).sum().backward()
    >>> tree.snapshot("after backward")  # doctest: +ELLIPSIS
    'After backward. 2 of 4 tensors have a gradient, of norm 2. The largest is that of ...'
    >>> tree.open("2"), tree.rows
    (['', '2'], ['model', '0', '1', '2', '2.weight', '2.bias'])
    """

    CONTROLS = ("fold", "stops")
    STATE = MappingProxyType(
        {
            "opened": texts,
            "step": Instrument.STATE["step"],
            "selected": Instrument.STATE["selected"],
        }
    )

    def __init__(
        self, model: Any, loss: Any = None, *, gradient: Any = None, watched: watch | None = None,
        name: str | None = None, controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self._shown = chosen(controls, type(self))
        engine, self.model = engine_of_module(model), model
        names = dict(model.named_parameters())
        if not names:
            raise ValueError(f"{type(model).__name__} has no parameters")
        recording = None
        if loss is not None:
            recording = record_backward(loss, gradient, names, LIMIT, model, watched)
            self._shapes = output_shapes(recording.graph)
        else:
            self._shapes = {}
        self._rows = read_tree(model)
        self._by_path = {row.path: row for row in self._rows}
        self.opened = sorted(containers(model, self._rows))
        self.engine = "PyTorch" if engine.__name__ == "torch" else "autogradlab"
        self.title = type(model).__name__
        first = name or ("before" if loss is None else "after backward")
        self.stops: list[Stop] = [stop_of(model, first, recording=recording)]
        self._before: dict[str, Any] = {}  # arrays by path
        self._keep()
        self.view = SvgView(title="Module Tree", look="below tree", tag=self.engine)
        self.view.on_msg(lambda view, content, buffers: self._on_message(content))
        self._draw()

    # ---------------------------------------------------------------------------- what is said

    @property
    def stop(self) -> Stop:
        """The moment shown."""
        return self.stops[self.view.step]

    @property
    def sentence(self) -> str:
        """The moment shown, in words."""
        return self._sentence(self.stop)

    summary = sentence

    @property
    def rows(self) -> list[str]:
        """The paths of the rows shown, the model itself as "model"."""
        return [row.label for row in self._tree.shown]

    def describe(self, path: str) -> str:
        """A module or parameter at the moment shown, in words.

        Raises:
            ValueError: there is none of that name.
        """
        row, stop = self._row(path), self.stop
        norm, frozen = stop.gradient(row), stop.frozen_in(row)
        what = kind_of(row) + (f" with {plural(row.numel, 'parameter')}" if row.kind else "")
        whose = "its gradient has the norm" if row.shape is not None else "its gradients, the norm"
        grad = f"{whose} {number(norm)}" if norm is not None else "its .grad is None"
        if not row.parameters:
            return f"{row.label} is a {row.kind} without parameters."
        state = "" if not frozen else ", frozen" if frozen == len(row.parameters) else (
            f", {frozen} of {plural(len(row.parameters), 'tensor')} frozen"
        )
        weights = joined(stop.weights[p].norm for p in row.parameters)
        return f"{row.label} is {article(what)}{state}: {grad}, its weights {number(weights)}."

    def _sentence(self, stop: Stop) -> str:
        root = self._rows[0]
        count, frozen = len(root.parameters), len(stop.frozen)
        have = [p for p in root.parameters if stop.grads[p]]
        name = one_line(stop.name)
        name = name if "_" in name else name.capitalize()  # zero_grad is a name of code
        start = f"{name}. " if len(self.stops) > 1 else ""
        still = f" {frozen} of {plural(count, 'tensor')} are frozen." if frozen else ""
        moved = stop.change(root)
        if moved is not None:
            still += f" The weights have moved by {number(moved)}." if moved else (
                " No weight has changed." if not frozen else ""
            )
        if not have:
            numbers = f"{count:,} tensors, {root.numel:,} numbers"
            return f"{start}No parameter has a gradient: .grad is None in all {numbers}.{still}"
        if stop.trouble(root):
            bad = [one_line(p) for p in have if stop.grads[p].nonfinite]
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            return f"{start}A gradient is not finite: in {listed(bad[:3])}{more}.{still}"
        most = max(have, key=lambda p: stop.grads[p].norm)
        share = f"All {count:,}" if len(have) == count else f"{len(have):,} of {count:,}"
        return (
            f"{start}{share} tensors have a gradient, of norm {number(stop.gradient(root))}. The "
            f"largest is that of {one_line(most)}, {number(stop.grads[most].norm)}.{still}"
        )

    # ------------------------------------------------------------------------------- to change

    def snapshot(self, name: str) -> str:
        """Read the model again: one more stop on the timeline, which is shown.

        Args:
            name: what to call it, "after backward".

        Raises:
            ValueError: the model no longer has the parameters it had.
        """
        if [(r.path, r.shape) for r in read_tree(self.model)] != [
            (r.path, r.shape) for r in self._rows
        ]:
            raise ValueError("the model has changed since: make a new ModuleTree of it")
        self.stops.append(stop_of(self.model, name, self._before))
        self._keep()
        self._draw(step=len(self.stops) - 1)
        return self.sentence

    def jump(self, to: int | str) -> str:
        """Show a stop, by its number from 0 or by its name; returns its sentence."""
        self.view.step = stop_number([stop.name for stop in self.stops], to)
        return self.sentence

    def open(self, *paths: str) -> list[str]:
        """Unfold modules, and those around them so that they show; without any, all. Returns the
        paths of all that are open."""
        rows = [self._module(path) for path in paths] or [r for r in self._rows if r.foldable]
        opened = {p for row in rows for p in (*row.around, row.path)}
        return self._set_opened({*self.opened, *opened})

    def close(self, *paths: str) -> list[str]:
        """Fold modules; without any, all but the model itself."""
        closed = {self._module(path).path for path in paths} or {*self.opened} - {""}
        return self._set_opened({*self.opened} - closed)

    def toggle(self, path: str) -> list[str]:
        """Unfold a module that is folded, fold one that is open."""
        return (self.close if self._module(path).path in self.opened else self.open)(path)

    def select(self, path: str | None) -> str:
        """Mark a row, unfolding what is around it; None marks none. Returns it in words."""
        if path is None:
            self.view.selected = ""
            return self.sentence
        row = self._row(path)
        self._set_opened({*self.opened, *row.around})
        self.view.selected = row.key
        return self.describe(path)

    @property
    def selected(self) -> str | None:
        """The path of the row that is marked."""
        key = self.view.selected
        return next((row.label for row in self._rows if row.key == key), None)

    def _row(self, path: str) -> Row:
        row = self._by_path.get("" if path == "model" and "model" not in self._by_path else path)
        if row is None:
            raise ValueError(f"{self.title} has no module or parameter {path!r}")
        return row

    def _module(self, path: str) -> Row:
        row = self._row(path)
        if not row.foldable:
            raise ValueError(f"there is nothing to unfold in {path!r}")
        return row

    def _set_opened(self, opened: Iterable[str]) -> list[str]:
        before, self.opened = self.opened, sorted(opened)
        if before != self.opened:
            self._draw()
        return self.opened

    def _keep(self) -> None:
        """A copy of the weights, to compare the next stop with, in the memory of the last one."""
        for name, x in self.model.named_parameters():
            now, kept = array_of(x), self._before.get(name)
            if kept is None or kept.dtype != now.dtype:
                self._before[name] = now.copy()
            else:
                kept[...] = now

    # ---------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        return self.opened if name == "opened" else getattr(self.view, name)

    def _set(self, name: str, value: Any) -> None:
        if name != "opened":
            super()._set(name, value)
            return
        for each in value:
            if each not in self._by_path or not self._by_path[each].foldable:
                raise ValueError(f"this state does not fit: no module {each[:40]!r} unfolds")
        self._set_opened(value)

    # --------------------------------------------------------------------------------- output

    def svg(self) -> str:
        """The tree as it is folded now, at the stop shown, as a still picture."""
        tree = Tree(self._rows, self.stops, self.opened, self._shapes)
        return tree.svg(f"Modules of {self.title}", self.sentence, self.stop)

    # --------------------------------------------------------------------------------- widget

    def _on_message(self, content: Any) -> None:
        """A fold mark, or a button of the panel, was pressed; what fits none is passed over."""
        content = content if isinstance(content, dict) else {}
        row = next((r for r in self._rows if r.key == content.get("fold")), None)
        if row is not None and row.foldable:
            self.toggle(row.path)
        elif content.get("button") == "open":
            self.open()
        elif content.get("button") == "close":
            self.close()

    def _draw(self, step: int | None = None) -> None:
        """Give the widget all that it shows now."""
        tree = self._tree = Tree(self._rows, self.stops, self.opened, self._shapes, css_class)
        keys = [row.key for row in tree.shown]
        middle = tree.width / 2
        several = len(self.stops) > 1
        with self.view.hold_sync():
            view = self.view
            view.view = [float(tree.width), float(tree.height)]
            view.targets = [
                [r.key, about(r), middle, tree.y(i), keys[max(0, i - 1) : i], keys[i + 1 : i + 2]]
                for i, r in enumerate(tree.shown)
            ]
            view.overlays = dict.fromkeys(keys, marks(tree))
            view.order = [["", None, None], *([k, 0, tree.y(i)] for i, k in enumerate(keys))]
            view.set_frames(
                [tree.backdrop(), *(tree.row(row, stop) for row in tree.shown)]
                for stop in self.stops
            )
            view.expression = f"{self.title} · {plural(self._rows[0].numel, 'parameter')}"
            view.panels = [self._panel(i) for i in range(len(self.stops))]
            view.sentences = [self._sentence(stop) for stop in self.stops]
            view.stops = [one_line(stop.name) for stop in self.stops] if several else []
            view.steps_keys = [""] * len(self.stops)
            if view.selected not in keys:
                view.selected = ""
            if step is not None:
                view.step = step
            view.revision += 1

    def _panel(self, step: int) -> str:
        """Under the tree: the stops of the training step, and the buttons that fold."""
        keys = "data-lm-suppress-shortcuts='true'"
        fold = (
            f"<form><button name='open' {keys}>Unfold all</button>"
            f"<button name='close' {keys}>Fold all</button></form>"
        )
        several = len(self.stops) > 1
        table = self._stops_table(step) if several and "stops" in self._shown else ""
        return table + (fold if "fold" in self._shown else "")

    def _stops_table(self, step: int) -> str:
        root = self._rows[0]
        heads = ["stop", "tensors with .grad", "‖gradient‖", "‖weights‖", "‖change of weights‖"]
        lines = [f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"]
        for i, stop in enumerate(self.stops):
            norm, moved = stop.gradient(root), stop.change(root)
            have = sum(g is not None for g in stop.grads.values())
            cells = [
                escape(stop.name),
                f"<code>{have} of {len(stop.grads)}</code>",
                "<span class='agl-none'>None</span>" if norm is None
                else f"<span class='agl-g'>{number(norm)}</span>",
                f"<code>{number(joined(w.norm for w in stop.weights.values()))}</code>",
                "" if moved is None else f"<code>{number(moved)}</code>",
            ]  # fmt: skip
            here = " class='agl-here'" if i == step else ""
            lines.append(f"<tr{here}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
        return f"<table class='agl-stops'>{''.join(lines)}</table>"


def marks(tree: Tree) -> str:
    """Selection and focus round a row."""
    w, h = tree.width / 2 - 3, ROW / 2
    corners = path(css_class, "corners", corner_marks(w, h))
    ring = rectangle(css_class, "focus", (-w, -h, w, h), 4)
    return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'


def about(row: Row) -> str:
    """What stays the same of a row, in one line."""
    count = f" · {plural(row.numel, 'parameter')}" if row.kind and row.parameters else ""
    twin = f" · the same as {row.twin}" if row.twin else ""
    return one_line(f"{row.label} · {kind_of(row)}{count}{twin}")


def kind_of(row: Row) -> str:
    return row.kind or f"Parameter {list(row.shape)} {row.dtype}"


def article(words: str) -> str:
    return f"{'an' if words[:1] in 'AEIOUaeiou' else 'a'} {words}"
