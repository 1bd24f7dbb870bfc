"""Which module made which node: seen while the forward pass runs, or worked out afterwards.

A module's `forward` covers an interval of the sequence numbers that the engine gives its nodes, and
hooks before and after it read the number: `watch` finds every call exactly, also of modules without
parameters and of modules called twice. Without it, a node belongs to the module whose parameter it
uses, and one that uses none to the module of its consumers.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .data import ModuleCall
from .protocol import is_leaf
from .words import short_name

Order = Mapping[Any, list[tuple[Any, int]]]  # nodes in forward order, and where their gradients go
Places = dict[Any, str]  # of a node the key of its innermost call, "" outside all


def engine_of_module(model: Any) -> Any:
    """The engine that a module belongs to.

    Raises:
        TypeError: it is not a module.
    """
    for kind in type(model).__mro__:
        engine = sys.modules.get(kind.__module__.partition(".")[0])
        known = getattr(engine, "__name__", "") in ("torch", "autogradlab")
        if known and isinstance(model, engine.nn.Module):
            return engine
    raise TypeError(
        "expected a model, a torch.nn.Module of PyTorch or autogradlab, not "
        f"{type(model).__name__ if not isinstance(model, type) else f'the class {model.__name__}'}"
    )


# --------------------------------------------------------------------------- seen as it happens


@dataclass(frozen=True)
class _Call:
    """A call of a module as it was seen."""

    module: Any
    parent: int  # place in the list of calls, -1 for none


class watch:
    """See which module makes which node, while the forward pass runs.

    It hangs a hook before and after every submodule, which only reads a number, and takes them away
    on leaving, also after an exception. Any number of forward passes may run inside.

    Args:
        model: a module of autogradlab or PyTorch.

    Raises:
        TypeError: `model` is not a module.

    >>> from autogradlab import nn, ones
    >>> from autogradlab.graphs import read_graph
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    >>> with watch(model) as seen:
    ...     loss = model(ones(1, 2)).sum()
    >>> graph = read_graph(loss, watched=seen)
    >>> [(node.name, graph.calls[node.module].kind) for node in graph.nodes.values() if node.module
    ...  and node.kind == "op"]
    [('TBackward0', 'Linear'), ('AddmmBackward0', 'Linear'), ('TanhBackward0', 'Tanh')]
    """

    def __init__(self, model: Any) -> None:
        self.model, self.engine = model, engine_of_module(model)
        self.calls: list[_Call] = []
        self._logs: dict[int, tuple[list[int], list[int]]] = {}  # by thread: numbers, calls since
        self._open: dict[int, list[int]] = {}  # by thread: the calls that are running
        self._handles: list[Any] = []
        self._thread = 0

    def __enter__(self) -> watch:
        self._thread = threading.get_ident()
        try:
            for module in self.model.modules():
                # Outermost, so that what a user's own hooks compute counts as the module's.
                before = module.register_forward_pre_hook(self._enter, prepend=True)
                self._handles.append(before)
                after = module.register_forward_hook(self._leave, always_call=True)
                self._handles.append(after)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        while self._handles:
            self._handles.pop().remove()
        for running in self._open.values():  # left by an exception that is no Exception
            running.clear()
        self._log(-1)

    def _log(self, call: int) -> None:
        """From the present number on, nodes of this thread are made by `call`."""
        numbers, calls = self._logs.setdefault(threading.get_ident(), ([], []))
        numbers.append(self.engine.autograd._get_sequence_nr())
        calls.append(call)

    def _enter(self, module: Any, args: Any) -> None:
        running = self._open.setdefault(threading.get_ident(), [])
        running.append(len(self.calls))
        self.calls.append(_Call(module, running[-2] if len(running) > 1 else -1))
        self._log(running[-1])

    def _leave(self, module: Any, args: Any, output: Any) -> None:
        running = self._open.setdefault(threading.get_ident(), [])
        # A call that an exception has left without running its hook ends with the one around it.
        while running and self.calls[running.pop()].module is not module:
            pass
        self._log(running[-1] if running else -1)

    def maker(self, sequence: int) -> int:
        """The innermost call that ran when a node got this number, as its place in `calls`; -1 if
        none did, or if calls of several threads did, whose numbers torch counts apart."""
        found = set()
        for numbers, calls in self._logs.values():
            at = bisect_right(numbers, sequence) - 1
            found.add(calls[at] if at >= 0 else -1)
        found.discard(-1)
        return found.pop() if len(found) == 1 else -1

    @property
    def exact(self) -> bool:
        """Whether the numbers tell for certain: all calls ran in the thread that watches."""
        return self._logs.keys() <= {self._thread}


def modules_by_watch(order: Order, watched: watch) -> tuple[dict[str, ModuleCall], Places]:
    """The calls that made nodes of a graph, and which node each made, as `watched` saw them.

    Raises:
        ValueError: no node of the graph was made in a call that was seen.
    """
    makers = {n: watched.maker(n._sequence_nr()) for n in order if not is_leaf(n)}
    used: set[int] = set()
    for call in makers.values():
        while call >= 0 and call not in used:
            used.add(call)
            call = watched.calls[call].parent
    if not used and makers:
        raise ValueError(
            "this graph was not made while the model was watched: run the forward pass inside "
            "`with watch(model) as seen:`, and read the graph it gave"
        )
    names: dict[Any, list[str]] = {}
    for name, module in watched.model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(name)
    calls: dict[int, ModuleCall] = {}
    count: Counter[str] = Counter()
    for i in sorted(used):
        module, parent = watched.calls[i].module, calls.get(watched.calls[i].parent)
        own = names.get(module, ["?"])  # "?": taken out of the model since
        path = own[0]
        if parent and parent.path:  # a module under two paths: that of the module which called it
            path = next((each for each in own if each.startswith(f"{parent.path}.")), path)
        count[path] += 1
        kind, key = type(module).__name__, f"m{len(calls)}"
        calls[i] = ModuleCall(key, path, kind, count[path], parent.key if parent else "")
    by_key = {call.key: call for call in calls.values()}
    places = {n: calls[i].key if i >= 0 else "" for n, i in makers.items()}
    return by_key, with_leaves(order, places, by_key, watched.model)


# ------------------------------------------------------------------------------- after the fact

# Operations whose result is their input in another form: what a layer does to its weight first.
SAME_DATA = {
    *("t", "transpose", "permute", "view", "expand", "squeeze", "unsqueeze", "clone", "tocopy"),
    *("slice", "select", "split", "splitwithsizes", "unbind", "alias", "asstrided"),
}


def modules_by_ownership(order: Order, model: Any) -> tuple[dict[str, ModuleCall], Places]:
    """The modules that nodes of a graph belong to, as far as their parameters tell.

    A node belongs to the module that owns the parameters among its inputs (one that is shared
    belongs to the first module that has it), and a node without any to the module of its consumers,
    of several to that of the oldest. So an activation counts with the layer it goes to, two calls
    of one module are one, and what only follows the last parameter lies outside.
    """
    modules = dict(model.named_modules())
    owners = {id(p): name.rpartition(".")[0] for name, p in model.named_parameters()}
    weights: dict[Any, str] = {}  # leaves that are parameters, and views and copies of such
    found: dict[Any, str | None] = {}
    for node, inputs in order.items():
        if is_leaf(node):
            if id(node.variable) in owners:
                weights[node] = owners[id(node.variable)]
            continue
        parents = [parent for parent, _ in inputs if parent is not None]
        used = [weights[parent] for parent in parents if parent in weights]
        found[node] = common_path(used) if used else None
        if used and len(inputs) == 1 and short_name(node.name()) in SAME_DATA:
            weights[node] = found[node]
    consumers = consumers_of(order)
    for node in reversed(list(found)):
        if found[node] is None:
            after = [found[each] for each in consumers.get(node, ())]
            found[node] = next((path for path in after if path is not None), None)
    paths = [path for path in found.values() if path is not None]
    calls: dict[str, ModuleCall] = {}

    def call_of(path: str) -> str:
        """The key of a module; made, with those around it, when first asked for."""
        while not called(modules[path]) and path:  # a list of modules has no forward of its own
            path = path.rpartition(".")[0]
        if path not in calls:
            parent = call_of(path.rpartition(".")[0]) if path else ""
            kind = type(modules[path]).__name__
            calls[path] = ModuleCall(f"m{len(calls)}", path, kind, 1, parent)
        return calls[path].key

    for path in paths:
        call_of(path)
    places = {node: "" if path is None else call_of(path) for node, path in found.items()}
    by_key = {call.key: call for call in calls.values()}
    return by_key, with_leaves(order, places, by_key, model)


def called(module: Any) -> bool:
    """Whether the class of a module has a `forward`."""
    base = engine_of_module(module).nn.Module
    return type(module).forward is not base.forward


def common_path(paths: Iterable[str]) -> str:
    """The innermost module that holds all of these.

    >>> common_path(["layer1.0.conv1", "layer1.0.bn1"]), common_path(["a.b", "a.b"])
    ('layer1.0', 'a.b')
    """
    first, *others = [path.split(".") if path else [] for path in paths]
    length = len(first)
    for other in others:
        same = [a == b for a, b in zip(first, other, strict=False)]
        length = min(length, same.index(False) if False in same else len(same))
    return ".".join(first[:length])


# ----------------------------------------------------------------------------------- both ways


def consumers_of(order: Order) -> dict[Any, list[Any]]:
    """For each node those that its result went to, the oldest first."""
    consumers: dict[Any, list[Any]] = {}
    for node, inputs in order.items():
        for parent in dict.fromkeys(parent for parent, _ in inputs if parent is not None):
            consumers.setdefault(parent, []).append(node)
    return consumers


def with_leaves(
    order: Order, places: Places, calls: Mapping[str, ModuleCall], model: Any
) -> Places:
    """The places with those of the leaves: a parameter of the model lies in the innermost call that
    holds all its consumers, any other leaf outside."""
    consumers, own = consumers_of(order), {id(p) for p in model.parameters()}
    for node in order:
        if is_leaf(node):
            if id(node.variable) not in own:
                places[node] = ""
                continue
            around = [chain(calls, places[each]) for each in consumers.get(node, ())]
            same = []
            for level in zip(*around, strict=False):
                if len(set(level)) > 1:
                    break
                same.append(level[0])
            places[node] = same[-1] if same else ""
    return places


def chain(calls: Mapping[str, ModuleCall], key: str) -> list[str]:
    """A call and those around it, the outermost first."""
    found = []
    while key:
        found.append(key)
        key = calls[key].parent
    return found[::-1]


def shared_parameters(model: Any) -> tuple[tuple[str, ...], ...]:
    """The names of each parameter that has several, its owner's first.

    >>> from autogradlab import nn
    >>> layer = nn.Linear(2, 2, bias=False)
    >>> shared_parameters(nn.Sequential(layer, nn.Tanh(), layer))
    (('0.weight', '2.weight'),)
    """
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return tuple(tuple(each) for each in names.values() if len(each) > 1)
