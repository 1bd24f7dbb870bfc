"""Forward mode, vmap and saved versions of what PyTorch's own samples do not reach: calls with
numbers, forms that write in place, views, indices, and steps that appear only in other formulas."""

import pytest
from twins import assert_twins

START = """
import warnings; warnings.simplefilter("ignore")  # torch says which rules it lacks
from torch.func import grad, hessian, jvp, vmap
F = torch.nn.functional
x = torch.tensor([0.5, -1.5, 2.0])
t = torch.tensor([1.0, -0.5, 0.25])
m = torch.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]])
w = torch.tensor([[-1.0, 2.0, 0.2], [0.3, -0.6, 1.4]])
i = torch.tensor([0, 2])
"""

# Functions of one vector: the tangent, and one vector after the other.
FUNCTIONS = """
a.clamp(0, 1); a.clamp_min(0); a.clamp_max(1); 2 ** a; torch.pow(2, a); a.fmod(2); a % 2; a.fmod(a.detach() + 1); torch.atan2(a, a * a + 1); a.sign() * a
F.elu(a * 1, inplace=True); F.leaky_relu(a * 1, inplace=True); torch.fill(a, 3.) * a; torch.fill(a, a[1]) * a; a.scatter(0, i, 9.) * a; a.div(0.4, rounding_mode='floor') * a; a.remainder(0.7)
a.as_strided((2,), (2,)); a[:, None].expand(3, 2).t().reshape(6) * 2; a.outer(a).t().reshape(9); a[None, :, None].squeeze() * 2; a.unfold(0, 2, 1).square().sum(1)
torch.zeros_like(a) + a; (a * a).floor() * a; a.trunc() * a; (a * 1).zero_() + a; (a * 1).fill_(2.) * a; (a * 1).fill_(a[1]) * a; F.prelu(a, torch.tensor(0.2)); a.masked_fill(a > 0.4, 0.); F.cosine_embedding_loss(a, -w[0], torch.tensor(-1), margin=0.1)
"""
# The gradient, one vector after the other and with a tangent: rules of what gradients are made of.
GRADIENTS = """
a.as_strided((2,), (2,)).exp().sum(); a.unfold(0, 2, 1).exp().sum(); a.outer(a).diagonal().exp().sum(); torch.det(a.outer(a).sin()); torch.linalg.det(a.outer(a).cos() + torch.eye(3))
F.avg_pool2d(a.outer(a)[None], 2, 1).exp().sum()
"""
# Comparisons have no derivative, but a rule for vmap.
CHOICES = """
a.round() == 0; a.round() != 0; a < b; a <= b; a > b; a >= b; (a > 0) & (b > 0); (a > 1) | (b > 1); (a > 0) ^ (b > 0); ~(a > 0); (a > 0).logical_and(b > 0); (a > 1).logical_or(b > 1); (a > 0).logical_not()
(a / (a > 0)).isfinite(); (0 * a / (a > 0)).isnan(); (a > 1.5).any(0); (a > -0.8).all(0); (a > 1.5).any(0, True); a.argmin(); a.argmax(0); a.argmin(0, keepdim=True); a.median(0)[1]; a.sort()[1]; a.argsort(0, True)
a // b; 2 // b; a.sign(); a.zero_() if False else torch.zeros_like(a); a.median(); a.int() | 1; (a * 2).int() ^ 3; ~(a * 2).int(); (a * 2).int() & 3; a.floor(); a.ceil(); a.trunc(); a.round(); a.round(decimals=1)
"""
# Outputs of x, whose gradient is linear in the gradient that comes in: its tangents and gradients.
OUTPUTS = """
(x * 1).as_strided((2,), (2,)); x.unfold(0, 2, 1); (x * x[:, None]).diagonal(); written(x, lambda v: v.mul_(3)); written(x, lambda v: v.fill_(2.)); written(x, lambda v: v.exp_())
shown(x, lambda y: y.mul_(3)); shown(x, lambda y: y.sin_()); x.scatter(0, i, 2.); x.index_fill(0, i, 1.); x.index_fill(0, i, x[1]); x.masked_fill(x > 0, x[1])
x[i]; x[None, :][:, i]; x.take(i); x.gather(0, i); x.index_add(0, i, x[:2]); t.scatter_add(0, i, x[:2]); x.masked_select(x > 0); x.flip(0).roll(1); x.expand(2, 3).repeat(1, 2); x.cumsum(0); x.diag_embed(1)
x.fmod(2.); x.floor(); x.clamp(0, 1)
"""
# What is saved, and then written into, before backward or before a second backward.
CHANGES = """
r = y.gather(0, k); k.add_(0); r.sum().backward()
r = y.index_select(0, k); k.add_(0); r.sum().backward()
r = y.take(k); k.add_(0); r.sum().backward()
r = y.masked_select(p); p.fill_(True); r.sum().backward()
r = y.masked_fill(p, y[0]); p.fill_(True); r.sum().backward()
r = y.scatter(0, k, t); k.add_(0); r.sum().backward()
r = y.scatter(0, k, 2.); k.add_(0); r.sum().backward()
r = y.scatter_add(0, k, t); k.add_(0); r.sum().backward()
r = t.scatter_add(0, k, y); k.add_(0); r.sum().backward()
r = y.index_add(0, k, t[:2]); k.add_(0); r.sum().backward()
r = t.index_add(0, k, y[:2]); k.add_(0); r.sum().backward()
r = y.index_fill(0, k, 2.); k.add_(0); r.sum().backward()
r = y.index_fill(0, k, y[0]); k.add_(0); r.sum().backward()
r = F.embedding(k, y[:, None]); k.add_(0); r.sum().backward()
h = t * 1; r = F.binary_cross_entropy(y.sigmoid(), t.sigmoid(), h.exp_()); h.add_(0); r.backward()
h = torch.rand(1, 1, 3, 3); y = y.outer(t)[None, None]; r = F.scaled_dot_product_attention(y, y * 2, y * 3, h); h.add_(0); r.sum().backward()
r = y.outer(y * 1); y.add_(0); r.sum().backward()
u = y * 1; r = y.outer(u); u.add_(0); r.sum().backward()
r = 2 ** y; y.add_(0); r.sum().backward()
r = 2 ** y; r.add_(0); r.sum().backward()
r = y.clamp(0, 1); y.add_(0); r.sum().backward()
r = y.clamp_min(0); y.add_(0); r.sum().backward()
r = y.clamp_max(0); y.add_(0); r.sum().backward()
r = F.elu(y * 1, inplace=True); r.add_(0); r.sum().backward()
r = F.leaky_relu(y * 1, inplace=True); r.add_(0); r.sum().backward()
u = y.outer(t).sin(); r, = torch.autograd.grad(torch.det(u), u, create_graph=True); u.add_(0); r.sum().backward()
r = x.clamp(m, m + 1); r.sum().backward()
u, c, A = y * 1, y[:2] * 1, m.requires_grad_(); r, = torch.autograd.grad(A @ u, A, c, create_graph=True); u.add_(0); r.sum().backward()
u, c, A = y * 1, y[:2] * 1, m.requires_grad_(); r, = torch.autograd.grad(A @ u, A, c, create_graph=True); c.add_(0); r.sum().backward()
"""


def each(text: str) -> list[str]:
    return [part.strip() for line in text.split("\n") for part in line.split(";") if part.strip()]


@pytest.mark.parametrize("function", each(FUNCTIONS))
def test_function(function: str) -> None:
    assert_twins(
        START
        + f"""
f = lambda a: {function}
tangents = jvp(f, (x,), (t,))
batched = vmap(f)(m), vmap(f)(m[:1])
slopes = vmap(grad(lambda a: f(a).sum()))(m)
"""
    )


@pytest.mark.parametrize("function", each(GRADIENTS))
def test_gradient(function: str) -> None:
    assert_twins(
        START
        + f"""
f = lambda a: {function}
tangents, batched, second = jvp(grad(f), (x,), (t,)), vmap(grad(f))(m), hessian(f)(x)
"""
    )


@pytest.mark.parametrize("function", each(CHOICES))
def test_choice(function: str) -> None:
    assert_twins(START + f"r = vmap(lambda a, b: {function})(m, w)")


@pytest.mark.parametrize("quotient", ["x // 2", "2 // x", "t // x", "m // x", "x // m"])
def test_rounded_quotients_have_no_derivative(quotient: str) -> None:
    f = f"f = lambda x: {quotient}"
    assert_twins(START + f"x.requires_grad_(); {f}; f(x).sum().backward()")
    assert_twins(START + f"{f}; jvp(f, (x,), (t,))")


@pytest.mark.parametrize("output", each(OUTPUTS))
def test_tangent_and_gradient_of_the_gradient(output: str) -> None:
    assert_twins(
        START
        + f"""
def written(x, write):
    y = x * 1
    write(y[:2])
    return y
def shown(x, write):
    y = x * 1
    v = y[1:]
    write(y)
    return v
x.requires_grad_()
out = {output}
back = lambda g: torch.autograd.grad(out, x, g, create_graph=True)[0]
g = out.detach().cos().requires_grad_()
first = back(g)
again, = torch.autograd.grad(first, g, t, create_graph=True)
tangents = [v.detach() for v in jvp(back, (g.detach(),), (out.detach().sin(),))]
last = torch.autograd.grad(again.sin().sum() + first.sum(), [x, g], allow_unused=True)
first, again = first.detach(), again.detach()
"""
    )


@pytest.mark.parametrize("statement", [line for line in CHANGES.split("\n") if line])
def test_changed_before_backward(statement: str) -> None:
    # Torch words the type of a mask in a way of its own.
    assert_twins(
        START
        + f"""
x.requires_grad_()
y, k, p, changed = x * 1, torch.tensor([0, 2]), x > 0, False
try:
    {statement}
except RuntimeError as error:
    changed = 'modified by an inplace operation' in str(error)
r = u = c = h = k = p = 0
"""
    )
