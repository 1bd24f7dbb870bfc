# %% [markdown]
# # 13 · How gradients fare on their way
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/13_gradient_flow.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/13_gradient_flow.ipynb)
#
# **Afterwards you can** say why the gradient of a deep network vanishes or explodes, work out the
# factor of one layer, and choose what helps: initialization, a norm, a skip, clipping. **Time:** 40
# minutes. **You need:** lessons 04 and 08.

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
# 1. Three operations in a row have the local derivatives 0.5, 0.5 and 4. What reaches the input, if
#    1 comes in at the end?
# 2. y = h @ Wᵀ, and g comes in at y. What does W receive, and what h?
#
# <details><summary>Answers</summary>
#
# 1. 0.5 · 0.5 · 4 = 1. Along a chain, factors are multiplied.
# 2. W receives gᵀ @ h, and h receives g @ W.
#
# </details>

# %% [markdown]
# ## A factor of a quarter
#
# The *sigmoid* σ(z) = 1 / (1 + e⁻ᶻ) makes any number one between 0 and 1. Its slope is σ(z) · (1 −
# σ(z)). **Predict:** how steep is it at most, and where?

# %%
# %%twin
z = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0], requires_grad=True)
y = torch.sigmoid(z)
y.sum().backward()
print(y)
print(z.grad)

# %% [markdown]
# 0.25 in the middle, where 0.5 · 0.5 is largest, and nearly flat outside: there a sigmoid is
# *saturated*. So each sigmoid that a gradient passes leaves at most a quarter of it.
#
# **Predict** the gradient behind thirty of them, as a power of ten.

# %%
# %%twin
x = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
h = x
for _ in range(30):
    h = torch.sigmoid(h)
h.backward()
print(f"{x.grad.item():.1e}")

# %% [markdown]
# No better than 0.25³⁰, about 10⁻¹⁸. A step of SGD with such a gradient moves nothing.
#
# ## The idea in one picture
#
# Thirty layers, each with a matrix W of 64 × 64 weights and a sigmoid: h ← σ(W·h). Each row is a
# layer; the *histogram* in it counts how many of its weights get a gradient of which size. The loss
# is at the bottom. From line to line, the axis goes on by a factor of 10,000.
#
# **Predict** which way the histograms wander as the gradient climbs.

# %%
from autogradlab.instruments import FlowLab

FlowLab(depth=30, activation="sigmoid", gain=1.0)

# %% [markdown]
# The gradient *vanishes*: what is below the line is marked → 0. On the left, the activations keep
# their size on their way down.
#
# **Play.** Move the depth; then make the layers relu, max(0, z). Watch the table below the picture:
# the factor of a layer, computed and measured.
#
# ## Gain × slope
#
# On its way up, the gradient is multiplied by the slopes of the sigmoids, then by W. **Predict:**
# how large must W's random entries be, so that W alone makes a vector neither longer nor shorter?

# %%
# %%twin
torch.manual_seed(0)
g = torch.randn(128, 64, dtype=torch.float64)
for gain in (0.5, 1.0, 2.0):
    W = gain / 64**0.5 * torch.randn(64, 64, dtype=torch.float64)
    print(gain, f"{((g @ W).norm() / g.norm()).item():.2f}")

# %% [markdown]
# `randn` makes numbers with mean 0 and *variance* 1: the mean of their squares. Each number of g @
# W is a sum of 64 products. The variances of independent numbers add, so entries with variance
# 1/64, that is with *standard deviation* (its root) 1/√64 = 0.125, keep the size. What is larger or
# smaller by a factor is the **gain**.
#
# One layer: gain × slope. **Predict** the norms of 30 layers' gradients with the gain 4: better or
# worse?

# %%
# %%twin
def norms(phi, gain, depth=30):
    torch.manual_seed(0)
    h, weights = torch.randn(128, 64, dtype=torch.float64), []
    for _ in range(depth):
        W = gain / 64**0.5 * torch.randn(64, 64, dtype=torch.float64)
        weights.append(W.requires_grad_())
        h = phi(h @ W.T)
    v = torch.randn_like(h)
    (h * v / v.norm()).sum().backward()  # a gradient of norm 1 comes in at the end
    return [W.grad.norm().item() for W in weights]  # of each layer, from the first on


small, large = norms(torch.sigmoid, 1.0), norms(torch.sigmoid, 4.0)
print(f"{small[0] / small[-1]:.1e} {large[0] / large[-1]:.1e}")

# %% [markdown]
# Better, and not enough: 60 norms, each the same in PyTorch. With four times the weights one would
# hope for a factor of 4 · 0.25 = 1. But larger z means saturated sigmoids. The lab shows both
# parts:

# %%
lab = FlowLab(depth=30, activation="sigmoid", controls=["gain"])
for gain in (1.0, 2.0, 4.0):
    lab.choose(gain=gain)
    print(f"{gain:.0f} × {lab.flow.slope:.3f} = {gain * lab.flow.slope:.3f}")
    print(lab.sentence)

# %% [markdown]
# ## Weights to start from
#
# A relu has the slope 0 for half of all z, else 1: the mean *square* is 1/2, so norms shrink by
# √(1/2) = 0.71. The gain √2 repairs it. *Fan-in* is how many numbers go into an output, *fan-out*
# how many outputs an input serves. The standard deviation is by
#
# - **Kaiming** (He 2015): gain / √fan-in.
# - **Xavier** (Glorot 2010): gain · √(2 / (fan-in + fan-out)), a compromise.
#
# **Predict** both for 400 inputs and 100 outputs, with gain √2 and gain 1.

# %%
# %%twin
torch.manual_seed(0)
W = torch.empty(100, 400, dtype=torch.float64)  # outputs × inputs
x = torch.randn(1000, 400, dtype=torch.float64)
torch.nn.init.kaiming_normal_(W, nonlinearity="relu")
after = torch.relu(x @ W.T).square().mean()
print(f"Kaiming {W.std().item():.3f}, mean square 1 → {after.item():.2f}")
torch.nn.init.xavier_normal_(W)
after = torch.relu(x @ W.T).square().mean()
print(f"Xavier {W.std().item():.3f}, mean square 1 → {after.item():.2f}")

# %% [markdown]
# √2 / √400 = 0.071, and √(2 / 500) = 0.063. Kaiming keeps the mean square of what goes forward at
# 1.
#
# Which gain has a layer that nobody initialized? **Predict:** PyTorch's `nn.Linear` starts with a
# gain of 1, of √2, or of something else?

# %%
# %%twin
torch.manual_seed(0)
linear = torch.nn.Linear(400, 400)
print(f"{(linear.weight.std() * 400**0.5).item():.2f}")
print(f"{torch.nn.init.calculate_gain('leaky_relu', 5**0.5):.2f}")

# %% [markdown]
# 0.58, that is 1/√3: for historical reasons, `nn.Linear` is set for a *leaky relu*, which has a
# slope below 0, too, and for one of √5, which nobody uses. With relu a layer multiplies by 0.58 ×
# 0.71 = 0.41.
#
# **Predict** the picture of 30 relu layers made so: which layer's weights get least? Then we choose
# 1.4, nearly √2. The dashes are the medians before.

# %%
lab = FlowLab(depth=30, activation="relu", gain=0.58)
print(lab.sentence)
lab.choose(gain=1.4)
lab

# %% [markdown]
# With 0.58 all thirty got equally little! A weight's gradient is gᵀ @ h, as in the warm-up: *both*
# factors count. Near the input h is large and g has vanished; near the loss g is large and h has
# vanished. With 1.4 neither does.
#
# (The middle column counts *dead units*: 0 for every point. We come to them.)
#
# **Predict** the sentence for a gain of 3.

# %%
print(FlowLab(depth=30, activation="relu", gain=3.0).sentence)

# %% [markdown]
# ## Exploding
#
# The gradient *explodes*: 2.12 per layer are 6·10⁹ after thirty. The numbers of float32 end at
# 3·10³⁸; beyond is `inf`, and `inf − inf` is `nan`, "not a number". **Predict** the loss of this
# network, float32 and 200 layers, and whether its gradient has a nan.

# %%
# %%twin
torch.manual_seed(0)
h = torch.randn(8, 64)
W = (3 / 64**0.5 * torch.randn(64, 64)).requires_grad_()
for _ in range(200):
    h = torch.relu(h @ W.T)
loss = (h - 1).square().mean()
loss.backward()
print(loss.item(), W.grad.isnan().any().item())

# %% [markdown]
# One step of an optimizer with that, and every weight is nan.
#
# ## A norm
#
# A *norm layer* (it normalizes; it is not the length of a vector) brings z to mean 0 and spread 1:
# **batch norm** each unit over the examples, **layer norm** each example over its units. Dividing
# by the spread acts on the gradient, too: gain × slope ÷ spread. **Predict:** which of the two
# saves thirty sigmoids?

# %%
lab = FlowLab(depth=30, activation="sigmoid", gain=1.0)
print(lab.choose(norm="layer"))
print(lab.choose(norm="batch"))
lab

# %% [markdown]
# Batch norm does, layer norm does not! The table below the picture has the numbers: the layer norm
# divides by 0.55, the batch norm by 0.19. Where does the difference come from? **Predict:** after
# ten plain sigmoid layers, how far do 128 different points still differ?

# %%
# %%twin
torch.manual_seed(0)
h = torch.randn(128, 64, dtype=torch.float64)
for _ in range(10):
    W = torch.randn(64, 64, dtype=torch.float64) / 64**0.5
    z = h @ W.T
    h = torch.sigmoid(z)
print(f"over the units {z.std(dim=1).mean().item():.1e}")
print(f"over the examples {z.std(dim=0).mean().item():.1e}")

# %% [markdown]
# By two millionths. The network has forgotten which point went in: what vanishes on the way down
# are the *differences* between examples. Batch norm divides by just these and so blows them up
# again; layer norm looks at one example at a time and cannot see them.
#
# ## A skip
#
# The other repair is a sum: h ← h + f(h), a *skip connection* (it *skips* f). **Predict** the local
# derivative of such a layer, then the gradient behind thirty sigmoids with skips.

# %%
# %%twin
x = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
h = x
for _ in range(30):
    h = h + torch.sigmoid(h)
h.backward()
print(f"{x.grad.item():.3f}")

# %% [markdown]
# 1 + f′ each time: a sum copies the gradient, so the 1 carries it past every f untouched. Now the
# thirty layers. **Predict** the factor of a layer with a skip, and with a skip and a norm.

# %%
print(FlowLab(depth=30, skip=True).sentence)
print(FlowLab(depth=30, skip=True, norm="layer").sentence)

# %% [markdown]
# Close to 1, and layer norm, no help alone, now works: a transformer is built of just this pair.
#
# **Play.** Find two settings in the lab above with a factor between 0.95 and 1.05 that have no
# batch norm. Then take relu with a skip and no norm: what happens to 30 layers, and why?
#
# <details><summary>Answer</summary>
#
# It explodes, by 1.4 per layer. relu adds only positive numbers, so h grows, and 1 + f′ stays above
# 1.
#
# </details>
#
# ## Time travel through ResNet-18
#
# ResNet-18 has both, batch norms and skips: in each of its eight blocks, a sum. First all norms,
# ours and PyTorch's. (A few seconds; float64, as in lesson 01.)

# %%
from autogradlab.lessons import resnet18_weights

weights = resnet18_weights()

# %%
# %%twin
from torchvision.models import resnet18

model = resnet18().double()
model.load_state_dict(weights)
torch.manual_seed(0)
data = torch.rand(1, 3, 64, 64, dtype=torch.float64)
labels = torch.rand(1, 1000, dtype=torch.float64)
loss = (model(data) - labels).sum()
loss.backward()
sizes = [p.grad.norm().item() for p in model.parameters() if p.ndim == 4]
print(len(sizes), f"{min(sizes):.0f} to {max(sizes):.0f}")

# %% [markdown]
# Twenty convolutions, and no gradient vanishes. How does it come through? The *Backward Debugger*
# shows the network folded by module, a row for each; `watch` notes which module makes which node.
#
# **Predict:** the sum at the end of block layer2.0 passes its gradient on to two rows. Which, and
# how large is each? Then step on with **▶**, or step back.

# %%
from autogradlab.graphs import watch
from autogradlab.instruments import BackwardDebugger

with watch(model) as seen:
    loss = (model(data) - labels).sum()
debugger = BackwardDebugger(loss, model, {"loss": loss}, watched=seen)
debugger.open("layer2.0")
debugger.close("layer1", "layer3", "layer4")
debugger.jump(91)
print(debugger.sentence)
debugger

# %% [markdown]
# Both ways get the same: bn2 and the *downsample* branch, which is the skip where shapes change. At
# layer1 the two meet and are added. Open more blocks with **+**; the row of a folded module shows
# the gradient at its output.
#
# ## Clipping
#
# Against a single gradient that is too large, one shortens it. `clip_grad_norm_` takes all
# gradients together as one long vector. **Predict** what it returns, and both gradients afterwards.

# %%
# %%twin
a = torch.tensor([1.0], requires_grad=True)
b = torch.tensor([1.0], requires_grad=True)
(30 * a + 40 * b).backward()
before = torch.nn.utils.clip_grad_norm_([a, b], max_norm=5.0)
print(before, a.grad, b.grad)

# %% [markdown]
# It returns the norm *before*, √(30² + 40²) = 50. Both were multiplied by 5/50: the direction is
# the same. `clip_grad_value_` cuts each number by itself. **Predict** the result, and whether the
# direction stays.

# %%
# %%twin
a.grad, b.grad = torch.tensor([30.0]), torch.tensor([4.0])
torch.nn.utils.clip_grad_value_([a, b], clip_value=5.0)
print(a.grad, b.grad)

# %% [markdown]
# 30 : 4 has become 5 : 4, another direction.
#
# Clipping comes after `backward()` and before `step()`. It cannot help if the gradient is already
# infinite. **Predict** what clipping makes of `inf` and 1.

# %%
# %%twin
a.grad, b.grad = torch.tensor([float("inf")]), torch.tensor([1.0])
before = torch.nn.utils.clip_grad_norm_([a, b], max_norm=5.0)
print(before, a.grad, b.grad)

# %% [markdown]
# The factor is 5/∞ = 0, and 0 · ∞ is nan. It did so silently. Ask for an error instead:

# %%
# %%twin raises=RuntimeError
a.grad, b.grad = torch.tensor([float("inf")]), torch.tensor([1.0])
torch.nn.utils.clip_grad_norm_([a, b], max_norm=5.0, error_if_nonfinite=True)

# %% [markdown]
# ## Dead units
#
# A relu unit that is 0 for *every* example gets a gradient of exactly 0. Here the second unit has
# been pushed far down. **Predict** the gradients of W (a row for each unit) and b.

# %%
# %%twin
x = torch.tensor([[1.0, 2.0], [3.0, -1.0], [-2.0, 0.5]])  # 3 examples
W = torch.tensor([[1.0, 1.0], [1.0, 1.0]], requires_grad=True)
b = torch.tensor([0.0, -10.0], requires_grad=True)
h = torch.relu(x @ W.T + b)
h.sum().backward()
print(h)
print(W.grad, b.grad)

# %% [markdown]
# Nothing: no step will ever move it again. The unit is *dead*. Who kills units? Steps that are too
# large. The *Flow Waterfall* is the lab's picture for your own network: put `with flow.step():`
# round a training step. **Predict** what a learning rate of 1 does to the 32 units of the middle
# layer.

# %%
from autogradlab.instruments import FlowWaterfall

torch.manual_seed(0)
x = 2 * torch.rand(64, 2, dtype=torch.float64) - 1
y = 3 * x[:, :1] * x[:, 1:]
nn = torch.nn
net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(net.double().parameters(), lr=1.0)
flow = FlowWaterfall(net)
for _ in range(7):
    with flow.step():
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
    optimizer.step()
flow

# %% [markdown]
# Scrub from step 0 to 6: unit after unit dies. When a whole layer is dead, the gradient of every
# weight is 0, for ever. Try `lr=0.1`, too. A leaky relu, with a small slope below 0, cannot die.

# %% [markdown]
# ## Exercise 1 · The factor of a layer
# *Difficulty ●●○○○ · 4 minutes*
#
# 21 relu layers with gain 1. By what does one layer multiply the norm of the gradient, and what is
# left of it after 20 layers? A list of two numbers.

# %%
from autogradlab.lessons import gradient_flow as exercises

answer = ...
exercises.factor.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Gain × slope, where the slope is the root of the mean *square* of 0, 1, 0, 1, …
#
# </details>
# <details><summary>Hint 2</summary>
#
# Along a chain, factors are multiplied: 20 equal ones are a power.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [0.5**0.5, 0.5**10]
# ```
#
# √(1/2) = 0.707, and twenty of them are (1/2)¹⁰ = 1/1024.
#
# </details>
#
# ## Exercise 2 · Weights for a layer
# *Difficulty ●●○○○ · 4 minutes*
#
# A layer has 200 inputs and 50 outputs. The standard deviation of its weights by Kaiming, for relu;
# and by Xavier with gain 1. A list of two numbers.

# %%
answer = ...
exercises.deviation.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Fan-in is 200, fan-out is 50. Kaiming needs one of them, Xavier both.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The gain for relu is √2. Both formulas end in a root: variance is its square.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [(2 / 200) ** 0.5, (2 / 250) ** 0.5]
# ```
#
# 0.1 and 0.0894.
#
# </details>
#
# ## Exercise 3 · Clip by norm
# *Difficulty ●●●○○ · 6 minutes*
#
# a and b are the gradients of two parameters, vectors with two numbers each. Return both, shortened
# as `clip_grad_norm_` would with max_norm `most`. Write it by hand.

# %%
def clipped(a, b, most):
    return ..., ...


exercises.clipped.check(clipped)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# How long are both together, as one vector of four numbers?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Both are multiplied by the same number. It is never above 1: what is short enough stays as it is.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def clipped(a, b, most):
#     norm = ((a**2).sum() + (b**2).sum()) ** 0.5
#     scale = min(1.0, most / norm)
#     return a * scale, b * scale
# ```
#
# </details>
#
# ## Exercise 4 · Find the dead units
# *Difficulty ●●○○○ · 4 minutes*
#
# h is what a relu layer has put out: a row for each example, a column for each unit. Return how
# many units are dead.

# %%
def dead_units(h):
    return ...


exercises.dead_units.check(dead_units)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A unit that is 0 for one example only rests. Dead is who is 0 for all of them.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `h == 0` is a table of True and False. `.all(dim=…)` asks along one dimension: which one are the
# examples?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def dead_units(h):
#     return (h == 0).all(dim=0).sum()
# ```
#
# </details>
#
# ## Exercise 5 · Thirty sigmoids that learn
# *Difficulty ●●●●○ · 8 minutes*
#
# This layer, thirty times, learns nothing. Change what is around its sigmoid, in two places, so
# that it does. The check builds a network with 30 of your layers, asks whether the first gets at
# least a thousandth of the gradient of the last, and trains it for 120 steps.

# %%
class Layer(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = torch.nn.Linear(width, width)

    def forward(self, h):
        z = self.linear(h)
        return ...  # torch.sigmoid(z) is what does not work


exercises.trainable.check(Layer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Try pairs in the Flow Lab first. What leads the gradient past a layer? What keeps z where the
# sigmoid is steep?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A norm is a module: `self.norm = torch.nn.BatchNorm1d(width)` in `__init__`, `self.norm(z)` in
# `forward`. A skip is a sum with h.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# class Layer(torch.nn.Module):
#     def __init__(self, width):
#         super().__init__()
#         self.linear = torch.nn.Linear(width, width)
#         self.norm = torch.nn.BatchNorm1d(width)
#
#     def forward(self, h):
#         z = self.linear(h)
#         return h + torch.sigmoid(self.norm(z))
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - On its way up, each layer multiplies the gradient by about **gain × slope**. Below 1 it
#   *vanishes*, above 1 it *explodes*, in both cases by a power of the depth. A sigmoid's slope is
#   at most 1/4.
# - **Initialization** sets the gain: √2 / √fan-in for relu (Kaiming), `nn.Linear` itself starts
#   with 0.58. A weight's gradient is gᵀ @ h, so what goes down counts as much as what climbs.
# - A **norm** divides by the spread; a **skip** adds 1 to the factor.
# - **Clipping** shortens a gradient that is too large, and makes nan of one that is infinite. A
#   **dead** relu unit gets exactly 0 for ever.
#
# **If something went wrong.** *The loss is nan*: look for the first step with inf, lower the
# learning rate, clip with `error_if_nonfinite=True`. *The loss stays where it is*: put the Flow
# Waterfall round a step. Are the first layers → 0, or a layer's units all dead?
#
# **Next:** [14 · From the gradient to the step](14_optimizers.ipynb): what is best done with a
# gradient that has arrived.
