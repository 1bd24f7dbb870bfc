"""The playground in a browser: to go on trains, to go back does not, and a neuron can be opened."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, inaccessible, screenshot, unreadable

WORDS = 'Playground("circle"'


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("15_playground.ipynb", width=900)
    lesson.run_to("TrainingCurve(300)")
    return lesson


def shown(lesson: Lesson, words: str = WORDS) -> Locator:
    cells = lesson.code_cells()
    found = lesson.show(next(c["index"] for c in cells if words in "".join(c["source"])))
    expect(found.locator(".agl-view, .widget-hprogress").first).to_be_visible()
    return found


def test_training_looking_back_and_a_neuron(lesson: Lesson):
    area = shown(lesson)
    view = area.locator(".agl-view").first
    sentence, scrubber = view.locator(".agl-sentence"), view.locator(".agl-scrubber")
    expect(sentence).to_contain_text("Step 0 of 600. Nothing is learned yet")
    view.get_by_role("button", name="step forward").click()
    expect(sentence).to_contain_text("Step 25 of 600. The loss is")
    area.locator("select").nth(2).select_option("3")  # the width
    expect(sentence).to_contain_text("Step 0 of 600.")
    view.get_by_role("button", name="Train to the end").click()
    expect(sentence).to_contain_text("Step 600 of 600.", timeout=60_000)
    expect(sentence).to_contain_text("100 of 100 points are on their side.")
    scrubber.focus()
    scrubber.press("PageDown")
    expect(sentence).to_contain_text("Step 350 of 600. The loss is")
    scrubber.press("Home")
    expect(sentence).to_contain_text("Step 0 of 600. Nothing is learned yet")
    scrubber.press("End")
    view.locator('[data-key="a2"]').first.click()
    expect(sentence).to_contain_text("The neuron a2 answers")
    drawing = view.locator(".agl-stage svg")
    drawing.focus()
    drawing.press("ArrowRight")
    expect(view.locator(".agl-about")).to_contain_text("neuron 3 of layer 1")
    drawing.press("Enter")
    expect(sentence).to_contain_text("The neuron a3 answers")
    expect(drawing).to_contain_text("what the neuron a3 answers")
    assert unreadable(view) == []
    view.get_by_role("button", name="Open the backward debugger").click()
    opened = area.locator(".agl-view").nth(1)
    expect(opened.locator(".agl-name")).to_have_text("Backward Debugger")
    opened.get_by_role("button", name="step forward").click()
    expect(opened.locator(".agl-sentence")).to_contain_text("Step 1 of")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing_and_nothing_is_cut_off(lesson: Lesson, theme: str):
    lesson.theme(theme)
    for words in (WORDS, "playground.train()"):
        view = shown(lesson, words).locator(".agl-view").first
        assert unreadable(view) == []
        assert inaccessible(view) == ""
        name = "circle" if words == WORDS else "moons"
        screenshot(view, f"playground-{name}-{theme.lower()}")
    trained = shown(lesson, "TrainingCurve(300)")
    expect(trained).to_contain_text("The bar shows how far it is")
    curve = trained.locator(".agl-view")
    expect(curve.locator(".agl-sentence")).to_contain_text("in 300 steps.")
    white = "view => getComputedStyle(view).backgroundColor === 'rgb(255, 255, 255)'"
    assert curve.evaluate(white) == (theme == "Light")
    assert unreadable(trained) == []
    screenshot(trained, f"curve-{theme.lower()}")
    assert inaccessible(trained) == ""


def test_nothing_went_wrong(lesson: Lesson):
    assert lesson.errors == [] and lesson.outside == []
