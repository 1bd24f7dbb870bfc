# %% [markdown]
# # 15 · Everything joined
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/15_playground.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/15_playground.ipynb)
#
# **Afterwards you can** train three kinds of networks on this engine, judge them on data they have
# not seen, hand one to PyTorch, and say how many machines share one gradient. **Time:** 40 minutes.
# **You need:** lessons 08, 13 and 14.

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
# 1. Which four calls make a training step?
# 2. Adam gets gradients a hundred times as large. Do its steps grow as much?
#
# <details><summary>Answers</summary>
#
# 1. Forward (the loss), `zero_grad()`, `backward()`, `step()`. `zero_grad` may also stand first.
# 2. No. Adam divides by the root of the mean square: the steps keep their length (lesson 14).
#
# </details>

# %% [markdown]
# ## The idea in one picture
#
# Points of two classes, discs and diamonds. A network gives each point a number, its *score*; the
# sigmoid of that is p, how sure it is of a disc. Each *neuron*, one output of a layer, gives one
# too: its tile is the plane, blue above 0. Training bends the border until each point is on its
# side.

# %%
torch.set_default_dtype(torch.float64)  # 16 digits, as in lesson 01

from autogradlab.instruments import Playground

playground = Playground("moons", hidden=[4, 4])
playground.train()
playground

# %% [markdown]
# Forward runs down. Thick lines are large weights, dashed ones negative. Below is the loss over 600
# training steps.
#
# ## Train it yourself
#
# Here **▶** trains, and the scrubber goes back to what has been. Click a neuron (or arrows and
# Enter): the plane shows what that one answers.
#
# **Predict:** the discs lie in the middle, and each neuron of the first layer draws one border. How
# many neurons fence the discs in: 2, 3 or 8? Try 2 and 3 in the *width* menu.

# %%
Playground("circle", hidden=[2], lr=0.1)

# %% [markdown]
# Three: the borders are bent lines, and a triangle is the first fence that closes. With two, one
# end stays open.
#
# Is it all done by the backward pass of lesson 04? *Open the backward debugger* is a button under
# the picture, and a method. Here is the first moons network after 100 steps. **Predict** first:
# how many of its 6 parameters get a gradient?

# %%
playground.jump(4)
debugger = playground.debugger()
playground.jump(24)  # leave the picture above as it was
debugger

# %% [markdown]
# All six. In code it is the training step of lesson 01 in a loop. The loss,
# `binary_cross_entropy_with_logits`, takes scores: the mean of −log p over the discs, and
# −log (1 − p) over the diamonds.
#
# **Predict:** with the same first weights, how close are the losses of both engines after 100
# steps?

# %%
x = torch.from_numpy(playground.x)
y = torch.from_numpy(playground.y).double().unsqueeze(1)

# %%
# %%twin
nn, F = torch.nn, torch.nn.functional
torch.set_default_dtype(torch.float64)
torch.manual_seed(1)
layers = nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)
net = nn.Sequential(*layers)
optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
for step in range(100):
    loss = F.binary_cross_entropy_with_logits(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"{loss.item():.4f}")

# %% [markdown]
# The same loss, the same weights and gradients, after 100 steps, from the same seed.
#
# ## Real data, and what is not for training
#
# scikit-learn ships 1797 handwritten digits, images of 8 × 8 pixels. (Where it is missing, the cell
# says so, and made-up images take their place.)

# %%
from autogradlab.lessons.digits import digits

images, labels = digits()
for row in images[0, 0].tolist():
    print("".join(" ░▒▓█"[round(4 * value)] * 2 for value in row).rstrip())

# %% [markdown]
# A network can learn its examples by heart. Whether it has understood is seen on images that it has
# never met: the *test set*. A fifth of the images is put aside, at random (*shuffled*, for the file
# may be sorted), and from each digit a fifth (*stratified*). The seed is part of the result.
#
# **Predict:** how many images are in either set?

# %%
# %%twin
seed = 0
torch.manual_seed(seed)
test = []
for digit in range(10):
    found = torch.arange(len(labels))[labels == digit]
    shuffled = found[torch.randperm(len(found))]
    test.append(shuffled[: round(len(found) / 5)])
test = torch.cat(test)
for_test = torch.zeros(len(labels), dtype=torch.bool)
for_test[test] = True
train = torch.arange(len(labels))[~for_test]
print(len(train), len(test))

# %% [markdown]
# ## An MLP
#
# *Multi-layer perceptron*: linear layers with an activation between them. Each of 64 pixels is an
# input, each of 10 digits has a score, the loss is the cross-entropy of lesson 08. All training
# images at once, 100 steps.
#
# **Predict** the first loss, when all ten digits are about equally likely: −log (1/10).

# %%
# %%twin
torch.manual_seed(0)
mlp = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(mlp.parameters(), lr=0.02)
losses = []
for step in range(100):
    loss = F.cross_entropy(mlp(images[train]), labels[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
losses = torch.tensor(losses)
print(losses[::33])

# %% [markdown]
# −log (1/10) is 2.3026. The ✓ says more than it seems: `losses` are the loss curve, and both
# engines have the same 100 numbers. **Predict:** is it better on the images it was trained with, or
# on the others?

# %%
# %%twin
with torch.no_grad():
    right = (mlp(images).argmax(1) == labels).double()
print(f"training set {right[train].mean().item():.3f}")
print(f"test set     {right[test].mean().item():.3f}")

# %% [markdown]
# Some training images it knows by heart. That gap is called *overfitting*, and the lower number is
# the one to report.
#
# ## A ConvNet
#
# The MLP does not know which pixels are neighbours. A *convolution* looks at 3 × 3 pixels at a time
# and uses the same 9 weights everywhere; `MaxPool2d(2)` keeps the largest of 2 × 2. Batch norm, as
# in lesson 13, lets it learn fast. **Predict:** does it need more parameters than the MLP's 2410?

# %%
# %%twin
def new_convnet():
    layers = []
    for ins, outs in [(1, 16), (16, 32)]:
        layers += [nn.Conv2d(ins, outs, 3, padding=1), nn.BatchNorm2d(outs)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 2 * 2, 10))


torch.manual_seed(seed)
convnet = new_convnet()
loss = F.cross_entropy(convnet(images[train[:32]]), labels[train[:32]])
loss.backward()
print(sum(p.numel() for p in convnet.parameters()))

# %% [markdown]
# More than twice as many, but the layer that knows all places has only 1290 of them. All its
# gradients agree with PyTorch's.
#
# Now the whole training, on our engine: *batches* of 32 images; an *epoch* is once through all of
# them. After each, the *scheduler* makes the learning rate smaller. **Predict** the test accuracy
# before you run it. (It takes some seconds.)

# %%
from autogradlab.lessons import TrainingCurve

optimizer = torch.optim.Adam(convnet.parameters(), lr=0.005)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
with TrainingCurve(10 * 45) as curve:
    for epoch in range(10):
        for batch in train[torch.randperm(len(train))].split(32):
            loss = F.cross_entropy(convnet(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            curve.add(loss.item())
        scheduler.step()
curve

# %% [markdown]
# The curve is rough, since each batch is another sample. The batch norm still takes mean and spread
# from the batch it is given; `eval()` makes it use what it has collected while training, so that an
# image's answer does not depend on its neighbours.

# %%
convnet.eval()
with torch.no_grad():
    right = convnet(images[test]).argmax(1) == labels[test]
accuracy = right.double().mean().item()
print(f"test set {accuracy:.3f}, {len(test) - int(right.sum())} mistakes, seed {seed}")

# %% [markdown]
# No mistake is luck, too: seeds 1, 2 and 3 make two or three. And both sets were written by the
# same people; on a stranger's digits it would do worse.
#
# ## A tiny GPT
#
# The same loop trains a *language model*: from the characters so far, it gives each possible next
# one a score. A character is a number, its *token*. Inputs are pieces of a text, targets the same
# pieces, one character on.
#
# The text is 1.6 KB about derivatives. **Predict** the first loss, with 35 characters.

# %%
from autogradlab.lessons.derivative_text import TEXT

characters = sorted(set(TEXT))
tokens = torch.tensor([characters.index(c) for c in TEXT])
pieces = tokens.unfold(0, 25, 1)  # all pieces of 25 characters
print(TEXT[:71])
print(pieces.shape, len(characters))

# %% [markdown]
# Inside a GPT, *attention* lets each position look back at the earlier ones and take from them what
# fits: a softmax over scores, and a weighted sum, so that its gradient is what you know from
# lesson 08. `context` is how far it looks back, `width` how many numbers stand for a position,
# `heads` how many attentions run side by side. `models.GPT` is 50 lines of layers.

# %%
from autogradlab.models import GPT

torch.manual_seed(0)
gpt = GPT(vocabulary=len(characters), context=24, width=48, heads=4, layers=1)
for table in (gpt.tokens, gpt.positions):
    table.weight.detach().mul_(0.2)  # begin small, as GPT-2 did: it learns faster

# %%
optimizer = torch.optim.AdamW(gpt.parameters(), lr=0.015)
with TrainingCurve(300) as curve:
    for step in range(300):
        batch = pieces[torch.randint(len(pieces), (12,))]
        scores = gpt(batch[:, :-1])
        loss = F.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.add(loss.item())
curve

# %% [markdown]
# log 35 is 3.56, and it starts near there. To let it write, draw a character by its probabilities,
# append it, and ask again. Dividing the scores by 0.4 makes the likely ones likelier. **Predict:**
# letters, words, or sentences?

# %%
torch.manual_seed(0)
written = tokens[:13].tolist()
with torch.no_grad():
    for _ in range(80):
        scores = gpt(torch.tensor([written[-24:]]))[0, -1]
        p = torch.softmax(scores / 0.4, 0)
        written.append(torch.multinomial(p, 1).item())
print("".join(characters[i] for i in written))

# %% [markdown]
# Some words, no sense: 300 steps, and one page of text. Nobody told it what a word is.
#
# ## When one machine is not enough
#
# First, your model can go where the machines are. `to_torch` makes the same network of PyTorch's
# own layers, with copies of the weights. Then both go on training, each on its own engine.
#
# **Predict:** how long do the two loss curves stay together?

# %%
from autogradlab.models import to_torch


def go_on(engine, model, inputs, targets):
    losses, optimizer = [], engine.optim.Adam(model.parameters(), lr=0.001)
    for x, y in zip(inputs, targets):
        scores = model(engine.tensor(x.numpy())).flatten(0, -2)
        loss = engine.nn.functional.cross_entropy(scores, engine.tensor(y.numpy()).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


# %%
work = {
    "GPT": (gpt, pieces[:60, :-1].split(12), pieces[:60, 1:].split(12)),
    "ConvNet": (convnet.train(), images[train[::9]].split(32), labels[train[::9]].split(32)),
}
if importlib.util.find_spec("torch"):
    import torch as pytorch

    for name, (model, x, y) in work.items():
        theirs = to_torch(model)  # before ours moves on
        ours, other = go_on(torch, model, x, y), go_on(pytorch, theirs, x, y)
        print(f"{name:8} {len(ours)} steps, same losses: {torch.allclose(ours, other)}")
else:
    print("PyTorch is not installed: there is nobody to hand the models to.")

# %% [markdown]
# The engine is not what makes a network good; PyTorch is only faster, and has graphics cards.
#
# Second, a batch can be shared out. Each machine runs forward and backward on its part; then all
# exchange gradients, so that all take the same step. Here are two real processes of PyTorch, each
# with 20 of 40 images. `all_reduce` leaves the *sum* of both gradients in either; each divides it
# by 2.
#
# **Predict:** why divide?

# %%
from autogradlab.lessons.two_processes import average_gradients

both = average_gradients(mlp, images[train[:40]], labels[train[:40]])
print(both)

# %% [markdown]
# The loss is a *mean*. The mean over 40 is half the mean over the first 20, plus half that over the
# last 20; so is its gradient. Here is the gradient of the whole batch, on our engine, beside what
# the two processes hold:

# %%
mlp.zero_grad()
F.cross_entropy(mlp(images[train[:40]]), labels[train[:40]]).backward()
for process, gradients in enumerate(both.averaged):
    for (name, p), g in zip(mlp.named_parameters(), gradients):
        gap = abs(p.grad.numpy() - g).max()
        print(f"process {process}, {name:8} same as the whole batch: {gap < 1e-12}")

# %% [markdown]
# Without the division each step would be twice as long: as if you had doubled lr.
#
# ## Exercise 1 · Beat a target
# *Difficulty ●●●○○ · 8 minutes*
#
# x are 100 points of the moons (100, 2), y their classes (100, 1), new are 80 others. Train any
# model on x and y, and return its scores for new. Their loss has to be below 0.1; your function has
# 5 seconds. (x and y are float32, a new layer here is float64. Convert one: `x.double()`, or
# `model.float()`.)

# %%
from autogradlab.lessons import playground as exercises


def learn(x, y, new):
    return ...


exercises.target.check(learn)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The loop is in this lesson, above *Real data*. The model ends in one score; return
# `model(new)` after the loop.
#
# </details>
# <details><summary>Hint 2</summary>
#
# One hidden layer of 16 with tanh, Adam with lr 0.1, 150 steps.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def learn(x, y, new):
#     nn, x, y, new = torch.nn, x.double(), y.double(), new.double()
#     model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1)).double()
#     optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
#     for step in range(150):
#         loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
#         optimizer.zero_grad()
#         loss.backward()
#         optimizer.step()
#     return model(new)
# ```
#
# </details>
#
# ## Exercise 2 · The spiral
# *Difficulty ●●○○○ · 6 minutes*
#
# Two arms, wound into each other. Choose settings with which all 100 points are on their side after
# 600 steps: a list of layer widths (1 to 3 layers, of at most 8), "tanh", "relu" or "sigmoid", and
# a learning rate from the menu. The playground starts from settings that fail.

# %%
Playground("spiral", hidden=[4])

# %%
settings = {"hidden": ..., "activation": ..., "lr": ...}
exercises.spiral.check(settings)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Press *Train to the end*, then go back and look at the tiles. How many borders can four neurons
# draw?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A second layer bends the borders of the first. Make both as wide as allowed, and keep tanh.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# settings = {"hidden": [8, 8], "activation": "tanh", "lr": 0.03}
# ```
#
# </details>
#
# ## Exercise 3 · No leak
# *Difficulty ●●○○○ · 5 minutes*
#
# Networks learn better from numbers with mean 0 and spread 1: subtract the mean, divide by the
# standard deviation. train and test are tensors of numbers. Return the *test* set, scaled as it has
# to be when it comes after the training.

# %%
def scale(train, test):
    return ...


exercises.leak.check(scale)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The model has learned with the scaled training set. What would one single test image need, to be
# scaled the same way?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The test set gives no numbers of its own: only `train.mean()` and `train.std()`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def scale(train, test):
#     return (test - train.mean()) / train.std()
# ```
#
# </details>
#
# ## Exercise 4 · Unequal shares
# *Difficulty ●●●○○ · 5 minutes*
#
# Several machines: number i has n[i] examples, and g[i] is the gradient of the mean loss over
# those. Return the gradient of the mean loss over all examples.

# %%
def gather(g, n):
    return ...


exercises.shared.check(gather)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A mean times its number of examples is a sum again.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Add up those sums, `(g * n).sum()`, and divide by the number of all examples.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def gather(g, n):
#     return (g * n).sum() / n.sum()
# ```
#
# With equal shares that is the plain mean of the gradients: the division by 2 above.
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - Points, images, text: the loop is the same. Forward, `zero_grad`, `backward`, `step`.
# - What counts is the loss on data that was not trained with: shuffle, stratify, show the seed, and
#   let nothing of the test set into the training.
# - `train()` and `eval()` change what a batch norm does. Use `eval()` to judge.
# - Gradients of a mean loss are averaged over machines, weighed by their examples. `to_torch` hands
#   a model over.
#
# **If something went wrong.** *expected scalar type Float but found Double*: the data and the model
# have different number types; make both `.double()`. *The test accuracy jumps about*: is the model
# in `eval()`? *The two processes are not done in time*: the cell says so and ends them; run it
# again on a quieter machine.
#
# **Next:** [16 · Eight broken networks](16_bug_hunt.ipynb), and only their gradients to tell what
# is wrong.
