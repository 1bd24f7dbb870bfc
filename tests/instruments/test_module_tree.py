"""ModuleTree as a Python object: what each row says, folding, snapshots, the state, the picture."""

import json
import math
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
import torch

import autogradlab
from autogradlab.graphs import read_graph, watch
from autogradlab.graphs.tree import MOST, Tree, output_shapes, read_tree
from autogradlab.instruments import ModuleTree
from autogradlab.models import GPT, resnet18
from tests.graphs.networks import Tied, block_net, in_place_net
from tests.graphs.networks import theirs as torch_models
from tests.graphs.test_board import spans

ENGINES = (autogradlab, torch)
EVIL = "<script>'\"\n&"


def pair():
    """The same small network with the same weights on both engines."""
    ours, theirs = block_net(autogradlab), block_net(torch)
    theirs.load_state_dict({k: torch.tensor(x.numpy()) for k, x in ours.state_dict().items()})
    return ours, theirs


def loss_of(model, engine):
    return model(engine.tensor([[0.5, -1.0, 2.0]])).square().mean()


def texts(svg):
    found = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(each.itertext()) for each in found]


def norm(tensors):
    return math.hypot(*(x.norm().item() for x in tensors))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_row_is_what_the_engine_says(engine):
    model = block_net(engine)
    loss_of(model, engine).backward()
    rows, stop = read_tree(model), ModuleTree(model).stop
    modules = dict(model.named_modules())
    parameters = dict(model.named_parameters())
    assert [r.path for r in rows if r.shape is None] == list(modules)
    assert [r.path for r in rows if r.shape is not None] == list(parameters)
    for row in rows:
        own = [parameters[row.path]] if row.shape is not None else modules[row.path].parameters()
        own = list(own)
        assert row.numel == sum(p.numel() for p in own)
        assert row.nbytes == sum(p.nbytes for p in own)
        grads = [p.grad for p in own if p.grad is not None]
        assert stop.gradient(row) == (pytest.approx(norm(grads)) if grads else None), row.path
        assert stop.without(row) == len(own) - len(grads)
        assert row.kind in ("", type(modules.get(row.path)).__name__)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradients_of_a_loss_are_those_of_backward(engine):
    model = block_net(engine)
    tree = ModuleTree(model, loss_of(model, engine))
    assert all(p.grad is None for p in model.parameters())
    loss_of(model, engine).backward()
    again = ModuleTree(model)
    assert tree.stop.grads.keys() == again.stop.grads.keys()
    for name, grad in again.stop.grads.items():
        mine = tree.stop.grads[name]
        assert (mine and mine.norm) == (grad and pytest.approx(grad.norm)), name
    kept = sum(grad is not None for grad in again.stop.grads.values())
    assert tree.sentence.startswith(f"{kept} of {len(again.stop.grads)} tensors")  # one is unused


def test_both_engines_give_the_same_picture_and_words():
    made = []
    for model, engine in zip(pair(), ENGINES, strict=True):
        tree = ModuleTree(model, loss_of(model, engine))
        tree.open()
        made.append((tree.svg(), tree.sentence, tree.rows))
        assert tree.svg() == tree.svg()
    assert made[0] == made[1]


def test_a_picture_that_stands_alone():
    model = resnet18()
    bundle = ModuleTree(model)._repr_mimebundle_()
    svg = bundle["image/svg+xml"]
    words = texts(svg)
    assert "11,689,512" in words and words.count("BasicBlock") == 8 and "None" in words
    assert not [each for each in ("class=", "data-", "var(", "<script", " id=") if each in svg]
    assert bundle["text/plain"] == (
        "No parameter has a gradient: .grad is None in all 62 tensors, 11,689,512 numbers."
    )


def test_resnet18_unfolds_to_all_its_parameters():
    model = resnet18()
    tree = ModuleTree(model)
    named = [name for name, _ in model.named_parameters()]
    assert not set(named) & set(tree.rows)
    assert sum(row.count(".") == 1 for row in tree.rows) == 8  # the blocks, folded
    tree.open()
    assert [row for row in tree.rows if row in named] == named and len(named) == 62
    assert len(tree.view.targets) == len(tree.rows) == len(tree.view.order) - 1
    tree.close()
    assert tree.rows == ["model", *(name for name, _ in model.named_children())]


def test_fold_and_unfold():
    tree = ModuleTree(block_net(autogradlab))
    revision = tree.view.revision
    assert tree.opened == ["", "blocks"]  # a list of modules has no forward of its own
    assert tree.open("blocks.0.first") == ["", "blocks", "blocks.0", "blocks.0.first"]
    assert "blocks.0.first.weight" in tree.rows and tree.view.revision == revision + 1
    tree.close("blocks.0")
    assert "blocks.0" in tree.rows and "blocks.0.first" not in tree.rows
    tree.open("blocks.0")
    assert "blocks.0.first.weight" in tree.rows  # what was open inside is open again
    tree.close("model")
    assert tree.rows == ["model"]
    with pytest.raises(ValueError, match=r"has no module or parameter 'blocks\.7'"):
        tree.open("blocks.7")
    with pytest.raises(ValueError, match=r"nothing to unfold in 'stem\.weight'"):
        tree.close("stem.weight")


def test_messages_of_the_widget():
    tree = ModuleTree(block_net(torch))
    key = next(row.key for row in read_tree(tree.model) if row.path == "stem")
    form = next(forms[0] for forms in tree.view.variants if f'data-fold="{key}"' in forms[0])
    assert "stem" in form
    tree._on_message({"fold": key})
    assert "stem.weight" in tree.rows
    tree._on_message({"fold": key})
    assert "stem.weight" not in tree.rows
    tree._on_message({"button": "open"})
    assert tree.rows == [row.label for row in read_tree(tree.model)]
    tree._on_message({"button": "close"})
    before = tree.rows, tree.view.revision
    for odd in ({"fold": "r999"}, {"fold": ["r0"]}, {"button": "evil"}, {}, "x", None):
        tree._on_message(odd)
    assert (tree.rows, tree.view.revision) == before


@pytest.mark.parametrize("engine", ENGINES)
def test_the_stops_of_a_training_step(engine):
    model = block_net(engine)
    tree = ModuleTree(model)
    assert tree.view.stops == [] and "<table" not in tree.view.panels[0]
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = engine.optim.SGD(model.parameters(), lr=0.1)
    loss_of(model, engine).backward()
    said = tree.snapshot("after backward")
    assert said.startswith("After backward. ") and said.endswith("No weight has changed.")
    optimizer.step()
    said = tree.snapshot("after step")
    assert tree.view.stops == ["before", "after backward", "after step"] and tree.view.step == 2
    moved = {n: (p.detach() - before[n]).norm().item() for n, p in model.named_parameters()}
    assert tree.stop.moved == pytest.approx(moved, rel=1e-5)
    assert moved["unused.weight"] == 0 < moved["stem.weight"]
    total = tree.stop.change(read_tree(model)[0])
    assert f"The weights have moved by {total:.4f}"[:30] in said
    panel = tree.view.panels[2]
    assert panel.count("<tr") == 4 and "<tr class='agl-here'><td>after step" in panel
    assert tree.jump("before").startswith("Before. No parameter has a gradient")
    assert tree.stop.gradient(read_tree(model)[0]) is None and tree.view.step == 0
    assert tree.jump(1) == tree.view.sentences[1]
    with pytest.raises(ValueError, match="no stop 'later'; there are before, after backward,"):
        tree.jump("later")
    with pytest.raises(ValueError, match="no stop 3"):
        tree.jump(3)
    model.more = engine.nn.Linear(1, 1)
    with pytest.raises(ValueError, match="the model has changed"):
        tree.snapshot("with another layer")


@pytest.mark.parametrize("engine", ENGINES)
def test_frozen_parameters_have_a_mark_and_a_word(engine):
    model = block_net(engine)
    model.stem.requires_grad_(False)
    model.head.bias.requires_grad_(False)
    tree = ModuleTree(model, loss_of(model, engine))
    assert "3 of 15 tensors are frozen." in tree.sentence
    assert tree.stop.frozen == {n for n, p in model.named_parameters() if not p.requires_grad}
    words = texts(tree.svg())
    assert words.count("frozen") == 1 and "1 frozen" in words  # stem; a part of head
    tree.open()
    assert texts(tree.svg()).count("frozen") == 4
    said = tree.describe("stem")
    assert said.startswith("stem is a Linear with 16 parameters, frozen: its .grad is None")
    assert "1 of 2 tensors frozen" in tree.describe("head")


@pytest.mark.parametrize("name", torch_models())
def test_models_that_nobody_here_wrote(name):
    model, inputs = torch_models()[name]
    with watch(model) as seen:
        loss = model(*inputs).square().mean()
    tree = ModuleTree(model, loss, watched=seen)
    tree.open()
    assert [r for r in tree.rows if r in dict(model.named_parameters())]
    ET.fromstring(tree.svg())
    if name == "nan":
        assert tree.sentence.startswith("A gradient is not finite: in layer.weight and layer.bias.")
        assert texts(tree.svg()).count("nan/inf") == 4


def test_shared_weights_are_counted_once_and_named_twice():
    model = Tied()
    tree = ModuleTree(model, model(torch.tensor([1, 2])).sum())
    root, rows = read_tree(model)[0], {row.path: row for row in read_tree(model)}
    assert root.numel == sum(p.numel() for p in model.parameters())
    assert rows["head.weight"].twin == "embed.weight" and rows["head"].parameters == (
        "embed.weight",
    )
    tree.open("head")
    assert "shared" in texts(tree.svg())
    assert "= embed.weight" in texts(ModuleTree.from_state(tree.state(), model).svg())  # more room
    assert "the same as embed.weight" in str(tree.view.targets)


def test_a_sparse_gradient():
    model = torch.nn.Embedding(5, 2, sparse=True)
    model(torch.tensor([1, 1, 3])).sum().backward()
    tree = ModuleTree(model)
    whole = model.weight.grad.to_dense().norm().item()
    assert tree.stop.gradient(read_tree(model)[0]) == pytest.approx(whole)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_module_used_twice_is_shown_once(engine):
    layer = engine.nn.Linear(2, 2)
    model = engine.nn.Sequential(layer, engine.nn.Tanh(), layer)
    rows = {row.path: row for row in read_tree(model)}
    assert list(rows) == ["", "0", "0.weight", "0.bias", "1", "2"]
    assert rows["2"].twin == "0" and not rows["2"].foldable and rows[""].numel == 6


@pytest.mark.parametrize("engine", ENGINES)
def test_output_shapes_are_those_the_modules_gave(engine):
    model, found = block_net(engine), {}
    handles = [
        module.register_forward_hook(
            lambda _, args, out, path=path: found.__setitem__(path, tuple(out.shape))
        )
        for path, module in model.named_modules()
    ]
    with watch(model) as seen:
        loss = loss_of(model, engine)
    for handle in handles:
        handle.remove()
    tree = ModuleTree(model, loss, watched=seen)
    assert tree._shapes == found and len(found) > 10
    assert "1×4" in texts(tree.svg()) and "output shape" in texts(tree.svg())
    assert "output shape" not in texts(ModuleTree(model).svg())


def test_output_shapes_of_a_gpt():
    model = GPT(11, 6, width=8, heads=2, layers=2)
    with watch(model) as seen:
        loss = model(autogradlab.tensor([[1, 2, 3]])).sum()
    tree = ModuleTree(model, loss, watched=seen)
    assert tree._shapes[""] == (1, 3, 11) == output_shapes(read_graph(loss, watched=seen))[""]
    tree.open()
    assert len(tree.rows) == len(read_tree(model)) <= MOST


def test_select_and_describe():
    model = block_net(autogradlab)
    tree = ModuleTree(model)
    assert tree.selected is None
    said = tree.select("twice.second.weight")
    assert said.startswith("twice.second.weight is a Parameter [4, 4] float32: its .grad is None")
    assert tree.selected == "twice.second.weight" in tree.rows
    tree.close("twice")
    assert tree.selected is None  # its row is gone
    assert tree.describe("twice.act") == "twice.act is a Tanh without parameters."
    assert tree.select(None) == tree.sentence
    with pytest.raises(ValueError, match="no module or parameter 'x'"):
        tree.select("x")


def test_the_state_can_be_pasted():
    model = block_net(torch)
    tree = ModuleTree(model)
    tree.open("head")
    tree.select("head.bias")
    text = json.dumps(tree.state())
    again = ModuleTree.from_state(text, model)
    assert again.state() == tree.state() and again.rows == tree.rows
    assert again.selected == "head.bias"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"opened": ["nothing"]}, "no module 'nothing' unfolds"),
        ({"opened": ["stem.weight"]}, "no module 'stem.weight' unfolds"),
        ({"opened": "stem"}, "does not fit: opened"),
        ({"opened": [1]}, "does not fit: opened"),
        ({"step": 1}, "step 1 of 0"),
        ({"selected": "r999"}, "no node 'r999'"),
        ({"rows": []}, "does not fit: rows"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, words):
    with pytest.raises(ValueError, match=words):
        ModuleTree.from_state({"instrument": "ModuleTree", **state}, block_net(torch))


def test_names_are_escaped():
    model = torch.nn.Sequential()
    model.add_module(EVIL, torch.nn.Linear(1, 1))
    tree = ModuleTree(model, model(torch.ones(1, 1)).sum(), name=EVIL)
    tree.open()
    tree.snapshot(EVIL)
    markup = tree.svg() + str(tree.view.variants) + "".join(tree.view.panels)
    assert "<script" not in markup and "\n" not in tree.sentence
    assert any("<script>" in words for words in texts(tree.svg()))


def test_controls():
    assert "<form" not in ModuleTree(block_net(torch), controls=["stops"]).view.panels[0]
    tree = ModuleTree(block_net(torch), controls=[])
    tree.snapshot("again")
    assert tree.view.panels == ["", ""]
    with pytest.raises(ValueError, match="ModuleTree has no control 'evil'; it has fold, stops"):
        ModuleTree(block_net(torch), controls=["evil"])


def test_a_large_model_is_not_drawn_whole():
    model = torch.nn.Sequential(*(torch.nn.Linear(1, 1) for _ in range(MOST)))
    tree = ModuleTree(model)
    assert len(tree.rows) == MOST and any("1 more rows" in words for words in texts(tree.svg()))


@pytest.mark.parametrize("engine", ENGINES)
def test_no_label_lies_over_another(engine):
    """In every row the words end before the next ones begin."""
    model = in_place_net(engine)
    model.a_module_with_quite_a_long_name = engine.nn.BatchNorm1d(4)
    model.left.requires_grad_(False)
    tree = ModuleTree(model, model(engine.ones(3, 4)).sum())
    tree.snapshot("after")
    tree.open()
    drawn = Tree(tree._rows, tree.stops, tree.opened, {"left": (3, 4000)})
    for row in drawn.shown:
        found = spans(drawn.row(row, tree.stop))
        assert found[0][0] >= 0 and found[-1][1] <= drawn.width
        for (_, end, a), (start, _, b) in pairwise(found):
            assert end <= start + 1, (row.path, a, b)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_trace_is_left_also_after_an_exception(engine):
    model = block_net(engine)
    loss = loss_of(model, engine)
    loss.backward(retain_graph=True)
    state = [(id(p.grad), p.grad is None or p.grad.tolist(), p.tolist(), p._version)
             for p in model.parameters()]  # fmt: skip
    random = engine.get_rng_state().tolist()

    def after():
        return [(id(p.grad), p.grad is None or p.grad.tolist(), p.tolist(), p._version)
                for p in model.parameters()]  # fmt: skip

    tree = ModuleTree(model, loss)
    root = read_tree(model)[0]
    twice = norm([2 * p.grad for p in model.parameters() if p.grad is not None])
    assert tree.stop.gradient(root) == pytest.approx(twice)  # backward adds to what is there
    assert after() == state and engine.get_rng_state().tolist() == random

    def stop(g):
        raise ZeroDivisionError("stop")

    handle = model.stem.weight.register_hook(stop)
    with pytest.raises(ZeroDivisionError, match="stop"):
        ModuleTree(model, loss)
    handle.remove()
    assert after() == state and engine.get_rng_state().tolist() == random
    loss.backward()  # the graph is not freed


def test_bad_input():
    with pytest.raises(TypeError, match="expected a model"):
        ModuleTree("model")
    with pytest.raises(ValueError, match="Tanh has no parameters"):
        ModuleTree(torch.nn.Tanh())
    with pytest.raises(RuntimeError, match="does not require grad"):
        ModuleTree(torch.nn.Linear(1, 1), torch.ones(1))
    with pytest.raises(TypeError, match="different engines"):
        ModuleTree(torch.nn.Linear(1, 1), autogradlab.ones(1, requires_grad=True).sum())
