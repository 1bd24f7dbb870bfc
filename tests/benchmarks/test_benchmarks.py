"""The benchmarks run, compare results before they compare times, and can fail to."""

import dataclasses
import platform
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import report
from benchmarks.by_hand import SGD
from benchmarks.measure import (
    Result,
    compare,
    every_task,
    heading,
    line,
    peak,
    results,
    seconds,
    set_up,
)
from benchmarks.networks import HAND, networks

SMALL = every_task(0.01)
MLP = networks(0.01)[0]
PEERS = ("HIPS autograd", "MyGrad", "micrograd")  # installed for `make bench` only


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.name)
def test_results_agree_and_times_are_measured(task):
    found = seconds(task, 1)
    assert list(found) == list(task.engines)
    missing = {name for name, value in found.items() if not isinstance(value, float)}
    kinds = {found[name] for name in missing}
    assert missing <= set(PEERS) and kinds <= {"ModuleNotFoundError"}, found


def test_every_network_is_also_done_by_hand():
    names = [task.name.split()[0].partition("-")[0].strip(",") for task in networks(0.01)]
    assert names == ["MLP", "MLP", "ConvNet", "ResNet", "ResNet", "GPT"]
    assert all(HAND in task.engines for task in networks())


def test_another_result_is_no_ratio():
    wrong = {**SMALL[0].engines, "autogradlab": lambda: lambda: np.float32(7)}
    with pytest.raises(AssertionError, match="autogradlab"):
        set_up(dataclasses.replace(SMALL[0], engines=wrong))


@pytest.mark.parametrize(
    "wrong, words",
    [
        ("weight -= 0 * g", "Δ0.bias"),  # no step at all
        ("weight -= 0.01 * g", "Δ0.bias"),  # no momentum: the first step is right
        ("g *= 1.01; weight -= 0.01 * g", "0.bias"),
    ],
)
def test_another_step_is_no_ratio(monkeypatch, wrong, words):
    def update(self, name, weight, g):
        if name == "0.bias":
            exec(wrong, {"weight": weight, "g": g})
        else:
            right(self, name, weight, g)

    right = SGD.update
    monkeypatch.setattr(SGD, "update", update)
    with pytest.raises(AssertionError, match=f"{HAND}: {words} is"):
        set_up(MLP)


def test_results_of_other_names_or_shapes_differ():
    with pytest.raises(AssertionError, match=r"ours: \{'b'\}"):
        compare({"a": 1.0}, {"a": np.ones(()), "b": np.ones(2)}, 1e-4, "ours")
    with pytest.raises(AssertionError, match="ours: a has shape"):
        compare({"a": np.ones((1, 2))}, {"a": np.ones(2)}, 1e-4, "ours")


def test_an_engine_that_is_missing_or_recurses_is_named():
    def missing():
        raise ImportError

    def deep():
        raise RecursionError

    engines = {**SMALL[0].engines, "one": missing, "other": lambda: deep}
    found = seconds(dataclasses.replace(SMALL[0], engines=engines), 1)
    assert (found["one"], found["other"]) == ("ImportError", "RecursionError")


def test_the_table():
    chosen = [SMALL[0], MLP]
    head = heading(chosen)
    lines = [line(result, chosen) for result in results(chosen, 1, with_memory=False)]
    assert [len(each) for each in lines] == [len(head)] * 2
    assert [each[0] for each in lines] == [SMALL[0].name, MLP.name]
    ratio, by_hand = head.index("ratio"), head.index("NumPy by hand, ratio (≤ 1.5)")
    assert [each[ratio][-1] in "✓✗" for each in lines] == [True, True]
    assert lines[0][by_hand] == "" and lines[1][by_hand][-1] in "✓✗"


def test_a_ratio_is_judged_by_its_aim():
    def judged(torch, ours, hand, memory):
        result = Result(MLP, {"torch": torch, "autogradlab": ours, HAND: hand}, memory)
        cells = dict(zip(heading([MLP]), line(result, [MLP]), strict=True))
        return [cells[n] for n in ("ratio", f"{HAND}, ratio (≤ 1.5)", "memory, ratio (≤ 1)")]

    assert MLP.aim == 0.4
    assert judged(1.0, 0.4, 0.25, 1.0) == ["0.40 ✓", "1.60 ✗", "1.00 ✓"]
    assert judged(1.0, 0.41, 0.41, 1.1) == ["0.41 ✗", "1.00 ✓", "1.10 ✗"]
    assert judged(1.0, 0.41, "ImportError", None) == ["0.41 ✗", "", ""]


def test_the_page_and_the_plot(tmp_path):
    page = f"above\n{report.BEGIN}\nold\n{report.END}\nbelow"
    assert report.into(page, "new") == f"above\n{report.BEGIN}\nnew\n{report.END}\nbelow"
    with pytest.raises(ValueError, match="benchmarks"):
        report.into("above", "new")
    assert report.table([["a", "b"], ["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"
    assert f"Python {platform.python_version()}" in report.machine()
    assert f"NumPy {np.__version__}" in report.machine()
    path = tmp_path / "plot.png"
    report.plot([Result(MLP, {"torch": 1.0, "autogradlab": 0.5, "MyGrad": 3.0}, None)], path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_peak_memory_sees_what_a_run_needs():
    assert peak(lambda: np.ones(48_000_000, np.uint8).sum(), lambda: None) > 40_000


def test_memory_that_a_step_has_freed_serves_the_next():
    code = """
import resource
import autogradlab as torch
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
x, steps = torch.ones(1 << 20), []
for _ in range(8):
    before = faults()
    several = [x + i for i in range(4)]  # 16 MB, more than is kept if nothing is done about it
    del several
    steps.append(faults() - before)
print(min(steps))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100  # of 4,096 pages
