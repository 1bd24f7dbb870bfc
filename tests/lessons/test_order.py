"""The engine in five steps: what is right is PyTorch's, and the usual slips are named."""

import sys
import time

import numpy as np
import pytest
import torch

from autogradlab.engine import backward as package_backward
from autogradlab.lessons import exercise, order

STEPS = (order.remember, order.rules, order.sort, order.run, order.fit)


# ------------------------------------------------------------------------------ right answers


class Value:
    def __init__(self, data, parents=(), op=""):
        self.data, self.parents, self.op, self.grad = data, parents, op, 0.0

    def __add__(self, other):
        return type(self)(self.data + other.data, (self, other), "+")

    def __mul__(self, other):
        return type(self)(self.data * other.data, (self, other), "*")

    def __pow__(self, n):
        return type(self)(self.data**n, (self, type(self)(n)), "**")


class Listed(Value):
    """With a list of parents and other names."""

    def __init__(self, number, came_from=(), how=""):
        super().__init__(float(number), list(came_from), how)


def local(op, g, a, b):
    return {
        "+": lambda: (g, g),
        "*": lambda: (g * b, g * a),
        "**": lambda: (g * b * a ** (b - 1), 0),
    }[op]()


def local_in_full(op, g, a, b):
    """The exponent gets its true gradient; by way of torch."""
    x, n = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (a, b))
    {"+": x + n, "*": x * n, "**": x**n}[op].backward(torch.tensor(g, dtype=torch.float64))
    return [x.grad.item(), n.grad.item()]


def counted(root):
    uses, stack = {root: 0}, [root]
    while stack:
        for parent in stack.pop().parents:
            if parent not in uses:
                uses[parent] = 0
                stack.append(parent)
            uses[parent] += 1
    ready, found = [root], []
    while ready:
        value = ready.pop()
        found.append(value)
        for parent in value.parents:
            uses[parent] -= 1
            if not uses[parent]:
                ready.append(parent)
    return found


def after_its_parents(root):
    """Depth first with a stack, then turned round; an iterator."""
    done, seen, stack = [], set(), [(root, False)]
    while stack:
        value, finished = stack.pop()
        if finished:
            done.append(value)
        elif value not in seen:
            seen.add(value)
            stack.append((value, True))
            stack += [(parent, False) for parent in value.parents]
    return iter(done[::-1])


def counts_each_pair_once(root):
    """x · x is counted once and taken off twice."""
    uses, stack = {root: 0}, [root]
    while stack:
        for parent in set(stack.pop().parents):
            if parent not in uses:
                uses[parent] = 0
                stack.append(parent)
            uses[parent] += 1
    ready, found = [root], []
    while ready:
        value = ready.pop()
        found.append(value)
        for parent in value.parents:
            uses[parent] -= 1
            if not uses[parent]:
                ready.append(parent)
    return found


def along_every_path(root, g=1.0):
    if not root.parents:
        root.grad += g
        return
    a, b = root.parents
    for parent, sent in zip((a, b), local(root.op, g, a.data, b.data), strict=True):
        along_every_path(parent, sent)


def send(arrived, value, g):
    a, b = value.parents
    for parent, sent in zip((a, b), local(value.op, g, a.data, b.data), strict=True):
        arrived[parent] = arrived.get(parent, 0.0) + sent


def backward(root):
    arrived = {root: 1.0}
    for value in counted(root):
        g = arrived.pop(value)
        if value.parents:
            send(arrived, value, g)
        else:
            value.grad += g


def backward_on_grads(root):
    """Gradients on their way are kept in .grad, which is emptied at the start."""
    values = counted(root)
    for value in values:
        if value.parents:
            value.grad = 0.0
    root.grad = 1.0
    for value in values:
        if value.parents:
            a, b = value.parents
            to_a, to_b = local(value.op, value.grad, a.data, b.data)
            a.grad += to_a
            b.grad += to_b
    return ...  # a line of the stub that was left standing


def trainer(
    zero=True, sign=-1.0, mean=False, last=False, less=0, wrap=False, power=2, label=1.0,
    moved="wb", new=False,
):  # fmt: skip
    def train(xs, ys, steps, rate):
        w, b = Value(0.0), Value(0.0)
        for _ in range(steps - less):
            loss = Value(0.0)
            for x, y in zip(xs[-1:] if last else xs, ys[-1:] if last else ys, strict=True):
                loss = loss + (w * Value(x) + b + Value(-label * y)) ** power
            if mean:
                loss = loss * Value(1 / len(xs))
            if zero:
                w.grad = b.grad = 0.0
            backward(loss)
            if new:  # a result instead of a leaf
                w, b = (v + Value(-rate * v.grad) for v in (w, b))
                continue
            w.data += sign * rate * w.grad * ("w" in moved)
            b.data += sign * rate * b.grad * ("b" in moved)
        return [w, b] if wrap else (w.data, b.data)

    return train


ACCEPTED = [
    (order.remember, Value),
    (order.remember, Listed),
    (order.rules, local),
    (order.rules, local_in_full),
    (order.sort, counted),
    (order.sort, after_its_parents),
    (order.run, backward),
    (order.run, backward_on_grads),
    (order.fit, trainer()),
    (order.fit, trainer(wrap=True)),
    (order.fit, lambda *given: np.array(trainer()(*given))),
    (order.fit, lambda *given: torch.tensor(trainer()(*given))),
    (order.rules, lambda *given: np.array(local(*given))),
]


@pytest.mark.parametrize(("each", "answer"), ACCEPTED)
def test_right_answers_are_accepted_in_any_form(each, answer):
    verdict = each.check(answer)
    assert verdict.state == "right", verdict
    assert "{" not in verdict.text and each.solved


def test_the_reference_is_pytorch_and_named():
    assert order.reference() == (torch, "PyTorch")
    assert "PyTorch's" in order.run.check(backward).text


def test_without_pytorch_the_package_itself_is_asked(monkeypatch):
    monkeypatch.setattr(order, "torch_or_none", lambda: None)
    for each, answer in ACCEPTED:
        verdict = each.check(answer)
        assert verdict.state == "right" and "PyTorch" not in verdict.text, verdict


# ------------------------------------------------------------------------------ wrong answers


def changed(**methods):
    return type("Value", (Value,), methods)


def plain_sum(self, other):
    return self.data + other.data


def with_rule(op, rule):
    return lambda o, g, a, b: rule(g, a, b) if o == op else local(o, g, a, b)


def breadth_first(root):
    found = [root]
    for value in found:
        for parent in value.parents:
            if parent not in found:
                found.append(parent)
    return found


def without_seen(root):
    found, stack = [], [root]
    while stack:
        found.append(stack.pop())
        stack += found[-1].parents
    return found


def late_dedup(root):
    return list(dict.fromkeys(without_seen(root)))


def left_first(root, found=None):
    found = [] if found is None else found
    if root not in found:
        found.append(root)
        for parent in root.parents:
            left_first(parent, found)
    return found


def recursive(root):
    done, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            for parent in value.parents:
                visit(parent)
            done.append(value)

    visit(root)
    return done[::-1]


def engine(seed=1.0, order=counted, add=True, leaf=True):
    def run(root):
        arrived = {root: seed}
        for value in order(root):
            g = arrived.pop(value, 0.0)
            if not value.parents:
                value.grad = value.grad + g if leaf else g
                continue
            a, b = value.parents
            for p, sent in zip((a, b), local(value.op, g, a.data, b.data), strict=True):
                arrived[p] = (arrived.get(p, 0.0) if add else 0.0) + sent

    return run


def in_grads(root):
    root.grad = 1.0
    for value in counted(root):
        if value.parents:
            a, b = value.parents
            to_a, to_b = local(value.op, value.grad, a.data, b.data)
            a.grad += to_a
            b.grad += to_b


def as_they_come(root, first=True):
    if first:
        root.grad = 1.0
    if value_parents := root.parents:
        a, b = value_parents
        for p, g in zip((a, b), local(root.op, root.grad, a.data, b.data), strict=True):
            p.grad += g
            as_they_come(p, False)


def calls_what_is_not_there(root):
    return order_of_step_3(root)  # noqa: F821


def counts_nothing(root):
    uses = {root: 0}
    for parent in root.parents:
        uses[parent] -= 1


def sends_nothing(root):
    arrived = {root: 1.0}
    for value in counted(root):
        value.grad += arrived.pop(value)


WRONG = [
    (order.remember, changed(__add__=plain_sum), "plain number 5.0, which has forgotten"),
    (order.remember, changed(__mul__=lambda s, o: Value.__add__(s, o)), "a * b has the data 5."),
    (order.remember, changed(__add__=lambda s, o: type(s)(s.data + o.data)), "no parents"),
    (
        order.remember,
        changed(__mul__=lambda s, o: type(s)(s.data * o.data, (s.data, o.data), "*")),
        "The parents of a * b are plain numbers.",
    ),
    (
        order.remember,
        changed(__mul__=lambda s, o: type(s)(s.data * o.data, (s, o))),
        "a * b has no op",
    ),
    (
        order.remember,
        changed(__mul__=lambda s, o: type(s)(s.data * o.data, (s, o), "mul")),
        "The op of a * b is 'mul'",
    ),
    (
        order.remember,
        changed(__pow__=lambda s, n: type(s)(s.data**n, (s, n), "**")),
        "The exponent in a ** 3 is a plain number.",
    ),
    (
        order.remember,
        changed(__pow__=lambda s, n: type(s)(s.data**n, (s,), "**")),
        "a ** 3 has 1 parent;",
    ),
    (
        order.remember,
        changed(__add__=lambda s, o: type(s)(s.data + o.data, (o, s), "+")),
        "in the wrong order",
    ),
    (order.remember, changed(__add__=lambda s, o: None), "End the method with return."),
    (order.remember, changed(__pow__=lambda s, n: ...), "a ** 3 still gives the dots."),
    (order.remember, Value(1.0), "Hand over the name alone"),
    (order.rules, with_rule("+", lambda g, a, b: (1, 1)), "The incoming gradient is missing."),
    (order.rules, with_rule("+", lambda g, a, b: (g * b, g * a)), "rule of a product; + copies"),
    (order.rules, with_rule("+", lambda g, a, b: (g / 2, g / 2)), "shared out"),
    (order.rules, with_rule("*", lambda g, a, b: (b, a)), "4 and 3 are the local derivatives"),
    (order.rules, with_rule("*", lambda g, a, b: (g * a, g * b)), "The inputs are not swapped"),
    (order.rules, with_rule("*", lambda g, a, b: (g, g)), "That is the rule of a sum"),
    (order.rules, with_rule("**", lambda g, a, b: (b * a ** (b - 1), 0)), "incoming gradient"),
    (order.rules, with_rule("**", lambda g, a, b: (g * a ** (b - 1), 0)), "162 and 0 it is lost"),
    (order.rules, with_rule("**", lambda g, a, b: (g * b * a**b, 0)), "is not lowered by 1"),
    (order.rules, with_rule("**", lambda g, a, b: (g * 2 * a, 0)), "this exponent is 4."),
    (order.rules, with_rule("**", lambda g, a, b: (g * b * a, 0)), "this exponent is 4."),
    (
        order.rules,
        with_rule("**", lambda g, a, b: (g * b * a ** (b - 1), g)),
        "the exponent is a constant: send it 0, not 6.",
    ),
    (order.rules, with_rule("**", lambda g, a, b: (g * b * a**b - 1, 0)), "(a ** b) - 1"),
    (order.rules, with_rule("**", lambda g, a, b: (7, 0)), "in the text of this step"),
    (order.rules, with_rule("*", lambda g, a, b: None), "Which case has no return?"),
    (order.rules, with_rule("*", lambda g, a, b: g * b), "return two numbers; this is a float"),
    (order.rules, with_rule("*", lambda g, a, b: (7, 7)), "7 and 7 are not what is sent."),
    (order.sort, breadth_first, "comes before"),
    (order.sort, without_seen, "is 2 times in the list, so it would run 2 times"),
    (order.sort, late_dedup, "comes before"),
    (order.sort, counts_each_pair_once, "In a · a + a · b · b + a · a, a comes before"),
    (order.sort, recursive, "Python allows about a thousand such calls"),
    (order.sort, lambda root: counted(root)[::-1], "that is the forward order"),
    (order.sort, lambda root: counted(root)[1:], "a·b is missing in the list."),
    (order.sort, lambda root: counted(root)[:-1], "is missing in the list."),
    (order.sort, lambda root: {v: 1 for v in counted(root)}, "Return a list; this is a dict."),
    (order.sort, lambda root: None, "End it with return."),
    (order.sort, lambda root: counted(root)[0].data, "Return a list; this is a float."),
    (order.sort, lambda root: [v.data for v in counted(root)], "other things than values"),
    (order.run, engine(seed=0.0), "every .grad is still 0"),
    (order.run, engine(seed=2.0), "All are 2 times what they should be."),
    (order.run, along_every_path, "visited once for every path that leads to it"),
    (order.run, engine(add=False), "only the last one is kept: = replaces"),
    (order.run, engine(order=late_dedup), "before all its gradients had arrived"),
    (order.run, engine(order=left_first), "before all its gradients had arrived"),
    (order.run, engine(order=breadth_first), "before all its gradients had arrived"),
    (order.run, engine(leaf=False), "as after the first. A leaf's .grad accumulates"),
    (order.run, in_grads, "still lying about on values in between"),
    (order.run, as_they_come, "A shared value has run once for each path"),
    (order.run, calls_what_is_not_there, "has the cell that makes it been run?"),
    (order.run, engine(seed=...), "Dots are left, in this cell or in a step that it calls."),
    (order.run, engine(order=lambda root: ...), "Dots are left"),
    (order.run, sends_nothing, " came, nothing had arrived there."),
    (order.remember, changed(__add__=lambda a, b: a), "gives an input back; make a new Value."),
    (order.remember, changed(__mul__=lambda *_: ..., __pow__=lambda *_: ...), "still give the"),
    (order.sort, counts_nothing, "It raised KeyError: a"),
    (order.fit, trainer(zero=False), "The gradients of earlier steps are still in .grad"),
    (order.fit, trainer(sign=1.0), "The step goes uphill"),
    (order.fit, trainer(sign=-20.0), "The gradient was not multiplied by rate."),
    (order.fit, trainer(power=1), "The errors are not squared."),
    (order.fit, trainer(label=-1.0), "The sign of y is lost"),
    (order.fit, trainer(moved="w"), "b has not moved."),
    (order.fit, trainer(moved="b"), "w has not moved."),
    (order.fit, trainer(new=True), "Both moved in the first step only."),
    (order.fit, lambda *given: trainer()(*given)[::-1], "The two are exchanged"),
    (order.fit, lambda xs, ys, steps, rate: Value(0.0) * 3, "A plain number stands where"),
    (order.fit, trainer(mean=True), "That is the mean of the squared errors"),
    (order.fit, trainer(last=True), "The loss has the last point only"),
    (order.fit, trainer(less=1), "There is one step too few."),
    (order.fit, trainer(less=-1), "There is one step too many."),
    (order.fit, trainer(sign=0.0), "nothing was learned"),
    (order.fit, trainer(sign=-0.5), "learns other numbers. Print the loss"),
    (order.fit, lambda *given: None, "End it with return."),
    (order.fit, lambda *given: 3.0, "Return two numbers, w and b."),
]


@pytest.mark.parametrize(("each", "answer", "diagnosis"), WRONG)
def test_a_wrong_answer_is_named(each, answer, diagnosis):
    verdict = each.check(answer)
    assert verdict.state == "not yet" and diagnosis in verdict.text, verdict
    assert verdict.text.startswith("Not yet. ") and "\n" not in verdict.text
    assert not each.solved
    assert "{" not in verdict.text


def test_a_value_visited_once_for_each_path_is_stopped_before_it_hangs():
    def doubling(root):  # right, but 2¹⁸ visits
        stack, last = [root], {}
        while stack:
            value = stack.pop(0)
            last[value] = None
            stack += value.parents
        return sorted(last, key=lambda v: len(counted(v)), reverse=True)

    begun = time.monotonic()
    verdict = order.sort.check(doubling)
    assert "262144 paths" in verdict.text
    assert time.monotonic() - begun < exercise.SECONDS


def test_every_slip_of_the_engine_is_met():
    told = " ".join(each.check(answer).text for each, answer, _ in WRONG if each is order.run)
    assert all(says in told for _, says in order.ENGINES)


STUBS = [
    (order.remember, changed(**{m: lambda s, o: ... for m in ("__add__", "__mul__", "__pow__")})),
    (order.rules, lambda op, g, a, b: (..., ...)),
    (order.sort, lambda root: ...),
    (order.run, lambda root: ...),
    (order.fit, lambda xs, ys, steps, rate: (..., ...)),
    *((each, answer) for each in STEPS for answer in (..., None)),
]


@pytest.mark.parametrize(("each", "answer"), STUBS)
def test_an_untouched_stub_is_not_tried_yet(each, answer):
    assert repr(each.check(answer)) == "not tried yet"


def leaves_python(*given):
    sys.exit(3)


def fails(*given):
    raise ZeroDivisionError("division by zero\nand more")


class Hostile:
    def __init__(self, *given):
        raise LookupError("no")


BAD = (leaves_python, fails, Hostile, lambda: 1, lambda *given: "text", 3, "text", [1], Value(2))


@pytest.mark.parametrize("each", STEPS, ids=lambda each: each.title)
@pytest.mark.parametrize("answer", BAD)
def test_a_checker_never_raises(each, answer):
    verdict = each.check(answer)
    assert verdict.state == "not yet" and "\n" not in verdict.text


@pytest.mark.parametrize("each", STEPS, ids=lambda each: each.title)
def test_a_checker_does_not_hang(each, monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.3)

    def forever(*given):
        while True:
            pass

    verdict = each.check(changed(__add__=forever) if each is order.remember else forever)
    assert "was stopped" in verdict.text


SECRETS = ["self.data +", "g * b", "g, g", "uses[", "arrived[", "w.data -="]


def test_a_diagnosis_never_tells_the_solution():
    for each, answer, _ in WRONG:
        text = each.check(answer).text
        assert not [secret for secret in SECRETS if secret in text]
        if each is order.fit:
            assert not any(order.number(x) in text for x in order.fitted())


# ------------------------------------------------------------------------------- side by side


def test_each_landmark_is_found_in_the_packages_engine():
    rows = order.Beside(backward).rows
    assert len(rows) == len(order.LANDMARKS)
    lines = [line.strip() for line in order.inspect.getsource(package_backward).splitlines()]
    for (_, _, ours), (_, _, piece) in zip(rows, order.LANDMARKS, strict=True):
        assert piece in ours and any(line.startswith(ours) for line in lines)


def test_lines_of_the_learner_are_found_and_escaped():
    def mine(root):
        arrived = {root: 1.0}
        for value in order(root):
            g = arrived.pop(value) if 1 < 2 else 0
            for parent, sent in zip(value.parents, local("<b>", g, 1, 2), strict=True):
                arrived[parent] = arrived.get(parent, 0.0) + sent

    beside = order.Beside(mine)
    assert all(yours != "–" for _, yours, _ in beside.rows), beside
    assert "<b>" not in beside._repr_html_() and "&lt;b&gt;" in beside._repr_html_()
    assert {yours for _, yours, _ in order.Beside(len).rows} == {"–"}
