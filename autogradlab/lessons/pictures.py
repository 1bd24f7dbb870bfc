"""Still pictures of one idea each, in the marks of `graphs.draw`: the way of a twin cell, what
operations send to their inputs, gradient times nudge, and a vector times a Jacobian. What can be
played is an instrument, not a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..graphs import Recording, draw
from ..graphs.numbers import number, numbers
from ..graphs.style import attributes as pen


@dataclass(frozen=True)
class Picture:
    """An SVG and the sentence that says the same in words."""

    svg: str
    sentence: str

    def __repr__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.sentence}


def twin_cell() -> Picture:
    """How a `%%twin` cell is run.

    >>> twin_cell()
    A twin cell runs on autogradlab and again on PyTorch; one line says how the results compare.
    """
    sentence = (
        "A twin cell runs on autogradlab and again on PyTorch;"
        " one line says how the results compare."
    )
    boxes = {"%%twin cell": (88, 70), "autogradlab": (290, 38), "PyTorch": (290, 102)}
    arrows = (
        "M156 66C190 60 194 40 222 38",
        "M156 74C190 80 194 100 222 102",
        "M358 38C388 40 390 70 420 70",
        "M358 102C388 100 390 70 420 70",
        "M216 34l6 4-6 4M216 98l6 4-6 4M414 66l6 4-6 4",
    )
    parts = [draw.path(pen, "value edge", each) for each in arrows]
    for words, (x, y) in boxes.items():
        parts.append(draw.rectangle(pen, "plain", (x - 68, y - 20, x + 68, y + 20), 4))
        parts.append(draw.text(pen, "expression", x, y, words))
    parts.append(draw.rectangle(pen, "ready", (420, 50, 680, 90), 4))
    parts.append(draw.text(pen, "expression", 550, 70, "✓ same in PyTorch: x, y"))
    parts.append(draw.text(pen, "note", 420, 110, "or what differs, with both results"))
    return Picture(draw.svg(700, 140, "A twin cell", sentence, "".join(parts)), sentence)


def junctions(recordings: dict[str, Recording]) -> Picture:
    """Operations of two leaves beside each other, each under its caption: what they computed, the
    gradient that came in from below, and what they sent to either input."""
    parts, said = [], []
    for i, (caption, recording) in enumerate(recordings.items()):
        event, nodes = recording.events[0], recording.graph.nodes
        node, came = nodes[event.key], numbers(event.grad_in)
        left = 16 + 228 * i
        parts.append(draw.text(pen, "title", left, 24, caption))
        parts.append(draw.rectangle(pen, "done", (left + 16, 144, left + 208, 188), 4))
        parts.append(draw.text(pen, "expression", left + 112, 158, node.label))
        parts.append(draw.text(pen, "torch name", left + 112, 176, node.name))
        parts.append(_climb(left + 112, 188, 244, numbers(node.value), came))
        sent = []
        for x, (key, gradient) in zip((56, 168), sorted(event.grads_out.items()), strict=True):
            parts.append(draw.rectangle(pen, "done", (left + x - 24, 48, left + x + 24, 80), 16))
            parts.append(draw.text(pen, "expression", left + x, 64, nodes[key].label))
            value = numbers(nodes[key].value)
            parts.append(_climb(left + x, 80, 144, value, numbers(gradient)))
            sent.append(f"{numbers(gradient)} to {nodes[key].label}")
        said.append(f"{caption}: {node.label} receives {came} and sends {' and '.join(sent)}.")
    sentence, width = " ".join(said), 16 + 228 * len(recordings)
    return Picture(draw.svg(width, 256, "Junctions", sentence, "".join(parts)), sentence)


def _climb(x: float, top: float, bottom: float, value: str, gradient: str) -> str:
    """An upright ribbon with its value on the left and its gradient on the right."""
    left, middle = x - 12 - draw.value_chip_width(value), (top + bottom) / 2
    return draw.value_chip(pen, left, middle, value) + _rise(x, top, bottom, gradient)


def vector_times_jacobian(
    v: Sequence[float], jacobian: Sequence[Sequence[float]], outputs: Sequence[str],
    inputs: Sequence[str],
) -> Picture:  # fmt: skip
    """Each row of the Jacobian weighted by its number in v, and the rows added up.

    >>> vector_times_jacobian([1, 10], [[36, 0], [0, 81]], ["Q₀", "Q₁"], ["a₀", "a₁"])
    v = [1, 10] weighs the rows [36, 0] and [0, 81]; added up, they give [36, 810].
    """
    rows = [[float(x) for x in row] for row in jacobian]
    weights = [float(x) for x in v]
    product = [sum(w * x for w, x in zip(weights, c, strict=True)) for c in zip(*rows, strict=True)]
    listed = [f"[{', '.join(map(number, row))}]" for row in [weights, *rows, product]]
    sentence = (
        f"v = {listed[0]} weighs the rows {', '.join(listed[1:-2])} and {listed[-2]};"
        f" added up, they give {listed[-1]}."
    )
    cell, top, start = 84, 64, 176
    bottom, right = top + 40 * len(rows), start + cell * len(inputs)  # of the Jacobian
    heads = {24: "gradient in, v", start: "Jacobian, J", right + 48: "each row times its number"}
    parts = [draw.text(pen, "note", x, 24, words) for x, words in heads.items()]
    middles = [start + 40 + cell * j for j in range(len(inputs))]
    sums = [right + 48 + 40 + cell * j for j in range(len(inputs))]
    for j, name in enumerate(inputs):
        parts += [draw.text(pen, "small", x, 46, name) for x in (middles[j], sums[j])]
    for i, row in enumerate(rows):
        y = top + 40 * i + 20
        parts.append(draw.gradient_chip(pen, 24, y, number(weights[i])))
        parts.append(draw.text(pen, "expression", 118, y, "×"))
        parts.append(draw.text(pen, "small", 150, y, outputs[i]))
        for j, x in enumerate(row):
            box = (start + cell * j, y - 18, start + cell * j + 80, y + 18)
            frame, tone = ("value chip", "number") if x else ("pill", "number none")
            parts.append(draw.rectangle(pen, frame, box, 2))
            parts.append(draw.text(pen, tone, middles[j], y, number(x)))
            parts.append(draw.text(pen, "number", sums[j], y, number(weights[i] * x)))
        parts.append(draw.text(pen, "expression", right + 22, y, "="))
    y = bottom + 36
    parts.append(draw.path(pen, "divider", f"M{right + 48} {bottom + 10}h{cell * len(inputs)}"))
    parts.append(draw.text(pen, "note", start, y, "added up: gradient out, vᵀJ"))
    for x, total in zip(sums, product, strict=True):
        width = draw.gradient_chip_width(number(total))
        parts.append(draw.gradient_chip(pen, x - width / 2, y, number(total)))
    size = (right + 48 + cell * len(inputs) + 24, y + 30)
    return Picture(draw.svg(*size, "v transposed times J", sentence, "".join(parts)), sentence)


def own_function(x: float, y: float, came: float, sent: float) -> Picture:
    """A Function, forward on the left and backward on the right, and between them the ctx in which
    the one leaves x for the other.

    >>> own_function(2, 8, 1, 12)
    forward makes 8 of x = 2 and keeps x in ctx; backward receives 1, takes x out of ctx, and \
sends 12.
    """
    sentence = (
        f"forward makes {number(y)} of x = {number(x)} and keeps x in ctx; backward receives"
        f" {number(came)}, takes x out of ctx, and sends {number(sent)}."
    )
    parts = [
        draw.path(pen, "value edge", "M140 34V84m-4-6l4 6 4-6M140 136V190m-4-6l4 6 4-6"),
        draw.value_chip(pen, 140 - 14 - draw.value_chip_width(f"x = {number(x)}"), 58,
                        f"x = {number(x)}"),
        draw.value_chip(pen, 140 - 14 - draw.value_chip_width(f"y = {number(y)}"), 162,
                        f"y = {number(y)}"),
        draw.path(pen, "value edge", "M224 110H272m-6-4l6 4-6 4M408 110H456m-6-4l6 4-6 4"),
    ]  # fmt: skip
    for left, name, rule in ((56, "forward", "x * x * x"), (456, "backward", "g * 3 * x * x")):
        parts.append(draw.rectangle(pen, "plain", (left, 84, left + 168, 136), 4))
        parts.append(draw.text(pen, "number strong", left + 84, 101, name))
        parts.append(draw.text(pen, "expression", left + 84, 121, rule))
    parts.append(draw.rectangle(pen, "waiting", (272, 72, 408, 148), 4))
    parts.append(draw.text(pen, "number strong", 340, 92, "ctx"))
    parts.append(draw.rectangle(pen, "sheet", (294, 114, 306, 126), 1))
    parts.append(draw.path(pen, "sheet lines", "M297 118h6m-6 4h6"))
    parts.append(draw.value_chip(pen, 314, 120, f"x = {number(x)}"))
    parts.append(draw.text(pen, "note", 272, 166, "kept until backward has run"))
    for top, bottom, words in ((34, 84, number(sent)), (136, 190, number(came))):
        parts.append(_rise(540, top, bottom, words))
    return Picture(draw.svg(640, 216, "A Function", sentence, "".join(parts)), sentence)


def _rise(x: float, top: float, bottom: float, gradient: str) -> str:
    """An upright ribbon with its gradient on the right."""
    middle = (top + bottom) / 2
    line, chevrons = (
        f"M{x:g} {bottom:g}V{top:g}",
        f"M{x - 3:g} {middle - 14:g}l3-3 3 3m-6 28l3-3 3 3",
    )
    return (
        draw.path(pen, "ribbon", line, ' stroke-width="10"')
        + draw.path(pen, "ribbon passed", line, ' stroke-width="8"')
        + draw.path(pen, "chevrons passed", chevrons)
        + draw.gradient_chip(pen, x + 10, middle, gradient)
    )


def gradient_times_nudge(
    gradient: Sequence[float], nudge: Sequence[float], names: Sequence[str]
) -> Picture:
    """Each partial derivative times the nudge of its input, as bars, and the bars laid end to end.

    >>> gradient_times_nudge([12, 9], [0.1, -0.05], ["a", "b"])
    12 · 0.1 + 9 · (−0.05) = 0.75: the parts of a and b are 1.2 and −0.45.
    """
    products = [float(g) * float(n) for g, n in zip(gradient, nudge, strict=True)]
    parts_words = [number(round(p, 12)) for p in products]
    total = number(round(sum(products), 12))
    factors = [
        f"{number(g)} · {f'({number(n)})' if n < 0 else number(n)}"
        for g, n in zip(gradient, nudge, strict=True)
    ]
    sentence = (
        f"{' + '.join(factors)} = {total}: the parts of {' and '.join(names)} are "
        f"{' and '.join(parts_words)}."
    )
    ends = [sum(products[:i]) for i in range(len(products) + 1)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    scale = 250 / ((high - low) or 1.0)

    def x(value: float) -> float:
        return 420 + scale * (value - low)

    heads = {24: "input", 84: "gradient", 190: "nudge", 300: "part"}
    parts = [draw.text(pen, "note", left, 22, words) for left, words in heads.items()]
    bottom = 44 + 40 * len(products)
    parts.append(draw.path(pen, "value edge", f"M{x(0):.1f} 32V{bottom + 44}"))
    for i, name in enumerate(names):
        y = 60 + 40 * i
        parts.append(draw.text(pen, "row label", 24, y, name))
        parts.append(draw.gradient_chip(pen, 84, y, number(gradient[i])))
        parts.append(draw.text(pen, "expression", 170, y, "×"))
        parts.append(draw.value_chip(pen, 190, y, number(nudge[i])))
        parts.append(draw.text(pen, "expression", 270, y, "="))
        parts.append(draw.text(pen, "row label", 300, y, parts_words[i]))
        left, right = sorted((x(ends[i]), x(ends[i + 1])))
        parts.append(draw.rectangle(pen, "norm bar", (left, y - 8, right, y + 8)))
        parts.append(draw.path(pen, "tie", f"M{x(ends[i + 1]):.1f} {y + 8}v24"))
    y = bottom + 28
    parts.append(draw.path(pen, "divider", f"M24 {bottom + 6}H370"))
    parts.append(draw.text(pen, "note", 24, y, "gradient · nudge, the change to expect"))
    parts.append(draw.text(pen, "row label strong", 300, y, total))
    left, right = sorted((x(0), x(sum(products))))
    parts.append(draw.rectangle(pen, "norm bar now", (left, y - 8, right, y + 8)))
    words = "Gradient times nudge"
    return Picture(draw.svg(700, y + 28, words, sentence, "".join(parts)), sentence)
