"""The exercises of lesson 13: the factor of a layer, weights to start from, clipping, dead units,
and a layer with a sigmoid of which thirty can learn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..graphs.modules import engine_of_module
from ..graphs.numbers import number
from ..graphs.words import short_name
from .exercise import Exercise, Mistake, _kind, _NotTried
from .order import need, step

ROOT = math.sqrt(0.5)

factor = Exercise(
    "1 · the factor of a layer",
    right=(ROOT, ROOT**20),
    why="√(1/2) = 0.707 for a layer, and (1/2)¹⁰ = 1/1024 for twenty.",
    accepts=lambda you: abs(you.ravel()[0] / ROOT - 1) < 0.015
    and abs(you.ravel()[1] / ROOT**20 - 1) < 0.2,  # 0.7 to the power of 20 is 18 % off
    mistakes=(
        Mistake(
            (0.5, 0.5**20),
            "The root is missing. 0.5 is the mean square of the slope; a norm is the root of a sum"
            " of squares.",
        ),
        Mistake(
            (0.5, ROOT**20),
            "Your second number is right. Your first is the mean square of the slope; a norm is the"
            " root of a sum of squares.",
        ),
        Mistake(
            (1, 1),
            "The slope is missing. The gain alone is 1; but half of the relus pass on 0.",
        ),
        Mistake(
            (math.sqrt(2), 1024),
            "That is upside down. {you} is what would repair it; a gradient that loses half of its"
            " numbers gets shorter.",
        ),
        Mistake(
            (0.25, 0.25**20),
            "That is the slope of a sigmoid where it is steepest. A relu has slope 0 or 1.",
        ),
        Mistake(
            (ROOT, 20 * ROOT),
            "The factor is right. Your second number is 20 times it; factors along a chain are"
            " multiplied with each other.",
        ),
        Mistake(
            (ROOT, ROOT / 20),
            "The factor is right. Your second number is it divided by 20; factors along a chain are"
            " multiplied with each other.",
        ),
        Mistake(
            (ROOT, ROOT**21),
            "One layer too many. From the last of 21 layers to the first there are 20 steps.",
        ),
    ),
)

deviation = Exercise(
    "2 · weights for a layer",
    right=(0.1, math.sqrt(2 / 250)),
    why="√(2 / 200) = 0.1, and √(2 / 250) = 0.0894.",
    accepts=lambda you: np.allclose(you.ravel(), (0.1, math.sqrt(2 / 250)), rtol=0.01),
    mistakes=(
        Mistake(
            (0.01, 2 / 250),
            "Those are the variances. The standard deviation is the root.",
        ),
        Mistake(
            (0.2, math.sqrt(2 / 250)),
            "Your first number has the fan-out, 50, under the root. What keeps the forward pass at"
            " its size is how many numbers go *into* an output.",
        ),
        Mistake(
            (math.sqrt(1 / 200), math.sqrt(2 / 250)),
            "The gain is missing in your first number. Before a relu, weights are larger.",
        ),
        Mistake(
            (math.sqrt(2 / 250), 0.1),
            "The two are swapped: first Kaiming, then Xavier.",
        ),
        Mistake(
            (0.1, math.sqrt(1 / 250)),
            "Your second number has 1 over the sum of both fans. Xavier takes their mean, and one"
            " over that.",
        ),
        Mistake(
            (0.1, math.sqrt(2) * math.sqrt(2 / 250)),
            "Your second number has the gain of relu. Here Xavier is asked with gain 1.",
        ),
        Mistake(
            (math.sqrt(6 / 200), math.sqrt(6 / 250)),
            "Those are the bounds of a uniform distribution. Its standard deviation is smaller, by"
            " √3.",
        ),
    ),
)


def _scaled(scale: Any) -> Any:
    """Both gradients times what `scale` makes of them and of `most`."""

    def give(a: Any, b: Any, most: float) -> tuple[Any, Any]:
        a, b = np.array(a), np.array(b)
        factor = scale(a, b, most)
        return a * factor, b * factor

    return give


def _long(*vectors: Any) -> float:
    return float(np.linalg.norm(np.concatenate([np.atleast_1d(v) for v in vectors])))


def _each(a: Any, b: Any, most: float) -> tuple[Any, Any]:
    return tuple(np.array(v) * min(1.0, most / _long(v)) for v in (a, b))


_shortened = _scaled(lambda a, b, most: min(1.0, most / _long(a, b)))

clipped = Exercise(
    "3 · clip by norm",
    right=_shortened,
    why="One factor for all, most / norm, and never above 1.",
    cases=(
        {"a": (3.0, 4.0), "b": (9.6, 7.2), "most": 6.5},
        {"a": (0.3, -0.4), "b": (1.2, 0.0), "most": 2.0},
        {"a": (1.0, -2.0), "b": (2.0, 4.0), "most": 1.0},
    ),
    mistakes=(
        Mistake(
            lambda a, b, most: (a, b),
            "Nothing was shortened. Together they are longer than {most}.",
        ),
        Mistake(
            _each,
            "Each was shortened by its own norm. That changes how large they are beside each"
            " other; all gradients count as one long vector.",
        ),
        Mistake(
            lambda a, b, most: (np.clip(a, -most, most), np.clip(b, -most, most)),
            "Each number was cut by itself. That is clip_grad_value_; here the direction stays.",
        ),
        Mistake(
            _scaled(lambda a, b, most: most / _long(a, b)),
            "They were made longer. What is no longer than {most} stays as it is.",
        ),
        Mistake(
            _scaled(lambda a, b, most: min(1.0, most / _long(a, b) ** 2)),
            "The root is missing: the norm is the root of the sum of squares.",
        ),
        Mistake(
            _scaled(lambda a, b, most: min(1.0, most / (_long(a) + _long(b)))),
            "The two norms were added. The norm of both together is the root of the sum of *all*"
            " squares.",
        ),
        Mistake(
            _scaled(lambda a, b, most: min(1.0, most / _long(a + b))),
            "The two vectors were added. Put one behind the other: one vector of four numbers.",
        ),
        Mistake(
            _scaled(lambda a, b, most: min(1.0, most / float(np.abs([a, b]).sum()))),
            "You divided by the sum of all sizes. The norm is the root of the sum of squares.",
        ),
        Mistake(
            _scaled(lambda a, b, most: _long(a, b) / most),
            "That factor is upside down: they got longer.",
        ),
        Mistake(
            _scaled(lambda a, b, most: min(1.0, 1 / most)),
            "You divided by {most}. How long they are has to come in, too.",
        ),
        Mistake(
            lambda a, b, most: _shortened(a, b, most)[::-1],
            "The two are swapped: first a, then b.",
        ),
        Mistake(
            _scaled(lambda a, b, most: min(1.0, most / max(np.abs(a).max(), np.abs(b).max()))),
            "You divided by the largest number. Divide by the norm, the length of all together.",
        ),
        Mistake(
            _scaled(lambda a, b, most: 1 / _long(a, b)),
            "Now they have the length 1. Where does {most} come in?",
        ),
        Mistake(
            lambda a, b, most: _long(a, b),
            "{you} is the norm, what clip_grad_norm_ returns. Return the two shortened gradients.",
        ),
        Mistake(
            lambda a, b, most: min(1.0, most / _long(a, b)),
            "{you} is the factor. Return both gradients, multiplied by it.",
        ),
    ),
)


def _count(where: Any) -> Any:
    return lambda h: float(np.sum(where(np.array(h) == 0)))


dead_units = Exercise(
    "4 · find the dead units",
    right=_count(lambda zero: zero.all(axis=0)),
    why="Dead is a unit, a column, that is 0 in every row.",
    cases=(
        {"h": ((0.0, 1.5, 0.0, 2.0, 0.0, 1.0), (0.0, 0.0, 0.7, 1.0, 0.0, 0.0),
               (0.0, 0.5, 0.0, 3.0, 0.0, 0.2))},
        {"h": ((1.0, 0.0, 2.0, 0.0), (0.5, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 0.0),
               (0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0))},
    ),
    mistakes=(
        Mistake(
            _count(lambda zero: zero),
            "{you} is how many zeros there are. A unit is a whole column.",
        ),
        Mistake(
            _count(lambda zero: zero.any(axis=0)),
            "{you} units are 0 for some example. Such a unit only rests there; dead is who is 0 for"
            " all of them.",
        ),
        Mistake(
            _count(lambda zero: zero.all(axis=1)),
            "{you} is how many examples have only zeros, the rows. Units are the columns.",
        ),
        Mistake(
            _count(lambda zero: ~zero.all(axis=0)),
            "{you} is how many are alive.",
        ),
        Mistake(
            lambda h: np.mean((np.array(h) == 0).all(axis=0)),
            "{you} is the share. Asked is how many.",
        ),
        Mistake(
            lambda h: np.shape(h)[1],
            "{you} is how many units there are, dead or not.",
        ),
        Mistake(
            lambda h: (np.array(h) == 0).sum(axis=0),
            "Those are the zeros of each unit. How many units have as many as there are examples?",
        ),
        Mistake(
            lambda h: (np.array(h) == 0).all(axis=0).astype(float),
            "That marks each unit with 1 or 0. Now count.",
        ),
    ),
)  # fmt: skip


# ------------------------------------------------------------------------------------ exercise 5

DEPTH, WIDTH, STEPS = 30, 16, 120
LEAST, MOST = 1e-3, 1e3  # of the first layer's gradient over the last's
ENOUGH = 0.5  # of the loss of the best constant answer


@step(
    "5 · thirty sigmoids that learn",
    "The gradient reaches the first layer, and the loss falls to less than half of what one"
    " constant answer gets.",
)
def trainable(Layer: Any) -> None:
    need(isinstance(Layer, type), f"Hand over the class, Layer; this is {_kind(Layer)}.")
    try:
        torch = engine_of_module(_without_calling(Layer))
    except TypeError:
        need(False, "Layer is no module: begin with class Layer(torch.nn.Module).")
    with _to_itself(torch):
        _train(torch, Layer)


@contextmanager
def _to_itself(torch: Any) -> Iterator[None]:
    """Random numbers and threads of an engine, put back afterwards. One thread: for such small
    tensors several of them wait for each other most of the time."""
    state = torch.get_rng_state()
    threads = torch.get_num_threads() if hasattr(torch, "get_num_threads") else 0
    try:
        if threads:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_rng_state(state)
        if threads:
            torch.set_num_threads(threads)


def _without_calling(kind: type) -> Any:
    """An instance that only tells what it is an instance of."""
    return object.__new__(kind)


def _train(torch: Any, Layer: type) -> None:
    nn = torch.nn
    torch.manual_seed(0)
    x = 2 * torch.rand(64, 2, dtype=torch.float64) - 1
    y = 3 * x[:, :1] * x[:, 1:]
    alone = ((y - y.mean()) ** 2).mean().item()  # the loss of the best constant answer
    layers = [Layer(WIDTH).double() for _ in range(DEPTH)]
    model = nn.Sequential(nn.Linear(2, WIDTH), *layers, nn.Linear(WIDTH, 1)).double()
    h = torch.zeros(64, WIDTH, dtype=torch.float64)
    _shape(torch, layers[0](h), h)
    loss = ((model(x) - y) ** 2).mean()
    sigmoids = _named(loss.grad_fn, "sigmoid")
    loss.backward()
    first, last = (_matrix(layer) for layer in (layers[0], layers[-1]))
    need(
        first is not None and last is not None,
        "The weights of the first layer get no gradient at all: somewhere a layer is cut off, by"
        " detach or no_grad, or does not use its weights.",
    )
    need(
        sigmoids >= DEPTH,
        "The graph has no torch.sigmoid for each layer. Another activation would learn, too; here"
        " the sigmoid stays, and what is around it changes.",
    )
    _reaches(first, last, layers[0])
    adam = _adam(torch, list(model.parameters()))
    for _ in range(STEPS):
        next(adam)
        loss = ((model(x) - y) ** 2).mean()
        need(math.isfinite(loss.item()), "The gradient arrives, but in training the loss gets nan.")
        if loss.item() < ENOUGH * alone:
            return
        loss.backward()
    share = number(loss.item() / alone, 2)
    need(
        False,
        f"The gradient arrives, but after {STEPS} steps the loss is still {share} of what one"
        " constant answer gets. Is z where the sigmoid is steep?",
    )


def _adam(torch: Any, parameters: list[Any], lr: float = 3e-3) -> Iterator[None]:
    """Steps of Adam (lesson 14). By hand: PyTorch's first one imports more than an answer may
    take."""
    moments = [[torch.zeros_like(p), torch.zeros_like(p)] for p in parameters]
    for t in itertools.count(1):
        with torch.no_grad():
            for p, (m, v) in zip(parameters, moments, strict=True):
                if p.grad is not None:
                    m.mul_(0.9).add_(p.grad, alpha=0.1)
                    v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
                    size = (v / (1 - 0.999**t)).sqrt() + 1e-8
                    p.addcdiv_(m, size, value=-lr / (1 - 0.9**t))
                    p.grad = None
        yield


def _shape(torch: Any, out: Any, h: Any) -> None:
    if out is ...:
        raise _NotTried
    need(out is not None, "forward returns None. End it with return.")
    need(torch.is_tensor(out), f"forward returns {_kind(out)}; it must be a tensor.")
    need(
        tuple(out.shape) == tuple(h.shape),
        f"forward makes {tuple(out.shape)} of {tuple(h.shape)}. The next layer needs the same shape"
        " as this one.",
    )


def _named(root: Any, name: str) -> int:
    """How many nodes of a graph are of one operation."""
    seen, stack, found = set(), [root], 0
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            found += short_name(node.name()) == name
            stack += [above for above, _ in node.next_functions]
    return found


def _reaches(first: float, last: float, layer: Any) -> None:
    """Raise what to say if the gradient of the first layer is too small or too large."""
    need(math.isfinite(first) and math.isfinite(last), "The gradient is not finite at the start.")
    ratio = first / last if last else 0.0
    words = f"the first layer gets {number(ratio, 2)} times the gradient of the last."
    need(ratio < MOST, f"The gradient explodes: {words}")
    if ratio >= LEAST:
        return
    weight = next(p for p in layer.parameters() if p.ndim == 2)
    if "LayerNorm" in {type(m).__name__ for m in layer.modules()}:
        more = (
            " A layer norm alone looks at one example at a time; what vanishes are the differences"
            " between examples."
        )
    elif weight.detach().std().item() > 1.5 / math.sqrt(WIDTH):
        more = " Larger weights make larger z, and there a sigmoid is flat."
    else:
        more = (
            " A sigmoid leaves at most a quarter, less where z is large, and nothing makes up for"
            " it."
        )
    need(False, f"The gradient vanishes: {words}{more}")


def _matrix(layer: Any) -> float | None:
    """The norm of the gradient of a layer's matrices; None if there is none."""
    grads = [p.grad for p in layer.parameters() if p.ndim == 2 and p.grad is not None]
    return math.hypot(*(g.norm().item() for g in grads)) if grads else None
