"""Products of vectors and matrices. `@` on other shapes is put together from these in `ops/`."""

from __future__ import annotations

import numpy as np

from ..primitive import Primitive

__all__ = ["bmm", "dot", "mm", "mv", "outer_product"]

mm = Primitive(
    "MmBackward0",
    np.matmul,
    self=lambda g, mat2: mm(g, mat2.mT),
    mat2=lambda g, self: mm(self.mT, g),
)
bmm = Primitive(
    "BmmBackward0",
    np.matmul,
    self=lambda g, mat2: bmm(g, mat2.mT),
    mat2=lambda g, self: bmm(self.mT, g),
)
mv = Primitive(
    "MvBackward0",
    np.matmul,
    self=lambda g, vec: outer_product(g, vec),
    vec=lambda g, self: mv(self.mT, g),
)
dot = Primitive(
    "DotBackward0",
    np.dot,
    self=lambda g, tensor: g * tensor,
    tensor=lambda g, self: g * self,
)
outer_product = Primitive(
    "GerBackward0",
    np.outer,
    self=lambda g, vec2: mv(g, vec2),
    vec2=lambda g, self: mv(g.mT, self),
)
