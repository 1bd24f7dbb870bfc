"""The exercises of lesson 16: any way of mending is right, usual wrong mends are named."""

import re
import time

import jupytext
import numpy as np
import pytest

import autogradlab as torch
from autogradlab.lessons import Exercise, bug_hunt, exercise, progress
from autogradlab.lessons import broken as networks
from tests.lessons.test_lessons import NOTEBOOKS

EXERCISES = [each for each in vars(bug_hunt).values() if isinstance(each, Exercise)]
F = torch.nn.functional


def finish(model, optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def squared(model, x, y):
    return ((model(x) - y) ** 2).mean()


def probability(model, x):
    return torch.sigmoid(model(x)).flatten()


# ----------------------------------------------------------------------------------- right answers


def network(setup):
    """Network 6 with an optimizer, or whatever `setup` makes of its parts."""

    def made(torch):
        body = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU())
        head = torch.nn.Linear(16, 1)
        model = torch.nn.Sequential(body, head)
        return setup(torch, model, body, head)

    return made


def emptied_first(model, optimizer, x, y):
    model.zero_grad()
    loss = squared(model, x, y)
    loss.backward()
    optimizer.step()
    return loss


def emptied_last(model, optimizer, x, y):
    loss = squared(model, x, y)
    loss.backward()
    optimizer.step()
    for p in model.parameters():
        p.grad = None
    return loss


def written_into_a_copy(model, optimizer, x, y):
    right = probability(model, x).clone()
    right[~y] = 1 - right[~y]
    return finish(model, optimizer, -right.log().mean())


def sgd(which, lr=0.1):
    return lambda torch, model, body, head: (
        model,
        torch.optim.SGD({"model": model, "body": body, "head": head}[which].parameters(), lr=lr),
    )


def both(torch, model, body, head):
    groups = [{"params": body.parameters()}, {"params": head.parameters()}]
    return model, torch.optim.SGD(groups, lr=0.1)


def cross(model, x, y, **how):
    return F.cross_entropy(model(x), y.long(), **how)


def smaller_rate(model, optimizer, x, y):
    optimizer.param_groups[0]["lr"] = 0.1 / 32
    return finish(model, optimizer, cross(model, x, y, reduction="sum"))


ACCEPTED = [
    (bug_hunt.gradients_stay, emptied_first),
    (bug_hunt.gradients_stay, emptied_last),
    (bug_hunt.gradients_stay, lambda m, o, x, y: finish(m, o, squared(m, x, y))),
    (bug_hunt.standing_still, network(sgd("model"))),
    (bug_hunt.standing_still, network(both)),
    (bug_hunt.every_with_every, lambda m, o, x, y: finish(m, o, squared(m, x, y.reshape(32, 1)))),
    (bug_hunt.every_with_every, lambda m, o, x, y: finish(m, o, squared(m, x, y[:, None]))),
    (bug_hunt.every_with_every, lambda m, o, x, y: finish(m, o, F.mse_loss(m(x).squeeze(1), y))),
    (bug_hunt.too_much, lambda m, o, x, y: finish(m, o, cross(m, x, y))),
    (bug_hunt.too_much, lambda m, o, x, y: finish(m, o, cross(m, x, y, reduction="sum") / len(x))),
    (bug_hunt.too_much, lambda m, o, x, y: finish(m, o, cross(m, x, y, reduction="none").mean())),
    (bug_hunt.too_much, smaller_rate),
    (bug_hunt.against_promise, written_into_a_copy),
    (
        bug_hunt.against_promise,
        lambda m, o, x, y: finish(
            m, o, F.binary_cross_entropy(probability(m, x), y.to(x.dtype))
        ),
    ),
    (
        bug_hunt.against_promise,
        lambda m, o, x, y: finish(
            m, o, -(y * probability(m, x) + ~y * (1 - probability(m, x))).log().mean()
        ),
    ),
]


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_right_answers_are_accepted_in_any_form(each, answer):
    assert repr(each.check(answer)) == f"✓ Right. {each.why}"


# ----------------------------------------------------------------------------------- wrong answers


def emptied_between(model, optimizer, x, y):
    loss = squared(model, x, y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss


def emptied_once(model, optimizer, x, y):
    if all(p.grad is None for p in model.parameters()):
        optimizer.zero_grad()
    loss = squared(model, x, y)
    loss.backward()
    optimizer.step()
    return loss


def slower(model, optimizer, x, y):
    optimizer.param_groups[0]["lr"] = 0.001
    loss = squared(model, x, y)
    loss.backward()
    optimizer.step()
    return loss


def nothing_returned(model, optimizer, x, y):
    finish(model, optimizer, squared(model, x, y))


def off(torch, model, body, head):
    body.requires_grad_(False)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def dropped(model, optimizer, x, y):
    right = probability(model, x)
    right[~y] = 1 - right[~y]
    return finish(model, optimizer, -right.log().mean())


def quietly(model, optimizer, x, y):
    right = probability(model, x)
    with torch.no_grad():
        right[~y] = 1 - right[~y]
    return finish(model, optimizer, -right.log().mean())


def cut(model, optimizer, x, y):
    right = probability(model, x).detach()
    right[~y] = 1 - right[~y]
    return finish(model, optimizer, -right.log().mean())


def behind(model, optimizer, x, y):
    right = probability(model, x).clone()
    right.data[~y] = 1 - right.data[~y]
    return finish(model, optimizer, -right.log().mean())


WRONG = [
    (bug_hunt.gradients_stay, emptied_between, "No weight moves."),
    (bug_hunt.gradients_stay, emptied_once, ".grad still piles up"),
    (bug_hunt.gradients_stay, slower, "A smaller learning rate makes the mistake smaller"),
    (bug_hunt.gradients_stay, nothing_returned, "The step returned None."),
    (bug_hunt.standing_still, network(sgd("body")), "Now it is the head that stands still"),
    (bug_hunt.standing_still, network(off), "0.0.weight now asks for no gradient at all"),
    (bug_hunt.standing_still, network(sgd("head", 0.01)), "does not have its parameters"),
    (bug_hunt.standing_still, network(lambda t, m, b, h: m), "Return two things"),
    (bug_hunt.standing_still, network(sgd("model", 1e-5)), "No suspect is left, but"),
    (
        bug_hunt.every_with_every,
        lambda m, o, x, y: finish(m, o, ((m(x) - y[None]) ** 2).mean()),
        "The difference has 32 × 32 numbers still.",
    ),
    (
        bug_hunt.every_with_every,
        lambda m, o, x, y: finish(m, o, ((m(x) - y) ** 2).mean(1).mean()),
        "The difference has 32 × 32 numbers still.",
    ),
    (
        bug_hunt.every_with_every,
        lambda m, o, x, y: finish(m, o, (m(x).mean() - y.mean()) ** 2),
        "Fewer than 32 differences go into the loss.",
    ),
    (
        bug_hunt.too_much,
        lambda m, o, x, y: finish(m, o, cross(m, x, y, reduction="none")),
        "there is a loss for each point",
    ),
    (
        bug_hunt.too_much,
        lambda m, o, x, y: finish(m, o, cross(m, x, y, reduction="sum") / 2),
        "It is smaller now, and still more than",
    ),
    (
        bug_hunt.too_much,
        lambda m, o, x, y: finish(m, o, cross(m, x, y, reduction="sum") / 16),
        "It is smaller now, and still more than",
    ),
    (
        bug_hunt.too_much,
        lambda m, o, x, y: finish(m, o, cross(m, x, y, reduction="none").sum()),
        "The loss still grows with the batch, and jumps.",
    ),
    (bug_hunt.standing_still, network(sgd("model", 0.0)), "Is the learning rate 0?"),
    (
        bug_hunt.against_promise,
        lambda m, o, x, y: finish(m, o, (y * 1.0 - probability(m, x)).abs().log().mean() * -1),
        "Now it learns the opposite.",
    ),
    (
        bug_hunt.against_promise,
        lambda m, o, x, y: finish(m, o, -(y * 1.0 - 1 + m(x).sigmoid()).abs().log().mean()),
        "each with every other",
    ),
    (bug_hunt.against_promise, dropped, "Now the engine notices"),
    (bug_hunt.against_promise, quietly, "Now the engine notices"),
    (bug_hunt.against_promise, cut, "The probabilities are cut off"),
    (bug_hunt.against_promise, behind, "against what the gradients promise"),
    (
        bug_hunt.against_promise,
        lambda m, o, x, y: finish(m, o, -probability(m, x).log().mean()),
        "Now the loss asks every point to be inside.",
    ),
]


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    verdict = each.check(answer)
    assert verdict.state == "not yet" and not each.solved
    assert diagnosis in verdict.text and verdict.text.startswith("Not yet. ")


SECRETS = {
    bug_hunt.gradients_stay: ["zero_grad()"],
    bug_hunt.standing_still: ["model.parameters"],
    bug_hunt.every_with_every: ["flatten", "reshape"],
    bug_hunt.too_much: ['"mean"', "/ 32"],
    bug_hunt.against_promise: ["where"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    text = each.check(answer).text
    assert not [secret for secret in SECRETS[each] if secret in text.partition("Look where")[0]]


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_stubs_and_nonsense(each, monkeypatch):
    assert repr(each.check(...)) == repr(each.check(each.stub)) == "not tried yet"
    nonsense = ("text", {}, 3, np.ones(7), lambda: 1 / 0, lambda *given: None, lambda *given: 1)
    for answer in nonsense:
        assert each.check(answer).state == "not yet"
    monkeypatch.setattr(exercise, "SECONDS", 0.3)

    def loops(*inputs):
        while True:
            pass

    assert "was stopped" in each.check(loops).text
    for _ in range(100):  # the thread that was stopped still cleans up
        if torch.get_default_dtype() is torch.float32:
            return
        time.sleep(0.05)
    raise AssertionError("the default dtype was not put back")


def test_a_stub_is_the_piece_of_its_network():
    """Put into the network, the piece in the lesson gives the very losses of the broken one."""
    for each in EXERCISES:
        run = each._run(each.stub)
        _, step = bug_hunt.build(each.case)
        assert run.evidence.losses == pytest.approx([step().item() for _ in range(12)])
        assert [found.suspect for found in run.fits] == [each.case.culprit]


def test_the_lesson_shows_all_networks_once_and_tells_what_is_wrong():
    cells = jupytext.read(NOTEBOOKS / "16_bug_hunt.py").cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    shown = re.findall(r"GradientDetective\(exercises\.CASES\[(\d)\]\)", code)
    assert shown == [str(i) for i in range(len(networks.NETWORKS))]
    assert [case.build for case in bug_hunt.CASES] == list(networks.NETWORKS)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert prose.count("<summary>The diagnosis</summary>") == 8


def test_progress_counts_them():
    assert repr(progress(bug_hunt)) == "0 of 5 exercises right · open: 1, 2, 3, 4, 5"
    bug_hunt.gradients_stay.check(emptied_first)
    assert repr(progress(bug_hunt)) == "1 of 5 exercises right · open: 2, 3, 4, 5"
