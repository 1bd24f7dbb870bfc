"""FlowLab: a deep network whose depth, activation, gain, norm and skip one chooses, and what
becomes of the gradient on its way from the loss to the first layer.

The waterfall of FlowWaterfall, with the medians before the last choice dashed beneath; below it the
factor of one layer, gain × slope, worked out and as measured.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..graphs.deep import (
    ACTIVATIONS,
    CHECKS,
    DEEPEST,
    NORMS,
    Choice,
    DeepFlow,
    deep_flow,
    deep_network,
    points,
)
from ..graphs.draw import Pen, path, text
from ..graphs.flow import FlowStep
from ..graphs.numbers import number
from ..graphs.style import attributes, escape
from ..graphs.waterfall import Axis, Waterfall, named
from .flow_waterfall import FlowWaterfall, fill
from .instrument import Instrument

ENGINES = ("autogradlab", "torch")
EVEN = 0.1, 10.0  # between these, a ratio of the first layer to the last counts as the same size


class FlowLab(FlowWaterfall):
    """Choose how a deep network is made, and see the gradient of every layer.

    A layer computes h ← φ(norm(W·h)), with the skip h ← h + φ(norm(W·h)); the entries of W have the
    standard deviation gain / √width. The loss hands the last layer a gradient of norm 1, whatever
    is chosen, and the same seed makes the same random numbers for every choice.

    Args:
        depth: how many layers, 1 to 60.
        activation: "sigmoid", "tanh" or "relu", the φ.
        gain: by what W alone multiplies sizes, above 0 and at most 10.
        norm: None, "batch" or "layer".
        skip: whether a layer adds what came in to what it computed.
        width: units in each layer.
        batch: how many points go in.
        seed: of weights and points.
        engine: "autogradlab" or "torch", or the module: who computes.
        controls: which of `FlowLab.CONTROLS` are shown; by default all.

    Raises:
        ValueError: a choice that is not one of these.

    >>> lab = FlowLab(depth=12, width=16, batch=32)
    >>> lab.sentence.partition(";")[0]
    'The gradient vanishes. Going up, each layer multiplies it by 0.228'
    >>> lab.choose(norm="batch", skip=True).partition(";")[0]
    'The gradient flows. Going up, each layer multiplies it by 1.02'
    """

    CONTROLS = ("depth", "activation", "gain", "norm", "skip")
    STATE = MappingProxyType(
        {
            **CHECKS,
            "selected": Instrument.STATE["selected"],
            "threshold": FlowWaterfall.STATE["threshold"],
        }
    )

    def __init__(
        self,
        depth: int = 30,
        activation: str = "sigmoid",
        gain: float = 1.0,
        norm: str | None = None,
        skip: bool = False,
        *,
        width: int = 64,
        batch: int = 128,
        seed: int = 0,
        engine: Any = "autogradlab",
        controls: Iterable[str] | None = None,
    ) -> None:
        for name, size in (("width", width), ("batch", batch)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 2:
                raise ValueError(f"{name} is a whole number from 2 on, not {size!r}")
        self._engine = _engine(engine)
        self._sizes = width, batch, seed
        self.choice = Choice(depth, activation, gain, norm, skip)
        self._before: tuple[float, ...] = ()  # medians of the layers before the last choice
        self._widgets: dict[str, Any] = {}
        self._make(controls)

    def _make(self, controls: Iterable[str] | None = None) -> None:
        """Make the network that is chosen, and run it once."""
        width, batch, seed = self._sizes
        model = deep_network(self._engine, self.choice, width, seed)
        if not hasattr(self, "steps"):
            super().__init__(model, controls=controls)
        self.model, self._modules = model, dict(model.named_children())
        self.flow = deep_flow(model, *points(self._engine, width, batch, seed), self.choice)
        self.steps, self.title = [self.flow.step], self._words()

    # ------------------------------------------------------------------------------- actions

    def choose(self, **choices: Any) -> str:
        """Choose one or more of depth, activation, gain, norm and skip; the others stay. Returns
        the sentence.

        >>> FlowLab(depth=4, width=8, batch=8).choose(gain=0)
        Traceback (most recent call last):
            ...
        ValueError: gain is a number above 0 and at most 10, not 0
        """
        for name in choices:
            if name not in CHECKS:
                raise ValueError(f"{name!r} cannot be chosen; {', '.join(CHECKS)} can")
        wanted = replace(self.choice, **choices)
        if wanted != self.choice:
            before = tuple(x.gradient.median for x in self.steps[0].layers)
            self.choice, self._before = wanted, before
            self._make()
            self._show()
        return self.sentence

    def _show(self) -> None:
        """Bring widget and controls in step with what is chosen."""
        if self._selected and int(self._selected[1:]) >= self.choice.depth:
            self.select(None)
        if self._view:
            self._view.expression = self.title
            fill(self, self._view)
        for name, widget in self._widgets.items():
            widget.value = _offered(name, getattr(self.choice, name))

    # ------------------------------------------------------------------------ what it shows

    def sentence_of(self, step: int) -> str:
        """The verdict, what a layer does, and how much is left for the first."""
        first, last = self.steps[step].layers[0], self.steps[step].layers[-1]
        if self.choice.depth == 1:
            return f"One layer. The norm of its gradient is {number(first.gradient.norm)}."
        factor = number(self.flow.back, 3)
        left = number(ratio(self.steps[step]), 2)
        words = (
            f"The gradient {self._verdict(step)}. Going up, each layer multiplies it by {factor}; "
            f"the weights of layer 1 get {left} times as much as those of {named(last)}."
        )
        dead = sum(x.dead for x in self.steps[step].layers)
        units = sum(x.units for x in self.steps[step].layers)
        return words + (f" {dead:,} of {units:,} units are dead." if dead else "")

    def _verdict(self, step: int) -> str:
        troubles = {self.limits.of(layer) for layer in self.steps[step].layers}
        for trouble, verb in (("exploding", "explodes"), ("vanishing", "vanishes")):
            if trouble in troubles:
                return verb
        both = ratio(self.steps[step]), self.flow.back ** (self.choice.depth - 1)
        return "shrinks" if min(both) < EVEN[0] else "grows" if max(both) > EVEN[1] else "flows"

    def _words(self) -> str:
        """The choice in a line."""
        c = self.choice
        norm = f" · {c.norm} norm" if c.norm else ""
        layers = f"{c.depth} {c.activation} layer{'s' * (c.depth != 1)} of {self._sizes[0]}"
        return f"{layers} · gain {number(c.gain)}{norm}{' · skip' * c.skip}"

    def _drawing(self, steps: Sequence[FlowStep], pen: Pen = attributes) -> Waterfall:
        before = self._before if len(self._before) == self.choice.depth else ()
        return _Stage(steps, self.limits, pen, before)

    def _panels(self) -> list[str]:
        return [factors(self.flow, self.choice) + panel for panel in super()._panels()]

    def svg(self) -> str:
        """The network that is chosen, as a still picture."""
        drawing = self._drawing(self.steps)
        return drawing.svg(f"Flow through {self.title}", self.sentence)

    # ------------------------------------------------------------------------------- widget

    @property
    def view(self) -> Any:
        """The widget."""
        new = self._view is None
        view = super().view
        if new:
            view.title, view.expression = "Flow Lab", self.title
            view.look += " tall"  # thirty layers are seen whole
        return view

    @property
    def controls(self) -> tuple[Any, ...]:
        """Sliders for depth and gain, menus for activation and norm, a box for the skip."""
        if not self._widgets:
            made = _controls(self.choice)
            self._widgets = {name: made[name] for name in self._chosen}
            for name, widget in self._widgets.items():
                widget.observe(lambda change, name=name: self._used(name, change["new"]), "value")
        return tuple(self._widgets.values())

    def _used(self, name: str, value: Any) -> None:
        if name == "gain":
            value = round(value, 6)
        elif value == "none":
            value = None
        if value != getattr(self.choice, name):
            self.choose(**{name: value})

    def _get(self, name: str) -> Any:
        return getattr(self.choice, name) if name in CHECKS else super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name in CHECKS:
            self.choose(**{name: value})
            self._before = ()
        elif name == "selected" and value:
            known = [f"l{i}" for i in range(self.choice.depth)]
            if value not in known:
                raise ValueError(f"this state does not fit: there is no layer {value[:40]!r}")
            self.select(str(known.index(value) + 1))
        else:
            super()._set(name, value)


class _Stage(Waterfall):
    """The waterfall, with the medians before the last choice dashed beneath it."""

    def __init__(
        self, steps: Sequence[FlowStep], limits: Any, pen: Pen, before: Sequence[float]
    ) -> None:
        self.before = before
        super().__init__(steps, limits, pen)

    def _gradient_axis(self, layers: list[Any], left: float, right: float) -> Axis:
        axis = super()._gradient_axis(layers, left, right)
        logs = [math.log10(x) for x in self.before if x > 0]
        low, high = min([axis.low, *(x - 0.3 for x in logs)]), max([axis.high, *(
            x + 0.3 for x in logs)])  # fmt: skip
        return replace(axis, low=low, high=high)

    def medians(self, step: int) -> str:
        return self._dashes(step) + super().medians(step)

    def _dashes(self, step: int) -> str:
        if not self.before:
            return ""
        xs = [float(self.gradients(math.log10(x))) if x > 0 else None for x in self.before]
        d, joined = "", False
        for i, row in enumerate(self.rows):
            if xs[row] is not None:
                d += f"{'L' if joined else 'M'}{xs[row]:.1f} {self.y(i):.1f}"
            joined = xs[row] is not None
        return (path(self.pen, "median before", d) if d else "") + self._before_word(step, xs)

    def _before_word(self, step: int, xs: list[float | None]) -> str:
        """What the dashes are, said once, where the two lines are farthest apart."""
        found = []
        for i, row in enumerate(self.rows):
            g = self.steps[step].layers[row].gradient
            if xs[row] is not None and g and g.median > 0:
                found.append((float(self.gradients(math.log10(g.median))) - xs[row], xs[row], i))
        gap, x, i = max(found, key=lambda each: abs(each[0]), default=(0.0, 0.0, 0))
        if abs(gap) < 120:
            return ""
        x += math.copysign(30, gap)
        return text(self.pen, "note middle", x, self.y(i) - 2, "before")


def ratio(step: FlowStep) -> float:
    """The norm of the first layer's gradient over the last's."""
    first, last = step.layers[0].gradient, step.layers[-1].gradient
    return first.norm / last.norm if last.norm else math.nan


def factors(flow: DeepFlow, choice: Choice) -> str:
    """What one layer does, as a formula with its numbers, and as measured."""
    norm = f"{choice.norm} norm" if choice.norm else ""
    inner = f"{choice.activation}({'norm(W·h)' if norm else 'W·h'})"
    rule = f"h ← {'h + ' * choice.skip}{inner}"
    product = choice.gain * flow.slope / flow.spread
    terms = f"{number(choice.gain, 3)} × {number(flow.slope, 3)}"
    terms += f" ÷ {number(flow.spread, 3)}" if norm else ""
    name = "gain × slope" + (" ÷ spread of W·h" if norm else "")
    worked = f"{terms} = {number(product, 3)}"
    if choice.skip:
        name, worked = f"1 past the layer, and {name} through it", f"1 and {worked}"
    rows = [
        ("the gradient, going up", worked, flow.back, choice.depth - 1),
        ("activations, going down", "", flow.forward, choice.depth - 1),
    ]
    body = "".join(
        f"<tr><td>{escape(words)}</td><td><code>{escape(how)}</code></td>"
        f"<td><code>× {number(factor, 3)}</code></td>"
        f"<td><code>× {number(factor**n, 2)}</code></td></tr>"
        for words, how, factor, n in rows
        if factor == factor
    )
    head = f"<th>{escape(name)}</th><th>measured</th><th>from end to end</th>"
    rule = f"<th><code>{escape(rule)}</code></th>"
    return f"<table class='agl-wide'><tr>{rule}{head}</tr>{body}</table>"


def _engine(engine: Any) -> Any:
    name = engine if isinstance(engine, str) else getattr(engine, "__name__", "")
    if name not in ENGINES:
        raise ValueError(f"engine is {' or '.join(ENGINES)}, not {str(engine)[:40]!r}")
    return importlib.import_module(name)


def _offered(name: str, value: Any) -> Any:
    """A choice as its control has it: to a menu, None is that nothing is chosen."""
    return value or "none" if name == "norm" else value


def _controls(choice: Choice) -> dict[str, Any]:
    from ipywidgets import Checkbox, Dropdown, FloatSlider, IntSlider

    norms = [_offered("norm", each) for each in NORMS]
    return {
        "depth": IntSlider(
            value=choice.depth, min=1, max=DEEPEST, description="depth", continuous_update=False
        ),
        "activation": Dropdown(
            options=ACTIVATIONS, value=choice.activation, description="activation"
        ),
        "gain": FloatSlider(
            value=choice.gain, min=0.1, max=4.0, step=0.1, description="gain",
            continuous_update=False,
        ),
        "norm": Dropdown(
            options=norms, value=_offered("norm", choice.norm), description="norm"
        ),
        "skip": Checkbox(value=choice.skip, description="skip"),
    }  # fmt: skip
