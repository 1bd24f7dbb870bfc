"""The boards of lesson 09 in a browser: what is frozen, detached and retained, by click and key."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Lesson, inaccessible, unreadable


@pytest.fixture(scope="module")
def lesson(open_lesson) -> Lesson:
    lesson = open_lesson("09_exclusion.ipynb", width=900)
    lesson.run_to("images[:1]")
    return lesson


def board(lesson: Lesson, words: str) -> Locator:
    """The board of the first cell with these words in its code, as it was at the start."""
    cells = lesson.code_cells()
    found = lesson.show(next(c["index"] for c in cells if words in "".join(c["source"])))
    view = found.locator(".agl-view")
    expect(view).to_be_visible()
    view.get_by_role("button", name="Reset").click()
    return view


def press(view: Locator, words: str) -> None:
    button = view.get_by_role("button", name=words, exact=True)
    button.focus()
    button.press("Space")


def row(view: Locator, name: str) -> Locator:
    return view.locator("table tr").filter(has=view.page.get_by_text(name, exact=True)).first


def test_a_frozen_branch_goes(lesson: Lesson):
    view = board(lesson, 'controls=["freeze", "memory"])')
    sentence = view.locator(".agl-sentence")
    expect(sentence).to_contain_text("Nothing is frozen. All 6 nodes are recorded")
    view.get_by_role("button", name="freeze a", exact=True).click()
    expect(sentence).to_contain_text("a is frozen: a.grad stays None. 3 of 6 nodes are left")
    expect(row(view, "a")).to_contain_text("False")
    press(view, "freeze b")
    expect(sentence).to_contain_text("Nothing is recorded: Q has no grad_fn")
    expect(view.get_by_role("button", name="freeze b", exact=True)).to_be_focused()
    assert unreadable(view) == []


def test_the_states_are_lit(lesson: Lesson):
    view = board(lesson, '"retain", "states"')
    press(view, "freeze x")
    press(view, "retain grad h")
    expect(view.locator(".agl-sentence")).to_contain_text("h keeps its gradient.")
    states = view.locator(".agl-states > div")
    expect(states.filter(has_text="intermediate, retained")).to_contain_text("h")
    expect(states.filter(has_text="constant")).to_contain_text("x")
    press(view, "freeze w")
    expect(states.filter(has_text="constant")).to_contain_text("4 tensors")
    assert unreadable(view) == []


def test_detaching_is_not_freezing(lesson: Lesson):
    view = board(lesson, '"freeze", "detach"')
    press(view, "detach b")
    expect(view.locator(".agl-sentence")).to_contain_text("b is detached: b.grad stays None.")
    expect(row(view, "b")).to_contain_text("True")
    expect(row(view, "b.detach()")).to_contain_text("False")
    assert unreadable(view) == []


def test_all_but_fc(lesson: Lesson):
    view = board(lesson, "images[:1]")
    sentence = view.locator(".agl-sentence")
    press(view, "Freeze all but fc")
    expect(sentence).to_contain_text("All but fc are frozen: their .grad stays None. 5 of 133")
    press(view, "Reset")
    press(view, "freeze layer4")
    expect(sentence).to_contain_text("118 of 133 nodes are left")
    assert unreadable(view) == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing(lesson: Lesson, theme: str):
    lesson.theme(theme)
    for words, pressed in (('"retain", "states"', "freeze w"), ("images[:1]", "freeze layer4")):
        view = board(lesson, words)
        press(view, pressed)
        assert inaccessible(view) == ""
        assert unreadable(view) == []
    assert lesson.errors == [] and lesson.outside == []
