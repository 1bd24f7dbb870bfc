# %% [markdown]
# # 08 · Gradients of tensors
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/08_tensors.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/08_tensors.ipynb)
#
# **Afterwards you can** find the gradient of a broadcast, a matrix product, a sum or mean, and
# softmax with cross-entropy, mostly from the shapes alone, and add an operation to the engine.
# **Time:** 40 minutes. **You need:** lessons 04 and 05.

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
# 1. x is used twice; its two arrows bring back 2 and 5. What is x.grad?
# 2. Q has three numbers, x has two. How many numbers has `gradient=`, and how many x.grad?
#
# <details><summary>Answers</summary>
#
# 1. 7. Where paths meet, gradients add.
# 2. Three come in, one for each output; two arrive, one for each input.
#
# </details>

# %% [markdown]
# ## A tensor that is used more than once
#
# A tensor's *shape* lists how long each of its *axes* is. a has shape (2, 3): axis 0 runs over 2
# rows, axis 1 over 3 columns. b has shape (3). **Predict** the shape of a · b.

# %%
# %%twin
a = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
b = torch.tensor([10.0, 20.0, 30.0], requires_grad=True)
y = a * b
print(y)

# %% [markdown]
# b is multiplied with every row, as if it had been copied. That is called *broadcasting*.
#
# A gradient has the shape of its tensor. Let a gradient of ones come in at y. **Predict** the three
# numbers of b.grad.

# %%
# %%twin
y.backward(gradient=torch.ones(2, 3))
print(b.grad)

# %% [markdown]
# The first element of b met 1 in the first row and 4 in the second. Two paths lead back to it, and
# where paths meet, gradients add: 1 + 4 = 5.
#
# ## The idea in one picture
#
# **Copying forward is summing backward.** Press **▶** and watch b: on the way forward it is copied
# (the hatched cells), on the way back the gradients of the copies are summed. **Before each step,
# predict** the shapes.

# %%
from autogradlab.instruments import ShapeTracer

ShapeTracer("a * b")

# %% [markdown]
# The table under the picture is the *saved-value peek*: what each operation keeps until its
# backward step. A product keeps both inputs, since each one's gradient needs the other. Afterwards
# they are freed.
#
# Bringing a gradient back to the shape of its tensor is called *un-broadcasting*. By hand:

# %%
# %%twin
g = torch.ones(2, 3)  # what came in
g_copies = g * a  # the gradient of the copies: the product swaps
g_b = g_copies.sum(0)  # summed over axis 0, along which b was copied
print(g_copies.shape, g_b.shape, g_b == b.grad)

# %% [markdown]
# Which axes are they? Write both shapes *flush right*. An axis that is missing on the left, or that
# has length 1 where the other is longer, is copied.
#
# | | axis 0 | axis 1 |
# |---|---|---|
# | a | 2 | 3 |
# | b | | 3 |
# | c | 2 | 1 |
#
# c has shape (2, 1), so it is copied 3 times along axis 1. Its axis stays when the gradient is
# summed: `keepdim=True`. **Predict** c.grad.

# %%
# %%twin
c = torch.tensor([[100.0], [200.0]], requires_grad=True)
y = a * c
y.backward(gradient=torch.ones(2, 3))
g_c = a.sum(1, keepdim=True)
print(c.grad)
print(torch.equal(g_c, c.grad))

# %% [markdown]
# ## A mistake that runs
#
# Three predictions p, three labels. The loss is the mean of (p − label)². Here p is off by 1, 0 and
# 0, so the loss should be 1/3. But the labels come as a column: shape (3, 1). **Predict** the shape
# of the difference, and the loss.

# %%
# %%twin
p = torch.tensor([2.0, 2.0, 3.0], requires_grad=True)
label = torch.tensor([[1.0], [2.0], [3.0]])
difference = p - label
loss = (difference**2).mean()
loss.backward()
print(difference.shape, loss)
print(p.grad)

# %% [markdown]
# (3) against (3, 1) is (3, 3): every prediction is compared with every label. There is no error.
# But the loss is 1, and the gradient pulls each prediction to the mean of the labels, 2: it moves
# the right p₂ = 3 and leaves the wrong p₀ = 2. Watch both get stretched:

# %%
ShapeTracer("((p - label) ** 2).mean()")

# %% [markdown]
# `mse_loss`, which computes the same, at least warns. **Predict:** what does it complain about?

# %%
# %%twin
loss = torch.nn.functional.mse_loss(p, label)

# %% [markdown]
# The repair: give both the same shape, and say so where it matters. `squeeze(1)` takes away an axis
# of length 1.

# %%
# %%twin
p = torch.tensor([2.0, 2.0, 3.0], requires_grad=True)
target = label.squeeze(1)
assert target.shape == p.shape
loss = ((p - target) ** 2).mean()
loss.backward()
print(loss, p.grad)

# %% [markdown]
# ## A matrix product, from its shapes
#
# X @ W multiplies each row of X with each column of W and adds up: shapes (4, 3) and (3, 2) give
# (4, 2); the inner 3 is summed away.
#
# Let G (4, 2) come in. The gradient of X must have shape (4, 3), and is made of G and W, since a
# product swaps. Turning a matrix over, Wᵀ or in code `W.T`, swaps its axes. **Predict:** which
# product of G (4, 2) and W (3, 2) has that shape?

# %%
# %%twin
X = torch.tensor([[1.0, 2, 0], [0, 1, 1], [2, 0, 1], [1, 1, 1]], requires_grad=True)
W = torch.tensor([[1.0, -1], [2, 0], [0, 3]], requires_grad=True)
G = torch.tensor([[1.0, 0], [0, 2], [1, 1], [0, 1]])
y = X @ W
y.backward(gradient=G)
print(torch.equal(X.grad, G @ W.T))
print(torch.equal(W.grad, X.T @ G))

# %% [markdown]
# Only G @ Wᵀ fits: (4, 2) @ (2, 3). Likewise the gradient of W, (3, 2), is Xᵀ @ G: (3, 4) @ (4, 2).
# There is nothing to remember: **write down the shapes, and one product fits.**
#
# A layer of a network adds a bias v, one number for each column, and it is broadcast. **Predict**
# all three gradients' shapes, and what each of the three operations keeps. Then step. (The tracer
# takes a function as well as text.)

# %%
v = torch.tensor([0.5, -0.5], requires_grad=True)


def layer(X, W, v):
    return (X @ W + v).sum()


ShapeTracer(layer)

# %% [markdown]
# The sum kept nothing, the addition kept nothing: their gradients need no values. The product kept
# X and W. Whatever a button does, a method does too:

# %%
tracer = ShapeTracer(layer)
print(tracer.jump(5))
print(tracer.keeps("X @ W"))

# %% [markdown]
# ## Sum, mean, max: the other way round
#
# A *reduction* makes an axis disappear, or all of them: one number has the shape (). Backward, the
# gradient is copied along it: **summing forward is copying backward.** A mean also divides by the
# number of elements, and a maximum sends everything to the largest. **Predict** the three gradients
# of x.

# %%
# %%twin
x = torch.tensor([[1.0, 5.0], [4.0, 2.0]], requires_grad=True)
(sum_grad,) = torch.autograd.grad(x.sum(), x)
(mean_grad,) = torch.autograd.grad(x.mean(), x)
(amax_grad,) = torch.autograd.grad(x.amax(1).sum(), x)  # the largest of each row
print(sum_grad, mean_grad, amax_grad, sep="\n")

# %% [markdown]
# ## Softmax and cross-entropy
#
# A classifier gives one *score* z for each class. *Softmax* makes probabilities of them:
# p = exp(z) / sum of all exp(z). They are positive and add up to 1. *Cross-entropy* is
# −log of the probability of the right class: 0 if that is 1, and large if it is small.
#
# y marks the right class with a 1. **Predict** the signs of z.grad: which score should grow to make
# the loss smaller?

# %%
# %%twin
z = torch.tensor([2.0, 1.0, 0.0], requires_grad=True)
y = torch.tensor([0.0, 1.0, 0.0])  # class 1 is right
p = z.softmax(0)
loss = -(y * p.log()).sum()
loss.backward()
print(p, loss)
print(z.grad)

# %% [markdown]
# Compare z.grad with p. Only the right class differs, by exactly 1: **gradient = p − y.**
#
# 1. −log sends −1/p to the p of the right class: g = [0, −4.086, 0].
# 2. Softmax takes the sum of g · p from every g (if one probability gains, the others lose), then
#    multiplies by p.
#
# That sum is −4.086 · 0.2447 = −1. So each class receives p · (g + 1): p where g is 0, and p − 1
# at the right class.

# %%
# %%twin
g = -y / p  # sent by −log and the sum
g_z = p * (g - (g * p).sum())  # sent by softmax
print(torch.allclose(g_z, z.grad), torch.allclose(p - y, z.grad))

# %% [markdown]
# PyTorch joins both in one function that is also exact for large scores. It takes the scores, and
# the *number* of the right class. For several examples it gives the mean loss.

# %%
# %%twin
scores = torch.tensor([[2.0, 1.0, 0.0], [0.5, -1.0, 3.0]], requires_grad=True)
classes = torch.tensor([1, 2])
loss = torch.nn.functional.cross_entropy(scores, classes)
loss.backward()
print(loss)
print(scores.grad.sum(1).abs() < 1e-6)  # each row adds up to 0, since p and y add up to 1

# %% [markdown]
# ## An operation is a few lines
#
# Every operation of this engine is a `Primitive`: the name of its node, a forward function on NumPy
# arrays, and one formula for each input. The names of the formula's parameters say what is saved: g
# is what came in, x the input, `result` the output.
#
# This is no twin cell: PyTorch has no `Primitive`.

# %%
cube = torch.primitive.Primitive(
    "CubeBackward0",
    lambda x: x**3,
    x=lambda g, x: g * 3 * x**2,
)
x = torch.tensor([2.0, 3.0], requires_grad=True)
y = cube(x)
y.backward(gradient=torch.tensor([1.0, 1.0]))
print(y, x.grad)

# %% [markdown]
# There is no un-broadcasting in a formula: the engine does that for all of them. The real ones are
# in [`autogradlab/derivatives`](https://github.com/autogradlab/autogradlab/tree/v0.1.0/autogradlab/derivatives).
#
# Is it right? Four tests: the value, the gradient, and the gradient of the gradient (*second
# order*), each against PyTorch's; and *gradcheck*, which nudges every input. `wrong` forgets a
# square. **Predict** which of its tests fail.

# %%
from autogradlab.lessons import op_tests

wrong = torch.primitive.Primitive(
    "CubeBackward0",
    lambda x: x**3,
    x=lambda g, x: g * 3 * x,
)
op_tests(cube=(cube, lambda x: x**3), wrong=(wrong, lambda x: x**3))

# %% [markdown]
# The value of `wrong` is right, and nobody would notice before a network fails to learn. Its errors
# are relative: 0.5 is half of the largest number compared.
#
# Last, thirty operations of this package, and your cube. Each error is the worst of all numbers
# compared, computed now, on your machine:

# %%
from autogradlab.lessons import op_table

op_table(cube=(cube, lambda x: x**3))

# %% [markdown]
# ## Exercise 1 · Un-broadcast
# *Difficulty ●●●○○ · 8 minutes*
#
# g is the gradient of the copies of x. Sum it back to the shape of x: over axes that are missing in
# x, and over axes where x has length 1.

# %%
from autogradlab.lessons import tensors as exercises


def unbroadcast(g, x):
    return ...


exercises.unbroadcast.check(unbroadcast)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two loops. First: while g has more axes than x (`g.ndim`, `x.ndim`), sum over axis 0. Now both
# have equally many.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Second: for each axis i where `x.shape[i]` is 1, sum g over i, and keep the axis:
# `g.sum(i, keepdim=True)`. In NumPy it is called `keepdims`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def unbroadcast(g, x):
#     while g.ndim > x.ndim:
#         g = g.sum(0)
#     for i in range(x.ndim):
#         if x.shape[i] == 1:
#             g = g.sum(i, keepdim=True)
#     return g
# ```
#
# </details>
#
# ## Exercise 2 · A matrix product backward
# *Difficulty ●●○○○ · 5 minutes*
#
# y = A @ B, and g comes in. No calculus: only shapes.
#
# **2a** What is sent to A?

# %%
def left(g, A, B):
    return ...


exercises.left.check(left)

# %% [markdown]
# **2b** What is sent to B?

# %%
def right(g, A, B):
    return ...


exercises.right.check(right)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Take A (2, 3) and B (3, 4). Which shape has g, and which shape must each answer have?
#
# </details>
# <details><summary>Hint 2</summary>
#
# One factor is g. The other is the other matrix, turned over with `.T`. In which order do the
# inner lengths meet?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def left(g, A, B):
#     return g @ B.T
#
#
# def right(g, A, B):
#     return A.T @ g
# ```
#
# </details>
#
# ## Exercise 3 · Softmax with cross-entropy
# *Difficulty ●●●○○ · 8 minutes*
#
# z are scores, y marks the right class with a 1. Return the gradient of the cross-entropy. No
# `backward()`.
#
# **3a** One example: z and y have one axis.

# %%
def one_example(z, y):
    return ...


exercises.one_example.check(one_example)

# %% [markdown]
# **3b** A batch: one row for each example, and the loss is the mean over the examples.

# %%
def batch(z, y):
    return ...


exercises.batch.check(batch)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Compute the probabilities first, with `torch.softmax(z, axis)`. Along which axis do they add up
# to 1?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The formula is in the lesson, in bold. A mean over n examples sends each one nth: n is `len(z)`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def one_example(z, y):
#     return torch.softmax(z, 0) - y
#
#
# def batch(z, y):
#     return (torch.softmax(z, 1) - y) / len(z)
# ```
#
# </details>
#
# ## Exercise 4 · An operation of your own
# *Difficulty ●●●●○ · 10 minutes*
#
# Declare 1 / (1 + x²), a bell-shaped curve, as a `Primitive` with the name "BellBackward0". When it
# is right, put it in the table: `op_table(bell=(bell, lambda x: 1 / (1 + x**2)))`.

# %%
bell = ...
exercises.bell.check(bell)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Start from a copy of `cube`. It has three parts: the name, the forward function, and a formula
# called x.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With u = 1 + x² it is 1/u. The chain rule: the derivative of 1/u is −1/u², that of u is 2x. And
# 1/u is the `result`, which a formula may ask for: `lambda g, x, result: …`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# bell = torch.primitive.Primitive(
#     "BellBackward0", lambda x: 1 / (1 + x**2), x=lambda g, x, result: -2 * g * x * result**2)
# ```
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - A gradient has the shape of its tensor.
# - Copying forward is summing backward; summing forward is copying backward.
# - A matrix product sends G @ Bᵀ to A and Aᵀ @ G to B: the only products whose shapes fit.
# - Softmax with cross-entropy: p − y.
# - An operation is a forward function, and a formula for each input.
#
# **If something went wrong.** *The loss stays high and all predictions become alike*: look for
# (n) against (n, 1). *The size of tensor a must match the size of tensor b*: write the shapes flush
# right, and find the axis where neither is 1.
#
# **Next:** [09 · Exclusion from the graph](09_exclusion.ipynb): who takes part, and who does not.
