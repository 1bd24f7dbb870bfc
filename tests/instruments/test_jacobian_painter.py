"""JacobianPainter as a Python object: passes, cost, state, clicks, output."""

import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.instruments import JacobianPainter

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
RECT = "{http://www.w3.org/2000/svg}rect"
POINT = [2.0, -5.0, 1.0]


def function(engine):
    return lambda x: engine.stack([x[0] * x[1], x[1] ** 2, 3 * x[0] - x[2].sin(), -x[2]])


def painter(engine, **options):
    return JacobianPainter(function(engine), engine.tensor(POINT), **options)


def truth():
    return torch.func.jacrev(function(torch))(torch.tensor(POINT))


def texts(made):
    tag = "{http://www.w3.org/2000/svg}text"
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(tag)]


@ENGINES
def test_rows_and_columns_are_those_of_the_jacobian(engine):
    by_rows, by_columns = painter(engine), painter(engine)
    for i in range(4):
        by_rows.row(i)
        torch.testing.assert_close(torch.tensor(by_rows.table[i]), truth()[i])
    for j in range(3):
        by_columns.column(j)
        torch.testing.assert_close(
            torch.tensor([row[j] for row in by_columns.table]), truth()[:, j]
        )
    assert (by_rows.backwards, by_rows.jvps) == (4, 0)
    assert (by_columns.backwards, by_columns.jvps) == (0, 3)


@ENGINES
def test_one_pass_fills_one_row_or_column_and_is_counted(engine):
    made = painter(engine)
    assert made.sentence == "Nothing is filled: 0 of 12 cells. No pass has run."
    assert made.row(0) == (
        "One backward pass filled the row of y₀: [−5, 2, 0]. 3 of 12 cells with 1 pass."
    )
    assert made.table[0] == [-5, 2, 0] and made.table[1:] == [[None] * 3] * 3
    assert made.row(0) == made.sentence and made.passes == ["r0"]  # filled already: no second pass
    assert made.column(1) == (
        "One jvp filled the column of x₁: [2, −10, 0, 0]."
        " 6 of 12 cells with 2 passes; 1 was filled twice."
    )
    assert made.filled == 6 and "1 backward + 1 jvp = 2 passes · 6 / 12 cells" in texts(made)
    made.row(1)
    assert made.sentence.endswith("8 of 12 cells with 3 passes; 2 were filled twice.")
    assert made.reset() == painter(engine).sentence and made.passes == []


@pytest.mark.parametrize("inputs, outputs, verdict", [
    (1, 3, "Rows alone take 3 backward passes, columns alone 1 jvp: forward mode is cheaper."),
    (3, 1, "Rows alone take 1 backward pass, columns alone 3 jvps: reverse mode is cheaper."),
    (2, 2, "Rows alone take 2 backward passes, columns alone 2 jvps: both modes cost the same."),
])  # fmt: skip
def test_the_cheaper_mode_is_told_when_the_table_is_full(inputs, outputs, verdict):
    weight = autogradlab.ones(outputs, inputs)
    made = JacobianPainter(lambda x: weight @ x, autogradlab.ones(inputs))
    for i in range(outputs):
        assert "cheaper" not in made.sentence and "the same" not in made.sentence
        made.row(i)
    assert made.sentence.startswith("The table is full: ") and made.sentence.endswith(verdict)


@ENGINES
def test_clicks_and_keys(engine):
    made = painter(engine)
    before = made.view.revision
    made._on_message({"fold": "r2"})
    made._on_message({"fold": "c0"})
    assert made.passes == ["r2", "c0"] and made.view.revision == before + 2
    assert made.view.sentences == [made.sentence]
    for nonsense in ({"fold": "r9"}, {"fold": "x"}, {"fold": None}, {}, None, {"button": 3}):
        made._on_message(nonsense)
    assert made.passes == ["r2", "c0"]
    made._on_message({"button": "reset"})
    assert made.passes == []
    targets = {key: (above, below) for key, _, _, _, above, below in made.view.targets}
    assert targets["r0"] == (["c0"], ["r1"]) and targets["c2"] == ([], ["r0"])
    assert targets["r3"] == (["r2"], [])


def test_controls():
    made = painter(torch, controls=["rows"])
    assert [target[0] for target in made.view.targets] == ["r0", "r1", "r2", "r3"]
    assert 'data-fold="c0"' not in str(made.view.variants) and made.view.panels == [""]
    made._on_message({"fold": "c0"})
    assert made.passes == []
    assert made.column(0).startswith("One jvp")  # a method is not a control
    with pytest.raises(ValueError, match="no control 'cells'"):
        painter(torch, controls=["cells"])


def test_both_engines_draw_the_same():
    ours, theirs = painter(autogradlab), painter(torch)
    for made in (ours, theirs):
        made.row(0), made.column(2)
    assert ours.svg() == theirs.svg() and (ours.view.tag, theirs.view.tag) == (
        "autogradlab",
        "PyTorch",
    )
    assert "var(" not in ours.svg() and " id=" not in ours.svg()
    bundle = ours._repr_mimebundle_()
    assert bundle["text/plain"] == ours.sentence and bundle["image/svg+xml"] == ours.svg()


def test_size_has_a_bar_and_a_sign_has_a_hatch():
    made = painter(torch)
    made.row(1)  # [0, -10, 0]
    assert made.svg().count("l6-6") == 4
    assert "−10" in texts(made) and texts(made).count("0") == 2
    made.reset()
    made.column(0)  # [-5, 0, 3, 0]
    bars = [float(e.get("width")) for e in ET.fromstring(made.svg()).iter(RECT)
            if e.get("height") == "3"]  # fmt: skip
    assert bars == [66.0, pytest.approx(0.6 * 66, abs=0.1)]
    infinite = JacobianPainter(lambda x: x.log(), torch.zeros(1))
    infinite.row(0)
    assert "inf" in texts(infinite)


@ENGINES
def test_no_trace_is_left(engine):
    x = engine.tensor(POINT, requires_grad=True)
    made = JacobianPainter(function(engine), x)
    made.row(0), made.column(0)
    assert x.grad is None and x.tolist() == POINT and x.requires_grad
    x.detach().add_(1)  # the painter has its own copy
    made.column(1)
    assert made.table[1][1] == -10


def test_the_state_can_be_pasted():
    made = painter(torch)
    made.column(2), made.row(1)
    again = JacobianPainter.from_state(
        json.dumps(made.state()), function(torch), torch.tensor(POINT)
    )
    assert again.state() == made.state() and again.svg() == made.svg()
    for passes in (["r4"], ["c3"], ["q"], [""]):
        with pytest.raises(ValueError, match="does not fit"):
            JacobianPainter.from_state(
                {**made.state(), "passes": passes}, function(torch), torch.tensor(POINT)
            )


def test_names_are_escaped_and_shortened():
    evil = '<script>alert("1")</script>\n'
    made = JacobianPainter(lambda x: x * 2, torch.ones(1), inputs=[evil], outputs=["loss"])
    made.row(0)
    markup = made.svg() + str(made.view.variants)
    assert "<script" not in markup and "loss" in texts(made)
    assert "column of <script>" in made.view.targets[1][1]  # set as text in the browser
    with pytest.raises(ValueError, match="1 inputs, but 2 names: a and b"):
        JacobianPainter(lambda x: x, torch.ones(1), inputs=["a", "b"])


@ENGINES
def test_numbers_without_a_dimension(engine):
    x = engine.tensor(3.0)
    made = JacobianPainter(lambda x: engine.stack([x, x * x]), x)
    made.column(0)
    assert made.table == [[1], [6]]
    made = JacobianPainter(lambda x: (x * x).sum(), engine.tensor([1.0, 2.0]))
    made.row(0)
    assert made.table == [[2, 4]]


@ENGINES
def test_bad_input(engine):
    with pytest.raises(ValueError, match="the table holds 1 to 8 inputs; there are 9"):
        JacobianPainter(lambda x: x, engine.ones(9))
    with pytest.raises(ValueError, match="the table holds 1 to 8 outputs; there are 0"):
        JacobianPainter(lambda x: x[:0], engine.ones(2))
    with pytest.raises(TypeError, match="expected a tensor"):
        JacobianPainter(lambda x: x, [1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        JacobianPainter(lambda x: 1 / 0, engine.ones(2))
    made = painter(engine)
    for bad in (-1, 4):
        with pytest.raises(ValueError, match=r"there is no row .*: there are 0 to 3"):
            made.row(bad)
    with pytest.raises(ValueError, match="there is no column 3: there are 0 to 2"):
        made.column(3)
