"""How gradients and activations flow through the layers of a model, one training step at a time, as
plain data; and the hooks that see it. Works on modules of either engine.

A layer is a module that has parameters of its own. Norms and counts are exact; how the elements are
spread is told by at most 4,096 evenly strided elements of each tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .modules import engine_of_module
from .protocol import array_of, is_leaf, summarize
from .recording import in_words, tensors_in
from .words import short_name

SAMPLE = 4096  # elements of a tensor that tell how it is spread
PARTS = 128  # pieces of equal share that a spread is told in
CHAIN = 4  # element by element operations after a layer that count as its activation
POINTWISE = {
    *("relu", "sigmoid", "tanh", "gelu", "silu", "elu", "selu", "celu", "leakyrelu", "mish"),
    *("softplus", "softsign", "hardtanh", "hardsigmoid", "hardswish", "logsigmoid", "threshold"),
    *("clamp", "clampmin", "relu6"),
}


@dataclass(frozen=True)
class Spread:
    """How the elements of one or several tensors are spread.

    Of activations the values count, of gradients the sizes |x| of those that are not 0.
    """

    size: int  # elements
    zeros: int
    nonfinite: int
    norm: float  # over the finite elements
    quantiles: tuple[float, ...]  # PARTS + 1 of them, evenly apart; () if no element counts
    sampled: bool  # whether the quantiles are those of a sample
    nans: int = 0  # among those that are not finite

    @property
    def median(self) -> float:
        """The quantile in the middle; 0.0 if no element counts."""
        return self.quantiles[PARTS // 2] if self.quantiles else 0.0

    def share_below(self, x: float) -> float:
        """What share of the elements that count is smaller than `x`, from 0 to 1.

        >>> spread([np.arange(1.0, 101.0)], sizes=True).share_below(51.0)
        0.505
        """
        if not self.quantiles:
            return 0.0
        share = np.interp(x, self.quantiles, np.linspace(0, 1, PARTS + 1), left=0, right=1)
        return round(float(share), 4)


@dataclass(frozen=True)
class LayerFlow:
    """One layer in one training step."""

    name: str  # "layer1.0.conv1"; "" for the model itself
    kind: str  # "Conv2d"
    gradient: Spread | None = None  # of its weights, or None when none came
    activation: Spread | None = None  # of its last call; None if it was not seen
    after: str = ""  # "relu": what follows the layer element by element and counts with it
    dead: int = 0  # units that were exactly 0 for (nearly) all of the batch
    units: int = 0  # 0 when it is not known how many there are
    calls: int = 0

    @property
    def title(self) -> str:
        """What the layer is called in a picture."""
        return self.name or self.kind


@dataclass(frozen=True)
class FlowStep:
    """One training step: every layer, in the order of their first call."""

    layers: tuple[LayerFlow, ...]
    error: str = ""  # "ZeroDivisionError: stop" if it ended so

    def layer(self, name: str) -> LayerFlow:
        """One layer by its name.

        Raises:
            ValueError: there is none of this name.
        """
        for each in self.layers:
            if name in (each.name, each.title):
                return each
        raise ValueError(f"no layer is called {name!r}")


def spread(arrays: Iterable[np.ndarray], sizes: bool) -> Spread:
    """How the elements of arrays are spread, taken together.

    Args:
        sizes: whether |x| of what is not 0 counts, not x itself.

    >>> spread([np.array([4.0, 0.0, -3.0])], sizes=True).median
    3.5
    """
    return together([piece(a, sizes) for a in arrays])


@dataclass(frozen=True)
class Piece:
    """One tensor, before it is put together with others."""

    size: int
    zeros: int
    nonfinite: int
    norm: float
    sample: np.ndarray  # float64, finite
    weight: float  # elements that one element of the sample stands for
    nans: int


def piece(a: np.ndarray, sizes: bool) -> Piece:
    """One tensor in numbers; with `sizes` its sample holds |x| of what is not 0."""
    flat = (np.abs(a) if a.dtype.kind == "c" else a).ravel(order="K")
    about = summarize(flat)
    some = flat[flat != 0] if sizes and about.zeros else flat
    step = max(1, -(-some.size // SAMPLE))
    sample = some[::step].astype(np.float64)
    sample = sample[np.isfinite(sample)] if about.nonfinite else sample
    nans = int(np.isnan(flat).sum()) if about.nonfinite else 0
    return Piece(
        *(flat.size, about.zeros, about.nonfinite, about.norm),
        *(np.abs(sample) if sizes else sample, float(step), nans),
    )


def together(pieces: list[Piece]) -> Spread:
    """Several tensors as one spread."""
    values = np.concatenate([p.sample for p in pieces])
    weights = np.concatenate([np.full(p.sample.size, p.weight) for p in pieces])
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    found: tuple[float, ...] = ()
    if values.size:
        places = (np.cumsum(weights) - weights / 2) / weights.sum()
        found = tuple(np.interp(np.linspace(0, 1, PARTS + 1), places, values).tolist())
    return Spread(
        size=sum(p.size for p in pieces),
        zeros=sum(p.zeros for p in pieces),
        nonfinite=sum(p.nonfinite for p in pieces),
        norm=math.hypot(*(p.norm for p in pieces)),
        quantiles=found,
        sampled=any(p.weight > 1 for p in pieces),
        nans=sum(p.nans for p in pieces),
    )


# -------------------------------------------------------------------------------------- layers


def layers_of(model: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The layers of a model by name: those with parameters of their own, or those that are named.

    Raises:
        TypeError: `model` is not a module.
        ValueError: it has no parameters, or no module of such a name.

    >>> from autogradlab import nn
    >>> list(layers_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))))
    ['0', '2']
    """
    engine_of_module(model)
    modules = dict(model.named_modules())
    if names is None:
        found = {k: m for k, m in modules.items() if list(m.parameters(recurse=False))}
        if not found:
            raise ValueError(f"{type(model).__name__} has no parameters, so no layers to watch")
        return found
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in modules:
            raise ValueError(f"the model has no module {name!r}")
        if not list(modules[name].parameters()):
            raise ValueError(f"module {name!r} has no parameters")
    if not wanted:
        raise ValueError("no layer is named")
    return {name: modules[name] for name in wanted}


def weights_of(module: Any) -> list[Any]:
    """The parameters whose gradients are shown: its weights, without biases if there are both."""
    own = list(module.parameters(recurse=False)) or list(module.parameters())
    return [p for p in own if p.ndim > 1] or own


class Seen:
    """What the hooks see of one training step.

    Args:
        layers: modules by name, see `layers_of`.
        dead: share of the batch for which a unit is exactly 0 when it counts as dead, 0 to 1.
    """

    def __init__(self, layers: Mapping[str, Any], dead: float = 1.0) -> None:
        self.layers, self.dead = dict(layers), dead
        self.engine = engine_of_module(next(iter(layers.values())))
        self.flows = {k: LayerFlow(k, type(m).__name__) for k, m in layers.items()}
        self.pieces: dict[int, Piece] = {}  # by identity of the parameter
        self.called: list[str] = []
        self._made: dict[Any, tuple[str, int]] = {}  # node → layer, operations since
        self._depth: dict[str, int] = {}

    def step(self, error: str = "") -> FlowStep:
        """What was seen, as plain data. A layer that was not called but got a gradient stands after
        the one defined before it, one that did not at the end."""
        gradients = {}
        for name, module in self.layers.items():
            pieces = [self.pieces[id(p)] for p in weights_of(module) if id(p) in self.pieces]
            gradients[name] = together(pieces) if pieces else None
        names, before = list(dict.fromkeys(self.called)), ""
        for name in self.layers:
            if name not in names and gradients[name]:
                names.insert(names.index(before) + 1 if before in names else 0, name)
            before = name
        names += [name for name in self.layers if name not in names]
        layers = [
            replace(self.flows[name], gradient=gradients[name], calls=self.called.count(name))
            for name in names
        ]
        return FlowStep(tuple(layers), error)

    # ------------------------------------------------------------------------------- hooks

    def before_call(self, module: Any, args: Any) -> None:
        """What a module is given may be what became of a layer's output."""
        for x in tensors_in(args, self.engine):
            self._settle(x)

    def after_call(self, name: str | None) -> Any:
        def look(module: Any, args: Any, output: Any) -> None:
            found = tensors_in(output, self.engine)
            if name is None:
                for x in found:
                    self._settle(x)
            elif found:
                self.called.append(name)
                self._depth[name] = 0
                self._take(name, found[0], "")
                if found[0].grad_fn is not None:
                    self._made[found[0].grad_fn] = (name, 0)

        return look

    def _settle(self, x: Any) -> None:
        """If element by element operations lead from a layer's output here, this is its
        activation."""
        node, passed = x.grad_fn, []
        while node is not None and node not in self._made and len(passed) < CHAIN:
            above = [n for n, _ in node.next_functions if n is not None]
            if short_name(node.name()) not in POINTWISE or len(above) != 1:
                return
            passed.append(short_name(node.name()))
            node = above[0]
        if node in self._made and passed:
            name, depth = self._made[node]
            if depth + len(passed) > self._depth[name]:
                self._depth[name] = depth + len(passed)
                self._made[x.grad_fn] = (name, self._depth[name])
                self._take(name, x, passed[0])

    def _take(self, name: str, x: Any, after: str) -> None:
        a = array_of(x)
        if a.dtype.kind != "f" or not a.size:
            return
        flow = self.flows[name]
        dead, units = dead_units(a, flow.kind, self.dead)
        self.flows[name] = replace(
            flow, activation=spread([a], sizes=False), after=after, dead=dead, units=units
        )

    def arrived(self, parameter: Any) -> Any:
        def look(g: Any) -> None:
            g = g.to_dense() if getattr(g, "is_sparse", False) else g
            self.pieces[id(parameter)] = piece(array_of(g), sizes=True)

        return look

    @contextmanager
    def hung(self, model: Any) -> Iterator[None]:
        """While this holds, calls of the model and gradients of its layers are seen."""
        handles: list[Any] = []
        names = {module: name for name, module in reversed(self.layers.items())}
        try:
            for module in model.modules():
                handles.append(module.register_forward_pre_hook(self.before_call))
                after = self.after_call(names.get(module))
                handles.append(module.register_forward_hook(after))
            own = {id(p): p for m in self.layers.values() for p in weights_of(m)}
            for p in own.values():
                if p.requires_grad:
                    handles.append(p.register_hook(self.arrived(p)))
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._made.clear()  # nodes hold the graph


CHANNELS = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm")  # kinds whose units are dimension 1


def dead_units(a: np.ndarray, kind: str, limit: float = 1.0) -> tuple[int, int]:
    """How many units are exactly 0 for at least `limit` of the batch, and how many there are; (0,
    0) if that cannot be told, as for a single example.

    >>> dead_units(np.array([[0.0, 1.0], [0.0, 0.0]]), "Linear")
    (1, 2)
    """
    if a.ndim < 2:
        return 0, 0
    axis = 1 if any(word in kind for word in CHANNELS) else a.ndim - 1
    rest = tuple(i for i in range(a.ndim) if i != axis)
    if math.prod(a.shape[i] for i in rest) < 2:
        return 0, 0
    share = (a == 0).mean(axis=rest)
    return int((share >= limit).sum()), a.shape[axis]


# ------------------------------------------------------------------------------ after the fact


def call_order(order: Mapping[Any, list[tuple[Any, int]]], layers: Mapping[str, Any]) -> list[str]:
    """The layers in the order in which a graph, its nodes in forward order, uses their weights."""
    owner: dict[int, str] = {}
    for name, module in layers.items():
        for p in weights_of(module):
            owner.setdefault(id(p), name)
    found: dict[str, None] = {}
    for node, inputs in order.items():
        if not is_leaf(node):
            for parent, _ in inputs:
                if parent is not None and is_leaf(parent) and id(parent.variable) in owner:
                    found[owner[id(parent.variable)]] = None
    return list(found)


def flow_of(
    model: Any, loss: Any, gradient: Any, layers: Mapping[str, Any], dead: float = 1.0
) -> FlowStep:
    """One step that is run here and leaves no trace; see `FlowWaterfall.of`."""
    from .read import Reading
    from .recording import MANY, untouched

    engine, seen = engine_of_module(model), Seen(layers, dead)
    asked = callable(loss) and not engine.is_tensor(loss)
    state = engine.get_rng_state()
    # The forward pass works on copies of the buffers: theirs keep also their version counters.
    own = [(m._buffers, dict(m._buffers)) for m in model.modules()] if asked else []
    for buffers, before in own:
        buffers.update({k: None if x is None else x.clone() for k, x in before.items()})
    try:
        with seen.hung(model):
            root = loss() if asked else loss
            reading = Reading(root, None, MANY, model)
            if not asked:
                seen.called = call_order(reading.order, layers)
            if gradient is not None and not engine.is_tensor(gradient):
                gradient = engine.tensor(gradient, dtype=root.dtype)
            with untouched(reading):
                try:
                    engine.autograd.backward(root, gradient, retain_graph=not asked)
                except Exception as error:
                    error.flow = seen.step(in_words(error))
                    raise
    finally:
        for buffers, before in own:
            buffers.update(before)
        engine.set_rng_state(state)
    return seen.step()
