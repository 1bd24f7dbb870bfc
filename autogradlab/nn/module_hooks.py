"""How a module with hooks is called.

Backward hooks need a node before and a node after the module: the inputs and the outputs go through
an identity, whose gradients are those of the module's inputs and outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..autograd.function import Function
from ..modes import modes
from ..tensor import Tensor

if TYPE_CHECKING:
    from .module import Module

Gradients = tuple[Tensor | None, ...]


def call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module.forward`, with the hooks before and after it."""
    result, done = None, set()
    try:
        for hook, with_kwargs in list(module._forward_pre_hooks.values()):
            args, kwargs = run_pre_hook(module, hook, with_kwargs, args, kwargs)
        backward = None
        if module._backward_hooks or module._backward_pre_hooks:
            backward = BackwardHooks(module)
            args = backward.watch_inputs(args)
        result = module.forward(*args, **kwargs)
        for key, (hook, with_kwargs, _) in list(module._forward_hooks.items()):
            done.add(key)
            new = hook(module, args, *([kwargs] if with_kwargs else []), result)
            result = result if new is None else new
        return result if backward is None else backward.watch_outputs(result)
    except Exception:
        for key, (hook, with_kwargs, always_call) in list(module._forward_hooks.items()):
            if always_call and key not in done:
                run_after_error(module, hook, [args, kwargs] if with_kwargs else [args], result)
        raise


def run_pre_hook(
    module: Module,
    hook: Callable[..., Any],
    with_kwargs: bool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that a hook before `forward` leaves."""
    new = hook(module, args, kwargs) if with_kwargs else hook(module, args)
    if new is None:
        return args, kwargs
    if not with_kwargs:
        return new if isinstance(new, tuple) else (new,), kwargs
    if isinstance(new, tuple) and len(new) == 2:
        return new
    raise RuntimeError(
        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {new}."
    )


def run_after_error(
    module: Module, hook: Callable[..., Any], arguments: list[Any], result: Any
) -> None:
    try:
        hook(module, *arguments, result)
    except Exception as error:
        warnings.warn(
            "module forward hook with ``always_call=True`` raised an exception that was silenced "
            f"as another error was raised in forward: {error}",
            stacklevel=4,
        )


class BackwardHookFunction(Function):
    """The identity, as a node to hang hooks on."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.mark_non_differentiable(*(x for x in tensors if not x.requires_grad))
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return gradients


class BackwardHooks:
    """The backward hooks of one call: runs them once the gradients on both sides are known."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.before = list(module._backward_pre_hooks.values())
        self.after = list(module._backward_hooks.values())
        self.grad_outputs: Gradients | None = None

    def watch(
        self, values: tuple[Any, ...], hook: Callable[..., Any]
    ) -> tuple[tuple[Any, ...], list[int] | None]:
        """The values sent through the identity, whose node gets the hook, and which of them are
        tensors; None if none of them wants a gradient."""
        at = [i for i, x in enumerate(values) if isinstance(x, Tensor)]
        if not (modes.grad_enabled and any(values[i].requires_grad for i in at)):
            return values, None
        through = BackwardHookFunction.apply(*(values[i] for i in at))
        node = next(x.grad_fn for x in through if x.grad_fn is not None)
        node.register_hook(hook)
        replaced = dict(zip(at, through, strict=True))
        return tuple(replaced.get(i, x) for i, x in enumerate(values)), at

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.inputs = len(args)
        args, self.inputs_at = self.watch(args, self.leave)
        return args

    def watch_outputs(self, result: Any) -> Any:
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=4,
            )
        many = isinstance(result, tuple)
        self.outputs = len(result) if many else 1
        outputs, self.outputs_at = self.watch(result if many else (result,), self.enter)
        return outputs if many else outputs[0]

    def enter(self, _: Gradients, gradients: Gradients) -> Gradients | None:
        """The gradients of the outputs are known."""
        self.grad_outputs = spread(gradients, self.outputs_at, self.outputs)
        for hook in self.before:
            new = hook(self.module, self.grad_outputs)
            self.grad_outputs = checked(new, self.grad_outputs, "pre hook", "grad_output")
        came = self.grad_outputs
        if self.inputs_at is None:  # nobody will ask for the gradients of the inputs
            warnings.warn(NO_INPUT_GRADIENTS, stacklevel=5)
            for hook in self.after:
                new = hook(self.module, (None,) * self.inputs, came)
                if new is not None and not (isinstance(new, tuple) and set(new) <= {None}):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always "
                        "return None or None for all gradients."
                    )
        return tuple(came[i] for i in self.outputs_at)

    def leave(self, gradients: Gradients, _: Gradients) -> Gradients | None:
        """The gradients of the inputs are known too."""
        if self.grad_outputs is None:  # they did not come through the outputs
            return None
        sent = spread(gradients, self.inputs_at, self.inputs)
        for hook in self.after:
            new = hook(self.module, sent, self.grad_outputs)
            sent = checked(new, sent, "hook", "grad_input")
        self.grad_outputs = None
        return tuple(sent[i] for i in self.inputs_at)


NO_INPUT_GRADIENTS = (
    "Full backward hook is firing when gradients are computed with respect to module outputs since "
    "no inputs require gradients. See https://docs.pytorch.org/docs/main/generated/"
    "torch.nn.Module.html#torch.nn.Module.register_full_backward_hook for more details."
)


def spread(gradients: Gradients, at: list[int], count: int) -> Gradients:
    """Gradients in the places of the tensors they belong to, None elsewhere."""
    out = [None] * count
    for i, g in zip(at, gradients, strict=True):
        out[i] = g
    return tuple(out)


def checked(new: Any, old: Gradients, hook: str, what: str) -> Gradients:
    """What a backward hook returned: as many gradients as it was given, or None to change none."""
    if new is None:
        return old
    if len(new) != len(old):
        raise RuntimeError(
            f"Backward {hook} returned an invalid number of {what}, got {len(new)}, but expected "
            f"{len(old)}"
        )
    return new
