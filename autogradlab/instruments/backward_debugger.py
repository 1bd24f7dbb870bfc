"""BackwardDebugger: a backward pass one can step through, forwards and back.

It records the pass once (`graphs.record_backward`, which leaves no trace), draws every step, and
shows beside the graph the node's formula with its live numbers, what was added where, which nodes
wait, and what memory is still held. Works on tensors of either engine.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ..graphs import Event, Recording, Summary, record_backward
from ..graphs.draw import Drawing, look_after
from ..graphs.film import film_strip, step_name
from ..graphs.layout import RendererMissing
from ..graphs.numbers import nbytes, number, numbers
from ..graphs.style import css_class, escape
from .svg_view import SvgView


class BackwardDebugger:
    """Step through the backward pass of a tensor.

    Args:
        root: the tensor to go back from, of autogradlab or PyTorch, its graph not freed.
        names: what to call tensors, `{"a": a}`; by default the caller's own variable names.
        gradient: what `backward(gradient=…)` would get; may be left out for one element.

    Raises:
        what `root.backward(gradient)` raises; ValueError for a graph too large to draw.

    >>> from autogradlab import tensor
    >>> a = tensor([2.0, 3.0], requires_grad=True)
    >>> y = a**3
    >>> debugger = BackwardDebugger(y, {"a": a, "y": y}, gradient=[1.0, 1.0])
    >>> debugger.step()
    'Step 2 of 2. a received the gradient [12, 27] and keeps a.grad = [12, 27].'
    >>> debugger.back(), debugger.position  # doctest: +ELLIPSIS
    ('Step 1 of 2. y received the gradient [1, 1], ... [12, 27], and sends [12, 27] up to a.', 1)
    """

    def __init__(
        self, root: Any, names: Mapping[str, Any] | None = None, gradient: Any = None
    ) -> None:
        names = caller_names(sys._getframe(1)) if names is None else names
        self.recording = record_backward(root, gradient, names)
        self.keys = [event.key for event in self.recording.events]
        self.sentences = [sentence(self.recording, i) for i in range(1, len(self.keys) + 1)]
        self.trouble = ""
        try:
            self.view = view_of(self.recording, self.sentences)
        except RendererMissing as error:
            self.view, self.trouble = None, str(error)
        self._position = 1
        self._breakpoints: set[str] = set()

    # ------------------------------------------------------------------------------- the pass

    @property
    def position(self) -> int:
        """The step shown, from 1."""
        return self.view.step if self.view else self._position

    @property
    def event(self) -> Event:
        """The step shown, as data."""
        return self.recording.events[self.position - 1]

    @property
    def sentence(self) -> str:
        """The step shown, in words."""
        return self.sentences[self.position - 1]

    @property
    def summary(self) -> str:
        """The whole pass, in words."""
        nodes = self.recording.graph.nodes
        steps = [step_name(self.recording, i) for i in range(1, len(self.keys) + 1)]
        kept = [
            f"{nodes[e.key].label}.grad = {numbers(e.accumulated[1])}"
            for e in sorted(self.recording.events, key=lambda e: int(e.key[1:]))
            if e.accumulated
        ]
        order = ", ".join(steps) if len(steps) <= 12 else ", ".join([*steps[:5], "…", *steps[-3:]])
        name = nodes[self.recording.graph.root].label
        return f"Backward pass of {name} in {len(steps)} steps: {order}. At the end {listed(kept)}."

    def jump(self, to: int | str) -> str:
        """Go to a step, by its number from 1 or by the label of its node; returns its sentence."""
        step = to if isinstance(to, int) else self.keys.index(self._key(to)) + 1
        if not 1 <= step <= len(self.keys):
            raise ValueError(f"there is no step {step}: this pass has steps 1 to {len(self.keys)}")
        self._position = step
        if self.view:
            self.view.step = step
        return self.sentence

    def step(self, n: int = 1) -> str:
        """Go `n` steps on, at most to the last; returns the sentence of the step."""
        return self.jump(max(1, min(len(self.keys), self.position + n)))

    def back(self, n: int = 1) -> str:
        """Go `n` steps back, at most to the first; returns the sentence of the step."""
        return self.step(-n)

    def reset(self) -> str:
        """Go to the first step."""
        return self.jump(1)

    def play(self) -> None:
        """Let the widget step by itself until a breakpoint or the end."""
        if self.view:
            self.view.playing = True

    def pause(self) -> None:
        """Stop `play`."""
        if self.view:
            self.view.playing = False

    # ---------------------------------------------------------------------------- breakpoints

    @property
    def breakpoints(self) -> list[str]:
        """Labels of the nodes at which `run` and Play stop."""
        keys = self.view.breakpoints if self.view else sorted(self._breakpoints)
        return [self.recording.graph.nodes[key].label for key in keys]

    def add_breakpoint(self, node: str) -> None:
        """Stop at a node, given by its label or key."""
        self._set_breakpoints({*self._break_keys(), self._key(node)})

    def remove_breakpoint(self, node: str) -> None:
        """Take a breakpoint away again."""
        key = self._key(node)
        if key not in self._break_keys():
            raise ValueError(f"there is no breakpoint at {node!r}")
        self._set_breakpoints(self._break_keys() - {key})

    def run(self) -> str:
        """Go on to the next breakpoint, or to the end; returns the sentence of the step."""
        later = range(self.position + 1, len(self.keys) + 1)
        stops = self._break_keys()
        return self.jump(next((i for i in later if self.keys[i - 1] in stops), len(self.keys)))

    def select(self, node: str) -> None:
        """Mark a node, given by its label or key."""
        if self.view:
            self.view.selected = self._key(node)

    def _break_keys(self) -> set[str]:
        return set(self.view.breakpoints) if self.view else self._breakpoints

    def _set_breakpoints(self, keys: set[str]) -> None:
        self._breakpoints = keys
        if self.view:
            self.view.breakpoints = sorted(keys)

    def _key(self, node: str) -> str:
        nodes = self.recording.graph.nodes
        for key in self.keys:
            if node in (key, nodes[key].label, nodes[key].expression):
                return key
        labels = ", ".join(nodes[key].label for key in self.keys)
        raise ValueError(f"no node of this pass is called {node!r}; there are {labels}")

    # --------------------------------------------------------------------------------- output

    def svg(self) -> str:
        """The pass as one still picture: a film strip of at most six steps."""
        title = f"Backward pass of {self.recording.graph.title}"
        return film_strip(self.recording, title, self.summary)

    def __repr__(self) -> str:
        return f"<BackwardDebugger of {self.recording.graph.title}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The live widget, the still picture, and the sentence, in one bundle."""
        if self.view is None:
            return {"text/plain": f"{self.summary}\n{self.trouble}"}
        live = self.view._repr_mimebundle_() or {}
        live = live[0] if isinstance(live, tuple) else live
        return {**live, "image/svg+xml": self.svg(), "text/plain": self.summary}


def caller_names(frame: Any) -> dict[str, Any]:
    """The variables of a frame, without those that IPython keeps for itself."""
    names = {**frame.f_globals, **frame.f_locals}
    return {name: x for name, x in names.items() if not name.startswith("_")}


def listed(parts: list[str]) -> str:
    """Words joined as in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def sentence(recording: Recording, step: int) -> str:
    """One step in words."""
    event, nodes = recording.events[step - 1], recording.graph.nodes
    start = f"Step {step} of {len(recording.events)}. "
    label = step_name(recording, step)
    if event.grad_in is None:
        return f"{start}{label} received no gradient."
    came = f"{start}{label} received the gradient {numbers(event.grad_in)}"
    if event.accumulated:
        before, after = event.accumulated
        if before is None:
            return f"{came} and keeps {label}.grad = {numbers(after)}."
        return f"{came}, added it to {numbers(before)}, and keeps {label}.grad = {numbers(after)}."
    sent = [f"{numbers(g)} up to {nodes[key].label}" for key, g in event.grads_out.items() if g]
    if len(event.factors) == 1 and sent:
        factor = event.factors[0]
        slope = factor.text.partition(" = ")[2]
        local = numbers(factor.local)
        by = f"{slope} = {local}" if slope and slope != local else local
        return f"{came}, multiplied it by {by}, and sends {sent[0]}."
    return f"{came} and sends {listed(sent)}." if sent else f"{came} and sends nothing on."


# ------------------------------------------------------------------------------------ the widget


def view_of(recording: Recording, sentences: list[str]) -> SvgView:
    """The widget of a recording, at its first step."""
    graph = recording.graph
    drawing = Drawing(graph, recording, pen=css_class)
    edges, nodes = range(len(graph.edges)), list(graph.nodes)
    states = []
    for step in range(1, len(recording.events) + 1):
        look = look_after(recording, step)
        states.append(
            [drawing.edge(i, look) for i in edges]
            + [drawing.node(key, look) for key in nodes]
            + [drawing.value(i) + drawing.gradient(i, look) for i in edges]
        )
    place = {key: [round(x, 1), round(y, 1)] for key, (x, y) in drawing.centres.items()}
    none = ["", None, None]
    view = SvgView(
        title="Backward Debugger",
        expression=graph.title,
        call=recording.call,
        tag=graph.engine,
        view=[float(drawing.width), float(drawing.height)],
        targets=[[key, graph.nodes[key].label, *place[key]] for key in nodes if key != graph.root],
        overlays={key: drawing.overlay(key) for key in nodes if key != graph.root},
        order=[
            *(none for _ in edges),
            *([key, *place[key]] for key in nodes),
            *(none for _ in edges),
        ],
        panels=[panel(recording, i) for i in range(1, len(recording.events) + 1)],
        sentences=sentences,
        stops=[step_name(recording, i) for i in range(1, len(recording.events) + 1)],
        steps_keys=[event.key for event in recording.events],
    )
    view.set_frames(states)
    return view


def gradient_html(g: Summary | None) -> str:
    if g is None:
        return '<span class="agl-none">None</span>'
    return f'<span class="agl-g">{escape(numbers(g))}</span>'


def panel(recording: Recording, step: int) -> str:
    """What stands beside the graph at one step."""
    return (
        equation(recording, step)
        + cups(recording, step)
        + queue(recording, step)
        + memory(recording, step)
    )


def equation(recording: Recording, step: int) -> str:
    """The node's formula with its live numbers."""
    event, nodes = recording.events[step - 1], recording.graph.nodes
    node = nodes[event.key]
    name = escape(node.name.rpartition("::")[2])
    heading = f"<h3>{name} <code>{escape(node.label)}</code><small>running</small></h3>"
    senders = [nodes[e.target].label for e in recording.graph.edges if e.source == event.key]
    if event.accumulated:
        before, after = event.accumulated
        grid = (
            f"{head('.grad before')}<i></i>{head('grad in', 'from ', senders)}<i></i>"
            f"{head('.grad now')}<div>{gradient_html(before)}</div><i>+</i>"
            f"<div>{gradient_html(event.grad_in)}</div><i>=</i><div>{gradient_html(after)}</div>"
        )
        return f"<section>{heading}<div class='agl-eq'>{grid}</div></section>"
    rows = "".join(factor_rows(recording, event, f, senders) for f in event.factors)
    if not rows:
        sent = "".join(
            f"{head('grad in', 'from ', senders)}<i></i><div></div><i></i>"
            f"{head('grad out', 'to ', [nodes[key].label])}"
            f"<div>{gradient_html(event.grad_in)}</div><i>→</i><div></div><i>→</i><div>{gradient_html(g)}</div>"
            for key, g in event.grads_out.items()
        )
        rows = f"<div class='agl-eq'>{sent}</div>"
    rules = "".join(
        f"<p class='agl-rule'>rule <code>{escape(r)}</code></p>" for r in node.rule.splitlines()
    )
    return f"<section>{heading}{rows}{rules}</section>"


def head(title: str, note: str = "", labels: list[str] | None = None) -> str:
    """A column's title with a smaller line under it."""
    small = f"<small>{escape(note + listed(labels or []))}</small>" if note else ""
    return f"<div class='agl-head'>{title}{small}</div>"


def factor_rows(recording: Recording, event: Event, factor: Any, senders: list[str]) -> str:
    """grad in × local derivative = grad out, element by element for up to four elements."""
    to = recording.graph.nodes[factor.target].label
    heads = (
        f"{head('grad in', 'from ', senders)}<i></i>{head('local derivative', factor.text)}<i></i>"
        f"{head('grad out', 'to ', [to])}"
    )
    came, local = flat(event.grad_in), flat(factor.local)
    if came is None or local is None or len(came) > 4:
        sent = event.grads_out[factor.target]
        cells = row(numbers(event.grad_in), "", numbers(factor.local), numbers(sent))
    else:
        live = factor.substituted or [""] * len(came)
        cells = "".join(
            row(number(g), f"{s} =" if s else "", number(d), number(g * d))
            for g, s, d in zip(came, live, local, strict=True)
        )
    return f"<div class='agl-eq'>{heads}{cells}</div>"


def row(came: str, live: str, local: str, sent: str) -> str:
    return (
        f"<div><span class='agl-g'>{escape(came)}</span></div><i>×</i><div><span class='agl-live'>"
        f"{escape(live)}</span><span class='agl-v'>{escape(local)}</span></div><i>=</i>"
        f"<div><span class='agl-g'>{escape(sent)}</span></div>"
    )


def flat(summary: Summary) -> list[float] | None:
    """The elements in a row; None for a tensor kept only as a summary."""
    if summary.values is None:
        return None
    out, stack = [], [summary.values]
    while stack:
        x = stack.pop(0)
        if isinstance(x, tuple):
            stack = [*x, *stack]
        else:
            out.append(x)
    return out


def cups(recording: Recording, step: int) -> str:
    """The `.grad` of every leaf: before this step, what the step adds, now."""
    rows = []
    for i, event in enumerate(recording.events, 1):
        if event.accumulated:
            before, after = event.accumulated
            adds = (
                gradient_html(event.grad_in)
                if i == step
                else "comes next"
                if i == step + 1
                else "nothing"
            )
            cells = (
                gradient_html(after if i < step else before),
                adds,
                gradient_html(after if i <= step else before),
            )
            name = escape(recording.graph.nodes[event.key].label)
            rows.append(
                (
                    event.key,
                    f"<tr><td><code>{name}</code></td><td>{'</td><td>'.join(cells)}</td></tr>",
                )
            )
    body = "".join(markup for _, markup in sorted(rows, key=lambda r: int(r[0][1:])))
    head = "<tr><th>leaf</th><th>before</th><th>this step adds</th><th>.grad now</th></tr>"
    return f"<section><h4>Gradients kept in the leaves</h4><table>{head}{body}</table></section>"


def queue(recording: Recording, step: int) -> str:
    """Which node runs, which are ready, which still wait for gradients."""
    look, nodes = look_after(recording, step), recording.graph.nodes
    chips: dict[str, list[str]] = {"running": [], "ready": [], "waiting": []}
    for key, state in look.nodes.items():
        if state.phase in chips:
            words = escape(nodes[key].label)
            if state.phase == "waiting":
                words += f" {state.arrived} of {state.needed}"
            kind = {"running": "run", "ready": "set", "waiting": "wait"}[state.phase]
            chips[state.phase].append(f"<span class='agl-chip agl-{kind}'>{words}</span>")
    parts = []
    for word, phase in (("now", "running"), ("ready", "ready"), ("waiting", "waiting")):
        shown = chips[phase][:6]
        more = f" and {len(chips[phase]) - 6} more" if len(chips[phase]) > 6 else ""
        parts.append(f"<span>{word}</span>{''.join(shown) or '<span>none</span>'}{more}")
    return f"<section><h4>Ready queue</h4><div class='agl-queue'>{''.join(parts)}</div></section>"


def memory(recording: Recording, step: int) -> str:
    """The values still saved for backward, as a bar."""
    event, nodes = recording.events[step - 1], recording.graph.nodes
    if not event.bytes_total:
        return ""
    before = (
        recording.events[step - 2].held if step > 1 else [k for k, n in nodes.items() if n.saved]
    )
    cells, held = [], 0
    for key, node in nodes.items():
        for _, whose, size in node.saved:
            kept = key in before
            held += size * kept
            words = f"{whose} in {node.label} {nbytes(size) if kept else 'freed'}"
            kind = "held" if kept else "free"
            words = escape(words)
            style = f"class='agl-{kind}' style='flex:{size} 1 0'"
            cells.append(f"<div {style} title='{words}'>{words}</div>")
    total = f"<span>{nbytes(held)} of {nbytes(event.bytes_total)} held</span>"
    bar = f"<div class='agl-bar'>{''.join(cells[:8])}</div>"
    return f"<section><h4>Saved for backward{total}</h4>{bar}</section>"
