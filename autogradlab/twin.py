"""`%%twin`: a cell runs on autogradlab, again on PyTorch, and what came out is compared.

The cell runs as it stands in the notebook's namespace, where every `import torch` means this
package, then in a shadow namespace where `torch` is the real one. Before that the shadow is brought
in step: names the cell reads are mirrored there unless they already hold the twin of what the
notebook holds, and all random generators start from one state. Afterwards every name the cell bound
or changed, what it printed, its warnings and its error are compared, and one line says the result.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import re
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

import autogradlab

from . import random as our_random
from .tensor import Size, Tensor

PINNED = "2.13"  # the PyTorch whose wording ours follows
TOLERANCE = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
PLAIN = (int, float, complex, str, bytes, type(None), range, slice, type(Ellipsis))


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


@dataclass
class Report:
    """What a twin cell's comparison found; it shows itself as one line, or as two sides."""

    same: list[str] = field(default_factory=list)
    gradients: int = 0
    nodes: set[Any] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    exact: bool = True  # this PyTorch is the one whose wording we follow

    @property
    def agrees(self) -> bool:
        """Something was compared, and nothing differs but, on another PyTorch, words."""
        return bool(self.same or self.texts) and not self.hard

    @property
    def hard(self) -> list[Difference]:
        return [d for d in self.differences if self.exact or not d.wording]

    def facts(self) -> list[str]:
        """What was the same, in the order the line names it."""
        out = [", ".join(self.same)] if self.same else []
        if self.gradients:
            out.append(f"{self.gradients} gradient{'s' * (self.gradients > 1)}")
        if self.nodes:
            out.append(f"graph of {len(self.nodes)} node{'s' * (len(self.nodes) > 1)}")
        return out + self.texts

    def headline(self) -> tuple[str, str, str]:
        """The sign, the verdict, and what it rests on."""
        if self.hard:
            first = self.hard[0]
            same = f" · same: {', '.join(self.same)}" if self.same else ""
            return "✗", "differs from PyTorch:", f"{first.where} {first.what}{same}"
        if not self.agrees:
            return "·", "nothing to compare:", "this cell bound no value and printed nothing"
        if self.differences:
            return "✓", "values and gradients ·", "wording differs in this PyTorch"
        return "✓", "same in PyTorch:", " · ".join(self.facts())

    def __repr__(self) -> str:
        sign, verdict, rest = self.headline()
        lines = [*self.notes]
        if not self.notes or self.hard or self.agrees:
            lines.append(f"{sign} {verdict} {rest}")
        for d in self.hard:
            lines += [
                f"    {d.where}",
                f"        autogradlab  {d.ours}",
                f"        PyTorch      {d.theirs}",
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        sign, verdict, rest = self.headline()
        mark, tint = {"✓": ("#009E73", "#009E7322"), "✗": ("#CC79A7", "#CC79A722")}.get(
            sign, ("#848C95", "#848C9522")
        )
        rows = "".join(
            f"<tr><td><code>{escape(d.where)}</code></td><td><code>{escape(d.ours)}</code></td>"
            f"<td><code>{escape(d.theirs)}</code></td></tr>"
            for d in self.hard
        )
        head = "<tr><th></th><th>autogradlab</th><th>PyTorch</th></tr>"
        table = f"<table>{head}{rows}</table>" if rows else ""
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        line = "" if self.notes and not (self.hard or self.agrees) else (
            f"<span aria-hidden='true'>{sign}</span> <b>{escape(verdict)}</b> {escape(rest)}"
        )  # fmt: skip
        return (
            f"<div style='border-left:4px solid {mark};background:{tint};padding:6px 12px'>"
            f"{notes}{line}{table}</div>"
        )


# ------------------------------------------------------------------------------------ comparison


class Comparison:
    """Compares things of the two engines and fills a report."""

    def __init__(self, report: Report, torch: Any) -> None:
        self.report, self.torch = report, torch

    def differ(self, where: str, what: str, ours: Any, theirs: Any, wording: bool = False) -> bool:
        texts = (re.sub(r"\s+", " ", str(x))[:400] for x in (ours, theirs))
        self.report.differences.append(Difference(where, what, *texts, wording))
        return False

    def name(self, name: str, ours: Any, theirs: Any) -> None:
        """Compare what a name holds, unless that is a function, a module or the like."""
        if comparable(ours) or comparable(theirs) or self.torch.is_tensor(theirs):
            before = len(self.report.differences)
            self.value(name, ours, theirs)
            if len(self.report.differences) == before:
                self.report.same.append(name)

    def value(self, where: str, ours: Any, theirs: Any) -> bool:
        if isinstance(ours, Tensor) or self.torch.is_tensor(theirs):
            return self.tensor(where, ours, theirs)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            if list(map(repr, ours)) != list(map(repr, theirs)):
                return self.differ(where, "has other keys", list(ours), list(theirs))
            return all([self.value(f"{where}[{k!r}]", ours[k], t) for k, t in theirs.items()])
        if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
            if len(ours) != len(theirs):
                return self.differ(where, "has another length", len(ours), len(theirs))
            pairs = enumerate(zip(ours, theirs, strict=True))
            return all([self.value(f"{where}[{i}]", a, b) for i, (a, b) in pairs])
        if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
            return self.arrays(where, ours, theirs)
        if isinstance(ours, float) and isinstance(theirs, float):
            if np.isclose(ours, theirs, rtol=1e-5, atol=1e-8, equal_nan=True):
                return True
            return self.differ(where, "has another value", ours, theirs)
        if comparable(ours) and repr(ours) != repr(theirs):
            return self.differ(where, "has another value", repr(ours), repr(theirs))
        return True

    def tensor(self, where: str, ours: Any, theirs: Any) -> bool:
        if not (isinstance(ours, Tensor) and self.torch.is_tensor(theirs)):
            return self.differ(where, "is a tensor on one side only", ours, theirs)
        for flag in ("dtype", "shape", "requires_grad", "is_leaf"):
            a, b = repr(getattr(ours, flag)), repr(getattr(theirs, flag))
            if a != b:
                return self.differ(where, f"has another {flag}", a, b)
        if not self.arrays(where, ours.detach().numpy(), theirs.detach().cpu().numpy()):
            return False
        if ours.grad_fn is not None and not self.graph(where, ours.grad_fn, theirs.grad_fn):
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            a, b = ours.grad, theirs.grad
        if (a is None) != (b is None):
            return self.differ(f"{where}.grad", "is None on one side only", a, b)
        if a is None:
            return True
        self.report.gradients += 1
        return self.arrays(f"{where}.grad", a.detach().numpy(), b.detach().numpy())

    def arrays(self, where: str, a: np.ndarray, b: np.ndarray) -> bool:
        if a.dtype != b.dtype or a.shape != b.shape:
            return self.differ(
                where, "has another type or shape", (a.dtype, a.shape), (b.dtype, b.shape)
            )
        rtol, atol = TOLERANCE.get(str(a.dtype), (0, 0))
        if np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True):
            return True
        with np.errstate(all="ignore"):
            ratios = np.unique(np.round((a / b)[b != 0], 6))
        words = {0.5: "is half of PyTorch's", 2.0: "is twice PyTorch's", -1.0: "has the other sign"}
        what = words.get(ratios[0] if len(ratios) == 1 else 0, "has another value")
        return self.differ(where, what, short(a), short(b))

    def graph(self, where: str, ours: Any, theirs: Any) -> bool:
        """Both graphs node by node: names, edges, constants, and which nodes are shared."""
        pairs, stack = {ours: theirs}, [(ours, theirs)]
        while stack:
            a, b = stack.pop()
            if a.name() != b.name():
                return self.differ(
                    f"{where}.grad_fn", "has another graph", a.name(), b.name(), True
                )
            edges = [[(n is None, k) for n, k in node.next_functions] for node in (a, b)]
            if edges[0] != edges[1]:
                return self.differ(
                    f"{where}.grad_fn", f"has other edges at {a.name()}", *edges, True
                )
            for (x, _), (y, _) in zip(a.next_functions, b.next_functions, strict=True):
                if x is None:
                    continue
                if x not in pairs:
                    pairs[x] = y
                    stack.append((x, y))
                elif pairs[x] is not y:
                    return self.differ(f"{where}.grad_fn", "shares other nodes", x.name(), y.name())
        self.report.nodes.update(pairs)
        return True

    def text(self, what: str, ours: str, theirs: str) -> None:
        """Printed text, where numbers may differ in their last digits."""
        if similar(ours, theirs):
            if ours.strip():
                self.report.texts.append(what)
        else:
            self.differ(what, "differs", ours.strip(), theirs.strip(), True)


def comparable(x: Any) -> bool:
    return isinstance(x, (*PLAIN, Tensor, np.ndarray, np.generic, list, tuple, dict, Size)) or (
        type(x).__module__ == "autogradlab.dtypes"
    )


def short(a: np.ndarray) -> str:
    return np.array2string(a, threshold=8, edgeitems=2, precision=6, separator=", ")


NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")


def similar(a: str, b: str) -> bool:
    """The same text, but for the last digits of long numbers."""
    if a == b:
        return True
    if NUMBER.sub("#", a).split() != NUMBER.sub("#", b).split():
        return False
    numbers = zip(NUMBER.findall(a), NUMBER.findall(b), strict=True)
    return all(
        x == y or ("." in x and np.isclose(float(x), float(y), rtol=1e-5)) for x, y in numbers
    )


# ------------------------------------------------------------------------------------- mirroring


class CannotMirror(Exception):
    """Something that has no twin; the message says what."""


class Mirror:
    """Makes twins of the notebook's objects for the shadow, each once."""

    def __init__(self, shadow: dict[str, Any], space: Mapping[str, Any], torch: Any) -> None:
        self.shadow, self.space, self.torch = shadow, space, torch
        self.memo: dict[int, Any] = {}

    def __call__(self, x: Any) -> Any:
        if id(x) not in self.memo:
            self.memo[id(x)] = self.make(x)
        return self.memo[id(x)]

    def make(self, x: Any) -> Any:
        torch = self.torch
        if isinstance(x, Tensor):
            return self.tensor(x)
        if isinstance(x, Size):
            return torch.Size(x)
        if isinstance(x, list):
            self.memo[id(x)] = out = []
            out.extend(self(y) for y in x)
            return out
        if isinstance(x, dict) and type(x) is dict:
            self.memo[id(x)] = out = {}
            out.update({self(k): self(v) for k, v in x.items()})
            return out
        if type(x) in (tuple, set, frozenset):
            return type(x)(self(y) for y in x)
        if isinstance(x, np.ndarray):
            return x.copy()
        if isinstance(x, (*PLAIN, np.generic)) or torch.is_tensor(x):
            return x
        if isinstance(x, types.ModuleType):
            return theirs_module(x)
        where = getattr(x, "__module__", None) or ""
        if where.partition(".")[0] == "autogradlab" and hasattr(torch, getattr(x, "__name__", "?")):
            return getattr(torch, x.__name__)
        if type(x).__module__ == "autogradlab.dtypes":
            return getattr(torch, x.name)
        if isinstance(x, types.FunctionType):
            return self.function(x) if x.__globals__ is self.space else x
        if isinstance(x, type):
            return self.klass(x) if where == "__main__" else x
        if isinstance(x, types.BuiltinFunctionType):
            return x
        if type(x).__module__ == "__main__":
            self.memo[id(x)] = out = object.__new__(self(type(x)))
            out.__dict__.update({k: self(v) for k, v in vars(x).items()})
            return out
        raise CannotMirror(f"a {type(x).__name__}")

    def tensor(self, x: Tensor) -> Any:
        if x.grad_fn is not None:
            raise CannotMirror("its graph was built outside a twin cell")
        out = self.torch.from_numpy(np.array(x.detach().numpy()))
        out.requires_grad_(x.requires_grad)
        if x.grad is not None:
            out.grad = self(x.grad.detach())
        return out

    def function(self, f: types.FunctionType) -> types.FunctionType:
        cells = tuple(types.CellType(self(c.cell_contents)) for c in f.__closure__ or ())
        defaults = None if f.__defaults__ is None else tuple(map(self, f.__defaults__))
        out = types.FunctionType(f.__code__, self.shadow, f.__name__, defaults, cells)
        out.__kwdefaults__ = f.__kwdefaults__ and {k: self(v) for k, v in f.__kwdefaults__.items()}
        out.__dict__.update(f.__dict__)
        return out

    def klass(self, k: type) -> type:
        skip = ("__dict__", "__weakref__")
        body = {n: self.member(v) for n, v in vars(k).items() if n not in skip}
        return type(k)(k.__name__, tuple(map(self, k.__bases__)), body)

    def member(self, v: Any) -> Any:
        if isinstance(v, staticmethod | classmethod):
            return type(v)(self(v.__func__))
        if isinstance(v, property):
            return property(*(f and self(f) for f in (v.fget, v.fset, v.fdel)))
        return self(v) if not isinstance(v, types.MemberDescriptorType) else v


def theirs_module(module: types.ModuleType) -> types.ModuleType:
    name = module.__name__
    if name.partition(".")[0] != "autogradlab":
        return module
    import importlib

    return importlib.import_module("torch" + name.removeprefix("autogradlab"))


def fingerprint(x: Any, depth: int = 0) -> Any:
    """Changes when the object, or a tensor or number inside it, changes."""
    if isinstance(x, Tensor):
        grad = x._grad
        return (id(x), id(x.node), x._requires_grad, x.array.tobytes(),
                None if grad is None else (id(grad), grad.array.tobytes()))  # fmt: skip
    if isinstance(x, np.ndarray):
        return (id(x), x.tobytes())
    if depth < 6 and isinstance(x, list | tuple | set):
        return (id(x), [fingerprint(y, depth + 1) for y in x])
    if depth < 6 and isinstance(x, dict):
        return (id(x), [(k, fingerprint(v, depth + 1)) for k, v in x.items()])
    if depth < 6 and type(x).__module__ == "__main__" and hasattr(x, "__dict__"):
        return (id(x), fingerprint(vars(x), depth + 1))
    return repr(x) if isinstance(x, int | float | str) else id(x)


# --------------------------------------------------------------------------------------- running


class Imports(ast.NodeTransformer):
    """Turns every import of torch (or of autogradlab) into the engine of one side."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def resolve(self, name: str) -> str:
        first, _, rest = name.partition(".")
        if first == "torchvision" and self.engine == "autogradlab":
            return "autogradlab." + rest if rest else "autogradlab"
        if first in ("torch", "autogradlab"):
            return self.engine + ("." + rest if rest else "")
        return name

    def visit_Import(self, node: ast.Import) -> Any:
        out: list[ast.stmt] = []
        for alias in node.names:
            name, bound = self.resolve(alias.name), alias.asname
            if name == alias.name and bound:
                out.append(ast.Import([alias]))
            else:
                out.append(ast.Import([ast.alias(name, bound)]))
                first = alias.name.partition(".")[0]
                if not bound and first != name.partition(".")[0]:
                    out.append(ast.Import([ast.alias(self.engine, first)]))
        return [ast.copy_location(stmt, node) for stmt in out]

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


@dataclass
class Side:
    """What one side did: its last value, printed text, warnings, error."""

    value: Any = None
    printed: str = ""
    warned: list[str] = field(default_factory=list)
    error: BaseException | None = None


def plain(text: str) -> str:
    return re.sub(r"\s*\(Triggered internally at .*?\)", "", text, flags=re.S).strip()


def run(source: str, engine: str, space: dict[str, Any], filename: str, out: Any) -> Side:
    """Run a cell on one side; an error is kept, not raised."""
    __tracebackhide__ = True
    side, tee = Side(), Tee(out)
    tree = ast.fix_missing_locations(Imports(engine).visit(ast.parse(source, filename)))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(tee):
        warnings.simplefilter("always")
        try:
            exec(compile(tree, filename, "exec"), space)
            if last is not None:
                side.value = eval(compile(ast.Expression(last.value), filename, "eval"), space)
        except Exception as error:
            side.error = error
    texts = [f"{w.category.__name__}: {plain(str(w.message))}" for w in caught]
    side.warned = [t for t in dict.fromkeys(texts) if t.startswith("UserWarning")]
    side.printed = tee.getvalue()
    return side


def names_read(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*(names_read(c) for c in inner))


class Twin:
    """The shadow namespace beside one notebook, and what is known to be in step."""

    def __init__(self, space: dict[str, Any], torch: Any = None) -> None:
        self.space, self.torch = space, torch
        self.shadow: dict[str, Any] = {"__builtins__": builtins, "__name__": "__main__"}
        self.in_step: dict[str, Any] = {}  # name → fingerprint of our side when both were the same

    def cell(
        self, source: str, raises: str = "", filename: str = "<twin>", show: Any = None
    ) -> Report:
        """Run a cell on both sides. What our side raises unannounced is raised here."""
        report = Report()
        code = compile(
            source, filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
        )
        read = self.closure_of(names_read(code))
        if self.torch is not None:
            report.exact = self.torch.__version__.startswith(PINNED)
            report.notes = self.bring_in_step(read)
        watched = [n for n in {*read, *self.in_step} if n in self.space]  # .grad changes from afar
        before = {n: fingerprint(self.space[n]) for n in watched}
        with self.generators() as start_again, self.our_torch():
            ours = run(source, "autogradlab", self.space, filename, sys.stdout)
            for text in ours.warned:
                print(text)
            if ours.error is not None and type(ours.error).__name__ != raises:
                self.in_step.clear()  # how far the cell got is unknown: mirror everything anew
                raise ours.error
            if ours.error is not None:
                print(f"{raises}: {plain(str(ours.error))}")
            elif show is not None:
                show(ours.value)
            if self.torch is None:
                report.notes = ["PyTorch is not installed: this cell ran on autogradlab alone"]
                return report
            if report.notes:
                return report
            start_again()
            theirs = run(source, "torch", self.shadow, filename, io.StringIO())
        after = {n: fingerprint(self.space[n]) for n in {*watched, *read} if n in self.space}
        changed = {n for n, now in after.items() if before.get(n) != now}
        self.compare(report, ours, theirs, raises, changed | stored(source))
        for name in {*read, *changed, *stored(source)}:
            if name in self.space and name in self.shadow:
                self.in_step[name] = fingerprint(self.space[name])
        return report

    def compare(
        self, report: Report, ours: Side, theirs: Side, raises: str, names: set[str]
    ) -> None:
        check = Comparison(report, self.torch)
        errors = [e and f"{type(e).__name__}: {plain(str(e))}" for e in (ours.error, theirs.error)]
        if raises and ours.error is None:
            check.differ(
                "the cell",
                f"was to raise {raises}",
                "nothing raised",
                errors[1] or "nothing raised",
            )
        elif errors[0] != errors[1]:
            wording = all(errors) and type(ours.error).__name__ == type(theirs.error).__name__
            check.differ(
                "the error", "differs", errors[0] or "none", errors[1] or "none", bool(wording)
            )
        elif raises:
            report.texts.append("error text")
        for name in sorted(
            names, key=lambda n: list(self.space).index(n) if n in self.space else -1
        ):
            if name in self.space and name in self.shadow and not name.startswith("_"):
                check.name(name, self.space[name], self.shadow[name])
        if ours.value is not None and comparable(ours.value):
            count = len(report.differences)
            check.value("the value shown", ours.value, theirs.value)
            if len(report.differences) == count:
                report.texts.append("value shown")
        check.text("printed text", ours.printed, theirs.printed)
        check.text("warning", "\n".join(ours.warned), "\n".join(theirs.warned))

    def closure_of(self, names: set[str]) -> set[str]:
        """The names, and those that the notebook's functions and classes among them read."""
        found, todo = set(), list(names)
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            x = self.space.get(name)
            members = [x, *vars(x).values()] if isinstance(x, type) else [x]
            for f in members:
                if isinstance(f, types.FunctionType) and f.__globals__ is self.space:
                    todo.extend(names_read(f.__code__))
        return found

    def bring_in_step(self, names: set[str]) -> list[str]:
        """Mirror what the cell reads and the shadow does not hold; one line for what cannot be."""
        mirror, notes = Mirror(self.shadow, self.space, self.torch), []
        known = [n for n in names if n in self.space and n in self.shadow]
        for name in known:
            if self.in_step.get(name) == fingerprint(self.space[name]):
                mirror.memo[id(self.space[name])] = self.shadow[name]
        for name in sorted(names & self.space.keys()):
            if name == "torch" or (
                hasattr(builtins, name) and self.space.get(name) is getattr(builtins, name)
            ):
                continue
            try:
                self.shadow[name] = mirror(self.space[name])
            except CannotMirror as reason:
                notes.append(f"not checked against PyTorch: {name} ({reason})")
        for name in names & self.shadow.keys() - self.space.keys():
            if not name.startswith("__"):
                del self.shadow[name]
        self.shadow["torch"] = self.torch
        return notes

    @contextlib.contextmanager
    def our_torch(self) -> Iterator[None]:
        """While our side runs, the name torch means autogradlab, whatever the notebook calls so."""
        before = self.space.get("torch")
        self.space["torch"] = autogradlab
        try:
            yield
        finally:
            if self.space.get("torch") is autogradlab:
                if before is None:
                    del self.space["torch"]
                else:
                    self.space["torch"] = before

    @contextlib.contextmanager
    def generators(self) -> Iterator[Any]:
        """One random state, default dtype and grad mode on both sides; afterwards ours."""
        import random

        def states() -> tuple[Any, ...]:
            ours = our_random.default_generator.get_state().copy()
            return ours, np.random.get_state(), random.getstate(), autogradlab.get_default_dtype()

        start, mode = states(), autogradlab.is_grad_enabled()
        after: list[Any] = []

        def again() -> None:
            after.append((states(), autogradlab.is_grad_enabled()))
            torch, (state, numpy_state, python_state, dtype) = self.torch, start
            torch.set_rng_state(torch.from_numpy(state.copy()))
            np.random.set_state(numpy_state)
            random.setstate(python_state)
            torch.set_default_dtype(getattr(torch, dtype.name))
            torch.set_grad_enabled(mode)

        try:
            yield again
        finally:
            if after:
                (_, numpy_state, python_state, _), _ = after[0]
                np.random.set_state(numpy_state)
                random.setstate(python_state)


def stored(source: str) -> set[str]:
    """The names a cell binds at its top level."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def compare(source: str, namespace: dict[str, Any] | None = None, raises: str = "") -> Report:
    """Run code on both engines and compare, as a `%%twin` cell does.

    Args:
        source: the code; `torch` in it means the engine of each side.
        namespace: what it may read, and where our side's names are bound.
        raises: the name of the error it is to end with.

    >>> print(compare("a = torch.ones(2, requires_grad=True)"))
    ✓ same in PyTorch: a
    """
    space = {"__name__": "__main__"} if namespace is None else namespace
    return Twin(space, torch_or_none()).cell(source, raises)


def load_ipython_extension(shell: Any) -> None:
    """Register `%%twin` in an IPython shell."""
    twin = Twin(shell.user_ns)

    def magic(line: str, cell: str) -> None:
        """Run the cell on autogradlab and on PyTorch, and compare."""
        __tracebackhide__ = True
        option = re.fullmatch(r"(?:raises=(\w+))?", line.strip())
        if option is None:
            raise ValueError(f"%%twin takes nothing but raises=ErrorName, not {line.strip()!r}")
        twin.torch = twin.torch or torch_or_none()
        source = "\n" + cell
        filename = shell.compile.cache(source, shell.execution_count)
        show = lambda value: sys.displayhook(value)  # noqa: E731
        report = twin.cell(source, option[1] or "", filename, show)
        from IPython.display import display

        display(report)

    shell.register_magic_function(magic, "cell", "twin")
