"""Inverses, determinants, factorizations and norms, each for a matrix or a batch of matrices.

The formulas are those of Giles (2008), "Collected matrix derivative results", and of Murray (2016),
"Differentiation of the Cholesky decomposition", as in torch's FunctionsManual.cpp.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import Primitive
from .elementwise import abs_, arithmetic, sign, where
from .shapes import Shape, diag_embed, diagonal, reshape_to, tril

__all__ = [
    "LinAlgError", "cholesky", "det", "dist", "inv", "slogdet", "solve", "svd", "vector_norm",
]  # fmt: skip


class _LinAlgError(RuntimeError):
    """A matrix that has no inverse or factorization."""


LinAlgError = _LinAlgError  # torch.linalg's name for what calls itself _LinAlgError


def rank_deficient(matrix: np.ndarray) -> int | None:
    """The number of the first column that depends on those before it."""
    found = (k for k in range(1, len(matrix) + 1) if np.linalg.matrix_rank(matrix[:, :k]) < k)
    return next(found, None)


def indefinite(matrix: np.ndarray) -> int | None:
    """The order of the first leading minor that is not positive-definite."""
    orders = range(1, len(matrix) + 1)
    return next((k for k in orders if np.linalg.eigvalsh(matrix[:k, :k])[0] <= 0), None)


def refuse(A: np.ndarray, name: str, culprit: Any, text: str) -> LinAlgError:
    """The error for the first matrix of a batch in which `culprit` finds something."""
    found = [culprit(matrix) for matrix in A.reshape(-1, *A.shape[-2:])]
    i = next((i for i, k in enumerate(found) if k is not None), 0)
    batch = f"(Batch element {i}): " if A.ndim > 2 else ""
    return LinAlgError(f"{name}: {batch}{text.format(found[i])}")


def inverse(A: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(A.mT).mT  # columns are contiguous, as in torch
    except np.linalg.LinAlgError:
        raise refuse(
            A,
            "linalg.inv",
            rank_deficient,
            "The diagonal element {} is zero, the inversion could not be completed because the "
            "input matrix is singular.",
        ) from None


def solved(A: np.ndarray, B: np.ndarray, *, left: bool, vector: bool) -> np.ndarray:
    """X of AX = B, or of XA = B; vectors are columns."""
    try:
        if vector:
            return np.linalg.solve(A, B[..., None])[..., 0]
        if not left:
            return np.linalg.solve(A.mT, B.mT).mT
        return np.ascontiguousarray(np.linalg.solve(A, B).mT).mT  # column by column, as in torch
    except np.linalg.LinAlgError:
        text = "The solver failed because the input matrix is singular."
        raise refuse(A, "torch.linalg.solve", rank_deficient, text) from None


def times(A: Any, X: Any, left: bool, vector: bool) -> Any:
    if vector:
        return (A @ X[..., None])[..., 0]
    return A @ X if left else X @ A


def outer(a: Any, b: Any, vector: bool) -> Any:
    return a[..., None] * b[..., None, :] if vector else a @ b.mT


def factor(A: np.ndarray, upper: bool) -> np.ndarray:
    """The Cholesky factor, from the triangle that is asked for."""
    try:
        return np.linalg.cholesky(A.mT, upper=not upper).mT  # column by column, as in torch
    except np.linalg.LinAlgError:
        raise refuse(
            A,
            "linalg.cholesky",
            indefinite,
            "The factorization could not be completed because the input is not positive-definite "
            "(the leading minor of order {} is not positive-definite).",
        ) from None


def half_tril(x: Any) -> Any:
    """The lower triangle, its diagonal halved."""
    return (tril(x, diagonal=0) + tril(x, diagonal=-1)) / 2


def factor_gradient(g: Any, L: Any) -> Any:
    """L⁻ᵀ Φ(Lᵀ g) L⁻¹, made symmetric (Murray 2016, eq. 10)."""
    inner = solve(L.mT, half_tril(L.mT @ g), left=True, vector=False)
    whole = solve(L, inner, left=False, vector=False)
    return (whole + whole.mT) / 2


def factor_tangent(A_t: Any, L: Any) -> Any:
    """L Φ(L⁻¹ dA L⁻ᵀ) (Murray 2016, eq. 8)."""
    inner = solve(L, A_t, left=True, vector=False)
    return L @ half_tril(solve(L.mT, inner, left=False, vector=False))


def cofactors_of(A: np.ndarray) -> np.ndarray:
    """det(A)·A⁻ᵀ, from the singular values, so that singular matrices have them too."""
    U, S, Vh = np.linalg.svd(A)
    n = S.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, S[..., None, :]).prod(-1)
    flip = np.linalg.det(U) * np.linalg.det(Vh)
    return ((U * others[..., None, :]) @ Vh * flip[..., None, None]).astype(A.dtype)


def total(x: Any) -> Any:
    """The sum over each matrix of a batch, its two dimensions kept."""
    return x.sum(axis=(-2, -1), keepdims=True)


def norm(x: Any, ord: float, dim: Shape | None, keepdim: bool, dtype: np.dtype | None) -> Any:
    """The `ord`-norm over dimensions; float16 is added up in float32."""
    to = dtype or x.dtype
    x = np.abs(x.astype(np.float32 if to == np.float16 else to))
    over = {"axis": dim, "keepdims": keepdim}
    if abs(ord) == np.inf:
        found = x.max(**over) if ord > 0 else x.min(**over)
    elif ord == 0:
        found = (x != 0).sum(**over)
    elif ord == 2:
        found = np.sqrt((x * x).sum(**over))
    else:
        found = (x**ord).sum(**over) ** (1 / ord)
    return found.astype(to)[()]


def norm_gradient(g: Any, x: Any, result: Any, ord: float, dim: Shape) -> Any:
    """g times the derivative of a norm by each element; 0 where the norm has its kink, at 0.

    Case by case as torch's `norm_backward`, so that inf and nan come out the same.
    """
    if ord == 0:
        return None  # it counts
    if ord == 1:
        return g * sign(x)
    if ord == 2:
        return g * where(x / result, 0.0, condition=result != 0)
    if abs(ord) == np.inf:
        largest = abs_(x) == result
        return where(g / largest.sum(axis=dim, keepdims=True) * sign(x), 0.0, condition=largest)
    if ord < 1:
        power = where(sign(x) * abs_(x) ** (ord - 1), 0.0, condition=x != 0)
        return power * g * result ** (1 - ord)
    power = x * abs_(x) ** (ord - 2) if ord > 2 else sign(x) * abs_(x) ** (ord - 1)
    return power * where(g / result ** (ord - 1), 0.0, condition=result != 0)


def norm_tangent(tangent: Any, x: Any, result: Any, ord: float, dim: Shape, keepdim: bool) -> Any:
    if ord == 0:
        return result * 0.0
    slopes = norm_gradient(1.0, x, kept(result, x.shape, dim), ord, dim)
    return (slopes * tangent).sum(axis=dim, keepdims=keepdim)


def every_dim(x: Any) -> Shape:
    return tuple(range(len(x.shape)))


def kept(x: Any, shape: Shape, dim: Shape) -> Any:
    """A reduced value with the reduced dimensions kept, of size 1."""
    return reshape_to(x, shape=tuple(1 if i in dim else n for i, n in enumerate(shape)))


inv = Primitive(
    "LinalgInvExBackward0",
    inverse,
    batch="leading",
    jvp=lambda A_t, result: -(result @ A_t @ result),
    A=lambda g, result: -(result.mT @ g @ result.mT),
)
solve = Primitive(
    "LinalgSolveExBackward0",
    solved,
    batch="leading",
    jvp=lambda A, A_t, B_t, result, left, vector: solve(
        A, B_t - times(A_t, result, left, vector), left=left, vector=vector
    ),
    A=lambda g, A, result, left, vector: (
        -outer(solve(A.mT, g, left=True, vector=vector), result, vector)
        if left
        else -(result.mT @ solve(A.mT, g, left=False, vector=False))
    ),
    B=lambda g, A, left, vector: solve(A.mT, g, left=left, vector=vector),
)
cholesky = Primitive(
    "LinalgCholeskyExBackward0",
    lambda A, *, upper: factor(A, upper),
    batch="leading",
    jvp=lambda A_t, result, upper: (
        factor_tangent(A_t, result.mT).mT if upper else factor_tangent(A_t, result)
    ),
    A=lambda g, result, upper: (
        factor_gradient(g.mT, result.mT) if upper else factor_gradient(g, result)
    ),
)
det = Primitive(
    "LinalgDetBackward0",
    np.linalg.det,
    batch="leading",
    jvp=lambda A, A_t: (cofactors(A) * A_t).sum(axis=(-2, -1)),
    A=lambda g, A, result: g[..., None, None] * cofactors(A),  # torch saves the result too
)
cofactors = Primitive(
    "LinalgCofactorsBackward0",
    cofactors_of,
    batch="leading",
    jvp=lambda A, A_t, result: cofactors_slope(A_t, A, result),
    A=lambda g, A, result: cofactors_slope(g, A, result),
)


def cofactors_slope(g: Any, A: Any, C: Any) -> Any:
    """The derivative of det(A)·A⁻ᵀ, which is its own transpose, where A is invertible."""
    return (total(g * C) * C - C @ g.mT @ C) / det(A)[..., None, None]


vector_norm = Primitive(
    "LinalgVectorNormBackward0",
    lambda self, *, ord, dim, keepdim, dtype=None: norm(self, ord, dim, keepdim, dtype),
    jvp=lambda self, self_t, result, ord, dim, keepdim: norm_tangent(
        self_t, self, result, ord, dim, keepdim
    ),
    self=lambda g, self, result, ord, dim: norm_gradient(
        kept(g, self.shape, dim), self, kept(result, self.shape, dim), ord, dim
    ),
)
dist = Primitive(
    "DistBackward0",
    lambda self, other, *, p: norm(self - other, p, None, False, None),
    promote=arithmetic,
    jvp=lambda self, self_t, other, other_t, result, p: norm_tangent(
        self_t - other_t, self - other, result, p, every_dim(self - other), False
    ),
    self=lambda g, self, other, result, p: norm_gradient(
        g, self - other, result, p, every_dim(self - other)
    ),
    other=lambda g, self, other, result, p: norm_gradient(
        g, other - self, result, p, every_dim(self - other)
    ),
)


def log_det(A: np.ndarray) -> tuple[Any, Any]:
    sign, log = np.linalg.slogdet(A)
    return sign.astype(A.dtype)[()], log.astype(A.dtype)[()]


def gaps(S: Any, off_diagonal: np.ndarray) -> Any:
    """E_ij = s_j² - s_i², 1 on the diagonal."""
    squares = S * S
    return where(squares[..., None, :] - squares[..., None], 1.0, condition=off_diagonal)


def turned(change: Any, S: Any) -> Any:
    """How far singular vectors turn: (change · S + S · changeᵀ) / E, 0 on the diagonal."""
    off_diagonal = ~np.eye(S.shape[-1], dtype=bool)
    moved = change * S[..., None, :] + S[..., None] * change.mT
    return where(moved / gaps(S, off_diagonal), 0.0, condition=off_diagonal)


def svd_gradient(g: list[Any], result: tuple[Any, Any, Any]) -> Any:
    """U [(skew(Uᵀ gU) / E) S + S (skew(Vᵀ gV) / E) + gS] Vᵀ, and what leaves the spaces of U, V."""
    (gU, gS, gVh), (U, S, Vh) = g, result
    E = gaps(S, ~np.eye(S.shape[-1], dtype=bool))
    inner = 0.0 if gS is None else diag_embed(gS, offset=0, dim1=S.ndim - 1, dim2=S.ndim)
    if gU is not None:
        x = U.mT @ gU
        inner = inner + (x - x.mT) / E * S[..., None, :]
    if gVh is not None:
        x = Vh @ gVh.mT
        inner = inner + S[..., None] * ((x - x.mT) / E)
    out = U @ inner @ Vh
    if gU is not None and U.shape[-2] > S.shape[-1]:
        outside = gU / S[..., None, :]
        out = out + (outside - U @ (U.mT @ outside)) @ Vh
    if gVh is not None and Vh.shape[-1] > S.shape[-1]:
        outside = gVh / S[..., None]
        out = out + U @ (outside - outside @ Vh.mT @ Vh)
    return out


def svd_tangent(A_t: Any, result: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """How U, S and Vᵀ change when A does."""
    U, S, Vh = result
    change = U.mT @ A_t @ Vh.mT
    U_t, V_t = U @ turned(change, S), Vh.mT @ turned(change.mT, S)
    if U.shape[-2] > S.shape[-1]:
        U_t = U_t + (A_t @ Vh.mT - U @ change) / S[..., None, :]
    if Vh.shape[-1] > S.shape[-1]:
        V_t = V_t + (A_t.mT @ U - Vh.mT @ change.mT) / S[..., None, :]
    return U_t, diagonal(change, offset=0, dim1=S.ndim - 1, dim2=S.ndim), V_t.mT


slogdet = Primitive(
    "LinalgSlogdetBackward0",
    log_det,
    multiple=True,
    batch="leading",
    jvp=lambda A, A_t, result: (result[0] * 0.0, (inv(A).mT * A_t).sum(axis=(-2, -1))),
    A=lambda g, A, result: None if g[1] is None else g[1][..., None, None] * inv(A).mT,
)
svd = Primitive(
    "LinalgSvdBackward0",
    lambda A: tuple(np.linalg.svd(A, full_matrices=False)),
    multiple=True,
    batch="leading",
    jvp=lambda A_t, result: svd_tangent(A_t, result),
    A=lambda g, result: svd_gradient(g, result),
)
