"""Making tensors: from data, of one value, in steps. At random: see sampling.py."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import devices, dtypes, errors
from .modes import modes
from .ops.arguments import one_shape
from .random import multiply_add
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
        array, kind = data, dtypes.from_numpy(np.asarray(data).dtype).numpy
        if to is not None and isinstance(data, np.generic):
            return numbers_as(to, [data], kind)[0]
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
        low, high = dtypes.integer_range(to, wide.dtype.kind == "i")
        if not ((low <= wide) & (wide <= high)).all():
            raise RuntimeError(dtypes.overflow(to))
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


def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """The object as a tensor, on the same memory if it has one of that dtype.

    Args:
        copy: always copy (True), never (False, a ValueError if need be), or when needed (None).
        requires_grad: by default as the object.
    """
    if copy is False and not isinstance(obj, Tensor | np.ndarray):
        raise ValueError("can't alias arbitrary sequence into a tensor.")
    out = as_tensor(obj, device=device)
    to = out.array.dtype if dtype is None else dtypes.to_numpy(dtype)
    if to != out.array.dtype and copy is False:
        names = dtypes.scalar_name(out.array.dtype), dtypes.scalar_name(to)
        raise ValueError("can't alias tensor with dtype {!r} into dtype {!r}.".format(*names))
    if isinstance(obj, Tensor | np.ndarray):
        out = out.to(to, copy=bool(copy))
    elif to != out.array.dtype:
        out = finish(copied(obj, to))
    if requires_grad is None or requires_grad == out.requires_grad:
        return out
    return out.detach().requires_grad_(requires_grad)


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
    number = dtypes.number_as(value, to)
    return finish(np.full(sized("full", (size,)), number, to), requires_grad, device)


def zeros_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros in the shape and dtype of another tensor."""
    return zeros(input.shape, dtype=dtype or input.dtype, device=device,
                 requires_grad=requires_grad)


def ones_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones in the shape and dtype of another tensor."""
    return ones(input.shape, dtype=dtype or input.dtype, device=device,
                requires_grad=requires_grad)


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """One value in the shape and dtype of another tensor."""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, device=device,
                requires_grad=requires_grad)


empty_like = zeros_like


def new_zeros(self: Tensor, *size: Any, dtype: Any = None, **options: Any) -> Tensor:
    """Zeros of another shape in the dtype of this tensor."""
    return zeros(new_size("new_zeros", size), dtype=dtype or self.dtype, **options)


def new_ones(self: Tensor, *size: Any, dtype: Any = None, **options: Any) -> Tensor:
    """Ones of another shape in the dtype of this tensor."""
    return ones(new_size("new_ones", size), dtype=dtype or self.dtype, **options)


def new_full(
    self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, **options: Any
) -> Tensor:
    """One value in another shape and the dtype of this tensor."""
    size = new_size("new_full", (size,))
    return full(size, fill_value, dtype=dtype or self.dtype, **options)


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor with a copy of the data in the dtype of this tensor."""
    if isinstance(data, Tensor):
        warnings.warn(errors.COPY_OF_TENSOR.replace("torch.tensor", "tensor.new_tensor"),
                      stacklevel=2)
    return finish(copied(data, dtype or self.dtype), requires_grad, device)


def new_size(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    size = one_shape(name, size)
    for n in size:
        if n < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {n}: {list(size)}"
            )
    return size


for method in (new_zeros, new_ones, new_full, new_tensor):
    setattr(Tensor, method.__name__, method)
Tensor.new_empty = new_zeros


def arange(
    *bounds: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **named: Any,
) -> Tensor:
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
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start:g} -> {end:g}")
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
    if to.kind == "b":
        raise NotImplementedError("\"arange_cpu\" not implemented for 'Bool'")
    count = (end - start) / step
    if not count < 2**63:
        raise RuntimeError("invalid size, possible overflow?")
    with np.errstate(over="ignore"):
        numbers = (start + step * np.arange(math.ceil(count))).astype(to)
    return finish(numbers, requires_grad, device)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers from `start` to `end`, both included."""
    to = dtypes.to_numpy(dtype)
    wide = to if to.kind == "f" else np.dtype(np.float64)
    numbers = spaced("linspace", start, end, steps, to, wide).astype(to)
    return finish(numbers, requires_grad, device)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`base` to the power of `steps` numbers from `start` to `end`, both included."""
    to = dtypes.to_numpy(dtype)
    wide = np.promote_types(to, np.float32)  # unlike linspace, float16 is rounded at the end
    exponents = spaced("logspace", start, end, steps, to, wide)
    with np.errstate(all="ignore"):
        powers = np.power(wide.type(base), exponents).astype(to)
    return finish(powers, requires_grad, device)


def spaced(
    name: str, start: Any, end: Any, steps: int, to: np.dtype, wide: np.dtype
) -> np.ndarray:
    """Equally spaced numbers between two of type `to`, computed in `wide` from the nearer end."""
    for which, x in (("start", start), ("end", end)):
        if isinstance(x, Tensor) and x.ndim:
            raise RuntimeError(
                f"{name} only supports 0-dimensional start and end tensors, but got {which} with "
                f"{x.ndim} dimension(s)."
            )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    first, last = (
        dtypes.number_as(x.item() if isinstance(x, Tensor) else x, to).astype(wide)
        for x in (start, end)
    )
    i = np.arange(steps)
    forth, back = i.astype(wide), (steps - 1 - i).astype(wide)
    with np.errstate(all="ignore"):
        step = (last - first) / wide.type(max(steps - 1, 1))
        if to.kind == "f":
            front, rear = first + step * forth, last - step * back
        else:  # to be cut off: one rounding more could lose a whole
            front, rear = multiply_add(forth, step, first), multiply_add(back, -step, last)
    return np.where(i < steps // 2 if steps > 1 else True, front, rear)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Where the lower triangle of a row × col matrix is: a row of rows and a row of columns."""
    return triangle("tril_indices", np.tri(*matrix(row, col), offset, bool), dtype, device)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Where the upper triangle of a row × col matrix is: a row of rows and a row of columns."""
    return triangle("triu_indices", ~np.tri(*matrix(row, col), offset - 1, bool), dtype, device)


def matrix(row: int, col: int) -> tuple[int, int]:
    for name, n in (("row", row), ("col", col)):
        if n < 0:
            raise RuntimeError(f"{name} must be non-negative, got{n}")
    return row, col


def triangle(name: str, mask: np.ndarray, dtype: Any, device: Any) -> Tensor:
    to = dtypes.to_numpy(dtype or dtypes.int64)
    if to.kind not in "iu":
        kind = dtypes.scalar_name(to)
        raise NotImplementedError(f"\"{name}\" not implemented for '{kind}'")
    return finish(np.stack(np.nonzero(mask)).astype(to), device=device)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    for name, size in (("n", n), ("m", n if m is None else m)):
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return finish(np.eye(n, m, dtype=dtypes.to_numpy(dtype)), requires_grad, device)
