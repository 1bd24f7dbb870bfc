"""Reductions: many numbers become fewer."""

from __future__ import annotations

import builtins
import math
import warnings
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes
from ..tensor import Tensor, wrap
from .arguments import many_dims, needs_floats, needs_tensor, one_dim, to_dtype
from .elementwise import isnan, logical_not, maximum, minimum, ne
from .shapes import cat, contiguous

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
all amax amin aminmax any argmax argmin argsort count_nonzero cumprod cumsum diff log_softmax
logsumexp max mean median min nanmean nansum prod softmax sort std std_mean sum topk trace var
var_mean
"""
METHODS = " ".join({*FUNCTIONS.split()} - {"std_mean", "var_mean"})
IN_PLACE = "cumprod cumsum"


def reduction(name: str, whole: d.Primitive, along: d.Primitive) -> Callable[..., Tensor]:
    def function(
        input: Tensor,
        dim: Any = None,
        keepdim: bool = False,
        *,
        dtype: Any = None,
        axis: Any = None,
        keepdims: bool = False,
    ) -> Tensor:
        needs_tensor(function, input)
        dim, keepdim = axis if dim is None else dim, keepdim or keepdims
        options = {} if dtype is None else {"dtype": dtypes.to_numpy(dtype)}
        if name == "mean" and (options.get("dtype") or input.array.dtype).kind != "f":
            kind = dtypes.scalar_name(options.get("dtype") or input.array.dtype)
            which = "Input" if dtype is None else "Optional"
            raise RuntimeError(
                f"mean(): could not infer output dtype. {which} dtype must be either a floating "
                "point or "
                f"complex dtype. Got: {kind}"
            )
        if dim is None and not keepdim:
            return whole(input, **options)
        dims = many_dims(() if dim is None else dim, input.ndim)
        return along(input, dim=dims, keepdim=keepdim, **options)

    function.__name__ = name
    return function


sum = reduction("sum", d.sum_all, d.sum_dim)


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not 0, in all or along dimensions."""
    return sum(ne(needs_tensor(count_nonzero, input), 0), dim)


mean = reduction("mean", d.mean_all, d.mean_dim)


def typed(input: Tensor, dtype: Any) -> dict[str, Any]:
    """The constants of a reduction that may be asked for another dtype."""
    needs_tensor(typed, input)
    return {} if dtype is None else {"dtype": dtypes.to_numpy(dtype)}


def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The product of all elements, or of those along a dimension."""
    options = typed(input, dtype)
    if dim is None:
        return d.prod_all(input, **options)
    return d.prod_dim(input, dim=one_dim(dim, input.ndim), keepdim=keepdim, **options)


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum, of what is not nan."""
    dims = many_dims(() if dim is None else dim, input.ndim)
    return d.nansum(input, dim=dims, keepdim=keepdim, **typed(input, dtype))


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean, of what is not nan."""
    if not input.is_floating_point():
        kind = dtypes.scalar_name(input.array.dtype)
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {kind}"
        )
    present = logical_not(isnan(input))
    return nansum(input, dim, keepdim, dtype=dtype) / sum(present, dim, keepdim)


def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log Σ exp(input) along dimensions, without overflow."""
    input = to_dtype(input, dtypes.float_type(input.array.dtype))
    return d.logsumexp(input, dim=many_dims(dim, input.ndim), keepdim=keepdim)


def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    return d.trace(input)


# ------------------------------------------------------------------------------------ variance


def dispersion(name: str, kinds: str, primitive: d.Primitive, words: str) -> Callable[..., Any]:
    def function(
        input: Tensor,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Any:
        if needs_tensor(function, input).array.dtype.kind != "f":
            raise RuntimeError(f"{kinds} only support floating point and complex dtypes")
        if isinstance(dim, bool):  # the old form: std(input, unbiased)
            dim, unbiased = None, dim
        dims = many_dims(() if dim is None else dim, input.ndim)
        correction = int(unbiased) if correction is None else correction
        kept = math.prod(n for i, n in enumerate(input.shape) if i not in dims)
        if input.array.size // builtins.max(kept, 1) <= correction:
            warnings.warn(
                f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than "
                "the reduction factor (input numel divided by output numel).",
                stacklevel=2,
            )
        return primitive(input, dim=dims, correction=correction, keepdim=keepdim)

    function.__doc__ = f"{words} over all elements or dimensions, divided by n - correction."
    function.__name__ = name
    return function


std = dispersion("std", "std and var", d.std, "The standard deviation")
var = dispersion("var", "std and var", d.var, "The variance")
std_mean = dispersion(
    "std_mean", "std_mean", d.std_mean, "The standard deviation and the mean"
)
var_mean = dispersion("var_mean", "var_mean", d.var_mean, "The variance and the mean")


# -------------------------------------------------------------------------------- extreme values


class _Pair:
    """What functions with two named results return: it prints as torch's does."""

    def __repr__(self) -> str:
        pairs = zip(self._fields, self, strict=True)
        fields = ",\n".join(f"{name}={value!r}" for name, value in pairs)
        return f"torch.return_types.{type(self).__name__}(\n{fields})"


def pair(name: str, *fields: str) -> Any:
    return type(name, (_Pair, namedtuple(name, fields)), {"__slots__": ()})


PAIRS = {name: pair(name, "values", "indices") for name in ("max", "min", "median", "sort", "topk")}
AMINMAX = pair("aminmax", "min", "max")


def nonempty(name: str, input: Tensor, dims: tuple[int, ...] | None) -> None:
    """Raise torch's error if there is nothing to choose from."""
    if dims is None and not input.array.size:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    for dim in dims or ():
        if input.ndim and not input.array.shape[dim]:
            raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


def along(
    name: str, primitive: d.Primitive, arg: d.Primitive, input: Tensor, dim: int, keepdim: bool
) -> Any:
    """Elements of a dimension, and where they are."""
    dim = one_dim(dim, input.ndim)
    nonempty(name, input, (dim,))
    indices = arg(input, dim=dim)
    values = primitive(input, indices=indices, dim=dim, keepdim=keepdim)
    if input.ndim and not keepdim:
        indices = d.squeeze_dim(indices, dim=dim).detach()
    return PAIRS[name](values, indices)


def extreme(
    name: str, whole: d.Primitive, at: d.Primitive, pairwise: Any, arg: d.Primitive
) -> Callable[..., Any]:
    def function(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        needs_tensor(function, input)
        if isinstance(dim, Tensor):
            return pairwise(input, dim)
        if dim is None:
            nonempty(name, input, None)
            return whole(input)
        return along(name, at, arg, input, dim, keepdim)

    function.__name__ = name
    return function


max = extreme("max", d.max_all, d.max_dim, maximum, d.argmax)
min = extreme("min", d.min_all, d.min_dim, minimum, d.argmin)


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the two middle elements, of all or along a dimension; nan if there is one."""
    needs_tensor(median, input)
    if dim is None:
        return d.median_all(input)
    return along("median", d.median_dim, d.argmedian, input, dim, keepdim)


def extreme_over_dims(name: str, primitive: d.Primitive, words: str) -> Callable[..., Tensor]:
    def function(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
        dims = many_dims(dim, needs_tensor(function, input).ndim)
        named = (dim,) if isinstance(dim, int) else tuple(dim)
        nonempty(name, input, named or None)
        return primitive(input, dim=dims, keepdim=keepdim)

    function.__name__, function.__doc__ = name, words
    return function


amax = extreme_over_dims(
    "amax", d.amax, "The largest element along dimensions; equal ones share the gradient."
)
amin = extreme_over_dims(
    "amin", d.amin, "The smallest element along dimensions; equal ones share the gradient."
)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element, of all or along a dimension."""
    if dim is None:
        if not input.array.size:
            raise RuntimeError(
                "aminmax(): cannot compute aminmax over an empty dimension as the operation has "
                "no identity."
            )
        dims = tuple(range(input.ndim))
    else:
        dims = many_dims(one_dim(dim, input.ndim), input.ndim)
        if dims and not input.array.shape[dims[0]]:
            raise IndexError(f"aminmax: Expected reduction dim {dims[0]} to have non-zero size.")
    return AMINMAX(*d.aminmax(input, dim=dims, keepdim=keepdim))


def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> Any:
    """The elements in order along a dimension, and where they were."""
    dim = one_dim(dim, needs_tensor(sort, input).ndim)
    indices = d.argsort(input, dim=dim, descending=descending)
    primitive = d.sort if stable is None else d.stable_sort
    return PAIRS["sort"](primitive(input, indices=indices, dim=dim), indices)


def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """The indices that sort along a dimension."""
    return d.argsort(input, dim=one_dim(dim, input.ndim), descending=descending)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The `k` largest (or smallest) elements along a dimension in order, and where they were."""
    dim = one_dim(dim, input.ndim)
    if not 0 <= k <= (input.array.shape[dim] if input.ndim else 1):
        raise RuntimeError("selected index k out of range")
    indices = d.argsort(input, dim=dim, descending=largest)
    if input.ndim:
        indices = contiguous(d.slice_(indices, dim=dim, start=0, end=k, step=1)).detach()
    return PAIRS["topk"](d.topk(input, indices=indices, dim=dim), indices)


def arg_extreme(name: str, primitive: d.Primitive, words: str) -> Callable[..., Tensor]:
    def arg(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        if dim is None:
            if not input.array.size:
                raise IndexError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
                )
            found = primitive(d.reshape_to(input, shape=(-1,)), dim=0)
            return d.reshape_to(found, shape=(1,) * input.ndim if keepdim else ()).detach()
        dim = one_dim(dim, input.ndim)
        nonempty(name, input, (dim,))
        found = primitive(input, dim=dim)
        return found if keepdim else d.squeeze_dim(found, dim=dim).detach()

    arg.__name__, arg.__doc__ = name, words
    return arg


argmax = arg_extreme("argmax", d.argmax, "The index of the first largest element.")
argmin = arg_extreme("argmin", d.argmin, "The index of the first smallest element.")


def truth(name: str, primitive: d.Primitive, words: str) -> Callable[..., Tensor]:
    def function(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
        dims = many_dims(() if dim is None else dim, input.ndim)
        return primitive(input, dim=dims, keepdim=keepdim)

    function.__name__, function.__doc__ = name, words
    return function


any = truth("any", d.any_, "Whether some element is true, of all or along dimensions.")
all = truth("all", d.all_, "Whether every element is true, of all or along dimensions.")


# ------------------------------------------------------------------------------ scans and softmax


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The sums so far along a dimension."""
    return d.cumsum(input, dim=one_dim(dim, input.ndim), **typed(input, dtype))


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The products so far along a dimension."""
    return d.cumprod(input, dim=one_dim(dim, input.ndim), **typed(input, dtype))


def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The differences of neighbours along a dimension, taken `n` times."""
    if not input.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = one_dim(dim, input.ndim)
    if n == 0:
        return d.copy(wrap(np.zeros(tuple(input.shape), input.array.dtype)), input)
    parts = [x for x in (prepend, input, append) if x is not None]
    out = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(builtins.min(n, out.shape[dim])):
        size = out.shape[dim]
        right = d.slice_(out, dim=dim, start=1, end=size, step=1)
        left = d.slice_(out, dim=dim, start=0, end=size - 1, step=1)
        out = ne(right, left) if out.array.dtype.kind == "b" else d.sub(right, left)
    return out


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """exp(input) along a dimension, divided by its sum."""
    return weights("softmax", d.softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of `softmax`, computed without going through it."""
    return weights("log_softmax", d.log_softmax, input, dim, dtype)


def weights(name: str, primitive: d.Primitive, input: Tensor, dim: int, dtype: Any) -> Tensor:
    if dtype is not None:
        input = to_dtype(input, dtypes.to_numpy(dtype))
    dim = one_dim(dim, input.ndim)
    last = "lastdim_" if dim >= input.ndim - 1 else ""
    if not input.array.size and not input.is_floating_point():
        return input.clone()
    needs_floats(f"{name}_{last}kernel_impl", input)
    return primitive(input, dim=dim)
