# %% [markdown]
# # 06 · Rows and columns of the Jacobian
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/06_jacobians.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/06_jacobians.ipynb)
#
# **Afterwards you can** say what fills a row of a Jacobian and what fills a column, choose the
# cheaper of the two, and carry a derivative forward by hand. **Time:** 35 minutes. **You need:**
# lesson 05.

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
# 1. Three outputs are made of two inputs. How many rows and columns has their Jacobian?
# 2. `y.backward(gradient=v)` with v = [0, 1, 0]: what is in `x.grad`?
#
# <details><summary>Answers</summary>
#
# 1. Three rows and two columns: a row for each output, a column for each input.
# 2. The second row of the Jacobian. v weighs the rows, and only the second counts.
#
# </details>

# %% [markdown]
# ## A row: one backward pass
#
# Two outputs made of three inputs: y₀ = x₀ · x₁ and y₁ = x₁² + 3 · x₂, at x = [2, 5, 1].
#
# **Predict** the six numbers of the Jacobian, two rows of three. Then run: this backward pass
# starts with v = [1, 0], so it asks for y₀ alone.

# %%
# %%twin
def f(x):
    return torch.stack([x[0] * x[1], x[1] ** 2 + 3 * x[2]])


x = torch.tensor([2.0, 5.0, 1.0], requires_grad=True)
y = f(x)
y.backward(gradient=torch.tensor([1.0, 0.0]))
print(x.grad)

# %% [markdown]
# [5, 2, 0] is the first row. A product swaps: x₀ receives 5, x₁ receives 2. The 0 says that y₀ does
# not use x₂.
#
# ## A column: one nudge
#
# A row is what *one output* feels from all inputs. A column is what *one input* does to all
# outputs. **Predict:** x₁ grows by 0.001. By how much does each output grow, per unit of the nudge?

# %%
# %%twin
x = torch.tensor([2.0, 5.0, 1.0], dtype=torch.float64)
nudge = torch.tensor([0.0, 0.001, 0.0], dtype=torch.float64)
print((f(x + nudge) - f(x)) / 0.001)

# %% [markdown]
# Nearly [2, 10], the second column: x₀ = 2, and 2 · x₁ = 10. A nudge of finite size leaves the
# 0.001. `torch.func.jvp` does the same with a nudge that is infinitely small, so it leaves
# nothing. It takes the function, the place and the *direction* of the nudge, and returns what f
# gives and how that moves.

# %%
# %%twin
x = torch.tensor([2.0, 5.0, 1.0])
direction = torch.tensor([0.0, 1.0, 0.0])
y, moved = torch.func.jvp(f, (x,), (direction,))
print(y)
print(moved)

# %% [markdown]
# How the outputs move is their *tangent*. *jvp* stands for *Jacobian–vector product*, J times
# the direction.
#
# **Predict** the tangent for the direction [1, 1, 0].

# %%
# %%twin
direction = torch.tensor([1.0, 1.0, 0.0])
y, moved = torch.func.jvp(f, (x,), (direction,))
print(moved)

# %% [markdown]
# [5, 0] + [2, 10] = [7, 10]: a jvp weighs the *columns* and adds them, as a backward pass weighs
# the rows. The other way has its function too: `torch.func.vjp` runs f once and returns a function
# that takes v and gives vᵀJ. **Predict** its result for v = [0, 1].

# %%
# %%twin
y, back = torch.func.vjp(f, x)
(row,) = back(torch.tensor([0.0, 1.0]))
print(row)

# %% [markdown]
# ## The idea in one picture
#
# A table with a row for each output and a column for each input. A backward pass starts at an
# output and fills its row. A jvp starts at an input and fills its column. Where both have been,
# they have found the same number.

# %%
from autogradlab.instruments import JacobianPainter

painter = JacobianPainter(f, x)
painter.row(0)
painter.column(1)
painter

# %% [markdown]
# ## Paint it yourself
#
# The same table, empty. Click a name (or move with the arrow keys, then Enter): each click is one
# pass. A bar shows the size of a number, a hatched edge a minus.
#
# **Predict** the fewest passes that fill it, then try. Afterwards press *Empty the table* and fill
# it the other way.

# %%
JacobianPainter(f, x)

# %% [markdown]
# Two backward passes, or three jvps. Now a function with one input and five outputs, all made of
# the number t. **Predict** both costs first.

# %%
# %%twin
def curve(t):
    return torch.stack([t[0], t[0] ** 2, t[0] ** 3, -t[0], 4 - t[0]])


t = torch.tensor([2.0])
y = curve(t)
print(y)

# %%
JacobianPainter(curve, t, inputs=["t"])

# %% [markdown]
# ## The cost rule
#
# With n inputs and m outputs the whole table takes n jvps (*forward mode*, from inputs to outputs)
# or m backward passes (*reverse mode*, from outputs to inputs). Each pass, of either kind, costs a
# few times as much as computing f once, however long the row or column is.
#
# **Few inputs: forward. Few outputs: reverse.** Which one does training need? A loss is one output
# of millions of parameters.

# %%
shapes = {"f": (3, 2), "curve": (1, 5), "a loss of ResNet-18": (11_689_512, 1)}
for name, (n, m) in shapes.items():
    mode = "forward" if n < m else "reverse"
    print(f"{name}: {n:,} × jvp or {m:,} × backward, so {mode} mode")

# %% [markdown]
# That is why deep learning runs backward: one pass brings all 11,689,512 derivatives. The price is
# memory. A backward pass needs the values saved on the way forward; a jvp needs none of them.
#
# Two functions make the whole table: `jacrev` row by row, `jacfwd` column by column. **Predict**
# whether they agree.

# %%
# %%twin
by_rows = torch.func.jacrev(f)(x)
by_columns = torch.func.jacfwd(f)(x)
print(by_rows)
print(torch.equal(by_rows, by_columns))

# %% [markdown]
# ## A usual slip
#
# v has one number for each output, a direction one for each input. f has two outputs and three
# inputs. **Predict** what this cell says; it announces an error.

# %%
# %%twin raises=RuntimeError
torch.func.jvp(f, (x,), (torch.tensor([1.0, 0.0]),))

# %% [markdown]
# The direction must have the shape of x. The names help: in vᵀJ the vector stands left, at the
# rows; in J·u (u is the direction) it stands right, at the columns.
#
# ## Dual numbers
#
# How can a nudge be infinitely small? Write 3 + 1·ε, where ε ("epsilon") is a new number of which
# we know one thing: **ε² = 0**. It is not zero itself. Such a pair is a *dual number*: a value, and
# beside ε a tangent. **Predict** its square by multiplying out.

# %%
# %%twin
value, tangent = 3.0, 1.0
square_value = value * value
square_tangent = tangent * value + value * tangent
print(f"({value} + {tangent} ε)² = {square_value} + {square_tangent} ε")

# %% [markdown]
# 9 + 6ε + ε², and the last is zero. The 6 beside ε is the derivative of x² at 3: nobody had to know
# the rule 2x. In general
#
# (a + a′ε) · (b + b′ε) = a·b + (a′·b + a·b′)·ε,
#
# the product rule from school. A class with a sum and a product is a small forward-mode engine.
# **Predict** what it makes of x · x + x at x = 3.

# %%
class Dual:
    def __init__(self, value, tangent):
        self.value, self.tangent = value, tangent

    def __add__(self, b):
        return Dual(self.value + b.value, self.tangent + b.tangent)

    def __mul__(self, b):
        tangent = self.tangent * b.value + self.value * b.tangent
        return Dual(self.value * b.value, tangent)


three = Dual(3.0, 1.0)
result = three * three + three
print(f"{result.value} + {result.tangent} ε")

# %% [markdown]
# `jvp` works this way: every operation carries a tangent along with its value, by a rule of its
# own. With the tangent 1 for x, the last tangent is the derivative. Do both engines agree with your
# 12 + 7ε? (The class can hold tensors, too.)

# %%
# %%twin
one, start = torch.tensor(1.0), torch.tensor(3.0)
three = Dual(start, one)
result = three * three + three
y, slope = torch.func.jvp(lambda x: x * x + x, (start,), (one,))
print(y == result.value, slope == result.tangent)

# %% [markdown]
# ## Step through it
#
# y = x · sin(x) at x = 3, on dual numbers. Press **▶**. **Before each step, predict** its tangent,
# the number with the ε. sin(3) is 0.1411 and cos(3) is −0.99.
#
# Then move x, or type a formula of your own: `x**3 - 2*x`, `exp(-x**2)`.

# %%
from autogradlab.instruments import DualStepper

DualStepper("x*sin(x)", x=3.0)

# %% [markdown]
# No step looked back: value and tangent were ready together, and earlier ones could be forgotten.
#
# PyTorch has dual numbers for tensors too. `make_dual` joins a value and a tangent, `unpack_dual`
# takes them apart, and both are valid inside a `dual_level`. **Predict** the tangent.

# %%
# %%twin
import torch.autograd.forward_ad as forward_ad

x = torch.tensor(3.0)
with forward_ad.dual_level():
    d = forward_ad.make_dual(x, torch.tensor(1.0))
    y, slope = forward_ad.unpack_dual(d * torch.sin(d))
print(y, slope)

# %% [markdown]
# ## Mostly zeros
#
# Many tables are *sparse*: most of their cells are zero, whatever x is, because an output uses only
# a few inputs. Here each output is the product of two neighbours. **Predict** where the zeros are.

# %%
# %%twin
def neighbours(x):
    return x[:-1] * x[1:]


x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
J = torch.func.jacrev(neighbours)(x)
print(J)

# %%
painter = JacobianPainter(neighbours, x)
painter.column(0)
painter

# %% [markdown]
# The columns of x₀, x₂ and x₄ have no row in common. So nudge all three at once: nothing mixes, and
# one jvp brings three columns. **Predict** its five numbers, then how many jvps the whole table
# takes.

# %%
# %%twin
even = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
odd = 1 - even
_, first = torch.func.jvp(neighbours, (x,), (even,))
_, second = torch.func.jvp(neighbours, (x,), (odd,))
print(first)
print(second)

# %% [markdown]
# Two, instead of six: every number of J that is not zero stands in one of them. With a thousand
# inputs it would still be two.

# %% [markdown]
# ## Exercise 1 · Where the table is zero
# *Difficulty ●●○○○ · 4 minutes*
#
# y₀ = x₀ · x₁, y₁ = sin(x₂), y₂ = x₀² + 7. Write the pattern of its Jacobian: three rows of three
# numbers, a 1 where the derivative can differ from zero, a 0 where it is zero for every x.

# %%
from autogradlab.lessons import jacobians as exercises

pattern = [..., ..., ...]
exercises.sparsity.check(pattern)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# One row for each output, one column for each input. Begin with y₀: which inputs does it use?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A constant is no input. A list of lists: `[[1, …, …], […, …, …], […, …, …]]`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# pattern = [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
# ```
#
# </details>
#
# ## Exercise 2 · The cheaper mode
# *Difficulty ●●○○○ · 3 minutes*
#
# The fewest passes that fill the whole table, all in one mode, for a function with
# 3 inputs and 100 outputs; 11,689,512 inputs and 1 output; 64 inputs and 10 outputs; 1 input and
# 500 outputs. A list of four numbers. Say to yourself each time which mode it is.

# %%
answer = ...
exercises.passes.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# One jvp fills a column. How many columns are there?
#
# </details>
# <details><summary>Hint 2</summary>
#
# By columns it takes as many passes as there are inputs, by rows as many as there are outputs.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [3, 1, 10, 1]
# ```
#
# Forward, reverse, reverse, forward.
#
# </details>
#
# ## Exercise 3 · A product of dual numbers
# *Difficulty ●●○○○ · 3 minutes*
#
# (2 + 3ε) · (4 + 5ε). A list of two numbers: the value and the tangent.

# %%
answer = ...
exercises.product.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Multiply out as with any brackets: four products.
#
# </details>
# <details><summary>Hint 2</summary>
#
# One of the four has no ε, two have one, and one has ε², which is zero.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [8, 22]
# ```
#
# 2·4 = 8, and beside ε 3·4 + 2·5 = 22.
#
# </details>
#
# ## Exercise 4 · The sine of a dual number
# *Difficulty ●●●○○ · 5 minutes*
#
# A rule for the forward-mode engine: value + tangent·ε goes in, return the value and the tangent
# of its sine.

# %%
def dual_sine(value, tangent):
    return ..., ...


exercises.dual_sine.check(dual_sine)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The value is what it would be without ε. The tangent is a nudge: how many times as large does the
# sine make it?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The chain rule: local derivative, taken at the value, times the tangent that came in. The
# derivative of the sine is the cosine, `torch.cos`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def dual_sine(value, tangent):
#     return torch.sin(value), torch.cos(value) * tangent
# ```
#
# </details>
#
# ## Exercise 5 · A column by one jvp
# *Difficulty ●●●○○ · 5 minutes*
#
# h makes two outputs of three inputs. Return the column of x₁ in its Jacobian, computed by
# `torch.func.jvp`.

# %%
def column(x):
    def h(x):
        return torch.stack([x[0] * x[1], x[1] ** 2 + x[2]])

    return ...


exercises.column.check(column)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Which direction nudges x₁ and leaves the others? It is a tensor of three numbers.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.func.jvp(h, (x,), (direction,))` returns two things; the second is how the outputs move.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def column(x):
#     def h(x):
#         return torch.stack([x[0] * x[1], x[1] ** 2 + x[2]])
#
#     direction = torch.tensor([0.0, 1.0, 0.0])
#     return torch.func.jvp(h, (x,), (direction,))[1]
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - A *row* of the Jacobian belongs to an output: one backward pass fills it. A *column* belongs to
#   an input: one jvp fills it.
# - Few outputs: reverse mode (`backward`, `vjp`, `jacrev`). Few inputs: forward mode (`jvp`,
#   `jacfwd`). A loss is one output, so training runs backward.
# - A *dual number* a + a′ε with ε² = 0 carries a value and a tangent through every operation.
# - Where an output does not use an input the table is zero; columns that share no row go into one
#   jvp.
#
# **If something went wrong.** *A jvp complains about a size*: its direction has one number for
# each input, v has one for each output. *A jvp returns two things*: first the value, then the
# tangent.
#
# **Next:** [07 · The order of the backward pass](07_order.ipynb), where you build the engine that
# makes these passes yourself.
