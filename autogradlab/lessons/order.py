"""The exercises of lesson 07: a reverse-mode engine in five steps, each checked by itself.

A step is tried on stand-ins for the learner's values, so that a later step can be checked before an
earlier one is solved, where it does not call it. Gradients are compared with those PyTorch computes
at that moment, or this package's where it is not installed.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from .. import engine
from ..graphs.numbers import number
from ..twin import torch_or_none
from .exercise import Exercise, Verdict, _Diagnosis, _has_ellipsis, _kind, _NotTried, _told

DEPTH = 3000  # of a chain, more than Python's recursion allows
VISITS = 20_000  # reads of `parents` that no reasonable way needs, for 40 values

# ------------------------------------------------------------------------------ what steps try


class Dot:
    """A stand-in for a learner's value. It counts how often anyone asks for parents."""

    visits = 0

    def __init__(self, data: float, parents: Sequence[Dot] = (), op: str = "", name: str = ""):
        self.data, self.op, self.grad = float(data), op, 0.0
        self.name, self._parents = name, tuple(parents)

    @property
    def parents(self) -> tuple[Dot, ...]:
        Dot.visits += 1
        if Dot.visits > VISITS:
            raise _Diagnosis(
                "A shared value is visited once for every path that leads to it: a chain of 18 "
                "values, each used twice by the next, has 262144 paths. Visit each value once: "
                "remember which you have seen, or go through order(root)."
            )
        return self._parents

    def __repr__(self) -> str:
        return self.name

    def __add__(self, other: Dot) -> Dot:
        return Dot(self.data + other.data, (self, other), "+", f"{self.name} + {other.name}")

    def __mul__(self, other: Dot) -> Dot:
        return Dot(self.data * other.data, (self, other), "*", f"{self.name}·{other.name}")

    def __pow__(self, n: float) -> Dot:
        power = Dot(n, name=f"the exponent {n:g}")
        return Dot(self.data**n, (self, power), "**", f"({self.name})^{n:g}")


def diamond(a: Any, b: Any) -> Any:
    p = a * b
    return p + p**2


def unequal(a: Any, b: Any) -> Any:
    p = a * b
    return p + (p * a + b) ** 2


PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    "a · b": lambda a, b: a * b,
    "a³ + b": lambda a, b: a**3 + b,
    "a · a + b": lambda a, b: a * a + b,
    "p + p² with p = a · b": diamond,
    "p + (p · a + b)² with p = a · b": unequal,
    "a · a + a · b · b + a · a": lambda a, b: a * a + a * b * b + a * a,
}
A, B = 2.0, 3.0


def leaves() -> tuple[Dot, Dot]:
    Dot.visits = 0
    return Dot(A, name="a"), Dot(B, name="b")


def doubled() -> tuple[Dot, Dot]:
    """A leaf, and what 18 sums of a value with itself make of it."""
    a, _ = leaves()
    p = a
    for _ in range(18):
        p = p + p
    return a, p


def reference() -> tuple[Any, str]:
    """The engine that says what is right, and its name."""
    torch = torch_or_none()
    if torch is not None:
        return torch, "PyTorch"
    import autogradlab

    return autogradlab, "autogradlab"


def gradients(program: Callable[[Any, Any], Any], *values: float) -> list[float]:
    """The gradients of a and b, from the reference engine."""
    torch, _ = reference()
    leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
    program(*leaves).backward()
    return [0.0 if leaf.grad is None else leaf.grad.item() for leaf in leaves]


def same(x: Any, y: float) -> bool:
    return math.isclose(float(x), y, rel_tol=1e-6, abs_tol=1e-9)


@dataclass(eq=False)
class Step(Exercise):
    """An exercise whose answer is a piece of the engine, tried by a function of its own that
    returns when it is right and raises a diagnosis when it is not."""

    tried: Callable[[Any], None] | None = None

    def check(self, answer: Any) -> Verdict:
        _, name = reference()  # to import it may take longer than an answer may run
        verdict = super().check(answer)
        return Verdict(verdict.state, verdict.text.replace("{engine}", name))

    def _examine(self, answer: Any) -> None:
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not callable(answer):
            raise _Diagnosis(f"Hand over the name alone; this is {_kind(answer)}.")
        try:
            self.tried(answer)
        except (_NotTried, _Diagnosis):
            raise
        except NameError as error:
            raise _Diagnosis(
                f"{_told(error)}. Is it spelt right, and has the cell that makes it been run?"
            ) from None
        except RecursionError:
            raise _Diagnosis(
                "It calls itself, and Python allows about a thousand such calls inside each other; "
                "real graphs are deeper. Use a while loop and a list of what is still to be done."
            ) from None
        except Exception as error:
            if "ellipsis" in str(error):
                words = "Dots are left, in this cell or in a step that it calls."
                raise _Diagnosis(words) from None
            words = f"It raised {_told(error)}"
            if "no attribute 'data'" in words:
                words += ". A plain number stands where a Value should."
            raise _Diagnosis(words) from None


def step(title: str, why: str) -> Callable[[Callable[[Any], None]], Step]:
    """Make an exercise of the function that tries an answer."""
    return lambda tried: Step(title, right=None, why=why, mistakes=(), tried=tried)


def need(holds: Any, words: str) -> None:
    if not holds:
        raise _Diagnosis(words)


def unpacked(pair: Any) -> Any:
    """An array or a tensor as a list, and one number of either kind as a plain number."""
    pair = pair.tolist() if hasattr(pair, "tolist") else pair
    if isinstance(pair, tuple | list):
        return [each.item() if hasattr(each, "item") else each for each in pair]
    return pair


def plain(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


# --------------------------------------------------------------------------------------- step 1


@step(
    "1 · a value that remembers",
    "Each result knows its parents and its op, and the numbers are those of {engine}.",
)
def remember(Value: Any) -> None:
    a, b = Value(A), Value(B)
    made = {"a + b": a + b, "a * b": a * b, "a ** 3": a**3}
    still = [text for text, value in made.items() if value is ...]
    if len(still) == 3:
        raise _NotTried
    verb = "gives" if len(still) == 1 else "give"
    need(not still, f"{' and '.join(still)} still {verb} the dots.")
    torch, _ = reference()
    x, y = (torch.tensor(v, dtype=torch.float64) for v in (A, B))
    right = {"a + b": x + y, "a * b": x * y, "a ** 3": x**3}
    ops = {"a + b": "+", "a * b": "*", "a ** 3": "**"}
    for text, value in made.items():
        need(value is not None, f"{text} gives None. End the method with return.")
        need(
            not plain(value),
            f"{text} gives the plain number {value}, which has forgotten where it came from. Make "
            "a Value of it.",
        )
        need(isinstance(value, Value), f"{text} gives {_kind(value)}; it must be a new Value.")
        need(value not in (a, b), f"{text} gives an input back; make a new Value.")
        need(plain(value.data), f"The data of {text} is {_kind(value.data)}; it must be a number.")
        need(
            same(value.data, right[text].item()),
            f"With a = 2 and b = 3, {text} has the data {number(value.data)}.",
        )
        _parents(text, value.parents, a, b)
        need(value.op, f"{text} has no op: later nobody knows which rule to use. Give it, as text.")
        need(
            value.op == ops[text],
            f"The op of {text} is {value.op!r}; the lesson calls it {ops[text]!r}.",
        )
    need((a.data, b.data) == (A, B), "The inputs have changed. An operation makes a new Value.")
    need(same(unequal(a, b).data, unequal(x, y).item()), "(a * b + …) ** 2 has the wrong data.")


def _parents(text: str, parents: Any, a: Any, b: Any) -> None:
    need(
        isinstance(parents, tuple | list),
        f"The parents of {text} are {_kind(parents)}; give a tuple of two.",
    )
    need(parents, f"{text} remembers no parents: the way back from it is lost.")
    first, *rest = parents
    need(
        not plain(first),
        f"The parents of {text} are plain numbers. Keep the Values themselves: "
        "their .grad is where the gradient has to go.",
    )
    need(
        len(parents) == 2,
        f"{text} has {len(parents)} parent{'s' * (len(parents) != 1)}; here "
        "every operation has two (of a power, the second is its exponent).",
    )
    if text != "a ** 3":
        need(set(map(id, parents)) == {id(a), id(b)}, f"The parents of {text} are not a and b.")
        need(first is a, f"The parents of {text} are in the wrong order.")
        return
    need(first is a, "The first parent of a ** 3 is not a itself.")
    need(
        not plain(rest[0]),
        "The exponent in a ** 3 is a plain number. Make a Value of it, so "
        "that every parent is one.",
    )
    need(same(rest[0].data, 3.0), f"The exponent of a ** 3 has the data {number(rest[0].data)}.")


# --------------------------------------------------------------------------------------- step 2

OPS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "**": lambda a, b: a**b,
}
SLIPS: dict[str, list[tuple[Callable[..., Any], str]]] = {  # what a wrong pair was made of
    "+": [
        (
            lambda g, a, b: (1, 1),
            "The incoming gradient is missing. {you} are the local derivatives"
            "; what is sent is {g} times each.",
        ),
        (lambda g, a, b: (g * b, g * a), "That is the rule of a product; + copies."),
        (lambda g, a, b: (g / 2, g / 2), "The gradient is shared out. + sends all of it to both."),
    ],
    "*": [
        (
            lambda g, a, b: (b, a),
            "The incoming gradient is missing. {you} are the local derivatives"
            "; what is sent is {g} times each.",
        ),
        (
            lambda g, a, b: (g * a, g * b),
            "The inputs are not swapped: what does a nudge of a do to a · b?",
        ),
        (lambda g, a, b: (g, g), "That is the rule of a sum; the local derivatives are missing."),
    ],
    "**": [
        (lambda g, a, b: (b * a ** (b - 1), 0), "The incoming gradient is missing in {you}."),
        (
            lambda g, a, b: (g * a ** (b - 1), 0),
            "The exponent comes down in front as a factor; in {you} it is lost.",
        ),
        (lambda g, a, b: (g * b * a**b, 0), "The exponent is not lowered by 1 in {you}."),
        (
            lambda g, a, b: (g * b * a**b - 1, 0),
            "Python reads a ** b - 1 as (a ** b) - 1. Put the new exponent in parentheses.",
        ),
        (lambda g, a, b: (g * b * a, 0), "That is the rule of a square; this exponent is {b}."),
        (lambda g, a, b: (g * 2 * a, 0), "That is the rule of a square; this exponent is {b}."),
        (lambda g, a, b: (g * b, g * a), "That is the rule of a product."),
    ],
}


@step("2 · local rules", "In 9 cases it sends what {engine} sends.")
def rules(local: Any) -> None:
    for op, rule in OPS.items():
        for g, a, b in ((6.0, 3.0, 4.0), (-1.0, 0.5, 4.0), (2.0, 3.0, 2.0)):
            sent = unpacked(local(op, g, a, b))
            if sent is ... or (isinstance(sent, tuple | list) and ... in list(sent)):
                raise _NotTried
            where = f"For op {op!r}, g = {number(g)}, a = {number(a)}, b = {number(b)}: "
            need(sent is not None, f"{where}it returned None. Which case has no return?")
            two = isinstance(sent, tuple | list)
            need(two, f"{where}return two numbers; this is {_kind(sent)}.")
            need(len(sent) == 2, f"{where}return two numbers; these are {len(sent)}.")
            first, second = (0.0 if each is None else each for each in sent)
            need(plain(first) and plain(second), f"{where}these are not two numbers.")
            right = gradients(lambda x, y, g=g, rule=rule: g * rule(x, y), a, b)
            if same(first, right[0]) and (same(second, right[1]) or (op == "**" and not second)):
                continue
            _slip(where, op, (first, second), g, a, b)


def _slip(where: str, op: str, sent: tuple[float, float], g: float, a: float, b: float) -> None:
    you = f"{number(sent[0])} and {number(sent[1])}"
    for gives, says in SLIPS[op]:
        if all(map(same, sent, gives(g, a, b))):
            raise _Diagnosis(where + says.format(you=you, g=number(g), b=number(b)))
    if op == "**" and same(sent[0], g * b * a ** (b - 1)):
        raise _Diagnosis(f"{where}the exponent is a constant: send it 0, not {number(sent[1])}.")
    rule = "The rule is in the text of this step" if op == "**" else "Lesson 04 has these rules"
    raise _Diagnosis(f"{where}{you} are not what is sent. {rule}.")


# --------------------------------------------------------------------------------------- step 3


@step(
    "3 · the order",
    "Every value stands after all that were computed from it, in 8 graphs, one 3000 deep.",
)
def sort(order: Any) -> None:
    for text, program in PROGRAMS.items():
        _sorted(order, program(*leaves()), f"In {text}, ")
    _sorted(order, doubled()[1], "In a chain of sums p + p, ")
    p, b = leaves()
    for _ in range(DEPTH):
        p = p + b
    Dot.visits = -10 * DEPTH
    _sorted(order, p, f"In a chain {DEPTH} long, ")


def _sorted(order: Any, root: Dot, where: str) -> None:
    found = order(root)
    if found is ...:
        raise _NotTried
    need(found is not None, "It returned None. End it with return.")
    if isinstance(found, Iterator):
        found = list(found)
    need(isinstance(found, list | tuple), f"Return a list; this is {_kind(found)}.")
    need(all(isinstance(v, Dot) for v in found), "The list holds other things than values.")
    names = {id(v): _short(v) for v in found}
    every = {id(v): v for v in _all(root)}
    for v in found:
        times = sum(each is v for each in found) if len(found) < 100 else 1
        need(
            times == 1,
            f"{where}{_short(v)} is {times} times in the list, so it would run "
            f"{times} times. Each value belongs there once.",
        )
    need(len({*names}) == len(found), f"{where}a value is in the list more than once.")
    lost = [v for key, v in every.items() if key not in names]
    need(not lost, f"{where}{_short(lost[0]) if lost else ''} is missing in the list.")
    early = _too_early(found)
    if early and not _too_early(found[::-1]):
        raise _Diagnosis(
            f"{where}that is the forward order, with the root at the end. Backward "
            "begins at the root."
        )
    if early:
        value, user = early
        raise _Diagnosis(
            f"{where}{_short(value)} comes before {_short(user)}, which was computed "
            "from it. It would run before that gradient has arrived."
        )


def _short(value: Dot) -> str:
    return value.name if len(value.name) < 30 else f"the value {number(value.data)}"


def _all(root: Dot) -> list[Dot]:
    seen, stack = {id(root): root}, [root]
    while stack:
        for parent in stack.pop()._parents:
            if id(parent) not in seen:
                seen[id(parent)] = parent
                stack.append(parent)
    return list(seen.values())


def _too_early(found: Sequence[Dot]) -> tuple[Dot, Dot] | None:
    """A value that stands before one that was computed from it, and that one."""
    place = {id(v): i for i, v in enumerate(found)}
    for user in found:
        for value in user._parents:
            if place[id(value)] < place[id(user)]:
                return value, user
    return None


# --------------------------------------------------------------------------------------- step 4


@step("4 · backward", "Its gradients are {engine}'s in 7 graphs, also when it runs twice.")
def run(backward: Any) -> None:
    again = []
    for text, program in PROGRAMS.items():
        a, b = leaves()
        root = program(a, b)
        try:
            left = backward(root)
        except KeyError as error:
            raise _Diagnosis(
                f"For {text}: when the turn of {error.args[0]} came, nothing had arrived there. "
                "Does every value put what it sends under its parents? Is step 3 right?"
            ) from None
        if left is ... and not (a.grad or b.grad):  # else it is only a forgotten line
            raise _NotTried
        right, where = gradients(program, A, B), f"For {text}: "
        _compare((a.grad, b.grad), right, program, where)
        again.append((root, a, b, right, where))
    for root, a, b, right, where in again:
        backward(root)
        _twice((a.grad, b.grad), right, where)
    a, root = doubled()
    backward(root)
    need(same(a.grad, 2**18), f"In a chain of 18 sums p + p, a.grad is {number(a.grad)}.")


def _compare(
    you: tuple[Any, Any], right: list[float], program: Callable[[Any, Any], Any], where: str
) -> None:
    need(all(map(plain, you)), f"{where}.grad is {_kind(you[0])}; it must be a number.")
    if all(map(same, you, right)):
        return
    shown = f"a.grad is {number(you[0])} and b.grad {number(you[1])}"
    need(any(you), f"{where}every .grad is still 0. Does the pass start with a gradient of 1.0 at "
    "the root, and does a leaf add what arrives to its .grad?")  # fmt: skip
    for slip, says in ENGINES:
        a, b = leaves()
        slip(program(a, b))
        if all(map(same, you, (a.grad, b.grad))):
            raise _Diagnosis(f"{where}{shown}. {says}")
    times = you[0] / right[0]
    need(
        not all(same(x, times * y) for x, y in zip(you, right, strict=True)),
        f"{where}{shown}. All are {number(times)} times what they should be. The root is given "
        "1.0, once.",
    )
    raise _Diagnosis(f"{where}{shown}, and {reference()[1]} has other numbers. Compare what each "
                     "value receives with lesson 04.")  # fmt: skip


def _twice(you: tuple[float, float], right: list[float], where: str) -> None:
    if all(same(x, 2 * y) for x, y in zip(you, right, strict=True)):
        return
    shown = f"after a second call a.grad is {number(you[0])} and b.grad {number(you[1])}"
    if all(map(same, you, right)):
        raise _Diagnosis(f"{where}{shown}, as after the first. A leaf's .grad accumulates: what "
                         "arrives is added to what is there.")  # fmt: skip
    raise _Diagnosis(
        f"{where}{shown}: not twice the first. Gradients of the first call are still lying about "
        "on values in between. Only leaves keep theirs; what is on its way begins at nothing."
    )


def _send(value: Dot, g: float) -> list[tuple[Dot, float]]:
    if not value.op:
        return []
    a, b = (p.data for p in value._parents)
    sent = {"+": (g, g), "*": (g * b, g * a), "**": (g * b * a ** (b - 1), 0.0)}[value.op]
    return list(zip(value._parents, sent, strict=True))


def _assigns(root: Dot) -> None:
    root.grad = 1.0
    for value in sorted(_all(root), key=_depth, reverse=True):
        for parent, g in _send(value, value.grad):
            parent.grad = g


def _depth(value: Dot) -> int:
    return 1 + max(map(_depth, value._parents), default=0)


def _too_soon(newest: bool, late: bool) -> Callable[[Dot], None]:
    """An engine that runs values as it meets them, each once. What comes after a leaf's turn is
    added all the same if `late`, else lost."""

    def engine(root: Dot) -> None:
        stack, met, arrived = [root], [], {id(root): 1.0}
        while stack:
            value = stack.pop() if newest else stack.pop(0)
            if value not in met:
                met.append(value)
                stack += value._parents
        for value in met:
            g = arrived.pop(id(value), 0.0)
            value.grad += 0.0 if value.op or late else g
            for parent, sent in _send(value, g):
                arrived[id(parent)] = arrived.get(id(parent), 0.0) + sent
                parent.grad += sent if late else 0.0

    return engine


def _again(root: Dot, first: bool = True) -> None:
    if first:
        root.grad = 1.0
    for parent, g in _send(root, root.grad):
        parent.grad += g
        _again(parent, False)


ORDER = (
    "A value has run before all its gradients had arrived: go through order(root), not through the "
    "parents as they come."
)
ENGINES: list[tuple[Callable[[Dot], None], str]] = [
    (_assigns, "Where two gradients meet, only the last one is kept: = replaces. Add with +=."),
    *((_too_soon(*how), ORDER) for how in itertools.product((True, False), repeat=2)),
    (
        _again,
        "A shared value has run once for each path and sent its earlier gradients again. It runs "
        "once, when all have arrived.",
    ),
]

# --------------------------------------------------------------------------------------- step 5

XS, YS, STEPS, RATE = (-1.0, 0.0, 1.0, 2.0), (-1.5, 1.0, 2.5, 5.5), 8, 0.05


def fitted(
    zero: bool = True, rate: float = RATE, mean: bool = False, points: int = len(XS),
    steps: int = STEPS, power: int = 2, moved: str = "wb",
) -> tuple[float, float]:  # fmt: skip
    """What the reference engine has learned, right or with a slip."""
    torch, _ = reference()
    w, b = (torch.tensor(0.0, dtype=torch.float64, requires_grad=True) for _ in range(2))
    for _ in range(steps):
        if zero:
            w.grad = b.grad = None
        pairs = list(zip(XS, YS, strict=True))[-points:]
        loss = sum((w * x + b - y) ** power for x, y in pairs)
        (loss / len(pairs) if mean else loss).backward()
        with torch.no_grad():
            w -= rate * w.grad * ("w" in moved)
            b -= rate * b.grad * ("b" in moved)
    return w.item(), b.item()


@step("5 · train with it", "The w and b are those of {engine}, trained the same way.")
def fit(train: Any) -> None:
    learned = unpacked(train(list(XS), list(YS), STEPS, RATE))
    if learned is ... or (isinstance(learned, tuple | list) and any(e is ... for e in learned)):
        raise _NotTried
    need(learned is not None, "It returned None. End it with return.")
    need(isinstance(learned, tuple | list) and len(learned) == 2, "Return two numbers, w and b.")
    you = tuple(getattr(each, "data", each) for each in learned)
    need(all(map(plain, you)), f"Return numbers; these are {_kind(you[0])}.")
    shown = f"w = {number(you[0])}, b = {number(you[1])}"
    need(any(you), f"{shown}: nothing was learned. Is .grad emptied before backward, not after, "
    "and does the step change w.data and b.data?")  # fmt: skip
    slips = {
        "The gradients of earlier steps are still in .grad and are added in again. Set both to 0 "
        "in every step, before backward.": {"zero": False},
        "The step goes uphill: take rate times the gradient away.": {"rate": -RATE},
        "The gradient was not multiplied by rate.": {"rate": 1.0},
        "The errors are not squared.": {"power": 1},
        "b has not moved.": {"moved": "w"},
        "w has not moved.": {"moved": "b"},
        "Both moved in the first step only. Change w.data and b.data: a new w = w + … is no leaf, "
        "and nothing is kept in its .grad.": {"steps": 1},
        "That is the mean of the squared errors; the lesson asks for their sum.": {"mean": True},
        "The loss has the last point only: add up all four.": {"points": 1},
        "There is one step too few.": {"steps": STEPS - 1},
        "There is one step too many.": {"steps": STEPS + 1},
    }
    if all(map(same, you, fitted())):
        return
    need(not all(map(same, you, fitted()[::-1])), "The two are exchanged: first w, then b.")
    need(
        not all(same(-x, y) for x, y in zip(you, fitted(), strict=True)),
        "The sign of y is lost: the error is w · x + b − y.",
    )
    for says, slip in slips.items():
        if all(map(same, you, fitted(**slip))):
            raise _Diagnosis(f"{shown}. {says}")
    need(all(map(math.isfinite, you)), f"{shown} is not finite: the numbers have run away.")
    raise _Diagnosis(f"{shown}, and {reference()[1]} learns other numbers. Print the loss of every "
                     "step: does it fall?")  # fmt: skip


# ---------------------------------------------------------------------------------- side by side

# What both engines do; how a learner may have written it; and a piece of the line in ours.
LANDMARKS = (
    ("the order", ("order(",), "order, missing = reachable("),
    ("what is on its way", ("arrived =", "arrived: "), "arrived: dict"),
    ("the first gradient", ("1.0", "= 1"), "deliver(root, g)"),
    ("the next node", ("for ", "while "), "ready.popleft() if ready else order.pop()"),
    ("its local rule", ("local(",), "out = run(node, g, wanted)"),
    ("+=", (".get(", "+="), "arrived[node] = g if before is None"),
    ("each goes to its parent", ("zip(", "for parent"), "zip(node.parents, out, strict=True)"),
)


class Beside:
    """The learner's `backward` and the package's, idea by idea.

    >>> def backward(root):
    ...     root.grad = 1.0
    >>> print(repr(Beside(backward)).splitlines()[0])
    the order
    """

    def __init__(self, yours: Callable[..., Any], ours: Callable[..., Any] = engine.backward):
        mine, theirs = _lines(yours), _lines(ours)
        self.rows = [
            (
                idea,
                next((x for word in words for x in mine if word in x), "–"),
                next(x for x in theirs if piece in x),
            )
            for idea, words, piece in LANDMARKS
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{i}\n    yours  {a}\n    ours   {b}" for i, a, b in self.rows)

    def _repr_html_(self) -> str:
        left = "text-align:left;vertical-align:top"
        heads = "".join(f"<th style='{left}'>{word}</th>" for word in ("", "yours", "ours"))
        rows = [
            f"<tr><td style='{left}'>{escape(idea)}</td>"
            + "".join(f"<td style='{left}'><code>{escape(x)}</code></td>" for x in both)
            + "</tr>"
            for idea, *both in self.rows
        ]
        return f"<table><tr>{heads}</tr>{''.join(rows)}</table>"


def _lines(function: Callable[..., Any]) -> list[str]:
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):  # not written in a cell or a file
        return []
    return [line.partition("  #")[0].strip() for line in source.splitlines()]
