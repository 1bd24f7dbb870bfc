"""Inverses, determinants, factorizations and norms: what `torch.linalg` has."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from .. import derivatives as d
from .. import dtypes, errors
from ..tensor import Tensor, wrap
from .arguments import many_dims, one_dim, same_types
from .elementwise import clone, mul
from .products import cross as cross_
from .products import matmul, vdot
from .reductions import amax, amin
from .reductions import sum as sum_
from .shapes import broadcast_shape, permute, unsqueeze

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
det inverse matrix_power slogdet
"""
METHODS = """
det inverse matrix_power slogdet
"""
IN_PLACE = ""


def floating(name: str, A: Tensor, argument: str = "A") -> None:
    if A.array.dtype.kind != "f":
        kind = dtypes.scalar_name(A.array.dtype)
        raise RuntimeError(
            f"linalg.{name}: Expected a floating point or complex tensor as input. Got {kind}"
        )


def matrices(name: str, A: Any, square: bool = True, low: bool = False) -> Tensor:
    """Torch's checks of a batch of (square) matrices; `low` allows float16 and integers."""
    if not isinstance(A, Tensor):
        raise TypeError(errors.not_a_tensor(f"linalg_{name}", "A", 1, A))
    if A.ndim < 2:
        raise RuntimeError(f"linalg.{name}: The input tensor A must have at least 2 dimensions.")
    if square and A.shape[-1] != A.shape[-2]:
        rows, columns = A.shape[-2:]
        raise RuntimeError(
            f"linalg.{name}: A must be batches of square matrices, but they are {rows} by "
            f"{columns} matrices"
        )
    if not low:
        floating(name, A)
        if A.array.dtype == np.float16:
            raise RuntimeError(f"linalg.{name}: Low precision dtypes not supported. Got Half")
    return A


def inv(A: Tensor) -> Tensor:
    """The inverse of a matrix; LinAlgError if it has none."""
    return d.inv(matrices("inv", A))


inverse = inv


def det(A: Tensor) -> Tensor:
    """The determinant of a matrix."""
    return d.det(matrices("det", A))


slogdet_result = namedtuple("slogdet", ("sign", "logabsdet"))


def slogdet(A: Tensor) -> Any:
    """The sign and the logarithm of the absolute value of a determinant."""
    sign, log = d.slogdet(matrices("slogdet", A))
    log.cell = [0]  # of the two torch saves only the sign, and so only the sign is watched
    return slogdet_result(sign, log)


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The triangular L with A = L Lᵀ (`upper`: R with A = Rᵀ R).

    Raises:
        LinAlgError: A is not positive-definite.
    """
    return d.cholesky(matrices("cholesky", A), upper=upper)


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B (not `left`: X A = B), where B is a vector, a matrix or a batch of either.

    Raises:
        LinAlgError: A is singular.
    """
    floating("solve", A)
    message = (
        "linalg.solve: Expected A and B to have the same dtype, but found A of type {} and B of "
        "type {} instead"
    )
    same_types(A, B, message)
    matrices("solve", A)
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and A.shape[:-1] == B.shape)
    shape = (*B.shape, 1) if vector else B.shape
    if len(shape) < 2:
        raise RuntimeError("linalg.solve: The input tensor B must have at least 2 dimensions.")
    if A.shape[-1] != shape[-2 if left else -1]:
        a, b = (f"{rows}x{columns}" for rows, columns in (A.shape[-2:], shape[-2:]))
        equation = "AX = B" if left else "XA = B"
        raise RuntimeError(
            "linalg.solve: Incompatible shapes of A and B for the equation "
            f"{equation} ({a} and {b})"
        )
    broadcast_shape(shape[:-2], A.shape[:-2])
    return d.solve(A, B, left=left, vector=vector)


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A @ A @ …, n times; powers of the inverse if n is negative."""
    if not isinstance(n, int):
        kind = type(n).__name__
        raise TypeError(f"linalg_matrix_power(): argument 'n' (position 2) must be int, not {kind}")
    matrices("matrix_power", A, low=True)
    if n == 0:
        identity = np.eye(A.shape[-1], dtype=A.array.dtype)
        return clone(A).copy_(wrap(identity))
    if n == 1:
        return clone(A)
    base, n = (inv(A), -n) if n < 0 else (A, n)
    if n == 3:
        return matmul(matmul(base, base), base)
    out = power = None
    while n:
        power = base if power is None else matmul(power, power)
        if n % 2:
            out = power if out is None else matmul(out, power)
        n //= 2
    return out


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector products of vectors of three along a dimension."""
    return cross_(input, other, dim)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The dot products of vectors along a dimension."""
    message = (
        "linalg.vecdot: Expected x and y to have the same dtype, but found x of type {} and y of "
        "type {} instead"
    )
    same_types(x, y, message)
    if x.ndim == y.ndim == 1:
        return vdot(x, y)
    return sum_(mul(x, y), dim)


# ------------------------------------------------------------------------------------------ norms


def vector_norm(
    x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """(Σ |x|^ord)^(1/ord) over dimensions, all if none are given.

    Args:
        ord: `inf` and `-inf` are the largest and smallest |x|, 0 counts what is not 0.
    """
    if isinstance(ord, str):
        raise TypeError("linalg_vector_norm(): argument 'ord' (position 2) must be Number, not str")
    floating("vector_norm", x)
    options = {}
    if dtype is not None:
        to = dtypes.to_numpy(dtype)
        if to.kind != "f":
            raise RuntimeError(
                "linalg.vector_norm: dtype should be floating point or complex, but got "
                f"{dtypes.scalar_name(to)}"
            )
        if to.itemsize < x.array.dtype.itemsize:
            names = dtypes.scalar_name(x.array.dtype), dtypes.scalar_name(to)
            raise RuntimeError(
                "linalg.vector_norm: the dtype of the input ({}) should be convertible without "
                "narrowing to the specified dtype ({})".format(*names)
            )
        options["dtype"] = to
    dims = many_dims(() if dim is None else dim, x.ndim)
    if (ord < 0 or ord == inf) and not x.array.size:
        empty = next((i for i in dims if not x.shape[i]), None)
        if empty is not None:
            what = "an empty tensor because"
            if dim is not None and len(dims) < x.ndim:
                what = f"the dimension {empty}because this dimension is empty and"
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {number(ord)} norm on {what} the operation "
                "does not have an identity"
            )
    return d.vector_norm(x, ord=ord, dim=dims, keepdim=keepdim, **options)


def number(ord: Any) -> str:
    return ord if isinstance(ord, str) else f"{ord:g}"


def largest(x: Tensor, dim: int, keepdim: bool) -> Tensor:
    """`amax`, and 0 where there is nothing."""
    if x.shape[dim]:
        return amax(x, dim, keepdim)
    return sum_(x.detach(), dim, keepdim)


def matrix_norm(
    A: Tensor,
    ord: Any = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """A norm of matrices.

    Args:
        ord: "fro" (all elements as a vector), "nuc" (sum of the singular values), 2 and -2 (the
            largest and the smallest), 1 and -1 (of the sums of columns), inf and -inf (of rows).
    """
    matrices("matrix_norm", A, square=False, low=True)
    floating("matrix_norm", A)
    if len(dim) != 2:
        raise RuntimeError(
            "linalg.matrix_norm: dim must be a 2-tuple. Got " + ", ".join(map(str, dim))
        )
    rows, columns = (one_dim(i, A.ndim) for i in dim)
    if rows == columns:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim, dtype=dtype)
    if ord not in ("nuc", 1, -1, 2, -2, inf, -inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {number(ord)} not supported.")
    extreme = amin if ord != "nuc" and ord < 0 else largest
    if ord in (1, -1, inf, -inf):
        first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = vector_norm(A, 1, first, keepdim, dtype=dtype)
        return extreme(sums, second - (not keepdim and first < second), keepdim)
    A = A if dtype is None else A.to(dtype)
    order = [i for i in range(A.ndim) if i not in (rows, columns)] + [rows, columns]
    values = d.svd(permute(A, order))[1]
    out = (sum_ if ord == "nuc" else extreme)(values, -1, keepdim)
    if not keepdim:
        return out
    return permute(unsqueeze(out, -1), [int(i) for i in np.argsort(order)])


def norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """`vector_norm` of one dimension, `matrix_norm` of two; without `ord` the 2-norm of all."""
    dims = (dim,) if isinstance(dim, int) else dim
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}"
        )
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if dims is None and A.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A.ndim}D."
        )
    if not isinstance(ord, str) and (A.ndim == 1 if dims is None else len(dims) == 1):
        return vector_norm(A, ord, dims, keepdim, dtype=dtype)
    return matrix_norm(A, ord, (0, 1) if dims is None else dims, keepdim, dtype=dtype)
