"""Products of vectors and matrices. `@` on other shapes is put together from these in `ops/`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import scaled
from .indexing import typed
from .shapes import reshape_to, squeeze_dims, unsqueeze

__all__ = [
    "addmm",
    "addmv",
    "baddbmm",
    "bmm",
    "cross",
    "dot",
    "mm",
    "mv",
    "outer_product",
    "vdot",
]


def times(x: Any, factor: float) -> Any:
    return x if factor == 1 else x * typed(factor, x)


def added(self: Any, a: Any, b: Any, *, beta: float, alpha: float) -> Any:
    """beta·self + alpha·(a @ b); a beta of 0 leaves `self` out, even if it is nan."""
    half = a.dtype == np.float16  # added up in float32
    out = np.matmul(a.astype(np.float32), b.astype(np.float32)) if half else np.matmul(a, b)
    out = times(out, alpha)
    if beta != 0:
        out += times(self, beta)  # no third array
    return out.astype(a.dtype, copy=False)


def right_gradient(g: Any, left: Any, by_columns: bool) -> Any:
    """The gradient of the right matrix, which lies in memory as that does, as in torch: behind the
    transpose of a linear layer it is the weight's, and need not be turned when it is copied."""
    return mm(g.mT, left).mT if by_columns else mm(left.mT, g)


def by_bmm(left: int, right: int, *drop: int) -> Callable[..., Any]:
    """A product of two vectors on a batch: `bmm`, the vectors as rows or columns."""

    def each(primitive: Primitive, count: int, arrays: list[Any]) -> Any:
        a, b = arrays
        a, b = unsqueeze.compute([a], {"dim": left}), unsqueeze.compute([b], {"dim": right})
        return squeeze_dims.compute([bmm.compute([a, b], {})], {"dim": drop})

    return each


def mm_each(
    primitive: Primitive, count: int, arrays: list[Any], by_columns: bool = False
) -> Any:
    """`mm` on a batch: where all examples share the right matrix, their rows are one matrix; where
    each has a column and a row, that is all their products."""
    a, b = arrays
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if b.strides[0] == 0:
            rows = a.reshape(count * a.shape[1], a.shape[2]) @ b[0]
            return rows.reshape(*a.shape[:2], b.shape[2])
        if a.shape[2] == 1:
            return a * b
    return bmm.compute([a, b], {})


def mv_each(primitive: Primitive, count: int, arrays: list[Any]) -> Any:
    """`mv` on a batch: where all examples share the matrix, their vectors are rows of another."""
    a, b = arrays
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.strides[0] == 0:
        return b @ a[0].T
    b = unsqueeze.compute([b], {"dim": 2})
    return squeeze_dims.compute([bmm.compute([a, b], {})], {"dim": (2,)})


def add_each(primitive: Primitive, count: int, arrays: list[Any], **factors: float) -> Any:
    """What is added broadcasts behind the axis of the examples."""
    x, a, b = arrays
    ones = (1,) * (a.ndim - x.ndim)
    x = reshape_to.compute([x], {"shape": (count, *ones, *x.shape[1:])})
    return primitive.compute([x, a, b], factors)


mm = Primitive(
    "MmBackward0",
    lambda self, mat2, *, by_columns=False: np.matmul(self, mat2),
    jvp="bilinear",
    batch=mm_each,
    self=lambda g, mat2: mm(g, mat2.mT),
    mat2=lambda g, self, by_columns: right_gradient(g, self, by_columns),
)
bmm = Primitive(
    "BmmBackward0",
    np.matmul,
    jvp="bilinear",
    batch="leading",
    self=lambda g, mat2: bmm(g, mat2.mT),
    mat2=lambda g, self: bmm(self.mT, g),
)
mv = Primitive(
    "MvBackward0",
    np.matmul,
    jvp="bilinear",
    batch=mv_each,
    self=lambda g, vec: outer_product(g, vec),
    vec=lambda g, self: mv(self.mT, g),
)
dot = Primitive(
    "DotBackward0",
    np.dot,
    jvp="bilinear",
    batch=by_bmm(1, 2, 1, 2),
    self=lambda g, tensor: g * tensor,
    tensor=lambda g, self: g * self,
)
vdot = Primitive(
    "VdotBackward0",
    np.vdot,
    jvp="bilinear",
    batch=by_bmm(1, 2, 1, 2),
    self=lambda g, other: g * other,
    other=lambda g, self: g * self,
)
outer_product = Primitive(
    "GerBackward0",
    np.outer,
    jvp="bilinear",
    batch=by_bmm(2, 1),
    self=lambda g, vec2: mv(g, vec2),
    vec2=lambda g, self: mv(g.mT, self),
)
cross = Primitive(
    "LinalgCrossBackward0",
    lambda self, other, *, dim: np.cross(self, other, axis=dim),
    jvp="bilinear",
    batch="leading",
    self=lambda g, other, dim: cross(other, g, dim=dim),
    other=lambda g, self, dim: cross(g, self, dim=dim),
)
addmm = Primitive(
    "AddmmBackward0",
    lambda self, mat1, mat2, *, beta, alpha, by_columns=False: added(
        self, mat1, mat2, beta=beta, alpha=alpha
    ),
    jvp=lambda self_t, mat1, mat1_t, mat2, mat2_t, beta, alpha: (
        scaled(self_t, beta) + scaled(mm(mat1_t, mat2) + mm(mat1, mat2_t), alpha)
    ),
    batch=add_each,
    self=lambda g, beta: scaled(g, beta),
    mat1=lambda g, mat2, alpha: scaled(mm(g, mat2.mT), alpha),
    mat2=lambda g, mat1, alpha, by_columns: scaled(right_gradient(g, mat1, by_columns), alpha),
)
addmv = Primitive(
    "AddmvBackward0",
    added,
    jvp=lambda self_t, mat, mat_t, vec, vec_t, beta, alpha: (
        scaled(self_t, beta) + scaled(mv(mat_t, vec) + mv(mat, vec_t), alpha)
    ),
    self=lambda g, beta: scaled(g, beta),
    mat=lambda g, vec, alpha: scaled(outer_product(g, vec), alpha),
    vec=lambda g, mat, alpha: scaled(mv(mat.mT, g), alpha),
)
baddbmm = Primitive(
    "BaddbmmBackward0",
    added,
    jvp=lambda self_t, batch1, batch1_t, batch2, batch2_t, beta, alpha: (
        scaled(self_t, beta) + scaled(bmm(batch1_t, batch2) + bmm(batch1, batch2_t), alpha)
    ),
    batch=add_each,
    self=lambda g, beta: scaled(g, beta),
    batch1=lambda g, batch2, alpha: scaled(bmm(g, batch2.mT), alpha),
    batch2=lambda g, batch1, alpha: scaled(bmm(batch1.mT, g), alpha),
)
