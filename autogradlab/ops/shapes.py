"""Views, joins, and casts to another dtype or memory layout."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..tensor import Tensor
from .arguments import many_dims, one_dim, one_shape, to_dtype

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
cat flatten permute reshape squeeze stack t transpose unbind unsqueeze
"""
METHODS = """
contiguous expand expand_as flatten permute reshape reshape_as squeeze t to transpose unbind
unsqueeze view view_as
"""
IN_PLACE = ""


def inferred(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The shape with its -1 filled in; torch's errors if the elements do not fit."""
    bad = next((n for n in shape if n < -1), None)
    if bad is not None:
        raise RuntimeError(
            f"invalid shape dimension {bad} at index {shape.index(bad)} of shape {list(shape)}"
        )
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = int(np.prod([n for n in shape if n != -1], dtype=np.int64))
    if -1 in shape and not known and not size:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified "
            "dimension size -1 can be any value and is ambiguous"
        )
    if (size % known if known else size) if -1 in shape else known != size:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return tuple(size // known if n == -1 else n for n in shape)


def viewable(input: Tensor, shape: tuple[int, ...]) -> builtins.bool:
    """Whether the shape can be shown without copying."""
    array = input.memory()
    return not array.size or np.may_share_memory(array, array.reshape(shape))


def view(input: Tensor, *shape: Any) -> Tensor:
    """The same memory in another shape."""
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        raise TypeError("view(dtype) is not supported: use .to(dtype)")
    shape = inferred(one_shape("view", shape), input.numel())
    if not viewable(input, shape):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension "
            "spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return d.view(input, shape=shape)


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """Another shape, on the same memory where that is possible."""
    shape = inferred(one_shape("reshape", shape), input.numel())
    if not viewable(input, shape):
        return d.unsafe_view(contiguous_copy(input), shape=shape)
    return (d.view if input.is_contiguous() else d.reshape_alias)(input, shape=shape)


def contiguous_copy(input: Tensor) -> Tensor:
    out = d.clone(input)
    out.array = np.ascontiguousarray(out.array)
    return out


def contiguous(input: Tensor) -> Tensor:
    """The tensor itself if its memory is in row-major order, else a copy that is."""
    return input if input.is_contiguous() else contiguous_copy(input)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions from `start_dim` to `end_dim` joined into one."""
    first, last = one_dim(start_dim, input.ndim), one_dim(end_dim, input.ndim)
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not input.ndim:
        return reshape(input, 1)
    if first == last:
        return input
    return reshape(input, (*input.shape[:first], -1, *input.shape[last + 1 :]))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged."""
    return d.transpose(input, dim0=one_dim(dim0, input.ndim), dim1=one_dim(dim1, input.ndim))


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector as it is."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return d.t(input)


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order."""
    dims = one_shape("permute", dims)
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            "length of the "
            f"desired ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to "
            f"len(dims) = {len(dims)}"
        )
    dims = tuple(one_dim(i, input.ndim) for i in dims)
    if len(set(dims)) < len(dims):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return d.permute(input, dims=dims)


def reversed_dims(input: Tensor) -> Tensor:
    if input.ndim not in (0, 2):
        errors.warn_once(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and "
            "it will throw an error in a future release. Consider `x.mT` to transpose batches "
            "of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor."
        )
    return d.permute(input, dims=tuple(range(input.ndim))[::-1])


def matrix_transpose(input: Tensor) -> Tensor:
    if input.ndim < 2:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{input.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of size 1, all or the given ones."""
    if dim is None:
        return d.squeeze_all(input)
    if isinstance(dim, int):
        return d.squeeze_dim(input, dim=one_dim(dim, input.ndim))
    return d.squeeze_dims(input, dim=many_dims(dim, input.ndim))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension, which is dropped."""
    if not input.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return d.unbind(input, dim=one_dim(dim, input.ndim))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 put in at `dim`."""
    return d.unsqueeze(input, dim=one_dim(dim, input.ndim + 1))


def expand(input: Tensor, *shape: Any) -> Tensor:
    """Dimensions of size 1 repeated without copying; -1 keeps a size."""
    shape, old = one_shape("expand", shape), input.shape
    lead = len(shape) - len(old)
    if lead < 0:
        kind = dtypes.type_name(input.array.dtype)
        raise RuntimeError(
            f"expand({kind}{{{list(old)}}}, size={list(shape)}): the number of sizes provided "
            f"({len(shape)}) "
            f"must be greater or equal to the number of dimensions in the tensor ({len(old)})"
        )
    new = tuple(old[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(shape))
    if builtins.any(m not in (1, n) for m, n in zip(old, new[lead:], strict=True)):
        raise RuntimeError(errors.expand(new, old))
    return d.expand(input, shape=new)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of `other`."""
    return expand(input, other.shape)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The same memory in the shape of `other`."""
    return view(input, other.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The shape of `other`."""
    return reshape(input, other.shape)


def listed(name: str, sequence: Any) -> list[Tensor]:
    if isinstance(sequence, Tensor) or not isinstance(sequence, Sequence):
        got = type(sequence).__name__
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {got}"
        )
    for i, x in enumerate(sequence):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}"
            )
    return list(sequence)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along a dimension they have."""
    parts = listed("cat", tensors)
    if not parts:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    if not builtins.all(x.ndim for x in parts):
        i = next(i for i, x in enumerate(parts) if not x.ndim)
        raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    whole = [x for x in parts if x.shape != (0,)] or parts
    first, dim = whole[0], one_dim(dim, whole[0].ndim)
    for x in whole:
        if x.ndim != first.ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {first.ndim} and {x.ndim}"
            )
        for i, (m, n) in enumerate(zip(first.shape, x.shape, strict=True)):
            if m != n and i != dim:
                place = next(k for k, y in enumerate(parts) if y is x)
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {m} "
                    "but got size "
                    f"{n} for tensor number {place} in the list."
                )
    to = functools.reduce(dtypes.promote, (x.array.dtype for x in parts))
    return d.cat(*[to_dtype(x, to) for x in whole], dim=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension."""
    parts = listed("stack", tensors)
    if not parts:
        raise RuntimeError("stack expects a non-empty TensorList")
    for i, x in enumerate(parts):
        if x.shape != parts[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(parts[0].shape)} at "
                "entry 0 and "
                f"{list(x.shape)} at entry {i}"
            )
    return d.stack(*parts, dim=one_dim(dim, parts[0].ndim + 1))


def to(
    input: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False
) -> Tensor:
    """The tensor in another dtype; the only device is "cpu"."""
    for arg in args:
        if isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, str):
            device = arg
        else:
            dtype = arg
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise RuntimeError(f"autogradlab computes on the CPU only, not on {device!r}")
    to = input.array.dtype if dtype is None else dtypes.to_numpy(dtype)
    return d.copy_to(input, dtype=to) if copy else to_dtype(input, to)


def type_(input: Tensor, dtype: Any = None) -> Any:
    """The tensor in another dtype, or the name of its type."""
    return dtypes.type_name(input.array.dtype) if dtype is None else to(input, dtype)
