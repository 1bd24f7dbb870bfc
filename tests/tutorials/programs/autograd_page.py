"""A layer of one's own, its graph, and the ways to have none."""

# %%
import torch

x = torch.ones(5)
y = torch.zeros(3)
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)
z = torch.matmul(x, w) + b
loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)

# %%
print("z was made by", z.grad_fn)
print("loss was made by", loss.grad_fn)
print(z, loss)

# %%
loss.backward()
print(w.grad)
print(b.grad)

# %% only leaves keep a gradient
print(z.grad, z.is_leaf, w.is_leaf)

# %%
z = torch.matmul(x, w) + b
print(z.requires_grad)

with torch.no_grad():
    z = torch.matmul(x, w) + b
print(z.requires_grad)

# %%
z = torch.matmul(x, w) + b
cut = z.detach()
print(cut.requires_grad, cut)

# %%
@torch.no_grad()
def predict(x):
    return x @ w + b


print(predict(x), torch.is_grad_enabled())
with torch.set_grad_enabled(False):
    print((w * 2).requires_grad)
with torch.inference_mode():
    print((w * 2).is_inference(), (w * 2).requires_grad)

# %% raises=RuntimeError: a detached result has no graph
cut.sum().backward()

# %% raises=RuntimeError: a leaf that is written to
w.add_(1)

# %% gradients add up
eyes = torch.eye(4, 5, requires_grad=True)
squares = (eyes + 1).pow(2).t()
squares.backward(torch.ones_like(squares), retain_graph=True)
print("once:", eyes.grad)
squares.backward(torch.ones_like(squares), retain_graph=True)
print("twice:", eyes.grad)
eyes.grad.zero_()
squares.backward(torch.ones_like(squares), retain_graph=True)
print("once again:", eyes.grad)

# %% raises=RuntimeError: a gradient in the wrong shape
squares.backward(torch.ones(2, 2))

# %% the last time, the graph is freed
squares.backward(torch.ones_like(squares))
print(eyes.grad)

# %% raises=RuntimeError: and once more
squares.backward(torch.ones_like(squares))

# %% grad gives what backward keeps
eyes = torch.eye(4, 5, requires_grad=True)
squares = (eyes + 1).pow(2).t()
(g,) = torch.autograd.grad(squares, eyes, torch.ones_like(squares))
print(g, eyes.grad)

# %% raises=RuntimeError: a leaf that is written after it was saved
c = torch.ones(3, requires_grad=True)
d = c.exp()
d.mul_(2)
d.sum().backward()

# %% kept in the middle
e = c * 2
e.retain_grad()
(e**2).sum().backward()
print(e.grad, c.grad, e)

# %% what a node holds
node = (c * e).grad_fn
print(node, node.name(), node.next_functions, node._saved_self, node._saved_other, sep="\n")

# %% what a softmax is made of
s = torch.log_softmax(w, dim=1)
print(s.grad_fn.name(), s.exp().sum(1), s)
