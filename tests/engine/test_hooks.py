# ruff: noqa: E501 - one program, one line
"""Hooks of every kind, anomaly mode, checkpointing: the same programs here and on torch."""

import pytest
from twins import assert_twins

START = """
from torch.utils.checkpoint import checkpoint
x = torch.tensor([1., 2., 3.], requires_grad=True)
"""

PROGRAMS = [
    "_h=x.register_post_accumulate_grad_hook(lambda p: print('acc',p.grad)); x.sum().backward(); _h.remove(); x.sum().backward()",
    'y=x*2; y.register_post_accumulate_grad_hook(print)',
    "y=x*2;z=x*3\n_h=torch.autograd.graph.register_multi_grad_hook((x,y,z), lambda gs: print('m',gs)); (y+z).sum().backward(); y.sum().backward() if 0 else None; (x*4).sum().backward()",
    "y=x*2;z=x*3\n_h=torch.autograd.graph.register_multi_grad_hook((x,y,z), lambda g: print('any',g), mode='any'); (y+z).sum().backward()",
    "y = x*1\nwith torch.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(4), lambda t: t): y*y",
    "with torch.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(4), lambda t: t): x.exp()",
    "with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone().mul_(4), lambda t: t/4): y=(x*x).exp().sum()\ny.backward(); print(x.grad)",
    "with torch.autograd.graph.saved_tensors_hooks(lambda t: (print('pack',t),t)[1], lambda t:(print('unpack',t),t)[1]):\n  y=(x*x).exp().sum()\ny.backward(); print(x.grad)",
    'with torch.autograd.graph.saved_tensors_hooks(lambda t: t*2, lambda t:t/2):\n  y=(x*3)*x\ny.sum().backward(); print(x.grad)',
    'with torch.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), lambda t:torch.from_numpy(t)):\n  y=x*x\ny.sum().backward(); print(x.grad)',
    'with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().numpy(), lambda t:5):\n  y=x*x\ny.sum().backward(); print(x.grad)',
    'with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t:t):\n  y=x*x*x\ng,=torch.autograd.grad(y.sum(),x,create_graph=True); print(g.requires_grad); g.sum().backward(); print(x.grad)',
    'with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t:t):\n  w=x*1; y=w*w\nw.add_(1); y.sum().backward(); print(x.grad)',
    'with torch.autograd.graph.save_on_cpu():\n  y=x*x\ny.sum().backward(); print(x.grad)',
    'with torch.autograd.detect_anomaly():\n  y=(x*0).sqrt()*0\n  y.sum().backward()',
    'y=(x*0).sqrt()*0\nwith torch.autograd.detect_anomaly():\n  y.sum().backward()',
    'with torch.autograd.set_detect_anomaly(True, check_nan=False):\n  y=(x*0).sqrt()*0\n  y.sum().backward(); print(x.grad)\nprint(torch.is_anomaly_enabled())',
    "def f(a): print('f', torch.is_grad_enabled()); return (a*a).exp()\ny=checkpoint(f,x,use_reentrant=False); print(y); y.sum().backward(); print(x.grad)",
    "def f(a): print('f', torch.is_grad_enabled()); return (a*a).exp()\ny=checkpoint(f,x,use_reentrant=True); print(y); y.sum().backward(); print(x.grad)",
    "def f(a): print('f', torch.is_grad_enabled()); return (a*a).exp()\ny=checkpoint(f,x)",
    'y=checkpoint(lambda a:a*2,x.detach(),use_reentrant=True); print(y)',
    '_e=torch.autograd.graph.get_gradient_edge(x*2); print(_e.output_nr, _e.node.name()); print(torch.autograd.graph.get_gradient_edge(x).node)',
    'y=x*2\n_h=y.grad_fn.register_prehook(lambda g: (g[0]*10,)); y.grad_fn.register_hook(lambda gi,go: print(gi,go)); y.sum().backward(); print(x.grad)',
    'y=x*2\ny.grad_fn.register_prehook(lambda g: 3); y.sum().backward()',
    'y=x*2\ny.grad_fn.register_hook(lambda gi,go: 3); y.sum().backward()',
    'y=x*2\ny.grad_fn.register_hook(lambda gi,go: (gi[0],gi[0],gi[0])); y.sum().backward()',
    'y=x*2\ny.grad_fn.register_hook(lambda gi,go: (None,None)); y.sum().backward(); print(x.grad)',
    'with torch.autograd.detect_anomaly():\n  y=(x*0).sqrt()\n  g,=torch.autograd.grad(y.sum(),x,create_graph=True)',
    "y=x.sqrt(); y.grad_fn.metadata['a']=3; print(y.grad_fn.metadata)",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_hooks(program: str) -> None:
    assert_twins(START + program)


# Whose memory a leaf's `.grad` is: a gradient that nobody else holds is kept as it is.
OWNERS = [
    "w = torch.randn(4, 2, 3, 3, requires_grad=True); y = F.conv2d(torch.randn(2, 2, 5, 5), w)\n"
    "y.grad_fn.next_functions[1][0].register_hook(lambda s, c: print(c[0].data_ptr() == w.grad.data_ptr()))\n"
    "y.sum().backward()",
    "b = torch.randn(3, requires_grad=True); g = torch.ones(3); (x + b).backward(g)\n"
    "print(x.grad.data_ptr() == g.data_ptr(), x.grad.data_ptr() == b.grad.data_ptr())",
    "kept = []; x.register_hook(kept.append); (x * 2).sum().backward()\n"
    "print(kept[0].data_ptr() == x.grad.data_ptr())",
    "kept = []; y = x * 2; y.register_hook(kept.append); (y + 0).sum().backward(); x.grad.fill_(5)\nprint(kept)",
    "kept = []\nclass F(torch.autograd.Function):\n  @staticmethod\n  def forward(ctx, x): return x * 1\n"
    "  @staticmethod\n  def backward(ctx, g): kept.append(g * 2); return kept[0]\n"
    "F.apply(x).sum().backward(); print(kept[0].data_ptr() == x.grad.data_ptr())",
    "y = (x * x).sum(); y.backward(retain_graph=True); x.grad.fill_(5); x.grad = None; y.backward(); print(x.grad)",
    "s = torch.ones(3); y = (x * s).sum(); y.backward(retain_graph=True); x.grad.fill_(5); print(s)\n"
    "x.grad = None; y.backward(); print(x.grad)",
    "b = torch.randn(3, requires_grad=True); torch.stack([x, b]).exp().sum().backward(); x.grad.fill_(5); print(b.grad)",
    "b = torch.randn(1, 3, requires_grad=True); torch.cat([x[None], b]).exp().sum().backward(); x.grad.fill_(5); print(b.grad)",
    "y = x.exp(); y.backward(y.detach()); x.grad.fill_(5); print(y)",
    "g, = torch.autograd.grad(x.exp().sum(), x); x.exp().backward(g); x.grad.fill_(5); print(g)",
]  # fmt: skip


@pytest.mark.parametrize("program", OWNERS)
def test_whose_memory_a_gradient_is(program: str) -> None:
    start = "F = torch.nn.functional; x = torch.tensor([1., 2., 3.], requires_grad=True)\n"
    assert_twins(start + program)
