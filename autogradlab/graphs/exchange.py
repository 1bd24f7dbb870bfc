"""Graphs and recordings as text: JSON, there and back, and DOT.

What is read is checked against the types declared in `data`, field by field, and then for what they
cannot say: that edges join nodes of the graph, forwards. Nothing is executed.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import graphviz

from .data import Graph, GraphNode, Recording
from .style import one_line

T = TypeVar("T", Graph, Recording)


def to_json(data: Graph | Recording) -> str:
    """A graph or a recording as JSON. Numbers that JSON has no way to write are the texts "nan",
    "inf" and "-inf".

    >>> from autogradlab import ones
    >>> from autogradlab.graphs import read_graph
    >>> graph = read_graph(ones(2, requires_grad=True) * 3)
    >>> from_json(to_json(graph), Graph) == graph
    True
    """
    return json.dumps(_plain(dataclasses.asdict(data)), ensure_ascii=False, allow_nan=False)


def _plain(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: _plain(value) for key, value in x.items()}
    if isinstance(x, tuple | list):
        return [_plain(each) for each in x]
    return str(x) if isinstance(x, float) and not math.isfinite(x) else x


def from_json(text: str, kind: type[T]) -> T:
    """The graph or recording (`kind`) of a text that `to_json` has written.

    Raises:
        ValueError: the text is no JSON, or not of such a thing; the message says where.

    >>> from_json('{"nodes": 3}', Graph)
    Traceback (most recent call last):
    ValueError: nodes: expected an object, not 3
    """
    try:
        found = _read(kind, json.loads(text), "")
    except json.JSONDecodeError as error:
        raise ValueError(f"this is no JSON: {error}") from None
    except RecursionError:
        raise ValueError("this JSON is nested too deeply") from None
    graph = found if isinstance(found, Graph) else found.graph
    _check(graph)
    if isinstance(found, Recording):
        for event in found.events:
            _known(event.key in graph.nodes, "events", event.key)
            for port in event.grads_out:
                _known(_is_port(graph, port), "grads_out", port)
    return found


# ------------------------------------------------------------------------------- by declared type


def _read(kind: Any, x: Any, where: str) -> Any:
    """`x` as a value of the declared type; `where` is its path, for the message."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is tuple:  # of numbers, nested: the elements of a tensor
        return _numbers(_as(list, "a list", x, where), where)
    if origin in (types.UnionType, typing.Union):
        return _one_of(parts, x, where)
    if origin is tuple:
        items = _as(list, "a list", x, where)
        if parts[-1] is not ...:
            if len(items) != len(parts):
                raise ValueError(f"{where}: expected {len(parts)} items, not {len(items)}")
            pairs = zip(parts, items, strict=True)
        else:
            pairs = ((parts[0], each) for each in items)
        return tuple(_read(part, each, f"{where}[{i}]") for i, (part, each) in enumerate(pairs))
    if origin is dict:
        items = _as(dict, "an object", x, where).items()
        return {key: _read(parts[1], each, _path(where, key)) for key, each in items}
    if dataclasses.is_dataclass(kind):
        return _record(kind, _as(dict, "an object", x, where), where)
    if kind is float:
        return _number(x, where)
    if kind is types.NoneType:
        return _as(types.NoneType, "null", x, where)
    if type(x) is not kind:  # True is no whole number here
        names = {int: "a whole number", str: "a text", bool: "true or false"}
        raise ValueError(f"{where}: expected {names[kind]}, not {_shown(x)}")
    return x


def _one_of(kinds: tuple[Any, ...], x: Any, where: str) -> Any:
    """One of several types: null is told from the rest, and then a list from a number."""
    if x is None and types.NoneType in kinds:
        return None
    rest = [kind for kind in kinds if kind is not types.NoneType]
    if tuple in rest:
        return _numbers(x, where)
    return _read(rest[0], x, where)


def _record(kind: Any, x: dict[str, Any], where: str) -> Any:
    """A dataclass: every field that has no default, and no other."""
    hints = _hints(kind)
    if unknown := x.keys() - hints.keys():
        raise ValueError(f"{where or kind.__name__}: there is no {min(unknown)!r}")
    made = {name: _read(hints[name], value, _path(where, name)) for name, value in x.items()}
    for each in dataclasses.fields(kind):
        needed = each.default is each.default_factory is dataclasses.MISSING
        if needed and each.name not in made:
            raise ValueError(f"{where or kind.__name__}: {each.name!r} is missing")
    return kind(**made)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _numbers(x: Any, where: str) -> Any:
    if isinstance(x, list):
        return tuple(_numbers(each, where) for each in x)
    return x if isinstance(x, bool | int) else _number(x, where)


def _number(x: Any, where: str) -> float:
    if type(x) in (int, float):
        return x
    if x in ("nan", "inf", "-inf"):
        return float(x)
    raise ValueError(f"{where}: expected a number, not {_shown(x)}")


def _as(kind: type, words: str, x: Any, where: str) -> Any:
    if not isinstance(x, kind):
        raise ValueError(f"{where or 'the whole'}: expected {words}, not {_shown(x)}")
    return x


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 40 else f"{text[:40]}…"


# -------------------------------------------------------------------------- what types do not say


def _check(graph: Graph) -> None:
    """Keys that name nothing, edges that do not lead forwards, calls within themselves."""
    place = {key: i for i, key in enumerate(graph.nodes)}
    _known(graph.root in graph.nodes, "root", graph.root)
    for key, node in graph.nodes.items():
        _known(node.key == key, "nodes", key)
        _known(not node.module or node.module in graph.calls, "module", node.module)
    for i, edge in enumerate(graph.edges):
        for end in (edge.source, edge.target):
            _known(end in graph.nodes, f"edges[{i}]", end)
        _known(_is_port(graph, edge.port), f"edges[{i}].port", edge.port)
        if place[edge.source] >= place[edge.target]:
            raise ValueError(f"edges[{i}]: {edge.target} does not come after {edge.source}")
    before = {""}
    for key, call in graph.calls.items():
        _known(call.key == key, "calls", key)
        _known(call.parent in before, "parent", call.parent)
        before.add(key)


def _known(holds: bool, where: str, key: str) -> None:
    if not holds:
        raise ValueError(f"{where}: {_shown(key)} names nothing that is there")


def _is_port(graph: Graph, port: str) -> bool:
    key, bracket, place = port.partition("[")
    if key not in graph.nodes:
        return False
    outputs = len(graph.nodes[key].outputs)
    return not bracket or (place[:-1].isdigit() and place[-1:] == "]" and int(place[:-1]) < outputs)


# ------------------------------------------------------------------------------------------- DOT


def to_dot(graph: Graph) -> str:
    """The graph as a text for Graphviz, values flowing down: leaves and parameters as ellipses,
    operations as boxes, closed modules as boxes with a double frame, the nodes of an open module in
    a frame of its own.

    >>> from autogradlab import ones
    >>> from autogradlab.graphs import read_graph
    >>> a = ones(2, requires_grad=True)
    >>> print(to_dot(read_graph(a * 3, {"a": a})).expandtabs(4))
    digraph {
        node [shape=box]
        n0 [label=a shape=ellipse]
        n1 [label="3·a"]
        n2 [label=output shape=plain]
        n0 -> n1
        n1 -> n2
    }
    <BLANKLINE>
    """
    dot = graphviz.Digraph(node_attr={"shape": "box"})
    members: dict[str, list[GraphNode]] = {}
    for node in graph.nodes.values():
        members.setdefault(node.module, []).append(node)
    children: dict[str, list[str]] = {}
    shown = {call for key in graph.nodes for call in graph.modules_around(key)}
    for key, call in graph.calls.items():
        if key in shown:
            children.setdefault(call.parent, []).append(key)
    stack: list[tuple[str, Any, Callable[[], None] | None]] = [("", dot, None)]
    while stack:  # no recursion: modules may lie in each other deeper than Python's stack
        call, frame, close = stack.pop()
        if close:
            close()
            continue
        for node in members.get(call, ()):
            frame.node(node.key, label=_dot_text(_dot_label(node)), **_dot_style(node))
        for key in reversed(children.get(call, ())):
            inner = graphviz.Digraph(name=f"cluster_{key}")
            inner.attr(label=_dot_text(graph.calls[key].name))
            stack.append(("", None, lambda outer=frame, inner=inner: outer.subgraph(inner)))
            stack.append((key, inner, None))
    for edge in graph.edges:
        dot.edge(edge.source, edge.target)
    return dot.source


def _dot_text(text: str) -> str:
    """A text as it stands; a control character would end it, or not be seen."""
    lines = (graphviz.escape(one_line(line)) for line in text.split("\n"))
    return graphviz.nohtml(r"\n".join(lines))  # a number before a true line break is not quoted


def _dot_label(node: GraphNode) -> str:
    if node.inside is None:
        return node.label
    count = len(node.inside.nodes)
    return f"{node.expression}\n{node.name}, {count} node{'s' * (count > 1)}"


def _dot_style(node: GraphNode) -> dict[str, str]:
    styles = {"leaf": "ellipse", "parameter": "ellipse", "output": "plain"}
    if node.kind in styles:
        return {"shape": styles[node.kind]}
    return {"peripheries": "2"} if node.kind == "module" else {}
