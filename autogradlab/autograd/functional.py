"""`torch.autograd.functional`: Jacobians, Hessians, and their products with vectors.

Each function takes a function of tensors and the inputs at which to differentiate it. A tensor
comes back where a tensor was given or returned, a tuple where a tuple was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import autograd, creation, errors
from ..engine import reachable
from ..node import edge
from ..ops.shapes import stack
from ..tensor import Tensor
from .function import FunctionNode
from .grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Func = Callable[..., Any]


def vjp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of `func`, and vᵀJ with its Jacobian J: one pass of backward.

    Args:
        v: in the shape of the outputs; may be left out for one output of one element.
        create_graph: record the result, so that it can be differentiated again.
        strict: an error instead of zeros where something does not depend on an input.

    >>> from autogradlab import tensor
    >>> vjp(lambda x: x**2, tensor([1.0, 2.0]), tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        point = Point("vjp", func, inputs, create_graph, strict)
        outputs = point.call()
        if v is not None:
            v = point.vector(v, outputs, point.many_outputs)
        elif len(outputs) != 1 or outputs[0].numel() != 1:
            raise RuntimeError(errors.NO_V.format("user-provided function returns"))
        found = gradients(outputs, point.inputs, v, create_graph)
        found = point.filled(found, point.inputs, "back")
    return point.finish(outputs, point.many_outputs), point.finish(found, point.many_inputs)


def jvp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of `func`, and Jv: two passes of backward, as uᵀJ differentiated by u is J.

    Args:
        v: in the shape of the inputs; may be left out for one input of one element.
        create_graph, strict: as in `vjp`.

    >>> from autogradlab import tensor
    >>> jvp(lambda x: x**2, tensor([1.0, 2.0]), tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        point = Point("jvp", func, inputs, create_graph, strict)
        v = point.input_vector(v)
        outputs = point.call()
        us = [creation.zeros_like(out, requires_grad=True) for out in outputs]
        pulled = gradients(outputs, point.inputs, us, create_graph=True)
        point.require(pulled, "grad_inputs")
        found = gradients(pulled, us, v, create_graph)
        found = point.filled(found, outputs, "back_trick")
    return point.finish(outputs, point.many_outputs), point.finish(found, point.many_outputs)


def vhp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of `func`, which is one number, and vᵀH with its Hessian H: backward of backward.

    The other arguments are as in `jvp`.

    >>> from autogradlab import tensor
    >>> vhp(lambda x: (x**3).sum(), tensor([1.0, 2.0]), tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    with enable_grad():
        point = Point("vhp", func, inputs, create_graph, strict)
        v, outputs, slopes = point.slopes(v)
        found = gradients(slopes, point.inputs, v, create_graph)
        found = point.filled(found, point.inputs, "double_back")
    return point.finish(outputs, False), point.finish(found, point.many_inputs)


def hvp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of `func`, which is one number, and Hv with its Hessian H.

    H is symmetric, so this is `vhp`, but with one pass more. The arguments are as in `jvp`.

    >>> from autogradlab import tensor
    >>> hvp(lambda x: (x**3).sum(), tensor([1.0, 2.0]), tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    with enable_grad():
        point = Point("hvp", func, inputs, create_graph, strict)
        v, outputs, slopes = point.slopes(v)
        us = [creation.zeros_like(x, requires_grad=True) for x in point.inputs]
        pulled = gradients(slopes, point.inputs, us, create_graph=True)
        found = gradients(pulled, us, v, create_graph)
        found = point.filled(found, point.inputs, "double_back_trick")
    return point.finish(outputs, False), point.finish(found, point.many_inputs)


def jacobian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """All derivatives of the outputs of `func`: for an output of shape A and an input of shape B a
    tensor of shape A + B.

    Args:
        create_graph, strict: as in `vjp`.
        vectorize: all rows in one pass. It is so anyway, except with `strict`.
        strategy: "reverse-mode", or with `vectorize` also "forward-mode".

    >>> from autogradlab import tensor
    >>> jacobian(lambda x: x**2, tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy == "forward-mode":
        return forward_jacobian(func, inputs, create_graph, strict, vectorize)
    if strategy != "reverse-mode":
        raise AssertionError(errors.STRATEGY_HINT)
    with enable_grad():
        point = Point("jacobian", func, inputs, create_graph, strict)
        outputs = point.call()
        if vectorize and strict:
            raise RuntimeError(errors.STRICT_VECTORIZED)
        found = [point.jacobian(k, out, vectorize) for k, out in enumerate(outputs)]
    found = tuple([point.finish(row, point.many_inputs) for row in found])
    return found if point.many_outputs else found[0]


def forward_jacobian(
    func: Func, inputs: Any, create_graph: bool, strict: bool, vectorize: bool
) -> Any:
    """The Jacobian by forward mode: all columns in one pass."""
    if create_graph:
        raise NotImplementedError(errors.NOT_WITH_FORWARD.format("create_graph"))
    if strict:
        raise RuntimeError(errors.NOT_WITH_FORWARD.format("strict"))
    if not vectorize:
        raise NotImplementedError(errors.FORWARD_ONLY_VECTORIZED)
    from ..func import jacfwd  # it imports this package

    def checked(*duals: Tensor) -> Any:
        out = func(*duals)
        as_tuple(out, "outputs", "None")
        return out

    many, inputs = as_tuple(inputs, "inputs", "jacobian")
    for x in inputs:
        if not x.is_floating_point():
            raise ValueError(errors.not_floating("primal", x.dtype))
    found = jacfwd(checked, tuple(range(len(inputs))))(*inputs)
    if not isinstance(found[0], tuple):  # one output; torch gives lists here
        return list(found) if many else found[0]
    return [list(row) for row in found] if many else tuple([row[0] for row in found])


def hessian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """All second derivatives of `func`, which gives one number: the Jacobian of its gradient.

    For two inputs of shapes A and B there is a tensor of shape A + B. The arguments are as in
    `jacobian`.

    >>> from autogradlab import tensor
    >>> hessian(lambda x: (x**3).sum(), tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    many, inputs = as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(errors.STRATEGY)

    def gradient(*inputs: Tensor) -> tuple[Tensor, ...]:
        if outer_jacobian_strategy == "forward-mode":
            inputs = tuple([x.requires_grad_() for x in inputs])
        inner = Point("hessian", func, inputs, True, strict)
        found = gradients([inner.call_for_number()], inner.inputs, None, create_graph=True)
        found = zeros_for_none(found, inner.inputs)
        inner.require(found, "jacobian")
        return tuple(found)

    found = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found if many else found[0][0]


class Point:
    """Where a function is differentiated, and how: what the functions above share."""

    def __init__(
        self, name: str, func: Func, inputs: Any, create_graph: bool, strict: bool
    ) -> None:
        self.name, self.func, self.create_graph, self.strict = name, func, create_graph, strict
        self.many_inputs, inputs = as_tuple(inputs, "inputs", name)
        self.inputs = self.fresh(inputs, True)

    def fresh(self, tensors: Sequence[Tensor], requires_grad: bool) -> list[Tensor]:
        """Inputs whose gradient is known to be theirs alone, connected to the given ones if the
        result is to be recorded."""
        return [
            x.view_as(x) if self.create_graph and x.requires_grad
            else x.detach().requires_grad_(requires_grad)
            for x in tensors
        ]  # fmt: skip

    def call(self) -> tuple[Tensor, ...]:
        """The outputs of the function."""
        what = "outputs of the user-provided function"
        self.many_outputs, outputs = as_tuple(self.func(*self.inputs), what, self.name)
        self.require(outputs, "outputs")
        return outputs

    def call_for_number(self) -> Tensor:
        """The one output of the function, of one element."""
        outputs = self.call()
        if self.many_outputs:
            raise RuntimeError(f"The function given to {self.name} should return a single Tensor")
        if outputs[0].numel() != 1:
            raise RuntimeError(errors.ONE_ELEMENT.format(self.name))
        return outputs[0]

    def slopes(self, v: Any) -> tuple[Any, list[Tensor], Any]:
        """The vector, the output, and its gradient, recorded: where `vhp` and `hvp` begin."""
        v = self.input_vector(v)
        outputs = [self.call_for_number()]
        slopes = gradients(outputs, self.inputs, None, create_graph=True)
        self.require(slopes, "jacobian")
        return v, outputs, slopes

    def input_vector(self, v: Any) -> list[Tensor] | None:
        if v is not None:
            return self.vector(v, self.inputs, self.many_inputs)
        if len(self.inputs) != 1 or self.inputs[0].numel() != 1:
            raise RuntimeError(errors.NO_V.format("input to the user-provided function is"))
        return None

    def vector(self, v: Any, like: Sequence[Tensor], many: bool) -> list[Tensor]:
        """The vector that is multiplied with, checked against what it must look like."""
        _, v = as_tuple(v, "v", self.name)
        v = self.fresh(v, False)
        if len(v) != len(like):
            raise RuntimeError(errors.length_of_v(len(v), len(like), many))
        for i, (a, b) in enumerate(zip(v, like, strict=True)):
            if a.shape != b.shape:
                raise RuntimeError(errors.size_of_v(i, a.shape, b.shape, many))
        return v

    def require(self, tensors: Sequence[Tensor | None], stage: str) -> None:
        """In strict mode all of these must depend on the inputs."""
        for i, x in enumerate(tensors if self.strict else ()):
            if x is None or not x.requires_grad:
                raise RuntimeError(errors.STRICT["back" if x is None else stage].format(i))

    def filled(
        self, found: Sequence[Tensor | None], like: Sequence[Tensor], stage: str
    ) -> list[Tensor]:
        """Gradients with zeros where there is none; in strict mode an error."""
        what = "hessian" if "double" in stage else "jacobian"
        for i, g in enumerate(found if self.strict else ()):
            if g is None:
                raise RuntimeError(errors.STRICT[stage].format(i))
            if self.create_graph and not g.requires_grad:
                raise RuntimeError(errors.constant(what, i))
        return zeros_for_none(found, like)

    def jacobian(self, k: int, out: Tensor, vectorize: bool) -> list[Tensor]:
        """The Jacobian of output `k` by each input; in one pass, if nobody watches the passes."""
        if vectorize or not (self.strict or out.numel() < 2 or watched(out)):
            units = creation.eye(out.numel(), dtype=out.dtype).view(out.numel(), *out.shape)
            found = [
                creation.zeros(len(units), *x.shape, dtype=x.dtype) if g is None else g
                for g, x in zip(self.row(out, units), self.inputs, strict=True)
            ]
        else:
            rows = [self.checked_row(k, x) for x in out.reshape(-1)]
            columns = zip(self.inputs, *rows, strict=True)
            found = [stack(column) for _, *column in columns]
        return [g.view(out.shape + x.shape) for x, g in zip(self.inputs, found, strict=True)]

    def row(self, out: Tensor, vs: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of an output of one element; or many, given what to multiply by."""
        options = {"retain_graph": True, "is_grads_batched": vs is not None}
        return gradients([out], self.inputs, [vs], self.create_graph, **options)

    def checked_row(self, k: int, x: Tensor) -> list[Tensor]:
        """The gradient of one element of output `k`."""
        row = self.row(x, None)
        for i, g in enumerate(row if self.strict else ()):
            if g is None:
                raise RuntimeError(errors.independent_output(k, i))
            if self.create_graph and not g.requires_grad:
                raise RuntimeError(errors.constant("jacobian", k))
        return zeros_for_none(row, self.inputs)

    def finish(self, tensors: Sequence[Tensor], many: bool) -> Any:
        """The result in the form it is returned in."""
        out = tuple([x if self.create_graph else x.detach() for x in tensors])
        return out if many else out[0]


def gradients(
    outputs: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    vs: Sequence[Tensor] | None,
    create_graph: bool,
    **options: Any,
) -> tuple[Tensor | None, ...]:
    """`autograd.grad` of those outputs that depend on anything; None for an unused input."""
    pairs = zip(outputs, vs or [None] * len(outputs), strict=True)
    pairs = [(out, v) for out, v in pairs if out is not None and out.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    outputs, vs = zip(*pairs, strict=True)
    return autograd.grad(
        outputs, inputs, vs, create_graph=create_graph, allow_unused=True, **options
    )


def watched(out: Tensor) -> bool:
    """Whether a user's code would see the gradients of a pass: a backward of theirs, or hooks."""
    order, leaves = reachable([edge(out)] if out.requires_grad else [])
    nodes = (*order, *leaves)
    return any(isinstance(n, FunctionNode) or (n.extras and n.extras.watching) for n in nodes)


def zeros_for_none(found: Sequence[Tensor | None], like: Sequence[Tensor]) -> list[Tensor]:
    pairs = zip(found, like, strict=True)
    return [creation.zeros_like(x) if g is None else g for g, x in pairs]


def as_tuple(x: Any, what: str, name: str) -> tuple[bool, tuple[Tensor, ...]]:
    """Whether a tuple was given, and the tensors as one."""
    many = isinstance(x, tuple)
    for i, each in enumerate(x if many else (x,)):
        if not isinstance(each, Tensor):
            where = f"value at index {i}" if many else f"given {what}"
            raise TypeError(errors.tensor_or_tuple(what, name, where, type(each)))
    return many, x if many else (x,)
