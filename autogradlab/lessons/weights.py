"""The weights lesson 01 starts from: trained ones where torchvision has them, random ones else."""

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


def resnet18_weights() -> dict[str, Tensor]:
    """The weights of a ResNet-18 by their names in a `state_dict`; prints which they are.

    Trained on ImageNet, fetched once, where torchvision is installed and the network is at hand.
    Elsewhere random, the same on every machine; without torchvision, too, its `resnet18` is then to
    be had for PyTorch: the lab's own code, run on torch's layers.
    """
    trained = trained_weights()
    if trained is None:
        stand_in()
        print(
            "torchvision is not installed: the weights are random, from seed 0,\n"
            "and PyTorch's resnet18 is the lab's own code, built from PyTorch's layers."
        )
        return random_weights()
    try:
        state = fetched(trained)
    except OSError:  # urllib's errors are of this kind
        print("torchvision is here, its trained weights cannot be fetched: random ones, seed 0.")
        return random_weights()
    print("torchvision is here: the weights are its trained ones.")
    return {name: autogradlab.from_numpy(np.array(x.numpy())) for name, x in state.items()}


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
