"""The layers that have weights: linear, convolution, normalization, embedding, PReLU.

Their attributes, the keys of their state dicts and, for one seed, their weights are torch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from ..creation import empty, ones, zeros
from ..creation import tensor as make_tensor
from ..dtypes import int64
from ..tensor import Tensor
from . import functional as F
from . import init
from .convolution import many
from .module import Module
from .parameter import Parameter

Size = int | Sequence[int]
Shape = tuple[int, ...]


def add_parameters(layer: Module, device: Any, dtype: Any, **shapes: Shape | None) -> None:
    """Give a layer parameters of these shapes (None: it goes without), and their first values."""
    for name, shape in shapes.items():
        x = None if shape is None else Parameter(empty(shape, device=device, dtype=dtype))
        layer.register_parameter(name, x)
    layer.reset_parameters()


class FanIn(Module):
    """A layer whose weights start uniform in ±1/√n, n being the numbers that go into an output."""

    def reset_parameters(self) -> None:
        """Draw the weights again."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)


class Linear(FanIn):
    """`input @ weight.T + bias`: the last dimension goes from `in_features` to `out_features`."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        shapes = {"weight": (out_features, in_features), "bias": (out_features,) if bias else None}
        add_parameters(self, device, dtype, **shapes)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        features = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{features}, bias={self.bias is not None}"


class Convolution(FanIn):
    """What `Conv1d` and `Conv2d` have in common."""

    dims: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: str | Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = many(kernel_size, self.dims), many(stride, self.dims)
        self.padding = padding if isinstance(padding, str) else many(padding, self.dims)
        self.dilation, self.padding_mode = many(dilation, self.dims), padding_mode
        self.transposed, self.output_padding = False, (0,) * self.dims  # torch has them
        self.check()
        self._reversed_padding_repeated_twice = self.margins()
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        add_parameters(self, device, dtype, weight=shape, bias=(out_channels,) if bias else None)

    def check(self) -> None:
        if self.groups <= 0:
            raise ValueError("groups must be a positive integer")
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ValueError(f"{name} must be divisible by groups")
        names, modes = {"same", "valid"}, {"zeros", "reflect", "replicate", "circular"}
        if isinstance(self.padding, str):
            if self.padding not in names:
                raise ValueError(
                    f"Invalid padding string {self.padding!r}, should be one of {names}"
                )
            if self.padding == "same" and set(self.stride) != {1}:
                raise ValueError("padding='same' is not supported for strided convolutions")
        if self.padding_mode not in modes:
            raise ValueError(
                f"padding_mode must be one of {modes}, but got padding_mode='{self.padding_mode}'"
            )

    def margins(self) -> list[int]:
        """The padding as `functional.pad` takes it: two numbers for each dimension, last first."""
        if self.padding == "valid":
            pairs = [(0, 0)] * self.dims
        elif self.padding == "same":
            total = [e * (k - 1) for e, k in zip(self.dilation, self.kernel_size, strict=True)]
            pairs = [(n // 2, n - n // 2) for n in total]
        else:
            pairs = [(n, n) for n in self.padding]
        return [n for pair in pairs[::-1] for n in pair]

    def forward(self, input: Tensor) -> Tensor:
        padding, convolve = self.padding, getattr(F, f"conv{self.dims}d")
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, self.padding_mode)
            padding = 0
        return convolve(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        usual = {"padding": (0,) * self.dims, "dilation": (1,) * self.dims, "groups": 1}
        for name, value in usual.items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        text += ", bias=False" * (self.bias is None)
        return text + f", padding_mode={self.padding_mode}" * (self.padding_mode != "zeros")


class Conv1d(Convolution):
    """Convolution of (N, C, L) or (C, L)."""

    dims = 1


class Conv2d(Convolution):
    """Convolution of (N, C, H, W) or (C, H, W)."""

    dims = 2


# ----------------------------------------------------------------------------------- normalization


class Normalization(Module):
    """A layer whose weight starts as ones and whose bias as zeros."""

    shown = ""  # the attributes that its text names

    def reset_parameters(self) -> None:
        """The weights as they were in the beginning."""
        if self.weight is not None:
            init.ones_(self.weight)
        if getattr(self, "bias", None) is not None:
            init.zeros_(self.bias)

    def extra_repr(self) -> str:
        values = vars(self) | {"bias": self._parameters.get("bias") is not None}
        return ", ".join([self.sizes(), *(f"{name}={values[name]}" for name in self.shown.split())])


class BatchNorm(Normalization):
    """What `BatchNorm1d` and `BatchNorm2d` have in common.

    In training each channel is normalized by the mean and variance of the batch, which also move
    the running ones by `momentum` (None: they are averages over all batches); in evaluation by the
    running ones, or, without `track_running_stats`, still by those of the batch.
    """

    _version = 2  # the first was without num_batches_tracked
    shown = "eps momentum affine bias track_running_stats"
    allowed: ClassVar[tuple[int, ...]]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        running = dict.fromkeys(("running_mean", "running_var", "num_batches_tracked"))
        if track_running_stats:
            running["running_mean"] = zeros(num_features, device=device, dtype=dtype)
            running["running_var"] = ones(num_features, device=device, dtype=dtype)
            running["num_batches_tracked"] = make_tensor(0, dtype=int64)
        for name, x in running.items():
            self.register_buffer(name, x)
        shape = (num_features,) if affine else None
        add_parameters(self, device, dtype, weight=shape, bias=shape if bias else None)

    def _may_lack(self, name: str, version: int | None) -> bool:
        return name == "num_batches_tracked" and (version is None or version < 2)

    def reset_running_stats(self) -> None:
        """Forget the batches seen."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in self.allowed:
            expected = " or ".join(f"{n}D" for n in self.allowed)
            raise ValueError(f"expected {expected} input (got {input.ndim}D input)")
        momentum, moving = self.momentum, self.training and self.track_running_stats
        if moving and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            momentum = 1.0 / self.num_batches_tracked.item() if momentum is None else momentum
        running = self.running_mean, self.running_var
        by_batch = self.training or self.running_mean is None
        return F.batch_norm(
            input,
            *(running if moving or not self.training else (None, None)),
            self.weight,
            self.bias,
            by_batch,
            0.0 if momentum is None else momentum,
            self.eps,
        )

    def sizes(self) -> str:
        return str(self.num_features)


class BatchNorm1d(BatchNorm):
    __doc__ = f"Batch normalization of (N, C) or (N, C, L).\n\n    {BatchNorm.__doc__}"
    allowed = (2, 3)


class BatchNorm2d(BatchNorm):
    __doc__ = f"Batch normalization of (N, C, H, W).\n\n    {BatchNorm.__doc__}"
    allowed = (4,)


class OverLast(Normalization):
    """A normalization over the last dimensions, which have the shape `normalized_shape`."""

    def keep(self, normalized_shape: Size, eps: float | None, elementwise_affine: bool) -> None:
        Module.__init__(self)
        self.normalized_shape = many(normalized_shape, 1)
        self.eps, self.elementwise_affine = eps, elementwise_affine

    def sizes(self) -> str:
        return str(self.normalized_shape)


class LayerNorm(OverLast):
    """Each slice of the last dimensions moved to mean 0 and variance 1, then · weight + bias."""

    shown = "eps elementwise_affine bias"

    def __init__(
        self,
        normalized_shape: Size,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.keep(normalized_shape, eps, elementwise_affine)
        shape = self.normalized_shape if elementwise_affine else None
        add_parameters(self, device, dtype, weight=shape, bias=shape if bias else None)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(OverLast):
    """Each slice of the last dimensions divided by its root mean square, then · weight."""

    shown = "eps elementwise_affine"

    def __init__(
        self,
        normalized_shape: Size,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.keep(normalized_shape, eps, elementwise_affine)
        shape = self.normalized_shape if elementwise_affine else None
        add_parameters(self, device, dtype, weight=shape)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Normalization):
    """`num_groups` groups of channels of (N, C, …), each moved to mean 0 and variance 1."""

    shown = "eps affine bias"

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.affine = affine
        shape = (num_channels,) if affine else None
        add_parameters(self, device, dtype, weight=shape, bias=shape if bias else None)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def sizes(self) -> str:
        return f"{self.num_groups}, {self.num_channels}"


# -------------------------------------------------------------------------------------- the others


class Embedding(Module):
    """A table of `num_embeddings` vectors, looked up by number; row `padding_idx` stays zero."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError("Padding_idx must be within num_embeddings")
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            add_parameters(self, device, dtype, weight=(num_embeddings, embedding_dim))
        else:
            self.weight = Parameter(_weight)
        self.weight.requires_grad_(not _freeze)

    def reset_parameters(self) -> None:
        """Draw the vectors again."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.detach()[self.padding_idx])

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None
    ) -> Embedding:
        """An embedding whose table is this matrix, by default not to be trained."""
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        return cls(*embeddings.shape, padding_idx, _weight=embeddings, _freeze=freeze)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2}
        usual |= {"scale_grad_by_freq": False, "sparse": False}
        other = [f"{k}={getattr(self, k)}" for k, v in usual.items() if getattr(self, k) != v]
        return ", ".join([str(self.num_embeddings), str(self.embedding_dim), *other])


class PReLU(Module):
    """`input` where it is positive, else `weight · input`, one weight or one for each channel."""

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        add_parameters(self, device, dtype, weight=(num_parameters,))

    def reset_parameters(self) -> None:
        """The weights as they were in the beginning."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
