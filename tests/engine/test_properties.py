"""Any shape, dtype and argument: values, first and second gradients are torch's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes
from twins import ENGINES, assert_same

KINDS = st.sampled_from(["float32", "float64"])
SHAPES = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
SOLID = array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3)
UNARY = """
exp log sin cos tanh sigmoid relu abs sqrt neg reciprocal square sign
"""
ALONG = """
sum mean max min amax amin prod var logsumexp softmax cumsum
"""


def assert_twins_of(function, arrays, what=""):
    """A function of an engine and of leaves gives the same on both, and so do its gradients."""
    results = []
    for engine in ENGINES:
        leaves = [engine.tensor(a).requires_grad_() for a in arrays]
        try:
            out = function(engine, *leaves)
        except Exception as error:
            results.append([type(error).__name__, str(error)])
            continue
        outputs = [out] if engine.is_tensor(out) else list(out)
        found = [*outputs]
        wanting = [x for x in outputs if x.requires_grad]
        if wanting:
            total = sum((x * x).sum() for x in wanting)
            options = {"create_graph": True, "allow_unused": True}
            first = engine.autograd.grad(total, leaves, **options)
            found += [None if g is None else g.detach() for g in first]
            again = [g for g in first if g is not None and g.requires_grad]
            if again:
                second = engine.autograd.grad(sum(g.sum() for g in again), leaves, **options)
                found += [None if g is None else g.detach() for g in second]
        results.append(found)
    assert_same(*results, what)


def numbers(shape, kind="float64", seed=0):
    return np.random.default_rng(seed).uniform(0.3, 2.0, shape).astype(kind)


@given(name=st.sampled_from(UNARY.split()), shape=SHAPES, kind=KINDS)
def test_functions_of_one_tensor(name, shape, kind):
    assert_twins_of(lambda engine, x: getattr(engine, name)(x), [numbers(shape, kind)], name)


@given(
    name=st.sampled_from(["add", "sub", "mul", "div", "pow", "maximum", "minimum", "where"]),
    shapes=mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3),
    kinds=st.tuples(KINDS, KINDS),
)
def test_functions_of_two_tensors(name, shapes, kinds):
    a, b = (numbers(s, k, i) for i, (s, k) in enumerate(zip(shapes.input_shapes, kinds)))  # noqa: B905

    def function(engine, x, y):
        if name == "where":
            return engine.where(x.detach() > 1, x, y)
        return getattr(engine, name)(x, y)

    assert_twins_of(function, [a, b], name)


@given(
    name=st.sampled_from(ALONG.split()),
    shape=SOLID,
    kind=KINDS,
    data=st.data(),
)
@pytest.mark.filterwarnings("ignore:var")
def test_reductions_and_scans(name, shape, kind, data):
    dim = data.draw(st.integers(-len(shape) - 1, len(shape)))
    keepdim = data.draw(st.booleans())

    def function(engine, x):
        if name in ("softmax", "cumsum"):
            return getattr(x, name)(dim)
        return getattr(x, name)(dim, keepdim=keepdim)

    assert_twins_of(function, [numbers(shape, kind)], f"{name}({dim}, {keepdim})")


@given(
    batch=mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=1, max_side=3),
    sizes=st.tuples(*[st.integers(1, 3)] * 3),
    vectors=st.tuples(st.booleans(), st.booleans()),
    kind=KINDS,
)
def test_matmul(batch, sizes, vectors, kind):
    n, k, m = sizes
    left, right = batch.input_shapes
    a = numbers((k,) if vectors[0] else (*left, n, k), kind)
    b = numbers((k,) if vectors[1] else (*right, k, m), kind, 1)
    assert_twins_of(lambda engine, x, y: x @ y, [a, b], f"{a.shape} @ {b.shape}")


@given(shape=SOLID, data=st.data())
def test_views_and_joins(shape, data):
    rank = len(shape)
    order = data.draw(st.permutations(range(rank)))
    i, j = (data.draw(st.integers(-rank, rank - 1)) for _ in range(2))
    where = data.draw(st.integers(-rank - 1, rank))
    programs = (
        lambda e, x: x.permute(*order).reshape(-1),
        lambda e, x: x.transpose(i, j).contiguous().view(-1),
        lambda e, x: x.unsqueeze(where).squeeze(),
        lambda e, x: x.unsqueeze(0).expand(2, *shape) * 2,
        lambda e, x: e.cat([x, x * 2], i),
        lambda e, x: e.stack([x, x.sin()], where),
        lambda e, x: x.flatten(*sorted((i % rank, j % rank))),
        lambda e, x: x.unbind(i),
        lambda e, x: x.flip(i).roll(1, j),
    )
    program = data.draw(st.sampled_from(range(len(programs))))
    assert_twins_of(programs[program], [numbers(shape)], f"program {program}")


@given(shape=SOLID, data=st.data())
def test_indexing(shape, data):
    key = []
    for n in shape:
        kind = data.draw(st.sampled_from(["number", "slice", "array", "mask", "none"]))
        if kind == "number":
            key.append(data.draw(st.integers(-n - 1, n)))
        elif kind == "slice":
            ends = st.none() | st.integers(-n - 1, n + 1)
            key.append(slice(data.draw(ends), data.draw(ends), data.draw(st.integers(1, 2))))
        elif kind == "array":
            places = st.lists(st.integers(-n, n - 1), min_size=1, max_size=2)
            key.append(np.array(data.draw(places)))
        elif kind == "mask":
            key.append(np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n))))
        else:
            key.append(None)

    def function(engine, x):
        own = [engine.tensor(k) if isinstance(k, np.ndarray) else k for k in key]
        return x[tuple(own)]

    assert_twins_of(function, [numbers(shape)], f"{shape}[{key}]")
