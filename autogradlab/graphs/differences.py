"""The Jacobian of a function in two ways, by backward passes and by nudging its inputs, and what
`gradcheck` of the function's engine says about the two."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .protocol import array_of, dtype_of, engine_of


@dataclass(frozen=True)
class Nudged:
    """The numerical Jacobian at one h: what it was made of, and gradcheck's objection, if any. A
    row for each element of the outputs, a column for each element of the inputs."""

    h: float
    below: np.ndarray  # the outputs after a nudge of −h
    above: np.ndarray
    objection: str  # empty where gradcheck passes

    @property
    def jacobian(self) -> np.ndarray:
        with np.errstate(all="ignore"):
            return (self.above - self.below) / (2 * self.h)


class Differences:
    """A function at one point, ready to be checked.

    Args:
        function: takes the inputs, gives a tensor or several.
        inputs: a tensor or a tuple; those that require a gradient are checked. They are copied.
        atol, rtol: two derivatives may differ by atol + rtol · |numerical one|.

    Raises:
        ValueError: no input requires a gradient; TypeError: there is no tensor, or the function
        gives something else; what the function raises.

    Attributes:
        analytic: the Jacobian by backward; None where backward raised, and `trouble` says what.

    >>> from autogradlab import float64, tensor
    >>> x = tensor([1.0, 2.0], dtype=float64, requires_grad=True)
    >>> check = Differences(lambda x: x**2, x)
    >>> check.analytic.tolist(), check.nudged(1e-6).objection
    ([[2.0, 0.0], [0.0, 4.0]], '')
    """

    def __init__(
        self, function: Callable[..., Any], inputs: Any, atol: float = 1e-5, rtol: float = 1e-3
    ) -> None:
        given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
        tensors = [x for x in given if hasattr(x, "requires_grad")]
        self.engine = engine_of(tensors[0] if tensors else given[0] if given else None)
        self.function, self.given, self.atol, self.rtol = function, given, atol, rtol
        self.at = [i for i, x in enumerate(given) if getattr(x, "requires_grad", False)]
        if not self.at:
            raise ValueError("no input has requires_grad=True: there is nothing to check")
        self.inputs = [given[i].detach() for i in self.at]
        self.dtypes = sorted({dtype_of(x) for x in self.inputs})
        with undisturbed(self.engine, function):
            copies = self._copies()
            values = as_tuple(function(*copies))
            for value in values:
                engine_of(value)
            # Where no output has a gradient, gradcheck wants all of them to stand still.
            tracked = [k for k, y in enumerate(values) if y.requires_grad]
            self.constant = not tracked
            self.outputs = tracked or [k for k, y in enumerate(values) if y.is_floating_point()]
            self.values = [values[k].detach() for k in self.outputs]
            self.analytic, self.trouble = self._analytic([values[k] for k in tracked], copies)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the Jacobian."""
        return sum(y.numel() for y in self.values), sum(x.numel() for x in self.inputs)

    def allowed(self, numeric: np.ndarray) -> np.ndarray:
        """How far the analytic Jacobian may be from this one."""
        if self.constant:
            return np.zeros_like(numeric)
        return self.atol + self.rtol * np.abs(numeric)

    def nudged(self, h: float) -> Nudged:
        """Nudge every element of every input by h, both ways, and ask gradcheck with eps = h."""
        with undisturbed(self.engine, self.function):
            below, above = (self._sides(step) for step in (-h, h))
            return Nudged(h, below, above, self._objection(h))

    # --------------------------------------------------------------------------- computing

    def _copies(self) -> list[Any]:
        copies = list(self.given)
        for i, x in zip(self.at, self.inputs, strict=True):
            copies[i] = x.clone().requires_grad_()
        return copies

    def _analytic(self, outputs: list[Any], copies: list[Any]) -> tuple[np.ndarray | None, str]:
        """One backward pass for each element of the outputs; None and why if one of them raised."""
        if self.constant:
            return np.zeros(self.size), ""
        wanted, rows = [copies[i] for i in self.at], []
        try:
            for y in outputs:
                for place in np.ndindex(tuple(y.shape)):
                    seed = self.engine.zeros_like(y)
                    seed[place] = 1
                    grads = self.engine.autograd.grad(
                        y, wanted, seed, retain_graph=True, allow_unused=True
                    )
                    pairs = zip(grads, self.inputs, strict=True)
                    rows.append(np.concatenate([flat(x if g is None else g, g) for g, x in pairs]))
        except Exception as error:
            return None, told(error)
        return np.array(rows).reshape(self.size), ""

    def _sides(self, step: float) -> np.ndarray:
        """The outputs, one column for each element of the inputs that is nudged."""
        columns = []
        for i, x in zip(self.at, self.inputs, strict=True):
            for place in np.ndindex(tuple(x.shape)):
                copies, nudged = self._copies(), x.clone()
                nudged[place] += step
                copies[i] = nudged.requires_grad_()
                values = as_tuple(self.function(*copies))
                columns.append(np.concatenate([flat(values[k]) for k in self.outputs]))
        if len({len(column) for column in columns}) > 1 or len(columns[0]) != self.size[0]:
            raise ValueError("a nudge changes how many outputs the function has")
        return np.array(columns).T

    def _objection(self, h: float) -> str:
        check = self.engine.autograd.gradcheck
        try:
            check(self.function, tuple(self._copies()), eps=h, atol=self.atol, rtol=self.rtol)
        except Exception as error:
            return told(error)
        return ""


@contextmanager
def undisturbed(engine: Any, function: Any) -> Iterator[None]:
    """Put back the random state, and the buffers of a module, when the function has run; keep
    gradcheck's warnings to ourselves."""
    state, module = engine.get_rng_state(), getattr(function, "__self__", function)
    modules = module.modules() if hasattr(module, "named_modules") else ()
    own = [(m._buffers, dict(m._buffers)) for m in modules]
    for buffers, before in own:
        buffers.update({k: None if x is None else x.clone() for k, x in before.items()})
    try:
        with warnings.catch_warnings(), engine.enable_grad(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        for buffers, before in own:
            buffers.update(before)
        engine.set_rng_state(state)


def as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def flat(x: Any, present: Any = True) -> np.ndarray:
    """The elements of a tensor in its own type; zeros in its place if it is not present."""
    array = array_of(x).reshape(-1)
    return np.zeros_like(array) if present is None else array


def told(error: BaseException) -> str:
    """An exception in one line."""
    first = str(error).strip().partition("\n")[0][:160]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
