"""What all instruments share: the promises of each, and of the example in CONTRIBUTING.md."""

import inspect
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch

import autogradlab
from autogradlab import instruments
from autogradlab.graphs import draw, numbers, style
from autogradlab.instruments import instrument, svg_view

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
EVERY = [getattr(instruments, name) for name in instruments.__all__]


@pytest.mark.parametrize("engine", [autogradlab, torch])
def test_the_example_is_an_instrument(engine):
    _, code = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    space: dict = {}
    for module in (draw, style, numbers, svg_view, instrument):
        space |= vars(module)
    exec(code, space)
    x = engine.tensor([1.0, 3.0, 2.0], requires_grad=True)
    made = space["Elements"](x)
    assert len(made.view.frames) == 4 and made.view.sentences[2] == "This element is 3."
    bundle = made._repr_mimebundle_()
    assert bundle["text/plain"] == "3 elements, the largest is 3."
    assert ET.fromstring(bundle["image/svg+xml"]).get("role") == "img"
    made.view.step = 2
    again = space["Elements"].from_state(made.state(), x)
    assert again.view.step == 2 and again.svg() == made.svg()


@pytest.mark.parametrize("kind", EVERY)
def test_every_instrument_keeps_the_promises(kind):
    """A state, controls that can be left out, a sentence and a picture, and words for each."""
    assert issubclass(kind, instrument.Instrument) and kind.STATE
    assert kind.svg is not instrument.Instrument.svg
    assert kind.summary is not instrument.Instrument.summary
    if kind.CONTROLS:
        assert "controls" in inspect.signature(kind.__init__).parameters
    for name, member in vars(kind).items():
        if not name.startswith("_") and callable(member):
            assert member.__doc__, f"{kind.__name__}.{name}"
