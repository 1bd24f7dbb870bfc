"""The exercises of lesson 00: one of each kind of answer (a number, a list, a function)."""

from .exercise import Exercise, Mistake

number = Exercise(
    "1 · one number",
    right=10,
    why="The gradient of x² is 2x, and 2 · 5 = 10.",
    mistakes=(
        Mistake(25, "That is the value. {you} is 5²; the gradient says how fast x² grows at 5."),
        Mistake(5, "The 2 is missing. {you} is x; the gradient of x² is 2 times that."),
        Mistake(2, "The x is missing. {you} is the exponent; the gradient depends on x as well."),
        Mistake(6, "That is the gradient at 3. {you} belongs to the cell above; here x is 5."),
    ),
)

vector = Exercise(
    "2 · a list of numbers",
    right=(2, 8, -6),
    why="Each element has a gradient of its own, twice its value.",
    mistakes=(
        Mistake((1, 16, 9), "Those are the values. {you} are the squares; give their gradients."),
        Mistake((1, 4, -3), "The 2 is missing. {you} is p; the gradient of p² is 2 times that."),
        Mistake(
            (2, 8, 6),
            "A sign is lost. The last number of {you} is positive, but p is −3 there: when p grows"
            " a little, its square shrinks.",
        ),
        Mistake(
            (2, 2, 2),
            "p is missing. {you} is the same for every element, but a square gets steeper as p"
            " grows.",
        ),
        Mistake(
            4,
            "The elements are added up. {you} is one number; p has three elements, and each has a"
            " gradient of its own.",
        ),
    ),
)

function = Exercise(
    "3 · a function",
    right=lambda x: 2 * x,
    why="Your function agrees at every x that was tried.",
    cases=({"x": 3.0}, {"x": -1.5}, {"x": 0.0}),
    mistakes=(
        Mistake(lambda x: x * x, "That is the value. {you} is x²; return its gradient."),
        Mistake(lambda x: x, "The 2 is missing. {you} is x; the exponent comes down as a factor."),
        Mistake(
            lambda x: 2,
            "The x is missing. {you} is the same at every x, but the curve gets steeper.",
        ),
        Mistake(lambda x: 6, "That is the gradient at 3 only. {you} must change when x changes."),
        Mistake(
            lambda x: 2**x,
            "{you} is 2 to the power of x: ** is a power, and one * is a product.",
        ),
    ),
)
