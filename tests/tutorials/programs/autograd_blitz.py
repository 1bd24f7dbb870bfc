"""One training step of a ready-made network, then what autograd did in it."""

# %%
import torch
from torchvision.models import resnet18

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
model = resnet18()
picture = torch.rand(1, 3, 64, 64)
wished = torch.rand(1, 1000)

# %%
answer = model(picture)
loss = (answer - wished).sum()
loss.backward()
print(loss, model.conv1.weight.grad.abs().max(), model.fc.bias.grad[:3])

# %%
optim = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
print(optim)
optim.step()
print(model.conv1.weight[0, 0, 0])

# %% the same network frozen, with a new head
from torch import nn

for param in model.parameters():
    param.requires_grad = False
model.fc = nn.Linear(512, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
score = model(picture)
target = torch.tensor([3])
loss = nn.functional.cross_entropy(score, target)
loss.backward()
optimizer.step()
asked = [name for name, p in model.named_parameters() if p.requires_grad]
print(asked, score.argmax(1), model.fc.bias, model.conv1.weight.grad is None)
optimizer.zero_grad()
print(model.fc.bias.grad)

# %%
del model, optim, optimizer, answer, score, loss, param

# %% from here on single precision, as it comes
torch.set_default_dtype(torch.float32)
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)

# %%
Q = 3 * a**3 - b**2
print(Q)

# %% raises=RuntimeError: a vector needs a gradient to start from
Q.backward()

# %%
start = torch.tensor([1.0, 1.0])
Q.backward(gradient=start)

# %%
print(a.grad, torch.equal(a.grad, 9 * a.detach() ** 2))
print(b.grad, torch.equal(b.grad, -2 * b.detach()))

# %% raises=RuntimeError: the graph was freed
Q.backward(gradient=start)

# %% the same from a sum
a.grad = b.grad = None
Q = 3 * a**3 - b**2
Q.sum().backward()
print(a.grad, b.grad)

# %% who asks for a gradient
x = torch.rand(5, 5)
y = torch.rand(5, 5)
z = torch.rand((5, 5), requires_grad=True)

inside = x + y
print("from x and y:", inside.requires_grad)
outside = x + z
print("from x and z:", outside.requires_grad)

# %% raises=RuntimeError: nothing to go back to
inside.sum().backward()
