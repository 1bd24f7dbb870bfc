"""What the evidence of training steps says: the eight broken networks convict one suspect each, the
same on both engines; healthy models of PyTorch and of ours convict none; no trace is left."""

import itertools
import random

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.graphs.evidence import Evidence, restored, train_step
from autogradlab.graphs.suspects import SUSPECTS, examine, findings
from autogradlab.instruments.gradient_detective import build
from autogradlab.lessons.bug_hunt import CASES

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.build.__name__)


def watched(model, step, steps=12):
    evidence = Evidence(model)
    for _ in range(steps):
        with train_step(evidence) as seen:
            seen.loss = step()
    return evidence


def fits(evidence):
    return [found.suspect for found in findings(evidence).values() if found.fits]


# ---------------------------------------------------------------------------- the eight networks


@ENGINES
@each_case
def test_one_suspect_fits_and_it_is_the_culprit(case, engine):
    assert fits(watched(*build(case, engine))) == [case.culprit]


@each_case
def test_the_evidence_is_the_same_in_pytorch(case):
    ours, theirs = (watched(*build(case, engine), 6) for engine in (autogradlab, torch))
    assert ours.names == theirs.names and ours.shapes == theirs.shapes
    for a, b in zip(ours.steps, theirs.steps, strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-4)
        assert a.promised == pytest.approx(b.promised, rel=1e-3, abs=1e-12)
        assert a.dead == b.dead and a.called == b.called and a.behind == b.behind
        for x, y in zip(a.parameters, b.parameters, strict=True):
            for name in ("came", "left", "held", "weight", "moved"):
                mine, yours = getattr(x, name), getattr(y, name)
                assert (mine is None) == (yours is None)
                assert mine is None or mine == pytest.approx(yours, rel=1e-3, abs=1e-9)
            assert x.zeros == y.zeros
    for suspect in SUSPECTS:
        assert str(examine(ours, suspect)) == str(examine(theirs, suspect))


def test_gradients_and_moves_are_what_a_plain_loop_finds():
    model, step = build(CASES[1], torch)  # without zero_grad: .grad is more than what came
    evidence = watched(model, step, 3)
    model, step = build(CASES[1], torch)
    last = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for seen in evidence.steps:
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        loss = step()
        assert seen.loss == pytest.approx(loss.item())
        promised = 0.0
        for name, p, x in zip(evidence.names, model.parameters(), seen.parameters, strict=True):
            came = p.grad - last[name]
            assert x.came == pytest.approx(came.norm().item())
            assert x.held == pytest.approx(p.grad.norm().item())
            assert x.moved == pytest.approx((p.detach() - before[name]).norm().item())
            promised += (came * (p.detach() - before[name])).sum().item()
            last[name] = p.grad.clone()
        assert seen.promised == pytest.approx(promised)


@ENGINES
@each_case
def test_the_mended_network_clears_everyone_and_learns(case, engine):
    names = {**vars(__import__("autogradlab.lessons.broken").lessons.broken)}
    exec(compile(case.mended_source, "mended", "exec"), names)
    mended = type(case)(names[case.build.__name__], "", "", "")
    evidence = watched(*build(mended, engine))
    assert case.mended_source != case.source
    assert fits(evidence) == []
    assert evidence.losses[-1] < evidence.losses[0]


# ------------------------------------------------------------------------------- healthy training


def loop(engine, model, loss_of, optimizer):
    def step():
        loss = loss_of(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def healthy(engine):
    """Name, model and step of trainings with nothing wrong."""
    nn, F = engine.nn, engine.nn.functional
    engine.manual_seed(1)
    x, y, kind = engine.randn(16, 8), engine.randn(16, 1), engine.arange(16) % 4
    image = engine.randn(8, 3, 8, 8)
    token = engine.arange(96).reshape(16, 6) % 20
    adam = lambda m: engine.optim.Adam(m.parameters(), lr=1e-2)  # noqa: E731
    sgd = lambda m: engine.optim.SGD(m.parameters(), lr=0.05, momentum=0.9)  # noqa: E731

    def mlp(*between):
        return nn.Sequential(
            nn.Linear(8, 32), nn.ReLU(), *between, nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def deep(act):
        layers = [layer for _ in range(10) for layer in (nn.Linear(8, 8), act())]
        return nn.Sequential(*layers, nn.Linear(8, 1))

    def fresh(m):
        x = engine.randn(16, 8)
        return F.mse_loss(m(x), x.sum(1, keepdim=True))

    squared = lambda m: F.mse_loss(m(x), y)  # noqa: E731
    plan = {
        "sgd": (mlp, squared, sgd),
        "adam": (mlp, squared, adam),
        "fresh batches": (mlp, fresh, sgd),
        "dropout": (lambda: mlp(nn.Dropout(0.5)), squared, adam),
        "deep tanh": (lambda: deep(nn.Tanh), squared, adam),
        "deep relu": (lambda: deep(nn.ReLU), squared, adam),
        "convolutions": (
            lambda: nn.Sequential(
                nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3),
                nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4),
            ),
            lambda m: F.cross_entropy(m(image), kind[:8]),
            sgd,
        ),
        "embedding": (
            lambda: nn.Sequential(
                nn.Embedding(500, 16), nn.ReLU(), nn.Flatten(), nn.Linear(96, 4)
            ),
            lambda m: F.cross_entropy(m(token), kind),
            adam,
        ),
    }  # fmt: skip
    for name, (make, loss_of, optimizer) in plan.items():
        engine.manual_seed(0)
        model = make()
        yield name, *loop(engine, model, loss_of, optimizer(model))

    model = mlp()
    nn.init.zeros_(model[-1].weight)  # so the first gradients of all before it are exactly 0
    yield "head of zeros", *loop(engine, model, squared, adam(model))

    heads = nn.ModuleList([mlp(), mlp()])
    weighted = lambda m: squared(m[0]) + 0 * squared(m[1])  # noqa: E731
    yield "second loss of weight 0", *loop(engine, heads, weighted, sgd(heads))

    parts = mlp()
    optimizer = sgd(parts)

    def accumulate():
        optimizer.zero_grad()
        for i in range(4):
            loss = F.mse_loss(parts(x[4 * i : 4 * i + 4]), y[4 * i : 4 * i + 4]) / 4
            loss.backward()
        optimizer.step()
        return loss

    yield "accumulated within a step", parts, accumulate
    across, count = mlp(), itertools.count(1)
    slow = sgd(across)

    def every_fourth():
        loss = squared(across)
        loss.backward()
        if next(count) % 4 == 0:
            slow.step()
            slow.zero_grad()
        return loss

    yield "accumulated across steps", across, every_fourth
    last = mlp()
    zeroing = sgd(last)

    def at_the_end():
        loss = squared(last)
        loss.backward()
        zeroing.step()
        zeroing.zero_grad(set_to_none=False)
        return loss

    yield "emptied at the end", last, at_the_end
    if engine is torch:
        yield from of_torch(adam, sgd, kind, x)


def of_torch(adam, sgd, kind, x):
    """Models that ship with PyTorch."""
    nn, S = torch.nn, torch.randn(16, 6, 16)
    layer = dict(d_model=16, nhead=4, dim_feedforward=32, batch_first=True)
    plan = {
        "lstm": (lambda: nn.LSTM(16, 12, 2, batch_first=True), lambda m: m(S)[0][:, -1]),
        "gru": (lambda: nn.GRU(16, 12, batch_first=True), lambda m: m(S)[0][:, -1]),
        "encoder": (
            lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(**layer, dropout=0.0), 4),
            lambda m: m(S)[:, 0],
        ),
        "decoder": (
            lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(**layer), 2),
            lambda m: m(S, S)[:, 0],
        ),
        "transformer": (
            lambda: nn.Transformer(16, 4, 2, 2, 32, batch_first=True),
            lambda m: m(S, S)[:, 0],
        ),
        "attention": (
            lambda: nn.MultiheadAttention(16, 4, batch_first=True),
            lambda m: m(S, S, S)[0][:, 0],
        ),
        "bilinear": (lambda: nn.Bilinear(8, 8, 4), lambda m: m(x, x)),
    }
    for (name, (make, out)), optimizer in itertools.product(plan.items(), (sgd, adam)):
        torch.manual_seed(0)
        model = make()
        loss_of = lambda m, out=out: torch.nn.functional.cross_entropy(out(m)[:, :4], kind)  # noqa: E731
        yield name, *loop(torch, model, loss_of, optimizer(model))


@ENGINES
def test_a_healthy_training_is_never_accused(engine):
    count = 0
    for name, model, step in healthy(engine):
        evidence = watched(model, step)
        assert fits(evidence) == [], name
        assert all(str(found) for found in findings(evidence).values())
        count += 1
    assert count == (27 if engine is torch else 13)


@ENGINES
def test_frozen_on_purpose_is_said_to_be_right_for_fine_tuning(engine):
    engine.manual_seed(0)
    model = engine.nn.Sequential(engine.nn.Linear(2, 4), engine.nn.ReLU(), engine.nn.Linear(4, 1))
    model[0].requires_grad_(False)
    optimizer = engine.optim.SGD(model[2].parameters(), lr=0.1)
    evidence = watched(*loop(engine, model, lambda m: m(engine.ones(3, 2)).mean(), optimizer))
    assert fits(evidence) == ["frozen"]
    assert "Right for fine-tuning." in str(examine(evidence, "frozen"))
    assert "it asks for none" in str(examine(evidence, "detach"))


# ------------------------------------------------------------------------ errors, warnings, traces


@ENGINES
def test_an_error_is_evidence(engine):
    model = engine.nn.Linear(2, 2)

    def overwrites():
        h = model(engine.ones(3, 2)).sigmoid()
        h.mul_(2)
        h.sum().backward()

    def detaches():
        model(engine.ones(3, 2)).detach().sum().backward()

    for step, suspect in ((overwrites, "in-place"), (detaches, "detach")):
        evidence = Evidence(model)
        with pytest.raises(RuntimeError) as raised, train_step(evidence):
            step()
        assert fits(evidence) == [suspect]
        assert str(raised.value).partition("\n")[0][:60] in str(examine(evidence, suspect))


def test_pytorchs_warning_of_a_target_size_is_evidence_and_still_heard():
    model = torch.nn.Linear(2, 1)
    evidence = Evidence(model)
    with pytest.warns(UserWarning, match="target size"), train_step(evidence) as seen:
        seen.loss = torch.nn.functional.mse_loss(model(torch.ones(3, 2)), torch.zeros(3))
        seen.loss.backward()
    assert examine(evidence, "broadcast").fits


@ENGINES
@pytest.mark.parametrize("fails", [False, True])
def test_a_run_leaves_no_trace(engine, fails):
    engine.manual_seed(0)
    nn = engine.nn
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 1))
    optimizer = engine.optim.Adam(model.parameters(), lr=0.1)
    data = engine.ones(5, 4)

    def step():
        loss = model(data + engine.randn(5, 4)).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        random.random(), np.random.rand()
        model.eval()
        return loss

    step()
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    grads = [(p.grad, p.grad.clone()) for p in model.parameters()]
    memory = {p: {k: engine.as_tensor(v).clone() for k, v in s.items()}
              for p, s in optimizer.state.items()}  # fmt: skip
    states = engine.get_rng_state().clone(), np.random.get_state()[1].copy(), random.getstate()
    try:
        with restored(model):
            watched(model, step, 3)
            assert not engine.equal(model[0].weight, before["0.weight"])
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert all(engine.equal(v, before[k]) for k, v in model.state_dict().items())
    for p, (grad, copy) in zip(model.parameters(), grads, strict=True):
        assert p.grad is grad and engine.equal(grad, copy)
    for p, entries in memory.items():
        assert all(engine.equal(engine.as_tensor(optimizer.state[p][k]), v)
                   for k, v in entries.items())  # fmt: skip
    assert engine.equal(engine.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all() and random.getstate() == states[2]
    assert model.training and not any(m._forward_hooks for m in model.modules())
    left = [getattr(p, "extras", None) for p in model.parameters()]  # ours
    left = [extras.tensor for extras in left if extras]
    assert not any(left + [getattr(p, "_backward_hooks", None) for p in model.parameters()])


def test_no_such_suspect_and_no_step_yet():
    evidence = Evidence(autogradlab.nn.Linear(1, 1))
    assert str(examine(evidence, "detach")) == "No step has been seen yet."
    with pytest.raises(ValueError, match="there is no suspect 'gremlins'"):
        examine(evidence, "gremlins")
    with pytest.raises(ValueError, match="has no parameters"):
        Evidence(autogradlab.nn.ReLU())
    with pytest.raises(TypeError, match="expected a model"):
        Evidence("model")
