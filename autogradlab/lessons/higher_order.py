"""The exercises of lesson 12: two passes, Newton's step, H times v, a gradient penalty, and one
gradient per example."""

import numpy as np

from .exercise import Exercise, Mistake

two_passes = Exercise(
    "1 · two backward passes",
    right=8,
    why="2 · 3 = 6 from the first pass, and the second adds the derivative of 2x, which is 2.",
    mistakes=(
        Mistake(
            2,
            "{you} is the second derivative, what the second pass brings. What the first pass"
            " brought is in x.grad already, and .grad adds.",
        ),
        Mistake(
            6,
            "{you} is what the first pass brought. The second pass started from x.grad, which has"
            " a graph that leads to x: it adds its own share.",
        ),
        Mistake(
            12,
            "{you} is the slope counted twice. The second pass starts from x.grad, not from y: it"
            " brings the derivative of the slope.",
        ),
        Mistake(9, "{you} is y. Ask how y changes with x, and how that changes."),
        Mistake(
            5,
            "{you} is one short of a sum of two whole numbers: the slope of x² at 3, and the slope"
            " of that slope.",
        ),
    ),
)


def _f(x):
    a, b = x
    return a**4 + a * b + (b - 1) ** 2


def _newton(x):
    """Gradient, Hessian and Newton's step of x₀⁴ + x₀x₁ + (x₁ − 1)²."""
    a, b = x
    g = np.array([4 * a**3 + b, a + 2 * (b - 1)])
    H = np.array([[12 * a * a, 1.0], [1.0, 2.0]])
    return np.array(x), g, H, np.linalg.solve(H, g)


def _of_newton(combine):
    return lambda x: combine(*_newton(x))


newton = Exercise(
    "2 · Newton's step",
    right=_of_newton(lambda x, g, H, s: x - s),
    why="x − H⁻¹g: there the slope of the parabola is zero.",
    cases=({"x": (1.0, 2.0)}, {"x": (-0.5, 3.0)}),
    mistakes=(
        Mistake(
            _of_newton(lambda x, g, H, s: x - g),
            "{you} is a step against the gradient, with rate 1. Newton's step also asks H how far.",
        ),
        Mistake(
            _of_newton(lambda x, g, H, s: x + s),
            "{you} went the other way, uphill where f curves up. Turn the sign of the step.",
        ),
        Mistake(
            _of_newton(lambda x, g, H, s: s),
            "{you} is what H makes into g. The point reached is asked: start from x, and go"
            " against it.",
        ),
        Mistake(
            _of_newton(lambda x, g, H, s: -s),
            "{you} is the step. The point reached is asked: add it to x.",
        ),
        Mistake(
            _of_newton(lambda x, g, H, s: x - H @ g),
            "{you} has g multiplied by H. The step is the s with H·s = g, so H is to be undone.",
        ),
        Mistake(
            _of_newton(lambda x, g, H, s: x - g / np.diag(H)),
            "{you} uses only the diagonal of H. x₀ and x₁ also act on each other.",
        ),
        Mistake(
            _of_newton(lambda x, g, H, s: x - _f(x) / g),
            "f was divided by its slope: so one looks for a zero of f. Newton's step looks for a"
            " zero of the slope.",
        ),
        Mistake(
            _of_newton(lambda x, g, H, s: x - s / 2),
            "{you} is half-way. The step is not scaled: no ½, no learning rate.",
        ),
        Mistake(_of_newton(lambda x, g, H, s: g), "{you} is the gradient at x."),
        Mistake(_of_newton(lambda x, g, H, s: H), "That is H, the whole table."),
        Mistake(
            _of_newton(lambda x, g, H, s: x - g / H),
            "g was divided by each row of H, number by number. What undoes a table is"
            " torch.linalg.solve.",
        ),
    ),
)


def _table(x):
    """Gradient and Hessian of Σ x⁴ + x₀x₁x₂."""
    a, b, c = x
    g = 4 * np.power(x, 3) + [b * c, a * c, a * b]
    return g, np.array([[12 * a * a, c, b], [c, 12 * b * b, a], [b, a, 12 * c * c]])


def _of_table(combine):
    return lambda x, v: combine(np.array(v), *_table(x))


def _swapped(x, v):
    return _table(v)[1] @ np.array(x)


times_hessian = Exercise(
    "3 · H times v",
    right=_of_table(lambda v, g, H: H @ v),
    why="It takes two passes, however long x is.",
    cases=(
        {"x": (1.0, 2.0, -1.0), "v": (1.0, -2.0, 0.5)},
        {"x": (0.5, -1.0, 3.0), "v": (0.0, 1.0, 2.0)},
    ),
    mistakes=(
        Mistake(
            _of_table(lambda v, g, H: np.stack([g, H @ v])),
            "jvp and hvp return two things, first what the function gives. Return the second.",
        ),
        Mistake(_swapped, "x and v are swapped: that is H at v, times x."),
        Mistake(
            _of_table(lambda v, g, H: H * v),
            "The rows of H are multiplied by v number by number, and not added up.",
        ),
        Mistake(
            _of_table(lambda v, g, H: g),
            "{you} is the gradient. jvp returns two things: take the second; or take the gradient"
            " of gᵀv.",
        ),
        Mistake(
            _of_table(lambda v, g, H: g @ v),
            "{you} is gᵀv, the slope along v. Its gradient is asked.",
        ),
        Mistake(
            _of_table(lambda v, g, H: v @ H @ v),
            "{you} is vᵀHv, the curvature along v: one number. Hv is asked, as long as x.",
        ),
        Mistake(
            _of_table(lambda v, g, H: g * v),
            "{you} is the gradient times v, number by number. It was not differentiated again.",
        ),
        Mistake(
            _of_table(lambda v, g, H: H.sum(0)),
            "{you} is H times [1, 1, 1]: the gradient of the sum of g. Weigh g by v before.",
        ),
        Mistake(
            _of_table(lambda v, g, H: np.diag(H) * v),
            "{you} uses only the diagonal of H. The product x₀ · x₁ · x₂ has a share beside it.",
        ),
        Mistake(
            _of_table(lambda v, g, H: H),
            "That is H, the whole table. Its product with v is asked, and H is not needed for it.",
        ),
    ),
)


def _penalty(combine):
    def of(w, x):
        w, x = np.array(w), np.array(x)
        g = 2 * w * x
        norm = np.linalg.norm(g)
        return combine(w, x, g, norm, 4 * w * x**2 / norm)  # the last: how the norm moves with w

    return of


penalty_gradient = Exercise(
    "4 · a gradient penalty",
    right=_penalty(lambda w, x, g, n, slope: 2 * (n - 1) * slope),
    why="The first gradient was recorded, so the second pass could reach w through it.",
    cases=(
        {"w": (1.0, 2.0), "x": (1.0, -1.0)},
        {"w": (-0.5, 1.0, 2.0), "x": (2.0, 1.0, 0.5)},
    ),
    mistakes=(
        Mistake(
            _penalty(lambda w, x, g, n, slope: x**2),
            "{you} is the gradient of the score for w. The penalty's is asked.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: x**2 + 2 * (n - 1) * slope),
            "The gradient of the score is in it too. Differentiate the penalty alone.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: 2 * (n - 1) * 4 * w**2 * x / n),
            "{you} is the gradient of the penalty for x. The weights w are trained.",
        ),
        Mistake(
            _penalty(
                lambda w, x, g, n, slope: np.stack(
                    [2 * (n - 1) * slope, 2 * (n - 1) * 4 * w**2 * x / n]
                )
            ),
            "Those are the gradients for w and for x. Only the weights w are trained.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: (n - 1) * slope),
            "{you} is half of it. The derivative of a square has a 2.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: 2 * (g - 1) * 2 * x),
            "{you} belongs to Σ (∂score/∂x − 1)², number by number. Take the norm first, then"
            " subtract 1.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: 2 * n * slope),
            "{you} belongs to ‖∂score/∂x‖², without the 1.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: slope),
            "{you} belongs to ‖∂score/∂x‖ − 1, without the square.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: 2 * (n * n - 1) * 2 * n * slope),
            "{you} belongs to (‖∂score/∂x‖² − 1)²: the root of the norm is missing.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: g),
            "{you} is ∂score/∂x, the first gradient. Make the penalty of it, and take the second.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: (n - 1) ** 2),
            "{you} is the penalty. Its gradient for w is asked.",
        ),
        Mistake(
            _penalty(lambda w, x, g, n, slope: np.zeros_like(w)),
            "Nothing reached w: for the second pass the first gradient was a constant.",
        ),
    ),
)


def _samples(combine):
    def of(w, X, T):
        X = np.array(X)
        gap = X @ np.array(w) - np.array(T)
        return combine(2 * gap[:, None] * X, gap, X)

    return of


gradient_norms = Exercise(
    "5 · who pulls hardest?",
    right=_samples(lambda each, gap, X: np.linalg.norm(each, axis=1)),
    why="A row for each example, and the norm of each row.",
    cases=(
        {
            "w": (1.0, 2.0),
            "X": ((2.0, -1.0), (1.0, 0.5), (0.0, 1.0)),
            "T": (-3.0, 1.0, 4.0),
        },
        {"w": (0.5, -1.0, 2.0), "X": ((1.0, 2.0, 0.0), (3.0, 0.0, 1.0)), "T": (1.0, 0.0)},
    ),
    mistakes=(
        Mistake(
            _samples(lambda each, gap, X: each),
            "Those are the gradients, a row for each example. Return the norm of each row.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.linalg.norm(each, axis=0)),
            "{you} is the norm of each column: one number for each weight. The examples are rows.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.linalg.norm(each)),
            "{you} is one norm over all of the table. Say along which dimension.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.linalg.norm(each, axis=1).argmax()),
            "{you} is the place of the largest. Return the norms, all of them.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.linalg.norm(each, axis=1).max()),
            "{you} is the largest alone. Return the norms, all of them.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.sort(np.linalg.norm(each, axis=1))),
            "The norms are sorted. Leave them in the order of the examples.",
        ),
        Mistake(
            _samples(lambda each, gap, X: abs(each).sum(1)),
            "{you} are the sums of the sizes. A norm is the root of the sum of squares.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.linalg.norm(each.sum(0))),
            "{you} is the norm of the gradient of the whole batch. There is one for each example.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.linalg.norm(each.mean(0))),
            "{you} is the norm of the mean gradient. There is one for each example.",
        ),
        Mistake(
            _samples(lambda each, gap, X: (each**2).sum(1)),
            "{you} are the squares of the norms. The root is missing.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.linalg.norm(each, axis=1) / 2),
            "{you} are half of them. The derivative of a square has a 2.",
        ),
        Mistake(
            _samples(lambda each, gap, X: np.linalg.norm(each, axis=1) / len(X)),
            "{you} belong to the mean of the losses. Here each example counts for itself.",
        ),
        Mistake(
            _samples(lambda each, gap, X: gap**2),
            "{you} are the losses. How they change with w is asked.",
        ),
        Mistake(
            _samples(lambda each, gap, X: each.sum(1)),
            "{you} are the sums of each gradient. A norm is the root of the sum of squares.",
        ),
    ),
)
