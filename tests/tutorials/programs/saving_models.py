"""What a network holds, written to memory and read again."""

# %%
import copy
import io

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(4)


# %%
class Sorter(nn.Module):
    def __init__(self):
        super(Sorter, self).__init__()
        self.coarse = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.fine = nn.Conv2d(6, 16, 5)
        self.middle = nn.Linear(16 * 5 * 5, 12)
        self.last_layer = nn.Linear(12, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.coarse(x)))
        x = self.pool(F.relu(self.fine(x)))
        x = x.view(-1, 16 * 5 * 5)
        return self.last_layer(F.relu(self.middle(x)))


model = Sorter()
optimizer = optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
for key in model.state_dict():
    print(key, "\t", model.state_dict()[key].size())
for part in optimizer.state_dict():
    print(part, "\t", optimizer.state_dict()[part])

# %%
_file = io.BytesIO()
torch.save({"epoch": 5, "model_state_dict": model.state_dict(), "loss": torch.tensor(0.4),
            "optimizer_state_dict": optimizer.state_dict()}, _file)
_file.seek(0)
checkpoint = torch.load(_file, weights_only=True)
print(list(checkpoint), checkpoint["epoch"], checkpoint["loss"])

# %%
again = Sorter()
print(again.load_state_dict(checkpoint["model_state_dict"]))
restored = optim.SGD(again.parameters(), lr=1.0)
restored.load_state_dict(checkpoint["optimizer_state_dict"])
print(restored)
same = all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters()))
print(same, again.eval().training, again.train().training)

# %% parts of another network
class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.coarse = nn.Conv2d(3, 6, 5)
        self.head = nn.Linear(6, 2)


# %%
other = Other()
print(other.load_state_dict(model.state_dict(), strict=False))
print(torch.equal(other.coarse.weight, model.coarse.weight))

# %% raises=RuntimeError: all of it, or nothing
other.load_state_dict(model.state_dict())

# %% copies
twin = copy.deepcopy(model)
with torch.no_grad():
    twin.last_layer.bias.zero_()
print(model.last_layer.bias, twin.last_layer.bias)
best = copy.deepcopy(model.state_dict())
live = model.state_dict()
with torch.no_grad():
    model.last_layer.bias.add_(1)
print(best["last_layer.bias"][0] == live["last_layer.bias"][0], live["last_layer.bias"].requires_grad)

# %% modules with state that is no parameter
class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("cache", torch.zeros(2), persistent=False)
        self.register_parameter("unused", None)
        self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(2)])
        self.choices = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in range(2)])

    def forward(self, x, act="relu"):
        self.calls += 1
        for layer, scale in zip(self.layers, self.scales):
            x = self.choices[act](layer(x)) * scale
        return x


# %%
counter = Counter()
y = counter(torch.ones(1, 2)), counter(torch.ones(1, 2), act="tanh")
print(counter, counter.calls, list(counter.state_dict()), y)
print([n for n, _ in counter.named_modules()], [n for n, _ in counter.named_buffers()])
print(counter.double().layers[0].weight.dtype, counter.calls.dtype, counter.cache.dtype)
print(counter.get_parameter("layers.1.bias"), counter.get_submodule("choices.tanh"))

# %% raises=AttributeError: a name that is not there
print(hasattr(counter, "nothing"), counter.unused)
counter.nothing

# %% parameters as one vector
flat = nn.utils.parameters_to_vector(model.parameters())
print(flat.shape, flat.sum())
nn.utils.vector_to_parameters(torch.zeros_like(flat), model.parameters())
print(sum(p.abs().sum() for p in model.parameters()))

# %% a network as a list
net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
net.append(nn.Sigmoid())
net[1] = nn.Tanh()
print(net, len(net), net[-1], net[:2], [type(m).__name__ for m in net])
net.add_module("last", nn.Identity())
print(net.last, dict(net.named_children()).keys())
