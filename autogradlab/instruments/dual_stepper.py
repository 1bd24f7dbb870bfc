"""DualStepper: a function of x computed on dual numbers, one operation a step. Each carries a value
and a tangent; the derivative is there when the value is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

from ..graphs.draw import Pen, path, rectangle, svg, text, value_chip, value_chip_width
from ..graphs.numbers import number
from ..graphs.style import attributes, css_class, one_line, text_width
from ..graphs.typed import LONGEST
from .duals import Dual, Step, evaluate, steps_of
from .instrument import Instrument, chosen, notice
from .svg_view import SvgView
from .twin_graph import plural

ROW, TOP = 44.0, 32.0  # px; of a row, and where the first begins
NAME, VALUE, TANGENT = 16.0, 176.0, 284.0  # px; left of what stands in a row
RULE = 404.0


def is_expression(x: Any) -> bool:
    """Whether this is short enough a text."""
    return isinstance(x, str) and len(x) <= LONGEST


def is_place(x: Any) -> bool:
    """Whether this is a finite number."""
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


class DualStepper(Instrument):
    """Step through a calculation on dual numbers.

    Args:
        function: an expression in x, such as "x*sin(x)"; or a function of x that uses
            + − * / ** and methods such as `x.sin()`.
        x: where; a number, or a tensor of one element, of either engine.
        tangent: how fast x moves, 1 for the derivative itself.
        controls: of "expression" (a field to type in) and "x" (a slider) those to be shown.

    Raises:
        ValueError: an expression that cannot be read, or has no finite value and derivative at x.

    >>> stepper = DualStepper("x*exp(x) + 2", x=1.0)
    >>> stepper.step(3)
    'Step 3 of 4. v₂ = x·v₁ has the value 2.718 and the tangent 1·2.718 + 1·2.718 = 5.437.'
    >>> stepper.jump(4).partition(". So ")[2], stepper.value, round(stepper.derivative, 3)
    ('y′ = 5.437 at x = 1, after one forward pass.', 4.718281828459045, 5.437)
    """

    CONTROLS = ("expression", "x")
    STATE = MappingProxyType(
        {"expression": is_expression, "x": is_place, "step": Instrument.STATE["step"]}
    )

    def __init__(
        self, function: str | Callable[[Any], Any] = "x*sin(x)", x: Any = 3.0, *,
        tangent: float = 1.0, controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        shown = chosen(controls, type(self))
        self.expression = function if isinstance(function, str) else ""
        self._function, self.x, self.tangent = function, float(x), float(tangent)
        self.steps = self._computed(function, self.x)
        self.controls = ()
        self.view = self._view()
        self.controls = self._make_controls(shown)

    def _computed(self, function: str | Callable[[Any], Any], at: float) -> list[Step]:
        x = Dual(at, self.tangent)
        y = evaluate(function, x) if isinstance(function, str) else function(x)
        return steps_of(y, x)

    # ------------------------------------------------------------------------------- the steps

    @property
    def title(self) -> str:
        """What is computed: "y = x*sin(x)"."""
        return one_line(f"y = {self.expression or 'f(x)'}")

    @property
    def value(self) -> float:
        """The value of the whole."""
        return self.steps[-1].value

    @property
    def derivative(self) -> float:
        """The tangent of the whole: for the tangent 1 of x, the derivative."""
        return self.steps[-1].tangent

    @property
    def sentence(self) -> str:
        """The step shown, in words."""
        return self._sentence(self.view.step)

    @property
    def summary(self) -> str:
        """The whole calculation, in words."""
        return (
            f"{self.title} at x = {number(self.x)}: value {number(self.value)}, tangent "
            f"{number(self.derivative)}, in {plural(len(self.steps) - 1, 'operation')}."
        )

    def jump(self, to: int) -> str:
        """Go to a step, 0 to the last; returns its sentence."""
        if not 0 <= to <= len(self.steps):
            raise ValueError(f"there is no step {to}: there are 0 to {len(self.steps)}")
        self.view.step = to
        return self.sentence

    def step(self, n: int = 1) -> str:
        """Go `n` steps on, at most to the last; returns the sentence of the step."""
        return self.jump(max(0, min(len(self.steps), self.view.step + n)))

    def back(self, n: int = 1) -> str:
        """Go `n` steps back, at most to the start; returns the sentence of the step."""
        return self.step(-n)

    def set(
        self, function: str | Callable[[Any], Any] | None = None, x: float | None = None
    ) -> str:
        """Another function, another x, or both; returns the sentence.

        Raises:
            ValueError: what cannot be read or computed; all stays as it was.
        """
        function = self._function if function is None else function
        at = self.x if x is None else float(x)
        steps = self._computed(function, at)
        names = [step.sign for step in self.steps]
        self._function, self.x, self.steps = function, at, steps
        self.expression = function if isinstance(function, str) else ""
        if names == [step.sign for step in steps]:
            self._fill(self.view)
        else:  # the transport has another number of stops: a new view in the old place
            self.view = self._view()
            if self._box is not None:
                self._box.children = (self._box.children[0], self.view)
        for control in self.controls:  # they say the same, whoever changed it
            if control.description == "x =":
                control.min, control.max = min(control.min, at), max(control.max, at)
                control.value = at
            elif control.description == "y =" and self.expression:
                control.value = self.expression
        return self.sentence

    def _sentence(self, shown: int) -> str:
        if not shown:
            count = plural(len(self.steps) - 1, "operation")
            return f"{self.title} at x = {number(self.x)}, in {count}. No step has run."
        step, last = self.steps[shown - 1], len(self.steps)
        start = f"Step {shown} of {last}."
        tangent = number(step.tangent)
        if shown == 1:
            value = number(step.value)
            words = f"{start} x has the value {value} and the tangent {tangent}, the seed."
        else:
            sum_ = "" if step.numbers == tangent else f"{step.numbers} = "
            words = (
                f"{start} {step.name} = {step.made} has the value {number(step.value)} and the "
                f"tangent {sum_}{tangent}."
            )
        end = f" So y′ = {tangent} at x = {number(self.x)}, after one forward pass."
        return words + (end if shown == last else "")

    # ---------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        return self.view.step if name == "step" else getattr(self, name)

    def _set(self, name: str, value: Any) -> None:
        if name == "step":
            super()._set(name, value)
        elif name == "x":
            self.set(x=value)
        elif value:
            self.set(value)

    # -------------------------------------------------------------------------------- picture

    def svg(self) -> str:
        """The calculation with all its steps, as a still picture."""
        last = len(self.steps)
        parts = [self._heads(attributes)]
        for i in range(last):
            row = self._row(attributes, i, last + 1)
            parts.append(f'<g transform="translate(0 {self._y(i):g})">{row}</g>')
        return svg(*self._size, self.title, self.summary, "".join(parts))

    @property
    def _size(self) -> tuple[float, float]:
        lines = [line for step in self.steps for line in _lines(step)]
        width = max(690.0, RULE + 16 + max(text_width(line, 12) for line in lines))
        return width, TOP + ROW * len(self.steps) + 8

    def _y(self, i: int) -> float:
        return TOP + ROW * (i + 0.5)

    def _heads(self, pen: Pen) -> str:
        heads = {NAME: "step", VALUE: "value", TANGENT: "tangent, times ε", RULE: "the rule"}
        line = path(pen, "divider", f"M12 {TOP - 6:g}H{self._size[0] - 12:g}")
        return line + "".join(text(pen, "column", x, 14, words) for x, words in heads.items())

    def _row(self, pen: Pen, i: int, shown: int) -> str:
        """A step: still to come, now, or done."""
        step, width = self.steps[i], self._size[0]
        made = f"{step.name} = {step.made}"
        room = int((VALUE - NAME - 8) / text_width("x", 12))
        made = made if len(made) <= room else f"{made[: room - 1]}…"
        now, ahead = shown == i + 1, shown < i + 1
        style = f"row label{' waiting' if ahead else ' strong' if now else ''}"
        parts = [text(pen, style, NAME, 0, made)]
        if now:
            box = (4, -ROW / 2 + 3, width - 4, ROW / 2 - 3)
            parts.insert(0, rectangle(pen, "row now", box, 4))
        if ahead:
            parts += [rectangle(pen, "pill", (x, -10, x + 64, 10), 2) for x in (VALUE, TANGENT)]
            return "".join(parts)
        words = number(step.value)
        plus = VALUE + value_chip_width(words) + 10
        parts.append(value_chip(pen, VALUE, 0, words))
        parts.append(path(pen, "sign", f"M{plus - 4:g} 0h8M{plus:g} -4v8"))
        parts.append(_tangent_chip(pen, TANGENT, number(step.tangent), now))
        rule = "dual rule now" if now else "dual rule"
        lines = _lines(step)
        for k, line in enumerate(lines):
            parts.append(text(pen, rule, RULE, 18 * k - 9 * (len(lines) - 1), line))
        return "".join(parts)

    # --------------------------------------------------------------------------------- widget

    def _view(self) -> SvgView:
        view = SvgView(title="Dual-Number Stepper", look="below chart", tag="forward mode")
        self._fill(view)
        return view

    def _fill(self, view: SvgView) -> None:
        """Give the widget all its steps."""
        rows, count = range(len(self.steps)), len(self.steps) + 1
        width = self._size[0]
        keys = [f"s{i}" for i in rows]
        half, high = width / 2 - 3, ROW / 2 - 1
        ring = rectangle(css_class, "focus", (-half, -high, half, high), 4)
        marks = f'<g class="agl-mark-focus">{ring}</g>'  # the spotlight is the selection
        hit = rectangle(css_class, "row hit", (0, -ROW / 2, width, ROW / 2))
        with view.hold_sync():
            view.view = list(self._size)
            view.targets = [
                [key, f"{self.steps[i].name} = {self.steps[i].made}", width / 2, self._y(i),
                 keys[i - 1 : i] if i else [], keys[i + 1 : i + 2]]
                for i, key in enumerate(keys)
            ]  # fmt: skip
            view.overlays = dict.fromkeys(keys, marks)
            view.choices = {key: i + 1 for i, key in enumerate(keys)}
            view.order = [["", None, None], *([key, 0.0, self._y(i)] for i, key in enumerate(keys))]
            heads = self._heads(css_class)
            view.set_frames(
                [heads, *(hit + self._row(css_class, i, shown) for i in rows)]
                for shown in range(count)
            )
            view.expression = f"{self.title[:60]} at x = {number(self.x)}"
            view.panels = [""] * count
            view.sentences = [self._sentence(shown) for shown in range(count)]
            view.stops = ["start", *(step.sign for step in self.steps)]
            view.steps_keys = ["", *keys]
            view.revision += 1

    def _make_controls(self, shown: tuple[str, ...]) -> tuple[Any, ...]:
        """A field and a slider; what cannot be computed is said beside them."""
        from ipywidgets import FloatSlider, Text

        told = notice()

        def change(**new: Any) -> None:
            try:
                self.set(**new)
            except ValueError as error:
                told.value = str(error)
            else:
                told.value = ""

        made: list[Any] = []
        if "expression" in shown and self.expression:
            field = Text(self.expression, description="y =", continuous_update=False)
            field.observe(lambda event: change(function=event["new"]), "value")
            made.append(field)
        if "x" in shown:
            low, high = min(-5.0, self.x), max(5.0, self.x)
            slider = FloatSlider(self.x, min=low, max=high, step=0.1, description="x =")
            slider.observe(lambda event: change(x=event["new"]), "value")
            made.append(slider)
        return (*made, told) if made else ()


def _lines(step: Step) -> list[str]:
    """The rule in letters, and below it in numbers."""
    if not step.numbers:
        return [f"{step.name}′ = {step.rule}, the seed"]
    return [f"{step.name}′ = {step.rule}", f"= {step.numbers}"]


def _tangent_chip(pen: Pen, x: float, words: str, now: bool) -> str:
    """A tangent travels with its value: square like it, with a cap that bears ε."""
    width = text_width(words, 12) + 34
    style = "dual chip now" if now else "dual chip"
    return (
        rectangle(pen, style, (x, -10, x + width, 10), 2)
        + rectangle(pen, "dual cap", (x, -10, x + 20, 10), 2)
        + text(pen, "dual epsilon", x + 10, 0, "ε")
        + text(pen, "number", x + 20 + (width - 20) / 2, 0, words)
    )
