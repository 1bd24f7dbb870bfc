"""Optimizers on one function of two variables, from one start: where each goes, step by step.

The function is a callable of two tensors, or an expression in x and y as one types it; an optimizer
is whatever has `step(closure)`, of either engine or of the user's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import numpy as np

from .numbers import number
from .protocol import array_of, dtype_of, engine_of
from .typed import Typed, parsed

Function = Callable[[Any, Any], Any]
Make = Callable[[list[Any]], Any]
Point = tuple[float, float]
Box = tuple[Point, Point]  # the least and largest x; of y

FAR = 10.0  # times the size of the picture: no step is made from further away
GRID = 61, 49  # points along x and y


@dataclass(frozen=True)
class Landscape:
    """A function one can choose by name, and where to start on it."""

    expression: str
    start: Point


LANDSCAPES = {
    "bowl": Landscape("(x**2 + 20*y**2) / 2", (-2.5, 1.5)),
    "valley": Landscape("(1 - x)**2 + 5*(y - x**2)**2", (-1.5, -1.0)),
    "saddle": Landscape("x**2/2 - y**2/2 + y**4/8", (-2.5, 0.01)),
}


@dataclass(frozen=True)
class Track:
    """Where one optimizer went: a point and f there for each step it made, the start first.

    Attributes:
        options: its learning rate and momentum, in words.
        steps: how many steps were asked for. It made fewer if it went too far away to be followed.
    """

    name: str
    options: str
    points: tuple[Point, ...]
    values: tuple[float, ...]
    steps: int

    @property
    def ended(self) -> int | None:
        """The step at which it was too far away to be followed."""
        made = len(self.points) - 1
        return made if made < self.steps or not _near(self.points[-1], self.values[-1]) else None

    @property
    def diverged(self) -> bool:
        """Whether it left and f grew: on a slope without end it may leave going down."""
        return self.ended is not None and not self.values[-1] < self.values[0]


def _near(point: Point, value: float) -> bool:
    return all(map(math.isfinite, (*point, value)))


def function_of(f: Function | str, engine: Any) -> Function:
    """f itself, or the function that an expression in x and y names.

    Raises:
        ValueError: the expression is not understood.
    """
    if callable(f):
        return f
    parsed(f)
    return lambda x, y: Typed(f, {"x": x, "y": y}, engine).result


def start_at(start: Any) -> Any:
    """A tensor with two numbers, without its graph.

    Raises:
        TypeError: it is no tensor of floats; ValueError: it has not two elements.
    """
    engine_of(start)
    if dtype_of(start) not in ("float32", "float64"):
        raise TypeError(f"start is float32 or float64, not {dtype_of(start)}")
    if start.numel() != 2:
        raise ValueError(f"start has two numbers, x and y; this tensor has {start.numel()}")
    return start.detach().reshape(2).clone()


def defaults(engine: Any) -> dict[str, Make]:
    """Four optimizers of an engine, with learning rates that suit the three landscapes."""
    optim = engine.optim
    return {
        "SGD": lambda p: optim.SGD(p, lr=0.03),
        "momentum": lambda p: optim.SGD(p, lr=0.03, momentum=0.8),
        "RMSprop": lambda p: optim.RMSprop(p, lr=0.1, alpha=0.9),
        "Adam": lambda p: optim.Adam(p, lr=0.3),
    }


def one(y: Any, of: str = "f") -> Any:
    """A tensor with one number, as it came from f."""
    if not hasattr(y, "numel"):
        raise TypeError(f"{of} returns a tensor with one number, not {type(y).__name__}")
    if y.numel() != 1:
        raise ValueError(f"{of} returns one number; this one returned {y.numel()}")
    return y.reshape(())


def run(
    f: Function, start: Any, name: str, make: Make, steps: int, box: Box, faster: float = 1.0
) -> Track:
    """Let one optimizer make its steps, all learning rates times `faster`. No `.grad` is changed.

    >>> import autogradlab
    >>> half = lambda p: autogradlab.optim.SGD(p, lr=0.5)
    >>> start = autogradlab.tensor([1.0, 2.0])
    >>> run(lambda x, y: x**2 / 2 + y**2 / 2, start, "SGD", half, 2, ((-3, 3), (-3, 3))).points
    ((1.0, 2.0), (0.5, 1.0), (0.25, 0.5))
    """
    engine = engine_of(start)
    point = start.detach().clone().requires_grad_()
    optimizer = make([point])
    if not callable(getattr(optimizer, "step", None)):
        raise TypeError(f"{name!r} is to make an optimizer of a list of parameters")
    groups = getattr(optimizer, "param_groups", ())
    for group in groups:
        group["lr"] = group["lr"] * faster

    def measure() -> Any:
        with engine.enable_grad():
            return one(f(point[0], point[1]))

    def closure() -> Any:
        y = measure()
        point.grad = _gradient(engine, y, point)
        return y

    closure_parameter = signature(optimizer.step).parameters.get("closure")
    needs_closure = closure_parameter is not None and closure_parameter.default is Parameter.empty
    y = measure()
    points, values = [_here(point)], [y.item()]
    for _ in range(steps):
        if needs_closure:
            optimizer.step(closure)
        else:
            point.grad = _gradient(engine, y, point)
            optimizer.step()
        y = measure()
        points.append(_here(point))
        values.append(y.item())
        if not _near(points[-1], values[-1]) or _far(points[-1], box):
            break
    return Track(name, _options(groups), tuple(points), tuple(values), steps)


def _gradient(engine: Any, y: Any, point: Any) -> Any:
    """The gradient at the point, zero where f does not use it; nothing else gets one."""
    if not y.requires_grad:
        return engine.zeros_like(point)
    (g,) = engine.autograd.grad(y, [point], allow_unused=True)
    return engine.zeros_like(point) if g is None else g


def _here(point: Any) -> Point:
    x, y = point.detach().tolist()
    return x, y


def _height(f: Function, point: Any) -> float:
    with engine_of(point).no_grad():
        return float(one(f(point[0], point[1])).item())


def _far(point: Point, box: Box) -> bool:
    """Whether a point is further away than the picture is large, many times over."""
    return any(
        abs(each - (low + high) / 2) > FAR * (high - low)
        for each, (low, high) in zip(point, box, strict=True)
    )


def _options(groups: Iterable[dict[str, Any]]) -> str:
    """Learning rate and momentum of the first group, in words."""
    group = next(iter(groups), {})
    words = [f"lr {number(group['lr'])}"] if "lr" in group else []
    return " · ".join(words + [f"momentum {number(m)}" for m in [group.get("momentum")] if m])


def on_grid(f: Function, start: Any, box: Box) -> np.ndarray:
    """f on a grid of points, a row for each y.

    All points at once where f allows that; one by one where it does not, as a function with a
    matrix product or an `if` may not.
    """
    engine = engine_of(start)
    (left, right), (bottom, top) = box
    xs, ys = np.linspace(left, right, GRID[0]), np.linspace(bottom, top, GRID[1])
    grid = np.meshgrid(xs, ys)

    def each(i: int, j: int) -> float:
        return _height(f, start.new_tensor([xs[j], ys[i]]))

    try:
        with engine.no_grad():
            z = array_of(f(*(start.new_tensor(a.tolist()) for a in grid))).astype(float)
        probes = [(0, 1), (GRID[1] // 3, GRID[0] // 2), (GRID[1] - 1, GRID[0] - 2)]
        if z.shape == grid[0].shape and all(
            math.isclose(z[p], each(*p), rel_tol=1e-5, abs_tol=1e-9)
            or not math.isfinite(z[p]) for p in probes
        ):  # fmt: skip
            return z
    except Exception:  # whatever a function says that cannot take a grid
        pass
    return np.array([[each(i, j) for j in range(GRID[0])] for i in range(GRID[1])])
