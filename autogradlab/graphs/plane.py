"""A plane of two inputs: points of two classes in it, and what a function answers all over it, as
cells in a few tones and a line where the answer changes sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .draw import Box, Pen, _f, path

DATA = ("moons", "circle", "xor", "spiral")
COUNT = 100  # points, half of each class where it is for us to say
EDGE = 1.2  # the plane reaches from −EDGE to EDGE both ways
TONES = (0.0, 0.14, 0.32, 0.55)  # opacity of the cells of each band


def points(data: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points (100, 2) and their classes (100,), 1 or 0; the same for the same seed.

    Raises:
        ValueError: `data` is not one of DATA.

    >>> x, y = points("circle")
    >>> x.shape, int(y.sum()), bool((np.hypot(*x[y == 1].T) < 0.5).all())
    ((100, 2), 50, True)
    """
    if data not in DATA:
        raise ValueError(f"there is no data {data!r}; there are {', '.join(DATA)}")
    rng, half = np.random.default_rng(seed), COUNT // 2
    y = np.repeat([1, 0], half)
    if data == "moons":
        turn = np.pi * np.linspace(0, 1, half)
        one = 0.65 * np.stack([np.cos(turn) - 0.5, np.sin(turn) - 0.25], 1)
        return np.concatenate([one, -one]) + rng.normal(0, 0.06, (COUNT, 2)), y
    if data == "circle":
        away = np.concatenate([0.45 * np.sqrt(rng.random(half)), 0.65 + 0.35 * rng.random(half)])
        turn = 2 * np.pi * rng.random(COUNT)
        return np.stack([away * np.cos(turn), away * np.sin(turn)], 1), y
    if data == "spiral":
        away = np.linspace(0.15, 1, half)
        turn = 2 * np.pi * 1.4 * away
        one = np.stack([away * np.cos(turn), away * np.sin(turn)], 1)
        return np.concatenate([one, -one]) + rng.normal(0, 0.02, (COUNT, 2)), y
    x = rng.uniform(0.06, 1.0, (COUNT, 2)) * rng.choice([-1, 1], (COUNT, 2))
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def grid(n: int) -> np.ndarray:
    """The corners of n × n cells as points ((n + 1)², 2), row by row from the top left."""
    line = np.linspace(-EDGE, EDGE, n + 1)
    return np.stack([np.tile(line, n + 1), np.repeat(-line, n + 1)], 1)


def cells(pen: Pen, corners: np.ndarray, bands: tuple[float, ...], box: Box) -> str:
    """The cells whose answer is above each bound in `bands`, in three tones: one path for each,
    cells of a row joined. An answer that is no number has no tone."""
    left, top, right, _ = box
    n = len(corners) - 1
    size = (right - left) / n
    down = f"v{_f(size)}"
    with np.errstate(invalid="ignore"):
        middle = sum(_four(corners)) / 4
        band = sum((middle > bound).astype(int) for bound in bands)
    parts = []
    for tone in range(1, len(bands) + 1):
        d = "".join(
            f"M{_f(left + size * j)} {_f(top + size * i)}h{_f(size * k)}{down}h{_f(-size * k)}z"
            for i, row in enumerate(band)
            for j, k in _runs(row == tone)
        )
        if d:
            parts.append(path(pen, "plane cell", d, f' fill-opacity="{TONES[tone]:g}"'))
    return "".join(parts)


def _runs(row: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where runs of True begin, and how long they are.

    >>> list(_runs(np.array([True, True, False, True])))
    [(0, 2), (3, 1)]
    """
    ends = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return ((int(a), int(b - a)) for a, b in zip(ends[::2], ends[1::2], strict=True))


def border(corners: np.ndarray, level: float, box: Box) -> str:
    """The line where the answer passes `level`, as the data of a path: straight across each cell,
    from side to side where it is crossed.

    >>> border(np.array([[0.0, 1.0], [0.0, 1.0]]), 0.5, (0, 0, 10, 10))
    'M5 0L5 10'
    """
    left, top, right, _ = box
    size, above = (right - left) / (len(corners) - 1), corners > level
    count = sum(_four(above.astype(int)))  # of the corners of each cell
    mixed = (count > 0) & (count < 4) & np.isfinite(sum(_four(corners)))
    lines = []
    for i, j in np.argwhere(mixed).tolist():
        places = ((j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1))
        around = [float(corners[y, x]) - level for x, y in places]
        crossed = []
        for k, a in enumerate(around):
            b, (x0, y0), (x1, y1) = around[k - 3], places[k], places[k - 3]
            if (a > 0) != (b > 0):
                t = a / (a - b)
                x, y = left + size * (x0 + t * (x1 - x0)), top + size * (y0 + t * (y1 - y0))
                crossed.append(f"{_f(x)} {_f(y)}")
        lines += [f"M{p}L{q}" for p, q in zip(crossed[::2], crossed[1::2], strict=True)]
    return "".join(lines)


def _four(corners: np.ndarray) -> tuple[np.ndarray, ...]:
    """The corners of every cell."""
    return corners[:-1, :-1], corners[:-1, 1:], corners[1:, :-1], corners[1:, 1:]


def place(x: np.ndarray, box: Box) -> tuple[float, float]:
    """Where a point of the plane is in a box."""
    left, top, right, bottom = box
    across, up = (float(v) / EDGE / 2 + 0.5 for v in x)
    return left + (right - left) * across, bottom - (bottom - top) * up


def dots(pen: Pen, x: np.ndarray, y: np.ndarray, box: Box) -> str:
    """The points, told apart by their shape: a full disc is class 1, an open diamond class 0."""
    shapes: dict[int, Callable[[float, float], str]] = {1: disc, 0: diamond}
    marks = {1: "", 0: ""}
    for point, kind in zip(x, y.tolist(), strict=True):
        marks[kind] += shapes[kind](*place(point, box))
    return path(pen, "plane diamond", marks[0]) + path(pen, "plane disc", marks[1])


def disc(x: float, y: float, r: float = 4.0) -> str:
    """A circle as the data of a path."""
    return f"M{_f(x - r)} {_f(y)}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"


def diamond(x: float, y: float, r: float = 4.5) -> str:
    """A square on its corner, likewise."""
    return f"M{_f(x - r)} {_f(y)}l{r:g} {-r:g} {r:g} {r:g} {-r:g} {r:g}z"
