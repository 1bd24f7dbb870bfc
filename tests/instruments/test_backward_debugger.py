"""The debugger as a Python object: every button has a method, on both engines."""

import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs import layout as layout_module
from autogradlab.instruments import BackwardDebugger

ENGINES = (autogradlab, torch)


def q(engine):
    a = engine.tensor([2.0, 3.0], requires_grad=True)
    b = engine.tensor([6.0, 4.0], requires_grad=True)
    Q = 3 * a**3 - b**2
    return BackwardDebugger(Q, gradient=engine.ones(2))


@pytest.mark.parametrize("engine", ENGINES)
def test_stepping_there_and_back(engine):
    debugger = q(engine)
    said = [debugger.sentence] + [debugger.step() for _ in range(6)]
    assert [debugger.back() for _ in range(6)] == said[-2::-1]
    assert debugger.step(100) == said[-1] and debugger.back(100) == said[0]
    assert debugger.jump(3) == debugger.jump("b") == said[3]
    assert debugger.reset() == said[0]


def test_at_the_start_nothing_has_run():
    debugger = q(autogradlab)
    assert debugger.position == 0 and debugger.event is None
    assert debugger.sentence.endswith("Q is given the gradient [1, 1], and nothing has run yet.")
    panel = debugger.view.panels[0]
    assert "not begun" in panel and ">Q</span>" in panel and "16 B of 16 B held" in panel
    assert debugger.step().startswith("Step 1 of 6.") and debugger.event.key == debugger.keys[0]


def test_both_engines_say_the_same():
    ours, theirs = (q(engine) for engine in ENGINES)
    assert ours.sentences == theirs.sentences
    assert ours.summary == theirs.summary
    assert ours.svg() == theirs.svg()
    assert ours.view.frames == theirs.view.frames
    assert ours.view.panels == theirs.view.panels


@pytest.mark.parametrize("engine", ENGINES)
def test_the_sentences_hold_the_numbers_of_backward(engine):
    debugger = q(engine)
    a = engine.tensor([2.0, 3.0], requires_grad=True)
    (3 * a**3).backward(gradient=engine.ones(2))
    grad = "[" + ", ".join(f"{x:.0f}" for x in a.grad.tolist()) + "]"
    assert f"a.grad = {grad}" in debugger.summary
    assert f"sends {grad} up to a." in debugger.jump("a³")


@pytest.mark.parametrize("engine", ENGINES)
def test_breakpoints(engine):
    debugger = q(engine)
    debugger.add_breakpoint("b")
    debugger.add_breakpoint("a³")
    assert "Step 3 of 6" in debugger.run() and "Step 5 of 6" in debugger.run()
    assert sorted(debugger.breakpoints) == ["a³", "b"]
    debugger.remove_breakpoint("b")
    debugger.reset()
    assert "Step 5 of 6" in debugger.run() and "Step 6 of 6" in debugger.run()
    with pytest.raises(ValueError, match="no breakpoint"):
        debugger.remove_breakpoint("b")


def test_misuse_is_explained():
    debugger = q(autogradlab)
    with pytest.raises(ValueError, match="steps 0 to 6"):
        debugger.jump(7)
    with pytest.raises(ValueError, match="there are"):
        debugger.jump("c")
    with pytest.raises(TypeError):
        BackwardDebugger(3)


@pytest.mark.parametrize("engine", ENGINES)
def test_picture_and_sentence_come_with_the_widget(engine):
    bundle = q(engine)._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Backward pass of Q in 6 steps: Q, b², b, 3·a³, a³, a.")
    picture = ET.fromstring(bundle["image/svg+xml"])
    assert picture.get("role") == "img"
    text = bundle["image/svg+xml"]
    assert all(word not in text for word in ("var(", "<script", "foreignObject", "class="))


def test_the_widget_follows_and_leads():
    debugger = q(autogradlab)
    debugger.step(5)
    assert debugger.view.step == 5
    debugger.view.step = 2  # as the browser does
    assert debugger.position == 2 and "Step 2 of 6" in debugger.sentence
    debugger.play()
    assert debugger.view.playing
    debugger.pause()
    debugger.select("a³")
    assert not debugger.view.playing and debugger.view.selected == debugger._key("a³")


def test_state_and_script_stay_small():
    view = q(autogradlab).view
    state = {name: getattr(view, name) for name in ("variants", "frames", "panels", "targets")}
    assert len(json.dumps(state)) < 40_000
    assert len(view._esm) < 16_384


def test_names_are_escaped():
    a = autogradlab.tensor(2.0, requires_grad=True)
    debugger = BackwardDebugger(a * a, {"<img src=x onerror=alert(1)>": a})
    state = json.dumps([debugger.view.variants, debugger.view.panels]) + debugger.svg()
    assert "<img" not in state and "&lt;img" in state


def test_without_a_renderer_the_sentence_remains(monkeypatch):
    monkeypatch.setattr(layout_module.shutil, "which", lambda *args, **kwargs: None)
    debugger = q(autogradlab)
    plain = debugger._repr_mimebundle_()
    assert list(plain) == ["text/plain"] and "graphviz-pure" in plain["text/plain"]
    assert "Step 1 of 6" in debugger.step()


def test_a_huge_graph_is_refused():
    x = autogradlab.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    with pytest.raises(ValueError, match="too many to draw"):
        BackwardDebugger(y)
