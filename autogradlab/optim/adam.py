"""Adam, with its variants AMSGrad and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from .optimizer import Group, Optimizer, move, pieces, refuse, written, zero_state


class Adam(Optimizer):
    """θ ← θ − lr · m̂ / (√v̂ + eps): moving averages of the gradient and of its square.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1.

    Args:
        betas: how much each of the averages m and v keeps from one step to the next.
        eps: keeps the quotient finite.
        weight_decay: adds this multiple of θ to the gradient.
        amsgrad: divide by the largest v so far: Reddi, Kale and Kumar, "On the Convergence of Adam
            and Beyond" (2018).
        maximize: climb instead of descending.
        decoupled_weight_decay: shrink θ itself instead, as `AdamW` does.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        refuse(not lr >= 0.0, "learning rate", lr)
        refuse(not eps >= 0.0, "epsilon value", eps)
        for i, beta in enumerate(betas):
            refuse(not 0.0 <= beta < 1.0, f"beta parameter at index {i}", beta)
        refuse(not weight_decay >= 0.0, "weight_decay value", weight_decay)
        if not (isinstance(betas[0], float) and isinstance(betas[1], float)):
            raise ValueError("betas must be either both floats or both Tensors")
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            # in torch's state_dict and repr: other ways to compute the same, which we lack
            "foreach": None,
            "capturable": False,
            "differentiable": False,
            "fused": None,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def update(self, param: Tensor, grad: np.ndarray, group: Group) -> None:
        lr, (beta1, beta2), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2]
        state = self.state[param]
        if not state:
            state.update(zero_state(param, *names))
        state["step"].write(state["step"].array + 1)
        t = state["step"].item()
        step_size, scale = lr / (1 - beta1**t), (1 - beta2**t) ** 0.5
        decoupled = weight_decay != 0 and group["decoupled_weight_decay"]
        averages = [state[name] for name in names]
        for p, g, m, v, *largest in pieces(param.memory(), grad, *(x.memory() for x in averages)):
            if group["maximize"]:
                g = -g
            if decoupled:
                p *= 1 - lr * weight_decay
            elif weight_decay != 0:
                g = g + weight_decay * p
            move(m, g, 1 - beta1)
            v *= beta2
            v += (1 - beta2) * g * g
            for top in largest:
                v = np.maximum(top, v, out=top)
            p -= step_size * m / (np.sqrt(v) / scale + group["eps"])
        written(param, *averages, state["exp_avg_sq"], *[param] * decoupled)


class AdamW(Adam):
    """Adam whose weight decay shrinks θ by the factor 1 − lr · weight_decay and stays out of the
    averages: Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019).
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, of an AdamW or of an Adam, whose decay then differs."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
