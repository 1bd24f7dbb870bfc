"""The plain data every picture is drawn from: a `Graph` as it was recorded and a `Recording` of one
backward pass. Nothing here knows an engine: no tensors, no nodes, only text, numbers and tuples, so
`dataclasses.asdict` turns each of them into JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Histogram:
    """How large the elements of one tensor are: their number by log₁₀|x|.

    Gradients differ by many powers of ten from layer to layer, and what one looks for is where the
    bulk lies, so the axis is the logarithm. A bin is a factor of two, and its edges are powers of
    two, the same for every tensor: histograms of several layers or steps add up bin by bin. Zeros,
    which have no logarithm and tell of dead units, are counted apart; so are inf and nan.
    """

    edges: tuple[float, ...]  # log₁₀|x|, one more than counts; () when nothing is to be counted
    counts: tuple[int, ...]
    zeros: int
    nonfinite: int
    size: int  # elements looked at: counts + zeros + nonfinite
    sampled: bool  # whether these are evenly strided elements of a larger tensor


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
    histogram: Histogram | None = None  # of a tensor whose `values` are None

    @property
    def numel(self) -> int:
        """The number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class ModuleCall:
    """One call of a module's `forward`, within the call of another or within none."""

    key: str  # "m0", "m1", … in the order they began; safe in DOT, HTML and CSS, unlike a path
    path: str  # "layer1.0.conv1"; "" for the model itself
    kind: str  # "Conv2d", the name of its class
    call: int  # 1, 2, …: counted by path among the calls that made a node of the graph
    parent: str  # key of the call around it; "" for none

    @property
    def name(self) -> str:
        """The path, and which call it is after the first.

        >>> ModuleCall("m2", "block", "Block", 2, "m0").name
        'block (call 2)'
        """
        return (self.path or self.kind) + (f" (call {self.call})" if self.call > 1 else "")


@dataclass(frozen=True)
class Inside:
    """What a folded module holds."""

    nodes: tuple[str, ...]  # their keys in the graph it was folded from, in forward order
    parameters: int  # tensors
    parameter_numel: int  # elements
    parameter_bytes: int
    saved_bytes: int  # what its nodes have saved; memory that several have saved counts once
    part: int  # 1; a call that cannot be one node without a cycle is several parts
    parts: int


@dataclass(frozen=True)
class GraphNode:
    """A leaf with its `.grad` cup, an operation, a folded module, or the output."""

    key: str  # "n0", "n1", … in forward order, inputs first; a module has the key of its call
    kind: str  # "leaf" | "parameter" | "op" | "module" | "output"
    # torch's node name; "AccumulateGrad" for a leaf or parameter, the class of a module, "" for the
    # output
    name: str
    label: str  # "a³"; at most 14 characters
    expression: str  # the label in full
    shape: tuple[int, ...]
    dtype: str  # "" when it cannot be known without running the graph
    saved: tuple[tuple[str, str, int], ...]  # (attribute "self", whose value "a", bytes)
    value: Summary | None  # the forward value where it is known, else None
    rule: str  # "self = g * (exponent * self ** (exponent - 1))", one line per input; "" if unknown
    outputs: tuple[Output, ...] = ()  # of a node that has several; `value` is then None
    module: str = ""  # key of the innermost call that made it; of a module, the call around it
    inside: Inside | None = None  # of a folded module


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
    root: str  # key of the "output" node, whose edges come from the root operations, mostly one
    engine: str  # "autogradlab" | "PyTorch"
    title: str  # "Q = 3a³ − b²"
    calls: dict[str, ModuleCall] = field(default_factory=dict)  # by key, in the order they began
    exact: bool = False  # whether the calls were seen in the forward pass, not guessed afterwards
    shared: tuple[tuple[str, ...], ...] = ()  # names of one parameter; the first is its owner's
    # What each node has saved, as (number of a piece of memory, bytes): nodes may share one.
    memory: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def result(self, port: str) -> GraphNode | Output:
        """What a gradient goes to: a node, or one result of a node that has several."""
        key, _, place = port.partition("[")
        return self.nodes[key].outputs[int(place[:-1])] if place else self.nodes[key]

    def modules_around(self, key: str) -> tuple[str, ...]:
        """Keys of the module calls that node `key` lies in, from the outermost to the innermost."""
        around, call = [], self.nodes[key].module
        while call:
            around.append(call)
            call = self.calls[call].parent
        return tuple(reversed(around))

    def fold(self, depth: int | None = None, *, open: Iterable[str] | None = None) -> Graph:
        """The graph with every closed module as one node; see `graphs.fold.fold`."""
        from .fold import fold

        return fold(self, depth, open=open)

    def repeats(self) -> tuple[tuple[str, ...], ...]:
        """Calls that follow each other and do the same; see `graphs.fold.repeats`."""
        from .fold import repeats

        return repeats(self)

    def save(self, path: str, by: str = "", leaf: str = "") -> Path:
        """Into a file, by its ending .svg, .png, .dot or .json; see `graphs.export.save`."""
        from .export import save

        return save(self, path, by, leaf)

    def to_json(self) -> str:
        """As JSON text; see `graphs.exchange.to_json`."""
        from .exchange import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str) -> Graph:
        """A graph from its JSON text; see `graphs.exchange.from_json`."""
        from .exchange import from_json

        return from_json(text, Graph)

    def to_dot(self) -> str:
        """As text for Graphviz; see `graphs.exchange.to_dot`."""
        from .exchange import to_dot

        return to_dot(self)


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
    parameters_norm: float | None = None  # of a module: of all gradients kept in its parameters

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
    error: str = ""  # "ZeroDivisionError: stop" if the pass stopped there, after the last event

    def save(self, path: str, by: str = "", leaf: str = "") -> Path:
        """Into a file, by its ending .svg, .png, .dot or .json; see `graphs.export.save`."""
        from .export import save

        return save(self, path, by, leaf)

    def fold(self, depth: int | None = None, *, open: Iterable[str] | None = None) -> Recording:
        """The same pass on the folded graph; see `graphs.fold.fold_recording`."""
        from .fold import fold_recording

        return fold_recording(self, self.graph.fold(depth, open=open))
