"""Reading: from a result of either engine to a `Graph`, by walking `grad_fn` and `next_functions`.

The walk is iterative, keys are given in forward order, and nothing is kept of the engine's objects
except in `Reading`, which the recorder needs to find the nodes again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .data import Edge, Graph, GraphNode, Summary
from .words import WORDS, Term, atom, number_text, unknown

LONGEST_LABEL = 14


@dataclass
class Reading:
    """A graph with what is needed to run it: the engine's nodes by key."""

    graph: Graph
    nodes: dict[str, Any]  # key → node of the engine, without the output
    values: dict[str, np.ndarray]
    terms: dict[str, Term]
    engine: Any
    before: dict[int, Any] = field(default_factory=dict)  # id of a leaf → its .grad


def engine_of(tensor: Any) -> Any:
    """The module of the engine a tensor belongs to."""
    engine = sys.modules.get(type(tensor).__module__.partition(".")[0])
    if engine is None or not getattr(engine, "is_tensor", lambda x: False)(tensor):
        raise TypeError(f"expected a tensor of autogradlab or PyTorch, not {type(tensor).__name__}")
    return engine


def array_of(tensor: Any) -> np.ndarray:
    return np.asarray(tensor.detach())


def summarize(tensor: Any) -> Summary | None:
    """A tensor or array in numbers; None for None."""
    if tensor is None:
        return None
    a = array_of(tensor) if hasattr(tensor, "detach") else np.asarray(tensor)
    finite = np.isfinite(a) if a.dtype.kind == "f" else np.ones(a.shape, bool)
    kept = a[finite].astype(np.float64)
    few = kept if kept.size else np.zeros(1)
    flat = a.ravel()
    return Summary(
        tuple(a.shape),
        str(a.dtype),
        float(np.sqrt(np.sum(kept * kept))),
        float(few.mean()),
        float(few.min()),
        float(few.max()),
        int(a.size - np.count_nonzero(a)),
        int(a.size - np.count_nonzero(finite)),
        nested(a.tolist()) if a.size <= 64 else None,
        int(a.nbytes),
        () if a.size <= 64 else tuple(float(flat[i]) for i in (0, 1, -1)),
    )


def nested(x: Any) -> Any:
    return tuple(nested(y) for y in x) if isinstance(x, list) else x


def read_graph(root: Any, names: Mapping[str, Any] | None = None, limit: int = 2000) -> Graph:
    """The graph that computed `root`.

    Args:
        root: a tensor of either engine that has a gradient.
        names: what to call tensors, leaves or intermediate ones.
        limit: more nodes than this are refused.

    Raises:
        TypeError: not a tensor. RuntimeError: no graph, in torch's words. ValueError: too large.
    """
    return read(root, names, limit).graph


def read(root: Any, names: Mapping[str, Any] | None = None, limit: int = 2000) -> Reading:
    """`read_graph`, with the engine's nodes."""
    engine = engine_of(root)
    if not root.requires_grad:
        raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
    names = {name: t for name, t in (names or {}).items() if engine.is_tensor(t)}
    start = root.grad_fn
    if start is None:  # a leaf: its accumulator shows as the parent of any operation on it
        with engine.enable_grad():
            start = root.view_as(root).grad_fn.next_functions[0][0]
    order = forward_order(start, limit)
    keys = {node: f"n{i}" for i, node in enumerate(order)}
    reader = Reader(engine, names, keys, root)
    nodes = {keys[node]: reader.node(node) for node in order}
    edges = [
        Edge(keys[parent], keys[node], slot)
        for node in order
        for slot, (parent, _) in enumerate(node.next_functions)
        if parent is not None
    ]
    last, out = keys[start], f"n{len(order)}"
    name = reader.root_name
    real = array_of(root)
    if last not in reader.values or not same(reader.values[last], real):
        # The replay went another way than the program: only what is certain is shown.
        for key in [k for k in reader.values if nodes[k].kind == "op"]:
            del reader.values[key]
        reader.values[last] = real
    nodes = {k: with_value(n, reader.values.get(k)) for k, n in nodes.items()}
    nodes[last] = with_value(nodes[last], real)
    shape, dtype = tuple(root.shape), str(real.dtype)
    nodes[out] = GraphNode(out, "output", "", name, name, shape, dtype, (), summarize(real), "")
    edges.append(Edge(last, out, 0))
    title = f"{name} = {reader.terms[last].text}"
    engine_name = "PyTorch" if engine.__name__ == "torch" else "autogradlab"
    graph = Graph(nodes, tuple(edges), out, engine_name, title)
    return Reading(graph, {k: n for n, k in keys.items()}, reader.values, reader.terms, engine)


def forward_order(start: Any, limit: int) -> list[Any]:
    """Every node, inputs before what is computed from them, without recursion."""
    order: list[Any] = []
    done, entered = set(), set()
    stack = [start]
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
            continue
        parents = [p for p, _ in node.next_functions if p is not None]
        if node not in entered:
            entered.add(node)
            if len(entered) > limit:
                raise ValueError(
                    f"this graph has more than {limit:,} nodes, too many to draw: look at a "
                    "smaller part of the computation, or pass a larger `limit`"
                )
            todo = [p for p in reversed(parents) if p not in entered]
            if todo:
                stack.extend(todo)
                continue
        stack.pop()
        done.add(node)
        order.append(node)
    return order


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)


def with_value(node: GraphNode, value: np.ndarray | None) -> GraphNode:
    if value is None:
        return node
    return GraphNode(**{**vars(node), "value": summarize(value), "shape": tuple(value.shape),
                        "dtype": str(value.dtype)})  # fmt: skip


class Reader:
    """Turns engine nodes, inputs first, into graph nodes with names and values."""

    def __init__(
        self, engine: Any, names: Mapping[str, Any], keys: dict[Any, str], root: Any
    ) -> None:
        self.engine, self.keys, self.root = engine, keys, root
        self.by_leaf = {id(t): name for name, t in names.items() if t.grad_fn is None}
        self.by_node = {t.grad_fn: name for name, t in names.items() if t.grad_fn is not None}
        self.root_name = next((n for n, t in names.items() if t is root), "output")
        self.terms: dict[str, Term] = {}
        self.values: dict[str, np.ndarray] = {}
        self.leaves = 0

    def node(self, node: Any) -> GraphNode:
        return self.leaf(node) if hasattr(node, "variable") else self.operation(node)

    def leaf(self, node: Any) -> GraphNode:
        key, variable = self.keys[node], node.variable
        self.leaves += 1
        name = self.by_leaf.get(id(variable), f"leaf {self.leaves}")
        self.terms[key], self.values[key] = atom(name), array_of(variable)
        kind = "parameter" if type(variable).__name__ == "Parameter" else "leaf"
        value = summarize(variable)
        return GraphNode(key, kind, "AccumulateGrad", short(name, "leaf"), name, value.shape,
                         value.dtype, (), value, "")  # fmt: skip

    def operation(self, node: Any) -> GraphNode:
        key, name = self.keys[node], node.name()
        word = WORDS.get(name) or unknown(name)
        parents = [p for p, _ in node.next_functions]
        terms, values = [], []
        for slot, parent in enumerate(parents):
            if parent is None:
                constant = self.constant(node, slot)
                terms.append(atom("…" if constant is None or constant.ndim else
                                  number_text(constant.item())))  # fmt: skip
                values.append(constant)
            else:
                terms.append(self.terms[self.keys[parent]])
                values.append(self.values.get(self.keys[parent]))
        saved = saved_of(node)
        try:
            term = word.write(saved, *terms)
        except TypeError:  # a number of inputs the table does not expect
            term = unknown(name).write(saved, *terms)
        own = self.by_node.get(node)
        self.terms[key] = atom(own) if own and own != self.root_name else term
        value = self.value(word, saved, values)
        if value is not None:
            self.values[key] = value
        shape, dtype = (tuple(value.shape), str(value.dtype)) if value is not None else ((), "")
        label = short(term.text, name)
        return GraphNode(key, "op", name, label, term.text, shape, dtype,
                         self.kept(node, terms, term), None, word.rule)  # fmt: skip

    def constant(self, node: Any, slot: int) -> np.ndarray | None:
        """The value of an input that has no gradient, if the node has saved it."""
        for attribute in (("self", "mat1"), ("other", "mat2", "vec", "exponent", "tensor"))[
            slot > 0
        ]:
            found = getattr(node, f"_saved_{attribute}", None)
            if self.engine.is_tensor(found):
                return array_of(found)
        return None

    @staticmethod
    def value(word: Any, saved: Any, values: list[Any]) -> np.ndarray | None:
        if word.replay is None or any(v is None for v in values):
            return None
        kinds = {v.dtype for v in values if v.ndim} or {v.dtype for v in values}
        floats = [k for k in kinds if k.kind == "f"]
        with np.errstate(all="ignore"):
            out = np.asarray(word.replay(saved, *values))
        return out.astype(max(floats, key=lambda k: k.itemsize)) if floats else out

    def kept(self, node: Any, terms: list[Term], own: Term) -> tuple[tuple[str, str, int], ...]:
        """What the node holds for backward: attribute, whose value it is, bytes."""
        out = []
        parents = [p for p, _ in node.next_functions]
        for attribute in saved_names(node):
            tensor = getattr(node, attribute)
            name = attribute.removeprefix("_saved_")
            slot = {
                "self": 0,
                "mat1": 0,
                "other": 1,
                "mat2": 1,
                "vec": 1,
                "exponent": 1,
                "tensor": 1,
            }.get(name)
            constant = slot is not None and (slot >= len(parents) or parents[slot] is None)
            if not self.engine.is_tensor(tensor) or (constant and not tensor.ndim):
                continue
            whose = (
                own.text
                if name == "result" or slot is None or slot >= len(terms)
                else terms[slot].text
            )
            out.append((name, whose, array_of(tensor).nbytes))
        return tuple(out)


def saved_names(node: Any) -> list[str]:
    return sorted(n for n in dir(node) if n.startswith("_saved_"))


def saved_of(node: Any) -> Any:
    """Constants the node keeps, by name; None for what it does not have."""
    return lambda name: getattr(node, f"_saved_{name}", None)


def short(text: str, name: str) -> str:
    if len(text) <= LONGEST_LABEL:
        return text
    return (
        name.partition("Backward")[0].lower()
        if "Backward" in name
        else text[: LONGEST_LABEL - 1] + "…"
    )
