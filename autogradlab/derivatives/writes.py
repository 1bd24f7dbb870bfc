"""Writing into memory, as operations on values: what a tensor holds afterwards, and whose it is.

`inplace.py` copies the results into the memory and moves the history.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .indexing import index_put as put_at
from .indexing import put
from .shapes import blank, expand

__all__ = ["as_strided_at", "copy", "fill_number", "fill_tensor", "put_at", "replace_at", "zero"]


def replaced(x: Any, values: Any, where: Any) -> Any:
    out = x.flatten()
    out[where] = values
    return out.reshape(x.shape)


def zeros(g: Any) -> Any:
    """No gradient: what was there is overwritten."""
    return fill_number(g, value=0.0)


copy = Primitive(
    "torch::autograd::CopyBackwards",
    lambda self, src: np.broadcast_to(src, self.shape).astype(self.dtype),
    self=lambda g: zeros(g),
    src=lambda g: g,
    jvp=lambda src_t, self_shape: expand(src_t, shape=self_shape),
)
fill_number = Primitive(
    "FillBackward2",
    lambda self, *, value: np.full(self.shape, value, self.dtype)[()],
    self=lambda g: zeros(g),
    jvp=lambda self_t: zeros(self_t),
    batch="elementwise",
)
fill_tensor = Primitive(
    "FillBackward3",
    lambda self, value: np.full(self.shape, value, self.dtype)[()],
    self=lambda g: zeros(g),
    value=lambda g: g.sum(),
    jvp=lambda self_t, value_t: copy(zeros(self_t), value_t),
    batch="elementwise",
)
zero = Primitive(
    "ZeroBackward0",
    lambda self: np.zeros_like(self)[()],
    self=lambda g: zeros(g),
    jvp="linear",
    batch="elementwise",
)
# `put_at` for positions in memory (`where`, counted in the flat base): what a view shows of its
# base after the base was written, and what the base holds after the view was.
as_strided_at = Primitive(
    "AsStridedBackward0",
    lambda self, *, where: np.take(self, where)[()],
    self=lambda g, self_shape, where: add_at(g, where=where, shape=self_shape),
    jvp="linear",
)
add_at = Primitive(
    "AsStridedScatterBackward0",
    lambda self, *, where, shape: put(
        np.zeros(shape, self.dtype).reshape(-1), self, where, True
    ).reshape(shape),
    self=lambda g, where: as_strided_at(g, where=where),
    jvp="linear",
)
replace_at = Primitive(
    "AsStridedScatterBackward0",
    lambda self, values, *, where: replaced(self, values, where),
    self=lambda g, where: replace_at(g, blank(g, ()), where=where),
    values=lambda g, where: as_strided_at(g, where=where),
    jvp="linear",
)
