"""CurvatureDial: a function of two variables, a point, and a direction one turns. The curvature of
the function in that direction is vᵀHv; the dial shows it for all directions at once, and beside it
the function along the direction, with the parabola that slope and curvature give.

The steps of the transport are the directions, so the browser turns the dial by itself; moving the
point asks Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

from ..graphs.dial import ANGLES, HEIGHT, WIDTH, Dial, Direction, heights, measure, slices
from ..graphs.draw import svg
from ..graphs.numbers import number
from ..graphs.protocol import dtype_of, engine_of
from ..graphs.style import attributes, css_class
from ..graphs.typed import LONGEST, Typed
from .instrument import Instrument, chosen, notice
from .svg_view import SvgView
from .vjp_explorer import is_pair

NEAR = 2.5  # degrees: as near to a direction as the dial can be set


class CurvatureDial(Instrument):
    """Turn a direction v at a point and see the curvature vᵀHv.

    Args:
        f: takes one tensor of two numbers and gives one number; or an expression in x and y as
            text, `"x**2 - y**2"`.
        point: a tensor of two numbers, float32 or float64, of either engine. It is not changed.
        angle: the direction at first, in degrees; 0 is along x, 90 along y.
        between: the least and the largest x and y of the picture.
        controls: of "f", "angle", "point" and "transport" those to be shown; None for all. "f" is
            shown for an expression only.

    H is never built by the engine: each vᵀHv is one backward pass through the recorded gradient.

    Raises:
        TypeError: point is no such tensor; ValueError: it is not between the two, the expression
        is not understood, or f, its gradient or its curvature is not finite there.

    >>> from autogradlab import tensor
    >>> dial = CurvatureDial("x**2 - y**2", tensor([0.5, 0.5]))
    >>> dial.turn(90)
    'f curves down, and no direction more. At 90°, v = [0, 1]: vᵀHv = −2, and the slope is −1.'
    >>> dial.turn(45)
    'f does not curve. At 45°, v = [0.7071, 0.7071]: vᵀHv = 0, and the slope is 0.'
    >>> dial.eigen
    ((2.0, 0.0), (-2.0, 90.0))
    """

    CONTROLS = ("f", "angle", "point", "transport")
    STATE = MappingProxyType(
        {
            "f": lambda x: isinstance(x, str) and len(x) <= LONGEST,
            "point": is_pair,
            "step": Instrument.STATE["step"],
        }
    )

    def __init__(
        self, f: Callable[[Any], Any] | str, point: Any, angle: float = 0, *,
        between: tuple[float, float] = (-2.0, 2.0), controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self._shown = chosen(controls, type(self))
        self.engine, self.between = engine_of(point), (float(between[0]), float(between[1]))
        if dtype_of(point) not in ("float32", "float64") or tuple(point.shape) != (2,):
            raise TypeError("the point is a tensor of two numbers, float32 or float64")
        self._widgets: dict[str, Any] = {}
        moves = "transport" in self._shown
        self.view = SvgView(
            title="Curvature Dial",
            tag="PyTorch" if self.engine.__name__ == "torch" else "autogradlab",
            look="below chart",
            view=[WIDTH, HEIGHT],
            stops=[f"{number(a)}°" for a in ANGLES] if moves else [],
            steps_keys=[""] * len(ANGLES),
            order=[["", None, None]] * 6,
            panels=[""] * len(ANGLES),
            step=_step(angle),
        )
        self._use(f, point.detach().clone())
        self.controls = self._make_controls()

    # ------------------------------------------------------------------------------- actions

    def turn(self, angle: float) -> str:
        """Turn v to the direction nearest to `angle`, in degrees; returns the sentence."""
        self.view.step = _step(angle)
        return self.sentence

    def move(self, x: float, y: float) -> str:
        """Go to another point; returns the sentence."""
        self._use(self._f, self.point.new_tensor([float(x), float(y)]))
        return self.sentence

    def write(self, expression: str) -> str:
        """Take another function, an expression in x and y; returns the sentence."""
        self._use(expression, self.point)
        return self.sentence

    # ------------------------------------------------------------------------- what it shows

    @property
    def direction(self) -> Direction:
        """What the direction shows that v is turned to."""
        return self.found.directions[self.view.step]

    @property
    def angle(self) -> int:
        """The direction of v, in degrees."""
        return self.direction.angle

    @property
    def curvature(self) -> float:
        """vᵀHv."""
        return self.direction.curvature

    @property
    def eigen(self) -> tuple[tuple[float, float], ...]:
        """The largest and the least curvature, each with its direction in degrees."""
        return self.found.eigen

    @property
    def sentence(self) -> str:
        """What the picture says, in words: the verdict first."""
        return self._sentence(self.direction)

    summary = sentence

    def _sentence(self, d: Direction) -> str:
        (most, at_most), (least, at_least) = self.eigen
        verdict = "f curves up" if d.curvature > 0 else "f curves down"
        if not d.curvature:
            verdict = "f does not curve"
        elif most != least and _apart(d.angle, at_most) <= NEAR and most > 0:
            verdict += ", and no direction more"
        elif most != least and _apart(d.angle, at_least) <= NEAR:
            verdict += ", and no direction " + ("more" if least < 0 else "less")
        v = f"[{number(d.v[0])}, {number(d.v[1])}]"
        return (
            f"{verdict}. At {number(d.angle)}°, v = {v}: vᵀHv = {number(d.curvature)}, and the "
            f"slope is {number(d.slope)}."
        )

    def svg(self) -> str:
        """The picture for the direction that is shown."""
        body = "".join(self._dial(attributes).parts(self.direction)[:-1])
        return svg(WIDTH, HEIGHT, self.title, self.sentence, body)

    # ----------------------------------------------------------------------------- computing

    def _use(self, f: Callable[[Any], Any] | str, point: Any) -> None:
        """Take a function and a point, and draw all anew; nothing changes where that fails."""
        low, high = self.between
        if not all(low <= x <= high for x in point.tolist()):
            raise ValueError(f"x and y are between {number(low)} and {number(high)}")
        function = self._typed(f) if isinstance(f, str) else f
        reach = (high - low) * 3 / 8
        found = measure(function, point)
        field, along = heights(function, point, self.between), slices(function, point, reach)
        self._f, self.point, self.found = f, point, found
        self.expression = f if isinstance(f, str) else ""
        self._drawn = found, field, along, self.between, reach
        x, y = map(number, found.point)
        name = self.expression or getattr(f, "__name__", "f")
        self.title = f"{'f' if name == '<lambda>' else name} at p = [{x}, {y}]"
        dial, view = self._dial(css_class), self.view
        with view.hold_sync():
            view.expression = self.title
            view.sentences = [self._sentence(each) for each in found.directions]
            view.set_frames(dial.parts(each) for each in found.directions)
            view.revision += 1
        for name, widget in self._widgets.items():
            widget.value = self._value(name)

    def _dial(self, pen: Callable[[str], str]) -> Dial:
        return Dial(*self._drawn, pen)

    def _typed(self, text: str) -> Callable[[Any], Any]:
        def f(p: Any) -> Any:
            made = Typed(text, {"x": p[0], "y": p[1]}, self.engine).result
            return made if hasattr(made, "grad_fn") else p.new_tensor(float(made)) + 0 * p.sum()

        return f

    # -------------------------------------------------------------------------------- controls

    def _make_controls(self) -> tuple[Any, ...]:
        """A field for the expression, and sliders for the direction and the point."""
        from ipywidgets import FloatSlider, IntSlider, Text

        low, high = self.between
        made: dict[str, Any] = {}
        if "f" in self._shown and self.expression:
            made["f"] = Text(self.expression, description="f(x, y) =", continuous_update=False)
        if "angle" in self._shown:
            made["angle"] = IntSlider(
                self.angle, min=ANGLES[0], max=ANGLES[-1], step=ANGLES[1] - ANGLES[0],
                description="degrees",
            )  # fmt: skip
        for name in ("x", "y") if "point" in self._shown else ():
            step = (high - low) / 40
            made[name] = FloatSlider(
                self._value(name), min=low, max=high, step=step, description=name
            )
        told = notice()
        for name, widget in made.items():
            widget.observe(lambda event, name=name: self._moved(name, event["new"], told), "value")
        if "angle" in made:
            self.view.observe(lambda event: setattr(made["angle"], "value", self.angle), "step")
        self._widgets = made
        return (*made.values(), told) if made else ()

    def _value(self, name: str) -> Any:
        x, y = self.found.point
        return {"f": self.expression, "angle": self.angle, "x": x, "y": y}[name]

    def _moved(self, name: str, new: Any, told: Any) -> None:
        """A control was used; what cannot be done is said beside it."""
        told.value = ""
        if new == self._value(name):
            return
        x, y = self.found.point
        try:
            if name == "angle":
                self.turn(new)
            elif name == "f":
                self.write(new)
            else:
                self.move(*((round(new, 9), y) if name == "x" else (x, round(new, 9))))
        except (ValueError, TypeError, RuntimeError) as error:
            told.value = f"Not used: {str(error).partition(chr(10))[0]}"

    # ----------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        own = {"f": self.expression, "point": list(self.found.point)}
        return own[name] if name in own else super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name == "point":
            self.move(*value)
        elif name != "f":
            super()._set(name, value)
        elif value != self.expression:
            if not (value and self.expression):
                raise ValueError("this state does not fit: one of the two has no expression")
            self.write(value)


def _step(angle: float) -> int:
    """The step of the nearest direction; a whole turn more or less is the same."""
    turned = (angle + 180) % 360 - 180
    return round((turned - ANGLES[0]) / (ANGLES[1] - ANGLES[0]))


def _apart(a: float, b: float) -> float:
    """Degrees between two lines, which have no sense of forward and back.

    >>> _apart(-178, 1)
    1
    """
    far = abs(a - b) % 180
    return min(far, 180 - far)
