"""Eight usual bugs of a training step, and what the evidence of its gradients says about each: what
one would see if it were there, and what is seen. See `evidence.py`.

Each rule asks for more than a healthy step ever shows, and names what it saw.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .evidence import Evidence, ParameterStep, TrainStep
from .numbers import number
from .tree import dims

SUSPECTS = {
    "zero_grad": "zero_grad is missing",
    "detach": "something is detached in the middle",
    "in-place": "a value is overwritten in place",
    "dead relu": "relu units are dead",
    "broadcast": "the loss broadcasts its shapes",
    "reduction": "the loss is a sum, not a mean",
    "exploding": "gradients explode",
    "frozen": "some parameters are frozen",
}


@dataclass(frozen=True)
class Finding:
    """What the evidence says about one suspect."""

    suspect: str  # a key of SUSPECTS
    fits: bool
    words: str

    def __str__(self) -> str:
        return self.words


def findings(evidence: Evidence) -> dict[str, Finding]:
    """All eight, by suspect."""
    return {suspect: examine(evidence, suspect) for suspect in SUSPECTS}


def examine(evidence: Evidence, suspect: str) -> Finding:
    """One of them.

    Raises:
        ValueError: there is no such suspect.
    """
    if suspect not in RULES:
        raise ValueError(f"there is no suspect {suspect!r}; there are {', '.join(SUSPECTS)}")
    if not evidence.steps:
        return Finding(suspect, False, "No step has been seen yet.")
    return Finding(suspect, *RULES[suspect](evidence))


# -------------------------------------------------------------------------------------- to read it

Verdict = tuple[bool, str]


def history(evidence: Evidence, i: int) -> list[ParameterStep]:
    """One parameter over all steps."""
    return [step.parameters[i] for step in evidence.steps]


def received(evidence: Evidence) -> list[int]:
    """The parameters to which a gradient came in some step."""
    every = range(len(evidence.names))
    return [i for i in every if any(x.came is not None for x in history(evidence, i))]


def matrices(evidence: Evidence) -> list[int]:
    """The weights with at least two dimensions, those that got a gradient, first layers first."""
    return [i for i in received(evidence) if len(evidence.shapes[i]) > 1]


def ratio(x: ParameterStep) -> float:
    """How far a step moved it, as a share of its size; 0 where it had none."""
    return x.moved / x.weight if x.weight > 0 else 0.0


def named(evidence: Evidence, which: list[int]) -> str:
    """
    "0.weight", "0.weight and 0.bias", "0.weight and 3 more".
    """
    names = [evidence.names[i] for i in which]
    if len(names) > 2:
        return f"{names[0]} and {len(names) - 1} more"
    return " and ".join(names)


def median(values: list[float]) -> float:
    values = sorted(values)
    return values[len(values) // 2] if values else 0.0


def share(x: float) -> str:
    """
    >>> share(0.0312), share(7.7)
    ('3.1 %', '770 %')
    """
    return f"{number(100 * x, 2)} %"


def plural(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def raised(evidence: Evidence) -> str:
    """The first error that a step has stopped with."""
    return next((short(step.error) for step in evidence.steps if step.error), "")


def short(error: str) -> str:
    """The first line of an error, without the hint that PyTorch adds."""
    first = error.partition("\n")[0].partition(" Hint:")[0].rstrip(".")
    return first if len(first) <= 240 else first[:239] + "…"


# ------------------------------------------------------------------------------------- the rules


def zero_grad(evidence: Evidence) -> Verdict:
    kept, empty = [], []
    first: tuple[int, int] | None = None
    for i in received(evidence):
        seen = history(evidence, i)
        pairs = [
            (k, seen[k])
            for k in range(1, len(seen))
            if seen[k].came is not None and seen[k - 1].moved > 0
        ]
        # A gradient that a step has used already, and that is still there.
        if len(pairs) > 0:
            used = [k for k, x in pairs if x.left]
            (kept if len(used) == len(pairs) else empty).append(i)
            if used and first is None:
                first = i, used[0]
    if kept and len(kept) >= len(empty) and first:
        i, k = first
        x = evidence.steps[k].parameters[i]
        return True, (
            f"In step {k} a gradient of norm {number(x.came, 3)} comes to {evidence.names[i]},"
            f" and {number(x.left, 3)} of the steps before is still in its .grad: nothing has"
            " emptied it."
        )
    if not empty and not kept:
        return False, "It takes two steps with a gradient to tell: what is left of the first?"
    piled = [
        i for i in received(evidence) if any(x.left for x in history(evidence, i)[1:])
    ]  # where no step has moved the weight
    if piled:
        return False, (
            "If zero_grad were missing, every .grad would pile up. That of"
            f" {named(evidence, piled)} does; that of {named(evidence, empty)}, which moves, is"
            " empty each time."
        )
    return False, (
        "If zero_grad were missing, .grad would still hold the gradients of earlier steps when a"
        " new one comes. It is empty every time: what is in .grad is what came in."
    )


def detach(evidence: Evidence) -> Verdict:
    error = raised(evidence)
    if "does not require grad" in error:
        return True, f"backward() raises {error}: the loss is cut off from every parameter."
    came = received(evidence)
    without = [i for i in range(len(evidence.names)) if i not in came]
    called = frozenset().union(*(step.called for step in evidence.steps))
    cut = [i for i in without if evidence.wanted[i] and evidence.owner(evidence.names[i]) in called]
    if cut and came:
        return True, (
            f"No gradient at all, None, comes to {named(evidence, cut)}, though that part of the"
            " model ran and requires_grad is True. What it computed was cut off (detach, no_grad,"
            " .data, .item()), or does not enter the loss."
        )
    if without:
        why = "it asks for none" if not evidence.wanted[without[0]] else "it was not used"
        return False, (
            f"If something were detached, parameters that took part would get None. Only"
            f" {named(evidence, without)} gets None, and {why}."
        )
    return False, (
        "If something were detached, no gradient at all, None, would come to the parameters before"
        f" the cut. All {len(came)} receive one in every step, and a zero is not None."
    )


def in_place(evidence: Evidence) -> Verdict:
    error = raised(evidence)
    if "modified by an inplace operation" in error:
        return True, f"backward() raises {error}."
    told = broken_promises(evidence)
    if told is None:
        return False, (
            "If a value were overwritten after it was saved, backward() would raise, or the loss"
            " would not change as the gradients say. It did not raise; and the loss cannot tell,"
            " for the steps differ in their inputs or draw random numbers."
        )
    broken, total, k = told
    promised, measured = evidence.steps[k].promised, evidence.measured(k)
    # A large step leaves the range in which a gradient promises anything.
    tame = [f for f in (zero_grad, reduction, exploding) if f(evidence)[0]]
    if total >= 3 and broken >= 0.75 * total and not tame:
        return True, (
            f"The gradients promise that step {k} changes the loss by {number(promised, 3)}, and it"
            f" changes by {number(measured, 3)}; so in {broken} of {total} steps, small as they"
            " are. The gradients belong to other numbers than the loss does."
        )
    if tame:
        return False, (
            "If a value were overwritten after it was saved, backward() would raise, or even small"
            " steps would change the loss otherwise than the gradients say. These steps are not"
            " small: no gradient promises anything so far away."
        )
    return False, (
        "If a value were overwritten after it was saved, backward() would raise, or the loss would"
        f" not change as the gradients say. They promise {number(promised, 3)} for step {k}, and it"
        f" changes by {number(measured, 3)}."
    )


def broken_promises(evidence: Evidence) -> tuple[int, int, int] | None:
    """In how many steps the loss changed by less than a quarter of what was promised, of how many;
    and the first step that counts. None where the loss does not tell."""
    if not evidence.repeated:
        return None
    broken, which = 0, []
    for k, step in enumerate(evidence.steps):
        measured, promised = evidence.measured(k), step.promised
        if measured is None or promised is None or not math.isfinite(measured + promised):
            continue
        if promised < -1e-6 * abs(step.loss):  # what is smaller drowns in rounding
            which.append(k)
            broken += measured > promised / 4
    return (broken, len(which), which[0]) if which else None


def dead_relu(evidence: Evidence) -> Verdict:
    later = evidence.steps[1:] or evidence.steps
    dead = {}
    for step in later:
        for layer, zero, units in step.dead:
            if zero >= 0.9 * units:
                dead[layer] = dead.get(layer, 0) + 1
    layers = [layer for layer, count in dead.items() if count == len(later)]
    silent = [
        i
        for i in received(evidence)
        if all(x.came == 0 for x in (step.parameters[i] for step in later))
    ]
    alive = [i for i in received(evidence) if i not in silent]
    if layers and silent and alive and len(evidence.steps) > 2:
        zero, units = next((d, u) for name, d, u in later[0].dead if name == layers[0])
        return True, (
            f"{zero} of {units} units after {layers[0]} are 0 for every example, in every step. So"
            f" each number of the gradient of {named(evidence, silent)} is exactly 0."
        )
    most = max(
        (x.zeros / evidence.sizes[i] for s in later for i, x in enumerate(s.parameters)
         if x.came is not None), default=0.0,
    )  # fmt: skip
    start = "If relu units were dead, gradients before them would be exactly 0, step after step. "
    if not any(s.dead for s in later):
        return False, f"{start}No unit here is seen to follow a relu."
    if most == 1:
        return False, f"{start}Some are here, but no layer is 0 for every example."
    return False, f"{start}Here {share(most)} of a gradient is 0 at most."


def broadcast(evidence: Evidence) -> Verdict:
    warned = next((w for s in evidence.steps for w in s.warned if "target size" in w), "")
    known = [s.behind for s in evidence.steps if s.behind and s.behind.output is not None]
    behind = known[0] if known else None
    if warned:
        return True, f"PyTorch warns: {warned.partition('. ')[0]}."
    if behind and behind.stretched:
        return True, (
            f"The model's output has {dims(behind.output)} numbers, and {behind.stretched} behind"
            f" it has {dims(behind.largest)}: every prediction meets every target."
        )
    if behind is None or behind.largest is None:
        return False, (
            "If shapes were broadcast in the loss, a tensor behind the output would be larger than"
            " it. The graph does not tell: let the step return its loss."
        )
    return False, (
        "If shapes were broadcast in the loss, a tensor behind the output would be larger than it."
        f" The output has {dims(behind.output)} numbers, the largest tensor behind it"
        f" {dims(behind.largest)}."
    )


def reduction(evidence: Evidence) -> Verdict:
    step = evidence.steps[0]
    moves = [ratio(step.parameters[i]) for i in matrices(evidence)]
    losses = [loss for loss in evidence.losses if loss is not None]
    wild = [x for x in losses[1:] if not math.isfinite(x) or x > 2 * abs(losses[0])]
    typical = median(moves)
    if typical > 0.2 and wild and not exploding(evidence)[0]:
        return True, (
            f"The first step already moves weights by {share(typical)} of their size, and the loss"
            f" goes from {number(losses[0], 3)} to {number(losses[1], 3)}. Nothing grows from layer"
            " to layer: all gradients are too large for this learning rate, as those of a sum are,"
            " which is as many times the mean as there are terms. Or the rate itself is too large."
        )
    if typical > 0.2:
        return False, (
            "If a sum stood where a mean is meant, all gradients would be too large for the"
            " learning rate, and the loss would jump up again and again. "
            + ("It is the first layers that get too much here." if wild else "It does not.")
        )
    return False, (
        "If a sum stood where a mean is meant, all gradients would be too large for the learning"
        f" rate, from the first step on. It moves a typical weight by {share(typical)} of its size."
    )


def exploding(evidence: Evidence) -> Verdict:
    step, which = evidence.steps[0], matrices(evidence)
    norms = [step.parameters[i].came for i in which]
    known = [(i, x) for i, x in zip(which, norms, strict=True) if x]
    lost = [i for i, x in known if not math.isfinite(x)]
    if lost:
        return True, f"The gradient of {named(evidence, lost)} is not finite in the first step."
    if len(known) < 2:
        return False, "If gradients exploded, they would grow from layer to layer; there is one."
    third = max(1, len(known) // 3)
    start = math.exp(sum(math.log(x) for _, x in known[:third]) / third)
    end = math.exp(sum(math.log(x) for _, x in known[-third:]) / third)
    (a, first), (b, last) = known[0], known[-1]
    huge = max(x / (step.parameters[i].weight or math.inf) for i, x in known)
    if len(known) > 3 and start > 10 * end and huge > 10:
        per = (start / end) ** (1 / (len(known) - third))
        return True, (
            f"On its way back the gradient grows, by about × {number(per, 2)} per layer: its norm"
            f" is {number(last, 3)} at {evidence.names[b]} and {number(first, 3)} at"
            f" {evidence.names[a]}."
        )
    return False, (
        "If gradients exploded, their norm would grow from layer to layer on the way back. It is"
        f" {number(last, 3)} at {evidence.names[b]} and {number(first, 3)} at {evidence.names[a]}."
    )


def frozen(evidence: Evidence) -> Verdict:
    came = received(evidence)
    still = [i for i in came if all(not x.moved for x in history(evidence, i))]
    stuck = [i for i in still if any(x.came for x in history(evidence, i))]
    moving = [i for i in came if i not in still]
    off = [i for i, wanted in enumerate(evidence.wanted) if not wanted]
    if stuck and moving:
        norm = max(x.came or 0.0 for x in history(evidence, stuck[0]))
        return True, (
            f"Gradients come to {named(evidence, stuck)} (norm up to {number(norm, 3)}), and yet"
            " they never move: no optimizer has them."
        )
    if off:
        return True, (
            f"requires_grad is False for {named(evidence, off)}: {plural(len(off), 'parameter')} of"
            f" {len(evidence.names)} cannot learn. Right for fine-tuning."
        )
    if still and not moving:
        return False, "If some were frozen, others would still move. None moves in these steps."
    if still:
        return False, (
            f"A frozen parameter stays though a gradient comes. {named(evidence, still)}"
            f" {'stays' if len(still) == 1 else 'stay'}, but the gradient there is 0."
        )
    rest = len(evidence.names) - len(came)
    some = "" if not rest else f"; the {rest} others receive nothing that could move them"
    return False, (
        "A frozen parameter says requires_grad=False, or stays though a gradient comes. All"
        f" {len(came)} that receive one move{some}."
    )


RULES: dict[str, Callable[[Evidence], Verdict]] = {
    "zero_grad": zero_grad,
    "detach": detach,
    "in-place": in_place,
    "dead relu": dead_relu,
    "broadcast": broadcast,
    "reduction": reduction,
    "exploding": exploding,
    "frozen": frozen,
}


def told(step: TrainStep, evidence: Evidence, k: int) -> str:
    """One step in words, without a judgement."""
    if step.error:
        return f"Step {k}. It stops with {short(step.error)}."
    came = [x.came for x in step.parameters if x.came is not None]
    loss = "The loss is not known" if step.loss is None else f"The loss is {number(step.loss, 3)}"
    if not came:
        return f"Step {k}. {loss}; no gradient comes to any of {len(evidence.names)} parameters."
    low, high = number(min(came), 2), number(max(came), 2)
    norms = f"of norm {low}" if low == high else f"of norm {low} to {high}"
    wide = [x for x, shape in zip(step.parameters, evidence.shapes, strict=True) if len(shape) > 1]
    most = max(map(ratio, wide or step.parameters))
    moves = f"weights move by up to {share(most)}" if most else "no weight moves"
    return (
        f"Step {k}. {loss}; {len(came)} of {plural(len(step.parameters), 'parameter')} receive a"
        f" gradient, {norms}, and {moves}."
    )
