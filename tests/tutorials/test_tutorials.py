"""Programs as a learner types them, cell by cell on both engines: the same in all they make."""

import ast
import io
import random
import re
import sys
import types
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

import autogradlab
from autogradlab import models
from autogradlab.models.convert import Converter
from autogradlab.twin import Report, Twin, bound_names

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
ANNOUNCED = re.compile(r"raises=(\w+): ")
DEFINITIONS = ast.FunctionDef | ast.ClassDef


class Cell(NamedTuple):
    """A piece of a program, from one `# %%` line to the next."""

    title: str
    source: str

    @property
    def raises(self) -> str:
        found = ANNOUNCED.match(self.title)
        return found[1] if found else ""

    @property
    def prints(self) -> bool:
        """Whether it calls `print` itself, not only in what it defines."""
        own = [x for x in ast.parse(self.source).body if not isinstance(x, DEFINITIONS)]
        return "print(" in "\n".join(map(ast.unparse, own))


def cells(program: Path) -> list[Cell]:
    """The cells of a program, after its docstring."""
    pieces = re.split(r"^# %%", program.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [Cell(title.strip(), code) for title, _, code in (p.partition("\n") for p in pieces)]


@pytest.fixture(scope="module", autouse=True)
def torchvision() -> Iterator[None]:
    """A stand-in for torchvision: our ResNet's code, on torch."""
    kind = Converter(autogradlab, torch).code(models.ResNet)
    package, inside = types.ModuleType("torchvision"), types.ModuleType("torchvision.models")
    package.models, inside.resnet18 = inside, lambda: kind((2, 2, 2, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torchvision", package)
        patch.setitem(sys.modules, "torchvision.models", inside)
        yield


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Seeds to start from; afterwards what a program may leave behind is put back."""
    random.seed(0)
    autogradlab.manual_seed(0)
    yield
    autogradlab.set_default_dtype(autogradlab.float32)
    torch.set_default_device(None)


def run(notebook: Twin, cell: Cell) -> Report:
    with redirect_stdout(io.StringIO()):
        return notebook.cell(cell.source, cell.raises)


def wrong_with(cell: Cell, report: Report, space: dict[str, Any]) -> str:
    """Why a cell's report is not what it must be; "" if it is."""
    if report.error is not None:
        return f"{type(report.error).__name__}: {report.error}"
    if report.hard or report.note:
        return repr(report)
    for name in bound_names(cell.source):
        known = name in space and name[0] != "_"
        if known and holds_values(space[name]) and name not in report.same:
            return f"{name} was not compared"
    if cell.raises:
        return "" if "error text" in report.texts else "its error was not compared"
    return "what it prints was not compared" * (cell.prints and "printed text" not in report.texts)


def holds_values(x: Any) -> bool:
    """Whether this is more than code: no module, function or class, nor a collection of them."""
    if isinstance(x, dict | list | tuple) and x:
        return any(map(holds_values, x.values() if isinstance(x, dict) else x))
    return isinstance(x, autogradlab.nn.Module) or not (
        callable(x) or isinstance(x, types.ModuleType)
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_every_cell_is_the_same_on_both_engines(program: Path) -> None:
    notebook, wrong = Twin({"__name__": "__main__"}, torch), []
    for cell in cells(program):
        why = wrong_with(cell, run(notebook, cell), notebook.space)
        if why:
            wrong.append(f"# %% {cell.title}\n{cell.source.strip()}\n→ {why}")
    assert not wrong, "\n\n".join(wrong)


IN_OURS = "if torch.__name__ == 'autogradlab': "


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (Cell("", "x = torch.ones(2)\nprint(x)"), ""),
        (Cell("", "class A: pass\nf = len\ndef g(): print(1)"), ""),
        (Cell("raises=IndexError: why", "torch.ones(2)[3]"), ""),
        (Cell("", "x = torch.ones(2)[3]"), "IndexError"),
        (Cell("raises=IndexError: why", "x = 1"), "was to raise IndexError"),
        (Cell("", "steps = iter([1, 2])"), "steps was not compared"),
        (Cell("", "x = 1\n" + IN_OURS + "x = 2"), "x differs"),
        (Cell("", "x = 1\n" + IN_OURS + "print(x)"), "printed text differs"),
        (Cell("", "print()"), "what it prints was not compared"),
        (Cell("", "import nothing_of_this_name"), "ModuleNotFoundError"),
    ],
)
def test_a_cell_that_is_not_the_same_is_told(cell: Cell, why: str) -> None:
    notebook = Twin({"__name__": "__main__"}, torch)
    found = wrong_with(cell, run(notebook, cell), notebook.space)
    assert why in found and bool(why) == bool(found)
