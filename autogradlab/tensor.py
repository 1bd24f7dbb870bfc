"""The `Tensor`: an array, its gradient, and the node that made it.

Here are a tensor's state and what Python asks of an object: flags, memory, conversion, printing.
Its arithmetic and its other operations are functions in `ops/`, attached there as methods.
"""

from __future__ import annotations

import math
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import devices, dtypes, errors, printing
from .arrays import Lifted
from .modes import modes

if TYPE_CHECKING:
    from .engine import Node
    from .hooks import Extras, RemovableHandle


class Size(tuple[int, ...]):
    """A shape: a tuple that prints as `torch.Size([2, 3])`.

    >>> Size((2, 3)), Size((2, 3)).numel()
    (torch.Size([2, 3]), 6)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def numel(self) -> int:
        return int(np.prod(self, dtype=np.int64))


class Tensor:
    """An n-dimensional array that can remember how it was computed.

    Make one with `tensor`, `zeros`, `randn`, …, never by calling the class. `array` is the data, a
    NumPy array (or NumPy scalar: results without dimensions stay scalars, which are ten times as
    fast). The rest of the state has its default in the class, so that a plain result costs nothing.
    """

    array: Any
    node: Node | None = None  # what made it; None for a leaf
    accumulator: weakref.ref[Node] | None = None  # of a leaf: the node that fills its .grad
    cell: list[int] | None = None  # [version], shared with views; None while nobody asked
    base: Tensor | None = None  # whose memory this is a view of
    made: str = ""  # of a view: why it must not be written into, "" if it may
    seen: int = 0  # of a view: the version at which its node was right
    inference: bool = False  # made under inference_mode
    special: bool = False  # a view or made under inference: not for the short way (straight.py)
    extras: Extras | None = None  # of a leaf
    _requires_grad = False
    _grad: Tensor | None = None

    __array_priority__ = 1000  # NumPy scalars leave arithmetic with a tensor to the tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("make tensors with autogradlab.tensor(data), zeros(shape), …")

    # -------------------------------------------------------------------------------- autograd

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        return self._requires_grad or (self.base is not None and self.base._requires_grad)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise RuntimeError("requires_grad must be a bool")
        if value and self.node is not None:
            raise RuntimeError(errors.NOT_A_LEAF.partition(" If")[0])
        self._set_requires_grad(value, errors.TENSORS_ONLY_FLOAT.replace("Only", "only"))

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Switch recording on or off for a leaf, in place; returns the tensor."""
        self._set_requires_grad(
            requires_grad, "only Tensors of floating point dtype can require gradients"
        )
        return self

    def _set_requires_grad(self, value: bool, only_float: str) -> None:
        if self.node is not None:
            if not value:
                raise RuntimeError(errors.NOT_A_LEAF)
        elif value and self.inference and not modes.inference:
            raise RuntimeError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                "allowed."
            )
        elif value and self.array.dtype.kind != "f":
            raise RuntimeError(only_float)
        else:
            self._requires_grad = value

    @property
    def is_leaf(self) -> bool:
        """Made by the user, or needing no gradient: not the result of a recorded operation."""
        return self.grad_fn is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that computed this tensor; None for a leaf."""
        if self.base is not None:
            self.renew()
        return self.node and self.node.grad_fn

    @property
    def output_nr(self) -> int:
        """Which of its node's outputs this is."""
        return 0 if self.node is None else self.node.output_nr

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up here; None before the first."""
        if self._grad is None and self.node is not None and not self.retains_grad:
            warnings.warn(errors.NON_LEAF_GRAD, stacklevel=2)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is None:
            self._grad = None
            return
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type {kind}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value.array.dtype != self.array.dtype:
            raise RuntimeError(errors.gradient_dtype(value.array.dtype, self.array.dtype))
        if value.array.shape != self.array.shape:
            raise RuntimeError(errors.gradient_size(value.array.shape, self.array.shape))
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def retains_grad(self) -> bool:
        """Whether a non-leaf keeps its gradient (see `retain_grad`)."""
        return (
            self.node is not None
            and self.node.extras is not None
            and self.node.extras.retain is not None
        )

    def retain_grad(self) -> None:
        """Make backward keep the gradient of this non-leaf in `.grad` too."""
        if self.is_leaf and not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self.node is not None:
            from .hooks import Extras

            self.node.extras = self.node.extras or Extras()
            self.node.extras.retain = weakref.ref(self)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(grad)` when this tensor's gradient is known; what it returns replaces it."""
        if self.is_leaf and not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        from . import hooks

        return hooks.register(self if self.node is None else self.node, "tensor", hook)

    def register_post_accumulate_grad_hook(
        self, hook: Callable[[Tensor], None]
    ) -> RemovableHandle:
        """Call `hook(tensor)` each time backward has added to the `.grad` of this leaf."""
        if self.is_leaf and not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.node is not None:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        from . import hooks

        return hooks.register(self, "accumulated", hook)

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Add the gradient of this tensor to the `.grad` of every leaf it was computed from.

        Args:
            gradient: the vector of the vector–Jacobian product, of this tensor's shape; may be left
                out for a tensor of one element.
            retain_graph: keep the saved values, so that backward can run again.
            create_graph: record the pass itself, for derivatives of the gradients.
            inputs: fill only the `.grad` of these.

        >>> from autogradlab import tensor
        >>> a = tensor([2.0, 3.0], requires_grad=True)
        >>> (3 * a**3).backward(gradient=tensor([1.0, 1.0]))
        >>> a.grad
        tensor([36., 81.])
        """
        from . import autograd

        autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def detach(self) -> Tensor:
        """The same memory, not recorded: a leaf that needs no gradient, and has no tangent."""
        memory = self.memory()
        out = wrap(memory if isinstance(memory, np.ndarray) else memory.without_tangents())
        out.cell = self.version_cell()
        return out

    def detach_(self) -> Tensor:
        """Make this tensor itself a leaf that needs no gradient; returns it."""
        if self.base is not None:
            raise RuntimeError(errors.DETACH_VIEW)
        self.node, self._requires_grad = None, False
        return self

    @property
    def data(self) -> Tensor:
        """The same memory as a tensor of its own, whose changes autograd does not notice."""
        return wrap(self.memory())

    @data.setter
    def data(self, value: Tensor) -> None:
        if self.requires_grad and not value.is_floating_point():
            raise RuntimeError(errors.DATA_OF_GRAD)
        self.array = value.memory()

    # ---------------------------------------------------------------------------------- memory

    @property
    def _base(self) -> Tensor | None:
        """The tensor whose memory this is a view of; None if it is no view."""
        return self.base

    def _is_view(self) -> bool:
        return self.base is not None

    @property
    def _version(self) -> int:
        """How often the memory was written in place."""
        if self.inference:
            raise RuntimeError("Inference tensors do not track version counter.")
        return 0 if self.cell is None else self.cell[0]

    def version_cell(self) -> list[int]:
        """The version, to be shared; the node that made this tensor learns of it."""
        if self.cell is None:
            self.cell = [0]
            if self.node is not None:
                self.node.watch(self.cell)
        return self.cell

    def memory(self) -> np.ndarray:
        """The data as an array that can be shared: a NumPy scalar becomes an array first."""
        if isinstance(self.array, np.generic):
            self.array = np.asarray(self.array)
        return self.array

    def become_view_of(self, x: Tensor, multiple: str = "") -> None:
        """Share the version of `x`, whose memory this tensor shows; `multiple` is the name of an
        operation that gives several views."""
        self.base, self.cell = x if x.base is None else x.base, x.version_cell()
        self.seen, self.inference, self.special = self.cell[0], x.inference, True
        if not modes.grad_enabled:
            self.made = "inference" if modes.inference else "no_grad"
        elif multiple or x.made:
            self.made = multiple or x.made

    def renew(self) -> None:
        """Of a view: after its memory was written, its history is that of the base."""
        if self.seen != self.cell[0]:
            from .inplace import renew

            renew(self)

    def write(self, array: Any) -> None:
        """Overwrite the data (and count the version up); a scalar nobody shares is replaced."""
        if (modes.lifted and isinstance(array, Lifted)) or isinstance(self.array, Lifted):
            if self.base is not None or (self.cell is not None and self.cell[0] < 0):
                raise RuntimeError(
                    "autogradlab: under forward mode or vmap a view cannot be written in place"
                )
            self.array = array
        elif isinstance(self.array, np.ndarray):
            self.array[...] = array
        else:
            self.array = self.array.dtype.type(array)
        self.version_cell()[0] += 1

    # ------------------------------------------------------------------------------ properties

    @property
    def shape(self) -> Size:
        return Size(self.array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.from_numpy(self.array.dtype)

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def itemsize(self) -> int:
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        return self.array.nbytes

    @property
    def device(self) -> devices.device:
        return devices.cpu

    @property
    def is_cpu(self) -> bool:
        return True

    @property
    def is_cuda(self) -> bool:
        return False

    def get_device(self) -> int:
        return -1

    def cpu(self) -> Tensor:
        return self

    def dim(self) -> int:
        return self.array.ndim

    def numel(self) -> int:
        return self.array.size

    nelement = numel

    def element_size(self) -> int:
        return self.array.itemsize

    def size(self, dim: int | None = None) -> Size | int:
        if dim is None:
            return self.shape
        if not self.ndim:
            raise IndexError(errors.no_dimensions(dim))
        if not -self.ndim <= dim < self.ndim:
            raise IndexError(errors.dimension(dim, self.ndim))
        return self.array.shape[dim]

    def stride(self, dim: int | None = None) -> tuple[int, ...] | int:
        """Steps between neighbours along each dimension, in elements."""
        shape, strides = self.array.shape, self.array.strides
        if not self.array.size:  # NumPy keeps none for nothing
            ends = [math.prod(max(n, 1) for n in shape[i + 1 :]) for i in range(len(shape))]
            strides = [self.array.itemsize * n for n in ends]
        steps = tuple(s // self.array.itemsize for s in strides)
        return steps if dim is None else steps[dim]

    def is_contiguous(self) -> bool:
        memory = self.memory()
        return isinstance(memory, Lifted) or bool(memory.flags.c_contiguous)

    def is_inference(self) -> bool:
        """Whether this was made under `inference_mode`."""
        return self.inference

    def is_floating_point(self) -> bool:
        return self.array.dtype.kind == "f"

    def data_ptr(self) -> int:
        return self.memory().ctypes.data

    # ------------------------------------------------------------------------------ conversion

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The data as a NumPy array on the same memory; `force` takes it from the graph, too."""
        if self.requires_grad and modes.grad_enabled and not force:
            raise RuntimeError(errors.NUMPY_OF_GRAD)
        return self.memory()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._requires_grad:
            raise RuntimeError(errors.NUMPY_OF_GRAD)
        array = self.memory()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_wrap__(
        self, array: Any, context: Any = None, return_scalar: bool = False
    ) -> Tensor:
        return wrap(array)

    def tolist(self) -> Any:
        """The data as nested lists of Python numbers."""
        return self.array.tolist()

    def item(self) -> Any:
        """The one element as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self.array.size} elements cannot be converted to Scalar"
            )
        return self.array.item()

    def _number(self) -> Any:
        if self.array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.array.item()

    def __float__(self) -> float:
        if self._requires_grad and modes.grad_enabled:
            errors.warn_once(errors.SCALAR_OF_GRAD)
        return float(self._number())

    def __int__(self) -> int:
        return int(self._number())

    def __index__(self) -> int:
        if self.array.size != 1 or self.array.dtype.kind == "f":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.array.item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            number = "more than one value" if self.array.size else "no values"
            raise RuntimeError(f"Boolean value of Tensor with {number} is ambiguous")
        return bool(self.array) if isinstance(self.array, Lifted) else bool(self.array.item())

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.array.shape[0]

    __hash__ = object.__hash__  # by identity, although == compares elements

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node is not None:
            raise RuntimeError(errors.NOT_DEEPCOPYABLE)
        out = object.__new__(type(self))
        out.__dict__.update({k: v for k, v in self.__dict__.items() if k in ("_requires_grad",)})
        out.array = self.array.copy()
        out._grad = None if self._grad is None else self._grad.__deepcopy__(memo)
        memo[id(self)] = out
        return out

    def __repr__(self) -> str:
        if isinstance(self.array, Lifted):
            return self.array.describe()
        try:
            name = self.grad_fn and self.grad_fn.name().rpartition("::")[2]
        except RuntimeError:  # a view that was written in a forbidden way
            name = "Invalid"
        return printing.tensor_repr(self.memory(), grad_fn=name, requires_grad=self.requires_grad)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        if not self.array.ndim and type(self) is Tensor:  # not of a Parameter, as in torch
            return self.item().__format__(spec)
        return object.__format__(self, spec)


Tensor.__module__ = "autogradlab"


def wrap(array: Any, node: Node | None = None) -> Tensor:
    """A tensor around an array, which it shares; a tensor (or None) is handed through."""
    if array is None or isinstance(array, Tensor):
        return array
    out = object.__new__(Tensor)
    out.array = array
    if node is not None:
        out.node, out._requires_grad = node, True
    return out


# References to a gradient in the frames of a pass that hands it to a leaf, with the count's own.
# Pythons after 3.13 do not count what a frame has borrowed: there every gradient is copied.
PASS = 5 if sys.version_info < (3, 14) else 0


def owned(g: Any) -> Any:
    """A gradient for a leaf to keep: `g` itself if only the running pass holds it and its memory,
    else a copy. Torch decides by the count of references, too."""
    if g.__class__ is np.ndarray and sys.getrefcount(g) <= PASS:
        flags, base = g.flags, g.base
        if flags.c_contiguous and flags.writeable and (
            base is None
            or (base.__class__ is np.ndarray and base.base is None and base.size == g.size
                and sys.getrefcount(base) <= 3)
        ):  # fmt: skip
            return g
    return g.copy()


def is_tensor(x: object) -> bool:
    return isinstance(x, Tensor)


def needs_tensor(name: str, input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise TypeError(errors.not_a_tensor(name, "input", 1, input))
    return input


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floating-point numbers."""
    return needs_tensor("is_floating_point", input).is_floating_point()


def numel(input: Tensor) -> int:
    """How many elements there are."""
    return needs_tensor("numel", input).numel()


def result_type(tensor: Tensor | float, other: Tensor | float) -> dtypes.dtype:
    """The dtype of an operation on these two, tensors or numbers."""
    operands = (x.array if isinstance(x, Tensor) else x for x in (tensor, other))
    return dtypes.from_numpy(dtypes.result_type(*operands))


def tensors(x: Any) -> Iterable[Tensor]:
    """One tensor, or a sequence of them, as a tuple."""
    return (x,) if isinstance(x, Tensor) else tuple(x)
