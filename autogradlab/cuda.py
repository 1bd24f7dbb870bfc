"""What programs ask before they use a GPU. There is none here."""

from __future__ import annotations


def is_available() -> bool:
    """Whether there is a GPU: no."""
    return False


def device_count() -> int:
    """How many GPUs there are: none."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the current GPU, if there is one: nothing happens."""


manual_seed_all = manual_seed
