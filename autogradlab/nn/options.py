"""The layers and losses that are a function with options: activations, pooling, reshaping, losses.

One line declares each: torch's signature, the function, and which options its text shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.shapes import flatten, unflatten
from ..tensor import Tensor
from . import functional as F
from .convolution import many
from .module import Module


class FunctionModule(Module):
    """A module that keeps options and hands them to its function."""

    function: Callable[..., Any]
    options: tuple[str, ...] = ()
    shown = ""

    def keep(self, **options: Any) -> None:
        """Options become attributes, weights of a loss buffers."""
        for name, value in options.items():
            if name.endswith("weight"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        options = {name: getattr(self, name) for name in self.options}
        return self.function(*inputs, **named, **options)

    def extra_repr(self) -> str:
        pairs = [(name.rstrip("?"), name.endswith("?")) for name in self.shown.split()]
        values = [(name, getattr(self, name), maybe) for name, maybe in pairs]
        return ", ".join(f"{name}={x!r}" for name, x, maybe in values if x or not maybe)


class Pooling(FunctionModule):
    """By default windows do not overlap."""

    def keep(self, **options: Any) -> None:
        stride = options["stride"]
        super().keep(**options | {"stride": options["kernel_size"] if stride is None else stride})


class AvgPooling1d(Pooling):
    """Its sizes are kept as tuples."""

    def keep(self, **options: Any) -> None:
        super().keep(**options)
        for name in ("kernel_size", "stride", "padding"):
            setattr(self, name, many(getattr(self, name), 1))


def declare(
    signature: str,
    function: Callable[..., Any],
    shown: str = "",
    base: type[FunctionModule] = FunctionModule,
) -> type[FunctionModule]:
    """The class of the modules that call `function` with the options of the signature.

    Args:
        signature: the name and the options, with types and defaults.
        shown: the options that the text of a module names; with "?" only those that are set.

    >>> declare("Scale(factor: float = 2.0)", lambda x, factor: x * factor, "factor")()
    Scale(factor=2.0)
    """
    name, _, options = signature.rstrip(")").partition("(")
    names = tuple(part.partition(":")[0].strip() for part in options.split(", ") if ":" in part)
    kept = ", ".join(f"{name}={name}" for name in names)
    lines = [
        "from __future__ import annotations",
        f"def __init__(self, {options}) -> None:",
        "    Module.__init__(self)",
        f"    self.keep({kept})",
    ]
    space: dict[str, Any] = {"Module": Module}
    exec("\n".join(lines), space)
    made = space["__init__"]
    made.__qualname__, made.__module__ = f"{name}.__init__", __name__
    body = {"__init__": made, "function": staticmethod(function), "options": names, "shown": shown}
    return type(name, (base,), body | {"__module__": __name__, "__doc__": function.__doc__})


# ------------------------------------------------------------------------------------ activations

ReLU = declare("ReLU(inplace: bool = False)", F.relu, "inplace?")
LeakyReLU = declare(
    "LeakyReLU(negative_slope: float = 0.01, inplace: bool = False)",
    F.leaky_relu,
    "negative_slope inplace?",
)
ELU = declare("ELU(alpha: float = 1.0, inplace: bool = False)", F.elu, "alpha inplace?")
SELU = declare("SELU(inplace: bool = False)", F.selu, "inplace?")
GELU = declare("GELU(approximate: str = 'none')", F.gelu, "approximate")
SiLU = declare("SiLU(inplace: bool = False)", F.silu, "inplace?")
Mish = declare("Mish(inplace: bool = False)", F.mish, "inplace?")
Softplus = declare(
    "Softplus(beta: float = 1.0, threshold: float = 20.0)", F.softplus, "beta threshold"
)
Softsign = declare("Softsign()", F.softsign)
Tanh = declare("Tanh()", F.tanh)
Sigmoid = declare("Sigmoid()", F.sigmoid)
LogSigmoid = declare("LogSigmoid()", F.logsigmoid)
Hardsigmoid = declare("Hardsigmoid(inplace: bool = False)", F.hardsigmoid)
Hardswish = declare("Hardswish(inplace: bool = False)", F.hardswish)
GLU = declare("GLU(dim: int = -1)", F.glu, "dim")
Softmax = declare("Softmax(dim: int | None = None)", F.softmax, "dim")
LogSoftmax = declare("LogSoftmax(dim: int | None = None)", F.log_softmax, "dim")


class Bounded(FunctionModule):
    """Its bounds are in order."""

    def keep(self, **options: Any) -> None:
        super().keep(**options)
        if self.max_val <= self.min_val:
            raise AssertionError(
                f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})"
            )


Hardtanh = declare(
    "Hardtanh(min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False)",
    F.hardtanh,
    "min_val max_val inplace?",
    Bounded,
)


class ReLU6(Hardtanh):
    """`input` clamped to [0, 6]."""

    shown = "inplace?"

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


# ----------------------------------------------------------------------------- pooling, reshaping

MAX_POOL = (
    "(kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1, "
    "return_indices: bool = False, ceil_mode: bool = False)"
)
AVG_POOL = (
    "(kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False, "
    "count_include_pad: bool = True"
)
MAX_POOL_SHOWN, AVG_POOL_SHOWN = (
    "kernel_size stride padding dilation ceil_mode",
    "kernel_size stride padding",
)

MaxPool1d = declare(f"MaxPool1d{MAX_POOL}", F.max_pool1d, MAX_POOL_SHOWN, Pooling)
MaxPool2d = declare(f"MaxPool2d{MAX_POOL}", F.max_pool2d, MAX_POOL_SHOWN, Pooling)
AvgPool1d = declare(f"AvgPool1d{AVG_POOL})", F.avg_pool1d, AVG_POOL_SHOWN, AvgPooling1d)
AvgPool2d = declare(
    f"AvgPool2d{AVG_POOL}, divisor_override: int | None = None)",
    F.avg_pool2d,
    AVG_POOL_SHOWN,
    Pooling,
)
AdaptiveAvgPool1d = declare(
    "AdaptiveAvgPool1d(output_size: Size)", F.adaptive_avg_pool1d, "output_size"
)
AdaptiveAvgPool2d = declare(
    "AdaptiveAvgPool2d(output_size: Size)", F.adaptive_avg_pool2d, "output_size"
)
Flatten = declare("Flatten(start_dim: int = 1, end_dim: int = -1)", flatten, "start_dim end_dim")


class Unflatten(Module):
    """One dimension as several."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, tuple | list):
            kind = type(unflattened_size).__name__
            raise TypeError(f"unflattened_size must be a tuple of ints, but found type {kind}")
        for i, n in enumerate(unflattened_size):
            if not isinstance(n, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type "
                    f"{type(n).__name__} at pos {i}"
                )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Identity(Module):
    """Gives back what it gets, whatever it is made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Dropout(Module):
    """In training each element set to 0 with probability p, the others divided by 1 - p."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


# ----------------------------------------------------------------------------------------- losses


class MarginLoss(FunctionModule):
    """Its margin is positive."""

    def keep(self, **options: Any) -> None:
        super().keep(**options)
        if self.margin <= 0:
            raise ValueError(
                f"TripletMarginLoss: expected margin to be greater than 0, got {self.margin} "
                "instead"
            )


REDUCTION = "reduction: str = 'mean'"
WEIGHT = "weight: Tensor | None = None"

MSELoss = declare(f"MSELoss(*, {REDUCTION})", F.mse_loss)
L1Loss = declare(f"L1Loss(*, {REDUCTION})", F.l1_loss)
SmoothL1Loss = declare(f"SmoothL1Loss(*, {REDUCTION}, beta: float = 1.0)", F.smooth_l1_loss)
HuberLoss = declare(f"HuberLoss({REDUCTION}, delta: float = 1.0)", F.huber_loss)
CrossEntropyLoss = declare(
    f"CrossEntropyLoss({WEIGHT}, *, ignore_index: int = -100, {REDUCTION}, "
    "label_smoothing: float = 0.0)",
    F.cross_entropy,
)
NLLLoss = declare(f"NLLLoss({WEIGHT}, *, ignore_index: int = -100, {REDUCTION})", F.nll_loss)
BCELoss = declare(f"BCELoss({WEIGHT}, *, {REDUCTION})", F.binary_cross_entropy)
BCEWithLogitsLoss = declare(
    f"BCEWithLogitsLoss({WEIGHT}, *, {REDUCTION}, pos_weight: Tensor | None = None)",
    F.binary_cross_entropy_with_logits,
)
KLDivLoss = declare(f"KLDivLoss(*, {REDUCTION}, log_target: bool = False)", F.kl_div)
CosineEmbeddingLoss = declare(
    f"CosineEmbeddingLoss(margin: float = 0.0, *, {REDUCTION})", F.cosine_embedding_loss
)
TripletMarginLoss = declare(
    f"TripletMarginLoss(margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, "
    f"swap: bool = False, *, {REDUCTION})",
    F.triplet_margin_loss,
    base=MarginLoss,
)
