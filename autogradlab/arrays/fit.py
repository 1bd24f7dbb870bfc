"""Gradients that leave a level they have entered backwards: those of a tensor that was not batched,
or not dual, while what was computed from it was."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..tensor import Tensor, wrap
from . import Lifted, layer_of, levels_of, lifting
from .batch import Batch, from_batch
from .dual import Dual, tangent_of


def fit_lifted(g: Any, node: Any) -> Any:
    """`node.fit` for a gradient that holds a lifted array."""
    array, shape = g.array if isinstance(g, Tensor) else g, node.shape
    fits = tuple.__eq__(array.shape, shape) and array.dtype is node.dtype
    if fits and not array.adjoint and not any(isinstance(x, Lifted) for x in array.parts()):
        return g
    with lifting():
        out = wrap(array) if array is g else g
        for level in sorted(levels_of(array.shape) - levels_of(shape), reverse=True):
            layer = layer_of(out.array, level)
            if not layer.adjoint:
                continue
            if isinstance(layer, Batch):  # every example has used the tensor: their sum
                out = from_batch(out, level=level, count=layer.count).sum(0)
            elif isinstance(layer, Dual):  # only what comes with ε changes the loss
                out = tangent_of(out, level=level)
        if tuple(out.shape) != tuple(shape):
            lead = out.ndim - len(shape)
            axes = [i for i, m in enumerate(out.shape) if i < lead or shape[i - lead] != m]
            out = out.sum(axes, keepdim=True).reshape(tuple(shape))
        if out.array.dtype is not node.dtype:
            out = out.to(dtypes.from_numpy(node.dtype))
    return out if isinstance(g, Tensor) else out.array
