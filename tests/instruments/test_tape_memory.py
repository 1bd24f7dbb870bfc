"""TapeMemory as a Python object: bytes, who keeps them, comparison, actions, output."""

import json
import xml.etree.ElementTree as ET

import pytest
import torch
from torch.utils.checkpoint import checkpoint as checkpoint_of_torch

import autogradlab
from autogradlab.graphs import record_backward, watch
from autogradlab.instruments import TapeMemory
from autogradlab.models import GPT, MLP, resnet18
from autogradlab.utils.checkpoint import checkpoint

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
TEXT = "{http://www.w3.org/2000/svg}text"


def texts(made):
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(TEXT)]


def product(engine):
    """exp(a)·a: both nodes have saved exp(a)."""
    a = engine.ones(1024, requires_grad=True)
    return {"a": a, "y": (a.exp() * a).sum()}


def tape(engine, **options):
    names = product(engine)
    return TapeMemory(names["y"], names=names, **options)


@ENGINES
def test_bytes_step_by_step(engine):
    made = tape(engine)
    assert made.tape.held == (8192, 8192, 4096, 0, 0)  # sum, ·, exp, a
    assert [(row.name, row.nbytes) for row in made.tape.rows] == [
        ("exp(a)·a", 8192),
        ("exp(a)", 4096),
    ]
    assert made.sentence == "At the start 8 KB are saved for backward, 8 KB of them by exp(a)·a."
    assert made.jump(2).endswith("by exp(a)·a. After step 2 of 4, 4 KB are held.")
    assert [row.held(2) for row in made.tape.rows] == [0, 4096]
    assert made.held == 4096 and made.position == made.view.step == 2
    assert made.step().endswith("After step 3 of 4, nothing is held.")
    assert made.back(9) == made.sentence_of(0) and made.jump("exp(a)") == made.sentence_of(3)


@ENGINES
def test_who_keeps_it(engine):
    made = tape(engine)
    words = "exp(a)·a keeps a (4 KB) and exp(a) (4 KB, as exp(a) does)."
    assert made.keepers("exp(a)·a") == words
    assert made.select("exp(a)") == "exp(a) keeps exp(a) (4 KB, as exp(a)·a does)."
    assert made.view.selected == "r1"
    assert "by step 3" in made.view.panels[2] and "by step 3" not in made.view.panels[3]
    assert made.select(None) == made.sentence and set(made.view.panels) == {""}
    with pytest.raises(ValueError, match="nothing that saves for backward is called 'q'"):
        made.select("q")


@ENGINES
def test_the_rows_agree_with_the_recording(engine):
    """What the rows hold, each piece of memory once, is what the pass holds."""
    engine.manual_seed(0)
    model = engine.nn.LSTM(4, 3) if engine is torch else MLP([4, 8, 8, 2])
    out = model(engine.randn(5, 2, 4) if engine is torch else engine.randn(6, 4))
    loss = (out[0] if isinstance(out, tuple) else out).square().sum()
    made = TapeMemory(loss)
    assert made.tape.total > 0 and made.tape.held[-1] == 0
    for step in range(made.tape.steps + 1):
        pieces = {
            p.number: p.nbytes
            for row in made.tape.rows
            for p, turn in zip(row.pieces, row.turns, strict=True)
            if turn > step
        }
        assert sum(pieces.values()) == made.tape.held[step]
        assert sum(row.keeps(step) for row in made.tape.rows) == made.tape.held[step]


def test_modules_of_a_network():
    autogradlab.manual_seed(0)
    net = resnet18()
    with watch(net) as seen:
        loss = net(autogradlab.randn(2, 3, 32, 32)).square().mean()
    recording = record_backward(loss, watched=seen)
    made = TapeMemory(recording)
    rows = {row.name: row for row in made.tape.rows}
    assert next(iter(rows)) == "layer4" and {"conv1", "layer1", "layer2", "fc"} < set(rows)
    assert made.tape.held[0] == recording.events[0].bytes_total
    folded = recording.fold(1).graph
    assert rows["layer1"].nbytes == next(
        n.inside.saved_bytes for n in folded.nodes.values() if n.label == "layer1"
    )
    # Its band, the largest, has its name beside the row's, though it is whole for a few steps only.
    assert texts(made).count("layer4") >= 2
    middle = rows["layer3"].steps[len(rows["layer3"].steps) // 2]
    assert 0 < rows["layer3"].held(middle) < rows["layer3"].nbytes
    made.jump(middle)
    drawing = texts(made)
    assert drawing.count("freed") >= 2 and "layer3" in drawing
    assert made.view.steps_keys[middle] == f"r{list(rows).index('layer3')}"
    with pytest.raises(ValueError, match="folded already"):
        TapeMemory(recording.fold(1))


def test_a_transformer_and_a_gpt():
    torch.manual_seed(0)
    x = torch.randn(3, 2, 8)
    net = torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    made = TapeMemory(net(x, x).sum(), net, depth=1)
    assert {"encoder", "decoder"} <= {row.name for row in made.tape.rows}
    gpt = GPT(vocabulary=11, context=6, width=8, heads=2, layers=2)
    made = TapeMemory(gpt(autogradlab.tensor([[1, 2, 3]])).square().mean(), gpt, depth=2)
    assert {"blocks.0", "blocks.1"} <= {row.name for row in made.tape.rows}


def blocks(engine, checkpointed):
    """The same net, its blocks checkpointed or not."""
    engine.manual_seed(0)
    nn, run = engine.nn, checkpoint_of_torch if engine is torch else checkpoint
    x = engine.ones(16, 8)
    for _ in range(3):
        block = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
        x = run(block, x, use_reentrant=False) if checkpointed else block(x)
    return (x * x).sum()


@ENGINES
def test_checkpointing_compared(engine):
    made = TapeMemory(compare={"plain": blocks(engine, False), "cheap": blocks(engine, True)})
    plain, cheap = made.tapes.values()
    assert plain.total > 3 * 16 * 8 * 4 and cheap.total == 16 * 8 * 4
    words = (
        f"cheap holds least. The graph of cheap peaks at 512 B, {51200 / plain.total:.0f} % of the "
    )
    assert made.sentence.startswith(words)
    assert "computed again" in made.sentence
    made.jump(2)
    assert " B in cheap" in made.sentence or "nothing in cheap" in made.sentence
    drawing = texts(made)
    assert "cheap, peak 512 B" in drawing and "not saved" in drawing
    same = TapeMemory(compare={"a": blocks(engine, False), "b": blocks(engine, False)})
    assert same.sentence.startswith("a and b hold the same. Both peak at ")
    assert "computed again" not in same.sentence


def test_passes_of_unequal_length():
    a = torch.ones(4, requires_grad=True)
    made = TapeMemory(compare={"long": a.exp().exp().exp().sum(), "short": a.exp().sum()})
    assert len(made.view.frames) == 6
    assert made.jump(5).endswith("After step 5: 0 B in long, 0 B in short.")
    assert made.svg() == made.svg()


def test_both_engines_draw_the_same():
    ours, theirs = tape(autogradlab), tape(torch)
    assert ours.svg() == theirs.svg() == tape(torch).svg()
    assert (ours.view.tag, theirs.view.tag) == ("autogradlab", "PyTorch")
    assert ours.view.variants == theirs.view.variants
    svg = ours.svg()
    assert "var(" not in svg and " id=" not in svg
    bundle = ours._repr_mimebundle_()
    assert bundle["text/plain"] == ours.sentence and bundle["image/svg+xml"] == svg


def test_nothing_saved():
    a = torch.ones(2, requires_grad=True)
    made = TapeMemory((a + a).sum())
    assert made.sentence == "Nothing is saved for backward." and made.svg()


def test_a_long_pass_is_thinned():
    x = y = torch.tensor(0.5, requires_grad=True)
    for _ in range(210):
        y = (y * x).tanh()
    made = TapeMemory(y)
    steps = made.tape.steps
    assert steps > 400 >= len(made.drawn) and made.drawn[0] == 0 and made.drawn[-1] == steps
    assert made.jump(steps).endswith("nothing is held.") and "and 380 smaller ones" in texts(made)
    assert len(made.view.targets) == 40


def test_rows_of_one_name_are_told_apart():
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(2, requires_grad=True)
    made = TapeMemory((a.exp() + b.exp()).sum(), names={"x": a})
    names = [row.name for row in made.tape.rows]
    assert len(set(names)) == len(names) == 2


def test_the_state_can_be_pasted():
    names = product(torch)
    made = TapeMemory(names["y"], names=names)
    made.jump(2)
    made.select("exp(a)")
    again = TapeMemory.from_state(json.dumps(made.state()), names["y"], names=names)
    assert again.state() == made.state() and again.view.panels == made.view.panels
    with pytest.raises(ValueError, match="step 9 of 4"):
        TapeMemory.from_state({"instrument": "TapeMemory", "step": 9}, names["y"], names=names)


def test_names_are_escaped():
    evil = '<script>alert("1")</script>\n'
    a = torch.ones(4, requires_grad=True)
    made = TapeMemory((a.exp() * a).sum(), names={evil: a})
    made.select(made.tape.rows[0].name)
    both = TapeMemory(compare={evil: a.exp().sum(), "b": (a * a).sum()})
    for each in (made, both):
        markup = each.svg() + str(each.view.variants) + str(each.view.panels)
        assert "<script" not in markup and "script" in markup


@ENGINES
def test_no_trace_is_left(engine):
    names = product(engine)
    before = engine.get_rng_state().tolist()
    TapeMemory(names["y"], names=names)
    assert names["a"].grad is None and engine.get_rng_state().tolist() == before
    names["y"].backward()
    assert names["a"].grad is not None


@ENGINES
def test_bad_input(engine):
    a = engine.ones(2, requires_grad=True)
    y = (a * a).sum()
    with pytest.raises(ValueError, match="give a tensor or recording"):
        TapeMemory()
    with pytest.raises(ValueError, match="two passes or more, not 1"):
        TapeMemory(compare={"a": y})
    with pytest.raises(ValueError, match="belongs to one pass"):
        TapeMemory(compare={"a": y, "b": y}, model=engine.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="no control 'threshold'"):
        TapeMemory(y, controls=["threshold"])
    with pytest.raises(RuntimeError, match="does not require grad"):
        TapeMemory(engine.ones(2))
    assert TapeMemory(y, controls=[]).view.stops == []
    with pytest.raises(ValueError, match="no step 99"):
        TapeMemory(y).jump(99)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        TapeMemory(y)
