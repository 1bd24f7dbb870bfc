"""Recording a backward pass changes nothing: not a gradient, buffer, hook or random number."""

from dataclasses import asdict

import pytest
import torch
from programs import ENGINES, PROGRAMS, program

from autogradlab.graphs import record_backward
from autogradlab.graphs import recording as record_module


class Untouched:
    """Every `.grad` is the same object with the same values, and no tensor was written to."""

    def __init__(self, names, engine):
        self.engine, self.tensors = engine, [x for x in names.values() if keeps_gradient(x)]
        self.before = [self.state(x) for x in self.tensors]
        self.random = engine.get_rng_state().tolist()

    @staticmethod
    def state(x):
        g = x.grad
        return x._version, x.tolist(), g is None or (id(g), g._version, g.tolist()), x.requires_grad

    def check(self):
        assert [self.state(x) for x in self.tensors] == self.before
        assert self.engine.get_rng_state().tolist() == self.random


def keeps_gradient(x):
    return x.is_leaf or x.retains_grad


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_recording_twice_gives_the_same(engine, name):
    code, gradient = PROGRAMS[name]
    names = program(engine, code)
    trace = Untouched(names, engine)
    first = record_backward(names["Q"], gradient, names)
    trace.check()
    assert asdict(record_backward(names["Q"], gradient, names)) == asdict(first)
    trace.check()
    names["Q"].backward(gradient and engine.tensor(gradient))
    kept = {first.graph.nodes[e.key].label: e.accumulated for e in first.events if e.accumulated}
    for label, (_, after) in kept.items():
        assert list(after.values) == names[label].grad.tolist()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_retained_gradients_of_intermediate_results(engine, filled):
    names = program(
        engine, "h = a*b; h.retain_grad(); k = h.sin(); k.retain_grad(); Q = (k*h).sum()"
    )
    if filled:
        names["Q"].backward(retain_graph=True)
    trace = Untouched(names, engine)
    assert (names["h"].grad is not None) is filled
    record_backward(names["Q"], names=names)
    trace.check()
    names["Q"].backward()
    assert names["h"].grad is not None and names["k"].grad is not None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hook_may_draw_random_numbers(engine):
    """The pass that follows draws the numbers it would have drawn without the recording."""
    found = []
    for recorded in (False, True):
        engine.manual_seed(3)
        names = program(engine, "a.register_hook(lambda g: g * torch.rand(2)); Q = (a*b).sum()")
        trace = Untouched(names, engine)
        if recorded:
            shown = record_backward(names["Q"], names=names)
            trace.check()
        names["Q"].backward()
        found.append(names["a"].grad.tolist())
    assert found[0] == found[1]
    kept = {shown.graph.nodes[e.key].label: e.accumulated for e in shown.events if e.accumulated}
    assert list(kept["a"][1].values) == found[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gradient_with_a_second_name(engine):
    names = program(engine, "Q = (a*b).sum(); Q.backward(retain_graph=True)")
    mine = names["a"].grad
    view = mine.view(2)
    names["b"].grad = mine  # one tensor in both cups
    before = mine.tolist()
    trace = Untouched(names, engine)
    recording = record_backward(names["Q"], names=names)
    trace.check()
    assert names["a"].grad is names["b"].grad is mine and view.tolist() == before
    for event in recording.events:
        if event.accumulated:
            assert list(event.accumulated[0].values) == before


def stop(g):
    raise ZeroDivisionError("stop")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_the_middle_of_backward(engine):
    names = program(
        engine, "h = a*b; h.retain_grad(); Q = (h*a).sum(); Q.backward(retain_graph=True)"
    )
    whole = asdict(record_backward(names["Q"], names=names))
    trace = Untouched(names, engine)
    handle = names["h"].register_hook(stop)
    with pytest.raises(ZeroDivisionError, match="stop"):
        record_backward(names["Q"], names=names)
    trace.check()
    handle.remove()
    assert asdict(record_backward(names["Q"], names=names)) == whole
    trace.check()


class Raising(torch.autograd.Function):
    """A function of the user's own whose backward fails."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        raise ZeroDivisionError("in backward")


def test_an_error_in_a_function_of_ones_own():
    names = program(torch, "Q = a*b")
    names["Q"] = (Raising.apply(names["Q"]) * names["a"]).sum()
    names["a"].grad = torch.ones(2)
    trace = Untouched(names, torch)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="in backward"):
            record_backward(names["Q"], names=names)
        trace.check()


def test_buffers_of_a_module_in_training():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout())
    loss = model(torch.randn(4, 2)).square().mean()
    buffers = {name: (x.clone(), x._version) for name, x in model.named_buffers()}
    trace = Untouched(dict(model.named_parameters()), torch)
    recording = record_backward(loss, names=dict(model.named_parameters()))
    trace.check()
    for name, x in model.named_buffers():
        assert x.equal(buffers[name][0]) and x._version == buffers[name][1], name
    assert model.training
    loss.backward()
    nodes = recording.graph.nodes
    for event in recording.events:
        if event.accumulated:
            parameter = dict(model.named_parameters())[nodes[event.key].expression]
            assert event.accumulated[1].norm == pytest.approx(
                parameter.grad.norm().item(), rel=1e-6, abs=1e-7
            )


@pytest.mark.parametrize("engine", ENGINES)
def test_no_hook_stays(engine, monkeypatch):
    names = program(engine, PROGRAMS["shared"][0])
    calls = []
    copy = record_module.copy
    monkeypatch.setattr(record_module, "copy", lambda g: calls.append(g) or copy(g))
    record_backward(names["Q"], names=names)
    assert calls
    calls.clear()
    names["Q"].backward()
    assert not calls
