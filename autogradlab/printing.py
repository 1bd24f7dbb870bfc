"""The text of a tensor, character for character as PyTorch prints it.

Numbers of one tensor share one format and one width, chosen from the values shown. Large tensors
show only their edges. Tensors themselves are not known here: this works on NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import dtypes

DEFAULTS = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
PROFILES = {
    "default": {},
    "short": {"precision": 2, "edgeitems": 2},
    "full": {"threshold": float("inf")},
}
options = dict(DEFAULTS)


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors are printed.

    Args:
        precision: digits after the point.
        threshold: with more elements than this only the edges are shown.
        edgeitems: how many elements an edge has.
        linewidth: characters in a line.
        profile: "default", "short" or "full": a set of the above to start from.
        sci_mode: scientific notation always (True), never (False), or when it helps (None).
    """
    if profile in PROFILES:  # as in torch, another name changes nothing
        options.update({**DEFAULTS, **PROFILES[profile]})
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems,
             "linewidth": linewidth}
    options.update({name: value for name, value in given.items() if value is not None})
    options["sci_mode"] = sci_mode  # as in torch, every call sets it anew


class Format:
    """How the numbers of one array are written: the notation and the width they share."""

    def __init__(self, array: np.ndarray) -> None:
        self.floats = array.dtype.kind == "f"
        self.whole, self.scientific, self.width = True, False, 1
        if not self.floats:
            self.width = max((len(str(x)) for x in array.ravel().tolist()), default=1)
            return
        values = array[np.isfinite(array) & (array != 0)].astype(np.float64)
        if not values.size:
            return
        smallest, largest = np.abs(values).min(), np.abs(values).max()
        self.whole = bool((values == np.ceil(values)).all())
        with np.errstate(over="ignore"):
            wide = largest / smallest > 1000 or largest > 1e8
        self.scientific = bool(wide or (smallest < 1e-4 and not self.whole))
        if options["sci_mode"] is not None:
            self.scientific = options["sci_mode"]
        self.width = max(len(self.text(x)) for x in values.tolist())

    def text(self, x: Any) -> str:
        if not self.floats:
            return str(x)
        if self.scientific:
            return f"{x:.{options['precision']}e}"
        if self.whole:
            return f"{x:.0f}." if np.isfinite(x) else f"{x:.0f}"
        return f"{x:.{options['precision']}f}"

    def padded(self, x: Any) -> str:
        return self.text(x).rjust(self.width)


def edges(n: int, shorten: bool) -> Iterator[int | None]:
    """The indices to show of n, with None for those left out."""
    k = options["edgeitems"]
    if not shorten or n <= 2 * k:
        yield from range(n)
    else:
        yield from range(k)
        yield None
        yield from range(n - k, n)


def row(array: np.ndarray, indent: int, form: Format, shorten: bool) -> str:
    """A vector in brackets, broken into lines."""
    places = edges(len(array), shorten)
    shown = [" ..." if i is None else form.padded(array[i].item()) for i in places]
    per_line = max(1, (options["linewidth"] - indent) // (form.width + 2))
    lines = [", ".join(shown[i : i + per_line]) for i in range(0, len(shown), per_line)] or [""]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def nested(array: np.ndarray, indent: int, form: Format, shorten: bool) -> str:
    if array.ndim == 0:
        return form.padded(array.item())
    if array.ndim == 1:
        return row(array, indent, form, shorten)
    parts = [
        "..." if i is None else nested(array[i], indent + 1, form, shorten)
        for i in edges(len(array), shorten)
    ]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def corners(array: np.ndarray) -> np.ndarray:
    """The elements that a shortened print shows: they alone decide the format."""
    for axis, n in enumerate(array.shape):
        array = np.take(array, [i for i in edges(n, True) if i is not None], axis)
    return array


def tensor_repr(
    array: np.ndarray, *, grad_fn: str | None = None, requires_grad: bool = False
) -> str:
    """The text of a tensor with this data.

    Args:
        array: the data, of any shape.
        grad_fn: the name of the node that made the tensor; None for a leaf.
        requires_grad: whether it is a leaf that wants a gradient.

    >>> print(tensor_repr(np.array([-12.0, 65.0], "float32"), grad_fn="SubBackward0"))
    tensor([-12.,  65.], grad_fn=<SubBackward0>)
    """
    prefix = "tensor("
    suffixes = []
    kind = dtypes.from_numpy(array.dtype)
    if not array.size:
        text = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if array.dtype != dtypes.default:
            suffixes.append(f"dtype={kind}")
    else:
        shorten = array.size > options["threshold"]
        form = Format(corners(array) if shorten else array)
        text = nested(array, len(prefix), form, shorten)
        if array.dtype not in (dtypes.default, np.int64, np.bool_):
            suffixes.append(f"dtype={kind}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return with_suffixes(prefix + text, suffixes, len(prefix)) + ")"


def with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Facts after the numbers, each on the last line if it fits there, else on a new one."""
    length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if length + len(suffix) + 2 > options["linewidth"]:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text
