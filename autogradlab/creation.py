"""Making tensors: from data, of one value, in steps. At random: see sampling.py."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import devices, dtypes, errors
from .modes import modes
from .ops.arguments import one_shape
from .tensor import Tensor, wrap


def finish(array: Any, requires_grad: bool = False, device: Any = None) -> Tensor:
    devices.check(device)
    out = wrap(array)
    if modes.inference:
        out.inference = out.special = True
    if requires_grad:
        if out.array.dtype.kind != "f":
            raise RuntimeError(errors.TENSORS_ONLY_FLOAT)
        out._requires_grad = True
    return out


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor with a copy of the data.

    Args:
        data: a number, (nested) sequences of numbers, a NumPy array, a tensor.
        dtype: by default that of an array; for numbers bool, int64 or the default float type.
        requires_grad: record operations on it, so that `backward` fills its `.grad`.

    Raises:
        ValueError: ragged sequences. RuntimeError, TypeError: data that is no number.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    if isinstance(data, Tensor):
        warnings.warn(errors.COPY_OF_TENSOR, stacklevel=2)
    return finish(copied(data, dtype), requires_grad, device)


def copied(data: Any, dtype: Any) -> Any:
    to = None if dtype is None else dtypes.to_numpy(dtype)
    if isinstance(data, Tensor):
        array = data.array
    elif isinstance(data, np.ndarray | np.generic):
        array, _ = data, dtypes.from_numpy(np.asarray(data).dtype)
    else:
        shape, leaves = shape_of(data), []
        kind = leaf_types(data, leaves)
        return numbers_as(to or kind, leaves, kind).reshape(shape)[()]
    with np.errstate(all="ignore"):  # too large a number becomes inf, as in torch
        return np.array(array, to or array.dtype)[()]


def numbers_as(to: np.dtype, numbers: list[Any], kind: np.dtype) -> np.ndarray:
    """Numbers, of a type no wider than `kind`, straight in the type asked for."""
    with np.errstate(all="ignore"):
        if to.kind not in "iu":
            return np.array(numbers, to)
        wide = np.array(numbers, np.float64 if kind.kind == "f" else np.int64)
        low, high = np.iinfo(to).min, np.iinfo(to).max
        if to.kind == "u" and wide.dtype.kind == "i":
            low = -high  # −1 is 255
        if not ((low <= wide) & (wide <= high)).all():
            raise RuntimeError(errors.overflow(to))
        return wide.astype(to)


def is_sequence(x: Any) -> bool:
    return (
        (isinstance(x, Sequence)
        and not isinstance(x, str | bytes))
        or (isinstance(x, np.ndarray | Tensor) and x.ndim > 0)
    )


def shape_of(data: Any) -> tuple[int, ...]:
    """The shape of nested sequences, read off their first elements."""
    shape = []
    while is_sequence(data):
        shape.append(len(data))
        if not len(data):
            break
        data = data[0]
    return tuple(shape)


def leaf_types(data: Any, leaves: list[Any]) -> np.dtype:
    """Collect the numbers of nested sequences; the type that holds them all."""
    found, shape = None, shape_of(data)

    def visit(x: Any, depth: int) -> None:
        nonlocal found
        if depth < len(shape):
            if not is_sequence(x):
                raise TypeError(f"not a sequence at dim {depth}")
            if len(x) != shape[depth]:
                raise ValueError(
                    f"expected sequence of length {shape[depth]} at dim {depth} (got {len(x)})"
                )
            for item in x:
                visit(item, depth + 1)
            return
        if isinstance(x, str):
            raise TypeError(f"new(): invalid data type '{type(x).__name__}'")
        if isinstance(x, Tensor):
            x = x.array
        if isinstance(x, complex):
            raise RuntimeError("autogradlab has no complex tensors")
        if not isinstance(x, bool | int | float | np.generic | np.ndarray):
            raise RuntimeError(f"Could not infer dtype of {type(x).__name__}")
        if isinstance(x, int) and not -(2**63) <= x < 2**63:
            raise ValueError("Overflow when unpacking long long")
        kind = x.dtype if isinstance(x, np.generic | np.ndarray) else dtypes.number_type(x)
        found = kind if found is None else dtypes.promote(found, kind)
        leaves.append(x)

    visit(data, 0)
    return dtypes.default if found is None else found


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor, on the same memory if it is an array or a tensor of that dtype."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == dtypes.to_numpy(dtype)):
        return from_numpy(data)
    return finish(copied(data, dtype), device=device)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor on the memory of a NumPy array."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    dtypes.from_numpy(array.dtype)
    if any(s < 0 for s in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with "
            "negative strides are "
            "not currently supported. (You can probably work around this by making a copy of "
            "your array with "
            "array.copy().) "
        )
    return wrap(array)


def sized(name: str, shape: tuple[Any, ...]) -> tuple[int, ...]:
    out = one_shape(name, shape)
    if any(n < 0 for n in out):
        raise RuntimeError(f"{name}: Dimension size must be non-negative.")
    return out


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros."""
    return finish(np.zeros(sized("zeros", size), dtypes.to_numpy(dtype)), requires_grad, device)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return finish(np.ones(sized("ones", size), dtypes.to_numpy(dtype)), requires_grad, device)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose values are arbitrary (here: zeros, so that nothing depends on chance)."""
    return finish(np.zeros(sized("empty", size), dtypes.to_numpy(dtype)), requires_grad, device)


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of one value."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    to = dtypes.number_type(value) if dtype is None else dtypes.to_numpy(dtype)
    return finish(np.full(sized("full", (size,)), value, to), requires_grad, device)


def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype of another tensor."""
    return zeros(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype of another tensor."""
    return ones(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """One value in the shape and dtype of another tensor."""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, requires_grad=requires_grad)


empty_like = zeros_like


def arange(*bounds: Any, dtype: Any = None, requires_grad: bool = False, **named: Any) -> Tensor:
    """`arange(end)`, `arange(start, end)` or `arange(start, end, step)`; the end is left out."""
    start, end, step = (
        (0, *bounds, 1)
        if len(bounds) == 1
        else (*bounds, 1)
        if len(bounds) == 2
        else bounds or (0, 0, 1)
    )
    start, end, step = named.get("start", start), named.get("end", end), named.get("step", step)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    floats = any(isinstance(x, float) for x in (start, end, step))
    to = (
        dtypes.to_numpy(dtype)
        if dtype is not None
        else dtypes.default
        if floats
        else np.dtype(np.int64)
    )
    count = int(np.ceil((end - start) / step))
    return finish((start + step * np.arange(count)).astype(to), requires_grad)


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers from `start` to `end`, both included."""
    to = dtypes.to_numpy(dtype)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    i = np.arange(steps)
    step = to.type((end - start) / (steps - 1)) if steps > 1 else to.type(0)
    front, back = (
        to.type(start) + step * i.astype(to),
        to.type(end) - step * (steps - 1 - i).astype(to),
    )
    return finish(
        np.where(i < steps // 2 if steps > 1 else True, front, back).astype(to), requires_grad
    )


def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    return finish(np.eye(n, m, dtype=dtypes.to_numpy(dtype)), requires_grad)
