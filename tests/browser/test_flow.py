"""The Flow Lab of lesson 13 in a browser: every control by mouse or keys, and both themes."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lesson, area, inaccessible, screenshot, unreadable

SLIDER = ".widget-slider [role=slider], .widget-slider .noUi-handle"


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("13_gradient_flow.ipynb", width=900)
    lesson.run_to("with flow.step()")
    return lesson


def test_each_control_chooses(lesson: Lesson):
    shown = area(lesson, "FlowLab(depth=30, activation")
    view, heading = shown.locator(".agl-view"), shown.locator(".agl-header code").first
    sentence = view.locator(".agl-sentence")
    expect(sentence).to_contain_text("Going up, each layer multiplies it by 0.232;")
    expect(view.locator(".agl-panel")).to_contain_text("1 × 0.235 = 0.235")
    shown.locator(SLIDER).nth(0).press("ArrowLeft")
    expect(heading).to_contain_text("29 sigmoid layers of 64 · gain 1")
    shown.locator(SLIDER).nth(1).press("ArrowRight")
    expect(heading).to_contain_text("gain 1.1")
    expect(view.locator(".agl-median-before")).to_have_count(1)
    shown.locator("select").nth(0).select_option("relu")
    expect(heading).to_contain_text("29 relu layers of 64")
    expect(sentence).to_contain_text("units are dead")
    assert unreadable(view) == []
    expect(shown.locator("select").nth(1)).to_have_value("none")
    shown.locator("select").nth(1).select_option("batch")
    expect(heading).to_contain_text("batch norm")
    shown.get_by_role("checkbox").press("Space")
    expect(heading).to_contain_text("skip")
    expect(view.locator(".agl-panel")).to_contain_text("h ← h + relu(norm(W·h))")
    assert unreadable(view) == []


def test_a_layer_is_selected_by_click_and_by_key(lesson: Lesson):
    view = area(lesson, "lab.choose(gain=1.4)").locator(".agl-view")
    view.locator('[data-key="l4"]').click()
    expect(view.locator(".agl-panel")).to_contain_text("selected: 5")
    drawing = view.locator(".agl-stage svg")
    drawing.focus()
    drawing.press("ArrowDown")
    drawing.press("Enter")
    expect(view.locator(".agl-panel")).to_contain_text("selected: 6")
    expect(view.locator(".agl-panel")).to_contain_text("gain × slope")
    assert unreadable(view) == []


def test_units_die_step_by_step(lesson: Lesson):
    view = area(lesson, "with flow.step()").locator(".agl-view")
    scrubber = view.locator(".agl-scrubber")
    scrubber.press("Home")
    expect(view.locator(".agl-sentence")).to_contain_text("Step 0. The gradient flows.")
    scrubber.press("End")
    expect(view.locator(".agl-sentence")).to_contain_text("32 of 32 units of layer 2 are dead")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("words", ["FlowLab(depth=30, activation", "lab.choose(gain=1.4)"])
def test_axe_finds_nothing(lesson: Lesson, theme: str, words: str):
    lesson.theme(theme)
    shown = area(lesson, words)
    screenshot(shown, f"flow-lab-{'relu' if 'gain' in words else 'free'}-{theme.lower()}")
    assert inaccessible(shown) == ""


def test_no_error_and_no_request_to_elsewhere(lesson: Lesson):
    assert lesson.errors == [] and lesson.outside == []
