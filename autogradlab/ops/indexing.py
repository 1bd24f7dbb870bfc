"""`x[…]`, and picking, writing and adding by arrays of indices."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..arrays import Lifted
from ..hooks import guard
from ..tensor import Tensor, wrap
from .arguments import needs_tensor, one_dim, same_types
from .shapes import broadcast_shape, expand, fits, unbind, unsqueeze, view

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
gather index_add index_fill index_put index_select masked_select nonzero scatter scatter_add take
take_along_dim
"""
METHODS = FUNCTIONS
IN_PLACE = """
index_add index_fill index_put scatter scatter_add
"""


# ---------------------------------------------------------------------------------------- x[key]


def getitem(input: Tensor, key: Any) -> Tensor:
    """`input[key]`: numbers select, slices slice, arrays of indices and masks index at the end."""
    out, arrays, keys = located(input, key)
    if arrays:
        return guard(d.index(out, indices=numpy_indices(out, arrays)), indices=keys)
    return d.alias(input) if out is input else out


def located(
    input: Tensor, key: Any
) -> tuple[Tensor, dict[int, np.ndarray], tuple[Tensor | None, ...]]:
    """What the basic part of an index shows, the arrays that index its dimensions, and the tensors
    these come from, None for a dimension that is not indexed."""
    if isinstance(key, slice):
        return sliced(input, 0, key), {}, ()
    if isinstance(key, int) and not isinstance(key, bool):
        return selected(input, 0, key), {}, ()
    items = as_tuple(key)
    used = sum(dims_used(k) for k in items)
    if used > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim}")
    out, dim, arrays, keys = input, 0, {}, ()
    for place, k in enumerate(items):
        if k is ...:
            dim += input.ndim - used
        elif k is None:
            out, dim = unsqueeze(out, dim), dim + 1
        elif isinstance(k, slice):
            out, dim = out if is_whole(k, out.shape[dim]) else sliced(out, dim, k), dim + 1
        elif (truth := truth_value(k)) is not None:
            out = unsqueeze(out, dim)
            arrays[dim] = np.zeros(int(truth), np.int64)
            dim += 1
        elif isinstance(k, Tensor | np.ndarray | Sequence) and not is_number(k):
            array = index_array(k, out, dim)
            missing = dim - sum(1 if x is None else dims_used(x) for x in keys)
            keys += (None,) * missing + (k if isinstance(k, Tensor) else wrap(np.asarray(k)),)
            for i, a in enumerate(array):
                arrays[dim + i] = a
            dim += len(array)
        else:
            out = selected(out, dim, k, place)
    return out, arrays, keys


def is_whole(k: slice, size: int) -> bool:
    """Whether a slice among several indices changes nothing, by its numbers as they are given."""
    return k.start in (None, 0) and (k.stop is None or k.stop >= size) and k.step in (None, 1)


def as_tuple(key: Any) -> Sequence[Any]:
    """The indices one by one; a list with lists or slices in it counts as a tuple, as in torch."""
    if isinstance(key, tuple):
        return key
    if isinstance(key, Sequence) and any(
        k is None or k is ... or isinstance(k, Sequence | slice | Tensor) for k in key
    ):
        warnings.warn(errors.INDEX_SEQUENCE, stacklevel=3)
        return tuple(key)
    return (key,)


def raw(k: Any) -> Any:
    return k.array if isinstance(k, Tensor) else k


def is_mask(k: Any) -> bool:
    return isinstance(k, Tensor | np.ndarray) and raw(k).dtype.kind in "b"


def truth_value(k: Any) -> bool | None:
    """The value of an index that is one truth value; None for any other index."""
    single = isinstance(k, Tensor | np.ndarray) and not k.ndim
    if isinstance(k, bool) or (single and raw(k).dtype in (np.bool_, np.uint8)):
        return bool(raw(k))
    return None


def is_number(k: Any) -> bool:
    if isinstance(k, Tensor) and isinstance(k.array, Lifted):
        return False
    return isinstance(k, Tensor | np.ndarray) and not k.ndim and raw(k).dtype.kind in "iu"


def dims_used(k: Any) -> int:
    """How many dimensions of the tensor an index is about."""
    if k is None or k is ... or isinstance(k, bool):
        return 0
    return k.ndim if is_mask(k) else 0 if truth_value(k) is not None else 1


def sliced(input: Tensor, dim: int, key: slice) -> Tensor:
    if not input.ndim:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    if key.step is not None and key.step < 0:
        raise ValueError("step must be greater than zero")
    start, end, step = key.indices(input.shape[dim])
    return d.slice_(input, dim=dim, start=start, end=end, step=step)


def selected(input: Tensor, dim: int, k: Any, place: int = 0) -> Tensor:
    """The entries at index `k` of a dimension; `place` is what an error calls that dimension."""
    if not hasattr(k, "__index__"):
        kind = type(k).__name__ if type(k).__module__ != "numpy" else f"numpy.{type(k).__name__}"
        raise IndexError(errors.INDEX_TYPES.format(kind))
    if not input.ndim and not k.__index__():
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
            "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
        )
    size, i = input.shape[dim] if input.ndim else 0, k.__index__()
    if not -size <= i < size:
        raise IndexError(errors.index(i, place, size))
    return d.select(input, dim=dim, index=i % size)


def index_array(k: Any, input: Tensor, dim: int) -> tuple[np.ndarray, ...]:
    """An array of indices; a mask becomes the indices of its true elements."""
    if isinstance(k, str):
        raise TypeError(f"new(): invalid data type '{type(k).__name__}'")
    if isinstance(raw(k), Lifted):  # under vmap: what it holds is not looked at
        return (raw(k),)
    array = np.asarray(raw(k))
    if array.dtype == np.uint8:
        warnings.warn(errors.INDEX_BYTES, stacklevel=3)
        array = array.astype(bool)
    if array.dtype.kind == "b":
        if array.shape != input.shape[dim : dim + array.ndim]:
            i = next(i for i, n in enumerate(array.shape) if n != input.shape[dim + i])
            raise IndexError(
                f"The shape of the mask {list(array.shape)} at index {i} does not match the "
                f"shape of the indexed tensor {list(input.shape)} at index {dim + i}"
            )
        return np.nonzero(array)
    if array.size and (isinstance(k, Tensor) and array.dtype not in (np.int32, np.int64)):
        raise IndexError(errors.INDEX_DTYPES)
    return (array.astype(np.int64),)


def numpy_indices(
    input: Tensor, arrays: dict[int, np.ndarray], values: Tensor | None = None
) -> tuple[Any, ...]:
    """Arrays by dimension as an index for NumPy; torch's errors for what does not fit, `values` to
    be written there among it."""
    try:
        np.broadcast_shapes(*(a.shape for a in arrays.values()))
    except ValueError:
        shapes = ", ".join(str(list(a.shape)) for a in arrays.values())
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None
    places, outside = dict(arrays), None
    for i, (dim, a) in enumerate(arrays.items()):  # torch counts the indexed dimensions only
        if isinstance(a, Lifted):
            continue
        size = input.shape[dim]
        beyond = a[(a < -size) | (a >= size)]
        if beyond.size and not size:
            raise IndexError("index is out of bounds for dimension with size 0")
        if beyond.size:
            outside = outside or errors.index(beyond[0], i, size)
            places[dim] = a.clip(-size, size - 1)
    indices = tuple(places.get(i, slice(None)) for i in range(max(places) + 1))
    if values is not None:
        fit_places(input, indices, values)
    if outside and input.array.size:
        raise IndexError(outside)
    return indices


def fit_places(input: Tensor, indices: tuple[Any, ...], values: Tensor) -> None:
    """Torch's errors for values that do not fit where they are to be written."""
    room = np.broadcast_to(False, input.shape)[indices].shape
    if not fits(values.shape, room):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to "
            f"indexing result of shape {list(room)}"
        )
    message = (
        "Index put requires the source and destination dtypes match, got {} for the destination "
        "and {} for the source."
    )
    same_types(input, values, message)


def iterate(input: Tensor) -> Any:
    if not input.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(d.unbind(input, dim=0))


# -------------------------------------------------------------------------- functions of an index


def index_of(
    name: str, index: Any, position: int, kinds: str = "int32 or int64", error: Any = RuntimeError
) -> np.ndarray:
    """The array of a tensor of indices, to be checked; the primitive gets the tensor itself and
    watches it, since backward will need it as it is now."""
    if not isinstance(index, Tensor):
        raise TypeError(errors.not_a_tensor(name, "index", position, index))
    if index.array.size and index.array.dtype.name not in kinds:
        raise error(f"{name}(): Expected dtype {kinds} for index" + "." * (error is IndexError))
    return index.array


def within(
    index: Any, dim: int, size: int, low: int = 0, error: Any = RuntimeError, text: str = ""
) -> None:
    """Torch's error for the first index that is not from `low` to `size` - 1."""
    if isinstance(index, Lifted):
        return  # the examples of a batch have their own
    outside = index[(index < low) | (index >= size)]
    if outside.size:
        raise error(text or errors.index(outside.flat[0], dim, size))


def size_along(input: Tensor, dim: int) -> int:
    return input.shape[dim] if input.ndim else 1


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The entries at the indices along a dimension."""
    array, dim = index_of("index_select", index, 3), one_dim(dim, input.ndim)
    if array.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if not input.ndim and array.size != 1:
        raise RuntimeError(
            f"index_select(): Index to scalar can have only 1 value, got {array.size} value(s)"
        )
    size = size_along(input, dim)
    if array.size and not size and input.ndim > 1:
        raise RuntimeError("index_select(): self indexing axis dim should be positive")
    if input.array.size or input.ndim < 2:
        within(array, dim, size, text="index out of range in self", error=IndexError)
    elif (outside := array[(array < 0) | (array >= size)]).size:
        raise RuntimeError(
            f"INDICES element is out of DATA bounds, id={outside[0]} axis_dim={size}"
        )
    return d.index_select(input, dim=dim, index=index)


def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1
) -> Tensor:
    """The tensor with `alpha * source` added to the entries at the indices along a dimension."""
    array, dim = index_of("index_add_", index, 3), one_dim(dim, input.ndim)
    if array.ndim > 1:
        kind = dtypes.scalar_name(array.dtype)
        raise IndexError(
            f"index_add_(): Index is supposed to be a vector, but got dim: {array.ndim} with "
            f"type: {kind} and size: {list(array.shape)}"
        )
    message = "index_add_(): self ({}) and source ({}) must have the same scalar type"
    same_types(input, source, message)
    if dim and dim >= source.ndim:
        raise RuntimeError(
            f"index_add_(): Indexing dim {dim} is out of bounds of the source tensor with dim "
            f"{source.ndim}"
        )
    if not source.ndim and (input.ndim > 1 or array.size != 1):
        raise IndexError(errors.no_dimensions(dim))
    shapes = [list(x.shape) for x in (input, source)]
    if array.size != size_along(source, dim):
        raise RuntimeError(
            f"index_add_(): Number of indices ({array.size}) should be equal to "
            f"source.size(dim): ({size_along(source, dim)}), for dim: {dim}"
        )
    others = [s[:dim] + s[dim + 1 :] for s in shapes]
    if input.ndim != source.ndim or others[0] != others[1]:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            "Got self.shape = {} source.shape = {}".format(*shapes)
        )
    words = {"error": IndexError, "text": "index out of range in self"} if input.ndim < 2 else {}
    within(array, dim, size_along(input, dim), **words)
    return d.index_add(input, source, dim=dim, index=index, alpha=alpha)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """The tensor with one value at the indices along a dimension."""
    array, dim = index_of("index_fill_", index, 3, "int64", IndexError), one_dim(dim, input.ndim)
    if array.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    within(array, dim, size_along(input, dim), -size_along(input, dim), IndexError)
    if not isinstance(value, Tensor):
        return d.index_fill_number(input, dim=dim, index=index, value=value)
    if value.ndim:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    return d.index_fill_tensor(input, value, dim=dim, index=index)


def index_put(
    input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """The tensor with values written, or added, at `input[indices]`."""
    if not isinstance(indices, tuple | list):
        kind = type(indices).__name__
        raise TypeError(
            "index_put(): argument 'indices' (position 2) must be tuple of Tensors, not " + kind
        )
    arrays, dim = {}, 0
    for k in indices:
        found = (None,) if k is None else index_array(k, input, dim)
        arrays |= {dim + i: a for i, a in enumerate(found) if a is not None}
        dim += len(found)
    if dim > input.ndim:
        raise IndexError(
            f"too many indices for tensor of dimension {input.ndim} (got {len(indices)})"
        )
    where = numpy_indices(input, arrays, values)
    out = d.index_put(input, values, indices=where, accumulate=accumulate)
    return guard(out, indices=tuple(indices))


def elementwise_index(
    name: str, input: Tensor, dim: int, index: Tensor, source: Tensor | None = None
) -> int:
    """The checks that gather and the scatters share, and the dimension, counted from the front."""
    array, dim = index_of(name, index, 3), one_dim(dim, input.ndim)
    if source is not None and source.array.dtype != input.array.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    if not array.size:
        return dim
    gathers = name == "gather"
    for x, what in ((input, "input" if gathers else "self"), (source, "src")):
        if x is not None and max(x.ndim, 1) != max(array.ndim, 1):
            raise RuntimeError(
                f"Index tensor must have the same number of dimensions as {what} tensor"
            )
    sizes = list(enumerate(array.shape))
    large = [i for i, n in sizes if i != dim and n > size_along(input, i)]
    if large or (source is not None and any(n > size_along(source, i) for i, n in sizes)):
        start = f"Size does not match at dimension {large[0]} e" if gathers else "E"
        end = "" if source is None else f" and to be no larger size than src {list(source.shape)}"
        raise RuntimeError(
            f"{start}xpected index {list(array.shape)} to be no larger than self "
            f"{list(input.shape)} apart from dimension {dim}{end}"
        )
    within(array, dim, size_along(input, dim))
    return dim


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A row for each class number: 1 in that place, 0 in the others."""
    if tensor.dtype is not dtypes.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if not tensor.numel() and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if tensor.numel() and tensor.array.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    classes = tensor.array.max() + 1 if num_classes == -1 else num_classes
    if tensor.numel() and tensor.array.max() >= classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return wrap((tensor.array[..., None] == np.arange(classes)).astype(np.int64))


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """`out[i][j] = input[index[i][j]][j]` for dim 0, and so on for the others."""
    dim = elementwise_index("gather", input, dim, index)
    return d.gather(input, dim=dim, index=index)


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None
) -> Tensor:
    """The tensor with `out[index[i][j]][j] = src[i][j]` for dim 0, and so on for the others."""
    src = value if src is None else src
    source = src if isinstance(src, Tensor) else None
    dim = elementwise_index("scatter", input, dim, index, source)
    if source is None:
        return d.scatter_number(input, dim=dim, index=index, value=src)
    return d.scatter(input, source, dim=dim, index=index)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`scatter` that adds to what is there, as often as an index occurs."""
    dim = elementwise_index("scatter_add", input, dim, index, src)
    return d.scatter_add(input, src, dim=dim, index=index)


def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at the indices of the flattened tensor."""
    if index.array.dtype != np.int64:
        kind = dtypes.scalar_name(index.array.dtype)
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {kind}")
    array, n = index.array, input.numel()
    if not n and array.size:
        raise IndexError("take(): tried to take from an empty tensor")
    outside = array[(array < -n) | (array >= n)]
    if outside.size:
        raise IndexError(
            f"out of range: tried to access index {outside.flat[0]} on a tensor of {n} elements."
        )
    return d.take(input, index=index)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather`, its arguments broadcast against each other except along the dimension."""
    name = "torch.take_along_dim()"
    if indices.array.dtype != np.int64:
        kind = dtypes.scalar_name(indices.array.dtype)
        raise RuntimeError(f"{name}: dtype of indices should be Long but got {kind}")
    if dim is None:
        return gather(view(input, -1), 0, wrap(indices.array.reshape(-1) % input.numel()))
    if input.ndim != indices.ndim:
        raise RuntimeError(
            f"{name}: input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    dim = one_dim(dim, input.ndim)
    shape = broadcast_shape(*((*x.shape[:dim], 1, *x.shape[dim + 1 :]) for x in (input, indices)))
    a, b = (expand(x, (*shape[:dim], x.shape[dim], *shape[dim + 1 :])) for x in (input, indices))
    return gather(a, dim, wrap(b.array % input.shape[dim]))


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0: (count, dimensions), or as a tensor for each
    dimension."""
    if not isinstance(as_tuple, bool):
        kind = type(as_tuple).__name__
        raise TypeError(f"nonzero(): argument 'as_tuple' must be bool, not {kind}")
    needs_tensor(nonzero, input)
    return places(input, "nonzero_numpy") if as_tuple else d.nonzero(input, op="nonzero")


def places(input: Tensor, op: str) -> tuple[Tensor, ...]:
    """The indices of the elements that are not 0, a tensor for each dimension."""
    return unbind(d.nonzero(input if input.ndim else unsqueeze(input, 0), op=op), 1)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is true, in one dimension."""
    if not isinstance(mask, Tensor):
        raise TypeError(errors.not_a_tensor("masked_select", "mask", 2, mask))
    if mask.array.dtype.kind != "b":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    broadcast_shape(mask.shape, input.shape)
    return d.masked_select(input, mask=mask)
