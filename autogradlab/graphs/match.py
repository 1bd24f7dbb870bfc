"""Two graphs side by side: which node of one is which of the other, and in what they differ.

The walk starts at the outputs and goes up by the places of the inputs. Leaves with the same name
belong together; where an operation was put in or left out on one side, that side's node stays
alone and the walk goes on behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass

from .data import Graph, GraphNode, Recording, Summary

# torch.testing.assert_close's, relative and absolute.
TOLERANCE = {
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A node of the left graph and its counterpart; one of them is None for a node that has none.

    `differences` names what is not the same: "name", "inputs", "shape", "dtype", "saved", "step",
    "gradients".
    """

    left: str | None
    right: str | None
    differences: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both are there and agree in all."""
        return None not in (self.left, self.right) and not self.differences


def match(left: Recording, right: Recording) -> tuple[Pair, ...]:
    """The pairs of two recordings, in the order of the left graph; nodes that only the right has
    stand before what they feed.

    >>> import autogradlab, torch
    >>> from autogradlab.graphs import record_backward
    >>> def recorded(engine):
    ...     a = engine.tensor([2.0, 3.0], requires_grad=True)
    ...     return record_backward((a * a).sum(), names={"a": a})
    >>> [pair.same for pair in match(recorded(autogradlab), recorded(torch))]
    [True, True, True, True]
    """
    pairs = paired(left.graph, right.graph)
    back = {b: a for a, b in pairs.items()}
    feeds = inputs(left.graph), inputs(right.graph)
    turns = [order(r, set(m)) for r, m in ((left, pairs.keys()), (right, back.keys()))]
    events = [{e.key: e for e in recording.events} for recording in (left, right)]
    made = {}
    for a, b in pairs.items():
        different = differing(left.graph, right.graph, feeds, a, b, pairs)
        if turns[0].get(a) != turns[1].get(b):
            different.append("step")
        one, other = events[0].get(a), events[1].get(b)
        if one and other and not same_gradients(one.grads_in, other.grads_in):
            different.append("gradients")
        made[a] = Pair(a, b, tuple(different))
    out = [made.get(a, Pair(a, None)) for a in left.graph.nodes]
    for b in reversed(right.graph.nodes):
        if b not in back:
            feeds = {back.get(e.target, e.target) for e in right.graph.edges if e.source == b}
            places = [i for i, p in enumerate(out) if {p.left, p.right} & feeds]
            out.insert(min(places, default=len(out)), Pair(None, b))
    return tuple(out)


Feeds = dict[str, dict[int, tuple[str, str]]]


def inputs(graph: Graph) -> Feeds:
    """For each node, by slot, what feeds it: the node, and which of its results."""
    found: Feeds = {key: {} for key in graph.nodes}
    for edge in graph.edges:
        found[edge.target][edge.slot] = edge.source, edge.port.removeprefix(edge.source)
    return found


def paired(left: Graph, right: Graph) -> dict[str, str]:
    """The counterpart of each node of the left graph that has one."""
    leaves = [
        {n.expression: k for k, n in g.nodes.items() if n.kind in ("leaf", "parameter")}
        for g in (left, right)
    ]
    pairs = {key: leaves[1][name] for name, key in leaves[0].items() if name in leaves[1]}
    pairs[left.root] = right.root
    taken = set(pairs.values())
    feeds = inputs(left), inputs(right)
    queue = deque([(left.root, right.root)])
    while queue:
        a, b = queue.popleft()
        for slot in feeds[0][a].keys() & feeds[1][b].keys():
            x, y = feeds[0][a][slot][0], feeds[1][b][slot][0]
            x, y = alike(left, right, feeds, x, y)
            if x not in pairs and y not in taken and is_op(left, x) == is_op(right, y):
                pairs[x] = y
                taken.add(y)
                queue.append((x, y))
    return pairs


def is_op(graph: Graph, key: str) -> bool:
    return graph.nodes[key].kind not in ("leaf", "parameter")


def alike(
    left: Graph, right: Graph, feeds: tuple[Feeds, Feeds], x: str, y: str
) -> tuple[str, str]:
    """Two nodes that stand in the same place, or, if only one side has put an operation between,
    the one behind it."""
    names = left.nodes[x].name, right.nodes[y].name
    if names[0] != names[1]:
        behind_y = [k for k, _ in feeds[1][y].values() if right.nodes[k].name == names[0]]
        behind_x = [k for k, _ in feeds[0][x].values() if left.nodes[k].name == names[1]]
        if len(behind_y) == 1 and not behind_x:
            return x, behind_y[0]
        if len(behind_x) == 1 and not behind_y:
            return behind_x[0], y
    return x, y


def differing(
    left: Graph, right: Graph, feeds: tuple[Feeds, Feeds], a: str, b: str, pairs: dict[str, str]
) -> list[str]:
    """In what two nodes differ, by the graph alone."""
    one, other, sides = left.nodes[a], right.nodes[b], (pairs.keys(), set(pairs.values()))
    here, there = (
        {slot: behind(*feed, feeds[i], sides[i]) for slot, feed in feeds[i][key].items()}
        for i, key in enumerate((a, b))
    )
    found = {
        "name": one.name != other.name or one.kind != other.kind,
        "inputs": {s: (pairs.get(k), p) for s, (k, p) in here.items()} != there,
        "shape": one.shape != other.shape,
        "dtype": one.dtype != other.dtype,
        "saved": saved(one) != saved(other),
    }
    return [name for name, different in found.items() if different]


def behind(key: str, port: str, feeds: Feeds, matched: Container[str]) -> tuple[str, str]:
    """An input, or what it was made from if it has no counterpart: that is its own difference."""
    while key not in matched and len(feeds[key]) == 1:
        ((key, port),) = feeds[key].values()
    return key, port


def saved(node: GraphNode) -> list[tuple[str, int]]:
    return [(attribute, size) for attribute, _, size in node.saved]


def order(recording: Recording, among: Container[str] | None = None) -> dict[str, int]:
    """At which step each operation runs, among all or some. Leaves are left out: among themselves
    they have no order that an engine promises."""
    ran = [e.key for e in recording.events if among is None or e.key in among]
    ops = [key for key in ran if is_op(recording.graph, key)]
    return {key: i for i, key in enumerate(ops, 1)}


def same_gradients(one: tuple[Summary | None, ...], other: tuple[Summary | None, ...]) -> bool:
    """Whether gradients agree, as far as their numbers tell, to the precision of their dtype."""
    if len(one) != len(other) or [g is None for g in one] != [g is None for g in other]:
        return False
    return all(close(a, b) for a, b in zip(one, other, strict=True) if a and b)


def close(a: Summary, b: Summary) -> bool:
    if (a.shape, a.dtype, a.nonfinite) != (b.shape, b.dtype, b.nonfinite):
        return False
    relative, absolute = TOLERANCE.get(a.dtype, (0, 0))
    slack = absolute + relative * max(a.norm, b.norm)
    return all(
        abs(x - y) <= slack for x, y in ((a.norm, b.norm), (a.min, b.min), (a.max, b.max))
    )
