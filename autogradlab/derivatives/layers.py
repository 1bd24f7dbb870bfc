"""Layers that look up, pad and attend."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import mul
from .windows import Ints, padded

# -------------------------------------------------------------------------------------- embedding


def rows_added(grad: Any, indices: Any, count: int) -> Any:
    """Each row of the gradient added to the row its index names: sorted, then in one sweep."""
    out = np.zeros((count, grad.shape[-1]), grad.dtype)
    if indices.size:
        order = np.argsort(indices, axis=None, kind="stable")
        found, starts = np.unique(indices.reshape(-1)[order], return_index=True)
        out[found] = np.add.reduceat(grad.reshape(-1, grad.shape[-1])[order], starts)
    return out


def row_scale(indices: Any, padding_idx: int, scale_grad_by_freq: bool) -> Any:
    """How much each looked-up row counts in the gradient."""
    scale = np.where(indices == padding_idx, 0.0, 1.0)
    if scale_grad_by_freq:
        _, place, counts = np.unique(indices, return_inverse=True, return_counts=True)
        scale = scale / counts[place].reshape(indices.shape)
    return scale[..., None]


def embedding_gradient(
    g: Any, count: int, indices: Any, padding_idx: int, scale_grad_by_freq: bool
) -> Any:
    if scale_grad_by_freq or padding_idx >= 0:
        g = mul(g, row_scale(indices, padding_idx, scale_grad_by_freq))
    return embedding_back(g, indices=indices, count=count)


embedding = Primitive(
    "EmbeddingBackward0",
    lambda weight, *, indices, padding_idx, scale_grad_by_freq: weight[indices],
    jvp="linear",
    arrays=("indices",),
    weight=lambda g, weight_shape, indices, padding_idx, scale_grad_by_freq: embedding_gradient(
        g, weight_shape[0], indices, padding_idx, scale_grad_by_freq
    ),
)
embedding_back = Primitive(
    "EmbeddingDenseBackwardBackward0",
    lambda grad, *, indices, count: rows_added(grad, indices, count),
    jvp="linear",
    arrays=("indices",),
    grad=lambda g, indices: embedding(g, indices=indices, padding_idx=-1, scale_grad_by_freq=False),
)

# ---------------------------------------------------------------------------------------- padding

constant_pad = Primitive(
    "ConstantPadNdBackward0",
    lambda self, *, pad, value: padded(self, pad, value),
    jvp=lambda self_t, pad: constant_pad(self_t, pad=pad, value=0),
    batch="leading",
    self=lambda g, pad: constant_pad(g, pad=[(-a, -b) for a, b in pad], value=0),
)


def taken(self: Any, *, places: tuple[Any, ...]) -> Any:
    """For each of the last dimensions, the places its numbers come from."""
    for axis, place in enumerate(places, self.ndim - len(places)):
        self = self.take(place, axis)
    return self


def put_back(self: Any, *, places: tuple[Any, ...], shape: Ints) -> Any:
    """The transpose of `taken`."""
    for axis, place in enumerate(places, self.ndim - len(places)):
        out = np.zeros((shape[axis], *np.delete(self.shape, axis)), self.dtype)
        np.add.at(out, place, np.moveaxis(self, axis, 0))
        self = np.moveaxis(out, 0, axis)
    return np.ascontiguousarray(self)


pad_places = Primitive(
    "PadPlacesBackward0",
    taken,
    jvp="linear",
    batch="leading",
    self=lambda g, self, places: pad_back(g, places=places, shape=self.shape),
)
pad_back = Primitive(
    "PadPlacesBackwardBackward0",
    put_back,
    jvp="linear",
    self=lambda g, places: pad_places(g, places=places),
)
reflection_pad = {n: pad_places.named(f"ReflectionPad{n}DBackward0") for n in (1, 2, 3)}
replication_pad = {n: pad_places.named(f"ReplicationPad{n}DBackward0") for n in (1, 2, 3)}

# -------------------------------------------------------------------------------------- attention


def softmax_of(x: Any) -> Any:
    """Softmax of the last dimension, in place; zeros where nothing is allowed."""
    largest = x.max(-1, keepdims=True, initial=-np.inf)
    x -= np.where(largest == -np.inf, x.dtype.type(0), largest)
    np.exp(x, out=x)
    total = x.sum(-1, keepdims=True)
    x /= np.where(total == 0, x.dtype.type(1), total)
    return x


def softmax_gradient(g: Any, result: Any) -> Any:
    return result * (g - (g * result).sum(axis=-1, keepdims=True))


safe_softmax = Primitive(
    "SafeSoftmaxBackward0",
    lambda self: softmax_of(self.copy()),
    batch="leading",
    jvp=lambda self_t, result: softmax_gradient(self_t, result),
    self=lambda g, result: softmax_gradient(g, result),
)


def allowed(queries: int, keys: int) -> Any:
    """The causal mask: a query sees the keys up to its own position."""
    return np.tri(queries, keys, dtype=bool)


def masked_softmax(query: Any, key: Any, mask: Any, causal: bool, scale: float) -> Any:
    scores = (query * query.dtype.type(scale)) @ key.mT
    if causal:
        np.copyto(scores, -np.inf, where=~allowed(*scores.shape[-2:]))
    if mask is not None and mask.dtype.kind == "b":
        scores = np.where(mask, scores, scores.dtype.type(-np.inf))
    elif mask is not None:
        scores += mask
    return softmax_of(scores)


attention_weights = Primitive(
    "AttentionWeightsBackward0",
    lambda query, key, *, mask, causal, scale, memo: memo.about(
        (query, key), lambda: masked_softmax(query, key, mask, causal, scale)
    ),
    arrays=("mask",),
    jvp=lambda query, query_t, key, key_t, result, scale: softmax_gradient(
        (query_t @ key.mT + query @ key_t.mT) * scale, result
    ),
    query=lambda g, key, result, scale: softmax_gradient(g, result) @ key * scale,
    key=lambda g, query, result, scale: softmax_gradient(g, result).mT @ query * scale,
)


def attended(query: Any, key: Any, value: Any, **options: Any) -> Any:
    return attention_weights(query, key, **options) @ value


def attended_tangent(
    query: Any, query_t: Any, key: Any, key_t: Any, value: Any, value_t: Any, **options: Any
) -> Any:
    weights = attention_weights(query, key, **options)
    scores_t = (query_t @ key.mT + query @ key_t.mT) * options["scale"]
    return softmax_gradient(scores_t, weights) @ value + weights @ value_t


def scores_gradient(g: Any, query: Any, key: Any, value: Any, **options: Any) -> Any:
    """The gradient of what the softmax is taken of."""
    return softmax_gradient(g @ value.mT, attention_weights(query, key, **options))


attention = Primitive(
    "ScaledDotProductFlashAttentionForCpuBackward0",
    lambda query, key, value, *, mask, causal, scale, memo: attended(
        query, key, value, mask=mask, causal=causal, scale=scale, memo=memo
    ),
    arrays=("mask",),
    jvp=lambda query, query_t, key, key_t, value, value_t, mask, causal, scale, memo: (
        attended_tangent(
            query,
            query_t,
            key,
            key_t,
            value,
            value_t,
            mask=mask,
            causal=causal,
            scale=scale,
            memo=memo,
        )
    ),
    # torch saves the result too
    query=lambda g, query, key, value, result, mask, causal, scale, memo: (
        scores_gradient(g, query, key, value, mask=mask, causal=causal, scale=scale, memo=memo)
        @ key
        * scale
    ),
    key=lambda g, query, key, value, result, mask, causal, scale, memo: (
        scores_gradient(g, query, key, value, mask=mask, causal=causal, scale=scale, memo=memo).mT
        @ query
        * scale
    ),
    value=lambda g, query, key, result, mask, causal, scale, memo: (
        attention_weights(query, key, mask=mask, causal=causal, scale=scale, memo=memo).mT @ g
    ),
)

__all__ = [name for name, x in globals().items() if isinstance(x, Primitive)]
__all__ += ["reflection_pad", "replication_pad"]
