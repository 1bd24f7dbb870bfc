"""ReadyQueue: be the engine, and pick the node that runs next.

A node may run when all its gradients have arrived. A pick that keeps this rule runs the node, and
what it sends travels on; a pick that breaks it is explained, with the wrong numbers that the node
would have sent. The pass was recorded before (`graphs.record_backward`): with every order that is
allowed it has the same numbers, so only a pick that is too early needs new ones.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ..graphs import Edge, Event, GraphNode, Recording, Summary, record_backward
from ..graphs.draw import (
    Drawing,
    EdgeLook,
    Look,
    NodeLook,
    Pen,
    _cup_mark,
    gradient_chip_width,
    gradient_words,
    svg,
)
from ..graphs.layout import RendererMissing
from ..graphs.numbers import numbers
from ..graphs.protocol import array_of, numpy_name, summarize
from ..graphs.read import Reading
from ..graphs.recording import untouched
from ..graphs.style import attributes, css_class, escape, text_width
from .backward_debugger import caller_names, gradient_html, listed, places
from .instrument import Instrument, chosen, texts
from .svg_view import SvgView
from .twin_graph import plural

LIMIT = 40  # nodes of a graph in which one still finds the next
BADGE = 16  # px between an operation and its cup, for the pill that says "1/2"
Sent = dict[str, np.ndarray]  # what a node sends, by port


class ReadyQueue(Instrument):
    """A backward pass whose order the reader chooses, node by node.

    Args:
        root: the tensor to go back from, of autogradlab or PyTorch, its graph not freed.
        names: what to call tensors, `{"a": a}`; by default the caller's own variable names.
        gradient: what `backward(gradient=…)` would get; may be left out for one element.
        controls: of "sums" (what has arrived so far, in cups and in a table) and "restart" (the
            button) those to be shown; None for both.

    Raises:
        what `root.backward(gradient)` raises; ValueError for a graph of more than 40 nodes.

    >>> from autogradlab import tensor
    >>> a = tensor(2.0, requires_grad=True)
    >>> p = 3 * a
    >>> game = ReadyQueue(p + p**2, {"a": a, "p": p})
    >>> game.legal
    ['p + p²']
    >>> game.pick("p + p²")
    'p + p² ran. It received 1 and sends 1 to 3·a and 1 to p².'
    >>> print(*game.pick("3·a").split(": "), sep="\\n")
    Not yet. 3·a has 1 of its 2 gradients
    the one from p² is missing. If it ran now, it would send 3 to a instead of 39.
    >>> game.score, game.legal
    (1, ['p²'])
    """

    CONTROLS = ("sums", "restart")
    STATE = MappingProxyType({"picks": texts, "selected": Instrument.STATE["selected"]})

    def __init__(
        self, root: Any, names: Mapping[str, Any] | None = None, gradient: Any = None, *,
        controls: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self._shown = chosen(controls, type(self))
        names = caller_names(sys._getframe(1)) if names is None else names
        self.recording = record_backward(root, gradient, names, LIMIT)
        self.graph = self.recording.graph
        self.title = self.graph.title
        self.events = {event.key: event for event in self.recording.events}
        self._alone = alone(Reading(root, names, LIMIT), self.recording)
        self._drawings: dict[Pen, Queue] = {}
        self._start()
        try:
            self._drawing(css_class)
        except RendererMissing as error:
            self.trouble = str(error)
            return
        self.view = SvgView(title="Ready Queue", look="game", tag=self.graph.engine)
        self.view.on_msg(lambda view, content, buffers: self._on_message(content))
        self._draw()

    def _start(self) -> None:
        root = self.graph.root
        self.picks: list[str] = []  # keys, those picked too early among them
        self._ran, self._tried = [root], ""
        name, given = self.graph.nodes[root].label, numbers(self.recording.gradient)
        self.sentence = f"Nothing has run yet. {name} is given the gradient {given}."

    # -------------------------------------------------------------------------------- the game

    @property
    def order(self) -> list[str]:
        """The labels of the nodes that have run, in the order of the picks."""
        return [self._label(key) for key in self._ran[1:]]

    @property
    def legal(self) -> list[str]:
        """The labels of the nodes that may run now, in forward order."""
        return [n.label for k, n in self.graph.nodes.items() if k in self.events and self._may(k)]

    @property
    def score(self) -> int:
        """How many picks were against the rule; 0 is best."""
        return len(self.picks) - len(self._ran) + 1

    @property
    def done(self) -> bool:
        """Whether every node has run."""
        return len(self._ran) > len(self.events)

    @property
    def summary(self) -> str:
        """The last pick and the score, in words."""
        count, total = len(self._ran) - 1, len(self.events)
        told = "" if self.done else f" {count} of {total} nodes have run, {early(self.score)}."
        return self.sentence + told

    def pick(self, node: str) -> str:
        """Let a node run next, given by its label or key; returns what happens, or why it may not.

        Raises:
            ValueError: no node of this pass is called so.
        """
        key = self._key(node)
        self.picks.append(key)
        self._tried = ""
        if self._may(key):
            self._ran.append(key)
            self.sentence = self._sent_words(key)
        else:
            self._tried = key
            self.sentence = f"Not yet. {self._why_not(key)}"
        self._draw()
        return self.sentence

    def reset(self) -> str:
        """Start again: nothing has run, and the score is 0."""
        self._start()
        self._draw()
        return self.sentence

    def arrived(self, node: str) -> list[Summary]:
        """The gradients that have arrived at a node so far, in the order in which they came."""
        return [gradient for _, gradient in self._arrivals(self._key(node))]

    def _may(self, key: str) -> bool:
        return key not in self._ran and not self._missing(key)

    def _edges(self, key: str) -> list[Edge]:
        return [edge for edge in self.graph.edges if edge.source == key]

    def _missing(self, key: str) -> list[Edge]:
        return [edge for edge in self._edges(key) if edge.target not in self._ran]

    def _sender(self, key: str, port: str) -> Summary | None:
        """What a node has sent to a port."""
        if key == self.graph.root:
            return self.recording.gradient
        return self.events[key].grads_out.get(port)

    def _arrivals(self, key: str) -> list[tuple[str, Summary]]:
        ways = dict.fromkeys((edge.target, edge.port) for edge in self._edges(key))
        found = [(k, self._sender(k, port)) for k, port in ways if k in self._ran]
        return sorted((each for each in found if each[1]), key=lambda x: self._ran.index(x[0]))

    def _key(self, node: str) -> str:
        found = [
            key
            for key in self.events
            if node in (key, self.graph.nodes[key].label, self.graph.nodes[key].expression)
        ]
        if not found:
            labels = [self._label(key) for key in self.events]
            raise ValueError(f"no node of this pass is called {node!r}; there are {listed(labels)}")
        return next((key for key in found if key not in self._ran), found[0])

    def _label(self, key: str) -> str:
        return self.graph.nodes[key].label

    # ---------------------------------------------------------------------------- what is said

    def _sent_words(self, key: str) -> str:
        event, label = self.events[key], self._label(key)
        came = numbers(event.grad_in) if event.grad_in else "no gradient"
        if event.accumulated:
            before, after = event.accumulated
            held = f"held {numbers(before)}" if before else "was None"
            said = f"received {came}: {label}.grad {held} and is now {numbers(after)}."
        else:
            sent = [f"{numbers(g)} to {self._to(port)}" for port, g in event.grads_out.items() if g]
            said = f"received {came} and sends {listed(sent) or 'nothing on'}."
        if not self.done:
            return f"{label} ran. It {said}"
        count = plural(len(self.events), "node")
        return f"Done: all {count} have run, {early(self.score)}. {label} {said}"

    def _why_not(self, key: str) -> str:
        label, edges, missing = self._label(key), self._edges(key), self._missing(key)
        if not missing:
            return f"{label} has run already. It would send the same again, and all would count it."
        here, total = len(edges) - len(missing), plural(len(edges), "gradient")
        if not here:
            what = "not received its gradient" if len(edges) == 1 else f"none of its {total}"
            return f"{label} has {what}, so it has nothing to send."
        senders = listed([self._label(k) for k in dict.fromkeys(e.target for e in missing)])
        which = f"the one from {senders} is" if len(missing) == 1 else f"those from {senders} are"
        return f"{label} has {here} of its {total}: {which} missing. {self._harm(key)}".rstrip()

    def _harm(self, key: str) -> str:
        """What the node would do if it ran now, in numbers where they are known."""
        event, label = self.events[key], self._label(key)
        came = self._arrivals(key)
        if event.accumulated and came and event.grad_in:
            now = summed(came)
            before, after = event.accumulated
            if now is None or before:
                return ""
            return f"If it ran now, {label}.grad would be {numbers(now)}, not {numbers(after)}."
        pieces = [self._alone.get((key, sender)) for sender, _ in came]
        if not came or any(piece is None for piece in pieces):
            return ""
        wrong = {port: sum(piece[port] for piece in pieces) for port in pieces[0]}
        shown = {port: numbers(summarize(np.asarray(x))) for port, x in wrong.items()}
        instead = [numbers(event.grads_out[port]) for port in wrong]
        if list(shown.values()) == instead:
            return "What is missing changes nothing in these numbers, but the engine cannot know."
        sends = [f"{words} to {self._to(port)}" for port, words in shown.items()]
        return f"If it ran now, it would send {listed(sends)} instead of {listed(instead)}."

    def _to(self, port: str) -> str:
        return self.graph.result(port).label

    # ---------------------------------------------------------------------------------- state

    def _get(self, name: str) -> Any:
        return list(self.picks) if name == "picks" else super()._get(name)

    def _set(self, name: str, value: Any) -> None:
        if name != "picks":
            super()._set(name, value)
            return
        for key in value:
            if key not in self.events:
                raise ValueError(f"this state does not fit: there is no node {key[:40]!r}")
        self._start()
        for key in value:
            self.pick(key)

    _selected = ""

    # --------------------------------------------------------------------------------- output

    def svg(self) -> str:
        """The graph after the last pick, as a still picture."""
        drawing = self._drawing(attributes)
        words = f"Ready queue of {self.title}"
        look = self._look()
        return svg(drawing.width, drawing.height, words, self.summary, drawing.body(look))

    def _drawing(self, pen: Pen) -> Queue:
        if pen not in self._drawings:
            game = self if "sums" in self._shown else None
            self._drawings[pen] = Queue(self.recording, pen, game)
        return self._drawings[pen]

    def _look(self) -> Look:
        """What has run, what has arrived, and what a pick that came too early is waiting for.
        Which nodes are ready is not shown: that is the question."""
        now = "" if self._tried else self._ran[-1]
        nodes, edges = {}, []
        for key, node in self.graph.nodes.items():
            event, ran = self.events.get(key), key in self._ran
            phase = "done" if ran else "waiting" if key == self._tried else "plain"
            needed = len(self._edges(key))
            grad = summed(self._arrivals(key)) if node.kind == "op" else None
            if event and event.accumulated:
                grad = event.accumulated[ran]
            nodes[key] = NodeLook(
                "running" if key == now else phase,
                needed - len(self._missing(key)),
                needed,
                ("freed" if ran else "held") if node.saved else "",
                grad,
            )
        for edge in self.graph.edges:
            gradient = self._sender(edge.target, edge.port) if edge.target in self._ran else None
            asked = edge.source == self._tried and edge.target not in self._ran
            phase = "now" if edge.target == now else "passed"
            edges.append(EdgeLook("asked" if asked else phase if gradient else "value", gradient))
        return Look(nodes, tuple(edges))

    # --------------------------------------------------------------------------------- widget

    def _on_message(self, content: Any) -> None:
        """A node or the button was pressed; what fits neither is passed over."""
        content = content if isinstance(content, dict) else {}
        key = content.get("fold")
        if isinstance(key, str) and key in self.events and not self.done:
            self.pick(key)
        elif content.get("button") == "restart":
            self.reset()

    def _draw(self) -> None:
        """Give the widget all that it shows now."""
        if self.view is None:
            return
        drawing, look = self._drawing(css_class), self._look()
        edges = range(len(self.graph.edges))
        nodes = [
            f'<g data-fold="{key}">{drawing.node(key, look)}</g>'
            if key in self.events
            else drawing.node(key, look)
            for key in self.graph.nodes
        ]
        chips = [drawing.value(i) + drawing.gradient(i, look) for i in edges]
        with self.view.hold_sync():
            view = self.view
            for name, trait in places(drawing).items():
                setattr(view, name, trait)
            view.set_frames([[*(drawing.edge(i, look) for i in edges), *nodes, *chips]])
            view.expression = self.title
            view.panels = [self._panel()]
            view.sentences = [self.sentence]
            view.revision += 1

    def _panel(self) -> str:
        ran = "".join(f"<span class='agl-chip'>{escape(label)}</span>" for label in self.order)
        score = f"{len(self._ran) - 1} of {len(self.events)} · {early(self.score)}"
        parts = [
            f"<section><div class='agl-h4'>Order so far<span>{score}</span></div>"
            "<div class='agl-queue'>"
            f"<div>{ran or '<b>Which node runs first?</b>'}</div></div></section>"
        ]
        if "sums" in self._shown:
            parts.append(self._sums())
        if "restart" in self._shown:
            keys = "data-lm-suppress-shortcuts='true'"
            button = f"<button name='restart' {keys}>Start again</button>"
            parts.append(f"<form>{button}</form>")
        return "".join(parts)

    def _sums(self) -> str:
        """The table of what has arrived at the nodes that have not run."""
        rows = []
        for key in self.graph.nodes:
            came = self._arrivals(key) if key in self.events and key not in self._ran else []
            if came:
                adds = ", ".join(f"+= {gradient_html(gradient)}" for _, gradient in came)
                held = gradient_html(summed(came))
                cells = f"<code>{escape(self._label(key))}</code>", adds, held
                rows.append(f"<tr><td>{'</td><td>'.join(cells)}</td></tr>")
        if not rows:
            return ""
        heads = "<tr><th>node</th><th>has received</th><th>holds</th></tr>"
        return (
            "<section><div class='agl-h4'>Arrived, not yet passed on</div>"
            f"<table>{heads}{''.join(rows)}</table></section>"
        )


class Queue(Drawing):
    """A graph in which every operation that waits for several gradients has a cup: what arrives is
    added to what is in it."""

    def __init__(self, recording: Recording, pen: Pen, game: ReadyQueue | None) -> None:
        self.game, self.recording = game, recording
        super().__init__(recording.graph, recording, pen)

    def _cups(self, last: Look) -> dict[str, float]:
        cups = super()._cups(last)
        for event in self.recording.events if self.game else ():
            if meets_several(self.recording, event):
                words = self._words([g for _, g in self._all(event.key)])
                chip = gradient_chip_width(gradient_words(event.grad_in))
                cups[event.key] = max(chip, text_width(words, 11) - 12) + BADGE
        return cups

    def _cup(self, node: GraphNode, state: NodeLook, w: float, h: float) -> str:
        if node.kind != "op":
            return super()._cup(node, state, w, h)
        words = self._words([g for _, g in self.game._arrivals(node.key)]) or "+="
        inner = self.cups[node.key] - BADGE
        return _cup_mark(self.pen, node, state, w + 2 * BADGE, h, inner, words)

    def _all(self, key: str) -> list[tuple[str, Summary]]:
        sent = {event.key: event.grads_out for event in self.recording.events}
        edges = [e for e in self.graph.edges if e.source == key and e.target in sent]
        ways = dict.fromkeys((e.target, e.port) for e in edges)
        return [(k, sent[k][port]) for k, port in ways if sent[k].get(port)]

    @staticmethod
    def _words(came: list[Summary]) -> str:
        return ", ".join(f"+= {gradient_words(g)}" for g in came)


def meets_several(recording: Recording, event: Event) -> bool:
    """Whether more than one node sends a gradient to this operation."""
    edges = recording.graph.edges
    several = len({edge.target for edge in edges if edge.source == event.key}) > 1
    return several and not event.accumulated and event.grad_in is not None


def early(count: int) -> str:
    """How many picks were against the rule.

    >>> early(0), early(2)
    ('no illegal pick', '2 illegal picks')
    """
    return "no illegal pick" if not count else plural(count, "illegal pick")


def summed(came: list[tuple[str, Summary]]) -> Summary | None:
    """The sum of what has arrived; None if nothing has, or where only norms are known."""
    if not came or any(gradient.values is None for _, gradient in came):
        return came[0][1] if len(came) == 1 else None
    dtype = numpy_name(came[0][1].dtype)
    total = np.sum([np.asarray(g.values, dtype) for _, g in came], axis=0, dtype=dtype)
    return summarize(np.asarray(total))


def alone(reading: Reading, recording: Recording) -> dict[tuple[str, str], Sent]:
    """What an operation with several senders sends for the gradient of each of them alone.

    A backward rule is linear in the gradient that comes in, so what it sends for some of them is a
    sum of these. Nodes with several results, or with gradients of many elements, are left out.
    """
    engine, found = reading.engine, {}
    sent = {event.key: event.grads_out for event in recording.events}
    sent[recording.graph.root] = {}
    with untouched(reading), engine.no_grad():
        for event in recording.events:
            if not meets_several(recording, event) or len(event.grads_in) > 1:
                continue
            node, about = reading.nodes[event.key], recording.graph.nodes[event.key]
            for edge in recording.graph.edges:
                if edge.source != event.key:
                    continue
                root = edge.target == recording.graph.root
                g = recording.gradient if root else sent[edge.target].get(edge.port)
                if g is None or g.values is None:
                    continue
                came = engine.tensor(g.values, dtype=getattr(engine, about.dtype or g.dtype))
                out = node(came)
                out = out if isinstance(out, tuple) else (out,)
                sums: Sent = {}
                for (parent, k), each in zip(reading.order[node], out, strict=True):
                    if parent is not None and each is not None:
                        port = reading.port(parent, k)
                        sums[port] = sums.get(port, 0) + array_of(each)
                if all((to := event.grads_out.get(p)) and to.values is not None for p in sums):
                    found[event.key, edge.target] = sums
    return found
