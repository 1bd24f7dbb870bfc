"""The exercises of lesson 01: gradients that add up, what freezing leaves out, what each stop of a
training step changes, and the rule of SGD with momentum. `g` is a gradient, `v` the momentum."""

from __future__ import annotations

import numpy as np

from .exercise import Exercise, Mistake

LR, MOMENTUM = 0.01, 0.9
STOPS = ("forward", "backward", "step", "zero_grad")
CHANGED = ((0, 0, 0, 1), (0, 1, 0, 0), (1, 0, 1, 0), (0, 1, 0, 0))  # by stop


def _slope(w: float) -> float:
    """Of (3w − 1)²."""
    return 6 * (3 * w - 1)


_FIRST = _slope(2.0)
_MOVED = 2.0 - LR * _FIRST

kept = Exercise(
    "1 · without zero_grad",
    right=_FIRST + _slope(_MOVED),
    why="30 stays from the first backward, and 24.6, the gradient at w = 1.7, is added to it.",
    mistakes=(
        Mistake(
            _slope(_MOVED),
            "The first gradient is lost. {you} is what the second backward found; nothing emptied"
            " w.grad before it came.",
        ),
        Mistake(
            2 * _FIRST,
            "The weight has moved. {you} is the first gradient twice; but the second backward runs"
            " after a step, at another w.",
        ),
        Mistake(
            _FIRST,
            "The second gradient is missing. {you} is what the first backward left; the second"
            " puts its own on top.",
        ),
        Mistake(
            _FIRST - _slope(_MOVED),
            "You subtracted. {you} is the first gradient less the second; .grad collects with +=.",
        ),
        Mistake(
            (_FIRST + _slope(_MOVED)) / 2,
            "That is the mean. {you} is half of the two together; .grad adds and divides nothing.",
        ),
        Mistake(
            _FIRST + _slope(2.0 + LR * _FIRST),
            "The step went up. {you} has the second gradient at w = 2.3; a step moves against the"
            " gradient.",
        ),
        Mistake(
            MOMENTUM * _FIRST + _slope(_MOVED),
            "That is a momentum. {you} takes 0.9 of the first gradient; .grad keeps all of it, and"
            " here there is no momentum.",
        ),
        Mistake(_MOVED, "That is the weight after the step. {you} is w; asked is w.grad."),
        Mistake(
            _FIRST / 3 + _slope(2.0 - LR * _FIRST / 3) / 3,
            "A 3 is missing. {you} takes the gradient of (3w − 1)² to be 2(3w − 1); the 3 before w"
            " is a factor too.",
        ),
    ),
)

frozen = Exercise(
    "2 · layer1 frozen",
    right=12,
    why="Two blocks, each of two convolutions (1 tensor) and two batch norms (2 tensors).",
    mistakes=(
        Mistake(
            0,
            "Frozen tensors are not computed for. {you} would mean that all 62 get a gradient; but"
            " requires_grad=False says that nobody wants theirs.",
        ),
        Mistake(
            15,
            "conv1 and bn1 are still served. {you} counts what stands before layer1 as well; but a"
            " gradient passes through a frozen layer, on its way there.",
        ),
        Mistake(
            50,
            "That is the other half of the count. {you} is how many do get one; asked is how many"
            " do not.",
        ),
        Mistake(
            62,
            "The rest still learns. {you} is all of them; layer2, say, stands between the loss and"
            " layer1, and its gradients do not depend on what is frozen before it.",
        ),
        Mistake(
            6,
            "That is one block. layer1 has two of them.",
        ),
        Mistake(
            4,
            "The batch norms are missing. {you} counts the convolutions; each is followed by a"
            " batch norm with a weight and a bias of its own.",
        ),
        Mistake(
            8,
            "A batch norm has two tensors. {you} gives each of the four one; it has a weight and a"
            " bias.",
        ),
        Mistake(
            2,
            "Blocks are not tensors. layer1 has {you} blocks; open one in the Module Tree and count"
            " the hexagons.",
        ),
    ),
)


def _with(**rows: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The right table with other rows at some stops."""
    return tuple(rows.get(stop, row) for stop, row in zip(STOPS, CHANGED, strict=True))


def _first_wrong(you: np.ndarray) -> str:
    """Where a table that fits no usual mistake goes wrong first; not what belongs there."""
    you = np.reshape(you, (4, 4))
    if not np.isin(you, (0, 1)).all():
        return "Each number is 1, changed, or 0, as before."
    stop = next(s for s, row, right in zip(STOPS, you, CHANGED, strict=True) if tuple(row) != right)
    where = "the lesson's cell of the forward pass" if stop == "forward" else "the inspector"
    return f"The list of {stop} is the first that does not fit. Look at {where} once more."


changed = Exercise(
    "3 · what changes when",
    right=CHANGED,
    why="backward fills .grad, step moves weights and momentum, zero_grad empties .grad, and even"
    " forward leaves something behind.",
    mistakes=(
        Mistake(
            _with(forward=(0, 0, 0, 0)),
            "Forward leaves a trace. The loss is new, and so is one of the four: in training, a"
            " batch norm keeps a running mean of what passes through it.",
        ),
        Mistake(
            _with(backward=(1, 1, 0, 0)),
            "Backward moves no weight. It finds the direction and stores it; who goes there?",
        ),
        Mistake(
            _with(backward=(1, 1, 0, 0), step=(0, 0, 1, 0)),
            "Backward moves no weight. It finds the direction and stores it; who goes there?",
        ),
        Mistake(
            _with(backward=(0, 1, 0, 1)),
            "The running mean is not learned. It is no parameter and has no gradient, so backward"
            " passes it by.",
        ),
        Mistake(
            _with(step=(1, 0, 0, 0)),
            "The momentum is kept by the optimizer. Its step first makes v ← 0.9 · v + g and moves"
            " the weight by that.",
        ),
        Mistake(
            _with(step=(1, 1, 1, 0)),
            "step only reads .grad. It is still there afterwards: that is why zero_grad exists.",
        ),
        Mistake(
            _with(step=(1, 1, 1, 0), zero_grad=(0, 0, 0, 0)),
            "step only reads .grad. It is still there afterwards: that is why zero_grad exists.",
        ),
        Mistake(
            _with(zero_grad=(0, 1, 1, 0)),
            "zero_grad leaves the momentum alone. If it did not, v could not remember the gradients"
            " of earlier steps.",
        ),
        Mistake(
            _with(zero_grad=(1, 1, 0, 0)),
            "zero_grad empties gradients, not weights. Setting a weight to zero would undo all that"
            " was learned.",
        ),
        Mistake(
            tuple(zip(*CHANGED, strict=True)),
            "The table is on its side. One list for each stop, in it one number for each column.",
        ),
    ),
    otherwise=_first_wrong,
)

sgd = Exercise(
    "4 · the step by hand",
    right=lambda w, v, g: (w - LR * (MOMENTUM * v + g), MOMENTUM * v + g),
    why="The momentum first, then the weight with the new momentum.",
    cases=({"w": 2.0, "v": 10.0, "g": 30.0}, {"w": -1.0, "v": 0.5, "g": -4.0}),
    mistakes=(
        Mistake(
            lambda w, v, g: (w - LR * g, MOMENTUM * v + g),
            "The momentum is not used. Your weight moved by 0.01 · {g}, the gradient alone; v has"
            " to carry it.",
        ),
        Mistake(
            lambda w, v, g: (w - LR * g, g),
            "The momentum is lost. Your new v is {g}, the gradient alone; nine tenths of the old v"
            " belong to it.",
        ),
        Mistake(
            lambda w, v, g: (w - LR * v, MOMENTUM * v + g),
            "The old momentum moved the weight. You took {v}, as it was before this step; make the"
            " new one first.",
        ),
        Mistake(
            lambda w, v, g: (w + LR * (MOMENTUM * v + g), MOMENTUM * v + g),
            "The step went up. The gradient says where the loss grows; a step goes the other way.",
        ),
        Mistake(
            lambda w, v, g: (w - (MOMENTUM * v + g), MOMENTUM * v + g),
            "The learning rate is missing. Your weight moved by the whole of v.",
        ),
        Mistake(
            lambda w, v, g: (w - LR * (MOMENTUM * v + LR * g), MOMENTUM * v + LR * g),
            "The learning rate came too early. In PyTorch it is no part of v: it stands before v,"
            " where the weight moves.",
        ),
        Mistake(
            lambda w, v, g: (w - (MOMENTUM * v + LR * g), MOMENTUM * v + LR * g),
            "The learning rate came too early. In PyTorch it is no part of v: it stands before v,"
            " where the weight moves.",
        ),
        Mistake(
            lambda w, v, g: (
                w - LR * (MOMENTUM * v + (1 - MOMENTUM) * g),
                MOMENTUM * v + (1 - MOMENTUM) * g,
            ),
            "That is a mean. You gave {g} a weight of 0.1; here a gradient comes in whole.",
        ),
        Mistake(
            lambda w, v, g: (w - LR * (v + g), v + g),
            "Nothing fades. You kept all of v = {v}; nine tenths of it stay.",
        ),
        Mistake(
            lambda w, v, g: (MOMENTUM * v + g, w - LR * (MOMENTUM * v + g)),
            "The order is w, v. Your first number is the momentum.",
        ),
    ),
)
