"""Questions about gradients: what is asked, what is right, and which wrong answers have a name.

The usual wrong answers are computed from the recorded pass, so that a wrong number can be told
which part of the chain rule it left out. Nothing here is drawn.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from ..graphs import Recording, Summary, record_backward
from ..graphs.numbers import numbers
from ..graphs.protocol import summarize

MOST = 8  # numbers in one answer

# Each: leaves with their values, the result, the leaf asked for.
PROGRAMS = (
    ({"a": 3.0}, "a**2", "a"),
    ({"a": 2.0, "b": 5.0}, "3 * a + b", "a"),
    ({"a": 2.0, "b": 4.0, "c": -5.0}, "(a * b + c) ** 2", "a"),
    ({"a": 2.0, "b": 4.0, "c": -5.0}, "(a * b + c) ** 2", "c"),
    ({"a": 3.0, "b": 5.0}, "2 * (a - b)", "b"),
    ({"a": 3.0, "b": 2.0}, "a * a * b", "a"),
    ({"a": 6.0, "b": 2.0}, "(a / b) ** 2", "a"),
    ({"a": -2.0, "b": 3.0}, "(a.relu() + b) ** 2", "a"),
    ({"a": 4.0}, "3 * a.sqrt()", "a"),
    ({"a": 1.0, "b": 3.0}, "torch.maximum(a, b) * b", "b"),
)

Chips = tuple[tuple[str, str], ...]  # ("gradient" | "value" | "sign", words)


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrong answer that has a name."""

    values: np.ndarray
    name: str  # on the number line: "local only"
    formula: str  # "b = 4"
    title: str  # "The incoming gradient is missing."
    reason: str  # "4 is b, the local derivative of a·b with respect to a. Multiply it …"
    summary: str  # "You used the local derivative and left out the gradient that came in."
    repair: Chips  # 6 × 4 = 24


@dataclass(frozen=True, eq=False)
class Question:
    """The gradient of one leaf in a recorded pass."""

    recording: Recording
    key: str  # of the leaf's node
    right: np.ndarray
    formula: str  # "6 · b = 24"
    repair: Chips  # how the gradient comes about; () when it is no product and no sum
    mistakes: tuple[Mistake, ...]
    answers: tuple[tuple[str, Summary], ...]  # what each engine says

    @property
    def leaf(self) -> str:
        """What the leaf is called."""
        return self.recording.graph.nodes[self.key].label

    @property
    def words(self) -> str:
        """The right answer in words."""
        return written(self.right)

    @property
    def given(self) -> str:
        """The values of the leaves: "a = 2, b = 4, c = −5"."""
        nodes = self.recording.graph.nodes.values()
        leaves = [n for n in nodes if n.kind in ("leaf", "parameter") and n.value]
        return ", ".join(f"{n.label} = {numbers(n.value)}" for n in leaves)


@dataclass(frozen=True, eq=False)
class Path:
    """One way on which a gradient comes back to the leaf: through one slot of one operation."""

    through: str  # "a·b"
    slope: str  # "b"; "" for a local derivative without a short name
    came: np.ndarray | None
    local: np.ndarray | None
    sent: np.ndarray


def ask(recording: Recording, key: str, *others: tuple[str, Summary]) -> Question:
    """The question about leaf `key`; `others` are what other engines answer."""
    graph = recording.graph
    right = array(next(e.grad_in for e in recording.events if e.key == key))
    ways = list(paths(recording, key))
    repair: Chips = ()
    formula = written(right)
    if len(ways) == 1 and ways[0].local is not None:
        way = ways[0]
        came, local = written(way.came), written(way.local)
        repair = ("gradient", came), ("sign", "×"), ("value", local), *equals(right)
        formula = f"{came} · {way.slope or local} = {formula}"
    elif len(ways) > 1:
        sent = [("gradient", written(way.sent)) for way in ways]
        sent = sent if len(sent) <= 4 else [*sent[:2], ("sign", "…"), sent[-1]]
        summed = [x for each in sent for x in (("sign", "+"), each)][1:]
        repair = *summed, *equals(right)
        formula = " ".join(words for _, words in repair)
    named: list[Mistake] = []
    for each in mistakes(recording, key, right, ways, repair):
        usable = each.values.shape == right.shape and np.isfinite(each.values).all()
        known = right, *(other.values for other in named)
        if usable and not any(same(each.values, x).all() for x in known):
            named.append(each)
    answers = (graph.engine, summarize(right)), *others
    return Question(recording, key, right, formula, repair, tuple(named), answers)


def equals(right: np.ndarray) -> Chips:
    return ("sign", "="), ("gradient", written(right))


def array(summary: Summary | None) -> np.ndarray | None:
    """A tensor's numbers; None where the recording has only its size."""
    if summary is None or summary.values is None:
        return None
    return np.array(summary.values, dtype=np.float64)


def written(values: np.ndarray) -> str:
    """Numbers as they stand in a chip.

    >>> written(np.array(0.5)), written(np.array([3.0, -5.0]))
    ('0.5', '[3, −5]')
    """
    return numbers(summarize(np.asarray(values)))


def same(said: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Element by element: equal as far as one can type it."""
    largest = np.abs(right).max(initial=0.0, where=np.isfinite(right))
    return np.isclose(said, right, 1e-3, 1e-6 * largest, equal_nan=True)


def paths(recording: Recording, key: str) -> Iterator[Path]:
    """The ways back to a leaf."""
    for event in recording.events:
        if key not in event.grads_out:
            continue
        through, came = recording.graph.nodes[event.key].label, array(event.grad_in)
        sent, found = array(event.grads_out[key]), []
        for factor in (f for f in event.factors if f.target == key):
            slope, local = factor.text.partition(" = ")[2], array(factor.local)
            short = re.fullmatch(r"[^ ]*[^\W\d][^ ]*", slope) and len(slope) <= 9  # not 3 or −1
            with np.errstate(invalid="ignore"):
                found.append(Path(through, slope if short else "", came, local, came * local))
        if found and same(sum(path.sent for path in found), sent).all():
            yield from found
        elif sent is not None:
            yield Path(through, "", came, None, sent)


def mistakes(
    recording: Recording, key: str, right: np.ndarray, ways: list[Path], repair: Chips
) -> Iterator[Mistake]:
    """The usual wrong answers, likely ones first."""
    if len(ways) == 1:
        yield from single(recording.graph.nodes[key].label, right, ways[0], repair)
        yield from swapped(recording, key, ways[0], repair)
    elif ways:
        yield from several(recording.graph.nodes[key].label, right, ways, repair)
    yield Mistake(
        -right, "sign", written(-right), "The sign is turned.",
        f"The size is right and the sign is not: the gradient is {written(right)}.",
        "The size is right and the sign is not.", repair,
    )  # fmt: skip


def single(leaf: str, right: np.ndarray, way: Path, repair: Chips) -> Iterator[Mistake]:
    """Half of the product, or a sum in place of it."""
    came = way.came
    if way.local is not None:
        local, of = written(way.local), f"of {way.through} with respect to {leaf}"
        slope = way.slope or local
        is_slope = f"{way.slope}, the" if way.slope else "the"
        value = "" if way.slope else f", {local}"
        yield Mistake(
            way.local, "local only", formula(way.slope, local),
            "The incoming gradient is missing.",
            f"{local} is {is_slope} local derivative {of}. "
            "Multiply it by the gradient that came in:",
            "You used the local derivative and left out the gradient that came in.", repair,
        )  # fmt: skip
        yield Mistake(
            came, "incoming only", written(came),
            "The local derivative is missing.",
            f"{written(came)} is the gradient that came in. Multiply it by "
            f"{is_slope} local derivative {of}{value}:",
            "You used the gradient that came in and left out the local derivative.", repair,
        )  # fmt: skip
        yield Mistake(
            came + way.local, "added", formula(f"{written(came)} + {slope}", came + way.local),
            "The two are added.",
            f"{written(came + way.local)} is {written(came)} + {local}. The chain rule multiplies:",
            "You added where the chain rule multiplies.", repair,
        )  # fmt: skip
    elif came is not None:
        spread = np.full(right.shape, came) if came.size == 1 else came
        yield Mistake(
            spread, "incoming only", written(came),
            f"{way.through} changes the gradient.",
            f"{written(came)} is what came in at {way.through}; "
            f"what it sends to {leaf} is {written(right)}.",
            f"You said what came in at {way.through}.", repair,
        )  # fmt: skip


def formula(how: str, result: np.ndarray | str) -> str:
    """ "b = 4", or the number alone."""
    words = result if isinstance(result, str) else written(result)
    return f"{how} = {words}" if how and how != words else words


def swapped(recording: Recording, key: str, way: Path, repair: Chips) -> Iterator[Mistake]:
    """What the other inputs of the operation receive."""
    nodes = recording.graph.nodes
    sender = next(e for e in recording.events if key in e.grads_out)
    for other, sent in sender.grads_out.items():
        values = array(sent)
        if other == key or values is None:
            continue
        factor = next((f for f in sender.factors if f.target == other), None)
        slope = factor.text.partition(" = ")[2] if factor else ""
        short = 0 < len(slope) <= 9 and way.came is not None
        how = f"{written(way.came)} · {slope}" if short else ""
        label = recording.graph.result(other).label
        yield Mistake(
            values, "the other input", formula(how, values), "The inputs are swapped.",
            f"{written(values)} is what {label} receives. For {nodes[key].label}:",
            f"You said the gradient of {label}.", repair,
        )  # fmt: skip


def several(leaf: str, right: np.ndarray, ways: list[Path], repair: Chips) -> Iterator[Mistake]:
    """Where paths meet: one of them alone, or a product in place of the sum."""
    times = "twice" if len(ways) == 2 else f"{len(ways)} times"
    for way in ways:
        yield Mistake(
            way.sent, "one path", written(way.sent), "A path is missing.",
            f"{written(way.sent)} comes back through {way.through}. {leaf} is used "
            f"{times}, and what comes back on all paths adds up:",
            "You followed one path; where paths meet, gradients add.", repair,
        )  # fmt: skip
    product = np.prod([way.sent for way in ways], axis=0)
    yield Mistake(
        product, "multiplied", written(product), "The paths are multiplied.",
        "Along a path local derivatives multiply; where paths meet, gradients add:",
        "You multiplied where paths meet.", repair,
    )  # fmt: skip
    if all(way.local is not None for way in ways):
        local = sum(way.local for way in ways)
        yield Mistake(
            local, "local only", written(local), "The incoming gradient is missing.",
            f"{written(local)} is the sum of the local derivatives. "
            "On each path multiply by the gradient that came in, then add:",
            "You added the local derivatives and left out the gradients that came in.", repair,
        )  # fmt: skip


# ------------------------------------------------------------------------------------ the answer


def parse(answer: Any) -> np.ndarray | str:
    """The numbers of an answer in a row, or what is wrong with it; never raises.

    >>> parse("[3, −5]"), parse("3/4"), parse("four")
    (array([ 3., -5.]), array([0.75]), "'four' is not a number.")
    """
    answer = answer.tolist() if hasattr(answer, "tolist") else answer
    text = re.sub(r"[\[\]()]", " ", str(answer).replace("−", "-")).strip(" ,")
    if not text:
        return "There is no number yet."
    found = []
    for each in re.split(r"\s*[,;]\s*", text):
        try:
            found.append(float(Fraction(each) if "/" in each else each))
        except (ValueError, ArithmeticError):
            return f"'{each[:30]}' is not a number."
    return np.array(found)


def read(answer: Any, question: Question) -> np.ndarray | str:
    """The answer in the shape of the gradient, or what is wrong with it."""
    right = question.right
    if right.size == 1 and re.fullmatch(r"\s*[-−+]?\d+,\d+\s*", str(answer)):
        answer = str(answer).replace(",", ".")  # 0,75 as much of the world writes it
    found = parse(answer)
    if isinstance(found, str):
        return found
    if found.size != right.size:
        has = "is one number" if right.size == 1 else f"has {right.size} elements"
        count = f"you gave {found.size}"
        return f"{question.leaf} {has}, and so {has.split()[0]} its gradient; {count}."
    if np.isfinite(right).all() and not np.isfinite(found).all():
        return f"The gradient at {question.leaf} is finite; your answer is not."
    return found.reshape(right.shape)


def explain(said: np.ndarray, question: Question) -> Mistake | None:
    """The mistake that explains all wrong elements, or the first of them."""
    wrong = ~same(said, question.right)
    first = tuple(np.argwhere(wrong)[0])
    for where in (wrong, first):
        for mistake in question.mistakes:
            if same(said, mistake.values)[where].all():
                return mistake
    return None


# ----------------------------------------------------------------------------------- the questions


def program(engine: Any, leaves: Mapping[str, float], result: str) -> dict[str, Any]:
    """The tensors of a built-in question, made by one engine."""
    space = {name: engine.tensor(value, requires_grad=True) for name, value in leaves.items()}
    out = eval(result, {"torch": engine}, space)  # a program of ours, from the table above
    return {**space, "L": out}


@cache
def built_in() -> tuple[Question, ...]:
    """The ten questions, with PyTorch's own answer where it is installed."""
    ours = importlib.import_module("autogradlab")
    try:
        theirs = importlib.import_module("torch")
    except ImportError:
        theirs = None
    out = []
    for leaves, result, leaf in PROGRAMS:
        names = program(ours, leaves, result)
        recording = record_backward(names["L"], names=names)
        others = []
        if theirs is not None:
            twin = program(theirs, leaves, result)
            grad = theirs.autograd.grad(twin["L"], twin[leaf])[0]
            others.append(("PyTorch", summarize(grad)))
        key = next(k for k, n in recording.graph.nodes.items() if n.label == leaf)
        out.append(ask(recording, key, *others))
    return tuple(out)


def questions_of(root: Any, names: Mapping[str, Any], gradient: Any = None) -> tuple[Question, ...]:
    """A question for each leaf of a program, in the order in which the gradients arrive.

    Raises:
        what `root.backward(gradient)` raises; ValueError for leaves of more than 8 elements.
    """
    recording = record_backward(root, gradient, names)
    nodes = recording.graph.nodes
    leaves = [e for e in recording.events if e.accumulated and e.grad_in]
    large = [nodes[e.key].label for e in leaves if e.grad_in.numel not in range(1, MOST + 1)]
    if large:
        raise ValueError(
            f"PredictTheGradient asks for 1 to {MOST} numbers at a time; "
            f"{', '.join(large)} has another size"
        )
    return tuple(ask(recording, e.key) for e in leaves)
