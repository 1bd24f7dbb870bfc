"""NudgeLab: the graph of f, a point on it, and a nudge of size h. The secant through both points
has the difference quotient as its slope, the tangent has the gradient; as h shrinks the one becomes
the other, until rounding spoils it.

The steps of the transport are the sizes of h, so the browser scrubs over h by itself; moving x asks
Python.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any

from ..graphs.draw import (
    Pen,
    circle,
    gradient_chip,
    path,
    rectangle,
    svg,
    text,
    value_chip,
    value_chip_width,
)
from ..graphs.nudges import KINDS, Nudge, gap, nudge, scalar, sizes, slope, typed, value
from ..graphs.numbers import exactly, number
from ..graphs.protocol import dtype_of, engine_of
from ..graphs.style import attributes, css_class, text_width
from .instrument import Instrument, chosen
from .svg_view import SvgView

ENGINES = {"torch": "PyTorch"}
WIDTH, HEIGHT = 690.0, 424.0  # px
LEFT, TOP, RIGHT, BOTTOM = 48.0, 96.0, 674.0, 372.0  # of the plot
LEGEND = 520.0  # where the names of the lines begin, right of the formula
SAMPLES = 240  # pieces of the curve
CLOSE = 1e-3  # slopes this close, relative to the gradient, count as the same
FORMULAS = {
    "forward": "(f(x + h) − f(x)) / h",
    "backward": "(f(x) − f(x − h)) / h",
    "central": "(f(x + h) − f(x − h)) / (2 · h)",
}
Point = tuple[float, float]


def _real(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


class NudgeLab(Instrument):
    """Nudge x by h and compare the slope of the secant with the gradient.

    Args:
        f: a function of one tensor with one number that returns such a tensor; or an expression in
            x as text, "x**2 + sin(x)", of numbers, + - * / ** and abs, cos, exp, log, relu,
            sigmoid, sin, sqrt, tan, tanh.
        x: a tensor with one number, float32 or float64, of either engine: where f is nudged. All
            is computed in its type.
        between: the least and the largest x; the curve is drawn 1 further on both sides.
        kind: "forward" nudges up, "backward" down, "central" both ways.
        controls: what to show of "f", "x", "kind" and "transport"; by default all. "f" is shown
            for an expression only.

    Raises:
        TypeError: x is no such tensor, or f returns none.
        ValueError: x has several elements, or is not between the two, or the expression or a name
            is not understood.

    >>> import autogradlab
    >>> lab = NudgeLab("x**2", autogradlab.tensor(1.0))
    >>> lab.quotient, lab.gradient
    (3.0, 2.0)
    >>> print(lab.nudge(0.1))
    The secant is too steep. With h = 0.1 its slope is 2.1; the gradient is 2, so the gap is 0.1.
    >>> print(lab.nudge(1e-8))
    The nudge is lost. In float32, 1 + 1e−8 is 1 again, so the quotient is 0; the gradient is 2.
    """

    CONTROLS = ("f", "x", "kind", "transport")
    STATE = MappingProxyType(
        {
            "f": lambda x: isinstance(x, str),
            "kind": lambda x: x in KINDS if isinstance(x, str) else False,
            "x": _real,
            "step": Instrument.STATE["step"],
        }
    )

    def __init__(
        self,
        f: Callable[[Any], Any] | str,
        x: Any,
        between: tuple[float, float] = (-2.0, 2.0),
        *,
        kind: str = "forward",
        controls: Iterable[str] | None = None,
    ) -> None:
        self.x = scalar(x)
        self.engine, self.dtype = engine_of(x).__name__, dtype_of(x)
        self.between = float(between[0]), float(between[1])
        self.kind, self.sizes = _kind(kind), sizes(self.dtype)
        self._chosen = chosen(controls, type(self))
        self._inside(self.x.item())
        self._controls: dict[str, Any] | None = None
        moves = "transport" in self._chosen
        self.view = SvgView(
            title="Nudge Lab",
            tag=f"{ENGINES.get(self.engine, self.engine)} · {self.dtype}",
            look="below chart",
            view=[WIDTH, HEIGHT],
            stops=[number(h) for h in self.sizes] if moves else [],
            steps_keys=[""] * len(self.sizes),
            order=[["", None, None]] * 3,
            panels=[""] * len(self.sizes),
        )
        self._use(f)

    # ------------------------------------------------------------------------------- actions

    def move(self, x: float) -> str:
        """Go to another x; returns the sentence."""
        if not _real(x):
            raise ValueError(f"x is a finite number, not {x!r}")
        self._inside(x)
        self.x = self.x.new_tensor(float(x))
        self._measure()
        return self.sentence

    def nudge(self, h: float) -> str:
        """Show the nudge whose size is nearest to h, on a log scale; returns the sentence."""
        if not (_real(h) and h > 0):
            raise ValueError(f"h is a positive number, not {h!r}")
        far = [abs(math.log(h / each)) for each in self.sizes]
        self.view.step = far.index(min(far))
        return self.sentence

    def nudge_to(self, kind: str) -> str:
        """Nudge "forward", "backward", or "central", both ways; returns the sentence."""
        self.kind = _kind(kind)
        self._measure()
        return self.sentence

    def write(self, expression: str) -> str:
        """Take another function, as an expression in x; returns the sentence."""
        self._use(expression)
        return self.sentence

    # ------------------------------------------------------------------------ what it shows

    @property
    def h(self) -> float:
        """The size of the nudge."""
        return self.sizes[self.view.step]

    @property
    def quotient(self) -> float:
        """The slope of the secant."""
        return self.nudges[self.view.step].quotient

    @property
    def sentence(self) -> str:
        """What the picture says, in words: the verdict first."""
        return self.sentences[self.view.step]

    summary = property(lambda self: self.sentence)

    @property
    def sentences(self) -> list[str]:
        """The sentence for each h."""
        kept = [each for each in self.nudges if not each.lost]
        gaps = [gap(each.quotient, self.gradient) for each in kept]
        closest = min(gaps, default=math.inf)
        best = kept[gaps.index(closest)].h if kept else 0.0
        kink = closest > 0.02 * max(1.0, abs(self.gradient))
        return [self._sentence(each, best, kink) for each in self.nudges]

    def _sentence(self, now: Nudge, best: float, kink: bool) -> str:
        g, q, h = number(self.gradient), number(now.quotient), number(now.h)
        far = gap(now.quotient, self.gradient)
        if not math.isfinite(far):
            what = "f" if math.isfinite(self.gradient) else "The gradient"
            return f"No slope here. {what} is not finite at x = {number(self.x.item())}, h = {h}."
        if now.lost:
            sign, x = "−" if self.kind == "backward" else "+", exactly(self.x.item(), self.dtype)
            return (
                f"The nudge is lost. In {self.dtype}, {x} {sign} {h} is {x} again, so the quotient "
                f"is 0; the gradient is {g}."
            )
        size = number(far, 2)
        with_h, rest = f"With h = {h}", f"the gradient is {g}, so the gap is {size}."
        if not far:
            return f"The secant has the slope of the tangent. {with_h} both are {g}."
        if far <= CLOSE * max(1.0, abs(self.gradient)):
            return f"The secant is the tangent, nearly. {with_h} its slope is {q}; {rest}"
        if kink:
            return (
                f"The gap does not close. {with_h} the slope of the secant is {q} and the gradient "
                f"{g}; they stay apart at every h."
            )
        if now.h < best:
            return f"Rounding spoils the quotient. {with_h} it is {q}; {rest}"
        how = "too steep" if abs(now.quotient) > abs(self.gradient) else "too flat"
        how = how if now.quotient * self.gradient >= 0 else "the wrong way round"
        return f"The secant is {how}. {with_h} its slope is {q}; {rest}"

    def svg(self) -> str:
        """The picture for the h that is shown."""
        body = "".join(self._parts(attributes, self.nudges[self.view.step]))
        return svg(WIDTH, HEIGHT, self.title, self.sentence, body)

    # ---------------------------------------------------------------------------- computing

    def _inside(self, x: float) -> None:
        low, high = self.between
        if not low <= x <= high:
            raise ValueError(f"x is between {number(low)} and {number(high)}, not {number(x)}")

    def _use(self, f: Callable[[Any], Any] | str) -> None:
        """Take a function, and draw everything anew; nothing changes where it fails."""
        function = typed(f) if isinstance(f, str) else f
        low, high = self.between[0] - 1, self.between[1] + 1
        places = [low + (high - low) * i / SAMPLES for i in range(SAMPLES + 1)]
        curve = [(x, value(function, self.x.new_tensor(x))) for x in places]
        self.f, self.curve, self.expression = function, curve, f if isinstance(f, str) else ""
        name = getattr(f, "__name__", "f")
        self.title = f"f(x) = {self.expression}" if self.expression else (
            "f(x)" if name == "<lambda>" else f"f = {name}"
        )  # fmt: skip
        self._measure()

    def _measure(self) -> None:
        """Nudge x by every h, and fill the widget."""
        self.value, self.gradient = value(self.f, self.x), slope(self.f, self.x)
        self.nudges = [nudge(self.f, self.x, h, self.kind) for h in self.sizes]
        view = self.view
        with view.hold_sync():
            view.expression, view.sentences = self.title, self.sentences
            view.set_frames(self._parts(css_class, each) for each in self.nudges)
            view.revision += 1
        for name, widget in (self._controls or {}).items():
            widget.value = self._get(name)

    def _get(self, name: str) -> Any:
        own = {"f": self.expression, "x": self.x.item(), "kind": self.kind}
        return own[name] if name in own else super()._get(name)

    def _set(self, name: str, given: Any) -> None:
        if name == "f":
            if given and given != self.expression:
                self.write(given)
        elif name in ("x", "kind"):
            {"x": self.move, "kind": self.nudge_to}[name](given)
        else:
            super()._set(name, given)

    # ------------------------------------------------------------------------------ drawing

    def _range(self) -> tuple[float, float]:
        """Least and largest y of the plot: what the curve has, without what shoots off."""
        ys = sorted(y for _, y in self.curve if math.isfinite(y))
        if not ys:
            return -1.0, 1.0
        inner = ys[len(ys) // 10], ys[-1 - len(ys) // 10]
        whole = ys[0], ys[-1]
        low, high = whole if whole[1] - whole[0] <= 6 * (inner[1] - inner[0]) else inner
        if math.isfinite(self.value):
            low, high = min(low, self.value), max(high, self.value)
        room = 0.08 * (high - low) or 1.0
        return low - room, high + room

    def _parts(self, pen: Pen, now: Nudge) -> list[str]:
        """Axes and curve; the tangent; and what changes with h."""
        low, high = self._range()
        first, last = self.curve[0][0], self.curve[-1][0]

        def at(p: Point) -> Point:
            x = LEFT + (RIGHT - LEFT) * (p[0] - first) / (last - first)
            return x, BOTTOM - (BOTTOM - TOP) * (p[1] - low) / (high - low)

        x = self.x.item()
        here = at((x, self.value)) if math.isfinite(self.value) else None
        axes = _axes(pen, (first, last), (low, high), at)
        curve = path(pen, "nudge curve", clipped([at(p) for p in self.curve]))
        formula = self._formula(pen, now)
        if not (here and math.isfinite(gap(now.quotient, self.gradient))):
            return [axes + curve, "", formula]
        tangent = line(at, (x, self.value), self.gradient, first, last)
        ribbon = path(pen, "ribbon", clipped(tangent), ' stroke-width="10"')
        ribbon += path(pen, "ribbon passed", clipped(tangent), ' stroke-width="8"')
        start, end = zip(now.places, now.values, strict=True)
        secant = line(at, start, now.quotient, first, last)
        marks = [path(pen, "nudge secant", clipped(secant)), _triangle(pen, at(start), at(end))]
        marks += [circle(pen, "nudge end", *at(p), 4.5) for p in (start, end) if inside(at(p))]
        marks.append(circle(pen, "now dot", *here, 5))
        drop = path(pen, "tie", f"M{here[0]:.1f} {here[1]:.1f}V{BOTTOM:g}")
        words = f"x = {number(x)}"
        chip = value_chip(pen, here[0] - value_chip_width(words) / 2, BOTTOM + 34, words)
        return [axes + ribbon + curve + drop + chip, "".join(marks), formula]

    def _formula(self, pen: Pen, now: Nudge) -> str:
        """The quotient in letters, with numbers, and worked out: three lines."""
        exact = [[exactly(each, self.dtype) for each in pair] for pair in (now.places, now.values)]
        (start, end), (low, high) = exact
        width = number(now.h) if self.kind != "central" else f"(2 · {number(now.h)})"
        rows = [
            FORMULAS[self.kind],
            f"= (f({end}) − f({start})) / {width}",
            f"= ({high} − {f'({low})' if low[0] == '−' else low}) / {number(now.width)} =",
        ]
        parts = [
            text(pen, "row label", 16, 22 + 24 * i, row) for i, row in enumerate(rows)
        ]
        x = 16 + text_width(rows[-1], 12) + 8
        chip = value_chip(pen, x, 70, number(now.quotient))
        return "".join(parts) + chip + self._legend(pen, now)

    def _legend(self, pen: Pen, now: Nudge) -> str:
        """Both lines with their names and slopes, and the gap."""
        rows = 22, 46, 70
        parts = [
            path(pen, "nudge secant", f"M{LEGEND:g} {rows[0]}h20"),
            path(pen, "ribbon", f"M{LEGEND:g} {rows[1]}h20", ' stroke-width="10"'),
            path(pen, "ribbon passed", f"M{LEGEND:g} {rows[1]}h20", ' stroke-width="8"'),
            value_chip(pen, LEGEND + 80, rows[0], number(now.quotient)),
            gradient_chip(pen, LEGEND + 80, rows[1], number(self.gradient)),
            text(pen, "row label", LEGEND + 86, rows[2], number(abs(now.quotient - self.gradient))),
        ]
        names = zip(("secant", "tangent", "gap"), rows, strict=True)
        return "".join(parts) + "".join(text(pen, "row note", LEGEND + 26, y, w) for w, y in names)

    # ----------------------------------------------------------------------------- controls

    @property
    def controls(self) -> tuple[Any, ...]:
        """A field for the expression, a slider for x, a choice of the kind of quotient."""
        if self._controls is None:
            from ipywidgets import Dropdown, FloatSlider, Text

            low, high = self.between
            made = {
                "f": lambda: Text(
                    value=self.expression, description="f(x)", continuous_update=False
                ),
                "x": lambda: FloatSlider(
                    value=self.x.item(), min=low, max=high, step=0.1, description="x"
                ),
                "kind": lambda: Dropdown(options=KINDS, value=self.kind, description="nudge"),
            }
            names = [n for n in self._chosen if n in made and (n != "f" or self.expression)]
            self._controls = {name: made[name]() for name in names}
            for name, widget in self._controls.items():
                widget.observe(lambda change, name=name: self._moved(name, change["new"]), "value")
        return tuple(self._controls.values())

    def _moved(self, name: str, new: Any) -> None:
        """A control was used; what cannot be done is said under the picture."""
        sentences = self.sentences  # typed back, what is shown says so again
        if new != self._get(name):
            try:
                return self._set(name, round(new, 10) if name == "x" else new)
            except Exception as error:
                sentences = [f"Not understood. {error}."] * len(self.sizes)
        if sentences != self.view.sentences:
            self.view.sentences = sentences
            self.view.revision += 1


# ---------------------------------------------------------------------------------- geometry


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"a nudge is {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {kind!r}")
    return kind


def inside(p: Point) -> bool:
    """Whether a point is on the plot."""
    return LEFT <= p[0] <= RIGHT and TOP <= p[1] <= BOTTOM


def line(
    at: Callable[[Point], Point], through: Point, rise: float, first: float, last: float
) -> list[Point]:
    """A straight line across the plot, cut off where it leaves it above or below."""
    (x, y), (left, right) = through, (first, last)
    ends = [at((end, y + rise * (end - x))) for end in (left, right)]
    return cut(*ends)


def cut(p: Point, q: Point) -> list[Point]:
    """The part of a piece of line that is not above or below the plot."""
    (px, py), (qx, qy) = p, q
    share = [0.0, 1.0]
    for limit, sign in ((TOP, 1), (BOTTOM, -1)):
        a, b = sign * (py - limit), sign * (qy - limit)  # not negative: on the plot
        if a < 0 and b < 0:
            return []
        if a < 0:
            share[0] = max(share[0], a / (a - b))
        elif b < 0:
            share[1] = min(share[1], a / (a - b))
    if share[0] > share[1]:
        return []
    return [(px + t * (qx - px), py + t * (qy - py)) for t in share]


def clipped(points: Sequence[Point]) -> str:
    """A curve as a path, with gaps where it is not on the plot."""
    d, before = [], None
    for p, q in itertools.pairwise(points):
        if not all(map(math.isfinite, (*p, *q))):
            continue
        if piece := cut(p, q):
            if before != piece[0]:
                d.append(f"M{piece[0][0]:.1f} {piece[0][1]:.1f}")
            d.append(f"L{piece[1][0]:.1f} {piece[1][1]:.1f}")
            before = piece[1]
    return "".join(d) or f"M{LEFT:g} {BOTTOM:g}"


def ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers between two.

    >>> ticks(-3.0, 3.0), ticks(0.0, 0.9)
    ([-2.0, 0.0, 2.0], [0.0, 0.2, 0.4, 0.6, 0.8])
    """
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= max(m for m in (1, 2, 5) if m * step <= (high - low) / 3 or m == 1)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _axes(pen: Pen, xs: Point, ys: Point, at: Callable[[Point], Point]) -> str:
    grid, labels = "", ""
    for x in ticks(*xs):
        left = at((x, ys[0]))[0]
        grid += f"M{left:.1f} {TOP:g}V{BOTTOM:g}"
        labels += text(pen, "small", left, BOTTOM + 12, number(x))
    for y in ticks(*ys):
        up = at((xs[0], y))[1]
        grid += f"M{LEFT:g} {up:.1f}H{RIGHT:g}"
        labels += text(pen, "small end", LEFT - 6, up, number(y))
    frame = rectangle(pen, "module frame", (LEFT, TOP, RIGHT, BOTTOM))
    return path(pen, "grid", grid) + frame + labels


def _triangle(pen: Pen, start: Point, end: Point) -> str:
    """The run h and the rise of f, where they are large enough to be seen."""
    if not (inside(start) and inside(end)) or end[0] - start[0] < 12:
        return ""
    run = path(pen, "bracket", f"M{start[0]:.1f} {start[1]:.1f}H{end[0]:.1f}V{end[1]:.1f}")
    below = 12 if end[1] <= start[1] else -12
    y = start[1] + below
    roomy = end[0] - start[0] > 24 and TOP + 8 < y < BOTTOM - 8
    return run + text(pen, "number", (start[0] + end[0]) / 2, y, "h") if roomy else run
