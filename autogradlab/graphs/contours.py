"""Contour lines: where a function of two variables, known on a grid, takes a given value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Side = tuple[str, int, int]  # of a cell: "across" or "down" from the corner in this row and column


def contour(z: np.ndarray, level: float) -> list[list[Point]]:
    """Lines along which z is `level`, as (column, row); straight within a cell of the grid.

    A closed line ends where it began. Cells with a corner that is not finite have no line.

    >>> contour(np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 4.0]]), 0.5)
    [[(0.5, 0.0), (0.5, 1.0), (0.125, 2.0)]]
    """
    above = z > level
    corners = [above[:-1, :-1], above[:-1, 1:], above[1:, 1:], above[1:, :-1]]
    finite = np.isfinite(z)
    known = finite[:-1, :-1] & finite[:-1, 1:] & finite[1:, 1:] & finite[1:, :-1]
    mixed = known & (sum(c.astype(int) for c in corners) % 4 != 0)
    beside: dict[Side, list[Side]] = {}
    for i, j in np.argwhere(mixed).tolist():
        for one, other in _pieces(above, z, level, i, j):
            beside.setdefault(one, []).append(other)
            beside.setdefault(other, []).append(one)
    ends = [side for side, others in beside.items() if len(others) == 1]
    seen: set[Side] = set()
    lines = [_follow(beside, side, seen) for side in (*ends, *beside) if side not in seen]
    return [[_crossing(z, level, side) for side in line] for line in lines]


def _pieces(above: np.ndarray, z: np.ndarray, level: float, i: int, j: int):
    """The sides of a cell that a line joins, in pairs."""
    a, b, c, d = above[i, j], above[i, j + 1], above[i + 1, j + 1], above[i + 1, j]
    top, right = ("across", i, j), ("down", i, j + 1)
    bottom, left = ("across", i + 1, j), ("down", i, j)
    if a == c and b == d:  # two lines: the middle of the cell says which corners they cut off
        middle = z[i : i + 2, j : j + 2].mean() > level
        return [(top, right), (bottom, left)] if middle == a else [(top, left), (bottom, right)]
    crossed = [a != b, b != c, c != d, d != a]
    one, other = (s for s, x in zip((top, right, bottom, left), crossed, strict=True) if x)
    return [(one, other)]


def _follow(beside: dict[Side, list[Side]], side: Side, seen: set[Side]) -> list[Side]:
    line, first = [side], side
    seen.add(side)
    while ahead := [other for other in beside[side] if other not in seen]:
        side = ahead[0]
        seen.add(side)
        line.append(side)
    return [*line, first] if len(line) > 2 and first in beside[side] else line


def _crossing(z: np.ndarray, level: float, side: Side) -> Point:
    way, i, j = side
    p, q = z[i, j], (z[i, j + 1] if way == "across" else z[i + 1, j])
    share = float((level - p) / (q - p))
    return (j + share, float(i)) if way == "across" else (float(j), i + share)


def levels(z: np.ndarray, count: int) -> list[float]:
    """Values whose contour lines divide the grid into parts of nearly equal size.

    >>> levels(np.arange(101.0).reshape(1, -1), 3)
    [25.0, 50.0, 75.0]
    """
    finite = z[np.isfinite(z)]
    if not finite.size:
        return []
    found = np.quantile(finite, [(k + 1) / (count + 1) for k in range(count)])
    return sorted({float(f"{x:.2g}") for x in found})


def lowest(z: np.ndarray) -> list[tuple[int, int]]:
    """(Row, column) of the points inside the grid that are lower than all eight neighbours, and
    nearly as low as any: in a narrow valley the grid has low points where the function has none.

    >>> lowest(np.array([[9, 9, 9], [9, 1, 9], [9, 9, 9.0]]))
    [(1, 1)]
    """
    rows, columns = z.shape
    inner = z[1:-1, 1:-1]
    is_lowest = np.isfinite(inner)
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                is_lowest &= inner < z[i : rows - 2 + i, j : columns - 2 + j]
    found = [(i + 1, j + 1) for i, j in np.argwhere(is_lowest).tolist()]
    least = min((z[p] for p in found), default=0.0)
    room = 1e-4 * (np.median(z[np.isfinite(z)]) - least) if found else 0.0
    return [p for p in found if z[p] <= least + room]


def drawn(line: list[Point], at: Callable[[Point], Point]) -> str:
    """A line as the d of a path, its points put in place by `at`."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in map(at, line))


def label_place(line: list[Point], taken: list[Point], box: Box) -> Point | None:
    """A place on a line, in px, for its number: away from the edges of `box` (left, top, right,
    bottom) and from the numbers that have a place."""
    left, top, right, bottom = box
    for k in sorted(range(len(line)), key=lambda k: abs(k - len(line) // 3)):
        x, y = line[k]
        roomy = left + 24 < x < right - 24 and top + 14 < y < bottom - 14
        if roomy and all(abs(x - u) > 48 or abs(y - v) > 18 for u, v in taken):
            return x, y
    return None
