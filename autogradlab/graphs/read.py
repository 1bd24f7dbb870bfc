"""Reading: from a result of either engine to a `Graph`, by walking `grad_fn` and `next_functions`.

A graph keeps only what backward needs, and the picture shows every value that can be known: of
leaves, what a node has saved, and what follows from these by the table of `formulas`. Running the
graph is not done here but in `recording`."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np

from .data import Edge, Graph, GraphNode, Output
from .formulas import inputs_of, replay, rules
from .modules import (
    engine_of_module,
    modules_by_ownership,
    modules_by_watch,
    shared_parameters,
    watch,
)
from .protocol import (
    Call,
    array_of,
    close,
    dtype_of,
    engine_of,
    is_leaf,
    kept,
    numpy_name,
    peek,
    summarize,
)
from .words import DOTS, LABEL, WORDS, Phrase, after, array, named, short_name, write

NOT_FOUND = "element 0 of tensors does not require grad and does not have a grad_fn"
TORCH_LIMIT = 20_000  # nodes, seen one by one; of 50,000 in a chain torch crashes when they go
FEW = 4096  # elements up to which a value is computed again; more would be a second forward pass


def read_graph(
    root: Any,
    names: Mapping[str, Any] | None = None,
    limit: int = 2000,
    model: Any = None,
    watched: watch | None = None,
) -> Graph:
    """The graph that computed `root`, a tensor of autogradlab or PyTorch, as plain data.

    Args:
        root: the result to start from.
        names: what to call tensors, leaves, intermediate or constant ones, {"a": a}; what is not a
            tensor is passed over, so `globals()` will do.
        limit: the most nodes to read; of PyTorch at most 20,000.
        model: the module that computed it: its parameters get their names, "layer1.0.weight", and
            every node the module it belongs to.
        watched: what `with watch(model) as watched:` has seen of the forward pass; without it the
            modules are told by who owns the parameters, and `Graph.exact` is False.

    Raises:
        TypeError: `root` is not a tensor, `model` not a module, or of the other engine.
        RuntimeError: `root` has no graph, in torch's words.
        ValueError: the graph has more than `limit` nodes; `watched` has seen another model, or
            nothing of this graph.

    >>> from autogradlab import tensor
    >>> a = tensor([2.0, 3.0], requires_grad=True)
    >>> b = tensor([6.0, 4.0], requires_grad=True)
    >>> graph = read_graph(3 * a**3 - b**2, {"a": a, "b": b})
    >>> [node.label for node in graph.nodes.values()]
    ['a', 'b', 'a³', '3·a³', 'b²', '3a³ − b²', 'output']
    """
    return Reading(root, names, limit, model, watched).graph


# ------------------------------------------------------------------------------------ the walk


def walk(starts: Sequence[Any], limit: int) -> dict[Any, list[tuple[Any, int]]]:
    """Every node and where its gradients go, in forward order: leaves by first use, then
    operations by age."""
    found: dict[Any, list[tuple[Any, int]]] = {}
    stack = [*starts]
    while stack:
        node = stack.pop()
        if node in found:
            continue
        if len(found) == limit:  # torch cannot delete a very long graph whose nodes were all seen
            raise ValueError(
                f"this graph has more than {limit:,} nodes, too many to draw. Look at a part: "
                "start from an intermediate result, detach() an earlier one, or use fewer steps, "
                "layers or tokens. `read_graph` and `record_backward` read more with a larger "
                "limit, and given the model, a graph folds by module: `graph.fold(1)`"
            )
        found[node] = list(node.next_functions)
        stack += [parent for parent, _ in found[node] if parent is not None]
    operations = by_age({node: to for node, to in found.items() if not is_leaf(node)})
    leaves = [p for node in operations for p, _ in found[node] if p is not None and is_leaf(p)]
    leaves = dict.fromkeys([*leaves, *filter(is_leaf, starts)])
    return {node: found[node] for node in [*leaves, *operations]}


def by_age(nodes: dict[Any, list[tuple[Any, int]]]) -> list[Any]:
    """The oldest first, and always a node after its inputs, also where threads have mixed ages."""
    waiting, consumers = {}, {}
    for node, inputs in nodes.items():
        older = {parent for parent, _ in inputs if parent in nodes}
        waiting[node] = len(older)
        for parent in older:
            consumers.setdefault(parent, []).append(node)
    turn = {node: (node._sequence_nr(), i) for i, node in enumerate(nodes)}
    at = {when: node for node, when in turn.items()}
    heap = [turn[node] for node, count in waiting.items() if not count]
    heapq.heapify(heap)
    order = []
    while heap:
        order.append(at[heapq.heappop(heap)])
        for node in consumers.get(order[-1], ()):
            waiting[node] -= 1
            if not waiting[node]:
                heapq.heappush(heap, turn[node])
    return order


def several_results(
    order: Mapping[Any, list[tuple[Any, int]]], roots: Sequence[Any]
) -> dict[Any, int]:
    """The nodes with several results that can have a gradient, and how many. Operations that the
    table of words writes, such as max(a, 1), have one, and give no gradient beside it."""
    used: dict[Any, int] = {}
    for root in roots:
        used[root.grad_fn] = max(used.get(root.grad_fn, 1), root.output_nr + 1)
    for inputs in order.values():
        for parent, place in inputs:
            used[parent] = max(used.get(parent, 1), place + 1)
    made = {node: len(getattr(node, "_input_metadata", ())) for node in order if not is_leaf(node)}
    return {
        node: max(used.get(node, 1), count)
        for node, count in made.items()
        if used.get(node, 1) > 1 or (count > 1 and node.name() not in WORDS)
    }


@dataclass
class Operand:
    """One input of an operation: how it is written, and its value where it is known."""

    phrase: Phrase
    value: Any = None  # an array, or a number for a constant without dimensions
    short: Phrase = DOTS


class Reading:
    """A graph, and what is needed to run it: the engine's nodes and the arrays, by key."""

    def __init__(
        self,
        root: Any,
        names: Mapping[str, Any] | None = None,
        limit: int = 2000,
        model: Any = None,
        watched: watch | None = None,
        more: Sequence[Any] = (),
    ):
        self.engine = engine_of(root)
        self.check(model, watched)
        if not root.requires_grad:
            raise RuntimeError(NOT_FOUND)
        self.roots = [root, *more]
        starts = [each.grad_fn for each in self.roots]
        if starts[0] is None:  # a leaf: its node shows as the parent of any operation on it
            with self.engine.enable_grad():
                starts[0] = root.view_as(root).grad_fn.next_functions[0][0]
        if self.engine.__name__ == "torch":
            limit = min(limit, TORCH_LIMIT)
        self.order = walk(starts, limit)
        self.keys = {node: f"n{i}" for i, node in enumerate(self.order)}
        self.nodes = {key: node for node, key in self.keys.items()}
        self.leaves = {id(node.variable): k for node, k in self.keys.items() if is_leaf(node)}
        self.written = any(is_leaf(node) and node.variable._version for node in self.order)
        self.several = several_results(self.order, self.roots)
        self.name_tensors(names or {})
        self.places: dict[Any, str] = {}
        if watched is not None:
            self.module_calls, self.places = modules_by_watch(self.order, watched)
        elif model is not None:
            self.module_calls, self.places = modules_by_ownership(self.order, model)
        self.saved = {key: list(kept(node)) for node, key in self.keys.items()}
        self.memory = memory_of(self.saved)
        ends = [self.port(n, r.output_nr) for n, r in zip(starts, self.roots, strict=True)]
        self.real = self.real_values(ends)
        self.replayed: dict[str, np.ndarray] = {}
        self.calls: dict[str, Call] = {}
        self.operands: dict[str, list[Operand]] = {}
        self.results: dict[str, Operand] = {}
        drawn = [self.read(node) for node in self.order]
        if not all(close(self.replayed[k], self.real[k]) for k in self.replayed if k in self.real):
            self.replayed = {}  # a leaf has changed since: these are not the program's values
        self.graph = self.draw(drawn, [self.keys[start] for start in starts], ends)

    def check(self, model: Any, watched: watch | None) -> None:
        """Refuse a model that is none, and what was seen of another."""
        if watched is not None:
            if not isinstance(watched, watch):
                raise TypeError(
                    "watched is what `with watch(model) as watched:` gives, not "
                    f"{type(watched).__name__}"
                )
            if model is not None and model is not watched.model:
                raise ValueError(
                    f"watched saw another model, {type(watched.model).__name__}, not this "
                    f"{type(model).__name__}"
                )
            model = watched.model
        if model is not None and engine_of_module(model) is not self.engine:
            raise TypeError("the model and the tensor belong to different engines")
        self.model, self.watched = model, watched

    def forget(self) -> None:
        """Let go of every tensor, so that backward can free what it frees; the graph stays."""
        self.roots.clear()
        for each in (self.saved, self.real, self.replayed, self.calls, self.operands, self.results):
            each.clear()

    def port(self, node: Any, place: int) -> str:
        """The name of one result of a node: its key, or "n3[1]" if it has several."""
        return f"{self.keys[node]}[{place}]" if node in self.several else self.keys[node]

    def port_of(self, tensor: Any) -> str | None:
        """The port a tensor comes from; None if from none of this graph, or beside its results."""
        known = tensor.grad_fn in self.several or (
            tensor.grad_fn in self.keys and not tensor.output_nr
        )
        return self.port(tensor.grad_fn, tensor.output_nr) if known else None

    def name_tensors(self, names: Mapping[str, Any]) -> None:
        """Sort the given names by what they name; the first of two is kept. The names that a model
        has for its parameters come before those."""
        self.by_leaf: dict[str, str] = {}
        self.by_port: dict[str, str] = {}
        self.constants: dict[tuple[int, tuple[int, ...]], str] = {}
        self.root_name = "output"
        tensors = {n: t for n, t in names.items() if self.engine.is_tensor(t) and n[:1] != "_"}
        pairs = [*tensors.items()]
        if self.model is not None:
            pairs = [*self.model.named_parameters(), *pairs, *self.model.named_buffers()]
        for name, tensor in reversed(pairs):
            if tensor is self.roots[0]:
                self.root_name = name
            if id(tensor) in self.leaves:
                self.by_leaf[self.leaves[id(tensor)]] = name
            elif port := self.port_of(tensor):
                self.by_port[port] = name
            elif tensor.ndim and not tensor.requires_grad:
                self.constants[tensor.data_ptr(), tuple(tensor.shape)] = name
        free = (name for i in range(1, 2 + 2 * len(self.order)) if (name := f"x{i}") not in tensors)
        for key in self.leaves.values():
            self.by_leaf.setdefault(key, next(free))

    def real_values(self, ends: Sequence[str]) -> dict[str, np.ndarray]:
        """What is known without computing: leaves, saved values, the root."""
        real = {self.keys[n]: array_of(n.variable) for n in self.order if is_leaf(n)}
        for saved in self.saved.values():
            for _, tensor in saved:
                if port := self.port_of(tensor):
                    real[port] = array_of(tensor)
        return {**real, **dict(zip(ends, map(array_of, self.roots), strict=True))}

    # --------------------------------------------------------------------------- one by one

    def read(self, node: Any) -> GraphNode:
        return self.leaf(node) if is_leaf(node) else self.operation(node)

    def leaf(self, node: Any) -> GraphNode:
        key, variable = self.keys[node], node.variable
        name = self.by_leaf[key]
        label = name if len(name) <= LABEL else f"…{name[1 - LABEL :]}"
        self.results[key] = Operand(named(name), self.real[key], named(label))
        nn = getattr(self.engine, "nn", None)
        kind = "parameter" if isinstance(variable, getattr(nn, "Parameter", ())) else "leaf"
        shape, dtype = tuple(variable.shape), dtype_of(variable)
        return GraphNode(
            *(key, kind, "AccumulateGrad", label, name, shape, dtype, (), None, ""),
            module=self.places.get(node, ""),
        )

    def operation(self, node: Any) -> GraphNode:
        key, name = self.keys[node], node.name()
        first = self.order[node][0] if self.order[node] else (None, 0)
        call = self.calls[key] = Call(node, self.shape_of(*first, node))
        operands = self.operands[key] = self.inputs(call, key)
        value = self.again(call, operands)
        if value is not None:
            self.replayed[key] = value
        whole = write(call, [each.phrase for each in operands])
        short = write(call, [each.phrase for each in operands], LABEL)
        self.results[key] = self.result(key, whole, short, value)
        for k in range(self.several.get(node, 0)):
            here = f"[{k}]"
            self.results[key + here] = self.result(
                key + here, after(whole, here), after(short, here)
            )
        plain = len(short.text) > LABEL or name not in WORDS
        label = short_name(name)[:LABEL] if plain else short.text
        saved = tuple((attr, self.whose(t, whole), t.nbytes) for attr, t in self.saved[key])
        rule = self.rule(call)
        return GraphNode(
            *(key, "op", name, label, whole.text, call.shape, call.dtype, saved, None, rule),
            module=self.places.get(node, ""),
        )

    def result(self, port: str, whole: Phrase, short: Phrase, value: Any = None) -> Operand:
        """A result as an input of other operations: under its own name, if that is shorter."""
        given = self.by_port.get(port)
        if given and given != self.root_name and len(given) < len(whole.text):
            whole = short = named(given)
        return Operand(whole, self.real.get(port, value), short)

    def rule(self, call: Call) -> str:
        """The formulas of the inputs that want a gradient, a line each."""
        lines = rules().get(call.name, {})
        wanted = [parent is not None for parent, _ in self.order[call.node]]
        wanted = wanted if len(wanted) == len(lines) else [True] * len(lines)
        text = "\n".join(f"{name} = {lines[name]}" for name in compress(lines, wanted))
        return text.replace("scaled(g, alpha)", "g" if call.saved("alpha") == 1 else "g * alpha")

    def shape_of(self, parent: Any, place: int, node: Any) -> tuple[int, ...]:
        """The shape of a node's first input."""
        if parent is None:
            return tuple(peek(node, "self_sym_sizes") or ())
        if is_leaf(parent):
            return tuple(parent.variable.shape)
        if made := getattr(parent, "_input_metadata", ()):
            return tuple(made[place].shape)
        known = self.real.get(self.port(parent, place))  # our nodes with several results say none
        return self.calls[self.keys[parent]].shape if known is None else known.shape

    def inputs(self, call: Call, key: str) -> list[Operand]:
        """The inputs of an operation, with the constants that the node has kept."""
        operands = []
        for slot, (parent, place) in enumerate(self.order[call.node]):
            if parent is None:
                operands.append(self.constant(call, slot))
            else:
                operands.append(self.results[self.port(parent, place)])
        if call.name == "RsubBackward1":  # 1 − a: the number is not an input of the graph
            operands.append(Operand(DOTS))
        return self.completed(call, operands, self.real.get(key))

    def constant(self, call: Call, slot: int) -> Operand:
        """An input without a gradient, if the node has kept it."""
        inputs = inputs_of(call.name)
        kept_one = peek(call.node, inputs[slot]) if slot < len(inputs) else None
        if not hasattr(kept_one, "grad_fn"):
            return Operand(DOTS)
        phrase, a = self.constant_phrase(kept_one), array_of(kept_one)
        return Operand(phrase, a if a.ndim else a.item(), phrase)

    def constant_phrase(self, tensor: Any) -> Phrase:
        name = self.constants.get((tensor.data_ptr(), tuple(tensor.shape))) if tensor.ndim else None
        return named(name) if name else array(array_of(tensor))

    def completed(self, call: Call, operands: list[Operand], y: Any) -> list[Operand]:
        """A sum does not keep its constant: the plainest number that gives exactly the result."""
        missing = [i for i, each in enumerate(operands) if each.value is None]
        if y is None or len(missing) != 1 or len(operands) != 2 or call.saved("alpha") != 1:
            return operands
        if self.written or y.size > FEW:
            return operands  # a leaf was written in place, perhaps after the program read it
        slot = missing[0]
        x = operands[1 - slot].value
        guess = {
            ("AddBackward0", 0): lambda: y - x,
            ("AddBackward0", 1): lambda: y - x,
            ("SubBackward0", 0): lambda: y + x,
            ("SubBackward0", 1): lambda: x - y,
            ("RsubBackward1", 1): lambda: y + x,
        }.get((call.name, slot))
        if guess is None or (self.order[call.node][slot:] and self.order[call.node][slot][0]):
            return operands
        for digits in range(1, 10):
            with np.errstate(all="ignore"):
                number = float(f"{np.ravel(guess())[:1].sum():.{digits - 1}e}")
            filled = [*operands]
            filled[slot] = Operand(array(np.asarray(number)), number, array(np.asarray(number)))
            if np.array_equal(self.again(call, filled), y):
                return filled
        return operands

    def again(self, call: Call, operands: list[Operand]) -> np.ndarray | None:
        """The value of the operation, computed again from its inputs."""
        values = [each.value for each in operands]
        if math.prod(call.shape) > FEW or any(np.size(value) > FEW for value in values):
            return None
        constants = call.saved
        if call.name == "RsubBackward1":
            values, other = values[:1], values[1]
            constants = {"other": other, "alpha": call.saved("alpha")}.get
        try:
            value = replay(call.name, values, constants)
        except (ValueError, IndexError, TypeError):
            # A leaf has been given data of another shape since, or a node saves what we do not.
            return None
        return value if value is None or not call.dtype else value.astype(numpy_name(call.dtype))

    def whose(self, tensor: Any, own: Phrase) -> str:
        """The expression of a saved tensor."""
        if id(tensor) in self.leaves:
            return self.results[self.leaves[id(tensor)]].phrase.text
        if tensor.grad_fn is None:
            phrase = self.constant_phrase(tensor)
            return "constant" if phrase == DOTS else phrase.text
        result = self.results.get(self.port_of(tensor) or "")
        return result.phrase.text if result else own.text

    # ------------------------------------------------------------------------------- the whole

    def outputs(self, node: GraphNode, known: Mapping[str, Any]) -> tuple[Output, ...]:
        """The results of a node that has several."""
        made = []
        for k in range(self.several.get(self.nodes[node.key], 0)):
            port = f"{node.key}[{k}]"
            words = self.results[port].short.text
            label = words if len(words) <= LABEL else f"{short_name(node.name)[: LABEL - 4]}[{k}]"
            made.append(Output(label, summarize(known.get(port))))
        return tuple(made)

    def draw(self, drawn: list[GraphNode], starts: Sequence[str], ends: Sequence[str]) -> Graph:
        """Nodes with the values that are known, edges, and the output."""
        known = {**self.replayed, **self.real}
        nodes = {
            n.key: replace(n, value=summarize(known.get(n.key)), outputs=self.outputs(n, known))
            for n in drawn
        }
        for key, result in self.results.items():
            result.value = known.get(key)
        edges = [
            Edge(self.keys[parent], self.keys[node], slot, self.port(parent, place))
            for node, inputs in self.order.items()
            for slot, (parent, place) in enumerate(inputs)
            if parent is not None
        ]
        out, name = f"n{len(nodes)}", self.root_name
        root = summarize(self.roots[0])
        nodes[out] = GraphNode(out, "output", "", name, name, root.shape, root.dtype, (), root, "")
        pairs = enumerate(zip(starts, ends, strict=True))
        last = [Edge(start, out, i, port) for i, (start, port) in pairs]
        title = self.results[ends[0]].phrase.text
        return Graph(
            nodes,
            (*edges, *last),
            out,
            "PyTorch" if self.engine.__name__ == "torch" else "autogradlab",
            title if name in ("output", title) else f"{name} = {title}",
            calls=self.module_calls if self.places else {},
            exact=self.watched is not None and self.watched.exact,
            shared=shared_parameters(self.model) if self.model is not None else (),
            memory=self.numbered_memory(),
        )

    def numbered_memory(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """What each node has saved, pieces of memory as numbers instead of addresses."""
        number: dict[Any, int] = {}
        return {
            key: tuple((number.setdefault(at, len(number)), size) for at, size in own.items())
            for key, own in self.memory.items()
        }


def memory_of(saved: Mapping[str, list[tuple[str, Any]]]) -> dict[str, dict[Any, int]]:
    """The bytes that each node has saved, by where in memory they are."""
    memory: dict[str, dict[Any, int]] = {}
    for key, tensors in saved.items():
        for _, tensor in tensors:
            where = tensor.data_ptr() if tensor.ndim else tensor.grad_fn or id(tensor)
            memory.setdefault(key, {})[where] = tensor.nbytes
    return memory
