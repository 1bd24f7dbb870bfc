"""nn.init and the weights that layers start with: torch's for the same seed. nn.utils."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twins import ENGINES, assert_twins

seeds = st.integers(0, 2**40)
LAYERS = [
    "nn.Linear(5, 7)",
    "nn.Linear(40, 3, bias=False)",
    "nn.Linear(4, 2, dtype=torch.float64)",
    "nn.Conv1d(3, 4, 3, groups=1)",
    "nn.Conv2d(4, 6, (3, 2), groups=2)",
    "nn.Embedding(4, 3)",
    "nn.Embedding(6, 8, padding_idx=2)",
    "nn.BatchNorm2d(3)",
    "nn.LayerNorm((2, 3))",
    "nn.GroupNorm(2, 4)",
    "nn.RMSNorm(4)",
    "nn.PReLU(3)",
    "nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.Conv2d(1, 2, 3))",
]


@pytest.mark.parametrize("call", LAYERS)
@given(seed=seeds)
def test_weights_of_a_new_layer(call: str, seed: int) -> None:
    states = []
    for engine in ENGINES:
        engine.manual_seed(seed)
        states.append(eval(call, {"torch": engine, "nn": engine.nn}).state_dict())
    assert list(states[0]) == list(states[1])
    for ours, theirs in zip(states[0].values(), states[1].values(), strict=True):
        a, b = ours.numpy(), theirs.numpy()
        assert a.dtype == b.dtype
        if "Embedding" in call:  # normal numbers: torch's own vary with the processor's logarithm
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(a, b)


INITS = [
    "uniform_(w)", "uniform_(w, -2, 3)", "normal_(w)", "normal_(w, 1, 0.5)", "constant_(w, 0.3)",
    "ones_(w)", "zeros_(w)", "xavier_uniform_(w)", "xavier_uniform_(w, gain=2)",
    "xavier_normal_(w)", "kaiming_uniform_(w)", "kaiming_uniform_(w, a=0.5, mode='fan_out')",
    "kaiming_uniform_(w, nonlinearity='relu')", "kaiming_normal_(w)",
    "kaiming_normal_(w, mode='fan_out', nonlinearity='relu')", "trunc_normal_(w)",
    "trunc_normal_(w, std=0.02)", "trunc_normal_(w, 1.0, 2.0, -1.0, 0.5)",
    "trunc_normal_(w, 0.0, 1.0, 2.0, 3.0)", "trunc_normal_(w, 0.0, 1.0, -0.1, 0.1)",
    "trunc_normal_(w, std=0.1, a=5, b=6)", "kaiming_normal_(w, mode='some')",
    "kaiming_normal_(w, nonlinearity='some')", "kaiming_normal_(w, True)",
]  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 4), (5, 2, 3), (6, 5, 3, 3), (2, 0)])
@pytest.mark.parametrize("call", INITS)
def test_init(call: str, shape: tuple[int, ...]) -> None:
    assert_twins(f"""
w = torch.nn.Parameter(torch.ones{shape})
r = torch.nn.init.{call}
print(r is w, w._version > 0)
after = torch.rand(3)
""")


@pytest.mark.parametrize("shape", [(3, 4), (5, 2, 3), (4, 4), (2, 0)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    assert_twins(f"w = torch.nn.init.orthogonal_(torch.empty{shape}, gain=1.5)")


PROGRAMS = [
    "w = torch.nn.init.eye_(torch.empty(3, 4))",
    "torch.nn.init.eye_(torch.empty(3))",
    "torch.nn.init.xavier_normal_(torch.empty(3))",
    "torch.nn.init.orthogonal_(torch.empty(3))",
    "w = torch.nn.init.uniform_(torch.empty(3), generator=torch.Generator().manual_seed(3))",
    "w = torch.nn.init.normal_(torch.empty(30), generator=torch.Generator().manual_seed(3))",
    "torch.nn.init.uniform_(torch.empty(3), 2, 1)",
    *(
        f"print(torch.nn.init.calculate_gain({arguments}))"
        for arguments in (
            "'linear'", "'conv2d'", "'sigmoid'", "'tanh'", "'relu'", "'selu'", "'leaky_relu'",
            "'leaky_relu', 0.2", "'leaky_relu', True", "'some'",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program: str) -> None:
    assert_twins(program)


# ---------------------------------------------------------------------------------------- nn.utils

START = """
from torch.nn.utils import *
a = torch.nn.Parameter(torch.randn(3, 2))
b = torch.nn.Parameter(torch.randn(4))
unused = torch.nn.Parameter(torch.randn(2))
((a * 3).sum() + (b**3).sum()).backward()
"""
UTILS = [
    *(
        f"n = clip_grad_norm_([a, b, unused], {bound}, {order})"
        for bound in (0.5, 2, 100.0)
        for order in (2, 1, 3.0, math.inf)
    ),
    "n = clip_grad_norm_(a, 1.0)",
    "n = clip_grad_norm_((p for p in [a, b]), max_norm=1.0)",
    "n = clip_grad_norm_((p for p in []), max_norm=1.0)",
    "n = clip_grad_norm_([unused], 1.0)",
    "a.grad[0, 0] = float('nan'); n = clip_grad_norm_([a, b], 1.0)",
    "a.grad[0, 0] = float('inf'); clip_grad_norm_([a, b], 1.0, error_if_nonfinite=True)",
    "clip_grad_value_([a, b, unused], 0.3)",
    "clip_grad_value_(a, 2)",
    "v = parameters_to_vector([a, b]); v.sum().backward()",
    "v = torch.arange(10.0); vector_to_parameters(v, [a, b]); print(a.requires_grad, a.is_leaf)",
    "vector_to_parameters(3, [a, b])",
    "vector_to_parameters(torch.ones(3), [a, b])",
]


@pytest.mark.parametrize("program", UTILS)
def test_utils(program: str) -> None:
    assert_twins(f"inf = float('inf')\n{START}{program}")
