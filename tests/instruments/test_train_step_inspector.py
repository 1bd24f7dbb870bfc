"""TrainStepInspector: every number is that of the engine's own SGD, what changed is marked, the
state can be pasted back, and what is given stays as it is."""

import json
import math
import xml.etree.ElementTree as ET
from html import unescape
from itertools import pairwise

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.graphs.style import attributes
from autogradlab.instruments import TrainStepInspector
from autogradlab.instruments.train_step_inspector import (
    ELEMENTS,
    PARAMETERS,
    WIDTH,
    chip_words,
)
from tests.graphs.test_board import spans

ENGINES = (autogradlab, torch)
EVIL = "<script>'\"\n&"


def line(engine, **options):
    """A straight line, fitted to three points; b in a shape of its own."""
    w = engine.tensor([1.0, -2.0], requires_grad=True)
    b = engine.tensor([[0.5]], requires_grad=True)
    x = engine.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
    loss = lambda w, b: (((x * w).sum(1) + b - 1) ** 2).mean()  # noqa: E731
    return TrainStepInspector(loss, {"w": w, "b": b}, **options), loss, (w, b)


def one(engine=autogradlab, **options):
    w = engine.tensor(2.0, requires_grad=True)
    return TrainStepInspector(lambda w: (3 * w - 1) ** 2, {"w": w}, **options)


def texts(svg):
    found = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(each.itertext()) for each in found]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("zero_grad", [True, False])
def test_every_number_is_that_of_torchs_sgd(engine, momentum, zero_grad):
    options = {"lr": 0.1, "momentum": momentum, "zero_grad": zero_grad, "rounds": 3}
    moments = iter(line(engine, **options)[0].moments)
    _, loss, own = line(torch)
    sgd = torch.optim.SGD(own, lr=0.1, momentum=momentum)

    def agrees(stop, value):
        now = next(moments)
        assert now.stop == stop and now.loss == (value and pytest.approx(value.item()))
        for name, p in zip("wb", own, strict=True):
            np.testing.assert_allclose(now.weight[name], p.detach().numpy(), rtol=1e-5)
            buffer = sgd.state[p].get("momentum_buffer") if p in sgd.state else None
            for mine, theirs in ((now.grad[name], p.grad), (now.momentum[name], buffer)):
                assert (mine is None) == (theirs is None), (stop, name)
                if mine is not None:
                    np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-5)

    agrees("start", None)
    for _ in range(3):
        value = loss(*own)
        agrees("forward", value)
        value.backward()
        agrees("backward", value)
        sgd.step()
        agrees("step", value)
        if zero_grad:
            sgd.zero_grad()
        agrees("zero_grad", value)
    assert next(moments, None) is None


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_given_is_changed(engine):
    inspector, _, (w, b) = line(engine)
    w.grad = engine.ones(2)
    inspector.set(lr=1.0)
    assert w.tolist() == [1.0, -2.0] and b.tolist() == [[0.5]]
    assert w.grad.tolist() == [1.0, 1.0] and b.grad is None
    assert w.is_leaf and w._version == 0


def test_both_engines_give_the_same_picture_and_words():
    made = []
    for engine in ENGINES:
        inspector = line(engine)[0]
        said = [(inspector.jump(i), inspector.svg(), inspector.lines()) for i in range(9)]
        assert inspector.svg() == inspector.svg()
        made.append(said)
    assert made[0] == made[1]


def test_what_each_stop_changes():
    inspector = line(autogradlab)[0]
    seen = {}
    for i, stop in enumerate(inspector.view.stops):
        inspector.jump(i)
        seen[stop] = inspector.changed()
    grads = ["w.grad", "b.grad"]
    assert seen["start"] == seen["forward"] == seen["forward 2"] == []
    assert seen["backward"] == seen["zero_grad"] == grads
    assert seen["step"] == seen["step 2"] == ["w", "b", "v of w", "v of b"]


def test_the_sentences():
    inspector = one()
    assert [inspector.jump(i) for i in range(5)] == [
        "Start. The weights are set; .grad is None and there is no momentum yet.",
        "Forward. The loss is 25; no weight, gradient or momentum changes.",
        "Backward. In w.grad the gradient is put there; no weight moves.",
        "Step. v ← 0.9·v + g, then w ← w − 0.01·v: the weight w moves by −0.3.",
        "zero_grad. w.grad is None again; weights and momentum stay.",
    ]
    inspector.set(zero_grad=False)
    said = inspector.jump("backward 2")
    assert said == "Backward, round 2. In w.grad the gradient is added to what was there; " + (
        "no weight moves."
    )


@pytest.mark.parametrize("zero_grad", [True, False])
def test_the_arithmetic_adds_up(zero_grad):
    inspector = one(rounds=3, zero_grad=zero_grad)
    for stop in ("step", "step 2", "step 3", "backward 2"):
        inspector.jump(stop)
        for words in inspector.lines():
            _, *sides = words.split(" = ")
            sums = [eval(side.replace("−", "-").replace("·", "*"), {}) for side in sides]
            assert all(math.isclose(x, sums[-1], rel_tol=2e-3) for x in sums), words
    inspector.jump("step 2")
    g = 24.6 if zero_grad else 54.6
    assert inspector.lines()[0] == f"v = 0.9 · 30 + {g} = {round(27 + g, 1)}"


def test_without_momentum_there_is_none():
    inspector = one(momentum=0)
    assert inspector.rule == "w ← w − 0.01·g"
    inspector.jump("step")
    assert inspector.changed() == ["w"] and inspector.lines() == ["w = 2 − 0.01 · 30 = 1.7"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_frozen_parameter_and_one_that_takes_no_part(engine):
    w = engine.tensor(2.0, requires_grad=True)
    idle = engine.tensor(1.0, requires_grad=True)
    fixed = engine.tensor(3.0)
    names = {"w": w, "idle": idle, "fixed": fixed}
    inspector = TrainStepInspector(lambda w, idle, fixed: (w * fixed) ** 2, names)
    inspector.jump("step")
    assert inspector.changed() == ["w", "v of w"]
    inspector.select("fixed")
    assert inspector.lines() == ["fixed.grad = None: no gradient comes here"]
    assert "fixed · tensor of shape [] · frozen" in str(inspector.view.targets)


def test_controls_and_methods_move_together():
    inspector = one()
    lr, momentum, zero_grad = inspector.controls
    momentum.value = 0.5
    assert inspector.momentum == 0.5 and "0.5·v" in inspector.view.expression
    inspector.set(lr=0.1, zero_grad=False)
    assert lr.value == pytest.approx(0.1) and zero_grad.value is False
    assert inspector.jump("zero_grad") == "zero_grad. It is left out: what is in .grad stays."
    assert inspector.changed() == inspector.lines() == []
    zero_grad.value = True
    assert inspector.changed() == ["w.grad"] and inspector.lines() == ["w.grad = None"]
    assert [len(one(controls=c).controls) for c in ((), ("lr",), None)] == [0, 1, 3]
    with pytest.raises(ValueError, match="no control 'speed'"):
        one(controls=["speed"])


def test_no_rule_changes_the_stops():
    """The scrubber of a widget that is shown keeps the stops it was made with."""
    inspector = one()
    stops = list(inspector.view.stops)
    inspector.jump("step 2")
    inspector.set(zero_grad=False, momentum=0)
    assert inspector.view.stops == stops and inspector.view.step == stops.index("step 2")
    assert len(inspector.view.frames) == len(inspector.view.sentences) == len(stops) == 9


def test_the_state_can_be_pasted():
    inspector, loss, own = line(autogradlab)
    inspector.set(lr=0.1, momentum=0.5, zero_grad=False)
    inspector.jump("backward 2")
    inspector.select("b")
    state = json.dumps(inspector.state())
    again = TrainStepInspector.from_state(state, loss, dict(zip("wb", own, strict=True)))
    assert again.state() == inspector.state() and again.svg() == inspector.svg()
    for bad in ({"lr": 1e9}, {"lr": "1"}, {"momentum": 1}, {"zero_grad": 1}, {"step": 99},
                {"selected": "p7"}, {"lr": float("nan")}):  # fmt: skip
        with pytest.raises(ValueError, match="this state does not fit"):
            TrainStepInspector.from_state(
                {**inspector.state(), **bad}, loss, dict(zip("wb", own, strict=True))
            )


@pytest.mark.parametrize(
    ("names", "options", "error"),
    [
        ({}, {}, ValueError),
        ({str(i): autogradlab.ones(1) for i in range(PARAMETERS + 1)}, {}, ValueError),
        ({"w": 2.0}, {}, TypeError),
        ({"w": autogradlab.ones(1), "b": torch.ones(1)}, {}, TypeError),
        ({"w": autogradlab.ones(1)}, {"lr": -1}, ValueError),
        ({"w": autogradlab.ones(1)}, {"momentum": 1}, ValueError),
        ({"w": autogradlab.ones(1)}, {"rounds": 0}, ValueError),
    ],
)
def test_what_cannot_be_shown_is_refused(names, options, error):
    with pytest.raises(error):
        TrainStepInspector(lambda *p: sum(p).sum(), names, **options)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_of_several_numbers_raises_what_backward_raises(engine):
    w = engine.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="only for scalar outputs"):
        TrainStepInspector(lambda w: w * 2, {"w": w})


def test_stops_and_rows_that_do_not_exist():
    inspector = one()
    for call in (lambda: inspector.jump("stop"), lambda: inspector.jump(9),
                 lambda: inspector.jump(-1), lambda: inspector.select("v")):  # fmt: skip
        with pytest.raises(ValueError, match=r"there (is|are) no"):
            call()
    assert inspector.step(99) == inspector.jump(8)
    assert inspector.back(99) == inspector.jump(0)


def test_names_are_escaped():
    w = autogradlab.tensor(2.0, requires_grad=True)
    inspector = TrainStepInspector(lambda w: w * w, {EVIL: w})
    inspector.jump("step")
    for markup in (inspector.svg(), str(inspector.view.variants)):
        assert "<script" not in markup
    assert any("<scr" in unescape(each) for each in texts(inspector.svg()))


def test_a_picture_that_stands_alone():
    bundle = one()._repr_mimebundle_()
    svg = bundle["image/svg+xml"]
    assert not [each for each in ("class=", "data-", "var(", "<script", " id=") if each in svg]
    assert bundle["text/plain"] == one().sentence


@pytest.mark.parametrize("scale", [1.0, -1234.5678, 1e-7, 1e30, float("inf")])
def test_no_words_leave_the_picture_or_overlap(scale):
    w = autogradlab.tensor([[1.0, -2.0], [1 / 3, 5.0]], dtype=autogradlab.float64)
    b = autogradlab.full((7,), 2 / 3, dtype=autogradlab.float64).requires_grad_()
    names = {"w": (w * scale).requires_grad_(), "features.0.norm.bias": b}
    inspector = TrainStepInspector(lambda w, b: (w.sum() - 1) ** 2 + (b * b).sum(), names, lr=0.1)
    for chosen in names:
        inspector.select(chosen)
        for i in range(len(inspector.moments)):
            inspector.jump(i)
            lines = {}
            markup = "".join(inspector._parts(attributes, i))
            for each in ET.fromstring(f"<g>{markup}</g>").iter("text"):
                [span] = spans(ET.tostring(each, encoding="unicode"))
                lines.setdefault(round(float(each.get("y")) / 4), []).append(span)
            assert lines
            for row in lines.values():
                assert all(left >= 0 and right <= WIDTH for left, right, _ in row), row
                assert all(a[1] + 4 <= b[0] for a, b in pairwise(sorted(row))), row


def test_many_elements_are_counted():
    w = autogradlab.ones(ELEMENTS + 3, requires_grad=True)
    inspector = TrainStepInspector(lambda w: (w * w).sum(), {"w": w})
    inspector.jump("step")
    assert len(inspector.lines()) == 2 * ELEMENTS
    assert "and 3 more elements" in texts(inspector.svg())
    assert chip_words(np.array([np.nan] * 9)) == "nan or inf"
