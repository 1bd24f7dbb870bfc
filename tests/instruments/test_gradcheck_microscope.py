"""GradcheckMicroscope as a Python object: gradcheck's verdict, the tables, state, no trace."""

import json
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.instruments import GradcheckMicroscope

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
TEXT = "{http://www.w3.org/2000/svg}text"


def own(engine, forward, backward):
    """A Function of these two, its `apply`."""

    class Own(engine.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return backward(g, *ctx.saved_tensors)

    return Own.apply


def leaf(engine, values, dtype="float64"):
    return engine.tensor(values, dtype=getattr(engine, dtype), requires_grad=True)


def cube(engine):
    return own(engine, lambda x: x * x * x, lambda g, x: g * 3 * x * x)


def linear(engine):
    """A backward that forgets to transpose."""
    return own(engine, lambda x, w: w @ x, lambda g, x, w: (w @ g, g[:, None] * x))


def bias(engine):
    """A backward with a mean where the sum belongs."""
    return own(engine, lambda x, b: x + b, lambda g, x, b: (g, g.mean(0)))


BATCH = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
# name: function and inputs, for an engine
CHECKS = {
    "right": lambda e: (cube(e), leaf(e, [1.0, 2.0, -3.0])),
    "built in": lambda e: (lambda x: e.stack([x[0] * x[1], x[1].exp()]), leaf(e, [2.0, -1.0])),
    "number": lambda e: (lambda x: x.sin(), leaf(e, 0.3)),
    "right in float32": lambda e: (cube(e), leaf(e, [1.0, 2.0], "float32")),
    "power of x missing": lambda e: (
        own(e, lambda x: x * x * x, lambda g, x: g * 3 * x), leaf(e, [0.5, 2.0])),
    "the same at ones": lambda e: (
        own(e, lambda x: x * x * x, lambda g, x: g * 3 * x), leaf(e, [1.0, 1.0])),
    "not transposed": lambda e: (
        linear(e), (leaf(e, [1.0, -2.0]), leaf(e, [[2.0, 1.0], [5.0, 3.0]]))),
    "not transposed, symmetric": lambda e: (
        linear(e), (leaf(e, [1.0, -2.0]), leaf(e, [[2.0, 1.0], [1.0, 3.0]]))),
    "mean over a batch": lambda e: (bias(e), (leaf(e, BATCH), leaf(e, [1.0, 2.0]))),
    "mean over one row": lambda e: (bias(e), (leaf(e, BATCH[:1]), leaf(e, [1.0, 2.0]))),
    "sum left to the engine": lambda e: (
        own(e, lambda x, b: x + b, lambda g, x, b: (g, g)),
        (leaf(e, BATCH), leaf(e, [1.0, 2.0]))),
    "frozen input": lambda e: (bias(e), (leaf(e, BATCH), e.ones(2, dtype=e.float64))),
    "number among the inputs": lambda e: (lambda x, k: x * k, (leaf(e, [1.0, 2.0]), 3)),
    "kink": lambda e: (e.relu, leaf(e, [0.0, 1.0])),
    "near a kink": lambda e: (e.relu, leaf(e, [5e-7, 1.0])),
    "kink in the middle": lambda e: (e.abs, leaf(e, [0.0])),
    "not times g": lambda e: (
        own(e, lambda x: (x * x).sum(), lambda g, x: 2 * x), leaf(e, [1.0, 3.0])),
    "another each time": lambda e: (
        own(e, lambda x: x * 2, lambda g, x: g * (2 + 1e-9 * e.rand(2, dtype=e.float64))),
        leaf(e, [1.0, 3.0])),
    "nan and inf": lambda e: (e.sqrt, leaf(e, [0.0, -1.0, 4.0])),
    "slightly wrong": lambda e: (
        own(e, lambda x: x * 2, lambda g, x: 2.002 * g), leaf(e, [1.0, 3.0])),
    "more than slightly": lambda e: (
        own(e, lambda x: x * 2, lambda g, x: 2.0021 * g), leaf(e, [1.0, 3.0])),
    "None": lambda e: (own(e, lambda x: x * 2, lambda g, x: None), leaf(e, [1.0, 3.0])),
    "several outputs": lambda e: (lambda x: (x * 2, x[0] * x[1]), leaf(e, [1.0, 3.0])),
    "an output without gradient": lambda e: (lambda x: (x * 2, x > 0), leaf(e, [1.0, 3.0])),
    "no output with gradient": lambda e: (lambda x: x.detach() * 2, leaf(e, [1.0, 3.0])),
    "constant": lambda e: (lambda x: x.detach() * 0, leaf(e, [1.0, 3.0])),
    "raises": lambda e: (own(e, lambda x: x * 2, lambda g, x: 1 / 0), leaf(e, [1.0, 3.0])),
    "shape": lambda e: (own(e, lambda x: x * 2, lambda g, x: g.new_ones(5)), leaf(e, [1.0, 3.0])),
    "turned": lambda e: (lambda x: x.T * 2, leaf(e, BATCH)),
}  # fmt: skip


def verdict(function, inputs, **options):
    """What PyTorch's or our gradcheck says."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    engine = torch if any(isinstance(x, torch.Tensor) for x in given) else autogradlab
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return engine.autograd.gradcheck(function, inputs, raise_exception=False, **options)
        except Exception as error:
            return type(error).__name__


@ENGINES
@pytest.mark.parametrize("name", CHECKS)
def test_the_verdict_is_gradchecks(engine, name):
    engine.manual_seed(0)
    made = GradcheckMicroscope(*CHECKS[name](engine))
    said = verdict(*CHECKS[name](torch))
    assert made.h == 1e-6
    assert made.passes is (said is True), made.sentence
    word = {True: "passes", False: "fails"}.get(said, "raises")
    assert made.sentence.startswith(f"gradcheck {word} at h = 1e−6. ")
    if isinstance(said, str):
        assert said in made.sentence
    assert (made.analytic is None) is (name in ("raises", "shape"))


@ENGINES
@pytest.mark.parametrize("options", [{"atol": 1e-3}, {"rtol": 1e-6}, {"eps": 1e-3}, {"eps": 3e-5}],
                         ids=str)  # fmt: skip
def test_the_verdict_for_other_tolerances(engine, options):
    function = lambda e: own(e, lambda x: x * x, lambda g, x: g * (2 * x + 2e-4))  # noqa: E731
    made = GradcheckMicroscope(function(engine), leaf(engine, [0.001, 3.0]), **options)
    assert made.passes is verdict(function(torch), leaf(torch, [0.001, 3.0]), **options)
    assert made.h == options.get("eps", 1e-6)


def tables_of(function, inputs):
    """The tables that PyTorch prints in its error, turned to a row for each output."""
    with pytest.raises(torch.autograd.gradcheck.__globals__["GradcheckError"]) as caught:
        torch.autograd.gradcheck(function, inputs)
    text = str(caught.value)
    numeric, analytic = text.partition("numerical:")[2].split("analytical:")
    return [eval(part, {"tensor": torch.tensor, "torch": torch}).T for part in (numeric, analytic)]


@ENGINES
def test_the_tables_are_those_gradcheck_compares(engine):
    wrong = lambda e: own(e, lambda x: x * x * x, lambda g, x: g * 3 * x)  # noqa: E731
    made = GradcheckMicroscope(wrong(engine), leaf(engine, [0.5, 2.0]))
    numeric, analytic = tables_of(wrong(torch), leaf(torch, [0.5, 2.0]))
    np.testing.assert_allclose(made.numeric, numeric, atol=1e-4)
    np.testing.assert_allclose(made.analytic, analytic, atol=1e-4)
    assert made.apart == [(0, 0), (1, 1)] and made.worst == (0, 0)


@ENGINES
def test_a_function_of_several_inputs_has_columns_for_each(engine):
    made = GradcheckMicroscope(*CHECKS["not transposed"](engine), names=["x", "W"])
    x, w = (torch.tensor(v, dtype=torch.float64) for v in ([1.0, -2.0], [[2.0, 1.0], [5.0, 3.0]]))
    by_x, by_w = torch.func.jacrev(lambda x, w: w @ x, argnums=(0, 1))(x, w)
    truth = torch.cat([by_x, by_w.reshape(2, 4)], 1)
    np.testing.assert_allclose(made.numeric, truth, atol=1e-6)
    assert made.columns == ["x₀", "x₁", "W₀₀", "W₀₁", "W₁₀", "W₁₁"] and made.rows == ["y₀", "y₁"]
    assert made.apart == [(0, 1), (1, 0)]


@ENGINES
def test_the_scrubber_goes_through_the_sizes_of_h(engine):
    made = GradcheckMicroscope(cube(engine), leaf(engine, [1.0, 2.0, -3.0]))
    assert made.view.stops[0] == "0.1" and made.view.stops[-1] == "1e−12"
    for h in (1e-1, 1e-3, 1e-12):
        assert made.nudge(h) == made.sentence == made.view.sentences[made.view.step]
        assert made.h == h
        assert made.passes is verdict(cube(torch), leaf(torch, [1.0, 2.0, -3.0]), eps=h)
    assert made.nudge(2e-6).startswith("gradcheck passes at h = 1e−6.")
    for bad in (0, -1.0, True, "small", float("nan"), float("inf")):
        with pytest.raises(ValueError, match="h is a positive number"):
            made.nudge(bad)


def test_a_right_backward_has_a_valley_and_a_wrong_one_a_flat_line():
    right = GradcheckMicroscope(cube(torch), leaf(torch, [1.0, 2.0, -3.0]))
    heights = [right._at(now)[1] for now in right.nudged]
    assert heights[0] < heights[5] > heights[-1]  # y grows downwards
    wrong = GradcheckMicroscope(*CHECKS["mean over a batch"](torch))
    heights = [wrong._at(now)[1] for now in wrong.nudged[:9]]
    assert max(heights) - min(heights) < 0.1


@ENGINES
def test_sentences(engine):
    def said(name, **options):
        engine.manual_seed(0)
        return GradcheckMicroscope(*CHECKS[name](engine), **options).sentence

    assert said("mean over a batch", names=["x", "b"]) == (
        "gradcheck fails at h = 1e−6. 6 of 48 cells differ too much, most of all y₀₀ by b₀: "
        "analytic 0.3333, numeric 1; it passes at no h."
    )
    assert said("right in float32").endswith("it passes at h = 0.01 to 1e−4.")
    assert said("not times g").endswith(
        "No cell differs too much, but backward does not multiply by the gradient that comes in."
    )
    assert said("another each time").endswith("two runs of backward give different numbers.")
    assert said("kink") == (
        "gradcheck fails at h = 1e−6. 1 of 4 cells differs too much, y₀ by x₀: analytic 0, numeric "
        "0.5; it passes at no h."
    )
    assert said("constant").endswith("The two tables are equal.")
    assert said("raises") == (
        "gradcheck raises at h = 1e−6. backward raised ZeroDivisionError: division by zero"
    )
    assert "numeric nan" in said("nan and inf")


@ENGINES
def test_a_cell_shows_its_numbers(engine):
    made = GradcheckMicroscope(*CHECKS["not transposed"](engine), names=["x", "W"])
    worst = made.view.panels[made.view.step]
    assert "the worst cell" in worst and "y₀ by x₁" in worst and "agl-no" in worst
    assert made.select(1, 2) == (
        "y₁ by W₀₀ at h = 1e−6: analytic 0, numeric 0, allowed difference 1e−5."
    )
    panel = made.view.panels[made.view.step]
    assert "selected" in panel and "y₁ by W₀₀" in panel and "agl-yes" in panel
    assert len(made.view.panels) == len(made.sizes)  # scrubbing needs no kernel
    before = made.view.revision
    made.view.selected = "0,1"  # as a click does
    assert "(1.999998 − 2.000002)" not in worst and made.view.revision > before
    assert "/ 2e−6" in made.view.panels[made.view.step]
    assert made.clear() == made.sentence and "the worst cell" in made.view.panels[0]
    with pytest.raises(ValueError, match="there is no row 2: there are 0 to 1"):
        made.select(2, 0)
    with pytest.raises(ValueError, match="there is no column -1"):
        made.select(0, -1)


def test_both_engines_draw_the_same_and_twice_the_same():
    for name in ("mean over a batch", "right", "kink", "nan and inf", "raises"):
        ours, again, theirs = (
            GradcheckMicroscope(*CHECKS[name](e)) for e in (autogradlab, autogradlab, torch)
        )
        assert ours.svg() == again.svg() == theirs.svg()
        assert "var(" not in ours.svg() and " id=" not in ours.svg()
        ET.fromstring(ours.svg())
    assert theirs.view.tag == "PyTorch · float64" and ours.view.tag == "autogradlab · float64"
    bundle = ours._repr_mimebundle_()
    assert bundle["text/plain"] == ours.sentence and bundle["image/svg+xml"] == ours.svg()


def test_a_cell_beyond_the_tolerance_has_a_shape_of_its_own():
    def crosses(made):
        return made.svg().count('stroke="#1B1F24" stroke-width="2.5" stroke-linecap="round"')

    right = GradcheckMicroscope(cube(torch), leaf(torch, [1.0]))
    wrong = GradcheckMicroscope(*CHECKS["not transposed"](torch))
    assert wrong.svg().count("<path") > 0 and len(wrong.apart) == 2
    assert crosses(wrong) == crosses(right) - failing(right) + failing(wrong) + 2


def failing(made):
    """Diamonds on the chart: one for each h that fails, and the one shown."""
    return sum(bool(now.objection) for now in made.nudged) + (not made.passes)


@ENGINES
def test_no_trace_is_left(engine):
    x = leaf(engine, [1.0, 2.0])
    (x * x).sum().backward()
    grad, values = x.grad, x.grad.tolist()
    engine.manual_seed(3)
    state = engine.get_rng_state().tolist()
    noisy = own(engine, lambda x: x * engine.rand(2), lambda g, x: g * engine.rand(2))
    for function in (noisy, cube(engine)):
        GradcheckMicroscope(function, x).select(0, 0)
    with pytest.raises(ZeroDivisionError):
        GradcheckMicroscope(lambda x: engine.rand(1) / 0 if 1 / 0 else x, x)
    assert x.grad is grad and x.grad.tolist() == values and x.tolist() == [1.0, 2.0]
    assert x._version == 0 and x.requires_grad
    assert engine.get_rng_state().tolist() == state


@ENGINES
def test_a_module_keeps_its_buffers_and_gradients(engine):
    norm = engine.nn.BatchNorm1d(2).double()
    before = {k: v.tolist() for k, v in norm.state_dict().items()}
    made = GradcheckMicroscope(norm, leaf(engine, BATCH))
    assert made.passes, made.sentence
    assert {k: v.tolist() for k, v in norm.state_dict().items()} == before
    assert all(p.grad is None for p in norm.parameters())
    with engine.no_grad():
        assert GradcheckMicroscope(norm, leaf(engine, BATCH)).passes
        assert not engine.is_grad_enabled()


def test_the_state_can_be_pasted():
    check = CHECKS["not transposed"](torch)
    made = GradcheckMicroscope(*check)
    made.nudge(1e-3), made.select(1, 4)
    again = GradcheckMicroscope.from_state(json.dumps(made.state()), *check)
    assert again.state() == made.state() and again.svg() == made.svg()
    assert again.view.panels == made.view.panels
    for bad in ({"step": 12}, {"selected": "2,0"}, {"step": -1}, {"selected": 3}):
        with pytest.raises(ValueError, match="does not fit"):
            GradcheckMicroscope.from_state({**made.state(), **bad}, *check)


def test_controls():
    check = CHECKS["right"](torch)
    made = GradcheckMicroscope(*check, controls=["h"])
    assert made.view.targets == [] and made.view.overlays == {}
    assert {key for key, _, _ in made.view.order} == {""}
    made = GradcheckMicroscope(*check, controls=["cells"])
    assert made.view.stops == [] and len(made.view.targets) == 9
    targets = {key: (above, below) for key, _, _, _, above, below in made.view.targets}
    assert targets["1,0"] == (["0,0"], ["2,0"]) and targets["0,2"] == ([], ["1,2"])
    with pytest.raises(ValueError, match="no control 'eps'"):
        GradcheckMicroscope(*check, controls=["eps"])


def test_names_are_escaped_and_shortened():
    evil = '<script>alert("1")</script>\n'
    made = GradcheckMicroscope(cube(torch), leaf(torch, [1.0, 2.0]), names=[evil], outputs=["loss"])
    markup = made.svg() + str(made.view.variants) + str(made.view.panels)
    assert "<script" not in markup
    texts = ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(TEXT)]
    assert any(each.endswith("…") for each in texts)
    with pytest.raises(ValueError, match="there are 1 checked inputs, but 2 names"):
        GradcheckMicroscope(cube(torch), leaf(torch, [1.0]), names=["a", "b"])


@ENGINES
def test_twelve_rows_and_columns_fit_and_thirteen_are_refused(engine):
    x = engine.linspace(-1, 1, 12, dtype=engine.float64).requires_grad_()
    made = GradcheckMicroscope(lambda x: x * x.sum(), x)
    assert made.passes and made.numeric.shape == (12, 12)
    assert sum(len(form) for forms in made.view.variants for form in forms) < 1_000_000
    x = engine.ones(13, dtype=engine.float64, requires_grad=True)
    with pytest.raises(ValueError, match=r"1 to 12 rows and columns; this Jacobian has 1 × 13"):
        GradcheckMicroscope(lambda x: x.sum(), x)
    with pytest.raises(ValueError, match="this Jacobian has 0 × 13"):
        GradcheckMicroscope(lambda x: x[:0], x)


@ENGINES
def test_bad_input(engine):
    x = leaf(engine, [1.0, 2.0])
    with pytest.raises(ValueError, match="no input has requires_grad=True"):
        GradcheckMicroscope(cube(engine), x.detach())
    for nothing in ([], [1.0], None, "x"):
        with pytest.raises(TypeError, match="expected a tensor"):
            GradcheckMicroscope(cube(engine), nothing)
    with pytest.raises(TypeError, match="expected a tensor"):
        GradcheckMicroscope(lambda x: 3.0, x)
    with pytest.raises(ValueError, match="a nudge changes how many outputs"):
        GradcheckMicroscope(lambda x: x[x.detach() <= 2], x)
    with pytest.raises(ValueError, match="h is a positive number"):
        GradcheckMicroscope(cube(engine), x, eps=0)
