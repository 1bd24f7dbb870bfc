"""Read submitted notebooks, run each on its own, and write down what every checker said.

`python -m autogradlab grade FOLDER` runs every notebook below FOLDER in a process of its own, with
limits of time and memory, and writes a table: notebook, exercise, verdict, diagnosis. A notebook
that cannot be read, stops or never ends is a row of that table.

**It is no sandbox.** A notebook runs with all your rights, and can read and write your files or
change its own checkers: grade only what you would run yourself, else in a container.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .exercise import Exercise, Verdict

COLUMNS = ("notebook", "exercise", "verdict", "diagnosis")
LESSON = re.compile(r"from autogradlab\.lessons import (\w+) as exercises")
Row = tuple[str, str, str]  # exercise, verdict, diagnosis


def main(arguments: Sequence[str]) -> int:
    """The command line of `grade`; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m autogradlab grade",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="submitted notebooks, in any folders below it")
    parser.add_argument("--output", type=Path, default=Path("grades.csv"), metavar="FILE")
    parser.add_argument("--seconds", type=float, default=300, help="for one notebook (300)")
    parser.add_argument("--memory", type=float, default=4, help="in GB, for one notebook (4)")
    given = parser.parse_args(arguments)
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is no folder")
    if not given.output.absolute().parent.is_dir():
        parser.error(f"the folder of {given.output} does not exist")
    found = sorted(given.folder.rglob("*.ipynb"))
    paths = [path for path in found if ".ipynb_checkpoints" not in path.parts]
    if not paths:
        parser.error(f"there is no notebook in {given.folder}")
    print("This is no sandbox: the notebooks run with all your rights.", file=sys.stderr)
    if not _memory_limit():
        print("Memory is not limited: this system offers no limit.", file=sys.stderr)
    rows = []
    for path in _with_bar(paths):
        name = path.relative_to(given.folder).as_posix()
        rows += [(name, *row) for row in grade(path, given.seconds, given.memory)]
    _write(given.output, rows)
    right = sum(row[2] == "right" for row in rows)
    print(f"{len(paths)} notebooks, {right} exercises right: {given.output}")
    return 0


def grade(path: Path, seconds: float = 300, memory: float = 4) -> list[Row]:
    """What the checkers say of one notebook, run in a process of its own.

    Args:
        path: the notebook.
        seconds, memory: the limits of the whole run; memory in GB, where the system has a limit.

    Returns:
        (exercise, verdict, diagnosis) for each exercise of its lesson, in their order; then one row
        for each cell that raised, and one if it had to be stopped. Verdicts are "right", "not yet",
        "not tried", "error", and "broken" for what is no lesson.
    """
    try:
        sources = _cells(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return [("", "broken", f"no notebook: {type(error).__name__}: {error}")]
    module = _lesson(sources)
    if module is None:
        return [("", "broken", "no lesson: no cell imports the exercises of one")]
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes.jsonl")
        ended = _run(path.absolute(), notes, Path(folder), seconds, memory)
        told = [json.loads(line) for line in notes.read_text("utf-8").splitlines()]
    verdicts = {title: (title, state, text) for kind, title, state, text in told if kind == "check"}
    rows = [
        verdicts.get(each.title, (each.title, "not tried", "its check did not run"))
        for each in exercises_of(module)
    ]
    rows += [(title, state, text) for kind, title, state, text in told if kind == "cell"]
    return [*rows, ("", "error", ended)] if ended else rows


def exercises_of(module: ModuleType) -> list[Exercise]:
    return [each for each in vars(module).values() if isinstance(each, Exercise)]


def _cells(path: Path) -> list[str]:
    """The sources of the code cells of a notebook file."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return ["".join(source) for source in code]


def _lesson(sources: Sequence[str]) -> ModuleType | None:
    """The exercises that a notebook imports, if they are ours."""
    found = LESSON.search("\n".join(sources))
    folder = Path(__file__).parent
    if found is None or not (folder / f"{found[1]}.py").is_file():
        return None
    return importlib.import_module(f"{__package__}.{found[1]}")


def _run(path: Path, notes: Path, folder: Path, seconds: float, memory: float) -> str:
    """Run the worker below; "" if it ended by itself, else why it did not."""
    notes.touch()
    command = [sys.executable, "-m", "autogradlab.lessons.grade", str(path), str(notes)]
    root = str(Path(__file__).parents[2])  # the same autogradlab, installed or not
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    worker = subprocess.Popen(
        [*command, str(memory)],
        cwd=folder,  # what it writes beside itself goes with the folder
        env=os.environ
        # In a locale of ASCII alone a cell could not even print ✓.
        | {"PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"}
        | {"MPLBACKEND": "agg", "IPYTHONDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = worker.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"stopped after {seconds:g} s"
    finally:
        _end(worker)
    return "" if code == 0 else f"the process ended with code {code}"


def _end(worker: subprocess.Popen[bytes]) -> None:
    """End the worker and whatever it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
    else:
        worker.kill()
    worker.wait()


def _memory_limit() -> Any:
    """The module that limits memory; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    return resource


def _with_bar(paths: Sequence[Path]) -> Iterator[Path]:
    """The paths, with a progress bar where tqdm is installed, else with a line for each."""
    try:
        from tqdm import tqdm
    except ImportError:
        for i, path in enumerate(paths, 1):
            print(f"{i} of {len(paths)}: {path.name}", file=sys.stderr, flush=True)
            yield path
    else:
        yield from tqdm(paths, unit="notebook")


def _write(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    """The table, whole or not at all. A spreadsheet takes what begins with = or + for a formula:
    here nothing does."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        table.writerow([f"'{x}" if x.startswith(("=", "+", "-", "@", "\t")) else x for x in row])
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text.getvalue(), "utf-8")
    beside.replace(path)


# -------------------------------------------------------------------------------- in the worker


def work(path: Path, notes: Path, memory: float) -> None:
    """Run the cells of a notebook one after the other, and note what the checkers say."""
    if limit := _memory_limit():
        size = int(memory * 2**30)
        limit.setrlimit(limit.RLIMIT_DATA, (size, size))
    from IPython.core.interactiveshell import InteractiveShell

    check = Exercise.check

    def note(kind: str, title: str, state: str, text: str) -> None:
        with notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps([kind, title, state, text]) + "\n")

    def noted(self: Exercise, answer: Any) -> Verdict:
        verdict = check(self, answer)
        note("check", self.title, verdict.state, verdict.text)
        return verdict

    Exercise.check = noted
    shell = InteractiveShell.instance()
    for number, source in enumerate(_cells(path), 1):
        result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            note("cell", f"code cell {number}", "error", text)


if __name__ == "__main__":
    _, notebook, noted_in, gigabytes = sys.argv
    work(Path(notebook), Path(noted_in), float(gigabytes))
