"""ResNet-18, one training step: everything equal to the same network on torch."""

import sys
import types

import numpy as np
import pytest
import torch
from twins import graph

import autogradlab
from autogradlab import models
from autogradlab.models.convert import Converter


def twins(dtype: str, seed: int = 0):
    """The network on both engines, with the same weights."""
    autogradlab.manual_seed(seed)
    ours = models.resnet18()
    theirs = models.to_torch(ours)
    return (ours.double(), theirs.double()) if dtype == "float64" else (ours, theirs)


def step(engine, model, image, label):
    """One step of the tutorial; the loss and the prediction."""
    optimizer = engine.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    prediction = model(engine.from_numpy(image.copy()))
    loss = (prediction - engine.from_numpy(label.copy())).sum()
    loss.backward()
    optimizer.step()
    return loss, prediction


def data(batch: int, dtype: str):
    rng = np.random.default_rng(0)
    return rng.random((batch, 3, 64, 64)).astype(dtype), rng.random((batch, 1000)).astype(dtype)


def error(ours, theirs) -> float:
    """Norm-wise relative error."""
    a, b = (x.detach().numpy().astype("float64") for x in (ours, theirs))
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30))


def tensors(model, loss, prediction):
    """Everything a step has made, by name."""
    found = {"loss": loss, "prediction": prediction}
    found |= {f"{name}.grad": p.grad for name, p in model.named_parameters()}
    return found | model.state_dict()


@pytest.mark.parametrize("batch", [1, 8])
def test_a_training_step_in_float64(batch):
    ours, theirs = twins("float64")
    image, label = data(batch, "float64")
    made = tensors(ours, *step(autogradlab, ours, image, label))
    wanted = tensors(theirs, *step(torch, theirs, image, label))
    assert list(made) == list(wanted)
    assert sum(name.endswith(".grad") for name in made) == 62
    worst = {name: error(made[name], wanted[name]) for name in made}
    assert max(worst.values()) < 1e-10, max(worst, key=worst.get)


def test_the_graph_is_torchs():
    ours, theirs = twins("float32")
    image, label = data(1, "float32")
    a, _ = step(autogradlab, ours, image, label)
    b, _ = step(torch, theirs, image, label)
    assert graph(a) == graph(b)


def test_float32_is_as_exact_as_torchs():
    """Each tensor's error against float64 is at most twice that of torch's own float32."""
    image, label = data(1, "float32")
    exact_model = twins("float64")[1]
    exact = tensors(exact_model, *step(torch, exact_model, image.astype("float64"),
                                       label.astype("float64")))  # fmt: skip
    ours, theirs = twins("float32")
    a = tensors(ours, *step(autogradlab, ours, image, label))
    b = tensors(theirs, *step(torch, theirs, image, label))
    for name, right in exact.items():
        allowed = 2 * error(b[name], right) + np.finfo("float32").eps
        assert error(a[name], right) <= allowed, name


def test_the_same_seed_gives_the_same_weights():
    autogradlab.manual_seed(3)
    ours = models.resnet18(num_classes=10)
    kind = Converter(autogradlab, torch).code(models.ResNet)
    torch.manual_seed(3)
    theirs = kind((2, 2, 2, 2), num_classes=10)
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(torch.from_numpy(a.numpy().copy()), b, msg=name)


def test_it_has_its_11_689_512_parameters():
    assert sum(p.numel() for p in models.resnet18().parameters()) == 11_689_512
    assert len(list(models.resnet34().parameters())) == 110


def test_torchvisions_weights_fit(monkeypatch):
    """With a stand-in for torchvision, whose weights have its keys."""
    trained = twins("float32", seed=7)[1].state_dict()
    weights = types.SimpleNamespace(get_state_dict=lambda progress: trained)
    stand_in = types.ModuleType("torchvision")
    stand_in.models = types.SimpleNamespace(
        ResNet18_Weights=types.SimpleNamespace(DEFAULT=weights)
    )
    monkeypatch.setitem(sys.modules, "torchvision", stand_in)
    model = models.resnet18(weights=models.ResNet18_Weights.DEFAULT)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), trained[name].numpy(), err_msg=name)
