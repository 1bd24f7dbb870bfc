"""PhaseMap: its regions and rates are what torch.optim.SGD does on the quadratic."""

import itertools
import json
import math
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs import phase
from autogradlab.instruments import PhaseMap

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
TEXT = "{http://www.w3.org/2000/svg}text"
STEPS = 300


def texts(made):
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(TEXT)]


def descend(engine, settings, steps, curvature=1.0):
    """What SGD makes of w = 1 on λ/2 · w², for many pairs of learning rate and momentum at once:
    a list of w for each."""
    ws = [engine.tensor(1.0, dtype=engine.float64, requires_grad=True) for _ in settings]
    groups = [{"params": [w], "lr": lr, "momentum": beta}
              for w, (lr, beta) in zip(ws, settings, strict=True)]  # fmt: skip
    optimizer = engine.optim.SGD(groups, lr=0.1)
    paths = [[1.0] for _ in ws]
    for _ in range(steps):
        optimizer.zero_grad()
        sum(curvature / 2 * w**2 for w in ws).backward()
        optimizer.step()
        for w, path in zip(ws, paths, strict=True):
            path.append(w.item())
    return paths


def seen(path):
    """How a run moves, told from its numbers alone."""
    if abs(path[-1]) > 1e3:
        return "diverging"
    alive = [w for w in path if abs(w) > 1e-250]
    turns = [a * b < 0 for a, b in itertools.pairwise(alive)]
    if not any(turns):
        return "monotone" if all(a > b for a, b in itertools.pairwise(alive)) else "?"
    return "alternating" if all(turns[len(turns) // 2 :]) else "oscillating"


def clear(lr, beta):
    """Whether a point is away from all borders, where a run of finite length can tell."""
    one, other = (1 - math.sqrt(lr)) ** 2, (1 + math.sqrt(beta)) ** 2
    return abs(beta - one) > 0.02 and abs(lr - other) > 0.03 and abs(lr - 2 - 2 * beta) > 0.1


def test_the_regions_are_those_of_torch():
    grid = itertools.product([0.05 + 0.13 * i for i in range(30)], [0.0, 0.1, 0.25, 0.4, 0.6, 0.8])
    settings = [point for point in grid if clear(*point)]
    paths = descend(torch, settings, STEPS)
    told = [phase.kind(*point, 1.0) for point in settings]
    assert {kind: told.count(kind) > 4 for kind in phase.KINDS} == dict.fromkeys(phase.KINDS, True)
    wrong = [(point, kind, seen(path)) for point, kind, path in
             zip(settings, told, paths, strict=True) if kind != seen(path)]  # fmt: skip
    assert wrong == []


def test_the_rate_is_that_of_torch():
    settings = [(0.05, 0.3), (0.3, 0.0), (1.5, 0.0), (2.6, 0.4), (3.5, 0.5), (0.5, 0.9)]
    for (lr, beta), path in zip(settings, descend(torch, settings, STEPS), strict=True):
        top = [max(map(abs, path[k : k + 30])) for k in (90, 190)]  # over whole swings
        measured = (top[1] / top[0]) ** (1 / 100)
        assert measured == pytest.approx(phase.radius(lr, beta, 1.0), rel=3e-3), (lr, beta)


@ENGINES
def test_the_walk_is_that_of_the_optimizer(engine):
    settings = [(0.1, 0.0), (0.25, 0.25), (0.2, 0.9), (0.5, 0.3), (0.7, 0.1)]
    for (lr, beta), path in zip(settings, descend(engine, settings, 40, 4.0), strict=True):
        assert phase.walk(lr, beta, 4.0, 40) == pytest.approx(path, rel=1e-9, abs=1e-12)


def test_critical_damping_is_the_fastest_at_its_learning_rate():
    for lr in (0.04, 0.25, 0.5, 0.9):
        least = phase.radius(lr, phase.critical(lr, 1.0), 1.0)
        assert all(phase.radius(lr, k / 200, 1.0) >= least - 1e-9 for k in range(200))


@pytest.mark.parametrize("curvatures", [(1.0, 9.0), (1.0, 20.0), (0.5, 2.0, 30.0)])
def test_the_best_is_the_best_on_the_map(curvatures):
    lr, beta = phase.best(curvatures)
    least = phase.radius(lr, beta, *curvatures)
    kappa = max(curvatures) / min(curvatures)
    assert least == pytest.approx((math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1))
    lrs = [4 / max(curvatures) * k / 120 for k in range(1, 121)]
    assert all(phase.radius(a, b / 60, *curvatures) > least for a in lrs for b in range(61))


def test_how_many_steps_to_a_tenth_is_what_the_walk_says():
    for rate in (0.5, 0.8, 0.95):
        path = phase.walk(1 - rate, 0.0, 1.0, 100)
        assert next(k for k, w in enumerate(path) if w <= 0.1) == phase.steps_to_a_tenth(rate)


# -------------------------------------------------------------------------------- instrument


def test_what_it_says_in_each_region():
    made = PhaseMap(1.0)
    says = {
        (0.25, 0.0): "Monotone. At lr 0.25 and momentum 0 a step leaves 0.75 of the error, so a "
        "tenth is left after 9 steps; critical damping at this lr is momentum 0.25.",
        (0.25, 0.25): "Critically damped. At lr 0.25 and momentum 0.25 a step leaves 0.5",
        (0.25, 0.64): "Oscillating. At lr 0.25 and momentum 0.64 a step leaves 0.8 of",
        (1.0, 0.0): "Critically damped. At lr 1 and momentum 0 a step leaves 0 of the error, so "
        "none after 2.",
        (1.5, 0.0): "Alternating. At lr 1.5 and momentum 0 a step leaves 0.5 of the error, so a "
        "tenth is left after 4 steps.",
        (2.0, 0.0): "It never arrives. At lr 2 and momentum 0 a step leaves all of the error.",
        (2.5, 0.0): "Diverging. At lr 2.5 and momentum 0 a step multiplies the error by 1.5.",
        (0.5, 1.0): "It never arrives.",
    }
    for point, words in says.items():
        assert made.move(*point).startswith(words)
        assert made.view.sentences == [made.sentence] and made.summary == made.sentence


def test_several_directions():
    made = PhaseMap([10.0, 1.0], lr=0.1, momentum=0.0)
    assert made.kinds == ["monotone", "monotone"] and made.slowest == 1
    made.move(0.15, 0.0)
    assert made.kinds == ["monotone", "alternating"] and made.rate == pytest.approx(0.85)
    assert made.sentence.startswith("λ = 1 is monotone, λ = 10 is alternating. At lr 0.15 and")
    assert "in the direction of λ = 1, so" in made.sentence
    lr, momentum = phase.best([1.0, 10.0])
    made.move(lr, momentum)
    assert made.rate == pytest.approx(0.5195, abs=1e-4) and "the best is 0.5195" in made.sentence
    assert {"best", "λ = 1", "λ = 10", "1/10", "2/10"} <= set(texts(made))
    assert made.move(0.25, 0.0).endswith("in the direction of λ = 10.")


def test_the_formula_has_the_live_numbers():
    made = PhaseMap(4.0, lr=0.2, momentum=0.5)
    assert {"μ² − 0.7 μ + 0.5 = 0", "μ = 0.35 ± 0.614 i", "0.7071"} <= set(texts(made))
    made.move(0.05, 0.1)
    assert {"μ² − 0.9 μ + 0.1 = 0", "μ = 0.77 and 0.13"} <= set(texts(made))
    made.move(0.6, 0.2)
    assert "μ² + 1.2 μ + 0.2 = 0" in texts(made)


def test_dragged_and_moved_by_keys():
    made = PhaseMap(2.0, lr=0.5, momentum=0.5)
    left, top, right, bottom = 52.0, 30.0, 412.0, 330.0
    revision = made.view.revision
    made._on_message({"drag": [(left + right) / 2, (top + bottom) / 2]})
    assert (made.lr, made.momentum) == (1.0, 0.5) and made.view.revision == revision + 1
    made._on_message({"drag": [-1e4, -1e4]})  # it stays on the map
    assert 0 < made.lr <= 0.01 and made.momentum == 1
    made._on_message({"drag": [1e4, 1e4]})
    assert (made.lr, made.momentum) == (2.0, 0.0)
    made._on_message({"arrow": "Left"})
    made._on_message({"arrow": "Up"})
    assert made.lr == pytest.approx(1.975) and made.momentum == 0.02
    for nonsense in ({}, None, {"drag": "x"}, {"drag": [math.nan, 1]}, {"arrow": "x"}, 3):
        made._on_message(nonsense)
    assert made.momentum == 0.02


def test_controls():
    made = PhaseMap(1.0, lr=0.5)
    lr, momentum = made.controls
    lr.value = 1.5
    assert made.sentence.startswith("Alternating.")
    momentum.value = 0.3
    assert made.momentum == 0.3
    made.move(0.123456, 0.5)
    assert lr.value == 0.123456
    fixed = PhaseMap(1.0, lr=0.5, momentum=0.0, controls=["lr"])
    fixed._on_message({"drag": [232.0, 100.0]})
    assert (fixed.lr, fixed.momentum) == (2.0, 0.0) and len(fixed.controls) == 1
    still = PhaseMap(1.0, controls=[])
    assert still.controls == () and "data-drag" not in str(still.view.variants)
    still._on_message({"arrow": "Right"})
    assert still.lr == 0.25
    with pytest.raises(ValueError, match="no control 'step'"):
        PhaseMap(1.0, controls=["step"])


def test_the_picture():
    made = PhaseMap([1.0, 20.0], lr=0.05, momentum=0.3)
    assert made.svg() == made.svg() == PhaseMap([20.0, 1.0], 0.05, 0.3).svg()
    assert "var(" not in made.svg() and " id=" not in made.svg() and "nan" not in made.svg()
    assert {"monotone", "oscillating", "alternating", "diverging", "critical damping"} <= set(
        texts(made)
    )
    bundle = made._repr_mimebundle_()
    assert bundle["text/plain"] == made.sentence and bundle["image/svg+xml"] == made.svg()


def test_the_state_can_be_pasted():
    made = PhaseMap(1.0, lr=0.7, momentum=0.4)
    again = PhaseMap.from_state(json.dumps(made.state()), 1.0)
    assert again.state() == made.state() and again.svg() == made.svg()
    for bad in ({"lr": -1}, {"lr": 5}, {"momentum": 2}, {"lr": "x"}, {"step": 1}):
        with pytest.raises(ValueError, match="does not fit"):
            PhaseMap.from_state({**made.state(), **bad}, 1.0)


@pytest.mark.parametrize("bad", [[], [1.0] * 5, 0.0, [1.0, -2.0], [math.nan], ["x"]])
def test_bad_curvatures(bad):
    with pytest.raises(ValueError, match="1 to 4 positive curvatures"):
        PhaseMap(bad)


def test_a_point_outside_the_map():
    made = PhaseMap(4.0)
    for lr, momentum in ((0.0, 0.1), (1.1, 0.1), (0.5, -0.1), (0.5, 1.1), (math.nan, 0.0)):
        with pytest.raises(ValueError, match="lr above 0 to 1 and momentum from 0 to 1"):
            made.move(lr, momentum)
