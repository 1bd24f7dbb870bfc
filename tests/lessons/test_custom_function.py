"""The exercises of lesson 11: right answers are PyTorch's, in any form; wrong ones are named."""

import math
import warnings

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exercise, progress
from autogradlab.lessons import custom_function as lesson
from tests.lessons.verdicts import assert_all_tried, assert_named

EXERCISES = [each for each in vars(lesson).values() if isinstance(each, Exercise)]
CLASSES = [lesson.legendre, lesson.straight_through, lesson.mended]
ENGINES = {"ours": autogradlab, "torch": torch}


def own(backward, forward=None, engine=torch):
    """A Function with this backward, of the gradient and the inputs; the forward of `each`."""

    def make(each):
        def given(*inputs):
            return FORWARDS[each](engine, *inputs)

        class Own(engine.autograd.Function):
            @staticmethod
            def forward(ctx, *inputs):
                ctx.save_for_backward(*inputs)
                return (forward or given)(*inputs)

            @staticmethod
            def backward(ctx, g):
                return backward(g, *ctx.saved_tensors)

        return Own

    return make


FORWARDS = {
    lesson.legendre: lambda e, x: (35 * x**4 - 30 * x**2 + 3) / 8,
    lesson.straight_through: lambda e, x: e.round(x),
    lesson.mended: lambda e, x, w: x * w,
}


def truth(each, case):
    """What PyTorch's own backward sends. Straight through: that of the identity."""
    case = {k: torch.tensor(v, dtype=torch.float64) for k, v in case.items()}
    g = case.pop("g")
    leaves = [x.requires_grad_() for x in case.values()]
    function = (lambda e, x: x * 1) if each is lesson.straight_through else FORWARDS[each]
    found = torch.autograd.grad(function(torch, *leaves), leaves, g)
    return torch.cat([each.reshape(-1) for each in found])


@pytest.mark.parametrize("each", CLASSES, ids=lambda each: each.title)
def test_the_right_gradients_are_pytorchs(each):
    for case in each.cases:
        np.testing.assert_allclose(each.right(**case), truth(each, case), rtol=1e-12)


def passes(function, x, dtype=torch.float64):
    x = torch.tensor(x, dtype=dtype, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(torch.autograd.gradcheck(function, x, raise_exception=False))


def four():
    """The four checks of exercise 3, on PyTorch."""
    square = own(lambda g, x: g * x * x, lambda x: x * x)(None)
    size = own(lambda g, x: g * x.sign(), lambda x: x.abs())(None)
    cube = own(lambda g, x: g * 3 * x * x, lambda x: x**3)(None)
    return [
        passes(square.apply, 2.0),
        passes(torch.relu, 1e-7),
        passes(size.apply, 0.0),
        passes(cube.apply, 2.0, torch.float32),
    ]


def test_the_four_verdicts_are_pytorchs():
    assert list(lesson.verdicts.right) == four()
    assert lesson.verdicts.check(four()).state == "right"


@pytest.mark.parametrize("x", [-1.0, -0.5, -1e-4, -1e3, 0.0, 1.0, 7.5, 1e-7, -1e-7])
def test_what_is_noticed_is_what_pytorchs_gradcheck_notices(x):
    caught = not passes(lesson.ramp(torch).apply, x) and passes(lambda x: x * x.relu(), x)
    assert lesson.noticed(np.array(x)) == caught
    assert (lesson.caught.check(x).state == "right") == caught


WAYS = [
    (lesson.legendre, own(lambda g, x: g * (140 * x**3 - 60 * x) / 8)),
    (lesson.legendre, own(lambda g, x: g * x * (35 * x * x - 15) / 2)),
    (lesson.straight_through, own(lambda g, x: g)),
    (lesson.straight_through, own(lambda g, x: g.clone())),
    (lesson.mended, own(lambda g, x, w: (g * w, (g * x).sum(0)))),
    (lesson.mended, own(lambda g, x, w: (w * g, g * x))),  # the engine adds up
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", range(len(WAYS)))
def test_right_answers_are_accepted_in_any_form(engine, way):
    each, make = WAYS[way]
    made = own(make.__closure__[0].cell_contents, engine=ENGINES[engine])(each)
    assert repr(each.check(made)) == f"✓ Right. {each.why}"


class Split(autogradlab.autograd.Function):
    @staticmethod
    def forward(x):
        return autogradlab.round(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g):
        return g


ACCEPTED = [
    (lesson.straight_through, Split),
    (lesson.verdicts, (True + 0, 0, 1.0, 0)),
    (lesson.verdicts, np.array([1, 0, 1, 0])),
    (lesson.verdicts, torch.tensor([1, 0, 1, 0])),
    (lesson.caught, -3),
    (lesson.caught, [-0.7]),
    (lesson.caught, autogradlab.tensor(-2.0)),
    (lesson.caught, torch.tensor([-1e-4])),
]


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_more_right_answers(each, answer):
    assert repr(each.check(answer)) == f"✓ Right. {each.why}"


def slope(x):
    return (35 * x**3 - 15 * x) / 2


WRONG = [
    (lesson.legendre, own(lambda g, x: slope(x)), "The incoming gradient is missing."),
    (lesson.legendre, own(lambda g, x: g + slope(x)), "The incoming gradient is added."),
    (lesson.legendre, own(lambda g, x: g * 8 * slope(x)), "The division by 8 is missing."),
    (lesson.legendre, own(lambda g, x: g * (8 * slope(x) + 3) / 8), "The 3 is still there."),
    (lesson.legendre, own(lambda g, x: g * (35 * x**3 - 30 * x) / 8), "but not in front"),
    (lesson.legendre, own(lambda g, x: g * (35 * x**4 - 30 * x**2 + 3) / 8), "times the value."),
    (lesson.legendre, own(lambda g, x: g * 140 * x**3 / 8), "Only the term with x⁴ is there."),
    (lesson.legendre, own(lambda g, x: g * x * slope(x)), "did not come down"),
    (lesson.legendre, own(lambda g, x: g), "[1, 3, −2] is not it. Open hint 1."),
    (lesson.legendre, own(lambda g, x: None), "backward returned None. End it with return."),
    (lesson.legendre, own(lambda g, x: (g, g)), "function OwnBackward returned an incorrect"),
    (lesson.legendre, own(lambda g, x: g[:2]), "returned an invalid gradient"),
    (lesson.legendre, own(lambda g, x: g, lambda x: x * 2), "forward gives other numbers"),
    (lesson.legendre, own(lambda g, x: g, lambda x: (x, x)), "forward returns one tensor"),
    (lesson.legendre, own(lambda g, x: 1 / 0), "It raised ZeroDivisionError: division by zero"),
    (lesson.legendre, lambda each: (lambda x: x), "Hand over the class by its name"),
    (lesson.legendre, lambda each: 3, "Hand over the class by its name; this is an int."),
    (lesson.straight_through, own(lambda g, x: 0 * g), "That is the true derivative of a step"),
    (lesson.straight_through, own(lambda g, x: g * 0 + 1), "The incoming gradient is missing."),
    (lesson.straight_through, own(lambda g, x: x), "x itself is sent."),
    (lesson.straight_through, own(lambda g, x: g.round()), "The gradient is rounded."),
    (lesson.straight_through, own(lambda g, x: g * x), "is multiplied by x."),
    (lesson.straight_through, own(lambda g, x: g * x.round()), "is multiplied by the value."),
    (lesson.verdicts, [0, 1, 1, 1], "You say which backward is right."),
    (lesson.verdicts, [0, 1, 0, 1], "the wrong way round"),
    (lesson.verdicts, [0, 0, 1, 0], "The first: g · x² is wrong"),
    (lesson.verdicts, [1, 1, 1, 0], "The second: a nudge of 1e−6"),
    (lesson.verdicts, [1, 0, 0, 0], "The third: f(h) and f(−h)"),
    (lesson.verdicts, [1, 0, 1, 1], "The fourth: float32"),
    (lesson.verdicts, [1, 1, 0, 0], "2 of 4 are right."),
    (lesson.verdicts, [1, 1, 0, 1], "1 of 4 is right."),
    (lesson.verdicts, [1, 2, 0, 0], "Write a 1 for passes"),
    (lesson.verdicts, [1, 0], "The answer is 4 numbers; this is 2 numbers."),
    (lesson.caught, 0, "gradcheck passes at 0: 2 · 0 = 0"),
    (lesson.caught, -1e-7, "gradcheck passes at −1e−7: the two differ by 2e−7"),
    (lesson.caught, 1.5, "gradcheck passes at 1.5: there y is x²"),
    (lesson.caught, -3e-6, "the two differ by 6e−6 at most, and 1e−5 is allowed."),
    (lesson.caught, 1e12, "a nudge of 1e−6 is lost in rounding: a right backward fails, too."),
    (lesson.caught, [-1.0, 2.0], "The answer is 1 number; this is 2 numbers."),
    (lesson.caught, math.nan, "is not finite"),
    (lesson.mended, own(lambda g, x, w: (g * w, (g * x).mean(0))), "still receives the mean"),
    (lesson.mended, own(lambda g, x, w: (g * w, (g * x)[0])), "what the first row sends."),
    (lesson.mended, own(lambda g, x, w: (g * w, g.sum(0))), "local derivative x is missing."),
    (lesson.mended, own(lambda g, x, w: (g * w, x.sum(0))), "sum of the local derivatives."),
    (lesson.mended, own(lambda g, x, w: (g, (g * x).sum(0))), "local derivative w is missing."),
    (lesson.mended, own(lambda g, x, w: (w + 0 * x, (g * x).sum(0))), "w is right. x receives"),
    (lesson.mended, own(lambda g, x, w: (g * x, (g * w).sum(0))), "are swapped"),
    (lesson.mended, own(lambda g, x, w: (g * w, (g * x).sum(1))), "It raised RuntimeError"),
    (lesson.mended, own(lambda g, x, w: (g * w, g.sum(0) * x.sum(0))), "its own product."),
    (lesson.mended, own(lambda g, x, w: (g * w, None)), "sends None to w, which wants a gradient."),
    (lesson.mended, own(lambda g, x, w: (g * w, (g * x).abs().sum(0))), "w receives [8.5, 7],"),
    (lesson.mended, own(lambda g, x, w: (g * w, (g * x).mean(0) * 3)), "For x = [[2, −1, 0.5]"),
]


def said(each, answer):
    return each.check(answer(each) if callable(answer) else answer)


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    assert_named(each, said(each, answer), diagnosis)


def test_every_named_mistake_is_tried():
    assert_all_tried(EXERCISES, WRONG, said)


SECRETS = {
    lesson.legendre: ["140", "/ 2", "35x³"],
    lesson.straight_through: ["return g", "is g."],
    lesson.verdicts: ["[1, 0, 1, 0]"],
    lesson.caught: ["negative", "below zero", "left of zero"],
    lesson.mended: ["sum(0)", "g * w"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    text = said(each, answer).text
    assert not [secret for secret in SECRETS[each] if secret in text], text
    text = text.partition(", g = [5, −3, 0.5]")[2] or text  # straight through: the case says it
    assert exercise.show(np.asarray(exercise._value(each.right, each.cases[0]))) not in text or (
        each is lesson.caught
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("each", CLASSES, ids=lambda each: each.title)
def test_stubs_are_not_tried(each, engine):
    for dots in (lambda g, *inputs: ..., lambda g, *inputs: (..., ...)):
        stub = own(dots, engine=ENGINES[engine])(each)
        assert repr(each.check(stub)) == "not tried yet"


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_nonsense(each, monkeypatch):
    assert repr(each.check(...)) == repr(each.check(None)) == "not tried yet"
    for nonsense in ("text", {}, object(), [[], [1]], math.nan, np.ones(7), object, lambda: 1 / 0):
        assert each.check(nonsense).state == "not yet"
    monkeypatch.setattr(exercise, "SECONDS", 0.2)

    def loops(g, *inputs):
        while True:
            pass

    if each in CLASSES:
        assert "was stopped" in each.check(own(loops, engine=autogradlab)(each)).text


def test_progress_counts_them():
    assert repr(progress(lesson)) == "0 of 5 exercises right · open: 1, 2, 3, 4, 5"
    lesson.caught.check(-1)
    assert repr(progress(lesson)) == "1 of 5 exercises right · open: 1, 2, 3, 5"
