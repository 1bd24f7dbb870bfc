"""The film strip: a backward pass as one still picture, for pages where no widget runs.

At most six frames side by side, each the small drawing of one step with its number under it.
"""

from __future__ import annotations

import math

from .data import Event, Recording
from .draw import (
    Drawing,
    gradient_chip,
    gradient_chip_width,
    gradient_words,
    look_after,
    path,
    rectangle,
    svg,
    text,
    tick,
    value_chip,
)
from .numbers import numbers
from .style import attributes as pen
from .style import text_width

FRAMES = 6
WIDTH, MARGIN, TOP = 860, 16, 64


def film_steps(count: int) -> list[int]:
    """Which of `count` steps are shown: all of six, else spread from the first to the last.

    >>> film_steps(3), film_steps(20)
    ([1, 2, 3], [1, 5, 9, 12, 16, 20])
    """
    if count <= FRAMES:
        return list(range(1, count + 1))
    return [1 + round(i * (count - 1) / (FRAMES - 1)) for i in range(FRAMES)]


def film_strip(recording: Recording, title: str, sentence: str) -> str:
    """The strip of a recording, on light paper, with a legend.

    Raises `RendererMissing` when no renderer for positions is installed.
    """
    drawing = Drawing(recording.graph, recording, small=True)
    steps = film_steps(len(recording.events))
    scale = min(1.0, 400 / drawing.width, 560 / drawing.height)
    frame = max(drawing.width * scale, *(_caption_width(recording, i) for i in steps)) + 16
    columns = max(1, min(len(steps), int((WIDTH - 2 * MARGIN) / frame)))
    columns = math.ceil(len(steps) / math.ceil(len(steps) / columns))  # rows of one length
    width = max(columns * frame + 2 * MARGIN, WIDTH)
    frame, tall = (width - 2 * MARGIN) / columns, drawing.height * scale + 100
    count = f"{len(recording.events)} steps"
    call = recording.call.partition("(")[2].rpartition(")")[0]
    count = f"{count}, {call}" if 0 < len(call) < 40 else count
    parts = [
        text(pen, "title", MARGIN, 30, _shortened(title, width - 2 * MARGIN - 24 - _sans(count))),
        text(pen, "note end", width - MARGIN, 30, count),
    ]
    for i, step in enumerate(steps):
        left, top = MARGIN + frame * (i % columns), TOP + tall * (i // columns)
        parts.append(_frame(recording, drawing, step, left + frame / 2, top, scale))
        if i % columns:
            parts.append(path(pen, "divider", f"M{left:.1f} {top}V{top + tall - 24:.1f}"))
    bottom = TOP + tall * math.ceil(len(steps) / columns)
    parts.append(path(pen, "divider", f"M{MARGIN} {bottom:.1f}H{width - MARGIN:.1f}"))
    parts.append(_legend(recording, bottom + 25))
    return svg(width, bottom + 50, title, sentence, "".join(parts))


def step_name(recording: Recording, step: int) -> str:
    """What a step is called: the label of its node; the first bears the name of the output."""
    graph = recording.graph
    key = recording.events[step - 1].key
    last = next(e.source for e in graph.edges if e.target == graph.root)
    return graph.nodes[graph.root if key == last else key].label


def _chip(event: Event) -> str:
    """The number of a step: what it sends on, or for a leaf what it keeps."""
    shown = (
        event.accumulated[1] if event.accumulated else next(iter(event.grads_out.values()), None)
    )
    return gradient_words(shown or event.grad_in)


def _frame(
    recording: Recording, drawing: Drawing, step: int, middle: float, top: float, scale: float
) -> str:
    event, nodes = recording.events[step - 1], recording.graph.nodes
    x, y = middle - drawing.width * scale / 2, top + drawing.height * scale
    look = look_after(recording, step)
    body = f'<g transform="translate({x:.1f} {top}) scale({scale:.3g})">{drawing.body(look)}</g>'
    names = "".join(
        text(pen, "small", x + drawing.centres[key][0] * scale,
             top + drawing.centres[key][1] * scale - 20, node.label)
        for key, node in nodes.items()
        if node.kind in ("leaf", "parameter") and scale == 1
    )  # fmt: skip
    words = _chip(event)
    return (
        body
        + names
        + text(pen, "expression", middle, y + 14, f"{step} · {step_name(recording, step)}")
        + gradient_chip(pen, middle - gradient_chip_width(words) / 2, y + 38, words)
        + text(pen, "note middle", middle, y + 60, _goes(recording, event))
    )


def _sans(words: str) -> float:
    return text_width(words, 12, mono=False)


def _shortened(title: str, room: float) -> str:
    """The title, cut with "…" where it does not fit; it is bold, so wider than the table says."""
    while 1.25 * text_width(title, 14, mono=False) > room:
        title = title.rstrip("…")[:-1] + "…"
    return title


def _caption_width(recording: Recording, step: int) -> float:
    event = recording.events[step - 1]
    return max(gradient_chip_width(_chip(event)), text_width(_goes(recording, event), 11, False))


def _goes(recording: Recording, event: Event) -> str:
    """Where the number in the chip goes; with it, what another input receives."""
    graph = recording.graph
    if event.accumulated:
        return f"added to {graph.nodes[event.key].label}.grad"
    sent = [(graph.result(to).label, gradient_words(g)) for to, g in event.grads_out.items() if g]
    if not sent:
        return "goes nowhere"
    (first, words), *others = sent
    if len(others) == 1:
        other, more = others[0]
        return f"goes to {first} and {other}" if more == words else f"and {more} to {other}"
    return f"goes to {first}" + (f", {len(others)} more go on" if others else "")


def _legend(recording: Recording, y: float) -> str:
    """What the marks mean."""
    box = lambda x, style: rectangle(pen, style, (x, y - 8, x + 22, y + 8), 4)  # noqa: E731
    line = lambda x, style, w: path(pen, style, f"M{x} {y}h28", f' stroke-width="{w}"')  # noqa: E731
    marks = [
        ("waiting", lambda x: box(x, "waiting")),
        ("ready", lambda x: box(x, "ready")),
        ("running", lambda x: box(x, "halo small") + box(x, "running")),
        ("done", lambda x: box(x, "done") + tick(pen, x + 10.5, y, 0.9)),
        ("value", lambda x: path(pen, "value edge", f"M{x} {y}h28")),
        ("gradient passed", lambda x: line(x, "ribbon", 8) + line(x, "ribbon passed", 6)),
        ("gradient now", lambda x: line(x, "ribbon", 8)),
    ]
    parts, x = [], MARGIN + 1.0
    for words, mark in marks:
        wide = 28 if words.startswith(("value", "gradient")) else 22
        parts += [mark(x), text(pen, "note", x + wide + 8, y, words)]
        x += wide + 8 + text_width(words, 12, mono=False) + 18
    shown = next((n.value for n in recording.graph.nodes.values() if n.value), None)
    if shown and len(numbers(shown)) <= 8:
        parts.append(value_chip(pen, x, y, numbers(shown)))
    return "".join(parts)
