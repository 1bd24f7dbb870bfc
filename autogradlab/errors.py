"""The texts of PyTorch's errors and warnings, in one place, since they drift between its releases.

A text that depends on nothing is a constant, any other a function that returns it. Which exception
carries it is said where it is raised. The tests compare each with the installed PyTorch.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

from . import dtypes

NEEDS_GRAD = "element {} of tensors does not require grad and does not have a grad_fn"
SCALAR_ONLY = "grad can be implicitly created only for scalar outputs"
FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they "
    "have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)
CREATE_GRAPH = (
    "Using backward() with create_graph=True will create a reference cycle between the "
    "parameter and "
    "its gradient which can cause a memory leak. We recommend using autograd.grad when creating "
    "the "
    "graph to avoid this. If you have to use this function, make sure to reset the .grad fields of "
    "your parameters to None after use to break the cycle and avoid the leak."
)
NON_LEAF_GRAD = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad "
    "attribute "
    "won't be populated during autograd.backward(). If you indeed want the .grad field to be "
    "populated "
    "for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf "
    "Tensor by mistake, make sure you access the leaf Tensor instead. See "
    "github.com/pytorch/pytorch/pull/30531 for more information."
)
COPY_OF_TENSOR = (
    "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
    "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor)."
)
NUMPY_OF_GRAD = (
    "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
)
SCALAR_OF_GRAD = (
    "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
    "Consider using tensor.detach() first."
)
LEAF_IN_PLACE = "a leaf Variable that requires grad is being used in an in-place operation."
VIEW_IN_PLACE = (
    "a view of a leaf Variable that requires grad is being used in an in-place operation."
)
NOT_A_LEAF = (
    "you can only change requires_grad flags of leaf variables."
    " If you want to use a computed variable in a subgraph that doesn't require differentiation "
    "use "
    "var_no_grad = var.detach()."
)
NOT_DEEPCOPYABLE = (
    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol "
    "at the "
    "moment.  If you were attempting to deepcopy a module, this may be because of a "
    "torch.nn.utils.weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001"
)
TENSORS_ONLY_FLOAT = "Only Tensors of floating point and complex dtype can require gradients"
UNUSED = (
    "The differentiated Tensor at index {} appears to not have been used in the graph. Set "
    "allow_unused=True if this is the desired behavior."
)
NO_GRAD_INPUT = "One of the differentiated Tensors does not require grad"
INDEX_TYPES = (
    "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
    "indices "
    "(got {})"
)
MESHGRID = (
    "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument."
)
INDEX_DTYPES = "tensors used as indices must be long, int, byte or bool tensors"
INDEX_BYTES = (
    "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead."
)
INDEX_SEQUENCE = (
    "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed "
    "in pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted "
    "as tensor index, x[torch.tensor(seq)], which will result either in an error or a different "
    "result"
)
CROSS = (
    "Using torch.cross without specifying the dim arg is deprecated.\n"
    "Please either pass the dim explicitly or simply use torch.linalg.cross.\n"
    "The default value of dim will change to agree with that of linalg.cross in a future release."
)
INFERENCE_IN_PLACE = (
    "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
    "to get a normal tensor before doing inplace update.See "
    "https://github.com/pytorch/rfcs/pull/17 for more details."
)
INFERENCE_SAVED = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
    "inference mode in computation tracked by autograd. To work around this, you can make a clone "
    "to get a normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
    "`torch.inference_mode()`."
)
DIRTY_NOT_RETURNED = (
    "Some elements marked as dirty during the forward method were not returned as output. The "
    "inputs that are modified inplace must all be outputs of the Function."
)
SHARED_ELEMENTS = (
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location. Please clone() the tensor before performing the operation."
)


@functools.cache
def warn_once(text: str) -> None:
    """Warn the first time only: torch gives some of its warnings once in a process."""
    warnings.warn(text, stacklevel=4)


def size(shape: Sequence[int]) -> str:
    return f"torch.Size({list(shape)})"


def modified(array: Any, node: Any, version: int, expected: int) -> str:
    """A saved value was overwritten; `node` made it, None for a leaf."""
    maker = ""
    if node is not None:
        maker = f", which is output 0 of {node.name().partition('Backward')[0]},"
    return (
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [{dtypes.type_name(array.dtype)} {list(array.shape)}]{maker} is at version "
        f"{version}; expected version {expected} instead. Hint: enable anomaly detection to "
        "find the "
        "operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )


def view_made(made: str, output_nr: int, indirect: bool = False) -> str:
    """A view must not be written into (or, `indirect`, another view or its base was), since it was
    made by an operation with several outputs or in a mode that records nothing."""
    how = "is being modified inplace"
    if indirect:
        how = "its base or another view of its base has been modified inplace"
    if made.startswith("custom "):
        return (
            f"Output {output_nr} of {made.removeprefix('custom ')} is a view and {how}. This view "
            "was created inside a custom Function (or because an input was returned as-is) and the "
            "autograd logic to handle view+inplace would override the custom backward associated "
            "with the custom Function, leading to incorrect gradients. This behavior is forbidden. "
            "You can fix this by cloning the output of the custom Function."
        )
    if made not in ("no_grad", "inference"):
        return (
            f"Output {output_nr} of {made.partition('Backward')[0]} is a view and {how}. This view "
            "is the output of a function that returns multiple views. Such functions do not allow "
            "the output views to be modified inplace. You should replace the inplace operation by "
            "an out-of-place one."
        )
    inside, outside = ("no_grad mode", "with grad mode enabled") if made == "no_grad" else (
        "inference mode", "in normal mode")  # fmt: skip
    return (
        f"A view was created in {inside} and {how} {outside}. Given that this use case is "
        "ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the "
        f"view and the inplace either both inside the {made}{'_mode' * (made == 'inference')} "
        "block (if you don't want the inplace to be tracked) or both outside (if you want the "
        "inplace to be tracked)."
    )


def gradient_count(name: str, expected: int, got: int) -> str:
    return (
        f"function {name} returned an incorrect number of gradients (expected {expected}, got "
        f"{got})"
    )


def gradient_of_constant(name: str, position: int) -> str:
    return (
        f"function {name} returned a gradient different than None at position {position}, but the "
        "corresponding forward input was not a Variable"
    )


def invalid_gradient(name: str, i: int, got: Sequence[int], expected: Sequence[int]) -> str:
    return (
        f"Function {name} returned an invalid gradient at index {i} - got {list(got)} but "
        "expected shape "
        f"compatible with {list(expected)}"
    )


def gradient_shape(i: int, got: Sequence[int], expected: Sequence[int]) -> str:
    return (
        f"Mismatch in shape: grad_output[{i}] has a shape of {size(got)} and output[{i}] has a "
        "shape of "
        f"{size(expected)}."
    )


def hook_returned(value: Any) -> str:
    return f"expected Variable, but hook returned '{type(value).__name__}'"


def hook_changed_size(name: str) -> str:
    return f"hook '{name}' has changed the size of value"


def broadcast(a: Sequence[int], b: Sequence[int]) -> str:
    """Shapes that do not broadcast: the last dimension at which they disagree."""
    n = max(len(a), len(b))
    pad_a, pad_b = (1,) * (n - len(a)) + tuple(a), (1,) * (n - len(b)) + tuple(b)
    dim = next(
        i for i in reversed(range(n)) if pad_a[i] != pad_b[i] and 1 not in (pad_a[i], pad_b[i])
    )
    return (
        f"The size of tensor a ({pad_a[dim]}) must match the size of tensor b ({pad_b[dim]}) at "
        f"non-singleton dimension {dim}"
    )


def dimension(dim: int, ndim: int) -> str:
    low, high = -max(ndim, 1), max(ndim, 1) - 1
    return f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})"


def no_dimensions(dim: int) -> str:
    return f"Dimension specified as {dim} but tensor has no dimensions"


def index(i: int, dim: int, size: int) -> str:
    return f"index {i} is out of bounds for dimension {dim} with size {size}"


def not_a_tensor(function: str, argument: str, position: int, got: Any) -> str:
    kind = type(got).__name__ if type(got).__module__ != "numpy" else f"numpy.{type(got).__name__}"
    return f"{function}(): argument '{argument}' (position {position}) must be Tensor, not {kind}"


def expand(shape: Sequence[int], old: Sequence[int]) -> str:
    """The first dimension, from the last, that cannot be expanded."""
    lead = len(shape) - len(old)
    dim = next(i for i in reversed(range(len(old))) if old[i] not in (1, shape[lead + i]))
    return (
        f"The expanded size of the tensor ({shape[lead + dim]}) must match the existing size "
        f"({old[dim]}) at non-singleton dimension {lead + dim}.  Target sizes: {list(shape)}.  "
        f"Tensor sizes: {list(old)}"
    )


def gradient_size(got: Sequence[int], expected: Sequence[int]) -> str:
    return (
        f"attempting to assign a gradient of size '{list(got)}' to a tensor of size "
        f"'{list(expected)}'. "
        "Please ensure that the gradient and the tensor are the same size"
    )


def gradient_dtype(got: Any, expected: Any) -> str:
    return (
        f"attempting to assign a gradient with dtype '{dtypes.cpp_name(got)}' to a tensor with "
        f"grad_dtype '{dtypes.scalar_name(expected)}'. The gradient must match the tensor's "
        "grad_dtype "
        "(defaults to the tensor's dtype). You can set the tensor's grad_dtype attribute with a "
        "specific dtype, or None to allow any dtype. Set grad_dtype with caution. Diverging the "
        "dtypes "
        "of a tensor and its gradient may break downstream systems that assume they match."
    )


def fill_value(ndim: int) -> str:
    return f"fill_ only supports 0-dimension value tensor but got tensor with {ndim} dimensions."
