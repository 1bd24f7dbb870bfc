# %% [markdown]
# # 03 · Recording
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/03_recording.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/03_recording.ipynb)
#
# **Afterwards you can** say what is stored while a calculation runs, when and why, name leaf and
# root, and read from a graph which way a program took. **Time:** 35 minutes. **You need:** lesson
# 00, Python, and derivatives from school.

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
# 1. x is 5 and grows to 5.001. By how much does x² grow, roughly?
# 2. What does `requires_grad=True` ask for?
#
# <details><summary>Answers</summary>
#
# 1. By 0.01. The gradient of x² at 5 is 10, so x² grows ten times as much as x.
# 2. That what is done with the tensor is recorded, so that `backward()` can walk back.
#
# </details>

# %% [markdown]
# ## Not asked, not recorded
#
# `backward()` needs to know how its result was computed. So somebody must write that down *while*
# it is computed. Each result has an attribute `grad_fn` for it: the record of the operation that
# made it.
#
# Here is the same product twice. **Predict** the two printed lines.

# %%
# %%twin
plain = torch.tensor(3.0)
print((plain * plain).grad_fn)
x = torch.tensor(3.0, requires_grad=True)
y = x * x
print(y.grad_fn.name())

# %% [markdown]
# `None`: without `requires_grad=True` nothing is written down. With it, the product left a
# *node*: an object that knows how to walk back through this one multiplication. `MulBackward0` is
# PyTorch's name for it.
#
# The wish spreads: one input that requires a gradient is enough for the result to require one, too.

# %%
# %%twin
z = plain + y
print(z.requires_grad, z.grad_fn.name())

# %% [markdown]
# ## The idea in one picture
#
# Nodes joined by edges make a *graph*. It comes about one operation at a time, in the order in
# which Python runs them.
#
# **Predict:** in `3*a**3 - b**2`, which operation is recorded first, and which last? Then press
# **▶** step by step. You can go back, too.

# %%
from autogradlab.instruments import GraphRecorder

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
GraphRecorder("3*a**3 - b**2")

# %% [markdown]
# Four operations, four nodes. The 3 is no node: nobody asked for its gradient. On top are the
# *leaves*, tensors you made yourself; at the bottom is the *root*, where `backward()` will start.
# Type another expression above the picture and press Enter.
#
# ## The same by hand
#
# An arrow shows the way of a value. The node stores the other direction, where its gradient will
# go, in `next_functions`: pairs of a node and a number, here always 0 (it matters where an
# operation has several results). **Predict** the names.

# %%
# %%twin
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
print(Q.grad_fn.name())
for node, _ in Q.grad_fn.next_functions:
    print("  ", node.name())
    for above, _ in node.next_functions:
        print("     ", above.name() if above else None)

# %% [markdown]
# `None` stands for the 3. The verdict's 6 nodes are four operations and two leaves, compared with
# PyTorch's node by node. `AccumulateGrad` is the node of a leaf: it will add what arrives to
# `.grad`. **Predict:** whose is the last one printed?

# %%
# %%twin
print(above.variable is b)

# %% [markdown]
# ## What is saved, and why
#
# On the way back a node multiplies what comes in by its *local derivative*, that of its own
# operation. For a³ that is 3a²: the node must still know a, so it *saves* it. A sum has 1, whatever
# its inputs are.
#
# Saved tensors are attributes: `_saved_self` is the input, `_saved_result` the result. **Predict**
# for each of four operations whether it has them. (The derivative of sin x is cos x, that of tanh x
# is 1 − (tanh x)².)

# %%
# %%twin
x = torch.tensor([1.0, 2.0], requires_grad=True)
for y in (x**3, x + 5, x.sin(), x.tanh()):
    print(y.grad_fn.name(), *(s in dir(y.grad_fn) for s in ("_saved_self", "_saved_result")))

# %% [markdown]
# The power and the sine need x. tanh needs only what it has just computed, so it saves that. The
# sum saves neither.
#
# Nothing is copied: what is saved is the tensor itself. But as long as the graph lives, that tensor
# cannot be thrown away, and a network has saved one or two for each of its operations: often most
# of the memory. **Predict** the two lines.

# %%
# %%twin
y = x**3
print(y.grad_fn._saved_self is x)
y = x.tanh()
print(y.grad_fn._saved_result)

# %% [markdown]
# In the recorder each step shows the *rule* for the way back: g is the gradient that comes in, and
# every tensor the rule reads is saved. **Predict** the bytes saved at the end (a number takes 4
# bytes, x holds two); then step.

# %%
y = (x.sin() + x.tanh()).sum()
GraphRecorder(y)

# %% [markdown]
# 16 bytes: x for the sine, the result for tanh. The two sums have saved no tensor.
#
# ## Leaf and root
#
# A leaf is a tensor that no recorded operation has made. Only leaves get a `.grad` unasked.
# **Predict:** is w below a leaf?

# %%
# %%twin
x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True) * 0.5
loss = w * x
loss.backward()
print(x.is_leaf, w.is_leaf, loss.is_leaf)
print(x.grad, w.grad)

# %% [markdown]
# A common slip. w is the *result* of a multiplication; the leaf is the 3, which nobody has kept. So
# w gets no `.grad`, and PyTorch warns. Make the number first, and ask for the gradient last:

# %%
# %%twin
w = torch.tensor(3.0 * 0.5, requires_grad=True)
loss = w * x
loss.backward()
print(w.is_leaf, w.grad)

# %% [markdown]
# ## A graph for each run
#
# What is recorded is what *ran*, not what is written. An `if` leaves no trace but the branch that
# was taken; a loop leaves each of its passes. Python decides anew in every run.
#
# **Predict** for x = 2, x = −3 and x = 3: which operations are recorded, and which two graphs are
# the same?

# %%
# %%twin
def program(x):
    if x > 0:
        y = x * x
        while y < 10:
            y = y * 3
        return y + 1
    return -x


inputs = [torch.tensor(number, requires_grad=True) for number in (2.0, -3.0, 3.0)]
results = [program(x) for x in inputs]
print([y.grad_fn.name() for y in results])

# %% [markdown]
# Each step below is one run. **Predict** its graph before you press **▶**.

# %%
GraphRecorder.of(program, inputs)

# %% [markdown]
# x = 3 starts from another number and takes the same way as x = 2: the `while` ran once in both.
# For x = 1 it would run three times; change an input above and see.
#
# The condition `x > 0` is no node. It gives True or False, and a nudge of x does not change that.
# So each graph is right for its own run:

# %%
# %%twin
for x, y in zip(inputs, results, strict=True):
    y.backward()
    print(x.item(), x.grad)

# %% [markdown]
# For x = 2 the program computed 3x² + 1, whose derivative is 6x = 12. For x = −3 it computed −x,
# with derivative −1.
#
# ## What is not recorded
#
# Work on tensors that require no gradient; comparisons; `.item()`, which makes a plain Python
# number. And what you exclude: inside `torch.no_grad()` nothing is recorded, and `x.detach()` is x
# without its past. Lesson 09 has more. **Predict** the lines.

# %%
# %%twin
x = torch.tensor(2.0, requires_grad=True)
with torch.no_grad():
    y = x * x
print(y.grad_fn, (x > 0).grad_fn, type(x.item()))
print((x.detach() * x).grad_fn.next_functions[0])

# %% [markdown]
# In the product the first input is cut off: its edge leads nowhere. And y has no graph at all.
# **Predict** what `backward()` says to that. This cell announces an error.

# %%
# %%twin raises=RuntimeError
y.backward()

# %% [markdown]
# *Does not require grad and does not have a grad_fn*: nothing was recorded, so there is no way
# back. When you meet this message, look for a forgotten `requires_grad=True`, a `no_grad`, or a
# `detach()`.
#
# In the recorder such a step has a dash instead of a number. Go to both dashes: what do they say?

# %%
c = torch.tensor(4.0)
GraphRecorder("(c + 1) * x + x.detach() * x", {"x": x, "c": c})

# %% [markdown]
# ## After backward
#
# The saved values are there for one way back. **Predict:** what is left of them afterwards?

# %%
# %%twin raises=RuntimeError
y = x * x
print(y.grad_fn._saved_self)
y.backward()
print(y.grad_fn.name(), x.grad)
print(y.grad_fn._saved_self)

# %% [markdown]
# The node is still there, with its name and its edges. What it had saved is *freed*, and asking for
# it is an error, as is a second `backward()`. Training never notices: each step computes its result
# again and so records a new graph. Lesson 05 keeps one alive on purpose.
#
# ## Exercise 1 · What is saved
# *Difficulty ●●○○○ · 4 minutes*
#
# x holds three numbers and requires a gradient. What do these save: "nothing", "x" or "result"?
# Numbers such as the 2 do not count.

# %%
from autogradlab.lessons import recording as exercises

answer = [
    ...,  # x * 2
    ...,  # x * x
    ...,  # x.exp()
    ...,  # x.sum()
]
exercises.saved.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Write down the local derivative of each. What occurs in it?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Type them into the first recorder, with a in the place of x, and read the rule of each.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = ["nothing", "x", "result", "nothing"]
# ```
#
# The derivative of exp(x) is exp(x), the result. A sum copies: it needs the shape of x alone.
#
# </details>
#
# ## Exercise 2 · The nodes of a loop
# *Difficulty ●○○○○ · 2 minutes*
#
# How many operations does this record?
#
# ```python
# y = x
# for i in range(3):
#     y = y * x + 1
# ```

# %%
answer = ...
exercises.nodes.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Write the loop out, as three lines without `for`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# How many operations has one line? Leaves and names are none.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 6
# ```
#
# </details>
#
# ## Exercise 3 · Code for a graph
# *Difficulty ●●●○○ · 8 minutes*
#
# Here is a graph on two leaves. The chip in a node names what it saves; the other labels tell no
# more than the order.

# %%
exercises.match_graph.picture()

# %% [markdown]
# Write a function of a and b that records this graph and returns its root.

# %%
def build(a, b):
    return ...


exercises.match_graph.check(build)

# %% [markdown]
# The next cell puts your graph beside it, once there is one. A ✓ joins what is the same; select a
# node to see what differs.

# %%
exercises.match_graph.compare(build)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Start on top: what does MulBackward0 join? Count the arrows that leave it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A result that is used twice needs a name: `u = …`. Of the two arrows into the last operation, the
# left one is its first input.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def build(a, b):
#     u = a * b
#     return u.exp() - u
# ```
#
# `(a * b).exp() - a * b` gives the same number and another graph: a · b is computed and recorded
# twice.
#
# </details>
#
# ## Exercise 4 · Which branch ran?
# *Difficulty ●●○○○ · 4 minutes*
#
# This program has a loop and two branches. It was run with a number that is not told; below is the
# graph it has recorded.

# %%
# %%twin
def route(x):
    while x < 10:
        x = x * 2
    if x > 15:
        return x - 15  # branch 1
    return x.sqrt()  # branch 2


y = route(torch.tensor(9.0, requires_grad=True))

# %%
exercises.mystery()

# %% [markdown]
# How many passes has the loop made, and which branch ran? Answer with two numbers,
# `[passes, branch]`.

# %%
answer = ...
exercises.way.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The root is the last operation that ran. Which branch ends with it?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Each pass of the loop has recorded one product.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [3, 2]
# ```
#
# A number between 1.25 and 1.875 does it. With 1.5 the passes make it 3, 6 and 12.
#
# </details>

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - `requires_grad=True` starts the recording; one such input is enough.
# - Each operation that runs leaves a *node*, `grad_fn`, with edges, `next_functions`, to the nodes
#   of its inputs.
# - A node saves what its rule for the way back reads: an input, its result, or nothing.
# - *Leaves* are what you made yourself; the *root* is where `backward()` starts.
# - What ran is recorded, not what is written: each run has its own graph.
# - `backward()` frees what was saved.
#
# **If something went wrong.** *does not require grad and does not have a grad_fn*: nothing was
# recorded. *`.grad` is `None`, with a warning*: the tensor is no leaf. *Trying to backward through
# the graph a second time*: the graph was freed; compute the result again.
#
# **Next:** [04 · The chain rule](04_chain_rule.ipynb): how `backward()` walks through the graph.
