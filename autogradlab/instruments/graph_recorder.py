"""GraphRecorder: how a graph comes about, one operation after the other, or one run of a program
after the other.

A typed expression, or a result that exists, grows op by op on the timeline; a program with control
flow shows the graph that each of its inputs records, beside each other. Works on tensors of either
engine and changes nothing on them.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..graphs import Graph, read_graph
from ..graphs.draw import svg, text
from ..graphs.growth import Growth, Run, Sheet, operations, saves, signature
from ..graphs.layout import RendererMissing
from ..graphs.numbers import nbytes, numbers
from ..graphs.protocol import engine_of, summarize
from ..graphs.read import Reading
from ..graphs.style import attributes, css_class, escape, text_width
from ..graphs.typed import LONGEST, Typed
from .backward_debugger import caller_names, description, listed, neighbours, places
from .instrument import Instrument, chosen
from .svg_view import SvgView
from .twin_graph import plural

LIMIT = 60  # nodes of one graph


@dataclass(frozen=True)
class Step:
    """One stop of the timeline: an operation, by its key, or one that was not recorded."""

    key: str
    name: str
    sentence: str


class GraphRecorder(Instrument):
    """Watch a graph being recorded.

    Args:
        what: an expression, `"3*a**3 - b**2"`, of at most 200 characters, or a result that has a
            graph.
        names: the tensors, by what they are called, `{"a": a}`; by default the caller's own
            variables.
        controls: of "expression" (a field to type another one) and "transport" those to be shown.

    Raises:
        ValueError: the expression is not one that can be recorded, or too large; RuntimeError: the
        result has no graph, in torch's words.

    >>> from autogradlab import tensor
    >>> a = tensor([2.0, 3.0], requires_grad=True)
    >>> b = tensor([6.0, 4.0], requires_grad=True)
    >>> recorder = GraphRecorder("3*a**3 - b**2", {"a": a, "b": b})
    >>> recorder.sentence
    'Step 0 of 4. Nothing is recorded yet; a and b are leaves.'
    >>> recorder.step()
    'Step 1 of 4. a³ is recorded: PowBackward0 saves a, and its edge goes to a.'
    >>> recorder.step()
    'Step 2 of 4. 3·a³ is recorded: MulBackward0 saves no tensor, and its edge goes to a³.'
    >>> recorder.record("a.exp()")
    'Step 0 of 1. Nothing is recorded yet; a is a leaf.'
    """

    CONTROLS = ("expression", "transport")
    STATE = MappingProxyType(
        {
            "expression": lambda x: isinstance(x, str) and len(x) <= LONGEST,
            "step": Instrument.STATE["step"],
            "selected": Instrument.STATE["selected"],
        }
    )

    def __init__(
        self, what: Any, names: Mapping[str, Any] | None = None, *,
        controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        names = caller_names(sys._getframe(1)) if names is None else names
        self._shown = chosen(controls, type(self))
        self.tensors = {n: t for n, t in names.items() if hasattr(t, "grad_fn")}
        self._expression, self._failure = "", ""
        if isinstance(what, str):
            self.record(what)
            if "expression" in self._shown:
                self.controls = (self._field(),)
        else:
            self._grow(read_graph(what, names, LIMIT))

    @classmethod
    def of(
        cls, program: Callable[..., Any], inputs: Sequence[Any], *,
        controls: Iterable[str] | None = None,
    ) -> GraphRecorder:  # fmt: skip
        """The graphs that a program records for different inputs, beside each other.

        Args:
            program: a function that returns a tensor.
            inputs: what to call it with, in turn: a tensor, or a tuple for several arguments.
            controls: as above.

        Raises:
            what the program raises; TypeError if it does not return a tensor.

        >>> from autogradlab import tensor
        >>> x, z = (tensor(number, requires_grad=True) for number in (2.0, -3.0))
        >>> switch = GraphRecorder.of(lambda x: x * x if x > 0 else -x, [x, z])
        >>> switch.jump(2)
        'Run 2 of 2. x = −3 records another graph, of 1 operation: NegBackward0.'
        """
        made = cls.__new__(cls)
        made._shown = chosen(controls, cls)
        made.tensors, made._expression, made._failure = {}, "", ""
        made._compare([run_of(program, each) for each in inputs])
        return made

    # ---------------------------------------------------------------------------- the timeline

    @property
    def position(self) -> int:
        """The step shown; 0 before anything is recorded."""
        return self._get("step")

    @property
    def sentence(self) -> str:
        """The step shown, in words."""
        return self._failure or self.steps[self.position].sentence

    @property
    def summary(self) -> str:
        """Everything that was recorded, in words."""
        return self._summary

    def jump(self, to: int | str) -> str:
        """Go to a step, by its number or by the label of its operation; returns its sentence."""
        if isinstance(to, str):
            found = (i for i, step in enumerate(self.steps) if to in (step.key, step.name))
            to = next(found, -1)
        if not 0 <= to < len(self.steps):
            raise ValueError(f"there is no such step: there are steps 0 to {len(self.steps) - 1}")
        if self._failure:  # no longer said under the picture
            self._failure = ""
            self.view.sentences = [step.sentence for step in self.steps]
            self.view.revision += 1
        self._set("step", to)
        return self.sentence

    def step(self, n: int = 1) -> str:
        """Go `n` steps on, at most to the last; returns the sentence of the step."""
        return self.jump(max(0, min(len(self.steps) - 1, self.position + n)))

    def back(self, n: int = 1) -> str:
        """Go `n` steps back, at most to the start; returns the sentence of the step."""
        return self.step(-n)

    def select(self, node: str | None) -> str:
        """Mark a node, given by its label or key; None marks none. Returns it in words."""
        if node is None or self.view is None:
            self._set("selected", "")
            return self.sentence
        for key, words, *_ in self.view.targets:
            if node in (key, words.partition(" · ")[0]):
                self.view.selected = key
                return words
        raise ValueError(f"no node of this graph is called {node!r}")

    # ------------------------------------------------------------------------- one expression

    @property
    def expression(self) -> str:
        """The expression that was typed; empty for a result or a program."""
        return self._expression

    def record(self, expression: str) -> str:
        """Record another expression on the same tensors; returns the sentence of its start.

        Raises:
            ValueError: it cannot be recorded; the graph shown stays as it was.
        """
        words = re.findall(r"\w+", expression)
        mentioned = [self.tensors[word] for word in words if word in self.tensors]
        first = next(iter([*mentioned, *self.tensors.values()]), None)
        if first is None:
            raise ValueError("there is no tensor to record: give names={'a': a}")
        engine = engine_of(first)
        own = {n: t for n, t in self.tensors.items() if engine_of(t) is engine}
        typed = Typed(expression, own, engine)
        if not hasattr(typed.result, "grad_fn") or not typed.done:
            raise ValueError(f'"{expression}" has no operation on a tensor, so nothing is recorded')
        if not typed.result.requires_grad:
            raise ValueError("no tensor in it requires a gradient, so nothing is recorded")
        reading = Reading(typed.result, own, LIMIT)
        skipped = unrecorded(typed, reading)
        reading.forget()
        self._expression, self._failure = expression, ""
        self._grow(reading.graph, skipped)
        return self.sentence

    def _grow(self, graph: Graph, skipped: Mapping[str, list[str]] | None = None) -> None:
        """Show one graph; `skipped` has, by the key of the operation before, what was computed
        then without being recorded."""
        self.runs = [Run("", graph, "")]
        self.title = graph.title
        self.steps, counts = steps_of(graph, skipped or {})
        self._summary = summary(graph)
        if skipped:
            names = [each.partition(" is ")[0] for words in skipped.values() for each in words]
            self._summary += f" Not in the graph: {listed(names)}."
        self._step = 0
        try:
            self._put(growing_view(graph, self.steps, counts))
        except RendererMissing as error:
            self.trouble = str(error)

    def _field(self) -> Any:
        """Where another expression is typed; Enter records it."""
        from ipywidgets import Layout, Text

        field = Text(
            value=self._expression, description="expression", continuous_update=False,
            placeholder="type an expression, then press Enter", layout=Layout(width="420px"),
        )  # fmt: skip
        field.observe(lambda change: self._typed(change["new"]), "value")
        return field

    def _typed(self, expression: str) -> None:
        """What was typed into the field: recorded, or refused in the sentence."""
        if not self.view:
            return
        try:
            if expression == self._expression:  # typed back
                self.jump(self.position)
            else:
                self.record(expression)
        except ValueError as error:
            self._failure = f"Not recorded. {error}".replace("\n", " ")
            self.view.sentences = [self._failure] * len(self.steps)
            self.view.revision += 1

    # --------------------------------------------------------------------------- several runs

    def _compare(self, runs: list[Run]) -> None:
        """Show several runs of a program."""
        self.runs, self.title = runs, "a program"
        self.steps = [Step("", "start", f"{plural(len(runs), 'run')} of one program, not run yet.")]
        self.steps += [Step("", run.inputs, told(runs, i)) for i, run in enumerate(runs)]
        ways = len({signature(run.graph) for run in runs})
        told_all = " ".join(step.sentence for step in self.steps[1:])
        self._summary = f"{plural(len(runs), 'run')}, {plural(ways, 'different graph')}. {told_all}"
        self._step = 0
        try:
            self._put(switch_view(runs, self.steps))
        except RendererMissing as error:
            self.trouble = str(error)

    # ---------------------------------------------------------------------------------- output

    def _put(self, view: SvgView) -> None:
        """Show another view; its timeline may have another length, so the old one goes."""
        if "transport" not in self._shown:
            view.look += " no-transport"
        before, self.view = self.view, view
        if before is not None and self._box is not None:
            self._box.children = (self._box.children[0], view)
            before.close()

    def _get(self, name: str) -> Any:
        return self._expression if name == "expression" else super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name != "expression":
            super()._set(name, value)
        elif value != self._expression:
            if not self._expression:
                raise ValueError("this state does not fit: it has an expression, and this has none")
            self.record(value)
            for field in self.controls:
                field.value = value

    def svg(self) -> str:
        """The graph, or those of all runs, as one still picture."""
        words = f"Graph of {self.title}" if len(self.runs) == 1 else "Graphs of a program"
        if self.runs[0].inputs:
            sheet = Sheet(self.runs, attributes)
            body = "".join(sheet.caption(i) + sheet.still(i) for i in range(len(self.runs)))
            width, height = sheet.width, sheet.height
        else:
            drawing = Growth(self.runs[0].graph, attributes)
            body, width, height = drawing.still(), drawing.width, drawing.height
        title = text(attributes, "title", 16, 24, words)
        wide = max(width + 32.0, 48 + 1.25 * text_width(words, 14, mono=False))
        body = f'<g transform="translate({(wide - width) / 2:.1f} 40)">{body}</g>'
        return svg(wide, height + 52, words, self.summary, title + body)


# ------------------------------------------------------------------------------- what is recorded


def unrecorded(typed: Typed, reading: Reading) -> dict[str, list[str]]:
    """What was computed and is not in the graph, by the key of the operation before it."""
    found: dict[str, list[str]] = {}
    last = ""
    for words, result in typed.done:
        if result.grad_fn in reading.keys:
            last = reading.keys[result.grad_fn]
        elif result.grad_fn is not None:
            found.setdefault(last, []).append(f"{words} is recorded, but no edge leads to it")
        elif "detach()" in words or words.startswith("detach("):
            found.setdefault(last, []).append(f"{words} is not recorded: detach() cuts it off")
        else:
            found.setdefault(last, []).append(
                f"{words} is not recorded: none of its inputs requires a gradient"
            )
    return found


def steps_of(graph: Graph, skipped: Mapping[str, list[str]]) -> tuple[list[Step], list[int]]:
    """The stops of the timeline, and how many operations are recorded at each."""
    order, nodes = operations(graph), graph.nodes
    leaves = [n.label for n in nodes.values() if n.kind in ("leaf", "parameter")]
    kind = "are leaves" if len(leaves) > 1 else "is a leaf"
    found = [("", "start", f"Nothing is recorded yet; {listed(leaves)} {kind}.", 0)]
    for i, key in enumerate(["", *order]):
        if key:
            found.append((key, nodes[key].label, recorded(graph, key), i))
        for words in skipped.get(key, ()):
            found.append(("", words.partition(" is ")[0], f"{words}.", i))
    last = len(found) - 1
    steps = [Step(k, name, f"Step {i} of {last}. {s}") for i, (k, name, s, _) in enumerate(found)]
    return steps, [count for *_, count in found]


def recorded(graph: Graph, key: str) -> str:
    """One operation in words: what it saves, and where its edges go."""
    node, kept = graph.nodes[key], saves(graph.nodes[key])
    feeds = [graph.nodes[e.source].label for e in graph.edges if e.target == key]
    once = list(dict.fromkeys(feeds))
    if len(feeds) == 1:
        edges = f"its edge goes to {feeds[0]}"
    elif len(once) == 1:
        edges = f"{'both' if len(feeds) == 2 else 'all'} its edges go to {once[0]}"
    else:
        edges = f"its edges go to {listed(feeds)}"
    what = listed(kept) if kept else "no tensor"
    return f"{node.label} is recorded: {node.name} saves {what}, and {edges}."


def held(graph: Graph, keys: Iterable[str]) -> int:
    """Bytes that these nodes have saved; memory that several have saved counts once."""
    return sum(dict(piece for key in keys for piece in graph.memory.get(key, ())).values())


def summary(graph: Graph) -> str:
    """A whole graph in words."""
    order, nodes = operations(graph), graph.nodes
    leaves = [n.label for n in nodes.values() if n.kind in ("leaf", "parameter")]
    each = [
        f"{i} {nodes[key].label} ({nodes[key].name}, saves "
        f"{listed(saves(nodes[key])) or 'no tensor'})"
        for i, key in enumerate(order, 1)
    ]
    start = f"{graph.title} records {plural(len(order), 'operation')} on {listed(leaves)}"
    return f"{start}: {', '.join(each)}. {nbytes(held(graph, order))} are saved for backward."


def run_of(program: Callable[..., Any], given: Any) -> Run:
    """Call a program once and read what it recorded."""
    inputs = given if isinstance(given, tuple) else (given,)
    try:
        names = list(inspect.signature(program).parameters)
    except (TypeError, ValueError):
        names = []
    names += [f"x{i}" for i in range(len(names) + 1, len(inputs) + 1)]
    result = program(*inputs)
    if not hasattr(result, "grad_fn"):
        raise TypeError(f"the program returned no tensor but a {type(result).__name__}")
    called = dict(zip(names, inputs, strict=False))
    words = ", ".join(
        f"{n} = {numbers(summarize(x)) if hasattr(x, 'grad_fn') else x}" for n, x in called.items()
    )
    words = words if len(words) <= 28 else words[:27] + "…"
    graph = None
    if result.grad_fn is not None:
        graph = read_graph(result, called, LIMIT)
    return Run(words, graph, numbers(summarize(result)))


def told(runs: Sequence[Run], i: int) -> str:
    """What a run recorded, and whether one before has recorded the same."""
    run, start = runs[i], f"Run {i + 1} of {len(runs)}. {runs[i].inputs} records "
    if run.graph is None:
        return f"{start}nothing: the result has no grad_fn."
    mine = signature(run.graph)
    same = next((r.inputs for r in runs[:i] if signature(r.graph) == mine), None)
    if same is not None:
        return f"{start}the same graph as {same}."
    a = "another graph" if i else "a graph"
    count = plural(len(operations(run.graph)), "operation")
    return f"{start}{a}, of {count}: {ways(run.graph)}."


def ways(graph: Graph) -> str:
    """The operations of a graph, counted by name."""
    counts = Counter(graph.nodes[key].name for key in operations(graph))
    return listed([name if n == 1 else f"{n} × {name}" for name, n in counts.items()])


# ------------------------------------------------------------------------------------ the widget


def growing_view(graph: Graph, steps: Sequence[Step], counts: Sequence[int]) -> SvgView:
    """The widget of one graph, at its start."""
    drawing, later = Growth(graph, css_class), list(zip(steps, counts, strict=True))[1:]
    view = SvgView(
        **places(drawing),
        title="Graph Recorder",
        expression=graph.title,
        tag=graph.engine,
        look="recorder",
        panels=[panel(graph, s, n) for s, n in zip(steps, counts, strict=True)],
        sentences=[step.sentence for step in steps],
        # Numbers, as on the nodes: names would tell what is to be predicted.
        stops=["start", *(str(n) if step.key else "–" for step, n in later)],
        steps_keys=[step.key for step in steps],
    )
    view.targets = view.targets[::-1]  # the focus is first on a leaf, which is there from the start
    view.set_frames(
        drawing.parts(n, now=bool(step.key)) for step, n in zip(steps, counts, strict=True)
    )
    return view


def panel(graph: Graph, step: Step, count: int) -> str:
    """What stands beside the graph: the operation just recorded, and all that is saved."""
    if step.key:
        top = about(graph, step.key)
    elif count or step.name != "start":
        reason = escape(step.sentence.partition(". ")[2])
        heading = f"<code>{escape(step.name)}</code><small>not recorded</small>"
        top = f"<h3>{heading}</h3><p>{reason}</p>"
    else:
        top = leaves_table(graph)
    done = operations(graph)[:count]
    bars = "".join(
        f"<div class='agl-held' style='flex:{max(1, held(graph, [key]))} 1 0'>"
        f"{escape(listed(saves(graph.nodes[key])))} in {escape(graph.nodes[key].label)}</div>"
        for key in done
        if graph.nodes[key].saved
    ) or "<div class='agl-free' style='flex:1'>no tensor yet</div>"
    total = nbytes(held(graph, done))
    heading = f"<div class='agl-h4'>Saved for backward <span>{total}</span></div>"
    return f"<section>{top}</section><section>{heading}<div class='agl-bar'>{bars}</div></section>"


def about(graph: Graph, key: str) -> str:
    """The operation just recorded: where its edges go, what it saves, and the rule that is why."""
    node = graph.nodes[key]
    feeds = sorted((e for e in graph.edges if e.target == key), key=lambda e: e.slot)
    edges = "".join(
        f"<tr><td>{'edge to' if not i else ''}</td><td><code>"
        f"{escape(graph.nodes[e.source].label)}</code></td>"
        f"<td>{escape(graph.nodes[e.source].name)}</td></tr>"
        for i, e in enumerate(feeds)
    )
    own = {node.expression: "its result"}
    kept = "".join(
        f"<tr><td>{'saves' if not i else ''}</td><td><code>_saved_{escape(name)}</code></td>"
        f"<td><span class='agl-v'>{escape(own.get(whose, whose))}</span> {nbytes(size)}</td></tr>"
        for i, (name, whose, size) in enumerate(node.saved)
    ) or "<tr><td>saves</td><td colspan='2'>no tensor</td></tr>"
    heading = f"{escape(node.name)} <code>{escape(node.label)}</code><small>recorded</small>"
    return f"<h3>{heading}</h3><table>{edges}{kept}</table>{why(node)}"


def why(node: Any) -> str:
    """The rule for the way back, which reads what was saved; g is the gradient that comes in."""
    if not node.rule:
        return ""
    lines = "<br>".join(escape(line) for line in node.rule.split("\n"))
    return f"<p class='agl-rule'>rule <code>{lines}</code></p>"


def leaves_table(graph: Graph) -> str:
    """The leaves, before anything is recorded."""
    rows = "".join(
        f"<tr><td><code>{escape(n.label)}</code></td>"
        f"<td><span class='agl-v'>{escape(numbers(n.value) if n.value else list(n.shape))}</span>"
        "</td><td>True</td></tr>"
        for n in graph.nodes.values()
        if n.kind in ("leaf", "parameter")
    )
    head = "<tr><th>leaf</th><th>value</th><th>requires_grad</th></tr>"
    return f"<table>{head}{rows}</table>"


def switch_view(runs: Sequence[Run], steps: Sequence[Step]) -> SvgView:
    """The widget of several runs: at step i the first i are there."""
    sheet = Sheet(runs, css_class)
    targets, overlays, order = [], {}, [["", None, None]] * len(runs)
    for i, drawing in enumerate(sheet.drawings):
        x0, y0 = sheet.origin(i)
        if drawing is None:
            order.append(["", None, None])
            continue
        graph, place = drawing.graph, drawing.centres
        at = {k: [round(x + x0, 1), round(y + y0, 1)] for k, (x, y) in place.items()}
        edges = [["", round(x0, 1), round(y0, 1)]] * len(graph.edges)
        order += [*edges, *([f"r{i}{k}", *at[k]] for k in graph.nodes), *edges]
        for key in graph.nodes:
            if key != graph.root:
                near = [[f"r{i}{k}" for k in each] for each in neighbours(graph, key)]
                targets.append([f"r{i}{key}", description(graph, key), *at[key], *near])
                overlays[f"r{i}{key}"] = drawing.overlay(key)
    before, after = (
        [
            d.parts(len(operations(d.graph)) if ran else 0, now=False) if d
            else [sheet.nothing(i) if ran else ""]
            for i, d in enumerate(sheet.drawings)
        ]
        for ran in (False, True)
    )  # fmt: skip
    engine = next((run.graph.engine for run in runs if run.graph), "")
    view = SvgView(
        title="Graph Recorder",
        expression=f"{plural(len(runs), 'run')} of one program",
        tag=engine,
        look="recorder below",
        view=[float(sheet.width), float(sheet.height)],
        targets=targets,
        overlays=overlays,
        order=order,
        panels=[runs_table(runs, i) for i in range(len(steps))],
        sentences=[step.sentence for step in steps],
        stops=[step.name for step in steps],
        steps_keys=[""] * len(steps),
    )
    view.set_frames(
        [
            *(sheet.caption(i, i + 1 == step) for i in range(len(runs))),
            *(m for i in range(len(runs)) for m in (after if i < step else before)[i]),
        ]
        for step in range(len(steps))
    )
    return view


def runs_table(runs: Sequence[Run], step: int) -> str:
    """A row for each run so far."""
    head = "<tr><th>run</th><th>called with</th><th>operations recorded</th><th>result</th></tr>"
    rows = "".join(
        f"<tr><td>{i}</td><td><code>{escape(run.inputs)}</code></td>"
        f"<td>{escape(ways(run.graph) if run.graph else 'none')}</td>"
        f"<td><span class='agl-v'>{escape(run.result)}</span></td></tr>"
        if i <= step
        else f"<tr><td>{i}</td><td><code>{escape(run.inputs)}</code></td><td>–</td><td>–</td></tr>"
        for i, run in enumerate(runs, 1)
    )
    return f"<table class='agl-wide agl-runs'>{head}{rows}</table>"
