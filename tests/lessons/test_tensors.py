"""Lesson 08: its exercises take any right answer and name the wrong ones; its table is true.
What all exercises share is tested in test_exercises.py."""

import re
import time

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exercise, op_table, op_tests, progress, tensors
from autogradlab.lessons.op_table import OPERATIONS, Line, within, worst
from autogradlab.primitive import Primitive

EXERCISES = [each for each in vars(tensors).values() if isinstance(each, Exercise)]
FUNCTIONS = [each for each in EXERCISES if each is not tensors.bell]


def bell_of(formula, forward=lambda x: 1 / (1 + x * x)):
    return Primitive("BellBackward0", forward, x=formula)


def leaf(values):
    return torch.as_tensor(values).clone().requires_grad_()


def unbroadcast_by_torch(g, x):
    x = leaf(x)
    return torch.autograd.grad(x.expand(torch.as_tensor(g).shape), x, torch.as_tensor(g))[0]


def product_by_torch(place):
    def rule(g, A, B):
        A, B = leaf(A), leaf(B)
        return torch.autograd.grad(A @ B, (A, B), torch.as_tensor(g))[place]

    return rule


def entropy_by_torch(z, y):
    z = leaf(z)
    return torch.autograd.grad(torch.nn.functional.cross_entropy(z, torch.as_tensor(y)), z)[0]


FROM_TORCH = {
    tensors.unbroadcast: unbroadcast_by_torch,
    tensors.left: product_by_torch(0),
    tensors.right: product_by_torch(1),
    tensors.one_example: entropy_by_torch,
    tensors.batch: entropy_by_torch,
}


@pytest.mark.parametrize("each", FUNCTIONS, ids=lambda each: each.title)
def test_the_right_answer_is_pytorchs(each):
    for case in each.cases:
        theirs = FROM_TORCH[each](*map(torch.tensor, case.values()))
        np.testing.assert_allclose(each.right(**case), theirs, rtol=1e-5)
    assert each.check(FROM_TORCH[each]).state == "right"


def test_the_right_operation_is_pytorchs():
    x = torch.tensor([-1.5, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    g = torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    (first,) = torch.autograd.grad(1 / (1 + x**2), x, g, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    numbers = tensors.bell.right, x.tolist(), g.tolist()
    np.testing.assert_allclose(tensors._first_order(*numbers)[1], first.detach())
    np.testing.assert_allclose(tensors._second_order(*numbers), second)


def by_loops(g, x):
    while g.ndim > x.ndim:
        g = g.sum(0)
    for i in range(x.ndim):
        if x.shape[i] == 1:
            g = g.sum(i, keepdim=True)
    return g


def by_numpy(g, x):
    g, x = np.asarray(g), np.asarray(x)
    return tensors.summed(g, x.shape)


def by_reshaping(g, x):
    shape = (1,) * (g.ndim - x.ndim) + tuple(x.shape)
    axes = [i for i in range(g.ndim) if shape[i] == 1]
    return g.sum(axes).reshape(x.shape) if axes else g


def softmax(z):
    return torch.exp(z) / torch.exp(z).sum()


ACCEPTED = [
    (tensors.unbroadcast, by_loops),
    (tensors.unbroadcast, by_numpy),
    (tensors.unbroadcast, by_reshaping),
    (tensors.unbroadcast, lambda up, to: up.sum_to_size(to.shape)),
    (tensors.left, lambda g, A, B: g @ B.T),
    (tensors.left, lambda up, left, right: (right @ up.T).T),
    (tensors.left, lambda g, A, B: g.mm(B.t())),
    (tensors.left, lambda g, A, B: np.asarray(g) @ np.asarray(B).T),
    (tensors.right, lambda g, A, B: A.T @ g),
    (tensors.right, lambda g, A, B: torch.einsum("ij,ik->jk", A, g)),
    (tensors.one_example, lambda z, y: z.softmax(0) - y),
    (tensors.one_example, lambda z, y: softmax(z) - y),
    (tensors.one_example, lambda z, y: np.exp(z) / np.exp(z).sum() - y),
    (tensors.one_example, lambda z, y: (z.softmax(-1) - y).tolist()),
    (tensors.batch, lambda z, y: (z.softmax(1) - y) / z.shape[0]),
    (tensors.batch, lambda z, y: (z.log_softmax(-1).exp() - y) / len(y)),
    (tensors.bell, bell_of(lambda g, x, result: -2 * g * x * result**2)),
    (tensors.bell, bell_of(lambda g, x: -g * 2 * x / (1 + x**2) ** 2)),
    (
        tensors.bell,
        Primitive("M", lambda t: (1 + t**2) ** -1, t=lambda up, t: -up * 2 * t / (1 + t * t) ** 2),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_right_answers_are_accepted_in_any_form(each, answer):
    verdict = each.check(answer)
    assert repr(verdict) == f"✓ Right. {each.why}"


def forgets_to_keep(g, x):
    while g.ndim > x.ndim:
        g = g.sum(0)
    for i in reversed(range(x.ndim)):
        if x.shape[i] == 1:
            g = g.sum(i)
    return g


def forgets_size_one(g, x):
    while g.ndim > x.ndim:
        g = g.sum(0)
    return g


WRONG = [
    (tensors.unbroadcast, lambda g, x: g, "Nothing is summed."),
    (tensors.unbroadcast, lambda g, x: g.sum(), "Everything is summed. 22 is one number"),
    (tensors.unbroadcast, lambda g, x: g.mean(0), "That is the mean."),
    (tensors.unbroadcast, lambda g, x: g[0], "Only the first copy is kept."),
    (tensors.unbroadcast, lambda g, x: g.sum(-1), "The axis is wrong. [6, 16] is"),
    (tensors.unbroadcast, lambda g, x: g.sum(0), "An axis is wrong. [5, 7, 10] is the sum over"),
    (tensors.unbroadcast, forgets_to_keep, "The answer has shape (2), x has (2, 1)"),
    (tensors.unbroadcast, lambda g, x: g.sum(0, keepdim=True), "x has (3); take the axis away."),
    (tensors.unbroadcast, forgets_size_one, "x = [[10], [20]]: Nothing is summed."),
    (tensors.unbroadcast, lambda g, x: x, "[10, 20, 30] is not it. Open hint 1."),
    (tensors.left, lambda g, A, B: g @ B, "B is not turned over."),
    (tensors.left, lambda g, A, B: B.T @ g, "The order is wrong."),
    (tensors.left, lambda g, A, B: B @ g, "The order is wrong."),
    (tensors.left, lambda g, A, B: A.T @ g, "That is the gradient of B."),
    (tensors.left, lambda g, A, B: (g @ B.T).T, "[[2, 0], [9, 4]] has the shape of A turned over."),
    (tensors.left, lambda g, A, B: g * B, "That multiplies element by element."),
    (tensors.left, lambda g, A, B: torch.ones(2, 2) @ B.T, "The incoming gradient is missing."),
    (tensors.right, lambda g, A, B: A @ g, "A is not turned over."),
    (tensors.right, lambda g, A, B: g @ A.T, "The order is wrong."),
    (tensors.right, lambda g, A, B: g @ A, "The order is wrong."),
    (tensors.right, lambda g, A, B: g @ B.T, "That is the gradient of A."),
    (tensors.right, lambda g, A, B: g.T @ A, "[[1, 2], [5, 9]] has the shape of B turned over."),
    (tensors.right, lambda g, A, B: A.T @ torch.ones(2, 2), "The incoming gradient is missing."),
    (tensors.one_example, lambda z, y: z.softmax(0), "The label is missing."),
    (tensors.one_example, lambda z, y: y - z.softmax(0), "The sign is turned round."),
    (tensors.one_example, lambda z, y: -y / z.softmax(0), "You stopped halfway."),
    (tensors.one_example, lambda z, y: z.softmax(0) * (1 - z.softmax(0)), "That is only how"),
    (tensors.one_example, lambda z, y: z.exp() - y, "The exponentials do not add up to 1."),
    (tensors.one_example, lambda z, y: z.softmax(0) - 1, "1 is taken from every probability."),
    (tensors.one_example, lambda z, y: z.sigmoid() - y, "Each score went through a sigmoid"),
    (tensors.one_example, lambda z, y: z - y, "Those are scores."),
    (tensors.batch, lambda z, y: z.softmax(1) - y, "The mean is missing."),
    (tensors.batch, lambda z, y: (z.softmax(1) - y) / z.numel(), "Divided by too much."),
    (tensors.batch, lambda z, y: (z.softmax(1) - y) / z.shape[1], "the number of classes"),
    (tensors.batch, lambda z, y: (z.softmax(0) - y) / len(z), "along the wrong axis."),
    (tensors.batch, lambda z, y: (z.softmax(1) - y).mean(0), "The examples are averaged."),
    (tensors.batch, lambda z, y: (y - z.softmax(1)) / len(z), "The sign is turned round."),
    (tensors.bell, lambda x: 1 / (1 + x**2), "Hand over a Primitive; this is a function."),
    (tensors.bell, 3, "Hand over a Primitive; this is an int."),
    (tensors.bell, bell_of(lambda g, x: g, np.square), "the value is not right"),
    (tensors.bell, bell_of(lambda g, x: -2 * x / (1 + x * x) ** 2), "The incoming gradient is"),
    (tensors.bell, bell_of(lambda g, x, result: 2 * g * x * result**2), "A sign is lost."),
    (tensors.bell, bell_of(lambda g, result: -g * result**2), "The inner derivative is missing."),
    (tensors.bell, bell_of(lambda g, x, result: -2 * g * x * result), "A factor is missing."),
    (tensors.bell, bell_of(lambda g, result: g * result), "That is the value times g."),
    (tensors.bell, bell_of(lambda g, x: g * x), "the value is right, the gradient [−4.5,"),
    (tensors.bell, bell_of(lambda g, x: 1 / 0), "When it ran, it raised ZeroDivisionError"),
    (tensors.bell, bell_of(lambda g, x: None), "it returned None."),
    (tensors.bell, bell_of(lambda g, x, result: -g * x * result**2), "The 2 is missing"),
    (tensors.bell, bell_of(lambda g, result: -2 * g * result**2), "The x is missing."),
    (tensors.bell, bell_of(lambda x, g: -2 * g * x), "asks for 'g', and nothing is called so."),
    (
        tensors.bell,
        bell_of(lambda g, x: -2 * g * x / np.square(1 + x**2)),
        "Write the formula with operators only",
    ),
    (
        tensors.bell,
        bell_of(lambda g, x: -2 * g * x.detach() / (1 + x.detach() ** 2) ** 2
                if hasattr(x, "detach") else -2 * g * x / (1 + x * x) ** 2),
        "the gradient of the gradient is not",
    ),
    (
        tensors.bell,
        Primitive("Two", lambda x, y: x, x=lambda g: g, y=lambda g: g),
        "One input needs one formula",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_diagnosed(each, answer, diagnosis):
    verdict = each.check(answer)
    assert verdict.state == "not yet" and not each.solved
    assert diagnosis in verdict.text, verdict
    assert verdict.text.startswith("Not yet. ") and "\n" not in verdict.text


def test_three_wrong_answers_and_every_named_mistake_are_tried():
    for each in EXERCISES:
        said = [each.check(answer).text for one, answer, _ in WRONG if one is each]
        assert len(said) >= 3
        for mistake in each.mistakes:
            pattern = re.sub(r"\\\{\w+\\\}", ".*", re.escape(mistake.says))
            assert any(re.search(pattern, text) for text in said), mistake.says


SECRETS = {
    tensors.unbroadcast: ["keepdim", "while"],
    tensors.left: ["g @ B.T", "g @ Bᵀ", "G @ Bᵀ"],
    tensors.right: ["A.T @ g", "Aᵀ @ g", "Aᵀ @ G"],
    tensors.one_example: ["p − y", "- y"],
    tensors.batch: ["p − y", "- y", "/ len"],
    tensors.bell: ["-2 * g", "−2 · g", "2x"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    text = each.check(answer).text
    assert not [secret for secret in SECRETS[each] if secret in text]
    for case in each.cases:
        listing = exercise._listing(case)
        if case and listing in text:  # the case that is answered wrongly
            right = exercise.show(exercise._value(each.right, case))
            assert right not in text.replace(listing, "")


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_an_untouched_stub_is_not_tried_yet(each):
    assert repr(each.check(...)) == repr(each.check(None)) == "not tried yet"
    if each is not tensors.bell:
        assert repr(each.check(lambda *inputs: ...)) == "not tried yet"


def raises(*inputs):
    raise SystemExit(3)


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
@pytest.mark.parametrize(
    "answer", ["text", object(), object, [1, [2]], float("nan"), raises, lambda: 1, lambda *x: "a"]
)
def test_nothing_makes_a_checker_raise(each, answer):
    assert each.check(answer).state == "not yet"


def test_a_formula_that_loops_for_ever_is_stopped(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.2)
    stop = []

    def loops(g, x):
        while not stop:
            time.sleep(0.01)

    assert "still running after 0.2 s" in tensors.bell.check(bell_of(loops)).text
    stop.append(True)


def test_progress_counts_the_lesson():
    tensors.left.check(lambda g, A, B: g @ B.T)
    assert repr(progress(tensors)) == "1 of 6 exercises right · open: 1, 2b, 3a, 3b, 4"


# ------------------------------------------------------------------------------------- the table


def test_thirty_operations_agree_with_pytorch():
    table = op_table()
    assert len(table.lines) == len(OPERATIONS) == 30
    assert [line.name for line in table.lines if not line.right] == []
    text = repr(table).splitlines()
    assert text[-1] == "30 of 30 operations agree with PyTorch to ≤ 1e-12"
    assert text[0].split() == ["operation", "value", "gradient", "second", "order", "gradcheck"]
    assert len(text) == 32 and all(len(each) < 90 for each in text)


def test_the_errors_are_those_of_the_derivatives():
    """Wrong in one place each: the table shows it there, from there on, and only there."""
    reference = lambda x: x**3  # noqa: E731
    shift = Primitive("C", lambda x: x**3 + 1, x=lambda g, x: g * 3 * x**2)
    slope = Primitive("C", lambda x: x**3, x=lambda g, x: g * 3 * x)
    cases = {"shift": shift, "slope": slope, "raises": bell_of(lambda g, x: 1 / 0)}
    lines = op_tests(**{name: (made, reference) for name, made in cases.items()}).lines
    fine = [[error < 1e-12 for error in line.errors] for line in lines]
    assert fine[0] == [False, True, True] and lines[0].passed
    assert fine[1] == [True, False, False] and not lines[1].passed
    assert not fine[2] and "ZeroDivisionError" in str(lines[2]) and not lines[2].right


def test_words_for_errors():
    assert [within(x) for x in (0.0, 1e-9, 1e-4, 0.5)] == ["≤ 1e-12", "≤ 1e-6", "≤ 1e-3", "0.5"]
    assert worst([np.ones(2)], [np.ones(3)]) == np.inf
    assert worst([np.array([4.0, 2.0])], [np.array([4.0, 1.0])]) == 0.25
    assert str(Line("f", (0.25, 0.0, 0.0), False)).split()[-1] == "fails"


def test_the_engine_adds_the_un_broadcasting_to_a_primitive():
    """As the lesson says: a formula need not know it."""
    scale = Primitive("S", np.multiply, a=lambda g, b: g * b, b=lambda g, a: g * a)
    a, b = (autogradlab.ones(*shape, requires_grad=True) for shape in ((2, 3), (3,)))
    scale(a, b).backward(autogradlab.ones(2, 3))
    assert b.grad.tolist() == [2.0, 2.0, 2.0]
