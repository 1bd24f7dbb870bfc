"""Recording: one backward pass of either engine, observed by hooks, as a list of events.

The pass runs with the graph retained and leaves no trace: every `.grad` is the same object with the
same values as before, hooks are taken away again, also when something raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .data import Event, Factor, Recording, Summary
from .numbers import numbers
from .read import Reading, array_of, read, saved_of, summarize
from .words import Term, atom, local_text, number_text, substituted


def record_backward(
    root: Any, gradient: Any = None, names: Mapping[str, Any] | None = None, limit: int = 2000
) -> Recording:
    """Run backward from `root` once and write down every step.

    Args:
        root: a tensor of either engine with a graph that has not been freed.
        gradient: the gradient to start from; may be left out for one element.
        names: what to call tensors.
        limit: more nodes than this are refused.

    Raises:
        what `root.backward(gradient)` raises.
    """
    reading = read(root, names, limit)
    graph, engine = reading.graph, reading.engine
    if gradient is not None and not engine.is_tensor(gradient):
        gradient = engine.tensor(gradient, dtype=root.dtype)
    steps: list[tuple[str, Any, list[Any]]] = []
    with grads_aside(reading), hooked(reading, steps):
        engine.autograd.backward(root, gradient, retain_graph=True)
    sizes = {key: sum(size for *_, size in node.saved) for key, node in graph.nodes.items()}
    waiting = [key for key, size in sizes.items() if size]
    events = []
    for key, came, sent in steps:
        waiting = [k for k in waiting if k != key]
        held = sum(sizes[k] for k in waiting)
        events.append(event(reading, key, came, sent, tuple(waiting), held, sum(sizes.values())))
    start = summarize(np.ones((), array_of(root).dtype) if gradient is None else gradient)
    name = graph.nodes[graph.root].label
    call = f"{name}.backward({'' if gradient is None else 'gradient=' + numbers(start)})"
    return Recording(graph, tuple(events), start, call)


@contextmanager
def grads_aside(reading: Reading) -> Iterator[None]:
    """Empty the `.grad` of every leaf, and put the very objects back afterwards."""
    leaves = [node.variable for node in reading.nodes.values() if hasattr(node, "variable")]
    before = [leaf.grad for leaf in leaves]
    reading.before = dict(zip((id(leaf) for leaf in leaves), before, strict=True))
    for leaf in leaves:
        leaf.grad = None
    try:
        yield
    finally:
        for leaf, grad in zip(leaves, before, strict=True):
            leaf.grad = grad


@contextmanager
def hooked(reading: Reading, steps: list[tuple[str, Any, list[Any]]]) -> Iterator[None]:
    """While this holds, every node that runs adds (key, gradient in, gradients out) to `steps`."""

    def copy(g: Any) -> Any:
        return None if g is None else array_of(g).copy()

    def observer(key: str) -> Any:
        def after(sent: Any, came: Any) -> None:
            steps.append(
                (key, next((copy(g) for g in came if g is not None), None), [copy(g) for g in sent])
            )

        return after

    handles = [node.register_hook(observer(key)) for key, node in reading.nodes.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def event(
    reading: Reading,
    key: str,
    came: Any,
    sent: list[Any],
    waiting: tuple[str, ...],
    held: int,
    total: int,
) -> Event:
    """One step, as plain data."""
    node, keys = reading.nodes[key], {n: k for k, n in reading.nodes.items()}
    if hasattr(node, "variable"):
        old = reading.before[id(node.variable)]
        new = came if old is None else array_of(old) + came
        pair: tuple[Summary | None, Summary | None] = (summarize(old), summarize(new))
        return Event(key, summarize(came), {}, (), pair, waiting, held, total)
    targets = [None if p is None else keys[p] for p, _ in node.next_functions]
    sums: dict[str, Any] = {}
    for target, g in zip(targets, sent, strict=True):
        if target is not None:
            both = (
                g if sums.get(target) is None else sums[target] if g is None else sums[target] + g
            )
            sums[target] = both
    out = {target: summarize(g) for target, g in sums.items()}
    return Event(
        key,
        summarize(came),
        out,
        factors(reading, key, came, sent, targets),
        None,
        waiting,
        held,
        total,
    )


def factors(
    reading: Reading, key: str, came: Any, sent: list[Any], targets: list[str | None]
) -> tuple[Factor, ...]:
    """Local derivatives, where the node multiplies the gradient by one element by element."""
    node, engine = reading.nodes[key], reading.engine
    if came is None:
        return ()
    with engine.no_grad():
        local = node(engine.from_numpy(np.ones_like(came)))
    local = local if isinstance(local, tuple) else (local,)
    found = []
    saved, own = saved_of(node), reading.terms[key]
    terms = [reading.terms.get(t) if t else None for t in targets]
    for slot, (target, g, one) in enumerate(zip(targets, sent, local, strict=True)):
        if target is None or g is None or one is None:
            continue
        slope = array_of(one)
        with np.errstate(all="ignore"):
            if slope.shape != came.shape or not np.allclose(
                came * slope, g, rtol=1e-4, equal_nan=True
            ):
                return ()
        whole = [
            t if t is not None else constant_term(reading, node, i) for i, t in enumerate(terms)
        ]
        text = local_text(node.name(), slot, saved, whole, own)
        live = substituted(node.name(), saved, reading.values.get(target))
        found.append(Factor(target, text, live, summarize(slope)))
    return tuple(found)


def constant_term(reading: Reading, node: Any, slot: int) -> Term:
    for attribute in ("self", "other"):
        value = getattr(node, f"_saved_{attribute}", None)
        if (
            reading.engine.is_tensor(value)
            and not value.ndim
            and (slot > 0) == (attribute == "other")
        ):
            return atom(number_text(array_of(value).item()))
    return atom("…")
