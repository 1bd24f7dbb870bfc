"""The exercises of lesson 03: what four operations save, the nodes of a loop, code for a given
graph, and the way a program took, read from its graph."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

from ..graphs import Edge, Graph, Recording, draw, read_graph
from ..graphs.growth import Growth, operations, signature
from ..graphs.match import match
from ..graphs.style import attributes
from .exercise import (
    Exercise,
    Mistake,
    Verdict,
    _Diagnosis,
    _has_ellipsis,
    _in_time,
    _kind,
    _NotTried,
    _told,
)
from .pictures import Picture

MEANS = {
    "": "nothing", "none": "nothing", "no tensor": "nothing", "its result": "result",
    "the result": "result", "input": "x", "self": "x", "the input": "x",
}  # fmt: skip
LIMIT = 60  # nodes of a learner's graph
LABELS = "your code", "the graph to match"


@dataclass(eq=False)
class Choices(Exercise):
    """A question asked of several things; the answer to each is one of a few words.

    A mistake `gives` the place of a question and the wrong word."""

    asked: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def _examine(self, answer: Any) -> None:
        if isinstance(answer, dict):
            answer = list(answer.values())
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not isinstance(answer, list | tuple) or len(answer) != len(self.asked):
            raise _Diagnosis(f"The answer is a list of {len(self.asked)} words.")
        for i, each in enumerate(answer):
            if each is not None and not isinstance(each, str):
                raise _Diagnosis(f"The answers are words in quotes; this is {_kind(each)}.")
            you = (each or "").strip().casefold()
            you = MEANS.get(you, you)
            if you not in self.words:
                raise _Diagnosis(f"For {self.asked[i]} the words are {', '.join(self.words)}.")
            if you != self.right[i]:
                says = (m.says for m in self.mistakes if m.gives == (i, you))
                raise _Diagnosis(f"{self.asked[i]}: {next(says)}")


saved = Choices(
    "1 · what is saved",
    right=("nothing", "x", "result", "nothing"),
    why="Each operation saves what its rule for the way back reads, and no more.",
    asked=("x * 2", "x * x", "x.exp()", "x.sum()"),
    words=("nothing", "x", "result"),
    mistakes=(
        Mistake(
            (0, "x"),
            "the local derivative is 2, whatever x is. A rule that does not read x need not save"
            " it.",
        ),
        Mistake(
            (0, "result"),
            "the local derivative is 2, whatever comes out. The rule does not read the result.",
        ),
        Mistake(
            (1, "nothing"),
            "each factor receives the gradient times the other one, so the rule needs both.",
        ),
        Mistake(
            (1, "result"),
            "the local derivative for one factor is the other factor. The product itself does not"
            " occur in it.",
        ),
        Mistake(
            (2, "x"),
            "from x the exponential would have to be computed again. Its derivative is a number"
            " that is at hand when it has run.",
        ),
        Mistake(
            (2, "nothing"),
            "its derivative changes with x, so the rule must read something.",
        ),
        Mistake(
            (3, "x"),
            "each element receives the incoming gradient as it is. For that the shape of x is"
            " enough, and a shape is no tensor.",
        ),
        Mistake(
            (3, "result"),
            "each element receives the incoming gradient as it is. The sum does not occur in that.",
        ),
    ),
)

nodes = Exercise(
    "2 · the nodes of a loop",
    right=6,
    why="Each of the 3 passes records a product and a sum.",
    mistakes=(
        Mistake(
            2,
            "Those are the operations in the text. {you} is right for one pass; what is recorded"
            " is what ran.",
        ),
        Mistake(3, "Those are the passes. In each of the {you} more than one operation ran."),
        Mistake(7, "One of the {you} is the leaf x. It was not computed, so it is no operation."),
        Mistake(
            8,
            "Two of the {you} are no operations: the leaf x, and the line y = x, which gives x a"
            " second name.",
        ),
        Mistake(4, "The sum is inside the loop. {you} counts it once."),
        Mistake(5, "The first pass counts too. There y is x, and x * x is a product."),
        Mistake(1, "A loop is no node. PyTorch does not see it, only the operations that ran."),
    ),
)


# ---------------------------------------------------------------------- code for a given graph


@dataclass(eq=False)
class GraphToMatch(Exercise):
    """The answer is a function of tensors that records the same graph as one of the programs in
    `right`; they differ in what a picture does not tell, such as the order of two factors."""

    at: tuple[tuple[str, float], ...] = ()  # names and values of the leaves

    def picture(self) -> Picture:
        """The graph to match, without the code in it."""
        graph = masked(self._aims()[0].graph)
        drawing = Growth(graph, attributes)
        names = [f"{i} {graph.nodes[k].name}" for i, k in enumerate(operations(graph), 1)]
        sentence = f"The graph to match has the operations {', '.join(names)}."
        frame = draw.svg(drawing.width, drawing.height, LABELS[1], sentence, drawing.still())
        return Picture(frame, sentence)

    def compare(self, answer: Any) -> Any:
        """The graph of the answer beside the one to match; before there is one, that one alone."""
        found: list[tuple[Recording, Recording]] = []

        def look() -> None:
            result, names = self._run(answer)
            mine = graph_alone(result, names)
            found.append((mine, self._nearest(mine)))

        try:
            _in_time(look)
        except _NotTried:
            return self.picture()
        except Exception as error:
            return Verdict("not yet", f"Not yet. {_said(error)}")
        from ..instruments import TwinGraph

        mine, aim = found[0]
        return TwinGraph.of(mine, replace(aim, graph=masked(aim.graph)), LABELS)

    def _examine(self, answer: Any) -> None:
        result, names = self._run(answer)
        try:
            mine = graph_alone(result, names)
        except ValueError:
            count = len(operations(self._aims()[0].graph))
            raise _Diagnosis(
                f"Your code records more than {LIMIT} nodes; the picture has {count} operations."
            ) from None
        aim = self._nearest(mine)
        if not same(mine.graph, aim.graph):
            raise _Diagnosis(difference(mine, aim))

    def _run(self, answer: Any) -> tuple[Any, dict[str, Any]]:
        """What the function gives for the leaves, of the engine it was written for."""
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not callable(answer):
            raise _Diagnosis(f"Hand over the function by its name; this is {_kind(answer)}.")
        failures = []
        for engine in filter(None, map(sys.modules.get, ("autogradlab", "torch"))):
            names = {n: engine.tensor(x, requires_grad=True) for n, x in self.at}
            try:
                result = answer(*names.values())
            except Exception as error:
                failures.append(error)
                continue
            if result is None:
                raise _Diagnosis("The function returned None. End it with return.")
            if _has_ellipsis(result):
                raise _NotTried
            if not hasattr(result, "grad_fn"):
                raise _Diagnosis(f"The function returns one tensor; this is {_kind(result)}.")
            if result.grad_fn is None:
                raise _Diagnosis("Nothing was recorded: the result has no grad_fn.")
            return result, names
        raise _Diagnosis(f"The function raised {_told(failures[0])}")

    def _aims(self) -> list[Recording]:
        """One recording for each program that is right."""
        import autogradlab

        made = []
        for program in self.right:
            names = {n: autogradlab.tensor(x, requires_grad=True) for n, x in self.at}
            made.append(graph_alone(program(*names.values()), names))
        return made

    def _nearest(self, mine: Recording) -> Recording:
        """The right graph that differs least from a learner's."""
        return min(self._aims(), key=lambda aim: sum(not p.same for p in match(mine, aim)))


def graph_alone(result: Any, names: dict[str, Any]) -> Recording:
    """A graph as a recording of no steps: this lesson does not go back yet."""
    return Recording(read_graph(result, names, LIMIT), (), None, "")


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, _Diagnosis) else f"It raised {_told(error)}"


def same(one: Graph, other: Graph) -> bool:
    """Whether two graphs have the same nodes and edges on the same leaves."""
    return signature(one) == signature(other) and leaves(one) == leaves(other)


def leaves(graph: Graph) -> list[str]:
    return [n.label for n in graph.nodes.values() if n.kind == "leaf"]


def masked(graph: Graph) -> Graph:
    """The same graph with numbers in the place of the operations' expressions and values."""
    order = {key: f"op {i}" for i, key in enumerate(operations(graph), 1)}
    words = {graph.nodes[key].expression: label for key, label in order.items()}
    made = {}
    for key, node in graph.nodes.items():
        kept = tuple((name, words.get(whose, whose), size) for name, whose, size in node.saved)
        label = order.get(key, node.label)
        made[key] = replace(node, label=label, expression=label, saved=kept, value=None)
    return replace(graph, nodes=made, title="the graph to match")


def difference(mine: Recording, aim: Recording) -> str:
    """The first thing in which a learner's graph is not the one to match, in words that do not say
    how it is written."""
    ours, theirs = mine.graph, aim.graph
    have, wanted = operations(ours), operations(theirs)
    twice = again(ours)
    if twice and len(have) > len(wanted):
        return (
            f"{twice} is recorded twice. In the picture it is one operation that two others use:"
            " keep its result in a variable."
        )
    names = [ours.nodes[key].name for key in have], [theirs.nodes[key].name for key in wanted]
    extra = [ours.nodes[k] for k, name in zip(have, names[0], strict=True) if name not in names[1]]
    yours = [f"{node.label} ({node.name})" for node in extra]
    for i, name in enumerate(names[1], 1):
        if name not in names[0]:
            instead = f", and {yours[0]} is not in the picture" if yours else ""
            return f"Operation {i} of the picture, {name}, is not in your code{instead}."
    if yours:
        return f"{yours[0]} is in your code and not in the picture."
    if len(have) != len(wanted):
        return f"Your code records {len(have)} operations; the picture has {len(wanted)}."
    for leaf in leaves(theirs):
        if leaf not in leaves(ours):
            return f"The leaf {leaf} is not used in your code."
    return joined_otherwise(mine, aim)


def joined_otherwise(mine: Recording, aim: Recording) -> str:
    """The same operations with other edges: the first pair that differs."""
    ours, theirs = mine.graph, aim.graph
    number = {key: i for i, key in enumerate(operations(theirs), 1)}
    by_name = {ours.nodes[key].name: key for key in operations(ours)}
    for key, i in number.items():
        name = theirs.nodes[key].name
        feeds = [feeding(ours, by_name[name]), feeding(theirs, key)]
        if feeds[0] != feeds[1] and sorted(feeds[0]) == sorted(feeds[1]):
            return f"Operation {i}, {name}, has its two inputs the other way round in your code."
    told = [
        f"Operation {number[pair.right]}, {theirs.nodes[pair.right].name}, has other inputs in"
        " your code: follow its arrows up."
        for pair in match(mine, aim)
        if pair.right in number and (pair.left is None or "inputs" in pair.differences)
    ]
    return told[0] if told else "The operations are the same, but they are joined in another way."


def feeding(graph: Graph, key: str) -> list[str]:
    """What the inputs of an operation are: names of operations, labels of leaves."""
    sources = [graph.nodes[e.source] for e in edges_into(graph, key)]
    return [node.name if node.kind == "op" else node.label for node in sources]


def again(graph: Graph) -> str:
    """The label of an operation that another one repeats on the same inputs."""
    seen = set()
    for key in operations(graph):
        what = graph.nodes[key].name, tuple((e.slot, e.port) for e in edges_into(graph, key))
        if what in seen:
            return graph.nodes[key].label
        seen.add(what)
    return ""


def edges_into(graph: Graph, key: str) -> list[Edge]:
    return sorted((e for e in graph.edges if e.target == key), key=lambda e: e.slot)


def _shared(a: Any, b: Any) -> Any:
    u = a * b
    return u.exp() - u


def _swapped(a: Any, b: Any) -> Any:
    u = b * a
    return u.exp() - u


match_graph = GraphToMatch(
    "3 · code for a graph",
    right=(_shared, _swapped),
    why="Node by node the same graph.",
    mistakes=(),  # found by comparing the graphs
    at=(("a", 2.0), ("b", 0.5)),
)


# --------------------------------------------------------------------------- which branch ran


def _route(x: Any) -> Any:
    while x < 10:
        x = x * 2
    if x > 15:
        return x - 15
    return x.sqrt()


def mystery() -> Picture:
    """The graph that the program of exercise 4 has recorded for a number that is not told."""
    import autogradlab

    x = autogradlab.tensor(1.5, requires_grad=True)
    graph = masked(read_graph(_route(x), {"x": x}))
    names = ", ".join(graph.nodes[key].name for key in operations(graph))
    sentence = f"A graph on the leaf x, with the operations {names}, in this order."
    drawing = Growth(graph, attributes)
    frame = draw.svg(drawing.width, drawing.height, "A graph", sentence, drawing.still())
    return Picture(frame, sentence)


way: Exercise = Exercise(
    "4 · which branch ran",
    right=(3, 2),
    why="Three products are three passes, and the root is the square root of branch 2.",
    mistakes=(
        Mistake(
            (3, 1),
            "The passes are right. Branch 1 ends in a difference; look at the name of the root.",
        ),
        Mistake(
            (4, 2),
            "One operation too many. A pass of the loop is a product; the last operation is none.",
        ),
        Mistake((2, 3), "The passes come first, then the branch; there is no branch 3."),
        Mistake((2, 2), "A pass is missing. Count the MulBackward0 again."),
        Mistake((1, 2), "A loop is no node. Each pass of it has recorded a product of its own."),
        Mistake(
            (0, 2),
            "Branch 2 is right. But without a pass of the loop no product would be recorded.",
        ),
    ),
)
