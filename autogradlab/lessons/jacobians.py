"""The exercises of lesson 06: where a Jacobian is zero, what it costs, dual numbers, a column."""

import numpy as np

from .exercise import Exercise, Mistake

PATTERN = np.array(((1, 1, 0), (0, 0, 1), (1, 0, 0)))
PASSES = np.array((3, 1, 10, 1))


def _cells(you: np.ndarray) -> str:
    if not np.isin(you, (0, 1)).all():
        return "Only the pattern is asked: a 1 or a 0 in each cell, not the derivatives themselves."
    return (
        f"Of 9 cells {int((you == PATTERN).sum())} are right. Go through one formula at a time:"
        " which inputs occur in it?"
    )


sparsity = Exercise(
    "1 · where the table is zero",
    right=PATTERN,
    why="A cell is zero for every x where the output does not use the input.",
    mistakes=(
        Mistake(
            ((1, 0, 1), (1, 0, 0), (0, 1, 0)),
            "Rows and columns are swapped. A row belongs to an output: the first row says which"
            " inputs y₀ uses.",
        ),
        Mistake(
            ((0, 0, 1), (1, 1, 0), (0, 1, 1)),
            "The marks are swapped: 1 is where a derivative can differ from zero.",
        ),
        Mistake(
            ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
            "That is the pattern of outputs that use the input of their own number, and no other."
            " Read the formulas once more.",
        ),
        Mistake(
            ((1, 1, 0), (0, 0, 1), (1, 1, 1)),
            "The constant counts in your last row. 7 is no input: a nudge of any x leaves it.",
        ),
        Mistake(
            ((1, 1, 0), (0, 0, 1), (0, 0, 0)),
            "Your last row is empty, but y₂ = x₀² + 7 moves when x₀ does. Only the 7 stands still.",
        ),
        Mistake(
            ((1, 1, 0), (0, 1, 0), (1, 0, 0)),
            "Your second row has its mark at x₁. Which input is inside the sine of y₁?",
        ),
    ),
    otherwise=lambda you: _cells(you.reshape(3, 3)),
)

passes = Exercise(
    "2 · the cheaper mode",
    right=PASSES,
    why="Forward, reverse, reverse, forward: as many passes as the smaller of the two numbers.",
    mistakes=(
        Mistake(
            (100, 11689512, 64, 500),
            "That is the dearer mode each time. A jvp fills a column, and there is one for each"
            " input; a backward fills a row, and there is one for each output.",
        ),
        Mistake(
            (3, 11689512, 64, 1),
            "That is forward mode each time, one jvp for each input. Compare it with one backward"
            " for each output.",
        ),
        Mistake(
            (100, 1, 10, 500),
            "That is reverse mode each time, one backward for each output. Compare it with one jvp"
            " for each input.",
        ),
        Mistake(
            (300, 11689512, 640, 500),
            "That is how many cells there are. A pass fills a whole row or column at once.",
        ),
        Mistake(
            (103, 11689513, 74, 501),
            "You added inputs and outputs. One mode alone fills the whole table.",
        ),
    ),
    otherwise=lambda you: (
        f"Of the 4 numbers {int((np.ravel(you) == PASSES).sum())} are right. For each function:"
        " how many inputs has it, and how many outputs?"
    ),
)

product = Exercise(
    "3 · a product of dual numbers",
    right=(8, 22),
    why="2·4 = 8, and 3·4 + 2·5 = 22; what has ε² is zero.",
    mistakes=(
        Mistake(
            (8, 15),
            "The tangents are multiplied. 3·5 stands beside ε², which is zero; beside ε stand the"
            " two products of a value and a tangent.",
        ),
        Mistake((8, 8), "The tangents are added, as in a sum. In a product each is weighted."),
        Mistake((8, 12), "One of the two terms is missing: {you} has a′·b, and not a·b′."),
        Mistake((8, 10), "One of the two terms is missing: {you} has a·b′, and not a′·b."),
        Mistake(
            (8, 23),
            "{you} has values with values and tangents with tangents beside ε. Multiply crosswise.",
        ),
        Mistake((8, 37), "The ε² term was added too. ε² is zero, so 3·5 goes away."),
        Mistake((8, 22, 15), "The last number stands beside ε², which is zero. Leave it out."),
        Mistake((6, 8), "{you} is the sum of the two dual numbers. Multiply them."),
        Mistake((22, 8), "The two are swapped. First the value, then the tangent."),
    ),
)

dual_sine = Exercise(
    "4 · the sine of a dual number",
    right=lambda value, tangent: (np.sin(value), np.cos(value) * tangent),
    why="The value goes through the sine; the tangent is multiplied by the local derivative.",
    cases=(
        {"value": 0.5, "tangent": 2.0},
        {"value": 2.0, "tangent": -3.0},
    ),
    mistakes=(
        Mistake(
            lambda value, tangent: (np.sin(value), np.sin(tangent)),
            "The tangent went through the sine as well. It is multiplied by the derivative of the"
            " sine at the value.",
        ),
        Mistake(
            lambda value, tangent: (np.sin(value), np.cos(value)),
            "The tangent that came in is missing. Your second number is the local derivative;"
            " multiply it by the tangent {tangent}.",
        ),
        Mistake(
            lambda value, tangent: (np.sin(value), np.cos(tangent)),
            "The derivative is taken at the tangent. Take it at the value {value}, and multiply.",
        ),
        Mistake(
            lambda value, tangent: (np.sin(value), np.cos(tangent) * tangent),
            "The derivative is taken at the tangent. Take it at the value {value}.",
        ),
        Mistake(
            lambda value, tangent: (np.sin(value), np.sin(value) * tangent),
            "The sine stands where its derivative should: that one is another function.",
        ),
        Mistake(
            lambda value, tangent: (np.sin(value), -np.cos(value) * tangent),
            "The sign of the tangent is turned. That would be the derivative of −sin.",
        ),
        Mistake(
            lambda value, tangent: (np.sin(value), np.cos(tangent) * value),
            "Value and tangent have changed places. The derivative is taken at the value {value},"
            " and multiplies the tangent.",
        ),
        Mistake(
            lambda value, tangent: (value, np.cos(value) * tangent),
            "The tangent is right. But {value} is what went in: the value goes through the sine.",
        ),
        Mistake(
            lambda value, tangent: (np.sin(value), tangent),
            "The tangent is unchanged. The sine makes a nudge larger or smaller.",
        ),
        Mistake(
            lambda value, tangent: (np.cos(value) * tangent, np.sin(value)),
            "The two are swapped. First the value, then the tangent.",
        ),
        Mistake(
            lambda value, tangent: np.cos(value) * tangent,
            "That is the tangent. Return two numbers: value, tangent.",
        ),
    ),
)

column = Exercise(
    "5 · a column by one jvp",
    right=lambda x: (x[0], 2 * x[1]),
    why="A 1 at x₁ and 0 elsewhere nudges that input alone: its column comes out.",
    cases=({"x": (2.0, 5.0, 1.0)}, {"x": (-1.0, 3.0, 4.0)}),
    mistakes=(
        Mistake(
            lambda x: ((x[0] * x[1], x[1] ** 2 + x[2]), (x[0], 2 * x[1])),
            "jvp returns two things, what the function gives and how it moves. Return the second.",
        ),
        Mistake(
            lambda x: (x[0] * x[1], x[1] ** 2 + x[2]),
            "{you} is what h gives at x. jvp returns two things; the second is the column.",
        ),
        Mistake(
            lambda x: (x[1], 0),
            "{you} is the column of x₀, the first. Counting starts at 0: x₁ is the second input.",
        ),
        Mistake(lambda x: (0, 1), "{you} is the column of x₂, the last input."),
        Mistake(
            lambda x: (0, 2 * x[1], 1),
            "{you} is a row: what y₁ feels from each input. A column has one number for each"
            " output.",
        ),
        Mistake(
            lambda x: (x[1], x[0], 0),
            "{you} is a row: what y₀ feels from each input. A column has one number for each"
            " output.",
        ),
        Mistake(
            lambda x: (x[0] + x[1], 2 * x[1] + 1),
            "{you} is all three columns, added up. Nudge x₁ alone.",
        ),
        Mistake(
            lambda x: ((x[1], x[0], 0), (0, 2 * x[1], 1)),
            "That is the whole table. One column of it is asked.",
        ),
    ),
)
