"""`out=`: a result that is written into a tensor which is there already."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import dtypes, errors
from ..inplace import writable
from ..modes import modes
from ..tensor import Tensor

PRODUCTS = "bmm matmul mm"  # their `out` must have the dtype of the result
SAME = "abs ceil floor neg round sign trunc"  # theirs too, in other words
OTHERS = """
abs add atan2 cat div eq floor_divide fmod ge gt le lt maximum minimum mul ne neg pow
remainder round stack sub
"""


def with_out(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function, with `out=`."""

    @functools.wraps(function)
    def call(*args: Any, out: Tensor | None = None, **kwargs: Any) -> Tensor:
        if out is None:
            return function(*args, **kwargs)
        return into(out, function, args, kwargs)

    return call


def into(
    out: Tensor, function: Callable[..., Tensor], args: Iterable[Any], kwargs: dict[str, Any]
) -> Tensor:
    """What a function gives, written into `out`, which takes its shape; returns `out`."""
    name = function.__name__
    if not isinstance(out, Tensor):
        kind = type(out).__name__
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {kind}")
    tensors = [x for x in flat([*args, *kwargs.values(), out]) if isinstance(x, Tensor)]
    if modes.grad_enabled and any(x.requires_grad for x in tensors):
        raise RuntimeError(errors.OUT_REQUIRES_GRAD.format(name))
    writable(out)
    result = function(*args, **kwargs)
    kinds = result.array.dtype, out.array.dtype
    if name in PRODUCTS.split() and kinds[0] != kinds[1]:
        raise RuntimeError(errors.OUT_DTYPE.format(*map(dtypes.cpp_name, kinds)))
    if name in SAME.split() and kinds[0] != kinds[1]:
        raise RuntimeError(errors.OUT_FOUND.format(*map(dtypes.scalar_name, kinds[::-1])))
    if name in ("cat", "stack") and dtypes.category(kinds[0]) > dtypes.category(kinds[1]):
        raise TypeError(errors.OUT_JOINED.format(dtypes.scalar_name(kinds[1])))
    if dtypes.category(kinds[0]) > dtypes.category(kinds[1]):
        raise RuntimeError(errors.OUT_CAST.format(*map(dtypes.scalar_name, kinds)))
    if out.shape != result.shape:
        resize(out, result.shape)
    out.write(result.array)
    return out


def flat(values: Iterable[Any]) -> Iterable[Any]:
    for x in values:
        yield from x if isinstance(x, list | tuple) else (x,)


def resize(out: Tensor, shape: tuple[int, ...]) -> None:
    """New memory of another shape; a warning if there was some."""
    if out.base is not None:
        raise RuntimeError("autogradlab: an `out` that is a view must have the result's shape")
    if out.numel():
        warnings.warn(errors.OUT_RESIZED.format(list(out.shape), list(shape)), stacklevel=4)
    out.array = np.empty(shape, out.array.dtype)[()]
