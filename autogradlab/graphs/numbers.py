"""The one place where numbers become text for a picture or a sentence. Text that is to be pasted
into Python, or that PyTorch printed, is not made here: it keeps torch's own form."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .data import Summary


def number(x: float, digits: int = 4) -> str:
    """One number: exact integers below 1e6 as they are, else `digits` significant digits; at most
    two below 1e-3 and from 1e5 on. The minus is U+2212.

    >>> number(36.0), number(-0.123456), number(28.44, digits=3)
    ('36', '−0.1235', '28.4')
    >>> number(5.4321e-15), number(123456.7), number(float("-inf"))
    ('5.4e−15', '1.2e5', '−inf')
    """
    if isinstance(x, bool):
        return str(x)
    x = float(x)
    if math.isfinite(x) and not (x.is_integer() and abs(x) < 1e6):
        text = _significant(x, digits)
    else:
        text = str(int(x)) if math.isfinite(x) else str(x)
    return text.replace("-", "−")


def _significant(x: float, digits: int) -> str:
    exponent = int(f"{x:.{digits - 1}e}".partition("e")[2])  # of the rounded number
    if -3 <= exponent < 5:
        text = f"{x:.{max(0, digits - 1 - exponent)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, power = f"{x:.{min(digits - 1, 1)}e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(power)}"


def exactly(x: float, dtype: str) -> str:
    """One number with as many digits as tell it from its neighbours in this type.

    >>> exactly(1.0000001192092896, "float32"), exactly(1e-8, "float64"), exactly(-2.0, "float64")
    ('1.0000001', '1e−8', '−2')
    """
    text = str(np.dtype(dtype).type(x))
    mantissa, e, power = text.partition("e")
    text = mantissa.removesuffix(".0") + (f"e{int(power)}" if e else "")
    return text.replace("-", "−")


def numbers(summary: Summary, digits: int = 4) -> str:
    """A tensor in a chip: up to four elements in full, else the first two, "…" and the last.

    >>> numbers(Summary((2,), "float32", 89.0, 58.5, 36.0, 81.0, 0, 0, (36.0, 81.0), 8))
    '[36, 81]'
    """
    if summary.numel <= 4:
        return _nested(summary.values, digits)
    flat = summary.ends or tuple(_flat(summary.values))
    first, second, last = (number(x, digits) for x in (flat[0], flat[1], flat[-1]))
    depth = len(summary.shape)
    return "[" * depth + f"{first}, {second}, …, {last}" + "]" * depth


def _nested(values: tuple | float, digits: int) -> str:
    if isinstance(values, tuple):
        return "[" + ", ".join(_nested(each, digits) for each in values) + "]"
    return number(values, digits)


def _flat(values: tuple | float) -> Iterable[float]:
    if not isinstance(values, tuple):
        return (values,)
    return (x for each in values for x in _flat(each))


def nbytes(n: int) -> str:
    """A size in memory, in steps of 1024.

    >>> nbytes(8), nbytes(257 * 1024), nbytes(1363149)
    ('8 B', '257 KB', '1.30 MB')
    """
    if n < 1024:
        return f"{n} B"
    size, unit = n / 1024, "KB"
    for larger in ("MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1024, larger
    exponent = int(f"{size:.2e}".partition("e")[2])
    text = f"{size:.{max(0, 2 - exponent)}f}"
    if unit == "KB" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {unit}"
