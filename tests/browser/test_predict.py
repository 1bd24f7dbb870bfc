"""PredictTheGradient in JupyterLab: the ten questions of lesson 04, and vectors of real tensors."""

import pytest
import torch
from playwright.sync_api import Locator, expect

from tests.browser.conftest import NOTEBOOKS
from tests.browser.lab import Lesson, inaccessible, screenshot, unreadable

TEN = """
from autogradlab.instruments import PredictTheGradient
PredictTheGradient()
"""
VECTORS = """
import torch
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
PredictTheGradient(Q, gradient=torch.tensor([1.0, 10.0]))
"""
LONG = """
x = torch.tensor([0.25, 1.5, 2.75, 3.5], requires_grad=True)
y = x.exp()
PredictTheGradient(y, gradient=torch.tensor([1.25, 2.25, 3.25, 4.25]))
"""
# The colours are the same at every width, and the layout in both themes.
LOOKS = [(1280, "Light"), (900, "Light"), (600, "Light"), (900, "Dark")]


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson("quiz.ipynb", width=900, cells=[TEN, VECTORS, LONG])
    lesson.run_all()
    yield lesson
    assert lesson.outside == [] and lesson.errors == []


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def look(request, lesson: Lesson) -> str:
    """A width and a theme, whose name this is."""
    width, theme = request.param
    lesson.page.set_viewport_size({"width": width, "height": 1600})
    lesson.theme(theme)
    return theme


@pytest.fixture
def ten(lesson: Lesson) -> Locator:
    """The quiz at its first question, without an answer on show."""
    return to_question(lesson.show(0).locator(".agl-view"), 1)


@pytest.fixture
def vectors(lesson: Lesson) -> Locator:
    """The same for vectors; the first question is about b."""
    return to_question(lesson.show(1).locator(".agl-view"), 1)


def to_question(view: Locator, number: int) -> Locator:
    """Go on to a question; after the last one comes the first."""
    header = view.locator(".agl-header code").first
    while (at := header.inner_text()).split()[1] != str(number):
        view.get_by_role("button", name="Next question").click()
        expect(header).not_to_have_text(at)
    return emptied(view)


def emptied(view: Locator) -> Locator:
    again = view.get_by_role("button", name="Try again")
    if again.count():
        again.click()
        expect(view.locator(".agl-why")).to_have_count(0)
    return view


def answer(view: Locator) -> Locator:
    return view.get_by_role("textbox", name="your answer")


def sentence(view: Locator) -> Locator:
    return view.locator(".agl-sentence")


def test_lesson_04_asks():
    assert "PredictTheGradient()" in (NOTEBOOKS / "04_chain_rule.py").read_text("utf-8")


def test_a_mistake_by_mouse(ten: Locator):
    to_question(ten, 3)
    expect(ten.locator(".agl-question-text")).to_have_count(1)
    answer(ten).fill("4")
    ten.get_by_role("button", name="Check").click()
    expect(sentence(ten)).to_contain_text("Not yet. You said 4, the gradient at a is 24.")
    expect(ten.locator(".agl-why")).to_contain_text("The incoming gradient is missing.")
    expect(ten.locator(".agl-line")).to_contain_text("gap 20, or × 6")
    expect(ten.locator(".agl-answers")).to_contain_text("PyTorch")
    expect(ten.locator(".agl-question-text")).to_have_count(1)
    ten.get_by_role("button", name="Try again").click()
    expect(ten.locator(".agl-why")).to_have_count(0)
    expect(answer(ten)).to_be_focused()
    expect(answer(ten)).to_have_value("")
    answer(ten).fill("24")
    ten.get_by_role("button", name="Check").click()
    expect(sentence(ten)).to_contain_text("Right.")
    expect(ten.locator(".agl-question-text")).to_have_count(0)


def test_keys_alone(lesson: Lesson, ten: Locator):
    keys = lesson.page.keyboard
    active = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    cell = lesson.page.evaluate(active)
    ten.locator(".agl-stage > svg").focus()
    keys.press("ArrowUp")
    keys.press("Enter")
    expect(ten.locator(".agl-has-corners")).to_have_count(1)
    keys.press("Enter")
    keys.press("Tab")
    expect(answer(ten)).to_be_focused()
    keys.type("1")
    keys.press("Enter")
    expect(sentence(ten)).to_contain_text("left out the local derivative")
    expect(answer(ten)).to_be_focused()
    keys.type("6")  # what was there is selected, so this replaces it
    keys.press("Enter")
    expect(sentence(ten)).to_contain_text("Right. The gradient at a is 6")
    for _ in range(3):  # Check, Back, Next question
        keys.press("Tab")
    expect(ten.get_by_role("button", name="Next question")).to_be_focused()
    keys.press("Space")
    expect(ten.locator(".agl-header")).to_contain_text("question 2 of 10")
    expect(answer(ten)).to_be_focused()
    assert lesson.page.evaluate(active) == cell, "JupyterLab took the keys"


def test_a_vector(vectors: Locator):
    b = torch.tensor([6.0, 4.0], requires_grad=True)
    (-(b**2)).backward(torch.tensor([1.0, 10.0]))
    first, second = (f"{x:.0f}" for x in b.grad.tolist())
    answer(vectors).fill(f"[{first}, -10]")
    answer(vectors).press("Enter")
    expect(sentence(vectors)).to_contain_text("Not yet.")
    rows = vectors.locator(".agl-gaps tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("✓ right")
    expect(rows.nth(2)).to_contain_text("incoming only")
    expect(vectors.locator(".agl-why .agl-g").first).to_have_text("[−1, −10]")
    answer(vectors).fill(f"{first}")
    answer(vectors).press("Enter")
    expect(sentence(vectors)).to_contain_text("b has 2 elements")
    answer(vectors).fill(f"{first}, {second}")
    answer(vectors).press("Enter")
    expect(sentence(vectors)).to_contain_text("Right.")


@pytest.mark.parametrize("said", ["4", "24", "1000"])
def test_it_can_be_read_in_both_themes(lesson: Lesson, look: str, said: str):
    ten = lesson.show(0).locator(".agl-view")
    to_question(ten, 3)
    check_looks(lesson, ten, said, f"predict-{said}-{look.lower()}", look)


def test_vectors_can_be_read_in_both_themes(lesson: Lesson, look: str):
    vectors = lesson.show(1).locator(".agl-view")
    to_question(vectors, 1)
    check_looks(lesson, vectors, "[12, 7]", f"predict-vectors-{look.lower()}", look)


def test_long_numbers_can_be_read_in_both_themes(lesson: Lesson, look: str):
    view = lesson.show(2).locator(".agl-view")
    check_looks(lesson, view, "1.25, 2.25, 3, 4.25", f"predict-long-{look.lower()}", look)


def check_looks(lesson: Lesson, view: Locator, said: str, name: str, theme: str) -> None:
    """Nothing is cut off or in the way, the theme is the page's, and axe finds nothing."""
    answer(emptied(view)).fill(said)
    answer(view).press("Enter")
    expect(sentence(view)).to_contain_text("Right." if said == "24" else "You said")
    screenshot(view, f"{name}-{lesson.page.viewport_size['width']}")
    assert unreadable(view) == []
    paper = view.evaluate("view => getComputedStyle(view).backgroundColor")
    assert paper == {"Light": "rgb(255, 255, 255)", "Dark": "rgb(17, 17, 17)"}[theme]
    assert view.evaluate("view => view.scrollWidth <= view.clientWidth")
    view.scroll_into_view_if_needed()
    assert inaccessible(view) == ""
