"""Torch's own samples for its operations (its OpInfo database), run on both engines and compared.

`examine` puts an operation through every check on every sample. As a program, with the names of
operations or none for all, it prints a table: what passed, what was left out and why.
"""

from __future__ import annotations

import gc
import itertools
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property, partial, reduce
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from twins import graph

import autogradlab
from autogradlab import errors

if TYPE_CHECKING:
    from torch.testing._internal.opinfo.core import OpInfo, SampleInput

LINES = Path(__file__).with_name("ops.txt").read_text("utf-8").splitlines()
NAMES = [line for line in LINES if line and not line.startswith("#")]
DTYPES = (torch.float32, torch.float64)
MOST = 200  # samples of one operation; of more, an even choice
KINDS = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16}


# ------------------------------------------------------------------------------ what is compared


@cache
def database() -> dict[str, list[OpInfo]]:
    """The entries that have float64 gradients, by name. Every worker collects the tests, one runs
    them: only there are these seconds of importing spent."""
    from torch.testing._internal.common_methods_invocations import op_db

    entries = defaultdict(list)
    for op in op_db:
        if op.supports_autograd and torch.float64 in op.dtypes:
            entries[op.name].append(op)
    gc.collect()
    gc.freeze()  # so many objects are no rubbish: see tests/conftest.py
    return entries


def operations() -> list[OpInfo]:
    """The entries for the names in ops.txt."""
    return list(itertools.chain(*(database()[name] for name in NAMES)))


def label(op: OpInfo) -> str:
    return " ".join(filter(None, (op.name, op.variant_test_name)))


def resolve(name: str) -> Callable[..., Any] | None:
    """What we offer under a dotted name of torch: a function, else a method or an attribute."""
    try:
        found = reduce(getattr, name.split("."), autogradlab)
    except AttributeError:
        found = None
    if not callable(found):  # `float` is a type there and a method here
        found = getattr(autogradlab.Tensor, name, None)
    if isinstance(found, property):
        return lambda x: getattr(x, name)
    return found


def call(op: OpInfo) -> Callable[..., Any]:
    """How the samples call our function: as they call torch's, with our package for `torch`."""
    theirs = op.op
    if not isinstance(theirs, FunctionType) or not theirs.__module__.startswith("torch.testing"):
        return resolve(op.name)

    def seeded(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        autogradlab.manual_seed(42)
        return function(*args, **kwargs)

    names = {**theirs.__globals__, "torch": autogradlab, "wrapper_set_seed": seeded}
    code, defaults, closure = theirs.__code__, theirs.__defaults__, theirs.__closure__
    return FunctionType(code, names, theirs.__name__, defaults, closure)


def missing() -> list[str]:
    """Names, and torch's other names for them, that we do not offer."""
    aliases = {a.name for op in operations() for a in op.aliases}
    wanted = [*NAMES, *sorted(a for a in aliases if not a.startswith("special"))]
    return [name for name in wanted if resolve(name) is None]


def forms(op: OpInfo) -> Iterator[tuple[str, Callable[..., Any], Callable[..., Any] | None]]:
    """Other ways to call an operation that torch has: theirs and ours, each function once."""
    seen = [resolve(op.name)]
    methods = [(f"Tensor.{op.name}", op.method_variant, getattr(autogradlab.Tensor, op.name, None))]
    aliases = [(a.name, a.op, resolve(a.name)) for a in op.aliases]
    for name, theirs, ours in methods + aliases:
        if theirs is not None and ours not in seen and not name.startswith("special"):
            seen.append(ours)
            yield name, theirs, ours


def in_place(op: OpInfo) -> tuple[Callable[..., Any], Callable[..., Any] | None] | None:
    """The operation's form that writes into its input: theirs, and ours if we have it."""
    if op.inplace_variant is None or op.name.endswith("_"):
        return None
    if op.name.startswith("nn.functional"):
        return op.inplace_variant, partial(call(op), inplace=True)
    return op.inplace_variant, getattr(autogradlab.Tensor, f"{op.name}_", None)


# ------------------------------------------------------------------------------- both engines' run


class LeftOut(Exception):
    """A sample that asks for something outside the package's scope, by its reason."""


def translate(x: Any, leaves: list[tuple[Any, Any]], memo: dict[int, Any], side: int) -> Any:
    """An argument as new leaves of torch (side 0) or of ours (side 1)."""
    again = partial(translate, leaves=leaves, memo=memo, side=side)
    if isinstance(x, torch.Tensor):
        if id(x) not in memo:
            if x.layout is not torch.strided or x.device.type != "cpu":
                raise LeftOut("sparse or device")
            if x.dtype not in KINDS | set(DTYPES):
                raise LeftOut("complex or bfloat16")
            if x.ndim > 64:
                raise LeftOut("more dimensions than NumPy has")
            copy = x.detach().clone()
            memo[id(x)] = pair = copy, autogradlab.from_numpy(x.detach().clone().numpy())
            if x.requires_grad:
                leaves.append(tuple(t.requires_grad_() for t in pair))
        return memo[id(x)][side]
    if isinstance(x, torch.dtype):
        if x not in KINDS | set(DTYPES):
            raise LeftOut("complex or bfloat16")
        return getattr(autogradlab, str(x).removeprefix("torch.")) if side else x
    if isinstance(x, torch.memory_format | torch.layout | torch.Generator):
        raise LeftOut("memory format, layout or generator")
    if isinstance(x, complex):
        raise LeftOut("complex or bfloat16")
    if isinstance(x, torch.device | str) and str(x).partition(":")[0] in ("cuda", "meta"):
        raise LeftOut("sparse or device")
    if isinstance(x, torch.Size):
        return autogradlab.Size(x) if side else x
    if isinstance(x, slice):
        return slice(again(x.start), again(x.stop), again(x.step))
    if isinstance(x, dict):
        if x.get("out") is not None:
            raise LeftOut("out=")
        return {key: again(value) for key, value in x.items()}
    return type(x)(map(again, x)) if isinstance(x, list | tuple) else x


class Case:
    """One sample on both engines: the leaves and outputs of each, as pairs (torch's, ours)."""

    def __init__(self, op: OpInfo, sample: SampleInput, calls: Any = None) -> None:
        self.op, self.sample = op, sample
        self.calls = calls or (op.op, call(op))
        self.leaves: list[tuple[Any, Any]] = []
        memo: dict[int, Any] = {}
        whole = [sample.input, sample.args, sample.kwargs]
        self.arguments = [translate(whole, self.leaves, memo, side) for side in (0, 1)]

    def variant(self, calls: Any) -> Case:
        return Case(self.op, self.sample, calls)

    def run(self, side: int) -> Any:
        """The result on one engine, or the exception."""
        first, args, kwargs = self.arguments[side]
        (torch, autogradlab)[side].manual_seed(0)
        try:
            return self.calls[side](first, *args, **kwargs)
        except Exception as error:
            return error

    def run_on(self, side: int, replace: Callable[[Any], Any]) -> Any:
        """The result with other tensors in place of the leaves; an exception is raised."""
        (torch, autogradlab)[side].manual_seed(0)
        first, args, kwargs = mapped(self.arguments[side], replace)
        return self.calls[side](first, *args, **kwargs)

    @cached_property
    def results(self) -> tuple[Any, Any]:
        theirs, ours = self.run(0), self.run(1)
        if isinstance(ours, Exception) and not isinstance(theirs, Exception):
            raise ours
        return theirs, ours

    @cached_property
    def outputs(self) -> list[tuple[Any, Any]]:
        return list(pairs(*self.results))

    @cached_property
    def cotangents(self) -> list[tuple[Any, Any]]:
        """A random gradient for each output that takes one."""
        generator = torch.Generator().manual_seed(1)
        randoms = [
            torch.randn(a.shape, dtype=a.dtype, generator=generator) for a, _ in self.differentiable
        ]
        return [
            (r.requires_grad_(), autogradlab.tensor(r.detach().numpy()).requires_grad_())
            for r in randoms
        ]

    @property
    def differentiable(self) -> list[tuple[Any, Any]]:
        return [pair for pair in self.outputs if pair[0].requires_grad]

    @cached_property
    def gradients(self) -> list[tuple[Any, Any]]:
        return both_grads(self.differentiable, self.leaves, self.cotangents)

    @cached_property
    def exact(self) -> Case:
        """The same case in float64: the truth about float32."""
        double = lambda t: t.detach().double().requires_grad_(t.requires_grad)  # noqa: E731
        sample = self.sample.transform(lambda t: double(t) if t.dtype is DTYPES[0] else t)
        case = Case(self.op, sample, self.calls)
        case.cotangents = [
            (a.double(), autogradlab.tensor(a.detach().double().numpy()))
            for a, _ in self.cotangents
        ]
        return case


def pairs(theirs: Any, ours: Any) -> Iterator[tuple[Any, Any]]:
    """The tensors of two results of the same structure; anything else must be equal."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, autogradlab.Tensor), f"a tensor expected, not {type(ours).__name__}"
        yield theirs, ours
    elif isinstance(theirs, Exception):
        assert type(ours) is type(theirs), f"{ours!r}, expected {theirs!r}"
    elif isinstance(theirs, tuple | list):
        assert isinstance(ours, type(theirs).__mro__[-2]), f"{type(ours)} for {type(theirs)}"
        assert len(theirs) == len(ours), f"{len(ours)} results, expected {len(theirs)}"
        for each in zip(theirs, ours, strict=True):
            yield from pairs(*each)
    else:
        assert ours == theirs, f"{ours!r}, expected {theirs!r}"


def mapped(x: Any, replace: Callable[[Any], Any]) -> Any:
    """Nested arguments with their tensors replaced."""
    if isinstance(x, dict):
        return {key: mapped(value, replace) for key, value in x.items()}
    if isinstance(x, slice):
        return slice(*(mapped(part, replace) for part in (x.start, x.stop, x.step)))
    if type(x) in (list, tuple):
        return type(x)(mapped(each, replace) for each in x)
    return replace(x)


def both_grads(outputs: Any, inputs: Any, cotangents: Any) -> list[tuple[Any, Any]]:
    """`autograd.grad` on both engines."""
    if not outputs or not inputs:
        return []
    found = [
        engine.autograd.grad(
            *([pair[side] for pair in group] for group in (outputs, inputs, cotangents)),
            create_graph=True,
            allow_unused=True,
        )
        for side, engine in enumerate((torch, autogradlab))
    ]
    return list(zip(*found, strict=True))


def assert_near(theirs: Any, ours: Any, what: str, truth: Callable[[], Any]) -> None:
    """As `assert_close`; but where rounding makes more of a difference than torch allows, ours need
    only be as near to the truth as torch's: at most twice its error."""
    try:
        assert_close(theirs, ours, what)
    except AssertionError:
        if theirs.dtype is not DTYPES[0] or tuple(ours.shape) != tuple(theirs.shape):
            raise
        exact = truth().detach()
        mine = torch.from_numpy(ours.detach().numpy().astype("float64"))
        if not (mine - exact).abs().max() <= 2 * (theirs.detach() - exact).abs().max():
            raise


def assert_close(theirs: Any, ours: Any, what: str) -> None:
    """Same dtype and shape, values as close as torch asks; float32 gradients ten times that."""
    assert repr(ours.dtype) == repr(theirs.dtype), f"{what}: {ours.dtype}, not {theirs.dtype}"
    assert tuple(ours.shape) == tuple(theirs.shape), f"{what}: {ours.shape}, not {theirs.shape}"
    array = torch.from_numpy(ours.detach().numpy().copy())
    loose = {"rtol": 1.3e-5, "atol": 1e-5} if "grad" in what and theirs.dtype is DTYPES[0] else {}
    say = partial("{}: {}".format, what)
    torch.testing.assert_close(array, theirs.detach(), equal_nan=True, msg=say, **loose)


# ------------------------------------------------------------------------------------- the checks


def check_values(case: Case) -> None:
    for i, (theirs, ours) in enumerate(case.outputs):
        assert_near(theirs, ours, f"output {i}", lambda i=i: case.exact.outputs[i][0])
        assert ours.requires_grad == theirs.requires_grad, f"requires_grad of output {i}"


def check_graph(case: Case) -> None:
    for theirs, ours in case.outputs:
        a, b = graph(theirs), graph(ours)
        assert a == b, f"graph\n  {b}, expected\n  {a}"
        assert ours.output_nr == theirs.output_nr, "output_nr"


def check_gradient(case: Case) -> None:
    for i, (theirs, ours) in enumerate(case.gradients):
        assert (theirs is None) == (ours is None), f"gradient {i}: {ours}, expected {theirs}"
        if theirs is not None:
            truth = lambda i=i: case.exact.gradients[i][0]  # noqa: E731
            assert_near(theirs, ours, f"gradient {i}", truth)


def check_second_order(case: Case) -> None:
    """Gradients of the gradients, for the leaves and for the first cotangents."""
    if not case.op.supports_gradgrad or any(a.dtype is DTYPES[0] for a, _ in case.leaves):
        return
    outputs = [g for g in case.gradients if g[0] is not None and g[0].requires_grad]
    generator = torch.Generator().manual_seed(2)
    cotangents = [
        (r, autogradlab.tensor(r.numpy()))
        for r in (torch.randn(a.shape, dtype=a.dtype, generator=generator) for a, _ in outputs)
    ]
    inputs = case.leaves + case.cotangents if outputs else []
    try:
        found = both_grads(outputs, inputs, cotangents)
    except RuntimeError as error:
        if "flash_attention_for_cpu_backward is not implemented" in str(error):
            return  # torch cannot differentiate this kernel twice
        raise
    for i, (theirs, ours) in enumerate(found):
        zeros = torch.zeros_like(inputs[i][0])  # the same as no gradient, here
        theirs = zeros if theirs is None else theirs
        ours = autogradlab.tensor(zeros.numpy()) if ours is None else ours
        assert_close(theirs, ours, f"second-order gradient {i}")


def check_forms(case: Case) -> None:
    """As a method, and under its other names."""
    for name, theirs, ours in forms(case.op):
        assert ours is not None, f"no {name}"
        try:
            check_values(case.variant((theirs, ours)))
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error


def check_in_place(case: Case) -> None:
    """Written into its input, which is itself computed: value, graph and gradient, or the error."""
    calls = in_place(case.op)
    if calls is None or None in calls or case.sample.broadcasts_input:
        return
    written = [lambda x, *a, form=form, **k: form(x.clone(), *a, **k) for form in calls]
    again = case.variant(written)
    theirs, ours = again.run(0), again.run(1)
    if isinstance(theirs, Exception):
        assert type(ours) is type(theirs), f"in place: {ours!r}, expected {theirs!r}"
        return
    try:
        for check in (check_values, check_graph, check_gradient):
            check(again)
    except Exception as error:
        raise AssertionError(f"in place: {type(error).__name__}: {error}") from error


def check_forward_mode(case: Case) -> None:
    """The tangents of the outputs, for random tangents of the leaves."""
    if not case.op.supports_forward_ad or any(a.dtype is DTYPES[0] for a, _ in case.leaves):
        return
    generator = torch.Generator().manual_seed(3)
    moves = [torch.randn(a.shape, dtype=a.dtype, generator=generator) for a, _ in case.leaves]
    found = []
    for side, engine in enumerate((torch, autogradlab)):
        with engine.autograd.forward_ad.dual_level():
            duals = {
                id(pair[side]): engine.autograd.forward_ad.make_dual(
                    pair[side].detach(), move if side == 0 else engine.tensor(move.numpy())
                )
                for pair, move in zip(case.leaves, moves, strict=True)
            }
            outputs = list(tensors(case.run_on(side, lambda x, duals=duals: duals.get(id(x), x))))
            found.append([engine.autograd.forward_ad.unpack_dual(x)[1] for x in outputs])
    for i, (theirs, ours) in enumerate(zip(*found, strict=True)):
        zeros = torch.zeros_like(case.outputs[i][0]).detach()  # the same as no tangent
        theirs = zeros if theirs is None else theirs
        ours = autogradlab.tensor(zeros.numpy()) if ours is None else ours
        assert_close(theirs, ours, f"tangent gradient of output {i}")


def check_saved(case: Case) -> None:
    """Writing into an input or output before backward raises exactly when it does in torch."""
    if not case.differentiable:
        return
    for k in range(len(case.leaves) + len(case.outputs)):
        raised = []
        for side, engine in enumerate((torch, autogradlab)):
            copies = {id(pair[side]): pair[side] * 1 for pair in case.leaves}
            result = case.run_on(side, lambda x, copies=copies: copies.get(id(x), x))
            outputs = list(tensors(result))
            written = [*copies.values(), *outputs][k]
            wanting = [x for x in outputs if x.requires_grad]
            try:
                written.detach().add_(0)  # shares the version
            except RuntimeError:  # an output whose elements share memory
                raised.append("not written")
                continue
            try:
                ones = [engine.ones_like(x) for x in wanting]
                engine.autograd.grad(
                    wanting, list(copies.values()), ones, allow_unused=True
                ) if wanting else None
                raised.append("")
            except RuntimeError as error:
                raised.append("changed" if "inplace" in str(error) else str(error))
        what = f"leaf {k}" if k < len(case.leaves) else f"output {k - len(case.leaves)}"
        theirs, ours = raised
        assert ours == theirs, f"after writing into {what}: {ours!r}, expected {theirs!r}"


def check_batched(case: Case) -> None:
    """vmap over two examples gives the two results, and so do its gradients."""
    if not case.leaves or not case.differentiable:
        return
    leaves = [ours.detach() for _, ours in case.leaves]
    ids = [id(ours) for _, ours in case.leaves]

    def run(*values: Any) -> tuple[Any, ...]:
        given = dict(zip(ids, values, strict=True))
        return tuple(tensors(case.run_on(1, lambda x: given.get(id(x), x))))

    def slopes(*values: Any) -> tuple[Any, ...]:
        out, back = autogradlab.func.vjp(run, *values)
        return back(tuple(autogradlab.ones_like(x) * 1.0 for x in out))

    second = [x * 0.9 for x in leaves]
    for function in (run, slopes) if all(x.is_floating_point() for x in run(*leaves)) else (run,):
        examples = [function(*leaves), function(*second)]
        pairs = (autogradlab.stack(pair) for pair in zip(leaves, second, strict=True))
        try:
            batched = autogradlab.vmap(function, randomness="same")(*pairs)
        except RuntimeError as error:
            if str(error) == errors.RUNNING_NOT_BATCHED:  # nor does torch
                return
            raise
        for i, each in enumerate(batched):
            for k in (0, 1):
                expected = torch.from_numpy(examples[k][i].numpy().copy())
                assert_close(expected, each[k], f"gradient {i} of example {k}, batched")


def tensors(x: Any) -> Iterator[Any]:
    """The tensors of a result."""
    if isinstance(x, torch.Tensor | autogradlab.Tensor):
        yield x
    elif isinstance(x, tuple | list):
        for each in x:
            yield from tensors(each)
    elif isinstance(x, Exception):
        raise x


CHECKS = (
    check_values,
    check_graph,
    check_gradient,
    check_second_order,
    check_forward_mode,
    check_forms,
    check_in_place,
)
FEW = 6  # samples that go through the checks that need many runs
LONG_CHECKS = (check_saved, check_batched)


def check_error(case: Case) -> None:
    """An input torch refuses is refused with an exception of the same type."""
    if case.op.name.startswith("__") and not isinstance(case.sample.input, torch.Tensor):
        raise LeftOut("a method called on a number")
    theirs, ours = case.run(0), case.run(1)
    if not isinstance(theirs, Exception):
        raise LeftOut("torch accepts it after all")
    assert isinstance(ours, Exception), f"no error, expected {theirs!r}"
    assert type(ours) is type(theirs), f"{ours!r}, expected {theirs!r}"


# ------------------------------------------------------------------------------------- the report


@dataclass
class Report:
    """What became of the samples of one operation in one dtype."""

    passed: int = 0
    errors: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def attempt(self, check: Callable[[], None], sample: SampleInput) -> bool:
        """Whether the check went through; otherwise the reason is noted."""
        try:
            check()
            return True
        except LeftOut as reason:
            self.left_out[str(reason)] += 1
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            self.failures.append(f"{text}\n  on {str(sample.summary())[:300]}")
        return False

    def __str__(self) -> str:
        shown = "\n".join(self.failures[:3])
        return f"{len(self.failures)} failed, {self.passed} passed; the first:\n{shown}"


def examine(op: OpInfo, dtype: torch.dtype) -> Report:
    """Every sample through every check, and every input that torch refuses."""
    report = Report()
    samples = list(op.sample_inputs("cpu", dtype, requires_grad=True))
    if len(samples) > MOST:
        step = len(samples) / MOST
        report.left_out[f"every sample but {MOST}, evenly chosen"] = len(samples) - MOST
        samples = [samples[int(i * step)] for i in range(MOST)]

    def pass_all(sample: SampleInput) -> None:
        case = Case(op, sample)
        if isinstance(case.results[0], Exception):
            assert case.outputs == []  # both refuse it
            return
        long = dtype is DTYPES[1] and report.passed < FEW
        for check in CHECKS + LONG_CHECKS * long:
            check(case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in samples:
            report.passed += report.attempt(partial(pass_all, sample), sample)
        for refused in op.error_inputs("cpu") if op.error_inputs_func else ():
            sample = refused.sample_input
            refuse = partial(lambda sample: check_error(Case(op, sample)), sample)
            report.errors += report.attempt(refuse, sample)
    return report


def table(names: list[str]) -> Iterator[str]:
    """A line per operation and dtype."""
    yield f"{'operation':48}{'samples':>9}{'errors':>8}  left out, failed"
    for op in operations():
        if names and op.name not in names:
            continue
        for dtype in DTYPES:
            title = f"{label(op)} {str(dtype).removeprefix('torch.')}"
            if resolve(op.name) is None:
                yield f"{title:48}        –       –  not offered"
                continue
            report = examine(op, dtype)
            notes = [f"{n} × {reason}" for reason, n in report.left_out.items()]
            place = in_place(op)
            notes += ["no in-place form"] if place is not None and None in place else []
            notes += [f"FAILED {report}"] if report.failures else []
            yield f"{title:48}{report.passed:9}{report.errors:8}  {'; '.join(notes)}"


if __name__ == "__main__":
    for line in table(sys.argv[1:]):
        print(line, flush=True)
    print("not offered:", *missing())
