"""Every exercise: its right answer is PyTorch's, in any form; its usual wrong answers are named;
nothing a learner hands over makes the checker raise, hang, or tell the solution."""

import math
import re
import threading
import time

import numpy as np
import pytest
import torch

from autogradlab.lessons import Exercise, chain_rule, exercise, progress, start_here, vjp

LESSONS = (start_here, chain_rule, vjp)
EXERCISES = [
    each for lesson in LESSONS for each in vars(lesson).values() if isinstance(each, Exercise)
]


def leaf(*values):
    return torch.tensor(values if len(values) > 1 else values[0], requires_grad=True)


def gradients(function, *leaves, incoming=None):
    """What PyTorch's backward leaves in each leaf."""
    leaves = [leaf(value) if isinstance(value, float) else value for value in leaves]
    return torch.autograd.grad(function(*leaves), leaves, incoming)


def local_rule(function):
    return lambda g, *inputs: [
        float(each) for each in gradients(function, *inputs, incoming=torch.as_tensor(g))
    ]


def jacobian():
    outputs = lambda x: torch.stack([x[0] + x[1], x[0] - x[1], 2 * x[0]])  # noqa: E731
    return torch.autograd.functional.jacobian(outputs, torch.tensor([3.0, 5.0]))


def q(a, b):
    return 3 * a**3 - b**2


def backward_twice():
    x = leaf(3.0)
    y = x**2
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


FROM_TORCH = {
    start_here.number: lambda: gradients(lambda x: x**2, 5.0)[0],
    start_here.vector: lambda: gradients(lambda p: (p * p).sum(), leaf(1.0, 4.0, -3.0))[0],
    start_here.function: lambda x: gradients(lambda x: x**2, x)[0],
    chain_rule.add_rule: local_rule(lambda a, b: a + b),
    chain_rule.sub_rule: local_rule(lambda a, b: a - b),
    chain_rule.mul_rule: local_rule(lambda a, b: a * b),
    chain_rule.square_rule: local_rule(lambda a: a**2),
    chain_rule.exp_rule: local_rule(torch.exp),
    chain_rule.max_rule: local_rule(torch.maximum),
    chain_rule.through_max: lambda: gradients(
        lambda a: 3.0 * torch.maximum(a * 5.0, torch.tensor(4.0)), 2.0
    )[0],
    chain_rule.shared: lambda: gradients(lambda x: x * x + 3 * x, 2.0)[0],
    chain_rule.whole_pass: lambda a, b, c: [
        float(each) for each in gradients(lambda a, b, c: torch.sin((a * b + c) ** 2), a, b, c)
    ],
    vjp.weighted: lambda: gradients(
        q, leaf(2.0, 3.0), leaf(6.0, 4.0), incoming=torch.tensor([1.0, 10.0])
    )[0],
    vjp.row: lambda: torch.tensor([0.0, 0.0, 1.0]),
    vjp.silent: lambda: torch.linalg.svd(jacobian())[0][:, 2],  # the direction J maps to zero
    vjp.twice: backward_twice,
    vjp.product: lambda v, J: torch.func.vjp(
        lambda x: torch.as_tensor(J) @ x, torch.zeros(len(J[0]))
    )[1](torch.as_tensor(v))[0],
}


def test_every_exercise_is_tested():
    assert set(FROM_TORCH) == set(EXERCISES) == set(ACCEPTED) == {each for each, _, _ in WRONG}


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_the_right_answer_is_pytorchs(each):
    answer = FROM_TORCH[each] if each.cases[0] else FROM_TORCH[each]()
    assert each.check(answer).state == "right", each.check(answer)
    own = each.right if each.cases[0] or not callable(each.right) else each.right()
    assert each.check(own).state == "right"


def test_the_jacobian_in_the_diagnoses_is_pytorchs():
    np.testing.assert_allclose(vjp.JACOBIAN, jacobian())


def larger_takes_all(g, a, b):
    if a > b:
        return g, 0
    return 0, g


def long_way(a, b, c):
    s = a * b + c
    g = (s * s).cos() * 2 * s
    return g * b, g * a, g


ACCEPTED = {
    start_here.number: [10, 10.0, 2 * 5, np.float32(10), np.array([10]), torch.tensor(10), [10]],
    start_here.vector: [
        [2, 8, -6],
        (2.0, 8.0, -6.0),
        np.array([[2, 8, -6]]),
        torch.tensor([2.0, 8.0, -6.0], requires_grad=True),
        [torch.tensor(2.0), 8, np.float64(-6)],
    ],
    start_here.function: [lambda x: 2 * x, lambda t: t + t, lambda x: 2.0 * float(x)],
    chain_rule.add_rule: [lambda g, a, b: (g, g), lambda g, a, b: [1 * g, g + 0 * a]],
    chain_rule.sub_rule: [lambda g, a, b: (g, -g), lambda g, a, b: np.array([1, -1]) * float(g)],
    chain_rule.mul_rule: [lambda g, a, b: (g * b, g * a), lambda up, x, y: (y * up, x * up)],
    chain_rule.square_rule: [
        lambda g, a: 2 * a * g,
        lambda g, a: g * a + g * a,
        lambda g, a: g * (2 * a ** (2 - 1)),
        lambda g, a: np.multiply(g, 2 * a),
    ],
    chain_rule.exp_rule: [
        lambda g, a: g * a.exp(),
        lambda g, a: g * torch.exp(a),
        lambda g, a: g * math.exp(a),
        lambda g, a: np.exp(a) * g,
        lambda g, a: g * math.e**a,
    ],
    chain_rule.max_rule: [
        larger_takes_all,
        lambda g, a, b: (g * (a > b), g * (a < b)),
        lambda g, a, b: (np.where(a > b, g, 0), np.where(a > b, 0, g)),
        lambda g, a, b: (torch.where(a > b, g, 0), torch.where(b > a, g, 0)),
    ],
    chain_rule.through_max: [15, 3 * 5, torch.tensor([15.0])],
    chain_rule.shared: [7, 2 + 2 + 3, np.array(7)],
    chain_rule.whole_pass: [long_way],
    vjp.weighted: [[36, 810], torch.tensor([36.0, 810.0]), (9 * 2**2 * 1, 9 * 3**2 * 10)],
    vjp.row: [
        [0, 0, 1],
        np.eye(3)[2],
        torch.tensor([[0.0, 0.0, 1.0]]),
        [1, 1, 0],  # of this Jacobian the first two rows add up to the last
        [0.5, 0.5, 0.5],
    ],
    vjp.silent: [[1, 1, -1], (-2, -2, 2), np.array([0.5, 0.5, -0.5]), torch.tensor([3.0, 3, -3])],
    vjp.twice: [12, 6 + 6, torch.tensor(12.0)],
    vjp.product: [
        lambda v, J: v @ J,
        lambda v, J: (v[:, None] * J).sum(0),
        lambda v, J: [sum(v[i] * J[i][j] for i in range(len(v))) for j in range(len(J[0]))],
        lambda v, J: np.dot(np.asarray(J).T, np.asarray(v)),
        lambda v, J: J.T @ v,
    ],
}


@pytest.mark.parametrize(
    ("each", "answer"),
    [(each, answer) for each, answers in ACCEPTED.items() for answer in answers],
)
def test_right_answers_are_accepted_in_any_form(each, answer):
    verdict = each.check(answer)
    assert verdict.state == "right", verdict
    assert repr(verdict) == f"✓ Right. {each.why}"


WRONG = [
    (start_here.number, 25, "That is the value."),
    (start_here.number, 5, "The 2 is missing."),
    (start_here.number, 2, "The x is missing."),
    (start_here.number, 6, "That is the gradient at 3."),
    (start_here.number, 11, "11 is not it. Open hint 1."),
    (start_here.number, -10, "The size of −10 is right, a sign is not."),
    (start_here.number, 9.99, "That is near, but not it."),
    (start_here.vector, [2, 2, 2], "p is missing. [2, 2, 2] is the same"),
    (start_here.vector, [2, None, -6], "The answer is made of numbers; this is None."),
    (start_here.vector, [True, False, True], "[1, 0, 1] is not it."),
    (start_here.function, lambda x: 2**x, "8 is 2 to the power of x"),
    (start_here.function, lambda x: ((x + 1e-3) ** 2 - x**2) / 1e-3, "measured with a nudge?"),
    (start_here.function, lambda x: x ^ 2, "(in Python a power is written **, not ^)"),
    (start_here.vector, [1, 16, 9], "Those are the values."),
    (start_here.vector, [1, 4, -3], "The 2 is missing."),
    (start_here.vector, [2, 8, 6], "A sign is lost."),
    (start_here.vector, 4, "The elements are added up."),
    (start_here.vector, [2, 8], "The answer is 3 numbers; this is 2 numbers."),
    (start_here.function, lambda x: x * x, "For x = 3: That is the value. 9 is x²"),
    (start_here.function, lambda x: x, "The 2 is missing."),
    (start_here.function, lambda x: 2, "The x is missing."),
    (start_here.function, lambda x: 6, "For x = −1.5: That is the gradient at 3 only."),
    (chain_rule.add_rule, lambda g, a, b: (1, 1), "multiply each of them by the 6 that came in"),
    (chain_rule.add_rule, lambda g, a, b: (g / 2, g / 2), "The gradient is shared out."),
    (chain_rule.add_rule, lambda g, a, b: (g * b, g * a), "That is the rule of a product."),
    (chain_rule.add_rule, lambda g, a, b: (g * a, g * b), "The values are in the way."),
    (chain_rule.add_rule, lambda g, a, b: (a, b), "Those are the values. [2, 4] went forward"),
    (chain_rule.add_rule, lambda g, a, b: (g + a, g + b), "You added the values"),
    (chain_rule.sub_rule, lambda g, a, b: (g, g), "The minus is lost."),
    (chain_rule.sub_rule, lambda g, a, b: (1, -1), "The incoming gradient is missing."),
    (chain_rule.sub_rule, lambda g, a, b: (-g, g), "The minus is on the wrong input."),
    (chain_rule.mul_rule, lambda g, a, b: (b, a), "multiply it by the 6 that came in"),
    (chain_rule.mul_rule, lambda g, a, b: (g * a, g * b), "The inputs are not swapped."),
    (chain_rule.mul_rule, lambda g, a, b: (g, g), "The local derivative is missing."),
    (chain_rule.mul_rule, lambda g, a, b: (g + b, g + a), "You added. [10, 8] is"),
    (chain_rule.mul_rule, lambda g, a, b: (a, b), "Those are the values."),
    (chain_rule.mul_rule, lambda g, a, b: g * b, "The answer is 2 numbers; this is 1 number."),
    (chain_rule.square_rule, lambda g, a: 2 * a, "6 is 2a, the local derivative"),
    (chain_rule.square_rule, lambda g, a: g * a, "The 2 is missing."),
    (chain_rule.square_rule, lambda g, a: g * a**2, "That is the value."),
    (chain_rule.square_rule, lambda g, a: 2 * g, "The a is missing."),
    (chain_rule.exp_rule, lambda g, a: a.exp(), "The incoming gradient is missing."),
    (chain_rule.exp_rule, lambda g, a: g * a, "The local derivative is not a."),
    (chain_rule.exp_rule, lambda g, a: g, "You passed the incoming 5 on unchanged"),
    (chain_rule.exp_rule, lambda g, a: g * 2.718**a, "Was it rounded"),
    (chain_rule.exp_rule, lambda g, a: g * a * math.exp(a - 1), "That is the rule of a power."),
    (chain_rule.max_rule, lambda g, a, b: (g, 0), "The wrong input is served."),
    (chain_rule.max_rule, lambda g, a, b: (0, g), "For g = −1, a = 0.5, b = −3: The wrong input"),
    (chain_rule.max_rule, lambda g, a, b: (g, g), "Both are served."),
    (chain_rule.max_rule, lambda g, a, b: (None, g), "this is None."),
    (chain_rule.max_rule, lambda g, a, b: (a > b, b > a), "The incoming gradient is missing."),
    (chain_rule.max_rule, lambda g, a, b: (0, 1), "The incoming gradient is missing."),
    (chain_rule.max_rule, lambda g, a, b: (0, g * b), "The value is in the way."),
    (chain_rule.max_rule, lambda g, a, b: (g / 2, g / 2), "The gradient is shared out."),
    (chain_rule.through_max, 5, "multiply it by the 3 that came in"),
    (chain_rule.through_max, 3, "The local derivative is missing."),
    (chain_rule.through_max, 6, "That is the other factor."),
    (chain_rule.through_max, 8, "You added. 8 is 3 + 5"),
    (chain_rule.through_max, 10, "That is a value. 10 is a · b"),
    (chain_rule.through_max, 0, "The wrong input is served."),
    (chain_rule.through_max, 30, "That is the value."),
    (chain_rule.shared, 4, "A path is missing. 4 is what x · x sends"),
    (chain_rule.shared, 5, "A path is missing. 5 is 2 + 3"),
    (chain_rule.shared, 3, "A path is missing. 3 is what 3 · x sends"),
    (chain_rule.shared, 12, "You multiplied the paths."),
    (chain_rule.shared, 10, "That is the value."),
    (chain_rule.whole_pass, lambda a, b, c: (b, a, 1), "The incoming gradient is missing."),
    (
        chain_rule.whole_pass,
        lambda a, b, c: (long_way(a, b, c)[1], long_way(a, b, c)[0], long_way(a, b, c)[2]),
        "The inputs of a · b are not swapped.",
    ),
    (
        chain_rule.whole_pass,
        lambda a, b, c: [each / 2 for each in long_way(a, b, c)],
        "The 2 of the square is missing.",
    ),
    (
        chain_rule.whole_pass,
        lambda a, b, c: [each / 2 / (a * b + c) for each in long_way(a, b, c)],
        "The square is missing.",
    ),
    (
        chain_rule.whole_pass,
        lambda a, b, c: [2 * (a * b + c) * each for each in (b, a, 1)],
        "The first step is missing.",
    ),
    (
        chain_rule.whole_pass,
        lambda a, b, c: [each * torch.tan((a * b + c) ** 2) for each in long_way(a, b, c)],
        "The local derivative of the sine is missing.",
    ),
    (
        chain_rule.whole_pass,
        lambda a, b, c: [torch.cos(a * b + c) * 2 * (a * b + c) * each for each in (b, a, 1)],
        "The cosine is taken at the wrong place.",
    ),
    (vjp.weighted, [36, 81], "v is missing. [36, 81] is 9a²"),
    (vjp.weighted, [1, 10], "The local derivative is missing."),
    (vjp.weighted, [12, 270], "The 3 of 3a³ is missing."),
    (vjp.weighted, 846, "The elements are added up."),
    (vjp.weighted, [37, 91], "You added."),
    (vjp.row, [2, 0], "That is the row itself."),
    (vjp.row, [0, 1, 0], "That is another row. [0, 1, 0] extracts the second one."),
    (vjp.row, [1, 0, 0], "That is another row. [1, 0, 0] extracts the first one."),
    (vjp.row, [1, 1, 1], "Those are all rows, added up."),
    (vjp.row, [0, 1], "one number for each input"),
    (vjp.row, [0, 1, 1], "[0, 1, 1] gives x.grad = [3, −1], not [2, 0]."),
    (vjp.silent, [0, 0, 0], "Find a v with a number that is not 0."),
    (vjp.silent, [1, 1, 1], "One row must be taken away"),
    (vjp.silent, [1, -1], "one number for each input"),
    (vjp.silent, [1, 2, 3], "[1, 2, 3] gives x.grad = [9, −1], not [0, 0]."),
    (vjp.twice, 6, "The second call is missing."),
    (vjp.twice, 36, "You multiplied."),
    (vjp.twice, 18, "That is the value, twice."),
    (vjp.twice, 0, "Nothing sets .grad back"),
    (vjp.product, lambda v, J: J @ v[: len(J[0])], "That is J times v"),
    (vjp.product, lambda v, J: v[:, None] * J, "The sum is missing."),
    (vjp.product, lambda v, J: v[: len(J[0])] * J, "v lies along the wrong side."),
    (vjp.product, lambda v, J: J.sum(0), "v is missing."),
]


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    verdict = each.check(answer)
    assert verdict.state == "not yet"
    assert diagnosis in verdict.text
    assert verdict.text.startswith("Not yet. ") and "\n" not in verdict.text
    assert not each.solved


def test_three_wrong_answers_and_every_named_mistake_are_tried():
    for each in EXERCISES:
        tried = [wrong[2] for wrong in WRONG if wrong[0] is each]
        assert len(tried) >= 3
        for mistake in each.mistakes:
            pattern = re.sub(r"\\\{\w+\\\}", ".*", re.escape(mistake.says))
            said = [each.check(wrong[1]).text for wrong in WRONG if wrong[0] is each]
            assert any(re.search(pattern, text) for text in said), mistake.says


SECRETS = {  # what would give a function away
    start_here.function: ["2 * x", "2x"],
    chain_rule.add_rule: ["g, g"],
    chain_rule.sub_rule: ["-g", "−g"],
    chain_rule.mul_rule: ["g * b", "g · b"],
    chain_rule.square_rule: ["2 * a * g", "g * 2"],
    chain_rule.exp_rule: ["exp(a) *", "g * exp", "g · exp"],
    chain_rule.max_rule: ["a > b", "b > a", "a < b"],
    chain_rule.whole_pass: ["cos(", "2 * "],
    vjp.product: ["@", ".sum"],
}


@pytest.mark.parametrize(("each", "answer", "_"), WRONG)
def test_a_diagnosis_never_tells_the_solution(each, answer, _):
    text = each.check(answer).text
    for case in each.cases:
        listing = exercise._listing(case)
        if listing in text:  # the case that is answered wrongly
            right = exercise.show(exercise._value(each.right, case))
            told = text.replace(listing, "") if listing else text
            assert not re.search(rf"(?<![\w.−]){re.escape(right)}(?![\w.])", told)
    assert not [secret for secret in SECRETS.get(each, ()) if secret in text]


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_an_untouched_stub_is_not_tried_yet(each):
    assert repr(each.check(...)) == repr(each.check(None)) == "not tried yet"
    if each.cases[0]:
        assert repr(each.check(lambda *inputs: ...)) == "not tried yet"
        assert repr(each.check(lambda *inputs: (..., ...))) == "not tried yet"


def raises(*inputs):
    raise ZeroDivisionError("division by zero\nand more")


def leaves(*inputs):
    raise SystemExit(3)


def recurses(*inputs):
    return recurses(*inputs)


class Hostile:
    def __array__(self, *args, **kwargs):
        raise LookupError("no")

    def __eq__(self, other):
        raise LookupError("no")

    __hash__ = None


BAD = [
    ("24", "The answer is made of numbers; this is text, '24'."),
    (True, "this is True"),
    ({"a": 1}, "this is a dict"),
    (3 + 4j, "this is a complex"),
    (object, "This is a function."),
    (float("nan"), "nan is not finite"),
    (float("-inf"), "−inf is not finite"),
    (10**400, "OverflowError"),
    (1e300, "1.0e300"),
    ([], "this is 0 numbers"),
    ([1, [2, 3]], "The parts of the answer have different lengths."),
    (np.ones((2, 3)), "this is 2 × 3 numbers"),
    (torch.tensor(True), "this is True"),
    (torch.ones(3, dtype=torch.bfloat16), "TypeError"),
    (Hostile(), "LookupError: no"),
    (np.array("<b>"), "this is an ndarray"),
]


@pytest.mark.parametrize(("answer", "said"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_an_answer_of_the_wrong_type_or_shape_is_diagnosed(answer, said):
    verdict = start_here.number.check(answer)
    assert verdict.state == "not yet" and (said in verdict.text or said == "1.0e300"), verdict


BAD_FUNCTIONS = [
    (12, "Hand over the function by its name; this is an int."),
    (lambda *inputs: None, "the function returned None. End it with return."),
    (lambda *inputs: "6", "this is text, '6'"),
    (lambda *inputs: [1, 2, 3], "The answer is 2 numbers; this is 3 numbers."),
    (lambda *inputs: (math.nan, 1), "[nan, 1] is not finite"),
    (lambda: 1, "the function raised TypeError"),
    (raises, "For g = 6, a = 2, b = 4 the function raised ZeroDivisionError: division by zero"),
    (leaves, "It raised SystemExit: 3"),
    (recurses, "RecursionError"),
]


@pytest.mark.parametrize(("answer", "said"), BAD_FUNCTIONS)
def test_a_function_of_the_wrong_kind_is_diagnosed(answer, said):
    verdict = chain_rule.add_rule.check(answer)
    assert verdict.state == "not yet" and said in verdict.text, verdict
    assert "and more" not in verdict.text


def test_a_function_that_loops_for_ever_is_stopped(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.2)
    turns = [0]

    def loops(g, a, b):
        while True:
            try:
                turns[0] += 1
            except Exception:
                turns[0] = 0

    assert "still running after 0.2 s and was stopped" in chain_rule.add_rule.check(loops).text
    time.sleep(0.3)
    before = turns[0]
    time.sleep(0.1)
    assert turns[0] == before, "the loop runs on behind the lesson's back"


def test_an_answer_that_swallows_the_stop_is_stopped_again(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.2)
    swallowed = []

    def stubborn(g, a, b):
        while len(swallowed) < 3:
            try:
                while True:
                    pass
            except BaseException as stop:
                swallowed.append(stop)

    threads = threading.active_count()
    assert "was stopped" in chain_rule.add_rule.check(stubborn).text
    assert len(swallowed) == 3 and threading.active_count() == threads


def test_a_verdict_is_text_and_escaped_html():
    verdict = start_here.number.check("<b>&")
    assert repr(verdict) == verdict.text == str(verdict)
    assert "&lt;b&gt;&amp;" in verdict._repr_html_() and "<b>" not in verdict._repr_html_()


def test_progress_is_one_line_and_remembers():
    assert repr(progress(start_here)) == "0 of 3 exercises right · open: 1, 2, 3"
    start_here.vector.check([2, 8, -6])
    start_here.vector.check([1, 4, -3])  # once right is right
    assert repr(progress(start_here)) == "1 of 3 exercises right · open: 1, 3"
    start_here.number.check(10)
    start_here.function.check(lambda x: 2 * x)
    assert repr(progress(start_here)) == "✓ 3 of 3 exercises right"


def test_progress_can_be_printed(capsys):
    print(progress(start_here))
    assert capsys.readouterr().out == "0 of 3 exercises right · open: 1, 2, 3\n"
    assert progress(start_here)._repr_html_().count("<") == 2  # as HTML it is one line, too
