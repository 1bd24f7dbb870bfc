"""What a picture writes is what was computed: random programs, their labels read back and run."""

import re
from dataclasses import asdict

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from programs import ENGINES

from autogradlab.graphs import read_graph, record_backward
from autogradlab.graphs.words import short_name

LEAVES = {"a": [2.0, -0.75], "b": [-1.5, 3.0], "c": 1.25}
FUNCTIONS = {
    "sin": np.sin, "cos": np.cos, "exp": np.exp, "log": np.log, "tanh": np.tanh, "sqrt": np.sqrt,
    "abs": np.abs, "sign": np.sign, "relu": lambda x: np.maximum(x, 0),
    "σ": lambda x: 1 / (1 + np.exp(-x)),
}  # fmt: skip
NAMES = {"σ": "sigmoid"}


# ------------------------------------------------------------------- random programs, as Python

CONSTANTS = ["-3", "-2", "-1", "2", "3", "10", "-0.5", "0.25", "1.5"]
UNARY = [f"({{}}).{NAMES.get(name, name)}()" for name in FUNCTIONS if name != "sign"]
POWERS = [f"({{}}**{n})" for n in range(-2, 5)]


def program(random):
    """A few operations, each on what there is already; the longest that fits in a title."""
    made = list(LEAVES)
    for _ in range(random.randint(2, 7)):
        x, y = (
            random.choice(made[-2:]),
            random.choice(random.choice([made, list(LEAVES), CONSTANTS])),
        )
        x, y = random.sample([x, y], 2)
        one = x if y in CONSTANTS else y
        unary = random.choice([random.choice(UNARY), random.choice(POWERS), "(-{})"]).format(one)
        made.append(random.choice([f"({x} {random.choice('+-*/')} {y})"] * 2 + [unary]))
    return max((code for code in made if len(code) < 60), key=len)


programs = st.randoms(use_true_random=True).map(program)  # a plain seed gives the widest choice


def run(engine, code):
    """The program's names, on this engine."""
    leaves = {
        name: engine.tensor(values, dtype=engine.float64, requires_grad=True)
        for name, values in LEAVES.items()
    }
    return {**leaves, "Q": eval(code, dict(leaves))}


# --------------------------------------------------------------------- a label back into Python

TOKEN = re.compile(
    r"(inf|nan|\d+(?:\.\d+)?(?:e−?\d+)?)|([a-zσ]+)(?=\()|([a-z])|([⁻⁰¹²³⁴-⁹]+)|(\*\*)|(\S)"
)
PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−·", "0123456789--*")


def python(text):
    """The expression as Python: a dot is a product, and so is nothing between two factors.

    >>> python("−3ab³ + 2(a − 1)"), python("σ(a)/(bb)")
    ('-3*a*b**3+2*(a-1)', 'σ(a)/(b*b)')
    """
    out, factor = [], False  # did a factor end just now?
    for number, function, letter, power, stars, sign in TOKEN.findall(text):
        if factor and (letter or function or sign == "("):
            out.append("*")
        out.append("**" if power else "")
        out.append((number or function or letter or power or stars or sign).translate(PLAIN))
        factor = bool(number or letter or power or sign == ")")
    return "".join(out)


def value_of(text):
    space = {name: np.array(values) for name, values in LEAVES.items()}
    with np.errstate(all="ignore"):
        return np.asarray(eval(python(text), {**space, **FUNCTIONS, "inf": np.inf}))


# --------------------------------------------------------------------------------- the tests

ADDED = re.compile(r"[\d.]+ [+-] |[+-] -?[\d.]+")  # a sum does not keep its constant


def assert_shows(text, summary):
    if not summary.nonfinite and summary.norm < 1e6:
        values = np.broadcast_to(value_of(text), summary.shape)
        np.testing.assert_allclose(values, summary.values, rtol=1e-6, atol=1e-6, err_msg=text)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=500)
@given(code=programs)
def test_an_expression_gives_the_value_it_stands_for(engine, code):
    names = run(engine, code)
    graph = read_graph(names["Q"], names)
    for node in graph.nodes.values():
        if node.kind == "op" and "…" in node.expression:
            assert ADDED.search(code), f"{node.expression} hides something"
        elif node.kind == "op" and node.value:
            assert_shows(node.expression, node.value)
            if node.label != short_name(node.name) and "…" not in node.label:
                assert_shows(node.label, node.value)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=200)
@given(code=programs)
def test_a_local_derivative_is_what_it_says(engine, code):
    names = run(engine, code)
    for step in record_backward(names["Q"], engine.ones_like(names["Q"]), names).events:
        for factor in step.factors:
            slope = factor.text.partition(" = ")[2]
            if "…" in factor.text or " if " in slope:
                continue
            assert_shows(slope, factor.local)
            if factor.substituted and not factor.local.nonfinite:
                live = [value_of(text).item() for text in factor.substituted]
                np.testing.assert_allclose(live, np.ravel(factor.local.values), 0.01, 1e-3)


def assert_close(ours, theirs, where=""):
    """Equal but for rounding in numbers."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), where
        # Where the values are held and compared, a rounding error is no zero.
        for key in theirs.keys() - ({"zeros"} if theirs.get("values") else set()):
            assert_close(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs), where
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_close(*pair, f"{where}[{i}]")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9, nan_ok=True), where
    else:
        assert ours == theirs, f"{where}: {ours!r} is not {theirs!r}"


@settings(max_examples=200)
@given(code=programs)
def test_both_engines_read_and_record_the_same(code):
    found = []
    for engine in ENGINES:
        names = run(engine, code)
        data = asdict(record_backward(names["Q"].sum(), names=names))
        assert {"torch": "PyTorch"}.get(engine.__name__, engine.__name__) == data["graph"].pop(
            "engine"
        )
        found.append(data)
    assert_close(*found)
