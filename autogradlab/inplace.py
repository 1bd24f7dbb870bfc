"""Operations that write into the memory of a tensor: `add_`, `x += y`, `zero_`, `x[i] = v`.

`op_` is `op` computed out of place, its result copied into the memory, the version counted up, and
the history of the result taken over. Values that nodes had saved are not protected: the counter
tells backward that they are gone. Tensors that are views are written only outside differentiation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes, errors
from .engine import modes
from .tensor import Tensor, wrap


def in_place(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place form of an operation whose first argument is the tensor that is written."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        writable(self)
        out = operation(self, *args, **kwargs)
        if out.array.shape != self.array.shape:
            raise RuntimeError(
                f"output with shape {list(self.array.shape)} doesn't match the broadcast shape "
                f"{list(out.array.shape)}"
            )
        if dtypes.category(out.array.dtype) > dtypes.category(self.array.dtype):
            names = dtypes.scalar_name(out.array.dtype), dtypes.scalar_name(self.array.dtype)
            raise RuntimeError(
                "result type {} can't be cast to the desired output type {}".format(*names)
            )
        if out._requires_grad and self.base is not None:
            raise RuntimeError(errors.VIEW_HISTORY)
        if out.node is not None:
            keep_saved(out, self, operation)
        self.write(out.array)
        if out.node is not None:
            take_over(self, out)
        return self

    method.__name__ = f"{operation.__name__}_"
    method.__doc__ = (
        f"`{operation.__name__}`, written into this tensor's memory; returns the tensor."
    )
    return method


def writable(x: Tensor) -> None:
    """Raise torch's error if `x` is a leaf, or a view of a leaf, that wants a gradient."""
    if not modes.grad_enabled:
        return
    if x._requires_grad and x.node is None:
        raise RuntimeError(errors.LEAF_IN_PLACE)
    if x.base is not None and x.base._requires_grad:
        leaf = x.base.node is None and x.node is not None
        raise RuntimeError(errors.VIEW_IN_PLACE if leaf else errors.VIEW_HISTORY)


def keep_saved(out: Tensor, x: Tensor, operation: Callable[..., Tensor]) -> None:
    """Give the new node a copy of the old value of `x`, if it saved it as its own first input."""
    node = out.node
    first = next(iter(node.plan.primitive.formulas))
    if first in node.plan.names:
        i = node.plan.names.index(first)
        if node.saved[i] is x:
            old = wrap(x.array.copy(), x.node)
            old._requires_grad = x._requires_grad
            versions = {k: v for k, v in (node.versions or {}).items() if k != i}
            node.saved, node.versions = (*node.saved[:i], old, *node.saved[i + 1 :]), versions


def take_over(x: Tensor, out: Tensor) -> None:
    """Make the history of `out` that of `x`, which now holds its value."""
    node, i = out.node, out.node.plan.result_at
    if i is not None:  # the saved result is now the memory of x, at its present version
        node.saved = (*node.saved[:i], x.array, *node.saved[i + 1 :])
        node.cell, node.versions = x.cell, {**(node.versions or {}), i: x._version}
    retained = x.retains_grad
    if retained:
        x.node.hooks.retain = None
    x.node, x._requires_grad, x.accumulator = node, True, None
    if retained:
        x.retain_grad()


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """`self[index] = value`, outside differentiation."""
    from .ops.indexing import numpy_index

    if modes.grad_enabled and self._requires_grad and self.node is None:
        raise RuntimeError(errors.VIEW_IN_PLACE)
    writable(self)
    if modes.grad_enabled and (self._requires_grad or getattr(value, "requires_grad", False)):
        raise RuntimeError(errors.VIEW_HISTORY)
    array = value.array if isinstance(value, Tensor) else value
    target = self.memory()
    try:
        target[numpy_index(index)] = np.asarray(array).astype(target.dtype)
    except ValueError:
        shape = list(target[numpy_index(index)].shape)
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(np.shape(array))} cannot be broadcast to "
            f"indexing result of shape {shape}"
        ) from None
    self.version_cell()[0] += 1
