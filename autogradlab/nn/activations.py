"""The nonlinearities of `nn.functional`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .. import derivatives as d
from .. import dtypes, ops
from ..inplace import in_place
from ..ops.arguments import needs_floats, one_dim
from ..tensor import Tensor


def activation(name: str, primitive: d.Primitive, kernel: str, words: str) -> Callable[..., Tensor]:
    """A function of one tensor that can write into it."""

    def compute(input: Tensor) -> Tensor:
        return primitive(needs_floats(kernel, input))

    def function(input: Tensor, inplace: bool = False) -> Tensor:
        return in_place(compute)(input) if inplace else compute(input)

    function.__name__, function.__doc__ = name, words
    return function


silu = activation("silu", d.silu, "silu_cpu", "input · sigmoid(input).")
mish = activation("mish", d.mish, "mish_cpu", "input · tanh(softplus(input)).")
hardsigmoid = activation(
    "hardsigmoid", d.hardsigmoid, "hardsigmoid_cpu", "0 below -3, 1 above 3, a line between."
)
hardswish = activation("hardswish", d.hardswish, "hardswish_cpu", "input · hardsigmoid(input).")


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """`input` where it is positive, else 0."""
    return in_place(ops.elementwise.relu)(input) if inplace else ops.elementwise.relu(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return input.tanh()


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input))."""
    return input.sigmoid()


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """`input` clamped, with gradient 0 at the bounds."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")

    def compute(input: Tensor) -> Tensor:
        return d.hardtanh(input, min_val=min_val, max_val=max_val)

    return in_place(compute)(input) if inplace else compute(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """`input` clamped to [0, 6]."""
    return hardtanh(input, 0, 6, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`input` where it is positive, else `negative_slope · input`."""

    def compute(input: Tensor) -> Tensor:
        primitive = d.leaky_relu_in_place if inplace else d.leaky_relu
        return primitive(needs_floats("leaky_relu_cpu", input), negative_slope=negative_slope)

    return in_place(compute)(input) if inplace else compute(input)


def scaled_elu(input: Tensor, alpha: float, scale: float, inplace: bool) -> Tensor:
    def compute(input: Tensor) -> Tensor:
        primitive = d.elu_in_place if inplace else d.elu
        return primitive(needs_floats("elu_cpu", input), alpha=alpha, scale=scale)

    return in_place(compute)(input) if inplace else compute(input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` where it is positive, else `alpha · (exp(input) - 1)`."""
    return scaled_elu(input, alpha, 1.0, inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The scaled `elu` that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return scaled_elu(input, 1.6732632423543772, 1.0507009873554805, inplace)


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """input · Φ(input), Φ the normal distribution function, exactly or by way of "tanh"."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return d.gelu(needs_floats("GeluKernelImpl", input), approximate=approximate)


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + exp(beta · input)) / beta, and `input` itself where beta · input > threshold."""
    return d.softplus(needs_floats("softplus_cpu", input), beta=beta, threshold=threshold)


def softsign(input: Tensor) -> Tensor:
    """input / (1 + |input|)."""
    return input / (input.abs() + 1)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(input)), without overflow."""
    return d.logsigmoid(needs_floats("log_sigmoid_cpu", input))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along a dimension times the sigmoid of the second."""
    if not input.ndim:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    dim = one_dim(dim, input.ndim)
    if input.shape[dim] % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}"
        )
    return d.glu(needs_floats("glu_cpu", input), dim=dim)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """`input` where it is positive, else `weight · input`, one weight or one for each channel."""
    if input.dtype is not weight.dtype:
        names = (dtypes.scalar_name(x.array.dtype) for x in (input, weight))
        raise RuntimeError("prelu: Type promoting not supported. Got {} and {}".format(*names))
    if weight.numel() != 1:
        if not input.ndim:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if weight.numel() != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}."
            )
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    if weight.ndim != input.ndim:
        weight = weight.reshape([weight.numel() if i == 1 else 1 for i in range(input.ndim)])
    return d.prelu(needs_floats("prelu_cpu", input), weight)


# ---------------------------------------------------------------------------------------- softmax


def chosen_dim(name: str, input: Tensor, dim: int | None, stacklevel: int) -> int:
    """The dimension, guessed with a warning as old programs expect it."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """exp(input) along a dimension, divided by its sum."""
    return input.softmax(chosen_dim("softmax", input, dim, _stacklevel), dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-input)."""
    return (-input).softmax(chosen_dim("softmin", input, dim, _stacklevel), dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """The logarithm of `softmax`, computed without going through it."""
    return input.log_softmax(chosen_dim("log_softmax", input, dim, _stacklevel), dtype)
