"""The panel that tells a newcomer, in plain words, whether everything a lesson needs is here."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import autogradlab

from ..graphs import read_graph
from ..graphs.draw import draw
from ..graphs.layout import RendererMissing


@dataclass(frozen=True)
class Panel:
    """A live widget, and the words that stand for it where no widget can be shown."""

    live: Any  # an ipywidgets widget
    words: str

    def __repr__(self) -> str:
        return self.words

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.live.model_id}
        return {"application/vnd.jupyter.widget-view+json": view, "text/plain": self.words}


def self_test() -> Panel:
    """Try the engine, PyTorch and the renderer; the live panel shows the versions as well.

    >>> print(self_test())
    ✓ engine: the gradient of x² at 3 is 6
    ✓ PyTorch: installed, it says 6 too
    ✓ pictures: graphs can be drawn
    · widgets: run this cell; where they work, a framed panel replaces these lines
    """
    from ipywidgets import HTML

    lines = [_engine(), _pytorch(), _pictures()]
    present = [n for n in ("numpy", "ipywidgets", "anywidget", "torch") if find_spec(n)]
    installed = [f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in present)]
    shown = [*lines, "✓ widgets: this panel is one", " · ".join(installed)]
    frame = "border: 1px solid #848C95; border-radius: 8px; padding: 12px; line-height: 24px"
    rows = "".join(f"<div>{escape(line)}</div>" for line in shown)
    live = HTML(f'<div style="{frame}">{rows}</div>')
    stored = "· widgets: run this cell; where they work, a framed panel replaces these lines"
    return Panel(live, "\n".join([*lines, stored]))


def _slope(torch: Any) -> float:
    x = torch.tensor(3.0, requires_grad=True)
    (x**2).backward()
    return float(x.grad)


def _engine() -> str:
    slope = _slope(autogradlab)
    return f"{'✓' if slope == 6 else '✗'} engine: the gradient of x² at 3 is {slope:g}"


def _pytorch() -> str:
    if find_spec("torch") is None:
        return "· PyTorch: not installed, so twin cells run on autogradlab alone and say so"
    import torch

    slope = _slope(torch)
    agrees = f"installed, it says {slope:g} too" if slope == 6 else f"it says {slope:g}"
    return f"{'✓' if slope == 6 else '✗'} PyTorch: {agrees}"


def _pictures() -> str:
    x = autogradlab.tensor(3.0, requires_grad=True)
    try:
        draw(read_graph(x**2))
    except RendererMissing:
        return "✗ pictures: no renderer; pip install graphviz-pure, then restart the kernel"
    return "✓ pictures: graphs can be drawn"
