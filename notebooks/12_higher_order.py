# %% [markdown]
# # 12 · The gradient of a gradient
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/12_higher_order.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/12_higher_order.ipynb)
#
# **Afterwards you can** take the derivative of a derivative, multiply by a Hessian that is never
# built, and use both: for Newton's step, for a gradient penalty, and for one gradient per example.
# **Time:** 40 minutes. **You need:** lessons 06 and 07.

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
# 1. A backward pass fills a row of the Jacobian. And a jvp?
# 2. `y.backward(retain_graph=True)` runs twice. What is in `x.grad`?
#
# <details><summary>Answers</summary>
#
# 1. A column: what one nudge of the inputs does to every output.
# 2. Twice the gradient. `.grad` is added to, never replaced.
#
# </details>

# %% [markdown]
# ## How fast does the slope change?
#
# y = x³ has the slope 3x². The slope of that is 6x, the *second derivative*. At x = 4 they are 48
# and 24.
#
# `torch.autograd.grad(y, x)` returns a tuple, a gradient for each input; it leaves `.grad` alone.
# **Predict** what happens when we ask for the gradient of the gradient. The cell announces an
# error.

# %%
# %%twin raises=RuntimeError
x = torch.tensor(4.0, requires_grad=True)
y = x**3
(g,) = torch.autograd.grad(y, x)
print(g)
torch.autograd.grad(g, x)

# %% [markdown]
# 48 is right, but it is a number without a past. The backward pass computed it with recording
# switched off, so no edge leads from g back to x.
#
# `create_graph=True` switches recording on *during the backward pass*. **Predict** what `print(g)`
# adds to the 48, and the value of h.

# %%
# %%twin
(g,) = torch.autograd.grad(x**3, x, create_graph=True)
print(g)
(h,) = torch.autograd.grad(g, x)
print(h)

# %% [markdown]
# ## The idea in one picture
#
# A backward pass computes, too: here x², three times that, and that times the 1 that came in. With
# `create_graph=True` these operations are recorded like any others, as a second graph. It leads
# back to x.
#
# Left is the *first order*, running down; right the *second order*, with double outlines,
# climbing as gradients do. The frame says whose backward recorded it.

# %%
from autogradlab.instruments import GraphOfTheGraph
from autogradlab.lessons import Picture

both = GraphOfTheGraph("x**3", {"x": x})
Picture(both.svg(), both.summary)

# %% [markdown]
# ## Step through it
#
# y = sin(x²) at x = 2. By the chain rule dy/dx = cos(x²) · 2x. Press **▶**: first the backward pass
# runs and is recorded. **Before each step, predict** which operation comes next.
#
# From step 7 on a *second* pass runs. It goes down the second graph and enters the first.
# **Predict** which node of the first graph it never visits. Then untick `create_graph`.

# %%
z = torch.tensor(2.0, requires_grad=True)
GraphOfTheGraph("sin(x**2)", {"x": z})

# %% [markdown]
# It never visits sin(x²): the gradient does not use y itself. Without `create_graph` the right side
# stays empty, and there is no way back. Now type `x*exp(x)`, and `3*x`: the slope of a straight
# line is the same everywhere, so nothing is recorded that leads to x.
#
# With `create_graph=True` each time, there is a third derivative, too, and a fourth. **Predict**
# the four numbers for x³ at 4.

# %%
# %%twin
d = x**3
for order in range(1, 5):
    (d,) = torch.autograd.grad(d, x, create_graph=True)
    print(order, d.item())

# %% [markdown]
# ## A warning
#
# `backward` takes `create_graph=True` as well. The gradient goes to `x.grad` and brings its graph
# along. **Predict** both numbers. (The second `backward` starts from `x.grad`.)

# %%
# %%twin
x = torch.tensor(4.0, requires_grad=True)
y = x**3
y.backward(create_graph=True)
before = x.grad.item()
x.grad.backward()
print(before, x.grad.item())
x.grad = None

# %% [markdown]
# 72 is 48 + 24: `.grad` adds, here two different derivatives. The warning names another trouble: x
# holds `x.grad`, whose graph holds x, a *reference cycle*, and memory piles up. `x.grad = None`
# cuts it; `torch.autograd.grad` makes none.
#
# ## Many inputs: the Hessian
#
# The gradient has a number for each input, and each has a gradient of its own. These are the rows
# of the *Hessian*, H. Take f = x₀² · x₁ + x₁³ at [1, 2].
#
# **Predict** the gradient (two numbers), then H (two rows of two).

# %%
# %%twin
def f(x):
    return x[0] ** 2 * x[1] + x[1] ** 3


x = torch.tensor([1.0, 2.0], requires_grad=True)
(g,) = torch.autograd.grad(f(x), x, create_graph=True)
rows = [torch.autograd.grad(each, x, retain_graph=True)[0] for each in g]
H = torch.stack(rows)
print(g.detach())
print(H)

# %% [markdown]
# The gradient is [2x₀x₁, x₀² + 3x₁²]. H is its Jacobian, and it is symmetric: to take the two
# derivatives in the other order changes nothing.
#
# Two functions build the whole table: `torch.autograd.functional.hessian` row by row, as we did;
# `torch.func.hessian` column by column, with a jvp of the gradient for each. **Predict** whether
# all three agree.

# %%
# %%twin
by_rows = torch.autograd.functional.hessian(f, x)
by_columns = torch.func.hessian(f)(x)
print(torch.equal(H, by_rows), torch.equal(H, by_columns))

# %% [markdown]
# ## What H tells
#
# Walk from x in a direction v of length 1. The slope is gᵀv, as ever. The slope changes at the rate
# **vᵀHv**, the *curvature* along v. Together they make a parabola:
#
# f(x + t·v) ≈ f(x) + (gᵀv)·t + ½·(vᵀHv)·t²
#
# **Predict** vᵀHv for v = [0.6, 0.8] and the H above. How good is the parabola at t = 0.1?

# %%
# %%twin
x, g = x.detach(), g.detach()
v, t = torch.tensor([0.6, 0.8]), 0.1
curvature = v @ H @ v
parabola = f(x) + (g @ v) * t + curvature * t**2 / 2
print(curvature)
print(f(x + t * v), parabola)

# %% [markdown]
# ## Turn it
#
# f = x²/2 − y² + x·y. The middle shows vᵀHv for all directions: the farther out, the more.
# **Predict** in which directions f curves down. Then drag the yellow knob, or press the arrow keys.
#
# λ₁ and λ₂ are the largest and the least curvature. Point v along one of them and watch Hv: it
# becomes λ·v. Such a v is an *eigenvector* of H, its λ an *eigenvalue*.

# %%
from autogradlab.instruments import CurvatureDial

CurvatureDial("x**2/2 - y**2 + x*y", torch.tensor([0.6, -0.4]), 30)

# %% [markdown]
# Curving up in some directions and down in others: that is a *saddle*. Now a bent valley.
# **Predict** the direction of the least curvature, then move the point along the valley with x and
# y: H changes, and the dial with it.

# %%
CurvatureDial("(1 - x)**2 + 2*(y - x**2)**2", torch.tensor([0.5, 0.2]), 45)

# %% [markdown]
# ## H times v, without H
#
# The dial never built H. With n inputs H has n² numbers. **Predict** how much memory that is for
# ResNet-18, at 4 bytes a number.

# %%
n = 11_689_512
print(f"the gradient: {n * 4 / 1e6:.0f} MB, the Hessian: {n * n * 4 / 1e12:.0f} TB")

# %% [markdown]
# Mostly one needs H only times a vector: Hv, the *Hessian–vector product*. It is as long as the
# gradient. The trick: gᵀv is *one number*, and **the gradient of gᵀv is Hv** (v is a constant).
# So a second backward pass is enough. This is *reverse over reverse*.
#
# **Predict** Hv for v = [1, 1] from the H above.

# %%
# %%twin
x = torch.tensor([1.0, 2.0], requires_grad=True)
v = torch.tensor([1.0, 1.0])
(g,) = torch.autograd.grad(f(x), x, create_graph=True)
(Hv,) = torch.autograd.grad(g @ v, x)
print(Hv)

# %% [markdown]
# The other way: `torch.func.grad(f)` is a function, too; it takes x and gives the gradient. Its
# Jacobian is H, and a jvp gives H times v: *forward over reverse*. It saves nothing for a second
# pass, so it takes less memory. `functional.hvp` is ready-made. **Predict** whether they agree.

# %%
# %%twin
x = torch.tensor([1.0, 2.0])
_, by_jvp = torch.func.jvp(torch.func.grad(f), (x,), (v,))
_, ready_made = torch.autograd.functional.hvp(f, x, v)
print(torch.equal(Hv, by_jvp), torch.equal(Hv, ready_made))

# %% [markdown]
# Now with 100,000 inputs. H would have 10¹⁰ numbers, 40 GB. **Predict** the shape of Hv, and
# whether you will have to wait.

# %%
# %%twin
def long_chain(x):
    return ((x[1:] - x[:-1] ** 2) ** 2).sum()


x = torch.linspace(-1, 1, 100_000)
_, Hv = torch.func.jvp(torch.func.grad(long_chain), (x,), (torch.ones_like(x),))
print(Hv.shape)

# %% [markdown]
# ## Newton's step
#
# Where is a parabola lowest? Where its slope gᵀv + (vᵀHv)·t is zero. With many inputs this reads
# H·s = −g, and x + s is *Newton's step*. `torch.linalg.solve(H, g)` finds what H makes into g.
#
# This bowl *is* a parabola. **Predict** where Newton's step lands, and whether a step against the
# gradient comes as far.

# %%
# %%twin
def bowl(x):
    return x[0] ** 2 + 10 * x[1] ** 2 + x[0] * x[1]


x = torch.tensor([3.0, 2.0])
g, H = torch.func.grad(bowl)(x), torch.func.hessian(bowl)(x)
print("gradient step:", x - 0.05 * g)
print("Newton's step:", x - torch.linalg.solve(H, g))

# %% [markdown]
# At once in the lowest point, [0, 0]. The gradient knows the slope only; H knows how far it
# reaches.
#
# **Predict** where Newton's step lands on the saddle of the first dial, from [1, −1]. Does it go
# down?

# %%
# %%twin
def saddle(x):
    return x[0] ** 2 / 2 - x[1] ** 2 + x[0] * x[1]


x = torch.tensor([1.0, -1.0])
g, H = torch.func.grad(saddle)(x), torch.func.hessian(saddle)(x)
there = x - torch.linalg.solve(H, g)
print(there, saddle(x), saddle(there))

# %% [markdown]
# It went *up*, from −1.5 to 0: Newton's step goes where the slope is zero, be that a bottom, a top
# or a saddle. Optimizers that use H must look at the signs of its curvature first.
#
# ## A gradient inside the loss
#
# A *gradient penalty* makes a network react gently to its input: to the loss is added
# (‖∂score/∂x‖ − 1)². Take score = w · x. Its gradient for x is w itself, of norm 5. The cell
# announces an error; **predict** which.

# %%
# %%twin raises=RuntimeError
x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0], requires_grad=True)
score = w @ x
(g,) = torch.autograd.grad(score, x)
loss = score + (g.norm() - 1) ** 2
loss.backward()

# %% [markdown]
# The first pass has freed the graph, and `loss` needs it for score. The message says what to do:
# `retain_graph=True`. **Predict** `w.grad` if we do that. Without the penalty it would be
# x = [1, 2].

# %%
# %%twin
score = w @ x
(g,) = torch.autograd.grad(score, x, retain_graph=True)
loss = score + (g.norm() - 1) ** 2
loss.backward()
print(w.grad)

# %% [markdown]
# No error, a larger loss, and not a trace of the penalty: for this `backward` g was a constant.
# Such a network trains, and nobody notices.
#
# By hand, the penalty adds 2 · (5 − 1) · w/5 = [4.8, 6.4]. **Predict** `w.grad` with
# `create_graph=True`, which also retains the graph.

# %%
# %%twin
w.grad = None
score = w @ x
(g,) = torch.autograd.grad(score, x, create_graph=True)
loss = score + (g.norm() - 1) ** 2
loss.backward()
print(w.grad)

# %% [markdown]
# ## One gradient per example
#
# The gradient of a batch is a sum over its examples. Which of them pulls hardest? A backward pass
# for each would tell. `torch.func.vmap` does it at once: it makes a function of *one* example into
# one of a whole batch. `in_dims` says what is taken apart: along dimension 0, or not at all (None).
#
# **Predict** the shape of `each`, and the example that fits worst.

# %%
# %%twin
def loss_of_one(w, x, t):
    return (w @ x - t) ** 2


w = torch.tensor([1.0, 2.0])
X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, -1.0]])
T = torch.tensor([1.0, 2.5, 3.5, 9.0])
per_sample = torch.func.vmap(torch.func.grad(loss_of_one), in_dims=(None, 0, 0))
each = per_sample(w, X, T)
print(each)
print(each.norm(dim=1))

# %% [markdown]
# A row for each example: *per-sample gradients*. The last is nearly thirty times as long as any
# other; its 9 may be a slip of the pen. Such norms find wrong labels, and training on private data
# clips them one by one. **Predict** what the rows add up to.

# %%
# %%twin
def loss_of_all(w):
    return ((X @ w - T) ** 2).sum()


whole = torch.func.grad(loss_of_all)(w)
print(whole, each.sum(0))

# %% [markdown]
# ## Exercise 1 · Two backward passes
# *Difficulty ●○○○○ · 2 minutes*
#
# y = x² at x = 3. `y.backward(create_graph=True)` runs, then `x.grad.backward()`. What is in
# `x.grad` now?

# %%
from autogradlab.lessons import higher_order as exercises

answer = ...
exercises.two_passes.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What does the first pass put into `x.grad`? And what is the derivative of that?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Slope 2x, second derivative 2. The second pass does not replace what is there.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 8
# ```
#
# 2 · 3 = 6 from the first pass, 2 from the second.
#
# </details>
#
# ## Exercise 2 · Newton's step
# *Difficulty ●●○○○ · 5 minutes*
#
# Return the point that Newton's step reaches from x.

# %%
def newton(x):
    def f(x):
        return x[0] ** 4 + x[0] * x[1] + (x[1] - 1) ** 2

    return ...


exercises.newton.check(newton)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# You need the gradient g and the Hessian H at x: `torch.func.grad(f)(x)` and
# `torch.func.hessian(f)(x)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.linalg.solve(H, g)` is what H makes into g. The step goes against it, from x.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def newton(x):
#     def f(x):
#         return x[0] ** 4 + x[0] * x[1] + (x[1] - 1) ** 2
#
#     g, H = torch.func.grad(f)(x), torch.func.hessian(f)(x)
#     return x - torch.linalg.solve(H, g)
# ```
#
# </details>
#
# ## Exercise 3 · H times v
# *Difficulty ●●●○○ · 5 minutes*
#
# Return Hv of f at x without building H. (The check sees Hv only.)

# %%
def times_hessian(x, v):
    def f(x):
        return (x**4).sum() + x[0] * x[1] * x[2]

    return ...


exercises.times_hessian.check(times_hessian)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# There are two ways: the gradient of gᵀv, or a jvp of the function that gives the gradient.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The second takes one line: `torch.func.jvp(torch.func.grad(f), …, …)`. It returns two things.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def times_hessian(x, v):
#     def f(x):
#         return (x**4).sum() + x[0] * x[1] * x[2]
#
#     return torch.func.jvp(torch.func.grad(f), (x,), (v,))[1]
# ```
#
# </details>
#
# ## Exercise 4 · A gradient penalty
# *Difficulty ●●●●○ · 7 minutes*
#
# score = Σ w · x². Return the gradient, for w, of the penalty (‖∂score/∂x‖ − 1)² alone.

# %%
def penalty_gradient(w, x):
    w, x = w.requires_grad_(), x.requires_grad_()
    score = (w * x**2).sum()
    return ...


exercises.penalty_gradient.check(penalty_gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two calls of `torch.autograd.grad`: of the score for x, then of the penalty for w.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The penalty must know how ∂score/∂x came about: the first call needs `create_graph=True`. Both
# return a tuple.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def penalty_gradient(w, x):
#     w, x = w.requires_grad_(), x.requires_grad_()
#     score = (w * x**2).sum()
#     (g,) = torch.autograd.grad(score, x, create_graph=True)
#     return torch.autograd.grad((g.norm() - 1) ** 2, w)[0]
# ```
#
# </details>
#
# ## Exercise 5 · Who pulls hardest?
# *Difficulty ●●●○○ · 5 minutes*
#
# For each example, return the norm of its gradient for w: as many numbers as X has rows.

# %%
def gradient_norms(w, X, T):
    def loss_of_one(w, x, t):
        return (w @ x - t) ** 2

    return ...


exercises.gradient_norms.check(gradient_norms)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `torch.func.grad(loss_of_one)` is the gradient of one example. What makes it one for the batch?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.func.vmap(…, in_dims=(None, 0, 0))`, then `.norm(dim=…)` of each row.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def gradient_norms(w, X, T):
#     def loss_of_one(w, x, t):
#         return (w @ x - t) ** 2
#
#     each = torch.func.vmap(torch.func.grad(loss_of_one), in_dims=(None, 0, 0))(w, X, T)
#     return each.norm(dim=1)
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - With `create_graph=True` a backward pass is recorded; a second pass can run back through it.
# - The *Hessian* H is the Jacobian of the gradient; vᵀHv is the curvature along v.
# - Hv is the gradient of gᵀv, or a jvp of the gradient. H itself is almost never built.
# - A loss that contains a gradient needs `create_graph=True`; `retain_graph=True` silences the
#   error and loses the penalty.
# - `vmap(grad(…))` gives one gradient per example.
#
# **If something went wrong.** *"does not have a grad_fn"*: the first pass was not recorded.
# *`.grad` is a strange sum*: use `torch.autograd.grad`.
#
# **Next:** [13 · How gradients fare on their way](13_gradient_flow.ipynb): they shrink and grow
# from layer to layer.
