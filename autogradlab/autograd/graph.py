"""`torch.autograd.graph`: hooks on several tensors at once, and on what the tape saves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import hooks
from ..engine import will_run
from ..modes import modes
from ..node import Node, edge
from ..tensor import Tensor

__all__ = [
    "GradientEdge",
    "Node",
    "get_gradient_edge",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor goes: a node, and which of its outputs."""

    node: Node
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge that a gradient of `tensor` takes.

    >>> from autogradlab import ones
    >>> get_gradient_edge(ones(2, requires_grad=True)).node.name()
    'torch::autograd::AccumulateGrad'
    """
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    node = edge(tensor)
    return GradientEdge(node.grad_fn, node.output_nr)


class saved_tensors_hooks:
    """Inside, every tensor the tape saves goes through `pack`, and through `unpack` when backward
    asks for it.

    >>> from autogradlab import ones
    >>> x = ones(2, requires_grad=True)
    >>> with saved_tensors_hooks(lambda t: t.detach().numpy(), lambda a: ones(2) * 7):
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([14., 14.])
    """

    def __init__(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        self.pair = pack_hook, unpack_hook

    def __enter__(self) -> None:
        modes.saved_hooks += (self.pair,)
        modes.special += 1
        modes.recorders += (hooks.pack,)

    def __exit__(self, *exception: object) -> None:
        modes.special -= 1
        modes.saved_hooks, modes.recorders = modes.saved_hooks[:-1], _without(hooks.pack)


def _without(recorder: Any) -> tuple[Any, ...]:
    """The recorders, the last of this kind taken away."""
    at = max(i for i, each in enumerate(modes.recorders) if each is recorder)
    return (*modes.recorders[:at], *modes.recorders[at + 1 :])


class save_on_cpu(saved_tensors_hooks):
    """Inside, saved tensors are kept as copies. There is only a CPU here."""

    def __init__(self, pin_memory: bool = False) -> None:
        super().__init__(lambda t: t.detach().clone(), lambda t: t)


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all"
) -> hooks.RemovableHandle:
    """Call `fn` when the gradients of all these tensors are known, with a list of them (None for
    those this pass does not reach); or, with `mode="any"`, with the first that is.

    Raises:
        ValueError: another mode.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    found: dict[int, Tensor] = {}
    state: dict[str, Any] = {"pass": None}

    def hook(i: int) -> Callable[[Tensor], None]:
        def run(g: Tensor) -> None:
            if state["pass"] is not modes.passes[-1]:
                state["pass"], state["missing"] = modes.passes[-1], 0
                found.clear()
                state["missing"] = sum(will_run(edge(t)) for t in tensors)
            found[i] = g
            if mode == "any":
                if len(found) == 1:
                    fn(g)
            elif len(found) == state["missing"]:
                fn([found.get(k) for k in range(len(tensors))])
                found.clear()

        return run

    handles = [tensor.register_hook(hook(i)) for i, tensor in enumerate(tensors)]
    return hooks.Handles(handles)
