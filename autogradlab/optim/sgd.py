"""Stochastic gradient descent, plain or with momentum."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..tensor import Tensor, wrap
from .optimizer import Group, Optimizer, pieces, refuse, written


class SGD(Optimizer):
    """θ ← θ − lr · b, where b is the gradient or, with momentum, a decaying sum of gradients.

    Momentum is Polyak's (1964), Nesterov's look-ahead is in the form of Sutskever, Martens, Dahl
    and Hinton, "On the importance of initialization and momentum in deep learning" (2013), both
    with the learning rate outside the sum, as in torch.

    Args:
        momentum: how much of b is kept from one step to the next.
        dampening: how much of each new gradient is left out of b, but for the first.
        weight_decay: adds this multiple of θ to the gradient.
        nesterov: use the gradient plus momentum · b instead of b.
        maximize: climb instead of descending.

    >>> from autogradlab import tensor
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SGD([w], lr=0.25).step()
    >>> w
    tensor([0.5000, 1.0000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        refuse(lr < 0.0, "learning rate", lr)
        refuse(momentum < 0.0, "momentum value", momentum)
        refuse(weight_decay < 0.0, "weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            # in torch's state_dict and repr: other ways to compute the same, which we lack
            "foreach": None,
            "differentiable": False,
            "fused": None,
        }
        super().__init__(params, defaults)

    def update(self, param: Tensor, grad: np.ndarray, group: Group) -> None:
        lr, momentum, weight_decay = group["lr"], group["momentum"], group["weight_decay"]
        arrays = [param.memory(), grad]
        if momentum != 0:
            state = self.state[param]
            first = state.get("momentum_buffer") is None
            if first:
                state["momentum_buffer"] = wrap(np.empty_like(arrays[0]))
            else:
                written(state["momentum_buffer"], state["momentum_buffer"])
            arrays.append(state["momentum_buffer"].memory())
        dampening, scratch = group["dampening"], np.empty(0, grad.dtype)
        for p, g, *buffer in pieces(*arrays):
            if group["maximize"]:
                g = -g
            if weight_decay != 0:
                g = g + weight_decay * p
            if momentum != 0:
                [b] = buffer
                if first:
                    b[...] = g
                else:
                    b *= momentum
                    b += g if dampening == 0 else (1 - dampening) * g
                g = g + momentum * b if group["nesterov"] else b
            scratch = scratch if scratch.shape == g.shape else np.empty_like(g)
            p -= np.multiply(g, lr, out=scratch)
        written(param)
