"""What the tape is made of: nodes, and the edges between them.

A `Node` is left behind by every recorded operation (`primitive.py`): edges to the nodes that made
its inputs, and the values its formulas name. `AccumulateGrad` is the end of an edge, at a leaf.
Running the tape backwards is `engine.py`; the formulas are in `derivatives/`.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes, errors, hooks
from .arrays import Lifted, lifting
from .modes import modes
from .tensor import Tensor, owned, wrap

if TYPE_CHECKING:
    from .primitive import Plan

Wanted = tuple[bool, ...]  # for each input of an operation: is its gradient asked for?
clock = itertools.count()  # one for all threads: a node is always older than its consumers


class Node:
    """One recorded operation: edges to the nodes of its inputs, and the values it saved.

    It is torch's `grad_fn`: `name()`, `next_functions`, `_saved_*`, `register_hook`; a call runs
    its formulas on a gradient. `shape` and `dtype` are those of its result; of a node with several
    results they are None, since its gradient is a list (`Parts`).

    >>> from autogradlab import tensor
    >>> a = tensor(3.0, requires_grad=True)
    >>> node = (a * a).grad_fn
    >>> node.name(), node._saved_self, node.next_functions[0][0].name()
    ('MulBackward0', tensor(3., requires_grad=True), 'torch::autograd::AccumulateGrad')
    """

    __slots__ = (
        *("__weakref__", "dtype", "extras", "parents", "plan", "saved", "sequence", "shape"),
        "versions",
    )
    is_leaf, output_nr = False, 0
    lifted = False  # whether its saved values are duals or batches, see primitive.py
    runs_on_none = False  # whether it has something to do when no gradient has arrived

    def __init__(
        self, plan: Plan, inputs: Sequence[Any], result: Any, constants: dict[str, Any]
    ) -> None:
        self.sequence, self.plan, self.extras = next(clock), plan, None
        self.parents = plan.edges(inputs)
        self.saved = saved = plan.pack(inputs, result, constants)
        many = plan.primitive.multiple
        self.shape, self.dtype = (None, None) if many else (result.shape, result.dtype)
        if True in [saved[i].inference for i in plan.tensors_at]:
            raise RuntimeError(errors.INFERENCE_SAVED)
        self.note_versions()

    def note_versions(self) -> None:
        """Remember which versions the saved tensors have; None while nobody has counted them."""
        self.versions, saved = None, self.saved
        if any([getattr(saved[i], "cell", None) for i in self.plan.watched_at]):
            cells = [getattr(x, "cell", None) for x in saved]
            self.versions = tuple([0 if cell is None else cell[0] for cell in cells])

    @property
    def extra(self) -> hooks.Extras:
        """Hooks and notes: made when first asked for."""
        if self.extras is None:
            self.extras = hooks.Extras()
        return self.extras

    @property
    def wanted(self) -> Wanted:
        """For each input: does it want a gradient?"""
        return self.plan.wanted

    def watch(self, cell: list[int], output_nr: int = 0) -> None:
        """A result that may be saved here gets a version: it must not have changed by backward."""
        if self.plan.result_at is not None:
            self.extra.cells[output_nr] = cell, cell[0]

    def unpack(self, taped: bool) -> list[Any]:
        """The saved values, as arrays or (taped) as tensors; an error if freed or overwritten."""
        if self.saved is None:
            raise RuntimeError(errors.FREED)
        plan, values, extras = self.plan, list(self.saved), self.extras
        if extras is not None:
            hooks.unpack(self, values)
        for i in plan.watched_at:
            x = values[i]
            if not isinstance(x, Tensor):  # arrays that no tensor has held
                continue
            if x.cell is not None:
                then = 0 if self.versions is None else self.versions[i]
                if x.cell[0] != then:
                    raise RuntimeError(errors.modified(x.array, x.grad_fn, x.cell[0], then))
            if i in plan.arrays_at:  # the graph of a gradient has its own, which nobody writes
                values[i] = x.array.copy() if taped else x.array
            elif not taped:
                values[i] = x.array
        for i in plan.others_at if taped else ():
            if isinstance(values[i], np.ndarray):  # an array does not calculate with tensors
                values[i] = wrap(values[i])
        if (i := plan.result_at) is not None:
            for k, (cell, then) in extras.cells.items() if extras is not None else ():
                if cell[0] != then and plan.result_nr in (None, k):
                    array = values[i][k] if plan.primitive.multiple else values[i]
                    raise RuntimeError(errors.modified(array, self, cell[0], then))
            if taped:  # saved as a bare array, so that a node never holds its own output alive
                values[i] = self.rewrap(values[i])
            if plan.result_nr is not None:
                values[i] = values[i][plan.result_nr]
        return values

    def rewrap(self, result: Any) -> Any:
        """The saved result as what the operation gave: a tensor, or several."""
        if self.plan.primitive.multiple:
            return tuple(wrap(x, Output(self, k, len(result), x)) for k, x in enumerate(result))
        return wrap(result, self)

    def apply(self, g: Any, taped: bool, wanted: Wanted | None) -> Sequence[Any]:
        """The gradients of the inputs; `wanted` says which, None all this node was made for."""
        if not (modes.lifted or self.lifted):
            return self.plan.run(wanted, g, self.unpack(taped))
        with lifting():  # formulas run on tensors, which may hold duals and batches
            g = g if taped else Parts(map(wrap, g)) if isinstance(g, Parts) else wrap(g)
            out = self.plan.run(wanted, g, self.unpack(True))
        return out if taped else [None if o is None else o.array for o in out]

    def free(self) -> None:
        if self.plan.frees:
            self.saved = None

    def __call__(self, *gradients: Tensor) -> Any:
        for g in gradients:
            if not isinstance(g, Tensor | None):
                raise TypeError("argument 0 is not a Variable")
        if self.shape is not None and len(gradients) != 1:
            raise TypeError(f"expected 1 arguments, got {len(gradients)} instead")
        taped = modes.grad_enabled
        came = [g if g is None or taped else g.array for g in gradients]
        with np.errstate(all="ignore"):
            out = self.apply(came[0] if self.shape is not None else Parts(came), taped, None)
            pairs = zip(out, self.parents, strict=True)
            out = [None if p is None else wrap(fit(o, p, self)) for o, p in pairs]
        return out[0] if len(out) == 1 else tuple(out)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("_saved_", "_raw_saved_")):
            raise AttributeError(f"'{self.name()}' object has no attribute '{name}'")
        return self.plan.saved_value(self, name)

    def __dir__(self) -> list[str]:
        names = self.plan.names if self.plan else ()
        names = [f"_saved_{n.replace('_shape', '_sym_sizes')}" for n in names]
        return [*super().__dir__(), *names]

    def name(self) -> str:
        return self.plan.primitive.name

    def __repr__(self) -> str:
        return f"<{self.name().rpartition('::')[2]} object at {id(self):#x}>"

    @property
    def grad_fn(self) -> Node:
        return self

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """For each input the node its gradient goes to, and which of that node's outputs it was;
        `(None, 0)` for a constant."""
        return tuple((None, 0) if p is None else (p.grad_fn, p.output_nr) for p in self.parents)

    def _sequence_nr(self) -> int:
        return self.sequence

    @property
    def metadata(self) -> dict[str, Any]:
        """A place for notes; anomaly mode keeps the forward traceback here."""
        return self.extra.notes

    def register_prehook(self, hook: Callable[..., Any]) -> hooks.RemovableHandle:
        return hooks.register(self, "pre", hook)

    def register_hook(self, hook: Callable[..., Any]) -> hooks.RemovableHandle:
        return hooks.register(self, "post", hook)


class Unary(Node):
    """A node with one input. It keeps no tuple of its parents, since each object that can be part
    of a cycle costs Python's garbage collector a visit: on long graphs, half of the time."""

    __slots__ = ("parent",)

    @property
    def parents(self) -> tuple[Node | None, ...]:
        return (self.parent,)

    @parents.setter
    def parents(self, edges: Sequence[Node | None]) -> None:
        (self.parent,) = edges


class Binary(Node):
    """A node with two inputs, without a tuple of them too."""

    __slots__ = ("left", "right")

    @property
    def parents(self) -> tuple[Node | None, ...]:
        return self.left, self.right

    @parents.setter
    def parents(self, edges: Sequence[Node | None]) -> None:
        self.left, self.right = edges


class Parts(list):
    """The gradients of a node with several outputs, None where none has arrived."""

    shape = dtype = None  # as such a node's own: there is nothing to fit

    def __add__(self, other: Parts) -> Parts:
        pairs = zip(self, other, strict=True)
        return Parts([b if a is None else a if b is None else a + b for a, b in pairs])


class Output(Unary):
    """Output `k` of a node that has several: hands the gradient on in its place among `Parts`.

    It is never seen from outside: `grad_fn` and `next_functions` show the node and `k`.
    """

    __slots__ = ("count", "output_nr")
    wanted, plan = (True,), None

    def __init__(self, node: Node, k: int, count: int, array: Any) -> None:
        self.parent, self.extras = node, None
        self.output_nr, self.count = k, count
        self.sequence = node.sequence + 0.5  # before the node, after all that used the output
        self.shape, self.dtype = array.shape, array.dtype

    @property
    def grad_fn(self) -> Node:
        return self.parent

    def name(self) -> str:
        return self.parent.name()

    def watch(self, cell: list[int], output_nr: int = 0) -> None:
        self.parent.watch(cell, self.output_nr)

    def free(self) -> None:
        """Nothing is saved here."""

    def apply(self, g: Any, taped: bool, wanted: Wanted | None) -> Sequence[Any]:
        out = Parts([None] * self.count)
        out[self.output_nr] = g
        return (out,)


class AccumulateGrad(Node):
    """The end of an edge: adds the gradient that arrives to the `.grad` of a leaf."""

    __slots__ = ("variable",)
    is_leaf, wanted, parents, saved, plan = True, (), (), (), None

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable
        self.sequence = 2**64 - 1  # runs as soon as its last gradient is in
        self.shape, self.dtype = variable.array.shape, variable.array.dtype

    @property
    def extras(self) -> hooks.Extras | None:
        """They live on the leaf, since this node may be made anew."""
        return self.variable.extras

    @extras.setter
    def extras(self, value: hooks.Extras) -> None:
        self.variable.extras = value

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    def free(self) -> None:
        """A leaf has saved nothing."""

    def apply(self, g: Any, taped: bool, wanted: Wanted | None) -> Sequence[Any]:
        leaf = self.variable
        if not leaf._requires_grad:
            return ()
        if taped:
            fresh = g.clone() if g._requires_grad else wrap(g.array.copy())
            leaf._grad = fresh if leaf._grad is None else leaf._grad + g
        elif leaf._grad is None:
            leaf._grad = wrap(owned(g))
        else:
            leaf._grad.write(leaf._grad.array + g)
        if leaf.extras is not None:
            for hook in list(leaf.extras.accumulated.values()):
                hook(leaf)
        return ()


def edge(x: Tensor) -> Node | None:
    """The node that a gradient of `x` goes to; None if `x` wants none."""
    if x.base is not None:
        x.renew()
    if x.node is not None:
        return x.node
    if not x._requires_grad:
        return None
    node = x.accumulator and x.accumulator()
    if node is None:
        node = AccumulateGrad(x)
        x.accumulator = weakref.ref(node)  # the graph holds the leaf, so the leaf must not hold it
    return node


def fit(g: Any, node: Any, sender: Node | None = None) -> Any:
    """A gradient, which `sender` sends, summed and cast to the shape and dtype of the tensor that
    `node` has made."""
    if g is None or isinstance(g, Parts):
        return g
    shape, array = node.shape, g.array if isinstance(g, Tensor) else g
    if array.shape != shape:
        if isinstance(array, Lifted):
            from .arrays.fit import fit_lifted

            return fit_lifted(g, node)
        lead = array.ndim - len(shape)
        if lead < 0 or any(n not in (1, m) for n, m in zip(shape, array.shape[lead:], strict=True)):
            name, i = node.name(), 0
            if sender is not None:
                name, i = sender.name(), sender.parents.index(node)
            raise RuntimeError(errors.invalid_gradient(name, i, array.shape, shape))
        axes = [i for i, m in enumerate(array.shape) if i < lead or shape[i - lead] != m]
        if axes:
            g = g.sum(axis=tuple(axes), keepdims=True).reshape(tuple(shape))
    if isinstance(g, Tensor):
        return g if g.array.dtype is node.dtype else g.to(dtypes.from_numpy(node.dtype))
    return g if g.dtype is node.dtype else g.astype(node.dtype)
