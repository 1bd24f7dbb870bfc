"""The nonlinearities of neural networks, element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import pi
from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import exp, masked, sigmoid, tanh, where
from .error_function import erf as erf_value
from .shapes import cat, slice_

nonlinearity = partial(Primitive, jvp="elementwise", batch="elementwise")


def elu_value(x: Any, alpha: float, scale: float) -> Any:
    return np.where(x > 0, x * scale, np.expm1(np.minimum(x, 0)) * (alpha * scale))[()]


def softplus_value(x: Any, beta: float, threshold: float) -> Any:
    return np.where(x * beta > threshold, x, np.log1p(np.exp(x * beta)) / beta)[()]


def sigmoid_value(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# gelu(x) = x Φ(x), with Φ the normal distribution function: exactly, or by a tanh that is near it.


def by_pieces(function: Callable[..., Any], piece: int = 1 << 15) -> Callable[..., Any]:
    """The function of each element on so many at a time, so that what it computes on its way takes
    next to no memory."""

    def whole(x: Any, *constants: Any) -> Any:
        if x.size <= piece or not x.flags.c_contiguous:
            return function(x, *constants)
        out = np.empty_like(x)
        flat, into = x.reshape(-1), out.reshape(-1)
        for i in range(0, x.size, piece):
            into[i : i + piece] = function(flat[i : i + piece], *constants)
        return out

    return whole


@by_pieces
def gelu_value(x: Any, approximate: str) -> Any:
    out = np.tanh(bent(x)) if approximate == "tanh" else erf_value(x * 0.5**0.5)
    out += 1
    out *= x
    out *= 0.5
    return out


@by_pieces
def gelu_slope(x: Any, approximate: str) -> Any:
    """Φ(x) + x φ(x), mostly in place: a transformer spends a tenth of its time here."""
    if approximate == "tanh":
        inner = np.tanh(bent(x))
        bend = (2 / pi) ** 0.5 * (1 + 3 * 0.044715 * x * x)
        return (1 + inner) / 2 + x * (1 - inner * inner) * bend / 2
    out = np.exp(x * x * -0.5)
    out *= (2 * pi) ** -0.5
    out *= x
    normal = erf_value(x * 0.5**0.5)
    normal += 1
    normal *= 0.5
    out += normal
    return out


def sloped(grad: Any, self: Any, *, approximate: str) -> Any:
    slope = gelu_slope(self, approximate)
    if slope.shape != grad.shape:
        return slope * grad
    slope *= grad
    return slope


def gelu_curve(x: Any, approximate: str) -> Any:
    """The second derivative."""
    if approximate == "tanh":
        inner, root = tanh(bent(x)), (2 / pi) ** 0.5
        bend = root * (1 + 3 * 0.044715 * x * x)
        return (1 - inner * inner) * (
            bend + x * (root * 3 * 0.044715 * x - inner * bend * bend)
        )
    return exp(x * x * -0.5) * (2 * pi) ** -0.5 * (2 - x * x)


def bent(x: Any) -> Any:
    """The argument of the tanh (Hendrycks and Gimpel 2016, eq. 2)."""
    return (2 / pi) ** 0.5 * (x + 0.044715 * x * x * x)


def silu_slope(x: Any) -> Any:
    gate = sigmoid(x)
    return gate * (1 + x * (1 - gate))


def mish_slope(x: Any) -> Any:
    bend = tanh(softplus(x, beta=1, threshold=20))
    return bend + x * sigmoid(x) * (1 - bend * bend)


def halves(x: Any, dim: int) -> tuple[Any, Any]:
    n = x.shape[dim] // 2
    return (
        slice_(x, dim=dim, start=0, end=n, step=1),
        slice_(x, dim=dim, start=n, end=2 * n, step=1),
    )


def glu_gradient(g: Any, x: Any, dim: int) -> Any:
    a, b = halves(x, dim)
    gate = sigmoid(b)
    return cat(g * gate, g * a * gate * (1 - gate), dim=dim)


def glu_tangent(x: Any, x_t: Any, dim: int) -> Any:
    (a, b), (a_t, b_t) = halves(x, dim), halves(x_t, dim)
    gate = sigmoid(b)
    return gate * (a_t + a * (1 - gate) * b_t)


hardtanh = nonlinearity(
    "HardtanhBackward0",
    lambda self, *, min_val, max_val: np.clip(self, min_val, max_val).astype(self.dtype),
    self=lambda g, self, min_val, max_val: masked(g, (self > min_val) & (self < max_val)),
)
leaky_relu = nonlinearity(
    "LeakyReluBackward0",
    lambda self, *, negative_slope: np.where(self > 0, self, self * negative_slope)[()],
    self=lambda g, self, negative_slope: where(g, g * negative_slope, condition=self > 0),
)
leaky_relu_in_place = nonlinearity(
    "LeakyReluBackward1",
    leaky_relu.forward,
    self=lambda g, result, negative_slope: where(g, g * negative_slope, condition=result > 0),
)
elu = nonlinearity(
    "EluBackward0",
    lambda self, *, alpha, scale: elu_value(self, alpha, scale),
    self=lambda g, self, alpha, scale: where(
        g * scale, g * (alpha * scale) * exp(self), condition=self > 0
    ),
)
elu_in_place = nonlinearity(
    "EluBackward1",
    elu.forward,
    self=lambda g, result, alpha, scale: where(
        g * scale, g * (result + alpha * scale), condition=result > 0
    ),
)
gelu = nonlinearity(
    "GeluBackward0",
    lambda self, *, approximate: gelu_value(self, approximate),
    self=lambda g, self, approximate: gelu_back(g, self, approximate=approximate),
)
gelu_back = nonlinearity(
    "GeluBackwardBackward0",
    sloped,
    grad=lambda g, self, approximate: gelu_back(g, self, approximate=approximate),
    self=lambda g, grad, self, approximate: g * grad * gelu_curve(self, approximate),
)
silu = nonlinearity(
    "SiluBackward0",
    lambda self: self * sigmoid_value(self),
    self=lambda g, self: g * silu_slope(self),
)
mish = nonlinearity(
    "MishBackward0",
    lambda self: self * np.tanh(softplus_value(self, 1, 20)),
    self=lambda g, self: g * mish_slope(self),
)
softplus = nonlinearity(
    "SoftplusBackward0",
    lambda self, *, beta, threshold: softplus_value(self, beta, threshold),
    self=lambda g, self, beta, threshold: where(
        g, g * sigmoid(self * beta), condition=self * beta > threshold
    ),
)
logsigmoid = nonlinearity(
    "LogSigmoidBackward0",
    lambda self: np.minimum(self, 0) - np.log1p(np.exp(-np.abs(self))),
    self=lambda g, self: g * sigmoid(-self),
)
hardsigmoid = nonlinearity(
    "HardsigmoidBackward0",
    lambda self: np.clip(self + 3, 0, 6) / 6,
    self=lambda g, self: masked(g / 6, (self > -3) & (self < 3)),
)
hardswish = nonlinearity(
    "HardswishBackward0",
    lambda self: self * np.clip(self + 3, 0, 6) / 6,
    self=lambda g, self: where(g, masked(g * (self / 3 + 0.5), self > -3), condition=self >= 3),
)
prelu = nonlinearity(
    "PreluKernelBackward0",
    lambda self, weight: np.where(self > 0, self, self * weight)[()],
    self=lambda g, self, weight: where(g, g * weight, condition=self > 0),
    weight=lambda g, self: where(0.0, g * self, condition=self > 0),
)
glu = Primitive(
    "GluBackward0",
    lambda self, *, dim: halves(self, dim)[0] * sigmoid_value(halves(self, dim)[1]),
    jvp=lambda self, self_t, dim: glu_tangent(self, self_t, dim),
    batch="leading",
    self=lambda g, self, dim: glu_gradient(g, self, dim),
)

__all__ = [name for name, x in globals().items() if isinstance(x, Primitive)]
