"""DualStepper: values and tangents are those of PyTorch's jvp; what can be typed; state, output."""

import json
import math
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.instruments import DualStepper
from autogradlab.instruments.duals import Dual, evaluate, steps_of

EXPRESSIONS = [
    "x*sin(x) + x**3/2", "x*x", "x/(1 + x**2)", "2 - x", "2/x", "-x + 3*x - 1", "x**-2", "x**0.5",
    "x**0", "exp(-x)*cos(2*x)", "log(x) - tanh(x)/sqrt(x)", "relu(x - 5) + relu(x)", "+x",
    "x - x/7", "sqrt(4)*x + sin(2)", "(1 - 2**3)*x", "x + x + x",
]  # fmt: skip
TEXT = "{http://www.w3.org/2000/svg}text"


def texts(made):
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(TEXT)]


def truth(expression, at, tangent=1.0):
    """Value and tangent, by PyTorch's forward mode in float64."""
    names = {name: getattr(torch, name) for name in ("sin", "cos", "exp", "log", "tanh", "relu")}
    names["sqrt"] = lambda x: torch.as_tensor(x, dtype=torch.float64).sqrt()
    names["sin"] = lambda x: torch.as_tensor(x, dtype=torch.float64).sin()
    point = torch.tensor(at, dtype=torch.float64)
    function = lambda x: eval(expression, {**names, "x": x}) * torch.ones_like(x)  # noqa: E731
    return torch.func.jvp(function, (point,), (torch.full_like(point, tangent),))


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("at, tangent", [(3.0, 1.0), (0.7, -2.5)])
def test_value_and_tangent_are_pytorchs(expression, at, tangent):
    made = DualStepper(expression, at, tangent=tangent)
    value, slope = truth(expression, at, tangent)
    assert math.isclose(made.value, value, rel_tol=1e-12, abs_tol=1e-12)
    assert math.isclose(made.derivative, slope, rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_numbers_of_each_rule_give_the_tangent(expression):
    """What a row says as a sum is its tangent, up to the digits shown."""
    for step in DualStepper(expression, 0.7).steps[1:]:
        said = step.numbers.replace("·", "*").replace("−", "-").replace("^", "**")
        for power in ("⁻³", "⁻⁰·⁵", "⁻¹", "²"):
            plain = power.translate(str.maketrans("⁰¹²³⁵⁻·", "01235-."))
            said = said.replace(power, f"**({plain})")
        assert math.isclose(eval(said), step.tangent, rel_tol=5e-3, abs_tol=5e-3), step


def test_every_step_has_its_rule():
    steps = DualStepper("x*sin(x) + 2*x", 3.0).steps
    assert [f"{s.name} = {s.made}" for s in steps] == [
        "x = 3", "v₁ = sin(x)", "v₂ = x·v₁", "v₃ = 2·x", "y = v₂ + v₃",
    ]  # fmt: skip
    assert [s.rule for s in steps[1:]] == [
        "cos(x)·x′", "x′·v₁ + x·v₁′", "2·x′", "v₂′ + v₃′",
    ]  # fmt: skip
    assert [s.numbers for s in steps[1:]] == [
        "−0.99·1", "1·0.1411 + 3·(−0.99)", "2·1", "−2.829 + 2",
    ]  # fmt: skip


def test_steps_and_sentences():
    made = DualStepper("x**2 + x", 3.0)
    assert made.sentence == "y = x**2 + x at x = 3, in 2 operations. No step has run."
    assert made.step() == "Step 1 of 3. x has the value 3 and the tangent 1, the seed."
    assert made.step() == "Step 2 of 3. v₁ = x² has the value 9 and the tangent 2·3·1 = 6."
    assert made.step(9) == (
        "Step 3 of 3. y = v₁ + x has the value 12 and the tangent 6 + 1 = 7."
        " So y′ = 7 at x = 3, after one forward pass."
    )
    assert made.back(2) == made.view.sentences[1] and made.jump(0) == made.view.sentences[0]
    assert made.summary == "y = x**2 + x at x = 3: value 12, tangent 7, in 2 operations."
    assert made.view.stops == ["start", "x", "( )²", "+"]
    assert made.view.choices == {"s0": 1, "s1": 2, "s2": 3}  # a click on a row shows its step
    with pytest.raises(ValueError, match="no step 4: there are 0 to 3"):
        made.jump(4)


def test_a_function_of_x():
    def function(x):
        unused = x * 5
        y = x.exp() * x - 1
        return y if unused.value > 0 else -y

    made = DualStepper(function, autogradlab.tensor(2.0))
    torch_value, slope = truth("exp(x)*x - 1", 2.0)
    assert math.isclose(made.value, torch_value) and math.isclose(made.derivative, slope)
    assert [s.made for s in made.steps] == ["2", "exp(x)", "v₁·x", "v₂ − 1"]  # what y is made of
    assert DualStepper(lambda x: x, torch.tensor(2.0)).derivative == 1
    assert len(made.controls) == 2  # a slider and its words: no field for what was not typed
    with pytest.raises(AttributeError, match="no 'cosh'; it has sin"):
        DualStepper(lambda x: x.cosh())


BAD = {
    "__import__('os')": "Use x, numbers",
    "x.real": "Use x, numbers",
    "y + x": "Use x, numbers",
    "[x]": "Use x, numbers",
    "x if x else 1": "Use x, numbers",
    "lambda: x": "Use x, numbers",
    "sin(x, x)": "Use x, numbers",
    "sin(x=x)": "Use x, numbers",
    "x ^ 2": "Use x, numbers",
    "x @ x": "Use x, numbers",
    "~x": "Use x, numbers",
    "x +": "is not a complete expression",
    "": "is not a complete expression",
    "x\0": "is not a complete expression",
    "(" * 100 + "x" + ")" * 100 + "x": "at most 200 characters",
    "(" * 99 + "x": "is not a complete expression",
    "3": "does not use x",
    "x*'a'": "a plain number",
    "x*True": "a plain number",
    "x*1j": "a plain number",
    "x**x": "A power is a plain number",
    "x**65": "at most 64",
    "2**x": "A power is a plain number",
    "9**9**9**9*x": "no finite value",
    "exp(999)*x": "no finite value",
    "log(x - 3)": "log(0) has no finite value",
    "sqrt(x - 3)": "sqrt(0) has no finite value",
    "1/(x - 3)": "no finite value",
    "(x - 3)**-1": "no finite value",
    "+".join("x" * 30): "At most 24 operations",
    "1" * 50 + "*x": "a plain number",
}


@pytest.mark.parametrize("expression", BAD)
def test_what_cannot_be_read_is_said(expression):
    with pytest.raises(ValueError) as caught:
        DualStepper(expression)
    assert BAD[expression] in str(caught.value)


def test_the_controls():
    made = DualStepper("x*x", 3.0)
    field, slider, told = made.controls
    box = made.with_controls()
    assert box.children[1] is made.view
    before, made.view.step = made.view, 2
    slider.value = 4.0
    assert made.view is before and made.view.step == 2 and made.derivative == 8
    assert "at x = 4" in made.view.expression and "2" in made.view.sentences[2]
    field.value = "x*x + sin(x)"
    assert made.view is not before and box.children[1] is made.view
    assert len(made.view.frames) == len(made.view.stops) == 5 and told.value == ""
    view = made.view
    field.value = "open('x')"
    assert told.value.startswith("Use x") and made.view is view
    assert made.expression == "x*x + sin(x)"
    field.value = "x*x + cos(x)"
    assert told.value == "" and made.view is not view  # other names on the scrubber
    made.set("x*x", 12.0)
    assert (field.value, slider.value, made.derivative) == ("x*x", 12.0, 24.0)
    assert DualStepper("x*x", controls=[]).controls == ()
    assert [type(w).__name__ for w in DualStepper("x*x", controls=["x"]).controls] == [
        "FloatSlider",
        "Label",
    ]


def test_the_state_can_be_pasted():
    made = DualStepper("x*x", 3.0)
    made.set("x*sin(x)", 2.0), made.jump(3)
    again = DualStepper.from_state(json.dumps(made.state()))
    assert again.state() == made.state() and again.svg() == made.svg()
    bad = [{"expression": "x" * 201}, {"x": "3"}, {"x": True}, {"step": 9}, {"x": math.inf},
           {"expression": "open(1)"}]  # fmt: skip
    for part in bad:
        with pytest.raises(ValueError):
            DualStepper.from_state({**made.state(), **part})


def test_output():
    made = DualStepper("x*sin(x)", 3.0)
    before = made.svg()
    assert before == DualStepper("x*sin(x)", torch.tensor(3.0)).svg()
    assert "var(" not in before and " id=" not in before
    drawn = texts(made)
    for words in ("v₁ = sin(x)", "−2.829", "y′ = x′·v₁ + x·v₁′", "= 1·0.1411 + 3·(−0.99)"):
        assert words in drawn
    made.jump(2)
    assert made.svg() == before  # a still picture has all steps
    frame = [v[0] for v in made.view.variants]
    assert "−2.829" not in str(frame)  # at the start nothing is told
    bundle = made._repr_mimebundle_()
    assert bundle["text/plain"] == made.summary


def test_long_lines_get_a_wider_picture_and_long_names_are_cut():
    made = DualStepper("(x/1234.5678 - 2)/(x/-2345.6789 - 9876.54321)", 2.3456789)
    longest = max(len(s.numbers) + 2 for s in made.steps)
    assert made.view.view[0] >= 404 + 7.32 * longest > 690
    made = DualStepper("x*123456.789*1234.56789")
    assert "v₁ = 1.2e5·x" in texts(made)


def test_dual_numbers_print_and_trace():
    x = Dual(3.0, 1.0)
    assert repr(x * x - 12) == "−3 + 6·ε" and repr(-x) == "−3 − 1·ε"
    assert evaluate("2*3", x) == 6
    assert repr(Dual(0.0, 1.0) ** 0) == "1 + 0·ε"
    with pytest.raises(ValueError, match="does not use x"):
        steps_of(Dual(1.0) * 2, x)
