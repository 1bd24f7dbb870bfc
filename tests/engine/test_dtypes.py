"""The dtype objects, the default type and every promotion rule equal the installed PyTorch's."""

import contextlib
import copy
import doctest
import itertools
import pickle

import numpy as np
import pytest
import torch

from autogradlab import dtypes

NAMES = [d.name for d in dtypes.DTYPES]
PAIRS = list(itertools.product(NAMES, NAMES))


@pytest.fixture(params=["float32", "float64", "float16"])
def default_name(request):
    """Both engines with this default type."""
    with contextlib.ExitStack() as stack:
        for engine in (torch, dtypes):
            stack.callback(engine.set_default_dtype, engine.get_default_dtype())
            engine.set_default_dtype(getattr(engine, request.param))
        yield request.param


def outcome(function, *args):
    """What a call does: its result, or the type and text of its error."""
    try:
        return function(*args)
    except Exception as error:
        return type(error), str(error)


def same_dtype(ours, theirs):
    return repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", [*NAMES, "half", "float", "double", "short", "int", "long"])
def test_a_dtype_has_torchs_attributes(name):
    ours, theirs = getattr(dtypes, name), getattr(torch, name)
    assert same_dtype(ours, theirs)
    for attribute in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    assert dtypes.type_name(ours.numpy) == torch.ones(1, dtype=theirs).type()


@pytest.mark.parametrize("d", dtypes.DTYPES, ids=repr)
def test_a_dtype_is_one_object(d):
    assert pickle.loads(pickle.dumps(d)) is d
    assert copy.copy(d) is d and copy.deepcopy([d])[0] is d
    assert dtypes.from_numpy(np.ones(1, d.name).dtype) is d
    assert dtypes.to_numpy(d) is dtypes.to_numpy(d.numpy) is d.numpy


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"float64"}))
def test_error_texts_name_types_as_torch_does(name):
    vector = torch.ones(2, dtype=getattr(torch, name))
    with pytest.raises(RuntimeError) as error:
        torch.dot(vector.double(), vector)
    assert str(error.value).endswith(f"Double and {dtypes.scalar_name(np.dtype(name))}")
    with pytest.raises(RuntimeError) as error:
        torch.mm(torch.ones(2, 2, dtype=torch.float64), vector.expand(2, 2))
    assert str(error.value).endswith(f"double != {dtypes.cpp_name(np.dtype(name))}")


def test_a_numpy_dtype_without_tensors_is_refused_in_torchs_words():
    ours = outcome(dtypes.from_numpy, np.dtype(object))
    theirs = outcome(torch.from_numpy, np.zeros(1, object))
    for extra in ("complex64, complex128, ", "uint64, uint32, uint16, "):
        theirs = theirs[0], theirs[1].replace(extra, "")
    assert ours == theirs
    swapped = np.zeros(1, np.dtype("f4").newbyteorder())
    assert outcome(dtypes.from_numpy, swapped.dtype) == outcome(torch.from_numpy, swapped)
    for unsupported in ("complex64", "uint16", "U3"):
        assert outcome(dtypes.from_numpy, np.dtype(unsupported))[0] is TypeError


@pytest.mark.parametrize("kind", [float, int, bool, None])
def test_python_types_name_the_types_they_name_in_torch(kind, default_name):
    assert dtypes.to_numpy(kind).name == str(torch.zeros(1, dtype=kind).dtype)[6:]


@pytest.mark.parametrize("kind", ["float32", 3, [], np.float32])
def test_other_objects_are_no_dtype(kind):
    theirs = outcome(lambda: torch.zeros(2, dtype=kind))
    ours = outcome(dtypes.to_numpy, kind)
    assert ours[0] is theirs[0] and theirs[1] == f"zeros(): {ours[1]}"


@pytest.mark.parametrize("name", NAMES)
def test_only_floating_point_types_become_the_default(name):
    try:
        results = [outcome(engine.set_default_dtype, getattr(engine, name))
                   for engine in (dtypes, torch)]
        assert results[0] == results[1]
        assert same_dtype(dtypes.get_default_dtype(), torch.get_default_dtype())
    finally:
        dtypes.set_default_dtype(dtypes.float32)
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("wrong", [3, "float32", None, float])
def test_the_default_must_be_a_dtype(wrong):
    assert outcome(dtypes.set_default_dtype, wrong) == outcome(torch.set_default_dtype, wrong)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_promote_types_and_can_cast(a, b):
    ours, theirs = ([getattr(engine, name) for name in (a, b)] for engine in (dtypes, torch))
    assert same_dtype(dtypes.promote_types(*ours), torch.promote_types(*theirs))
    assert dtypes.can_cast(*ours) == torch.can_cast(*theirs)


@pytest.mark.parametrize("arguments", [(1, "f"), ("f", None)])
def test_promote_types_refuses_other_objects(arguments):
    ours, theirs = ([engine.float32 if x == "f" else x for x in arguments]
                    for engine in (dtypes, torch))
    assert outcome(dtypes.promote_types, *ours) == outcome(torch.promote_types, *theirs)


def operands():
    """Every kind of operand: arrays, 0-d arrays, NumPy scalars of each type, Python numbers."""
    for name in NAMES:
        yield np.ones(2, name)
        yield np.ones((), name)
        yield np.dtype(name).type(1)
    yield from (True, 2, 2.5)


def as_torch(x):
    return torch.from_numpy(np.asarray(x)) if isinstance(x, np.ndarray | np.generic) else x


def test_result_type_of_every_pair(default_name):
    wrong = [(a, b) for a, b in itertools.product(operands(), operands())
             if f"torch.{dtypes.result_type(a, b).name}"
             != str(torch.result_type(as_torch(a), as_torch(b)))]
    assert wrong == []


def test_result_type_of_every_three_tensors():
    """clamp is torch's one operation that promotes three tensors; on "meta" it computes nothing."""
    names = ("bool", "uint8", "int8", "int64", "float16", "float64")
    tensors = [np.ones(shape, name) for name in names for shape in ((), 2)]
    wrong = [three for three in itertools.product(tensors, repeat=3)
             if f"torch.{dtypes.result_type(*three).name}"
             != str(torch.clamp(*(as_torch(x).to("meta") for x in three)).dtype)]
    assert wrong == []


@pytest.mark.parametrize("wrong", ["a", 1j, None])
def test_result_type_refuses_what_is_no_number(wrong):
    assert outcome(dtypes.result_type, np.ones(2), wrong)[0] is TypeError


@pytest.mark.parametrize("name", NAMES)
def test_division_and_float_functions_of_integers_give_the_default(name, default_name):
    one = torch.ones(2, dtype=getattr(torch, name))
    expected = dtypes.float_type(np.dtype(name)).name
    assert str((one / one).dtype) == str(one.exp().dtype) == f"torch.{expected}"


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(dtypes).failed == 0
