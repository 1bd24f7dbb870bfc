"""Extras: functions that backward calls with the gradients it passes, and that may replace them.

A node that has hooks carries one `Extras`; a leaf carries its own, since the node that accumulates
its gradient may be made anew. Which kind runs when is torch's order: hooks of the tensor, hooks
before the node, the node, hooks after the node. Extras on what the tape saves are at the end.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import errors
from .modes import modes
from .tensor import Tensor, wrap

if TYPE_CHECKING:
    from .engine import Node

_ids = itertools.count()


class Extras:
    """What few nodes have: hooks by kind, in the order they were registered; notes."""

    def __init__(self) -> None:
        self.tensor: dict[int, Callable[..., Any]] = {}
        self.pre: dict[int, Callable[..., Any]] = {}
        self.post: dict[int, Callable[..., Any]] = {}
        self.accumulated: dict[int, Callable[..., Any]] = {}
        self.retain: weakref.ref[Tensor] | None = None  # whose .grad is to be filled
        self.unpack: Callable[[Any], Tensor] | None = None  # undoes what a pack hook has done
        self.notes: dict[str, Any] = {}
        self.cells: dict[int, tuple[list[int], int]] = {}  # by output: its version, and then
        self.guards: dict[str, tuple[Tensor | None, ...]] = {}  # what must not change, see `guard`
        self.guarded: list[int] = []  # the versions they had

    @property
    def watching(self) -> bool:
        """Whether a user's code sees the gradient that passes here."""
        return any((self.tensor, self.pre, self.post, self.retain, self.unpack))


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again."""

    def __init__(self, hooks: dict[int, Callable[..., Any]]) -> None:
        self.extras, self.id = hooks, next(_ids)

    def remove(self) -> None:
        self.extras.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Handles(RemovableHandle):
    """Several handles as one."""

    def __init__(self, handles: list[RemovableHandle]) -> None:
        self.handles = handles

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def register(owner: Any, kind: str, hook: Callable[..., Any]) -> RemovableHandle:
    """Add a hook to a node or a leaf."""
    owner.extras = owner.extras or Extras()
    hooks = getattr(owner.extras, kind)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def run_before(node: Node, g: Any) -> Any:
    """Run the hooks of a tensor, which see its gradient whether or not its node runs, and keep the
    gradient if that is asked for; the gradient they leave."""
    hooks = node.extras
    if isinstance(g, list):  # of a node with several outputs; those have their own tensor hooks
        return g
    bare = not isinstance(g, Tensor)
    g = wrap(g) if bare else g
    for hook in list(hooks.tensor.values()):
        g = replaced(g, hook(g), hook)
    if hooks.retain and (tensor := hooks.retain()) is not None:
        tensor._grad = g.clone() if tensor._grad is None else tensor._grad + g
    return g.array if bare and g is not None else g


def run_pre(node: Node, g: Any) -> Any:
    """Run the hooks before a node; the gradient they leave."""
    if not node.extras.pre:
        return g
    gradients = g if isinstance(g, list) else [g]
    bare = not any(isinstance(each, Tensor) for each in gradients)
    came = tuple(map(wrap, gradients))
    for hook in list(node.extras.pre.values()):
        new = hook(came)
        came = came if new is None else as_tuple(new, came, hook)
    out = [x.array if bare and x is not None else x for x in came]
    return type(g)(out) if isinstance(g, list) else out[0]


def run_after(node: Node, out: Sequence[Any], g: Any) -> Sequence[Any]:
    """Run the hooks that see what a node sends on; the gradients they leave."""
    if not node.extras.post:
        return out
    gradients = g if isinstance(g, list) else [g]
    bare = not any(isinstance(each, Tensor) for each in gradients)
    sent, came = tuple(map(wrap, out)), tuple(map(wrap, gradients))
    for hook in list(node.extras.post.values()):
        new = hook(sent, came)
        if new is not None:
            sent = as_tuple(new, sent, hook)
    return tuple(s.array if bare and s is not None else s for s in sent)


def as_tuple(new: Any, old: Sequence[Any], hook: Callable[..., Any]) -> tuple[Any, ...]:
    """What a node hook returned: as many gradients as it was given."""
    if not isinstance(new, tuple):
        new = (new,) if isinstance(new, Tensor) and len(old) == 1 else new
        if not isinstance(new, tuple):
            raise TypeError(f"expected tuple, but hook returned '{type(new).__name__}'")
    if len(new) != len(old):
        raise RuntimeError(
            f"hook '{hook_name(hook)}' has returned an incorrect number of values (got {len(new)}, "
            f"but expected {len(old)})"
        )
    return new


def replaced(g: Tensor, new: Any, hook: Callable[..., Any]) -> Tensor:
    """What a hook returned instead of `g`, or `g` itself for None; torch's errors for the rest."""
    if new is None:
        return g
    if not isinstance(new, Tensor):
        raise TypeError(errors.hook_returned(new))
    if new.array.shape != g.array.shape:
        raise RuntimeError(errors.hook_changed_size(hook_name(hook)))
    return new


def hook_name(hook: Callable[..., Any]) -> str:
    return getattr(hook, "__name__", type(hook).__name__)


# ----------------------------------------------------------------------------------- saved tensors


class SavedTensor:
    """What torch shows as `_raw_saved_…`: a saved tensor, not unpacked."""

    def __init__(self, unpack_hook: Callable[[Any], Tensor] | None) -> None:
        self.unpack_hook = unpack_hook  # None if no hook has packed it


def pack(node: Node) -> None:
    """Hand every tensor a node has just saved to the innermost pack hook."""
    pack_hook, unpack_hook = modes.saved_hooks[-1]
    plan = getattr(node, "plan", None)
    if plan is None:  # a Function has packed its own
        return
    saved = list(node.saved)
    for i in plan.tensors_at:
        saved[i] = packed(pack_hook, saved[i])
    if (i := plan.result_at) is not None and not plan.primitive.multiple:
        saved[i] = handed(pack_hook, wrap(saved[i], node))
    node.saved, node.extras = tuple(saved), node.extras or Extras()
    node.extras.unpack = unpack_hook


def packed(pack_hook: Callable[[Tensor], Any], x: Tensor) -> tuple[Any, Node | None]:
    """What the pack hook makes of a tensor, and where the tensor's gradients go."""
    from .node import edge

    return handed(pack_hook, x), edge(x)


def handed(pack_hook: Callable[[Tensor], Any], x: Tensor) -> Any:
    """What the pack hook makes of a tensor, which it must not write to."""
    before = x._version
    out = quietly(pack_hook, x)
    if x._version != before:
        raise RuntimeError(errors.PACK_IN_PLACE)
    return out


def guard(out: Tensor, **tensors: tuple[Tensor | None, ...]) -> Tensor:
    """Let the node of `out` name these as its saved values, and refuse to run once they were
    written to: it computes with copies of its own, and torch would not have any."""
    if out.node is not None:
        extra = out.node.extra
        extra.guards |= tensors
        extra.guarded += [0 if x is None else x._version for xs in tensors.values() for x in xs]
    return out


def unpack(node: Node, values: list[Any]) -> None:
    """Look whether what a node guards is as it was; then ask the unpack hook for the saved tensors,
    in place in `values`."""
    plan, extras = node.plan, node.extras
    for x, then in zip(itertools.chain(*extras.guards.values()), extras.guarded, strict=True):
        if x is not None and x._version != then:
            raise RuntimeError(errors.modified(x.array, x.grad_fn, x._version, then))
    if (hook := extras.unpack) is None:
        return
    for i in plan.tensors_at:
        values[i] = unpacked(hook, values[i])
    if (i := plan.result_at) is not None and not plan.primitive.multiple:
        values[i] = checked(quietly(hook, values[i])).array


def unpacked(unpack_hook: Callable[[Any], Tensor], value: tuple[Any, Node | None]) -> Tensor:
    """The tensor again, with the history of the one that was packed."""
    data, node = value
    out = wrap(checked(quietly(unpack_hook, data)).array)
    if node is not None:
        out._requires_grad = True
        if node.is_leaf:
            out.accumulator = weakref.ref(node)
        else:
            out.node = node
    return out


def checked(x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(
            "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
            f"{type(x).__name__}"
        )
    return x


def quietly(hook: Callable[[Any], Any], x: Any) -> Any:
    """Call a hook with nothing recorded."""
    before, modes.grad_enabled = modes.grad_enabled, False
    try:
        return hook(x)
    finally:
        modes.grad_enabled = before
