"""NudgeLab and ErrorCurve: their slopes are PyTorch's, on both engines, and what they say is so."""

import json
import math
import sys
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs.nudges import FUNCTIONS, nudge, sizes, slope, typed
from autogradlab.instruments import ErrorCurve, NudgeLab

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
TEXT = "{http://www.w3.org/2000/svg}text"


def texts(made):
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(TEXT)]


def cube(x):
    return x * x * x


# ------------------------------------------------------------------------------- expressions


@ENGINES
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_typed_function_is_torchs(engine, name):
    found = typed(f"2*{name}(x)**2 - x/4 + -1")(engine.tensor(0.7)).item()
    right = 2 * getattr(torch, name)(torch.tensor(0.7)) ** 2 - torch.tensor(0.7) / 4 - 1
    assert found == pytest.approx(right.item(), rel=1e-6)


def test_typed_constants_follow_the_engine():
    assert typed("9**9**9**9*x")(autogradlab.tensor(1.0)).item() == math.inf  # at once
    assert typed("1/0 + x")(torch.tensor(1.0)).item() == math.inf
    assert typed("sin(2)")(autogradlab.tensor(1.0)).item() == pytest.approx(math.sin(2))
    assert slope(typed("3"), autogradlab.tensor(1.0)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "x.grad", "open(x)", "x[0]", "y", "lambda: x", "x if x else 1", "True",
        "'x'", "1j", "sin", "sin(x, x)", "sin(x=1)", "sin(*x)", "x < 1", "x // 2", "x % 2", "x @ x",
        "~x", "x := 2", "[x]", "", "(", "x\0", "x**101", "x**-101", "1e7", "(" * 150,
        "x" + "+x" * 100, "sin(x).item()", "f'{x}'", "x; x", "9" * 199,
    ],
)  # fmt: skip
def test_nothing_else_is_understood(text):
    with pytest.raises(ValueError) as raised:
        typed(text)
    assert len(str(raised.value)) < 250


def test_a_power_written_with_a_hat_is_told():
    with pytest.raises(ValueError, match=r"a power is written \*\*"):
        typed("x^2")


# --------------------------------------------------------------------------------- quotients


@ENGINES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quotients_are_what_the_code_in_the_lesson_gives(engine, dtype):
    x = engine.tensor(0.7, dtype=getattr(engine, dtype))
    t = torch.tensor(0.7, dtype=getattr(torch, dtype))
    for h in sizes(dtype):
        right = {
            "forward": (cube(t + h) - cube(t)) / h,
            "backward": (cube(t) - cube(t - h)) / h,
            "central": (cube(t + h) - cube(t - h)) / (2 * h),
        }
        for kind, each in right.items():
            assert nudge(cube, x, h, kind).quotient == each.item(), (kind, h)


@ENGINES
def test_the_slope_is_autograds_and_leaves_no_trace(engine):
    weight = engine.tensor(3.0, requires_grad=True)
    x = engine.tensor(2.0, requires_grad=True)
    with engine.no_grad():
        assert slope(lambda x: weight * x**2, x) == 12
    assert weight.grad is None and x.grad is None
    assert slope(lambda x: weight * 2, x) == 0 and slope(lambda x: x.relu(), x * 0) == 0


# ------------------------------------------------------------------------------------ NudgeLab


@ENGINES
def test_the_secant_becomes_the_tangent_and_then_does_not(engine):
    lab = NudgeLab(lambda x: x**2, engine.tensor(1.0))
    assert (lab.h, lab.quotient, lab.gradient) == (1.0, 3.0, 2.0)
    assert lab.sentence == (
        "The secant is too steep. With h = 1 its slope is 3; the gradient is 2, so the gap is 1."
    )
    assert lab.nudge(0.00011).startswith("The secant is the tangent, nearly. With h = 1e−4")
    assert lab.nudge(1e-6).startswith("Rounding spoils the quotient. With h = 1e−6 it is 1.907;")
    assert lab.nudge(1e-8) == (
        "The nudge is lost. In float32, 1 + 1e−8 is 1 again, so the quotient is 0; the gradient is "
        "2."
    )
    assert lab.view.step == 24 and lab.summary == lab.view.sentences[24]
    lab.view.step = 1  # the browser
    assert lab.h == 0.5 and lab.quotient == 2.5


@ENGINES
def test_the_three_kinds_at_a_kink(engine):
    lab = NudgeLab("relu(x)", engine.tensor(0.0))
    found = {}
    for kind in ("forward", "backward", "central"):
        assert lab.nudge_to(kind).startswith("The gap does not close.") == (kind != "backward")
        found[kind] = lab.quotient
    assert found == {"forward": 1, "backward": 0, "central": 0.5} and lab.gradient == 0
    assert lab.nudge_to("backward").startswith("The secant has the slope of the tangent.")


def test_other_verdicts():
    lab = NudgeLab("x**2", autogradlab.tensor(-1.0))
    assert lab.sentence.startswith("The secant is too flat.")
    assert NudgeLab("x**2", autogradlab.tensor(-0.25)).sentence.startswith(
        "The secant is the wrong way round."
    )
    assert NudgeLab("log(x)", torch.tensor(-1.0)).sentence == (
        "No slope here. f is not finite at x = −1, h = 1."
    )
    assert "nan" in texts(NudgeLab("log(x)", torch.tensor(-1.0)))


@ENGINES
def test_both_engines_draw_the_same(engine):
    made = NudgeLab("sin(3*x)", engine.tensor(0.5, dtype=engine.float64), kind="central")
    other = NudgeLab("sin(3*x)", torch.tensor(0.5, dtype=torch.float64), kind="central")
    assert texts(made) == texts(other) and made.sentence == other.sentence
    assert made.svg() == made.svg() and len(made.view.frames) == 49
    assert "(f(x + h) − f(x − h)) / (2 · h)" in texts(made)


def test_the_formula_holds_the_live_numbers():
    lab = NudgeLab("x**2", autogradlab.tensor(-1.0))
    lab.nudge(0.5)
    assert {"= (f(−0.5) − f(−1)) / 0.5", "= (0.25 − 1) / 0.5 ="} <= set(texts(lab))
    assert NudgeLab("x", autogradlab.tensor(-1.0)).svg().count("= (0 − (−1)) / 1 =") == 1


def test_moving_and_writing():
    lab = NudgeLab("x**2", autogradlab.tensor(1.0), between=(-1, 3))
    before = lab.svg()
    assert "its slope is 7; the gradient is 6" in lab.move(3)
    assert lab.write("4*x").startswith("The secant has the slope of the tangent.")
    assert lab.svg() != before and lab.title == "f(x) = 4*x" and lab.gradient == 4
    for wrong in (3.5, math.nan, "1", True):
        with pytest.raises(ValueError):
            lab.move(wrong)
    for wrong in (0, -1, math.inf, "1"):
        with pytest.raises(ValueError):
            lab.nudge(wrong)
    with pytest.raises(ValueError, match="forward, backward or central"):
        lab.nudge_to("up")


def test_the_controls_do_what_the_methods_do():
    lab = NudgeLab("x**2", autogradlab.tensor(1.0))
    f, x, kind = lab.controls
    x.value, kind.value = 0.5, "central"
    assert lab.x.item() == 0.5 and lab.kind == "central" and lab.gradient == 1
    f.value = "3*x"
    assert lab.gradient == 3
    revision = lab.view.revision
    f.value = "os.system('x')"
    assert lab.gradient == 3 and lab.view.revision == revision + 1
    assert lab.view.sentences[0].startswith("Not understood. ")
    f.value = "3*x"
    assert lab.view.sentences == lab.sentences and lab.view.revision == revision + 2
    lab.move(-1)
    assert x.value == -1 and f.value == "3*x"
    few = NudgeLab("x**2", autogradlab.tensor(1.0), controls=["x"])
    assert len(few.controls) == 1 and few.view.stops == []
    assert len(NudgeLab(cube, autogradlab.tensor(1.0)).controls) == 2  # nothing is typed
    with pytest.raises(ValueError, match="no control 'y'"):
        NudgeLab(cube, autogradlab.tensor(1.0), controls=["y"])


def test_a_state_can_be_pasted():
    lab = NudgeLab("x**2", autogradlab.tensor(1.0))
    lab.write("sin(x)")
    lab.move(0.5)
    lab.nudge_to("backward")
    lab.nudge(0.01)
    again = NudgeLab.from_state(json.dumps(lab.state()), "x**2", autogradlab.tensor(1.0))
    assert again.svg() == lab.svg() and again.state() == lab.state()
    for part in ({"x": "1"}, {"x": 9.0}, {"kind": "up"}, {"kind": []}, {"step": 99}, {"f": "y"}):
        with pytest.raises(ValueError):
            NudgeLab.from_state({**lab.state(), **part}, "x**2", autogradlab.tensor(1.0))


def test_what_cannot_be_nudged_is_told():
    for x, error in ((1.0, TypeError), (torch.tensor(1), TypeError), (torch.ones(2), ValueError)):
        with pytest.raises(error):
            NudgeLab(cube, x)
    with pytest.raises(TypeError, match="not float"):
        NudgeLab(lambda x: 1.0, torch.tensor(1.0))
    with pytest.raises(ValueError, match="returned 2"):
        NudgeLab(lambda x: torch.stack([x, x]), torch.tensor(1.0))


def test_names_are_escaped():
    def f(x):
        return x

    f.__name__ = "<b>&"
    for made in (NudgeLab(f, torch.tensor(1.0)), ErrorCurve(f, torch.tensor(1.0))):
        assert "<b>" not in made.svg() and "&lt;b&gt;&amp;" in made.svg()


def test_a_plain_branch_of_python_is_a_function_too():
    lab = NudgeLab(lambda x: x * x if x > 0 else -x, torch.tensor(-1.0))
    assert lab.gradient == -1


# ---------------------------------------------------------------------------------- ErrorCurve


@ENGINES
def test_errors_are_the_distance_from_autograd(engine):
    curve = ErrorCurve(cube, engine.tensor(2.0))
    assert curve.gradient == 12
    for (kind, dtype), errors in curve.errors.items():
        t = torch.tensor(2.0, dtype=getattr(torch, dtype))
        assert len(errors) == len(sizes(dtype))
        for h, error in zip(sizes(dtype), errors, strict=True):
            low = t if kind == "forward" else t - h
            width = h if kind == "forward" else 2 * h
            assert error == abs(((cube(t + h) - cube(low)) / width).item() - 12)


@ENGINES
def test_the_best_h_and_the_slopes_are_those_of_theory(engine):
    curve = ErrorCurve("sin(x)*exp(x)", engine.tensor(1.0))
    for (kind, dtype), power in {
        ("forward", "float32"): 1 / 2, ("central", "float32"): 1 / 3,
        ("forward", "float64"): 1 / 2, ("central", "float64"): 1 / 3,
    }.items():  # fmt: skip
        theory = torch.finfo(getattr(torch, dtype)).eps ** power
        assert theory / 10 < curve.best(kind, dtype) < theory * 10
    assert {"slope 1", "slope 2"} <= set(texts(curve))
    with pytest.raises(ValueError, match="no line"):
        curve.best("backward", "float32")


def test_a_slope_that_is_not_there_is_not_named():
    found = texts(ErrorCurve("x**2", autogradlab.tensor(1.0)))  # central differences are exact
    assert "slope 1" in found and "slope 2" not in found


def test_every_h_has_its_sentence():
    curve = ErrorCurve(cube, autogradlab.tensor(2.0))
    assert curve.sentence.startswith("Truncation rules all 4 errors. With h = 1 central differ")
    assert curve.nudge(1e-3) == (
        "Truncation rules 3 of 4 errors, rounding the others. With h = 0.001 central differences "
        "are 1.6e−4 off in float32 and 1e−6 in float64."
    )
    assert curve.nudge(1e-12).startswith("Rounding rules both errors.")
    assert curve.summary == curve.view.sentences[curve.view.step] and "–" in texts(curve)
    assert ErrorCurve.from_state(curve.state(), cube, autogradlab.tensor(2.0)).svg() == curve.svg()
    assert ErrorCurve(cube, autogradlab.tensor(2.0), controls=[]).view.stops == []


def test_both_engines_draw_the_same_curve():
    ours, theirs = (ErrorCurve(cube, e.tensor(0.7)) for e in (autogradlab, torch))
    assert ours.svg() == theirs.svg() and (ours.view.tag, theirs.view.tag) == (
        "autogradlab",
        "PyTorch",
    )


def test_no_curve_where_there_is_no_gradient():
    with pytest.raises(ValueError, match="gradient of f at −1 is not finite"):
        ErrorCurve("log(x)/0", torch.tensor(-1.0))


def test_the_instruments_import_no_engine():
    """They use the one that x belongs to."""
    for name in ("nudge_lab", "error_curve"):
        module = sys.modules[f"autogradlab.instruments.{name}"]
        assert "torch" not in vars(module) and "autogradlab" not in vars(module)
