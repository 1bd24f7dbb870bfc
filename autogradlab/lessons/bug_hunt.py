"""The exercises of lesson 16: what is wrong with the networks of `broken.py`, and mending five.

An answer is the part of a network that has the bug, mended. It is put into the rest of the network,
trained for a while, and the evidence of the training is read as the Gradient Detective reads it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

import autogradlab

from ..graphs.evidence import Evidence, train_step
from ..graphs.numbers import number
from ..graphs.suspects import SUSPECTS, Finding, findings
from ..instruments.gradient_detective import Case, build
from . import broken
from .exercise import Exercise, _Diagnosis, _has_ellipsis, _kind, _NotTried, _told

CASES = (
    Case(broken.network_1, "detach", "encoder(x).detach()", "encoder(x)"),
    Case(
        broken.network_2,
        "zero_grad",
        "        loss.backward()\n",
        "        optimizer.zero_grad()\n        loss.backward()\n",
    ),
    Case(
        broken.network_3,
        "dead relu",
        "    torch.nn.init.constant_(model[2].bias, -3.0)\n",
        "",
    ),
    Case(
        broken.network_4,
        "exploding",
        "torch.nn.init.normal_(layer.weight, std=2.0)\n"
        "    optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)",
        "torch.nn.init.xavier_normal_(layer.weight)\n"
        "    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)",
    ),
    Case(broken.network_5, "reduction", 'reduction="sum"', 'reduction="mean"'),
    Case(broken.network_6, "frozen", "SGD(head.parameters()", "SGD(model.parameters()"),
    Case(broken.network_7, "broadcast", "y = y.flatten() + 1", "y = y + 1"),
    Case(
        broken.network_8,
        "in-place",
        "        right = torch.sigmoid(model(x)).flatten()  # how likely the right answer is:\n"
        "        right.data[~y] = 1 - right.data[~y]  # outside, that is 1 − p\n",
        "        p = torch.sigmoid(model(x)).flatten()  # the probability of inside\n"
        "        right = torch.where(y, p, 1 - p)  # and that of the right answer\n",
    ),
)
WATCHED, TRAINED = 12, 300  # steps whose evidence is read, and steps of the training


@dataclass
class Run:
    """A mended network after its training."""

    model: Any
    optimizer: Any
    evidence: Evidence
    parts: dict[str, Any]  # what the step of the broken network used

    @property
    def error(self) -> str:
        """What stopped the training."""
        return next((step.error for step in self.evidence.steps if step.error), "")

    @property
    def fits(self) -> list[Finding]:
        """The suspects that the evidence would fit."""
        return [found for found in findings(self.evidence).values() if found.fits]

    @property
    def still(self) -> bool:
        """Whether no weight has moved."""
        return not any(x.moved for step in self.evidence.steps for x in step.parameters)


@dataclass(eq=False)
class Mend(Exercise):
    """An exercise whose answer is a piece of a broken network, mended."""

    case: Case | None = None
    stub: Callable[..., Any] | None = None  # the piece as the lesson has it
    put: Callable[[Callable[..., Any], dict[str, Any]], Any] | None = None
    said: Callable[[Run], str] | None = None  # what is wrong with a usual wrong answer
    error: Callable[[Run], float] | None = None  # of the trained network, by its outputs
    most: float = 0.0  # as large it may be

    def _examine(self, answer: Any) -> None:
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not callable(answer):
            raise _Diagnosis(f"Hand over the function by its name; this is {_kind(answer)}.")
        if same_code(getattr(answer, "__code__", None), self.stub.__code__):
            raise _NotTried
        run = self._run(answer)
        if said := self.said(run):
            raise _Diagnosis(said)
        if run.error:
            raise _Diagnosis(f"The training stops with {run.error[:200]}")
        for found in run.fits:
            raise _Diagnosis(f"The evidence would still fit: {SUSPECTS[found.suspect]}. {found}")
        off = self.error(run)
        if not off <= self.most:
            raise _Diagnosis(
                f"No suspect is left, but after {TRAINED} steps the network is off by"
                f" {number(off, 2)}; mended it comes below {number(self.most, 2)}."
            )

    def _run(self, answer: Any) -> Run:
        parts: dict[str, Any] = {}

        def made(torch: Any) -> tuple[Any, Callable[[], Any]]:
            model, step = self.case.build(torch)
            parts.update(inspect.getclosurevars(step).nonlocals, model=model, torch=torch)
            return self.put(answer, parts)

        try:
            model, step = build(Case(made, "", "", ""), autogradlab)
            run = Run(model, parts["optimizer"], Evidence(model), parts)
        except _Diagnosis:
            raise
        except Exception as error:
            raise _Diagnosis(f"It raised {_told(error)}") from None
        for _ in range(WATCHED):
            try:
                with train_step(run.evidence) as seen:
                    seen.loss = step()
                    if seen.loss is None:
                        raise _Diagnosis("The step returned None. End it with `return loss`.")
            except _Diagnosis:
                raise
            except Exception:
                return run
        if not run.fits:  # to train on would only cost time
            for _ in range(TRAINED - WATCHED):
                step()
        return run


def same_code(a: CodeType | None, b: CodeType) -> bool:
    """Whether two functions do the same, letter by letter, whatever they are called."""
    if a is None:
        return False
    parts = ("co_code", "co_names", "co_varnames", "co_freevars")
    constants = [[c for c in code.co_consts if c is not None] for code in (a, b)]
    return (
        all(getattr(a, part) == getattr(b, part) for part in parts)
        and len(constants[0]) == len(constants[1])
        and all(
            same_code(x, y) if isinstance(y, CodeType) and isinstance(x, CodeType) else x == y
            for x, y in zip(*constants, strict=True)
        )
    )


def as_step(answer: Callable[..., Any], parts: dict[str, Any]) -> Any:
    """A mended step in place of the network's own."""
    given = [parts[name] for name in ("model", "optimizer", "x", "y")]
    return parts["model"], lambda: answer(*given)


def as_network(answer: Callable[..., Any], parts: dict[str, Any]) -> Any:
    """A mended network, trained by the usual step."""
    torch = parts["torch"]
    torch.manual_seed(6)
    made = answer(torch)
    if not (isinstance(made, tuple) and len(made) == 2):
        raise _Diagnosis("Return two things: model, optimizer.")
    model, optimizer = made
    parts.update(model=model, optimizer=optimizer)
    x, y = broken.wave(torch)

    def step() -> Any:
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


# ------------------------------------------------------------------------- how good the result is


def wave_error(run: Run, lift: float = 0.0) -> float:
    """The mean squared distance from the wave."""
    x, y = broken.wave(autogradlab)
    x, y = x.double(), y.double()
    with autogradlab.no_grad():
        return float(((run.model(x).reshape(-1) - y.reshape(-1) - lift) ** 2).mean())


def wrong_share(run: Run) -> float:
    """The share of points that are put on the wrong side."""
    x, y = broken.inside(autogradlab)
    with autogradlab.no_grad():
        out = run.model(x.double())
    said = out[:, 1] > out[:, 0] if out.shape[1] == 2 else out[:, 0] > 0
    return float((said != y).double().mean())


def rate(run: Run) -> float:
    """The learning rate."""
    return run.optimizer.param_groups[0]["lr"]


# -------------------------------------------------------------------------- the usual wrong mends


def after_zero_grad(run: Run) -> str:
    if run.error:
        return ""
    if run.still:
        return (
            "No weight moves. Look where .grad is emptied: between backward and step there is"
            " nothing left for the step to read."
        )
    fits = [found.suspect for found in run.fits]
    if "zero_grad" in fits and rate(run) < 0.02:
        return (
            "A smaller learning rate makes the mistake smaller, and no more: the gradients of all"
            " earlier steps are still in .grad."
        )
    if "zero_grad" in fits:
        return (
            ".grad still piles up: when a gradient comes, those of earlier steps are there. It has"
            " to be emptied once in every step, for every parameter."
        )
    return ""


def after_frozen(run: Run) -> str:
    if run.still:
        return "No weight moves at all, whoever the optimizer knows. Is the learning rate 0?"
    off = [name for name, p in run.model.named_parameters() if not p.requires_grad]
    if off:
        return (
            f"{off[0]} now asks for no gradient at all, so it is frozen for good. It should learn:"
            " who has to know it?"
        )
    frozen = next((found for found in run.fits if found.suspect == "frozen"), None)
    if frozen and "body" not in frozen.words and "0.0." not in frozen.words:
        return "Now it is the head that stands still: the optimizer has the body, and nothing else."
    if frozen:
        return (
            "Gradients come to the body, and it stands still: the optimizer that is returned does"
            " not have its parameters."
        )
    return ""


def after_broadcast(run: Run) -> str:
    last = run.evidence.steps[-1].behind
    if last and last.stretched:
        big = " × ".join(map(str, last.largest))
        return (
            f"The difference has {big} numbers still. Prediction and target need one shape, and 32"
            " numbers each: (32, 1) and (1, 32) are not one shape."
        )
    if run.error:
        return ""
    if last and last.largest is not None and math.prod(last.largest) < 32:
        return (
            "Fewer than 32 differences go into the loss. Averaged before they are compared, or left"
            " out, single predictions are free to be wrong."
        )
    return ""


def after_reduction(run: Run) -> str:
    if "scalar outputs" in run.error:
        return (
            'With reduction="none" there is a loss for each point, and backward() needs one number'
            " (lesson 05). Make one of them that does not grow with the batch."
        )
    first, fits = run.evidence.losses[0], [found.suspect for found in run.fits]
    if first is None or first * rate(run) < 0.1:  # a mean, or a sum with a rate that suits it
        return ""
    if first < 20:
        return (
            "It is smaller now, and still more than the loss of one point: by what number does a"
            " sum over the batch have to be divided?"
        )
    return "The loss still grows with the batch, and jumps." if "reduction" in fits else ""


def after_in_place(run: Run) -> str:
    if "modified by an inplace operation" in run.error:
        return (
            "Now the engine notices: sigmoid has saved its result for backward, and you write over"
            " it. That is an honest error in place of a silent one. Make a new tensor."
        )
    if "does not require grad" in run.error:
        return "The probabilities are cut off: nothing that backward could follow leads to them."
    if any(found.suspect == "in-place" for found in run.fits):
        return (
            "The loss still moves against what the gradients promise: some of what you compute is"
            " not recorded."
        )
    last = run.evidence.steps[-1].behind
    if last and last.largest and math.prod(last.largest) > 32:
        return "p and y meet as in network 7, each with every other. Give them one shape."
    if not run.error and wrong_share(run) > 0.7:
        return (
            "Now it learns the opposite. Look at the sign of the loss, and at which points get p"
            " and which 1 − p."
        )
    if not run.error and wrong_share(run) > 0.4:
        return (
            "Now the loss asks every point to be inside. For the points outside, 1 − p has to"
            " grow."
        )
    return ""


# ------------------------------------------------------------------------------- the pieces


def step_2(model, optimizer, x, y):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    return loss


def network_6(torch):
    body = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU())
    head = torch.nn.Linear(16, 1)
    model = torch.nn.Sequential(body, head)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    return model, optimizer


def step_7(model, optimizer, x, y):
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def step_5(model, optimizer, x, y):
    loss = torch.nn.functional.cross_entropy(model(x), y.long(), reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def step_8(model, optimizer, x, y):
    right = torch.sigmoid(model(x)).flatten()
    right.data[~y] = 1 - right.data[~y]
    loss = -right.log().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


torch = autogradlab  # for the pieces above, which are as the lesson has them

gradients_stay = Mend(
    "1 · network 2",
    right=None,
    why="Each step reads the gradient of its own loss, and of no other.",
    mistakes=(),
    case=CASES[1],
    stub=step_2,
    put=as_step,
    said=after_zero_grad,
    error=wave_error,
    most=0.2,
)
standing_still = Mend(
    "2 · network 6",
    right=None,
    why="Every parameter that receives a gradient now moves.",
    mistakes=(),
    case=CASES[5],
    stub=network_6,
    put=as_network,
    said=after_frozen,
    error=wave_error,
    most=0.2,
)
every_with_every = Mend(
    "3 · network 7",
    right=None,
    why="Prediction and target have one shape, and each meets its own.",
    mistakes=(),
    case=CASES[6],
    stub=step_7,
    put=as_step,
    said=after_broadcast,
    error=lambda run: wave_error(run, 1.0),
    most=0.2,
)
too_much = Mend(
    "4 · network 5",
    right=None,
    why="The gradients no longer grow with the batch, so the learning rate fits.",
    mistakes=(),
    case=CASES[4],
    stub=step_5,
    put=as_step,
    said=after_reduction,
    error=wrong_share,
    most=0.3,
)
against_promise = Mend(
    "5 · network 8",
    right=None,
    why="All that the loss is made of is recorded, and the loss falls as promised.",
    mistakes=(),
    case=CASES[7],
    stub=step_8,
    put=as_step,
    said=after_in_place,
    error=wrong_share,
    most=0.3,
)
