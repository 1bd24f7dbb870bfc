"""What is measured: each task says, for each engine that can do it, how to run it once.

A run gives its result as a NumPy array, so that speed is compared only where results agree; or a
function that reads the result, arrays by name, where that is work of its own.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Run = Callable[[], Any]  # one repetition; what it returns is compared


@dataclass(frozen=True)
class Task:
    """One line of the table."""

    name: str
    aim: float  # the ratio to torch that is to be reached
    engines: dict[str, Callable[[], Run]]  # by name: set up, then run as often as wanted
    per: int = 1  # operations in one run, for times per operation
    tolerance: float = 1e-4  # how far from torch's a result may be
    compared: int = 2  # runs: the second shows what the first has left behind


def torch_like(name: str) -> Any:
    return importlib.import_module(name)


# ------------------------------------------------------------------------------------- the chain


def leaves(shape: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(0.1, 0.9, shape).astype("float32") for _ in range(3)]


def chain(engine: str, shape: tuple[int, ...], steps: int) -> Callable[[], Run]:
    """`x = tanh(x·a + b)` again and again, forward, backward, and forgetting the graph."""

    def set_up() -> Run:
        e = torch_like(engine)
        x0, a, b = (e.tensor(v) for v in leaves(shape))
        a.requires_grad_(), b.requires_grad_()

        def run() -> Any:
            a.grad = b.grad = None
            x = x0
            for _ in range(steps):
                x = (x * a + b).tanh()
            (x.sum() if shape else x).backward()
            return np.stack([a.grad.numpy(), b.grad.numpy()])

        return run

    return set_up


def hips_chain(shape: tuple[int, ...], steps: int) -> Callable[[], Run]:
    def set_up() -> Run:
        import autograd.numpy as anp
        from autograd import grad

        x0, a, b = leaves(shape)

        def loss(a: Any, b: Any) -> Any:
            x = x0
            for _ in range(steps):
                x = anp.tanh(x * a + b)
            return anp.sum(x)

        both = grad(loss, (0, 1))
        return lambda: np.stack(both(a, b))

    return set_up


def mygrad_chain(shape: tuple[int, ...], steps: int) -> Callable[[], Run]:
    def set_up() -> Run:
        import mygrad as mg

        x0, a, b = leaves(shape)

        def run() -> Any:
            p, q, x = mg.tensor(a), mg.tensor(b), mg.tensor(x0, constant=True)
            for _ in range(steps):
                x = mg.tanh(x * p + q)
            x.sum().backward()
            return np.stack([p.grad, q.grad])

        return run

    return set_up


def relu_chain(engine: str, steps: int) -> Callable[[], Run]:
    """The same with relu, which is what micrograd has."""

    def set_up() -> Run:
        e = torch_like(engine)
        x0, a, b = (e.tensor(float(v)) for v in leaves(()))
        a.requires_grad_(), b.requires_grad_()

        def run() -> Any:
            a.grad = b.grad = None
            x = x0
            for _ in range(steps):
                x = (x * a + b).relu()
            x.backward()
            return np.stack([a.grad.numpy(), b.grad.numpy()])

        return run

    return set_up


def micrograd_chain(steps: int) -> Callable[[], Run]:
    def set_up() -> Run:
        from micrograd.engine import Value

        def run() -> Any:
            x, a, b = (Value(float(v)) for v in leaves(()))
            for _ in range(steps):
                x = (x * a + b).relu()
            x.backward()
            return np.float32([a.grad, b.grad])

        return run

    return set_up


# ------------------------------------------------------------------------------------ transforms


def point(n: int) -> list[np.ndarray]:
    """The weights and the point of the Hessian."""
    rng = np.random.default_rng(1)
    return [rng.standard_normal((n, n)) / n**0.5, rng.standard_normal(n)]


def hessian(engine: str, how: str, n: int) -> Callable[[], Run]:
    """All second derivatives of Σ tanh(W x)² · x₀, by `autograd.functional` or by `func`."""

    def set_up() -> Run:
        e = torch_like(engine)
        weights, x = map(e.tensor, point(n))

        def f(x: Any) -> Any:
            return ((weights @ x).tanh() ** 2).sum() * x[0]

        if how == "functional":
            return lambda: e.autograd.functional.hessian(f, x).numpy()
        transform = importlib.import_module(f"{engine}.func").hessian(f)
        return lambda: transform(x).numpy()

    return set_up


def hips_hessian(n: int) -> Callable[[], Run]:
    def set_up() -> Run:
        import autograd.numpy as anp
        from autograd import hessian

        weights, x = point(n)
        transform = hessian(lambda x: anp.sum(anp.tanh(weights @ x) ** 2) * x[0])
        return lambda: transform(x)

    return set_up


def per_sample(engine: str, sizes: tuple[int, ...], examples: int) -> Callable[[], Run]:
    """The gradient of each example's loss with respect to all weights of an MLP: vmap(grad(f))."""

    def set_up() -> Run:
        e = torch_like(engine)
        func = importlib.import_module(f"{engine}.func")
        rng = np.random.default_rng(3)
        numbers = [(rng.standard_normal((m, n)) / m**0.5, np.zeros(n))
                   for m, n in itertools.pairwise(sizes)]  # fmt: skip
        weights = [(e.tensor(w.astype("float32")), e.tensor(b.astype("float32")))
                   for w, b in numbers]  # fmt: skip
        x = e.tensor(rng.standard_normal((examples, sizes[0])).astype("float32"))
        y = e.tensor(rng.standard_normal((examples, sizes[-1])).astype("float32"))

        def loss(weights: Any, x: Any, y: Any) -> Any:
            for i, (w, b) in enumerate(weights):
                x = x @ w + b
                x = x.tanh() if i < len(weights) - 1 else x
            return ((x - y) ** 2).mean()

        every = func.vmap(func.grad(loss), in_dims=(None, 0, 0))

        def run() -> Any:
            slopes = [g.numpy() for layer in every(weights, x, y) for g in layer]
            return np.concatenate([g.reshape(examples, -1) for g in slopes], 1)

        return run

    return set_up


def both(make: Callable[..., Callable[[], Run]], *arguments: Any) -> dict[str, Any]:
    """A task for torch and for us."""
    return {engine: make(engine, *arguments) for engine in ("torch", "autogradlab")}


def tasks(scale: float = 1.0) -> list[Task]:
    """All tasks; a `scale` below 1 makes them small enough for a test."""
    steps, long = max(1, int(333 * scale)), max(1, int(33_333 * scale))
    n, examples = max(2, int(50 * scale)), max(2, int(64 * scale))

    def chain_task(words: str, aim: float, shape: tuple[int, ...], steps: int) -> Task:
        others = {"HIPS autograd": hips_chain(shape, steps), "MyGrad": mygrad_chain(shape, steps)}
        engines = {**both(chain, shape, steps), **others}
        return Task(f"chain of {3 * steps}, {words}", aim, engines, 3 * steps)

    def per_sample_task(*sizes: int) -> Task:
        name = f"per-sample gradients, {'-'.join(map(str, sizes))}, {examples}"
        return Task(name, 1.5, both(per_sample, sizes, examples))

    return [
        chain_task("scalars", 0.75, (), steps),
        chain_task("10 elements", 1.0, (10,), steps),
        chain_task("1,000 elements", 1.0, (1000,), steps),
        chain_task("scalars", 1.0, (), long),
        Task(f"chain of {3 * steps}, scalars, relu", 1.0,
             {**both(relu_chain, steps), "micrograd": micrograd_chain(steps)}, 3 * steps),
        Task(f"Hessian of {n}, autograd.functional", 0.3,
             {**both(hessian, "functional", n), "HIPS autograd": hips_hessian(n)}),
        Task(f"Hessian of {n}, func beside autograd.functional", 0.3,
             {"torch": hessian("torch", "functional", n),
              "autogradlab": hessian("autogradlab", "func", n)}),
        Task(f"Hessian of {n}, func", 1.0, both(hessian, "func", n)),
        per_sample_task(2, 64, 1),
        per_sample_task(64, 128, 10),
    ]  # fmt: skip
