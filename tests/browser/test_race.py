"""The instruments of lesson 14 in a browser: drag, keys, sliders, and scrubbing without Python."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, area, inaccessible, screenshot, unreadable

PICTURES = {'"valley",': "race", "PhaseMap(1.0": "map", "lr=2 / 21": "map_of_two"}


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("14_optimizers.ipynb", width=900)
    lesson.run_to('"valley",')
    return lesson


def plot(view: Locator) -> dict:
    box = view.locator("[data-drag]").bounding_box()
    assert box
    return box


def test_the_race_is_scrubbed_without_python(lesson: Lesson):
    view = area(lesson, '"valley",').locator(".agl-view")
    sentence, drawing = view.locator(".agl-sentence"), view.locator(".agl-stage svg")
    expect(sentence).to_contain_text("All 5 start at [−1.5, −1].")
    lesson.page.evaluate("""() => {
        window.came = 0;  // markup that Python sent
        const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        kernel.anyMessage.connect((_, { msg, direction }) => {
            if (direction === 'recv' && msg.content.data?.state?.variants) window.came += 1;
        });
    }""")
    before = drawing.inner_html()
    scrubber = view.locator(".agl-scrubber")
    scrubber.press("PageUp")
    expect(sentence).to_contain_text("After 10 steps")
    expect(sentence).to_contain_text("momentum diverged at step 8.")
    assert drawing.inner_html() != before
    scrubber.press("End")
    expect(sentence).to_contain_text("After 60 steps Adam is lowest")
    assert unreadable(view) == []
    scrubber.press("Home")
    expect(sentence).to_contain_text("All 5 start")
    assert drawing.inner_html() == before
    view.get_by_role("button", name="play").click()
    expect(sentence).to_contain_text(re.compile(r"After \d+ steps"), timeout=5000)
    view.get_by_role("button", name="pause").click()
    assert lesson.page.evaluate("window.came") == 0
    scrubber.press("Home")
    drawing.press("ArrowUp")
    expect(sentence).to_contain_text("[−1.5, −0.9]")
    lesson.page.wait_for_function("window.came > 0")  # so the count counts


def test_the_start_is_dragged_and_moved_by_keys(lesson: Lesson):
    shown = area(lesson, "sgd, steps=40")
    view = shown.locator(".agl-view")
    sentence, page = view.locator(".agl-sentence"), lesson.page
    expect(sentence).to_contain_text("All 3 start at [−2.5, 1].")
    box = plot(view)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + 40, y - 40)
    page.mouse.down()
    expect(sentence).not_to_contain_text("[−2.5, 1]")  # pressed: the start is here at once
    page.mouse.move(x + 60, y - 20, steps=4)
    page.mouse.move(x + box["width"] / 4, y, steps=8)
    page.mouse.up()
    expect(sentence).to_contain_text("All 3 start at [1.5, 0].")
    drawing = view.locator(".agl-stage svg")
    drawing.focus()
    drawing.press("ArrowUp")
    expect(sentence).to_contain_text("[1.5, 0.1]")
    drawing.press("ArrowLeft")
    expect(sentence).to_contain_text("[1.4, 0.1]")
    expect(drawing).to_be_focused()
    slider = shown.locator(".widget-slider [role=slider], .widget-slider .noUi-handle").first
    slider.press("ArrowRight")
    expect(sentence).to_contain_text("[1.41, 0.1]")
    assert unreadable(view) == []


def test_the_point_of_the_map_is_dragged_and_moved_by_keys(lesson: Lesson):
    view = area(lesson, "PhaseMap(1.0").locator(".agl-view")
    sentence, page = view.locator(".agl-sentence"), lesson.page
    expect(sentence).to_contain_text("Oscillating. At lr 0.25 and momentum 0.8")
    box = plot(view)
    page.mouse.move(box["x"] + 3 * box["width"] / 4, box["y"] + box["height"] - 1)
    page.mouse.down()
    page.mouse.up()
    expect(sentence).to_contain_text("Diverging. At lr 3 and momentum 0")
    drawing = view.locator(".agl-stage svg")
    drawing.focus()
    drawing.press("ArrowUp")
    expect(sentence).to_contain_text("momentum 0.02")
    for _ in range(2):
        drawing.press("ArrowLeft")
    expect(sentence).to_contain_text("lr 2.9 and")
    assert unreadable(view) == []


def test_opening_the_map_does_not_move_it(lesson: Lesson):
    view = area(lesson, "lr=2 / 21").locator(".agl-view")
    expect(view.locator(".agl-sentence")).to_contain_text("At lr 0.09524 and momentum 0 a step")


def test_a_landscape_is_chosen_and_typed(lesson: Lesson):
    shown = area(lesson, '"valley",')
    sentence = shown.locator(".agl-sentence")
    shown.locator(".agl-scrubber").press("Home")
    shown.locator("select").select_option("saddle")
    expect(sentence).to_contain_text("All 5 start at [−2.5, 0.01].")
    field = shown.locator("input[type=text]").first
    field.fill("10*x**2 + 19*x*y + 10*y**2")
    field.press("Enter")
    expect(shown.locator(".agl-header code").first).to_contain_text("19*x*y")
    field.fill("x.__class__")
    field.press("Enter")
    expect(sentence).to_contain_text("Not understood.")
    shown.locator("select").select_option("valley")
    expect(sentence).to_contain_text("All 5 start at [−1.5, −1].")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("words", PICTURES)
def test_axe_finds_nothing(lesson: Lesson, theme: str, words: str):
    lesson.theme(theme)
    view = area(lesson, words).locator(".agl-view")
    if "valley" in words:
        view.locator(".agl-scrubber").press("End")
    screenshot(view, f"lesson_14_{PICTURES[words]}_{theme.lower()}")
    assert unreadable(view) == []
    assert inaccessible(view) == ""


def test_nothing_is_asked_from_outside_and_nothing_went_wrong(lesson: Lesson):
    assert lesson.outside == [] and lesson.errors == []
