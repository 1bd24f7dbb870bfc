# %% [markdown]
# # 05 · The vector–Jacobian product
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/05_vjp.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/05_vjp.ipynb)
#
# **Afterwards you can** say why `backward()` sometimes needs `gradient=`, what it computes then,
# and what happens when it is called twice. **Time:** 30 minutes. **You need:** lesson 04. Matrix
# times vector is introduced here.

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
# 1. A gradient of 6 comes in at a · b, with a = 2 and b = 4. What is sent to each?
# 2. x is used twice; its arrows bring back 3 and 4. What is x.grad?
#
# <details><summary>Answers</summary>
#
# 1. 6 · 4 = 24 to a, and 6 · 2 = 12 to b: the product swaps.
# 2. 7. Where paths meet, gradients add.
#
# </details>

# %% [markdown]
# ## Two results at once
#
# So far the result was one number. Now a and b hold two each, and so does
# Q = 3a³ − b²: a and b might be a network's parameters, Q its errors on two examples.
#
# **Predict** the two numbers of Q.

# %%
# %%twin
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
print(Q)

# %% [markdown]
# 3 · 8 − 36 = −12 and 3 · 27 − 16 = 65. Note the end of the line: `grad_fn` names the operation
# that made Q, the last one, a subtraction.
#
# Now ask for the gradients, as in every lesson before. **Predict:** what is `a.grad`? This cell
# announces an error, so it may end in one.

# %%
# %%twin raises=RuntimeError
Q.backward()

# %% [markdown]
# PyTorch refuses, in the same words. *Implicitly created* means: the 1 with which the backward pass
# starts. For one number, "how fast does it grow as itself?" has the answer 1. For two numbers there
# is no such answer: do you want the gradient of Q's first number, of its second, of both together?
#
# You must say. `gradient=` is the gradient that comes in at Q, one number for each number of Q.
# Its name from here on is *v*.

# %%
# %%twin
external_grad = torch.tensor([1.0, 1.0])
Q.backward(gradient=external_grad)
print(a.grad, b.grad)

# %% [markdown]
# On paper: the derivative of 3a³ is 9a², that of −b² is −2b. Do the gradients agree?

# %%
# %%twin
print(9 * a**2 == a.grad)
print(-2 * b == b.grad)

# %% [markdown]
# ## Watch v come in
#
# The debugger takes the same `gradient=`. **Predict** what the subtraction sends to 3a³ and to b²;
# then step through with ▶. Every number of lesson 04 is now a list of two.
#
# Afterwards change `[1.0, 1.0]` to `[1.0, 10.0]` and run its cell again. Which numbers change?

# %%
# %%twin
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2

# %%
from autogradlab.instruments import BackwardDebugger

BackwardDebugger(Q, gradient=torch.tensor([1.0, 1.0]))

# %% [markdown]
# ## The idea in one picture
#
# Q has two numbers and a has two, so there are four derivatives: each number of Q by each of a.
# Written as a table they are the *Jacobian* J: one row for each output, one column for each input.
# Q₀ does not depend on a₁, so most of this one is zero.
#
# v stands at the left, one number for each row.

# %%
from autogradlab.lessons import vector_times_jacobian

J = [[9 * 2.0**2, 0], [0, 9 * 3.0**2]]
vector_times_jacobian([1, 10], J, ["Q₀", "Q₁"], ["a₀", "a₁"])

# %% [markdown]
# Each row is multiplied by its number in v, then the rows are added: that is *a vector times a
# matrix*, written vᵀJ (the ᵀ says that v is laid down as a row). The result has one number for each
# input, as a gradient must.
#
# `backward(gradient=v)` computes this product, the *vector–Jacobian product*, or *VJP*. It never
# writes J down: a network with a million inputs and outputs would need a table of 10¹² numbers.
#
# **Predict** `a.grad`, then run.

# %%
# %%twin
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
v = torch.tensor([1.0, 10.0])
Q.backward(gradient=v)
print(a.grad, b.grad)
print(a.grad == 9 * a**2 * v, b.grad == -2 * b * v)

# %% [markdown]
# ## A Jacobian that is not diagonal
#
# When outputs share inputs, the table fills. Take y = [x₀ + x₁, x₀ − x₁, 2 · x₀]: three outputs,
# two inputs, so J has three rows and two columns. Read its rows off the formulas: x₀ + x₁ grows by
# 1 with either input, x₀ − x₁ by 1 and −1, 2 · x₀ by 2 and 0.
#
# **Predict** vᵀJ for v = [1, 1, 1].

# %%
J = [[1, 1], [1, -1], [2, 0]]
vector_times_jacobian([1, 1, 1], J, ["y₀", "y₁", "y₂"], ["x₀", "x₁"])

# %% [markdown]
# Add the rows: 1 + 1 + 2 = 4 and 1 − 1 + 0 = 0. And `backward` says so too, without ever having
# seen J. `torch.stack` puts three numbers into one tensor.

# %%
# %%twin
x = torch.tensor([3.0, 5.0], requires_grad=True)
y = torch.stack([x[0] + x[1], x[0] - x[1], 2 * x[0]])
y.backward(gradient=torch.tensor([1.0, 1.0, 1.0]))
print(x.grad)

# %% [markdown]
# ## Turn v
#
# The same y without its last number: two outputs, two inputs. Move v₀ and v₁ (a slider also obeys
# the arrow keys). At the right the weighted rows are laid head to tail, dashed; the arrow is their
# sum.
#
# **Predict** the v with which x₀ receives 2 and x₁ nothing, then find it.

# %%
from autogradlab.instruments import VJPExplorer

VJPExplorer(lambda x: torch.stack([x[0] + x[1], x[0] - x[1]]), torch.tensor([3.0, 5.0]))

# %% [markdown]
# v = [1, 1]: the rows [1, 1] and [1, −1] together are [2, 0].
#
# ## One number again: sum
#
# Most training code never writes `gradient=`, because its result is one number: a sum or a mean of
# all errors. **Predict:** what does `Q.sum()` send back to Q, and so what is `a.grad`?

# %%
# %%twin
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
Q.sum().backward()
print(a.grad, b.grad)

# %% [markdown]
# The same as with v = [1, 1]. A sum copies, so it hands a 1 to each number of Q: `.sum()` *is* the
# choice of v = [1, 1]. A mean would hand out ½ each.

# %% [markdown]
# ## Twice: the graph is gone
#
# Go back through Q once more: the sum is a new one, the graph above it the same. **Predict** what
# happens.

# %%
# %%twin raises=RuntimeError
Q.sum().backward()

# %% [markdown]
# You know it from lesson 03: the power had saved a, and the first backward pass freed it. A second
# pass finds nothing there.
#
# Two ways out. Compute Q again (what training does in every step), or say before the first pass
# that the graph is to stay: `retain_graph=True`. **Predict** the two lines.

# %%
# %%twin
a = torch.tensor([2.0, 3.0], requires_grad=True)
Q = 3 * a**3
v = torch.tensor([1.0, 1.0])
Q.backward(gradient=v, retain_graph=True)
print(a.grad)
Q.backward(gradient=v)
print(a.grad)

# %% [markdown]
# [36, 81], then [72, 162]: `.grad` *accumulates*. What arrives is added to what is there; nothing
# is replaced. That is "where paths meet, add" once more, only that the second path came later.
#
# In training one therefore empties `.grad` before each step: that was the `zero_grad()` of lesson
# 01. For a single tensor, setting it to `None` does it.

# %%
# %%twin
a.grad = None
Q = 3 * a**3
Q.backward(gradient=v)
print(a.grad)

# %% [markdown]
# One surprise: the second call does not always fail. A sum of a and 1 saves nothing (its local
# derivatives are 1, whatever a is), so nothing is missing the second time.

# %%
# %%twin
a = torch.tensor([2.0, 3.0], requires_grad=True)
total = (a + 1).sum()
total.backward()
total.backward()
print(a.grad)

# %% [markdown]
# ## Exercise 1 · A v of your own
# *Difficulty ●○○○○ · 2 minutes*
#
# Q = 3a³ − b² with a = [2, 3], as above, then `Q.backward(gradient=torch.tensor([1.0, 10.0]))`.
# Without looking back: what is `a.grad`? A list of two numbers.

# %%
from autogradlab.lessons import vjp as exercises

answer = ...
exercises.weighted.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# With v = [1, 1] the answer is 9a².
#
# </details>
# <details><summary>Hint 2</summary>
#
# Multiply each number of 9a² by its own number of v.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [36, 810]
# ```
#
# </details>
#
# ## Exercise 2 · Extract a row
# *Difficulty ●●○○○ · 3 minutes*
#
# y = [x₀ + x₁, x₀ − x₁, 2 · x₀]. Find a v that makes `x.grad` the last row of its Jacobian, [2, 0].

# %%
v = ...
exercises.row.check(v)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# How many numbers has v: as many as there are outputs, or inputs?
#
# </details>
# <details><summary>Hint 2</summary>
#
# v weighs the rows. Two of them must not count at all.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# v = [0, 0, 1]
# ```
#
# One backward pass gives one row. A whole Jacobian takes as many passes as there are outputs.
# (`[1, 1, 0]` is right, too: in this Jacobian the first two rows add up to the last.)
#
# </details>
#
# ## Exercise 3 · Make x.grad zero
# *Difficulty ●●●○○ · 5 minutes*
#
# The same y. Find a v, not all zeros, with which `x.grad` is [0, 0]. There is more than one.

# %%
v = ...
exercises.silent.check(v)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Look at the three rows [1, 1], [1, −1] and [2, 0]. What do the first two give together?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Add two rows, and take the third one away.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# v = [1, 1, -1]
# ```
#
# Every multiple of it is right too. Three outputs made of two inputs cannot move independently, so
# some combination of them never moves: here y₀ + y₁ − y₂, which is always 0.
#
# </details>
#
# ## Exercise 4 · Backward twice
# *Difficulty ●●○○○ · 2 minutes*
#
# `y = x**2` with x = 3, then `y.backward(retain_graph=True)` and `y.backward()`. What is `x.grad`?

# %%
answer = ...
exercises.twice.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What does one call bring?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Nothing empties `.grad` in between.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 12
# ```
#
# </details>
#
# ## Exercise 5 · Write vᵀJ
# *Difficulty ●●●○○ · 6 minutes*
#
# Write the product out: v is a vector with one number for each row of the matrix J. Loops are fine.

# %%
def product(v, J):
    return ...


exercises.product.check(product)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# One number of the result: go down one column of J, multiply each number by the number of v in the
# same row, add up.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `J[i][j]` is the number in row i and column j; `len(J)` rows, `len(J[0])` columns.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def product(v, J):
#     columns, rows = range(len(J[0])), range(len(J))
#     return [sum(v[i] * J[i][j] for i in rows) for j in columns]
# ```
#
# NumPy and PyTorch write it `v @ J`.
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - The *Jacobian* has one row for each output and one column for each input.
# - `backward(gradient=v)` computes vᵀJ: the rows, weighted by v, added up. J is never written down.
# - For one number v is 1, and PyTorch fills it in; for more you must say it, or use `.sum()`.
# - A backward pass frees what was saved; `retain_graph=True` keeps it.
# - `.grad` accumulates; set it to `None` before the next step.
#
# **If something went wrong.** *grad can be implicitly created only for scalar outputs*: give
# `gradient=`, or sum first. *Trying to backward through the graph a second time*: compute the
# result again, or keep the graph. *Gradients grow from run to run*: `.grad` was not emptied.
#
# **Next:** [06 · Rows and columns of the Jacobian](06_jacobians.ipynb): what a whole table costs,
# and how to fill it from the other side.
