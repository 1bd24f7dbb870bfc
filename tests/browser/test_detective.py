"""The Gradient Detective of lesson 16 in a browser: menu, buttons, scrubber, keys, both themes."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, area, inaccessible, screenshot, unreadable


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("16_bug_hunt.ipynb", width=900)
    lesson.run_to("own = GradientDetective")
    return lesson


def choose(menu: Locator, words: str) -> None:
    """ipywidgets 8.0 writes the spaces of an option as non-breaking ones."""
    texts = [text.replace("\xa0", " ") for text in menu.locator("option").all_inner_texts()]
    menu.select_option(index=texts.index(words))


def test_a_wrong_guess_is_cleared_and_the_right_one_shows_the_line(lesson: Lesson):
    shown = area(lesson, "CASES[1]")
    panel, sentence = shown.locator(".agl-panel"), shown.locator(".agl-sentence")
    expect(sentence).to_contain_text("Step 1. The loss is 0.575")
    menu = shown.locator("select")
    check = shown.get_by_role("button", name="Check")
    check.click()
    expect(panel).to_contain_text("Choose a suspect first.")
    choose(menu, "relu units are dead")
    check.click()
    expect(panel).to_contain_text("Not yet.")
    expect(panel).to_contain_text("gradients before them would be exactly 0")
    assert unreadable(shown.locator(".agl-view")) == []
    choose(menu, "zero_grad is missing")
    check.focus()
    expect(check).to_be_focused()
    check.press("Enter")
    expect(panel).to_contain_text("✓ Right: zero_grad is missing.")
    expect(panel.locator("code")).to_have_text("+ optimizer.zero_grad()")
    assert unreadable(shown.locator(".agl-view")) == []


def test_scrubbing_shows_another_step_and_needs_no_kernel(lesson: Lesson):
    shown = area(lesson, "CASES[7]")
    sentence, scrubber = shown.locator(".agl-sentence"), shown.locator(".agl-scrubber")
    scrubber.press("End")
    expect(sentence).to_contain_text("Step 11. The loss is 1.31")
    scrubber.press("ArrowLeft")
    expect(sentence).to_contain_text("Step 10. ")
    scrubber.press("Home")
    expect(sentence).to_contain_text("Step 0. The loss is 0.7")
    expect(shown.locator(".agl-stage svg")).to_contain_text("−0.116")
    shown.get_by_role("button", name="Reveal").click()
    expect(shown.locator(".agl-panel code")).to_have_count(4)


def test_rows_are_reached_by_keys_and_by_the_mouse(lesson: Lesson):
    shown = area(lesson, "CASES[0]")
    drawing, about = shown.locator(".agl-stage svg"), shown.locator(".agl-about")
    drawing.focus()
    drawing.press("ArrowUp")
    expect(about).to_have_text("decoder.2.weight · parameter of shape 1×16")
    drawing.press("ArrowUp")
    expect(about).to_have_text("decoder.0.bias · parameter of shape 16")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing(lesson: Lesson, theme: str):
    lesson.theme(theme)
    for i, words in enumerate(("CASES[1]", "CASES[3]", "own = GradientDetective")):
        shown = area(lesson, words)
        assert unreadable(shown.locator(".agl-view")) == []
        screenshot(shown, f"detective_{i}_{theme.lower()}")
        assert inaccessible(shown) == ""
    assert lesson.errors == [] and lesson.outside == []
