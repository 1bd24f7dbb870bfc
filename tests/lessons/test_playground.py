"""Lesson 15: the digits are learned on every seed, two processes agree with one, and each wrong
answer to an exercise has a name."""

import math
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import numpy as np
import psutil
import pytest
import torch

import autogradlab
from autogradlab.instruments import Playground
from autogradlab.lessons import Exercise, TrainingCurve, exercise, progress, training_curve
from autogradlab.lessons import digits as data
from autogradlab.lessons import playground as lesson
from autogradlab.lessons import two_processes as processes
from autogradlab.lessons.derivative_text import TEXT
from autogradlab.models import MLP
from tests.lessons.verdicts import assert_named

SOURCE = Path(__file__).parents[2] / "notebooks/15_playground.py"
EXERCISES = [each for each in vars(lesson).values() if isinstance(each, Exercise)]


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 60.0)  # other tests may be running beside these
    yield
    for each in EXERCISES:
        each.solved = False
    autogradlab.set_default_dtype(autogradlab.float32)


# ------------------------------------------------------------------------------------- the digits


def cell(words: str) -> str:
    """The lesson's code cell with these words in it, without its magic."""
    found = [c.source for c in jupytext.read(SOURCE).cells if words in c.source]
    return "\n".join(line for line in found[0].splitlines() if not line.startswith("%%"))


@pytest.fixture(scope="module")
def images():
    return data.digits()


@pytest.mark.parametrize("seed", range(5))
def test_the_convnet_reads_97_of_100_new_digits_within_10_seconds(images, seed):
    autogradlab.set_default_dtype(autogradlab.float64)
    names = {"torch": autogradlab, "images": images[0], "labels": images[1]}
    names |= {"nn": autogradlab.nn, "F": autogradlab.nn.functional}
    exec(cell("shuffled =").replace("seed = 0", f"seed = {seed}"), names)
    start = time.process_time()  # of this process alone: others may be running
    exec(cell("def new_convnet"), names)
    exec(cell("with TrainingCurve(10 * 45)"), names)
    assert time.process_time() - start <= 10
    exec(cell("convnet.eval()"), names)
    assert names["accuracy"] >= 0.97
    assert len(names["curve"].losses) == names["curve"].steps


def test_the_split_is_stratified_shuffled_and_whole(images):
    names = {"torch": autogradlab, "images": images[0], "labels": images[1]}
    exec(cell("shuffled ="), names)
    train, test = (names[name].numpy() for name in ("train", "test"))
    assert sorted([*train, *test]) == list(range(1797))
    labels = images[1].numpy()
    for digit in range(10):
        share = (labels[test] == digit).sum() / (labels == digit).sum()
        assert abs(share - 0.2) < 0.003
    assert not np.array_equal(test, np.sort(test))
    assert np.corrcoef(test[labels[test] == 3], np.arange((labels[test] == 3).sum()))[0, 1] < 0.5


def test_the_digits_are_those_of_scikit_learn(images):
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    np.testing.assert_array_equal(images[0].numpy().reshape(1797, 64) * 16, x)
    np.testing.assert_array_equal(images[1].numpy(), y)


def test_without_scikit_learn_it_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    x, y = data.digits()
    (line,) = capsys.readouterr().out.splitlines()
    assert "scikit-learn" in line and "not installed" in line
    assert x.shape == (1797, 1, 8, 8) and set(y.tolist()) == set(range(10))
    assert float(x.min()) >= 0 and float(x.max()) <= 1


def test_the_text_is_a_few_kilobytes_of_plain_characters():
    assert 1000 < len(TEXT) < 5000 and TEXT.isascii() and "\n" not in TEXT.strip()
    assert len(set(TEXT)) < 40


# -------------------------------------------------------------------------------- two processes


@pytest.fixture
def batch():
    autogradlab.manual_seed(0)
    model = MLP([6, 5, 3]).double()
    x = autogradlab.rand(8, 6, dtype=autogradlab.float64)
    return model, x, autogradlab.tensor([0, 1, 2, 0, 1, 2, 0, 0])


def test_two_processes_average_to_the_gradient_of_the_whole_batch(batch):
    model, x, y = batch
    autogradlab.nn.functional.cross_entropy(model(x), y).backward()
    kept = [p.grad for p in model.parameters()]
    found = processes.average_gradients(model, x, y)
    assert repr(found) == "2 processes with 4 examples each have averaged 4 gradients."
    for gradients in found.averaged:
        for p, g in zip(model.parameters(), gradients, strict=True):
            np.testing.assert_allclose(g, p.grad.numpy(), rtol=1e-12, atol=1e-15)
    own, other = found.own
    assert any(not np.allclose(a, b) for a, b in zip(own, other, strict=True))
    for a, b, g in zip(own, other, found.averaged[0], strict=True):
        np.testing.assert_allclose((a + b) / 2, g, rtol=1e-12)
    assert all(p.grad is g for p, g in zip(model.parameters(), kept, strict=True))  # no trace


def running() -> list[psutil.Process]:
    """Those of this very worker that have not ended: another one may run lesson 15 meanwhile."""
    children = psutil.Process().children(recursive=True)
    return [each for each in children if "two_processes.py" in str(each.cmdline())]


def test_processes_that_are_too_slow_are_ended(batch):
    started = time.monotonic()
    found = processes.average_gradients(*batch, seconds=0.2)
    assert "not done after 0.2 s" in found.sentence and not found.averaged
    assert time.monotonic() - started < 10
    assert running() == []


def test_a_process_that_fails_is_told_in_a_sentence(batch, monkeypatch, tmp_path):
    broken = tmp_path / "two_processes.py"
    broken.write_text("raise RuntimeError('no such device')")
    monkeypatch.setattr(processes, "__file__", str(broken))
    found = processes.average_gradients(*batch)
    assert found.sentence == (
        "The two processes could not work together: RuntimeError: no such device"
    )


def test_if_one_process_fails_the_other_is_not_waited_for(batch, monkeypatch, tmp_path):
    broken = tmp_path / "two_processes.py"
    broken.write_text("import sys, time\nif sys.argv[2] == '1': sys.exit('no')\ntime.sleep(60)")
    monkeypatch.setattr(processes, "__file__", str(broken))
    started = time.monotonic()
    found = processes.average_gradients(*batch)
    assert found.sentence == "The two processes could not work together: no"
    assert time.monotonic() - started < 30


def test_without_torch_or_gloo_there_is_one_sentence(batch, monkeypatch):
    monkeypatch.setattr(processes, "find_spec", lambda name: None)
    assert processes.average_gradients(*batch).sentence.startswith("PyTorch is not installed")
    monkeypatch.undo()
    monkeypatch.setattr(torch.distributed, "is_gloo_available", lambda: False)
    found = processes.average_gradients(*batch)
    assert "without gloo" in found.sentence and found.own == found.averaged == ()


def test_an_odd_batch_cannot_be_shared(batch):
    model, x, y = batch
    with pytest.raises(ValueError, match="7 examples cannot be shared equally"):
        processes.average_gradients(model, x[:7], y[:7])


# ------------------------------------------------------------------------------ training curve


def test_the_curve_grows_with_its_bar_and_stays(capsys):
    with TrainingCurve(4) as curve:
        assert curve._bar.max == 4 and curve._bar.value == 0
        for i, loss in enumerate((2.0, 1.0, 0.5, 0.25), 1):
            curve.add(loss)
            assert curve._bar.value == i and curve.view.sentences == [repr(curve)]
            assert "agl-held" in curve.view.variants[0][0]
        assert curve.view in curve._live.children
    assert curve.view not in curve._live.children  # the cell shows it itself
    assert capsys.readouterr().out.strip() == training_curve.TELLING  # and nothing that changes
    assert repr(curve) == "The loss falls from 2 to 0.25 in 4 steps."
    bundle = curve._repr_mimebundle_()
    assert bundle["image/svg+xml"] == curve.svg() and "var(" not in curve.svg()
    assert bundle[training_curve.VIEW]["model_id"] == curve.view.model_id


def test_a_training_that_is_interrupted_leaves_its_curve():
    with pytest.raises(KeyboardInterrupt), TrainingCurve(4) as curve:
        curve.add(2.0)
        raise KeyboardInterrupt
    assert curve.view in curve._live.children and curve._bar.value == 1


def test_a_curve_that_rises_or_breaks_is_told_and_drawn():
    curve = TrainingCurve(3)
    assert "No step has run." in curve.svg()
    for loss in (1.0, math.inf, math.nan):
        curve.add(loss)
    assert "does not fall" in repr(curve) and "nan" not in curve.svg().partition("<path")[2]


# ----------------------------------------------------------------------------------- exercises


def trained(engine, steps=150, hidden=16, lr=0.1):
    def learn(x, y, new):
        nn = engine.nn
        sizes = nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1)
        model = nn.Sequential(*sizes) if hidden > 1 else nn.Linear(2, 1)
        optimizer = engine.optim.Adam(model.parameters(), lr=lr)
        for _ in range(steps):
            loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return model(new)

    return learn


def nearest(x, y, new):
    """No network at all: the classes of the three nearest points."""
    x, y, new = (np.asarray(each.detach().numpy()) for each in (x, y, new))
    far = np.square(new[:, None] - x[None]).sum(2)
    return 12 * (y[far.argsort(1)[:, :3], 0].mean(1) - 0.5)


def curved(x, y, new):
    return 3 * trained(autogradlab)(x, y, new).detach().numpy()[:, 0]


ACCEPTED = [
    (lesson.target, trained(autogradlab)),
    (lesson.target, trained(torch)),
    (lesson.target, nearest),
    (lesson.target, lambda x, y, new: curved(x, y, new).tolist()),
    (lesson.spiral, {"hidden": [8, 8], "activation": "tanh", "lr": 0.03}),
    (lesson.spiral, {"hidden": (8, 8), "activation": "tanh", "lr": 0.01}),
    (lesson.spiral, {"hidden": [8], "activation": "tanh", "lr": 0.1}),
    (lesson.spiral, Playground("spiral", hidden=[8, 8])),
    (lesson.leak, lambda train, test: (test - train.mean()) / train.std()),
    (lesson.leak, lambda train, test: (test - train.mean()) / train.std(unbiased=False)),
    (lesson.leak, lambda a, b: [(x - a.mean()) / a.std() for x in b]),
    (lesson.leak, lambda a, b: (np.asarray(b) - np.mean(np.asarray(a))) / np.std(np.asarray(a))),
    (lesson.shared, lambda g, n: (g * n).sum() / n.sum()),
    (lesson.shared, lambda g, n: sum(a * b for a, b in zip(g, n, strict=True)) / sum(n)),
    (lesson.shared, lambda g, n: np.average(np.asarray(g), weights=np.asarray(n))),
]


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_right_answers_are_accepted_in_any_form(each, answer):
    autogradlab.manual_seed(0)
    torch.manual_seed(0)
    assert repr(each.check(answer)) == f"✓ Right. {each.why}" and each.solved


def test_the_shared_gradient_is_that_of_pytorch():
    """The right answer of exercise 4, from PyTorch's own mean losses."""
    w, shares = torch.tensor(1.5, requires_grad=True), [torch.rand(n) for n in (3, 1, 4)]
    mean = lambda x: ((w * x - 1) ** 2).mean()  # noqa: E731
    g = [torch.autograd.grad(mean(x), w)[0].item() for x in shares]
    (whole,) = torch.autograd.grad(mean(torch.cat(shares)), w)
    np.testing.assert_allclose(lesson.shared.right(g, [3, 1, 4]), whole.item(), rtol=1e-5)


def test_the_loss_of_exercise_1_is_pytorchs():
    scores, y = torch.randn(9), torch.tensor([1.0, 0, 1, 1, 0, 0, 1, 0, 1])
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(scores, y)
    assert lesson.cross_entropy(scores.numpy(), y.numpy()) == pytest.approx(theirs.item(), rel=1e-5)


def settings(hidden, activation="tanh", lr=0.03):
    return {"hidden": hidden, "activation": activation, "lr": lr}


def of_x(x, y, new):
    return trained(autogradlab)(x, y, x)


WRONG = [
    (lesson.target, of_x, "That is one number for each of the 100 points of x."),
    (lesson.target, lambda x, y, new: new, "one score for each of the 80 points of new"),
    (lesson.target, lambda x, y, new: 0.05, "this is one number."),
    (lesson.target, lambda x, y, new: np.full(80, np.nan), "has exploded"),
    (lesson.target, lambda x, y, new: curved(x, y, new) > 0, "Those are classes, 0 and 1."),
    (lesson.target, lambda x, y, new: (curved(x, y, new) > 0) * 1.0, "Those are classes"),
    (lesson.target, lambda x, y, new: -curved(x, y, new), "The classes are swapped."),
    (lesson.target, lambda x, y, new: 1 / (1 + np.exp(-curved(x, y, new))), "are probabilities"),
    (lesson.target, lambda x, y, new: np.zeros(80), "nearly the same score"),
    (lesson.target, trained(autogradlab, steps=400, hidden=1), "The border is a straight line."),
    (lesson.target, trained(autogradlab, steps=20), "More steps, a larger lr"),
    (lesson.target, trained(autogradlab, steps=1, lr=50.0), "or lr too large?"),
    (
        lesson.target,  # as a network trained with squared errors would answer
        lambda x, y, new: 1.2 / (1 + np.exp(-curved(x, y, new))) - 0.1,
        "The classes part at 0.5.",
    ),
    (lesson.spiral, settings([4]), "The network is too small."),
    (lesson.spiral, settings([8, 8], lr=0.001), "The steps are too small."),
    (lesson.spiral, settings([8, 8], lr=0.3), "The steps are too large."),
    (lesson.spiral, settings([8, 8], "relu"), "Relu makes it hard here."),
    (lesson.spiral, settings([2, 2]), "The layers are too narrow."),
    (lesson.spiral, settings([8, 8, 8, 8]), "it is a list of 1 to 3 numbers from 1 to 8"),
    (lesson.spiral, settings([8, 8], "gelu"), "it is one of tanh, relu, sigmoid"),
    (lesson.spiral, {"layers": 2}, "'layers' is none of the three settings."),
    (lesson.spiral, 8, "Settings are a dictionary; this is an int."),
    (lesson.leak, lambda a, b: (b - b.mean()) / b.std(), "scaled by its own mean and spread"),
    (lesson.leak, lambda a, b: lesson._mixed(a.numpy(), b.numpy()), "The test set leaks."),
    (lesson.leak, lambda a, b: (b - a.mean()) / b.std(), "The spread is that of the test set."),
    (lesson.leak, lambda a, b: (b - b.mean()) / a.std(), "The mean is that of the test set."),
    (lesson.leak, lambda a, b: b - a.mean() / a.std(), "Brackets are missing"),
    (lesson.leak, lambda a, b: b - a.mean(), "The spread is missing."),
    (lesson.leak, lambda a, b: b / a.std(), "The mean is missing."),
    (lesson.leak, lambda a, b: (b - a.mean()) / a.var(), "You divided by the variance."),
    (lesson.leak, lambda a, b: (a - a.mean()) / a.std(), "That is the training set, scaled."),
    (lesson.shared, lambda g, n: g.sum(), "That is the sum."),
    (lesson.shared, lambda g, n: g * n / n.sum(), "Add them up."),
    (lesson.shared, lambda g, n: g.mean(), "Each machine counts the same."),
    (lesson.shared, lambda g, n: (g * n).sum(), "the gradient of the summed loss"),
    (lesson.shared, lambda g, n: (g * n).sum() / len(n), "divided by the number of machines"),
    (lesson.shared, lambda g, n: g.sum() / n.sum(), "The shares are missing in the sum."),
    (lesson.shared, lambda g, n: (g / n).sum(), "Each g is a mean already"),
]


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    autogradlab.manual_seed(0)
    verdict = each.check(answer)
    assert_named(each, verdict, diagnosis)
    assert "train.std()" not in verdict.text and "[8, 8]" not in verdict.text


def test_every_named_mistake_is_tried():
    for each in EXERCISES:
        said = [words for other, _, words in WRONG if other is each]
        assert len(said) >= 3
        for mistake in each.mistakes:
            assert any(words in mistake.says for words in said), mistake.says


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_stubs_and_nonsense(each, monkeypatch):
    assert repr(each.check(...)) == repr(each.check([..., ...])) == "not tried yet"
    for nonsense in ("text", object(), [[], [1]], math.nan, np.ones(7), lambda: 1 / 0):
        assert each.check(nonsense).state == "not yet"
    if each.cases[0]:
        assert repr(each.check(lambda *inputs: ...)) == "not tried yet"
        assert "raised ZeroDivisionError" in each.check(lambda *inputs: 1 / 0).text
        monkeypatch.setattr(exercise, "SECONDS", 0.2)

        def loops(*inputs):
            while True:
                pass

        assert "was stopped" in each.check(loops).text
    else:
        assert repr(each.check(settings(..., ..., ...))) == "not tried yet"


def test_progress_counts_them():
    assert repr(progress(lesson)) == "0 of 4 exercises right · open: 1, 2, 3, 4"
    lesson.shared.check(ACCEPTED[-1][1])
    assert repr(progress(lesson)) == "1 of 4 exercises right · open: 1, 2, 3"


def test_the_worker_runs_as_a_program_and_says_what_it_lacks(tmp_path):
    """Not as a module: the folder of the lessons must not come before the standard library."""
    command = [sys.executable, "-P", processes.__file__, str(tmp_path), "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode and "No such file" in done.stderr
