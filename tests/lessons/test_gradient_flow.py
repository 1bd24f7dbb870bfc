"""The exercises of lesson 13: right answers are PyTorch's, in any form; wrong ones are named."""

import inspect
import math

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exercise, progress
from autogradlab.lessons import gradient_flow as lesson
from tests.lessons.verdicts import assert_all_tried, assert_named

EXERCISES = [each for each in vars(lesson).values() if isinstance(each, Exercise)]
ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])


# ------------------------------------------------------------------------- what PyTorch answers


def factor():
    """The root mean square of relu's slope, at very many places on both sides of 0."""
    z = torch.linspace(-1, 1, 10_000, dtype=torch.float64, requires_grad=True)
    torch.relu(z).sum().backward()
    slope = z.grad.square().mean().sqrt()
    return [slope, slope**20]


def deviation():
    weight = torch.empty(50, 200)
    torch.manual_seed(0)
    kaiming = torch.nn.init.kaiming_normal_(weight, nonlinearity="relu").std().item()
    xavier = torch.nn.init.xavier_normal_(weight).std().item()
    right = np.asarray(lesson.deviation.right)
    np.testing.assert_allclose([kaiming, xavier], right, rtol=0.02)
    return right


def clipped(a, b, most):
    parameters = []
    for gradient in (a, b):
        gradient = torch.as_tensor([float(x) for x in gradient])
        parameters.append(torch.zeros_like(gradient).requires_grad_())
        parameters[-1].grad = gradient
    torch.nn.utils.clip_grad_norm_(parameters, float(most))
    return [p.grad for p in parameters]


def dead_units(h):
    """Those whose weights and bias get a gradient of exactly 0 from any loss."""
    h = torch.as_tensor([[float(x) for x in row] for row in h])
    z = torch.where(h > 0, h, torch.tensor(-1.0)).requires_grad_()
    torch.relu(z).sum().backward()
    return (z.grad.abs().sum(0) == 0).sum()


def layer(engine, norm=None, skip=False, gain=None, act="sigmoid", out=None):
    """A layer as a learner may write it."""
    nn = engine.nn

    class Mine(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.linear = nn.Linear(width, width)
            if gain:
                nn.init.normal_(self.linear.weight, std=gain / width**0.5)
            if norm:
                self.norm = getattr(nn, norm)(width)

        def forward(self, h):
            z = self.linear(h)
            a = getattr(engine, act)(self.norm(z) if norm else z)
            a = h + a if skip else a
            return out(h, a) if out else a

    return Mine


FROM_TORCH = {
    lesson.factor: factor,
    lesson.deviation: deviation,
    lesson.clipped: lambda: clipped,
    lesson.dead_units: lambda: dead_units,
    lesson.trainable: lambda: layer(torch, "BatchNorm1d", True),
}


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_the_right_answer_is_pytorchs(each):
    verdict = each.check(FROM_TORCH[each]())
    assert repr(verdict) == f"✓ Right. {each.why}" and each.solved
    if each.right is not None:
        assert each.check(each.right).state == "right"


def one_vector(a, b, most):
    both = autogradlab.cat([a, b])
    both = both * (most / both.norm()).clamp(max=1.0)
    return both[:2], both[2:]


def in_place(a, b, most):
    norm = math.sqrt(sum(float(x) ** 2 for x in [*a, *b]))
    if norm > most:
        a, b = a * float(most) / norm, b * float(most) / norm
    return [a, b]


ACCEPTED = [
    (lesson.factor, [0.71, 0.001]),
    (lesson.factor, [1 / math.sqrt(2), 1 / 1024]),
    (lesson.factor, torch.tensor([0.7071, 0.00098])),
    (lesson.deviation, [0.1, 0.0894]),
    (lesson.deviation, [math.sqrt(2) / math.sqrt(200), (1 / 125) ** 0.5]),
    (lesson.deviation, np.array([0.1, 0.09])),
    (lesson.clipped, one_vector),
    (lesson.clipped, in_place),
    (lesson.dead_units, lambda h: (h == 0).all(dim=0).sum()),
    (lesson.dead_units, lambda h: (h.sum(0) == 0).sum().item()),
    (lesson.dead_units, lambda h: sum(not any(column) for column in np.array(h).T)),
    (lesson.dead_units, lambda h: int((np.asarray(h).max(axis=0) == 0).sum())),
]


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_right_answers_are_accepted_in_any_form(each, answer):
    assert each.check(answer).state == "right", each.check(answer)


LEARNS = {
    "batch norm": {"norm": "BatchNorm1d"},
    "skip": {"skip": True},
    "batch norm and skip": {"norm": "BatchNorm1d", "skip": True},
    "layer norm and skip": {"norm": "LayerNorm", "skip": True},
    "batch norm and gain": {"norm": "BatchNorm1d", "gain": 4.0},
    "skip and gain": {"skip": True, "gain": 4.0},
    "centred sigmoid": {"gain": 4.0, "out": lambda h, a: 2 * a - 1},
}


@ENGINES
@pytest.mark.parametrize("name", LEARNS)
def test_layers_that_learn_are_accepted(engine, name):
    verdict = lesson.trainable.check(layer(engine, **LEARNS[name]))
    assert verdict.state == "right", verdict


STOPS = {
    "untouched": ({}, "nothing makes up for it"),
    "gain": ({"gain": 4.0}, "Larger weights make larger z"),
    "layer norm": ({"norm": "LayerNorm"}, "A layer norm alone looks at one example at a time"),
    "relu": ({"act": "relu", "gain": 2**0.5}, "no torch.sigmoid for each layer"),
    "tanh": ({"act": "tanh"}, "no torch.sigmoid for each layer"),
    "cut": ({"skip": True, "out": lambda h, a: h.detach() + (a - h)}, "The gradient vanishes: "),
    "cut off": ({"out": lambda h, a: a.detach() + h}, "get no gradient at all"),
    "explodes": ({"out": lambda h, a: 99 * (a - 0.5)}, "The gradient explodes: "),
    "not finite": ({"out": lambda h, a: a * math.inf}, "is not finite"),
    "nothing": ({"out": lambda h, a: None}, "forward returns None. End it with return."),
    "number": ({"out": lambda h, a: 3.0}, "forward returns a float; it must be a tensor."),
    "narrow": ({"out": lambda h, a: a[:, :3]}, "forward makes (64, 3) of (64, 16)."),
    "does not learn": (
        {"out": lambda h, a: 0.01 * a + 0.99 * h.mean(0) + 0 * h},
        "The gradient arrives, but after 120 steps the loss is still",
    ),
}


@ENGINES
@pytest.mark.parametrize("name", STOPS)
def test_a_layer_that_does_not_learn_is_told_why(engine, name):
    change, diagnosis = STOPS[name]
    verdict = lesson.trainable.check(layer(engine, **change))
    assert verdict.state == "not yet" and diagnosis in verdict.text
    assert verdict.text.startswith("Not yet. ") and "\n" not in verdict.text


def test_the_factor_that_is_told_is_pytorchs():
    """Of the untouched layer, computed anew."""
    torch.manual_seed(0)
    x = 2 * torch.rand(64, 2, dtype=torch.float64) - 1
    layers = [layer(torch)(16).double() for _ in range(30)]
    model = torch.nn.Sequential(torch.nn.Linear(2, 16), *layers, torch.nn.Linear(16, 1)).double()
    (model(x) - 3 * x[:, :1] * x[:, 1:]).square().mean().backward()
    first, last = (each.linear.weight.grad.norm().item() for each in (layers[0], layers[-1]))
    told = lesson.trainable.check(layer(autogradlab)).text
    assert exercise.number(first / last, 2) in told


@ENGINES
def test_checking_a_layer_leaves_no_trace(engine):
    before = engine.get_rng_state().tolist()
    threads = torch.get_num_threads()
    assert lesson.trainable.check(layer(engine, "BatchNorm1d", True)).state == "right"
    assert lesson.trainable.check(layer(engine)).state == "not yet"
    assert engine.get_rng_state().tolist() == before
    assert torch.get_num_threads() == threads


A, B = np.array, lambda h: np.array(h) == 0


def scaled(factor):
    return lambda a, b, most: [np.array(x) * float(factor(a, b, most)) for x in (a, b)]


def norm(*vectors):
    return float(np.linalg.norm(np.concatenate([np.array(v) for v in vectors])))


WRONG = [
    (lesson.factor, [0.5, 0.5**20], "The root is missing."),
    (lesson.factor, [0.5, 0.5**10], "Your second number is right."),
    (lesson.factor, [0.707, 0.707**10], "only the first of these is right"),
    (lesson.factor, [1, 1], "The slope is missing."),
    (lesson.factor, [2**0.5, 1024], "That is upside down."),
    (lesson.factor, [0.25, 0.25**20], "That is the slope of a sigmoid"),
    (lesson.factor, [0.5**0.5, 20 * 0.5**0.5], "Your second number is 20 times it"),
    (lesson.factor, [0.5**0.5, 0.5**0.5 / 20], "divided by 20"),
    (lesson.factor, [0.5**0.5, 0.5**10.5], "One layer too many."),
    (lesson.factor, [0.6, 0.6], "[0.6, 0.6] is not it. Open hint 1."),
    (lesson.factor, 0.7071, "The answer is 2 numbers; this is 1 number."),
    (lesson.deviation, [0.01, 0.008], "Those are the variances."),
    (lesson.deviation, [0.2, 0.008**0.5], "has the fan-out, 50, under the root"),
    (lesson.deviation, [0.005**0.5, 0.008**0.5], "The gain is missing"),
    (lesson.deviation, [0.008**0.5, 0.1], "The two are swapped"),
    (lesson.deviation, [0.1, 0.004**0.5], "Xavier takes their mean"),
    (lesson.deviation, [0.1, 0.016**0.5], "Here Xavier is asked with gain 1."),
    (lesson.deviation, [0.03**0.5, 0.024**0.5], "the bounds of a uniform distribution"),
    (lesson.deviation, [0.1, 0.3], "[0.1, 0.3]: only the first of these is right. Open hint 1."),
    (lesson.clipped, lambda a, b, most: (a, b), "Nothing was shortened."),
    (
        lesson.clipped,
        lambda a, b, most: [A(x) * min(1.0, float(most) / norm(x)) for x in (a, b)],
        "Each was shortened by its own norm.",
    ),
    (
        lesson.clipped,
        lambda a, b, most: [A(x).clip(-float(most), float(most)) for x in (a, b)],
        "That is clip_grad_value_",
    ),
    (lesson.clipped, scaled(lambda a, b, most: most / norm(a, b)), "They were made longer."),
    (
        lesson.clipped,
        scaled(lambda a, b, most: min(1.0, most / norm(a, b) ** 2)),
        "The root is missing",
    ),
    (
        lesson.clipped,
        scaled(lambda a, b, most: min(1.0, most / (norm(a) + norm(b)))),
        "The two norms were added.",
    ),
    (
        lesson.clipped,
        scaled(lambda a, b, most: min(1.0, most / max(norm([x]) for x in [*a, *b]))),
        "You divided by the largest number.",
    ),
    (
        lesson.clipped,
        scaled(lambda a, b, most: min(1.0, most / norm(A(a) + A(b)))),
        "The two vectors were added.",
    ),
    (
        lesson.clipped,
        scaled(lambda a, b, most: min(1.0, most / sum(norm([x]) for x in [*a, *b]))),
        "the sum of all sizes",
    ),
    (lesson.clipped, scaled(lambda a, b, most: norm(a, b) / most), "upside down"),
    (lesson.clipped, scaled(lambda a, b, most: min(1.0, 1 / most)), "You divided by 6.5."),
    (lesson.clipped, lambda a, b, most: [x / 2 for x in (A(b), A(a))], "The two are swapped"),
    (
        lesson.clipped,
        lambda a, b, most: (A(a) / 2, A(b) / 2) if norm(a, b) > most else None,
        "For a = [0.3, −0.4], b = [1.2, 0], most = 2 the function returned None.",
    ),
    (lesson.clipped, scaled(lambda a, b, most: 1 / norm(a, b)), "Where does 6.5 come in?"),
    (lesson.clipped, lambda a, b, most: norm(a, b), "13 is the norm, what clip_grad_norm_ returns"),
    (lesson.clipped, lambda a, b, most: min(1.0, float(most) / norm(a, b)), "0.5 is the factor."),
    (lesson.dead_units, lambda h: B(h).sum(), "10 is how many zeros there are."),
    (lesson.dead_units, lambda h: B(h).any(axis=0).sum(), "5 units are 0 for some example."),
    (lesson.dead_units, lambda h: B(h).all(axis=1).sum(), "0 is how many examples have only zeros"),
    (lesson.dead_units, lambda h: (~B(h).all(axis=0)).sum(), "4 is how many are alive."),
    (lesson.dead_units, lambda h: B(h).all(axis=0).mean(), "0.3333 is the share."),
    (lesson.dead_units, lambda h: B(h).all(axis=0) * 1.0, "Now count."),
    (lesson.dead_units, lambda h: len(B(h)[0]), "6 is how many units there are"),
    (lesson.dead_units, lambda h: B(h).sum(axis=0), "Those are the zeros of each unit."),
    (lesson.dead_units, lambda h: B(h).all(), "this is False"),
    (lesson.dead_units, lambda h: 7, "7 is not it. Open hint 1."),
    (lesson.trainable, 3, "Hand over the name alone; this is an int."),
    (lesson.trainable, lambda h: h, "Hand over the class, Layer; this is a function."),
    (lesson.trainable, int, "Layer is no module"),
    (lesson.trainable, autogradlab.nn.Sigmoid, "It raised TypeError"),
]


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    assert_named(each, each.check(answer), diagnosis)


def test_every_named_mistake_is_tried():
    assert_all_tried(EXERCISES[:-1], WRONG)


SECRETS = {
    lesson.factor: ["0.707", "1024 ", "√(1/2)"],
    lesson.deviation: ["0.0894", "√(2", "/ 200", "/ 250"],
    lesson.clipped: ["min(", "most /"],
    lesson.dead_units: ["dim=0", "== 0", ".all"],
    lesson.trainable: ["BatchNorm", "h +", "skip"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    text = each.check(answer).text
    given = inspect.getsource(answer) if inspect.isfunction(answer) else exercise.show(
        np.asarray(answer, float)) if isinstance(answer, list) else ""  # fmt: skip
    for secret in SECRETS[each]:
        assert secret not in text or secret in given, text


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_stubs_and_nonsense(each, monkeypatch):
    assert repr(each.check(...)) == "not tried yet"
    for nonsense in ("text", {}, object(), [[], [1]], math.nan, np.ones(7), lambda: 1 / 0):
        assert each.check(nonsense).state == "not yet"
    monkeypatch.setattr(exercise, "SECONDS", 0.2)

    def loops(*inputs):
        while True:
            pass

    if each is lesson.trainable:
        assert repr(each.check(layer(autogradlab, out=lambda h, a: ...))) == "not tried yet"
        assert "was stopped" in each.check(layer(autogradlab, out=loops)).text
    elif each.cases[0]:
        assert repr(each.check(lambda *inputs: (..., ...))) == "not tried yet"
        assert "was stopped" in each.check(loops).text


def test_progress_counts_them():
    assert repr(progress(lesson)) == "0 of 5 exercises right · open: 1, 2, 3, 4, 5"
    lesson.deviation.check([0.1, 0.0894])
    assert repr(progress(lesson)) == "1 of 5 exercises right · open: 1, 3, 4, 5"
