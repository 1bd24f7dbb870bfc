"""What is stored in the lessons: in step with the text sources, comparable, and pleasant to read.

nbval runs the lessons themselves and compares what they put out with what is stored.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools.notebooks import WIDGET_VIEW, read

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
SOURCES = sorted(NOTEBOOKS.glob("*.py"))
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in stored(path).cells if cell.cell_type == "code"]


def stored(path: Path) -> NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def data(path: Path) -> Iterator[dict]:
    """The MIME bundle of every stored output that has one."""
    for cell in code_cells(path):
        yield from (output.data for output in cell.outputs if "data" in output)


def prose(source: str) -> str:
    """The words a reader must read: no heading, answer to unfold, code, formula, picture or tag."""
    for aside in (
        r"<details>.*?</details>",
        r"```.*?```",
        r"\$\$.*?\$\$",
        r"!\[[^]]*\]\([^)]*\)",
        r"^#.*?$",
        r"\]\([^)]*\)",
        r"<[^>]+>",
    ):
        source = re.sub(aside, " ", source, flags=re.DOTALL | re.MULTILINE)
    return source


def test_every_source_has_its_notebook():
    assert LESSONS
    assert [path.stem for path in SOURCES] == [path.stem for path in LESSONS]


@each_lesson
def test_in_step_with_the_text_source(path: Path):
    cells = [(cell.cell_type, cell.source, cell.metadata) for cell in stored(path).cells]
    source = read(path.with_suffix(".py"))
    assert cells == [(cell.cell_type, cell.source, cell.metadata) for cell in source.cells]


@each_lesson
def test_nbval_compares_every_cell(path: Path):
    cells = code_cells(path)
    assert [cell.source for cell in cells if cell.execution_count is None] == []
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    excused = re.compile(r"nbval|raises-exception", re.IGNORECASE)
    assert [cell.source for cell in cells if excused.search(f"{cell.metadata} {cell.source}")] == []


@each_lesson
def test_no_error_is_stored(path: Path):
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output for output in outputs if "✗" in str(output)] == []


@each_lesson
def test_no_widget_is_stored_without_its_kernel(path: Path):
    assert "widgets" not in stored(path).metadata
    assert [bundle for bundle in data(path) if WIDGET_VIEW in bundle] == []


@each_lesson
def test_every_picture_is_well_formed(path: Path):
    for bundle in data(path):
        if "image/svg+xml" in bundle:
            ElementTree.fromstring(bundle["image/svg+xml"])
            assert bundle["text/plain"].strip(), "a picture comes with a sentence"


@each_lesson
def test_cells_are_short(path: Path):
    long_code = [cell.source for cell in code_cells(path) if len(cell.source.splitlines()) > 15]
    assert long_code == []
    *before_a_cell, _recap = stored(path).cells
    for cell in before_a_cell:
        if cell.cell_type == "markdown":
            words = [word for word in prose(cell.source).split() if re.search(r"[^\W\d_]", word)]
            assert len(words) <= 90, f"{len(words)} words: {' '.join(words)}"


@each_lesson
def test_local_links_lead_somewhere(path: Path):
    text = "\n".join(cell.source for cell in stored(path).cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    targets = [NOTEBOOKS / link.partition("#")[0] for link in links if not link.startswith("#")]
    assert [str(target) for target in targets if not target.exists()] == []
