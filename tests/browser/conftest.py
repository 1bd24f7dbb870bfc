"""One JupyterLab for all browser tests of a worker, on copies of the lessons."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lesson, chromium, jupyterlab

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("lab")
    lessons = shutil.copytree(NOTEBOOKS, folder / "notebooks")
    with jupyterlab(lessons, folder / "private") as address:
        yield address


# Of a module, not of the session: Playwright keeps an event loop running, which nbval cannot bear.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def open_lesson(address: str, browser: Browser) -> Iterator[Callable[..., Lesson]]:
    """`open_lesson("04_chain_rule.ipynb", width=900)`, closed with its kernel afterwards."""
    opened: list[Lesson] = []

    def open_(name: str, width: int = 1280) -> Lesson:
        opened.append(Lesson(browser, address, name, width))
        return opened[-1]

    yield open_
    for lesson in opened:
        lesson.close()
