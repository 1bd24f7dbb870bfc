"""Scaled dot-product attention."""

from __future__ import annotations

import math

import numpy as np

from .. import derivatives as d
from .. import dtypes
from ..ops.elementwise import add
from ..ops.products import matmul
from ..ops.shapes import transpose
from ..tensor import Tensor, wrap
from .layers import dropout


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """softmax(query · keyᵀ · scale + mask) · value, with shapes (…, L, E), (…, S, E), (…, S, V).

    A boolean mask says what may be attended to, any other is added. `scale` is 1/√E by default.
    As in torch, four dimensions are one fused node, anything else is made of the single steps.

    Source: Vaswani et al., Attention Is All You Need (2017).
    """
    check(query, key, value, attn_mask)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if fused(query, key, value, attn_mask, dropout_p):
        options = {"mask": attn_mask, "causal": is_causal, "scale": scale}
        return d.attention(query, key, value, **options, memo=d.windows.Memo())
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    if is_causal:
        attn_mask = wrap(d.layers.allowed(query.shape[-2], key.shape[-2]))
    root = math.sqrt(scale)
    scaled_key = d.mul_number(transpose(key, -2, -1), other=root)
    scores = matmul(d.mul_number(query, other=root), scaled_key)
    if attn_mask is not None:
        scores = add(scores, additive(attn_mask, query))
    weights = d.safe_softmax(scores)
    return matmul(dropout(weights, dropout_p) if dropout_p > 0 else weights, value)


def additive(mask: Tensor, query: Tensor) -> Tensor:
    """A boolean mask as numbers to add: 0 where it holds, -inf elsewhere."""
    if mask.array.dtype.kind != "b":
        return mask
    zero = query.array.dtype.type(0)
    return wrap(np.where(mask.array, zero, query.array.dtype.type(-np.inf)))


def fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float) -> bool:
    """Whether torch's CPU has one kernel for this."""
    shapes = query.shape, key.shape, value.shape
    return (
        all(len(s) == 4 and s[:2] == query.shape[:2] and 0 not in s for s in shapes)
        and query.shape[-1] == key.shape[-1] == value.shape[-1]
        and key.shape[-2] == value.shape[-2]
        and dropout_p == 0
        and (mask is None or (mask.ndim in (2, 4) and not mask.requires_grad))
    )


def check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    if min(x.ndim for x in (query, key, value)) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    kinds = [dtypes.cpp_name(x.array.dtype) for x in (query, key, value)]
    if len(set(kinds)) > 1:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            "{} key.dtype: {} and value.dtype: {} instead.".format(*kinds)
        )
    if mask is not None and mask.array.dtype.kind not in "bf":
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {dtypes.cpp_name(mask.array.dtype)} and  query.dtype: {kinds[0]} "
            "instead."
        )
