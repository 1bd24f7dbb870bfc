"""Graphs as files, and what a drawing can show strong."""

import re
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs import Graph, layout, record_backward
from autogradlab.graphs.draw import draw
from autogradlab.instruments import BackwardDebugger


def program(engine):
    a = engine.tensor([2.0, 3.0], requires_grad=True)
    b = engine.tensor([6.0, 4.0], requires_grad=True)
    return {"a": a, "b": b, "Q": (3 * a**3 - b.exp() / 100).sum()}


def recorded(engine=autogradlab):
    names = program(engine)
    return record_backward(names["Q"], names=names)


@pytest.mark.parametrize("engine", [autogradlab, torch])
def test_every_format(engine, tmp_path):
    recording = recorded(engine)
    graph = recording.graph
    assert Graph.from_json(graph.save(tmp_path / "g.json").read_text("utf-8")) == graph
    assert "digraph" in graph.save(tmp_path / "g.dot").read_text("utf-8")
    assert graph.save(tmp_path / "g.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    plain, passed = (x.save(tmp_path / "g.svg").read_text("utf-8") for x in (graph, recording))
    assert ET.fromstring(plain).get("role") == ET.fromstring(passed).get("role") == "img"
    assert "∇" not in plain and plain != passed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.dot", "g.json", "g.png", "g.svg"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    graph = recorded().graph
    path = graph.save(tmp_path / "g.svg")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"'g\.gif' ends in none of \.svg, "):
        graph.save(tmp_path / "g.gif")
    with pytest.raises(OSError, match="nowhere"):
        graph.save(tmp_path / "nowhere" / "g.svg")
    monkeypatch.setattr(layout.shutil, "which", lambda *args, **kwargs: None)
    with pytest.raises(layout.RendererMissing, match="graphviz-pure"):
        graph.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["g.svg"]


def bars(picture):
    """The lengths of the bars, by colour."""
    return {
        name: [float(w) for w in re.findall(rf'width="([\d.]+)" height="5"[^/]*{fill}', picture)]
        for name, fill in (("norm", "#D55E00"), ("saved", "#0072B2"))
    }


def test_bars_follow_norms_and_bytes():
    recording = recorded()
    sizes = {n.key: sum(size for *_, size in n.saved) for n in recording.graph.nodes.values()}
    saved = bars(draw(recording.graph, by="saved"))
    assert len(saved["saved"]) == sum(size > 0 for size in sizes.values()) and not saved["norm"]
    norms = bars(draw(recording.graph, recording=recording, by="norm"))
    assert len(norms["norm"]) == len(recording.graph.nodes)
    with pytest.raises(ValueError, match="known from a recording"):
        draw(recording.graph, by="norm")
    with pytest.raises(ValueError, match='by is "norm" or "saved"'):
        draw(recording.graph, by="colour")


def test_the_paths_to_a_leaf_are_strong():
    graph = recorded().graph
    counts = [draw(graph, leaf=leaf).count('stroke-width="3"') for leaf in ("", "a", "b")]
    assert counts[0] == 0 and counts[1] == 5 and counts[2] == 5
    with pytest.raises(ValueError, match="no node of this graph is called 'c'"):
        draw(graph, leaf="c")


def test_an_instrument_saves_its_picture(tmp_path):
    names = program(autogradlab)
    debugger = BackwardDebugger(names["Q"], names=names)
    assert debugger.save(tmp_path / "d.svg").read_text("utf-8") == debugger.svg()
    with pytest.raises(ValueError, match=r"does not end in \.svg"):
        debugger.save(tmp_path / "d.png")
