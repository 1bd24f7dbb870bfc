"""The small networks, and the way from one engine to the other and back."""

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab import models, nn

NETWORKS = {
    "mlp": lambda: models.MLP([3, 8, 2], nn.ReLU),
    "convnet": lambda: models.ConvNet(),
    "gpt": lambda: models.GPT(vocabulary=7, context=6, width=16, heads=2, layers=2),
}
INPUTS = {
    "mlp": np.random.default_rng(0).random((5, 3), "float32"),
    "convnet": np.random.default_rng(0).random((4, 1, 8, 8), "float32"),
    "gpt": np.random.default_rng(0).integers(0, 7, (2, 6)),
}


def trained(engine, model, x, steps):
    """The losses of some steps of Adam on one batch."""
    optimizer = engine.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        out = model(engine.from_numpy(x.copy()))
        classes = engine.from_numpy(np.arange(out.numel() // out.shape[-1]) % out.shape[-1])
        loss = engine.nn.functional.cross_entropy(out.reshape(-1, out.shape[-1]), classes)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", NETWORKS)
def test_fifty_steps_have_the_same_losses(name):
    autogradlab.manual_seed(0)
    ours = NETWORKS[name]().double()
    theirs = models.to_torch(ours)
    x = INPUTS[name].astype("float64") if name != "gpt" else INPUTS[name]
    a, b = trained(autogradlab, ours, x, 50), trained(torch, theirs, x, 50)
    np.testing.assert_allclose(a, b, rtol=1e-7)
    assert a[-1] < a[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back(name):
    ours = NETWORKS[name]()
    theirs = models.to_torch(ours)
    assert isinstance(theirs, torch.nn.Module)
    assert repr(theirs) == repr(ours)
    again = models.from_torch(theirs)
    assert type(again).__name__ == type(ours).__name__
    assert isinstance(again, nn.Module)
    for (key, a), (other, b) in zip(
        ours.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert key == other
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        assert a.data_ptr() != b.data_ptr()


class Shared(nn.Module):
    """A class of the user's: one layer twice, a buffer, a frozen parameter, a function."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = self.first
        self.register_buffer("scale", autogradlab.ones(3) * 2)
        self.shift = nn.Parameter(autogradlab.zeros(3), requires_grad=False)
        self.power = 2

    def forward(self, x):
        return halved(self.second(self.first(x).relu()) * self.scale + self.shift) ** self.power


def halved(x):
    return autogradlab.maximum(x, x * 0.5)


def test_a_class_of_the_users():
    ours = Shared().eval()
    theirs = models.to_torch(ours)
    x = INPUTS["mlp"]
    a, b = ours(autogradlab.from_numpy(x)), theirs(torch.from_numpy(x))
    torch.testing.assert_close(torch.from_numpy(a.detach().numpy()), b.detach())
    assert theirs.first is theirs.second
    assert not theirs.training and not theirs.shift.requires_grad
    assert list(theirs.state_dict()) == list(ours.state_dict())
    back = models.from_torch(theirs)
    torch.testing.assert_close(
        torch.from_numpy(back(autogradlab.from_numpy(x)).detach().numpy()), b.detach()
    )


def test_torchs_own_layers_come_over():
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, stride=2, padding=1, bias=False),
        torch.nn.BatchNorm2d(2, eps=1e-3, momentum=0.2),
        torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Dropout(0.3),
        torch.nn.Linear(8, 3), torch.nn.LayerNorm(3),
    ).eval()  # fmt: skip
    ours = models.from_torch(theirs)
    assert repr(ours) == repr(theirs)
    x = INPUTS["convnet"]
    a, b = ours(autogradlab.from_numpy(x)), theirs(torch.from_numpy(x))
    torch.testing.assert_close(torch.from_numpy(a.detach().numpy()), b.detach())


def test_a_part_without_counterpart_is_named():
    with pytest.raises(TypeError, match="LSTM has no counterpart"):
        models.from_torch(torch.nn.Sequential(torch.nn.LSTM(2, 2)))
