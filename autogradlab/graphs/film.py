"""The film strip: a backward pass as one still picture, for pages where no widget runs.

At most six frames side by side, each the small drawing of one step with its number under it.
"""

from __future__ import annotations

from .data import Event, Recording
from .draw import (
    Drawing,
    gradient_chip,
    gradient_chip_width,
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

FRAMES = 6
MARGIN = 24


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
    widest = max((gradient_chip_width(_chip(recording.events[i - 1])) for i in steps), default=80)
    scale = min(1.0, 320 / drawing.width)
    frame = max(drawing.width * scale, widest, 110) + 40
    top, tall = 92, drawing.height * scale
    width = max(frame * len(steps) + 2 * MARGIN, 760)
    parts = [
        text(pen, "title", MARGIN, 34, title),
        text(pen, "note end", width - MARGIN, 34, f"{len(recording.events)} steps"),
    ]
    left = (width - frame * len(steps)) / 2
    for i, step in enumerate(steps):
        middle = left + frame * (i + 0.5)
        parts.append(_frame(recording, drawing, step, middle, top, scale))
        if i:
            x = left + frame * i
            parts.append(path(pen, "divider", f"M{x:.1f} {top - 20}V{top + tall + 92:.1f}"))
    bottom = top + tall + 112
    parts.append(path(pen, "divider", f"M{MARGIN} {bottom:.1f}H{width - MARGIN:.1f}"))
    parts.append(_legend(bottom + 28))
    return svg(width, bottom + 56, title, sentence, "".join(parts))


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
    return numbers(shown or event.grad_in)


def _frame(
    recording: Recording, drawing: Drawing, step: int, middle: float, top: float, scale: float
) -> str:
    event = recording.events[step - 1]
    nodes, tall = recording.graph.nodes, drawing.height * scale
    look = look_after(recording, step)
    x = middle - drawing.width * scale / 2
    body = f'<g transform="translate({x:.1f} {top}) scale({scale:.3g})">{drawing.body(look)}</g>'
    names = "".join(
        text(pen, "small", x + drawing.centres[key][0] * scale,
             top + drawing.centres[key][1] * scale - 26, node.label)
        for key, node in nodes.items() if node.kind in ("leaf", "parameter")
    )  # fmt: skip
    words = _chip(event)
    chip = gradient_chip(pen, middle - gradient_chip_width(words) / 2, top + tall + 52, words)
    label = text(
        pen, "expression", middle, top + tall + 26, f"{step} · {step_name(recording, step)}"
    )
    return (
        body
        + names
        + label
        + chip
        + text(pen, "note middle", middle, top + tall + 78, _goes(recording, event))
    )


def _goes(recording: Recording, event: Event) -> str:
    nodes = recording.graph.nodes
    if event.accumulated:
        return f"added to {nodes[event.key].label}.grad"
    targets = [nodes[key].label for key in event.grads_out]
    return "goes to " + (
        targets[0] if len(targets) == 1 else f"{targets[0]}, and {len(targets) - 1} more"
    )


def _legend(y: float) -> str:
    """What the marks mean."""
    box = lambda x, style: rectangle(pen, style, (x, y - 8, x + 24, y + 8), 4)  # noqa: E731
    x = MARGIN
    parts = [box(x, "waiting"), text(pen, "note", x + 32, y, "waiting")]
    parts += [
        box(x + 102, "halo"),
        box(x + 102, "running"),
        text(pen, "note", x + 138, y, "running"),
    ]
    parts += [box(x + 204, "done"), tick(pen, x + 216, y)]
    parts += [text(pen, "note", x + 242, y, "done"), path(pen, "value edge", f"M{x + 292} {y}h28")]
    parts += [text(pen, "note", x + 328, y, "value")]
    parts += [path(pen, "ribbon", f"M{x + 380} {y}h32", ' stroke-width="8"')]
    parts += [text(pen, "note", x + 420, y, "gradient now")]
    parts += [path(pen, "ribbon", f"M{x + 516} {y}h32", ' stroke-width="8"')]
    parts += [path(pen, "ribbon passed", f"M{x + 516} {y}h32", ' stroke-width="6"')]
    parts += [text(pen, "note", x + 556, y, "passed"), value_chip(pen, x + 612, y, "value")]
    return "".join(parts)
