"""Hooks: functions that backward calls with the gradients it passes, and that may replace them.

A node that has hooks carries one `Hooks`; a leaf carries its own, since the node that accumulates
its gradient may be made anew. Which kind runs when is torch's order: hooks of the tensor, hooks
before the node, the node, hooks after the node.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import errors
from .tensor import Tensor, wrap

if TYPE_CHECKING:
    from .engine import Node

_ids = itertools.count()


class Hooks:
    """The hooks of one node, by kind, in the order they were registered."""

    def __init__(self) -> None:
        self.tensor: dict[int, Callable[..., Any]] = {}
        self.pre: dict[int, Callable[..., Any]] = {}
        self.post: dict[int, Callable[..., Any]] = {}
        self.accumulated: dict[int, Callable[..., Any]] = {}
        self.retain: weakref.ref[Tensor] | None = None  # whose .grad is to be filled
        self.unpack: Callable[[Any], Tensor] | None = None  # undoes what a pack hook has done
        self.notes: dict[str, Any] = {}


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again."""

    def __init__(self, hooks: dict[int, Callable[..., Any]]) -> None:
        self.hooks, self.id = hooks, next(_ids)

    def remove(self) -> None:
        self.hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def register(owner: Any, kind: str, hook: Callable[..., Any]) -> RemovableHandle:
    """Add a hook to a node or a leaf."""
    owner.hooks = owner.hooks or Hooks()
    hooks = getattr(owner.hooks, kind)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def run_before(node: Node, g: Any) -> Any:
    """Run the hooks that see a gradient before its node does; the gradient they leave."""
    hooks, bare = node.hooks, not isinstance(g, Tensor)
    g = wrap(g) if bare else g
    for hook in list(hooks.tensor.values()):
        g = replaced(g, hook(g), hook)
    for hook in list(hooks.pre.values()):
        new = hook((g,))
        g = g if new is None else replaced(g, new[0] if isinstance(new, tuple) else new, hook)
    if hooks.retain and (tensor := hooks.retain()) is not None:
        tensor._grad = g.clone() if tensor._grad is None else tensor._grad + g
    return g.array if bare else g


def run_after(node: Node, out: Sequence[Any], g: Any) -> Sequence[Any]:
    """Run the hooks that see what a node sends on; the gradients they leave."""
    bare = not isinstance(g, Tensor)
    sent, came = tuple(None if o is None else wrap(o) for o in out), (wrap(g),)
    for hook in list(node.hooks.post.values()):
        new = hook(sent, came)
        if new is not None:
            sent = new if isinstance(new, tuple) else (new,)
    return tuple(s.array if bare and s is not None else s for s in sent)


def replaced(g: Tensor, new: Any, hook: Callable[..., Any]) -> Tensor:
    """What a hook returned instead of `g`, or `g` itself for None; torch's errors for the rest."""
    if new is None:
        return g
    if not isinstance(new, Tensor):
        raise TypeError(errors.hook_returned(new))
    if new.array.shape != g.array.shape:
        raise RuntimeError(errors.hook_changed_size(getattr(hook, "__name__", type(hook).__name__)))
    return new
