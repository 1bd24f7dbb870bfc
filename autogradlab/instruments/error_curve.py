"""ErrorCurve: how far the difference quotient is from the gradient, for every h from 1 to 1e−16, in
float32 and float64, nudged forward and both ways. Towards the right h shrinks: first the error does
too, because the curve bends less between the two points; then rounding lets it grow again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

from ..graphs.draw import Pen, circle, path, rectangle, svg, text
from ..graphs.nudges import gap, nudge, scalar, sizes, slope, typed
from ..graphs.numbers import number
from ..graphs.protocol import engine_of
from ..graphs.style import attributes, css_class
from .instrument import Instrument, chosen
from .svg_view import SvgView

ENGINES = {"torch": "PyTorch"}
WIDTH, HEIGHT = 690.0, 440.0  # px
LEFT, TOP, RIGHT, BOTTOM = 64.0, 138.0, 674.0, 392.0  # of the plot
COLUMNS = {"error at this h": 340.0, "best h": 470.0, "error there": 610.0}  # right ends, px
LINES = tuple((k, d) for d in ("float32", "float64") for k in ("forward", "central"))
Line = tuple[str, str]  # kind and dtype


class ErrorCurve(Instrument):
    """Compare difference quotients with autograd over all sizes of h.

    Args:
        f: a function of one tensor with one number, or an expression in x; see `NudgeLab`.
        x: a tensor with one number, of either engine. f is nudged there in float32 and in float64,
            at the float32 number nearest to x; the gradient is computed in float64.
        controls: what to show of "transport"; by default all.

    Raises:
        TypeError: x is no tensor of float32 or float64, or f returns none.
        ValueError: x has several elements, or the gradient there is not finite, or the expression
            is not understood.

    Attributes:
        gradient: what autograd says.
        errors: for ("forward" or "central", dtype) the distance of each quotient from it.

    >>> import autogradlab
    >>> curve = ErrorCurve(lambda x: x * x * x, autogradlab.tensor(0.7))
    >>> curve.best("forward", "float32"), curve.best("central", "float64")
    (0.0001, 2e-06)
    >>> print(curve.nudge(1e-5))
    Truncation rules 2 of 4 errors, rounding the others. With h = 1e−5 central differences are \
0.0022 off in float32 and 9.5e−11 in float64.
    """

    CONTROLS = ("transport",)
    STATE = MappingProxyType({"step": Instrument.STATE["step"]})

    def __init__(
        self,
        f: Callable[[Any], Any] | str,
        x: Any,
        *,
        controls: Iterable[str] | None = None,
    ) -> None:
        function = typed(f) if isinstance(f, str) else f
        at = {"float32": scalar(x).float()}
        at["float64"] = at["float32"].double()
        self.gradient = slope(function, at["float64"])
        if not math.isfinite(self.gradient):
            raise ValueError(f"the gradient of f at {number(at['float64'].item())} is not finite")
        self.sizes = sizes("float64")
        self.errors = {
            (kind, dtype): [
                gap(nudge(function, at[dtype], h, kind).quotient, self.gradient)
                for h in sizes(dtype)
            ]
            for kind, dtype in LINES
        }
        name = f if isinstance(f, str) else getattr(f, "__name__", "f").replace("<lambda>", "f")
        self.title = f"{name} at x = {number(at['float32'].item())}"
        engine = engine_of(x).__name__
        moves = "transport" in chosen(controls, type(self))
        self.view = SvgView(
            title="Error Curve",
            expression=self.title,
            tag=ENGINES.get(engine, engine),
            look="below chart",
            view=[WIDTH, HEIGHT],
            stops=[number(h) for h in self.sizes] if moves else [],
            steps_keys=[""] * len(self.sizes),
            order=[["", None, None]] * 2,
            panels=[""] * len(self.sizes),
            sentences=[self._sentence(step) for step in range(len(self.sizes))],
        )
        self._scale()
        back = self._chart(css_class)
        self.view.set_frames([back, self._now(css_class, i)] for i in range(len(self.sizes)))

    # ------------------------------------------------------------------------ what it shows

    def best(self, kind: str, dtype: str) -> float:
        """The h with the smallest error, the worst of its neighbours' counted for it: rounding
        makes some errors small by luck.

        Raises:
            ValueError: there is no such line.
        """
        return self.sizes[self._best(kind, dtype)]

    def _best(self, kind: str, dtype: str) -> int:
        if (kind, dtype) not in self.errors:
            raise ValueError(f"there is no line of {kind!r} differences in {dtype!r}")
        errors = self.errors[kind, dtype]
        worst = [max(errors[max(0, i - 1) : i + 2]) for i in range(len(errors))]
        return worst.index(min(worst))

    @property
    def h(self) -> float:
        """The size of the nudge that is marked."""
        return self.sizes[self.view.step]

    def nudge(self, h: float) -> str:
        """Mark the h nearest to this one, on a log scale; returns the sentence."""
        if not (isinstance(h, int | float) and 0 < h < math.inf):
            raise ValueError(f"h is a positive number, not {h!r}")
        far = [abs(math.log(h / each)) for each in self.sizes]
        self.view.step = far.index(min(far))
        return self.sentence

    @property
    def sentence(self) -> str:
        """What the marked h shows, in words: the verdict first."""
        return self._sentence(self.view.step)

    summary = property(lambda self: self.sentence)

    def _sentence(self, step: int) -> str:
        shown = [line for line in LINES if step < len(self.errors[line])]
        coarse, total = sum(step < self._best(*line) for line in shown), len(shown)
        rules = f"Truncation rules {coarse} of {total} errors, rounding the others."
        if coarse in (0, total):
            every = f"all {total}" if total > 2 else "both"
            rules = f"{'Truncation' if coarse else 'Rounding'} rules {every} errors."
        off = [
            f"{number(self.errors['central', dtype][step], 2)} {'off ' * (not i)}in {dtype}"
            for i, (_, dtype) in enumerate(line for line in shown if line[0] == "central")
        ]
        return f"{rules} With h = {number(self.sizes[step])} central differences are " + (
            f"{' and '.join(off)}."
        )

    def svg(self) -> str:
        """The curves, with the h that is marked."""
        body = self._chart(attributes) + self._now(attributes, self.view.step)
        return svg(WIDTH, HEIGHT, self.title, self.sentence, body)

    # ------------------------------------------------------------------------------ drawing

    def _scale(self) -> None:
        """The decades from bottom to top; an error of 0 stands on the bottom line."""
        known = [e for errors in self.errors.values() for e in errors if 0 < e < math.inf]
        self.low = math.floor(math.log10(min(known, default=1e-16))) - 1
        self.high = max(self.low + 4, math.ceil(math.log10(max(known, default=1.0))))

    def _x(self, step: int) -> float:
        return LEFT - (RIGHT - LEFT) * math.log10(self.sizes[step]) / 16

    def _y(self, error: float) -> float:
        up = (math.log10(error) if error else self.low) - self.low
        return BOTTOM - (BOTTOM - TOP) * up / (self.high - self.low)

    def _chart(self, pen: Pen) -> str:
        """Axes, the four lines, their best h and their slopes; above them the names."""
        grid, parts = "", []
        for power in range(0, 17, 2):
            x = LEFT + (RIGHT - LEFT) * power / 16
            grid += f"M{x:.1f} {TOP:g}V{BOTTOM:g}"
            parts.append(text(pen, "small", x, BOTTOM + 12, number(10.0**-power)))
        for power in range(self.low + 1, self.high + 1, max(1, (self.high - self.low) // 6)):
            y = self._y(10.0**power)
            grid += f"M{LEFT:g} {y:.1f}H{RIGHT:g}"
            parts.append(text(pen, "small end", LEFT - 6, y, number(10.0**power)))
        parts.append(text(pen, "small end", LEFT - 6, BOTTOM, "0"))
        parts.append(text(pen, "note", LEFT, BOTTOM + 32, "h, log scale"))
        parts.append(text(pen, "note end", RIGHT, BOTTOM + 32, "h → 0"))
        parts.append(text(pen, "note", 16, TOP - 14, "error, log scale"))
        parts.append(rectangle(pen, "module frame", (LEFT, TOP, RIGHT, BOTTOM)))
        parts += [self._line(pen, line) for line in LINES]
        parts += [self._slope_name(pen, line) for line in LINES[2:]]
        parts += [text(pen, "note end", x, 16, name) for name, x in COLUMNS.items()]
        for i, line in enumerate(LINES):
            best, y = self._best(*line), 38 + 20 * i
            parts.append(path(pen, f"error {line[0]} {line[1]}", f"M16 {y}h32"))
            parts.append(text(pen, "row label", 58, y, f"{line[0]} {line[1]}"))
            told = number(self.sizes[best]), number(self.errors[line][best], 2)
            for words, x in zip(told, list(COLUMNS.values())[1:], strict=True):
                parts.append(text(pen, "number end", x, y, words))
        return path(pen, "grid", grid) + "".join(parts)

    def _line(self, pen: Pen, line: Line) -> str:
        """One curve, and a ring at its best h."""
        d, before = "", False
        for i, error in enumerate(self.errors[line]):
            real = math.isfinite(error)
            if real:
                d += f"{'L' if before else 'M'}{self._x(i):.1f} {self._y(error):.1f}"
            before = real
        best = self._best(*line)
        found = self.errors[line][best]
        drawn = path(pen, f"error {line[0]} {line[1]}", d or "M0 0")
        if found == math.inf:
            return drawn
        return drawn + circle(pen, "error best", self._x(best), self._y(found), 5)

    def _slope_name(self, pen: Pen, line: Line) -> str:
        """Its slope where truncation rules, from h = 0.01 to 0.001, if it is a whole number."""
        a, b = (self.errors[line][self.sizes.index(h)] for h in (1e-2, 1e-3))
        power = math.log10(a / b) if 0 < b < a < math.inf else 0.0
        if not power or abs(power - round(power)) > 0.1:
            return ""
        # Forward further down, where the line of float32 has left it.
        step = self.sizes.index(1e-6 if line[0] == "forward" else 1e-3)
        x, y = self._x(step), self._y(self.errors[line][step])
        return text(pen, "error slope", x - 10, y + 12, f"slope {round(power)}")

    def _now(self, pen: Pen, step: int) -> str:
        """What belongs to one h: a line across the plot, and the errors there."""
        x = self._x(step)
        parts = [path(pen, "now line", f"M{x:.1f} {TOP:g}V{BOTTOM:g}")]
        for i, line in enumerate(LINES):
            errors = self.errors[line]
            words = number(errors[step], 2) if step < len(errors) else "–"
            parts.append(text(pen, "number end", COLUMNS["error at this h"], 38 + 20 * i, words))
            if step < len(errors) and errors[step] < math.inf:
                parts.append(circle(pen, "nudge end", x, self._y(errors[step]), 4))
        return "".join(parts)
