"""The exercises of lesson 05: predict vᵀJ, choose v, and compute the product by hand."""

import numpy as np

from .exercise import Exercise, Mistake, show

JACOBIAN = np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 0.0]])  # of y = [x₀ + x₁, x₀ − x₁, 2·x₀]

weighted = Exercise(
    "1 · a v of your own",
    right=(36, 810),
    why="Each element of 9a² = [36, 81] is multiplied by its own element of v.",
    mistakes=(
        Mistake(
            (36, 81),
            "v is missing. {you} is 9a², the local derivative; multiply it by the v = [1, 10] that"
            " came in.",
        ),
        Mistake(
            (1, 10),
            "The local derivative is missing. {you} is v, which came in; multiply it by 9a².",
        ),
        Mistake((12, 270), "The 3 of 3a³ is missing. {you} is v times the derivative of a³."),
        Mistake(
            846,
            "The elements are added up. {you} is one number; a has two elements, and each has a"
            " gradient of its own.",
        ),
        Mistake((37, 91), "You added. {you} is 9a² plus v; the chain rule multiplies."),
    ),
)

row = Exercise(
    "2 · extract a row",
    right=(0, 0, 1),
    accepts=lambda v: bool(np.allclose(v.ravel() @ JACOBIAN, (2, 0), atol=1e-6)),
    why="x.grad is [2, 0]. A 1 at one output and 0 at the others extracts a row of any Jacobian.",
    mistakes=(
        Mistake(
            (2, 0),
            "That is the row itself. {you} is what must come out; v has one number for each"
            " output, and there are three.",
        ),
        Mistake((0, 1, 0), "That is another row. {you} extracts the second one."),
        Mistake((1, 0, 0), "That is another row. {you} extracts the first one."),
        Mistake((1, 1, 1), "Those are all rows, added up. {you} asks for every output at once."),
        Mistake((0, 1), "{you} has one number for each input; v has one for each output."),
    ),
    otherwise=lambda you: f"{show(you)} gives x.grad = {show(you.ravel() @ JACOBIAN)}, not [2, 0].",
)

silent = Exercise(
    "3 · make x.grad zero",
    right=(1, 1, -1),
    accepts=lambda v: bool(v.any() and np.allclose(v.ravel() @ JACOBIAN, 0, atol=1e-6)),
    why="The last row is the sum of the other two, so the contributions cancel.",
    mistakes=(
        Mistake(
            (0, 0, 0),
            "{you} makes every gradient zero, whatever y is. Find a v with a number that is not 0.",
        ),
        Mistake(
            (1, 1, 1), "{you} adds up the three rows: [4, 0]. One row must be taken away instead."
        ),
        Mistake((1, -1), "{you} has one number for each input; v has one for each output."),
    ),
    otherwise=lambda you: f"{show(you)} gives x.grad = {show(you.ravel() @ JACOBIAN)}, not [0, 0].",
)

twice = Exercise(
    "4 · backward twice",
    right=12,
    why="The second call adds another 6 to the 6 that is there.",
    mistakes=(
        Mistake(
            6,
            "The second call is missing. {you} is what one backward brings; .grad is added to, not"
            " replaced.",
        ),
        Mistake(36, "You multiplied. {you} is 6 · 6; what arrives at a leaf is added."),
        Mistake(18, "That is the value, twice. {you} is 9 + 9; the gradient of x² is asked."),
        Mistake(0, "Nothing sets .grad back to {you} by itself. Both calls bring something."),
    ),
)

product = Exercise(
    "5 · write vᵀJ",
    right=lambda v, J: np.asarray(v) @ np.asarray(J),
    why="Each row of J times its number in v, added up.",
    cases=(
        {"v": (1.0, 10.0), "J": ((1.0, 2.0), (3.0, 4.0))},
        {"v": (1.0, 0.0, -2.0), "J": ((1.0, 1.0), (1.0, -1.0), (2.0, 0.0))},
    ),
    mistakes=(
        Mistake(
            lambda v, J: np.asarray(J) @ np.asarray(v[: len(J[0])]),
            "That is J times v, which adds columns. v has one number for each row of J: weigh the"
            " rows by it and add them.",
        ),
        Mistake(
            lambda v, J: np.asarray(J) * np.asarray(v)[:, None],
            "The sum is missing. {you} has each row weighted by its number in v; now add the rows.",
        ),
        Mistake(
            lambda v, J: np.asarray(J) * np.asarray(v[: len(J[0])]),
            "v lies along the wrong side. In {you} it weighs the columns of J; it has one number"
            " for each row.",
        ),
        Mistake(
            lambda v, J: np.asarray(J).sum(0), "v is missing. {you} adds the rows as they are."
        ),
    ),
)
