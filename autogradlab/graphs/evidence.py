"""What training steps of a model show of its gradients, as plain data: for every parameter what
came in, what lay in `.grad`, how far the weight moved; the graph of the loss; whether the loss
changed as the gradients promised. Works on modules of either engine.

`suspects.py` reads it; nothing here says what is wrong.
"""

from __future__ import annotations

import gc
import math
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .flow import Seen, layers_of
from .modules import engine_of_module
from .protocol import array_of, is_leaf
from .read import walk
from .recording import MANY, in_words, tensors_in

RELUS = ("relu", "relu6", "threshold", "clamp", "clampmin", "hardswish", "hardsigmoid")
RANDOM = ("Dropout", "AlphaDropout", "FeatureAlphaDropout", "RReLU")  # kinds that draw each time


@dataclass(frozen=True)
class ParameterStep:
    """One parameter in one training step. Norms are over all elements, in float64."""

    came: float | None  # of what arrived in this step; None if nothing did
    left: float | None  # of .grad when the first of it arrived; None if it was None
    held: float | None  # of .grad afterwards, which is what an optimizer reads
    zeros: int  # elements of what arrived that are exactly 0
    weight: float  # of the parameter before the step
    moved: float  # of its change


@dataclass(frozen=True)
class Behind:
    """The graph of the loss, as far as it says something of its shape."""

    nodes: int
    depth: int  # nodes on the longest way from the loss to a leaf
    reached: tuple[str, ...]  # parameters that are in it
    output: tuple[int, ...] | None = None  # of the module's result that the loss is made of
    largest: tuple[int, ...] | None = None  # tensor between that and the loss
    stretched: str = ""  # "SubBackward0": the operation that made its result larger than it


@dataclass(frozen=True)
class TrainStep:
    """One training step."""

    loss: float | None
    parameters: tuple[ParameterStep, ...]
    promised: float | None  # change of the loss, by gradients and moves, to first order
    behind: Behind | None
    dead: tuple[tuple[str, int, int], ...]  # layers with units that are 0 for the whole batch
    inputs: int  # equal numbers for equal inputs
    called: frozenset[str] = frozenset()  # modules
    error: str = ""
    warned: tuple[str, ...] = ()


@dataclass
class Evidence:
    """A model and what its training steps have shown so far."""

    model: Any
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    wanted: tuple[bool, ...] = ()  # requires_grad
    steps: list[TrainStep] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = engine_of_module(self.model)
        named = dict(self.model.named_parameters())
        if not named:
            raise ValueError(f"{type(self.model).__name__} has no parameters to train")
        self.names = tuple(named)
        self.sizes = tuple(p.numel() for p in named.values())
        self.shapes = tuple(tuple(p.shape) for p in named.values())
        self.wanted = tuple(p.requires_grad for p in named.values())
        self.random = any(
            type(m).__name__.rstrip("123d") in RANDOM and m.training and getattr(m, "p", 1)
            for m in self.model.modules()
        )

    @property
    def losses(self) -> list[float | None]:
        """The loss of every step."""
        return [step.loss for step in self.steps]

    def owner(self, name: str) -> str:
        """The module a parameter belongs to."""
        return name.rpartition(".")[0]

    @property
    def repeated(self) -> bool:
        """Whether every step computes the loss of the same inputs, with nothing drawn at random."""
        return not self.random and len({step.inputs for step in self.steps}) == 1

    def measured(self, step: int) -> float | None:
        """By how much the loss changed from this step to the next; None if that is not known."""
        after = self.losses[step + 1] if step + 1 < len(self.steps) else None
        before = self.losses[step]
        return None if after is None or before is None else after - before


class Watched:
    """What a `with evidence.step()` block gives: put the loss in here."""

    loss: Any = None


@contextmanager
def train_step(evidence: Evidence) -> Iterator[Watched]:
    """See one training step that runs in the `with` block, and change nothing.

    An error in the block is kept with the step and goes on.
    """
    watched, witness = Watched(), Witness(evidence)
    error = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with witness.hung():
                yield watched
        except Exception as raised:
            error = in_words(raised)
            raise
        finally:
            said = tuple(dict.fromkeys(str(each.message).partition("\n")[0] for each in caught))
            evidence.steps.append(witness.step(watched.loss, error, said))
    for each in caught:  # they were the reader's to see
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


class Witness:
    """The hooks that see one training step."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence, self.engine = evidence, evidence.engine
        self.parameters = dict(evidence.model.named_parameters())
        self.before = {k: array_of(p).copy() for k, p in self.parameters.items()}
        self.left = {k: norm_of(p.grad) for k, p in self.parameters.items()}
        self.came: dict[str, np.ndarray] = {}
        self.held: dict[str, float] = {}
        self.called: set[str] = set()
        self.made: dict[Any, tuple[int, ...]] = {}  # node → shape of a module's result
        self.inputs: list[int] = []
        layers = layers_of(evidence.model)
        self.flow = Seen(layers)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """While this holds, calls and gradients are seen."""
        handles: list[Any] = []
        try:
            for name, module in self.evidence.model.named_modules():
                handles.append(module.register_forward_pre_hook(self._asked))
                handles.append(module.register_forward_hook(self._answered(name)))
            for name, p in self.parameters.items():
                if p.requires_grad and p.is_leaf:
                    handles.append(p.register_hook(self._arrived(name, p)))
            with self.flow.hung(self.evidence.model):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _asked(self, module: Any, args: Any) -> None:
        if not self.inputs:
            found = tensors_in(args, self.engine)
            self.inputs = [hash(array_of(x).tobytes()) for x in found] or [0]

    def _answered(self, name: str) -> Callable[..., None]:
        def look(module: Any, args: Any, output: Any) -> None:
            self.called.add(name)
            for x in tensors_in(output, self.engine):
                if x.grad_fn is not None:
                    self.made[x.grad_fn] = tuple(x.shape)

        return look

    def _arrived(self, name: str, p: Any) -> Callable[[Any], None]:
        def look(g: Any) -> None:
            g = g.to_dense() if getattr(g, "is_sparse", False) else g
            new = array_of(g).astype(np.float64)
            there = p.grad
            if name not in self.came:  # zero_grad may have run since the step began
                self.left[name] = norm_of(there)
            kept = 0.0 if there is None else array_of(there).astype(np.float64)
            self.came[name] = self.came.get(name, 0.0) + new
            self.held[name] = norm(kept + new)

        return look

    def step(self, loss: Any, error: str, warned: tuple[str, ...]) -> TrainStep:
        """What was seen, as plain data."""
        found, promised = [], 0.0
        for name, p in self.parameters.items():
            before = self.before[name]
            with np.errstate(all="ignore"):
                change = array_of(p).astype(np.float64) - before
                came = self.came.get(name)
                if came is not None:
                    promised += float((came * change).sum())
            found.append(
                ParameterStep(
                    came=None if came is None else norm(came),
                    left=self.left[name],
                    held=self.held.get(name, self.left[name]),
                    zeros=0 if came is None else int((came == 0).sum()),
                    weight=norm(before),
                    moved=norm(change),
                )
            )
        layers = self.flow.step().layers
        behind = self._behind(loss) if not error else None
        self.made.clear()  # nodes hold the graph
        return TrainStep(
            loss=number_of(loss, self.engine),
            parameters=tuple(found),
            promised=promised if self.came else None,
            behind=behind,
            dead=tuple((x.title, x.dead, x.units) for x in layers if x.after in RELUS and x.units),
            inputs=hash(tuple(self.inputs)),
            called=frozenset(self.called),
            error=error,
            warned=warned,
        )

    def _behind(self, loss: Any) -> Behind | None:
        root = getattr(loss, "grad_fn", None)
        if root is None or not self.engine.is_tensor(loss):
            return None
        try:
            order = walk([root], MANY)
        except ValueError:  # too many nodes to look at
            return None
        depth: dict[Any, int] = {}
        for node, inputs in order.items():
            depth[node] = 1 + max((depth[p] for p, _ in inputs if p in depth), default=0)
        names = {id(p): name for name, p in self.parameters.items()}
        leaves = [id(node.variable) for node in order if is_leaf(node)]
        output, largest, stretched = self._shapes(root, order)
        return Behind(
            nodes=len(order),
            depth=max(depth.values()),
            reached=tuple(names[each] for each in leaves if each in names),
            output=output,
            largest=largest,
            stretched=stretched,
        )

    def _shapes(self, root: Any, order: Any) -> tuple[Any, Any, str]:
        """The result of a module that the loss is made of, the largest tensor between, and the
        operation that stretched it: one that takes this result and a constant, and gives more."""
        output, between, stretched = None, [], ""
        stack, seen = [root], set()
        while stack:
            node = stack.pop()
            if node in seen or is_leaf(node):
                continue
            seen.add(node)
            if node in self.made:
                shape = self.made[node]
                output = shape if output is None or size(shape) > size(output) else output
                continue
            shape = shape_of(node)
            if shape is not None:
                between.append(shape)
            parents = [p for p, _ in order[node] if p is not None]
            stack += parents
            if len(parents) == 1 and parents[0] in self.made and shape is not None:
                from_ = self.made[parents[0]]
                kind = node.name().removesuffix("Backward0").removesuffix("Backward1")
                if kind in STRETCHING and size(shape) > size(from_) > 1:
                    stretched = node.name()
        largest = max(between, key=size, default=None)
        return output, largest, stretched


STRETCHING = ("Sub", "Rsub", "Add", "Mul", "Div", "Expand", "MseLoss", "SmoothL1Loss", "HuberLoss")


def shape_of(node: Any) -> tuple[int, ...] | None:
    """The shape of a node's first result; None if it does not say."""
    made = getattr(node, "_input_metadata", None)  # torch's; our nodes say it themselves
    shape = made[0].shape if made else getattr(node, "shape", None)
    try:
        return None if shape is None else tuple(int(n) for n in shape)
    except (TypeError, ValueError, RuntimeError):
        return None


def size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def norm(a: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.square(a, dtype=np.float64).sum()))


def norm_of(grad: Any) -> float | None:
    """The norm of a `.grad`; None for None."""
    if grad is None:
        return None
    return norm(array_of(grad.to_dense() if getattr(grad, "is_sparse", False) else grad))


def number_of(loss: Any, engine: Any) -> float | None:
    """A loss as a number; None where it is none."""
    if engine.is_tensor(loss):
        return float(array_of(loss).sum()) if loss.numel() == 1 else None
    try:
        return float(loss)
    except (TypeError, ValueError):
        return None


# ------------------------------------------------------------------------------- leaving no trace


@contextmanager
def restored(model: Any) -> Iterator[None]:
    """Put back, whatever happens: weights, `.grad`, buffers, flags, the random state, and what the
    optimizers of these parameters remember."""
    engine = engine_of_module(model)
    parameters = list(model.parameters())
    contents = [(x, x.detach().clone()) for x in [*parameters, *model.buffers()]]
    grads = [(p, p.grad, None if p.grad is None else p.grad.detach().clone()) for p in parameters]
    flags = [(p, p.requires_grad) for p in parameters]
    modes = [(m, m.training) for m in model.modules()]
    buffers = [(m._buffers, dict(m._buffers)) for m in model.modules()]
    kept = [(o, memory_of(o, engine)) for o in optimizers_of(parameters, engine)]
    states = engine.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        for own, before in buffers:
            own.clear()
            own.update(before)
        for x, content in contents:
            x.data.copy_(content)  # past the version counter: a graph may have saved it
        for p, grad, content in grads:
            if grad is not None:
                grad.data.copy_(content)
            p.grad = grad
        for p, flag in flags:
            p.requires_grad_(flag)
        for module, training in modes:
            module.training = training
        for optimizer, memory in kept:
            recall(optimizer, memory)
        engine.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


Memory = tuple[dict[Any, dict[str, Any]], list[Any]]


def optimizers_of(parameters: list[Any], engine: Any) -> list[Any]:
    """The optimizers that hold one of these parameters: they are found among all living objects,
    since a parameter does not know its optimizer."""
    kinds, new = {engine.optim.Optimizer}, [engine.optim.Optimizer]
    while new:
        new = [kind for each in new for kind in type.__subclasses__(each) if kind not in kinds]
        kinds.update(new)
    own = {id(p) for p in parameters}
    return [
        o
        for o in gc.get_objects()
        if type(o) in kinds
        and any(id(p) in own for group in o.param_groups for p in group["params"])
    ]


def memory_of(optimizer: Any, engine: Any) -> Memory:
    """What an optimizer remembers of each parameter, its tensors copied, and its options."""
    state = {
        p: {k: (x, x.detach().clone()) if engine.is_tensor(x) else (x, None) for k, x in s.items()}
        for p, s in optimizer.state.items()
    }
    return state, [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]


def recall(optimizer: Any, memory: Memory) -> None:
    """The reverse of `memory_of`."""
    state, groups = memory
    optimizer.state.clear()
    for p, entries in state.items():
        optimizer.state[p] = {}
        for name, (x, content) in entries.items():
            if content is not None:
                x.data.copy_(content)
            optimizer.state[p][name] = x
    for group, options in zip(optimizer.param_groups, groups, strict=False):
        group.update(options)
