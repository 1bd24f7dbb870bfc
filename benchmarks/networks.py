"""Training steps of whole networks: forward, loss, zero_grad, backward, SGD with momentum.

Every engine starts from the same weights. What is compared is the loss, the gradients, and how far
the step has moved the weights.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import autogradlab
from autogradlab import models
from autogradlab.models import to_torch

from . import by_hand
from .tasks import Run, Task

LR, MOMENTUM = 1e-2, 0.9
HAND = "NumPy by hand"


@dataclass(frozen=True)
class Network:
    """A network, a batch for it, and what is asked of it.

    `model` makes it on our engine, `hand` from its weights without one; `x` and `y` make inputs and
    targets (numbers for the mean squared error, classes for cross-entropy).
    """

    model: Callable[[], Any]
    hand: Callable[[by_hand.Weights], by_hand.Layer]
    x: Callable[[np.random.Generator], np.ndarray]
    y: Callable[[np.random.Generator], np.ndarray]

    def make(self) -> Any:
        autogradlab.manual_seed(0)
        return self.model()

    def weights(self) -> by_hand.Weights:
        return {name: x.numpy().copy() for name, x in self.make().state_dict().items()}

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        x, y = self.x(rng), self.y(rng)
        return tuple(a.astype(np.float32) if a.dtype.kind == "f" else a for a in (x, y))


def left(loss: Any, before: by_hand.Weights, after: Any, gradients: Any) -> dict[str, Any]:
    """What a step leaves, for comparison: loss, gradients, and changes of the weights."""
    changes = {f"Δ{name}": after[name] - before[name] for name in gradients}
    return {"loss": np.asarray(loss), **gradients, **changes}


def training(engine: str, network: Network) -> Callable[[], Run]:
    """A step by torch or by us."""

    def set_up() -> Run:
        e = importlib.import_module(engine)
        F = importlib.import_module(f"{engine}.nn.functional")
        model = network.make()
        model = model if engine == "autogradlab" else to_torch(model)
        x, y = map(e.tensor, network.batch())
        optimizer = e.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
        before = network.weights()

        def step() -> Any:
            out = model(x)
            loss = F.mse_loss(out, y) if y.is_floating_point() else (
                F.cross_entropy(out.flatten(0, -2), y.flatten())
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return lambda: result(loss)

        def result(loss: Any) -> dict[str, Any]:
            named = {name: (p.detach().numpy(), p.grad.numpy()) for name, p in
                     model.named_parameters()}  # fmt: skip
            after, gradients = ({n: pair[i] for n, pair in named.items()} for i in (0, 1))
            return left(loss.item(), before, after, gradients)

        return step

    return set_up


def hand_training(network: Network) -> Callable[[], Run]:
    """The same step with no engine."""

    def set_up() -> Run:
        before, weights, (x, y) = network.weights(), network.weights(), network.batch()
        model = network.hand(weights)
        measure = by_hand.mse if y.dtype.kind == "f" else by_hand.cross_entropy
        optimizer = by_hand.SGD(model, LR, MOMENTUM)

        def step() -> Any:
            loss, g = measure(model.forward(x), y)
            model.backward(g)
            optimizer.step()
            return lambda: left(loss, before, weights, model.named_gradients())

        return step

    return set_up


# ------------------------------------------------------------------------------ the other engines


def layers_of(weights: by_hand.Weights) -> list[np.ndarray]:
    """Weights and biases of an MLP in turn."""
    return list(weights.values())


def mlp_result(network: Network, loss: Any, after: list[Any], gradients: list[Any]) -> Any:
    before = network.weights()
    return left(loss, before, *(dict(zip(before, x, strict=True)) for x in (after, gradients)))


def hips_training(network: Network, activation: str) -> Callable[[], Run]:
    """An MLP by HIPS autograd, which has gradients but no layers."""

    def set_up() -> Run:
        import autograd.numpy as anp
        from autograd import value_and_grad

        activate = {"tanh": anp.tanh, "relu": lambda x: anp.maximum(x, 0)}[activation]
        weights, (x, y) = layers_of(network.weights()), network.batch()
        buffers: list[Any] = []

        def loss(weights: Any) -> Any:
            out = x
            for i in range(0, len(weights), 2):
                out = anp.dot(out, weights[i].T) + weights[i + 1]
                out = activate(out) if i < len(weights) - 2 else out
            if y.dtype.kind == "f":
                return anp.mean((out - y) ** 2)
            out = out - anp.max(out, 1, keepdims=True)
            out = out - anp.log(anp.sum(anp.exp(out), 1, keepdims=True))
            return -anp.mean(out[np.arange(len(y)), y])

        both = value_and_grad(loss)

        def step() -> Any:
            value, gradients = both(weights)
            momentum_step(weights, gradients, buffers)
            return lambda: mlp_result(network, value, weights, gradients)

        return step

    return set_up


def mygrad_training(network: Network, activation: str) -> Callable[[], Run]:
    """An MLP by MyGrad."""

    def set_up() -> Run:
        import mygrad as mg
        from mygrad.nnet import relu, softmax_crossentropy

        activate = {"tanh": mg.tanh, "relu": relu}[activation]
        weights, (x, y) = [mg.tensor(w) for w in layers_of(network.weights())], network.batch()
        buffers: list[Any] = []

        def step() -> Any:
            out = x
            for i in range(0, len(weights), 2):
                out = mg.matmul(out, weights[i].T) + weights[i + 1]
                out = activate(out) if i < len(weights) - 2 else out
            loss = mg.mean((out - y) ** 2) if y.dtype.kind == "f" else softmax_crossentropy(out, y)
            loss.backward()
            gradients = [w.grad for w in weights]
            momentum_step([w.data for w in weights], gradients, buffers)
            return lambda: mlp_result(network, loss.item(), [w.data for w in weights], gradients)

        return step

    return set_up


def momentum_step(weights: list[Any], gradients: list[Any], buffers: list[Any]) -> None:
    """SGD as a user of an engine without optimizers writes it."""
    if not buffers:
        buffers.extend(g.copy() for g in gradients)
    else:
        for b, g in zip(buffers, gradients, strict=True):
            b *= MOMENTUM
            b += g
    for w, b in zip(weights, buffers, strict=True):
        w -= LR * b


# --------------------------------------------------------------------------------------- the tasks


def networks(scale: float = 1.0) -> list[Task]:
    """Training steps; a `scale` below 1 makes the networks small enough for a test."""

    def size(n: int, least: int = 2) -> int:
        return max(least, int(n * scale))

    def task(
        name: str, aim: float, network: Network, tolerance: float, activation: str = "",
        compared: int = 2,
    ) -> Task:  # fmt: skip
        engines = {e: training(e, network) for e in ("torch", "autogradlab")}
        engines[HAND] = hand_training(network)
        if activation:
            engines["HIPS autograd"] = hips_training(network, activation)
            engines["MyGrad"] = mygrad_training(network, activation)
        return Task(name, aim, engines, tolerance=tolerance, compared=compared)

    def mlp(aim: float, activation: str, classes: bool, batch: int, *sizes: int) -> Task:
        kinds = {"tanh": (autogradlab.nn.Tanh, by_hand.Tanh),
                 "relu": (autogradlab.nn.ReLU, by_hand.ReLU)}  # fmt: skip
        ours, by_us = kinds[activation]
        network = Network(
            lambda: models.MLP(sizes, ours),
            lambda weights: by_hand.mlp(weights, by_us),
            lambda rng: rng.standard_normal((batch, sizes[0])),
            lambda rng: (
                rng.integers(0, sizes[-1], batch)
                if classes
                else rng.standard_normal((batch, sizes[-1]))
            ),
        )
        name = f"MLP {'-'.join(map(str, sizes))}, batch {batch}"
        return task(name, aim, network, 1e-4, activation)

    def resnet(aim: float, batch: int) -> Task:
        side, classes = size(64, 40), size(1000)
        network = Network(
            lambda: models.resnet18(num_classes=classes),
            by_hand.resnet,
            lambda rng: rng.standard_normal((batch, 3, side, side)),
            lambda rng: rng.integers(0, classes, batch),
        )
        # Where rounding decides a relu otherwise, gradients jump, by some percent in small images;
        # another step would multiply that.
        name = f"ResNet-18, {batch}×3×{side}×{side}"
        return task(name, aim, network, 0.1, compared=1)

    batch, side = size(32), size(28, 8)
    conv_net = Network(
        lambda: models.ConvNet(side),
        by_hand.conv_net,
        lambda rng: rng.standard_normal((batch, 1, side, side)),
        lambda rng: rng.integers(0, 10, batch),
    )
    heads, length, width = 4, size(64, 3), size(128, 8)
    tokens, text = size(65, 5), size(8)
    gpt = Network(
        lambda: models.GPT(tokens, length, width, heads, layers=2),
        lambda weights: by_hand.gpt(weights, heads),
        lambda rng: rng.integers(0, tokens, (text, length)),
        lambda rng: rng.integers(0, tokens, (text, length)),
    )
    return [
        mlp(0.4, "tanh", False, size(64), 2, size(64), size(64), 1),
        mlp(1.0, "relu", True, size(128), size(784), size(512, 3), size(256, 3), size(10)),
        task(f"ConvNet, {batch}×1×{side}×{side}", 1.0, conv_net, 1e-3),
        resnet(0.8, 1),
        resnet(1.1, size(8)),
        task(f"GPT, {text}×{length}, width {width}, {heads} heads, 2 layers", 1.05, gpt, 1e-3),
    ]
