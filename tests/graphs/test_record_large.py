"""Recording at real size: gradients summed up as they come by, and the user's own pass observed."""

import gc
import itertools
import math
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import NotANumber, block_net, seen, theirs
from programs import ENGINES, PROGRAMS, program
from test_modules import state

import autogradlab
from autogradlab.graphs import read as read_module
from autogradlab.graphs import read_graph, record, record_backward, recording
from autogradlab.graphs.protocol import CHUNK, SAMPLE, summarize
from autogradlab.models import resnet18, to_torch


def resnet(engine):
    autogradlab.manual_seed(0)
    model = resnet18(num_classes=3)
    return model if engine is autogradlab else to_torch(model)


# ------------------------------------------------------------------------------------- summaries


def exact(a):
    """The same numbers, the plain way."""
    if a.size > 10_000 and np.isfinite(a).all():
        a = a.astype(np.float64)
        return np.linalg.norm(a), a.mean(), a.min(), a.max(), (a == 0).sum(), 0
    finite = [x for x in a.astype(np.float64).ravel().tolist() if math.isfinite(x)]
    some = finite or [0.0]
    return (
        min(math.hypot(*some), np.finfo(float).max),
        math.fsum(x / len(some) for x in some),
        *(min(some), max(some), int((a == 0).sum()), a.size - len(finite)),
    )


def numbers_of(summary):
    return (summary.norm, summary.mean, summary.min, summary.max, summary.zeros, summary.nonfinite)


RANDOM = np.random.default_rng(0)
HALF = RANDOM.standard_normal(2 * CHUNK).astype(np.float32)
LARGE = {
    "float32": RANDOM.standard_normal(3 * CHUNK + 5).astype(np.float32),
    "float64": RANDOM.standard_normal((7, 11, 13)),
    "float16": RANDOM.standard_normal(1000).astype(np.float16),
    "int64": RANDOM.integers(-9, 9, 500),
    "bool": RANDOM.integers(0, 2, 100).astype(bool),
    "huge": np.full(100, 1e300),
    "tiny": np.full(100, 1e-300),
    "subnormal": np.full(100, 5e-324),
    "mixed": np.array([1e200, 1e-200] * 50),
    "small32": np.full(200, 1e-30, np.float32),
    "subnormal32": np.full(9000, 1e-42, np.float32),
    "wide32": np.exp(RANDOM.standard_normal(9000) * 15).astype(np.float32),
    "offset": (RANDOM.standard_normal(2 * CHUNK) + 1e4).astype(np.float32),
    "cancelling": np.ravel([HALF, np.float32(1e-6) - HALF]),
    "nearly": np.ravel([HALF, np.float32(5e-5) - HALF]),
    "one nan": np.where(np.arange(CHUNK + 9) == CHUNK, np.nan, np.float32(2)),
    "transposed": RANDOM.standard_normal((40, 50)).T,
    "strided": RANDOM.standard_normal(1000)[::3],
    "expanded": np.broadcast_to(np.float32(3), (30, 40)),
    "zeros": np.zeros(CHUNK + 1),
    "nan": np.where(np.arange(200) % 3, 2.0, np.nan),
    "all nan": np.full(200, np.nan),
    "inf": np.array([np.inf, -np.inf, 1.0, 0.0] * 30),
    "empty": np.zeros((0, 3)),
}


@pytest.mark.parametrize("case", LARGE)
def test_a_summary_is_exact(case):
    a = LARGE[case]
    rtol = 3e-6 if a.dtype == np.float32 and a.size > SAMPLE else 1e-12
    found, expected = numbers_of(summarize(a)), exact(a)
    np.testing.assert_allclose(found[:2], expected[:2], rtol=rtol, atol=1e-320)
    assert found[2:] == expected[2:]


@given(st.lists(st.floats(width=64), max_size=90))
def test_a_summary_of_any_numbers_is_exact(numbers):
    a = np.array(numbers)
    found, expected = numbers_of(summarize(a)), exact(a)
    assert found[2:] == expected[2:]
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12, atol=1e-320)
    scale = max(map(abs, expected[2:4]))
    assert abs(found[1] - expected[1]) <= 1e-12 * scale + 1e-320


@pytest.mark.parametrize("case", [case for case in LARGE if case != "empty"])
def test_a_histogram_counts_a_strided_sample(case):
    a = LARGE[case]
    found = summarize(a).histogram
    step = -(-a.size // SAMPLE)
    sample = a.ravel(order="K")[::step].astype(np.float64)
    assert found.size == sample.size <= SAMPLE and found.sampled is (a.size > SAMPLE)
    assert found.zeros == (sample == 0).sum() and found.nonfinite == (~np.isfinite(sample)).sum()
    some = np.abs(sample[np.isfinite(sample) & (sample != 0)])
    assert sum(found.counts) == some.size
    if some.size:
        assert len(found.edges) == len(found.counts) + 1 and found.counts[0] and found.counts[-1]
        powers = np.rint(np.array(found.edges) / math.log10(2))
        np.testing.assert_allclose(np.diff(found.edges), math.log10(2))
        expected = [
            int(((some >= 2.0**low) & (np.log2(some) < high)).sum())
            for low, high in itertools.pairwise(powers)
        ]
        assert list(found.counts) == expected
    else:
        assert found.edges == found.counts == ()


def test_few_elements_are_shown_and_not_counted():
    few, more = summarize(np.ones(64)), summarize(np.ones(65))
    assert few.histogram is None and few.values == (1.0,) * 64
    assert more.histogram.counts == (65,) and more.values is None


# ----------------------------------------------------------------------------------- large graphs


@pytest.mark.parametrize("engine", ENGINES)
def test_resnet_in_numbers(engine):
    model, x = resnet(engine), engine.ones(2, 3, 32, 32)
    loss, watched = seen(model, x)
    before = state(model, engine)
    found = record_backward(loss, watched=watched)
    assert state(model, engine) == before
    graph = found.graph
    assert len(found.events) == len(graph.nodes) - 1
    loss.backward(retain_graph=True)
    named = dict(model.named_parameters())
    for event in found.events:
        if event.accumulated:
            grad = named[graph.nodes[event.key].expression].grad
            old, new = event.accumulated
            assert old is None and new.shape == tuple(grad.shape)
            np.testing.assert_allclose(numbers_of(new), exact(grad.numpy()), rtol=1e-6, atol=1e-9)
            assert (new.histogram is None) is (grad.numel() <= 64)
    assert all(e.grads_in[0].shape == tuple(graph.nodes[e.key].shape) for e in found.events
               if graph.nodes[e.key].kind == "op" and not graph.nodes[e.key].outputs)  # fmt: skip
    large = [e for e in found.events if max(g.numel for g in e.grads_in if g) > read_module.FEW]
    assert large and not any(e.factors for e in large)
    again = record_backward(loss, watched=watched)  # now the cups are full
    for event in again.events:
        if event.accumulated:
            old, new = event.accumulated
            assert new.norm == pytest.approx(2 * old.norm, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_summed_up_in_the_hook_is_summed_up_afterwards(engine, name, monkeypatch):
    code, gradient = PROGRAMS[name]
    names = program(engine, code)
    names["a"].grad = engine.ones(2)
    kept = record_backward(names["Q"], gradient, names)
    monkeypatch.setattr(recording, "SMALL", 0)
    summed = record_backward(names["Q"], gradient, names)
    for one, other in zip(kept.events, summed.events, strict=True):
        assert other.factors == ()
        for field in ("key", "grads_in", "grads_out", "accumulated", "bytes_held", "bytes_total"):
            assert getattr(one, field) == getattr(other, field)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hook", ["replaced", "twice", "prehook"])
def test_a_gradient_that_a_hook_has_changed_on_the_way(engine, hook):
    x = engine.linspace(-1, 1, 5000, requires_grad=True)
    h = x.exp()
    if hook == "prehook":
        h.grad_fn.register_prehook(lambda g: (g[0] * 3,))
    else:
        for _ in range(2 if hook == "twice" else 1):
            h.register_hook(lambda g: g * 3)
    loss = (h * 2).sum()
    events = {e.key: e for e in record_backward(loss, names={"x": x}).events}
    factor = 9 if hook == "twice" else 3
    sent = events["n2"].grads_out["n1"].norm
    assert events["n1"].grad_in.norm == pytest.approx(factor * sent)
    loss.backward()
    assert events["n0"].accumulated[1].norm == pytest.approx(x.grad.norm().item(), rel=1e-6)


def test_a_gradient_changed_in_place_on_the_way():
    x = torch.linspace(-1, 1, 5000, requires_grad=True)
    h = x.exp()

    def change(g):
        g[1000:2000].zero_()

    h.register_hook(change)
    events = {e.key: e for e in record_backward((h * 2).sum()).events}
    assert (events["n2"].grads_out["n1"].zeros, events["n1"].grad_in.zeros) == (0, 1000)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_large_result_used_twice_and_in_two_slots(engine):
    x = engine.linspace(-1, 1, 5000, requires_grad=True)
    h = x.exp()
    h.retain_grad()
    loss = (h * h + h).sum()
    events = {e.key: e for e in record_backward(loss, names={"x": x}).events}
    loss.backward()
    assert events["n1"].grad_in.norm == pytest.approx(h.grad.norm().item(), rel=1e-6)
    twice = (2 * h.detach()).norm().item()
    assert events["n2"].grads_out["n1"].norm == pytest.approx(twice, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_node_has_saved_is_read_once(engine, monkeypatch):
    y, reads = engine.ones(2, requires_grad=True), []
    for _ in range(700):
        y = y * 2
    kept = read_module.kept
    monkeypatch.setattr(read_module, "kept", lambda node: reads.append(node) or kept(node))
    found = record_backward(y.sum())
    assert len(reads) == len(found.graph.nodes) - 1 and not any(e.factors for e in found.events)


def test_of_a_long_chain_torch_shows_a_part_whatever_the_limit():
    y = torch.ones(1, requires_grad=True)
    for _ in range(25_000):
        y = y + 1
    with pytest.raises(ValueError, match=r"more than 20,000 nodes.*fold"):
        read_graph(y, limit=10**6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pass_that_stops_keeps_what_it_has(engine):
    names = program(engine, "h = a * b; c = h.exp(); Q = (c * 2).sum()")
    names["h"].register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        record_backward(names["Q"], names=names)
    found = caught.value.recording
    ran = [found.graph.nodes[e.key].label for e in found.events]
    assert ran == ["sum(2·c)", "2·c", "exp(h)"]
    assert found.error == "ZeroDivisionError: division by zero"
    assert found.events[-1].grads_out and found.events[0].bytes_total
    with pytest.raises(RuntimeError) as refused:
        record_backward(names["c"])
    assert refused.value.recording.events == () and "scalar" in refused.value.recording.error


# ------------------------------------------------------------------------- the user's own pass


def step(engine, model, x):
    """One training step, and what it leaves."""
    optimizer = engine.optim.SGD(model.parameters(), lr=0.1)
    optimizer.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    grads = [None if p.grad is None else p.grad.tolist() for p in model.parameters()]
    optimizer.step()
    return loss.item(), grads, [p.tolist() for p in model.parameters()]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_users_step_is_seen_and_not_changed(engine):
    plain = block_net(engine)
    expected = [step(engine, plain, engine.ones(2, 3)) for _ in range(3)]
    model, found = block_net(engine), []
    before = state(model, engine)[2:]
    with record(model) as r:
        found = [step(engine, model, engine.ones(2, 3)) for _ in range(3)]
    assert found == expected and state(model, engine)[2:] == before
    assert len(r.recordings) == 3
    named = [name for name, _ in model.named_parameters()]
    for each, (_, grads, _) in zip(r.recordings, expected, strict=True):
        assert each.graph.exact and each.error == ""
        kept = {each.graph.nodes[e.key].expression: e.accumulated for e in each.events
                if e.accumulated}  # fmt: skip
        for name, grad in zip(named, grads, strict=True):
            if grad is not None:
                old, new = kept[name]
                assert old is None and list(np.ravel(new.values)) == list(np.ravel(grad))
    first, last = r.recordings[0].events, r.recordings[-1].events
    assert [e.key for e in first] == [e.key for e in last] and first != last
    assert r.recording is r.recordings[-1] and r.recording.fold(1).events


@pytest.mark.parametrize("engine", ENGINES)
def test_the_observed_pass_is_the_recorded_pass(engine):
    model = block_net(engine)
    loss, watched = seen(model, engine.ones(2, 3))
    own = record_backward(loss, watched=watched)
    with record(model) as r:
        model(engine.ones(2, 3)).square().mean().backward()
    seen_nodes, every = r.recording.graph.nodes, own.graph.nodes
    assert list(every)[-3:-1] == [k for k in every if every[k].kind == "op" and not every[k].module]
    assert [n.name for n in seen_nodes.values()][:-1] == [n.name for n in every.values()][:-3]
    for mine, theirs_ in zip(r.recording.events, own.events[2:], strict=True):
        assert mine.key == theirs_.key and mine.grads_in == theirs_.grads_in
        assert mine.grads_out == theirs_.grads_out and mine.accumulated == theirs_.accumulated
        assert mine.factors == ()
    assert r.recording.gradient == own.events[1].grads_out[own.events[2].key]
    held = [e.bytes_held for e in r.recording.events]
    assert held == sorted(held, reverse=True) and held[-1] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_that_add_up_over_two_passes(engine):
    model = engine.nn.Linear(100, 1, bias=False)
    with record(model) as r:
        for _ in range(2):
            model(engine.ones(1, 100)).sum().backward()
        loss = model(engine.ones(1, 100)).sum()
        loss.backward(retain_graph=True)
        loss.backward()
    kept = [next(e.accumulated for e in each.events if e.accumulated) for each in r.recordings]
    assert [(old and old.mean, new.mean) for old, new in kept] == [
        (None, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0),
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hook_that_empties_or_changes_grad(engine):
    model = engine.nn.Linear(100, 1, bias=False)

    def empty(p):
        p.grad = None

    def change(p):
        p.grad[0, 50:].zero_()

    def replace(p):
        p.grad = engine.cat([p.grad[:, :50], engine.zeros(1, 50)], 1)

    for hook in (empty, change, replace):
        handle = model.weight.register_post_accumulate_grad_hook(hook)
        model.weight.grad = None
        with record(model) as r:
            model(engine.ones(1, 100)).sum().backward()
        (new,) = [e.accumulated[1] for e in r.recording.events if e.accumulated]
        assert new.zeros == (0 if model.weight.grad is None else 50)
        handle.remove()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_in_the_users_step(engine):
    model = block_net(engine)
    before = state(model, engine)[2]
    model.twice.register_full_backward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), record(model) as r:
        model(engine.ones(2, 3)).sum().backward()
    assert r.recording.error.startswith("ZeroDivisionError")
    ran = [r.recording.graph.nodes[e.key] for e in r.recording.events]
    assert ran and not any(n.expression.startswith("stem") for n in ran)
    model.twice._backward_hooks.clear()
    assert state(model, engine)[2] == before


@pytest.mark.parametrize("engine", ENGINES)
def test_no_pass_no_recording(engine):
    model = engine.nn.Linear(2, 1)
    with record(model) as r:
        with engine.no_grad():
            model(engine.ones(1, 2))
        model(engine.ones(1, 2))
    assert r.recordings == []
    with pytest.raises(RuntimeError, match="no backward pass has gone through the model yet"):
        print(r.recording)
    with record(model, limit=2) as r:
        model(engine.ones(1, 2)).sum().backward()
    assert model.weight.grad.tolist() == [[1.0, 1.0]]
    with pytest.raises(ValueError, match="more than 2 nodes"):
        print(r.recording)


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_held_that_backward_would_free(engine):
    """What the forward pass saved goes while the recording goes on."""
    nn = engine.nn
    model = nn.Sequential(nn.Linear(50, 60), nn.Tanh(), nn.Linear(60, 1))
    x = engine.ones(2, 50)
    alive = weakref.ref(x)
    with record(model) as r:
        loss = model(x).sum()
        del x
        assert alive() is not None  # saved by the first layer
        loss.backward()
        del loss
        gc.collect()
        assert alive() is None
    assert r.recording.events[0].bytes_total > 0


def test_after_the_block_no_hook_sees_a_pass():
    model = torch.nn.Linear(2, 1)
    with record(model) as r:
        loss = model(torch.ones(1, 2)).sum()
        loss.backward(retain_graph=True)
    loss.backward()
    model(torch.ones(1, 2)).sum().backward()
    assert len(r.recordings) == 1 and loss.grad_fn._register_hook_dict.__self__ is not None


@pytest.mark.parametrize("name", ["transformer", "lstm", "attention", "tied", "custom", "nan"])
def test_torchs_own_models_in_a_step(name):
    model, inputs = theirs()[name]
    inner = model.model if hasattr(model, "model") else model
    with record(inner) as r:
        out = inner(*inputs)
        out = out[0] if isinstance(out, tuple) else out
        out.square().mean().backward()
    events = {e.key: e for e in r.recording.events}
    named = dict(inner.named_parameters())
    count = 0
    for key, event in events.items():
        if event.accumulated:
            grad = named[r.recording.graph.nodes[key].expression].grad
            np.testing.assert_allclose(
                event.accumulated[1].norm, exact(grad.numpy())[0], rtol=1e-6
            )
            count += 1
    assert count == sum(p.grad is not None for p in named.values()) > 0


def test_nan_in_numbers():
    loss, watched = seen(NotANumber(), torch.ones(30, 4))
    found = record_backward(loss, watched=watched)
    bad = [e.grad_in for e in found.events if e.grad_in and e.grad_in.nonfinite and
           e.grad_in.histogram]  # fmt: skip
    assert bad and all(g.histogram.nonfinite == g.nonfinite for g in bad)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_function_of_ones_own_has_saved(engine):
    class Product(engine.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, None, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            x, _, y = ctx.saved_tensors
            return g * y, g * x

    def product():
        return Product.apply(a, b)

    a, b = (engine.ones(3, requires_grad=True) for _ in range(2))
    found = record_backward(product().sum(), names={"a": a, "b": b})
    (node,) = [n for n in found.graph.nodes.values() if n.name == "ProductBackward"]
    assert node.saved == (("saved_tensors", "a", 12), ("saved_tensors", "b", 12))
    assert [e.bytes_held for e in found.events] == [24, 0, 0, 0]
    with engine.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: 1 / 0):
        packed = product().exp().sum()
    assert not any(n.saved for n in read_graph(packed).nodes.values())
    (loss := product().sum()).backward()
    assert not any(n.saved for n in read_graph(loss).nodes.values())
