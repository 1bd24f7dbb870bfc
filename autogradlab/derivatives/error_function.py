"""erf and erfc to the last bits of float64, since NumPy has neither; erf of float32 to 5e-7.

Rational approximations and their coefficients are those of S. L. Moshier's Cephes library
(netlib.org/cephes, doubldoc: ndtr.c): one for |x| ≤ 1, one up to 8, one beyond. That for float32,
up to 4, is from the Eigen library.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Numerators and denominators, the highest power first.
NEAR = (
    [9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3,
     7.00332514112805075473e3, 5.55923013010394962768e4],
    [1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3,
     2.26290000613890934246e4, 4.92673942608635921086e4],
)  # fmt: skip
MIDDLE = (
    [2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0,
     4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2,
     9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2],
    [1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
     9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3,
     1.65666309194161350182e3, 5.57535340817727675546e2],
)  # fmt: skip
FAR = (
    [5.64189583547755073984e-1, 1.27536670759978104416e0, 5.01905042251180477414e0,
     6.16021097993053585195e0, 7.40974269950448939160e0, 2.97886665372100240670e0],
    [1.0, 2.26052863220117276590e0, 9.39603524938001434673e0, 1.20489539808096656605e1,
     1.70814450747565897222e1, 9.60896809063285878198e0, 3.36907645100081516050e0],
)  # fmt: skip

SINGLE = (
    [-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
     -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02],
    [-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
     -1.42647390514189e-02],
)  # fmt: skip


def polynomial(coefficients: list[float], x: Any) -> Any:
    """As `np.polyval`, but in one array and in the type of `x`."""
    out = x * coefficients[0]
    for c in coefficients[1:-1]:
        out += c
        out *= x
    out += coefficients[-1]
    return out


def single(x: Any) -> Any:
    """erf in float32 all the way, a tenth of the time: whole networks wait for it (GELU)."""
    x = np.clip(x, -4, 4)
    square = x * x
    x *= polynomial(SINGLE[0], square)
    x /= polynomial(SINGLE[1], square)
    return np.clip(x, -1, 1)


def ratio(coefficients: tuple[list[float], list[float]], x: np.ndarray) -> np.ndarray:
    return np.polyval(coefficients[0], x) / np.polyval(coefficients[1], x)


def near(x: np.ndarray) -> np.ndarray:
    """erf(x) for |x| ≤ 1."""
    return x * ratio(NEAR, x * x)


def tail(x: np.ndarray) -> np.ndarray:
    """erfc(x) for x > 1."""
    high = x.astype(np.float32).astype(np.float64)  # its square is exact, so exp loses no digits
    gauss = np.exp(-high * high) * np.exp((high - x) * (high + x))
    return gauss * np.where(x < 8, ratio(MIDDLE, np.minimum(x, 8)), ratio(FAR, np.maximum(x, 8)))


def erf(x: Any) -> Any:
    """2/√π ∫₀ˣ exp(−t²) dt.

    >>> round(float(erf(np.float64(1.0))), 10)
    0.8427007929
    """
    if x.dtype == np.float32:
        return single(x)
    size = np.minimum(np.abs(x.astype(np.float64)), 10)
    out = np.where(size <= 1, near(np.minimum(size, 1)), 1 - tail(np.maximum(size, 1)))
    return np.copysign(out, x).astype(x.dtype)[()]


def erfc(x: Any) -> Any:
    """1 − erf(x), without losing digits where it is small."""
    x64 = np.clip(x.astype(np.float64), -30, 30)
    size = np.abs(x64)
    far = tail(np.maximum(size, 1))
    inner = 1 - near(np.clip(x64, -1, 1))
    return np.where(size <= 1, inner, np.where(x64 < 0, 2 - far, far)).astype(x.dtype)[()]
