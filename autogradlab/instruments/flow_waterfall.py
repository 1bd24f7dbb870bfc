"""FlowWaterfall: how large gradients and activations are in every layer of a model, over depth and
over training steps. It finds what vanishes, explodes, is not finite, or dies.

It watches the user's own training step (`with flow.step():`), or runs one pass by itself and leaves
no trace (`FlowWaterfall.of`). The hooks are in `graphs.flow`, the drawing is in `graphs.waterfall`;
both also serve a lesson that makes its own networks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..graphs.draw import Pen, corner_marks, path, rectangle
from ..graphs.flow import FlowStep, LayerFlow, Seen, Spread, flow_of, layers_of
from ..graphs.modules import engine_of_module
from ..graphs.numbers import number
from ..graphs.recording import in_words
from ..graphs.style import attributes, css_class, escape
from ..graphs.waterfall import WIDTH, Limits, Waterfall, count, unreal, verdict
from .instrument import Instrument, chosen
from .svg_view import SvgView

ENGINES = {"torch": "PyTorch"}
FRAMES = 100  # training steps that the widget holds
PARTS = 3000  # layers × training steps that the widget holds
LEAST, MOST = 1e-30, 1e-1  # of the slider for the threshold


def _limit(x: Any) -> bool:
    number = isinstance(x, int | float) and not isinstance(x, bool)
    return number and 0 < x < math.inf


class FlowWaterfall(Instrument):
    """Watch gradients and activations in every layer, step by step.

    Args:
        model: a module of autogradlab or PyTorch.
        layers: names of the modules to show, as in `model.named_modules()`; by default all that
            have parameters of their own, in the order in which they are called.
        threshold: a layer vanishes if the median of |gradient| over its weights, those left out
            whose gradient is exactly 0, is below this.
        exploding: it explodes if the median is above this.
        dead: the share of the batch, 0 to 1, for which a unit is exactly 0 when it counts as dead.
        controls: what to show of "transport" and "threshold"; by default both.

    Raises:
        TypeError: `model` is not a module.
        ValueError: it has no parameters, or a limit or a name does not fit.

    >>> import autogradlab
    >>> from autogradlab import nn, ones
    >>> _ = autogradlab.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.Sigmoid(), nn.Linear(8, 1))
    >>> flow = FlowWaterfall(model)
    >>> for _ in range(3):
    ...     with flow.step():
    ...         model(ones(4, 2)).mean().backward()
    >>> len(flow.steps), flow.position, flow.sentence.partition(".")[0]
    (3, 2, 'Step 2')
    >>> [layer.name for layer in flow.layers], flow.layers[0].after
    (['0', '2'], 'sigmoid')
    """

    CONTROLS = ("transport", "threshold")
    STATE = MappingProxyType(
        {
            "step": Instrument.STATE["step"],
            "selected": Instrument.STATE["selected"],
            "threshold": _limit,
        }
    )

    def __init__(
        self,
        model: Any,
        layers: Iterable[str] | None = None,
        *,
        threshold: float = 1e-8,
        exploding: float = 1e3,
        dead: float = 1.0,
        controls: Iterable[str] | None = None,
    ) -> None:
        for name, value in (("threshold", threshold), ("exploding", exploding)):
            if not _limit(value):
                raise ValueError(f"{name} is a positive number, not {value!r}")
        if not (_limit(dead) and dead <= 1):
            raise ValueError(f"dead is a share of the batch, above 0 and at most 1, not {dead!r}")
        self.engine = engine_of_module(model).__name__
        self.model, self._modules, self.dead = model, layers_of(model, layers), dead
        self.limits = Limits(float(threshold), float(exploding))
        self.title = type(model).__name__
        self.steps: list[FlowStep] = []
        self._chosen = chosen(controls, type(self))
        self._view: SvgView | None = None
        self._built = 0  # steps that the widget was made of
        self._slider: Any = None
        self._step, self._selected = 0, ""

    @classmethod
    def of(cls, model: Any, loss: Any, gradient: Any = None, **options: Any) -> FlowWaterfall:
        """One backward pass that is run here and leaves no trace.

        Args:
            loss: a tensor that the model has computed, its graph not freed; activations are then
                not known. Or a function without arguments that computes it, and they are.
            gradient: what `backward(gradient=…)` would get; may be left out for one element.
            options: as for the class.

        Raises:
            what `loss()` and `loss.backward(gradient)` raise. If the pass has begun, the exception
            has what was seen up to there as its attribute `flow`.

        >>> from autogradlab import nn, ones
        >>> model = nn.Linear(2, 1, bias=False)
        >>> flow = FlowWaterfall.of(model, lambda: model(ones(1, 2)).sum())
        >>> flow.sentence, model.weight.grad
        ('The gradient flows. Its norm in Linear is 1.414.', None)
        """
        made = cls(model, **options)
        made.steps.append(flow_of(model, loss, gradient, made._modules, made.dead))
        return made

    @contextmanager
    def step(self) -> Iterator[FlowWaterfall]:
        """Watch one training step: the forward and backward pass that run in the `with` block.

        Hooks hang on the model while the block runs, read only, and are gone afterwards. One
        backward pass belongs into it; of several, the last one to reach a weight counts. A step
        that stops with an exception is kept as far as it came.
        """
        seen, error = Seen(self._modules, self.dead), ""
        try:
            with seen.hung(self.model):
                yield self
        except Exception as raised:
            error = in_words(raised)
            raise
        finally:
            if not error or seen.called or seen.pieces:
                self.steps.append(seen.step(error))
                self._step = len(self._drawn()) - 1

    # ------------------------------------------------------------------------ what it shows

    @property
    def position(self) -> int:
        """Which training step is shown, counted from 0."""
        self._some()
        return self._drawn()[self._at()]

    @property
    def layers(self) -> tuple[LayerFlow, ...]:
        """The layers at the step that is shown, as data."""
        return self.aligned([self.position])[0].layers

    @property
    def threshold(self) -> float:
        """Below this, gradients count as vanishing."""
        return self.limits.vanishing

    @threshold.setter
    def threshold(self, value: float) -> None:
        if not _limit(value):
            raise ValueError(f"threshold is a positive number, not {value!r}")
        if value == self.limits.vanishing:
            return
        self.limits = replace(self.limits, vanishing=float(value))
        if self._slider is not None:
            self._slider.value = min(MOST, max(LEAST, value))
        if self._view:
            fill(self, self._view)

    @property
    def sentence(self) -> str:
        """What the step shows, in words: the verdict first."""
        return self.sentence_of(self.position)

    summary = property(lambda self: self.sentence if self.steps else self.trouble)

    @property
    def trouble(self) -> str:
        """Why there is no picture."""
        return "" if self.steps else (
            f"No training step of {self.title} has been watched yet: run forward and backward in "
            "`with flow.step():`."
        )  # fmt: skip

    def sentence_of(self, step: int) -> str:
        """One training step in words."""
        words = verdict(self.steps[step], self.limits)
        return words if len(self.steps) == 1 else f"Step {step}. {words}"

    def verdicts(self) -> dict[str, str]:
        """For each layer of the step that is shown what is wrong with its gradient: "vanishing",
        "exploding", "zero", "nan", "none", or "" if nothing is."""
        return {layer.name: self.limits.of(layer) for layer in self.layers}

    def jump(self, step: int) -> str:
        """Go to a training step, counted from 0; returns its sentence. If there are too many to be
        drawn all, this is the one that is drawn at or before it."""
        self._some()
        if not 0 <= step < len(self.steps):
            raise ValueError(f"there is no step {step}: there are steps 0 to {len(self.steps) - 1}")
        at = max(i for i, each in enumerate(self._drawn()) if each <= step)
        self._step = at
        if self._view:
            self._view.step = at
        return self.sentence

    def forward(self, n: int = 1) -> str:
        """Go `n` of the drawn steps on, at most to the last; returns the sentence."""
        drawn = self._drawn()
        return self.jump(drawn[max(0, min(len(drawn) - 1, self._at() + n))])

    def back(self, n: int = 1) -> str:
        """Go `n` of the drawn steps back, at most to the first; returns the sentence."""
        return self.forward(-n)

    def select(self, layer: str | None) -> str:
        """Mark a layer, given by its name, and show its numbers; None marks nothing. Returns its
        numbers in words."""
        self._some()
        shown = self.aligned([self.position])[0]
        found = shown.layer(layer) if layer is not None else None
        key = f"l{shown.layers.index(found)}" if found else ""
        self._selected = key
        if self._view:
            self._view.selected = key
        return in_numbers(found, self.limits) if found else self.sentence

    @property
    def selected(self) -> LayerFlow | None:
        """The layer that is marked, at the step that is shown."""
        key = self._view.selected if self._view else self._selected
        return self.layers[int(key[1:])] if key and self.steps else None

    def svg(self) -> str:
        """The step that is shown, as a still picture.

        Raises:
            RuntimeError: no step has been watched yet.
        """
        self._some()
        step = self.position
        more = "" if len(self.steps) == 1 else f", step {step} of 0 to {len(self.steps) - 1}"
        drawing = self._drawing(self.aligned([step]))
        return drawing.svg(f"Flow through {self.title}{more}", self.sentence)

    # ------------------------------------------------------------------------------- widget

    @property
    def view(self) -> SvgView | None:
        """The widget, made anew when training steps have been added; None while there is none."""
        if not self.steps:
            return None
        if self._view is None or self._built != len(self.steps):
            step, selected = self._step, self._selected
            if self._view is not None:
                step = self._step if self._step != self._view.step else len(self._drawn()) - 1
                selected = self._view.selected
            self._built, self._box = len(self.steps), None
            self._view = view_of(self)
            self._view.step, self._view.selected = min(step, len(self._view.frames) - 1), selected
            self._view.observe(lambda change: self._refill(), "selected")
            self._refill()
        return self._view

    @property
    def controls(self) -> tuple[Any, ...]:
        """The slider for the threshold."""
        if "threshold" not in self._chosen or not self.steps:
            return ()
        if self._slider is None:
            from ipywidgets import FloatLogSlider

            self._slider = FloatLogSlider(
                value=min(MOST, max(LEAST, self.threshold)),
                min=math.log10(LEAST), max=math.log10(MOST), step=1,
                description="vanishing below", readout_format=".0e",
                style={"description_width": "initial"},
            )  # fmt: skip
            self._slider.observe(self._moved, "value")
        return (self._slider,)

    def _drawing(self, steps: Sequence[FlowStep], pen: Pen = attributes) -> Waterfall:
        return Waterfall(steps, self.limits, pen)

    def _panels(self) -> list[str]:
        return panels(self)

    def _moved(self, change: Any) -> None:
        # A power of ten from the slider is off by a rounding.
        self.threshold = float(f"{change['new']:.6g}")

    def _refill(self) -> None:
        self._selected = self._view.selected
        self._view.panels = self._panels()
        self._view.revision += 1

    def _some(self) -> None:
        if not self.steps:
            raise RuntimeError(self.trouble)

    def _at(self) -> int:
        """Which of the drawn steps is shown."""
        current = self._view is not None and self._built == len(self.steps)
        return self._view.step if current else self._step

    def _drawn(self) -> list[int]:
        """The training steps that are drawn: all, or as many as the widget can hold, evenly."""
        total = len(self.steps)
        most = max(2, min(FRAMES, PARTS // max(1, len(self._modules))))
        every = max(1, -(-total // most))
        return [i for i in range(total) if i % every == 0 or i == total - 1]

    def aligned(self, which: Sequence[int]) -> list[FlowStep]:
        """Steps with their layers in one order: that of the step that called the most of them."""
        first = max(self.steps, key=lambda step: sum(x.calls > 0 for x in step.layers))
        order = [layer.name for layer in first.layers]
        found = []
        for i in which:
            layers = {layer.name: layer for layer in self.steps[i].layers}
            found.append(replace(self.steps[i], layers=tuple(layers[name] for name in order)))
        return found

    def _get(self, name: str) -> Any:
        return self.threshold if name == "threshold" else super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name == "threshold":
            self.threshold = value
        else:
            super()._set(name, value)


# ------------------------------------------------------------------------------------ in words


def in_numbers(layer: LayerFlow, limits: Limits) -> str:
    """One layer in numbers.

    >>> from autogradlab.graphs.flow import spread
    >>> import numpy
    >>> in_numbers(LayerFlow("fc", "Linear", spread([numpy.ones((2, 2))], sizes=True)), Limits())
    'fc · Linear · gradient of 4 weights: norm 2, median 1, 0 % below 1e−8'
    """
    parts = [layer.title] + [layer.kind] * (layer.title != layer.kind)
    g, a = layer.gradient, layer.activation
    if g is None:
        parts.append("no gradient")
    else:
        below = f"{share(g.share_below(limits.vanishing))} below {number(limits.vanishing)}"
        words = f"gradient of {g.size:,} weights: norm {number(g.norm)}, median {number(g.median)}"
        parts.append(f"{words}, {below}{_rest(g)}")
    if a is not None:
        after = f" after {layer.after}" if layer.after else ""
        parts.append(f"activation{after}: median {number(a.median)}{_rest(a)}")
    if layer.dead:
        parts.append(f"{layer.dead} of {layer.units} units are dead")
    return " · ".join(parts)


def _rest(spread: Spread) -> str:
    zeros = f", {spread.zeros:,} exactly 0" if spread.zeros else ""
    return zeros + (f", {spread.nonfinite:,} {unreal(spread)}" if spread.nonfinite else "")


def share(x: float) -> str:
    """A share in per cent.

    >>> share(0.995), share(0.9999), share(1.0), share(0.0001)
    ('99.5 %', '> 99.9 %', '100 %', '< 0.1 %')
    """
    if 0 < x < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if 0.999 < x < 1 else f"{number(round(100 * x, 1), 3)} %"


# ------------------------------------------------------------------------------------ the widget


def view_of(flow: FlowWaterfall) -> SvgView:
    """The widget: a frame for each training step that is drawn."""
    steps = flow._drawn()
    layers = flow.steps[steps[0]].layers
    moves = len(steps) > 1 and "transport" in flow._chosen
    view = SvgView(
        title="Flow Waterfall",
        expression=" · ".join([flow.title, count(len(layers)), *said(flow, len(steps))]),
        tag=ENGINES.get(flow.engine, flow.engine),
        look="below chart",
        stops=[str(i) for i in steps] if moves else [],
        steps_keys=[""] * len(steps),
    )
    fill(flow, view)
    return view


def said(flow: FlowWaterfall, drawn: int) -> list[str]:
    """How many steps there are, and how many are left out."""
    total = len(flow.steps)
    if total == drawn:
        return [] if total == 1 else [f"steps 0 to {total - 1}"]
    return [f"{drawn} of {total:,} steps"]


def fill(flow: FlowWaterfall, view: SvgView) -> None:
    """Draw all that depends on the steps and on the limits."""
    which = flow._drawn()
    steps = flow.aligned(which)
    drawing = flow._drawing(steps, css_class)
    rows = range(len(drawing.rows))
    keys = [f"l{row}" for row in drawing.rows]
    ups = [round(drawing.y(i), 1) for i in rows]
    half, middle = drawing.pitch / 2, WIDTH / 2
    near = [(keys[i - 1 : i] if i else [], keys[i + 1 : i + 2]) for i in rows]
    latest = steps[-1].layers
    with view.hold_sync():
        view.view = [float(drawing.width), float(drawing.height)]
        view.targets = [
            [key, about(latest[row]), middle, y - half, *near[i]]
            for i, (key, row, y) in enumerate(zip(keys, drawing.rows, ups, strict=True))
        ]
        view.overlays = dict.fromkeys(keys, marks(middle, half))
        view.order = [
            ["", None, None],
            *([key, 0, y] for key, y in zip(keys, ups, strict=True)),
            ["", None, None],
        ]
        backdrop = drawing.backdrop()
        view.set_frames(
            [backdrop, *(drawing.row(step, i) for i in rows), drawing.medians(step)]
            for step in range(len(steps))
        )
        view.sentences = [flow.sentence_of(i) for i in which]
        view.panels = flow._panels() if flow._view is view else [""] * len(which)
        view.revision += 1


def about(layer: LayerFlow) -> str:
    """A layer in one line, the same at every step."""
    parts = [layer.title] + [layer.kind] * (layer.title != layer.kind)
    if layer.gradient:
        parts.append(f"{layer.gradient.size:,} weights")
    if layer.after:
        parts.append(f"activation after {layer.after}")
    if layer.calls != 1:
        parts.append(f"called {layer.calls} times" if layer.calls else "not called")
    return " · ".join(parts)


def marks(middle: float, half: float) -> str:
    """Selection and focus round a row, which is as wide as the drawing."""
    corners = path(css_class, "corners", corner_marks(middle - 1.5, half + 1))
    ring = rectangle(css_class, "focus", (1 - middle, -half - 1, middle - 1, half + 1), 4)
    return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'


def panels(flow: FlowWaterfall) -> list[str]:
    """The numbers of the layer that is marked, at each step; empty while none is."""
    key = flow._selected
    steps = flow.aligned(flow._drawn())
    return [table(step.layers[int(key[1:])], flow.limits) if key else "" for step in steps]


def table(layer: LayerFlow, limits: Limits) -> str:
    """The numbers of one layer."""
    head = ["elements", "norm", "median", f"below {number(limits.vanishing)}", "exactly 0"]
    rows = []
    for words, spread, sizes in (
        ("|weight gradient|", layer.gradient, True),
        (f"activation{f', {layer.after}' if layer.after else ''}", layer.activation, False),
    ):
        if spread is None:
            continue
        below = share(spread.share_below(limits.vanishing)) if sizes else "–"
        cells = [f"{spread.size:,}", number(spread.norm), number(spread.median), below]
        cells += [f"{spread.zeros:,}"]
        if spread.nonfinite:
            cells[-1] += f", {spread.nonfinite:,} {unreal(spread)}"
        if spread.sampled:
            words += ", sample"
        shown = "".join(f"<td><code>{escape(cell)}</code></td>" for cell in cells)
        rows.append(f"<tr><td>{escape(words)}</td>{shown}</tr>")
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    title = f"<th>selected: {escape(layer.title)}</th>"
    return f"<table class='agl-wide'><tr>{title}{names}</tr>{''.join(rows)}</table>"
