"""The solutions a lesson prints, and the lesson with all of them filled in."""

import re
from collections.abc import Sequence

import nbformat
from nbformat import NotebookNode

DETAILS = re.compile(r"<details><summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
STUB = re.compile(r"exercises\.(\w+)\.check\((\w+)\)$")


def stubs(cells: Sequence[NotebookNode]) -> list[tuple[int, str, str]]:
    """(position, exercise, name of the answer) of each exercise cell."""
    found = [(i, STUB.search(cell.source)) for i, cell in enumerate(cells)]
    return [(i, match[1], match[2]) for i, match in found if match]


def solutions(cells: Sequence[NotebookNode]) -> dict[str, list[str]]:
    """By the name of the answer its successive solutions, in the order of the lesson."""
    code = "\n".join(
        block
        for cell in cells
        for title, body in DETAILS.findall(cell.source)
        if title == "Solution"
        for block in re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    )
    found: dict[str, list[str]] = {}
    for part in re.split(r"\n(?=\S)", code):
        name = re.match(r"(?:def |class )?(\w+)", part)
        if name and part.strip():
            found.setdefault(name[1], []).append(part)
    return found


def solved(notebook: NotebookNode) -> NotebookNode:
    """The notebook as a learner leaves it who has read every solution: each in its exercise's cell,
    before the check."""
    filled = nbformat.from_dict(notebook)
    answers = solutions(filled.cells)
    for i, _, name in stubs(filled.cells):
        stub, check = filled.cells[i].source.rsplit("\n", 1)
        filled.cells[i].source = f"{stub}\n{answers[name].pop(0)}\n{check}"
    return filled
