"""A whole training loop, data to schedule, as one would type it: the same on both engines."""

import pytest

from tests.engine.twins import assert_twins

LOOP = """
from torch.utils.data import DataLoader, TensorDataset, random_split
torch.set_default_dtype(torch.float64)
torch.manual_seed({seed})
x = torch.linspace(-3, 3, 60).reshape(-1, 1)
y = x.sin() + 0.1 * torch.randn(60, 1)
_train, _valid = random_split(TensorDataset(x, y), [0.8, 0.2])
_batches = DataLoader(_train, batch_size=16, shuffle=True)
w1 = torch.randn(1, 8, requires_grad=True)
b1 = torch.zeros(8, requires_grad=True)
w2 = (torch.randn(8, 1) / 3).requires_grad_()
def model(x): return (x @ w1 + b1).tanh() @ w2
def error(x, y): return ((model(x) - y) ** 2).mean()
optimizer = torch.optim.{optimizer}
_scheduler = torch.optim.lr_scheduler.{scheduler}
for epoch in range(10):
    for a, b in _batches:
        optimizer.zero_grad()
        loss = error(a, b)
        loss.backward()
        optimizer.step()
    _scheduler.step()
    with torch.no_grad():
        total = sum(error(a, b).item() * len(a) for a, b in DataLoader(_valid, batch_size=5))
    rate = _scheduler.get_last_lr()[0]
    print(f"epoch {{epoch}}: loss {{loss.item():.9f}}, valid {{total:.9f}}, lr {{rate:.3g}}")
del loss, total
torch.set_default_dtype(torch.float32)
"""


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("optimizer", "scheduler"),
    [
        ("SGD([w1, b1, w2], lr=0.1, momentum=0.9)", "StepLR(optimizer, 4)"),
        ("Adam([w1, b1, w2], lr=0.02)", "CosineAnnealingLR(optimizer, 10)"),
        (
            "AdamW([{'params': [w1, w2], 'weight_decay': 0.1}, {'params': b1}], lr=0.02)",
            "LambdaLR(optimizer, lambda epoch: min(1.0, (epoch + 1) / 5))",
        ),
        ("RMSprop([w1, b1, w2], lr=0.01)", "LinearLR(optimizer)"),
    ],
)
def test_the_same_prints_parameters_and_gradients(seed, optimizer, scheduler):
    assert_twins(LOOP.format(seed=seed, optimizer=optimizer, scheduler=scheduler))
