"""A bar and a curve that grow while a network trains, and stay as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any

from ..graphs import draw
from ..graphs.numbers import number
from ..graphs.style import attributes, css_class
from ..instruments.instrument import VIEW, Instrument
from ..instruments.svg_view import SvgView

WIDTH, HEIGHT = 690, 184
BOX = (56.0, 36.0, 674.0, 156.0)  # of the plot, px
MOST = 100  # points of the curve: of more losses, means are drawn
TELLING = "Training. The bar shows how far it is, the curve shows the loss."


class TrainingCurve(Instrument):
    """Shows the losses of a training run while they come.

    In a `with` block, which also keeps NumPy to one thread: products of matrices this small are
    slower on several.

    >>> with TrainingCurve(3) as curve:
    ...     for loss in (2.0, 1.0, 0.5):
    ...         curve.add(loss)
    Training. The bar shows how far it is, the curve shows the loss.
    >>> curve
    The loss falls from 2 to 0.5 in 3 steps.
    """

    title = "Training curve"
    STATE: Mapping[str, Any] = MappingProxyType({})  # nothing in it can be chosen

    def __init__(self, steps: int) -> None:
        self.steps, self.losses = steps, []
        self._live: Any = None
        self._threads: AbstractContextManager = one_thread()
        self.view = SvgView(
            title=self.title, look="below chart", view=[WIDTH, HEIGHT], order=[["", None, None]],
            panels=[""], steps_keys=[""],
        )  # fmt: skip
        self._draw()

    def __enter__(self) -> TrainingCurve:
        from IPython.display import display
        from ipywidgets import HTML, HBox, IntProgress, VBox

        self._bar = IntProgress(value=0, max=self.steps)
        self._live = VBox([HBox([self._bar, HTML(TELLING)]), self.view])
        self._threads.__enter__()
        display(_Live(self._live))
        return self

    def __exit__(self, *error: Any) -> None:
        self._threads.__exit__(*error)
        if error[0] is None:  # else the cell shows no picture of its own
            self._live.children = self._live.children[:1]

    def add(self, loss: float) -> None:
        """One step more; the picture is drawn anew now and then."""
        self.losses.append(float(loss))
        done = len(self.losses)
        if self._live is not None and (done % max(1, self.steps // 50) == 0 or done == self.steps):
            self._bar.value = done
            self._draw()

    def _draw(self) -> None:
        """Give the widget the curve so far."""
        with self.view.hold_sync():
            self.view.set_frames([[self._curve(css_class)]])
            self.view.sentences = [self.sentence]
            self.view.revision += 1

    @property
    def summary(self) -> str:
        """What the picture says, in words."""
        return self.sentence

    @property
    def sentence(self) -> str:
        """The first and the last loss, in words."""
        if not self.losses:
            return "No step has run."
        first, last = (number(x, 3) for x in (self.losses[0], self.losses[-1]))
        way = "falls" if self.losses[-1] < self.losses[0] else "does not fall: it goes"
        return f"The loss {way} from {first} to {last} in {len(self.losses)} steps."

    def svg(self) -> str:
        """The curve so far."""
        return draw.svg(WIDTH, HEIGHT, self.title, self.sentence, self._curve(attributes))

    def _curve(self, pen: draw.Pen) -> str:
        left, top, right, bottom = BOX
        size = -(-self.steps // MOST)
        chunks = [self.losses[i : i + size] for i in range(0, len(self.losses), size)]
        means = [sum(chunk) / len(chunk) for chunk in chunks]
        most = max([x for x in means if math.isfinite(x)], default=1.0) or 1.0
        grid, parts, d = "", [], ""
        for share in (0, 0.5, 1):
            x, y = left + (right - left) * share, bottom - (bottom - top) * share
            grid += f"M{x:g} {top:g}V{bottom:g}M{left:g} {y:g}H{right:g}"
            end = "small end" if share == 1 else "small"
            parts.append(draw.text(pen, end, x, bottom + 14, number(round(self.steps * share))))
            parts.append(draw.text(pen, "small end", left - 6, y, number(most * share, 2)))
        for i, mean in enumerate(means):
            if math.isfinite(mean):
                at = min((i + 0.5) * size, self.steps)
                x = left + (right - left) * at / self.steps
                d += f"{'L' if d else 'M'}{x:.1f} {bottom - (bottom - top) * mean / most:.1f}"
        parts.append(draw.text(pen, "note", 16, 16, "loss, by training steps"))
        parts.append(draw.path(pen, "grid", grid))
        if d:
            parts.append(draw.path(pen, "held", d))
        return "".join(parts)

    def __repr__(self) -> str:
        return self.sentence


class _Live:
    """The widgets, which a page without a kernel tells in one constant sentence."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget

    def __repr__(self) -> str:
        return TELLING

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        live = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return {VIEW: live, "text/plain": TELLING}


def one_thread() -> AbstractContextManager:
    """Keeps NumPy's products to one thread where `threadpoolctl` is at hand, as it is with
    scikit-learn."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(1)
