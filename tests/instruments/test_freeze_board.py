"""FreezeBoard as a Python object: each choice against what the engine itself says; no trace."""

import itertools
import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs import read_graph
from autogradlab.graphs.trial import Choice, Model
from autogradlab.instruments import FreezeBoard
from autogradlab.models import GPT, MLP, resnet18, to_torch
from tests.graphs.networks import Tied, block_net
from tests.graphs.networks import theirs as torch_models

ENGINES = (autogradlab, torch)
EVIL = "<script>'\"\n&"


def two(engine, **flags):
    flags = {"a": True, "b": True, **flags}
    return {
        "a": engine.tensor([2.0, 3.0], requires_grad=flags["a"]),
        "b": engine.tensor([6.0, 4.0], requires_grad=flags["b"]),
    }


def Q(a, b):
    h = a * b
    return {"h": h, "Q": (3 * h.exp() - b**2).sum()}


def simple(a, b):
    return 3 * a**3 - b**2


def board_of(engine, program=simple, **options):
    return FreezeBoard(program, tensors=two(engine), **options)


def texts(svg):
    found = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(each.itertext()) for each in found]


def asked(tensors):
    """What the engine says of tensors, in the words of the board."""
    return {
        name: (
            t.requires_grad,
            t.is_leaf,
            t.grad_fn.name() if t.grad_fn else "",
            t.retains_grad,
            t.grad.tolist() if (t.is_leaf or t.retains_grad) and t.grad is not None else None,
        )
        for name, t in tensors.items()
    }


def told(board):
    return {
        f.name: (
            *(f.requires_grad, f.is_leaf, f.grad_fn, f.retains_grad),
            None if f.grad is None else list(f.grad.values),
        )
        for f in board.facts.values()
    }


@pytest.fixture(scope="module", params=ENGINES)
def shared(request):
    """An engine, and a board for many choices."""
    return request.param, board_of(request.param, Q)


@pytest.mark.parametrize("a", ["", "frozen", "detached", "both"])
@pytest.mark.parametrize("b", ["", "frozen", "detached"])
def test_the_truth_table_is_what_the_engine_says(shared, a, b):
    engine, board = shared
    board.reset()
    how = {"a": a, "b": b}
    for name, state in how.items():
        if state in ("frozen", "both"):
            board.freeze(name)
        if state in ("detached", "both"):
            board.detach(name)
    board.retain("h")
    mine = two(engine)
    for name, state in how.items():
        mine[name].requires_grad_(state not in ("frozen", "both"))
    passed = {n: t.detach() if how[n] in ("detached", "both") else t for n, t in mine.items()}
    made = Q(**passed)
    if made["h"].requires_grad:
        made["h"].retain_grad()
    nodes = 0
    if made["Q"].requires_grad:
        nodes = len(read_graph(made["Q"]).nodes) - 1
        made["Q"].backward()
    everything = {}
    for name, tensor in mine.items():
        everything[name] = tensor
        if passed[name] is not tensor:
            everything[f"{name}.detach()"] = passed[name]
    assert told(board) == asked(everything | made)
    assert list(told(board)) == list(everything | made)
    assert board.trial.nodes == nodes
    for fact in board.facts.values():  # none of the four states but the legal ones
        assert fact.state in ("leaf that learns", "constant", "intermediate",
                              "intermediate, retained")  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_sentences(engine):
    board = board_of(engine)
    start = "Nothing is frozen. All 6 nodes are recorded, and 16 B are saved for backward."
    assert board.sentence == board.summary == start
    assert board.freeze("a") == (
        "a is frozen: a.grad stays None. 3 of 6 nodes are left, and 8 B less are saved."
    )
    assert board.detach("b") == (
        "a is frozen: a.grad stays None, and b is detached: b.grad stays None. Nothing is "
        "recorded: simple has no grad_fn, its backward() would raise, and 16 B less are saved."
    )
    assert board.attach("b").startswith("a is frozen: a.grad stays None. 3 of 6")
    assert board.unfreeze("a") == start
    assert board.toggle("b").startswith("b is frozen")
    assert board.toggle("b") == start
    assert board.freeze("a", "b").startswith("a and b are frozen: their .grad stays None.")
    assert board.retain().endswith("16 B less are saved.")  # a constant retains nothing
    assert board.reset() == start and board.retain().endswith("simple keeps its gradient.")
    assert board.retain(on=False) == start


@pytest.mark.parametrize("engine", ENGINES)
def test_that_nothing_is_recorded_is_what_the_engine_says(engine):
    board = board_of(engine)
    board.freeze("a", "b")
    made = simple(**two(engine, a=False, b=False))
    with pytest.raises(RuntimeError, match="does not have a grad_fn"):
        made.sum().backward()
    assert board.trial.graph is None and board.facts["simple"].grad_fn == ""
    assert board.saved_less == 16


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_cut_is_dotted_and_has_two_slashes(engine):
    board = board_of(engine)
    dotted, slashes = 'stroke-dasharray="1 3"', "l6-8"
    assert dotted not in board.svg() and "None" not in texts(board.svg())
    board.freeze("a")
    svg = board.svg()
    assert svg.count(dotted) == 3 + 3  # a, a³, 3a³ and the edges below each
    assert svg.count(slashes) == 2 * 2  # at a, where it is frozen, and where its branch joins
    assert texts(svg).count("None") == 1 and texts(svg).count("frozen") == 1
    shown = "".join(forms[0] for forms in board.view.variants)
    assert shown.count("agl-pruned") == 3 and shown.count("agl-cut-edge") == 3
    board.unfreeze()
    assert dotted not in board.svg()
    board.detach("b")
    assert texts(board.svg()).count("detached") == 1


def test_both_engines_give_the_same_picture_and_words():
    made = []
    for engine in ENGINES:
        board = board_of(engine, Q)
        board.freeze("a")
        board.retain("h")
        assert board.svg() == board.svg()
        made.append((board.svg(), board.sentence, board.view.panels, board.saved_less))
    assert made[0] == made[1]


def test_the_bundle():
    board = board_of(torch)
    bundle = board._repr_mimebundle_()
    assert bundle["text/plain"] == board.sentence and bundle["image/svg+xml"] == board.svg()
    for word in ("class=", "data-", "var(", "<script", " id="):
        assert word not in board.svg()
    assert repr(board) == "<FreezeBoard of simple = 3a³ − b²>"


@pytest.mark.parametrize("engine", ENGINES)
def test_messages_of_the_widget(engine):
    board = board_of(engine, Q)
    panel = board.view.panels[0]
    for name in ("freeze 0", "detach 1", "retain 0", "reset"):
        assert f"<button name='{name}'" in panel
    assert panel.count("aria-pressed='false'") == 6 and "aria-label='detach b'" in panel
    revision = board.view.revision
    board._on_message({"button": "freeze 0"})
    assert board.frozen == ["a"] and board.view.revision == revision + 1
    assert "<button name='freeze 0' aria-pressed='true'" in board.view.panels[0]
    board._on_message({"button": "detach 1"})
    board._on_message({"button": "retain 0"})
    assert (board.detached, board.retained) == (["b"], ["h"])
    board._on_message({"button": "detach 1"})
    board._on_message({"button": "freeze 0"})
    assert (board.frozen, board.detached) == ([], [])
    state = board.state()
    for odd in ("freeze 9", "freeze -1", "freeze", "evil 0", "retain 7", "only ²", 3, None):
        board._on_message({"button": odd})
    board._on_message(None)
    assert board.state() == state
    board._on_message({"button": "reset"})
    assert board.retained == []


@pytest.mark.parametrize("engine", ENGINES)
def test_the_users_tensors_are_never_changed(engine):
    tensors = two(engine, b=False)
    tensors["a"].grad = engine.ones(2)
    mine = tensors["a"].grad
    seen = []

    def program(a, b):
        seen.append((a, b))
        a.detach().mul_(2)  # in place: on a copy
        return a * b * engine.rand(2)

    engine.manual_seed(1)
    random = engine.get_rng_state().tolist()
    board = FreezeBoard(program, tensors=tensors)
    assert board.frozen == ["b"]  # as it was
    board.freeze("a")
    board.unfreeze()
    board.detach("a")
    for name, values in (("a", [2.0, 3.0]), ("b", [6.0, 4.0])):
        assert tensors[name].tolist() == values and tensors[name]._version == 0
        assert tensors[name].requires_grad is (name == "a")
    assert tensors["a"].grad is mine and mine.tolist() == [1.0, 1.0]
    assert engine.get_rng_state().tolist() == random
    assert not any(a is tensors["a"] for a, _ in seen)
    assert len(seen) == 4  # all free has run once


@pytest.mark.parametrize("engine", ENGINES)
def test_a_leaf_outside_of_the_program_keeps_its_gradient(engine):
    w = engine.ones(2, requires_grad=True)
    board = FreezeBoard(lambda a: (a * w).sum(), tensors={"a": two(engine)["a"]})
    assert "3 of 4" in board.freeze("a") and w.grad is None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_that_raises_changes_nothing(engine):
    def program(a, b):
        if not a.requires_grad:
            raise ZeroDivisionError("a must\nlearn")
        return a * b

    board = board_of(engine, program)
    board.freeze("b")
    before = board.state(), board.trial, board.svg().partition("<desc>")[0]
    said = board.freeze("a")
    assert said == "The run failed with ZeroDivisionError: a must learn, so nothing was changed."
    assert board.view.sentences == [said]
    assert (board.state(), board.trial, board.svg().partition("<desc>")[0]) == before
    assert board.unfreeze("b").startswith("Nothing is frozen.")  # and it goes on


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (lambda a, b: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda a, b: 3, "the program gave no tensor but int"),
        (lambda a, b: {}, "the program gave no tensor but NoneType"),
        (lambda a: a, "unexpected keyword argument 'b'"),
        (lambda a, b: a.detach() * b.detach(), "has no grad_fn even with nothing frozen"),
        (lambda a, b: {"a": a}, "gave its arguments back"),
    ],
)
def test_a_program_that_never_runs_is_reported(program, words):
    board = board_of(torch, program)
    assert words in board.sentence and board.view is None
    assert words in board._repr_mimebundle_()["text/plain"]


def test_bad_input():
    with pytest.raises(ValueError, match="no tensor of floating point"):
        FreezeBoard(simple, tensors={"a": torch.tensor([1]), "b": 3})
    with pytest.raises(ValueError, match="no tensor of floating point"):
        FreezeBoard(simple)
    with pytest.raises(TypeError, match="a model needs inputs"):
        FreezeBoard(torch.nn.Linear(1, 1))
    with pytest.raises(TypeError, match="inputs and a loss go with a model"):
        FreezeBoard(simple, torch.ones(1), tensors=two(torch))
    with pytest.raises(TypeError, match="expected a program or a model"):
        FreezeBoard(3, tensors=two(torch))
    with pytest.raises(ValueError, match="Tanh has no parameters to freeze"):
        FreezeBoard(torch.nn.Tanh(), torch.ones(1))
    board = board_of(torch)
    for method in (board.freeze, board.unfreeze, board.toggle, board.freeze_all_but):
        with pytest.raises(ValueError, match="there is no 'c' to freeze; there is a and b"):
            method("c")
    with pytest.raises(ValueError, match="there is no 'c' to detach"):
        board.detach("c")
    with pytest.raises(ValueError, match="there is no result 'a'; there is simple"):
        board.retain("a")
    with pytest.raises(ValueError, match="has no control 'evil'"):
        board_of(torch, controls=["evil"])
    with pytest.raises(ValueError, match="no node of this graph is called 'c'"):
        board.select("c")


def test_select():
    board = board_of(autogradlab)
    assert "PowBackward0" in board.select("a³")
    assert board.state()["selected"] == board.view.selected != ""
    assert board.select(None) == board.sentence and board.view.selected == ""


def test_the_state_can_be_pasted():
    board = board_of(torch, Q)
    board.freeze("a")
    board.detach("b")
    board.retain("h")
    board.select("a·b")
    again = FreezeBoard.from_state(json.dumps(board.state()), Q, tensors=two(torch))
    assert again.state() == board.state() and told(again) == told(board)
    assert again.sentence == board.sentence


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"frozen": ["c"]}, "there is no 'c'"),
        ({"frozen": "a"}, "does not fit: frozen"),
        ({"detached": [1]}, "does not fit: detached"),
        ({"retained": ["a"]}, "there is no 'a'"),
        ({"selected": "n99"}, "no node 'n99'"),
        ({"program": "print(1)"}, "does not fit: program"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, words):
    with pytest.raises(ValueError, match=words):
        FreezeBoard.from_state(
            {"instrument": "FreezeBoard", **state}, simple, tensors=two(torch)
        )


def test_controls():
    panel = board_of(torch, controls=["freeze"]).view.panels[0]
    assert "freeze 0" in panel and "detach" not in panel and "retain" not in panel
    assert "legal states" not in panel and "agl-bar" not in panel


def test_names_are_escaped():
    board = FreezeBoard(
        lambda **given: {EVIL + "2": given[EVIL] * 2}, tensors={EVIL: torch.ones(1)}
    )
    board.unfreeze()
    board.freeze(EVIL)
    markup = board.svg() + str(board.view.variants) + board.view.panels[0]
    assert "<script" not in markup and "&lt;script" in markup and "\n" not in board.sentence
    model = torch.nn.Sequential()
    model.add_module(EVIL, torch.nn.Linear(1, 1))
    board = FreezeBoard(model, torch.ones(1, 1))
    board.freeze(EVIL)
    assert "<script" not in board.svg() + str(board.view.variants) + board.view.panels[0]


def test_many_nodes_are_a_list():
    def long(a, b):
        for _ in range(20):
            a = (a * b).tanh()
        return a

    board = board_of(torch, long)
    board.freeze("b")
    svg = board.svg()
    assert texts(svg).count("TanhBackward0") == 20 and texts(svg).count("frozen") == 1
    assert svg.count('stroke-dasharray="1 3"') >= 1 + 20  # b and its edges
    assert board.sentence.startswith("b is frozen: b.grad stays None. 41 of 42 nodes are left")


# ------------------------------------------------------------------------------------- models


def snapshot(model, engine):
    return (
        [(p.requires_grad, id(p.grad), p.grad is None or p.grad.tolist(), p.tolist(), p._version)
         for p in model.parameters()],
        [(id(b), b.tolist(), b._version) for b in model.buffers()],
        [m.training for m in model.modules()],
        engine.get_rng_state().tolist(),
        [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
    )  # fmt: skip


def normed(engine):
    """A model with batch norm and dropout, some of it frozen, in both modes."""
    nn = engine.nn
    engine.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 4), nn.Linear(4, 2)
    )
    model[3].eval()
    model[0].bias.requires_grad_(False)
    return model


@pytest.mark.parametrize("engine", ENGINES)
def test_the_model_is_left_as_it_was(engine):
    model, x = normed(engine), engine.rand(5, 3)
    model(x).sum().backward()
    pending = model(x).square().sum()  # a graph that has saved the buffers
    before = snapshot(model, engine)
    board = FreezeBoard(model, x)
    assert board.frozen == ["0.bias"] and snapshot(model, engine) == before
    board.freeze("0", "3")
    board.detach("1")
    board.reset()
    assert board.frozen == [] and snapshot(model, engine) == before

    def loss(y):
        model.train()
        model[1].running_mean.add_(1)
        raise ZeroDivisionError("in the loss")

    failed = FreezeBoard(model, x, loss)
    assert failed.sentence == "The run failed with ZeroDivisionError: in the loss."
    assert snapshot(model, engine) == before
    stop = model[0].weight.register_hook(lambda g: 1 / 0)
    failed = FreezeBoard(model, x)
    assert "ZeroDivisionError" in failed.sentence and snapshot(model, engine) == before
    stop.remove()
    pending.backward()


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_of_a_model_are_those_of_the_engine(engine):
    model, x = block_net(engine), engine.tensor([[0.5, -1.0, 2.0]])
    loss = lambda y: y.square().mean()  # noqa: E731
    board = FreezeBoard(model, x, loss)
    board.freeze("stem", "blocks.1.second", "head.bias")
    for p in (*model.stem.parameters(), model.blocks[1].second.weight, model.head.bias):
        p.requires_grad_(False)
    made = loss(model(x))
    nodes = len(read_graph(made).nodes) - 1
    made.backward()
    assert board.trial.nodes == nodes
    facts = told(board)
    assert facts.pop("output")[:4] == (True, False, made.grad_fn.name(), False)
    assert facts == {
        n: (p.requires_grad, True, "", False, p.grad and p.grad.ravel().tolist())
        if p.grad is None
        else (p.requires_grad, True, "", False, [*map(as_tuple, p.grad.tolist())])
        for n, p in model.named_parameters()
    }
    assert set(board.frozen) == {n for n, p in model.named_parameters() if not p.requires_grad}


def as_tuple(x):
    return tuple(map(as_tuple, x)) if isinstance(x, list) else x


@pytest.mark.parametrize("engine", ENGINES)
def test_freeze_all_but_the_last_layer_of_resnet18(engine):
    ours = resnet18()
    model = ours if engine is autogradlab else to_torch(ours)
    x = engine.ones(2, 3, 32, 32)
    board = FreezeBoard(model, x, lambda y: y.sum())
    board.freeze_all_but("fc")
    board._on_message({"button": "only 6"})  # the button says the same
    assert board.sentence.startswith("All but fc are frozen: their .grad stays None.")
    assert {f.name for f in board.facts.values() if f.grad} == {"fc.weight", "fc.bias"}
    for name, p in model.named_parameters():
        p.requires_grad_(name.startswith("fc."))
    graph = read_graph(model(x).sum())
    assert board.trial.nodes == len(graph.nodes) - 1
    assert board.trial.saved == sum(
        size for _, size in {block for own in graph.memory.values() for block in own}
    )
    words = texts(board.svg())
    assert words.count("None") == 6 and "layer4" in words  # conv1, bn1, four layers
    shown = dict(zip((row[0] for row in board.view.order[2:]), board.view.variants[2:],
                     strict=True))  # fmt: skip
    dotted = {board._graph.nodes[k].label for k, (form,) in shown.items() if "agl-pruned" in form}
    assert {"conv1", "bn1", "relu", "maxpool", "layer1", "layer4", "avgpool"} <= dotted
    assert not {"fc", "output"} & dotted


@pytest.mark.parametrize("engine", ENGINES)
def test_a_detached_module_cuts_what_is_before_it(engine):
    model, x = block_net(engine), engine.tensor([[0.5, -1.0, 2.0]])
    board = FreezeBoard(model, x)
    said = board.detach("blocks.0")
    assert said.startswith("The output of blocks.0 is detached.")
    h = model.blocks[0](model.stem(x)).detach()
    model(x)  # the rest of the forward pass, from there on
    y = model.twice(model.blocks[1](h))
    y = model.head(model.twice(y * 2))
    y.backward(engine.ones_like(y))
    kept = {n for n, p in model.named_parameters() if p.grad is not None}
    assert {f.name for f in board.facts.values() if f.grad} == kept
    assert board.trial.nodes == len(read_graph(y).nodes) - 1
    assert "blocks.0" in board.detached and board.attach().startswith("Nothing is frozen.")


@pytest.mark.parametrize("name", ["transformer", "attention", "lstm", "tied", "custom"])
def test_models_that_nobody_here_wrote(name):
    model, inputs = torch_models()[name]
    board = FreezeBoard(model, inputs, lambda y: y.square().mean())
    before = snapshot(model, torch)
    first = board.groups[0].label
    board.freeze(first)
    assert board.sentence.startswith(first) and " frozen: " in board.sentence
    assert all(not board.facts[n].requires_grad for n in board.groups[0].names)
    ET.fromstring(board.svg())
    board.freeze(*(group.label for group in board.groups))
    assert board.trial.graph is None and "Nothing is recorded" in board.sentence
    assert snapshot(model, torch) == before


def test_shared_weights_are_frozen_together():
    board = FreezeBoard(Tied(), (torch.tensor([1, 2]),))
    assert board.freeze("head") == board.freeze("embed")
    assert board.frozen == ["embed.weight"] and set(board.choice.frozen) == {"embed.weight"}


def test_gpt_and_mlp():
    gpt = GPT(11, 6, width=8, heads=2, layers=2)
    board = FreezeBoard(gpt, autogradlab.tensor([[1, 2, 3]]))
    assert len(board.groups) > 2
    said = board.freeze(board.groups[0].label)
    assert f"of {board.full.nodes} nodes are left" in said
    board.detach("blocks.1")
    assert "a part detached · Sequential" in texts(board.svg())
    board.detach("blocks")
    assert "output detached · Sequential" in texts(board.svg())
    mlp = MLP([2, 4, 1])
    board = FreezeBoard(mlp, autogradlab.ones(1, 2))
    assert board.freeze("0").startswith("0 is frozen: the .grad of its parameters stays None.")
    assert "0.weight" in board.frozen


def test_a_frozen_layer_in_the_middle_still_passes_the_gradient():
    model = MLP([2, 4, 4, 1])
    board = FreezeBoard(model, autogradlab.ones(1, 2))
    board.freeze("2")
    assert board.facts["0.weight"].grad is not None and board.facts["2.weight"].grad is None
    first = next(k for k, n in board._graph.nodes.items() if n.label == "2")
    _, left = board._picture(board.full, str)
    assert first in left.saved and left.words[first] == "frozen" and left.norms[first] is None


def test_other_operations_without_a_gradient_are_drawn_anew():
    def program(a, b):
        return a * b if a.requires_grad else b.exp()

    board = board_of(torch, program)
    assert "ExpBackward0" not in texts(board.svg())
    board.freeze("a")
    assert "ExpBackward0" in texts(board.svg()) and "MulBackward0" not in texts(board.svg())


def test_each_choice_runs_once():
    model = MLP([2, 4, 1])
    board, runs = FreezeBoard(model, autogradlab.ones(1, 2)), []
    model.register_forward_hook(lambda *_: runs.append(1))
    for _ in range(3):
        board.freeze("0")
        board.unfreeze("0")
    assert len(runs) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_memory_counts_what_the_nodes_hold(engine):
    """All combinations of frozen layers: bytes as the graph of the same run says."""
    model, x = MLP([2, 4, 4, 1]), autogradlab.ones(1, 2)
    if engine is torch:
        model, x = to_torch(model), torch.ones(1, 2)
    subject = Model(model, x)
    for layers in itertools.product([True, False], repeat=3):
        names = [n for n in subject.names if not layers[int(n[0]) // 2]]
        trial = subject.run(Choice(frozen=frozenset(names)))
        for name, p in model.named_parameters():
            p.requires_grad_(name not in names)
        made = model(x)
        graph = read_graph(made) if made.requires_grad else None
        memory = {block for own in graph.memory.values() for block in own} if graph else ()
        assert trial.saved == sum(size for _, size in memory) >= trial.lasting
        model.requires_grad_(True)
