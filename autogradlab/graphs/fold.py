"""Folding: a graph, or a recording, in which every closed module is one node.

A folded graph is a graph like any other. A module call can always be one node if it was seen as it
happened; guessed modules may lie across each other, and then one is split into parts, since two
nodes that need each other's result could not be drawn, or run, in any order.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import replace

from .data import Edge, Event, Graph, GraphNode, Inside, ModuleCall, Output, Recording, Summary
from .words import LABEL


def fold(graph: Graph, depth: int | None = None, *, open: Iterable[str] | None = None) -> Graph:
    """The graph with every closed module as one node of kind "module".

    Parameters that only a closed module uses are folded with it. The nodes of open modules keep
    their place, `GraphNode.module`, to be framed.

    Args:
        depth: how many levels of calls are open: 0 folds the whole model into one node, 1, the
            default, each module that the model's own `forward` calls. A module that calls no other
            stays folded at any depth: a layer is a layer.
        open: instead of a depth the open modules, by path ("layer1", "layer1.0") or by the key of a
            call ("m6"). The model itself is open; a module in a closed one does not show.

    Raises:
        ValueError: a module that is in none of the calls, a negative depth, a graph that is folded
            already.

    >>> from autogradlab import nn, ones
    >>> from autogradlab.graphs import read_graph, watch
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    >>> with watch(model) as seen:
    ...     loss = model(ones(1, 2)).sum()
    >>> graph = read_graph(loss, watched=seen)
    >>> len(graph.nodes), [node.label for node in graph.fold(1).nodes.values()]
    (11, ['0', '1', '2', 'sum(…)', 'output'])
    """
    if any(node.kind == "module" for node in graph.nodes.values()):
        raise ValueError("this graph is folded already: fold the graph that was read")
    closed = closed_calls(graph, depth, open)
    supers = in_parts(graph, {key: closed[node.module] for key, node in graph.nodes.items()})
    inside: dict[str, list[str]] = {}
    for key in graph.nodes:
        inside.setdefault(supers[key], []).append(key)
    ports = leaving(graph, supers)
    edges = merged(graph, supers, ports)
    parts = {call: sum(s.partition("p")[0] == call for s in inside) for call in graph.calls}
    nodes = {}
    for key in in_order(inside, edges):
        if key in graph.nodes:
            nodes[key] = graph.nodes[key]
        else:
            call, _, part = key.partition("p")
            out = [port for port, new in ports.items() if new.partition("[")[0] == key]
            nodes[key] = module_node(
                *(graph, graph.calls[call], key, inside[key], out),
                *(int(part or 1), parts[call]),
            )
    return replace(graph, nodes=nodes, edges=edges)


def closed_calls(
    graph: Graph, depth: int | None, open: Iterable[str] | None
) -> dict[str, str | None]:
    """For each call the outermost closed one around it, or None; also for "", outside all."""
    if depth is not None and open is not None:
        raise ValueError("give a depth or the open modules, not both")
    if depth is not None and depth < 0:
        raise ValueError(f"the depth is 0 or more, not {depth}")
    opened = {open} if isinstance(open, str) else set(open or ())
    known = {*graph.calls, *(call.path for call in graph.calls.values())}
    if unknown := sorted(opened - known):
        raise ValueError(f"no module {unknown[0]!r} has made a node of this graph")
    level, closed, calling = {"": 0}, {"": None}, {c.parent for c in graph.calls.values()}
    for key, call in graph.calls.items():  # a call comes after the one around it
        level[key] = level[call.parent] + 1
        if open is None:
            deepest = 1 if depth is None else depth
            shut = level[key] > deepest or (level[key] > 1 and key not in calling)
        else:
            shut = bool(call.path) and not {key, call.path} & opened
        closed[key] = closed[call.parent] or (key if shut else None)
    return closed


def in_parts(graph: Graph, groups: dict[str, str | None]) -> dict[str, str]:
    """For each node the node of the folded graph it goes into: itself, or a part of its group.

    In forward order, a node goes into the last part of its group unless that part leads, by way of
    others, to one of its inputs; then a new part begins. So no cycle can come about.
    """
    inputs: dict[str, list[str]] = {key: [] for key in graph.nodes}
    outputs: dict[str, list[str]] = {key: [] for key in graph.nodes}
    for edge in graph.edges:
        inputs[edge.target].append(edge.source)
        outputs[edge.source].append(edge.target)
    operations = [key for key, node in graph.nodes.items() if not is_input(node)]
    supers: dict[str, str] = {}
    above: dict[str, set[str]] = {}  # between nodes of the folded graph
    first: dict[str, int] = {}  # when the first node went in, and the last
    last: dict[str, int] = {}
    current: dict[str, str] = {}
    count: dict[str, int] = {}
    for turn, key in enumerate(operations):
        group, parents = groups[key], {supers[p] for p in inputs[key] if p in supers}
        name = key if group is None else current.get(group)
        if group is not None and (
            name is None or leads_to(name, parents - {name}, above, first, last)
        ):
            count[group] = count.get(group, 0) + 1
            name = current[group] = group + (f"p{count[group]}" if count[group] > 1 else "")
        supers[key] = name
        above.setdefault(name, set()).update(parents - {name})
        first.setdefault(name, turn)
        last[name] = turn
    for key, node in graph.nodes.items():
        if is_input(node):
            users = {supers[each] for each in outputs[key]}
            whole = len(users) == 1 and all(part.partition("p")[0] == groups[key] for part in users)
            supers[key] = users.pop() if whole else key
    return supers


def is_input(node: GraphNode) -> bool:
    return node.kind in ("leaf", "parameter")


def leads_to(
    name: str,
    targets: set[str],
    above: dict[str, set[str]],
    first: dict[str, int],
    last: dict[str, int],
) -> bool:
    """Whether a way leads from `name` down to one of the targets; what got its last node before
    `name` got its first cannot lie on it."""
    stack, seen = [t for t in targets if last[t] > first[name]], set()
    while stack:
        each = stack.pop()
        if each == name:
            return True
        if each not in seen:
            seen.add(each)
            stack += [up for up in above[each] if last[up] > first[name] or up == name]
    return False


def leaving(graph: Graph, supers: dict[str, str]) -> dict[str, str]:
    """For each port that goes from one node of the folded graph to another, its name there."""
    by_super: dict[str, list[str]] = {}
    for edge in graph.edges:
        if supers[edge.source] != supers[edge.target]:
            found = by_super.setdefault(supers[edge.source], [])
            if edge.port not in found[-1:] and edge.port not in found:
                found.append(edge.port)
    names = {}
    for key, ports in by_super.items():
        whole = key in graph.nodes
        for k, port in enumerate(ports):
            names[port] = port if whole else key if len(ports) == 1 else f"{key}[{k}]"
    return names


def merged(graph: Graph, supers: dict[str, str], ports: dict[str, str]) -> tuple[Edge, ...]:
    """The edges between nodes of the folded graph; a result enters a module once."""
    edges: list[Edge] = []
    entered: dict[str, dict[str, None]] = {}  # by module, the ports that go in
    for edge in graph.edges:
        source, target = supers[edge.source], supers[edge.target]
        if source == target:
            continue
        port = ports[edge.port]
        if target in graph.nodes:
            edges.append(Edge(source, target, edge.slot, port))
        elif port not in (known := entered.setdefault(target, {})):
            edges.append(Edge(source, target, len(known), port))
            known[port] = None
    return tuple(edges)


def in_order(inside: dict[str, list[str]], edges: Iterable[Edge]) -> list[str]:
    """The nodes of the folded graph, sources before targets, otherwise as they are."""
    place = {key: i for i, key in enumerate(inside)}
    waiting, targets = dict.fromkeys(inside, 0), {key: [] for key in inside}
    for edge in edges:
        waiting[edge.target] += 1
        targets[edge.source].append(edge.target)
    heap = [(place[key], key) for key, n in waiting.items() if not n]
    heapq.heapify(heap)
    order = []
    while heap:
        _, key = heapq.heappop(heap)
        order.append(key)
        for target in targets[key]:
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(heap, (place[target], target))
    return order


def module_node(
    graph: Graph,
    call: ModuleCall,
    key: str,
    inside: list[str],
    out: list[str],
    part: int,
    parts: int,
) -> GraphNode:
    """A closed module as one node."""
    nodes = [graph.nodes[each] for each in inside]
    parameters = [node for node in nodes if is_input(node)]
    name = call.path or call.kind
    results = [graph.result(port) for port in out]
    shapes = [shape_and_type(each) for each in results]
    shape, dtype = shapes[0] if len(set(shapes)) == 1 else ((), "")
    blocks = {block for each in inside for block in graph.memory.get(each, ())}
    about = Inside(
        nodes=tuple(inside),
        parameters=len(parameters),
        parameter_numel=sum(math.prod(node.shape) for node in parameters),
        parameter_bytes=sum(node.value.nbytes for node in parameters if node.value),
        saved_bytes=sum(size for _, size in blocks),
        part=part,
        parts=parts,
    )
    return GraphNode(
        key=key,
        kind="module",
        name=call.kind,
        label=name if len(name) <= LABEL else f"…{name[1 - LABEL :]}",
        expression=call.name + (f", part {part} of {parts}" if parts > 1 else ""),
        shape=shape,
        dtype=dtype,
        saved=(),
        value=results[0].value if len(results) == 1 else None,
        rule="",
        outputs=tuple(Output(each.label, each.value) for each in results) if out[1:] else (),
        module=call.parent,
        inside=about,
    )


def shape_and_type(result: GraphNode | Output) -> tuple[tuple[int, ...], str]:
    about = result.value if isinstance(result, Output) or result.value else result
    return (about.shape, about.dtype) if about else ((), "")


# ------------------------------------------------------------------------------------ recordings


def fold_recording(recording: Recording, folded: Graph) -> Recording:
    """A recording of the folded graph: one event for each of its nodes that ran.

    The event of a module stands where the last of its operations ran. What it sends to a result
    that other nodes use too is not in `grads_out` if several of its nodes sent to it: the norm of a
    sum does not follow from those of its terms.
    """
    graph = recording.graph
    supers = {each: key for key, n in folded.nodes.items() for each in (n.inside or one(key)).nodes}
    ports, events = leaving(graph, supers), {event.key: event for event in recording.events}
    senders: dict[str, set[str]] = {}  # by port of the graph, the nodes its gradients come from
    for edge in graph.edges:
        senders.setdefault(edge.port, set()).add(edge.target)
    turns: dict[str, int] = {}
    for turn, event in enumerate(recording.events):
        key = supers[event.key]
        if event.accumulated is None or key not in turns:
            turns[key] = turn
    made, latest = [], 0
    for key in backward_order(folded, turns):
        latest = max(latest, turns[key])
        at = recording.events[latest]
        if key in events:
            grads = {ports[port]: g for port, g in events[key].grads_out.items()}
            event = replace(events[key], grads_out=grads)
        else:
            event = module_event(key, folded, events, ports, senders)
        made.append(replace(event, bytes_held=at.bytes_held, bytes_total=at.bytes_total))
    return replace(recording, graph=folded, events=tuple(made))


def one(key: str) -> Inside:
    return Inside((key,), 0, 0, 0, 0, 1, 1)


def backward_order(folded: Graph, turns: dict[str, int]) -> list[str]:
    """The nodes that ran, each after those its gradients come from, otherwise by their turn."""
    back = [
        Edge(edge.target, edge.source, 0, "")
        for edge in folded.edges
        if edge.source in turns and edge.target in turns
    ]
    return in_order({key: [] for key in sorted(turns, key=turns.__getitem__)}, back)


def module_event(
    key: str,
    folded: Graph,
    events: dict[str, Event],
    ports: dict[str, str],
    senders: dict[str, set[str]],
) -> Event:
    """The pass through a module as one step."""
    inside = folded.nodes[key].inside.nodes
    came: dict[str, Summary | None] = {}
    sent: dict[str, Summary | None] = {}
    for port, new in ports.items():
        own = new.partition("[")[0] == key
        using = senders[port] & set(inside)
        if own:
            came[new] = arrived(events, port)
        elif len(using) == 1:
            (sender,) = using
            if sender in events:
                sent[new] = events[sender].grads_out.get(port)
        elif using and using == senders[port]:  # all that arrived there came from here
            sent[new] = arrived(events, port)
    squares = [e.accumulated[1].norm ** 2 for e in ran(inside, events) if has_grad(e)]
    norm = math.sqrt(math.fsum(squares)) if squares else None
    return Event(key, tuple(came.values()), sent, (), None, 0, 0, parameters_norm=norm)


def ran(keys: Iterable[str], events: dict[str, Event]) -> list[Event]:
    return [events[key] for key in keys if key in events]


def has_grad(event: Event) -> bool:
    return event.accumulated is not None and event.accumulated[1] is not None


def arrived(events: dict[str, Event], port: str) -> Summary | None:
    """The gradient that arrived at a port, in numbers."""
    key, _, place = port.partition("[")
    if key not in events:
        return None
    came = events[key].grads_in
    return came[int(place[:-1])] if place else events[key].grad_in


# --------------------------------------------------------------------------------------- repeats


def repeats(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Calls that follow each other in one call and do the same: the same operations on the same
    shapes, wired the same, whatever their parameters hold. Keys of calls, two or more in a group.

    >>> from autogradlab import ones
    >>> from autogradlab.graphs import read_graph, watch
    >>> from autogradlab.models import MLP
    >>> model = MLP([4, 4, 4, 4])
    >>> with watch(model) as seen:
    ...     loss = model(ones(1, 4)).sum()
    >>> repeats(read_graph(loss, watched=seen))
    ()
    """
    inputs: dict[str, list[Edge]] = {key: [] for key in graph.nodes}
    for edge in graph.edges:
        inputs[edge.target].append(edge)
    members: dict[str, list[str]] = {key: [] for key in graph.calls}
    operations: dict[str, int] = {}
    for key, node in graph.nodes.items():
        if not is_input(node):
            operations[key] = len(operations)
            for call in graph.modules_around(key):
                members[call].append(key)
    own = {call: [operations[key] for key in keys] for call, keys in members.items()}
    last: dict[str, str] = {}  # by parent, the call before
    groups: dict[str, list[str]] = {}  # by the first of them
    first_of: dict[str, str] = {}
    wiring = {call: signature(graph, keys, inputs) for call, keys in members.items()}
    for key, call in graph.calls.items():
        before, last[call.parent] = last.get(call.parent), key
        first_of[key] = key
        if before and own[key] and own[before] and own[key][0] == own[before][-1] + 1:
            same = graph.calls[before].kind == call.kind and wiring[before] == wiring[key]
            if same:
                first_of[key] = first_of[before]
        groups.setdefault(first_of[key], []).append(key)
    return tuple(tuple(each) for each in groups.values() if len(each) > 1)


def signature(graph: Graph, keys: list[str], inputs: dict[str, list[Edge]]) -> tuple:
    """What a call does: its operations in forward order, each with where its inputs come from:
    inside by place, outside and parameters by the order in which they are first used."""
    place = {key: i for i, key in enumerate(keys)}
    outside: dict[str, int] = {}
    found = []
    for key in keys:
        node, wires = graph.nodes[key], []
        for edge in inputs[key]:
            source = graph.nodes[edge.source]
            if edge.source in place:
                wires.append((edge.slot, place[edge.source], edge.port.partition("[")[2]))
            else:
                given = (source.shape, source.dtype) if source.kind == "parameter" else "given"
                wires.append((edge.slot, outside.setdefault(edge.port, len(outside)), given))
        found.append((node.name, node.shape, node.dtype, tuple(wires)))
    return tuple(found)
