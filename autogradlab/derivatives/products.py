"""Products of vectors and matrices. `@` on other shapes is put together from these in `ops/`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import scaled

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


def added(self: Any, a: Any, b: Any, *, beta: float, alpha: float) -> Any:
    """beta·self + alpha·(a @ b); a beta of 0 leaves `self` out, even if it is nan."""
    product = scaled(np.matmul(a, b), alpha)
    return product if beta == 0 else scaled(self, beta) + product


mm = Primitive(
    "MmBackward0",
    np.matmul,
    jvp="bilinear",
    batch="leading",
    self=lambda g, mat2: mm(g, mat2.mT),
    mat2=lambda g, self: mm(self.mT, g),
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
    self=lambda g, vec: outer_product(g, vec),
    vec=lambda g, self: mv(self.mT, g),
)
dot = Primitive(
    "DotBackward0",
    np.dot,
    jvp="bilinear",
    self=lambda g, tensor: g * tensor,
    tensor=lambda g, self: g * self,
)
vdot = Primitive(
    "VdotBackward0",
    np.vdot,
    jvp="bilinear",
    self=lambda g, other: g * other,
    other=lambda g, self: g * self,
)
outer_product = Primitive(
    "GerBackward0",
    np.outer,
    jvp="bilinear",
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
    added,
    jvp=lambda self_t, mat1, mat1_t, mat2, mat2_t, beta, alpha: (
        scaled(self_t, beta) + scaled(mm(mat1_t, mat2) + mm(mat1, mat2_t), alpha)
    ),
    self=lambda g, beta: scaled(g, beta),
    mat1=lambda g, mat2, alpha: scaled(mm(g, mat2.mT), alpha),
    mat2=lambda g, mat1, alpha: scaled(mm(mat1.mT, g), alpha),
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
    self=lambda g, beta: scaled(g, beta),
    batch1=lambda g, batch2, alpha: scaled(bmm(g, batch2.mT), alpha),
    batch2=lambda g, batch1, alpha: scaled(bmm(batch1.mT, g), alpha),
)
