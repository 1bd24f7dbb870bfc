"""The backward debugger in the lessons that use it: moved by mouse and by keyboard, and back."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, axe, violation

CALL = "BackwardDebugger("


# A small graph, all of which is drawn, and a deep network, drawn as a rail.
@pytest.fixture(scope="module", params=["04_chain_rule.ipynb", "13_gradient_flow.ipynb"])
def lesson(request, open_lesson) -> Lesson:
    lesson = open_lesson(request.param, width=900)
    lesson.run_to(CALL)
    return lesson


@pytest.fixture
def debugger(lesson: Lesson) -> Locator:
    """The first debugger of the lesson, at its start."""
    cells = lesson.code_cells()
    index = next(c["index"] for c in cells if CALL in "".join(c["source"]))
    view = lesson.show(index).locator(".agl-view")
    view.get_by_role("button", name="start").click()
    expect(at(view)).to_have_text("0")
    return view


def at(view: Locator) -> Locator:
    """The number of the step that is shown."""
    return view.locator(".agl-counter b")


def looks(view: Locator) -> tuple[str, ...]:
    """All that a step changes: the drawing, the panel, the sentence."""
    parts = (".agl-stage svg", ".agl-panel", ".agl-sentence")
    return tuple(view.locator(part).inner_html() for part in parts)


def test_buttons_step_forward_and_back(debugger: Locator):
    first = looks(debugger)
    forward = debugger.get_by_role("button", name="step forward")
    forward.click()
    expect(at(debugger)).to_have_text("1")
    second = looks(debugger)
    forward.click()
    expect(at(debugger)).to_have_text("2")
    third = looks(debugger)
    assert len({first, second, third}) == 3
    back = debugger.get_by_role("button", name="step back")
    back.click()
    expect(at(debugger)).to_have_text("1")
    assert looks(debugger) == second
    back.click()
    expect(at(debugger)).to_have_text("0")
    assert looks(debugger) == first


def test_arrow_keys_step_forward_and_back(lesson: Lesson, debugger: Locator):
    first = looks(debugger)
    active = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    cell = lesson.page.evaluate(active)
    slider = debugger.get_by_role("slider")
    last = slider.get_attribute("aria-valuemax")
    moves = {"ArrowRight": "1", "ArrowUp": "2", "ArrowDown": "1", "ArrowLeft": "0", "End": last}
    for key, step in moves.items():
        slider.press(key)
        expect(at(debugger)).to_have_text(step)
        expect(slider).to_have_attribute("aria-valuenow", step)
    slider.press("Home")
    expect(at(debugger)).to_have_text("0")
    assert looks(debugger) == first
    assert lesson.page.evaluate(active) == cell, "JupyterLab took the arrow keys"


def test_clicking_the_scrubber_jumps(debugger: Locator):
    slider = debugger.get_by_role("slider")
    last = slider.get_attribute("aria-valuemax")
    for end, step in [(1, last), (0, "0")]:
        box = debugger.locator(".agl-track").bounding_box()
        debugger.page.mouse.click(box["x"] + end * box["width"], box["y"] + 13)
        expect(at(debugger)).to_have_text(step)


def test_a_node_is_selected_by_click_and_by_key(debugger: Locator):
    selected = debugger.locator(".agl-has-corners")
    node = debugger.locator(".agl-stage g[data-key] text").first
    node.click()
    expect(selected).to_have_count(1)
    node.click()
    expect(selected).to_have_count(0)
    graph = debugger.locator(".agl-stage > svg")
    graph.focus()
    graph.press("ArrowUp")
    graph.press("Space")  # Enter would open the module of a folded row
    expect(selected).to_have_count(1)
    graph.press("Space")
    expect(selected).to_have_count(0)


def test_play_stops_at_a_breakpoint_and_goes_on_to_the_end(debugger: Locator):
    graph = debugger.locator(".agl-stage > svg")
    slider = debugger.get_by_role("slider")
    last = int(slider.get_attribute("aria-valuemax"))
    nodes = debugger.locator(".agl-stage g[data-key]").count()
    for _ in range(nodes):  # to the top of the graph: a leaf, which runs late
        graph.press("ArrowUp")
    graph.press("b")
    expect(debugger.locator(".agl-has-break")).to_have_count(1)
    if last > 20:  # not all the way: a step takes most of a second
        slider.press("End")
        for _ in range(10):
            slider.press("ArrowLeft")
    debugger.get_by_role("button", name="play").click()
    expect(debugger.get_by_role("button", name="pause")).to_be_visible()
    expect(debugger.get_by_role("button", name="play")).to_be_visible(timeout=last * 2000)
    assert 1 < int(at(debugger).inner_text()) <= last
    graph.press("b")
    expect(debugger.locator(".agl-has-break")).to_have_count(0)


def test_a_step_is_drawn_within_a_frame(debugger: Locator):
    milliseconds = debugger.get_by_role("slider").evaluate("""slider => {
        const press = key => {
            const start = performance.now();
            slider.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
            document.body.getBoundingClientRect();
            return performance.now() - start;
        };
        return Array.from({length: 20}, (_, i) => press(i % 2 ? 'ArrowLeft' : 'ArrowRight'));
    }""")
    assert sorted(milliseconds)[10] < 16


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_stands_in_the_way_of_assistive_technology(
    lesson: Lesson, debugger: Locator, theme: str
):
    lesson.theme(theme)
    debugger.scroll_into_view_if_needed()
    # JupyterLab's body has no height, which makes axe believe that nothing in it can be seen.
    lesson.page.add_style_tag(content="body { height: 100vh }")
    kinds = {"resultTypes": ["violations", "passes"]}
    found = axe(lesson.page, ".agl-view", kinds)
    assert [violation(each) for each in found["violations"]] == []
    assert "color-contrast" in [rule["id"] for rule in found["passes"]]
