"""Batch, layer, group and root-mean-square normalization."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..arrays import Lifted, without_tangents
from ..arrays.batch import Batch
from ..derivatives.windows import Memo
from ..hooks import guard
from ..ops.arguments import needs_floats
from ..ops.elementwise import add, clone, mul, rsqrt, sub
from ..ops.reductions import mean, var
from ..ops.shapes import contiguous, reshape
from ..tensor import Tensor, wrap


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of (N, C, …) moved to mean 0 and variance 1, then · weight + bias.

    In training by its own mean and variance, which also move the running ones, in place, by
    `momentum`; otherwise by the running ones. The running variance is the unbiased one.
    """
    if training:
        check_batch(input.shape)
    if eps < 0 or (training and eps == 0):
        when, rule = ("positive", " during training") if training else ("non-negative", "")
        raise ValueError(f"batch_norm eps must be {when}{rule}, but got {eps}")
    channels = input.size(1) if input.array.size or input.ndim > 1 else 0
    running = {"running_mean": running_mean, "running_var": running_var}
    for name, x in (running | {"weight": weight, "bias": bias}).items():
        if x is None and name in running and not training:
            raise RuntimeError(f"{name} must be defined in evaluation mode")
        if x is not None and x.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {x.numel()}")
    check_types("batch_norm", input, weight, bias, running_mean, running_var)
    if not input.numel():
        out = clone(input)
        out = out if weight is None else mul(out, weight[0])
        return out if bias is None else add(out, bias[0])
    if any(x is not None and isinstance(x.array, Lifted) for x in running.values()):
        return batch_norm_by_parts(input, running, weight, bias, training, momentum, eps)
    if training and running_mean is not None and isinstance(input.array, Batch):
        raise RuntimeError(errors.RUNNING_NOT_BATCHED)
    if not training:
        scale = 1 / np.sqrt(running_var.array + running_var.array.dtype.type(eps))
        centre = running_mean.array.copy()
        out = d.batch_norm_eval(input, weight, bias, mean=centre, scale=scale)
        return guard(out, running=(running_mean, running_var))
    groups = (input.shape[0], channels, prod(input.shape[2:]))
    memo = Memo()
    out = d.batch_norm(input, weight, bias, groups=groups, eps=eps, memo=memo)
    centre, scale = (x[:, 0] for x in memo.value)
    size = groups[0] * groups[2]
    variance = (scale**-2 - eps) * (size / (size - 1))
    for x, new in ((running_mean, centre), (running_var, variance)):
        if x is not None:
            x.memory()[...] = (1 - momentum) * x.array + momentum * new  # not a new version
    return guard(out, running=(running_mean, running_var))


def batch_norm_by_parts(
    input: Tensor,
    running: dict[str, Tensor | None],
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """`batch_norm` of operations that vmap knows: the running values are another example's each."""
    if not training:  # running values are constants, also for forward mode
        centre, variance = (wrap(without_tangents(x.array)) for x in running.values())
    else:
        dims = (0, *range(2, input.ndim))
        centre, variance = mean(input, dims), var(input, dims, correction=0)
        size = input.numel() / input.shape[1]
        for x, new in zip(running.values(), (centre, variance * (size / (size - 1))), strict=True):
            if x is not None:
                x.mul_(1 - momentum).add_(new.detach(), alpha=momentum)
    along = [-1 if i == 1 else 1 for i in range(input.ndim)]
    out = mul(sub(input, reshape(centre, *along)), rsqrt(add(reshape(variance, *along), eps)))
    out = out if weight is None else mul(out, reshape(weight, *along))
    return out if bias is None else add(out, reshape(bias, *along))


def check_batch(shape: Sequence[int]) -> None:
    if prod((shape[0], *shape[2:])) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {shape}"
        )


def check_types(kernel: str, input: Tensor, *others: Tensor | None) -> None:
    if not input.is_floating_point():
        kind = dtypes.scalar_name(input.array.dtype)
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind}'")
    if any(x is not None and x.dtype is not input.dtype for x in others):
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def check_normalized(
    input: Tensor, shape: Sequence[int], star: str = "*", **affine: Tensor | None
) -> None:
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for name, x in affine.items():
        if x is not None and x.shape != tuple(shape):
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(x.shape)} and normalized_shape = {list(shape)}"
            )
    if input.shape[-len(shape) :] != tuple(shape):
        sizes = ", ".join(map(str, shape))
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [{star}{sizes}], but "
            f"got input of size{list(input.shape)}"
        )


def sizes(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, int):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int"
        )
    return tuple(shape)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each slice of the last dimensions moved to mean 0 and variance 1, then · weight + bias."""
    shape = sizes("layer_norm", normalized_shape)
    check_normalized(input, shape, "*, ", weight=weight, bias=bias)
    check_types("LayerNormKernelImpl", input, weight, bias)
    length = prod(shape)
    groups = (1, input.numel() // length if length else 0, length)
    return d.layer_norm(input, weight, bias, groups=groups, eps=eps, memo=Memo())


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`num_groups` groups of channels of (N, C, …), each moved to mean 0 and variance 1."""
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    n, channels = input.shape[:2]
    check_batch([n * channels // num_groups, num_groups, *input.shape[2:]])
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    for name, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.shape != (channels,):
            shown = x if weight is None else weight  # torch names the weight's shape either way
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(shown.shape)} and input of shape "
                f"{list(input.shape)}"
            )
    check_types("GroupNormKernelImpl", input, weight, bias)
    groups = (1, n * num_groups, channels // num_groups * prod(input.shape[2:]))
    return d.group_norm(input, weight, bias, groups=groups, eps=eps, memo=Memo())


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Each slice of the last dimensions divided by its root mean square, then · weight."""
    shape = sizes("rms_norm", normalized_shape)
    check_normalized(input, shape, weight=weight)
    needs_floats("rms_norm", input)
    eps = float(np.finfo(input.array.dtype).eps) if eps is None else eps
    dims = tuple(range(input.ndim - len(shape), input.ndim))
    scale = d.rsqrt(d.add_number(mean(input**2, dims, keepdim=True), other=eps))
    out = mul(input, scale)
    return contiguous(out if weight is None else mul(out, weight))
