"""Highlights: one number per node of a graph, or the nodes on a path, as plain data to be drawn."""

from __future__ import annotations

import math

from .data import Graph, Recording


def gradient_norms(recording: Recording) -> dict[str, float]:
    """The norm of the gradient that came to each node that ran, over all its results together; of
    the output, of what backward started from. Of a recording that is folded, that of each module.

    >>> from autogradlab import tensor
    >>> from autogradlab.graphs import record_backward
    >>> a = tensor([3.0, 4.0], requires_grad=True)
    >>> gradient_norms(record_backward((2 * a).sum()))
    {'n3': 1.0, 'n2': 1.0, 'n1': 1.4142135623730951, 'n0': 2.8284271247461903}
    """
    norms = {} if recording.gradient is None else {recording.graph.root: recording.gradient.norm}
    for event in recording.events:
        came = [g.norm for g in event.grads_in if g]
        if came:
            norms[event.key] = math.hypot(*came)
    return norms


def saved_bytes(graph: Graph) -> dict[str, int]:
    """The bytes that each node, or closed module, has saved for backward; memory that several nodes
    have saved counts for each.

    >>> from autogradlab import ones
    >>> from autogradlab.graphs import read_graph
    >>> a = ones(2, requires_grad=True)
    >>> saved_bytes(read_graph((a * a).exp()))
    {'n1': 8, 'n2': 8}
    """
    found = {}
    for key, node in graph.nodes.items():
        own = sum(size for _, size in set(graph.memory.get(key, ())))
        found[key] = node.inside.saved_bytes if node.inside else own
    return {key: size for key, size in found.items() if size}


def path_to(graph: Graph, leaf: str) -> tuple[str, ...]:
    """The nodes on some path from the output to a leaf, in forward order, both ends included.

    Args:
        leaf: the key, label or name of a leaf or parameter (or of any other node); of a folded
            parameter that of its module, or its own key.

    Raises:
        ValueError: there is no such node.

    >>> from autogradlab import ones
    >>> from autogradlab.graphs import read_graph
    >>> a, b = ones(2, requires_grad=True), ones(2, requires_grad=True)
    >>> graph = read_graph(a.exp() * b, {"a": a, "b": b})
    >>> [graph.nodes[key].label for key in path_to(graph, "b")]
    ['b', 'exp(a)·b', 'output']
    """
    nodes = graph.nodes.values()
    start = leaf if leaf in graph.nodes else None
    for names in (lambda n: (n.label, n.expression), lambda n: n.inside.nodes if n.inside else ()):
        start = start or next((node.key for node in nodes if leaf in names(node)), None)
    if start is None:
        raise ValueError(f"no node of this graph is called {leaf!r}")
    targets: dict[str, list[str]] = {}
    for edge in graph.edges:
        targets.setdefault(edge.source, []).append(edge.target)
    found, stack = {start}, [start]
    while stack:  # every node of a graph leads to its output
        for target in targets.get(stack.pop(), ()):
            if target not in found:
                found.add(target)
                stack.append(target)
    return tuple(key for key in graph.nodes if key in found)
