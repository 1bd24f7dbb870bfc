"""The list of a graph that is cut: its rails, and its words."""

import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest

from autogradlab.graphs.board import LANES, CutList, Left, saved_by
from autogradlab.graphs.style import STYLES, attributes, text_width
from autogradlab.graphs.trial import Choice, Model
from autogradlab.instruments.freeze_board import folded, insides
from tests.graphs.networks import theirs

FONTS = {
    attributes(name): (int(s["font-size"]), "mono" in s["font-family"], s["text-anchor"])
    for name, s in STYLES.items()
    if "font-size" in s
}


def spans(markup):
    """Where each text of some markup begins and ends, by the table of widths."""
    found = []
    for each in ET.fromstring(f"<g>{markup}</g>").iter("text"):
        style = " ".join(f'{k}="{v}"' for k, v in each.attrib.items() if k not in "xy")
        size, mono, anchor = FONTS[style.replace("'", "&#39;")]
        wide, x = text_width(each.text or "", size, mono), float(each.get("x"))
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[anchor]
        found.append((left, left + wide, each.text))
    return sorted(found)


def list_of(name):
    model, inputs = theirs()[name]
    trial = Model(model, inputs).run(Choice())
    graph = folded(trial.graph)
    return CutList(graph, saved_by(trial.graph, insides(graph)))


@pytest.mark.parametrize("name", ["transformer", "attention", "lstm", "tied"])
def test_rails_that_pass_by_the_same_rows_lie_apart(name):
    drawn = list_of(name)
    edges = drawn.graph.edges
    rows = {i: (drawn.row_of[edges[i].source], drawn.row_of[edges[i].target]) for i in drawn.lanes}
    assert drawn.lanes or name != "attention"
    for i, j in combinations(drawn.lanes, 2):
        if drawn.lanes[i] == drawn.lanes[j] < LANES:
            assert rows[i][1] <= rows[j][0] or rows[j][1] <= rows[i][0]
    for i, edge in enumerate(edges):  # all others join rows that follow each other
        assert i in drawn.lanes or drawn.row_of[edge.target] == drawn.row_of[edge.source] + 1


@pytest.mark.parametrize("name", ["transformer", "attention", "lstm", "tied"])
def test_no_label_of_a_row_lies_over_another(name):
    drawn = list_of(name)
    words = dict.fromkeys(drawn.keys, "3 of 12 frozen, output detached")
    for left in (
        Left(drawn.full, words, norms=dict.fromkeys(drawn.keys, 1.234e-5)),
        Left({}, words, norms=dict.fromkeys(drawn.keys)),
    ):
        for key in drawn.keys:
            found = spans(drawn._row(key, left))
            assert found[0][0] >= 0 and found[-1][1] <= drawn.width - drawn.rail
            for (_, end, a), (start, _, b) in pairwise(found):
                assert end <= start + 1, (key, a, b)
