"""Random tensors, and random numbers written into tensors: PyTorch's, number for number.

What a seed gives is in random.py, which knows arrays only. Here are the functions and methods: how
they take their arguments, in which order memory is filled, and what `vmap` makes of them. Nothing
that was drawn passes a gradient on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import derivatives as d
from . import dtypes, random
from .arrays import levels_of
from .creation import finish, sized
from .inplace import writable, write
from .modes import modes
from .ops.shapes import expanded
from .random import Generator
from .tensor import Tensor


def source(name: str, generator: Generator | None) -> Generator:
    """The generator a function was given, or the default one."""
    if generator is None:
        return random.default_generator
    if not isinstance(generator, Generator):
        kind = type(generator).__name__
        raise TypeError(f"{name}(): argument 'generator' must be torch.Generator, not {kind}")
    return generator


def drawn(
    draw: Callable[[tuple[int, ...]], np.ndarray], shape: tuple[int, ...], like: Any = None
) -> Any:
    """Random numbers of a shape, in the order of the memory of `like`; under vmap as its
    `randomness` says."""
    if any(randomness == "error" for *_, randomness in modes.vmaps):
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the "
            "'same' or 'different' randomness flags on vmap or perform the randomness operation "
            "out of vmap"
        )
    own = [(level, count) for level, count, randomness in modes.vmaps if randomness != "same"]
    order = range(len(shape))
    if like is not None:
        order = np.argsort([-step for step in like.strides], kind="stable")
    array = draw((*(count for _, count in own), *(shape[i] for i in order)))
    array = np.moveaxis(array, range(len(own), array.ndim), [len(own) + i for i in order])[()]
    for level, _ in own:
        from .arrays.batch import Batch

        array = Batch(array, level)
    return array


def rand(
    *size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None
) -> Tensor:
    """Uniform in [0, 1)."""
    numbers = generator or random.default_generator
    to = dtypes.to_numpy(dtype)
    return finish(drawn(lambda n: numbers.rand(n, to), sized("rand", size)), requires_grad)


def randn(
    *size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None
) -> Tensor:
    """Standard normal."""
    numbers = generator or random.default_generator
    to = dtypes.to_numpy(dtype)
    return finish(drawn(lambda n: numbers.randn(n, to), sized("randn", size)), requires_grad)


def randint(*args: Any, dtype: Any = None, generator: Any = None, **named: Any) -> Tensor:
    """`randint(high, size)` or `randint(low, high, size)`: integers in [low, high)."""
    low, high, size = (
        args if len(args) == 3 else (named.get("low", 0), *args, named.get("size"))[:3]
    )
    numbers, to = generator or random.default_generator, dtypes.to_numpy(dtype or dtypes.int64)
    return finish(drawn(lambda n: numbers.randint(low, high, n, to), sized("randint", (size,))))


def randperm(n: int, *, dtype: Any = None, generator: Any = None) -> Tensor:
    """The integers from 0 to n - 1 in random order."""
    numbers = generator or random.default_generator
    return finish(numbers.randperm(n, dtypes.to_numpy(dtype or dtypes.int64)))


def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform numbers in the shape and dtype of another tensor."""
    return rand(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Normal numbers in the shape and dtype of another tensor."""
    return randn(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


# --------------------------------------------------------------------------------------- in place


def redraw(
    self: Tensor,
    operation: Callable[..., Tensor],
    draw: Callable[[tuple[int, ...]], np.ndarray],
    *others: Tensor,
) -> Tensor:
    """Write random numbers, or what `operation` makes of them, into the memory of a tensor."""
    writable(self, others)
    if any(
        randomness == "different" and level not in levels_of(self.array.shape)
        for level, _, randomness in modes.vmaps
    ):
        raise RuntimeError(
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will "
            "appear like same randomness. If this is necessary for your usage, please file an "
            "issue with functorch."
        )
    return write(self, operation(self, *others, values=drawn(draw, self.array.shape, self.array)))


def uniform_(
    self: Tensor, low: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform floats in [low, to); returns the tensor."""
    numbers, dtype = source("uniform_", generator), self.array.dtype
    return redraw(self, d.draw_uniform, lambda n: numbers.uniform(low, to, n, dtype))


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal floats of this mean and standard deviation; returns the tensor."""
    numbers, dtype, whole = source("normal_", generator), self.array.dtype, self.is_contiguous()
    return redraw(self, d.draw_normal, lambda n: numbers.normal(mean, std, n, dtype, whole))


def bernoulli_(
    self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill with ones, with probability p (a number, or one for each element), and zeros; returns
    the tensor.

    For a number p, PyTorch on an Intel processor uses a generator of Intel's, which is not here.
    """
    numbers, dtype = source("bernoulli_", generator), self.array.dtype
    if isinstance(p, Tensor):
        expanded(p, self.shape)  # raises torch's error if it cannot
        return redraw(self, d.draw_bernoulli_each, lambda n: numbers.uniforms(n, p.array.dtype), p)
    return redraw(self, d.draw_bernoulli, lambda n: numbers.bernoulli(p, n, dtype))


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with floats of the exponential distribution, with mean 1 / lambd; returns the tensor."""
    numbers, dtype = source("exponential_", generator), self.array.dtype
    return redraw(self, d.draw_exponential, lambda n: numbers.exponential(lambd, n, dtype))


def random_(self: Tensor, *bounds: int, generator: Generator | None = None) -> Tensor:
    """Fill with integers: `random_(low, to)` in [low, to), `random_(to)` in [0, to), `random_()`
    from 0 to the largest of the type (floats: to the last before a gap); returns the tensor."""
    numbers, dtype = source("random_", generator), self.array.dtype
    if not bounds:
        return redraw(self, d.draw_random, lambda n: numbers.integers(n, dtype))
    low, to = (0, *bounds) if len(bounds) == 1 else bounds
    operation = d.draw_random_to if len(bounds) == 1 else d.draw_random_from
    return redraw(self, operation, lambda n: numbers.randint(low, to, n, dtype))


for method in (uniform_, normal_, bernoulli_, exponential_, random_):
    setattr(Tensor, method.__name__, method)
