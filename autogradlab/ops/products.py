"""Products of vectors and matrices, `@` and `einsum` by torch's decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .. import derivatives as d
from .. import dtypes, errors
from ..tensor import Tensor
from .arguments import one_dim, same_types
from .elementwise import mul
from .reductions import sum as sum_
from .shapes import (
    broadcast_shape,
    contiguous,
    expand,
    expanded,
    flatten,
    permute,
    reshape,
    squeeze,
    t,
    unsqueeze,
)

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
addmm addmv baddbmm bmm cross dot ger inner matmul mm mv outer tensordot vdot
"""
METHODS = """
addmm addmv baddbmm bmm cross dot ger inner matmul mm mv outer vdot
"""
IN_PLACE = """
addmm addmv baddbmm
"""


def matrix_sizes(mat1: Tensor, mat2: Tensor, first: str, text: str) -> None:
    for name, x in ((first, mat1), ("mat2", mat2)):
        if x.ndim != 2:
            raise RuntimeError(text.format(name, x.ndim))
    if mat1.array.dtype.kind == "b":
        raise NotImplementedError("\"addmm_impl_cpu_\" not implemented for 'Bool'")
    if mat1.shape[1] != mat2.shape[0]:
        a, b = ("x".join(map(str, x.shape)) for x in (mat1, mat2))
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({a} and {b})")


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Matrix times matrix."""
    for name, x in (("self", input), ("mat2", mat2)):
        if x.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix")
    message = "expected m1 and m2 to have the same dtype, but got: {} != {}"
    same_types(input, mat2, message, dtypes.cpp_name)
    matrix_sizes(input, mat2, "self", "{} must be a matrix")
    return d.mm(input, mat2, by_columns=by_columns(mat2.array))


def by_columns(matrix: Any) -> bool:
    """Whether its columns lie in memory one after the other, as those of a transposed one do."""
    size, (down, across) = matrix.itemsize, matrix.strides
    return down == size and across == size * matrix.shape[0]


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta·input + alpha·(mat1 @ mat2); `input` broadcasts."""
    x, a, b = input.array, mat1.array, mat2.array
    if (
        a.dtype is b.dtype is x.dtype and a.dtype.kind == "f" and a.ndim == b.ndim == 2
        and a.shape[1:] == b.shape[:1] and b.shape[1:] == x.shape
    ):  # fmt: skip
        # as a layer calls it
        return d.addmm(input, mat1, mat2, beta=beta, alpha=alpha, by_columns=by_columns(b))
    for name, x in (("self", input), ("mat1", mat1)):
        message = name + " and mat2 must have the same dtype, but got {} and {}"
        same_types(x, mat2, message)
    matrix_sizes(mat1, mat2, "mat1", "{} must be a matrix, got {}-D tensor")
    expanded(input, (mat1.shape[0], mat2.shape[1]))
    columns = by_columns(mat2.array)
    return d.addmm(input, mat1, mat2, beta=beta, alpha=alpha, by_columns=columns)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Matrix times vector."""
    if not input.ndim:
        raise IndexError(errors.no_dimensions(0))
    vector_sizes(input, vec, input.shape[:1], 1)
    message = "addmv input tensors must have the same dtype, but got {0}, {1}, and {0}"
    same_types(input, vec, message)
    return d.mv(input, vec)


def vector_sizes(mat: Tensor, vec: Tensor, shape: Sequence[int], ndim: int) -> None:
    """Torch's checks of vector + matrix @ vector."""
    if (ndim > 1, mat.ndim, vec.ndim) != (False, 2, 1):
        raise RuntimeError(f"vector + matrix @ vector expected, got {ndim}, {mat.ndim}, {vec.ndim}")
    (rows, columns), n = mat.shape, vec.shape[0]
    if columns != n or (shape and shape[0] not in (1, rows)):
        size = shape[0] if shape else rows
        raise RuntimeError(f"size mismatch, got input ({size}), mat ({rows}x{columns}), vec ({n})")


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·input + alpha·(mat @ vec); `input` broadcasts."""
    vector_sizes(mat, vec, input.shape, input.ndim)
    kinds = [dtypes.scalar_name(x.array.dtype) for x in (input, mat, vec)]
    if len(set(kinds)) > 1:
        raise RuntimeError(
            "addmv input tensors must have the same dtype, but got {}, {}, and {}".format(*kinds)
        )
    return d.addmv(input, mat, vec, beta=beta, alpha=alpha)


def vectors(a: Tensor, b: Any, name: str) -> None:
    """Torch's checks of two vectors of one length."""
    if not isinstance(b, Tensor):
        raise TypeError(errors.not_a_tensor(name, "tensor", 2, b))
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    message = "dot : expected both vectors to have same dtype, but found {} and {}"
    same_types(a, b, message)
    if a.shape != b.shape:
        (m,), (n,) = a.shape, b.shape
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{m}] and src [{n}] to have the same "
            f"number of elements, but got {m} and {n} elements respectively"
        )


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""
    vectors(input, tensor, "dot")
    return d.dot(input, tensor)


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """`dot`, which for complex numbers (that are not here) would conjugate `input`."""
    vectors(input, other, "vdot")
    return d.vdot(input, other)


def batch_sizes(batch1: Tensor, batch2: Tensor) -> None:
    for name, x in (("batch1", batch1), ("batch2", batch2)):
        if x.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    want, got = [batch1.shape[0], batch1.shape[2]], list(batch2.shape[:2])
    if want != got:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: {want} but got: {got}."
        )
    same_types(batch1, batch2, "expected scalar type {} but found {}")


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """A batch of matrices times a batch of matrices."""
    batch_sizes(input, mat2)
    return d.bmm(input, mat2)


def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta·input + alpha·bmm(batch1, batch2); `input` broadcasts."""
    if batch1.ndim > 1 and batch2.ndim > 2:
        expanded(input, (*batch1.shape[:2], batch2.shape[2]))
    batch_sizes(batch1, batch2)
    same_types(
        input, batch1, "Input dtypes must be the same, got: input {}, batch1: {}", dtypes.cpp_name
    )
    return d.baddbmm(input, batch1, batch2, beta=beta, alpha=alpha)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Every element of one vector times every element of another."""
    for name, x in (("self", input), ("vec2", vec2)):
        if x.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {x.ndim}-D")
    return mul(reshape(input, input.shape[0], 1), vec2)


ger = outer


# ------------------------------------------------------------------------------------------ a @ b


def at_least_1d(name: str, m: int, n: int) -> None:
    if not m or not n:
        raise RuntimeError(
            f"both arguments to {name} need to be at least 1D, but they are {m}D and {n}D"
        )


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """`input @ other`: vectors, matrices or batches of matrices, by torch's decomposition."""
    for position, (name, x) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(x, Tensor):
            raise TypeError(errors.not_a_tensor("matmul", name, position, x))
    m, n = input.ndim, other.ndim
    at_least_1d("matmul", m, n)
    if m == n == 1:
        return dot(input, other)
    if (m, n) == (2, 1):
        return mv(input, other)
    if (m, n) == (1, 2):
        row = d.squeeze_in_place(mm(unsqueeze(input, 0), other), dim=0)
        row.base, row.made, row.cell = None, "", [1]  # dropped in place: no view of the matrix
        return row
    if m == n == 2:
        return mm(input, other)
    if should_fold(input, other):
        return folded(input, other)
    if m == n == 3 and len(input) != len(other):  # a batch of one is a matrix, if that saves memory
        if len(input) == 1 and input.requires_grad:
            return matmul(squeeze(input, 0), other)
        if len(other) == 1 and other.requires_grad:
            return matmul(input, squeeze(other, 0))
    return batched(input, other)


def should_fold(input: Tensor, other: Tensor) -> bool:
    """Whether a batch times one matrix or vector is computed as one larger matrix product.

    Torch's rule: so that the gradient of the matrix needs no batch of matrices, or else if the
    batch can be seen as one matrix without copying.
    """
    big, small = (input, other) if input.ndim >= other.ndim else (other, input)
    if big.ndim < 3 or small.ndim > 2:
        return False
    if small.requires_grad:
        return True
    if input.ndim == 2:
        return False
    if not big.numel():
        return True
    steps, shape = big.stride(), big.shape
    if big is other:  # it will be transposed
        steps, shape = (*steps[:-2], *steps[:-3:-1]), (*shape[:-2], *shape[:-3:-1])
    return all(steps[i] == steps[i + 1] * shape[i + 1] for i in range(big.ndim - 2))


def folded(input: Tensor, other: Tensor) -> Tensor:
    """A batch times one matrix or vector: the batch becomes the rows of one matrix."""
    flip = other.ndim > input.ndim
    big, small = (other.mT, t(input) if input.ndim == 2 else input) if flip else (input, other)
    rows = reshape(big, prod(big.shape[:-1]), big.shape[-1])
    if small.ndim == 1:
        return d.unsafe_view(mv(rows, small), shape=tuple(big.shape[:-1]))
    out = d.unsafe_view(mm(rows, small), shape=(*big.shape[:-1], small.shape[1]))
    return contiguous(out.mT) if flip else out


def batched(input: Tensor, other: Tensor) -> Tensor:
    """Batches of matrices, broadcast against each other; a vector is a matrix of one column."""
    column, rows = other.ndim == 1, input.shape[-2:-1] or (1,)
    sizes = other.shape[-1:] if column else other.shape[-2:]
    batch = broadcast_shape(input.shape[:-2], other.shape[: -len(sizes)])
    count = prod(batch)
    a = reshape(expand(input, *batch, *rows, input.shape[-1]), count, *rows, input.shape[-1])
    b = reshape(expand(other, *batch, *sizes), count, *sizes)
    out = bmm(a, unsqueeze(b, 2) if column else b)
    shape = (*batch, *input.shape[-2:-1], *(() if column else other.shape[-1:]))
    return d.unsafe_view(squeeze(out, -1) if column else out, shape=shape)


# ----------------------------------------------------------------------------------- contractions


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over dimensions of both.

    Args:
        dims: how many, the last of `a` with the first of `b`; or two lists of dimensions.
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist() if dims.numel() > 1 else int(dims.item())
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims = list(range(-dims, 0)), list(range(dims))
    if not isinstance(dims, tuple | list):
        raise RuntimeError(
            "tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] "
            f"containing two lists, but got dims={dims}"
        )
    first, second = ([x] if isinstance(x, int) else list(x) for x in dims)
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    same_types(a, b, "both inputs should have same dtype")
    over_a, over_b = ([one_dim(i, x.ndim) for i in of] for x, of in ((a, first), (b, second)))
    x, y, size = a, b, 1
    for i, j, named_i, named_j in zip(over_a, over_b, first, second, strict=True):
        m, n = a.shape[i], b.shape[j]
        if n == 1:  # what is broadcast can be summed right away
            x = sum_(x, i, True, dtype=x.dtype)
        elif m == 1:
            y = sum_(y, j, True, dtype=y.dtype)
        elif m != n:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {m} in dim {named_i} "
                f"and second has size {n} in dim {named_j}"
            )
        else:
            size *= m
    free_a = [i for i in range(a.ndim) if i not in over_a]
    free_b = [i for i in range(b.ndim) if i not in over_b]
    shape_a, shape_b = [x.shape[i] for i in free_a], [y.shape[i] for i in free_b]
    x, y = permute(x, free_a + over_a), permute(y, over_b + free_b)
    rows, columns = prod(shape_a), prod(shape_b)
    if rows != 1 or columns != 1:
        out = mm(reshape(x, rows, size), reshape(y, size, columns))
    elif x.is_contiguous() and y.is_contiguous():
        out = dot(flatten(x), flatten(y))
    else:
        out = sum_(mul(squeeze(x), squeeze(y)), dtype=x.dtype)
    return reshape(out, (*shape_a, *shape_b))


def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sum of products over the last dimensions."""
    if not input.ndim or not other.ndim:
        return mul(input, other)
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector products of vectors of three along a dimension."""
    if dim is None:
        errors.warn_once(errors.CROSS)
        dim = next((i for i, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if not input.ndim:
        raise IndexError(errors.no_dimensions(dim))
    at = one_dim(dim, input.ndim)
    if (m := input.shape[at], n := other.shape[at]) != (3, 3):
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {m} and {n}"
        )
    same_types(input, other, "expected scalar type {} but found {}")
    broadcast_shape(input.shape, other.shape)
    return d.cross(input, other, dim=at)
