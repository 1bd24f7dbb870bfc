# ruff: noqa: E501 - one snippet, one line
"""Writing into tensors and views: values, graphs, versions, gradients and errors are torch's."""

import pytest
from twins import assert_twins

START = """
x = torch.tensor([0.5, -1.5, 2.0], requires_grad=True)
m = torch.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]], requires_grad=True)
c = torch.tensor([1., 2., 3.])
i = torch.tensor([0, 2])
y, n, z = x * 2, m * 2, torch.zeros(3)
"""

# Each ends with names bound to what is to be compared; gradients of `total` are added afterwards.
SNIPPETS = r"""
v = y[1:]; v.mul_(3); w = v * 1; total = y.sum() + w.sum()
v = y[1:]; v.mul_(x[:2]); total = (y * y).sum()
v = y[1:]; v.mul_(v); total = (y * c).sum()
v = y[1:]; v.exp_(); total = (y * c).sum()
v = y[1:]; v.tanh_(); v.add_(x[0]); total = (y * y).sum()
v = y[1:]; y.mul_(2); w = v * 3; total = w.sum() + y.sum()
v = y[1:]; u = y[:2]; v.mul_(2); w = u * u; total = w.sum()
v = y.view(3); v += x; total = (y * v).sum()
v = n.t(); v[0].mul_(5); total = (n * n).sum()
v = n.t()[1:]; v.sigmoid_(); total = n.sum() + (v * v).sum()
v = n.view(6)[::2]; v *= c; total = (n * n).sum()
v = n[0]; w = n[:, 1]; v.zero_(); w += 1; total = (n * n).sum() + v.sum() + w.sum()
v = n[0][1:]; v.fill_(2.); total = (n * n).sum()
v = n[0]; v.copy_(c); total = (n * n).sum()
v = n[0]; v.copy_(x); total = (n * n).sum()
y.copy_(c); total = (y * x).sum()
y.copy_(x * 3); total = (y * y).sum()
y.fill_(3.); total = (y * x).sum()
y.fill_(x[0]); total = (y * y).sum()
y.relu_(); total = (y * y).sum()
y.zero_(); total = (y * x).sum()
y[0] = 5.; total = (y * y).sum()
y[0] = x[1]; total = (y * y).sum()
y[1:] = x[:2]; total = (y * y).sum()
y[:] = 7.; total = (y * x).sum()
y[...] = x; total = (y * y).sum()
y[i] = 5.; total = (y * y).sum()
y[i] = x[1:]; total = (y * y).sum()
y[y > 0] = x[0]; total = (y * y).sum()
y[torch.tensor([True, False, True])] = c[:2]; total = (y * y).sum()
n[0, i] = 3.; total = (n * n).sum()
n[:, i] = x[1:]; total = (n * n).sum()
n[1] = x[None]; total = (n * n).sum()
n[i[:1]] = x[None, None]; total = (n * n).sum()
n[0][1] = x[2]; total = (n * n).sum()
n[:, 1:] = n[:, :2] * 2; total = (n * n).sum()
n[0] = n[1]; total = (n * n).sum()
z[0] = x[1]; total = (z * x).sum()
z.copy_(x); total = (z * z).sum()
v, u = z[1:], z[:2]; v.mul_(x[1:]); r = v.requires_grad, u.requires_grad; total = u.sum() + z.sum()
z[1:].add_(x[0]); z[0] = z[1] * x[0]; total = (z * z).sum()
for k in range(3): z[k] = x[k] * k\ntotal = (z * z).sum()
for k in range(1, 3): y[k] = y[k - 1] * x[k]\ntotal = y.sum()
z += x; z *= x; total = z.sum()
d = y.detach(); d.mul_(2); r = y._version, d._version; total = y.sum()
w = y * 2; r = w.detach_() is w, w._version, w.is_leaf; total = (w * y).sum()
r = x.detach_().requires_grad; total = y.sum()
y[1:].detach_(); total = y.sum()
d = y.detach()[1:]; d.mul_(2); v = y[1:]; total = v.sum()
d = y.detach(); d.mul_(2); total = (y * y).sum()
w = y * y; d = y.detach(); d.mul_(2); w.sum().backward()
w = y * y; v = y[1:]; v.mul_(2); w.sum().backward()
w = y.exp(); v = w[1:]; v.mul_(2); w.sum().backward()
w = y.exp(); w[0] = 1.; w.sum().backward()
w = y[1:].exp(); y.mul_(2); total = w.sum()
w = y.sum(); y.add_(1); total = w
w = y.mean() + y.expand(2, 3).sum() + torch.cat([y, y]).sum() + y[i].sum(); y.add_(1); total = w
w = y * 2; y.add_(1); total = w.sum()
w = y + 1; w.mul_(y); total = w.sum()
v = y[1:]; v.retain_grad(); v.mul_(2); (y * y).sum().backward(); g = v.grad
y.retain_grad(); v = y[1:]; v.mul_(2); (y * y).sum().backward(); g = y.grad
v = y[1:]; v.register_hook(lambda g: g * 10); v.mul_(2); total = y.sum()
v = x[1:]; v.mul_(2)
v = x.view(3)[0]; v.add_(1)
x[0] = 1.
x[i] = 1.
x.t().mul_(2)
x.detach()[0] = 9.; total = (x * x).sum()
with torch.no_grad(): x[0] = 9.; x.mul_(2)\nr = x._version; total = (x * x).sum()
with torch.no_grad(): v = y[1:]\nv.mul_(2)
with torch.no_grad(): v = y[1:]\nwith torch.no_grad(): v.mul_(2)\ndel v; total = y.sum()
with torch.no_grad(): v = y[1:]\ny.mul_(2); r = v.requires_grad; del v
with torch.no_grad(): v = y[1:]; v.mul_(2)\nr = y._version, v.requires_grad; del v; total = y.sum()
a, b, c = y; r = a.output_nr, c.output_nr; total = a * b + c; del a, b
with torch.no_grad(): v = y[1:]\nr = v.requires_grad, v.is_leaf; (v * 3).sum().backward()
q = y.unbind(); total = (q[0] * q[2]) + q[0]
q = y.unbind(); q[0].retain_grad(); _h = q[1].register_hook(lambda g: g * 10); total = q[0] * q[1]
_q = y.unbind(); _r = torch.autograd.grad(_q[0] * _q[1] ** 2, [_q[1], _q[0], y])
q = m.unbind(1); total = (q[0] * q[1]).sum() + q[0].sum()
q = y.unbind(); q[0].mul_(2)
_q = y.unbind(); y.mul_(2); _q[0].grad_fn
_q = y.unbind(); y.mul_(2); (_q[0] * 2).backward()
y.expand(2, 3).add_(1)
y.expand(2, 3)[0] = 1.
y %= 2; total = y.sum()
y //= 2; r = y.grad_fn.name()
z %= 2; z //= 2; c //= 2; d = c; d %= 2
x %= 2
x //= 2
k = i; k <<= 2; k >>= 1; k |= 1; k &= 5; k ^= 2; k %= 3; k //= 2; r = k is i
i %= 1.5
i //= 1.5
b = i > 1; b &= i
b = i > 1; k = b; k |= True; k &= b; k ^= b
i &= 'a'
y[0] = 'a'
y[0] = [1, 2]
n[0] = torch.ones(4)
n[i[:1]] = torch.ones(4)
n.copy_(torch.ones(4))
n[5] = 1.
n[0, 0, 0] = 1.
y.fill_(c)
y += torch.ones(2, 3)
l = torch.arange(4); l[1:] = 2.7; l[0] = True; l += 1
l = torch.arange(4); l[0] += 2.5
o = (c > 1); o[0] = 3
s = torch.tensor(2., requires_grad=True) * 1; s.mul_(3); s[()] = 4.; total = s * x.sum()
s = torch.tensor(2., requires_grad=True) * 1; v = s.view(1); v.mul_(3); total = s * 2 + v.sum()
y.sub_(1).mul_(2).div_(4); total = (y * y).sum()
r = x._is_view(), y[1:]._is_view(), y[1:]._base is y, y[1:][:1]._base is y, x.detach()._is_view()
y[1:] += 1; y[:1] *= 2; total = (y * y).sum()
r = y.view(3, 1).squeeze().requires_grad_(); total = r.sum()
g, = torch.autograd.grad((y * y).sum(), x, create_graph=True); g.mul_(2); total = g.sum()
y[1:].mul_(x[:2]); g, = torch.autograd.grad((y**3).sum(), x, create_graph=True); (g * g).sum().backward(); del g
"""

# What an operation remembers beside its inputs: an index, a mask, a target, running statistics.
REMEMBERED = r"""
w = y[i]; i[0] = 1; total = w.sum()
w = n[:, i]; i[0] = 1; total = w.sum()
w = y[i.int()]; i[0] = 1; total = w.sum()
k = i.int(); w = y[k]; k[0] = 1; total = w.sum()
w = y[[0, 2]]; i[0] = 1; total = w.sum()
k = y > 0; w = y[k]; k.zero_(); total = w.sum()
k = y > 0; w = y.masked_select(k); k.zero_(); total = w.sum()
k = n > 0; w = torch.where(k, n, n * 2); k.zero_(); total = w.sum()
g = c * 1; g.requires_grad_(); d, = torch.autograd.grad(torch.nn.functional.gelu(x), x, g, create_graph=True)\nwith torch.no_grad(): g.add_(1)\ntotal = d.sum(); del d
d, = torch.autograd.grad(torch.nn.functional.gelu(y), y, c, create_graph=True); y.add_(1); total = d.sum(); del d
z[i] = x[:2]; i[0] = 1; total = z.sum()
y[i] = x[1:]; i[0] = 1; total = y.sum()
n[:, i] = x[1:]; i[0] = 1; total = n.sum()
z[i] = 1.; i[0] = 1; total = (z * x).sum()
w = z.index_put((i,), x[:2]); i[0] = 1; total = w.sum()
k = y > 0; z[k] = y[k]; r = z.grad_fn._saved_indices, y[k].grad_fn._saved_indices; total = z.sum()
r = n[:, i].grad_fn._saved_indices, n[i[:1], 1:].grad_fn._saved_indices
w = y[i]; w.sum().backward(); i[0] = 1; w.sum().backward()
k = i.clone(); w = torch.nn.functional.nll_loss(n, k); k[0] = 1; total = w
k = i.clone(); w = torch.nn.functional.cross_entropy(n, k); k[0] = 1; total = w
k = i[None, :1].repeat(2, 1) % 2; w = torch.nn.functional.nll_loss(n[..., None], k); k[0] = 1; total = w.sum()
b = torch.nn.BatchNorm1d(3); w = b(n) ** 2; b.running_mean.add_(1); total = w.sum(); del b
b = torch.nn.BatchNorm1d(3); w = b(n) ** 2; b.running_var.add_(1); total = w.sum(); del b
b = torch.nn.BatchNorm1d(3).eval(); w = b(n) ** 2; b.running_mean.add_(1); total = w.sum(); del b
b = torch.nn.BatchNorm1d(3); w = b(n) ** 2 + b(n); total = w.sum(); r = b.running_var._version; del b
"""


EVERY = [line for line in (SNIPPETS + REMEMBERED).split("\n") if line]


@pytest.mark.parametrize("snippet", EVERY)
def test_in_place(snippet: str) -> None:
    code = START + snippet.replace(r"\n", "\n")
    if "total" in code:
        code += "\ntotal.backward(); del v" if "register_hook" in code else "\ntotal.backward()"
    assert_twins(code)
