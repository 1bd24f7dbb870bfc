"""PredictTheGradient: say a gradient first, then see yours, the right one, and the gap.

What is asked and which wrong answers have names is in questions.py; here are the answers so far,
the words for them, and the page of the widget.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..graphs.draw import Drawing, Look, look_at_arrival, look_before, svg, text
from ..graphs.layout import RendererMissing
from ..graphs.number_line import Mark, number_line
from ..graphs.numbers import number, numbers
from ..graphs.style import attributes, css_class, escape, text_width
from .backward_debugger import caller_names, listed, places
from .instrument import Instrument, chosen
from .questions import (
    Chips,
    Question,
    built_in,
    explain,
    questions_of,
    read,
    same,
    written,
)
from .svg_view import SvgView


def is_answers(x: Any) -> bool:
    """Whether this is what a state keeps: answers as text, by the number of the question."""
    return isinstance(x, dict) and all(
        isinstance(key, str) and key.isdecimal() and isinstance(answer, str)
        for key, answer in x.items()
    )


@dataclass(frozen=True, eq=False)
class Verdict:
    """What is said of one answer."""

    typed: str
    values: np.ndarray | None  # None when the answer could not be read
    right: bool
    title: str  # "The incoming gradient is missing."
    reason: str
    repair: Chips
    sentence: str

    def __str__(self) -> str:
        start = "Right." if self.right else "Not yet."
        equation = " ".join(words for _, words in self.repair)
        parts = (start, self.title, self.reason, equation and f"{equation}.")
        return " ".join(part for part in parts if part)


def judge(answer: Any, question: Question) -> Verdict:
    """What is to be said of an answer."""
    typed, said, leaf = str(answer), read(answer, question), question.leaf
    if isinstance(said, str):
        return Verdict(typed, None, False, said, "", (), f"Not yet. {said}")
    is_ = f"The gradient at {leaf} is {question.words}."
    if same(said, question.right).all():
        others = listed([engine for engine, _ in question.answers])
        sentence = f"Right. {is_[:-1]}: your answer and that of {others} are the same."
        return Verdict(typed, said, True, is_, "", question.repair, sentence)
    gap = f"Not yet. You said {written(said)}, the gradient at {leaf} is {question.words}."
    mistake = explain(said, question)
    if mistake is None:
        hint = "The gradient comes about like this:" if question.repair else is_
        title = "This is none of the usual mistakes."
        return Verdict(typed, said, False, title, hint, question.repair, gap)
    return Verdict(
        typed, said, False, mistake.title, mistake.reason, mistake.repair,
        f"{gap} {mistake.summary}",
    )  # fmt: skip


class PredictTheGradient(Instrument):
    """Ask for gradients and name the mistake in a wrong answer.

    Args:
        root: a tensor of either engine; without it, ten built-in questions.
        names: what to call its leaves, which have up to 8 elements each; or give them by keyword;
            by default the caller's own variable names.
        gradient: what `root.backward(gradient=…)` would get; may be left out for one element.
        controls: which of "navigation" (back and next) and "reason" (the name of the mistake and
            its repair) are shown; by default both.

    Raises:
        what `root.backward(gradient)` raises; ValueError for a leaf of more elements.

    >>> from autogradlab import tensor
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> quiz = PredictTheGradient(3 * x, x=x, gradient=[1.0, 10.0])
    >>> quiz.check("3, 3")  # doctest: +ELLIPSIS
    'Not yet. The incoming gradient is missing. [3, 3] is the local derivative ... = [3, 30].'
    >>> quiz.check([3, 30])
    'Right. The gradient at x is [3, 30]. [1, 10] × [3, 3] = [3, 30].'
    """

    CONTROLS = ("navigation", "reason")
    STATE = MappingProxyType({"answers": is_answers, "position": Instrument.STATE["step"]})

    def __init__(
        self, root: Any = None, names: Mapping[str, Any] | None = None, gradient: Any = None,
        *, controls: Iterable[str] | None = None, **tensors: Any,
    ) -> None:  # fmt: skip
        self.shown = chosen(controls, type(self))
        names = {**(names or {}), **tensors} or caller_names(sys._getframe(1))
        self.questions = built_in() if root is None else questions_of(root, names, gradient)
        self.position = 1
        self.verdicts: dict[int, Verdict] = {}  # by position, the answers on show
        self._tried: set[int] = set()
        self._solved: set[int] = set()
        self.view, self.trouble = None, ""
        try:
            self.view = SvgView(title="Predict the Gradient")
            self._show()
        except RendererMissing as error:
            self.view, self.trouble = None, str(error)
        else:
            self.view.on_msg(lambda view, content, buffers: self._on_form(**content))

    @property
    def question(self) -> Question:
        """The question shown."""
        return self.questions[self.position - 1]

    @property
    def verdict(self) -> Verdict | None:
        """What is said of the answer shown; None before there is one."""
        return self.verdicts.get(self.position)

    @property
    def sentence(self) -> str:
        """The question, or what is said of the answer, in words."""
        q = self.question
        if self.verdict:
            return self.verdict.sentence
        asked = f"Which gradient arrives at {q.leaf}? {q.recording.graph.title} with {q.given}."
        return f"{self.counter.capitalize()}. {asked}"

    summary = sentence

    @property
    def counter(self) -> str:
        """Which of how many questions is shown."""
        count = len(self.questions)
        return f"question {self.position} of {count}" if count > 1 else "one question"

    def check(self, answer: Any) -> str:
        """Say what an answer is: a number, several as `[3, 5]` or "3, 5", or a tensor.

        Never raises, whatever it is given.
        """
        verdict = self.verdicts[self.position] = judge(answer, self.question)
        if verdict.values is not None:
            self._tried.add(self.position)
        if verdict.right:
            self._solved.add(self.position)
        self._show()
        return str(verdict)

    def try_again(self) -> str:
        """Take the answer away; returns the question."""
        self.verdicts.pop(self.position, None)
        self._show()
        return self.sentence

    def jump(self, to: int) -> str:
        """Go to a question, by its number from 1; returns it in words."""
        if not 1 <= to <= len(self.questions):
            raise ValueError(f"there is no question {to}: there are 1 to {len(self.questions)}")
        self.position = to
        self._show()
        return self.sentence

    def next(self) -> str:
        """Go to the next question (after the last comes the first); returns it in words."""
        return self.jump(self.position % len(self.questions) + 1)

    def back(self) -> str:
        """Go to the question before (before the first comes the last); returns it in words."""
        return self.jump((self.position - 2) % len(self.questions) + 1)

    def right(self) -> int:
        """How many questions have had a right answer so far."""
        return len(self._solved)

    def open(self) -> int:
        """How many questions have been tried without a right answer so far."""
        return len(self._tried - self._solved)

    # --------------------------------------------------------------------------------- output

    @property
    def look(self) -> Look:
        """The graph: as far as the pass has come, or with the gradient once it is found."""
        q, found = self.question, self.verdict and self.verdict.right
        return (look_at_arrival if found else look_before)(q.recording, q.key)

    def svg(self) -> str:
        """The question as a still picture, and below it the number line once there is an answer."""
        q, pen = self.question, attributes
        drawing = Drawing(q.recording.graph, q.recording, cups=False)
        given = f"{q.recording.graph.title} with {q.given}"
        line = line_of(q, self.verdict, pen)
        asked = f"Which gradient arrives at {q.leaf}?"
        # The title is bold, so wider than the table of widths says.
        wide = [1.25 * text_width(asked, 14, mono=False), text_width(given, 12, mono=False)]
        width, top = max(drawing.width, line[0] if line else 0.0, *wide) + 48, 76.0
        x, y = drawing.centres[q.key]
        corners = drawing.overlay(q.key, ("corners",))
        made = [
            text(pen, "title", 24, 30, asked),
            text(pen, "note", 24, 54, given),
            f'<g transform="translate({(width - drawing.width) / 2:.1f} {top:g})">',
            f'{drawing.body(self.look)}<g transform="translate({x:.1f} {y:.1f})">{corners}</g></g>',
        ]
        height = top + drawing.height + 16
        if line:
            at = f"translate({(width - line[0]) / 2:.1f} {height:g})"
            made.append(f'<g transform="{at}">{line[2]}</g>')
            height += line[1]
        title = f"Predict the gradient of {q.leaf}"
        return svg(width, height, title, self.sentence, "".join(made))

    def __repr__(self) -> str:
        count = len(self.questions)
        return f"<PredictTheGradient, {count} question{'s' if count > 1 else ''}>"

    # ---------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        if name == "position":
            return self.position
        return {str(place): verdict.typed for place, verdict in self.verdicts.items()}

    def _set(self, name: str, value: Any) -> None:
        places = [value] if name == "position" else list(map(int, value))
        if any(not 1 <= place <= len(self.questions) for place in places):
            raise ValueError(f"this state does not fit: there are {len(self.questions)} questions")
        for place in places:
            self.jump(place)
            if name == "answers":
                self.check(value[str(place)])

    # --------------------------------------------------------------------------------- widget

    def _on_form(self, button: str, answer: str) -> None:
        """A button of the form was pressed; Enter in the answer box presses the first."""
        if button == "next":
            self.next()
        elif button == "back":
            self.back()
        elif self.verdict and not self.verdict.right and answer == self.verdict.typed:
            self.try_again()
        else:
            self.check(answer)

    def _show(self) -> None:
        """Give the widget all that it shows now."""
        if self.view is None:
            return
        q = self.question
        drawing = Drawing(q.recording.graph, q.recording, pen=css_class, cups=False)
        with self.view.hold_sync():
            for name, trait in places(drawing).items():
                setattr(self.view, name, trait)
            self.view.set_frames([parts(drawing, self.look, q.key)])
            self.view.expression = self.counter
            self.view.tag = f"{self.right()} right, {self.open()} open"
            several = len(self.questions) > 1 and "navigation" in self.shown
            self.view.panels = [page(q, self.verdict, several, "reason" in self.shown)]
            self.view.sentences = [unbroken(self.sentence)]
            self.view.revision += 1


def parts(drawing: Drawing, look: Look, asked: str) -> list[str]:
    """The markup of edges, nodes and chips, with corners round the node that is asked about."""
    edges = range(len(drawing.graph.edges))
    nodes = {key: drawing.node(key, look) for key in drawing.graph.nodes}
    nodes[asked] += drawing.overlay(asked, ("corners",))
    chips = (drawing.value(i) + drawing.gradient(i, look) for i in edges)
    return [*(drawing.edge(i, look) for i in edges), *nodes.values(), *chips]


def page(q: Question, verdict: Verdict | None, several: bool, reason: bool) -> str:
    """The panel: the question, the form, and what is said of the answer."""
    title, leaf = escape(q.recording.graph.title), escape(q.leaf)
    program = f"<code>{title}</code> with {escape(unbroken(f'{q.given}. {reached(q)}'))}"
    wide = 112 if q.right.size == 1 else 200
    keys = "data-lm-suppress-shortcuts='true'"
    typed = escape(verdict.typed) if verdict else ""
    shape = "a number" if q.right.ndim == 0 else f"{q.right.size} numbers"
    found = verdict is not None and verdict.right
    start = "" if verdict else " data-focus"
    hint = f"placeholder='{shape}' autocomplete='off' spellcheck='false' style='width:{wide}px'"
    word = "Try again" if verdict and not found else "Check"
    first, last = (" class='agl-primary'", "")[:: -1 if found and several else 1]
    ways = (
        f"<span><button name='back' {keys}>Back</button>"
        f"<button name='next'{last} {keys}>Next question</button></span>"
    )
    return (
        f"<section><h3 class='agl-question'>Which gradient arrives at <code>{leaf}</code>?</h3>"
        f"<p>{program}</p><form><label>your answer "
        f"<input name='answer' value='{typed}' {hint} {keys}{start}></label>"
        f"<button name='check'{first} {keys}>{word}</button>{ways if several else ''}</form>"
        f"{said(q, verdict, reason) if verdict else ''}</section>"
    )


def reached(q: Question) -> str:
    """How far the pass has come: "The gradient 6 has reached a·b."."""
    graph, look = q.recording.graph, look_before(q.recording, q.key)
    events = {e.key: e for e in q.recording.events}
    senders = dict.fromkeys(e.target for e in graph.edges if e.source == q.key)
    ready = [k for k in senders if k in events and look.nodes[k].phase == "ready"]
    came: dict[str, list[str]] = {}
    for k in ready:
        came.setdefault(numbers(events[k].grad_in), []).append(graph.nodes[k].label)
    parts = [f"{words} has reached {listed(labels)}" for words, labels in came.items()]
    return f"The gradient {listed(parts)}." if parts else ""


def said(q: Question, verdict: Verdict, reason: bool) -> str:
    """The answer beside the right one, and what can be said of it."""
    if verdict.values is None:
        return why(verdict)
    line, told = line_of(q, verdict, css_class), why(verdict) if reason or verdict.right else ""
    if line is None:
        return table(q, verdict.values) + told
    width, height, body = line
    picture = (
        f"<svg class='agl-line' viewBox='0 0 {width:g} {height:g}' role='img' "
        f"aria-label='number line from your number to the gradient'>{body}</svg>"
    )
    mine = [f"<span>you said <b>{escape(written(verdict.values))}</b></span>"]
    theirs = [f"<span>{e} {chip(numbers(s))}</span>" for e, s in q.answers]
    return f"{picture}<div class='agl-answers'>{''.join(mine + theirs)}</div>{told}"


def unbroken(text: str) -> str:
    """The text with no line break inside brackets.

    >>> ascii(unbroken("a = [2, 3]"))
    "'a = [2,\\\\xa03]'"
    """
    return re.sub(r"\[[^]]*\]", lambda found: found[0].replace(" ", "\xa0"), text)


def chip(words: str) -> str:
    return f"<span class='agl-g'>{escape(words)}</span>"


def line_of(q: Question, verdict: Verdict | None, pen: Any) -> tuple[float, float, str] | None:
    """The number line; None where there is nothing to place on one."""
    if verdict is None or verdict.values is None or q.right.ndim or not np.isfinite(q.right):
        return None
    # The gradient with its sign turned would take half of the line for itself.
    shown = [m for m in q.mistakes if m.name != "sign" or same(verdict.values, m.values)]
    usual = [Mark(m.values.item(), m.formula, m.name) for m in shown]
    signs = {words for kind, words in q.repair if kind == "sign"}
    name = "all paths" if "+" in signs else "both" if "×" in signs else ""
    return number_line(pen, verdict.values.item(), Mark(q.right.item(), q.formula, name), usual)


def table(q: Question, values: np.ndarray) -> str:
    """Element by element: yours, the engines', the gap, and the mistake that makes this number;
    below, the usual wrong answers in full."""
    agrees = same(values, q.right)
    engines = [(engine, np.array(summary.values)) for engine, summary in q.answers]
    head = ["element", "you", *(engine for engine, _ in engines), "gap", "which is"]
    rows = []
    for where in np.ndindex(q.right.shape):
        place = q.leaf + "".join(f"[{i}]" for i in where)
        if agrees[where]:
            gap, note = "0", "✓ right"
        else:
            gap = number(abs(q.right[where] - values[where]))
            fits = (m.name for m in q.mistakes if same(values, m.values)[where])
            note = next(fits, "another number")
        cells = [f"<code>{escape(place)}</code>", f"<b>{number(values[where])}</b>"]
        cells += [chip(number(grads[where])) for _, grads in engines]
        rows.append([*cells, f"<code>{gap}</code>", note])
    usual = "".join(
        f"<tr><td><code>{escape(written(m.values))}</code></td><td>{m.name}</td></tr>"
        for m in q.mistakes
    )
    lines = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in rows)
    names = "".join(f"<th>{name}</th>" for name in head)
    usual = f"<h4>The usual wrong answers</h4><table>{usual}</table>" if usual else ""
    return f"<table class='agl-gaps'><tr>{names}</tr>{lines}</table>{usual}"


def why(verdict: Verdict) -> str:
    """The diagnosis in a box: the mistake's name, the reason, the repair as an equation."""
    kinds = {"gradient": "agl-g", "value": "agl-v", "sign": ""}
    equation = " ".join(
        f"<span class='{kinds[kind]}'>{escape(words)}</span>" for kind, words in verdict.repair
    )
    equation = equation and f"<span class='agl-repair'>{equation}</span>"
    tone = " agl-ok" if verdict.right else ""
    sign = "✓ " if verdict.right else ""
    reason = escape(unbroken(verdict.reason))
    return (
        f"<div class='agl-why{tone}'><b>{sign}{escape(verdict.title)}</b>"
        f"<div>{reason} {equation}</div></div>"
    )
