"""Module, Parameter and the containers: what a program does and prints, on both engines."""

import pytest
from twins import assert_twins

import autogradlab as torch
from autogradlab.primitive import Primitive

START = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("hidden", torch.ones(1), persistent=False)
        self.note = "plain"
    def forward(self, x):
        return self.last(self.norm(self.first(x))) * self.scale
net = Net()
x = torch.randn(5, 3)
"""

PROGRAMS = {
    "tree": [
        "print(net)",
        "print(len(net.first.__dict__) > 0, 'first' in dir(net), 'scale' in dir(net), 'mean' in dir(net))",
        "print([n for n, _ in net.named_modules()], [type(m).__name__ for m in net.modules()])",
        "print([n for n, _ in net.named_modules(prefix='net')], [n for n, _ in net.named_children()])",
        "print([(n, tuple(p.shape)) for n, p in net.named_parameters()], [n for n, _ in net.named_parameters('p', recurse=False)])",
        "print([n for n, _ in net.named_buffers()], [n for n, _ in net.named_buffers(recurse=False)], len(list(net.buffers())))",
        "r = list(net.parameters())",
        "net.last[1] = net.first; net.again = net.first; print([n for n, _ in net.named_modules()], [n for n, _ in net.named_modules(remove_duplicate=False)])",
        "net.tied = net.first.weight; print([n for n, _ in net.named_parameters()], [n for n, _ in net.named_parameters(remove_duplicate=False)], list(net.state_dict()))",
        "print(len(list(nn.Sequential(net, net).children())), len(list(nn.Sequential(net, net).modules())), len(list(nn.Sequential(net, net).modules(remove_duplicate=False))))",
        "print(net.get_submodule('last.1'), net.get_submodule('') is net, net.get_parameter('last.1.weight') is net.last[1].weight, net.get_buffer('norm.running_mean') is net.norm.running_mean)",
        "net.get_submodule('last.7')", "net.get_submodule('scale')", "net.get_submodule('nothing.weight')", "net.get_parameter('mean')", "net.get_parameter('first.bia')", "net.get_buffer('scale')", "net.get_buffer('first.mean')",
        "seen = []; print(net.apply(lambda m: seen.append(type(m).__name__)) is net, seen); del seen",
    ],
    "attributes": [
        "net.missing", "del net.missing", "net.first = 3", "net.first = None; print(net)", "net.scale = torch.ones(2)", "net.scale = None; print(net.scale, [n for n, _ in net.named_parameters()])", "net.mean = 'a'", "net.mean = None; print(net.mean, list(net.state_dict()))", "net.mean = torch.ones(3); print(net.mean, list(net.state_dict()))",
        "del net.scale; net.scale", "del net.mean, net.hidden, net.first; print(net)", "del net.note; net.note",
        "net.note = nn.Parameter(torch.ones(2)); print('note' in net.__dict__, list(net.state_dict()))", "net.note = nn.ReLU(); print('note' in net.__dict__, net)", "net.scale = Net()", "net.first = nn.Parameter(torch.ones(2))\nprint(net, list(net.state_dict()))", "net.mean = nn.Parameter(torch.ones(2))\nprint([n for n, _ in net.named_parameters()], [n for n, _ in net.named_buffers()])",
        "net.register_buffer('note', torch.ones(1))", "net.register_buffer('a.b', torch.ones(1))", "net.register_buffer('', torch.ones(1))", "net.register_buffer(3, torch.ones(1))", "net.register_buffer('b', 3)", "net.register_buffer('b', None); print(net.b, list(net.state_dict()))", "net.register_buffer('mean', torch.ones(2), persistent=False); print(list(net.state_dict()))",
        "net.register_parameter('note', nn.Parameter(torch.ones(1)))", "net.register_parameter('a.b', nn.Parameter(torch.ones(1)))", "net.register_parameter('', nn.Parameter(torch.ones(1)))", "net.register_parameter(3, nn.Parameter(torch.ones(1)))", "net.register_parameter('b', torch.ones(1))", "net.register_parameter('b', None); print(net.b, list(net.state_dict()))",
        "net.add_module('note', nn.ReLU())", "net.add_module('a.b', nn.ReLU())", "net.add_module('', nn.ReLU())", "net.add_module(3, nn.ReLU())", "net.add_module('b', 3)", "net.add_module('b', None); print(net)", "net.register_module('b', nn.Tanh()); print(net)",
        "class Bad(nn.Module):\n  def __init__(self): self.layer = nn.Linear(1, 1)\nBad()", "class Bad(nn.Module):\n  def __init__(self): self.p = nn.Parameter(torch.ones(1))\nBad()", "class Bad(nn.Module):\n  def __init__(self): self.register_buffer('b', torch.ones(1))\nBad()", "class Bad(nn.Module):\n  def __init__(self): self.register_parameter('b', None)\nBad()", "class Bad(nn.Module):\n  def __init__(self): self.n = 3\nprint(Bad().n); Bad().m",
        "class Bad(nn.Module):\n  def __init__(self): super().__init__(3)\nBad()", "class Bad(nn.Module):\n  def __init__(self): super().__init__(width=3)\nBad()", "class Bad(nn.Module): pass\nBad()(x)", "net.scale * 2\nnet.register_parameter('b', nn.Parameter(net.scale * 2))", "net(x, x)", "nn.ReLU(3, 4)", "nn.Linear(2)", "nn.ELU(beta=2)",
    ],
    "modes": [
        "print(net.training, net.eval() is net, net.norm.training, net.train().last[0].training)", "net.train(3)", "y = net.eval()(x)", "y = net(x)\nprint(net.norm.num_batches_tracked)\nb = list(net.buffers())",
        "net(x).sum().backward(); r = list(net.parameters()); net.zero_grad(); print([p.grad for p in net.parameters()])", "net(x).sum().backward(); g = net.scale.grad; net.zero_grad(set_to_none=False); r = list(net.parameters()); print(g is net.scale.grad)", "(net.scale**3).backward(create_graph=True); g = net.scale.grad; net.zero_grad(set_to_none=False); print(g is net.scale.grad, g.requires_grad, g)",
        "print(net.requires_grad_(False) is net, [p.requires_grad for p in net.parameters()])", "net.first.requires_grad_(False); y = net(x); y.sum().backward(); r = list(net.parameters())",
        "net(x).sum().backward(); w = net.first.weight; net.double(); r = list(net.parameters()); b = list(net.buffers()); print(w is net.first.weight, w.dtype, w.grad.dtype)", "net.half(); r = list(net.parameters())", "net.to(torch.float64); y = net(x.double())", "net.to('cpu', torch.float64); y = net(x.double())", "net.to(dtype=torch.float64); b = list(net.buffers())", "net.to(x.double()); b = list(net.buffers())", "net.to(torch.int64)", "print(net.cpu() is net, net.float() is net)", "net.double(); net(x)",
    ],
    "state": [
        "r = list(net.state_dict().items()); print(type(net.state_dict()).__name__, [v.requires_grad for v in net.state_dict().values()])", "print(list(net.state_dict(prefix='net.')), [v.requires_grad for v in net.state_dict(keep_vars=True).values()], net.state_dict()._metadata)",
        "s = net.state_dict(); s['scale'].fill_(7.0); print(net.scale); del s",
        "other = Net(); print(other.load_state_dict(net.state_dict())); r = list(other.parameters()); print(other.first.weight is not net.first.weight); y = other.eval()(x)",
        "s = net.state_dict(); del s['scale'], s['last.1.weight']; net.load_state_dict(s)", "s = net.state_dict(); s['extra'] = s['scale']; s['last.1.more'] = s['scale']; s['what.ever'] = s['scale']; s['last.5.weight'] = s['scale']; net.load_state_dict(s)", "s = net.state_dict(); s['extra'] = s.pop('scale'); print(net.load_state_dict(s, strict=False)); k = net.load_state_dict(s, strict=False); print(k.missing_keys, k.unexpected_keys); del s, k",
        "s = net.state_dict(); s['scale'] = torch.ones(3); s['first.weight'] = torch.ones(1); del s['mean']; s['more'] = torch.ones(1); net.load_state_dict(s)", "s = net.state_dict(); s['scale'] = torch.ones(3); net.load_state_dict(s, strict=False)", "s = net.state_dict(); s['scale'] = 3.0; net.load_state_dict(s)", "net.load_state_dict([1, 2])", "net.load_state_dict({})",
        "s = {k: v.double() for k, v in net.state_dict().items()}; net.load_state_dict(s); r = list(net.parameters()); net.load_state_dict(s, assign=True); a = list(net.parameters()); b = list(net.buffers()); del s", "s = {k: v for k, v in net.state_dict().items() if 'num' not in k}; print(net.load_state_dict(s)); del s", "s = net.state_dict(); del s['norm.num_batches_tracked']; net.load_state_dict(s)", "w = net.first.weight; net.load_state_dict(Net().state_dict()); print(w is net.first.weight, w._version)", "s = net.state_dict(keep_vars=True); net.requires_grad_(False); n = Net(); n.scale.requires_grad_(False); n.load_state_dict(s, assign=True); print([p.requires_grad for p in n.parameters()], n.scale is net.scale); del n, s", "net.first.weight.requires_grad_(False); net.load_state_dict(Net().state_dict(), assign=True); print([p.requires_grad for p in net.parameters()])",
    ],
    "hooks": [
        "h = net.register_forward_hook(lambda m, a, out: print(type(m).__name__, len(a), tuple(out.shape))); net(x); h.remove(); y = net(x); del h", "h = net.first.register_forward_hook(lambda m, a, out: out * 2); y = net.eval()(x); del h", "h = net.register_forward_pre_hook(lambda m, a: a[0] * 2); y = net.eval()(x); del h", "h = net.register_forward_pre_hook(lambda m, a: (a[0] + 1,)); y = net.eval()(x); del h",
        "h = net.register_forward_pre_hook(lambda m, a, k: ((), {'x': a[0] * 3}), with_kwargs=True); y = net.eval()(x); del h", "net.register_forward_pre_hook(lambda m, a, k: 3, with_kwargs=True); net(x)", "h = net.register_forward_hook(lambda m, a, k, out: print(a, list(k)), with_kwargs=True); net(x=x); del h", "net.register_forward_hook(lambda *a: print('one')); net.register_forward_hook(lambda *a: print('two'), prepend=True); net(x)\nwith net.register_forward_pre_hook(lambda *a: print('before')): net(x)\nnet(x)",
        "h = net.register_forward_hook(lambda m, a, out: print('always', out), always_call=True)\ntry: net(torch.ones(2))\nexcept Exception as e: print(type(e).__name__)\ndel h", "net.register_forward_hook(lambda *a: print('only after success')); net(torch.ones(2))", "def boom(m, a, out): raise KeyError('boom')\nnet.register_forward_hook(lambda *a: print('once'), always_call=True); net.register_forward_hook(boom); net.register_forward_hook(lambda *a: print('still'), always_call=True); net(x)", "def boom(m, a, out): raise KeyError('boom')\nnet.register_forward_hook(boom, always_call=True)\nnet(torch.ones(2, 7))",
        "net.first.register_full_backward_hook(lambda m, gi, go: print(type(m).__name__, gi, go)); x.requires_grad_(); y = net.eval()(x); y.sum().backward()", "net.first.register_full_backward_hook(lambda m, gi, go: print(gi, [g.shape for g in go])); y = net.eval()(x); y.sum().backward(); r = list(net.parameters())", "net.last.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,)); y = net.eval()(x); y.sum().backward(); r = list(net.parameters())", "net.last.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,)); y = net.eval()(x); y.sum().backward(); r = list(net.parameters())", "net.last.register_full_backward_hook(lambda m, gi, go: ()); net(x).sum().backward()", "net.last.register_full_backward_pre_hook(lambda m, go: ()); net(x).sum().backward()", "net.first.register_full_backward_hook(lambda m, gi, go: (x,)); net(x).sum().backward()",
        "class Two(nn.Module):\n  def forward(self, a, n, b): return a * n + b, a - b\nm = Two(); m.register_full_backward_hook(lambda m, gi, go: print([None if g is None else g.shape for g in gi], [None if g is None else g.shape for g in go])); x.requires_grad_(); z = torch.ones(3); p, q = m(x, 2, z); (p.sum() + q.sum()).backward(); del m", "class D(nn.Module):\n  def forward(self, a): return {'a': a}\nm = D(); m.register_full_backward_hook(lambda *a: print('hook')); x.requires_grad_(); m(x)['a'].sum().backward()", "net.first.register_full_backward_hook(lambda m, gi, go: print('hook'))\nwith torch.no_grad(): y = net(x)",
    ],
    "parameter": [
        "p = nn.Parameter(torch.ones(2)); print(p, [p], type(p).__name__, isinstance(p, torch.Tensor), type(p * 2).__name__, type(p.detach()).__name__, type(p.data).__name__)", "p = nn.Parameter(torch.ones(2), requires_grad=False); print(p)", "p = nn.Parameter(torch.tensor([1, 2]))", "p = nn.Parameter(torch.tensor([1, 2]), requires_grad=False); print(p)", "p = nn.Parameter(); print(p)", "t = torch.ones(2); p = nn.Parameter(t); t.add_(1); print(p._version)\nwith torch.no_grad(): p.mul_(3)", "t = torch.tensor(1.0); p = nn.Parameter(t); t.fill_(5.0)", "t = torch.ones(2); p = nn.Parameter(t); y = (p * p).sum(); t.add_(1); y.backward()", "p = nn.Parameter(x.requires_grad_() * 2); print(p.is_leaf)", "with torch.no_grad(): p = nn.Parameter(torch.ones(2))",
        "import copy; p = nn.Parameter(torch.ones(2)); (p * 3).sum().backward(); q = copy.deepcopy(p); q.data.add_(1); print(p, q.grad, type(q).__name__); f = nn.Parameter(torch.ones(2), False); print(copy.deepcopy(f))", "import copy; net(x).sum().backward(); n = copy.deepcopy(net); r = list(n.parameters()); y = n.eval()(x); print(n.first.weight is net.first.weight, n)\ndel n", "import copy; net.tied = net.first.weight; n = copy.deepcopy(net); print(n.tied is n.first.weight); del n", "p = nn.Parameter(torch.ones(2)); p.data = torch.zeros(3, dtype=torch.float64)", "p = nn.Parameter(torch.ones(2)); p.data.add_(1); print(p._version)", "p = nn.Parameter(torch.ones(2)); p += 1", "p = nn.Parameter(torch.tensor(2.0)); y = p * p + p.exp(); y.backward()", "p = nn.Parameter(torch.tensor([2.0, 3.0]))\nfor _ in range(3):\n  y = (p * p + p.sin() * 2.0).sum(); y.backward()\n  with torch.no_grad(): p -= p.grad * 0.1", "p = nn.Parameter(torch.ones(2))\nwith torch.no_grad(): p.add_(1)\ny = p * p\nwith torch.no_grad(): p.add_(1)\ny.sum().backward()", "p = nn.Parameter(torch.ones(2)); a = torch.ones(2, requires_grad=True)\nfor _ in range(2):\n  (a * p).sum().backward()\n  with torch.no_grad(): p.mul_(2)", "p = nn.Parameter(torch.ones(2)); y = p.tanh()\ny.detach().add_(1)\ny.sum().backward()", "p = nn.Parameter(torch.ones(2)); y = p.detach().tanh() * p; y.sum().backward()",
    ],
    "containers": [
        "s = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)); print(s, len(s), s[0], s[-1], s[1:], [type(m).__name__ for m in s]); y = s(x); del s", "from collections import OrderedDict\ns = nn.Sequential(OrderedDict([('a', nn.Linear(3, 4)), ('act', nn.ReLU())])); print(s, s.a, s[1], s[:1], list(s.state_dict())); y = s(x); del s", "print(nn.Sequential(), nn.ModuleList(), nn.ModuleDict(), nn.ParameterList(), nn.Sequential()(3))",
        "s = nn.Sequential(nn.ReLU()); print(s.append(nn.Tanh()) is s, s.extend([nn.ELU(), nn.GELU()]), s.insert(1, nn.Sigmoid())); s[0] = nn.SiLU(); del s[1]; print(s, s.pop(-1), s, s + nn.Sequential(nn.ReLU())); s += nn.Sequential(nn.Mish()); print(s); del s[1:]; print(s); del s", "nn.Sequential(nn.ReLU())[3]", "nn.Sequential(nn.ReLU())['a']", "nn.Sequential(3)", "nn.Sequential(nn.ReLU()) + 3", "del nn.Sequential(nn.ReLU())[1]", "nn.Sequential(nn.ReLU())[2] = nn.ReLU()",
        "m = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)] + [nn.ReLU()] + [nn.Linear(2, 2, bias=False)] * 2); print(m, len(m), m[-1], m[1:3], list(m.state_dict())); del m", "m = nn.ModuleList(); print(m.append(nn.ReLU()) is m); m.extend([nn.Tanh()]); m.insert(0, nn.ELU()); m += [nn.GELU()]; print(m, m + [nn.SiLU()], m.pop(0)); m[0] = nn.Mish(); del m[-1]; print(m); del m", "nn.ModuleList([nn.ReLU()])[1]", "nn.ModuleList(3)", "nn.ModuleList([3])", "nn.ModuleList([nn.ReLU()])(x)", "print(nn.ModuleList([nn.Sequential(nn.ReLU(), nn.Tanh())] * 2))",
        "m = nn.ModuleDict({'a': nn.ReLU(), 'b': nn.Linear(1, 1)}); print(m, 'a' in m, len(m), list(m), list(m.keys()), [k for k, _ in m.items()], len(list(m.values()))); m['c'] = nn.Tanh(); del m['a']; print(m.pop('c'), m); m.update([('d', nn.ELU())]); m.update({'e': nn.GELU()}); print(m, m['d'], m.b); m.clear(); print(m); del m", "nn.ModuleDict({'a': nn.ReLU()})['b']", "nn.ModuleDict({'a.b': nn.ReLU()})", "nn.ModuleDict({'keys': nn.ReLU()})", "nn.ModuleDict(3)",
        "p = nn.ParameterList([nn.Parameter(torch.ones(2)), torch.zeros(2, 3)]); print(p, len(p), p[1], p[-1].requires_grad, list(p.state_dict()), [tuple(q.shape) for q in p[1:]]); p.append(torch.ones(1)); p.extend([torch.ones(4)]); p += [torch.ones(())]; p[0] = torch.ones(7); print(p, [n for n, _ in p.named_parameters()]); r = list(p); del p", "nn.ParameterList([torch.ones(2)])[1]", "nn.ParameterList(torch.ones(2))", "nn.ParameterList()(3)", "print(nn.ParameterList([torch.ones(2)]))",
    ],
}  # fmt: skip


@pytest.mark.parametrize("program", [p for group in PROGRAMS.values() for p in group])
def test_programs(program: str) -> None:
    assert_twins(START + program)


def test_parameters_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    p, usual = torch.nn.Parameter(torch.ones(2)), []
    with torch.no_grad():
        p.add_(1)
    monkeypatch.setattr(Primitive, "__call__", lambda self, *_, **__: usual.append(self.name))
    y = (p * p).tanh() - p
    assert usual == [] and y.requires_grad
