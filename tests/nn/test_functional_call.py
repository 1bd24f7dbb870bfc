"""`func.functional_call`: a module as a function of its parameters, under every transform."""

import pytest
from twins import assert_twins

START = """
from torch import nn
from torch.func import functional_call, grad, jacrev, vmap
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("count", torch.zeros(()))
    def forward(self, x, power=1):
        self.count = self.count + 1
        return (self.body(x) * self.scale) ** power
net = Net()
weights = {name: p.detach() * 2 for name, p in net.named_parameters()}
x, t = torch.randn(5, 3), torch.randn(5, 2)
def loss(weights, x, t):
    return nn.functional.mse_loss(functional_call(net, weights, (x,)), t)
"""

PROGRAMS = [
    "y = functional_call(net, weights, x); before = list(net.parameters()); c = net.count",
    "y = functional_call(net, weights, (x, 3))",
    "y = functional_call(net, weights, (x,), {'power': 2})",
    "y = functional_call(net, weights, None, {'x': x})",
    "y = functional_call(net, {'scale': torch.tensor(3.0)}, x)",
    "y = functional_call(net, (weights, {'count': torch.ones(())}), x)",
    "d = {'count': torch.ones(())}; y = functional_call(net, d, x); c = d['count']",
    "g = list(grad(loss)(weights, x, t).items())",
    "g = list(vmap(grad(loss), (None, 0, 0))(weights, x, t).items())",
    "g = vmap(grad(loss), (None, 0, 0))(dict(net.named_parameters()), x, t)\n"
    "g = [v.detach() for v in g.values()]",
    "j = list(jacrev(lambda w: functional_call(net, w, x[0]))(weights).items())",
    "many = {k: torch.stack([v, v * 2, -v]) for k, v in weights.items()}\n"
    "y = vmap(lambda w: functional_call(net, w, x))(many); del many",
    "w = {k: v.requires_grad_() for k, v in weights.items()}; y = functional_call(net, w, x)\n"
    "y.sum().backward()",
    "functional_call(net, 3, x)",
    "functional_call(net, [3], x)",
    "functional_call(net, [weights, weights], x)",
    "functional_call(net, weights, x, strict=True)",
    "functional_call(net, weights | {'more': t}, x, strict=True)",
    "y = functional_call(net, weights | {'count': torch.ones(())}, x, strict=True)",
    "try: functional_call(net, weights, torch.ones(2))\n"
    "except RuntimeError as e: print(e)\nafter = list(net.parameters())",
    "net.tied = net.scale; y = functional_call(net, weights, x)\nprint(net.tied is net.scale)",
    "net.tied = net.scale; functional_call(net, weights | {'tied': torch.ones(())}, x)",
    "net.tied = net.scale\n"
    "y = functional_call(net, weights | {'tied': torch.ones(())}, x, tie_weights=False)",
    "print(hasattr(net, 'more')); y = functional_call(net, {'more': t}, x)\n"
    "print(hasattr(net, 'more'), list(net.state_dict()))",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program: str) -> None:
    assert_twins(START + program)
