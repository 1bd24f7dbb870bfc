"""What holds for every test: more workers than cores share them, and a green run stays green."""

import gc
import os
from collections import Counter

import pytest
from hypothesis import settings

# Before NumPy or torch is imported; kernels and other child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("autogradlab", deadline=None, derandomize=True)
settings.load_profile("autogradlab")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a browser first: they take half of the time. Then those of few tests, which may be
    long ones; doctests, which are quick, last, so that all workers end at about the same time."""
    count = Counter(item.path for item in items)
    for item in items:
        if "browser" in item.path.parts:  # one page, on which a file is one sitting
            item.add_marker(pytest.mark.random_order(disabled=True))

    def turn(item: pytest.Item) -> int:
        if isinstance(item, pytest.DoctestItem):
            return 3
        return 0 if "browser" in item.path.parts else 1 if count[item.path] < 100 else 2

    items.sort(key=lambda item: (turn(item), -count[item.path], item.path))


def pytest_collection_finish() -> None:
    """Thousands of collected tests are no rubbish: the collector need not look at them again, nor
    recording, which looks through all living objects."""
    gc.collect()
    gc.freeze()
