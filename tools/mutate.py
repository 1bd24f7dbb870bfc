"""Break every entry of the table of derivatives on purpose, and see that a test notices.

A mutant is one primitive with one thing wrong, changed in memory: a gradient that is 1% too large,
a saved value whose version nobody checks, a tangent that is dropped. The tests are those of
tests/engine: PyTorch's samples, each check of one by itself, and the parametrized tests. Each runs
once with every part of the table watched; a mutant then meets the tests that came by its part,
until one fails. A mutant that none notices survives, and shows a hole in the tests.

`make mutate` tries all of them; `python tools/mutate.py mul sum_dim` those of some primitives.
"""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import os
import pkgutil
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before NumPy is imported
    os.environ.setdefault(threads, "1")
TESTS = Path(__file__).parents[1] / "tests" / "engine"
sys.path.insert(0, str(TESTS))

import numpy as np  # noqa: E402
import opinfo  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
import twins  # noqa: E402
from tqdm import tqdm  # noqa: E402

import autogradlab  # noqa: E402
from autogradlab import derivatives, engine, node  # noqa: E402
from autogradlab.arrays import batch, dual  # noqa: E402
from autogradlab.derivatives import expand, select  # noqa: E402
from autogradlab.primitive import Primitive, parameters  # noqa: E402
from autogradlab.tensor import Tensor  # noqa: E402

SAMPLES = 8  # of each operation in PyTorch's database, an even choice


def table() -> dict[str, Primitive]:
    """Every primitive, by its name in the module that declares it."""
    found: dict[int, tuple[str, Primitive]] = {}
    for module in pkgutil.iter_modules(derivatives.__path__):
        names = vars(importlib.import_module(f"autogradlab.derivatives.{module.name}"))
        for name, x in names.items():
            if isinstance(x, Primitive):
                found.setdefault(id(x), (name, x))
    return dict(found.values())


PRIMITIVES = table()
NAME_OF = {id(primitive): name for name, primitive in PRIMITIVES.items()}

# ------------------------------------------------------------------------------------- the tests


run_snippet = twins.run


def without_warnings(code: str, engine: Any) -> tuple[dict[str, Any], str, list[str]]:
    """A snippet run without comparing warnings: PyTorch gives some of them once per process."""
    space, error, _ = run_snippet(code, engine)
    return space, error, []


@dataclass(frozen=True)
class Test:
    """Something that passes, and must not once a part that it uses is wrong."""

    title: str
    run: Callable[[], None]

    def fails(self) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with mock.patch.object(twins, "run", without_warnings):
                    self.run()
            except (Exception, pytest.fail.Exception):
                return True
            finally:  # a test that breaks off leaves these as they are
                for module in (autogradlab, torch):
                    module.set_default_dtype(module.float32)
                    module.set_grad_enabled(True)
        return False


def samples(names: Collection[str] | None = None) -> Iterator[Test]:
    """Each check of some samples of the operations in PyTorch's database: of these, or of all."""
    for op in opinfo.operations():
        if opinfo.resolve(op.name) is None or (names and opinfo.label(op) not in names):
            continue
        torch.manual_seed(0)
        every = list(op.sample_inputs("cpu", torch.float64, requires_grad=True))
        for i in range(0, len(every), -(-len(every) // SAMPLES)):
            if not runs(op, every[i]):
                continue
            for check in opinfo.CHECKS + opinfo.LONG_CHECKS:
                yield Test(
                    f"{check.__name__} of {opinfo.label(op)}, sample {i}",
                    lambda op=op, sample=every[i], check=check: check(opinfo.Case(op, sample)),
                )


def runs(op: opinfo.OpInfo, sample: opinfo.SampleInput) -> bool:
    """Whether PyTorch accepts a sample that is not left out; what it refuses uses nothing."""
    try:
        case = opinfo.Case(op, sample)
    except opinfo.LeftOut:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, _ = case.run(0), case.run(1)  # both, since some warnings come only once
    return not isinstance(theirs, Exception)


def snippets() -> Iterator[Test]:
    """The parametrized tests beside PyTorch's samples."""
    for path in sorted(TESTS.glob("test_*.py")):
        if path.stem in ("test_opinfo", "test_mutate"):
            continue
        for name, function in vars(importlib.import_module(path.stem)).items():
            marks = [m for m in getattr(function, "pytestmark", ()) if m.name == "parametrize"]
            for parts in itertools.product(*map(cases, marks)) if marks else ():
                given = {key: value for part in parts for key, value in part.items()}
                if set(given) == set(parameters(function)):  # all of it, so no fixtures
                    title = f"{name} of {', '.join(map(str, given.values()))[:100]}"
                    yield Test(title, partial(function, **given))


def cases(mark: pytest.Mark) -> Iterator[dict[str, Any]]:
    """The arguments that a parametrized test gets."""
    names, values = mark.args
    names = [names] if isinstance(names, str) else names
    for value in values:
        if isinstance(value, type(pytest.param())):
            value = value.values
        elif len(names) == 1:
            value = (value,)
        yield dict(zip(names, value, strict=True))


# ----------------------------------------------------------------------------------- the mutants


# Mutants that do what the original does, and why.
EQUAL = {
    "cofactors: result not watched": "it is made inside a formula, and nobody can write into it",
    "svd: result not watched": "likewise, inside the nuclear norm",
    "gelu_back: batch leading": "a gradient has the shape of its input",
    "index: indices not watched": "indexing keeps a copy of its indices",
    "index_put: indices not watched": "likewise",
    "prelu: batch leading": "its inputs always have the same number of dimensions",
    "mm: batch leading": "its own rule is only faster",
    "fill_number: batch of the first example": "the result does not depend on the input",
    "zero: batch of the first example": "likewise",
    "zeros: batch of the first example": "likewise",
    "mse_loss: self not summed": "its inputs are broadcast before",
    "mse_loss: target not summed": "likewise",
    "huber_loss: self not summed": "likewise",
    "huber_loss: target not summed": "likewise",
    "smooth_l1_loss: self not summed": "likewise",
    "smooth_l1_loss: target not summed": "likewise",
    **{
        f"{name}: batch of the first example": "its numbers differ, so examples go one by one"
        for name in (
            "bernoulli", "draw_bernoulli", "draw_bernoulli_each", "draw_exponential",
            "draw_normal", "draw_random", "draw_random_from", "draw_random_to", "draw_uniform",
            "normal_around", "normal_each", "normal_with",
        )
    },
    "draw_bernoulli_each: batch leading": "likewise",
    "normal_each: batch leading": "likewise",
    "reshape_alias: batch elementwise": "under vmap every array counts as contiguous: `view`",
    "reshape_alias: batch of the first example": "likewise",
}


@dataclass(frozen=True)
class Mutant:
    """A primitive, the part of it that is wrong, and how: a key of `CHANGES`."""

    primitive: str
    part: str
    change: str

    def __str__(self) -> str:
        return f"{self.primitive}: {self.part} {self.change}"

    @contextmanager
    def alive(self) -> Iterator[None]:
        with ExitStack() as stack:
            CHANGES[self.change](PRIMITIVES[self.primitive], self.part, stack)
            yield


ZEROS = (("zero",), ("zeros",))  # what a formula calls that gives zeros, whatever comes in


def mutants(primitive: Primitive) -> Iterator[tuple[str, str]]:
    """The parts of a primitive and what can go wrong with each."""
    formulas = primitive.formulas
    for name, formula in formulas.items():
        used = formula.__code__.co_names
        if used in ZEROS:
            yield name, "off by 0.01"
        elif used == ("unknown",):
            yield name, "without its error"
        else:
            yield from ((name, "times 1.01"), (name, "times -1"))
            if len(formulas) > 1 and primitive.promote is not None:
                yield name, "not summed"
    saved = dict.fromkeys(itertools.chain(*primitive.needs.values()))
    for name in saved:
        if name in formulas or name in primitive.arrays or name.startswith("result"):
            yield name, "not watched"
    if primitive.jvp is not None:
        rules = [primitive.jvp] if callable(primitive.jvp) else formulas.values()
        if all(rule.__code__.co_names in ZEROS for rule in rules):
            yield "jvp", "tangent off by 0.01"
        elif all(rule.__code__.co_names == ("unknown_forward",) for rule in rules):
            yield "jvp", "tangent without its error"
        else:
            yield from (("jvp", "tangent times 1.01"), ("jvp", "tangent dropped"))
    if primitive.batch is not None:
        yield "batch", "of the first example"
        constants = {*parameters(primitive.forward)} if is_python(primitive.forward) else set()
        if primitive.batch == "leading":
            if not constants.isdisjoint((*batch.SHIFTED, "shape")):
                yield "batch", "elementwise"
        elif len(formulas) > 1 or primitive.arrays or callable(primitive.batch):
            yield "batch", "leading"


def is_python(function: Callable[..., Any]) -> bool:
    return hasattr(function, "__code__")


def each(change: Callable[[Any], Any], x: Any) -> Any:
    """The change made to one gradient or tangent, or to each of several."""
    if x is None:
        return None
    return type(x)(each(change, y) for y in x) if isinstance(x, list | tuple) else change(x)


def formula(change: Callable[[Any], Any]) -> Callable[..., None]:
    """What a formula gives, changed."""

    def make(primitive: Primitive, part: str, stack: ExitStack) -> None:
        right = primitive.formulas[part]
        wrong = {**primitive.formulas, part: lambda *args: each(change, right(*args))}
        stack.enter_context(mock.patch.multiple(primitive, formulas=wrong, plans={}))

    return make


def without_error(primitive: Primitive, part: str, stack: ExitStack) -> None:
    wrong = {**primitive.formulas, part: lambda g: g}
    stack.enter_context(mock.patch.multiple(primitive, formulas=wrong, plans={}))


def unsummed(primitive: Primitive, part: str, stack: ExitStack) -> None:
    """The gradient arrives as broadcasting has made it."""
    right = node.fit

    def wrong(g: Any, to: Any, sender: Any = None) -> Any:
        if part in summed(g, to, sender, primitive):
            return g
        return right(g, to, sender)

    for module in (node, engine):
        stack.enter_context(mock.patch.object(module, "fit", wrong))


def summed(g: Any, to: Any, sender: Any, primitive: Primitive) -> list[str]:
    """The inputs of the primitive whose gradient is about to be summed here."""
    if getattr(sender, "plan", None) is None or sender.plan.primitive is not primitive:
        return []
    if g is None or to.shape is None or tuple(g.shape) == tuple(to.shape):
        return []
    names = [*primitive.formulas] if not primitive.variadic else itertools.repeat("")
    return [name for name, parent in zip(names, sender.parents, strict=False) if parent is to]


def unwatched(primitive: Primitive, part: str, stack: ExitStack) -> None:
    """Nobody notices that the saved value has been written into."""

    def wrong(self: node.Node, taped: bool) -> list[Any]:
        if changed_since(self, part):
            i, versions = self.plan.names.index(part), self.versions or (0,) * len(self.saved)
            self.versions = (*versions[:i], self.saved[i].cell[0], *versions[i + 1 :])
        if part.startswith("result") and self.extras is not None:
            self.extras.cells = {k: (c, c[0]) for k, (c, _) in self.extras.cells.items()}
        return node.Node.unpack(self, taped)

    stack.enter_context(mock.patch.object(primitive.node, "unpack", wrong))


def changed_since(self: node.Node, part: str) -> bool:
    """Whether a saved input or array has been written into since."""
    if self.saved is None or part not in self.plan.names:
        return False
    i = self.plan.names.index(part)
    x, then = self.saved[i], 0 if self.versions is None else self.versions[i]
    return isinstance(x, Tensor) and x.cell is not None and x.cell[0] != then


def tangent(change: Callable[[Any], Any]) -> Callable[..., None]:
    """What a `jvp` rule gives, changed."""

    def make(primitive: Primitive, part: str, stack: ExitStack) -> None:
        right = dual.push

        def wrong(pushed: Primitive, *args: Any) -> Any:
            made = right(pushed, *args)
            return each(change, made) if pushed is primitive else made

        stack.enter_context(mock.patch.object(dual, "push", wrong))

    return make


def no_tangent(primitive: Primitive, part: str, stack: ExitStack) -> None:
    stack.enter_context(mock.patch.multiple(primitive, jvp=lambda: None, jvp_needs=[]))


def rule(wrong: Any) -> Callable[..., None]:
    """Another `batch` rule."""

    def make(primitive: Primitive, part: str, stack: ExitStack) -> None:
        stack.enter_context(mock.patch.object(primitive, "batch", wrong))

    return make


def first_example(primitive: Primitive, count: int, arrays: list[Any], **constants: Any) -> Any:
    """The result for the first example, given to all."""
    first = [select.compute([x], {"dim": 0, "index": 0}) if hasattr(x, "shape") else x
             for x in arrays]  # fmt: skip
    result = primitive.compute(first, constants)

    def repeated(x: Any) -> Any:
        return expand.compute([np.asarray(x)], {"shape": (count, *x.shape)})

    return tuple(map(repeated, result)) if primitive.multiple else repeated(result)


CHANGES = {
    "times 1.01": formula(lambda g: g * 1.01),
    "times -1": formula(lambda g: g * -1.0),
    "off by 0.01": formula(lambda g: g + 0.01),
    "without its error": without_error,
    "not summed": unsummed,
    "not watched": unwatched,
    "tangent times 1.01": tangent(lambda t: t * 1.01),
    "tangent dropped": tangent(lambda t: None),
    "tangent off by 0.01": tangent(lambda t: t + 0.01),
    "tangent without its error": no_tangent,
    "of the first example": rule(first_example),
    "elementwise": rule("elementwise"),
    "leading": rule("leading"),
}


# --------------------------------------------------------------------------- who uses which part


Part = tuple[str, str]  # a primitive, and what of it: an input's formula, "saved self", "jvp" …


@contextmanager
def watched(seen: set[Part]) -> Iterator[None]:
    """Note which parts of the table are used inside."""
    with ExitStack() as stack:
        patch = stack.enter_context

        def noting(name: str, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def noted(*args: Any) -> Any:
                seen.add((name, part))
                return function(*args)

            return noted

        for name, primitive in PRIMITIVES.items():
            formulas = {n: noting(name, n, f) for n, f in primitive.formulas.items()}
            patch(mock.patch.multiple(primitive, formulas=formulas, plans={}))

            def unpack(self: node.Node, taped: bool, name: str = name) -> list[Any]:
                for n in self.plan.names:
                    if changed_since(self, n):
                        seen.add((name, f"saved {n}"))
                cells = self.extras.cells.values() if self.extras is not None else ()
                if any(cell[0] != then for cell, then in cells):
                    seen.add((name, "saved result"))
                return node.Node.unpack(self, taped)

            patch(mock.patch.object(primitive.node, "unpack", unpack))
        fit, push, lift = node.fit, dual.push, batch.Batch.lift

        def fitted(g: Any, to: Any, sender: Any = None) -> Any:
            primitive = getattr(getattr(sender, "plan", None), "primitive", None)
            if id(primitive) in NAME_OF:
                for n in summed(g, to, sender, primitive):
                    seen.add((NAME_OF[id(primitive)], f"fit {n}"))
            return fit(g, to, sender)

        def pushed(primitive: Primitive, *args: Any) -> Any:
            seen.add((NAME_OF.get(id(primitive), ""), "jvp"))
            return push(primitive, *args)

        def lifted(self: batch.Batch, primitive: Primitive, *args: Any) -> Any:
            seen.add((NAME_OF.get(id(primitive), ""), "batch"))
            return lift(self, primitive, *args)

        for module in (node, engine):
            patch(mock.patch.object(module, "fit", fitted))
        patch(mock.patch.object(dual, "push", pushed))
        patch(mock.patch.object(batch.Batch, "lift", lifted))
        yield


def part_of(mutant: Mutant) -> Part:
    """What a test must have used to be able to notice."""
    kinds = {"not summed": f"fit {mutant.part}", "not watched": f"saved {mutant.part}"}
    part = kinds.get(mutant.change, mutant.part)
    return mutant.primitive, "saved result" if part.startswith("saved result") else part


# ------------------------------------------------------------------------------------- the report


@dataclass(frozen=True)
class Verdict:
    """Which test has noticed a mutant, if any, of how many that could."""

    mutant: Mutant
    killer: str | None
    met: int


def judge(mutant: Mutant, tests: Sequence[Test]) -> Verdict:
    """Let the tests meet the mutant until one fails that passes without it."""
    for test in tests:
        with mutant.alive():
            failed = test.fails()
        if failed:
            if test.fails():
                raise RuntimeError(f"{test.title} fails on after {mutant}")
            return Verdict(mutant, test.title, len(tests))
    return Verdict(mutant, None, len(tests))


class Trial:
    """All tests, and which of them uses what; two processes share the work."""

    def __init__(self, tests: Sequence[Test]) -> None:
        self.tests, self.seen = tests, set()
        self.users: dict[Part, list[tuple[float, int]]] = defaultdict(list)
        self.broken: list[str] = []

    def watch(self, i: int) -> tuple[int, float, set[Part], bool]:
        """Run one test: its time, the parts it uses, and whether it fails as it is."""
        self.seen.clear()
        start = time.perf_counter()
        failed = self.tests[i].fails()
        return i, time.perf_counter() - start, set(self.seen), failed

    def judge(self, mutant: Mutant) -> Verdict:
        users = sorted(self.users[part_of(mutant)])
        return judge(mutant, [self.tests[i] for _, i in users])

    def profile(self) -> None:
        with watched(self.seen):
            for i, seconds, seen, failed in shared(self.watch, range(len(self.tests)), "tests"):
                if failed:
                    self.broken.append(self.tests[i].title)
                for part in () if failed else seen:
                    self.users[part].append((seconds, i))

    def mutants(self, names: Sequence[str]) -> list[Mutant]:
        """What can go wrong with each part; and sums that only a test has shown to happen."""
        every = {Mutant(name, *m): None for name, p in PRIMITIVES.items() for m in mutants(p)}
        for name, part in sorted(self.users):
            if part.startswith("fit "):
                every[Mutant(name, part.removeprefix("fit "), "not summed")] = None
        return [mutant for mutant in every if not names or mutant.primitive in names]


def shared(work: Callable[[Any], Any], items: Sequence[Any], what: str) -> Iterator[Any]:
    """The results of the work on each item, in any order."""
    with multiprocessing.get_context("fork").Pool(2, inherit, (work,)) as pool:
        found = pool.imap_unordered(inherited, items, chunksize=8)
        yield from tqdm(found, total=len(items), unit=f" {what}", dynamic_ncols=True)


def inherit(work: Callable[[Any], Any]) -> None:
    inherited.work = work
    torch.set_num_threads(1)


def inherited(item: Any) -> Any:
    return inherited.work(item)


def report(trial: Trial, verdicts: Sequence[Verdict]) -> list[str]:
    """What is wrong, a line each: survivors, and what the tool itself is wrong about."""
    lines = [f"fails without any mutant: {title}" for title in trial.broken]
    for verdict in sorted(verdicts, key=lambda v: str(v.mutant)):
        name = str(verdict.mutant)
        if verdict.killer is None and name not in EQUAL:
            lines.append(f"survives the {verdict.met} tests that use it: {name}")
        if verdict.killer is not None and name in EQUAL:
            lines.append(f"is not equal after all: {name}, see {verdict.killer}")
    return lines


def main(names: Sequence[str]) -> int:
    start = time.perf_counter()
    trial = Trial([*samples(), *snippets()])
    trial.profile()
    verdicts = list(shared(trial.judge, trial.mutants(names), "mutants"))
    lines = report(trial, verdicts)
    formulas = sum(len(primitive.formulas) for primitive in PRIMITIVES.values())
    killed = sum(verdict.killer is not None for verdict in verdicts)
    equal = sum(verdict.killer is None and str(verdict.mutant) in EQUAL for verdict in verdicts)
    print(
        *lines,
        f"{len(PRIMITIVES)} primitives, {formulas} formulas, {len(trial.tests)} tests",
        f"{len(verdicts)} mutants: {killed} killed, {equal} equal to the original, "
        f"{len(verdicts) - killed - equal} survive",
        f"{time.perf_counter() - start:.0f} seconds",
        sep="\n",
    )
    return 1 if lines else 0


if __name__ == "__main__":
    if unknown := sorted({*sys.argv[1:]} - PRIMITIVES.keys()):
        sys.exit(f"no primitive of autogradlab/derivatives: {', '.join(unknown)}")
    sys.exit(main(sys.argv[1:]))
