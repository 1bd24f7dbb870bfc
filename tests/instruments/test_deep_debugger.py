"""The debugger on networks nobody here wrote: modules fold, questions are answered, no trace."""

import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab import models
from autogradlab.graphs import watch
from autogradlab.instruments import BackwardDebugger


class Shared(torch.nn.Module):
    """One layer used twice, one not at all, a branch, an in-place operation, a Function."""

    def __init__(self):
        super().__init__()
        self.layer, self.unused = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

    def forward(self, x):
        y = self.layer(x)
        y = Cube.apply(y) if x.sum() > 0 else y
        y = self.layer(y).clone()
        return y.mul_(2).relu_()


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x**2


class Stops(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        raise ZeroDivisionError("it stops here")


def attention():
    model = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.ones(1, 3, 8)
    return model, lambda: model(x, x, x)[0]


def called(model, *inputs):
    return model, lambda: model(*inputs)


MODELS = {
    "resnet": lambda: called(models.resnet18(), autogradlab.randn(1, 3, 64, 64)),
    "gpt": lambda: called(
        models.GPT(5, context=4, width=8, heads=2, layers=2), autogradlab.tensor([[1, 2, 3]])
    ),
    "transformer": lambda: called(
        torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
        torch.ones(1, 3, 8), torch.ones(1, 2, 8),
    ),
    "attention": attention,
    "lstm": lambda: (lambda m: (m, lambda: m(torch.ones(3, 1, 4))[0]))(torch.nn.LSTM(4, 5, 2)),
    "shared": lambda: called(Shared(), torch.ones(2, 4)),
    "nan": lambda: called(
        torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)),
        torch.full((1, 4), torch.nan),
    ),
}  # fmt: skip


def made(name, exact=True):
    engine = autogradlab if name in ("resnet", "gpt") else torch
    engine.manual_seed(0)
    model, run = MODELS[name]()
    with watch(model) as seen:
        loss = run().pow(2).sum()
    kept = {"watched": seen} if exact else {}
    return model, loss, BackwardDebugger(loss, model, {"loss": loss}, **kept)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_any_network_can_be_stepped_through_folded_and_unfolded(name, exact):
    model, loss, debugger = made(name, exact)
    count = len(debugger.keys)
    assert debugger.summary.startswith(f"Backward pass of loss · {count} nodes")
    assert ("as watched" in debugger.summary) == exact
    said = [debugger.jump(i) for i in range(count + 1)]
    assert all(text.startswith(f"Step {i} of {count}. ") for i, text in enumerate(said))
    debugger.open()
    assert debugger.position == count  # the step stays
    unfolded = {row.key for row in debugger.rail.rows if not row.head}
    assert unfolded == set(debugger.recording.graph.nodes)
    debugger.close()
    folded = {row.key for row in debugger.rail.rows}
    assert not any(row.head for row in debugger.rail.rows)
    inner = any(call.path for call in debugger.recording.graph.calls.values())
    assert (len(folded) < len(unfolded)) == inner
    assert ET.fromstring(debugger.svg()).get("role") == "img"
    assert all(p.grad is None for p in model.parameters())
    loss.backward()  # the graph was not freed


def test_resnet_opens_with_its_blocks():
    _, _, debugger = made("resnet")
    rows = [debugger.rail.name(row)[0] for row in debugger.rail.rows]
    assert [row for row in rows if row.startswith("layer")] == [f"layer{i}" for i in range(1, 5)]
    assert rows.count("0") == rows.count("1") == 4 and 18 <= len(rows) <= 24
    assert debugger.open("layer2.0").endswith("rows")
    names = {debugger.rail.name(row)[0] for row in debugger.rail.rows}
    assert {"conv1", "downsample", "bn2"} <= names
    assert "conv2 of layer2.0 runs" in " ".join(debugger.sentences)


def test_fold_marks_send_the_same_as_methods():
    _, _, debugger = made("transformer")
    before, call = len(debugger.rail.rows), "encoder.layers.0"
    key = next(k for k, c in debugger.recording.graph.calls.items() if c.path == call)
    debugger._on_message({"fold": key})
    assert len(debugger.rail.rows) > before and debugger.view.revision > 1
    debugger._on_message({"fold": key})
    assert len(debugger.rail.rows) == before
    for nonsense in ({}, {"fold": "m999"}, {"fold": 3}, {"evil": "x"}):
        debugger._on_message(nonsense)
    assert len(debugger.rail.rows) == before


def test_breakpoints_at_modules_and_conditions():
    _, _, debugger = made("transformer")
    debugger.add_breakpoint("decoder.layers.0")
    first = debugger.run()
    assert "decoder.layers.0" in first
    inside = debugger.position
    debugger.run()
    assert debugger.position == len(debugger.keys)  # not at every node of the module
    norms = [max(g.norm for g in e.grads_in if g) for e in debugger.recording.events]
    limit = sorted(norms)[len(norms) // 2]
    told = debugger.break_when(above=limit)
    assert debugger.halts == [i for i, n in enumerate(norms, 1) if n > limit]
    assert told.startswith(f"{len(debugger.halts)} of {len(norms)} steps")
    debugger.reset()
    debugger.run()
    assert debugger.position == min(debugger.halts[0], inside)
    assert debugger.break_when(below=0.0) == "No step meets the condition."
    assert debugger.break_when() == "No condition." and debugger.view.halts == []
    with pytest.raises(ValueError, match="are numbers"):
        debugger.break_when(above="much")


def test_the_first_gradient_that_is_not_finite_is_found():
    _, _, debugger = made("nan")
    assert "not finite" in debugger.summary
    debugger.break_when(nonfinite=True)
    debugger.run()
    came = debugger.event.grads_in
    assert any(g.nonfinite for g in came if g)
    earlier = debugger.recording.events[: debugger.position - 1]
    assert not any(g.nonfinite for e in earlier for g in e.grads_in if g)


def test_who_keeps_memory():
    x = torch.ones(100, requires_grad=True)
    h = x * 2
    y = (h.sin() + h.cos()).sum()
    debugger = BackwardDebugger(y, names={"x": x, "h": h})
    told = debugger.who_keeps("sin(h)")
    assert told.startswith("sin(h) has saved 400 B") and "Also kept by cos(h) (400 B)" in told
    assert "saved nothing" in debugger.who_keeps("sin(h) + cos(h)")
    _, _, deep = made("resnet")
    assert "Nothing else keeps this memory" in deep.who_keeps("fc")


@pytest.mark.parametrize("engine", [autogradlab, torch])
def test_why_a_gradient_is_none(engine):
    """Each answer, and what backward itself then does."""
    a, b = (engine.ones(2, requires_grad=True) for _ in range(2))
    data, unused = engine.ones(2), engine.ones(2, requires_grad=True)
    h = a * b * data
    y = (h * h.detach()).sum()
    names = {"a": a, "b": b, "data": data, "unused": unused, "h": h}
    debugger = BackwardDebugger(y, names=names)
    assert "does not require a gradient" in debugger.why_none("data")
    assert "no path leads" in debugger.why_none(unused)
    assert "is not a leaf, MulBackward0 made it" in debugger.why_none("h")
    assert "This pass gives a a gradient of norm" in debugger.why_none("a")
    with pytest.raises(ValueError, match="no tensor of this pass"):
        debugger.why_none("c")
    y.backward()
    assert [t.grad is None for t in (a, data, unused)] == [False, True, True]


def test_a_backward_that_raises_is_shown_as_far_as_it_came():
    x = torch.ones(2, requires_grad=True)
    y = (Stops.apply(x * 2) * 3).sum()
    with pytest.raises(ZeroDivisionError, match="it stops here") as caught:
        BackwardDebugger(y, names={"x": x})
    assert len(caught.value.recording.events) == 2
    debugger = BackwardDebugger.of(caught.value.recording)
    assert "It stopped after step 2: ZeroDivisionError: it stops here" in debugger.summary
    assert debugger.jump(2).endswith("Here backward stopped: ZeroDivisionError: it stops here.")
    assert x.grad is None


def test_the_state_can_be_pasted():
    model, loss, debugger = made("transformer", exact=False)
    debugger.open("encoder.layers.0")
    debugger.close("decoder.layers.0")
    debugger.jump(30)
    debugger.add_breakpoint("decoder.layers.0")
    debugger.break_when(above=1.5)
    text = json.dumps(debugger.state())
    again = BackwardDebugger.from_state(text, loss, model, {"loss": loss})
    assert again.state() == debugger.state() and again.position == 30
    assert again.halts == debugger.halts


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"step": 10**6}, "step 1000000 of"),
        ({"open": ["m999"]}, "no module 'm999'"),
        ({"open": "m1"}, "open is m1"),
        ({"breakpoints": ["n9999"]}, "no node 'n9999'"),
        ({"halt": {"above": "1"}}, "halt is"),
        ({"halt": {"evil": 1}}, "halt is"),
        ({"halt": {"above": float("nan")}}, "halt is"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, words):
    model, loss, _ = made("transformer")
    with pytest.raises(ValueError, match=words):
        BackwardDebugger.from_state({"instrument": "BackwardDebugger", **state}, loss, model)


def test_controls_can_be_left_out():
    x = torch.ones(2, requires_grad=True)
    plain = BackwardDebugger((x * x).sum(), names={"x": x}, controls=["formula"])
    assert "Ready queue" not in plain.view.panels[1] and "no-transport" in plain.view.look
    model, loss, _ = made("transformer")
    assert BackwardDebugger(loss, model, controls=["transport"]).controls == ()
    assert len(BackwardDebugger(loss, model).controls) == 2
    with pytest.raises(ValueError, match="no control 'wheel'; it has transport"):
        BackwardDebugger(loss, model, controls=["wheel"])


def test_the_condition_can_be_chosen_in_the_widget():
    model, loss, _ = made("transformer")
    debugger = BackwardDebugger(loss, model)
    kind, limit = debugger.controls
    limit.value = 0.5
    kind.value = "norm above"
    assert debugger.state()["halt"] == {"nonfinite": False, "above": 0.5, "below": None}
    kind.value = "no condition"
    assert debugger.halts == [] and limit.disabled


def test_a_graph_too_large_to_draw_is_folded_or_refused():
    big = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(700)))
    loss = big(torch.ones(1, 2)).sum()
    with pytest.raises(ValueError, match="too many to draw"):
        BackwardDebugger(loss, names={})
    with pytest.raises(ValueError, match="rows are too many to draw"):
        BackwardDebugger(loss, big)
    nested = torch.nn.Sequential(*(big[i : i + 100] for i in range(0, 700, 100)))
    loss = nested(torch.ones(1, 2)).sum()
    debugger = BackwardDebugger(loss, nested)
    shown = debugger.state()
    with pytest.raises(ValueError, match="too many to draw"):
        debugger.open()
    assert debugger.state() == shown
    debugger._on_message({"fold": next(iter(debugger._open), "m1")})  # a click never raises


def test_names_are_escaped():
    class Evil(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module('<img src=x>"\'\n', torch.nn.Linear(2, 2))

        def forward(self, x):
            return next(self.children())(x)

    model = Evil()
    debugger = BackwardDebugger(model(torch.ones(1, 2)).sum(), model)
    debugger.open()
    traits = debugger.view.variants, debugger.view.overlays, debugger.view.curve
    assert "<img" not in json.dumps(traits) + debugger.svg()


def test_the_state_sent_to_the_browser_stays_small():
    _, _, debugger = made("resnet")
    names = ("variants", "frames", "targets", "overlays", "order", "sentences", "curve", "held")
    size = len(json.dumps({name: getattr(debugger.view, name) for name in names}))
    assert size < 120_000
    debugger.open()
    assert len(json.dumps({name: getattr(debugger.view, name) for name in names})) < 1_200_000
