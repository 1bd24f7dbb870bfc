# %% [markdown]
# # 02 · Nudges
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/02_nudges.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/02_nudges.ipynb)
#
# **Afterwards you can** say what a derivative tells about a small change, predict what several
# small changes do together, and say why a computer should not make h as small as it can.
# **Time:** 35 minutes. **You need:** lesson 00, Python, and derivatives from school.

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
# 1. What does the gradient of y for x tell?
# 2. `x = torch.tensor(3.0, requires_grad=True)`, then `(x**2).backward()`. What is in `x.grad`?
#
# <details><summary>Answers</summary>
#
# 1. How fast y grows when x grows a little.
# 2. 6, which is 2x at x = 3.
#
# </details>

# %% [markdown]
# ## Nudge it and see
#
# To find out how a result depends on x, move x a little and look: that small move is a *nudge*, its
# size is called h. What the result does is the *response*.
#
# Take f(x) = x² at x = 1 and nudge by h = 0.5. **Predict** the response, and the response divided
# by the nudge.

# %%
# %%twin
x = torch.tensor(1.0)
h = 0.5
response = (x + h) ** 2 - x**2
quotient = response / h
print(response, quotient)

# %% [markdown]
# 1.5² − 1² = 1.25, and 1.25 / 0.5 = 2.5: per step of x, f grew 2.5 steps. This is the *difference
# quotient*
#
# (f(x + h) − f(x)) / h
#
# School says 2x = 2. The quotient is 0.5 too large, since the curve grows steeper on the way from 1
# to 1.5. **Predict** it for h = 0.1.

# %%
# %%twin
x = torch.tensor(1.0)
h = 0.1
quotient = ((x + h) ** 2 - x**2) / h
print(quotient)

# %% [markdown]
# ## The idea in one picture
#
# The line through both points is the *secant*: its slope is the difference quotient. The line that
# only touches the curve at x is the *tangent* (the wide band): its slope is the derivative, which
# autograd gives.
#
# Press **▶** to shrink h, or drag the scrubber. **Predict first:** at which h are both slopes the
# same in four digits? Then move x with its slider, and type other functions: `sin(3*x)`, `x**3`.

# %%
from autogradlab.instruments import NudgeLab

NudgeLab("x**2", torch.tensor(1.0))

# %% [markdown]
# As h shrinks, the secant becomes the tangent. **The derivative is the response per nudge, for
# nudges so small that the bend of the curve no longer shows.**
#
# What the bend adds is called *truncation error*. For x² one can see it whole:
# ((x + h)² − x²) / h = 2x + h. It is exactly h too much.
#
# So make h tiny? **Predict** the last two lines of this cell.

# %%
# %%twin
x = torch.tensor(1.0)
for h in (1e-1, 1e-3, 1e-5, 1e-7, 1e-8):
    quotient = ((x + h) ** 2 - x**2) / h
    print(h, quotient)

# %% [markdown]
# ## Why not h → 0
#
# The quotient came close to 2, then went astray, and ended at 0. Nothing is broken. A number in
# `float32` keeps about 7 digits; the next number after 1 is 1.0000001. So 1 + 1e−8 is rounded to 1:
# the nudge is lost, the response is 0.
#
# Here is that nudge. Read the three lines of the formula above the picture. Then press **◀** a few
# times: **predict** from which h on the secant lies in the band.

# %%
lab = NudgeLab("x**2", torch.tensor(1.0))
lab.nudge(1e-8)
lab

# %% [markdown]
# Just before that, at h = 1e−6, the response is a difference of two numbers that agree in most of
# their digits. The few digits left over are mostly *rounding error*, and dividing by a tiny h makes
# it large.
#
# Two errors pull against each other: truncation shrinks with h, rounding grows. In between lies a
# *best h*.
#
# `float64` keeps 16 digits. **Predict:** is its best h larger or smaller?

# %%
# %%twin
for dtype in (torch.float32, torch.float64):
    x = torch.tensor(1.0, dtype=dtype)
    for h in (1e-3, 1e-6, 1e-9, 1e-12):
        quotient = ((x + h) ** 2 - x**2) / h
        print(dtype, h, quotient - 2)

# %% [markdown]
# ## Nudge both ways
#
# A *central difference* nudges up and down, and divides by the whole way, 2 · h:
#
# (f(x + h) − f(x − h)) / (2 · h)
#
# What the bend adds on one side it takes away on the other, nearly. Take f(x) = x³ at x = 2, where
# the derivative is 3x² = 12, with h = 0.01. **Predict:** which of the two quotients is closer, and
# by how much?

# %%
# %%twin
x = torch.tensor(2.0, dtype=torch.float64)
h = 0.01
forward = ((x + h) ** 3 - x**3) / h
central = ((x + h) ** 3 - (x - h) ** 3) / (2 * h)
print(forward - 12, central - 12)

# %% [markdown]
# 0.06 against 0.0001. Make h ten times smaller, and the forward error gets 10 times smaller, the
# central one 100 times.
#
# On a *log scale*, where each step is a factor, that is a straight line of slope 1, or 2. The next
# instrument draws the error for every h, towards the right ever smaller. **Predict** where the
# lines turn. Rings mark the best h; its neighbours count too, since rounding is sometimes lucky.

# %%
from autogradlab.instruments import ErrorCurve


def cube(x):
    return x * x * x


curve = ErrorCurve(cube, torch.tensor(2.0))
curve.nudge(0.001)
curve

# %% [markdown]
# Left of its ring a line goes down straight: truncation. Right of it, it climbs in steps and
# zigzags: rounding. Even the best difference in `float32` has only about five digits right.
#
# Autograd has no h. It knows the rule for each operation, so neither error arises. Compare.

# %%
# %%twin
for dtype in (torch.float32, torch.float64):
    x = torch.tensor(2.0, dtype=dtype, requires_grad=True)
    y = x * x * x
    y.backward()
    print(dtype, x.grad)

# %% [markdown]
# Then what are difference quotients good for? For *checking*: they need no rules, only f. If
# autograd and a central difference in float64 agree in eight digits, its rules are most likely
# right. This lab's engine is tested that way, too.
#
# ### A misstep
#
# "Nudge x" sounds like `x += h`. **Predict** what happens to a tensor that records. The cell
# announces an error.

# %%
# %%twin raises=RuntimeError
x = torch.tensor(2.0, requires_grad=True)
x += 0.001

# %% [markdown]
# x is a *leaf*: a tensor you made yourself, where a gradient is to arrive. If its value changed
# under way, of which x would the gradient be? So both engines refuse. Nudge a new tensor instead,
# `x + h`; nothing is overwritten.

# %%
# %%twin
x = torch.tensor(2.0, requires_grad=True)
h = 0.001
response = (x + h) ** 2 - x**2
print(response)

# %% [markdown]
# ## Two inputs: nudge one, hold the other
#
# L = a² · b with a = 3 and b = 2. Nudge a alone: the response per nudge is the *partial derivative*
# of L for a. Then b alone. For a, b is a fixed factor: 2a · b. For b, the fixed factor is a², and
# the derivative of b is 1: a².
#
# **Predict** both; autograd finds both in one go.

# %%
# %%twin
a = torch.tensor(3.0, requires_grad=True)
b = torch.tensor(2.0, requires_grad=True)
L = a**2 * b
L.backward()
print(a.grad, b.grad)

# %% [markdown]
# ## Gradient · nudge
#
# All partial derivatives in a list are the *gradient*: [12, 9]. Now nudge both: a by 0.1, b by
# −0.05. As long as nudges are small, their effects add. Multiply each by its partial derivative and
# add up: that is the *dot product* of two lists, written gradient · nudge.
#
# **Predict** the change of L.

# %%
from autogradlab.lessons import gradient_times_nudge

gradient_times_nudge([12, 9], [0.1, -0.05], ["a", "b"])

# %% [markdown]
# And what does L really do? **Predict** whether the true change is larger or smaller than 0.75.

# %%
# %%twin
gradient = torch.tensor([12.0, 9.0])
nudge = torch.tensor([0.1, -0.05])
predicted = torch.dot(gradient, nudge)
a, b = 3.0 + nudge[0], 2.0 + nudge[1]
true = a**2 * b - 18
print(predicted, true)

# %% [markdown]
# With nudges ten times smaller, the gap is a hundred times smaller: gradient · nudge is the
# *first-order* change, the part that grows like the nudge itself. That is why small training steps
# work.
#
# ## A kink
#
# |x| has a corner at 0, a *kink*. A nudge to the right says 1, one to the left −1, however small h
# is: there is no tangent. Autograd must still answer. **Predict** its number; then choose
# *forward*, *backward* and *central* above the picture.

# %%
lab = NudgeLab("abs(x)", torch.tensor(0.0))
lab.nudge(0.5)
lab

# %%
# %%twin
x = torch.tensor(0.0, requires_grad=True)
h = 0.5
up = ((x + h).abs() - x.abs()) / h
down = (x.abs() - (x - h).abs()) / h
x.abs().backward()
print(up.item(), down.item(), x.grad)

# %% [markdown]
# Both engines say 0, a slope between −1 and 1. Any such number is allowed (it is called a
# *subgradient*); which one is a convention that one has to look up.
#
# ## Exercise 1 · A central difference
# *Difficulty ●●○○○ · 5 minutes*
#
# Return the central difference of f(x) = x³ for any x and h.

# %%
from autogradlab.lessons import nudges as exercises


def central_difference(x, h):
    return ...


exercises.central.check(central_difference)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two places: x + h and x − h. Cube both.
#
# </details>
# <details><summary>Hint 2</summary>
#
# How far is it from x − h to x + h? Divide the response by that, and mind the parentheses.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def central_difference(x, h):
#     return ((x + h) ** 3 - (x - h) ** 3) / (2 * h)
# ```
#
# </details>
#
# ## Exercise 2 · Best h
# *Difficulty ●●○○○ · 4 minutes*
#
# Which h is best for central differences in float64? A power of ten is enough. Make an
# `ErrorCurve` of a function of your own, such as `"sin(x)*exp(x)"` at 1, and look.

# %%
answer = ...
exercises.best_h.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two lines are in float64; the central one is solid. Look for its ring.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Truncation is about h², rounding about 1e−16 / h. For which power of ten are they equal?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 1e-5
# ```
#
# h² = 1e−16 / h means h³ = 1e−16, so h is about 5e−6.
#
# </details>
#
# ## Exercise 3 · The kink of relu
# *Difficulty ●●○○○ · 4 minutes*
#
# relu(x) is max(x, 0). At x = 0, answer with three numbers: the quotient of a nudge to the left
# (backward), of a nudge to the right (forward), and the gradient that autograd gives.

# %%
answer = [..., ..., ...]
exercises.kink.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Put `relu(x)` into the Nudge Lab above, with x at 0.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The first two are slopes of straight lines. For the third run `torch.relu(x).backward()`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [0, 1, 0]
# ```
#
# </details>
#
# ## Exercise 4 · Partial derivatives
# *Difficulty ●●○○○ · 5 minutes*
#
# L = a · b + c. Return its partial derivatives for a, b and c, in this order. No `backward()`.

# %%
def partials(a, b, c):
    return ..., ..., ...


exercises.partials.check(partials)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Nudge a by h and write down the response: (a + h) · b + c − (a · b + c).
#
# </details>
# <details><summary>Hint 2</summary>
#
# That response is h · b. Divide by h; then do the same for b and for c.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def partials(a, b, c):
#     return b, a, 1
# ```
#
# </details>
#
# ## Exercise 5 · Predict the change
# *Difficulty ●●●○○ · 4 minutes*
#
# The same L = a · b + c, at a = 2, b = 4, c = −5. Nudge a by 0.1, b by −0.1, c by 0.3. Which change
# of L does gradient · nudge predict?

# %%
answer = ...
exercises.change.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Exercise 4 gives the gradient: three numbers at a = 2, b = 4.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Multiply each nudge by its partial derivative, keep the signs, and add the three parts.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 4 * 0.1 + 2 * (-0.1) + 1 * 0.3
# ```
#
# That is 0.5. The true change is 0.49: the nudges of a and b together add 0.1 · (−0.1).
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - A derivative is the response per nudge, for small nudges: the secant becomes the tangent.
# - h too large: *truncation*. h too small: *rounding*. The best h is in between. Autograd has none.
# - Central differences have an error like h², forward ones like h.
# - With several inputs, gradient · nudge is the first-order change.
# - At a kink the quotients disagree, and autograd's answer is a convention.
#
# **If something went wrong.** *A quotient is 0*: the nudge was rounded away; use float64 or a
# larger h. *"a leaf Variable that requires grad is being used in an in-place operation"*: write
# `x + h`, not `x += h`.
#
# **Next:** [03 · Recording](03_recording.ipynb): what the engine writes down while you compute.
