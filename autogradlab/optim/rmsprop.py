"""RMSprop: each number's gradient, divided by how large it has been of late."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..tensor import Tensor
from .optimizer import Group, Optimizer, move, pieces, refuse, written, zero_state


class RMSprop(Optimizer):
    """θ ← θ − lr · g / (√v + eps), where v is the moving average of the squared gradient.

    Hinton, lecture 6 of "Neural Networks for Machine Learning" (2012); centered as in Graves,
    "Generating Sequences With Recurrent Neural Networks" (2013).

    Args:
        alpha: how much the averages keep from one step to the next.
        eps: keeps the quotient finite.
        weight_decay: adds this multiple of θ to the gradient.
        momentum: how much of the last step is taken again.
        centered: divide by the variance, v minus the square of the average gradient.
        maximize: climb instead of descending.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        refuse(not lr >= 0.0, "learning rate", lr)
        refuse(not eps >= 0.0, "epsilon value", eps)
        refuse(not momentum >= 0.0, "momentum value", momentum)
        refuse(not weight_decay >= 0.0, "weight_decay value", weight_decay)
        refuse(not alpha >= 0.0, "alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            # in torch's state_dict and repr: other ways to compute the same, which we lack
            "capturable": False,
            "foreach": None,
            "maximize": maximize,
            "differentiable": False,
        }
        super().__init__(params, defaults)

    def update(self, param: Tensor, grad: np.ndarray, group: Group) -> None:
        lr, alpha, momentum = group["lr"], group["alpha"], group["momentum"]
        names = ["square_avg"]
        names += ["momentum_buffer"] if momentum > 0 else []
        names += ["grad_avg"] if group["centered"] else []
        state = self.state[param]
        if not state:
            state.update(zero_state(param, *names))
        state["step"].write(state["step"].array + 1)
        buffers = [state[name].memory() for name in names]
        for p, g, v, *rest in pieces(param.memory(), grad, *buffers):
            if group["maximize"]:
                g = -g
            if group["weight_decay"] != 0:
                g = g + group["weight_decay"] * p
            v *= alpha
            v += (1 - alpha) * g * g
            if group["centered"]:
                mean = rest[-1]
                move(mean, g, 1 - alpha)
                v = v - mean * mean
            change = g / (np.sqrt(v) + group["eps"])
            if momentum > 0:
                rest[0] *= momentum
                rest[0] += change
                change = rest[0]
            p -= lr * change
        twice = [state[name] for name in names if name != "grad_avg"]
        written(param, *(state[name] for name in names), *twice)
