"""Loss curves from one seed, for each optimizer."""

# %%
import torch
from torch import nn

torch.set_default_dtype(torch.float64)


# %%
def curve(make, steps=12, seed=11):
    torch.manual_seed(seed)
    x = torch.linspace(-1, 1, 24).unsqueeze(1)
    y = (3 * x).sin() + 0.1 * torch.randn_like(x)
    model = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))
    optimizer = make(model.parameters())
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.smooth_l1_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %%
makers = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.02, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1),
}
curves = {name: curve(make) for name, make in makers.items()}
for name, losses in curves.items():
    print(f"{name:10}", " ".join(f"{loss:.6f}" for loss in losses[::3]))

# %% a curve is its seed's
repeated, elsewhere = curve(makers["Adam"]), curve(makers["Adam"], seed=12)
for other in (repeated, elsewhere):
    print(max(abs(a - b) for a, b in zip(other, curves["Adam"])) < 1e-9)

# %% minibatches in an order drawn anew each epoch
torch.manual_seed(0)
x, y = torch.randn(30, 4), torch.randint(0, 3, (30,))
model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)
losses = []
for epoch in range(3):
    for chosen in torch.randperm(30).split(10):
        loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: {sum(losses[-3:]) / 3:.6f}")

# %% a line fitted with a closure
weight = torch.zeros(2, requires_grad=True)
points = torch.tensor([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]])
line = torch.optim.SGD([weight], lr=0.2)


# %%
def closure():
    line.zero_grad()
    loss = (weight[0] * points[:, 0] + weight[1] - points[:, 1]).square().mean()
    loss.backward()
    return loss


for _ in range(20):
    last = line.step(closure)
print(last, weight)

# %%
torch.set_default_dtype(torch.float32)
