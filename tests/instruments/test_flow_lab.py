"""FlowLab as a Python object: its numbers are PyTorch's on the same weights, its factors are what a
layer does, and what is chosen is what is shown."""

import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.graphs.numbers import number
from autogradlab.instruments import FlowLab

ENGINES = pytest.mark.parametrize("engine", ["autogradlab", "torch"])
TEXT = "{http://www.w3.org/2000/svg}text"
CHOICES = [
    {},
    {"activation": "relu", "gain": 1.4},
    {"activation": "tanh", "gain": 2.5, "skip": True},
    {"activation": "sigmoid", "norm": "batch"},
    {"activation": "relu", "norm": "layer", "skip": True},
]


def lab(depth=8, engine="autogradlab", **choices):
    return FlowLab(depth, width=16, batch=32, engine=engine, **choices)


def by_torch(shown):
    """The same pass, written down in PyTorch with the lab's weights and points: norms of the
    weights' gradients, of the gradients that come in, sizes of the activations, slopes."""
    c = shown.choice
    given = [p.detach().numpy() for p in shown.model.parameters()]
    weights = [torch.tensor(w, requires_grad=True) for w in given]
    random = np.random.default_rng((0, 1))
    x, v = (torch.tensor(a) for a in random.normal(size=(2, 32, 16)))
    h, states, slopes = x, [x], []
    for weight in weights:
        z = h @ weight.T
        if c.norm == "batch":
            z = torch.nn.BatchNorm1d(16, affine=False).double()(z)
        elif c.norm == "layer":
            z = torch.nn.LayerNorm(16, elementwise_affine=False)(z)
        seen = z.detach().requires_grad_()
        getattr(torch, c.activation)(seen).sum().backward()
        slopes.append(seen.grad.square().mean())
        out = getattr(torch, c.activation)(z)
        h = h + out if c.skip else out
        h.retain_grad()
        states.append(h)
    (h * v / v.norm()).sum().backward()
    return (
        [w.grad.norm().item() for w in weights],
        [h.grad.norm().item() for h in states[1:]],
        [h.detach().square().mean().sqrt().item() for h in states],
        torch.stack(slopes).mean().sqrt().item(),
    )


@ENGINES
@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_its_norms_are_pytorchs_on_the_same_weights(engine, choices):
    shown = lab(engine=engine, **choices)
    norms, up, down, slope = by_torch(shown)
    assert [x.gradient.norm for x in shown.layers] == pytest.approx(norms, rel=1e-9)
    assert shown.flow.up == pytest.approx(up, rel=1e-9)
    assert shown.flow.down == pytest.approx(down, rel=1e-9)
    assert shown.flow.slope == pytest.approx(slope, rel=1e-9)
    assert shown.flow.back == pytest.approx((up[0] / up[-1]) ** (1 / 7))
    assert shown.flow.forward == pytest.approx((down[-1] / down[1]) ** (1 / 7))
    assert up[-1] == pytest.approx(1)


@pytest.mark.parametrize("choices", [c for c in CHOICES if not c.get("skip")], ids=str)
def test_gain_times_slope_is_what_a_layer_does(choices):
    shown = FlowLab(20, **choices)
    product = shown.choice.gain * shown.flow.slope / shown.flow.spread
    assert shown.flow.back == pytest.approx(product, rel=0.06)
    assert f"= {number(product, 3)}<" in shown.view.panels[0]


def test_both_engines_show_the_same():
    ours, theirs = (lab(engine=engine) for engine in (autogradlab, torch))
    assert ours.sentence == theirs.sentence and ours.view.panels == theirs.view.panels
    assert ours.svg() == theirs.svg() == lab().svg()
    assert (ours.view.tag, theirs.view.tag) == ("autogradlab", "PyTorch")
    assert isinstance(theirs.model, torch.nn.Module)


VERDICTS = {
    "vanishes": {"depth": 30},
    "explodes": {"depth": 30, "activation": "relu", "gain": 3.0},
    "shrinks": {"depth": 5},
    "grows": {"depth": 20, "activation": "tanh", "gain": 2.0},
    "flows": {"depth": 30, "norm": "batch", "skip": True},
}


@pytest.mark.parametrize("verb", VERDICTS)
def test_the_sentence(verb):
    shown = FlowLab(**VERDICTS[verb])
    norms = [x.gradient.norm for x in shown.layers]
    dead, units = (sum(getattr(x, n) for x in shown.layers) for n in ("dead", "units"))
    assert shown.sentence == (
        f"The gradient {verb}. Going up, each layer multiplies it by {number(shown.flow.back, 3)}; "
        f"the weights of layer 1 get {number(norms[0] / norms[-1], 2)} times as much as those of "
        f"layer {len(norms)}." + (f" {dead} of {units:,} units are dead." if dead else "")
    )
    assert bool(dead) == (shown.choice.activation == "relu")


def test_a_layer_alone():
    shown = lab(1)
    norm = shown.layers[0].gradient.norm
    assert shown.sentence == f"One layer. The norm of its gradient is {number(norm)}."
    assert "measured" in shown.view.panels[0] and shown.svg()
    assert shown.choose(depth=2).startswith("The gradient flows.")


def test_what_is_chosen_is_shown_everywhere():
    shown = lab()
    view, widgets = shown.view, dict(zip(FlowLab.CONTROLS, shown.controls, strict=True))
    revision = view.revision
    sentence = shown.choose(depth=5, activation="relu", gain=2.0, norm="layer", skip=True)
    assert shown.view is view and view.revision > revision
    assert sentence == shown.sentence == view.sentences[0]
    assert view.expression == "5 relu layers of 16 · gain 2 · layer norm · skip"
    assert [widgets[n].value for n in FlowLab.CONTROLS] == [5, "relu", 2.0, "layer", True]
    assert [t[0] for t in view.targets] == ["l0", "l1", "l2", "l3", "l4"]
    assert "h ← h + relu(norm(W·h))" in view.panels[0]
    assert "1 past the layer, and gain × slope ÷ spread" in view.panels[0]
    made = lab(5, activation="relu", gain=2.0, norm="layer", skip=True)
    assert made.sentence == sentence and made.svg() == shown.svg()


def test_a_control_chooses():
    shown = lab()
    widgets = dict(zip(FlowLab.CONTROLS, shown.controls, strict=True))
    for name, value in (("depth", 4), ("activation", "tanh"), ("norm", "batch"), ("skip", True)):
        widgets[name].value = value
        assert getattr(shown.choice, name) == value
    widgets["norm"].value = "none"
    assert shown.choice.norm is None
    shown.choose(norm="layer")
    assert shown.choose(norm=None) and widgets["norm"].value == lab().controls[3].value == "none"
    widgets["gain"].value = 0.30000000000000004
    assert shown.choice.gain == 0.3 and "gain 0.3 " in shown.view.expression
    narrow = lab(controls=["gain", "depth"])
    assert [w.description for w in narrow.controls] == ["depth", "gain"]


def test_the_same_random_numbers_for_every_choice():
    shown = lab(6)
    first = [p.detach().numpy() for p in shown.model.parameters()]
    shown.choose(gain=3.0, activation="tanh")
    for a, b in zip(first, shown.model.parameters(), strict=True):
        np.testing.assert_allclose(3 * a, b.detach().numpy())
    other = FlowLab(6, width=16, batch=32, seed=1)
    assert other.sentence != lab(6).sentence


def test_the_medians_before_stay_as_dashes():
    shown = FlowLab(20)
    before = [x.gradient.median for x in shown.layers]
    assert "stroke-dasharray" not in shown.svg() and "before" not in words(shown)
    shown.choose(norm="batch")
    assert shown._before == tuple(before)
    drawing = ET.fromstring(shown.svg())
    (line,) = [e for e in drawing.iter() if e.get("stroke-dasharray") == "4 3"]
    axis = shown._drawing(shown.steps).gradients
    xs = [float(point.split()[0]) for point in line.get("d")[1:].split("L")]
    assert xs == pytest.approx([float(axis(math.log10(x))) for x in before], abs=0.06)
    assert words(shown).count("before") == 1
    shown.choose(depth=10)  # other layers: nothing to compare
    assert "before" not in words(shown)
    shown.choose(depth=10)
    assert not any(e.get("stroke-dasharray") == "4 3" for e in ET.fromstring(shown.svg()).iter())


def words(shown):
    return ["".join(e.itertext()) for e in ET.fromstring(shown.svg()).iter(TEXT)]


def test_dead_units_are_those_pytorch_computes():
    shown = FlowLab(12, "relu", 1.4, engine="torch")
    h = torch.tensor(np.random.default_rng((0, 1)).normal(size=(2, 128, 64))[0])
    dead = []
    for weight in shown.model.parameters():
        h = torch.relu(h @ weight.detach().T)
        dead.append(int((h == 0).all(dim=0).sum()))
    assert [x.dead for x in shown.layers] == dead and sum(dead) > 0
    assert [w for w in words(shown) if w.endswith(" of 64")] == [f"{d} of 64" for d in dead if d]


def test_selecting_a_layer():
    shown = lab()
    shown.view  # noqa: B018
    assert shown.select("3").startswith("3 · Layer · gradient of 256 weights: norm ")
    assert "selected: 3" in shown.view.panels[0] and "gain × slope" in shown.view.panels[0]
    shown.choose(gain=2.0)
    assert shown.selected.name == "3" and "selected: 3" in shown.view.panels[0]
    shown.choose(depth=2)
    assert shown.selected is None and "selected" not in shown.view.panels[0]
    with pytest.raises(ValueError, match="no layer is called '3'"):
        shown.select("3")


@ENGINES
def test_it_draws_nothing_from_the_random_numbers(engine):
    module = {"autogradlab": autogradlab, "torch": torch}[engine]
    states = lambda: (module.get_rng_state().tolist(), np.random.get_state()[1].tolist())  # noqa: E731
    before = states()
    shown = lab(engine=engine)
    shown.choose(norm="batch")
    assert states() == before
    for layer in shown.model.modules():
        assert not layer._forward_hooks and not layer._forward_pre_hooks
    assert all(p.grad is None for p in shown.model.parameters())


def test_the_state_can_be_pasted():
    shown = lab(5, activation="tanh", gain=2.0, norm="layer", skip=True)
    shown.select("4")
    text = json.dumps(shown.state())
    again = FlowLab.from_state(text, width=16, batch=32)
    assert again.state() == shown.state() and again.svg() == shown.svg()
    for bad in ({"depth": 0}, {"activation": "gelu"}, {"gain": "1"}, {"norm": 1}, {"skip": 0},
                {"selected": "l9"}):  # fmt: skip
        with pytest.raises(ValueError, match="does not fit"):
            FlowLab.from_state({"instrument": "FlowLab", **bad}, 5, width=16, batch=32)


BAD = [
    ({"depth": 0}, "depth is a whole number from 1 to 60, not 0"),
    ({"depth": 2.0}, "depth is a whole number"),
    ({"depth": True}, "depth is a whole number"),
    ({"activation": "gelu"}, "activation is sigmoid, tanh or relu, not 'gelu'"),
    ({"gain": 0}, "gain is a number above 0"),
    ({"gain": math.nan}, "gain is a number above 0"),
    ({"norm": "none"}, "norm is None, batch or layer, not 'none'"),
    ({"skip": 1}, "skip is True or False, not 1"),
    ({"width": 1}, "width is a whole number from 2 on, not 1"),
    ({"batch": "8"}, "batch is a whole number from 2 on"),
    ({"engine": "jax"}, "engine is autogradlab or torch, not 'jax'"),
    ({"controls": ["transport"]}, "FlowLab has no control 'transport'"),
]


@pytest.mark.parametrize(("options", "says"), BAD)
def test_bad_input(options, says):
    with pytest.raises(ValueError, match=says):
        FlowLab(**options)


def test_a_bad_choice_changes_nothing():
    shown = lab()
    before = shown.svg(), shown.choice
    for bad in ({"gain": -1}, {"gain": 1.0, "depth": 99}):
        with pytest.raises(ValueError, match="not"):
            shown.choose(**bad)
    with pytest.raises(ValueError, match="'seed' cannot be chosen; depth, activation, gain, norm"):
        shown.choose(seed=1)
    assert (shown.svg(), shown.choice) == before


@pytest.mark.parametrize("depth", [1, 2, 25, 60])
def test_extremes_can_be_drawn(depth):
    for choices in ({"activation": "relu", "gain": 10.0}, {"gain": 0.01}):
        shown = lab(depth, **choices)
        assert "nan" not in shown.svg() and "inf" not in shown.svg()
        assert len(shown.view.targets) == depth


def test_the_bundle():
    shown = lab()
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == shown.sentence and bundle["image/svg+xml"] == shown.svg()
    live = bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert live == shown.with_controls().model_id
    assert repr(shown) == "<FlowLab of 8 sigmoid layers of 16 · gain 1>"
