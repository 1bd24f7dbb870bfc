"""Curvature of a function of two variables: its value around a point, H times a direction, and the
drawing of a plane with contours, of a dial, and of the slice along a direction.

H is the table of second derivatives. It is asked for by products with a direction only, each one
backward pass through the recorded gradient; the table of numbers that the drawing needs is made of
two of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .draw import (
    Pen,
    Point,
    circle,
    gradient_chip,
    gradient_chip_width,
    path,
    rectangle,
    text,
    value_chip,
    value_chip_width,
)
from .numbers import number
from .protocol import engine_of
from .style import text_width

Function = Callable[[Any], Any]
Pair = tuple[float, float]
TURN = 5  # degrees from one direction to the next
ANGLES = tuple(range(-180, 181, TURN))
GRID, SAMPLES = 33, 41  # points of the plane on a side, and of a slice
WIDTH, HEIGHT = 690.0, 348.0  # px
PANEL, TOP = 206.0, 44.0  # side of each of the three panels, and their upper edge
PLANE, DIAL, SLICE = 16.0, 242.0, 468.0  # their left edges
RING, ROSE = 86.0, 66.0  # px: radius of the ring, and of the largest curvature
LEVELS = 9  # contours


# ------------------------------------------------------------------------------------ computing


@dataclass(frozen=True)
class Direction:
    """What one direction shows."""

    angle: int  # degrees
    v: Pair
    product: Pair  # H v
    curvature: float  # vᵀ H v
    slope: float  # gᵀ v


@dataclass(frozen=True)
class Curvature:
    """A function of two variables round a point."""

    point: Pair
    value: float
    gradient: Pair
    table: tuple[Pair, Pair]  # H
    directions: tuple[Direction, ...]  # one for each of ANGLES
    eigen: tuple[tuple[float, float], ...]  # (curvature, angle), the largest first


def one_number(y: Any) -> Any:
    """Refuse what is not one number."""
    if not hasattr(y, "numel"):
        raise TypeError(f"f returns a tensor with one number, not {type(y).__name__}")
    if y.numel() != 1:
        raise ValueError(f"f returns one number; this one returned {y.numel()}")
    return y.reshape(())


def measure(f: Function, point: Any) -> Curvature:
    """Value, gradient and curvatures of f at a tensor with two numbers, on its engine.

    >>> from autogradlab import tensor
    >>> found = measure(lambda p: p[0] ** 2 - p[1] ** 2, tensor([1.0, 2.0]))
    >>> found.gradient, found.table, found.eigen
    ((2.0, -4.0), ((2.0, 0.0), (0.0, -2.0)), ((2.0, 0.0), (-2.0, 90.0)))
    """
    engine = engine_of(point)
    with engine.enable_grad():
        p = point.detach().clone().requires_grad_()
        y = one_number(f(p))
        (g,) = engine.autograd.grad(y, p, create_graph=True)

        def times(v: Pair) -> Pair:
            """H v, without H: one backward pass from the gradient, weighed by v."""
            if not g.requires_grad:  # the same gradient everywhere
                return 0.0, 0.0
            weights = engine.tensor(v, dtype=p.dtype)
            (made,) = engine.autograd.grad(g, p, weights, retain_graph=True, allow_unused=True)
            return (0.0, 0.0) if made is None else tuple(made.tolist())

        table = times((1.0, 0.0)), times((0.0, 1.0))
        products = [times(unit(angle)) for angle in ANGLES]
    gradient = tuple(g.detach().tolist())
    if not np.isfinite([y.item(), *gradient, *table[0], *table[1]]).all():
        raise ValueError("f, its gradient or its curvature is not finite here")
    eps = float(engine.finfo(p.dtype).eps) * 32
    largest = max(abs(x) for row in table for x in row)

    def clean(x: float, size: float) -> float:
        return 0.0 if abs(x) <= eps * size else x  # what is left of two that cancel

    steep = math.hypot(*gradient)
    directions = []
    for angle, product in zip(ANGLES, products, strict=True):
        v = unit(angle)
        product = tuple(clean(x, largest) for x in product)
        curvature = clean(v[0] * product[0] + v[1] * product[1], largest)
        slope = clean(v[0] * gradient[0] + v[1] * gradient[1], steep)
        directions.append(Direction(angle, v, product, curvature, slope))
    return Curvature(
        tuple(point.tolist()), y.item(), gradient, table, tuple(directions), eigen_of(table)
    )


def unit(angle: float) -> Pair:
    """The direction of an angle in degrees.

    >>> unit(90)
    (0.0, 1.0)
    """
    turned = math.radians(angle)
    return round(math.cos(turned), 12) + 0.0, round(math.sin(turned), 12) + 0.0


def eigen_of(table: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    """The largest and the least curvature, each with an angle from −90 to 90.

    >>> eigen_of([[0.0, 2.0], [2.0, 0.0]])
    ((2.0, 45.0), (-2.0, -45.0))
    """
    a, b, c = table[0][0], (table[0][1] + table[1][0]) / 2, table[1][1]
    middle, half = (a + c) / 2, math.hypot((a - c) / 2, b)
    angle = math.degrees(math.atan2(b, (a - c) / 2)) / 2
    across = angle - 90 if angle > 0 else angle + 90
    return (middle + half, round(angle, 9)), (middle - half, round(across, 9))


def many(f: Function, point: Any, places: np.ndarray) -> np.ndarray:
    """f at many places, pairs of numbers: in one call where f works on each number by itself."""
    like = point.new_tensor
    with engine_of(point).no_grad():

        def one(i: int) -> float:
            return one_number(f(like(places[i].tolist()))).item()

        try:
            found = f(like(places.T.tolist())).numpy()
        except Exception:  # f means one pair
            found = np.empty(0)
        tried = [0, len(places) // 3, -1]
        if found.shape == (len(places),) and np.allclose(found[tried], [one(i) for i in tried]):
            return found
        return np.array([one(i) for i in range(len(places))])


def heights(f: Function, point: Any, between: Pair) -> np.ndarray:
    """f on a grid over the plane, rows from below."""
    ticks = np.linspace(*between, GRID)
    x, y = np.meshgrid(ticks, ticks)
    return many(f, point, np.stack([x.ravel(), y.ravel()], 1)).reshape(GRID, GRID)


def slices(f: Function, point: Any, reach: float) -> dict[int, list[float]]:
    """f along each direction, from −reach to reach; the way back is the way there turned round."""
    steps, half = np.linspace(-reach, reach, SAMPLES), range(0, 180, TURN)
    ways = np.array([unit(angle) for angle in half])
    places = np.array(point.tolist()) + steps[:, None] * ways[:, None]
    lines = many(f, point, places.reshape(-1, 2)).reshape(len(half), SAMPLES).tolist()
    found = dict(zip(half, lines, strict=True))
    return {a: found[a % 180][:: 1 if 0 <= a < 180 else -1] for a in ANGLES}


def contours(
    field: Sequence[Sequence[float]], levels: Sequence[float]
) -> list[list[tuple[Point, Point]]]:
    """For each level the pieces of its line, in cells from the lower left corner.

    >>> contours([[0.0, 1.0], [0.0, 1.0]], [0.5])
    [[((0.5, 0.0), (0.5, 1.0))]]
    """
    found = []
    for level in levels:
        pieces = []
        for i in range(len(field) - 1):
            for j in range(len(field[0]) - 1):
                corners = [(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)]
                ends = []
                for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
                    low, high = field[ay][ax] - level, field[by][bx] - level
                    if (low < 0) != (high < 0):
                        t = low / (low - high)
                        ends.append((ax + t * (bx - ax), ay + t * (by - ay)))
                pieces += [(ends[k], ends[k + 1]) for k in range(0, len(ends) - 1, 2)]
        found.append(sorted(tuple(sorted(piece)) for piece in pieces))
    return found


# -------------------------------------------------------------------------------------- drawing


class Dial:
    """The drawing: from above, all directions at once, and along one of them.

    Args:
        found: what was measured.
        field: f on the grid.
        along: f along each direction, from −reach to reach.
    """

    def __init__(
        self, found: Curvature, field: np.ndarray, along: dict[int, list[float]], between: Pair,
        reach: float, pen: Pen,
    ) -> None:  # fmt: skip
        self.found, self.along, self.between, self.reach, self.pen = (
            found, along, between, reach, pen
        )  # fmt: skip
        self.field = field
        self.most = max(abs(size) for size, _ in found.eigen) or 1.0
        self.hub = DIAL + PANEL / 2, TOP + PANEL / 2
        self._limits = self._range()
        self._still = self._plane() + self._rose() + self._axes(), self._hits()

    def parts(self, direction: Direction) -> list[str]:
        """What stays, and what turns, back to front."""
        return [
            self._still[0],
            self._arrow(direction),
            self._hand(direction),
            self._slice(direction),
            self._numbers(direction),
            self._still[1],
        ]

    # the plane

    def _at(self, x: float, y: float) -> Point:
        low, high = self.between
        scale = PANEL / (high - low)
        return PLANE + (x - low) * scale, TOP + PANEL - (y - low) * scale

    def _plane(self) -> str:
        pen, (low, high) = self.pen, self.between
        parts = [text(pen, "note", PLANE, 24, "f from above")]
        finite = self.field[np.isfinite(self.field)]
        bottom, top = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        levels = [bottom + (top - bottom) * (k + 1) / (LEVELS + 1) for k in range(LEVELS)]
        cell = (high - low) / (GRID - 1)
        for k, pieces in enumerate(contours(self.field.tolist(), levels)):
            ends = [[self._at(low + cell * x, low + cell * y) for x, y in each] for each in pieces]
            d = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {e:.1f}" for (a, b), (c, e) in ends)
            parts.append(path(pen, "dial contour", d or "M0 0", f' stroke-width="{thick(k):g}"'))
        parts.append(rectangle(pen, "module frame", (PLANE, TOP, PLANE + PANEL, TOP + PANEL)))
        foot = TOP + PANEL + 14
        parts.append(text(pen, "small start", PLANE, foot, number(low)))
        parts.append(text(pen, "small end", PLANE + PANEL, foot, number(high)))
        parts.append(text(pen, "note middle", PLANE + PANEL / 2, foot, "thicker is higher"))
        return "".join(parts)

    def _arrow(self, direction: Direction) -> str:
        """The point, the line of the slice, and the direction."""
        (x, y), (vx, vy) = self._at(*self.found.point), direction.v
        pen, box = self.pen, (PLANE, TOP, PLANE + PANEL, TOP + PANEL)
        ends = [crossing((x, y), (sign * vx, -sign * vy), box) for sign in (-1, 1)]
        line = "M{:.1f} {:.1f}L{:.1f} {:.1f}".format(*ends[0], *ends[1])
        tip = x + 44 * vx, y - 44 * vy
        return (
            path(pen, "tie", line)
            + path(pen, "now line", f"M{x:.1f} {y:.1f}L{tip[0]:.1f} {tip[1]:.1f}")
            + path(pen, "sign up", arrowhead(tip, (vx, -vy)))
            + circle(pen, "nudge end", x, y, 5)
        )

    # the dial

    def _rose(self) -> str:
        """The curvature in every direction: the farther out, the more."""
        pen, (cx, cy) = self.pen, self.hub
        parts = [text(pen, "note", DIAL, 24, "vᵀHv in every direction")]
        parts.append(circle(pen, "module frame", cx, cy, RING))
        marks = ""
        for angle in range(-180, 180, 15):
            (x, y), long = unit(angle), 8 if angle % 90 == 0 else 4
            marks += f"M{cx + RING * x:.1f} {cy - RING * y:.1f}l{-long * x:.1f} {long * y:.1f}"
        parts.append(path(pen, "value edge", marks))
        for sign, style in ((1, "dial up"), (-1, "dial down")):
            if d := self._lobes(sign):
                parts.append(path(pen, style, d))
        spokes = ""
        for angle in range(-180, 180, 8):
            (x, y), size = unit(angle), -self._size(angle)
            if size > 12:
                start = f"M{cx + 9 * x:.1f} {cy - 9 * y:.1f}"
                spokes += f"{start}L{cx + size * x:.1f} {cy - size * y:.1f}"
        parts.append(path(pen, "painter hatch", spokes) if spokes else "")
        if any(size for size, _ in self.found.eigen):
            parts += [self._eigen(k) for k in (0, 1)]
        return "".join(parts)

    def _size(self, angle: float) -> float:
        """How far out the curve is, negative where f curves down."""
        (a, b), (c, d) = self.found.table
        x, y = unit(angle)
        return ROSE * (a * x * x + (b + c) * x * y + d * y * y) / self.most

    def _lobes(self, sign: int) -> str:
        """The part of the curve with one sign: lobes closed in the middle, or one closed line."""
        cx, cy = self.hub
        start = round(self.found.eigen[sign == 1][1])  # where it is least
        sizes = [(a, sign * self._size(a)) for a in range(start, start + 361, 2)]
        d, inside = "", False
        for angle, size in sizes:
            (x, y), shown = unit(angle), size > 1e-6
            if shown:
                into = "L" if inside else f"M{cx:.1f} {cy:.1f}L" if angle > start else "M"
                d += f"{into}{cx + size * x:.1f} {cy - size * y:.1f}"
            elif inside:
                d += "Z"
            inside = shown
        return d

    def _eigen(self, k: int) -> str:
        """The direction of the largest or the least curvature, and how large it is."""
        (size, angle), (cx, cy), pen = self.found.eigen[k], self.hub, self.pen
        x, y = unit(angle)
        line = f"M{cx - RING * x:.1f} {cy + RING * y:.1f}L{cx + RING * x:.1f} {cy - RING * y:.1f}"
        name = "λ₁" if k == 0 else "λ₂"
        words = f"{name} = {number(size, 3)}"
        foot = DIAL if k == 0 else DIAL + PANEL
        style = "small start" if k == 0 else "small end"
        parts = [path(pen, "dial eigen", line), text(pen, style, foot, TOP + PANEL + 14, words)]
        for side in (-1, 1):
            at = cx + side * (RING + 11) * x, cy - side * (RING + 11) * y
            parts.append(text(pen, "small", *at, name))
        return "".join(parts)

    def _hand(self, direction: Direction) -> str:
        """The hand of the dial, and the place on the curve that it points at."""
        pen, (cx, cy), (x, y) = self.pen, self.hub, direction.v
        knob = cx + RING * x, cy - RING * y
        size = abs(ROSE * direction.curvature / self.most)
        return (
            path(pen, "now line", f"M{cx:.1f} {cy:.1f}L{knob[0]:.1f} {knob[1]:.1f}")
            + circle(pen, "nudge end", cx + size * x, cy - size * y, 4.5)
            + circle(pen, "now dot", *knob, 8)
        )

    def _hits(self) -> str:
        """A sector for each direction, to be pressed."""
        (cx, cy), far, parts = self.hub, PANEL / 2, []
        for step, angle in enumerate(ANGLES[1:], 1):
            (ax, ay), (bx, by) = unit(angle - TURN / 2), unit(angle + TURN / 2)
            d = f"M{cx:g} {cy:g}L{cx + far * ax:.1f} {cy - far * ay:.1f}"
            d += f"L{cx + far * bx:.1f} {cy - far * by:.1f}z"
            parts.append(path(self.pen, "tracer hit", d, f' data-step="{step}"'))
        return "".join(parts)

    # the slice

    def _range(self) -> Pair:
        """Least and largest value of the slices, without what shoots off."""
        every = sorted(y for line in self.along.values() for y in line if math.isfinite(y))
        cut = len(every) // 8
        low, high = every[cut], every[-1 - cut]
        low, high = min(low, self.found.value), max(high, self.found.value)
        room = 0.06 * (high - low) or 1.0
        return low - room, high + room

    def _spot(self, t: float, y: float) -> Point:
        low, high = self._limits
        x = SLICE + PANEL * (t + self.reach) / (2 * self.reach)
        return x, TOP + PANEL - PANEL * (y - low) / (high - low)

    def _axes(self) -> str:
        pen = self.pen
        middle, foot = SLICE + PANEL / 2, TOP + PANEL + 14
        frame = rectangle(pen, "module frame", (SLICE, TOP, SLICE + PANEL, TOP + PANEL))
        return (
            text(pen, "note", SLICE, 24, "f along v, and its parabola")
            + path(pen, "grid", f"M{middle:g} {TOP:g}v{PANEL:g}")
            + frame
            + text(pen, "small start", SLICE, foot, f"t = {number(-self.reach)}")
            + text(pen, "small", middle, foot, "0")
            + text(pen, "small end", SLICE + PANEL, foot, number(self.reach))
        )

    def _slice(self, direction: Direction) -> str:
        pen, steps = self.pen, np.linspace(-self.reach, self.reach, SAMPLES).tolist()
        curve = [self._spot(t, y) for t, y in zip(steps, self.along[direction.angle], strict=True)]
        bend = [
            self.found.value + direction.slope * t + direction.curvature * t * t / 2 for t in steps
        ]
        parabola = [self._spot(t, y) for t, y in zip(steps, bend, strict=True)]
        x, y = self._spot(0.0, self.found.value)
        return (
            path(pen, "nudge curve", within(curve, TOP, TOP + PANEL))
            + path(pen, "dial parabola", within(parabola, TOP, TOP + PANEL))
            + circle(pen, "nudge end", x, y, 5)
        )

    # the numbers

    def _numbers(self, direction: Direction) -> str:
        """The product, step by step, and the parabola."""
        pen, d = self.pen, direction
        y, x = 292.0, 16.0
        parts = []
        words = [
            ("v =", f"[{number(d.v[0], 3)}, {number(d.v[1], 3)}]", value_chip, value_chip_width),
            ("Hv =", f"[{number(d.product[0], 3)}, {number(d.product[1], 3)}]", gradient_chip,
             gradient_chip_width),
            ("vᵀHv =", number(d.curvature), gradient_chip, gradient_chip_width),
        ]  # fmt: skip
        for name, shown, chip, width in words:
            parts.append(text(pen, "row label", x, y, name))
            x += text_width(name, 12) + 8
            parts.append(chip(pen, x, y, shown))
            x += width(shown) + 28
        rest = f"≈ {number(self.found.value)} {term(d.slope)}·t {term(d.curvature, '½·')}·t²"
        parts.append(text(pen, "row label", 16, y + 36, f"f(p + t·v) {rest}"))
        signs = "filled: f curves up · spokes: f curves down"
        parts.append(text(pen, "row name", SLICE + PANEL, y + 36, signs))
        return "".join(parts)


def thick(k: int) -> float:
    """Width of a contour: the higher, the thicker."""
    return round(0.75 + 2.25 * k / (LEVELS - 1), 2)


def term(x: float, before: str = "") -> str:
    """A number to be added.

    >>> term(-2.5), term(1.0, "½·")
    ('− 2.5', '+ ½·1')
    """
    return f"{'−' if x < 0 else '+'} {before}{number(abs(x))}"


def crossing(start: Point, way: Pair, box: tuple[float, float, float, float]) -> Point:
    """Where a line from a point inside a box leaves it."""
    (x, y), (u, v), (left, top, right, bottom) = start, way, box
    far = [((right if u > 0 else left) - x) / u] if u else []
    far += [((bottom if v > 0 else top) - y) / v] if v else []
    return x + min(far) * u, y + min(far) * v


def arrowhead(tip: Point, way: Pair) -> str:
    """A filled head whose point is 4 px beyond `tip`."""
    (x, y), (u, v) = tip, way
    left, right = (x - 7 * u + 5 * v, y - 7 * v - 5 * u), (x - 7 * u - 5 * v, y - 7 * v + 5 * u)
    points = (x + 4 * u, y + 4 * v), left, right
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points) + "z"


def within(points: Sequence[Point], top: float, bottom: float) -> str:
    """A curve as a path, cut off where it leaves a plot above or below."""
    d, before = "", None
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        if not all(map(math.isfinite, (ay, by))):
            continue
        shares = [0.0, 1.0]
        for limit, sign in ((top, 1), (bottom, -1)):
            a, b = sign * (ay - limit), sign * (by - limit)  # not negative: on the plot
            if a < 0 and b < 0:
                shares = [1.0, 0.0]
            elif a < 0:
                shares[0] = max(shares[0], a / (a - b))
            elif b < 0:
                shares[1] = min(shares[1], a / (a - b))
        if shares[0] > shares[1]:
            continue
        start, end = ((ax + s * (bx - ax), ay + s * (by - ay)) for s in shares)
        if before != start:
            d += "M{:.1f} {:.1f}".format(*start)
        d += "L{:.1f} {:.1f}".format(*end)
        before = end
    return d or "M0 0"
