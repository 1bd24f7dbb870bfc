# %% [markdown]
# # 10 · Inside PyTorch
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/10_inside_pytorch.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/10_inside_pytorch.ipynb)
#
# **Afterwards you can** walk through PyTorch's own graph, say what each node keeps in memory and
# for how long, read the version-counter error, and use hooks and checkpointing. **Time:** 40
# minutes. **You need:** lessons 03, 07 and 09.

# %% [markdown]
# ## Set-up

# %%
import importlib.util

if importlib.util.find_spec("autogradlab") is None:
    SOURCE = "git+https://github.com/autogradlab/autogradlab@v0.1.0"
    get_ipython().run_line_magic("pip", f"install --quiet {SOURCE}")  # noqa: F821
# %load_ext autogradlab
import autogradlab as torch

# %% [markdown]
# ## Two-minute warm-up
#
# 1. What does the node of tanh save, and what does the node of a sum?
# 2. `d = x.detach(); d.add_(1)`. What has become of x?
#
# <details><summary>Answers</summary>
#
# 1. tanh saves its result, the sum nothing (lesson 03).
# 2. x has grown by 1, too: both are the same memory (lesson 09).
#
# </details>

# %% [markdown]
# ## Walk through the graph
#
# A graph is made of objects you can hold. `grad_fn` is the last one; `next_functions` leads on.
# One layer, `Linear(3, 2)`, computes x @ Wᵀ + bias. **Predict** how many nodes the walk prints,
# and what stands in the place of x, which requires no gradient.

# %%
# %%twin
torch.manual_seed(0)
layer = torch.nn.Linear(3, 2)
x = torch.rand(4, 3)
loss = layer(x).relu().sum()


def walk(node, depth=0):
    print("    " * depth + (node.name() if node else "None"))
    for above, _ in node.next_functions if node else ():
        walk(above, depth + 1)


walk(loss.grad_fn)

# %% [markdown]
# Six nodes. *addmm* is one operation for "add a matrix product", and its three edges lead to the
# bias, to x, and to the weight. x is a constant: None. The weight is stored as (2, 3), so it was
# first transposed: `TBackward0`.
#
# Each edge is a pair. Its number says *which result* of the node is meant; some operations give
# several. `unbind` takes a tensor apart into its rows. **Predict** the pairs.

# %%
# %%twin
rows = torch.rand(2, 3, requires_grad=True)
first, second = rows.unbind()
y = second * first
print([(node.name(), number) for node, number in y.grad_fn.next_functions])

# %% [markdown]
# Both edges lead to the one node of `unbind`: to its result 1, and to its result 0.
#
# ## The idea in one picture
#
# Left the graph of this package, right PyTorch's for the same code, each node at the height of its
# counterpart. A ✓ joins what is the same. **Predict** what `x @ W` has saved: x, W or both? Then
# select it (click, or arrow keys and Enter).

# %%
from autogradlab.twin import torch_or_none

pytorch = torch_or_none()
if pytorch is None:
    pytorch = torch
    print("PyTorch is not installed: both sides of the pictures below are this package.")

# %%
from autogradlab.instruments import TwinGraph


def program(engine):
    W = engine.tensor([[1.0, -1.0], [2.0, 0.5]], requires_grad=True)
    b = engine.tensor([0.5, 1.0], requires_grad=True)
    x = engine.tensor([[1.0, 2.0]])
    return {"x": x, "W": W, "b": b, "loss": (x @ W + b).tanh().sum()}


ours, theirs = program(torch), program(pytorch)
TwinGraph(ours["loss"], theirs["loss"], (ours, theirs))

# %% [markdown]
# x alone. The gradient of W needs x. The gradient of x would need W, but nobody wants it: **a node
# saves for those inputs only that require a gradient.**
#
# The same number can have two graphs. **Predict:** do b · b and b² differ in nodes, in bytes saved,
# in the gradient of b?

# %%
def times(engine):
    b = engine.tensor([6.0, 4.0], requires_grad=True)
    return {"b": b, "y": (b * b).sum()}


def power(engine):
    b = engine.tensor([6.0, 4.0], requires_grad=True)
    return {"b": b, "y": (b**2).sum()}


left, right = times(pytorch), power(pytorch)
twins = TwinGraph(left["y"], right["y"], (left, right), labels=("b · b", "b²"))
twins.select("b²")
twins

# %% [markdown]
# Another node, the same gradient. b · b names b twice, but that is one piece of memory.
#
# ## What a node saves, by name
#
# The names are attributes of the node, `_saved_…`. Here c requires no gradient. **Predict** which
# lines name `_saved_self`, the first input.

# %%
# %%twin
a = torch.tensor([1.0, 2.0], requires_grad=True)
b = torch.tensor([3.0, 4.0], requires_grad=True)
c = torch.tensor([5.0, 6.0])
names = ("_saved_self", "_saved_other", "_saved_result")
for y in (a * b, a * c, a + b, a / b, a.relu()):
    found = [n for n in names if getattr(y.grad_fn, n, None) is not None]
    print(y.grad_fn.name(), found)

# %% [markdown]
# a · c keeps c alone: it is what a's gradient is multiplied by. relu keeps its result: where that
# is 0, nothing passes.
#
# ## Memory over a backward pass
#
# A small network, 128 examples at a time. A number takes 4 bytes. **Predict:** how many KB (1,024
# bytes) does the tanh keep? Its result has 128 × 256 numbers.

# %%
from collections import OrderedDict

from autogradlab import nn
from autogradlab.graphs import watch
from autogradlab.instruments import TapeMemory

first, second, last = nn.Linear(64, 256), nn.Linear(256, 256), nn.Linear(256, 10)
layers = OrderedDict(first=first, tanh=nn.Tanh(), second=second, relu=nn.ReLU(), last=last)
net = nn.Sequential(layers)
with watch(net) as watched:  # notes which module makes which node
    loss = net(torch.rand(128, 64)).pow(2).mean()
memory = TapeMemory(loss, net, watched, names={"loss": loss}, depth=1)
memory

# %% [markdown]
# 128 KB. **▶** runs the backward pass: a node that has run frees what it kept. Memory is highest
# at the *start* of the backward pass and falls from there.
#
# **Predict** before you select the row of the tanh: who keeps the same piece? One piece of memory
# counts once, however many nodes hold it.

# %%
print(memory.keepers("tanh"))
print(memory.keepers("second"))

# %% [markdown]
# The tanh needs its result for its own derivative, the layer after it needs the same numbers as its
# input. The piece is free only when both have run.
#
# ## Hooks on what is saved
#
# In a `saved_tensors_hooks` block PyTorch hands each tensor it saves to a function *pack* and keeps
# what that returns. When backward wants the tensor, it calls *unpack*. This pack counts bytes and
# changes nothing, nor does the unpack. **Predict** what is printed, for x of three numbers.

# %%
# %%twin
sizes = []


def pack(t):
    sizes.append(t.numel() * t.element_size())
    return t


x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
    y = (x * x).exp().sum()
print(sizes)

# %% [markdown]
# The product hands over x twice, exp its result, the sum nothing. Pack may return anything: the
# name of a file, a compressed form, a number. It is the door through which one trades time for
# memory. **Predict** what this pair does to the gradient, which should be 2x = [0.2, 0.4].

# %%
# %%twin
x = torch.tensor([0.1, 0.2], requires_grad=True)
with torch.autograd.graph.saved_tensors_hooks(
    lambda t: t.detach().numpy().round(), lambda array: torch.from_numpy(array)
):
    y = (x * x).sum()
y.backward()
print(x.grad)

# %% [markdown]
# Zero: the values came back rounded, and nobody noticed. The forward pass was right. What unpack
# returns is believed.
#
# ## Versions
#
# What if a saved tensor is *changed* before backward needs it? Every tensor counts how often it was
# written to in place. Names of such operations end with `_`. **Predict** the three numbers; the
# last write goes through another name.

# %%
# %%twin
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x.exp()
print(y._version)
y.add_(1)
print(y._version)
y.detach().mul_(2)
print(y._version)

# %% [markdown]
# The memory is the same, so the count is. Each node has written down at which version it saved.
# Before it runs it compares. **Predict** what the error says about numbers; this cell announces
# one.

# %%
# %%twin raises=RuntimeError
y.sum().backward()

# %% [markdown]
# Read it in pieces. *FloatTensor [2]*: a tensor of two float32 numbers. *Output 0 of Exp*: who made
# it. *Is at version 2; expected version 0*: it was written to twice since it was saved. (exp saves
# its result, and the two writes went over it.) The remedy is to make a new tensor.

# %%
# %%twin
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x.exp() + 1
y.sum().backward()
print(x.grad)

# %% [markdown]
# Writing is fine where nothing needs the old value. **Predict:** does this raise?

# %%
# %%twin
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 3
y.add_(1)
y.sum().backward()
print(x.grad)

# %% [markdown]
# x · 3 has saved nothing of y. There is one way past the count: `.data`, from the time before
# `no_grad`. **Predict** x.grad; it should be exp(x), about [2.72, 7.39].

# %%
# %%twin
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x.exp()
y.data.zero_()
print(y._version)
y.sum().backward()
print(x.grad)

# %% [markdown]
# Zero, and no error. Writing through `.data` is not counted, so do not: `detach()` is counted, and
# `no_grad()` is, too.
#
# ## Hooks on gradients
#
# A hook on a *tensor* sees its gradient, and may return another in its place. It works on
# intermediates as well as on leaves. **Predict** what is printed, and x.grad.

# %%
# %%twin
x = torch.tensor([1.0, 10.0], requires_grad=True)
h = x**2
seen = []
h.register_hook(lambda g: seen.append(g))
handle = h.register_hook(lambda g: g.clamp(-5, 5))
(h * h).sum().backward()
print(seen)
print(x.grad)

# %% [markdown]
# h received 2h = [2, 200]. The second hook cut that to [2, 5], and 2x · [2, 5] came to x.
# `handle.remove()` takes a hook away.
#
# One more is for leaves: it runs when `.grad` has been filled. So a step can be taken in the middle
# of the backward pass, and the gradient thrown away at once: it never takes up memory beside all
# the others. **Predict** both lines.

# %%
# %%twin
def step(p):
    with torch.no_grad():
        p -= 0.1 * p.grad
    p.grad = None


w = torch.tensor([1.0, 2.0], requires_grad=True)
w.register_post_accumulate_grad_hook(step)
(w**2).sum().backward()
print(w)
print(w.grad)

# %% [markdown]
# ## Checkpointing
#
# A *checkpoint* saves nothing of a block but its input, and runs the block again when backward
# comes to it. It is made of the pack and unpack hooks you met (`use_reentrant=False` says so:
# PyTorch has an older form, too). **Predict** how often the block runs: before backward, and in
# all.

# %%
# %%twin
from torch.utils.checkpoint import checkpoint


def block(x):
    runs.append("forward")
    return (x.exp() * x).tanh()


runs, x = [], torch.tensor([0.1, 0.2], requires_grad=True)
y = checkpoint(block, x, use_reentrant=False).sum()
print(len(runs))
y.backward()
print(len(runs))

# %% [markdown]
# Twice: that is the price, about one more forward pass. The gain is to be seen over a deeper
# network: sixteen layers, plain, or in four checkpointed blocks of four.

# %%
blocks = OrderedDict()
for i in range(1, 5):
    layers = [layer for _ in range(4) for layer in (nn.Linear(64, 64), nn.Tanh())]
    blocks[f"block{i}"] = nn.Sequential(*layers)
deep = nn.Sequential(blocks)


def loss_of(checkpointed):
    y = torch.ones(1024, 64)
    for block in deep:
        y = checkpoint(block, y, use_reentrant=False) if checkpointed else block(y)
    return y.pow(2).mean()


# %% [markdown]
# `record_backward` runs one backward pass and notes what the graph holds at each step. **Predict**
# how the two compare at the start.

# %%
from autogradlab.graphs import record_backward

tapes = {
    name: record_backward(loss_of(name == "checkpointed"), model=deep)
    for name in ("plain", "checkpointed")
}
TapeMemory(compare=tapes, depth=1)

# %% [markdown]
# All that is left in the graph is the input of the square. Not counted are the inputs of the four
# blocks, and what a block holds while it runs again, one block at a time. So ask Python for the
# most memory that was in use at once. **Predict** the ratio: as small as in the picture, or larger?

# %%
import tracemalloc


def peak(checkpointed):
    deep.zero_grad()  # both begin without gradients
    tracemalloc.start()
    loss_of(checkpointed).backward()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


print(f"{peak(True) / peak(False):.1f}")

# %% [markdown]
# Four inputs, and four layers at the worst moment: eight instead of sixteen, and what any pass
# needs besides. Of n layers in blocks of k, n / k inputs are kept, and k layers at once.
# **Predict** the best k for 64 layers.

# %%
n = 64
for k in (1, 2, 4, 8, 16, 32, 64):
    print(f"blocks of {k:2}: {n // k} inputs + {k} layers = {n // k + k}")

# %% [markdown]
# 8, the root of 64: then 16 are held instead of 64, for one more forward pass. The second run gets
# the same random numbers, so that dropout drops the same. But what a block does besides, such as a
# batch norm's running mean, it does twice.
#
# ## A whole network
#
# Why do the lessons compare whole networks in float64? The same three numbers are added in two
# orders, as two engines may do. **Predict** the four gradients.

# %%
# %%twin
for dtype in (torch.float32, torch.float64):
    p = torch.tensor([1.0, 1e-8, -1.0], dtype=dtype, requires_grad=True)
    one = (p[0] + p[1] + p[2]).relu()
    other = (p[0] + p[2] + p[1]).relu()
    for y in (one, other):
        (g,) = torch.autograd.grad(y, p)
        print(dtype, g[0].item())

# %% [markdown]
# The sums differ by 0.00000001, which nobody would mind. But relu *decides*, and in float32 it
# decides differently: the gradient is 0 or 1. In a network one of millions of such decisions is
# always close. With 16 digits practically none is, so in float64 two engines must agree, and a
# difference is a mistake.
#
# Now the walk over ResNet-18. **Predict** the most frequent node.

# %%
from autogradlab.lessons import resnet18_weights

weights = resnet18_weights()

# %%
# %%twin
from torchvision.models import resnet18

model = resnet18().double()
model.load_state_dict(weights)
loss = model(torch.rand(1, 3, 64, 64).double()).sum()
stack, seen = [loss.grad_fn], {loss.grad_fn}
while stack:
    for node, _ in stack.pop().next_functions:
        if node is not None and node not in seen:
            seen.add(node)
            stack.append(node)
names = sorted(node.name() for node in seen)

# %% [markdown]
# The verdict compared the graphs node by node. (A list of nodes still to visit instead of a
# function that calls itself: a deep graph would be too deep for Python.)

# %%
from collections import Counter

for name, count in sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])):
    print(f"{count:3} {name}")

# %% [markdown]
# 62 leaves, one for each parameter; 20 convolutions with a batch norm each. Who keeps the memory?
# **Predict** which part of the network holds most: near the image, where the pictures are large, or
# near the loss, where the weights are many?

# %%
TapeMemory(loss, model, names={"loss": loss})

# %% [markdown]
# The weights, with one small image. They are in memory anyway; what comes on top of them grows with
# every image of a batch, and that is what fills a computer.
#
# ## Exercise 1 · Who keeps the memory?
# *Difficulty ●●●○○ · 6 minutes*
#
# x and w hold 1,000 float32 numbers each and require a gradient; c holds as many and does not. How
# many bytes of memory does each node keep for backward?

# %%
from autogradlab.lessons import inside_pytorch as exercises

answer = [
    ...,  # x + w
    ...,  # x * w
    ...,  # x * c
    ...,  # x * x
    ...,  # x.exp()
    ...,  # x.sum()
]
exercises.keeps.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A float32 number takes 4 bytes. For each: which tensors occur in the gradients of those inputs
# that want one?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A piece of memory that is kept twice is one piece.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [0, 8000, 4000, 4000, 4000, 0]
# ```
#
# </details>
#
# ## Exercise 2 · A packing hook
# *Difficulty ●●●○○ · 8 minutes*
#
# Keep what is saved in half the memory: `pack` gets a float32 tensor, `unpack` gets what pack
# returned and gives a float32 tensor back. The gradients may be off by 1 %. It is used as
# `saved_tensors_hooks(Half.pack, Half.unpack)`.

# %%
class Half:
    def pack(t):
        return ...

    def unpack(packed):
        return ...


exercises.packing.check(Half)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# There is a dtype that takes two bytes a number: `torch.float16`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `t.to(dtype)` changes the dtype. Both functions need it.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# class Half:
#     def pack(t):
#         return t.to(torch.float16)
#
#     def unpack(packed):
#         return packed.to(torch.float32)
# ```
#
# </details>
#
# ## Exercise 3 · Written over
# *Difficulty ●●●○○ · 5 minutes*
#
# x requires a gradient. After each of these lines comes `y.sum().backward()`. Does it give the
# "right" gradient, does it "raise", or does it give a "wrong" gradient and say nothing?

# %%
answer = [
    ...,  # y = x.sin(); y.mul_(2)
    ...,  # y = x.tanh(); y.mul_(2)
    ...,  # h = x + 1; y = h.sin(); h.mul_(2)
    ...,  # y = x.tanh(); y.data.mul_(2)
    ...,  # h = x + 1; y = h.clone(); h.mul_(2)
]
exercises.written.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What has each node saved: the input, the result, nothing? Is it written to afterwards?
#
# </details>
# <details><summary>Hint 2</summary>
#
# And is that writing counted?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = ["right", "raise", "raise", "wrong", "right"]
# ```
#
# sin saves its input, tanh its result, clone nothing.
#
# </details>
#
# ## Exercise 4 · Find the leaves
# *Difficulty ●●●○○ · 8 minutes*
#
# Walk from a tensor to all its leaves, and return them in a list, each once, in any order. The
# graph may be thousands of nodes deep, and a node may be reached in many ways.

# %%
def leaves(root):
    return ...


exercises.leaves.check(leaves)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The walk over ResNet-18 does most of it. The leaf of an `AccumulateGrad` node is its `variable`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Only those nodes have it: `hasattr(node, "variable")`. Compare nodes, not tensors, to know what
# you have seen.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def leaves(root):
#     found, stack, seen = [], [root.grad_fn], {root.grad_fn}
#     while stack:
#         node = stack.pop()
#         if hasattr(node, "variable"):
#             found.append(node.variable)
#         for above, _ in node.next_functions:
#             if above is not None and above not in seen:
#                 seen.add(above)
#                 stack.append(above)
#     return found
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - `next_functions` leads from node to node; a constant is None; a leaf's node has its `variable`.
# - A node saves what the gradients that are wanted need, and frees it when it has run.
# - A saved tensor that was written to is an error; through `.data` it is a wrong gradient.
# - Hooks see and replace gradients, and what is saved. A checkpoint trades a second forward pass
#   for memory.
# - Whole networks are compared in float64, where no decision is close.
#
# **If something went wrong.** *modified by an inplace operation*: find who made the tensor and who
# wrote to it, and write a new one instead. *Out of memory*: fewer examples at a time, `no_grad`
# where nothing is trained, freezing, checkpointing.
#
# **Next:** [11 · A Function of your own](11_custom_function.ipynb): nodes you write yourself.
