"""TwinGraph as a Python object: the verdict, what is marked, the pictures, the state."""

import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.instruments import TwinGraph


def q(engine, power=True):
    a = engine.tensor([2.0, 3.0], requires_grad=True)
    b = engine.tensor([6.0, 4.0], requires_grad=True)
    return {"a": a, "b": b, "Q": 3 * a**3 - (b**2 if power else b * b)}


def twins(power=True, **options):
    ours, theirs = q(autogradlab, power), q(torch)
    return TwinGraph(ours["Q"], theirs["Q"], (ours, theirs), gradient=[1.0, 1.0], **options)


def long(engine, steps=20):
    x = y = engine.tensor(0.5, requires_grad=True)
    for _ in range(steps):
        y = (y * x).tanh()
    return {"x": x, "y": y}


def test_the_same_graph():
    made = twins()
    assert made.same and not made.differences and made.selected is None
    assert made.sentence.startswith("Same graph. 6 nodes, 5 edges")
    assert made.view.step == 0 and "agl-no" not in "".join(made.view.panels)


def test_another_operation():
    made = twins(power=False, labels=("yours", "the aim"))
    assert not made.same and made.selected.differences[0] == "name"
    assert made.sentence == (
        "Not the same graph. 1 of 6 nodes differs: b·b is MulBackward0 in yours and PowBackward0 "
        "in the aim. The gradients of the leaves agree."
    )
    panel = made.view.panels[made.view.step]
    assert panel.count("agl-no") == 3 and "b, b" in panel  # name, inputs, saved


def test_other_numbers_differ():
    ours, theirs = q(autogradlab), q(torch)
    more = 2 * theirs["Q"]
    made = TwinGraph(2.5 * ours["Q"], more, (ours, theirs), gradient=[1.0, 1.0])
    assert not made.same and made.sentence.endswith("The gradients of the leaves differ.")


def test_selecting_marks_both_sides():
    made = twins()
    assert made.select("a³") == "the same"
    step = made.view.step
    assert [k for k, at in made.view.choices.items() if at == step] == ["ln2", "rn2"]
    assert "[36, 81]" in made.view.panels[step]
    assert made.select(None) == made.sentence and made.view.step == 0
    with pytest.raises(ValueError, match="no node of these graphs is called 'c'"):
        made.select("c")


def test_the_state_can_be_pasted():
    made = twins()
    made.select("b")
    text = json.dumps(made.state())
    ours, theirs = q(autogradlab), q(torch)
    again = TwinGraph.from_state(
        text, ours["Q"], theirs["Q"], (ours, theirs), gradient=[1.0, 1.0]
    )
    assert again.state() == made.state() and again.selected == made.selected


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("[", "not JSON"),
        ("[" * 50_000, "not JSON"),
        ("[1]", "a state is a dictionary"),
        ('{"instrument": "BackwardDebugger"}', "a state of BackwardDebugger, not of TwinGraph"),
        ('{"instrument": "TwinGraph", "step": 99}', "step 99 of 7"),
        ('{"instrument": "TwinGraph", "step": -1}', "step is -1"),
        ('{"instrument": "TwinGraph", "step": "__import__(\'os\')"}', "does not fit: step"),
        ('{"instrument": "TwinGraph", "evil": 1}', "does not fit: evil"),
        (" " * 200_000, "longer than"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, words):
    ours, theirs = q(autogradlab), q(torch)
    with pytest.raises(ValueError, match=words):
        TwinGraph.from_state(state, ours["Q"], theirs["Q"], (ours, theirs), gradient=[1.0, 1.0])


@pytest.mark.parametrize("steps", [2, 20, 100])
def test_the_still_picture(steps):
    """A graph, or a list; the same every time."""
    made = [
        TwinGraph(ours["y"], theirs["y"], (ours, theirs))
        for ours, theirs in [(long(autogradlab, steps), long(torch, steps)) for _ in range(2)]
    ]
    assert made[0].svg() == made[1].svg() and made[0].same
    picture = ET.fromstring(made[0].svg())
    texts = ["".join(e.itertext()) for e in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("TanhBackward0") == 2 * steps
    bundle = made[0]._repr_mimebundle_()
    assert bundle["text/plain"] == made[0].sentence and bundle["image/svg+xml"] == made[0].svg()


def test_names_are_escaped():
    evil = "<script>alert(1)</script>"
    ours, theirs = q(autogradlab), q(torch)
    names = tuple({evil: each["a"], "Q": each["Q"]} for each in (ours, theirs))
    made = TwinGraph(ours["Q"], theirs["Q"], names, gradient=[1.0, 1.0], labels=(evil, "b"))
    assert "<script" not in made.svg() + "".join(made.view.panels) + str(made.view.variants)


def test_no_trace_is_left():
    ours, theirs = q(autogradlab), q(torch)
    TwinGraph(ours["Q"], theirs["Q"], (ours, theirs), gradient=[1.0, 1.0])
    for each in (ours, theirs):
        assert each["a"].grad is None
        each["Q"].backward(each["Q"].detach() * 0 + 1)  # the graph is not freed


def test_bad_input():
    x = torch.ones(2)
    with pytest.raises(RuntimeError, match="does not require grad"):
        TwinGraph(x, x)
    with pytest.raises(TypeError, match="expected a tensor"):
        TwinGraph(1, x)
