"""GradientDetective: find out from the gradients alone why a network does not learn.

It runs a few training steps and shows the evidence: the loss, what came in at every parameter, what
lay in `.grad`, how far the weights moved. The reader names a suspect; a wrong one is cleared by the
evidence, the right one is shown in the code. For a model of the reader's own there is no solution
to compare with: then it says what the evidence would fit, and nothing where nothing fits.

The evidence is gathered in `graphs.evidence`, read in `graphs.suspects`, drawn in
`graphs.evidence_chart`.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..graphs.draw import corner_marks, framed, path, rectangle, text
from ..graphs.evidence import Evidence, Watched, restored, train_step
from ..graphs.evidence_chart import ROW, WIDTH, EvidenceChart, about
from ..graphs.style import attributes, css_class, escape
from ..graphs.suspects import SUSPECTS, Finding, examine, findings, told
from .instrument import Instrument, chosen, stop_number
from .svg_view import SvgView

LIMIT = 100  # steps that are drawn
ENGINES = {"torch": "PyTorch"}


@dataclass(frozen=True)
class Case:
    """A broken network: how to build it, and what is wrong with it.

    `build` takes an engine and returns a model and a function that does one training step and
    returns the loss. `wrong` is the text in it that has to go, `mended` what stands there instead.
    """

    build: Callable[[Any], tuple[Any, Callable[[], Any]]]
    culprit: str
    wrong: str
    mended: str

    @property
    def title(self) -> str:
        """ "network 1"."""
        return self.build.__name__.replace("_", " ")

    @property
    def source(self) -> str:
        """The code as it is."""
        return textwrap.dedent(inspect.getsource(self.build))

    @property
    def mended_source(self) -> str:
        """The code as it should be."""
        return self.source.replace(self.wrong, self.mended)


class GradientDetective(Instrument):
    """Show the evidence of some training steps, and clear or confirm a suspect.

    Args:
        model: a module of autogradlab or PyTorch; or a `Case`, which has its own.
        step: a function without arguments that does one training step (forward, backward, the
            optimizer's step) and returns the loss. Left out for a case, and for a model whose
            training is watched from outside, `with detective.step():`.
        steps: how many times to run it.
        engine: for a case, the engine to build it on; by default autogradlab.
        controls: of "suspects" (menu and button), "reveal" and "transport" those to be shown; None
            for all.

    The steps are run for real, then everything is put back: weights, `.grad`, buffers, the random
    state, what optimizers remember. What else `step` changes, as the place in a data set, stays
    changed. A step that raises ends the run, and the error is evidence.

    Raises:
        TypeError: this is no model; ValueError: it has no parameters, or `steps` is not 1 to 100.

    >>> import autogradlab as torch
    >>> model = torch.nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> x = torch.ones(4, 1)
    >>> def step():
    ...     loss = (model(x) - 3 * x).square().mean()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> detective = GradientDetective(model, step)
    >>> detective.guess("frozen")
    'It does not fit. A frozen parameter says requires_grad=False, or stays though a gradient \
comes. All 2 that receive one move.'
    >>> print(detective.guess("zero_grad")[:58])
    It would fit: zero_grad is missing. In step 1 a gradient o
    """

    title = "Gradient Detective"
    CONTROLS = ("suspects", "reveal", "transport")
    STATE = MappingProxyType(
        {
            "step": Instrument.STATE["step"],
            "selected": Instrument.STATE["selected"],
            "guessed": lambda x: x in (*SUSPECTS, ""),
            "revealed": lambda x: isinstance(x, bool),
        }
    )

    def __init__(
        self, model: Any, step: Callable[[], Any] | None = None, *, steps: int = 12,
        engine: Any = None, controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        if not 1 <= steps <= LIMIT:
            raise ValueError(f"steps is 1 to {LIMIT}, not {steps}")
        self._shown = chosen(controls, type(self))
        self.case = model if isinstance(model, Case) else None
        if self.case:
            model, step = build(self.case, engine)
        elif step is not None and not callable(step):
            raise TypeError(f"step is a function without arguments, not {type(step).__name__}")
        self.evidence = Evidence(model)
        self.title = self.case.title if self.case else type(model).__name__
        self.guessed, self.revealed, self.verdict = "", False, ""
        self._view: SvgView | None = None
        self._drawn, self._position, self._widgets = 0, 1, {}
        if step is not None:
            with restored(model):
                self._run(step, steps)

    def _run(self, step: Callable[[], Any], steps: int) -> None:
        for _ in range(steps):
            try:
                with train_step(self.evidence) as seen:
                    seen.loss = step()
            except Exception:  # its words are in the evidence
                return

    @contextmanager
    def step(self) -> Iterator[Watched]:
        """Watch one training step of the reader's own, and change nothing.

        What the block gives has a place for the loss: `with detective.step() as now:` and, inside,
        `now.loss = loss`. A step that stops with an exception is kept as far as it came.
        """
        if len(self.evidence.steps) >= LIMIT:
            raise ValueError(f"{LIMIT} steps have been watched, which is as many as can be shown")
        self.guessed, self.revealed, self.verdict = "", False, ""
        with train_step(self.evidence) as seen:
            yield seen

    # --------------------------------------------------------------------------- what is found

    @property
    def findings(self) -> dict[str, Finding]:
        """What the evidence says of every suspect."""
        return findings(self.evidence)

    def hints(self) -> list[Finding]:
        """What the evidence would fit; empty where it is that of a healthy training."""
        return [found for found in self.findings.values() if found.fits]

    def guess(self, suspect: str) -> str:
        """Name a suspect, a key of `suspects`; returns what the evidence says to that.

        Raises:
            ValueError: there is no such suspect.
        """
        found = examine(self.evidence, suspect)
        self.guessed = suspect
        if self.case is None:
            start = f"It would fit: {SUSPECTS[suspect]}." if found.fits else "It does not fit."
            self.verdict = f"{start} {found.words}"
        elif suspect == self.case.culprit:
            self.revealed = True
            self.verdict = f"✓ Right: {SUSPECTS[suspect]}. {found.words}"
        else:
            self.verdict = f"Not yet. {found.words}"
        self._draw()
        return self.verdict

    def reveal(self) -> str:
        """Show the line that is wrong and what should stand there; for a model of the reader's own
        what the evidence would fit. Returns it."""
        if self.case is None:
            self.verdict = self._hints_words()
        else:
            found = examine(self.evidence, self.case.culprit)
            if not (self.revealed and self.guessed == self.case.culprit):
                self.verdict = f"It is this: {SUSPECTS[self.case.culprit]}. {found.words}"
            self.revealed = True
        self._draw()
        return "\n".join([self.verdict, *self.diff()])

    def diff(self) -> list[str]:
        """The lines that go, with "−", and those that come, with "+"; empty until revealed."""
        if self.case is None or not self.revealed:
            return []
        before, after = self.case.source.splitlines(), self.case.mended_source.splitlines()
        gone = [line for line in before if line not in after]
        new = [line for line in after if line not in before]
        return [f"− {line.strip()}" for line in gone] + [f"+ {line.strip()}" for line in new]

    @property
    def suspects(self) -> tuple[str, ...]:
        """Who can be named."""
        return tuple(SUSPECTS)

    def _hints_words(self) -> str:
        steps = plural(len(self.evidence.steps), "step")
        found = self.hints()
        if not found:
            return f"Nothing looks wrong in {steps}. The evidence fits none of the eight suspects."
        words = " Also: ".join(f"{SUSPECTS[each.suspect]}. {each.words}" for each in found)
        return f"The evidence of {steps} would fit: {words}"

    @property
    def sentence(self) -> str:
        """The step that is shown, and what has been said of a guess."""
        return self._sentence(self._at())

    @property
    def summary(self) -> str:
        """What the picture says, in words."""
        return self.sentence if self.evidence.steps else self.trouble

    @property
    def trouble(self) -> str:
        """Why there is no picture."""
        return "" if self.evidence.steps else (
            f"No training step of {self.title} has been seen yet: give a step function, or watch"
            " with `with detective.step():`."
        )  # fmt: skip

    def _sentence(self, step: int) -> str:
        said = told(self.evidence.steps[step], self.evidence, step)
        return " ".join([self.verdict, said]) if self.verdict else said

    # ------------------------------------------------------------------------------- to move it

    def jump(self, to: int) -> str:
        """Show a step, counted from 0; returns its sentence."""
        self._position = stop_number([str(i) for i in range(len(self.evidence.steps))], to)
        if self.view:
            self.view.step = self._position
        return self.sentence

    def forward(self, n: int = 1) -> str:
        """Go `n` steps on, at most to the last; returns the sentence."""
        last = len(self.evidence.steps) - 1
        return self.jump(max(0, min(last, self._at() + n)))

    def back(self, n: int = 1) -> str:
        """Go `n` steps back, at most to the first; returns the sentence."""
        return self.forward(-n)

    def _at(self) -> int:
        """The step that is shown."""
        current = self._view is not None and self._drawn == len(self.evidence.steps)
        return self._view.step if current else min(self._position, len(self.evidence.steps) - 1)

    # ---------------------------------------------------------------------------------- state

    _selected = ""

    def _get(self, name: str) -> Any:
        return getattr(self, name) if name in ("guessed", "revealed") else super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name == "guessed":
            if value:
                self.guess(value)
        elif name == "revealed":
            if value:
                self.reveal()
        else:
            super()._set(name, value)

    # --------------------------------------------------------------------------------- output

    def svg(self) -> str:
        """The step that is shown, as a still picture; the lines of the code once revealed."""
        if not self.evidence.steps:
            raise RuntimeError(self.trouble)
        chart = EvidenceChart(self.evidence, attributes)
        body, height = "".join(chart.parts(self._at())), chart.height
        for line in self.diff():
            body += text(attributes, "row label", 8, height + 8, line)
            height += 20
        return framed(WIDTH, height, f"Gradient Detective: {self.title}", self.sentence, body)

    def __repr__(self) -> str:
        return f"<GradientDetective of {self.title}>"

    # --------------------------------------------------------------------------------- widget

    @property
    def view(self) -> SvgView | None:
        """The widget, made anew when steps have been added; None while there is none."""
        if not self.evidence.steps:
            return None
        if self._view is None or self._drawn != len(self.evidence.steps):
            self._position, self._box = self._at(), None
            self._drawn = len(self.evidence.steps)
            self._view = self._new_view()
            self._draw()
        return self._view

    def _new_view(self) -> SvgView:
        evidence, steps = self.evidence, range(len(self.evidence.steps))
        moves = "transport" in self._shown and len(steps) > 1
        chart = EvidenceChart(evidence, css_class)
        keys = [f"p{i}" for i in range(len(chart.rows))]
        engine = evidence.engine.__name__
        view = SvgView(
            title="Gradient Detective",
            expression=f"{self.title} · {plural(len(evidence.names), 'parameter')}",
            tag=ENGINES.get(engine, engine),
            look="below chart",
            view=[WIDTH, chart.height],
            stops=[str(i) for i in steps] if moves else [],
            steps_keys=[""] * len(steps),
            order=[["", None, None]] * 3,
            targets=[
                [key, about(evidence, row), WIDTH / 2, chart.y(i), keys[max(0, i - 1) : i],
                 keys[i + 1 : i + 2]]
                for i, (key, row) in enumerate(zip(keys, chart.rows, strict=True))
            ],
            overlays=dict.fromkeys(keys, marks()),
            panels=[""] * len(steps),
            sentences=[""] * len(steps),
        )  # fmt: skip
        view.set_frames(chart.parts(step) for step in steps)
        view.step = self._position
        return view

    @property
    def controls(self) -> tuple[Any, ...]:
        """The menu of suspects and its buttons."""
        if not self._widgets:
            from ipywidgets import Button, Dropdown, Layout

            options = [(f"{words}", key) for key, words in SUSPECTS.items()]
            menu = Dropdown(
                options=[("choose a suspect …", ""), *options], value=self.guessed,
                description="suspect", layout=Layout(width="340px"),
            )  # fmt: skip
            check, reveal = Button(description="Check"), Button(description="Reveal")
            check.on_click(lambda button: self._checked(menu.value))
            # ipykernel 7.4 hears a widget in the thread from which it was last spoken to: without
            # this a press of Check could overtake the choice made before it.
            menu.observe(lambda change: check.send_state("description"), "value")
            reveal.on_click(lambda button: self.reveal() and None)
            self._widgets = {"suspects": (menu, check), "reveal": (reveal,)}
        return tuple(w for name in self._shown for w in self._widgets.get(name, ()))

    def _checked(self, suspect: str) -> None:
        if suspect:
            self.guess(suspect)
            return
        self.verdict = "Choose a suspect first."
        self._draw()

    def _draw(self) -> None:
        """Give the widget what depends on guesses."""
        view = self._view
        if view is None:
            return
        steps = range(len(self.evidence.steps))
        with view.hold_sync():
            view.panels = [self._panel()] * len(steps)
            view.sentences = [told(self.evidence.steps[i], self.evidence, i) for i in steps]
            view.revision += 1

    def _panel(self) -> str:
        """What is said of the guess, and the lines of the code."""
        if not self.verdict:
            return ""
        fine = self.verdict.startswith("✓") or self.verdict.startswith("Nothing looks wrong")
        start, _, rest = self.verdict.partition(". " if ". " in self.verdict else ": ")
        lines = "".join(f"<div><code>{escape(line)}</code></div>" for line in self.diff())
        return (
            f"<div class='agl-why{' agl-ok' if fine else ''}' role='status'>"
            f"<b>{escape(start)}.</b><div>{escape(rest)}</div>{lines}</div>"
        )


def build(case: Case, engine: Any = None) -> tuple[Any, Callable[[], Any]]:
    """A case's model and step, in float64, so that both engines show the same numbers."""
    engine = engine or importlib.import_module("autogradlab")
    before, state = engine.get_default_dtype(), engine.get_rng_state()
    engine.set_default_dtype(engine.float64)
    try:
        return case.build(engine)
    finally:
        engine.set_default_dtype(before)
        engine.set_rng_state(state)


def marks() -> str:
    """Selection and focus round a row."""
    x, y = WIDTH / 2 - 3, ROW / 2 - 1
    corners = path(css_class, "corners", corner_marks(x, y))
    ring = rectangle(css_class, "focus", (-x, -y, x, y), 4)
    return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'


def plural(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


