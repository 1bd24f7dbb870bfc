"""Promises about the project as a whole: the two floors, the import, sizes, words, addresses."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

import autogradlab

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "autogradlab"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
UPPER = ("__main__", "twin", "graphs", "instruments", "lessons")
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"


def tracked() -> list[Path]:
    """Every text file the project publishes."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in names.splitlines() if not name.endswith((".png", ".ico"))]
    return [path for path in paths if path.is_file()]


def is_upper(path: Path) -> bool:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py") in UPPER


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Of each import of a file: the module in full, and the function it stands in ("" if none)."""
    package = [PACKAGE.name, *path.relative_to(PACKAGE).parent.parts]

    def walk(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((name.name, function) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) + 1 - child.level] if child.level else []
                module = ".".join([*base, child.module] if child.module else base)
                yield from ((f"{module}.{name.name}", function) for name in child.names)
            is_function = isinstance(child, ast.FunctionDef)
            yield from walk(child, child.name if is_function else function)

    yield from walk(ast.parse(path.read_text("utf-8")), "")


def imports_of(*names: str, at: str) -> bool:
    return any(re.match(rf"autogradlab\.{name}\b", at) for name in names)


def test_the_lower_floor_knows_nothing_of_pictures():
    lower = [path for path in PACKAGE.rglob("*.py") if not is_upper(path)]
    assert PACKAGE / "engine.py" in lower
    offences = [
        (path.name, module)
        for path in lower
        for module, function in imported(path)
        if imports_of(*UPPER, at=module) and function != "load_ipython_extension"
    ]
    assert offences == []


def test_graphs_and_instruments_know_no_engine():
    inside = {path.stem for path in PACKAGE.glob("*.py") if not is_upper(path)}
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and not is_upper(path)}
    engine = (inside | folders) - {"__init__", "__pycache__"}
    assert {"engine", "tensor", "derivatives"} <= engine
    # One page looks formulas up in the table by a node's name, whichever engine made the node.
    book = re.compile(r"autogradlab\.(derivatives|primitive)\b")
    offences = [
        (path.name, module)
        for folder in ("graphs", "instruments")
        for path in (PACKAGE / folder).rglob("*.py")
        for module, function in imported(path)
        if imports_of(*engine, at=module) or (module.startswith("torch") and not function)
        if not (path.name == "formulas.py" and book.match(module))
    ]
    assert offences == []


def test_import_brings_in_numpy_only():
    heavy = ("torch", "matplotlib", "ipywidgets", "anywidget", "IPython", "graphviz", "traitlets")
    code = f"import sys, autogradlab; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_import_costs_little_over_numpy():
    # Processor time, as a share of NumPy's, which a slow machine stretches too.
    code = (
        "from time import process_time; start = process_time(); import numpy.random; "
        "between = process_time(); import autogradlab; "
        "print((process_time() - between) / (between - start))"
    )

    env = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}  # compiled once, as anywhere else

    def share() -> float:
        run = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        return float(run.stdout)

    assert min(share() for _ in range(5)) <= 0.6


def test_the_engine_can_be_read_in_one_sitting():
    engine, node = (
        len((PACKAGE / name).read_text("utf-8").splitlines()) for name in ("engine.py", "node.py")
    )
    assert engine <= 350
    assert engine + node <= 500


def test_the_front_end_is_small():
    files = list(PACKAGE.rglob("*.js"))
    assert files
    assert [path.name for path in files if path.stat().st_size > 16 * 1024] == []


def test_the_wheel_carries_all_of_the_package(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.iterdir()
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = [path for path in tracked() if path.is_relative_to(PACKAGE)]
    assert packed == {path.relative_to(ROOT).as_posix() for path in sources}


def test_no_private_path_or_package_index():
    # Written so that this file does not contain what it looks for.
    private = re.compile(r"(?<![\w.\-])/(?:work|home|root|Users|opt|mnt)/\w")
    index = re.compile(r"(?:pypi\.|pythonhosted|registry\.npm|conda\.anaconda|[/:]simple/)")
    cpu_builds = "https://download.pytorch.org/whl/cpu"
    for path in tracked():
        text = path.read_text(encoding="utf-8")
        if path != Path(__file__):
            assert not private.search(text), path
            assert not index.search(text), path
        where = path.relative_to(ROOT).parts[0]
        if where not in ("README.md", "environment.yml", "binder", ".github"):
            assert path == Path(__file__) or cpu_builds not in text, path


def test_one_address_everywhere():
    slug = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
    assert re.fullmatch(r"[\w-]+/[\w-]+", slug)
    hosts = r"(?:git\+https://github\.com|google\.com/github|mybinder\.org/v2/gh)/([\w-]+/[\w-]+)"
    texts = [p for p in tracked() if p.suffix in (".md", ".py", ".ipynb") and p != Path(__file__)]
    found = {slug for path in texts for slug in re.findall(hosts, path.read_text("utf-8"))}
    assert found == {slug}


def test_one_version_everywhere():
    declared = re.compile(r"^__version__ = |^version = ", re.MULTILINE)
    places = [path for path in tracked() if path.suffix in (".py", ".toml")]
    assert [p.name for p in places if declared.search(p.read_text("utf-8"))] == ["__init__.py"]
    texts = [path for path in tracked() if path.suffix in (".md", ".ipynb")]
    tags = {t for p in texts for t in re.findall(r"[@/]v(\d+\.\d+\.\d+)\b", p.read_text("utf-8"))}
    assert tags == {autogradlab.__version__}


def test_floors_stay_below_the_pins():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    extras = PROJECT["optional-dependencies"]
    floors = [*PROJECT["dependencies"], *extras["lab"], *extras["site"], *extras["test"]]
    for floor in floors:
        name, _, version = floor.partition(">=")
        if not name.startswith("autogradlab"):
            assert numbers(version) <= numbers(pins[name]), floor


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=lambda page: page.stem)
def test_what_a_page_tells_to_type_exists(page: Path):
    rules = re.findall(r"^([\w ]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    variables = set(re.findall(r"^(\w+) \?=", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = re.findall(r"\bmake (\w+)((?: \w+=\S+)*)", page.read_text("utf-8"))
    assert commands
    assert {target for target, _ in commands} <= targets
    given = {name for _, rest in commands for name in re.findall(r"(\w+)=", rest)}
    assert given <= variables


def test_code_in_the_readme_runs_and_prints_what_it_says(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, {})
    promised = re.findall(r"^print.*?  # (.*)$", "\n".join(blocks), re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == promised


@pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=lambda page: page.stem)
def test_local_links_of_a_page_lead_somewhere(page: Path):
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    links = [link for link in found if ":" not in link]
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_no_two_test_files_have_one_name():
    """pytest would load the first for both, in folders without __init__.py."""
    names = [path.name for path in sorted((ROOT / "tests").rglob("test_*.py"))]
    assert len(names) == len(set(names)), {name for name in names if names.count(name) > 1}
