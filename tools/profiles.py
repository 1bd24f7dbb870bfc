"""Run the tests with another set of versions, each in a virtual environment of its own.

    colab      what Google Colab ships; installing autogradlab must change none of it; all lessons
               and instruments
    oldest     the lowest version that pyproject.toml allows of everything but PyTorch; the suite
    newest     the newest version of everything but PyTorch; the suite
    torchless  no PyTorch: derivatives against nudges, lessons, doctests
    torch      constraints.txt with another PyTorch, `--torch 2.6.0` or newest, which it downloads
               (on Linux often with several GB of CUDA; TORCH_INDEX=… takes the CPU build): no
               twin cell of any lesson may show a difference; another wording is none

`make colab`, `make torch TORCH=2.6.0` and so on; PYTHON is the interpreter. Environments are kept
in build/profiles. Paths after the profile are what is tested instead.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# What Colab had in August 2026, of what we touch (googlecolab/backend-info).
COLAB = [
    *("numpy==2.1.3", "ipywidgets==7.7.1", "anywidget==0.9.21", "ipython==7.34.0"),
    *("ipykernel==6.17.1", "traitlets==5.7.1", "matplotlib==3.10.0", "graphviz==0.21"),
    "scikit-learn==1.6.1",
]
LESSONS = ["notebooks", "tests/instruments"]
# Examples whose subject is the comparison with PyTorch.
WITH_TORCH = [
    "autogradlab/graphs/match.py::autogradlab.graphs.match.match",
    "autogradlab/instruments/twin_graph.py::autogradlab.instruments.twin_graph.TwinGraph",
    "autogradlab/lessons/op_table.py::autogradlab.lessons.op_table.op_table",
    "autogradlab/lessons/panel.py::autogradlab.lessons.panel.self_test",
    "autogradlab/twin.py::autogradlab.twin.compare",
]
WITHOUT_TORCH = ["tests/torchless", "autogradlab", *(f"--deselect={each}" for each in WITH_TORCH)]
OTHER_TORCH = ["tests/drift"]


def pinned(name: str) -> str:
    """A requirement as constraints.txt has it."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


def requirements(profile: str, torch: str = "") -> list[str]:
    """What the environment of a profile is made of, besides autogradlab itself."""
    every = [*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["site"], *EXTRAS["test"]]
    every = [each for each in every if not each.startswith(("autogradlab", "torch>="))]
    every = list({each.partition(">=")[0]: each for each in every}.values())  # the last one holds
    if profile == "oldest":  # the newest release of the lowest series
        return [pinned("torch"), *(each.replace(">=", "~=") + ".0" * (each.count(".") == 1)
                                   for each in every)]  # fmt: skip
    if profile == "newest":
        return [pinned("torch"), *every]
    if profile == "torch":  # what torch itself needs is left to it
        release = "torch" if torch == "newest" else f"torch=={torch}"
        return [release, *(pinned(each.partition(">=")[0]) for each in every)]
    tools = ["pytest", "pytest-xdist", "nbval", "hypothesis", "jupytext", "nbclient", "hatchling"]
    if profile == "colab":
        return [pinned("torch"), *COLAB, *tools]
    return [*tools, "ipykernel", "scikit-learn"]


def changes(python: Path) -> dict[str, str]:
    """The packages that installing autogradlab would change, with what pip would put there."""
    run = [python, "-m", "pip", "install", "--dry-run", "--quiet", "--report"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        subprocess.run([*run, report, ROOT], check=True)
        found = [each["metadata"] for each in json.loads(report.read_text("utf-8"))["install"]]
    listing = [python, "-m", "pip", "list", "--format=json"]
    out = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
    present = {each["name"].lower() for each in json.loads(out)}
    present.discard(PROJECT["name"])  # there from the last time
    return {f["name"]: f["version"] for f in found if f["name"].lower() in present}


def main(profile: str, torch: str, arguments: list[str]) -> int:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"torch-{torch}" if profile == "torch" else profile
    folder = ROOT / "build/profiles" / f"{name}-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    print(f"{name}, Python {version}: installing", flush=True)
    fresh = ["--upgrade"] if torch == "newest" else []
    subprocess.run([*pip, *fresh, *requirements(profile, torch)], check=True)
    if profile == "colab" and (changed := changes(python)):
        print(f"installing autogradlab would change {changed}")
        return 1
    subprocess.run([*pip, "--editable", ROOT], check=True)
    usual = {"colab": LESSONS, "torchless": WITHOUT_TORCH, "torch": OTHER_TORCH}.get(profile, [])
    command = [python, "-m", "pytest", "-q", "-n", "4", "--dist", "loadfile"]
    command += ["--no-loadscope-reorder"]
    env = os.environ | ({"AUTOGRADLAB_OTHER_TORCH": "1"} if profile == "torch" else {})
    return subprocess.run([*command, *(arguments or usual)], cwd=ROOT, env=env).returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", choices=["colab", "oldest", "newest", "torchless", "torch"])
    parser.add_argument("--torch", default="", help="a release of PyTorch, or newest")
    given, rest = parser.parse_known_args()
    if (given.profile == "torch") != bool(given.torch):
        parser.error("the profile torch, and only it, takes --torch: make torch TORCH=2.6.0")
    sys.exit(main(given.profile, given.torch, rest))
