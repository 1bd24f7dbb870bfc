"""Pooling: the largest number, or the average, of each window of the last two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import div
from .reductions import add_up
from .windows import Ints, Window, padded

# ---------------------------------------------------------------------------------------- maximum
# A running maximum over one slice per position in the kernel, with the place that holds it in as
# few bytes as will do: windows are never copied out, and each slice is read from where it is
# scattered only once, into one that wide instructions can use.


def winners(self: Any, *, window: Window) -> Any:
    """Where in its plane the largest number of each window is, counted row by row."""
    lowest = -np.inf if self.dtype.kind == "f" else np.iinfo(self.dtype).min
    x = padded(self, window.pads(self.shape[-2:]), lowest)
    has_nan = self.dtype.kind == "f" and np.isnan(x.max(initial=lowest))
    width, (row, column) = self.shape[-1], window.dilation
    (_, first), *others = window.places()
    largest = x[first].copy()
    last = (window.kernel[0] - 1) * row * width + (window.kernel[1] - 1) * column
    winner = np.zeros(largest.shape, np.min_scalar_type(last))
    for (i, j), places in others:
        value = x[places].copy()
        greater = value > largest
        if has_nan:
            greater |= value != value  # the last nan wins, as in torch
        np.maximum(largest, value, out=largest)
        place = winner.dtype.type(i * row * width + j * column)
        np.maximum(winner, greater.view(np.uint8) * place, out=winner)
    sides = zip(window.out, window.stride, window.padding, strict=True)
    top, left = (np.arange(n) * s - p for n, s, p in sides)
    return winner + np.add.outer(top * width, left)


def flat(indices: Any, shape: Ints) -> Any:
    """Indices in planes as indices in all of an array of that shape."""
    planes = indices.reshape(-1, *indices.shape[-2:])
    starts = np.arange(len(planes)) * shape[-2] * shape[-1]
    return (planes + starts[:, None, None]).reshape(-1)


def put(self: Any, *, indices: Any, shape: Ints) -> Any:
    out = np.zeros(shape, self.dtype)
    np.add.at(out.reshape(-1), flat(indices, shape), self.reshape(-1))
    return out


max_indices = Primitive("MaxIndices", winners)
max_pool = Primitive(
    "MaxPool2DWithIndicesBackward0",
    lambda self, *, indices: (
        self.reshape(-1).take(flat(indices, self.shape)).reshape(indices.shape)
    ),
    jvp="linear",
    arrays=("indices",),
    self=lambda g, self, indices: max_put(g, indices=indices, shape=self.shape),
)
max_put = Primitive(
    "MaxPool2DWithIndicesBackwardBackward0",
    put,
    jvp="linear",
    arrays=("indices",),
    self=lambda g, indices: max_pool(g, indices=indices),
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
