"""What the pictures ask of an engine, the same of autogradlab and of PyTorch: which engine it is, a
tensor in numbers, what a node has saved and how its operation was called."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from .data import Histogram, Summary

# ------------------------------------------------------------------- tensors of either engine


def engine_of(tensor: Any) -> Any:
    """The module of the engine that a tensor belongs to."""
    for kind in type(tensor).__mro__:
        if kind.__module__.partition(".")[0] in ("torch", "autogradlab"):
            engine = sys.modules[kind.__module__.partition(".")[0]]
            if engine.is_tensor(tensor):
                return engine
    raise TypeError(f"expected a tensor of autogradlab or PyTorch, not {type(tensor).__name__}")


def array_of(tensor: Any) -> np.ndarray:
    """The data as a NumPy array."""
    tensor = tensor.detach() if tensor.is_cpu else tensor.detach().cpu()
    return (tensor.float() if dtype_of(tensor) == "bfloat16" else tensor).numpy()


def dtype_of(about: Any) -> str:
    return str(about.dtype).removeprefix("torch.")


def numpy_name(dtype: str) -> str:
    """The type NumPy computes in: it has no bfloat16."""
    return "float32" if dtype == "bfloat16" else dtype


CHUNK = 1 << 16  # elements; their copy in float64 stays in the processor's cache
SAMPLE = 4096  # elements a histogram looks at, evenly strided
IN_FULL = 64  # elements up to which a summary holds the values themselves


def summarize(tensor: Any) -> Summary | None:
    """A tensor, or an array, in numbers; None for None.

    Norm and mean are sums in float64. Of many float32, the squares of 65,536 elements and the
    elements of rows of 128 are summed in float32, which keeps six digits of the norm and, since a
    sum that mostly cancels is done again, five of the mean.

    >>> summarize(np.array([3.0, 0.0, -4.0])).norm
    5.0
    """
    if tensor is None:
        return None
    a = tensor if isinstance(tensor, np.ndarray) else array_of(tensor)
    flat = a.ravel(order="K")  # in the order of memory, which mostly needs no copy
    with np.errstate(all="ignore"):
        small, sample = a.size <= IN_FULL, []
        found = _in_chunks(flat, sample if not small else None) or _scaled(flat)
        norm, mean, low, high, zeros, nonfinite = found
    return Summary(
        shape=tuple(tensor.shape),
        dtype=dtype_of(tensor),
        norm=norm,
        mean=mean,
        min=low,
        max=high,
        zeros=zeros,
        nonfinite=nonfinite,
        values=_nested(a.tolist()) if small else None,
        nbytes=tensor.nbytes,
        ends=ends_of(a),
        histogram=None if small else histogram(np.concatenate(sample), a.size),
    )


def ends_of(a: np.ndarray) -> tuple[float, ...]:
    """The first two elements and the last one, of an array that is not shown in full."""
    return () if a.size <= IN_FULL else (a.item(0), a.item(1), a.item(-1))


Numbers = tuple[float, float, float, float, int, int]  # norm, mean, min, max, zeros, nonfinite


def _in_chunks(flat: np.ndarray, sample: list[np.ndarray] | None) -> Numbers | None:
    """In one pass, without a copy of the whole; None if an element is not finite, or so large or
    small that squares overflow or vanish. Puts the elements for a histogram into `sample`."""
    squares = total = 0.0
    low, high, count, length = np.inf, -np.inf, 0, min(CHUNK, flat.size)
    step = -(-flat.size // SAMPLE)
    many = flat.size > SAMPLE and flat.dtype == np.float32
    wide, nonzero = np.empty(0 if many else length), np.empty(length, bool)
    for start in range(0, flat.size, CHUNK):
        chunk = flat[start : start + CHUNK]
        n = chunk.size
        least, most = float(np.minimum.reduce(chunk)), float(np.maximum.reduce(chunk))
        # Sums of many float32 keep its seven digits chunk by chunk, where no square leaves its
        # range; to copy them to float64 first takes twice as long as all the rest.
        if many and 1e-10 < max(-least, most) < 1e15:
            x = chunk
        elif wide.size:
            x = wide[:n]
            x[...] = chunk
        else:
            x = chunk.astype(np.float64)
        squares += float(x.dot(x))
        total += _sum(x) if x is chunk else _sum64(chunk)
        low, high = min(low, least), max(high, most)
        count += int(np.count_nonzero(np.not_equal(chunk, 0, out=nonzero[:n])))
        if sample is not None:  # taken while the chunk is at hand
            sample.append(chunk[-start % step :: step])
    # Rows in float32 are off by some 3e-10 of all sizes together: what cancels is summed again.
    if many and abs(total) < 2e-5 * math.sqrt(squares * flat.size):
        total = sum(_sum64(flat[i : i + CHUNK]) for i in range(0, flat.size, CHUNK))
    # A square below float64's smallest normal number has lost digits; here none counts.
    if not math.isfinite(squares) or (squares < 1e-280 and count) or not flat.size:
        return None
    return math.sqrt(squares), total / flat.size, low, high, flat.size - count, 0


def _sum64(chunk: np.ndarray) -> float:
    """In float64: einsum casts in half the time of `sum`."""
    return float(np.einsum("i->", chunk, dtype=np.float64))


ROW = np.ones(128, np.float32)


def _sum(chunk: np.ndarray) -> float:
    """Rows of 128 in float32, their sums in float64: two fifths of the time."""
    end = chunk.size & -ROW.size
    total = float(np.add.reduce(chunk[:end].reshape(-1, ROW.size) @ ROW, dtype=np.float64))
    return total if end == chunk.size else total + _sum64(chunk[end:])


def _scaled(flat: np.ndarray) -> Numbers:
    """The same for any numbers, over those that are finite; 0.0 if there are none."""
    finite = flat[np.isfinite(flat)].astype(np.float64)
    some = finite if finite.size else np.zeros(1)
    # Scaled by a power of two, the squares neither overflow nor vanish, and nothing is rounded.
    _, exponent = np.frexp(np.abs(some).max())
    scaled = np.ldexp(some, -exponent)
    norm, mean = (float(np.ldexp(x, exponent)) for x in (np.linalg.norm(scaled), scaled.mean()))
    zeros = int(flat.size - np.count_nonzero(flat))
    return (
        *(min(norm, sys.float_info.max), mean, float(some.min()), float(some.max())),
        *(zeros, flat.size - finite.size),
    )


def histogram(sample: np.ndarray, size: int) -> Histogram:
    """The sizes of the elements of an array in bins of a factor of two; `size` is how many elements
    the tensor has that they are a sample of.

    >>> found = histogram(np.array([1.0, -1.5, 0.25, 0.0, np.nan]), 5)
    >>> [round(10**edge, 3) for edge in found.edges], found.counts, found.zeros, found.nonfinite
    ([0.25, 0.5, 1.0, 2.0], (1, 0, 2), 1, 1)
    """
    zeros = sample.size - int(np.count_nonzero(sample))
    lowest, by_exponent = _by_exponent(sample, zeros)
    (found,) = by_exponent.nonzero()
    first, end = (int(found[0]), int(found[-1]) + 1) if found.size else (0, 0)
    counts = tuple(by_exponent[first:end].tolist())
    first += lowest - 1 - LEAST
    return Histogram(
        edges=OCTAVES[first : first + len(counts) + 1] if counts else (),
        counts=counts,
        zeros=zeros,
        nonfinite=sample.size - zeros - sum(counts),
        size=sample.size,
        sampled=sample.size < size,
    )


def _by_exponent(sample: np.ndarray, zeros: int) -> tuple[int, np.ndarray]:
    """How many numbers have 2^(e − 1) ≤ |x| < 2^e, for each e from the one that is given on."""
    if sample.dtype == np.float32:  # the exponent as it is stored, in a quarter of the time
        fields = (sample.view(np.uint32) >> 23).astype(np.uint8)  # the sign is cut off
        counts = np.bincount(fields, minlength=256)
        if counts[0] == zeros:  # a subnormal number has none
            return -125, counts[1:255]  # the last one is that of inf and nan
    some = sample[np.isfinite(sample) & (sample != 0)]
    return LEAST, np.bincount(np.frexp(some)[1] - LEAST)


LEAST = -1075  # below the exponent of float64's smallest number
OCTAVES = tuple(math.log10(2) * e for e in range(LEAST, 1026))


def _nested(x: Any) -> Any:
    return tuple(_nested(y) for y in x) if isinstance(x, list) else x


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal up to rounding, half of the digits."""
    if a.shape != b.shape or not a.size:
        return a.shape == b.shape
    rtol = float(np.sqrt(np.finfo(b.dtype).eps)) if b.dtype.kind == "f" else 0.0
    finite = np.abs(b[np.isfinite(b)])
    return np.allclose(a, b, rtol, rtol * float(finite.max(initial=0.0)), equal_nan=True)


# ------------------------------------------------------------------------------ nodes as calls


def is_leaf(node: Any) -> bool:
    return hasattr(node, "variable")


def peek(node: Any, name: str) -> Any:
    """What a node has saved under a name; None if nothing, or nothing that still holds, or what a
    pack hook has put away: to look at that may run a checkpointed forward pass again."""
    try:
        raw = getattr(node, f"_raw_saved_{name}", node)
        if any(map(packed, raw if isinstance(raw, tuple) else (raw,))):
            return None
        return getattr(node, f"_saved_{name}", None)
    except (RuntimeError, ValueError):  # freed, written over since, or of no single shape
        return None


def kept(node: Any) -> Iterator[tuple[str, Any]]:
    """The tensors a node holds for backward, by attribute. Numbers are not counted among them."""
    for each in own_tensors(node):
        yield "saved_tensors", each
    for attribute in sorted(name for name in dir(node) if name.startswith("_saved_")):
        name = attribute.removeprefix("_saved_")
        value = peek(node, name)
        for each in value if isinstance(value, tuple | list) else (value,):
            # torch saves a Python number as a tensor without dimensions.
            if hasattr(each, "grad_fn") and (each.ndim or each.requires_grad or name == "result"):
                yield name, each


def own_tensors(node: Any) -> list[Any]:
    """What a Function of the user's own has saved for backward, and backward has not freed."""
    try:
        if any(map(packed, getattr(node, "_raw_saved_tensors", None) or ())):
            return []
        return [x for x in getattr(node, "saved_tensors", ()) or () if x is not None]
    except RuntimeError:  # freed, or written over since
        return []


def packed(saved: Any) -> bool:
    """Whether a hook has put away what was saved, and only unpacking it would show it."""
    return getattr(saved, "unpack_hook", None) is not None


class Call:
    """An operation as it was called: torch's name for it, its result's shape, its constants."""

    def __init__(self, node: Any, input_shape: tuple[int, ...]) -> None:
        self.node, self.name, self.input_shape = node, node.name(), input_shape
        metadata = getattr(node, "_input_metadata", None)  # torch's; our nodes say it themselves
        about = metadata[0] if metadata else node
        self.shape = tuple(getattr(about, "shape", None) or ())
        self.dtype = dtype_of(about) if getattr(about, "dtype", None) else ""

    def saved(self, name: str) -> Any:
        """A constant of the call, arrays as NumPy's, dimensions counted from the front."""
        if name == "shape":
            return self.shape
        if name == "dtype":
            return np.dtype(numpy_name(self.dtype))
        value = peek(self.node, name)
        if name == "indices":
            return None if value is None else self._indices(value)
        if name in ("start", "end", "step"):
            parts = [_signed(peek(self.node, each)) for each in ("start", "end", "step")]
            place = ("start", "end", "step").index(name)
            return slice(*parts).indices(self.input_shape[self.saved("dim")])[place]
        if name == "index":
            return _signed(value) % self.input_shape[self.saved("dim")]
        if name == "keepdim":
            return 0 < len(self.input_shape) == len(self.shape)
        if name == "dim" and value is None:
            return self._changed_dim()
        if name.startswith("dim") and value is not None:
            joins = self.name in ("UnsqueezeBackward0", "StackBackward0")
            rank = max(1, len(self.input_shape) + joins)
            many = isinstance(value, tuple | list)
            return tuple(_signed(d) % rank for d in value) if many else _signed(value) % rank
        return array_of(value) if hasattr(value, "grad_fn") else value

    def _changed_dim(self) -> int | None:
        """The dimension that was added or dropped, for a view that has not kept its number."""
        few, many = sorted([self.input_shape, self.shape], key=len)
        places = range(len(many) if len(many) == len(few) + 1 else 0)
        return next((d for d in places if (*few[:d], 1, *few[d:]) == many), None)

    def _indices(self, value: Any) -> Any:
        if self.name != "IndexBackward0":  # one array, whose reduced dimension torch leaves out
            found = array_of(value)
            if peek(self.node, "dim") is None or found.ndim == len(self.input_shape):
                return found
            return np.expand_dims(found, self.saved("dim"))
        return tuple(slice(None) if each is None else array_of(each) for each in value)


def _signed(n: int) -> int:
    """torch shows a negative number as an unsigned one."""
    return n - 2**64 if n >= 2**63 else n
