"""The formatter keeps the rules of the visual language."""

import doctest
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from autogradlab.graphs import Summary, data, numbers
from autogradlab.graphs.numbers import nbytes, number


def summary(values: object) -> Summary:
    array = np.asarray(values, float)
    nested = tuple(map(tuple, array)) if array.ndim == 2 else tuple(array)
    return Summary(array.shape, "float64", 0, 0, 0, 0, 0, 0, nested, array.nbytes)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (36, "36"), (-12.0, "−12"), (999999, "999999"), (1e6, "1e6"),
        (1234567, "1.2e6"), (0.5, "0.5"), (1 / 3, "0.3333"), (2 / 3, "0.6667"), (-9.9999, "−10"),
        (12345.6, "12346"), (99999.6, "1e5"), (123456.7, "1.2e5"), (0.001, "0.001"),
        (0.00099, "9.9e−4"), (5.4321e-15, "5.4e−15"), (1e-8, "1e−8"), (5e-324, "4.9e−324"),
        (math.inf, "inf"), (-math.inf, "−inf"), (math.nan, "nan"), (True, "True"),
    ],
)  # fmt: skip
def test_number(x, text):
    assert number(x) == text


@given(st.floats(-1e300, 1e300))
def test_a_number_is_short_true_and_never_zero_by_rounding(x):
    text = number(x)
    assert len(text) <= 9
    assert "-" not in text
    assert "e+" not in text
    back = float(text.replace("−", "-"))
    assert (back == 0) == (x == 0)
    assert back == pytest.approx(x, rel=0.051, abs=0)


@given(st.floats(-99999, 99999).filter(lambda x: abs(x) >= 1e-3))
def test_four_digits_between_a_thousandth_and_a_hundred_thousand(x):
    assert float(number(x).replace("−", "-")) == pytest.approx(x, rel=5.1e-4)


def test_numbers():
    assert numbers.numbers(summary([36, 81])) == "[36, 81]"
    assert numbers.numbers(summary([[1, 2], [3, -4]])) == "[[1, 2], [3, −4]]"
    assert numbers.numbers(summary([1, 2, 3, 4, 5])) == "[1, 2, …, 5]"
    assert numbers.numbers(summary([[1, 2, 3], [4, 5, 6.5]])) == "[[1, 2, …, 6.5]]"
    assert numbers.numbers(summary([])) == "[]"


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0 B"), (8, "8 B"), (1023, "1023 B"), (1024, "1 KB"), (1536, "1.5 KB"),
        (48 * 1024, "48 KB"), (257 * 1024, "257 KB"), (999 * 1024, "999 KB"),
        (1363149, "1.30 MB"), (int(1.8 * 2**20), "1.80 MB"), (5 * 2**30, "5.00 GB"),
    ],
)  # fmt: skip
def test_nbytes(n, text):
    assert nbytes(n) == text


def test_examples():
    assert doctest.testmod(numbers).failed == doctest.testmod(data).failed == 0
