"""Losses and distances. `reduction` is "none", "mean" or "sum", over all elements."""

from __future__ import annotations

import warnings

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..arrays import Lifted
from ..hooks import guard
from ..modes import modes
from ..ops.arguments import needs_floats, to_dtype
from ..ops.elementwise import (
    abs,
    add,
    clamp_min,
    div,
    eq,
    exp,
    masked_fill,
    minimum,
    mul,
    ne,
    neg,
    promoted,
    sqrt,
    sub,
    where,
    xlogy,
)
from ..ops.indexing import gather, index_select
from ..ops.linalg import vector_norm
from ..ops.reductions import mean, sum
from ..ops.shapes import (
    broadcast_shape,
    broadcast_tensors,
    expand,
    flatten,
    reshape,
    squeeze,
    unsqueeze,
)
from ..tensor import Tensor, wrap
from .activations import log_softmax

# ------------------------------------------------------------------------------------ differences


def check_reduction(reduction: str) -> None:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def reduced(x: Tensor, reduction: str) -> Tensor:
    check_reduction(reduction)
    return x if reduction == "none" else (mean if reduction == "mean" else sum)(x)


def paired(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape; a warning if they came in two."""
    if target.shape == input.shape:
        return input, target
    warnings.warn(
        f"Using a target size ({target.size()}) that is different to the input size "
        f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
        "Please ensure they have the same size.",
        stacklevel=3,
    )
    return broadcast_tensors(input, target)


def check_weights(input: Tensor, weight: Tensor) -> None:
    if weight.size() != input.size():
        raise ValueError("Weights and input must have the same size.")


def weighted_mean(losses: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """Losses times weights; their mean is over the weights."""
    losses = mul(losses, weight)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(
            f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'."
        )
    if reduction == "none":
        return losses
    return sum(losses) if reduction == "sum" else div(sum(losses), sum(weight))


def mse_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """(input - target)²."""
    pair = paired(input, target)
    if weight is not None:
        check_weights(input, weight)
        return weighted_mean(sub(*pair) ** 2, weight, reduction)
    check_reduction(reduction)
    if not any(x.is_floating_point() for x in pair):
        kind = dtypes.scalar_name(pair[0].array.dtype)
        raise NotImplementedError(f"\"mse_cpu\" not implemented for '{kind}'")
    return d.mse_loss(*pair, reduction=reduction)


def l1_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """|input - target|."""
    pair = paired(input, target)
    if weight is not None:
        check_weights(input, weight)
        return weighted_mean(abs(sub(*pair)), weight, reduction)
    return reduced(abs(sub(*pair)), reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """d² / (2 beta) where d = |input - target| < beta, else d - beta / 2."""
    pair = paired(input, target)
    if beta == 0:
        return reduced(abs(sub(*pair)), reduction)
    check_reduction(reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    needs_floats("smooth_l1_cpu", next((x for x in pair if x.is_floating_point()), pair[0]))
    return d.smooth_l1_loss(*pair, reduction=reduction, beta=beta)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """`delta` times `smooth_l1_loss` with that beta."""
    pair = paired(input, target)
    if weight is None:
        check_reduction(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    needs_floats("huber_cpu", pair[0])
    if weight is None:
        return d.huber_loss(*pair, reduction=reduction, delta=delta)
    check_weights(input, weight)
    return reduced(mul(d.huber_loss(*pair, reduction="none", delta=delta), weight), reduction)


# ---------------------------------------------------------------------------------- probabilities


def constants(function: str, **arguments: Tensor | None) -> None:
    """Weights of a loss have no gradient."""
    for name, x in arguments.items():
        if x is not None and x.requires_grad and modes.grad_enabled:
            raise RuntimeError(
                f"The function '{function}' is not differentiable with respect to argument "
                f"'{name}'. This input cannot have requires_grad True."
            )


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-target · log(input) - (1 - target) · log(1 - input), for probabilities."""
    check_reduction(reduction)
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )
    if target.dtype is not input.dtype:
        found, expected = (dtypes.scalar_name(x.array.dtype) for x in (target, input))
        raise RuntimeError(f"Found dtype {found} but expected {expected}")
    constants("binary_cross_entropy", weight=weight)
    return d.binary_cross_entropy(input, target, weight=weight, reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of sigmoid(input); target 1 counts `pos_weight` times."""
    check_reduction(reduction)
    if target.size() != input.size():
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        )
    if not target.is_floating_point():
        names = (dtypes.scalar_name(x.array.dtype) for x in (input, target))
        raise RuntimeError(
            "result type {} can't be cast to the desired output type {}".format(*names)
        )
    constants("binary_cross_entropy_with_logits", weight=weight, pos_weight=pos_weight)
    return d.binary_cross_entropy_with_logits(
        input, target, weight=weight, pos_weight=pos_weight, reduction=reduction
    )


def kl_div(
    input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """target · (log(target) - input), for log-probabilities `input`; "batchmean" is per sample."""
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=2,
        )
    if not (input.is_floating_point() and target.is_floating_point()):
        raise RuntimeError("kl_div: Integral inputs not supported.")
    if log_target:
        losses = mul(exp(target), sub(target, input))
    else:
        losses = sub(xlogy(target, target), mul(target, input))
    if reduction != "batchmean":
        return reduced(losses, reduction)
    return div(sum(losses), input.shape[0]) if input.ndim else sum(losses)


# ---------------------------------------------------------------------------------------- classes


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability (N, C, …) of the class that `target` (N, …) names.

    A class counts `weight` times, and `ignore_index` not at all; the mean is over those counts.
    """
    check_reduction(reduction)
    if not input.ndim:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if input.ndim > 1 and target.ndim and input.shape[0] != target.shape[0]:
        raise ValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
            f"({target.shape[0]})."
        )
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    places, shape = target.array, (input.shape[0], *input.shape[2:])
    if input.ndim <= 2:
        if target.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if input.ndim == 1 and target.numel() != 1:
            raise ValueError(
                f"For 1D input, 1D target must have size 1, but got target size: {target.numel()}"
            )
        constants("nll_loss_forward", weight=weight)
        if isinstance(places, Lifted):
            return nll_by_parts(input, target, weight, ignore_index, reduction)
        check_classes(input, target, weight, ignore_index)
        places = places.reshape(input.shape[:-1])
        out = d.nll_loss(input, target=places.astype(np.int64), **options)
        return guard(out, target=(target,))
    if input.ndim != 4 and target.shape != shape:
        raise RuntimeError(f"Expected target size {list(shape)}, got {list(target.shape)}")
    if input.ndim == 4 and target.shape != shape:
        raise RuntimeError(
            f"size mismatch (got input: {list(input.shape)} , target: {list(target.shape)}"
        )
    constants("nll_loss2d_forward", weight=weight)
    if isinstance(places, Lifted):
        return nll_by_parts(input, target, weight, ignore_index, reduction)
    check_classes(input, target, weight, ignore_index)
    if input.ndim != 4:
        input = reshape(input, *input.shape[:2], 1, shape[1] * len(places) and -1)
        target = reshape(target, input.shape[0], *input.shape[2:])
    out = d.nll_loss2d(input, target=target.array.astype(np.int64), **options)
    guard(out, target=(target,))
    return reshape(out, *shape) if reduction == "none" and len(shape) != 3 else out


def nll_by_parts(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> Tensor:
    """`nll_loss` of operations that vmap knows: the targets are another example's each."""
    dim = min(input.ndim - 1, 1)
    target = reshape(target, *input.shape[:dim], *input.shape[dim + 1 :]).long()
    counted = ne(target, ignore_index)
    place = unsqueeze(where(counted, target, 0), dim)
    counts = counts_of(target, weight, ignore_index, input.dtype)
    losses = neg(mul(squeeze(gather(input, dim, place), dim), counts))
    losses = where(counted, losses, 0.0)
    if reduction == "none":
        return losses
    return sum(losses) if reduction == "sum" else div(sum(losses), sum(counts))


def counts_of(
    target: Tensor, weight: Tensor | None, ignore_index: int, kind: dtypes.dtype
) -> Tensor:
    """How much each target counts."""
    counted = ne(target, ignore_index)
    if weight is None:
        return counted.to(kind)
    place = where(counted, target, 0)
    return mul(counted.to(kind), reshape(index_select(weight, 0, flatten(place)), *place.shape))


def check_classes(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> None:
    if target.array.dtype not in (np.int64, np.uint8):
        kind = dtypes.scalar_name(target.array.dtype)
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {kind}")
    classes = input.shape[min(input.ndim - 1, 1)]
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.shape)}"
        )
    places = np.atleast_1d(target.array)
    outside = places[((places < 0) | (places >= classes)) & (places != ignore_index)]
    if outside.size:
        raise IndexError(f"Target {outside[0]} is out of bounds.")


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`nll_loss` of log_softmax(input), for logits (N, C, …) and classes (N, …).

    With a `target` of the shape of `input`, its numbers are the probabilities of the classes.
    `label_smoothing` is the part of the target that is spread over all classes.
    """
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if input.shape == target.shape:
        if not target.is_floating_point():
            raise RuntimeError(
                "Expected floating point type for target with class probabilities, got "
                f"{dtypes.scalar_name(target.array.dtype)}"
            )
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
    dim = 0 if input.ndim == 1 else 1
    if not input.ndim and input.shape == target.shape:
        raise IndexError(errors.no_dimensions(1))
    logs = log_softmax(input, dim)
    if input.shape == target.shape:
        return of_probabilities(logs, target, weight, dim, reduction, label_smoothing)
    loss = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return loss
    options = dim, ignore_index, reduction
    spread = d.mul_number(
        smooth(logs, target, weight, *options), other=label_smoothing / input.shape[dim]
    )
    return add(d.mul_number(loss, other=1 - label_smoothing), spread)


def per_class(x: Tensor, weight: Tensor | None, dim: int) -> Tensor:
    """Each class times its weight."""
    if weight is None:
        return x
    if weight.shape != (x.shape[dim],):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {x.shape[dim]} classes "
            f"or no classes but got weight tensor of shape: {list(weight.shape)}"
        )
    return mul(x, reshape(weight, *(-1 if i == dim else 1 for i in range(x.ndim))))


def of_probabilities(
    logs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    dim: int,
    reduction: str,
    label_smoothing: float,
) -> Tensor:
    classes = logs.shape[dim]
    if label_smoothing:
        kept = d.mul_number(target, other=1 - label_smoothing)
        target = d.add_number(kept, other=label_smoothing / classes)
    products = per_class(mul(logs, target), weight, dim)
    if reduction == "none":
        return neg(sum(products, dim))
    total = neg(sum(products))
    if reduction == "sum" or not logs.numel():  # of nothing torch gives nan, as one number
        return total if reduction == "sum" else neg(d.fill_number(sum(products), value=np.nan))
    return d.div_number(total, other=logs.numel() // classes)


def smooth(
    logs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    dim: int,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    """Minus the sum of the log-probabilities of all classes."""
    ignored = eq(target, ignore_index)
    losses = masked_fill(neg(sum(per_class(logs, weight, dim), dim)), ignored, 0.0)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    if isinstance(target.array, Lifted):
        return div(sum(losses), sum(counts_of(target, weight, ignore_index, logs.dtype)))
    counted = target.array[~ignored.array]
    count = counted.size if weight is None else weight.array[counted].sum()
    return div(sum(losses), wrap(np.asarray(count)[()]))


# -------------------------------------------------------------------------------------- distances


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`, norms being at least `eps`."""
    if x1.shape != x2.shape:
        x1, x2 = (expand(x, broadcast_shape(x1.shape, x2.shape)) for x in (x1, x2))
    if not (x1.is_floating_point() or x2.is_floating_point()):
        kind = dtypes.scalar_name(x1.array.dtype)
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {kind}"
        )
    kind = dtypes.promote(x1.array.dtype, x2.array.dtype)
    x1, x2 = to_dtype(x1, kind), to_dtype(x2, kind)
    norms = (at_least(vector_norm(x, 2, dim, keepdim=True), eps) for x in (x1, x2))
    return sum(mul(*map(div, (x1, x2), norms)), dim)


def at_least(norm: Tensor, eps: float) -> Tensor:
    """Small norms raised, in a copy; gradients do not see it."""
    norm = norm.clone()
    norm.detach().clamp_min_(eps)
    return norm


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    difference = d.add_number(promoted(sub(x1, x2), eps), other=eps)
    dims = (difference.ndim - 1,) if difference.ndim else ()
    return d.norm_dim(difference, ord=p, dim=dims, keepdim=keepdim)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1."""
    check_reduction(reduction)
    dim = target.ndim
    if dim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != dim + 1 or input2.ndim != dim + 1:
        raise RuntimeError(
            f"{dim}D target tensor expects {dim + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    squares = (d.add_number(sum(mul(x, x), dim), other=1e-12) for x in (input1, input2))
    cosine = div(sum(mul(input1, input2), dim), sqrt(mul(*squares)))
    zero = wrap(np.zeros(cosine.shape, cosine.array.dtype)[()])
    near, far = sub(1, cosine), clamp_min(d.sub_number(cosine, other=margin), 0)
    losses = add(where(eq(target, 1), near, zero), where(eq(target, -1), far, zero))
    return reduced(losses, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin + |anchor - positive| - |anchor - negative|).

    With `swap`, |positive - negative| counts where it is the smaller.
    """
    check_reduction(reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    a, b, c = (x.ndim for x in (anchor, positive, negative))
    if not a == b == c:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {a}D, positive {b}D, and negative {c}D inputs"
        )
    to_positive = pairwise_distance(anchor, positive, p, eps)
    to_negative = pairwise_distance(anchor, negative, p, eps)
    if swap:
        to_negative = minimum(to_negative, pairwise_distance(positive, negative, p, eps))
    difference = sub(d.add_number(to_positive, other=margin), to_negative)
    return reduced(clamp_min(difference, 0), reduction)
