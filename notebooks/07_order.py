# %% [markdown]
# # 07 · The order of the backward pass
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/07_order.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/07_order.ipynb)
#
# **Afterwards you can** say in which order a backward pass runs, why it adds and never replaces,
# and what a second pass does; and you have built a reverse-mode engine of about 60 lines.
# **Time:** two sittings, 30 minutes for the order and 40 for your engine. **You need:** lessons 04
# and 05, and Python classes.

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
# 1. A gradient of 12 comes in at a · b, with a = 2 and b = 3. What is sent to each?
# 2. p is used twice; its arrows bring back 1 and 12. What is the gradient of p?
#
# <details><summary>Answers</summary>
#
# 1. 12 · 3 = 36 to a, and 12 · 2 = 24 to b: the product swaps (lesson 04).
# 2. 13. Where paths meet, gradients add.
#
# </details>

# %% [markdown]
# ## A value that is used twice
#
# p = a · b, and L = p + p² uses p twice, along a short way and a long one. **Predict** what comes
# back along each, and from that a.grad and b.grad.

# %%
# %%twin
a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(3.0, requires_grad=True)
p = a * b
L = p + p**2
L.backward(retain_graph=True)
print(a.grad, b.grad)

# %% [markdown]
# The sum copies 1 to p and 1 to p². The square multiplies its 1 by 2p = 12, which goes to p.
# Together 13 arrive, and the product sends 13 · 3 = 39 to a and 13 · 2 = 26 to b.
# (`retain_graph=True` keeps the graph for later.)
#
# ## The idea in one picture
#
# The operations of a graph are its *nodes*. When one has *run*, it has sent gradients to its
# inputs, its *parents*. Here the sum has run. May a · b run next?

# %%
from autogradlab.instruments import ReadyQueue
from autogradlab.lessons import Picture

a.grad = b.grad = None  # emptied: the picture begins before any gradient has arrived
game = ReadyQueue(L)
game.pick("p + p²")
game.pick("a·b")
Picture(game.svg(), game.sentence)

# %% [markdown]
# It may not: the gradient from p² (the **?**) is still to come. The cup beside a · b collects what
# arrives; each arrival is added, `+=`.
#
# **A node runs once, when all its gradients have arrived.** An order that keeps this rule is a
# *topological order*: every node stands after all that were computed from it.
#
# ## An engine in ten lines
#
# A tensor knows the node that made it, `grad_fn`; a node knows its parents, `next_functions`.
# Called with a gradient, a node returns what it sends.

# %%
# %%twin
plus = L.grad_fn
times, power = (node for node, _ in plus.next_functions)
print(plus.name(), times.name(), power.name())

# %% [markdown]
# `run` takes the nodes in an order. In `arrived` it keeps, for each node, what has come so far.
# What is in there at the end belongs to nodes that were not in the order: the two leaves.

# %%
# %%twin
def run(order):
    arrived = {order[0]: torch.tensor(1.0)}
    with torch.no_grad():  # or each call would itself be recorded
        for node in order:
            sent = node(arrived.pop(node))
            sent = sent if isinstance(sent, tuple) else (sent,)
            for (parent, _), g in zip(node.next_functions, sent):
                arrived[parent] = arrived.get(parent, 0) + g
    return list(arrived.values())


right = run([plus, power, times])
print(right)

# %% [markdown]
# 39 and 26, as `backward()` said. Now break the order: let the product run before the square.
# **Predict** the gradients of a and b. Three numbers will be left: where is the third?

# %%
# %%twin
wrong = run([plus, times, power])
print(wrong)

# %% [markdown]
# No error, and wrong: the product ran with the 1 from the sum alone. The 12 came after its turn and
# lies there still: it is the third number.
#
# ## You are the engine
#
# **Click a node** to let it run next (or: arrow keys, then Enter). If it is too early, you read
# why, and what wrong numbers it would have sent. Leaves are nodes, too: they add to `.grad`.
#
# Try to end with no illegal pick. Before each click, **predict** what the node receives.

# %%
# %%twin
x = torch.tensor(2.0, requires_grad=True)
u = x**2
v = 3 * u
Y = u * v + v

# %%
ReadyQueue(Y)

# %% [markdown]
# What a click does, a method does, too. `legal` lists the nodes that may run; `score` counts the
# illegal picks.

# %%
game = ReadyQueue(Y)
print(game.pick("uv + v"))
print(game.pick("3·u"))
print(game.legal, game.score)

# %% [markdown]
# Why not let 3·u run twice, once for each gradient? Here it would do. But all above it would run
# twice, too; with twenty such values in a row, a million times.
#
# ## Mend an engine that uses `=`
#
# This `run` has the right order and one character too few: what arrives *replaces* what was there.
# **Predict** its two numbers, then run. Then mend the line marked `here` until it prints 39 and 26.

# %%
# %%twin
def run_replacing(order):
    arrived = {order[0]: torch.tensor(1.0)}
    with torch.no_grad():
        for node in order:
            sent = node(arrived.pop(node))
            sent = sent if isinstance(sent, tuple) else (sent,)
            for (parent, _), g in zip(node.next_functions, sent):
                arrived[parent] = g  # here
    return list(arrived.values())


replaced = run_replacing([plus, power, times])
print(replaced)

# %% [markdown]
# 36 and 24: the 12 has replaced the 1. In a graph where nothing is used twice, this engine is right
# in every number, so the mistake can live long.
#
# <details><summary>The line, mended</summary>
#
# ```python
#                 arrived[parent] = arrived.get(parent, 0) + g
# ```
#
# </details>
#
# ## PyTorch's own order
#
# A *hook* is a function that a node calls when it has run. With one on every node, PyTorch tells
# its order itself. **Predict** the five names.

# %%
# %%twin
ran = []


def watch(node):
    node.register_hook(lambda sent, came: ran.append(node.name()))


for node in (plus, times, power, *(leaf for leaf, _ in times.next_functions)):
    watch(node)
L.backward(retain_graph=True)
print(ran)

# %% [markdown]
# `AccumulateGrad` is the node of a leaf. An engine can find such an order in two ways:
#
# - **Count** how many gradients each node will receive. Each arrival takes one off; at zero the
#   node is *ready*. So did you.
# - **Ask for the age.** A result is younger than what it was computed from: the youngest first.
#
# PyTorch counts, and of several ready nodes takes the youngest.
#
# ## The second pass, and when it does not raise
#
# **Predict** the gradients of M = a · b + c.

# %%
# %%twin
a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(3.0, requires_grad=True)
c = torch.tensor(4.0, requires_grad=True)
M = a * b + c
M.backward()
print(a.grad, b.grad, c.grad)

# %% [markdown]
# Now once more. This cell announces an error, so it may end in one. **Predict:** which node raises?

# %%
# %%twin raises=RuntimeError
M.backward()

# %% [markdown]
# The product raised: it had saved a and b, and the first pass freed them (lesson 05). But the sum
# has saved nothing. It ran again *before* that. **Predict:** what is in c.grad now?

# %%
# %%twin
print(a.grad, b.grad, c.grad)

# %% [markdown]
# c.grad is 2: half of the second pass has happened. The order says which. After this error
# `.grad` cannot be trusted: empty it, and compute M again. (For a + c nothing was saved: a second
# call goes through.)
#
# ## `.grad` accumulates, and `zero_grad`
#
# A leaf's `.grad` is a cup like the others, but it is not emptied when the pass ends. That is
# useful (two losses, one step) and a trap. Here w should come to 3; the loss is (2w − 6)².
# **Predict:** does it, without emptying `.grad`?

# %%
# %%twin
w = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
for _ in range(4):
    loss = (2 * w - 6) ** 2
    loss.backward()
    optimizer.step()
    print(f"gradient {w.grad.item():.3f}, w {w.item():.3f}")

# %% [markdown]
# w shoots past 3: each step is taken with all earlier gradients added in. `optimizer.zero_grad()`
# empties the `.grad` of all its tensors, to `None`. **Predict** the last w.

# %%
# %%twin
w = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
for _ in range(4):
    optimizer.zero_grad()
    loss = (2 * w - 6) ** 2
    loss.backward()
    optimizer.step()
    print(f"gradient {w.grad.item():.3f}, w {w.item():.3f}")

# %% [markdown]
# 2.997. (You could write `w.grad = None` yourself; `zero_grad` does it for every tensor it knows.)
#
# ## Build your own engine
#
# *A good place to stop. When you come back, run the set-up cell and go on here: nothing else from
# above is needed.*
#
# The five exercises are the five steps of an engine for single numbers. Your code uses nothing of
# `torch`, so these are no twin cells: each check asks PyTorch itself, and each step can be checked
# before the next is written.

# %%
from autogradlab.lessons import order as exercises
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Exercise 1 · A value that remembers
# *Difficulty ●●○○○ · 6 minutes*
#
# A `Value` holds a number, `data`, and remembers its two `parents` and its `op`: `"+"`, `"*"` or
# `"**"`. Each method returns a new `Value`. The exponent of a power is a plain number; wrap it, so
# that it can be the second parent.

# %%
class Value:
    def __init__(self, data, parents=(), op=""):
        self.data, self.parents, self.op, self.grad = data, parents, op, 0.0

    def __add__(self, other):  # called for a + b
        return ...

    def __mul__(self, other):  # called for a * b
        return ...

    def __pow__(self, n):  # called for a**3, with n = 3
        return ...


exercises.remember.check(Value)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `Value(data, parents, op)` makes one. In `a + b`, `self` is a and `other` is b; their numbers are
# `self.data` and `other.data`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The parents are the Values, not their numbers: `(self, other)`. For the power, the second is
# `Value(n)`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# class Value:
#     def __init__(self, data, parents=(), op=""):
#         self.data, self.parents, self.op, self.grad = data, parents, op, 0.0
#
#     def __add__(self, other):
#         return Value(self.data + other.data, (self, other), "+")
#
#     def __mul__(self, other):
#         return Value(self.data * other.data, (self, other), "*")
#
#     def __pow__(self, n):
#         return Value(self.data**n, (self, Value(n)), "**")
# ```
#
# </details>
#
# ## Exercise 2 · Local rules
# *Difficulty ●●○○○ · 5 minutes*
#
# `local(op, g, a, b)` returns what an operation sends to its two parents when g comes in. a and b
# are the parents' numbers; all are plain numbers. For `"**"`, b is the exponent: the derivative of
# aᵇ by a is b · aᵇ⁻¹. The exponent itself is a constant: send it 0.

# %%
def local(op, g, a, b):
    if op == "+":
        return ..., ...
    if op == "*":
        return ..., ...
    if op == "**":
        return ..., ...


exercises.rules.check(local)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Gradient in × local derivative = gradient out. You wrote the first two in lesson 04: + copies, ×
# swaps.
#
# </details>
# <details><summary>Hint 2</summary>
#
# In Python b · aᵇ⁻¹ is `b * a ** (b - 1)`. Do not forget g.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def local(op, g, a, b):
#     if op == "+":
#         return g, g
#     if op == "*":
#         return g * b, g * a
#     if op == "**":
#         return g * b * a ** (b - 1), 0.0
# ```
#
# </details>
#
# ## Exercise 3 · The order
# *Difficulty ●●●●○ · 12 minutes*
#
# `order(root)` returns a list of `root` and everything it was computed from, each once, and each
# after all that were computed from it. Only `.parents` is needed.
#
# No recursion: real graphs are deeper than Python's limit of about 1000 calls inside each other.
# Do it in two parts, as in the game: count how often each value is used; then take what is ready.

# %%
def order(root):
    uses, stack = {root: 0}, [root]  # how many gradients each value waits for
    while stack:
        for parent in stack.pop().parents:
            ...  # count; when you meet a parent for the first time, put it on the stack
    ready, found = [root], []
    while ready:
        value = ready.pop()
        ...  # note it in found; each of its parents now waits for one gradient less
    return ...


exercises.sort.check(order)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# First part: `uses` also tells whether you have met a parent: it is then `in uses`. A new one
# begins with 0 and goes on the stack, then every parent gets 1 more.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Second part: `found.append(value)`. Then, for each of its parents, take 1 from `uses[parent]`; if
# 0 are left, the parent is ready. In x · x the same parent comes twice; that is right, it waits
# for two.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def order(root):
#     uses, stack = {root: 0}, [root]
#     while stack:
#         for parent in stack.pop().parents:
#             if parent not in uses:
#                 uses[parent] = 0
#                 stack.append(parent)
#             uses[parent] += 1
#     ready, found = [root], []
#     while ready:
#         value = ready.pop()
#         found.append(value)
#         for parent in value.parents:
#             uses[parent] -= 1
#             if not uses[parent]:
#                 ready.append(parent)
#     return found
# ```
#
# </details>
#
# ## Exercise 4 · Backward
# *Difficulty ●●●○○ · 10 minutes*
#
# `backward(root)` sends gradients from `root` to the leaves (the values without parents) and adds
# what arrives there to their `.grad`. Use your `order` and your `local`. It starts with 1.0 at
# `root`.
#
# A second call must add the same once more, as in PyTorch. So what is on its way cannot stay in
# the values in between: keep it in a dictionary, `arrived`, as `run` did.

# %%
def backward(root):
    arrived = {root: ...}  # what comes in at the root?
    ...  # for each value of order(root), take what has arrived: a leaf adds it to its .grad,
    ...  # any other value sends it on to its parents, by its rule
    return ...  # you may delete this line


exercises.run.check(backward)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `g = arrived.pop(value)` takes what has arrived. If `value.parents` is empty: `value.grad += g`.
# If not: `a, b = value.parents`, and `local(value.op, g, a.data, b.data)` are the two to send.
#
# </details>
# <details><summary>Hint 2</summary>
#
# To send is to add: `arrived[parent] = arrived.get(parent, 0.0) + sent`. `zip(value.parents, …)`
# goes through parents and gradients together.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def backward(root):
#     arrived = {root: 1.0}
#     for value in order(root):
#         g = arrived.pop(value)
#         if not value.parents:
#             value.grad += g
#             continue
#         a, b = value.parents
#         for parent, sent in zip(value.parents, local(value.op, g, a.data, b.data)):
#             arrived[parent] = arrived.get(parent, 0.0) + sent
# ```
#
# </details>
#
# ## Exercise 5 · Train with it
# *Difficulty ●●●○○ · 8 minutes*
#
# Fit a straight line y = w · x + b to points. w and b are `Value`s and begin at 0. In each of
# `steps` steps: the loss is the *sum* of (w · x + b − y)² over all points; empty both `.grad`;
# `backward(loss)`; move `w.data` and `b.data` downhill by `rate` times their gradient. Return both
# numbers.
#
# `Value` has no minus: add `Value(-y)`.

# %%
def train(xs, ys, steps, rate):
    w, b = ..., ...  # two Values
    for _ in range(steps):
        loss = ...  # begins as Value(0.0); add the squared error of each point of zip(xs, ys)
        ...  # empty both .grad, go backward, step
    return ..., ...  # two numbers


exercises.fit.check(train)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Every number that meets a Value has to be one: `w * Value(x)`. One point's part:
# `loss = loss + (w * Value(x) + b + Value(-y)) ** 2`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `w.grad = b.grad = 0.0` is your zero_grad. To go downhill is to take away:
# `w.data -= rate * w.grad`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def train(xs, ys, steps, rate):
#     w, b = Value(0.0), Value(0.0)
#     for _ in range(steps):
#         loss = Value(0.0)
#         for x, y in zip(xs, ys):
#             loss = loss + (w * Value(x) + b + Value(-y)) ** 2
#         w.grad = b.grad = 0.0
#         backward(loss)
#         w.data -= rate * w.grad
#         b.data -= rate * b.grad
#     return w.data, b.data
# ```
#
# </details>

# %%
progress(exercises)

# %% [markdown]
# ## Yours beside ours
#
# The `backward` of this package does what yours does. The table finds the same idea in both, with
# the line that runs in this kernel.

# %%
exercises.Beside(backward)

# %% [markdown]
# And here is all of it, read live from the package. What is more than yours: `targets` (only some
# leaves are asked for), hooks, freeing what was saved (`retain_graph`), and a fast way for plain
# nodes (`quick`). It sorts by age instead of counting; leaves it counts.
#
# Find your `arrived`, your seed and your `+=`.

# %%
import inspect

from autogradlab.engine import backward as ours

print(inspect.getsource(ours))

# %% [markdown]
# ## Recap
#
# - A node runs once, when all its gradients have arrived: a *topological order*. Count, or take
#   the youngest first.
# - What arrives is added, `+=`. An engine with `=` is right until something is used twice.
# - A second pass raises at the first node whose saved values are gone; what ran before it has
#   already added to `.grad`. If nothing was saved, it does not raise.
# - `.grad` of a leaf is never emptied by a pass: `zero_grad()` does it.
#
# **If something went wrong.** *A gradient is too small where a value is used twice*: `=` instead of
# `+=`, or a wrong order. *Too large*: a node has run twice, or `.grad` was not emptied.
# *RecursionError*: use a list and `while`.
#
# **Next:** [08 · Gradients of tensors](08_tensors.ipynb): shapes, broadcasting and matrix products.
