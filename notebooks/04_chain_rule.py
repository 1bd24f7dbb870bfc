# %% [markdown]
# # 04 · The chain rule
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/04_chain_rule.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/04_chain_rule.ipynb)
#
# **Afterwards you can** carry a gradient by hand from the end of a calculation to its start, and
# say what each operation does to it on the way. **Time:** 35 minutes. **You need:** lessons
# 02 and 03.

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
# 1. The gradient of L is [12, 9] for a and b. Nudge a by 0.1, b by −0.1: how far does L move?
# 2. y = x · x was recorded. What has its node saved, and why?
#
# <details><summary>Answers</summary>
#
# 1. By 12 · 0.1 − 9 · 0.1 = 0.3 (lesson 02: gradient · nudge).
# 2. x: the local derivative reads it on the way back (lesson 03).
#
# </details>

# %% [markdown]
# ## A nudge travels forward, a gradient travels back
#
# Take two steps: u = 3 · x, then y = u². With x = 2, u is 6 and y is 36. Nudge x by 0.001.
# **Predict:** how large are the nudges of u and y?

# %%
x, nudge = 2.0, 0.001
u = 3 * x
u_nudge = 3 * (x + nudge) - u
y_nudge = (u + u_nudge) ** 2 - u**2
print(f"x moves by {nudge:.3f}, u by {u_nudge:.3f}, y by {y_nudge:.3f}")

# %% [markdown]
# The first step makes the nudge 3 times as large. The second makes that 2u = 12 times as large. The
# 3 and the 12 are *local derivatives*: each belongs to one step and knows nothing of the other.
#
# **Predict** the gradient of x; then let both engines compute it.

# %%
# %%twin
x = torch.tensor(2.0, requires_grad=True)
u = 3 * x
y = u**2
y.backward()
print(x.grad)

# %% [markdown]
# 12 · 3 = 36. That is the *chain rule*: along a path, local derivatives multiply. `backward()`
# multiplies them from the end, starting with 1, since y grows as fast as itself:

# %%
g = 1.0  # comes in at y
g = g * 12  # the square: 1 came in, times its local derivative, is sent to u
g = g * 3  # the product: 12 came in, times its local derivative, is sent to x
g

# %% [markdown]
# Every step does the same, **gradient in × local derivative = gradient out**. What comes in is its
# *incoming gradient*. No step needs to know the whole calculation.

# %% [markdown]
# ## The idea in one picture
#
# An operation with two inputs has a local derivative for each, its partial derivative: how fast the
# result grows when that input grows and the other stays.
#
# Below, a = 2, b = 4, and a gradient of 6 comes in. **Predict** what arrives at a and b in each.

# %%
from autogradlab.graphs import record_backward
from autogradlab.lessons import junctions

a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(4.0, requires_grad=True)
results = {"+ copies": a + b, "× swaps": a * b, "max routes": torch.maximum(a, b)}
six, names = torch.tensor(6.0), {"a": a, "b": b}
junctions({text: record_backward(y, six, names) for text, y in results.items()})

# %% [markdown]
# - **+ copies.** A nudge of a moves a + b by the whole nudge: both local derivatives are 1.
# - **× swaps.** a · b grows b times as fast as a, and a times as fast as b: a receives 6 · b = 24,
#   b receives 6 · a = 12.
# - **max routes.** The larger input decides: b receives 6, a receives 0.
#
# PyTorch agrees. (6 times the result makes a 6 come in.)

# %%
# %%twin
for operation in (torch.add, torch.mul, torch.maximum):
    a = torch.tensor(2.0, requires_grad=True)
    b = torch.tensor(4.0, requires_grad=True)
    L = 6 * operation(a, b)
    L.backward()
    print(a.grad, b.grad)

# %% [markdown]
# ## Step through a backward pass
#
# Now a longer path: L = (a · b + c)² with a = 2, b = 4, c = −5.

# %%
# %%twin
a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(4.0, requires_grad=True)
c = torch.tensor(-5.0, requires_grad=True)
L = (a * b + c) ** 2

# %% [markdown]
# The picture below is its graph, as the recorder of lesson 03 drew it. New are the cups beside the
# leaves a, b, c: each is a `.grad`, and collects what arrives.
#
# Nothing has run yet: only the gradient 1 at L is given. Press **▶** (or the right arrow key) for
# the next step, **◀** to go back. **Before each step, predict** what it sends, the first one too;
# then read its equation.

# %%
from autogradlab.instruments import BackwardDebugger

BackwardDebugger(L)

# %% [markdown]
# Did you see it? The square received 1 and sent 6: its local derivative is 2 · 3, since a · b + c
# is 3. The sum copied 6 to both sides. The product swapped: 6 · 4 = 24 to a, 6 · 2 = 12 to b.
#
# Whatever a button does, a method does too: here are the product's step and the next, in words.

# %%
debugger = BackwardDebugger(L)
print(debugger.jump("a·b"))
print(debugger.step())

# %% [markdown]
# ## Every gradient in between, checked
#
# After `backward()` only leaves have a `.grad`. A tensor that was computed, like p = a · b, passes
# its gradient on and keeps nothing: its `.grad` is `None`, with the warning you met in lesson 03.
# Ask before the backward pass with `retain_grad()`, and it keeps a copy.
#
# So we can compare each step of the debugger with PyTorch. **Predict** the six numbers.

# %%
# %%twin
p = a * b
s = p + c
L = s**2
p.retain_grad()
s.retain_grad()
L.retain_grad()
L.backward()
print(L.grad, s.grad, p.grad)
print(a.grad, b.grad, c.grad)

# %% [markdown]
# ## Where paths meet, gradients add
#
# y = 2 · d + d² uses d twice. Nudge d: both parts move, and y feels both. So what comes back along
# the two paths is *added* at d.
#
# **Predict:** with d = 5, what comes back through 2 · d, what through d², and what is in d.grad?

# %%
# %%twin
d = torch.tensor(5.0, requires_grad=True)
y = 2 * d + d**2

# %%
BackwardDebugger(y)

# %% [markdown]
# The sum copies 1 to both parts; 2 · d sends 2 and d² sends 2d = 10. Together 12. An engine that
# *replaces* instead of adding would keep one path and say 2 or 10: a common mistake of people who
# write their own.
#
# **Along a path multiply, where paths meet add.** The smallest case is x · x, where both paths
# start at the same operation. **Predict** its gradient at x = 3 from the two rules alone.

# %%
# %%twin
x = torch.tensor(3.0, requires_grad=True)
y = x * x
y.backward()
print(x.grad)

# %% [markdown]
# 3 comes back along each path (the other factor is x again), and 3 + 3 = 6. That is the 2x from
# school, found without knowing it.

# %% [markdown]
# ## What max does not see
#
# M = max(a · b, c) with a = 2, b = 5, c = 4. **Predict** all three gradients; then step through.

# %%
# %%twin
a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(5.0, requires_grad=True)
c = torch.tensor(4.0, requires_grad=True)
M = torch.maximum(a * b, c)

# %%
BackwardDebugger(M)

# %% [markdown]
# a · b = 10 is larger than 4, so the whole gradient goes there; c receives 0. Not `None`: c took
# part, and a nudge of it changes nothing.
#
# And when both are equal? There is no single right answer at such a *kink*. PyTorch shares the
# gradient out, half and half. **Predict**, then run.

# %%
# %%twin
a = torch.tensor(4.0, requires_grad=True)
b = torch.tensor(4.0, requires_grad=True)
torch.maximum(a, b).backward()
print(a.grad, b.grad)

# %% [markdown]
# ## Ten predictions
#
# Now you. The instrument asks for ten gradients, one after the other. It shows your value, the
# lab's and PyTorch's, and the gap between them. The usual wrong answers stand on the number line
# with their names: if you land on one, you know which rule slipped. (`relu()` is max(a, 0).)

# %%
from autogradlab.instruments import PredictTheGradient

PredictTheGradient()

# %% [markdown]
# ## Exercise 1 · Six local backward rules
# *Difficulty ●●○○○ · 10 minutes*
#
# Six functions, one for each operation. `g` is the gradient that came in. Return what the operation
# sends to its inputs: two numbers for two inputs, one for one. Replace the dots and run the cell.
#
# **1a** for a + b:

# %%
from autogradlab.lessons import chain_rule as exercises


def add_rule(g, a, b):
    return ..., ...


exercises.add_rule.check(add_rule)

# %% [markdown]
# **1b** for a − b:

# %%
def sub_rule(g, a, b):
    return ..., ...


exercises.sub_rule.check(sub_rule)

# %% [markdown]
# **1c** for a · b:

# %%
def mul_rule(g, a, b):
    return ..., ...


exercises.mul_rule.check(mul_rule)

# %% [markdown]
# **1d** for a²:

# %%
def square_rule(g, a):
    return ...


exercises.square_rule.check(square_rule)

# %% [markdown]
# **1e** for exp(a), the exponential function, in code `torch.exp(a)`:

# %%
def exp_rule(g, a):
    return ...


exercises.exp_rule.check(exp_rule)

# %% [markdown]
# **1f** for max(a, b), where a and b differ:

# %%
def max_rule(g, a, b):
    return ..., ...


exercises.max_rule.check(max_rule)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Every rule has the same form: g times a local derivative, once for each input.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Nudge one input in your mind and hold the other still. Where does the result move, how many times
# as far, and in which direction? For max: it depends on which input is larger, so use `if`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def add_rule(g, a, b):
#     return g, g
#
#
# def sub_rule(g, a, b):
#     return g, -g
#
#
# def mul_rule(g, a, b):
#     return g * b, g * a
#
#
# def square_rule(g, a):
#     return g * 2 * a
#
#
# def exp_rule(g, a):
#     return g * torch.exp(a)
#
#
# def max_rule(g, a, b):
#     return (g, 0) if a > b else (0, g)
# ```
#
# </details>
#
# ## Exercise 2 · Through a max
# *Difficulty ●●○○○ · 3 minutes*
#
# L = d · max(a · b, c) with a = 2, b = 5, c = 4, d = 3. Without running it: what is the gradient
# of a?

# %%
answer = ...
exercises.through_max.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Start at L with 1. Three operations lie between L and a.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The outer product sends d to the max. Which of its two inputs does the max serve?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 15
# ```
#
# The outer product sends 1 · d = 3. max hands the 3 on to a · b, which is the larger. The inner
# product sends 3 · b = 15 to a.
#
# </details>
#
# ## Exercise 3 · Used twice
# *Difficulty ●●○○○ · 3 minutes*
#
# y = x · x + 3 · x with x = 2. What is the gradient of x?

# %%
answer = ...
exercises.shared.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# How many arrows leave x?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The sum copies 1 to both products. Write down what comes back along each arrow, then add.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 7
# ```
#
# x · x sends 2 along each of its two arrows, 3 · x sends 3: together 7.
#
# </details>
#
# ## Exercise 4 · A whole backward pass
# *Difficulty ●●●○○ · 8 minutes*
#
# L = sin((a · b + c)²). Return the gradients of a, b and c, in this order. Compute forward what you
# need, then walk back. No `backward()`.

# %%
def whole_pass(a, b, c):
    return ..., ..., ...


exercises.whole_pass.check(whole_pass)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Four operations: product, sum, square, sine. Walk back through them in the opposite order. The
# derivative of sin(q) is cos(q).
#
# </details>
# <details><summary>Hint 2</summary>
#
# Write `g = 1`, then one line for each operation that turns the incoming `g` into the outgoing one,
# until you stand at the sum.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def whole_pass(a, b, c):
#     s = a * b + c
#     g = 1 * torch.cos(s**2)
#     g = g * 2 * s
#     return g * b, g * a, g
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - Each operation does one thing: *gradient in × local derivative = gradient out*.
# - **+** copies, **×** swaps, **max** routes.
# - Along a path multiply, where paths meet add.
# - Leaves keep what arrives in `.grad`; in between nothing is kept unless you ask with
#   `retain_grad()`.
#
# **If something went wrong.** *`.grad` is `None`*: the tensor is no leaf, or `backward()` has not
# run, or `requires_grad=True` was forgotten. *A gradient is half of what you expect*: one of two
# paths was missed.
#
# **Next:** [05 · The vector–Jacobian product](05_vjp.ipynb): what `backward()` does when the result
# is not one number.
