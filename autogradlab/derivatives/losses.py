"""Losses that are one node in torch: a function of each element, then none, the mean or the sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..primitive import Primitive
from .elementwise import abs_, arithmetic, exp, log, maximum, mul, sigmoid, sign, where
from .indexing import put_along
from .linalg import vector_norm
from .reductions import add_up, average, count
from .shapes import reshape_to


def reduced(x: Any, reduction: str) -> Any:
    if reduction == "none":
        return x
    return (average if reduction == "mean" else add_up)(x, None, False, None)


def loss(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loss of each element, with its reduction."""

    def forward(self: Any, target: Any, *, reduction: str, **constants: Any) -> Any:
        return reduced(function(self, target, **constants), reduction)

    return forward


def shared(g: Any, x: Any, reduction: str) -> Any:
    """The gradient that each element gets of a reduced loss."""
    return g / count(x.shape, None) if reduction == "mean" else g


def gathered(tangents: Any, reduction: str) -> Any:
    """The tangent of a reduced loss."""
    if reduction == "none":
        return tangents
    return tangents.mean() if reduction == "mean" else tangents.sum()


mse_loss = Primitive(
    "MseLossBackward0",
    loss(lambda self, target: (self - target) ** 2),
    promote=arithmetic,
    jvp=lambda self, self_t, target, target_t, reduction: gathered(
        (self - target) * (self_t - target_t) * 2.0, reduction
    ),
    self=lambda g, self, target, reduction: (self - target) * (shared(g, self, reduction) * 2.0),
    target=lambda g, self, target, reduction: (target - self) * (shared(g, self, reduction) * 2.0),
)


def huber(self: Any, target: Any, delta: float) -> Any:
    distance = np.abs(self - target)
    return np.where(distance <= delta, distance * distance / 2, delta * (distance - delta / 2))


def huber_slope(difference: Any, delta: float) -> Any:
    return where(difference, sign(difference) * delta, condition=abs_(difference) <= delta)


huber_loss = Primitive(
    "HuberLossBackward0",
    loss(huber),
    promote=arithmetic,
    jvp=lambda self, self_t, target, target_t, reduction, delta: gathered(
        huber_slope(self - target, delta) * (self_t - target_t), reduction
    ),
    self=lambda g, self, target, reduction, delta: (
        shared(g, self, reduction) * huber_slope(self - target, delta)
    ),
    target=lambda g, self, target, reduction, delta: (
        shared(g, self, reduction) * huber_slope(target - self, delta)
    ),
)
smooth_l1_loss = Primitive(
    "SmoothL1LossBackward0",
    loss(lambda self, target, beta: huber(self, target, beta) / beta),
    promote=arithmetic,
    jvp=lambda self, self_t, target, target_t, reduction, beta: gathered(
        huber_slope(self - target, beta) * (self_t - target_t) / beta, reduction
    ),
    self=lambda g, self, target, reduction, beta: (
        shared(g, self, reduction) * huber_slope(self - target, beta) / beta
    ),
    target=lambda g, self, target, reduction, beta: (
        shared(g, self, reduction) * huber_slope(target - self, beta) / beta
    ),
)


def weighted(g: Any, weight: Any) -> Any:
    return g if weight is None else mul(g, weight)


def entropy(self: Any, target: Any, weight: Any) -> Any:
    """-target · log(p) - (1 - target) · log(1 - p), with logarithms of at least -100."""
    if not ((self >= 0) & (self <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")
    yes, no = np.maximum(np.log(self), -100.0), np.maximum(np.log1p(-self), -100.0)
    return weighted((target - 1) * no - target * yes, weight)


def entropy_slope(self: Any, target: Any) -> Any:
    return (self - target) / maximum((1 - self) * self, 1e-12)


binary_cross_entropy = Primitive(
    "BinaryCrossEntropyBackward0",
    loss(entropy),
    arrays=("weight",),
    jvp=lambda self, self_t, target, target_t, reduction, weight: gathered(
        weighted(
            entropy_slope(self, target) * self_t + (log(1 - self) - log(self)) * target_t, weight
        ),
        reduction,
    ),
    self=lambda g, self, target, reduction, weight: weighted(
        shared(g, self, reduction) * entropy_slope(self, target), weight
    ),
    target=lambda g, self, reduction, weight: weighted(
        shared(g, self, reduction) * (log(1 - self) - log(self)), weight
    ),
)


def softplus_of(x: Any) -> Any:
    """log(1 + exp(x)), for large x too."""
    return maximum(x, 0.0) + log(1 + exp(-abs_(x)))


def with_logits(self: Any, target: Any, weight: Any, pos_weight: Any) -> Any:
    losses = weighted(target * softplus_of(-self), pos_weight) + (1 - target) * softplus_of(self)
    return weighted(losses, weight)


def logits_slope(self: Any, target: Any, pos_weight: Any) -> Any:
    return (1 - target) * sigmoid(self) - weighted(target * sigmoid(-self), pos_weight)


def logits_target_slope(self: Any, pos_weight: Any) -> Any:
    return weighted(softplus_of(-self), pos_weight) - softplus_of(self)


binary_cross_entropy_with_logits = Primitive(
    "BinaryCrossEntropyWithLogitsBackward0",
    loss(with_logits),
    arrays=("weight", "pos_weight"),
    jvp=lambda self, self_t, target, target_t, reduction, weight, pos_weight: gathered(
        weighted(
            logits_slope(self, target, pos_weight) * self_t
            + logits_target_slope(self, pos_weight) * target_t,
            weight,
        ),
        reduction,
    ),
    self=lambda g, self, target, reduction, weight, pos_weight: weighted(
        shared(g, self, reduction) * logits_slope(self, target, pos_weight), weight
    ),
    target=lambda g, self, reduction, weight, pos_weight: weighted(
        shared(g, self, reduction) * logits_target_slope(self, pos_weight), weight
    ),
)

# ------------------------------------------------------------------------- the log of one of many


def chosen(
    shape: Any, dtype: Any, target: Any, weight: Any, ignore_index: int, reduction: str
) -> tuple[Any, Any, int]:
    """Where each target is among its classes, minus how much it counts, and the classes' axis.

    If nothing counts, the mean is 0 / 0, but no gradient is.
    """
    dim = min(len(shape) - 1, 1)
    ignored = target == ignore_index
    place = np.where(ignored, 0, target)
    if weight is None and target.size and not ignored.any():  # by far the commonest
        counts = np.full(target.shape, 1 / target.size if reduction == "mean" else 1, dtype)
        return np.expand_dims(place, dim), np.expand_dims(-counts, dim), dim
    counts = np.where(ignored, 0, 1 if weight is None else weight[place]).astype(dtype)
    if reduction == "mean":
        counts = np.where(counts == 0, counts, counts / counts.sum())
    return np.expand_dims(place, dim), np.expand_dims(-counts, dim), dim


def likelihood(self: Any, *, target: Any, weight: Any, ignore_index: int, reduction: str) -> Any:
    constants = target, weight, ignore_index, reduction
    place, counts, dim = chosen(self.shape, self.dtype, *constants)
    losses = np.where(counts == 0, counts, np.take_along_axis(self, place, dim) * counts)
    if reduction == "none":
        return losses.squeeze(dim)[()]
    empty = reduction == "mean" and not counts.any()
    return self.dtype.type(np.nan) if empty else add_up(losses, None, False, None)


def likelihood_gradient(
    g: Any, shape: Any, target: Any, weight: Any, ignore_index: int, reduction: str
) -> Any:
    place, counts, dim = chosen(
        shape, dtypes.to_numpy(g.dtype), target, weight, ignore_index, reduction
    )
    g = reshape_to(g, shape=place.shape) if reduction == "none" else g
    return put_along(where(mul(g, counts), 0.0, condition=counts != 0), place, dim, shape)


nll_loss = Primitive(
    "NllLossBackward0",
    likelihood,
    jvp="linear",
    arrays=("target", "weight"),
    self=lambda g, self, target, weight, ignore_index, reduction: likelihood_gradient(
        g, self.shape, target, weight, ignore_index, reduction
    ),
)
nll_loss2d = nll_loss.named("NllLoss2DBackward0")
norm_dim = vector_norm.named("NormBackward1")  # what torch's distances call

__all__ = [name for name, x in globals().items() if isinstance(x, Primitive)]
