"""Snippets that must do here what they do on the installed PyTorch: values, graphs, errors."""

import pytest
from twins import assert_twins

START = """
x = torch.tensor([0.5, -1.5, 2.0], requires_grad=True)
m = torch.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]], requires_grad=True)
b = (torch.arange(24.).reshape(4, 2, 3) / 7).requires_grad_()
s = torch.tensor(1.5, requires_grad=True)
i = torch.tensor([0, 2])
c = torch.tensor([1., 2., 3.])
"""

EXPRESSIONS = """
x*3; 3*x; x*c; x*s; s*s; 1-x; 2/x; x/2; x/c; c/x; x**2; x**3; x**0; x**1; x**2.; (x*x+1)**x; 2**x; 0**x; x**c; x+1; 1+x; x-1
x.add(x, alpha=2); x.sub(x, alpha=3); -x; x.abs(); abs(x); x.exp(); (x*x).log(); x.sin(); x.cos(); x.tanh(); x.sigmoid(); x.relu()
torch.relu(x); torch.sigmoid(x); (x*x).sqrt(); x.reciprocal(); x.square(); torch.rsub(x, x); torch.maximum(x, c); torch.minimum(x, c)
torch.max(x, c); torch.where(x > 0, x, 0.); torch.where(x > 0, x, c); torch.where(x > 0, 1., x); torch.where(m > 0, m, x)
x.clone(); x.double(); x.float() is x; x.half(); x.to(torch.float64); x.long(); x.detach(); x.data; m+x; m*x; m-x; m/x; m*s
m.sum(); m.sum(0); m.sum(-1); m.sum((0,1)); m.sum(1, keepdim=True); m.sum(dim=0); m.sum(dtype=torch.float64); m.mean(); m.mean(1)
m.mean((0,1)); m.mean(0, keepdim=True); m.max(); m.min(); m.max(0); m.min(1); m.max(1, keepdim=True); m.argmax(); m.argmin(1)
torch.ones(2,2,requires_grad=True).max(); x.max(0); s.max(0); s.sum(0); s.sum(-1); s.mean()
x@x; m@x; m@c; c@x; torch.ones(2)@m; x[:2]@m; m@m.T; m.T@m; b@x; b@m.T; b@b.mT; x[:2]@b; m.T@b; b[:, :1]@m.T; m@b.mT
m.T; m.t(); m.mT; x.t(); m.transpose(0,1); m.transpose(-1,0); m.permute(1,0); b.permute(2,0,1); m.reshape(3,2); m.reshape(-1)
m.t().reshape(6); m.view(6); m.view(-1,2); m.flatten(); b.flatten(1); x.flatten(); s.flatten(); m.reshape(2,3); m.view((3,2))
m.squeeze(); b[:1].squeeze(); b[:1].squeeze(0); b[:1].squeeze(1); b[:1,:1].squeeze((0,1)); m.unsqueeze(0); m.unsqueeze(-1)
x.expand(2,3); x.expand(2,-1); s.expand(2,2); m.expand_as(b); m.contiguous() is m; m.t().contiguous()
torch.cat([m,m]); torch.cat([m,b[0]], 1); torch.cat((m, m*2, m), dim=-1); torch.stack([x,x]); torch.stack([x,x*2], 1); torch.cat([m, c[None]])
x[0]; x[-1]; x[1:]; x[:]; x[...]; x[None]; x[::2]; m[:,0]; m[0,1:]; m[i[:1]]; m[:,i]; m[m>0]; m[0][1]; m[0,1]; m[...,0]; m[:,None]
x[i]; x[[0,0]]; b[:,0,i]; b[i,0]; b[i]; b[i,:,i]; m[i[0]]; b[1:3,...,::2]; x[torch.tensor([True,False,True])]; x[-2:]; x[5:]
torch.outer(x,x); x.dot(c); m.mm(m.t()); m.mv(c); b.bmm(b.mT); x==c; x>0; (x>0)&(x<1); ~(x>0); x.numel(); x.shape; m.stride()
m.t().stride(); x.tolist(); s.item(); len(m); m.size(); m.size(-1); m.dim(); x.dtype; torch.arange(5); torch.arange(1,2,.25); torch.arange(5.)
torch.arange(3,8,2); torch.linspace(0,1,5); torch.linspace(-1,1,11); torch.eye(3); torch.eye(2,3); torch.full((2,),3); torch.full((2,),3.)
torch.zeros(2,3); torch.zeros((2,3)); torch.ones([2]); torch.zeros_like(m); torch.ones_like(i); torch.tensor([]); torch.tensor(True)
torch.tensor(.1,dtype=torch.float64).item(); torch.tensor([1e200,1e-320],dtype=torch.float64).tolist(); torch.tensor([1e200]); torch.tensor(np.array([1e200]),dtype=torch.float16)
torch.tensor([2**62],dtype=torch.float16); torch.tensor([-1,255],dtype=torch.uint8); torch.tensor([1.7,-1.7],dtype=torch.int8); torch.tensor([1e-320],dtype=torch.bool)
torch.tensor([1,2.5]); torch.tensor(np.float64(1)); torch.tensor(np.ones(3)); torch.tensor([torch.tensor(1.),torch.tensor(2)])
torch.tensor([np.float64(1.),2]); torch.tensor([1,2],dtype=torch.float64,requires_grad=True); torch.from_numpy(np.arange(3)); torch.tensor([[True],[False]])
np.float32(2)*x; x+np.float64(1); np.sin(c); i*2.5; i/2; i+True; i*i; i**2; i.exp(); i.sum(); (x>0).sum(); i/i; i.sqrt(); 2**i; i-1; 1-i
c*c.double(); c*torch.tensor(2., dtype=torch.float64); i*torch.tensor(2.); torch.equal(c,c); torch.allclose(c,c+1e-9); c.any(); (c>9).all()
f'{s.detach():.2f}'; c.min(); torch.add(1,2); c.type(); c.type(torch.int64); x.is_leaf; torch.is_tensor(x); torch.promote_types(torch.int64, torch.float16)
x.rand; torch.tensor([1.0]) == 'a'; c == None; torch.Size([2]); torch.can_cast(torch.float32, torch.int64); torch.get_default_dtype()
"""

STATEMENTS = """
y = (3*x**2).sum(); y.backward()
y = (x*x).sum(); y.backward(); y.backward()
y = x.sum(); y.backward(); y.backward()
y = (x*3).sum(); y.backward(); y.backward()
y = (x*x).sum(); y.backward(retain_graph=True); y.backward()
y = x*x; y.backward(c)
y = x*x; y.backward(gradient=torch.ones(3, dtype=torch.float64))
y = x*x; y.backward(torch.ones(4))
y = x*x; y.backward([1,1,1])
y = x*x; y.backward(1.0)
y = x*x; y.backward()
c.sum().backward()
s.backward()
y = x*2; z = y*y; z.backward(c, inputs=[y])
y = x*2; (y*y).sum().backward(inputs=x)
y = x*2; y.sum().backward(inputs=[])
y = x*2; r = torch.autograd.grad((y*y).sum(), [x, y])
r = torch.autograd.grad(x.sum(), x, grad_outputs=torch.ones(3))
r = torch.autograd.grad(x.sum(), [x, m])
r = torch.autograd.grad(x.sum(), [x, m], allow_unused=True)
r = torch.autograd.grad((x*x).sum(), x, None, None, False, True)
r = torch.autograd.grad((x*x).sum(), x, only_inputs=False)
r = torch.autograd.grad(x.sum(), [x, m], materialize_grads=True)
r = torch.autograd.grad(x.sum(), [x, m], allow_unused=False, materialize_grads=True)
r = torch.autograd.grad(x.sum(), [c])
r = torch.autograd.grad(x*2, x)
r = torch.autograd.grad(x.sum(), [])
r = torch.autograd.grad([x*2, x*3], x, [torch.ones(3), torch.ones(3)])
r = torch.autograd.grad([x*2, x*3], x, [torch.ones(3)])
torch.autograd.backward([x.sum(), (x*m).sum()])
g, = torch.autograd.grad((x**3).sum(), x, create_graph=True); (g*g).sum().backward(); g = g.detach()
(x*x).sum().backward(create_graph=True); x.grad.sum().backward()
x.sum().backward(create_graph=True)
y = x*2; y.retain_grad(); y.retain_grad(); (y*y).sum().backward(); r = y.grad, y.retains_grad
y = x*2; r = y.grad
x.requires_grad = 3
i.requires_grad = True
i.requires_grad_()
y = x*2; y.requires_grad_(False)
y = x*2; y.requires_grad = False
x.requires_grad_(False); y = x*2
y = (x*2).sum(); x.requires_grad_(False); y.backward()
x.grad = torch.ones(3); (x*x).sum().backward()
x.grad = torch.ones(3, dtype=torch.float64)
x.grad = 'a'
x.grad = torch.ones(4)
c.retain_grad()
c.register_hook(print)
h = x.register_hook(lambda g: g*2); x.sum().backward(); h.remove(); x.sum().backward(); h = 0
k = 0; x.register_hook(lambda g: 3); x.sum().backward()
x.register_hook(lambda g: torch.ones(5)); x.sum().backward()
y = x*2; y.register_hook(lambda g: g*3); y.sum().backward()
r = (x*2).grad_fn(torch.ones(3)); q = x.exp().grad_fn(c)
(x*2).grad_fn(3)
r = (x*x).grad_fn._saved_self, (x*3).grad_fn._saved_other, (x*3).grad_fn._saved_self, (x+3).grad_fn._saved_alpha, (x**3).grad_fn._saved_exponent
r = b[:,i[:1]].grad_fn._saved_indices, b[i,:,i].grad_fn._saved_indices, b[...,i].grad_fn._saved_indices, x[i].grad_fn._saved_indices, b[:,0,i].grad_fn._saved_indices
r = m.sum(0).grad_fn._saved_self_sym_sizes, m.sum(0).grad_fn._saved_keepdim, x.exp().grad_fn._saved_result
y = (x**2).sum(); y.backward(); y.grad_fn.next_functions[0][0]._saved_self
r = [hasattr(f.grad_fn, '_saved_' + n) for f in (x*3, x+x, x.exp(), x.tanh(), x**2, m.sum(0)) for n in ('self', 'other', 'result')]
r = torch.nn.functional.nll_loss(m.log_softmax(1), torch.tensor([0, 1])).grad_fn._saved_weight
r = [hasattr(f.grad_fn, '_raw_saved_' + n) for f in (x*x, x*3, x+x, x.exp(), x**2, m.sum(0)) for n in ('self', 'other', 'result', 'alpha', 'dim')]
y, z = x*x, x.exp(); r = y.grad_fn._raw_saved_self.unpack_hook, z.grad_fn._raw_saved_result.unpack_hook
with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t): y, z = x*x, x.exp()\\nr = callable(y.grad_fn._raw_saved_other.unpack_hook), callable(z.grad_fn._raw_saved_result.unpack_hook)
x.numpy()
np.asarray(x)
r = float(x)
r = float(s), int(s)
r = bool(c)
r = bool(torch.ones(0))
c.item()
len(s)
iter(s)
torch.tensor([[1,2],[3]])
torch.tensor('a')
torch.tensor([1.,'a'])
torch.tensor([1,2], requires_grad=True)
torch.tensor([None])
torch.tensor({})
torch.tensor(2**70)
torch.tensor([300], dtype=torch.uint8)
torch.tensor([-1.7], dtype=torch.uint8)
torch.tensor(1e5, dtype=torch.int16)
torch.tensor([1, float('nan')], dtype=torch.int64)
torch.tensor(-2**40, dtype=torch.int32)
r = torch.tensor(c)
torch.zeros(-1)
torch.zeros(2.5)
torch.arange(5,0)
x.sum(5)
x[5]
x[0,0]
x[1.5]
x[torch.tensor([5])]
x[torch.tensor([True,False])]
x[::-1]
x.view(2,2)
x.reshape(-1,-1)
x.reshape(-1,2)
x.expand(4)
m.expand(4,2,4)
m.permute(0,0)
m.permute(0)
m.transpose(0,5)
b.t()
m.t().view(6)
torch.cat([])
torch.stack([])
torch.cat([c, m])
torch.cat([c, 3])
torch.cat(c)
torch.cat([m, m.t()])
torch.stack([c, c[:2]])
m@m
c@c[:2]
s@c
m@c[:2]
b@b
torch.ones(2,2,3)@torch.ones(3,3,2)
m@m.t().double()
c + c[:2]
torch.ones(2,3) + torch.ones(3,2)
torch.where(c, 1, 2)
torch.ones(0).max()
torch.ones(0,3).max(0)
r = torch.ones(0).sum(), torch.ones(0,3).sum(0), torch.ones(3,0).sum(0)
i**-1
torch.exp('a')
torch.exp()
torch.exp(3.)
torch.exp(np.ones(3))
torch.mul(c, 'a')
f'{c:.2f}'
c < 'a'
-torch.tensor([True])
torch.tensor([True]) - torch.tensor([True])
1 - torch.tensor([True])
i.float().mean().backward()
i.mean()
np.ones(3) * c
np.ones(3) * x
x + 'a'
'a' + x
x * None
x.add_(1)
x += 1
x[0] = 5.
x.view(3).mul_(2)
y = x*2; y += 1; y *= 3; y -= c; y.sum().backward()
y = x*2; y.mul_(x); y.sum().backward()
y = x*2; y.mul_(torch.ones(2,3))
y = x*2; y.zero_(); y.sum().backward()
y = x*2; y /= 4; y.sum().backward()
y = x*2; y **= 2; y.sum().backward()
y = x*2; y.exp_(); y.sum().backward(); r = y._version, x._version
y = x*2; y.relu_(); y.sum().backward()
y = x*2; z = y*y; y += 1; z.sum().backward()
y = x.exp(); y.add_(1); y.sum().backward()
y = x*2; y *= y; y.sum().backward()
w = m[0].detach().requires_grad_(); z = (w*x).sum(); torch.set_grad_enabled(False); x.add_(1); torch.set_grad_enabled(True); z.backward()
i.add_(1.5)
i.div_(2)
i += 1
c += c; d = c.detach(); d.mul_(2); r = c._version
y = x*2; y.retain_grad(); y += 1; (y*y).sum().backward(); r = y.grad
c[0] = 9; c[1:] = c[:2]*0; m.detach()[0, 1] = 5
c[c > 1] = 0
c[torch.tensor([0, 0])] = torch.tensor([7., 8.])
z = x.detach(); z += 1; y = x*1
z = x.data; z += 1; y = x*1
with torch.no_grad(): y = x*2; r = torch.is_grad_enabled()\nwith torch.no_grad(), torch.enable_grad(): z = x*2
import copy; y = copy.deepcopy(x*2)
import copy; y = copy.deepcopy(x); r = y is x; del copy
torch.set_default_dtype(torch.int64)
torch.set_default_dtype(torch.float64); y = torch.tensor([1.])*i; z = torch.zeros(2); torch.set_default_dtype(torch.float32)
r = torch.rand(3); q = torch.randn(20); p = torch.randint(0, 10, (4,)); o = torch.randperm(6); l = torch.randn(3)
y = (b@m.T).relu().sum(); y.backward()
y = ((m@x)**2).mean() + x.max(); y.backward()
y = torch.stack([x.sin(), x.cos()])[0].sum() + torch.cat([x, c]).mean(); y.backward()
y = m.max(1)[0].sum() + m.max() + m.min(0)[0].sum(); y.backward()
y = x[i].sum() + m[m > 0].sum() + m[:, 1:].sum() + m[0].sum(); y.backward()
y = (s*x).sum() + s; y.backward()
y = x.relu().sum() + x.abs().sum(); y.backward()
z = torch.zeros(3, requires_grad=True); y = z.relu().sum() + z.abs().sum() + z.tanh().sum(); y.backward()
z = torch.zeros(3, requires_grad=True); z.sqrt().sum().backward()
z = torch.zeros(3, requires_grad=True); torch.where(z > 0, z.sqrt(), 0.).sum().backward()
z = torch.zeros(3, requires_grad=True); (z**0).sum().backward()
z = torch.zeros(3, requires_grad=True); (z**2).sum().backward()
z = torch.zeros(3, requires_grad=True); (0**z).sum().backward()
z = torch.zeros(3, requires_grad=True); torch.maximum(z, z*1).sum().backward()
z = torch.zeros(3, requires_grad=True); (z**c).sum().backward(); y = c*1
"""


@pytest.mark.parametrize(
    "expression",
    [e.strip() for line in EXPRESSIONS.split("\n") for e in line.split(";") if e.strip()],
)
def test_expression(expression: str) -> None:
    assert_twins(START + f"r = {expression}")


@pytest.mark.parametrize("statement", [line for line in STATEMENTS.split("\n") if line])
def test_statement(statement: str) -> None:
    assert_twins(START + statement.replace("\\n", "\n"))


@pytest.mark.parametrize(
    "expression",
    [e.strip() for line in EXPRESSIONS.split("\n")[1:13] for e in line.split(";") if e.strip()],
)
def test_gradient_and_second_gradient(expression: str) -> None:
    assert_twins(
        "torch.set_default_dtype(torch.float64)"
        + START
        + f"""
r = {expression}
r = r if torch.is_tensor(r) else r[0] if isinstance(r, tuple) else x * 1
if r.requires_grad and r.dtype != torch.float16:
    leaves = [v for v in (x, m, b, s)]
    g = torch.autograd.grad((r * r).sum(), leaves, create_graph=True, allow_unused=True)
    total = sum((v.sin().sum() for v in g if v is not None), 0 * x.sum())
    total.backward()
    values, slopes = [v.detach() if v is not None else None for v in g], [v.grad for v in leaves]
    del g, total, leaves
torch.set_default_dtype(torch.float32)
"""
    )
