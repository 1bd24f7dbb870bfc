"""Derivatives of functions: one gradient per example, Jacobians, tangents, hooks, checkpoints."""

# %%
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

torch.manual_seed(2)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
data, targets = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])

# %% a gradient for each example, the long way
def loss_of(sample, target):
    return F.cross_entropy(model(sample.unsqueeze(0)), target.unsqueeze(0))


slow = [torch.autograd.grad(loss_of(x, t), list(model.parameters())) for x, t in zip(data, targets)]
slow = [torch.stack(each) for each in zip(*slow)]
print([g.shape for g in slow])

# %% and in one go
params = {k: v.detach() for k, v in model.named_parameters()}
held = {k: v.detach() for k, v in model.named_buffers()}


def loss_with(params, held, sample, target):
    batch, goal = sample.unsqueeze(0), target.unsqueeze(0)
    return F.cross_entropy(functional_call(model, (params, held), (batch,)), goal)


slopes = grad(loss_with)
slopes_of_each = vmap(slopes, in_dims=(None, None, 0, 0))
per_sample = slopes_of_each(params, held, data, targets)
for s, g in zip(slow, per_sample.values()):
    print(torch.allclose(s, g, atol=1e-6), g.shape)

# %% many functions of one point
weight, bias, x = torch.randn(3, 3), torch.randn(3), torch.randn(3)


def predict(weight, bias, x):
    return F.linear(x, weight, bias).tanh()


forward, reverse = jacfwd(predict, argnums=2)(weight, bias, x), jacrev(predict, 2)(weight, bias, x)
print(forward, torch.allclose(forward, reverse))

# %%
value, pull = vjp(lambda x: predict(weight, bias, x), x)
(pulled,) = pull(torch.ones(3))
same, pushed = jvp(lambda x: predict(weight, bias, x), (x,), (torch.ones(3),))
print(value, pulled, pushed)

# %% second derivatives
energy = lambda x: (x**3).sum() + x[0] * x[1]
second = hessian(energy)(x)
nested = grad(lambda s: grad(torch.sin)(s))(torch.tensor(1.0))
batched = vmap(hessian(energy))(torch.randn(2, 3))
print(second, nested, batched.shape)

# %% the older interface
from torch.autograd.functional import hvp
from torch.autograd.functional import hessian as old_hessian
from torch.autograd.functional import jacobian, jvp as old_jvp, vhp, vjp as old_vjp


def squares(x, y):
    return x.pow(2) + y.exp()


J = jacobian(squares, (torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0])))
H = old_hessian(lambda x: x.pow(3).sum(), torch.tensor([1.0, 2.0]))
print(J, H)

# %%
out, product = old_vjp(squares, (torch.ones(2), torch.zeros(2)), torch.tensor([1.0, 2.0]))
out2, push = old_jvp(squares, (torch.ones(2), torch.zeros(2)), (torch.ones(2), torch.ones(2)))
hv = hvp(energy, x, torch.ones(3))
vh = vhp(energy, x, torch.ones(3))
print(out, product, push, hv, vh)

# %% tangents that go along
import torch.autograd.forward_ad as fwAD

primal, tangent = torch.randn(3), torch.randn(3)
with fwAD.dual_level():
    dual = fwAD.make_dual(primal, tangent)
    print(fwAD.unpack_dual(dual).tangent is tangent)
    dual_result = dual**2 + dual.sin()
    moved = fwAD.unpack_dual(dual_result).tangent
    print(moved, fwAD.unpack_dual(dual_result))
print(fwAD.unpack_dual(dual_result).tangent)

# %% raises=RuntimeError: outside a level there are none
fwAD.make_dual(primal, tangent)

# %% through a network
parameters = {name: p for name, p in model.named_parameters()}
tangents = {name: torch.rand_like(p) for name, p in parameters.items()}
with fwAD.dual_level():
    duals = {name: fwAD.make_dual(p, tangents[name]) for name, p in parameters.items()}
    slope = fwAD.unpack_dual(functional_call(model, duals, data)).tangent.detach()
del duals
print(slope)

# %% hooks on tensors
a = torch.tensor([1.0, 2.0], requires_grad=True)
b = a * 3
handle = b.register_hook(lambda g: print("gradient of b:", g))
doubled = a.register_hook(lambda g: g * 2)
(b**2).sum().backward()
print(a.grad)
handle.remove()
doubled.remove()
del handle, doubled

# %% hooks on modules
seen = {}


def keep(name):
    def hook(module, args, output):
        seen[name] = output.detach()
        print(name, type(module).__name__, tuple(args[0].shape), tuple(output.shape))

    return hook


_handles = [layer.register_forward_hook(keep(str(i))) for i, layer in enumerate(model)]
_handles += [
    model[0].register_forward_pre_hook(lambda m, args: print("into", m)),
    model[2].register_full_backward_hook(lambda m, gin, gout: print("back", gin[0].shape, gout)),
]
model(data).sum().backward()
for _h in _handles:
    _h.remove()
print(list(seen), seen["1"])

# %% what backward keeps, packed away
packed = []


def pack(t):
    packed.append(tuple(t.shape))
    return t.double()


with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t.float()):
    c = torch.randn(4, requires_grad=True)
    d = (c * c).exp()
d.sum().backward()
print(packed, c.grad)

# %% computed twice instead of kept
from torch.utils.checkpoint import checkpoint

counts = []


def block(x):
    counts.append(1)
    return torch.relu(x @ weight).tanh()


inp = torch.randn(2, 3, requires_grad=True)
kept = block(inp).sum()
(direct,) = torch.autograd.grad(kept, inp)
once = checkpoint(block, inp, use_reentrant=False).sum()
(again,) = torch.autograd.grad(once, inp)
print(len(counts), torch.equal(direct, again))

# %% a function that says how to differentiate it twice
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x**3, 3 * x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0], output[1])

    @staticmethod
    def backward(ctx, g, g_slope):
        x, slope = ctx.saved_tensors
        return g * slope + g_slope * 6 * x


# %%
u = torch.tensor([1.0, 2.0], requires_grad=True)
cube, slope_of_cube = Cube.apply(u)
(first,) = torch.autograd.grad(cube.sum(), u, create_graph=True)
(twice,) = torch.autograd.grad(first.sum(), u)
print(cube, slope_of_cube, first, twice)

# %% raises=RuntimeError: where the nan came from
with torch.autograd.set_detect_anomaly(True):
    v = torch.tensor([0.0], requires_grad=True)
    (v.sqrt() * 0).sum().backward()
