"""Every instrument of the gallery in a browser: by mouse and keys, two widths, both themes."""

import json
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import SCREENSHOTS, Lesson, inaccessible, screenshot, unreadable

SCRUB = """slider => {
    const press = key => {
        const start = performance.now();
        slider.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
        document.body.getBoundingClientRect();
        return [performance.now() - start, slider.getAttribute('aria-valuenow')];
    };
    return Array.from({length: 40}, (_, i) => press(i % 2 ? 'ArrowLeft' : 'ArrowRight'));
}"""


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("gallery.ipynb")
    lesson.run_all()
    return lesson


@pytest.fixture(params=[900, 1280])
def widths(request, lesson: Lesson) -> None:
    lesson.page.set_viewport_size({"width": request.param, "height": 1600})


def views(lesson: Lesson) -> dict[str, int]:
    """The cells that show an instrument, each under its code's last line."""
    cells = lesson.code_cells()
    shown = [c for c in cells if any("agl" in json.dumps(o) or "svg" in json.dumps(o)
                                     for o in c["outputs"])]  # fmt: skip
    return {"".join(c["source"]): c["index"] for c in shown}


def view(lesson: Lesson, words: str) -> Locator:
    """The first instrument whose code has these words."""
    index = next(i for code, i in views(lesson).items() if words in code)
    found = lesson.show(index).locator(".agl-view")
    expect(found).to_be_visible()
    return found


def at(view: Locator) -> Locator:
    return view.locator(".agl-counter b")


def test_no_error_and_no_request_to_elsewhere(lesson: Lesson):
    assert len(views(lesson)) >= 12
    assert lesson.errors == [] and lesson.outside == []


# The colours are the same at every width, and the layout in both themes.
@pytest.mark.parametrize(("width", "theme"), [(1280, "Light"), (900, "Light"), (900, "Dark")])
def test_each_can_be_read_and_axe_finds_nothing(lesson: Lesson, width: int, theme: str):
    lesson.page.set_viewport_size({"width": width, "height": 1600})
    lesson.theme(theme)
    found = {}
    for index in views(lesson).values():
        each = lesson.show(index).locator(".agl-view")
        expect(each).to_be_visible()
        picture = screenshot(each, f"gallery-{index}-{width}-{theme.lower()}")
        found[picture.name] = unreadable(each)
        if width == 900:  # the narrower one, where more has to scroll
            found[picture.name] += filter(None, [inaccessible(each)])
        assert each.evaluate("view => view.scrollWidth <= view.clientWidth"), picture
    assert not any(found.values()), {name: each for name, each in found.items() if each}


def test_a_module_opens_and_closes_by_click_and_by_key(lesson: Lesson):
    rail = view(lesson, "debugger.jump(94)")
    heading = rail.locator(".agl-header code").first
    before, step = heading.inner_text(), at(rail).inner_text()
    rows = int(re.search(r"in (\d+) rows", before).group(1))
    rail.locator("g[data-fold]", has_text="").nth(0).click()
    expect(heading).not_to_have_text(before)
    assert int(re.search(r"in (\d+) rows", heading.inner_text()).group(1)) > rows
    assert at(rail).inner_text() == step
    rail.locator(".agl-stage g[data-fold]:has(.agl-fold-mark)").first.click()
    expect(heading).to_have_text(before)
    graph = rail.locator(".agl-stage > svg")
    graph.focus()
    for _ in range(40):  # to the top, and down to the first stack
        graph.press("ArrowUp")
    for _ in range(4):
        graph.press("ArrowDown")
    graph.press("Enter")
    expect(heading).not_to_have_text(before)
    graph.press("Enter")
    expect(heading).to_have_text(before)
    expect(graph).to_be_focused()


def test_a_rail_is_scrubbed_by_keys_and_by_mouse(lesson: Lesson):
    rail = view(lesson, "debugger.jump(94)")
    slider = rail.get_by_role("slider")
    slider.press("Home")
    expect(at(rail)).to_have_text("0")
    first = rail.locator(".agl-stage svg").inner_html()
    slider.press("PageUp")
    expect(at(rail)).to_have_text("10")
    assert rail.locator(".agl-stage svg").inner_html() != first
    expect(rail.locator(".agl-sentence")).to_contain_text("Step 10 of 134.")
    expect(rail.locator(".agl-held-now")).to_contain_text("held")
    box = rail.locator(".agl-track").bounding_box()
    rail.page.mouse.click(box["x"] + box["width"] - 1, box["y"] + 13)
    expect(at(rail)).to_have_text("134")
    slider.press("Home")
    assert rail.locator(".agl-stage svg").inner_html() == first


def test_play_stops_where_the_condition_holds(lesson: Lesson):
    rail = view(lesson, "debugger.break_when")
    halts = rail.locator(".agl-break").count()
    assert halts > 0
    slider = rail.get_by_role("slider")
    slider.press("ArrowLeft")
    start = int(at(rail).inner_text())
    rail.get_by_role("button", name="play").click()
    expect(at(rail)).to_have_text(str(start + 1), timeout=5000)
    expect(rail.get_by_role("button", name="play")).to_be_visible()


def test_selecting_a_node_selects_its_counterpart(lesson: Lesson):
    twins = view(lesson, 'twins.select("a³")')
    expect(twins.locator(".agl-has-corners")).to_have_count(2)
    verdict = twins.locator(".agl-sentence").inner_text()
    before = twins.locator(".agl-panel").inner_html()
    twins.locator(".agl-stage g[data-key='rn3']").click()
    expect(twins.locator(".agl-has-corners")).to_have_count(2)
    assert twins.locator(".agl-panel").inner_html() != before
    assert twins.locator(".agl-sentence").inner_text() == verdict
    graph = twins.locator(".agl-stage > svg")
    graph.focus()
    graph.press("Enter")
    expect(twins.locator(".agl-has-corners")).to_have_count(0)
    graph.press("Enter")
    expect(twins.locator(".agl-has-corners")).to_have_count(2)


def test_a_tree_opens_by_click_and_by_key(lesson: Lesson):
    tree = view(lesson, "ModuleTree(net)")
    rows = tree.locator(".agl-stage g[data-key]")
    before = rows.count()
    tree.locator(".agl-stage g[data-key]", has_text="conv1").locator("[data-fold]").first.click()
    expect(rows).to_have_count(before + 1)  # its weight
    graph = tree.locator(".agl-stage > svg")
    graph.focus()
    for _ in range(before):
        graph.press("ArrowUp")
    graph.press("ArrowDown")
    graph.press("Enter")
    expect(rows).to_have_count(before)
    tree.get_by_role("button", name="Unfold all").click()
    expect(rows).not_to_have_count(before)
    tree.get_by_role("button", name="Fold all", exact=True).click()


def test_a_tensor_is_frozen_and_thawed_by_mouse_and_by_key(lesson: Lesson):
    board = view(lesson, 'board.freeze("a")')
    sentence = board.locator(".agl-sentence")
    expect(sentence).to_contain_text("a is frozen: a.grad stays None.")
    button = board.get_by_role("button", name="freeze").first
    button.click()
    expect(sentence).not_to_contain_text("a is frozen")
    button.press("Space")
    expect(sentence).to_contain_text("a is frozen: a.grad stays None.")


@pytest.mark.parametrize("words", ["with flow.step()", "TapeMemory(total", "ModuleTree(net)"])
def test_other_timelines_are_scrubbed(lesson: Lesson, words: str):
    each = view(lesson, words)
    slider = each.get_by_role("slider")
    slider.press("Home")
    first = each.locator(".agl-stage svg").inner_html(), each.locator(".agl-sentence").inner_text()
    slider.press("End")
    expect(at(each)).to_have_text(slider.get_attribute("aria-valuemax"))
    last = each.locator(".agl-stage svg").inner_html(), each.locator(".agl-sentence").inner_text()
    assert first[0] != last[0] and first[1] != last[1]


@pytest.mark.usefixtures("widths")
def test_how_long_a_step_takes_is_reported(lesson: Lesson):
    """Measured here, judged by who reads build/screenshots/latency.json: machines differ."""
    taken = {}
    for words in ("debugger.jump(94)", "debugger.break_when", "TapeMemory(total"):
        slider = view(lesson, words).get_by_role("slider")
        slider.press("Home")
        pressed = slider.evaluate(SCRUB)
        assert [now for _, now in pressed] == ["1", "0"] * 20  # each press has moved it
        times = [time for time, _ in pressed]
        taken[words] = {"median ms": sorted(times)[20], "longest ms": max(times)}
    width = lesson.page.viewport_size["width"]
    (SCREENSHOTS / f"latency-{width}.json").write_text(json.dumps(taken, indent=1))
