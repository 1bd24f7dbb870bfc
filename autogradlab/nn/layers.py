"""Linear layers, embedding, padding, dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors, random
from ..arrays import Lifted
from ..modes import modes
from ..ops.elementwise import add, clamp_min, div, mul
from ..ops.linalg import vector_norm
from ..ops.products import addmm, at_least_1d, matmul
from ..ops.shapes import expand_as, reshape, t
from ..sampling import drawn
from ..tensor import Tensor, wrap


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input @ weight.T + bias` with weight (out, in)."""
    at_least_1d("linear", input.ndim, weight.ndim)
    if bias is None:
        return matmul(input, t(weight))
    if input.ndim == 2:
        return addmm(bias, input, t(weight))
    row = bias.ndim and bias.numel() == bias.shape[-1]
    if row and input.is_contiguous():
        out = addmm(bias, reshape(input, -1, input.shape[-1]), t(weight))
        return d.view(out, shape=(*input.shape[:-1], weight.shape[0]))
    return add(matmul(input, t(weight)), bias)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` (count, width) named by `input`; row `padding_idx` gets no gradient."""
    if max_norm is not None or sparse:
        raise NotImplementedError("autogradlab: embedding has no max_norm and no sparse gradients")
    if not weight.ndim and weight.requires_grad:
        raise IndexError(errors.no_dimensions(0))
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    count = weight.shape[0]
    if padding_idx is not None and not -count <= padding_idx < count:
        raise AssertionError("Padding_idx must be within num_embeddings")
    if input.array.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {dtypes.type_name(input.array.dtype)} instead (while checking "
            "arguments for embedding)"
        )
    within = isinstance(input.array, Lifted) or not input.array.size  # not looked at under vmap
    if not (within or 0 <= input.array.min() <= input.array.max() < count):
        raise IndexError("index out of range in self")
    return d.embedding(
        weight,
        indices=input,
        padding_idx=-1 if padding_idx is None else padding_idx % count,
        scale_grad_by_freq=scale_grad_by_freq,
    )


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element set to 0 with probability p, the others divided by 1 - p."""
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or not input.numel():
        return input
    multiply = Tensor.mul_ if inplace else mul
    dtype = input.array.dtype
    if p == 1:
        return multiply(input, wrap(np.zeros((), dtype)[()]))
    return multiply(input, wrap(noise(input.array, 1 - p)))


def noise(like: Any, keep: float) -> Any:
    """1 / keep with probability keep, else 0."""
    numbers, dtype = random.default_generator, like.dtype
    draw = lambda n: numbers.bernoulli(keep, n, dtype) / dtype.type(keep)  # noqa: E731
    return drawn(draw, like.shape, None if isinstance(like, Lifted) else like)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """`input` divided by its p-norm along `dim`, or by `eps` if that is more."""
    length = clamp_min(vector_norm(input, p, dim, keepdim=True), eps)
    return div(input, expand_as(length, input))


# ---------------------------------------------------------------------------------------- padding

SUPPORTED_PADS = """Padding size {} is not supported for {}D input tensor.
Supported combinations for non-constant padding:
  - 2D or 3D input: padding size = 2 (pads last dimension)
  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)
  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"""


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Numbers added before and after the last dimensions: `pad` is (left, right, top, bottom, …).

    "constant" adds `value`, "reflect" mirrors at the edge, "replicate" repeats the edge, "circular"
    goes on at the other side. Negative counts cut off.
    """
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.ndim}"
        )
    pairs = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)][::-1]
    size = input.shape[input.ndim - len(pairs) :]
    if mode == "constant":
        if any(n + a + b < 0 for n, (a, b) in zip(size, pairs, strict=True)):
            raise RuntimeError("narrow(): length must be non-negative.")
        return d.constant_pad(input, pad=pairs, value=0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    n = len(pairs)
    if not (1 <= n <= 3 and input.ndim in (n + 1, n + 2)):
        raise NotImplementedError(SUPPORTED_PADS.format(len(pad), input.ndim))
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if mode == "circular" and not modes.lifted:
        return circular(input, pairs)
    for i, (m, (a, b)) in enumerate(zip(size, pairs, strict=True), input.ndim - n):
        if mode == "reflect" and max(a, b) >= m and input.numel():
            raise RuntimeError(
                f"Argument #{2 * (n + 1)}: Padding size should be less than the corresponding "
                f"input dimension, but got: padding ({a}, {b}) at dimension {i} of input "
                f"{list(input.shape)}"
            )
    places = []
    for m, (a, b) in zip(size, pairs, strict=True):
        place = np.arange(-a, m + b)
        if mode == "circular":  # round what a negative count leaves
            first, last = max(-a, 0), m - max(-b, 0)
            place = first + (place - first) % (last - first)
        if mode == "reflect":
            place = (m - 1) - np.abs((m - 1) - np.abs(place))
        places.append(np.clip(place, 0, m - 1))
    kinds = {"reflect": d.reflection_pad[n], "replicate": d.replication_pad[n]}
    return kinds.get(mode, d.pad_places)(input, places=tuple(places))


def circular(input: Tensor, pairs: list[tuple[int, int]]) -> Tensor:
    """The input copied into the middle, then the margins, dimension by dimension, from the other
    side: in place, as torch does it."""
    first = input.ndim - len(pairs)
    sizes = [n + a + b for n, (a, b) in zip(input.shape[first:], pairs, strict=True)]
    if any(max(pair) > n for n, pair in zip(input.shape[first:], pairs, strict=True)):
        raise RuntimeError("Padding value causes wrapping around more than once.")
    out = wrap(np.empty((*input.shape[:first], *sizes), input.array.dtype))
    into, taken = out, input
    sides = [
        (dim, n, a, b, max(a, 0), max(b, 0))
        for dim, (n, (a, b)) in enumerate(zip(sizes, pairs, strict=True), first)
    ][::-1]
    for dim, n, a, b, left, right in sides:
        into = stretch(into, dim, left, n - right)
        taken = stretch(taken, dim, left - a, input.shape[dim] - (right - b))
    into.copy_(taken)
    for dim, n, a, b, left, right in sides:
        if a > 0:
            stretch(out, dim, 0, a).copy_(stretch(out, dim, n - a - right, n - right))
        if b > 0:
            stretch(out, dim, n - b, n).copy_(stretch(out, dim, left, left + b))
    return out


def stretch(x: Tensor, dim: int, start: int, end: int) -> Tensor:
    return d.slice_(x, dim=dim, start=start, end=end, step=1)
