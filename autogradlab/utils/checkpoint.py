"""Checkpointing: save nothing in the forward pass, and run it again when backward asks.

Without reentrance it is a pair of saved-tensor hooks: packing keeps a number instead of the tensor,
the first unpacking runs the function once more, under hooks that keep what it saves.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .. import autograd
from ..autograd.graph import saved_tensors_hooks
from ..random import get_rng_state, set_rng_state
from ..tensor import Tensor


class CheckpointError(RuntimeError):
    """The function did not save the same tensors when it ran again."""


class _Enough(Exception):
    """Every tensor is there: the rest of the function need not run again."""


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args)`, whose saved values are computed again in backward instead of kept.

    Args:
        use_reentrant: False is the plain way. True runs `function` without a graph and then, in
            backward, a backward of its own; at least one input must require a gradient.
        preserve_rng_state: give the second run the random numbers of the first.

    Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.

    >>> from autogradlab import ones
    >>> x = ones(2, requires_grad=True)
    >>> checkpoint(lambda a: (a * a).exp().sum(), x, use_reentrant=False).backward()
    >>> x.grad
    tensor([5.4366, 5.4366])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. "
            "Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an "
            "exception. use_reentrant=False is recommended, but if you need to preserve the "
            "current default behavior, you can pass use_reentrant=True. Refer to docs for more "
            "details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if not any(isinstance(x, Tensor) and x.requires_grad for x in args):
            warnings.warn(
                "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
            )
        return CheckpointFunction.apply(function, preserve_rng_state, *args)

    state = get_rng_state() if preserve_rng_state else None
    count = 0
    again: dict[int, Tensor] = {}

    def pack(x: Tensor) -> int:
        nonlocal count
        count += 1
        return count - 1

    def unpack(i: int) -> Tensor:
        if i not in again:
            run_again()
        return again.pop(i)

    def run_again() -> None:
        found: list[Tensor] = []

        def keep(x: Tensor) -> Tensor:
            found.append(x.detach())
            if len(found) == count:
                raise _Enough
            return found[-1]

        try:
            with _random(state), autograd.enable_grad(), saved_tensors_hooks(keep, lambda x: x):
                function(*args, **kwargs)
        except _Enough:
            again.update(enumerate(found))
            return
        raise CheckpointError(
            "torch.utils.checkpoint: A different number of tensors was saved during the original "
            "forward and recomputation.\nNumber of tensors saved during forward: "
            f"{count}\nNumber of tensors saved during recomputation: {len(found)}."
        )

    with saved_tensors_hooks(pack, unpack):
        return function(*args, **kwargs)


class CheckpointFunction(autograd.Function):
    """The reentrant way: a node whose backward runs the function, and then backward through it."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        ctx.function, ctx.args = function, args
        ctx.state = get_rng_state() if preserve else None
        return function(*args)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        inputs = [
            x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x
            for x in ctx.args
        ]
        with _random(ctx.state), autograd.enable_grad():
            out = ctx.function(*inputs)
        outputs = out if isinstance(out, tuple) else (out,)
        pairs = [
            (o, g)
            for o, g in zip(outputs, gradients, strict=True)
            if isinstance(o, Tensor) and o.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        autograd.backward(*map(list, zip(*pairs, strict=True)))
        return (None, None, *(x._grad if isinstance(x, Tensor) else None for x in inputs))


class _random:
    """Random numbers from the given state on, and afterwards as if nobody had drawn."""

    def __init__(self, state: Tensor | None) -> None:
        self.state = state

    def __enter__(self) -> None:
        self.before = get_rng_state()
        if self.state is not None:
            set_rng_state(self.state)

    def __exit__(self, *exception: object) -> None:
        if self.state is not None:
            set_rng_state(self.before)


def checkpoint_sequential(
    functions: Sequence[Callable[[Any], Any]], segments: int, input: Any, **options: Any
) -> Any:
    """A chain of functions in `segments` checkpoints; the last segment is kept as it is."""
    functions = list(functions)
    size = len(functions) // segments

    def chain(part: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for function in part:
                x = function(x)
            return x

        return run

    for i in range(segments - 1):
        input = checkpoint(chain(functions[i * size : (i + 1) * size]), input, **options)
    return chain(functions[(segments - 1) * size :])(input)
