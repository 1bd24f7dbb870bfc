"""Reductions: many numbers become fewer. `dim` is a tuple of dimensions that are not negative."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import exp, masked, where
from .indexing import gather, picked, put_along
from .shapes import expand, reshape_to, unsqueeze

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


def over_the_rest(reduction: Primitive, x: Any, **constants: Any) -> Any:
    """A reduction of each example of a batch as a whole."""
    constants |= {"dim": tuple(range(1, x.ndim)), "keepdim": False}
    return reduction.compute([x], constants) if x.ndim > 1 else x


def spread(g: Any, shape: Dims, dim: Dims, keepdim: bool) -> Any:
    """A reduced gradient copied back over the dimensions that were reduced away."""
    if not keepdim:
        g = reshape_to(g, shape=tuple(1 if i in dim else n for i, n in enumerate(shape)))
    return expand(g, shape=shape)


def pick(x: Any, indices: Any, dim: int, keepdim: bool) -> Any:
    """The elements of `x` at indices that have kept the dimension."""
    found = gather(x, index=np.asarray(indices), dim=dim)
    return found if keepdim or not x.ndim else np.squeeze(found, dim)[()]


def evenly(x: Any, self: Any, result: Any, dim: Dims, keepdim: bool) -> Any:
    """`x` shared by all the elements that have the extreme value, 0 elsewhere."""
    ties = self == spread(result, self.shape, dim, keepdim)
    return x * ties / ties.sum(axis=dim, keepdims=True)


def evenly_back(g: Any, self: Any, result: Any, dim: Dims, keepdim: bool) -> Any:
    """The gradient of an extreme value, 0 if there is none."""
    if g is None:
        return 0.0
    return evenly(spread(g, self.shape, dim, keepdim), self, result, dim, keepdim)


def evenly_forward(self_t: Any, self: Any, result: Any, dim: Dims, keepdim: bool) -> Any:
    return total(evenly(self_t, self, result, dim, keepdim), dim, keepdim)


def total(x: Any, dim: Dims, keepdim: bool) -> Any:
    return sum_dim(x, dim=dim, keepdim=keepdim)


def all_of(x: Any) -> Dims:
    return tuple(range(len(x.shape)))


def place(find: Any, x: Any, dim: int) -> Any:
    """The index of one element along a dimension, which is kept."""
    return np.expand_dims(find(x, dim), dim) if x.ndim else np.int64(0)


def ordered(x: Any, dim: int, descending: bool) -> Any:
    """Indices that sort along a dimension; equal elements stay in order, nan is the largest."""
    if not x.ndim:
        return np.int64(0)
    if not descending:
        return np.argsort(x, dim, kind="stable")
    last = x.shape[dim] - 1
    return last - np.flip(np.argsort(np.flip(x, dim), dim, kind="stable"), dim)


def middle(x: Any, dim: int) -> Any:
    """Where along a dimension the median is, the lower of two; the first nan, if there is one."""
    order = np.argsort(x, dim, kind="stable")
    nans = np.isnan(x).sum(dim, keepdims=True)
    n = x.shape[dim]
    at = np.where(nans, n - nans, (n - 1) // 2)
    return np.squeeze(np.take_along_axis(order, at, dim), dim)


def median_value(x: Any) -> Any:
    flat = x.reshape(-1)
    return flat[middle(flat, 0)] if flat.size else np.full((), np.nan, x.dtype)[()]


def log_add_up(x: Any, dim: Dims, keepdim: bool) -> Any:
    """log Σ exp, the largest taken out of the sum, so that nothing overflows."""
    top = np.max(x, dim, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    out = np.log(np.sum(np.exp(x - top), dim, keepdims=True)) + top
    return (out if keepdim else np.squeeze(out, dim))[()]


# ------------------------------------------------------------------------------------ variance


def spread_out(x: Any, dim: Dims, correction: float, keepdim: bool) -> Any:
    """The variance, computed in float64: the squared distances from the mean over n - correction,
    nan or infinite when that is not positive."""
    wide = x.astype(np.float64)
    far = wide - np.sum(wide, dim, keepdims=True) / max(count(x.shape, dim), 1)
    return np.sum(far * far, dim, keepdims=keepdim) / max(count(x.shape, dim) - correction, 0)


def mean_of(x: Any, dim: Dims, keepdim: bool) -> Any:
    n = np.float64(count(x.shape, dim))  # np.mean would warn of an empty one
    return np.sum(x, dim, dtype=np.float64, keepdims=keepdim) / n


def var_slope(x: Any, dim: Dims, correction: float) -> Any:
    n = count(x.shape, dim) - correction
    far = x - mean_dim(x, dim=dim, keepdim=True)
    return far * (2 / n) if n else far * float("inf")


def std_slope(x: Any, result: Any, dim: Dims, correction: float, keepdim: bool) -> Any:
    """0 where all elements are equal."""
    result = spread(result, x.shape, dim, keepdim)
    return masked(var_slope(x, dim, correction) / (2 * result), result != 0)


def given(g: Any, slope: Any, shape: Dims, dim: Dims, keepdim: bool) -> Any:
    """The gradient by one of several outputs, None for one that is not asked for."""
    return 0.0 if g is None else spread(g, shape, dim, keepdim) * slope


# ------------------------------------------------------------------------------------ products


def cumulated(ufunc: np.ufunc, x: Any, dim: int, dtype: np.dtype | None) -> Any:
    """Sums or products so far, in torch's types: integers in int64."""
    if dtype is None:
        dtype = np.dtype(np.int64) if x.dtype.kind in "biu" else x.dtype
    if not x.ndim:
        return x.astype(dtype)
    x = x.astype(dtype, copy=False)
    return ufunc.accumulate(x, dim, np.float32 if dtype == np.float16 else dtype).astype(dtype)


def multiplied(x: Any, dim: Dims | None, keepdim: bool, dtype: np.dtype | None) -> Any:
    if dtype is None:
        dtype = np.dtype(np.int64) if x.dtype.kind in "biu" else x.dtype
    return np.prod(x, dim, dtype=dtype, keepdims=keepdim)[()]


def without_each(x: Any, dim: int) -> Any:
    """Along a new dimension at `dim`: x with one element after the other replaced by 1."""
    n = x.shape[dim]
    same = np.eye(n, dtype=bool).reshape(n, n, *(1,) * (len(x.shape) - dim - 1))
    return where(1.0, unsqueeze(x, dim=dim), condition=same)


def may_have_zeros(x: Any) -> bool:
    """Also of what cannot be asked, such as the examples of a batch."""
    array = getattr(x, "array", x)
    return not isinstance(array, np.ndarray | np.generic) or not np.all(array)


def prod_slope(x: Any, result: Any, dim: int, keepdim: bool) -> Any:
    """The product of all the other elements."""
    if not len(x.shape):
        return x**0
    if may_have_zeros(x):
        return prod_dim(without_each(x, dim), dim=dim + 1, keepdim=False)
    return spread(result, x.shape, (dim,), keepdim) / x


def cumprod_slope(x: Any, dim: int) -> Any:
    """For each element (at `dim`) the slope of all the products so far (at `dim` + 1)."""
    n = x.shape[dim]
    later = np.triu(np.ones((n, n), bool)).reshape(n, n, *(1,) * (len(x.shape) - dim - 1))
    return masked(cumprod(without_each(x, dim), dim=dim + 1), later)


def cumprod_gradient(g: Any, x: Any, result: Any, dim: int) -> Any:
    if not len(x.shape):
        return g
    if may_have_zeros(x):
        return total(unsqueeze(g, dim=dim) * cumprod_slope(x, dim), (dim + 1,), False)
    return cumsum(g * result, dim=dim, backward=True) / x


# -------------------------------------------------------------------------------------- softmax


def over(dim: int, x: Any) -> Dims:
    return (dim,) if len(x.shape) else ()


def softmax_of(x: Any, dim: int) -> Any:
    """exp(x) / Σ exp(x), the largest taken out, so that nothing overflows."""
    high = np.exp(x - np.max(x, over(dim, x), keepdims=True, initial=-np.inf))
    return high / np.sum(high, over(dim, x), keepdims=True)


def log_softmax_of(x: Any, dim: int) -> Any:
    x = x - np.max(x, over(dim, x), keepdims=True, initial=-np.inf)
    return x - np.log(np.sum(np.exp(x), over(dim, x), keepdims=True))


def centred(x: Any, weights: Any, dim: int) -> Any:
    """`x` less its weighted mean along a dimension."""
    return x - total(x * weights, over(dim, x), True)


# ------------------------------------------------------------------------------------- the table

sum_all = Primitive(
    "SumBackward0",
    lambda self, *, dtype=None: add_up(self, None, False, dtype),
    jvp="linear",
    batch=lambda _, size, arrays, **constants: over_the_rest(sum_dim, *arrays, **constants),
    self=lambda g, self_shape: expand(g, shape=self_shape),
)
sum_dim = Primitive(
    "SumBackward1",
    lambda self, *, dim, keepdim, dtype=None: add_up(self, dim, keepdim, dtype),
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, dim, keepdim: spread(g, self_shape, dim, keepdim),
)
nansum = Primitive(
    "NansumBackward0",
    lambda self, *, dim, keepdim, dtype=None: add_up(
        np.where(np.isnan(self), 0, self), dim, keepdim, dtype
    ),
    batch="leading",
    jvp=lambda self, self_t, dim, keepdim: total(masked(self_t, self == self), dim, keepdim),
    self=lambda g, self, dim, keepdim: spread(g, self.shape, dim, keepdim) * (self == self),
)
mean_all = Primitive(
    "MeanBackward0",
    lambda self, *, dtype=None: average(self, None, False, dtype),
    jvp="linear",
    batch=lambda _, size, arrays, **constants: over_the_rest(mean_dim, *arrays, **constants),
    self=lambda g, self_shape: expand(g, shape=self_shape) / count(self_shape, None),
)
mean_dim = Primitive(
    "MeanBackward1",
    lambda self, *, dim, keepdim, dtype=None: average(self, dim, keepdim, dtype),
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, dim, keepdim: (
        spread(g, self_shape, dim, keepdim) / count(self_shape, dim)
    ),
)
logsumexp = Primitive(
    "LogsumexpBackward0",
    lambda self, *, dim, keepdim: log_add_up(self, dim, keepdim),
    batch="leading",
    jvp=lambda self, self_t, result, dim, keepdim: total(
        self_t * exp(self - spread(result, self.shape, dim, keepdim)), dim, keepdim
    ),
    self=lambda g, self, result, dim, keepdim: (
        spread(g, self.shape, dim, keepdim) * exp(self - spread(result, self.shape, dim, keepdim))
    ),
)
trace = Primitive(
    "TraceBackward0",
    lambda self: add_up(np.diagonal(self), None, False, None),
    jvp="linear",
    self=lambda g, self_shape: masked(g, np.eye(*self_shape, dtype=bool)),
)
var = Primitive(
    "VarBackward0",
    lambda self, *, dim, correction, keepdim: spread_out(self, dim, correction, keepdim).astype(
        self.dtype
    ),
    batch="leading",
    jvp=lambda self, self_t, dim, correction, keepdim: total(
        var_slope(self, dim, correction) * self_t, dim, keepdim
    ),
    self=lambda g, self, dim, correction, keepdim: (
        spread(g, self.shape, dim, keepdim) * var_slope(self, dim, correction)
    ),
)
std = Primitive(
    "StdBackward0",
    lambda self, *, dim, correction, keepdim: np.sqrt(
        spread_out(self, dim, correction, keepdim)
    ).astype(self.dtype),
    batch="leading",
    jvp=lambda self, self_t, result, dim, correction, keepdim: total(
        std_slope(self, result, dim, correction, keepdim) * self_t, dim, keepdim
    ),
    self=lambda g, self, result, dim, correction, keepdim: (
        spread(g, self.shape, dim, keepdim) * std_slope(self, result, dim, correction, keepdim)
    ),
)
var_mean = Primitive(
    "VarMeanBackward0",
    lambda self, *, dim, correction, keepdim: (
        spread_out(self, dim, correction, keepdim).astype(self.dtype),
        mean_of(self, dim, keepdim).astype(self.dtype),
    ),
    multiple=True,
    batch="leading",
    jvp=lambda self, self_t, dim, correction, keepdim: (
        total(var_slope(self, dim, correction) * self_t, dim, keepdim),
        mean_dim(self_t, dim=dim, keepdim=keepdim),
    ),
    self=lambda g, self, dim, correction, keepdim: (
        given(g[0], var_slope(self, dim, correction), self.shape, dim, keepdim)
        + given(g[1], 1 / (count(self.shape, dim) or 1), self.shape, dim, keepdim)
    ),
)
std_mean = Primitive(
    "StdMeanBackward0",
    lambda self, *, dim, correction, keepdim: (
        np.sqrt(spread_out(self, dim, correction, keepdim)).astype(self.dtype),
        mean_of(self, dim, keepdim).astype(self.dtype),
    ),
    multiple=True,
    batch="leading",
    jvp=lambda self, self_t, result, dim, correction, keepdim: (
        total(std_slope(self, result[0], dim, correction, keepdim) * self_t, dim, keepdim),
        mean_dim(self_t, dim=dim, keepdim=keepdim),
    ),
    self=lambda g, self, result0, dim, correction, keepdim: (
        given(
            g[0],
            std_slope(self, result0, dim, correction, keepdim),
            self.shape,
            dim,
            keepdim,
        )
        + given(g[1], 1 / (count(self.shape, dim) or 1), self.shape, dim, keepdim)
    ),
)

# -------------------------------------------------------------------------------- extreme values

# Where they are, and whether there are any: this has no derivative.
argmax = Primitive("Argmax", lambda self, *, dim: place(np.argmax, self, dim), batch="leading")
argmin = Primitive("Argmin", lambda self, *, dim: place(np.argmin, self, dim), batch="leading")
argmedian = Primitive("Argmedian", lambda self, *, dim: place(middle, self, dim), batch="leading")
argsort = Primitive(
    "Argsort", lambda self, *, dim, descending: ordered(self, dim, descending), batch="leading"
)
any_ = Primitive(
    "Any", lambda self, *, dim, keepdim: np.any(self, dim, keepdims=keepdim), batch="leading"
)
all_ = Primitive(
    "All", lambda self, *, dim, keepdim: np.all(self, dim, keepdims=keepdim), batch="leading"
)
max_all = Primitive(
    "MaxBackward1",
    np.max,
    jvp=lambda self, self_t, result: evenly_forward(self_t, self, result, all_of(self), False),
    self=lambda g, self, result: evenly_back(g, self, result, all_of(self), False),
)
min_all = Primitive(
    "MinBackward1",
    np.min,
    jvp=lambda self, self_t, result: evenly_forward(self_t, self, result, all_of(self), False),
    self=lambda g, self, result: evenly_back(g, self, result, all_of(self), False),
)
median_all = Primitive(
    "MedianBackward0",
    median_value,
    jvp=lambda self, self_t, result: evenly_forward(self_t, self, result, all_of(self), False),
    self=lambda g, self, result: evenly_back(g, self, result, all_of(self), False),
)
amax = Primitive(
    "AmaxBackward0",
    lambda self, *, dim, keepdim: np.max(self, dim, keepdims=keepdim),
    batch="leading",
    jvp=lambda self, self_t, result, dim, keepdim: evenly_forward(
        self_t, self, result, dim, keepdim
    ),
    self=lambda g, self, result, dim, keepdim: evenly_back(g, self, result, dim, keepdim),
)
amin = Primitive(
    "AminBackward0",
    lambda self, *, dim, keepdim: np.min(self, dim, keepdims=keepdim),
    batch="leading",
    jvp=lambda self, self_t, result, dim, keepdim: evenly_forward(
        self_t, self, result, dim, keepdim
    ),
    self=lambda g, self, result, dim, keepdim: evenly_back(g, self, result, dim, keepdim),
)
aminmax = Primitive(
    "AminmaxBackward0",
    lambda self, *, dim, keepdim: (
        np.min(self, dim, keepdims=keepdim),
        np.max(self, dim, keepdims=keepdim),
    ),
    multiple=True,
    batch="leading",
    jvp=lambda self, self_t, result, dim, keepdim: tuple(
        evenly_forward(self_t, self, r, dim, keepdim) for r in result
    ),
    self=lambda g, self, result, dim, keepdim: (
        evenly_back(g[0], self, result[0], dim, keepdim)
        + evenly_back(g[1], self, result[1], dim, keepdim)
    ),
)
max_dim = Primitive(
    "MaxBackward0",
    lambda self, *, indices, dim, keepdim: pick(self, indices, dim, keepdim),
    jvp="linear",
    arrays=("indices",),
    self=lambda g, self_shape, indices, dim: put_along(
        reshape_to(g, shape=indices.shape), indices, dim, self_shape
    ),
)
min_dim, median_dim = max_dim.named("MinBackward0"), max_dim.named("MedianBackward1")
sort = Primitive(
    "SortBackward0",
    lambda self, *, indices, dim: picked(self, dim, indices),
    jvp="linear",
    arrays=("indices",),
    self=lambda g, self_shape, indices, dim: put_along(g, indices, dim, self_shape),
)
stable_sort, topk = sort.named("SortBackward1"), sort.named("TopkBackward0")

# --------------------------------------------------------------------------- products, and scans

prod_all = Primitive(
    "ProdBackward0",
    lambda self, *, dtype=None: multiplied(self, None, False, dtype),
    jvp=lambda self, self_t, result: (
        reshape_to(self_t, shape=(-1,))
        * prod_slope(reshape_to(self, shape=(-1,)), result, 0, False)
    ).sum(),
    self=lambda g, self, result: (
        g
        * reshape_to(prod_slope(reshape_to(self, shape=(-1,)), result, 0, False), shape=self.shape)
    ),
)
prod_dim = Primitive(
    "ProdBackward1",
    lambda self, *, dim, keepdim, dtype=None: multiplied(
        self, dim if self.ndim else None, keepdim, dtype
    ),
    batch="leading",
    jvp=lambda self, self_t, result, dim, keepdim: total(
        self_t * prod_slope(self, result, dim, keepdim), over(dim, self), keepdim
    ),
    self=lambda g, self, result, dim, keepdim: (
        spread(g, self.shape, (dim,), keepdim) * prod_slope(self, result, dim, keepdim)
    ),
)
cumsum = Primitive(
    "CumsumBackward0",
    lambda self, *, dim, backward=False, dtype=None: (
        np.flip(cumulated(np.add, np.flip(self, dim), dim, dtype), dim)
        if backward and self.ndim
        else cumulated(np.add, self, dim, dtype)
    ),
    jvp="linear",
    batch="leading",
    self=lambda g, dim, backward: cumsum(g, dim=dim, backward=not backward),
)
cumprod = Primitive(
    "CumprodBackward0",
    lambda self, *, dim, dtype=None: cumulated(np.multiply, self, dim, dtype),
    batch="leading",
    jvp=lambda self, self_t, dim: (
        total(unsqueeze(self_t, dim=dim + 1) * cumprod_slope(self, dim), (dim,), False)
        if len(self.shape)
        else self_t
    ),
    self=lambda g, self, result, dim: cumprod_gradient(g, self, result, dim),
)

# ----------------------------------------------------------------------------------------- softmax

softmax = Primitive(
    "SoftmaxBackward0",
    lambda self, *, dim: softmax_of(self, dim),
    batch="leading",
    jvp=lambda self_t, result, dim: result * centred(self_t, result, dim),
    self=lambda g, result, dim: result * centred(g, result, dim),
)
log_softmax = Primitive(
    "LogSoftmaxBackward0",
    lambda self, *, dim: log_softmax_of(self, dim),
    batch="leading",
    jvp=lambda self_t, result, dim: centred(self_t, exp(result), dim),
    self=lambda g, result, dim: g - exp(result) * total(g, over(dim, g), True),
)

__all__ = [name for name, x in globals().items() if isinstance(x, Primitive)]
