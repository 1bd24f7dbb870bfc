"""How torch's functions take their arguments: tensors, numbers, dimensions, shapes.

Each helper checks in torch's words and gives the one form the primitives expect.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..tensor import Tensor

Number = int | float  # bool is an int


def needs_tensor(function: Callable[..., Tensor], input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise TypeError(errors.not_a_tensor(function.__name__, "input", 1, input))
    return input


def needs_floats(kernel: str, input: Tensor) -> Tensor:
    if input.array.dtype.kind != "f":
        kind = dtypes.scalar_name(input.array.dtype)
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind}'")
    return input


def same_types(
    a: Tensor, b: Tensor, message: str, name: Callable[..., str] = dtypes.scalar_name
) -> None:
    """Torch's error, with the names of both types, for tensors of two types."""
    if a.array.dtype != b.array.dtype:
        raise RuntimeError(message.format(name(a.array.dtype), name(b.array.dtype)))


def to_dtype(input: Tensor, to: np.dtype) -> Tensor:
    return input if input.array.dtype == to else d.copy_to(input, dtype=to)


def operand(name: str, x: Any, position: int) -> Any:
    """A tensor or a number; torch's TypeError for anything else."""
    if isinstance(x, Tensor | Number):
        return x
    if isinstance(x, np.generic):
        return x.item()
    raise TypeError(errors.not_a_tensor(name, ("input", "other")[position - 1], position, x))


def one_dim(dim: int, ndim: int) -> int:
    """A dimension counted from the front."""
    if not isinstance(dim, int | np.integer) or isinstance(dim, builtins.bool):
        raise TypeError(f"argument 'dim' must be int, not {type(dim).__name__}")
    if not -builtins.max(ndim, 1) <= dim < builtins.max(ndim, 1):
        raise IndexError(errors.dimension(dim, ndim))
    return dim % builtins.max(ndim, 1)


def many_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """Dimensions counted from the front; none given means all."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    out = tuple(one_dim(i, ndim) for i in dims) or tuple(range(ndim))
    repeated = next((i for i in out if out.count(i) > 1), None)
    if repeated is not None:
        raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    return out if ndim else ()


def one_shape(name: str, shape: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as numbers or as one sequence."""
    if len(shape) == 1 and isinstance(shape[0], Sequence | Tensor):
        shape = tuple(shape[0])
    for n in shape:
        if not hasattr(n, "__index__") or isinstance(n, builtins.bool):
            raise TypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, not "
                f"{type(n).__name__}"
            )
    return tuple(n.__index__() for n in shape)
