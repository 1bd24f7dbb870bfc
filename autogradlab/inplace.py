"""Operations that write into the memory of a tensor: `add_`, `x += y`, `zero_`, `x[i] = v`.

`op_` is `op` computed out of place, its result copied into the memory, the version counted up, and
the history of the result taken over. Where the tensor is a view, the history is that of its base,
since other views see the change too: the base gets a `CopySlices` node, and every view of it looks
up its own history again when somebody asks (`renew`). What nodes had saved is not protected: the
version tells backward that it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import dtypes, errors, hooks
from .derivatives import writes
from .modes import modes
from .node import Node, Wanted, clock, edge, fit
from .tensor import Tensor, wrap

as_strided_at = writes.as_strided_at

# Operations that compute the whole result before they write, that write elements one by one while
# they read, and that do not mind elements which share their memory.
PRODUCTS = {"addmm", "addmv", "baddbmm"}
COPIED_FIRST = {*PRODUCTS, "cumsum", "cumprod", "tril", "triu"}
ONE_BY_ONE = {"index_add", "index_fill", "scatter", "scatter_add"}
ALL_AT_ONCE = {"tril", "triu"}


def in_place(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place form of an operation whose first argument is the tensor that is written."""

    name = operation.__name__

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        others = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        writable(self, others, own=name not in ALL_AT_ONCE)
        if name not in COPIED_FIRST | ONE_BY_ONE:
            apart(self, others, wholly=name == "index_put")
        out = operation(self, *args, **kwargs)
        if name in ONE_BY_ONE:
            apart(self, others, wholly=True)
        if tuple(out.array.shape) != tuple(self.array.shape):
            words = errors.bad_call if name in PRODUCTS else errors.written_shape
            raise RuntimeError(words(self.array.shape, out.array.shape))
        if dtypes.category(out.array.dtype) > dtypes.category(self.array.dtype):
            names = dtypes.scalar_name(out.array.dtype), dtypes.scalar_name(self.array.dtype)
            raise RuntimeError(
                "result type {} can't be cast to the desired output type {}".format(*names)
            )
        return write(self, out)

    method.__name__ = f"{name}_"
    method.__doc__ = (
        f"`{operation.__name__}`, written into this tensor's memory; returns the tensor."
    )
    return method


def writable(x: Tensor, others: Sequence[Any] = (), own: bool = True) -> None:
    """Raise torch's error if `x` must not be written, because of what would be recorded or, where
    each element must have memory of its `own`, because some share theirs."""
    if x.inference and not modes.inference:
        raise RuntimeError(errors.INFERENCE_IN_PLACE)
    if modes.grad_enabled:
        recordable(x, others)
    array = x.array
    if own and array.size and 0 in getattr(array, "strides", ()) and any(
        n > 1 and not step for n, step in zip(array.shape, array.strides, strict=True)
    ):
        raise RuntimeError(errors.SHARED_ELEMENTS)


def recordable(x: Tensor, others: Sequence[Any]) -> None:
    made = x.made and x.base.requires_grad
    wanting = any(isinstance(y, Tensor) and y.requires_grad for y in (x, *others))
    if x.base is not None and (wanting or made):
        if x.made:
            raise RuntimeError(errors.view_made(x.made, x.node, x.output_nr))
        if x._requires_grad and x.base.node is None:
            raise RuntimeError(errors.VIEW_IN_PLACE)
    if wanting and x._requires_grad and x.node is None:
        raise RuntimeError(errors.LEAF_IN_PLACE)


def apart(x: Tensor, others: Sequence[Any], wholly: bool = False) -> None:
    """Raise torch's error if what is read while `x` is written lies partly (`wholly`: at all) in
    the same memory. Torch does not look into arrays with gaps."""
    a = x.array
    for y in others:
        b = y.array
        if y is x and wholly:
            raise RuntimeError(errors.SHARED_WITH_INPUT)
        if y is x or not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
            continue
        if a.size and b.size and np.may_share_memory(a, b) and dense(a) and dense(b):
            same = a.ctypes.data == b.ctypes.data and a.nbytes == b.nbytes
            if wholly or not same or a.strides != b.strides:
                raise RuntimeError(errors.SHARED_WITH_INPUT)


def dense(a: np.ndarray) -> bool:
    """Whether its elements fill their stretch of memory, each its own place."""
    return _highest(a) - _lowest(a) == a.nbytes and (a.size == 1 or 0 not in a.strides)


def write(x: Tensor, out: Tensor) -> Tensor:
    """Copy the result of an operation on `x` into the memory of `x`, and hand its history on."""
    node = out.node
    if node is None:
        x.write(out.array)
        return x
    keep_saved(node, x)
    x.write(out.array)
    if (i := node.plan.result_at) is not None:  # what it saved is now this memory
        node.saved = (*node.saved[:i], x.array, *node.saved[i + 1 :])
        node.watch(x.cell)
    base = x if x.base is None else x.base
    retained = base.node.extras.retain if base.retains_grad else None
    if retained:
        base.node.extras.retain = None
    if x.base is not None:
        node = CopySlices(base, positions(x, base), node)
    base.node, base._requires_grad, base.accumulator = node, True, None
    if retained:
        base.retain_grad()
    if x.base is not None:
        x.renew()
    return x


def keep_saved(node: Node, x: Tensor) -> None:
    """Give the new node a copy of the old value of `x`, if it saved it."""
    for i in node.plan.tensors_at:
        if node.saved[i] is x and next(iter(node.plan.primitive.formulas)) == node.plan.names[i]:
            old = wrap(np.array(x.array), x.node)
            old._requires_grad = x._requires_grad
            node.saved = (*node.saved[:i], old, *node.saved[i + 1 :])
            node.note_versions()


# ------------------------------------------------------------------------------------------ views


class CopySlices(Node):
    """An operation that was done in place on a view, as its base sees it: the positions the view
    shows went through the operation, the others did not."""

    __slots__ = ("inner", "wanted", "where")
    plan = None

    def __init__(self, base: Tensor, where: np.ndarray, inner: Node) -> None:
        self.sequence, self.inner, self.where = next(clock), inner, where
        self.parents = (edge(base), *inner.parents[1:])
        self.wanted = tuple([p is not None for p in self.parents])
        self.shape, self.dtype, self.extras = base.array.shape, base.array.dtype, None

    def name(self) -> str:
        return "torch::autograd::CopySlices"

    def watch(self, cell: list[int], output_nr: int = 0) -> None:
        """The base, whose node this is, is not a value the operation has saved."""

    def free(self) -> None:
        self.inner.free()

    def __dir__(self) -> list[str]:
        return object.__dir__(self)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'{self.name()}' object has no attribute '{name}'")

    def apply(self, g: Any, taped: bool, wanted: Wanted | None) -> Sequence[Any]:
        wanted = self.wanted if wanted is None else wanted
        first, *rest = self.inner.apply(as_strided_at(g, where=self.where), taped, wanted)
        if not wanted[0]:
            return (None, *rest)
        none = first is None
        values = np.zeros((), self.dtype) if none else fit(first, Shown(self.where.shape, self))
        return (writes.replace_at(g, values, where=self.where), *rest)


class Shown:
    """Shape and dtype of what a view shows, for `fit`."""

    def __init__(self, shape: tuple[int, ...], node: Node) -> None:
        self.shape, self.dtype, self.name = shape, node.dtype, node.name


def positions(view: Tensor, base: Tensor) -> np.ndarray:
    """Where the elements of a view are in its base, counted along the flattened base."""
    a, b = view.memory(), base.memory()
    low = min(_lowest(b), _lowest(a)) - b.ctypes.data
    extent = max(_highest(b), _highest(a)) - b.ctypes.data - low
    step = b.itemsize
    numbers = np.full(extent // step, -1)
    wide = lambda x: tuple(s // step * 8 for s in x.strides)  # noqa: E731
    as_strided(numbers[-low // step :], b.shape, wide(b))[...] = np.arange(b.size).reshape(b.shape)
    start = (a.ctypes.data - b.ctypes.data - low) // step
    return as_strided(numbers[start:], a.shape, wide(a)).copy()


def _lowest(a: np.ndarray) -> int:
    return np.lib.array_utils.byte_bounds(a)[0]


def _highest(a: np.ndarray) -> int:
    return np.lib.array_utils.byte_bounds(a)[1]


def renew(x: Tensor) -> None:
    """Give a view whose memory was written the history of its base."""
    base = x.base
    if not base._requires_grad:
        return
    if x.made and not modes.grad_enabled:
        return
    if x.made:
        output_nr = 0 if x.node is None else x.node.output_nr
        raise RuntimeError(errors.view_made(x.made, x.node, output_nr, indirect=True))
    x.seen, retained = x.cell[0], x.retains_grad
    where = {"where": positions(x, base)}
    x.node = as_strided_at.node(as_strided_at.plan((True,)), (base,), x.memory(), where)
    x._requires_grad, x.accumulator = True, None
    if retained:
        x.retain_grad()


# --------------------------------------------------------------------------------------- x[i] = v


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The elements of `src`, broadcast and cast, written into this tensor; returns the tensor."""
    src = src if isinstance(src, Tensor) else wrap(np.asarray(src, self.array.dtype)[()])
    writable(self, [src])
    apart(self, [src])
    try:
        whole = np.broadcast_shapes(self.array.shape, src.array.shape)
    except ValueError:
        raise RuntimeError(errors.broadcast(self.array.shape, src.array.shape)) from None
    if tuple(whole) != tuple(self.array.shape):
        raise RuntimeError(errors.written_shape(self.array.shape, whole))
    return write(self, writes.copy(self, src))


def fill_(self: Tensor, value: Any) -> Tensor:
    """One value written into every element; returns the tensor."""
    writable(self, [value], own=False)
    if not isinstance(value, Tensor):
        value = dtypes.number_as(value, self.array.dtype)
        return write(self, writes.fill_number(self, value=value))
    if value.array.ndim:
        raise RuntimeError(errors.fill_value(value.array.ndim))
    writable(self, [value])
    return write(self, writes.fill_tensor(self, value))


def zero_(self: Tensor) -> Tensor:
    """Zeros written into every element; returns the tensor."""
    writable(self, own=False)
    return write(self, writes.zero(self))


def setitem(self: Tensor, key: Any, value: Any) -> None:
    """`self[key] = value`: a number fills, a tensor is copied, into what basic indexing shows;
    arrays of indices or masks put one element after the other."""
    from .ops.arguments import to_dtype
    from .ops.indexing import dims_used, is_mask, is_number, located, numpy_indices

    given = isinstance(value, Tensor)
    if not given:
        if not isinstance(value, int | float | np.generic | np.ndarray):
            kind = dtypes.type_name(self.array.dtype)
            raise TypeError(f"can't assign a {type(value).__name__} to a {kind}")
        value = wrap(np.asarray(value).astype(self.array.dtype)[()])
    whole = isinstance(key, slice) and key == slice(None)
    array = isinstance(key, Tensor | np.ndarray | list) and not is_number(key)
    if array and dims_used(key) <= self.ndim:  # torch looks into these late
        writable(self, [value])
        apart(self, [x for x in (value, key) if isinstance(x, Tensor)], wholly=True)
    shown, arrays, keys = (self, {}, ()) if whole else located(self, key)
    if arrays:
        writable(shown, [value])
        apart(shown, [value, *(k for k in keys if k is not None)], wholly=True)
        one = not value.array.ndim and len(keys) == 1 and is_mask(keys[0])
        if not given or one:  # a number takes the type of the tensor
            value = to_dtype(value, self.array.dtype)
        elif value.array.ndim:
            lead = next((i for i, n in enumerate(value.shape) if n != 1), value.ndim)
            value = value.reshape(value.shape[lead:]) if lead else value
        indices = numpy_indices(shown, arrays, value)
        out = writes.put_at(shown, value, indices=indices)
        write(shown, hooks.guard(out, indices=keys))
        return
    if value.shape != shown.shape:
        if not value.array.ndim:
            fill_(shown, value)
            return
        lead = next((i for i, n in enumerate(value.shape) if n != 1), value.ndim)
        value = value.view(value.shape[lead:])
        value = value.expand(shown.shape) if value.shape != shown.shape else value
    copy_(shown, value)
