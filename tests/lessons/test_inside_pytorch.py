"""The exercises of lesson 10: right answers are PyTorch's, in any form; wrong ones are named."""

import io
import itertools
import math
import sys
import zlib

import numpy as np
import pytest
import torch

import autogradlab
from autogradlab.lessons import Exercise, exercise, inside_pytorch, progress

EXERCISES = [each for each in vars(inside_pytorch).values() if isinstance(each, Exercise)]


# --------------------------------------------------------------------- 1 · who keeps the memory?


def kept():
    """What PyTorch saves of each, in bytes, a piece of memory once."""
    x = torch.ones(1000, requires_grad=True)
    w = torch.ones(1000, requires_grad=True)
    c = torch.ones(1000)
    programs = [
        *(lambda: x + w, lambda: x * w, lambda: x * c),
        *(lambda: x * x, lambda: x.exp(), lambda: x.sum()),
    ]
    found = []
    for program in programs:
        pieces = {}

        def pack(t, pieces=pieces):
            pieces[t.data_ptr()] = t.numel() * t.element_size()
            return t

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            program()
        found.append(sum(pieces.values()))
    return found


def test_the_bytes_are_pytorchs():
    for answer in (kept(), tuple(kept()), np.array(kept()), torch.tensor(kept())):
        assert inside_pytorch.keeps.check(answer).state == "right"


def but(place, number):
    made = kept()
    made[place] = number
    return made


AMOUNTS = [
    ([n // 4 for n in kept()], "Those are numbers, not bytes."),
    ([2 * n for n in kept()], "That is for float64."),
    ([n // 1000 for n in kept()], "Those are thousands of bytes."),
    ([8000, 8000, 8000, 8000, 4000, 4000], "Those are all the inputs."),
    (but(0, 8000), "x + w: a sum sends what came in to both inputs"),
    (but(1, 4000), "x * w: both inputs want a gradient"),
    (but(1, 0), "x * w: the gradient of each factor"),
    (but(1, 12000), "x * w: how many tensors"),
    (but(2, 8000), "x * c: c requires no gradient"),
    (but(2, 0), "x * c: x wants a gradient"),
    (but(2, 2000), "x * c: which of the two"),
    (but(3, 8000), "x * x: it is kept as both factors"),
    (but(3, 0), "x * x: the gradient of each factor is multiplied by the other, here x itself."),
    (but(3, 2000), "x * x: one tensor of 1,000 numbers is read."),
    (but(4, 0), "x.exp(): the derivative of exp changes with x"),
    (but(4, 8000), "x.exp(): the derivative of exp is its result."),
    (but(4, 1000), "x.exp(): one tensor of 1,000 numbers is read."),
    (but(5, 4000), "x.sum(): a sum needs the shape of x"),
    (but(5, 4), "x.sum(): the result is one number"),
    (but(5, 8), "x.sum(): each element receives what came in."),
    ([0, 8000], "The answer is 6 numbers; this is 2 numbers."),
]


@pytest.mark.parametrize(("answer", "says"), AMOUNTS)
def test_wrong_amounts_are_named(answer, says):
    verdict = inside_pytorch.keeps.check(answer)
    assert says in verdict.text and not inside_pytorch.keeps.solved, verdict


def test_every_mistake_about_amounts_is_tried():
    said = [inside_pytorch.keeps.check(answer).text for answer, _ in AMOUNTS]
    for mistake in inside_pytorch.keeps.mistakes:
        assert any(mistake.says in text for text in said), mistake.says


# --------------------------------------------------------------------------- 2 · a packing hook


class Half:
    def pack(t):
        return t.to(torch.float16)

    def unpack(packed):
        return packed.to(torch.float32)


class OurHalf:
    @staticmethod
    def pack(t):
        return t.half()

    @staticmethod
    def unpack(packed):
        return packed.float()


class Numpy:
    def pack(self, t):
        return {"array": t.detach().numpy().astype(np.float16)}

    def unpack(self, packed):
        return autogradlab.from_numpy(packed["array"].astype(np.float32))


class Bytes:
    """Eight bits a number, between the smallest and the largest, then zipped."""

    def pack(t):
        array = t.detach().numpy()
        low, step = array.min(), (array.max() - array.min()) / 255 or 1.0
        levels = ((array - low) / step).round().astype(np.uint8)
        return zlib.compress(levels.tobytes()), array.shape, float(low), float(step)

    def unpack(packed):
        data, shape, low, step = packed
        levels = np.frombuffer(zlib.decompress(data), np.uint8).reshape(shape)
        return torch.from_numpy((levels * np.float32(step) + np.float32(low)).astype(np.float32))


class File:
    def pack(t):
        return io.BytesIO(t.half().detach().numpy().tobytes()), t.shape

    def unpack(packed):
        array = np.frombuffer(packed[0].getvalue(), np.float16).astype(np.float32)
        return autogradlab.from_numpy(array).reshape(packed[1])


@pytest.mark.parametrize("answer", [Half, OurHalf, Numpy(), Bytes, File, (Half.pack, Half.unpack)])
def test_what_takes_half_is_accepted(answer):
    assert repr(inside_pytorch.packing.check(answer)) == f"✓ Right. {inside_pytorch.packing.why}"


@pytest.mark.parametrize("engine", [autogradlab, torch], ids=["autogradlab", "torch"])
def test_what_is_accepted_keeps_the_gradients(engine):
    x = engine.tensor([[0.3, -1.2], [2.0, 0.7]], requires_grad=True)
    (wanted,) = engine.autograd.grad(((x @ x).tanh() * x).sum(), x)
    with engine.autograd.graph.saved_tensors_hooks(OurHalf.pack, OurHalf.unpack):
        y = ((x @ x).tanh() * x).sum()
    (found,) = engine.autograd.grad(y, x)
    assert (found - wanted).abs().max() < inside_pytorch.ALLOWED * wanted.abs().max()


def pair(pack=OurHalf.pack, unpack=OurHalf.unpack):
    return type("Half", (), {"pack": staticmethod(pack), "unpack": staticmethod(unpack)})


def in_place(t):
    t.detach().mul_(0)
    return t.half()


ELSEWHERE = []

PAIRS = [
    (pair(lambda t: t, lambda t: t), "Nothing is saved: 3264 bytes came in, and 3264 are kept."),
    (pair(lambda t: t.numpy(force=True)), "Nothing is saved:"),
    (pair(lambda t: t.double()), "What pack returns is larger: 6528 bytes for 3264."),
    (pair(lambda t: (t.half(), t.half()[:8]), lambda both: both[0].float()), "Half is asked for."),
    (pair(unpack=lambda t: t), "unpack returns float16; what was saved is float32."),
    (pair(lambda t: t.to(autogradlab.int8)), "do not come back: −5.994 was saved, −5 returned."),
    (pair(unpack=lambda t: t.float() * 2), "The numbers do not come back:"),
    (pair(unpack=lambda t: t.float().sum()), "The shape is not the same: [12, 12] was saved, and"),
    (pair(unpack=lambda t: t.detach().numpy()), "unpack must return a tensor; this is an ndarray."),
    (pair(lambda t: None), "pack returned None."),
    (pair(unpack=lambda t: None), "unpack returned None."),
    (pair(in_place), "pack has changed the tensor itself."),
    (pair(OurHalf.unpack, OurHalf.pack), "Nothing is saved:"),
    (pair(lambda t: t.nothing), "Used as hooks they raised AttributeError"),
    (pair(unpack=lambda t: 1 / 0), "Used as hooks they raised ZeroDivisionError"),
    (Numpy, "positional argument: 't' The class is used without an instance: no self"),
    (pair(lambda t: id(ELSEWHERE.append(t)), lambda i: ELSEWHERE.pop()), "none of the numbers"),
    (pair(lambda t: lambda: t, lambda give: give()), "none of the numbers"),
    (OurHalf.pack, "Hand over the class"),
    (type("Half", (), {"pack": OurHalf.pack}), "with the two functions pack and unpack"),
    (3, "Hand over the class"),
]


@pytest.mark.parametrize(("answer", "says"), PAIRS)
def test_a_wrong_pair_is_named(answer, says):
    verdict = inside_pytorch.packing.check(answer)
    assert verdict.state == "not yet" and says in verdict.text, verdict
    assert "\n" not in verdict.text and not inside_pytorch.packing.solved


def test_a_pair_half_written_is_not_tried():
    for answer in (pair(lambda t: ...), pair(unpack=lambda t: ...), pair(lambda t: (..., 1))):
        assert repr(inside_pytorch.packing.check(answer)) == "not tried yet"


# ------------------------------------------------------------------------------ 3 · written over


def outcomes():
    """What PyTorch makes of each of the five."""

    def one(x):
        y = x.sin()
        y.mul_(2)
        return y, lambda x: x.sin() * 2

    def two(x):
        y = x.tanh()
        y.mul_(2)
        return y, lambda x: x.tanh() * 2

    def three(x):
        h = x + 1
        y = h.sin()
        h.mul_(2)
        return y, lambda x: (x + 1).sin()

    def four(x):
        y = x.tanh()
        y.data.mul_(2)
        return y, lambda x: x.tanh() * 2

    def five(x):
        h = x + 1
        y = h.clone()
        h.mul_(2)
        return y, lambda x: x + 1

    found = []
    for program in (one, two, three, four, five):
        x = torch.tensor([0.5, 1.0], requires_grad=True)
        y, plain = program(x)
        (wanted,) = torch.autograd.grad(plain(x).sum(), x)
        try:
            y.sum().backward()
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)
            found.append("raise")
        else:
            found.append("right" if torch.allclose(x.grad, wanted) else "wrong")
    return found


def test_the_outcomes_are_pytorchs():
    right = outcomes()
    for answer in (right, tuple(right), [f" {each.upper()}" for each in right]):
        assert inside_pytorch.written.check(answer).state == "right"
    raises = [{"raise": "raises", "right": "fine"}.get(each, each) for each in right]
    assert inside_pytorch.written.check(raises).state == "right"
    names = [{"raise": "RuntimeError"}.get(each, each) for each in right]
    assert inside_pytorch.written.check(names).state == "right"


WORDS = ("right", "raise", "wrong")
SLIPS = [(i, w) for i, right in enumerate(outcomes()) for w in WORDS if w != right]


@pytest.mark.parametrize(("place", "word"), SLIPS)
def test_each_wrong_word_is_named(place, word):
    answer = outcomes()
    answer[place] = word
    verdict = inside_pytorch.written.check(answer)
    assert verdict.text.startswith(f"Not yet. {inside_pytorch.written.asked[place]}: ")
    says = [m.says for m in inside_pytorch.written.mistakes if m.gives == (place, word)]
    assert len(says) == 1 and verdict.text.endswith(says[0])


def test_other_words():
    assert "is a list of 5 words" in inside_pytorch.written.check(["right"]).text
    verdict = inside_pytorch.written.check(["perhaps", "right", "right", "right", "right"])
    assert "the words are right, raise, wrong." in verdict.text


# ----------------------------------------------------------------------------- 4 · find the leaves


def walk(root):
    found, stack, seen = [], [root.grad_fn], {root.grad_fn}
    while stack:
        node = stack.pop()
        if hasattr(node, "variable"):
            found.append(node.variable)
        for above, _ in node.next_functions:
            if above is not None and above not in seen:
                seen.add(above)
                stack.append(above)
    return found


def by_name(root):
    """Breadth first, leaves told by their node's name, in a set."""
    level, seen, found = [root.grad_fn], set(), {}
    while level:
        seen.update(level)
        for node in level:
            if node.name().endswith("AccumulateGrad"):
                found[id(node.variable)] = node.variable
        above = {each for node in level for each, _ in node.next_functions if each}
        level = [each for each in above if each not in seen]
    return tuple(found.values())


def generated(root):
    yield from walk(root)[::-1]


@pytest.mark.parametrize("answer", [walk, by_name, generated])
def test_a_walk_in_any_form(answer):
    assert repr(inside_pytorch.leaves.check(answer)) == f"✓ Right. {inside_pytorch.leaves.why}"


def test_the_walk_finds_pytorchs_leaves():
    for root, names in inside_pytorch._graphs(torch).values():
        assert {id(leaf) for leaf in walk(root)} == {id(leaf) for leaf in names.values()}


def recursive(root):
    found, seen = [], set()

    def visit(node):
        if node is None or node in seen:
            return
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        for above, _ in node.next_functions:
            visit(above)

    visit(root.grad_fn)
    return found


def forgetful(root, keep=lambda found, leaf: True):
    found, stack = [], [root.grad_fn]
    while stack:
        node = stack.pop()
        if hasattr(node, "variable") and keep(found, node.variable):
            found.append(node.variable)
        stack += [above for above, _ in node.next_functions if above is not None]
    return found


def once(root):
    return forgetful(root, lambda found, leaf: all(leaf is not each for each in found))


def nodes(root):
    return [node for node, _ in root.grad_fn.next_functions]


def near(root):
    return [node.variable for node in nodes(root) if hasattr(node, "variable")]


WALKS = [
    (recursive, "For a chain of 3,000 sums the function calls itself too often for Python."),
    (forgetful, "p², with p = a · b, b is in the list 2 times."),
    (nodes, "The list holds nodes. A leaf's node knows its tensor: variable."),
    (near, "For (a · b + 5) · 2, a and b are missing."),
    (lambda root: walk(root)[1:], "For (a · b + 5) · 2, b is missing."),
    (lambda root: [*walk(root), None], "there is a None in the list"),
    (lambda root: [*walk(root), root], "the list holds an intermediate, too."),
    (lambda root: [*walk(root), autogradlab.ones(1)], "a tensor that is not in the graph."),
    (lambda root: [leaf.detach() for leaf in walk(root)], "a tensor that is not in the graph."),
    (lambda root: itertools.repeat(walk(root)[0]), "(a · b + 5) · 2, a is missing."),  # no end
    (lambda root: [leaf.item() for leaf in walk(root)], "something that is no tensor: a float."),
    (lambda root: None, "The function returned None."),
    (lambda root: walk(root)[0], "Return a list of leaves; this is a Tensor."),
    (lambda root: root.nothing, "For (a · b + 5) · 2 the function raised AttributeError"),
    ([], "Hand over the function by its name"),
]


@pytest.mark.parametrize(("answer", "says"), WALKS)
def test_a_wrong_walk_is_named(answer, says):
    verdict = inside_pytorch.leaves.check(answer)
    assert verdict.state == "not yet" and says in verdict.text, verdict
    assert not inside_pytorch.leaves.solved


def test_a_walk_without_memory_is_stopped_and_told_why(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 1.0)
    verdict = inside_pytorch.leaves.check(once)
    assert "was stopped. A node that is reached in several ways is visited for each" in verdict.text


# ------------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("each", EXERCISES, ids=lambda each: each.title)
def test_stubs_and_nonsense(each):
    assert repr(each.check(...)) == repr(each.check(None)) == "not tried yet"
    for nonsense in ("text", {}, object(), [[], [1]], math.nan, np.ones(7), lambda: 1 / 0):
        assert each.check(nonsense).state == "not yet"
    assert sys.getrecursionlimit() < inside_pytorch.DEPTH


def test_progress_counts_them():
    assert repr(progress(inside_pytorch)) == "0 of 4 exercises right · open: 1, 2, 3, 4"
    inside_pytorch.packing.check(Half)
    assert repr(progress(inside_pytorch)) == "1 of 4 exercises right · open: 1, 3, 4"
