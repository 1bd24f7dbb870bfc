"""`Parameter`: a tensor that a module lists among its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor


class Parameter(Tensor):
    """A leaf on the memory of `data` that wants a gradient; set on a `Module`, one of its weights.

    >>> from autogradlab import tensor
    >>> Parameter(tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            self.array = np.empty(0, dtypes.default)
        else:
            self.array, self.cell = data.memory(), data.version_cell()
        self._set_requires_grad(
            requires_grad, "Only Tensors of floating point and complex dtype can require gradients"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        memo[id(self)] = out = type(self)(self.data.clone(), self.requires_grad)
        return out

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    __str__ = __repr__
