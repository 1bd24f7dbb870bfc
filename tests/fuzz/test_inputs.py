"""What comes from outside may be anything: files, names, answers, pasted states."""

import functools
import io
import json
import pickle
import pkgutil
import re
import sys
import time
import types
import xml.etree.ElementTree as ET
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import autogradlab
from autogradlab import graphs, instruments, lessons
from autogradlab.graphs.exchange import to_dot
from autogradlab.lessons import exercise
from autogradlab.lessons.bug_hunt import CASES

FEW = {"suppress_health_check": list(HealthCheck)}


# ------------------------------------------------------------------------------------------- files


def whole_file() -> bytes:
    file = io.BytesIO()
    autogradlab.save({"net": network().state_dict(), "epoch": 3, "loss": [0.5, None]}, file)
    return file.getvalue()


def network() -> autogradlab.nn.Module:
    autogradlab.manual_seed(0)
    return autogradlab.nn.Sequential(autogradlab.nn.Linear(2, 3), autogradlab.nn.Linear(3, 1))


@st.composite
def broken_files(draw: st.DrawFn) -> bytes:
    """Any bytes; or a file cut off, with some bytes changed, or with another header."""
    data = bytearray(whole_file())
    way = draw(st.sampled_from(["any", "cut", "changed", "header", "pickle"]))
    if way == "any":
        return draw(st.binary(max_size=200))
    if way == "cut":
        return bytes(data[: draw(st.integers(0, len(data) - 1))])
    if way == "pickle":
        return pickle.dumps(Trap(), protocol=draw(st.integers(0, 5)))
    length = int.from_bytes(data[:8], "little")
    if way == "header":
        header = json.loads(data[8 : 8 + length])
        key = draw(st.sampled_from(sorted(header)))
        header[key] = draw(JSON)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + data[8 + length :]
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
ran: list[str] = []


class Trap:
    def __reduce__(self):
        return ran.append, ("code from the file",)


@settings(max_examples=300, **FEW)
@given(broken_files())
def test_a_file_that_is_no_file_of_ours_says_so_and_does_nothing(data: bytes) -> None:
    model = network()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    try:
        found = autogradlab.load(io.BytesIO(data))
        model.load_state_dict(found["net"] if isinstance(found, dict) and "net" in found else found)
    except (RuntimeError, TypeError) as error:
        assert str(error)
        for name, x in model.state_dict().items():
            assert autogradlab.equal(x, before[name]), name
    assert not ran


# ------------------------------------------------------------------------------------------- names

MARKUP = ['"', "'", "<b>", "</text>", "&amp;", "<!--", "]]>", "\n", "\\n", "\x00", "\x1b", "é√", "‮"]
MARKUP += ["<script>alert(1)</script>", '" onload="x', "{}", "|", "\\", "%s", "</svg>", "->", ";"]
LABELS = st.lists(st.sampled_from(MARKUP) | st.text(max_size=6), min_size=1, max_size=4)


def inside(svg: str) -> tuple[set[str], set[str]]:
    """The elements of a picture, and the names of their attributes."""
    elements = list(ET.fromstring(svg).iter())
    return {e.tag for e in elements}, {name for e in elements for name in e.attrib}


@functools.cache
def drawn(name: str) -> list[tuple[set[str], set[str]]]:
    """What is in the pictures of something with this name."""
    a = autogradlab.tensor([2.0, 3.0], requires_grad=True)
    names = {name: a, "Q": (a * a).sum()}
    debugger = instruments.BackwardDebugger(names["Q"], names=names)
    debugger.step(2)
    tree = instruments.ModuleTree(network(), name=name)
    return [inside(made.svg()) for made in (debugger, tree)]


@settings(max_examples=60, **FEW)
@given(LABELS.map("".join))
def test_no_markup_gets_through_a_name(name: str) -> None:
    for plain, got in zip(drawn("a"), drawn(name), strict=True):
        assert got[0] <= plain[0] and got[1] <= plain[1]


QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)  # DOT's string: a backslash takes the next one


def around_labels(dot: str) -> str:
    """A text in DOT without its labels. What stands in no string is all that Graphviz acts on; it
    takes a label in angle brackets, which is in no string, for markup."""
    return re.sub(r"label=(\w+|Q)", "label=L", QUOTED.sub("Q", dot))


@settings(max_examples=60, **FEW)
@given(LABELS.map("".join))
@example("0\n")
def test_no_name_gets_out_of_its_string_in_dot(name: str) -> None:
    texts = []
    for label in ("a", name):
        a = autogradlab.tensor([2.0, 3.0], requires_grad=True)
        child = label.replace(".", "_") or "_"
        block = autogradlab.nn.Sequential(OrderedDict([(child, Doubled())]))
        with graphs.watch(block) as watched:
            out = block(a)
        graph = graphs.read_graph(out, {label: a}, watched=watched)
        texts += [to_dot(graph), to_dot(graph.fold())]
    assert "\0" not in "".join(texts)
    assert [around_labels(text) for text in texts[2:]] == [around_labels(t) for t in texts[:2]]


class Doubled(autogradlab.nn.Module):
    def forward(self, x: autogradlab.Tensor) -> autogradlab.Tensor:
        return x * x


# ----------------------------------------------------------------------------------------- answers


class Nasty:
    """Raises whatever is done with it."""

    def _raise(self, *args: object, **kwargs: object) -> None:
        raise ValueError("nasty")

    __array__ = __iter__ = __len__ = __eq__ = __float__ = __getitem__ = __call__ = _raise
    __str__ = __repr__ = __bool__ = __add__ = __getattr__ = _raise
    __hash__ = None


def forever(*args: object, **kwargs: object) -> None:
    while True:
        time.sleep(0.01)


def leaves(*args: object, **kwargs: object) -> None:
    sys.exit(3)


def deep(*args: object, **kwargs: object) -> object:
    return deep(*args, **kwargs)


loop: list[object] = []
loop.append(loop)
JUNK = [
    12345.678, 1e300, float("nan"), float("inf"), 10**400, 1 + 2j, "text", "3.5", b"bytes", [], {},
    (), [[1, 2], [3]], {"a": 1}, {1, 2}, object(), Nasty(), loop, range(3), type, int, Nasty,
    print, lambda: 1, lambda *a, **k: "no", lambda *a, **k: None, lambda *a, **k: Nasty(), leaves,
    deep, np.array(["a"]), np.array([object()]), np.zeros((0, 3)), np.float16(77), types, iter([1]),
    torch.full((2, 2), 99.0), autogradlab.full((3, 0), 1.0), torch.nn.Linear(1, 1), True, ...,
    memoryview(b"abc"), slice(3), NotImplemented, Exception("x"), bytearray(3), (x for x in "ab"),
]  # fmt: skip


def exercises() -> dict[str, object]:
    """Everything a lesson asks a learner to hand an answer to, by name."""
    found = {}
    for module in pkgutil.iter_modules(lessons.__path__, f"{lessons.__name__}."):
        for name, x in vars(__import__(module.name, fromlist=["_"])).items():
            if hasattr(x, "check") and hasattr(x, "solved") and not isinstance(x, type):
                found[f"{module.name.rpartition('.')[2]}.{name}"] = x
    return found


EXERCISES = exercises()


@pytest.mark.parametrize("name", EXERCISES)
def test_a_checker_meets_any_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = EXERCISES[name]
    monkeypatch.setattr(exercise, "SECONDS", 0.3)
    for junk in [*JUNK, forever]:
        verdict = asked.check(junk)
        assert verdict.state in ("not tried", "not yet"), f"{type(junk)}: {verdict}"
        why = getattr(asked, "why", "")
        assert not (why and why in repr(verdict)), f"{type(junk)} is told: {verdict}"


# ------------------------------------------------------------------------------------------ states


def two() -> dict[str, autogradlab.Tensor]:
    numbers = {"a": [2.0, 3.0], "b": [6.0, 4.0]}
    return {name: autogradlab.tensor(x, requires_grad=True) for name, x in numbers.items()}


def loss() -> autogradlab.Tensor:
    a, b = two().values()
    return (3 * a**3 - b**2).sum()


def point(*x: float) -> autogradlab.Tensor:
    return autogradlab.tensor(x, dtype=autogradlab.float64, requires_grad=True)


def square(x: autogradlab.Tensor) -> autogradlab.Tensor:
    return x * x


MADE = {  # each instrument, as `make` makes it
    "BackwardDebugger": lambda make: make(loss()),
    "CurvatureDial": lambda make: make("x**2", point(1.0, 2.0)),
    "DualStepper": lambda make: make("x * x", autogradlab.tensor(2.0)),
    "ErrorCurve": lambda make: make(square, autogradlab.tensor(2.0)),
    "FlowLab": lambda make: make(),
    "FlowWaterfall": lambda make: make(network()),
    "FreezeBoard": lambda make: make(lambda a, b: (a * b).sum(), tensors=two()),
    "GradcheckMicroscope": lambda make: make(square, point(1.0, 2.0)),
    "GradientDetective": lambda make: make(CASES[2]),
    "GraphOfTheGraph": lambda make: make("x**2", {"x": point(3.0).sum()}),
    "GraphRecorder": lambda make: make("a*b", two()),
    "JacobianPainter": lambda make: make(square, point(1.0, 2.0)),
    "ModuleTree": lambda make: make(network()),
    "NudgeLab": lambda make: make("x**2", autogradlab.tensor(1.0)),
    "PhaseMap": lambda make: make(1.0),
    "Playground": lambda make: make(),
    "PredictTheGradient": lambda make: make(loss()),
    "ReadyQueue": lambda make: make(loss()),
    "ShapeTracer": lambda make: make("a * b", two()),
    "TapeMemory": lambda make: make(loss()),
    "TrainStepInspector": lambda make: make(lambda w: (w * w).sum(), {"w": point(1.0, 2.0)}),
    "TrajectoryRace": lambda make: make("x**2 + y**2", point(1.0, 2.0)),
    "TwinGraph": lambda make: make(loss(), loss()),
    "VJPExplorer": lambda make: make(square, point(1.0, 2.0)),
}


def picture(made: instruments.instrument.Instrument) -> str:
    """The still picture, which is XML, or words where nothing has been watched yet."""
    if made.view is None:
        return str(made._repr_mimebundle_()["text/plain"])
    ET.fromstring(made.svg())
    return made.svg()


@pytest.mark.parametrize("name", instruments.__all__)
def test_a_state_is_one_of_this_instrument_or_says_why_not(name: str) -> None:
    kind = getattr(instruments, name)
    made = MADE[name](kind)
    state, shown = made.state(), picture(made)
    text = json.dumps(state)

    @settings(max_examples=20, **FEW)
    @given(st.data())
    def try_states(data: st.DataObject) -> None:
        way = data.draw(st.sampled_from(["value", "key", "cut", "any"]))
        broken = dict(state)
        if way == "value":
            broken[data.draw(st.sampled_from(sorted(state)))] = data.draw(JSON)
        elif way == "key":
            broken[data.draw(st.text(max_size=6))] = data.draw(JSON)
        elif way == "cut":
            broken = text[: data.draw(st.integers(0, len(text) - 1))]
        else:
            broken = data.draw(JSON | st.text())
        try:
            picture(MADE[name](functools.partial(kind.from_state, broken)))
        except ValueError as error:
            assert str(error)
        assert made.state() == state and picture(made) == shown

    try_states()
