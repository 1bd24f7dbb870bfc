"""The plain data every picture is drawn from: a `Graph` as it was recorded and a `Recording` of one
backward pass. Nothing here knows an engine: no tensors, no nodes, only text, numbers and tuples, so
`dataclasses.asdict` turns each of them into JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """One tensor in numbers.

    `norm`, `mean`, `min` and `max` are taken in float64 over the finite elements (0.0 if there are
    none); `zeros` and `nonfinite` count over all elements.

    >>> Summary((2,), "float32", 5.0, 3.5, 3.0, 4.0, 0, 0, (3.0, 4.0), 8).numel
    2
    """

    shape: tuple[int, ...]
    dtype: str  # "float32"
    norm: float
    mean: float
    min: float
    max: float
    zeros: int
    nonfinite: int
    values: tuple | float | None  # up to 64 elements: nested tuples, a number for a scalar
    nbytes: int
    ends: tuple[float, ...] = ()  # first two elements and the last one, when `values` is None

    @property
    def numel(self) -> int:
        """The number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class GraphNode:
    """A leaf with its `.grad` cup, an operation, or the output."""

    key: str  # "n0", "n1", … in forward order, inputs first
    kind: str  # "leaf" | "parameter" | "op" | "output"
    name: str  # torch's node name; "AccumulateGrad" for a leaf or parameter, "" for the output
    label: str  # "a³"; at most 14 characters
    expression: str  # the label in full
    shape: tuple[int, ...]
    dtype: str  # "" when it cannot be known without running the graph
    saved: tuple[tuple[str, str, int], ...]  # (attribute "self", whose value "a", bytes)
    value: Summary | None  # the forward value where it is known, else None
    rule: str  # "self = g * (exponent * self ** (exponent - 1))", one line per input; "" if unknown
    outputs: tuple[Output, ...] = ()  # of a node that has several; `value` is then None


@dataclass(frozen=True)
class Output:
    """One of several results of a node."""

    label: str  # "x", "unbind(a)[1]"
    value: Summary | None


@dataclass(frozen=True)
class Edge:
    """A value on its way: from `source` (nearer the inputs) to `target` (nearer the output)."""

    source: str
    target: str
    slot: int  # index into the target's next_functions
    port: str  # which result of the source: its key, or "n3[1]" if it has several


@dataclass(frozen=True)
class Graph:
    """What was recorded, in forward order."""

    nodes: dict[str, GraphNode]
    edges: tuple[Edge, ...]
    root: str  # key of the "output" node, whose single edge comes from the root operation
    engine: str  # "autogradlab" | "PyTorch"
    title: str  # "Q = 3a³ − b²"

    def result(self, port: str) -> GraphNode | Output:
        """What a gradient goes to: a node, or one result of a node that has several."""
        key, _, place = port.partition("[")
        return self.nodes[key].outputs[int(place[:-1])] if place else self.nodes[key]


@dataclass(frozen=True)
class Factor:
    """One input of an elementwise node: gradient in × local derivative = gradient out."""

    target: str  # port the product goes to
    text: str  # "d(a³)/da = 3a²"
    substituted: tuple[str, ...] | None  # one text per element: ("3·2²", "3·3²")
    local: Summary


@dataclass(frozen=True)
class Event:
    """One step of the backward pass: one node ran."""

    key: str
    grads_in: tuple[Summary | None, ...]  # one for each result of the node
    grads_out: dict[str, Summary | None]  # by port; summed if it goes there through two slots
    factors: tuple[Factor, ...]  # () when the node is not "incoming × local derivative"
    accumulated: tuple[Summary | None, Summary | None] | None  # a leaf's .grad before and after
    bytes_held: int  # saved by the nodes that have not run yet, after this step
    bytes_total: int

    @property
    def grad_in(self) -> Summary | None:
        """The first gradient that came in; most nodes have one result, and so one gradient."""
        return next((g for g in self.grads_in if g), None)


@dataclass(frozen=True)
class Recording:
    """One backward pass, step by step, in the order the engine took."""

    graph: Graph
    events: tuple[Event, ...]
    gradient: Summary | None  # what backward started from
    call: str  # "Q.backward(gradient=[1, 1])"
