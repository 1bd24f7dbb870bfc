"""The instrument of lesson 11 in a browser: scrubber, clicks, keys, and nothing cut off."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, inaccessible, screenshot, unreadable

CUBE = "GradcheckMicroscope(Cube.apply, at)"
LINEAR = "GradcheckMicroscope(Linear.apply"
BIAS = "GradcheckMicroscope(AddBias.apply"
ALL = [CUBE, LINEAR, BIAS, "(Cube.apply, x32)", "(torch.relu, near)", "(Noisy.apply, calm)"]


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("11_custom_function.ipynb", width=900)
    lesson.run_all()
    return lesson


def view(lesson: Lesson, words: str) -> Locator:
    """The instrument of the first cell with these words in its code."""
    cells = lesson.code_cells()
    index = next(c["index"] for c in cells if words in "".join(c["source"]))
    found = lesson.show(index).locator(".agl-view")
    expect(found).to_be_visible()
    return found


def test_the_scrubber_goes_over_h_without_the_kernel(lesson: Lesson):
    shown = view(lesson, CUBE)
    sentence, scrubber = shown.locator(".agl-sentence"), shown.locator(".agl-scrubber")
    expect(sentence).to_contain_text("gradcheck passes at h = 1e−6.")
    scrubber.press("Home")
    expect(sentence).to_contain_text("h = 0.1.")
    heights = shown.locator(".agl-now-dot").get_attribute("cy")
    scrubber.press("End")
    expect(sentence).to_contain_text("h = 1e−12. The worst difference is 0.0024")
    assert shown.locator(".agl-now-dot").get_attribute("cy") != heights
    expect(shown.locator(".agl-panel")).to_contain_text("/ 2e−12")
    assert unreadable(shown) == []
    scrubber.press("Home")
    for _ in range(5):
        scrubber.press("ArrowRight")
    expect(sentence).to_contain_text("gradcheck passes at h = 1e−6.")


def test_a_click_and_keys_select_a_cell(lesson: Lesson):
    shown = view(lesson, LINEAR)
    panel, drawing = shown.locator(".agl-panel"), shown.locator(".agl-stage svg")
    expect(panel).to_contain_text("y₀ by x₁")
    expect(panel).to_contain_text("the worst cell")
    shown.locator('[data-key="1,2"]').nth(2).click()  # in the table of the differences
    expect(panel).to_contain_text("y₁ by W₀₀")
    expect(panel).to_contain_text("selected")
    expect(shown.locator(".agl-has-corners")).to_have_count(1)
    drawing.focus()
    drawing.press("ArrowUp")
    drawing.press("ArrowLeft")
    expect(shown.locator(".agl-about")).to_contain_text("y₀ by x₁: Enter shows its numbers")
    drawing.press("Enter")
    expect(panel).to_contain_text("y₀ by x₁")
    expect(panel).to_contain_text("✗")
    assert unreadable(shown) == []
    drawing.press("Enter")  # once more: no cell
    expect(panel).to_contain_text("the worst cell")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("words", ALL)
def test_it_can_be_read_and_axe_finds_nothing(lesson: Lesson, theme: str, words: str):
    lesson.theme(theme)
    shown = view(lesson, words)
    assert unreadable(shown) == []
    screenshot(shown, f"microscope-{ALL.index(words)}-{theme.lower()}")
    assert inaccessible(shown) == ""
    assert lesson.errors == [] and lesson.outside == []
