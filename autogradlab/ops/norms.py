"""Norms and distances: what torch has of them besides `torch.linalg`."""

from __future__ import annotations

from typing import Any

from .. import derivatives as d
from .. import dtypes
from ..tensor import Tensor
from .arguments import needs_tensor
from .linalg import matrix_norm, vector_norm

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = METHODS = "dist norm"
IN_PLACE = ""


def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
) -> Tensor:
    """The `p`-norm of all elements or over dimensions; "nuc" is the sum of singular values."""
    needs_tensor(norm, input)
    dims = (dim,) if isinstance(dim, int) else dim
    if isinstance(p, str) and p != "fro":
        dims = tuple(range(input.ndim)) if dims is None else dims
        return matrix_norm(input, p, dims, keepdim, dtype=dtype)
    return vector_norm(input, 2 if p == "fro" else p, dims, keepdim, dtype=dtype)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The `p`-norm of `input - other`, which broadcast."""
    for x in (input, other):
        if not x.is_floating_point():
            kind = dtypes.scalar_name(x.array.dtype)
            raise RuntimeError(
                "norm(): input dtype should be either floating point or complex. Got "
                f"{kind} instead."
            )
    return d.dist(input, other, p=p)
