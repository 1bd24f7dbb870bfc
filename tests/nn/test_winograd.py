"""Convolutions large enough for the way with fewer multiplications, beside torch's."""

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.derivatives import winograd
from autogradlab.derivatives.windows import Window
from autogradlab.nn.convolution import window_over

SIZES = [  # images, channels in and out, height and width, padding
    (3, 16, 17, (8, 6), 1),
    (4, 18, 16, (7, 9), 1),
    (2, 16, 16, (10, 7), 0),
    (5, 16, 16, (3, 4), 2),
]


def window_of(size, padding):
    return window_over(size, (3, 3), (1, 1), (padding, padding), (1, 1))


def run(engine, dtype, n, c, o, size, padding):
    """The result, the gradients, and the gradients of the gradients."""
    rng = np.random.default_rng(0)
    shapes = (n, c, *size), (o, c, 3, 3), (o,)
    x, w, b = (
        engine.tensor(rng.standard_normal(s), dtype=getattr(engine, dtype)).requires_grad_()
        for s in shapes
    )
    y = engine.nn.functional.conv2d(x, w, b, padding=padding)
    g = engine.tensor(rng.standard_normal(tuple(y.shape)), dtype=y.dtype).requires_grad_()
    first = engine.autograd.grad(y, (x, w, b), g, create_graph=True)
    second = engine.autograd.grad(sum((s * s).sum() for s in first), (x, w, g))
    return [s.detach().numpy() for s in (y, *first, *second)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_results_and_gradients_of_two_orders(sizes):
    n, c, o, size, padding = sizes
    window = window_of(size, padding)
    assert winograd.suits((n, c, *size), (o, c, 3, 3), np.dtype("float64"), window, 1)
    for ours, theirs in zip(
        run(autogradlab, "float64", *sizes), run(torch, "float64", *sizes), strict=True
    ):
        assert ours.flags.c_contiguous
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10 * np.abs(theirs).max())


def test_float32_is_as_exact_as_torch_needs_it():
    ours, theirs = (run(e, "float32", *SIZES[0])[:4] for e in (autogradlab, torch))
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == np.float32
        assert np.abs(a - b).max() <= 3e-6 * np.abs(b).max()


def test_where_it_does_not_apply_or_pay():
    single, shape, weight = np.dtype("float32"), (3, 16, 8, 6), (16, 16, 3, 3)
    window = window_of((8, 6), 1)
    suits = winograd.suits
    assert suits(shape, weight, single, window, 1)
    assert not suits(shape, weight, np.dtype("float16"), window, 1)
    assert not suits(shape, weight, single, window, 2)
    assert not suits((3, 15, 8, 6), (16, 15, 3, 3), single, window, 1)
    assert not suits(shape, (15, 16, 3, 3), single, window, 1)
    assert not suits((1, 16, 8, 6), weight, single, window, 1)  # 12 tiles
    for kernel, stride, dilation in (
        ((5, 3), (1, 1), (1, 1)), ((3, 3), (2, 1), (1, 1)), ((3, 3), (1, 1), (1, 2)),
        ((3,), (1,), (1,)),
    ):  # fmt: skip
        other = Window(kernel, stride, window.padding, dilation, window.out)
        assert not suits(shape, weight, single, other, 1)
