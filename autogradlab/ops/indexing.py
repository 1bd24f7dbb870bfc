"""`x[…]`: each number selects, each slice slices, arrays of indices and masks index at the end."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import errors
from ..tensor import Tensor
from .shapes import unsqueeze


def getitem(input: Tensor, key: Any) -> Tensor:
    """`input[key]`: each number selects, each slice slices, arrays of indices or masks index at the
    end."""
    out, arrays = located(input, key)
    if arrays:
        return indexed(out, arrays)
    return d.alias(input) if out is input else out


def located(input: Tensor, key: Any) -> tuple[Tensor, dict[int, np.ndarray]]:
    """What the basic part of an index shows, and the arrays that index its dimensions."""
    if isinstance(key, slice):
        return sliced(input, 0, key), {}
    items = list(key) if isinstance(key, tuple) else [key]
    used = builtins.sum(k.ndim if is_mask(k) else k is not None and k is not ... for k in items)
    if used > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim}")
    out, dim, arrays = input, 0, {}
    for k in items:
        if k is ...:
            dim += input.ndim - used
        elif k is None:
            out, dim = unsqueeze(out, dim), dim + 1
        elif isinstance(k, slice):
            full = k == slice(None)
            out, dim = out if full else sliced(out, dim, k), dim + 1
        elif isinstance(k, Tensor | np.ndarray | list) and not is_number(k):
            array = index_array(k, out, dim)
            for i, a in enumerate(array):
                arrays[dim + i] = a
            dim += len(array)
        else:
            out = selected(out, dim, k)
    return out, arrays


def is_mask(k: Any) -> builtins.bool:
    return (
        isinstance(k, Tensor | np.ndarray) and np.asarray(getattr(k, "array", k)).dtype.kind == "b"
    )


def is_number(k: Any) -> builtins.bool:
    return isinstance(k, Tensor) and not k.ndim and k.array.dtype.kind in "iu"


def sliced(input: Tensor, dim: int, key: slice) -> Tensor:
    if not input.ndim:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    if key.step is not None and key.step <= 0:
        raise ValueError("step must be greater than zero")
    start, end, step = key.indices(input.shape[dim])
    return d.slice_(input, dim=dim, start=start, end=end, step=step)


def selected(input: Tensor, dim: int, k: Any) -> Tensor:
    if isinstance(k, str):
        raise TypeError(f"new(): invalid data type '{type(k).__name__}'")
    if isinstance(k, builtins.bool) or not hasattr(k, "__index__"):
        raise IndexError(errors.INDEX_TYPES.format(type(k).__name__))
    if not input.ndim:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
            "`tensor.item<T>()` in C++ to "
            "convert a 0-dim tensor to a number"
        )
    size, i = input.shape[dim], k.__index__()
    if not -size <= i < size:
        raise IndexError(f"index {i} is out of bounds for dimension {dim} with size {size}")
    return d.select(input, dim=dim, index=i % size)


def index_array(k: Any, input: Tensor, dim: int) -> tuple[np.ndarray, ...]:
    """An array of indices; a mask becomes the indices of its true elements."""
    array = np.asarray(k.array if isinstance(k, Tensor) else k)
    if array.dtype.kind == "b":
        if array.shape != input.shape[dim : dim + array.ndim]:
            i = next(i for i, n in enumerate(array.shape) if n != input.shape[dim + i])
            raise IndexError(
                f"The shape of the mask {list(array.shape)} at index {i} does not match the "
                "shape of the "
                f"indexed tensor {list(input.shape)} at index {dim + i}"
            )
        return np.nonzero(array)
    if array.dtype.kind not in "iu" and array.size:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    return (array.astype(np.int64),)


def indexed(input: Tensor, arrays: dict[int, np.ndarray]) -> Tensor:
    return d.index(input, indices=numpy_indices(input, arrays))


def numpy_indices(input: Tensor, arrays: dict[int, np.ndarray]) -> tuple[Any, ...]:
    """Arrays by dimension as an index for NumPy; torch's errors for what does not fit."""
    for dim, a in arrays.items():
        size = input.shape[dim]
        outside = a[(a < -size) | (a >= size)]
        if outside.size:
            raise IndexError(
                f"index {outside[0]} is out of bounds for dimension {dim} with size {size}"
            )
    try:
        np.broadcast_shapes(*(a.shape for a in arrays.values()))
    except ValueError:
        shapes = ", ".join(str(list(a.shape)) for a in arrays.values())
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None
    return tuple(arrays.get(i, slice(None)) for i in range(builtins.max(arrays) + 1))


def iterate(input: Tensor) -> Any:
    if not input.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(d.unbind(input, dim=0))
