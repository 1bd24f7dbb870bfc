"""Random numbers, as operations: no gradient goes on to what they were drawn with.

They are drawn in sampling.py, and come here as `values`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import random
from ..primitive import Primitive
from .writes import zeros

__all__ = [
    "bernoulli", "draw_bernoulli", "draw_bernoulli_each", "draw_exponential", "draw_normal",
    "draw_random", "draw_random_from", "draw_random_to", "draw_uniform", "normal_around",
    "normal_each", "normal_with",
]  # fmt: skip


def overwrite(self: Any, *, values: Any) -> Any:
    return np.broadcast_to(values, self.shape)[()]


def below(p: Any, values: Any, dtype: np.dtype) -> Any:
    random.check_probabilities(p)
    return (values < p).astype(dtype)[()]


def scaled(std: Any, values: Any) -> Any:
    if not (np.asarray(std) >= 0).all():
        raise RuntimeError("normal expects all elements of std >= 0.0")
    return (values * std).astype(values.dtype)


drawing = partial(Primitive, jvp="elementwise", batch="elementwise")

# in the place of what was there
draw_uniform = drawing("UniformBackward0", overwrite, self=lambda g: zeros(g))
draw_normal = drawing("NormalBackward0", overwrite, self=lambda g: zeros(g))
draw_exponential = drawing("ExponentialBackward0", overwrite, self=lambda g: zeros(g))
draw_random_from = drawing("RandomBackward0", overwrite, self=lambda g: zeros(g))
draw_random_to = drawing("RandomBackward1", overwrite, self=lambda g: zeros(g))
draw_random = drawing("RandomBackward2", overwrite, self=lambda g: zeros(g))
draw_bernoulli = drawing("BernoulliBackward2", overwrite, self=lambda g: zeros(g))
draw_bernoulli_each = drawing(
    "BernoulliBackward1",
    lambda self, p, *, values: below(np.broadcast_to(p, self.shape), values, self.dtype),
    self=lambda g: zeros(g),
    p=lambda g: zeros(g),
)
# anew
bernoulli = drawing(
    "BernoulliBackward0",
    lambda self, *, values: below(self, values, self.dtype),
    self=lambda g: zeros(g),
)
normal_around = drawing(
    "NormalBackward1",
    lambda mean, *, values: (values + mean).astype(values.dtype)[()],
    mean=lambda g: zeros(g),
)
normal_with = drawing(
    "NormalBackward2",
    lambda std, *, mean, values: (scaled(std, values) + values.dtype.type(mean))[()],
    std=lambda g: zeros(g),
)
normal_each = drawing(
    "NormalBackward3",
    lambda mean, std, *, values: (scaled(std, values) + mean).astype(values.dtype)[()],
    mean=lambda g: zeros(g),
    std=lambda g: zeros(g),
)
