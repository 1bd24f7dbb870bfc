"""Whole networks trained from one seed: the same loss at every step, the same weights after."""

import pytest
from twins import assert_twins

START = """
from torch import nn
torch.set_default_dtype(torch.float64)
x, t = torch.randn(48, 1, 8, 8), torch.randint(0, 4, (48,))
t = (x.mean((1, 2, 3)) > 0).long() + 2 * (x[:, 0, 0, 0] > 0).long()
"""
END = """
losses, norms = [], []
for _epoch in range(10):
    _order = torch.randperm(48)
    for _at in range(0, 48, 16):
        _batch = _order[_at : _at + 16]
        optimizer.zero_grad()
        _loss = criterion(net(x[_batch]), t[_batch])
        _loss.backward()
        norms.append(nn.utils.clip_grad_norm_(net.parameters(), 1.0).item())
        optimizer.step()
        losses.append(_loss.item())
net.eval()
with torch.no_grad():
    right = (net(x).argmax(1) == t).sum()
print(net, losses[-1] < losses[0])
losses, norms = torch.tensor(losses), torch.tensor(norms)
state = list(net.state_dict().values())
del net, optimizer, criterion
torch.set_default_dtype(torch.float32)
"""
PROGRAMS = {
    "ConvNet": """
net = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.GroupNorm(2, 8), nn.GELU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32, 4),
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
""",
    "MLP": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64, 32), nn.Linear(32, 32)])
        self.norms = nn.ModuleList([nn.LayerNorm(32), nn.RMSNorm(32)])
        self.act, self.head = nn.PReLU(), nn.Linear(32, 4)
        for p in self.head.parameters():
            nn.init.zeros_(p)
    def forward(self, x):
        x = x.flatten(1)
        for layer, norm in zip(self.layers, self.norms):
            x = self.act(norm(layer(x)))
        return nn.functional.log_softmax(self.head(x), 1)
net, criterion = Net(), nn.NLLLoss()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_training(name: str) -> None:
    assert_twins(START + PROGRAMS[name] + END)
