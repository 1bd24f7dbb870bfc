# %% [markdown]
# # 16 · Eight broken networks
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/16_bug_hunt.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/16_bug_hunt.ipynb)
#
# **Afterwards you can** tell from its gradients alone why a network does not learn, and point the
# same instruments at a PyTorch model of your own. **Time:** 40 minutes. **You need:** lessons 07,
# 09 and 13.

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
# 1. A parameter's `.grad` is zero; that of another is `None`. What is the difference?
# 2. `backward()` runs twice, for two losses, and nothing empties `.grad` between. What is in it?
#
# <details><summary>Answers</summary>
#
# 1. The first received a gradient, and all its numbers are 0. To the second nothing came: no way in
#    the graph leads to it, or it did not ask (lesson 09).
# 2. The sum of both gradients (lesson 07).
#
# </details>
#
# ## The idea in one picture
#
# Most bugs of a training step raise no error. The loss falls a little, or bounces, or stands
# still. But every bug leaves traces in the gradients. First, a healthy network: a curve through 32
# points.

# %%
# %%twin
torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
x = torch.linspace(-1, 1, 32).reshape(32, 1)
y = torch.sin(3 * x)
model = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def step():
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

# %% [markdown]
# The detective runs twelve steps, writes down what it sees, and puts everything back. **Predict:**
# does a healthy gradient grow or shrink over the steps? Then run, and move the scrubber.

# %%
from autogradlab.instruments import GradientDetective

detective = GradientDetective(model, step)
detective

# %% [markdown]
# It shrinks: downhill gets flatter. Each row is a parameter; a bar is the norm of its `.grad` in
# one step.
#
# - *came in*: the norm of what this backward pass brought; *.grad*: of what the optimizer reads.
# - *is 0*: the share of its numbers that are exactly 0.
# - *moves*: how far the step moves the weight, in per cent of its size.
# - *loss should change by*: gradient times nudge, summed (lesson 02): what the gradients promise.
#
# Ask for its own opinion:

# %%
print(detective.reveal())

# %% [markdown]
# A step is not infinitely small, so even a healthy loss keeps its promise only nearly.
#
# ## Eight suspects
#
# Each network below has **one** bug. Look at the evidence, choose a suspect in the menu, press
# **Check**. A suspect that it was not is cleared by the evidence. When you have found it, you see
# the line. (In code: `detective.guess("detach")`, `detective.reveal()`; and
# `print(exercises.CASES[0].source)` shows all of network 1.)

# %%
print(*detective.suspects, sep=", ")

# %% [markdown]
# ## Network 1
#
# An encoder makes 16 numbers of each point, a decoder the answer. The loss falls, slowly.
# **Predict** before you choose: which column would show a part that learns nothing?

# %%
from autogradlab.lessons import broken
from autogradlab.lessons import bug_hunt as exercises

GradientDetective(exercises.CASES[0])

# %% [markdown]
# The same network in both engines; the cell prints the evidence that convicts it. (The functions
# in `broken` take an engine, so that one text runs on both.)
#
# <details><summary>The diagnosis</summary>
#
# **Something is detached.** To the encoder's two parameters nothing comes at all, `None`. Its
# codes were cut off from the graph before the decoder got them. The decoder learns to make the
# best of random features, so the loss does fall.
#
# </details>

# %%
# %%twin
model, step = broken.network_1(torch)
loss = step()
for name, p in model.named_parameters():
    print(name, "None" if p.grad is None else f"{p.grad.norm():.4f}")

# %% [markdown]
# ## Network 2
#
# The loss goes down, and up, and down. **Predict:** is each step too large, or is the direction of
# each step wrong? Compare the bars with the line across them, and *came in* with *.grad*.

# %%
GradientDetective(exercises.CASES[1])

# %% [markdown]
# <details><summary>The diagnosis</summary>
#
# **zero_grad is missing.** In step 1 what came in is less than what is in `.grad`: there the
# gradient of step 0 is still lying. Every step goes in the direction of all gradients so far, and
# runs past the valley, as with a momentum of 1.
#
# </details>
#
# The cell empties nothing and prints the norm of one `.grad` over four steps:

# %%
# %%twin
model, step = broken.network_2(torch)
norms = []
for _ in range(4):
    step()
    norms.append(model[2].weight.grad.norm())
print([f"{norm:.4f}" for norm in norms])

# %% [markdown]
# ## Network 3
#
# The loss stands still. Every parameter receives a gradient. **Predict:** what is the difference
# between this evidence and that of network 1?

# %%
GradientDetective(exercises.CASES[2])

# %% [markdown]
# <details><summary>The diagnosis</summary>
#
# **relu units are dead.** The gradients are not `None`, they are 0 in every number. A bias of −3
# keeps all 16 units of the second layer below zero for every point; there the slope of relu is 0,
# and 0 times anything is 0. Only the last bias learns: the mean of the targets.
#
# </details>
#
# How many of 32 × 16 outputs of that layer are above zero?

# %%
# %%twin
model, step = broken.network_3(torch)
x = torch.linspace(-1, 1, 32).reshape(32, 1)
hidden = model[:4](x)
print(int((hidden > 0).sum()))
step()
print([int((p.grad == 0).all()) for p in model.parameters()])

# %% [markdown]
# ## Network 4
#
# Nine hidden layers. The learning rate is 1e-7: with a larger one everything blew up. **Predict:**
# in which direction along the layers do the norms grow, and by what factor per layer?

# %%
GradientDetective(exercises.CASES[3])

# %% [markdown]
# <details><summary>The diagnosis</summary>
#
# **Gradients explode.** On the way back each layer multiplies by its weights, and those were drawn
# with a spread of 2, eight times as large as 1/√16 (lesson 13). About × 2 per layer makes some
# hundreds over nine. A smaller learning rate only lets the last layers stand still. The repair is
# the initialization.
#
# </details>

# %%
# %%twin
model, step = broken.network_4(torch)
step()
norms = torch.stack([layer.weight.grad.norm() for layer in model[::2]])
print([f"{norm:.0f}" for norm in norms])

# %% [markdown]
# ## Network 5
#
# A classifier: is a point inside −0.5 to 0.5, or outside? The loss starts at 24 and jumps. A
# classifier that guesses between two classes has a cross-entropy of ln 2 = 0.69. **Predict** from
# these two numbers alone.

# %%
GradientDetective(exercises.CASES[4])

# %% [markdown]
# <details><summary>The diagnosis</summary>
#
# **The loss is a sum, not a mean.** 24 / 32 = 0.74: the loss of one point, times the size of the
# batch. So all gradients are 32 times what this learning rate was made for, and one step moves
# weights by more than their size. Unlike in network 4 nothing grows from layer to layer.
#
# </details>
#
# The loss of a guesser, summed and averaged:

# %%
# %%twin
x, y = broken.inside(torch)
guess = torch.zeros(32, 2)
cross_entropy = torch.nn.functional.cross_entropy
total = cross_entropy(guess, y.long(), reduction="sum")
mean = cross_entropy(guess, y.long())
print(f"{total:.4f} {mean:.4f}")

# %% [markdown]
# ## Network 6
#
# Another one whose loss stops too early. In two rows the line lies below the top of the bars.
# **Predict:** is that network 2's bug? Look at *moves* before you choose.

# %%
GradientDetective(exercises.CASES[5])

# %% [markdown]
# <details><summary>The diagnosis</summary>
#
# **Some parameters are frozen**, though nobody meant it. Gradients come to the body, and it never
# moves: the optimizer was given the head's parameters only. Its `zero_grad` empties only those,
# too: that is why the others pile up. The symptom of network 2, and another cause.
#
# </details>

# %%
# %%twin
model, step = broken.network_6(torch)
before = [p.detach().clone() for p in model.parameters()]
step()
moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters())]
print(moved)

# %% [markdown]
# ## Network 7
#
# The gradients become small, the loss stays at 0.51. All looks like a network that has learned all
# it can. The mean of the targets is 1, and their variance is 0.508. **Predict:** what does this
# network answer, whatever x is? Then look at the facts on the right.

# %%
GradientDetective(exercises.CASES[6])

# %% [markdown]
# <details><summary>The diagnosis</summary>
#
# **The loss broadcasts its shapes.** 32 × 1 minus 32 gives 32 × 32 (lesson 08): each prediction is
# compared with *every* target. The best answer to all of them is their mean. The gradients are
# right; they belong to another loss than you meant.
#
# </details>

# %%
# %%twin
prediction, target = torch.zeros(32, 1), torch.zeros(32)
difference = prediction - target
print(difference.shape)

# %% [markdown]
# ## Network 8
#
# The loss *rises*, step by step. The gradients come everywhere, none is zero, none is large, and
# every weight moves a little. **Predict:** which two numbers on the right cannot both be true?

# %%
GradientDetective(exercises.CASES[7])

# %% [markdown]
# <details><summary>The diagnosis</summary>
#
# **A value is overwritten in place**, through `.data`. The engine records nothing there and its
# version counter sees nothing (lesson 10). So `backward` takes the slope of p where the loss has
# 1 − p: for the points outside the sign is turned. The gradients promise a fall and the loss rises.
#
# </details>
#
# Promise and truth of the first step; `flat` puts all gradients, or weights, in a row:

# %%
# %%twin
def flat(tensors):
    return torch.cat([t.detach().flatten() for t in tensors])


model, step = broken.network_8(torch)
before, first = flat(model.parameters()).clone(), step()
gradient = flat([p.grad for p in model.parameters()])
promised = (gradient * (flat(model.parameters()) - before)).sum()
measured = step() - first
print(f"promised {promised:.4f}, measured {measured:.4f}")

# %% [markdown]
# ## Help by symptom
#
# what you see|what it is|lesson
# ---|---|---
# `.grad` is None, requires_grad True|detached, or not used|09
# `.grad` larger than what came in|no zero_grad|07
# gradient comes, weight stays|not in the optimizer|09
# all numbers exactly 0|dead relu|13
# norms grow on the way back|exploding: initialization|13
# all too large by one factor|sum for mean, learning rate|14
# loss stops at the variance|broadcast|08
# loss breaks the promise|overwritten value|10

# %%
from autogradlab.twin import torch_or_none

pytorch = torch_or_none()
print("PyTorch is here." if pytorch else "PyTorch is not installed: read on at the exercises.")

# %% [markdown]
# ## A model of your own
#
# Now real PyTorch: a transformer layer of `torch.nn`. Here PyTorch is called `pytorch`; in your own
# notebook it is `import torch`. These are no twin cells, for our engine has no such layer: only
# the instruments are ours, and they use nothing but what PyTorch offers.
#
# The task: 64 rows of 6 numbers. Does the largest stand in the first half of its row?

# %%
if pytorch:
    pytorch.set_default_dtype(pytorch.float64)  # so that the stored pictures fit every machine
    pytorch.manual_seed(0)
    rows = pytorch.randn(64, 6, 1)
    early = (rows.argmax(1).flatten() < 3).long()
    nn = pytorch.nn
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True, bias=False)
    net = nn.ModuleDict({"embed": nn.Linear(1, 16), "layer": layer, "head": nn.Linear(96, 2)})
    adam = pytorch.optim.Adam(net.parameters(), lr=0.003)


def loss_now():
    features = net["layer"](net["embed"](rows))
    return nn.functional.cross_entropy(net["head"](features.flatten(1)), early)

# %% [markdown]
# Two ways to show a training to the detective: a step function, as before, or your own loop. In a
# loop, `with detective.step() as now:` watches what runs inside, and `now.loss` is told the loss.
# **Predict:** will it accuse anyone?

# %%
if pytorch:
    own = GradientDetective(net)
    for _ in range(8):
        with own.step() as now:
            now.loss = loss_now()
            adam.zero_grad()
            now.loss.backward()
            adam.step()
    own.reveal()
own if pytorch else None

# %% [markdown]
# No one. For a model it does not know the detective has no solution, only hints: what the evidence
# *would fit*. Where nothing fits it says so.
#
# Where does the gradient get smaller on its way back? The waterfall of lesson 13 tells; `of` runs
# one pass and leaves no trace. **Predict** the layer with the smallest median.

# %%
from autogradlab.instruments import FlowWaterfall

FlowWaterfall.of(net, loss_now) if pytorch else None

# %% [markdown]
# Its attention, `layer.self_attn`. Now one pass, node by node, folded by module: unfold `layer`,
# set a breakpoint (click a row, press b), step.

# %%
from autogradlab.instruments import BackwardDebugger

BackwardDebugger(loss_now(), net) if pytorch else None

# %% [markdown]
# Now break it as it happens in real life: somebody moves the numbers through NumPy on the way, to
# center them. **Predict** the suspects, then run.

# %%
def centered_step():
    features = net["layer"](net["embed"](rows)).detach().numpy()
    features = pytorch.tensor(features - features.mean())
    loss = nn.functional.cross_entropy(net["head"](features.flatten(1)), early)
    adam.zero_grad()
    loss.backward()
    adam.step()
    return loss


if pytorch:
    print(GradientDetective(net, centered_step, steps=4).reveal())

# %% [markdown]
# ## Exercise 1 · Mend network 2
# *Difficulty ●○○○○ · 2 minutes*
#
# The exercises give you the piece with the bug. Mend it; the check puts it into the network, trains
# it, and reads the evidence.

# %%
def step_2(model, optimizer, x, y):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    return loss


exercises.gradients_stay.check(step_2)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What has to be empty before `backward()` adds to it?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The optimizer knows all the parameters and has a method for it. Not between `backward()` and
# `step()`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def step_2(model, optimizer, x, y):
#     loss = ((model(x) - y) ** 2).mean()
#     optimizer.zero_grad()
#     loss.backward()
#     optimizer.step()
#     return loss
# ```
#
# </details>
#
# ## Exercise 2 · Mend network 6
# *Difficulty ●○○○○ · 3 minutes*
#
# The body receives gradients and stands still. Let it learn.

# %%
def network_6(torch):
    body = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU())
    head = torch.nn.Linear(16, 1)
    model = torch.nn.Sequential(body, head)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    return model, optimizer


exercises.standing_still.check(network_6)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Who moves weights? And whom does it know?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Both parts are in `model`, and a module gives the parameters of all that is in it.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def network_6(torch):
#     body = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU())
#     head = torch.nn.Linear(16, 1)
#     model = torch.nn.Sequential(body, head)
#     optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
#     return model, optimizer
# ```
#
# </details>
#
# ## Exercise 3 · Mend network 7
# *Difficulty ●●○○○ · 4 minutes*
#
# The model gives 32 × 1 numbers, the targets y have the shape (32,). Compare each prediction with
# its own target.

# %%
def step_7(model, optimizer, x, y):
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


exercises.every_with_every.check(step_7)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Which of the two shapes would you change? Either will do.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `flatten()` makes a row of 32 of anything; `reshape(32, 1)` a column.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def step_7(model, optimizer, x, y):
#     loss = ((model(x).flatten() - y) ** 2).mean()
#     optimizer.zero_grad()
#     loss.backward()
#     optimizer.step()
#     return loss
# ```
#
# </details>
#
# ## Exercise 4 · Mend network 5
# *Difficulty ●●○○○ · 3 minutes*
#
# The learning rate was found for a batch of one point. Let the loss not grow with the batch.

# %%
def step_5(model, optimizer, x, y):
    loss = torch.nn.functional.cross_entropy(model(x), y.long(), reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


exercises.too_much.check(step_5)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# There are 32 points. What is the loss of one, on average?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `reduction` can be `"sum"`, `"none"` or `"mean"`; left out it is the one that you want.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def step_5(model, optimizer, x, y):
#     loss = torch.nn.functional.cross_entropy(model(x), y.long(), reduction="mean")
#     optimizer.zero_grad()
#     loss.backward()
#     optimizer.step()
#     return loss
# ```
#
# </details>
#
# ## Exercise 5 · Mend network 8
# *Difficulty ●●●○○ · 6 minutes*
#
# The model gives a score, sigmoid makes of it p, the probability of *inside*. Outside, where y is
# False, the right answer has the probability 1 − p. Let the engine record that. Try what happens
# if you only drop `.data`.

# %%
def step_8(model, optimizer, x, y):
    right = torch.sigmoid(model(x)).flatten()
    right.data[~y] = 1 - right.data[~y]
    loss = -right.log().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


exercises.against_promise.check(step_8)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Do not write into a tensor: make a new one out of p and 1 − p.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.where(condition, a, b)` takes a where the condition is True and b elsewhere.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def step_8(model, optimizer, x, y):
#     p = torch.sigmoid(model(x)).flatten()
#     right = torch.where(y, p, 1 - p)
#     loss = -right.log().mean()
#     optimizer.zero_grad()
#     loss.backward()
#     optimizer.step()
#     return loss
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - Look at *came in*, *.grad*, *is 0* and *moves*, in this order, row by row. Each of the eight
#   bugs breaks another link between loss, gradient, `.grad` and weight.
# - `None` is not 0; small is not 0; and a gradient that is right for the wrong loss looks healthy.
# - The strongest test is the promise: gradient times move is the change of the loss, if the step is
#   small and the inputs are the same.
# - Other causes look alike, so an instrument gives hints. The line you find yourself.
#
# ## The whole course in twelve lines
#
# - A gradient says what a nudge does (02). The forward pass records a graph (03).
# - Backward: *grad in × local derivative = grad out*; where paths meet, add (04).
# - It computes vᵀJ, a row at a time (05); one loss is one row, so training runs backward (06).
# - Each node runs once, when all has arrived; `.grad` adds (07). What was broadcast is summed (08).
# - No record, no gradient: detach, no_grad, freezing (09).
# - What is saved costs memory, and must not be overwritten (10). You can write an operation of your
#   own (11), and differentiate a gradient again (12).
# - Gradients shrink or grow with depth (13). An optimizer turns them into steps (14). All of it
#   trains real networks (15), and where it does not, the traces tell why (16).
#
# **Where to go from here.**
#
# - Point `GradientDetective`, `FlowWaterfall` and `BackwardDebugger` at a model that puzzles you.
# - Read the engine: `autogradlab/engine.py` is meant to be read in one sitting, `derivatives/` has
#   one formula per operation.
# - Read PyTorch's own: `tools/autograd/derivatives.yaml` in its sources will look familiar.
# - Add an operation: CONTRIBUTING.md shows how, in ten lines.
#
# **If something went wrong.** *The detective says that a step stops with an error*: run the step
# once by itself to see all of it. *"not known" in place of the loss*: let the step return it.
# *It suspects a frozen parameter that you froze on purpose*: then it is right, and all is well.
#
# **Next:** [the course, from the start](README.md).
