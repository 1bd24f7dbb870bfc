# %% [markdown]
# # 11 · A Function of your own
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/11_custom_function.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/11_custom_function.ipynb)
#
# **Afterwards you can** write an operation with its own forward and backward, have gradcheck
# examine it, say what gradcheck cannot see, and climb from NumPy to an optimizer without a number
# changing. **Time:** 40 minutes. **You need:** lessons 02, 04 and 06.

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
# 1. y = x³ at x = 2, and a gradient of 5 comes in. What is sent on to x?
# 2. Why is a difference quotient with h = 1e−12 poor, even in float64?
#
# <details><summary>Answers</summary>
#
# 1. 5 · 3x² = 5 · 12 = 60: incoming gradient times local derivative (lesson 04).
# 2. Rounding: f(x + h) and f(x − h) agree in nearly all their digits, and only the last few are
#    left for the difference (lesson 02).
#
# </details>

# %% [markdown]
# ## Forward and backward
#
# So far every operation brought its backward along. Now you write both, as a *Function*: a class
# with two static methods. `forward` computes the value, and leaves in `ctx`, the *context*, what
# `backward` will need. `backward` takes the incoming gradient and returns the one to send on.

# %%
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


# %% [markdown]
# A class alone computes nothing; this cell uses it, on both engines. A Function is used by `apply`,
# never by calling the class. **Predict** `y` and `x.grad`.

# %%
# %%twin
x = torch.tensor(2.0, requires_grad=True)
y = Cube.apply(x)
y.backward()
print(y)
print(x.grad)

# %% [markdown]
# ## The idea in one picture

# %%
from autogradlab.lessons import own_function

own_function(x.item(), y.item(), 1, x.grad.item())

# %% [markdown]
# One node in the graph, named after the class. Inside `forward` nothing is recorded: to autograd,
# the whole of it is one operation, and `backward` is its rule. That is also the danger. Nobody
# looks whether the two belong together.
#
# **Predict:** how many gradients must the backward of k · x return, where k is a plain number? This
# cell returns one, and announces an error.

# %%
# %%twin raises=RuntimeError
class Times(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k):
        ctx.k = k  # no tensor: an attribute will do
        return x * k

    @staticmethod
    def backward(ctx, g):
        return g * ctx.k


Times.apply(x, 3.0).backward()

# %% [markdown]
# One for each input of `forward`, in the same order, and None for what has no gradient. Tensors go
# through `save_for_backward`, since it notices when they are changed later; the rest are
# attributes.
#
# `ctx.needs_input_grad` says which gradients are wanted, so that the others need not be computed.
# **Predict** what is printed, when w needs no gradient.

# %%
class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        wants_x, wants_w = ctx.needs_input_grad
        print("wanted:", wants_x, wants_w)
        return g * w if wants_x else None, g * x if wants_w else None


# %%
# %%twin
Product.apply(x, torch.tensor(5.0)).backward()

# %% [markdown]
# Two more things you will meet. An output that has no gradient, a mask for example, is announced by
# `ctx.mark_non_differentiable`. And `forward` can be written without ctx, if a third method,
# `setup_context`, does the saving. `torch.func` insists on this form.
#
# **Predict** the two flags: which output requires a gradient?

# %%
class Keep(torch.autograd.Function):
    @staticmethod
    def forward(x):
        mask = (x > 0).to(x.dtype)
        return x * mask, mask

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx, g, unused):
        return g * ctx.saved_tensors[0]


# %%
# %%twin
v = torch.tensor([3.0, -1.0], requires_grad=True)
kept, mask = Keep.apply(v)
print(kept.requires_grad, mask.requires_grad)
print(torch.func.grad(lambda v: Keep.apply(v)[0].sum())(v.detach()))

# %% [markdown]
# ## Is it right?
#
# `gradcheck` compares two Jacobians. The *analytic* one comes from backward, a pass for each row.
# The *numeric* one comes from nudging each input both ways, which fills a column:
#
# (f(x + h) − f(x − h)) / 2h, with h = 1e−6.
#
# In each cell the two may differ by atol + rtol · |numeric|, which is 0.00001 + 0.001 · |numeric|.
# It returns True, or raises.

# %%
# %%twin
f64 = torch.float64
at = torch.tensor([1.0, 2.0, -3.0], dtype=f64, requires_grad=True)
print(torch.autograd.gradcheck(Cube.apply, at))

# %% [markdown]
# Here is what it looked at. Each number of y depends on one of x, so off the diagonal all is zero.
# **Predict:** what happens to the difference for a large h, and for a tiny one? Then move the
# scrubber. Click a cell, or go there with the arrow keys and press Enter, for its numbers.

# %%
from autogradlab.instruments import GradcheckMicroscope

GradcheckMicroscope(Cube.apply, at)

# %% [markdown]
# The valley you know from lesson 02: left of it the curve bends between the two points, right of it
# rounding rules. gradcheck stands near the bottom.
#
# Now a matrix times a vector, W · x, and a backward that forgets to transpose W: Wᵀ · g would be
# right. **Predict** which columns of the Jacobian will be wrong, those of W or those of x? The
# second cell announces gradcheck's error.

# %%
class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W):
        ctx.save_for_backward(x, W)
        return (W * x).sum(1)  # row by row: W @ x

    @staticmethod
    def backward(ctx, g):
        x, W = ctx.saved_tensors
        return (W * g).sum(1), g[:, None] * x  # W @ g, not Wᵀ @ g


# %%
# %%twin raises=GradcheckError
x = torch.tensor([1.0, -2.0], dtype=f64, requires_grad=True)
W = torch.tensor([[2.0, 1.0], [5.0, 3.0]], dtype=f64, requires_grad=True)
torch.autograd.gradcheck(Linear.apply, (x, W))

# %% [markdown]
# "output 0 with respect to input 0": the gradient of x. (PyTorch prints the tables with a row for
# each *input*.) Under the microscope, with a row for each output:

# %%
GradcheckMicroscope(Linear.apply, (x, W), names=["x", "W"])

# %% [markdown]
# The wrong cells are wrong at every h: no valley. The sign of a wrong backward is a **flat line
# above what is allowed**.
#
# ## Five ways to be misled
#
# gradcheck looks at one point, in one type, with one batch. So it can pass what is wrong, and fail
# what is right. First, the point. **Predict** the verdict for the same forgetful Linear, where W is
# symmetric.

# %%
# %%twin
S = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=f64, requires_grad=True)
print(torch.autograd.gradcheck(Linear.apply, (x, S)))

# %% [markdown]
# **1 · Special inputs.** It passes, and is as wrong as before: a symmetric matrix hides a missing
# transpose. Zeros, ones and identity matrices hide other things. Here is a cube whose author wrote
# 3x instead of 3x². **Predict** both verdicts, at ones and at random numbers.

# %%
# %%twin
class Forgot(Cube):
    @staticmethod
    def backward(ctx, g):
        return g * 3 * ctx.saved_tensors[0]


torch.manual_seed(0)
ones = torch.ones(3, dtype=f64, requires_grad=True)
rand = torch.randn(3, dtype=f64, requires_grad=True)
for point in (ones, rand):
    print(torch.autograd.gradcheck(Forgot.apply, point, raise_exception=False))

# %% [markdown]
# **2 · Too few digits.** float32 has seven digits, and a nudge of 1e−6 needs more. **Predict** what
# gradcheck makes of the *right* Cube in float32.

# %%
# %%twin
x32 = torch.tensor([1.0, 2.0, -3.0], requires_grad=True)
verdict = torch.autograd.gradcheck(Cube.apply, x32, raise_exception=False)
print(verdict)

# %%
GradcheckMicroscope(Cube.apply, x32)

# %% [markdown]
# A valley again, so the backward is right; the bottom is elsewhere. Check in float64, always.
#
# **3 · A kink.** relu has no derivative at 0. Backward says 0. **Predict** what the two nudges say
# at x = 0, and at x = 5e−7, closer to the kink than h.

# %%
near = torch.tensor([0.0, 5e-7, 2.0], dtype=torch.float64, requires_grad=True)
GradcheckMicroscope(torch.relu, near)

# %% [markdown]
# 0.5: the mean of both sides. Backward is not wrong, the place is. And at x₁ every h larger than
# 5e−7 reaches over the kink.
#
# **4 · One row.** Here a bias b is added to each row of a batch, and its backward takes the mean of
# what the rows send, where the sum belongs. **Predict:** with how many rows does gradcheck notice?

# %%
class AddBias(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, b):
        return x + b

    @staticmethod
    def backward(ctx, g):
        return g, g.mean(0)


# %%
# %%twin
b = torch.randn(2, dtype=f64, requires_grad=True)
for rows in (1, 2):
    batch = torch.randn(rows, 2, dtype=f64, requires_grad=True)
    print(torch.autograd.gradcheck(AddBias.apply, (batch, b), raise_exception=False))

# %%
GradcheckMicroscope(AddBias.apply, (batch, b), names=["x", "b"])

# %% [markdown]
# A batch of one hides it, two rows do not. Check with at least two, and with sizes that differ.
#
# **5 · Chance.** A backward that is a little different each time, as with a dropout that draws a
# new mask, or with sums in changing order on a GPU. **Predict** the verdict, where the noise is
# only 1e−9.

# %%
# %%twin
class Noisy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2 + 1e-9 * torch.rand(g.shape, dtype=g.dtype)


torch.manual_seed(0)
calm = torch.tensor([1.0, 3.0], dtype=f64, requires_grad=True)
print(torch.autograd.gradcheck(Noisy.apply, calm, raise_exception=False))

# %%
torch.manual_seed(0)
GradcheckMicroscope(Noisy.apply, calm)

# %% [markdown]
# No cell is wrong, and still it fails: gradcheck asks more than equal tables. Two runs must give
# the same, and where a gradient of zero comes in, zero must be sent.
#
# ## The second derivative
#
# `backward` is made of operations too, so it can be differentiated again, and `gradgradcheck`
# checks that. This cube computes its slope in `forward`, to save time. **Predict** both verdicts.

# %%
# %%twin
class Early(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(3 * x * x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


for cube in (Cube.apply, Early.apply):
    print(torch.autograd.gradcheck(cube, at, raise_exception=False),
          torch.autograd.gradgradcheck(cube, at, raise_exception=False))  # fmt: skip

# %% [markdown]
# `forward` records nothing: the slope of `Early` is a constant, and its second derivative comes out
# as zero, without a word. Save *inputs or outputs*, and compute the rest in `backward`.
#
# ## A ladder of six rungs
#
# Between −π and π a sine is nearly
#
# ŷ = b · P₃(d · x), with the *Legendre polynomial* P₃(z) = (5z³ − 3z) / 2.
#
# We fit b and d by gradient descent, six times. First in NumPy, with derivatives by hand (no torch,
# so no twin cell).

# %%
import math

import numpy as np

x, rate, ladder = np.linspace(-math.pi, math.pi, 50), 3e-4, {}
y, b, d = np.sin(x), -1.0, 0.3
for _ in range(300):
    z = d * x
    p = (5 * z**3 - 3 * z) / 2
    g = 2 * (b * p - y)  # the gradient of the loss at each prediction
    loss = ((b * p - y) ** 2).sum()
    to_b, to_d = (g * p).sum(), (g * b * (15 * z**2 - 3) / 2 * x).sum()
    b, d = b - rate * to_b, d - rate * to_d
ladder["NumPy"] = float(loss), float(b), float(d)
print(f"loss {loss:.6f}  b {b:.6f}  d {d:.6f}")

# %% [markdown]
# **Rung 2, Tensor.** The same lines with tensors. Nothing is recorded yet. **Predict:** which digit
# will change?

# %%
# %%twin
x = torch.linspace(-math.pi, math.pi, 50, dtype=f64)
y = torch.sin(x)
b, d = torch.tensor(-1.0, dtype=f64), torch.tensor(0.3, dtype=f64)
for _ in range(300):
    z = d * x
    p = (5 * z**3 - 3 * z) / 2
    g = 2 * (b * p - y)
    loss = ((b * p - y) ** 2).sum()
    to_b, to_d = (g * p).sum(), (g * b * (15 * z**2 - 3) / 2 * x).sum()
    b, d = b - rate * to_b, d - rate * to_d
ladder["Tensor"] = loss.item(), b.item(), d.item()
print(f"loss {loss:.6f}  b {b:.6f}  d {d:.6f}")

# %% [markdown]
# **Rung 3, autograd.** `backward` replaces the two lines of derivatives. The update stands under
# `no_grad`, since it is no part of the function.

# %%
# %%twin
def train(predict):
    b, d = (torch.tensor(v, dtype=f64, requires_grad=True) for v in (-1.0, 0.3))
    for _ in range(300):
        loss = (predict(b, d) - y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for weight in (b, d):
                weight -= rate * weight.grad
                weight.grad = None
    print(f"loss {loss:.6f}  b {b:.6f}  d {d:.6f}")
    return loss.item(), b.item(), d.item()


ladder["autograd"] = train(lambda b, d: b * (5 * (d * x) ** 3 - 3 * (d * x)) / 2)

# %% [markdown]
# **Rung 4, Function.** P₃ becomes an operation of its own: one node instead of five, with a
# derivative that a person has simplified. It is checked first.

# %%
class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (5 * z**3 - 3 * z) / 2

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * 1.5 * (5 * z**2 - 1)


# %%
# %%twin
P3 = LegendrePolynomial3.apply
print(torch.autograd.gradcheck(P3, at))
ladder["Function"] = train(lambda b, d: b * P3(d * x))

# %% [markdown]
# **Rung 5, nn.** A module owns b and d as *parameters*, and a layer for the loss replaces the
# formula.

# %%
# %%twin
class Wave(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.b = torch.nn.Parameter(torch.tensor(-1.0, dtype=f64))
        self.d = torch.nn.Parameter(torch.tensor(0.3, dtype=f64))

    def forward(self, x):
        return self.b * P3(self.d * x)


squares = torch.nn.MSELoss(reduction="sum")
model = Wave()
print(model)

# %%
# %%twin
for _ in range(300):
    loss = squares(model(x), y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for weight in model.parameters():
            weight -= rate * weight.grad
ladder["nn"] = loss.item(), model.b.item(), model.d.item()
print(f"loss {loss:.6f}  b {model.b.item():.6f}  d {model.d.item():.6f}")

# %% [markdown]
# **Rung 6, optim.** The update has a name, too.

# %%
# %%twin
model = Wave()
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
for _ in range(300):
    loss = squares(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
ladder["optim"] = loss.item(), model.b.item(), model.d.item()
print(f"loss {loss:.6f}  b {model.b.item():.6f}  d {model.d.item():.6f}")

# %%
print("rung        loss       b          d")
for rung, (loss, b, d) in ladder.items():
    print(f"{rung:9} {loss:9.6f} {b:10.6f} {d:9.6f}")
rows = np.array(list(ladder.values()))
print("all rungs agree to 10 digits:", np.allclose(rows, rows[0], rtol=1e-10, atol=0))

# %% [markdown]
# Six programs, one computation. Each rung gives a name to what the rung below spelled out, and none
# changes a number. When something goes wrong on the top rung, you can climb down.

# %% [markdown]
# ## Exercise 1 · The backward of P₄
# *Difficulty ●●○○○ · 5 minutes*
#
# P₄(x) = (35x⁴ − 30x² + 3) / 8 is the next polynomial of the family. Complete its backward.

# %%
from autogradlab.lessons import custom_function as exercises


class LegendrePolynomial4(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (35 * x**4 - 30 * x**2 + 3) / 8

    @staticmethod
    def backward(ctx, g):
        return ...


exercises.legendre.check(LegendrePolynomial4)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `(x,) = ctx.saved_tensors` gives x back. Differentiate the polynomial term by term.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The derivative of x⁴ is 4x³, of x² it is 2x, of a constant 0. Keep the division by 8. What else
# belongs to a gradient that is sent on?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# class LegendrePolynomial4(torch.autograd.Function):
#     @staticmethod
#     def forward(ctx, x):
#         ctx.save_for_backward(x)
#         return (35 * x**4 - 30 * x**2 + 3) / 8
#
#     @staticmethod
#     def backward(ctx, g):
#         (x,) = ctx.saved_tensors
#         return g * (140 * x**3 - 60 * x) / 8
# ```
#
# </details>
#
# ## Exercise 2 · Straight through a step
# *Difficulty ●●○○○ · 4 minutes*
#
# Rounding has the derivative 0 nearly everywhere, so nothing before it would learn. The
# *straight-through estimator* tells a useful lie: it rounds going forward, and going backward it
# acts as if forward had returned x itself.

# %%
class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, g):
        return ...


exercises.straight_through.check(Round)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What is the derivative of x ↦ x?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Incoming gradient times local derivative, and that derivative is 1. Nothing needs to be saved.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# class Round(torch.autograd.Function):
#     @staticmethod
#     def forward(ctx, x):
#         return torch.round(x)
#
#     @staticmethod
#     def backward(ctx, g):
#         return g
# ```
#
# gradcheck would fail it, and rightly: it is no derivative of what forward computes.
#
# </details>
#
# ## Exercise 3 · What gradcheck says
# *Difficulty ●●●○○ · 5 minutes*
#
# Four checks, all with h = 1e−6. A list of 1 for passes and 0 for fails.
#
# 1. y = x² with the backward g · x², at x = 2, float64
# 2. relu with its own backward, at x = 1e−7, float64
# 3. |x| with the backward g · sign(x), at x = 0, float64
# 4. x³ with the backward g · 3x², at x = 2, float32

# %%
answer = ...
exercises.verdicts.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# It does not matter here which backward is right. Compute two numbers for each.
#
# </details>
# <details><summary>Hint 2</summary>
#
# For the third: sign(0) is 0, and (|h| − |−h|) / 2h is what?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [1, 0, 1, 0]
# ```
#
# 4 = 4; 1 against 0.55; 0 = 0; 12 against what float32 has left, 11.44.
#
# </details>
#
# ## Exercise 4 · Catch a wrong backward
# *Difficulty ●●●○○ · 4 minutes*
#
# The backward of `Ramp` is wrong. Its author has checked it with `torch.rand` a hundred times, and
# it passed each time. Give one number x at which gradcheck notices.

# %%
# %%twin
class Ramp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.relu()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x


print(torch.autograd.gradcheck(Ramp.apply, torch.rand(9, dtype=f64, requires_grad=True)))

# %%
answer = ...
exercises.caught.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `torch.rand` draws between 0 and 1. What is y elsewhere?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Sketch y = x · relu(x). On which side does it stand still, and what does backward say there?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = -1.0
# ```
#
# There y is 0 and stays 0, and backward says −2. Use `torch.randn`, which has both signs.
#
# </details>
#
# ## Exercise 5 · Mend a backward
# *Difficulty ●●●●○ · 6 minutes*
#
# `Scale` multiplies every row of a batch by the same w. Its backward was
# `return g * w, (g * x).mean(0)`. Write the right one.

# %%
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):  # x has rows and columns, w a number for each column
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, g):
        return ..., ...


exercises.mended.check(Scale)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `x, w = ctx.saved_tensors` gives both back. One of the two gradients was right.
#
# </details>
# <details><summary>Hint 2</summary>
#
# w was copied to every row. What happens to gradients where a value was copied?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# class Scale(torch.autograd.Function):
#     @staticmethod
#     def forward(ctx, x, w):
#         ctx.save_for_backward(x, w)
#         return x * w
#
#     @staticmethod
#     def backward(ctx, g):
#         x, w = ctx.saved_tensors
#         return g * w, (g * x).sum(0)
# ```
#
# PyTorch would also take `g * x` without the sum: it adds up what is too large for the input, as it
# does for broadcasting. A mean it cannot repair.
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - A *Function* has a forward and a backward, and `ctx` carries what the one saves for the other.
#   `backward` returns a gradient for each input of `forward`, None where there is none.
# - `gradcheck` compares backward with nudges of 1e−6, cell by cell, in float64. A right backward
#   has a valley over h, a wrong one a flat line.
# - It sees one point: choose random numbers of both signs, away from kinks, two rows or more, sizes
#   that differ. `gradgradcheck` looks at the second derivative.
# - NumPy, Tensor, autograd, Function, nn, optim: six rungs, the same numbers.
#
# **If something went wrong.** *incorrect number of gradients*: return one for each input of
# forward. *gradcheck fails, and the backward looks right*: is the input float64? Is there a kink
# within 1e−6? *torch.func asks for setup_context*: write forward without ctx, and save in
# `setup_context`.
#
# **Next:** [12 · The gradient of a gradient](12_higher_order.ipynb), where a gradient is itself
# differentiated.
