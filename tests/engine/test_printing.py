"""The text of a tensor equals the installed PyTorch's, character for character."""

import contextlib
import doctest
import re

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autogradlab
from autogradlab import dtypes, printing

NAMES = [d.name for d in dtypes.DTYPES]
FLOATS = ["float16", "float32", "float64"]


@contextlib.contextmanager
def with_printoptions(**options):
    """Both engines with these options, and afterwards with the default ones."""
    try:
        for engine in (torch, printing):
            engine.set_printoptions(**options)
        yield
    finally:
        for engine in (torch, printing):
            engine.set_printoptions(profile="default")


@pytest.fixture(params=FLOATS)
def default_name(request):
    torch.set_default_dtype(getattr(torch, request.param))
    dtypes.set_default_dtype(getattr(dtypes, request.param))
    yield request.param
    torch.set_default_dtype(torch.float32)
    dtypes.set_default_dtype(dtypes.float32)


def check(array):
    """As a constant, as a leaf that wants a gradient and as a result."""
    array = np.asarray(array)
    theirs = torch.from_numpy(array.copy())
    assert printing.tensor_repr(array) == repr(theirs)
    if theirs.is_floating_point():
        theirs.requires_grad_()
        assert printing.tensor_repr(array, requires_grad=True) == repr(theirs)
        result = theirs.clone()
        assert printing.tensor_repr(array, grad_fn=result.grad_fn.name()) == repr(result)


def magnitudes(name):
    """Floats of every size, and often of one size, so that every notation is met."""
    dtype = np.dtype(name)
    width = dtype.itemsize * 8
    every = st.floats(width=width)
    usual = st.floats(-1000, 1000, width=width)
    whole = st.integers(-2000, 2000).map(float)
    special = st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -float("inf")])
    return st.sampled_from([every, usual, whole, special, usual | special, whole | special])


def arrays(name):
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)
    if name in FLOATS:
        return magnitudes(name).flatmap(lambda floats: hnp.arrays(name, shapes, elements=floats))
    return hnp.arrays(name, shapes)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_array(name, data):
    check(data.draw(arrays(name)))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(
    shape=st.sampled_from([(1001,), (1000,), (1, 1001), (1001, 1), (7, 200), (40, 40), (11, 11, 11),
                           (2, 3, 400), (6, 7, 6, 7), (3, 1, 500), (2, 0, 2000)]),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-6, 0.01, 1, 30, 1e4, 1e10]),
)
def test_large_arrays_are_shortened(name, shape, seed, scale):
    numbers = np.random.default_rng(seed).standard_normal(shape) * scale
    if name == "bool":
        check(numbers > 0)
    elif name in FLOATS:
        with np.errstate(over="ignore"):
            check(numbers.astype(name))
    else:
        info = np.iinfo(name)
        check(np.clip(numbers, info.min // 2, info.max // 2).astype(name))


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (2, 0, 4), (1,), (1, 1, 1), (2, 1, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_default_types(shape, name, default_name):
    check(np.ones(shape, name))


@settings(max_examples=200, deadline=None)
@given(array=hnp.arrays("float64", st.integers(1, 5), elements=st.sampled_from(
    [0.0, 1.0, 1000.0, 1001.0, 1.5, 1e8, 1e8 + 1, 1e8 + 0.5, 1e-4, 9.99e-5, 5e-5, 0.99999,
     999.99999, 1e-320, 1.7e308, np.nan, np.inf, -np.inf, -0.0, -1e-9])))
@example(np.array([1e-320, 1.7e308]))
@example(np.array([1.0, 1000.0]))  # a ratio of 1000 is the last one without an exponent
@example(np.array([1.0, np.nextafter(1000.0, 2000.0)]))
@example(np.array([1.0, 1001.0]))
@example(np.array([1e8, 2e5]))
@example(np.array([np.nextafter(1e8, 2e8)]))
@example(np.array([1e-4, 0.05]))
@example(np.array([np.nextafter(1e-4, 0.0), 0.05]))
def test_where_the_notation_changes(array):
    check(array)


@pytest.mark.parametrize("name", ["float32", "float64", "int64", "int32", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 3), (4,), (23,), (2, 5), (2, 2, 3)])
def test_lines_and_suffixes_wrap_where_torch_wraps_them(name, shape):
    """One character more room at a time, past every place where something goes to a new line."""
    array = np.full(shape, 1.25).astype(name)
    for linewidth in range(15, 90):
        with with_printoptions(linewidth=linewidth):
            check(array)


OPTIONS = st.fixed_dictionaries({}, optional={
    "precision": st.integers(0, 8), "threshold": st.integers(0, 50), "edgeitems": st.integers(1, 4),
    "linewidth": st.integers(10, 120), "sci_mode": st.sampled_from([None, True, False]),
    "profile": st.sampled_from(["default", "short", "full", "unknown"])})


@settings(max_examples=300, deadline=None)
@given(options=OPTIONS, more=OPTIONS,
       array=st.sampled_from(NAMES).flatmap(arrays))
def test_print_options(options, more, array):
    """The second call keeps what the first one set, but for sci_mode."""
    with with_printoptions(**options), with_printoptions(**more):
        check(array)
        check(array.T)


@settings(max_examples=100, deadline=None)
@given(array=st.sampled_from(NAMES).flatmap(lambda name: hnp.arrays(name, ())),
       spec=st.sampled_from(["", ".3f", "8.2e", ">12", "d", "g", "x"]))
def test_a_number_takes_a_format(array, spec):
    ours, theirs = autogradlab.from_numpy(array), torch.from_numpy(array)
    try:
        expected = format(theirs, spec)
    except (ValueError, TypeError) as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            format(ours, spec)
    else:
        assert format(ours, spec) == expected


@pytest.mark.parametrize("spec", ["", ".3f", ">12"])
def test_a_parameter_takes_none(spec):
    """Only a plain tensor is formatted as its number."""
    said = []
    for engine in (torch, autogradlab):
        try:
            said.append(format(engine.nn.Parameter(engine.tensor(1.5)), spec))
        except TypeError as error:
            said.append(str(error))
    assert said[0] == said[1]


def test_print_options_of_a_large_array():
    array = np.random.default_rng(0).standard_normal((60, 40))
    for options in ({"profile": "full"}, {"profile": "short"}, {"precision": 10},
                    {"threshold": 10, "edgeitems": 2}, {"sci_mode": True}, {"linewidth": 40}):
        with with_printoptions(**options):
            check(array)


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(printing).failed == 0
