# ruff: noqa: E501 - one program, one line
"""`gradcheck` and `gradgradcheck`: torch's verdicts and words, and ours about our own operations."""

import functools
import inspect
import re
from typing import Any

import numpy as np
import pytest
from twins import ENGINES, assert_twins, run

import autogradlab as torch
from autogradlab import derivatives
from autogradlab.autograd.gradcheck import GradcheckError

START = """
import warnings
from torch.autograd import Function, gradcheck, gradgradcheck
from torch.autograd.gradcheck import GradcheckError
x = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64, requires_grad=True)
m = torch.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]], dtype=torch.float64, requires_grad=True)
s = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
e = torch.zeros(0, dtype=torch.float64, requires_grad=True)
c = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
f = torch.tensor([0.5, -1.5, 2.0], requires_grad=True)

def op(forward, backward):
    class Op(Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return forward(*inputs)
        @staticmethod
        def backward(ctx, *g):
            return backward(*g, *ctx.saved_tensors)
    return Op.apply

calls = []
def count():
    calls.append(1)
    return len(calls)

right = op(lambda x: x * x, lambda g, x: 2 * g * x)
factor = op(lambda x: x * x, lambda g, x: 3 * g * x)
slightly = op(lambda x: x * x, lambda g, x: 2 * g * x + 2e-5 * g)
constant = op(lambda x: x * x, lambda g, x: 2 * x)
random = op(lambda x: x * x, lambda g, x: 2 * g * x * (1 + 1e-9 * count()))
wild = op(lambda x: x * x, lambda g, x: 2 * g * x * count())
none = op(lambda x: x * x, lambda g, x: None)
swapped = op(lambda x, y: x * x * y, lambda g, x, y: (g * x * x, 2 * g * x * y))
pair = op(lambda x: (x * x, x * 3), lambda g, h, x: 2 * g * x + 4 * h)
strict = op(lambda x: (x * x, x * 3), lambda g, h, x: (2 * g * x + 3 * h).reshape(x.shape))
short = op(lambda x: x * x, lambda g, x: g[:1] * 2)
second = op(lambda x: x * x, lambda g, x: 2 * g.detach() * x)
def forward_op(forward, jvp):
    class Op(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.x = x.detach()
            return forward(x)
        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.x
        @staticmethod
        def jvp(ctx, t):
            return jvp(t, ctx.x)
    return Op.apply

forward_right = forward_op(lambda x: x * x, lambda t, x: 2 * t * x)
forward_wrong = forward_op(lambda x: x * x, lambda t, x: 3 * t * x)

class Half(Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.set_materialize_grads(False)
        return x * 2 + y * 3
    @staticmethod
    def backward(ctx, g):
        return 2 * g, 3 * g
    @staticmethod
    def jvp(ctx, t, u):
        return (1.0 if t is None else 2 * t) + (0 if u is None else 3 * u)

almost = op(lambda x: x * x, lambda g, x: 2 * g * x + 1e-12)
class Both(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3
    @staticmethod
    def backward(ctx, g, h):
        if h is None and g is not None and (g == 0).all():
            raise RuntimeError("only one")
        return (0 if g is None else 2 * g) + (torch.zeros(3, dtype=torch.float64) if h is None else 3 * h)
branching = op(lambda x: x * 2, lambda g, x: 2 * g if g.sum() > -100 else g)
z = x.detach().clone().requires_grad_()

class Unmaterialized(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2
    @staticmethod
    def backward(ctx, g):
        if g is None:
            raise RuntimeError("nothing arrived")
        return 2 * g
"""

# What is checked, once slowly and once in fast mode.
FUNCTIONS = """
right, x; factor, x; slightly, x; constant, x; random, x; wild, x; none, x; swapped, (x, z)
pair, x; strict, x; short, x; constant, s; almost, s; Unmaterialized.apply, x; second, x
lambda x: x * 2, [x]; lambda x: [x * 2, x], x; lambda x, y: x @ y.T, (m, m.detach().clone().requires_grad_()); lambda x: x.exp(), s
lambda x, n, y: x * n * y, (x, 3, c); lambda x: x.abs(), torch.zeros(2, dtype=torch.float64, requires_grad=True)
lambda x: x.relu(), torch.tensor([1e-7, 1.0], dtype=torch.float64, requires_grad=True); lambda x: x.max(), torch.ones(2, dtype=torch.float64, requires_grad=True)
lambda x: x.sqrt(), torch.zeros(2, dtype=torch.float64, requires_grad=True); lambda x: x * 2, c; lambda x: x * 2, 3; lambda i: i * 2, torch.tensor([1, 2])
lambda x: x * 2, f; lambda x: x * 2, (f, x); lambda x, y: x * y, (f, x); lambda x: x ** 2, f; lambda x: x * 2, x.detach().half().requires_grad_()
lambda x: x.detach(), x; lambda x: x.detach().exp() * 0, x; lambda x: (x > 0).long(), x; lambda x: (x * 2, (x > 0).long()), x; lambda x: (x * 2, x > 0), x
lambda x: None, x; lambda x: 3.0, x; lambda x: x.sum(dtype=torch.float32), x; lambda x: x[x > 0], x; lambda x: x[: int(x[0] > 0.5) + 1], x
lambda x: x * 2 if x[0] == 0.5 else (x * 2).float(), x; lambda x: x * 2, e; lambda x: x[:0], x; lambda x: x.expand(2, 3), x
lambda x: x * 2, torch.ones(1, dtype=torch.float64, requires_grad=True).expand(3); lambda x: x * 2, torch.ones(1, dtype=torch.float64, requires_grad=True).expand(1)
lambda x: x * 2, m.T; lambda x: x.view(-1) * 2, m; lambda x: x, x; lambda x: (x * 1).mul_(x), x; lambda x, y: (x * 2, y * 3), (x, m); lambda x, y: x * 2, (x, m)
lambda x, y: (factor(x), factor(y), x), (x, s); lambda x: x.float() * 2, x; lambda x: x * float('nan'), x; lambda x: x * float('inf'), x; lambda x: (x.detach() * x, x), x
lambda x: x.max(0), x; lambda x: x.unbind(), m; lambda x: torch.ones(2, requires_grad=True), x
"""
OPTIONS = """
right, x, eps=1e-3; slightly, x, atol=1e-4; factor, x, rtol=0.6; factor, x, atol=3.0, fast_mode=True; random, x, nondet_tol=1e-6; wild, x, nondet_tol=1e6
lambda x: x.detach(), x, check_forward_ad=True; lambda x: x * 2, x, check_grad_dtypes=True; constant, x, check_undefined_grad=False; Half.apply, (x, z), check_forward_ad=True; right, x, check_batched_grad=True; swapped, (x, z), check_batched_grad=True
branching, x, check_batched_grad=True, raise_exception=False; lambda x: x[x > 0], x, check_batched_grad=True, check_forward_ad=True, check_batched_forward_grad=True; Unmaterialized.apply, x, check_undefined_grad=False
slightly, x, atol=1.5e-5; slightly, x, atol=1.5e-5, fast_mode=True; slightly, c.clone().requires_grad_(), atol=1.2e-5, fast_mode=True, rtol=0
lambda x: x * float('nan'), x, masked=True; almost, s, masked=True; Both.apply, x; lambda x: x + 1, x, masked=True; factor, x, raise_exception=False; pair, x, raise_exception=False
lambda x: x * 2, c, raise_exception=False; lambda x: x * 2, x, check_backward_ad=False; lambda x: x * 2, x, check_backward_ad=False, check_forward_ad=True, check_batched_grad=True
lambda x: x * 2, x, check_batched_forward_grad=True; lambda x: x.detach(), x, fast_mode=True, nondet_tol=9.0; lambda x: x, f, eps=1e-2, atol=1e-2
"""
SECOND = """
right, x; factor, x; second, x; none, x; lambda x: x.exp(), x; lambda x: x * 2, x; lambda x: x.detach(), x; lambda x, y: x @ y, (m, x)
lambda x: x.sin(), x, c; lambda x: x.sin(), x, c.clone().requires_grad_(); lambda x: x.sin(), f; lambda x: x.sin(), x, c[:2]; lambda x: (x.sin(), x * m), x
lambda x: x.exp(), m, gen_non_contig_grad_outputs=True; lambda x: x.sum(), m, gen_non_contig_grad_outputs=True; second, x, fast_mode=True; right, x, fast_mode=True
second, x, raise_exception=False; right, x, check_rev_over_rev=False; right, x, check_rev_over_rev=False, check_fwd_over_rev=True; lambda x: x.exp(), x, check_batched_grad=True
lambda x: x.exp(), x, check_fwd_over_rev=True; lambda x, y: x @ y, (m, x), check_fwd_over_rev=True; lambda x: (x ** 3).sum(), x, check_fwd_over_rev=True, check_rev_over_rev=False, check_undefined_grad=False
right, x, check_rev_over_rev=False, check_fwd_over_rev=True, check_undefined_grad=False, check_batched_grad=True; lambda x: x.relu(), x; lambda x: (x, x.long()), x
"""
FORWARD = """
lambda x: x.exp(), x; lambda x: x ** 2, (x,); lambda x, y: (x * y, x.sum()), (x, m); lambda x, n, y: x * n * y, (x, 3, c); lambda x: (x * 2, (x > 0).long()), x; forward_right, x; forward_wrong, x; right, x; lambda x: x.sum(dtype=torch.float32), x; lambda x, y: m @ (x * y), (x, z)
lambda x: x * 2, f; lambda x: x.exp(), s; lambda x: x * 2, e; lambda x: x[1:], x; lambda x, y: (x.sin(), forward_wrong(y)), (x, m); lambda x: x.relu(), x; lambda x: x.max(0), x
lambda x: x.expand(2, 3), x; lambda x: (x * 1).mul_(x), x; lambda x, y: x.clone().copy_(y), (x, f.double().detach().requires_grad_()); lambda x: torch.ones(3, dtype=torch.float64, requires_grad=True), x
"""
FORWARD_OPTIONS = [
    "check_forward_ad=True",
    "check_forward_ad=True, check_backward_ad=False",
    "check_forward_ad=True, check_backward_ad=False, fast_mode=True",
    "check_forward_ad=True, check_batched_forward_grad=True, check_batched_grad=True, check_undefined_grad=False",
]

NUMBER = r"-?\d+\.\d*(?:e-?\d+)?"


def each(calls: str) -> list[str]:
    return [call.strip() for line in calls.strip().splitlines() for call in line.split(";")]


@pytest.mark.parametrize("call", each(FUNCTIONS))
def test_gradcheck(call: str) -> None:
    assert_twins(START + f"print(gradcheck({call}), torch.rand(1))")


def assert_nearly_twins(code: str) -> None:
    """Messages of fast mode give all digits of sums; the last depend on the order of summing."""
    (ours, error, warned), (theirs, their_error, they_warned) = (run(code, e) for e in ENGINES)
    assert re.split(NUMBER, error) == re.split(NUMBER, their_error)
    numbers, their_numbers = (np.float64(re.findall(NUMBER, e)) for e in (error, their_error))
    np.testing.assert_allclose(numbers, their_numbers, rtol=1e-5, atol=1e-5)
    assert (ours["printed"], warned) == (theirs["printed"], they_warned)


@pytest.mark.parametrize("call", each(FUNCTIONS))
def test_fast_mode(call: str) -> None:
    assert_nearly_twins(START + f"print(gradcheck({call}, fast_mode=True), torch.rand(1))")


@pytest.mark.parametrize("options", FORWARD_OPTIONS)
@pytest.mark.parametrize("call", each(FORWARD))
def test_forward_mode(call: str, options: str) -> None:
    assert_nearly_twins(START + f"print(gradcheck({call}, {options}), torch.rand(1))")


@pytest.mark.parametrize("call", each(OPTIONS))
def test_options(call: str) -> None:
    assert_twins(START + f"print(gradcheck({call}), torch.rand(1))")


@pytest.mark.parametrize("call", each(SECOND))
def test_gradgradcheck(call: str) -> None:
    assert_twins(START + f"print(gradgradcheck({call}), torch.rand(1))")


# Our operations, checked by our gradcheck: expressions in a (2, 3), b (2, 3) and c (3, 2).
OPERATIONS = """
a * b; a / b.exp(); a.exp(); (a * a + 1).log(); a.tanh(); a.sigmoid(); a.sin() * b.cos(); (a * a + 1).sqrt(); a ** 3; (a * a + 1) ** b; torch.maximum(a, b); torch.where(a > 0, a, b * 2); a @ c; a.sum(0)
a.mean(); a.max(1)[0]; torch.cat([a, b * 2], 1); torch.stack([a, b], 1); a[:, 1:] * b[:, :-1]; a[[0, 0, 1]]; a.t().reshape(2, 3); a.unbind(1); a.expand(2, 2, 3); (a * 1).mul_(b)
"""


@pytest.fixture
def space() -> dict[str, Any]:
    torch.manual_seed(0)
    shapes = {"a": (2, 3), "b": (2, 3), "c": (3, 2)}
    tensors = {n: torch.randn(s, dtype=torch.float64, requires_grad=True) for n, s in shapes.items()}
    return {"torch": torch, **tensors}


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("expression", each(OPERATIONS))
def test_our_operations(expression: str, fast_mode: bool, space: dict[str, Any]) -> None:
    f = eval(f"lambda a, b, c: {expression}", space)
    inputs = space["a"], space["b"], space["c"]
    assert torch.autograd.gradcheck(f, inputs, fast_mode=fast_mode)
    assert torch.autograd.gradgradcheck(f, inputs, fast_mode=fast_mode)


WRONG = {
    "pow_number": {"self": lambda g, self, exponent: g * exponent * self**exponent},
    "atan2": {
        "self": lambda g, self, other: g * other / (self * self + other * other),
        "other": lambda g, self, other: g * -1.01 * self / (self * self + other * other),
    },
    "mm": {"self": lambda g, mat2: g @ mat2.T, "mat2": lambda g, self: -(self.T @ g)},
    "cat": {"tensors": lambda g, tensors_shape, dim: [g[:, :3], g[:, :3]]},
}
"""Formulas with a mistake: a forgotten - 1, a factor, a sign, a wrong slice."""
USES = {"pow_number": "a**3", "atan2": "a.atan2(b)", "mm": "a @ c", "cat": "torch.cat([a, b], 1)"}


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_formula_is_found(
    name: str, fast_mode: bool, space: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    primitive = getattr(derivatives, name)
    f = eval(f"lambda a, b, c: {USES[name]}", space)
    inputs = space["a"], space["b"], space["c"]
    assert torch.autograd.gradcheck(f, inputs, fast_mode=fast_mode)
    needs = {n: list(inspect.signature(g).parameters)[1:] for n, g in WRONG[name].items()}
    for attribute, value in (("formulas", WRONG[name]), ("needs", needs), ("plans", {})):
        monkeypatch.setattr(primitive, attribute, value)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0"):
        torch.autograd.gradcheck(f, inputs, fast_mode=fast_mode)
    monkeypatch.undo()
    assert torch.autograd.gradcheck(f, inputs, fast_mode=fast_mode)


def test_a_wrong_rule_of_forward_mode_is_found(
    space: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    check = functools.partial(torch.autograd.gradcheck, lambda a: a.exp(), space["a"])
    assert check(check_forward_ad=True)
    monkeypatch.setattr(derivatives.exp, "jvp", lambda self_t: self_t)
    monkeypatch.setattr(derivatives.exp, "jvp_needs", ["self_t"])
    assert check()
    with pytest.raises(GradcheckError, match="Jacobian computed with forward mode mismatch"):
        check(check_forward_ad=True)


def test_a_wrong_rule_of_vmap_is_found(
    space: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    check = functools.partial(torch.autograd.gradcheck, lambda a: a.exp(), space["a"])
    options = {"check_batched_grad": True, "check_forward_ad": True}
    assert check(**options, check_batched_forward_grad=True)

    def other_example_first(primitive: Any, count: int, arrays: list[Any]) -> Any:
        return arrays[0][::-1] * arrays[1]

    monkeypatch.setattr(derivatives.mul, "batch", other_example_first)
    assert check()
    with pytest.raises(GradcheckError, match="For output 0 and input 0:\n\nGot:"):
        check(**options)
    with pytest.raises(GradcheckError, match="For output 0 and input 0:\n\nGot:"):
        check(check_forward_ad=True, check_batched_forward_grad=True)


@pytest.mark.parametrize(
    "call",
    [
        "lambda x: ((x > 0).long(), x * 2), x",
        "lambda x: ((x * 3).detach(), x * 2), x, fast_mode=True",
        "lambda x: ((x * 3).detach(), x * 2), x, check_forward_ad=True, check_backward_ad=False",
    ],
)
def test_each_output_is_compared_with_itself(call: str) -> None:
    """Not so in torch: it takes outputs that have no gradient out of one list and not the other."""
    (ours, error, _), (_, their_error, _) = (run(f"{START}print(gradcheck({call}))", e) for e in ENGINES)
    assert (ours["printed"], error) == ("True\n", "")
    assert their_error.startswith(("IndexError", "GradcheckError: Jacobian"))
