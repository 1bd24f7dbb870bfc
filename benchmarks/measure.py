"""How it is measured: in one process, in turns, one thread, medians; memory in its own process.

Run as a program with a task's number and an engine, it prints the peak memory of one run above the
level just before it, in KB.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .tasks import Run, Task, tasks

ROUND = 0.05  # seconds that one engine runs before it is the next one's turn, or one run if longer


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
            result = np.asarray(run())
        except (ImportError, RecursionError) as error:
            ready[name] = type(error).__name__
            continue
        expected = result if expected is None else expected
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5, err_msg=name)
        ready[name] = run
    return ready


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


def memory(number: int, engine: str) -> float | None:
    """Peak memory of one run of a task in KB, in a fresh process; None where it cannot be told."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.measure", str(number), engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def peak(run: Callable[[], Any], warm_up: Callable[[], Any]) -> int:
    """Peak memory of a run above the level before it, in KB, as Linux counts; a small run before
    that loads and caches what is not the step's."""
    warm_up()
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    run()
    return max(0, status("VmHWM") - before)


def status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def rows(chosen: list[Task], rounds: int, with_memory: bool) -> Iterator[list[str]]:
    """The table, line by line."""
    names = list(dict.fromkeys(name for task in chosen for name in task.engines))
    others = [name for name in names if name not in ("torch", "autogradlab")]
    yield ["task", "torch", "autogradlab", "ratio", "aim", *others, "memory, ratio (≤ 1)"]
    for number, task in enumerate(chosen):
        found = seconds(task, rounds)
        shown = {name: told(value, task.per) for name, value in found.items()}
        speed = judged(found["autogradlab"] / found["torch"], task.aim)
        line = [task.name, shown["torch"], shown["autogradlab"], speed, f"≤ {task.aim:g}"]
        memory_ratio = "–"
        if with_memory:
            theirs, ours = (memory(number, name) for name in ("torch", "autogradlab"))
            if theirs is not None and max(theirs, ours) >= 256:  # below, the pages decide
                memory_ratio = judged(ours / max(theirs, 1), 1)
        yield [*line, *(shown.get(name, "") for name in others), memory_ratio]


def judged(ratio: float, aim: float) -> str:
    return f"{ratio:.2f} {'✓' if ratio <= aim else '✗'}"


def told(value: float | str, per: int) -> str:
    """A time as text: per operation in µs, or of the whole in ms."""
    if isinstance(value, str):
        return value
    return f"{value / per * 1e6:.2f} µs/op" if per > 1 else f"{value * 1e3:.2f} ms"


if __name__ == "__main__":
    with one_thread():
        number, engine = int(sys.argv[1]), sys.argv[2]
        run, small = (each[number].engines[engine]() for each in (tasks(), tasks(0.01)))
        print(peak(run, small))
