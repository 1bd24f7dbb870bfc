"""GraphOfTheGraph: the graph of y, and beside it the graph that its backward pass recorded.

In three acts: the forward graph; the first backward pass, which with `create_graph=True` is itself
recorded, op by op; and a second pass, from the gradient, through both. Without `create_graph` the
second band stays empty and there is no third act.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..graphs.draw import framed
from ..graphs.hairpin import Hairpin, Moment
from ..graphs.numbers import numbers
from ..graphs.protocol import engine_of
from ..graphs.second_order import Ran, Twofold, record_twofold
from ..graphs.style import attributes, css_class, escape
from ..graphs.typed import LONGEST, Typed
from .backward_debugger import caller_names, gradient_html, listed
from .instrument import Instrument, chosen, notice, stop_number
from .svg_view import SvgView
from .twin_graph import plural

ACTS = ("1 forward", "2 backward, recorded", "3 backward through both")


@dataclass(frozen=True)
class Step:
    """One stop: what has happened, what is about to be said of it, and where."""

    act: int
    name: str
    key: str  # of the node it is about
    sentence: str
    moment: Moment


class GraphOfTheGraph(Instrument):
    """Watch a backward pass being recorded, and a second one going back through it.

    Args:
        what: an expression, `"sin(x**2)"`, of at most 200 characters, or a tensor with one number
            that has a graph.
        names: the tensors, by what they are called, `{"x": x}`; by default the caller's own
            variables.
        wrt: the leaf for which the gradient is taken; the first if not given.
        create_graph: whether the first backward pass is recorded.
        controls: of "expression", "create_graph" (a box to tick) and "transport" those to be shown.

    Raises:
        ValueError: the expression is not understood, gives more than one number, or has more
        operations than can be drawn; RuntimeError: the tensor has no graph, in torch's words.

    >>> from autogradlab import tensor
    >>> x = tensor(4.0, requires_grad=True)
    >>> both = GraphOfTheGraph("x**3", {"x": x})
    >>> both.sentence
    'Step 0 of 8. y = x³ is recorded: 1 operation, the first order. No backward pass has run.'
    >>> both.step()
    'Step 1 of 8. PowBackward0 runs and computes x² = 16: recorded, in the second order.'
    >>> both.jump("dy/dx")
    'Step 4 of 8. dy/dx = 48 is there with a graph of its own: 3 operations of the second order.'
    >>> both.jump(8)
    'Step 8 of 8. x received 24: the second derivative, d²y/dx². The pass went through both orders.'
    >>> both.record_backward(False)
    'Step 0 of 2. y = x³ is recorded: 1 operation, the first order. No backward pass has run.'
    >>> both.jump(2)
    'Step 2 of 2. dy/dx = 48 is a number without a graph: a pass back from it raises an error.'
    """

    CONTROLS = ("expression", "create_graph", "transport")
    STATE = MappingProxyType(
        {
            "expression": lambda x: isinstance(x, str) and len(x) <= LONGEST,
            "create_graph": lambda x: isinstance(x, bool),
            "step": Instrument.STATE["step"],
            "selected": Instrument.STATE["selected"],
        }
    )

    def __init__(
        self, what: Any, names: Mapping[str, Any] | None = None, *, wrt: str = "",
        create_graph: bool = True, controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self._shown = chosen(controls, type(self))
        names = caller_names(sys._getframe(1)) if names is None else names
        self.names = {name: x for name, x in names.items() if hasattr(x, "grad_fn")}
        self._wrt, self._widgets = wrt, {}
        self._use(what, create_graph)
        self.controls = self._make_controls()

    # ------------------------------------------------------------------------------- actions

    def write(self, expression: str) -> str:
        """Take another expression of the same tensors; returns the sentence of its start.

        Raises:
            ValueError: it cannot be used; the picture stays as it was.
        """
        self._use(expression, self.create_graph)
        return self.sentence

    def record_backward(self, create_graph: bool) -> str:
        """Whether the first backward pass is recorded; returns the sentence of the start."""
        self._use(self._what, create_graph)
        return self.sentence

    def jump(self, to: int | str) -> str:
        """Go to a stop, by its number or the first of its name; returns its sentence."""
        self.view.step = stop_number([step.name for step in self.steps], to)
        return self.sentence

    def step(self, n: int = 1) -> str:
        """Go `n` steps on, at most to the last; returns the sentence of the step."""
        return self.jump(max(0, min(len(self.steps) - 1, self.view.step + n)))

    def back(self, n: int = 1) -> str:
        """Go `n` steps back, at most to the start; returns the sentence of the step."""
        return self.step(-n)

    # ------------------------------------------------------------------------- what it shows

    @property
    def sentence(self) -> str:
        """The step shown, in words."""
        return self.steps[self.view.step].sentence

    @property
    def summary(self) -> str:
        """Both graphs and what came of them, in words."""
        both = self.both
        first, second = (plural(len(both.of_order(i)), "operation") for i in (1, 2))
        name, value = both.label("g"), numbers(both.gradient)
        told = f"{both.title} records {first}."
        if not both.second:
            return f"{told} {self.steps[-1].sentence.partition('. ')[2]}"
        ran = [self._recorded(each) for each in both.first if each.recorded]
        last = both.second[-1]
        return (
            f"{told} Its backward pass gives {name} = {value} and records {second}: "
            f"{'; '.join(ran)}. The pass back from it ends with {numbers(last.grad_in)} at "
            f"{both.label(last.key)}."
        )

    def _recorded(self, ran: Ran) -> str:
        what = listed([self.both.label(key) for key in ran.recorded])
        return f"{self.both.nodes[ran.key].node.name} {what}"

    def svg(self) -> str:
        """The step shown as a still picture; at the start, both graphs as they will be."""
        drawing = Hairpin(self.both, attributes)
        at = self.view.step or next(i for i, s in enumerate(self.steps) if s.key == "g")
        words = f"The graph of {self.both.title} and the graph of {self.both.label('g')}"
        moment = self.steps[at].moment
        told = self.steps[at].sentence if self.view.step else self.summary
        return framed(drawing.width, drawing.height, words, told, drawing.body(moment))

    # ----------------------------------------------------------------------------- computing

    def _use(self, what: Any, create_graph: bool) -> None:
        """Record both graphs anew; nothing changes where that fails."""
        both = record_twofold(*self._result(what), self._wrt, create_graph)
        self._what, self.both, self.create_graph = what, both, create_graph
        self.expression = what if isinstance(what, str) else ""
        self.title = both.title
        self.steps = steps_of(both, create_graph)
        self._put(self._view())
        for name, widget in self._widgets.items():
            widget.value = getattr(self, name)

    def _result(self, what: Any) -> tuple[Any, dict[str, Any]]:
        """The tensor to look at, and the names of tensors."""
        if not isinstance(what, str):
            return what, self.names
        words = re.findall(r"\w+", what)
        mentioned = [self.names[word] for word in words if word in self.names]
        first = next(iter([*mentioned, *self.names.values()]), None)
        if first is None:
            raise ValueError("there is no tensor to use: give names={'x': x}")
        engine = engine_of(first)
        own = {n: x for n, x in self.names.items() if engine_of(x) is engine}
        result = Typed(what, own, engine).result
        if not getattr(result, "requires_grad", False) or result.grad_fn is None:
            raise ValueError("no operation in it is on a tensor that requires a gradient")
        name = next(n for n in ("y", "z", "u", "result") if n not in words)
        return result, {**own, name: result}

    # -------------------------------------------------------------------------------- widget

    def _view(self) -> SvgView:
        drawing = Hairpin(self.both, css_class)
        keys = [*self.both.nodes]
        edges = self.both.edges
        view = SvgView(
            title="Graph of the Graph",
            expression=self.both.title,
            call=f"create_graph={self.create_graph}",
            tag=self.both.engine,
            look="below" if "transport" in self._shown else "below no-transport",
            view=[round(drawing.width, 1), round(drawing.height, 1)],
            order=[list(each) for each in drawing.places()],
            targets=[
                [k, self._about(k), *(round(c, 1) for c in drawing.centres[k]),
                 *self._near(k, edges)]
                for k in reversed(keys)
            ],
            overlays={k: drawing.overlay(k) for k in keys},
            stops=[step.name for step in self.steps],
            steps_keys=[step.key for step in self.steps],
            sentences=[step.sentence for step in self.steps],
            panels=[self._panel(step) for step in self.steps],
        )  # fmt: skip
        view.set_frames(drawing.parts(step.moment) for step in self.steps)
        return view

    def _put(self, view: SvgView) -> None:
        """Show another view; its timeline may have another length, so the old one goes."""
        before, self.view = self.view, view
        if before is not None and self._box is not None:
            self._box.children = (self._box.children[0], view)
            before.close()

    def _about(self, key: str) -> str:
        """A node in one line."""
        each = self.both.nodes[key]
        order = "second order" if each.order == 2 else "first order"
        parts = [each.node.expression, each.node.name, order]
        if each.by:
            parts.append(f"recorded when {self.both.nodes[each.by].node.name} ran")
        if each.node.value:
            parts.append(f"value {numbers(each.node.value)}")
        return " · ".join(filter(None, parts))

    def _near(self, key: str, edges: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
        """The nodes above and below, for the arrow keys: the second order is upside down."""
        sources = [a for a, b in edges if b == key]
        targets = [b for a, b in edges if a == key]
        return (sources, targets) if self.both.nodes[key].order == 1 else (targets, sources)

    def _panel(self, step: Step) -> str:
        """Which act it is, and what its node does."""
        acts = ACTS if self.create_graph else (ACTS[0], "2 backward, not recorded")
        chips = "".join(
            f"<span class='agl-chip{' agl-set' if i == step.act else ''}'"
            f"{' aria-current=step' if i == step.act else ''}>{act}</span>"
            for i, act in enumerate(acts, 1)
        )
        found = f"<div class='agl-queue'><div>{chips}</div></div>"
        each = self.both.nodes.get(step.key)
        if each is None or not each.node.name:
            return f"<section>{found}</section>"
        ran = self.both.nodes[each.by] if step.act == 2 and each.by else each
        came = step.moment.came.get(ran.key)
        rows = f"<div>received {gradient_html(came)}</div>" if came else ""
        if ran is not each:
            value = escape(numbers(each.node.value)) if each.node.value else "…"
            rows += (
                f"<div>records <b><code>{escape(each.node.label)}</code></b> "
                f"<span class='agl-v'>{value}</span> {escape(each.node.name)}</div>"
            )
        heading = f"{escape(ran.node.name)} <code>{escape(ran.node.label)}</code>"
        order = "second order" if ran.order == 2 else "first order"
        rule = "; ".join(ran.node.rule.split("\n"))
        rule = f"<p class='agl-rule'>rule <code>{escape(rule)}</code></p>" if rule else ""
        return (
            f"<section>{found}</section><section><h3>{heading}<small>{order}, runs</small></h3>"
            f"<div class='agl-queue'>{rows}</div>{rule}</section>"
        )

    def _make_controls(self) -> tuple[Any, ...]:
        """A field for the expression, and a box to tick; what cannot be used is said beside."""
        from ipywidgets import Checkbox, Text

        made: dict[str, Any] = {}
        if "expression" in self._shown and self.expression:
            made["expression"] = Text(
                self.expression, description="expression", continuous_update=False
            )
        if "create_graph" in self._shown:
            made["create_graph"] = Checkbox(
                self.create_graph, description="create_graph", indent=False
            )
        told = notice()
        for name, widget in made.items():
            widget.observe(lambda event, name=name: self._moved(name, event["new"], told), "value")
        self._widgets = made
        return (*made.values(), told) if made else ()

    def _moved(self, name: str, new: Any, told: Any) -> None:
        """A control was used; what cannot be done is said beside it."""
        told.value = ""
        try:
            self._set(name, new)
        except (ValueError, RuntimeError) as error:
            told.value = f"Not used: {str(error).partition(chr(10))[0]}"

    # --------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        if name in ("expression", "create_graph"):
            return getattr(self, name)
        return super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name == "create_graph":
            if value != self.create_graph:
                self.record_backward(value)
        elif name != "expression":
            super()._set(name, value)
        elif value != self.expression:
            if not (self.expression and value):
                raise ValueError("this state does not fit: one of the two has no expression")
            self.write(value)


# ----------------------------------------------------------------------------------- the steps


def steps_of(both: Twofold, create_graph: bool) -> list[Step]:
    """All stops of the timeline, in three acts."""
    one = frozenset(k for k, n in both.nodes.items() if n.order == 1)
    count = plural(len(both.of_order(1)), "operation")
    start = f"{both.title} is recorded: {count}, the first order. No backward pass has run."
    found = [Step(1, "start", "", start, Moment(one))]
    found += first_pass(both, one, create_graph)
    found.append(Step(2, both.label("g"), "g", *gradient_there(both, found, create_graph)))
    found += second_pass(both, found[-1].moment.there)
    last = len(found) - 1
    return [
        Step(s.act, s.name, s.key, f"Step {i} of {last}. {s.sentence}", s.moment)
        for i, s in enumerate(found)
    ]


def first_pass(both: Twofold, one: frozenset[str], create_graph: bool) -> list[Step]:
    """The first backward pass: a step for each operation that is recorded."""
    found: list[Step] = []
    there, came, done, ribbons = set(one), {}, {"y": "done"}, {}
    for ran in both.first:
        name = both.nodes[ran.key].node.name
        came[ran.key] = ran.came
        for edge in both.edges:
            if edge[0] == ran.key and edge[1] in done:
                ribbons[edge] = "now"
        for key in ran.recorded or ("",):
            there.add(key)
            if key:
                value = both.nodes[key].node.value
                equals = f" = {numbers(value)}" if value else ""
                told = f"{name} runs and computes {both.label(key)}{equals}: recorded, in the "
                told += "second order."
            elif create_graph:
                told = f"{name} runs and records nothing: no leaf has a part in what it computes."
            else:
                told = f"{name} runs: it received {numbers(ran.came)}. Nothing is recorded."
            phases = {**done, ran.key: "running"} | ({key: "ready"} if key else {})
            moment = Moment(
                frozenset(there - {""}), phases, key or ran.key, dict(came), dict(ribbons),
                ran.key if key else "", seed=True,
            )  # fmt: skip
            found.append(Step(2, both.label(key or ran.key), key or ran.key, told, moment))
        done[ran.key] = "done"
        ribbons = dict.fromkeys(ribbons, "passed")
    return found


def gradient_there(both: Twofold, before: list[Step], create_graph: bool) -> tuple[str, Moment]:
    """The gradient is there, with or without a graph."""
    name, value = both.label("g"), numbers(both.gradient)
    old = before[-1].moment
    last = {key: "done" for key in old.phases if both.nodes[key].order == 1}
    ribbons = dict.fromkeys(old.ribbons, "passed")
    ribbons |= {edge: "now" for edge in both.edges if edge[0] == both.x and edge[1] in last}
    came = {**old.came, both.x: both.gradient}
    moment = Moment(old.there | {"g"}, last, "g", came, ribbons, seed=True)
    if both.second:
        count = plural(len(both.of_order(2)), "operation")
        told = f"{name} = {value} is there with a graph of its own: {count} of the second order."
    elif create_graph:
        told = f"{name} = {value} is there without a graph: it is the same for every "
        told += f"{both.label(both.x)}, so there is no way back."
    else:
        told = f"{name} = {value} is a number without a graph: a pass back from it raises an error."
    return told, moment


def second_pass(both: Twofold, there: frozenset[str]) -> list[Step]:
    """The pass back from the gradient, a step for each node that runs."""
    runs = {event.key for event in both.second}
    apart = {k: "pruned" for k, n in both.nodes.items() if n.order == 1 and k not in runs}
    found: list[Step] = []
    came, done, ribbons = {}, {"g": "done"}, {}
    for event in both.second:
        key, each, got = event.key, both.nodes[event.key], event.grad_in
        came[key] = got
        ribbons |= {e: "now" for e in both.edges if e[0] == key and e[1] in done}
        phases = {**apart, **done, key: "running"}
        moment = Moment(there, phases, key, dict(came), dict(ribbons))
        told = f"The second pass runs {each.node.name}, {each.node.label}: it received "
        told += f"{numbers(got)}." if got else "nothing."
        if each.order == 1:
            told = told.replace("The second pass runs", "In the first order the second pass runs")
        if each.node.kind in ("leaf", "parameter"):
            told = f"{each.node.label} received {numbers(got)}: {derivative(both, key)}."
            if event is both.second[-1]:
                told += " The pass went through both orders."
        found.append(Step(3, each.node.label, key, told, moment))
        done[key] = "done"
        ribbons = dict.fromkeys(ribbons, "passed")
    return found


def derivative(both: Twofold, key: str) -> str:
    """What the second pass leaves at a leaf."""
    y, x = both.label("g")[1:].split("/d", 1)
    if both.gradient.numel > 1:
        return f"the sum of all second derivatives with this {both.label(key)}"
    if key == both.x:
        return f"the second derivative, d²{y}/d{x}²"
    return f"the mixed derivative, d²{y}/d{x}d{both.label(key)}"
