"""What holds for every test: more workers than cores share them, and a green run stays green."""

import gc
import os

from hypothesis import settings

# Before NumPy or torch is imported; kernels and other child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("autogradlab", deadline=None, derandomize=True)
settings.load_profile("autogradlab")


def pytest_collection_finish() -> None:
    """Thousands of collected tests are no rubbish: the collector need not look at them again, nor
    recording, which looks through all living objects."""
    gc.collect()
    gc.freeze()
