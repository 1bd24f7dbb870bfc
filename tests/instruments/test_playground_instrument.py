"""Playground as a Python object: training, looking back, neurons, state, both engines."""

import copy
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.graphs.plane import DATA, border, grid, points
from autogradlab.instruments import BackwardDebugger, Playground
from autogradlab.models import MLP, to_torch

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
SMALL = {"hidden": [3], "every": 1}


def texts(made):
    tag = "{http://www.w3.org/2000/svg}text"
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(tag)]


# -------------------------------------------------------------------------------- the training


@ENGINES
def test_it_trains_as_pytorch_does(engine):
    """The losses and the weights, against a loop in PyTorch that starts from the same weights."""
    made = Playground("circle", hidden=[4, 3], lr=0.1, every=5, engine=engine)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3), torch.nn.Tanh(),
        torch.nn.Linear(3, 1),
    ).double()  # fmt: skip
    with torch.no_grad():
        for layer, (weight, bias) in zip(theirs[::2], made.moments[0].weights, strict=True):
            layer.weight.copy_(torch.from_numpy(weight)), layer.bias.copy_(torch.from_numpy(bias))
    x, y = torch.from_numpy(made.x), torch.from_numpy(made.y).double()[:, None]
    optimizer, losses = torch.optim.Adam(theirs.parameters(), lr=0.1), []
    for _ in range(15):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(theirs(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    made.step(3)
    np.testing.assert_allclose(made.losses[:15], losses, rtol=1e-10)
    assert made.moment.step == 15 and len(made.losses) == 16
    np.testing.assert_allclose(made.moment.scores, theirs(x).detach()[:, 0], rtol=1e-7)
    assert made.right == int(((theirs(x)[:, 0] > 0) == (y[:, 0] == 1)).sum())
    corners = torch.from_numpy(grid(20))
    for answers, depth in zip(made.moment.answers, (2, 4, 5), strict=True):
        want = theirs[:depth](corners).detach().reshape(21, 21, -1)
        np.testing.assert_allclose(answers, want, rtol=1e-7, atol=1e-9)


def test_both_engines_draw_the_same():
    ours, theirs = (
        Playground("moons", hidden=[4, 4], every=5, engine=each) for each in (autogradlab, torch)
    )
    for made in (ours, theirs):
        made.step(6)
        made.view.selected = "b2"
    assert ours.svg() == theirs.svg()
    assert (ours.view.tag, theirs.view.tag) == ("autogradlab", "PyTorch")
    assert "var(" not in ours.svg() and " id=" not in ours.svg() and "class=" not in ours.svg()
    bundle = ours._repr_mimebundle_()
    assert bundle["text/plain"] == ours.sentence and bundle["image/svg+xml"] == ours.svg()


def test_going_on_trains_and_going_back_does_not():
    made = Playground(**SMALL)
    assert made.trained == 0 and made.sentence.startswith("Step 0 of 24. Nothing is learned yet:")
    made.view.step = 3  # as the browser does
    assert made.trained == 3 and len(made.losses) == 4
    kept = made.moments[2]
    assert made.back().startswith("Step 2 of 24. The loss is") and made.trained == 3
    assert made.moment is kept and made.back(9).startswith("Step 0 of 24.")
    assert made.jump(3).startswith("Step 3") and len(made.losses) == 4  # nothing is trained twice
    assert made.view.sentences[5] == "Step 5 of 24 is still to come. The picture is of step 3."
    made.train()
    assert made.trained == 24 and made.view.step == 24 and len(made.losses) == 25
    assert made.step() == made.sentence and made.trained == 24  # there it ends
    with pytest.raises(ValueError, match="there is no stop 25: there are 0 to 24"):
        made.jump(25)


def test_every_stop_is_in_the_browser_already():
    made = Playground(**SMALL)
    made.train()
    assert len(made.view.frames) == len(made.view.panels) == len(made.view.stops) == 25
    assert all(made.view.frames[1:])  # something changes at every step
    size = sum(len(json.dumps(getattr(made.view, n))) for n in ("variants", "frames"))
    assert size < 400_000
    revision = made.view.revision
    made.view.step = 7
    assert made.view.revision == revision  # looking back draws nothing anew


def test_choices_start_again():
    made = Playground(**SMALL)
    made.step(2)
    made.set(lr=0.1, data="xor")
    assert made.trained == 0 and made.view.step == 0 and "xor, 3 neurons" in made.title
    made.step(2)
    made.set(lr=0.1)  # as it was: nothing happens
    assert made.trained == 2
    first = made.moments[0].weights[0][0]
    made.new_weights()
    assert made.trained == 0 and not np.array_equal(first, made.moments[0].weights[0][0])
    made.set(hidden=[2, 5])
    assert made.neurons == ["a1", "a2", "b1", "b2", "b3", "b4", "b5"]
    for choices, message in [
        ({"data": "cats"}, "data cannot be cats: it is one of moons"),
        ({"hidden": [9]}, "it is a list of 1 to 3 numbers from 1 to 8"),
        ({"hidden": []}, "hidden cannot be"),
        ({"hidden": [True]}, "hidden cannot be"),
        ({"activation": "gelu"}, "it is one of tanh, relu, sigmoid"),
        ({"lr": 0.02}, "it is one of 0.001"),
        ({"every": 7}, "it is one of 1, 5, 25"),
        ({"seed": -1}, "a whole number from 0 on"),
        ({"seed": None}, "no model was given"),
    ]:
        with pytest.raises(ValueError, match=message):
            made.set(**choices)
    with pytest.raises(TypeError, match="no choice 'step'"):
        made.set(step=3)
    assert made.neurons[-1] == "b5"  # and nothing has changed


# ------------------------------------------------------------------------------ what it shows


def test_a_neuron_is_shown_with_its_formula():
    made = Playground(**SMALL)
    made.step(4)
    assert any(t.startswith("score = ") for t in texts(made))
    before = made.svg()
    made.view.selected = "a2"
    weight, bias = made.moment.weights[0]
    formula = next(t for t in texts(made) if t.startswith("a2 = tanh("))
    for number in (*weight[1], bias[1]):
        assert f"{abs(number):.3g}" in formula
    assert "what the neuron a2 answers" in texts(made) and made.svg() != before
    assert "The neuron a2 answers −" in made.sentence
    made.view.selected = ""
    assert made.svg() == before


def test_a_dead_neuron_and_scores_that_are_no_numbers():
    model = MLP([2, 2, 1], autogradlab.nn.ReLU)
    with autogradlab.no_grad():
        model[0].weight.zero_(), model[0].bias.fill_(-1.0)
    made = Playground("moons", model, every=1)
    made.view.selected = "a1"
    assert "The neuron a1 answers 0 everywhere." in made.sentence
    with autogradlab.no_grad():
        model[2].bias.fill_(float("nan"))
    made = Playground("moons", model, every=1)
    made.step()
    ET.fromstring(made.svg())
    assert "nan" in made.sentence and "nan" not in " ".join(made.svg().split(' d="')[1:3])


def test_classes_differ_in_shape_and_mistakes_have_a_ring():
    made = Playground("circle", **SMALL)
    assert {"class 1", "class 0", "mistake", "p = ½"} <= set(texts(made))
    discs, diamonds = "a4 4 0 1 0 8 0", "l4.5 -4.5 4.5 4.5"
    assert made.svg().count(discs) == 50 + 1 and made.svg().count(diamonds) == 50 + 1  # the legend
    assert made.svg().count("a7 7 0 1 0 14 0") == 100 - made.right
    made.set(lr=0.1, every=25, hidden=[8])
    made.train()
    assert made.right == 100 and "a7 7 0" not in made.svg()


@pytest.mark.parametrize("data", DATA)
def test_the_points_are_the_same_for_a_seed_and_lie_in_the_plane(data):
    x, y = points(data, 3)
    again, _ = points(data, 3)
    assert np.array_equal(x, again) and not np.array_equal(x, points(data, 4)[0])
    assert x.shape == (100, 2) and set(y.tolist()) == {0, 1} and np.abs(x).max() < 1.2


def test_the_border_of_a_circle_is_a_circle():
    corners = np.hypot(*grid(20).T).reshape(21, 21)
    d = border(corners, 0.8, (0, 0, 240, 240))
    places = np.array([p.split() for p in d.replace("M", "L").split("L")[1:]], float)
    away = np.hypot(places[:, 0] - 120, places[:, 1] - 120)
    assert len(places) > 60 and np.abs(away - 80).max() < 1


# ------------------------------------------------------------------------- models and debugger


@ENGINES
def test_a_model_of_either_engine_is_left_as_it_was(engine):
    autogradlab.manual_seed(5)
    own = MLP([2, 3, 1], autogradlab.nn.Sigmoid)
    model = own if engine is autogradlab else to_torch(own)
    model(engine.zeros(1, 2)).sum().backward()
    before, grads = copy.deepcopy(model.state_dict()), [p.grad for p in model.parameters()]
    random = engine.get_rng_state()
    made = Playground("xor", model, every=1)
    made.train(), made.debugger(), made.new_weights()
    for key, value in model.state_dict().items():
        assert value.dtype == engine.float32 and engine.equal(value, before[key])
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
    assert engine.equal(random, engine.get_rng_state())
    assert "sigmoid" in made.title and made.view.tag in ("autogradlab", "PyTorch")


def test_its_own_weights_are_where_it_starts():
    model = MLP([2, 3, 1])
    made = Playground("moons", model)
    np.testing.assert_allclose(made.moment.weights[0][0], model[0].weight.detach().numpy())
    assert made.state()["seed"] is None
    made.set(hidden=[4])
    assert made.state()["seed"] == 0  # no longer that model
    made = Playground("moons", model)
    assert made.set(lr=0.1) and made.state()["seed"] is None


@ENGINES
def test_a_model_of_another_kind_is_refused(engine):
    nn = engine.nn
    for bad in (
        nn.Linear(2, 1),
        nn.Sequential(nn.Linear(2, 1)),
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)),
        nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(2, 9), nn.Tanh(), nn.Linear(9, 1)),
        nn.Sequential(nn.Linear(2, 4), nn.GELU(), nn.Linear(4, 1)),
        nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1)),
        nn.Sequential(nn.Linear(2, 4), nn.Tanh()),
        nn.Sequential(),
    ):
        with pytest.raises(ValueError, match="the model is a Sequential of Linear layers"):
            Playground("moons", bad)
    with pytest.raises(TypeError):
        Playground("moons", 3)


@ENGINES
def test_the_debugger_is_of_the_loss_that_is_shown(engine):
    made = Playground("circle", engine=engine, **SMALL)
    made.step(3)
    made.jump(1)
    debugger = made.debugger()
    assert isinstance(debugger, BackwardDebugger)
    assert made.loss.item() == pytest.approx(made.losses[1], rel=1e-12)
    assert made.moment.loss == made.losses[1]
    leaves = [e for e in debugger.recording.events if e.accumulated]
    assert len(leaves) == 4 and debugger.recording.graph.engine == made.view.tag
    assert all(p.grad is None for p in made.model.parameters())


def test_the_debugger_opens_below_and_the_menus_choose():
    made = Playground(**SMALL)
    data, layers, width, *_rest, slot = made.controls
    made._on_message({"button": "debugger"})
    assert len(slot.children) == 1 and made.with_controls().children[-1] is slot
    layers.value = 2
    assert made.state()["hidden"] == [3, 3]
    width.value = 5
    assert made.state()["hidden"] == [5, 5]
    data.value = "spiral"
    assert made.title.startswith("spiral")
    made.set(data="xor")
    assert data.value == "xor"
    made._on_message({"button": "train"})
    assert made.trained == 24
    made._on_message({"button": "weights"})
    assert made.trained == 0 and made.state()["seed"] == 1
    for nonsense in ({"button": "x"}, {"button": None}, {}, None, 3):
        made._on_message(nonsense)


def test_controls():
    made = Playground(controls=["lr"], **SMALL)
    assert len(made.controls) == 2 and made.view.panels[0] == ""  # a menu, and the place below
    with pytest.raises(ValueError, match="no control 'colour'"):
        Playground(controls=["colour"])


# ------------------------------------------------------------------------------------- state


def test_the_state_can_be_pasted():
    made = Playground("spiral", hidden=[4, 2], activation="relu", lr=0.1, every=5, seed=3)
    made.step(4), made.back(2)
    made.view.selected = "b1"
    again = Playground.from_state(json.dumps(made.state()))
    assert again.state() == made.state() and again.svg() == made.svg()
    assert again.trained == 4 and again.view.step == 2
    for change in (
        {"data": "cats"}, {"hidden": [0]}, {"lr": 1}, {"every": 2}, {"trained": 25}, {"step": -1},
        {"selected": "c1"}, {"seed": None}, {"seed": True}, {"activation": ["tanh"]},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="does not fit"):
            Playground.from_state({**made.state(), **change})


def test_names_in_the_picture_are_text():
    made = Playground(**SMALL)
    assert "<script" not in made.svg() and all(t[1].startswith("neuron") for t in made.view.targets)
    keys = {key: (above, below) for key, _, _, _, above, below in made.view.targets}
    assert keys["a1"] == ([], [])
    made.set(hidden=[2, 2])
    keys = {key: (above, below) for key, _, _, _, above, below in made.view.targets}
    assert keys["a1"] == ([], ["b1", "b2"]) and keys["b2"] == (["a1", "a2"], [])
