"""Run the same code on both engines and compare what comes out: the tool of most engine tests."""

from __future__ import annotations

import contextlib
import io
import re
import types
import warnings
from typing import Any

import numpy as np
import torch

import autogradlab

ENGINES = (autogradlab, torch)


def run(code: str, engine: Any) -> tuple[dict[str, Any], str, list[str]]:
    """Names the code bound (`printed` among them), the error it ended with ("" for none), its
    warnings. `import torch…` in it is the engine's own."""
    space: dict[str, Any] = {"torch": engine, "np": np}
    code = re.sub(r"\b(from|import) torch\b", rf"\1 {engine.__name__}", code)
    engine.manual_seed(0)
    autogradlab.errors.warn_once.cache_clear()  # what is said once is said in every snippet
    torch.set_warn_always(True)
    error = ""
    out = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(out):
        warnings.simplefilter("always")
        try:
            exec(compile(code, "<snippet>", "exec"), space)
        except Exception as e:
            error = f"{type(e).__name__}: {e}"
    told = [w for w in caught if w.category in (UserWarning, RuntimeWarning, FutureWarning)]
    texts = [f"{w.category.__name__}: {w.message}" for w in told]
    space["printed"] = re.sub(r"0x[0-9a-f]+", "0x…", out.getvalue()).replace("autogradlab", "torch")
    return space, plain(error), [plain(t) for t in texts]


def plain(text: str) -> str:
    """A message without what is not the program's: C++ places, and stack frames outside it."""
    text = re.sub(r'  File (?!"<snippet>").*\n(    .*\n)*', "", text)
    return re.sub(r"\s*\(Triggered internally at .*?\)", "", text, flags=re.S).strip()


def graph(tensor: Any) -> list[Any]:
    """The grad_fn graph, nodes numbered in the order a walk meets them."""
    if tensor.grad_fn is None:
        return []
    numbers, nodes, out = {tensor.grad_fn: 0}, [tensor.grad_fn], []
    for node in nodes:
        edges = []
        for parent, slot in node.next_functions:
            if parent is not None and parent not in numbers:
                numbers[parent] = len(nodes)
                nodes.append(parent)
            edges.append((None if parent is None else numbers[parent], slot))
        out.append((node.name(), edges))
    return out


def assert_same(ours: Any, theirs: Any, what: str = "result") -> None:
    """Both engines' results: same kind, shape, dtype, flags, graph, gradient, values."""
    if not torch.is_tensor(theirs):
        if isinstance(theirs, tuple | list):
            assert len(ours) == len(theirs), what
            for i, pair in enumerate(zip(ours, theirs, strict=True)):
                assert_same(*pair, f"{what}[{i}]")
        else:
            assert repr(ours) == repr(theirs), f"{what}: {ours!r} is not {theirs!r}"
        return
    assert autogradlab.is_tensor(ours), f"{what} is {type(ours)}"
    for flag in ("dtype", "shape", "requires_grad", "is_leaf", "ndim"):
        a, b = repr(getattr(ours, flag)), repr(getattr(theirs, flag))
        assert a == b, f"{what}.{flag}: {a} is not {b}"
    if not what.endswith(".grad"):  # torch fuses some second-order nodes, and names them after that
        assert graph(ours) == graph(theirs), f"{what}: graph {graph(ours)} is not {graph(theirs)}"
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    tolerance = {"float16": 5e-3, "float32": 1.3e-6, "float64": 1e-7}.get(str(b.dtype), 0)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=1e-5 if tolerance else 0, err_msg=what)
    if theirs.is_leaf or theirs.retains_grad:
        assert (ours.grad is None) == (theirs.grad is None), f"{what}.grad"
        if theirs.grad is not None:
            assert_same(ours.grad, theirs.grad, f"{what}.grad")


def assert_twins(code: str) -> None:
    """The snippet binds the same names to the same things, or ends with the same error."""
    ours, error, warned = run(code, autogradlab)
    theirs, their_error, they_warned = run(code, torch)
    assert error == their_error, f"{error!r} is not torch's {their_error!r}"
    assert warned == they_warned, f"{warned!r} is not torch's {they_warned!r}"
    for name, value in theirs.items():
        if not (name.startswith("_") or callable(value) or isinstance(value, types.ModuleType)):
            assert_same(ours[name], value, name)


def assert_second_order(start: str, expression: str, leaves: str) -> None:
    """Gradients by the leaves, and gradients of these, in float64."""
    assert_twins(
        f"torch.set_default_dtype(torch.float64)\n{start}"
        f"""
r = {expression}
leaves = [{leaves}]
g = torch.autograd.grad((r * r).sum(), leaves, create_graph=True, allow_unused=True)
total = sum((v.sin().sum() for v in g if v is not None), 0 * leaves[0].sum())
total.backward()
values, slopes = [v.detach() if v is not None else None for v in g], [v.grad for v in leaves]
del g, total, leaves
torch.set_default_dtype(torch.float32)
"""
    )
