"""Pooling: the largest number, or the average, of each window of the last two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import div
from .reductions import add_up
from .windows import Memo, Window, padded

# ---------------------------------------------------------------------------------------- maximum
# A running maximum over one slice per position in the kernel, with the position that holds it in
# one byte: windows are never copied out, and indices are made only in backward.


def running_maximum(x: Any, window: Window) -> tuple[Any, Any]:
    """The largest number of each window, and which position in the kernel has it."""
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    x = padded(x, window.pads(x.shape[-2:]), lowest)
    (_, first), *others = window.places()
    largest = x[first].copy()
    winner = np.zeros(largest.shape, np.uint8 if len(others) < 256 else np.int32)
    for k, (_, places) in enumerate(others, 1):
        greater = x[places] > largest
        np.maximum(largest, x[places], out=largest)
        np.maximum(winner, greater.view(np.uint8) * winner.dtype.type(k), out=winner)
    return largest, winner


def pooled(self: Any, *, window: Window, memo: Memo) -> Any:
    largest, winner = running_maximum(self, window)
    memo.keep((self,), winner)
    return largest


def winners(self: Any, window: Window, memo: Memo) -> Any:
    """Where in its plane the largest number of each window is, counted row by row."""
    winner = memo.about((self,), lambda: running_maximum(self, window)[1])
    width, (row, column) = self.shape[-1], window.dilation
    kernel = np.add.outer(
        np.arange(window.kernel[0]) * row * width, np.arange(window.kernel[1]) * column
    )
    sides = zip(window.out, window.stride, window.padding, strict=True)
    top, left = (np.arange(n) * s - p for n, s, p in sides)
    return kernel.reshape(-1)[winner] + np.add.outer(top * width, left)


def flat(indices: Any, self: Any) -> Any:
    """Indices in planes as indices in all of `self`."""
    planes = indices.reshape(-1, *indices.shape[-2:])
    starts = np.arange(len(planes)) * self.shape[-2] * self.shape[-1]
    return (planes + starts[:, None, None]).reshape(-1)


def put_to_winners(grad: Any, self: Any, *, window: Window, memo: Memo) -> Any:
    total = np.zeros(self.shape, grad.dtype)
    np.add.at(total.reshape(-1), flat(winners(self, window, memo), self), grad.reshape(-1))
    return total


def take_from_winners(values: Any, self: Any, *, window: Window, memo: Memo) -> Any:
    indices = winners(self, window, memo)
    return values.reshape(-1)[flat(indices, self)].reshape(indices.shape)


max_pool = Primitive(
    "MaxPool2DWithIndicesBackward0",
    pooled,
    jvp=lambda self, self_t, window, memo: max_take(self_t, self, window=window, memo=memo),
    self=lambda g, self, window, memo: max_put(g, self, window=window, memo=memo),
)
max_indices = Primitive(
    "MaxPool2DIndices", lambda self, *, window, memo: winners(self, window, memo)
)
max_put = Primitive(
    "MaxPool2DWithIndicesBackwardBackward0",
    put_to_winners,
    jvp=lambda self, grad_t, window, memo: max_put(grad_t, self, window=window, memo=memo),
    grad=lambda g, self, window, memo: max_take(g, self, window=window, memo=memo),
    self=lambda g: None,  # the winners do not move
)
max_take = Primitive(
    "MaxPool2DTakeBackward0",
    take_from_winners,
    jvp=lambda self, values_t, window, memo: max_take(values_t, self, window=window, memo=memo),
    values=lambda g, self, window, memo: max_put(g, self, window=window, memo=memo),
    self=lambda g: None,
)

# ---------------------------------------------------------------------------------------- average
# Windows are products of ranges, so their sums are sums over rows, then over columns; and the
# transpose of summing over ranges is summing over ranges.

Ranges = list[tuple[int, int]]


def sums(self: Any, *, rows: Ranges, columns: Ranges) -> Any:
    """The sum of every window: rows from a to b (without b), and so for columns."""
    for axis, ranges in ((-2, rows), (-1, columns)):
        lines = np.moveaxis(self, axis, 0)
        found = [add_up(lines[a:b], (0,), False, None) for a, b in ranges]
        self = np.moveaxis(np.stack(found) if found else lines[:0], 0, axis)
    return np.ascontiguousarray(self)


def turned(ranges: Ranges, size: int) -> Ranges:
    """For each of `size` places: from which to which range it lies in."""
    starts, ends = np.array(ranges, np.int64).reshape(-1, 2).T
    places = np.arange(size)
    first, last = np.searchsorted(ends, places, "right"), np.searchsorted(starts, places, "right")
    return list(zip(first.tolist(), last.tolist(), strict=True))


avg_pool = Primitive(
    "AvgPool2DBackward0",
    lambda self, *, rows, columns, divisor: sums(self, rows=rows, columns=columns) / divisor,
    jvp="linear",
    batch="leading",
    self=lambda g, self, rows, columns, divisor: window_sums(
        div(g, divisor),
        rows=turned(rows, self.shape[-2]),
        columns=turned(columns, self.shape[-1]),
    ),
)
adaptive_avg_pool = avg_pool.named("AdaptiveAvgPool2DBackward0")
window_sums = Primitive(
    "AvgPool2DBackwardBackward0",
    sums,
    jvp="linear",
    batch="leading",
    self=lambda g, self_shape, rows, columns: window_sums(
        g, rows=turned(rows, self_shape[-2]), columns=turned(columns, self_shape[-1])
    ),
)

__all__ = [name for name, x in globals().items() if isinstance(x, Primitive)]
