"""`torch.autograd.forward_ad`: dual tensors by hand."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..arrays import dual, lifting
from ..modes import modes
from ..node import clock
from ..tensor import Tensor


class UnpackedDualTensor(NamedTuple):
    """A value, and its tangent (None if it has none)."""

    primal: Tensor
    tangent: Tensor | None


@contextmanager
def dual_level() -> Iterator[int]:
    """Inside, tensors may be dual; at the end every dual tensor is its value alone.

    >>> from autogradlab import tensor
    >>> with dual_level():
    ...     x = make_dual(tensor([1.0, 3.0]), tensor([1.0, 1.0]))
    ...     print(unpack_dual(x * x).tangent)
    tensor([2., 6.])
    """
    if modes.dual_level is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    level = modes.dual_level = next(clock)
    modes.made = weakref.WeakSet()
    try:
        with lifting():
            yield level
            for x in modes.made:
                if isinstance(x.array, dual.Dual) and x.array.level == level:
                    x.array = x.array.primal
    finally:
        modes.dual_level = modes.made = None


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """The tensor with a tangent of its shape.

    Raises:
        RuntimeError: no level is open, or another shape. ValueError: not floating point.
    """
    level = modes.dual_level if level is None else level
    if level is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    out = dual.paired(tensor, tangent, level)
    out.array.given = tangent
    return out


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value and the tangent of a tensor."""
    level = modes.dual_level if level is None else level
    if level is None or level not in getattr(tensor.array.shape, "levels", ()):
        return UnpackedDualTensor(tensor, None)
    tangent = getattr(tensor.array, "given", None)
    if tangent is None or tensor.array.level != level:
        tangent = dual.tangent_of(tensor, level=level)
    return UnpackedDualTensor(dual.primal_of(tensor, level=level), tangent)
