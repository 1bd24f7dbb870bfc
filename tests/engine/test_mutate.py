"""The tool behind `make mutate`: what nobody notices survives, and only that."""

import pytest

import autogradlab
from tools import mutate

KNOWN = [
    ("mul", "self", "times 1.01", "mul"),
    ("sum_dim", "self", "times -1", "sum"),
    ("floor", "self", "off by 0.01", "floor"),
    ("div", "other", "not summed", "div no_rounding_mode"),
    ("exp", "result", "not watched", "exp"),
    ("mul", "jvp", "tangent times 1.01", "mul"),
    ("sum_dim", "jvp", "tangent dropped", "sum"),
    ("floor", "jvp", "tangent off by 0.01", "floor"),
    ("exp", "batch", "of the first example", "exp"),
    ("sum_dim", "batch", "elementwise", "sum"),
    ("mul", "batch", "leading", "mul"),
]


@pytest.fixture(scope="module")
def samples() -> list[mutate.Test]:
    return list(mutate.samples({"neg", *(op for *_, op in KNOWN)}))


@pytest.mark.parametrize(("primitive", "part", "change", "op"), KNOWN)
def test_a_mutant_is_noticed_by_its_own_tests_only(samples, primitive, part, change, op):
    mutant = mutate.Mutant(primitive, part, change)
    survivor = mutate.judge(mutant, [])
    (line,) = mutate.report(mutate.Trial([]), [survivor])
    assert line == f"survives the 0 tests that use it: {mutant}"
    others = [test for test in samples if "of neg," in test.title]
    assert others
    assert mutate.judge(mutant, others).killer is None
    own = [test for test in samples if f"of {op}," in test.title]
    assert own
    killed = mutate.judge(mutant, own)
    assert killed.killer is not None
    assert mutate.report(mutate.Trial([]), [killed]) == []
    assert not any(test.fails() for test in own)  # the table is as it was


def test_watching_finds_who_uses_a_part(samples):
    seen: set[mutate.Part] = set()
    with mutate.watched(seen):
        x = autogradlab.ones(2, 3, requires_grad=True)
        y = autogradlab.ones(3, requires_grad=True)
        (x * y).sum().backward()
    assert seen == {("mul", "self"), ("mul", "other"), ("mul", "fit other"), ("sum_all", "self")}
