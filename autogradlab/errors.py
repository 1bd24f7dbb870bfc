"""The texts of PyTorch's errors and warnings, in one place, since they drift between its releases.

A text that depends on nothing is a constant, any other a function that returns it. Which exception
carries it is said where it is raised. The tests compare each with the installed PyTorch.
"""

from __future__ import annotations

import functools
import re
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
DATA_OF_GRAD = (
    "data set to a tensor that requires gradients must be floating point or complex dtype"
)
SCALAR_OF_GRAD = (
    "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
    "Consider using tensor.detach() first."
)
DETACH_VIEW = (
    "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel "
    "(DDP) for training, and gradient_as_bucket_view is set as True, gradients are views of DDP "
    "buckets, and hence detach_() cannot be called on these gradients. To fix this error, please "
    "refer to the Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
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
SHARED_WITH_INPUT = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
    "single memory location. Please clone() the tensor before performing the operation."
)
NOTHING_TO_TRANSPOSE = (
    "Tensor.{} is deprecated on 0-D tensors. This function is the identity in these cases."
)
PARAMS_NOT_ITERABLE = (
    "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
)
PARAMS_IN_A_SET = (
    "optimizer parameters need to be organized in ordered collections, but the ordering of tensors "
    "in sets will change between runs. Please use a list instead."
)
NO_PARAMETER = "optimizer can only optimize Tensors, but one of the params is "
DUPLICATE_PARAMETERS = (
    "optimizer contains a parameter group with duplicate parameters; in future, this will cause an "
    "error; see github.com/pytorch/pytorch/issues/40967 for more information"
)
GROUP_SIZE = (
    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
)
SCHEDULER_FIRST = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, "
    "you should call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  "
    "Failure to do this will result in PyTorch skipping the first value of the learning rate "
    "schedule. See more details at "
    "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
)
STEP_REPLACED = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
    "initialization. Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`. "
    "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
)
GET_LR = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."
NO_INITIAL_LR = (
    "param 'initial_lr' is not specified in param_groups[{}] when resuming scheduler with "
    "last_epoch >= 0.\nThis typically happens when:\n1. You're trying to resume training from a "
    "checkpoint but haven't properly loaded the optimizer state\n2. You're using last_epoch >= 0 "
    "for a fresh training run (not recommended)"
)
EMPTY_SPLIT = "Length of split at index {} is 0. This might result in an empty dataset."
NOT_COLLATED = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)
WORKERS = (
    "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
)
BATCH_SAMPLER = (
    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
)
NO_BATCHES = (
    "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
)
PIN_MEMORY = (
    "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory "
    "won't be used."
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
        operation = re.sub(r"Backward(\d*)$", lambda found: found[1].strip("0"), node.name())
        maker = f", which is output 0 of {operation},"
    kind = cpp_type(array.dtype)
    return (
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [{kind} {list(array.shape)}]{maker} is at version "
        f"{version}; expected version {expected} instead. Hint: enable anomaly detection to "
        "find the "
        "operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )


def view_made(made: str, node: Any, output_nr: int, indirect: bool = False) -> str:
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
        which = f"A view was created in no_grad mode and {how} with grad mode enabled"
        if node is not None:
            name = node.name().partition("Backward")[0]
            which = f"Output {output_nr} of {name} is a view and {how}"
        return (
            f"{which}. This view is the output of a function that returns multiple views. Such "
            "functions do not allow the output views to be modified inplace. You should replace "
            "the inplace operation by an out-of-place one."
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


def written_shape(shape: Sequence[int], given: Sequence[int]) -> str:
    return f"output with shape {list(shape)} doesn't match the broadcast shape {list(given)}"


def bad_call(shape: Sequence[int], given: Sequence[int]) -> str:
    return (
        f"Bad in-place call: input tensor size {list(shape)} and output tensor size {list(given)} "
        "should match"
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


def cpp_type(kind: Any) -> str:
    """The name of a tensor's type in messages, which have one of their own for bools."""
    return "CPUBoolType" if kind.kind == "b" else dtypes.type_name(kind)


def expand(shape: Sequence[int], old: Sequence[int], given: Sequence[int]) -> str:
    """The first dimension, from the last, that cannot be expanded."""
    lead = len(shape) - len(old)
    dim = next(i for i in reversed(range(len(old))) if old[i] not in (1, shape[lead + i]))
    return (
        f"The expanded size of the tensor ({shape[lead + dim]}) must match the existing size "
        f"({old[dim]}) at non-singleton dimension {lead + dim}.  Target sizes: {list(given)}.  "
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


def batched_shape(i: int, got: Any, expected: Any) -> str:
    return (
        "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the "
        "batch dimension. The sizes of the remaining dimensions are expected to match the shape of "
        f"corresponding output, but a mismatch was detected: grad_output[{i}] has a shape of {got} "
        f"and output[{i}] has a shape of {expected}. If you only want some tensors in "
        "`grad_output` to be considered batched, consider using vmap."
    )


def not_floating(what: str, dtype: Any) -> str:
    return f"Expected {what} to be floating point or complex, but got: {dtype}"


# ------------------------------------------------------------------------------------ gradcheck

NOTHING_TO_CHECK = (
    "gradcheck expects at least one input tensor to require gradient, but none of them have "
    "requires_grad=True."
)
UNDEFINED_GRAD = (
    "Backwards compatibility: New undefined gradient support checking feature is enabled by "
    "default, but it may break existing callers of this function. If this is true for you, you "
    'can call this function with "check_undefined_grad=False" to disable the feature'
)
_NOTES = (
    'Please look at "Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"'
)
UNDEFINED_UNHANDLED = f"Expected backward function to handle undefined output grads. {_NOTES}"
UNDEFINED_NOT_ZERO = (
    "Expected all input grads to be undefined or zero when all output grads are undefined or "
    f"zero. {_NOTES}"
)
_WORKAROUND = """
If you are adding a new operator, please file an issue and then use one of the
workarounds. The workaround depends on how your test invokes gradcheck/gradgradcheck{}
If the test
- manually invokes gradcheck/gradgradcheck, then call gradcheck/gradgradcheck
  with `{}` as a keyword argument.
- is OpInfo-based (e.g., in test_ops_gradients.py), then modify the OpInfo for the test
  to have `gradcheck_{}`{}
- is a Module test (e.g., in common_nn.py), then modify the corresponding
  module_test entry to have `gradcheck_{}`
"""
_NOT_REENTRANT = """\n
NOTE: If your op relies on non-deterministic operations i.e., it is listed here:
https://pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
this failure might be expected.
""" + _WORKAROUND.format(".", *["nondet_tol=<tol>"] * 2, ".", "nondet_tol=<tol>")
_FAST_ONLY = """
Fast gradcheck failed but element-wise differences are small. This means that the
test might've passed in slow_mode!
""" + _WORKAROUND.format(":\n", *["fast_mode=False"] * 2, "", "fast_mode=False")


def not_double(i: int) -> str:
    return (
        f"Input #{i} requires gradient and is not a double precision floating point or complex. "
        "This check will likely fail if all the inputs are not of double precision floating point "
        "or complex. "
    )


def stride_0(i: int) -> str:
    return (
        f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
        "non-overlapping to be able to compute the numerical gradients correctly. You should call "
        ".contiguous on the input before passing it to gradcheck."
    )


def perturbed(what: str, on: str, eps: float, before: Any, after: Any) -> str:
    return (
        f"Expected `func` to return outputs with the same {what} when inputs are perturbed {on}by "
        f"{eps}, but got: {what}s {before} and {after}."
    )


def not_reentrant(tolerance: float) -> str:
    return (
        "Backward is not reentrant, i.e., running backward with same input and grad_output "
        "multiple times gives different values, although analytical gradient matches numerical "
        f"gradient.The tolerance for nondeterminism was {tolerance}.{_NOT_REENTRANT}"
    )


def mismatch(numerical: Any, analytical: Any, output: int, input: int, forward: bool) -> str:
    mode = "computed with forward mode " * forward
    return (
        f"Jacobian {mode}mismatch for output {output} with respect to input {input},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def fast_mode(numerical: Any, analytical: Any, difference: Any, slow_passes: bool) -> str:
    return (
        "\nThe above quantities relating the numerical and analytical jacobians are computed \n"
        "in fast mode. See: https://github.com/pytorch/pytorch/issues/53876 for more background \n"
        "about fast mode. Below, we recompute numerical and analytical jacobians in slow mode:\n\n"
        f"Numerical:\n {numerical}\nAnalytical:\n{analytical}\n\n"
        f"The max per-element difference (slow mode) is: {difference}.\n"
        + _FAST_ONLY.strip() * slow_passes
    )


def undefined_tangent(k: int, x: Any, got: Any, expected: Any) -> tuple[Any, ...]:
    return (
        *("Mismatch in tangent values for output with index: ", k, " when input: ", x),
        *(" has an undefined tangent value. ", " Got: ", got, " but expected: ", expected),
    )


def batched_mismatch(output: int, input: int, got: Any, expected: Any) -> str:
    return f"For output {output} and input {input}:\n\nGot:\n{got}\n\nExpected:\n{expected}"


# ------------------------------------------------------------------------- autograd.functional

NO_V = "The vector v can only be None if the {} a single Tensor with a single element."
ONE_ELEMENT = "The Tensor returned by the function given to {} should contain a single element"
STRATEGY = 'Expected strategy to be either "forward-mode" or "reverse-mode".'
STRATEGY_HINT = (
    f"{STRATEGY} Hint: If your function has more outputs than inputs, "
    '"forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
)
FORWARD_ONLY_VECTORIZED = (
    "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for "
    "`vectorize=True`."
)
NOT_WITH_FORWARD = (
    'torch.autograd.functional.jacobian: `{0}=True` and `strategy="forward-mode"` are not '
    'supported together (yet). Please either set `{0}=False` or `strategy="reverse-mode"`.'
)
STRICT_VECTORIZED = (
    "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported "
    "together. Please either set `strict=False` or `vectorize=False`."
)
_STRICT = " This is not allowed in strict mode"
STRICT = {  # what was found not to depend on the inputs, by the stage at which it was
    "outputs": (
        "Output {} of the user-provided function does not require gradients. The outputs must be "
        "computed in a differentiable manner from the input when running in strict mode."
    ),
    "grad_inputs": (
        "The gradient with respect to input {} is independent of the inputs of the user-provided "
        f"function.{_STRICT}."
    ),
    "jacobian": (
        "While computing the hessian, found that the jacobian of the user-provided function with "
        f"respect to input {{}} is independent of the input.{_STRICT}. You should ensure that your "
        "function is twice differentiable and that the jacobian depends on the inputs (this would "
        "be violated by a linear function for example)."
    ),
    "back": f"The output of the user-provided function is independent of input {{}}.{_STRICT}.",
    "back_trick": (
        "The gradient with respect to the input is independent of entry {} in the grad_outputs "
        f"when using the double backward trick to compute forward mode gradients.{_STRICT}."
    ),
    "double_back": (
        f"The jacobian of the user-provided function is independent of input {{}}.{_STRICT}."
    ),
    "double_back_trick": (
        "The hessian of the user-provided function is independent of entry {} in the "
        f"grad_jacobian.{_STRICT} as it prevents from using the double backward trick to replace "
        "forward mode AD."
    ),
}


def constant(what: str, i: int) -> str:
    return (
        f"The {what} of the user-provided function is independent of input {i}.{_STRICT} when "
        "create_graph=True."
    )


def independent_output(k: int, i: int) -> str:
    return f"Output {k} of the user-provided function is independent of input {i}.{_STRICT}."


def tensor_or_tuple(what: str, name: str, where: str, kind: type) -> str:
    return (
        f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the {where} "
        f"has type {kind}."
    )


def length_of_v(got: int, expected: int, many: bool) -> str:
    if not many:
        return "The given v should contain a single Tensor."
    return f"v is a tuple of invalid length: should be {expected} but got {got}."


def size_of_v(i: int, got: Any, expected: Any, many: bool) -> str:
    return f"{f'Entry {i} in ' * many}v has invalid size: should be {expected} but got {got}."


def positive_integer(name: str, value: object) -> str:
    return f"{name} should be a positive integer value, but got {name}={value}"
OUT_REQUIRES_GRAD = (
    "{}(): functions with out=... arguments don't support automatic differentiation, but one of "
    "the arguments requires grad."
)
OUT_DTYPE = "Expected out tensor to have dtype {}, but got {} instead"
OUT_FOUND = "Found dtype {} but expected {}"
OUT_JOINED = "torch.cat(): input types can't be cast to the desired output type {}"
OUT_CAST = "result type {} can't be cast to the desired output type {}"
OUT_RESIZED = (
    "An output with one or more elements was resized since it had shape {}, which does not match "
    "the required output shape {}. This behavior is deprecated, and in a future PyTorch release "
    "outputs will not be resized unless they have zero elements. You can explicitly reuse an out "
    "tensor t by resizing it, inplace, to zero elements with t.resize_(0)."
)
PACK_IN_PLACE = (
    "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack "
    "hook cannot be modified by in-place operations as this can lead to unexpected side-effects. "
    "Please open an issue if you need to perform in-place operations on the input to a pack hook."
)
RUNNING_NOT_BATCHED = (
    "Batch norm got a batched tensor as input while the running_mean or running_var, which will be "
    "updated in place, were not batched.\nIf you are using a module and do not need eval mode, "
    "please set `track_running_stats` to be False.If you are using a prebuilt module and do not "
    "need eval mode, please see the functorch website for resources on how to patch your module to "
    "work with vmap"
)
ONLY_INPUTS = (
    "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate "
    "gradient for other parts of the graph, please use torch.autograd.backward."
)
