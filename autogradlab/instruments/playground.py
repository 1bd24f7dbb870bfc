"""Playground: a small network learns to tell two classes of points apart, while one watches what it
answers all over the plane, and each of its neurons too.

The steps of the transport are those of training: to go on is to train, to go back is to look at
what was kept, and the browser does that by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..graphs.classifier import (
    ACTIVATIONS,
    DEEPEST,
    WIDEST,
    Classifier,
    Moment,
    new_model,
    shape_of,
)
from ..graphs.draw import Box, Pen, circle, corner_marks, path, rectangle, svg, text
from ..graphs.modules import engine_of_module
from ..graphs.numbers import number
from ..graphs.plane import DATA, border, cells, diamond, disc, dots, place, points
from ..graphs.style import attributes, css_class
from .backward_debugger import BackwardDebugger, listed
from .instrument import Instrument, chosen, stop_number
from .svg_view import SvgView

STOPS = 24  # of the transport, after the start
EVERY = (1, 5, 25)  # training steps from one stop to the next
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
SIGNS = {1: "disc", 0: "diamond"}
WIDTH, HEIGHT = 690.0, 520.0  # px
PLANE: Box = (374.0, 36.0, 674.0, 336.0)
CURVE: Box = (56.0, 424.0, 674.0, 492.0)
MIDDLE, TOP, BOTTOM = 178.0, 48.0, 346.0  # of the network: its axis, its inputs, its output
PITCH, TILE, STRIP = 40.0, 32.0, 12.0  # a neuron's tile, and the strip with its name below


def _kind(*known: Any) -> Any:
    return lambda x: not isinstance(x, bool) and any(x == each for each in known)


def _hidden(x: Any) -> bool:
    return (
        isinstance(x, list | tuple)
        and 1 <= len(x) <= DEEPEST
        and all(type(n) is int and 1 <= n <= WIDEST for n in x)
    )


def _seed(x: Any) -> bool:
    return x is None or (type(x) is int and 0 <= x < 2**32)


def _stop(x: Any) -> bool:
    return type(x) is int and 0 <= x <= STOPS


class Playground(Instrument):
    """Train a small network on points in a plane, and look at it on the way.

    The two classes are discs and diamonds. The network gives a point one number, its score; the
    sigmoid of that is p, how sure it is of a disc. The loss is the mean of −log p over the discs
    and −log (1 − p) over the diamonds. A copy of the model is trained, in float64, by Adam.

    Args:
        data: "moons", "circle", "xor" or "spiral": 100 points.
        model: of autogradlab or PyTorch: a `Sequential` of linear layers from 2 numbers to 1, with
            tanh, relu or sigmoid between them. By default a new one is made.
        hidden: the number of neurons in each hidden layer, `[4, 4]`; 1 to 3 layers of 1 to 8.
        activation: "tanh", "relu" or "sigmoid".
        lr: the learning rate, one of 0.001, 0.003, 0.01, 0.03, 0.1, 0.3.
        every: training steps from one stop to the next, 1, 5 or 25. There are 24 stops.
        seed: of the new model's weights.
        engine: the module that makes a new model, `torch` or `autogradlab`; by default the latter.
        controls: what to show of "data", "layers", "width", "activation", "lr", "every", "train",
            "weights" and "debugger"; by default all.

    Raises:
        TypeError: `model` is not a module.
        ValueError: it is not of that kind, or a choice is none of the above.

    Attributes:
        moments: what was kept at each stop that was trained.

    >>> playground = Playground("circle", hidden=[4], every=5)
    >>> playground.trained, playground.sentence.partition(":")[0]
    (0, 'Step 0 of 120. Nothing is learned yet')
    >>> print(playground.step(4))
    Step 20 of 120. The loss is 0.6448; 73 of 100 points are on their side.
    >>> print(playground.train())
    Step 120 of 120. The loss is 0.1111; 100 of 100 points are on their side.
    >>> playground.neurons
    ['a1', 'a2', 'a3', 'a4']
    """

    CONTROLS = (
        "data", "layers", "width", "activation", "lr", "every", "train", "weights", "debugger",
    )  # fmt: skip
    STATE = MappingProxyType(
        {
            "data": _kind(*DATA),
            "hidden": _hidden,
            "activation": _kind(*ACTIVATIONS),
            "lr": _kind(*RATES),
            "every": _kind(*EVERY),
            "seed": _seed,
            "trained": _stop,
            "step": _stop,
            "selected": Instrument.STATE["selected"],
        }
    )

    def __init__(
        self, data: str = "moons", model: Any = None, *, hidden: Sequence[int] = (4, 4),
        activation: str = "tanh", lr: float = 0.03, every: int = 25, seed: int = 0,
        engine: Any = None, controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self._shown = chosen(controls, type(self))
        self._given = model
        self.engine = engine or sys.modules[__package__.partition(".")[0]]
        self._choices: dict[str, Any] = {}
        new = {"data": data, "lr": lr, "every": every, "activation": activation, "seed": seed}
        if model is not None:
            self.engine = engine_of_module(model)
            new["hidden"], new["activation"] = shape_of(model)
            new["seed"] = None
        tag = "PyTorch" if self.engine.__name__ == "torch" else "autogradlab"
        self.view = SvgView(title="Playground", look="below chart", tag=tag)
        self.view.view = [WIDTH, HEIGHT]
        self._controls: dict[str, Any] | None = None
        self.set(**{"hidden": hidden, **new})
        self.view.observe(lambda change: self._arrive(), "step")
        self.view.observe(lambda change: self._draw(), "selected")
        self.view.on_msg(lambda view, content, buffers: self._on_message(content))

    # ------------------------------------------------------------------------------- choosing

    def set(self, **choices: Any) -> str:
        """Choose anew: data, hidden, activation, lr, every, seed. Training starts again.

        Raises:
            ValueError: there is no such choice, and nothing changes; TypeError: no such name.
        """
        for name, value in choices.items():
            if name not in self.STATE or name in ("trained", "step", "selected"):
                raise TypeError(f"there is no choice {name!r}")
            if not self.STATE[name](value):
                raise ValueError(f"{name} cannot be {str(value)[:40]}: {ALLOWED[name]}")
        new = {**self._choices, **choices}
        new["hidden"] = list(new["hidden"])
        if new == self._choices:
            return self.sentence
        shape = [(self._choices or new)[name] for name in ("hidden", "activation")]
        if shape != [new["hidden"], new["activation"]] and new["seed"] is None:
            new["seed"] = 0  # no longer the model that was given
        if new["seed"] is None and self._given is None:
            raise ValueError("seed cannot be None: no model was given")
        self._choices = new
        self._start()
        return self.sentence

    def _start(self) -> None:
        c = self._choices
        model = self._given
        if c["seed"] is not None:
            model = new_model(self.engine, c["hidden"], c["activation"], c["seed"])
        self.x, self.y = points(c["data"])
        self._learner = Classifier(self.engine, model, self.x, self.y, c["lr"])
        self.moments: list[Moment] = [self._learner.moment()]
        self.neurons = [
            f"{'abc'[i]}{j + 1}" for i, n in enumerate(c["hidden"]) for j in range(n)
        ]
        layers = f"{listed([str(n) for n in c['hidden']])} neurons"
        self.title = f"{c['data']}, {layers}, {c['activation']}, lr {number(c['lr'])}"
        self._kept: list[list[str]] = []  # the drawn network at every stop
        self._planes: dict[tuple[int, str], str] = {}  # and the plane, by what is selected
        with self.view.hold_trait_notifications():
            self.view.step = 0
            if self.view.selected not in self.neurons:
                self.view.selected = ""
        self._draw()
        for name, widget in (self._controls or {}).items():
            widget.value = self._widget_value(name)

    # ------------------------------------------------------------------------------- training

    @property
    def trained(self) -> int:
        """Up to which stop it is trained."""
        return len(self.moments) - 1

    def step(self, stops: int = 1) -> str:
        """Go on by some stops of the transport, and train where it is not trained yet."""
        return self.jump(min(STOPS, self.view.step + stops))

    def back(self, stops: int = 1) -> str:
        """Look at an earlier stop."""
        return self.jump(max(0, self.view.step - stops))

    def jump(self, stop: int) -> str:
        """Go to a stop, 0 to 24, and train up to there if need be; returns the sentence."""
        self.view.step = stop_number(self.view.stops, stop)
        return self.sentence

    def train(self) -> str:
        """Train to the last stop, drawing each; returns the sentence."""
        while self.view.step < STOPS:
            self.view.step = max(self.trained, self.view.step + 1)
        return self.sentence

    def new_weights(self) -> str:
        """Start again from other weights."""
        seed = self._choices["seed"]
        return self.set(seed=0 if seed is None else (seed + 1) % 2**32)

    def _arrive(self) -> None:
        """The transport has moved: train where it went ahead."""
        if self.view.step <= self.trained:
            return
        while self.trained < self.view.step:
            self._learner.train(self._choices["every"])
            self.moments.append(self._learner.moment())
        self._draw()

    # --------------------------------------------------------------------------- what it shows

    @property
    def moment(self) -> Moment:
        """The network at the stop that is shown."""
        return self.moments[min(self.view.step, self.trained)]

    @property
    def losses(self) -> list[float]:
        """The loss before every training step so far, and now."""
        return list(self._learner.losses)

    @property
    def right(self) -> int:
        """How many points are on their side at the stop that is shown."""
        return self._right(self.moment)

    def _right(self, moment: Moment) -> int:
        return int(((moment.scores > 0) == (self.y == 1)).sum())

    @property
    def loss(self) -> Any:
        """The loss at the stop that is shown, a tensor of the engine with its graph."""
        return self._learner.at(self.moment)[1]

    @property
    def model(self) -> Any:
        """A copy of the network at the stop that is shown."""
        return self._learner.at(self.moment)[0]

    def debugger(self) -> BackwardDebugger:
        """The backward debugger of the loss at the stop that is shown."""
        model, loss = self._learner.at(self.moment)
        return BackwardDebugger(loss, model, {"loss": loss})

    @property
    def sentence(self) -> str:
        """What the picture says, in words."""
        return self._sentence(self.view.step)

    summary = property(lambda self: self.sentence)

    def _sentence(self, stop: int) -> str:
        every = self._choices["every"]
        start = f"Step {stop * every} of {STOPS * every}"
        if stop > self.trained:
            return f"{start} is still to come. The picture is of step {self.trained * every}."
        moment = self.moments[stop]
        right = f"{self._right(moment)} of {len(self.y)} points are on their side."
        loss = number(moment.loss)
        if not stop:
            said = f"{start}. Nothing is learned yet: the loss is {loss}, and {right}"
        else:
            said = f"{start}. The loss is {loss}; {right}"
        name = self.view.selected
        return said if not name else f"{said} {self._neuron_words(name, moment)}"

    def _neuron_words(self, name: str, moment: Moment) -> str:
        layer, j = self._at(name)
        answers = moment.answers[layer][:, :, j]
        low, high = number(float(answers.min()), 3), number(float(answers.max()), 3)
        if low == high:
            return f"The neuron {name} answers {low} everywhere."
        return f"The neuron {name} answers {low} to {high}, as the plane shows."

    # ---------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        if name == "hidden":
            return list(self._choices[name])
        if name == "trained":
            return self.trained
        return self._choices[name] if name in self._choices else super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name in self._choices:
            try:
                self.set(**{name: value})
            except ValueError as error:
                raise ValueError(f"this state does not fit: {error}") from None
        elif name == "trained":
            self.jump(value)
        else:
            super()._set(name, value)

    # -------------------------------------------------------------------------------- drawing

    def svg(self) -> str:
        """The picture of the stop that is shown."""
        pen, stop = attributes, min(self.view.step, self.trained)
        moment = self.moments[stop]
        parts = [self._backdrop(pen), self._lines(pen, moment), *self._shapes(pen, moment)]
        parts += [self._plane(pen, moment), dots(pen, self.x, self.y, PLANE)]
        parts += [self._now(pen, stop), self._selection()]
        return svg(WIDTH, HEIGHT, f"Playground: {self.title}", self.sentence, "".join(parts))

    def _at(self, name: str) -> tuple[int, int]:
        """The layer and the number of a neuron, from its name."""
        return "abc".index(name[0]), int(name[1:]) - 1

    def _row(self, layer: int) -> float:
        """The height of a layer; −1 are the inputs."""
        return TOP + (BOTTOM - TOP) * (layer + 1) / (len(self._choices["hidden"]) + 1)

    def _column(self, j: int, of: int) -> float:
        return MIDDLE + (PITCH if of > 2 else 1.5 * PITCH) * (j - (of - 1) / 2)

    def _spots(self) -> list[list[tuple[float, float]]]:
        """The middle of everything in the network, layer by layer, the inputs first."""
        widths = [2, *self._choices["hidden"], 1]
        return [
            [(self._column(j, n), self._row(i - 1)) for j in range(n)]
            for i, n in enumerate(widths)
        ]

    def _backdrop(self, pen: Pen) -> str:
        """Titles, inputs, the frame of the plane and its legend, and the curve of the loss."""
        name = self.view.selected
        what = f"what the neuron {name} answers" if name else "p, how sure it is of a disc"
        left, top, right, bottom = PLANE
        parts = [
            text(pen, "note", 16, 18, "network, forward runs down"),
            text(pen, "note", left, 18, what),
            rectangle(pen, "module frame", (left - 1, top - 1, right + 1, bottom + 1)),
        ]
        for (x, y), words in zip(self._spots()[0], ("x₁", "x₂"), strict=True):
            parts.append(rectangle(pen, "plain", (x - 22, y - 12, x + 22, y + 12), 12))
            parts.append(text(pen, "expression", x, y, words))
        y = bottom + 18
        parts += [
            path(pen, "plane disc", disc(left + 6, y)),
            text(pen, "note", left + 16, y, "class 1"),
            path(pen, "plane diamond", diamond(left + 76, y)),
            text(pen, "note", left + 86, y, "class 0"),
            circle(pen, "plane mistake", left + 148, y, 7),
            text(pen, "note", left + 160, y, "mistake"),
            path(pen, "plane border", f"M{left + 220:g} {y:g}h20"),
            text(pen, "note", left + 246, y, "at 0" if name else "p = ½"),
        ]
        return "".join(parts) + self._curve(pen)

    def _curve(self, pen: Pen) -> str:
        """The loss at every training step so far."""
        left, top, right, bottom = CURVE
        losses = np.array(self._learner.losses)
        finite = losses[np.isfinite(losses)]
        self._high = max(0.8, min(3.0, float(finite.max(initial=0.8))))
        total, grid, parts = STOPS * self._choices["every"], "", []
        for share in (0, 0.25, 0.5, 0.75, 1):
            x = left + (right - left) * share
            grid += f"M{x:.1f} {top:g}V{bottom:g}"
            anchor = "small end" if share == 1 else "small"
            parts.append(text(pen, anchor, x, bottom + 12, number(total * share)))
        for loss in (0.0, self._high / 2, self._high):
            y = bottom - (bottom - top) * loss / self._high
            grid += f"M{left:g} {y:.1f}H{right:g}"
            parts.append(text(pen, "small end", left - 6, y, number(loss, 2)))
        d, before = "", False
        for i in range(0, len(losses), max(1, self._choices["every"] // 5)):
            if np.isfinite(losses[i]):
                d += f"{'L' if before else 'M'}{self._x(i):.1f} {self._y(losses[i]):.1f}"
            before = bool(np.isfinite(losses[i]))
        parts.append(text(pen, "note", 16, top - 16, "loss, at each training step"))
        curve = path(pen, "held", d) if d else ""
        return path(pen, "grid", grid) + "".join(parts) + curve

    def _x(self, step: int) -> float:
        return CURVE[0] + (CURVE[2] - CURVE[0]) * step / (STOPS * self._choices["every"])

    def _y(self, loss: float) -> float:
        return CURVE[3] - (CURVE[3] - CURVE[1]) * min(float(loss), self._high) / self._high

    def _lines(self, pen: Pen, moment: Moment) -> str:
        """The weights: the larger, the thicker; those that count less than a tenth are left out,
        negative ones are dashed."""
        most = max(float(np.abs(w).max()) for w, _ in moment.weights) or 1.0
        found: dict[tuple[int, bool], str] = {}
        spots = self._spots()
        for layer, (weight, _) in enumerate(moment.weights):
            last = layer == len(moment.weights) - 1
            for j, row in enumerate(weight.tolist()):
                for i, w in enumerate(row):
                    share = abs(w) / most
                    if not share >= 0.1:
                        continue
                    (x0, y0), (x1, y1) = spots[layer][i], spots[layer + 1][j]
                    y0 += 12 if not layer else (TILE + STRIP) / 2
                    y1 -= 14 if last else (TILE + STRIP) / 2
                    key = (1 if share < 1 / 3 else 2 if share < 2 / 3 else 4), w < 0
                    found[key] = found.get(key, "") + f"M{x0:g} {y0:.1f}L{x1:g} {y1:.1f}"
        dashed = {True: ' stroke-dasharray="4 3"', False: ""}
        return "".join(
            path(pen, "weight line", d, f' stroke-width="{wide}"{dashed[minus]}')
            for (wide, minus), d in sorted(found.items())
        )

    def _shapes(self, pen: Pen, moment: Moment) -> list[str]:
        """Every neuron as a tile of what it answers, and the output with its formula."""
        parts, spots = [], self._spots()
        for name in self.neurons:
            layer, j = self._at(name)
            x, y = spots[layer + 1][j]
            left, top = x - TILE / 2, y - (TILE + STRIP) / 2
            box = (left, top, left + TILE, top + TILE)
            answers = moment.answers[layer][::2, ::2, j]
            frame = (left - 1, top - 1, left + TILE + 1, top + TILE + STRIP + 1)
            parts.append(
                rectangle(pen, "plain", frame, 4)
                + cells(pen, answers, _bands(answers), box)
                + text(pen, "note strong", x, top + TILE + STRIP / 2, name)
            )
        (x, y), name = spots[-1][0], "score"
        d = f"M{x - 32:g} {y - 14:g}h64v18l-32 12l-32 -12z"
        parts.append(path(pen, "plain", d) + text(pen, "expression", x, y - 4, name))
        return parts

    def _plane(self, pen: Pen, moment: Moment) -> str:
        """What the network answers all over the plane, or the selected neuron."""
        name = self.view.selected
        if name:
            layer, j = self._at(name)
            answers = moment.answers[layer][:, :, j]
            bands, level = _bands(answers), 0.0
        else:
            answers = 0.5 + 0.5 * np.tanh(moment.answers[-1][:, :, 0] / 2)  # the sigmoid
            bands, level = (0.25, 0.5, 0.75), 0.5
        d = border(answers, level, PLANE)
        line = path(pen, "plane border", d) if d else ""
        return cells(pen, answers, bands, PLANE) + line

    def _now(self, pen: Pen, stop: int) -> str:
        """What belongs to one stop: the mistakes, the formula, the place on the curve."""
        moment = self.moments[stop]
        wrong = (moment.scores > 0) != (self.y == 1)
        rings = "".join(disc(*place(x, PLANE), 7) for x in self.x[wrong])
        parts = [path(pen, "plane mistake", rings)] if rings else []
        parts.append(text(pen, "row label", 16, BOTTOM + 32, self._formula(moment)))
        x, y = self._x(moment.step), self._y(moment.loss)
        parts.append(path(pen, "now line", f"M{x:.1f} {CURVE[1]:g}V{CURVE[3]:g}"))
        parts.append(circle(pen, "now dot", x, y, 4.5))
        words = f"{number(moment.loss)} · {self._right(moment)} / {len(self.y)} right"
        parts.append(text(pen, "number end", CURVE[2], CURVE[1] - 16, words))
        return "".join(parts)

    def _formula(self, moment: Moment) -> str:
        """The selected neuron, or the score, with the numbers of its two largest weights."""
        layer, j, start, end = len(moment.weights) - 1, 0, "score = ", ""
        if self.view.selected:
            layer, j = self._at(self.view.selected)
            start, end = f"{self.view.selected} = {self._choices['activation']}(", ")"
        weight, bias = moment.weights[layer][0][j].tolist(), float(moment.weights[layer][1][j])
        names = [f"{'abc'[layer - 1]}{i + 1}" for i in range(len(weight))]
        names = names if layer else ["x₁", "x₂"]
        largest = sorted(sorted(range(len(weight)), key=lambda i: -abs(weight[i]))[:2])
        terms = [_signed(weight[i], f"·{names[i]}") for i in largest]
        terms += ["+ …"] if len(weight) > 2 else []
        said = " ".join([*terms, _signed(bias)])
        return start + (said[2:] if said.startswith("+ ") else said.replace("− ", "−", 1)) + end

    # --------------------------------------------------------------------------------- widget

    def _selection(self) -> str:
        """The corners round the selected neuron, for the still picture."""
        name = self.view.selected
        if not name:
            return ""
        layer, j = self._at(name)
        x, y = self._spots()[layer + 1][j]
        corners = path(attributes, "corners", corner_marks(*CORNERS))
        return f'<g transform="translate({x:g} {y:g})">{corners}</g>'

    def _draw(self) -> None:
        """Give the widget all that it shows now."""
        pen, view, every = css_class, self.view, self._choices["every"]
        for moment in self.moments[len(self._kept) :]:
            self._kept.append([self._lines(pen, moment), *self._shapes(pen, moment)])
        for i, moment in enumerate(self.moments):
            if (i, view.selected) not in self._planes:
                self._planes[i, view.selected] = self._plane(pen, moment)
        backdrop, marks = self._backdrop(pen), dots(pen, self.x, self.y, PLANE)
        frames = [
            [backdrop, *self._kept[i], self._planes[i, view.selected], marks, self._now(pen, i)]
            for i in range(len(self.moments))
        ]
        frames += [frames[-1]] * (STOPS - self.trained)  # still to come
        spots, targets = self._spots(), []
        for name in self.neurons:
            layer, j = self._at(name)
            x, y = spots[layer + 1][j]
            near = [[k for k in self.neurons if k[0] == c] for c in _beside(name[0])]
            about = f"neuron {j + 1} of layer {layer + 1}: Enter shows what it answers"
            targets.append([name, about, x, y, *near])
        with view.hold_sync():
            view.targets = targets
            view.overlays = dict.fromkeys(self.neurons, _marks())
            order = [[name, None, None] for name in self.neurons]
            nothing = ["", None, None]
            view.order = [nothing, nothing, *order, *[nothing] * 4]
            view.set_frames(frames)
            view.expression = self.title
            view.stops = [str(i * every) for i in range(STOPS + 1)]
            view.steps_keys = [""] * (STOPS + 1)
            view.sentences = [self._sentence(i) for i in range(STOPS + 1)]
            view.panels = [self._form()] * (STOPS + 1)
            view.revision += 1

    def _form(self) -> str:
        keys = "data-lm-suppress-shortcuts='true'"
        words = {"train": "Train to the end", "weights": "New weights",
                 "debugger": "Open the backward debugger"}  # fmt: skip
        buttons = "".join(
            f"<button name='{name}' {keys}>{label}</button>"
            for name, label in words.items()
            if name in self._shown
        )
        return f"<form>{buttons}</form>" if buttons else ""

    def _on_message(self, content: Any) -> None:
        """A button was pressed; what fits none is passed over."""
        name = content.get("button") if isinstance(content, dict) else None
        if name == "train":
            self.train()
        elif name == "weights":
            self.new_weights()
        elif name == "debugger":
            opened = self.debugger()
            self.with_controls()
            self._slot.children = (opened.with_controls() if opened.controls else opened.view,)

    def _widget_value(self, name: str) -> Any:
        hidden = self._choices["hidden"]
        if name == "layers":
            return len(hidden)
        return hidden[0] if name == "width" else self._choices[name]

    @property
    def controls(self) -> tuple[Any, ...]:
        """Menus for the choices; they are made when they are first asked for."""
        if self._controls is None:
            from ipywidgets import Dropdown, Layout, VBox

            options = {
                "data": DATA, "layers": range(1, DEEPEST + 1), "width": range(1, WIDEST + 1),
                "activation": tuple(ACTIVATIONS), "lr": RATES, "every": EVERY,
            }  # fmt: skip
            made = {}
            for name in options:
                if name in self._shown:
                    shown = [(str(value), value) for value in options[name]]
                    made[name] = Dropdown(
                        options=shown, value=self._widget_value(name), description=name,
                        layout=Layout(width="200px"),
                    )  # fmt: skip
                    made[name].observe(lambda event, name=name: self._choose(name, event), "value")
            self._controls, self._slot = made, VBox([])
        return (*self._controls.values(), self._slot)

    def _choose(self, name: str, event: Any) -> None:
        value, hidden = event["new"], self._choices["hidden"]
        if value == self._widget_value(name):
            return
        if name == "layers":
            self.set(hidden=(hidden + hidden[-1:] * DEEPEST)[:value])
        elif name == "width":
            self.set(hidden=[value] * len(hidden))
        else:
            self.set(**{name: value})

    def with_controls(self) -> Any:
        """The widget with its menus above it, and the debugger below once it is opened."""
        if self._box is None:
            from ipywidgets import HBox, Layout, VBox

            *menus, slot = self.controls
            row = HBox(menus, layout=Layout(flex_flow="row wrap"))
            self._box = VBox([row, self.view, slot])
        return self._box


ALLOWED = {
    "data": f"it is one of {', '.join(DATA)}",
    "hidden": f"it is a list of 1 to {DEEPEST} numbers from 1 to {WIDEST}",
    "activation": f"it is one of {', '.join(ACTIVATIONS)}",
    "lr": f"it is one of {', '.join(map(str, RATES))}",
    "every": f"it is one of {', '.join(map(str, EVERY))}",
    "seed": "it is a whole number from 0 on",
}
CORNERS = (TILE / 2 + 5, (TILE + STRIP) / 2 + 5)  # px, round a neuron


def _bands(answers: np.ndarray) -> tuple[float, ...]:
    """The bounds of the tones of a neuron: above 0, and above a third and two thirds of its most.

    >>> _bands(np.array([-2.0, 3.0]))
    (0.0, 1.0, 2.0)
    """
    most = float(np.abs(answers).max())
    return 0.0, most / 3, most * 2 / 3


def _signed(x: float, times: str = "") -> str:
    """A number as a term of a sum.

    >>> _signed(-0.5, "·x₁")
    '− 0.5·x₁'
    """
    return f"{'−' if x < 0 else '+'} {number(abs(x), 3)}{times}"


def _beside(letter: str) -> tuple[str, str]:
    """The layers above and below."""
    return chr(ord(letter) - 1), chr(ord(letter) + 1)


def _marks() -> str:
    """Selection and focus round a neuron."""
    corners = path(css_class, "corners", corner_marks(*CORNERS))
    x, y = CORNERS
    ring = rectangle(css_class, "focus", (2 - x, 2 - y, x - 2, y - 2), 4)
    return f'<g class="agl-mark-corners">{corners}</g><g class="agl-mark-focus">{ring}</g>'
