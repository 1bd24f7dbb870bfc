"""The rail: every node has its row, and each row says what has happened to it at every step."""

import math
import re
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab import models
from autogradlab.graphs import record_backward, watch
from autogradlab.graphs.rail import Rail, rows_of
from autogradlab.graphs.style import css_class


class Skips(torch.nn.Module):
    """Values that skip over one, two and three layers, and a module called twice."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(3, 3) for _ in range(3))
        self.twice = torch.nn.Tanh()

    def forward(self, x):
        a = self.twice(self.layers[0](x))
        b = self.layers[1](a) + a
        return self.twice(self.layers[2](b)) + a * b


def transformer():
    return torch.nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)


MODELS = {
    "mlp": lambda: (models.MLP([3, 4, 4, 1]), autogradlab.ones(2, 3)),
    "skips": lambda: (Skips(), torch.ones(2, 3)),
    "transformer": lambda: (transformer(), torch.ones(1, 3, 8), torch.ones(1, 2, 8)),
}


def recorded(name, exact=True):
    model, *inputs = MODELS[name]()
    with watch(model) as seen:
        loss = model(*inputs).pow(2).sum()
    kept = {"watched": seen} if exact else {"model": model}
    return record_backward(loss, names={"loss": loss}, **kept)


def rails(name, exact=True):
    recording = recorded(name, exact)
    for depth in range(5):
        yield Rail(recording, recording.graph.fold(depth), pen=css_class)
    yield Rail(recording, recording.graph.fold(open=recording.graph.calls), pen=css_class)


def shown(forms, step):
    return [markup for start, markup in forms if start <= step][-1]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_every_node_has_one_row_and_values_run_down(name, exact):
    for rail in rails(name, exact):
        keys = [row.key for row in rail.rows if not row.head]
        assert sorted(keys) == sorted(rail.graph.nodes)
        places = {row.key: i for i, row in enumerate(rail.rows) if not row.head}
        assert all(places[e.source] < places[e.target] for e in rail.graph.edges)
        assert set(rail.super) == set(rail.recording.graph.nodes)


@pytest.mark.parametrize("name", MODELS)
def test_heads_stand_over_what_they_hold(name):
    for rail in rails(name):
        for i, row in enumerate(rail.rows):
            around = [r for r in rail.rows[:i] if r.head and r.depth < row.depth]
            if not row.head and rail.graph.nodes[row.key].kind not in ("leaf", "parameter"):
                calls = [c for c in rail.graph.modules_around(row.key) if rail.graph.calls[c].path]
                assert row.depth == len(calls)
                assert {r.key for r in around} >= set(calls)


@pytest.mark.parametrize("name", MODELS)
def test_one_row_runs_at_a_time_and_in_the_end_all_are_done(name):
    for rail in rails(name):
        nodes = [i for i, row in enumerate(rail.rows) if not row.head]
        glyphs = {i: rail.glyph(i) for i in nodes}
        ops = [e for e in rail.recording.events if not e.accumulated]
        for event in ops:
            step = rail.turn[event.key]
            running = [i for i in nodes if "agl-running" in shown(glyphs[i], step)]
            assert [rail.rows[i].key for i in running] == [rail.super[event.key]]
        end = {rail.rows[i].key for i in nodes if "agl-done" in shown(glyphs[i], rail.count + 1)}
        assert end == {rail.super[e.key] for e in rail.recording.events} | {rail.graph.root}


@pytest.mark.parametrize("name", MODELS)
def test_edges_carry_the_gradient_from_the_step_that_sends_it(name):
    for rail in rails(name):
        for rung in rail.rungs:
            source, target = rail.rows[rung.source].key, rail.rows[rung.target].key
            sends = [
                rail.turn.get(e.target, 0)
                for e in rail.recording.graph.edges
                if (rail.super[e.source], rail.super[e.target]) == (source, target)
            ]
            forms = rail.line(rung)
            before = shown(forms, max(sends) - 1) if max(sends) else ""
            assert "agl-ribbon" not in before
            assert 'class="agl-ribbon"' in shown(forms, max(sends))
            assert "agl-ribbon-passed" in shown(forms, max(sends) + 1)


@pytest.mark.parametrize("name", MODELS)
def test_the_norm_is_that_of_the_gradient_that_arrives(name):
    for rail in rails(name):
        for key, node in rail.graph.nodes.items():
            if node.kind == "op":
                event = rail.recording.events[rail.turn[key] - 1]
                came = [g.norm for g in event.grads_in if g]  # of each of its results
                assert rail.norm(key) == pytest.approx(math.hypot(*came))
        assert rail.axis[0] <= 0 < rail.axis[1]


def test_side_rails_do_not_run_over_each_other():
    for rail in rails("skips"):
        lanes = [rung for rung in rail.rungs if rung.lane]
        for one in lanes:
            for other in lanes:
                if one is not other and one.lane == other.lane:
                    assert one.target <= other.source or other.target <= one.source
    assert max(rung.lane for rung in next(rails("skips")).rungs) == 0  # folded: nothing to skip
    assert max(rung.lane for rung in lanes) > 1


@pytest.mark.parametrize("name", MODELS)
def test_bytes_are_freed_when_the_last_node_of_a_row_has_run(name):
    for rail in rails(name):
        for i, row in enumerate(rail.rows):
            if row.head or not rail.saved(row.key):
                continue
            last, forms = rail.own_steps(row.key)[-1], rail.memory(i)
            assert "freed" not in shown(forms, last) and "freed" in shown(forms, last + 1)


def test_labels_do_not_reach_into_the_next_column():
    for rail in rails("transformer"):
        for i, row in enumerate(rail.rows):
            for _, markup in [] if row.head else rail.glyph(i):
                for x, words in re.findall(r'<text x="([\d.-]+)"[^>]*label[^>]*>([^<]*)<', markup):
                    assert rail.x + float(x) + 7.4 * len(words) < 336, words


def test_a_graph_without_modules_is_a_rail_too():
    x = y = autogradlab.tensor([0.5, 1.0], requires_grad=True)
    for _ in range(30):
        y = (y * x).tanh()
    recording = record_backward(y.sum())
    rail = Rail(recording, recording.graph)
    assert len(rows_of(recording.graph)) == 63
    picture = rail.svg("a <chain>", 'of "steps"')
    assert picture == Rail(recording, recording.graph).svg("a <chain>", 'of "steps"')
    assert ET.fromstring(picture).tag.endswith("svg") and "<chain>" not in picture
