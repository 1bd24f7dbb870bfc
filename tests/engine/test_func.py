# ruff: noqa: E501 - one program, one line
"""torch.func and forward mode: the same programs here and on torch, with what they print and raise."""

import pytest
import torch
from twins import assert_twins

import autogradlab

START = """
from torch.func import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp, vmap
import torch.autograd.forward_ad as fwAD
x = torch.tensor([1., 2., 3.])
m = torch.arange(6.).reshape(2, 3)
"""

PROGRAMS = [
    'print(vmap(lambda a: a.sum())(m))',
    'print(vmap(lambda a,b: a*b)(m, x))',
    'print(vmap(lambda i: torch.nn.functional.embedding(i, m))(torch.tensor([[0], [1]])))',
    'print(vmap(lambda a: a.long() << 1)(m), vmap(lambda a, b: a.long() >> b.long())(m + 8, x[:2]))',
    'print(vmap(lambda a: a // 2)(m), vmap(lambda a: 2 % (a + 1))(m))',
    'print(vmap(lambda a, b: a // b)(m, m[:, 0] + 1), vmap(lambda a: a // m)(x[:2]))',
    "__import__('warnings').simplefilter('ignore'); print(vmap(torch.isclose)(m, m.clamp(max=3.)))",
    'with fwAD.dual_level(): print(2 % fwAD.make_dual(x, x))',
    'F = torch.nn.functional; print(jvp(grad(lambda a: F.gelu(a).sum()), (x,), (x,)))',
    "F = torch.nn.functional; print(jvp(grad(lambda a: F.gelu(a, approximate='tanh').sum()), (x,), (x,)))",
    'F = torch.nn.functional; print(vmap(grad(lambda b: (F.gelu(b) * x).sum()))(m))',
    'F = torch.nn.functional; print(vmap(lambda a, g: grad(lambda b: F.gelu(b).sum() * g)(a))(m, x[:2]))',
    'print(vmap(lambda a,b: a*b, in_dims=(0,None))(m, x))',
    'print(vmap(lambda a: a*2, in_dims=1, out_dims=1)(m))',
    'print(vmap(lambda a: (a*2,a.sum()), out_dims=(1,0))(m))',
    'print(vmap(lambda a: 3)(m))',
    'print(vmap(lambda a: torch.ones(2))(m))',
    'print(vmap(lambda a: a)(3))',
    'print(vmap(lambda a: a)())',
    'print(vmap(lambda a: a, in_dims=(0,0))(m))',
    'print(vmap(lambda a: a, in_dims=5)(m))',
    "print(vmap(lambda a: a, in_dims='a')(m))",
    'print(vmap(lambda a: a, in_dims=None)(m))',
    'print(vmap(lambda a: a, out_dims=None)(m))',
    'print(vmap(lambda a: a, out_dims=(0,0))(m))',
    'print(vmap(lambda a: a.item())(x))',
    'print(vmap(lambda a: a if a>0 else -a)(x))',
    'print(vmap(lambda a: torch.randn(2))(x))',
    "print(vmap(lambda a: torch.rand(2)+a, randomness='same')(x)[0].shape)",
    "print(vmap(lambda a: a, randomness='x')(x))",
    "print(vmap(lambda d: {'q': d['a']*2, 'l':[d['b']]})({'a':m,'b':m}))",
    "print(vmap(lambda d: d['a']*2, in_dims=({'a':1},))({'a':m}))",
    'print(vmap(vmap(lambda a: a*2))(m))',
    'print(vmap(vmap(lambda a,b: a*b, in_dims=(0,None)), in_dims=(None,0))(x,x))',
    'print(grad(lambda a: (a**2).sum())(x))',
    'print(grad(lambda a: (a**2))(x))',
    'print(grad(lambda a: 3.)(x))',
    'print(grad(lambda a: (a.sum(),a))(x))',
    'print(grad(lambda a: (a**2).sum())(3))',
    'print(grad(lambda a: (a**2).sum())(torch.tensor([1,2])))',
    'print(grad(lambda a,b: (a*b).sum(), argnums=1)(x,x*2))',
    'print(grad(lambda a,b: (a*b).sum(), argnums=(0,1))(x,x*2))',
    'print(grad(lambda a,b: (a*b).sum(), argnums=5)(x,x*2))',
    'print(grad(lambda a: ((a**2).sum(), a*3), has_aux=True)(x))',
    'print(grad(lambda a: (a**2).sum(), has_aux=True)(x))',
    'print(grad_and_value(lambda a: (a**2).sum())(x))',
    'print(grad(grad(lambda a: a**3))(x[1]))',
    'print(vmap(grad(lambda a: a**3))(x))',
    'print(grad(lambda a: vmap(lambda b: b*a)(x).sum())(x[0]))',
    "print(grad(lambda d: (d['a']*d['b']).sum())({'a':x,'b':x*3}))",
    'print(grad(lambda a: torch.zeros(()))(x))',
    'o,f=vjp(lambda a: (a*2, a.sum()), x); print(f((torch.ones(3),torch.tensor(1.))))',
    'o,f=vjp(lambda a: a*2, x); print(f(torch.ones(4)))',
    'o,f=vjp(lambda a,b: a*b, x, x*2); print(f(torch.ones(3)))',
    'o,f,aux=vjp(lambda a: (a*2,a), x, has_aux=True); print(o, f(torch.ones(3)), aux)',
    'print(jvp(lambda a: a**2, (x,), (torch.ones(3),)))',
    'print(jvp(lambda a: a**2, x, torch.ones(3)))',
    'print(jvp(lambda a: a**2, (x,), (torch.ones(4),)))',
    'print(jvp(lambda a: a**2, (x,), (torch.ones(3),torch.ones(3))))',
    'print(jvp(lambda a,b: a*b, (x,x), (torch.ones(3),x)))',
    'print(jvp(lambda a: (a**2,a.sum()), (x,), (torch.ones(3),), has_aux=True))',
    'print(jvp(lambda x: x * jvp(lambda y: x + y, (torch.tensor(1.),), (torch.tensor(1.),))[1], (torch.tensor(2.),), (torch.tensor(1.),)))',
    'print(jacrev(lambda a: a**2)(x))',
    'print(jacfwd(lambda a: a**2)(x))',
    'print(jacrev(lambda a: m@a)(x), jacfwd(lambda a: m@a)(x))',
    'print(jacrev(lambda a,b: a*b, argnums=(0,1))(x,x))',
    'print(jacrev(lambda a: (a*2, a.sum()))(x))',
    "print(jacfwd(lambda a: {'p':a*2})(x))",
    'print(jacrev(lambda a: a.sum())(x), jacfwd(lambda a: m*a.sum())(x).shape)',
    'print(hessian(lambda a: (a**3).sum())(x))',
    'print(jacrev(jacrev(lambda a: (a**3).sum()))(x), jacfwd(jacfwd(lambda a: (a**3).sum()))(x))',
    'print(jacrev(lambda a: a**2, has_aux=False, chunk_size=1)(x))',
    'print(jacrev(lambda a: 3)(x))',
    '_w=x.clone().requires_grad_(); _y=grad(lambda a: (a*_w).sum())(x); print(_y)',
    '_w=x.clone().requires_grad_(); _y=grad(lambda a: (a*a*_w).sum())(x); _y.sum().backward(); print(_w.grad)',
    '_w=x.clone().requires_grad_(); _y=vmap(lambda a: a*_w)(m); _y.sum().backward(); print(_w.grad, _y.grad_fn is not None)',
    '_w=x.clone().requires_grad_(); _y=jvp(lambda a: a*a*_w, (x,), (x,))[1]; _y.sum().backward(); print(_w.grad)',
    '_w=x.clone().requires_grad_(); _y=jvp(lambda a: a*a*a, (_w,), (x,))[1]; _y.sum().backward(); print(_w.grad)',
    'with fwAD.dual_level(): _d=fwAD.make_dual(x,torch.ones(3)); _y=_d*_d; print(fwAD.unpack_dual(_y), _y, _d)',
    'with fwAD.dual_level(): _d=fwAD.make_dual(x,torch.ones(4))',
    'with fwAD.dual_level(): _d=fwAD.make_dual(torch.tensor([1]),torch.ones(1))',
    '_d=fwAD.make_dual(x,torch.ones(3))',
    'with fwAD.dual_level(): _d=fwAD.make_dual(x,torch.ones(3)); _y=_d*_d\nprint(_y, fwAD.unpack_dual(_y))',
    'with fwAD.dual_level(): \n    with fwAD.dual_level(): pass',
    'with fwAD.dual_level(): print(fwAD.unpack_dual(x))',
    'with fwAD.dual_level(): _w=x.clone().requires_grad_(); _d=fwAD.make_dual(_w,torch.ones(3)); _y=(_d*_d).sum(); _t=fwAD.unpack_dual(_y).tangent; print(_t.detach(), _t.requires_grad); _t.backward(); print(_w.grad)',
    'with fwAD.dual_level(): _d=fwAD.make_dual(x,torch.ones(3)); _d2=x*1; _d2.mul_(_d); print(fwAD.unpack_dual(_d2))',
    'print(vmap(lambda a: a[0])(m), vmap(lambda a: a.unsqueeze(0).expand(2,3))(m).shape, vmap(lambda a: a.max())(m))',
    'print(vmap(lambda a: torch.where(a>1,a,0.))(m))',
    'print(vmap(lambda a,i: a[i])(m, torch.tensor([0,2])))',
    'print(vmap(lambda a: a.argmax())(m))',
    'F = torch.nn.functional; b = torch.arange(30.).sin().reshape(3, 5, 2); c, v = b[:, 0], b[:, 1].exp()\nr = [vmap(F.batch_norm)(b, c, v), vmap(F.batch_norm)(b, c, v, c + 1, v + 1), vmap(lambda c, v: F.batch_norm(b[0], c, v))(c, v), vmap(lambda a: F.batch_norm(a, c[0], v[0]))(b)]',
    'F = torch.nn.functional; b = torch.arange(30.).sin().reshape(3, 5, 2); c, v = b[:, 0], b[:, 1].exp()\nf = lambda a, c, v: F.batch_norm(a, c, v, training=True).exp().sum()\nr = [vmap(f)(b, c.clone(), v.clone()), vmap(grad(f))(b, c.clone(), v.clone())]',
    'F = torch.nn.functional; b = torch.arange(30.).sin().reshape(3, 5, 2); f = lambda a, c, v: (F.batch_norm(a, c, v, training=True), c, v)\nr = vmap(f)(b, b[:, 0].clone(), b[:, 1].exp())',
    'F = torch.nn.functional; b = torch.arange(30.).sin().reshape(3, 5, 2); r = jvp(lambda c: F.batch_norm(b[0], c, b[1][0].exp()), (b[0][0],), (b[0][1],))',
    'F = torch.nn.functional; b = torch.arange(30.).sin().reshape(3, 5, 2); c = b[0, 0].clone(); vmap(lambda a: F.batch_norm(a, c, c.exp(), training=True))(b)',
    'from torch.func import functional_call, stack_module_state\n_nets = [torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval().requires_grad_(False) for _ in range(3)]\n_state = stack_module_state(_nets); params, buffers = _state\nr = vmap(lambda p, b, x: functional_call(_nets[0], (p, b), (x,)), (0, 0, None))(params, buffers, m); print([type(p).__name__ for p in params.values()])',
    'from torch.func import stack_module_state; r = stack_module_state([torch.nn.Linear(3, 2) for _ in range(3)])[0]; print(list(r))',
    'from torch.func import stack_module_state; stack_module_state([])',
    'from torch.func import stack_module_state; stack_module_state([torch.nn.Linear(1, 1), torch.nn.Linear(1, 1).eval()])',
    'from torch.func import stack_module_state; stack_module_state([torch.nn.Linear(1, 1), torch.nn.ReLU()])',
    'from torch.func import stack_module_state; stack_module_state([torch.nn.Linear(1, 1), torch.nn.Linear(1, 1).requires_grad_(False)])',
    'F = torch.nn.functional; t = torch.tensor([0, 2]); print(vmap(F.cross_entropy)(m, t), vmap(F.nll_loss)(m + 1, t), vmap(lambda a, i: F.cross_entropy(a[None], i[None]))(m, t))',
    'F = torch.nn.functional; t = torch.tensor([0, 2]); print(vmap(grad(F.cross_entropy))(m, t), vmap(grad(F.cross_entropy), (None, 0))(x, t))',
    'b, t = torch.arange(60.).sin().reshape(4, 5, 3), torch.arange(20).reshape(4, 5) % 3\n_f = lambda **o: lambda a, i: torch.nn.functional.cross_entropy(a, i, **o).sum()\nr = [(vmap(_f(**_o))(b, t), vmap(grad(_f(**_o)))(b, t)) for _o in ({}, {"reduction": "sum"}, {"weight": x}, {"ignore_index": 1}, {"reduction": "none", "ignore_index": 2})]',
    'b, t = torch.arange(24.).sin().reshape(2, 2, 3, 2), torch.arange(8).reshape(2, 2, 2) % 3; print(vmap(torch.nn.functional.cross_entropy)(b, t))',
    '_t=torch.ones(3)\nwith fwAD.dual_level(): _d=fwAD.make_dual(x, _t); print(fwAD.unpack_dual(_d).tangent is _t, fwAD.unpack_dual(_d * 1).tangent is _t)',
    '_t=torch.ones(3)\nwith fwAD.dual_level(): _d=fwAD.make_dual(x.clone(), _t); _d.mul_(2); print(fwAD.unpack_dual(_d).tangent)',
    '_t=torch.ones(3).double()\nwith fwAD.dual_level(): print(fwAD.unpack_dual(fwAD.make_dual(x, _t)).tangent)',
    'print(vmap(lambda a: a.shape)(m))',
    'print(vmap(lambda a: a.add_(1))(m.clone()))',
    'print(vmap(torch.dot)(m,m), vmap(torch.mv, in_dims=(None,0))(m,m), vmap(torch.outer)(m,m).shape)',
    'print(vmap(lambda a: print(a))(m))',
    'vmap(lambda a: str(a.shape)+str(a.dim()))(m)',
    "_w=x.clone().requires_grad_()\nwith fwAD.dual_level():\n  _d=fwAD.make_dual(_w, x); _g,=torch.autograd.grad((_d**3).sum(), _w); print(fwAD.unpack_dual(_g))",
    "_w=x.clone().requires_grad_()\nwith fwAD.dual_level():\n  _d=fwAD.make_dual(_w, x); _g,=torch.autograd.grad((_d**3).sum(), _d); print(fwAD.unpack_dual(_g))",
    "_w=x.clone().requires_grad_()\nwith fwAD.dual_level():\n  _d=fwAD.make_dual(x, _w); _t=fwAD.unpack_dual((_d**3).sum()).tangent; print(torch.autograd.grad(_t, _w))",
]


@pytest.mark.parametrize("options", [{}, {"weight": [1.0, 2.0, 3.0], "ignore_index": 0}])
def test_smoothed_targets_of_each_example(options: dict) -> None:
    """Torch's vmap refuses these; the truth is torch's loss of one example after the other."""
    scores, targets = torch.arange(60.0).sin().reshape(4, 5, 3), torch.arange(20).reshape(4, 5) % 3

    def loss(engine):
        given = {k: engine.tensor(v) if k == "weight" else v for k, v in options.items()}
        cross_entropy = engine.nn.functional.cross_entropy
        return lambda a, i: cross_entropy(a, i, label_smoothing=0.2, **given)

    ours = (autogradlab.from_numpy(x.numpy()) for x in (scores, targets))
    wanted = torch.stack([loss(torch)(a, i) for a, i in zip(scores, targets, strict=True)])
    found = autogradlab.vmap(loss(autogradlab))(*ours)
    torch.testing.assert_close(torch.from_numpy(found.numpy()), wanted)


@pytest.mark.parametrize("program", PROGRAMS)
def test_func(program: str) -> None:
    assert_twins(START + program)


# Functions of one tensor that take every kind of rule: elementwise, linear, bilinear, reductions,
# views, joins, indices, several outputs.
FUNCTIONS = """
(a * a.sin()).sum()
(m @ a).tanh().sum()
(a.exp() / (1 + a.exp())).prod()
torch.cat([a, a[1:] * a[0]]).cumsum(0).square().sum()
torch.stack([a.sin(), a.cos()]).max(0)[0].sum()
torch.where(a > 1.5, a ** 3, a * 2).sum()
a.view(3, 1).expand(3, 2).t().reshape(-1).softmax(0).square().sum()
(a.unbind()[0] * a.unbind()[2]).exp()
a[torch.tensor([0, 2, 2])].pow(3).sum()
a.outer(a).norm() + a.logsumexp(0)
(a.sort()[0] * torch.tensor([1., 2., 3.])).square().sum()
(m * a).mean(1).relu().sum() + a.var() + a.std()
torch.einsum('ij,j->i', m, a).dot(torch.einsum('ij,j->i', m, a))
""".strip().split("\n")
TRANSFORMS = """
jvp(f, (x,), (t,))
jvp(grad(f), (x,), (t,))
grad(lambda a: jvp(f, (a,), (t,))[1])(x)
grad(lambda a: (grad(f)(a) * t).sum())(x)
jacrev(grad(f))(x)
jacfwd(grad(f))(x)
hessian(f)(x)
jacrev(lambda a: jvp(f, (a,), (t,))[1])(x)
jacfwd(jacfwd(f))(x)
jvp(jvp_of, (x,), (t,))
vmap(f)(xs)
vmap(grad(f))(xs)
vmap(hessian(f))(xs)
vmap(lambda a: jvp(f, (a,), (t,)))(xs)
grad(lambda b: vmap(f)(b).sum())(xs)
grad(lambda a: vmap(lambda s: f(a * s))(t).sum())(x)
jacrev(vmap(f))(xs)
jacfwd(lambda a: vmap(lambda s: f(a * s))(t))(x)
vmap(vmap(lambda a, s: f(a * s), (None, 0)), (0, None))(xs, t)
grad(lambda a: grad(lambda b: vmap(lambda s: f(b * s))(t).sum())(a).sum())(x)
jacfwd(jacrev(grad(f)))(x)
jacrev(jacfwd(jacfwd(f)))(x)
""".strip().split("\n")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_transforms_nest_in_any_order(function: str) -> None:
    results = []
    for engine in (autogradlab, torch):
        engine.set_default_dtype(engine.float64)
        space = {"torch": engine, **vars(engine.func)}
        space["m"] = engine.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]])
        space["x"], space["t"] = engine.tensor([0.5, 1.2, 2.1]), engine.tensor([1.0, -0.5, 0.25])
        space["xs"] = engine.tensor([[0.5, 1.2, 2.1], [1.9, -1.0, 0.4]])
        exec(f"f = lambda a: {function}\njvp_of = lambda a: jvp(f, (a,), (t,))[1]", space)
        results.append([evaluated(transform, space) for transform in TRANSFORMS])
        engine.set_default_dtype(engine.float32)
    assert sum(theirs is None for theirs in results[1]) < 3
    for transform, ours, theirs in zip(TRANSFORMS, *results, strict=True):
        for a, b in zip(ours, theirs or [], strict=theirs is not None):
            torch.testing.assert_close(
                torch.from_numpy(a.numpy().copy()), b, rtol=1e-7, atol=1e-9, msg=transform
            )


def evaluated(transform, space):
    """The tensors a transform gives; None where torch cannot: its forward mode over forward mode
    over some operations writes into what its reverse mode has saved."""
    try:
        return flat(eval(transform, space))
    except RuntimeError as error:
        if space["torch"] is torch and "modified by an inplace operation" in str(error):
            return None
        raise


def flat(x):
    return [x.detach()] if not isinstance(x, tuple) else [y for part in x for y in flat(part)]
