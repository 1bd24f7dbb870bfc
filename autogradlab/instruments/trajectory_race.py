"""TrajectoryRace: optimizers start from one point of a landscape and race to its lowest.

All steps are computed once, so the browser scrubs over them by itself; moving the start asks
Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from ..graphs.contours import contour, drawn, label_place, levels, lowest
from ..graphs.draw import Pen, circle, path, rectangle, svg, text
from ..graphs.numbers import number
from ..graphs.protocol import dtype_of, engine_of
from ..graphs.race import (
    GRID,
    LANDSCAPES,
    Box,
    Function,
    Make,
    Point,
    Track,
    defaults,
    function_of,
    on_grid,
    one,
    run,
    start_at,
)
from ..graphs.style import attributes, css_class, text_width
from .instrument import Instrument, chosen
from .nudge_lab import ticks
from .svg_view import SvgView
from .vjp_explorer import is_pair

ENGINES = {"torch": "PyTorch"}
WIDTH, HEIGHT = 690.0, 392.0  # px
PLOT = (40.0, 16.0, 460.0, 352.0)  # left, top, right, bottom of the landscape
SIDE, EDGE = 484.0, 682.0  # of the column beside it
ROW = 34.0  # height of a row of the legend
MOST = 6  # optimizers: as many have a mark of their own
LINES = 11  # contour lines
CLOSE = 5.0  # px; shorter steps have no dots, which would hide the line
FASTEST = 20.0  # times the learning rates
ARROW = 0.1  # what a key moves the start by
Ends = tuple[Point, Point]


def _factor(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and 0 < x <= FASTEST


class TrajectoryRace(Instrument):
    """Let optimizers step downhill from one start, and compare where they are after each step.

    Args:
        f: a function of two tensors, x and y, that returns one number as a tensor; an expression
            in x and y as text; or "bowl", "valley" or "saddle".
        start: a tensor with two numbers, float32 or float64, of either engine.
        optimizers: for each name a function that takes a list of parameters and gives an
            optimizer: `{"SGD": lambda p: torch.optim.SGD(p, lr=0.1)}`, at most six. It may be one
            of your own, with a method `step()`. By default four of the engine's.
        steps: how many steps each makes.
        between: the least and the largest x, and y, of the picture.
        controls: what to show of "f", "start", "lr" and "transport"; by default all. "f" is shown
            for names and expressions only.

    Raises:
        TypeError: start is no such tensor, f returns none, or something is no optimizer.
        ValueError: more than six optimizers, a start that is not in the picture, or an expression
            that is not understood.

    >>> import autogradlab
    >>> race = TrajectoryRace("bowl", autogradlab.tensor([-2.0, 1.0]), {
    ...     "SGD": lambda p: autogradlab.optim.SGD(p, lr=0.09),
    ...     "too fast": lambda p: autogradlab.optim.SGD(p, lr=0.15)})
    >>> print(race.go(10))
    After 10 steps SGD is at 0.4186. too fast diverged at step 6.
    >>> race.tracks["too fast"].diverged
    True
    """

    CONTROLS = ("f", "start", "lr", "transport")
    STATE = MappingProxyType(
        {
            "f": lambda x: isinstance(x, str),
            "start": is_pair,
            "faster": _factor,
            "step": Instrument.STATE["step"],
        }
    )

    def __init__(
        self,
        f: Function | str,
        start: Any,
        optimizers: Mapping[str, Make] | None = None,
        *,
        steps: int = 60,
        between: Box = ((-3.0, 3.0), (-2.4, 2.4)),
        controls: Iterable[str] | None = None,
    ) -> None:
        self._chosen = chosen(controls, type(self))
        self.start, self.engine = start_at(start), engine_of(start)
        self.box = tuple((float(low), float(high)) for low, high in between)
        self.makes = dict(defaults(self.engine) if optimizers is None else optimizers)
        if not 1 <= len(self.makes) <= MOST:
            raise ValueError(f"1 to {MOST} optimizers race, not {len(self.makes)}")
        if not 1 <= steps <= 400:
            raise ValueError(f"a race has 1 to 400 steps, not {steps}")
        self._inside(self.start.tolist())
        self.letters, self.faster, self.steps = letters(self.makes), 1.0, steps
        self._controls: dict[str, Any] | None = None
        moves = "start" in self._chosen
        self.view = SvgView(
            title="Trajectory Race",
            tag=f"{ENGINES.get(self.engine.__name__, self.engine.__name__)} · {dtype_of(start)}",
            look="below chart race drags" if moves else "below chart race",
            drags="Trajectory Race: arrows move the start" if moves else "",
            pace=150,
            view=[WIDTH, HEIGHT],
            stops=[str(k) for k in range(steps + 1)] if "transport" in self._chosen else [],
            steps_keys=[""] * (steps + 1),
            order=[["", None, None]] * (steps + 2),
            panels=[""] * (steps + 1),
        )
        self.view.on_msg(lambda _, message, __: self._on_message(message))
        self._use(f)

    # ------------------------------------------------------------------------------- actions

    def go(self, step: int) -> str:
        """Show where all are after so many steps; returns the sentence."""
        if not 0 <= step <= self.steps:
            raise ValueError(f"there is no step {step}: there are 0 to {self.steps}")
        self.view.step = step
        return self.sentence

    def move(self, x: float, y: float) -> str:
        """Start somewhere else, and race again; returns the sentence."""
        point = [float(x), float(y)]
        self._inside(point)
        self.start = self.start.new_tensor(point)
        self._race()
        return self.sentence

    def speed(self, faster: float) -> str:
        """Multiply all learning rates, and race again; returns the sentence."""
        if not _factor(faster):
            raise ValueError(f"learning rates are multiplied by 0 to {FASTEST:g}, not {faster!r}")
        self.faster = float(faster)
        self._race()
        return self.sentence

    def write(self, f: str) -> str:
        """Race on another landscape, an expression or a name; returns the sentence."""
        self._use(f)
        return self.sentence

    # ------------------------------------------------------------------------- what it says

    @property
    def sentence(self) -> str:
        """Where all are after the step that is shown."""
        return self._sentence(self.view.step)

    @property
    def summary(self) -> str:
        """The same; at the end of the race where no step has been chosen."""
        return self._sentence(self.view.step or self.steps)

    def _sentence(self, step: int) -> str:
        here = f"[{', '.join(number(x) for x in self.start.tolist())}]"
        tracks = list(self.tracks.values())
        if not step:
            who = f"All {len(tracks)} start" if len(tracks) > 1 else f"{tracks[0].name} starts"
            return f"{who} at {here}. There f is {number(tracks[0].values[0])}."
        on = sorted((t for t in tracks if not gone(t, step)), key=lambda t: t.values[step])
        lost = [_farewell(t) for t in tracks if gone(t, step)]
        said = [f"{t.name} {number(t.values[step])}{self._outside(t, step)}" for t in on[1:]]
        steps = f"After {step} step{'s' * (step > 1)}"
        if not on:
            return f"{steps} nobody is left. {'; '.join(lost)}."
        first = on[0]
        verb = "is lowest, at" if len(on) > 1 else "is at"
        height = number(first.values[step])
        rest = "; ".join([", ".join(said)] * bool(said) + lost)
        rest = f" {'Then ' * bool(said)}{rest}." if rest else ""
        return f"{steps} {first.name} {verb} {height}{self._outside(first, step)}.{rest}"

    def _outside(self, track: Track, step: int) -> str:
        return "" if self._in_box(track.points[step]) else " (outside the picture)"

    def svg(self) -> str:
        """The race up to the step that is shown; all of it where none has been chosen."""
        last = self.view.step or self.steps
        way = self._way(attributes, 1, last)
        body = self._ground(attributes) + way + self._marks(attributes, last)
        return svg(WIDTH, HEIGHT, self.title, self.summary, body)

    # ---------------------------------------------------------------------------- computing

    def _in_box(self, point: Iterable[float]) -> bool:
        return all(low <= x <= high for x, (low, high) in zip(point, self.box, strict=True))

    def _inside(self, point: list[float]) -> None:
        if not self._in_box(point):
            (a, b), (c, d) = (map(number, each) for each in self.box)
            raise ValueError(f"the start has x from {a} to {b} and y from {c} to {d}")

    def _use(self, f: Function | str) -> None:
        """Take a landscape, and race on it; nothing changes where it fails."""
        known = LANDSCAPES.get(f) if isinstance(f, str) else None
        function = function_of(known.expression if known else f, self.engine)
        state = self.engine.get_rng_state()
        try:
            with self.engine.no_grad():
                one(function(self.start[0], self.start[1]))
            heights = on_grid(function, self.start, self.box)
        finally:
            self.engine.set_rng_state(state)
        self.f, self.heights = function, heights
        self._grounds: dict[Pen, str] = {}
        self.expression = (known.expression if known else f) if isinstance(f, str) else ""
        name = getattr(f, "__name__", "f")
        named = f"f = {name}" if name not in ("f", "<lambda>") else "f(x, y)"
        self.title = f"f(x, y) = {self.expression}" if self.expression else named
        self._race()

    def _race(self) -> None:
        """Let all run, and fill the widget."""
        self._refused = False
        state = self.engine.get_rng_state()
        try:
            self.tracks = {
                name: run(self.f, self.start, name, make, self.steps, self.box, self.faster)
                for name, make in self.makes.items()
            }
        finally:
            self.engine.set_rng_state(state)
        self._measure()
        view, steps = self.view, range(1, self.steps + 1)
        with view.hold_sync():
            view.expression = self.title
            view.sentences = [self._sentence(k) for k in range(self.steps + 1)]
            ways = [[(0, ""), (k, self._way(css_class, k, k))] for k in steps]
            marks = [(k, self._marks(css_class, k)) for k in (0, *steps)]
            view.set_forms([[(0, self._ground(css_class))], *ways, marks], self.steps + 1)
            view.revision += 1
        for name, widget in (self._controls or {}).items():
            widget.value = self._shown(name)

    def _measure(self) -> None:
        """Each track as pieces of line in px, and what the axis of the chart reaches."""
        self.pieces = {
            name: [
                within(self._at(p), self._at(q)) if _finite((*p, *q)) else None
                for p, q in pairwise(track.points)
            ]
            for name, track in self.tracks.items()
        }
        values = [v for t in self.tracks.values() for v in t.values if math.isfinite(v)]
        first = next(iter(self.tracks.values())).values[0]
        self.log = min(values) > 0
        if self.log:
            most = min(max(values), 10 * first)
            self.reach = math.log10(max(min(values), 1e-8 * most)), math.log10(most)
        else:
            low = min(values)
            self.reach = low, min(max(values), first + (first - low or 1.0))
        if self.reach[1] - self.reach[0] < 1e-9:
            self.reach = self.reach[0] - 1, self.reach[1] + 1

    def _get(self, name: str) -> Any:
        own = {"f": self.expression, "start": self.start.tolist(), "faster": self.faster}
        return own[name] if name in own else super()._get(name)

    def _set(self, name: str, given: Any) -> None:
        if name == "f":
            if given and given != self.expression:
                self.write(given)
        elif name == "start":
            self.move(*given)
        elif name == "faster":
            self.speed(given)
        else:
            super()._set(name, given)

    # ------------------------------------------------------------------------------ drawing

    def _at(self, p: Point) -> Point:
        (left, top, right, bottom), ((a, b), (c, d)) = PLOT, self.box
        x = left + (right - left) * (p[0] - a) / (b - a)
        return x, bottom - (bottom - top) * (p[1] - c) / (d - c)

    @property
    def _chart(self) -> tuple[float, float, float, float]:
        return SIDE + 34, PLOT[1] + 28 + ROW * len(self.makes) + 24, EDGE, PLOT[3]

    def _on_chart(self, step: int, value: float) -> Point:
        """A value's place on the chart, kept within it."""
        left, top, right, bottom = self._chart
        low, high = self.reach
        y = (math.log10(value) if value > 0 else -math.inf) if self.log else value
        share = min(1.0, max(0.0, (y - low) / (high - low))) if not math.isnan(y) else 1.0
        return left + (right - left) * step / self.steps, bottom - (bottom - top) * share

    def _ground(self, pen: Pen) -> str:
        """What no step changes: the landscape, the legend and the axes of the chart."""
        if pen not in self._grounds:  # drawn once: it stays while the start is dragged
            self._grounds[pen] = self._landscape(pen)
        return self._grounds[pen] + self._legend(pen) + self._axes(pen)

    def _landscape(self, pen: Pen) -> str:
        left, top, right, bottom = PLOT
        (a, b), (c, d) = self.box
        place = ' data-drag=""' if "start" in self._chosen else ""

        def at(p: Point) -> Point:  # of a column and a row of the grid
            x, y = (each / (count - 1) for each, count in zip(p, GRID, strict=True))
            return self._at((a + (b - a) * x, c + (d - c) * y))

        lines, labels, taken = "", "", []
        for k, level in enumerate(levels(self.heights, LINES)):
            found = sorted(contour(self.heights, level), key=len, reverse=True)
            lines += "".join(drawn(line, at) for line in found)
            spot = label_place([at(p) for p in found[0]], taken, PLOT) if found and k % 2 else None
            if spot:
                taken.append(spot)
                labels += text(pen, "race level", *spot, number(level, 2))
        hit = f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" '
        hit += f'height="{bottom - top:g}" {pen("race hit")}{place}/>'
        ends = "".join(
            text(pen, "small", self._at((x, c))[0], bottom + 12, number(x)) for x in ticks(a, b)
        ) + "".join(
            text(pen, "small end", left - 6, self._at((a, y))[1], number(y)) for y in ticks(c, d)
        )  # fmt: skip
        names = text(pen, "number", right - 8, bottom + 28, "x")
        names += text(pen, "number", left - 28, top + 8, "y")
        words = "+ lowest · ◇ start" + (": drag it, or use the arrow keys" if place else "")
        names += text(pen, "note", left, bottom + 28, words)
        pluses = "".join(
            path(pen, "sign", f"M{x - 5:.1f} {y:.1f}h10M{x:.1f} {y - 5:.1f}v10")
            for x, y in (at((j, i)) for i, j in lowest(self.heights)[:4])
        )
        frame = rectangle(pen, "module frame", PLOT)
        ground = path(pen, "race contour", lines or "M0 0") + labels
        return ground + pluses + frame + ends + names + hit

    def _legend(self, pen: Pen) -> str:
        top = PLOT[1]
        parts = [text(pen, "column", SIDE, top + 6, "optimizer"),
                 text(pen, "column end", EDGE, top + 6, "f now")]  # fmt: skip
        for i, (name, track) in enumerate(self.tracks.items()):
            y = top + 30 + ROW * i
            parts.append(path(pen, f"race trail {i}", f"M{SIDE:g} {y:g}h34"))
            parts.append(self._disc(pen, i, (SIDE + 17, y)))
            parts.append(text(pen, "row label", SIDE + 42, y, _short(name, 12)))
            parts.append(text(pen, "row note", SIDE + 42, y + 15, _short(track.options, 26)))
        return "".join(parts)

    def _axes(self, pen: Pen) -> str:
        left, top, right, bottom = self._chart
        words = "f, log scale" if self.log else "f"
        parts = [text(pen, "column", left, top - 10, words),
                 path(pen, "value edge", f"M{left:g} {top:g}V{bottom:g}H{right:g}"),
                 text(pen, "small", left, bottom + 12, "0"),
                 text(pen, "small", right - 8, bottom + 12, str(self.steps)),
                 text(pen, "note middle", (left + right) / 2, bottom + 12, "step")]  # fmt: skip
        for share in (0.0, 1.0):
            value = self.reach[0] + share * (self.reach[1] - self.reach[0])
            words = number(10**value if self.log else value, 2)
            parts.append(text(pen, "small end", left - 4, bottom - share * (bottom - top), words))
        return "".join(parts)

    def _way(self, pen: Pen, first: int, last: int) -> str:
        """What these steps add to every track: a piece of line, dots, and the curve of f."""
        lines, dots = [], ""
        for i, (name, track) in enumerate(self.tracks.items()):
            done, pieces = self.pieces[name][: first - 1], self.pieces[name][first - 1 : last]
            if not pieces:
                continue
            before = sum(math.dist(*piece) for piece in done if piece)  # the dashes go on
            lines.append(_line(pen, f"race trail {i}", pieces, before))
            values = list(enumerate(track.values))[first - 1 : last + 1]
            curve = [self._on_chart(step, value) for step, value in values]
            before = curve[0][0] - self._chart[0]
            lines.append(_line(pen, f"race trail {i}", list(pairwise(curve)), before))
            for point, piece in zip(track.points[first : last + 1], pieces, strict=True):
                if piece and math.dist(*piece) > CLOSE and self._in_box(point):
                    dots += "M{:.1f} {:.1f}h0".format(*self._at(point))
        return "".join(lines) + (path(pen, "race dots", dots) if dots else "")

    def _marks(self, pen: Pen, step: int) -> str:
        """Who is where: a letter beside each place, the numbers in the legend, a line in the
        chart."""
        _, top, _, bottom = self._chart
        x, y = self._at(self.start.tolist())
        start = path(pen, "yours", f"M{x - 6:.1f} {y:.1f}l6-6 6 6-6 6z")
        at = self._on_chart(step, 1.0)[0]
        parts = [start, path(pen, "now line", f"M{at:.1f} {top:g}V{bottom:g}")]
        spots = {name: self._spot(name, step) for name in self.tracks} if step else {}
        taken = [p for p, _ in spots.values()]
        heights = [t.values[step] for t in self.tracks.values() if not gone(t, step)]
        lead = min(heights) if step and heights else None
        for i, (name, track) in enumerate(self.tracks.items()):
            row = PLOT[1] + 30 + ROW * i
            lost = gone(track, step)
            words = number(track.values[step]) if not lost else (
                f"{'diverged' if track.diverged else 'left'} at {track.ended}"
            )  # fmt: skip
            style = "number strong" if not lost and track.values[step] == lead else "number"
            wide = text_width(words, 13 if style == "number strong" else 12, mono=not lost)
            style = "note middle" if lost else style
            parts.append(text(pen, style, EDGE - wide / 2, row, words))
            if name not in spots:
                continue
            (px, py), out = spots[name]
            if out:
                parts.append(_pointer(pen, (px, py), out))
            else:
                parts.append(circle(pen, "nudge end", px, py, 4))
            label = _beside((px, py), taken)
            taken.append(label)
            parts.append(path(pen, "race pin", f"M{px:.1f} {py:.1f}L{label[0]:.1f} {label[1]:.1f}"))
            parts.append(self._disc(pen, i, label))
        return "".join(parts)

    def _disc(self, pen: Pen, i: int, p: Point) -> str:
        return circle(pen, f"race disc {i}", *p, 8) + text(pen, "race letter", *p, self.letters[i])

    def _spot(self, name: str, step: int) -> tuple[Point, Point | None]:
        """Where an optimizer is in the picture; or where it left it, and which way."""
        track = self.tracks[name]
        step = min(step, len(track.points) - 1)
        if self._in_box(track.points[step]):
            return self._at(track.points[step]), None
        for piece in reversed(self.pieces[name][:step]):
            if piece and piece[0] != piece[1]:
                (x, y), (u, v) = piece
                far = math.dist(*piece)
                return (u, v), ((u - x) / far, (v - y) / far)
        return self._at(track.points[0]), (0.0, -1.0)  # it never moved within the picture

    # ----------------------------------------------------------------------------- controls

    @property
    def controls(self) -> tuple[Any, ...]:
        """A menu of landscapes and a field for an expression, sliders for the start and for all
        learning rates."""
        if self._controls is None:
            self._controls = self._make_controls()
            for name, widget in self._controls.items():
                widget.observe(lambda change, name=name: self._moved(name, change["new"]), "value")
        return tuple(self._controls.values())

    def _make_controls(self) -> dict[str, Any]:
        from ipywidgets import Dropdown, FloatLogSlider, FloatSlider, Text

        (a, b), (c, d) = self.box
        # Where it follows the hand, a slider of ipywidgets 8 also sends back what Python set.
        fine = {"step": 0.01, "continuous_update": False}
        made: dict[str, Any] = {}
        if "f" in self._chosen and self.expression:
            shown = self._shown("landscape")
            made["landscape"] = Dropdown(
                options=[*LANDSCAPES, "own"], value=shown, description="landscape"
            )
            made["f"] = Text(value=self.expression, description="f(x, y)", continuous_update=False)
        if "start" in self._chosen:
            x, y = self.start.tolist()
            made["x"] = FloatSlider(value=x, min=a, max=b, description="start x", **fine)
            made["y"] = FloatSlider(value=y, min=c, max=d, description="start y", **fine)
        if "lr" in self._chosen:
            made["faster"] = FloatLogSlider(
                value=self.faster, base=10, min=-1, max=1, step=0.05, description="all lr ×",
                readout_format=".2f", continuous_update=False,
            )  # fmt: skip
        return made

    def _shown(self, name: str) -> Any:
        """What a control shows."""
        if name == "landscape":
            named = (k for k, each in LANDSCAPES.items() if each.expression == self.expression)
            return next(named, "own")
        x, y = self.start.tolist()
        return {"f": self.expression, "x": x, "y": y, "faster": self.faster}[name]

    def _moved(self, name: str, new: Any) -> None:
        """A control was used; what cannot be done is said under the picture."""
        if new in ("own", self._shown(name)):
            if self._refused:  # typed back, what is shown is said again
                self._race()
            return
        try:
            if name in ("x", "y"):
                x, y = self.start.tolist()
                self.move(*((round(new, 10), y) if name == "x" else (x, round(new, 10))))
            elif name == "faster":
                self.speed(round(new, 4))
            elif name == "landscape":
                self.start = self.start.new_tensor(LANDSCAPES[new].start)
                self.write(new)
            else:
                self.write(new)
        except Exception as error:
            self._refused = True
            self.view.sentences = [f"Not understood. {error}."] * (self.steps + 1)
            self.view.revision += 1

    def _on_message(self, message: Any) -> None:
        """The start was dragged, or moved with a key; it stays in the picture."""
        message = message if isinstance(message, dict) else {}
        if "start" not in self._chosen:
            return
        (left, top, right, bottom), ((a, b), (c, d)) = PLOT, self.box
        if is_pair(place := message.get("drag")):
            x = a + (b - a) * (place[0] - left) / (right - left)
            y = d - (d - c) * (place[1] - top) / (bottom - top)
        elif message.get("arrow") in ARROWS:
            way = ARROWS[message["arrow"]]
            x, y = (p + ARROW * w for p, w in zip(self.start.tolist(), way, strict=True))
        else:
            return
        self.move(*(round(min(max(p, low), high), 2) for p, low, high in ((x, a, b), (y, c, d))))


ARROWS = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, 1), "Down": (0, -1)}


# ---------------------------------------------------------------------------------- geometry


def letters(names: Iterable[str]) -> list[str]:
    """A letter for each name: one of its own where there is one, else a digit.

    >>> letters(["SGD", "momentum", "Adam", "AdamW", "adam"])
    ['S', 'M', 'A', 'D', '5']
    """
    found: list[str] = []
    for i, name in enumerate(names):
        own = (c.upper() for c in name if c.isalpha() and c.isascii())
        found.append(next((c for c in own if c not in found), str(i + 1)))
    return found


def gone(track: Track, step: int) -> bool:
    """Whether an optimizer is too far away to be followed after so many steps."""
    return track.ended is not None and step >= track.ended


def _farewell(track: Track) -> str:
    how = "diverged" if track.diverged else "left the picture"
    return f"{track.name} {how} at step {track.ended}"


def within(p: Point, q: Point) -> Ends | None:
    """The part of a piece of line that is in the plot, in px; None where none is.

    >>> within((0.0, 100.0), (80.0, 100.0)), within((0.0, 0.0), (0.0, 9.0))
    (((40.0, 100.0), (80.0, 100.0)), None)
    """
    first, last = 0.0, 1.0
    for k in (0, 1):
        way = q[k] - p[k]
        for limit, sign in ((PLOT[k], 1), (PLOT[k + 2], -1)):
            ahead, room = sign * way, sign * (p[k] - limit)  # room is not negative: inside
            if ahead == 0 and room < 0:
                return None
            if ahead > 0:
                first = max(first, -room / ahead)
            elif ahead < 0:
                last = min(last, -room / ahead)
    if first > last:
        return None
    start, end = ((p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])) for t in (first, last))
    return start, end


def _finite(numbers: Iterable[float]) -> bool:
    return all(map(math.isfinite, numbers))


def _line(pen: Pen, style: str, pieces: Iterable[Ends | None], before: float) -> str:
    """Pieces of line as one path, its dashes as if it had begun `before` px earlier."""
    d, pen_at = "", None
    for piece in pieces:
        if piece and piece[0] != piece[1]:
            start, end = ("{:.1f} {:.1f}".format(*p) for p in piece)
            d += f"L{end}" if start == pen_at else f"M{start}L{end}"
            pen_at = end
    return path(pen, style, d, f' stroke-dashoffset="{before:.0f}"') if d else ""


def _pointer(pen: Pen, p: Point, way: Point) -> str:
    """A triangle at the edge of the plot that points out of it."""
    (x, y), (u, v) = p, way
    return path(
        pen, "sign up",
        f"M{x + 2 * u:.1f} {y + 2 * v:.1f}L{x - 9 * u - 5 * v:.1f} {y - 9 * v + 5 * u:.1f}"
        f"L{x - 9 * u + 5 * v:.1f} {y - 9 * v - 5 * u:.1f}z",
    )  # fmt: skip


def _beside(p: Point, taken: Iterable[Point]) -> Point:
    """A place for a letter near its point, in the plot and clear of other letters and points."""
    left, top, right, bottom = PLOT
    taken, best = [t for t in taken if t != p], p
    for far in (17, 30, 44):
        for k in range(8):
            angle = math.radians(-60 + 45 * k)
            x, y = p[0] + far * math.cos(angle), p[1] + far * math.sin(angle)
            if not (left + 9 < x < right - 9 and top + 9 < y < bottom - 9):
                continue
            best = (x, y) if best == p else best
            if all(math.dist((x, y), t) > 17 for t in taken):
                return x, y
    return best


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
