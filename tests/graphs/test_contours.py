"""Contour lines lie where the function has their value, and are whole."""

import numpy as np
import pytest

from autogradlab.graphs.contours import contour, label_place, levels, lowest

X, Y = np.meshgrid(np.linspace(-3, 3, 61), np.linspace(-2.4, 2.4, 49))
SURFACES = {
    "bowl": lambda x, y: x**2 + 3 * y**2,
    "saddle": lambda x, y: x * y,
    "waves": lambda x, y: np.sin(2 * x) * np.cos(3 * y),
}


def places(line):
    """From columns and rows to x and y."""
    return np.array([(-3 + 0.1 * column, -2.4 + 0.1 * row) for column, row in line]).T


@pytest.mark.parametrize("name", SURFACES)
def test_a_line_lies_where_the_function_has_its_value(name):
    z = SURFACES[name](X, Y)
    for level in levels(z, 7):
        lines = contour(z, level)
        assert lines
        for line in lines:
            heights = SURFACES[name](*places(line))
            assert np.abs(heights - level).max() < 0.02  # straight within a cell


def test_a_closed_line_closes_and_an_open_one_ends_at_the_edge():
    [ring] = contour(X**2 + Y**2, 4.0)
    assert ring[0] == ring[-1] and len(ring) > 100
    x, y = places(ring)
    assert np.hypot(x, y) == pytest.approx(2, abs=0.01)
    first, second = contour(X * Y, 1.0)
    for line in (first, second):
        for column, row in (line[0], line[-1]):
            assert column in (0, 60) or row in (0, 48)


def test_every_crossed_side_is_on_one_line():
    z = SURFACES["waves"](X, Y)
    above = z > 0.3
    crossed = np.sum(above[1:] != above[:-1]) + np.sum(above[:, 1:] != above[:, :-1])
    points = [p for line in contour(z, 0.3) for p in dict.fromkeys(line)]
    assert len(points) == len(set(points)) == crossed


def test_in_the_middle_of_a_pass_the_middle_decides():
    z = np.array([[1.0, 0.0], [0.0, 1.0]])  # 0.5 in the middle

    def cut_off(level):
        """The heights of the corners that the two lines part from the rest."""
        middles = [np.mean(line, axis=0).round().astype(int) for line in contour(z, level)]
        return [z[row, column] for column, row in middles]

    assert cut_off(0.6) == [1, 1] and cut_off(0.4) == [0, 0]


def test_what_is_not_finite_has_no_line():
    z = np.where(X < 0, np.nan, X**2 + Y**2)
    [line] = contour(z, 4.0)
    assert places(line)[0].min() >= 0
    assert contour(np.full((3, 3), np.nan), 0.0) == [] and levels(np.full((3, 3), np.inf), 4) == []
    assert contour(np.ones((3, 3)), 1.0) == contour(np.ones((3, 3)), 2.0) == []


def test_lowest_points():
    assert [(X[p], Y[p]) for p in lowest(X**2 + Y**2)] == [(0, 0)]
    assert lowest(X * Y) == lowest(np.ones((5, 5))) == []
    two = lowest(X**2 / 2 - Y**2 / 2 + Y**4 / 8)
    assert sorted(round(Y[p], 1) for p in two) == [-1.4, 1.4]
    valley = lowest((1 - X) ** 2 + 5 * (Y - X**2) ** 2)  # the grid alone has more low points
    assert [(X[p].round(9), Y[p].round(9)) for p in valley] == [(1, 1)]


def test_a_number_finds_a_free_place():
    line, box = [(float(x), 50.0) for x in range(0, 300, 10)], (0.0, 0.0, 300.0, 100.0)
    first = label_place(line, [], box)
    assert first == (100.0, 50.0)
    assert label_place(line, [first], box) not in (None, first)
    assert label_place([(5.0, 5.0)], [], box) is None
