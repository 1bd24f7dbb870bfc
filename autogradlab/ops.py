"""Torch's functions and methods: how they take their arguments, and what each is made of.

A function here checks its arguments in torch's words, brings dimensions and shapes to one form, and
calls primitives of `derivatives/`, in the combination eager torch uses, so that the graphs are the
same. Nothing here has a derivative of its own. At the end the functions become methods of `Tensor`.
"""

from __future__ import annotations

import builtins
import functools
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import derivatives as d
from . import dtypes, errors, inplace
from .tensor import Tensor, wrap

Number = int | float  # bool is an int


def needs_tensor(function: Callable[..., Tensor], input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise TypeError(errors.not_a_tensor(function.__name__, "input", 1, input))
    return input


def operand(name: str, x: Any, position: int) -> Any:
    """A tensor or a number; torch's TypeError for anything else."""
    if isinstance(x, Tensor | Number):
        return x
    if isinstance(x, np.generic):
        return x.item()
    raise TypeError(errors.not_a_tensor(name, ("input", "other")[position - 1], position, x))


# ------------------------------------------------------------------------------------- arithmetic


def binary(name: str, primitive: d.Primitive) -> Callable[..., Tensor]:
    def function(input: Any, other: Any, **options: Any) -> Tensor:
        a, b = operand(name, input, 1), operand(name, other, 2)
        if not isinstance(a, Tensor) and not isinstance(b, Tensor):
            a = wrap(np.asarray(a, dtypes.number_type(a))[()])
        if options.get("alpha", 0) == 1:
            options = {}
        return primitive(a, b, **options)

    function.__name__ = name
    return function


add = binary("add", d.add)
mul = binary("mul", d.mul)
div = binary("div", d.div)
maximum = binary("maximum", d.maximum)
minimum = binary("minimum", d.minimum)
_sub = binary("sub", d.sub)


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """`input - alpha * other`."""
    if is_bool(input) and is_bool(other):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    if is_bool(input) or is_bool(other):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
            "trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return _sub(input, other, alpha=alpha)


def is_bool(x: Any) -> bool:
    return isinstance(x, builtins.bool) or (isinstance(x, Tensor) and x.array.dtype.kind == "b")


def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """`other - alpha * input`."""
    if is_bool(input) or is_bool(other):
        sub(input, other)
    if isinstance(operand("rsub", other, 2), Tensor):
        return d.rsub_tensor(input, other, alpha=alpha)
    return d.rsub_number(input, other=other, alpha=alpha)


def rdiv(input: Tensor, other: Any) -> Tensor:
    return mul(reciprocal(input), operand("div", other, 2))


def pow(input: Any, exponent: Any) -> Tensor:
    """`input ** exponent`, where either may be a number."""
    exponent = exponent.item() if isinstance(exponent, np.generic) else exponent
    if isinstance(exponent, Number):
        return d.pow_number(needs_tensor(pow, input), exponent=exponent)
    if not isinstance(exponent, Tensor):
        raise TypeError(errors.not_a_tensor("pow", "exponent", 2, exponent))
    if isinstance(input, Number):
        return d.rpow_number(exponent, self=input)
    return d.pow_tensor(input, exponent)


def neg(input: Tensor) -> Tensor:
    """`-input`."""
    if is_bool(input):
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying "
            "to invert "
            "a mask, use the `~` or `logical_not()` operator instead."
        )
    return d.neg(needs_tensor(neg, input))


def unary(name: str, primitive: d.Primitive) -> Callable[[Tensor], Tensor]:
    def function(*args: Any, input: Any = None) -> Tensor:
        if not args and input is None:
            raise TypeError(f'{name}() missing 1 required positional arguments: "input"')
        return primitive(needs_tensor(function, args[0] if args else input))

    function.__name__ = name
    return function


exp, log, sin, cos = (
    unary("exp", d.exp),
    unary("log", d.log),
    unary("sin", d.sin),
    unary("cos", d.cos),
)
tanh, sigmoid, sqrt = unary("tanh", d.tanh), unary("sigmoid", d.sigmoid), unary("sqrt", d.sqrt)
sign = unary("sign", d.sign)
reciprocal = unary("reciprocal", d.reciprocal)


def relu(input: Tensor) -> Tensor:
    """`input` where it is positive, else 0."""
    if is_bool(needs_tensor(relu, input)):
        raise RuntimeError("Boolean inputs not supported for relu")
    return d.relu(input)


def abs(input: Tensor) -> Tensor:
    """`input` without its sign."""
    if is_bool(needs_tensor(abs, input)):
        raise NotImplementedError("\"abs_cpu\" not implemented for 'Bool'")
    return d.abs_(input)


def square(input: Tensor) -> Tensor:
    """`input ** 2`."""
    return pow(input, 2)


def clone(input: Tensor) -> Tensor:
    """A copy in memory of its own, through which gradients flow."""
    return d.clone(input)


def zeroed(input: Tensor) -> Tensor:
    return d.fill_zero(input)


zeroed.__name__ = "zero"


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """Elements of `input` where the condition holds, of `other` elsewhere."""
    if input is None and other is None:
        return tuple(wrap(i) for i in np.nonzero(condition.array))
    if condition.array.dtype.kind != "b":
        kind = dtypes.scalar_name(condition.array.dtype)
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {kind}"
        )
    a, b = operand("where", input, 1), operand("where", other, 2)
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a, b = (wrap(np.asarray(x, dtypes.number_type(x))[()]) for x in (a, b))
    for x in (a, b):
        if isinstance(x, Tensor):
            d.elementwise.broadcastable([condition.array, x.array])
    return d.where(a, b, condition=condition)


# ------------------------------------------------------------------------- comparison, no gradient


def comparison(name: str, ufunc: np.ufunc) -> Callable[[Any, Any], Tensor]:
    def function(input: Tensor, other: Any) -> Tensor:
        b = operand(name, other, 2)
        arrays = d.elementwise.arithmetic([input.array, b.array if isinstance(b, Tensor) else b])
        return wrap(ufunc(*arrays))

    function.__name__ = name
    return function


eq, ne = comparison("eq", np.equal), comparison("ne", np.not_equal)
lt, le = comparison("lt", np.less), comparison("le", np.less_equal)
gt, ge = comparison("gt", np.greater), comparison("ge", np.greater_equal)
logical_and, logical_or = (
    comparison("logical_and", np.logical_and),
    comparison("logical_or", np.logical_or),
)
bitwise_and, bitwise_or = (
    comparison("bitwise_and", np.bitwise_and),
    comparison("bitwise_or", np.bitwise_or),
)
bitwise_xor = comparison("bitwise_xor", np.bitwise_xor)


def logical_not(input: Tensor) -> Tensor:
    """True where an element is zero."""
    return wrap(np.logical_not(input.array))


def isnan(input: Tensor) -> Tensor:
    """True where an element is not a number."""
    return wrap(np.isnan(input.array))


def isfinite(input: Tensor) -> Tensor:
    """True where an element is neither infinite nor nan."""
    return wrap(np.isfinite(input.array))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    return input.shape == other.shape and builtins.bool(np.all(input.array == other.array))


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether |input - other| ≤ atol + rtol·|other| for every element."""
    if input.dtype is not other.dtype:
        names = (dtypes.scalar_name(x.array.dtype) for x in (input, other))
        raise RuntimeError("{} did not match {}".format(*names))
    return builtins.bool(np.allclose(input.array, other.array, rtol, atol, equal_nan))


# ------------------------------------------------------------------------------------- dimensions


def one_dim(dim: int, ndim: int) -> int:
    """A dimension counted from the front."""
    if not isinstance(dim, int | np.integer) or isinstance(dim, builtins.bool):
        raise TypeError(f"argument 'dim' must be int, not {type(dim).__name__}")
    if not -builtins.max(ndim, 1) <= dim < builtins.max(ndim, 1):
        raise IndexError(errors.dimension(dim, ndim))
    return dim % builtins.max(ndim, 1)


def many_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """Dimensions counted from the front; none given means all."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    out = tuple(one_dim(i, ndim) for i in dims) or tuple(range(ndim))
    repeated = next((i for i in out if out.count(i) > 1), None)
    if repeated is not None:
        raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    return out if ndim else ()


def one_shape(name: str, shape: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as numbers or as one sequence."""
    if len(shape) == 1 and isinstance(shape[0], Sequence | Tensor):
        shape = tuple(shape[0])
    for n in shape:
        if not hasattr(n, "__index__") or isinstance(n, builtins.bool):
            raise TypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, not "
                f"{type(n).__name__}"
            )
    return tuple(n.__index__() for n in shape)


# ------------------------------------------------------------------------------------- reductions


def reduction(name: str, whole: d.Primitive, along: d.Primitive) -> Callable[..., Tensor]:
    def function(
        input: Tensor,
        dim: Any = None,
        keepdim: bool = False,
        *,
        dtype: Any = None,
        axis: Any = None,
        keepdims: bool = False,
    ) -> Tensor:
        needs_tensor(function, input)
        dim, keepdim = axis if dim is None else dim, keepdim or keepdims
        options = {} if dtype is None else {"dtype": dtypes.to_numpy(dtype)}
        if name == "mean" and (options.get("dtype") or input.array.dtype).kind != "f":
            kind = dtypes.scalar_name(options.get("dtype") or input.array.dtype)
            which = "Input" if dtype is None else "Optional"
            raise RuntimeError(
                f"mean(): could not infer output dtype. {which} dtype must be either a floating "
                "point or "
                f"complex dtype. Got: {kind}"
            )
        if dim is None and not keepdim:
            return whole(input, **options)
        dims = many_dims(() if dim is None else dim, input.ndim)
        return along(input, dim=dims, keepdim=keepdim, **options)

    function.__name__ = name
    return function


sum = reduction("sum", d.sum_all, d.sum_dim)
mean = reduction("mean", d.mean_all, d.mean_dim)


class _Pair:
    """What `max` and `min` along a dimension return: it prints as torch's does."""

    def __repr__(self) -> str:
        name, (values, indices) = type(self).__name__, self
        return f"torch.return_types.{name}(\nvalues={values!r},\nindices={indices!r})"


PAIRS = {
    name: type(name, (_Pair, namedtuple(name, ("values", "indices"))), {"__slots__": ()})
    for name in ("max", "min")
}


def extreme(
    name: str, whole: d.Primitive, along: d.Primitive, pair: Any, arg: Callable[..., Any]
) -> Callable[..., Any]:
    def function(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        needs_tensor(function, input)
        if isinstance(dim, Tensor):
            return pair(input, dim)
        if dim is None:
            if not input.array.size:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the "
                    "reduction dim with the 'dim' argument."
                )
            return whole(input)
        dim = one_dim(dim, input.ndim)
        if input.ndim and not input.array.shape[dim]:
            raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
        indices = np.expand_dims(arg(input.array, dim), dim) if input.ndim else np.int64(0)
        values = along(input, indices=indices, dim=dim, keepdim=keepdim)
        if input.ndim and not keepdim:
            indices = np.squeeze(indices, dim)[()]
        return PAIRS[name](values, wrap(indices))

    function.__name__ = name
    return function


max = extreme("max", d.max_all, d.max_dim, maximum, np.argmax)
min = extreme("min", d.min_all, d.min_dim, minimum, np.argmin)


def arg_extreme(name: str, function: Callable[..., Any]) -> Callable[..., Tensor]:
    def arg(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        if dim is None:
            return wrap(np.int64(function(input.array)))
        dim = one_dim(dim, input.ndim)
        found = function(input.array, dim) if input.ndim else np.int64(0)
        return wrap(np.expand_dims(found, dim) if keepdim and input.ndim else found)

    arg.__name__ = name
    return arg


argmax, argmin = arg_extreme("argmax", np.argmax), arg_extreme("argmin", np.argmin)


def any(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Whether some element is true."""
    return (
        wrap(np.any(input.array, dim, keepdims=keepdim))
        if dim is not None
        else wrap(np.any(input.array))
    )


def all(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Whether every element is true."""
    return (
        wrap(np.all(input.array, dim, keepdims=keepdim))
        if dim is not None
        else wrap(np.all(input.array))
    )


# ----------------------------------------------------------------------------------------- shapes


def inferred(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The shape with its -1 filled in; torch's errors if the elements do not fit."""
    bad = next((n for n in shape if n < -1), None)
    if bad is not None:
        raise RuntimeError(
            f"invalid shape dimension {bad} at index {shape.index(bad)} of shape {list(shape)}"
        )
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = int(np.prod([n for n in shape if n != -1], dtype=np.int64))
    if -1 in shape and not known and not size:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified "
            "dimension size -1 can be any value and is ambiguous"
        )
    if (size % known if known else size) if -1 in shape else known != size:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return tuple(size // known if n == -1 else n for n in shape)


def viewable(input: Tensor, shape: tuple[int, ...]) -> builtins.bool:
    """Whether the shape can be shown without copying."""
    array = input.memory()
    return not array.size or np.may_share_memory(array, array.reshape(shape))


def view(input: Tensor, *shape: Any) -> Tensor:
    """The same memory in another shape."""
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        raise TypeError("view(dtype) is not supported: use .to(dtype)")
    shape = inferred(one_shape("view", shape), input.numel())
    if not viewable(input, shape):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension "
            "spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return d.view(input, shape=shape)


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """Another shape, on the same memory where that is possible."""
    shape = inferred(one_shape("reshape", shape), input.numel())
    if not viewable(input, shape):
        return d.unsafe_view(contiguous_copy(input), shape=shape)
    return (d.view if input.is_contiguous() else d.reshape_alias)(input, shape=shape)


def contiguous_copy(input: Tensor) -> Tensor:
    out = d.clone(input)
    out.array = np.ascontiguousarray(out.array)
    return out


def contiguous(input: Tensor) -> Tensor:
    """The tensor itself if its memory is in row-major order, else a copy that is."""
    return input if input.is_contiguous() else contiguous_copy(input)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions from `start_dim` to `end_dim` joined into one."""
    first, last = one_dim(start_dim, input.ndim), one_dim(end_dim, input.ndim)
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not input.ndim:
        return reshape(input, 1)
    if first == last:
        return input
    return reshape(input, (*input.shape[:first], -1, *input.shape[last + 1 :]))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged."""
    return d.transpose(input, dim0=one_dim(dim0, input.ndim), dim1=one_dim(dim1, input.ndim))


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector as it is."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return d.t(input)


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order."""
    dims = one_shape("permute", dims)
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            "length of the "
            f"desired ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to "
            f"len(dims) = {len(dims)}"
        )
    dims = tuple(one_dim(i, input.ndim) for i in dims)
    if len(set(dims)) < len(dims):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return d.permute(input, dims=dims)


def reversed_dims(input: Tensor) -> Tensor:
    if input.ndim not in (0, 2):
        errors.warn_once(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and "
            "it will throw an error in a future release. Consider `x.mT` to transpose batches "
            "of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor."
        )
    return d.permute(input, dims=tuple(range(input.ndim))[::-1])


def matrix_transpose(input: Tensor) -> Tensor:
    if input.ndim < 2:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{input.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of size 1, all or the given ones."""
    if dim is None:
        return d.squeeze_all(input)
    if isinstance(dim, int):
        return d.squeeze_dim(input, dim=one_dim(dim, input.ndim))
    return d.squeeze_dims(input, dim=many_dims(dim, input.ndim))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 put in at `dim`."""
    return d.unsqueeze(input, dim=one_dim(dim, input.ndim + 1))


def expand(input: Tensor, *shape: Any) -> Tensor:
    """Dimensions of size 1 repeated without copying; -1 keeps a size."""
    shape, old = one_shape("expand", shape), input.shape
    lead = len(shape) - len(old)
    if lead < 0:
        kind = dtypes.type_name(input.array.dtype)
        raise RuntimeError(
            f"expand({kind}{{{list(old)}}}, size={list(shape)}): the number of sizes provided "
            f"({len(shape)}) "
            f"must be greater or equal to the number of dimensions in the tensor ({len(old)})"
        )
    new = tuple(old[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(shape))
    if builtins.any(m not in (1, n) for m, n in zip(old, new[lead:], strict=True)):
        raise RuntimeError(errors.expand(new, old))
    return d.expand(input, shape=new)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of `other`."""
    return expand(input, other.shape)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The same memory in the shape of `other`."""
    return view(input, other.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The shape of `other`."""
    return reshape(input, other.shape)


def listed(name: str, sequence: Any) -> list[Tensor]:
    if isinstance(sequence, Tensor) or not isinstance(sequence, Sequence):
        got = type(sequence).__name__
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {got}"
        )
    for i, x in enumerate(sequence):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}"
            )
    return list(sequence)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along a dimension they have."""
    parts = listed("cat", tensors)
    if not parts:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    if not builtins.all(x.ndim for x in parts):
        i = next(i for i, x in enumerate(parts) if not x.ndim)
        raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    whole = [x for x in parts if x.shape != (0,)] or parts
    first, dim = whole[0], one_dim(dim, whole[0].ndim)
    for x in whole:
        if x.ndim != first.ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {first.ndim} and {x.ndim}"
            )
        for i, (m, n) in enumerate(zip(first.shape, x.shape, strict=True)):
            if m != n and i != dim:
                place = next(k for k, y in enumerate(parts) if y is x)
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {m} "
                    "but got size "
                    f"{n} for tensor number {place} in the list."
                )
    to = functools.reduce(dtypes.promote, (x.array.dtype for x in parts))
    return d.cat(*[to_dtype(x, to) for x in whole], dim=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension."""
    parts = listed("stack", tensors)
    if not parts:
        raise RuntimeError("stack expects a non-empty TensorList")
    for i, x in enumerate(parts):
        if x.shape != parts[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(parts[0].shape)} at "
                "entry 0 and "
                f"{list(x.shape)} at entry {i}"
            )
    return d.stack(*parts, dim=one_dim(dim, parts[0].ndim + 1))


def to_dtype(input: Tensor, to: np.dtype) -> Tensor:
    return input if input.array.dtype == to else d.copy_to(input, dtype=to)


def to(
    input: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False
) -> Tensor:
    """The tensor in another dtype; the only device is "cpu"."""
    for arg in args:
        if isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, str):
            device = arg
        else:
            dtype = arg
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise RuntimeError(f"autogradlab computes on the CPU only, not on {device!r}")
    to = input.array.dtype if dtype is None else dtypes.to_numpy(dtype)
    return d.copy_to(input, dtype=to) if copy else to_dtype(input, to)


def type_(input: Tensor, dtype: Any = None) -> Any:
    """The tensor in another dtype, or the name of its type."""
    return dtypes.type_name(input.array.dtype) if dtype is None else to(input, dtype)


# --------------------------------------------------------------------------------------- products


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Matrix times matrix."""
    matmul_types(
        input, mat2, "expected m1 and m2 to have the same dtype, but got: {} != {}", dtypes.cpp_name
    )
    if input.shape[1] != mat2.shape[0]:
        a, b = ("x".join(map(str, x.shape)) for x in (input, mat2))
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({a} and {b})")
    return d.mm(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Matrix times vector."""
    if input.shape[1] != vec.shape[0]:
        rows, columns = input.shape
        raise RuntimeError(
            f"size mismatch, got input ({rows}), mat ({rows}x{columns}), vec ({vec.shape[0]})"
        )
    message = "addmv input tensors must have the same dtype, but got {0}, {1}, and {0}"
    matmul_types(input, vec, message, dtypes.scalar_name)
    return d.mv(input, vec)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    message = "dot : expected both vectors to have same dtype, but found {} and {}"
    matmul_types(input, tensor, message, dtypes.scalar_name)
    if input.shape != tensor.shape:
        (m,), (n,) = input.shape, tensor.shape
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{m}] and src [{n}] to have the same "
            "number of elements, "
            f"but got {m} and {n} elements respectively"
        )
    return d.dot(input, tensor)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """A batch of matrices times a batch of matrices."""
    matmul_types(input, mat2, "expected scalar type {} but found {}", dtypes.scalar_name)
    if input.shape[2] != mat2.shape[1] or input.shape[0] != mat2.shape[0]:
        want, got = [input.shape[0], input.shape[2]], list(mat2.shape[:2])
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: {want} but got: {got}."
        )
    return d.bmm(input, mat2)


def matmul_types(a: Tensor, b: Tensor, message: str, name: Callable[[np.dtype], str]) -> None:
    if a.array.dtype != b.array.dtype:
        raise RuntimeError(message.format(name(a.array.dtype), name(b.array.dtype)))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Every element of one vector times every element of another."""
    return mul(reshape(input, input.shape[0], 1), vec2)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """`input @ other`: vectors, matrices or batches of matrices, by torch's decomposition."""
    for position, (name, x) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(x, Tensor):
            raise TypeError(errors.not_a_tensor("matmul", name, position, x))
    m, n = input.ndim, other.ndim
    if not m or not n:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {m}D and {n}D"
        )
    if m == n == 1:
        return dot(input, other)
    if (m, n) == (2, 1):
        return mv(input, other)
    if (m, n) == (1, 2):
        return d.squeeze_in_place(mm(unsqueeze(input, 0), other), dim=0)
    if m == n == 2:
        return mm(input, other)
    if m <= 2 or n <= 2:
        return folded(input, other)
    batch = np.broadcast_shapes(*batch_shapes(input.shape[:-2], other.shape[:-2]))
    a = reshape(expand(input, *batch, *input.shape[-2:]), -1, *input.shape[-2:])
    b = reshape(expand(other, *batch, *other.shape[-2:]), -1, *other.shape[-2:])
    return d.unsafe_view(bmm(a, b), shape=(*batch, input.shape[-2], other.shape[-1]))


def batch_shapes(a: Sequence[int], b: Sequence[int]) -> tuple[Any, Any]:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        raise RuntimeError(errors.broadcast(a, b)) from None
    return a, b


def folded(input: Tensor, other: Tensor) -> Tensor:
    """A batch times one matrix or vector: the batch becomes the rows of one matrix."""
    flip = other.ndim > input.ndim
    big, small = (other.mT, t(input) if input.ndim == 2 else input) if flip else (input, other)
    rows = reshape(big, -1, big.shape[-1])
    if small.ndim == 1:
        return d.unsafe_view(mv(rows, small), shape=tuple(big.shape[:-1]))
    out = d.unsafe_view(mm(rows, small), shape=(*big.shape[:-1], small.shape[1]))
    return contiguous(out.mT) if flip else out


# --------------------------------------------------------------------------------------- indexing


def getitem(input: Tensor, key: Any) -> Tensor:
    """`input[key]`: each number selects, each slice slices, arrays of indices or masks index "
    "at the end."""
    if isinstance(key, slice):
        return sliced(input, 0, key)
    items = list(key) if isinstance(key, tuple) else [key]
    used = builtins.sum(k.ndim if is_mask(k) else k is not None and k is not ... for k in items)
    if used > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim}")
    out, dim, arrays = input, 0, {}
    for k in items:
        if k is ...:
            dim += input.ndim - used
        elif k is None:
            out, dim = unsqueeze(out, dim), dim + 1
        elif isinstance(k, slice):
            full = k == slice(None)
            out, dim = out if full else sliced(out, dim, k), dim + 1
        elif isinstance(k, Tensor | np.ndarray | list) and not is_number(k):
            array = index_array(k, out, dim)
            for i, a in enumerate(array):
                arrays[dim + i] = a
            dim += len(array)
        else:
            out = selected(out, dim, k)
    if arrays:
        return indexed(out, arrays)
    return d.alias(input) if out is input else out


def is_mask(k: Any) -> builtins.bool:
    return (
        isinstance(k, Tensor | np.ndarray) and np.asarray(getattr(k, "array", k)).dtype.kind == "b"
    )


def is_number(k: Any) -> builtins.bool:
    return isinstance(k, Tensor) and not k.ndim and k.array.dtype.kind in "iu"


def sliced(input: Tensor, dim: int, key: slice) -> Tensor:
    if not input.ndim:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    if key.step is not None and key.step <= 0:
        raise ValueError("step must be greater than zero")
    start, end, step = key.indices(input.shape[dim])
    return d.slice_(input, dim=dim, start=start, end=end, step=step)


def selected(input: Tensor, dim: int, k: Any) -> Tensor:
    if isinstance(k, str):
        raise TypeError(f"new(): invalid data type '{type(k).__name__}'")
    if isinstance(k, builtins.bool) or not hasattr(k, "__index__"):
        raise IndexError(errors.INDEX_TYPES.format(type(k).__name__))
    if not input.ndim:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
            "`tensor.item<T>()` in C++ to "
            "convert a 0-dim tensor to a number"
        )
    size, i = input.shape[dim], k.__index__()
    if not -size <= i < size:
        raise IndexError(f"index {i} is out of bounds for dimension {dim} with size {size}")
    return d.select(input, dim=dim, index=i % size)


def index_array(k: Any, input: Tensor, dim: int) -> tuple[np.ndarray, ...]:
    """An array of indices; a mask becomes the indices of its true elements."""
    array = np.asarray(k.array if isinstance(k, Tensor) else k)
    if array.dtype.kind == "b":
        if array.shape != input.shape[dim : dim + array.ndim]:
            i = next(i for i, n in enumerate(array.shape) if n != input.shape[dim + i])
            raise IndexError(
                f"The shape of the mask {list(array.shape)} at index {i} does not match the "
                "shape of the "
                f"indexed tensor {list(input.shape)} at index {dim + i}"
            )
        return np.nonzero(array)
    if array.dtype.kind not in "iu" and array.size:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    return (array.astype(np.int64),)


def indexed(input: Tensor, arrays: dict[int, np.ndarray]) -> Tensor:
    for dim, a in arrays.items():
        size = input.shape[dim]
        outside = a[(a < -size) | (a >= size)]
        if outside.size:
            raise IndexError(
                f"index {outside[0]} is out of bounds for dimension {dim} with size {size}"
            )
    indices = tuple(arrays.get(i, slice(None)) for i in range(builtins.max(arrays) + 1))
    try:
        return d.index(input, indices=indices)
    except IndexError:
        shapes = ", ".join(str(list(a.shape)) for a in arrays.values())
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None


def numpy_index(key: Any) -> Any:
    """An index for NumPy: tensors as arrays, numbers as views."""
    if isinstance(key, tuple):
        return tuple(numpy_index(k) for k in key)
    return (
        np.asarray(key.array if isinstance(key, Tensor) else key)
        if isinstance(key, Tensor | list)
        else key
    )


def iterate(input: Tensor) -> Any:
    if not input.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter([d.select(input, dim=0, index=i) for i in range(len(input))])


# ---------------------------------------------------------------------------------------- methods


def operator(
    symbol: str, function: Callable[..., Tensor], flip: bool = False
) -> Callable[..., Any]:
    """A function as a Python operator: it steps aside for operands that are no tensors or "
    "numbers."""

    def method(self: Tensor, other: Any) -> Any:
        if not isinstance(other, Tensor | Number | np.generic):
            return NotImplemented
        return function(other, self) if flip else function(self, other)

    method.__name__ = symbol
    return method


def attach() -> None:
    """Give `Tensor` its methods and operators."""
    functions = (
        add,
        sub,
        mul,
        div,
        pow,
        neg,
        exp,
        log,
        sin,
        cos,
        tanh,
        sigmoid,
        sqrt,
        relu,
        abs,
        sign,
        reciprocal,
        square,
        clone,
        maximum,
        minimum,
        eq,
        ne,
        lt,
        le,
        gt,
        ge,
        logical_and,
        logical_or,
        logical_not,
        isnan,
        isfinite,
        equal,
        allclose,
        sum,
        mean,
        max,
        min,
        argmax,
        argmin,
        any,
        all,
        view,
        reshape,
        contiguous,
        flatten,
        transpose,
        t,
        permute,
        squeeze,
        unsqueeze,
        expand,
        expand_as,
        view_as,
        reshape_as,
        to,
        mm,
        mv,
        dot,
        bmm,
        outer,
        matmul,
    )
    for function in functions:
        setattr(Tensor, function.__name__, function)
    for name, function in (
        ("add", add),
        ("sub", sub),
        ("mul", mul),
        ("div", div),
        ("pow", pow),
        ("neg", neg),
        ("exp", exp),
        ("relu", relu),
        ("sigmoid", sigmoid),
        ("tanh", tanh),
        ("sqrt", sqrt),
        ("zero", zeroed),
    ):
        setattr(Tensor, f"{name}_", inplace.in_place(function))
    for symbol, function in (
        ("add", add),
        ("mul", mul),
        ("sub", sub),
        ("truediv", div),
        ("pow", pow),
    ):
        setattr(Tensor, f"__{symbol}__", operator(symbol, function))
    for symbol in ("add", "sub", "mul"):
        setattr(Tensor, f"__i{symbol}__", operator(symbol, getattr(Tensor, f"{symbol}_")))
    Tensor.__itruediv__, Tensor.__ipow__ = (
        operator("truediv", Tensor.div_),
        operator("pow", Tensor.pow_),
    )
    Tensor.__radd__, Tensor.__rmul__ = operator("add", add), operator("mul", mul)
    Tensor.__rsub__, Tensor.__rtruediv__ = operator("sub", rsub), operator("truediv", rdiv)
    Tensor.__rpow__ = operator("pow", pow, flip=True)
    Tensor.__matmul__ = operator("matmul", matmul)
    for symbol, function in (
        ("eq", eq),
        ("ne", ne),
        ("lt", lt),
        ("le", le),
        ("gt", gt),
        ("ge", ge),
        ("and", bitwise_and),
        ("or", bitwise_or),
        ("xor", bitwise_xor),
    ):
        setattr(Tensor, f"__{symbol}__", operator(symbol, function))
    Tensor.__neg__, Tensor.__abs__, Tensor.__invert__ = (
        neg,
        abs,
        lambda self: wrap(np.invert(self.array)),
    )
    Tensor.__getitem__, Tensor.__setitem__, Tensor.__iter__ = getitem, inplace.setitem, iterate
    Tensor.T, Tensor.mT = property(reversed_dims), property(matrix_transpose)
    Tensor.type, Tensor.subtract, Tensor.multiply, Tensor.divide = type_, sub, mul, div
    Tensor.absolute, Tensor.negative = abs, neg
    for kind in ("half", "float", "double", "short", "int", "long", "bool"):
        setattr(Tensor, kind, functools.partialmethod(to, getattr(dtypes, kind)))


attach()
