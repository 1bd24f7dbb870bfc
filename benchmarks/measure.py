"""How it is measured: in one process, in turns, one thread, medians; memory in its own process.

Run as a program with a task's name and an engine, it prints the peak memory of one run above the
level just before it, in KB.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from . import networks, tasks
from .networks import HAND
from .tasks import Run, Task

ROUND = 0.05  # seconds that one engine runs before it is the next one's turn, or one run if longer
HAND_AIM = 1.5  # the ratio to NumPy by hand that is to be reached


def every_task(scale: float = 1.0) -> list[Task]:
    """All there is to measure; a `scale` below 1 makes it small enough for a test."""
    return [*tasks.tasks(scale), *networks.networks(scale)]


@dataclass(frozen=True)
class Result:
    """What was measured for a task: seconds of a run by engine, or why there are none; peak memory
    as a ratio to torch's, None if not measured or too small to tell."""

    task: Task
    seconds: dict[str, float | str]
    memory: float | None

    def ratio(self, to: str = "torch", of: str = "autogradlab") -> float | None:
        """How many times as long one engine takes as another; None if either does not run."""
        a, b = self.seconds.get(of), self.seconds.get(to)
        return a / b if isinstance(a, float) and isinstance(b, float) else None


def one_thread() -> Any:
    """Keep NumPy and torch to one thread."""
    import torch

    torch.set_num_threads(1)
    return threadpool_limits(1)


def set_up(task: Task) -> dict[str, Run | str]:
    """Every engine ready to run, with results that agree with torch's; the error of one that
    cannot.

    Raises:
        AssertionError: an engine gives another result than torch.
    """
    ready: dict[str, Run | str] = {}
    expected = None
    for name, make in task.engines.items():
        try:
            run = make()
            steps = [read(run()) for _ in range(task.compared)]
        except (ImportError, RecursionError) as error:
            ready[name] = type(error).__name__
            continue
        expected = steps if expected is None else expected
        for i, (found, theirs) in enumerate(zip(steps, expected, strict=True)):
            compare(found, theirs, task.tolerance * 10**i, name)
        ready[name] = run
    return ready


def read(result: Any) -> Any:
    """A result to keep, which no later run writes over."""
    if callable(result):
        return {name: np.array(x) for name, x in result().items()}
    return np.array(result)


def compare(found: Any, expected: Any, tolerance: float, engine: str) -> None:
    """Raise AssertionError if results differ: an array element by element; arrays by name each as a
    whole, by the length of the difference beside its own."""
    if not isinstance(expected, dict):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-5, err_msg=engine)
        return
    assert found.keys() == expected.keys(), f"{engine}: {found.keys() ^ expected.keys()}"
    for name, b in expected.items():
        a = np.asarray(found[name], np.float64)
        assert a.shape == b.shape, f"{engine}: {name} has shape {a.shape}, not {b.shape}"
        away, length = np.linalg.norm(a - b), np.linalg.norm(b)
        assert away <= tolerance * length, f"{engine}: {name} is {away / length:.1g} off"


def seconds(task: Task, rounds: int) -> dict[str, float | str]:
    """The median time of a run for each engine, in turns; or why there is none."""
    ready = set_up(task)
    runs = {name: run for name, run in ready.items() if not isinstance(run, str)}
    often = {name: max(1, int(ROUND / timed(run, 1))) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            gc.collect()  # what another engine has left behind is not this one's to clear
            times[name].append(timed(run, often[name]))
    return ready | {name: statistics.median(each) for name, each in times.items()}


def timed(run: Run, often: int) -> float:
    """Seconds for one run, on average over some."""
    start = time.perf_counter()
    for _ in range(often):
        run()
    return (time.perf_counter() - start) / often


def memory(task: Task, engine: str) -> float | None:
    """Peak memory of one run of a task in KB, in a fresh process; None where it cannot be told."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.measure", task.name, engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def peak(run: Callable[[], Any], warm_up: Callable[[], Any]) -> int:
    """Peak memory of a run above the level before it, in KB, as Linux counts; a small run before
    that loads and caches what is not the step's."""
    warm_up()
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # what the warm-up has freed must be asked for again
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    run()
    return max(0, status("VmHWM") - before)


def status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def results(chosen: list[Task], rounds: int, with_memory: bool) -> Iterator[Result]:
    """Each task measured, when its turn comes."""
    for task in chosen:
        found, ratio = seconds(task, rounds), None
        if with_memory:
            theirs, ours = (memory(task, name) for name in ("torch", "autogradlab"))
            if theirs is not None and max(theirs, ours) >= 256:  # below, the pages decide
                ratio = ours / max(theirs, 1)
        yield Result(task, found, ratio)


def others(chosen: list[Task]) -> list[str]:
    """The engines beside torch and ours."""
    names = dict.fromkeys(name for task in chosen for name in task.engines)
    return [name for name in names if name not in ("torch", "autogradlab", HAND)]


def heading(chosen: list[Task]) -> list[str]:
    return ["task", "torch", "autogradlab", "ratio", "aim", HAND, f"{HAND}, ratio (≤ {HAND_AIM})",
            *others(chosen), "memory, ratio (≤ 1)"]  # fmt: skip


def line(result: Result, chosen: list[Task]) -> list[str]:
    """A result as a line under the `heading`."""
    task = result.task
    shown = {name: told(value, task.per) for name, value in result.seconds.items()}
    return [
        task.name,
        shown["torch"],
        shown["autogradlab"],
        judged(result.ratio(), task.aim),
        f"≤ {task.aim:g}",
        shown.get(HAND, ""),
        judged(result.ratio(HAND), HAND_AIM),
        *(shown.get(name, "") for name in others(chosen)),
        judged(result.memory, 1),
    ]


def judged(ratio: float | None, aim: float) -> str:
    return "" if ratio is None else f"{ratio:.2f} {'✓' if ratio <= aim else '✗'}"


def told(value: float | str, per: int) -> str:
    """A time as text: per operation in µs, or of the whole in ms."""
    if isinstance(value, str):
        return value
    return f"{value / per * 1e6:.2f} µs/op" if per > 1 else f"{value * 1e3:.2f} ms"


if __name__ == "__main__":
    with one_thread():
        names = [task.name for task in every_task()]
        run, small = (
            each[names.index(sys.argv[1])].engines[sys.argv[2]]()
            for each in (every_task(), every_task(0.01))
        )
        print(peak(run, small))
