"""Graphs as files: pictures to print, and text for other programs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .data import Graph, Recording
from .draw import draw
from .exchange import to_dot, to_json
from .layout import render


def save(
    data: Graph | Recording, path: str | os.PathLike[str], by: str = "", leaf: str = ""
) -> Path:
    """Write a graph, or a recording, in the format of the file's ending.

    ".svg" is our drawing, of a recording with the gradients that passed; ".png" and ".dot" are
    Graphviz's picture and text of the graph; ".json" keeps everything, `Graph.from_json` reads it.
    The file appears whole or not at all.

    Args:
        by, leaf: what a drawing shows strong, see `draw`.

    Raises:
        ValueError: another ending, or a highlight that cannot be shown; OSError: no such folder.
        RendererMissing: no Graphviz is installed, for ".svg" and ".png".

    >>> import tempfile
    >>> from autogradlab import ones
    >>> from autogradlab.graphs import read_graph
    >>> graph = read_graph(ones(2, requires_grad=True) * 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(graph, f"{folder}/graph.json").read_text("utf-8")[:10]
    '{"nodes": '
    """
    path = Path(path)
    graph, recording = (data.graph, data) if isinstance(data, Recording) else (data, None)
    makers = {
        ".svg": lambda: draw(graph, recording=recording, by=by, leaf=leaf).encode(),
        ".png": lambda: render(to_dot(graph), "png"),
        ".dot": lambda: to_dot(graph).encode(),
        ".json": lambda: to_json(data).encode(),
    }
    if path.suffix not in makers:
        raise ValueError(f"{path.name!r} ends in none of {', '.join(makers)}")
    return write(path, makers[path.suffix]())


def write(path: Path, content: bytes) -> Path:
    """Put a file in place: it appears whole or not at all."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    return path
