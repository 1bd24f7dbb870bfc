"""Folding by module: never a cycle, nothing lost, counts that add up; repeats, paths, JSON, DOT."""

import dataclasses
import json
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import block_net, seen, theirs
from programs import ENGINES, PROGRAMS, program

import autogradlab
from autogradlab.graphs import Edge, Graph, GraphNode, ModuleCall, Recording, read_graph, watch
from autogradlab.graphs import record_backward as run
from autogradlab.graphs.exchange import from_json, to_dot, to_json
from autogradlab.graphs.highlights import gradient_norms, path_to, saved_bytes
from autogradlab.models import GPT, resnet18, to_torch


def read(engine, model, *inputs):
    loss, watched = seen(model, *inputs)
    return read_graph(loss, watched=watched)


def resnet(engine):
    autogradlab.manual_seed(0)
    model = resnet18(num_classes=3)
    return model if engine is autogradlab else to_torch(model)


# ------------------------------------------------------------------------------------ any graph


@st.composite
def graphs(draw):
    """Operations in forward order, each in some module, also in ones that lie across each other."""
    count = draw(st.integers(1, 14))
    depth = draw(st.integers(0, 5))
    calls, parents = {}, [""]
    for i in range(depth):
        parent = draw(st.sampled_from(parents))
        path = f"{calls[parent].path}.{i}" if parent else str(i)
        calls[f"m{i}"] = ModuleCall(f"m{i}", path, "Module", 1, parent)
        parents.append(f"m{i}")
    nodes, edges = {}, []
    for i in range(count):
        kind = "leaf" if i < 2 else "op"
        module = draw(st.sampled_from(["", *calls]))
        nodes[f"n{i}"] = GraphNode(
            f"n{i}", kind, "Op", f"op{i}", f"op{i}", (), "", (), None, "", module=module
        )
        if i >= 2:
            inputs = draw(st.lists(st.integers(0, i - 1), max_size=3))
            edges += [Edge(f"n{j}", f"n{i}", k, f"n{j}") for k, j in enumerate(inputs)]
    root = f"n{count}"
    nodes[root] = GraphNode(root, "output", "", "output", "output", (), "", (), None, "")
    edges.append(Edge(f"n{count - 1}", root, 0, f"n{count - 1}"))
    return Graph(nodes, tuple(edges), root, "PyTorch", "", calls)


def folded_into(folded):
    return {
        each: key
        for key, node in folded.nodes.items()
        for each in (node.inside.nodes if node.inside else (key,))
    }


def check(graph, folded):
    """What holds of every folding."""
    into = folded_into(folded)
    assert sorted(into) == sorted(graph.nodes)  # each node is in one place
    place = {key: i for i, key in enumerate(folded.nodes)}
    assert all(place[e.source] < place[e.target] for e in folded.edges)  # so there is no cycle
    joined = {(e.source, e.target) for e in folded.edges}
    across = {(into[e.source], into[e.target]) for e in graph.edges}
    assert joined == {(a, b) for a, b in across if a != b}
    assert len({(e.target, e.slot) for e in folded.edges}) == len(folded.edges)
    for edge in folded.edges:
        assert folded.result(edge.port) and edge.port.partition("[")[0] == edge.source
    for key, node in folded.nodes.items():
        if node.inside:
            assert key.partition("p")[0] in graph.calls and node.kind == "module"
            assert all(key.partition("p")[0] in graph.modules_around(n) for n in node.inside.nodes)
            assert 1 <= node.inside.part <= node.inside.parts


def check_json(graph):
    assert to_json(from_json(to_json(graph), Graph)) == to_json(graph)  # texts: nan is not nan


@settings(max_examples=100)
@given(graphs(), st.data())
def test_no_folding_makes_a_cycle_or_loses_anything(graph, data):
    for depth in range(4):
        check(graph, graph.fold(depth))
    opened = data.draw(st.sets(st.sampled_from(sorted(graph.calls)))) if graph.calls else set()
    check(graph, graph.fold(open=opened))
    check_json(graph.fold(open=opened))
    assert graph.fold(open=[*graph.calls]) == graph


def crossing(*modules):
    """A chain of operations in the given modules."""
    names = sorted({*modules} - {""})
    calls = {f"m{i}": ModuleCall(f"m{i}", name, "Module", 1, "") for i, name in enumerate(names)}
    key = {call.path: call.key for call in calls.values()} | {"": ""}
    nodes = {
        f"n{i}": GraphNode(f"n{i}", "op", "Op", "", "", (), "", (), None, "", module=key[name])
        for i, name in enumerate(modules)
    }
    root = f"n{len(nodes)}"
    nodes[root] = GraphNode(root, "output", "", "output", "output", (), "", (), None, "")
    edges = [Edge(f"n{i}", f"n{i + 1}", 0, f"n{i}") for i in range(len(modules))]
    return Graph(nodes, tuple(edges), root, "PyTorch", "", calls)


def test_a_module_with_a_stranger_between_is_split_and_says_so():
    folded = crossing("a", "", "a", "b", "a").fold(0)
    assert list(folded.nodes) == ["m0", "n1", "m0p2", "m1", "m0p3", "n5"]
    assert [n.expression for n in folded.nodes.values() if n.inside] == [
        "a, part 1 of 3", "a, part 2 of 3", "b", "a, part 3 of 3",
    ]  # fmt: skip
    whole = crossing("a", "a", "", "b").fold(0)
    assert [n.expression for n in whole.nodes.values()] == ["a", "", "b", "output"]


def test_two_modules_that_feed_each_other_without_a_chain():
    """a₁ → b₁ and b₂ → a₂: neither is in the way of itself, and together they are a cycle."""
    graph = crossing("a", "b", "b", "a")
    edges = (Edge("n0", "n1", 0, "n0"), Edge("n2", "n3", 0, "n2"), Edge("n3", "n4", 0, "n3"))
    graph = dataclasses.replace(graph, edges=edges)
    check(graph, graph.fold(0))
    assert list(graph.fold(0).nodes) == ["m0", "m1", "m0p2", "n4"]


# -------------------------------------------------------------------------------- real networks


@pytest.mark.parametrize("engine", ENGINES)
def test_resnet_folds_to_a_page_and_unfolds_to_all(engine):
    graph = read(engine, resnet(engine), engine.ones(2, 3, 32, 32))
    for depth, count in ((0, 4), (1, 14), (2, 18)):
        folded = graph.fold(depth)
        check(graph, folded)
        check_json(folded)
        assert len(folded.nodes) == count
    labels = [n.label for n in graph.fold(2).nodes.values() if n.name == "BasicBlock"]
    assert labels == [f"layer{i}.{j}" for i in (1, 2, 3, 4) for j in (0, 1)]
    assert graph.fold(open=[call.path for call in graph.calls.values()]) == graph
    closed = graph.fold(open=())
    assert list(closed.nodes) == list(graph.fold(1).nodes)
    for key, call in graph.calls.items():  # any one module alone
        if call.path:
            rest = {other for other in graph.calls if other != key}
            folded = graph.fold(open=rest)
            check(graph, folded)
            (module,) = [n for n in folded.nodes.values() if n.inside]
            assert module.key == key and module.inside.parts == 1
    one = graph.fold(open={"layer1", "layer1.0"})
    names = [n.label for n in one.nodes.values() if n.kind == "module"]
    assert "layer1.0.conv1" in names and "layer1.1" in names and "layer2" in names


@pytest.mark.parametrize("engine", ENGINES)
def test_a_folded_module_says_what_is_in_it(engine):
    model = resnet(engine)
    graph = read(engine, model, engine.ones(2, 3, 32, 32))
    (module,) = [n for n in graph.fold(1).nodes.values() if n.label == "layer2"]
    assert (module.name, module.expression) == ("Sequential", "layer2")
    assert (module.shape, module.dtype) == ((2, 128, 4, 4), "float32")
    own = list(model.layer2.parameters())
    assert module.inside.parameters == len(own)
    assert module.inside.parameter_numel == sum(p.numel() for p in own)
    assert module.inside.parameter_bytes == sum(p.nbytes for p in own)
    nodes = [graph.nodes[key] for key in module.inside.nodes]
    every = sum(size for node in nodes for _, _, size in node.saved)
    assert 0 < module.inside.saved_bytes < every  # an activation that two have saved counts once
    blocks = {b for key in module.inside.nodes for b in graph.memory.get(key, ())}
    assert module.inside.saved_bytes == sum(size for _, size in blocks)
    whole = next(iter(graph.fold(0).nodes.values()))
    assert whole.inside.parameter_numel == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", ["transformer", "lstm", "attention", "tied", "custom", "nan"])
def test_torchs_own_models_fold(name, exact):
    model, inputs = theirs()[name]
    loss, watched = seen(model, *inputs)
    graph = read_graph(loss, watched=watched) if exact else read_graph(loss, model=model)
    sizes = [len(graph.fold(depth).nodes) for depth in range(6)]
    assert sizes == sorted(sizes) and sizes[0] < len(graph.nodes)
    for depth in range(6):
        check(graph, graph.fold(depth))
    check_json(graph.fold(1))
    if exact:
        assert all(n.inside.parts == 1 for n in graph.fold(2).nodes.values() if n.inside)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_module_with_several_results(engine):
    class Two(engine.nn.Module):
        def forward(self, x):
            return x.exp(), x.sin()

    class Net(engine.nn.Module):
        def __init__(self):
            super().__init__()
            self.two = Two()

        def forward(self, x):
            a, b = self.two(x)
            return a * b

    x = engine.ones(2, requires_grad=True)
    loss, watched = seen(Net(), x)
    recording = run(loss, names={"x": x}, watched=watched)
    folded = recording.fold(1)
    (module,) = [n for n in folded.graph.nodes.values() if n.inside]
    assert [out.label for out in module.outputs] == ["exp(x)", "sin(x)"]
    assert [e.port for e in folded.graph.edges if e.source == module.key] == [
        f"{module.key}[0]", f"{module.key}[1]",
    ]  # fmt: skip
    (event,) = [e for e in folded.events if e.key == module.key]
    by_key = {e.key: e for e in recording.events}
    inner = {recording.graph.nodes[k].label: by_key[k] for k in module.inside.nodes}
    assert event.grads_in == (inner["exp(x)"].grad_in, inner["sin(x)"].grad_in)
    # x is used twice, by this module only: all that arrived there is what it sent.
    assert event.grads_out == {"n0": by_key["n0"].grad_in}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sum_that_is_not_known_is_left_out(engine):
    """The module sends to `h` twice, and another node does too: only the whole sum was seen."""

    class Twice(engine.nn.Module):
        def forward(self, h):
            return h.exp() + h.sin()

    model, x = Twice(), engine.ones(2, requires_grad=True)
    with watch(model) as watched:
        h = x * 2
        loss = (model(h) * h).sum()
    folded = run(loss, watched=watched).fold(0)
    (event,) = [e for e in folded.events if folded.graph.nodes[e.key].inside]
    assert event.grad_in and event.grads_out == {}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_folded_recording_is_the_same_pass(engine, depth):
    loss, watched = seen(block_net(engine), engine.ones(2, 3))
    recording = run(loss, watched=watched)
    folded = recording.fold(depth)
    keys = [event.key for event in folded.events]
    assert sorted(keys) == sorted(k for k in folded.graph.nodes if k != folded.graph.root)
    turn = {key: i for i, key in enumerate([folded.graph.root, *keys])}
    assert all(turn[e.target] < turn[e.source] for e in folded.graph.edges)
    held = [event.bytes_held for event in folded.events]
    assert held == sorted(held, reverse=True) and held[-1] == 0
    by_key = {event.key: event for event in recording.events}
    for event in folded.events:
        node = folded.graph.nodes[event.key]
        if node.inside:
            norms = [by_key[k].accumulated[1].norm for k in node.inside.nodes
                     if by_key[k].accumulated]  # fmt: skip
            assert event.parameters_norm == (pytest.approx(math.hypot(*norms)) if norms else None)
            assert event.grad_in.shape == node.shape
        else:
            same = dataclasses.replace(by_key[event.key], grads_out=event.grads_out)
            assert dataclasses.replace(event, bytes_held=0) == dataclasses.replace(
                same, bytes_held=0
            )
        for port, g in event.grads_out.items():
            assert g is None or g.shape == shape_of(folded.graph.result(port))
    assert from_json(to_json(folded), Recording) == folded


def shape_of(result):
    return result.shape if isinstance(result, GraphNode) else result.value.shape


def test_what_does_not_fold():
    graph = read(torch, block_net(torch), torch.ones(2, 3))
    with pytest.raises(ValueError, match="folded already"):
        graph.fold(1).fold(1)
    with pytest.raises(ValueError, match="no module 'unused'"):
        graph.fold(open={"unused"})
    with pytest.raises(ValueError, match="0 or more, not -1"):
        graph.fold(-1)
    with pytest.raises(ValueError, match="not both"):
        graph.fold(1, open=())
    names = program(torch, PROGRAMS["Q"][0])
    assert (plain := read_graph(names["Q"], names)).fold(0) == plain


# -------------------------------------------------------------------------------------- repeats


@pytest.mark.parametrize("engine", ENGINES)
def test_repeated_blocks(engine):
    def repeated(model, *inputs):
        graph = read(engine, model, *inputs)
        return [[graph.calls[key].name for key in group] for group in graph.repeats()]

    assert repeated(resnet(engine), engine.ones(2, 3, 32, 32)) == [["layer1.0", "layer1.1"]]
    assert repeated(block_net(engine), engine.ones(2, 3)) == [["blocks.0", "blocks.1", "twice"]]
    gpt = GPT(vocabulary=7, context=4, width=8, heads=2, layers=3)
    gpt = gpt if engine is autogradlab else to_torch(gpt)
    tokens = engine.zeros(1, 4, dtype=engine.int64)
    assert ["blocks.0", "blocks.1", "blocks.2"] in repeated(gpt, tokens)
    nn = engine.nn
    layers = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2), nn.Linear(2, 3, bias=False)
    x = engine.ones(2, 3, requires_grad=True)
    assert repeated(nn.Sequential(*layers), x) == [["0", "1"]]


# ----------------------------------------------------------------------------------- highlights


@pytest.mark.parametrize("engine", ENGINES)
def test_a_path_to_a_leaf(engine):
    names = program(engine, "c = a.exp(); d = b.sin(); Q = (c * d + c).sum()")
    graph = read_graph(names["Q"], {k: names[k] for k in "ab"})

    def path(name):
        return [graph.nodes[key].label for key in path_to(graph, name)]

    assert path("a") == ["a", "exp(a)", "exp(a)·sin(b)", "… + exp(a)", "sum(…)", "output"]
    assert path("b") == ["b", "sin(b)", "exp(a)·sin(b)", "… + exp(a)", "sum(…)", "output"]
    with pytest.raises(ValueError, match="no node of this graph is called 'z'"):
        path_to(graph, "z")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_path_to_a_parameter_and_to_its_module(engine):
    graph = read(engine, block_net(engine), engine.ones(2, 3))
    whole = path_to(graph, "blocks.1.first.weight")
    assert "stem.weight" not in {graph.nodes[key].expression for key in whole}
    folded = graph.fold(1)
    leaf = next(n.key for n in graph.nodes.values() if n.expression == "blocks.1.first.weight")
    labels = [folded.nodes[key].label for key in path_to(folded, leaf)]
    assert labels[0] == "blocks.1" and "blocks.0" not in labels and labels[-1] == "output"


@pytest.mark.parametrize("engine", ENGINES)
def test_norms_and_bytes_per_node(engine):
    names = program(engine, "c = a.exp(); Q = (c * b).sum()")
    names["c"].retain_grad()
    recording = run(names["Q"], names=names)
    norms = {recording.graph.nodes[k].label: v for k, v in gradient_norms(recording).items()}
    names["Q"].backward()
    assert norms["exp(a)"] == pytest.approx(names["c"].grad.norm().item())
    assert norms["a"] == pytest.approx(names["a"].grad.norm().item()) and norms["Q"] == 1.0
    assert {recording.graph.nodes[k].label: v for k, v in saved_bytes(recording.graph).items()} == {
        "exp(a)": 8, "c·b": 16,
    }  # fmt: skip
    loss, watched = seen(block_net(engine), engine.ones(2, 3))
    folded = run(loss, watched=watched).fold(1)
    module = next(n for n in folded.graph.nodes.values() if n.label == "blocks.0")
    assert gradient_norms(folded)[module.key] > 0
    assert saved_bytes(folded.graph)[module.key] == module.inside.saved_bytes > 0


# ------------------------------------------------------------------------------------------ text


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_json_there_and_back(engine, name):
    code, gradient = PROGRAMS[name]
    names = program(engine, code)
    recording = run(names["Q"], gradient, names)
    assert from_json(to_json(recording), Recording) == recording
    assert Graph.from_json(recording.graph.to_json()) == recording.graph


def test_numbers_that_json_lacks():
    x = torch.tensor([1.0, float("inf"), float("-inf")], requires_grad=True)
    graph = read_graph(x * 2, {"x": x})
    text = graph.to_json()
    assert json.loads(text, parse_constant=pytest.fail)
    assert Graph.from_json(text).nodes["n0"].value.values == (1.0, math.inf, -math.inf)
    x = torch.tensor([float("nan")], requires_grad=True)
    back = Graph.from_json(read_graph(x * 2).to_json())
    assert math.isnan(back.nodes["n0"].value.values[0])


BAD = {
    "no JSON": (lambda d: "{", "no JSON"),
    "a list": (lambda d: [], "the whole: expected an object"),
    "too deep": (lambda d: "[" * 100_000, "nested too deeply"),
    "missing": (lambda d: {k: v for k, v in d.items() if k != "root"}, "'root' is missing"),
    "unknown": (lambda d: d | {"more": 1}, "there is no 'more'"),
    "type": (lambda d: put(d, 3, "nodes", "n0", "label"), r"nodes.n0.label: expected a text"),
    "number": (lambda d: put(d, "x", "nodes", "n0", "value", "norm"), "expected a number"),
    "whole": (lambda d: put(d, [True], "nodes", "n0", "shape"), r"shape\[0\]: expected a whole"),
    "values": (lambda d: put(d, ["__import__"], "nodes", "n0", "value", "values"), "a number"),
    "root": (lambda d: d | {"root": "n99"}, "root: 'n99' names nothing"),
    "key": (lambda d: put(d, "n7", "nodes", "n0", "key"), "nodes: 'n0' names nothing"),
    "edge": (lambda d: put(d, "n99", "edges", 0, "source"), "'n99' names nothing"),
    "port": (lambda d: put(d, "n0[5]", "edges", 0, "port"), r"'n0\[5\]' names nothing"),
    "backwards": (lambda d: put(d, "n4", "edges", 0, "source"), "does not come after"),
    "module": (lambda d: put(d, "m9", "nodes", "n0", "module"), "module: 'm9' names nothing"),
    "within itself": (lambda d: put(d, "m1", "calls", "m0", "parent"), "parent: 'm1' names"),
    "three": (lambda d: put(d, [["a", "b", 1, 2]], "nodes", "n3", "saved"), "expected 3 items"),
}


def put(data, value, *path):
    """The same JSON with one value changed."""
    *inner, last = path
    place = data
    for each in inner:
        place = place[each]
    place[last] = value
    return data


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_refused_and_the_place_is_said(case):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh())
    change, message = BAD[case]
    text = read(torch, model, torch.ones(1, 2)).to_json()
    changed = change(json.loads(text))
    changed = changed if isinstance(changed, str) else json.dumps(changed)
    with pytest.raises(ValueError, match=message):
        Graph.from_json(changed)
    assert Graph.from_json(text)


def test_an_event_of_no_node_is_refused():
    names = program(torch, PROGRAMS["shared"][0])
    data = json.loads(to_json(run(names["Q"], names=names)))
    with pytest.raises(ValueError, match="events: 'n99'"):
        from_json(json.dumps(put(data, "n99", "events", 0, "key")), Recording)
    with pytest.raises(ValueError, match="'graph' is missing"):
        from_json("{}", Recording)


@pytest.mark.parametrize("engine", ENGINES)
def test_dot_frames_open_modules_and_doubles_closed_ones(engine):
    graph = read(engine, block_net(engine), engine.ones(2, 3))
    dot = to_dot(graph.fold(open={"twice"}))
    assert re.findall(r"subgraph (\w+)", dot)[0] == "cluster_m0"
    labels = re.findall(r"^\s*label=(.*)$", dot, re.MULTILINE)
    assert labels == ["Net", "twice", '"twice (call 2)"'] and dot.count("peripheries=2") == 12
    assert r'"blocks.0\nBlock, ' in dot
    assert dot.count("{") == dot.count("}")
    assert len(re.findall(r"^\s*n\d+ \[", to_dot(graph), re.MULTILINE)) == len(graph.nodes)
