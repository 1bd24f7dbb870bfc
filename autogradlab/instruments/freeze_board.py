"""FreezeBoard: freeze or detach tensors, or modules, and see what of the graph is left.

Each choice is tried out by the engine itself (`graphs.trial`); here are the choices so far, the
words for what came out, and the widget.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..graphs import Graph
from ..graphs.board import CutGraph, CutList, Left, saved_by
from ..graphs.layout import RendererMissing
from ..graphs.numbers import nbytes
from ..graphs.style import attributes, css_class, one_line
from ..graphs.tree import joined, read_tree
from ..graphs.trial import (
    Choice,
    Fact,
    ProgramFailed,
    Trial,
    left_of,
    subject_of,
)
from .backward_debugger import description, listed, places
from .freeze_panel import Group, panel
from .instrument import Instrument, chosen, texts
from .svg_view import SvgView

ENOUGH, FEWEST = 4, 2  # modules in a folded graph, if it has as many
WHOLE = 60  # nodes of a graph that need not be folded


class FreezeBoard(Instrument):
    """Switch `requires_grad` off, or detach, and see which nodes, gradients and bytes are left.

    Every choice runs the program again: on fresh copies of its tensors, or on the model itself,
    whose flags, gradients, buffers, modes and random state are put back exactly.

    Args:
        program: a function of tensors, called with them by keyword; it gives a tensor, or several
            in a dictionary of which the last is the result. Or a module of either engine.
        inputs: for a model, what it is called with: a tensor, or a tuple.
        loss: for a model, a function of what it gives; without, that is the result.
        tensors: for a program, its arguments by name.
        gradient: what `backward(gradient=…)` starts from; ones if left out.
        controls: of "freeze", "detach" and "retain" (buttons), "states" and "memory" (below the
            table) those to be shown; None for all.

    A program that raises is reported in the sentence, and nothing is changed. A choice runs once
    and is remembered: when tensors or weights have changed, make a new board.

    Raises:
        TypeError: this is neither a program with tensors nor a model with inputs; ValueError: there
        is nothing to freeze.

    >>> from autogradlab import tensor
    >>> a = tensor([2.0, 3.0], requires_grad=True)
    >>> b = tensor([6.0, 4.0], requires_grad=True)
    >>> board = FreezeBoard(lambda a, b: 3 * a**3 - b**2, tensors={"a": a, "b": b})
    >>> board.sentence
    'Nothing is frozen. All 6 nodes are recorded, and 16 B are saved for backward.'
    >>> board.freeze("a")
    'a is frozen: a.grad stays None. 3 of 6 nodes are left, and 8 B less are saved.'
    >>> board.freeze("b")  # doctest: +ELLIPSIS
    'a and b are frozen: their .grad stays None. Nothing is recorded: output has no grad_fn, ...'
    """

    CONTROLS = ("freeze", "detach", "retain", "states", "memory")
    STATE = MappingProxyType(
        {
            "frozen": texts,
            "detached": texts,
            "retained": texts,
            "selected": Instrument.STATE["selected"],
        }
    )

    def __init__(
        self, program: Any, inputs: Any = None, loss: Callable[..., Any] | None = None, *,
        tensors: Mapping[str, Any] | None = None, gradient: Any = None,
        controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self.shown = chosen(controls, type(self))
        self.subject = subject_of(program, inputs, loss, tensors, gradient)
        self.model = self.subject.model
        self.groups, self._families = groups_of(self.subject)
        self._trials: dict[Choice, Trial] = {}
        self._drawings: dict[Any, CutGraph | CutList] = {}
        self._failure = ""
        self._selected = ""
        flags = self.subject.parameters if self.model is not None else self.subject.tensors
        off = frozenset(name for name in self.subject.names if not flags[name].requires_grad)
        self.choice = Choice(frozen=off)
        self.title = type(self.model).__name__ if self.model is not None else "a program"
        try:
            self.full, self.trial = self._try(Choice()), self._try(self.choice)
        except ProgramFailed as error:
            self._failure = self.trouble = f"The run failed with {one_line(str(error))}"
            self.full = self.trial = Trial({}, None, 0, 0, None)
            return
        if self.full.graph is None:
            self._failure = self.trouble = (
                f"{self.result} has no grad_fn even with nothing frozen: it is not computed from "
                f"these tensors, or under no_grad"
            )
            return
        self.title = self.full.graph.title if self.model is None else self.title
        self.engine = self.full.graph.engine
        try:
            self._picture(self.full, css_class)
        except RendererMissing as error:
            self.trouble = str(error)
            return
        self.view = SvgView(title="Freeze Board", look="board", tag=self.engine)
        self.view.on_msg(lambda view, content, buffers: self._on_message(content))
        self._draw()

    # ---------------------------------------------------------------------------- what is said

    @property
    def frozen(self) -> list[str]:
        """Names of the tensors, or parameters, with requires_grad=False."""
        return [name for name in self.subject.names if name in self.choice.frozen]

    @property
    def detached(self) -> list[str]:
        """Names of the tensors that are detached, or of the modules whose outputs are."""
        return [name for name in self.subject.parts if name in self.choice.detached]

    @property
    def retained(self) -> list[str]:
        """Names of the results that were told to keep their gradient."""
        return sorted(self.choice.retained)

    @property
    def result(self) -> str:
        """The name of the result."""
        return self.subject.results[-1] if self.subject.results else "output"

    @property
    def facts(self) -> dict[str, Fact]:
        """What the engine says of each tensor after backward."""
        return self.trial.facts

    @property
    def saved_less(self) -> int:
        """How many bytes less are saved for backward than with nothing frozen."""
        return self.full.saved - self.trial.saved

    @property
    def sentence(self) -> str:
        """What is frozen and what is left, in words."""
        if self._failure:
            after = ", so nothing was changed." if self.view else "."
            return self._failure.rstrip(".") + after
        left, full = self.trial.nodes, self.full.nodes
        if self.trial.graph is None:
            left_words = (
                f"Nothing is recorded: {one_line(self.result)} has no grad_fn, its backward() "
                f"would raise, and {nbytes(self.full.saved)} less are saved."
            )
        elif left == full and not self.saved_less:
            left_words = (
                f"All {full} nodes are recorded, and {nbytes(self.full.saved)} are saved for "
                "backward."
            )
        else:
            less = f"{nbytes(self.saved_less)} less are saved" if self.saved_less > 0 else (
                "as much is saved" if not self.saved_less else "more is saved"
            )
            left_words = f"{left} of {full} nodes are left, and {less}."
        kept = [one_line(n) for n in self.retained if self.facts[n].retains_grad]
        kept = [f"{n} keeps its gradient" for n in kept]
        more = f" {listed(kept)}." if kept else ""
        return f"{self._choices_in_words()} {left_words}{more}"

    summary = sentence

    def _choices_in_words(self) -> str:
        whole, rest, some = [], [], []
        for group in self.groups:
            count = len(self.choice.frozen & set(group.names))
            (whole if count == len(group.names) else rest).append(group.label)
            if 0 < count < len(group.names):
                some.append(f"{count} of the {len(group.names)} tensors of {group.label}")
        if len(whole) > 3 and 0 < len(rest) <= 2 and not some:
            parts = [f"All but {listed(rest)} are frozen: their .grad stays None"]
        else:
            modules = {group.label for group in self.groups if group.label not in self.facts}
            parts = [stays(whole + some, "frozen", modules)] if whole or some else []
        cuts = self.detached
        if self.model is None and cuts:
            parts.append(stays(cuts, "detached"))
        elif cuts:
            parts.append(f"the output of {listed(cuts)} is detached")
        words = ", and ".join(parts) or "Nothing is frozen"
        return f"{'T' + words[1:] if words.startswith('the output of ') else words}."

    # ------------------------------------------------------------------------------- to change

    def freeze(self, *names: str) -> str:
        """Set requires_grad=False for tensors, or for all parameters of modules; returns the
        sentence.

        Raises:
            ValueError: there is none of that name.
        """
        return self._choose(frozen=self.choice.frozen | self._family(names))

    def unfreeze(self, *names: str) -> str:
        """Set requires_grad=True again; without a name, for all."""
        family = self._family(names) if names else self.choice.frozen
        return self._choose(frozen=self.choice.frozen - family)

    def freeze_all_but(self, *names: str) -> str:
        """Freeze everything else, as for fine-tuning."""
        return self._choose(frozen=frozenset(self.subject.names) - self._family(names))

    def toggle(self, name: str) -> str:
        """Freeze what is not frozen as a whole, unfreeze what is."""
        whole = self._family([name]) <= self.choice.frozen
        return (self.unfreeze if whole else self.freeze)(name)

    def detach(self, *names: str) -> str:
        """Let the program have tensors detached, or detach what modules give."""
        return self._choose(detached=self.choice.detached | self._parts(names))

    def attach(self, *names: str) -> str:
        """Detach them no longer; without a name, none."""
        return self._choose(detached=self.choice.detached - self._parts(names or self.detached))

    def retain(self, name: str | None = None, on: bool = True) -> str:
        """Call `retain_grad()` on a result (the last, if none is named), or no longer."""
        name = self.result if name is None else name
        if name not in self.subject.results:
            raise ValueError(f"there is no result {name!r}; there is {listed(self._results())}")
        kept = self.choice.retained
        return self._choose(retained=kept | {name} if on else kept - {name})

    def reset(self) -> str:
        """Freeze and detach nothing."""
        return self._choose(frozen=frozenset(), detached=frozenset(), retained=frozenset())

    def select(self, node: str | None) -> str:
        """Mark a node, given by its label or key; None marks none. Returns it in words."""
        if node is None or self.view is None:
            self._set("selected", "")
            return self.sentence
        for key, words, *_ in self.view.targets:
            about = self._graph.nodes[key]
            if node in (key, about.label, about.expression):
                self.view.selected = key
                return words
        raise ValueError(f"no node of this graph is called {node!r}")

    def _results(self) -> list[str]:
        return list(self.subject.results)

    def _family(self, names: Iterable[str]) -> frozenset[str]:
        found: set[str] = set()
        for name in names:
            if not self._families.get(name):
                raise ValueError(f"there is no {name!r} to freeze; there is {self._known()}")
            found |= set(self._families[name])
        return frozenset(found)

    def _parts(self, names: Iterable[str]) -> frozenset[str]:
        for name in names:
            if name not in self.subject.parts:
                raise ValueError(f"there is no {name!r} to detach; there is {self._known()}")
        return frozenset(names)

    def _known(self) -> str:
        labels = [group.label for group in self.groups]
        return listed(labels if len(labels) <= 12 else [*labels[:11], "more"])

    def _choose(self, **changes: frozenset[str]) -> str:
        if self.full.graph is None:  # there has never been a picture
            return self.sentence
        choice = replace(self.choice, **changes)
        try:
            self.trial = self._try(choice)
        except ProgramFailed as error:
            self._failure = f"The run failed with {one_line(str(error))}"
        else:
            self.choice, self._failure = choice, ""
        self._draw()
        return self.sentence

    def _try(self, choice: Choice) -> Trial:
        if choice not in self._trials:
            self._trials[choice] = self.subject.run(choice)
        return self._trials[choice]

    # ---------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        if name == "selected":
            return self.view.selected if self.view else self._selected
        return getattr(self, name)

    def _set(self, name: str, value: Any) -> None:
        if name == "selected":
            super()._set(name, value)
            return
        known = {"frozen": self.subject.names, "detached": self.subject.parts}
        for each in value:
            if each not in known.get(name, self.subject.results):
                raise ValueError(f"this state does not fit: there is no {each[:40]!r}")
        self._choose(**{name: frozenset(value)})

    # --------------------------------------------------------------------------------- output

    def svg(self) -> str:
        """The graph with what is cut, as a still picture."""
        if self.view is None:
            raise RuntimeError(self.trouble)
        drawing, left = self._picture(self._base, attributes)
        return drawing.svg(f"Freeze board of {self.title}", self.sentence, left)

    @property
    def _base(self) -> Trial:
        """The trial whose graph is drawn: the full one, unless other operations run now."""
        return self.full if left_of(self.full.graph, self.trial) is not None else self.trial

    def _picture(self, base: Trial, pen: Any) -> tuple[CutGraph | CutList, Left]:
        """The drawing, and what is left in it. Where things stand does not change with a choice."""
        if (id(base), pen) not in self._drawings:
            self._drawings[id(base), pen] = drawing_of(base, self.model is not None, pen)
        drawing = self._drawings[id(base), pen]
        self._graph = drawing.graph
        pairs = left_of(base.graph, self.trial)
        return drawing, self._left(base.graph, drawing.graph, pairs or {})

    def _left(self, whole: Graph, graph: Graph, pairs: Mapping[str, str]) -> Left:
        inside = insides(graph)
        alive = {k: [pairs[n] for n in nodes if n in pairs] for k, nodes in inside.items()}
        alive = {key: nodes for key, nodes in alive.items() if nodes}
        now = self.trial.graph
        supers = {n: key for key, nodes in inside.items() for n in nodes}
        real = {(e.source, e.target, e.slot) for e in now.edges} if now else set()
        passing = {
            (supers[e.source], supers[e.target])
            for e in whole.edges
            if (pairs.get(e.source), pairs.get(e.target), e.slot) in real
        }
        cuts = (i for i, e in enumerate(graph.edges) if (e.source, e.target) not in passing)
        words, grads, norms = {}, {}, {}
        for key, node in graph.nodes.items():
            leaves = [whole.nodes[n].expression for n in inside[key] if is_leaf(whole, n)]
            leaves = [name for name in leaves if name in self.facts]
            words[key] = self._words(node, leaves)
            if leaves:
                found = [self.facts[name].grad for name in leaves]
                grads[key] = found[0]
                norms[key] = joined(g.norm for g in found if g)
        saved = saved_by(now, alive) if now else {}
        return Left(saved, {k: w for k, w in words.items() if w}, grads, norms, frozenset(cuts))

    def _words(self, node: Any, leaves: list[str]) -> str:
        """What is written beside a node."""
        off, count = len(self.choice.frozen & set(leaves)), len(leaves)
        words = [] if not off else ["frozen" if off == count else f"{off} of {count} frozen"]
        call = self._graph.calls.get(node.key.partition("p")[0])
        path = call.path if call and node.kind == "module" else None
        if node.expression in self.choice.detached and self.model is None:
            words.append("detached")
        elif path is not None and path in self.choice.detached:
            words.append("output detached")
        elif path and any(each.startswith(f"{path}.") for each in self.choice.detached):
            words.append("a part detached")
        return ", ".join(words)

    # --------------------------------------------------------------------------------- widget

    def _on_message(self, content: Any) -> None:
        """A button of the panel was pressed; what fits none is passed over."""
        pressed = content.get("button") if isinstance(content, dict) else None
        verb, _, at = pressed.partition(" ") if isinstance(pressed, str) else ("", "", "")
        if verb == "reset":
            self.reset()
        if not at.isdecimal():
            return
        if verb == "retain" and int(at) < len(self.subject.results):
            name = self.subject.results[int(at)]
            self.retain(name, name not in self.choice.retained)
        if verb in ("freeze", "detach", "only") and int(at) < len(self.groups):
            group = self.groups[int(at)]
            if verb == "freeze":
                self.toggle(group.label)
            elif verb == "only":
                self.freeze_all_but(group.label)
            elif group.part:
                there = group.part in self.choice.detached
                (self.attach if there else self.detach)(group.part)

    def _draw(self) -> None:
        """Give the widget all that it shows now."""
        if self.view is None:
            return
        drawing, left = self._picture(self._base, css_class)
        with self.view.hold_sync():
            view = self.view
            for name, trait in (
                places(drawing) if isinstance(drawing, CutGraph) else rows_of(drawing)
            ).items():
                setattr(view, name, trait)
            view.set_frames([drawing.parts(left)])
            view.expression = self.title
            view.panels = [panel(self)]
            view.sentences = [self.sentence]
            if view.selected not in view.overlays:
                view.selected = ""
            view.revision += 1


def groups_of(subject: Any) -> tuple[list[Group], dict[str, tuple[str, ...]]]:
    """The rows of the table, and for every name that can be frozen what it freezes."""
    if subject.model is None:
        groups = [Group(name, (name,), name) for name in subject.names]
        return groups, {name: (name,) for name in subject.names}
    rows = [r for r in read_tree(subject.model) if set(r.parameters) & set(subject.names)]
    known = set(subject.names)
    families = {r.label: tuple(p for p in r.parameters if p in known) for r in rows}
    top, inner = "", [r for r in rows if r.path and len(r.around) == 1]
    while len(inner) == 1 and inner[0].shape is None and inner[0].foldable:
        top = inner[0].path
        deeper = [r for r in rows if r.around and r.around[-1] == top]
        if not any(r.shape is None for r in deeper):
            break
        inner = deeper
    groups = [
        Group(r.path, families[r.label], r.path if r.shape is None else "")
        for r in inner
        if not (r.shape is not None and r.twin)
    ]
    return groups, families


def stays(names: list[str], how: str, modules: Container[str] = ()) -> str:
    """Who is frozen or detached, and what follows.

    >>> stays(["a"], "frozen"), stays(["a", "b"], "detached")
    ('a is frozen: a.grad stays None', 'a and b are detached: their .grad stays None')
    >>> stays(["layer1"], "frozen", {"layer1"})
    'layer1 is frozen: the .grad of its parameters stays None'
    """
    one = names[0] if len(names) == 1 else None
    if one is None or " of the " in one:
        verb, whose = "are", "their .grad"
    else:
        verb, whose = "is", f"{one_line(one)}.grad"
        whose = "the .grad of its parameters" if one in modules else whose
    return f"{listed([*map(one_line, names)])} {verb} {how}: {whose} stays None"


def drawing_of(base: Trial, fold: bool, pen: Any) -> CutGraph | CutList:
    """The drawing of a trial's graph."""
    if base.recording is not None:
        return CutGraph(base.graph, base.recording, pen)
    graph = folded(base.graph) if fold else base.graph
    return CutList(graph, saved_by(base.graph, insides(graph)), pen)


def folded(graph: Graph) -> Graph:
    """The graph of a model, folded to the first depth that shows a few modules; whole if it is
    small and does not show as many at any depth."""
    made, depth = graph.fold(1), 1
    while modules_in(made) < ENOUGH:
        depth += 1
        deeper = graph.fold(depth)
        if len(deeper.nodes) == len(made.nodes):
            break
        made = deeper
    return graph if modules_in(made) < FEWEST and len(graph.nodes) <= WHOLE else made


def modules_in(graph: Graph) -> int:
    return sum(node.kind == "module" for node in graph.nodes.values())


def insides(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For each node those it holds of the graph it was folded from, or itself."""
    return {k: node.inside.nodes if node.inside else (k,) for k, node in graph.nodes.items()}


def is_leaf(graph: Graph, key: str) -> bool:
    return graph.nodes[key].kind in ("leaf", "parameter")


def rows_of(drawing: CutList) -> dict[str, Any]:
    """Of a list what stays the same in all its states."""
    keys, graph = drawing.keys, drawing.graph
    spots = {key: drawing.middle(key) for key in keys}
    return {
        "view": [float(drawing.width), float(drawing.height)],
        "targets": [
            [k, description(graph, k), *spots[k], keys[max(0, i - 1) : i], keys[i + 1 : i + 2]]
            for i, k in enumerate(keys)
        ],
        "overlays": {key: drawing.marks(key) for key in keys},
        "order": [["", None, None], ["", None, None], *([k, *spots[k]] for k in keys)],
    }
