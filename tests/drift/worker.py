"""Run lessons cell by cell as far as their last twin cell; print what each twin cell said, as JSON.

    python worker.py [--drift] lesson.py …

With `--drift` PyTorch is another release: errors, warnings and printed texts read otherwise on its
side, and so do the names of nodes. (Those of PyTorch are in C++ and cannot be changed from here, so
that ours change while the two are compared.) Its optimizers have one option more.
"""

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jupytext
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from autogradlab import node, twin


def drifted(run: Any) -> Any:
    def other(source: str, engine: str, *rest: Any) -> Any:
        side = run(source, engine, *rest)
        if engine == "torch":
            printed = side.printed.replace("Backward0", "Backward7")
            side.printed = printed.replace("tensor", "Tensor")
            side.warned = [f"{text} This will go away." for text in side.warned]
            if side.error is not None:
                side.error.args = tuple(f"Oh: {each}" for each in side.error.args)
        return side

    return other


def renamed(compare: Any) -> Any:
    def other(*rest: Any) -> Any:
        with patch.object(node.Node, "name", lambda self: f"{type(self).__name__}Drifted"):
            return compare(*rest)

    return other


def drift() -> None:
    torch.__version__ = "2.99.0"
    twin.run = drifted(twin.run)
    twin.Twin.compare = renamed(twin.Twin.compare)
    start = torch.optim.Optimizer.__init__
    torch.optim.Optimizer.__init__ = lambda self, params, defaults: start(
        self, params, defaults | {"novel": None}
    )


def said(path: Path) -> list[list[str]]:
    """For each twin cell its source, what it put out, and the error it raised ("" for none)."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    found = []
    sources = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    last = max(i for i, source in enumerate(sources) if source.startswith("%%twin"))
    for source in sources[: last + 1]:
        with capture_output() as out:
            result = shell.run_cell(source, store_history=True)
        rich = [str(each.data.get("text/plain", "")) for each in out.outputs]
        error = result.error_before_exec or result.error_in_exec
        if source.startswith("%%twin") or error is not None:
            text = "\n".join([out.stdout, *rich, repr(result.result)])
            found.append([source, text, "" if error is None else repr(error)])
    return found


if __name__ == "__main__":
    paths = [Path(name) for name in sys.argv[1:] if name != "--drift"]
    if "--drift" in sys.argv:
        drift()
    print(json.dumps({path.stem: said(path) for path in paths}))
