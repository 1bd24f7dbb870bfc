"""One JupyterLab for all browser tests of a worker, on copies of the lessons; one browser, and a
page that the next file goes on with: to open JupyterLab takes as long as many a test."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser

from tests.browser.lab import Lesson, chromium, jupyterlab
from tools.notebooks import KERNEL

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
def lessons(tmp_path_factory) -> Path:
    return shutil.copytree(NOTEBOOKS, tmp_path_factory.mktemp("lab") / "notebooks")


@pytest.fixture(scope="session")
def address(lessons: Path) -> Iterator[str]:
    with jupyterlab(lessons, lessons.with_name("private")) as address:
        yield address
        KEPT.end()  # at the end of all tests, while the server can still end the kernel


@pytest.fixture(scope="module")
def browser() -> Browser:
    return KEPT.start()


@pytest.fixture(scope="module")
def open_lesson(lessons: Path, address: str, browser: Browser) -> Callable[..., Lesson]:
    """`open_lesson("04_chain_rule.ipynb", width=900)`, or with the code of `cells` a notebook of
    that name; the one before it is closed."""

    def open_(name: str, width: int = 1280, cells: Sequence[str] = ()) -> Lesson:
        if cells:
            code = [new_code_cell(each) for each in cells]
            nbformat.write(
                new_notebook(cells=code, metadata={"kernelspec": KERNEL}), lessons / name
            )
        if KEPT.lesson is None or KEPT.lesson.page.is_closed():
            KEPT.lesson = Lesson(browser, address, name, width)
        else:
            KEPT.lesson.turn_to(name, width)
        return KEPT.lesson

    return open_
