"""The exercises of lesson 01, with PyTorch for the truth, and the weights it starts from."""

import sys
import time
import types
from importlib.util import find_spec

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab import models
from autogradlab.instruments import TrainStepInspector
from autogradlab.lessons import Exercise, exercise, progress, resnet18_weights
from autogradlab.lessons import training_step as lesson
from autogradlab.models.convert import Converter
from autogradlab.twin import Twin

EXERCISES = [each for each in vars(lesson).values() if isinstance(each, Exercise)]


@pytest.fixture
def no_torchvision(monkeypatch):
    """As where torchvision is missing; what stands in for it is taken away again."""
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in ("torchvision", "torchvision.models"):
        sys.modules.pop(name, None)


# ------------------------------------------------------------------------- what PyTorch answers


def gradient_kept():
    w = torch.tensor(2.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.01)
    for _ in range(2):
        ((3 * w - 1) ** 2).backward()
        kept = w.grad.clone()
        optimizer.step()
    return kept


def torch_resnet():
    kind = Converter(autogradlab, torch).code(models.ResNet)
    return kind((2, 2, 2, 2))


def tensors_without_gradient():
    model = torch_resnet()
    model.layer1.requires_grad_(False)
    model(torch.rand(1, 3, 64, 64)).sum().backward()
    return sum(p.grad is None for p in model.parameters())


def table_of_changes():
    """For each stop, whether weights, .grad, momentum and running mean are other than before."""
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 2), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    weight = model[0].weight

    def now():
        momentum = optimizer.state[weight].get("momentum_buffer") if optimizer.state else None
        read = (weight, weight.grad, momentum, model[1].running_mean)
        return [None if x is None else x.detach().clone() for x in read]

    def other(a, b):
        return (a is None) != (b is None) or (a is not None and not torch.equal(a, b))

    image, loss = torch.rand(1, 1, 4, 4), None
    table, before = [], now()
    for stop in ("forward", "backward", "step", "zero_grad"):
        if stop == "forward":
            loss = model(image).exp().sum()
        elif stop == "backward":
            loss.backward()
        else:
            getattr(optimizer, stop)()
        after = now()
        table.append([float(other(*pair)) for pair in zip(before, after, strict=True)])
        before = after
    return table


def torch_sgd(w, v, g):
    w = torch.as_tensor(w).detach().clone().requires_grad_()
    w.grad = torch.as_tensor(g)
    optimizer = torch.optim.SGD([w], lr=0.01, momentum=0.9)
    optimizer.state[w]["momentum_buffer"] = torch.as_tensor(v).clone()
    optimizer.step()
    return w.detach(), optimizer.state[w]["momentum_buffer"]


FROM_TORCH = {
    lesson.kept: gradient_kept,
    lesson.frozen: tensors_without_gradient,
    lesson.changed: table_of_changes,
    lesson.sgd: lambda: torch_sgd,
}


def longer(w, v, g):
    v = 9 * v / 10 + g
    w = w - v / 100
    return [w, v]


ACCEPTED = {
    lesson.kept: [54.6, 30 + 24.6, torch.tensor([54.6]), np.float32(54.6)],
    lesson.frozen: [12, 2 * (1 + 2 + 1 + 2), autogradlab.tensor(12)],
    lesson.changed: [
        np.array([[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]]),
        [(0, 0, 0, 1), (0, 1, 0, 0), torch.tensor([1, 0, 1, 0]), [0, 1.0, 0, 0]],
        [[False, False, False, True], [0, True, 0, 0], np.array([True, False, True, False]),
         [0, 1, 0, 0]],
    ],
    lesson.sgd: [
        longer,
        lambda weight, buffer, grad: (weight - 0.01 * (grad + 0.9 * buffer), grad + 0.9 * buffer),
        lambda w, v, g: np.array([float(w - 0.01 * (0.9 * v + g)), float(0.9 * v + g)]),
    ],
}
WRONG = [
    (lesson.kept, 24.6, "The first gradient is lost"),
    (lesson.kept, 60, "The weight has moved"),
    (lesson.kept, 30, "The second gradient is missing"),
    (lesson.kept, 5.4, "You subtracted"),
    (lesson.kept, 27.3, "That is the mean"),
    (lesson.kept, 30 + 6 * (3 * 2.3 - 1), "The step went up"),
    (lesson.kept, 10 + 2 * (3 * 1.9 - 1), "A 3 is missing"),
    (lesson.kept, 0.9 * 30 + 24.6, "That is a momentum"),
    (lesson.kept, 1.7, "That is the weight after the step"),
    (lesson.kept, [30, 24.6], "The answer is 1 number; this is 2 numbers."),
    (lesson.frozen, 0, "Frozen tensors are not computed for"),
    (lesson.frozen, 15, "conv1 and bn1 are still served"),
    (lesson.frozen, 50, "That is the other half of the count"),
    (lesson.frozen, 62, "The rest still learns"),
    (lesson.frozen, 6, "That is one block"),
    (lesson.frozen, 4, "The batch norms are missing"),
    (lesson.frozen, 8, "A batch norm has two tensors"),
    (lesson.frozen, 2, "Blocks are not tensors"),
    (lesson.frozen, "layer1", "The answer is made of numbers"),
    (
        lesson.changed,
        [[0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]],
        "Forward leaves a trace",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]],
        "Backward moves no weight",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]],
        "Backward moves no weight",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0]],
        "The running mean is not learned",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]],
        "The momentum is kept by the optimizer",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [0, 1, 0, 0], [1, 1, 1, 0], [0, 1, 0, 0]],
        "step only reads .grad",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]],
        "step only reads .grad",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]],
        "zero_grad leaves the momentum alone",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]],
        "zero_grad empties gradients, not weights",
    ),
    (
        lesson.changed,
        [[0, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]],
        "The table is on its side",
    ),
    (
        lesson.changed,
        [[0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 0, 0]],
        "The list of backward is the first that does not fit",
    ),
    (
        lesson.changed,
        [[1, 1, 1, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]],
        "Look at the lesson's cell of the forward pass",
    ),
    (lesson.changed, [[0, 0, 0, 2]] * 4, "Each number is 1, changed, or 0, as before."),
    (lesson.changed, [[0, 1, 0, 0], [1, 0, 1, 0]], "The answer is 4 × 4 numbers; this is 2 × 4"),
    (lesson.sgd, lambda w, v, g: (w - 0.01 * g, 0.9 * v + g), "The momentum is not used"),
    (lesson.sgd, lambda w, v, g: (w - 0.01 * g, g), "The momentum is lost"),
    (lesson.sgd, lambda w, v, g: (w - 0.01 * v, 0.9 * v + g), "The old momentum moved the weight"),
    (lesson.sgd, lambda w, v, g: (w + 0.01 * (0.9 * v + g), 0.9 * v + g), "The step went up"),
    (lesson.sgd, lambda w, v, g: (w - (0.9 * v + g), 0.9 * v + g), "The learning rate is missing"),
    (
        lesson.sgd,
        lambda w, v, g: (w - (0.9 * v + 0.01 * g), 0.9 * v + 0.01 * g),
        "The learning rate came too early",
    ),
    (
        lesson.sgd,
        lambda w, v, g: (w - 0.01 * (0.9 * v + 0.01 * g), 0.9 * v + 0.01 * g),
        "The learning rate came too early",
    ),
    (
        lesson.sgd,
        lambda w, v, g: (w - 0.01 * (0.9 * v + 0.1 * g), 0.9 * v + 0.1 * g),
        "That is a mean",
    ),
    (lesson.sgd, lambda w, v, g: (w - 0.01 * (v + g), v + g), "Nothing fades"),
    (lesson.sgd, lambda w, v, g: longer(w, v, g)[::-1], "The order is w, v"),
    (lesson.sgd, lambda w, v, g: w - 0.01 * (0.9 * v + g), "The answer is 2 numbers; this is 1"),
    (lesson.sgd, lambda w, v: w, "the function raised TypeError"),
    (lesson.sgd, 1.7, "Hand over the function by its name"),
]


def test_every_exercise_is_tested():
    assert len(EXERCISES) == 4
    assert set(FROM_TORCH) == set(EXERCISES) == set(ACCEPTED) == {each for each, _, _ in WRONG}


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_the_right_answer_is_pytorchs(each):
    assert each.check(FROM_TORCH[each]()).state == "right", each.check(FROM_TORCH[each]())


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_other_forms_of_the_answer_are_right(each):
    for answer in ACCEPTED[each]:
        assert each.check(answer).state == "right", (answer, each.check(answer))


@pytest.mark.parametrize(("each", "answer", "said"), WRONG)
def test_a_usual_wrong_answer_is_named(each, answer, said):
    verdict = each.check(answer)
    assert verdict.state == "not yet" and said in verdict.text
    assert verdict.text.startswith("Not yet. ") and each.why not in verdict.text
    assert not each.solved


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_every_mistake_is_reached_and_none_is_right(each):
    said = {words for e, _, words in WRONG if e is each}
    for mistake in each.mistakes:
        assert any(words in mistake.says for words in said), mistake.says
        assert each.check(mistake.gives).state == "not yet"


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
@pytest.mark.parametrize("answer", [..., None, [..., ...], [[0, 0, 0, 1], ..., ..., ...]])
def test_an_untouched_stub_is_not_tried(each, answer):
    assert each.check(answer).state == "not tried"


class Odd:
    def __array__(self, *args, **kwargs):
        raise RuntimeError("no")


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
@pytest.mark.parametrize("answer", ["", {}, Odd(), [[1], [1, 2]], float("nan"), 1j, lambda: 1 / 0])
def test_nothing_makes_a_checker_raise(each, answer):
    verdict = each.check(answer)
    assert verdict.state == "not yet" and "54.6" not in verdict.text


def test_an_answer_that_runs_on_is_stopped(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.2)

    def runs_on(w, v, g):
        while True:
            time.sleep(0.01)

    assert "was still running" in lesson.sgd.check(runs_on).text


def test_the_numbers_told_in_the_diagnoses_are_the_inspectors():
    """w = 1.7 and the gradient 24.6, which hints and reasons name."""
    w = torch.tensor(2.0, requires_grad=True)
    inspector = TrainStepInspector(
        lambda w: (3 * w - 1) ** 2, {"w": w}, momentum=0, zero_grad=False
    )
    inspector.jump("backward 2")
    assert inspector.lines() == ["w.grad = 30 + 24.6 = 54.6"]
    assert inspector.moment.weight["w"] == pytest.approx(1.7)
    assert "24.6" in lesson.kept.why and "1.7" in lesson.kept.why


def test_progress():
    assert "0 of 4" in repr(progress(lesson))
    lesson.frozen.check(12)
    assert repr(progress(lesson)) == "1 of 4 exercises right · open: 1, 3, 4"


# ------------------------------------------------------------------------------------- weights

STEP = (
    "from torchvision.models import resnet18\nmodel = resnet18().double()\n"
    "_ = model.load_state_dict(weights)",
    "data = torch.rand(1, 3, 64, 64, dtype=torch.float64)\nprediction = model(data)\n"
    "loss = prediction.sum()",
    "loss.backward()\nprint(len(list(model.parameters())))",
    "optim = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)\noptim.step()",
)


def test_without_torchvision_both_sides_take_a_step(no_torchvision, capsys):
    resnet18_weights(trained=True)
    said = "torchvision is not installed: the weights are random, from seed 0.\n"
    assert capsys.readouterr().out == said
    notebook = {"__name__": "__main__", "weights": resnet18_weights()}
    assert capsys.readouterr().out == "The weights are random, from seed 0.\n"
    assert find_spec("torchvision").name == "torchvision"
    twin = Twin(notebook, torch)
    reports = [twin.cell(cell) for cell in STEP]
    assert all(report.agrees and not report.note for report in reports), reports
    assert [report.gradients for report in reports] == [0, 0, 62, 62]
    assert "model" in reports[3].same and reports[1].same == ["data", "prediction", "loss", "model"]


def test_random_weights_are_the_same_each_time_and_leave_the_seed_alone(no_torchvision):
    autogradlab.manual_seed(5)
    state = autogradlab.get_rng_state().numpy().copy()
    first, second = resnet18_weights(), resnet18_weights()
    np.testing.assert_array_equal(autogradlab.get_rng_state().numpy(), state)
    assert first.keys() == models.resnet18().state_dict().keys()
    for name, x in first.items():
        np.testing.assert_array_equal(x.numpy(), second[name].numpy())


def torchvision_with(monkeypatch, get_state_dict):
    """A stand-in for torchvision with trained weights."""
    weights = types.SimpleNamespace(get_state_dict=get_state_dict)
    package, inside = types.ModuleType("torchvision"), types.ModuleType("torchvision.models")
    package.models, inside.resnet18 = inside, torch_resnet
    inside.ResNet18_Weights = types.SimpleNamespace(DEFAULT=weights)
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", inside)


def test_with_torchvision_its_trained_weights_are_taken_when_asked_for(monkeypatch, capsys):
    torch.manual_seed(9)
    trained = torch_resnet().state_dict()
    torchvision_with(monkeypatch, lambda progress: trained)
    weights = resnet18_weights(trained=True)
    assert "The weights are torchvision's, trained on ImageNet." in capsys.readouterr().out
    assert weights.keys() == trained.keys()
    for name, x in weights.items():
        np.testing.assert_array_equal(x.numpy(), trained[name].numpy())
        assert not np.shares_memory(x.numpy(), trained[name].numpy())
    twin = Twin({"__name__": "__main__", "weights": weights}, torch)
    for cell in STEP:
        report = twin.cell(cell)
        assert report.agrees and not report.note, report


def test_with_torchvision_the_default_prints_and_gives_the_same(no_torchvision, capsys):
    without, said = resnet18_weights(), capsys.readouterr().out
    with pytest.MonkeyPatch.context() as patch:
        torchvision_with(patch, None)
        weights = resnet18_weights()
        assert capsys.readouterr().out == said
    for name, x in weights.items():
        np.testing.assert_array_equal(x.numpy(), without[name].numpy())


def test_without_the_network_it_says_so(monkeypatch, capsys):
    def unreachable(progress):
        raise OSError("no route")

    torchvision_with(monkeypatch, unreachable)
    weights = resnet18_weights(trained=True)
    said = "The trained weights cannot be fetched: the weights are random, from seed 0."
    assert said in capsys.readouterr().out
    assert len(weights) == len(models.resnet18().state_dict())
