"""Run lessons from their text sources and store them as notebooks with outputs.

`python tools/notebooks.py notebooks/04_chain_rule.py` writes notebooks/04_chain_rule.ipynb, the
same bytes each time: what differs between two runs of one source is a defect of the lesson.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# A stored view without its live model reads "model not found" in JupyterLab.
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def read(source: Path) -> NotebookNode:
    """The notebook of a text source, without outputs, its cells numbered in order."""
    notebook = jupytext.read(source)
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run every cell in `folder`, and keep of what came out only what can be stored."""
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
    )
    client.execute()
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


if __name__ == "__main__":
    for number, name in enumerate(sys.argv[1:], 1):
        source = Path(name)
        print(f"[{number}/{len(sys.argv) - 1}] {source}", flush=True)
        notebook = execute(read(source), source.parent)
        nbformat.validate(notebook)
        nbformat.write(notebook, source.with_suffix(".ipynb"))
