"""The comparison of stored outputs can fail: a changed digit is found, and no cell is let off."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def corrupt(path: Path) -> nbformat.NotebookNode:
    """The lesson up to the first printed number, with another digit in it."""
    notebook = nbformat.read(path, as_version=4)
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and (digit := re.search(r"\d", output.text)):
                other = str((int(digit[0]) + 1) % 10)
                output.text = output.text[: digit.start()] + other + output.text[digit.end() :]
                notebook.cells = notebook.cells[: index + 1]
                return notebook
    raise AssertionError(f"{path.name} prints no number")


def test_a_changed_digit_is_found(tmp_path):
    some = LESSONS[2::6]
    for path in some:
        nbformat.write(corrupt(path), tmp_path / path.name)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["--nbval", "--nbval-cell-timeout=120", "-p", "no:cacheprovider", "--tb=line"]
    command = [sys.executable, "-m", "pytest", *options, "."]
    plain = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    run = subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert run.returncode == 1, run.stdout
    assert f"{len(some)} failed" in run.stdout.splitlines()[-1], run.stdout


def test_no_cell_is_exempt():
    """nbval leaves out what a comment or a tag of a cell tells it to."""
    for path in LESSONS:
        for cell in nbformat.read(path, as_version=4).cells:
            tags = " ".join(cell.metadata.get("tags", ())).lower()
            assert "nbval" not in tags and "NBVAL" not in cell.source, (path.name, cell.source)
            assert "raises-exception" not in tags, (path.name, cell.source)
