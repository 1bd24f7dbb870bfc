"""Operations that move numbers without changing them: views, copies in another order, joins.

Every `dim` is already counted from the front. A view shares its input's memory. Indexing by arrays
is in `indexing`.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided as strided
from numpy.lib.stride_tricks import sliding_window_view

from .. import dtypes
from ..primitive import Primitive
from ..tensor import Tensor, wrap

__all__ = [
    "alias",
    "as_strided",
    "cat",
    "diag_embed",
    "diagonal",
    "diagonal_copy",
    "expand",
    "flip",
    "permute",
    "repeat",
    "reshape_alias",
    "reshape_to",
    "roll",
    "rot90",
    "select",
    "slice_",
    "split",
    "split_with_sizes",
    "squeeze_all",
    "squeeze_dim",
    "squeeze_dims",
    "squeeze_in_place",
    "stack",
    "strided_move",
    "t",
    "transpose",
    "tril",
    "triu",
    "unbind",
    "unfold",
    "unsafe_view",
    "unsqueeze",
    "view",
]

Shape = tuple[int, ...]
Geometry = tuple[Shape, Shape, int]  # size, stride and storage offset, in elements


def split_at(g: Any, shapes: list[Shape], dim: int) -> list[Any]:
    """The pieces of a joined gradient, one per shape."""
    sizes = [0 if tuple(s) == (0,) else s[dim] for s in shapes]  # empty vectors join anything
    return [
        slice_(g, dim=dim, start=end - n, end=end, step=1) if len(s) == g.ndim else blank(g, s)
        for s, n, end in zip(shapes, sizes, itertools.accumulate(sizes), strict=True)
    ]


def joined(tensors: list[Any], dim: int) -> Any:
    ndim = max(x.ndim for x in tensors)
    return np.concatenate([x for x in tensors if x.ndim == ndim], dim)


def blank(g: Any, shape: Shape) -> Any:
    """Zeros to go with a gradient, of its kind and dtype."""
    if isinstance(g, Tensor):
        return wrap(np.zeros(shape, g.array.dtype))
    return np.zeros(shape, g.dtype)


def filled(gradients: list[Any], shapes: list[Shape]) -> list[Any]:
    """The gradients of several outputs, zeros of their shape where none has arrived."""
    some = next(g for g in gradients if g is not None)
    return [blank(some, s) if g is None else g for g, s in zip(gradients, shapes, strict=True)]


def pieces(sizes: Shape, shape: Shape, dim: int) -> list[Shape]:
    """The shapes that a shape is split into along `dim`."""
    return [(*shape[:dim], n, *shape[dim + 1 :]) for n in sizes]


def parts(x: np.ndarray, sizes: Shape, dim: int) -> tuple[np.ndarray, ...]:
    return tuple(np.split(x, np.cumsum(sizes)[:-1], dim)) if sizes else ()


def even(n: int, size: int) -> Shape:
    """A length in pieces of one size, the last one smaller if need be."""
    return tuple(min(size, n - start) for start in range(0, n, size)) or (0,)


def sliced(x: Any, dim: int, start: int, end: int, step: int) -> Any:
    return x[(slice(None),) * dim + (slice(start, end, step),)]


def put_slice(g: Any, shape: Shape, dim: int, key: Any) -> Any:
    out = np.zeros(shape, g.dtype)
    out[(slice(None),) * dim + (key,)] = g
    return out


def without(shape: Shape, dims: Shape) -> Shape:
    return tuple(n for i, n in enumerate(shape) if not (i in dims and n == 1))


def storage(x: np.ndarray) -> np.ndarray:
    """All of the memory that an array is a view into, as a vector."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x.reshape(-1) if x.flags.c_contiguous else x.T.reshape(-1)


def positions(size: Shape, stride: Shape, offset: int) -> np.ndarray:
    """Where in the storage the elements of a tensor lie."""
    at = np.asarray(offset)
    for n, step in zip(size, stride, strict=True):
        at = at[..., None] + step * np.arange(n)
    return at


def move(x: Any, source: Geometry, target: Geometry) -> Any:
    """Add `x` into a storage laid out as `source`; what the `target` layout then shows."""
    put, got = positions(*source), positions(*target)
    memory = np.zeros(1 + max(put.max(initial=-1), got.max(initial=-1)), x.dtype)
    np.add.at(memory, put, x)
    return memory[got]


def windows(x: np.ndarray, dim: int, size: int, step: int) -> np.ndarray:
    """Slices of `size` every `step` along `dim`, as a new last dimension."""
    if not x.ndim:
        return x.reshape(1)[:size]
    view = sliding_window_view(x, size, dim, writeable=True)
    return sliced(view, dim, 0, view.shape[dim], step)


def add_windows(g: Any, shape: Shape, dim: int, size: int, step: int) -> Any:
    out = np.zeros(shape, g.dtype)
    for k in range(size):  # the k-th elements of all windows do not overlap
        target = windows(out, dim, size, step)[..., k]
        np.add(target, g[..., k], out=target)
    return out


def diagonal_view(x: np.ndarray, offset: int, dim1: int, dim2: int) -> np.ndarray:
    view = np.diagonal(x, offset, dim1, dim2)
    view.flags.writeable = x.flags.writeable  # NumPy's own is read-only
    return view


def put_diagonal(g: Any, shape: Shape, offset: int, dim1: int, dim2: int) -> Any:
    out = np.zeros(shape, g.dtype)
    diagonal_view(out, offset, dim1, dim2)[...] = g
    return out


def embedded(x: Any, offset: int, dim1: int, dim2: int) -> Any:
    """A tensor of zeros with the last dimension of `x` on the diagonal of two new dimensions."""
    n = x.shape[-1] + abs(offset)
    shape = list(x.shape[:-1])
    for dim in sorted((dim1, dim2)):
        shape.insert(dim, n)
    return put_diagonal(x, tuple(shape), offset, dim1, dim2)


def folded(g: Any, shape: Shape, repeats: Shape) -> Any:
    """The sum of the copies that `repeat` made."""
    padded = (1,) * (len(repeats) - len(shape)) + tuple(shape)
    pairs = [n for pair in zip(repeats, padded, strict=True) for n in pair]
    g = reshape_to(g, shape=tuple(pairs))
    return reshape_to(g.sum(axis=tuple(range(0, len(pairs), 2))), shape=tuple(shape))


def expand_each(expand: Primitive, count: int, arrays: list[Any], shape: Shape) -> Any:
    """`expand` on a batch: new dimensions come behind the axis of the examples."""
    (x,) = arrays
    ones = (1,) * (len(shape) + 1 - x.ndim)
    x = reshape_to.compute([x], {"shape": (count, *ones, *x.shape[1:])})
    return expand.compute([x], {"shape": (count, *shape)})


def squeeze_each(squeeze: Primitive, count: int, arrays: list[Any]) -> Any:
    (x,) = arrays
    return view.compute([x], {"shape": (count, *(n for n in x.shape[1:] if n != 1))})


def transpose_each(t: Primitive, count: int, arrays: list[Any]) -> Any:
    return transpose.compute(arrays, {"dim0": 1, "dim1": arrays[0].ndim - 1})


# ------------------------------------------------------------------------------------------ views

view = Primitive(
    "ViewBackward0",
    lambda self, *, shape: np.reshape(self, shape),
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
unsafe_view = Primitive(
    "UnsafeViewBackward0",
    lambda self, *, shape: np.reshape(self, shape),
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
reshape_to = unsafe_view  # a view if it can be, else a copy
reshape_alias = view.named("ReshapeAliasBackward0")
alias = Primitive(
    "AliasBackward0",
    lambda self: self[...],
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g: g,
)
expand = Primitive(
    "ExpandBackward0",
    lambda self, *, shape: strided(self, shape, np.broadcast_to(self, shape).strides),
    view=True,
    jvp="linear",
    batch=expand_each,
    self=lambda g: g,  # summing over what was expanded is what the engine does after broadcasting
)
transpose = Primitive(
    "TransposeBackward0",
    lambda self, *, dim0, dim1: (
        np.swapaxes(self, dim0, dim1) if max(dim0, dim1) < self.ndim else self[...]
    ),
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g, dim0, dim1: transpose(g, dim0=dim0, dim1=dim1),
)
t = Primitive(
    "TBackward0",
    lambda self: np.transpose(self),
    view=True,
    jvp="linear",
    batch=transpose_each,
    self=lambda g: t(g),
)
permute = Primitive(
    "PermuteBackward0",
    lambda self, *, dims: np.transpose(self, (*range(self.ndim - len(dims)), *dims)),
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g, dims: permute(g, dims=tuple(int(i) for i in np.argsort(dims))),
)
squeeze_all = Primitive(
    "SqueezeBackward0",
    lambda self: self.reshape(without(self.shape, tuple(range(self.ndim)))),
    view=True,
    jvp="linear",
    batch=squeeze_each,
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
squeeze_dim = Primitive(
    "SqueezeBackward1",
    lambda self, *, dim: self.reshape(without(self.shape, (dim,))),
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
squeeze_dims = Primitive(
    "SqueezeBackward2",
    lambda self, *, dim: self.reshape(without(self.shape, dim)),
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape: reshape_to(g, shape=self_shape),
)
squeeze_in_place = squeeze_dim.named("SqueezeBackward4")
unsqueeze = Primitive(
    "UnsqueezeBackward0",
    lambda self, *, dim: np.expand_dims(self, dim),
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g, dim: squeeze_dim(g, dim=dim),
)
select = Primitive(
    "SelectBackward0",
    lambda self, *, dim, index: self[(slice(None),) * dim + (index, ...)],
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, dim, index: select_put(g, shape=self_shape, dim=dim, index=index),
)
slice_ = Primitive(
    "SliceBackward0",
    lambda self, *, dim, start, end, step: sliced(self, dim, start, end, step),
    view=True,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, dim, start, end, step: slice_put(
        g, shape=self_shape, dim=dim, start=start, end=end, step=step
    ),
)
select_put = Primitive(
    "SelectBackwardBackward0",
    lambda self, *, shape, dim, index: put_slice(self, shape, dim, index),
    jvp="linear",
    batch="leading",
    self=lambda g, dim, index: select(g, dim=dim, index=index),
)
slice_put = Primitive(
    "SliceBackwardBackward0",
    lambda self, *, shape, dim, start, end, step: put_slice(
        self, shape, dim, slice(start, end, step)
    ),
    jvp="linear",
    batch="leading",
    self=lambda g, dim, start, end, step: slice_(g, dim=dim, start=start, end=end, step=step),
)
diagonal = Primitive(
    "DiagonalBackward0",
    lambda self, *, offset, dim1, dim2: diagonal_view(self, offset, dim1, dim2),
    view=True,
    jvp="linear",
    self=lambda g, self_shape, offset, dim1, dim2: diagonal_put(
        g, shape=self_shape, offset=offset, dim1=dim1, dim2=dim2
    ),
)
diagonal_put = Primitive(
    "DiagonalBackwardBackward0",
    lambda self, *, shape, offset, dim1, dim2: put_diagonal(self, shape, offset, dim1, dim2),
    jvp="linear",
    self=lambda g, offset, dim1, dim2: diagonal(g, offset=offset, dim1=dim1, dim2=dim2),
)
unfold = Primitive(
    "UnfoldBackward0",
    lambda self, *, dimension, size, step: windows(self, dimension, size, step),
    view=True,
    jvp="linear",
    self=lambda g, self_shape, dimension, size, step: unfold_put(
        g, shape=self_shape, dimension=dimension, size=size, step=step
    ),
)
unfold_put = Primitive(
    "UnfoldBackwardBackward0",
    lambda self, *, shape, dimension, size, step: add_windows(self, shape, dimension, size, step),
    jvp="linear",
    self=lambda g, dimension, size, step: unfold(g, dimension=dimension, size=size, step=step),
)
as_strided = Primitive(
    "AsStridedBackward0",
    lambda self, *, size, stride, storage_offset, geometry: strided(
        storage(self)[storage_offset:], size, [n * self.itemsize for n in stride]
    ),
    view=True,
    self=lambda g, size, stride, storage_offset, geometry: strided_move(
        g, source=(size, stride, storage_offset), target=geometry
    ),
)
strided_move = Primitive(
    "AsStridedBackwardBackward0",
    lambda self, *, source, target: move(self, source, target),
    jvp="linear",
    self=lambda g, source, target: strided_move(g, source=target, target=source),
)

unbind = Primitive(
    "UnbindBackward0",
    lambda self, *, dim: tuple(np.moveaxis(self, dim, 0)[i, ...] for i in range(self.shape[dim])),
    view=True,
    multiple=True,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, dim: stack(
        *filled(g, [self_shape[:dim] + self_shape[dim + 1 :]] * self_shape[dim]), dim=dim
    ),
)
split = Primitive(
    "SplitBackward0",
    lambda self, *, split_size, dim: parts(self, even(self.shape[dim], split_size), dim),
    view=True,
    multiple=True,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, split_size, dim: cat(
        *filled(g, pieces(even(self_shape[dim], split_size), self_shape, dim)), dim=dim
    ),
)
split_with_sizes = Primitive(
    "SplitWithSizesBackward0",
    lambda self, *, split_sizes, dim: parts(self, split_sizes, dim),
    view=True,
    multiple=True,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, split_sizes, dim: cat(
        *filled(g, pieces(split_sizes, self_shape, dim)), dim=dim
    ),
)

# --------------------------------------------------------------------- copies in another order

flip = Primitive(
    "FlipBackward0",
    lambda self, *, dims: np.flip(self, dims).copy(),
    jvp="linear",
    batch="leading",
    self=lambda g, dims: flip(g, dims=dims),
)
roll = Primitive(
    "RollBackward0",
    lambda self, *, shifts, dims: np.roll(self, shifts, dims or None),
    jvp="linear",
    self=lambda g, shifts, dims: roll(g, shifts=tuple(-n for n in shifts), dims=dims),
)
rot90 = Primitive(
    "Rot90Backward0",
    lambda self, *, k, dims: np.rot90(self, k, dims).copy(),
    jvp="linear",
    batch="leading",
    self=lambda g, k, dims: rot90(g, k=-k, dims=dims),
)
repeat = Primitive(
    "RepeatBackward0",
    lambda self, *, repeats: np.tile(self, repeats),
    jvp="linear",
    self=lambda g, self_shape, repeats: folded(g, self_shape, repeats),
)
tril = Primitive(
    "TrilBackward0",
    lambda self, *, diagonal: np.tril(self, diagonal),
    jvp="linear",
    batch="leading",
    self=lambda g, diagonal: tril(g, diagonal=diagonal),
)
triu = Primitive(
    "TriuBackward0",
    lambda self, *, diagonal: np.triu(self, diagonal),
    jvp="linear",
    batch="leading",
    self=lambda g, diagonal: triu(g, diagonal=diagonal),
)
diag_embed = Primitive(
    "DiagEmbedBackward0",
    lambda self, *, offset, dim1, dim2: embedded(self, offset, dim1, dim2),
    jvp="linear",
    self=lambda g, offset, dim1, dim2: diagonal(g, offset=offset, dim1=dim1, dim2=dim2),
)
diagonal_copy = Primitive(
    "DiagonalBackward0_copy",
    lambda self, *, offset, dim1, dim2: np.diagonal(self, offset, dim1, dim2).copy(),
    jvp="linear",
    self=lambda g, self_shape, offset, dim1, dim2: diagonal_put(
        g, shape=self_shape, offset=offset, dim1=dim1, dim2=dim2
    ),
)

# ------------------------------------------------------------------------------------------ joins

def of_one_type(parts: list[Any]) -> list[Any]:
    to = functools.reduce(dtypes.promote, (x.dtype for x in parts))
    return [x.astype(to, copy=False) for x in parts]


cat = Primitive(
    "CatBackward0",
    lambda *tensors, dim: joined(tensors, dim),
    promote=of_one_type,
    variadic=True,
    jvp="linear",
    batch="leading",
    tensors=lambda g, tensors_shape, dim: split_at(g, tensors_shape, dim),
)
stack = Primitive(
    "StackBackward0",
    lambda *tensors, dim: np.stack(tensors, dim),
    promote=of_one_type,
    variadic=True,
    jvp="linear",
    batch="leading",
    tensors=lambda g, tensors_shape, dim: [
        select(g, dim=dim, index=i) for i in range(len(tensors_shape))
    ],
)
