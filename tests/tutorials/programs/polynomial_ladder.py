"""A third-degree polynomial fitted to a sine, a rung of the library higher each time."""

# %% numbers only
import math

import numpy as np
import torch

x = np.linspace(-math.pi, math.pi, 200)
y = np.sin(x)
a, b, c, d = np.random.randn(4)
rate = 1e-5
for t in range(100):
    guess = a + b * x + c * x**2 + d * x**3
    loss = np.square(guess - y).sum()
    if t % 25 == 24:
        print(t, loss)
    toward = 2.0 * (guess - y)
    a -= rate * toward.sum()
    b -= rate * (toward * x).sum()
    c -= rate * (toward * x**2).sum()
    d -= rate * (toward * x**3).sum()
print([float(k) for k in (a, b, c, d)])

# %% tensors, the gradient still by hand
dtype = torch.float
device = torch.device("cpu")
torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 200, device=device, dtype=dtype)
y = torch.sin(x)
a = torch.randn((), device=device, dtype=dtype)
b = torch.randn((), device=device, dtype=dtype)
c = torch.randn((), device=device, dtype=dtype)
d = torch.randn((), device=device, dtype=dtype)
rate = 1e-5
for t in range(100):
    guess = a + b * x + c * x**2 + d * x**3
    loss = (guess - y).pow(2).sum().item()
    if t % 25 == 24:
        print(t, loss)
    toward = 2.0 * (guess - y)
    a -= rate * toward.sum()
    b -= rate * (toward * x).sum()
    c -= rate * (toward * x**2).sum()
    d -= rate * (toward * x**3).sum()
print([k.item() for k in (a, b, c, d)])

# %% autograd
torch.set_default_device(device)
a = torch.randn((), dtype=dtype, requires_grad=True)
b = torch.randn((), dtype=dtype, requires_grad=True)
c = torch.randn((), dtype=dtype, requires_grad=True)
d = torch.randn((), dtype=dtype, requires_grad=True)
for t in range(100):
    guess = a + b * x + c * x**2 + d * x**3
    loss = (guess - y).pow(2).sum()
    if t % 25 == 24:
        print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        for k in (a, b, c, d):
            k -= rate * k.grad
            k.grad = None
print([k.item() for k in (a, b, c, d)])


# %% a function with its own derivative
class LegendrePolynomial3(torch.autograd.Function):
    """P3(x) = (5x³ − 3x) / 2."""

    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


# %% in double precision from here on, as sums that nearly cancel need it
torch.set_default_dtype(torch.float64)
x = torch.linspace(-math.pi, math.pi, 200)
y = torch.sin(x)
a = torch.full((), 0.0, requires_grad=True)
b = torch.full((), -1.0, requires_grad=True)
c = torch.full((), 0.0, requires_grad=True)
d = torch.full((), 0.3, requires_grad=True)
rate = 5e-6
P3 = LegendrePolynomial3.apply
for t in range(100):
    guess = a + b * P3(c + d * x)
    loss = (guess - y).pow(2).sum()
    if t % 25 == 24:
        print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c, d):
            p -= rate * p.grad
            p.grad = None
print(b.item(), d.item())
print(P3(d).grad_fn, P3(d))

# %%
checked = torch.autograd.gradcheck(P3, torch.randn(4, dtype=torch.float64, requires_grad=True))
print(checked)

# %% nn
p = torch.tensor([1, 2, 3])
powers = x.unsqueeze(-1).pow(p)
model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
judge = torch.nn.MSELoss(reduction="sum")

# %%
rate = 1e-5
for t in range(100):
    guess = model(powers)
    loss = judge(guess, y)
    if t % 25 == 24:
        print(t, loss.item())
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for param in model.parameters():
            param -= rate * param.grad
linear = model[0]
print(model, linear.bias.item(), linear.weight[:, 0].item())

# %% optim
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

# %%
for t in range(100):
    guess = model(powers)
    loss = judge(guess, y)
    if t % 25 == 24:
        print(t, loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(optimizer)

# %% the same with Adam
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(50):
    optimizer.zero_grad()
    loss = judge(model(powers), y)
    loss.backward()
    optimizer.step()
state = optimizer.state_dict()
print(loss.item(), state["param_groups"])


# %% a module of one's own
class Cubic(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for letter in "abcd":
            setattr(self, letter, torch.nn.Parameter(torch.randn(())))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2 + self.d * x**3

    def string(self):
        a, b, c, d = (p.item() for p in self.parameters())
        return f"{a:.6f} + {b:.6f} x + {c:.6f} x² + {d:.6f} x³"


# %%
model = Cubic()
criterion = torch.nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
for t in range(100):
    guess = model(x)
    loss = criterion(guess, y)
    if t % 25 == 24:
        print(t, loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(model, model.string(), sep="\n")

# %% another graph every time, one weight used twice
import random


class Growing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for letter in "abcde":
            setattr(self, letter, torch.nn.Parameter(torch.randn(())))

    def forward(self, x):
        y = self.a + self.b * x + self.c * x**2 + self.d * x**3
        for exp in range(4, random.randint(4, 6)):
            y = y + self.e * x**exp
        return random.choice([y, y * 1.0, y + 0 * self.e])


# %%
model = Growing()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-8, momentum=0.9)
names = []
for t in range(60):
    guess = model(x)
    loss = criterion(guess, y)
    names.append(guess.grad_fn.name())
    if t % 20 == 19:
        print(t, loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(sorted(set(names)), model.e.grad)

# %%
torch.set_default_dtype(torch.float32)
