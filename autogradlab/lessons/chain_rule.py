"""The exercises of lesson 04: six local backward rules, a gradient through max, a value used twice,
and a whole backward pass written by hand. `g` is always the gradient that came in."""

from math import cos, exp, sin

from .exercise import Exercise, Mistake

_TWO_INPUTS = ({"g": 6.0, "a": 2.0, "b": 4.0}, {"g": -1.0, "a": 0.5, "b": -3.0})
_ONE_INPUT = ({"g": 5.0, "a": 3.0}, {"g": -1.0, "a": 0.5})
_LOCAL_ONLY = (
    "The incoming gradient is missing. {you} are the local derivatives; multiply each of them by"
    " the {g} that came in."
)

_VALUES = (
    "Those are the values. {you} went forward; asked is what is sent back when {g} comes in."
)

add_rule = Exercise(
    "1a · a + b",
    right=lambda g, a, b: (g, g),
    why="A sum copies the incoming gradient to both inputs.",
    cases=_TWO_INPUTS,
    mistakes=(
        Mistake(lambda g, a, b: (1, 1), _LOCAL_ONLY),
        Mistake(
            lambda g, a, b: (g / 2, g / 2),
            "The gradient is shared out. {you} is half of the {g} that came in, twice; but a nudge"
            " of one input moves the sum by the whole nudge.",
        ),
        Mistake(
            lambda g, a, b: (g * b, g * a),
            "That is the rule of a product. In {you} each gradient depends on the other input; how"
            " fast a sum grows does not.",
        ),
        Mistake(
            lambda g, a, b: (g * a, g * b),
            "The values are in the way. {you} was multiplied by a = {a} and b = {b}; how fast a sum"
            " grows does not depend on them.",
        ),
        Mistake(lambda g, a, b: (a, b), _VALUES),
        Mistake(
            lambda g, a, b: (g + a, g + b),
            "You added the values to the incoming {g}. How fast a sum grows does not depend on"
            " them.",
        ),
    ),
)

sub_rule = Exercise(
    "1b · a − b",
    right=lambda g, a, b: (g, -g),
    why="The local derivative for b is −1.",
    cases=_TWO_INPUTS,
    mistakes=(
        Mistake(
            lambda g, a, b: (g, g),
            "The minus is lost. {you} is the rule of a sum; when b grows by 1, a − b shrinks by 1.",
        ),
        Mistake(lambda g, a, b: (1, -1), _LOCAL_ONLY),
        Mistake(
            lambda g, a, b: (-g, g),
            "The minus is on the wrong input. In a − b it is b that is taken away; {you} takes"
            " away a.",
        ),
    ),
)

mul_rule = Exercise(
    "1c · a · b",
    right=lambda g, a, b: (g * b, g * a),
    why="A product swaps: each input receives the incoming gradient times the other input.",
    cases=_TWO_INPUTS,
    mistakes=(
        Mistake(
            lambda g, a, b: (b, a),
            "The incoming gradient is missing. {b} is the local derivative for a, multiply it by"
            " the {g} that came in; the same for b.",
        ),
        Mistake(
            lambda g, a, b: (g * a, g * b),
            "The inputs are not swapped. For a you multiplied {g} by a itself; but how fast a · b"
            " grows with a is decided by b.",
        ),
        Mistake(
            lambda g, a, b: (g, g),
            "The local derivative is missing. You passed the incoming {g} on unchanged, as a sum"
            " does.",
        ),
        Mistake(
            lambda g, a, b: (g + b, g + a),
            "You added. {you} is the incoming {g} plus the other input; the chain rule multiplies.",
        ),
        Mistake(lambda g, a, b: (a, b), _VALUES),
    ),
)

square_rule = Exercise(
    "1d · a²",
    right=lambda g, a: 2 * a * g,
    why="The local derivative of a² is 2a.",
    cases=_ONE_INPUT,
    mistakes=(
        Mistake(
            lambda g, a: 2 * a,
            "The incoming gradient is missing. {you} is 2a, the local derivative; multiply it by"
            " the {g} that came in.",
        ),
        Mistake(
            lambda g, a: g * a,
            "The 2 is missing. {you} is {g} times a; but a² = a · a reads a twice.",
        ),
        Mistake(
            lambda g, a: g * a * a,
            "That is the value. {you} is {g} times a² itself, not times its derivative.",
        ),
        Mistake(
            lambda g, a: 2 * g,
            "The a is missing. {you} does not depend on a, but a² gets steeper as a grows.",
        ),
    ),
)

exp_rule = Exercise(
    "1e · exp(a)",
    right=lambda g, a: g * exp(a),
    why="exp is its own derivative, so the result of the forward pass can be used again.",
    cases=_ONE_INPUT,
    mistakes=(
        Mistake(
            lambda g, a: exp(a),
            "The incoming gradient is missing. {you} is the local derivative; multiply it by the"
            " {g} that came in.",
        ),
        Mistake(
            lambda g, a: g * a,
            "The local derivative is not a. {you} is {g} times {a}; how fast does exp grow at {a}?",
        ),
        Mistake(
            lambda g, a: g * a * exp(a - 1),
            "That is the rule of a power. In exp(a) the input is the exponent, not the base.",
        ),
        Mistake(
            lambda g, a: g,
            "The local derivative is missing. You passed the incoming {g} on unchanged, as a sum"
            " does.",
        ),
    ),
)

max_rule = Exercise(
    "1f · max(a, b)",
    right=lambda g, a, b: (g, 0) if a > b else (0, g),
    why="max routes: the larger input receives everything, the other nothing.",
    cases=_TWO_INPUTS,  # b is the larger one in the first, a in the second
    mistakes=(
        Mistake(
            lambda g, a, b: (g, 0) if a < b else (0, g),
            "The wrong input is served. With a = {a} and b = {b} a nudge of the smaller one does"
            " not change the maximum.",
        ),
        Mistake(
            lambda g, a, b: (g, g),
            "Both are served. max picked one input; a nudge of the other one changes nothing, so"
            " the {g} does not go there.",
        ),
        Mistake(lambda g, a, b: (1, 0) if a > b else (0, 1), _LOCAL_ONLY),
        Mistake(
            lambda g, a, b: (g * a, 0) if a > b else (0, g * b),
            "The value is in the way. max hands on what it picked unchanged, so its local"
            " derivative is 1; {you} was multiplied by the value.",
        ),
        Mistake(
            lambda g, a, b: (g / 2, g / 2),
            "The gradient is shared out. That is right only when both inputs are equal; here they"
            " are {a} and {b}.",
        ),
    ),
)

through_max = Exercise(
    "2 · through a max",
    right=15,
    why="3 came in at max, which hands it on to a · b, and a receives 3 · b = 3 · 5.",
    mistakes=(
        Mistake(
            5,
            "The incoming gradient is missing. {you} is b, the local derivative of a · b for a;"
            " multiply it by the 3 that came in.",
        ),
        Mistake(
            3,
            "The local derivative is missing. {you} is what came in at a · b; multiply it by how"
            " fast a · b grows with a.",
        ),
        Mistake(10, "That is a value. {you} is a · b; asked is what is sent back to a."),
        Mistake(6, "That is the other factor. {you} is 3 · a, which is the gradient of b."),
        Mistake(8, "You added. {you} is 3 + 5; the chain rule multiplies."),
        Mistake(
            0,
            "The wrong input is served. a · b is 10 and c is 4, so max picked a · b; its gradient"
            " is not {you}.",
        ),
        Mistake(30, "That is the value. {you} is L itself; how fast does L grow with a?"),
    ),
)

shared = Exercise(
    "3 · used twice",
    right=7,
    why="x · x sends 2 and 2, and 3 · x sends 3; the three meet at x and are added.",
    mistakes=(
        Mistake(4, "A path is missing. {you} is what x · x sends; 3 · x sends something too."),
        Mistake(
            5,
            "A path is missing. {you} is 2 + 3; but x · x reads x twice, so two arrows join it to"
            " x.",
        ),
        Mistake(3, "A path is missing. {you} is what 3 · x sends; x · x sends something too."),
        Mistake(
            12,
            "You multiplied the paths. Along one path one multiplies; where paths meet, one adds."
            " {you} is 2 · 2 · 3.",
        ),
        Mistake(10, "That is the value. {you} is y itself; how fast does y grow with x?"),
    ),
)


def _sent(g: float, a: float, b: float) -> tuple[float, float, float]:
    """What a · b + c sends to a, b and c when g comes in."""
    return g * b, g * a, g


def _s(a: float, b: float, c: float) -> float:
    return a * b + c


whole_pass = Exercise(
    "4 · a whole backward pass",
    right=lambda a, b, c: _sent(cos(_s(a, b, c) ** 2) * 2 * _s(a, b, c), a, b),
    why="Four local rules, applied one after another from the output to the inputs.",
    cases=({"a": 1.0, "b": 3.0, "c": -1.0}, {"a": 0.5, "b": -3.0, "c": 2.0}),
    mistakes=(
        Mistake(
            lambda a, b, c: _sent(cos(_s(a, b, c) ** 2) * 2 * _s(a, b, c), b, a),
            "The inputs of a · b are not swapped. In {you} the first number belongs to b and the"
            " second to a.",
        ),
        Mistake(
            lambda a, b, c: _sent(1, a, b),
            "The incoming gradient is missing. {you} are the local derivatives at a, b and c;"
            " multiply them by what the sine and the square sent.",
        ),
        Mistake(
            lambda a, b, c: _sent(cos(_s(a, b, c) ** 2) * _s(a, b, c), a, b),
            "The 2 of the square is missing. All of {you} is half of what arrives.",
        ),
        Mistake(
            lambda a, b, c: _sent(cos(_s(a, b, c) ** 2), a, b),
            "The square is missing. What the sine sends passes through the square before it"
            " reaches the sum.",
        ),
        Mistake(
            lambda a, b, c: _sent(2 * _s(a, b, c), a, b),
            "The first step is missing. The sine multiplies the 1 it receives by its own local"
            " derivative, which is a cosine.",
        ),
        Mistake(
            lambda a, b, c: _sent(sin(_s(a, b, c) ** 2) * 2 * _s(a, b, c), a, b),
            "The local derivative of the sine is missing. You multiplied by the sine itself.",
        ),
        Mistake(
            lambda a, b, c: _sent(cos(_s(a, b, c)) * 2 * _s(a, b, c), a, b),
            "The cosine is taken at the wrong place. Into the sine went the square, not the sum.",
        ),
    ),
)
