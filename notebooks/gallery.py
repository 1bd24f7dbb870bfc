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
import autogradlab
import torch
from autogradlab import models
from autogradlab.graphs import watch
from autogradlab.instruments import BackwardDebugger, PredictTheGradient, TwinGraph


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
roots = [
    model(engine.ones(2, 3)).pow(2).mean()
    for model, engine in ((our_mlp, autogradlab), (torch_mlp, torch))
]
TwinGraph(*roots, ({"loss": roots[0]}, {"loss": roots[1]}))

# %% [markdown]
# ## PredictTheGradient
#
# Say a gradient first; a wrong answer is told its mistake.

# %%
x = torch.tensor([1.0, 2.0], requires_grad=True)
quiz = PredictTheGradient(3 * x, x=x, gradient=[1.0, 10.0])
quiz.check("3, 3")
quiz
