"""Operations with several results: each has its own name, value and gradient."""

import pytest
import torch
from programs import ENGINES, program

from autogradlab.graphs import read_graph, record_backward
from autogradlab.graphs.draw import draw, look_after
from autogradlab.graphs.numbers import numbers
from autogradlab.instruments import BackwardDebugger

SEVERAL = [
    "m.unbind()", "m.split(1)", "m.chunk(2, 1)", "b.split([1, 1])", "torch.std_mean(a)",
    "torch.var_mean(m, 1)",
]  # fmt: skip
CALLS = [
    *SEVERAL,
    "torch.linalg.eigh(m + m.T)",
    "torch.nn.LSTMCell(2, 2)(m)",
    "a.sort()",
    "m.max(1)",
    "torch.topk(a, 1)",
]
START = "torch.manual_seed(0); m = torch.tensor([[2., 3.], [1., 5.]], requires_grad=True); "


def first_and_second(call, engine=torch):
    return program(engine, f"{START}x, y = {call}; Q = (x * 2).sum() + (y * y).sum()")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("call", SEVERAL)
def test_each_result_has_its_name_value_and_gradient(engine, call):
    names = first_and_second(call, engine)
    for name in "xy":
        names[name].retain_grad()
    recording = record_backward(names["Q"], names=names)
    names["Q"].backward()
    graph = recording.graph
    sent = {to: g for e in recording.events for to, g in e.grads_out.items()}
    ports = {graph.result(e.port).label: e.port for e in graph.edges}
    for place, name in enumerate("xy"):
        port, grad = ports[name], names[name].grad
        assert sent[port].shape == tuple(grad.shape)
        assert sent[port].norm == pytest.approx(grad.norm().item(), rel=1e-5)
        event = next(e for e in recording.events if e.key == port.partition("[")[0])
        assert event.grads_in[place] == sent[port]
    value = graph.result(ports["y"]).value  # saved by y·y
    assert value.norm == pytest.approx(names["y"].norm().item(), rel=1e-5)
    assert any("y·y" in node.expression for node in graph.nodes.values())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("call", SEVERAL)
def test_without_names_a_result_has_its_number(engine, call):
    names = first_and_second(call, engine)
    del names["x"], names["y"]
    graph = read_graph(names["Q"], names)
    ports = {e.port for e in graph.edges if "[" in e.port}
    assert len(ports) == 2
    for port in ports:
        assert graph.result(port).label.endswith(port[port.index("[") :])
    assert any("[1]" in node.expression for node in graph.nodes.values())


def test_the_gates_of_an_lstm_cell_are_told_apart():
    names = first_and_second("torch.nn.LSTMCell(2, 2)(m)")
    graph = read_graph(names["Q"], names)
    gates = {e.port for e in graph.edges if "[" in e.port}
    assert len(gates) == 4
    assert len({graph.result(port).label for port in gates}) == 4


@pytest.mark.parametrize("call", CALLS)
def test_the_gradients_of_the_leaves_are_those_of_backward(call):
    names = first_and_second(call)
    recording = record_backward(names["Q"], names=names)
    names["Q"].backward()
    nodes = recording.graph.nodes
    kept = {nodes[e.key].label: e.accumulated[1] for e in recording.events if e.accumulated}
    assert kept.keys() & {"a", "b", "m"}
    for name in kept.keys() & names.keys():
        assert kept[name].norm == pytest.approx(names[name].grad.norm().item(), rel=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_results_of_unlike_shapes_are_not_added_up(engine):
    names = program(
        engine, "x, y = torch.cat([a, b]).split([1, 3]); Q = torch.cat([x, y, y]).sum()"
    )
    recording = record_backward(names["Q"], names=names)
    graph = recording.graph
    event = next(e for e in recording.events if graph.nodes[e.key].name == "CatBackward0")
    sent = {graph.result(to).label: g.values for to, g in event.grads_out.items()}
    assert sent == {"x": (1.0,), "y": (2.0, 2.0, 2.0)}
    (split,) = (e for e in recording.events if graph.nodes[e.key].name.startswith("Split"))
    assert [g.values for g in split.grads_in] == [(1.0,), (2.0, 2.0, 2.0)]


@pytest.mark.parametrize("engine", ENGINES)
def test_only_the_second_result_is_used(engine):
    names = program(engine, "x, y = a.view(2, 1).unbind(); Q = (y * b).sum()")
    recording = record_backward(names["Q"], names=names)
    (event,) = (e for e in recording.events if len(e.grads_in) > 1)
    assert event.grads_in[0] is None and event.grads_in[1].values == (10.0,)
    assert recording.graph.nodes["n1"].label == "b" and "y·b" in recording.graph.title


@pytest.mark.parametrize("engine", ENGINES)
def test_the_root_is_the_second_result(engine):
    names = program(engine, "_, Q = torch.std_mean(a)")
    recording = record_backward(names["Q"], names=names)
    assert recording.graph.title == "Q = stdmean(a)[1]"
    assert recording.events[0].grads_in[0] is None and recording.events[0].grads_in[1].values == 1
    first = look_after(recording, 1)
    assert first.edges[-1].phase == "passed" and first.edges[0].phase == "now"


@pytest.mark.parametrize("call", CALLS)
def test_they_are_drawn_and_told(call):
    names = first_and_second(call)
    debugger = BackwardDebugger(names["Q"], names)
    picture = draw(debugger.recording.graph, recording=debugger.recording)
    if call in SEVERAL:
        assert ">y = " in picture
        assert sum("up to x." in said for said in debugger.sentences) == 1
        step = next(i for i, e in enumerate(debugger.recording.events, 1) if len(e.grads_in) == 2)
        both = " and ".join(map(numbers, debugger.recording.events[step - 1].grads_in))
        assert f"received the gradient {both}" in debugger.jump(step)


@pytest.mark.parametrize("call", SEVERAL)
def test_both_engines_tell_the_same(call):
    ours, theirs = (
        BackwardDebugger(names["Q"], names)
        for names in (first_and_second(call, engine) for engine in ENGINES)
    )
    assert ours.sentences == theirs.sentences
    assert ours.view.variants == theirs.view.variants
