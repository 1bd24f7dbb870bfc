"""The backward debugger's view of a deep network: a rail, with modules that fold."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from ..graphs import Event, Graph, Recording
from ..graphs.numbers import nbytes, number
from ..graphs.rail import Rail, rows_of
from ..graphs.style import css_class
from .svg_view import SvgView

ROWS = 24  # at first as many levels are open as give at most so many rows
MOST = 600  # rows; one does not find one's way through more
DEEP = 12  # nodes in a row; a longer graph is a rail


def is_deep(graph: Graph) -> bool:
    """Whether more nodes stand in a row than a picture of boxes and arrows can show."""
    deep = dict.fromkeys(graph.nodes, 0)
    for edge in graph.edges:  # edges stand in the order of their targets, sources before them
        deep[edge.target] = max(deep[edge.target], deep[edge.source] + 1)
    return max(deep.values(), default=0) > DEEP + 1  # the output and a leaf are no operations


def folded_at_first(graph: Graph) -> set[str]:
    """The calls that are open at first: one level of the model, and more as long as it is short."""
    found = opened(graph.fold(1))
    for depth in range(2, 100):
        folded = graph.fold(depth)
        calls = opened(folded)
        if calls == found or len(rows_of(folded)) > ROWS:
            break
        found = calls
    return found


def opened(folded: Graph) -> set[str]:
    """The calls that are open in a folded graph."""
    return {call for key in folded.nodes for call in folded.modules_around(key)}


def too_many(rows: int) -> ValueError:
    return ValueError(
        f"{rows:,} rows are too many to draw. Fold modules (`watch` the model or name it), look at "
        "a part by starting from an intermediate result, or use fewer steps or layers"
    )


def rail_of(recording: Recording, calls: set[str], pen: Any) -> Rail:
    """The rail with these calls open.

    Raises:
        ValueError: it has too many rows.
    """
    graph = recording.graph
    folded = graph.fold(open=calls & graph.calls.keys()) if graph.calls else graph
    rows = len(rows_of(folded))
    if rows > MOST:
        raise too_many(rows)
    return Rail(recording, folded, pen)


def show_rail(view: SvgView, rail: Rail, title: str) -> None:
    """Give the widget all parts of a rail; the step stays."""
    parts, count = rail.parts(), rail.count + 1
    rows = range(len(rail.rows))
    keys = [row.key for row in rail.rows]
    places = {row.key: (round(rail.x, 1), rail.y(i)) for i, row in enumerate(rail.rows)}
    with view.hold_sync():
        view.view = [float(rail.width), float(rail.height)]
        view.targets = [
            [key, about(rail, i), *places[key], keys[max(0, i - 1) : i], keys[i + 1 : i + 2]]
            for i, key in enumerate(keys)
        ]
        view.overlays = {keys[i]: rail.overlay(i) for i in rows}
        view.order = [[key, x, y] for key, x, y, _ in parts]
        view.set_forms([forms for *_, forms in parts], count)
        view.expression = title
        view.steps_keys = [rail.graph.root, *(rail.super[e.key] for e in rail.recording.events)]
        view.sentences = [sentence(rail, step) for step in range(count)]
        if view.selected not in keys:
            view.selected = ""
        view.breakpoints = [key for key in view.breakpoints if key in keys]
        view.revision += 1


def heading(rail: Rail, name: str) -> str:
    """What is shown: "loss · 134 nodes in 20 rows"."""
    nodes = len(rail.recording.graph.nodes) - 1
    lines = sum(not row.head for row in rail.rows) - 1
    return f"{name} · {nodes:,} nodes" + (f" in {lines} rows" if lines != nodes else "")


def new_view(recording: Recording) -> SvgView:
    """The widget, before it shows a rail."""
    events = recording.events
    held = bytes_at(recording)
    total = held[0]
    return SvgView(
        title="Backward Debugger",
        call=recording.call,
        tag=recording.graph.engine,
        look="rail",
        stops=["start", *(recording.graph.nodes[e.key].label for e in events)],
        curve=curve(held) if total else "",
        held=[f"{nbytes(size)} held" for size in held] if total else [],
    )


def bytes_at(recording: Recording) -> list[int]:
    """For each step the bytes that are saved while it runs."""
    events = recording.events
    total = events[0].bytes_total if events else 0
    return [total, *([total] * bool(events)), *(event.bytes_held for event in events[:-1])]


def curve(held: list[int]) -> str:
    """The bytes held as a falling line over the steps, to be stretched under the scrubber."""
    last, most = max(1, len(held) - 1), max(1, *held)
    points = [(100 * i / last, 38 - 34 * size / most) for i, size in enumerate(held)]
    line = "".join(
        f"H{x:.2f}V{y:.2f}"
        for (_, before), (x, y) in itertools.pairwise(points)
        if round(before, 2) != round(y, 2)
    )
    top = f"M0 {points[0][1]:.2f}{line}H100"
    fixed = 'vector-effect="non-scaling-stroke"'
    return (
        '<svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{top}V40H0z" {css_class("memory area")}/>'
        f'<path d="{top}" {css_class("memory line")} {fixed}/></svg>'
    )


# ------------------------------------------------------------------------------------------ words


def sentence(rail: Rail, step: int) -> str:
    """One step in words."""
    recording, graph = rail.recording, rail.graph
    start = f"Step {step} of {rail.count}. "
    if not step:
        name = recording.graph.nodes[recording.graph.root].label
        given = size_of(recording.gradient)
        return f"{start}{name} is given a gradient of norm {given}, and nothing has run yet."
    event = recording.events[step - 1]
    node, row = recording.graph.nodes[event.key], rail.super[event.key]
    inside = graph.nodes[row].kind == "module"
    where = rail.full_name(row)
    if event.accumulated:
        name = node.expression
        if event.accumulated[1] is None:
            return f"{start}{name} received no gradient."
        text = f"{start}{name} keeps a gradient of norm {size_of(event.accumulated[1])}"
    else:
        name = f"{node.name.rpartition('::')[2]} in {where}" if inside else where
        came = event.grad_in
        text = f"{start}{name} runs, " + (
            f"with a gradient of norm {size_of(came)}" if came else "without a gradient"
        )
    waiting = [
        f"{rail.full_name(rail.rows[i].key)} has {k} of its {n} gradients"
        for i, k, n in waits(rail, step)
    ]
    more = f" {'; '.join(waiting[:2])}." if waiting else ""
    stopped = step == rail.count and recording.error
    return f"{text}.{more}" + (f" Here backward stopped: {recording.error}." if stopped else "")


def waits(rail: Rail, step: int) -> Iterable[tuple[int, int, int]]:
    """The rows that have some of their gradients and wait for more."""
    for i, rungs in rail.leaving.items():
        came = sum(bool(rung.turns) and rung.turns[-1] <= step for rung in rungs)
        if 0 < came < len(rungs):
            yield i, came, len(rungs)


def size_of(g: Any) -> str:
    if g is None:
        return "none"
    return "nan or inf" if g.nonfinite else number(g.norm)


def about(rail: Rail, i: int) -> str:
    """A row in one line, shown under the rail when one points at it."""
    row = rail.rows[i]
    if row.head:
        call = rail.graph.calls[row.key]
        return f"{call.name} · {call.kind}"
    node = rail.graph.nodes[row.key]
    parts = [node.expression, node.name.rpartition("::")[2]]
    if node.shape:
        parts.append(f"{node.dtype} {list(node.shape)}")
    if node.inside:
        inside = node.inside
        parts.append(f"{len(inside.nodes)} nodes")
        if inside.parameters:
            parts.append(f"{inside.parameter_numel:,} parameters in {inside.parameters} tensors")
    if saved := rail.saved(row.key):
        parts.append(f"saves {nbytes(saved)}")
    return " · ".join(part for part in parts if part)


def keepers(recording: Recording, keys: list[str], name: str) -> str:
    """Who keeps the memory that some nodes have saved: they alone, or others too."""
    graph = recording.graph
    own: dict[int, int] = {block: size for key in keys for block, size in graph.memory.get(key, ())}
    if not own:
        return f"{name} has saved nothing for backward."
    total = f"{name} has saved {nbytes(sum(own.values()))} for backward"
    saved = [each for key in keys for each in graph.nodes[key].saved]
    whose = list(dict.fromkeys(f"{tensor} ({nbytes(n)})" for _, tensor, n in saved))
    named = f": {', '.join(whose[:4])}{', …' if len(whose) > 4 else ''}"
    shared = {
        key: sum(size for block, size in blocks if block in own)
        for key, blocks in graph.memory.items()
        if key not in keys and any(block in own for block, _ in blocks)
    }
    if not shared:
        return f"{total}{named}. Nothing else keeps this memory: it is freed when this has run."
    others = [f"{graph.nodes[key].label} ({nbytes(n)})" for key, n in list(shared.items())[:3]]
    more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
    return f"{total}{named}. Also kept by {', '.join(others)}{more}: freed when the last has run."


def meets(event: Event, nonfinite: bool, above: float | None, below: float | None) -> bool:
    """Whether a step is one to stop at: a gradient that comes in is not finite, or its norm lies
    above or below a limit."""
    came = [g for g in event.grads_in if g]
    return any(
        (nonfinite and g.nonfinite)
        or (not g.nonfinite and above is not None and g.norm > above)
        or (not g.nonfinite and below is not None and g.norm < below)
        for g in came
    )


def deep_summary(debugger: Any) -> str:
    """A whole pass through a deep graph, in words."""
    recording, rail = debugger.recording, debugger.rail
    graph, events = recording.graph, recording.events
    name = graph.nodes[graph.root].label
    kept = [e for e in events if e.accumulated and e.accumulated[1]]
    total = events[0].bytes_total if events else 0
    parts = [f"Backward pass of {heading(rail, name)}, {len(events):,} steps"]
    if kept:
        norms = {graph.nodes[e.key].expression: e.accumulated[1] for e in kept}
        bad = [leaf for leaf, g in norms.items() if g.nonfinite]
        if bad:
            parts.append(f"The gradient of {bad[0]} is not finite, as are {len(bad) - 1} more")
        low, high = (pick(norms, key=lambda leaf: norms[leaf].norm) for pick in (min, max))
        parts.append(
            f"{len(kept)} leaves keep gradients, of norm {number(norms[low].norm)} ({low}) to "
            f"{number(norms[high].norm)} ({high})"
        )
    if total:
        parts.append(f"{nbytes(total)} are saved for it at the start")
    if graph.calls:
        how = "as watched" if graph.exact else "as the owners of parameters tell, not watched"
        parts.append(f"Modules {how}")
    if recording.error:
        parts.append(f"It stopped after step {len(events)}: {recording.error}")
    return ". ".join(parts) + "."


def why_none(recording: Recording, name: str, tensor: Any) -> str:
    """Why the `.grad` of a tensor is None after this pass, or what it is."""
    graph, root = recording.graph, recording.graph.nodes[recording.graph.root].label
    if tensor is not None:
        if not tensor.requires_grad:
            return f"{name}.grad is None: {name} does not require a gradient."
        if not tensor.is_leaf and not tensor.retains_grad:
            made = tensor.grad_fn.name().rpartition("::")[2]
            return (
                f"{name}.grad is None: {name} is not a leaf, {made} made it. Call "
                f"{name}.retain_grad() before backward to keep its gradient."
            )
    key = next((k for k, node in graph.nodes.items() if node.expression == name), None)
    if key is None and tensor is None:
        raise ValueError(f"no tensor of this pass is called {name!r}")
    if key is None:
        return (
            f"{name}.grad is None: no path leads from {root} back to {name}. It was not used, or "
            "only detached or under no_grad."
        )
    event = next((e for e in recording.events if e.key == key), None)
    if event is None:
        why = f" Backward stopped before: {recording.error}." if recording.error else ""
        return f"{name}.grad is None: its node has not run.{why}"
    kept = event.accumulated[1] if event.accumulated else event.grad_in
    if kept is None:
        return f"{name}.grad is None: the node that used it sent no gradient."
    return (
        f"This pass gives {name} a gradient of norm {size_of(kept)}. It was recorded without a "
        f"trace: {name}.grad changes when you call {recording.call} yourself."
    )


def stop_at(debugger: Any) -> tuple[Any, ...]:
    """Widgets to choose a condition to stop at."""
    from ipywidgets import Dropdown, FloatText, Layout

    choices = ["no condition", "not finite", "norm above", "norm below"]
    kind = Dropdown(options=choices, description="stop where", layout=Layout(width="230px"))
    limit = FloatText(value=1.0, description="limit", layout=Layout(width="190px"))

    def change(_: Any) -> None:
        limit.disabled = kind.value not in choices[2:]
        debugger.break_when(
            nonfinite=kind.value == "not finite",
            above=limit.value if kind.value == "norm above" else None,
            below=limit.value if kind.value == "norm below" else None,
        )

    limit.disabled = True
    for widget in (kind, limit):
        widget.observe(change, "value")
    return kind, limit
