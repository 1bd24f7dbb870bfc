"""Leaves, kept gradients, saved tensors and functions of one's own that are differentiated twice."""

# %%
import torch
import torch.nn.functional as F

x = torch.ones(1, 3)
W = torch.ones(3, 2, requires_grad=True)
b = torch.ones(1, 2, requires_grad=True)
z = (x @ W) + b
y_pred = F.relu(z)
y = torch.ones(1, 2)
loss = F.mse_loss(y_pred, y)
for t in (x, W, b, z, y_pred, y, loss):
    print(t.is_leaf, t.requires_grad)

# %%
z.retain_grad()
y_pred.retain_grad()
loss.backward()
print(f"{W.grad=}\n{b.grad=}\n{z.grad=}\n{y_pred.grad=}\n{z.retains_grad=} {W.retains_grad=}")

# %% keeping the gradient of a leaf does nothing
W.retain_grad()
print(W.retains_grad)

# %% raises=RuntimeError: a tensor that asks for none keeps none
torch.ones(2).retain_grad()

# %% retained before and after a change in place
a = torch.tensor([0.0], requires_grad=True).clone()
b = a.clone()
b.retain_grad()
b *= 2
b.retain_grad()
b.exp().sum().backward()
print(b.grad, b)

# %% a leaf made of another tensor
old = torch.ones(2, requires_grad=True)
new = old.detach().clone().requires_grad_(True)
copy = torch.tensor(old)
(new * old).sum().backward()
print(new.grad, old.grad, copy)

# %% data that is changed behind autograd's back
w = torch.tensor([1.0, 2.0], requires_grad=True)
squared = w**2
w.data.mul_(10)
squared.sum().backward()
print(w, w.grad, w._version)

# %% saved values
x = torch.randn(5, requires_grad=True)
y = x.pow(2)
print(x.equal(y.grad_fn._saved_self), x is y.grad_fn._saved_self)
y = x.exp()
print(y.equal(y.grad_fn._saved_result), y is y.grad_fn._saved_result, y.grad_fn._saved_result.grad_fn)

# %% raises=RuntimeError: freed after backward
y.sum().backward()
y.grad_fn._saved_result

# %% packed by hooks
from torch.autograd.graph import saved_tensors_hooks


def put_away(x):
    print("put away", x)
    return x.detach().numpy().copy()


def fetch(x):
    print("fetched", x)
    return torch.from_numpy(x)


a = torch.ones(3, requires_grad=True)
b = torch.ones(3, requires_grad=True) * 2
with saved_tensors_hooks(put_away, fetch):
    y = a * b
y.sum().backward()
print(a.grad)


# %% raises=RuntimeError: a packing hook that changes its tensor
def spoil(x):
    x *= 4
    return x


with saved_tensors_hooks(spoil, lambda x: x):
    (torch.randn(3, requires_grad=True) * 1).pow(2)


# %% a function differentiated twice
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x


x = torch.rand(3, 3, requires_grad=True, dtype=torch.double)
checked = torch.autograd.gradcheck(Square.apply, x), torch.autograd.gradgradcheck(Square.apply, x)
print(checked)


# %% what forward computed on its way must be given out to be differentiated
def both_ways(x):
    return torch.exp(x), torch.exp(-x)


class Sinh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        up, down = both_ways(x)
        ctx.save_for_backward(up, down)
        return (up - down) / 2, up, down

    @staticmethod
    def backward(ctx, g, g_up, g_down):
        up, down = ctx.saved_tensors
        slope = g * (up + down) / 2
        slope += g_up * up
        slope -= g_down * down
        return slope


def sinh(x):
    return Sinh.apply(x)[0]


# %%
out = sinh(x)
(grad_x,) = torch.autograd.grad(out.sum(), x, create_graph=True)
(grad_2,) = torch.autograd.grad(grad_x.sum(), x)
print(out, grad_x, grad_2, torch.autograd.gradgradcheck(sinh, x))


# %% raises=RuntimeError: differentiable once only
from torch.autograd.function import once_differentiable


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable()
        return x.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return g * 3


(grad_x,) = torch.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
grad_x.sum().backward()


# %% a wrong gradient is found
class Wrong(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x


print(torch.autograd.gradcheck(Wrong.apply, x, raise_exception=False))

# %% gradients that change on their way
t = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
u = t * 2
order = []
u.register_hook(lambda g: order.append("u") or g + 1)
t.register_hook(lambda g: order.append("t") or -g)
t.register_post_accumulate_grad_hook(lambda p: order.append(p.grad.clone()))
u.grad_fn.register_hook(lambda gi, go: order.append((len(gi), go[0])))
u.grad_fn.register_prehook(lambda go: order.append("pre"))
(u * u).sum().backward()
print(order, t.grad)

# %% how large the gradients of a deep network are, with and without batch norm
from torch import nn


def deep(depth, norm, act):
    layers = []
    for _ in range(depth):
        layers.append(nn.Linear(4, 4))
        if norm:
            layers.append(nn.BatchNorm1d(4))
        layers.append(act())
    return nn.Sequential(*layers)


def watch(name, grads, noted):
    def hook(module, args, output):
        output.register_hook(noted(name, grads))

    return hook


def noted(name, grads):
    def hook(grad):
        grads.append((name, grad.abs().mean().item()))

    return hook


torch.manual_seed(0)
sizes = {}
for norm in (False, True):
    network, grads = deep(4, norm, nn.Sigmoid).double(), []
    for name, layer in network.named_modules():
        if name:
            layer.register_forward_hook(watch(name, grads, noted))
    inputs = torch.randn(8, 4, dtype=torch.float64)
    network(inputs).pow(2).mean().backward()
    sizes[norm] = grads
    print(norm, [f"{name} {size:.3e}" for name, size in grads])

# %% an ensemble in one go
from torch.func import functional_call, grad, jacrev, stack_module_state, vmap

import copy

models = [nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double() for _ in range(3)]
data = torch.randn(3, 5, 3, dtype=torch.float64)
params, buffers = stack_module_state(models)
base = copy.deepcopy(models[0])


def one_of_them(params, buffers, x):
    return functional_call(base, (params, buffers), (x,))


apart = torch.stack([model(batch) for model, batch in zip(models, data)])
together = vmap(one_of_them)(params, buffers, data)
same_batch = vmap(one_of_them, in_dims=(0, 0, None))(params, buffers, data[0])
print({k: v.shape for k, v in params.items()}, torch.allclose(apart, together), same_batch.shape)

# %% the neural tangent kernel
net_params = {k: v.detach() for k, v in base.named_parameters()}
x1, x2 = data[0], data[1][:2]


def of_one(params, x):
    return functional_call(base, params, (x.unsqueeze(0),)).squeeze(0)


left = [j.flatten(2) for j in vmap(jacrev(of_one), (None, 0))(net_params, x1).values()]
right = [j.flatten(2) for j in vmap(jacrev(of_one), (None, 0))(net_params, x2).values()]
kernel = torch.stack([torch.einsum("Naf,Mbf->NMab", a, b) for a, b in zip(left, right)]).sum(0)
print(kernel.shape, kernel[0, 0])

# %% inner steps that are differentiated through
torch.manual_seed(1)
slope = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)


def inner(start, points):
    w = start
    for _ in range(3):
        w = w - 0.1 * grad(lambda w: ((w * points - points.sin()) ** 2).mean())(w)
    return w


points = torch.randn(6, dtype=torch.float64)
after = inner(slope, points)
after.backward()
print(after, slope.grad)
