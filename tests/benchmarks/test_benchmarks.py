"""The benchmarks run, compare results before they compare times, and can fail to."""

import dataclasses

import numpy as np
import pytest

from benchmarks.measure import peak, rows, seconds, set_up
from benchmarks.tasks import tasks

SMALL = tasks(0.01)


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.name)
def test_results_agree_and_times_are_measured(task):
    found = seconds(task, 1)
    assert found["torch"] > 0 and found["autogradlab"] > 0


def test_another_result_is_no_ratio():
    wrong = {**SMALL[0].engines, "autogradlab": lambda: lambda: np.float32(7)}
    with pytest.raises(AssertionError, match="autogradlab"):
        set_up(dataclasses.replace(SMALL[0], engines=wrong))


def test_an_engine_that_is_missing_or_recurses_is_named():
    def missing():
        raise ImportError

    def deep():
        raise RecursionError

    engines = {**SMALL[0].engines, "one": missing, "other": lambda: deep}
    found = seconds(dataclasses.replace(SMALL[0], engines=engines), 1)
    assert (found["one"], found["other"]) == ("ImportError", "RecursionError")


def test_the_table():
    head, line = rows(SMALL[-1:], 1, with_memory=False)
    assert len(head) == len(line)
    assert line[0] == SMALL[-1].name and line[3][-1] in "✓✗"


def test_peak_memory_sees_what_a_run_needs():
    # more than malloc ever takes from memory the process already has
    assert peak(lambda: np.ones(48_000_000, np.uint8).sum(), lambda: None) > 40_000
