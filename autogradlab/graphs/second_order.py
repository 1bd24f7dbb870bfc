"""The graph of a graph: what a backward pass with `create_graph=True` records while it runs.

A gradient is computed by operations, and these can be recorded like any others. `record_twofold`
lets a backward pass run, notes which of its nodes recorded what, and then lets a second pass run
back from the gradient, through both graphs. Works on either engine and leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .data import Event, GraphNode, Summary
from .protocol import is_leaf, summarize
from .read import Reading
from .recording import record_backward, untouched

FIRST, SECOND = 8, 24  # operations of each order in a picture that can still be read


@dataclass(frozen=True)
class Layered:
    """A node with its order: 1 if the forward pass recorded it, 2 if the backward pass did."""

    key: str  # "a0", "a1", … of the first order, "b0", … of the second
    order: int
    node: GraphNode
    by: str = ""  # of the second order: key of the node that ran when this was recorded


@dataclass(frozen=True)
class Ran:
    """One node of the first backward pass: what came in, and what it recorded, oldest first."""

    key: str
    came: Summary | None
    recorded: tuple[str, ...]


@dataclass(frozen=True)
class Twofold:
    """Two graphs as one: the operations of y, and those of its gradient."""

    nodes: dict[str, Layered]  # in the order they came about, y and its gradient last of each
    edges: tuple[tuple[str, str], ...]  # from the key nearer the inputs to the other
    y: str  # keys: the result, the leaf, the gradient
    x: str
    g: str
    first: tuple[Ran, ...]  # in the order they ran
    second: tuple[Event, ...]  # of the pass back from the gradient; () if there is no way back
    gradient: Summary
    title: str  # "y = x³"
    engine: str

    def label(self, key: str) -> str:
        """What a node is called in the picture."""
        return self.nodes[key].node.label

    def of_order(self, order: int) -> list[str]:
        """The keys of the operations of one order, oldest first."""
        return [k for k, n in self.nodes.items() if n.order == order and n.node.kind == "op"]


def record_twofold(
    y: Any,
    names: Mapping[str, Any],
    wrt: str = "",
    create_graph: bool = True,
    v: Any = None,
) -> Twofold:
    """Take the gradient of `y`, and then the gradient of that.

    Args:
        y: a tensor with one number, of either engine, whose graph has not been freed.
        names: what to call tensors, {"x": x}.
        wrt: the leaf for which the gradient is taken, by its name; the first if not given.
        create_graph: whether the first backward pass is itself recorded.
        v: what the second pass starts from; ones if not given.

    Raises:
        ValueError: y has several numbers, there is no such leaf, or there are too many operations;
        RuntimeError: y has no graph, in torch's words.

    >>> from autogradlab import tensor
    >>> x = tensor(4.0, requires_grad=True)
    >>> both = record_twofold(x**3, {"x": x})
    >>> [both.label(key) for key in both.of_order(2)]
    ['x²', '3·x²', '1·3x²']
    >>> both.gradient.values, both.second[-1].grad_in.values
    (48.0, 24.0)
    """
    one = Reading(y, names)
    if y.numel() != 1:
        raise ValueError(f"the gradient of one number is taken, and this has {y.numel()}: try sum")
    leaf = leaf_called(one, wrt)
    keys = {node: f"a{i}" for i, node in enumerate(one.order)}
    if sum(not is_leaf(node) for node in keys) > FIRST:
        raise ValueError(f"more than {FIRST} operations of the first order are too many to draw")
    started, gradient = run_first(one, y, leaf, create_graph)
    nodes = {k: Layered(k, 1, one.graph.nodes[one.keys[node]]) for node, k in keys.items()}
    edges = [(keys[parent], k) for node, k in keys.items() for parent in parents(one, node)]
    edges.append((keys[y.grad_fn], "y"))
    nodes["y"] = Layered("y", 1, one.graph.nodes[one.graph.root])

    second: tuple[Event, ...] = ()
    recorded: dict[str, list[str]] = {keys[node]: [] for node, _, _ in started}
    name = f"d{one.root_name if one.root_name != 'output' else 'y'}/d{one.by_leaf[one.keys[leaf]]}"
    shown = gradient_node(name, gradient)
    if gradient.requires_grad:
        two = Reading(gradient, {**names, name: gradient})
        new = [node for node in two.order if node not in keys]
        if len(new) > SECOND:
            raise ValueError(f"{len(new)} operations of the second order are too many to draw")
        keys |= {node: f"b{i}" for i, node in enumerate(new)}
        for node in new:
            by = keys[[each for each, since, _ in started if since <= node._sequence_nr()][-1]]
            nodes[keys[node]] = Layered(keys[node], 2, two.graph.nodes[two.keys[node]], by)
            recorded[by].append(keys[node])
            edges += [(keys[parent], keys[node]) for parent in parents(two, node)]
        edges.append((keys[gradient.grad_fn], "g"))
        start = one.engine.ones_like(gradient) if v is None else v
        events = record_backward(gradient, start, names).events
        here = {two.keys[node]: keys[node] for node in two.order}
        second = tuple(renamed(event, here) for event in events)
    nodes["g"] = Layered("g", 2, shown)
    first = tuple(Ran(keys[node], came, tuple(recorded[keys[node]])) for node, _, came in started)
    return Twofold(
        nodes, tuple(edges), "y", keys[leaf], "g", first, second, summarize(gradient),
        one.graph.title, one.graph.engine,
    )  # fmt: skip


def parents(reading: Reading, node: Any) -> list[Any]:
    return [parent for parent, _ in reading.order[node] if parent is not None]


def renamed(event: Event, keys: Mapping[str, str]) -> Event:
    """The same event under another key; of what it sends nothing is needed here."""
    return Event(keys[event.key], event.grads_in, {}, (), None, 0, 0)


def gradient_node(name: str, gradient: Any) -> GraphNode:
    """The end of the second graph."""
    value = summarize(gradient)
    return GraphNode(
        "g", "output", "", name, name, tuple(gradient.shape), value.dtype, (), value, ""
    )


def leaf_called(reading: Reading, wrt: str) -> Any:
    """The node of the leaf of that name; without one, of the first leaf."""
    leaves = {reading.by_leaf[key]: node for node, key in reading.keys.items() if is_leaf(node)}
    if wrt and wrt not in leaves:
        raise ValueError(f"there is no leaf {wrt!r}; there is {', '.join(leaves)}")
    return leaves[wrt] if wrt else next(iter(leaves.values()))


def run_first(
    reading: Reading, y: Any, leaf: Any, create_graph: bool
) -> tuple[list[tuple[Any, int, Any]], Any]:
    """Run the first backward pass: its nodes, each with the number of the first operation it can
    record and the gradient that came in; and the gradient of the leaf."""
    autograd, started, handles = reading.engine.autograd, [], []

    def look(node: Any) -> Any:
        def before(came: Any) -> None:
            g = came[0] if isinstance(came, tuple | list) else came
            started.append((node, autograd._get_sequence_nr(), summarize(g)))

        return before

    try:
        for node in reading.order:
            if not is_leaf(node):
                handles.append(node.register_prehook(look(node)))
        with untouched(reading), reading.engine.enable_grad():
            (gradient,) = autograd.grad(
                y, leaf.variable, reading.engine.ones_like(y), True, create_graph
            )
    finally:
        for handle in handles:
            handle.remove()
    return started, gradient
