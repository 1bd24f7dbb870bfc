"""The game of lesson 07 in a browser: nodes are picked by mouse and by keys alone."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, inaccessible, unreadable


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("07_order.ipynb")
    lesson.run_to("ReadyQueue(Y)")
    return lesson


@pytest.fixture(params=[900, 1280])
def game(request, lesson: Lesson) -> Locator:
    lesson.page.set_viewport_size({"width": request.param, "height": 1600})
    cell = next(c for c in lesson.code_cells() if "".join(c["source"]) == "ReadyQueue(Y)")
    found = lesson.show(cell["index"]).locator(".agl-view")
    expect(found).to_be_visible()
    found.get_by_role("button", name="Start again").click()
    expect(sentence(found)).to_have_text("Nothing has run yet. Y is given the gradient 1.")
    return found


def sentence(game: Locator) -> Locator:
    return game.locator(".agl-sentence")


def click(game: Locator, label: str) -> None:
    game.locator("[data-fold]").filter(has_text=label).first.click()


def test_a_whole_game_by_mouse(game: Locator):
    click(game, "uv + v")
    expect(sentence(game)).to_contain_text("uv + v ran. It received 1 and sends 1 to u·v")
    click(game, "3·u")
    expect(sentence(game)).to_contain_text("Not yet. 3·u has 1 of its 2 gradients")
    expect(game.locator(".agl-question-text")).to_have_count(1)
    for label in ("u·v", "3·u", "x²", "x"):
        before = game.locator(".agl-queue .agl-chip").count()
        click(game, label) if label != "x" else game.locator("[data-fold]").first.click()
        expect(game.locator(".agl-queue .agl-chip")).to_have_count(before + 1)
    expect(sentence(game)).to_contain_text("Done: all 5 nodes have run, 1 illegal pick.")


def test_by_keys_alone(lesson: Lesson, game: Locator):
    svg = game.locator(".agl-stage svg")
    svg.focus()
    for _ in range(4):  # the root's operation is the lowest
        lesson.page.keyboard.press("ArrowDown")
    lesson.page.keyboard.press("Enter")
    expect(sentence(game)).to_contain_text("uv + v ran.")
    lesson.page.keyboard.press("ArrowUp")
    lesson.page.keyboard.press("ArrowUp")
    lesson.page.keyboard.press("Enter")
    expect(game.locator(".agl-queue .agl-chip")).to_have_count(1)
    expect(sentence(game)).to_contain_text("Not yet.")
    expect(svg).to_be_focused()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_it_can_be_read_and_axe_finds_nothing(lesson: Lesson, game: Locator, theme: str):
    lesson.theme(theme)
    lesson.page.add_style_tag(content="body { height: 100vh }")
    click(game, "uv + v")
    click(game, "3·u")
    expect(sentence(game)).to_contain_text("Not yet.")
    assert unreadable(game) == []
    assert inaccessible(game) == ""
    assert lesson.errors == [] and lesson.outside == []
