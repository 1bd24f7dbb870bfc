"""VJPExplorer: turn v, and see how it weighs the rows of a Jacobian and what comes out, vᵀJ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any

from ..graphs.draw import Pen, gradient_chip, gradient_chip_width, path, rectangle, svg, text
from ..graphs.numbers import number
from ..graphs.protocol import engine_of
from ..graphs.style import attributes, css_class
from .instrument import Instrument, chosen
from .jacobian_painter import draw_cell, names_of
from .svg_view import SvgView

WIDTH, HEIGHT = 690.0, 268.0  # px
PLANE = 164.0  # px; side of a plane of arrows
PLANE_TOP = 44.0
V_LEFT, OUT_LEFT = 16.0, WIDTH - 16 - PLANE
TABLE = 316.0  # px; left of the Jacobian
CELL, ROW = 76.0, 40.0


def is_pair(x: Any) -> bool:
    """Whether these are two finite numbers."""
    return (
        isinstance(x, list)
        and len(x) == 2
        and all(isinstance(each, int | float) and not isinstance(each, bool) for each in x)
        and all(map(math.isfinite, x))
    )


class VJPExplorer(Instrument):
    """Choose the gradient v that comes in at two outputs; see vᵀJ arrive at two inputs.

    Args:
        function: takes one tensor of two elements and gives one of two.
        x: a tensor of autogradlab or PyTorch, where to take the derivatives. It is not changed.
        v: the incoming gradient at first.
        inputs, outputs: what to call the elements; by default x₀, x₁ and y₀, y₁.
        reach: how far the sliders go, and the axes of v.
        controls: ["v"] for the sliders, [] without; None for all.

    Raises:
        TypeError: `x` is not a tensor; ValueError: not two inputs and two outputs, a derivative
        that is not finite, or a v that is out of reach; what the function raises.

    >>> from autogradlab import stack, tensor
    >>> explorer = VJPExplorer(lambda x: stack([x[0] + x[1], x[0] - x[1]]), tensor([3.0, 5.0]))
    >>> explorer.sentence
    'vᵀJ = [1, 1]. v = [1, 0] weighs the rows [1, 1] and [1, −1], and they are added up.'
    >>> explorer.set(1, -1)
    'vᵀJ = [0, 2]. v = [1, −1] weighs the rows [1, 1] and [1, −1], and they are added up.'
    """

    CONTROLS = ("v",)
    STATE = MappingProxyType({"v": is_pair})
    title = "v transposed times J"

    def __init__(
        self, function: Callable[[Any], Any], x: Any, v: Sequence[float] = (1.0, 0.0), *,
        inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None,
        reach: float = 2.0, controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        shown = chosen(controls, type(self))
        self._engine = engine_of(x)
        y, self._pull = self._engine.func.vjp(function, x.detach().clone())
        if (x.numel(), y.numel()) != (2, 2):
            raise ValueError(f"expected 2 inputs and 2 outputs, not {x.numel()} and {y.numel()}")
        self._y, self.reach = y.detach(), float(reach)
        self.inputs = names_of("x", "inputs", x, inputs)
        self.outputs = names_of("y", "outputs", y, outputs)
        self.jacobian = [self._backward([1.0, 0.0]), self._backward([0.0, 1.0])]
        if not all(math.isfinite(x) for row in self.jacobian for x in row):
            raise ValueError(f"a derivative is not finite: {self.jacobian}")
        tag = "PyTorch" if self._engine.__name__ == "torch" else "autogradlab"
        self.view = SvgView(title="VJP Explorer", look="below chart", tag=tag)
        self.v, self.product = [1.0, 0.0], self.jacobian[0]
        self.controls = ()
        self.set(*v)
        self.controls = self._sliders() if shown else ()

    def set(self, first: float, second: float) -> str:
        """Choose v: one backward pass runs; returns the sentence."""
        v = [float(first), float(second)]
        if not all(abs(each) <= self.reach for each in v):
            raise ValueError(f"v reaches from {number(-self.reach)} to {number(self.reach)}")
        self.v, self.product = v, self._backward(v)
        for slider, value in zip(self.controls, v, strict=False):
            slider.value = value
        self._draw()
        return self.sentence

    @property
    def sentence(self) -> str:
        """v, the rows, and what comes out, in words."""
        v, first, second, out = (
            f"[{', '.join(map(number, each))}]" for each in (self.v, *self.jacobian, self.product)
        )
        return f"vᵀJ = {out}. v = {v} weighs the rows {first} and {second}, and they are added up."

    summary = sentence

    def _backward(self, v: list[float]) -> list[float]:
        seed = self._engine.tensor(v, dtype=self._y.dtype).reshape(self._y.shape)
        return self._pull(seed)[0].detach().reshape(-1).tolist()

    def _get(self, name: str) -> Any:
        return list(self.v)

    def _set(self, name: str, value: Any) -> None:
        self.set(*value)

    # -------------------------------------------------------------------------------- picture

    def svg(self) -> str:
        """v, the table and vᵀJ, as a still picture."""
        return svg(WIDTH, HEIGHT, self.title, self.sentence, "".join(self._parts(attributes)))

    def _parts(self, pen: Pen) -> list[str]:
        rows = self.jacobian
        # As far as vᵀJ can reach, so that the axes stay when v moves.
        far = self.reach * max(sum(abs(row[j]) for row in rows) for j in (0, 1)) or 1.0
        terms = [[w * x for x in row] for w, row in zip(self.v, rows, strict=True)]
        return [
            _plane(pen, V_LEFT, "gradient in, v", self.outputs, self.reach, self.v, []),
            self._table(pen),
            _plane(pen, OUT_LEFT, "gradient out, vᵀJ", self.inputs, far, self.product, terms),
        ]

    def _table(self, pen: Pen) -> str:
        parts = [text(pen, "note", TABLE, 20, "Jacobian, J")]
        largest = max(abs(x) for row in self.jacobian for x in row)
        for j, name in enumerate(self.inputs):
            parts.append(text(pen, "small", TABLE + CELL * (j + 0.5), PLANE_TOP, _short(name)))
        for i, row in enumerate(self.jacobian):
            y = PLANE_TOP + 36 + ROW * i
            words = number(self.v[i], 3)
            chip = TABLE - 52 - gradient_chip_width(words)
            parts.append(gradient_chip(pen, chip, y, words))
            parts.append(text(pen, "expression", TABLE - 43, y, "×"))
            parts.append(text(pen, "small", TABLE - 18, y, _short(self.outputs[i])))
            for j, x in enumerate(row):
                left = TABLE + CELL * j
                box = (left + 2, y - 17, left + CELL - 2, y + 17)
                parts.append(draw_cell(pen, box, x, largest))
        y = PLANE_TOP + 36 + 2 * ROW + 22
        parts.append(path(pen, "divider", f"M{TABLE - 110:g} {y - 30:g}H{TABLE + 2 * CELL:g}"))
        parts.append(text(pen, "note end", TABLE - 18, y, "added up"))
        words = [number(x, 3) for x in self.product]
        wide = [gradient_chip_width(each) for each in words]
        for j in (0, 1):
            lower = 24 * j if sum(wide) / 2 > CELL - 2 else 0  # two long ones: one below the other
            left = TABLE + CELL * (j + 0.5) - wide[j] / 2
            parts.append(gradient_chip(pen, left, y + lower, words[j]))
        return "".join(parts)

    def _draw(self) -> None:
        """Give the widget all that it shows now."""
        with self.view.hold_sync():
            view = self.view
            view.view = [WIDTH, HEIGHT]
            view.order = [["", None, None]] * 3
            view.set_frames([self._parts(css_class)])
            view.expression = f"v = [{', '.join(map(number, self.v))}]"
            view.panels, view.sentences, view.steps_keys = [""], [self.sentence], [""]
            view.revision += 1

    def _sliders(self) -> tuple[Any, ...]:
        from ipywidgets import FloatSlider

        made = tuple(
            FloatSlider(value, min=-self.reach, max=self.reach, step=self.reach / 20,
                        description=f"v{sub} =")
            for value, sub in zip(self.v, "₀₁", strict=True)
        )  # fmt: skip
        for k, slider in enumerate(made):
            slider.observe(lambda event, k=k: self._slid(k, event["new"]), "value")
        return made

    def _slid(self, k: int, value: float) -> None:
        if value != self.v[k]:  # moved by hand, not by set()
            v = list(self.v)
            v[k] = value
            self.set(*v)


def _plane(
    pen: Pen, left: float, title: str, axes: Sequence[str], reach: float, tip: Sequence[float],
    terms: Sequence[Sequence[float]],
) -> str:  # fmt: skip
    """A plane with an arrow from its middle to `tip`, and the terms it is the sum of, dashed."""
    x0, y0, half = left + PLANE / 2, PLANE_TOP + PLANE / 2, PLANE / 2 - 8

    def at(point: Sequence[float]) -> tuple[float, float]:
        return x0 + half * point[0] / reach, y0 - half * point[1] / reach

    box = (left, PLANE_TOP, left + PLANE, PLANE_TOP + PLANE)
    parts = [
        text(pen, "note", left, 20, title),
        rectangle(pen, "grid", box, 2),
        path(pen, "value edge", f"M{left:g} {y0:g}h{PLANE:g}M{x0:g} {PLANE_TOP:g}v{PLANE:g}"),
        text(pen, "small end", left + PLANE - 4, y0 + 12, _short(axes[0])),
        text(pen, "small start", x0 + 6, PLANE_TOP + 10, _short(axes[1])),
        text(pen, "small", left + PLANE / 2, PLANE_TOP + PLANE + 14,
             f"axes to ±{number(reach, 3)}"),
    ]  # fmt: skip
    start = [0.0, 0.0]
    for term in terms:  # head to tail
        end = [a + b for a, b in zip(start, term, strict=True)]
        (a, b), (c, d) = at(start), at(end)
        parts.append(path(pen, "vjp term", f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}"))
        start = end
    x, y = at(tip)
    long = math.hypot(x - x0, y - y0)
    if long > 1:
        ux, uy = (x - x0) / long, (y - y0) / long
        head = (f"M{x:.1f} {y:.1f}L{x - 11 * ux - 6 * uy:.1f} {y - 11 * uy + 6 * ux:.1f}"
                f"L{x - 11 * ux + 6 * uy:.1f} {y - 11 * uy - 6 * ux:.1f}z")  # fmt: skip
        end = (x - 8 * ux, y - 8 * uy)
        if long > 8:
            parts.append(path(pen, "vjp arrow", f"M{x0:g} {y0:g}L{end[0]:.1f} {end[1]:.1f}"))
        parts.append(path(pen, "cap", head))
    else:
        parts.append(rectangle(pen, "cap", (x0 - 4, y0 - 4, x0 + 4, y0 + 4), 4))
    return "".join(parts)


def _short(name: str) -> str:
    return name if len(name) <= 4 else f"{name[:3]}…"
