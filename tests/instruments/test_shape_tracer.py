"""ShapeTracer as a Python object: shapes and gradients as PyTorch has them, words, pictures."""

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import autogradlab
from autogradlab.graphs import blocks, style
from autogradlab.instruments import ShapeTracer, shape_tracer

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch])
SVG = "{http://www.w3.org/2000/svg}"


def tensors(engine, **shapes):
    """Leaves with small different numbers."""
    made = {}
    for i, (name, shape) in enumerate(shapes.items()):
        numbers = (np.arange(np.prod(shape, dtype=int)) % 5 + 1 + i).reshape(shape)
        made[name] = engine.tensor(numbers.tolist(), dtype=engine.float64, requires_grad=True)
    return made


EXPRESSIONS = {
    "a * b": {"a": (2, 3), "b": (3,)},
    "a + c": {"a": (2, 3), "c": (2, 1)},
    "p - y": {"p": (3,), "y": (3, 1)},
    "a / s - 3 * s": {"a": (2, 3), "s": ()},
    "t * b + 2": {"t": (4, 2, 3), "b": (3,)},
    "(X @ W + v).relu().sum(0)": {"X": (4, 3), "W": (3, 2), "v": (2,)},
    "(a * a).mean()": {"a": (2, 3)},
    "A @ A.T": {"A": (3, 3)},
    "a.softmax(1).amax(dim=-1, keepdim=True)": {"a": (2, 3)},
    "torch.exp(-a).log_softmax(0).unsqueeze(1) ** 2": {"a": (3,)},
    "square(a).reshape(3, 2).mean((0, 1))": {"a": (2, 3)},
}


@ENGINES
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_shapes_and_gradients_are_pytorchs(engine, expression):
    tracer = ShapeTracer(expression, tensors(engine, **EXPRESSIONS[expression]))
    theirs = tensors(torch, **EXPRESSIONS[expression])
    result = eval(expression, {"torch": torch, "square": torch.square}, theirs)
    assert tracer.operations[-1].result.shape == tuple(result.shape)
    np.testing.assert_allclose(tracer.operations[-1].result.array, result.detach())
    result.backward(torch.ones_like(result))
    for name, leaf in tracer.leaves.items():
        np.testing.assert_allclose(leaf.grad, theirs[name].grad)
        through = [v.grad for each in tracer.operations for v in each.inputs if v.label == name]
        np.testing.assert_allclose(sum(through), theirs[name].grad)  # through each use, added up


@ENGINES
def test_what_is_kept_is_what_the_engine_saves(engine):
    named = tensors(engine, X=(4, 3), W=(3, 2), v=(2,))
    tracer = ShapeTracer("(X @ W + v).exp().sum()", named)
    assert tracer.keeps("X @ W") == "X @ W keeps W (48 B) and X (96 B)."
    assert tracer.keeps("X @ W + v") == "X @ W + v keeps nothing."
    assert tracer.keeps("(…).exp()") == "(…).exp() keeps (…).exp() (64 B)."
    named = tensors(engine, X=(4, 2), v=(2,), A=(3, 3))
    square = ShapeTracer("(X - v) ** 2 * (A @ A.T).sum()", named)
    assert square.keeps("(X − v) ** 2") == "(X − v) ** 2 keeps X − v (64 B)."
    assert square.keeps("A @ A.T") == "A @ A.T keeps A.T (72 B) and A (72 B)."


@ENGINES
def test_steps_in_words(engine):
    tracer = ShapeTracer("a * b", tensors(engine, a=(2, 3), b=(3,)))
    assert tracer.sentence.startswith("1 operation on a (2, 3) and b (3). Which")
    assert tracer.step() == (
        "Step 1 of 2, forward. b of shape (3) is copied 2 times along axis 0, to (2, 3)."
    )
    assert tracer.step() == tracer.step(5) == (
        "Step 2 of 2, backward. The gradient of b has shape (2, 3) and is summed over axis 0 back "
        "to (3)."
    )
    assert tracer.back() == tracer.jump("a · b") and tracer.view.step == 1
    assert tracer.back(9) == tracer.jump(0)
    with pytest.raises(ValueError, match="no step 3: this expression has steps 0 to 2"):
        tracer.jump(3)
    with pytest.raises(ValueError, match="no operation is called 'c'; there are a · b"):
        tracer.jump("c")


def test_every_kind_of_operation_has_its_words():
    said = []
    for expression, shapes in EXPRESSIONS.items():
        tracer = ShapeTracer(expression, tensors(torch, **shapes))
        said += tracer.view.sentences[1:]
    text = "\n".join(said)
    for words in (
        "p of shape (3) is copied 3 times along axis 0 and y of shape (3, 1) is copied 3 times",
        "is copied 4 times along axis 0 and 2 times along axis 1, to (4, 2, 3)",
        "X (4, 3) @ W (3, 2) is (4, 2): the inner 3 is summed away.",
        "The gradient of X is G @ Wᵀ, (4, 2) @ (2, 3) = (4, 3); that of W is Xᵀ @ G, (3, 4)",
        "The gradient (2) is copied 4 times along axis 0, back to (4, 2).",
        "back to (2, 3). It is divided by 6.",
        "goes to the largest elements",
        "softmax compares the elements along axis 1: the shape (2, 3) stays.",
        "nothing is copied",
        "are laid out as (3, 2)",
    ):
        assert words in text, words
    assert all(sentence.endswith((".", "?")) and len(sentence) < 190 for sentence in said)


def test_a_gradient_may_come_in_and_constants_have_none():
    named = tensors(torch, a=(2, 3), b=(3,))
    named["b"].requires_grad_(False)
    tracer = ShapeTracer("a * b", named, gradient=[[1.0, 0, 0], [0, 0, 0]])
    assert tracer.leaves["b"].grad is None
    assert tracer.leaves["a"].grad.tolist() == [[2, 0, 0], [0, 0, 0]]
    assert "nothing is summed" in tracer.jump(2)
    assert ">None</text>" in tracer.svg()


@ENGINES
def test_no_trace_on_the_tensors(engine):
    named = tensors(engine, a=(2, 3), b=(3,))
    seen = []
    named["b"].register_hook(seen.append)
    before = named["a"].tolist(), named["a"]._version
    ShapeTracer("a * b", named).svg()
    assert named["a"].grad is named["b"].grad is None and not seen
    assert (named["a"].tolist(), named["a"]._version) == before


def test_the_callers_variables_are_the_default():
    a, b = tensors(torch, a=(2, 3), b=(3,)).values()
    assert ShapeTracer("a * b").shapes == {"a": (2, 3), "b": (3,), "a · b": (2, 3)}
    assert a.grad is b.grad is None


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("a.__class__", "cannot be traced"),
        ("__import__('os').system('x')", "'system' cannot be traced"),
        ("exec(a)", "'exec' cannot be traced"),
        ("a.sum(__import__('os'))", "the arguments of sum must be numbers"),
        ("a.sum(**b)", "the arguments of sum must be numbers"),
        ("[a for a in b]", "cannot be traced"),
        ("(lambda: a)()", "cannot be traced"),
        ("a[0]", "cannot be traced"),
        ("a ** 11", "at most 10"),
        ("2 ** a", "must be a tensor"),
        ("9 ** 9 ** 9", "is a number"),
        ("a if a else b", "cannot be traced"),
        ("a +", "is not a complete expression"),
        ("(" * 190, "is not a complete expression"),
        ("a + " * 60 + "a", "at most 200 characters, not 241"),
        ("a", "the expression has no operation"),
        ("a + nothing", "there is no tensor called 'nothing'"),
        ("a + other", "two engines"),
        ("a @ b", "two matrices"),
        ("a.sum(7)", "Dimension out of range"),
        ("exp()", "exp of what?"),
        ("exp(3)", "cannot be traced"),
        ("empty + 1", "not empty"),
        ("deep + 1", "0 to 3 axes"),
        ("a+a+a+a+a+a+a+a+a+a", "at most 8 operations"),
        (3, "as text"),
    ],
)
def test_what_cannot_be_traced_is_refused_in_words(expression, words):
    named = tensors(torch, a=(2, 3), b=(3,), empty=(0, 3), deep=(1, 1, 1, 1))
    named["other"] = autogradlab.ones(3)
    with pytest.raises(ValueError, match=re.escape(words)):
        ShapeTracer(expression, named)


@ENGINES
def test_the_engines_own_errors_pass(engine):
    named = tensors(engine, a=(2, 3), c=(2,))
    with pytest.raises(RuntimeError, match="must match the size of tensor b"):
        ShapeTracer("a * c", named)
    with pytest.raises(RuntimeError, match="does not require grad"):
        ShapeTracer("a * 2", {"a": named["a"].detach()})


def test_the_pictures():
    """Well formed, the same every time; at the start a film, then the step that is shown."""
    for expression, shapes in EXPRESSIONS.items():
        one, two = (ShapeTracer(expression, tensors(e, **shapes)) for e in (autogradlab, torch))
        for step in range(one.last + 1):
            one.jump(step), two.jump(step)
            assert one.svg() == two.svg()
            picture = ET.fromstring(one.svg())
            assert picture.get("role") == "img" and not re.search(r" (id|class)=", one.svg())
            left, width = 0.0, float(picture.get("width"))
            for text in picture.iter(f"{SVG}text"):
                assert left <= float(text.get("x")) <= width
        assert one._repr_mimebundle_()["text/plain"] == one.sentence


def texts(tracer):
    return ["".join(e.itertext()) for e in ET.fromstring(tracer.svg()).iter(f"{SVG}text")]


def test_cells_show_their_numbers_and_long_axes_a_bracket():
    tracer = ShapeTracer("a * b", tensors(torch, a=(2, 3), b=(3,)))
    tracer.jump(2)
    # The gradient of b: a summed over its two rows, [1, 2, 3] and [4, 5, 1].
    assert {"5", "7", "4", "summed over axis 0"} <= set(texts(tracer))
    long = ShapeTracer("a * b", tensors(torch, a=(50, 30), b=(30,)))
    long.jump(1)
    assert texts(long).count("30") == 4 and "50" in texts(long)
    deep = ShapeTracer("t * b", tensors(torch, t=(20, 2, 3), b=(3,)))
    deep.jump(1)
    assert "×20" in texts(deep)


def hatched(tracer):
    return tracer.svg().count(style.attributes("tracer hatch"))


def test_copied_cells_are_hatched_and_only_they():
    tracer = ShapeTracer("a * b", tensors(torch, a=(2, 3), b=(3,)))
    tracer.jump(1)
    assert hatched(tracer) == 1  # b, stretched: not a, b itself, or the result
    block = blocks.Block("b", "", np.ones((2, 3)), copies=[(0, 2)])
    assert blocks.hatched(block, {1}, 0, 0).count("l6 -6") == 3  # the second row
    assert blocks.hatched(block, {2}, 0, 0).count("l6 -6") == 4  # two columns
    same = ShapeTracer("a * c", tensors(torch, a=(2, 3), c=(2, 3)))
    same.jump(1)
    assert hatched(same) == 0


def test_the_table_asks_then_tells_then_frees():
    tracer = ShapeTracer("(X @ W + v).sum()", tensors(torch, X=(4, 3), W=(3, 2), v=(2,)))
    states = [[line[3] for line in tracer.table(step)] for step in range(tracer.last + 1)]
    assert states[0] == ["ahead"] * 3  # no shape is told before its step
    assert states[2] == ["", "now", "ahead"]
    assert states[4] == ["", "", "now"] and states[5] == ["", "now", "freed"]
    assert states[6] == ["now", "freed", "freed"]


def test_the_state_can_be_pasted():
    named = tensors(autogradlab, a=(2, 3), b=(3,))
    tracer = ShapeTracer("a * b", named)
    tracer.jump(2)
    again = ShapeTracer.from_state(json.dumps(tracer.state()), "a * b", named)
    assert again.view.step == 2 and again.svg() == tracer.svg()
    with pytest.raises(ValueError, match="step 9 of 2"):
        ShapeTracer.from_state({"instrument": "ShapeTracer", "step": 9}, "a * b", named)


def test_the_transport_can_be_left_out():
    named = tensors(autogradlab, a=(2, 3), b=(3,))
    assert ShapeTracer("a * b", named, controls=[]).view.stops == []
    with pytest.raises(ValueError, match="no control 'speed'"):
        ShapeTracer("a * b", named, controls=["speed"])


def test_un_broadcasting_is_the_sum_over_copies():
    g = np.arange(24.0).reshape(4, 2, 3)
    for shape in [(3,), (2, 1), (1, 2, 3), (), (1, 1, 1), (4, 2, 3)]:
        x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        x.expand(4, 2, 3).backward(torch.from_numpy(g))
        np.testing.assert_array_equal(shape_tracer.summed(g, shape), x.grad)


def test_names_of_other_alphabets_and_no_markup():
    """An expression cannot hold markup: a name is what Python takes for one."""
    tracer = ShapeTracer("ä * b", tensors(torch, ä=(2, 3), b=(3,)))
    assert "ä" in texts(tracer)
    with pytest.raises(ValueError, match="not a complete expression"):
        ShapeTracer("<b>a</b>", tensors(torch, a=(2, 3)))
    with pytest.raises(ValueError, match="cannot be traced"):
        ShapeTracer("a < b", tensors(torch, a=(2, 3), b=(3,)))


ONES = torch.ones(2)


def layer(X, W, v):
    y = X @ W + v
    return (y + 2 * F.relu(y)).sum(0)  # y is used twice


@ENGINES
def test_a_function_is_traced_as_the_expression_it_computes(engine):
    shapes = {"X": (4, 3), "W": (3, 2), "v": (2,)}
    named, theirs = tensors(engine, **shapes), tensors(torch, **shapes)
    tracer = ShapeTracer(layer, list(named.values()))
    assert tracer.title == "(X @ W + v + 2 · torch.relu(X @ W + v)).sum(0)"
    assert [each.sign for each in tracer.operations] == ["@", "+", "relu", "·", "+", "sum"]
    layer(**theirs).backward(torch.ones(2))
    for name, leaf in tracer.leaves.items():
        np.testing.assert_allclose(leaf.grad, theirs[name].grad)
    assert named["X"].grad is None
    typed = ShapeTracer("(X - 1).mean()", named)
    for same in (lambda X: (X - 1).mean(), lambda X: torch.mean(X - 1)):
        assert ShapeTracer(same, named).jump(4) == typed.jump(4)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda X: X if X else -X, "which way it goes depends on the numbers in a tensor"),
        (lambda X: X * ONES, "a Tensor in it is no parameter; give it as one"),
        (lambda X: X.cumsum(0), "'cumsum' cannot be traced"),
        (lambda X: X[0], "cannot be traced: 'Symbol' object is not subscriptable"),
        (lambda X: X, "the expression has no operation"),
        (lambda X, Y: X + Y, "there is one tensor for each of X and Y"),
        (lambda X: None, "'None' cannot be traced"),
        (torch.exp, "give a function made with def or lambda"),
        (torch.nn.ReLU(), "give a function made with def or lambda"),
    ],
)
def test_a_function_that_cannot_be_traced_is_refused_in_words(function, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        ShapeTracer(function, [torch.ones(2, 2, requires_grad=True)])
