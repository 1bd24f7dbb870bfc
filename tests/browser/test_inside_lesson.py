"""The instruments of lesson 10 in a browser: twin graphs and the memory of a backward pass."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, inaccessible, unreadable


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("10_inside_pytorch.ipynb", width=900)
    lesson.run_to("compare=tapes")
    return lesson


def view(lesson: Lesson, words: str) -> Locator:
    """The instrument of the first cell with these words in its code."""
    cells = lesson.code_cells()
    found = lesson.show(next(c["index"] for c in cells if words in "".join(c["source"])))
    expect(found.locator(".agl-view")).to_be_visible()
    return found.locator(".agl-view")


def part(shown: Locator, words: str) -> Locator:
    """The node, or row, whose text begins with these words."""
    begins = re.compile(rf"^\s*{re.escape(words)}")
    return shown.locator(".agl-stage g[data-key]").filter(has_text=begins).first


def test_a_product_has_saved_what_is_wanted(lesson: Lesson):
    twins = view(lesson, 'theirs["loss"]')
    expect(twins.locator(".agl-sentence")).to_contain_text("Same graph. 6 nodes, 5 edges")
    part(twins, "x @ WMm").click()
    expect(twins.locator(".agl-has-corners")).to_have_count(2)
    saved = twins.locator("table tr").filter(has_text="saved")
    expect(saved).to_contain_text("self")
    expect(saved).to_contain_text("x")
    expect(saved).not_to_contain_text("mat2")
    assert unreadable(twins) == []


def test_memory_is_freed_step_by_step(lesson: Lesson):
    memory = view(lesson, "depth=1)\nmemory")
    sentence, slider = memory.locator(".agl-sentence"), memory.get_by_role("slider")
    expect(sentence).to_contain_text("At the start 559 KB are saved for backward")
    slider.press("End")
    expect(sentence).to_contain_text("After step 16 of 16")
    slider.press("Home")
    memory.get_by_role("button", name="step forward").click()
    expect(memory.locator(".agl-counter b")).to_have_text("1")
    part(memory, "tanh").click()
    expect(memory.locator(".agl-panel table")).to_contain_text("tanh keeps")
    expect(memory.locator(".agl-panel table")).to_contain_text("second")
    assert unreadable(memory) == []


def test_names_on_a_crowded_scrubber_stay_hidden_when_the_width_changes(lesson: Lesson):
    memory = view(lesson, "depth=1)\nmemory")
    for width in (1000, 940, 900):
        lesson.page.set_viewport_size({"width": width, "height": 1600})
        lesson.page.wait_for_timeout(300)
        assert unreadable(memory) == [], width


def test_a_checkpoint_is_compared(lesson: Lesson):
    memory = view(lesson, "compare=tapes")
    sentence, slider = memory.locator(".agl-sentence"), memory.get_by_role("slider")
    slider.press("Home")
    first = sentence.inner_text()
    assert "checkpointed holds least." in first
    slider.press("PageUp")
    expect(sentence).not_to_have_text(first)
    assert unreadable(memory) == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("words", ['theirs["loss"]', "depth=1)\nmemory", "compare=tapes"])
def test_axe_finds_nothing(lesson: Lesson, theme: str, words: str):
    lesson.theme(theme)
    shown = view(lesson, words)
    assert inaccessible(shown) == ""
    assert unreadable(shown) == []
    assert lesson.errors == [] and lesson.outside == []
