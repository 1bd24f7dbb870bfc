"""`nn.utils`: clipping gradients, and parameters as one vector."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable

from ..autograd.grad_mode import no_grad
from ..creation import tensor
from ..ops.linalg import vector_norm
from ..ops.shapes import cat, stack
from ..tensor import Tensor, tensors
from .module import typename


@no_grad()
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients so that the norm of all together is at most `max_norm`.

    Returns:
        The norm before, a tensor without dimensions.
    """
    listed = list(tensors(parameters))
    if isinstance(parameters, types.GeneratorType) and not listed:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3
        )
    grads = [x._grad for x in listed if x._grad is not None]
    if not grads:
        return tensor(0.0)
    norm_type = float(norm_type)
    total = vector_norm(stack([vector_norm(g, norm_type) for g in grads]), norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    scale = (float(max_norm) / (total + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(scale)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clamp every element of every gradient to [-clip_value, clip_value]."""
    for x in tensors(parameters):
        if x._grad is not None:
            x._grad.clamp_(-float(clip_value), float(clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters in one row."""
    return cat([x.view(-1) for x in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make the parameters views of the stretches of a vector that `parameters_to_vector` gave."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    start = 0
    for x in parameters:
        x.data = vec[start : start + x.numel()].view(x.shape).data
        start += x.numel()
