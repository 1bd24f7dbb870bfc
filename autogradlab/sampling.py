"""Random tensors, and random numbers written into tensors: PyTorch's, number for number.

What a seed gives is in random.py, which knows arrays only. Here are the functions and methods: how
they take their arguments, in which order memory is filled, and what `vmap` makes of them. Nothing
that was drawn passes a gradient on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import derivatives as d
from . import dtypes, errors, random
from .arrays import Lifted, levels_of
from .creation import finish
from .inplace import writable, write
from .modes import modes
from .ops.arguments import needs_tensor, one_shape
from .ops.shapes import expanded
from .random import Generator
from .tensor import Tensor

Draw = Callable[[Generator, tuple[int, ...], np.dtype], np.ndarray]


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
    """Random numbers of a shape, in the order of the memory `like`; under vmap as its
    `randomness` says."""
    if any(randomness == "error" for *_, randomness in modes.vmaps):
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the "
            "'same' or 'different' randomness flags on vmap or perform the randomness operation "
            "out of vmap"
        )
    own = [(level, count) for level, count, randomness in modes.vmaps if randomness != "same"]
    shape = (*(count for _, count in own), *shape)
    if like is None:
        array = draw(shape)
    else:  # the strides of all examples together, or those of one, in which all are the same
        strides = ((0,) * len(shape) + like.strides)[-len(shape) :] if shape else ()
        order = slowest_first(strides)
        array = np.moveaxis(draw(tuple(shape[i] for i in order)), range(len(shape)), order)
    array = array[()]
    for level, _ in own:
        from .arrays.batch import Batch

        array = Batch(array, level)
    return array


def slowest_first(strides: tuple[int, ...]) -> list[int]:
    """The dimensions in the order of the memory. Where a stride is 0 they stay as they are, so this
    is no sorting by a key, but what torch does (`infer_dense_strides` in ATen/ExpandUtils.cpp)."""
    order = list(range(len(strides)))
    for place in reversed(order):
        for after in range(place + 1, len(order)):
            here, there = strides[order[place]], strides[order[after]]
            if 0 < here < there:
                order[place], order[after] = order[after], order[place]
                place = after
            elif here > there > 0:
                break
    return order


def memory(array: Any) -> Any:
    """The NumPy array in an array that may be lifted."""
    while isinstance(array, Lifted):
        array = array.parts()[0]
    return array


def overwritten(x: Tensor) -> Any:
    """The memory that numbers are drawn into; None for new memory, from which they are copied to
    all examples."""
    alike = any(randomness == "same" for *_, randomness in modes.vmaps)
    return None if alike and isinstance(x.array, Lifted) else memory(x.array)


def new(
    name: str,
    draw: Draw,
    shape: tuple[int, ...],
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
    like: Any = None,
) -> Tensor:
    """A new tensor of random numbers."""
    numbers, to = source(name, generator), dtypes.to_numpy(dtype)
    return finish(drawn(lambda n: draw(numbers, n, to), shape, like), requires_grad, device)


# `options` are dtype, device, requires_grad and generator, the source of randomness


def rand(*shape: Any, size: Any = (), **options: Any) -> Tensor:
    """Uniform in [0, 1)."""
    return new("rand", Generator.rand, one_shape("rand", shape or (size,)), **options)


def randn(*shape: Any, size: Any = (), **options: Any) -> Tensor:
    """Standard normal."""
    return new("randn", Generator.randn, one_shape("randn", shape or (size,)), **options)


def randint(
    *args: Any,
    low: int = 0,
    high: int | None = None,
    size: Any = None,
    dtype: Any = dtypes.int64,
    **options: Any,
) -> Tensor:
    """`randint(high, size)` or `randint(low, high, size)`: integers in [low, high)."""
    bounds = list(args)
    if size is None and bounds:
        size = bounds.pop()
    if not isinstance(size, Sequence | Tensor):
        raise TypeError(
            f"randint(): argument 'size' (position {len(args)}) must be tuple of ints, not "
            f"{type(size).__name__}"
        )
    low, high = [low, *bounds, *([] if high is None else [high])][-2:]
    draw = lambda numbers, n, to: numbers.randint(low, high, n, to)  # noqa: E731
    return new("randint", draw, one_shape("randint", (size,)), dtype=dtype, **options)


def randperm(n: int, *, dtype: Any = dtypes.int64, **options: Any) -> Tensor:
    """The integers from 0 to n - 1 in random order."""

    def draw(numbers: Generator, shape: tuple[int, ...], to: np.dtype) -> np.ndarray:
        orders = [numbers.randperm(n, to) for _ in range(math.prod(shape[:-1]))]
        return np.stack(orders).reshape(shape)

    return new("randperm", draw, (n,), dtype=dtype, **options)


def new_like(name: str, draw: Draw, input: Tensor, dtype: Any, **options: Any) -> Tensor:
    """A new tensor of random numbers in the shape, dtype and memory order of another."""
    x = input.array
    return new(name, draw, x.shape, dtype=dtype or x.dtype, like=memory(x), **options)


def rand_like(input: Tensor, *, dtype: Any = None, **options: Any) -> Tensor:
    """Uniform numbers in the shape and dtype of another tensor."""
    return new_like("rand_like", Generator.rand, input, dtype, **options)


def randn_like(input: Tensor, *, dtype: Any = None, **options: Any) -> Tensor:
    """Normal numbers in the shape and dtype of another tensor."""
    whole = np.empty_like(memory(input.array)).flags.c_contiguous
    draw = lambda numbers, n, to: numbers.normal(0.0, 1.0, n, to, whole)  # noqa: E731
    return new_like("randn_like", draw, input, dtype, **options)


def randint_like(
    input: Tensor,
    *bounds: int,
    low: int = 0,
    high: int | None = None,
    dtype: Any = None,
    **options: Any,
) -> Tensor:
    """`randint_like(input, high)` or `randint_like(input, low, high)`: integers in [low, high) in
    the shape and dtype of another tensor."""
    low, high = [low, *bounds, *([] if high is None else [high])][-2:]
    draw = lambda numbers, n, to: numbers.randint(low, high, n, to)  # noqa: E731
    return new_like("randint_like", draw, input, dtype, **options)


# ------------------------------------------------------------------- with a parameter per element


def drawn_for(
    given: Sequence[Tensor],
    draw: Callable[[tuple[int, ...]], np.ndarray],
    shape: tuple[int, ...],
) -> Any:
    """Random numbers to be combined with the tensors that are given."""
    for level, _, randomness in modes.vmaps:
        if randomness == "same" and any(level in levels_of(x.array.shape) for x in given):
            raise RuntimeError(
                "Vmap does not currently support same randomness with a batched tensor input. "
                "Please file an issue with functorch"
            )
    return drawn(draw, shape)


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Ones with the probabilities in `input`, or all with probability p, and zeros."""
    x, numbers = needs_tensor(bernoulli, input).array, source("bernoulli", generator)
    if p is None:
        values = drawn_for([input], lambda n: numbers.uniforms(n, x.dtype), x.shape)
        return d.bernoulli(input, values=values)
    if input.requires_grad and modes.grad_enabled:
        raise RuntimeError("derivative for aten::bernoulli is not implemented")
    return finish(drawn(lambda n: numbers.bernoulli(p, n, x.dtype), x.shape))


def normal(
    mean: float | Tensor,
    std: float | Tensor = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    **options: Any,
) -> Tensor:
    """Normal numbers, whose mean and standard deviation may be tensors that broadcast; for two
    numbers, a tensor of the shape `size`."""
    given = [x for x in (mean, std) if isinstance(x, Tensor)]
    if not given:
        if not isinstance(size, Sequence | Tensor):
            raise TypeError("normal() of two numbers needs the size: normal(mean, std, size)")
        draw = lambda numbers, n, to: numbers.normal(mean, std, n, to)  # noqa: E731
        return new("normal", draw, one_shape("normal", (size,)), generator=generator, **options)
    dtype, numbers = given[0].array.dtype, source("normal", generator)
    each = 1.0 if isinstance(std, Tensor) else std
    try:
        shape = np.broadcast_shapes(*(tuple(x.array.shape) for x in given))
    except ValueError:
        raise RuntimeError(errors.broadcast(*(x.array.shape for x in given))) from None
    values = drawn_for(given, lambda n: numbers.normal(0.0, each, n, dtype), shape)
    if len(given) == 2:
        return d.normal_each(mean, std, values=values)
    if given[0] is mean:
        return d.normal_around(mean, values=values)
    return d.normal_with(std, mean=mean, values=values)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices of `input`, or of each of its rows, with probabilities proportional to its values.

    Args:
        input: (categories) or (rows, categories), not negative, each row with a positive sum.
        replacement: whether an index may come twice in a row.
    """
    p, numbers = needs_tensor(multinomial, input).array, source("multinomial", generator)
    if isinstance(p, Lifted):
        raise RuntimeError("autogradlab: multinomial is not for vmap and forward mode")
    if p.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if p.dtype.kind != "f":
        raise RuntimeError(
            "multinomial only supports floating-point dtypes for input, got: "
            f"{dtypes.scalar_name(p.dtype)}"
        )
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if replacement and num_samples > 1:
        return finish(with_replacement(p, num_samples, numbers))
    if num_samples > p.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if not ((p < np.inf) & (p >= 0)).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (p.sum(-1) == 0).any():
        raise RuntimeError(NO_DISTRIBUTION.format("sum of probabilities <= 0"))
    # the smallest of waiting times with rates p: the first to come is i with probability p[i]
    with np.errstate(all="ignore"):
        speed = p / drawn(lambda n: numbers.exponential(1.0, n, p.dtype), p.shape, p)
    return finish(np.argsort(-speed, -1, kind="stable")[..., :num_samples])


NO_DISTRIBUTION = "invalid multinomial distribution ({})"


def with_replacement(p: np.ndarray, n: int, numbers: Generator) -> np.ndarray:
    """n indices for each row: where uniform numbers fall between the cumulative sums."""
    out = []
    for row in p.reshape(math.prod(p.shape[:-1]), p.shape[-1]):
        if not (row >= 0).all():
            raise RuntimeError(NO_DISTRIBUTION.format("encountering probability entry < 0"))
        if np.isinf(row).any():
            raise RuntimeError(
                NO_DISTRIBUTION.format("encountering probability entry = infinity or NaN")
            )
        sums = row.astype(np.promote_types(row.dtype, np.float32)).cumsum()
        if not sums.size or sums[-1] <= 0:
            raise RuntimeError(NO_DISTRIBUTION.format("sum of probabilities <= 0"))
        sums /= sums[-1]
        sums[-1] = 1
        out.append(np.searchsorted(sums, numbers.rand((n,), np.dtype(np.float64))))
    return np.array(out, np.int64).reshape(*p.shape[:-1], n)


# --------------------------------------------------------------------------------------- in place


def redraw(
    self: Tensor,
    operation: Callable[..., Tensor],
    draw: Callable[[tuple[int, ...]], np.ndarray],
    *others: Tensor,
) -> Tensor:
    """Write random numbers, or what `operation` makes of them, into the memory of a tensor."""
    writable(self, others)
    levels = frozenset().union(*(levels_of(x.array.shape) for x in others))
    if any(level in levels for level, _, randomness in modes.vmaps if randomness == "same"):
        raise RuntimeError(
            "Vmap does not currently support same randomness with a batched tensor input. Please "
            "file an issue with functorch"
        )
    if levels - levels_of(self.array.shape):
        raise RuntimeError(
            "vmap: inplace bernoulli(self, *extra_args) is not possible because there exists a "
            "Tensor `other` in extra_args that has more elements than `self`. This happened due to "
            "`other` being vmapped over but `self` not being vmapped over in a vmap. Please try to "
            "use out-of-place operators instead of inplace bernoulli. If said operator is being "
            "called inside the PyTorch framework, please file a bug report instead."
        )
    if any(
        randomness == "different" and level not in levels_of(self.array.shape)
        for level, _, randomness in modes.vmaps
    ):
        raise RuntimeError(
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will "
            "appear like same randomness. If this is necessary for your usage, please file an "
            "issue with functorch."
        )
    values = drawn(draw, self.array.shape, overwritten(self))
    return write(self, operation(self, *others, values=values))


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
    numbers, dtype, into = source("normal_", generator), self.array.dtype, overwritten(self)
    whole = into is None or into.flags.c_contiguous
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


for method in (uniform_, normal_, bernoulli_, exponential_, random_, bernoulli, multinomial):
    setattr(Tensor, method.__name__, method)
