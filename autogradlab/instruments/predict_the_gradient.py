"""PredictTheGradient: say a gradient first, then see yours, the right one, and the gap.

A question is a small program and one of its leaves. The usual wrong answers are computed from the
recorded pass, with names, so that a wrong number can be told which step it left out.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets

from ..graphs import Recording, record_backward
from ..graphs.draw import draw, gradient_chip, gradient_chip_width, path, svg, text
from ..graphs.layout import RendererMissing
from ..graphs.numbers import number
from ..graphs.style import attributes, escape
from .backward_debugger import caller_names

# Each: leaves with their values, the result, the leaf asked for.
QUESTIONS = (
    ({"a": 3.0}, "a**2", "a"),
    ({"a": 2.0, "b": 5.0}, "3 * a + b", "a"),
    ({"a": 2.0, "b": 4.0, "c": -5.0}, "(a * b + c) ** 2", "a"),
    ({"a": 2.0, "b": 4.0, "c": -5.0}, "(a * b + c) ** 2", "c"),
    ({"a": 3.0, "b": 5.0}, "2 * (a - b)", "b"),
    ({"a": 3.0, "b": 2.0}, "a * a * b", "a"),
    ({"a": 6.0, "b": 2.0}, "(a / b) ** 2", "a"),
    ({"a": -2.0, "b": 3.0}, "(a.relu() + b) ** 2", "a"),
    ({"a": 4.0}, "3 * a.sqrt()", "a"),
    ({"a": 1.0, "b": 3.0}, "torch.maximum(a, b) * b", "b"),
)


@dataclass(frozen=True)
class Question:
    """What is asked, the right answer, and the wrong ones worth naming."""

    title: str  # "L = (ab + c)²"
    given: str  # "a = 2, b = 4, c = −5"
    leaf: str
    right: float
    wrong: tuple[tuple[float, str, str], ...]  # value, name on the line, what to say
    recording: Recording
    pytorch: float | None = None


def ask(recording: Recording, leaf: str, pytorch: float | None = None) -> Question:
    """The question about one leaf of a recorded pass; every tensor in it has one element."""
    nodes = recording.graph.nodes
    key = next(k for k, n in nodes.items() if n.label == leaf)
    event = next(e for e in recording.events if e.key == key)
    right = event.grad_in.mean
    given = ", ".join(
        f"{n.label} = {number(n.value.mean)}"
        for n in nodes.values()
        if n.kind in ("leaf", "parameter")
    )
    wrong = []
    senders = [e for e in recording.events if key in e.grads_out]
    for sender in senders:
        came = sender.grad_in.mean
        for factor in (f for f in sender.factors if f.target == key):
            local, name = factor.local.mean, factor.text.partition(" = ")[2]
            equation = f"{number(came)} × {number(local)} = {number(came * local)}"
            missing = (
                f"The incoming gradient is missing. {number(local)} is {name or 'the slope'}, the "
                f"local derivative; multiply it by the gradient that came in: {equation}."
            )
            alone = (
                f"The local derivative{f', {name},' if name else ''} is missing. {number(came)} is "
                f"the gradient that came in; multiply it by the local derivative: {equation}."
            )
            summed = f"The two are added, but the chain rule multiplies: {equation}."
            wrong += [(local, "local only", missing), (came, "incoming only", alone)]
            wrong.append((came + local, "added", summed))
        for other, sent in sender.grads_out.items():
            if other != key and sent is not None:
                swapped = f"{number(sent.mean)} is what {nodes[other].label} receives"
                wrong.append((sent.mean, "other input", f"{swapped}: the inputs are swapped."))
    if sum(edge.source == key for edge in recording.graph.edges) > 1:
        half = f"{leaf} is used more than once. The gradients of all its uses add up"
        wrong.append((right / 2, "one path", f"{half} to {number(right)}."))
    wrong.append((-right, "sign", f"The size is right and the sign is not: it is {number(right)}."))
    kept: list[tuple[float, str, str]] = []
    for value, name, words in wrong:
        if not same(value, right) and not any(same(value, v) for v, *_ in kept):
            kept.append((value, name, words))
    return Question(recording.graph.title, given, leaf, right, tuple(kept), recording, pytorch)


def same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-6)


def program(engine: Any, leaves: Mapping[str, float], result: str) -> dict[str, Any]:
    """The tensors of a built-in question, made by one engine."""
    space = {name: engine.tensor(value, requires_grad=True) for name, value in leaves.items()}
    out = eval(result, {"torch": engine}, space)  # a program of ours, from the table above
    return {**space, "L": out}


def built_in() -> list[Question]:
    """The ten questions, with PyTorch's own answer where it is installed."""
    ours = importlib.import_module("autogradlab")
    try:
        theirs = importlib.import_module("torch")
    except ImportError:
        theirs = None
    out = []
    for leaves, result, leaf in QUESTIONS:
        names = program(ours, leaves, result)
        pytorch = None
        if theirs is not None:
            twin = program(theirs, leaves, result)
            pytorch = float(theirs.autograd.grad(twin["L"], twin[leaf])[0])
        out.append(ask(record_backward(names["L"], names=names), leaf, pytorch))
    return out


class PredictTheGradient:
    """Ask for gradients and name the mistake in a wrong answer.

    Args:
        root: a tensor of one element, of either engine; without it, ten built-in questions.
        names: what to call its leaves, which have one element each; or give them by keyword; by
            default the caller's own variable names.

    >>> from autogradlab import tensor
    >>> x = tensor(4.0, requires_grad=True)
    >>> quiz = PredictTheGradient(3 * x, x=x)
    >>> quiz.check(1)  # doctest: +ELLIPSIS
    'Not yet. The local derivative, 3, is missing. 1 is the gradient that came in; ... 1 × 3 = 3.'
    >>> quiz.check(3)
    'Right. The gradient at x is 3.'
    """

    def __init__(
        self, root: Any = None, names: Mapping[str, Any] | None = None, **tensors: Any
    ) -> None:
        names = {**(names or {}), **tensors} or caller_names(sys._getframe(1))
        if root is None:
            self.questions = built_in()
        else:
            recording = record_backward(root, names=names)
            nodes = recording.graph.nodes.values()
            leaves = [n for n in nodes if n.kind in ("leaf", "parameter")]
            if any(math.prod(n.shape) != 1 for n in leaves):
                raise ValueError(
                    "PredictTheGradient asks about numbers: give leaves of one element"
                )
            self.questions = [ask(recording, n.label) for n in leaves]
        self.position, self.answers = 0, {}
        self._box: widgets.VBox | None = None

    @property
    def question(self) -> Question:
        """The question shown."""
        return self.questions[self.position]

    @property
    def sentence(self) -> str:
        """The question in words."""
        q = self.question
        return f"Which gradient arrives at {q.leaf}? {q.title} with {q.given}."

    def check(self, answer: Any) -> str:
        """Say what an answer is; never raises, whatever it is given."""
        q = self.question
        try:
            value = float(str(answer).replace("−", "-").replace(",", "."))
        except ValueError:
            return f"Not yet. {str(answer)[:30]!r} is not a number."
        if not math.isfinite(value):
            return "Not yet. The answer is a finite number."
        self.answers[self.position] = value
        if same(value, q.right):
            return f"Right. The gradient at {q.leaf} is {number(q.right)}."
        for wrong, _, words in q.wrong:
            if same(value, wrong):
                return f"Not yet. {words}"
        return f"Not yet. You said {number(value)}; the gradient at {q.leaf} is another number."

    def next(self) -> str:
        """Go to the next question (after the last comes the first); returns it in words."""
        self.position = (self.position + 1) % len(self.questions)
        return self.sentence

    def right(self) -> int:
        """How many questions have a right answer so far."""
        return sum(same(v, self.questions[i].right) for i, v in self.answers.items())

    def gap(self) -> str:
        """The number line after an answer, as SVG: yours, the right one, the usual wrong ones."""
        return number_line(self.question, self.answers[self.position])

    def svg(self) -> str:
        """The graph of the question with its values, as SVG."""
        return draw(self.question.recording.graph)

    def __repr__(self) -> str:
        return f"<PredictTheGradient, {len(self.questions)} questions>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The live widget, the graph as a picture, and the question in words."""
        try:
            picture = {"image/svg+xml": self.svg()}
        except RendererMissing as error:
            return {"text/plain": f"{self.sentence}\n{error}"}
        live = self.widget()._repr_mimebundle_() or {}
        live = live[0] if isinstance(live, tuple) else live
        return {**live, **picture, "text/plain": self.sentence}

    def widget(self) -> widgets.VBox:
        """Question, box, buttons and the gap, as core widgets."""
        if self._box is not None:
            return self._box
        top, gap = widgets.HTML(), widgets.HTML()
        answer = widgets.Text(placeholder="your answer", layout=widgets.Layout(width="140px"))
        check = widgets.Button(description="Check")
        onward = widgets.Button(description="Next question")

        def show() -> None:
            head = f"question {self.position + 1} of {len(self.questions)}, {self.right()} right"
            words = f"<b>Which gradient arrives at {escape(self.question.leaf)}?</b>"
            program = (
                f"<code>{escape(self.question.title)}</code> with {escape(self.question.given)}"
            )
            top.value = f"{page(self.svg())}<p><small>{head}</small><br>{words}<br>{program}</p>"

        def on_check(_: Any) -> None:
            said = self.check(answer.value)
            line = page(self.gap()) if self.position in self.answers else ""
            gap.value = f"{line}<p aria-live='polite'>{escape(said)}</p>"
            show()

        def on_next(_: Any) -> None:
            self.next()
            answer.value, gap.value = "", ""
            show()

        check.on_click(on_check)
        onward.on_click(on_next)
        show()
        row = [answer, check, onward] if len(self.questions) > 1 else [answer, check]
        self._box = widgets.VBox([top, widgets.HBox(row), gap])
        return self._box


def page(picture: str) -> str:
    """A picture on its own light paper, no wider than the page."""
    return f"<div class='agl' style='max-width:100%;overflow:auto'>{picture}</div>"


def number_line(q: Question, said: float) -> str:
    """Yours and the right answer on a line, the gap between them, the usual wrong answers below."""
    pen, width = attributes, 640.0
    marks = [(v, name) for v, name, _ in q.wrong]
    found = same(said, q.right)
    shown = [0.0, said, q.right, *(v for v, _ in marks)] if not found else [0.0, said, q.right]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return 56 + (value - low) / span * (width - 112)

    y, parts = 84.0, []
    parts.append(path(pen, "value edge", f"M40 {y}H{width - 40}"))
    parts.append(path(pen, "value edge", f"M{x(0):.1f} {y - 5}v10"))
    parts.append(text(pen, "small", x(0), y + 18, "0"))
    if not found:
        parts.append(
            path(pen, "octagon", f"M{x(said):.1f} {y - 3}H{x(q.right):.1f}v6H{x(said):.1f}z")
        )
        level = 0
        last = -1e9
        for value, name in sorted(marks):
            level = 1 - level if x(value) - last < 110 else 0
            last = x(value)
            down = y + 40 + 38 * level
            parts.append(path(pen, "divider", f"M{x(value):.1f} {y + 6}V{down - 12}"))
            parts.append(text(pen, "small", x(value), down, number(value)))
            parts.append(text(pen, "note middle", x(value), down + 15, name))
    yours = f"you said {number(said)}"
    right = f"{x(said):.1f}"
    parts.append(path(pen, "running", f"M{right} {y - 8}l8 8-8 8-8-8z"))
    parts.append(text(pen, "note middle", x(said), y - 58 if not found else y - 24, yours))
    if not found:
        parts.append(path(pen, "divider", f"M{right} {y - 48}V{y - 10}"))
    else:
        words = number(q.right)
        chip = gradient_chip_width(words)
        parts.append(gradient_chip(pen, x(q.right) - chip / 2, y + 24, words))
    gap = "no gap" if found else f"gap {number(abs(q.right - said))}"
    pytorch = "" if q.pytorch is None or not found else f", PyTorch {number(q.pytorch)}"
    title = f"{yours}, {gap}" + (f": autogradlab {number(q.right)}{pytorch}" if found else "")
    parts.append(text(pen, "note", 24, 186, title))
    return svg(width, 206, "Your answer on the number line", title, "".join(parts))
