"""The exercises of lesson 14: right answers are PyTorch's, in any form; wrong ones are named."""

import math

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exercise, progress
from autogradlab.lessons import optimizers as lesson
from tests.lessons.verdicts import assert_all_tried, assert_named

EXERCISES = [each for each in vars(lesson).values() if isinstance(each, Exercise)]


def curvature(loss, *point):
    return torch.func.hessian(loss)(torch.tensor(point, dtype=torch.float64))


def landing():
    """Where one step of PyTorch's SGD lands, and where two bring w back: on 3w²."""
    second = curvature(lambda w: (3 * w**2).sum(), 5.0).item()
    for lr, left in ((1 / second, 0.0), (2 / second, -5.0)):
        w = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
        (3 * w**2).backward()
        torch.optim.SGD([w], lr=lr).step()
        assert w.item() == pytest.approx(left, abs=1e-12)
    return [1 / second, 2 / second]


def leaves(lr):
    """What PyTorch's SGD leaves of x and y on (x² + 9y²)/2, the larger of the two."""
    p = torch.ones(2, dtype=torch.float64, requires_grad=True)
    ((p[0] ** 2 + 9 * p[1] ** 2) / 2).backward()
    torch.optim.SGD([p], lr=lr).step()
    return p.abs().max().item()


def shared():
    lr = min((k / 1000 for k in range(1, 300)), key=leaves)
    return [lr, leaves(lr)]


def critically():
    """The momentum at which the matrix of a step has one eigenvalue twice, by bisection."""

    def swings(beta):
        step = torch.tensor([[1 - 0.16, -0.1 * beta], [1.6, beta]], dtype=torch.float64)
        return bool(torch.linalg.eigvals(step).imag.abs().max() > 0)

    low, high = 0.0, 0.9
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if swings(middle) else (middle, high)
    return high


def first_steps():
    made = []
    for kind in (torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adam):
        w = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
        (500 * w).backward()
        kind([w], lr=0.1).step()
        made.append(-w.item())
    return made


def adam(w, g, m, v, t):
    """A step by PyTorch's Adam, put in the state it is in after t − 1 steps."""
    w, g, m, v = (torch.as_tensor(np.asarray(x, dtype=float)) for x in (w, g, m, v))
    p = w.clone().requires_grad_()
    p.grad = g.clone()
    optimizer = torch.optim.Adam([p], lr=0.1)
    state = {"step": torch.tensor(float(t - 1)), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    optimizer.state[p] = state
    optimizer.step()
    return p.detach(), state["exp_avg"], state["exp_avg_sq"]


RIGHT = {
    lesson.diverges: landing,
    lesson.conditioning: shared,
    lesson.damping: critically,
    lesson.first_step: first_steps,
}


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_the_right_answer_is_pytorchs(each):
    answer = adam if each is lesson.adam else RIGHT[each]()
    assert repr(each.check(answer)) == f"✓ Right. {each.why}"


def test_the_walk_of_adam_is_that_of_both_engines(monkeypatch):
    case = {"start": (2.0, 1.0), "curvature": 3.0}
    by_torch = lesson._by_optim.__wrapped__(**case)
    monkeypatch.setattr(lesson, "torch_or_none", lambda: None)
    ours = lesson._by_optim.__wrapped__(**case)
    assert len(ours) == 100 and by_torch != ours
    np.testing.assert_allclose(ours, by_torch, rtol=0, atol=1e-12)
    np.testing.assert_allclose(lesson._walk(lesson._adam, **case), by_torch, rtol=0, atol=1e-12)


def plain(w, g, m, v, t):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    return w - 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8), m, v


def one_rate(w, g, m, v, t):
    """The paper's faster order of the same computation."""
    m, v = m + 0.1 * (g - m), v + 0.001 * (g * g - v)
    scale = (1 - 0.999**t) ** 0.5
    return [w - 0.1 * scale / (1 - 0.9**t) * m / (v**0.5 + 1e-8 * scale), m, v]


def in_place(w, g, m, v, t):
    m.mul_(0.9).add_(g, alpha=0.1)
    v.mul_(0.999).addcmul_(g, g, value=0.001)
    w -= 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    return w, m, v


def with_numpy(w, g, m, v, t):
    w, g, m, v = map(np.asarray, (w, g, m, v))
    return plain(w, g, m, v, t)


def other_memory(w, g, m, v, t):
    """Sums in place of averages, put right by the correction."""
    m, v = 0.9 * m + g, 0.999 * v + g**2
    top, below = m * 0.1 / (1 - 0.9**t), v * 0.001 / (1 - 0.999**t)
    return w - 0.1 * top / (below**0.5 + 1e-8), m, v


ACCEPTED = [
    (lesson.diverges, [0.17, 0.33]),
    (lesson.diverges, (0.16667, 0.33333)),
    (lesson.diverges, torch.tensor([1 / 6, 1 / 3])),
    (lesson.conditioning, [1 / 5, 4 / 5]),
    (lesson.conditioning, autogradlab.tensor([0.2, 0.8])),
    (lesson.damping, (1 - math.sqrt(0.16)) ** 2),
    (lesson.damping, np.array([0.36])),
    (lesson.first_step, (50, 1.0, np.float64(0.1))),
    (lesson.adam, plain),
    (lesson.adam, one_rate),
    (lesson.adam, in_place),
    (lesson.adam, with_numpy),
    (lesson.adam, other_memory),
]


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_right_answers_are_accepted_in_any_form(each, answer):
    assert repr(each.check(answer)) == f"✓ Right. {each.why}"


def slip(**misread):
    return lambda *inputs: lesson._adam(*inputs, **misread)


def swapped(*inputs):
    w, m, v = plain(*inputs)
    return w, v, m


def roots(w, g, m, v, t):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return w - 0.1 * v / (m**0.5 + 1e-8), m, v



WRONG = [
    (lesson.diverges, [1 / 3, 2 / 3], "You took 3 for the curvature."),
    (lesson.diverges, [2 / 3, 4 / 3], "You halved the 3."),
    (lesson.diverges, [1 / 3, 1 / 6], "The two are swapped."),
    (lesson.diverges, [6, 12], "[6, 12] are λ and 2λ."),
    (lesson.diverges, [1 / 6, 2], "The limit is not 2 but 2/λ."),
    (lesson.diverges, [1 / 6, 1], "equal to −1?"),
    (lesson.diverges, [1 / 6, 1 / 6], "and still comes closer"),
    (lesson.diverges, [1 / 3, 1 / 3], "as far from 0 as before"),
    (lesson.diverges, 0.5, "The answer is 2 numbers; this is 1 number."),
    (lesson.diverges, [1 / 12, 1 / 6], "You took 12 for the curvature."),
    (lesson.first_step, [50, 0.02, 0.1], "you divided by v."),
    (lesson.diverges, [0.1, 0.2], "is not it. Open hint 1."),
    (lesson.conditioning, [1 / 9, 8 / 9], "lands the steep direction in one step"),
    (lesson.conditioning, [2 / 9, 1], "That is the limit"),
    (lesson.conditioning, [2 / 9, 7 / 9], "1 − 2/9 · 9 is −1"),
    (lesson.conditioning, [1, 0], "1 − 1 · 9 is −8"),
    (lesson.conditioning, [1, 8], "It diverges."),
    (lesson.conditioning, [0.2, -0.8], "has no sign"),
    (lesson.conditioning, [0.2, 0.2], "in each direction"),
    (lesson.conditioning, [0.1, 0.9], "both directions leave the same"),
    (lesson.damping, 0.6, "0.6 is 1 − √(lr · λ). Square it."),
    (lesson.damping, 1 - 0.16, "left by a step without momentum"),
    (lesson.damping, (1 - 0.16) ** 2, "The root of lr · λ is missing."),
    (lesson.damping, 0.16, "0.16 is lr · λ."),
    (lesson.damping, 0.4, "0.4 is √(lr · λ)."),
    (lesson.damping, 1.4**2, "the other solution"),
    (lesson.damping, (1 - math.sqrt(0.1)) ** 2, "leaves out λ"),
    (lesson.damping, (1 - math.sqrt(1.6)) ** 2, "leaves out lr"),
    (lesson.damping, 0.9, "At 0.9 the roots are complex: w swings. Less momentum."),
    (lesson.damping, 0.2, "At 0.2 the roots are real and different: w creeps. More momentum."),
    (lesson.damping, 1, "At 1 w does not come to rest."),
    (lesson.damping, -3, "A momentum is between 0 and 1, not −3."),
    (lesson.first_step, [50, 0.1, 0.1], "RMSprop has no bias correction"),
    (lesson.first_step, [50, 10, 0.1], "either lr is missing, or the root"),
    (lesson.first_step, [50, 1, 1], "Adam corrects both averages"),
    (lesson.first_step, [50, 1, 0.1 * 0.1 / math.sqrt(0.001)], "you left out the bias correction"),
    (lesson.first_step, [50, 50, 50], "divide by how large"),
    (lesson.first_step, [500, 1, 0.1], "SGD multiplies the gradient"),
    (lesson.first_step, [-50, -1, -0.1], "w goes down by so much"),
    (lesson.adam, slip(fix=(False, False)), "The bias correction is missing."),
    (lesson.adam, slip(fix=(True, False)), "Only m is corrected"),
    (lesson.adam, slip(fix=(False, True)), "Only v is corrected"),
    (lesson.adam, slip(inside=True), "curvature = 1e−4: eps is inside the root."),
    (lesson.adam, slip(eps=0.0), "w is not finite where the gradient is 0"),
    (lesson.adam, slip(square=False), "v averages g. It is"),
    (lesson.adam, slip(betas=(0.999, 0.9)), "The two betas are swapped"),
    (lesson.adam, slip(root=1.0), "The root is missing"),
    (lesson.adam, slip(up=1.0), "w climbs"),
    (lesson.adam, slip(lr=1.0), "The steps are ten times as long"),
    (lesson.adam, slip(kept=True), "You return the corrected averages"),
    (lesson.adam, slip(times=True), "You multiply by the correction."),
    (lesson.adam, slip(once=True), "that of the first step each time"),
    (lesson.adam, slip(later=1), "you add 1 to it"),
    (lesson.adam, slip(sums=True), "m and v are sums, not averages"),
    (lesson.adam, slip(mean=False, fix=(False, True)), "that is RMSprop, corrected"),
    (lesson.adam, slip(later=-1), "is not finite after the first step. t counts from 1"),
    (lesson.adam, swapped, "come back in each other's place?"),
    (lesson.adam, roots, "v averages the squares, g², so it is never negative"),
    (lesson.adam, lambda w, g, m, v, t: (w - 0.1 * g, m, v), "From some step on w is elsewhere"),
    (lesson.adam, lambda w, g, m, v, t: w, "Return three things: the new w, m and v."),
    (lesson.adam, lambda w, g, m, v, t: None, "The function returned None."),
    (lesson.adam, lambda w: w, "TypeError"),
    (lesson.adam, plain(1.0, 1.0, 0.0, 0.0, 1), "Hand over the function by its name"),
]  # fmt: skip


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    assert_named(each, each.check(answer), diagnosis)


def test_every_named_mistake_is_tried():
    assert_all_tried(EXERCISES, WRONG)


SECRETS = {
    lesson.diverges: ["1/6", "0.1667", "0.3333"],
    lesson.conditioning: ["0.2 ", "0.8]"],
    lesson.damping: ["0.36"],
    lesson.first_step: ["[50, 1, 0.1]"],
    lesson.adam: ["m / (1", "v_hat"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    text = each.check(answer).text
    mine = "" if callable(answer) else exercise.show(np.asarray(answer, dtype=float))
    assert not [secret for secret in SECRETS[each] if secret in text.replace(mine, "")], text


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_stubs_and_nonsense(each, monkeypatch):
    assert repr(each.check(...)) == repr(each.check([..., ..., ...])) == "not tried yet"
    for nonsense in ("text", {}, object(), [[], [1]], math.nan, np.ones(7), lambda: 1 / 0):
        assert each.check(nonsense).state == "not yet"
    if each.cases[0]:
        assert repr(each.check(lambda *inputs: (..., ..., ...))) == "not tried yet"
        monkeypatch.setattr(exercise, "SECONDS", 0.2)

        def loops(*inputs):
            while True:
                pass

        assert "was stopped" in each.check(loops).text


def test_progress_counts_them():
    assert repr(progress(lesson)) == "0 of 5 exercises right · open: 1, 2, 3, 4, 5"
    lesson.damping.check(0.36)
    assert repr(progress(lesson)) == "1 of 5 exercises right · open: 1, 2, 4, 5"
