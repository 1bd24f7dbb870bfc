"""Batches: many examples in one array, the array kind of vmap.

A batch shows the shape of one example; the axis of the examples is the first of the array it holds.
An operation on batches runs once, on all examples, where its primitive says how (`batch=`):

- "elementwise": inputs are padded to one number of dimensions behind the axis, and broadcast;
- "leading": every input gets the axis, constants that count dimensions are shifted past it, and
  `shape` gets its size in front;
- a function of the size, the arrays and the constants does it by itself;
- without a word the operation runs for one example after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modes import modes
from ..primitive import Boundary, Primitive
from ..tensor import wrap
from . import Lifted, Shape, with_level, without_tangents

SHIFTED = ("dim", "dim0", "dim1", "dims")


class Batch(Lifted):
    """Examples along the first axis of `array`."""

    __slots__ = ("array", "count")

    def __init__(self, array: Any, level: int, adjoint: bool = False) -> None:
        self.array, self.level, self.dtype, self.adjoint = array, level, array.dtype, adjoint
        self.count = array.shape[0]
        self.shape = Shape(array.shape[1:], with_level(array.shape, level))

    def without_tangents(self) -> Any:
        return Batch(without_tangents(self.array), self.level)

    def parts(self) -> tuple[Any]:
        return (self.array,)

    def item(self) -> Any:
        raise RuntimeError(
            "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over "
            "calling .item() on a Tensor, please try to rewrite what you're doing with other "
            "operations. If error is occurring somewhere inside PyTorch internals, please file a "
            "bug report."
        )

    def describe(self) -> str:
        """How a tensor that holds this is printed."""
        levels = [level for level, *_ in modes.vmaps]
        place = levels.index(self.level) + 1 if self.level in levels else self.level
        value = repr(wrap(self.array)).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={place}, bdim=0, value=\n    {value}\n)"

    def tolist(self) -> Any:
        return self.item()

    def __bool__(self) -> bool:
        raise RuntimeError(
            "vmap: It looks like you're attempting to use a Tensor in some data-dependent control "
            "flow. We don't support that yet, please file an issue at "
            "https://github.com/pytorch/pytorch/issues ."
        )

    def lift(self, primitive: Primitive, arrays: list[Any], constants: dict[str, Any]) -> Any:
        """The operation on batches of this level."""
        rule, level = primitive.batch, self.level
        adjoint = any([x.adjoint for x in arrays if self.mine(x)])
        if rule == "elementwise":
            result = self.elementwise(primitive, arrays, constants)
        elif constants and any(map(self.holds, constants.values())):
            result = self.one_by_one(primitive, arrays, constants)
        elif rule == "leading" and (self.shape or "shape" in constants):  # 0-d: a `dim` is no dim
            result = self.leading(primitive, arrays, constants)
        elif callable(rule):
            result = rule(primitive, self.count, list(map(self.first, arrays)), **constants)
        else:
            result = self.one_by_one(primitive, arrays, constants)
        if primitive.multiple:
            return tuple([Batch(x, level, adjoint) for x in result])
        return Batch(result, level, adjoint)

    def mine(self, x: Any) -> bool:
        return x.__class__ is Batch and x.level == self.level

    def holds(self, x: Any) -> bool:
        return any(map(self.mine, x)) if isinstance(x, tuple) else self.mine(x)

    def first(self, x: Any) -> Any:
        """An input with the axis of the examples in front, repeated if it had none."""
        if self.mine(x):
            return x.array
        if not hasattr(x, "shape"):
            return x
        if isinstance(x, np.ndarray):
            return np.broadcast_to(x, (self.count, *x.shape))
        from ..derivatives import expand

        return expand.compute([x], {"shape": (self.count, *x.shape)})

    def elementwise(self, primitive: Primitive, arrays: list[Any], constants: Any) -> Any:
        every = [*arrays, *constants.values()] if constants else arrays
        ndim = max([x.ndim for x in every if hasattr(x, "ndim")])

        def padded(x: Any) -> Any:
            if not self.mine(x):
                return x
            if len(x.shape) == ndim:
                return x.array
            from ..derivatives import reshape_to

            ones = (1,) * (ndim - x.ndim)
            return reshape_to.compute([x.array], {"shape": (self.count, *ones, *x.shape)})

        constants = {name: padded(x) for name, x in constants.items()} if constants else constants
        return primitive.peel(list(map(padded, arrays)), constants)

    def leading(self, primitive: Primitive, arrays: list[Any], constants: Any) -> Any:
        constants = dict(constants)
        for name in SHIFTED:
            if (dim := constants.get(name)) is not None:
                constants[name] = tuple(d + 1 for d in dim) if isinstance(dim, tuple) else dim + 1
        if "shape" in constants:
            constants["shape"] = (self.count, *constants["shape"])
        return primitive.peel(list(map(self.first, arrays)), constants)

    def one_by_one(self, primitive: Primitive, arrays: list[Any], constants: Any) -> Any:
        from ..derivatives import select, stack

        def example(x: Any, i: int) -> Any:
            if isinstance(x, tuple):
                return tuple(example(each, i) for each in x)
            return select.compute([x.array], {"dim": 0, "index": i}) if self.mine(x) else x

        results = [
            primitive.compute(
                [example(x, i) for x in arrays],
                {name: example(x, i) for name, x in constants.items()},
            )
            for i in range(self.count)
        ]
        if primitive.multiple:
            return tuple(
                stack.compute([np.asarray(x) if np.isscalar(x) else x for x in column], {"dim": 0})
                for column in zip(*results, strict=True)
            )
        return stack.compute(results, {"dim": 0})


# ------------------------------------------------------------------------------------- boundary


def _unbatched(self: Any, *, level: int, count: int) -> Any:
    if isinstance(self, Batch) and self.level == level:
        return self.array
    from ..derivatives import expand

    return expand.compute([self], {"shape": (count, *self.shape)})


def _swap(primitive: Primitive, size: int, arrays: list[Any], **constants: Any) -> Any:
    """A boundary crossed by a newer batch: both axes come in front, each once the first."""
    from ..derivatives import transpose

    (x,) = arrays
    if primitive is to_batch:
        return primitive.compute([transpose.compute([x], {"dim0": 0, "dim1": 1})], constants)
    return transpose.compute([primitive.compute([x], constants)], {"dim0": 0, "dim1": 1})


to_batch = Boundary(
    "AddBatchDimBackward0",
    lambda self, *, level, count, adjoint=False: Batch(self, level, adjoint),
    self=lambda g, level, count: from_batch(g, level=level, count=count),
    jvp="linear",
    batch=_swap,
)
from_batch = Boundary(
    "RemoveBatchDimBackward0",
    _unbatched,
    self=lambda g, level, count: to_batch(g, level=level, count=count, adjoint=True),
    jvp="linear",
    batch=_swap,
)
