# ruff: noqa: E501 - one snippet, one line
"""`out=`: what is written, its type and shape, and the errors, as in PyTorch."""

import pytest
from twins import assert_twins

START = """
a = torch.tensor([[1., 2.], [3., 4.]]); r = a.clone().requires_grad_(); n = torch.tensor([1, 2])
o, e = torch.zeros(2, 2), torch.empty(0)
d, l, h = torch.zeros(2, 2).double(), torch.zeros(2, 2).long(), torch.zeros(3)
"""

SNIPPETS = """
torch.matmul(a, a, out=o)
torch.mm(a, a, out=o)
torch.mul(a, a, out=o)
p = torch.mul(a, a, out=o) is o
torch.add(a, 1, alpha=2, out=o); torch.sub(o, 1, out=a); torch.div(a, 2, out=a); torch.pow(a, 2, out=o)
torch.exp(a, out=o); torch.sin(input=o, out=o); torch.neg(o, out=o); torch.multiply(o, 2, out=o)
torch.mul(a, a, out=e)
torch.mul(a, a, out=h)
torch.matmul(a, a, out=h)
torch.mul(a, a, out=l)
torch.mul(a, a, out=d)
torch.exp(a, out=l)
torch.exp(a, out=d)
torch.matmul(a, a, out=d)
torch.neg(a, out=d)
torch.floor(a, out=d)
torch.abs(a, out=l)
torch.cat([a, a], out=l)
torch.stack([a, a], out=e.double())
torch.mul(r, a, out=o)
torch.sin(r, out=o)
torch.cat([a, r], out=o)
torch.mul(a, a, out=r)
with torch.no_grad(): torch.mul(r, a, out=o)
torch.cat([a, a], out=e)
torch.stack([a, a], out=e)
torch.add(n, n, out=h[:2])
o = a.clone(); torch.add(o, o, out=o); torch.mul(o, o, out=o)
torch.mul(a[0], a[0], out=o[:, 1])
torch.matmul(a, a.T, out=o.t())
torch.gt(a, 2, out=o); torch.maximum(a, o, out=o); torch.cat([o, o], out=d)
v = o._version; torch.mul(a, a, out=o); v = o._version - v
z = r * 1; w = z * z; torch.mul(a, a, out=z.detach()); w.sum().backward()
with torch.inference_mode(): w = torch.zeros(2, 2)\ntorch.mul(a, a, out=w)
"""


@pytest.mark.parametrize("snippet", SNIPPETS.strip().splitlines())
def test_out(snippet: str) -> None:
    assert_twins(START + snippet.replace(r"\n", "\n"))
