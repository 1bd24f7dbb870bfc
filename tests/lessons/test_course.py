"""The pages about the course say what the lessons say: titles, times, prerequisites, words."""

import itertools
import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[2]
LESSONS = sorted(ROOT.glob("notebooks/[0-9]*.py"))
COURSE, GLOSSARY = ROOT / "notebooks/README.md", ROOT / "docs/glossary.md"


def prose(path: Path) -> str:
    cells = jupytext.read(path).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"\s+", " ", text)


def rows(path: Path) -> list[list[str]]:
    """The cells of every row of a page's tables, but for their heads."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def course() -> dict[str, list[str]]:
    """By the stem of its file, each lesson's row in the table of the course."""
    found = {}
    for row in rows(COURSE):
        if link := re.fullmatch(r"\[(.*)\]\((.*)\.ipynb\)", row[0]):
            found[link[2]] = [link[1], *row[1:]]
    return found


def test_every_lesson_is_in_the_table_in_order():
    assert list(course()) == [path.stem for path in LESSONS]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_title_time_and_prerequisites_are_the_lessons_own(path: Path):
    text, (title, question, after, time) = prose(path), course()[path.stem]
    assert text.startswith(f"# {title} ")
    assert question.endswith(("?", "? (You will.)"))
    minutes = re.search(r"\*\*Time:\*\* (.*?)\.", text)[1]
    assert time == " + ".join(re.findall(r"\d+", minutes)) + " min"
    need = re.search(r"\*\*You need:\*\* (.*?)\.(?: |$)", text)[1]
    assert re.findall(r"\b\d\d\b", need) == re.findall(r"\d\d", after)


def test_each_lesson_leads_on_to_the_title_of_the_next():
    for path, after in itertools.pairwise(LESSONS):
        title = jupytext.read(after).cells[0].source.partition("\n")[0].removeprefix("# ")
        assert f"**Next:** [{title}]({after.stem}.ipynb)" in prose(path), path.stem
    assert "**Next:** [the course, from the start](README.md)." in prose(LESSONS[-1])


def test_the_map_has_the_prerequisites_of_the_table():
    drawn = set()
    picture = re.search(r"```mermaid(.*?)```", COURSE.read_text("utf-8"), re.DOTALL)[1]
    for line in picture.splitlines():
        steps = [re.findall(r"\d\d", step) for step in line.split("-->")]
        drawn.update(pair for a, b in itertools.pairwise(steps) for pair in itertools.product(a, b))
    told = {(a, stem[:2]) for stem, row in course().items() for a in re.findall(r"\d\d", row[2])}
    assert drawn == told


def test_the_glossary_is_in_order_and_each_word_stands_in_its_lesson():
    found = [row for row in rows(GLOSSARY) if row[2].startswith("[")]
    words = [word for word, _, _ in found]
    assert len(words) > 50 and words == sorted(set(words), key=str.lower)
    for word, _, where in found:
        number, target = re.fullmatch(r"\[(\d\d)\]\((.*)\.ipynb\)", where).groups()
        path = (GLOSSARY.parent / target).resolve().with_suffix(".py")
        assert path.name.startswith(number)
        words_in = re.escape(word).replace(r"\ ", "[ -]")
        assert re.search(words_in, prose(path), re.IGNORECASE), (word, path.stem)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "notebooks/README.md",
                                  "docs/glossary.md", "docs/teaching.md"])  # fmt: skip
def test_links_lead_somewhere(page: str):
    path = ROOT / page
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target
