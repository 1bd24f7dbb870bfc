"""Normalization: numbers moved and scaled to mean 0 and variance 1, group by group.

Batch, layer and group normalization differ in what a group is. All see their input as an array of
`groups` = (N, C, L), a group being what has the same index in C: the channels of a batch, or each
row by itself. `standardize` does the work; its derivatives, of any order, are below it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import mul, sub
from .shapes import expand, reshape_to
from .windows import Ints, Memo

# Sums over a group are products of a matrix with ones, sums of products are row-by-row dot
# products: BLAS does both several times faster than NumPy's own reductions.


def wide(x: Any) -> Any:
    """float16 is computed in float32."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def group_sums(x: Any) -> Any:
    """(N, C, L) summed to (C, 1)."""
    n, c, length = x.shape
    if length == 1:
        return x.sum(0)
    return (x.reshape(n * c, length) @ np.ones(length, x.dtype)).reshape(n, c).sum(0)[:, None]


def group_dots(x: Any, y: Any) -> Any:
    """The products of (N, C, L) with (N, C, L) summed to (C, 1)."""
    if x.shape[2] == 1:
        return (x * y).sum(0)
    return np.matmul(x[:, :, None], y[:, :, :, None]).sum(0)[:, 0]


def statistics(x: Any, eps: float) -> tuple[Any, Any, Any]:
    """Mean and 1/√(variance + eps) of each group, (C, 1), and the input without its mean."""
    size = x.shape[0] * x.shape[2]
    mean = group_sums(x) / size
    centred = x - mean
    return mean, 1 / np.sqrt(group_dots(centred, centred) / size + eps), centred


def standardized(self: Any, weight: Any, *, groups: Ints, eps: float, memo: Memo) -> Any:
    mean, scale, out = statistics(wide(self).reshape(groups), eps)
    memo.keep((self,), (mean, scale))
    out *= scale if weight is None else scale * weight[:, None]
    return out.reshape(self.shape)


def moments(self: Any, groups: Ints, eps: float, memo: Memo) -> tuple[Any, Any]:
    """Mean and scale of each group, (C, 1)."""
    return memo.about((self,), lambda: statistics(wide(self).reshape(groups), eps)[:2])


def standardized_back(
    grad: Any, self: Any, weight: Any, *, groups: Ints, eps: float, memo: Memo
) -> Any:
    """scale · weight · (g - mean(g) - x̂ · mean(g · x̂)), as a · g + b · (x - mean) + c."""
    (mean, scale), size = moments(self, groups, eps, memo), groups[0] * groups[2]
    g, out = wide(grad).reshape(groups), wide(self).reshape(groups) - mean
    total, dot = group_sums(g), group_dots(g, out) * scale
    a = scale if weight is None else scale * weight[:, None]
    out *= a * scale * dot / -size
    out -= a * total / size
    out += g * a
    return out.reshape(self.shape).astype(grad.dtype, copy=False)


def standardized_dot(grad: Any, self: Any, *, groups: Ints, eps: float, memo: Memo) -> Any:
    """Σ(g · x̂) of each group: the gradient of a weight."""
    mean, scale = moments(self, groups, eps, memo)
    dot = group_dots(wide(grad).reshape(groups), wide(self).reshape(groups) - mean) * scale
    return dot[:, 0].astype(grad.dtype, copy=False)


# ----------------------------------------------------------------------------------- second order


def means(x: Any) -> Any:
    return x.mean(axis=(0, 2), keepdims=True)


def of_groups(v: Any) -> Any:
    return reshape_to(v, shape=(1, v.shape[0], 1))


def standardize_twice(g: Any, grad: Any, self: Any, weight: Any, groups: Ints, eps: float) -> Any:
    """The derivative of `standardize_back` by the input.

    With u the gradient that came in (times the weight), v the one that comes now and s the scale:
    F = s · (Σuv - mean(u)·Σv - mean(u·x̂) · Σ(v·x̂)), where s and x̂ depend on the input.
    """
    options = {"groups": groups, "eps": eps, "memo": Memo()}
    x, u, v = (reshape_to(each, shape=groups) for each in (self, grad, g))
    u = u if weight is None else u * of_groups(weight)
    centred = x - means(x)
    s = (means(centred * centred) + eps) ** -0.5
    x_hat = centred * s
    a, b = means(u * x_hat), means(v * x_hat)
    c = means(u * v) - means(u) * means(v) - a * b
    back_u, back_v = (standardize_back(each, x, None, **options) for each in (u, v))
    return reshape_to(-(s * s * c * x_hat + s * (b * back_u + a * back_v)), shape=self.shape)


def tangent(x: Any, x_t: Any, weight: Any, weight_t: Any, **options: Any) -> Any:
    """That of `standardize`, whose Jacobian by the input is symmetric."""
    out = standardize_back(x_t, x, weight, **options)
    return out if weight is None else out + standardize(x, weight_t, **options)


def back_tangent(
    g: Any, g_t: Any, x: Any, x_t: Any, weight: Any, weight_t: Any, **options: Any
) -> Any:
    """That of `standardize_back`, whose Jacobian by the input is symmetric too, being a Hessian."""
    out = standardize_back(g_t, x, weight, **options)
    out = out + standardize_twice(x_t, g, x, weight, options["groups"], options["eps"])
    return out if weight is None else out + standardize_back(g, x, weight_t, **options)


standardize = Primitive(
    "StandardizeBackward0",
    standardized,
    jvp=lambda self, self_t, weight, weight_t, groups, eps, memo: tangent(
        self, self_t, weight, weight_t, groups=groups, eps=eps, memo=memo
    ),
    self=lambda g, self, weight, groups, eps, memo: standardize_back(
        g, self, weight, groups=groups, eps=eps, memo=memo
    ),
    weight=lambda g, self, groups, eps, memo: standardize_dot(
        g, self, groups=groups, eps=eps, memo=memo
    ),
)
standardize_back = Primitive(
    "StandardizeBackwardBackward0",
    standardized_back,
    jvp=lambda grad, grad_t, self, self_t, weight, weight_t, groups, eps, memo: back_tangent(
        grad, grad_t, self, self_t, weight, weight_t, groups=groups, eps=eps, memo=memo
    ),
    grad=lambda g, self, weight, groups, eps, memo: standardize_back(
        g, self, weight, groups=groups, eps=eps, memo=memo
    ),
    self=lambda g, grad, self, weight, groups, eps: standardize_twice(
        g, grad, self, weight, groups, eps
    ),
    weight=lambda g, grad, self, groups, eps, memo: channel_sum(
        g * standardize_back(grad, self, None, groups=groups, eps=eps, memo=memo), groups=groups
    ),
)
standardize_dot = Primitive(
    "StandardizeDotBackward0",
    standardized_dot,
    jvp=lambda grad, grad_t, self, self_t, groups, eps, memo: channel_sum(
        grad_t * standardize(self, None, groups=groups, eps=eps, memo=memo)
        + grad * standardize_back(self_t, self, None, groups=groups, eps=eps, memo=memo),
        groups=groups,
    ),
    grad=lambda g, self, groups, eps, memo: standardize(self, g, groups=groups, eps=eps, memo=memo),
    self=lambda g, grad, self, groups, eps, memo: standardize_back(
        grad, self, g, groups=groups, eps=eps, memo=memo
    ),
)
channel_sum = Primitive(
    "ChannelSumBackward0",
    lambda self, *, groups: group_sums(wide(self).reshape(groups))[:, 0].astype(self.dtype),
    jvp="linear",
    self=lambda g, self_shape, groups: reshape_to(
        expand(of_groups(g), shape=groups), shape=self_shape
    ),
)

# ----------------------------------------------------------------------------- torch's operations


def along(v: Any, ndim: int) -> Any:
    """A number per channel, ready to meet an (N, C, …) tensor."""
    return reshape_to(v, shape=(1, v.shape[0], *(1 for _ in range(ndim - 2))))


def weighted(g: Any, weight: Any) -> Any:
    return g if weight is None else mul(g, weight)


def affine(x: Any, weight: Any, bias: Any, dtype: np.dtype) -> Any:
    """x · weight + bias in place."""
    if weight is not None:
        x *= weight
    if bias is not None:
        x += bias
    return x.astype(dtype, copy=False)


def affine_tangent(
    x: Any, x_t: Any, weight: Any, weight_t: Any, bias_t: Any, place: Callable[[Any], Any]
) -> Any:
    """That of x · weight + bias; `place` brings weight and bias to the dimensions of x."""
    out = x_t if weight is None else x_t * place(weight) + x * place(weight_t)
    return out if bias_t is None else out + place(bias_t)


def standardized_jvp(place: Callable[[Any, int], Any]) -> Callable[..., Any]:
    """The tangent of a norm; `place` brings weight and bias to as many dimensions as its input."""

    def jvp(
        input: Any, input_t: Any, weight: Any, weight_t: Any, bias_t: Any,
        groups: Any, eps: Any, memo: Any,
    ) -> Any:  # fmt: skip
        x = standardize(input, None, groups=groups, eps=eps, memo=memo)
        x_t = standardize_back(input_t, input, None, groups=groups, eps=eps, memo=memo)
        return affine_tangent(x, x_t, weight, weight_t, bias_t, lambda v: place(v, input.ndim))

    return jvp


batch_norm_eval = Primitive(
    "NativeBatchNormBackward0",
    lambda input, weight, bias, *, mean, scale: affine(
        (wide(input) - along(mean, input.ndim)) * along(scale, input.ndim),
        None if weight is None else along(weight, input.ndim),
        None if bias is None else along(bias, input.ndim),
        input.dtype,
    ),
    arrays=("mean", "scale"),
    jvp=lambda input, input_t, weight, weight_t, bias_t, mean, scale: affine_tangent(
        mul(sub(input, along(mean, input.ndim)), along(scale, input.ndim)),
        mul(input_t, along(scale, input.ndim)),
        weight,
        weight_t,
        bias_t,
        lambda v: along(v, input.ndim),
    ),
    input=lambda g, input_shape, weight, mean, scale: mul(
        g, along(weighted(scale, weight), len(input_shape))
    ),
    weight=lambda g, input, mean, scale: mul(
        g * sub(input, along(mean, g.ndim)), along(scale, g.ndim)
    ).sum(axis=(0, *range(2, g.ndim))),
    bias=lambda g: g.sum(axis=(0, *range(2, g.ndim))),
)
batch_norm = Primitive(
    "NativeBatchNormBackward0",
    lambda input, weight, bias, *, groups, eps, memo: affine(
        standardized(input, weight, groups=groups, eps=eps, memo=memo),
        None,
        None if bias is None else along(bias, input.ndim),
        input.dtype,
    ),
    jvp=standardized_jvp(along),
    input=lambda g, input, weight, groups, eps, memo: standardize_back(
        g, input, weight, groups=groups, eps=eps, memo=memo
    ),
    weight=lambda g, input, groups, eps, memo: standardize_dot(
        g, input, groups=groups, eps=eps, memo=memo
    ),
    bias=lambda g, groups: channel_sum(g, groups=groups),
)
layer_norm = Primitive(
    "NativeLayerNormBackward0",
    lambda input, weight, bias, *, groups, eps, memo: affine(
        standardized(input, None, groups=groups, eps=eps, memo=memo), weight, bias, input.dtype
    ),
    jvp=standardized_jvp(lambda v, ndim: v),
    input=lambda g, input, weight, groups, eps, memo: standardize_back(
        weighted(g, weight), input, None, groups=groups, eps=eps, memo=memo
    ),
    weight=lambda g, input, groups, eps, memo: (
        g * standardize(input, None, groups=groups, eps=eps, memo=memo)
    ),
    bias=lambda g, bias: g,  # the engine sums it; torch saves the bias too
)
group_norm = Primitive(
    "NativeGroupNormBackward0",
    lambda input, weight, bias, *, groups, eps, memo: affine(
        standardized(input, None, groups=groups, eps=eps, memo=memo),
        None if weight is None else along(weight, input.ndim),
        None if bias is None else along(bias, input.ndim),
        input.dtype,
    ),
    jvp=standardized_jvp(along),
    input=lambda g, input, weight, groups, eps, memo: standardize_back(
        g if weight is None else g * along(weight, g.ndim),
        input,
        None,
        groups=groups,
        eps=eps,
        memo=memo,
    ),
    weight=lambda g, input, groups, eps, memo: (
        g * standardize(input, None, groups=groups, eps=eps, memo=memo)
    ).sum(axis=(0, *range(2, g.ndim))),
    bias=lambda g: g.sum(axis=(0, *range(2, g.ndim))),
)

__all__ = [name for name, x in globals().items() if isinstance(x, Primitive)]
