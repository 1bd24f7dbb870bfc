"""The one widget: a drawing in parts, a panel beside it, and a timeline that restyles both.

A part is a piece of markup with a name. `variants` holds every form a part takes, `frames` says for
each step which form is shown, so that the browser can scrub without asking Python. All markup is
made, and escaped, in Python; the browser only puts it in place.

A second instrument gives its own parts, frames and panels and keeps everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import anywidget
import traitlets

from ..graphs.style import css

HERE = Path(__file__).parent


class SvgView(anywidget.AnyWidget):
    """A drawing whose elements carry `data-key`, with a panel, a transport and a sentence.

    Attributes:
        view: viewBox of the drawing: width and height in px.
        targets: [key, description, x, y, keys above, keys below] of what can be selected.
        overlays: for each of these the marks a reader can put on it.
        order: [key, x, y] of the parts, back to front; the key is empty for what is no node.
        variants: for each part the forms it takes.
        frames: for each step [part, index of its form] of every part that changes with it.
        panels, sentences, stops, steps_keys: for each step, from 0 on, its panel, its sentence, its
            name on the scrubber, the key of what it is about.
        look: words for the style sheet: "below" puts the panel under the drawing, "same" and
            "differs" make the sentence a verdict.
        curve, held: for many steps, markup of a curve under the scrubber, and for each step a word
            beside it.
        halts: steps at which Play stops, as it does at breakpoints.
        choices: for an instrument whose steps are selections, the step that shows a key.
        drags: where something can be dragged, what the arrow keys move; see below.
        pace: milliseconds that Play gives a step.
        step, selected, breakpoints: what the reader chose, kept in step with Python.
        revision: grows when all of the above has changed and is to be drawn anew.

    Without stops there is no transport. A form in a panel sends its fields, and the name of the
    button that was pressed as "button", as a message; `data-focus` says where the focus is then. An
    element with `data-fold`, clicked or opened with Enter, sends that as "fold". Where `drags` is
    said, an element with `data-drag` sends where it is pressed and dragged to as "drag", [x, y] in
    px of the drawing, and an arrow key its way as "arrow"; each is answered by a new revision.
    """

    _esm = HERE / "svg_view.js"
    _css = css() + "\n" + (HERE / "svg_view.css").read_text(encoding="utf-8")

    title = traitlets.Unicode().tag(sync=True)
    expression = traitlets.Unicode().tag(sync=True)
    call = traitlets.Unicode().tag(sync=True)
    tag = traitlets.Unicode().tag(sync=True)
    view = traitlets.List(traitlets.Float()).tag(sync=True)
    targets = traitlets.List().tag(sync=True)
    order = traitlets.List(traitlets.List()).tag(sync=True)
    overlays = traitlets.Dict().tag(sync=True)
    variants = traitlets.List().tag(sync=True)
    frames = traitlets.List().tag(sync=True)
    panels = traitlets.List().tag(sync=True)
    sentences = traitlets.List().tag(sync=True)
    stops = traitlets.List().tag(sync=True)
    steps_keys = traitlets.List().tag(sync=True)
    look = traitlets.Unicode("").tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    drags = traitlets.Unicode("").tag(sync=True)
    pace = traitlets.Int(900).tag(sync=True)
    curve = traitlets.Unicode("").tag(sync=True)
    held = traitlets.List(traitlets.Unicode()).tag(sync=True)
    halts = traitlets.List(traitlets.Int()).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    breakpoints = traitlets.List(traitlets.Unicode()).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    revision = traitlets.Int(0).tag(sync=True)

    def __repr__(self) -> str:
        return f"<SvgView {self.title}>"

    def set_frames(self, states: Iterable[Sequence[str]]) -> None:
        """Give the markup of every part at every step; equal markup is sent once."""
        variants: list[list[str]] = []
        frames, shown = [], []
        for state in states:
            variants = variants or [[] for _ in state]
            frame = []
            for forms, markup in zip(variants, state, strict=True):
                if markup not in forms:
                    forms.append(markup)
                frame.append(forms.index(markup))
            before = shown or [None] * len(frame)
            frames.append([[i, form] for i, form in enumerate(frame) if form != before[i]])
            shown = frame
        self.variants, self.frames = variants, frames

    def set_forms(self, parts: Sequence[Sequence[tuple[int, str]]], count: int) -> None:
        """The same, for each part as the step from which on it takes a form, in order."""
        frames: list[list[list[int]]] = [[] for _ in range(count)]
        variants: list[list[str]] = []
        for part, forms in enumerate(parts):
            variants.append(list(dict.fromkeys(markup for _, markup in forms)))
            for step, markup in forms:
                if step < count:
                    frames[step].append([part, variants[part].index(markup)])
        self.variants, self.frames = variants, frames
