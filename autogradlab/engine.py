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

import numpy as np

from . import hooks
from .modes import modes
from .node import Node, fit


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
    if needed is not None:  # from the oldest up: a node is needed if a needed one is behind it
        needed.update(n for n in order if not needed.isdisjoint(n.parents) and not needed.add(n))
    arrived: dict[Node, Any] = {}
    captured: dict[Node, Any] = {}
    ready: deque[Node] = deque()  # leaves that have all their gradients

    def deliver(node: Node, g: Any) -> None:
        if g is not None:
            arrived[node] = arrived[node] + g if node in arrived else g
        if node.is_leaf:
            missing[node] -= 1
            if not missing[node]:
                ready.append(node)

    def execute(node: Node) -> None:
        g = arrived.pop(node, None)
        if node.hooks is not None and g is not None:
            g = hooks.run_before(node, g)
        if capture and node in targets:
            captured[node] = g
        wanted = node.wanted
        if needed is not None:
            wanted = tuple([p in needed for p in node.parents])
            if (capture and node.is_leaf) or (node.parents and not any(wanted)):
                return
        if g is None:
            out = (None,) * len(wanted)
        elif modes.anomaly is None:
            out = node.apply(g, taped, wanted)
        else:
            out = modes.anomaly(node, g, taped, wanted)
        if not retain_graph:
            node.free()
        pairs = zip(out, node.parents, strict=True)
        out = tuple([
            o if o is None or p is None else fit(o, p, node, i) for i, (o, p) in enumerate(pairs)
        ])  # fmt: skip
        if node.hooks is not None and g is not None:
            out = hooks.run_after(node, out, g)
        for watch in modes.observers:
            watch(node, g, out)
        for parent, gradient in zip(node.parents, out, strict=True):
            if parent is not None and (needed is None or parent in needed):
                deliver(parent, gradient)

    before, modes.grad_enabled = modes.grad_enabled, taped
    modes.passes += ((roots, needed),)
    try:
        with np.errstate(all="ignore"):  # inf and nan are answers here, as in torch
            for root, g in zip(roots, gradients, strict=True):
                deliver(root, fit(g, root))
            while ready or order:
                node = ready.popleft() if ready else order.pop()
                if needed is None or node in needed:
                    execute(node)
    finally:
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
