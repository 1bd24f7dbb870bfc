"""FlowWaterfall as a Python object: what it sees on both engines, verdicts, actions, no trace."""

import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.instruments import FlowWaterfall
from autogradlab.models import GPT, MLP, resnet18

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
TEXT = "{http://www.w3.org/2000/svg}text"


def deep(engine, depth=12, act="Sigmoid", gain=1.0, wide=16):
    """A deep network with the same numbers on both engines."""
    random, layers = np.random.default_rng(0), []
    for _ in range(depth):
        layer = engine.nn.Linear(wide, wide, bias=False)
        values = random.normal(size=(wide, wide)) * gain / math.sqrt(wide)
        with engine.no_grad():
            layer.weight.copy_(engine.tensor(values, dtype=engine.float32))
        layers += [layer, getattr(engine.nn, act)()]
    return engine.nn.Sequential(*layers)


def batch(engine, wide=16, rows=8, seed=1):
    values = np.random.default_rng(seed).normal(size=(rows, wide))
    return engine.tensor(values, dtype=engine.float32)


def watched(engine, model, n=1, **options):
    flow = FlowWaterfall(model, **options)
    for i in range(n):
        with flow.step():
            model(batch(engine, seed=i)).square().mean().backward()
    return flow


def texts(flow):
    return ["".join(e.itertext()) for e in ET.fromstring(flow.svg()).iter(TEXT)]


@ENGINES
def test_what_is_seen_is_what_the_engine_computed(engine):
    model = deep(engine, 3, "ReLU")
    flow = watched(engine, model)
    out, outs = batch(engine, seed=0), []
    for layer in model:
        out = layer(out)
        outs.append(out.detach().numpy())
    for i, layer in enumerate(flow.layers):
        g = np.abs(model[2 * i].weight.grad.numpy().astype(float))
        assert layer.gradient.norm == pytest.approx(np.sqrt((g**2).sum()))
        assert layer.gradient.median == pytest.approx(np.median(g[g != 0]))
        assert layer.gradient.zeros == (g == 0).sum() and not layer.gradient.sampled
        relu = outs[2 * i + 1]
        assert layer.after == "relu" and layer.calls == 1
        assert layer.activation.median == pytest.approx(np.median(relu))
        assert (layer.dead, layer.units) == ((relu == 0).all(axis=0).sum(), 16)
    assert sum(layer.dead for layer in flow.layers) > 0


@ENGINES
def test_a_functional_activation_is_found_in_the_graph(engine):
    class Net(engine.nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = engine.nn.Linear(4, 4), engine.nn.Linear(4, 2)

        def forward(self, x):
            return self.two(self.one(x).tanh() * 1.0) + self.two(self.one(x).relu())

    flow = FlowWaterfall(Net())
    with flow.step():
        flow.model(batch(engine, 4)).sum().backward()
    assert [(x.name, x.after, x.calls) for x in flow.layers] == [("one", "relu", 2), ("two", "", 2)]


VERDICTS = {
    "vanishes": (("Sigmoid", 1.0), {"threshold": 1e-8}, "The gradient vanishes. Each layer back"),
    "explodes": (("Tanh", 8.0), {"exploding": 0.1}, "The gradient explodes. Each layer back mult"),
    "flows": (("Tanh", 1.0), {}, "The gradient flows. Going back, its norm is"),
}


@ENGINES
@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_comes_first(engine, name):
    (act, gain), options, start = VERDICTS[name]
    flow = watched(engine, deep(engine, 12, act, gain), **options)
    assert flow.sentence.startswith(start)
    kinds = set(flow.verdicts().values()) - {""}
    assert kinds == {"vanishes": {"vanishing"}, "explodes": {"exploding"}, "flows": set()}[name]
    mark = {"vanishes": "→ 0", "explodes": "→ ∞", "flows": None}[name]
    assert texts(flow).count(mark) == sum(bool(v) for v in flow.verdicts().values())


def test_the_sentence_has_exact_numbers():
    flow = watched(autogradlab, deep(autogradlab))
    norms = [layer.gradient.norm for layer in flow.layers]
    factor = (norms[-1] / norms[0]) ** (1 / 11)
    low = [x.name for x in flow.layers if x.gradient.median < 1e-8]
    assert flow.sentence == (
        f"The gradient vanishes. Each layer back divides it by about {factor:.2g}. "
        f"In layers {low[0]} to {low[-1]} most weights get less than 1e−8."
    )
    assert low == ["0", "2", "4", "6"][: len(low)] and len(low) > 1


def test_both_engines_draw_the_same():
    ours, theirs = (watched(engine, deep(engine)) for engine in (autogradlab, torch))
    assert ours.sentence == theirs.sentence
    assert ours.svg() == watched(autogradlab, deep(autogradlab)).svg()
    assert texts(ours) == texts(theirs)
    assert (ours.view.tag, theirs.view.tag) == ("autogradlab", "PyTorch")


@ENGINES
def test_dead_units_and_gradients_that_are_exactly_zero(engine):
    model = deep(engine, 3, "ReLU")
    with engine.no_grad():
        model[2].weight.copy_(model[2].weight * 0 - 1.0)  # after a relu: all of it is below 0
    flow = watched(engine, model)
    assert flow.verdicts() == {"0": "zero", "2": "zero", "4": "zero"}
    assert flow.sentence == (
        "The gradient dies. In all 3 layers it is exactly 0. 16 of 16 units of layer 2 are dead, "
        "the most of 2 layers."
    )
    assert texts(flow).count("= 0") == 3 and "16 of 16" in texts(flow)


@ENGINES
def test_the_share_for_which_a_unit_is_dead_can_be_set(engine):
    strict, lax = (watched(engine, deep(engine, 2, "ReLU"), dead=d).layers for d in (1.0, 0.5))
    assert strict[0].dead < lax[0].dead


@ENGINES
def test_what_is_not_finite(engine):
    model = deep(engine, 4, "Tanh")
    with engine.no_grad():
        model[4].weight[0, 0] = math.nan
    flow = watched(engine, model)
    assert flow.sentence == (
        "The activations are not finite. Going forward, the first are those of layer 4: 8 of 128 "
        "elements are nan."
    )
    assert flow.verdicts() == dict.fromkeys("0246", "nan")
    model = deep(engine, 2, "Tanh")
    flow = FlowWaterfall(model)
    with flow.step():
        (model(batch(engine)) * 1e38).sum().mul(1e38).backward()
    assert flow.sentence == (
        "The gradient is not finite. Going back, the first is that of layer 2: 256 of 256 elements "
        "are nan."
    )
    assert texts(flow).count("nan") == 4  # a mark and a norm for each layer


@ENGINES
def test_training_steps_are_a_timeline(engine):
    flow = watched(engine, deep(engine, 4, "Tanh"), 5)
    assert len(flow.steps) == 5 and flow.position == 4 and len(flow.view.frames) == 5
    assert flow.jump(1) == flow.view.sentences[1] and flow.position == 1
    assert flow.view.step == 1 and flow.sentence.startswith("Step 1. ")
    assert flow.forward() and flow.position == 2 and flow.back(9) and flow.position == 0
    flow.view.step = 3  # the browser
    assert flow.position == 3 and flow.layers == flow.steps[3].layers
    with pytest.raises(ValueError, match="no step 5: there are steps 0 to 4"):
        flow.jump(5)
    with flow.step():
        flow.model(batch(engine)).sum().backward()
    assert flow.position == 5 and len(flow.view.frames) == 6 and flow.view.stops[-1] == "5"


def test_of_very_many_steps_some_are_drawn():
    model = deep(torch, 1, "Tanh", wide=2)
    flow = FlowWaterfall(model)
    for _ in range(250):
        with flow.step():
            model(torch.ones(2, 2)).sum().backward()
    assert len(flow.view.frames) == 84 and "84 of 250 steps" in flow.view.expression
    assert flow.position == 249 and flow.jump(100) and flow.position == 99


def test_layers_in_the_order_of_their_calls():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = torch.nn.Linear(4, 1), torch.nn.Linear(4, 4)
            self.unused = torch.nn.Linear(2, 2)

        def forward(self, x):
            return self.last(self.first(x))

    net = Net()
    flow = FlowWaterfall.of(net, lambda: net(torch.ones(2, 4)).sum())
    assert [x.name for x in flow.layers] == ["first", "last", "unused"]
    after = FlowWaterfall.of(net, net(torch.ones(2, 4)).sum())
    assert [x.name for x in after.layers] == ["first", "last", "unused"]
    assert flow.verdicts()["unused"] == "none" and "None" in texts(flow)
    assert after.layers[0].activation is None and "activation" not in texts(after)
    assert after.layers[0].gradient == flow.layers[0].gradient


def test_layers_can_be_chosen():
    model = MLP([4, 8, 8, 2])
    names = [name for name, m in model.named_modules() if list(m.parameters(recurse=False))]
    flow = FlowWaterfall(model, layers=names[1:2])
    with flow.step():
        model(autogradlab.ones(3, 4)).sum().backward()
    assert [x.name for x in flow.layers] == names[1:2]
    with pytest.raises(ValueError, match="no module 'nosuch'"):
        FlowWaterfall(model, layers=["nosuch"])
    with pytest.raises(ValueError, match="has no parameters"):
        FlowWaterfall(torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU()), layers=["1"])


def test_networks_of_ours():
    autogradlab.manual_seed(0)
    net = resnet18()
    x = autogradlab.randn(2, 3, 32, 32)
    flow = FlowWaterfall.of(net, lambda: net(x).square().mean())
    assert len(flow.layers) == 41 and flow.layers[0].name == "conv1"
    assert flow.layers[1].after == "relu" and flow.layers[1].units == 64
    assert flow.layers[-1].name == "fc" and flow.layers[0].gradient.sampled
    # Of a 3×3 kernel on one pixel only the middle is used: 8 of 9 gradients are exactly 0.
    last = flow.layers[-3].gradient
    assert last.zeros == last.size * 8 // 9 and last.median > 0
    gpt = GPT(vocabulary=11, context=6, width=8, heads=2, layers=2)
    tokens = autogradlab.tensor([[1, 2, 3], [4, 5, 6]])
    flow = FlowWaterfall.of(gpt, lambda: gpt(tokens).square().mean())
    assert all(layer.gradient and layer.activation for layer in flow.layers)


def test_networks_of_torch():
    torch.manual_seed(0)
    x = torch.randn(5, 2, 8)
    lstm = torch.nn.LSTM(8, 4, 2)
    flow = FlowWaterfall.of(lstm, lambda: lstm(x)[0].sum())
    assert [(a.title, a.kind) for a in flow.layers] == [("LSTM", "LSTM")]
    sizes = sum(p.numel() for p in lstm.parameters() if p.ndim > 1)
    assert flow.layers[0].gradient.size == sizes and flow.layers[0].activation is not None
    net = torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    flow = FlowWaterfall.of(net, lambda: net(x, x).sum())
    assert all(flow.layers) and {"encoder.layers.0.self_attn.out_proj"} < {
        layer.name for layer in flow.layers
    }
    assert flow.layers[-1].name == "decoder.norm"


def test_shared_weights_have_one_gradient():
    embed, head = torch.nn.Embedding(7, 4), torch.nn.Linear(4, 7, bias=False)
    head.weight = embed.weight
    net = torch.nn.Sequential(embed, head)
    flow = FlowWaterfall(net)
    with flow.step():
        net(torch.tensor([1, 2, 3])).square().sum().backward()
    norm = embed.weight.grad.norm().item()
    assert [x.gradient.norm for x in flow.layers] == [pytest.approx(norm)] * 2


# ------------------------------------------------------------------------------- leave no trace


def trace(model, engine):
    hooks = [
        len(each)
        for m in model.modules()
        for each in (m._forward_hooks, m._forward_pre_hooks)
    ]
    hooks += [len(p._backward_hooks or ()) for p in model.parameters() if hasattr(p, "_backward_h")]
    grads = [None if p.grad is None else (id(p.grad), p.grad.tolist()) for p in model.parameters()]
    buffers = [(id(b), b._version, b.tolist()) for b in model.buffers()]
    return hooks, grads, buffers, engine.get_rng_state().tolist()


def noisy(engine):
    nn = engine.nn
    engine.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))


@ENGINES
@pytest.mark.parametrize("filled", [False, True])
def test_a_pass_of_its_own_leaves_no_trace(engine, filled):
    model, x = noisy(engine), batch(engine, 4)
    if filled:
        model(x).sum().backward()
    before = trace(model, engine)
    FlowWaterfall.of(model, lambda: model(x).sum())
    assert trace(model, engine) == before
    loss = model(x).sum()
    before = trace(model, engine)
    FlowWaterfall.of(model, loss)
    assert trace(model, engine) == before
    loss.backward()  # not freed


@ENGINES
def test_no_trace_after_an_exception(engine):
    model, x = noisy(engine), batch(engine, 4)

    def stop(g):
        raise ZeroDivisionError("stop")

    def loss():
        h = model[0](x)
        h.register_hook(stop)
        return model[3](model[2](model[1](h))).sum()

    before = trace(model, engine)
    with pytest.raises(ZeroDivisionError) as raised:
        FlowWaterfall.of(model, loss)
    assert trace(model, engine) == before
    assert raised.value.flow.layer("3").gradient and not raised.value.flow.layer("0").gradient
    flow = FlowWaterfall(model)
    with pytest.raises(ZeroDivisionError), flow.step():
        loss().backward()
    assert trace(model, engine)[0] == before[0]
    assert flow.sentence.startswith("Backward stopped with ZeroDivisionError: stop. ")
    with pytest.raises(KeyError), flow.step():
        raise KeyError("before anything ran")
    assert len(flow.steps) == 1


@ENGINES
def test_watching_changes_nothing(engine):
    found = []
    for watch in (False, True):
        model, x = noisy(engine), batch(engine, 4)
        flow = FlowWaterfall(model)
        for _ in range(2):
            if watch:
                with flow.step():
                    model(x).square().sum().backward()
            else:
                model(x).square().sum().backward()
        found.append((trace(model, engine)[0], [p.grad.tolist() for p in model.parameters()]))
        found[-1] += ([b.tolist() for b in model.buffers()], engine.get_rng_state().tolist())
    assert found[0] == found[1]


# ------------------------------------------------------------------- threshold, selection, state


def test_the_threshold_is_a_slider():
    flow = watched(torch, deep(torch), controls=["threshold"])
    view = flow.view
    assert view.stops == [] and flow.sentence.startswith("The gradient vanishes")
    revision, (slider,) = view.revision, flow.controls
    assert slider.value == pytest.approx(1e-8)
    slider.value = 1e-20
    assert flow.threshold == 1e-20 and view.revision == revision + 1 and flow.view is view
    assert view.sentences[0] == flow.sentence and "flows" in flow.sentence
    flow.threshold = 1e-6
    assert slider.value == pytest.approx(1e-6) and "below 1e−6" in str(view.variants)
    for bad in (0, -1.0, math.inf, math.nan, "1e-8", True):
        with pytest.raises(ValueError, match="threshold is a positive number"):
            flow.threshold = bad
    assert flow.threshold == 1e-6
    assert watched(torch, deep(torch), controls=[]).controls == ()


def test_selecting_shows_numbers():
    flow = watched(torch, deep(torch, 3, "Tanh"), 2)
    words = flow.select("2")
    norm = flow.layers[1].gradient.norm
    assert words.startswith("2 · Linear · gradient of 256 weights: norm ")
    assert f"norm {norm:.4g}, " in words
    assert flow.selected == flow.layers[1] and flow.view.selected == "l1"
    assert all("selected: 2" in panel and "256" in panel for panel in flow.view.panels)
    flow.view.selected = "l0"  # the browser
    assert flow.selected.name == "0" and "selected: 0" in flow.view.panels[0]
    assert flow.select(None) == flow.sentence and set(flow.view.panels) == {""}
    with pytest.raises(ValueError, match="no layer is called 'x'"):
        flow.select("x")


def test_the_state_can_be_pasted():
    flow = watched(autogradlab, deep(autogradlab, 3), 1)
    flow.select("4")
    flow.threshold = 1e-3
    text = json.dumps(flow.state())
    again = FlowWaterfall(flow.model)
    again.steps = flow.steps
    for name, value in json.loads(text).items():
        if name != "instrument":
            again._set(name, value)
    assert again.state() == flow.state() and again.svg() == flow.svg()
    fresh = FlowWaterfall.from_state(text, flow.model)
    assert fresh.threshold == 1e-3 and fresh.state()["selected"] == "l2"
    with pytest.raises(ValueError, match="threshold is -1"):
        FlowWaterfall.from_state('{"instrument": "FlowWaterfall", "threshold": -1}', flow.model)


# --------------------------------------------------------------------------------------- output


def test_the_bundle():
    flow = watched(torch, deep(torch))
    bundle = flow._repr_mimebundle_()
    assert bundle["text/plain"] == flow.sentence and bundle["image/svg+xml"] == flow.svg()
    live = bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert live == flow.with_controls().model_id
    svg = flow.svg()
    assert "var(" not in svg and " id=" not in svg and "<script" not in svg


def test_names_are_escaped():
    evil = '<script>alert("1")</script>\n'
    model = torch.nn.Module()
    model._modules[evil] = torch.nn.Linear(2, 2)
    model.forward = lambda x: model._modules[evil](x)
    flow = FlowWaterfall.of(model, lambda: model(torch.ones(2, 2)).sum())
    flow.select(evil)
    markup = flow.svg() + str(flow.view.variants) + str(flow.view.panels)
    assert "<script" not in markup and "script&gt;" in markup
    assert "<script" in flow.sentence  # plain text


@pytest.mark.parametrize("layers", [1, 30, 150])
def test_any_number_of_layers(layers):
    flow = watched(torch, deep(torch, layers, "Tanh", wide=16))
    shown = [t for t in texts(flow) if t.isdigit() and t in dict(flow.model.named_modules())]
    assert shown[0] == "0" and str(2 * layers - 2) in shown
    assert len(flow.view.targets) == min(layers, 76)


def test_bad_input():
    with pytest.raises(ValueError, match="ReLU has no parameters"):
        FlowWaterfall(torch.nn.ReLU())
    with pytest.raises(TypeError, match="expected a model"):
        FlowWaterfall(torch.ones(2))
    model = deep(torch, 2)
    for option in ({"threshold": 0}, {"exploding": -1}, {"dead": 1.5}, {"controls": ["depth"]}):
        with pytest.raises(ValueError, match=next(iter(option)).removesuffix("s")):
            FlowWaterfall(model, **option)
    flow = FlowWaterfall(model)
    assert "No training step of Sequential has been watched yet" in flow.summary
    assert flow.view is None and list(flow._repr_mimebundle_()) == ["text/plain"]
    for act in (flow.svg, lambda: flow.jump(0), lambda: flow.sentence):
        with pytest.raises(RuntimeError, match="has been watched yet"):
            act()
    with flow.step():
        pass
    assert flow.sentence == "No gradient. None has come to any of 2 layers."


@ENGINES
def test_a_loss_without_a_graph(engine):
    model = deep(engine, 2)
    with pytest.raises(RuntimeError, match="does not require grad"):
        FlowWaterfall.of(model, engine.ones(1))
    loss = model(batch(engine)).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        FlowWaterfall.of(model, loss)
    assert FlowWaterfall.of(model, engine.ones(1, requires_grad=True).sum()).sentence == (
        "No gradient. None has come to any of 2 layers."
    )
