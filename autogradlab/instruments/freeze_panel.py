"""The panel of FreezeBoard: the truth table with its buttons, the four states of a tensor, and the
memory that is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..graphs import Summary
from ..graphs.draw import gradient_chip_width, gradient_words
from ..graphs.numbers import nbytes, number
from ..graphs.style import escape, text_width
from ..graphs.tree import joined
from ..graphs.trial import STATES
from .backward_debugger import listed

ROWS = 30  # of the table
KEYS = "data-lm-suppress-shortcuts='true'"
ROOM = 0.25  # of a bar: in less its words have none


@dataclass(frozen=True)
class Group:
    """What one row of the table freezes together: a tensor, or the parameters of a module."""

    label: str
    names: tuple[str, ...]
    part: str  # what detaching it detaches; "" for nothing


def panel(board: Any) -> str:
    """The whole panel."""
    table = modules_table(board) if board.model is not None else tensors_table(board)
    below = states(board) if "states" in board.shown else ""
    below += memory(board) if "memory" in board.shown else ""
    return f"<section><form class='agl-truth'>{table}{ways(board)}</form></section>{below}"


# -------------------------------------------------------------------------------------- buttons


def button(verb: str, at: int, on: bool, words: str, about: str) -> str:
    """A button that is pressed or not."""
    return (
        f"<button name='{verb} {at}' aria-pressed='{str(on).lower()}' "
        f"aria-label='{words} {escape(about)}' {KEYS}>{words}</button>"
    )


def toggles(board: Any, at: int) -> str:
    """The buttons of a row that can be frozen."""
    group, made = board.groups[at], ""
    if "freeze" in board.shown:
        frozen = set(group.names) <= board.choice.frozen
        made += button("freeze", at, frozen, "freeze", group.label)
    if group.part and "detach" in board.shown:
        made += button("detach", at, group.part in board.choice.detached, "detach", group.label)
    return made


def retain(board: Any, name: str) -> str:
    """The button of a result."""
    if "retain" not in board.shown:
        return ""
    on = name in board.choice.retained
    return button("retain", board.subject.results.index(name), on, "retain grad", name)


def ways(board: Any) -> str:
    """The buttons below the table."""
    last, only = len(board.groups) - 1, ""
    if board.model is not None and last > 0 and "freeze" in board.shown:
        label = escape(board.groups[last].label)
        only = f"<button name='only {last}' {KEYS}>Freeze all but {label}</button>"
    return f"<div class='agl-ways'>{only}<button name='reset' {KEYS}>Reset</button></div>"


# --------------------------------------------------------------------------------------- tables


def tensors_table(board: Any) -> str:
    """For each tensor what the engine says of it. Columns have room for what they hold with
    nothing frozen, so that nothing moves."""
    labels = {group.label: i for i, group in enumerate(board.groups)}
    full = board.full.facts.values()
    wide = {
        "tensor": max(text_width(f.name, 12) for f in full),
        "grad_fn": max(text_width(f.grad_fn or "None", 12) for f in full),
        ".grad after backward": max(
            gradient_chip_width(gradient_words(f.grad)) if f.grad else 0 for f in full
        ),
    }
    if "detach" in board.shown:
        wide["tensor"] = max(text_width(f"{label}.detach()", 12) for label in labels)
    heads = ("tensor", "switch", "requires_grad", "is_leaf", "grad_fn", ".grad after backward")
    rows = [head(*heads, wide=wide)]
    for name, fact in board.facts.items():
        buttons = toggles(board, labels[name]) if name in labels else ""
        if name in board.subject.results:
            buttons = retain(board, name)
        node = f"<code>{escape(fact.grad_fn or 'None')}</code>"
        rows.append(
            line(
                *(f"<code>{escape(name)}</code>", buttons, truth(fact.requires_grad)),
                *(truth(fact.is_leaf), node, chip(fact.grad)),
            )
        )
    return f"<table class='agl-tensors'>{''.join(rows)}</table>"


def modules_table(board: Any) -> str:
    """For each module whether its parameters want a gradient, and what they got."""
    rows = [head("module", "switch", "requires_grad", "‖.grad‖ after backward")]
    for i, group in enumerate(board.groups[:ROWS]):
        facts = [board.facts[name] for name in group.names]
        on = sum(fact.requires_grad for fact in facts)
        share = truth(bool(on)) if on in (0, len(facts)) else f"{on} of {len(facts)}"
        norm = joined(fact.grad.norm for fact in facts if fact.grad)
        kept = chip(None) if norm is None else f"<span class='agl-g'>{number(norm)}</span>"
        label = f"<code>{escape(group.label)}</code>"
        rows.append(line(label, toggles(board, i), share, kept))
    if len(board.groups) > ROWS:
        more = f"and {len(board.groups) - ROWS} more: board.freeze(name)"
        rows.append(line(escape(more), "", "", ""))
    result = board.facts[board.result]
    label, buttons = f"<code>{escape(result.name)}</code>", retain(board, result.name)
    rows.append(line(label, buttons, truth(result.requires_grad), chip(result.grad)))
    return f"<table>{''.join(rows)}</table>"


def head(*cells: str, wide: dict[str, float] | None = None) -> str:
    """The first row of a table; some columns get a least width in px."""
    made = [(cell, (wide or {}).get(cell)) for cell in cells]
    styles = [f" style='min-width:{w:g}px'" if w else "" for _, w in made]
    rows = zip(made, styles, strict=True)
    return f"<tr>{''.join(f'<th{style}>{cell}</th>' for (cell, _), style in rows)}</tr>"


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


# ------------------------------------------------------------------------------ states and memory


def states(board: Any) -> str:
    """The four states a tensor can be in, those that occur lit."""
    made = []
    for (requires, leaf, _), name in STATES.items():
        found = [fact.name for fact in board.facts.values() if fact.state == name]
        who = listed(found) if len(found) <= 3 else f"{len(found)} tensors"
        lit = "agl-set" if found else "agl-wait"
        flags = f"requires_grad {'✓' if requires else '–'} · is_leaf {'✓' if leaf else '–'}"
        made.append(
            f"<div><span class='agl-chip {lit}'>{name}</span><small>{flags}</small>"
            f"<b>{escape(who) or 'none'}</b></div>"
        )
    rows = f"<div class='agl-states'>{''.join(made)}</div>"
    return f"<section><div class='agl-h4'>The four legal states</div>{rows}</section>"


def memory(board: Any) -> str:
    """What is saved for backward, as a bar, and what is saved no longer."""
    full, now = board.full.saved, board.trial.saved
    if not full:
        return ""
    cells, gone = [], max(0, full - now)
    for kind, size, word in (("held", now, "saved"), ("free", gone, "no longer saved")):
        if size:
            words = f"{nbytes(size)} {word}"
            style = f"style='flex:{size} 1 0' title='{words}'"
            shown = words if size >= ROOM * full else ""
            cells.append(f"<div class='agl-{kind}' {style}>{shown}</div>")
    share = f"{nbytes(now)} of {nbytes(full)}" + (f", {nbytes(gone)} less" if gone else "")
    bar = f"<div class='agl-bar'>{''.join(cells)}</div>"
    if board.trial.lasting:
        whose = "the parameters" if board.model is not None else "the given tensors"
        anyway = f"{nbytes(board.trial.lasting)} of it are {whose}, which stay in memory anyway."
        bar += f"<p class='agl-note'>{anyway}</p>"
    head = f"<div class='agl-h4'>Saved for backward<span>{share}</span></div>"
    return f"<section>{head}{bar}</section>"
