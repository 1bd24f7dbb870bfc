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
