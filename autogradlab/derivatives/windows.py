"""Sliding windows: what the kernels of convolution and pooling share. No derivatives here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Ints = tuple[int, ...]


class Memo:
    """What a forward kernel worked out from its arrays, for the formulas that need it again.

    It goes from forward to backward as a constant. It knows the arrays it is about, so that for any
    others (an example under `vmap`, say) the work is done afresh. They must be arrays that the node
    saves, so that writing to them raises; of a gradient nothing is kept, since its owner may change
    it between two passes.
    """

    __slots__ = ("arrays", "value")

    def __init__(self) -> None:
        self.arrays: tuple[Any, ...] = ()

    def keep(self, arrays: tuple[Any, ...], value: Any) -> None:
        self.arrays, self.value = arrays, value

    def about(self, arrays: tuple[Any, ...], work: Callable[[], Any]) -> Any:
        """The kept value, worked out now if it is about other arrays."""
        if not self.arrays or any(a is not b for a, b in zip(self.arrays, arrays, strict=True)):
            self.keep(arrays, work())
        return self.value


class Window:
    """How a window of `kernel` numbers, `dilation` apart, moves over dimensions padded on both
    sides: `stride` numbers at a time, to `out` places."""

    __slots__ = ("dilation", "kernel", "out", "padding", "stride")

    def __init__(self, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints):
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.dilation, self.out = dilation, out

    def places(self) -> Iterator[tuple[Ints, tuple[Any, ...]]]:
        """For each position in the kernel: where all windows have it, as an index."""
        for position in itertools.product(*map(range, self.kernel)):
            sides = zip(position, self.stride, self.dilation, self.out, strict=True)
            ranges = (slice(i * d, i * d + s * (n - 1) + 1, s) for i, s, d, n in sides)
            yield position, (..., *ranges)

    def split(self) -> tuple[Window, Window]:
        """The window of all dimensions but the last, and of the last."""
        parts = self.kernel, self.stride, self.padding, self.dilation, self.out
        return Window(*(x[:-1] for x in parts)), Window(*(x[-1:] for x in parts))

    def pads(self, size: Sequence[int]) -> list[tuple[int, int]]:
        """The numbers to add before and after each dimension, so that every window fits."""
        sides = zip(
            self.kernel, self.stride, self.padding, self.dilation, self.out, size, strict=True
        )
        return [(p, max((o - 1) * s + d * (k - 1) + 1 - p - n, 0)) for k, s, p, d, o, n in sides]


def padded(x: Any, pads: Sequence[tuple[int, int]], fill: float = 0) -> Any:
    """`x` with numbers added before and after its last dimensions; a negative count cuts off."""
    if not any(map(any, pads)):
        return x
    lead, size = x.shape[: x.ndim - len(pads)], x.shape[x.ndim - len(pads) :]
    sides = list(zip(size, pads, strict=True))
    out = np.full((*lead, *(n + a + b for n, (a, b) in sides)), fill, x.dtype)
    into = (slice(max(a, 0), n + a + b - max(b, 0)) for n, (a, b) in sides)
    taken = (slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in sides)
    out[(..., *into)] = x[(..., *taken)]
    return out


def cropped(x: Any, pads: Sequence[tuple[int, int]], size: Sequence[int]) -> Any:
    """The inside of what `padded` gives."""
    return x[(..., *(slice(a, a + n) for (a, _), n in zip(pads, size, strict=True)))]
