"""Every lesson in a real JupyterLab: Run All, look, fill in the solutions, and nothing is wrong."""

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import NOTEBOOKS
from tests.browser.lab import Lesson, screenshot, unreadable
from tests.lessons.solutions import STUB, solved
from tools.notebooks import WIDGET_VIEW

LESSONS = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


def text(cell: dict) -> str:
    """All a cell put out, as plain text."""
    streams = [output["text"] for output in cell["outputs"] if "text" in output]
    data = [output["data"].get("text/plain", "") for output in cell["outputs"] if "data" in output]
    return "\n".join("".join(part) for part in streams + data)


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, open_lesson) -> Lesson:
    lesson = open_lesson(request.param, width=900)
    lesson.run_all()
    return lesson


def test_there_are_lessons():
    assert LESSONS


def test_every_cell_runs(lesson: Lesson):
    cells = lesson.code_cells()
    failed = [c["source"] for c in cells for o in c["outputs"] if o["output_type"] == "error"]
    assert not failed
    assert [c["source"] for c in cells if c["execution_count"] is None] == []


def test_its_memory_is_what_binder_promises(lesson: Lesson):
    assert lesson.peak_memory() <= 1 << 30


def test_every_twin_cell_agrees_with_pytorch(lesson: Lesson):
    cells = lesson.code_cells()
    twins = [cell for cell in cells if "".join(cell["source"]).startswith("%%twin")]
    assert twins or lesson.name == "gallery"
    assert [cell["source"] for cell in twins if "✓" not in text(cell)] == []
    assert [cell["source"] for cell in cells if "✗" in text(cell)] == []


def test_every_instrument_can_be_read_and_its_scrubber_answers_the_keys(lesson: Lesson):
    """As it is at first, in the light theme; the gallery and the files of the instruments have the
    dark one, and more keys."""
    lesson.theme("Light")
    for cell in lesson.code_cells():
        if WIDGET_VIEW not in str(cell["outputs"]):
            continue
        area = lesson.show(cell["index"])
        assert unreadable(area) == [], cell["source"]
        screenshot(area, f"{lesson.name}-{cell['index']:02}")
        for scrubber in area.locator(".agl-scrubber:visible").all():
            last = scrubber.get_attribute("aria-valuemax")
            for key, step in {"End": last, "Home": "0"}.items():
                scrubber.press(key)
                expect(scrubber).to_have_attribute("aria-valuenow", step)
    assert lesson.outside == []
    assert lesson.errors == []


def test_every_stored_picture_can_be_read(lesson: Lesson, browser: Browser):
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    for cell in lesson.code_cells():
        for picture in (o["data"].get("image/svg+xml") for o in cell["outputs"] if "data" in o):
            if picture:
                page.set_content("".join(picture))
                assert unreadable(page.locator("svg").first) == [], cell["source"]
    page.close()


def test_with_every_solution_filled_in_every_checker_says_right(lesson: Lesson):
    stored = nbformat.read(NOTEBOOKS / f"{lesson.name}.ipynb", as_version=4)
    filled = {i: cell.source for i, cell in enumerate(solved(stored).cells)}
    checks = [i for i, source in filled.items() if STUB.search(source)]
    summary = [i for i, source in filled.items() if "progress(" in source][-1:]  # 07 has two
    assert bool(checks) == bool(summary) == (lesson.name != "gallery")
    lesson.fill_in({i: filled[i] for i in checks + summary})
    cells = {cell["index"]: cell for cell in lesson.code_cells()}
    assert [text(cells[i]) for i in checks if "✓ Right." not in text(cells[i])] == []
    for i in summary:
        assert f"✓ {len(checks)} of {len(checks)} exercises right" in text(cells[i])
