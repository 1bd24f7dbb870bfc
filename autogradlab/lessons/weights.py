"""The weights that lessons with a ResNet-18 start from: random ones, the same everywhere, or, when
asked for and to be had, torchvision's trained ones."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

import autogradlab

from .. import models
from ..tensor import Tensor
from ..twin import torch_or_none

SEED = 0


def resnet18_weights(trained: bool = False) -> dict[str, Tensor]:
    """The weights of a ResNet-18 by their names in a `state_dict`; prints which they are.

    Random from seed 0, and so the same on every machine; with `trained`, those that torchvision has
    trained on ImageNet, fetched once, where it is installed and the network is at hand. Where it is
    missing, its `resnet18` is there for PyTorch all the same: the lab's code on torch's layers.

    >>> weights = resnet18_weights()
    The weights are random, from seed 0.
    """
    known, why_not = trained_weights(), ""
    if known is None:
        stand_in()
        why_not = "torchvision is not installed: "
    if trained and known is not None:
        try:
            state = fetched(known)
        except OSError:  # urllib's errors are of this kind
            why_not = "The trained weights cannot be fetched: "
        else:
            print("The weights are torchvision's, trained on ImageNet.")
            return {name: autogradlab.from_numpy(np.array(x.numpy())) for name, x in state.items()}
    print(f"{why_not}the weights" if trained else "The weights", "are random, from seed 0.")
    return random_weights()


def trained_weights() -> Any:
    """torchvision's name for them; None where it is missing, or our own stand-in."""
    try:
        from torchvision.models import ResNet18_Weights
    except ImportError:
        return None
    return ResNet18_Weights.DEFAULT


def random_weights() -> dict[str, Tensor]:
    """Those a new ResNet-18 has; the notebook's random numbers stay as they are."""
    before = autogradlab.get_rng_state()
    autogradlab.manual_seed(SEED)
    try:
        return dict(models.resnet18().state_dict())
    finally:
        autogradlab.set_rng_state(before)


def fetched(weights: Any) -> dict[str, Any]:
    """The trained weights; a bar shows that they are under way."""
    from IPython.display import display
    from ipywidgets import HTML, HBox, IntProgress

    bar = IntProgress(value=1, max=2)  # how much has come is not told
    display(HBox([bar, HTML("Fetching 45 MB of trained weights, the first time only.")]))
    try:
        return weights.get_state_dict(progress=False)
    finally:
        bar.value = 2


def stand_in() -> None:
    """Let `from torchvision.models import resnet18` find our network's code on torch's layers."""
    torch = torch_or_none()
    if torch is None or "torchvision" in sys.modules:
        return
    kind = models.convert.Converter(autogradlab, torch).code(models.ResNet)
    package, inside = ModuleType("torchvision"), ModuleType("torchvision.models")
    package.models, inside.resnet18 = inside, lambda: kind((2, 2, 2, 2))
    for module in (package, inside):
        module.__spec__ = ModuleSpec(module.__name__, None)  # `find_spec` asks for it
        sys.modules[module.__name__] = module
