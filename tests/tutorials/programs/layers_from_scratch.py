"""A classifier from bare tensors, rebuilt one part of `torch.nn` at a time."""

# %%
import math

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
x_train = torch.rand(64, 16)
y_train = (x_train[:, :8].sum(1) > x_train[:, 8:].sum(1)).long()
n, c = x_train.shape
print(x_train.shape, y_train.min(), y_train.max(), y_train[:10])

# %% weights that stay in proportion
weights = torch.randn(16, 2) / math.sqrt(16)
weights.requires_grad_()
bias = torch.zeros(2, requires_grad=True)


# %%
def log_softmax(x):
    return x - x.exp().sum(-1).log().unsqueeze(-1)


def model(xb):
    return log_softmax(xb @ weights + bias)


bs = 16
xb = x_train[0:bs]
preds = model(xb)
print(preds[0], preds.shape)


# %% the negative of the log-likelihood
def nll(input, target):
    return -input[range(target.shape[0]), target].mean()


def accuracy(out, yb):
    preds = torch.argmax(out, dim=1)
    return (preds == yb).float().mean()


loss_func = nll
yb = y_train[0:bs]
print(loss_func(preds, yb), accuracy(preds, yb))

# %% trained by hand
lr = 0.5
for epoch in range(2):
    for i in range((n - 1) // bs + 1):
        start_i = i * bs
        end_i = start_i + bs
        xb = x_train[start_i:end_i]
        yb = y_train[start_i:end_i]
        pred = model(xb)
        loss = loss_func(pred, yb)
        loss.backward()
        with torch.no_grad():
            weights -= weights.grad * lr
            bias -= bias.grad * lr
            weights.grad.zero_()
            bias.grad.zero_()
print(loss_func(model(xb), yb), accuracy(model(xb), yb))

# %% functional
import torch.nn.functional as F

loss_func = F.cross_entropy
print(loss_func(xb @ weights + bias, yb), loss_func(model(xb), yb))

# %% Module and Parameter
from torch import nn


class Logistic(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(16, 2) / math.sqrt(16))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, xb):
        return xb @ self.weights + self.bias


model = Logistic()
print(loss_func(model(xb), yb), model.weights.shape, [name for name, _ in model.named_parameters()])


# %%
def fit():
    for epoch in range(2):
        for i in range((n - 1) // bs + 1):
            xb, yb = x_train[i * bs : i * bs + bs], y_train[i * bs : i * bs + bs]
            loss = loss_func(model(xb), yb)
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= p.grad * lr
                model.zero_grad()


fit()
print(loss_func(model(xb), yb))

# %% Dataset, DataLoader, optim
from torch import optim
from torch.utils.data import DataLoader, TensorDataset

train_ds = TensorDataset(x_train, y_train)
train_dl = DataLoader(train_ds, batch_size=bs, shuffle=True)
opt = optim.SGD(model.parameters(), lr=lr)
print(train_ds[:2], len(train_dl))


# %%
class Lambda(nn.Module):
    def __init__(self, func):
        super().__init__()
        self.func = func

    def forward(self, x):
        return self.func(x)


def preprocess(x):
    return x.view(-1, 1, 4, 4)


model = nn.Sequential(
    Lambda(preprocess),
    nn.Conv2d(1, 8, kernel_size=3, stride=1, padding=1),
    nn.ReLU(),
    nn.Conv2d(8, 2, kernel_size=3, stride=2, padding=1),
    nn.ReLU(),
    nn.AvgPool2d(2),
    Lambda(lambda x: x.view(x.size(0), -1)),
)
print(model)
opt = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


# %% batches that are changed on their way
class WrappedDataLoader:
    def __init__(self, dl, func):
        self.dl = dl
        self.func = func

    def __len__(self):
        return len(self.dl)

    def __iter__(self):
        for b in self.dl:
            yield self.func(*b)


batches = WrappedDataLoader(train_dl, lambda x, y: (x.view(-1, 1, 4, 4), y))


def loss_batch(model, loss_func, xb, yb, opt=None):
    loss = loss_func(model(xb), yb)
    if opt is not None:
        loss.backward()
        opt.step()
        opt.zero_grad()
    return loss.item(), len(xb)


# %%
for epoch in range(3):
    model.train()
    for xb, yb in batches:
        loss_batch(model, loss_func, xb, yb, opt)
    model.eval()
    with torch.no_grad():
        losses, nums = zip(*[loss_batch(model, loss_func, xb, yb) for xb, yb in batches])
    val_loss = sum(a * b for a, b in zip(losses, nums)) / sum(nums)
    print(epoch, val_loss)

# %% an update inside backward
model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
optimizers = {p: optim.SGD([p], lr=0.1) for p in model.parameters()}


def optimizer_hook(parameter):
    optimizers[parameter].step()
    optimizers[parameter].zero_grad()


for p in model.parameters():
    p.register_post_accumulate_grad_hook(optimizer_hook)
for _ in range(3):
    loss = loss_func(model(x_train), y_train)
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
    loss = loss_func(model["head"](torch.tanh(model["body"](x_train))), y_train)
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
for i, (xb, yb) in enumerate(train_dl):
    (loss_func(model(xb), yb) / len(train_dl)).backward()
    if (i + 1) % 2 == 0:
        print(i, torch.stack([p.grad.norm() for p in model.parameters()]).norm())
        opt.step()
        opt.zero_grad()

# %%
torch.set_default_dtype(torch.float32)
