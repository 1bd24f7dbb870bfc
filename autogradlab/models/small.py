"""The small networks of the lessons."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .. import nn
from ..tensor import Tensor


class MLP(nn.Sequential):
    """Linear layers with an activation between them.

    >>> MLP([2, 8, 1])
    MLP(
      (0): Linear(in_features=2, out_features=8, bias=True)
      (1): Tanh()
      (2): Linear(in_features=8, out_features=1, bias=True)
    )
    """

    def __init__(self, sizes: Sequence[int], activation: type[nn.Module] = nn.Tanh) -> None:
        layers: list[nn.Module] = []
        for size_in, size_out in itertools.pairwise(sizes):
            layers += [nn.Linear(size_in, size_out), activation()]
        super().__init__(*layers[:-1])


class ConvNet(nn.Module):
    """Two convolutions and a linear layer, for images (N, 1, size, size)."""

    def __init__(self, size: int = 8, channels: int = 16, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(2 * channels * (size // 4) ** 2, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        return self.fc(x.flatten(1))
