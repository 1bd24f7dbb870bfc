"""GradcheckMicroscope: the Jacobian that backward gives, the one that nudges give, and how far they
are apart, for every size of the nudge; and gradcheck's verdict.

The steps of the transport are the sizes of h, so the browser scrubs over h by itself; selecting a
cell asks Python.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..graphs.differences import Differences, Nudged
from ..graphs.draw import Box, Pen, circle, corner_marks, path, rectangle, svg, text
from ..graphs.ladder import diamond
from ..graphs.numbers import exactly, number
from ..graphs.style import attributes, css_class, escape, one_line, text_width
from .instrument import Instrument, chosen
from .jacobian_painter import SUBSCRIPTS, draw_cell, fitting
from .svg_view import SvgView
from .twin_graph import plural

LARGEST = 12  # rows, and columns
DECADES = tuple(10.0**-k for k in range(1, 13))
WIDTH, TOP, LEFT = 690.0, 76.0, 40.0  # px; of the picture, and where the cells begin
TABLE, GAP = 200.0, 20.0  # px; room for a table, and for the sign between two
CHART, RIGHT = 104.0, 674.0  # px; height of the curve over h, and its right end
TITLES = (
    ("analytic", "backward, row by row"),
    ("numeric", "nudges, column by column"),
    ("difference", "log scale, full = allowed"),
)
OBJECTIONS = {
    "Backward is not reentrant": "two runs of backward give different numbers",
    "backward not multiplied by grad_output": (
        "backward does not multiply by the gradient that comes in"
    ),
}


class GradcheckMicroscope(Instrument):
    """Look at what `gradcheck` compares.

    Args:
        function: what gradcheck would be given: a function, or `apply` of a Function.
        inputs: a tensor of autogradlab or PyTorch, or a tuple; those that require a gradient are
            checked. They are not changed.
        eps: the size of the nudge at first.
        atol, rtol: two derivatives may differ by atol + rtol · |numeric one|.
        names, outputs: what to call the inputs that are checked, and the outputs.
        controls: what to show of "h" and "cells", the scrubber and the cells to select; by default
            both.

    The function is called, and backward run, several times for each h.

    Raises:
        TypeError: there is no tensor, or the function gives something else.
        ValueError: no input requires a gradient; the Jacobian has no cells, or more than 12 rows or
        columns; eps is no positive number; another number of names.
        What the function raises. What its backward raises is shown.

    >>> from autogradlab import float64, tensor
    >>> x = tensor([1.0, 2.0], dtype=float64, requires_grad=True)
    >>> scope = GradcheckMicroscope(lambda x: x**3, x)
    >>> scope.nudge(1e-2)
    'gradcheck passes at h = 0.01. The worst difference is 1e−4, at y₀ by x₀, where 0.00301 is \
allowed.'
    >>> scope.passes, scope.analytic.tolist()
    (True, [[3.0, 0.0], [0.0, 12.0]])
    """

    CONTROLS = ("h", "cells")
    STATE = MappingProxyType({name: Instrument.STATE[name] for name in ("step", "selected")})

    def __init__(
        self, function: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5,
        rtol: float = 1e-3, names: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None, controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self._shown = chosen(controls, type(self))
        self._check = check = Differences(function, inputs, atol, rtol)
        if not all(0 < count <= LARGEST for count in check.size):
            m, n = check.size
            raise ValueError(
                f"the tables hold 1 to {LARGEST} rows and columns; this Jacobian has {m} × {n}. "
                "Look at a part of the elements: gradcheck itself takes all"
            )
        self.rows = element_names(check.values, outputs, "yyzuvw", "outputs")
        self.columns = element_names(check.inputs, names, "xabcdefghijkl", "checked inputs")
        self.sizes = tuple(sorted({*DECADES, _size(eps)}, reverse=True))
        self.nudged = [check.nudged(h) for h in self.sizes]
        self.title = f"{plural(len(self.rows), 'output')}, {plural(len(self.columns), 'input')}"
        name = check.engine.__name__.replace("torch", "PyTorch")
        self.view = SvgView(
            title="Gradcheck Microscope",
            expression=f"{check.size[0]} × {check.size[1]} Jacobian",
            call=f"atol = {number(atol)}, rtol = {number(rtol)}",
            tag=f"{name} · {', '.join(check.dtypes)}",
            look="below chart",
            view=[WIDTH, self._height],
            stops=[number(h) for h in self.sizes] if "h" in self._shown else [],
            steps_keys=[""] * len(self.sizes),
            step=self.sizes.index(eps),
        )
        self._draw()
        self.view.observe(lambda change: self._fill(), "selected")

    # ------------------------------------------------------------------------------- actions

    def nudge(self, h: float) -> str:
        """Show the h nearest to this one, on a log scale; returns the sentence."""
        far = [abs(math.log(_size(h) / each)) for each in self.sizes]
        self.view.step = far.index(min(far))
        return self.sentence

    def select(self, row: int, column: int) -> str:
        """Show the numbers of one cell below the picture; returns them in words.

        Raises:
            ValueError: there is no such cell.
        """
        for what, index, names in (("row", row, self.rows), ("column", column, self.columns)):
            if not 0 <= index < len(names):
                raise ValueError(f"there is no {what} {index}: there are 0 to {len(names) - 1}")
        self.view.selected = f"{row},{column}"
        return self._cell_words(self._now, row, column)

    def clear(self) -> str:
        """Select no cell: the numbers are those of the worst one; returns the sentence."""
        self.view.selected = ""
        return self.sentence

    # ------------------------------------------------------------------------- what it shows

    @property
    def _now(self) -> Nudged:
        return self.nudged[self.view.step]

    @property
    def h(self) -> float:
        """The size of the nudge that is shown."""
        return self._now.h

    @property
    def passes(self) -> bool:
        """gradcheck's verdict at this h."""
        return not self._now.objection

    @property
    def analytic(self) -> np.ndarray | None:
        """The Jacobian by backward; None where backward raised."""
        return self._check.analytic

    @property
    def numeric(self) -> np.ndarray:
        """The Jacobian by nudges of this h."""
        return self._now.jacobian

    @property
    def worst(self) -> tuple[int, int]:
        """Row and column of the largest difference, measured by what is allowed there."""
        return self._worst(self._now)

    @property
    def apart(self) -> list[tuple[int, int]]:
        """The cells in which the two differ by more than is allowed."""
        return [(i, j) for i, j in np.argwhere(self._share(self._now) > 1).tolist()]

    @property
    def sentence(self) -> str:
        """gradcheck's verdict at this h and what it rests on, in words."""
        return self._sentence(self._now)

    summary = property(lambda self: self.sentence)

    def _share(self, now: Nudged) -> np.ndarray:
        """Each difference as a share of what is allowed; infinite where one is not a number."""
        n = now.jacobian
        if self.analytic is None:
            return np.full(n.shape, np.inf)
        with np.errstate(all="ignore"):
            share = np.abs(self.analytic - n) / self._check.allowed(n)
        share[(self.analytic == n) | (np.abs(self.analytic - n) == 0)] = 0.0
        return np.where(np.isnan(share), np.inf, share)

    def _worst(self, now: Nudged) -> tuple[int, int]:
        # Of cells that differ equally, but for rounding, the first.
        shares = [float(f"{share:.3g}") for share in self._share(now).ravel()]
        return divmod(shares.index(max(shares)), len(self.columns))

    def _sentence(self, now: Nudged) -> str:
        h = f"at h = {number(now.h)}"
        if self.analytic is None:
            return f"gradcheck raises {h}. backward raised {self._check.trouble}"
        i, j = self._worst(now)
        where, a, n = self._name(i, j), self.analytic[i, j], now.jacobian[i, j]
        if not now.objection:
            if a == n:
                return f"gradcheck passes {h}. The two tables are equal."
            allowed = number(self._check.allowed(n))
            return (
                f"gradcheck passes {h}. The worst difference is {number(abs(a - n), 2)}, at {where}"
                f", where {allowed} is allowed."
            )
        kind, _, words = now.objection.partition(": ")
        if kind != "GradcheckError":
            return f"gradcheck raises {h}. It says: {now.objection}"
        share = self._share(now)
        if not (share > 1).any():
            first = re.split(r"[,.]", words)[0]
            agree = "No cell differs too much, but "
            return f"gradcheck fails {h}. {agree}{OBJECTIONS.get(first, f'it says: {first}')}."
        passed = [each.h for each in self.nudged if not each.objection]
        range_ = f"h = {number(passed[0])}" if passed else "no h"
        if len(passed) > 1:
            range_ = f"h = {number(passed[0])} to {number(passed[-1])}"
        count = int((share > 1).sum())
        differ = f"{'differs' if count == 1 else 'differ'} too much"
        most = "most of all " if count > 1 else ""
        return (
            f"gradcheck fails {h}. {count} of {plural(share.size, 'cell')} {differ}, {most}{where}:"
            f" analytic {number(a)}, numeric {number(n)}; it passes at {range_}."
        )

    def _name(self, i: int, j: int) -> str:
        return f"{self.rows[i]} by {self.columns[j]}"

    def _cell_words(self, now: Nudged, i: int, j: int) -> str:
        a = "None" if self.analytic is None else number(self.analytic[i, j])
        n = now.jacobian[i, j]
        return (
            f"{self._name(i, j)} at h = {number(now.h)}: analytic {a}, numeric {number(n)}, "
            f"allowed difference {number(self._check.allowed(n))}."
        )

    # -------------------------------------------------------------------------------- panel

    def _panel(self, now: Nudged) -> str:
        """The numbers of the selected cell, or of the worst one."""
        key = self.view.selected
        i, j = map(int, key.split(",")) if key else self._worst(now)
        n, dtype = now.jacobian[i, j], str(now.jacobian.dtype)
        allowed = self._check.allowed(n)
        sides = [exactly(each[i, j], dtype) for each in (now.above, now.below)]
        sides[1] = f"({sides[1]})" if sides[1][0] == "−" else sides[1]
        a = None if self.analytic is None else self.analytic[i, j]
        gap = math.nan if a is None else abs(a - n)
        apart = self._share(now)[i, j] > 1
        value = '<span class="agl-none">None</span>'
        if a is not None:
            value = f'<span class="agl-g">{number(a)}</span>'
        rule = f"allowed {number(self._check.atol)} + {number(self._check.rtol)} · |{number(n)}|"
        mark = '<span class="agl-no">✗</span>' if apart else '<span class="agl-yes">✓</span>'
        rows = (
            ("analytic", value, f"backward, started at {self.rows[i]} alone"),
            (
                "numeric",
                f'<span class="agl-v">{number(n)}</span>',
                f"<code>({' − '.join(sides)}) / {number(2 * now.h)}</code>",
            ),
            (
                "difference",
                "none" if a is None else f"{mark} <code>{number(gap)}</code>",
                f"{rule} = {number(allowed)}",
            ),
        )
        which = "selected" if key else "the worst cell"
        head = f'<div class="agl-h4">{escape(self._name(i, j))}<span>{which}</span></div>'
        body = "".join(
            f"<tr><td>{name}</td><td>{shown}</td><td>{escape(how) if '<' not in how else how}</td>"
            "</tr>"
            for name, shown, how in rows
        )
        return f'{head}<table class="agl-wide">{body}</table>'

    # ------------------------------------------------------------------------------ drawing

    @property
    def _cell(self) -> tuple[float, float]:
        """Width and height of a cell."""
        wide = min(64.0, math.floor(TABLE / len(self.columns)))
        return wide, 30.0 if len(self.rows) <= 6 else 22.0

    @property
    def _bottom(self) -> float:
        return TOP + self._cell[1] * len(self.rows)

    @property
    def _height(self) -> float:
        return self._frame[1] + 28 if self.analytic is not None else self._bottom + 60

    def _corner(self, table: int, i: int, j: int) -> tuple[float, float]:
        """Where a cell begins; a table stands in the middle of its room."""
        wide, high = self._cell
        room = TABLE - wide * len(self.columns)
        return LEFT + table * (TABLE + GAP) + room / 2 + wide * j, TOP + high * i

    def svg(self) -> str:
        """The three tables and the curve for the h that is shown."""
        parts = [self._backdrop(attributes), self._marker(attributes, self._now)]
        for t, i, j, x, y in self._places():
            cell = self._draw_cell(attributes, self._now, t, i, j)
            parts.append(f'<g transform="translate({x:g} {y:g})">{cell}</g>')
            if self.view.selected == f"{i},{j}":
                parts.append(f'<g transform="translate({x:g} {y:g})">{self._corners()}</g>')
        return svg(WIDTH, self._height, self.title, self.sentence, "".join(parts))

    def _places(self) -> Iterable[tuple[int, int, int, float, float]]:
        """Every cell of every table, with its middle."""
        wide, high = self._cell
        for t in range(3):
            for i in range(len(self.rows)):
                for j in range(len(self.columns)):
                    x, y = self._corner(t, i, j)
                    yield t, i, j, x + wide / 2, y + high / 2

    def _draw_cell(self, pen: Pen, now: Nudged, table: int, i: int, j: int) -> str:
        """A cell round (0, 0): of backward, of the nudges, or how far they are apart."""
        wide, high = self._cell
        box = (1.5 - wide / 2, 1.5 - high / 2, wide / 2 - 1.5, high / 2 - 1.5)
        numeric = now.jacobian
        if table == 2:
            if self.analytic is None:
                return rectangle(pen, "pill", box, 2)
            gap = abs(self.analytic[i, j] - numeric[i, j])
            return draw_gap(pen, box, float(gap), float(self._share(now)[i, j]))
        shown = numeric if table else self.analytic
        x = None if shown is None else float(shown[i, j])
        both = [numeric] if self.analytic is None else [self.analytic, numeric]
        known = np.abs(np.concatenate(both))
        most = known[np.isfinite(known)].max(initial=0.0)
        return draw_cell(pen, box, x, float(most), "value" if table else "")

    def _backdrop(self, pen: Pen) -> str:
        """What does not change with h: titles, names, signs, the curve."""
        middles = [LEFT + t * (TABLE + GAP) + TABLE / 2 for t in range(3)]
        parts = []
        for (title, how), x in zip(TITLES, middles, strict=True):
            parts.append(text(pen, "number strong", x, 18, title))
            parts.append(text(pen, "note middle", x, 36, how))
        for t, sign in ((1, "−"), (2, "=")):
            parts.append(text(pen, "tracer sign", LEFT + t * (TABLE + GAP) - GAP / 2, 18, sign))
        wide, high = self._cell
        for t in range(3):
            for j, name in enumerate(self.columns):
                x, y = self._corner(t, 0, j)
                parts.append(text(pen, "small", x + wide / 2, y - 12, shortened(name, wide)))
            for i, name in enumerate(self.rows):
                x, y = self._corner(t, i, 0)
                room = x - (LEFT + t * (TABLE + GAP)) + (LEFT if t == 0 else 0) - 8
                if t == 0 or room > 24:
                    words = shortened(name, room)
                    parts.append(text(pen, "small end", x - 6, y + high / 2, words))
        return "".join(parts) + self._curve(pen)

    def _at(self, now: Nudged) -> tuple[float, float]:
        """Where an h stands on the chart: the worst difference as a share of what is allowed."""
        first, last = math.log10(self.sizes[0]), math.log10(self.sizes[-1])
        x = 100 + (RIGHT - 124) * (math.log10(now.h) - first) / (last - first)
        share = self._share(now).max()
        power = -6.0 if share == 0 else 6.0 if share == math.inf else math.log10(share)
        top, bottom = self._frame
        return x, top + 12 + (bottom - top - 24) * (6 - max(-6.0, min(6.0, power))) / 12

    @property
    def _frame(self) -> tuple[float, float]:
        """Top and bottom of the chart."""
        return self._bottom + 52, self._bottom + 52 + CHART

    def _curve(self, pen: Pen) -> str:
        """The worst difference over h, with the line of what is allowed."""
        top, bottom = self._frame
        words = "worst difference ÷ allowed, for each h (log scales)"
        if self.analytic is None:
            return text(pen, "note", 16, top - 14, "no difference: backward raised")
        points = [self._at(now) for now in self.nudged]
        middle = (top + bottom) / 2
        parts = [
            text(pen, "note", 16, top - 14, words),
            rectangle(pen, "module frame", (80, top, RIGHT, bottom)),
            path(pen, "threshold", f"M80 {middle:g}H{RIGHT:g}"),
            text(pen, "small end", 72, middle, "allowed"),
            text(pen, "small end", 72, top + 12, "× 1e6"),
            text(pen, "small end", 72, bottom - 12, "× 1e−6"),
            path(pen, "scope line", "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)),
        ]
        for now, (x, y) in zip(self.nudged, points, strict=True):
            ok = circle(pen, "nudge end", x, y, 4)
            parts.append(diamond(pen, x, y, 8) if now.objection else ok)
            if now.h in DECADES:
                parts.append(text(pen, "small", x, bottom + 14, number(now.h)))
        parts.append(text(pen, "note middle", 56, bottom + 14, "h"))
        return "".join(parts)

    def _marker(self, pen: Pen, now: Nudged) -> str:
        """The h that is shown, on the chart."""
        if self.analytic is None:
            return ""
        x, y = self._at(now)
        line = path(pen, "now line", f"M{x:.1f} {self._frame[0]:g}V{self._frame[1]:g}")
        ring = circle(pen, "now dot", x, y, 11)
        return line + ring + (
            diamond(pen, x, y, 8) if now.objection else circle(pen, "nudge end", x, y, 4)
        )

    def _corners(self, pen: Pen = attributes) -> str:
        wide, high = self._cell
        return path(pen, "corners", corner_marks(wide / 2 + 1, high / 2 + 1))

    # --------------------------------------------------------------------------------- widget

    def _draw(self) -> None:
        """Give the widget all that it shows."""
        view, places = self.view, list(self._places())
        live = "cells" in self._shown
        view.order = [["", None, None]] * 2 + [
            [f"{i},{j}" if live else "", x, y] for _, i, j, x, y in places
        ]
        m, n = len(self.rows), len(self.columns)
        view.targets = [
            [f"{i},{j}", f"{self._name(i, j)}: Enter shows its numbers below", x, y,
             [f"{i - 1},{j}"] if i else [], [f"{i + 1},{j}"] if i + 1 < m else []]
            for t, i, j, x, y in places if t == 0 and live
        ]  # fmt: skip
        wide, high = self._cell
        box = (1 - wide / 2, 1 - high / 2, wide / 2 - 1, high / 2 - 1)
        ring, corners = rectangle(css_class, "focus", box, 4), self._corners(css_class)
        marks = "".join(
            f'<g class="agl-mark-{kind}">'
            + "".join(
                f'<g transform="translate({t * (TABLE + GAP):g} 0)">{mark}</g>' for t in range(3)
            )
            + "</g>"
            for kind, mark in (("corners", corners), ("focus", ring))
        )
        view.overlays = {f"{i},{j}": marks for i in range(m) for j in range(n)} if live else {}
        back = self._backdrop(css_class)
        view.set_frames(
            [back, self._marker(css_class, now)]
            + [self._draw_cell(css_class, now, t, i, j) for t, i, j, _, _ in places]
            for now in self.nudged
        )
        view.sentences = [self._sentence(now) for now in self.nudged]
        self._fill()

    def _fill(self) -> None:
        """Show the numbers of the cell that is selected now."""
        with self.view.hold_sync():
            self.view.panels = [self._panel(now) for now in self.nudged]
            self.view.revision += 1


def draw_gap(pen: Pen, box: Box, gap: float, share: float) -> str:
    """A difference: a bar on a log scale, full at what is allowed; beyond it a diamond, too."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    wide = right - left
    if share > 1:
        words = fitting(gap, wide - 18, 11)
        cell = rectangle(pen, "scope apart", box, 2)
        if not words:
            return cell + diamond(pen, x, y, min(8.0, wide / 2 - 1))
        mark = diamond(pen, left + 9, y, 7)
        return cell + mark + text(pen, "tracer number", x + 8, y, words)
    parts = [rectangle(pen, "painter cell 0", box, 2)]
    full = max(0.0, 1 + math.log10(share) / 6) if share else 0.0  # from a millionth on
    if full:
        bar = (left + 1, bottom - 4, left + 1 + max(2.0, full * (wide - 2)), bottom - 1)
        parts.append(rectangle(pen, "scope gap", bar))
    if words := fitting(gap, wide - 2, 11):
        parts.append(text(pen, "small", x, y - 1, words))
    return "".join(parts)


def element_names(
    tensors: Sequence[Any], given: Sequence[str] | None, letters: str, what: str
) -> list[str]:
    """What to call every element of some tensors: one tensor is called by the first letter, several
    by those after it.

    >>> from autogradlab import ones
    >>> element_names([ones(2), ones(())], None, "xab", "inputs")
    ['a₀', 'a₁', 'b']
    >>> element_names([ones(1, 2)], ["y"], "", "outputs")
    ['y₀₀', 'y₀₁']
    """
    if given is None:
        given = letters[:1] if len(tensors) == 1 else letters[1 : len(tensors) + 1]
    if len(given) != len(tensors):
        raise ValueError(f"there are {len(tensors)} {what}, but {len(given)} names")
    found = []
    for tensor, name in zip(tensors, given, strict=True):
        between = "" if max(tensor.shape, default=0) <= 10 else ","
        for place in np.ndindex(tuple(tensor.shape)):
            found.append(one_line(str(name)) + between.join(map(str, place)).translate(SUBSCRIPTS))
    return found


def shortened(name: str, room: float) -> str:
    """A name that fits its room, cut if need be."""
    while len(name) > 1 and text_width(name, 11) > room:
        name = name.removesuffix("…")[:-1] + "…" if len(name) > 2 else name[:1]
    return name


def _size(h: Any) -> float:
    if isinstance(h, bool) or not isinstance(h, int | float) or not 0 < h < math.inf:
        raise ValueError(f"h is a positive number, not {h!r}")
    return float(h)
