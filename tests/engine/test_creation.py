"""Tensors from data, of one value, in steps; devices; limits of types: as in PyTorch."""

import doctest

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from twins import assert_twins

from autogradlab import devices, dtypes

TYPES = [d.name for d in dtypes.DTYPES]
VECTORISED = torch.backends.cpu.get_cpu_capability() != "DEFAULT"
NUMBERS = st.sampled_from([0, 1, -1, 127, 128, -128, -129, 255, 256, -255, -256, 65504, 70000,
                           2**31 - 1, 2**31, 2**40, 2**63 - 1, 0.5, -0.5, 2.7, -2.7, 300.5, 1e30,
                           -1e39, 1e200, float("inf"), -float("inf"), float("nan"), True])


def written(x):
    return f"float('{x}')" if isinstance(x, float) else repr(x)


@settings(max_examples=150, deadline=None)
@given(x=NUMBERS, name=st.sampled_from(TYPES))
def test_one_value(x, name):
    """In every type, or torch's error where the type does not hold it."""
    x = written(x)
    for make in (f"torch.full((2,), {x}, dtype=torch.{name})",
                 f"torch.zeros(2, dtype=torch.{name}).fill_({x})",
                 f"torch.full_like(torch.zeros(3), {x}, dtype=torch.{name})",
                 f"torch.zeros(1).new_full((2,), {x}, dtype=torch.{name})"):
        assert_twins(f"y = {make}")


@settings(max_examples=150, deadline=None)
@given(x=NUMBERS, name=st.sampled_from(TYPES), kind=st.sampled_from(["float64", "int64"]))
def test_a_numpy_number(x, name, kind):
    """As data: checked like a Python number, alone and in a list."""
    if kind == "int64" and not (isinstance(x, int) and -(2**63) <= x < 2**63):
        return
    x = f"np.{kind}({written(x)})"
    assert_twins(f"y = torch.tensor({x}, dtype=torch.{name})")
    assert_twins(f"y = torch.tensor([{x}], dtype=torch.{name})")


@settings(max_examples=400, deadline=None)
@given(
    start=st.integers(-20, 20) | st.floats(-100, 100, width=32),
    end=st.integers(-20, 20) | st.floats(-100, 100, width=32),
    steps=st.integers(-1, 40),
    name=st.sampled_from([name for name in TYPES if name not in ("bool", "uint8")]),
)
@example(start=-2, end=14, steps=13, name="int64")
def test_steps(start, end, steps, name):
    exact = steps < 2 or (end - start) * 64 % (steps - 1) == 0
    assume(exact or name.startswith("float") or VECTORISED)  # else torch rounds once more
    arguments = f"{start!r}, {end!r}, {steps}, dtype=torch.{name}"
    assert_twins(f"y = torch.linspace({arguments})")


@settings(max_examples=100, deadline=None)
@given(
    start=st.floats(-3, 3, width=16),
    end=st.floats(-3, 3, width=16),
    steps=st.integers(-1, 40),
    base=st.sampled_from([2, 10, 2.5, 1, 0.5]),
    name=st.sampled_from(["float16", "float32", "float64"]),
)
def test_powers(start, end, steps, base, name):
    arguments = f"{start!r}, {end!r}, {steps}, base={base}, dtype=torch.{name}"
    assert_twins(f"y = torch.logspace({arguments})")


@settings(max_examples=100, deadline=None)
@given(row=st.integers(-1, 6), col=st.integers(-1, 6), offset=st.integers(-8, 8),
       name=st.sampled_from(["int64", "int32", "float32"]))
def test_triangles(row, col, offset, name):
    for side in ("tril", "triu"):
        assert_twins(f"y = torch.{side}_indices({row}, {col}, {offset}, dtype=torch.{name})")


CODE = """
torch.full((2,), 2**63)
torch.full((2,), torch.tensor(3.))
torch.linspace(0, 1e30, 3, dtype=torch.float16)
torch.linspace(0, 1e200, 3)
torch.linspace(0, 10, 5, dtype=torch.int64)
torch.linspace(torch.tensor(1.), torch.tensor(2.), 3)
torch.linspace(torch.tensor([1.]), 2, 3)
torch.logspace(0, 3, 4)
torch.logspace(-1, 3, 3, base=2, dtype=torch.int64)
torch.logspace(0, 100, 3)
torch.logspace(0, torch.tensor([1.]), 3)
torch.arange(0, float('inf'))
torch.arange(0, float('nan'))
torch.arange(0, 1, 1e-320)
torch.arange(0, 3, dtype=torch.bool)
torch.arange(0, 300, 100, dtype=torch.int8)
torch.arange(0, 1e200, 1e199)
torch.eye(-1)
torch.eye(2, -1)
torch.tensor(np.array([300]), dtype=torch.int8)
torch.ones(2).new_zeros(3)
torch.ones(2).new_zeros((3, 1), dtype=torch.int8)
torch.ones(2).new_zeros(-1)
torch.ones(2, dtype=torch.int8).new_ones(2, 3)
torch.ones(2, dtype=torch.int8).new_ones(2, requires_grad=True)
torch.ones(2).new_full((2,), 3, requires_grad=True)
torch.ones(2).new_empty(2, 3).shape
torch.ones(2).new_tensor([1, 2])
torch.ones(2).new_tensor([1, 2], requires_grad=True)
torch.ones(2).new_tensor(torch.ones(1))
torch.asarray([1, 2])
torch.asarray([1, 2], dtype=torch.float32, requires_grad=True)
torch.asarray('a')
torch.asarray([1], copy=False)
torch.asarray(np.ones(2))
torch.asarray(np.ones(2), dtype=torch.float32)
torch.asarray(np.ones(2), dtype=torch.float32, copy=False)
torch.asarray(torch.ones(2, dtype=torch.float64), dtype=torch.float32)
torch.asarray(torch.ones(2), copy=True)
torch.asarray(torch.ones(2, requires_grad=True), requires_grad=False)
torch.asarray(torch.ones(2), requires_grad=True)
torch.zeros(2).type_as(torch.ones(1, dtype=torch.int8))
torch.device('cpu')
torch.get_default_device()
torch.set_default_device('cpu'), torch.ones(2).device, torch.set_default_device(None)
torch.device('cpu', 0)
str(torch.device('cuda', 1))
torch.device('cuda:1').index
torch.device(torch.device('cpu')).type
torch.device('cpu') == torch.device('cpu:0')
torch.device('cpu') == torch.device('cpu')
{torch.device('cpu'): 1}[torch.ones(2).device]
torch.device('foo')
torch.device('cpu:x')
torch.device('cuda' if torch.cuda.is_available() else 'cpu')
torch.cuda.device_count()
torch.cuda.manual_seed_all(0)
torch.ones(2).cpu()
torch.ones(2).is_cuda
torch.ones(2).get_device()
torch.ones(2).to(torch.device('cpu'))
torch.ones(2).to(device='cpu', dtype=torch.int64)
torch.ones(2, device=torch.device('cpu')).device
torch.ones(2, device='cuda')
torch.ones(2).to('cuda')
torch.zeros_like(torch.ones(2), device='cpu')
torch.arange(3, device='cpu')
torch.linspace(0, 1, 3, device='cpu')
torch.eye(3, device='cpu')
torch.finfo()
torch.finfo(torch.int64)
torch.finfo(3)
torch.iinfo(torch.bool)
torch.iinfo(torch.float32)
torch.is_floating_point(torch.ones(2))
torch.is_floating_point(3)
torch.numel(torch.ones(2, 3))
torch.numel(3)
torch.result_type(torch.ones(2, dtype=torch.int32), 3.)
torch.result_type(3, 3.)
torch.result_type(torch.tensor(1., dtype=torch.float64), torch.ones(2))
(torch.pi, torch.inf, torch.nan, torch.e, torch.newaxis)
""".strip().splitlines()


@pytest.mark.parametrize("code", CODE)
def test_calls(code):
    assert_twins(f"y = {code}")


def test_memory_is_shared_where_torch_shares_it():
    assert_twins(
        "a = np.ones(3)\nx, y = torch.asarray(a), torch.asarray(a, copy=True)\n"
        "z = torch.asarray(x)\na[0] = 5\n"
    )


@pytest.mark.parametrize("name", [name for name in TYPES if name != "bool"])
def test_limits(name):
    family = "finfo" if name.startswith("float") else "iinfo"
    names = ["min", "max", "bits", "dtype"]
    names += ["eps", "tiny", "smallest_normal", "resolution"] * (family == "finfo")
    values = ", ".join(f"i.{n}" for n in names)
    assert_twins(f"i = torch.{family}(torch.{name})\ny = [{values}]")


@pytest.mark.parametrize("module", [devices, dtypes])
def test_the_examples_in_the_docstrings(module):
    assert doctest.testmod(module).failed == 0
