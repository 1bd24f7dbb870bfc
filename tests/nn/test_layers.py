"""Every layer and loss against PyTorch's: text, keys, outputs, gradients, running statistics."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import ENGINES, assert_twins

import autogradlab

small, flag = st.integers(1, 4), st.booleans()
Draw = Callable[[st.SearchStrategy[Any]], Any]
Case = tuple[str, tuple[int, ...]]  # the call that makes the layer, the shape of its input


def any_shape(draw: Draw, first: int = 0) -> tuple[int, ...]:
    return tuple(draw(st.lists(small, min_size=first, max_size=4)))


def linear(draw: Draw) -> Case:
    n = draw(small)
    return f"nn.Linear({n}, {draw(small)}, bias={draw(flag)})", (*any_shape(draw), n)


def conv(dims: int) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        groups, stride = draw(st.integers(1, 2)), draw(st.integers(1, 3))
        channels, kernel = groups * draw(small), draw(st.integers(1, 3))
        padding = draw(st.sampled_from([0, 1, 2, (1,) * dims, "'valid'", "'same'"]))
        stride = 1 if padding == "'same'" else stride
        mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
        call = (
            f"nn.Conv{dims}d({channels}, {groups * draw(small)}, {kernel}, stride={stride}, "
            f"padding={padding}, dilation={draw(st.integers(1, 2))}, groups={groups}, "
            f"bias={draw(flag)}, padding_mode='{mode}')"
        )
        batch = draw(st.sampled_from([(), (1,), (2,)]))
        return call, (*batch, channels, *(draw(st.integers(5, 8)) for _ in range(dims)))

    return case


def pool(name: str, dims: int) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        kernel, stride = draw(st.integers(2, 3)), draw(st.sampled_from([None, 1, 2, 3]))
        options = f"{kernel}, stride={stride}, padding={draw(st.integers(0, 1))}"
        options += f", ceil_mode={draw(flag)}"
        if name == "Max":
            options += f", dilation={draw(st.integers(1, 2))}"
        else:
            options += f", count_include_pad={draw(flag)}"
        batch = draw(st.sampled_from([(), (1,), (3,)]))
        shape = (*batch, draw(small), *(draw(st.integers(5, 8)) for _ in range(dims)))
        return f"nn.{name}Pool{dims}d({options})", shape

    return case


def adaptive(dims: int) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        size = draw(small if dims == 1 else st.one_of(small, st.tuples(small, small)))
        shape = (*draw(st.sampled_from([(), (2,)])), *(draw(small) for _ in range(dims + 1)))
        return f"nn.AdaptiveAvgPool{dims}d({size})", shape

    return case


def batch_norm(dims: int) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        channels, momentum = draw(small), draw(st.sampled_from([0.1, 0.5, None]))
        call = (
            f"nn.BatchNorm{dims}d({channels}, eps={draw(st.sampled_from([1e-5, 1e-2]))}, "
            f"momentum={momentum}, affine={draw(flag)}, track_running_stats={draw(flag)})"
        )
        more = (draw(small), draw(small)) if dims == 2 else draw(st.sampled_from([(), (3,)]))
        return call, (draw(st.integers(2, 4)), channels, *more)

    return case


def over_last(name: str) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        # One number alone minus itself is 0 here, and a rounding error in torch's float32.
        shape, affine = (*any_shape(draw)[:3], draw(st.integers(2, 4))), draw(flag)
        size = shape[-draw(st.integers(1, len(shape))) :]
        bias = f", bias={draw(flag)}" if name == "LayerNorm" else ""
        size = size if len(size) > 1 or draw(flag) else size[0]
        return f"nn.{name}({size}, elementwise_affine={affine}{bias})", shape

    return case


def group_norm(draw: Draw) -> Case:
    groups, affine = draw(st.integers(1, 3)), draw(flag)
    channels = groups * draw(st.integers(1, 3))
    call = f"nn.GroupNorm({groups}, {channels}, affine={affine}, bias={draw(flag)})"
    return call, (draw(small), channels, *draw(st.sampled_from([(3,), (2, 3)])))


def prelu(draw: Draw) -> Case:
    channels, init = draw(small), draw(st.sampled_from([0.25, 1.0, -0.5]))
    n = draw(st.sampled_from([1, channels]))
    return f"nn.PReLU({n}, init={init})", (draw(small), channels, draw(small))


def flatten(draw: Draw) -> Case:
    call = draw(st.sampled_from(["nn.Flatten()", "nn.Flatten(0)", "nn.Flatten(1, 2)"]))
    return call, (2, *any_shape(draw, first=2)[:3])


def along(name: str) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        shape = any_shape(draw, first=1)
        dim = draw(st.sampled_from([*range(-len(shape), len(shape))]))
        if name == "GLU":
            shape = tuple(2 * n if i == dim % len(shape) else n for i, n in enumerate(shape))
        return f"nn.{name}({dim})", shape

    return case


def elementwise(*calls: str) -> Callable[[Draw], Case]:
    return lambda draw: (f"nn.{draw(st.sampled_from(calls))}", any_shape(draw))


LAYERS: dict[str, Callable[[Draw], Case]] = {
    "Linear": linear,
    "Conv1d": conv(1),
    "Conv2d": conv(2),
    "MaxPool1d": pool("Max", 1),
    "MaxPool2d": pool("Max", 2),
    "AvgPool1d": pool("Avg", 1),
    "AvgPool2d": pool("Avg", 2),
    "AdaptiveAvgPool1d": adaptive(1),
    "AdaptiveAvgPool2d": adaptive(2),
    "BatchNorm1d": batch_norm(1),
    "BatchNorm2d": batch_norm(2),
    "LayerNorm": over_last("LayerNorm"),
    "RMSNorm": over_last("RMSNorm"),
    "GroupNorm": group_norm,
    "PReLU": prelu,
    "Flatten": flatten,
    "Unflatten": lambda draw: ("nn.Unflatten(1, (2, 3))", (draw(small), 6, draw(small))),
    "GLU": along("GLU"),
    "Softmax": along("Softmax"),
    "LogSoftmax": along("LogSoftmax"),
    "Identity": elementwise("Identity()", "Identity(54, unused=0.1)"),
    "Dropout": elementwise("Dropout()", "Dropout(0.2)", "Dropout(0)", "Dropout(p=1.0)"),
    "ReLU": elementwise("ReLU()", "ReLU(inplace=True)"),
    "ReLU6": elementwise("ReLU6()", "ReLU6(inplace=True)"),
    "LeakyReLU": elementwise("LeakyReLU()", "LeakyReLU(0.2)", "LeakyReLU(inplace=True)"),
    "ELU": elementwise("ELU()", "ELU(alpha=0.5)", "ELU(2.0, True)"),
    "SELU": elementwise("SELU()", "SELU(inplace=True)"),
    "GELU": elementwise("GELU()", "GELU(approximate='tanh')"),
    "SiLU": elementwise("SiLU()", "SiLU(True)"),
    "Mish": elementwise("Mish()", "Mish(True)"),
    "Softplus": elementwise("Softplus()", "Softplus(beta=2)", "Softplus(1, threshold=0.5)"),
    "Softsign": elementwise("Softsign()"),
    "Tanh": elementwise("Tanh()"),
    "Sigmoid": elementwise("Sigmoid()"),
    "LogSigmoid": elementwise("LogSigmoid()"),
    "Hardtanh": elementwise("Hardtanh()", "Hardtanh(-2, 0.5)", "Hardtanh(inplace=True)"),
    "Hardsigmoid": elementwise("Hardsigmoid()", "Hardsigmoid(True)"),
    "Hardswish": elementwise("Hardswish()", "Hardswish(True)"),
}


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=12)
@given(data=st.data(), train=flag, kind=st.sampled_from(["float32", "float64"]))
def test_layers(name: str, data: st.DataObject, train: bool, kind: str) -> None:
    call, shape = LAYERS[name](data.draw)
    assert_twins(f"""
from torch import nn
_layer = {call}
print(_layer, list(_layer.state_dict()))
start = [p.detach().clone() for p in _layer.parameters()]
_layer = _layer.to(torch.{kind}).train({train})
x = torch.randn({shape}, dtype=torch.{kind}, requires_grad=True)
for _ in range(2):
    y = _layer(x * 3)
    weights = torch.arange(y.numel(), dtype=y.dtype).view(y.shape).cos()
    (y * weights).sum().backward(retain_graph=True)
parameters, buffers = list(_layer.parameters()), list(_layer.buffers())
""")


# ----------------------------------------------------------------------------------------- losses

REDUCTIONS = st.sampled_from(["", "reduction='sum'", "reduction='none'", "reduction='mean'"])
PAIRS = {
    "MSELoss": [""],
    "L1Loss": [""],
    "SmoothL1Loss": ["", "beta=0.5", "beta=0"],
    "HuberLoss": ["", "delta=0.3"],
    "BCEWithLogitsLoss": ["", "pos_weight=torch.tensor([2.0, 0.5, 1.0])", "torch.rand(3)"],
    "BCELoss": ["", "torch.rand(3)"],
    "KLDivLoss": ["", "log_target=True", "reduction='batchmean'"],
}


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=12)
@given(data=st.data(), n=small, reduction=REDUCTIONS)
def test_losses_of_pairs(name: str, data: st.DataObject, n: int, reduction: str) -> None:
    option = data.draw(st.sampled_from(PAIRS[name]))
    options = ", ".join(filter(None, [option, "" if "reduction" in option else reduction]))
    start = {"BCELoss": ".sigmoid()", "KLDivLoss": ".log_softmax(-1)"}.get(name, "")
    target = ".sigmoid()" if name in ("BCELoss", "BCEWithLogitsLoss", "KLDivLoss") else ""
    assert_twins(f"""
from torch import nn
_loss = nn.{name}({options})
print(_loss, list(_loss.state_dict()))
x = torch.randn({n}, 3, requires_grad=True)
t = torch.randn({n}, 3){target}
y = _loss(x{start}, t)
y.sum().backward()
""")


@settings(max_examples=40)
@given(
    name=st.sampled_from(["CrossEntropyLoss", "NLLLoss"]),
    n=small,
    more=st.sampled_from([(), (2,), (2, 3)]),
    weight=flag,
    smoothing=st.sampled_from(["", "label_smoothing=0.1"]),
    ignored=st.sampled_from(["", "ignore_index=1"]),
    reduction=REDUCTIONS,
)
def test_losses_of_classes(
    name: str, n: int, more: tuple[int, ...], weight: bool, smoothing: str, ignored: str,
    reduction: str,
) -> None:  # fmt: skip
    smoothing = smoothing if name == "CrossEntropyLoss" else ""
    options = [smoothing, ignored, reduction, "weight=torch.rand(4)" if weight else ""]
    assert_twins(f"""
from torch import nn
_loss = nn.{name}({", ".join(filter(None, options))})
print(_loss, list(_loss.state_dict()))
x = torch.randn({(n, 4, *more)}, requires_grad=True)
t = torch.randint(0, 4, {(n, *more)})
y = _loss(x.log_softmax(1), t)
y.sum().backward()
""")


@settings(max_examples=20)
@given(n=small, margin=st.sampled_from(["", "margin=0.3"]), swap=flag, reduction=REDUCTIONS)
def test_losses_of_embeddings(n: int, margin: str, swap: bool, reduction: str) -> None:
    options = ", ".join(filter(None, [margin, reduction]))
    assert_twins(f"""
from torch import nn
_cosine, _triplet = nn.CosineEmbeddingLoss({options}), nn.TripletMarginLoss({options})
_triplet.swap = {swap}
print(_cosine, _triplet)
a, b, c = (torch.randn({n}, 3, requires_grad=True) for _ in range(3))
t = torch.randint(0, 2, ({n},)) * 2 - 1
y, z = _cosine(a, b, t), _triplet(a, b, c)
(y.sum() + z.sum()).backward()
""")


# -------------------------------------------------------------------------------------- embedding


@settings(max_examples=20)
@given(
    rows=st.integers(1, 5),
    padding=st.sampled_from([None, 0, -1]),
    by_freq=flag,
    shape=st.lists(small, max_size=2),
)
def test_embedding(rows: int, padding: int | None, by_freq: bool, shape: list[int]) -> None:
    assert_twins(f"""
from torch import nn
_e = nn.Embedding({rows}, 3, padding_idx={padding}, scale_grad_by_freq={by_freq})
print(_e, list(_e.state_dict()))
weight = _e.weight
x = torch.randint(0, {rows}, {tuple(shape)})
y = _e(x)
(y * torch.arange(y.numel()).view(y.shape).cos()).sum().backward()
_fixed = nn.Embedding.from_pretrained(torch.randn(2, 3))
fixed, z = _fixed.weight, _fixed(torch.tensor([1, 0]))
print(_fixed)
""")


SPECIAL = [
    *(
        f"_l = nn.Conv2d(1, 1, 3, padding=(2, 1), padding_mode='{mode}')\n"
        "y = _l(torch.randn(1, 5, 6)); y.sum().backward(); p = list(_l.parameters())"
        for mode in ("reflect", "replicate", "circular")
    ),
    "y = nn.Conv1d(1, 1, 4, padding='same', padding_mode='reflect')(torch.randn(1, 6))",
    "y = nn.Conv2d(1, 1, (2, 4), padding='same', padding_mode='circular')(torch.randn(1, 6, 7))",
    "_b = nn.BatchNorm1d(3); _b.track_running_stats = False\n"
    "y = _b(torch.randn(4, 3)); z = _b.eval()(torch.randn(4, 3)); b = list(_b.buffers())",
    "_b = nn.BatchNorm1d(3); _b(torch.randn(4, 3)); _b.reset_running_stats()\n"
    "b = list(_b.buffers())",
    "_b = nn.BatchNorm1d(3); _b.weight.data.fill_(3.0); _b(torch.randn(4, 3))\n"
    "_b.reset_parameters(); p, b = list(_b.parameters()), list(_b.buffers())",
]


@pytest.mark.parametrize("program", SPECIAL)
def test_special_cases(program: str) -> None:
    assert_twins(f"from torch import nn\n{program}")


# -------------------------------------------------------------------------------------- bad input

BAD = [
    "nn.Linear(3, 2)(torch.ones(4, 5))",
    "nn.Linear(3, 2)(torch.ones(4, 3, dtype=torch.float64))",
    "nn.Linear(0, 2)(torch.ones(4, 0))",
    "y = nn.Linear(3, 2)(torch.ones(0, 3)); y.sum().backward()",
    "nn.Conv2d(3, 4, 3)(torch.ones(1, 2, 5, 5))",
    "nn.Conv2d(3, 4, 3)(torch.ones(1, 3, 2, 2))",
    "nn.Conv2d(3, 4, 3)(torch.ones(3, 3))",
    "nn.Conv1d(3, 4, 3)(torch.ones(1, 2, 5))",
    "l = nn.Conv2d(3, 4, 3); x = torch.ones(0, 3, 5, 5, requires_grad=True); y = l(x)\n"
    "y.sum().backward(); g = l.weight.grad; del l",
    "nn.Conv2d(3, 4, 3, groups=2)",
    "nn.Conv2d(4, 3, 3, groups=2)",
    "nn.Conv2d(4, 3, 3, groups=0)",
    "nn.Conv2d(4, 3, 3, padding='some')",
    "nn.Conv2d(4, 3, 3, padding='same', stride=2)",
    "nn.BatchNorm1d(3)(torch.ones(1, 3))",
    "nn.BatchNorm2d(3)(torch.ones(1, 3, 1, 1))",
    "y = nn.BatchNorm2d(3).eval()(torch.ones(1, 3, 1, 1))",
    "nn.BatchNorm1d(3)(torch.ones(2, 4))",
    "nn.BatchNorm1d(3)(torch.ones(3))",
    "nn.BatchNorm2d(3)(torch.ones(2, 3))",
    "nn.LayerNorm(4)(torch.ones(2, 3))",
    "nn.GroupNorm(2, 3)",
    "nn.GroupNorm(2, 4)(torch.ones(2, 3))",
    "nn.RMSNorm(4)(torch.ones(2, 3))",
    "nn.MaxPool2d(3)(torch.ones(1, 1, 2, 2))",
    "nn.Embedding(3, 2)(torch.tensor([3]))",
    "nn.Embedding(3, 2)(torch.tensor([1.0]))",
    "nn.Embedding(3, 2, padding_idx=3)",
    "nn.Embedding.from_pretrained(torch.ones(3))",
    "nn.Dropout(1.5)",
    "nn.Dropout(-0.5)",
    "nn.Hardtanh(2, 1)",
    "nn.Unflatten(1, 3)",
    "nn.Unflatten(1, (2, 1.5))",
    "nn.Unflatten(1, (2, 2))(torch.ones(2, 3))",
    "nn.GLU()(torch.ones(3))",
    "nn.PReLU(2)(torch.ones(2, 3))",
    "y = nn.Softmax()(torch.ones(2, 3))",
    "nn.GELU(approximate='no')(torch.ones(2))",
    "nn.TripletMarginLoss(margin=0)",
    "nn.CrossEntropyLoss()(torch.ones(2, 3), torch.tensor([0, 3]))",
    "nn.CrossEntropyLoss()(torch.ones(2, 3), torch.tensor([0, -1]))",
    "nn.CrossEntropyLoss()(torch.ones(2, 3), torch.tensor([0, 1, 2]))",
    "nn.CrossEntropyLoss()(torch.ones(2, 3), torch.ones(2))",
    "nn.CrossEntropyLoss(reduction='some')(torch.ones(2, 3), torch.tensor([0, 1]))",
    "y = nn.CrossEntropyLoss()(torch.ones(0, 3), torch.ones(0, dtype=torch.int64))",
    "y = nn.MSELoss()(torch.ones(0, 3), torch.ones(0, 3))",
    "y = nn.MSELoss()(torch.ones(3, 1), torch.ones(3))",
    "nn.BCELoss()(torch.ones(3) / 2, torch.ones(2))",
    "nn.BCEWithLogitsLoss()(torch.ones(3), torch.ones(2))",
    "x = torch.tensor([float('nan'), 1.0], requires_grad=True)\n"
    "y = nn.MSELoss()(x, torch.zeros(2)); y.backward()",
    "x = torch.tensor([[float('inf'), 1.0]], requires_grad=True)\n"
    "y = nn.CrossEntropyLoss()(x, torch.tensor([0])); y.backward()",
]


@pytest.mark.parametrize("program", BAD)
def test_bad_input(program: str) -> None:
    assert_twins(f"from torch import nn\n{program}")


def test_a_padding_mode_there_is_not() -> None:
    """The text lists a set, whose order is not the same in every process."""
    words = []
    for engine in ENGINES:
        with pytest.raises(ValueError) as caught:
            engine.nn.Conv2d(4, 3, 3, padding_mode="some")
        words.append(sorted(re.findall(r"\w+", str(caught.value))))
    assert words[0] == words[1]


# -------------------------------------------------------------------------- signatures, attributes

MADE = {
    **dict.fromkeys(["Conv1d", "Conv2d"], (2, 4, 3)),
    **dict.fromkeys(["Linear", "Embedding", "GroupNorm"], (2, 4)),
    **dict.fromkeys(["BatchNorm1d", "BatchNorm2d", "LayerNorm", "RMSNorm"], (3,)),
    **dict.fromkeys(["MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"], (2,)),
    **dict.fromkeys(["AdaptiveAvgPool1d", "AdaptiveAvgPool2d"], (2,)),
    "Unflatten": (1, (2, 3)),
}
CLASSES = [
    name
    for name, x in vars(autogradlab.nn).items()
    if isinstance(x, type) and name not in ("Parameter", "Module")
]


@pytest.mark.parametrize("name", CLASSES)
def test_signature(name: str) -> None:
    """The same names and defaults, in the same order, without what PyTorch has deprecated."""
    left_out = {"size_average", "reduce", "min_value", "max_value", "args", "kwargs"}
    found = []
    for engine in ENGINES:
        parameters = inspect.signature(getattr(engine.nn, name).__init__).parameters.values()
        found.append([(p.name, p.default) for p in parameters if p.name not in left_out])
    assert found[0] == found[1]


@pytest.mark.parametrize("name", CLASSES)
def test_attributes(name: str) -> None:
    """A new layer has PyTorch's attributes."""
    found = []
    for engine in ENGINES:
        layer = getattr(engine.nn, name)(*MADE.get(name, ()))
        public = {k: v for k, v in vars(layer).items() if not k.startswith("_")}
        found.append((public, list(layer._parameters), list(layer._buffers), list(layer._modules)))
    assert found[0] == found[1]
