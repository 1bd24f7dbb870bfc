"""The right answers are torch's, each usual mistake is told its name, and nothing raises."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.graphs import layout as layout_module
from autogradlab.instruments import PredictTheGradient
from autogradlab.instruments.questions import PROGRAMS, program

ENGINES = (autogradlab, torch)
PROGRAM_3 = 3  # (a·b + c)², asked at a


def vectors(engine) -> PredictTheGradient:
    """Q = 3a³ − b² with a gradient of [1, 10]; the first question is about b."""
    a = engine.tensor([2.0, 3.0], requires_grad=True)
    b = engine.tensor([6.0, 4.0], requires_grad=True)
    Q = 3 * a**3 - b**2
    return PredictTheGradient(Q, {"a": a, "b": b, "Q": Q}, engine.tensor([1.0, 10.0]))


def grads_of_torch() -> dict[str, list[float]]:
    a = torch.tensor([2.0, 3.0], requires_grad=True)
    b = torch.tensor([6.0, 4.0], requires_grad=True)
    (3 * a**3 - b**2).backward(torch.tensor([1.0, 10.0]))
    return {"a": a.grad.tolist(), "b": b.grad.tolist()}


# ------------------------------------------------------------------------------ one number


@pytest.mark.parametrize(("i", "case"), [*enumerate(PROGRAMS, 1)])
def test_right_answers_are_torchs(i, case):
    leaves, result, leaf = case
    names = program(torch, leaves, result)
    names["L"].backward()
    quiz = PredictTheGradient()
    quiz.jump(i)
    assert quiz.check(names[leaf].grad).startswith("Right.")
    assert (quiz.right(), quiz.open()) == (1, 0)
    assert [engine for engine, _ in quiz.question.answers] == ["autogradlab", "PyTorch"]


@pytest.mark.parametrize("i", range(1, len(PROGRAMS) + 1))
def test_wrong_answers_are_named_and_drawn(i):
    quiz = PredictTheGradient()
    quiz.jump(i)
    for mistake in quiz.question.mistakes:
        assert quiz.check(mistake.values).startswith(f"Not yet. {mistake.title} {mistake.reason}")
        assert quiz.sentence.endswith(mistake.summary)
        assert mistake.name in quiz.view.panels[0]
        ET.fromstring(quiz.svg())
    assert quiz.check(123456).startswith("Not yet. This is none of the usual mistakes.")
    ET.fromstring(quiz.svg())
    assert (quiz.right(), quiz.open()) == (0, 1)


def test_the_incoming_gradient_forgotten():
    quiz = PredictTheGradient()
    quiz.jump(PROGRAM_3)
    said = quiz.check(4)
    assert "The incoming gradient is missing. 4 is b, the local derivative of a·b" in said
    assert said.endswith("6 × 4 = 24.")
    assert quiz.sentence.startswith("Not yet. You said 4, the gradient at a is 24.")
    assert "gap 20, or × 6" in quiz.svg()


def test_many_paths_are_not_all_written():
    x = torch.tensor(2.0, requires_grad=True)
    quiz = PredictTheGradient(x + x + x + x + x, x=x)
    assert quiz.check(5) == "Right. The gradient at x is 5. 1 + 1 + … + 1 = 5."


def test_where_paths_meet_gradients_add():
    d = torch.tensor(5.0, requires_grad=True)
    quiz = PredictTheGradient(2 * d + d**2, d=d)
    assert "A path is missing. 2 comes back through 2·d." in quiz.check(2)
    assert "The paths are multiplied." in quiz.check(20)
    assert "The incoming gradient is missing" not in quiz.check(12)


NO_NUMBERS = ["", " ", "four", None, [1, 2], float("nan"), "inf", object(), "1/0", "9" * 9999]


@pytest.mark.parametrize("answer", NO_NUMBERS)
def test_no_answer_raises(answer):
    quiz = PredictTheGradient()
    assert quiz.check(answer).startswith("Not yet.")
    assert (quiz.right(), quiz.open(), quiz.verdict.values) == (0, 0, None)
    assert "agl-line" not in quiz.view.panels[0], "the gradient was given away"


@pytest.mark.parametrize("answer", ["0.75", "0,75", " 3/4 ", ".75", "[0.75]", "7.5e-1"])
def test_ways_to_write_a_number(answer):
    quiz = PredictTheGradient()
    quiz.jump(9)  # 3·sqrt(a) at a = 4
    assert quiz.check(answer).startswith("Right.")


def test_a_gradient_that_is_not_finite():
    x = torch.tensor(0.0, requires_grad=True)
    quiz = PredictTheGradient(x.sqrt(), x=x)
    assert quiz.check(1).startswith("Not yet.") and quiz.check("inf").startswith("Right.")


# ---------------------------------------------------------------------------------- vectors


@pytest.mark.parametrize("engine", ENGINES)
def test_vectors_answered_as_lists_text_or_tensors(engine):
    quiz = vectors(engine)
    for leaf, grad in ((q.leaf, grads_of_torch()[q.leaf]) for q in quiz.questions):
        for answer in (grad, str(grad), ", ".join(map(str, grad)), engine.tensor(grad)):
            assert quiz.check(answer).startswith("Right."), (leaf, answer)
        quiz.next()
    assert quiz.right() == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_with_a_row_for_each_element(engine):
    quiz = vectors(engine)
    right = grads_of_torch()[quiz.question.leaf]
    said = quiz.check([right[0], -10])
    assert "The local derivative is missing. [−1, −10] is the gradient that came in." in said
    rows = quiz.view.panels[0].partition("</table>")[0].split("<tr>")[2:]
    assert len(rows) == 2
    assert "✓ right" in rows[0] and "incoming only" in rows[1]
    assert f"{abs(right[1] + 10):.0f}" in rows[1], "the gap"
    assert "The usual wrong answers" in quiz.view.panels[0]


def test_an_operation_that_does_not_multiply():
    x = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    quiz = PredictTheGradient(x.mean(), x=x)
    assert "mean(x) changes the gradient. 1 is what came in" in quiz.check([1, 1, 1, 1])


@pytest.mark.parametrize(("answer", "count"), [("3", 1), ([1, 2, 3], 3), (np.ones((2, 2)), 4)])
def test_a_wrong_length_is_told(answer, count):
    quiz = vectors(torch)
    assert f"b has 2 elements, and so has its gradient; you gave {count}." in quiz.check(answer)


@pytest.mark.parametrize("answer", ["[3, x]", "nan, 1", [float("inf"), 0], "3,,5", "3 5"])
def test_a_vector_that_is_none(answer):
    quiz = vectors(torch)
    assert quiz.check(answer).startswith("Not yet.") and quiz.verdict.values is None


def test_a_matrix():
    m = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    loss = (m**2).sum()
    quiz = PredictTheGradient(loss, m=m)
    loss.backward()
    assert "incoming gradient" not in quiz.check("1, 1, 1, 2")
    assert "m[1][0]" in quiz.view.panels[0]
    assert quiz.check(m.grad).startswith("Right.")


def test_too_many_numbers_are_refused():
    v = torch.ones(9, requires_grad=True)
    with pytest.raises(ValueError, match="1 to 8 numbers"):
        PredictTheGradient(v.sum(), v=v)


# ------------------------------------------------------------------------- pictures and forms


@pytest.mark.parametrize("engine", ENGINES)
def test_a_question_of_ones_own_leaves_no_trace(engine):
    x = engine.tensor(4.0, requires_grad=True)
    quiz = PredictTheGradient(x**2, x=x)
    assert quiz.check("8").startswith("Right.") and x.grad is None


def test_both_engines_ask_the_same():
    ours, theirs = (vectors(engine) for engine in ENGINES)
    for answer in ("[12, 8]", "7, 7"):
        assert ours.check(answer) == theirs.check(answer)
        assert ours.svg() == theirs.svg() and ours.sentence == theirs.sentence


def test_the_asked_gradient_is_not_in_the_picture():
    quiz = PredictTheGradient()
    quiz.jump(PROGRAM_3)
    asked = quiz.svg()
    assert ">?</text>" in asked and ">24</text>" not in asked and ">6</text>" in asked
    assert asked == quiz.svg()
    quiz.check(24)
    assert ">?</text>" not in quiz.svg() and ">24</text>" in quiz.svg()


def test_an_asked_gradient_waits_for_what_runs_before():
    x = torch.tensor(2.0, requires_grad=True)
    quiz = PredictTheGradient(x * (x + 3), x=x)  # the sum runs after the product
    phases = sorted(n.phase for n in quiz.look.nodes.values())
    assert phases == ["done", "plain", "ready", "waiting"]
    assert quiz.svg().count(">?</text>") == 2


def test_picture_and_sentence_come_with_the_widget():
    bundle = PredictTheGradient()._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Question 1 of 10. Which gradient arrives at a?")
    assert ET.fromstring(bundle["image/svg+xml"]).get("role") == "img"
    text = bundle["image/svg+xml"]
    assert all(word not in text for word in ("var(", "<script", "foreignObject", "class="))


def test_the_form():
    quiz = PredictTheGradient()

    def press(button: str, answer: str = "") -> str:
        quiz.view._handle_custom_msg({"button": button, "answer": answer}, [])
        return quiz.view.panels[0]

    assert ">Try again<" in press("check", "1") and quiz.view.tag == "0 right, 1 open"
    assert ">Check<" in press("check", "1") and quiz.verdict is None  # unchanged: taken away
    press("check", "1")
    assert "✓" in press("check", "6"), "a changed answer is checked"
    assert quiz.view.tag == "1 right, 0 open"
    press("next")
    assert quiz.position == 2 and quiz.view.expression == "question 2 of 10"
    press("back")
    assert quiz.position == 1 and "✓" in quiz.view.panels[0]
    press("back")
    assert quiz.position == 10
    with pytest.raises(ValueError, match="1 to 10"):
        quiz.jump(11)


def test_names_and_answers_are_escaped():
    a = autogradlab.tensor(2.0, requires_grad=True)
    quiz = PredictTheGradient(a * a, {"<img src=x onerror=alert(1)>": a})
    quiz.check("<script>alert(1)</script>")
    state = json.dumps([quiz.view.variants, quiz.view.panels]) + quiz.svg()
    assert "<img" not in state and "<script" not in state


def test_without_a_renderer_the_sentence_remains(monkeypatch):
    monkeypatch.setattr(layout_module.shutil, "which", lambda *args, **kwargs: None)
    quiz = PredictTheGradient()
    plain = quiz._repr_mimebundle_()
    assert list(plain) == ["text/plain"] and "graphviz-pure" in plain["text/plain"]
    assert quiz.check(6).startswith("Right.")


def test_the_state_can_be_pasted():
    quiz = PredictTheGradient()
    quiz.jump(3)
    quiz.check("4")
    quiz.jump(5)
    text = json.dumps(quiz.state())
    again = PredictTheGradient.from_state(text)
    assert again.state() == quiz.state() and again.position == 5
    assert again.verdicts[3].sentence == quiz.verdicts[3].sentence and again.open() == 1


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"position": 99}, "there are 10 questions"),
        ({"position": 0}, "there are 10 questions"),
        ({"answers": {"77": "1"}}, "there are 10 questions"),
        ({"answers": {"x": "1"}}, "answers is"),
        ({"answers": {"1": 3}}, "answers is"),
        ({"answers": ["1"]}, "answers is"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, words):
    with pytest.raises(ValueError, match=words):
        PredictTheGradient.from_state({"instrument": "PredictTheGradient", **state})


def test_controls_can_be_left_out():
    quiz = PredictTheGradient(controls=["navigation"])
    quiz.jump(3)
    quiz.check("4")
    assert "agl-why" not in quiz.view.panels[0] and "Next question" in quiz.view.panels[0]
    quiz = PredictTheGradient(controls=[])
    quiz.check("999")
    assert "Next question" not in quiz.view.panels[0] and "agl-why" not in quiz.view.panels[0]
    with pytest.raises(ValueError, match="no control"):
        PredictTheGradient(controls=["hints"])
