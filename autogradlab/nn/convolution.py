"""Convolutions in one and two dimensions, and `unfold`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..derivatives.windows import Ints, Memo, Window
from ..ops.shapes import squeeze, unsqueeze
from ..tensor import Tensor

Size = int | Sequence[int]


def many(x: Size, n: int) -> Ints:
    """A number for each of n dimensions, given as one or as n numbers."""
    x = (x,) if isinstance(x, int) else tuple(int(i) for i in x)
    return x * n if len(x) == 1 else x


def window_over(
    size: Sequence[int], kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Window:
    """A window of as many places as fit wholly inside."""
    sides = zip(size, kernel, stride, padding, dilation, strict=True)
    out = tuple((n + 2 * p - e * (k - 1) - 1) // s + 1 for n, k, s, p, e in sides)
    return Window(kernel, stride, padding, dilation, out)


def convolution(n: int) -> Callable[..., Tensor]:
    def conv(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Size = 1,
        padding: str | Size = 0,
        dilation: Size = 1,
        groups: int = 1,
    ) -> Tensor:
        if input.ndim not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to conv{n}d, but got "
                f"input of size: {list(input.shape)}"
            )
        check_weight(weight, stride, n)
        if input.ndim == n + 1:
            out = conv(unsqueeze(input, 0), weight, bias, stride, padding, dilation, groups)
            return squeeze(out, 0)
        stride, dilation = spatial("stride", stride, n), spatial("dilation", dilation, n)
        if groups <= 0:
            raise RuntimeError("non-positive groups is not supported")
        if isinstance(padding, str):
            input, padding = by_name(input, padding, weight.shape[2:], stride, dilation)
        padding = spatial("padding", padding, n)
        check_channels(input, weight, bias, groups)
        window = window_over(input.shape[2:], weight.shape[2:], stride, padding, dilation)
        check_sizes(input, weight, bias, window)
        return d.conv(input, weight, bias, window=window, groups=groups, memo=Memo())

    conv.__name__ = f"conv{n}d"
    conv.__doc__ = f"""{n}-d convolution of (N, C, …) or (C, …) with weight (O, C / groups, …).

    `padding` is a number of zeros on each side, or "same" or "valid".
    """
    return conv


conv1d, conv2d = convolution(1), convolution(2)

LOWEST = {
    "stride": (1, "non-positive stride is not supported"),
    "padding": (0, "negative padding is not supported"),
    "dilation": (1, "non-positive dilation is not supported"),
}


def spatial(name: str, x: Size, n: int) -> Ints:
    given, (lowest, text) = many(x, n), LOWEST[name]
    if len(given) != n:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {n} values to match the "
            f"convolution dimensions, but got {name}={list(given)}"
        )
    if min(given) < lowest:
        raise RuntimeError(text)
    return given


def by_name(
    input: Tensor, padding: str, kernel: Ints, stride: Ints, dilation: Ints
) -> tuple[Tensor, Ints]:
    """Padding "same" or "valid" as numbers, and the input, padded with what is not symmetric."""
    if padding == "valid":
        return input, (0,) * len(kernel)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if max(stride) > 1:
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [e * (k - 1) for k, e in zip(kernel, dilation, strict=True)]
    if any(p % 2 for p in total):
        errors.warn_once(
            "Using padding='same' with even kernel lengths and odd dilation may require a "
            "zero-padded copy of the input be created"
        )
        input = d.constant_pad(input, pad=[(0, p % 2) for p in total], value=0)
    return input, tuple(p // 2 for p in total)


def check_weight(weight: Tensor, stride: Size, n: int) -> None:
    if weight.ndim < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if weight.ndim != n + 2:
        raise RuntimeError(
            f"expected stride to be a single integer value or a list of {weight.ndim - 2} values "
            f"to match the convolution dimensions, but got stride={list(many(stride, n))}"
        )


def check_channels(input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    shape, (outputs, inputs) = list(weight.shape), weight.shape[:2]
    if outputs < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {shape} instead"
        )
    if outputs % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{shape}] instead"
        )
    if input.shape[1] != inputs * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {shape}, expected input{list(input.shape)} to "
            f"have {inputs * groups} channels, but got {input.shape[1]} channels instead"
        )
    if bias is not None and bias.shape != (outputs,):
        raise RuntimeError(
            f"Given weight of size {shape}, expected bias to be 1-dimensional with {outputs} "
            f"elements, but got bias of size {list(bias.shape)} instead"
        )


def check_sizes(input: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> None:
    if min(window.out) < 1:
        size = (n + 2 * p for n, p in zip(input.shape[2:], window.padding, strict=True))
        reach = (e * (k - 1) + 1 for k, e in zip(window.kernel, window.dilation, strict=True))
        given, needed = (" x ".join(map(str, sides)) for sides in (size, reach))
        raise RuntimeError(
            f"Calculated padded input size per channel: ({given}). Kernel size: ({needed}). Kernel "
            "size can't be greater than actual input size"
        )
    a, b = input.array.dtype, weight.array.dtype
    if a != b and a == np.float32:
        raise RuntimeError(
            f"Input type ({dtypes.type_name(a)}) and weight type ({dtypes.type_name(b)}) should be "
            "the same or input should be a MKLDNN tensor and weight is a dense tensor"
        )
    if a != b:
        names = dtypes.scalar_name(a), dtypes.scalar_name(b)
        raise RuntimeError("expected scalar type {} but found {}".format(*names))
    if bias is not None and bias.dtype is not input.dtype:
        names = dtypes.cpp_name(a), dtypes.cpp_name(bias.array.dtype)
        raise RuntimeError("Input type ({}) and bias type ({}) should be the same".format(*names))


def unfold(
    input: Tensor,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Tensor:
    """Every window of (N, C, H, W) as a column: (N, C · kernel, windows)."""
    options = {
        "kernel size": (kernel_size, "kernel", 1, "greater than zero"),
        "dilation": (dilation, "dilation", 1, "greater than zero"),
        "padding": (padding, "pad", 0, "non-negative"),
        "stride": (stride, "stride", 1, "greater than zero"),
    }
    for name, (x, short, lowest, text) in options.items():
        high, wide = many(x, 2)
        if min(high, wide) < lowest:
            raise RuntimeError(
                f"{name} should be {text}, but got {short}_height: {high} {short}_width: {wide}"
            )
    kernel, dilation, padding, stride = (many(x, 2) for x, *_ in options.values())
    window = window_over(input.shape[-2:], kernel, stride, padding, dilation)
    if min(window.out) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(input.shape[-2:])}, kernel_size={kernel}, "
            f"dilation={dilation}, padding={padding}, calculated shape of the array of sliding "
            f"blocks as {window.out}, but its components must be at least one."
        )
    return d.im2col(input, window=window)
