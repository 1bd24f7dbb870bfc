"""Where each node and edge goes: `layout` asks Graphviz for positions and nothing else. What a node
looks like, and how wide it must be for its text, is the drawing's business.

The renderer is graphviz-pure, whose output is the same on every platform; a system `dot` serves
where that is missing, and gives slightly other positions."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import graphviz
from graphviz.backend import dot_command

from .data import Edge, Graph

Point = tuple[float, float]
INCH = 72  # Graphviz measures sizes in inches and positions in points; one point is our one px
TOP_ROW = 8  # more inputs than this on one row are wider than a page


class RendererMissing(RuntimeError):
    """Neither graphviz-pure nor `dot` is installed; the message ends with the DOT text."""


@dataclass(frozen=True)
class Layout:
    """Positions in px, x to the right and y down, from 0 to `width` and `height`."""

    width: float
    height: float
    positions: dict[str, Point]  # the centre of each node's box
    curves: tuple[tuple[Point, ...], ...]  # for each edge of the graph: start, then cubic Béziers
    dot: str  # the text Graphviz was given


def layout(
    graph: Graph,
    sizes: Mapping[str, tuple[float, float]],
    anchors: Mapping[str, float] | None = None,
    node_gap: float = 32,
    rank_gap: float = 52,
) -> Layout:
    """Place the nodes of `graph`, inputs on top, and route its edges from source down to target.

    `sizes` gives each node's whole width and height in px. `anchors` gives, for a node whose edges
    do not leave from the middle (a leaf with its cup beside it), how far right of the centre of its
    box they do. A curve is a start point and then three points for each cubic Bézier; it ends on
    the borders of the boxes, and edges that enter one node enter it side by side.

    Raises `RendererMissing` where no Graphviz is installed, with the DOT text in its message.
    """
    anchors = anchors or {}
    dot = _dot_text(graph, sizes, anchors, node_gap, rank_gap)
    plan = json.loads(render(dot, "json"))
    width, height = map(float, plan["bb"].split(",")[2:])

    def points(text: str) -> list[Point]:
        pairs = (pair.split(",") for pair in text.split())
        return [(round(float(x), 2), round(height - float(y), 2)) for x, y in pairs]

    found = {each["name"]: points(each["pos"])[0] for each in plan["objects"] if "pos" in each}
    positions = {key: found[key] for key in graph.nodes}
    routes = {each["id"]: points(each["pos"]) for each in plan.get("edges", ())}
    curves = [routes[f"e{i}"] for i in range(len(graph.edges))]
    _enter_side_by_side(graph.edges, curves, sizes, positions)
    _straighten(curves, sizes, positions)
    return Layout(width, height, positions, tuple(tuple(curve) for curve in curves), dot)


def _dot_text(
    graph: Graph,
    sizes: Mapping[str, tuple[float, float]],
    anchors: Mapping[str, float],
    node_gap: float,
    rank_gap: float,
) -> str:
    dot = graphviz.Digraph(
        graph_attr={"nodesep": _inches(node_gap), "ranksep": _inches(rank_gap)},
        node_attr={"shape": "box", "fixedsize": "true", "label": ""},
        edge_attr={"dir": "none"},
    )
    for key in graph.nodes:
        width, height = sizes[key]
        dot.node(key, width=_inches(width), height=_inches(height), **_port(sizes, anchors, key))
    fan_in = Counter(edge.target for edge in graph.edges)
    for i, edge in enumerate(graph.edges):
        tail = f"{edge.source}:anchor:s" if anchors.get(edge.source) else f"{edge.source}:s"
        # An operation on an input alone stays close below it.
        alone = graph.nodes[edge.source].kind == "leaf" and fan_in[edge.target] == 1
        dot.edge(tail, f"{edge.target}:n", id=f"e{i}", weight="2" if alone else "1")
    inputs = [key for key, node in graph.nodes.items() if node.kind == "leaf"]
    if len(inputs) <= TOP_ROW:
        with dot.subgraph() as top:
            top.attr(rank="source")
            for key in inputs:
                top.node(key)
    return dot.source


def _inches(px: float) -> str:
    return f"{px / INCH:.5f}"


def _port(
    sizes: Mapping[str, tuple[float, float]], anchors: Mapping[str, float], key: str
) -> dict[str, str]:
    """A table of three cells whose middle one, "anchor", is centred where the edges leave."""
    if not anchors.get(key):
        return {}
    width, height = sizes[key]
    middle = 8
    left = width / 2 + anchors[key] - middle / 2
    cells = "".join(
        f'<TD FIXEDSIZE="TRUE" WIDTH="{cell:.0f}" HEIGHT="{height:.0f}"{port}></TD>'
        for cell, port in (
            (left, ""),
            (middle, ' PORT="anchor"'),
            (width - left - middle, ""),
        )
    )
    style = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
    return {
        "label": f"<<TABLE {style}><TR>{cells}</TR></TABLE>>",
        "shape": "plain",
        "fixedsize": "false",
    }


def render(dot: str, to: str) -> bytes:
    """What Graphviz makes of a text: positions ("json"), or a picture ("png")."""
    # pip puts graphviz-pure beside the interpreter's other scripts, which may not be on the PATH.
    places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    binary = shutil.which("graphviz-pure", path=places) or shutil.which("dot")
    if binary is None:
        raise RendererMissing(
            "drawing a graph needs Graphviz: `pip install graphviz-pure`, or install `dot`; "
            f"any Graphviz can also draw this text:\n{dot}"
        )
    before, dot_command.DOT_BINARY = dot_command.DOT_BINARY, binary
    try:
        return graphviz.Source(dot).pipe(format=to)
    finally:
        dot_command.DOT_BINARY = before


def _enter_side_by_side(
    edges: Sequence[Edge],
    curves: list[list[Point]],
    sizes: Mapping[str, tuple[float, float]],
    positions: Mapping[str, Point],
) -> None:
    """Spread the ends of the edges over the top of the node they enter, in the order they come
    from, so that they do not cross and a chip fits beside each."""
    arriving: dict[str, list[int]] = {}
    for i, edge in enumerate(edges):
        arriving.setdefault(edge.target, []).append(i)
    for key, indices in arriving.items():
        indices.sort(key=lambda i: curves[i][-4][0])  # a stable sort: equal ones stay in slot order
        width = sizes[key][0]
        for place, i in enumerate(indices):
            x = round(positions[key][0] + width * ((place + 0.5) / len(indices) - 0.5), 2)
            (_, second_y), (_, end_y) = curves[i][-2:]
            curves[i][-2:] = [(x, second_y), (x, end_y)]


def _straighten(
    curves: list[list[Point]],
    sizes: Mapping[str, tuple[float, float]],
    positions: Mapping[str, Point],
) -> None:
    """Where nothing stands in the way, one calm S that leaves and arrives upright."""
    boxes = [(x, y, *sizes[key]) for key, (x, y) in positions.items()]
    for curve in curves:
        (x0, y0), (x1, y1) = curve[0], curve[-1]
        left, right = min(x0, x1), max(x0, x1)
        if not any(
            y0 < y + h / 2 - 1 and y - h / 2 + 1 < y1 and left < x + w / 2 and x - w / 2 < right
            for x, y, w, h in boxes
        ):
            middle = round((y0 + y1) / 2, 2)
            curve[:] = [(x0, y0), (x0, middle), (x1, middle), (x1, y1)]
