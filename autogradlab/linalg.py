"""Linear algebra: `torch.linalg`. The functions are in `ops/linalg.py`."""

from .derivatives.linalg import LinAlgError
from .ops.linalg import (
    cholesky,
    cross,
    det,
    inv,
    matmul,
    matrix_norm,
    matrix_power,
    norm,
    slogdet,
    solve,
    vecdot,
    vector_norm,
)
