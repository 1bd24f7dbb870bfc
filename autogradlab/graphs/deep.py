"""Deep networks of equal layers, and what one layer does to activations and to the gradient.

A layer computes h ← φ(norm(W·h)), with a skip h ← h + φ(norm(W·h)). The entries of W are normal
with standard deviation gain / √width, so that W alone, with gain 1, keeps sizes. All is in float64,
where both engines agree to 12 digits, and the same seed gives both the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .flow import FlowStep, flow_of, layers_of
from .protocol import array_of

ACTIVATIONS = ("sigmoid", "tanh", "relu")
NORMS = (None, "batch", "layer")
DEEPEST, LARGEST = 60, 10.0  # layers, and gain


@dataclass(frozen=True)
class Choice:
    """How a deep network is made.

    >>> Choice(depth=20, gain=0)
    Traceback (most recent call last):
        ...
    ValueError: gain is a number above 0 and at most 10, not 0
    """

    depth: int = 30
    activation: str = "sigmoid"
    gain: float = 1.0
    norm: str | None = None
    skip: bool = False

    def __post_init__(self) -> None:
        for name, holds in CHECKS.items():
            value = getattr(self, name)
            if not holds(value):
                raise ValueError(f"{name} is {ALLOWED[name]}, not {value!r}")


def _is(x: Any, *kinds: type) -> bool:
    return isinstance(x, kinds) and not isinstance(x, bool)


CHECKS = {
    "depth": lambda x: _is(x, int) and 1 <= x <= DEEPEST,
    "activation": lambda x: x in ACTIVATIONS if isinstance(x, str) else False,
    "gain": lambda x: _is(x, int, float) and 0 < x <= LARGEST,
    "norm": lambda x: x in NORMS if x is None or isinstance(x, str) else False,
    "skip": lambda x: isinstance(x, bool),
}
ALLOWED = {
    "depth": f"a whole number from 1 to {DEEPEST}",
    "activation": "sigmoid, tanh or relu",
    "gain": f"a number above 0 and at most {LARGEST:g}",
    "norm": "None, batch or layer",
    "skip": "True or False",
}


@dataclass(frozen=True)
class DeepFlow:
    """One backward pass through a deep network."""

    step: FlowStep
    down: tuple[float, ...]  # root mean square of what goes into each layer, and comes out at last
    up: tuple[float, ...]  # norm of the gradient that comes in at each layer's output
    slope: float  # root mean square of φ′
    spread: float  # what a norm divides by; 1 without

    @property
    def forward(self) -> float:
        """By what a layer multiplies activations on their way down, on average."""
        return _factor(self.down[1:])

    @property
    def back(self) -> float:
        """By what a layer multiplies the gradient on its way up, on average."""
        return _factor(self.up[::-1])


def _factor(sizes: tuple[float, ...]) -> float:
    """The same factor from each to the next would lead from the first to the last."""
    if len(sizes) < 2 or not (sizes[0] > 0 and sizes[-1] > 0):
        return math.nan
    return math.exp((math.log(sizes[-1]) - math.log(sizes[0])) / (len(sizes) - 1))


def deep_network(engine: Any, choice: Choice, width: int, seed: int) -> Any:
    """A module of `engine` whose layers are called "1", "2", … It draws nothing from the engine's
    random numbers."""
    nn, random = engine.nn, np.random.default_rng(seed)
    phi, norm, skip = getattr(engine, choice.activation), choice.norm, choice.skip

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            weight = random.normal(size=(width, width)) * choice.gain / math.sqrt(width)
            self.weight = nn.Parameter(engine.tensor(weight, dtype=engine.float64))

        def forward(self, h: Any) -> Any:
            z = h @ self.weight.T
            if norm == "batch":
                z = nn.functional.batch_norm(z, None, None, training=True)
            elif norm == "layer":
                z = nn.functional.layer_norm(z, (width,))
            return h + phi(z) if skip else phi(z)

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for i in range(choice.depth):
                self.add_module(str(i + 1), Layer())

        def forward(self, h: Any) -> Any:
            for layer in self.children():
                h = layer(h)
            return h

    return Deep()


def points(engine: Any, width: int, batch: int, seed: int) -> tuple[Any, Any]:
    """What goes in, normal numbers; and the gradient that comes in at the last output, of norm 1
    whatever the network is."""
    random = np.random.default_rng((seed, 1))
    x, v = random.normal(size=(2, batch, width))
    return tuple(engine.tensor(a, dtype=engine.float64) for a in (x, v / np.linalg.norm(v)))


def deep_flow(model: Any, x: Any, v: Any, choice: Choice) -> DeepFlow:
    """One pass through the network, which leaves no trace on it."""
    states, up = [array_of(x)], {}

    def loss() -> Any:
        h = x
        for i, layer in enumerate(model.children()):
            h = layer(h)
            states.append(array_of(h))
            h.register_hook(lambda g, i=i: up.update({i: float(np.linalg.norm(array_of(g)))}))
        return (h * v).sum()

    step = flow_of(model, loss, None, layers_of(model))
    slopes, spreads = [], []
    for before, after, layer in zip(states, states[1:], model.children(), strict=False):
        y = after - before if choice.skip else after
        slope = {"sigmoid": lambda y: y * (1 - y), "tanh": lambda y: 1 - y**2,
                 "relu": lambda y: y > 0}[choice.activation](y)  # fmt: skip
        slopes.append(np.mean(np.square(slope, dtype=float)))
        if choice.norm:
            z = before @ array_of(layer.weight).T
            spreads.append(np.mean(1 / (z.var(axis=0 if choice.norm == "batch" else 1) + 1e-5)))
    return DeepFlow(
        step,
        down=tuple(float(np.sqrt(np.mean(h**2))) for h in states),
        up=tuple(up[i] for i in range(choice.depth)),
        slope=math.sqrt(np.mean(slopes)),
        spread=1 / math.sqrt(np.mean(spreads)) if spreads else 1.0,
    )
