"""GraphRecorder as a Python object: steps, what is saved, other expressions, runs of a program."""

import itertools
import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs.growth import Sheet
from autogradlab.graphs.typed import Typed
from autogradlab.instruments import GraphRecorder

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["autogradlab", "PyTorch"])


def leaves(engine):
    return {
        "a": engine.tensor([2.0, 3.0], requires_grad=True),
        "b": engine.tensor([6.0, 4.0], requires_grad=True),
        "c": engine.tensor([1.0, 2.0]),
    }


def program(x):
    if x > 0:
        y = x * x
        while y < 10:
            y = y * 3
        return y + 1
    return -x


def switch(engine, *values):
    return GraphRecorder.of(program, [engine.tensor(v, requires_grad=True) for v in values])


def torch_saves(node):
    """Names of the tensors that PyTorch's node has saved, numbers left out."""
    found = {n: getattr(node, n) for n in dir(node) if n.startswith("_saved_")}
    return {n for n, x in found.items() if torch.is_tensor(x) and (x.ndim or x.requires_grad)}


# ------------------------------------------------------------------------------ one expression


@ENGINES
def test_a_graph_grows_op_by_op(engine):
    made = GraphRecorder("3*a**3 - b**2", leaves(engine))
    assert made.position == 0 and len(made.steps) == 5
    told = [made.sentence] + [made.step() for _ in range(4)]
    assert told == [
        "Step 0 of 4. Nothing is recorded yet; a and b are leaves.",
        "Step 1 of 4. a³ is recorded: PowBackward0 saves a, and its edge goes to a.",
        "Step 2 of 4. 3·a³ is recorded: MulBackward0 saves no tensor, and its edge goes to a³.",
        "Step 3 of 4. b² is recorded: PowBackward0 saves b, and its edge goes to b.",
        "Step 4 of 4. 3a³ − b² is recorded: SubBackward0 saves no tensor, and its edges go to 3·a³ "
        "and b².",
    ]
    assert made.step() == told[4] and made.back(2) == told[2] and made.jump("b²") == told[3]
    assert "16 B" in made.view.panels[3] and "8 B" in made.view.panels[1]
    with pytest.raises(ValueError, match="steps 0 to 4"):
        made.jump(5)


def test_a_step_shows_what_is_recorded_and_no_more():
    made = GraphRecorder("3*a**3 - b**2", leaves(autogradlab))
    view, shown = made.view, []
    forms = {}
    for changes in view.frames:
        forms |= dict(changes)
        shown.append("".join(view.variants[part][form] for part, form in forms.items()))
    ops = [[name for name in ("a³", "3·a³", "b²", "3a³ − b²") if f">{name}<" in s] for s in shown]
    assert [len(each) for each in ops] == [0, 1, 2, 3, 4]
    assert [s.count("agl-halo") for s in shown] == [0, 1, 1, 1, 1]
    assert "output" in shown[4] and "output" not in shown[3]
    assert [s.count("agl-sheet-lines") for s in shown] == [0, 1, 1, 2, 2]


@ENGINES
@pytest.mark.parametrize(
    "expression", ["a*2", "a*a", "a.exp()", "a.sum()", "a.tanh()", "1/a", "a*b + a", "a.sin() - 1"]
)
def test_it_says_saved_what_pytorch_saves(engine, expression):
    made = GraphRecorder(expression, leaves(engine))
    theirs = Typed(expression, leaves(torch), torch).result
    saved = {f"_saved_{name}" for name, _, _ in graph_root(made).saved}
    assert saved == torch_saves(theirs.grad_fn)
    assert ("saves no tensor" in made.jump(len(made.steps) - 1)) == (not saved)


def graph_root(made):
    graph = made.runs[0].graph
    return graph.nodes[next(e.source for e in graph.edges if e.target == graph.root)]


@ENGINES
def test_a_result_that_exists(engine):
    names = leaves(engine)
    q = (names["a"] * names["a"]).exp()
    made = GraphRecorder(q, {**names, "q": q})
    assert made.title == "q = exp(a·a)" and not made.controls and made.expression == ""
    assert made.step() == (
        "Step 1 of 2. a·a is recorded: MulBackward0 saves a, and both its edges go to a."
    )
    assert made.step().endswith("ExpBackward0 saves its result, and its edge goes to a·a.")
    assert names["a"].grad is None and q.grad_fn is not None
    q.sum().backward()  # the graph was not freed
    with pytest.raises(RuntimeError, match="does not require grad"):
        GraphRecorder(names["c"], names)


@ENGINES
def test_what_is_not_recorded_is_said(engine):
    made = GraphRecorder("(c + 1)*a + a.detach()*a", leaves(engine))
    told = [made.step() for _ in range(5)]
    assert "c + 1 is not recorded: none of its inputs requires a gradient" in told[0]
    assert "a.detach() is not recorded: detach() cuts it off" in told[2]
    assert sum("is recorded" in each for each in told) == 3
    assert made.summary.endswith("Not in the graph: c + 1 and a.detach().")
    assert made.view.stops == ["start", "–", "1", "–", "2", "3"]
    lost = GraphRecorder("(a*2).detach()*a", leaves(engine))
    assert "a * 2 is recorded, but no edge leads to it" in lost.step()


def test_another_expression_takes_the_place_of_the_first():
    made = GraphRecorder("a*a", leaves(autogradlab))
    box, (field,), old = made.with_controls(), made.controls, made.view
    made.step()
    field.value = "a.exp() + b"
    assert old.comm is None and made.view.comm is not None  # the browser lets go of the old one
    assert made.expression == "a.exp() + b" and made.position == 0 and len(made.steps) == 3
    assert box.children[1] is made.view and made.view.stops == ["start", "1", "2"]
    field.value = "a +"
    assert made.sentence == 'Not recorded. "a +" is not a complete expression'
    assert made.view.sentences[0] == made.sentence and made.expression == "a.exp() + b"
    assert made.step().startswith("Step 1 of 2.") and made.view.sentences[1] == made.sentence
    field.value = "a.__class__"
    field.value = made.expression
    assert made.sentence.startswith("Step 1 of 2.") and made.view.sentences[1] == made.sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a" + "*a" * 100, "at most 200 characters"),
        ("*".join("a" * 40), "at most 24 operations"),
        ("a**99", "an exponent is at most 20"),
        ("9**9**9*a", "an exponent is at most 20"),
        ("((9.0**20)**20)**20*a", "cannot be computed"),
        ("99999999*a", "a number is at most"),
        ("(-8)**0.5*a", "not a real number"),
        ("a/(1-1) if a else b", "not allowed here"),
        ("1/0*a", "cannot be computed"),
        ("d*a", 'no tensor called "d" here; there is a, b, c'),
        ("a.__class__", "not allowed"),
        ("a.backward()", "not allowed"),
        ("a.numpy()", "not allowed"),
        ("a[0]", "not allowed"),
        ("eval('1')", "not allowed"),
        ("__import__('os').system('true')", "not allowed"),
        ("(lambda: a)()", "not allowed"),
        ("[a for a in b]", "not allowed"),
        ("a.sum(dim=0)", "not allowed"),
        ("a @", "not a complete expression"),
        ("", "not a complete expression"),
        ("(" * 190, "not a complete expression"),
        ("a\0", "not a complete expression"),
        ("a", "no operation"),
        ("3 + 4", "no operation"),
        ("c*c", "no tensor in it requires a gradient"),
    ],
)
@ENGINES
def test_what_cannot_be_recorded_is_refused_in_words(engine, text, words):
    made = GraphRecorder("a*a", leaves(engine))
    before = made.svg()
    with pytest.raises(ValueError, match=words):
        made.record(text)
    assert made.svg() == before and made.expression == "a*a"


@pytest.mark.parametrize(
    "text", ["exp(a)*b", "torch.exp(a) - a.mean()", "-a/b", "maximum(a, b)", "2**a", "relu(a) @ b"]
)
def test_a_typed_expression_gives_what_pytorch_gives(text):
    ours, theirs = (Typed(text, leaves(e), e).result for e in (autogradlab, torch))
    names = {**leaves(torch), "torch": torch}
    names |= {name: getattr(torch, name) for name in ("exp", "maximum", "relu")}
    torch.testing.assert_close(theirs, eval(text, names))
    torch.testing.assert_close(torch.tensor(ours.tolist()), theirs.detach())


# --------------------------------------------------------------------------- runs of a program


@ENGINES
def test_each_run_has_its_own_graph(engine):
    made = switch(engine, 2.0, -3.0, 3.0, 1.0)
    assert made.summary.startswith("4 runs, 3 different graphs.")
    assert [made.step() for _ in range(4)] == [
        "Run 1 of 4. x = 2 records a graph, of 3 operations: 2 × MulBackward0 and AddBackward0.",
        "Run 2 of 4. x = −3 records another graph, of 1 operation: NegBackward0.",
        "Run 3 of 4. x = 3 records the same graph as x = 2.",
        "Run 4 of 4. x = 1 records another graph, of 5 operations: 4 × MulBackward0 and "
        "AddBackward0.",
    ]
    forms = dict(made.view.frames[0])
    start = "".join(made.view.variants[part][form] for part, form in forms.items())
    assert start.count(">x<") == 4 and "Backward0" not in start  # leaves alone
    keys = [target[0] for target in made.view.targets]
    assert len(keys) == len(set(keys)) == 4 + 3 + 1 + 3 + 5
    assert made.view.panels[1].count("–") > made.view.panels[4].count("–")


def test_several_inputs_and_runs_without_a_graph():
    x = autogradlab.tensor(2.0, requires_grad=True)
    made = GraphRecorder.of(lambda x, n: x * 2 if n else x.detach(), [(x, 1), (x, 0)])
    assert made.step().startswith("Run 1 of 2. x = 2, n = 1 records a graph, of 1 operation")
    assert made.step() == "Run 2 of 2. x = 2, n = 0 records nothing: the result has no grad_fn."
    assert "nothing is recorded" in made.svg()
    with pytest.raises(TypeError, match="no tensor but a float"):
        GraphRecorder.of(lambda x: 1.0, [x])
    with pytest.raises(ZeroDivisionError):
        GraphRecorder.of(lambda x: x * (1 / 0), [x])


# -------------------------------------------------------------------------------------- output


@ENGINES
def test_the_pictures(engine):
    """The same every time, with a title and a sentence, and wide enough for a notebook."""
    for make in (
        lambda: GraphRecorder("3*a**3 - b**2", leaves(engine)),
        lambda: switch(engine, 2.0, -3.0, 3.0),
    ):
        made = make()
        assert made.svg() == make().svg()
        picture = ET.fromstring(made.svg())
        assert picture.get("role") == "img" and float(picture.get("width")) < 760
        bundle = made._repr_mimebundle_()
        assert bundle["text/plain"] == made.summary and bundle["image/svg+xml"] == made.svg()
    assert switch(autogradlab, 2.0, 3.0).svg() == switch(torch, 2.0, 3.0).svg()


def test_many_runs_stand_in_rows():
    made = switch(autogradlab, 2.0, -3.0, 3.0, 1.0, -1.0, 4.0)
    width, height = made.view.view
    assert width <= 720 and height > switch(autogradlab, 2.0).view.view[1]
    sheet = Sheet(made.runs)
    places = [(x, y, x + wide, y + high) for x, y, wide, high in sheet.boxes]
    for (a, b, c, d), (e, f, g, h) in itertools.combinations(places, 2):
        assert c <= e or g <= a or d <= f or h <= b


def test_names_are_escaped():
    evil = "<script>alert(1)</script>"
    a = autogradlab.tensor(2.0, requires_grad=True)
    made = GraphRecorder((a * a).exp(), {evil: a})
    view = made.view
    assert "<script" not in made.svg() + "".join(view.panels) + str(view.variants)


def test_the_state_can_be_pasted():
    made = GraphRecorder("a*a", leaves(autogradlab))
    made.record("a.exp() + b")
    made.jump(2)
    assert made.select("exp(a)").startswith("exp(a) · ExpBackward0")
    again = GraphRecorder.from_state(json.dumps(made.state()), "a*a", leaves(autogradlab))
    assert again.state() == made.state() and again.sentence == made.sentence
    for state, words in [
        ({"expression": "a" * 201}, "does not fit"),
        ({"expression": "a.__class__"}, "not allowed"),
        ({"step": 9}, "step 9 of 1"),
        ({"selected": "n99"}, "no node"),
    ]:
        state = {"instrument": "GraphRecorder", **state}
        with pytest.raises(ValueError, match=words):
            GraphRecorder.from_state(state, "a*a", leaves(autogradlab))
    with pytest.raises(ValueError, match="this has none"):
        GraphRecorder.from_state(made.state(), (leaves(autogradlab)["a"] * 2))


def test_controls_can_be_left_out():
    made = GraphRecorder("a*a", leaves(autogradlab), controls=[])
    assert not made.controls and "no-transport" in made.view.look
    with pytest.raises(ValueError, match="no control 'x'"):
        GraphRecorder("a*a", leaves(autogradlab), controls=["x"])
