# %% [markdown]
# # Gallery of the instruments
#
# Each instrument on this package's engine and on a PyTorch model. They take tensors and modules of
# either, and leave no trace on them: `.grad`, buffers, hooks and random numbers are as they were.
# Everything a button does is a method, too.

# %%
import importlib.util

if importlib.util.find_spec("autogradlab") is None:
    SOURCE = "git+https://github.com/autogradlab/autogradlab@v0.1.0"
    get_ipython().run_line_magic("pip", f"install --quiet {SOURCE}")  # noqa: F821

# %%
import torch

import autogradlab
from autogradlab import models
from autogradlab.graphs import watch
from autogradlab.instruments import (
    BackwardDebugger,
    FlowWaterfall,
    FreezeBoard,
    ModuleTree,
    PredictTheGradient,
    TapeMemory,
    TwinGraph,
)


# %%
def q(engine):
    """Q = 3a³ − b², its tensors by name."""
    a = engine.tensor([2.0, 3.0], requires_grad=True)
    b = engine.tensor([6.0, 4.0], requires_grad=True)
    return {"a": a, "b": b, "Q": 3 * a**3 - b**2}


# %% [markdown]
# ## BackwardDebugger
#
# A backward pass to step through, forward and back. On a short graph each step shows the formula of
# its node with the live numbers.

# %%
names = q(autogradlab)
BackwardDebugger(names["Q"], names=names, gradient=[1.0, 1.0])

# %%
names = q(torch)
debugger = BackwardDebugger(names["Q"], names=names, gradient=[1.0, 1.0])
debugger.jump("a³")
debugger

# %% [markdown]
# On a deep network it is a rail: a row for each node, or for each module as long as that is folded.
# A click on + opens a module, and `watch` has seen which module made which node. Choose under
# "stop where" at which gradients Play stops.

# %%
autogradlab.manual_seed(0)
resnet = models.resnet18()
with watch(resnet) as seen:
    prediction = resnet(autogradlab.randn(1, 3, 64, 64))
    loss = (prediction - autogradlab.rand(1, 1000)).sum()
debugger = BackwardDebugger(loss, resnet, {"loss": loss}, watched=seen)
debugger.open("layer2.0")
debugger.close("layer1", "layer3", "layer4")
debugger.jump(94)
debugger

# %% [markdown]
# Given the model afterwards, it takes a node to be of the module whose parameters it uses, and says
# so.

# %%
torch.manual_seed(0)
transformer = torch.nn.Transformer(32, 4, 2, 2, 64, dropout=0.0, batch_first=True)
out = transformer(torch.randn(2, 5, 32), torch.randn(2, 4, 32))
loss = (out - torch.randn(2, 4, 32)).pow(2).mean()
debugger = BackwardDebugger(loss, transformer, {"loss": loss})
debugger.open("decoder.layers.1")
debugger.break_when(below=0.01)
debugger.run()
debugger

# %%
print(debugger.who_keeps("decoder.norm"))
print(debugger.why_none(out))

# %% [markdown]
# ## TwinGraph
#
# Two graphs side by side, a node and its counterpart on one height. Selecting one selects the
# other, and the table compares what they have saved, when they run, and which gradients pass.

# %%
ours, theirs = q(autogradlab), q(torch)
twins = TwinGraph(ours["Q"], theirs["Q"], (ours, theirs), gradient=[1.0, 1.0])
twins.select("a³")
twins


# %%
def square(engine):
    """The same function by another operation."""
    names = q(engine)
    return names | {"Q": 3 * names["a"] ** 3 - names["b"] * names["b"]}


mine, aim = square(torch), q(torch)
TwinGraph(
    mine["Q"],
    aim["Q"],
    (mine, aim),
    gradient=[1.0, 1.0],
    labels=("your code", "the graph to match"),
)

# %% [markdown]
# More than twelve nodes are a list.

# %%
torch_mlp = torch.nn.Sequential(
    torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4), torch.nn.Tanh(),
    torch.nn.Linear(4, 1),
)  # fmt: skip
our_mlp = models.from_torch(torch_mlp)
roots, names = [], []
for model, engine in ((our_mlp, autogradlab), (torch_mlp, torch)):
    loss = model(engine.ones(2, 3)).pow(2).mean()
    roots.append(loss)
    names.append({**dict(model.named_parameters()), "loss": loss})
TwinGraph(*roots, tuple(names))

# %% [markdown]
# ## PredictTheGradient
#
# Say a gradient first; a wrong answer is told its mistake.

# %%
x = torch.tensor([1.0, 2.0], requires_grad=True)
quiz = PredictTheGradient(3 * x, x=x, gradient=[1.0, 10.0])
quiz.check("3, 3")
quiz

# %% [markdown]
# ## FlowWaterfall
#
# The size of every layer's gradients and activations, from the input at the top to the loss at the
# bottom. A layer most of whose weights get less than the threshold is marked.


# %%
def sigmoids(nn, depth):
    """A deep network of sigmoid layers."""
    layers = [each for _ in range(depth) for each in (nn.Linear(16, 16), nn.Sigmoid())]
    return nn.Sequential(*layers)


autogradlab.manual_seed(0)
deep = sigmoids(autogradlab.nn, 12).double()  # so that the picture is the same on every machine
x = autogradlab.randn(64, 16).double()
FlowWaterfall.of(deep, lambda: deep(x).pow(2).mean())

# %% [markdown]
# Put round a training step, it keeps each step, to be scrubbed through.

# %%
torch.manual_seed(0)
relus = torch.nn.Sequential(
    torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU(),
    torch.nn.Linear(32, 1),
).double()  # fmt: skip
optimizer = torch.optim.SGD(relus.parameters(), lr=0.1)
inputs, targets = torch.randn(64, 8).double(), torch.randn(64, 1).double()
flow = FlowWaterfall(relus)
for _ in range(8):
    with flow.step():
        optimizer.zero_grad()
        (relus(inputs) - targets).pow(2).mean().backward()
    optimizer.step()
flow

# %% [markdown]
# ## TapeMemory
#
# What is saved for the backward pass, by whom, and when it is freed.

# %%
total = prediction.sum()
TapeMemory(total, resnet, watched=seen, names={"total": total})


# %%
def chain(checkpointed):
    """Six layers on torch, two of them at a time computed again on the way back, or none."""
    torch.manual_seed(0)
    blocks = [
        torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64))
        for _ in range(3)
    ]
    y = torch.randn(32, 64).requires_grad_()
    for block in blocks:
        again = torch.utils.checkpoint.checkpoint
        y = again(block, y, use_reentrant=False) if checkpointed else block(y)
    return y.pow(2).mean()


TapeMemory(compare={"plain": chain(False), "checkpointed": chain(True)})

# %% [markdown]
# ## ModuleTree
#
# The modules of a model with their parameters and the norms of the gradients. Snapshots become
# stops to scrub through: what a training step changes, and when.

# %%
autogradlab.manual_seed(0)
net = models.resnet18()
step = autogradlab.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9)
tree = ModuleTree(net)
(net(autogradlab.randn(1, 3, 64, 64)) - autogradlab.rand(1, 1000)).sum().backward()
tree.snapshot("after backward")
step.step()
tree.snapshot("after step")
tree.jump("after backward")
tree

# %%
attention = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
tree = ModuleTree(attention, attention(torch.randn(1, 3, 16))[..., 0].sum(), name="layer")
tree.open("self_attn")
tree

# %% [markdown]
# ## FreezeBoard
#
# Freeze tensors or modules, or detach them, and see what is left of the graph, which tensors get a
# gradient, and how much memory is no longer saved.


# %%
def program(a, b):
    """Q = 3a³ − b²."""
    return {"Q": 3 * a**3 - b**2}


a = autogradlab.tensor([2.0, 3.0], requires_grad=True)
b = autogradlab.tensor([6.0, 4.0], requires_grad=True)
board = FreezeBoard(program, tensors={"a": a, "b": b}, gradient=[1.0, 1.0])
board.freeze("a")
board

# %%
frozen = torch.nn.Sequential(
    torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU(),
    torch.nn.Linear(32, 1),
)  # fmt: skip
board = FreezeBoard(frozen, torch.ones(4, 8), lambda y: y.pow(2).mean())
board.freeze_all_but("4")
board
