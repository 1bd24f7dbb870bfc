"""Positions and curves: forward runs down, ends meet borders, nothing depends on the run."""

import itertools
import json
import random
import shutil
import time
from pathlib import Path

import pytest

from autogradlab.graphs import Edge, Graph, GraphNode
from autogradlab.graphs import layout as module
from autogradlab.graphs.layout import RendererMissing, layout


def graph(edges: list[tuple[str, str]]) -> Graph:
    keys = sorted({key for edge in edges for key in edge}, key=lambda key: int(key[1:]))
    targets = {target for _, target in edges}
    nodes = {
        key: GraphNode(key, "op" if key in targets else "leaf", "", key, key, (), "", (), None, "")
        for key in keys
    }
    return Graph(nodes, tuple(Edge(*edge, 0, edge[0]) for edge in edges), keys[-1], "PyTorch", "")


def random_graph(count: int, seed: int) -> Graph:
    rng = random.Random(seed)
    edges = []
    for i in range(4, count):
        edges += [
            (f"n{rng.randrange(max(0, i - 12), i)}", f"n{i}") for _ in range(rng.choice((1, 2)))
        ]
    return graph(edges)


Q = graph([("n0", "n2"), ("n1", "n3"), ("n2", "n4"), ("n4", "n5"), ("n3", "n5"), ("n5", "n6")])
SQUARE = graph([("n0", "n1"), ("n0", "n1"), ("n1", "n2")])


def sizes(graph: Graph) -> dict[str, tuple[float, float]]:
    return {
        key: (170, 32) if node.kind == "leaf" else (90, 44) for key, node in graph.nodes.items()
    }


def anchors(graph: Graph) -> dict[str, float]:
    return {key: -61.0 for key, node in graph.nodes.items() if node.kind == "leaf"}


@pytest.fixture(params=[Q, SQUARE, *(random_graph(n, n) for n in (8, 15, 30, 60))])
def case(request):
    graph = request.param
    return graph, sizes(graph), anchors(graph), layout(graph, sizes(graph), anchors(graph))


def test_forward_runs_down_with_room_for_a_chip(case):
    graph, size, _, plan = case
    for edge in graph.edges:
        bottom = plan.positions[edge.source][1] + size[edge.source][1] / 2
        top = plan.positions[edge.target][1] - size[edge.target][1] / 2
        assert top - bottom >= 51.9


def test_boxes_lie_inside_the_picture_and_apart(case):
    graph, size, _, plan = case
    boxes = [(*plan.positions[key], *size[key]) for key in graph.nodes]
    for x, y, w, h in boxes:
        assert x - w / 2 >= -0.1 and x + w / 2 <= plan.width + 0.1
        assert y - h / 2 >= -0.1 and y + h / 2 <= plan.height + 0.1
    for (x, y, w, h), (p, q, v, k) in itertools.combinations(boxes, 2):
        assert abs(x - p) >= (w + v) / 2 + 30 or abs(y - q) >= (h + k) / 2 + 30


def test_curves_leave_at_the_anchor_and_end_on_the_border_side_by_side(case):
    graph, size, anchor, plan = case
    ends = set()
    for edge, curve in zip(graph.edges, plan.curves, strict=True):
        assert len(curve) % 3 == 1
        x, y = plan.positions[edge.source]
        assert curve[0][0] == pytest.approx(x + anchor.get(edge.source, 0), abs=1.1)
        assert curve[0][1] == pytest.approx(y + size[edge.source][1] / 2, abs=0.6)
        x, y = plan.positions[edge.target]
        assert curve[-1][1] == pytest.approx(y - size[edge.target][1] / 2, abs=0.6)
        assert abs(curve[-1][0] - x) < size[edge.target][0] / 2
        ends.add((edge.target, curve[-1][0]))
    assert len(ends) == len(graph.edges)


def test_inputs_share_the_top_row():
    plan = layout(Q, sizes(Q))
    assert plan.positions["n0"][1] == plan.positions["n1"][1]
    assert plan.positions["n2"][1] == plan.positions["n3"][1]  # a³ and b², as close to the inputs
    assert plan.positions["n0"][0] < plan.positions["n1"][0]


def test_many_inputs_do_not_share_one_row():
    chain = graph([(f"n{i}", f"n{i // 2 + 16}") for i in range(30)])
    assert len({chain_y for _, chain_y in layout(chain, sizes(chain)).positions.values()}) > 2


def test_the_same_graph_gives_the_same_layout():
    one = random_graph(60, 1)
    assert layout(one, sizes(one), anchors(one)) == layout(one, sizes(one), anchors(one))


def test_gaps_are_the_callers():
    plan = layout(Q, sizes(Q), rank_gap=100)
    rise = plan.positions["n6"][1] - plan.positions["n5"][1]
    assert rise == pytest.approx(144, abs=0.1)


def test_two_hundred_nodes_are_quick():
    large = random_graph(200, 3)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        layout(large, sizes(large))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5  # 0.15 s on a quiet machine


def hide(monkeypatch, *binaries: str) -> None:
    which = shutil.which
    monkeypatch.setattr(
        module.shutil,
        "which",
        lambda name, **kwargs: None if name in binaries else which(name, **kwargs),
    )


def test_without_a_renderer_the_error_carries_the_text(monkeypatch):
    hide(monkeypatch, "graphviz-pure", "dot")
    with pytest.raises(RendererMissing, match="pip install graphviz-pure") as caught:
        layout(Q, sizes(Q))
    monkeypatch.undo()
    assert str(caught.value).endswith(layout(Q, sizes(Q)).dot)


def test_a_system_dot_serves_where_the_pure_renderer_is_missing(monkeypatch, tmp_path):
    """A `dot` on the PATH is run with dot's own flags; what it answers is what is read."""
    expected = layout(Q, sizes(Q))
    pure = shutil.which("graphviz-pure", path=module.sysconfig.get_path("scripts"))
    dot = tmp_path / "dot"
    dot.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/flags"\nexec "{pure}" "$@"\n')
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    hide(monkeypatch, "graphviz-pure")
    assert layout(Q, sizes(Q)) == expected
    assert "-Tjson" in Path(tmp_path / "flags").read_text()


def test_the_answer_of_a_system_dot_can_be_read(monkeypatch):
    """Version 2.42 writes no drawing operations, more attributes, and subgraphs among the nodes."""
    answer = {
        "name": "%3", "bb": "0,0,90,236", "_subgraph_cnt": 1,
        "objects": [
            {"name": "%5", "_gvid": 0, "rank": "source", "nodes": [1]},
            {"name": "n0", "_gvid": 1, "pos": "45,214", "height": "0.6"},
            {"name": "n1", "_gvid": 2, "pos": "45,118", "height": "0.6"},
            {"name": "n2", "_gvid": 3, "pos": "45,22", "height": "0.6"},
        ],
        "edges": [
            {"_gvid": 0, "tail": 1, "head": 2, "id": "e0", "pos": "45,192 30,170 30,160 45,140"},
            {"_gvid": 1, "tail": 1, "head": 2, "id": "e1", "pos": "45,192 60,170 60,160 45,140"},
            {"_gvid": 2, "tail": 2, "head": 3, "id": "e2", "pos": "45,96 45,80 45,60 45,44"},
        ],
    }  # fmt: skip
    monkeypatch.setattr(module, "render", lambda dot, to: json.dumps(answer).encode())
    plan = layout(SQUARE, {key: (90, 44) for key in SQUARE.nodes})
    assert plan.positions == {"n0": (45, 22), "n1": (45, 118), "n2": (45, 214)}
    assert plan.curves[2] == ((45, 140), (45, 166), (45, 166), (45, 192))
    assert [curve[-1] for curve in plan.curves[:2]] == [(22.5, 96), (67.5, 96)]
