"""The exercises of lesson 12: right answers are PyTorch's, in any form; wrong ones are named."""

import math

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exercise, progress
from autogradlab.lessons import higher_order as lesson
from tests.lessons.verdicts import assert_all_tried, assert_named

EXERCISES = [each for each in vars(lesson).values() if isinstance(each, Exercise)]
ENGINES = (autogradlab, torch)


@pytest.fixture(autouse=True, scope="module")
def warm():
    torch.func.hessian(fourths)(torch.ones(3))  # the first call imports for seconds


def real(x):
    """What the checker hands over, of either engine or none, as a tensor of PyTorch."""
    array = x.detach().numpy() if hasattr(x, "detach") else np.asarray(x)
    return torch.tensor(array.tolist())


def f(x):
    return x[0] ** 4 + x[0] * x[1] + (x[1] - 1) ** 2


def fourths(x):
    return (x**4).sum() + x[0] * x[1] * x[2]


def loss_of_one(w, x, t):
    return (w @ x - t) ** 2


def slope(x):
    return torch.func.grad(f)(real(x))


def table(x):
    return torch.func.hessian(f)(real(x))


def step(x):
    return torch.linalg.solve(table(x), slope(x))


def first(x):
    return torch.func.grad(fourths)(real(x))


def product(x, v):
    return torch.func.jvp(torch.func.grad(fourths), (real(x),), (real(v),))[1]


def penalty(kind, for_x=False):
    """The gradient of `kind(∂score/∂x)`, by PyTorch's double backward."""

    def of(w, x):
        w, x = real(w).requires_grad_(), real(x).requires_grad_()
        score = (w * x**2).sum()
        (g,) = torch.autograd.grad(score, x, create_graph=True)
        return torch.autograd.grad(kind(g), x if for_x else w)[0]

    return of


def each_gradient(w, X, T):
    both = torch.func.vmap(torch.func.grad(loss_of_one), in_dims=(None, 0, 0))
    return both(real(w), real(X), real(T))


def by_two_passes():
    x = torch.tensor(3.0, requires_grad=True)
    (x**2).backward(create_graph=True)
    x.grad.backward()
    return x.grad


RIGHT = {
    lesson.two_passes: by_two_passes,
    lesson.newton: lambda x: real(x) - step(x),
    lesson.times_hessian: lambda x, v: torch.autograd.functional.hvp(fourths, real(x), real(v))[1],
    lesson.penalty_gradient: penalty(lambda g: (g.norm() - 1) ** 2),
    lesson.gradient_norms: lambda w, X, T: each_gradient(w, X, T).norm(dim=1),
}


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_the_right_answer_is_pytorchs(each):
    answer = RIGHT[each] if each.cases[0] else RIGHT[each]()
    assert each.check(answer).state == "right", each.check(answer)
    assert repr(each.check(each.right)) == f"✓ Right. {each.why}" and each.solved


def newton_of(engine):
    return lambda x: x - engine.linalg.inv(engine.func.hessian(f)(x)) @ engine.func.grad(f)(x)


def reverse_over_reverse(engine):
    def product(x, v):
        x = x.clone().requires_grad_()
        (g,) = engine.autograd.grad(fourths(x), x, create_graph=True)
        return engine.autograd.grad(g, x, grad_outputs=v)[0]

    return product


def one_by_one(engine):
    def norms(w, X, T):
        w = w.clone().requires_grad_()
        found = []
        for x, t in zip(X, T, strict=True):
            w.grad = None
            loss_of_one(w, x, t).backward()
            found.append(w.grad.norm())
        return found

    return norms


def double_backward(engine):
    def penalty(w, x):
        w, x = w.requires_grad_(), x.requires_grad_()
        (g,) = engine.autograd.grad((w * x * x).sum(), [x], create_graph=True)
        ((g.pow(2).sum().sqrt() - 1) ** 2).backward(inputs=[w])
        return w.grad

    return penalty


def by_hand(w, x):
    g = 2 * w * x
    n = (g * g).sum() ** 0.5
    return 8 * (n - 1) / n * w * x * x


ACCEPTED = [
    (lesson.two_passes, 2 * 3 + 2),
    (lesson.two_passes, autogradlab.tensor([8])),
    *((lesson.newton, newton_of(engine)) for engine in ENGINES),
    (lesson.newton, lambda p: [p[0] - step(p)[0].item(), p[1] - step(p)[1].item()]),
    *((lesson.times_hessian, reverse_over_reverse(engine)) for engine in ENGINES),
    (lesson.times_hessian, lambda x, v: torch.func.hessian(fourths)(real(x)) @ real(v)),
    *((lesson.penalty_gradient, double_backward(engine)) for engine in ENGINES),
    (lesson.penalty_gradient, by_hand),
    *((lesson.gradient_norms, one_by_one(engine)) for engine in ENGINES),
    (lesson.gradient_norms, lambda w, X, T: 2 * abs(X @ w - T) * (X * X).sum(1) ** 0.5),
]


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_right_answers_are_accepted_in_any_form(each, answer):
    assert repr(each.check(answer)) == f"✓ Right. {each.why}"


def both_penalties(w, x):
    def kind(g):
        return (g.norm() - 1) ** 2

    return [penalty(kind)(w, x), penalty(kind, for_x=True)(w, x)]


WRONG = [
    (lesson.two_passes, 2, "2 is the second derivative"),
    (lesson.two_passes, 6, "6 is what the first pass brought."),
    (lesson.two_passes, 12, "12 is the slope counted twice."),
    (lesson.two_passes, 9, "9 is y."),
    (lesson.two_passes, 5, "5 is one short"),
    (lesson.two_passes, 7, "7 is not it. Open hint 1."),
    (lesson.newton, lambda x: real(x) - slope(x), "a step against the gradient, with rate 1"),
    (lesson.newton, lambda x: real(x) + step(x), "went the other way"),
    (lesson.newton, step, "is what H makes into g."),
    (lesson.newton, lambda x: -step(x), "is the step."),
    (lesson.newton, lambda x: real(x) - table(x) @ slope(x), "has g multiplied by H."),
    (lesson.newton, lambda x: real(x) - slope(x) / table(x).diag(), "only the diagonal of H"),
    (lesson.newton, lambda x: real(x) - f(real(x)) / slope(x), "f was divided by its slope"),
    (lesson.newton, lambda x: real(x) - step(x) / 2, "is half-way."),
    (lesson.newton, slope, "is the gradient at x."),
    (lesson.newton, table, "That is H, the whole table."),
    (lesson.newton, lambda x: real(x) - slope(x) / table(x), "divided by each row of H"),
    (lesson.times_hessian, lambda x, v: (first(x), product(x, v)), "Return the second."),
    (lesson.times_hessian, lambda x, v: first(x), "is the gradient. jvp returns two things"),
    (lesson.times_hessian, lambda x, v: first(x) @ real(v), "the slope along v"),
    (lesson.times_hessian, lambda x, v: real(v) @ product(x, v), "the curvature along v"),
    (lesson.times_hessian, lambda x, v: first(x) * real(v), "not differentiated again"),
    (lesson.times_hessian, lambda x, v: product(x, torch.ones(3)), "H times [1, 1, 1]"),
    (lesson.times_hessian, lambda x, v: product(v, x), "x and v are swapped"),
    (lesson.times_hessian, lambda x, v: torch.func.hessian(fourths)(real(x)) * real(v), "added up"),
    (lesson.times_hessian, lambda x, v: 12 * real(x) ** 2 * real(v), "only the diagonal of H"),
    (lesson.times_hessian, lambda x, v: torch.func.hessian(fourths)(real(x)), "the whole table"),
    (lesson.penalty_gradient, lambda w, x: real(x) ** 2, "the gradient of the score for w"),
    (lesson.penalty_gradient, lambda w, x: by_hand(w, x) + x * x, "is in it too"),
    (lesson.penalty_gradient, penalty(lambda g: (g.norm() - 1) ** 2, True), "the penalty for x"),
    (lesson.penalty_gradient, penalty(lambda g: (g**2).sum()), "without the 1."),
    (lesson.penalty_gradient, penalty(lambda g: g.norm() - 1), "without the square."),
    (lesson.penalty_gradient, penalty(lambda g: ((g**2).sum() - 1) ** 2), "root of the norm"),
    (lesson.penalty_gradient, both_penalties, "Only the weights w are trained."),
    (lesson.penalty_gradient, penalty(lambda g: (g.norm() - 1) ** 2 / 2), "is half of it."),
    (lesson.penalty_gradient, penalty(lambda g: ((g - 1) ** 2).sum()), "number by number"),
    (lesson.penalty_gradient, lambda w, x: 2 * w * x, "is ∂score/∂x"),
    (lesson.penalty_gradient, lambda w, x: ((2 * w * x).norm() - 1) ** 2, "is the penalty."),
    (lesson.penalty_gradient, lambda w, x: 0 * w, "Nothing reached w"),
    (lesson.gradient_norms, each_gradient, "Return the norm of each row."),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).norm(dim=0), "norm of each column"),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).norm(), "one norm over all"),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).norm(dim=1).argmax(), "the place of"),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).norm(dim=1).max(), "largest alone"),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).norm(dim=1).sort()[0], "are sorted"),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).abs().sum(1), "the sums of the sizes"),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).sum(0).norm(), "of the whole batch"),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).mean(0).norm(), "of the mean gradient"),
    (lesson.gradient_norms, lambda *a: (each_gradient(*a) ** 2).sum(1), "The root is missing."),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).norm(dim=1) / 2, "are half of them"),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).norm(dim=1) / len(a[1]), "of the losses"),
    (lesson.gradient_norms, lambda w, X, T: (X @ w - T) ** 2, "are the losses."),
    (lesson.gradient_norms, lambda *a: each_gradient(*a).sum(1), "are the sums of each"),
]


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    assert_named(each, each.check(answer), diagnosis)


def test_every_named_mistake_is_tried():
    assert_all_tried(EXERCISES, WRONG)


SECRETS = {
    lesson.two_passes: ["8", "6 + 2", "2 · 3"],
    lesson.newton: ["x − ", "solve(H", "x - "],
    lesson.times_hessian: ["jvp(", "grad(g"],
    lesson.penalty_gradient: ["create_graph", "grad("],
    lesson.gradient_norms: ["vmap(", "norm(dim"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    text = each.check(answer).text
    words = text.rpartition(": ")[2] if each.cases[0] else text
    assert not [secret for secret in SECRETS[each] if secret in words], text
    for case in each.cases:
        assert exercise.show(exercise._value(each.right, case)) not in words


def test_a_pass_that_was_not_recorded_is_told_in_torchs_words():
    def forgets(w, x):
        w, x = w.requires_grad_(), x.requires_grad_()
        (g,) = autogradlab.autograd.grad((w * x**2).sum(), x)
        return autogradlab.autograd.grad((g.norm() - 1) ** 2, w)[0]

    text = lesson.penalty_gradient.check(forgets).text
    assert "does not require grad and does not have a grad_fn" in text


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_stubs_and_nonsense(each, monkeypatch):
    assert repr(each.check(...)) == repr(each.check([..., ...])) == "not tried yet"
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
    lesson.two_passes.check(8)
    assert repr(progress(lesson)) == "1 of 5 exercises right · open: 2, 3, 4, 5"
