"""Convolutions in one and two dimensions, and `unfold`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .. import derivatives as d
from .. import dtypes
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
        check_weight(input, weight, n)
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
    "dilation": (1, "dilation should be greater than zero"),
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
        input = d.constant_pad(input, pad=[(0, p % 2) for p in total], value=0)
    return input, tuple(p // 2 for p in total)


def check_weight(input: Tensor, weight: Tensor, n: int) -> None:
    if weight.ndim < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if weight.ndim != n + 2:
        raise RuntimeError(
            f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional "
            f"weight{list(weight.shape)}, but got {n + 2}-dimensional input of size "
            f"{list(input.shape)} instead"
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
    for name, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.dtype is not input.dtype:
            kinds = (dtypes.cpp_name(each.array.dtype) for each in (input, x))
            raise RuntimeError(
                f"Input type ({next(kinds)}) and {name} type ({next(kinds)}) should be the same"
            )


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
    if input.ndim == 3:
        batch = unsqueeze(input, 0)
        return squeeze(unfold(batch, kernel, dilation, padding, stride), 0)
    window = window_over(input.shape[2:], kernel, stride, padding, dilation)
    if min(window.out) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(input.shape[2:])}, kernel_size={kernel}, "
            f"dilation={dilation}, padding={padding}, calculated shape of the array of sliding "
            f"blocks as {window.out}, but its components must be at least one."
        )
    return d.im2col(input, window=window)
