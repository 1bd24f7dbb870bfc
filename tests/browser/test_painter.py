"""The instruments of lesson 06, and the one of 05, in a browser: clicks, keys, field, slider."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lesson, area, inaccessible, unreadable


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("06_jacobians.ipynb", width=900)
    lesson.run_to("DualStepper(")
    return lesson


def test_a_click_and_a_key_run_a_pass(lesson: Lesson):
    cells = [c for c in lesson.code_cells() if "".join(c["source"]) == "JacobianPainter(f, x)"]
    view = lesson.show(cells[0]["index"]).locator(".agl-view")
    sentence = view.locator(".agl-sentence")
    expect(sentence).to_contain_text("Nothing is filled")
    view.locator('[data-key="r0"]').click()
    expect(sentence).to_contain_text("One backward pass filled the row of y₀: [5, 2, 0].")
    drawing = view.locator(".agl-stage svg")
    drawing.focus()
    drawing.press("ArrowUp")  # from the last head, a column, there is nothing above
    expect(view.locator(".agl-about")).to_contain_text("Enter runs one")
    drawing.press("ArrowLeft")
    drawing.press("Enter")
    expect(sentence).to_contain_text("One jvp filled the column of x₁: [2, 10].")
    drawing.press("ArrowDown")
    drawing.press("ArrowDown")
    drawing.press("Enter")
    expect(sentence).to_contain_text("The table is full: 6 of 6 cells with 3 passes.")
    assert unreadable(view) == []
    view.get_by_role("button", name="Empty the table").click()
    expect(sentence).to_contain_text("Nothing is filled")
    expect(view.get_by_role("button", name="Empty the table")).to_be_focused()


def test_the_stepper_steps_slides_and_reads(lesson: Lesson):
    shown = area(lesson, "DualStepper(")
    sentence = shown.locator(".agl-sentence")
    shown.get_by_role("button", name="step forward").click()
    expect(sentence).to_contain_text("Step 1 of 3. x has the value 3 and the tangent 1")
    shown.locator(".agl-scrubber").press("End")
    expect(sentence).to_contain_text("So y′ = −2.829 at x = 3")
    shown.locator('[data-key="s1"]').click()
    expect(sentence).to_contain_text("Step 2 of 3. v₁ = sin(x)")
    slider = shown.locator(".widget-slider [role=slider], .widget-slider .noUi-handle").first
    slider.press("ArrowRight")
    expect(shown.locator(".agl-header code").first).to_contain_text("at x = 3.1")
    expect(sentence).to_contain_text("Step 2 of 3.")
    field = shown.locator("input[type=text]").first
    field.fill("x**3 - 2*x")
    field.press("Enter")
    expect(shown.locator(".agl-header code").first).to_contain_text("x**3 - 2*x")
    expect(sentence).to_contain_text("in 3 operations. No step has run.")
    field.fill("import os")
    field.press("Enter")
    expect(shown).to_contain_text("is not a complete expression")
    assert unreadable(shown.locator(".agl-view")) == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("words", ["painter.column(1)", "curve, t", "DualStepper("])
def test_axe_finds_nothing(lesson: Lesson, theme: str, words: str):
    lesson.theme(theme)
    assert inaccessible(area(lesson, words)) == ""


def test_v_turns_with_the_arrow_keys(open_lesson):
    lesson = open_lesson("05_vjp.ipynb", width=900)
    lesson.run_to("VJPExplorer(")
    shown = area(lesson, "VJPExplorer(")
    sentence = shown.locator(".agl-sentence")
    expect(sentence).to_contain_text("vᵀJ = [1, 1]. v = [1, 0]")
    shown.locator(".widget-slider [role=slider], .widget-slider .noUi-handle").nth(1).press(
        "ArrowRight"
    )
    expect(sentence).to_contain_text("vᵀJ = [1.1, 0.9]. v = [1, 0.1]")
    for theme in ("Light", "Dark"):
        lesson.theme(theme)
        assert inaccessible(shown) == "", theme
