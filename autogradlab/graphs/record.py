"""Recording: one backward pass of either engine, observed by hooks, as a list of events.

The pass runs with the graph retained and leaves no trace: every `.grad` is the same object with the
same values as before, no hook stays, the random state is put back, also when something raises."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .data import Event, Factor, Recording, Summary
from .numbers import numbers
from .protocol import array_of, close, is_leaf, summarize
from .read import Reading
from .words import LABEL, derivative, literal, substituted

Step = tuple[str, list[Any], list[Any]]  # key, gradients in by result, gradients out by slot


def record_backward(
    root: Any, gradient: Any = None, names: Mapping[str, Any] | None = None, limit: int = 2000
) -> Recording:
    """Run `root.backward(gradient)` once, on either engine, and write down every step.

    Args:
        root: a tensor with a graph that has not been freed.
        gradient: what to start from, a tensor or nested lists; may be left out for one element.
        names: what to call tensors, see `read_graph`.
        limit: the most nodes to read.

    Raises:
        what `root.backward(gradient)` and `read_graph` raise.

    >>> from autogradlab import tensor
    >>> a = tensor([2.0, 3.0], requires_grad=True)
    >>> recording = record_backward(a**3, [1.0, 1.0], {"a": a})
    >>> recording.events[0].factors[0].text, recording.events[0].factors[0].substituted
    ('d(a³)/da = 3a²', ('3·2²', '3·3²'))
    >>> recording.events[1].accumulated[1].values, a.grad
    ((12.0, 27.0), None)
    """
    reading = Reading(root, names, limit)
    engine = reading.engine
    if gradient is not None and not engine.is_tensor(gradient):
        gradient = engine.tensor(gradient, dtype=root.dtype)
    steps: list[Step] = []
    with untouched(reading) as before, hooked(reading, steps):
        engine.autograd.backward(root, gradient, retain_graph=True)
    with engine.no_grad():
        start = engine.ones_like(root) if gradient is None else gradient
        total, held = bytes_held(reading, [key for key, *_ in steps])
        events = [
            event(reading, step, before, n, total) for step, n in zip(steps, held, strict=True)
        ]
    given = "" if gradient is None else f"gradient={numbers(summarize(start))}"
    call = f"{reading.root_name}.backward({given})"
    return Recording(reading.graph, tuple(events), summarize(start), call)


# --------------------------------------------------------------------------------- leave no trace


@contextmanager
def untouched(reading: Reading) -> Iterator[dict[str, Any]]:
    """Empty every `.grad` the pass would fill, and put the very objects back afterwards.

    Gives the `.grad` of each leaf by its key.
    """
    engine, leaves = reading.engine, {k: n.variable for n, k in reading.keys.items() if is_leaf(n)}
    filled = [*leaves.values(), *retaining(reading)]
    before, state = [tensor.grad for tensor in filled], engine.get_rng_state()
    try:
        for tensor in filled:
            tensor.grad = None
        yield dict(zip(leaves, before, strict=False))
    finally:
        for tensor, grad in zip(filled, before, strict=True):
            tensor.grad = grad
        engine.set_rng_state(state)


def retaining(reading: Reading) -> list[Any]:
    """The intermediate results that keep their gradient. The graph does not know them, only they
    know their node: they are found among all living objects."""
    kind = reading.engine.Tensor
    tensors = [x for x in gc.get_objects() if issubclass(type(x), kind)]
    return [t for t in tensors if t.grad_fn in reading.keys and t.retains_grad]


@contextmanager
def hooked(reading: Reading, steps: list[Step]) -> Iterator[None]:
    """While this holds, every node that runs is written down, in the engine's own order."""

    def observer(key: str) -> Any:
        def after(sent: Any, came: Any) -> None:
            steps.append((key, [copy(g) for g in came], [copy(g) for g in sent]))

        return after

    handles = []
    try:
        for node, key in reading.keys.items():
            handles.append(node.register_hook(observer(key)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def copy(g: Any) -> Any:
    return None if g is None else g.detach().clone()


# -------------------------------------------------------------------------------------- one step


def bytes_held(reading: Reading, ran: list[str]) -> tuple[int, list[int]]:
    """The bytes of all saved tensors, and after each step of those that are still needed.

    Memory that several nodes have saved is counted once.
    """
    memory = reading.memory
    users = Counter(where for own in memory.values() for where in own)
    held = total = sum({at: n for own in memory.values() for at, n in own.items()}.values())
    found = []
    for key in ran:
        own = memory.get(key, {})
        users.subtract(own.keys())
        held -= sum(n for where, n in own.items() if not users[where])
        found.append(held)
    return total, found


def event(
    reading: Reading,
    step: Step,
    before: dict[str, Any],
    bytes_held: int,
    bytes_total: int,
) -> Event:
    """One step, as plain data."""
    key, came, sent = step
    grads_out: dict[str, Summary | None] = {}
    accumulated, factors = None, ()
    if key in before:
        old = before[key]
        new = plus(old, came[0])
        accumulated = summarize(old), summarize(new)
    else:
        inputs = reading.order[reading.nodes[key]]
        targets = [None if parent is None else reading.port(parent, k) for parent, k in inputs]
        sums: dict[str, Any] = {}
        for target, g in zip(targets, sent, strict=True):
            if target is not None:
                sums[target] = plus(sums.get(target), g)
        grads_out = {target: summarize(g) for target, g in sums.items()}
        factors = factors_of(reading, step, targets)
    grads_in = tuple(summarize(g) for g in came)
    return Event(key, grads_in, grads_out, factors, accumulated, bytes_held, bytes_total)


def plus(a: Any, b: Any) -> Any:
    """A sum in which None is nothing."""
    return a if b is None else b if a is None else a + b


def factors_of(reading: Reading, step: Step, targets: list[str | None]) -> tuple[Factor, ...]:
    """For each input, the local derivative, where the node multiplied the gradient by it element
    by element: what the node makes of a gradient of ones."""
    key, (came, *others), sent = step
    operands, call = reading.operands[key], reading.calls[key]
    phrases = [o.phrase if len(o.phrase.text) <= LABEL else o.short for o in operands]
    texts = [derivative(call, slot, phrases) if t else "" for slot, t in enumerate(targets)]
    if came is None or others or not any(texts):
        return ()
    with np.errstate(all="ignore"):
        slopes = reading.nodes[key](reading.engine.ones_like(came))
    slopes = slopes if isinstance(slopes, tuple) else (slopes,)
    found = []
    for slot, (target, text, slope, out) in enumerate(
        zip(targets, texts, slopes, sent, strict=True)
    ):
        if text and slope is not None and out is not None and slope.shape == came.shape:
            with np.errstate(all="ignore"):
                if close(array_of(came) * array_of(slope), array_of(out)):
                    live = with_numbers(reading, key, slot, array_of(slope))
                    found.append(Factor(target, text, live, summarize(slope)))
    return tuple(found)


def with_numbers(
    reading: Reading, key: str, slot: int, slope: np.ndarray
) -> tuple[str, ...] | None:
    """The derivative with live numbers, per element; None if that only repeats the result."""
    values = [operand.value for operand in reading.operands[key]]
    if slope.size > 64 or any(v is None for v in values):
        return None
    columns = [np.broadcast_to(v, slope.shape).ravel().tolist() for v in values]
    rows = zip(*columns, strict=True) if columns else ()
    texts = tuple(substituted(reading.calls[key], slot, row) for row in rows)
    return None if texts == tuple(literal(x).text for x in slope.ravel().tolist()) else texts
