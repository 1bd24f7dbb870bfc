"""The Graph Recorder of lesson 03 in JupyterLab: another expression is typed, refused or recorded,
and the steps and the runs are scrubbed by keys."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, inaccessible, unreadable


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("03_recording.ipynb", width=900)
    lesson.run_to("GraphRecorder.of(")
    return lesson


def area(lesson: Lesson, words: str) -> Locator:
    """The cell whose code has these words."""
    cells = lesson.code_cells()
    return lesson.show(next(c["index"] for c in cells if words in "".join(c["source"])))


def test_an_expression_is_typed_and_stepped_through_by_keys(lesson: Lesson):
    cell = area(lesson, 'GraphRecorder("3*a**3')
    said, field = cell.locator(".agl-sentence"), cell.locator("input[type=text]")
    field.fill("a.__class__")
    field.press("Enter")
    expect(said).to_have_text('Not recorded. "a.__class__" is not allowed here')
    field.fill("a.exp() * b")
    field.press("Enter")
    expect(said).to_have_text("Step 0 of 2. Nothing is recorded yet; a and b are leaves.")
    expect(cell.locator(".agl-view")).to_have_count(1)
    expect(cell.locator(".agl-stop")).to_have_count(3)
    scrubber = cell.locator(".agl-scrubber")
    scrubber.focus()
    scrubber.press("ArrowRight")
    expect(said).to_contain_text("exp(a) is recorded: ExpBackward0 saves its result")
    expect(cell.locator(".agl-stage .agl-halo")).to_have_count(1)
    scrubber.press("End")
    expect(cell.locator(".agl-stage .agl-sheet-lines")).to_have_count(2)
    assert unreadable(cell) == []
    scrubber.press("Home")
    expect(cell.locator(".agl-stage .agl-sheet-lines")).to_have_count(0)


def test_keys_do_not_reach_what_is_not_recorded_yet(lesson: Lesson):
    cell = area(lesson, 'GraphRecorder("3*a**3')
    cell.locator("input[type=text]").fill("a.exp() * b")
    cell.locator("input[type=text]").press("Enter")
    expect(cell.locator(".agl-sentence")).to_contain_text("Step 0 of 2.")
    stage, about = cell.locator(".agl-stage > svg"), cell.locator(".agl-about")
    stage.focus()
    seen = set()
    for key in ["ArrowDown", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"] * 2:
        stage.press(key)
        seen.add(about.inner_text().partition(" ")[0])
    assert seen == {"a", "b"}  # the leaves, and no operation
    cell.locator(".agl-scrubber").press("End")
    stage.press("ArrowDown")
    expect(about).to_contain_text("Backward0")
    cell.locator(".agl-scrubber").press("Home")
    stage.focus()  # the focus stood on what is gone, and is on a leaf again
    expect(about).not_to_contain_text("Backward0")


def test_runs_appear_one_after_the_other(lesson: Lesson):
    cell = area(lesson, "GraphRecorder.of(")
    names = cell.locator(".agl-stage").get_by_text("AddBackward0")
    expect(names).to_have_count(0)
    forward = cell.get_by_role("button", name="step forward")
    for shown in (1, 1, 2):
        forward.click()
        expect(names).to_have_count(shown)
    expect(cell.locator(".agl-sentence")).to_contain_text("the same graph as x = 2")
    assert unreadable(cell) == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing_and_nothing_is_wrong(lesson: Lesson, theme: str):
    lesson.theme(theme)
    assert inaccessible(area(lesson, "GraphRecorder.of(")) == ""
    assert lesson.errors == [] and lesson.outside == []
