"""TrainStepInspector: a few weights, their gradients and their momentum at each stop of a training
step, with what the stop changed marked and its arithmetic in full.

The numbers are those of the engine: the step is run on copies by its own `optim.SGD`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..graphs.draw import (
    Pen,
    corner_marks,
    framed,
    gradient_chip,
    none_pill,
    path,
    rectangle,
    text,
    value_chip,
)
from ..graphs.numbers import number, numbers
from ..graphs.protocol import array_of, engine_of, summarize
from ..graphs.style import attributes, css_class, text_width
from ..graphs.tree import cut
from .backward_debugger import listed
from .instrument import Instrument, chosen, stop_number
from .svg_view import SvgView

WIDTH, TOP, ROW, LINE = 692, 32, 48, 22  # px
COLUMNS = {"weight": 112, "momentum": 300, "grad": 508}  # left sides of the chips
ENDS = {"weight": 284, "momentum": 492, "grad": 690}  # right sides of the columns
HALF = 346  # px: where the second line of an element begins, if both fit
ELEMENTS = 4  # lines of arithmetic
PARAMETERS = 6
LONGEST = 20  # characters in a chip
LR = (1e-4, 10.0)


@dataclass(frozen=True)
class Moment:
    """All numbers at one stop, by the name of the parameter."""

    stop: str  # "start", "forward", "backward", "step" or "zero_grad"
    round: int  # from 1 on
    loss: float | None
    weight: dict[str, np.ndarray]
    momentum: dict[str, np.ndarray | None]
    grad: dict[str, np.ndarray | None]


def train(
    loss: Callable[..., Any], parameters: Mapping[str, Any],
    lr: float, momentum: float, zero_grad: bool, rounds: int,
) -> list[Moment]:  # fmt: skip
    """Run training steps on copies of the parameters; everything at each stop.

    >>> from autogradlab import tensor
    >>> w = tensor(2.0, requires_grad=True)
    >>> [(m.stop, float(m.weight["w"])) for m in train(lambda w: w * w, {"w": w}, 0.5, 0, False, 1)]
    [('start', 2.0), ('forward', 2.0), ('backward', 2.0), ('step', 0.0), ('zero_grad', 0.0)]
    """
    engine = engine_of(next(iter(parameters.values())))
    own = {n: p.detach().clone().requires_grad_(p.requires_grad) for n, p in parameters.items()}
    sgd = engine.optim.SGD(list(own.values()), lr=lr, momentum=momentum)
    moments: list[Moment] = []
    found: float | None = None

    def keep(stop: str, round: int) -> None:
        held = {n: sgd.state[p].get("momentum_buffer") if p in sgd.state else None
                for n, p in own.items()}  # fmt: skip
        copy = lambda x: None if x is None else array_of(x).copy()  # noqa: E731
        moments.append(
            Moment(
                stop, round, found,
                {n: copy(p) for n, p in own.items()},
                {n: copy(x) for n, x in held.items()},
                {n: copy(p.grad) for n, p in own.items()},
            )
        )  # fmt: skip

    keep("start", 1)
    for i in range(1, rounds + 1):
        result = loss(*own.values())
        found = float(array_of(result).sum())
        keep("forward", i)
        result.backward()
        keep("backward", i)
        sgd.step()
        keep("step", i)
        if zero_grad:
            sgd.zero_grad()
        keep("zero_grad", i)  # left out, it is a stop all the same: that the gradients stay is seen
    return moments


class TrainStepInspector(Instrument):
    """See what forward, backward, step and zero_grad each change.

    Args:
        loss: a function of the parameters, in their order, that returns the loss, a tensor with one
            element.
        parameters: one to six tensors of autogradlab or PyTorch by name. They are copied; what is
            given stays as it is.
        lr, momentum, zero_grad: how to step, and whether to empty the gradients after it.
        rounds: how many training steps, 1 to 5.
        controls: of "lr", "momentum" and "zero_grad" those to be shown; None for all.

    Raises:
        TypeError: no tensors; ValueError: too many, or numbers out of range; what `loss` and its
        `backward()` raise.

    >>> from autogradlab import tensor
    >>> w = tensor(2.0, requires_grad=True)
    >>> inspector = TrainStepInspector(lambda w: (3 * w - 1) ** 2, {"w": w})
    >>> inspector.jump("forward")
    'Forward. The loss is 25; no weight, gradient or momentum changes.'
    >>> inspector.step(2)
    'Step. v ← 0.9·v + g, then w ← w − 0.01·v: the weight w moves by −0.3.'
    >>> inspector.lines()
    ['v = 0.9 · 0 + 30 = 30', 'w = 2 − 0.01 · 30 = 1.7']
    """

    CONTROLS = ("lr", "momentum", "zero_grad")
    STATE = MappingProxyType(
        {
            "lr": lambda x: is_number(x) and LR[0] <= x <= LR[1],
            "momentum": lambda x: is_number(x) and 0 <= x <= 0.99,
            "zero_grad": lambda x: isinstance(x, bool),
            "step": Instrument.STATE["step"],
            "selected": Instrument.STATE["selected"],
        }
    )

    def __init__(
        self, loss: Callable[..., Any], parameters: Mapping[str, Any], *, lr: float = 0.01,
        momentum: float = 0.9, zero_grad: bool = True, rounds: int = 2,
        controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        shown = chosen(controls, type(self))
        self.names = [str(name) for name in parameters]
        if not 1 <= len(self.names) <= PARAMETERS:
            raise ValueError(f"give one to {PARAMETERS} tensors, not {len(self.names)}")
        if not 1 <= rounds <= 5:
            raise ValueError(f"rounds is 1 to 5, not {rounds}")
        engines = {engine_of(p).__name__ for p in parameters.values()}
        if len(engines) > 1:
            raise TypeError("the tensors are of two engines")
        self.engine = "PyTorch" if engines == {"torch"} else "autogradlab"
        self.title = listed(self.names)
        self._loss, self._rounds = loss, rounds
        self._parameters = dict(zip(self.names, parameters.values(), strict=True))
        self.view = SvgView(title="Train-Step Inspector", look="below chart", tag=self.engine)
        self._set_rule(lr, momentum, zero_grad)
        self.view.observe(lambda change: self._draw(), "selected")
        self._widgets = {name: self._control(name) for name in shown}
        self.controls = tuple(self._widgets.values())

    # ---------------------------------------------------------------------------- what is said

    @property
    def moment(self) -> Moment:
        """The stop shown."""
        return self.moments[self.view.step]

    @property
    def sentence(self) -> str:
        """The stop shown, in words."""
        return self._sentence(self.view.step)

    summary = sentence

    def changed(self) -> list[str]:
        """What the stop shown has changed: "w", "w.grad", "v of w".

        >>> from autogradlab import tensor
        >>> w = tensor(2.0, requires_grad=True)
        >>> inspector = TrainStepInspector(lambda w: w * w, {"w": w})
        >>> [inspector.jump(i) and inspector.changed() for i in range(5)]
        [[], [], ['w.grad'], ['w', 'v of w'], ['w.grad']]
        """
        return self._changed(self.view.step)

    def _changed(self, step: int) -> list[str]:
        if not step:
            return []
        before, now = self.moments[step - 1], self.moments[step]
        called = {"weight": "{}", "grad": "{}.grad", "momentum": "v of {}"}
        return [
            words.format(name)
            for kind, words in called.items()
            for name in self.names
            if not same(getattr(before, kind)[name], getattr(now, kind)[name])
        ]

    def _sentence(self, step: int) -> str:
        now = self.moments[step]
        head = now.stop if now.stop == "zero_grad" else now.stop.capitalize()
        start = f"{head}, round {now.round}. " if now.round > 1 else f"{head}. "
        if now.stop == "start":
            return f"{start}The weights are set; .grad is None and there is no momentum yet."
        if now.stop == "forward":
            found = number(now.loss)
            return f"{start}The loss is {found}; no weight, gradient or momentum changes."
        before, what = self.moments[step - 1], self._changed(step)
        if now.stop == "backward":
            if not what:
                return f"{start}No gradient arrives anywhere; nothing changes."
            grads = [name for name in self.names if f"{name}.grad" in what]
            added = any(before.grad[name] is not None for name in grads)
            how = "added to what was there" if added else "put there"
            return f"{start}In {listed(what)} the gradient is {how}; no weight moves."
        if now.stop == "zero_grad" and not self.zero_grad:
            return f"{start}It is left out: what is in .grad stays."
        if now.stop == "zero_grad":
            emptied = f"{listed(what)} {'is' if len(what) == 1 else 'are'} None again; "
            return f"{start}{emptied if what else ''}weights and momentum stay."
        moved = [name for name in self.names if name in what]
        if not moved:
            return f"{start}No weight moves."
        if len(self.names) == 1 and now.weight[moved[0]].size == 1:
            how = number(float((now.weight[moved[0]] - before.weight[moved[0]]).sum()))
            return f"{start}{self.rule}: the weight {moved[0]} moves by {how}."
        return f"{start}{self.rule}: {listed(moved)} and their momentum change, .grad stays."

    @property
    def rule(self) -> str:
        """The formula of the optimizer with its numbers."""
        if not self.momentum:
            return f"w ← w − {number(self.lr)}·g"
        return f"v ← {number(self.momentum)}·v + g, then w ← w − {number(self.lr)}·v"

    def lines(self) -> list[str]:
        """The arithmetic of the stop shown, for the selected parameter; at most four elements."""
        return [line for pair in self._lines(self.view.step) for line in pair]

    def _lines(self, step: int) -> list[list[str]]:
        """For each element its lines."""
        now, name = self.moments[step], self.selected or self.names[0]
        if now.stop in ("start", "forward"):
            return []
        before = self.moments[step - 1]
        if now.stop == "zero_grad":
            return [[f"{name}.grad = None"]] if not same(before.grad[name], now.grad[name]) else []
        if now.grad[name] is None:
            return [[f"{name}.grad = None: no gradient comes here"]]
        found = []
        for i in range(min(now.weight[name].size, ELEMENTS)):
            at = lambda x, i=i: 0.0 if x is None else float(x.flat[i])  # noqa: E731
            w = name if now.weight[name].size == 1 else f"{name}[{i}]"
            if now.stop == "backward":
                old, new = before.grad[name], at(now.grad[name])
                came = number(new) if old is None else f"{number(at(old))} {plus(new - at(old))}"
                total = "" if old is None else f" = {number(new)}"
                found.append([f"{w}.grad = {came}{total}"])
                continue
            g, w0, w1 = at(now.grad[name]), at(before.weight[name]), at(now.weight[name])
            v0, v1 = at(before.momentum[name]), at(now.momentum[name])
            v = w.replace(name, "v", 1) if len(self.names) == 1 else f"v of {w}"
            moves = bracketed(v1 if self.momentum else g)
            weight = f"{w} = {number(w0)} − {number(self.lr)} · {moves} = {number(w1)}"
            keep = f"{v} = {number(self.momentum)} · {bracketed(v0)} {plus(g)} = {number(v1)}"
            found.append([keep, weight] if self.momentum else [weight])
        return found

    # ------------------------------------------------------------------------------- to change

    def jump(self, to: int | str) -> str:
        """Show a stop, by its number from 0 or its name ("step", "step 2"); returns its sentence.

        Raises:
            ValueError: there is no such stop.
        """
        self.view.step = stop_number(self.view.stops, to)
        return self.sentence

    def step(self, n: int = 1) -> str:
        """Go `n` stops on, at most to the last; returns its sentence."""
        return self.jump(max(0, min(len(self.moments) - 1, self.view.step + n)))

    def back(self, n: int = 1) -> str:
        """Go `n` stops back, at most to the start; returns its sentence."""
        return self.step(-n)

    def select(self, name: str | None) -> str:
        """Show the arithmetic of one parameter; None for the first. Returns the sentence."""
        if name is not None and name not in self.names:
            raise ValueError(f"there is no parameter {name!r}; there are {listed(self.names)}")
        self.view.selected = "" if name is None else f"p{self.names.index(name)}"
        return self.sentence

    @property
    def selected(self) -> str | None:
        """The name of the parameter that is marked."""
        key = self.view.selected
        return self.names[int(key[1:])] if key else None

    def set(
        self, lr: float | None = None, momentum: float | None = None, zero_grad: bool | None = None
    ) -> str:
        """Train with another rule; what is left out stays. Returns the sentence.

        Raises:
            ValueError: lr is not in 0.0001 to 10, momentum not in 0 to 0.99.
        """
        self._set_rule(
            self.lr if lr is None else lr,
            self.momentum if momentum is None else momentum,
            self.zero_grad if zero_grad is None else zero_grad,
        )
        for name, control in self._widgets.items():
            control.value = getattr(self, name)
        return self.sentence

    def _set_rule(self, lr: float, momentum: float, zero_grad: bool) -> None:
        for name, value in {"lr": lr, "momentum": momentum, "zero_grad": zero_grad}.items():
            if not self.STATE[name](value):
                raise ValueError(f"{name} is out of range: {value!r}")
        rule = float(lr), float(momentum), zero_grad
        self.moments = train(self._loss, self._parameters, *rule, self._rounds)
        self.lr, self.momentum, self.zero_grad = rule
        self._draw()

    # ---------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        return getattr(self, name) if name in self.CONTROLS else getattr(self.view, name)

    def _set(self, name: str, value: Any) -> None:
        if name in self.CONTROLS:
            self.set(**{name: value})
        else:
            super()._set(name, value)

    # --------------------------------------------------------------------------------- output

    def svg(self) -> str:
        """The stop shown, as a still picture."""
        title = f"{self.title}: {self.view.stops[self.view.step]}"
        body = "".join(self._parts(attributes, self.view.step))
        return framed(WIDTH, self._height(), title, self.sentence, body)

    # --------------------------------------------------------------------------------- widget

    def _control(self, name: str) -> Any:
        """The slider or box that sets a part of the rule."""
        from ipywidgets import Checkbox, FloatLogSlider, FloatSlider, Layout

        wide = {"layout": Layout(width="264px"), "style": {"description_width": "76px"}}
        if name == "lr":
            low, high = (math.log10(x) for x in LR)
            made = FloatLogSlider(self.lr, min=low, max=high, step=0.25, readout_format=".3g",
                                  description="lr", **wide)  # fmt: skip
        elif name == "momentum":
            made = FloatSlider(self.momentum, min=0, max=0.99, step=0.01, description="momentum",
                               **wide)  # fmt: skip
        else:
            made = Checkbox(self.zero_grad, description="zero_grad", indent=False,
                            layout=Layout(width="120px"))  # fmt: skip
        made.observe(lambda change: self.set(**{name: change["new"]}), "value")
        return made

    def _draw(self) -> None:
        """Give the widget all that it shows now."""
        view, moments = self.view, self.moments
        steps = range(len(moments))
        keys = [f"p{i}" for i in range(len(self.names))]
        with view.hold_sync():
            view.view = [float(WIDTH), float(self._height())]
            view.targets = [
                [key, self._about(name), WIDTH / 2, row_y(i), keys[max(0, i - 1) : i],
                 keys[i + 1 : i + 2]]
                for i, (key, name) in enumerate(zip(keys, self.names, strict=True))
            ]  # fmt: skip
            view.overlays = dict.fromkeys(keys, marks())
            view.order = [["", None, None], *([key, None, None] for key in keys), ["", None, None]]
            view.set_frames(self._parts(css_class, step) for step in steps)
            view.expression = self.rule
            view.panels = [""] * len(moments)
            view.sentences = [self._sentence(step) for step in steps]
            view.stops = [m.stop if m.round == 1 else f"{m.stop} {m.round}" for m in moments]
            view.steps_keys = [""] * len(moments)
            view.revision += 1

    def _about(self, name: str) -> str:
        """A parameter in one line."""
        x = self._parameters[name]
        frozen = "" if x.requires_grad else " · frozen"
        return f"{name} · tensor of shape {list(x.shape)}{frozen}"

    def _height(self) -> int:
        rows = max(self._formula_rows(step) for step in range(len(self.moments)))
        return TOP + ROW * (len(self.names) + 1) + 28 + LINE * max(1, rows)

    def _formula_rows(self, step: int) -> int:
        lines = self._lines(step)
        more = self.moments[step].weight[self.selected or self.names[0]].size > ELEMENTS
        return sum(1 if beside(pair) else len(pair) for pair in lines) + more

    def _parts(self, pen: Pen, step: int) -> list[str]:
        """Heads and spotlight, a row for each parameter, and the loss with the arithmetic."""
        rows = [self._row(pen, i, step) for i in range(len(self.names))]
        return [self._backdrop(pen, step), *rows, self._below(pen, step)]

    def _backdrop(self, pen: Pen, step: int) -> str:
        titles = {"weight": "weight, w", "momentum": "momentum, v", "grad": "gradient, .grad"}
        parts = [text(pen, "row note", 8, 12, "parameter")]
        parts += [text(pen, "row note", COLUMNS[kind], 12, words) for kind, words in titles.items()]
        parts.append(path(pen, "grid", f"M0 {TOP - 6}H{WIDTH}"))
        return "".join(parts) + self._spotlight(pen, step)

    def _spotlight(self, pen: Pen, step: int) -> str:
        """What this stop has changed: one box round neighbours."""
        if self.moments[step].stop == "forward":
            y = row_y(len(self.names))
            box = (COLUMNS["weight"] - 8, y - 20, ENDS["weight"], y + 20)
            return rectangle(pen, "row now", box)
        what, boxes = set(self._changed(step)), []
        for i, name in enumerate(self.names):
            cells = {"weight": name, "momentum": f"v of {name}", "grad": f"{name}.grad"}
            kinds = [kind for kind, cell in cells.items() if cell in what]
            if kinds:
                sides = COLUMNS[kinds[0]] - 8, ENDS[kinds[-1]]
                if boxes and boxes[-1][:2] == (sides, i):
                    boxes[-1] = sides, i + 1, boxes[-1][2]
                else:
                    boxes.append((sides, i + 1, i))
        return "".join(
            rectangle(pen, "row now", (left, row_y(first) - 22, right, row_y(last - 1) + 22))
            for (left, right), last, first in boxes
        )

    def _row(self, pen: Pen, i: int, step: int) -> str:
        """A parameter: its hexagon and name, and its numbers in three columns."""
        name, y, now = self.names[i], row_y(i), self.moments[step]
        frozen = not self._parameters[name].requires_grad
        parts = [] if pen is attributes else [rectangle(pen, "row hit", (0, y - 22, 100, y + 22))]
        line = y - 8  # below it there is room for what was there before
        mark = f"M8 {line}l4-6h8l4 6-4 6h-8z"
        parts.append(path(pen, "pruned" if frozen else "plain", mark))
        parts.append(text(pen, "row label", 32, line, cut(name, 72, 12)))
        for kind, x in COLUMNS.items():
            value = getattr(now, kind)[name]
            if value is None:
                parts.append(none_pill(pen, x, line))
            else:
                chip = value_chip if kind == "weight" else gradient_chip
                parts.append(chip(pen, x, line, chip_words(value)))
            before = getattr(self.moments[step - 1], kind)[name] if step else value
            if not same(before, value):
                was = "None" if before is None else chip_words(before)
                parts.append(text(pen, "small start", x, y + 13, f"was {was}"))
        return "".join(parts)

    def _below(self, pen: Pen, step: int) -> str:
        """The loss, and the arithmetic of this stop."""
        now, y = self.moments[step], row_y(len(self.names))
        parts = [path(pen, "grid", f"M0 {y - 24}H{WIDTH}"), text(pen, "row label", 32, y, "loss")]
        parts.append(path(pen, "plain", f"M8 {y - 6}h16v8l-8 5-8-5z"))
        if now.loss is None:
            parts.append(text(pen, "row note", COLUMNS["weight"], y, "not computed yet"))
        else:
            parts.append(value_chip(pen, COLUMNS["weight"], y, number(now.loss)))
        top = y + 24
        parts.append(path(pen, "grid", f"M0 {top}H{WIDTH}"))
        rows, at = self._lines(step), top + 20
        if not rows:
            words = "nothing has run" if not step else "only the loss is new"
            words = words if now.stop in ("start", "forward") else "nothing is emptied"
            parts.append(text(pen, "row note", 8, at, words))
        for pair in rows:
            for k, line in enumerate(pair):
                x = 8 + (HALF * k if beside(pair) else 0)
                parts.append(text(pen, "row label", x, at, line))
                at += 0 if beside(pair) and k + 1 < len(pair) else LINE
        size = now.weight[self.selected or self.names[0]].size
        if rows and size > ELEMENTS and now.stop != "zero_grad":
            parts.append(text(pen, "row note", 8, at, f"and {size - ELEMENTS:,} more elements"))
        return "".join(parts)


def row_y(i: int) -> int:
    """The middle of row number `i`; the loss stands after the last parameter."""
    return TOP + ROW * i + ROW // 2


def marks() -> str:
    """Selection and focus round a row."""
    x, y = WIDTH / 2 - 3, ROW / 2 - 2
    corners = path(css_class, "corners", corner_marks(x, y))
    ring = rectangle(css_class, "focus", (-x, -y, x, y), 4)
    return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'


def beside(lines: list[str]) -> bool:
    """Whether the lines of one element fit beside each other."""
    return all(text_width(line, 12) < HALF - 12 for line in lines)


def chip_words(x: np.ndarray) -> str:
    """Numbers with as many digits as a chip has room for, else the norm.

    >>> chip_words(np.array([1.23456, -2.0, 0.5])), chip_words(np.ones(100))
    ('[1.235, −2, 0.5]', '‖10‖')
    """
    summary = summarize(x)
    for digits in (4, 3, 2) if x.size <= ELEMENTS else ():
        words = numbers(summary, digits)
        if len(words) <= LONGEST:
            return words
    return "nan or inf" if summary.nonfinite else f"‖{number(summary.norm)}‖"


def bracketed(x: float) -> str:
    """A factor: in brackets if it is negative.

    >>> bracketed(2.0), bracketed(-0.5)
    ('2', '(−0.5)')
    """
    return f"({number(x)})" if x < 0 else number(x)


def plus(x: float) -> str:
    """Something added, with its sign.

    >>> plus(30.0), plus(-4.5)
    ('+ 30', '− 4.5')
    """
    return f"{'−' if x < 0 else '+'} {number(abs(x))}"


def same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Whether two readings hold the same: None is not zero."""
    return a is b if a is None or b is None else np.array_equal(a, b, equal_nan=True)


def is_number(x: Any) -> bool:
    """A finite number, as JSON has it."""
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)
