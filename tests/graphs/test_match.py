"""Matching two graphs: the same ones, and every way in which they can differ."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autogradlab
from autogradlab.graphs import record_backward
from autogradlab.graphs.match import match


def recorded(program, engine, gradient=None):
    names = program(engine)
    return record_backward(names["y"], gradient, names)


def x_of(engine, dtype="float32"):
    return engine.tensor([0.5, -1.0], dtype=getattr(engine, dtype), requires_grad=True)


def polynomial(engine):
    x = x_of(engine)
    return {"x": x, "y": (3 * x**3 - x).tanh().sum()}


def test_the_same_program_on_both_engines_matches():
    pairs = match(*(recorded(polynomial, engine) for engine in (autogradlab, torch)))
    assert all(pair.same for pair in pairs) and len(pairs) == 7


OTHERS = {
    "name": lambda e, x: (3 * x * x * x - x).tanh().sum(),
    "gradients": lambda e, x: (2 * x**3 - x).tanh().sum(),
    "shape": lambda e, x: (3 * x[None] ** 3 - x).tanh().sum(),
    "inputs": lambda e, x: (3 * x**3 - x.detach()).tanh().sum(),
    "alone": lambda e, x: (3 * x**3 - x).clone().tanh().sum(),
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("turned", [False, True])
def test_a_difference_is_found_and_named(what, turned):
    def other(engine):
        x = x_of(engine)
        return {"x": x, "y": OTHERS[what](engine, x)}

    programs = (other, polynomial) if turned else (polynomial, other)
    pairs = match(recorded(programs[0], autogradlab), recorded(programs[1], torch))
    found = {name for pair in pairs for name in pair.differences}
    alone = [pair for pair in pairs if None in (pair.left, pair.right)]
    assert what in found or (what == "alone" and alone), (found, alone)
    if what == "alone":
        assert [bool(pair.left) for pair in alone] == [turned] and not found


def test_another_dtype_is_a_difference():
    def double(engine):
        x = x_of(engine, "float64")
        return {"x": x, "y": (3 * x**3 - x).tanh().sum()}

    pairs = match(recorded(polynomial, autogradlab), recorded(double, torch))
    assert all("dtype" in pair.differences for pair in pairs[:-1])


@settings(max_examples=30)
@given(st.lists(st.sampled_from("+*tn"), min_size=1, max_size=12), st.integers(0, 11))
def test_an_operation_put_in_stays_alone(steps, at):
    """Whatever the program, and wherever it is put in."""

    def program(engine, extra):
        x = y = x_of(engine)
        for i, step in enumerate(steps):
            y = {"+": lambda: y + x, "*": lambda: y * x, "t": y.tanh, "n": lambda: -y}[step]()  # noqa: B023
            if extra and i == at % len(steps):
                y = y.view(2)
        return {"x": x, "y": y}

    ones = [1.0, 1.0]
    one = recorded(lambda e: program(e, False), autogradlab, ones)
    other = recorded(lambda e: program(e, True), torch, ones)
    pairs = match(one, other)
    alone = [other.graph.nodes[p.right].name for p in pairs if p.left is None]
    assert alone == ["ViewBackward0"]
    assert all(p.same for p in pairs if p.left is not None)
