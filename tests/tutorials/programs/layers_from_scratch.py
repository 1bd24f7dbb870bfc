"""A classifier from bare tensors, rebuilt one part of `torch.nn` at a time."""

# %%
import math

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
points = torch.rand(64, 16)
sides = (points[:, :8].sum(1) > points[:, 8:].sum(1)).long()
n, c = points.shape
print(points.shape, sides.min(), sides.max(), sides[:10])

# %% weights that stay in proportion
weights = torch.randn(16, 2) / math.sqrt(16)
weights.requires_grad_()
bias = torch.zeros(2, requires_grad=True)


# %%
def log_softmax(x):
    return x - x.exp().sum(-1).log().unsqueeze(-1)


def model(some):
    return log_softmax(some @ weights + bias)


size = 16
some = points[0:size]
preds = model(some)
print(preds[0], preds.shape)


# %% the negative of the log-likelihood
def minus_log(input, target):
    return -input[range(target.shape[0]), target].mean()


def hits(out, theirs):
    preds = torch.argmax(out, dim=1)
    return (preds == theirs).float().mean()


judge = minus_log
theirs = sides[0:size]
print(judge(preds, theirs), hits(preds, theirs))

# %% trained by hand
lr = 0.5
for epoch in range(2):
    for i in range((n - 1) // size + 1):
        first = i * size
        last = first + size
        some = points[first:last]
        theirs = sides[first:last]
        pred = model(some)
        loss = judge(pred, theirs)
        loss.backward()
        with torch.no_grad():
            weights -= weights.grad * lr
            bias -= bias.grad * lr
            weights.grad.zero_()
            bias.grad.zero_()
print(judge(model(some), theirs), hits(model(some), theirs))

# %% functional
import torch.nn.functional as F

judge = F.cross_entropy
print(judge(some @ weights + bias, theirs), judge(model(some), theirs))

# %% Module and Parameter
from torch import nn


class Scores(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(16, 2) / math.sqrt(16))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, some):
        return some @ self.weights + self.bias


model = Scores()
print(judge(model(some), theirs), model.weights.shape, [name for name, _ in model.named_parameters()])


# %%
def train():
    for epoch in range(2):
        for i in range((n - 1) // size + 1):
            some, theirs = points[i * size : i * size + size], sides[i * size : i * size + size]
            loss = judge(model(some), theirs)
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= p.grad * lr
                model.zero_grad()


train()
print(judge(model(some), theirs))

# %% Dataset, DataLoader, optim
from torch import optim
from torch.utils.data import DataLoader, TensorDataset

pairs = TensorDataset(points, sides)
shuffled = DataLoader(pairs, batch_size=size, shuffle=True)
opt = optim.SGD(model.parameters(), lr=lr)
print(pairs[:2], len(shuffled))


# %%
class Apply(nn.Module):
    def __init__(self, func):
        super().__init__()
        self.func = func

    def forward(self, x):
        return self.func(x)


def as_picture(x):
    return x.view(-1, 1, 4, 4)


model = nn.Sequential(
    Apply(as_picture),
    nn.Conv2d(1, 8, kernel_size=3, stride=1, padding=1),
    nn.ReLU(),
    nn.Conv2d(8, 2, kernel_size=3, stride=2, padding=1),
    nn.ReLU(),
    nn.AvgPool2d(2),
    Apply(lambda x: x.view(x.size(0), -1)),
)
print(model)
opt = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


# %% batches that are changed on their way
class Reshaped:
    def __init__(self, dl, func):
        self.dl = dl
        self.func = func

    def __len__(self):
        return len(self.dl)

    def __iter__(self):
        for b in self.dl:
            yield self.func(*b)


batches = Reshaped(shuffled, lambda x, y: (x.view(-1, 1, 4, 4), y))


def learn_from(model, judge, some, theirs, opt=None):
    loss = judge(model(some), theirs)
    if opt is not None:
        loss.backward()
        opt.step()
        opt.zero_grad()
    return loss.item(), len(some)


# %%
for epoch in range(3):
    model.train()
    for some, theirs in batches:
        learn_from(model, judge, some, theirs, opt)
    model.eval()
    with torch.no_grad():
        losses, nums = zip(*[learn_from(model, judge, some, theirs) for some, theirs in batches])
    mean_loss = sum(a * b for a, b in zip(losses, nums)) / sum(nums)
    print(epoch, mean_loss)

# %% an update inside backward
model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
optimizers = {p: optim.SGD([p], lr=0.1) for p in model.parameters()}


def step_at_once(parameter):
    optimizers[parameter].step()
    optimizers[parameter].zero_grad()


for p in model.parameters():
    p.register_post_accumulate_grad_hook(step_at_once)
for _ in range(3):
    loss = judge(model(points), sides)
    loss.backward()
    print(loss.item(), all(p.grad is None for p in model.parameters()))

# %% one learning rate for each part, and weights averaged by hand
model = nn.ModuleDict({"body": nn.Linear(16, 4), "head": nn.Linear(4, 2)})
opt = optim.Adam(
    [
        {"params": model["body"].parameters(), "lr": 1e-3},
        {"params": model["head"].parameters()},
    ],
    lr=1e-2,
)
average = {k: v.clone() for k, v in model.state_dict().items()}
for _ in range(4):
    opt.zero_grad()
    loss = judge(model["head"](torch.tanh(model["body"](points))), sides)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 0.05)
    opt.step()
    for k, v in model.state_dict().items():
        average[k].mul_(0.9).add_(v, alpha=0.1)
print(opt, average["head.bias"], [g["lr"] for g in opt.param_groups])

# %% gradients collected over several batches
model = nn.Linear(16, 2)
opt = optim.SGD(model.parameters(), lr=0.1)
opt.zero_grad()
for i, (some, theirs) in enumerate(shuffled):
    (judge(model(some), theirs) / len(shuffled)).backward()
    if (i + 1) % 2 == 0:
        print(i, torch.stack([p.grad.norm() for p in model.parameters()]).norm())
        opt.step()
        opt.zero_grad()

# %%
torch.set_default_dtype(torch.float32)
