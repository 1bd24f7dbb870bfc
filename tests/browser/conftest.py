"""One JupyterLab for all browser tests of a worker, on copies of the lessons; one browser, and a
page that the next file goes on with: to open JupyterLab takes as long as many a test."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lesson, chromium, jupyterlab

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parents[1] / "notebooks"


class Kept:
    """What stays open from file to file."""

    def __init__(self) -> None:
        self.stack, self.browser, self.lesson = ExitStack(), None, None

    def start(self) -> Browser:
        self.browser = self.browser or self.stack.enter_context(chromium())
        return self.browser

    def end(self) -> None:
        if self.lesson is not None:
            self.lesson.close()  # and its kernel, which may hold a gigabyte
        self.browser = self.lesson = None
        self.stack.close()


KEPT = Kept()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """Playwright keeps an event loop running, which nbval cannot bear: it ends with this folder."""
    try:
        return (yield)
    finally:
        if nextitem is None or HERE not in nextitem.path.parents:
            KEPT.end()


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("lab")
    lessons = shutil.copytree(NOTEBOOKS, folder / "notebooks")
    with jupyterlab(lessons, folder / "private") as address:
        yield address
        KEPT.end()  # at the end of all tests, while the server can still end the kernel


@pytest.fixture(scope="module")
def browser() -> Browser:
    return KEPT.start()


@pytest.fixture(scope="module")
def open_lesson(address: str, browser: Browser) -> Iterator[Callable[..., Lesson]]:
    """`open_lesson("04_chain_rule.ipynb", width=900)`, closed with its kernel afterwards, but for
    the first one of a file: its page is kept."""
    opened: list[Lesson] = []

    def open_(name: str, width: int = 1280) -> Lesson:
        lesson, KEPT.lesson = KEPT.lesson, None
        if lesson is None or lesson.page.is_closed():
            lesson = Lesson(browser, address, name, width)
        else:
            lesson.turn_to(name, width)
        opened.append(lesson)
        return lesson

    yield open_
    for lesson in opened[1:]:
        lesson.close()
    KEPT.lesson = opened[0] if opened else KEPT.lesson
