"""Indexing by arrays: what is picked by index gives its gradient back to where it was picked.

Indices are constants, already checked and, where torch counts from the end, possibly negative.
A tensor without dimensions is treated as one with a single element, as in torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .shapes import Shape, blank, reshape_to

__all__ = [
    "gather",
    "index",
    "index_add",
    "index_fill_number",
    "index_fill_tensor",
    "index_put",
    "index_select",
    "masked_select",
    "nonzero",
    "put_along",
    "scatter",
    "scatter_add",
    "scatter_number",
    "take",
]


def put(x: Any, values: Any, where: Any, accumulate: bool) -> Any:
    """A copy of `x` in which the values are written, or added, at an index."""
    out = np.array(x, order="C")
    if not accumulate:
        out[where] = values
    elif out.size > 4 * np.size(values):
        np.add.at(out, where, values)
    else:  # NumPy is six times as fast at adding into a vector
        at = np.arange(out.size).reshape(out.shape)[where]
        np.add.at(out.reshape(-1), at.reshape(-1), np.broadcast_to(values, at.shape).reshape(-1))
    return out[()]


def typed(number: float, x: Any) -> Any:
    """A number in the dtype of an array: cut off for integers, as in torch."""
    return np.asarray(number).astype(x.dtype)[()]


def rows(x: Any, dim: int, index: np.ndarray) -> tuple[Any, ...]:
    """The NumPy index of the entries along `dim`."""
    return (slice(None),) * dim + (index.reshape(-1),) if dim < x.ndim else (...,)


def along(x: Any, dim: int, index: np.ndarray) -> tuple[Any, ...]:
    """The NumPy index that replaces the position along `dim` by `index`, element by element."""
    if not (x.ndim and index.ndim):
        return (index,)
    ones = (1,) * index.ndim
    return tuple(
        index if i == dim else np.arange(n).reshape(-1, *ones[i + 1 :])
        for i, n in enumerate(index.shape)
    )


def put_entries(x: Any, source: Any, dim: int, index: np.ndarray, accumulate: bool) -> Any:
    """`put` into the entries along `dim`."""
    where = rows(x, dim, index)
    return put(x, source.reshape(x[where].shape), where, accumulate)


def picked(x: Any, dim: int, index: np.ndarray) -> Any:
    """The elements at the indices along `dim`."""
    return listed(x)[along(x, dim, index)] if index.size else np.empty(index.shape, x.dtype)


def put_elements(x: Any, source: Any, dim: int, index: np.ndarray, accumulate: bool) -> Any:
    """`put` of the first elements of `source`, as many as there are indices, along `dim`."""
    if source.ndim and index.ndim:
        source = source[tuple(slice(n) for n in index.shape)]
    if not index.size:
        return x.copy()
    where = along(x, dim, index)
    out = put(listed(x), source.reshape(index.shape), where, accumulate)
    return out.reshape(x.shape)[()]


def listed(x: Any) -> np.ndarray:
    """At least one dimension, so that there is something to index."""
    return x if x.ndim else np.reshape(x, 1)


def everywhere(mask: np.ndarray, shape: Shape) -> np.ndarray:
    """The mask of all elements when the mask and a tensor of that shape are broadcast."""
    return np.broadcast_to(mask, np.broadcast_shapes(mask.shape, shape))


def put_along(g: Any, indices: np.ndarray, dim: int, shape: Shape) -> Any:
    """Zeros with `g` added at the indices along `dim`."""
    return scatter_add(blank(g, shape), g, dim=dim, index=indices)


index = Primitive(
    "IndexBackward0",
    lambda self, *, indices: self[indices],
    arrays=("indices",),
    jvp="linear",
    self=lambda g, self_shape, indices: index_put(
        blank(g, self_shape), g, indices=indices, accumulate=True
    ),
)
index_put = Primitive(
    "IndexPutBackward0",
    lambda self, values, *, indices, accumulate=False: put(self, values, indices, accumulate),
    arrays=("indices",),
    jvp="linear",
    self=lambda g, indices, accumulate: (
        g if accumulate else index_put(g, blank(g, ()), indices=indices, accumulate=False)
    ),
    values=lambda g, indices: index(g, indices=indices),
)
index_select = Primitive(
    "IndexSelectBackward0",
    lambda self, *, dim, index: self[rows(self, dim, index)],
    arrays=("index",),
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, dim, index: index_add(
        blank(g, self_shape), g, dim=dim, index=index, alpha=1
    ),
)
index_add = Primitive(
    "IndexAddBackward0",
    lambda self, source, *, dim, index, alpha: put_entries(
        self, source * typed(alpha, source), dim, index, True
    ),
    arrays=("index",),
    jvp="linear",
    self=lambda g: g,
    source=lambda g, source, dim, index, alpha: (
        reshape_to(index_select(g, dim=dim, index=index), shape=source.shape) * alpha
    ),
)
index_fill_number = Primitive(
    "IndexFillBackward0",
    lambda self, *, dim, index, value: put(self, value, rows(self, dim, index), False),
    arrays=("index",),
    jvp="elementwise",
    self=lambda g, dim, index: index_fill_number(g, dim=dim, index=index, value=0),
)
index_fill_tensor = Primitive(
    "IndexFillBackward1",
    lambda self, value, *, dim, index: put(self, value, rows(self, dim, index), False),
    arrays=("index",),
    jvp="linear",
    self=lambda g, dim, index: index_fill_number(g, dim=dim, index=index, value=0),
    value=lambda g, dim, index: index_select(g, dim=dim, index=np.unique(index)).sum(),
)
gather = Primitive(
    "GatherBackward0",
    lambda self, *, dim, index: picked(self, dim, index),
    arrays=("index",),
    jvp="linear",
    self=lambda g, self, dim, index: put_along(g, index, dim, self.shape),
)
scatter = Primitive(
    "ScatterBackward0",
    lambda self, src, *, dim, index: put_elements(self, src, dim, index, False),
    arrays=("index",),
    jvp="linear",
    self=lambda g, dim, index: scatter_number(g, dim=dim, index=index, value=0),
    src=lambda g, dim, index: gather(g, dim=dim, index=index),
)
scatter_number = Primitive(
    "ScatterBackward1",
    lambda self, *, dim, index, value: put(
        listed(self), value, along(self, dim, index), False
    ).reshape(self.shape)[()],
    arrays=("index",),
    jvp="elementwise",
    self=lambda g, dim, index: scatter_number(g, dim=dim, index=index, value=0),
)
scatter_add = Primitive(
    "ScatterAddBackward0",
    lambda self, src, *, dim, index: put_elements(self, src, dim, index, True),
    arrays=("index",),
    jvp="linear",
    self=lambda g: g,
    src=lambda g, dim, index: gather(g, dim=dim, index=index),
)
take = Primitive(
    "TakeBackward0",
    lambda self, *, index: np.reshape(self, -1)[index],
    arrays=("index",),
    jvp="linear",
    self=lambda g, self, index: reshape_to(
        index_put(
            blank(g, self.shape).reshape(-1),
            reshape_to(g, shape=(-1,)),
            indices=(index.reshape(-1),),
            accumulate=True,
        ),
        shape=self.shape,
    ),
)


def of_any_size(primitive: Primitive, count: int, arrays: list[Any], *, op: str) -> Any:
    """On a batch: refused, since each example may give another shape."""
    raise RuntimeError(
        "vmap: We do not support batching operators that can output dynamic shape. Attempted to "
        f"vmap over aten::{op}. Please file an issue at https://github.com/pytorch/pytorch/issues "
        "if you need this feature."
    )


nonzero = Primitive("Nonzero", lambda self, *, op: np.argwhere(self), batch=of_any_size)
masked_select = Primitive(
    "MaskedSelectBackward0",
    lambda self, *, mask: np.broadcast_to(self, everywhere(mask, self.shape).shape)[
        everywhere(mask, self.shape)
    ],
    arrays=("mask",),
    jvp="linear",
    self=lambda g, self, mask: index_put(
        blank(g, everywhere(mask, self.shape).shape),
        g,
        indices=(everywhere(mask, self.shape),),
        accumulate=False,
    ),
)
