"""Build the sdist and the wheel into dist/, and try the wheel where nothing else is installed.

    python tools/dist.py [--tag v1.2.3] [--out dist]

A tag must be the version of the package, with a section in CHANGELOG.md.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
NEEDED = [
    "autogradlab/instruments/svg_view.js",
    "autogradlab/instruments/svg_view.css",
]
JUNK = re.compile(r"__pycache__|\.py[co]$|\.ipynb_checkpoints|(^|/)(build|dist|\.venv|\.git)/")
# What a user does first: a gradient, and the picture of how it came.
SMOKE = """
import autogradlab as torch
from autogradlab.instruments import BackwardDebugger
a = torch.tensor([2.0, 3.0], requires_grad=True)
loss = (3 * a**3).sum()
BackwardDebugger(loss).svg().index("<svg")
loss.backward()
assert a.grad.tolist() == [36.0, 81.0], a.grad
print(torch.__file__)
"""


def version() -> str:
    text = (ROOT / "autogradlab/__init__.py").read_text("utf-8")
    return re.search(r'^__version__ = "(.*)"', text, re.MULTILINE)[1]


def check_tag(tag: str) -> None:
    """End with a sentence if `tag` is not the version, or the changelog says nothing of it."""
    if tag != f"v{version()}":
        sys.exit(f"The tag is {tag}, the version in autogradlab/__init__.py {version()}.")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    if f"\n## [{version()}]" not in changelog:
        sys.exit(f"CHANGELOG.md has no section [{version()}].")


def names(archive: Path) -> list[str]:
    """The files in a wheel or an sdist, without the sdist's leading folder."""
    if archive.suffix == ".whl":
        return ZipFile(archive).namelist()
    with tarfile.open(archive) as tar:
        return [each.name.partition("/")[2] for each in tar if each.isfile()]


def check_contents(archive: Path) -> None:
    found = names(archive)
    missing = [name for name in NEEDED if name not in found]
    if missing or (junk := [name for name in found if JUNK.search(name)]):
        sys.exit(f"{archive.name}: missing {missing}" if missing else f"{archive.name}: has {junk}")


def try_wheel(wheel: Path, folder: Path) -> None:
    """Install the wheel into an empty environment, and use it from outside the checkout."""
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pins = ["--constraint", ROOT / "constraints.txt"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *pins, wheel], check=True)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for command in (["-c", SMOKE], ["-m", "autogradlab", "grade", "--help"]):
        run = [python, *command]
        done = subprocess.run(run, cwd=folder, env=env, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{wheel.name} does not work where it is installed:\n{done.stderr}")


def main(tag: str, out: Path) -> None:
    if tag:
        check_tag(tag)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", out], cwd=ROOT, check=True)
    wheel = out / f"autogradlab-{version()}-py3-none-any.whl"
    for archive in (wheel, out / f"autogradlab-{version()}.tar.gz"):
        check_contents(archive)
    with tempfile.TemporaryDirectory() as folder:
        try_wheel(wheel, Path(folder))
    print(f"{wheel.name} works where nothing else is installed.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tag", default="")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    given = parser.parse_args()
    main(given.tag, given.out.resolve())
