"""CurvatureDial as a Python object: curvature against PyTorch's, turning, moving, state."""

import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.graphs import dial as drawing
from autogradlab.instruments import CurvatureDial

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
POINT = [0.6, -0.4]
VALLEY = "(1 - x)**2 + 2*(y - x**2)**2"


def valley(p):
    return (1 - p[0]) ** 2 + 2 * (p[1] - p[0] ** 2) ** 2


def dial(engine, f=VALLEY, point=POINT, angle=0, **options):
    return CurvatureDial(f, engine.tensor(point, dtype=engine.float64), angle, **options)


def texts(made):
    tag = "{http://www.w3.org/2000/svg}text"
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(tag)]


@ENGINES
@pytest.mark.parametrize("f", [VALLEY, valley], ids=["typed", "function"])
def test_every_direction_is_pytorchs(engine, f):
    made = dial(engine, f)
    p = torch.tensor(POINT, dtype=torch.float64)
    H, g = torch.func.hessian(valley)(p), torch.func.grad(valley)(p)
    for each in made.found.directions:
        turned = torch.tensor(math.radians(each.angle), dtype=torch.float64)
        v = torch.stack([turned.cos(), turned.sin()])
        torch.testing.assert_close(torch.tensor(each.product, dtype=torch.float64), H @ v)
        assert each.curvature == pytest.approx((v @ H @ v).item(), abs=1e-9)
        assert each.slope == pytest.approx((v @ g).item(), abs=1e-9)
    sizes, vectors = torch.linalg.eigh(H)
    for (size, angle), k in zip(made.eigen, (1, 0), strict=True):
        assert size == pytest.approx(sizes[k].item())
        v = torch.tensor(drawing.unit(angle), dtype=torch.float64)
        assert abs(v @ vectors[:, k]).item() == pytest.approx(1)
        assert -90 <= angle <= 90


@ENGINES
def test_the_slices_are_those_of_the_function(engine):
    made = dial(engine)
    reach = made._drawn[-1]
    for angle in (-180, -135, -5, 0, 60, 175, 180):
        line = made._drawn[2][angle]
        v = np.array(drawing.unit(angle))
        for t, y in zip(np.linspace(-reach, reach, drawing.SAMPLES), line, strict=True):
            assert y == pytest.approx(valley(np.array(POINT) + t * v), abs=1e-9)


@ENGINES
def test_a_function_that_takes_one_pair_only(engine):
    A = engine.tensor([[2.0, 1.0], [1.0, -3.0]], dtype=engine.float64)
    made = dial(engine, lambda p: p @ A @ p)
    assert made.found.table == ((4, 2), (2, -6))
    assert made._drawn[1].shape == (drawing.GRID, drawing.GRID)

    def either(p):  # two parts, told apart by a number
        return p[0] ** 2 if p[0] > 0 else 3 * p[0] ** 2

    assert dial(engine, either).curvature == 2
    asymmetric = dial(engine, lambda p: (p * p).sum() + p[0])  # a batch gives one number: not used
    assert asymmetric.curvature == 2


@ENGINES
def test_turning(engine):
    made = dial(engine, "x**2 - y**2", [0.5, 0.5], 30)
    assert made.angle == 30 and made.curvature == pytest.approx(1)
    assert made.turn(90).startswith("f curves down, and no direction more. At 90°, v = [0, 1]")
    assert made.turn(-180).startswith("f curves up, and no direction more. At −180°, v = [−1, 0]")
    assert made.turn(45).startswith("f does not curve.") and made.curvature == 0
    for given, shown in ((362, 0), (-271, 90), (22, 20), (23, 25)):
        made.turn(given)
        assert made.angle == shown
    assert "vᵀHv =" in texts(made) and len(made.view.frames) == 73
    bowl = dial(engine, "x**2 + y**2/4")
    assert bowl.turn(90).startswith("f curves up, and no direction less.")
    assert dial(engine, "3*x + y").sentence.startswith("f does not curve. At 0°, v = [1, 0]")


@ENGINES
def test_moving_and_writing(engine):
    made = dial(engine, angle=45)
    before = made.view.revision
    sentence = made.move(1.0, 1.0)
    assert made.view.revision == before + 1 and made.view.sentences[45] == sentence
    assert made.angle == 45 and "slope is 0." in sentence and made.point.tolist() == [1, 1]
    made.write("x*y")
    assert made.eigen == ((1, 45), (-1, -45)) and made.expression == "x*y"
    shown = made.svg()
    for bad in (lambda: made.move(3, 0), lambda: made.write("q"), lambda: made.write("1/(x - 1)")):
        with pytest.raises(ValueError):
            bad()
    assert made.svg() == shown and made.expression == "x*y"


def test_signs_have_marks_beside_colour():
    saddle, bowl = dial(autogradlab, "x**2 - y**2"), dial(autogradlab, "x**2 + y**2")
    dashed, hatch = 'stroke-dasharray="4 3"', drawing.path(drawing_pen(), "painter hatch", "")
    style = hatch.partition('d="" ')[2].removesuffix("/>")
    assert dashed in saddle.svg() and style in saddle.svg()
    assert dashed not in bowl.svg() and style not in bowl.svg()
    assert "filled: f curves up · spokes: f curves down" in texts(saddle)


def drawing_pen():
    from autogradlab.graphs.style import attributes

    return attributes


def test_both_engines_draw_the_same():
    ours, theirs = dial(autogradlab, angle=60), dial(torch, angle=60)
    assert ours.svg() == theirs.svg() == ours.svg() and "var(" not in ours.svg()
    assert (ours.view.tag, theirs.view.tag) == ("autogradlab", "PyTorch")
    assert "data-step" not in ours.svg() and str(ours.view.variants).count("data-step") == 72
    bundle = ours._repr_mimebundle_()
    assert bundle["text/plain"] == ours.sentence and bundle["image/svg+xml"] == ours.svg()


def test_the_sectors_stand_for_the_steps():
    made = dial(autogradlab)
    steps = [int(part.partition('"')[0]) for part in made.view.variants[-1][0].split('step="')[1:]]
    assert steps == list(range(1, 73))  # −180° is 180°
    assert made.view.stops[54] == "90°" and made.found.directions[54].angle == 90


@ENGINES
def test_no_trace_is_left(engine):
    p = engine.tensor(POINT, requires_grad=True)
    made = CurvatureDial(valley, p)
    made.move(0, 0)
    assert p.grad is None and p.requires_grad and p.tolist() == pytest.approx(POINT)


def test_the_state_can_be_pasted():
    made = dial(torch)
    made.write("x*y"), made.move(0.5, 1.0), made.turn(100)
    again = CurvatureDial.from_state(
        json.dumps(made.state()), "x**2", torch.tensor(POINT, dtype=torch.float64)
    )
    assert again.state() == made.state() and again.svg() == made.svg()
    assert [w.value for w in again.controls] == ["x*y", 100, 0.5, 1.0, ""]
    for bad in ({"step": 73}, {"point": [9.0, 0.0]}, {"point": [1.0]}, {"f": "import os"}):
        with pytest.raises(ValueError):
            CurvatureDial.from_state(made.state() | bad, "x**2", torch.tensor(POINT))
    with pytest.raises(ValueError, match="has no expression"):
        CurvatureDial.from_state(made.state(), valley, torch.tensor(POINT))


def test_controls():
    made = dial(autogradlab)
    field, angle, x, y, told = made.controls
    angle.value = 90
    assert made.angle == 90
    made.view.step = 36  # turned in the browser
    assert angle.value == 0
    x.value = -0.5
    assert made.point.tolist() == [-0.5, -0.4] and y.value == pytest.approx(-0.4)
    field.value = "import os"
    assert told.value.startswith("Not used: ") and made.expression == VALLEY
    field.value = made.expression
    assert told.value == ""
    field.value = "x*y"
    assert made.expression == "x*y" and told.value == ""
    assert len(dial(autogradlab, valley).controls) == 4  # no field for a function
    assert dial(autogradlab, controls=[]).view.stops == []
    with pytest.raises(ValueError, match="no control 'v'"):
        dial(autogradlab, controls=["v"])


def test_names_are_escaped():
    evil = lambda p: (p * p).sum()  # noqa: E731
    evil.__name__ = '<script>alert("1")</script>'
    made = dial(autogradlab, evil)
    assert "<script" not in made.svg() + str(made.view.variants)


@ENGINES
def test_bad_input(engine):
    for point in (engine.ones(3), engine.ones(2, dtype=engine.int64)):
        with pytest.raises(TypeError, match="two numbers, float32 or float64"):
            CurvatureDial("x*y", point)
    with pytest.raises(TypeError, match="expected a tensor"):
        CurvatureDial("x*y", POINT)
    with pytest.raises(ValueError, match="x and y are between −2 and 2"):
        dial(engine, point=[2.5, 0.0])
    with pytest.raises(ValueError, match="f returns one number; this one returned 2"):
        dial(engine, lambda p: p * 2)
    with pytest.raises(TypeError, match="f returns a tensor with one number, not float"):
        dial(engine, lambda p: 3.0)
    with pytest.raises(ValueError, match="not finite here"):
        dial(engine, "log(x)", [0.0, 0.0])
    with pytest.raises(ValueError, match="not allowed"):
        dial(engine, "x.data")


def test_contours_join():
    field = [[math.hypot(x - 4, y - 4) for x in range(9)] for y in range(9)]
    (pieces,) = drawing.contours(field, [2.5])
    ends = sorted(end for piece in pieces for end in piece)
    assert ends[::2] == ends[1::2]  # each end meets another: the line is closed
    assert all(math.hypot(x - 4, y - 4) == pytest.approx(2.5, abs=0.1) for x, y in ends)
