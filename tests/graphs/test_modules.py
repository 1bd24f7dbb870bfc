"""Which module made which node, on both engines, and no trace of the watching."""

import hashlib
import threading
from contextlib import nullcontext

import pytest
import torch
from networks import Custom, NotANumber, Tied, block_net, in_place_net, seen, theirs
from programs import ENGINES
from torch.utils.checkpoint import checkpoint

import autogradlab
from autogradlab.graphs import read_graph, record, record_backward, watch
from autogradlab.models import GPT, MLP, resnet18, to_torch

HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks")
MORE = ("_forward_hooks_always_called", "_forward_hooks_with_kwargs")


def operations(graph):
    """Each operation with the name of the call that made it, in forward order."""
    return [
        (node.name, graph.calls[node.module].name if node.module else "outside")
        for node in graph.nodes.values()
        if node.kind == "op"
    ]


def digest(x):
    return hashlib.sha1(x.detach().numpy().tobytes()).hexdigest()


def state(model, engine):
    """Everything of a model that watching must not change."""
    return [
        {name: digest(p) for name, p in model.state_dict().items()},
        [(id(p.grad), p.grad is not None and digest(p.grad)) for p in model.parameters()],
        [
            (m.training, [len(getattr(m, kind, ())) for kind in (*HOOKS, *MORE)])
            for m in model.modules()
        ],
        engine.get_rng_state().tolist(),
    ]


# ------------------------------------------------------------------------------ seen as it happens


@pytest.mark.parametrize("engine", ENGINES)
def test_every_node_has_the_innermost_call_that_made_it(engine):
    loss, watched = seen(block_net(engine), engine.ones(2, 3))
    graph = read_graph(loss, watched=watched)
    assert graph.exact
    block = ["first", "first", "act", "second", "second", "", "act (call 2)"]
    expected = ["stem"] * 2
    for name in ("blocks.0", "blocks.1", "twice"):
        expected += [f"{name}.{part}".rstrip(".") for part in block]
    expected.append("Net")  # x * 2, in the model's own forward
    later = ["first (call 2)"] * 2 + ["act (call 3)"] + ["second (call 2)"] * 2
    expected += [f"twice.{part}" for part in later] + ["twice (call 2)", "twice.act (call 4)"]
    expected += ["head"] * 2 + ["outside"] * 2
    assert [name for _, name in operations(graph)] == expected
    kinds = {call.name: call.kind for call in graph.calls.values()}
    assert kinds["blocks.0"] == "Block" and kinds["blocks.1.act"] == "Tanh"
    assert "blocks" not in kinds and "unused" not in kinds
    inner = next(k for k, n in graph.nodes.items() if n.module and graph.calls[n.module].call == 4)
    around = [graph.calls[key].name for key in graph.modules_around(inner)]
    assert around == ["Net", "twice (call 2)", "twice.act (call 4)"]


def test_both_engines_see_the_same_calls():
    found = []
    for engine in ENGINES:
        loss, watched = seen(block_net(engine), engine.ones(2, 3))
        graph = read_graph(loss, watched=watched)
        found.append((graph.calls, operations(graph), [n.module for n in graph.nodes.values()]))
    assert found[0] == found[1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", [resnet18, GPT, MLP], ids=lambda make: make.__name__)
def test_our_models_on_both_engines(engine, make):
    arguments = {"resnet18": {"num_classes": 3}, "GPT": GPT_SIZE, "MLP": {"sizes": [3, 4, 2]}}
    model = make(**arguments[make.__name__])
    model = model if engine is autogradlab else to_torch(model)
    x = {"resnet18": (2, 3, 32, 32), "GPT": (1, 5), "MLP": (2, 3)}[make.__name__]
    x = engine.zeros(x, dtype=engine.int64) if make is GPT else engine.ones(x)
    loss, watched = seen(model, x)
    graph = read_graph(loss, watched=watched)
    named = dict(model.named_parameters())
    shown = {n.expression for n in graph.nodes.values() if n.kind == "parameter"}
    assert shown == set(named)
    owner = {n.expression: graph.calls[n.module].path for n in graph.nodes.values()
             if n.kind == "parameter"}  # fmt: skip
    tied = {name for names in graph.shared for name in names}
    assert {name for name in named if name.rpartition(".")[0] != owner[name]} <= tied
    assert all(n.module for n in graph.nodes.values() if n.kind == "op" and n.name[:4] == "Conv")


GPT_SIZE = {"vocabulary": 11, "context": 8, "width": 8, "heads": 2, "layers": 3}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_call_without_a_graph_is_not_counted(engine):
    model = block_net(engine)
    with watch(model) as watched:
        with engine.no_grad():
            model(engine.ones(2, 3))
        model(engine.ones(2, 3))
        loss = model(engine.ones(2, 3)).sum()
    names = {call.name for call in read_graph(loss, watched=watched).calls.values()}
    assert "stem" in names and "stem (call 2)" not in names and "twice (call 2)" in names


@pytest.mark.parametrize("engine", ENGINES)
def test_a_module_under_two_paths_has_that_of_its_caller(engine):
    nn = engine.nn
    act = nn.Tanh()
    model = nn.Sequential(
        nn.Sequential(nn.Linear(2, 2), act), nn.Sequential(nn.Linear(2, 2), act), act
    )
    loss, watched = seen(model, engine.ones(1, 2))
    graph = read_graph(loss, watched=watched)
    made = [name for op, name in operations(graph) if op == "TanhBackward0"]
    assert made == ["0.1", "1.1", "0.1 (call 2)"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_users_hook_computes_belongs_to_the_module(engine):
    model = engine.nn.Sequential(engine.nn.Linear(2, 2), engine.nn.Tanh())
    model[0].register_forward_pre_hook(lambda m, args: (args[0].exp(),))
    model[0].register_forward_hook(lambda m, args, out: out.sin())
    x = engine.ones(1, 2, requires_grad=True)
    loss, watched = seen(model, x)
    made = dict(operations(read_graph(loss, watched=watched)))
    assert made["ExpBackward0"] == made["SinBackward0"] == "0" and made["TanhBackward0"] == "1"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_view_written_in_place(engine):
    x = engine.ones(2, 4)
    loss, watched = seen(in_place_net(engine), x)
    graph = read_graph(loss, watched=watched)
    assert operations(graph) == [
        ("TBackward0", "left.layer"),
        ("AddmmBackward0", "left.layer"),
        ("MulBackward0", "left"),
        ("torch::autograd::CopySlices", "left"),
        ("AddBackward0", "Net"),
        ("TBackward0", "right"),
        ("AsStridedBackward0", "right"),  # the view's node, made anew when `right` used it
        ("AddmmBackward0", "right"),
        ("SliceBackward0", "Net"),
        ("AddBackward0", "Net"),
        ("PowBackward0", "outside"),
        ("MeanBackward0", "outside"),
    ]
    folded = [n.label for n in graph.fold(1).nodes.values() if n.kind == "module"]
    assert folded == ["left", "right"]


@pytest.mark.parametrize("name", ["transformer", "lstm", "attention", "tied", "custom", "nan"])
def test_torchs_own_models(name):
    model, inputs = theirs()[name]
    loss, watched = seen(model, *inputs)
    graph = read_graph(loss, watched=watched)
    outside = [op for op, where in operations(graph) if where == "outside"]
    assert outside == ["PowBackward0", "MeanBackward0"]
    inner = {call.kind for call in graph.calls.values()}
    expected = {
        "transformer": {"TransformerEncoderLayer", "TransformerDecoderLayer", "LayerNorm"},
        "lstm": {"LSTM"},
        "attention": {"MultiheadAttention"},
        "tied": {"Embedding", "Linear", "Tied"},
        "custom": {"Custom", "Linear"},
        "nan": {"NotANumber", "Linear"},
    }[name]
    assert expected <= inner
    assert {n.expression for n in graph.nodes.values() if n.kind == "parameter"} <= {
        each for each, _ in model.named_parameters()
    }
    guess = read_graph(loss, model=model)
    assert not guess.exact and guess.fold(0).nodes


def test_shared_weights_say_so_and_stay_out_of_either_layer():
    model, inputs = theirs()["tied"]
    loss, watched = seen(model, *inputs)
    for graph in (read_graph(loss, watched=watched), read_graph(loss, model=model)):
        assert graph.shared == (("embed.weight", "head.weight"),)
    graph = read_graph(loss, watched=watched)
    shared = next(n for n in graph.nodes.values() if n.expression == "embed.weight")
    assert graph.calls[shared.module].kind == "Tied"
    assert shared.key in graph.fold(1).nodes and shared.key not in graph.fold(0).nodes


def test_a_custom_function_belongs_to_the_module_that_applied_it():
    loss, watched = seen(Custom(), torch.ones(1, 4))
    made = dict(operations(read_graph(loss, watched=watched)))
    assert made["DoubleBackward"] == "Custom"


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_module(reentrant):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(4, 4)
            self.inner = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))

        def forward(self, x):
            return checkpoint(self.inner, self.first(x), use_reentrant=reentrant)

    model = Net()
    loss, watched = seen(model, torch.randn(3, 4))
    before = state(model, torch)
    graph = read_graph(loss, watched=watched)
    assert state(model, torch) == before  # reading has not run the module again
    recording = record_backward(loss, watched=watched)
    assert state(model, torch) == before
    assert len(recording.events) == len(graph.nodes) - 1
    kinds = {call.kind for call in graph.calls.values()}
    assert ("BatchNorm1d" in kinds) is not reentrant


def test_our_checkpoint_is_not_run_again_to_be_read():
    nn = autogradlab.nn
    inner = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    model = nn.ModuleDict({"inner": inner})
    x = autogradlab.ones(3, 4, requires_grad=True)
    with watch(model) as watched:
        again = autogradlab.utils.checkpoint.checkpoint
        loss = again(inner, x, use_reentrant=False).square().mean()
    before = state(model, autogradlab)
    graph = read_graph(loss, watched=watched)
    record_backward(loss, watched=watched)
    assert state(model, autogradlab) == before
    assert {call.path for call in graph.calls.values()} == {"inner", "inner.0", "inner.1"}


def test_calls_in_another_thread_are_not_called_exact():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    found = []
    with watch(model) as watched:
        thread = threading.Thread(target=lambda: found.append(model(torch.ones(1, 2)).sum()))
        thread.start()
        thread.join()
    assert not read_graph(found[0], watched=watched).exact
    found.append(model(torch.ones(1, 2)))
    loss, watched = seen(model, torch.ones(1, 2))
    assert read_graph(loss, watched=watched).exact


# ------------------------------------------------------------------------------- after the fact


@pytest.mark.parametrize("engine", ENGINES)
def test_by_ownership_a_layer_has_its_parameters_and_what_leads_to_it(engine):
    nn = engine.nn
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1, bias=False), nn.Tanh())
    graph = read_graph(model(engine.ones(1, 2)).sum(), model=model)
    assert not graph.exact
    assert operations(graph) == [
        ("TBackward0", "0"),
        ("AddmmBackward0", "0"),
        ("TanhBackward0", "2"),  # of the layer it goes to
        ("TBackward0", "2"),
        ("MmBackward0", "2"),
        ("TanhBackward0", "outside"),  # after the last parameter
        ("SumBackward0", "outside"),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_by_ownership_a_list_of_modules_is_no_module(engine):
    model = block_net(engine)
    graph = read_graph(model(engine.ones(2, 3)).sum(), model=model)
    paths = [call.path for call in graph.calls.values()]
    assert "blocks.0" in paths and "blocks" not in paths
    assert all(call.call == 1 for call in graph.calls.values())
    parents = {call.path: graph.calls[call.parent].path for call in graph.calls.values()
               if call.parent}  # fmt: skip
    assert parents["blocks.0"] == "" and parents["blocks.0.first"] == "blocks.0"


def test_by_ownership_both_engines_agree():
    found = []
    for engine in ENGINES:
        model = block_net(engine)
        graph = read_graph(model(engine.ones(2, 3)).sum(), model=model)
        found.append((graph.calls, operations(graph)))
    assert found[0] == found[1]


# ------------------------------------------------------------------------------------- no trace


@pytest.mark.parametrize("engine", ENGINES)
def test_watching_leaves_no_trace(engine):
    model = engine.nn.Sequential(
        engine.nn.Linear(3, 3), engine.nn.Dropout(0.5), engine.nn.BatchNorm1d(3)
    )
    model(engine.ones(2, 3)).sum().backward()
    kept = model[0].register_forward_hook(lambda *_: None)
    start = {name: x.clone() for name, x in model.state_dict().items()}
    results = []
    for watching in (False, True):
        engine.manual_seed(1)
        model.load_state_dict(start)
        before = state(model, engine)
        with watch(model) if watching else nullcontext() as watched:
            out = model(engine.ones(2, 3))
        results.append((out.tolist(), state(model, engine)))
        assert results[-1][1][2] == before[2]  # flags and hooks
    assert results[0] == results[1]
    now = state(model, engine)
    assert read_graph(out.sum(), watched=watched).calls
    record_backward(out.sum(), watched=watched)
    assert state(model, engine) == now
    kept.remove()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("look", [watch, record])
def test_hooks_go_after_an_exception(engine, look):
    class Broken(engine.nn.Module):
        def forward(self, x):
            raise ZeroDivisionError("broken")

    model = engine.nn.Sequential(engine.nn.Linear(2, 2), Broken())
    before = state(model, engine)
    with pytest.raises(ZeroDivisionError), look(model):
        model(engine.ones(1, 2))
    assert state(model, engine) == before
    model[1] = engine.nn.Tanh()
    with watch(model) as watched:
        with pytest.raises(TypeError):
            model(engine.ones(1, 2), 3)
        loss = model(engine.ones(1, 2)).sum()
    made = dict(operations(read_graph(loss, watched=watched)))
    assert made["TanhBackward0"] == "1" and made["SumBackward0"] == "outside"


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_within_is_caught_by_an_outer_module(engine):
    class Broken(engine.nn.Module):
        def forward(self, x):
            raise ZeroDivisionError

    class Careful(engine.nn.Module):
        def __init__(self):
            super().__init__()
            self.broken = Broken()

        def forward(self, x):
            try:
                return self.broken(x)
            except ZeroDivisionError:
                return x.exp()

    loss, watched = seen(Careful(), engine.ones(1, requires_grad=True))
    assert dict(operations(read_graph(loss, watched=watched)))["ExpBackward0"] == "Careful"


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("bad", [3, None, [torch.nn.Linear(1, 1)], torch.nn.Linear, torch.ones(1)])
@pytest.mark.parametrize("look", [watch, record])
def test_what_is_no_module(look, bad):
    with pytest.raises(TypeError, match="expected a model, a"):
        look(bad)
    with pytest.raises(TypeError, match="expected a model"):
        read_graph(torch.ones(1, requires_grad=True) * 2, model=bad or 3)


def test_a_watch_of_something_else():
    model, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    loss, watched = seen(model, torch.ones(1, 2))
    with pytest.raises(ValueError, match="watched saw another model, Linear"):
        read_graph(loss, model=other, watched=watched)
    with pytest.raises(ValueError, match="not made while the model was watched"):
        read_graph(model(torch.ones(1, 2)).sum(), watched=watched)
    with pytest.raises(TypeError, match="with watch"):
        read_graph(loss, watched=model)
    with pytest.raises(TypeError, match="different engines"):
        read_graph(loss, model=autogradlab.nn.Linear(2, 1))
    assert read_graph(loss, model=model, watched=watched).exact


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_model(engine):
    model = engine.nn.Sequential()
    x = engine.ones(2, requires_grad=True)
    graph = read_graph(model(x).exp().sum(), model=model)
    assert graph.calls == {} and graph.fold(1) == graph
    with watch(model) as watched:
        loss = model(x).exp().sum()
    with pytest.raises(ValueError, match="not made while"):
        read_graph(loss, watched=watched)


@pytest.mark.parametrize("engine", ENGINES)
def test_names_are_passed_on_as_they_are(engine):
    model, name = engine.nn.Sequential(), "<script>\"'\n&é[0]"
    model.add_module(name, engine.nn.Linear(2, 1))
    layer = getattr(model, name)
    with watch(model) as watched:
        loss = layer(engine.ones(1, 2)).sum()
    graph = read_graph(loss, watched=watched)
    assert [call.path for call in graph.calls.values()] == [name]
    assert f"{name}.weight" in {node.expression for node in graph.nodes.values()}
    folded = graph.fold(0)
    (module,) = [node for node in folded.nodes.values() if node.kind == "module"]
    assert module.expression == name and module.key == "m0"
    assert type(graph).from_json(folded.to_json()) == folded
    assert '\\"' in folded.to_dot() and "<script>" in folded.to_dot()


def test_nan_is_seen_where_it_arises():
    loss, watched = seen(NotANumber(), torch.ones(1, 4))
    recording = record_backward(loss, watched=watched)
    bad = [e.key for e in recording.events if any(g and g.nonfinite for g in e.grads_in)]
    assert bad and all(g is None or g.norm == g.norm for e in recording.events for g in e.grads_in)
    assert Tied().embed.weight.grad is None
