"""What a tensor may hold besides a NumPy array: dual numbers (forward mode) and batches (vmap).

Both are array kinds *under* the tape: a recorded operation does not know which kind it works on. An
array of either kind belongs to a level, an open `jvp` or `vmap`, and may hold arrays of older
levels: newest outermost, like the layers of an onion. `Primitive.compute` peels the newest layer
off, and the kind says what the operation does to it. Reverse mode needs no kind: it goes by nodes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..modes import modes


class Shape(tuple):
    """The logical shape of a lifted array. It equals no shape of other levels, so that a gradient
    is fitted where levels differ, and the ordinary path pays nothing for that."""

    levels: frozenset[int]

    def __new__(cls, sizes: Iterable[int], levels: frozenset[int]) -> Shape:
        self = tuple.__new__(cls, sizes)
        self.levels = levels
        return self

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, other) and self.levels == levels_of(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__


def levels_of(shape: Any) -> frozenset[int]:
    """The levels of an array with this shape."""
    return shape.levels if isinstance(shape, Shape) else frozenset()


@functools.lru_cache(64)
def alone(level: int) -> frozenset[int]:
    return frozenset((level,))


def with_level(shape: Any, level: int) -> frozenset[int]:
    """The levels of an array with this shape, and one more."""
    return shape.levels | {level} if isinstance(shape, Shape) else alone(level)


class Lifted:
    """An array of some level. It has the attributes of an ndarray that are asked for everywhere.

    `adjoint` marks a gradient that has entered the level from outside, backwards: where it belongs
    to a tensor that is not of the level, it leaves it again (see fit.py). A gradient inside the
    level, as of `vmap(grad(f))`, stays.
    """

    __slots__ = ("adjoint", "dtype", "level", "shape")
    __array_ufunc__ = None  # NumPy leaves operators to us

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """Those of a contiguous array: the memory of a lifted array is nobody's business."""
        steps, step = [], self.itemsize
        for n in reversed(self.shape):
            steps.append(step)
            step *= n
        return tuple(reversed(steps))

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        from ..derivatives import copy_to

        return self if dtype is self.dtype else copy_to.compute([self], {"dtype": dtype})

    def copy(self) -> Lifted:
        return self  # a lifted array is never written

    def __add__(self, other: Any) -> Any:
        from ..derivatives import add

        return add.compute([self, other], {})

    def __radd__(self, other: Any) -> Any:
        return self + other

    def __getitem__(self, key: Any) -> Any:
        if key != ():
            raise TypeError("a lifted array is indexed through its tensor")
        return self


def without_tangents(array: Any) -> Any:
    return array.without_tangents() if isinstance(array, Lifted) else array


def newest(values: Iterable[Any]) -> Lifted | None:
    """The array of the newest level among the values, or in tuples of them; None without one."""
    found = None
    for x in values:
        kind = x.__class__
        if kind is np.ndarray:
            continue
        if kind is tuple:
            x = newest(x)
        if isinstance(x, Lifted) and (found is None or x.level > found.level):
            found = x
    return found


def layer_of(array: Any, level: int) -> Lifted | None:
    """The layer of a level inside an array."""
    if not isinstance(array, Lifted) or array.level == level:
        return array if isinstance(array, Lifted) else None
    return next((found for x in array.parts() if (found := layer_of(x, level)) is not None), None)


class lifting:
    """While this holds, operations look for lifted arrays."""

    def __enter__(self) -> None:
        modes.lifted += 1
        modes.special += 1

    def __exit__(self, *exception: object) -> None:
        modes.lifted -= 1
        modes.special -= 1
