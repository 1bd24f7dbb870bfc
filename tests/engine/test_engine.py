"""What the engine promises beside torch's results: right derivatives, order, size, frugality."""

import functools
import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from twins import ENGINES, assert_same

import autogradlab
from autogradlab import derivatives
from autogradlab.autograd import forward_ad, observe
from autogradlab.derivatives.windows import Memo, Window

BINARY = ["add", "sub", "mul", "div", "pow", "maximum", "minimum"]
UNARY = ["exp", "log", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "sqrt", "neg", "reciprocal"]
DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint8", "bool"]


def pair(array: np.ndarray, requires_grad: bool = False) -> list:
    """The same data as a leaf of each engine."""
    leaves = [engine.tensor(array.copy()) for engine in ENGINES]
    return [x.requires_grad_() if requires_grad else x for x in leaves]


@given(
    name=st.sampled_from(BINARY),
    shapes=mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    seed=st.integers(0, 10_000),
)
def test_broadcast_gradients_are_torchs(name, shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (pair(rng.uniform(0.5, 2.0, shape), True) for shape in shapes.input_shapes)
    results = []
    for engine, x, y in zip(ENGINES, a, b, strict=True):
        out = getattr(engine, name)(x, y)
        first = engine.autograd.grad((out * out).sum(), [x, y], create_graph=True)
        second = engine.autograd.grad(first[0].sum() + first[1].sum(), [x, y], allow_unused=True)
        results.append([out.detach(), [g.detach() for g in first], list(second)])
    assert_same(*results)


@given(
    name=st.sampled_from([*BINARY[:4], "maximum"]),
    kinds=st.tuples(st.sampled_from(DTYPES), st.sampled_from(DTYPES)),
    shapes=st.tuples(st.sampled_from([(), (3,)]), st.sampled_from([(), (3,)])),
)
def test_mixed_types_are_torchs(name, kinds, shapes):
    data = [np.asarray(np.ones(s) * 2).astype(k) for s, k in zip(shapes, kinds, strict=True)]
    results = []
    for engine in ENGINES:
        x, y = (engine.tensor(d.copy()) for d in data)
        x = x.requires_grad_() if x.dtype.is_floating_point else x
        try:
            out = getattr(engine, name)(x, y)
            if out.requires_grad:
                out.sum().backward()
            results.append([out.detach(), x.grad])
        except (RuntimeError, NotImplementedError) as error:
            results.append([str(error)])
    assert_same(*results)


@given(
    name=st.sampled_from(BINARY[:5]),
    kind=st.sampled_from(DTYPES),
    number=st.sampled_from([2, 0.5, True]),
)
def test_numbers_are_weak(name, kind, number):
    results = []
    for engine in ENGINES:
        x = engine.tensor(np.array([1, 2, 3]).astype(kind))
        try:
            results.append(getattr(engine, name)(x, number))
        except RuntimeError as error:
            results.append(str(error))
    assert_same(*results)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("kind", DTYPES)
def test_functions_of_one_number(name, kind):
    results = []
    for engine in ENGINES:
        x = engine.tensor(np.array([0.5, 1.0, 2.0]).astype(kind))
        x = x.requires_grad_() if x.dtype.is_floating_point else x
        try:
            out = getattr(engine, name)(x)
            if out.requires_grad:
                out.sum().backward()
            results.append([out, x.grad])
        except (RuntimeError, NotImplementedError) as error:
            results.append([str(error)])
    assert_same(*results)


def examples():
    """Every primitive with inputs its formulas can be checked on."""
    rng = np.random.default_rng(0)
    v, w = rng.uniform(0.5, 2.0, (2, 3)), rng.uniform(0.6, 1.9, (2, 3))
    index = np.array([[2, 0, 1]])
    shape, mask = {"shape": (3, 2)}, v > 1
    square, on_diagonal = v[:, :2] + np.eye(2), {"offset": 0, "dim1": 0, "dim2": 1}
    picked = {"dim": 1, "index": np.array([0, 2])}
    strided = {"size": (2, 2), "stride": (1, 2), "storage_offset": 1}
    two, memo, few = {"other": 2.0}, {"memo": Memo()}, np.array([0, 1, 0])
    image, columns = rng.standard_normal((2, 2, 4, 4)), rng.standard_normal((2, 8, 9))
    filters, filtered = rng.standard_normal((3, 2, 2, 2)), rng.standard_normal((2, 3, 3, 3))
    square_window = Window((2, 2), (1, 1), (0, 0), (1, 1), (3, 3))
    window, peaks = {"window": square_window, "groups": 1}, rng.integers(0, 16, (2, 2, 2, 2))
    rows, groups = rng.standard_normal((2, 3, 4)), {"groups": (2, 3, 4), "eps": 0.1, **memo}
    attending = {"mask": np.tri(2), "causal": False, "scale": 0.5, **memo}
    weighted = {"weight": w[0], "reduction": "mean"}
    special = {
        "acos": ((v / 3,), {}), "asin": ((v / 3,), {}), "atanh": ((v / 3,), {}),
        "logit": ((v / 3,), {}), "acosh": ((v + 1,), {}),
        "rsub_number": ((v,), {"other": 2.0}), "pow_number": ((v,), {"exponent": 3}),
        "rpow_number": ((v,), {"self": 2.0}), "where": ((v, w), {"condition": mask}),
        "copy_to": ((v,), {"dtype": np.dtype("float64")}),
        "sum_dim": ((v,), {"dim": (1,), "keepdim": False}),
        "mean_dim": ((v,), {"dim": (0,), "keepdim": True}),
        "max_dim": ((v,), {"indices": v.argmax(0)[None], "dim": 0, "keepdim": False}),
        "min_dim": ((v,), {"indices": v.argmin(0)[None], "dim": 0, "keepdim": True}),
        "view": ((v,), shape), "unsafe_view": ((v,), shape), "reshape_alias": ((v,), shape),
        "reshape_to": ((v,), shape), "expand": ((v,), {"shape": (4, 2, 3)}),
        "transpose": ((v,), {"dim0": 0, "dim1": 1}), "permute": ((v[None],), {"dims": (2, 0, 1)}),
        "squeeze_dim": ((v[None],), {"dim": 0}), "squeeze_in_place": ((v[None],), {"dim": 0}),
        "squeeze_dims": ((v[None],), {"dim": (0,)}), "unsqueeze": ((v,), {"dim": 1}),
        "select": ((v,), {"dim": 1, "index": 2}),
        "slice_": ((v,), {"dim": 1, "start": 0, "end": 3, "step": 2}),
        "cat": ((v, w), {"dim": 1}), "stack": ((v, w), {"dim": 1}),
        "index": ((v,), {"indices": (np.array([0, 0, 1]),)}),
        "index_put": ((v, w[0]), {"indices": (np.array([0, 0]),), "accumulate": True}),
        "index_select": ((v,), picked),
        "index_add": ((v, w[:, :2].copy()), {**picked, "alpha": 2.0}),
        "index_fill_number": ((v,), {**picked, "value": 2.0}),
        "index_fill_tensor": ((v, np.array(0.7)), picked),
        "gather": ((v,), {"index": index, "dim": 1}), "take": ((v,), {"index": index}),
        "scatter": ((v, w[:1, :2].copy()), {"index": index[:, :2], "dim": 1}),
        "scatter_number": ((v,), {"index": index, "dim": 1, "value": 2.0}),
        "scatter_add": ((v, w[:1].copy()), {"index": index * 0, "dim": 1}),
        "masked_select": ((v[0],), {"mask": mask}),
        "diagonal": ((v,), on_diagonal), "diagonal_copy": ((v,), on_diagonal),
        "diag_embed": ((v,), {"offset": 1, "dim1": 0, "dim2": 2}),
        "unfold": ((v,), {"dimension": 1, "size": 2, "step": 1}),
        "as_strided": ((v,), {**strided, "geometry": ((2, 3), (3, 1), 0)}),
        "strided_move": ((v,), {"source": ((2, 3), (3, 1), 0), "target": ((2, 2), (1, 2), 1)}),
        "flip": ((v,), {"dims": (0, 1)}), "roll": ((v,), {"shifts": (2,), "dims": ()}),
        "rot90": ((v,), {"k": 1, "dims": (0, 1)}), "repeat": ((v,), {"repeats": (2, 1, 3)}),
        "tril": ((v,), {"diagonal": 0}), "triu": ((v,), {"diagonal": 1}),
        "unbind": ((v,), {"dim": 1}), "split": ((v,), {"split_size": 2, "dim": 1}),
        "split_with_sizes": ((v,), {"split_sizes": (1, 0, 2), "dim": 1}),
        "cross": ((v, w), {"dim": 1}), "vdot": ((v[0], w[0]), {}),
        "addmm": ((v, square, w), {"beta": 2.0, "alpha": 3.0}),
        "addmv": ((v[:, 0], w, v[0]), {"beta": 2.0, "alpha": 3.0}),
        "baddbmm": ((v, square[None], w[None]), {"beta": 2.0, "alpha": 3.0}),
        "inv": ((square,), {}), "det": ((square,), {}), "slogdet": ((square,), {}),
        "svd": ((v,), {}), "solve": ((square, w), {"left": True, "vector": False}),
        "vector_norm": ((v - 1,), {"ord": 3, "dim": (0,), "keepdim": False}),
        "mm": ((v, w.T.copy()), {}), "bmm": ((v[None], w.T[None].copy()), {}),
        "copy": ((v, w[0]), {}), "fill_number": ((v,), {"value": 2.0}),
        "fill_tensor": ((v, np.array(0.7)), {}), "zero": ((v,), {}),
        "put_at": ((v, w[:, 0]), {"indices": (np.array([0, 1]), np.array([2, 0]))}),
        "replace_at": ((v, w[0]), {"where": np.array([0, 2, 4])}),
        "as_strided_at": ((v,), {"where": np.array([[0, 2], [4, 2]])}),
        "add_number": ((v,), two), "sub_number": ((v,), two), "mul_number": ((v,), two),
        "conv": ((image, filters, v[0]), window | memo),
        "conv_input": ((filtered, filters), {"shape": (2, 2, 4, 4), **window}),
        "conv_weight": ((filtered, image), {"shape": (3, 2, 2, 2), **window, **memo}),
        "im2col": ((image,), {"window": square_window}),
        "col2im": ((columns,), {"shape": (2, 2, 4, 4), "window": square_window}),
        "standardize": ((rows, v[0]), groups), "standardize_back": ((rows, rows**2, v[0]), groups),
        "standardize_dot": ((rows, rows**2), groups),
        "channel_sum": ((rows,), {"groups": (2, 3, 4)}),
        "batch_norm_eval": ((v, w[0], w[1]), {"mean": v[0], "scale": v[1]}),
        "embedding": ((v,), {"indices": few, "padding_idx": -1, "scale_grad_by_freq": False}),
        "embedding_back": ((v.T.copy(),), {"indices": few, "count": 4}),
        "pad_places": ((v,), {"places": (np.array([1, 0, 1, 2]),)}),
        "pad_back": ((v,), {"places": (np.array([1, 0, 1]),), "shape": (2, 2)}),
        "max_pool": ((image,), {"indices": peaks}),
        "max_put": ((image[:, :, :2, :2].copy(),), {"indices": peaks, "shape": (2, 2, 4, 4)}),
        "window_sums": ((v[None],), {"rows": [(0, 1), (0, 2)], "columns": [(0, 2), (1, 3)]}),
        "attention": ((v, w, v * w), attending), "attention_weights": ((v, w), attending),
        "nll_loss": ((v,), {"target": few[:2], **weighted, "ignore_index": -100}),
        "nll_loss2d": ((v.T[None, :, None],), {"target": few[None, None, :2], **weighted,
                                              "ignore_index": -100}),
        "binary_cross_entropy": ((v / 3, w / 3), weighted),
        "binary_cross_entropy_with_logits": ((v, w), {"pos_weight": v[0], **weighted}),
        "norm_dim": ((v - 1,), {"ord": 3, "dim": (0,), "keepdim": False}),
        "mv": ((v, w[0]), {}), "dot": ((v[0], w[0]), {}), "outer_product": ((v[0], w[1]), {}),
    }  # fmt: skip
    for name in sorted(vars(derivatives)):
        primitive = getattr(derivatives, name)
        if name in ("floor_divide", "cholesky") or not getattr(primitive, "formulas", None):
            continue  # one has no derivative in torch either, the other only along symmetric A
        if name in special or not required(primitive):
            inputs = (v, w, v * w)[: len(primitive.formulas)]
            yield pytest.param(primitive, *special.get(name, (inputs, {})), id=name)


def required(primitive):
    """The constants without a default: a primitive that has some needs an example of its own."""
    code = getattr(primitive.forward, "__code__", None)
    names = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount] if code else ()
    return [name for name in names if name not in primitive.defaults]


@pytest.mark.parametrize(("primitive", "arrays", "constants"), list(examples()))
def test_formulas_agree_with_finite_differences(primitive, arrays, constants):
    leaves = [autogradlab.tensor(a, requires_grad=True) for a in arrays]
    out = primitive(*leaves, **constants)
    outputs, rng = out if primitive.multiple else (out,), np.random.default_rng(1)
    weights = [rng.standard_normal(x.shape) for x in outputs]
    first = autogradlab.autograd.grad(outputs, leaves, list(map(autogradlab.tensor, weights)))

    def value(*inputs):
        out = primitive.forward(*inputs, **constants)
        pairs = zip(out if primitive.multiple else (out,), weights, strict=True)
        return float(sum(np.sum(x * w) for x, w in pairs))

    for i, array in enumerate(arrays):
        numeric = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            up, down = ([a.copy() for a in arrays] for _ in range(2))
            up[i][place] += 1e-6
            down[i][place] -= 1e-6
            numeric[place] = (value(*up) - value(*down)) / 2e-6
        np.testing.assert_allclose(first[i].numpy(), numeric, rtol=1e-6, atol=1e-7)


WITH_TANGENTS = [example for example in examples() if example.values[0].jvp is not None]
# One result with memory of its own, and inputs with names.
PLAIN = [
    example
    for example in examples()
    if not (example.values[0].view or example.values[0].multiple or example.values[0].variadic)
]


@pytest.mark.parametrize(("primitive", "arrays", "constants"), WITH_TANGENTS)
def test_tangents_agree_with_gradients(primitive, arrays, constants):
    rng = np.random.default_rng(2)
    leaves = [autogradlab.tensor(a, requires_grad=True) for a in arrays]
    moves = [autogradlab.tensor(rng.standard_normal(a.shape)) for a in arrays]
    out = primitive(*leaves, **constants)
    outputs = out if primitive.multiple else (out,)
    weights = [autogradlab.tensor(rng.standard_normal(x.shape)) for x in outputs]
    back = autogradlab.autograd.grad(outputs, leaves, weights)
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(x.detach(), t) for x, t in zip(leaves, moves, strict=True)]
        out = primitive(*duals, **constants)
        made = [forward_ad.unpack_dual(x)[1] for x in (out if primitive.multiple else (out,))]
    forwards = sum((t * w).sum().item() for t, w in zip(made, weights, strict=True))
    backwards = sum((t * g).sum().item() for t, g in zip(moves, back, strict=True))
    np.testing.assert_allclose(forwards, backwards, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("primitive", "arrays", "constants"), PLAIN)
def test_what_is_saved_is_watched(primitive, arrays, constants):
    held = [n for n in primitive.arrays if isinstance(constants.get(n), np.ndarray)]
    names = [*primitive.formulas][: len(arrays)]
    for changed in [*names, *held, "result"]:
        given = [autogradlab.tensor(a, requires_grad=True) * 1 for a in arrays]
        kept = {n: autogradlab.tensor(constants[n]) for n in held}
        out = primitive(*given, **constants | kept)
        at = dict(zip(names, given, strict=True)) | kept | {"result": out}
        at[changed].detach().zero_()  # shares the version
        if changed in out.grad_fn.plan.names:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                out.sum().backward()
        else:
            out.sum().backward()


def test_a_wrong_formula_is_found(monkeypatch):
    monkeypatch.setitem(derivatives.mul.formulas, "self", lambda g, other: g + other)
    monkeypatch.setattr(derivatives.mul, "plans", {})
    with pytest.raises(AssertionError):
        test_formulas_agree_with_finite_differences(
            derivatives.mul, (np.ones(2), np.full(2, 3.0)), {}
        )


def network(engine, x, w):
    h = (x @ w).tanh()
    return ((h * h + x.sum()) / (h.exp() + 1)).mean() + h.max()


def test_nodes_run_in_torchs_order():
    rng = np.random.default_rng(0)
    x, w = pair(rng.standard_normal((3, 3)), True), pair(rng.standard_normal((3, 3)), True)
    ours, theirs = [], []
    loss = network(autogradlab, x[0], w[0])
    with observe(lambda node, g, out: ours.append(node.name())):
        loss.backward()
    loss = network(torch, x[1], w[1])
    stack, seen = [loss.grad_fn], set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            node.register_hook(functools.partial(lambda name, *_: theirs.append(name), node.name()))
            stack.extend(parent for parent, _ in node.next_functions if parent)
    loss.backward()
    assert ours == theirs


def test_a_chain_of_100_000_nodes():
    x = autogradlab.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1.0
    del y  # and the chain is taken apart without recursion


def test_no_reference_cycles():
    gc.collect()
    gc.disable()
    try:
        x = autogradlab.randn(4, 4, requires_grad=True)
        y = (x @ x).tanh().exp().sum()
        node = weakref.ref(y.grad_fn)
        y.backward()
        del y
        assert node() is None
    finally:
        gc.enable()


def test_only_what_a_formula_names_is_saved():
    x = autogradlab.randn(3, requires_grad=True)
    y = autogradlab.randn(3)
    assert (x * y).grad_fn.plan.names == ["other"]
    assert (x + y).grad_fn.plan.names == ["alpha"]
    assert x.sum().grad_fn.plan.names == ["self_shape"]
    assert (x @ y).grad_fn.plan.names == ["tensor"]


def test_gradients_are_never_shared():
    for engine in ENGINES:
        x, y = (engine.ones(3, requires_grad=True) for _ in range(2))
        (x + y).sum().backward()
        kept = x.grad
        x.grad.add_(1)
        assert y.grad.tolist() == [1.0, 1.0, 1.0]
        (x * 2).sum().backward()
        assert x.grad is kept and kept.tolist() == [4.0, 4.0, 4.0]


def test_only_the_cpu_and_no_complex():
    with pytest.raises(RuntimeError, match="CPU only"):
        autogradlab.ones(3, device="cuda")
    with pytest.raises(RuntimeError, match="complex"):
        autogradlab.tensor([1 + 2j])


def test_repr_of_results_is_torchs():
    for code in ("x", "x*2", "(x@x.t())[0]", "x.max(0)", "x.sum()", "x.long()", "x.double()*1e9"):
        texts = {
            repr(eval(code, {"x": engine.arange(6.0).reshape(2, 3).requires_grad_()}))
            for engine in ENGINES
        }
        assert len(texts) == 1, texts
