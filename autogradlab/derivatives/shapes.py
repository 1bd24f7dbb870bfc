"""Operations that move numbers without changing them: views, joins, indexing.

Every `dim` is already counted from the front. A view shares its input's memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..primitive import Primitive

__all__ = [
    "alias",
    "cat",
    "expand",
    "index",
    "index_put",
    "permute",
    "put_along",
    "reshape_alias",
    "reshape_to",
    "select",
    "slice_",
    "squeeze_all",
    "squeeze_dim",
    "squeeze_dims",
    "squeeze_in_place",
    "stack",
    "t",
    "take_along",
    "transpose",
    "unbind",
    "unsafe_view",
    "unsqueeze",
    "view",
]

Shape = tuple[int, ...]


def split_at(g: Any, shapes: list[Shape], dim: int) -> list[Any]:
    """The pieces of a joined gradient, one per shape."""
    ends = np.cumsum([s[dim] for s in shapes])
    return [
        slice_(g, dim=dim, start=int(e) - s[dim], end=int(e), step=1)
        for s, e in zip(shapes, ends, strict=True)
    ]


def filled(gradients: list[Any], shape: Shape, dims: Shape) -> list[Any]:
    """The gradients of several outputs, zeros of their shape where none has arrived."""
    some = next(g for g in gradients if g is not None)
    shape = tuple(n for i, n in enumerate(shape) if i not in dims)
    none = expand(reshape_to(some * 0.0, shape=some.shape), shape=shape)
    return [none if g is None else g for g in gradients]


def sliced(x: Any, dim: int, start: int, end: int, step: int) -> Any:
    return x[(slice(None),) * dim + (slice(start, end, step),)]


def put_slice(g: Any, shape: Shape, dim: int, key: Any) -> Any:
    out = np.zeros(shape, g.dtype)
    out[(slice(None),) * dim + (key,)] = g
    return out


def scattered(g: Any, shape: Shape, indices: Any) -> Any:
    out = np.zeros(shape, g.dtype)
    np.add.at(out, indices, g)
    return out


def along(x: Any, indices: Any, dim: int) -> Any:
    return np.take_along_axis(x, indices, dim) if x.ndim else x


def scattered_along(g: Any, indices: Any, dim: int, shape: Shape) -> Any:
    out = np.zeros(shape, g.dtype)
    if out.ndim:
        np.put_along_axis(out, indices, g, dim)
    else:
        out[...] = g
    return out


def without(shape: Shape, dims: Shape) -> Shape:
    return tuple(n for i, n in enumerate(shape) if not (i in dims and n == 1))


# ------------------------------------------------------------------------------------------ views

view = Primitive(
    "ViewBackward0",
    lambda self, *, shape: np.reshape(self, shape),
    view=True,
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
unsafe_view = Primitive(
    "UnsafeViewBackward0",
    lambda self, *, shape: np.reshape(self, shape),
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
reshape_to = unsafe_view  # a view if it can be, else a copy
reshape_alias = view.named("ReshapeAliasBackward0")
alias = Primitive("AliasBackward0", lambda self: self[...], view=True, self=lambda g: g)
expand = Primitive(
    "ExpandBackward0",
    lambda self, *, shape: as_strided(self, shape, np.broadcast_to(self, shape).strides),
    view=True,
    self=lambda g: g,  # summing over what was expanded is what the engine does after broadcasting
)
transpose = Primitive(
    "TransposeBackward0",
    lambda self, *, dim0, dim1: np.swapaxes(self, dim0, dim1) if self.ndim else self[...],
    view=True,
    self=lambda g, dim0, dim1: transpose(g, dim0=dim0, dim1=dim1),
)
t = Primitive("TBackward0", lambda self: np.transpose(self), view=True, self=lambda g: t(g))
permute = Primitive(
    "PermuteBackward0",
    lambda self, *, dims: np.transpose(self, dims),
    view=True,
    self=lambda g, dims: permute(g, dims=tuple(int(i) for i in np.argsort(dims))),
)
squeeze_all = Primitive(
    "SqueezeBackward0",
    lambda self: self.reshape(without(self.shape, tuple(range(self.ndim)))),
    view=True,
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
squeeze_dim = Primitive(
    "SqueezeBackward1",
    lambda self, *, dim: self.reshape(without(self.shape, (dim,))),
    view=True,
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
squeeze_dims = Primitive(
    "SqueezeBackward2",
    lambda self, *, dim: self.reshape(without(self.shape, dim)),
    view=True,
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
squeeze_in_place = squeeze_dim.named("SqueezeBackward4")
unsqueeze = Primitive(
    "UnsqueezeBackward0",
    lambda self, *, dim: np.expand_dims(self, dim),
    view=True,
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
select = Primitive(
    "SelectBackward0",
    lambda self, *, dim, index: self[(slice(None),) * dim + (index, ...)],
    view=True,
    self=lambda g, self_shape, dim, index: select_put(g, shape=self_shape, dim=dim, index=index),
)
slice_ = Primitive(
    "SliceBackward0",
    lambda self, *, dim, start, end, step: sliced(self, dim, start, end, step),
    view=True,
    self=lambda g, self_shape, dim, start, end, step: slice_put(
        g, shape=self_shape, dim=dim, start=start, end=end, step=step
    ),
)
select_put = Primitive(
    "SelectBackwardBackward0",
    lambda self, *, shape, dim, index: put_slice(self, shape, dim, index),
    self=lambda g, dim, index: select(g, dim=dim, index=index),
)
slice_put = Primitive(
    "SliceBackwardBackward0",
    lambda self, *, shape, dim, start, end, step: put_slice(
        self, shape, dim, slice(start, end, step)
    ),
    self=lambda g, dim, start, end, step: slice_(g, dim=dim, start=start, end=end, step=step),
)

unbind = Primitive(
    "UnbindBackward0",
    lambda self, *, dim: tuple(np.moveaxis(self, dim, 0)[i, ...] for i in range(self.shape[dim])),
    view=True,
    multiple=True,
    self=lambda g, self_shape, dim: stack(*filled(g, self_shape, (dim,)), dim=dim),
    jvp="linear",
)

# ------------------------------------------------------------------------------------------ joins

cat = Primitive(
    "CatBackward0",
    lambda *tensors, dim: np.concatenate(tensors, dim),
    variadic=True,
    tensors=lambda g, tensors_shape, dim: split_at(g, tensors_shape, dim),
)
stack = Primitive(
    "StackBackward0",
    lambda *tensors, dim: np.stack(tensors, dim),
    variadic=True,
    tensors=lambda g, tensors_shape, dim: [
        select(g, dim=dim, index=i) for i in range(len(tensors_shape))
    ],
)

# --------------------------------------------------------------------------------------- indexing

index = Primitive(
    "IndexBackward0",
    lambda self, *, indices: self[indices],
    arrays=("indices",),
    self=lambda g, self_shape, indices: index_put(g, shape=self_shape, indices=indices),
)
index_put = Primitive(
    "IndexPutBackward0",
    lambda self, *, shape, indices: scattered(self, shape, indices),
    arrays=("indices",),
    self=lambda g, indices: index(g, indices=indices),
)
take_along = Primitive(
    "GatherBackward0",
    lambda self, *, indices, dim: along(self, indices, dim),
    arrays=("indices",),
    self=lambda g, self_shape, indices, dim: put_along(
        g, indices=indices, dim=dim, shape=self_shape
    ),
)
put_along = Primitive(
    "ScatterBackward0",
    lambda self, *, indices, dim, shape: scattered_along(self, indices, dim, shape),
    arrays=("indices",),
    self=lambda g, indices, dim: take_along(g, indices=indices, dim=dim),
)
