"""Convolution, and the columns it is made of.

The three pieces of a convolution's backward are convolutions again, so the formulas of the three
primitives name only each other: derivatives of any order come from these lines.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..primitive import Primitive
from . import winograd
from .windows import Ints, Memo, Window, cropped, padded

# Columns are (channels · kernel, images · places): one large matrix product per convolution beats a
# product per image or per position. They are copied in two steps, first a copy per position across,
# then one of whole blocks of lines per position down, at half the time of a copy per position.


def columns(x: Any, window: Window) -> Any:
    """Every window of `x`, shape (N, C, …), as a column: shape (C·K…, N·O…)."""
    n, c = x.shape[:2]
    if window.out == x.shape[2:] and prod(window.kernel) == 1:
        return x.swapaxes(0, 1).reshape(c, n * prod(window.out))
    x = padded(x, window.pads(x.shape[2:])).swapaxes(0, 1)
    out = np.empty((c, *window.kernel, n, *window.out), x.dtype)
    down, across = window.split()
    for j, places in across.places():
        lines = np.ascontiguousarray(x[places])
        for i, blocks in down.places():
            out[(slice(None), *i, *j)] = lines[(*blocks, slice(None))]
    return out.reshape(c * prod(window.kernel), n * prod(window.out))


def uncolumns(x: Any, shape: Ints, window: Window) -> Any:
    """The transpose of `columns`: each number added back to where it came from."""
    n, c, *size = shape
    pads = window.pads(size)
    x = x.reshape(c, *window.kernel, n, *window.out)
    total = np.zeros((c, n, *(a + i + b for i, (a, b) in zip(size, pads, strict=True))), x.dtype)
    down, across = window.split()
    for j, places in across.places():
        lines = np.zeros_like(total[places], order="C")
        for i, blocks in down.places():
            lines[(*blocks, slice(None))] += x[(slice(None), *i, *j)]
        total[places] += lines
    return np.ascontiguousarray(cropped(total, pads, size).swapaxes(0, 1))


def rows(g: Any) -> Any:
    """(N, O, …) as a matrix (O, N·…)."""
    return g.swapaxes(0, 1).reshape(g.shape[1], len(g) * prod(g.shape[2:]))


FEW = 16  # columns


def product(a: Any, b: Any) -> Any:
    """a @ b; if `b` has few columns, bᵀ @ aᵀ turned round: BLAS then reads large weights once."""
    if a.dtype == np.float16:
        return np.matmul(a, b, dtype=np.float32).astype(np.float16)
    return (b.mT @ a.mT).mT if b.shape[-1] <= FEW else a @ b


def grouped(x: Any, groups: int) -> Any:
    return x.reshape(groups, len(x) // groups, x.shape[-1])


def convolve(input: Any, weight: Any, bias: Any, *, window: Window, groups: int, memo: Memo) -> Any:
    if winograd.suits(input.shape, weight.shape, input.dtype, window, groups):
        tiles = memo.about((input,), lambda: winograd.input_tiles(input, window))
        out = winograd.convolved(tiles, weight, len(input), window)
        if bias is not None:
            out += bias.reshape(-1, 1, 1)
        return out
    made = memo.about((input,), lambda: columns(input, window))
    out = product(grouped(weight.reshape(len(weight), -1), groups), grouped(made, groups))
    out = out.reshape(len(weight), len(input), *window.out).swapaxes(0, 1)
    if bias is None:
        return np.ascontiguousarray(out)
    bias = bias.reshape(-1, *(1 for _ in window.out))
    return np.add(out, bias, out=np.empty(out.shape, out.dtype))


def input_gradient(grad: Any, weight: Any, *, shape: Ints, window: Window, groups: int) -> Any:
    if winograd.suits(shape, weight.shape, grad.dtype, window, groups):
        return winograd.input_gradient(grad, weight, shape, window)
    weight = grouped(weight.reshape(len(weight), -1), groups)
    return uncolumns(product(weight.mT, grouped(rows(grad), groups)), shape, window)


def weight_gradient(
    grad: Any, input: Any, *, shape: Ints, window: Window, groups: int, memo: Memo
) -> Any:
    if winograd.suits(input.shape, shape, grad.dtype, window, groups):
        inputs = memo.about((input,), lambda: winograd.input_tiles(input, window))
        return winograd.weight_gradient(grad, inputs, shape, window)
    made = grouped(memo.about((input,), lambda: columns(input, window)), groups)
    return product(grouped(rows(grad), groups), made.mT).reshape(shape)


conv = Primitive(
    "ConvolutionBackward0",
    convolve,
    jvp=lambda input, weight, input_t, weight_t, bias_t, window, groups, memo: (
        conv(input_t, weight, None, window=window, groups=groups, memo=Memo())
        + conv(input, weight_t, bias_t, window=window, groups=groups, memo=memo)
    ),
    input=lambda g, input_shape, weight, window, groups: conv_input(
        g, weight, shape=input_shape, window=window, groups=groups
    ),
    weight=lambda g, input, weight_shape, window, groups, memo: conv_weight(
        g, input, shape=weight_shape, window=window, groups=groups, memo=memo
    ),
    bias=lambda g: g.sum(axis=(0, *range(2, g.ndim))),
)
conv_input = Primitive(
    "ConvolutionInputBackward0",
    input_gradient,
    jvp="bilinear",
    grad=lambda g, weight, window, groups: conv(
        g, weight, None, window=window, groups=groups, memo=Memo()
    ),
    weight=lambda g, grad, weight_shape, window, groups: conv_weight(
        grad, g, shape=weight_shape, window=window, groups=groups, memo=Memo()
    ),
)
conv_weight = Primitive(
    "ConvolutionWeightBackward0",
    weight_gradient,
    jvp="bilinear",
    grad=lambda g, input, window, groups, memo: conv(
        input, g, None, window=window, groups=groups, memo=memo
    ),
    input=lambda g, grad, input_shape, window, groups: conv_input(
        grad, g, shape=input_shape, window=window, groups=groups
    ),
)


def unfolded(self: Any, *, window: Window) -> Any:
    """The columns of each image of a batch, or of one image."""
    batch = self if self.ndim == 4 else self[None]
    made = columns(batch, window)
    made = made.reshape(len(made), len(batch), prod(window.out)).swapaxes(0, 1)
    return np.ascontiguousarray(made if self.ndim == 4 else made[0])


def folded(self: Any, *, shape: Ints, window: Window) -> Any:
    batch = self if self.ndim == 3 else self[None]
    return uncolumns(rows(batch), (len(batch), *shape[-3:]), window).reshape(shape)


im2col = Primitive(
    "Im2ColBackward0",
    unfolded,
    jvp="linear",
    self=lambda g, self_shape, window: col2im(g, shape=self_shape, window=window),
)
col2im = Primitive(
    "Col2ImBackward0",
    folded,
    jvp="linear",
    self=lambda g, window: im2col(g, window=window),
)

__all__ = [name for name, x in globals().items() if isinstance(x, Primitive)]
