"""The short way through the commonest operations: plain tensors of one dtype and shape.

`x.tanh()` and `a * b` are recorded here in one straight line. Whatever is not plain (numbers and
dtypes mixed, shapes that broadcast, views, transforms, modes) takes the usual way, through ops/ and
`Primitive.__call__`, which also says what the result is: this gives the same, in a third of the
time (`make bench`).
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
FLOATS = tuple(map(np.dtype, SCALARS))  # NumPy's dtypes are singletons
new = object.__new__


def unary(primitive: Primitive, usual: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of one tensor."""
    forward, node_type, kinds = primitive.forward, primitive.node, (True,)

    def operation(*args: Any, **kwargs: Any) -> Tensor:
        if len(args) != 1 or kwargs or not isinstance(args[0], Tensor):
            return usual(*args, **kwargs)
        (input,) = args
        a = input.array
        if modes.lifted and a.dtype.kind == "f":
            return primitive(input)  # nothing to check, but levels to peel
        if modes.special or input.special or not (
            a.__class__ in SCALARS or (a.__class__ is np.ndarray and a.dtype in FLOATS)
        ):
            return usual(input)
        token = silence()
        array = forward(a)
        reset(token)
        out = new(Tensor)
        out.array = array
        if input._requires_grad and modes.grad_enabled:
            plan = primitive.plans.get(kinds) or primitive.plan(kinds)
            out.node = node = new(node_type)
            out._requires_grad = True
            node.sequence, node.plan, node.extras = next(clock), plan, None
            node.parent = input.node or edge(input)
            node.saved, node.versions = plan.pack((input,), array, None), None
            node.shape, node.dtype = array.shape, array.dtype
            if input.cell is not None:
                node.note_versions()
        return out

    operation.__name__, operation.__doc__ = usual.__name__, usual.__doc__
    return operation


def binary(
    primitive: Primitive, compute: Callable[[Any, Any], Any], usual: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """An operator on two tensors, or on a tensor and a Python float; `compute` is Python's own
    operator, which on NumPy's scalars is ten times as fast as the ufunc."""
    node_type, constants, ndarray = primitive.node, primitive.defaults, np.ndarray

    def operation(self: Tensor, other: Any) -> Any:
        a, kind = self.array, other.__class__
        if kind is Tensor or isinstance(other, Tensor):
            b = other.array
            plain, kinds = not other.special, (self._requires_grad, other._requires_grad)
        else:
            b = other
            plain, kinds = kind is float, (self._requires_grad, None)
        kind = a.__class__
        if not plain or self.special or modes.special:
            if modes.lifted and b is not other and a.dtype.kind == b.dtype.kind == "f":
                return primitive(self, other)  # nothing to check, but levels to peel
            return usual(self, other)
        if kind is ndarray:
            if a.dtype not in FLOATS or (b is not other and getattr(b, "dtype", 0) is not a.dtype):
                return usual(self, other)
        elif kind not in SCALARS or (b is not other and b.__class__ is not kind):
            return usual(self, other)
        token = silence()
        try:
            array = compute(a, b)
        except ValueError:  # shapes that do not broadcast: the usual way has the words
            return usual(self, other)
        finally:
            reset(token)
        out = new(Tensor)
        out.array = array
        if True in kinds and modes.grad_enabled:
            plan = primitive.plans.get(kinds) or primitive.plan(kinds)
            out.node = node = new(node_type)
            out._requires_grad = True
            inputs = self, other
            node.sequence, node.plan, node.extras = next(clock), plan, None
            node.left = (self.node or edge(self)) if kinds[0] else None
            node.right = (other.node or edge(other)) if kinds[1] else None
            node.saved, node.versions = plan.pack(inputs, array, constants), None
            node.shape, node.dtype = array.shape, array.dtype
            if self.cell is not None or (b is not other and other.cell is not None):
                node.note_versions()
        return out

    operation.__name__, operation.__doc__ = usual.__name__, usual.__doc__
    return operation
