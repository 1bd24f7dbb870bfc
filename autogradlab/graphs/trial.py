"""Trials: run a program, or a model, with some tensors frozen or detached, and see what is left.

A program gets fresh copies of its tensors. A model runs itself, with the flags of its parameters
changed for the time of the run; flags, `.grad`, buffers, modes and the random state are put back
exactly, also when something raises.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .data import Graph, Recording, Summary
from .match import paired
from .modules import engine_of_module, watch
from .protocol import engine_of, summarize
from .read import Reading
from .recording import in_words, record_backward, tensors_in, untouched

LIMIT, MODEL_LIMIT = 600, 20_000  # nodes that are read; a model's fold to a few
FEW = 14  # nodes of a graph that is drawn as a graph; more of them are a list

# The four states a tensor can be in: a name, and requires_grad, is_leaf, retains_grad.
STATES = {
    (True, True, False): "leaf that learns",
    (False, True, False): "constant",
    (True, False, False): "intermediate",
    (True, False, True): "intermediate, retained",
}


class ProgramFailed(RuntimeError):
    """A program, model or loss raised; the message says what."""


@dataclass(frozen=True)
class Choice:
    """What is done: names of tensors or parameters that are frozen; of tensors, or modules, that
    are detached; of results that retain their gradient."""

    frozen: frozenset[str] = frozenset()
    detached: frozenset[str] = frozenset()
    retained: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fact:
    """What the engine says of a tensor, after backward."""

    name: str
    requires_grad: bool
    is_leaf: bool
    grad_fn: str  # "" for None
    retains_grad: bool
    grad: Summary | None

    @property
    def state(self) -> str:
        """Which of the four legal states it is in.

        >>> Fact("a", False, True, "", False, None).state
        'constant'
        """
        return STATES[self.requires_grad, self.is_leaf, self.retains_grad]


@dataclass(frozen=True)
class Trial:
    """One run."""

    facts: dict[str, Fact]  # of what was given and what was made, the result last
    graph: Graph | None  # None: the result has no graph
    saved: int  # bytes that nodes hold for backward
    lasting: int  # of these, bytes of given tensors and parameters, which stay anyway
    recording: Recording | None  # of a small graph

    @property
    def nodes(self) -> int:
        """Nodes that are recorded."""
        return len(self.graph.nodes) - 1 if self.graph else 0


def left_of(full: Graph, trial: Trial) -> dict[str, str] | None:
    """The nodes of the full graph that are still recorded, each with its key in the trial's graph;
    None where the trial ran other operations."""
    if trial.graph is None:
        return {}
    pairs = paired(full, trial.graph)
    other = any(full.nodes[a].name != trial.graph.nodes[b].name for a, b in pairs.items())
    return None if other or len(pairs) < len(trial.graph.nodes) else pairs


class Subject:
    """What is tried out: `names` can be frozen, `parts` detached, `results` can keep a gradient."""

    engine: Any
    names: tuple[str, ...]
    parts: tuple[str, ...]
    results: tuple[str, ...] = ()
    gradient: Any = None
    model: Any = None

    def run(self, choice: Choice) -> Trial:
        """Run once.

        Raises:
            ProgramFailed: what was run raised, or gave no tensor.
        """
        state = self.engine.get_rng_state()
        try:
            with self.engine.enable_grad():
                return self._run(choice)
        except Exception as error:
            raise ProgramFailed(in_words(error)) from error
        finally:
            self.engine.set_rng_state(state)

    def _run(self, choice: Choice) -> Trial:
        raise NotImplementedError

    def observe(
        self, given: Mapping[str, Any], names: Mapping[str, Any], results: Mapping[str, Any],
        choice: Choice, watched: watch | None = None,
    ) -> Trial:  # fmt: skip
        """Backward from the last result, and what the engine says then."""
        self.results, root = tuple(results), [*results.values()][-1]
        for name in choice.retained & results.keys():
            if results[name].grad_fn is not None:
                results[name].retain_grad()
        tensors = {**given, **results}
        if not root.requires_grad:
            return Trial(facts_of(tensors), None, 0, 0, None)
        start = self._start(root)
        limit = LIMIT if self.model is None else MODEL_LIMIT
        reading = Reading(root, {**results, **names}, limit, None, watched)
        recording = None
        if len(reading.order) <= FEW and self.model is None:
            recording = record_backward(root, start, {**results, **names})
        pieces = {at: size for own in reading.memory.values() for at, size in own.items()}
        theirs = {t.data_ptr() for t in given.values()}
        with untouched(reading):
            self.engine.autograd.backward(root, start)
            facts = facts_of(tensors)
        lasting = sum(size for at, size in pieces.items() if at in theirs)
        return Trial(facts, reading.graph, sum(pieces.values()), lasting, recording)

    def _start(self, root: Any) -> Any:
        if self.gradient is None:
            return self.engine.ones_like(root)
        given = self.engine.is_tensor(self.gradient)
        return self.gradient if given else self.engine.tensor(self.gradient, dtype=root.dtype)


def facts_of(tensors: Mapping[str, Any]) -> dict[str, Fact]:
    return {
        name: Fact(
            name,
            t.requires_grad,
            t.is_leaf,
            "" if t.grad_fn is None else t.grad_fn.name(),
            t.retains_grad,
            summarize(t.grad) if t.is_leaf or t.retains_grad else None,  # to ask others warns
        )
        for name, t in tensors.items()
    }


class Program(Subject):
    """A function of tensors.

    Args:
        program: is called with the tensors by keyword, and gives a tensor, or several in a
            dictionary of which the last is the result.
        tensors: its arguments by name.
        gradient: what `backward(gradient=…)` starts from; ones if left out.

    Raises:
        ValueError: there is no tensor of floating point among the arguments.

    >>> from autogradlab import tensor
    >>> both = Program(lambda a, b: 3 * a**3 - b**2, {"a": tensor([2.0]), "b": tensor([6.0])})
    >>> both.run(Choice()).nodes, both.run(Choice(frozen=frozenset("a"))).nodes
    (6, 3)
    """

    def __init__(
        self, program: Callable[..., Any], tensors: Mapping[str, Any], gradient: Any = None
    ):  # fmt: skip
        found = {n: t for n, t in tensors.items() if hasattr(t, "grad_fn")}
        self.names = tuple(n for n, t in found.items() if t.is_floating_point() or t.is_complex())
        if not self.names:
            raise ValueError("there is no tensor of floating point to freeze")
        self.engine = engine_of(found[self.names[0]])
        self.program, self.tensors, self.gradient = program, dict(tensors), gradient
        self.parts = self.names
        name = getattr(program, "__name__", "")
        self.result = name if name.isidentifier() and name not in tensors else "output"

    def _run(self, choice: Choice) -> Trial:
        copies: dict[int, Any] = {}
        given, passed = {}, dict(self.tensors)
        for name in self.names:
            tensor = self.tensors[name]
            fresh = copies.setdefault(id(tensor), tensor.detach().clone())
            given[name] = fresh.requires_grad_(name not in choice.frozen)
        for name, tensor in given.items():
            cut = name in choice.detached
            passed[name] = tensor.detach() if cut else tensor
        made = self.program(**passed)
        results = dict(made) if isinstance(made, Mapping) else {self.result: made}
        for each in results.values() or (None,):
            if not self.engine.is_tensor(each):
                raise TypeError(f"the program gave no tensor but {type(each).__name__}")
        results = {n: t for n, t in results.items() if n not in given}
        if not results:
            raise ValueError("the program gave its arguments back and nothing else")
        shown = {}
        for name, tensor in given.items():
            shown[name] = tensor
            if name in choice.detached:
                shown[f"{name}.detach()"] = passed[name]
        return self.observe(shown, passed, results, choice)


class Model(Subject):
    """A model with its inputs and a loss.

    Args:
        model: a module of autogradlab or PyTorch.
        inputs: what it is called with, a tensor or a tuple.
        loss: makes a tensor of what it gives; without, the first tensor it gives is the result.
        gradient: what `backward(gradient=…)` starts from; ones if left out.

    Raises:
        ValueError: the model has no parameters.
    """

    def __init__(
        self, model: Any, inputs: Any, loss: Callable[..., Any] | None = None, gradient: Any = None
    ):  # fmt: skip
        self.engine, self.model = engine_of_module(model), model
        self.inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        self.loss, self.gradient = loss, gradient
        self.parameters = dict(model.named_parameters())
        floats = {n: p for n, p in self.parameters.items() if p.is_floating_point()}
        if not floats:
            raise ValueError(f"{type(model).__name__} has no parameters to freeze")
        self.names = tuple(floats)
        self.parts = tuple(path for path, _ in model.named_modules() if path)

    def _run(self, choice: Choice) -> Trial:
        copies = [self._copy(each) for each in self.inputs]
        with unchanged(self.model):
            for name in self.names:
                self.parameters[name].requires_grad_(name not in choice.frozen)
            with detaching(self.model, choice.detached), watch(self.model) as seen:
                made = self.model(*copies)
            if self.loss is not None:
                made = self.loss(made)
            tensors = tensors_in(made, self.engine)
            if not tensors:
                raise TypeError(f"the model gave no tensor but {type(made).__name__}")
            name = getattr(self.loss, "__name__", "")
            name = name if name.isidentifier() and name not in self.parameters else "output"
            results = {name: tensors[0]}
            watched = seen if tensors[0].grad_fn is not None else None
            return self.observe(self.parameters, self.parameters, results, choice, watched)

    def _copy(self, x: Any) -> Any:
        if not self.engine.is_tensor(x):
            return x
        return x.detach().clone().requires_grad_(x.requires_grad)


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Put back, whatever happens: flags, `.grad` (empty meanwhile), buffers, modes."""
    parameters = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    modules = [(m, m.training, dict(m._buffers)) for m in model.modules()]
    copies: dict[int, Any] = {}
    try:
        for parameter, _, _ in parameters:
            parameter.grad = None
        for module, _, buffers in modules:
            for name, buffer in buffers.items():
                # Copies are written to: a graph of the user's may have saved the buffers.
                if buffer is not None:
                    fresh = copies.setdefault(id(buffer), buffer.detach().clone())
                    module._buffers[name] = fresh
        yield
    finally:
        for parameter, flag, grad in parameters:
            parameter.requires_grad_(flag)
            parameter.grad = grad
        for module, training, buffers in modules:
            module.training = training
            module._buffers.clear()
            module._buffers.update(buffers)


@contextmanager
def detaching(model: Any, paths: Iterable[str]) -> Iterator[None]:
    """While this holds, the outputs of some modules are detached."""
    engine, handles = engine_of_module(model), []

    def cut(module: Any, args: Any, output: Any) -> Any:
        return detached(output, engine)

    try:
        for path in paths:
            handles.append(model.get_submodule(path).register_forward_hook(cut))
        yield
    finally:
        for handle in handles:
            handle.remove()


def detached(value: Any, engine: Any) -> Any:
    """A nest of tuples, lists and dictionaries with every tensor in it detached."""
    if engine.is_tensor(value):
        return value.detach()
    if isinstance(value, Mapping):
        return type(value)({k: detached(x, engine) for k, x in value.items()})
    if isinstance(value, tuple | list):
        parts = [detached(x, engine) for x in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def subject_of(
    program: Any, inputs: Any, loss: Any, tensors: Mapping[str, Any] | None, gradient: Any
) -> Subject:
    """A model with inputs, or a program with tensors.

    Raises:
        TypeError: neither, or what belongs to the other kind is given.
    """
    if tensors is None and not inspect.isroutine(program):
        if inputs is None:
            engine_of_module(program)
            raise TypeError("a model needs inputs: FreezeBoard(model, x, loss)")
        return Model(program, inputs, loss, gradient)
    if inputs is not None or loss is not None:
        raise TypeError("inputs and a loss go with a model; a program has tensors={…}")
    if not callable(program):
        raise TypeError(f"expected a program or a model, not {type(program).__name__}")
    return Program(program, tensors or {}, gradient)
