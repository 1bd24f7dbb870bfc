"""Reductions: many numbers become fewer. `dim` is a tuple of dimensions that are not negative."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .indexing import gather, put_along
from .shapes import expand, reshape_to

__all__ = ["max_all", "max_dim", "mean_all", "mean_dim", "min_all", "min_dim", "sum_all", "sum_dim"]

Dims = tuple[int, ...]


def add_up(x: Any, axis: Dims | None, keepdims: bool, dtype: np.dtype | None) -> Any:
    """NumPy's sum in torch's types: integers in int64, float16 added up in float32."""
    if dtype is None:
        dtype = np.dtype(np.int64) if x.dtype.kind in "biu" else x.dtype
    wide = np.float32 if dtype == np.float16 else dtype
    return np.sum(x, axis, dtype=wide, keepdims=keepdims).astype(dtype, copy=False)[()]


def average(x: Any, axis: Dims | None, keepdims: bool, dtype: np.dtype | None) -> Any:
    total = add_up(x, axis, keepdims, dtype)
    return total / total.dtype.type(count(x.shape, axis))


def count(shape: Dims, dim: Dims | None) -> int:
    """How many numbers go into one."""
    return int(
        np.prod([shape[i] for i in (range(len(shape)) if dim is None else dim)], dtype=np.int64)
    )


def spread(g: Any, shape: Dims, dim: Dims, keepdim: bool) -> Any:
    """A reduced gradient copied back over the dimensions that were reduced away."""
    if not keepdim:
        g = reshape_to(g, shape=tuple(1 if i in dim else n for i, n in enumerate(shape)))
    return expand(g, shape=shape)


def pick(x: Any, indices: Any, dim: int, keepdim: bool) -> Any:
    """The elements of `x` at indices that have kept the dimension."""
    found = gather(x, index=np.asarray(indices), dim=dim)
    return found if keepdim or not x.ndim else np.squeeze(found, dim)[()]


def evenly(g: Any, mask: Any) -> Any:
    """The gradient of an extreme value, shared by all elements that have it."""
    return g / mask.sum() * mask


sum_all = Primitive(
    "SumBackward0",
    lambda self, *, dtype=None: add_up(self, None, False, dtype),
    self=lambda g, self_shape: expand(g, shape=self_shape),
)
sum_dim = Primitive(
    "SumBackward1",
    lambda self, *, dim, keepdim, dtype=None: add_up(self, dim, keepdim, dtype),
    self=lambda g, self_shape, dim, keepdim: spread(g, self_shape, dim, keepdim),
)
mean_all = Primitive(
    "MeanBackward0",
    lambda self, *, dtype=None: average(self, None, False, dtype),
    self=lambda g, self_shape: expand(g / count(self_shape, None), shape=self_shape),
)
mean_dim = Primitive(
    "MeanBackward1",
    lambda self, *, dim, keepdim, dtype=None: average(self, dim, keepdim, dtype),
    self=lambda g, self_shape, dim, keepdim: (
        spread(g, self_shape, dim, keepdim) / count(self_shape, dim)
    ),
)
max_all = Primitive("MaxBackward1", np.max, self=lambda g, self, result: evenly(g, self == result))
min_all = Primitive("MinBackward1", np.min, self=lambda g, self, result: evenly(g, self == result))
max_dim = Primitive(
    "MaxBackward0",
    lambda self, *, indices, dim, keepdim: pick(self, indices, dim, keepdim),
    arrays=("indices",),
    self=lambda g, self_shape, indices, dim: put_along(
        reshape_to(g, shape=indices.shape), indices=indices, dim=dim, shape=self_shape
    ),
)
min_dim = max_dim.named("MinBackward0")
