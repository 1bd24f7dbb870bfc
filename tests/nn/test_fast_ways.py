"""Ways that only large or unusual arrays take, beside torch's results."""

import numpy as np
import pytest
import torch

import autogradlab

ENGINES = autogradlab, torch


def same(function, rtol=1e-12):
    """Compare what a function of the engine gives: arrays, one by one, signs of zeros included."""
    for a, b in zip(*(function(engine) for engine in ENGINES), strict=True):
        a, b = (np.asarray(x.detach().numpy()) for x in (a, b))
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
        finite = ~np.isnan(b)
        assert (np.signbit(a[finite & (b == 0)]) == np.signbit(b[finite & (b == 0)])).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_hands_on_infinite_gradients_and_stops_them(dtype):
    def run(e):
        x = e.tensor([-1.0, 2.0, -3.0, 4.0, 0.0, float("nan")], dtype=getattr(e, dtype))
        x.requires_grad_()
        g = e.tensor([np.inf, np.inf, np.nan, np.nan, -np.inf, 5.0], dtype=x.dtype)
        x.relu().backward(g)
        return [x.grad]

    same(run)


def test_where_keeps_the_sign_of_a_zero():
    def run(e):
        x, condition = e.tensor([-1.0, 2.0, -0.0]), e.tensor([True, False, True])
        zeros = 0.0, -0.0
        return [e.where(condition, x, z) for z in zeros] + [e.where(condition, z, x) for z in zeros]

    same(run)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("shape", [(70_001,), (3, 25_001), ()])
def test_gelu_of_many_elements_and_of_one(shape, approximate):
    def run(e):
        values = np.linspace(-7, 7, int(np.prod(shape))).reshape(shape) if shape else np.array(0.3)
        x = e.tensor(values).requires_grad_()
        y = e.nn.functional.gelu(x, approximate=approximate)
        (first,) = e.autograd.grad(y.sum(), x, create_graph=True)
        (second,) = e.autograd.grad(first.sum(), x, create_graph=True)
        return [y, first, second]

    same(run, 1e-11)


def test_gelu_of_a_transposed_array():
    def run(e):
        x = e.tensor(np.linspace(-7, 7, 80_000).reshape(200, 400)).T.requires_grad_()
        y = e.nn.functional.gelu(x)
        y.sum().backward()
        return [y, x.grad]

    same(run, 1e-11)


def test_erf_of_float32():
    x = np.concatenate([np.linspace(-6, 6, 100_001), [np.inf, -np.inf, np.nan]]).astype("float32")
    ours, theirs = (e.erf(e.from_numpy(x)).numpy() for e in ENGINES)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=5e-7, atol=0)
    assert np.abs(ours[:-1]).max() == 1


@pytest.mark.parametrize("shape", [(2, 3, 9, 8), (1, 1, 20, 300)])  # places in one byte, and in two
def test_max_pooling_of_ties_and_nan(shape):
    def run(e):
        rng = np.random.default_rng(0)
        values = rng.integers(0, 4, shape).astype("float64")
        values[rng.random(shape) < 0.05] = np.nan
        x = e.tensor(values).requires_grad_()
        y, places = e.nn.functional.max_pool2d(x, 3, 2, 1, return_indices=True)
        y.backward(e.tensor(rng.standard_normal(tuple(y.shape))))
        return [y, places, x.grad]

    same(run)


def attention(e, x):
    return e.nn.functional.scaled_dot_product_attention(*(x * k for k in (1, 2, 3)), is_causal=True)


def tiled_convolution(e, x):
    weight = e.tensor(np.random.default_rng(1).standard_normal((16, 16, 3, 3))).requires_grad_()
    return e.nn.functional.conv2d(x, weight, padding=1)


def batch_norm(e, x):
    weight = e.full((16,), 2.0, dtype=e.float64, requires_grad=True)
    return e.nn.functional.batch_norm(x, None, None, weight, training=True)


@pytest.mark.parametrize("function", [attention, tiled_convolution, batch_norm])
def test_a_gradient_changed_between_two_passes_is_read_anew(function):
    def run(e):
        rng = np.random.default_rng(0)
        x = e.tensor(rng.standard_normal((4, 16, 8, 8))).requires_grad_()
        y = function(e, x)
        g = e.tensor(rng.standard_normal(tuple(y.shape)))
        first = e.autograd.grad(y, x, g, retain_graph=True)[0]
        g.mul_(2).add_(1)
        return [first, e.autograd.grad(y, x, g)[0]]

    same(run, 1e-10)


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("alpha", [None, 2])
def test_the_gradient_of_a_right_matrix_lies_as_the_matrix_does(transposed, alpha):
    def run(e):
        x, m = e.ones(3, 4), e.arange(20.0).reshape(*((5, 4) if transposed else (4, 5)))
        m = (m.t() if transposed else m).requires_grad_()
        y = x @ m if alpha is None else e.addmm(e.ones(5), x, m, alpha=alpha)
        return e.autograd.grad((y * y).sum(), m)[0]

    ours, theirs = map(run, ENGINES)
    assert ours.stride() == theirs.stride()
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
