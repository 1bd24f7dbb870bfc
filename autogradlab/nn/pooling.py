"""Maximum and average pooling. One dimension is pooled as two, of which the first has size 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import derivatives as d
from ..derivatives.windows import Ints, Window
from ..ops.arguments import needs_floats
from ..ops.reductions import mean
from ..ops.shapes import squeeze, unsqueeze
from ..tensor import Tensor
from .convolution import Size, many


def pool_window(
    input: Tensor, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> Window:
    """Where the windows are; with `ceil_mode` the last may reach beyond the padding."""
    out = []
    sides = zip(input.shape[-2:], kernel, stride, padding, dilation, strict=True)
    for n, k, s, p, e in sides:
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > (e * (k - 1) + 1) // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={e}"
            )
        room = n + 2 * p - e * (k - 1) - 1
        places = (room + (s - 1 if ceil_mode else 0)) // s + 1
        out.append(places - 1 if ceil_mode and (places - 1) * s >= n + p else places)
    if min(out) < 1:
        c, *size = input.shape[-3:]
        given, made = ("x".join(map(str, (c, *sides))) for sides in (size, out))
        raise RuntimeError(
            f"Given input size: ({given}). Calculated output size: ({made}). Output size is too "
            "small"
        )
    return Window(kernel, stride, padding, dilation, tuple(out))


def pair(function: str, name: str, x: Size) -> Ints:
    given = many(x, 2)
    if len(given) != 2:
        raise RuntimeError(
            f"{function}: {name} must either be a single int, or a tuple of two ints"
        )
    return given


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number of each window of (N, C, H, W) or (C, H, W).

    With `return_indices` also where it is, counted row by row through the (H, W) plane.
    """
    kernel = pair("max_pool2d", "kernel_size", kernel_size)
    step = kernel if stride in (None, (), []) else pair("max_pool2d", "stride", stride)
    padding = pair("max_pool2d", "padding", padding)
    dilation = pair("max_pool2d", "dilation", dilation)
    if min(step) == 0:
        raise RuntimeError("stride should not be zero")
    if min(dilation) <= 0:
        raise RuntimeError(
            "dilation should be greater than zero, but got "
            f"dilationH: {dilation[0]} dilationW: {dilation[1]}"
        )
    if input.ndim not in (3, 4):
        raise RuntimeError("non-empty 3D or 4D (batch mode) tensor expected for input")
    if 0 in input.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but "
            f"got:{list(input.shape)}"
        )
    window = pool_window(input, kernel, step, padding, dilation, ceil_mode)
    indices = d.max_indices(input, window=window)
    out = d.max_pool(input, indices=indices)
    return (out, indices) if return_indices else out


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number of each window of (N, C, L) or (C, L)."""
    if input.ndim not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got:{list(input.shape)}"
        )
    (k,), (p,), (e,) = many(kernel_size, 1), many(padding, 1), many(dilation, 1)
    (s,) = (k,) if stride in (None, (), []) else many(stride, 1)
    for name, x in (("kernel_size", k), ("stride", s), ("dilation", e)):
        if x <= 0:
            raise RuntimeError(f"max_pool1d() {name} must be greater than zero, but got {x}")
    needs_floats("max_pool1d_impl", input)
    if p < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {p}")
    if p > (e * (k - 1) + 1) // 2:
        raise RuntimeError(
            "max_pool1d() padding should be at most half of kernel size, but got "
            f"padding={p} and kernel_size={k}"
        )
    room = input.shape[-1] + 2 * p - e * (k - 1) - 1
    if room < 0:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {room // s + 1}")
    plane = unsqueeze(input, -2)
    found = max_pool2d(plane, (1, k), (1, s), (0, p), (1, e), ceil_mode, return_indices)
    if return_indices:
        return squeeze(found[0], -2), squeeze(found[1], -2)
    return squeeze(found, -2)


def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The average of each window of (N, C, H, W) or (C, H, W).

    Zeros of the padding count if `count_include_pad`; `divisor_override` is divided by instead.
    """
    kernel = pair("avg_pool2d", "kernel_size", kernel_size)
    step = kernel if stride in (None, (), []) else pair("avg_pool2d", "stride", stride)
    padding = pair("avg_pool2d", "padding", padding)
    if min(step) == 0:
        raise RuntimeError("stride should not be zero")
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    window = pool_window(input, kernel, step, padding, (1, 1), ceil_mode)
    ranges, counts = [], []
    for n, k, s, p, places in zip(input.shape[-2:], kernel, step, padding, window.out, strict=True):
        starts = np.arange(places) * s - p
        inside = np.clip(starts, 0, n), np.clip(starts + k, 0, n)
        ranges.append(list(zip(*(x.tolist() for x in inside), strict=True)))
        ends = np.minimum(starts + k, n + p) - starts
        counts.append(ends if count_include_pad else inside[1] - inside[0])
    divisor = np.multiply.outer(*counts) if divisor_override is None else divisor_override
    return d.avg_pool(
        input,
        rows=ranges[0],
        columns=ranges[1],
        divisor=np.asarray(divisor, input.array.dtype),
    )


def one_dimension(name: str, input: Tensor) -> Tensor:
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 "
            f"'self' (while checking arguments for {name})"
        )
    return unsqueeze(input, -2)


def avg_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The average of each window of (N, C, L) or (C, L)."""
    plane, (k,), (p,) = one_dimension("avg_pool1d", input), many(kernel_size, 1), many(padding, 1)
    (s,) = (k,) if stride in (None, (), []) else many(stride, 1)
    if 0 in plane.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but "
            f"got:{list(plane.shape)}"
        )
    out = avg_pool2d(plane, (1, k), (1, s), (0, p), ceil_mode, count_include_pad)
    return squeeze(out, -2)


def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Averages over a grid of `output_size` cells of (nearly) the same size; None keeps a side."""
    if not isinstance(output_size, int) and output_size is not None:
        if input.ndim <= len(output_size):
            raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
        if len(output_size) != 2:
            raise RuntimeError("adaptive_avg_pool2d: output_size must be 2")
    given = (output_size,) * 2 if isinstance(output_size, int | None) else output_size
    out = tuple(n if o is None else o for n, o in zip(input.shape[-2:], given, strict=True))
    if min(out) < 0:
        raise RuntimeError(
            "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but "
            f"received {{{out[0]}, {out[1]}}}"
        )
    if input.ndim not in (3, 4):
        raise RuntimeError(
            f"adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got {list(input.shape)}"
        )
    if out == (1, 1):
        return mean(input, (-1, -2), keepdim=True)
    ranges = [
        [(i * n // o, -(-(i + 1) * n // o)) for i in range(o)]
        for n, o in zip(input.shape[-2:], out, strict=True)
    ]
    counts = (np.array([b - a for a, b in each], input.array.dtype) for each in ranges)
    divisor = np.multiply.outer(*counts)
    return d.adaptive_avg_pool(input, rows=ranges[0], columns=ranges[1], divisor=divisor)


def adaptive_avg_pool1d(input: Tensor, output_size: Size) -> Tensor:
    """Averages over `output_size` stretches of (nearly) the same length."""
    plane = one_dimension("adaptive_avg_pool1d", input)
    size = (output_size,) if isinstance(output_size, int) else tuple(output_size)
    if len(size) != 1:
        raise RuntimeError(
            f"adaptive_avg_pool1d() argument 'output_size' should contain one int (got {len(size)})"
        )
    return squeeze(adaptive_avg_pool2d(plane, (1, *size)), -2)
