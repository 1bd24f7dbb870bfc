"""The short way through the commonest operations: plain tensors of one dtype and shape.

`x.tanh()` and `a * b` are recorded here in one straight line. Whatever is not plain (numbers and
dtypes mixed, shapes that broadcast, views, transforms, modes) takes the usual way, through ops/ and
`Primitive.__call__`, which also says what the result is: this gives the same, in a third of the
time (benchmarks/chain.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .modes import modes, reset, silence
from .node import clock, edge
from .primitive import Primitive
from .tensor import Tensor

SCALARS = (np.float32, np.float64)  # a result without dimensions is one of these
new = object.__new__


def unary(primitive: Primitive, usual: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of one tensor."""
    forward, node_type, plan = primitive.forward, primitive.node, primitive.plan((True,))
    pack = plan.pack

    def operation(*args: Any, **kwargs: Any) -> Tensor:
        if len(args) != 1 or kwargs or modes.special or not isinstance(args[0], Tensor):
            return usual(*args, **kwargs)
        (input,) = args
        a = input.array
        kind = a.__class__
        if not (kind in SCALARS or (kind is np.ndarray and a.dtype.kind == "f")) or (
            input.base is not None or input.inference or input.cell is not None
        ):
            return usual(input)
        token = silence()
        array = forward(a)
        reset(token)
        out = new(Tensor)
        out.array = array
        if input._requires_grad and modes.grad_enabled:
            node = new(node_type)
            node.sequence, node.plan, node.extras = next(clock), plan, None
            node.parents = (input.node or edge(input),)
            node.saved = pack((input,), array, None)
            node.shape, node.dtype = array.shape, array.dtype
            out.node, out._requires_grad = node, True
        return out

    operation.__name__, operation.__doc__ = usual.__name__, usual.__doc__
    return operation


def binary(
    primitive: Primitive, ufunc: np.ufunc, usual: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """An operator on two tensors, or on a tensor and a Python float."""
    node_type, constants = primitive.node, primitive.defaults
    plans = {kinds: primitive.plan(kinds) for kinds in (
        (True, True), (True, False), (False, True), (True, None))}  # fmt: skip

    def operation(self: Tensor, other: Any) -> Any:
        if modes.special or self.base is not None or self.inference or self.cell is not None:
            return usual(self, other)
        a, b = self.array, other
        kind, wanted = a.__class__, self._requires_grad
        if isinstance(other, Tensor):
            b = other.array
            alike = kind is b.__class__ and (
                kind in SCALARS
                or (kind is np.ndarray and a.dtype is b.dtype and a.shape == b.shape)
            )
            if not alike or other.base is not None or other.inference or other.cell is not None:
                return usual(self, other)
            kinds = wanted, other._requires_grad
            wanted = wanted or kinds[1]
        elif other.__class__ is float:
            kinds = wanted, None
        else:
            return usual(self, other)
        if kind is np.ndarray and a.dtype.kind != "f":
            return usual(self, other)
        token = silence()
        array = ufunc(a, b)
        reset(token)
        out = new(Tensor)
        out.array = array
        if wanted and modes.grad_enabled:
            plan = plans[kinds]
            node = new(node_type)
            node.sequence, node.plan, node.extras = next(clock), plan, None
            inputs = self, other
            node.parents = plan.edges(inputs)
            node.saved = plan.pack(inputs, array, constants)
            node.shape, node.dtype = array.shape, array.dtype
            out.node, out._requires_grad = node, True
        return out

    operation.__name__, operation.__doc__ = usual.__name__, usual.__doc__
    return operation
