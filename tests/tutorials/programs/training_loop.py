"""Data to schedule: two classes of points learned, validated, saved and loaded."""

# %%
import math
import os
import tempfile

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split

torch.set_default_dtype(torch.float64)
torch.manual_seed(42)


# %% a data set is a length and an item
class Spirals(Dataset):
    """Points on two arms of a spiral."""

    def __init__(self, count, transform=None, relabel=None):
        self.transform = transform
        self.relabel = relabel
        angle = torch.rand(count) * 2 * math.pi
        self.labels = torch.arange(count) % 2
        turned = angle + self.labels * math.pi
        self.points = torch.stack([angle * turned.cos(), angle * turned.sin()], dim=1) / 6

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        point, label = self.points[idx], self.labels[idx]
        if self.transform:
            point = self.transform(point)
        if self.relabel:
            label = self.relabel(label)
        return point, label


spirals = Spirals(120, transform=lambda p: p * 2)
print(len(spirals), spirals[0])

# %% cut in two
training, validation = random_split(spirals, [0.75, 0.25])
print(len(training), len(validation), training.indices[:5])

# %%
train_loader = DataLoader(training, batch_size=16, shuffle=True)
valid_loader = DataLoader(validation, batch_size=16)
print(len(train_loader), len(valid_loader))

# %%
features, labels = next(iter(train_loader))
print(features.shape, labels.dtype, features[0], labels)

# %% tensors as a data set, and a part of it
plain = TensorDataset(torch.arange(10.0), torch.arange(10) ** 2)
part = Subset(plain, range(0, 10, 3))
for number, square in DataLoader(part, batch_size=3):
    print(number, square)
print(plain[4], part[1], len(part))

# %% a generator of one's own, the last batch dropped
generator = torch.Generator().manual_seed(3)
for (batch,) in DataLoader(
    TensorDataset(torch.arange(7)), batch_size=3, shuffle=True, drop_last=True, generator=generator
):
    print(batch)


# %%
class Classifier(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.stack = nn.Sequential(
            nn.Linear(2, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, width),
            nn.Tanh(),
            nn.Linear(width, 2),
        )

    def forward(self, x):
        return self.stack(x)


model = Classifier()
print(model)

# %%
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.AdamW(model.parameters(), lr=0.05, weight_decay=1e-3)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)


# %%
def train(loader, model, loss_fn, optimizer):
    model.train()
    total = 0.0
    for X, y in loader:
        loss = loss_fn(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        total += loss.item() * len(X)
    return total / len(loader.dataset), norm


def validate(loader, model, loss_fn):
    model.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for X, y in loader:
            pred = model(X)
            loss += loss_fn(pred, y).item() * len(X)
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    return loss / len(loader.dataset), correct / len(loader.dataset)


# %%
history = []
for epoch in range(4):
    train_loss, norm = train(train_loader, model, loss_fn, optimizer)
    valid_loss, accuracy = validate(valid_loader, model, loss_fn)
    rate = scheduler.get_last_lr()[0]
    scheduler.step()
    history.append((train_loss, valid_loss))
    print(f"Epoch {epoch + 1}: {train_loss:>7f} → {valid_loss:>7f}, {100 * accuracy:>0.1f}%, lr {rate}")
    print(f"    gradient norm {norm:.6f}")

# %% running statistics
norm_layer = model.stack[1]
print(norm_layer.running_mean, norm_layer.running_var, norm_layer.num_batches_tracked)

# %% dropout only while training
ones = torch.ones(2, 8)
drop = nn.Dropout(0.5)
print(drop(ones))
drop.eval()
print(drop(ones), drop)

# %% saved and loaded
folder = tempfile.mkdtemp()
_path = os.path.join(folder, "model.pth")
torch.save(model.state_dict(), _path)
again = Classifier()
print(again.load_state_dict(torch.load(_path, weights_only=True)))
os.remove(_path)
os.rmdir(folder)
del folder
again.eval()
model.eval()
same = torch.equal(model(features), again(features))
print(same)

# %% a checkpoint to go on from
checkpoint = {
    "epoch": epoch,
    "model": model.state_dict(),
    "optimizer": optimizer.state_dict(),
    "scheduler": scheduler.state_dict(),
}
other = optim.AdamW(again.parameters(), lr=1.0)
other.load_state_dict(checkpoint["optimizer"])
print(list(checkpoint), other.param_groups[0]["lr"], checkpoint["scheduler"]["last_epoch"])
print(scheduler.state_dict())

# %%
again.train()
train_loss, norm = train(train_loader, again, loss_fn, other)
print(train_loss, norm)

# %% raises=RuntimeError: weights that do not fit
Classifier(width=8).load_state_dict(model.state_dict())

# %% raises=RuntimeError: a key too few
nn.Linear(2, 2).load_state_dict({"weight": torch.ones(2, 2)})

# %% other schedules
model = nn.Linear(1, 1)
optimizer = optim.SGD(model.parameters(), lr=0.1)
warm = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=4)
rates = []
for _ in range(6):
    optimizer.step()
    warm.step()
    rates.append(warm.get_last_lr()[0])
cosine = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
for _ in range(5):
    optimizer.step()
    cosine.step()
    rates.append(optimizer.param_groups[0]["lr"])
print(rates)

# %% a prediction in words
classes = ["inner", "outer"]
again.eval()
x, y = validation[0]
with torch.no_grad():
    pred = again(x.unsqueeze(0))
    predicted, actual = classes[pred[0].argmax(0)], classes[y]
    print("taken for", predicted, "and is", actual)
    print(F.softmax(pred, dim=1))

# %%
torch.set_default_dtype(torch.float32)
