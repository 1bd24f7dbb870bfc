"""FreezeBoard: freeze or detach tensors, or modules, and see what of the graph is left.

Each choice is tried out by the engine itself (`graphs.trial`); here are the choices so far, the
words for what came out, and the widget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ..graphs import Graph, Summary
from ..graphs.board import CutGraph, CutList, Left, saved_by
from ..graphs.draw import gradient_words
from ..graphs.layout import RendererMissing
from ..graphs.numbers import nbytes, number
from ..graphs.style import attributes, css_class, escape
from ..graphs.tree import joined, read_tree
from ..graphs.trial import (
    STATES,
    Choice,
    Fact,
    ProgramFailed,
    Trial,
    left_of,
    subject_of,
)
from .backward_debugger import description, listed, places
from .instrument import Instrument, _texts, chosen
from .module_tree import one_line
from .svg_view import SvgView

ROWS = 30  # of the table
ENOUGH = 4  # modules in a folded graph, if it has as many
KEYS = "data-lm-suppress-shortcuts='true'"


@dataclass(frozen=True)
class Group:
    """What one row of the table freezes together: a tensor, or the parameters of a module."""

    label: str
    names: tuple[str, ...]
    part: str  # what detaching it detaches; "" for nothing


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

    A program that raises is reported in the sentence, and nothing is changed.

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
            "frozen": _texts,
            "detached": _texts,
            "retained": _texts,
            "selected": Instrument.STATE["selected"],
        }
    )

    def __init__(
        self, program: Any, inputs: Any = None, loss: Callable[..., Any] | None = None, *,
        tensors: Mapping[str, Any] | None = None, gradient: Any = None,
        controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self._shown = chosen(controls, type(self))
        self.subject = subject_of(program, inputs, loss, tensors, gradient)
        self.model = self.subject.model
        self._groups, self._families = groups_of(self.subject)
        self._trials: dict[Choice, Trial] = {}
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
                f"Nothing is recorded: {self.result} has no grad_fn, its backward() would raise, "
                f"and {nbytes(self.full.saved)} less are saved."
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
        kept = [f"{n} keeps its gradient" for n in self.retained if self.facts[n].retains_grad]
        more = f" {listed(kept)}." if kept else ""
        return f"{self._choices_in_words()} {left_words}{more}"

    summary = sentence

    def _choices_in_words(self) -> str:
        whole, rest, some = [], [], []
        for group in self._groups:
            count = len(self.choice.frozen & set(group.names))
            (whole if count == len(group.names) else rest).append(group.label)
            if 0 < count < len(group.names):
                some.append(f"{count} of the {len(group.names)} tensors of {group.label}")
        if len(whole) > 3 and 0 < len(rest) <= 2 and not some:
            parts = [f"All but {listed(rest)} are frozen: their .grad stays None"]
        else:
            parts = [stays(whole + some, "frozen")] if whole or some else []
        cuts = self.detached
        if self.model is None and cuts:
            parts.append(stays(cuts, "detached"))
        elif cuts:
            parts.append(f"the output of {listed(cuts)} is detached")
        return f"{', and '.join(parts) or 'Nothing is frozen'}."

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
        labels = [group.label for group in self._groups]
        return listed(labels if len(labels) <= 12 else [*labels[:11], "more"])

    def _choose(self, **changes: frozenset[str]) -> str:
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
        """The drawing, and what is left in it."""
        pairs = left_of(base.graph, self.trial)
        if base.recording is not None:
            graph = self._graph = base.graph
            drawing = CutGraph(graph, base.recording, pen)
        else:
            graph = self._graph = folded(base.graph) if self.model is not None else base.graph
            drawing = CutList(graph, saved_by(base.graph, insides(graph)), pen)
        return drawing, self._left(base.graph, graph, pairs or {})

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
        if verb in ("freeze", "detach", "only") and int(at) < len(self._groups):
            group = self._groups[int(at)]
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
            view.panels = [self._panel()]
            view.sentences = [self.sentence]
            if view.selected not in view.overlays:
                view.selected = ""
            view.revision += 1

    def _panel(self) -> str:
        table = self._modules_table() if self.model is not None else self._tensors_table()
        states = self._states() if "states" in self._shown else ""
        memory = self._memory() if "memory" in self._shown else ""
        return f"<section><form class='agl-truth'>{table}</form></section>{states}{memory}"

    def _button(self, verb: str, at: int, on: bool, words: str, about: str) -> str:
        sign = "✓ " if on else ""
        return (
            f"<button name='{verb} {at}' aria-pressed='{str(on).lower()}' "
            f"aria-label='{words} {escape(about)}' {KEYS}>{sign}{words}</button>"
        )

    def _toggles(self, i: int, group: Group) -> str:
        frozen = set(group.names) <= self.choice.frozen
        made = self._button("freeze", i, frozen, "freeze", group.label)
        made = made if "freeze" in self._shown else ""
        if group.part and "detach" in self._shown:
            on = group.part in self.choice.detached
            made += self._button("detach", i, on, "detach", group.label)
        return made

    def _retain(self, name: str) -> str:
        if "retain" not in self._shown:
            return ""
        at, on = self.subject.results.index(name), name in self.choice.retained
        return self._button("retain", at, on, "retain grad", name)

    def _tensors_table(self) -> str:
        labels = {group.label: i for i, group in enumerate(self._groups)}
        rows = [head("tensor", "", "requires_grad", "is_leaf", "grad_fn", ".grad after backward")]
        for name, fact in self.facts.items():
            at = labels.get(name)
            buttons = self._toggles(at, self._groups[at]) if at is not None else (
                self._retain(name) if name in self.subject.results else ""
            )
            rows.append(
                line(
                    f"<code>{escape(name)}</code>", buttons, truth(fact.requires_grad),
                    truth(fact.is_leaf), f"<code>{escape(fact.grad_fn or 'None')}</code>",
                    chip(fact.grad),
                )
            )  # fmt: skip
        return f"<table>{''.join(rows)}</table>{self._reset()}"

    def _modules_table(self) -> str:
        rows = [head("module", "", "requires_grad", "‖.grad‖ after backward")]
        for i, group in enumerate(self._groups[:ROWS]):
            facts = [self.facts[name] for name in group.names]
            on = sum(fact.requires_grad for fact in facts)
            share = truth(bool(on)) if on in (0, len(facts)) else f"{on} of {len(facts)}"
            norm = joined(fact.grad.norm for fact in facts if fact.grad)
            rows.append(
                line(
                    f"<code>{escape(group.label)}</code>", self._toggles(i, group), share,
                    "<span class='agl-none'>None</span>" if norm is None
                    else f"<span class='agl-g'>{number(norm)}</span>",
                )
            )  # fmt: skip
        if len(self._groups) > ROWS:
            more = f"and {len(self._groups) - ROWS} more: board.freeze(name)"
            rows.append(line(escape(more), "", "", ""))
        result = self.facts[self.result]
        rows.append(
            line(
                f"<code>{escape(result.name)}</code>", self._retain(result.name),
                truth(result.requires_grad), chip(result.grad),
            )
        )  # fmt: skip
        return f"<table>{''.join(rows)}</table>{self._reset()}"

    def _reset(self) -> str:
        last = len(self._groups) - 1
        only = ""
        if self.model is not None and last > 0 and "freeze" in self._shown:
            label = escape(self._groups[last].label)
            only = f"<button name='only {last}' {KEYS}>Freeze all but {label}</button>"
        return f"<div class='agl-ways'>{only}<button name='reset' {KEYS}>Reset</button></div>"

    def _states(self) -> str:
        """The four states a tensor can be in, those that occur lit."""
        made = []
        for (requires, leaf, _), name in STATES.items():
            found = [fact.name for fact in self.facts.values() if fact.state == name]
            who = listed(found) if len(found) <= 3 else f"{len(found)} tensors"
            lit = "agl-set" if found else "agl-wait"
            flags = f"requires_grad {'✓' if requires else '–'} · is_leaf {'✓' if leaf else '–'}"
            made.append(
                f"<div><span class='agl-chip {lit}'>{name}</span><small>{flags}</small>"
                f"<b>{escape(who) or 'none'}</b></div>"
            )
        rows = f"<div class='agl-states'>{''.join(made)}</div>"
        return f"<section><h4>The four legal states</h4>{rows}</section>"

    def _memory(self) -> str:
        """What is saved for backward, as a bar, and what is saved no longer."""
        full, now = self.full.saved, self.trial.saved
        if not full:
            return ""
        gone = max(0, full - now)
        cells = []
        for kind, size, word in (("held", now, "saved"), ("free", gone, "no longer saved")):
            if size:
                words = f"{nbytes(size)} {word}"
                style = f"style='flex:{size} 1 0' title='{words}'"
                cells.append(f"<div class='agl-{kind}' {style}>{words}</div>")
        share = f"<span>{nbytes(now)} of {nbytes(full)}</span>"
        bar = f"<div class='agl-bar'>{''.join(cells)}</div>"
        if self.trial.lasting:
            whose = "the parameters" if self.model is not None else "the given tensors"
            anyway = f"{nbytes(self.trial.lasting)} of it are {whose}, which stay in memory anyway."
            bar += f"<p class='agl-note'>{anyway}</p>"
        return f"<section><h4>Saved for backward{share}</h4>{bar}</section>"


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


def stays(names: list[str], how: str) -> str:
    """Who is frozen or detached, and what follows.

    >>> stays(["a"], "frozen"), stays(["a", "b"], "detached")
    ('a is frozen: a.grad stays None', 'a and b are detached: their .grad stays None')
    """
    names = [one_line(name) for name in names]
    if len(names) == 1 and " " not in names[0] and "." not in names[0]:
        return f"{names[0]} is {how}: {names[0]}.grad stays None"
    verb = "is" if len(names) == 1 and " of the " not in names[0] else "are"
    whose = "its" if verb == "is" else "their"
    return f"{listed(names)} {verb} {how}: {whose} .grad stays None"


def folded(graph: Graph) -> Graph:
    """The graph of a model, folded to the first depth that shows a few modules."""
    made, depth = graph.fold(1), 1
    while sum(node.kind == "module" for node in made.nodes.values()) < ENOUGH:
        depth += 1
        deeper = graph.fold(depth)
        if len(deeper.nodes) == len(made.nodes):
            break
        made = deeper
    return made


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


def head(*cells: str) -> str:
    return f"<tr>{''.join(f'<th>{cell}</th>' for cell in cells)}</tr>"


def line(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def truth(on: bool) -> str:
    """True or False, told apart by more than colour."""
    return f"<span class='agl-{'true' if on else 'false'}'>{on}</span>"


def chip(grad: Summary | None) -> str:
    """A gradient, or None."""
    if grad is None:
        return "<span class='agl-none'>None</span>"
    return f"<span class='agl-g'>{escape(gradient_words(grad))}</span>"
