"""ResNet-18 and -34, with torchvision's names, so that its weights fit.

Source: He et al. 2015, Deep Residual Learning for Image Recognition; keys and defaults are those of
torchvision's `resnet18`.
"""

from __future__ import annotations

from typing import Any

from .. import nn
from ..creation import from_numpy
from ..tensor import Tensor


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, and the input added to what they give."""

    def __init__(self, planes_in: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(planes_in, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1 or planes_in != planes:
            self.downsample = nn.Sequential(
                nn.Conv2d(planes_in, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """A residual network for images (N, 3, H, W); gives (N, num_classes).

    Args:
        blocks: how many basic blocks each of the four stages has.
        num_classes: how many numbers it gives.
    """

    def __init__(self, blocks: tuple[int, int, int, int], num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = stage(64, 64, blocks[0], 1)
        self.layer2 = stage(64, 128, blocks[1], 2)
        self.layer3 = stage(128, 256, blocks[2], 2)
        self.layer4 = stage(256, 512, blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def stage(planes_in: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """Blocks of one width, the first of which may halve the image."""
    first = BasicBlock(planes_in, planes, stride)
    return nn.Sequential(first, *(BasicBlock(planes, planes) for _ in range(blocks - 1)))


def resnet18(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-18: 11,689,512 parameters for 1,000 classes.

    Args:
        weights: torchvision's trained ones, `ResNet18_Weights.DEFAULT`; None for random ones.
        progress: show a bar while torchvision fetches them.

    >>> sum(p.numel() for p in resnet18(num_classes=10).parameters())
    11181642
    """
    return loaded(ResNet((2, 2, 2, 2), **options), weights, progress)


def resnet34(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-34, as `resnet18`."""
    return loaded(ResNet((3, 4, 6, 3), **options), weights, progress)


def loaded(model: ResNet, weights: Any, progress: bool) -> ResNet:
    """The network with torchvision's weights, if any."""
    if weights is not None:
        state = weights.get_state_dict(progress=progress)
        model.load_state_dict({name: from_numpy(x.numpy().copy()) for name, x in state.items()})
    return model
