# %% [markdown]
# # 14 · From the gradient to the step
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/14_optimizers.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/14_optimizers.ipynb)
#
# **Afterwards you can** say from which learning rate on training diverges, and why; write SGD,
# momentum, Nesterov, RMSprop, Adam and AdamW in a few lines each; and choose between them.
# **Time:** 40 minutes. **You need:** lessons 01 and 12.

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
# 1. `loss.backward()` has run, `optimizer.step()` has not. Have the weights changed?
# 2. w = 2, its gradient is 6, the learning rate 0.1. Where is w after a step of plain SGD?
#
# <details><summary>Answers</summary>
#
# 1. No. `backward` fills `.grad`; `step` changes the weights (lesson 01).
# 2. At 2 − 0.1 · 6 = 1.4.
#
# </details>

# %% [markdown]
# ## One number
#
# The simplest loss with a lowest point is L = λ/2 · w². Its gradient is λ·w; λ says how fast the
# gradient grows: the *curvature*. **Predict** the gradient at w = 2 for λ = 4. (All of this lesson
# is in float64, so that 100 steps agree to many digits.)

# %%
# %%twin
torch.set_default_dtype(torch.float64)
w = torch.tensor(2.0, requires_grad=True)
L = 4 / 2 * w**2
L.backward()
print(w.grad)

# %% [markdown]
# So one step of gradient descent is a multiplication:
#
# w ← w − lr · λw = (1 − lr · λ) · w
#
# **Predict** w after each of five steps from w = 1 with λ = 4, for the learning rates below.

# %%
# %%twin
for lr in (0.1, 0.25, 0.4, 0.5, 0.6):
    w = torch.tensor(1.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=lr)
    path = []
    for _ in range(5):
        optimizer.zero_grad()
        (4 / 2 * w**2).backward()
        optimizer.step()
        path.append(round(w.item(), 4))
    print(f"lr {lr}, × {1 - 4 * lr:.1f}:", path)

# %% [markdown]
# - Below **1/λ** = 0.25, w glides to 0; at 1/λ it lands in one step.
# - Above, it jumps to the other side each time, and still comes closer.
# - At **2/λ** = 0.5 it goes to and fro for ever; beyond, it *diverges*: where most `nan` losses
#   come from.
#
# ## Exercise 1 · The learning rate that diverges
# *Difficulty ●●○○○ · 4 minutes*
#
# L = 3w². Which learning rate lands in one step, and from which on does w no longer come closer?

# %%
from autogradlab.lessons import optimizers as exercises

answer = [..., ...]
exercises.diverges.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What is the gradient of 3w²? The number that multiplies w in it is λ.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The two are 1/λ and 2/λ.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [1 / 6, 2 / 6]
# ```
#
# </details>
#
# ## The idea in one picture
#
# A loss of two weights is a landscape; a line joins points of equal height. This bowl,
# (x² + 20y²)/2, has curvature 1 along x and 20 along y. Each direction multiplies by its own
# 1 − lr · λ, but there is **one** learning rate.
#
# **Predict** who is lowest after 40 steps. Who leaves? Then press **▶** or move the scrubber; drag
# the start, too.

# %%
from autogradlab.instruments import TrajectoryRace

start = torch.tensor([-2.5, 1.0])
rates = {"slow": 0.02, "fast": 0.09, "too fast": 0.11}
sgd = {name: lambda p, lr=lr: torch.optim.SGD(p, lr=lr) for name, lr in rates.items()}
TrajectoryRace("bowl", start, sgd, steps=40, controls=["start", "transport"])

# %% [markdown]
# The steep direction sets the limit: lr < 2/20. The flat one sets the pace: even at 0.09 a step
# leaves 1 − 0.09 = 0.91 of x. Their ratio, 20, is the *condition number*. A large one is what makes
# training slow.
#
# A bowl need not lie along the axes. Its curvatures are then the *eigenvalues* of its Hessian
# (lesson 12): the curvatures along the bowl's own two axes. **Predict** the Hessian here.

# %%
# %%twin
def bowl(p):
    return (p[0] ** 2 + 20 * p[1] ** 2) / 2


H = torch.func.hessian(bowl)(torch.tensor([-2.5, 1.0]))
print(H)

# %% [markdown]
# ## Exercise 2 · Two directions, one learning rate
# *Difficulty ●●●○○ · 5 minutes*
#
# L = (x² + 9y²)/2. Which learning rate brings **both** home soonest, and how much of the error does
# a step then leave in the slower direction? A list of two numbers: [lr, what is left], the second
# without a sign.

# %%
answer = [..., ...]
exercises.conditioning.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# As lr grows, 1 − lr · 1 gets smaller. 1 − lr · 9 goes through 0 and grows on the other side.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The best is where both leave the same: 1 − lr = −(1 − 9 · lr).
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [2 / (1 + 9), 1 - 2 / (1 + 9)]
# ```
#
# </details>
#
# ## Six optimizers by hand
#
# From here on each optimizer is written by hand first. `step` gets the point p, the gradient g, a
# dictionary of what it `kept`, and the number t of the step. `by_hand` takes 100 steps on the bowl.

# %%
# %%twin
START = torch.tensor([-2.5, 1.0])


def by_hand(step):
    p, kept, path = START, {}, []
    for t in range(1, 101):
        p = step(p, torch.func.grad(bowl)(p), kept, t)
        path.append(p)
    return torch.stack(path)


mine = by_hand(lambda p, g, kept, t: p - 0.03 * g)
print(mine[-1])

# %% [markdown]
# That was SGD. (Its S, *stochastic*, says that in training each gradient comes from another batch
# of data.) The same 100 steps by `torch.optim`. **Predict:** equal, or equal up to rounding?

# %%
# %%twin
def by_optim(make):
    p = START.clone().requires_grad_()
    optimizer, path = make([p]), []
    for _ in range(100):
        optimizer.zero_grad()
        bowl(p).backward()
        optimizer.step()
        path.append(p.detach().clone())
    return torch.stack(path)


theirs = by_optim(lambda p: torch.optim.SGD(p, lr=0.03))
print((mine - theirs).abs().max() < 1e-12)

# %% [markdown]
# ## Momentum
#
# b ← β·b + g, p ← p − lr·b
#
# b remembers: gradients that agree add up, those that turn back and forth cancel. **Predict:** the
# gradient is 1 for ever, β = 0.9. Towards which number does b grow?

# %%
# %%twin
def momentum(p, g, kept, t):
    b = kept["b"] = 0.9 * kept.get("b", 0) + g
    return p - 0.03 * b


b = 0.0
for _ in range(200):
    b = 0.9 * b + 1.0
print(round(b, 4))
mine = by_hand(momentum)
theirs = by_optim(lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.9))
print((mine - theirs).abs().max() < 1e-12)

# %% [markdown]
# To 1/(1 − β) = 10: in a flat direction momentum 0.9 is ten times as fast.
#
# ## A map of learning rate and momentum
#
# A step of momentum makes a new pair (w, b) of the old one: a matrix. It multiplies certain pairs
# by a number μ, its eigenvalue. What a step leaves in the long run is the larger |μ|.
#
# **Predict:** λ = 1, lr 0.25. Which momentum is best: 0, 0.25 or 0.8? Then drag the point, or use
# the arrow keys.

# %%
from autogradlab.instruments import PhaseMap

PhaseMap(1.0, lr=0.25, momentum=0.8)

# %% [markdown]
# Left of the strong line μ is real: w creeps. Above it μ is *complex*, that is, it has a part with
# i = √−1 and turns the pair: w swings, and a step leaves |μ| = √β, the length of μ. On the line,
# *critical damping*, it is as fast as this lr allows:
#
# β = (1 − √(lr · λ))²
#
# Is the matrix right? **Predict** whether its 21st power gives the w of 21 steps.

# %%
# %%twin
lr, beta, curvature = 0.25, 0.8, 1.0
M = torch.tensor([[1 - lr * curvature, -lr * beta], [curvature, beta]])
pair = torch.linalg.matrix_power(M, 21) @ torch.tensor([1.0, 0.0])
w = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=lr, momentum=beta)
for _ in range(21):
    optimizer.zero_grad()
    (curvature / 2 * w**2).backward()
    optimizer.step()
print(round(pair[0].item(), 6), round(w.item(), 6))

# %% [markdown]
# ## Exercise 3 · Critical damping
# *Difficulty ●●○○○ · 4 minutes*
#
# λ = 1.6 and the learning rate is 0.1. Which momentum damps critically?

# %%
answer = ...
exercises.damping.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# lr · λ comes first, then its root.
#
# </details>
# <details><summary>Hint 2</summary>
#
# √0.16 = 0.4. Put it into the formula above.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = (1 - (0.1 * 1.6) ** 0.5) ** 2
# ```
#
# </details>
#
# ## What momentum buys
#
# Now both directions of the bowl at once, λ = 1 and 20. Without momentum the best is 0.905, at
# lr = 2/21. **Predict:** how far down does momentum get it? Find a good point, then the **+**.

# %%
PhaseMap([1.0, 20.0], lr=2 / 21, momentum=0.0)

# %% [markdown]
# To 0.6345: a tenth after 6 steps in place of 24. Plain descent at its best leaves
# (κ − 1)/(κ + 1), κ ("kappa") being the condition number. Momentum puts √κ in its place.
#
# ## Nesterov
#
# The same b, but the step looks ahead: to the new gradient it adds what momentum will do next,
# β·b. **Predict** from the code what that is at β = 0.

# %%
# %%twin
def nesterov(p, g, kept, t):
    b = kept["b"] = 0.9 * kept.get("b", 0) + g
    return p - 0.03 * (g + 0.9 * b)


mine = by_hand(nesterov)
theirs = by_optim(lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.9, nesterov=True))
print((mine - theirs).abs().max() < 1e-12)

# %% [markdown]
# Plain SGD. With momentum it brakes before the turn. **Predict** which of the two swings less, and
# in which direction.

# %%
TrajectoryRace(
    "bowl",
    start,
    {
        "SGD": lambda p: torch.optim.SGD(p, lr=0.03),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.9),
        "Nesterov": lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.9, nesterov=True),
    },
    controls=["start", "lr", "transport"],
)

# %% [markdown]
# Nesterov's swings are smaller, most of all in y: where b is about to carry p too far, the
# look-ahead brakes it.
#
# ## RMSprop
#
# v ← α·v + (1 − α)·g², p ← p − lr · g/(√v + eps)
#
# v is a running average of g², one for each weight; √v says how large its gradient has lately
# been. Tiny eps keeps the quotient finite. **Predict:** at first g is eight times as large in y as
# in x. How much longer is the first step in y?

# %%
# %%twin
def rmsprop(p, g, kept, t):
    v = kept["v"] = 0.9 * kept.get("v", 0) + 0.1 * g**2
    return p - 0.1 * g / (v.sqrt() + 1e-8)


mine = by_hand(rmsprop)
theirs = by_optim(lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.9))
print((mine - theirs).abs().max() < 1e-12)
print(mine[0] - START)

# %% [markdown]
# Not longer at all: each gradient is divided by its own size, so this bowl's condition number is
# gone.
#
# ## Adam
#
# m ← β₁·m + (1 − β₁)·g averages g; v is RMSprop's, with β₂. Both start at 0, so at first they are
# too small. Hence the *bias correction* in step t: m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ). Then p ← p −
# lr · m̂/(√v̂ + eps).
#
# **Predict** how far the first step goes, for a gradient of 500 and of 0.0005.

# %%
# %%twin
for slope in (500.0, 0.0005):
    w = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1)
    (slope * w).backward()
    optimizer.step()
    print(slope, round(w.item(), 5))

# %% [markdown]
# By lr, whatever the gradient: at first m̂/√v̂ = g/√g². Adam's learning rate is a length, not a
# factor.
#
# ## Exercise 4 · The first step
# *Difficulty ●●○○○ · 4 minutes*
#
# The first gradient is 500. How far does the first step move w, with lr = 0.1, for SGD, RMSprop
# with α = 0.99, and Adam? A list of three numbers without signs.

# %%
answer = [..., ..., ...]
exercises.first_step.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# SGD: lr · g. RMSprop: after its first step v = (1 − α) · g².
#
# </details>
# <details><summary>Hint 2</summary>
#
# √(0.01 · 500²) = 0.1 · 500. Adam is in the cell above.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [0.1 * 500, 0.1 * 500 / (0.1 * 500), 0.1]
# ```
#
# </details>
#
# ## Exercise 5 · Write Adam
# *Difficulty ●●●●○ · 8 minutes*
#
# With g the gradient and t = 1, 2, …
#
# m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − lr · m̂/(√v̂ + eps),
#
# m̂ and v̂ being m/(1 − β₁ᵗ) and v/(1 − β₂ᵗ). It is run for 100 steps beside PyTorch's.

# %%
def adam_step(w, g, m, v, t):
    lr, beta1, beta2, eps = 0.1, 0.9, 0.999, 1e-8
    m = ...
    v = ...
    w = ...
    return w, m, v


exercises.adam.check(adam_step)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Write m and v first. Then two new names for the corrected ones: m and v themselves are kept as
# they are for the next step.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `m / (1 - beta1**t)` and `v / (1 - beta2**t)`. A root is `** 0.5`; eps comes after it.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def adam_step(w, g, m, v, t):
#     lr, beta1, beta2, eps = 0.1, 0.9, 0.999, 1e-8
#     m = beta1 * m + (1 - beta1) * g
#     v = beta2 * v + (1 - beta2) * g**2
#     m_hat = m / (1 - beta1**t)
#     v_hat = v / (1 - beta2**t)
#     w = w - lr * m_hat / (v_hat**0.5 + eps)
#     return w, m, v
# ```
#
# </details>
#
# ## AdamW
#
# *Weight decay* pulls every weight a little towards 0. `Adam(weight_decay=d)` adds d·p to the
# gradient, where it is then divided by √v̂. AdamW keeps it out: p ← p − lr·d·p, then Adam's step.
# **Predict** whether the two end at the same place.

# %%
# %%twin
def adamw(p, g, kept, t):
    m = kept["m"] = 0.9 * kept.get("m", 0) + 0.1 * g
    v = kept["v"] = 0.999 * kept.get("v", 0) + 0.001 * g**2
    p = p - 0.1 * 0.5 * p
    return p - 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)


mine = by_hand(adamw)
theirs = by_optim(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.5))
inside = by_optim(lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.5))
print((mine - theirs).abs().max() < 1e-12)
print((mine - inside).abs().max() < 1e-12)

# %% [markdown]
# They part: inside the quotient, a weight with large gradients hardly decays.
#
# ## The race
#
# A valley, (1 − x)² + 5(y − x²)², curved and with one lowest point at (1, 1). **Predict** the order
# of arrival, and who never arrives. Then drag the start, change all learning rates at once, or
# choose *saddle*: from beside its pass, who is the first to leave?

# %%
TrajectoryRace(
    "valley",
    torch.tensor([-1.5, -1.0]),
    {
        "SGD": lambda p: torch.optim.SGD(p, lr=0.03),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.8),
        "Nesterov": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8, nesterov=True),
        "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.9),
        "Adam": lambda p: torch.optim.Adam(p, lr=0.3),
    },
)

# %% [markdown]
# Momentum diverged at a learning rate at which SGD does not: the first steps in the steep wall add
# up. With *all lr ×* near 0.3 it stays. No order holds everywhere: it changes with start, landscape
# and learning rate, so a fair comparison tunes each.
#
# It runs PyTorch's optimizers, too: give it a `start` of theirs. Type `10*x**2 + 19*x*y + 10*y**2`
# as f(x, y): a turned bowl.
#
# ## A usual slip
#
# Small initial weights, `0.1 * torch.randn(3, requires_grad=True)`. **Predict** what the optimizer
# says; this cell announces an error.

# %%
# %%twin raises=ValueError
weights = 0.1 * torch.randn(3, requires_grad=True)
torch.optim.SGD([weights], lr=0.1)

# %% [markdown]
# The product is a new tensor, made by an operation: no leaf, so `backward` leaves no `.grad` on it
# (lesson 09). First the numbers, then the flag.

# %%
# %%twin
weights = (0.1 * torch.randn(3)).requires_grad_()
optimizer = torch.optim.SGD([weights], lr=0.1)
print(weights.is_leaf)

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - On λ/2 · w² a step multiplies by 1 − lr · λ: 1/λ lands, from 2/λ on it diverges.
# - The steepest direction limits the learning rate, the flattest waits: the condition number.
# - *Momentum* adds up what agrees; critical damping is β = (1 − √(lr · λ))². *Nesterov* brakes
#   earlier.
# - *RMSprop* divides each gradient by its recent size, *Adam* does so with a corrected average,
#   *AdamW* keeps weight decay out of it.
#
# **If something went wrong.** *The loss becomes nan*: a tenth of the learning rate. *Nothing
# moves*: is `step()` called, and has the optimizer the right parameters?
#
# **Next:** [15 · Everything joined](15_playground.ipynb), where these steps train networks.
