"""Every lesson in a real JupyterLab: Run All, look, fill in the solutions, and nothing is wrong."""

from pathlib import Path

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


@pytest.fixture(scope="module")
def page(open_lesson) -> Lesson:
    return open_lesson(LESSONS[0], width=900)


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, page: Lesson) -> Lesson:
    if page.name != Path(request.param).stem:  # the first one is there
        page.turn_to(request.param)
    page.run_all()
    return page


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


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_instrument_can_be_read(lesson: Lesson, theme: str):
    lesson.theme(theme)
    for cell in lesson.code_cells():
        if WIDGET_VIEW in str(cell["outputs"]):
            area = lesson.show(cell["index"])
            assert unreadable(area) == [], cell["source"]
            screenshot(area, f"{lesson.name}-{cell['index']:02}-{theme.lower()}")


def test_every_stored_picture_can_be_read(lesson: Lesson, browser: Browser):
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    for cell in lesson.code_cells():
        for picture in (o["data"].get("image/svg+xml") for o in cell["outputs"] if "data" in o):
            if picture:
                page.set_content("".join(picture))
                assert unreadable(page.locator("svg").first) == [], cell["source"]
    page.close()


def test_nothing_is_fetched_and_nothing_is_wrong(lesson: Lesson):
    for cell in lesson.code_cells():
        if WIDGET_VIEW in str(cell["outputs"]):  # they load when they come into view
            lesson.show(cell["index"])
    assert lesson.outside == []
    assert lesson.errors == []


def test_every_scrubber_answers_the_keys(lesson: Lesson):
    """A key for each instrument that can be played; more of them in files of their own."""
    for cell in lesson.code_cells():
        if WIDGET_VIEW not in str(cell["outputs"]):
            continue
        for scrubber in lesson.show(cell["index"]).locator(".agl-scrubber:visible").all():
            last = scrubber.get_attribute("aria-valuemax")
            for key, step in {"End": last, "Home": "0"}.items():
                scrubber.press(key)
                expect(scrubber).to_have_attribute("aria-valuenow", step)
    assert lesson.errors == []


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
