"""Make docs/debugger.png, the picture in the README: `python -m tools.screenshot`.

It is the backward debugger in a real JupyterLab, half-way through Q = 3a³ − b².
"""

import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.lab import Lesson, chromium, jupyterlab
from tools.notebooks import KERNEL

PICTURE = Path(__file__).parents[1] / "docs/debugger.png"
CODE = """
import autogradlab as torch
from autogradlab.instruments import BackwardDebugger

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
debugger = BackwardDebugger(Q, {"a": a, "b": b, "Q": Q}, gradient=torch.tensor([1.0, 1.0]))
debugger.step(5)
debugger
"""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        (folder / "notebooks").mkdir()
        notebook = new_notebook(cells=[new_code_cell(CODE)], metadata={"kernelspec": KERNEL})
        nbformat.write(notebook, folder / "notebooks/Q.ipynb")
        with jupyterlab(folder / "notebooks", folder / "private") as address:
            lesson = Lesson(browser, address, "Q.ipynb", width=1280, scale=2)
            lesson.run_all()
            PICTURE.parent.mkdir(exist_ok=True)
            lesson.show(0).locator(".agl-view").screenshot(path=PICTURE)
            lesson.close()
    print(PICTURE)
