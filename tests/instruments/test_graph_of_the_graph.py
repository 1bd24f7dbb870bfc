"""GraphOfTheGraph as a Python object: three acts, what recorded what, state, no trace."""

import gc
import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs import second_order
from autogradlab.graphs.second_order import record_twofold
from autogradlab.graphs.style import css_class
from autogradlab.instruments import GraphOfTheGraph
from autogradlab.node import Node

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
EXPRESSIONS = ["x**3", "sin(x**2)", "x*exp(x)", "x*x", "1/x", "tanh(x)**2", "x*sqrt(x) - 3*x"]


def leaf(engine, value=2.0):
    return engine.tensor(value, requires_grad=True)


def instrument(engine, expression="sin(x**2)", **options):
    return GraphOfTheGraph(expression, {"x": leaf(engine)}, **options)


def derivatives(expression):
    """First and second, by PyTorch."""
    x = leaf(torch)
    space = {n: getattr(torch, n) for n in ("sin", "exp", "tanh", "sqrt")}
    (g,) = torch.autograd.grad(eval(expression, {**space, "x": x}), x, create_graph=True)
    return g.item(), torch.autograd.grad(g, x)[0].item()


def walk(node, found=None):
    """All nodes that a gradient function leads to, without leaves."""
    found = {} if found is None else found
    if node is not None and node not in found and not hasattr(node, "variable"):
        found[node] = node.name()
        for parent, _ in node.next_functions:
            walk(parent, found)
    return found


@ENGINES
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_numbers_are_pytorchs(engine, expression):
    both = instrument(engine, expression).both
    first, second = derivatives(expression)
    assert both.gradient.values == pytest.approx(first, rel=1e-5)
    assert both.second[-1].key == both.x
    assert both.second[-1].grad_in.values == pytest.approx(second, rel=1e-4)


@ENGINES
def test_the_second_order_is_what_create_graph_records(engine):
    x = leaf(engine)
    y = engine.sin(x**2)
    before = walk(y.grad_fn)
    both = record_twofold(y, {"x": x, "y": y})
    (g,) = engine.autograd.grad(y, x, create_graph=True)
    new = {n: name for n, name in walk(g.grad_fn).items() if n not in before}
    assert sorted(both.nodes[k].node.name for k in both.of_order(2)) == sorted(new.values())
    assert sorted(both.nodes[k].node.name for k in both.of_order(1)) == sorted(before.values())
    by = {both.label(k): both.nodes[both.nodes[k].by].node.name for k in both.of_order(2)}
    assert by["cos(x²)"] == by["1·cos(x²)"] == "SinBackward0"
    assert by["x¹"] == by["2·x¹"] == "PowBackward0"


@ENGINES
def test_a_node_that_records_nothing_leaves_nothing_to_another(engine):
    """Sum comes before the product and records nothing of its own."""
    x = engine.tensor([1.0, 2.0], requires_grad=True)
    both = record_twofold((x * x).sum(), {"x": x})
    names = [(both.nodes[ran.key].node.name, len(ran.recorded)) for ran in both.first]
    assert names == [("SumBackward0", 0), ("MulBackward0", 3)]


@ENGINES
def test_three_acts(engine):
    made = instrument(engine)
    acts = [step.act for step in made.steps]
    assert acts == sorted(acts) and set(acts) == {1, 2, 3}
    order = {k: n.order for k, n in made.both.nodes.items()}
    for step in made.steps[: acts.index(3)]:
        recorded = [k for k in step.moment.there if order[k] == 2 and k != "g"]
        assert len(recorded) == min(acts[: made.steps.index(step) + 1].count(2), 5)
    runs = [step.key for step in made.steps if step.act == 3]
    orders = [order[key] for key in runs]
    assert orders == sorted(orders, reverse=True)  # down the second graph, then into the first
    assert made.jump("dy/dx").startswith("Step 6 of 13. dy/dx = −2.615 is there with a graph")
    assert made.step(100) == made.steps[-1].sentence and made.back(100) == made.steps[0].sentence
    with pytest.raises(ValueError, match="there is no stop 14"):
        made.jump(14)


@ENGINES
def test_without_create_graph_nothing_is_recorded(engine):
    made = instrument(engine, create_graph=False)
    assert made.both.of_order(2) == [] and made.both.second == ()
    made.jump(len(made.steps) - 1)
    assert made.sentence.endswith("a pass back from it raises an error.")
    assert ">nothing is recorded<" in made.svg()
    x = leaf(engine)
    (g,) = engine.autograd.grad(engine.sin(x**2), x)
    with pytest.raises(RuntimeError, match="does not have a grad_fn"):
        g.backward()
    assert made.record_backward(True).startswith("Step 0 of 13.")
    straight = instrument(engine, "3*x")
    assert "the same for every x" in straight.jump("dy/dx")


@ENGINES
def test_mixed_derivatives_and_several_numbers(engine):
    x, a = leaf(engine), leaf(engine, 3.0)
    made = GraphOfTheGraph("a*x**2", {"x": x, "a": a}, wrt="x")
    said = [step.sentence for step in made.steps]
    assert any("x received 6: the second derivative, d²y/dx²." in each for each in said)
    assert any("a received 4: the mixed derivative, d²y/dxda." in each for each in said)
    made = GraphOfTheGraph("y**3", {"y": x})  # the result is not called as the leaf
    assert made.title == "z = y³" and made.both.label("g") == "dz/dy"
    x = engine.tensor([1.0, 2.0], requires_grad=True)
    y = (x**3).sum()
    made = GraphOfTheGraph(y, {"x": x, "y": y})
    assert made.both.second[-1].grad_in.values == (6, 12)
    assert "the sum of all second derivatives" in made.steps[-1].sentence


def test_both_engines_draw_the_same_where_they_record_the_same():
    ours, theirs = (instrument(engine, "sin(x*x)") for engine in (autogradlab, torch))
    for made in (ours, theirs):
        made.jump(8)
    assert ours.sentence == theirs.sentence
    assert (ours.view.tag, theirs.view.tag) == ("autogradlab", "PyTorch")
    assert ours.svg() == ours.svg() and "var(" not in ours.svg()
    assert "2·x¹" in [step.name for step in instrument(torch).steps]  # torch's MulBackward1
    bundle = ours._repr_mimebundle_()
    assert bundle["text/plain"] == ours.summary and bundle["image/svg+xml"] == ours.svg()
    assert ET.fromstring(ours.svg()).get("role") == "img"


def test_the_orders_differ_in_more_than_colour():
    made = instrument(autogradlab, "x**3")
    forms = dict(zip((key for key, _, _ in made.view.order), made.view.variants, strict=True))
    for key, each in made.both.nodes.items():
        drawn = [markup for markup in forms[key] if markup]
        assert all((css_class("second order") in m) == (each.order == 2) for m in drawn), key
    assert "first order: y = x³" in made.svg() and "second order: dy/dx" in made.svg()


@ENGINES
def test_no_trace_is_left(engine, monkeypatch):
    x = leaf(engine)
    x.grad = engine.tensor(7.0)
    kept, y = x.grad, engine.sin(x**2)
    state = engine.get_rng_state()
    calls = []
    y.grad_fn.register_hook(lambda *_: calls.append(1))
    made = GraphOfTheGraph(y, {"x": x, "y": y})
    made.jump(5), made.svg()
    assert x.grad is kept and kept.item() == 7 and (engine.get_rng_state() == state).all()
    monkeypatch.setattr(second_order, "summarize", None)  # what a hook left behind would call
    y.backward()  # the graph is whole
    assert x.grad.item() == pytest.approx(7 + derivatives("sin(x**2)")[0])


@ENGINES
def test_no_trace_after_an_exception(engine):
    x = leaf(engine)
    y = engine.sin(x**2)

    def stop(*_):
        raise ZeroDivisionError("stop")

    handle = y.grad_fn.next_functions[0][0].register_prehook(stop)
    with pytest.raises(ZeroDivisionError):
        GraphOfTheGraph(y, {"x": x})
    handle.remove()
    assert x.grad is None
    y.backward()
    assert x.grad.item() == pytest.approx(derivatives("sin(x**2)")[0])


def test_the_second_graph_is_let_go():
    """What is drawn is plain data: no node lives on in the instrument."""

    def nodes():
        gc.collect()
        return sum(issubclass(type(each), Node) for each in gc.get_objects())

    x = leaf(autogradlab)
    GraphOfTheGraph("x**2", {"x": x})
    before = nodes()
    made = GraphOfTheGraph("sin(x**2)", {"x": x})
    assert nodes() == before and len(made.both.of_order(2)) == 5


def test_the_state_can_be_pasted():
    made = instrument(torch)
    made.write("x*exp(x)")
    made.record_backward(False)
    made.jump(2)
    made.view.selected = "a1"
    again = GraphOfTheGraph.from_state(json.dumps(made.state()), "x**2", {"x": leaf(torch)})
    assert again.state() == made.state() and again.svg() == made.svg()
    assert [getattr(w, "value", None) for w in again.controls] == ["x*exp(x)", False, ""]
    for bad in ({"step": 99}, {"selected": "zz"}, {"expression": "import os"}, {"create_graph": 1}):
        with pytest.raises(ValueError):
            GraphOfTheGraph.from_state(made.state() | bad, "x**2", {"x": leaf(torch)})
    y = leaf(torch) ** 2
    with pytest.raises(ValueError, match="has no expression"):
        GraphOfTheGraph.from_state(made.state(), y, {})


def test_controls():
    made = instrument(autogradlab, controls=["create_graph"])
    box, told = made.controls
    box.value = False
    assert made.create_graph is False and told.value == ""
    assert "no-transport" in made.view.look
    made = instrument(autogradlab)
    field, box, told = made.controls
    field.value = "x +"
    assert told.value.startswith("Not used: ") and made.expression == "sin(x**2)"
    field.value = "x**3"
    assert made.expression == "x**3" and told.value == ""
    shown = made.with_controls()
    box.value = False
    assert shown.children[-1] is made.view and len(made.view.frames) == 3
    assert instrument(autogradlab, controls=[]).controls == ()
    with pytest.raises(ValueError, match="no control 'v'"):
        instrument(autogradlab, controls=["v"])


def test_names_are_escaped():
    evil = '<script>alert("1")</script>'
    x = leaf(torch)
    made = GraphOfTheGraph(x**3, {evil: x})
    made.jump(len(made.steps) - 1)
    assert "<script" not in made.svg() + str(made.view.variants) + str(made.view.panels)


@ENGINES
def test_bad_input(engine):
    x = leaf(engine)
    for text, words in (
        ("x", "no operation in it"), ("q**2", 'no tensor called "q"'), ("x.data", "not allowed"),
        ("*".join(["x"] * 12), "more than 8 operations of the first order"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            GraphOfTheGraph(text, {"x": x})
    with pytest.raises(ValueError, match="the gradient of one number is taken, and this has 2"):
        GraphOfTheGraph(engine.ones(2, requires_grad=True) * 2, {})
    with pytest.raises(ValueError, match="there is no leaf 'b'; there is x"):
        GraphOfTheGraph("x**2", {"x": x}, wrt="b")
    with pytest.raises(ValueError, match="there is no tensor to use"):
        GraphOfTheGraph("x**2", {})
    with pytest.raises(RuntimeError, match="does not require grad"):
        GraphOfTheGraph(engine.ones(1), {})
    with pytest.raises(TypeError, match="expected a tensor"):
        GraphOfTheGraph(3, {})
    made = instrument(engine)
    with pytest.raises(ValueError):
        made.write("import os")
    assert made.expression == "sin(x**2)" and made.sentence.startswith("Step 0 of 13.")
