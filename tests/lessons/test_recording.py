"""The exercises of lesson 03: right answers are PyTorch's, wrong ones are named, and a graph to
match is compared node by node without telling the code."""

import sys

import pytest
import torch

import autogradlab
from autogradlab.instruments import TwinGraph
from autogradlab.lessons import Exercise, exercise, recording
from autogradlab.lessons.pictures import Picture
from autogradlab.lessons.recording import match_graph, nodes, saved, way

EXERCISES = [each for each in vars(recording).values() if isinstance(each, Exercise)]


def found(result):
    """Every operation of PyTorch's graph, the root first."""
    seen, waiting = [], [result.grad_fn]
    while waiting:
        node = waiting.pop(0)
        if node not in seen and not hasattr(node, "variable"):
            seen.append(node)
            waiting += [parent for parent, _ in node.next_functions if parent]
    return seen


def test_what_is_saved_is_what_pytorch_saves():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    answer = []
    for y in (x * 2, x * x, x.exp(), x.sum()):
        kept = {n.removeprefix("_saved_") for n in dir(y.grad_fn) if n.startswith("_saved_")}
        tensors = {n: getattr(y.grad_fn, f"_saved_{n}") for n in kept}
        kept = {n for n, t in tensors.items() if torch.is_tensor(t) and t.ndim}
        answer.append("result" if "result" in kept else "x" if kept else "nothing")
    assert saved.check(answer).state == "right"


def test_the_loop_has_as_many_nodes_as_pytorchs():
    x = y = torch.tensor(2.0, requires_grad=True)
    for _ in range(3):
        y = y * x + 1
    assert nodes.check(len(found(y))).state == "right"


def test_the_way_is_the_one_pytorch_takes():
    x = torch.tensor(1.5, requires_grad=True)
    names = [node.name() for node in found(recording._route(x))]
    passes, branch = names.count("MulBackward0"), 1 if "SubBackward0" in names else 2
    assert way.check([passes, branch]).state == "right"
    drawn = recording.mystery()
    assert [drawn.sentence.count(name) for name in ("MulBackward0", "Sqrt")] == [passes, 1]
    assert drawn.svg == recording.mystery().svg and "sqrt(" not in drawn.svg


@pytest.mark.parametrize(
    ("each", "answer"),
    [
        (saved, ["nothing", "x", "result", "nothing"]),
        (saved, (None, "X ", "its result", "no tensor")),
        (saved, {"x * 2": "none", "x * x": "self", "x.exp()": "Result", "x.sum()": ""}),
        (nodes, 6.0),
        (nodes, torch.tensor([6])),
        (way, (3, 2)),
        (way, autogradlab.tensor([3, 2])),
    ],
)
def test_right_answers_are_accepted_in_any_form(each, answer):
    assert repr(each.check(answer)) == f"✓ Right. {each.why}"


@pytest.mark.parametrize(
    ("each", "answer", "says"),
    [
        (saved, ["x", "x", "result", "nothing"], "x * 2: the local derivative is 2"),
        (saved, ["result", "x", "result", "nothing"], "x * 2: the local derivative is 2, whatever"),
        (saved, ["nothing", "nothing", "result", "nothing"], "x * x: each factor receives"),
        (saved, ["nothing", "result", "result", "nothing"], "x * x: the local derivative for one"),
        (saved, ["nothing", "x", "x", "nothing"], "x.exp(): from x the exponential would have"),
        (saved, ["nothing", "x", "nothing", "nothing"], "x.exp(): its derivative changes with x"),
        (saved, ["nothing", "x", "result", "x"], "x.sum(): each element receives"),
        (saved, ["nothing", "x", "result", "result"], "x.sum(): each element receives"),
        (saved, ["nothing", "x"], "The answer is a list of 4 words."),
        (saved, 4, "The answer is a list of 4 words."),
        (saved, [0, 1, 1, 0], "The answers are words in quotes; this is an int."),
        (saved, ["y"] * 4, "For x * 2 the words are nothing, x, result."),
        (nodes, 2, "Those are the operations in the text."),
        (nodes, 3, "Those are the passes."),
        (nodes, 7, "One of the 7 is the leaf x."),
        (nodes, 8, "Two of the 8 are no operations"),
        (nodes, 4, "The sum is inside the loop."),
        (nodes, 5, "The first pass counts too."),
        (nodes, 1, "A loop is no node."),
        (way, [3, 1], "The passes are right. Branch 1 ends in a"),
        (way, [4, 2], "One operation too many."),
        (way, [2, 3], "The passes come first"),
        (way, [2, 2], "A pass is missing."),
        (way, [1, 2], "A loop is no node."),
        (way, [0, 2], "Branch 2 is right."),
        (way, 3, "The answer is 2 numbers; this is 1 number."),
    ],
)
def test_wrong_answers_are_named(each, answer, says):
    verdict = each.check(answer)
    assert verdict.state == "not yet" and verdict.text.startswith(f"Not yet. {says}"), verdict


# ------------------------------------------------------------------------- code for a graph


def with_u(then, first=lambda a, b: a * b):
    return lambda a, b: then(first(a, b))


def fresh(a):
    """The graph to match, but on a leaf of its own."""
    u = a * type(a)([0.5]).requires_grad_()
    return u.exp() - u


def endless(a, b):
    while True:
        pass


@pytest.mark.parametrize(
    "build",
    [
        with_u(lambda u: u.exp() - u),
        with_u(lambda u: autogradlab.exp(u) - u),
        with_u(lambda u: torch.exp(u).sub(u)),
        with_u(lambda u: u.exp() - u, lambda a, b: b * a),
        with_u(lambda u: u.exp() - u, lambda p, q: p.mul(q)),
    ],
)
def test_code_for_the_same_graph_is_right(build):
    assert match_graph.check(build).state == "right"
    twins = match_graph.compare(build)
    assert isinstance(twins, TwinGraph) and twins.same
    assert [side.name for side in twins.sides] == ["your code", "the graph to match"]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda a, b: (a * b).exp() - a * b, "a·b is recorded twice."),
        (with_u(lambda u: u.exp() + u), "Operation 3 of the picture, SubBackward0, is not in your"),
        (with_u(lambda u: u - u.exp()), "Operation 3, SubBackward0, has its two inputs the other"),
        (with_u(lambda u: u.exp() - u, lambda a, b: a + b), "Operation 1 of the picture, MulBack"),
        (with_u(lambda u: u.exp() - u, lambda a, b: a * a), "The leaf b is not used in your code."),
        (lambda a, b: fresh(a), "The leaf b is not used in your code."),
        (lambda a, b: (a * b).exp() - a, "Operation 3, SubBackward0, has other inputs"),
        (lambda a, b: a.exp() * b - a, "Operation 1, MulBackward0, has other inputs"),
        (with_u(lambda u: u.exp() - u * 2), "Your code records 4 operations; the picture has 3."),
        (with_u(lambda u: (u.exp() - u).sum()), "sum(…) (SumBackward0) is in your code"),
        (with_u(lambda u: 2.718**u - u), "Operation 2 of the picture, ExpBackward0, is not"),
        (lambda a, b: a.detach() * 2, "Nothing was recorded: the result has no grad_fn."),
        (lambda a, b: a, "Nothing was recorded: the result has no grad_fn."),
        (lambda a, b: (a, b), "The function returns one tensor; this is a tuple."),
        (lambda a, b: None, "The function returned None. End it with return."),
        (lambda a, b: a.nope, "The function raised AttributeError"),
        (lambda a, b: sum([a * b] * 99), "Your code records more than 60 nodes; the picture has 3"),
        (lambda a, b: sys.exit(), "It raised SystemExit"),
        (lambda a: a, "The function raised TypeError"),
        (3, "Hand over the function by its name; this is an int."),
    ],
)
def test_other_code_is_told_what_differs(build, says):
    verdict = match_graph.check(build)
    assert verdict.state == "not yet" and verdict.text.startswith(f"Not yet. {says}"), verdict
    shown = match_graph.compare(build)
    assert not getattr(shown, "same", False) and "u.exp" not in verdict.text
    if isinstance(shown, TwinGraph):
        assert shown.sentence.startswith("Not the same graph.")


def test_the_graph_to_match_does_not_tell_its_code():
    picture = match_graph.compare(lambda a, b: ...)
    assert isinstance(picture, Picture) and picture == match_graph.picture()
    twins = match_graph.compare(lambda a, b: a.sin() + b.cos())
    told = [str(each[1]) for each in twins.view.targets if each[0].startswith("r")]
    for shown in (picture.svg, twins.svg(), *twins.view.panels, *told):
        assert "exp(" not in shown and "a·b" not in shown


def test_untouched_and_endless_answers(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.3)
    for each in EXERCISES:
        assert repr(each.check(...)) == "not tried yet"
        assert not each.solved
    assert repr(match_graph.check(lambda a, b: ...)) == "not tried yet"
    assert "still running" in match_graph.check(endless).text
    assert "still running" in match_graph.compare(endless).text
