"""The instruments of lesson 12 in a browser: a graph that grows, and a dial that is turned."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lesson, area, inaccessible, screenshot, unreadable

GRAPH, DIAL, VALLEY = "{\"x\": z})", "CurvatureDial(\"x**2/2", "CurvatureDial(\"(1 - x)"


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("12_higher_order.ipynb", width=900)
    lesson.run_all()
    return lesson


def test_the_second_graph_grows_and_is_passed(lesson: Lesson):
    shown = area(lesson, GRAPH)
    sentence = shown.locator(".agl-sentence")
    expect(sentence).to_contain_text("Step 0 of 13. y = sin(x²) is recorded")
    assert shown.locator('[data-key="b0"] rect').count() == 0
    shown.get_by_role("button", name="step forward").click()
    expect(sentence).to_contain_text("SinBackward0 runs and computes cos(x²) = −0.6536")
    assert shown.locator('[data-key="b0"] rect').count() > 0
    scrubber = shown.locator(".agl-scrubber")
    scrubber.press("PageUp")
    scrubber.press("ArrowRight")
    expect(sentence).to_contain_text("Step 12 of 13. In the first order the second pass runs")
    screenshot(shown, "graph-of-the-graph-12")
    scrubber.press("End")
    expect(sentence).to_contain_text("x received 10.8: the second derivative, d²y/dx².")
    drawing = shown.locator(".agl-stage svg").first
    drawing.focus()
    drawing.press("ArrowUp")
    drawing.press("Enter")
    expect(shown.locator(".agl-about")).to_contain_text("order")
    for step in range(14):
        scrubber.press("Home" if not step else "ArrowRight")
        assert unreadable(shown.locator(".agl-view")) == [], step
    scrubber.press("Home")


def test_without_create_graph_and_with_another_expression(lesson: Lesson):
    shown = area(lesson, GRAPH)
    box, field = shown.get_by_role("checkbox"), shown.locator("input[type=text]").first
    box.press(" ")
    sentence = shown.locator(".agl-sentence")
    expect(sentence).to_contain_text("Step 0 of 3.")
    shown.locator(".agl-scrubber").press("End")
    expect(sentence).to_contain_text("is a number without a graph")
    assert unreadable(shown.locator(".agl-view")) == []
    box.press(" ")
    expect(sentence).to_contain_text("Step 0 of 13.")
    field.fill("x*exp(x)")
    field.press("Enter")
    expect(sentence).to_contain_text("y = x·exp(x) is recorded")
    field.fill("import os")
    field.press("Enter")
    expect(shown).to_contain_text("Not used")
    expect(sentence).to_contain_text("y = x·exp(x) is recorded")
    field.fill("arccos(x)")
    field.press("Enter")
    expect(shown).to_contain_text('Not used: "arccos(x)"')
    assert unreadable(shown) == []  # the names of all functions, on two lines
    field.fill("sin(x**2)")
    field.press("Enter")
    expect(sentence).to_contain_text("y = sin(x²) is recorded")


def test_the_dial_is_turned_by_drag_keys_and_slider(lesson: Lesson):
    shown = area(lesson, DIAL)
    sentence = shown.locator(".agl-sentence")
    expect(sentence).to_contain_text("At 30°, v = [0.866, 0.5]: vᵀHv = 1.116")
    sectors = shown.locator("[data-step]")
    assert sectors.count() == 72
    top = shown.locator('[data-step="54"]').bounding_box()  # 90°
    down = shown.locator('[data-step="63"]').bounding_box()  # 135°
    mouse = lesson.page.mouse
    mouse.move(top["x"] + top["width"] / 2, top["y"] + 12)
    mouse.down()
    expect(sentence).to_contain_text("At 90°, v = [0, 1]: vᵀHv = −2")
    mouse.move(down["x"] + 16, down["y"] + 14, steps=8)
    expect(sentence).to_contain_text("At 135°")
    mouse.up()
    mouse.move(top["x"] + top["width"] / 2, top["y"] + 12)  # not pressed: it stays
    expect(sentence).to_contain_text("At 135°")
    drawing = shown.locator(".agl-stage svg").first
    drawing.focus()
    drawing.press("ArrowRight")
    expect(sentence).to_contain_text("At 140°")
    readout = shown.locator(".widget-readout").first  # by way of the kernel, which may be behind
    expect(readout).to_have_text("140")
    shown.locator(".agl-scrubber").press("ArrowLeft")
    expect(sentence).to_contain_text("At 135°")
    expect(readout).to_have_text("135")
    slider = shown.locator(".widget-slider [role=slider], .widget-slider .noUi-handle").first
    slider.press("ArrowRight")
    expect(sentence).to_contain_text("At 140°")
    for step in range(0, 73, 6):
        shown.locator(".agl-scrubber").press("Home" if not step else "ArrowRight")
        for _ in range(5 if step else 0):
            shown.locator(".agl-scrubber").press("ArrowRight")
        assert unreadable(shown.locator(".agl-view")) == [], step


def test_the_point_moves(lesson: Lesson):
    shown = area(lesson, VALLEY)
    expect(shown.locator(".agl-header code").first).to_contain_text("at p = [0.5, 0.2]")
    sliders = shown.locator(".widget-slider [role=slider], .widget-slider .noUi-handle")
    sliders.nth(1).press("ArrowRight")
    expect(shown.locator(".agl-header code").first).to_contain_text("at p = [0.6, 0.2]")
    expect(shown.locator(".agl-sentence")).to_contain_text("At 45°")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("words", [GRAPH, DIAL, VALLEY])
def test_axe_finds_nothing(lesson: Lesson, theme: str, words: str):
    lesson.theme(theme)
    shown = area(lesson, words)
    if words == GRAPH:
        shown.locator(".agl-scrubber").press("Home")
        shown.locator(".agl-scrubber").press("PageUp")
    screenshot(shown, f"higher-order-{(GRAPH, DIAL, VALLEY).index(words)}-{theme.lower()}")
    assert inaccessible(shown) == ""


def test_nothing_is_wrong_in_the_console(lesson: Lesson):
    assert lesson.errors == [] and lesson.outside == []
