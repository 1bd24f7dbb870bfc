"""A small network that learns to tell two classes of points apart, and all that it answers on the
way: what the playground shows. The same of both engines, in float64."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .plane import grid
from .protocol import array_of

ACTIVATIONS = {"tanh": "Tanh", "relu": "ReLU", "sigmoid": "Sigmoid"}
WIDEST, DEEPEST = 8, 3  # neurons of a layer, hidden layers
CELLS = 20  # of the plane, along each side


@dataclass(frozen=True)
class Moment:
    """The network after some steps."""

    step: int
    loss: float
    scores: np.ndarray  # (points,), above 0 for class 1
    answers: tuple[np.ndarray, ...]  # of each layer at the corners of the plane: (n, n, neurons)
    weights: tuple[tuple[np.ndarray, np.ndarray], ...]  # of each layer, and its biases


def new_model(engine: Any, hidden: Sequence[int], activation: str, seed: int) -> Any:
    """A `Sequential` of linear layers from 2 numbers to 1; the random state stays as it is."""
    before = engine.get_rng_state()
    engine.manual_seed(seed)
    try:
        layers: list[Any] = []
        for i, o in zip([2, *hidden], [*hidden, 1], strict=True):
            layers += [
                engine.nn.Linear(i, o, dtype=engine.float64),
                getattr(engine.nn, ACTIVATIONS[activation])(),
            ]
        return engine.nn.Sequential(*layers[:-1])
    finally:
        engine.set_rng_state(before)


def shape_of(model: Any) -> tuple[tuple[int, ...], str]:
    """The widths of a model's hidden layers, and its activation.

    Raises:
        ValueError: the model is not of the kind that `Classifier` trains.
    """
    kinds = [type(part).__name__ for part in model.children()]
    known = {kind: name for name, kind in ACTIVATIONS.items()}
    linear = [part for part in model.children() if type(part).__name__ == "Linear"]
    names = {known.get(kind, "") for kind in kinds[1::2]}
    widths = [part.out_features for part in linear]
    fits = (
        isinstance(model, _sequential(model))
        and set(kinds[::2]) == {"Linear"}
        and len(names) == 1
        and "" not in names
        and len(kinds) % 2
        and linear[0].in_features == 2
        and widths[-1] == 1
        and len(widths) <= DEEPEST + 1
        and max(widths) <= WIDEST
    )
    if not fits:
        raise ValueError(
            "the model is a Sequential of Linear layers from 2 numbers to 1, with tanh, relu or "
            f"sigmoid between them: 1 to {DEEPEST} hidden layers of at most {WIDEST} neurons"
        )
    return tuple(widths[:-1]), names.pop()


def _sequential(model: Any) -> Any:
    """The class Sequential of the model's engine."""
    kinds = [kind for kind in type(model).__mro__ if kind.__name__ == "Sequential"]
    return kinds[0] if kinds else ()


class Classifier:
    """Trains a copy of a model, by Adam on all points at once.

    Args:
        engine: the module of the model's engine.
        x, y: points (n, 2), and their classes (n,), 1 or 0.

    >>> import autogradlab
    >>> from .plane import points
    >>> tanh = new_model(autogradlab, [4], "tanh", seed=0)
    >>> learner = Classifier(autogradlab, tanh, *points("circle"), lr=0.03)
    >>> before = learner.moment()
    >>> learner.train(100)
    >>> learner.moment().loss < before.loss, len(learner.losses)
    (True, 101)
    """

    def __init__(self, engine: Any, model: Any, x: np.ndarray, y: np.ndarray, lr: float) -> None:
        self.engine, self.model = engine, copy.deepcopy(model).double()
        for parameter in self.model.parameters():
            parameter.grad = None
        self.x = engine.from_numpy(np.array(x))
        self.y = engine.from_numpy(y[:, None].astype("float64"))
        self.optimizer = engine.optim.Adam(self.model.parameters(), lr=lr)
        self.losses = [self.loss().item()]  # before every step, and now

    def loss(self, model: Any = None) -> Any:
        """How far the answers are from the classes, a tensor with its graph."""
        with self.engine.enable_grad():
            scores = (self.model if model is None else model)(self.x)
            return self.engine.nn.functional.binary_cross_entropy_with_logits(scores, self.y)

    def train(self, steps: int) -> None:
        """Take some steps."""
        for _ in range(steps):
            loss = self.loss()
            self.losses[-1] = loss.item()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(float("nan"))  # known after the next forward pass
        self.losses[-1] = self.loss().item()

    def moment(self) -> Moment:
        """What the network answers now."""
        with self.engine.no_grad():
            out, answers = self.engine.from_numpy(grid(CELLS)), []
            *parts, last = self.model.children()
            for i, part in enumerate(parts):
                out = part(out)
                if i % 2:
                    answers.append(array_of(out))
            answers.append(array_of(last(out)))
            scores = array_of(self.model(self.x))[:, 0]
        square = (CELLS + 1, CELLS + 1, -1)
        linear = [part for part in self.model.children() if hasattr(part, "weight")]
        return Moment(
            len(self.losses) - 1,
            self.losses[-1],
            scores.copy(),
            tuple(each.reshape(square).copy() for each in answers),
            tuple((array_of(p.weight).copy(), array_of(p.bias).copy()) for p in linear),
        )

    def at(self, moment: Moment) -> tuple[Any, Any]:
        """A copy of the network as it was at a moment, and its loss."""
        made = copy.deepcopy(self.model)
        linear = [part for part in made.children() if hasattr(part, "weight")]
        with self.engine.no_grad():
            for part, (weight, bias) in zip(linear, moment.weights, strict=True):
                part.weight.copy_(self.engine.from_numpy(weight.copy()))
                part.bias.copy_(self.engine.from_numpy(bias.copy()))
        for parameter in made.parameters():
            parameter.grad = None
        return made, self.loss(made)
