# %% [markdown]
# # 00 · Start here
#
# [Open in Colab](https://colab.research.google.com/github/autogradlab/autogradlab/blob/v0.1.0/notebooks/00_start_here.ipynb)
# · [Open in Binder](https://mybinder.org/v2/gh/autogradlab/autogradlab/v0.1.0?urlpath=lab/tree/notebooks/00_start_here.ipynb)
#
# **Afterwards you can** run a cell, move a slider, read the line under a `%%twin` cell, and hand in
# an answer. **Time:** 15 minutes. **You need:** Python, and the derivative of x² from school.

# %% [markdown]
# ## Set-up
#
# A *cell* is a box with code in it. Click into the next one and press **Shift + Enter**: it runs,
# and you are in the next. This one prints nothing when all is well; on Colab it installs the lab.

# %%
import importlib.util

if importlib.util.find_spec("autogradlab") is None:
    SOURCE = "git+https://github.com/autogradlab/autogradlab@v0.1.0"
    get_ipython().run_line_magic("pip", f"install --quiet {SOURCE}")  # noqa: F821
# %load_ext autogradlab
import autogradlab as torch

# %% [markdown]
# `import autogradlab as torch` gives the lab's engine the name by which everybody knows PyTorch:
# the code in these lessons is PyTorch code. Here is a first cell that answers. What a cell computes
# last stands below it.

# %%
2 * 3 + 1

# %% [markdown]
# ## Two-minute warm-up
#
# From school, on paper, before you run anything more:
#
# 1. What is the derivative of x²?
# 2. How steep is the curve y = x² at x = 3?
#
# <details><summary>Answers</summary>
#
# 1. 2x.
# 2. 2 · 3 = 6: near x = 3, y grows six times as fast as x.
#
# </details>

# %% [markdown]
# ## Is everything here?
#
# The next cell tries each part of the lab and says in plain words what it found. When you have run
# it, the words stand in a frame: that frame is a *widget*, a piece of the page that Python can
# change while you use it.

# %%
from autogradlab.lessons import self_test

self_test()

# %% [markdown]
# ## Move a slider
#
# The *gradient* of y says how fast y grows when x grows a little. For one x it is the derivative
# you know: at x = 3 the gradient of x² is 6.
#
# **Predict:** what happens to the gradient when you move x below 0? Then run the cell and drag the
# slider (or click it and press the arrow keys).

# %%
from ipywidgets import HTML, FloatSlider, VBox

from autogradlab.lessons import Panel

slider, sentence = FloatSlider(value=3, min=-5, max=5, step=0.5, description="x"), HTML()

def show(change=None):
    x = torch.tensor(slider.value, requires_grad=True)
    (x**2).backward()
    sentence.value = f"At x = {x.item():g} the gradient of x² is {x.grad.item():g}."

slider.observe(show, "value")
show()
Panel(VBox([slider, sentence]), sentence.value)

# %% [markdown]
# Below 0 the gradient is negative: there x² *shrinks* when x grows.
#
# No derivative is written in that cell. `requires_grad=True` asks the engine to record what is
# done with x; `backward()` goes back through the record and leaves the gradient in `x.grad`. This
# is *automatic differentiation*. (Three lines do that, the rest is the slider.)

# %% [markdown]
# ## The idea in one picture: every claim is checked
#
# Why believe it? A cell that begins with `%%twin` runs twice: on autogradlab, and on the real
# PyTorch. Then everything it made is compared.

# %%
from autogradlab.lessons import twin_cell

twin_cell()

# %% [markdown]
# Here is one. **Predict** the number that it prints, then run it and look at its last line.

# %%
# %%twin
x = torch.tensor(3.0, requires_grad=True)
y = x**2
y.backward()
print(x.grad)

# %% [markdown]
# Read the last line like this. `✓ same in PyTorch` is the verdict. After it stand the names that
# were compared, how many gradients, the size of the *graph* (the record of what was computed), and
# that the printed text is the same, character for character. A cell that compares nothing never
# gets a ✓.
#
# Your turn: change the formula in the next cell, or the number, and run it. Then add the line
# `print(torch.__version__)`: that is not the same, and you see what a ✗ looks like.

# %%
# %%twin
x = torch.tensor(-1.5, requires_grad=True)
y = 10 * x - x**3
y.backward()
print(x.grad)

# %% [markdown]
# ## Predict one gradient
#
# The loop of every lesson: *predict, run, see the gap*. A wrong prediction is worth more than a
# right one, if you look at the gap. The instrument below asks for one gradient. Type your answer,
# press **Check** or Enter, and read what it says about your number.

# %%
from autogradlab.instruments import PredictTheGradient

x = torch.tensor(4.0, requires_grad=True)
y = x**2
PredictTheGradient(y)

# %% [markdown]
# ## How exercises answer
#
# An exercise is a cell with three dots in it. Put your answer where the dots are and run the cell.
# The check never stops the notebook: dots are *not tried yet*, and a wrong answer is told what it
# left out. Exercises are plain cells, without `%%twin`: what the check knows was tested
# against PyTorch.
#
# ### Exercise 1 · One number
# *Difficulty ●○○○○ · 1 minute*
#
# What is the gradient of x² at x = 5?

# %%
from autogradlab.lessons import start_here as exercises

answer = ...
exercises.number.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The slider above can be moved to 5.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The derivative of x² is 2x. Put 5 in the place of x.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = 10
# ```
#
# </details>
#
# ### Exercise 2 · A list of numbers
# *Difficulty ●●○○○ · 3 minutes*
#
# A *tensor* is a box of numbers, such as `p = torch.tensor([1.0, 4.0, -3.0])`. Each number in it
# has a gradient of its own. What is `p.grad` after `(p * p).sum().backward()`? Answer with a list.

# %%
answer = ...
exercises.vector.check(answer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The sum is 1² + 4² + (−3)². How fast does it grow when only the first number grows?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A nudge of one number moves only its own square, so each gradient is 2 times that number.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# answer = [2, 8, -6]
# ```
#
# </details>
#
# ### Exercise 3 · A function
# *Difficulty ●○○○○ · 2 minutes*
#
# Write a function that returns the gradient of x² at any x. The check calls it with several x.

# %%
def gradient(x):
    return ...


exercises.function.check(gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# For x = 3 it must return 6, for x = 5 it must return 10.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Return the derivative of x² as you would write it on paper, in Python.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def gradient(x):
#     return 2 * x
# ```
#
# </details>
#
# The next cell says how far you are. It counts what you have solved since the kernel (the Python
# behind this page) was started.

# %%
from autogradlab.lessons import progress

progress(exercises)

# %% [markdown]
# ## Recap
#
# - A *gradient* says how fast a result grows when one number grows a little.
# - `requires_grad=True` asks for a record, `backward()` walks back through it, `.grad` holds the
#   result.
# - `%%twin` runs your cell on both engines; ✓ names what was found the same.
# - Predict, run, look at the gap.
#
# **If something went wrong.** *NameError*: a cell above was not run; choose *Run All Above*. *No
# slider*: reload the page and run the cells again. *Stuck*: choose *Restart Kernel and Run All*.
#
# **Next:** [01 · One training step](01_training_step.ipynb): what forward, backward and step each
# change in a network.
