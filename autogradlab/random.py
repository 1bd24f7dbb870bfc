"""Random numbers: PyTorch's CPU generator, number for number.

The source of randomness is the Mersenne twister MT19937, which NumPy has too; what lives here is
how PyTorch seeds it, stores its state, and turns its 32-bit words into uniform and normal floats,
integers and permutations. Everything returns NumPy arrays; tensors are made elsewhere.
The seeding is Matsumoto and Nishimura's `init_genrand` (2002), the normals are Box and Muller's
(1958), the permutation is Fisher and Yates'.
"""

from __future__ import annotations

import math
import os

import numpy as np

from . import dtypes

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
_BITS = {np.dtype("float16"): 11, np.dtype("float32"): 24, np.dtype("float64"): 53}


class Generator:
    """A stream of random numbers that is wholly determined by its seed.

    >>> Generator().manual_seed(0).rand((3,), np.dtype("float32"))
    array([0.49625659, 0.7682218 , 0.08847743], dtype=float32)
    """

    def __init__(self) -> None:
        self._twister = np.random.MT19937(0)
        self.manual_seed(67280421310721)  # torch's own default

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

    def get_state(self) -> np.ndarray:
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
        return np.frombuffer(state.tobytes(), np.uint8).copy()

    def set_state(self, new_state: np.ndarray) -> None:
        """Go back to a state that `get_state` gave, here or in torch."""
        if not isinstance(new_state, np.ndarray):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        if new_state.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if new_state.size != _STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} "
                f"but found the input RNG state size to be {new_state.size}"
            )
        state = np.frombuffer(new_state.tobytes(), _STATE)[0]
        fresh = state["left"] == 1 and state["next"] == 0
        if state["seeded"] != 1 or not (fresh or 0 < state["left"] == _WORDS + 1 - int(state["next"])):
            raise RuntimeError("Invalid mt19937 state")
        self._twister.state = {
            "bit_generator": "MT19937",
            "state": {"key": state["words"].astype(np.uint32),
                      "pos": _WORDS if fresh else int(state["next"])},
        }
        self._seed = int(state["seed"])
        self._fresh = bool(fresh)
        self._next_normal = float(state["normal"]) if state["has_normal"] else None

    # ---- draws

    def rand(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Uniform floats in [0, 1)."""
        return self.uniform(0.0, 1.0, shape, dtype)

    def uniform(
        self, low: float, high: float, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        """Uniform floats in [low, high)."""
        _check_float(dtype, "check_uniform_bounds")
        if low > high:
            raise RuntimeError("uniform_ expects to return a [from, to) range, "
                               f"but found from={low:g} > to={high:g}")
        u = self._uniforms(_numel(shape), dtype)
        if (low, high) != (0, 1):
            u = u * dtype.type(high - low) + dtype.type(low)
        return u.reshape(shape)

    def randn(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Normal floats with mean 0 and standard deviation 1."""
        return self.normal(0.0, 1.0, shape, dtype)

    def normal(
        self, mean: float, std: float, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        """Normal floats with this mean and standard deviation."""
        if not std >= 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
        _check_float(dtype, "normal_kernel_cpu")
        n = _numel(shape)
        z = self._few_normals(n) if n < _BLOCK else self._many_normals(n, dtype)
        if (mean, std) != (0, 1):
            z = z * z.dtype.type(std) + z.dtype.type(mean)
        return z.astype(dtype, copy=False).reshape(shape)

    def randint(
        self, low: int, high: int, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        """Integers from low to high - 1, as any type that holds them."""
        if low >= high:
            raise RuntimeError("random_ expects 'from' to be less than 'to', "
                               f"but got from={low} >= to={high}")
        lowest, highest = _bounds(dtype)
        for name, value in (("from", low), ("to - 1", high - 1)):
            if not lowest <= value <= highest:
                raise RuntimeError(f"{name} is out of bounds for {dtypes.cpp_name(dtype)}")
        n, span = _numel(shape), high - low
        words = self._words(n) if span < 2**32 else self._double_words(n)
        offsets = words % np.uint64(span)
        return (offsets + np.uint64(low % 2**64)).view(np.int64).astype(dtype).reshape(shape)

    def randperm(self, n: int, dtype: np.dtype) -> np.ndarray:
        """The integers from 0 to n - 1 in random order."""
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
        order = list(range(n))
        places = np.arange(n - 1)
        steps = self._words(max(n - 1, 0)).astype(np.int64) % (n - places)
        for i, j in enumerate((places + steps).tolist()):
            order[i], order[j] = order[j], order[i]
        return np.array(order, dtype)

    def bernoulli(
        self, p: float | np.ndarray, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        """Ones with probability p, else zeros. An array p has the shape asked for."""
        precision = p.dtype if isinstance(p, np.ndarray) else np.dtype("float64")
        u = self._uniforms(_numel(shape), precision).reshape(shape)
        return (u < p).astype(dtype)

    # ---- from words to numbers

    def _words(self, n: int) -> np.ndarray:
        """The next n 32-bit words, as uint64."""
        self._fresh = self._fresh and n == 0
        return self._twister.random_raw(n)

    def _double_words(self, n: int) -> np.ndarray:
        high, low = self._words(2 * n).reshape(n, 2).T
        return high << np.uint64(32) | low

    def _uniforms(self, n: int, dtype: np.dtype) -> np.ndarray:
        """As many low bits of a word (of two for float64) as the type can hold, over 2**bits."""
        bits = _BITS[dtype]
        words = self._words(n) if bits < 32 else self._double_words(n)
        return ((words & np.uint64(2**bits - 1)) * 0.5**bits).astype(dtype, copy=False)

    def _few_normals(self, n: int) -> np.ndarray:
        """Pair by pair in float64, keeping the second of the last pair for the next call."""
        z = [] if self._next_normal is None or n == 0 else [self._next_normal]
        if z:
            self._next_normal = None
        pairs = (n - len(z) + 1) // 2
        for u1, u2 in self._uniforms(2 * pairs, np.dtype("float64")).reshape(pairs, 2).tolist():
            radius, angle = math.sqrt(-2 * math.log1p(-u2)), 2 * math.pi * u1
            z += radius * math.cos(angle), radius * math.sin(angle)
        if len(z) > n:
            self._next_normal = z.pop()
        return np.array(z)

    def _many_normals(self, n: int, dtype: np.dtype) -> np.ndarray:
        """Block by block; if the last block is cut short, the last 16 are drawn again as a block."""
        z = self._uniforms(n, dtype)
        whole = n - n % _BLOCK
        z[:whole] = _box_muller(z[:whole])
        if whole < n:
            z[-_BLOCK:] = _box_muller(self._uniforms(_BLOCK, dtype))
        return z


def _box_muller(uniforms: np.ndarray) -> np.ndarray:
    """Two independent normals from the radius and the angle that two uniforms give."""
    u1, u2 = np.moveaxis(uniforms.reshape(-1, 2, _BLOCK // 2), 1, 0)
    one, two, turn = (uniforms.dtype.type(x) for x in (1, 2, 2 * math.pi))
    radius, angle = np.sqrt(-two * np.log(one - u1)), turn * u2
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


def _numel(shape: tuple[int, ...]) -> int:
    for size in shape:
        if size < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {size}: {list(shape)}"
            )
    return math.prod(shape)


def _check_float(dtype: np.dtype, kernel: str) -> None:
    if dtype not in _BITS:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{dtypes.scalar_name(dtype)}'")


def _bounds(dtype: np.dtype) -> tuple[float, float]:
    if dtype.kind == "b":
        return 0, 1
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return info.min, info.max


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
