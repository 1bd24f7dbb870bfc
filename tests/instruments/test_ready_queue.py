"""ReadyQueue: every order that is allowed, and the harm of each that is not, asked of torch."""

import itertools
import json
import re
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.instruments import ReadyQueue

ENGINES = (autogradlab, torch)
EVIL = "<script>'\"\n&"


def program(engine):
    a = engine.tensor(2.0, requires_grad=True)
    b = engine.tensor(3.0, requires_grad=True)
    p = a * b
    return {"a": a, "b": b, "p": p, "L": p + p**2}


def game_of(engine, **options):
    names = program(engine)
    return ReadyQueue(names["L"], names, **options)


def play(game):
    while not game.done:
        game.pick(game.legal[0])
    return game


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.__name__)
def engine(request):
    return request.param


def test_a_legal_pick_runs_the_node_and_its_gradients_travel(engine):
    game = game_of(engine)
    assert game.legal == ["p + p²"] and game.order == [] and not game.done
    assert game.pick("p + p²") == "p + p² ran. It received 1 and sends 1 to a·b and 1 to p²."
    assert game.legal == ["p²"] and [g.values for g in game.arrived("a·b")] == [1.0]
    game.pick("p²")
    assert [g.values for g in game.arrived("a·b")] == [1.0, 12.0]
    assert game.pick("a·b") == "a·b ran. It received 13 and sends 39 to a and 26 to b."
    game.pick("b")
    assert game.pick("a") == (
        "Done: all 5 nodes have run, no illegal pick. a received 39: a.grad was None and is now 39."
    )
    assert game.order == ["p + p²", "p²", "a·b", "b", "a"] and game.done and game.legal == []


def test_the_numbers_of_a_finished_game_are_pytorchs(engine):
    game, names = play(game_of(engine)), program(torch)
    names["L"].backward()
    for leaf in "ab":
        (kept,) = game.arrived(leaf)
        assert kept.values == names[leaf].grad.item()


def test_an_early_pick_is_explained_and_changes_nothing_but_the_score(engine):
    game = game_of(engine)
    game.pick("p + p²")
    said = game.pick("a·b")
    assert said.startswith("Not yet. a·b has 1 of its 2 gradients: the one from p² is missing.")
    assert game.score == 1 and game.order == ["p + p²"] and game.legal == ["p²"]
    # The wrong numbers: what PyTorch's own node sends for the part that is there.
    part = program(torch)["p"].grad_fn(torch.tensor(1.0))
    full = torch.autograd.grad(*(lambda n: (n["L"], (n["a"], n["b"])))(program(torch)))
    wrong, right = ([f"{x.item():g}" for x in pair] for pair in (part, full))
    assert f"send {wrong[0]} to a and {wrong[1]} to b instead of {' and '.join(right)}." in said


def test_the_wrong_number_of_each_partial_sum_is_that_of_torchs_node(engine):
    def graph(torch):
        x = torch.tensor([2.0, 3.0], requires_grad=True)
        u = x * x  # a node that sends twice to the same place
        parts = [u.sin(), u * u, u.cos()]
        return {"x": x, "u": u, "S": parts[0] + parts[1] + parts[2]}, parts

    (names, _), (theirs, _) = graph(engine), graph(torch)
    ones, senders = torch.ones(2), ["sin(u)", "u·u", "cos(u)"]
    local = [theirs["u"].cos(), 2 * theirs["u"], -theirs["u"].sin()]
    game = ReadyQueue(names["S"], names, [1.0, 1.0])
    for some in (*itertools.combinations(range(3), 1), *itertools.combinations(range(3), 2)):
        game.reset()
        while any(senders[i] not in game.order for i in some):
            for label in game.legal:
                if label not in senders or senders.index(label) in some:
                    game.pick(label)
        said = game.pick("x·x")
        sent = sum(theirs["u"].grad_fn(sum(local[i] * ones for i in some))).tolist()
        shown = re.search(r"would send \[([^]]*)\] to x", said)[1].replace("−", "-")
        assert [float(x) for x in shown.split(", ")] == pytest.approx(sent, rel=1e-3), said


def test_the_other_ways_to_be_too_early(engine):
    game = game_of(engine)
    assert game.pick("a·b").endswith("a·b has none of its 2 gradients, so it has nothing to send.")
    assert "a has not received its gradient" in game.pick("a")
    game.pick("p + p²")
    assert "p + p² has run already." in game.pick("p + p²")
    x = engine.tensor(3.0, requires_grad=True)
    y = x**2 + 2 * x
    game = ReadyQueue(y, {"x": x})
    game.pick("x² + 2x")
    game.pick("x²")
    assert "If it ran now, x.grad would be 6, not 8." in game.pick("x")
    game = ReadyQueue(x**2 + 0 * x**3, {"x": x})
    for label in ("x² + 0x³", "x²", "x"):
        said = game.pick(label)
    assert "the one from x³ is missing" in said


def test_a_missing_zero_is_said_to_be_harmless(engine):
    x = engine.tensor(3.0, requires_grad=True)
    u = x**2
    game = ReadyQueue(u + 0 * u, {"x": x, "u": u})
    game.pick(game.legal[0])
    assert "changes nothing in these numbers" in game.pick("x²")


def test_every_allowed_order_ends_in_the_same_gradients(engine):
    orders = set()
    game = game_of(engine)
    for choices in itertools.product(range(2), repeat=5):
        game.reset()
        for choice in choices:
            game.pick(game.legal[choice % len(game.legal)])
        assert game.done and game.score == 0
        assert [g.values for leaf in "ab" for g in game.arrived(leaf)] == [39.0, 26.0]
        orders.add(tuple(game.order))
    assert len(orders) == 2  # a before b, or b before a


def test_no_trace_and_the_graph_may_go(engine):
    names = program(engine)
    game = ReadyQueue(names["L"], names)
    assert names["a"].grad is None
    names["L"].backward()
    game.pick("p + p²")
    assert "would send 3 to a" in game.pick("a·b")
    assert names["a"].grad.item() == 39.0


def test_reset_and_state(engine):
    game = game_of(engine)
    for label in ("p + p²", "a·b", "p²"):
        game.pick(label)
    names = program(engine)
    again = ReadyQueue.from_state(json.dumps(game.state()), names["L"], names)
    assert again.order == game.order and again.score == game.score == 1
    assert again.sentence == game.sentence and again.svg() == game.svg()
    assert game.reset() == "Nothing has run yet. L is given the gradient 1."
    assert game.order == [] and game.score == 0
    for bad in (["n99"], "n1", [3]):
        with pytest.raises(ValueError, match="does not fit"):
            ReadyQueue.from_state({**game.state(), "picks": bad}, names["L"], names)


def test_a_node_nobody_knows_and_a_graph_too_large(engine):
    with pytest.raises(ValueError, match="there are p \\+ p², p², a·b, a and b"):
        game_of(engine).pick("q")
    x = engine.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(50):
        y = y.sin()
    with pytest.raises(ValueError):
        ReadyQueue(y)


def test_the_widget_answers_a_click_and_the_button_and_nothing_else(engine):
    game = game_of(engine)
    before = game.view.revision
    key = next(iter(game.events))
    game._on_message({"fold": key})
    assert game.order == ["p + p²"] and game.view.revision == before + 1
    assert game.view.sentences == [game.sentence]
    for message in ({"fold": "n99"}, {"fold": 3}, {"fold": []}, {}, None, "restart"):
        game._on_message(message)
    assert game.order == ["p + p²"] and game.score == 0
    game._on_message({"button": "restart"})
    assert game.order == []


def test_controls(engine):
    game, bare = game_of(engine), game_of(engine, controls=[])
    for each in (game, bare):
        each.pick("p + p²")
    assert "has received" in game.view.panels[0] and "has received" not in bare.view.panels[0]
    assert "Start again" in game.view.panels[0] and "Start again" not in bare.view.panels[0]
    assert "+= 1" in game.svg() and "+= 1" not in bare.svg()
    with pytest.raises(ValueError, match="no control"):
        game_of(engine, controls=["hints"])


def words(svg):
    found = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(each.itertext()) for each in found]


def test_the_picture_shows_the_cup_and_what_is_missing(engine):
    game = game_of(engine)
    assert "+=" in words(game.svg()) and "?" not in words(game.svg())
    game.pick("p + p²")
    game.pick("a·b")
    assert {"+= 1", "1/2", "?"} <= set(words(game.svg()))
    game.pick("p²")
    assert "+= 1, += 12" in words(game.svg()) and "?" not in words(game.svg())
    assert game.svg() == game.svg() and game.summary in game.svg().replace("&#39;", "'")
    assert " id=" not in game.svg() and "class=" not in game.svg()


def test_names_are_escaped(engine):
    x = engine.tensor(2.0, requires_grad=True)
    game = ReadyQueue(x * x + x, {EVIL: x})
    game.pick(game.legal[0])
    made = game.svg() + "".join(map(str, game.view.variants)) + game.view.panels[0]
    assert "<script" not in made
    ET.fromstring(game.svg())


def test_the_caller_names_and_large_tensors(engine):
    x = engine.ones(100)
    x.requires_grad_()
    u = 2 * x
    game = ReadyQueue((u + u.sin()).sum())
    while "sin(u)" not in game.legal:
        game.pick(game.legal[0])
    said = game.pick("2·x")
    assert "the one from sin(u) is missing." in said and "would" not in said
    assert play(game).done
