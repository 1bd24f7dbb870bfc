"""Data types, and PyTorch's rules for which type an operation gives.

Here live the nine `dtype` objects, their names, the default floating-point type, and promotion.
NumPy promotes differently (`int64 + float32` is float64 there, float32 in PyTorch), so nothing in
the package asks NumPy for the type of a mixed result. The rules work on NumPy's own dtypes and
arrays; tensors, and the casting itself, live elsewhere.
"""

from __future__ import annotations

import builtins
import functools
import math

import numpy as np


class dtype:
    """The type of a tensor's elements. There is one object per type: compare with `is` or `==`.

    >>> float32, long, float16.itemsize, uint8.is_signed
    (torch.float32, torch.int64, 2, False)
    """

    __slots__ = ("cpp_name", "is_floating_point", "is_signed", "itemsize", "name", "numpy",
                 "scalar_name")

    is_complex = False

    def __init__(self, name: str, scalar_name: str, cpp_name: str) -> None:
        self.name = name
        self.numpy = np.dtype(name)
        self.scalar_name = scalar_name
        self.cpp_name = cpp_name
        self.is_floating_point = self.numpy.kind == "f"
        self.is_signed = self.numpy.kind in "if"
        self.itemsize = self.numpy.itemsize

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name  # pickle and copy look the name up in this module: the same object again


float64 = dtype("float64", "Double", "double")
float32 = dtype("float32", "Float", "float")
float16 = dtype("float16", "Half", "c10::Half")
int64 = dtype("int64", "Long", "long int")
int32 = dtype("int32", "Int", "int")
int16 = dtype("int16", "Short", "short int")
int8 = dtype("int8", "Char", "signed char")
uint8 = dtype("uint8", "Byte", "unsigned char")
bool = dtype("bool", "Bool", "bool")
DTYPES = (float64, float32, float16, int64, int32, int16, int8, uint8, bool)

default = float32.numpy  # the default floating-point type; change it with set_default_dtype

_FROM_NUMPY = {d.numpy: d for d in DTYPES}
_TO_NUMPY = {
    **{d: d.numpy for d in DTYPES},
    **{d.numpy: d.numpy for d in DTYPES},
    builtins.float: float64.numpy,
    builtins.int: int64.numpy,
    builtins.bool: bool.numpy,
}
_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}


def from_numpy(numpy_dtype: np.dtype) -> dtype:
    """The dtype for a NumPy dtype; TypeError for one we have no tensors of.

    >>> from_numpy(np.dtype("float64"))
    torch.float64
    """
    if numpy_dtype in _FROM_NUMPY:
        return _FROM_NUMPY[numpy_dtype]
    if not numpy_dtype.isnative and numpy_dtype.newbyteorder() in _FROM_NUMPY:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Conversion between byte orders is currently not supported."
        )
    *names, last = (d.name for d in DTYPES)
    raise TypeError(
        f"can't convert np.ndarray of type numpy.{numpy_dtype.type.__name__}. "
        f"The only supported types are: {', '.join(names)}, and {last}."
    )


def to_numpy(kind: dtype | type | np.dtype | None) -> np.dtype:
    """The NumPy dtype for what a user may pass as `dtype=`; None is the default type.

    Python's own `float` means float64, as in PyTorch.

    >>> to_numpy(int8), to_numpy(None)
    (dtype('int8'), dtype('float32'))
    """
    if kind is None:
        return default
    try:
        return _TO_NUMPY[kind]
    except (KeyError, TypeError):  # TypeError: not hashable
        raise TypeError(
            f"argument 'dtype' must be torch.dtype, not {type(kind).__name__}"
        ) from None


def get_default_dtype() -> dtype:
    """The type that `tensor(1.0)` and `rand(3)` have, and that dividing integers gives."""
    return _FROM_NUMPY[default]


def set_default_dtype(d: dtype, /) -> None:
    """Make `d`, a floating-point dtype, the default; TypeError for any other object."""
    global default
    if not isinstance(d, dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the "
                        "default type")
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    default = d.numpy


@functools.cache
def promote(a: np.dtype, b: np.dtype) -> np.dtype:
    """The smallest type that holds both, where any float type holds every integer type."""
    if a.kind == "f" and b.kind != "f":
        return a
    if b.kind == "f" and a.kind != "f":
        return b
    return np.promote_types(a, b)


def promote_types(a: dtype, b: dtype) -> dtype:
    """The type of an operation on arrays of types `a` and `b`.

    >>> promote_types(uint8, int8), promote_types(int64, float16)
    (torch.int16, torch.float16)
    """
    for position, d in enumerate((a, b), 1):
        if not isinstance(d, dtype):
            raise TypeError(f"promote_types(): argument 'type{position}' (position {position}) "
                            f"must be torch.dtype, not {type(d).__name__}")
    return _FROM_NUMPY[promote(a.numpy, b.numpy)]


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Whether an operation that gives `from_` may write into `to`: never down a category.

    >>> can_cast(float64, float16), can_cast(float16, int64)
    (True, False)
    """
    return category(from_.numpy) <= category(to.numpy)


def category(numpy_dtype: np.dtype) -> builtins.int:
    """0 for bool, 1 for integers, 2 for floating point."""
    return _CATEGORY[numpy_dtype.kind]


def result_type(*operands: np.ndarray | np.generic | builtins.float) -> np.dtype:
    """The type PyTorch computes in, given arrays and Python numbers.

    Arrays with dimensions decide; a 0-d array or NumPy scalar (a 0-d tensor) counts only if its
    category (bool < integer < floating point) is higher, and a Python number only if its category
    is higher than that of both.

    >>> result_type(np.ones(2, "int32"), np.float64(1)), result_type(np.ones(2, "float16"), 2.5)
    (dtype('float64'), dtype('float16'))
    """
    arrays = zero_dims = numbers = None
    for x in operands:
        if not hasattr(x, "dtype"):
            numbers = _join(numbers, number_type(x))
        elif x.ndim:
            arrays = _join(arrays, x.dtype)
        else:
            zero_dims = _join(zero_dims, x.dtype)
    return _outrank(arrays, _outrank(zero_dims, numbers))


def number_type(x: builtins.float) -> np.dtype:
    """The type of a Python number: bool, int64 or the default floating-point type."""
    if isinstance(x, builtins.float):
        return default
    if isinstance(x, builtins.int):
        return bool.numpy if isinstance(x, builtins.bool) else int64.numpy
    raise TypeError(f"expected a tensor or a number, not {type(x).__name__}")


def number_as(x: builtins.float, to: np.dtype) -> np.generic:
    """A Python number as this type; RuntimeError if it is finite and too large.

    >>> number_as(2.5, np.dtype("int8")), number_as(-1, np.dtype("uint8"))
    (np.int8(2), np.uint8(255))
    """
    if to.kind == "f":
        fits = not math.isfinite(x) or abs(x) <= builtins.float(np.finfo(to).max)
    else:
        low, high = integer_range(to, isinstance(x, builtins.int))
        fits = to.kind == "b" or low <= x <= high
    if not fits:
        cpp = to.kind == "f" or to == np.int32
        name = _FROM_NUMPY[to].cpp_name if cpp else f"{to}_t"
        raise RuntimeError(overflow(name))
    return np.asarray(x).astype(to)[()]


def integer_range(to: np.dtype, integers: builtins.bool) -> tuple[builtins.int, builtins.int]:
    """From where to where numbers are taken into an integer type: of integers −1 is 255."""
    limits = np.iinfo(np.uint8 if to.kind == "b" else to)
    return -limits.max if to.kind == "u" and integers else limits.min, limits.max


def overflow(name: object) -> str:
    return f"value cannot be converted to type {name} without overflow"


def _join(a: np.dtype | None, b: np.dtype) -> np.dtype:
    return b if a is None or a is b else promote(a, b)


def _outrank(high: np.dtype | None, low: np.dtype | None) -> np.dtype | None:
    if high is None or low is None:
        return low if high is None else high
    return high if category(high) >= category(low) else promote(high, low)


def float_type(numpy_dtype: np.dtype) -> np.dtype:
    """The type of true division and of functions like `exp`: integers give the default type."""
    return numpy_dtype if numpy_dtype.kind == "f" else default


def type_name(numpy_dtype: np.dtype) -> str:
    """The name of a tensor's type, as `Tensor.type()` gives it.

    >>> type_name(np.dtype("float32"))
    'torch.FloatTensor'
    """
    return f"torch.{_FROM_NUMPY[numpy_dtype].scalar_name}Tensor"


def scalar_name(numpy_dtype: np.dtype) -> str:
    """The name most error messages use: "Float", "Long", …"""
    return _FROM_NUMPY[numpy_dtype].scalar_name


def cpp_name(numpy_dtype: np.dtype) -> str:
    """The C++ name that matrix products use in their messages: "float", "long int", …"""
    return _FROM_NUMPY[numpy_dtype].cpp_name


class finfo:
    """The limits of a floating-point type, by default of the default one.

    >>> finfo(float16)
    finfo(resolution=0.001, min=-65504, max=65504, eps=0.000976562, smallest_normal=6.10352e-05, \
tiny=6.10352e-05, dtype=float16)
    """

    def __init__(self, type: dtype | None = None) -> None:
        kind = _asked("finfo", get_default_dtype() if type is None else type)
        if not kind.is_floating_point:
            raise TypeError("torch.finfo() requires a floating point input type. Use torch.iinfo "
                            "to handle 'torch.finfo'")
        limits = np.finfo(kind.numpy)
        self.bits, self.dtype = limits.bits, kind.name
        for name in ("resolution", "min", "max", "eps", "smallest_normal", "tiny"):
            setattr(self, name, builtins.float(getattr(limits, name)))
        self.resolution = 10.0 ** -limits.precision

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        limits = ", ".join(f"{name}={getattr(self, name):g}" for name in names)
        return f"finfo({limits}, dtype={self.dtype})"


class iinfo:
    """The limits of an integer type.

    >>> iinfo(uint8)
    iinfo(min=0, max=255, dtype=uint8)
    """

    def __init__(self, type: dtype) -> None:
        kind = _asked("iinfo", type)
        if kind is bool:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if kind.is_floating_point:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to "
                            "handle 'torch.iinfo'")
        limits = np.iinfo(kind.numpy)
        self.bits, self.dtype = limits.bits, kind.name
        self.min, self.max = limits.min, limits.max

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def _asked(name: str, kind: dtype) -> dtype:
    if not isinstance(kind, dtype):
        raise TypeError(f"{name}(): argument 'type' (position 1) must be torch.dtype, not "
                        f"{type(kind).__name__}")
    return kind


half, float, double = float16, float32, float64
short, int, long = int16, int32, int64
