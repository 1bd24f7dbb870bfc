"""PhaseMap: for each learning rate and momentum, what a step leaves of the error on a quadratic,
and beside it the way w takes there. Drag the point over the map."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..graphs import phase
from ..graphs.contours import contour, drawn, label_place
from ..graphs.draw import Pen, circle, path, rectangle, svg, text, value_chip
from ..graphs.numbers import number
from ..graphs.style import attributes, css_class, text_width
from .instrument import Instrument, chosen
from .svg_view import SvgView
from .trajectory_race import ARROWS
from .vjp_explorer import is_pair

WIDTH, HEIGHT = 690.0, 388.0  # px
MAP = (52.0, 30.0, 412.0, 330.0)  # left, top, right, bottom
CHART = (472.0, 166.0, 682.0, 330.0)
SIDE = 440.0  # left of the formula
FARTHEST = 4.0  # lr times the largest λ: beyond it no momentum below 1 helps
MOST = 4  # curvatures
STEPS = 40  # of the walk
RATES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)  # of the lines of equal rate
GRID = 81, 61
NAMES = (  # and where they stand: lr · λ, momentum
    (0.42, 0.035, "monotone"),
    (2.1, 0.62, "oscillating"),
    (1.64, 0.035, "alternating"),
    (3.3, 0.3, "diverging"),
    (0.75, 0.17, "critical damping"),
)
Point = tuple[float, float]


def _number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


class PhaseMap(Instrument):
    """Choose learning rate and momentum of `torch.optim.SGD` on λ/2 · w², and see where w goes.

    Args:
        curvatures: λ of the quadratic; or several, of as many directions, at most four.
        lr, momentum: where the point stands at first.
        controls: what can be moved of "lr" and "momentum"; by default both.

    Raises:
        ValueError: no, more than four, or not positive curvatures; or a point outside the map.

    >>> map = PhaseMap(1.0, lr=0.25, momentum=0.8)
    >>> print(map.sentence)
    Oscillating. At lr 0.25 and momentum 0.8 a step leaves 0.8944 of the error, so a tenth is left \
after 21 steps; critical damping at this lr is momentum 0.25.
    >>> print(map.move(2.5, 0.0))
    Diverging. At lr 2.5 and momentum 0 a step multiplies the error by 1.5.
    """

    CONTROLS = ("lr", "momentum")
    STATE = MappingProxyType({"lr": _number, "momentum": _number})
    title = "Learning rate and momentum"

    def __init__(
        self,
        curvatures: float | Sequence[float] = 1.0,
        lr: float | None = None,
        momentum: float = 0.0,
        *,
        controls: Iterable[str] | None = None,
    ) -> None:
        given = [curvatures] if isinstance(curvatures, int | float) else list(curvatures)
        if not 1 <= len(given) <= MOST or not all(_number(x) and x > 0 for x in given):
            raise ValueError(f"give 1 to {MOST} positive curvatures, not {curvatures!r}")
        self._chosen = chosen(controls, type(self))
        self.curvatures = sorted(map(float, given))
        self.steepest = self.curvatures[-1]
        self.farthest = FARTHEST / self.steepest
        self._controls: dict[str, Any] | None = None
        self.view = SvgView(
            title="Phase Map",
            tag="SGD with momentum",
            look="below chart drags",
            drags=f"Phase Map: arrows move {' and '.join(self._chosen)}" if self._chosen else "",
            view=[WIDTH, HEIGHT],
            order=[["", None, None]] * 2,
            panels=[""],
            steps_keys=[""],
        )
        self.view.on_msg(lambda _, message, __: self._on_message(message))
        self.move(0.25 / self.steepest if lr is None else lr, momentum)

    def move(self, lr: float, momentum: float) -> str:
        """Put the point somewhere else; returns the sentence."""
        known = _number(lr) and _number(momentum)
        if not (known and 0 < lr <= self.farthest and 0 <= momentum <= 1):
            raise ValueError(
                f"the map has lr above 0 to {number(self.farthest)} and momentum from 0 to 1"
            )
        self.lr, self.momentum = float(lr), float(momentum)
        self._draw()
        for name, widget in (self._controls or {}).items():
            widget.value = getattr(self, name)
        return self.sentence

    # ------------------------------------------------------------------------- what it says

    @property
    def rate(self) -> float:
        """What a step leaves of the error, in the long run, in the slowest direction."""
        return phase.radius(self.lr, self.momentum, *self.curvatures)

    @property
    def slowest(self) -> float:
        """The curvature of the direction where most of the error is left."""
        return max(self.curvatures, key=lambda x: phase.radius(self.lr, self.momentum, x))

    @property
    def kinds(self) -> list[str]:
        """For each direction, the flattest first: monotone, oscillating, alternating, diverging."""
        return [phase.kind(self.lr, self.momentum, x) for x in self.curvatures]

    @property
    def sentence(self) -> str:
        """The kind of motion, the rate, and what would be better, in words."""
        rate, one = self.rate, len(self.curvatures) == 1
        here = f"lr {number(self.lr)} and momentum {number(self.momentum)}"
        whose = "" if one else f" in the direction of λ = {number(self.slowest)}"
        if rate > 1 + phase.EDGE:
            return f"Diverging. At {here} a step multiplies the error by {number(rate)}{whose}."
        if rate >= 1 - phase.EDGE:
            return f"It never arrives. At {here} a step leaves all of the error{whose}."
        after = phase.steps_to_a_tenth(rate)
        so = f"a tenth is left after {after} step{'s' * (after != 1)}" if rate else "none after 2"
        said = f"At {here} a step leaves {number(rate)} of the error{whose}, so {so}"
        if not one:
            lr, momentum = phase.best(self.curvatures)
            least = number(phase.radius(lr, momentum, *self.curvatures))
            best = f"the best is {least}, at lr {number(lr)} and momentum {number(momentum)}"
            return f"{self._head()}. {said}; {best}."
        if self.lr * self.steepest >= 1:
            return f"{self._head()}. {said}."
        critical = number(phase.critical(self.lr, self.steepest))
        return f"{self._head()}. {said}; critical damping at this lr is momentum {critical}."

    summary = sentence

    def _head(self) -> str:
        if len(set(self.kinds)) > 1:
            pairs = zip(self.curvatures, self.kinds, strict=True)
            return ", ".join(f"λ = {number(x)} is {kind}" for x, kind in pairs)
        critical = self.lr * self.steepest <= 1 and math.isclose(
            self.momentum, phase.critical(self.lr, self.steepest), abs_tol=5e-4
        )
        both = critical and len(self.curvatures) == 1
        return "Critically damped" if both else self.kinds[0].capitalize()

    def svg(self) -> str:
        """The map and the walk as a still picture."""
        return svg(WIDTH, HEIGHT, self.title, self.sentence, "".join(self._parts(attributes)))

    def _get(self, name: str) -> Any:
        return getattr(self, name)

    def _set(self, name: str, given: Any) -> None:
        try:
            self.move(**{"lr": self.lr, "momentum": self.momentum, name: given})
        except ValueError as error:
            raise ValueError(f"this state does not fit: {error}") from None

    # ------------------------------------------------------------------------------ drawing

    def _draw(self) -> None:
        view = self.view
        curvatures = ", ".join(map(number, self.curvatures))
        with view.hold_sync():
            view.expression = f"λ/2 · w², λ = {curvatures}"
            view.sentences = [self.sentence]
            view.set_frames([self._parts(css_class)])
            view.revision += 1

    def _at(self, scaled: float, momentum: float) -> Point:
        """The place of lr · λ, of the largest λ, and a momentum."""
        left, top, right, bottom = MAP
        x = left + (right - left) * scaled / FARTHEST
        return x, bottom - (bottom - top) * momentum

    def _parts(self, pen: Pen) -> list[str]:
        return [
            self._regions(pen) + self._rates(pen) + self._borders(pen),
            self._point(pen) + self._formula(pen) + self._walk(pen),
        ]

    def _regions(self, pen: Pen) -> str:
        """The regions of the steepest direction; outside "monotone" each has its own pattern."""
        share = [i / 40 for i in range(41)]
        swing = [self._at(4 * t * t, (1 - 2 * t) ** 2) for t in share]
        corner = self._at(4, 0)
        grows = [self._at(2, 0), self._at(4, 1), corner]
        hatch = ""
        for i in range(1, 27):  # diagonals from the slanted edge to the bottom or the right
            up = i / 27
            way = min(up / 0.6, 2 - 2 * up)
            ends = (2 + 2 * up, up), (2 + 2 * up + way, up - 0.6 * way)
            hatch += drawn([self._at(*end) for end in ends], tuple)
        stripes = ""
        for i in range(1, 40):
            x = 1 + 0.075 * i
            low, high = max(0.0, x / 2 - 1), (math.sqrt(x) - 1) ** 2
            stripes += "M{:.1f} {:.1f}".format(*self._at(x, low))
            stripes += f"V{self._at(x, high)[1]:.1f}"
        return (
            path(pen, "phase swing", drawn(swing, tuple) + "z")
            + path(pen, "phase zigzag", stripes)
            + path(pen, "phase grows", drawn(grows, tuple) + "z")
            + path(pen, "phase hatch", hatch)
        )

    def _rates(self, pen: Pen) -> str:
        """Lines where a step leaves the same part of the error."""
        lrs = np.linspace(1e-9, self.farthest, GRID[0])
        betas = np.linspace(0, 1, GRID[1])
        rates = np.array([[phase.radius(a, b, *self.curvatures) for a in lrs] for b in betas])
        lines, labels, taken = "", "", [self._at(x, y) for x, y, _ in NAMES]

        def at(p: Point) -> Point:
            return self._at(FARTHEST * p[0] / (GRID[0] - 1), p[1] / (GRID[1] - 1))

        for rate in RATES:
            found = sorted(contour(rates, rate), key=len, reverse=True)
            lines += "".join(drawn(line, at) for line in found)
            places = [at(p) for p in found[0]] if found else []
            if spot := label_place(sorted(places), taken, MAP):
                taken.append(spot)
                labels += text(pen, "race level", *spot, number(rate))
        return path(pen, "phase rate", lines or "M0 0") + labels

    def _borders(self, pen: Pen) -> str:
        """What parts the regions, their names, and the axes."""
        left, top, right, bottom = MAP
        half = [i / 40 for i in range(41)]
        damped = [self._at(t * t, (1 - t) ** 2) for t in half]
        flips = [self._at((1 + t) ** 2, t * t) for t in half]
        last = [self._at(2, 0), self._at(4, 1)]  # beyond it nothing converges
        parts = [path(pen, "phase border", drawn(flips, tuple)),
                 path(pen, "phase critical", drawn(damped, tuple)),
                 path(pen, "threshold", drawn(last, tuple))]  # fmt: skip
        for other in self.curvatures[:-1]:
            ratio = self.steepest / other
            line = [self._at(ratio * t * t, (1 - t) ** 2) for t in half if ratio * t * t <= 4]
            parts.append(path(pen, "phase other", drawn(line, tuple)))
        parts.append(rectangle(pen, "module frame", MAP))
        parts += [text(pen, "phase name", *self._at(x, y), name) for x, y, name in NAMES]
        for k in range(5):
            x = self._at(k, 0)[0]
            parts.append(text(pen, "small", x, bottom + 12, number(k / self.steepest, 3)))
            if k in (1, 2):
                one = len(self.curvatures) == 1
                words = f"{k}/{'λ' if one else number(self.steepest)}"
                parts.append(text(pen, "number", x, bottom + 28, words))
            parts.append(text(pen, "small end", left - 6, self._at(0, k / 4)[1], number(k / 4)))
        parts += [text(pen, "note", left, bottom + 46, "learning rate →"),
                  text(pen, "note", 8, top - 16, "↑ momentum"),
                  text(pen, "note end", right, top - 16, "lines: what a step leaves")]  # fmt: skip
        if len(self.curvatures) > 1:
            lr, momentum = phase.best(self.curvatures)
            x, y = self._at(lr * self.steepest, momentum)
            parts.append(path(pen, "sign", f"M{x - 5:.1f} {y:.1f}h10M{x:.1f} {y - 5:.1f}v10"))
            parts.append(text(pen, "phase name", x, y - 14, "best"))
        place = ' data-drag=""' if self._chosen else ""
        hit = f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" '
        return "".join(parts) + hit + f'height="{bottom - top:g}" {pen("race hit")}{place}/>'

    def _point(self, pen: Pen) -> str:
        left, top, right, bottom = MAP
        x, y = self._at(self.lr * self.steepest, self.momentum)
        cross = path(pen, "tie", f"M{left:g} {y:.1f}H{right:g}M{x:.1f} {top:g}V{bottom:g}")
        return cross + circle(pen, "now dot", x, y, 6.5)

    def _formula(self, pen: Pen) -> str:
        """The equation of the slowest direction, with numbers, and what solves it."""
        curvature = self.slowest
        first, second = phase.roots(self.lr, self.momentum, curvature)
        total = 1 + self.momentum - self.lr * curvature
        sign = "−" if total >= 0 else "+"
        if abs(first.imag) > 1e-7:
            solved = f"{number(first.real, 3)} ± {number(abs(first.imag), 3)} i"
        else:
            solved = f"{number(first.real, 3)} and {number(second.real, 3)}"
        rows = ["μ² − (1 + β − αλ) μ + β = 0",
                f"μ² {sign} {number(abs(total), 3)} μ + {number(self.momentum, 3)} = 0",
                f"μ = {solved}"]  # fmt: skip
        several = f", λ = {number(curvature)}" if len(self.curvatures) > 1 else ""
        parts = [text(pen, "note", SIDE, 14, f"one step{several}: lr α, momentum β")]
        parts += [text(pen, "row label", SIDE, 38 + 22 * i, row) for i, row in enumerate(rows)]
        parts.append(text(pen, "row label", SIDE, 104, "|μ| ="))
        parts.append(value_chip(pen, SIDE + 46, 104, number(abs(first))))
        return "".join(parts)

    def _walk(self, pen: Pen) -> str:
        """The error after each step, in each direction, between ± what the rate leaves."""
        left, top, right, bottom = CHART
        middle, half = (top + bottom) / 2, (bottom - top) / 2

        def at(step: float, error: float) -> Point:
            share = min(1.0, max(-1.0, error / 1.15))
            return left + (right - left) * step / STEPS, middle - half * share

        parts = [text(pen, "note", SIDE, top - 18, "what is left of w after each step"),
                 path(pen, "grid", f"M{left:g} {middle:g}H{right:g}"),
                 rectangle(pen, "module frame", CHART),
                 text(pen, "small", left, bottom + 12, "0"),
                 text(pen, "small", right - 8, bottom + 12, str(STEPS)),
                 text(pen, "note middle", (left + right) / 2, bottom + 12, "step")]  # fmt: skip
        for y in (1.0, 0.0, -1.0):
            parts.append(text(pen, "small end", left - 6, at(0, y)[1], number(y)))
        names = [f"λ = {number(x)}" for x in self.curvatures]
        x = SIDE
        for i, curvature in enumerate(self.curvatures):
            errors = phase.walk(self.lr, self.momentum, curvature, STEPS)
            ends = next((k for k, e in enumerate(errors) if abs(e) > 1.15), STEPS)
            line = [at(k, error) for k, error in enumerate(errors[: ends + 1])]
            parts.append(path(pen, f"race trail {i}", drawn(line, tuple)))
            dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in line if len(names) == 1)
            parts.append(path(pen, "race dots", dots) if dots else "")
            if len(names) > 1:
                parts.append(path(pen, f"race trail {i}", f"M{x:g} {bottom + 34:g}h20"))
                parts.append(text(pen, "row note", x + 24, bottom + 34, names[i]))
                x += 32 + text_width(names[i], 11, mono=False)
        if self.rate > 1 + phase.EDGE:
            parts.append(text(pen, "phase name", (left + right) / 2, middle - 16, "grows on"))
        elif self.rate < 1:
            for sign in (1, -1):
                edge = [at(k, sign * self.rate**k) for k in range(STEPS + 1)]
                parts.append(path(pen, "tie", drawn(edge, tuple)))
        return "".join(parts)

    # ----------------------------------------------------------------------------- controls

    @property
    def controls(self) -> tuple[Any, ...]:
        """A slider for the learning rate and one for the momentum."""
        if self._controls is None:
            from ipywidgets import FloatSlider

            fine = self.farthest / 400
            # Where it follows the hand, a slider of ipywidgets 8 also sends back what Python set.
            made = {
                "lr": lambda: FloatSlider(
                    value=self.lr, min=fine, max=self.farthest, step=fine, description="lr",
                    readout_format=".3g", continuous_update=False,
                ),
                "momentum": lambda: FloatSlider(
                    value=self.momentum, min=0.0, max=1.0, step=0.01, description="momentum",
                    continuous_update=False,
                ),
            }  # fmt: skip
            self._controls = {name: made[name]() for name in self._chosen}
            for name, widget in self._controls.items():
                widget.observe(lambda change, name=name: self._slid(name, change["new"]), "value")
        return tuple(self._controls.values())

    def _slid(self, name: str, value: float) -> None:
        if value != getattr(self, name):  # moved by hand, not by move()
            self._go(**{name: value})

    def _on_message(self, message: Any) -> None:
        """The point was dragged, or moved with a key."""
        message = message if isinstance(message, dict) else {}
        left, top, right, bottom = MAP
        if is_pair(place := message.get("drag")):
            lr = (place[0] - left) / (right - left) * self.farthest
            self._go(lr, (bottom - place[1]) / (bottom - top))
        elif message.get("arrow") in ARROWS:
            x, y = ARROWS[message["arrow"]]
            self._go(self.lr + x * self.farthest / 80, self.momentum + y * 0.02)

    def _go(self, lr: float | None = None, momentum: float | None = None) -> None:
        """Move what may be moved, to round numbers on the map."""
        fine = self.farthest / 400
        lr = self.lr if lr is None or "lr" not in self._chosen else lr
        momentum = self.momentum if momentum is None or "momentum" not in self._chosen else momentum
        lr = min(max(round(lr / fine), 1), 400) * fine
        self.move(round(lr, 10), round(min(max(momentum, 0.0), 1.0), 2))
