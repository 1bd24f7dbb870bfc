"""The small instruments of lessons 01, 02 and 08 in a browser, on a notebook of their own: clicks,
keys, scrubbing, fields and sliders, both themes."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, inaccessible, screenshot, unreadable

CELLS = {
    "": "import autogradlab as torch\nfrom autogradlab.instruments import *",
    "nudge": 'NudgeLab("x**2", torch.tensor(1.0))',
    "curve": "ErrorCurve(lambda x: x * x * x, torch.tensor(2.0))",
    "tracer": """a = torch.ones(2, 3, requires_grad=True)
b = torch.ones(3, requires_grad=True)
ShapeTracer(lambda a, b: (a * b).sum())""",
    "step": """w = torch.tensor(2.0, requires_grad=True)
TrainStepInspector(lambda w: (3 * w - 1) ** 2, {"w": w})""",
    "debugger": "BackwardDebugger((a * b).sum())",
}
SMALL = ["nudge", "curve", "tracer", "step"]


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("instruments.ipynb", width=900, cells=list(CELLS.values()))
    lesson.run_all()
    return lesson


def area(lesson: Lesson, name: str) -> Locator:
    """What the cell of an instrument has put out: its controls and its view."""
    found = lesson.show(list(CELLS).index(name))
    expect(found.locator(".agl-view")).to_be_visible()
    return found


def said(shown: Locator) -> Locator:
    return shown.locator(".agl-sentence")


def handle(shown: Locator, name: str) -> Locator:
    """The handle of the slider with this label."""
    return shown.locator(".widget-slider", has_text=name).locator(".noUi-handle")


@pytest.mark.parametrize("name", SMALL)
def test_buttons_keys_and_the_mouse_move_between_steps(lesson: Lesson, name: str):
    shown = area(lesson, name)
    at, scrubber = shown.locator(".agl-counter b"), shown.locator(".agl-scrubber")
    last = int(scrubber.get_attribute("aria-valuemax"))
    scrubber.press("Home")
    expect(at).to_have_text("0")
    sentence = said(shown).inner_text()
    shown.get_by_role("button", name="step forward").click()
    expect(at).to_have_text("1")
    assert said(shown).inner_text() != sentence
    shown.get_by_role("button", name="step back").click()
    expect(said(shown)).to_have_text(sentence)
    scrubber.press("ArrowRight")
    scrubber.press("ArrowRight")
    expect(at).to_have_text("2")
    scrubber.press("End")
    expect(at).to_have_text(str(last))
    scrubber.press("PageDown")
    expect(at).to_have_text(str(max(0, last - 10)))
    scrubber.press("Home")
    expect(at).to_have_text("0")
    track = shown.locator(".agl-track").bounding_box()
    middle = track["y"] + track["height"] / 2
    lesson.page.mouse.move(track["x"] + 2, middle)
    lesson.page.mouse.down()
    lesson.page.mouse.move(track["x"] + track["width"] / 2, middle, steps=4)
    expect(at).to_have_text(str(last // 2))
    lesson.page.mouse.move(track["x"] + track["width"] + 500, middle)  # past the end
    expect(at).to_have_text(str(last))
    lesson.page.mouse.up()
    scrubber.press("Home")


@pytest.mark.parametrize("name", SMALL)
def test_scrubbing_asks_no_kernel(lesson: Lesson, name: str):
    steps = area(lesson, name).locator(".agl-scrubber").evaluate("""scrubber => {
        const press = key => {
            scrubber.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
            return Number(scrubber.getAttribute('aria-valuenow'));
        };
        return ['Home', 'ArrowRight', 'ArrowRight', 'ArrowLeft', 'Home'].map(press);
    }""")  # all within one turn of the browser, before any message can have come back
    assert steps == [0, 1, 2, 1, 0]


@pytest.mark.parametrize("name", [*SMALL, "debugger"])
def test_the_hint_about_breakpoints_is_where_there_are_some(lesson: Lesson, name: str):
    label = area(lesson, name).locator(".agl-stage > svg").get_attribute("aria-label")
    assert ("breakpoint" in label) == (name in ("tracer", "debugger"))


def test_the_nudge_lab_takes_another_function_x_and_way(lesson: Lesson):
    shown = area(lesson, "nudge")
    field, code = shown.locator("input[type=text]").first, shown.locator(".agl-header code").first
    handle(shown, "x").press("ArrowRight")
    expect(shown.locator(".agl-stage")).to_contain_text("x = 1.1")
    shown.locator("select").select_option("central")
    expect(shown.locator(".agl-stage")).to_contain_text("(f(x + h) − f(x − h)) / (2 · h)")
    field.fill("sin(3*x)")
    field.press("Enter")
    expect(code).to_have_text("f(x) = sin(3*x)")
    field.fill("__import__('os')")
    field.press("Enter")
    expect(shown).to_contain_text("is not understood; write numbers, x")
    expect(code).to_have_text("f(x) = sin(3*x)")
    assert unreadable(shown) == []
    field.fill("x**2")  # as it was: other tests step through it
    field.press("Enter")
    expect(code).to_have_text("f(x) = x**2")


def test_the_error_curve_says_what_rules(lesson: Lesson):
    shown = area(lesson, "curve")
    shown.locator(".agl-scrubber").press("Home")
    expect(said(shown)).to_contain_text("Truncation rules all 4 errors")
    shown.locator(".agl-scrubber").press("End")
    expect(said(shown)).to_contain_text("Rounding rules")
    shown.locator(".agl-scrubber").press("Home")


def test_a_row_of_the_shape_tracer_goes_to_its_step(lesson: Lesson):
    shown = area(lesson, "tracer")
    shown.locator("[data-key=o1]").click()
    expect(said(shown)).to_contain_text("Step 2 of 4, forward.")
    stage = shown.locator(".agl-stage > svg")
    stage.focus()
    stage.press("ArrowUp")
    expect(shown.locator(".agl-about")).to_have_text("a · b keeps b (12 B) and a (24 B).")
    stage.press("Enter")
    expect(said(shown)).to_contain_text("Step 1 of 4, forward. b of shape (3) is copied")
    stage.press("Enter")  # the same row once more: back to the question
    expect(said(shown)).to_contain_text("Which will be stretched")


def test_the_inspector_takes_steps_without_zero_grad_and_of_another_size(lesson: Lesson):
    shown = area(lesson, "step")
    shown.get_by_label("zero_grad").uncheck()
    shown.locator(".agl-scrubber").press("End")
    expect(shown.locator(".agl-stage")).to_contain_text("54.6")  # 30 stays, 24.6 is added
    handle(shown, "momentum").press("Home")
    expect(shown.locator(".agl-header code").first).to_contain_text("w ← w − 0.01·g")
    shown.get_by_label("zero_grad").check()
    assert unreadable(shown) == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_each_can_be_read_at_every_end_and_axe_finds_nothing(lesson: Lesson, theme: str):
    lesson.theme(theme)
    found = {}
    for name in SMALL:
        shown = area(lesson, name)
        for key in ("Home", "ArrowRight", "End"):
            shown.locator(".agl-scrubber").press(key)
            found[name, key] = unreadable(shown)
            screenshot(shown, f"lesson-{name}-{key.lower()}-{theme.lower()}")
        view = shown.locator(".agl-view")
        assert view.evaluate("view => view.scrollWidth <= view.clientWidth"), name
        assert inaccessible(shown) == ""
    assert not any(found.values()), {key: each for key, each in found.items() if each}


def test_no_error_and_no_request_to_elsewhere(lesson: Lesson):
    assert lesson.errors == [] and lesson.outside == []
