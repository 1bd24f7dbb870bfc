"""Grading a folder of submitted notebooks: every one is a row, whatever is in it."""

import csv
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autogradlab.lessons import jacobians
from autogradlab.lessons.grade import exercises_of, grade, main
from tests.lessons.solutions import solved

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
IMPORT = "from autogradlab.lessons import jacobians as exercises"
TITLES = [each.title for each in exercises_of(jacobians)]


def submit(path: Path, *sources: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [new_markdown_cell("# 06"), *map(new_code_cell, sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_solved_lesson_is_right_and_an_untouched_one_not_tried(tmp_path):
    untouched = NOTEBOOKS / "06_jacobians.ipynb"
    path = tmp_path / "solved.ipynb"
    nbformat.write(solved(nbformat.read(untouched, as_version=4)), path)
    assert [row[:2] for row in grade(path)] == [(title, "right") for title in TITLES]
    assert {row[1:] for row in grade(untouched)} == {("not tried", "not tried yet")}


def test_what_is_said_of_a_wrong_answer_is_in_the_table_and_the_last_check_counts(tmp_path):
    wrong = jacobians.passes.mistakes[0].gives
    check = "exercises.passes.check(%r)"
    right = tuple(jacobians.passes.right.tolist())
    path = submit(tmp_path / "a.ipynb", IMPORT, check % (right,), check % (wrong,))
    rows = {title: (verdict, text) for title, verdict, text in grade(path)}
    assert rows.pop(jacobians.passes.title) == ("not yet", repr(jacobians.passes.check(wrong)))
    assert set(rows.values()) == {("not tried", "its check did not run")}


def test_a_cell_that_raises_is_a_row_and_the_next_cells_run(tmp_path):
    cells = ["undefined", "def f(:", "import sys; sys.exit(3)", "exercises.product.check([8, 22])"]
    rows = grade(submit(tmp_path / "a.ipynb", IMPORT, *cells))
    assert (jacobians.product.title, "right") in [row[:2] for row in rows]
    errors = [row for row in rows if row[1] == "error"]
    assert [row[0] for row in errors] == ["code cell 2", "code cell 3", "code cell 4"]
    assert errors[0][2] == "NameError: name 'undefined' is not defined"
    assert errors[1][2].startswith("SyntaxError: ")
    assert errors[2][2] == "SystemExit: 3"


@pytest.mark.parametrize(
    "cell, told",
    [
        ("while True: pass", "stopped after 12 s"),
        ("import subprocess; subprocess.run(['sleep', '60'])", "stopped after 12 s"),
        ("import os; os._exit(7)", "the process ended with code 7"),
        ("import os; os.kill(os.getpid(), 11)", "the process ended with code -11"),
    ],
)
def test_a_notebook_that_never_ends_or_crashes_keeps_what_was_said_before(tmp_path, cell, told):
    path = submit(tmp_path / "a.ipynb", IMPORT, "exercises.product.check([8, 22])", cell)
    rows = grade(path, seconds=12)
    assert (jacobians.product.title, "right") in [row[:2] for row in rows]
    assert rows[-1] == ("", "error", told)


def test_memory_is_limited(tmp_path):
    rows = grade(submit(tmp_path / "a.ipynb", IMPORT, "x = bytearray(3 * 2**30)"), memory=2)
    assert rows[-1] == ("code cell 2", "error", "MemoryError:")
    rows = grade(submit(tmp_path / "a.ipynb", IMPORT, "x = bytearray(3 * 2**30)"), memory=4)
    assert rows[-1][1] == "not tried"


@pytest.mark.parametrize(
    "content, told",
    [
        ("", "no notebook: JSONDecodeError"),
        ("[1]", "no notebook: TypeError"),
        ('{"cells": [{"cell_type": "code"}]}', "no notebook: KeyError"),
        ('{"cells": []}', "no lesson: "),
        ("\udcff", "no notebook: UnicodeDecodeError"),
    ],
)
def test_what_is_no_lesson_is_a_row(tmp_path, content, told):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    ((exercise, verdict, text),) = grade(path)
    assert (exercise, verdict) == ("", "broken") and text.startswith(told)
    outside = submit(path, "from autogradlab.lessons import nothing_like_it as exercises")
    assert grade(outside) == [("", "broken", "no lesson: no cell imports the exercises of one")]


def test_the_table_of_a_folder(tmp_path, capsys):
    utf8 = sys.getfilesystemencoding() == "utf-8"  # not in `make bare`
    name = "Zoë Nn" if utf8 else "Zoe Nn"
    cells = "exercises.product.check([8, 22])", "a = 1 / 0"
    submit(tmp_path / f"in/{name}/06.ipynb", IMPORT, *cells)
    submit(tmp_path / "in/.ipynb_checkpoints/06.ipynb", IMPORT)
    (tmp_path / "in/=cmd().ipynb").write_text("{")
    output = tmp_path / "out.csv"
    assert main([str(tmp_path / "in"), "--output", str(output)]) == 0
    head, broken, *rows = table(output)
    assert head == ["notebook", "exercise", "verdict", "diagnosis"]
    assert broken[0] == "'=cmd().ipynb" and broken[2] == "broken"  # no formula of a spreadsheet
    assert [row[:2] for row in rows] == [
        *([f"{name}/06.ipynb", title] for title in TITLES),
        [f"{name}/06.ipynb", "code cell 3"],
    ]
    said = capsys.readouterr()
    assert "no sandbox" in said.err
    assert said.out == f"2 notebooks, 1 exercises right: {output}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out.csv"}


@pytest.mark.parametrize("arguments", [["nowhere"], ["."], [".", "--output", "no/where.csv"]])
def test_a_folder_that_is_not_there_or_empty_is_an_error(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command():
    command = [sys.executable, "-m", "autogradlab"]
    usage = subprocess.run(command, capture_output=True, text=True)
    assert usage.returncode == 1 and "grade FOLDER" in usage.stderr
    told = subprocess.run([*command, "grade", "--help"], capture_output=True, text=True)
    assert told.returncode == 0 and "It is no sandbox" in told.stdout
