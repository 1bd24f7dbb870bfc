"""`torch.autograd`: running the tape, and the switches that turn it off.

`backward` and `grad` check their arguments in torch's words and hand the work to `engine.backward`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import engine, errors
from ..engine import observe
from ..node import AccumulateGrad, Node, clock, edge
from ..tensor import Size, Tensor, tensors, wrap
from . import forward_ad, function, functional, graph
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .function import Function
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "observe",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def _get_sequence_nr() -> int:
    """The number that the next recorded node will have exceeded."""
    return next(clock)


def backward(
    tensors_: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of the given tensors to the `.grad` of the leaves they were computed from.

    Args:
        tensors_: outputs; the pass starts from all of them at once.
        grad_tensors: one gradient per output, of its shape; None stands for 1 where the output has
            one element.
        retain_graph: keep the saved values for another pass (default: `create_graph`).
        create_graph: record the pass, for higher derivatives.
        inputs: fill only the `.grad` of these tensors.

    Raises:
        RuntimeError: no graph, a freed graph, a missing or misshapen gradient, in torch's words.
    """
    outputs = tensors(tensors_)
    if inputs is not None:
        inputs = tensors(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    gradients = first_gradients(outputs, grad_tensors)
    roots = starts(outputs)
    for x in inputs or ():
        x.retain_grad()
    targets = None if inputs is None else [required(x) for x in inputs]
    if create_graph:
        errors.warn_once(errors.CREATE_GRAPH)
    run(roots, gradients, retain_graph, create_graph, targets, capture=False)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the outputs with respect to the inputs, returned; no `.grad` is touched.

    Args:
        only_inputs: as it is always, whatever this says.
        allow_unused: give None for an input the outputs do not depend on, instead of raising.
        is_grads_batched: `grad_outputs` has many gradients for each output, along a new first
            dimension, as have the results: all in one pass.
        materialize_grads: give zeros for it.

    >>> from autogradlab import tensor
    >>> x = tensor(3.0, requires_grad=True)
    >>> (slope,) = grad(x**2, x, create_graph=True)
    >>> slope, grad(slope, x)
    (tensor(6., grad_fn=<MulBackward0>), (tensor(2.),))
    """
    if not only_inputs:
        warnings.warn(errors.ONLY_INPUTS, FutureWarning, stacklevel=2)
    outputs, inputs = tensors(outputs), tensors(inputs)
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, "
            "but got: allow_unused=False."
        )
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    if is_grads_batched:
        again = functools.partial(
            grad, outputs, inputs, retain_graph=retain_graph, create_graph=create_graph,
            allow_unused=True,
        )  # fmt: skip
        results = batched(again, outputs, tensors(grad_outputs))
    else:
        gradients = first_gradients(outputs, grad_outputs)
        roots, targets = starts(outputs), [required(x) for x in inputs]
        found = run(roots, gradients, retain_graph, create_graph, targets, capture=True)
        given = {id(g.array): g for g in gradients}  # one that comes through is itself again
        results = [given.get(id(g), wrap(g)) for g in map(found.get, targets)]
    for i, (result, x) in enumerate(zip(results, inputs, strict=True)):
        if result is None and materialize_grads:
            results[i] = wrap(np.zeros(x.array.shape, x.array.dtype))
        elif result is None and not allow_unused:
            raise RuntimeError(errors.UNUSED.format(i))
    return tuple(results)


def batched(
    again: Callable[..., Any], outputs: Sequence[Tensor], gradients: Sequence[Tensor]
) -> list[Tensor | None]:
    """What `again(grad_outputs=…)` gives for each of many gradients of the outputs."""
    from ..func import vmap  # it imports this module

    for i, (out, g) in enumerate(zip(outputs, gradients, strict=True)):
        if (shape := g[0].shape) != out.shape:  # torch's message takes one dimension more away
            raise RuntimeError(errors.batched_shape(i, Size(shape[1:]), out.shape))
    found: tuple[Any, ...] = ()

    def each(*vs: Tensor) -> tuple[Tensor, ...]:
        nonlocal found
        found = again(grad_outputs=vs)
        return tuple(g for g in found if g is not None)

    stacked = iter(vmap(each)(*gradients))
    return [None if g is None else next(stacked) for g in found]


def required(x: Tensor) -> Node:
    """Where the gradient of an input goes: for a view made while nothing was recorded, nowhere."""
    if not x.requires_grad:
        raise RuntimeError(errors.NO_GRAD_INPUT)
    return edge(x) or AccumulateGrad(x)


def first_gradients(outputs: Sequence[Tensor], gradients: Any) -> list[Tensor]:
    """The gradients the pass starts from, checked against the outputs."""
    if isinstance(gradients, Tensor):
        gradients = [gradients]
    gradients = [None] * len(outputs) if gradients is None else list(gradients)
    for g in gradients:
        if g is not None and not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if len(gradients) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(gradients)} gradients")
    for i, (out, g) in enumerate(zip(outputs, gradients, strict=True)):
        if g is None and out.requires_grad:
            if out.array.size != 1:
                raise RuntimeError(errors.SCALAR_ONLY)
            gradients[i] = wrap(np.ones(out.array.shape, out.array.dtype)[()])
        elif g is not None and tuple(g.array.shape) != tuple(out.array.shape):
            raise RuntimeError(errors.gradient_shape(i, g.array.shape, out.array.shape))
    return gradients


def starts(outputs: Sequence[Tensor]) -> list[Node]:
    """The nodes the pass starts from."""
    roots = [edge(out) for out in outputs]
    for i, root in enumerate(roots):
        if root is None:
            raise RuntimeError(errors.NEEDS_GRAD.format(i))
    return roots


def run(
    roots: Sequence[Node],
    gradients: Sequence[Tensor],
    retain_graph: bool | None,
    taped: bool,
    targets: Sequence[Node] | None,
    capture: bool,
) -> dict[Node, Any]:
    return engine.backward(
        roots,
        [g if taped else g.array for g in gradients],
        retain_graph=taped if retain_graph is None else retain_graph,
        taped=taped,
        targets=targets,
        capture=capture,
    )
