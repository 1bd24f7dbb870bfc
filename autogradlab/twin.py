"""`%%twin`: a cell runs on autogradlab, again on PyTorch, and what came out is compared.

The cell runs as it stands in the notebook's namespace, where every `import torch` means this
package, then in a shadow namespace where `torch` is the real one. Before that the shadow is brought
in step: what the cell reads and what was bound or changed since is mirrored there, and all random
generators start from one state. Afterwards every name the cell bound or changed, what it printed,
its warnings and its error are compared, and one line says the result.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import enum
import functools
import importlib
import inspect
import io
import operator
import random
import re
import symtable
import sys
import types
import warnings
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

import autogradlab

from . import errors, nn, optim, printing
from .autograd import enable_grad, no_grad
from .devices import device
from .dtypes import dtype
from .optim.lr_scheduler import notice_steps
from .optim.optimizer import pieces
from .random import Generator
from .tensor import Size, Tensor
from .utils import data

PINNED = ["2", "13"]  # the PyTorch whose wording ours follows
TOLERANCE = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
PLAIN = (int, float, complex, str, bytes, type(None), range, slice, type(Ellipsis), dtype, device,
         enum.Enum, enum.EnumMeta)  # fmt: skip
HOLDERS = (list, tuple, deque, dict, set, frozenset, np.ndarray, np.generic, Generator)
CALLABLE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)
HIDDEN = {"__builtins__", "__name__", "torch"}
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


def torch_or_none() -> Any:
    """The real PyTorch, if it is installed."""
    try:
        import torch
    except ImportError:
        return None
    return torch


# --------------------------------------------------------------------------------------- verdict


@dataclass
class Difference:
    """One thing that is not the same: where, in what, and the two texts."""

    where: str
    what: str
    ours: str
    theirs: str
    wording: bool = False  # texts and node names may differ between PyTorch releases
    size: str = ""  # of arrays: "largest difference 81 at element 1, every element × 0.5"


@dataclass
class Report:
    """What a twin cell's comparison found; it shows itself as one line, or as two sides."""

    same: list[str] = field(default_factory=list)
    gradients: int = 0
    nodes: int = 0
    texts: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    note: str = ""  # why nothing was compared
    exact: bool = True  # this PyTorch is the one whose wording we follow
    error: Exception | None = None  # what our side raised unannounced; for the caller to raise

    @property
    def hard(self) -> list[Difference]:
        """The differences that are more than another release's wording."""
        return [d for d in self.differences if self.exact or not d.wording]

    @property
    def agrees(self) -> bool:
        """Something was compared, and nothing differs but, on another PyTorch, words."""
        return bool(self.same or self.texts) and not (self.hard or self.note or self.error)

    def facts(self) -> str:
        """What was the same, in the order the line names it."""
        out = [", ".join(self.same)] if self.same else []
        for count, text in ((self.gradients, "{} gradient"), (self.nodes, "graph of {} node")):
            if count:
                out.append(text.format(count) + "s" * (count > 1))
        return " · ".join(out + self.texts)

    def headline(self) -> tuple[str, str, str]:
        """The sign, the verdict, and what it rests on."""
        if self.hard:
            first, same = self.hard[0], f" · same: {', '.join(self.same)}" if self.same else ""
            return "✗", "differs from PyTorch:", f"{first.where} {first.what}{same}"
        if self.note:
            return "·", self.note, ""
        if self.differences:
            what = "values and gradients" if self.same else ", ".join(self.texts)
            return "✓" if what else "·", what, f"{'· ' * bool(what)}wording differs in this PyTorch"
        if not self.agrees:
            return "·", "nothing to compare:", "this cell bound no value and printed nothing"
        return "✓", "same in PyTorch:", self.facts()

    def __repr__(self) -> str:
        lines = [" ".join(part for part in self.headline() if part)]
        width = max((len(d.where) for d in self.hard), default=0)
        for d in self.hard:
            lines.append(f"    {d.where:{width}}    autogradlab  {d.ours}")
            lines.append(f"    {'':{width}}    PyTorch      {d.theirs}")
            lines += [f"    {'':{width}}    {d.size}"] * bool(d.size)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        sign, verdict, rest = self.headline()
        mark = {"✓": "#009E73", "✗": "#CC79A7"}.get(sign, "#848C95")
        # translucent tints and inherited ink read well on a light and on a dark page
        style = f"border-left:4px solid {mark};background:{mark}22;padding:6px 12px"
        words = f"<b>{escape(verdict)}</b> {escape(rest)}" if rest else escape(verdict)
        table = self.table() if self.hard else ""
        return f"<div style='{style}'><span aria-hidden='true'>{sign}</span> {words}{table}</div>"

    def table(self) -> str:
        """Both sides of every difference, as HTML."""
        pad = "padding:2px 20px 2px 0;text-align:left"

        def pill(where: str, text: str) -> str:
            grad = where.endswith(".grad")  # a gradient is wide and round, a value thin and square
            look = ("10px", "2px solid #D55E00") if grad else ("0", "1px solid #848C95")
            style = f"border-radius:{look[0]};border:{look[1]};padding:0 8px"
            return f"<code style='{style}'>{escape(text)}</code>"

        heads = ("", "autogradlab", "PyTorch", "")
        rows = [f"<th style='{pad};font-weight:normal'>{head}</th>" for head in heads]
        for d in self.hard:
            cells = (f"<code>{escape(d.where)}</code>", pill(d.where, d.ours),
                     pill(d.where, d.theirs), escape(d.size))  # fmt: skip
            rows.append("</tr><tr>" + "".join(f"<td style='{pad}'>{c}</td>" for c in cells))
        return f"<table style='margin:4px 0 0 26px'><tr>{''.join(rows)}</tr></table>"


# ------------------------------------------------------------------------------------ comparison


class Comparison:
    """Compares things of the two engines and fills a report."""

    def __init__(self, report: Report, torch: Any, second_order: bool = False) -> None:
        self.report, self.torch, self.second_order = report, torch, second_order
        self.compared = 0  # numbers, texts, tensors: what a ✓ may rest on
        self.seen: dict[tuple[int, int], tuple[Any, Any]] = {}
        self.pairs: dict[Any, Any] = {}  # our graph node → theirs, over the graphs of all names
        self.taken: set[Any] = set()  # their nodes in it

    def differ(self, where: str, what: str, ours: Any, theirs: Any, wording: bool = False) -> None:
        texts = [re.sub(r"\s+", " ", str(x))[:400] for x in (ours, theirs)]
        if texts[0] == texts[1]:
            texts = [repr(x)[:400] for x in (ours, theirs)]
        self.report.differences.append(Difference(where, what, *texts, wording))

    def name(self, name: str, ours: Any, theirs: Any) -> None:
        """Compare what a name holds; it is "same" if there was something to compare in it."""
        compared, before = self.compared, len(self.report.differences)
        self.value(name, ours, theirs)
        new = self.report.differences[before:]
        if self.compared > compared and all(d.where.endswith(".grad") for d in new):
            self.report.same.append(name)

    def value(self, where: str, ours: Any, theirs: Any) -> None:
        names = type(ours).__name__, type(theirs).__name__
        if isinstance(ours, Tensor) or self.torch.is_tensor(theirs):
            self.tensor(where, ours, theirs)
        elif isinstance(ours, list | tuple | deque) and isinstance(theirs, list | tuple | deque):
            if self.sizes(where, ours, theirs):
                for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                    self.value(f"{where}[{i}]", a, b)
        elif isinstance(ours, dict) and isinstance(theirs, dict):
            if any(isinstance(key, Tensor) for key in ours):  # two lists, of keys and of values
                self.value(where, *([*x, *x.values()] for x in (ours, theirs)))
            elif list(map(words, ours)) != list(map(words, theirs)):
                self.differ(where, "has other keys", list(ours), list(theirs))
            elif self.sizes(where, ours, theirs):
                for key, a, b in zip(ours, ours.values(), theirs.values(), strict=True):
                    self.value(f"{where}[{key!r}]", a, b)
        elif isinstance(ours, set | frozenset) and isinstance(theirs, set | frozenset):
            self.text(where, *(", ".join(sorted(map(words, x))) for x in (ours, theirs)))
        elif isinstance(ours, np.ndarray | np.generic | float) and isinstance(
            theirs, np.ndarray | np.generic | float
        ):
            self.arrays(where, ours, theirs)
        elif hasattr(ours, "next_functions") and hasattr(theirs, "next_functions"):
            self.graph(where, ours, theirs)
        elif isinstance(ours, Generator) and isinstance(theirs, self.torch.Generator):
            if ours is not autogradlab.default_generator:  # theirs starts over after each cell
                self.arrays(where, ours.get_state().numpy(), theirs.get_state().numpy())
        elif isinstance(ours, PLAIN) or isinstance(theirs, PLAIN):
            self.text(where, words(ours), words(theirs))
        elif is_object(ours) and is_object(theirs) and names[0] == names[1]:
            if self.first_time(ours, theirs):
                self.attributes(where, ours, theirs)
        elif any(is_object(x) or isinstance(x, HOLDERS) for x in (ours, theirs)):
            self.differ(where, "is of another class", *names)

    def attributes(self, where: str, ours: Any, theirs: Any) -> None:
        """Two objects of one class, by what they hold."""
        sides = contents(ours), contents(theirs)
        if is_optimizer(ours):
            sides = self.options(where, *sides)
        for key in sorted(sides[0].keys() | sides[1].keys()):
            self.value(f"{where}.{key}", *(side.get(key) for side in sides))

    def options(self, where: str, *sides: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """What two optimizers hold, without options that one release of PyTorch has and another
        lacks: these count as wording."""
        ours, theirs = (list(side["defaults"]) for side in sides)
        other = {*ours} ^ {*theirs}
        if not other:
            return sides
        self.differ(where, "has other options", ours, theirs, wording=True)

        def shared(options: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in options.items() if name not in other}

        return tuple(
            side
            | {"defaults": shared(side["defaults"])}
            | {"param_groups": list(map(shared, side["param_groups"]))}
            for side in sides
        )

    def first_time(self, ours: Any, theirs: Any) -> bool:
        """Whether these two have not been compared; what holds itself is so compared once."""
        key = id(ours), id(theirs)
        if key in self.seen:
            self.compared += 1
            return False
        self.seen[key] = ours, theirs  # kept: an id is only unique while its object lives
        return True

    def sizes(self, where: str, ours: Any, theirs: Any) -> bool:
        if len(ours) != len(theirs):
            self.differ(where, "has another length", ours, theirs)
        self.compared += not ours
        return len(ours) == len(theirs) and self.first_time(ours, theirs)

    def tensor(self, where: str, ours: Any, theirs: Any) -> None:
        if not (isinstance(ours, Tensor) and self.torch.is_tensor(theirs)):
            self.differ(where, "is a tensor on one side only", ours, theirs)
        elif self.first_time(ours, theirs):
            for flag in ("dtype", "shape", "requires_grad", "is_leaf"):
                a, b = repr(asked(ours, flag)), repr(asked(theirs, flag))
                if a != b:
                    self.differ(where, f"has another {flag}", a, b)
            a, b = ours.detach().numpy(), theirs.detach().cpu().numpy()
            if (a.dtype, a.shape) == (b.dtype, b.shape):
                self.arrays(where, a, b)
            a, b = asked(ours, "grad_fn"), asked(theirs, "grad_fn")
            if hasattr(a, "next_functions") and hasattr(b, "next_functions"):
                self.graph(f"{where}.grad_fn", a, b)
            a, b = grad_of(ours), grad_of(theirs)
            if (a is None) != (b is None):
                self.differ(f"{where}.grad", "is None on one side only", a, b)
            elif a is not None:
                self.report.gradients += 1
                self.arrays(f"{where}.grad", a.detach().numpy(), b.detach().cpu().numpy())

    def arrays(self, where: str, ours: Any, theirs: Any) -> None:
        a, b = np.asarray(ours), np.asarray(theirs)
        self.compared += 1
        if type(ours) is not type(theirs) or (a.dtype, a.shape) != (b.dtype, b.shape):
            self.differ(where, "has another type or shape", repr(ours), repr(theirs))
            return
        name = "float32" if isinstance(ours, float) else str(a.dtype)  # it may be a loss.item()

        def near(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            if name not in TOLERANCE:
                return x == y
            rtol, atol = TOLERANCE[name]
            return np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=True)

        # In pieces: isclose needs three times the memory of its arguments.
        if not all(np.all(near(x, y)) for x, y in pieces(a, b)):
            what, size = gap(a, b, near(a, b))
            texts = (short(a), short(b))
            self.report.differences.append(Difference(where, what, *texts, size=size))

    def graph(self, where: str, ours: Any, theirs: Any) -> None:
        """Both graphs node by node: names, edges, constants, and which nodes are shared."""
        stack, found = [(ours, theirs)], 0
        while stack:
            a, b = stack.pop()
            if a in self.pairs or b in self.taken:
                if self.pairs.get(a) is not b:
                    return self.other_graph(where, "shares other nodes", a, b)
                continue
            self.pairs[a] = b
            self.taken.add(b)
            found += 1
            edges = [[(n and n.name(), k) for n, k in node.next_functions] for node in (a, b)]
            if a.name() != b.name() or edges[0] != edges[1]:
                return self.other_graph(where, "is another graph", a, b)
            below = zip(a.next_functions, b.next_functions, strict=True)
            stack += [(x, y) for (x, _), (y, _) in below if x is not None]
        self.compared += 1
        self.report.nodes += found

    def other_graph(self, where: str, what: str, ours: Any, theirs: Any) -> None:
        if not self.second_order:  # a graph that backward built may be put together otherwise
            texts = (
                f"{node.name()}({', '.join(n.name() if n else 'None' for n, _ in to)})"
                for node, to in ((ours, ours.next_functions), (theirs, theirs.next_functions))
            )
            self.differ(where, what, *texts, True)

    def text(self, where: str, ours: str, theirs: str) -> bool:
        """Text, in which numbers may differ in their last digits. Whether there was any."""
        if ours or theirs:
            self.compared += 1
        numbers = similar(words(ours), words(theirs))
        if numbers is not True:
            pairs = zip(ours.splitlines(), theirs.splitlines(), strict=False)
            first = next((p for p in pairs if similar(*p) is not True), (ours, theirs))
            self.differ(where, "differs", *first, wording=numbers is None)
        return bool(ours.strip()) and numbers is True


def grad_of(x: Any) -> Any:
    with warnings.catch_warnings():  # asking a non-leaf for .grad warns
        warnings.simplefilter("ignore")
        return x.grad


def asked(x: Any, name: str) -> Any:
    """An attribute of a tensor, or the words with which it is refused: a view that was written in
    a forbidden way does not say what made it."""
    try:
        return getattr(x, name)
    except RuntimeError as error:
        return plain(error)


def is_object(x: Any) -> bool:
    """Whether this is an object of a class the notebook defined, or of one both engines have."""
    notebooks = type(x).__module__ == "__main__" and hasattr(x, "__dict__")
    return (notebooks and not isinstance(x, PLAIN)) or isinstance(x, kinds(*BOTH))


# What both engines make alike: their objects have attributes of the same names.
BOTH = {
    "nn.Module": nn.Module,
    "optim.Optimizer": optim.Optimizer,
    "optim.lr_scheduler.LRScheduler": optim.lr_scheduler.LRScheduler,
    "utils.data.Dataset": data.Dataset,
    "utils.data.Sampler": data.Sampler,
    "utils.data.DataLoader": data.DataLoader,
}
LOADER = (
    "dataset batch_size drop_last num_workers pin_memory generator sampler batch_sampler collate_fn"
)


def kinds(*names: str) -> tuple[type, ...]:
    """The classes of these names, of each engine there is."""
    return classes(names, sys.modules.get("torch"))


@functools.cache
def classes(names: tuple[str, ...], torch: Any) -> tuple[type, ...]:
    theirs = (operator.attrgetter(name)(torch) for name in names if torch is not None)
    return *(BOTH[name] for name in names), *theirs


def is_network(x: Any) -> bool:
    """Whether this is an `nn.Module` of either engine."""
    return isinstance(x, kinds("nn.Module"))


def is_optimizer(x: Any) -> bool:
    return isinstance(x, kinds("optim.Optimizer"))


def is_loader(x: Any) -> bool:
    return isinstance(x, kinds("utils.data.DataLoader"))


def contents(x: Any) -> dict[str, Any]:
    """The attributes of an object, without those that are each engine's own affair."""
    inside = vars(x)
    if is_network(x):
        return {k: v for k, v in inside.items() if not re.fullmatch(r"_\w*hook\w*|_size", k)}
    if is_loader(x):
        return {name: inside[name] for name in LOADER.split()}
    if is_optimizer(x):  # its state is kept by parameter; `step` may be a schedule's wrapper
        inside = {k: v for k, v in inside.items() if k[0] != "_" and k != "step"}
        params = [p for group in x.param_groups for p in group["params"]]
        return inside | {"state": [x.state.get(p, {}) for p in params]}
    return inside


def is_engines(x: Any) -> bool:
    """Whether this lives in one engine only, a graph node or a hook's handle: it has no copy."""
    return hasattr(x, "next_functions") or owned(type(x).__module__)


def hooks_on(x: Any) -> list[int]:
    """How many hooks a leaf or a network has, of each kind."""
    if is_network(x):
        kinds = "forward", "forward_pre", "backward", "backward_pre"
        return [len(vars(x)[f"_{kind}_hooks"]) for kind in kinds]
    if isinstance(x, Tensor):
        return [len(x.extras.tensor), len(x.extras.accumulated)] if x.extras else [0, 0]
    return [len(x._backward_hooks or ()), len(x._post_accumulate_grad_hooks or ())]


def is_torchs(x: Any) -> bool:
    """Whether this is a tensor of the real PyTorch."""
    return "torch" in sys.modules and sys.modules["torch"].is_tensor(x)


def words(x: Any) -> str:
    """The text of something without what differs from run to run or names the engine."""
    text = x if isinstance(x, str) else repr(x)
    return re.sub(r"\b0x[0-9a-f]+", "0x…", text).replace("autogradlab", "torch")


def short(a: np.ndarray) -> str:
    text = np.array2string(a, threshold=8, edgeitems=2, precision=6, separator=", ")
    return re.sub(r"\[ +", "[", re.sub(r"\s+", " ", text))


def gap(a: np.ndarray, b: np.ndarray, close: np.ndarray) -> tuple[str, str]:
    """How two arrays differ, in words, and by how much."""
    if a.dtype.kind not in "fiu":
        return "has another value", ""
    with np.errstate(all="ignore"):
        distance = np.abs(a.astype(float) - b)
        ratios = np.unique(np.round(a[b != 0] / b[b != 0], 6))
    worst = np.unravel_index(np.argmax(np.where(close, -1, distance)), a.shape)
    where = f" at element {', '.join(map(str, worst))}" if a.ndim else ""
    size = f"largest difference {distance[worst]:.6g}{where}"
    one = len(ratios) == 1 and np.isfinite(ratios[0]) and not a[b == 0].any()
    if one and a.size > 1:
        size += f", every element × {ratios[0]:.6g}"
    known = {0.5: "is half of PyTorch’s", 2.0: "is twice PyTorch’s", -1.0: "has the other sign"}
    return known.get(ratios[0] if one else None, "has another value"), size


# The 0 of MulBackward0 is part of a name.
NUMBER = re.compile(r"(?<!Backward)[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")


def similar(a: str, b: str) -> bool | None:
    """True: the same text but for last digits. False: other numbers in it. None: other words."""
    if a == b:
        return True
    if NUMBER.sub("#", a).split() != NUMBER.sub("#", b).split():
        return None
    numbers = list(zip(NUMBER.findall(a), NUMBER.findall(b), strict=True))
    if all(x == y for x, y in numbers):
        return None  # the spaces differ, and no number is the reason
    return all(x == y or last_digit(x, y) for x, y in numbers)


def last_digit(x: str, y: str) -> bool:
    """Whether two numbers written with four decimals or more differ by rounding alone."""
    decimals, exponent = (re.search(p, y) for p in (r"\.(\d{4,})", r"e([-+]?\d+)"))
    unit = 10.0 ** (int(exponent[1] if exponent else 0) - len(decimals[1])) if decimals else 0
    return "." in x and bool(np.isclose(float(x), float(y), rtol=1e-5, atol=1.01 * unit))


# ------------------------------------------------------------------------------------- mirroring


class CannotMirror(Exception):
    """Something that has no twin; the message says why."""


def mark(x: Any) -> Any:
    """Changes when the numbers of a tensor or an array change, or what made it."""
    if isinstance(x, Tensor) or is_torchs(x):
        array, node = x.detach().numpy(), asked(x, "grad_fn")
        name = node.name() if hasattr(node, "next_functions") else node
        return name, x.requires_grad, array.shape, hash(array.tobytes())
    return hash(x.tobytes()) if isinstance(x, np.ndarray) and not x.dtype.hasobject else None


def parts(x: Any) -> Iterable[Any]:
    """What an object holds."""
    if isinstance(x, dict):
        return [*x, *x.values()]
    if isinstance(x, list | tuple | set | frozenset | deque):
        return x
    if isinstance(x, Tensor) or is_torchs(x):
        return [grad_of(x)]
    return [type(x), *vars(x).values()] if is_object(x) else []


def fingerprint(x: Any) -> list[Any]:
    """Changes when the object, or a tensor or number inside it, changes."""
    found, seen, todo = [], set(), [x]
    while todo:
        x = todo.pop()
        state = repr(x) if isinstance(x, PLAIN) else mark(x) or id(x)
        found.append((type(x), state))
        if id(x) not in seen:
            seen.add(id(x))
            todo += parts(x)
    return found


Pairs = dict[int, tuple[Any, Any, Any]]  # id of ours → ours, its twin, ours's mark at that time


class Mirror:
    """Makes and updates the twins of the notebook's objects, each once."""

    def __init__(self, pairs: Pairs, shadow: dict[str, Any], space: dict[str, Any], torch: Any):
        self.pairs, self.shadow, self.space, self.torch = pairs, shadow, space, torch
        self.done: dict[int, tuple[Any, Any]] = {}  # keeps ours alive: ids stay unique

    def __call__(self, x: Any) -> Any:
        if id(x) not in self.done:
            _, twin, then = self.pairs.get(id(x), (None, None, None))
            self.remember(x, self.make(x) if twin is None else self.update(x, twin, then))
        return self.done[id(x)][1]

    def remember(self, x: Any, twin: Any) -> Any:
        self.done[id(x)] = x, twin
        return twin

    def update(self, x: Any, twin: Any, then: Any) -> Any:
        """Bring a twin up to date in place, so that whatever holds it sees the change."""
        if isinstance(x, Tensor):
            return self.tensor(x, twin, then)
        if isinstance(x, np.ndarray):
            if mark(x) == then:
                return twin
            return self.make(x)
        if type(x) in (list, dict, set) or is_object(x):
            self.remember(x, twin)
            return self.fill(x, twin)
        if isinstance(x, Generator):
            twin.set_state(self.torch.from_numpy(x.get_state().numpy()))
            return twin
        if isinstance(x, CALLABLE) or is_engines(x):
            return twin
        new = self.make(x)
        same = isinstance(x, tuple) and all(a is b for a, b in zip(new, twin, strict=True))
        return twin if same else new

    def fill(self, x: Any, twin: Any) -> Any:
        """Give an empty or outdated twin what ours holds."""
        if is_object(x):
            held = {name: self(v) for name, v in contents(x).items()}
            if is_optimizer(x):
                held["state"] = self.state(x)
                if hasattr(x.step, "_wrapped_by_lr_sched"):
                    notice_steps(twin)
                    twin._opt_called = getattr(x, "_opt_called", False)
            elif not is_loader(x):
                for name in contents(twin).copy():
                    del vars(twin)[name]
            vars(twin).update(held)
            if is_network(x):
                self.check_hooks(x, twin)
            return twin
        held = {self(k): self(v) for k, v in x.items()} if isinstance(x, dict) else map(self, x)
        held = held if isinstance(held, dict) else list(held)
        twin.clear()
        (twin.extend if isinstance(twin, list) else twin.update)(held)
        return twin

    def state(self, x: optim.Optimizer) -> defaultdict[Any, dict[str, Any]]:
        """What an optimizer remembers of each parameter, by the parameter's twin."""
        return defaultdict(dict, {self(p): self(held) for p, held in x.state.items()})

    def make(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return self.tensor(x, None, None)
        if isinstance(x, Size):
            return self.torch.Size(x)
        if type(x) in (list, dict, set):
            return self.fill(x, self.remember(x, type(x)()))
        if type(x) in (tuple, frozenset):
            return type(x)(self(y) for y in x)
        if isinstance(x, np.ndarray) and not x.dtype.hasobject:
            return self.array(x)
        if isinstance(x, dtype):
            return getattr(self.torch, x.name)
        if isinstance(x, device):
            return self.torch.device(str(x))
        if isinstance(x, Generator):
            out = self.torch.Generator()
            return out.set_state(self.torch.from_numpy(x.get_state().numpy()))
        if isinstance(x, types.ModuleType):
            return self.module(x)
        if isinstance(x, PLAIN):
            return x
        if isinstance(x, types.GeneratorType):
            raise CannotMirror("a generator")
        owner = getattr(x, "__self__", None)  # of a bound method
        if hasattr(x, "__qualname__") and (owner is None or isinstance(owner, types.ModuleType)):
            return self.callable(x)
        if self.torch.is_tensor(x):
            raise CannotMirror("a PyTorch tensor made outside a twin cell")
        if is_object(x):
            twin = self.remember(x, object.__new__(self(type(x))))
            if is_network(x):
                self.torch.nn.Module.__init__(twin)
            elif is_optimizer(x):  # hooks and the like, as for an unpickled one
                twin.__setstate__({"defaults": {}, "param_groups": [], "state": {}})
            elif is_loader(x):
                self.torch.utils.data.DataLoader.__init__(twin, self(x.dataset), batch_size=None)
            return self.fill(x, twin)
        if is_engines(x):
            raise CannotMirror(f"a {type(x).__name__} made outside a twin cell")
        return self.other(x)

    def array(self, x: np.ndarray) -> np.ndarray:
        """A copy; of a view, the same view of its base's copy, so that memory stays shared."""
        base = x
        while isinstance(base.base, np.ndarray):
            base = base.base
        if base is x or not base.flags.c_contiguous or type(base) is not np.ndarray:
            return x.copy()
        offset = x.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        return np.ndarray(x.shape, x.dtype, self(base), offset, x.strides)

    def tensor(self, x: Tensor, twin: Any, then: Any) -> Any:
        if twin is None or mark(x) != then:
            if x.grad_fn is not None:
                raise CannotMirror("its graph was built outside a twin cell")
            data = x.detach().numpy()
            shared = isinstance(data, np.ndarray) and data.flags.writeable and min(
                data.strides, default=0) >= 0  # torch has no negative strides  # fmt: skip
            new = self.torch.from_numpy(self(data) if shared else np.array(data))
            usable = twin is not None and twin.is_leaf  # not so if a cell ended halfway
            if not usable or twin.shape != new.shape or twin.dtype != new.dtype:
                twin = self.torch.nn.Parameter(new) if isinstance(x, nn.Parameter) else new
            else:
                with self.torch.no_grad():
                    twin.copy_(new)
            twin.requires_grad_(x.requires_grad)
        if x.grad_fn is None:
            self.check_hooks(x, twin)
        grad = grad_of(x)
        their_grad = None if grad is None else self(grad)
        if grad_of(twin) is not their_grad:
            twin.grad = their_grad
        return twin

    def check_hooks(self, x: Any, twin: Any) -> None:
        """A hook has no twin, unless a twin cell registered it."""
        if hooks_on(x) != hooks_on(twin):
            raise CannotMirror("its hooks changed outside a twin cell")

    def module(self, x: types.ModuleType) -> types.ModuleType:
        first, _, rest = x.__name__.partition(".")
        if first != "autogradlab":
            return x
        try:
            return importlib.import_module(f"torch.{rest}" if rest else "torch")
        except ModuleNotFoundError:
            return x  # pictures and lessons take either engine

    def callable(self, x: Any) -> Any:
        """Ours becomes theirs of the same name; the notebook's is made anew; others stay."""
        if (getattr(x, "__module__", None) or "").partition(".")[0] == "autogradlab":
            for name, ours in list(sys.modules.items()):
                if name.partition(".")[0] == "autogradlab" and vars(ours).get(x.__name__) is x:
                    theirs = getattr(self.module(ours), x.__name__, x)
                    if theirs is not x:
                        return theirs
        if isinstance(x, types.FunctionType):
            if x.__globals__ is self.space:
                return self.function(x)
            if x.__closure__ and owned(x.__globals__["__name__"]):
                return self.wrapper(x)
        return self.klass(x) if isinstance(x, type) and x.__module__ == "__main__" else x

    def function(self, f: types.FunctionType) -> types.FunctionType:
        cells = tuple(types.CellType() for _ in f.__closure__ or ())
        out = types.FunctionType(f.__code__, self.shadow, f.__name__, None, cells)
        self.remember(f, out)
        out.__defaults__, out.__kwdefaults__ = self(f.__defaults__), self(f.__kwdefaults__)
        out.__dict__.update(self(f.__dict__))
        for cell, ours in zip(cells, f.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # a cell nobody has filled yet
                cell.cell_contents = self(ours.cell_contents)
        return out

    def wrapper(self, f: types.FunctionType) -> Any:
        """What our engine has made of a function, `@torch.no_grad()` for one."""
        held = inspect.getclosurevars(f).nonlocals
        mode = type(held.get("self"))
        if mode in (no_grad, enable_grad):
            return getattr(self.torch, mode.__name__)()(self(held["function"]))
        if f.__globals__["__name__"].startswith(("autogradlab.func", "autogradlab.autograd")):
            raise CannotMirror("a function that autogradlab made outside a twin cell")
        return f

    def klass(self, k: type) -> type:
        """A class of the same name and bases, whose members see the shadow namespace."""
        skip = ("__dict__", "__weakref__", *(s for s in getattr(k, "__slots__", ())))
        body = {n: v for n, v in vars(k).items() if n not in skip}
        plain = {n: v for n, v in body.items() if n in ("__slots__", "__module__", "__qualname__")}
        out = self.remember(k, type(k)(k.__name__, tuple(map(self, k.__bases__)), plain))
        for name in body.keys() - plain.keys():
            setattr(out, name, self.member(body[name]))
        return out

    def member(self, v: Any) -> Any:
        if isinstance(v, staticmethod | classmethod):
            return type(v)(self(v.__func__))
        if isinstance(v, property):
            return property(*(f and self(f) for f in (v.fget, v.fset, v.fdel)))
        return self(v)

    def other(self, x: Any) -> Any:
        """Plain data of the standard library and NumPy: copied, with their parts mirrored."""
        known = {"numpy", "__main__", *sys.stdlib_module_names} - {"io", "_io"}
        if type(x).__module__.partition(".")[0] not in known:
            raise CannotMirror(f"a {type(x).__name__}")
        try:
            how = x.__reduce_ex__(4)
        except TypeError:
            raise CannotMirror(f"a {type(x).__name__}") from None
        if isinstance(how, str):
            return x
        make, arguments, state, items, pairs = (*how, None, None, None)[:5]
        out = self.remember(x, self(make)(*map(self, arguments)))
        for item in items or ():
            out.append(self(item))
        for key, value in pairs or ():
            out[self(key)] = self(value)
        if state is not None and hasattr(out, "__setstate__"):
            out.__setstate__(self(state))
        elif state is not None:
            inside, slots = state if isinstance(state, tuple) else (state, None)
            for name, value in {**(inside or {}), **(slots or {})}.items():
                object.__setattr__(out, name, self(value))
        return out


# --------------------------------------------------------------------------------------- running


class Imports(ast.NodeTransformer):
    """Turns every import of torch (or of autogradlab) into the engine of one side."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def resolve(self, name: str) -> str:
        first, dot, rest = name.partition(".")
        ours = first == "torchvision" and self.engine == "autogradlab"
        return self.engine + dot + rest if first in ("torch", "autogradlab") or ours else name

    def visit_Import(self, node: ast.Import) -> Any:
        out: list[ast.alias] = []
        for alias in node.names:
            name, first = self.resolve(alias.name), alias.name.partition(".")[0]
            if name == alias.name or alias.asname:
                out.append(ast.alias(name, alias.asname))
            else:  # `import torch.nn` loads torch.nn and binds torch
                out += [ast.alias(name, first), ast.alias(self.engine, first)]
        return ast.Import(out)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        if node.module and not node.level:
            node.module = self.resolve(node.module)
        return node


class Tee(io.StringIO):
    """Keeps what is printed, and passes it on."""

    def __init__(self, onward: Any) -> None:
        super().__init__()
        self.onward = onward

    def write(self, text: str) -> int:
        self.onward.write(text)
        return super().write(text)

    def flush(self) -> None:
        self.onward.flush()


@dataclass
class Side:
    """What one side did: its last value, printed text, warnings, error."""

    value: Any = None
    printed: str = ""
    warned: list[str] = field(default_factory=list)
    error: Exception | None = None

    def error_text(self) -> str:
        return f"{type(self.error).__name__}: {plain(self.error)}" if self.error else "no error"


def plain(message: Any) -> str:
    return re.sub(r"\s*\(Triggered internally at .*?\)", "", str(message), flags=re.S).strip()


def same_type(ours: BaseException | None, theirs: BaseException | None) -> bool:
    """Whether two errors are of one class, or of the same class of either engine."""
    a, b = type(ours), type(theirs)
    package, _, rest = a.__module__.partition(".")
    return a is b or (package == "autogradlab" and (f"torch.{rest}", a.__name__) == (
        b.__module__, b.__name__
    ))


def own_frames(warning: str) -> str:
    """A warning without the stack frames of this package, which a traceback in it may have."""
    here = re.escape(str(Path(__file__).parent))
    return re.sub(rf'  File "{here}.*\n(?:    .*\n)*', "", warning)


def run(source: str, engine: str, space: dict[str, Any], filename: str, out: Any) -> Side:
    """Run a cell on one side; an error is kept, not raised."""
    side, tee = Side(), Tee(out)
    tree = Imports(engine).visit(ast.parse(source, filename))
    tree = ast.fix_missing_locations(tree)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(tee):
        warnings.simplefilter("always")
        try:
            exec(compile(tree, filename, "exec", dont_inherit=True), space)
            if last is not None:
                code = compile(ast.Expression(last.value), filename, "eval", dont_inherit=True)
                side.value = eval(code, space)
        except Exception as error:
            # from the learner's own frame on; what is left out is this function
            side.error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    shown = [w for w in caught if not issubclass(w.category, QUIET)]
    side.warned = list(dict.fromkeys(f"{w.category.__name__}: {plain(w.message)}" for w in shown))
    side.printed = tee.getvalue()
    return side


@contextlib.contextmanager
def silently() -> Iterator[None]:
    """Nothing the second run shows reaches the notebook."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        if "IPython" in sys.modules:
            from IPython import get_ipython
            from IPython.core.displaypub import DisplayPublisher
            from IPython.utils.capture import capture_output

            shell = get_ipython()
            # a terminal's display() prints, and what is printed is compared; a kernel's publishes
            if shell is not None and type(shell.display_pub) is not DisplayPublisher:
                stack.enter_context(capture_output(stdout=False, stderr=False))
        yield


def names_read(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*(names_read(c) for c in inner))


def enclosed(x: Any) -> list[Any]:
    """What a function holds of the scopes around it, so far."""
    cells = getattr(x, "__closure__", None) if isinstance(x, types.FunctionType) else None
    found = []
    for cell in cells or ():
        with contextlib.suppress(ValueError):  # a cell nobody has filled yet
            found.append(cell.cell_contents)
    return found


def bound_names(source: str) -> list[str]:
    """The names a cell binds in the notebook, in their order in the cell."""
    symbols = symtable.symtable(source, "<twin>", "exec").get_symbols()
    return [s.get_name() for s in symbols if s.is_assigned() or s.is_imported()]


def lacking(error: Exception, torch: Any) -> str:
    """The name our engine has not, "torch.fft", if that is what the error is about."""
    if isinstance(error, AttributeError):
        if isinstance(error.obj, Tensor):
            return f"torch.Tensor.{error.name}"
        name = getattr(error.obj, "__name__", "")
        return f"{name.replace('autogradlab', 'torch', 1)}.{error.name}" if owned(name) else ""
    if isinstance(error, ImportError) and owned(error.name or ""):
        attribute = re.match(r"cannot import name '(\w+)'", str(error))
        name = (error.name or "").replace("autogradlab", "torch", 1)
        return f"{name}.{attribute[1]}" if attribute else name
    return ""


def owned(module: str) -> bool:
    return module.partition(".")[0] == "autogradlab"


class Twin:
    """The shadow namespace beside one notebook, and which objects of the two belong together."""

    def __init__(self, space: dict[str, Any], torch: Any = None) -> None:
        self.space, self.torch = space, torch
        self.shadow: dict[str, Any] = {"__builtins__": builtins, "__name__": "__main__"}
        self.pairs: Pairs = {}
        self.second_order = False  # a cell has asked for the graph of a backward pass

    def cell(
        self,
        source: str,
        raises: str = "",
        filename: str = "<twin>",
        show: Callable[[Any], None] = lambda value: None,
    ) -> Report:
        """Run a cell on both sides. An error nobody announced is in the report's `error`."""
        report, bound = Report(), bound_names(source)
        self.second_order |= "create_graph" in source
        read = self.closure_of(names_read(compile(source, filename, "exec", dont_inherit=True)))
        missing = self.bring_in_step(read) if self.torch else {}
        before, known = self.state(), set(self.space)
        with self.one_start() as start_again:
            with self.our_torch(keep="torch" in bound):
                ours = run(source, "autogradlab", self.space, filename, sys.stdout)
            for text in ours.warned:
                print(text)
            announced = type(ours.error).__name__ == raises
            if announced:
                print(ours.error_text())
            elif ours.error is None:
                show(ours.value)
            report.error = None if announced else ours.error
            if self.torch is None:
                report.note = "PyTorch is not installed: this cell ran on autogradlab alone"
                return report
            with start_again(), silently():
                theirs = run(source, "torch", self.shadow, filename, io.StringIO())
        after = self.state()
        changed = {n for n in after if before.get(n) not in (None, after[n])}
        changed |= self.space.keys() - known
        names = [n for n in bound if n in self.space or n in self.shadow]
        names += sorted(changed.difference(bound), key=source.find)
        name = getattr(theirs.error, "name", None)
        if isinstance(theirs.error, NameError) and name in missing:
            report.note = f"not checked against PyTorch: {name} ({missing[name]})"
        elif isinstance(theirs.error, ModuleNotFoundError) and ours.error is None:
            package = name.partition(".")[0]
            report.note = f"not checked against PyTorch: {package} is not installed"
        elif report.error is not None:
            self.judge_error(report, ours, theirs)
        else:
            self.compare(report, ours, theirs, raises, names)
        self.pair_up(trusted=not (report.note or report.error))
        return report

    def state(self) -> dict[str, Any]:
        """What the names both sides know hold: changes when either side changes it."""
        both = self.space.keys() & self.shadow.keys()
        return {n: (fingerprint(self.space[n]), fingerprint(self.shadow[n])) for n in both}

    def judge_error(self, report: Report, ours: Side, theirs: Side) -> None:
        """Nobody announced this error. Is it the cell's own, or ours alone?"""
        error, lack = ours.error, lacking(ours.error, self.torch)
        if type(error) is type(theirs.error):
            if lack:  # a typo: in the words of PyTorch
                error.args = theirs.error.args
        elif lack:
            error.args = (f"autogradlab has no {lack}",)
            error.msg = error.args[0]  # what an ImportError prints
        else:
            check = Comparison(report, self.torch)
            check.differ("the error", "differs", ours.error_text(), theirs.error_text())

    def compare(
        self, report: Report, ours: Side, theirs: Side, raises: str, names: list[str]
    ) -> None:
        report.exact = self.torch.__version__.split(".")[:2] == PINNED
        check = Comparison(report, self.torch, self.second_order)
        texts = ours.error_text(), theirs.error_text()
        if raises and ours.error is None:
            check.differ("the cell", f"was to raise {raises}", *texts)
        elif not same_type(ours.error, theirs.error):
            check.differ("the error", "differs", *texts)
        elif raises:
            same = check.text("the error", *texts)
            report.texts.append("error text" if same else "error type")
        for name in names:
            if name.startswith("_"):
                continue
            if name in self.space and name in self.shadow:
                check.name(name, self.space[name], self.shadow[name])
            else:
                sides = ("bound" if name in s else "not bound" for s in (self.space, self.shadow))
                check.differ(name, "is bound on one side only", *sides)
        if ours.value is not None or theirs.value is not None:
            compared, found = check.compared, len(report.differences)
            check.value("the value shown", ours.value, theirs.value)
            if check.compared > compared and len(report.differences) == found:
                report.texts.append("value shown")
        if check.text("printed text", ours.printed, theirs.printed):
            report.texts.append("printed text")
        if check.text("warning", *("\n".join(map(own_frames, s.warned)) for s in (ours, theirs))):
            report.texts.append("warning")

    def closure_of(self, names: set[str]) -> set[str]:
        """The names, and those that the notebook's functions and classes among them read."""
        found: set[str] = set()
        todo: list[Any] = list(names)
        seen: set[int] = set()
        while todo:
            x = todo.pop()
            if isinstance(x, str):
                if x in self.space and x not in found:
                    found.add(x)
                    todo.append((self.space[x],))
                continue
            (x,) = x
            if id(x) in seen:
                continue
            seen.add(id(x))
            if isinstance(x, types.FunctionType) and x.__globals__ is self.space:
                todo += names_read(x.__code__)
            todo += [(y,) for y in enclosed(x)]
            inside = vars(x).values() if isinstance(x, type) and is_notebooks(x) else parts(x)
            todo += [(y,) for y in inside]
        return found

    def bring_in_step(self, names: set[str]) -> dict[str, str]:
        """Mirror what the cell reads; what cannot be, and why."""
        mirror, missing = Mirror(self.pairs, self.shadow, self.space, self.torch), {}
        for name in self.shadow.keys() - self.space.keys() - HIDDEN:
            del self.shadow[name]
        for name in sorted((names | self.shadow.keys()) & self.space.keys() - HIDDEN):
            try:
                self.shadow[name] = mirror(self.space[name])
            except Exception as error:  # a class may do anything when it is made anew
                known = isinstance(error, CannotMirror)
                missing[name] = str(error) if known else f"{type(error).__name__}: {error}"
                self.shadow.pop(name, None)
        self.shadow["torch"] = self.torch
        return missing

    def pair_up(self, trusted: bool) -> None:
        """Note which objects belong together. After a cell that did not end: only what agrees."""
        self.pairs, kept = {}, self.shadow.keys() & self.space.keys()
        todo = [(self.space[n], self.shadow[n]) for n in sorted(kept)]
        while todo:
            ours, theirs = todo.pop()
            twins = isinstance(ours, Tensor) and self.torch.is_tensor(theirs)
            alike = type(ours).__name__ == type(theirs).__name__ and not isinstance(ours, PLAIN)
            if id(ours) in self.pairs or not (twins or alike):
                continue
            then = mark(ours)
            if not trusted and then is not None:
                check = Comparison(Report(), self.torch)
                check.value("", ours, theirs)
                then = None if check.report.differences else then
            self.pairs[id(ours)] = ours, theirs, then
            if twins:
                todo.append((grad_of(ours), grad_of(theirs)))
            elif isinstance(ours, dict):
                todo += [(v, theirs[k]) for k, v in ours.items() if k in theirs]
            elif is_object(ours):
                todo += [(type(ours), type(theirs)), (contents(ours), contents(theirs))]
            elif isinstance(ours, list | tuple | deque):
                todo += zip(ours, theirs, strict=False)

    @contextlib.contextmanager
    def our_torch(self, keep: bool) -> Iterator[None]:
        """While our side runs, the name torch means autogradlab, whatever the notebook calls so."""
        before = self.space.get("torch")
        self.space["torch"] = autogradlab
        try:
            yield
        finally:
            if before is not None and not keep:
                self.space["torch"] = before
            elif not keep:
                self.space.pop("torch", None)

    @contextlib.contextmanager
    def one_start(self) -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
        """What random numbers, dtypes, modes and printing start from is one on both sides."""
        ours = autogradlab.get_rng_state().numpy().copy(), autogradlab.get_default_dtype().name
        modes = autogradlab.is_grad_enabled(), copy.copy(printing.options)
        others = np.random.get_state(), random.getstate()
        errors.warn_once.cache_clear()  # a warning given once is given in every cell

        @contextlib.contextmanager
        def again() -> Iterator[None]:
            torch, after = self.torch, (np.random.get_state(), random.getstate())
            before = torch.get_rng_state(), torch.get_default_dtype(), torch.is_grad_enabled()
            before += asdict(torch._tensor_str.PRINT_OPTS), torch.is_warn_always_enabled()
            state, name = ours
            restart(torch, torch.from_numpy(state), getattr(torch, name), *modes, True)
            set_others(*others)
            try:
                yield
            finally:
                restart(torch, *before)
                set_others(*after)

        yield again


def is_notebooks(k: type) -> bool:
    return k.__module__ == "__main__"


def restart(torch: Any, state: Any, kind: Any, grad: bool, options: Any, warn: bool) -> None:
    torch.set_rng_state(state)
    torch.set_default_dtype(kind)
    torch.set_grad_enabled(grad)
    torch.set_printoptions(**options)
    torch.set_warn_always(warn)


def set_others(numpy_state: Any, python_state: Any) -> None:
    np.random.set_state(numpy_state)
    random.setstate(python_state)


def compare(source: str, namespace: dict[str, Any] | None = None, raises: str = "") -> Report:
    """Run code on both engines and compare, as a `%%twin` cell does.

    Args:
        source: the code; `torch` in it means the engine of each side.
        namespace: what it may read, and where our side's names are bound.
        raises: the name of the error it is to end with.

    >>> compare("a = torch.ones(2, requires_grad=True)")
    ✓ same in PyTorch: a
    """
    space = {"__name__": "__main__"} if namespace is None else namespace
    report = Twin(space, torch_or_none()).cell(source, raises)
    if report.error is not None:
        raise report.error
    return report


def load_ipython_extension(shell: Any) -> None:
    """Register `%%twin` in an IPython shell."""
    from IPython.display import display

    twin = Twin(shell.user_ns)

    def magic(line: str, cell: str) -> None:
        """Run the cell on autogradlab and on PyTorch, and compare."""
        __tracebackhide__ = True
        option = re.fullmatch(r"(?:raises=(\w+))?", line.strip())
        if option is None:
            raise ValueError(f"%%twin takes nothing but raises=ErrorName, not {line.strip()!r}")
        twin.torch = twin.torch or torch_or_none()
        source = "\n" + shell.transform_cell(cell)  # line 1 is the magic's own
        filename = shell.compile.cache(source, shell.execution_count)
        report = twin.cell(source, option[1] or "", filename, sys.displayhook)
        if report.error is None or report.hard:
            display(report)
        if report.error is not None:
            raise report.error

    shell.register_magic_function(magic, "cell", "twin")
