"""The lessons' text sources keep the grammar of a lesson, and each solution they print is right."""

import importlib
import itertools
import re
import tomllib
from pathlib import Path

import jupytext
import pytest

import autogradlab
from autogradlab.lessons import Exercise
from tests.lessons.solutions import DETAILS, solutions, stubs

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PROJECT = tomllib.loads((NOTEBOOKS.parent / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY, TAG = PROJECT["urls"]["Repository"], f"v{autogradlab.__version__}"
MODULES = {  # the exercises of 04_chain_rule are in autogradlab/lessons/chain_rule.py
    path.stem: importlib.import_module(f"autogradlab.lessons.{path.stem.partition('_')[2]}")
    for path in sorted(NOTEBOOKS.glob("[0-9]*.py"))
}


@pytest.fixture(params=sorted(NOTEBOOKS.glob("[0-9]*.py")), ids=lambda path: path.stem)
def lesson(request):
    return request.param


@pytest.fixture
def cells(lesson):
    return jupytext.read(lesson).cells


def test_untouched_stubs_are_not_tried_and_solutions_are_right(lesson, cells):
    module = MODULES[lesson.stem]
    answers = solutions(cells)
    solved = {"torch": autogradlab}  # a solution may call those before it
    for i, exercise, name in stubs(cells):
        names = {"exercises": module, "torch": autogradlab}
        exec(cells[i].source.rpartition("exercises.")[0], names)
        each = getattr(module, exercise)
        assert repr(each.check(names[name])) == "not tried yet"
        exec(answers[name].pop(0), solved)
        assert each.check(solved[name]).state == "right", exercise
    assert not any(answers.values())


def test_the_lesson_asks_every_exercise_once(lesson, cells):
    asked = [exercise for _, exercise, _ in stubs(cells)]
    offered = [name for name, e in vars(MODULES[lesson.stem]).items() if isinstance(e, Exercise)]
    assert asked == offered


def test_every_exercise_has_difficulty_time_two_hints_and_a_solution(cells):
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    exercises = re.split(r"^#+ (?=Exercise \d)", text, flags=re.MULTILINE)[1:]
    assert 3 <= len(exercises) <= 5
    for each in exercises:
        assert re.search(r"^\*Difficulty ●[●○]{4} · \d+ minutes?\*$", each, re.MULTILINE)
        assert [t for t, _ in DETAILS.findall(each)] == ["Hint 1", "Hint 2", "Solution"]


def test_prose_between_two_code_cells_is_short(cells):
    words = 0
    for cell in cells:
        if cell.cell_type == "markdown":
            words += len(DETAILS.sub("", re.sub(r"\]\([^)]*\)", "]", cell.source)).split())
        else:
            assert words <= 90, f"{words} words before {cell.source}"
            words = 0


def test_set_up_is_silent_and_the_same_everywhere(cells):
    first = next(cell.source for cell in cells if cell.cell_type == "code")
    reference = jupytext.read(NOTEBOOKS / "00_start_here.py").cells
    assert first == next(cell.source for cell in reference if cell.cell_type == "code")
    assert first.endswith("import autogradlab as torch")
    assert f'"git+{REPOSITORY}@{TAG}"' in first


def test_headings_links_and_opening(lesson, cells):
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    levels = [len(h) for h in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        path = NOTEBOOKS / target
        assert (path.with_suffix(".py") if path.suffix == ".ipynb" else path).exists(), target
    assert "![" not in text  # an image on another host is a request a lesson does not make
    where = REPOSITORY.removeprefix("https://github.com/")
    page = f"notebooks/{lesson.stem}.ipynb"
    assert f"](https://colab.research.google.com/github/{where}/blob/{TAG}/{page})" in text
    assert f"](https://mybinder.org/v2/gh/{where}/{TAG}?urlpath=lab/tree/{page})" in text
    for part in ("**Afterwards you can**", "**Time:**", "**You need:**", "warm-up", "## Recap"):
        assert part in text
