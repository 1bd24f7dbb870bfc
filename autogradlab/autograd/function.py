"""`autograd.Function`: an operation whose backward is written by hand.

The user's `forward` and `backward` get one `ctx`, which remembers what they save. On the tape the
operation is one ordinary node (`FunctionNode`), named after the class, that holds the `ctx`.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import errors, hooks
from ..arrays import newest
from ..arrays.dual import Dual, paired, primal_of, split, tangent_of, zeros_like
from ..inplace import CopySlices, positions, writable
from ..modes import modes
from ..node import Node, Output, Parts, Wanted, clock, edge
from ..tensor import Tensor, wrap
from .grad_mode import no_grad

# A tensor and its version; of an output of the function itself its array and number.
Saved = tuple[Any, int, int | None] | None


class FunctionCtx:
    """What `forward` leaves for `backward`: saved tensors, and whatever is set as an attribute."""

    _to_save: tuple[Any, ...] = ()
    _dirty: tuple[Tensor, ...] = ()
    _plain: tuple[Tensor, ...] = ()
    _for_forward: tuple[Any, ...] | None = None
    _saved: tuple[Saved, ...] | None = ()
    _unpack: Callable[[Any], Tensor] | None = None
    _materialize = True
    _node: Any = staticmethod(lambda: None)
    needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors, checked at backward for having been changed; to be called once."""
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `jvp`."""
        self._for_forward = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say that `forward` has changed these inputs in place."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that these outputs have no gradient."""
        self._plain = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (the default) or None for an output nobody used."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What `save_for_backward` was given; an error if freed or changed since."""
        if self._for_forward is not None:
            return self._for_forward
        if self._saved is None:
            raise RuntimeError(errors.FREED)
        return tuple(None if each is None else self._restore(*each) for each in self._saved)

    @property
    def _raw_saved_tensors(self) -> tuple[hooks.SavedTensor, ...]:
        """The same, not unpacked."""
        return tuple(hooks.SavedTensor(self._unpack) for _ in self._saved or ())

    def _restore(self, x: Any, version: int, output: int | None) -> Tensor:
        node = self._node()
        if self._unpack is not None:
            return hooks.unpacked(self._unpack, x)
        if output is None:
            if x._version != version:
                raise RuntimeError(errors.modified(x.array, x.grad_fn, x._version, version))
            return x
        cell, then = node.extra.cells.get(output, ([0], 0))
        if cell[0] != then:
            raise RuntimeError(errors.modified(x, node, cell[0], then))
        return wrap(x, node.output(output, x))

    def _keep(self, outputs: Sequence[Any]) -> None:
        """Turn what is to be saved into what is saved: an output as its bare array, since the
        output holds this."""
        saved: list[Saved] = []
        pack = modes.saved_hooks[-1] if modes.saved_hooks else None
        for i, x in enumerate(self._to_save):
            if not isinstance(x, Tensor | None):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type "
                    f"{type(x).__name__}"
                )
            at = next((k for k, out in enumerate(outputs) if out is x and x is not None), None)
            if x is None:
                saved.append(None)
            elif pack is not None:
                saved.append((hooks.packed(pack[0], x), 0, None))
            else:
                saved.append((x.array, 0, at) if at is not None else (x, x._version, None))
        self._saved, self._to_save = tuple(saved), ()
        self._unpack = pack and pack[1]


class FunctionNode(Node):
    """The node of a `Function`: its backward is the user's."""

    __slots__ = ("ctx", "function", "given", "outputs", "wanted")
    plan = None
    runs_on_none = True  # a user's backward may give something from nothing

    def __init__(self, function: type[Function], ctx: FunctionCtx, inputs: Sequence[Any]) -> None:
        self.sequence, self.function, self.ctx = next(clock), function, ctx
        self.given = [isinstance(x, Tensor) for x in inputs]
        self.parents = tuple([edge(x) for x in inputs if isinstance(x, Tensor)])
        self.wanted = tuple([p is not None for p in self.parents])
        self.extras = self.shape = self.dtype = None
        ctx._node = weakref.ref(self)

    def watch_outputs(self, outputs: Sequence[Any]) -> None:
        """Remember shape and dtype of each output, to make zeros where no gradient arrives."""
        self.outputs = [
            (x.array.shape, x.array.dtype) if isinstance(x, Tensor) else None for x in outputs
        ]
        if len(outputs) == 1 and self.outputs[0]:
            self.shape, self.dtype = self.outputs[0]

    def output(self, k: int, array: Any) -> Node:
        """The node that output `k` has: this one, or its place among several."""
        return self if len(self.outputs) == 1 else Output(self, k, len(self.outputs), array)

    def watch(self, cell: list[int], output_nr: int = 0) -> None:
        self.extra.cells[output_nr] = cell, cell[0]

    def name(self) -> str:
        return f"{self.function.__name__}Backward"

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {id(self):#x}>"

    def free(self) -> None:
        self.ctx._saved = self.ctx._saved and None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ctx, name)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *vars(self.ctx)]

    def apply(self, g: Any, taped: bool, wanted: Wanted | None) -> Sequence[Any]:
        came = g if isinstance(g, Parts) else [g] * len(self.outputs)
        gradients = [None if each is None else wrap(each) for each in came]
        if self.ctx._materialize:
            gradients = [
                wrap(np.zeros(*about)) if each is None and about else each
                for each, about in zip(gradients, self.outputs, strict=True)
            ]
        out = self.function._backward()(self.ctx, *gradients)
        out = list(out) if isinstance(out, tuple | list) else [out]
        while len(out) > len(self.given) and out[-1] is None:
            out.pop()
        if len(out) != len(self.given):
            raise RuntimeError(errors.gradient_count(self.name(), len(self.given), len(out)))
        for i, (each, is_tensor) in enumerate(zip(out, self.given, strict=True), 1):
            if not isinstance(each, Tensor | None):
                kind = type(each).__name__
                raise RuntimeError(f"expected Variable or None (got {kind})")
            if each is not None and not is_tensor:
                raise RuntimeError(errors.gradient_of_constant(self.name(), i))
        kept = [each for each, is_tensor in zip(out, self.given, strict=True) if is_tensor]
        return [each if taped or each is None else each.array for each in kept]


@functools.cache
def node_type(function: type[Function]) -> type[FunctionNode]:
    """The class of a function's nodes, named as torch names it."""
    body = {"__slots__": (), "__module__": "autogradlab.autograd.function"}
    return type(f"{function.__name__}Backward", (FunctionNode,), body)


class Function:
    """Base class for operations with a backward of their own.

    A subclass has static methods `forward(ctx, *inputs)` and `backward(ctx, *gradients)`, which
    returns one gradient per input (None for what is no tensor), and is called as
    `Subclass.apply(*inputs)`. With `setup_context(ctx, inputs, output)`, `forward` takes no `ctx`.
    `jvp(ctx, *tangents)` gives forward mode.

    >>> from autogradlab import autograd, tensor
    >>> class Cube(autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> x = tensor(2.0, requires_grad=True)
    >>> y = Cube.apply(x)
    >>> y.backward()
    >>> y, x.grad
    (tensor(8., grad_fn=<CubeBackward>), tensor(12.))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> None:
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Any:
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: FunctionCtx, *tangents: Any) -> Any:
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @classmethod
    def _backward(cls) -> Callable[..., Any]:
        return cls.backward if cls.backward is not Function.backward else cls.vjp

    @classmethod
    def _run(cls, ctx: FunctionCtx, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`forward`, in either form, with nothing recorded."""
        with no_grad():
            if cls.setup_context is Function.setup_context:
                return cls.forward(ctx, *args, **kwargs)
            out = cls.forward(*args, **kwargs)
            cls.setup_context(ctx, args, out)
            return out

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run the operation and leave a node behind; in forward mode, also `jvp`."""
        ctx, dual = FunctionCtx(), newest([x.array for x in args if isinstance(x, Tensor)])
        if not isinstance(dual, Dual):
            out = cls._record(ctx, args, kwargs)
            ctx._for_forward = None
            return out
        primals, tangents = zip(*[cls._parts(x, dual.level) for x in args], strict=True)
        out = cls._record(ctx, primals, kwargs)
        outputs = out if isinstance(out, tuple) else (out,)
        if ctx._materialize:
            pairs = zip(tangents, primals, strict=True)
            tangents = [
                wrap(zeros_like(x.array)) if t is None and isinstance(x, Tensor) else t
                for t, x in pairs
            ]
        moved = cls.jvp(ctx, *tangents)
        ctx._for_forward = None
        moved = moved if isinstance(moved, tuple) else (moved,)
        pairs = zip(outputs, moved, strict=True)
        outputs = tuple([x if t is None else paired(x, t, dual.level) for x, t in pairs])
        return outputs if isinstance(out, tuple) else outputs[0]

    @staticmethod
    def _parts(x: Any, level: int) -> tuple[Any, Tensor | None]:
        """An input as its value and its tangent at a level, None for what has none."""
        if not isinstance(x, Tensor) or split(x.array, level)[1] is None:
            return x, None
        return primal_of(x, level=level), tangent_of(x, level=level)

    @classmethod
    def _record(cls, ctx: FunctionCtx, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensors = [x for x in args if isinstance(x, Tensor)]
        ctx.needs_input_grad = tuple([isinstance(x, Tensor) and x.requires_grad for x in args])
        recording = modes.grad_enabled and any(ctx.needs_input_grad)
        node = node_type(cls)(cls, ctx, args) if recording else None
        out = cls._run(ctx, args, kwargs)
        outputs = list(out) if isinstance(out, tuple) else [out]
        if any(all(x is not o for o in outputs) for x in ctx._dirty):
            raise RuntimeError(errors.DIRTY_NOT_RETURNED)
        if node is not None:
            node.watch_outputs(outputs)
        for k, x in enumerate(outputs):
            if isinstance(x, Tensor):
                outputs[k] = cls._wrap(node, k, x, ctx, tensors)
        if node is not None:
            ctx._keep(outputs)
            for recorder in modes.recorders:
                recorder(node)
        return tuple(outputs) if isinstance(out, tuple) else outputs[0]

    @classmethod
    def _wrap(
        cls, node: FunctionNode | None, k: int, x: Tensor, ctx: FunctionCtx, inputs: list[Tensor]
    ) -> Tensor:
        """Output `k` with its history."""
        dirty = any(x is d for d in ctx._dirty)
        plain = node is None or x.array.dtype.kind != "f" or any(x is p for p in ctx._plain)
        if dirty:
            if not plain and x.requires_grad and x.is_leaf:
                raise RuntimeError(errors.LEAF_IN_PLACE.replace("is being", "has been"))
            writable(x)
            x.version_cell()[0] += 1
        elif any(x is y for y in inputs):  # an input returned as it is becomes a view of itself
            shown = wrap(x.memory())
            shown.become_view_of(x, cls.__name__)
            x = shown
        if plain:
            return x
        if x.base is not None and not dirty:
            x.made = f"custom {cls.__name__}"
        own = node.output(k, x.array)
        base = x.base if dirty and x.base is not None else x
        if base is not x:
            own = CopySlices(base, positions(x, base), own)
        base.node, base._requires_grad, base.accumulator = own, True, None
        if base is not x:
            x.renew()
        else:
            x.seen = 0 if x.cell is None else x.cell[0]
        if x.cell is not None and base is x:
            node.watch(x.cell, k)
        return x


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """For a `backward` that cannot be differentiated itself: differentiating it raises.

    >>> once_differentiable(lambda ctx, g: g).__name__
    '<lambda>'
    """

    @functools.wraps(backward)
    def wrapper(ctx: FunctionCtx, *gradients: Any) -> Any:
        with no_grad():
            out = backward(ctx, *gradients)
        if not modes.grad_enabled or not any(
            isinstance(g, Tensor) and g.requires_grad for g in gradients
        ):
            return out
        outputs = out if isinstance(out, tuple) else (out,)
        wanting = [g for g in gradients if isinstance(g, Tensor)]
        made = _Once.apply(len(outputs), *outputs, *wanting)
        return made if isinstance(out, tuple) else made[0]

    return wrapper


class _Once(Function):
    """Hands values through, as a node that refuses to run backward."""

    @staticmethod
    def forward(ctx: FunctionCtx, count: int, *tensors: Any) -> Any:
        return tuple(None if x is None else x.detach() for x in tensors[:count])

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Any:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )
