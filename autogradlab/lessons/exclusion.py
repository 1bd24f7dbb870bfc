"""The exercises of lesson 09: who takes part in a graph, half a detach, a network frozen but for
its last layer, and a function whose values leave the graph."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any

import numpy as np

from .exercise import (
    Exercise,
    Mistake,
    _Diagnosis,
    _fits,
    _has_ellipsis,
    _kind,
    _NotTried,
    _read,
    _same,
    _told,
    show,
)

# ------------------------------------------------------------------------------- the truth table


@dataclass(eq=False)
class TruthTable(Exercise):
    """A table of yes and no. A mistake `gives` a whole table, or the name of a row and a column
    whose cell is wrong."""

    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def _examine(self, answer: Any) -> None:
        if isinstance(answer, dict):
            answer = list(answer.values())
        if isinstance(answer, list | tuple) and any(_has_ellipsis(row) for row in answer):
            raise _NotTried
        super()._examine(_numbers(answer))

    def _diagnose(self, you: np.ndarray, case: dict[str, Any]) -> str:
        right = np.array(self.right)
        if _same(you, right):
            return ""
        if not _fits(you, right) or not np.isin(you, (0, 1)).all():
            return f"Write {len(self.rows)} rows of {len(self.columns)} numbers, each 0 or 1."
        wrong = [(self.rows[i], self.columns[j]) for i, j in np.argwhere(you != right)]
        for mistake in self.mistakes:
            table = not isinstance(mistake.gives[0], str)
            if _same(you, np.array(mistake.gives)) if table else mistake.gives == wrong[0]:
                count = "" if table or len(wrong) == 1 else f" ({len(wrong)} cells are not right.)"
                where = "" if table else f"{wrong[0][0]}, {wrong[0][1]}: "
                return f"{where}{mistake.says}{count}"
        return f"{wrong[0][0]}, {wrong[0][1]}: look again at the four states."


def _numbers(answer: Any) -> Any:
    """True and False as 1 and 0, at any depth."""
    if isinstance(answer, list | tuple):
        return [_numbers(each) for each in answer]
    if isinstance(answer, bool | np.bool_) or "bool" in str(getattr(answer, "dtype", "")):
        return answer * 1
    return answer


_GRAD = ".grad is not None"

table = TruthTable(
    "1 · the truth table",
    right=((0, 1, 0), (1, 1, 1), (1, 0, 0), (0, 1, 0), (1, 0, 0)),
    why="Two constants, one leaf that learns, two intermediates that nobody asked to keep theirs.",
    rows=("x", "w", "h", "d", "y"),
    columns=("requires_grad", "is_leaf", _GRAD),
    mistakes=(
        Mistake(
            ((0, 1, 0), (1, 1, 1), (1, 0, 1), (0, 1, 0), (1, 0, 1)),
            "h and y are given a .grad. A gradient passes through them, but only leaves keep it"
            " unasked.",
        ),
        Mistake(
            ((0, 0, 0), (1, 1, 1), (1, 0, 0), (0, 0, 0), (1, 0, 0)),
            "The constants are not counted as leaves. A leaf is what no recorded operation has"
            " made; that is true of them.",
        ),
        Mistake(
            ((0, 1, 0), (1, 1, 1), (1, 0, 0), (1, 0, 0), (1, 0, 0)),
            "d is taken for an intermediate. detach() gives the value without its past: no"
            " recorded operation made d.",
        ),
        Mistake(
            ((0, 1, 0), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 1, 0)),
            "y is taken for a constant because d is one. One input that requires a gradient is"
            " enough, and h does.",
        ),
        Mistake(("x", "requires_grad"), "nobody asked for a gradient of x."),
        Mistake(("x", "is_leaf"), "no recorded operation made x."),
        Mistake(("x", _GRAD), "backward fills .grad only where a gradient is required."),
        Mistake(("w", "requires_grad"), "it says so where w is made."),
        Mistake(("w", "is_leaf"), "w was made by you, not by an operation."),
        Mistake(("w", _GRAD), "one path leads from y to w, through h. Detaching cuts the other."),
        Mistake(("h", "requires_grad"), "one of the inputs of the product requires a gradient."),
        Mistake(("h", "is_leaf"), "a recorded product made h."),
        Mistake(("h", _GRAD), "h is no leaf, and retain_grad() was not called on it."),
        Mistake(("d", "requires_grad"), "a detached tensor asks for no gradient."),
        Mistake(("d", "is_leaf"), "detach() leaves the history behind; d was made by no node."),
        Mistake(("d", _GRAD), "to the graph d is a constant; no gradient goes to it."),
        Mistake(("y", "requires_grad"), "one of its inputs, h, requires a gradient."),
        Mistake(("y", "is_leaf"), "a recorded product made y."),
        Mistake(("y", _GRAD), "y is no leaf: its gradient is passed on, not kept."),
    ),
)

# ------------------------------------------------------------------------------- half a detach

half = Exercise(
    "2 · half of it detached",
    right=4,
    why="3 from x · 3, nothing from the square, 1 from + x.",
    mistakes=(
        Mistake(13, "Nothing is detached in {you}. Where it says detach() there is a constant."),
        Mistake(
            7,
            "The product is taken to be x². One of its two factors is detached: only the path"
            " through the other is left.",
        ),
        Mistake(
            10,
            "The square is not left out. x.detach()² is a constant: its derivative is none.",
        ),
        Mistake(
            1,
            "The product is left out as a whole. Only one of its factors is detached; the other is"
            " still x.",
        ),
        Mistake(3, "The last term is missing. + x is not detached."),
        Mistake(21, "{you} is the value of y. The question is what arrives at x."),
        Mistake(0, "Not all paths are cut. Look for an x without a detach()."),
    ),
)

# ---------------------------------------------------------------------------- freeze all but fc


MOST = 1000  # things in a list that is looked at: one without end would fill the memory


def _engines() -> Iterator[ModuleType]:
    """The engines that an answer may have been written for, the lesson's own first."""
    import autogradlab

    yield autogradlab
    if "torch" in sys.modules:
        yield sys.modules["torch"]


def small_network(engine: ModuleType) -> Any:
    """A network with the names of a ResNet, and few parameters; a notebook's random numbers stay
    as they are."""
    nn = engine.nn
    before = engine.get_rng_state()

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 2, 3)
            self.bn1 = nn.BatchNorm2d(2)
            self.layer1 = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU())
            self.fc = nn.Linear(2, 3)

        def forward(self, x: Any) -> Any:
            return self.fc(self.layer1(self.bn1(self.conv1(x))).mean((2, 3)))

    try:
        engine.manual_seed(0)
        return Small()
    finally:
        engine.set_rng_state(before)


class FineTune(Exercise):
    """The answer is a function that freezes a model but for `fc` and returns what learns."""

    def _examine(self, answer: Any) -> None:
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not callable(answer):
            raise _Diagnosis(f"Hand over the function by its name; this is {_kind(answer)}.")
        for frozen_before in (False, True):
            self._try(answer, frozen_before)

    def _try(self, answer: Any, frozen_before: bool) -> None:
        failures = []
        for engine in _engines():
            model = small_network(engine).requires_grad_(not frozen_before)
            own = dict(model.named_parameters())
            try:
                got = answer(model)
                if _has_ellipsis(got):
                    raise _NotTried
                handed = None if got is None else list(islice(_flat(got), MOST))
            except (_NotTried, _Diagnosis):
                raise
            except Exception as error:
                failures.append(error)
                continue
            self._look_at_flags(model, own, frozen_before)
            if handed is None:
                raise _Diagnosis(
                    "The flags are right. The function returned None; end it with return."
                )
            self._look_at_list(handed, own)
            return
        raise _Diagnosis(f"The function raised {_told(failures[0])}")

    def _look_at_flags(self, model: Any, own: dict[str, Any], frozen_before: bool) -> None:
        now = dict(model.named_parameters())
        if any(now.get(name) is not parameter for name, parameter in own.items()):
            raise _Diagnosis("A parameter of the model was replaced. Here it keeps its own fc.")
        learns = {name for name, parameter in own.items() if parameter.requires_grad}
        wanted = {"fc.weight", "fc.bias"}
        if learns == wanted:
            return
        if "requires_grad" in vars(model) | vars(model.fc):
            raise _Diagnosis(
                "A module has no requires_grad of its own: the assignment made a new attribute,"
                " which no parameter reads. Use requires_grad_(…), with the underscore, or a loop"
                " over the parameters."
            )
        start = "For a model that was frozen before: " if frozen_before else ""
        if not learns:
            raise _Diagnosis(f"{start}Everything is frozen, fc as well. Let fc learn again.")
        if len(learns) == len(own):
            raise _Diagnosis("Nothing is frozen. All parameters still require a gradient.")
        if not learns & wanted:
            raise _Diagnosis("It is the other way round: fc is frozen, and the rest learns.")
        for name in sorted(learns - wanted):
            raise _Diagnosis(f"{name} still learns. Only fc should.")
        (name,) = wanted - learns
        raise _Diagnosis(f"{name} is frozen. Both tensors of fc should learn.")

    def _look_at_list(self, handed: list[Any], own: dict[str, Any]) -> None:
        names = {id(parameter): name for name, parameter in own.items()}
        given = []
        for each in handed:
            if isinstance(each, str):
                raise _Diagnosis(
                    f"The list has names in it, {each[:20]!r}. An optimizer wants the tensors."
                )
            if id(each) not in names:
                raise _Diagnosis(f"The list holds something that is no parameter: {_kind(each)}.")
            given.append(names[id(each)])
        frozen = [name for name in given if not name.startswith("fc.")]
        if frozen:
            raise _Diagnosis(
                f"The flags are right, but of the {len(given)} tensors for the optimizer"
                f" {len(frozen)} are frozen. Leave those out."
            )
        if missing := {"fc.weight", "fc.bias"} - set(given):
            left_out = " and ".join(sorted(missing))
            raise _Diagnosis(f"The flags are right, but the optimizer does not get {left_out}.")
        if len(given) != 2:
            raise _Diagnosis("A tensor is in the list twice.")


def _flat(got: Any) -> Iterator[Any]:
    """The tensors for an optimizer, in any form that one takes."""
    if hasattr(got, "named_parameters"):
        raise _Diagnosis("That is a module. An optimizer wants its parameters, in a list.")
    if hasattr(got, "grad_fn"):
        raise _Diagnosis("That is one tensor. An optimizer wants a list of them.")
    if not isinstance(got, Iterable):
        raise _Diagnosis(f"Return a list of parameters; this is {_kind(got)}.")
    for each in got:
        if isinstance(each, dict) and "params" in each:
            yield from _flat(each["params"])
        elif isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str):
            yield each[1]  # a pair of named_parameters()
        else:
            yield each


fine_tune = FineTune(
    "3 · freeze all but fc",
    right=None,  # what the flags are afterwards is looked at
    why="Only fc.weight and fc.bias learn, and the optimizer gets those two.",
    mistakes=(),
)

# -------------------------------------------------------------------------- the accidental detach

GIVEN = """\
def spread(w, x):
    h = torch.tanh(w * x)
    top = h.max().item()
    below = h - top
    size = torch.tensor((below**2).tolist())
    with torch.no_grad():
        scale = 1 + w**2
    return (size * scale + below * below.data).sum()
"""
# Where values leave the graph: the line that does it and how it reads when mended; what to say.
PLACES = {
    "top": (
        ("h.max().item()", "h.max()"),
        "top has no history. What item(), float() or detach() returns is a constant to the graph.",
    ),
    "size": (
        ("torch.tensor((below**2).tolist())", "below**2"),
        "size has no history. What is made anew from a list does not know where its numbers came"
        " from.",
    ),
    "scale": (
        ("with torch.no_grad():", "if True:"),
        "w has a part in scale, and that path is cut. Under no_grad nothing is recorded, and a"
        " detached w is a constant.",
    ),
    "below.data": (
        ("below.data", "below"),
        "one factor in the last line is cut off, as .data and detach() do.",
    ),
}


def version(engine: ModuleType, cut: Iterable[str] = ()) -> Any:
    """The function of exercise 4 with some of its places still cut."""
    text = GIVEN
    for name, (change, _) in PLACES.items():
        text = text if name in cut else text.replace(*change)
    names: dict[str, Any] = {"torch": engine}
    exec(text, names)
    return names["spread"]


class Mend(Exercise):
    """The answer is `spread`, mended: the same number, and the gradients of w and x."""

    def _examine(self, answer: Any) -> None:
        if answer is None or _has_ellipsis(answer) or _unchanged(answer):
            raise _NotTried
        if not callable(answer):
            raise _Diagnosis(f"Hand over the function by its name; this is {_kind(answer)}.")
        for w, x in (([0.5, -1.0, 2.0], [1.0, 0.5, -0.3]), ([0.2, 0.9], [-2.0, 1.5])):
            self._try(answer, w, x)

    def _try(self, answer: Any, w: list[float], x: list[float]) -> None:
        failures = []
        for engine in _engines():
            try:
                value, found = measured(answer, engine, w, x)
            except (_NotTried, _Diagnosis):
                raise
            except Exception as error:
                failures.append(error)
                continue
            right, wanted = measured(version(engine), engine, w, x)
            if not _same(value, right):
                raise _Diagnosis(
                    f"The number has changed: for w = {show(np.array(w))} and x ="
                    f" {show(np.array(x))} it was {show(right)} and is {show(value)}. Only the"
                    " gradients were wrong."
                )
            if not _same(found, wanted):
                raise _Diagnosis(still_cut(found, engine, w, x))
            return
        raise _Diagnosis(f"The function raised {_told(failures[0])}")


def measured(
    function: Any, engine: ModuleType, w: list[float], x: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The number, and the gradients of w and x, 0 where none arrives."""
    leaves = [engine.tensor(each, requires_grad=True) for each in (w, x)]
    value = function(*leaves)
    if value is None:
        raise _Diagnosis("The function returned None. End it with return.")
    if _has_ellipsis(value):
        raise _NotTried
    if not hasattr(value, "grad_fn"):
        raise _Diagnosis(f"The function returns one tensor; this is {_kind(value)}.")
    if value.grad_fn is None:
        raise _Diagnosis("Now all of it is cut: the result has no grad_fn.")
    value.backward()
    grads = [np.zeros(len(w)) if leaf.grad is None else _read(leaf.grad) for leaf in leaves]
    return _read(value), np.stack(grads)


def still_cut(found: np.ndarray, engine: ModuleType, w: list[float], x: list[float]) -> str:
    """Which of the places must still be cut for these gradients to come out."""
    for count in range(1, len(PLACES) + 1):
        for cut in itertools.combinations(PLACES, count):
            if _same(found, measured(version(engine, cut), engine, w, x)[1]):
                start = (
                    "One place still cuts the graph"
                    if count == 1
                    else f"{count} places still cut the graph. One of them"
                )
                return f"{start}: {PLACES[cut[0]][1]}"
    right = measured(version(engine), engine, w, x)[1]
    i = 0 if not _same(found[0], right[0]) else 1
    return (
        f"The number is right, the gradient of {'wx'[i]} is not: it is {show(found[i])}, and by"
        f" nudges {show(right[i])}."
    )


def _unchanged(answer: Any) -> bool:
    """Whether this is the function as the lesson has it."""
    import autogradlab

    own, code = version(autogradlab, PLACES).__code__, getattr(answer, "__code__", None)
    if code is None:
        return False
    parts = [(each.co_code, each.co_names, each.co_consts) for each in (code, own)]
    return parts[0] == parts[1]


spread = Mend(
    "4 · find the accidental detach",
    right=None,  # what its gradients are is measured
    why="The same number, and gradients that agree with nudges.",
    mistakes=(),
)
