"""BackwardDebugger: a backward pass one can step through, forwards and back.

It records the pass once (`graphs.record_backward`, which leaves no trace), draws every step, and
shows beside the graph the node's formula with its live numbers, what was added where, which nodes
wait, and what memory is still held. Works on tensors of either engine.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..graphs import Event, Graph, Recording, Summary, record_backward
from ..graphs.draw import Drawing, Look, look_after
from ..graphs.film import film_strip, step_name
from ..graphs.layout import RendererMissing
from ..graphs.numbers import nbytes, number, numbers
from ..graphs.rail import Rail
from ..graphs.style import css_class, escape
from .instrument import Instrument, chosen, texts
from .rail_view import (
    deep_summary,
    folded_at_first,
    heading,
    is_deep,
    keepers,
    meets,
    new_view,
    rail_of,
    show_rail,
    stop_at,
    why_none,
)
from .svg_view import SvgView

LEAVES = 6  # rows of the table of leaves
LIMITS = 600, 20_000  # nodes to read, without and with a model, which can be folded


class BackwardDebugger(Instrument):
    """Step through the backward pass of a tensor.

    A short graph is drawn as a graph, with the formula of each step; a deep one, or one of a model,
    as a rail of rows whose modules fold.

    Args:
        root: the tensor to go back from, of autogradlab or PyTorch, its graph not freed.
        model: the module that made it: its parameters have names, its modules fold. Which module
            made which node is exact if the forward pass was watched (`watched`), else it is taken
            from who owns the parameters.
        names: what to call tensors, `{"a": a}`; by default the caller's own variable names.
        gradient: what `backward(gradient=…)` would get; may be left out for one element.
        watched: what `with graphs.watch(model) as watched` gave.
        controls: which of `BackwardDebugger.CONTROLS` are shown; by default all.

    Raises:
        what `root.backward(gradient)` raises; ValueError for a graph too large to draw.

    >>> from autogradlab import tensor
    >>> a = tensor([2.0, 3.0], requires_grad=True)
    >>> y = a**3
    >>> debugger = BackwardDebugger(y, names={"a": a, "y": y}, gradient=[1.0, 1.0])
    >>> debugger.sentence
    'Step 0 of 2. y is given the gradient [1, 1], and nothing has run yet.'
    >>> debugger.step()  # doctest: +ELLIPSIS
    'Step 1 of 2. y received the gradient [1, 1], ... [12, 27], and sends [12, 27] up to a.'
    >>> debugger.step()
    'Step 2 of 2. a received the gradient [12, 27] and keeps a.grad = [12, 27].'
    >>> debugger.back(2), debugger.position
    ('Step 0 of 2. y is given the gradient [1, 1], and nothing has run yet.', 0)
    """

    CONTROLS = ("transport", "stop at", "formula", "leaves", "queue", "memory")
    STATE = MappingProxyType(
        {"open": texts, **Instrument.STATE, "halt": lambda x: x is None or is_condition(x)}
    )

    def __init__(
        self,
        root: Any,
        model: Any = None,
        names: Mapping[str, Any] | None = None,
        gradient: Any = None,
        *,
        watched: Any = None,
        controls: Iterable[str] | None = None,
    ) -> None:
        if isinstance(model, Mapping):  # most graphs have no model: names, and then the gradient
            model, names, gradient = None, model, names if gradient is None else gradient
        names = caller_names(sys._getframe(1)) if names is None else names
        limit = LIMITS[model is not None or watched is not None]
        recording = record_backward(root, gradient, names, limit, model=model, watched=watched)
        self._make(recording, names, controls)

    @classmethod
    def of(
        cls,
        recording: Recording,
        names: Mapping[str, Any] | None = None,
        controls: Iterable[str] | None = None,
    ) -> BackwardDebugger:
        """The debugger of a pass that was recorded before, by `graphs.record` round a training
        step, or until an error: `error.recording`."""
        made = cls.__new__(cls)
        made._make(recording, names or {}, controls)
        return made

    def _make(
        self, recording: Recording, names: Mapping[str, Any], controls: Iterable[str] | None
    ) -> None:
        shown = chosen(controls, type(self))
        self.recording, graph = recording, recording.graph
        self.title = graph.title
        self.tensors = {n: t for n, t in names.items() if hasattr(t, "grad_fn")}
        self.keys = [event.key for event in self.recording.events]
        self.rail: Rail | None = None
        self._step, self._breakpoints, self._selected = 0, [], ""
        self._halt: dict[str, Any] | None = None
        self._open: set[str] = set()
        if graph.calls or is_deep(graph) or self.recording.error:
            self._open = folded_at_first(graph) if graph.calls else set()
            self.rail = rail_of(self.recording, self._open, css_class)
            self.view = new_view(self.recording)
            show_rail(self.view, self.rail, self._heading())
            self.view.on_msg(lambda view, content, buffers: self._on_message(content))
            self.sentences = self.view.sentences
            self.controls = stop_at(self) if "stop at" in shown else ()
        else:
            self.sentences = [sentence(self.recording, i) for i in range(len(self.keys) + 1)]
            try:
                self.view = view_of(self.recording, self.sentences, shown)
            except RendererMissing as error:
                self.trouble = str(error)
        if self.view and "transport" not in shown:
            self.view.look += " no-transport"

    # ------------------------------------------------------------------------------- the pass

    @property
    def position(self) -> int:
        """The step shown; 0 before the first node has run."""
        return self._get("step")

    @property
    def event(self) -> Event | None:
        """The step shown, as data; None before the first."""
        return self.recording.events[self.position - 1] if self.position else None

    @property
    def sentence(self) -> str:
        """The step shown, in words."""
        return self.sentences[self.position]

    @property
    def summary(self) -> str:
        """The whole pass, in words."""
        return deep_summary(self) if self.rail else summary(self.recording)

    def jump(self, to: int | str) -> str:
        """Go to a step, by its number or by the label of its node; returns its sentence."""
        step = to if isinstance(to, int) else self.keys.index(self._key(to)) + 1
        if not 0 <= step <= len(self.keys):
            raise ValueError(f"there is no step {step}: this pass has steps 0 to {len(self.keys)}")
        self._set("step", step)
        return self.sentence

    def step(self, n: int = 1) -> str:
        """Go `n` steps on, at most to the last; returns the sentence of the step."""
        return self.jump(max(0, min(len(self.keys), self.position + n)))

    def back(self, n: int = 1) -> str:
        """Go `n` steps back, at most to the start; returns the sentence of the step."""
        return self.step(-n)

    def reset(self) -> str:
        """Go to the start, where nothing has run."""
        return self.jump(0)

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
        return [self._label(key) for key in self._get("breakpoints")]

    def add_breakpoint(self, node: str) -> None:
        """Stop at a node, given by its label or key; at a module when its first node runs."""
        self._set("breakpoints", sorted({*self._get("breakpoints"), self._row(node)}))

    def remove_breakpoint(self, node: str) -> None:
        """Take a breakpoint away again."""
        key = self._row(node)
        if key not in self._get("breakpoints"):
            raise ValueError(f"there is no breakpoint at {node!r}")
        self._set("breakpoints", [k for k in self._get("breakpoints") if k != key])

    def break_when(
        self, nonfinite: bool = False, above: float | None = None, below: float | None = None
    ) -> str:
        """Stop, too, where a gradient that comes in is not finite, or has a norm above or below a
        limit; without arguments no longer. Returns how many steps that are."""
        condition = {"nonfinite": nonfinite, "above": above, "below": below}
        if not is_condition(condition):
            raise ValueError("above and below are numbers, nonfinite is True or False")
        self._halt = condition if nonfinite or above is not None or below is not None else None
        if self.view:
            self.view.halts = self.halts
        found = self.halts
        if not found:
            return "No step meets the condition." if self._halt else "No condition."
        return f"{len(found)} of {len(self.keys)} steps meet it, the first is step {found[0]}."

    @property
    def halts(self) -> list[int]:
        """The steps that meet the condition of `break_when`."""
        events = enumerate(self.recording.events, 1)
        return [i for i, event in events if self._halt and meets(event, **self._halt)]

    def run(self) -> str:
        """Go on to the next breakpoint, or to the end; returns the sentence of the step."""
        rows = [""] + [self._shown(key) for key in self.keys]
        stops, halts = set(self._get("breakpoints")), set(self.halts)
        later = range(self.position + 1, len(rows))
        found = (i for i in later if i in halts or (rows[i] in stops and rows[i] != rows[i - 1]))
        return self.jump(next(found, len(self.keys)))

    def select(self, node: str) -> None:
        """Mark a node, given by its label or key."""
        self._set("selected", self._row(node))

    # -------------------------------------------------------------------------------- modules

    def open(self, *modules: str) -> str:
        """Unfold modules, by path ("layer1.0"); without any, as far as it goes. Returns what is
        shown.

        Raises:
            ValueError: no such module has made a node, or there would be too many rows.
        """
        if not modules:
            return self._fold(set(self.recording.graph.calls))
        return self._fold(self._open.union(*map(self._calls, modules)))

    def close(self, *modules: str) -> str:
        """Fold modules again; without any, all of them."""
        gone = set().union(*map(self._calls, modules)) if modules else self._open
        return self._fold(self._open - gone)

    def _calls(self, module: str) -> set[str]:
        calls = self.recording.graph.calls
        found = {key for key, call in calls.items() if module in (key, call.path, call.name)}
        if not found:
            raise ValueError(f"no module {module!r} has made a node of this graph")
        return found

    def _fold(self, calls: set[str]) -> str:
        if self.rail is None:
            raise ValueError("this graph has no modules: give the model, or watch it")
        rail = rail_of(self.recording, calls, css_class)  # raises before anything has changed
        self._open, self.rail = calls, rail
        show_rail(self.view, rail, self._heading())
        self.sentences = self.view.sentences
        return self._heading()

    def _heading(self) -> str:
        return heading(self.rail, self.recording.graph.nodes[self.recording.graph.root].label)

    def _on_message(self, content: dict[str, Any]) -> None:
        """A click on a fold mark; what makes no sense is passed over."""
        call = str(content.get("fold", "")).partition("p")[0]
        if call in self.recording.graph.calls:
            try:
                self._fold(self._open ^ {call})
            except ValueError as error:
                self.view.call = str(error)

    # ------------------------------------------------------------------------------ questions

    def who_keeps(self, node: str) -> str:
        """Who keeps the memory that a node, or a module, has saved for backward: it alone, or which
        others, too."""
        key = self._row(node)
        inner = self.rail.inner[key] if self.rail and key in self.rail.inner else [key]
        return keepers(self.recording, inner, self._label(key))

    def why_none(self, tensor: Any) -> str:
        """Why the `.grad` of a tensor, given by its name or itself, is None or will be."""
        name = tensor if isinstance(tensor, str) else next(
            (n for n, t in self.tensors.items() if t is tensor), "this tensor"
        )
        given = self.tensors.get(tensor) if isinstance(tensor, str) else tensor
        return why_none(self.recording, name, given)

    # ------------------------------------------------------------------------------------ keys

    def _label(self, key: str) -> str:
        if self.rail and key in self.rail.graph.nodes:
            return self.rail.graph.nodes[key].label
        calls = self.recording.graph.calls
        return calls[key].name if key in calls else self.recording.graph.nodes[key].label

    def _shown(self, key: str) -> str:
        """The row that shows a node."""
        return self.rail.super[key] if self.rail else key

    def _row(self, node: str) -> str:
        """The key of a row, or of a node where there are no rows, by its label or key."""
        if self.rail:
            calls = self.recording.graph.calls
            for key, each in self.rail.graph.nodes.items():
                call = calls.get(key.partition("p")[0])
                if node in (key, each.label, each.expression, call and call.path):
                    return key
        return self._shown(self._key(node))

    def _key(self, node: str) -> str:
        nodes = self.recording.graph.nodes
        for key in self.keys:
            if node in (key, nodes[key].label, nodes[key].expression):
                return key
        labels = [nodes[key].label for key in self.keys]
        shown = ", ".join(labels if len(labels) <= 20 else [*labels[:20], "…"])
        raise ValueError(f"no node of this pass is called {node!r}; there are {shown}")

    def _get(self, name: str) -> Any:
        if name == "open":
            calls = self.recording.graph.calls  # by name: keys count calls that made a node
            return [calls[call].name for call in calls if call in self._open]
        return self._halt if name == "halt" else super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name == "open":
            try:
                calls = set().union(*map(self._calls, value))
            except ValueError as error:
                raise ValueError(f"this state does not fit: {str(error)[:80]}") from None
            if self.rail:
                self._fold(calls)
        elif name == "halt":
            self.break_when(**(value or {}))
        else:
            super()._set(name, value)

    # --------------------------------------------------------------------------------- output

    def svg(self) -> str:
        """The pass as one still picture: a film strip of at most six steps, or the rail."""
        title = f"Backward pass of {self.recording.graph.title}"
        if self.rail is None:
            return film_strip(self.recording, title, self.summary)
        rail = Rail(self.recording, self.rail.graph)
        return rail.svg(f"Backward pass of {self._heading()}", self.summary)


def is_condition(x: Any) -> bool:
    """Whether this is what `break_when` takes."""
    if not isinstance(x, dict) or not x.keys() <= {"nonfinite", "above", "below"}:
        return False
    limits = [x.get("above"), x.get("below")]
    numbers = all(v is None or (isinstance(v, int | float) and not math.isnan(v)) for v in limits)
    return isinstance(x.get("nonfinite", False), bool) and numbers


def summary(recording: Recording) -> str:
    """A whole pass on a short graph, in words."""
    nodes, count = recording.graph.nodes, len(recording.events)
    steps = [step_name(recording, i) for i in range(1, count + 1)]
    kept = [
        f"{nodes[e.key].label}.grad = {numbers(e.accumulated[1])}"
        for e in sorted(recording.events, key=lambda e: int(e.key[1:]))
        if e.accumulated
    ]
    order = ", ".join(steps) if len(steps) <= 12 else ", ".join([*steps[:5], "…", *steps[-3:]])
    name = nodes[recording.graph.root].label
    return f"Backward pass of {name} in {len(steps)} steps: {order}. At the end {listed(kept)}."


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


def incoming(event: Event) -> str:
    """The gradient that came in; of a node with several results, one for each."""
    return listed([numbers(g) if g else "None" for g in event.grads_in])


def sentence(recording: Recording, step: int) -> str:
    """One step in words; step 0 is what is given."""
    start, graph = f"Step {step} of {len(recording.events)}. ", recording.graph
    if step == 0:
        name, given = graph.nodes[graph.root].label, numbers(recording.gradient)
        return f"{start}{name} is given the gradient {given}, and nothing has run yet."
    event = recording.events[step - 1]
    label = step_name(recording, step)
    if event.grad_in is None:
        return f"{start}{label} received no gradient."
    came = f"{start}{label} received the gradient {incoming(event)}"
    if event.accumulated:
        before, after = event.accumulated
        if before is None:
            return f"{came} and keeps {label}.grad = {numbers(after)}."
        return f"{came}, added it to {numbers(before)}, and keeps {label}.grad = {numbers(after)}."
    sent = [
        f"{numbers(g)} up to {graph.result(to).label}" for to, g in event.grads_out.items() if g
    ]
    if len(event.factors) == 1 and sent:
        factor = event.factors[0]
        slope = factor.text.partition(" = ")[2]
        local = numbers(factor.local)
        by = f"{slope} = {local}" if slope and slope != local else local
        return f"{came}, multiplied it by {by}, and sends {sent[0]}."
    return f"{came} and sends {listed(sent)}." if sent else f"{came} and sends nothing on."


# ------------------------------------------------------------------------------------ the widget


def view_of(recording: Recording, sentences: list[str], shown: Sequence[str]) -> SvgView:
    """The widget of a recording, at its start; `shown` are the controls."""
    graph, count = recording.graph, len(recording.events)
    drawing = Drawing(graph, recording, pen=css_class)
    looks = [look_after(recording, step) for step in range(count + 1)]
    edges, nodes = range(len(graph.edges)), list(graph.nodes)
    edge, node = cache(drawing.edge), cache(drawing.node)
    chips = cache(lambda i, look: drawing.value(i) + drawing.gradient(i, look))
    view = SvgView(
        **places(drawing),
        title="Backward Debugger",
        expression=graph.title,
        call=recording.call,
        tag=graph.engine,
        panels=[panel(recording, i, look, shown) for i, look in enumerate(looks)],
        sentences=sentences,
        stops=["start", *(step_name(recording, i) for i in range(1, count + 1))],
        steps_keys=[graph.root, *(event.key for event in recording.events)],
    )
    view.set_frames(
        [edge(i, look, look.edges[i]) for i in edges]
        + [node(key, look, look.nodes[key]) for key in nodes]
        + [chips(i, look, look.edges[i]) for i in edges]
        for look in looks
    )
    return view


def places(drawing: Drawing) -> dict[str, Any]:
    """Of a drawing what stays the same in all its states: edges, nodes and then chips as parts,
    and the nodes as targets."""
    graph = drawing.graph
    place = {key: [round(x, 1), round(y, 1)] for key, (x, y) in drawing.centres.items()}
    edges = [["", None, None] for _ in graph.edges]
    nodes = [key for key in graph.nodes if key != graph.root]
    return {
        "view": [float(drawing.width), float(drawing.height)],
        "targets": [
            [key, description(graph, key), *place[key], *neighbours(graph, key)] for key in nodes
        ],
        "overlays": {key: drawing.overlay(key) for key in nodes},
        "order": [*edges, *([key, *place[key]] for key in graph.nodes), *edges],
    }


def cache(draw: Callable[..., str]) -> Callable[..., str]:
    """Draw a part only once for each state it is in; a state is compared by identity of numbers."""
    made: dict[Any, str] = {}

    def drawn(part: Any, look: Any, state: Any) -> str:
        key = part, *(id(v) if isinstance(v, Summary) else v for v in vars(state).values())
        if key not in made:
            made[key] = draw(part, look)
        return made[key]

    return drawn


def description(graph: Graph, key: str) -> str:
    """A node in one line, shown under the graph when one points at it."""
    node = graph.nodes[key]
    parts = [node.expression, node.name.rpartition("::")[2]]
    if node.dtype:
        parts.append(f"{node.dtype} {list(node.shape)}")
    if node.value:
        parts.append(f"value {numbers(node.value)}")
    saved = [f"{whose} ({nbytes(size)})" for _, whose, size in node.saved]
    return " · ".join(parts + ([f"saves {listed(saved)}"] if saved else []))


def neighbours(graph: Graph, key: str) -> tuple[list[str], list[str]]:
    """The nodes just above, from which values come, and just below."""
    above = [e.source for e in graph.edges if e.target == key]
    return above, [e.target for e in graph.edges if e.source == key and e.target != graph.root]


def gradient_html(g: Summary | None) -> str:
    """A gradient as a chip, short enough for a table."""
    if g is None:
        return '<span class="agl-none">None</span>'
    full, norm = numbers(g), f"‖{number(g.norm, digits=3)}‖"
    words = full if len(full) <= 14 or g.nonfinite else norm
    title = f' title="{escape(full)}"' if words != full else ""
    return f'<span class="agl-g"{title}>{escape(words)}</span>'


def panel(recording: Recording, step: int, look: Look, shown: Sequence[str]) -> str:
    """What stands beside the graph at one step."""
    sections = {
        "formula": lambda: equation(recording, step),
        "leaves": lambda: cups(recording, step),
        "queue": lambda: queue(recording, look),
        "memory": lambda: memory(recording, step, look),
    }
    return "".join(make() for name, make in sections.items() if name in shown)


def equation(recording: Recording, step: int) -> str:
    """The node's formula with its live numbers."""
    if step == 0:
        return opening(recording)
    event, nodes = recording.events[step - 1], recording.graph.nodes
    node = nodes[event.key]
    name = escape(node.name.rpartition("::")[2])
    heading = f"<h3>{name} <code>{escape(node.label)}</code><small>running</small></h3>"
    senders = [nodes[e.target].label for e in recording.graph.edges if e.source == event.key]
    source = f"from {listed(senders)}"
    if event.accumulated:
        before, after = (numbers(g) if g else None for g in event.accumulated)
        heads = (".grad before", ""), ("grad in", source), (".grad now", "")
        rows = [[chip(before), chip(numbers(event.grad_in)), chip(after)]]
        return f"<section>{heading}{formula(heads, rows, '+=')}</section>"
    heads = ("grad in", source), ("local derivative", ""), ("grad out", "")
    if event.factors:
        made = factors(recording, event, heads)
    else:
        came = chip(incoming(event) if event.grad_in else None)
        label = {to: recording.graph.result(to).label for to in event.grads_out}
        rows = [
            [came, ("", 0), chip(numbers(g) if g else None, f"to {label[to]}")]
            for to, g in event.grads_out.items()
        ]
        made = formula((heads[0], ("", ""), heads[2]), rows, "→ ")
    rules = "".join(f"<div><code>{escape(rule)}</code></div>" for rule in node.rule.splitlines())
    rules = rules and f"<div class='agl-rule'>rule <div>{rules}</div></div>"
    return f"<section>{heading}{made}{rules}</section>"


def opening(recording: Recording) -> str:
    """What stands in place of a formula before the first step."""
    name = escape(recording.graph.nodes[recording.graph.root].label)
    heading = f"<h3>backward <code>{name}</code><small>not begun</small></h3>"
    given = f"<p>{name} is given {chip(numbers(recording.gradient))[0]}</p>"
    ask = "<p>Which node runs first, and what does it send?</p>"
    return f"<section>{heading}{given}{ask}</section>"


def factors(recording: Recording, event: Event, heads: Heads) -> str:
    """grad in × local derivative = grad out: element by element for one input of up to four
    elements, else one row for each input."""
    graph, (first, *others) = recording.graph, event.factors
    came, local = flat(event.grad_in), flat(first.local)
    if not others and came and local and len(came) == len(local) <= 4:
        live = first.substituted or [""] * len(came)
        rows = [
            [chip(number(g)), value(number(d), s), chip(number(g * d))]
            for g, s, d in zip(came, live, local, strict=True)
        ]
        to = f"to {graph.result(first.target).label}"
        return formula((heads[0], (heads[1][0], first.text), (heads[2][0], to)), rows, "×=", True)
    rows = []
    for factor in event.factors:
        sent = event.grads_out[factor.target]
        twice = sum(f.target == factor.target for f in event.factors) > 1
        to = f"to {graph.result(factor.target).label}" + (", summed" if twice else "")
        slope, local = factor.text.partition(" = ")[2], numbers(factor.local)
        live = slope if slope != local else ""
        rows.append([chip(numbers(event.grad_in)), value(local, live), chip(numbers(sent), to)])
    return formula(heads, rows, "×=")


Heads = tuple[tuple[str, str], tuple[str, str], tuple[str, str]]
Cell = tuple[str, int]  # markup, and how many characters it shows


def chip(words: str | None, note: str = "") -> Cell:
    """A gradient with a note after it, or None."""
    if words is None:
        return '<span class="agl-none">None</span>', 6
    after = f" <small>{escape(note)}</small>" if note else ""
    return f'<span class="agl-g">{escape(words)}</span>{after}', len(words) + len(note) + 5


def value(words: str, live: str) -> Cell:
    """A local derivative, after the text it was computed from."""
    before = f'<span class="agl-live">{escape(live)} =</span>' if live else ""
    return f'{before}<span class="agl-v">{escape(words)}</span>', len(words) + len(live) + 5


def formula(heads: Heads, rows: list[list[Cell]], signs: str, big: bool = False) -> str:
    """Rows of three cells with signs between them; cells stand below each other where a row would
    be wider than the panel."""
    width = sum(max(len(heads[i][0]), *(row[i][1] for row in rows)) for i in range(3))
    titles = [
        f"<div class='agl-head'>{title}<small>{escape(note)}</small></div>" for title, note in heads
    ]
    if width > 46:
        lines = [
            f"{titles[i]}<i>{sign}</i><div>{row[i][0]}</div>"
            for row in rows
            for i, sign in enumerate(["", *signs])
            if row[i][1]
        ]
        return f"<div class='agl-eq agl-long'>{''.join(lines)}</div>"
    cells = ["<i></i>".join(titles)]
    for (a, _), (b, _), (c, _) in rows:
        first, second = signs
        cells.append(f"<div>{a}</div><i>{first}</i><div>{b}</div><i>{second}</i><div>{c}</div>")
    return f"<div class='agl-eq{' agl-big' if big and width < 38 else ''}'>{''.join(cells)}</div>"


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
    """The `.grad` of the leaves: before this step, what the step adds, now. Of many, the six whose
    turn is nearest."""
    turns = {i: e for i, e in enumerate(recording.events, 1) if e.accumulated}
    near = sorted(turns, key=lambda i: (abs(i - step), i))[:LEAVES]
    rows = []
    for i in sorted(near, key=lambda i: int(turns[i].key[1:])):
        before, after = turns[i].accumulated
        adds = "<span>nothing</span>" if i != step + 1 else "<span>comes next</span>"
        cells = (
            f"<code>{escape(recording.graph.nodes[turns[i].key].label)}</code>",
            gradient_html(after if i < step else before),
            gradient_html(turns[i].grad_in) if i == step else adds,
            gradient_html(after if i <= step else before),
        )
        rows.append(f"<tr><td>{'</td><td>'.join(cells)}</td></tr>")
    head = "<tr><th>leaf</th><th>before</th><th>this step adds</th><th>.grad now</th></tr>"
    more = f"<span>{LEAVES} of {len(turns)}</span>" if len(turns) > LEAVES else ""
    table = f"<table>{head}{''.join(rows)}</table>"
    return f"<section><h4>Gradients kept in the leaves{more}</h4>{table}</section>"


def queue(recording: Recording, look: Look) -> str:
    """Which node runs, which are ready, which still wait for gradients, next ones first."""
    nodes = recording.graph.nodes
    chips: dict[str, list[str]] = {"running": [], "ready": [], "waiting": []}
    for key in (recording.graph.root, *(event.key for event in recording.events)):
        state = look.nodes[key]
        if state.phase in chips:
            words = escape(nodes[key].label)
            if state.phase == "waiting":
                words += f" {state.arrived} of {state.needed}"
            kind = {"running": "run", "ready": "set", "waiting": "wait"}[state.phase]
            chips[state.phase].append(f"<span class='agl-chip agl-{kind}'>{words}</span>")
    parts = []
    for word, phase in (("now", "running"), ("ready", "ready"), ("waiting", "waiting")):
        shown = "".join(chips[phase][:3]) or "<b>none</b>"
        more = f"and {len(chips[phase]) - 3} more" if len(chips[phase]) > 3 else ""
        parts.append(f"<div><span>{word}</span>{shown}{more}</div>")
    return f"<section><h4>Ready queue</h4><div class='agl-queue'>{''.join(parts)}</div></section>"


def memory(recording: Recording, step: int, look: Look) -> str:
    """The values still saved for backward, as a bar."""
    total, nodes = recording.events[0].bytes_total, recording.graph.nodes
    if not total:
        return ""
    saved = [(key, whose, size) for key, n in nodes.items() for _, whose, size in n.saved]
    held = recording.events[step - 2].bytes_held if step > 1 else total
    cells = []
    for key, whose, size in saved if len(saved) <= 4 else ():
        kept = look.nodes[key].saved == "held"
        words = escape(f"{whose} in {nodes[key].label} {nbytes(size) if kept else 'freed'}")
        kind = f"class='agl-{'held' if kept else 'free'}' title='{words}'"
        cells.append(f"<div {kind} style='flex:{size} 1 0'>{words}</div>")
    if not cells:  # too many to name: one bar for all
        for kind, size in (("held", held), ("free", total - held)):
            words = f"{nbytes(size)} {'held' if kind == 'held' else 'freed'}" if size else ""
            cells.append(f"<div class='agl-{kind}' style='flex:{size} 1 0'>{words}</div>")
    share = f"<span>{nbytes(held)} of {nbytes(total)} held</span>"
    bar = f"<div class='agl-bar'>{''.join(cells)}</div>"
    return f"<section><h4>Saved for backward{share}</h4>{bar}</section>"
