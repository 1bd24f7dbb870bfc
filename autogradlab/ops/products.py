"""Products of vectors and matrices, `@` by torch's decomposition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..tensor import Tensor
from .elementwise import mul
from .shapes import contiguous, expand, reshape, t, unsqueeze

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
bmm dot matmul mm mv outer
"""
METHODS = """
bmm dot matmul mm mv outer
"""
IN_PLACE = ""


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Matrix times matrix."""
    matmul_types(
        input, mat2, "expected m1 and m2 to have the same dtype, but got: {} != {}", dtypes.cpp_name
    )
    if input.shape[1] != mat2.shape[0]:
        a, b = ("x".join(map(str, x.shape)) for x in (input, mat2))
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({a} and {b})")
    return d.mm(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Matrix times vector."""
    if input.shape[1] != vec.shape[0]:
        rows, columns = input.shape
        raise RuntimeError(
            f"size mismatch, got input ({rows}), mat ({rows}x{columns}), vec ({vec.shape[0]})"
        )
    message = "addmv input tensors must have the same dtype, but got {0}, {1}, and {0}"
    matmul_types(input, vec, message, dtypes.scalar_name)
    return d.mv(input, vec)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    message = "dot : expected both vectors to have same dtype, but found {} and {}"
    matmul_types(input, tensor, message, dtypes.scalar_name)
    if input.shape != tensor.shape:
        (m,), (n,) = input.shape, tensor.shape
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{m}] and src [{n}] to have the same "
            "number of elements, "
            f"but got {m} and {n} elements respectively"
        )
    return d.dot(input, tensor)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """A batch of matrices times a batch of matrices."""
    matmul_types(input, mat2, "expected scalar type {} but found {}", dtypes.scalar_name)
    if input.shape[2] != mat2.shape[1] or input.shape[0] != mat2.shape[0]:
        want, got = [input.shape[0], input.shape[2]], list(mat2.shape[:2])
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: {want} but got: {got}."
        )
    return d.bmm(input, mat2)


def matmul_types(a: Tensor, b: Tensor, message: str, name: Callable[[np.dtype], str]) -> None:
    if a.array.dtype != b.array.dtype:
        raise RuntimeError(message.format(name(a.array.dtype), name(b.array.dtype)))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Every element of one vector times every element of another."""
    return mul(reshape(input, input.shape[0], 1), vec2)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """`input @ other`: vectors, matrices or batches of matrices, by torch's decomposition."""
    for position, (name, x) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(x, Tensor):
            raise TypeError(errors.not_a_tensor("matmul", name, position, x))
    m, n = input.ndim, other.ndim
    if not m or not n:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {m}D and {n}D"
        )
    if m == n == 1:
        return dot(input, other)
    if (m, n) == (2, 1):
        return mv(input, other)
    if (m, n) == (1, 2):
        return d.squeeze_in_place(mm(unsqueeze(input, 0), other), dim=0)
    if m == n == 2:
        return mm(input, other)
    if m <= 2 or n <= 2:
        return folded(input, other)
    batch = np.broadcast_shapes(*batch_shapes(input.shape[:-2], other.shape[:-2]))
    a = reshape(expand(input, *batch, *input.shape[-2:]), -1, *input.shape[-2:])
    b = reshape(expand(other, *batch, *other.shape[-2:]), -1, *other.shape[-2:])
    return d.unsafe_view(bmm(a, b), shape=(*batch, input.shape[-2], other.shape[-1]))


def batch_shapes(a: Sequence[int], b: Sequence[int]) -> tuple[Any, Any]:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        raise RuntimeError(errors.broadcast(a, b)) from None
    return a, b


def folded(input: Tensor, other: Tensor) -> Tensor:
    """A batch times one matrix or vector: the batch becomes the rows of one matrix."""
    flip = other.ndim > input.ndim
    big, small = (other.mT, t(input) if input.ndim == 2 else input) if flip else (input, other)
    rows = reshape(big, -1, big.shape[-1])
    if small.ndim == 1:
        return d.unsafe_view(mv(rows, small), shape=tuple(big.shape[:-1]))
    out = d.unsafe_view(mm(rows, small), shape=(*big.shape[:-1], small.shape[1]))
    return contiguous(out.mT) if flip else out
