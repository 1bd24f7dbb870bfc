# %% [markdown]
# # 09 · Exclusion from the graph
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/09_exclusion.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/09_exclusion.ipynb)
#
# **Afterwards you can** say of any tensor whether it takes part in the graph and why its `.grad` is
# None, freeze a network for fine-tuning, and find a detach that nobody meant. **Time:** 40 minutes.
# **You need:** lessons 01, 03 and 04.

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
# 1. `w = torch.tensor(3.0, requires_grad=True) * 0.5`: is w a leaf?
# 2. Which part of ResNet-18 changes in the forward pass?
#
# <details><summary>Answers</summary>
#
# 1. No. It is the result of a multiplication; the leaf is the 3 (lesson 03).
# 2. The running means of its batch norms: buffers, not parameters (lesson 01).
#
# </details>

# %% [markdown]
# ## Wanted, or not
#
# Three tensors of random numbers. A gradient is wanted of z alone. **Predict:** does a require a
# gradient? Does b?

# %%
# %%twin
torch.manual_seed(0)
x = torch.rand(5, 5)
y = torch.rand(5, 5)
z = torch.rand(5, 5, requires_grad=True)
a = x + y
b = x + z
print(f"a requires a gradient: {a.requires_grad}")
print(f"b requires a gradient: {b.requires_grad}")

# %% [markdown]
# One input is enough (lesson 03). b is in the graph; a is not, nor is the way to x in `x + z`.
# What nobody wants a gradient for is not recorded and saves nothing: *exclusion from the DAG*, the
# directed graph without circles ("acyclic") that operations make.
#
# ## The idea in one picture
#
# To *freeze* a tensor is to set its `requires_grad` to False. **Predict** before you press
# **freeze** beside a: which nodes go, and how many bytes are no longer saved? Then freeze b
# instead, then both.

# %%
from autogradlab.instruments import FreezeBoard


def q(a, b):
    return {"Q": 3 * a**3 - b**2}


a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
FreezeBoard(q, tensors={"a": a, "b": b}, gradient=[1.0, 1.0], controls=["freeze", "memory"])

# %% [markdown]
# With a frozen its whole branch is gone, as far as the first node that b needs as well. Nothing was
# switched off in the backward pass: **exclusion happens in the forward pass**, when the graph is
# made. With both frozen there is no graph, and `backward()` would be an error.
#
# Each button is a method, too:

# %%
board = FreezeBoard(q, tensors={"a": a, "b": b})
print(board.freeze("a"))
print(board.freeze("b"))
print(board.unfreeze())

# %% [markdown]
# ## Four states of a tensor
#
# Every tensor carries three facts: does it require a gradient, is it a leaf, has it a `grad_fn`?
# **Predict** the twelve answers, one line for each of x, w, h and k.

# %%
# %%twin
x = torch.ones(2)
w = torch.ones(2, requires_grad=True)
h = w * x
k = h * 5
k.retain_grad()
k.sum().backward()
for t in (x, w, h, k):
    print(t.requires_grad, t.is_leaf, t.grad_fn is not None)

# %% [markdown]
# | | requires_grad | is_leaf | grad_fn | `.grad` after backward |
# |---|---|---|---|---|
# | x, *constant* | False | True | None | None |
# | w, *leaf that learns* | True | True | None | filled |
# | h, *intermediate* | True | False | a node | None, and a warning |
# | k, *retained* | True | False | a node | filled |
#
# h and k are alike but for `retain_grad()`. A constant counts as a leaf, since no recorded
# operation made it.

# %%
# %%twin
print(x.grad, w.grad, k.grad)
print(h.grad)

# %% [markdown]
# PyTorch warns: h had a gradient, [5, 5], and threw it away after passing it on. Nobody had asked
# it to stay.
#
# One combination is missing: a `grad_fn`, and no gradient required. **Predict** what happens if you
# try to make it. This cell announces an error.

# %%
# %%twin raises=RuntimeError
h.requires_grad_(False)

# %% [markdown]
# The flag is yours to set on leaves only. For an intermediate it follows from its inputs. The
# message names the way out: `detach()`, below.
#
# The board lists the four states below its table. **Predict** which name stands where. Then press
# **retain grad** beside h, and after that freeze w: what will h and k be?

# %%
def program(w, x):
    h = w * x
    return {"h": h, "k": h * 5}


w, x = torch.ones(2, requires_grad=True), torch.ones(2)
FreezeBoard(program, tensors={"w": w, "x": x}, controls=["freeze", "retain", "states"])

# %% [markdown]
# ## None is not zero
#
# An optimizer passes over a tensor whose `.grad` is None. With a gradient of 0 it does all the rest
# of its work, here *weight decay*, which pulls each weight towards 0. **Predict:** which of the two
# moves?

# %%
# %%twin
u = torch.tensor(1.0, requires_grad=True)
v = torch.tensor(1.0, requires_grad=True)
v.grad = torch.tensor(0.0)
optimizer = torch.optim.SGD([u, v], lr=0.1, weight_decay=0.5)
optimizer.step()
print(u, v)

# %% [markdown]
# v moved. And the other way round: the optimizer looks at `.grad`, not at `requires_grad`.
# **Predict:** w is frozen *after* backward. Does the step move it?

# %%
# %%twin
w = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
(w**2).backward()
w.requires_grad_(False)
optimizer.step()
print(w)

# %% [markdown]
# Frozen, and it moved: the gradient of the last pass was still there. So empty `.grad` when you
# freeze in the middle of training (`zero_grad()` does it), or do not give frozen tensors to the
# optimizer at all.
#
# ## detach: a value without its past
#
# `x.detach()` has the numbers of x, and no history. **Predict** the three things printed, above all
# x.grad: y is x · x, so without the detach it would be 6.

# %%
# %%twin
x = torch.tensor(3.0, requires_grad=True)
d = x.detach()
y = x * d
y.backward()
print(d.requires_grad, d.grad_fn, x.grad)

# %% [markdown]
# To the graph d is a constant, 3, and the derivative of x · 3 is 3. One of the two paths is cut.
# That is useful where a value should be aimed at and not pulled along: a target.
#
# detach copies nothing. **Predict** x.

# %%
# %%twin
d.add_(1)  # in place: it writes into the memory of d
print(x)

# %% [markdown]
# d *is* the memory of x under another name. For numbers of your own: `x.detach().clone()`.
#
# On the board, **detach** hands the program a detached tensor. **Predict:** detach b. How does that
# differ from freezing it? Look at the table.

# %%
FreezeBoard(q, tensors={"a": a, "b": b}, gradient=[1.0, 1.0], controls=["freeze", "detach"])

# %% [markdown]
# The graph is the same, and b.grad is None in both. But detached, b itself still requires a
# gradient, and learns if another loss uses it: freezing belongs to the tensor, detaching to one use
# of it.
#
# ## no_grad: a block without recording
#
# A step of gradient descent by hand, the error announced. **Predict** what is wrong with the last
# line.

# %%
# %%twin raises=RuntimeError
w = torch.tensor(2.0, requires_grad=True)
loss = (3 * w - 1) ** 2
loss.backward()
w -= 0.01 * w.grad

# %% [markdown]
# *A leaf that requires grad is used in an in-place operation*: `-=` would be recorded, and w would
# no longer be what you made but the result of a subtraction, with a longer history after each step.
# The step is not part of the function that is differentiated. So it is taken where nothing is
# recorded. **Predict** the line.

# %%
# %%twin
with torch.no_grad():
    w -= 0.01 * w.grad
print(w, w.is_leaf)

# %% [markdown]
# Still a leaf, and 2 − 0.01 · 30. `optimizer.step()` does the same. no_grad is also for measuring
# and predicting: no graph, so no memory for one.
#
# `torch.inference_mode()` is stricter. No graph can ever save what is made inside, which spares
# PyTorch some bookkeeping. This cell announces an error; **predict** which of its lines raises.

# %%
# %%twin raises=RuntimeError
with torch.inference_mode():
    fixed = w * 3
print(fixed.requires_grad, fixed + 1)
loss = w * fixed

# %% [markdown]
# The product would have to save `fixed`. A result of no_grad may be used there, as a constant; one
# of inference_mode may not.
#
# ## Fine-tuning
#
# A network that was trained on many images sees edges and textures that serve other tasks, too.
# *Fine-tuning* keeps it and trains a part anew. The usual way: freeze all, then replace the last
# layer, which makes scores from the 512 *features* the rest has found.

# %%
from autogradlab.lessons import resnet18_weights

weights = resnet18_weights()

# %% [markdown]
# (Random weights do for us: what is frozen and what moves is the same. Where torchvision has its
# trained weights you work with those.)
#
# A parameter that requires no gradient is a *frozen parameter*. float64, for the reason lesson 01
# gave: no decision of a relu may differ between the engines. **Predict** the number.

# %%
# %%twin
from torchvision.models import resnet18

model = resnet18().double()
model.load_state_dict(weights)
model.eval()
for parameter in model.parameters():
    parameter.requires_grad = False
print(sum(p.requires_grad for p in model.parameters()))

# %% [markdown]
# None of the 62 learns. Now a new last layer, `fc` ("fully connected"), for 10 classes instead of
# 1,000. **Predict:** which parameters require a gradient now?

# %%
# %%twin
torch.manual_seed(0)
model.fc = torch.nn.Linear(512, 10).double()
learning = [name for name, p in model.named_parameters() if p.requires_grad]
print(learning)

# %% [markdown]
# A new layer requires gradients from the start. What is left to train are 5,130 of 11 million
# numbers.
#
# The optimizer gets those alone. Four images of random pixels stand for the new data. **Predict:**
# how many tensors get a gradient, and is layer4 as before?

# %%
# %%twin
images = torch.rand(4, 3, 64, 64).double()
labels = torch.tensor([0, 1, 2, 3])
optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.01, momentum=0.9)
before = model.layer4[1].conv2.weight.clone()
loss = torch.nn.functional.cross_entropy(model(images), labels)
loss.backward()
optimizer.step()
print(sum(p.grad is not None for p in model.parameters()))
print(torch.equal(before, model.layer4[1].conv2.weight))

# %% [markdown]
# Two: `fc.weight` and `fc.bias`. How much of the graph was recorded for that? On this board
# everything learns at first. **Predict** how many of the 133 nodes are left before you press
# **Freeze all but fc**. Then reset, and freeze layer4 alone: which other modules still get a
# gradient?

# %%
for parameter in model.parameters():
    parameter.requires_grad = True
board = FreezeBoard(model, images[:1], lambda y: y.sum(), controls=["freeze", "memory"])
board

# %%
print(board.freeze_all_but("fc"))
board.unfreeze()
print(board.freeze("layer4"))
print("conv1 has no gradient:", board.facts["conv1.weight"].grad is None)
print(board.reset())

# %% [markdown]
# All but fc frozen: of 133 nodes 5 are left, and nothing to speak of is saved. With layer4 alone
# frozen, only its 15 leaves are gone: the gradient must pass *through* layer4 to reach what stands
# above it, and conv1 gets its gradient as before. **Freezing saves where nothing above it learns.**
#
# Then the frozen part gives the same features in every step, so they can be computed once.
# **Predict** whether the loss falls.

# %%
# %%twin
head = torch.nn.Linear(512, 10).double()
body = torch.nn.Sequential(*list(model.children())[:-1])
with torch.no_grad():
    features = body(images).flatten(1)
optimizer = torch.optim.SGD(head.parameters(), lr=0.01, momentum=0.9)
for step in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(head(features), labels)
    loss.backward()
    optimizer.step()
    if step % 19 == 0:
        print(f"{loss.item():.4f}")

# %% [markdown]
# Twenty steps, one forward pass of the network.
#
# One trap is left. Inside no_grad nothing is recorded, let alone learned. **Predict:** does a
# forward pass in `train()` mode change the network all the same?

# %%
# %%twin
mean = model.bn1.running_mean.clone()
model.train()
with torch.no_grad():
    model(images)
print(torch.equal(mean, model.bn1.running_mean))

# %% [markdown]
# It does: no gradient moves a running mean, so freezing does not keep it. `model.eval()` above did.
# None of three switches does the work of another:
#
# | switch | what it decides |
# |---|---|
# | `requires_grad_(False)` | who gets a gradient |
# | `no_grad()` | whether operations are recorded |
# | `eval()` | how some layers compute: batch norm, dropout |

# %% [markdown]
# ## The detach nobody meant
#
# Often a value leaves the graph by accident. Nine ways to hand x on: **predict** which keep its
# history.

# %%
# %%twin
x = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():
    inside = x * 1
handed_on = {
    "x.detach()": x.detach(),
    "x.data": x.data,
    "no_grad": inside,
    "torch.tensor(x)": torch.tensor(x),
    "x[0].item()": torch.tensor(x[0].item()),
    "through NumPy": torch.from_numpy(x.detach().numpy()),
    "x.clone()": x.clone(),
    "x.double()": x.double(),
    "x[0]": x[0],
}

# %%
for way, value in handed_on.items():
    print(f"{way:16} {value.grad_fn is not None}")

# %% [markdown]
# Operations keep it: clone, a change of dtype, an index. What goes through Python's or NumPy's
# numbers loses it. `torch.tensor(x)` warns; the others say nothing.
#
# If all is cut, `backward()` raises. Worse is *half* a detach. y = x² / x is x, so its derivative
# is 1. **Predict** x.grad.

# %%
# %%twin
x = torch.tensor(3.0, requires_grad=True)
scale = x.item()
y = x**2 / scale
y.backward()
print(x.grad)

# %% [markdown]
# 2, with no error and no warning: the path through the scale is missing. Two ways to find such a
# thing. A nudge (lesson 02) sees all paths:

# %%
# %%twin
def f(x):
    return x**2 / x.item()


h = 0.001
x = torch.tensor(3.0, dtype=torch.float64)
slope = (f(x + h) - f(x - h)) / (2 * h)
print(round(slope.item(), 4))

# %% [markdown]
# And the graph shows where the path ends: `/` has one edge instead of two. **Predict** what follows
# if `.item()` goes.

# %%
# %%twin
x = torch.tensor(3.0, requires_grad=True)
y = x**2 / x.item()
print([node and node.name() for node, _ in y.grad_fn.next_functions])
y = x**2 / x
print([node and node.name() for node, _ in y.grad_fn.next_functions])
y.backward()
print(x.grad)

# %% [markdown]
# ## Exercise 1 · The truth table
# *Difficulty ●●○○○ · 5 minutes*
#
# ```python
# x = torch.ones(2)
# w = torch.ones(2, requires_grad=True)
# h = w * x
# d = h.detach()
# y = h * d
# y.sum().backward()
# ```
#
# For each of the five write three numbers, 1 for yes, 0 for no: [requires_grad, is_leaf, `.grad` is
# not None].

# %%
from autogradlab.lessons import exclusion as exercises

answer = [
    ...,  # x
    ...,  # w
    ...,  # h
    ...,  # d
    ...,  # y
]
exercises.table.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Find each one's row in the table of the four states.
#
# </details>
# <details><summary>Hint 2</summary>
#
# d was made by no *recorded* operation. y was: one of its inputs has a history.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [[0, 1, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
# ```
#
# </details>
#
# ## Exercise 2 · Half of it detached
# *Difficulty ●●○○○ · 3 minutes*
#
# y = x · x.detach() + x.detach()² + x, at x = 3. What is in x.grad after `y.backward()`?

# %%
answer = ...
exercises.half.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Write a plain 3 wherever it says x.detach().
#
# </details>
# <details><summary>Hint 2</summary>
#
# Then it is 3x + 9 + x. What is the derivative of each term?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 3 + 0 + 1
# ```
#
# </details>
#
# ## Exercise 3 · Freeze all but fc
# *Difficulty ●●●○○ · 6 minutes*
#
# This time the model keeps its own `fc`. Make a function that leaves only fc learning, whatever was
# frozen before, and returns a list of what the optimizer should get.

# %%
def fine_tune(model):
    return ...


exercises.fine_tune.check(fine_tune)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two steps: first freeze everything, then let one module learn again.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `module.requires_grad_(True)`, with the underscore, sets the flag of every parameter of a module.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def fine_tune(model):
#     model.requires_grad_(False)
#     model.fc.requires_grad_(True)
#     return list(model.fc.parameters())
# ```
#
# </details>
#
# ## Exercise 4 · Find the accidental detach
# *Difficulty ●●●●○ · 10 minutes*
#
# The function below gives the right number and the wrong gradients. Somewhere on its way values
# leave the graph. Mend it: the same number, all of the gradient. There is more than one place.

# %%
def spread(w, x):
    h = torch.tanh(w * x)
    top = h.max().item()
    below = h - top
    size = torch.tensor((below**2).tolist())
    with torch.no_grad():
        scale = 1 + w**2
    return (size * scale + below * below.data).sum()


exercises.spread.check(spread)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Go line by line, and ask: has the name on the left a `grad_fn`?
#
# </details>
# <details><summary>Hint 2</summary>
#
# There are four places. Each can be mended by leaving something out.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def spread(w, x):
#     h = torch.tanh(w * x)
#     top = h.max()
#     below = h - top
#     size = below**2
#     scale = 1 + w**2
#     return (size * scale + below * below).sum()
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - What requires no gradient is not recorded. It is decided in the forward pass.
# - A tensor is a constant, a leaf that learns, an intermediate, or one that retains its gradient.
# - *Freezing* belongs to a tensor, *detaching* to one use of it, *no_grad* to a block of code.
# - Fine-tuning: freeze all, let a new `fc` learn, give the optimizer only that. `eval()` keeps the
#   running means still.
# - Python's and NumPy's numbers have no history.
#
# **If something went wrong.** *`.grad` is None*: backward has not run; the tensor is frozen; it is
# no leaf (PyTorch warns); or no path leads from the loss to it. *does not require grad and does
# not have a grad_fn*: all of it is cut. *A leaf … in-place operation*: take the step in `no_grad`.
#
# **Next:** [10 · Inside PyTorch](10_inside_pytorch.ipynb): what the graph is made of.
