"""The pictures say what PyTorch computes, stand alone, and the self-test tells the truth."""

import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from ipywidgets import HTML

import autogradlab
from autogradlab.graphs import record_backward
from autogradlab.graphs.layout import RendererMissing
from autogradlab.lessons import Panel, junctions, self_test, twin_cell, vector_times_jacobian

ROWS = [[1.0, 1.0], [1.0, -1.0], [2.0, 0.0]]


def stands_alone(picture):
    root = ET.fromstring(picture.svg)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert {"title", "desc"} <= names and not names & {"script", "foreignObject", "style", "image"}
    assert picture._repr_mimebundle_() == {
        "image/svg+xml": picture.svg,
        "text/plain": picture.sentence,
    }
    assert "class=" not in picture.svg and root.find("{*}desc").text == picture.sentence
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_twin_picture_stands_alone():
    assert "autogradlab" in stands_alone(twin_cell())


@pytest.mark.parametrize("v", [[1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.5, -2.0, 10.0]])
def test_vector_times_jacobian_is_pytorchs(v):
    picture = vector_times_jacobian(v, ROWS, ["y₀", "y₁", "y₂"], ["x₀", "x₁"])
    shown = stands_alone(picture)
    said = [float(x.replace("−", "-")) for x in re.findall(r"−?[\d.]*\d", picture.sentence)]
    product = (torch.tensor(v) @ torch.tensor(ROWS)).tolist()
    np.testing.assert_allclose(said[-2:], product)
    assert [float(x.replace("−", "-")) for x in shown[-2:]] == product


@pytest.mark.parametrize("engine", [autogradlab, torch], ids=["autogradlab", "torch"])
def test_junctions_show_what_pytorch_sends(engine):
    a = engine.tensor(2.0, requires_grad=True)
    b = engine.tensor(4.0, requires_grad=True)
    results = {"+": a + b, "×": a * b, "max": engine.maximum(a, b)}
    names = {"a": a, "b": b}
    picture = junctions(
        {op: record_backward(y, engine.tensor(6.0), names) for op, y in results.items()}
    )
    stands_alone(picture)
    for op, result in zip(results, (torch.add, torch.mul, torch.maximum), strict=True):
        x, y = (torch.tensor(value, requires_grad=True) for value in (2.0, 4.0))
        result(x, y).backward(torch.tensor(6.0))
        assert re.search(
            rf"{re.escape(op)}: \S.* receives 6 and sends {x.grad:g} to a and {y.grad:g} to b\.",
            picture.sentence,
        )


def test_self_test_stores_words_and_shows_versions_live():
    panel = self_test()
    assert isinstance(panel, Panel) and isinstance(panel.live, HTML)
    assert repr(panel) == repr(self_test()) and "✗" not in repr(panel)
    assert np.__version__ in panel.live.value and np.__version__ not in repr(panel)
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == repr(panel)
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == panel.live.model_id


def test_self_test_says_what_is_missing(monkeypatch):
    module = sys.modules["autogradlab.lessons.panel"]
    monkeypatch.setattr(module, "find_spec", lambda name: None)

    def no_renderer(graph):
        raise RendererMissing("digraph {}")

    monkeypatch.setattr(module, "draw", no_renderer)
    words = repr(self_test())
    assert "· PyTorch: not installed" in words and "✗ pictures: no renderer" in words
