"""Reductions: many numbers become fewer."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes
from ..tensor import Tensor, wrap
from .arguments import many_dims, needs_tensor, one_dim
from .elementwise import maximum, minimum

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
all any argmax argmin max mean min sum
"""
METHODS = """
all any argmax argmin max mean min sum
"""
IN_PLACE = ""


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
mean = reduction("mean", d.mean_all, d.mean_dim)


class _Pair:
    """What `max` and `min` along a dimension return: it prints as torch's does."""

    def __repr__(self) -> str:
        name, (values, indices) = type(self).__name__, self
        return f"torch.return_types.{name}(\nvalues={values!r},\nindices={indices!r})"


PAIRS = {
    name: type(name, (_Pair, namedtuple(name, ("values", "indices"))), {"__slots__": ()})
    for name in ("max", "min")
}


def extreme(
    name: str, whole: d.Primitive, along: d.Primitive, pair: Any, arg: Callable[..., Any]
) -> Callable[..., Any]:
    def function(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        needs_tensor(function, input)
        if isinstance(dim, Tensor):
            return pair(input, dim)
        if dim is None:
            if not input.array.size:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the "
                    "reduction dim with the 'dim' argument."
                )
            return whole(input)
        dim = one_dim(dim, input.ndim)
        if input.ndim and not input.array.shape[dim]:
            raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
        indices = np.expand_dims(arg(input.array, dim), dim) if input.ndim else np.int64(0)
        values = along(input, indices=indices, dim=dim, keepdim=keepdim)
        if input.ndim and not keepdim:
            indices = np.squeeze(indices, dim)[()]
        return PAIRS[name](values, wrap(indices))

    function.__name__ = name
    return function


max = extreme("max", d.max_all, d.max_dim, maximum, np.argmax)
min = extreme("min", d.min_all, d.min_dim, minimum, np.argmin)


def arg_extreme(name: str, function: Callable[..., Any]) -> Callable[..., Tensor]:
    def arg(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        if dim is None:
            return wrap(np.int64(function(input.array)))
        dim = one_dim(dim, input.ndim)
        found = function(input.array, dim) if input.ndim else np.int64(0)
        return wrap(np.expand_dims(found, dim) if keepdim and input.ndim else found)

    arg.__name__ = name
    return arg


argmax, argmin = arg_extreme("argmax", np.argmax), arg_extreme("argmin", np.argmin)


def any(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Whether some element is true."""
    return (
        wrap(np.any(input.array, dim, keepdims=keepdim))
        if dim is not None
        else wrap(np.any(input.array))
    )


def all(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Whether every element is true."""
    return (
        wrap(np.all(input.array, dim, keepdims=keepdim))
        if dim is not None
        else wrap(np.all(input.array))
    )
