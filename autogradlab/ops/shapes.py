"""Views, joins, and casts to another dtype or memory layout."""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import devices, dtypes, errors
from ..arrays import Lifted
from ..tensor import Tensor, wrap
from .arguments import many_dims, one_dim, one_shape, to_dtype

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
as_strided broadcast_tensors broadcast_to cat chunk concat concatenate diag diag_embed diagonal
flatten flip fliplr flipud hstack meshgrid moveaxis movedim narrow permute ravel repeat_interleave
reshape roll rot90 row_stack select slice split split_with_sizes squeeze stack swapaxes swapdims t
tile transpose tril triu unbind unflatten unsqueeze vstack
"""
METHODS = """
as_strided broadcast_to chunk contiguous diag diag_embed diagonal expand expand_as flatten flip
fliplr flipud moveaxis movedim narrow permute ravel repeat repeat_interleave reshape reshape_as
roll rot90 select split split_with_sizes squeeze sum_to_size swapaxes swapdims t tile to transpose
tril triu type_as unbind unflatten unfold unsqueeze view view_as
"""
IN_PLACE = """
tril triu
"""


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


def viewable(input: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether the shape can be shown without copying."""
    array = input.memory()
    if isinstance(array, Lifted) or not array.size:
        return True
    return np.may_share_memory(array, array.reshape(shape))


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


def reshape(input: Tensor, *args: Any, shape: Any = None) -> Tensor:
    """Another shape, on the same memory where that is possible."""
    shape = one_shape("reshape", args if shape is None else (shape,))
    shape = inferred(shape, input.numel())
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


def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension."""
    return reshape(contiguous(input), -1)


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One dimension split into several."""
    dim, sizes = one_dim(dim, input.ndim), one_shape("unflatten", (sizes,))
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    if not input.ndim:
        raise RuntimeError(f"unflatten got an unexpected error:\n{errors.no_dimensions(dim)}")
    n, known = input.shape[dim], int(np.prod([k for k in sizes if k != -1], dtype=np.int64))
    if (n % known if known else n) if -1 in sizes else known != n:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
            f"({n}) in the input tensor"
        )
    sizes = inferred(sizes, n)
    return view(input, (*input.shape[:dim], *sizes, *input.shape[dim + 1 :]))


def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """The memory of a tensor seen with this shape, these steps (in elements) and this start."""
    array, size, stride = input.memory(), tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(n < 0 for n in stride):
        raise RuntimeError(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(stride)}"
        )
    lifted = isinstance(array, Lifted)  # such an array counts as contiguous
    memory = array if lifted else d.shapes.storage(array)
    own = 0 if lifted else (array.ctypes.data - memory.ctypes.data) // array.itemsize
    start = own if storage_offset is None else storage_offset
    last = start + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and last >= memory.size:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {start}, and "
            f"itemsize {array.itemsize} requiring a storage size of {(last + 1) * array.itemsize} "
            f"are out of bounds for storage of size {memory.nbytes}"
        )
    geometry = (tuple(array.shape), input.stride(), own)
    if lifted:
        return d.strided_move(input, source=geometry, target=(size, stride, start))
    return d.as_strided(input, size=size, stride=stride, storage_offset=start, geometry=geometry)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged."""
    return d.transpose(input, dim0=one_dim(dim0, input.ndim), dim1=one_dim(dim1, input.ndim))


swapdims = swapaxes = transpose


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places, the rest kept in order."""
    source, destination = (
        [dims] if isinstance(dims, int) else list(dims) for dims in (source, destination)
    )
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({source} dims) should contain "
            f"the same number of dims as destination ({destination} dims)"
        )
    at = {}
    for name, dims in (("source", source), ("destination", destination)):
        at[name] = [one_dim(i, input.ndim) for i in dims]
        if len(set(at[name])) < len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({dims})")
    if not input.ndim:
        return d.alias(input)
    order = [i for i in range(input.ndim) if i not in at["source"]]
    for to, dim in sorted(zip(at["destination"], at["source"], strict=True)):
        order.insert(to, dim)
    return permute(input, order)


moveaxis = movedim


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector as it is."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return d.t(input)


def permute(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order."""
    dims = named_dims("permute", args, dims)
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
    if not input.ndim:
        errors.warn_once(errors.NOTHING_TO_TRANSPOSE.format("T"))
    elif input.ndim != 2:
        errors.warn_once(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and "
            "it will throw an error in a future release. Consider `x.mT` to transpose batches "
            "of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor."
        )
    return d.permute(input, dims=tuple(range(input.ndim))[::-1])


def matrix_transpose(input: Tensor) -> Tensor:
    if not input.ndim:
        errors.warn_once(errors.NOTHING_TO_TRANSPOSE.format("mT"))
        return input
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
    return d.squeeze_dims(input, dim=many_dims(dim, input.ndim) if dim else ())


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension, which is dropped."""
    dim = one_dim(dim, input.ndim)
    if not input.ndim:
        raise IndexError(errors.no_dimensions(0))
    return d.unbind(input, dim=dim)


def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of one size along a dimension (the last may be smaller), or of the given sizes."""
    if not isinstance(split_size_or_sections, int):
        return split_with_sizes(input, split_size_or_sections, dim)
    if not input.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    size, dim = split_size_or_sections, one_dim(dim, input.ndim)
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if not size and input.shape[dim]:
        raise RuntimeError(
            "split_size can only be 0 if dimension size is 0, but got dimension size of "
            f"{input.shape[dim]}"
        )
    return d.split(input, split_size=max(size, 1), dim=dim)


def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of the given sizes along a dimension."""
    sizes, dim = tuple(split_sizes), one_dim(dim, input.ndim)
    if not input.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if any(n < 0 for n in sizes):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={list(sizes)}"
        )
    if sum(sizes) != input.shape[dim]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {input.shape[dim]} (input "
            f"tensor's size at dimension {dim}), but got split_sizes={list(sizes)}"
        )
    return d.split_with_sizes(input, split_sizes=sizes, dim=dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most that many pieces of one size along a dimension."""
    if not input.ndim:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = one_dim(dim, input.ndim)
    size = -(-input.shape[dim] // chunks)
    return split(input, size, dim) if size else split_with_sizes(input, [0] * chunks, dim)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 put in at `dim`."""
    return d.unsqueeze(input, dim=one_dim(dim, input.ndim + 1))


def expand(input: Tensor, *shape: Any) -> Tensor:
    """Dimensions of size 1 repeated without copying; -1 keeps a size."""
    return d.expand(input, shape=expanded(input, one_shape("expand", shape)))


def expanded(input: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape to expand to, its -1 filled in; torch's errors if that is not possible."""
    old = input.shape
    lead = len(shape) - len(old)
    if lead < 0:
        kind = errors.cpp_type(input.array.dtype)
        raise RuntimeError(
            f"expand({kind}{{{list(old)}}}, size={list(shape)}): the number of sizes provided "
            f"({len(shape)}) "
            f"must be greater or equal to the number of dimensions in the tensor ({len(old)})"
        )
    new = tuple(old[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(shape))
    if not fits(old, new):
        raise RuntimeError(errors.expand(new, old, shape))
    for dim in reversed(range(lead)):
        if shape[dim] < 0:
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[dim]}) isn't allowed in a leading, "
                f"non-existing dimension {dim}"
            )
    return new


def fits(shape: Sequence[int], into: Sequence[int]) -> bool:
    """Whether a shape broadcasts to exactly another."""
    lead = len(into) - len(shape)
    return lead >= 0 and all(n in (1, m) for n, m in zip(shape, into[lead:], strict=True))


broadcast_to = expand


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Every tensor expanded to the shape they broadcast to."""
    parts = listed("broadcast_tensors", tensors[0] if len(tensors) == 1 else tensors)
    shape: tuple[int, ...] = ()
    for x in parts:
        shape = broadcast_shape(shape, x.shape)
    return tuple(x if x.shape == shape else expand(x, shape) for x in parts)


def broadcast_shape(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    """The shape two shapes broadcast to, or torch's error."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise RuntimeError(errors.broadcast(a, b)) from None


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Each vector spread over a grid with one dimension per vector.

    Args:
        indexing: "ij", dimension i follows vector i; "xy", the first two are exchanged.
    """
    if indexing is None:
        warnings.warn(errors.MESHGRID, stacklevel=2)
    elif indexing not in ("ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: ' + indexing
        )
    parts = listed("meshgrid", tensors[0] if isinstance(tensors[0], list | tuple) else tensors)
    if any(x.dtype is not parts[0].dtype for x in parts):
        raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    for x in parts:
        if x.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                f"{list(x.shape)}"
            )
    order = list(range(len(parts)))
    if indexing == "xy" and len(parts) > 1:
        order[:2] = 1, 0
    shape = [parts[i].numel() for i in order]
    return tuple(
        expand(view(x, [-1 if i == at else 1 for i in order]), shape) for at, x in enumerate(parts)
    )


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """The sum over the dimensions that expanding from `size` would have added or repeated."""
    shape, old = one_shape("sum_to_size", size), input.shape
    lead = len(old) - len(shape)
    if not fits(shape, old):
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(old)}}}.")
    if not shape:
        return d.sum_all(input)
    dims = tuple(i for i, m in enumerate(old) if i < lead or (shape[i - lead] == 1 and m != 1))
    out = d.sum_dim(input, dim=dims, keepdim=True) if dims else input
    return view(out, shape) if lead else out


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of `other`."""
    return expand(input, other.shape)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The same memory in the shape of `other`."""
    return view(input, other.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The shape of `other`."""
    return reshape(input, other.shape)


def named_dims(name: str, args: tuple[Any, ...], dims: Any) -> tuple[int, ...]:
    """Dimensions given as numbers, as one sequence or as `dims=`."""
    if not args and dims is None:
        raise TypeError(f'{name}() missing 1 required positional arguments: "dims"')
    return one_shape(name, args if dims is None else (dims,))


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor copied side by side, so often along each dimension."""
    repeats = one_shape("repeat", repeats)
    if len(repeats) < input.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    if any(n < 0 for n in repeats):
        shape = (1,) * (len(repeats) - input.ndim) + input.shape
        sizes = [n * m for n, m in zip(repeats, shape, strict=True)]
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(sizes)}: {sizes}")
    return d.repeat(input, repeats=repeats)


def tile(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """`repeat`, the missing leading numbers taken as 1."""
    dims = named_dims("tile", args, dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element repeated next to itself; of the flattened tensor if there is no `dim`.

    Without `repeats` the input is the counts, and the result what to repeat: [2, 1] → [0, 0, 1].
    """
    if repeats is None:
        return wrap(np.repeat(np.arange(input.numel()), input.array))
    if dim is None:
        input, dim = flatten(input), 0
    dim = one_dim(dim, input.ndim)
    if isinstance(repeats, int):
        if repeats < 0:
            raise RuntimeError("Repeats must be non-negative")
        size = input.shape[dim] * repeats
        if output_size not in (None, size):
            raise RuntimeError(
                f"repeat_interleave: Invalid output_size, expected {size} but got {output_size}"
            )
        shape = (*input.shape[: dim + 1], repeats, *input.shape[dim + 1 :])
        return flatten(d.clone(expand(unsqueeze(input, dim + 1), shape)), dim, dim + 1)
    counts = np.asarray(repeats.array)
    if counts.ndim > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if counts.dtype not in (np.int32, np.int64):
        kind = dtypes.scalar_name(counts.dtype)
        raise NotImplementedError(f"\"repeat_interleave_cpu\" not implemented for '{kind}'")
    if counts.size not in (1, input.shape[dim]):
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{counts.size} and input.size({dim}) = {input.shape[dim]}"
        )
    if np.any(counts < 0):
        raise RuntimeError("repeats can not be negative")
    index = np.repeat(np.arange(input.shape[dim]), counts.reshape(-1))
    if output_size not in (None, index.size):
        raise RuntimeError("allocated size does not match required size")
    return d.index_select(input, dim=dim, index=index)


def flip(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """The order reversed along dimensions."""
    dims = named_dims("flip", args, dims)
    return d.flip(input, dims=many_dims(dims, input.ndim) if dims else ())


def fliplr(input: Tensor) -> Tensor:
    """The columns in reverse order."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """The rows in reverse order."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """Elements moved along dimensions, the last ones back to the front."""
    shifts, dims = ((x,) if isinstance(x, int) else tuple(x) for x in (shifts, dims))
    if not shifts:
        raise RuntimeError("`shifts` required")
    if len(dims) != len(shifts) and (dims or len(shifts) > 1):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    if dims and not input.ndim:
        raise IndexError(errors.no_dimensions(dims[0]))
    return d.roll(input, shifts=shifts, dims=tuple(one_dim(i, input.ndim) for i in dims))


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A quarter turn, k times, in the plane of two dimensions."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    first, second = (one_dim(i, input.ndim) for i in dims)
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    return d.rot90(input, k=k, dims=(first, second))


def triangle(name: str, primitive: d.Primitive, side: str) -> Callable[..., Tensor]:
    def function(input: Tensor, diagonal: int = 0) -> Tensor:
        if input.ndim < 2:
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
        return primitive(input, diagonal=diagonal)

    function.__name__ = name
    function.__doc__ = f"The {side} triangle of matrices, up to a diagonal; the rest is 0."
    return function


tril, triu = triangle("tril", d.tril, "lower"), triangle("triu", d.triu, "upper")


def two_dims(dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    first, second = one_dim(dim1, ndim), one_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions, as the last dimension; the same memory."""
    first, second = two_dims(dim1, dim2, input.ndim)
    return d.diagonal(input, offset=offset, dim1=first, dim2=second)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last dimension as the diagonal of two new dimensions, zeros elsewhere."""
    first, second = two_dims(dim1, dim2, input.ndim + 1)
    return d.diag_embed(input, offset=offset, dim1=first, dim2=second)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, copied, or the matrix with a vector on its diagonal."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    return d.diagonal_copy(input, offset=diagonal, dim1=0, dim2=1)


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of `size` every `step` along a dimension, as a new last one; the same memory."""
    dim = one_dim(dimension, input.ndim)
    n = input.shape[dim] if input.ndim else 1
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {n} but size is {size}")
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return d.unfold(input, dimension=dim, size=size, step=step)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One entry along a dimension, which is gone; the same memory."""
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim, index = one_dim(dim, input.ndim), index.__index__()
    n = input.shape[dim]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {dim}"
        )
    return d.select(input, dim=dim, index=index % n)


def slice(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """The entries `start:end:step` along a dimension; the same memory."""
    if not input.ndim:
        raise RuntimeError("slice() cannot be applied to a 0-dim tensor.")
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    dim = one_dim(dim, input.ndim)
    start, end, step = builtins.slice(start, end, step).indices(input.shape[dim])
    return d.slice_(input, dim=dim, start=start, end=max(start, end), step=step)


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` entries along a dimension, from `start` on; the same memory."""
    if not input.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Tensor):
        if start.ndim or start.array.dtype.kind not in "iu":
            raise RuntimeError("start must be an 0-dim integral Tensor.")
        start = start.item()
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    dim = one_dim(dim, input.ndim)
    n = input.shape[dim]
    if not -n <= start <= n:
        raise IndexError(
            f"start out of range (expected to be in range of [{-n}, {n}], but got {start})"
        )
    start += n if start < 0 else 0
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return slice(input, dim, start, start + length)


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
    if not all(x.ndim for x in parts):
        i = next(i for i, x in enumerate(parts) if not x.ndim)
        raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    whole = [x for x in parts if x.shape != (0,)] or parts
    nothing = all(x.shape == (0,) for x in parts)  # has any dimension
    first, dim = whole[0], 0 if nothing else one_dim(dim, whole[0].ndim)
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
    return d.cat(*parts, dim=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension."""
    parts = listed("stack", tensors)
    if not parts:
        raise RuntimeError("stack expects a non-empty TensorList")
    dim = one_dim(dim, parts[0].ndim + 1)
    for i, x in enumerate(parts):
        if x.shape != parts[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(parts[0].shape)} at "
                "entry 0 and "
                f"{list(x.shape)} at entry {i}"
            )
    return d.stack(*parts, dim=dim)


concat = concatenate = cat


def at_least(input: Tensor, ndim: int) -> Tensor:
    if not input.ndim:
        return reshape(input, (1,) * ndim)
    return unsqueeze(input, 0) if input.ndim < ndim else input


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined along columns (vectors: along their only dimension)."""
    parts = [at_least(x, 1) for x in listed("hstack", tensors)]
    if not parts:
        raise RuntimeError("hstack expects a non-empty TensorList")
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined along rows (vectors become rows)."""
    parts = [at_least(x, 2) for x in listed("vstack", tensors)]
    if not parts:
        raise RuntimeError("vstack expects a non-empty TensorList")
    return cat(parts, 0)


row_stack = vstack


def to(
    input: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False
) -> Tensor:
    """The tensor in another dtype; the only device is "cpu"."""
    for arg in args:
        if isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, str | devices.device):
            device = arg
        else:
            dtype = arg
    devices.check(device)
    to = input.array.dtype if dtype is None else dtypes.to_numpy(dtype)
    return d.copy_to(input, dtype=to) if copy else to_dtype(input, to)


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype of another."""
    return to(input, other.dtype)


def type_(input: Tensor, dtype: Any = None) -> Any:
    """The tensor in another dtype, or the name of its type."""
    return dtypes.type_name(input.array.dtype) if dtype is None else to(input, dtype)
