"""The tape run backwards: nodes, leaves, and the one loop of reverse mode.

A `Node` is left behind by every recorded operation (`primitive.py`): edges to the nodes that made
its inputs, and the values its formulas name. `backward` sorts the nodes it can reach from the
newest to the oldest and hands each its gradient. That is the whole of reverse mode.

The formulas are in `derivatives/`, tensors in `tensor.py`, writing into memory in `inplace.py`,
hooks in `hooks.py`.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes, errors, hooks
from .tensor import Tensor, wrap

if TYPE_CHECKING:
    from .primitive import Primitive

Wanted = tuple[bool, ...]  # for each input of an operation: is its gradient asked for?


class _Modes(threading.local):
    """The switches of the running thread."""

    grad_enabled = True
    observers: tuple[Callable[[Any, Any, Sequence[Any]], None], ...] = ()


modes = _Modes()
clock = itertools.count()  # one for all threads: a node is always older than its consumers


class Node:
    """One recorded operation: edges to the nodes of its inputs, and the values it saved.

    It is torch's `grad_fn`: `name()`, `next_functions`, `_saved_*`, `register_hook`; a call runs
    its formulas on a gradient.

    >>> from autogradlab import tensor
    >>> a = tensor(3.0, requires_grad=True)
    >>> node = (a * a).grad_fn
    >>> node.name(), node._saved_self, node.next_functions[0][0].name()
    ('MulBackward0', tensor(3., requires_grad=True), 'torch::autograd::AccumulateGrad')
    """

    __slots__ = (
        "__weakref__",
        "cell",
        "dtype",
        "hooks",
        "parents",
        "plan",
        "saved",
        "sequence",
        "shape",
        "versions",
        "wanted",
    )

    def __init__(
        self, primitive: Primitive, inputs: Sequence[Any], out: Tensor, constants: dict[str, Any]
    ) -> None:
        self.sequence = next(clock)
        self.parents = tuple([edge(x) if isinstance(x, Tensor) else None for x in inputs])
        self.wanted = tuple([p is not None for p in self.parents])
        self.plan = plan = primitive.plan(self.wanted)
        self.saved = plan.pack(inputs, out, constants)
        self.shape, self.dtype = out.array.shape, out.array.dtype
        self.hooks = self.versions = self.cell = None
        for i in plan.inputs_at:
            x = self.saved[i]
            if isinstance(x, Tensor) and x._version:
                self.versions = {**(self.versions or {}), i: x._version}
        if plan.result_at is not None:
            self.cell = out.version_cell()
            self.versions = {**(self.versions or {}), plan.result_at: self.cell[0]}

    def unpack(self, taped: bool) -> list[Any]:
        """The saved values, as arrays or (taped) as tensors; an error if freed or overwritten."""
        if self.saved is None:
            raise RuntimeError(errors.FREED)
        plan, values, expected = self.plan, list(self.saved), self.versions or {}
        for i in plan.inputs_at:
            x = values[i]
            if isinstance(x, Tensor):
                if x._version != expected.get(i, 0):
                    raise RuntimeError(
                        errors.modified(x.array, x.node, x._version, expected.get(i, 0))
                    )
                values[i] = x if taped else x.array
        if (i := plan.result_at) is not None:
            if self.cell[0] != expected[i]:
                raise RuntimeError(errors.modified(values[i], self, self.cell[0], expected[i]))
            if taped:  # saved as a bare array, so that a node never holds its own output alive
                values[i] = wrap(values[i], self)
        return values

    def apply(self, g: Any, taped: bool, wanted: Wanted) -> Sequence[Any]:
        return self.plan.run(wanted, g, self.unpack(taped))

    def free(self) -> None:
        if self.plan.frees:
            self.saved = None

    def __call__(self, g: Tensor) -> Any:
        if not isinstance(g, Tensor):
            raise TypeError("argument 0 is not a Variable")
        taped = modes.grad_enabled
        with np.errstate(all="ignore"):
            out = self.apply(g if taped else g.array, taped, self.wanted)
        out = [
            None if p is None else wrap(fit(o, p)) for o, p in zip(out, self.parents, strict=True)
        ]
        return out[0] if len(out) == 1 else tuple(out)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_saved_"):
            raise AttributeError(f"'{self.name()}' object has no attribute '{name}'")
        name = name.removeprefix("_saved_").replace("_sym_sizes", "_shape")
        plan = self.plan
        if name in plan.names:
            i = plan.names.index(name)
            value = self.unpack(True)[i] if plan.frees else self.saved[i]
            data = i in plan.inputs_at or name in plan.primitive.arrays
            return wrap(np.asarray(value)) if data and not isinstance(value, Tensor) else value
        if name in plan.primitive.formulas or name == "result":
            return None
        raise AttributeError(f"'{self.name()}' object has no attribute '_saved_{name}'")

    def __dir__(self) -> list[str]:
        names = [f"_saved_{n.replace('_shape', '_sym_sizes')}" for n in self.plan.names]
        return [*super().__dir__(), *names]

    def name(self) -> str:
        return self.plan.primitive.name

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """For each input the node its gradient goes to; `(None, 0)` for a constant."""
        return tuple((p, 0) for p in self.parents)

    def _sequence_nr(self) -> int:
        return self.sequence

    def register_prehook(self, hook: Callable[..., Any]) -> hooks.RemovableHandle:
        return hooks.register(self, "pre", hook)

    def register_hook(self, hook: Callable[..., Any]) -> hooks.RemovableHandle:
        return hooks.register(self, "post", hook)


class AccumulateGrad(Node):
    """The end of an edge: adds the gradient that arrives to the `.grad` of a leaf."""

    __slots__ = ("variable",)

    def __init__(self, variable: Tensor) -> None:
        self.variable, self.parents, self.wanted, self.saved = variable, (), (), ()
        self.sequence = 2**64 - 1  # runs as soon as its last gradient is in
        self.shape, self.dtype = variable.array.shape, variable.array.dtype

    @property
    def hooks(self) -> hooks.Hooks | None:
        """They live on the leaf, since this node may be made anew."""
        return self.variable.hooks

    @hooks.setter
    def hooks(self, value: hooks.Hooks) -> None:
        self.variable.hooks = value

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    def free(self) -> None:
        """A leaf has saved nothing."""

    def __dir__(self) -> list[str]:
        return object.__dir__(self)

    def apply(self, g: Any, taped: bool, wanted: Wanted) -> Sequence[Any]:
        leaf = self.variable
        if not leaf._requires_grad:
            return ()
        if leaf._grad is None:
            leaf._grad = (
                (g.clone() if g._requires_grad else wrap(g.array.copy()))
                if taped
                else wrap(g.copy())
            )
        elif taped:
            leaf._grad = leaf._grad + g
        else:
            leaf._grad.write(leaf._grad.array + g)
        return ()


def edge(x: Tensor) -> Node | None:
    """The node that a gradient of `x` goes to; None if `x` wants none."""
    if x.node is not None:
        if x.base is not None and x.base.node is not x.base_node:
            raise RuntimeError(errors.STALE_VIEW)
        return x.node
    if not x._requires_grad:
        return None
    node = x.accumulator and x.accumulator()
    if node is None:
        node = AccumulateGrad(x)
        x.accumulator = weakref.ref(node)  # the graph holds the leaf, so the leaf must not hold it
    return node


def fit(g: Any, node: Node) -> Any:
    """A gradient summed and cast to the shape and dtype of the tensor it belongs to."""
    if g is None:
        return None
    shape = node.shape
    if g.shape != shape:
        lead = len(g.shape) - len(shape)
        if lead < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[lead:], strict=True)):
            raise RuntimeError(errors.invalid_gradient(node.name(), g.shape, shape))
        axes = [i for i, m in enumerate(g.shape) if i < lead or shape[i - lead] != m]
        g = g.sum(axis=tuple(axes), keepdims=True).reshape(shape)
    if isinstance(g, Tensor):
        return g if g.array.dtype is node.dtype else g.to(dtypes.from_numpy(node.dtype))
    return g if g.dtype is node.dtype else g.astype(node.dtype)


def reachable(roots: Sequence[Node]) -> list[Node]:
    """Every node that gradients from the roots can visit, the newest first."""
    seen, stack = set(roots), list(roots)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("sequence"), reverse=True)


def backward(
    roots: Sequence[Node],
    gradients: Sequence[Any],
    *,
    retain_graph: bool,
    taped: bool,
    targets: Sequence[Node] | None = None,
    capture: bool = False,
) -> dict[Node, Any]:
    """Run the graph backwards from `roots`; with `targets`, only the paths that lead to them.

    Nodes run from the newest to the oldest, so that a node has all its gradients when its turn
    comes. Only a leaf is not ordered by age: it runs as soon as its last gradient has arrived.

    Args:
        gradients: one per root; arrays, or tensors if the pass is itself to be taped.
        targets: the nodes whose gradient is wanted; None means every leaf.
        capture: return the gradients of the targets, and leave `.grad` alone.
    """
    order = reachable(roots)
    needed = set(order if targets is None else targets)
    if targets is not None:  # from the oldest up: a node is needed if a needed one is behind it
        for node in reversed(order):
            if not needed.isdisjoint(node.parents):
                needed.add(node)
    pending = Counter(roots)
    for node in order:
        if node in needed:
            pending.update(node.parents)
    arrived: dict[Node, Any] = {}
    captured: dict[Node, Any] = {}
    ready: list[Node] = []  # leaves that have all their gradients

    def deliver(node: Node, g: Any) -> None:
        if g is not None:
            arrived[node] = arrived[node] + g if node in arrived else g
        pending[node] -= 1
        if not pending[node] and isinstance(node, AccumulateGrad):
            ready.append(node)

    def execute(node: Node) -> None:
        g = arrived.pop(node, None)
        if node.hooks and g is not None:
            g = hooks.run_before(node, g)
        if capture and node in targets:
            captured[node] = g
        wanted = node.wanted if targets is None else tuple([p in needed for p in node.parents])
        if isinstance(node, AccumulateGrad) if capture else not (any(wanted) or not node.parents):
            return
        raw = (None,) * len(wanted) if g is None else node.apply(g, taped, wanted)
        sent = zip(raw, node.parents, strict=True)
        out = tuple([fit(o, p) if p in needed else None for o, p in sent])
        if not retain_graph:
            node.free()
        if node.hooks and g is not None:
            out = hooks.run_after(node, out, g)
        for watch in modes.observers:
            watch(node, g, out)
        for parent, gradient in zip(node.parents, out, strict=True):
            if parent in needed:
                deliver(parent, gradient)

    before, modes.grad_enabled = modes.grad_enabled, taped
    try:
        with np.errstate(all="ignore"):  # inf and nan are answers here, as in torch
            for root, g in zip(roots, gradients, strict=True):
                deliver(root, fit(g, root))
            inner = (n for n in order if n in needed and not isinstance(n, AccumulateGrad))
            while node := ready.pop(0) if ready else next(inner, None):
                execute(node)
    finally:
        modes.grad_enabled = before
    return captured


@contextmanager
def observe(watch: Callable[[Node, Any, Sequence[Any]], None]) -> Iterator[None]:
    """Call `watch(node, gradient_in, gradients_out)` after every node that backward runs."""
    modes.observers += (watch,)
    try:
        yield
    finally:
        modes.observers = modes.observers[:-1]
