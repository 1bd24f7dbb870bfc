"""VJPExplorer: vᵀJ as PyTorch has it, the sliders, state, output."""

import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.instruments import VJPExplorer

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
POINT = [2.0, -3.0]


def function(engine):
    return lambda x: engine.stack([x[0] * x[1], x[1] ** 2 - x[0]])


def explorer(engine, *v, **options):
    return VJPExplorer(function(engine), engine.tensor(POINT), *v, **options)


@ENGINES
@pytest.mark.parametrize("v", [[1.0, 0.0], [0.0, 1.0], [-1.5, 0.5], [0.0, 0.0], [2.0, 2.0]])
def test_the_product_is_pytorchs(engine, v):
    made = explorer(engine)
    made.set(*v)
    _, back = torch.func.vjp(function(torch), torch.tensor(POINT))
    torch.testing.assert_close(torch.tensor(made.product), back(torch.tensor(v))[0])
    rows = torch.func.jacrev(function(torch))(torch.tensor(POINT))
    torch.testing.assert_close(torch.tensor(made.jacobian), rows)
    assert ET.fromstring(made.svg()).get("role") == "img"


def test_the_sentence_and_both_engines():
    ours, theirs = explorer(autogradlab, [1, -2]), explorer(torch, [1, -2])
    assert ours.sentence == theirs.sentence == (
        "vᵀJ = [−1, 14]. v = [1, −2] weighs the rows [−3, 2] and [−1, −6], and they are added up."
    )
    assert ours.svg() == theirs.svg() and "var(" not in ours.svg() and " id=" not in ours.svg()
    assert (ours.view.tag, theirs.view.tag) == ("autogradlab", "PyTorch")
    assert ours._repr_mimebundle_()["text/plain"] == ours.sentence == ours.view.sentences[0]


def test_the_arrow_points_where_the_product_lies():
    made = explorer(torch, [1, -2])  # vᵀJ = [−1, 14], axes to ±16
    lines = [e.get("d") for e in ET.fromstring(made.svg()).iter("{http://www.w3.org/2000/svg}path")]
    dashed = [d for d in lines if d.startswith("M592.0 126.0L")]
    assert dashed == [f"M592.0 126.0L{592 + 74 * -3 / 16:.1f} {126 - 74 * 2 / 16:.1f}"]
    tip = f"M{592 + 74 * -1 / 16:.1f} {126 - 74 * 14 / 16:.1f}L"
    assert len([d for d in lines if d.startswith(tip)]) == 1


def test_sliders():
    made = explorer(torch)
    first, second = made.controls
    before = made.view.revision
    second.value = -2.0
    assert made.v == [1, -2] and made.view.revision == before + 1
    made.set(0.5, 1.5)
    assert (first.value, second.value) == (0.5, 1.5) and made.v == [0.5, 1.5]
    assert explorer(torch, controls=[]).controls == ()
    with pytest.raises(ValueError, match="v reaches from −2 to 2"):
        made.set(3, 0)
    assert made.v == [0.5, 1.5]
    assert explorer(torch, [1, 10], reach=10).v == [1, 10]


def test_long_numbers_do_not_lie_over_each_other():
    made = VJPExplorer(lambda x: x * -0.00123456, torch.ones(2), [1, 1])
    short = VJPExplorer(lambda x: x * 2, torch.ones(2), [1, 1])
    heights = lambda each: {  # noqa: E731
        e.get("y") for e in ET.fromstring(each.svg()).iter("{http://www.w3.org/2000/svg}rect")
        if e.get("rx") == "10"
    }  # fmt: skip
    assert len(heights(made)) == 4 and len(heights(short)) == 3


def test_the_state_can_be_pasted_and_names_are_escaped():
    made = explorer(torch, [1, -2], inputs=["<b>", "b"], outputs=["P", "Q"])
    again = VJPExplorer.from_state(
        json.dumps(made.state()), function(torch), torch.tensor(POINT),
        inputs=["<b>", "b"], outputs=["P", "Q"],
    )  # fmt: skip
    assert again.svg() == made.svg() and "<b>" not in made.svg() and "&lt;b&gt;" in made.svg()
    for bad in ([1.0], [1.0, "2"], [1.0, True], [9.0, 0.0], [float("nan"), 0.0]):
        with pytest.raises(ValueError):
            VJPExplorer.from_state({**made.state(), "v": bad}, function(torch), torch.tensor(POINT))


@ENGINES
def test_no_trace_and_bad_input(engine):
    x = engine.tensor(POINT, requires_grad=True)
    VJPExplorer(function(engine), x).set(1, 1)
    assert x.grad is None and x.tolist() == POINT
    with pytest.raises(ValueError, match="expected 2 inputs and 2 outputs, not 3 and 3"):
        VJPExplorer(lambda x: x, engine.ones(3))
    with pytest.raises(ValueError, match="not finite"):
        VJPExplorer(lambda x: x.log(), engine.zeros(2))
    with pytest.raises(TypeError, match="expected a tensor"):
        VJPExplorer(lambda x: x, [1.0, 2.0])
