"""Random numbers: PyTorch's CPU generator, number for number.

The source of randomness is the Mersenne twister MT19937, which NumPy has too; what lives here is
how PyTorch seeds it, stores its state, and turns its 32-bit words into uniform and normal floats,
integers and permutations. Draws are NumPy arrays, which sampling.py makes tensors of.
The seeding is Matsumoto and Nishimura's `init_genrand` (2002), the normals are Box and Muller's
(1958), the permutation is Fisher and Yates'.
"""

from __future__ import annotations

import contextlib
import math
import operator
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import devices, dtypes
from .tensor import Tensor, wrap

# The state as PyTorch stores it: a C struct of 5056 bytes.
_STATE = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "words", "normal", "has_normal"],
        "formats": ["u8", "i4", "i4", "u8", ("u8", 624), "f8", "i4"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040],
        "itemsize": 5056,
    }
)
_WORDS = 624  # the twister makes this many words at a time
_BLOCK = 16  # normals are made in blocks of this size, if there is at least one block
# float16 is computed in float32 and rounded at the end.
_COMPUTE = {dtypes.float16.numpy: np.float32, dtypes.float32.numpy: np.float32,
            dtypes.float64.numpy: np.float64}


class Generator:
    """A stream of random numbers that is wholly determined by its seed.

    >>> Generator().manual_seed(0).rand((3,), np.dtype("float32"))
    array([0.4962566 , 0.7682218 , 0.08847743], dtype=float32)
    """

    def __init__(self, device: Any = "cpu") -> None:
        devices.check(device)
        self._twister = np.random.MT19937(0)
        self.manual_seed(67280421310721)  # torch's own default

    @property
    def device(self) -> devices.device:
        return devices.cpu

    # ---- seed and state

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of `seed`, from -2**63 to 2**64 - 1. Only its low 32 bits matter."""
        if type(seed) is not int:
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        if not -(2**63) <= seed < 2**64:
            raise ValueError("Overflow when unpacking long long")
        self._seed = seed % 2**64
        np.random.RandomState(self._twister).seed(seed % 2**32)
        self._fresh = True  # no word drawn yet
        self._next_normal: float | None = None  # normals are made in pairs: the one not yet used
        return self

    def seed(self) -> int:
        """Start a stream nobody can foresee, and return its seed."""
        return self.manual_seed(int.from_bytes(os.urandom(8))).initial_seed()

    def initial_seed(self) -> int:
        """The seed this stream was started with; negative seeds count from 2**64 down."""
        return self._seed

    def get_state(self) -> Tensor:
        """The whole state: 5056 bytes, laid out as in `torch.get_rng_state()`."""
        twister = self._twister.state["state"]
        state = np.zeros((), _STATE)
        state["seed"] = self._seed
        state["seeded"] = 1
        state["words"] = twister["key"]
        state["next"] = 0 if self._fresh else twister["pos"]
        state["left"] = 1 if self._fresh else _WORDS + 1 - twister["pos"]
        if self._next_normal is not None:
            state["normal"], state["has_normal"] = self._next_normal, 1
        return wrap(np.frombuffer(state.tobytes(), np.uint8).copy())

    def clone_state(self) -> Generator:
        """A generator that goes on as this one does."""
        return Generator().set_state(self.get_state())

    def set_state(self, new_state: Tensor) -> Generator:
        """Go back to a state that `get_state` gave, here or in torch; returns the generator."""
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        new_state = new_state.array
        if new_state.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if new_state.size != _STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} "
                f"but found the input RNG state size to be {new_state.size}"
            )
        state = np.frombuffer(new_state.tobytes(), _STATE)[0]
        left, used = int(state["left"]), int(state["next"])
        fresh = left == 1 and used == 0
        if state["seeded"] != 1 or not (fresh or 0 < left == _WORDS + 1 - used):
            raise RuntimeError("Invalid mt19937 state")
        self._twister.state = {
            "bit_generator": "MT19937",
            "state": {"key": state["words"].astype(np.uint32),
                      "pos": _WORDS if fresh else used},
        }
        self._seed = int(state["seed"])
        self._fresh = fresh
        self._next_normal = float(state["normal"]) if state["has_normal"] else None
        return self

    # ---- draws

    def rand(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Uniform floats in [0, 1)."""
        return self.uniform(0.0, 1.0, shape, dtype)

    def uniform(
        self, low: float, high: float, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        """Uniform floats in [low, high)."""
        _check_float(dtype, "check_uniform_bounds")
        _check_bounds(dtype, {"from": low, "to": high})
        if low > high:
            raise RuntimeError("uniform_ expects to return a [from, to) range, "
                               f"but found from={low:g} > to={high:g}")
        if high - low > float(np.finfo(dtype).max):
            raise RuntimeError(
                f"uniform_ expects to-from <= std::numeric_limits<{dtypes.scalar_name(dtype)}>"
                f"::max(), but found to={high:g} and from={low:g} which result in to-from to "
                "exceed the limit"
            )
        compute = _COMPUTE[dtype]
        start, end = compute(low), compute(high)
        u = self._uniforms(_numel(shape), compute)
        x = multiply_add(u, end - start, start).astype(dtype, copy=False)
        x[x == end.astype(dtype)] = start  # rounding may not reach the open end
        return x.reshape(shape)

    def randn(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Normal floats with mean 0 and standard deviation 1."""
        return self.normal(0.0, 1.0, shape, dtype)

    def normal(
        self,
        mean: float,
        std: float,
        shape: tuple[int, ...],
        dtype: np.dtype,
        contiguous: bool = True,
    ) -> np.ndarray:
        """Normal floats with this mean and standard deviation.

        PyTorch draws other numbers into memory that is not contiguous.
        """
        if not std >= 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
        _check_float(dtype, "normal_kernel_cpu")
        n = _numel(shape)
        blocks = contiguous and n >= _BLOCK
        z = self._many_normals(n, dtype) if blocks else self._few_normals(n)
        z = z * z.dtype.type(std) + z.dtype.type(mean)
        return z.astype(dtype, copy=False).reshape(shape)

    def randint(
        self, low: int, high: int, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        """Integers from low to high - 1, as any type that holds them."""
        low, high = operator.index(low), operator.index(high)
        if not -(2**63) <= min(low, high) <= max(low, high) < 2**63:
            raise ValueError("Overflow when unpacking long long")
        if low >= high:
            raise RuntimeError("random_ expects 'from' to be less than 'to', "
                               f"but got from={low} >= to={high}")
        _check_bounds(dtype, {"from": low, "to - 1": high - 1})
        if dtype.kind == "f" and max(-low, high - 1) > _last_integer(dtype):
            raise RuntimeError(f"autogradlab: {dtype} has not every integer in [{low}, {high})")
        n, span = _numel(shape), high - low
        words = self._words(n) if span < 2**28 else self._double_words(n)
        offsets = words % np.uint64(span)
        return (offsets + np.uint64(low % 2**64)).view(np.int64).astype(dtype).reshape(shape)

    def integers(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Integers from 0 to the largest of the type; to the last before a gap, if it is floats."""
        wide = dtype in (np.int64, np.float64)
        words = self._double_words(_numel(shape)) if wide else self._words(_numel(shape))
        return (words % np.uint64(_last_integer(dtype) + 1)).astype(dtype).reshape(shape)

    def int64(self) -> int:
        """One integer from 0 to 2**63 - 1."""
        return int(self.integers((), np.dtype(np.int64)))

    def exponential(self, rate: float, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Floats of the exponential distribution, with mean 1 / rate.

        PyTorch on an Intel processor may use a generator of Intel's instead.
        """
        if dtype not in _COMPUTE:
            raise RuntimeError(
                "Exponential distribution is a continuous probability distribution. dtype must be "
                f"a floating point but you specified {dtypes.scalar_name(dtype)}"
            )
        if not rate > 0:
            raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
        u = self._uniforms(_numel(shape), np.float64)
        return (-1.0 / rate * np.log1p(-u)).astype(dtype).reshape(shape)

    def randperm(self, n: int, dtype: np.dtype) -> np.ndarray:
        """The integers from 0 to n - 1 in random order."""
        _numel((n,))
        if dtype.kind == "b":
            raise NotImplementedError("\"randperm\" not implemented for 'Bool'")
        if dtype.kind != "f" and n - 1 > np.iinfo(dtype).max:
            raise RuntimeError(f"value cannot be converted to type {dtype}_t without overflow")
        if dtype == np.float16 and n > 2049:  # beyond, float16 skips odd numbers
            raise RuntimeError("n cannot be greater than 2049 for Half type.")
        order = list(range(n))
        places = np.arange(n - 1)
        steps = self._words(max(n - 1, 0)).astype(np.int64) % (n - places)
        for i, j in enumerate((places + steps).tolist()):
            order[i], order[j] = order[j], order[i]
        return np.array(order, dtype)

    def bernoulli(
        self, p: float | np.ndarray, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        """Ones with probability p, else zeros. An array p has the shape asked for.

        For a number p, PyTorch on an Intel processor may use a generator of Intel's instead.
        """
        if not isinstance(p, np.ndarray):
            if not 0 <= p <= 1:
                raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
            p = np.asarray(p, np.float64)
        check_probabilities(p)
        return (self.uniforms(shape, p.dtype) < p).astype(dtype)

    # ---- from words to numbers

    def uniforms(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Uniform floats in [0, 1), to be compared with probabilities of this type."""
        _check_float(dtype, "bernoulli_tensor_cpu_p_")
        return self._uniforms(_numel(shape), _COMPUTE[dtype]).reshape(shape)

    def _words(self, n: int) -> np.ndarray:
        """The next n 32-bit words, as uint64."""
        self._fresh = self._fresh and n == 0
        return self._twister.random_raw(n)

    def _double_words(self, n: int) -> np.ndarray:
        high, low = self._words(2 * n).reshape(n, 2).T
        return high << np.uint64(32) | low

    def _uniforms(self, n: int, compute: type[np.floating]) -> np.ndarray:
        """24 low bits of a word over 2**24, or for float64, 53 of two words over 2**53."""
        if compute is np.float32:
            return (self._words(n) & np.uint64(2**24 - 1)).astype(compute) * compute(0.5**24)
        return (self._double_words(n) & np.uint64(2**53 - 1)) * compute(0.5**53)

    def _few_normals(self, n: int) -> np.ndarray:
        """Pair by pair in float64, keeping the second of the last pair for the next call."""
        z = [] if self._next_normal is None or n == 0 else [self._next_normal]
        if z:
            self._next_normal = None
        pairs = (n - len(z) + 1) // 2
        for u1, u2 in self._uniforms(2 * pairs, np.float64).reshape(pairs, 2).tolist():
            radius, angle = math.sqrt(-2 * math.log1p(-u2)), 2 * math.pi * u1
            z += radius * math.cos(angle), radius * math.sin(angle)
        if len(z) > n:
            self._next_normal = z.pop()
        return np.array(z)

    def _many_normals(self, n: int, dtype: np.dtype) -> np.ndarray:
        """Block by block; if n is no multiple of 16, one more block overwrites the last 16."""
        compute, whole = _COMPUTE[dtype], n - n % _BLOCK
        used = whole if dtype == np.float16 else n  # only float16 skips the words it will not use
        z = _box_muller(self._uniforms(used, compute)[:whole])
        if whole == n:
            return z
        tail = _box_muller(self._uniforms(_BLOCK, compute))
        return np.concatenate([z[: n - _BLOCK], tail])


def _box_muller(uniforms: np.ndarray) -> np.ndarray:
    """Two independent normals from the radius and the angle that two uniforms give."""
    u1, u2 = np.moveaxis(uniforms.reshape(-1, 2, _BLOCK // 2), 1, 0)
    one, two, turn = (uniforms.dtype.type(x) for x in (1, 2, 2 * math.pi))
    radius, angle = np.sqrt(-two * np.log(one - u1)), turn * u2
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


def multiply_add(a: np.ndarray, b: np.floating, c: np.floating) -> np.ndarray:
    """a * b + c rounded once, as torch's kernels do: add back what rounding lost (Dekker 1971).

    >>> a, b, c = np.array([1 + 2**-30]), np.float64(1 - 2**-30), np.float64(-1)
    >>> a * b + c, multiply_add(a, b, c)
    (array([0.]), array([-8.67361738e-19]))
    """
    bits, low_half = (np.uint32, 12) if a.dtype == np.float32 else (np.uint64, 27)

    def split(x):  # x = high + low, each of so few digits that products of them are exact
        high = (x.view(bits) >> bits(low_half) << bits(low_half)).view(a.dtype)
        return high, x - high

    (a_high, a_low), (b_high, b_low) = split(a), split(b)
    product = a * b
    lost = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    carried = total - product
    return total + (lost + ((product - (total - carried)) + (c - carried)))


def _numel(shape: tuple[int, ...]) -> int:
    for size in shape:
        if size < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {size}: {list(shape)}"
            )
    return math.prod(shape)


def check_probabilities(p: np.ndarray) -> None:
    """Raise torch's error for numbers that are no probabilities."""
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error "
            "message be improved?  If so, please report an enhancement request to PyTorch.)"
        )


def _last_integer(dtype: np.dtype) -> int:
    """The last integer before the first that the type cannot hold."""
    if dtype.kind == "f":
        return 2 ** (np.finfo(dtype).nmant + 1)
    return 1 if dtype.kind == "b" else int(np.iinfo(dtype).max)


def _check_float(dtype: np.dtype, kernel: str) -> None:
    if dtype not in _COMPUTE:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{dtypes.scalar_name(dtype)}'")


def _check_bounds(dtype: np.dtype, limits: dict[str, float]) -> None:
    if dtype.kind == "f":
        lowest, highest = float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    elif dtype.kind == "b":
        lowest, highest = 0, 1
    else:
        lowest, highest = np.iinfo(dtype).min, np.iinfo(dtype).max
    for name, value in limits.items():
        if not lowest <= value <= highest:
            raise RuntimeError(f"{name} is out of bounds for {dtypes.cpp_name(dtype)}")


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator with `int(seed)` and return it."""
    return default_generator.manual_seed(int(seed))


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def seed() -> int:
    """Seed the default generator with a number nobody can foresee, and return that number."""
    return default_generator.seed()


def get_rng_state() -> Tensor:
    """The state of the default generator: the 5,056 bytes torch's CPU generator has for it."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continue the default generator from a state of `get_rng_state`, ours or torch's."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """What is drawn inside leaves the default generator as it was before.

    Args:
        devices: ignored, since there is no device but the CPU.
        enabled: False does nothing.
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
