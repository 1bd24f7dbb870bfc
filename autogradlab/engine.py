"""Reverse mode: the tape run backwards, in one loop.

`backward` sorts the nodes it can reach from the newest to the oldest and hands each its gradient.
That is the whole of reverse mode. What nodes are is in `node.py`, how an operation is recorded in
`primitive.py`, the formulas in `derivatives/`, hooks in `hooks.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from . import hooks
from .modes import modes, reset, silence
from .node import Node, Wanted, fit


def reachable(roots: Sequence[Node]) -> tuple[list[Node], dict[Node, int]]:
    """The nodes that gradients from the roots visit, the oldest first, and the leaves, each with
    the number of gradients it will receive."""
    seen, stack, leaves = set(roots), list(dict.fromkeys(roots)), {}
    for root in roots:
        if root.is_leaf:
            leaves[root] = leaves.get(root, 0) + 1
    while stack:
        for parent in stack.pop().parents:
            if parent is not None:
                if parent.is_leaf:
                    leaves[parent] = leaves.get(parent, 0) + 1
                elif parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
    return sorted(seen - leaves.keys(), key=attrgetter("sequence")), leaves


def backward(
    roots: Sequence[Node],
    gradients: Sequence[Any],
    *,
    retain_graph: bool,
    taped: bool,
    targets: Sequence[Node] | None = None,
    capture: bool = False,
) -> dict[Node, Any]:
    """Run the graph backwards from `roots`; with `targets`, only the paths that lead to them.

    Nodes run from the newest to the oldest, so that a node has all its gradients when its turn
    comes. Only a leaf is not ordered by age: it runs as soon as its last gradient has arrived.

    Args:
        gradients: one per root; arrays, or tensors if the pass is itself to be taped.
        targets: the nodes whose gradient is wanted; None means every leaf.
        capture: return the gradients of the targets, and leave `.grad` alone.
    """
    order, missing = reachable(roots)
    needed = None if targets is None else set(targets)
    if needed is not None:
        for node in order:  # from the oldest up: a node is needed if a needed one is behind it
            if not needed.isdisjoint(node.parents):
                needed.add(node)
    arrived: dict[Node, Any] = {}
    captured: dict[Node, Any] = {}
    ready: deque[Node] = deque()  # leaves that have all their gradients

    def deliver(node: Node, g: Any, sender: Node | None = None) -> None:
        if g is not None:
            if g.shape != node.shape or g.dtype is not node.dtype:
                g = fit(g, node, sender)
            before = arrived.get(node)
            arrived[node] = g if before is None else before + g
        if node.is_leaf:
            missing[node] -= 1
            if not missing[node]:
                ready.append(node)

    def run(node: Node, g: Any, wanted: Wanted | None) -> Sequence[Any]:
        """The gradients a node sends, and whoever wants to see them sees them."""
        if node.extras is not None and g is not None:
            g = hooks.run_pre(node, g)
        if g is None and not node.runs_on_none:
            return (None,) * len(node.parents)
        out = (modes.anomaly or type(node).apply)(node, g, taped, wanted)
        if not retain_graph:
            node.free()
        if node.extras is not None or modes.observers:
            pairs = zip(out, node.parents, strict=True)
            out = [o if o is None or p is None else fit(o, p, node) for o, p in pairs]
            out = hooks.run_after(node, out, g) if node.extras and g is not None else out
            for watch in modes.observers:
                watch(node, g, out)
        return out

    before, modes.grad_enabled = modes.grad_enabled, taped
    modes.passes += ((roots, needed),)
    # A pass that nobody watches or differentiates runs each plain node in one call.
    special = modes.observers or modes.anomaly or modes.lifted
    plain = not (special or taped or needed is not None)
    token = silence()
    try:
        for root, g in zip(roots, gradients, strict=True):
            deliver(root, g)
        while ready or order:
            node = ready.popleft() if ready else order.pop()
            g, wanted, plan = arrived.pop(node, None), None, node.plan
            if node.extras is not None and g is not None:
                g = hooks.run_before(node, g)
            if needed is not None:
                if node not in needed:
                    continue
                if capture and node in targets:
                    captured[node] = g
                wanted = tuple([p in needed for p in node.parents])
                end = capture or node not in targets  # of backward(inputs=…) the targets run too
                if (capture and node.is_leaf) or (node.parents and end and not any(wanted)):
                    continue
            gradient = out = None  # a leaf may keep a gradient that nobody else holds
            simple = plan is not None and node.extras is None and not node.lifted
            if plain and simple and g is not None:
                out = plan.quick(g, node.saved, node.versions)  # None: to be looked at first
                if not retain_graph and plan.frees and out is not None:
                    node.saved = None
            if out is None:
                out = run(node, g, wanted)
            for parent, gradient in zip(node.parents, out, strict=True):
                if parent is not None and (needed is None or parent in needed):
                    deliver(parent, gradient, node)
    finally:
        reset(token)
        modes.grad_enabled, modes.passes = before, modes.passes[:-1]
    return captured


def will_run(node: Node) -> bool:
    """Whether the innermost running pass visits this node."""
    roots, needed = modes.passes[-1]
    if needed is not None:
        return node in needed
    order, leaves = reachable(roots)
    return node in leaves or node in order


@contextmanager
def observe(watch: Callable[[Node, Any, Sequence[Any]], None]) -> Iterator[None]:
    """Call `watch(node, gradient_in, gradients_out)` after every node that backward runs."""
    modes.observers += (watch,)
    try:
        yield
    finally:
        modes.observers = modes.observers[:-1]
