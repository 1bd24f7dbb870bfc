"""The exercises of lesson 09: right answers are PyTorch's, in any form; wrong ones are named."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exclusion, exercise, progress

EXERCISES = [each for each in vars(exclusion).values() if isinstance(each, Exercise)]
LESSON = Path(__file__).parents[2] / "notebooks/09_exclusion.py"
ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["autogradlab", "torch"])


# -------------------------------------------------------------------------- 1 · the truth table


def flags():
    """The table, asked of PyTorch."""
    x = torch.ones(2)
    w = torch.ones(2, requires_grad=True)
    h = w * x
    d = h.detach()
    y = h * d
    y.sum().backward()
    kept = [t.is_leaf and t.grad is not None for t in (x, w, h, d, y)]
    return [[t.requires_grad, t.is_leaf, k] for t, k in zip((x, w, h, d, y), kept, strict=True)]


def flipped(*cells):
    made = np.array(flags()).astype(int)
    for i, j in cells:
        made[i, j] = 1 - made[i, j]
    return made.tolist()


def test_the_table_is_pytorchs():
    for answer in (flags(), np.array(flags()), torch.tensor(flags()), tuple(flags())):
        assert exclusion.table.check(answer).state == "right", answer
    named = dict(zip("xwhdy", flags(), strict=True))
    assert exclusion.table.check(named).state == "right"


@pytest.mark.parametrize("cell", [(i, j) for i in range(5) for j in range(3)])
def test_each_wrong_cell_is_named(cell):
    verdict = exclusion.table.check(flipped(cell))
    where = f"{'xwhdy'[cell[0]]}, {exclusion.table.columns[cell[1]]}: "
    assert where in verdict.text and verdict.state == "not yet"


WHOLE_TABLES = {
    ((2, 2), (4, 2)): "h and y are given a .grad.",
    ((0, 1), (3, 1)): "The constants are not counted as leaves.",
    ((3, 0), (3, 1)): "d is taken for an intermediate.",
    ((4, 0), (4, 1)): "y is taken for a constant",
}


@pytest.mark.parametrize(("cells", "says"), WHOLE_TABLES.items())
def test_usual_ideas_are_named(cells, says):
    assert says in exclusion.table.check(flipped(*cells)).text


def test_a_table_that_is_none():
    for answer in ([0, 1, 0], flipped()[:4], [[0, 1, 2]] * 5, [[0.5] * 3] * 5):
        assert "Write 5 rows of 3 numbers" in exclusion.table.check(answer).text
    assert "(2 cells are not right.)" in exclusion.table.check(flipped((0, 0), (4, 0))).text
    assert repr(exclusion.table.check([[1, 1, 1], ..., ..., ..., ...])) == "not tried yet"
    assert repr(exclusion.table.check([[1, 1, ...]] * 5)) == "not tried yet"


# ----------------------------------------------------------------------- 2 · half of it detached


def slope(cut_product, cut_square, cut_sum, both=False):
    x = torch.tensor(3.0, requires_grad=True)
    d = x.detach()
    y = (d if both else x) * (d if cut_product else x)
    y = y + (d if cut_square else x) ** 2 + (d if cut_sum else x)
    y.backward()
    return x.grad


def test_half_is_pytorchs():
    right = slope(True, True, False)
    for answer in (right, float(right), [right], right.numpy(), 3 + 0 + 1):
        assert exclusion.half.check(answer).state == "right"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (slope(False, False, False), "Nothing is detached in 13."),
        (slope(False, True, False), "The product is taken to be x²."),
        (slope(True, False, False), "The square is not left out."),
        (slope(True, True, False, both=True), "The product is left out as a whole."),
        (slope(True, True, True), "The last term is missing."),
        (21, "21 is the value of y."),
        (0, "Not all paths are cut."),
        (5, "5 is not it. Open hint 1."),
    ],
)
def test_a_wrong_half_is_named(answer, says):
    verdict = exclusion.half.check(answer)
    assert says in verdict.text and not exclusion.half.solved


# ------------------------------------------------------------------------- 3 · freeze all but fc


def frozen(model, learns):
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(learns(name))
    return [p for p in model.parameters() if p.requires_grad]


def by_loop(model):
    for parameter in model.parameters():
        parameter.requires_grad = False
    for parameter in model.fc.parameters():
        parameter.requires_grad = True
    return model.fc.parameters()


def by_module(model):
    model.requires_grad_(False)
    model.fc.requires_grad_()
    return [{"params": list(model.fc.parameters()), "lr": 0.1}]


ACCEPTED = [
    by_loop,
    by_module,
    lambda model: frozen(model, lambda name: name.startswith("fc")),
    lambda model: frozen(model, lambda name: "fc" in name) and [model.fc.bias, model.fc.weight],
    lambda model: by_loop(model) and filter(lambda p: p.requires_grad, model.parameters()),
    lambda model: by_loop(model) and model.fc.named_parameters(),
]


@pytest.mark.parametrize("answer", ACCEPTED)
def test_fc_alone_learns(answer):
    assert repr(exclusion.fine_tune.check(answer)) == f"✓ Right. {exclusion.fine_tune.why}"


@ENGINES
def test_what_is_accepted_trains_fc_alone(engine):
    """The flags and the list mean what they should: a real step moves fc and nothing else."""
    model = exclusion.small_network(engine)
    optimizer = engine.optim.SGD(list(by_loop(model)), lr=0.1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    images = engine.arange(200.0).reshape(8, 1, 5, 5).sin()
    model(images).sum().backward()
    optimizer.step()
    moved = [n for n, p in model.named_parameters() if not engine.equal(p, before[n])]
    assert moved == ["fc.weight", "fc.bias"]


@ENGINES
def test_a_check_draws_no_random_numbers(engine):
    engine.manual_seed(7)
    first = engine.rand(3)
    engine.manual_seed(7)
    exclusion.fine_tune.check(by_loop)
    exclusion.small_network(engine)
    assert engine.equal(engine.rand(3), first)


def attribute(model):
    model.requires_grad = False
    model.fc.requires_grad = True
    return list(model.fc.parameters())


def other_way(model):
    return frozen(model, lambda name: not name.startswith("fc"))


def replaced(model):
    by_loop(model)
    model.fc = autogradlab.nn.Linear(2, 3)
    return model.fc.parameters()


def raising(model):
    return model.head


def thaws_nothing(model):
    for name, parameter in model.named_parameters():
        if not name.startswith("fc"):
            parameter.requires_grad = False
    return model.fc.parameters()


WRONG = [
    (lambda model: list(model.fc.parameters()), "Nothing is frozen."),
    (attribute, "the assignment made a new attribute"),
    (lambda model: frozen(model, lambda name: False), "Everything is frozen, fc as well."),
    (thaws_nothing, "For a model that was frozen before: Everything is frozen"),
    (other_way, "It is the other way round"),
    (lambda model: frozen(model, lambda n: n == "fc.weight"), "fc.bias is frozen."),
    (lambda model: frozen(model, lambda n: n[:2] in ("fc", "bn")), "bn1.bias still learns."),
    (lambda model: by_loop(model) and None, "The function returned None; end it with return."),
    (lambda model: by_loop(model) and model.parameters(), "of the 8 tensors for the optimizer 6"),
    (lambda model: by_loop(model) and [model.fc.weight], "does not get fc.bias."),
    (lambda model: by_loop(model) and [*model.fc.parameters()] * 2, "in the list twice"),
    (lambda model: by_loop(model) and ["fc.weight", "fc.bias"], "has names in it, 'fc.weight'"),
    (lambda model: by_loop(model) and model.fc, "That is a module."),
    (lambda model: by_loop(model) and model.fc.weight, "That is one tensor."),
    (lambda model: by_loop(model) and 2, "Return a list of parameters; this is an int."),
    (lambda model: by_loop(model) and [3.0], "something that is no parameter: a float"),
    (lambda m: by_loop(m) and itertools.repeat(m.fc.bias), "does not get fc.weight."),  # no end
    (replaced, "A parameter of the model was replaced."),
    (raising, "The function raised AttributeError"),
    ("fc", "Hand over the function by its name; this is text"),
]


@pytest.mark.parametrize(("answer", "says"), WRONG)
def test_wrong_fine_tuning_is_named(answer, says):
    verdict = exclusion.fine_tune.check(answer)
    assert verdict.state == "not yet" and says in verdict.text, verdict
    assert "\n" not in verdict.text and not exclusion.fine_tune.solved


# ----------------------------------------------------------------- 4 · find the accidental detach


def given_in_the_lesson():
    lesson = LESSON.read_text("utf-8")
    code = re.search(r"^def spread\(w, x\):\n(?:    .*\n)+", lesson, re.MULTILINE)
    names = {"torch": autogradlab}
    exec(code[0], names)
    return code[0], names["spread"]


def test_the_lesson_hands_out_the_function_that_is_checked():
    text, function = given_in_the_lesson()
    assert text == exclusion.GIVEN
    assert repr(exclusion.spread.check(function)) == "not tried yet"


@pytest.mark.parametrize("w", [[0.5, -1.0, 2.0], [0.2, 0.9]])
def test_the_mended_function_has_the_gradients_of_nudges(w):
    x = [1.0, 0.5, -0.3][: len(w)]
    function = exclusion.version(torch)
    inputs = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (w, x)]
    assert torch.autograd.gradcheck(function, inputs)
    for engine in (autogradlab, torch):
        values = [exclusion.measured(exclusion.version(engine, cut), engine, w, x)[0]
                  for cut in ((), exclusion.PLACES)]  # fmt: skip
        np.testing.assert_allclose(*values, rtol=1e-6)


CUTS = [
    cut for n in range(1, 4) for cut in itertools.combinations(exclusion.PLACES, n)
]  # what is left to mend


@ENGINES
@pytest.mark.parametrize("cut", CUTS, ids="+".join)
def test_each_place_that_is_left_is_counted(engine, cut):
    verdict = exclusion.spread.check(exclusion.version(engine, cut))
    count = "One place still cuts" if len(cut) == 1 else f"{len(cut)} places still cut"
    assert count in verdict.text
    assert exclusion.PLACES[cut[0]][1] in verdict.text
    assert not exclusion.spread.solved


def mended(w, x):
    h = torch.tanh(w * x)
    below = h - h.max()
    return (below**2 * (1 + w * w) + below.square()).sum()


def ours(w, x):
    h = (w * x).tanh()
    below = h.amax() - h
    return ((2 + w**2) * below * below).sum()


def test_mended_in_any_way():
    for answer in (mended, ours, exclusion.version(autogradlab), exclusion.version(torch)):
        assert exclusion.spread.check(answer).state == "right"


def all_cut_in_another_way(w, x):
    h = torch.tanh(w * x)
    below = h - h.max().item()
    size = (below**2).detach()
    scale = 1 + w.detach() ** 2
    return (size * scale + below * below.detach()).sum()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (all_cut_in_another_way, "4 places still cut the graph."),
        (all_cut_in_another_way, "One of them: top has no history. What item(),"),
        (lambda w, x: (w * x).tanh().sum(), "The number has changed: for w ="),
        (lambda w, x: mended(w, x).detach(), "Now all of it is cut"),
        (lambda w, x: None, "The function returned None."),
        (lambda w, x: mended(w, x).item(), "The function returns one tensor; this is a float."),
        (lambda w, x: mended(w, x.detach()), "the gradient of x is not: it is [0, 0, 0]"),
        (lambda w, x: w.nothing, "The function raised AttributeError"),
        (7, "Hand over the function by its name; this is an int."),
    ],
)
def test_what_is_not_mended_is_named(answer, says):
    verdict = exclusion.spread.check(answer)
    assert verdict.state == "not yet" and says in verdict.text, verdict


# ------------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_stubs_and_nonsense(each, monkeypatch):
    assert repr(each.check(...)) == repr(each.check(None)) == "not tried yet"
    for nonsense in ("text", {}, object(), [[], [1]], math.nan, np.ones(7), lambda: 1 / 0):
        assert each.check(nonsense).state == "not yet"
    if each in (exclusion.fine_tune, exclusion.spread):
        assert repr(each.check(lambda *inputs: ...)) == "not tried yet"
        monkeypatch.setattr(exercise, "SECONDS", 0.3)

        def loops(*inputs):
            while True:
                pass

        assert "was stopped" in each.check(loops).text


def test_progress_counts_them():
    assert repr(progress(exclusion)) == "0 of 4 exercises right · open: 1, 2, 3, 4"
    exclusion.half.check(4)
    assert repr(progress(exclusion)) == "1 of 4 exercises right · open: 1, 3, 4"
