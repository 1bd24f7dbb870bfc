"""Networks with the `state_dict` keys of torch and torchvision, and the way between the engines."""

from .convert import from_torch, to_torch
from .gpt import GPT
from .resnet import ResNet, resnet18, resnet34
from .small import MLP, ConvNet

__all__ = ["GPT", "MLP", "ConvNet", "ResNet", "from_torch", "resnet18", "resnet34", "to_torch"]


def __getattr__(name: str) -> object:
    """torchvision's names for trained weights (`ResNet18_Weights`), where it is installed."""
    if name.endswith("_Weights"):
        import torchvision

        return getattr(torchvision.models, name)
    raise AttributeError(f"autogradlab has no torchvision.models.{name}")
