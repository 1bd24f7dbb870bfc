# %% [markdown]
# # 01 · One training step
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/01_training_step.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/01_training_step.ipynb)
#
# **Afterwards you can** say what forward, backward and step each change, in one weight and in a
# network of 11 million. **Time:** 35 minutes. **You need:** lesson 00, Python, and derivatives from
# school.

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
# 1. At w = 2 the gradient of y is 30. w grows by 0.001: and y?
# 2. Which way must w move to make y smaller?
#
# <details><summary>Answers</summary>
#
# 1. y grows 30 times as much, by 0.03.
# 2. Down: where the gradient is positive, y grows with w. Move *against* the gradient.
#
# </details>

# %% [markdown]
# ## One weight learns
#
# A *network* is a function with adjustable numbers, its *weights*. The smallest has one: its answer
# to x is w · x. For x = 3 we want 1. The *loss* says how far off it is: (3w − 1)². Computing it
# is the *forward pass*.
#
# **Predict** the loss at w = 2. Does w change?

# %%
# %%twin
w = torch.tensor(2.0, requires_grad=True)
prediction = 3 * w
loss = (prediction - 1) ** 2
print(loss)

# %% [markdown]
# The loss is (6 − 1)² = 25, and w is still 2. Which way is better? The *backward pass* finds the
# gradient, as in lesson 00. **Predict** it: the derivative of (3w − 1)² is 2 · (3w − 1) · 3.

# %%
# %%twin
loss.backward()
print(w.grad, w)

# %% [markdown]
# The gradient 30 lies in `w.grad`; w has not moved. Moving is the work of an *optimizer*. This one
# is SGD, *stochastic gradient descent*. Its *learning rate* `lr` says how far to go: against the
# gradient, by 0.01 of it. Its *momentum* comes into play at the second step.
#
# **Predict** w after the step.

# %%
# %%twin
optimizer = torch.optim.SGD([w], lr=0.01, momentum=0.9)
optimizer.step()
print(w)

# %% [markdown]
# 2 − 0.01 · 30 = 1.7, and there the loss is (3 · 1.7 − 1)² = 16.81, down from 25.
#
# ## The idea in one picture
#
# Four stops make a training step: *forward, backward, step, zero_grad*. The inspector runs them
# twice. What a stop has changed is marked yellow, its arithmetic stands below.
#
# **Before each ▶, predict** which column turns yellow. In the second round, watch the momentum v.
# Afterwards move the sliders, and untick zero_grad.

# %%
from autogradlab.instruments import TrainStepInspector

w = torch.tensor(2.0, requires_grad=True)
TrainStepInspector(lambda w: (3 * w - 1) ** 2, {"w": w})

# %% [markdown]
# Each stop has its own work: forward makes the loss, backward fills `.grad`, step makes v and moves
# w, zero_grad empties `.grad`.
#
# The momentum is what the optimizer remembers of earlier gradients. It starts at 0, so the first
# step goes by the gradient alone; in the second, 0.9 of the old v is still there. Whatever a button
# does, a method does too: here are the two steps in words.

# %%
inspector = TrainStepInspector(lambda w: (3 * w - 1) ** 2, {"w": w})
for stop in ("step", "step 2"):
    print(inspector.jump(stop))
    print(*inspector.lines(), sep="\n")

# %% [markdown]
# ## A network of 11 million weights
#
# ResNet-18 (2015) is a network for images: 3 colours in, a score for each of 1,000 kinds of things
# out. Its weights are tensors, called *parameters*. We start from random ones, the same on every
# machine. (Where torchvision is installed, PyTorch's package for images,
# `resnet18_weights(trained=True)` gives trained ones: then the numbers below are others, and what
# is said of them stays. Where it is not, PyTorch's side uses the lab's code on PyTorch's layers.)

# %%
from autogradlab.lessons import resnet18_weights

weights = resnet18_weights()

# %% [markdown]
# On our side `torchvision.models` is the lab's own collection. `load_state_dict` puts the weights
# in. `double()` turns all numbers to float64, 16 digits instead of the 7 of float32. The reason: a
# network *decides*. A relu asks "above 0?", a max-pool "which is largest?". In float32 two engines
# differ in the seventh digit, a close decision then falls the other way, and what follows differs
# visibly. With 16 digits, practically none is that close.
#
# **Predict:** do 18 layers have thousands of parameters, or millions?

# %%
# %%twin
from torchvision.models import resnet18

model = resnet18().double()
model.load_state_dict(weights)
del weights  # the model has copies
print(sum(p.numel() for p in model.parameters()))
print(len(list(model.parameters())))

# %% [markdown]
# 11,689,512 numbers in 62 tensors. (`del` because they take room: 47 MB in float32, and as much for
# PyTorch. To run that cell again, run the one above it first.)
#
# The next cell makes an image of random pixels, and a random label. With them the network learns
# nothing useful; but each stop does to it what it would do to a photograph.

# %%
# %%twin
torch.manual_seed(0)
data = torch.rand(1, 3, 64, 64, dtype=torch.float64)  # 1 image, 3 colours, 64 × 64 pixels
labels = torch.rand(1, 1000, dtype=torch.float64)

# %% [markdown]
# The Module Tree shows the parts of a model, its *modules*, with their parameters and the size of
# their gradients. It takes a snapshot at each stop; we look at them together at the end.

# %%
from autogradlab.instruments import ModuleTree

tree = ModuleTree(model, name="start")
print(tree.sentence)

# %% [markdown]
# ## Forward
#
# The loss of this lesson is the plainest there is: all differences, added up. **Predict:** which of
# the model's numbers does this cell change?

# %%
# %%twin
mean_before = model.bn1.running_mean[0].item()
prediction = model(data)
loss = (prediction - labels).sum()
print(prediction.shape, loss)
print("running mean changed:", model.bn1.running_mean[0].item() != mean_before)

# %%
print(tree.snapshot("forward"))

# %% [markdown]
# No parameter has changed. Something else has: a *batch norm* layer like `bn1` brings the numbers
# that pass through it to mean 0 and spread 1, and while training it keeps a *running mean* of what
# it has seen. That is a *buffer*: part of the model, but not trained, so it has no gradient.
#
# ## Backward
#
# **Predict:** how many of the 62 tensors have a gradient afterwards?

# %%
# %%twin
loss.backward()
print(sum(p.grad is not None for p in model.parameters()))
print(model.conv1.weight.grad.shape, model.conv1.weight.shape)

# %%
print(tree.snapshot("backward"))

# %% [markdown]
# All 62, each of the shape of its parameter, and all of them equal to PyTorch's: that is the
# *62 gradients* of the ✓ line. (The last parameter, `fc.bias`, is added to each of the
# 1,000 scores, and the loss adds those up: each of its gradients is 1.)
#
# ## A cell run twice
#
# It happens in every notebook: the cell with `loss.backward()` is run once more. **Predict:** does
# it find the same gradients, twice as large ones, or none?

# %%
# %%twin raises=RuntimeError
loss.backward()

# %% [markdown]
# None of these: an error, in PyTorch's words. The forward pass saves what backward will need, and
# backward frees it as it goes, to save memory. A second backward needs a new forward pass: run that
# cell first. (The gradients are as they were: PyTorch refused before it touched one.)
#
# ## Step
#
# **Predict** the new value of one weight, from the old one and its gradient:
# v ← g, w ← w − 0.01 · v.

# %%
# %%twin
optim = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
old, g = model.fc.bias[0].item(), model.fc.bias.grad[0].item()
optim.step()
new = model.fc.bias[0].item()
print(g, abs(new - (old - 0.01 * g)) < 1e-12)

# %%
print(tree.snapshot("step"))

# %% [markdown]
# All 62 tensors have moved, each weight against its own gradient (where that is 0, it stays). They
# agree with PyTorch's to 7 digits or better: the ✓ line compares every element. `.grad` is still
# full. The last stop empties it:

# %%
# %%twin
optim.zero_grad()
print(model.fc.bias.grad)

# %%
print(tree.snapshot("zero_grad"))

# %% [markdown]
# ## All stops of the network
#
# Here is the whole step in one instrument. **Predict** first: are the gradients larger near the
# image (`conv1`) or near the loss (`fc`)? Then press **◀** to go from stop to stop, and open a
# module with its **+**.

# %%
tree.jump("step")
tree

# %% [markdown]
# Near the image: `conv1` has the largest. (Lesson 13 says why one can grow on its way back.)
# A *norm* is the length of a tensor, the root of the sum of all squares. Its bar has a
# *logarithmic* scale: each line is a factor. The table below says how many tensors have a gradient
# at each stop, and how far the weights moved.
#
# ## A second step
#
# Once more, in one cell, as people write it. **Predict:** has the first step made the loss smaller?
# (Takes some seconds.)

# %%
# %%twin
first = loss.item()
prediction = model(data)
loss = (prediction - labels).sum()
optim.zero_grad()
loss.backward()
optim.step()
print(f"{first:.1f} → {loss.item():.1f}")

# %% [markdown]
# It has. (This loss has no lowest point and would fall for ever; a real one, like the square in our
# first example, ends at 0.)
#
# ## Exercise 1 · Without zero_grad
# *Difficulty ●●○○○ · 5 minutes*
#
# The first example again: w = 2, loss (3w − 1)², lr 0.01, but no momentum and no `zero_grad()`:
# forward, backward, step, forward, backward. What is in `w.grad` now?

# %%
from autogradlab.lessons import training_step as exercises

answer = ...
exercises.kept.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# After the step w is 1.7. What gradient does the second backward find there?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Nobody has emptied `w.grad`. The inspector shows what backward does then: untick zero_grad.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 30 + 24.6
# ```
#
# At w = 1.7 the gradient is 6 · (5.1 − 1) = 24.6, and it is added to the 30.
#
# </details>
#
# ## Exercise 2 · Freeze layer1
# *Difficulty ●●○○○ · 4 minutes*
#
# `model.layer1.requires_grad_(False)` *freezes* a part of a network: its parameters ask for no
# gradient. After the next forward and backward, how many of the 62 tensors have `.grad` None, if
# all were None before?

# %%
answer = ...
exercises.frozen.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Open layer1 in the Module Tree, then one of its blocks, then what is in the block: each hexagon is
# a tensor. A `Conv2d`, a *convolution*, slides a small pattern of weights over the image.
#
# </details>
# <details><summary>Hint 2</summary>
#
# conv1 and bn1 stand before layer1. A gradient has to pass through layer1 to reach them, and it
# does. So only the tensors inside layer1 count.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 12
# ```
#
# Two blocks, in each two convolutions with one tensor and two batch norms with two.
#
# </details>
#
# ## Exercise 3 · What changes when
# *Difficulty ●●●○○ · 5 minutes*
#
# The first step of ResNet-18, stop by stop: what is different after it? For each stop write a list
# of four numbers, 1 for "changed", 0 for "as before": [weights, .grad, momentum, running mean].

# %%
answer = [
    ...,  # forward
    ...,  # backward
    ...,  # step
    ...,  # zero_grad
]
exercises.changed.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# In the inspector, each stop marks what it has changed. It has three of the four columns.
#
# </details>
# <details><summary>Hint 2</summary>
#
# What did the cell under *Forward* print in its last line?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]]
# ```
#
# </details>
#
# ## Exercise 4 · The step by hand
# *Difficulty ●●○○○ · 5 minutes*
#
# Write SGD with lr 0.01 and momentum 0.9 for one weight w, with v from earlier steps and the
# gradient g. Return the new w and the new v, in this order.

# %%
def sgd_step(w, v, g):
    return ..., ...


exercises.sgd.check(sgd_step)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The head of the inspector shows the rule: two lines, v first.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `v = 0.9 * v + g` gives the new momentum. The weight then moves by 0.01 of it, downhill.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def sgd_step(w, v, g):
#     v = 0.9 * v + g
#     return w - 0.01 * v, v
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - **forward** computes the loss. It changes no parameter, but a batch norm's running mean.
# - **backward** adds gradients into `.grad`. It moves nothing.
# - **step** makes v ← 0.9 · v + g and moves each weight: w ← w − lr · v.
# - **zero_grad** empties `.grad`, since backward *adds*.
#
# **If something went wrong.** *"Trying to backward through the graph a second time"*: run the
# forward cell again. *The loss jumps about*: is there a `zero_grad()` in the loop? Is lr too large?
# *`.grad` is None*: backward has not run, or the tensor is frozen.
#
# **Next:** [02 · Nudges](02_nudges.ipynb): what a gradient says about a small change, and how to
# measure one.
