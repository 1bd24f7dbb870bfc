"""Handwritten digits for lesson 15: those that scikit-learn ships, or made-up ones without it."""

from __future__ import annotations

import numpy as np

import autogradlab

from ..tensor import Tensor

SIZE = 8


def digits() -> tuple[Tensor, Tensor]:
    """1797 images (1797, 1, 8, 8) of float64 from 0 to 1, and the digit each shows; says which.

    >>> images, labels = digits()  # doctest: +ELLIPSIS
    1797 ...
    >>> images.shape, labels.shape
    (torch.Size([1797, 1, 8, 8]), torch.Size([1797]))
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        print("1797 made-up images: scikit-learn, which ships real ones, is not installed.")
        x, y = made_up()
    else:
        x, y = load_digits(return_X_y=True)
        x = x / 16
        print("1797 handwritten digits, as scikit-learn ships them.")
    images = x.reshape(-1, 1, SIZE, SIZE).astype("float64")
    return autogradlab.from_numpy(images), autogradlab.from_numpy(y.astype("int64"))


def made_up(count: int = 1797) -> tuple[np.ndarray, np.ndarray]:
    """Ten random patterns, each many times, moved by a pixel and with noise on it."""
    rng = np.random.default_rng(0)
    patterns, y = rng.random((10, SIZE, SIZE)) > 0.6, rng.integers(0, 10, count)
    moved = [np.roll(patterns[k], rng.integers(-1, 2, 2), (0, 1)) for k in y]
    return np.clip(np.stack(moved) * 0.8 + rng.normal(0, 0.15, (count, SIZE, SIZE)), 0, 1), y
