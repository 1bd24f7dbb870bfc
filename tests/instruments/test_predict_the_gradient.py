"""Ten questions: the right answers are torch's, each usual mistake is told its name."""

import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.instruments import PredictTheGradient
from autogradlab.instruments.predict_the_gradient import QUESTIONS, program


def questions() -> list:
    return list(enumerate(QUESTIONS))


@pytest.mark.parametrize(("i", "question"), questions())
def test_right_answers_are_torchs(i, question):
    leaves, result, leaf = question
    names = program(torch, leaves, result)
    names["L"].backward()
    quiz = PredictTheGradient()
    quiz.position = i
    assert quiz.check(names[leaf].grad.item()).startswith("Right.")
    assert quiz.right() == 1


@pytest.mark.parametrize("i", range(len(QUESTIONS)))
def test_wrong_answers_are_named_and_drawn(i):
    quiz = PredictTheGradient()
    quiz.position = i
    for value, _, words in quiz.question.wrong:
        assert quiz.check(value) == f"Not yet. {words}"
        ET.fromstring(quiz.gap())
    assert quiz.check(123456).startswith("Not yet. You said")


def test_the_incoming_gradient_forgotten():
    quiz = PredictTheGradient()
    quiz.position = 2  # (a·b + c)²
    assert "The incoming gradient is missing. 4 is b, the local derivative" in quiz.check(4)
    assert "6 × 4 = 24" in quiz.check(4)


@pytest.mark.parametrize("answer", ["", "four", None, [1], float("nan"), float("inf"), object()])
def test_no_answer_raises(answer):
    assert PredictTheGradient().check(answer).startswith("Not yet.")


@pytest.mark.parametrize("engine", [autogradlab, torch])
def test_a_question_of_ones_own(engine):
    x = engine.tensor(4.0, requires_grad=True)
    quiz = PredictTheGradient(x**2, x=x)
    assert quiz.check("8").startswith("Right.") and x.grad is None
    with pytest.raises(ValueError, match="one element"):
        v = engine.ones(2, requires_grad=True)
        PredictTheGradient(v.sum(), v=v)


def test_picture_question_and_buttons():
    quiz = PredictTheGradient()
    bundle = quiz._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Which gradient arrives at a?")
    ET.fromstring(bundle["image/svg+xml"])
    top, row, gap = quiz.widget().children
    row.children[0].value = "6"
    row.children[1].click()
    assert "Right." in gap.value and "1 right" in top.value
    row.children[2].click()
    assert quiz.position == 1 and "question 2 of 10" in top.value and gap.value == ""
