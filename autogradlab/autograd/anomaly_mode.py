"""Anomaly mode: a nan in backward is an error that says where the forward operation stood."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..modes import modes
from ..node import Node, Wanted


class set_detect_anomaly:
    """Switch anomaly mode, at once or for a `with` block.

    Args:
        mode: on or off.
        check_nan: raise when a node sends a nan; without it only errors get a forward traceback.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = modes.anomaly
        switch((apply if check_nan else apply_any) if mode else None)

    def __enter__(self) -> None:
        """Nothing more to do."""

    def __exit__(self, *exception: object) -> None:
        switch(self.before)


class detect_anomaly(set_detect_anomaly):
    """Anomaly mode inside a `with` block."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        super().__init__(True, self.check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on in this thread."""
    return modes.anomaly is not None


def switch(anomaly: Callable[..., Any] | None) -> None:
    """Run nodes through `anomaly`, and note where each new one is recorded."""
    modes.special += (anomaly is not None) - (modes.anomaly is not None)
    modes.anomaly = anomaly
    kept = tuple([r for r in modes.recorders if r is not remember])
    modes.recorders = (*kept, remember) if anomaly else kept


def remember(node: Node) -> None:
    """Note where the program stood, and which node of a running backward made this one."""
    import traceback  # it and what it needs would cost every import of the package

    package = __file__.rpartition("autograd")[0]
    own = [f for f in traceback.extract_stack() if not f.filename.startswith(package)]
    node.metadata["traceback_"] = traceback.format_list(own)
    node.metadata["parent_"] = modes.executing


def apply_any(node: Node, g: Any, taped: bool, wanted: Wanted) -> Sequence[Any]:
    """`node.apply`, where an error is reported with the forward traceback."""
    before, modes.executing = modes.executing, node
    try:
        return node.apply(g, taped, wanted)
    except Exception:
        report(node)
        raise
    finally:
        modes.executing = before


def apply(node: Node, g: Any, taped: bool, wanted: Wanted) -> Sequence[Any]:
    """`node.apply`, where an error or a nan is reported with the forward traceback."""
    out = apply_any(node, g, taped, wanted)
    for i, each in enumerate(out):
        array = getattr(each, "array", each)
        if array is not None and np.isnan(array).any():
            report(node)
            raise RuntimeError(
                f"Function '{node.name()}' returned nan values in its {i}th output."
            )
    return out


def report(node: Node) -> None:
    """The warning that shows where a node was recorded, and the nodes that led to it."""
    words = f"Error detected in {node.name()}. "
    lines = node.metadata.get("traceback_")
    if lines is None:
        words += (
            "No forward pass information available. Enable detect anomaly during forward pass for "
            "more information."
        )
    else:
        words += f"Traceback of forward call that caused the error:\n{''.join(lines)}"
    warnings.warn(words, stacklevel=2)
    parent = node.metadata.get("parent_")
    while parent is not None:
        lines = "".join(parent.metadata.get("traceback_", ()))
        warnings.warn(
            "\n\nPrevious calculation was induced by "
            f"{parent.name()}. Traceback of forward call that induced the previous calculation:\n"
            f"{lines}",
            stacklevel=2,
        )
        parent = parent.metadata.get("parent_")
