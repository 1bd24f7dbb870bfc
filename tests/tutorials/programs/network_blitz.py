"""A small convolutional network by hand: layers, loss, graph, update."""

# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(1)


# %%
class Reader(nn.Module):
    def __init__(self):
        super(Reader, self).__init__()
        self.edges = nn.Conv2d(1, 6, 5)
        self.strokes = nn.Conv2d(6, 16, 5)
        self.wide = nn.Linear(16 * 5 * 5, 120)
        self.narrow = nn.Linear(120, 84)
        self.answer = nn.Linear(84, 10)

    def forward(self, image):
        a1 = F.relu(self.edges(image))
        a2 = F.max_pool2d(a1, (2, 2))
        a3 = F.relu(self.strokes(a2))
        a4 = F.max_pool2d(a3, 2)
        a4 = torch.flatten(a4, 1)
        a5 = F.relu(self.wide(a4))
        a6 = F.relu(self.narrow(a5))
        return self.answer(a6)


net = Reader()
print(net)

# %%
weights = list(net.parameters())
print(len(weights))
print(weights[0].size())
for name, p in net.named_parameters():
    print(f"{name:14} {tuple(p.shape)!s:16} {p.numel()}")
print(sum(p.numel() for p in net.parameters()), weights[1])

# %%
image = torch.randn(1, 1, 32, 32)
out = net(image)
print(out)

# %% numbers to start backward from
net.zero_grad()
out.backward(torch.randn(1, 10))
print(net.edges.bias.grad)

# %%
output = net(image)
target = torch.randn(10).view(1, -1)
distance = nn.MSELoss()
loss = distance(output, target)
print(loss)

# %% a few steps back
print(loss.grad_fn)
print(loss.grad_fn.next_functions[0][0])
print(loss.grad_fn.next_functions[0][0].next_functions[0][0])

# %% all the way back, along the first edge that leads anywhere
node, path = loss.grad_fn, []
while node is not None:
    path.append(node.name())
    node = next((n for n, _ in reversed(node.next_functions) if n and n.next_functions), None)
print("\n".join(path))

# %%
def walk(node, depth=0, seen=None):
    seen = set() if seen is None else seen
    print("  " * depth + node.name(), "(again)" if node in seen else "")
    if node not in seen:
        seen.add(node)
        for child, _ in node.next_functions:
            if child is not None:
                walk(child, depth + 1, seen)


walk(loss.grad_fn)

# %%
net.zero_grad()
print("nothing yet:")
print(net.edges.bias.grad)
loss.backward()
print("there it is:")
print(net.edges.bias.grad)

# %% the update by hand
learning_rate = 0.01
with torch.no_grad():
    for p in net.parameters():
        p.sub_(learning_rate * p.grad)
print(net.answer.bias)

# %% and by an optimizer
import torch.optim as optim

optimizer = optim.SGD(net.parameters(), lr=0.01)

# %%
for step in range(3):
    optimizer.zero_grad()
    output = net(image)
    loss = distance(output, target)
    loss.backward()
    optimizer.step()
    print(step, loss.item())

# %% raises=RuntimeError: an image of the wrong size
net(torch.randn(1, 1, 28, 28))

# %% raises=RuntimeError: too few dimensions for a linear layer to fit
net.wide(torch.randn(3, 7))

# %% the network's children
for name, child in net.named_children():
    print(name, "→", child)
print([type(m).__name__ for m in net.modules()], net.training)
print(list(net.state_dict()))

# %% weights set by a function
def init(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_uniform_(m.weight)
        m.bias.data.fill_(0.01)


net.apply(init)
print(net.answer.weight.mean(), net.answer.bias)

# %% classes, not numbers
images, digits = torch.randn(4, 1, 32, 32), torch.tensor([3, 1, 4, 1])
scores = net(images)
loss = nn.CrossEntropyLoss()(scores, digits)
net.zero_grad()
loss.backward()
probability, predicted = torch.max(F.softmax(scores, dim=1), 1)
print(loss, probability, predicted, (predicted == digits).sum().item())

# %%
torch.set_default_dtype(torch.float32)
