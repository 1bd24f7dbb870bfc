# ruff: noqa: E501 - one program, one line
"""`torch.autograd.functional`: values, forms, flags and errors, here and in torch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import assert_twins

START = """
from torch.autograd import functional as _F
x = torch.tensor([0.5, -1.5, 2.0])
y = torch.tensor([1.0, 3.0, -0.5])
m = torch.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]])
s = torch.tensor(1.5)
i = torch.tensor([1, 2])
w = torch.tensor([0.25, 0.5, 1.0], requires_grad=True)
one = torch.tensor([1.5])

def show(result):
    if isinstance(result, tuple):
        return tuple(map(show, result))
    return result.detach(), result.requires_grad, result.is_leaf
def cube(x): return x ** 3
def number(x): return (x ** 3).sum() * x[0]
def linear(x): return (x * 2).sum()
def two(x, y): return x * y, (x ** 2).sum()
def mixed(x, y): return (x ** 2 * y).sum()
def only(x, y): return (x ** 2).sum()
def apart(x, y): return (x ** 2).sum() + y.sum()
def cat(x): return torch.cat([x, x ** 2])
"""

PRODUCTS = """
vjp(cube, x, y); vjp(number, x); vjp(cube, (x,), y); vjp(cube, x, (y,)); vjp(lambda x: (x ** 3,), x, y); vjp(two, (x, y), (x, s)); vjp(two, (x, y), (x,))
vjp(two, (x, y), x); vjp(cube, x, m); vjp(two, (x, y), (x, x)); vjp(cube, x); vjp(two, (x, y)); vjp(only, (x, y)); vjp(lambda x: x.detach(), x, y)
vjp(lambda x: 3, x, y); vjp(lambda x: (x, 3), x, y); vjp(lambda x: [x], x, y); vjp(cube, 3, y); vjp(cube, [x], y); vjp(cube, (x, 3), y); vjp(cube, x, 3)
vjp(cube, i, i); vjp(lambda x: (x.long(), x), x, (i, x)); vjp(lambda x: (x > 0, x * 2), x, (x, x)); vjp(cube, w, y); vjp(cube, w, y, create_graph=True); vjp(cube, x, w, create_graph=True)
vjp(cube, x, y, create_graph=True); vjp(only, (w, w), strict=True); vjp(only, (w, x), strict=True); vjp(linear, w, strict=True); vjp(linear, w, create_graph=True, strict=True)
vjp(cube, w, y, create_graph=True, strict=True); vjp(lambda x: x.detach(), x, y, strict=True); vjp(lambda x: x * w, x, y); vjp(lambda x: w * 2, x, y); vjp(lambda x: w * 2, x, y, strict=True)
jvp(cube, x, y); jvp(cube, s); jvp(cube, one); jvp(lambda x: (x ** 3,), (x,), (y,)); jvp(two, (x, y), (y, x)); jvp(two, (x, y), y); jvp(cube, x); jvp(two, (x, y)); jvp(cube, x, m)
jvp(only, (x, y), (x, y)); jvp(only, (x, y), (x, y), strict=True); jvp(linear, x, y); jvp(linear, x, y, strict=True); jvp(linear, w, y, create_graph=True, strict=True); jvp(cube, w, y, create_graph=True)
jvp(cube, w, y, strict=True, create_graph=True); jvp(cube, x, w, create_graph=True); jvp(lambda x: x.detach(), x, y); jvp(lambda x: x.detach(), x, y, strict=True); jvp(lambda x: (x.long(), x), x, y)
jvp(lambda x: m @ x, x, y); jvp(lambda x: x.sum(dtype=torch.float64), x, y); jvp(lambda x: w * 2, x, y, strict=True); jvp(lambda x: w * 2, x, y); jvp(lambda x: 3, x, y); jvp(cube, x, i)
vhp(number, x, y); vhp(mixed, (x, y), (y, x)); vhp(only, (x, y), (y, x)); vhp(only, (x, y), (y, x), strict=True); vhp(apart, (x, y), (y, x)); vhp(apart, (x, y), (y, x), strict=True)
vhp(linear, x, y); vhp(linear, x, y, strict=True); vhp(cube, s); vhp(cube, one); vhp(cube, x); vhp(cube, x, y); vhp(lambda x: (x.sum(),), x, y); vhp(two, (x, y), (x, y)); vhp(number, x, m)
vhp(number, w, y, create_graph=True); vhp(number, w, y, create_graph=True, strict=True); vhp(lambda x: (x ** 2).sum(), w, y, create_graph=True, strict=True); vhp(lambda x: x.detach().sum(), x, y)
vhp(lambda x: x.detach().sum(), x, y, strict=True); vhp(number, x, w, create_graph=True); vhp(lambda x: 3, x, y); vhp(number, x, (y, y)); vhp(lambda x, y: (x * y).sum(), (x, y), (y, x), strict=True)
hvp(number, x, y); hvp(mixed, (x, y), (y, x)); hvp(only, (x, y), (y, x)); hvp(only, (x, y), (y, x), strict=True); hvp(apart, (x, y), (y, x)); hvp(apart, (x, y), (y, x), strict=True)
hvp(linear, x, y); hvp(linear, x, y, strict=True); hvp(cube, s); hvp(cube, one); hvp(cube, x); hvp(cube, x, y); hvp(lambda x: (x.sum(),), x, y); hvp(number, x, m); hvp(number, w, y, create_graph=True)
hvp(number, w, y, create_graph=True, strict=True); hvp(lambda x: (x ** 2).sum(), w, y, create_graph=True, strict=True); hvp(number, x, w, create_graph=True); hvp(lambda x: 3, x, y)
hvp(lambda x: x[0] * 2 + (x[1:] ** 2).sum(), x, y, strict=True); hvp(lambda x, y: (x * y).sum(), (x, y), (y, x), strict=True); hvp(lambda x: x.detach().sum(), x, y)
"""
MATRICES = """
jacobian(cube, x); jacobian(cube, s); jacobian(number, x); jacobian(cube, m); jacobian(two, (x, y)); jacobian(lambda x: (x ** 3,), x); jacobian(cube, (x,)); jacobian(cat, x); jacobian(only, (x, y))
jacobian(lambda x: x.detach(), x); jacobian(lambda x: (x.long(), x), x); jacobian(lambda x: x.sum(0), m); jacobian(lambda x: x.expand(2, 3), x); jacobian(lambda x: x.double(), x); jacobian(lambda x: x, x)
jacobian(lambda x: w * 2, x); jacobian(lambda x: w * x, x); jacobian(cube, w); jacobian(cube, w, create_graph=True); jacobian(two, (w, y), create_graph=True); jacobian(lambda x: w * x, x, create_graph=True)
jacobian(cube, w, strict=True); jacobian(only, (x, y), strict=True); jacobian(two, (x, y), strict=True); jacobian(lambda x: x.detach(), x, strict=True); jacobian(cat, w, create_graph=True, strict=True)
jacobian(cube, w, create_graph=True, strict=True); jacobian(cube, 3); jacobian(cube, [x]); jacobian(cube, (x, 3)); jacobian(lambda x: 3, x); jacobian(lambda x: (x, 3), x); jacobian(cube, i)
jacobian(cube, x, vectorize=True, strict=True); jacobian(cube, x, strategy="backwards"); jacobian(cube, x, strategy="forward-mode"); jacobian(cube, x, strategy="forward-mode", create_graph=True)
jacobian(cube, x, strategy="forward-mode", strict=True); jacobian(lambda x: (x * 1).mul_(x), x); jacobian(lambda x: x.unbind(), x); jacobian(lambda x: m @ x, x); jacobian(lambda x: x[:0], x); jacobian(cube, x[:0]); jacobian(torch.nn.functional.relu, x)
hessian(number, x); hessian(cube, s); hessian(cube, one); hessian(mixed, (x, y)); hessian(only, (x, y)); hessian(apart, (x, y)); hessian(linear, x); hessian(cube, x); hessian(two, (x, y)); hessian(number, (x,))
hessian(lambda x: (x.sum(),), x); hessian(lambda x: x.detach().sum(), x); hessian(number, w); hessian(number, w, create_graph=True); hessian(lambda x: (w * x ** 2).sum(), x, create_graph=True)
hessian(number, x, strict=True); hessian(only, (x, y), strict=True); hessian(apart, (x, y), strict=True); hessian(linear, x, strict=True); hessian(lambda x: x.detach().sum(), x, strict=True)
hessian(mixed, (x, y), strict=True); hessian(lambda x: (x ** 2).sum(), w, strict=True, create_graph=True); hessian(number, w, strict=True, create_graph=True); hessian(number, 3); hessian(lambda x: 3, x)
hessian(number, x, outer_jacobian_strategy="sideways"); hessian(number, x, outer_jacobian_strategy="forward-mode"); hessian(number, x, strict=True, vectorize=True); hessian(lambda x: (x.sum() ** 2)[None, None], x)
hessian(lambda x, y: (x * y).sum(), (x, y), strict=True); hessian(lambda m: (m @ m.T).sum(), m)
"""


def each(calls: str) -> list[str]:
    return [call.strip() for line in calls.strip().splitlines() for call in line.split("; ")]


@pytest.mark.parametrize("call", each(PRODUCTS + MATRICES))
def test_functions(call: str) -> None:
    assert_twins(START + f"print(show(_F.{call}))")


@pytest.mark.parametrize("call", [c for c in each(MATRICES) if "=" not in c and "lambda" not in c])
def test_vectorized(call: str) -> None:
    """Zeros may differ in sign, as torch's pass for all outputs together adds zeros to them."""
    start = START.replace("result.detach()", "result.detach() + 0.0")
    assert_twins(start + f"print(show(_F.{call[:-1]}, vectorize=True)))")


FORWARD = """
jacobian(cube, x); jacobian(cube, s); jacobian(cube, m); jacobian(two, (x, y)); jacobian(lambda x: (x ** 3,), x); jacobian(cube, (x,)); jacobian(cat, x); jacobian(only, (x, y)); jacobian(lambda x: x.detach(), x)
jacobian(lambda x: m @ x, x); jacobian(lambda x: x.sum(0), m); jacobian(lambda x: x.expand(2, 3), x); jacobian(lambda x: x.double(), x); jacobian(lambda x: 3, x); jacobian(lambda x: (x, 3), x); jacobian(cube, 3)
jacobian(cube, (x, 3)); jacobian(cube, i); jacobian(lambda x: torch.ones(2), x); jacobian(cube, w); jacobian(lambda x: w * x, x); jacobian(lambda x: (x * 1).mul_(x), x); jacobian(lambda x: (x.long(), x), x)
hessian(number, x); hessian(mixed, (x, y)); hessian(only, (x, y)); hessian(linear, x); hessian(cube, s); hessian(cube, one); hessian(cube, x); hessian(two, (x, y)); hessian(number, (x,)); hessian(lambda m: (m @ m.T).sum(), m)
"""


@pytest.mark.parametrize("call", each(FORWARD))
def test_forward_mode(call: str) -> None:
    option = "strategy" if call.startswith("jacobian") else "outer_jacobian_strategy"
    call = f"{call[:-1]}, vectorize=True, {option}='forward-mode')"
    assert_twins(START + f"print(show(_F.{call}))")


@pytest.mark.parametrize("call", ["vjp(cube, w, y)", "jvp(cube, w, y)", "hvp(number, w, y)", "vhp(number, w, y)", "jacobian(cube, w)", "hessian(number, w)"])
def test_results_are_differentiable(call: str) -> None:
    assert_twins(START + f"""
_out = _F.{call[:-1]}, create_graph=True)
_parts = _out if isinstance(_out, tuple) else (_out,)
(slope,) = torch.autograd.grad(sum((p ** 2).sum() for p in _parts), w)
print(slope)
with torch.no_grad():
    print(show(_F.{call}), show(_F.{call[:-1]}, create_graph=True)))
""")


SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)


@settings(max_examples=40, deadline=None)
@given(SHAPES, SHAPES, st.sampled_from(["x.sum() * y", "x * y.sum()", "(x ** 2).sum() * y, x * 3", "x.reshape(-1) * y.mean(), y ** 2"]))
def test_shapes(a: tuple[int, ...], b: tuple[int, ...], body: str) -> None:
    """Jacobians, Hessians and a product at inputs of any shapes."""
    assert_twins(START + f"""
x, y = torch.randn({a}, dtype=torch.float64), torch.randn({b}, dtype=torch.float64)
jacobian = _F.jacobian(lambda x, y: ({body}), (x, y))
hessian = _F.hessian(lambda x, y: (x ** 3).sum() * (y ** 2).sum() + (x.exp()).sum(), (x, y))
product = _F.hvp(lambda x, y: (x ** 3).sum() * (y ** 2).sum(), (x, y), (x, y))
""")


BATCHED = """
grad(y, p, v); grad((y, z), (p, q), (v, v[:, :, None] * v[:, None])); grad(y, (p, q), v); grad(y, (p, q), v, allow_unused=True); grad(y, (p, q), v, materialize_grads=True); grad(y, p, v[0])
grad(y, p, v[:, :2]); grad(y.sum(), q, v[:, 0], allow_unused=True); grad(y, p, v, create_graph=True)[0].detach(); (grad(y, p, v), grad(y, p, v)); (grad(y, p, v, retain_graph=True), grad(y, p, v))
"""


@pytest.mark.parametrize("call", each(BATCHED))
def test_batched_gradients(call: str) -> None:
    assert_twins(START + f"""
p, q = x.clone().requires_grad_(), y.clone().requires_grad_()
v = torch.arange(6.0).view(2, 3)
y, z = p ** 3, torch.outer(p, q)
def grad(*args, **options):
    return torch.autograd.grad(*args, is_grads_batched=True, **options)
print({call})
p = q = y = z = None
""")


@pytest.mark.parametrize("body", ["x.register_hook(show_g); return x * x", "y = x * 1; y.register_hook(show_g); return y * y", "return Square.apply(x)"])
def test_what_a_user_sees_of_a_jacobian(body: str) -> None:
    """A backward of one's own, and hooks, get one row after the other."""
    assert_twins(START + f"""
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, g):
        print(g.tolist())
        return 2 * g * ctx.saved_tensors[0]
def show_g(g):
    print(g.tolist())
def f(x):
    {body}
print(_F.jacobian(f, x))
""")
