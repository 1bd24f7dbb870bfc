"""Schedules of the learning rate: fifty epochs here and in PyTorch, and the warnings."""

import gc
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autogradlab
from tests.engine.twins import ENGINES, assert_twins, run

START = """
from torch.optim import lr_scheduler as L
w = torch.tensor([1.0, 2.0], requires_grad=True)
b = torch.tensor([3.0], requires_grad=True)
o = torch.optim.SGD([{'params': [w], 'lr': 0.5}, {'params': [b]}], lr=0.1)
def epochs(s, n=50):
    rates = [s.get_last_lr()]
    for _ in range(n):
        o.step()
        s.step()
        rates.append(s.get_last_lr())
    return rates
"""
FACTORS = st.floats(0.01, 1.0)
SCHEDULES = {
    "StepLR": {"step_size": st.integers(1, 20), "gamma": st.floats(0.1, 1.5)},
    "MultiStepLR": {"milestones": st.lists(st.integers(0, 60)), "gamma": st.floats(0.1, 1.5)},
    "ExponentialLR": {"gamma": st.floats(0.1, 1.1)},
    "LinearLR": {
        "start_factor": FACTORS,
        "end_factor": st.floats(0.0, 1.0),
        "total_iters": st.integers(1, 60),
    },
    "CosineAnnealingLR": {"T_max": st.integers(1, 60), "eta_min": st.floats(0, 0.2)},
}


@st.composite
def schedules(draw):
    name = draw(st.sampled_from(list(SCHEDULES)))
    return name, {key: draw(values) for key, values in SCHEDULES[name].items()}


@settings(max_examples=100, deadline=None)
@given(schedules(), st.integers(0, 50))
def test_fifty_epochs_are_the_same_to_the_last_bit(schedule, at):
    """With a stop at some epoch, from which a new scheduler goes on."""
    name, options = schedule
    seen = []
    for engine in ENGINES:
        w = engine.zeros(2, requires_grad=True)
        optimizer = engine.optim.SGD([{"params": [w]}], lr=0.3)
        kind = getattr(engine.optim.lr_scheduler, name)
        scheduler = kind(optimizer, **options)
        rates = []
        for epoch in range(50):
            optimizer.step()
            scheduler.step()
            rates.append((scheduler.last_epoch, scheduler.get_last_lr()))
            if epoch == at:
                state = scheduler.state_dict()
                scheduler = kind(optimizer, **options, last_epoch=scheduler.last_epoch)
                rates += [repr(state), repr(scheduler.state_dict()), optimizer.param_groups]
                scheduler.load_state_dict(state)
        seen.append((rates, scheduler.state_dict(), optimizer.state_dict()))
    assert repr(seen[0]) == repr(seen[1])


@pytest.mark.parametrize(
    "code",
    [
        *(
            f"_s = L.{kind}; r = epochs(_s); g = o.param_groups[1]['lr']; d = _s.state_dict()"
            for kind in (
                "LambdaLR(o, lambda epoch: 0.95 ** epoch)",
                "LambdaLR(o, [lambda epoch: 1 / (1 + epoch), lambda epoch: epoch])",
                "StepLR(o, 10)",
                "MultiStepLR(o, [30, 5, 5])",
                "ExponentialLR(o, 0.9)",
                "LinearLR(o)",
                "LinearLR(o, 1.0, 0.0, 10)",
                "CosineAnnealingLR(o, 10)",
                "CosineAnnealingLR(o, T_max=7, eta_min=0.2)",
            )
        ),
        # two schedules of one optimizer multiply
        "_s, _t = L.ExponentialLR(o, 0.9), L.StepLR(o, 5); r = []\nfor _ in range(20):\n"
        "    o.step(); _s.step(); _t.step(); r.append((_s.get_last_lr(), _t.get_last_lr()))",
        # the schedule moves the parameters
        "_s = L.ExponentialLR(o, 0.5)\nfor _ in range(3):\n"
        "    o.zero_grad(); (w * w).sum().backward(); o.step(); _s.step()",
        # one's own schedule
        "class Root(L.LRScheduler):\n    def get_lr(self):\n"
        "        return [lr / (1 + self.last_epoch) ** 0.5 for lr in self.base_lrs]\n"
        "_s = Root(o); r = epochs(_s)",
        # state
        "class Half:\n    def __init__(self): self.by = 0.5\n"
        "    def __call__(self, epoch): return self.by ** epoch\n"
        "_s = L.LambdaLR(o, [Half(), Half()]); epochs(_s, 3); _s.lr_lambdas[0].by = 0.25\n"
        "d = _s.state_dict(); _t = L.LambdaLR(o, [Half(), Half()]); _t.load_state_dict(d)\n"
        "e = _t.state_dict(); r = epochs(_t, 3); k = list(d)",
        "_s = L.StepLR(o, 3); epochs(_s, 4); d = _s.state_dict()\n"
        "_t = L.StepLR(o, 9); _t.load_state_dict(d); n = _t.step_size; r = epochs(_t, 9)",
        "_s = L.StepLR(o, 3); d = o.state_dict(); q = torch.optim.SGD([w], 1.0); print(o)",
        # a copy of an optimizer steps itself
        "import copy\n_s = L.StepLR(o, 3); q = copy.deepcopy(o); w.grad = torch.ones(2); o.step()\n"
        "v = q.param_groups[0]['params'][0]; v.grad = torch.ones(2); q.step(); q.step()",
        # warnings
        "_s = L.StepLR(o, 3); _s.step(); o.step(); _s.step()",
        "_s = L.StepLR(o, 3); o.step(); _s.step(); _s.step()",
        "_s = L.LinearLR(o); r = _s.get_lr()",
        "_s = L.LambdaLR(o, lambda epoch: 1.0); r = _s.get_lr()",
        "_s = L.StepLR(o, 3)\ndef step(): return None\no.step = step; _s.step()",
    ],
)
def test_programs(code):
    assert_twins(START + code)
    assert not run(START + code, autogradlab)[1]


@pytest.mark.parametrize(
    "code",
    [
        "L.StepLR(w, 3)",
        "L.LambdaLR(o, [len])",
        "L.LinearLR(o, 0.0)",
        "L.LinearLR(o, 1.5)",
        "L.LinearLR(o, 0.5, -1.0)",
        "L.LinearLR(o, end_factor=1.5)",
        "L.StepLR(o, 3, last_epoch=5)",
        "epochs(L.StepLR(o, 0), 1)",
        "L.CosineAnnealingLR(o, 0)\nepochs(L.CosineAnnealingLR(o, 0), 3)",
        "_s = L.LRScheduler(o)",
    ],
)
def test_errors(code):
    assert_twins(START + code)
    assert run(START + code, autogradlab)[1]


def test_an_optimizer_with_a_schedule_is_no_reference_cycle():
    optimizer = autogradlab.optim.SGD([autogradlab.zeros(2, requires_grad=True)])
    scheduler = autogradlab.optim.lr_scheduler.StepLR(optimizer, 3)
    known = weakref.ref(optimizer)
    gc.disable()
    try:
        del optimizer, scheduler
        assert known() is None
    finally:
        gc.enable()
