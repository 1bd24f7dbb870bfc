"""The exercises of lesson 06: right answers are PyTorch's, in any form; wrong ones are named."""

import math

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exercise, progress
from autogradlab.lessons import jacobians as lesson
from tests.lessons.verdicts import assert_all_tried, assert_named

EXERCISES = [each for each in vars(lesson).values() if isinstance(each, Exercise)]


def pattern():
    """Where PyTorch's Jacobian is not zero, at some points at random."""
    torch.manual_seed(0)
    function = lambda x: torch.stack([x[0] * x[1], x[2].sin(), x[0] ** 2 + 7])  # noqa: E731
    return sum(torch.func.jacrev(function)(torch.randn(3)) != 0 for _ in range(3)).clamp(max=1)


def fewest():
    shapes = [(3, 100), (64, 10), (1, 500)]
    tables = [
        torch.func.jacrev(lambda x, m=m: x.sum() * torch.arange(1.0, m + 1))(torch.ones(n))
        for n, m in shapes
    ]
    a, b, c = (min(table.shape) for table in tables)
    return [a, 1, b, c]  # a loss is one output: its gradient is one row


def dual(function, value, tangent):
    """Value and tangent by PyTorch's own dual numbers."""
    with torch.autograd.forward_ad.dual_level():
        x = torch.autograd.forward_ad.make_dual(torch.tensor(value), torch.tensor(tangent))
        return [float(each) for each in torch.autograd.forward_ad.unpack_dual(function(x))]


def product():
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        a = forward_ad.make_dual(torch.tensor(2.0), torch.tensor(3.0))
        b = forward_ad.make_dual(torch.tensor(4.0), torch.tensor(5.0))
        return [float(each) for each in forward_ad.unpack_dual(a * b)]


def h(x):
    x = torch.as_tensor(x if isinstance(x, torch.Tensor) else [float(each) for each in x])
    return torch.stack([x[0] * x[1], x[1] ** 2 + x[2]])


def table(x):
    return torch.func.jacrev(h)(torch.as_tensor([float(each) for each in x]))


RIGHT = {
    lesson.sparsity: pattern,
    lesson.passes: fewest,
    lesson.product: product,
    lesson.dual_sine: lambda value, tangent: dual(torch.sin, float(value), float(tangent)),
    lesson.column: lambda x: table(x)[:, 1],
}


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_the_right_answer_is_pytorchs(each):
    answer = RIGHT[each] if each.cases[0] else RIGHT[each]()
    assert each.check(answer).state == "right", each.check(answer)
    assert repr(each.check(each.right)) == f"✓ Right. {each.why}" and each.solved


def ours(x):
    def inner(x):
        return autogradlab.stack([x[0] * x[1], x[1] ** 2 + x[2]])

    return autogradlab.func.jvp(inner, (x,), (autogradlab.tensor([0.0, 1.0, 0.0]),))[1]


ACCEPTED = [
    (lesson.sparsity, [[1.0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    (lesson.sparsity, np.array([[1, 1, 0], [0, 0, 1], [1, 0, 0]])),
    (lesson.sparsity, autogradlab.tensor([[1, 1, 0], [0, 0, 1], [1, 0, 0]])),
    (lesson.sparsity, torch.tensor([[1, 1, 0], [0, 0, 1], [1, 0, 0]]) == 1),
    (lesson.passes, (3, 1, 10, 1)),
    (lesson.passes, [min(3, 100), min(11_689_512, 1), min(64, 10), min(1, 500)]),
    (lesson.product, (2 * 4, 3 * 4 + 2 * 5)),
    (lesson.product, torch.tensor([8, 22])),
    (lesson.dual_sine, lambda a, da: (autogradlab.sin(a), da * autogradlab.cos(a))),
    (lesson.dual_sine, lambda a, da: (math.sin(a), da * math.cos(a))),
    (lesson.dual_sine, lambda a, da: [a.sin(), a.cos() * da]),
    (lesson.dual_sine, lambda a, da: (np.sin(a), da * np.sin(np.asarray(a) + np.pi / 2))),
    (lesson.column, ours),
    (lesson.column, lambda z: [z[0], z[1] + z[1]]),
    (lesson.column, lambda x: torch.func.jvp(h, (x,), (torch.tensor([0.0, 1, 0]),))[1]),
    (lesson.column, lambda x: autogradlab.tensor([x[0].item(), 2 * x[1].item()])),
]


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_right_answers_are_accepted_in_any_form(each, answer):
    assert repr(each.check(answer)) == f"✓ Right. {each.why}"


WRONG = [
    (lesson.sparsity, [[1, 0, 1], [1, 0, 0], [0, 1, 0]], "Rows and columns are swapped."),
    (lesson.sparsity, [[0, 0, 1], [1, 1, 0], [0, 1, 1]], "The marks are swapped"),
    (lesson.sparsity, np.eye(3), "the input of their own number"),
    (lesson.sparsity, [[1, 1, 0], [0, 0, 1], [1, 1, 1]], "7 is no input"),
    (lesson.sparsity, [[1, 1, 0], [0, 0, 1], [0, 0, 0]], "Only the 7 stands still."),
    (lesson.sparsity, [[1, 1, 0], [0, 1, 0], [1, 0, 0]], "inside the sine of y₁?"),
    (lesson.sparsity, np.ones((3, 3)), "Of 9 cells 4 are right."),
    (lesson.sparsity, [[2, 1, 0], [0, 0, 1], [1, 0, 0]], "Only the pattern is asked"),
    (lesson.sparsity, [1, 1, 0], "The answer is 3 × 3 numbers; this is 3 numbers."),
    (lesson.passes, [100, 11_689_512, 64, 500], "That is the dearer mode each time."),
    (lesson.passes, [3, 11_689_512, 64, 1], "That is forward mode each time"),
    (lesson.passes, [100, 1, 10, 500], "That is reverse mode each time"),
    (lesson.passes, [300, 11_689_512, 640, 500], "That is how many cells there are."),
    (lesson.passes, [103, 11_689_513, 74, 501], "You added inputs and outputs."),
    (lesson.passes, [3, 1, 64, 1], "Of the 4 numbers 3 are right."),
    (lesson.product, [8, 15], "The tangents are multiplied."),
    (lesson.product, [8, 8], "The tangents are added"),
    (lesson.product, [8, 12], "[8, 12] has a′·b, and not a·b′."),
    (lesson.product, [8, 10], "[8, 10] has a·b′, and not a′·b."),
    (lesson.product, [8, 23], "Multiply crosswise."),
    (lesson.product, [8, 37], "The ε² term was added too."),
    (lesson.product, [8, 22, 15], "The last number stands beside ε²"),
    (lesson.product, [22, 8], "The two are swapped."),
    (lesson.product, [6, 8], "is the sum of the two dual numbers."),
    (lesson.dual_sine, lambda a, d: (np.sin(a), np.sin(d)), "went through the sine as well"),
    (lesson.dual_sine, lambda a, d: (np.sin(a), np.cos(a)), "multiply it by the tangent 2."),
    (lesson.dual_sine, lambda a, d: (np.sin(a), np.cos(d)), "and multiply."),
    (lesson.dual_sine, lambda a, d: (np.sin(a), np.cos(d) * d), "Take it at the value 0.5."),
    (lesson.dual_sine, lambda a, d: (np.sin(a), np.sin(a) * d), "that one is another function."),
    (lesson.dual_sine, lambda a, d: (np.sin(a), -np.cos(a) * d), "The sign of the tangent"),
    (lesson.dual_sine, lambda a, d: (np.sin(a), np.cos(d) * a), "have changed places."),
    (lesson.dual_sine, lambda a, d: (a, np.cos(a) * d), "0.5 is what went in"),
    (lesson.dual_sine, lambda a, d: (np.sin(a), d), "The tangent is unchanged."),
    (lesson.dual_sine, lambda a, d: (np.cos(a) * d, np.sin(a)), "The two are swapped."),
    (lesson.dual_sine, lambda a, d: np.cos(a) * d, "Return two numbers: value, tangent."),
    (lesson.column, lambda x: (h(x), table(x)[:, 1]), "Return the second."),
    (lesson.column, h, "is what h gives at x."),
    (lesson.column, lambda x: table(x)[:, 0], "is the column of x₀"),
    (lesson.column, lambda x: table(x)[:, 2], "is the column of x₂"),
    (lesson.column, lambda x: table(x)[1], "is a row: what y₁ feels"),
    (lesson.column, lambda x: table(x)[0], "is a row: what y₀ feels"),
    (lesson.column, lambda x: table(x).sum(1), "is all three columns, added up."),
    (lesson.column, table, "That is the whole table."),
]


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    assert_named(each, each.check(answer), diagnosis)


def test_every_named_mistake_is_tried():
    assert_all_tried(EXERCISES, WRONG)


SECRETS = {
    lesson.sparsity: ["[1, 1, 0]], ", "[0, 0, 1], [1, 0, 0]"],
    lesson.passes: ["[3, 1, 10, 1]"],
    lesson.product: ["22"],
    lesson.dual_sine: ["cos", "derivative is the"],
    lesson.column: ["0.0, 1.0", "[0, 1, 0]", "2 * x"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    text = each.check(answer).text.replace(exercise.show(np.asarray([8, 22, 15])), "")
    assert not [secret for secret in SECRETS[each] if secret in text], text
    right = exercise.show(exercise._value(each.right, each.cases[0]))
    assert right not in text


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_stubs_and_nonsense(each, monkeypatch):
    assert repr(each.check(...)) == repr(each.check([..., ..., ...])) == "not tried yet"
    for nonsense in ("text", {}, object(), [[], [1]], math.nan, np.ones(7), lambda: 1 / 0):
        assert each.check(nonsense).state == "not yet"
    if each.cases[0]:
        assert repr(each.check(lambda *inputs: (..., ...))) == "not tried yet"
        monkeypatch.setattr(exercise, "SECONDS", 0.2)

        def loops(*inputs):
            while True:
                pass

        assert "was stopped" in each.check(loops).text


def test_progress_counts_them():
    assert repr(progress(lesson)) == "0 of 5 exercises right · open: 1, 2, 3, 4, 5"
    lesson.product.check([8, 22])
    assert repr(progress(lesson)) == "1 of 5 exercises right · open: 1, 2, 4, 5"
