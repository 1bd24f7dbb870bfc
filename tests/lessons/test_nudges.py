"""The exercises of lesson 02: right answers are PyTorch's, wrong ones are told what they left out,
and the picture adds up."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exercise, gradient_times_nudge, nudges

EXERCISES = [each for each in vars(nudges).values() if isinstance(each, Exercise)]


def cube(x):
    return x**3


def torch_partials(a, b, c):
    leaves = [torch.tensor(float(x), requires_grad=True) for x in (a, b, c)]
    return torch.autograd.grad(leaves[0] * leaves[1] + leaves[2], leaves)


def relu_at_zero():
    x = torch.tensor(0.0, requires_grad=True)
    (g,) = torch.autograd.grad(torch.relu(x), x)
    left = (torch.relu(x) - torch.relu(x - 0.1)) / 0.1
    right = (torch.relu(x + 0.1) - torch.relu(x)) / 0.1
    return [left, right, g]


def best_in_torch():
    x = torch.tensor(1.0, dtype=torch.float64)
    f = lambda x: torch.sin(x) * torch.exp(x)  # noqa: E731
    (g,) = torch.autograd.grad(f(leaf := x.clone().requires_grad_()), leaf)
    errors = {
        10.0**-p: abs(((f(x + 10.0**-p) - f(x - 10.0**-p)) / (2 * 10.0**-p) - g).item())
        for p in range(1, 13)
    }
    return min(errors, key=errors.get)


ACCEPTED = {
    nudges.central: [
        lambda x, h: (cube(x + h) - cube(x - h)) / 2 / h,
        lambda x, h: 3 * x**2 + h**2,  # the same, worked out
        lambda x, h: (np.power(x + h, 3) - np.power(x - h, 3)) / (h + h),
        lambda up, down: ((up + down) ** 3 - (up - down) ** 3) * 0.5 / down,
    ],
    nudges.best_h: [1e-5, 1e-6, 1e-4, 5e-6, 2e-5, [1e-5], torch.tensor(1e-5), best_in_torch()],
    nudges.kink: [
        [0, 1, 0], relu_at_zero(), np.array([0.0, 1, 0]), autogradlab.tensor([0.0, 1, 0]),
    ],
    nudges.partials: [
        torch_partials,
        lambda a, b, c: (b, a, 1.0),
        lambda a, b, c: [b, a, c / c],
        lambda p, q, r: ((p + 1) * q - p * q, p * (q + 1) - p * q, 1),
    ],
    nudges.change: [
        0.5,
        torch.dot(torch.stack(torch_partials(2, 4, -5)), torch.tensor([0.1, -0.1, 0.3])),
        np.dot([4, 2, 1], [0.1, -0.1, 0.3]),
        autogradlab.tensor([0.5]),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("each", "answer"),
    [(each, answer) for each, answers in ACCEPTED.items() for answer in answers],
)
def test_right_answers_are_accepted_in_any_form(each, answer):
    assert repr(each.check(answer)) == f"✓ Right. {each.why}"


WRONG = [
    (nudges.central, lambda x, h: (cube(x + h) - cube(x)) / h, "That is the forward difference."),
    (nudges.central, lambda x, h: (cube(x) - cube(x - h)) / h, "That is the backward difference."),
    (nudges.central, lambda x, h: (cube(x + h) - cube(x - h)) / h, "The width is too small."),
    (nudges.central, lambda x, h: cube(x + h) - cube(x - h), "The division is missing."),
    (nudges.central, lambda x, h: (cube(x + h) - cube(x - h)) / 2 * h, "then multiplies by h"),
    (nudges.central, lambda x, h: cube(x + h) - cube(x - h) / (2 * h), "Only the second cube"),
    (nudges.central, lambda x, h: (cube(x + h / 2) - cube(x - h / 2)) / h, "half a nudge"),
    (nudges.central, lambda x, h: 3 * x**2, "That is the derivative."),
    (nudges.central, lambda x, h: (cube(x - h) - cube(x + h)) / (2 * h), "The sign is turned"),
    (nudges.best_h, 1e-8, "That is about the best h of forward differences."),
    (nudges.best_h, 1e-16, "Smaller is not better."),
    (nudges.best_h, 0, "the quotient is 0 / 0"),
    (nudges.best_h, 0.01, "It is about the best h in float32."),
    (nudges.best_h, -5, "−5 may be the power of ten"),
    (nudges.best_h, 0.5, "0.5 is too large"),
    (nudges.best_h, 1e-11, "1e−11 is too small"),
    (nudges.best_h, 3e-7, "3e−7 is a little too small"),
    (nudges.best_h, -1e-5, "is no size of a nudge"),
    (nudges.kink, [1, 0, 0], "The sides are exchanged."),
    (nudges.kink, [0, 1, 0.5], "The last number is the central difference."),
    (nudges.kink, [0, 1, 1], "The last number is the slope on the right."),
    (nudges.kink, [-1, 1, 0], "Those are the slopes of |x|."),
    (nudges.kink, [0, 0.1, 0], "The division by h is missing."),
    (nudges.kink, [0, 0, 0], "A nudge to the right does move relu."),
    (nudges.kink, [0, 1], "The answer is 3 numbers; this is 2 numbers."),
    (nudges.partials, lambda a, b, c: (a, b, 1), "The first two are exchanged."),
    (nudges.partials, lambda a, b, c: (b, a, 0), "The last number is 0"),
    (nudges.partials, lambda a, b, c: (b, a, c), "The last number is c itself."),
    (nudges.partials, lambda a, b, c: (a * b, a * b, c), "Those are the parts of the result."),
    (nudges.partials, lambda a, b, c: (1, 1, 1), "That is the rule for a + b + c."),
    (nudges.partials, lambda a, b, c: a + b + 1, "The three are added up."),
    (nudges.change, 0.49, "That is the change itself."),
    (nudges.change, [0.4, -0.2, 0.3], "The sum is missing."),
    (nudges.change, 0.9, "A sign is lost."),
    (nudges.change, 0.3, "The gradient is missing."),
    (nudges.change, 2.1, "Multiply pair by pair"),
    (nudges.change, 0.1, "Two factors are exchanged."),
    (nudges.change, 3.5, "That is the new value."),
]


def test_every_exercise_is_tested():
    asked = [each for each, _, _ in WRONG]
    assert set(EXERCISES) == set(ACCEPTED) == set(asked)
    assert all(asked.count(each) >= 3 for each in EXERCISES)


@pytest.mark.parametrize(("each", "answer", "said"), WRONG)
def test_a_wrong_answer_is_told_what_it_left_out(each, answer, said):
    verdict = each.check(answer)
    assert verdict.state == "not yet" and said in verdict.text, verdict


SECRETS = {
    nudges.central: ["2 * h", "2 · h", "/ (2"],
    nudges.best_h: ["1e−5", "1e-5", "1e−6", "1e−4"],
    nudges.kink: ["[0, 1, 0]"],
    nudges.partials: ["b, a", "b and a"],
    nudges.change: ["0.5", "4 · 0.1"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    mine = exercise.show(exercise._read(answer)) if not callable(answer) else "…"
    text = each.check(answer).text.replace(mine, "")
    text = re.sub(r"^Not yet\. For [^:]*: ", "", text)
    assert [s for s in SECRETS[each] if re.search(rf"(?<![\d.−]){re.escape(s)}(?!\d)", text)] == []


def test_the_numbers_in_the_words_are_so():
    a, b, c = 2.1, 3.9, -4.7
    assert a * b + c - 3 == pytest.approx(0.49)
    assert sum((4, 2, 1)) * (0.1 - 0.1 + 0.3) == pytest.approx(2.1)


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_an_untouched_stub_and_nonsense(each):
    assert repr(each.check(...)) == repr(each.check([..., ...])) == "not tried yet"
    for answer in ("<b>", object(), float("nan"), [], {}, lambda *inputs: 1 / 0):
        assert each.check(answer).state in ("not yet", "not tried")
    if each.cases[0]:
        assert repr(each.check(lambda *inputs: ...)) == "not tried yet"


def test_an_answer_that_runs_on_is_stopped(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.1)

    def loops(x, h):
        while True:
            pass

    assert "was stopped" in nudges.central.check(loops).text


def test_the_picture_adds_up():
    picture = gradient_times_nudge([1.5, -2.0, 3.0], [0.1, 0.25, -0.05], ["a", "<b>", "c"])
    total = torch.dot(torch.tensor([1.5, -2.0, 3.0]), torch.tensor([0.1, 0.25, -0.05])).item()
    assert f"= −{abs(total):g}:" in picture.sentence and total == pytest.approx(-0.5)
    words = ["".join(e.itertext()) for e in ET.fromstring(picture.svg).iter() if "text" in e.tag]
    assert {"0.15", "−0.5", "−0.15", "<b>"} <= set(words) and "<b>" not in picture.svg
